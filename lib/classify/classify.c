/* SPDX-License-Identifier: BSD-3-Clause */
#include "classify.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "packet_features.h"

/*
 * Of how many rows one is looked at for drift. To count a packet's costs about as much as to classify it, so that one in
 * 256 is well below a hundredth; and 200 rows, which an index needs, come in ten minutes from 86 packets/s on. A flow's row
 * is dearer to make than to count, and there are fewer.
 */
#define COUNTED_PACKET_ROWS 256
#define COUNTED_FLOW_ROWS   16

struct classifier {
	const struct packet_engine *packet_engine;
	struct flow_engine *flow_engine;
	enum packet_depth depth;
	struct nn_scratch *own_scratch;
	struct nn_scratch *scratch;
	struct input_counts *counts; /* NULL: packets' rows are not counted */
	bool is_shedding;
	struct stats_block *stats;
	const uint8_t *rows[CLASSIFY_MAX_BURST];
	float logits[CLASSIFY_MAX_BURST * 2];
	struct packet packets[CLASSIFY_MAX_BURST];
	/* Frames shorter than the model's inputs are scored from a copy with zeros behind their end. */
	uint8_t padded[CLASSIFY_MAX_BURST][PACKET_FEATURES_MAX_BYTES];
};

int packet_engine_create(const struct model *model, const struct nn_kernel *kernel, struct packet_engine **engine,
			 char *error, size_t error_size)
{
	const struct nn_network *network = &model->network;
	const struct nn_layer *last = &network->layers[network->n_layers - 1];
	char schema[PACKET_FEATURES_SCHEMA_SIZE], name[16];
	struct packet_engine *e;
	int rc;

	if (model->task == MODEL_TASK_FLOW) {
		snprintf(error, error_size, "is a flow model; a packet model is needed here");
		return -EINVAL;
	}
	if (network->n_in > PACKET_FEATURES_MAX_BYTES) {
		snprintf(error, error_size, "has %u inputs; packet models have at most %u header bytes",
			 network->n_in, PACKET_FEATURES_MAX_BYTES);
		return -EINVAL;
	}
	if (last->n_out > 2) {
		snprintf(error, error_size, "tells %u classes apart; packet models tell two", last->n_out);
		return -EINVAL;
	}
	if (last->activation != NN_IDENTITY && last->activation != (last->n_out == 2 ? NN_SOFTMAX : NN_SIGMOID)) {
		snprintf(error, error_size, "ends in %s; packet models end in %s or in plain logits",
			 nn_activation_name(last->activation), last->n_out == 2 ? "softmax" : "sigmoid");
		return -EINVAL;
	}
	for (uint32_t i = 0; i < model->n_features; i++)
		if (strcmp(model->features[i], packet_features_name(i, name, sizeof(name)))) {
			snprintf(error, error_size, "has input %u '%.40s' where packet models have '%s'", i + 1,
				 model->features[i], name);
			return -EINVAL;
		}
	packet_features_schema(network->n_in, schema);
	if (model->schema && strcmp(model->schema, schema)) {
		snprintf(error, error_size,
			 "was trained on features of another version (schema %.40s, here %s); train it again",
			 model->schema, schema);
		return -EINVAL;
	}

	e = calloc(1, sizeof(*e));
	if (!e) {
		snprintf(error, error_size, "out of memory");
		return -ENOMEM;
	}
	rc = nn_plan_create(network, &e->plan);
	if (rc) {
		snprintf(error, error_size, "cannot be packed for the kernels: %s", strerror(-rc));
		free(e);
		return rc;
	}
	e->kernel = kernel;
	e->n_inputs = network->n_in;
	e->n_outputs = last->n_out;
	e->threshold = logf(model->threshold / (1.0f - model->threshold));
	*engine = e;
	return 0;
}

void packet_engine_free(struct packet_engine *engine)
{
	if (!engine)
		return;
	nn_plan_free(engine->plan);
	free(engine);
}

struct classifier *classifier_create(const struct classifier_options *options)
{
	struct classifier *classifier = calloc(1, sizeof(*classifier));

	if (!classifier)
		return NULL;
	classifier->packet_engine = options->packet_engine;
	classifier->flow_engine = options->flow_engine;
	classifier->depth = options->flow_engine ? options->depth : PACKET_DEPTH_TYPE;
	classifier->stats = options->stats;
	if (classifier->packet_engine) {
		classifier->own_scratch = nn_scratch_create(classifier->packet_engine->plan);
		classifier->scratch = classifier->own_scratch;
		if (!classifier->scratch) {
			free(classifier);
			return NULL;
		}
	}
	return classifier;
}

