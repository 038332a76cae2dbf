/* SPDX-License-Identifier: BSD-3-Clause */
/* Flow models: lib/train/flow_train.c and what it is made of. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flow_rows.h"
#include "flow_sample.h"
#include "flow_threshold.h"
#include "flow_train.h"

/* ---- Weights ---- */

/* Source 0: 6 benign and 2 attacks; source 1: 1 benign and 3 attacks. */
static void weights_fill(struct flow_dataset *set, const struct flow_weights_options *options, float *weights)
{
	static const uint8_t classes[12] = {0, 0, 0, 0, 0, 0, 1, 1, 0, 1, 1, 1};
	float value = 0;

	flow_rows_init(set, 1, 2, 2);
	for (uint32_t i = 0; i < 12; i++)
		flow_rows_add(set, i, classes[i], i >= 8, &value);
	assert_int_equal(flow_weights_fill(set, options, weights), 0);
}

static double weights_sum(const struct flow_dataset *set, const float *weights, int class_index, int source)
{
	double sum = 0;

	for (size_t i = 0; i < set->n_rows; i++)
		if ((class_index < 0 || set->rows[i].class == class_index) &&
		    (source < 0 || set->rows[i].source == (uint32_t)source))
			sum += (double)weights[i];
	return sum;
}

static void balanced_classes_and_sources_weigh_the_same(void **state)
{
	struct flow_weights_options none = {0}, classes = {.balances_classes = true},
				    sources = {.balances_sources = true};
	struct flow_dataset set;
	float weights[12];

	(void)state;
	weights_fill(&set, &none, weights);
	for (int i = 0; i < 12; i++)
		assert_true(weights[i] == 1);
	flow_dataset_free(&set);
	weights_fill(&set, &classes, weights);
	assert_true(fabs(weights_sum(&set, weights, 0, -1) - 6) < 1e-5);
	assert_true(fabs(weights_sum(&set, weights, 1, -1) - 6) < 1e-5);
	flow_dataset_free(&set);
	weights_fill(&set, &sources, weights);
	assert_true(fabs(weights_sum(&set, weights, -1, 0) - 6) < 1e-5);
	assert_true(fabs(weights_sum(&set, weights, -1, 1) - 6) < 1e-5);
	flow_dataset_free(&set);
}

static void a_limit_holds_back_long_sources_only(void **state)
{
	struct flow_weights_options options = {.source_limit = 4};
	struct flow_dataset set;
	float weights[12];

	(void)state;
	weights_fill(&set, &options, weights);
	/* 8 rows weigh as 4, 4 rows as they are; the mean is 1. */
	assert_true(fabs(weights_sum(&set, weights, -1, 0) - 6) < 1e-5);
	assert_true(fabs(weights_sum(&set, weights, -1, -1) - 12) < 1e-5);
	flow_dataset_free(&set);
	options.source_limit = 100;
	weights_fill(&set, &options, weights);
	for (int i = 0; i < 12; i++)
		assert_true(weights[i] == 1);
	flow_dataset_free(&set);
}

/* ---- Fewer flows ---- */

static void a_source_keeps_so_many_flows_with_all_their_rows(void **state)
{
	struct flow_dataset set;
	uint64_t kept[2][3];

	(void)state;
	for (int again = 0; again < 2; again++) {
		size_t n_of_source[2] = {0, 0};

		flow_rows_init(&set, 1, 2, 2);
		/* 50 flows of two rows in source 0, the second time in another order; 3 of one row in source 1. */
		for (uint32_t i = 0; i < 100; i++) {
			float value = (float)i;

			flow_rows_add(&set, again ? 50 - i % 50 : i % 50 + 1, 0, 0, &value);
		}
		for (uint32_t i = 0; i < 3; i++) {
			float value = 0;

			flow_rows_add(&set, 1000 + i, 1, 1, &value);
		}
		assert_int_equal(flow_sample_limit(&set, 3, 42), 0);
		for (size_t i = 0; i < set.n_rows; i++)
			n_of_source[set.rows[i].source]++;
		assert_int_equal(n_of_source[0], 6);
		assert_int_equal(n_of_source[1], 3);
		for (int i = 0; i < 3; i++)
			kept[again][i] = set.rows[again ? 2 - i : i].flow;
		flow_dataset_free(&set);
	}
	assert_memory_equal(kept[0], kept[1], sizeof(kept[0]));
}

