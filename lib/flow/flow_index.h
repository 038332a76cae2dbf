/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the flow of a hash is: 64-byte buckets of tags and flow numbers. Called by the flow table, which owns the
 * flows and compares their keys.
 *
 * A flow is in its first bucket or, when that was full, in its second; the one follows from the other and the tag,
 * so that flows already there can be moved without looking at them (Fan et al. 2014).
 */
#ifndef WIRESCORE_FLOW_INDEX_H
#define WIRESCORE_FLOW_INDEX_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define FLOW_BUCKET_SLOTS 8

struct flow_bucket {
	uint16_t tags[FLOW_BUCKET_SLOTS]; /* 0: free */
	uint32_t flows[FLOW_BUCKET_SLOTS];
	uint32_t n_away; /* flows whose first bucket this is, and that are in their second */
	uint8_t guests;	 /* bit s: this is the second bucket of the flow in slot s */
	uint8_t reserved[11];
};
_Static_assert(sizeof(struct flow_bucket) == 64, "one cache line");

struct flow_index {
	struct flow_bucket *buckets; /* zeroed memory, aligned to 64 */
	uint32_t mask;		     /* number of buckets, a power of two, less one */
};

/* Where a flow is. */
struct flow_place {
	uint32_t bucket;
	uint32_t slot;
};

/* Buckets for n_flows: their slots are at most 96% full, and no fewer than 2 buckets. */
uint64_t flow_index_n_buckets(uint64_t n_flows);

static inline uint16_t flow_index_tag(uint64_t hash)
{
	uint16_t tag = (uint16_t)(hash >> 32);

	return tag ? tag : 1;
}

static inline uint32_t flow_index_first(const struct flow_index *index, uint64_t hash)
{
	return (uint32_t)hash & index->mask;
}

/* The other bucket of a flow that may be in this one; never the same. */
static inline uint32_t flow_index_other(const struct flow_index *index, uint32_t bucket, uint16_t tag)
{
	return (bucket ^ (tag * 0x9e3779b1u >> 4 | 1)) & index->mask;
}

/* Slots with this tag, as bits; with tag 0, free slots. */
static inline uint32_t flow_bucket_match(const struct flow_bucket *bucket, uint16_t tag)
{
#if defined(__SSE2__)
	__m128i tags = _mm_load_si128((const __m128i *)(const void *)bucket->tags);
	__m128i equal = _mm_cmpeq_epi16(tags, _mm_set1_epi16((short)tag));

	return (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(equal, _mm_setzero_si128()));
#else
	uint32_t slots = 0;

	for (uint32_t s = 0; s < FLOW_BUCKET_SLOTS; s++)
		slots |= (uint32_t)(bucket->tags[s] == tag) << s;
	return slots;
#endif
}

/*
 * Puts a flow that is not there into one of its buckets; others may move to their other bucket. False when no room
 * was found: then nothing has changed but for such moves.
 */
bool flow_index_insert(struct flow_index *index, uint64_t hash, uint32_t flow);

/* Takes out what is in a slot. */
void flow_index_clear(struct flow_index *index, struct flow_place place);

/* Takes out a flow that is there. */
void flow_index_remove(struct flow_index *index, uint64_t hash, uint32_t flow);

#endif
