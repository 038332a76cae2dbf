/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "flow_keyer.h"
#include "flow_table.h"

struct flow_spread {
	struct flow_keyer keyer;
	uint64_t seed[2];
	uint32_t next; /* worker of the next packet without a flow */
};

struct flow_spread *flow_spread_create(enum flow_scope scope, const uint64_t seed[2])
{
	struct flow_spread *spread = calloc(1, sizeof(*spread));

	if (!spread)
		return NULL;
	flow_keyer_init(&spread->keyer, scope, false, seed);
	memcpy(spread->seed, seed, sizeof(spread->seed));
	return spread;
}

void flow_spread_free(struct flow_spread *spread)
{
	free(spread);
}

void flow_spread_reset(struct flow_spread *spread)
{
	flow_keyer_reset(&spread->keyer);
}

static uint32_t flow_spread_worker(const struct flow_spread *spread, const struct flow_key *key, uint32_t n_workers)
{
	uint64_t words[5];

	memcpy(words, key->address, sizeof(key->address));
	words[4] = key->scope_id;
	/* The upper half: the tables' sets follow from the lower one. */
	return (uint32_t)((flow_hash_sip(spread->seed, words, 5) >> 32) * n_workers >> 32);
}

void flow_spread_burst(struct flow_spread *spread, const struct frame *frames, const struct packet *packets,
		       uint32_t n, uint32_t n_workers, uint32_t *workers)
{
	struct flow_keyed keyed;
	uint32_t k = 0;

	flow_keyer_burst(&spread->keyer, frames, packets, n, &keyed);
	for (uint32_t i = 0; i < n; i++) {
		if (k < keyed.n && keyed.visits[k].at == i) {
			workers[i] = flow_spread_worker(spread, &keyed.keys[k++], n_workers);
		} else {
			spread->next = (spread->next + 1) % n_workers;
			workers[i] = spread->next;
		}
	}
}
