/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The flow engine with a model: when flows are asked for, what their verdict is, and that neither bursts nor what
 * happens to a flow's place in the table change it.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flow_engine.h"
#include "flow_judge.h"
#include "flow_packets.h"

#define N_IN(array) (sizeof(array) / sizeof((array)[0]))
#define MAX_ENDED   4096

/* A linear model: logits are weights * features + bias. */
static struct model *model_of(const char *const *features, uint32_t n_in, const float *weights, const float *bias,
			      uint32_t n_out)
{
	struct model *model = model_new();
	struct nn_layer *layer;

	assert_non_null(model);
	model->task = MODEL_TASK_FLOW;
	model->threshold = 0.5f;
	model->network.n_in = n_in;
	model->network.n_layers = 1;
	layer = &model->network.layers[0];
	assert_int_equal(nn_layer_init(layer, n_in, n_out, n_out > 1 ? NN_SOFTMAX : NN_SIGMOID), 0);
	memcpy(layer->weights, weights, n_in * n_out * sizeof(*weights));
	memcpy(layer->bias, bias, n_out * sizeof(*bias));
	assert_int_equal(model_set_features(model, features, n_in), 0);
	return model;
}

static void model_ask_at(struct model *model, const uint32_t *checkpoints, uint32_t n)
{
	model->n_checkpoints = n;
	model->checkpoints = malloc(n * sizeof(*checkpoints));
	assert_non_null(model->checkpoints);
	memcpy(model->checkpoints, checkpoints, n * sizeof(*checkpoints));
}

static struct flow_model *flow_model_of(struct model *model)
{
	struct flow_model *made;
	char error[256];

	if (flow_model_create(model, nn_kernel_find(NULL), &made, error, sizeof(error)))
		fail_msg("%s", error);
	model_free(model);
	return made;
}

/* An engine, and the ends that it told of. */
struct bench {
	struct flow_model *model;
	struct stats_block *stats;
	struct flow_engine_options options;
	struct flow_engine *engine;
	uint32_t n;
	struct flow_record ended[MAX_ENDED];
};

static struct bench *bench_create(struct flow_model *model, uint32_t n_flows)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	assert_non_null(bench);
	bench->model = model;
	bench->stats = calloc(1, sizeof(*bench->stats));
	assert_non_null(bench->stats);
	bench->options = (struct flow_engine_options){
		.config = {.n_flows = n_flows,
			   .idle_ns = 60 * SECOND_NS,
			   .active_ns = 300 * SECOND_NS,
			   .linger_ns = SECOND_NS,
			   .late_ns = SECOND_NS},
		.model = model,
		.context = {.n_hosts = 4096, .n_pairs = 4096, .n_workers = 1},
		.records = FLOW_ENGINE_ALL,
		.has_verdicts = true,
		.stats = bench->stats,
	};
	assert_int_equal(flow_engine_create(&bench->options, &bench->engine), 0);
	return bench;
}

static void bench_take(struct bench *bench)
{
	uint32_t n;
	const struct flow_record *records = flow_engine_records(bench->engine, &n);

	assert_true(bench->n + n <= MAX_ENDED);
	memcpy(&bench->ended[bench->n], records, n * sizeof(*records));
	bench->n += n;
}

static void bench_feed(struct bench *bench, const struct flow_packets *row, uint32_t burst)
{
	for (uint32_t at = 0, n; at < row->n; at += n) {
		n = row->n - at < burst ? row->n - at : burst;
		flow_engine_burst(bench->engine, row->frames + at, row->packets + at, n);
		bench_take(bench);
	}
}

static void bench_drain(struct bench *bench)
{
	while (flow_engine_drain(bench->engine, UINT64_MAX))
		bench_take(bench);
}

static void bench_free(struct bench *bench)
{
	flow_engine_free(bench->engine);
	flow_model_free(bench->model);
	free(bench->stats);
	free(bench);
}

/* A TCP packet from host to host. */
static struct flow_spec packet_of(uint64_t ns, uint32_t from, uint32_t to, uint16_t from_port, uint16_t to_port,
				  uint8_t flags)
{
	return (struct flow_spec){.time_ns = ns,
				  .source = 0x0a000000 + from,
				  .destination = 0x0a000000 + to,
				  .source_port = from_port,
				  .destination_port = to_port,
				  .protocol = PACKET_PROTOCOL_TCP,
				  .transport_bytes = 20,
				  .tcp_flags = flags};
}

