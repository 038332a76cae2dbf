/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "histogram.h"
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

/* Names of metrics are made of them: a unit that nobody knows would make a metric that nobody finds. */
static void every_counter_has_a_unit_and_a_name_that_metrics_can_have(void **state)
{
	static const char *const units[] = {"packets", "bytes", "flows", "cycles", "times"};

	(void)state;
	for (int i = 0; i < STATS_N_COUNTERS; i++) {
		const struct stats_counter_info *info = &stats_counter_infos[i];
		bool is_known = false;

		for (size_t k = 0; k < sizeof(units) / sizeof(units[0]); k++)
			is_known |= !strcmp(info->unit, units[k]);
		assert_true(is_known);
		assert_int_equal(strspn(info->name, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(info->name));
		/* family_of in live_metrics.c has room for it. */
		assert_true(strlen("wirescore__") + strlen(info->name) + strlen(info->unit) < 64);
	}
}

static void every_value_is_in_its_histogram_bucket(void **state)
{
	(void)state;
	for (int shift = 0; shift < 64; shift++)
		for (int64_t step = -2; step <= 2; step++) {
			uint64_t value = (UINT64_C(1) << shift) + (uint64_t)step;
			uint32_t bucket = stats_histogram_bucket(value);

			assert_true(bucket < STATS_HISTOGRAM_BUCKETS);
			assert_true(stats_histogram_least(bucket) <= value);
			assert_int_equal(stats_histogram_bucket(stats_histogram_least(bucket)), bucket);
			/* No more than an eighth above the least. */
			assert_true(value - stats_histogram_least(bucket) <= stats_histogram_least(bucket) / 8);
			if (bucket + 1 < STATS_HISTOGRAM_BUCKETS)
				assert_true(stats_histogram_least(bucket + 1) > value);
		}
	assert_int_equal(stats_histogram_bucket(UINT64_MAX), STATS_HISTOGRAM_BUCKETS - 1);
}

static void quantiles_lie_within_an_eighth(void **state)
{
	struct stats_histogram *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b));

	(void)state;
	assert_non_null(a);
	assert_non_null(b);
	assert_int_equal(stats_histogram_quantile(a, 0.5), 0);
	for (uint64_t i = 1; i <= 10000; i++)
		stats_histogram_add(i % 2 ? a : b, i, 1);
	stats_histogram_merge(a, b);
	assert_int_equal(stats_histogram_count(a), 10000);
	assert_int_equal(a->sum, 10000 * 10001 / 2);
	for (double share = 0.01; share < 1; share += 0.07) {
		double true_value = share * 10000, told = (double)stats_histogram_quantile(a, share);

		assert_true(told >= true_value - 1 && told <= true_value * 9 / 8 + 1);
	}
	assert_int_equal(stats_histogram_quantile(a, 0), 1);
	free(a);
	free(b);
}

static void scores_are_counted_by_their_logit(void **state)
{
	static const struct {
		float logit;
		uint32_t bucket;
	} cases[] = {{-INFINITY, 0}, {-10.001f, 0}, {-10, 1}, {-0.5f, 10},
		     {0, 11},	     {9.99f, 20},   {10, 21}, {INFINITY, 21}};
	struct stats_block *block = calloc(1, sizeof(*block));

	(void)state;
	assert_non_null(block);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t before = block->flow_scores[cases[i].bucket];

		stats_count_score(block->flow_scores, cases[i].logit);
		assert_int_equal(block->flow_scores[cases[i].bucket], before + 1);
	}
	free(block);
}

static void one_burst_in_so_many_is_timed(void **state)
{
	struct stats_block *block = calloc(1, sizeof(*block));

	(void)state;
	assert_non_null(block);
	for (int i = 0; i < 10 * STATS_TIMED_BURSTS; i++) {
		stats_lap_begin(block);
		stats_lap_rx(block, 32);
		/* Some bursts go to other workers as a whole. */
		stats_lap_end(block, STATS_stage_action, i % 2 ? 0 : 32);
	}
	/* Whether a burst is timed is decided behind the one before. */
	assert_int_equal(stats_get(block, STATS_timed_received), 9 * 32);
	assert_int_equal(stats_get(block, STATS_timed_packets), 4 * 32);
	assert_true(stats_get(block, STATS_stage_action) > 0);
	assert_int_equal(stats_get(block, STATS_stage_parse), 0);
	free(block);
}

static void of_two_kinds_of_bursts_that_take_turns_both_are_timed(void **state)
{
	struct stats_block *block = calloc(1, sizeof(*block));
	uint32_t n_timed[16] = {0};

	(void)state;
	assert_non_null(block);
	for (uint32_t i = 0; i < 16 * 4 * STATS_TIMED_BURSTS; i++) {
		stats_lap_begin(block);
		n_timed[i % 16] += block->laps.is_on;
		stats_lap_end(block, STATS_stage_action, 1);
	}
	for (uint32_t i = 0; i < 16; i++)
		assert_in_range(n_timed[i], 3, 4);
	free(block);
}

static void waiting_is_left_out_of_a_stage(void **state)
{
	struct stats_block *block = calloc(1, sizeof(*block));
	const uint64_t waited = 1u << 20;
	uint64_t start = stats_cycles();

	(void)state;
	assert_non_null(block);
	block->laps.is_on = true;
	stats_lap_begin(block);
	while (stats_cycles() - block->laps.since < waited)
		;
	stats_lap_leave_out(block, waited);
	stats_lap_end(block, STATS_stage_action, 1);
	assert_true(stats_get(block, STATS_stage_action) <= stats_cycles() - start - waited);
	free(block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drops_and_flows_are_the_sum_of_every_reason),
		cmocka_unit_test(merged_blocks_add_up),
		cmocka_unit_test(every_counter_has_a_name_of_its_own),
		cmocka_unit_test(every_counter_has_a_unit_and_a_name_that_metrics_can_have),
		cmocka_unit_test(every_value_is_in_its_histogram_bucket),
		cmocka_unit_test(quantiles_lie_within_an_eighth),
		cmocka_unit_test(scores_are_counted_by_their_logit),
		cmocka_unit_test(one_burst_in_so_many_is_timed),
		cmocka_unit_test(of_two_kinds_of_bursts_that_take_turns_both_are_timed),
		cmocka_unit_test(waiting_is_left_out_of_a_stage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
