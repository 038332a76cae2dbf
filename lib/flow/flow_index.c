/* SPDX-License-Identifier: BSD-3-Clause */
#include "flow_index.h"

/* Buckets looked at for room. At 96% load a fifth or so have a free slot. */
#define MAX_NODES 128

/* The number of slots of which 96% are n_flows, in buckets. */
uint64_t flow_index_n_buckets(uint64_t n_flows)
{
	uint64_t n_buckets = 2;

	while (n_buckets * FLOW_BUCKET_SLOTS * 24 / 25 < n_flows)
		n_buckets *= 2;
	return n_buckets;
}

static void flow_index_put(struct flow_index *index, struct flow_place place, uint16_t tag, uint32_t flow,
			   bool is_guest)
{
	struct flow_bucket *bucket = &index->buckets[place.bucket];

	bucket->tags[place.slot] = tag;
	bucket->flows[place.slot] = flow;
	if (!is_guest)
		return;
	bucket->guests |= (uint8_t)(1u << place.slot);
	index->buckets[flow_index_other(index, place.bucket, tag)].n_away++;
}

void flow_index_clear(struct flow_index *index, struct flow_place place)
{
	struct flow_bucket *bucket = &index->buckets[place.bucket];

	if (bucket->guests >> place.slot & 1) {
		bucket->guests &= (uint8_t) ~(1u << place.slot);
		index->buckets[flow_index_other(index, place.bucket, bucket->tags[place.slot])].n_away--;
	}
	bucket->tags[place.slot] = 0;
}

static bool flow_index_find_flow(const struct flow_index *index, uint16_t tag, uint32_t flow,
				 struct flow_place *place)
{
	const struct flow_bucket *bucket = &index->buckets[place->bucket];

	for (uint32_t slots = flow_bucket_match(bucket, tag); slots; slots &= slots - 1) {
		place->slot = (uint32_t)__builtin_ctz(slots);
		if (bucket->flows[place->slot] == flow)
			return true;
	}
	return false;
}

void flow_index_remove(struct flow_index *index, uint64_t hash, uint32_t flow)
{
	uint16_t tag = flow_index_tag(hash);
	struct flow_place place = {.bucket = flow_index_first(index, hash)};

	if (!flow_index_find_flow(index, tag, flow, &place)) {
		place.bucket = flow_index_other(index, place.bucket, tag);
		if (!flow_index_find_flow(index, tag, flow, &place))
			return;
	}
	flow_index_clear(index, place);
}

/* A bucket that the search has come to: from the slot of another, whose flow could move here. */
struct search_node {
	uint32_t bucket;
	uint8_t parent;
	uint8_t slot;
};
_Static_assert(MAX_NODES <= 256, "a parent fits its type");

/* Moves the flow in a slot to its other bucket, into a free slot. */
static void flow_index_move(struct flow_index *index, struct flow_place from, struct flow_place to)
{
	const struct flow_bucket *bucket = &index->buckets[from.bucket];
	uint16_t tag = bucket->tags[from.slot];
	uint32_t flow = bucket->flows[from.slot];
	bool was_guest = bucket->guests >> from.slot & 1;

	flow_index_clear(index, from);
	flow_index_put(index, to, tag, flow, !was_guest);
}

/*
 * Breadth first: the shortest chain of moves that frees a slot of one of the first two nodes. Returns which, and
 * its free slot; or 2 when there is none.
 */
static uint32_t flow_index_make_room(struct flow_index *index, struct search_node *nodes, uint32_t *free_slot)
{
	uint32_t n_nodes = 2;

	for (uint32_t at = 0; at < n_nodes && n_nodes + FLOW_BUCKET_SLOTS <= MAX_NODES; at++) {
		const struct flow_bucket *bucket = &index->buckets[nodes[at].bucket];
		uint32_t first = n_nodes;

		for (uint32_t s = 0; s < FLOW_BUCKET_SLOTS; s++) {
			uint32_t other = flow_index_other(index, nodes[at].bucket, bucket->tags[s]);

			__builtin_prefetch(&index->buckets[other], 1);
			nodes[n_nodes++] = (struct search_node){other, (uint8_t)at, (uint8_t)s};
		}
		for (uint32_t found = first; found < n_nodes; found++) {
			uint32_t slots = flow_bucket_match(&index->buckets[nodes[found].bucket], 0);
			struct flow_place to = {.bucket = nodes[found].bucket};

			if (!slots)
				continue;
			to.slot = (uint32_t)__builtin_ctz(slots);
			for (uint32_t node = found; node >= 2; node = nodes[node].parent) {
				struct flow_place from = {nodes[nodes[node].parent].bucket, nodes[node].slot};

				flow_index_move(index, from, to);
				to = from;
			}
			*free_slot = to.slot;
			return to.bucket == nodes[0].bucket ? 0 : 1;
		}
	}
	return 2;
}

bool flow_index_insert(struct flow_index *index, uint64_t hash, uint32_t flow)
{
	uint16_t tag = flow_index_tag(hash);
	struct search_node nodes[MAX_NODES];
	uint32_t which, slots, slot;

	nodes[0].bucket = flow_index_first(index, hash);
	nodes[1].bucket = flow_index_other(index, nodes[0].bucket, tag);
	for (which = 0; which < 2; which++) {
		slots = flow_bucket_match(&index->buckets[nodes[which].bucket], 0);
		if (slots)
			break;
	}
	if (which < 2)
		slot = (uint32_t)__builtin_ctz(slots);
	else
		which = flow_index_make_room(index, nodes, &slot);
	if (which == 2)
		return false;
	flow_index_put(index, (struct flow_place){nodes[which].bucket, slot}, tag, flow, which == 1);
	return true;
}