/* A bench that was fed these packets to their end. */
static struct bench *bench_run(struct flow_model *model, const struct flow_spec *specs, uint32_t n, uint32_t burst)
{
	struct bench *bench = bench_create(model, 4096);
	struct flow_packets row = flow_packets_of(specs, n);

	bench_feed(bench, &row, burst);
	bench_drain(bench);
	flow_packets_free(&row);
	return bench;
}

static void a_flow_keeps_its_highest_logit_and_when_its_class_was_known(void **state)
{
	/* Rises by 2 a packet, falls by 100 once there is a FIN. */
	static const char *const features[] = {"packets", "fin_packets"};
	static const uint32_t checkpoints[] = {1, 2, 4, 8, 0};
	struct model *model = model_of(features, 2, (float[]){2, -100}, (float[]){-7}, 1);
	struct flow_spec specs[9];
	struct bench *bench;

	(void)state;
	model_ask_at(model, checkpoints, N_IN(checkpoints));
	for (uint32_t i = 0; i < N_IN(specs); i++)
		specs[i] = packet_of((1 + i) * 1000, 1, 2, 1000, 80, i == 8 ? PACKET_TCP_FIN : PACKET_TCP_ACK);
	bench = bench_run(flow_model_of(model), specs, N_IN(specs), 4);
	assert_int_equal(bench->n, 1);
	assert_int_equal(bench->ended[0].class, 1);
	assert_true(bench->ended[0].logit == 9.0f);
	assert_int_equal(bench->ended[0].verdict_packet, 4);
	assert_false(bench->ended[0].is_verdict_of_end);
	assert_int_equal(bench->stats->flow_verdicts.classes[1], 1);
	assert_int_equal(bench->stats->flow_verdicts.at_packets[4], 1);
	bench_free(bench);
}

static void a_flow_without_checkpoints_is_judged_at_its_end(void **state)
{
	static const char *const features[] = {"packets"};
	struct flow_spec specs[6];
	struct bench *bench;

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		specs[i] = packet_of((1 + i) * 1000, 1, 2, 1000, 80, PACKET_TCP_ACK);
	for (uint32_t i = 3; i < 6; i++)
		specs[i] = packet_of((1 + i) * 1000, 1, 2, (uint16_t)(1000 + i), 80, PACKET_TCP_ACK);
	bench = bench_run(flow_model_of(model_of(features, 1, (float[]){1}, (float[]){-2.5f}, 1)), specs, 6, 64);
	assert_int_equal(bench->n, 4);
	assert_int_equal(bench->stats->flow_verdicts.classes[0], 3);
	assert_int_equal(bench->stats->flow_verdicts.classes[1], 1);
	assert_int_equal(bench->stats->flow_verdicts.at_packets[0], 1);
	for (uint32_t i = 0; i < bench->n; i++) {
		assert_int_equal(bench->ended[i].verdict_packet, bench->ended[i].flow.side[0].packets);
		assert_int_equal(bench->ended[i].class, bench->ended[i].flow.side[0].packets == 3);
		assert_true(bench->ended[i].is_verdict_of_end);
	}
	bench_free(bench);
}

static void the_likeliest_of_the_other_classes_is_said(void **state)
{
	static const char *const features[] = {"packets"};
	/* Outputs 0, packets - 2.5 and 2 packets - 6: class 1 from 3 packets, class 2 from 4. */
	struct model *model = model_of(features, 1, (float[]){0, 1, 2}, (float[]){0, -2.5f, -6}, 3);
	struct flow_spec specs[16];
	struct bench *bench;
	uint32_t n = 0;

	(void)state;
	for (uint32_t flow = 1; flow <= 5; flow++)
		for (uint32_t i = 0; i < flow; i++)
			specs[n] = packet_of(1000 + n, 1, 2, (uint16_t)flow, 80, PACKET_TCP_ACK), n++;
	bench = bench_run(flow_model_of(model), specs, n, 64);
	assert_int_equal(bench->n, 5);
	for (uint32_t i = 0; i < bench->n; i++) {
		uint32_t packets = bench->ended[i].flow.side[0].packets;
		double one = packets - 2.5, two = 2.0 * packets - 6;

		assert_int_equal(bench->ended[i].class, packets < 3 ? 0 : packets < 4 ? 1 : 2);
		assert_true(fabs((double)bench->ended[i].logit - log(exp(one) + exp(two))) < 1e-5);
	}
	bench_free(bench);
}

