/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "classify.h"
#include "ethertype.h"
#include "guard.h"
#include "packet_features.h"

/* A model of one layer whose logit is weight * byte13 + bias: 0x08'00 above it, 0x08'06 below. */
static struct model *model_of_byte13(uint32_t n_out)
{
	struct model *model = model_new();
	struct nn_layer *layer;

	assert_non_null(model);
	model->task = MODEL_TASK_PACKET;
	model->threshold = 0.5f;
	model->network.n_in = 14;
	model->network.n_layers = 1;
	layer = &model->network.layers[0];
	assert_int_equal(nn_layer_init(layer, 14, n_out, n_out == 2 ? NN_SOFTMAX : NN_SIGMOID), 0);
	layer->weights[(n_out - 1) * 14 + 13] = -1.0f;
	layer->bias[n_out - 1] = 3.0f;
	return model;
}

static struct packet_engine *engine_of(struct model *model)
{
	struct packet_engine *engine;
	char error[256];

	assert_int_equal(packet_engine_create(model, nn_kernel_find(NULL), &engine, error, sizeof(error)), 0);
	model_free(model);
	return engine;
}

static void assert_refused(struct model *model, const char *word)
{
	struct packet_engine *engine;
	char error[256];

	assert_true(packet_engine_create(model, nn_kernel_find(NULL), &engine, error, sizeof(error)) < 0);
	if (!strstr(error, word))
		fail_msg("'%s' does not say '%s'", error, word);
	model_free(model);
}

/* One classifier and its counters. */
struct bench {
	struct packet_engine *engine;
	struct stats_block *stats;
	struct classifier *classifier;
};

static struct bench bench_create(struct packet_engine *engine)
{
	struct bench bench = {.engine = engine, .stats = calloc(1, sizeof(*bench.stats))};

	assert_non_null(bench.stats);
	bench.classifier =
		classifier_create(&(struct classifier_options){.packet_engine = engine, .stats = bench.stats});
	assert_non_null(bench.classifier);
	return bench;
}

static void bench_free(struct bench *bench)
{
	classifier_free(bench->classifier);
	packet_engine_free(bench->engine);
	free(bench->stats);
}

static const uint8_t ipv4[16] = {0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0x08, 0x00, 0x45, 0};
static const uint8_t arp[16] = {0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0x08, 0x06, 0, 1};

static void every_packet_of_every_burst_is_counted_once(void **state)
{
	struct bench bench = bench_create(engine_of(model_of_byte13(1)));
	struct frame frames[CLASSIFY_MAX_BURST];
	struct verdict verdicts[CLASSIFY_MAX_BURST];
	uint64_t n_packets = 0, n_ip = 0;

	(void)state;
	for (uint32_t n = 0; n <= CLASSIFY_MAX_BURST; n++) {
		for (uint32_t i = 0; i < n; i++)
			frames[i] = (struct frame){i % 5 ? ipv4 : arp, 16, 100, 0, 0};
		classify_burst(bench.classifier, PACKET_LINK_ETHERNET, frames, n, verdicts);
		for (uint32_t i = 0; i < n; i++) {
			assert_int_equal(verdicts[i].class, i % 5 != 0);
			assert_int_equal(verdicts[i].ethertype, i % 5 ? 0x0800 : 0x0806);
			assert_true(verdicts[i].logit == (i % 5 ? 3.0f : -3.0f));
			n_ip += i % 5 != 0;
		}
		n_packets += n;
	}
	assert_int_equal(stats_get(bench.stats, STATS_packets), n_packets);
	assert_int_equal(stats_get(bench.stats, STATS_bytes), n_packets * 100);
	assert_int_equal(stats_get(bench.stats, STATS_positive), n_ip);
	assert_int_equal(stats_get(bench.stats, STATS_negative), n_packets - n_ip);
	assert_int_equal(bench.stats->ethertypes[0x0800], n_ip);
	assert_int_equal(stats_get(bench.stats, STATS_padded) + stats_get(bench.stats, STATS_untyped), 0);
	bench_free(&bench);
}

