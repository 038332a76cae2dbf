/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stats.h"

_Static_assert(STATS_N_COUNTERS <= 64, "a bit for each");

static void drops_and_flows_are_the_sum_of_every_reason(void **state)
{
	struct stats_block *block = calloc(1, sizeof(*block));
	uint64_t drops = 0, flows = 0;

	(void)state;
	assert_non_null(block);
	for (int i = 0; i < STATS_N_COUNTERS; i++) {
		stats_add(block, i, UINT64_C(1) << i);
		if (stats_counter_infos[i].kind == STATS_KIND_DROP)
			drops += UINT64_C(1) << i;
		if (stats_counter_infos[i].kind == STATS_KIND_FLOW_END)
			flows += UINT64_C(1) << i;
	}
	assert_true(drops > 0 && flows > 0);
	assert_true(stats_dropped(block) == drops);
	assert_true(stats_flows(block) == flows);
	free(block);
}

static void merged_blocks_add_up(void **state)
{
	struct stats_block *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b));

	(void)state;
	assert_non_null(a);
	assert_non_null(b);
	stats_add(a, STATS_packets, 3);
	stats_add(b, STATS_packets, UINT64_C(1) << 40);
	stats_add(b, STATS_bytes, 60);
	stats_add_ethertype(a, 0x0800);
	stats_add_ethertype(b, 0x0800);
	stats_add_ethertype(b, 0xffff);
	stats_merge(a, b);
	assert_int_equal(stats_get(a, STATS_packets), (UINT64_C(1) << 40) + 3);
	assert_int_equal(stats_get(a, STATS_bytes), 60);
	assert_int_equal(a->ethertypes[0x0800], 2);
	assert_int_equal(a->ethertypes[0xffff], 1);
	assert_int_equal(stats_get(b, STATS_packets), UINT64_C(1) << 40);
	free(a);
	free(b);
}

static void every_counter_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (int i = 0; i < STATS_N_COUNTERS; i++) {
		assert_non_null(stats_counter_infos[i].name);
		assert_true(strlen(stats_counter_infos[i].help) > 0);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(stats_counter_infos[i].name, stats_counter_infos[k].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drops_and_flows_are_the_sum_of_every_reason),
		cmocka_unit_test(merged_blocks_add_up),
		cmocka_unit_test(every_counter_has_a_name_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