/* The first flow of a burst sees one flow, the last all of them: as if they had come one by one. */
static void context_is_that_of_the_packet_whatever_the_burst(void **state)
{
	static const char *const features[] = {"initiator_flows_60s"};
	static const uint32_t checkpoints[] = {1};
	static const uint32_t bursts[] = {1, 7, 64};
	struct flow_spec specs[200];

	(void)state;
	for (uint32_t i = 0; i < N_IN(specs); i++)
		specs[i] = packet_of(1000 + i, 1, 2 + i, 1000, 80, PACKET_TCP_SYN);
	for (uint32_t b = 0; b < N_IN(bursts); b++) {
		struct model *model = model_of(features, 1, (float[]){1}, (float[]){-100.5f}, 1);
		struct bench *bench;

		model_ask_at(model, checkpoints, 1);
		bench = bench_run(flow_model_of(model), specs, N_IN(specs), bursts[b]);
		assert_int_equal(bench->stats->flow_verdicts.classes[1], 100);
		assert_int_equal(bench->stats->flow_verdicts.classes[0], 100);
		assert_int_equal(bench->stats->flow_verdicts.at_packets[1], 100);
		bench_free(bench);
	}
}

/* In a full table flows take each other's places within a burst: no verdict goes to another's flow. */
static void verdicts_do_not_go_with_a_place(void **state)
{
	static const char *const features[] = {"fwd_bytes"};
	static const uint32_t checkpoints[] = {1};
	struct model *model = model_of(features, 1, (float[]){1}, (float[]){-60}, 1);
	struct bench *bench;
	struct flow_packets row = flow_packets_create(2000);

	(void)state;
	model_ask_at(model, checkpoints, 1);
	bench = bench_create(flow_model_of(model), FLOW_MIN_FLOWS);
	for (uint32_t i = 0; i < row.n; i++) {
		struct flow_spec spec = packet_of(1000 + i, 1 + i, 2, 1000, 80, PACKET_TCP_SYN);

		spec.payload_bytes = i % 3 == 0 ? 100 : 0;
		flow_packets_set(&row, i, &spec);
	}
	bench_feed(bench, &row, 64);
	bench_drain(bench);
	flow_packets_free(&row);
	assert_int_equal(bench->n, 2000);
	for (uint32_t i = 0; i < bench->n; i++) {
		assert_int_equal(bench->ended[i].class, bench->ended[i].flow.side[0].payload_bytes > 0);
		assert_true(bench->ended[i].logit == (float)bench->ended[i].flow.side[0].bytes - 60);
	}
	bench_free(bench);
}

/* A flow that was found to be an attack stays one when it goes on as another slice. */
static void slices_go_on_with_the_verdict(void **state)
{
	static const char *const features[] = {"packets"};
	static const uint32_t checkpoints[] = {2};
	struct model *model = model_of(features, 1, (float[]){1}, (float[]){-1.5f}, 1);
	struct flow_spec specs[12];
	struct bench *bench;

	(void)state;
	model_ask_at(model, checkpoints, 1);
	/* 40 s apart: the active timeout cuts after 300 s. */
	for (uint32_t i = 0; i < N_IN(specs); i++)
		specs[i] = packet_of(1000 + 40 * i * SECOND_NS, 1, 2, 1000, 80, PACKET_TCP_ACK);
	bench = bench_run(flow_model_of(model), specs, N_IN(specs), 1);
	assert_int_equal(bench->n, 2);
	assert_int_equal(bench->ended[0].reason, FLOW_REASON_ACTIVE);
	assert_int_equal(bench->ended[0].class, 1);
	assert_int_equal(bench->ended[1].class, 1);
	bench_free(bench);
}

