/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bins_fit.h"
#include "input_bins.h"

static void assert_near(double value, double expected)
{
	if (!(fabs(value - expected) < 1e-5))
		fail_msg("%.9g is not %.9g", value, expected);
}

/* ---- Fitting ---- */

static void many_values_get_an_edge_at_each_decile(void **state)
{
	float rows[1000];
	struct input_bins bins;

	(void)state;
	for (int i = 0; i < 1000; i++)
		rows[i] = (float)(i * 7 % 1000 + 1);
	assert_int_equal(bins_fit_floats(rows, 1000, 1, &bins), 0);
	assert_int_equal(bins.n_edges, 9);
	for (int i = 0; i < 9; i++) {
		assert_true(fabsf(bins.edges[i] - (float)(i + 1) * 100) <= 1);
		assert_near((double)bins.shares[i], (i + 1) / 10.0);
	}
}

static void few_values_get_an_edge_each_and_one_below(void **state)
{
	uint8_t rows[2000];
	struct input_bins bins[2];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		rows[2 * i] = i % 20 ? 0 : 7;
		rows[2 * i + 1] = 8;
	}
	assert_int_equal(bins_fit_bytes(rows, 1000, 2, bins), 0);
	assert_int_equal(bins[0].n_edges, 3);
	assert_true(bins[0].edges[0] < 0 && bins[0].edges[1] == 0 && bins[0].edges[2] == 7);
	assert_near((double)bins[0].shares[1], 0.95);
	assert_true(bins[0].shares[0] == 0 && bins[0].shares[2] == 1);
	/* What was never seen is in a bin of its own, on either side. */
	assert_int_equal(bins[1].n_edges, 2);
	assert_int_equal(input_bins_find(&bins[1], 7), 0);
	assert_int_equal(input_bins_find(&bins[1], 8), 1);
	assert_int_equal(input_bins_find(&bins[1], 9), 2);
}

static void equal_deciles_are_one_edge(void **state)
{
	float rows[1000];
	struct input_bins bins;

	(void)state;
	for (int i = 0; i < 1000; i++)
		rows[i] = i < 550 ? 3 : (float)i;
	assert_int_equal(bins_fit_floats(rows, 1000, 1, &bins), 0);
	assert_int_equal(bins.n_edges, 5);
	assert_true(bins.edges[0] == 3);
	assert_near((double)bins.shares[0], 0.55);
	for (uint32_t i = 1; i < bins.n_edges; i++)
		assert_true(bins.edges[i] > bins.edges[i - 1] && bins.shares[i] > bins.shares[i - 1]);
}

static void of_many_rows_those_that_are_spread_over_all_are_looked_at(void **state)
{
	size_t n = 500000;
	float *rows = malloc(n * sizeof(*rows));
	struct input_bins bins;

	(void)state;
	assert_non_null(rows);
	for (size_t i = 0; i < n; i++)
		rows[i] = (float)i;
	assert_int_equal(bins_fit_floats(rows, n, 1, &bins), 0);
	for (int i = 0; i < 9; i++)
		assert_true(fabsf(bins.edges[i] - (float)(i + 1) * 50000) <= 10);
	assert_int_equal(bins_fit_floats(rows, 1, 1, &bins), 0);
	assert_int_equal(bins.n_edges, 2);
	assert_int_not_equal(bins_fit_floats(rows, 0, 1, &bins), 0);
	free(rows);
}

/* ---- The index ---- */

static void the_index_is_the_sum_over_the_bins(void **state)
{
	struct input_bins bins;

	(void)state;
	input_bins_init(&bins);
	assert_int_equal(input_bins_add(&bins, 1, 0.5f), 0);
	/* (0.25 - 0.5) ln(0.25 / 0.5) + (0.75 - 0.5) ln(0.75 / 0.5) */
	assert_near(input_bins_psi(&bins, (uint64_t[INPUT_BINS_MAX]){25, 75}), 0.274653);
	assert_near(input_bins_psi(&bins, (uint64_t[INPUT_BINS_MAX]){500, 500}), 0);
	assert_int_equal(input_bins_add(&bins, 2, 0.75f), 0);
	/* 0.5, 0.25, 0.25 became 0.2, 0.2, 0.6: 0.274887 + 0.011157 + 0.306414 */
	assert_near(input_bins_psi(&bins, (uint64_t[INPUT_BINS_MAX]){200, 200, 600}), 0.592458);
	assert_true(isnan(input_bins_psi(&bins, (uint64_t[INPUT_BINS_MAX]){0})));
}