/* UDP from 10.0.0.1 to 10.0.0.2, from a port of the caller's. */
static const uint8_t udp_frame[42] = {0, 0, 0,	0, 0, 1,  0, 0, 0, 0,  0, 2, 8, 0, 0x45, 0, 0,	28, 0, 0, 0,
				      0, 9, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, 0,	 0, 53, 0,  8, 0, 0};

static void every_packet_is_of_one_flow_or_of_none(void **state)
{
	const struct flow_config config = {
		.n_flows = 1000, .idle_ns = 1000000000, .active_ns = 10000000000, .linger_ns = 1000000000};
	struct stats_block *stats = calloc(1, sizeof(*stats));
	const struct flow_engine_options engine = {.config = config, .records = FLOW_ENGINE_ALL, .stats = stats};
	struct classifier_options options = {.depth = PACKET_DEPTH_INNER, .stats = stats};
	uint8_t data[CLASSIFY_MAX_BURST][sizeof(udp_frame)];
	uint64_t n_flows = 0, n_flow_packets = 0, now_ns = 0;
	struct verdict verdicts[CLASSIFY_MAX_BURST];
	struct frame frames[CLASSIFY_MAX_BURST];
	const struct flow_record *records;
	struct classifier *classifier;
	uint32_t n_records;

	(void)state;
	assert_non_null(stats);
	assert_int_equal(flow_engine_create(&engine, &options.flow_engine), 0);
	classifier = classifier_create(&options);
	assert_non_null(classifier);
	/* Every burst begins later than flows may be idle, with flows of other ports and a frame without any. */
	for (uint32_t n = 1; n <= CLASSIFY_MAX_BURST; n++) {
		now_ns += 2000000000;
		for (uint32_t i = 0; i < n; i++) {
			memcpy(data[i], udp_frame, sizeof(udp_frame));
			data[i][35] = (uint8_t)(i / 2);
			frames[i] = (struct frame){data[i], sizeof(udp_frame), 60, now_ns, 0};
		}
		frames[n - 1] = (struct frame){arp, 16, 60, now_ns, 0};
		classify_burst(classifier, PACKET_LINK_ETHERNET, frames, n, verdicts);
		records = flow_engine_records(options.flow_engine, &n_records);
		for (uint32_t i = 0; i < n_records; i++)
			n_flow_packets += records[i].flow.side[FLOW_FORWARD].packets;
		n_flows += n_records;
	}
	assert_true(n_flows > CLASSIFY_MAX_BURST);
	while (flow_engine_drain(options.flow_engine, now_ns)) {
		records = flow_engine_records(options.flow_engine, &n_records);
		for (uint32_t i = 0; i < n_records; i++)
			n_flow_packets += records[i].flow.side[FLOW_FORWARD].packets;
		n_flows += n_records;
	}
	assert_int_equal(stats_flows(stats), n_flows);
	assert_int_equal(stats_get(stats, STATS_flow_packets), n_flow_packets);
	assert_int_equal(stats_get(stats, STATS_no_flow), CLASSIFY_MAX_BURST);
	assert_int_equal(stats_get(stats, STATS_packets), n_flow_packets + CLASSIFY_MAX_BURST);

	/* A lie is counted once, not again for a frame without IP that comes after it. */
	memcpy(data[0], udp_frame, sizeof(udp_frame));
	data[0][17] = 200;
	frames[0] = (struct frame){data[0], sizeof(udp_frame), sizeof(udp_frame), now_ns, 0};
	classify_burst(classifier, PACKET_LINK_ETHERNET, frames, 1, verdicts);
	frames[0].captured_bytes = 10;
	classify_burst(classifier, PACKET_LINK_ETHERNET, frames, 1, verdicts);
	assert_int_equal(stats_get(stats, STATS_length_lies), 1);
	classifier_free(classifier);
	flow_engine_free(options.flow_engine);
	free(stats);
}

