/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The whole way of a burst: arbitrary frames, at times that jump and go back, with lengths that lie, through parser,
 * flow table, context, a model's verdicts, records, features and their texts. Input: a setup, a link type, then frames, each behind three bytes:
 * the step in time (and whether a new burst begins), by how much the frame was longer on the wire, and its length.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "classify.h"
#include "flow_features.h"
#include "flow_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define YEAR_NS (365 * 86400 * (int64_t)1000000000)

/* Steps in time, by the low four bits of a frame's first byte. The last one is: no time at all. */
static const int64_t steps_ns[16] = {
	0,	     1,		  1000,		 1000000, 500000000,   999999999,    1000000001,   5000000001,
	59999999999, 60000000001, 1800000000000, -1,	  -1000000000, -70000000000, 10 * YEAR_NS, 0,
};

/* A worker's engines, and what they need to be looked at. */
struct setup {
	struct flow_config config;
	enum packet_depth depth;
	bool has_model;
	uint32_t n_workers; /* that the context is scaled by */
	struct flow_engine *engine;
	struct classifier *classifier;
	struct stats_block *stats;
};

static struct flow_feature_set *features;

static void check(int condition)
{
	if (!condition)
		abort();
}

/* Three classes of all that the context tells, asked for at some packets and at ends. */
static struct flow_model *small_model(void)
{
	static const char *const inputs[] = {
		"initiator_flows_1s",
		"initiator_flows_10s",
		"initiator_flows_60s",
		"initiator_responders",
		"initiator_ports",
		"initiator_refused",
		"initiator_productive",
		"initiator_short_closed",
		"pair_open",
		"pair_duration_log",
		"responder_initiators",
		"responder_unanswered",
		"service_flows_10s",
		"packets",
	};
	static const uint32_t checkpoints[] = {1, 2, 64, 0};
	const uint32_t n = sizeof(inputs) / sizeof(inputs[0]);
	struct model *model = model_new();
	struct nn_layer *layer;
	struct flow_model *made;
	char error[256];

	check(model != NULL);
	model->task = MODEL_TASK_FLOW;
	model->threshold = 0.5f;
	model->network.n_in = n;
	model->network.n_layers = 1;
	layer = &model->network.layers[0];
	check(!nn_layer_init(layer, n, 3, NN_SOFTMAX));
	for (uint32_t i = 0; i < 3 * n; i++)
		layer->weights[i] = (float)(i * 7 % 11) / 11 - 0.5f;
	check(!model_set_features(model, inputs, n));
	model->n_checkpoints = sizeof(checkpoints) / sizeof(checkpoints[0]);
	model->checkpoints = malloc(sizeof(checkpoints));
	check(model->checkpoints != NULL);
	memcpy(model->checkpoints, checkpoints, sizeof(checkpoints));
	check(!flow_model_create(model, nn_kernel_find(NULL), &made, error, sizeof(error)));
	model_free(model);
	return made;
}

static void setup_create(struct setup *setup)
{
	struct classifier_options options = {.depth = setup->depth};

	setup->stats = calloc(1, sizeof(*setup->stats));
	check(setup->stats != NULL);
	check(!flow_engine_create(
		&(struct flow_engine_options){
			.config = setup->config,
			.model = setup->has_model ? small_model() : NULL,
			.context = {.n_hosts = 64, .n_pairs = 64, .n_workers = setup->n_workers},
			.records = FLOW_ENGINE_ALL,
			.stats = setup->stats},
		&setup->engine));
	options.flow_engine = setup->engine;
	options.stats = setup->stats;
	setup->classifier = classifier_create(&options);
	check(setup->classifier != NULL);
}

/* The setups that an input chooses from: small tables, so that they are often full. */
static struct setup *setups_create(size_t *n)
{
	static struct setup setups[] = {
		{.config = {.n_flows = 64,
			    .idle_ns = 60000000000,
			    .active_ns = 1800000000000,
			    .linger_ns = 1000000000},
		 .depth = PACKET_DEPTH_INNER,
		 .has_model = true,
		 .n_workers = 1},
		{.config = {.n_flows = 1000,
			    .idle_ns = 1000,
			    .active_ns = 5000,
			    .linger_ns = 0,
			    .is_one_way = true,
			    .scope = FLOW_SCOPE_NONE},
		 .depth = PACKET_DEPTH_OUTER,
		 .n_workers = 1},
		{.config = {.n_flows = 64,
			    .idle_ns = FLOW_GAP_MAX_NS,
			    .active_ns = FLOW_GAP_MAX_NS,
			    .linger_ns = FLOW_GAP_MAX_NS,
			    .checkpoints = UINT64_MAX},
		 .depth = PACKET_DEPTH_INNER,
		 .n_workers = 4},
		{.config = {.n_flows = 1000,
			    .idle_ns = 60000000000,
			    .active_ns = 5000000000,
			    .linger_ns = 1000000000},
		 .depth = PACKET_DEPTH_INNER,
		 .has_model = true,
		 .n_workers = 4},
	};
	char error[256];

	check(!flow_feature_set_create("all", &features, error, sizeof(error)));
	*n = sizeof(setups) / sizeof(setups[0]);
	for (size_t i = 0; i < *n; i++) {
		/* Everything, but for one setup that keeps as little as can be. */
		if (i != 1)
			setups[i].config.layout = features->layout;
		setup_create(&setups[i]);
	}
	return setups;
}