static void flows_that_were_never_asked_for_are_not_scored(void **state)
{
	static const char *const features[] = {"packets"};
	static const uint32_t checkpoints[] = {2};
	struct model *model = model_of(features, 1, (float[]){1}, (float[]){0}, 1);
	struct flow_spec specs[] = {packet_of(1000, 1, 2, 1000, 80, PACKET_TCP_SYN)};
	struct bench *bench;

	(void)state;
	model_ask_at(model, checkpoints, 1);
	bench = bench_run(flow_model_of(model), specs, 1, 1);
	assert_int_equal(bench->n, 1);
	assert_true(isnan(bench->ended[0].logit));
	assert_int_equal(bench->stats->flow_verdicts.unscored, 1);
	bench_free(bench);
}

static void attacks_alone_become_records_where_that_is_asked(void **state)
{
	static const char *const features[] = {"fwd_syn_packets"};
	struct model *model = model_of(features, 1, (float[]){1}, (float[]){-0.5f}, 1);
	struct flow_spec specs[] = {packet_of(1000, 1, 2, 1000, 80, PACKET_TCP_SYN),
				    packet_of(1001, 1, 2, 1001, 80, PACKET_TCP_ACK)};
	struct bench *bench = bench_create(flow_model_of(model), 64);
	struct flow_packets row = flow_packets_of(specs, 2);

	(void)state;
	flow_engine_free(bench->engine);
	bench->options.records = FLOW_ENGINE_ATTACKS;
	assert_int_equal(flow_engine_create(&bench->options, &bench->engine), 0);
	bench_feed(bench, &row, 2);
	bench_drain(bench);
	flow_packets_free(&row);
	assert_int_equal(bench->n, 1);
	assert_int_equal(bench->ended[0].flow.side[0].tcp_flags, PACKET_TCP_SYN);
	assert_int_equal(bench->stats->flow_verdicts.classes[0], 1);
	bench_free(bench);
}

static void packets_of_another_time_begin_without_context(void **state)
{
	static const char *const features[] = {"initiator_flows_60s"};
	struct bench *bench =
		bench_create(flow_model_of(model_of(features, 1, (float[]){1}, (float[]){0}, 1)), 4096);
	struct flow_spec specs[] = {packet_of(1000, 1, 2, 1000, 80, PACKET_TCP_SYN)};
	struct flow_packets row = flow_packets_of(specs, 1);

	(void)state;
	for (uint32_t round = 0; round < 2; round++) {
		bench_feed(bench, &row, 1);
		bench_drain(bench);
		assert_int_equal(bench->n, round + 1);
		assert_true(bench->ended[round].logit == 1.0f);
	}
	flow_packets_free(&row);
	bench_free(bench);
}

static void assert_refused(struct model *model, const char *words)
{
	struct flow_model *made;
	char error[256];

	assert_true(flow_model_create(model, nn_kernel_find(NULL), &made, error, sizeof(error)) < 0);
	if (!strstr(error, words))
		fail_msg("'%s' does not say '%s'", error, words);
	model_free(model);
}

static void memory_grows_with_what_is_kept_of_flows(void **state)
{
	static const char *const features[] = {"packets", "initiator_flows_10s"};
	struct bench *bench =
		bench_create(flow_model_of(model_of(features, 2, (float[]){1, 1}, (float[]){0}, 1)), 64);
	struct flow_engine_options options = bench->options;
	size_t with_model = flow_engine_bytes(&options), of_context = flow_contexts_bytes(&options.context);
	size_t without_model;

	(void)state;
	/* It may be touched between bursts too. */
	flow_engine_touch(bench->engine);
	bench_drain(bench);
	flow_engine_touch(bench->engine);
	options.model = NULL;
	assert_true(with_model > flow_engine_bytes(&options) + of_context);
	options.config.n_flows = FLOW_MAX_FLOWS;
	without_model = flow_engine_bytes(&options);
	assert_true(without_model > FLOW_MAX_FLOWS * sizeof(struct flow));
	options.model = bench->model;
	assert_true(flow_engine_bytes(&options) > without_model + FLOW_MAX_FLOWS * sizeof(struct flow_verdict));
	bench_free(bench);
}

