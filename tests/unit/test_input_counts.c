/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "input_counts.h"

static void one_unit_in_so_many_is_looked_at_whatever_they_come_in(void **state)
{
	static const uint32_t sizes[] = {1, 2, 7, 16, 64, 1000};
	struct input_bins bins;

	(void)state;
	input_bins_init(&bins);
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		struct input_counts *counts = input_counts_create(&bins, 1, 16);
		uint32_t n_looked = 0, n_units = 0;

		assert_non_null(counts);
		for (; n_units < 160000; n_units += sizes[s]) {
			uint32_t at = input_counts_skip(counts, sizes[s]);

			for (; at < sizes[s]; at += input_counts_skip(counts, sizes[s] - at)) {
				n_looked++;
				at++;
			}
			assert_int_equal(at, sizes[s]);
		}
		if (abs((int)n_looked - (int)n_units / 16) > 400)
			fail_msg("%u of %u units by %u", n_looked, n_units, sizes[s]);
		free(counts);
	}
}

static void no_unit_of_a_period_is_left_out(void **state)
{
	struct input_bins bins;
	struct input_counts *counts;
	uint32_t n_looked[64] = {0};

	(void)state;
	input_bins_init(&bins);
	counts = input_counts_create(&bins, 1, 16);
	assert_non_null(counts);
	for (uint32_t i = 0; i < 64 * 4000; i++)
		n_looked[i % 64] += !input_counts_skip(counts, 1);
	for (int i = 0; i < 64; i++)
		if (n_looked[i] < 150 || n_looked[i] > 350)
			fail_msg("place %d was looked at %u times of 4000", i, n_looked[i]);
	free(counts);
}

static void each_input_of_a_row_is_counted_in_its_bin(void **state)
{
	struct input_bins bins[2];
	struct input_counts *counts;

	(void)state;
	input_bins_init(&bins[0]);
	input_bins_init(&bins[1]);
	input_bins_add(&bins[0], 5, 0.5f);
	input_bins_add(&bins[1], 1, 0.2f);
	input_bins_add(&bins[1], 2, 0.4f);
	counts = input_counts_create(bins, 2, 1);
	assert_non_null(counts);
	input_counts_add_bytes(counts, (const uint8_t[]){5, 2});
	input_counts_add_bytes(counts, (const uint8_t[]){6, 200});
	input_counts_add_floats(counts, (const float[]){-1e30f, 0.5f});
	assert_int_equal(counts->numbers[0][0], 2);
	assert_int_equal(counts->numbers[0][1], 1);
	assert_int_equal(counts->numbers[1][0], 1);
	assert_int_equal(counts->numbers[1][1], 1);
	assert_int_equal(counts->numbers[1][2], 1);
	for (int b = 3; b < INPUT_BINS_MAX; b++)
		assert_int_equal(counts->numbers[0][b] + counts->numbers[1][b], 0);
	free(counts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_unit_in_so_many_is_looked_at_whatever_they_come_in),
		cmocka_unit_test(no_unit_of_a_period_is_left_out),
		cmocka_unit_test(each_input_of_a_row_is_counted_in_its_bin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
