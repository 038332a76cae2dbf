/* SPDX-License-Identifier: BSD-3-Clause */
/* What features are scaled by: lib/train/scaler.c. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "random.h"
#include "scaler.h"

static void means_and_deviations_are_those_of_the_columns(void **state)
{
	static const float rows[] = {1, 10, 7, 3, 20, 7, 5, 60, 7};
	struct scaler scaler;

	(void)state;
	assert_int_equal(scaler_fit(&scaler, rows, 3, 3, NULL, NULL, 4), 0);
	assert_true(scaler.mean[0] == 3 && fabsf(scaler.deviation[0] - sqrtf(8.0f / 3)) < 1e-6f);
	assert_true(scaler.mean[1] == 30 && fabsf(scaler.deviation[1] - sqrtf(1400.0f / 3)) < 1e-4f);
	/* A constant column is centred and not blown up. */
	assert_true(scaler.mean[2] == 7 && scaler.deviation[2] == 1);
	scaler_free(&scaler);
}

static void a_weight_of_two_is_a_row_twice_and_of_zero_none(void **state)
{
	static const float rows[] = {1, 10, 100, 4}, same[] = {1, 10, 10, 4};
	static const float weights[] = {1, 2, 0, 1};
	struct scaler weighted, repeated;

	(void)state;
	assert_int_equal(scaler_fit(&weighted, rows, 4, 1, weights, NULL, 4), 0);
	assert_int_equal(scaler_fit(&repeated, same, 4, 1, NULL, NULL, 4), 0);
	assert_true(fabsf(weighted.mean[0] - repeated.mean[0]) < 1e-6f);
	assert_true(fabsf(weighted.deviation[0] - repeated.deviation[0]) < 1e-6f);
	scaler_free(&weighted);
	scaler_free(&repeated);
}

static void small_changes_of_large_numbers_keep_their_deviation(void **state)
{
	float rows[1000];
	struct scaler scaler;

	(void)state;
	for (int i = 0; i < 1000; i++)
		rows[i] = 16777200.0f + (float)(i % 2);
	assert_int_equal(scaler_fit(&scaler, rows, 1000, 1, NULL, NULL, 4), 0);
	assert_true(fabsf(scaler.deviation[0] - 0.5f) < 1e-6f);
	scaler_free(&scaler);
}

static void logarithms_are_learnt_and_applied_where_asked(void **state)
{
	static const uint8_t is_log[] = {1, 0};
	float rows[] = {0, 0, 2.718281828f - 1, 1, -5, 2};
	struct scaler scaler;

	(void)state;
	assert_int_equal(scaler_fit(&scaler, rows, 3, 2, NULL, is_log, INFINITY), 0);
	/* ln 1, ln e and, of a negative number, 0. */
	assert_true(fabsf(scaler.mean[0] - 1.0f / 3) < 1e-6f);
	assert_true(scaler.mean[1] == 1);
	scaler_apply(&scaler, rows, 3);
	assert_true(fabsf(rows[2] - (2.0f / 3) / sqrtf(2.0f / 9)) < 1e-5f);
	assert_true(rows[0] == rows[4]);
	scaler_free(&scaler);
}

static void scaled_rows_stay_within_the_limit(void **state)
{
	float rows[101];
	struct scaler scaler;

	(void)state;
	memset(rows, 0, sizeof(rows));
	rows[0] = 1e30f;
	assert_int_equal(scaler_fit(&scaler, rows, 101, 1, NULL, NULL, 4), 0);
	rows[1] = -1e35f;
	scaler_apply(&scaler, rows, 101);
	assert_true(rows[0] == 4 && rows[1] == -4);
	assert_true(fabsf(rows[2]) < 0.2f);
	scaler_free(&scaler);
}

static void without_rows_or_weights_nothing_is_learnt(void **state)
{
	static const float row = 1, weight = 0;
	struct scaler scaler;

	(void)state;
	assert_int_equal(scaler_fit(&scaler, &row, 0, 1, NULL, NULL, 4), -EINVAL);
	assert_int_equal(scaler_fit(&scaler, &row, 1, 1, &weight, NULL, 4), -EINVAL);
	assert_null(scaler.mean);
}

