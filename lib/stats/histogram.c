/* SPDX-License-Identifier: BSD-3-Clause */
#include "histogram.h"

void stats_histogram_merge(struct stats_histogram *into, const struct stats_histogram *from)
{
	for (uint32_t i = 0; i < STATS_HISTOGRAM_BUCKETS; i++)
		into->buckets[i] += __atomic_load_n(&from->buckets[i], __ATOMIC_RELAXED);
	into->sum += __atomic_load_n(&from->sum, __ATOMIC_RELAXED);
}

uint64_t stats_histogram_count(const struct stats_histogram *histogram)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < STATS_HISTOGRAM_BUCKETS; i++)
		n += histogram->buckets[i];
	return n;
}

uint64_t stats_histogram_quantile(const struct stats_histogram *histogram, double share)
{
	double n_within = share * (double)stats_histogram_count(histogram);
	uint64_t n = 0;
	uint32_t last = 0;

	if (!stats_histogram_count(histogram))
		return 0;
	for (uint32_t i = 0; i < STATS_HISTOGRAM_BUCKETS; i++) {
		if (!histogram->buckets[i])
			continue;
		last = i;
		n += histogram->buckets[i];
		if ((double)n >= n_within)
			break;
	}
	return last + 1 < STATS_HISTOGRAM_BUCKETS ? stats_histogram_least(last + 1) - 1 : UINT64_MAX;
}
