/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The baselines: lib/train/baselines.c. Stumps are checked by hand and against trying everything; the numbers of
 * logistic regression are those of scikit-learn 1.2.1, LogisticRegression(C=1, class_weight='balanced', tol=1e-12) on
 * StandardScaler's output.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "baselines.h"

#define assert_near(value, expected, tolerance) assert_true(fabs((double)(value) - (expected)) <= (tolerance))

#define N	   200
#define N_FEATURES 3

struct sample {
	float values[N][N_FEATURES];
	uint32_t rows[N];
	uint8_t truths[N];
	struct baseline_data data;
};

/* The C library's old generator, so that other programs can draw the same rows. */
static float drawn(uint32_t *state)
{
	*state = (*state * 1103515245u + 12345u) & 0x7fffffffu;
	return (float)((double)*state / 2147483648.0);
}

static void draw(struct sample *sample)
{
	uint32_t state = 1;

	for (uint32_t i = 0; i < N; i++) {
		float a = drawn(&state), b = drawn(&state), c = drawn(&state), d = drawn(&state);

		sample->values[i][0] = a * 10;
		sample->values[i][1] = b;
		sample->values[i][2] = c * c * 1000;
		sample->rows[i] = i;
		sample->truths[i] = a + b - d > 0.9f;
	}
	sample->data = (struct baseline_data){sample->values[0], N_FEATURES, sample->rows, sample->truths, N};
}

static double balanced_accuracy(const struct stump *stump, const struct baseline_data *data)
{
	double n[2] = {0}, n_right[2] = {0};

	for (uint32_t i = 0; i < data->n; i++) {
		const float *row = data->values + (size_t)data->rows[i] * data->n_features;

		n[data->truths[i]]++;
		n_right[data->truths[i]] += stump_says(stump, row) == data->truths[i];
	}
	return (n_right[0] / n[0] + n_right[1] / n[1]) / 2;
}

static void a_stump_finds_the_column_that_separates(void **state)
{
	static const float values[] = {5, 1, 5, 2, 5, 3, 5, 9, 5, 10};
	static const uint32_t rows[] = {0, 1, 2, 3, 4};
	struct baseline_data data = {values, 2, rows, (uint8_t[]){1, 1, 1, 0, 0}, 5};
	struct stump stump;

	(void)state;
	assert_int_equal(stump_fit(&stump, &data), 0);
	assert_int_equal(stump.feature, 1);
	assert_near(stump.threshold, 6, 0);
	assert_true(stump.is_below);
	assert_near(stump.balanced_accuracy, 1, 0);
	assert_true(stump_says(&stump, values + 4) && !stump_says(&stump, values + 6));
	assert_true(stump_score(&stump, values) > stump_score(&stump, values + 8));
}

static void a_stump_is_as_good_as_trying_everything(void **state)
{
	struct sample sample;
	struct stump stump;
	double best = 0;

	(void)state;
	draw(&sample);
	assert_int_equal(stump_fit(&stump, &sample.data), 0);
	for (uint32_t feature = 0; feature < N_FEATURES; feature++)
		for (uint32_t i = 0; i < N; i++)
			for (int is_below = 0; is_below < 2; is_below++) {
				struct stump tried = {feature, sample.values[i][feature], is_below, 0};

				best = fmax(best, balanced_accuracy(&tried, &sample.data));
			}
	assert_near(stump.balanced_accuracy, best, 1e-12);
	assert_near(balanced_accuracy(&stump, &sample.data), best, 1e-12);
	assert_true(best > 0.7 && best < 0.95);
}

static void only_the_rows_that_are_named_are_learnt_from(void **state)
{
	static const float values[] = {1, 2, -7, 8, 9};
	struct baseline_data data = {values, 1, (uint32_t[]){0, 1, 3, 4}, (uint8_t[]){0, 0, 1, 1}, 4};
	struct stump stump;

	(void)state;
	assert_int_equal(stump_fit(&stump, &data), 0);
	assert_near(stump.threshold, 5, 0);
	assert_near(stump.balanced_accuracy, 1, 0);
}

static void neighbouring_floats_are_told_apart(void **state)
{
	float low = 1e30f, high = nextafterf(low, INFINITY);
	float values[] = {low, high};
	struct baseline_data data = {values, 1, (uint32_t[]){0, 1}, (uint8_t[]){0, 1}, 2};
	struct stump stump;

	(void)state;
	assert_int_equal(stump_fit(&stump, &data), 0);
	assert_near(balanced_accuracy(&stump, &data), 1, 0);
}

