/* SPDX-License-Identifier: BSD-3-Clause */
#include "stats.h"

const struct stats_counter_info stats_counter_infos[STATS_N_COUNTERS] = {
#define COUNTER(name, unit, help) [STATS_##name] = {#name, unit, help, STATS_KIND_COUNTER},
#define PARSE(name, help)	  [STATS_parse_##name] = {#name, "packets", help, STATS_KIND_PARSE},
#define DROP(name, help)	  [STATS_drop_##name] = {#name, "packets", help, STATS_KIND_DROP},
#define FLOW_END(name, help)	  [STATS_flows_##name] = {#name, "flows", help, STATS_KIND_FLOW_END},
#include "counters.def"
#undef COUNTER
#undef PARSE
#undef DROP
#undef FLOW_END
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

void stats_merge(struct stats_block *into, const struct stats_block *from)
{
	for (int i = 0; i < STATS_N_COUNTERS; i++)
		stats_add(into, i, stats_get(from, i));
	for (uint32_t type = 0; type < 65536; type++)
		into->ethertypes[type] += __atomic_load_n(&from->ethertypes[type], __ATOMIC_RELAXED);
}
