/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flow_lint.h"
#include "random.h"

#define N_FEATURES 3

/* What a test looks through. */
struct table {
	struct flow_dataset set;
	struct flow_lint *lint;
	uint64_t line;
};

static struct table table_begin(const char *first)
{
	const char *const names[N_FEATURES] = {first, "b", "c"};
	struct table table = {.line = 1, .lint = flow_lint_create()};

	flow_dataset_init(&table.set);
	assert_non_null(table.lint);
	assert_int_equal(flow_dataset_set_features(&table.set, names, N_FEATURES), 0);
	return table;
}

static void table_end(struct table *table)
{
	flow_lint_free(table->lint);
	flow_dataset_free(&table->set);
}

static void add_row(struct table *table, struct flow_csv_row row, float a, float b, float c)
{
	const float values[N_FEATURES] = {a, b, c};

	row.values = values;
	row.line = ++table->line;
	row.row.label = row.row.class;
	assert_int_equal(flow_lint_add(table->lint, &table->set, &row), 0);
}

static void add(struct table *table, uint8_t class, float a, float b, float c)
{
	const struct flow_csv_row row = {.row = {.class = class, .start_s = NAN, .flow = table->line + 1},
					 .end_s = NAN};

	add_row(table, row, a, b, c);
}

static void rows_that_are_there_twice_are_found(void **state)
{
	struct table table = table_begin("a");
	const struct flow_lint_finding *duplicate, *conflict;

	(void)state;
	for (int i = 0; i < 5000; i++)
		add(&table, i % 2, (float)i, 1, 2); /* lines 2.. */
	add(&table, 0, 100, 1, 2);		    /* line 5002, as 102 */
	add(&table, 1, 100, 1, 2);		    /* another label */
	add(&table, 1, 100, 1, 2);		    /* another label, and twice with it */
	add(&table, 0, 0, 1, 2);
	add(&table, 0, -0.0f, 1, 2);
	duplicate = &flow_lint_finish(table.lint, &table.set)->found[FLOW_LINT_DUPLICATE];
	conflict = &flow_lint_finish(table.lint, &table.set)->found[FLOW_LINT_CONFLICT];
	assert_int_equal(duplicate->n, 4);
	assert_int_equal(duplicate->line, 5002);
	assert_int_equal(duplicate->other_line, 102);
	assert_int_equal(conflict->n, 2);
	assert_int_equal(conflict->line, 5003);
	assert_int_equal(conflict->other_line, 102);
	table_end(&table);
}

static void a_flow_that_looks_alike_at_its_end_is_no_duplicate(void **state)
{
	struct table table = table_begin("a");
	struct flow_csv_row row = {.row = {.flow = 7, .checkpoint = 1, .start_s = NAN}, .end_s = NAN};

	(void)state;
	add_row(&table, row, 1, 2, 3);
	row.row.checkpoint = 0;
	add_row(&table, row, 1, 2, 3);
	assert_int_equal(flow_lint_finish(table.lint, &table.set)->found[FLOW_LINT_DUPLICATE].n, 0);
	row.row.checkpoint = 1;
	add_row(&table, row, 1, 2, 3); /* the very row again */
	row.row.checkpoint = 0;
	row.row.flow = 8;
	add_row(&table, row, 1, 2, 3);
	assert_int_equal(flow_lint_finish(table.lint, &table.set)->found[FLOW_LINT_DUPLICATE].n, 2);
	table_end(&table);
}

static void times_that_go_back_are_found_in_each_source(void **state)
{
	static const struct {
		uint32_t source;
		double start_s, end_s;
	} rows[] = {{0, 100, 101}, {1, 50, 51}, {0, 100, 99}, {0, 98, 103}, {1, 50, 50}, {0, 40, 200}, {5, NAN, 7}};
	struct table table = table_begin("a");
	const struct flow_lint_result *result;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		add_row(&table,
			(struct flow_csv_row){.row = {.source = rows[i].source, .start_s = rows[i].start_s},
					      .end_s = rows[i].end_s},
			(float)i, 0, 0);
	result = flow_lint_finish(table.lint, &table.set);
	assert_true(result->has_times);
	assert_int_equal(result->found[FLOW_LINT_REVERSAL].n, 2);
	assert_int_equal(result->found[FLOW_LINT_REVERSAL].line, 5);
	assert_true(result->furthest_back_s == 60);
	assert_int_equal(result->found[FLOW_LINT_BACKWARD].n, 1);
	assert_int_equal(result->found[FLOW_LINT_BACKWARD].line, 4);
	table_end(&table);
}

