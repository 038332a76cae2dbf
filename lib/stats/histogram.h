/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Histograms of values that span many powers of two, such as times: eight buckets to each power, so that a bucket's
 * greatest value is at most an eighth above its least (the log-linear buckets of HDR histograms). One writer, any
 * readers, as with struct stats_block.
 */
#ifndef WIRESCORE_STATS_HISTOGRAM_H
#define WIRESCORE_STATS_HISTOGRAM_H

#include <stdint.h>

enum {
	STATS_HISTOGRAM_BITS = 3, /* of a value behind its highest: which eighth of its power it is in */
	STATS_HISTOGRAM_BUCKETS = (64 - STATS_HISTOGRAM_BITS + 1) << STATS_HISTOGRAM_BITS,
};

struct stats_histogram {
	uint64_t buckets[STATS_HISTOGRAM_BUCKETS];
	uint64_t sum; /* of all values; may wrap */
};

/* The bucket of a value: values below 8 have one each. */
static inline uint32_t stats_histogram_bucket(uint64_t value)
{
	uint32_t shift;

	if (value < 2u << STATS_HISTOGRAM_BITS)
		return (uint32_t)value;
	shift = 63u - (uint32_t)__builtin_clzll(value) - STATS_HISTOGRAM_BITS;
	return (shift << STATS_HISTOGRAM_BITS) + (uint32_t)(value >> shift);
}

/* The least value of a bucket below STATS_HISTOGRAM_BUCKETS. */
static inline uint64_t stats_histogram_least(uint32_t bucket)
{
	uint32_t shift = bucket >> STATS_HISTOGRAM_BITS;

	if (shift < 2)
		return bucket;
	return (uint64_t)((bucket & ((1u << STATS_HISTOGRAM_BITS) - 1)) | 1u << STATS_HISTOGRAM_BITS)
	       << (shift - 1);
}

/* The writer's: n times the same value. */
static inline void stats_histogram_add(struct stats_histogram *histogram, uint64_t value, uint64_t n)
{
	uint64_t *bucket = &histogram->buckets[stats_histogram_bucket(value)];

	__atomic_store_n(bucket, *bucket + n, __ATOMIC_RELAXED);
	__atomic_store_n(&histogram->sum, histogram->sum + value * n, __ATOMIC_RELAXED);
}

/* Adds what another thread may be writing to one's own. */
void stats_histogram_merge(struct stats_histogram *into, const struct stats_histogram *from);

/* How many values there are, of one's own histogram. */
uint64_t stats_histogram_count(const struct stats_histogram *histogram);

/*
 * What a share of all values, of [0, 1], does not exceed, as far as buckets tell: the greatest value of a bucket; 0 where
 * there are no values. Of one's own histogram.
 */
uint64_t stats_histogram_quantile(const struct stats_histogram *histogram, double share);

#endif
