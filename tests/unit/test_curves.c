/* SPDX-License-Identifier: BSD-3-Clause */
/* Curves and calibration: lib/train/curves.c. Expected values are scikit-learn 1.2.1's, or worked out by hand. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "curves.h"

#define assert_near(value, expected, tolerance) assert_true(fabs((value) - (expected)) <= (tolerance))

/* Twelve rows with ties within and across the classes. */
static const float scores[] = {0.9f, 0.8f, 0.8f, 0.7f, 0.6f, 0.6f, 0.6f, 0.4f, 0.3f, 0.2f, 0.2f, 0.1f};
static const uint8_t truths[] = {1, 1, 0, 1, 0, 1, 1, 0, 1, 0, 0, 0};
static const float weights[] = {1, 2, 1, 1, 0.5f, 1, 3, 1, 1, 2, 1, 1};
#define N 12

static void ties_make_one_point_as_in_scikit_learn(void **state)
{
	static const double fpr[] = {0, 1, 1, 2, 3, 3, 5, 6}, recall[] = {1, 2, 3, 5, 5, 6, 6, 6};
	static const double precision[] = {1, 2. / 3, 0.75, 5. / 7, 0.625, 2. / 3, 6. / 11, 0.5};
	struct curves curves;

	(void)state;
	assert_int_equal(curves_create(&curves, scores, truths, NULL, N), 0);
	assert_int_equal(curves.n_points, 8);
	for (uint32_t i = 0; i < 8; i++) {
		assert_near(curves_roc_xy(&curves, i).x, fpr[i] / 6, 1e-12);
		assert_near(curves_roc_xy(&curves, i).y, recall[i] / 6, 1e-12);
		assert_near(curves_pr_xy(&curves, i).x, recall[i] / 6, 1e-12);
		assert_near(curves_pr_xy(&curves, i).y, precision[i], 1e-12);
	}
	assert_near(curves_roc_auc(&curves), 0.7916666666666667, 1e-12);
	assert_near(curves_average_precision(&curves), 0.751984126984127, 1e-12);
	curves_free(&curves);
}

static void weights_count_as_in_scikit_learn(void **state)
{
	struct curves curves;

	(void)state;
	assert_int_equal(curves_create(&curves, scores, truths, weights, N), 0);
	assert_near(curves.n_positives, 9, 1e-12);
	assert_near(curves.n_negatives, 6.5, 1e-12);
	assert_near(curves_roc_auc(&curves), 0.8376068376068376, 1e-12);
	assert_near(curves_average_precision(&curves), 0.8278921942537504, 1e-12);
	curves_free(&curves);
}

static void the_order_of_rows_does_not_matter(void **state)
{
	float turned[N];
	uint8_t turned_truths[N];
	struct curves curves;

	(void)state;
	for (int i = 0; i < N; i++) {
		turned[i] = scores[(i * 5 + 3) % N];
		turned_truths[i] = truths[(i * 5 + 3) % N];
	}
	assert_int_equal(curves_create(&curves, turned, turned_truths, NULL, N), 0);
	assert_near(curves_roc_auc(&curves), 0.7916666666666667, 1e-12);
	curves_free(&curves);
}

static void logits_of_both_signs_are_in_order(void **state)
{
	static const float logits[] = {-3e38f, 2, -0.0f, 0.0f, -1e-30f, 1e-40f, INFINITY, -INFINITY, -2};
	static const uint8_t is[] = {0, 1, 0, 1, 0, 1, 1, 0, 0};
	static const float expected[] = {INFINITY, 2, 1e-40f, 0, -1e-30f, -2, -3e38f, -INFINITY};
	struct curves curves;

	(void)state;
	assert_int_equal(curves_create(&curves, logits, is, NULL, 9), 0);
	assert_int_equal(curves.n_points, 8);
	for (uint32_t i = 0; i < 8; i++)
		assert_true(curves.points[i].threshold == expected[i]);
	/* 20 pairs, of which 0 and -0 are a tie. */
	assert_near(curves_roc_auc(&curves), 19.5 / 20, 1e-12);
	curves_free(&curves);
}

static void recall_at_a_rate_takes_the_best_point_within_it(void **state)
{
	struct curve_operating_point at;
	struct curves curves;

	(void)state;
	assert_int_equal(curves_create(&curves, scores, truths, NULL, N), 0);
	at = curves_at_fpr(&curves, 0.2);
	assert_near(at.recall, 0.5, 1e-12);
	assert_near(at.fpr, 1.0 / 6, 1e-12);
	assert_true(at.threshold == 0.7f);
	at = curves_at_fpr(&curves, 0.4);
	assert_near(at.recall, 5.0 / 6, 1e-12);
	/* Points further on find no more, and alarm more often. */
	at = curves_at_fpr(&curves, 1);
	assert_near(at.recall, 1, 1e-12);
	assert_near(at.fpr, 0.5, 1e-12);
	assert_true(at.threshold == 0.3f);
	at = curves_at_fpr(&curves, 0.0001);
	assert_near(at.recall, 1.0 / 6, 1e-12);
	curves_free(&curves);

	/* The highest score is a benign row's: nothing can be called positive. */
	assert_int_equal(curves_create(&curves, (float[]){3, 2}, (uint8_t[]){0, 1}, NULL, 2), 0);
	at = curves_at_fpr(&curves, 0.01);
	assert_near(at.recall, 0, 0);
	assert_true(isinf(at.threshold));
	curves_free(&curves);
}

