/* SPDX-License-Identifier: BSD-3-Clause */
/* Histograms of times, as they are told: on a machine whose counter is known. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <rte_cycles.h>

#include "live_figures.h"

static uint64_t hz;

/* In place of DPDK's, which knows it once it is started. */
uint64_t rte_get_tsc_hz(void)
{
	return hz;
}

/* Looks whether the histogram of these cycles, one value of each, has all of them up to its bounds, which ascend. */
static void check_times(const uint64_t *cycles, uint32_t n)
{
	struct live live = {.n_workers = 1};
	struct stats_block *total = calloc(1, sizeof(*total));
	json_t *report, *times, *bounds;
	uint64_t sum = 0;
	json_int_t before = -1;
	uint32_t n_before = 0;

	live.workers = aligned_alloc(_Alignof(struct live_worker), sizeof(*live.workers));
	assert_non_null(live.workers);
	assert_non_null(total);
	memset(live.workers, 0, sizeof(*live.workers));
	for (uint32_t i = 0; i < n; i++)
		stats_histogram_add(&live.workers[0].verdict_cycles, cycles[i], 1);
	report = live_figures_histograms(&live, total);
	times = json_object_get(report, "verdict_ns");
	bounds = json_object_get(times, "le");
	assert_int_equal(json_array_size(bounds), json_array_size(json_object_get(times, "counts")));
	for (size_t i = 0; i < json_array_size(bounds); i++) {
		json_int_t bound = json_integer_value(json_array_get(bounds, i));

		assert_true(bound > before);
		before = bound;
		sum += (uint64_t)json_integer_value(json_array_get(json_object_get(times, "counts"), i));
		/* Cycles ascend: so many of them are within the buckets so far. */
		for (; n_before < sum; n_before++)
			assert_true((double)cycles[n_before] * 1e9 / (double)hz <= (double)bound * (1 + 1e-12));
	}
	assert_int_equal(sum, n);
	json_decref(report);
	free(live.workers);
	free(total);
}

static void bounds_of_times_ascend_and_no_value_is_above_its_own(void **state)
{
	static const uint64_t clocks[] = {UINT64_C(5300000000), UINT64_C(2600000000), 1000000000, 25000000};
	uint64_t cycles[4000];

	(void)state;
	for (size_t c = 0; c < sizeof(clocks) / sizeof(clocks[0]); c++) {
		hz = clocks[c];
		for (uint32_t i = 0; i < 4000; i++)
			cycles[i] = i;
		check_times(cycles, 4000);
		for (uint32_t i = 0; i < 400; i++)
			cycles[i] = stats_histogram_least(i + 8) - 1;
		check_times(cycles, 400);
		check_times(cycles + 7, 1);
		check_times(cycles, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounds_of_times_ascend_and_no_value_is_above_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
