/* SPDX-License-Identifier: BSD-3-Clause */
#include "stats.h"

const struct stats_counter_info stats_counter_infos[STATS_N_COUNTERS] = {
#define COUNTER(name, unit, help) [STATS_##name] = {#name, unit, help, STATS_KIND_COUNTER},
#define PARSE(name, help)	  [STATS_parse_##name] = {#name, "packets", help, STATS_KIND_PARSE},
#define DROP(name, help)	  [STATS_drop_##name] = {#name, "packets", help, STATS_KIND_DROP},
#include "counters.def"
#undef COUNTER
#undef PARSE
#undef DROP
};

uint64_t stats_dropped(const struct stats_block *block)
{
	uint64_t dropped = 0;

	for (int i = 0; i < STATS_N_COUNTERS; i++)
		if (stats_counter_infos[i].kind == STATS_KIND_DROP)
			dropped += stats_get(block, i);
	return dropped;
}

void stats_merge(struct stats_block *into, const struct stats_block *from)
{
	for (int i = 0; i < STATS_N_COUNTERS; i++)
		stats_add(into, i, stats_get(from, i));
	for (uint32_t type = 0; type < 65536; type++)
		into->ethertypes[type] += __atomic_load_n(&from->ethertypes[type], __ATOMIC_RELAXED);
}