static void constant_columns_give_no_stump(void **state)
{
	struct baseline_data data = {(float[]){3, 3}, 1, (uint32_t[]){0, 1}, (uint8_t[]){0, 1}, 2};
	struct stump stump;

	(void)state;
	assert_int_equal(stump_fit(&stump, &data), 0);
	assert_near(stump.balanced_accuracy, 0.5, 0);
	assert_near(balanced_accuracy(&stump, &data), 0.5, 0);
}

static void one_class_is_refused(void **state)
{
	struct baseline_data data = {(float[]){1, 2}, 1, (uint32_t[]){0, 1}, (uint8_t[]){1, 1}, 2};
	struct logistic logistic;
	struct stump stump;

	(void)state;
	assert_int_equal(stump_fit(&stump, &data), -EINVAL);
	assert_int_equal(logistic_fit(&logistic, &data, NULL), -EINVAL);
	data.n = 0;
	assert_int_equal(stump_fit(&stump, &data), -EINVAL);
}

static void logistic_regression_is_scikit_learns(void **state)
{
	struct logistic logistic;
	struct sample sample;

	(void)state;
	draw(&sample);
	assert_int_equal(logistic_fit(&logistic, &sample.data, NULL), 0);
	assert_near(logistic.weights[0], 1.64534514, 1e-5);
	assert_near(logistic.weights[1], 1.65086381, 1e-5);
	assert_near(logistic.weights[2], 0.03446432, 1e-5);
	assert_near(logistic.bias, -1.24405228, 1e-5);
	assert_near(logistic_score(&logistic, sample.values[0]), -3.08317328, 1e-5);
	assert_true(logistic.n_steps < 15);
	logistic_free(&logistic);
}

static void logarithms_are_taken_where_asked(void **state)
{
	struct logistic logistic;
	struct sample sample;

	(void)state;
	draw(&sample);
	assert_int_equal(logistic_fit(&logistic, &sample.data, (uint8_t[]){0, 0, 1}), 0);
	assert_near(logistic.weights[2], 0.00623763, 1e-5);
	assert_near(logistic.bias, -1.24615779, 1e-5);
	assert_near(logistic_score(&logistic, sample.values[1]), -0.50272439, 1e-5);
	logistic_free(&logistic);
}

static void the_same_rows_give_the_same_bits(void **state)
{
	struct logistic first, second;
	struct sample sample;

	(void)state;
	draw(&sample);
	assert_int_equal(logistic_fit(&first, &sample.data, NULL), 0);
	assert_int_equal(logistic_fit(&second, &sample.data, NULL), 0);
	assert_memory_equal(first.weights, second.weights, N_FEATURES * sizeof(double));
	logistic_free(&first);
	logistic_free(&second);
}

static void separable_constant_and_huge_columns_do_no_harm(void **state)
{
	static const float values[] = {1, 7, -3e38f, 2, 7, 3e38f, 10, 7, -3e38f, 11, 7, 3e38f};
	struct baseline_data data = {values, 3, (uint32_t[]){0, 1, 2, 3}, (uint8_t[]){0, 0, 1, 1}, 4};
	struct logistic logistic;

	(void)state;
	assert_int_equal(logistic_fit(&logistic, &data, NULL), 0);
	for (int j = 0; j < 3; j++)
		assert_true(isfinite(logistic.weights[j]));
	assert_near(logistic.weights[1], 0, 1e-12);
	assert_true(logistic_score(&logistic, values) < 0 && logistic_score(&logistic, values + 9) > 0);
	logistic_free(&logistic);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stump_finds_the_column_that_separates),
		cmocka_unit_test(a_stump_is_as_good_as_trying_everything),
		cmocka_unit_test(only_the_rows_that_are_named_are_learnt_from),
		cmocka_unit_test(neighbouring_floats_are_told_apart),
		cmocka_unit_test(constant_columns_give_no_stump),
		cmocka_unit_test(one_class_is_refused),
		cmocka_unit_test(logistic_regression_is_scikit_learns),
		cmocka_unit_test(logarithms_are_taken_where_asked),
		cmocka_unit_test(the_same_rows_give_the_same_bits),
		cmocka_unit_test(separable_constant_and_huge_columns_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