static void models_that_cannot_score_flows_are_refused(void **state)
{
	static const char *const packets[] = {"packets"}, *const unknown[] = {"nonsense"},
				 *const preset[] = {"cic"}, *const twice[] = {"packets", "packets"};
	const float weights[2] = {1, 1}, bias[1] = {0};
	struct model *model = model_of(packets, 1, weights, bias, 1);

	(void)state;
	model->task = MODEL_TASK_PACKET;
	assert_refused(model, "packet model");
	assert_refused(model_of(unknown, 1, weights, bias, 1), "no feature or preset 'nonsense'");
	assert_refused(model_of(preset, 1, weights, bias, 1), "preset");
	assert_refused(model_of(twice, 2, weights, bias, 1), "twice");
	model = model_of(packets, 1, weights, bias, 1);
	assert_int_equal(model_set_schema(model, "0123456789abcdef"), 0);
	assert_refused(model, "another version");
	model = model_of(packets, 1, weights, bias, 1);
	model_ask_at(model, (uint32_t[]){8, 65, 0}, 3);
	assert_refused(model, "at packet 65");
	model = model_of(packets, 1, weights, bias, 1);
	model->network.layers[0].activation = NN_TANH;
	assert_refused(model, "ends in");
}

/* Feeds packets in bursts, and notes the class that each one's flow had then: 9 where it was not known. */
static void classes_of(struct bench *bench, const struct flow_packets *row, uint32_t burst, uint8_t *classes)
{
	for (uint32_t at = 0, n; at < row->n; at += n) {
		n = row->n - at < burst ? row->n - at : burst;
		flow_engine_burst(bench->engine, row->frames + at, row->packets + at, n);
		bench_take(bench);
		for (uint32_t i = 0; i < n; i++) {
			const struct flow_verdict *verdict = flow_engine_verdict(bench->engine, i);

			assert_non_null(verdict);
			classes[at + i] = isnan(verdict->logit) ? 9 : verdict->class;
		}
	}
}

/*
 * A model that calls flows an attack from their second checkpoint on, and a flow of six packets, of which the last
 * may be so late that it is another flow's.
 */
static struct bench *bench_of_six(struct flow_packets *row, bool is_last_late)
{
	static const char *const features[] = {"packets"};
	static const uint32_t checkpoints[] = {2, 4};
	struct model *model = model_of(features, 1, (float[]){1}, (float[]){-3.5f}, 1);
	struct flow_spec specs[6];

	model_ask_at(model, checkpoints, N_IN(checkpoints));
	for (uint32_t i = 0; i < N_IN(specs); i++)
		specs[i] = packet_of((1 + i) * 1000, 1, 2, 1000, 80, PACKET_TCP_ACK);
	specs[N_IN(specs) - 1].time_ns += is_last_late ? 61 * SECOND_NS : 0;
	*row = flow_packets_of(specs, N_IN(specs));
	return bench_create(flow_model_of(model), 64);
}

static void a_verdict_holds_from_the_packet_on_by_which_it_is_known(void **state)
{
	static const uint8_t expected[] = {9, 0, 0, 1, 1, 1};
	struct flow_packets row;
	struct bench *bench = bench_of_six(&row, false);
	uint8_t classes[6];

	(void)state;
	classes_of(bench, &row, 1, classes);
	assert_memory_equal(classes, expected, sizeof(expected));
	row.packets[0].ip_version = 0;
	flow_engine_burst(bench->engine, row.frames, row.packets, 1);
	assert_null(flow_engine_verdict(bench->engine, 0));
	flow_packets_free(&row);
	bench_free(bench);
}

static void a_verdict_does_not_hold_for_packets_before_it_in_its_burst(void **state)
{
	static const uint8_t expected[][6] = {{9, 0, 0, 1, 1, 1}, {9, 0, 0, 1, 1, 9}};

	(void)state;
	for (uint32_t late = 0; late < N_IN(expected); late++)
		for (uint32_t burst = 1; burst <= 6; burst++) {
			struct flow_packets row;
			struct bench *bench = bench_of_six(&row, late);
			uint8_t classes[6];

			classes_of(bench, &row, burst, classes);
			assert_memory_equal(classes, expected[late], sizeof(expected[late]));
			flow_packets_free(&row);
			bench_free(bench);
		}
}