static void two_outputs_decide_by_their_difference(void **state)
{
	struct bench bench = bench_create(engine_of(model_of_byte13(2)));
	struct frame frames[2] = {{ipv4, 16, 16, 0, 0}, {arp, 16, 16, 0, 0}};
	struct verdict verdicts[2];

	(void)state;
	classify_burst(bench.classifier, PACKET_LINK_ETHERNET, frames, 2, verdicts);
	assert_true(verdicts[0].logit == 3.0f && verdicts[0].class == VERDICT_POSITIVE);
	assert_true(verdicts[1].logit == -3.0f && verdicts[1].class == VERDICT_NEGATIVE);
	bench_free(&bench);
}

/* A type byte that is missing must not be made up by the padding: 08 and nothing is not 08 00. */
static void a_frame_without_a_whole_type_is_never_ip(void **state)
{
	struct bench bench = bench_create(engine_of(model_of_byte13(1)));
	struct guard guard = guard_create(16);
	struct verdict verdict;

	(void)state;
	for (uint32_t length = 0; length < 14; length++) {
		struct frame frame = {guard_place(&guard, ipv4, length), length, length, 0, 0};

		classify_burst(bench.classifier, PACKET_LINK_ETHERNET, &frame, 1, &verdict);
		assert_int_equal(verdict.class, VERDICT_NEGATIVE);
		assert_int_equal(verdict.ethertype, ETHERTYPE_NONE);
		assert_true(verdict_score(&verdict) < 1e-30f);
	}
	assert_int_equal(stats_get(bench.stats, STATS_untyped), 14);
	assert_int_equal(stats_get(bench.stats, STATS_negative), 14);
	assert_int_equal(stats_get(bench.stats, STATS_padded), 0);
	guard_free(&guard);
	bench_free(&bench);
}

static void a_short_frame_is_padded_with_zeros_and_counted(void **state)
{
	struct model *model = model_of_byte13(1);
	struct guard guard = guard_create(16);
	struct verdict verdict;
	struct bench bench;
	struct frame frame;

	(void)state;
	/* Two inputs more, of which the last one speaks loudly if it is not zero. */
	nn_network_free(&model->network);
	model->network.n_in = 16;
	model->network.n_layers = 1;
	assert_int_equal(nn_layer_init(&model->network.layers[0], 16, 1, NN_SIGMOID), 0);
	model->network.layers[0].weights[15] = 1000.0f;
	model->network.layers[0].bias[0] = -1.0f;
	bench = bench_create(engine_of(model));
	frame = (struct frame){guard_place(&guard, ipv4, 14), 14, 60, 0, 0};
	classify_burst(bench.classifier, PACKET_LINK_ETHERNET, &frame, 1, &verdict);
	assert_true(verdict.logit == -1.0f);
	assert_int_equal(stats_get(bench.stats, STATS_padded), 1);
	assert_int_equal(stats_get(bench.stats, STATS_untyped), 0);
	guard_free(&guard);
	bench_free(&bench);
}

/* 81 00, a tag and 08: the zeros of the padding would make it IPv4 in a tag. */
static void a_frame_cut_inside_an_inner_type_is_never_ip(void **state)
{
	static const uint8_t tagged[] = {0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0x81, 0, 0, 1, 0x08, 0x00};
	struct model *model = model_of_byte13(1);
	struct verdict verdict;
	struct bench bench;

	(void)state;
	nn_network_free(&model->network);
	model->network.n_in = 22;
	model->network.n_layers = 1;
	assert_int_equal(nn_layer_init(&model->network.layers[0], 22, 1, NN_SIGMOID), 0);
	model->network.layers[0].bias[0] = 1.0f;
	bench = bench_create(engine_of(model));
	for (uint32_t length = 14; length <= 18; length++) {
		struct frame frame = {tagged, length, 60, 0, 0};

		classify_burst(bench.classifier, PACKET_LINK_ETHERNET, &frame, 1, &verdict);
		assert_int_equal(verdict.class, length == 18 ? VERDICT_POSITIVE : VERDICT_NEGATIVE);
	}
	assert_int_equal(stats_get(bench.stats, STATS_untyped), 4);
	assert_int_equal(stats_get(bench.stats, STATS_parse_cut_vlan_tag), 4);
	assert_int_equal(stats_get(bench.stats, STATS_padded), 1);
	bench_free(&bench);
}