void classifier_free(struct classifier *classifier)
{
	if (!classifier)
		return;
	nn_scratch_free(classifier->own_scratch);
	free(classifier);
}

struct classifier_models {
	const struct packet_engine *packet_engine;
	struct nn_scratch *scratch;
	struct flow_asker *flow_asker;
	struct input_counts *packet_counts, *flow_counts; /* NULL: not counted */
};

struct classifier_models *classifier_models_create(const struct packet_engine *packet_engine,
						   const struct flow_model *flow_model)
{
	struct classifier_models *models = calloc(1, sizeof(*models));

	if (!models)
		return NULL;
	models->packet_engine = packet_engine;
	if (packet_engine)
		models->scratch = nn_scratch_create(packet_engine->plan);
	if (flow_model)
		models->flow_asker = flow_asker_create(flow_model);
	if ((!packet_engine || models->scratch) && (!flow_model || models->flow_asker))
		return models;
	classifier_models_free(models);
	return NULL;
}

void classifier_models_free(struct classifier_models *models)
{
	if (!models)
		return;
	nn_scratch_free(models->scratch);
	flow_asker_free(models->flow_asker);
	free(models->packet_counts);
	free(models->flow_counts);
	free(models);
}

int classifier_models_count(struct classifier_models *models, const struct input_bins *packet_bins,
			    const struct input_bins *flow_bins)
{
	if (models->packet_engine && packet_bins) {
		models->packet_counts =
			input_counts_create(packet_bins, models->packet_engine->n_inputs, COUNTED_PACKET_ROWS);
		if (!models->packet_counts)
			return -ENOMEM;
	}
	if (models->flow_asker && flow_bins) {
		uint32_t n_inputs = flow_asker_model(models->flow_asker)->features->n;

		models->flow_counts = input_counts_create(flow_bins, n_inputs, COUNTED_FLOW_ROWS);
		if (!models->flow_counts)
			return -ENOMEM;
		flow_asker_count(models->flow_asker, models->flow_counts);
	}
	return 0;
}

const struct input_counts *classifier_models_packet_counts(const struct classifier_models *models)
{
	return models->packet_counts;
}

const struct input_counts *classifier_models_flow_counts(const struct classifier_models *models)
{
	return models->flow_counts;
}

void classifier_set_models(struct classifier *classifier, const struct classifier_models *models)
{
	classifier->packet_engine = models->packet_engine;
	classifier->scratch = models->scratch;
	classifier->counts = models->packet_counts;
	if (models->flow_asker && classifier->flow_engine)
		flow_engine_set_asker(classifier->flow_engine, models->flow_asker);
}

void classifier_set_shedding(struct classifier *classifier, bool is_shedding)
{
	classifier->is_shedding = is_shedding;
	if (classifier->flow_engine)
		flow_engine_set_shedding(classifier->flow_engine, is_shedding);
}

const struct packet *classify_packets(const struct classifier *classifier)
{
	return classifier->packets;
}

/* Counts some of a burst's rows, for drift: by rows, since packets of small bursts would be counted more often. */
static void classify_count_rows(struct input_counts *counts, const uint8_t *const *rows, uint32_t n)
{
	uint32_t at = input_counts_skip(counts, n);

	while (at < n) {
		input_counts_add_bytes(counts, rows[at]);
		at++;
		at += input_counts_skip(counts, n - at);
	}
}

/*
 * Scores the burst by its header bytes. A frame that is shorter than the model's inputs is scored with zeros
 * behind its end, but for one that ends inside a type: zeros could complete 08 to 08 00, so it is negative by
 * definition, and so is a frame without any type.
 */
static void classify_by_model(struct classifier *classifier, const struct frame *frames, uint32_t n,
			      struct verdict *verdicts)
{
	const struct packet_engine *engine = classifier->packet_engine;
	const struct packet *packets = classifier->packets;
	const uint8_t **rows = classifier->rows;
	float *logits = classifier->logits;
	uint64_t cut = 0; /* bit i: frame i ends inside a type */
	uint32_t n_padded = 0;