static void one_class_alone_has_no_area(void **state)
{
	struct curves curves;

	(void)state;
	assert_int_equal(curves_create(&curves, scores, (uint8_t[N]){0}, NULL, N), 0);
	assert_true(isnan(curves_roc_auc(&curves)));
	assert_true(isnan(curves_average_precision(&curves)));
	assert_true(isnan(curves_at_fpr(&curves, 0.01).recall));
	curves_free(&curves);
	assert_int_equal(curves_create(&curves, NULL, NULL, NULL, 0), 0);
	assert_true(isnan(curves_roc_auc(&curves)));
	curves_free(&curves);
}

static void a_score_that_is_no_number_is_refused(void **state)
{
	struct curves curves;

	(void)state;
	assert_int_equal(curves_create(&curves, (float[]){1, NAN}, (uint8_t[]){0, 1}, NULL, 2), -EINVAL);
}

static void precision_follows_bayes(void **state)
{
	(void)state;
	/* Axelsson's example: all of 2e-5 found at one false alarm in a thousand is two alarms in a hundred right. */
	assert_near(curves_precision_at(1, 0.001, 2e-5), 2e-5 / (2e-5 + 0.001 * (1 - 2e-5)), 1e-15);
	assert_near(curves_precision_at(0.5, 0, 0.1), 1, 1e-12);
	assert_true(isnan(curves_precision_at(0, 0, 0.1)));
}

static void a_thinned_curve_keeps_its_ends_and_its_shape(void **state)
{
	struct curve_xy line[1001];
	uint32_t n;

	(void)state;
	for (int i = 0; i <= 1000; i++)
		line[i] = (struct curve_xy){i / 1000.0, i < 500 ? 0 : 1};
	n = curves_thin(line, 1001, 0.1);
	assert_true(n >= 10 && n <= 14);
	assert_near(line[0].x, 0, 0);
	assert_near(line[n - 1].x, 1, 0);
	for (uint32_t i = 0; i < n; i++)
		assert_true(line[i].x == 0.5 || line[i].y == (line[i].x > 0.5));
	assert_int_equal(curves_thin(line, 1, 0.1), 1);
	assert_int_equal(curves_thin(line, 0, 0.1), 0);
}

static void calibration_is_measured_by_bins(void **state)
{
	static const float p[] = {0, 0.05f, 0.25f, 0.25f, 0.95f, 1};
	static const uint8_t is[] = {0, 1, 0, 1, 1, 1};
	struct calibration c;

	(void)state;
	calibration_measure(&c, p, is, NULL, 6);
	assert_near(c.bins[0].n, 2, 0);
	assert_near(c.bins[0].mean_probability, 0.025, 1e-8);
	assert_near(c.bins[0].share_positive, 0.5, 0);
	assert_near(c.bins[1].n, 0, 0);
	assert_near(c.bins[9].n, 2, 0);
	assert_near(c.error, (2 * 0.475 + 2 * 0.25 + 2 * 0.025) / 6, 1e-7);
	assert_near(c.brier, (0.95 * 0.95 + 0.25 * 0.25 + 0.75 * 0.75 + 0.05 * 0.05) / 6, 1e-7);

	calibration_measure(&c, scores, truths, NULL, N);
	assert_near(c.brier, 0.18333333333333332, 1e-7);
	calibration_measure(&c, scores, truths, weights, N);
	assert_near(c.brier, 0.15612903225806452, 1e-7);
	calibration_measure(&c, NULL, NULL, NULL, 0);
	assert_true(isnan(c.error) && isnan(c.brier));
}

static void a_million_rows_are_in_order(void **state)
{
	uint32_t n = 1000000, x = 1;
	float *many = malloc(n * sizeof(*many));
	uint8_t *is = malloc(n);
	struct curves curves;

	(void)state;
	for (uint32_t i = 0; i < n; i++) {
		x = x * 1664525 + 1013904223;
		many[i] = (float)(int32_t)x;
		is[i] = x >> 7 & 1;
	}
	assert_int_equal(curves_create(&curves, many, is, NULL, n), 0);
	for (uint32_t i = 1; i < curves.n_points; i++)
		assert_true(curves.points[i - 1].threshold > curves.points[i].threshold);
	assert_near(curves_roc_auc(&curves), 0.5, 0.005);
	curves_free(&curves);
	free(many);
	free(is);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ties_make_one_point_as_in_scikit_learn),
		cmocka_unit_test(weights_count_as_in_scikit_learn),
		cmocka_unit_test(the_order_of_rows_does_not_matter),
		cmocka_unit_test(logits_of_both_signs_are_in_order),
		cmocka_unit_test(recall_at_a_rate_takes_the_best_point_within_it),
		cmocka_unit_test(one_class_alone_has_no_area),
		cmocka_unit_test(a_score_that_is_no_number_is_refused),
		cmocka_unit_test(precision_follows_bayes),
		cmocka_unit_test(a_thinned_curve_keeps_its_ends_and_its_shape),
		cmocka_unit_test(calibration_is_measured_by_bins),
		cmocka_unit_test(a_million_rows_are_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