static void rows_in_order_of_their_ends_may_be_as_late_as_time_outs(void **state)
{
	struct table table = table_begin("a");
	struct flow_csv_row row = {.row = {.start_s = 10}, .end_s = 5000, .is_late = true};

	(void)state;
	add_row(&table, row, 1, 0, 0);
	row.end_s = 3000;
	add_row(&table, row, 2, 0, 0);
	assert_int_equal(flow_lint_finish(table.lint, &table.set)->found[FLOW_LINT_REVERSAL].n, 0);
	row.end_s = 2000;
	add_row(&table, row, 3, 0, 0);
	assert_int_equal(flow_lint_finish(table.lint, &table.set)->found[FLOW_LINT_REVERSAL].n, 1);
	table_end(&table);
}

static void packets_left_over_after_an_end_are_found(void **state)
{
	static const struct {
		uint64_t tuple;
		double start_s, end_s;
		float n_packets;
		bool is_closed;
		uint8_t checkpoint;
		bool is_left_over;
	} rows[] = {
		{1, 10, 20, 9, true, 0, false},	     {1, 20.1, 20.1, 1, false, 0, true},
		{1, 30, 30, 1, false, 0, false},     {2, 20.1, 20.1, 1, false, 0, false},
		{1, 21, 22, 2, false, 0, false},     {1, 19, 19, 1, false, 0, false},
		{3, 10, 20, 9, false, 0, false},     {3, 20.1, 20.1, 1, false, 0, false},
		{0, 10, 20, 9, true, 0, false},	     {0, 20, 20, 1, false, 0, false},
		{1, 20.1, 20.1, 1, false, 1, false}, {1, 24, 24, 1, true, 0, true},
		{1, 28, 28, 1, false, 0, true},
	};
	struct table table = table_begin("packets");
	uint64_t n = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct flow_csv_row row = {
			.row = {.start_s = rows[i].start_s, .checkpoint = rows[i].checkpoint, .is_part = true},
			.end_s = rows[i].end_s,
			.tuple = rows[i].tuple,
			.is_closed = rows[i].is_closed,
			.is_late = true,
		};

		add_row(&table, row, rows[i].n_packets, (float)i, 0);
		n += rows[i].is_left_over;
		assert_int_equal(flow_lint_finish(table.lint, &table.set)->found[FLOW_LINT_LEFT_OVER].n, n);
	}
	assert_true(flow_lint_finish(table.lint, &table.set)->has_endings);
	table_end(&table);
}

/* Tables of CICFlowMeter have no reason for a row, but count FIN and RST, and have a duration, not an end. */
static void packets_left_over_are_found_in_tables_of_cicflowmeter(void **state)
{
	static const char *const names[] = {"Total Fwd Packet", "Total Bwd packets", "FIN Flag Count",
					    "RST Flag Count", "Flow Duration"};
	static const struct {
		double start_s;
		float values[5];
		bool is_left_over;
	} rows[] = {
		{10, {3, 2, 2, 0, 4e6f}, false},				 /* ends at 14 */
		{14.1, {1, 0, 0, 0, 0}, true},					 /* its last acknowledgement */
		{60, {2, 2, 0, 0, 1e6f}, false}, {61.5, {1, 0, 0, 0, 0}, false}, /* after no FIN */
		{70, {1, 1, 0, 1, 1e6f}, false}, {71.5, {0, 1, 1, 0, 0}, true},	 {77, {1, 0, 0, 0, 0}, false},
	};
	struct flow_lint *lint = flow_lint_create();
	struct flow_dataset set;
	uint64_t n = 0;

	(void)state;
	flow_dataset_init(&set);
	assert_int_equal(flow_dataset_set_features(&set, names, 5), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct flow_csv_row row = {
			.row = {.start_s = rows[i].start_s},
			.values = rows[i].values,
			.line = i + 2,
			.end_s = NAN,
			.tuple = 7,
		};

		assert_int_equal(flow_lint_add(lint, &set, &row), 0);
		n += rows[i].is_left_over;
		assert_int_equal(flow_lint_finish(lint, &set)->found[FLOW_LINT_LEFT_OVER].n, n);
	}
	assert_true(flow_lint_finish(lint, &set)->has_endings);
	flow_lint_free(lint);
	flow_dataset_free(&set);
}

static void labels_without_rows_have_none(void **state)
{
	struct table table = table_begin("a");
	const struct flow_lint_result *result;

	(void)state;
	assert_int_equal(flow_dataset_label(&table.set, "benign"), 0);
	add(&table, 0, 1, 2, 3);
	for (int i = 1; i < 100; i++) {
		char name[8];

		snprintf(name, sizeof(name), "x%d", i);
		assert_int_equal(flow_dataset_label(&table.set, name), i);
	}
	result = flow_lint_finish(table.lint, &table.set);
	assert_int_equal(result->n_label_rows[0], 1);
	for (int i = 1; i < 100; i++)
		assert_int_equal(result->n_label_rows[i], 0);
	table_end(&table);
}