static void a_share_below_half_a_row_is_taken_for_that(void **state)
{
	struct input_bins bins;

	(void)state;
	input_bins_init(&bins);
	input_bins_add(&bins, 1, 0);
	input_bins_add(&bins, 2, 1);
	/* Bins that were empty and are so add nothing. */
	assert_near(input_bins_psi(&bins, (uint64_t[INPUT_BINS_MAX]){0, 1000, 0}), 0);
	/* All is where nothing was: 2 (0.9995 - 0.0005... ) of 1000 rows, whose half a row is 0.0005. */
	assert_near(input_bins_psi(&bins, (uint64_t[INPUT_BINS_MAX]){0, 0, 1000}), 2 * 0.9995 * log(1 / 0.0005));
	/* Of a million rows it is 0.0001. */
	assert_near(input_bins_psi(&bins, (uint64_t[INPUT_BINS_MAX]){0, 0, 1000000}), 2 * 0.9999 * log(1e4));
}

static void a_value_is_in_the_bin_up_to_its_edge(void **state)
{
	struct input_bins bins;

	(void)state;
	input_bins_init(&bins);
	assert_int_equal(input_bins_find(&bins, 1e30f), 0);
	input_bins_add(&bins, -1, 0.1f);
	input_bins_add(&bins, 2.5f, 0.9f);
	assert_int_equal(input_bins_find(&bins, -1), 0);
	assert_int_equal(input_bins_find(&bins, -0.999f), 1);
	assert_int_equal(input_bins_find(&bins, 2.5f), 1);
	assert_int_equal(input_bins_find(&bins, 3e38f), 2);
	assert_int_equal(input_bins_find(&bins, INFINITY), 2);
	assert_int_equal(input_bins_find(&bins, -INFINITY), 0);
	assert_int_equal(input_bins_find(&bins, NAN), 0);
}

/* ---- Facts ---- */

static struct model *model_of(uint32_t n_in)
{
	struct model *model = model_new();

	assert_non_null(model);
	model->network.n_in = n_in;
	return model;
}