static void columns_over_two_decades_without_negatives_are_seen_by_logarithm(void **state)
{
	/* Counts, a share, bytes below two decades, negative numbers, a constant. */
	static const float rows[] = {0, 0.1f, 50, -1, 1000, 99, 0.9f, 90, 5000, 1000};
	uint8_t is_log[5];

	(void)state;
	scaler_find_logs(rows, 2, 5, is_log);
	assert_memory_equal(is_log, ((const uint8_t[]){1, 0, 0, 0, 0}), 5);
}

static void network_score(const struct nn_network *network, const float *rows, float *logits)
{
	struct nn_scratch *scratch;
	struct nn_plan *plan;

	assert_int_equal(nn_plan_create(network, &plan), 0);
	scratch = nn_scratch_create(plan);
	assert_non_null(scratch);
	nn_kernel_find(NULL)->score_floats(plan, scratch, rows, network->n_in, NN_MAX_BATCH, logits);
	nn_scratch_free(scratch);
	nn_plan_free(plan);
}

/* The kernels' logits of raw rows behind the input stage are those of rows scaled here without it, bit for bit. */
static void the_network_scales_with_the_very_numbers(void **state)
{
	enum { N = NN_MAX_BATCH, N_IN = 5, N_HIDDEN = 3 };
	static const uint8_t is_log[N_IN] = {1, 0, 1, 0, 0};
	float raw[N * N_IN], scaled[N * N_IN], logits[2][N];
	struct nn_network network = {.n_in = N_IN, .n_layers = 2, .input_low = -INFINITY, .input_high = INFINITY};
	struct scaler scaler;
	struct random random;

	(void)state;
	random_seed(&random, 3);
	for (int i = 0; i < N * N_IN; i++)
		raw[i] = expf(20 * random_unit(&random) - 6) - (i % N_IN == 3 ? 50 : 0);
	memcpy(scaled, raw, sizeof(raw));
	assert_int_equal(nn_layer_init(&network.layers[0], N_IN, N_HIDDEN, NN_TANH), 0);
	assert_int_equal(nn_layer_init(&network.layers[1], N_HIDDEN, 1, NN_SIGMOID), 0);
	for (int i = 0; i < N_IN * N_HIDDEN; i++)
		network.layers[0].weights[i] = random_unit(&random) - 0.5f;
	for (int i = 0; i < N_HIDDEN; i++)
		network.layers[1].weights[i] = random_unit(&random) - 0.5f;
	assert_int_equal(scaler_fit(&scaler, raw, N, N_IN, NULL, is_log, 1.5f), 0);
	scaler_apply(&scaler, scaled, N);
	network_score(&network, scaled, logits[0]);
	assert_int_equal(scaler_into_network(&scaler, &network), 0);
	assert_true(network.has_input_stage && network.input_low == -1.5f && network.input_high == 1.5f);
	network_score(&network, raw, logits[1]);
	assert_memory_equal(logits[0], logits[1], sizeof(logits[0]));
	nn_network_free(&network);
	scaler_free(&scaler);
}

static void a_network_without_logarithms_has_no_marks_for_them(void **state)
{
	static const float rows[] = {1, 2};
	struct nn_network network = {.n_in = 1};
	struct scaler scaler;

	(void)state;
	assert_int_equal(scaler_fit(&scaler, rows, 2, 1, NULL, NULL, INFINITY), 0);
	assert_int_equal(scaler_into_network(&scaler, &network), 0);
	assert_null(network.input_log);
	assert_true(isinf(network.input_low) && isinf(network.input_high));
	nn_network_free(&network);
	scaler_free(&scaler);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(means_and_deviations_are_those_of_the_columns),
		cmocka_unit_test(a_weight_of_two_is_a_row_twice_and_of_zero_none),
		cmocka_unit_test(small_changes_of_large_numbers_keep_their_deviation),
		cmocka_unit_test(logarithms_are_learnt_and_applied_where_asked),
		cmocka_unit_test(scaled_rows_stay_within_the_limit),
		cmocka_unit_test(without_rows_or_weights_nothing_is_learnt),
		cmocka_unit_test(columns_over_two_decades_without_negatives_are_seen_by_logarithm),
		cmocka_unit_test(the_network_scales_with_the_very_numbers),
		cmocka_unit_test(a_network_without_logarithms_has_no_marks_for_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