static void sums_that_overflow_drop_the_packet(void **state)
{
	struct model *model = model_of_byte13(1);
	struct frame frames[] = {{ipv4, 16, 60, 0, 0}, {arp, 16, 60, 0, 0}};
	struct verdict verdicts[2];
	struct bench bench;

	(void)state;
	/* Inf - inf wherever byte 13 is not zero. */
	nn_network_free(&model->network);
	model->network.n_in = 14;
	model->network.n_layers = 2;
	assert_int_equal(nn_layer_init(&model->network.layers[0], 14, 2, NN_IDENTITY), 0);
	assert_int_equal(nn_layer_init(&model->network.layers[1], 2, 1, NN_SIGMOID), 0);
	model->network.layers[0].weights[13] = 3e38f;
	model->network.layers[0].weights[14 + 13] = 3e38f;
	model->network.layers[1].weights[0] = 1.0f;
	model->network.layers[1].weights[1] = -1.0f;
	bench = bench_create(engine_of(model));
	classify_burst(bench.classifier, PACKET_LINK_ETHERNET, frames, 2, verdicts);
	assert_int_equal(verdicts[0].class, VERDICT_POSITIVE);
	assert_int_equal(verdicts[1].class, VERDICT_NONE);
	assert_int_equal(stats_get(bench.stats, STATS_packets), 2);
	assert_int_equal(stats_get(bench.stats, STATS_positive), 1);
	assert_int_equal(stats_get(bench.stats, STATS_negative), 0);
	assert_int_equal(stats_dropped(bench.stats), 1);
	bench_free(&bench);
}

static void without_a_model_the_parser_decides(void **state)
{
	static const uint8_t tagged[] = {0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0x81, 0, 0, 1, 0x86, 0xdd};
	struct frame frames[] = {
		{ipv4, 16, 16, 0, 0}, {arp, 16, 16, 0, 0}, {tagged, 18, 18, 0, 0}, {ipv4, 13, 13, 0, 0}};
	struct bench bench = bench_create(NULL);
	struct verdict verdicts[4];

	(void)state;
	classify_burst(bench.classifier, PACKET_LINK_ETHERNET, frames, 4, verdicts);
	assert_true(verdicts[0].class == VERDICT_POSITIVE && verdicts[1].class == VERDICT_NEGATIVE);
	assert_true(verdicts[2].class == VERDICT_POSITIVE && verdicts[3].class == VERDICT_NEGATIVE);
	assert_true(isnan(verdict_score(&verdicts[0])));
	assert_int_equal(stats_get(bench.stats, STATS_positive), 2);
	assert_int_equal(stats_get(bench.stats, STATS_negative), 2);
	bench_free(&bench);
}

static void the_threshold_is_met_on_logits(void **state)
{
	struct model *model = model_of_byte13(1);
	struct frame frame = {ipv4, 16, 16, 0, 0};
	struct verdict verdict;
	struct bench bench;

	(void)state;
	model->network.layers[0].bias[0] = 40.0f; /* the float sigmoid of which is 1 */
	model->threshold = 1.0f;
	bench = bench_create(engine_of(model));
	classify_burst(bench.classifier, PACKET_LINK_ETHERNET, &frame, 1, &verdict);
	assert_int_equal(verdict.class, VERDICT_NEGATIVE);
	bench_free(&bench);
}