/* ---- Thresholds ---- */

/* A network that hands its only input on as the logit. */
static void network_pass(struct nn_network *network)
{
	*network = (struct nn_network){.n_in = 1, .n_layers = 1, .input_low = -INFINITY, .input_high = INFINITY};
	assert_int_equal(nn_layer_init(&network->layers[0], 1, 1, NN_SIGMOID), 0);
	network->layers[0].weights[0] = 1;
}

/* Flows of two rows, the other one a point lower: benign at 0..99, attacks at 60.5..159.5. */
static void scores_make(struct flow_scores *scores)
{
	struct nn_network network;
	struct flow_dataset set;

	flow_rows_init(&set, 1, 2, 1);
	for (uint32_t i = 0; i < 200; i++)
		for (int row = 0; row < 2; row++) {
			float value = (i < 100 ? (float)i : (float)i - 39.5f) - (float)row;

			flow_rows_add(&set, i + 1, i >= 100, 0, &value);
		}
	network_pass(&network);
	assert_int_equal(flow_scores_make(scores, &network, &set), 0);
	nn_network_free(&network);
	flow_dataset_free(&set);
}

static void a_flow_is_as_suspicious_as_its_worst_row(void **state)
{
	struct flow_scores scores;

	(void)state;
	scores_make(&scores);
	assert_int_equal(scores.n, 200);
	assert_int_equal(scores.n_benign, 100);
	assert_int_equal(scores.n_attack, 100);
	assert_true(scores.flows[0].logit == 159.5f && scores.flows[199].logit == 0);
	flow_scores_free(&scores);
}

/* Many rows of a public table may have the same ends, or nothing that tells flows apart. */
static void rows_that_are_no_parts_are_flows_of_their_own(void **state)
{
	struct nn_network network;
	struct flow_scores scores;
	struct flow_dataset set;

	(void)state;
	flow_rows_init(&set, 1, 2, 1);
	for (uint32_t i = 0; i < 8; i++) {
		float value = (float)i;

		flow_rows_add(&set, 7, i >= 4, 0, &value);
		set.rows[i].is_part = i % 2 == 0;
	}
	network_pass(&network);
	assert_int_equal(flow_scores_make(&scores, &network, &set), 0);
	assert_int_equal(scores.n, 5);
	assert_int_equal(scores.n_benign, 2);
	assert_true(scores.flows[0].logit == 7 && scores.flows[1].logit == 6 && scores.flows[4].logit == 1);
	flow_scores_free(&scores);
	nn_network_free(&network);
	flow_dataset_free(&set);
}

static void thresholds_keep_to_their_rule(void **state)
{
	static const struct {
		const char *text;
		double threshold;
		size_t n_false, n_true;
	} cases[] = {{"fpr:0.05", 94.25, 5, 66}, {"fpr:0.059", 94.25, 5, 66}, {"fpr:0", 99.25, 0, 61},
		     {"fpr:1", -1, 100, 100},	 {"f1", 60.25, 39, 100},      {"0.5", 0, 100, 100}};
	struct flow_scores scores;

	(void)state;
	scores_make(&scores);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct flow_threshold_rule rule;
		struct flow_alarms alarms;
		double threshold;

		assert_int_equal(flow_threshold_parse(cases[i].text, &rule), 0);
		assert_int_equal(flow_threshold_choose(&rule, &scores, &threshold), 0);
		alarms = flow_threshold_count(&scores, threshold);
		assert_true(threshold == cases[i].threshold);
		assert_int_equal(alarms.n_false, cases[i].n_false);
		assert_int_equal(alarms.n_true, cases[i].n_true);
		assert_true(flow_threshold_allows(&rule, &scores, alarms));
	}
	flow_scores_free(&scores);
}

static void equal_scores_stay_together_even_if_none_is_left(void **state)
{
	struct flow_score flows[4] = {
		{.logit = 5}, {.logit = 5, .is_attack = true}, {.logit = 5, .is_attack = true}, {.logit = 1}};
	struct flow_scores scores = {.n = 4, .n_benign = 2, .n_attack = 2, .flows = flows};
	struct flow_threshold_rule rule;
	double threshold;

	(void)state;
	assert_int_equal(flow_threshold_parse("fpr:0.1", &rule), 0);
	assert_int_equal(flow_threshold_choose(&rule, &scores, &threshold), 0);
	assert_true(threshold > 5);
	assert_int_equal(flow_threshold_parse("fpr:0.5", &rule), 0);
	assert_int_equal(flow_threshold_choose(&rule, &scores, &threshold), 0);
	assert_true(threshold == 3);
	/* Without benign flows no share of them can be told. */
	scores.n_benign = 0;
	assert_int_equal(flow_threshold_choose(&rule, &scores, &threshold), -EINVAL);
}