/* Against a plain count over all pairs, and over all thresholds. */
static void columns_are_judged_as_by_their_definitions(void **state)
{
	enum { N = 200 };
	struct table table = table_begin("a");
	const struct flow_lint_column *columns;
	float values[N];
	double pairs = 0, n_pairs = 0, best = 0.5;
	struct random random;

	(void)state;
	random_seed(&random, 3);
	for (int i = 0; i < N; i++) {
		values[i] = (float)(int)random_below(&random, 40) - 20 + (float)(i % 2) * 8;
		add(&table, i % 2, values[i], (float)(i % 2) - 1, 5);
	}
	for (int i = 1; i < N; i += 2)
		for (int k = 0; k < N; k += 2, n_pairs++)
			pairs += values[i] > values[k] ? 1 : values[i] == values[k] ? 0.5 : 0;
	for (int threshold = -30; threshold < 40; threshold++) {
		double right[2] = {0, 0};

		for (int i = 0; i < N; i++)
			right[i % 2] += (values[i] >= (float)threshold) == (i % 2) ? 1 : 0;
		best = fmax(best, (right[0] + right[1]) / N);
	}
	columns = flow_lint_finish(table.lint, &table.set)->columns;
	assert_true(fabs(columns[0].auc - pairs / n_pairs) < 1e-12);
	assert_true(columns[0].balanced_accuracy >= best - 1e-12);
	if (!columns[0].is_by_value)
		assert_true(fabs(columns[0].balanced_accuracy - best) < 1e-12);
	assert_true(columns[1].auc == 1 && columns[1].balanced_accuracy == 1 && columns[1].threshold == 0);
	assert_true(columns[2].low == 5 && columns[2].high == 5 && columns[2].auc == 0.5);
	table_end(&table);
}

static void a_column_of_few_values_leaks_by_value(void **state)
{
	struct table table = table_begin("a");
	const struct flow_lint_column *columns;

	(void)state;
	/* Odd values are attacks, whatever their order; the second column has too many values to guess by. */
	for (int i = 0; i < 1000; i++)
		add(&table, i % 2, (float)(i % 8), (float)i, 0);
	columns = flow_lint_finish(table.lint, &table.set)->columns;
	assert_true(columns[0].is_by_value);
	assert_true(columns[0].balanced_accuracy == 1);
	assert_true(columns[0].auc < 0.7);
	assert_false(columns[1].is_by_value);
	assert_true(columns[1].balanced_accuracy < 0.6);
	table_end(&table);
}

static void one_class_alone_leaks_nothing(void **state)
{
	struct table table = table_begin("a");
	const struct flow_lint_result *result;

	(void)state;
	for (int i = 0; i < 10; i++)
		add(&table, 1, (float)i, 0, 0);
	result = flow_lint_finish(table.lint, &table.set);
	assert_true(isnan(result->columns[0].auc));
	assert_true(result->columns[0].balanced_accuracy == 0);
	assert_int_equal(result->n_class_rows[1], 10);
	assert_int_equal(result->n_label_rows[1], 10);
	assert_false(result->has_times);
	assert_false(result->has_endings);
	table_end(&table);
}

static void large_tables_are_judged_by_a_sample(void **state)
{
	struct table table = table_begin("a");
	const struct flow_lint_result *result;

	(void)state;
	/* The first half is otherwise than the second: a sample of the beginning would see a leak. */
	for (int i = 0; i < 300000; i++)
		add(&table, i % 2, (float)(i < 150000 ? i % 2 : 1 - i % 2), (float)i, 0);
	result = flow_lint_finish(table.lint, &table.set);
	assert_int_equal(result->n_sampled[0], 100000);
	assert_int_equal(result->n_sampled[1], 100000);
	assert_true(fabs(result->columns[0].balanced_accuracy - 0.5) < 0.01);
	assert_int_equal(result->n_class_rows[0], 150000);
	assert_int_equal(result->found[FLOW_LINT_DUPLICATE].n, 0);
	table_end(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_that_are_there_twice_are_found),
		cmocka_unit_test(a_flow_that_looks_alike_at_its_end_is_no_duplicate),
		cmocka_unit_test(times_that_go_back_are_found_in_each_source),
		cmocka_unit_test(rows_in_order_of_their_ends_may_be_as_late_as_time_outs),
		cmocka_unit_test(packets_left_over_after_an_end_are_found),
		cmocka_unit_test(packets_left_over_are_found_in_tables_of_cicflowmeter),
		cmocka_unit_test(labels_without_rows_have_none),
		cmocka_unit_test(columns_are_judged_as_by_their_definitions),
		cmocka_unit_test(a_column_of_few_values_leaks_by_value),
		cmocka_unit_test(one_class_alone_leaks_nothing),
		cmocka_unit_test(large_tables_are_judged_by_a_sample),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