static void models_for_something_else_are_refused(void **state)
{
	const char *features[14];
	struct model *model;

	(void)state;
	model = model_of_byte13(1);
	model->task = MODEL_TASK_FLOW;
	assert_refused(model, "flow model");

	model = model_of_byte13(3);
	model->network.layers[0].activation = NN_SOFTMAX;
	assert_refused(model, "3 classes");

	model = model_of_byte13(1);
	model->network.layers[0].activation = NN_TANH;
	assert_refused(model, "tanh");

	model = model_of_byte13(1);
	nn_network_free(&model->network);
	model->network.n_in = PACKET_FEATURES_MAX_BYTES + 1;
	model->network.n_layers = 1;
	assert_int_equal(nn_layer_init(&model->network.layers[0], model->network.n_in, 1, NN_SIGMOID), 0);
	assert_refused(model, "65 inputs");

	model = model_of_byte13(1);
	assert_int_equal(model_set_schema(model, "0123456789abcdef"), 0);
	assert_refused(model, "another version");

	model = model_of_byte13(1);
	for (int i = 0; i < 14; i++)
		features[i] = "duration";
	assert_int_equal(model_set_features(model, features, 14), 0);
	assert_refused(model, "duration");
}

/* How many rows are counted, and how many of them have the value in byte 13. */
static uint64_t rows_counted(const struct classifier_models *models, uint8_t byte13, uint64_t *n_with)
{
	const struct input_counts *counts = classifier_models_packet_counts(models);
	uint64_t n[2] = {0};

	for (uint32_t b = 0; b < INPUT_BINS_MAX; b++) {
		n[0] += counts->numbers[0][b];
		n[1] += counts->numbers[13][b];
	}
	assert_int_equal(n[0], n[1]);
	*n_with = counts->numbers[13][input_bins_find(&counts->bins[13], byte13)];
	return n[0];
}

static void rows_are_counted_where_their_models_were_made(void **state)
{
	struct bench bench = bench_create(engine_of(model_of_byte13(1)));
	struct classifier_models *models[2];
	struct input_bins bins[14];
	struct verdict verdicts[8];
	struct frame frames[8];
	uint64_t n_arp, n_rows[2];

	(void)state;
	for (int i = 0; i < 14; i++) {
		input_bins_init(&bins[i]);
		input_bins_add(&bins[i], 0, 0.5f);
	}
	for (int m = 0; m < 2; m++) {
		models[m] = classifier_models_create(bench.engine, NULL);
		assert_non_null(models[m]);
		assert_null(classifier_models_packet_counts(models[m]));
		assert_int_equal(classifier_models_count(models[m], bins, bins), 0);
		assert_null(classifier_models_flow_counts(models[m]));
	}
	/* A quarter of what comes is ARP, in its own place of each burst; and some bursts are empty. */
	for (uint32_t i = 0; i < 8; i++)
		frames[i] = (struct frame){i % 4 == 3 ? arp : ipv4, 16, 100, 0, 0};
	for (int m = 0; m < 2; m++) {
		classifier_set_models(bench.classifier, models[m]);
		for (uint32_t i = 0; i < 64000; i++)
			classify_burst(bench.classifier, PACKET_LINK_ETHERNET, frames, i % 100 ? 8 : 0, verdicts);
		n_rows[m] = rows_counted(models[m], 6, &n_arp);
		assert_in_range(n_rows[m], 1800, 2160);
		assert_in_range(n_arp, 400, 590);
	}
	/* The first have not grown since. */
	assert_int_equal(rows_counted(models[0], 6, &n_arp), n_rows[0]);
	/* Nothing is asked, so nothing is counted. */
	classifier_set_shedding(bench.classifier, true);
	for (uint32_t i = 0; i < 1000; i++)
		classify_burst(bench.classifier, PACKET_LINK_ETHERNET, frames, 8, verdicts);
	assert_int_equal(rows_counted(models[1], 6, &n_arp), n_rows[1]);
	bench_free(&bench);
	for (int m = 0; m < 2; m++)
		classifier_models_free(models[m]);
}