/* Shares are 0 to 1, counts are numbers that are not negative. */
static void check_context(const struct flow_context *context)
{
	const float shares[] = {context->initiator_unanswered, context->initiator_refused,
				context->initiator_productive, context->initiator_short_closed,
				context->pair_productive,      context->responder_unanswered};

	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++)
		check(shares[i] >= 0 && shares[i] <= 1);
	check(context->initiator_responders >= 0 && context->initiator_responders < 711);
	check(context->pair_open >= 0 && context->responder_open >= 0);
	check(isfinite(context->initiator_flows[0]) && isfinite(context->pair_duration_log));
}

/* One record's texts and features. Returns the packets of its slice; 0 where it goes on. */
static uint64_t check_record(const struct setup *setup, const struct flow_record *record)
{
	const struct flow_layout *layout = &setup->config.layout;
	struct flow_record_format format = {.layout = *layout};
	struct flow_row_format row_format = {.layout = *layout, .features = features, .has_label = 1};
	struct flow_view view = flow_record_view(record, layout);
	size_t room = flow_record_ndjson_room(&format);
	double *values = malloc(features->n * sizeof(*values));
	char *text = malloc(room);

	check(values && text);
	check(record->flow.last_ns >= record->flow.start_ns);
	check(setup->has_model ? record->class < 3 && !isinf(record->logit)
			       : !record->class && isnan(record->logit));
	check(flow_record_ndjson(record, &format, text) <= room);
	if (layout->has_context)
		check_context(view.context);
	if (layout->has_history) {
		room = flow_record_joy_room(&format);
		text = realloc(text, room);
		check(text && flow_record_joy(record, &format, text) <= room);
		room = flow_row_room(&row_format, 5);
		text = realloc(text, room);
		check(text && flow_row_csv(record, &row_format, "label", values, text) <= room);
		check(flow_row_ndjson(record, &row_format, "label", values, text) <= room);
		flow_feature_set_row(features, &view, values);
		for (uint32_t i = 0; i < features->n; i++)
			check(isfinite(values[i]));
	}
	free(values);
	free(text);
	return record->reason == FLOW_REASON_CHECKPOINT
		       ? 0
		       : (uint64_t)record->flow.side[0].packets + record->flow.side[1].packets;
}

/* The records of the last call; returns the packets that they have counted. */
static uint64_t check_records(const struct setup *setup)
{
	uint32_t n;
	const uint8_t *at = flow_engine_records(setup->engine, &n);
	uint64_t n_packets = 0;

	for (; n; n--) {
		n_packets += check_record(setup, (const struct flow_record *)(const void *)at);
		at += flow_record_bytes(&setup->config.layout);
	}
	return n_packets;
}

/* Reads one frame; its data are the caller's to free. */
static struct frame read_frame(const uint8_t **data, size_t *size, uint64_t *now_ns, uint8_t *step)
{
	struct frame frame = {0};
	uint32_t lie;
	size_t length;
	uint8_t *copy;

	*step = (*data)[0];
	lie = (*data)[1];
	length = (*data)[2];
	*data += 3;
	*size -= 3;
	if (length > *size)
		length = *size;
	copy = malloc(length ? length : 1);
	check(copy != NULL);
	memcpy(copy, *data, length);
	*data += length;
	*size -= length;
	*now_ns += (uint64_t)steps_ns[*step & 15];
	frame.data = copy;
	frame.captured_bytes = (uint32_t)length;
	frame.wire_bytes = (uint32_t)length + (lie < 128 ? 0 : lie < 250 ? lie : 0xffffff00u - (uint32_t)length);
	frame.timestamp_ns = (*step & 15) == 15 ? FRAME_NO_TIME : *now_ns;
	return frame;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct setup *setups;
	static size_t n_setups;
	struct verdict verdicts[CLASSIFY_MAX_BURST];
	struct frame frames[CLASSIFY_MAX_BURST];
	uint64_t now_ns = 1600000000000000000u, n_packets = 0, n_counted = 0;
	const struct setup *setup;
	enum packet_link link;
	uint32_t n = 0;

	if (!setups)
		setups = setups_create(&n_setups);
	if (size < 2)
		return 0;
	setup = &setups[data[0] % n_setups];
	link = (enum packet_link)(data[1] % (PACKET_LINK_PPP + 1));
	data += 2;
	size -= 2;
	memset(setup->stats->counters, 0, sizeof(setup->stats->counters));
	flow_engine_clear_counts(setup->engine);
	while (size >= 3 || n) {
		uint8_t step = 0;

		if (size >= 3)
			frames[n++] = read_frame(&data, &size, &now_ns, &step);
		if (n < CLASSIFY_MAX_BURST && size >= 3 && !(step & 0x80))
			continue;
		classify_burst(setup->classifier, link, frames, n, verdicts);
		n_packets += n;
		n_counted += check_records(setup);
		while (n)
			free((uint8_t *)(uintptr_t)frames[--n].data);
	}
	while (flow_engine_drain(setup->engine, now_ns))
		n_counted += check_records(setup);
	check(stats_get(setup->stats, STATS_packets) == n_packets);
	check(stats_get(setup->stats, STATS_flow_packets) == n_counted);
	check(n_counted + stats_get(setup->stats, STATS_no_flow) == n_packets);
	return 0;
}
