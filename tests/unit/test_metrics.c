/* SPDX-License-Identifier: BSD-3-Clause */
/* The confusion matrix: lib/train/metrics.c. Expected values are worked out by hand. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "metrics.h"

#define assert_near(value, expected, tolerance) assert_true(fabs((value) - (expected)) <= (tolerance))

static void fill(struct metrics *metrics, uint32_t n, const uint64_t *counts)
{
	assert_int_equal(metrics_init(metrics, n), 0);
	for (uint32_t truth = 0; truth < n; truth++)
		for (uint32_t said = 0; said < n; said++)
			metrics_add(metrics, truth, said, counts[truth * n + said]);
}

static void two_classes_are_scored_as_in_the_textbook(void **state)
{
	struct metrics m;

	(void)state;
	fill(&m, 2, (const uint64_t[]){50, 10, 5, 35});
	assert_int_equal(metrics_total(&m), 100);
	assert_int_equal(metrics_errors(&m), 15);
	assert_near(metrics_accuracy(&m), 0.85, 1e-12);
	assert_near(metrics_balanced_accuracy(&m), (50.0 / 60 + 35.0 / 40) / 2, 1e-12);
	assert_near(metrics_precision(&m, 1), 35.0 / 45, 1e-12);
	assert_near(metrics_recall(&m, 1), 35.0 / 40, 1e-12);
	assert_near(metrics_f1(&m, 1), 2.0 * 35 / (45 + 40), 1e-12);
	assert_near(metrics_precision(&m, 0), 50.0 / 55, 1e-12);
	metrics_free(&m);
}

static void three_classes_are_scored_each_against_the_rest(void **state)
{
	struct metrics m;

	(void)state;
	fill(&m, 3, (const uint64_t[]){3, 1, 0, 2, 4, 2, 0, 0, 8});
	assert_near(metrics_accuracy(&m), 15.0 / 20, 1e-12);
	assert_near(metrics_balanced_accuracy(&m), (3.0 / 4 + 4.0 / 8 + 1) / 3, 1e-12);
	assert_near(metrics_precision(&m, 2), 8.0 / 10, 1e-12);
	assert_near(metrics_recall(&m, 1), 0.5, 1e-12);
	assert_int_equal(metrics_count(&m, 1, 2), 2);
	metrics_free(&m);
}

static void nothing_to_divide_is_zero_not_nan(void **state)
{
	struct metrics m;

	(void)state;
	fill(&m, 2, (const uint64_t[]){7, 0, 0, 0});
	assert_near(metrics_accuracy(&m), 1, 0);
	assert_near(metrics_balanced_accuracy(&m), 1, 0);
	assert_near(metrics_precision(&m, 1), 0, 0);
	assert_near(metrics_recall(&m, 1), 0, 0);
	assert_near(metrics_f1(&m, 1), 0, 0);
	metrics_free(&m);
	fill(&m, 2, (const uint64_t[]){0, 0, 0, 0});
	assert_near(metrics_accuracy(&m), 0, 0);
	assert_near(metrics_balanced_accuracy(&m), 0, 0);
	metrics_free(&m);
}

static void one_class_is_no_classification(void **state)
{
	struct metrics m;

	(void)state;
	assert_int_equal(metrics_init(&m, 1), -EINVAL);
}

static void log_loss_neither_overflows_nor_vanishes(void **state)
{
	(void)state;
	assert_near(metrics_log_loss(0, 0), log(2), 1e-12);
	assert_near(metrics_log_loss(2, 1), log(1 + exp(-2)), 1e-12);
	assert_near(metrics_log_loss(2, 0), log(1 + exp(2)), 1e-12);
	assert_near(metrics_log_loss(-1000, 1), 1000, 1e-9);
	assert_near(metrics_log_loss(1000, 1), 0, 1e-300);
	assert_true(metrics_log_loss(40, 1) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_classes_are_scored_as_in_the_textbook),
		cmocka_unit_test(three_classes_are_scored_each_against_the_rest),
		cmocka_unit_test(nothing_to_divide_is_zero_not_nan),
		cmocka_unit_test(one_class_is_no_classification),
		cmocka_unit_test(log_loss_neither_overflows_nor_vanishes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