static void bins_come_back_from_facts_bit_for_bit(void **state)
{
	enum { N_INPUTS = 19, N_ROWS = 3000 };
	static float rows[N_ROWS][N_INPUTS];
	struct input_bins bins[N_INPUTS], *read;
	struct model *model = model_of(N_INPUTS);
	char error[256];

	(void)state;
	srand(7);
	for (int i = 0; i < N_ROWS; i++)
		for (int c = 0; c < N_INPUTS; c++)
			rows[i][c] =
				c % 3 ? (float)rand() * 1e-7f * (float)(1 << c) - 50 : (float)(rand() % (c + 1));
	assert_int_equal(bins_fit_floats(&rows[0][0], N_ROWS, N_INPUTS, bins), 0);
	/* Written twice they are there once; other facts stay. */
	assert_int_equal(model_add_fact(model, "seed", "42"), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(input_bins_write(model, bins), 0);
	assert_int_equal(model->n_facts, 4);
	assert_string_equal(model->facts[0].name, "seed");
	assert_string_equal(model->facts[3].name, "quantiles_16");
	for (uint32_t i = 0; i < model->n_facts; i++)
		assert_true(strlen(model->facts[i].value) < 4096);
	assert_int_equal(input_bins_read(model, &read, error, sizeof(error)), 0);
	assert_memory_equal(read, bins, sizeof(bins));
	free(read);
	model_free(model);
}

static void the_longest_numbers_fit_into_a_fact(void **state)
{
	struct input_bins bins[8], *read;
	struct model *model = model_of(8);
	char error[256];

	(void)state;
	for (int i = 0; i < 8; i++) {
		input_bins_init(&bins[i]);
		for (int e = 0; e < INPUT_BINS_MAX_EDGES; e++)
			assert_int_equal(input_bins_add(&bins[i], -3.40282347e+38f / (float)(e + 1),
							1.23456789e-30f * (float)(e + 1)),
					 0);
	}
	assert_int_equal(input_bins_write(model, bins), 0);
	assert_true(strlen(model->facts[0].value) < 4096);
	assert_int_equal(input_bins_read(model, &read, error, sizeof(error)), 0);
	assert_memory_equal(read, bins, sizeof(bins));
	free(read);
	model_free(model);
}

static void a_model_without_facts_has_no_bins(void **state)
{
	struct model *model = model_of(3);
	struct input_bins *read = (struct input_bins *)(uintptr_t)1;
	char error[256];

	(void)state;
	model_add_fact(model, "quantile", "1@2");
	assert_int_equal(input_bins_read(model, &read, error, sizeof(error)), 0);
	assert_null(read);
	model_free(model);
}

static void facts_of_untrusted_files_are_refused_where_anything_is_wrong(void **state)
{
	static const char *const wrong[][2] = {
		{"", "of two inputs"},
		{"1@0.5", "one input too few"},
		{"1@0.5;2@0.5;3@0.5", "one too many"},
		{"1@0.5;", "an empty input"},
		{";1@0.5", "an empty input"},
		{"1@0.5; 2@0.5", "a blank"},
		{"1@0.5 ;2@0.5", "a blank"},
		{"1@0.5  3@0.6;2@0.5", "two blanks"},
		{"1@0.5;2@", "no share"},
		{"1@0.5;@0.5", "no edge"},
		{"1;2", "no shares"},
		{"1@0.5;2@1.5", "a share above 1"},
		{"1@0.5;2@-0.1", "a share below 0"},
		{"1@0.5;2@nan", "no number"},
		{"nan@0.5;2@0.5", "no number"},
		{"inf@0.5;2@0.5", "no finite number"},
		{"-inf@0.5;2@0.5", "no finite number"},
		{"1e99@0.5;2@0.5", "no finite number"},
		{"0x1@0.5;2@0.5", "hexadecimal"},
		{"-0x1@0.5;2@0.5", "hexadecimal"},
		{"0X10@0.5;2@0.5", "hexadecimal"},
		{"1@0X.8;2@0.5", "hexadecimal"},
		{"2@0.4 1@0.5;2@0.5", "edges that descend"},
		{"1@0.4 1@0.5;2@0.5", "edges that are equal"},
		{"1@0.5 2@0.4;2@0.5", "shares that descend"},
		{"1@.1 2@.1 3@.1 4@.1 5@.1 6@.1 7@.1 8@.1 9@.1 10@.1;1@1", "ten edges"},
		{"1@0.5,2@0.5", "a comma"},
		{"1@0.5;2@0.5x", "something behind"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct model *model = model_of(2);
		struct input_bins *read;
		char error[256] = "";

		model_add_fact(model, "quantiles_0", wrong[i][0]);
		if (!input_bins_read(model, &read, error, sizeof(error)))
			fail_msg("taken: %s", wrong[i][1]);
		assert_null(read);
		assert_non_null(strstr(error, "wirescore.train.quantiles_"));
		assert_null(strchr(error, '\n'));
		model_free(model);
	}
}

static void facts_must_follow_each_other(void **state)
{
	static const char *const names[][2] = {{"quantiles_0", "quantiles_2"},
					       {"quantiles_1", "quantiles_0"},
					       {"quantiles_0", "quantiles_"},
					       {"quantiles_00", "quantiles_1"},
					       {"quantiles_0", "quantiles_1x"}};
	struct input_bins *read;
	char error[256];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct model *model = model_of(2);

		model_add_fact(model, names[i][0], "1@0.5");
		model_add_fact(model, names[i][1], "1@0.5");
		assert_int_not_equal(input_bins_read(model, &read, error, sizeof(error)), 0);
		assert_null(read);
		model_free(model);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_values_get_an_edge_at_each_decile),
		cmocka_unit_test(few_values_get_an_edge_each_and_one_below),
		cmocka_unit_test(equal_deciles_are_one_edge),
		cmocka_unit_test(of_many_rows_those_that_are_spread_over_all_are_looked_at),
		cmocka_unit_test(the_index_is_the_sum_over_the_bins),
		cmocka_unit_test(a_share_below_half_a_row_is_taken_for_that),
		cmocka_unit_test(a_value_is_in_the_bin_up_to_its_edge),
		cmocka_unit_test(bins_come_back_from_facts_bit_for_bit),
		cmocka_unit_test(the_longest_numbers_fit_into_a_fact),
		cmocka_unit_test(a_model_without_facts_has_no_bins),
		cmocka_unit_test(facts_of_untrusted_files_are_refused_where_anything_is_wrong),
		cmocka_unit_test(facts_must_follow_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
