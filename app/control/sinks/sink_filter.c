/* SPDX-License-Identifier: BSD-3-Clause */
#include "sink_filter.h"

#include <math.h>

static double threshold_of(const double *threshold)
{
	double value;

	__atomic_load(threshold, &value, __ATOMIC_RELAXED);
	return value;
}

struct sink_traits sink_traits_of_flow(const struct flow_record *record, const struct sink_formats *formats)
{
	double score = (double)flow_record_score(record);

	return (struct sink_traits){
		.key = flow_id(&record->flow),
		.score = score,
		.threshold = threshold_of(&formats->flow_threshold),
		.class = record->class,
		.has_class = !isnan(score),
	};
}

struct sink_traits sink_traits_of_packet(const struct packet_record *record, const struct sink_formats *formats)
{
	return (struct sink_traits){
		/* A packet without a conversation is one by itself; workers number their own. */
		.key = record->flow_id ? record->flow_id : ~(record->number ^ (uint64_t)record->worker << 48),
		.score = (double)record->score,
		.threshold = threshold_of(&formats->packet_threshold),
		.class = record->class,
		.has_class = record->class < 2,
	};
}

/*
 * One of n, by the upper bits of a product (Knuth's multiplicative hash): brokers share conversations out by others,
 * so that a sample reaches all of them.
 */
static bool is_one_of(uint64_t key, uint32_t n)
{
	uint64_t hash = (key ^ key >> 32) * 0x9e3779b97f4a7c15u;

	return (uint32_t)((hash >> 32) * n >> 32) == 0;
}

bool sink_filter_passes(const struct sink_filter *filter, const struct sink_traits *traits)
{
	if (filter->classes && (!traits->has_class || !(filter->classes >> traits->class & 1)))
		return false;
	/* No comparison with NAN is true. */
	if (filter->min_score > 0 && !(traits->score >= filter->min_score))
		return false;
	if (filter->uncertain > 0 && !(fabs(traits->score - traits->threshold) <= filter->uncertain))
		return false;
	return filter->one_in <= 1 || is_one_of(traits->key, filter->one_in);
}