/* As many packets come one by one, all of them ARP, as come in full bursts of IPv4. */
static void rows_of_small_bursts_are_counted_no_more_often_than_those_of_full_ones(void **state)
{
	struct bench bench = bench_create(engine_of(model_of_byte13(1)));
	struct classifier_models *models = classifier_models_create(bench.engine, NULL);
	struct frame one = {arp, 16, 100, 0, 0}, full[CLASSIFY_MAX_BURST];
	struct verdict verdicts[CLASSIFY_MAX_BURST];
	struct input_bins bins[14];
	uint64_t n_rows, n_arp;

	(void)state;
	for (int i = 0; i < 14; i++) {
		input_bins_init(&bins[i]);
		input_bins_add(&bins[i], 0, 0.5f);
	}
	assert_non_null(models);
	assert_int_equal(classifier_models_count(models, bins, NULL), 0);
	classifier_set_models(bench.classifier, models);
	for (uint32_t i = 0; i < CLASSIFY_MAX_BURST; i++)
		full[i] = (struct frame){ipv4, 16, 100, 0, 0};
	for (uint32_t round = 0; round < 4000; round++) {
		classify_burst(bench.classifier, PACKET_LINK_ETHERNET, full, CLASSIFY_MAX_BURST, verdicts);
		for (uint32_t i = 0; i < CLASSIFY_MAX_BURST; i++)
			classify_burst(bench.classifier, PACKET_LINK_ETHERNET, &one, 1, verdicts);
	}
	n_rows = rows_counted(models, 6, &n_arp);
	assert_in_range(n_rows, 1800, 2200);
	assert_in_range(n_arp * 100 / n_rows, 44, 56);
	classifier_models_free(models);
	bench_free(&bench);
}

/* The model calls 08 with zeros behind it IP; the verdict, and so the record, does not. */
static void the_histogram_has_the_scores_of_verdicts_and_no_others(void **state)
{
	struct bench bench = bench_create(engine_of(model_of_byte13(1)));
	struct frame frames[] = {{ipv4, 13, 60, 0, 0}, {ipv4, 16, 60, 0, 0}, {arp, 16, 60, 0, 0}};
	uint64_t expected[STATS_SCORE_BUCKETS] = {0};
	struct verdict verdicts[3];

	(void)state;
	classify_burst(bench.classifier, PACKET_LINK_ETHERNET, frames, 3, verdicts);
	for (uint32_t i = 0; i < 3; i++)
		stats_count_score(expected, verdicts[i].logit);
	assert_int_equal(expected[0], 1);
	assert_memory_equal(bench.stats->packet_scores, expected, sizeof(expected));
	bench_free(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_packet_of_every_burst_is_counted_once),
		cmocka_unit_test(every_packet_is_of_one_flow_or_of_none),
		cmocka_unit_test(two_outputs_decide_by_their_difference),
		cmocka_unit_test(a_frame_without_a_whole_type_is_never_ip),
		cmocka_unit_test(a_short_frame_is_padded_with_zeros_and_counted),
		cmocka_unit_test(a_frame_cut_inside_an_inner_type_is_never_ip),
		cmocka_unit_test(sums_that_overflow_drop_the_packet),
		cmocka_unit_test(without_a_model_the_parser_decides),
		cmocka_unit_test(the_threshold_is_met_on_logits),
		cmocka_unit_test(models_for_something_else_are_refused),
		cmocka_unit_test(rows_are_counted_where_their_models_were_made),
		cmocka_unit_test(rows_of_small_bursts_are_counted_no_more_often_than_those_of_full_ones),
		cmocka_unit_test(the_histogram_has_the_scores_of_verdicts_and_no_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