static void rules_that_make_no_sense_are_refused(void **state)
{
	static const char *const texts[] = {"",	  "0",	  "1",	 "nan",	  "-1",	      "0.5x",
					    "f2", "fpr:", "fpr", "fpr:2", "fpr:-0.1", "fpr:0.1%"};
	struct flow_threshold_rule rule;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(flow_threshold_parse(texts[i], &rule), -EINVAL);
}

static void a_shift_makes_the_threshold_a_half(void **state)
{
	struct nn_network network;

	(void)state;
	network_pass(&network);
	network.layers[0].bias[0] = 1;
	flow_threshold_shift(&network, 30.5);
	assert_true(network.layers[0].bias[0] == -29.5f);
	nn_network_free(&network);
	/* With more outputs it is the benign one that must be beaten by more. */
	assert_int_equal(nn_layer_init(&network.layers[0], 1, 3, NN_SOFTMAX), 0);
	network.n_layers = 1;
	flow_threshold_shift(&network, 2);
	assert_true(network.layers[0].bias[0] == 2 && network.layers[0].bias[1] == 0);
	nn_network_free(&network);
}

/* ---- Training ---- */

static struct flow_train_options options_default(void)
{
	return (struct flow_train_options){
		.train =
			{
				.n_hidden = 1,
				.hidden = {8},
				.activation = NN_RELU,
				.optimizer = TRAIN_ADAM,
				.learning_rate = 0.01,
				.learning_rate_final = 0.001,
				.n_epochs = 20,
				.batch = 32,
				.seed = 42,
			},
		.clip = 4,
	};
}

struct run {
	struct flow_dataset training, validation;
	struct flow_train_result result;
	char error[256];
	int rc;
};

static void run_train(struct run *run, const struct flow_train_options *options, uint32_t n_classes)
{
	flow_rows_init(&run->training, 4, n_classes, 2);
	flow_rows_init(&run->validation, 4, n_classes, 2);
	flow_rows_add_sizes(&run->training, 600, 1);
	flow_rows_add_sizes(&run->validation, 150, 2);
	run->rc =
		flow_train(options, &run->training, &run->validation, &run->result, run->error, sizeof(run->error));
}

static void run_free(struct run *run)
{
	nn_network_free(&run->result.network);
	flow_dataset_free(&run->training);
	flow_dataset_free(&run->validation);
}

static void sizes_are_told_apart_by_the_kernels_as_in_training(void **state)
{
	static const uint8_t is_log[4] = {1, 0, 0, 0};
	struct flow_train_options options = options_default();
	struct flow_threshold_rule rule = {.kind = FLOW_THRESHOLD_F1};
	struct flow_scores scores;
	struct run run;
	double threshold;

	(void)state;
	options.is_log = is_log;
	run_train(&run, &options, 2);
	assert_int_equal(run.rc, 0);
	assert_int_equal(run.result.n_epochs, 20);
	assert_int_equal(run.result.kept.number, 20);
	assert_true(run.result.kept.validation.accuracy > 0.99);
	/* The network reads the data as they are. */
	assert_int_equal(flow_scores_make(&scores, &run.result.network, &run.validation), 0);
	assert_int_equal(scores.n, 150);
	assert_int_equal(flow_threshold_choose(&rule, &scores, &threshold), 0);
	assert_int_equal(flow_threshold_count(&scores, 0).n_true, 75);
	assert_int_equal(flow_threshold_count(&scores, threshold).n_false, 0);
	flow_scores_free(&scores);
	run_free(&run);
}