static void overload_sheds_the_model_and_counts_it(void **state)
{
	static const uint8_t expected[] = {9, 9, 9, 9, 9, 9};
	struct flow_packets row;
	struct bench *bench = bench_of_six(&row, false);
	uint8_t classes[6];

	(void)state;
	flow_engine_set_shedding(bench->engine, true);
	classes_of(bench, &row, 1, classes);
	assert_memory_equal(classes, expected, sizeof(expected));
	assert_int_equal(stats_get(bench->stats, STATS_shed_flows), 2);
	assert_int_equal(stats_get(bench->stats, STATS_flow_packets), 6);
	flow_packets_free(&row);
	bench_free(bench);
}

static void flows_that_overload_left_unscored_are_scored_with_their_next_packet(void **state)
{
	/* In a burst of two it is the second that is judged by what is made up for. */
	static const uint8_t expected[][6] = {{9, 9, 9, 9, 1, 1}, {9, 9, 9, 9, 9, 1}};

	(void)state;
	for (uint32_t burst = 1; burst <= 2; burst++) {
		struct flow_packets row, first, rest;
		struct bench *bench = bench_of_six(&row, false);
		uint8_t classes[6];

		first = rest = row;
		first.n = 4;
		rest.n = 2;
		rest.frames += 4;
		rest.packets += 4;
		flow_engine_set_shedding(bench->engine, true);
		classes_of(bench, &first, burst, classes);
		flow_engine_set_shedding(bench->engine, false);
		classes_of(bench, &rest, burst, classes + 4);
		assert_memory_equal(classes, expected[burst - 1], sizeof(classes));
		assert_int_equal(stats_get(bench->stats, STATS_shed_flows), 2);
		bench_drain(bench);
		assert_int_equal(bench->n, 1);
		assert_int_equal(bench->ended[0].class, 1);
		assert_in_range(bench->ended[0].verdict_packet, 5, 6);
		flow_packets_free(&row);
		bench_free(bench);
	}
}

static void another_model_is_asked_from_the_next_burst_on_and_verdicts_stay(void **state)
{
	static const char *const features[] = {"packets"};
	static const uint32_t checkpoints[] = {6, 0};
	static const uint8_t expected[] = {9, 0, 0, 1, 1, 1};
	struct model *later = model_of(features, 1, (float[]){1}, (float[]){0}, 1);
	struct flow_model *model;
	struct flow_asker *asker;
	struct flow_packets row;
	struct bench *bench = bench_of_six(&row, false);
	struct flow_packets rest;
	uint8_t classes[6];

	(void)state;
	model_ask_at(later, checkpoints, N_IN(checkpoints));
	model = flow_model_of(later);
	asker = flow_asker_create(model);
	assert_non_null(asker);
	rest = row;
	row.n = 5;
	rest.n = 1;
	rest.frames += 5;
	rest.packets += 5;
	classes_of(bench, &row, 1, classes);
	assert_true(flow_engine_accepts(bench->engine, model));
	flow_engine_set_asker(bench->engine, asker);
	classes_of(bench, &rest, 1, classes + 5);
	assert_memory_equal(classes, expected, sizeof(expected));
	assert_true(flow_engine_verdict(bench->engine, 0)->logit == 6.0f);
	bench_drain(bench);
	assert_int_equal(bench->ended[0].class, 1);
	flow_packets_free(&row);
	bench_free(bench);
	flow_asker_free(asker);
	flow_model_free(model);
}

static void models_that_read_what_is_not_kept_are_not_accepted(void **state)
{
	static const char *const with_context[] = {"initiator_flows_60s"}, *const packets[] = {"packets"};
	struct bench *bench = bench_create(flow_model_of(model_of(packets, 1, (float[]){1}, (float[]){0}, 1)), 64);
	struct flow_model *context = flow_model_of(model_of(with_context, 1, (float[]){1}, (float[]){0}, 1));
	struct flow_model *classes = flow_model_of(model_of(packets, 1, (float[]){1, 2, 3}, (float[]){0, 0, 0}, 3));

	(void)state;
	assert_true(flow_engine_accepts(bench->engine, bench->model));
	assert_false(flow_engine_accepts(bench->engine, context));
	assert_false(flow_engine_accepts(bench->engine, classes));
	assert_false(flow_engine_accepts(bench->engine, NULL));
	flow_model_free(context);
	flow_model_free(classes);
	bench_free(bench);
}