	for (uint32_t i = 0; i < n; i++) {
		rows[i] = frames[i].data;
		if (__builtin_expect(frames[i].captured_bytes < engine->n_inputs, 0)) {
			bool is_cut =
				packets[i].status == PACKET_SHORT_LINK || packets[i].status == PACKET_SHORT_VLAN;

			packet_features_row(&frames[i], engine->n_inputs, classifier->padded[i]);
			rows[i] = classifier->padded[i];
			cut |= (uint64_t)is_cut << i;
			n_padded += !is_cut;
		}
	}
	engine->kernel->score_bytes(engine->plan, classifier->scratch, rows, n, logits);
	if (classifier->counts)
		classify_count_rows(classifier->counts, rows, n);
	for (uint32_t i = 0; i < n; i++) {
		verdicts[i].logit = engine->n_outputs == 2 ? logits[2 * i + 1] - logits[2 * i] : logits[i];
		verdicts[i].class = verdicts[i].logit >= engine->threshold ? VERDICT_POSITIVE
				    : isnan(verdicts[i].logit)		   ? VERDICT_NONE
									   : VERDICT_NEGATIVE;
	}
	for (uint64_t left = cut; left; left &= left - 1) {
		struct verdict *verdict = &verdicts[__builtin_ctzll(left)];

		verdict->logit = -INFINITY;
		verdict->class = VERDICT_NEGATIVE;
	}
	for (uint32_t i = 0; i < n; i++)
		if (verdicts[i].class != VERDICT_NONE)
			stats_count_score(classifier->stats->packet_scores, verdicts[i].logit);
	stats_add(classifier->stats, STATS_padded, n_padded);
	stats_add(classifier->stats, STATS_untyped, (uint32_t)__builtin_popcountll(cut));
}

_Static_assert(STATS_parse_too_many_tunnels - STATS_parse_cut_link_header ==
		       PACKET_TOO_MANY_TUNNELS - PACKET_SHORT_LINK,
	       "counters.def must list the parser's reasons in the order of enum packet_status");

/* Says what the parser found. */
static void classify_by_type(const struct classifier *classifier, uint32_t n, struct verdict *verdicts)
{
	for (uint32_t i = 0; i < n; i++) {
		verdicts[i].logit = NAN;
		verdicts[i].class = packet_is_ip(&classifier->packets[i]) ? VERDICT_POSITIVE : VERDICT_NEGATIVE;
	}
}

/* Counts a burst to its flows, and what the parser had to say of their headers. */
static void classify_flows(struct classifier *classifier, const struct frame *frames, uint32_t n)
{
	const struct packet *packets = classifier->packets;
	uint32_t n_no_flow = 0, n_length_lies = 0;

	flow_engine_burst(classifier->flow_engine, frames, packets, n);
	for (uint32_t i = 0; i < n; i++) {
		n_no_flow += !packets[i].ip_version;
		n_length_lies += (packets[i].flags & PACKET_FLAG_LENGTH_LIES) != 0;
	}
	stats_add(classifier->stats, STATS_no_flow, n_no_flow);
	stats_add(classifier->stats, STATS_length_lies, n_length_lies);
}

void classify_burst(struct classifier *classifier, enum packet_link link, const struct frame *frames, uint32_t n,
		    struct verdict *verdicts)
{
	struct stats_block *stats = classifier->stats;
	struct packet *packets = classifier->packets;
	uint32_t n_class[VERDICT_NONE + 1] = {0};
	uint64_t n_bytes = 0;

	packet_parse_burst(link, classifier->depth, frames, n, packets);
	stats_lap(stats, STATS_stage_parse);
	if (classifier->packet_engine && link == PACKET_LINK_ETHERNET && !classifier->is_shedding)
		classify_by_model(classifier, frames, n, verdicts);
	else
		classify_by_type(classifier, n, verdicts);
	stats_lap(stats, STATS_stage_score);
	if (classifier->packet_engine && link != PACKET_LINK_ETHERNET)
		stats_add(stats, STATS_by_parser, n);
	else if (classifier->packet_engine && classifier->is_shedding)
		stats_add(stats, STATS_shed_packets, n);
	if (classifier->flow_engine)
		classify_flows(classifier, frames, n);

	for (uint32_t i = 0; i < n; i++) {
		verdicts[i].ethertype = packets[i].ethertype;
		n_class[verdicts[i].class]++;
		n_bytes += frames[i].wire_bytes;
		stats_add_ethertype(stats, packets[i].ethertype);
		if (__builtin_expect(packets[i].status != PACKET_OK, 0))
			stats_add(stats, STATS_parse_cut_link_header + packets[i].status - PACKET_SHORT_LINK, 1);
	}
	stats_add(stats, STATS_packets, n);
	stats_add(stats, STATS_bytes, n_bytes);
	stats_add(stats, STATS_positive, n_class[VERDICT_POSITIVE]);
	stats_add(stats, STATS_negative, n_class[VERDICT_NEGATIVE]);
	stats_add(stats, STATS_drop_not_a_number, n_class[VERDICT_NONE]);
}

float verdict_score(const struct verdict *verdict)
{
	float score;

	nn_output_scores(NN_SIGMOID, &verdict->logit, 1, &score);
	return score;
}