/* A row that is held out may be anything: it has no part in the scaling, the logarithms or the limits. */
static void scaling_is_learnt_on_the_training_part_only(void **state)
{
	struct flow_train_options options = options_default();
	struct run runs[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		float outlier[4] = {1e9f, -1e9f, 1e9f, 1e9f};

		flow_rows_init(&runs[i].training, 4, 2, 2);
		flow_rows_init(&runs[i].validation, 4, 2, 2);
		flow_rows_add_sizes(&runs[i].training, 100, 1);
		flow_rows_add_sizes(&runs[i].validation, 50, 2);
		for (int k = 0; i == 1 && k < 20; k++)
			flow_rows_add(&runs[i].validation, 9000, 1, 0, outlier);
		assert_int_equal(flow_train(&options, &runs[i].training, &runs[i].validation, &runs[i].result,
					    runs[i].error, sizeof(runs[i].error)),
				 0);
	}
	for (int c = 0; c < 4; c++) {
		const struct nn_network *plain = &runs[0].result.network, *other = &runs[1].result.network;

		assert_true(plain->input_centre[c] == other->input_centre[c]);
		assert_true(plain->input_scale[c] == other->input_scale[c]);
	}
	assert_memory_equal(runs[0].result.network.layers[0].weights, runs[1].result.network.layers[0].weights,
			    4 * sizeof(float));
	run_free(&runs[0]);
	run_free(&runs[1]);
}

static void three_classes_and_two_by_softmax_are_learnt(void **state)
{
	struct flow_train_options options = options_default();
	static const uint8_t is_log[4] = {1, 0, 0, 0};

	(void)state;
	options.is_log = is_log;
	options.train.is_softmax = true;
	for (uint32_t n_classes = 2; n_classes <= 3; n_classes++) {
		struct flow_scores scores;
		struct run run;

		run_train(&run, &options, n_classes);
		assert_int_equal(run.rc, 0);
		assert_int_equal(run.result.network.layers[1].n_out, n_classes);
		assert_true(run.result.kept.validation.accuracy > 0.99);
		assert_int_equal(flow_scores_make(&scores, &run.result.network, &run.validation), 0);
		assert_int_equal(flow_threshold_count(&scores, 0).n_true, scores.n_attack);
		assert_int_equal(flow_threshold_count(&scores, 0).n_false, 0);
		flow_scores_free(&scores);
		run_free(&run);
	}
}

static void remember(void *context, const struct flow_train_epoch *epoch)
{
	struct flow_train_epoch *epochs = context;

	epochs[epoch->number] = *epoch;
}

static void stopping_early_goes_back_to_the_best_epoch(void **state)
{
	struct flow_train_options options = options_default();
	struct flow_train_epoch epochs[501];
	struct flow_scores scores;
	struct run run;
	uint32_t best = 0;
	double loss = 0;

	(void)state;
	memset(epochs, 0, sizeof(epochs));
	options.train.n_epochs = 500;
	options.train.hidden[0] = 64;
	options.patience = 5;
	options.report = remember;
	options.context = epochs;
	flow_rows_init(&run.training, 4, 2, 1);
	flow_rows_init(&run.validation, 4, 2, 1);
	flow_rows_add_sizes(&run.training, 200, 1);
	flow_rows_add_sizes(&run.validation, 100, 2);
	/* A third of the labels are wrong: what is learnt of them is of no use elsewhere. */
	for (size_t i = 0; i < run.training.n_rows; i += 3)
		run.training.rows[i].class ^= 1;
	run.rc = flow_train(&options, &run.training, &run.validation, &run.result, run.error, sizeof(run.error));
	assert_int_equal(run.rc, 0);
	assert_true(run.result.n_epochs < 500);
	for (uint32_t i = 1; i <= run.result.n_epochs; i++)
		if (best == 0 || epochs[i].validation.loss < epochs[best].validation.loss)
			best = i;
	assert_int_equal(run.result.kept.number, best);
	assert_int_equal(run.result.n_epochs, best + 5);
	assert_true(epochs[best].is_best && !epochs[best + 1].is_best);
	/* The network is the best epoch's, not the last one's. */
	assert_int_equal(flow_scores_make(&scores, &run.result.network, &run.validation), 0);
	for (size_t i = 0; i < scores.n; i++) {
		double logit = (double)scores.flows[i].logit;

		loss += log1p(exp(scores.flows[i].is_attack ? -logit : logit)) / (double)scores.n;
	}
	assert_true(fabs(loss - epochs[best].validation.loss) < 1e-5);
	assert_true(fabs(loss - epochs[best + 5].validation.loss) > 1e-4);
	flow_scores_free(&scores);
	run_free(&run);
}