static void flows_end_by_the_clock_where_nothing_comes(void **state)
{
	struct flow_packets row;
	struct bench *bench = bench_of_six(&row, false);

	(void)state;
	bench_feed(bench, &row, 6);
	flow_engine_sweep(bench->engine, 59 * SECOND_NS);
	bench_take(bench);
	assert_int_equal(bench->n, 0);
	flow_engine_sweep(bench->engine, 70 * SECOND_NS);
	bench_take(bench);
	assert_int_equal(bench->n, 1);
	assert_int_equal(bench->ended[0].reason, FLOW_REASON_IDLE);
	assert_int_equal(stats_get(bench->stats, STATS_flows_idle), 1);
	flow_packets_free(&row);
	bench_free(bench);
}

/* Also where a flow's successor takes its place in the same burst. */
static void packets_are_told_the_id_that_their_flows_record_has(void **state)
{
	const struct flow_spec specs[] = {
		packet_of(1 * SECOND_NS, 1, 2, 1000, 80, PACKET_TCP_SYN),
		packet_of(1 * SECOND_NS, 3, 2, 1000, 80, PACKET_TCP_SYN),
		packet_of(2 * SECOND_NS, 2, 1, 80, 1000, PACKET_TCP_ACK),
		packet_of(100 * SECOND_NS, 1, 2, 1000, 80, PACKET_TCP_SYN),
	};
	struct flow_packets row = flow_packets_of(specs, N_IN(specs));

	(void)state;
	for (int has_ids = 0; has_ids < 2; has_ids++) {
		struct bench *bench = bench_create(NULL, 64);
		uint64_t ids[N_IN(specs)];

		flow_engine_free(bench->engine);
		bench->options.has_packet_ids = has_ids;
		assert_int_equal(flow_engine_create(&bench->options, &bench->engine), 0);
		bench_feed(bench, &row, 64);
		for (uint32_t i = 0; i < N_IN(specs); i++)
			ids[i] = flow_engine_flow_id(bench->engine, i);
		bench_drain(bench);
		assert_int_equal(bench->n, 3);
		for (uint32_t i = 0; i < bench->n; i++) {
			uint64_t id = flow_id(&bench->ended[i].flow);
			uint32_t n = 0;

			for (uint32_t k = 0; k < N_IN(specs); k++)
				n += ids[k] == id;
			assert_int_equal(n, has_ids * (bench->ended[i].flow.side[FLOW_FORWARD].packets +
						       bench->ended[i].flow.side[FLOW_BACKWARD].packets));
		}
		bench_free(bench);
	}
	flow_packets_free(&row);
}

/* 40 flows of 1 to 4 packets, which is what the model says of them. */
static void flows_of_the_table_are_seen_with_their_verdicts_in_mid_run(void **state)
{
	static const char *const features[] = {"packets"};
	static const uint32_t checkpoints[] = {1, 2, 3, 4};
	struct model *model = model_of(features, 1, (float[]){1}, (float[]){-2.5f}, 1);
	uint32_t seen_packets[40] = {0}, place = 0, n, n_looks = 0;
	struct flow_engine_seen seen[FLOW_MAX_BURST];
	struct flow_spec specs[100];
	struct flow_packets row;
	struct bench *bench;
	bool has_more = true;

	(void)state;
	n = 0;
	for (uint32_t flow = 0; flow < 40; flow++)
		for (uint32_t i = 0; i <= flow % 4; i++, n++)
			specs[n] = packet_of(1000 + n, 1, 2, (uint16_t)(1000 + flow), 80, PACKET_TCP_ACK);
	assert_int_equal(n, N_IN(specs));
	model_ask_at(model, checkpoints, N_IN(checkpoints));
	bench = bench_create(flow_model_of(model), 64);
	row = flow_packets_of(specs, n);
	bench_feed(bench, &row, 64);
	while (has_more) {
		has_more = flow_engine_scan(bench->engine, &place, 16, seen, &n);
		n_looks++;
		for (uint32_t i = 0; i < n; i++) {
			uint32_t n_packets = seen[i].flow->side[FLOW_FORWARD].packets;

			assert_int_equal(seen_packets[seen[i].flow->key.port[0] - 1000], 0);
			seen_packets[seen[i].flow->key.port[0] - 1000] = n_packets;
			assert_non_null(seen[i].verdict);
			assert_true(seen[i].verdict->logit == (float)n_packets - 2.5f);
			assert_int_equal(seen[i].verdict->class, n_packets > 2);
		}
	}
	assert_int_equal(n_looks, 3);
	for (uint32_t flow = 0; flow < 40; flow++)
		assert_int_equal(seen_packets[flow], 1 + flow % 4);
	/* A look that goes on where there is nothing more finds nothing; nor does any when the flows have ended. */
	assert_false(flow_engine_scan(bench->engine, &place, 16, seen, &n));
	assert_int_equal(n, 0);
	bench_drain(bench);
	place = 0;
	assert_false(flow_engine_scan(bench->engine, &place, 16, seen, &n));
	assert_int_equal(n, 0);
	flow_packets_free(&row);
	bench_free(bench);
}

