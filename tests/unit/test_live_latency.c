/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The buckets that times in a worker are counted in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "live_worker.h"

static void a_time_lies_within_the_ends_of_its_bucket(void **state)
{
	(void)state;
	for (uint32_t shift = 0; shift < 62; shift++)
		for (uint64_t more = 0; more < 256; more++) {
			uint64_t cycles = (UINT64_C(1) << shift) + (more << shift >> 8);
			uint32_t bucket = live_latency_bucket(cycles);

			assert_in_range(bucket, 0, LIVE_LATENCY_BUCKETS - 1);
			assert_true(live_latency_cycles(bucket) <= cycles);
			assert_true(cycles < live_latency_end_cycles(bucket));
		}
	assert_int_equal(live_latency_bucket(0), 0);
}

static void what_is_told_is_an_eighth_more_at_most(void **state)
{
	(void)state;
	for (uint64_t cycles = 1; cycles < 1 << 20; cycles++) {
		uint64_t end = live_latency_end_cycles(live_latency_bucket(cycles));

		assert_true(end - cycles <= cycles / 8 || end == cycles + 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_time_lies_within_the_ends_of_its_bucket),
		cmocka_unit_test(what_is_told_is_an_eighth_more_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
