/* SPDX-License-Identifier: BSD-3-Clause */
#include "stats.h"

const struct stats_counter_info stats_counter_infos[STATS_N_COUNTERS] = {
#define CLASS(name, help)	       [STATS_##name] = {#name, "packets", help, STATS_KIND_CLASS},
#define COUNTER(name, unit, help)      [STATS_##name] = {#name, unit, help, STATS_KIND_COUNTER},
#define FLOW_COUNTER(name, unit, help) [STATS_##name] = {#name, unit, help, STATS_KIND_FLOW_COUNTER},
#define GAUGE(name, unit, help)	       [STATS_##name] = {#name, unit, help, STATS_KIND_GAUGE},
#define CYCLES(name, help)	       [STATS_##name] = {#name, "cycles", help, STATS_KIND_CYCLES},
#define PARSE(name, help)	       [STATS_parse_##name] = {#name, "packets", help, STATS_KIND_PARSE},
#define DROP(name, help)	       [STATS_drop_##name] = {#name, "packets", help, STATS_KIND_DROP},
#define FLOW_END(name, help)	       [STATS_flows_##name] = {#name, "flows", help, STATS_KIND_FLOW_END},
#define STAGE(name, help)	       [STATS_stage_##name] = {#name, "cycles", help, STATS_KIND_STAGE},
#include "counters.def"
#undef CLASS
#undef COUNTER
#undef FLOW_COUNTER
#undef GAUGE
#undef CYCLES
#undef PARSE
#undef DROP
#undef FLOW_END
#undef STAGE
};

uint64_t stats_sum(const uint64_t *counters, enum stats_kind kind)
{
	uint64_t sum = 0;

	for (int i = 0; i < STATS_N_COUNTERS; i++)
		if (stats_counter_infos[i].kind == kind)
			sum += __atomic_load_n(&counters[i], __ATOMIC_RELAXED);
	return sum;
}

uint64_t stats_dropped(const struct stats_block *block)
{
	return stats_sum(block->counters, STATS_KIND_DROP);
}

uint64_t stats_flows(const struct stats_block *block)
{
	return stats_sum(block->counters, STATS_KIND_FLOW_END);
}

static void stats_merge_numbers(uint64_t *into, const uint64_t *from, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		__atomic_store_n(&into[i], into[i] + __atomic_load_n(&from[i], __ATOMIC_RELAXED), __ATOMIC_RELAXED);
}

void stats_merge_flow_verdicts(struct stats_flow_verdicts *into, const struct stats_flow_verdicts *from)
{
	stats_merge_numbers(into->classes, from->classes, STATS_MAX_FLOW_CLASSES);
	stats_merge_numbers(&into->unscored, &from->unscored, 1);
	stats_merge_numbers(into->at_packets, from->at_packets, STATS_MAX_CHECKPOINT + 1);
}

void stats_merge(struct stats_block *into, const struct stats_block *from)
{
	stats_merge_numbers(into->counters, from->counters, STATS_N_COUNTERS);
	stats_merge_flow_verdicts(&into->flow_verdicts, &from->flow_verdicts);
	stats_merge_numbers(into->ethertypes, from->ethertypes, 65536);
	stats_merge_numbers(into->packet_scores, from->packet_scores, STATS_SCORE_BUCKETS);
	stats_merge_numbers(into->flow_scores, from->flow_scores, STATS_SCORE_BUCKETS);
}