static void without_a_model_flows_are_seen_without_verdicts(void **state)
{
	struct stats_block *stats = calloc(1, sizeof(*stats));
	struct flow_engine_options options = {
		.config = {.n_flows = 64, .idle_ns = SECOND_NS, .active_ns = SECOND_NS, .linger_ns = SECOND_NS},
		.records = FLOW_ENGINE_ALL,
		.stats = stats};
	struct flow_spec spec = packet_of(1000, 1, 2, 1000, 80, PACKET_TCP_SYN);
	struct flow_packets row = flow_packets_of(&spec, 1);
	struct flow_engine_seen seen[FLOW_MAX_BURST];
	uint32_t n, place = 0;
	struct flow_engine *engine;

	(void)state;
	assert_non_null(stats);
	assert_int_equal(flow_engine_create(&options, &engine), 0);
	flow_engine_burst(engine, row.frames, row.packets, 1);
	assert_false(flow_engine_scan(engine, &place, FLOW_MAX_BURST, seen, &n));
	assert_int_equal(n, 1);
	assert_int_equal(seen[0].flow->key.port[0], 1000);
	assert_null(seen[0].verdict);
	flow_engine_free(engine);
	flow_packets_free(&row);
	free(stats);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flow_keeps_its_highest_logit_and_when_its_class_was_known),
		cmocka_unit_test(a_flow_without_checkpoints_is_judged_at_its_end),
		cmocka_unit_test(the_likeliest_of_the_other_classes_is_said),
		cmocka_unit_test(context_is_that_of_the_packet_whatever_the_burst),
		cmocka_unit_test(verdicts_do_not_go_with_a_place),
		cmocka_unit_test(slices_go_on_with_the_verdict),
		cmocka_unit_test(flows_that_were_never_asked_for_are_not_scored),
		cmocka_unit_test(attacks_alone_become_records_where_that_is_asked),
		cmocka_unit_test(packets_of_another_time_begin_without_context),
		cmocka_unit_test(memory_grows_with_what_is_kept_of_flows),
		cmocka_unit_test(models_that_cannot_score_flows_are_refused),
		cmocka_unit_test(a_verdict_holds_from_the_packet_on_by_which_it_is_known),
		cmocka_unit_test(a_verdict_does_not_hold_for_packets_before_it_in_its_burst),
		cmocka_unit_test(overload_sheds_the_model_and_counts_it),
		cmocka_unit_test(flows_that_overload_left_unscored_are_scored_with_their_next_packet),
		cmocka_unit_test(another_model_is_asked_from_the_next_burst_on_and_verdicts_stay),
		cmocka_unit_test(models_that_read_what_is_not_kept_are_not_accepted),
		cmocka_unit_test(flows_end_by_the_clock_where_nothing_comes),
		cmocka_unit_test(packets_are_told_the_id_that_their_flows_record_has),
		cmocka_unit_test(flows_of_the_table_are_seen_with_their_verdicts_in_mid_run),
		cmocka_unit_test(without_a_model_flows_are_seen_without_verdicts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