static void the_same_seed_gives_the_same_network_with_dropout_too(void **state)
{
	struct flow_train_options options = options_default();
	struct run runs[3];

	(void)state;
	options.train.dropout = 0.3;
	options.train.weight_decay = 0.01;
	options.weights.balances_classes = true;
	for (int i = 0; i < 3; i++) {
		options.train.seed = i < 2 ? 42 : 43;
		run_train(&runs[i], &options, 2);
		assert_int_equal(runs[i].rc, 0);
	}
	assert_memory_equal(runs[0].result.network.layers[0].weights, runs[1].result.network.layers[0].weights,
			    32 * sizeof(float));
	assert_memory_not_equal(runs[0].result.network.layers[0].weights, runs[2].result.network.layers[0].weights,
				32 * sizeof(float));
	for (int i = 0; i < 3; i++)
		run_free(&runs[i]);
}

static void rows_that_teach_nothing_are_refused_in_words(void **state)
{
	struct flow_train_options options = options_default();
	struct flow_dataset training, validation;
	struct flow_train_result result;
	float values[4] = {1, 2, 3, 4};
	char error[256];

	(void)state;
	flow_rows_init(&training, 4, 3, 1);
	flow_rows_init(&validation, 4, 3, 1);
	assert_int_equal(flow_train(&options, &training, &validation, &result, error, sizeof(error)), -EINVAL);
	assert_string_equal(error, "there are no rows to learn from");
	for (uint32_t i = 0; i < 10; i++)
		flow_rows_add(&training, i, 1, 0, values);
	assert_int_equal(flow_train(&options, &training, &validation, &result, error, sizeof(error)), -EINVAL);
	assert_string_equal(error, "all 10 rows are of one class (k1)");
	flow_rows_add(&training, 11, 0, 0, values);
	assert_int_equal(flow_train(&options, &training, &validation, &result, error, sizeof(error)), -EINVAL);
	assert_string_equal(error, "class k2 has no rows to learn from");
	flow_dataset_free(&training);
	flow_dataset_free(&validation);
}

static void a_loss_that_is_not_finite_ends_the_training(void **state)
{
	struct flow_train_options options = options_default();
	struct run run;

	(void)state;
	options.train.optimizer = TRAIN_SGD;
	options.train.learning_rate = options.train.learning_rate_final = 1e20;
	options.clip = INFINITY;
	run_train(&run, &options, 2);
	assert_int_equal(run.rc, -ERANGE);
	assert_non_null(strstr(run.error, "not finite"));
	run_free(&run);
}

static void an_interrupt_ends_the_training(void **state)
{
	struct flow_train_options options = options_default();
	atomic_bool stop = true;
	struct run run;

	(void)state;
	options.stop = &stop;
	run_train(&run, &options, 2);
	assert_int_equal(run.rc, -EINTR);
	assert_null(run.result.network.layers[0].weights);
	run_free(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(balanced_classes_and_sources_weigh_the_same),
		cmocka_unit_test(a_limit_holds_back_long_sources_only),
		cmocka_unit_test(a_source_keeps_so_many_flows_with_all_their_rows),
		cmocka_unit_test(a_flow_is_as_suspicious_as_its_worst_row),
		cmocka_unit_test(rows_that_are_no_parts_are_flows_of_their_own),
		cmocka_unit_test(thresholds_keep_to_their_rule),
		cmocka_unit_test(equal_scores_stay_together_even_if_none_is_left),
		cmocka_unit_test(rules_that_make_no_sense_are_refused),
		cmocka_unit_test(a_shift_makes_the_threshold_a_half),
		cmocka_unit_test(sizes_are_told_apart_by_the_kernels_as_in_training),
		cmocka_unit_test(scaling_is_learnt_on_the_training_part_only),
		cmocka_unit_test(three_classes_and_two_by_softmax_are_learnt),
		cmocka_unit_test(stopping_early_goes_back_to_the_best_epoch),
		cmocka_unit_test(the_same_seed_gives_the_same_network_with_dropout_too),
		cmocka_unit_test(rows_that_teach_nothing_are_refused_in_words),
		cmocka_unit_test(a_loss_that_is_not_finite_ends_the_training),
		cmocka_unit_test(an_interrupt_ends_the_training),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
