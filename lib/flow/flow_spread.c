/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include "flow_keyer.h"
#include "flow_table.h"

struct flow_spread {
	struct flow_keyer keyer;
	uint32_t next; /* worker of the next packet without a flow */
};

struct flow_spread *flow_spread_create(enum flow_scope scope, const uint64_t seed[2])
{
	struct flow_spread *spread = calloc(1, sizeof(*spread));

	if (spread)
		flow_keyer_init(&spread->keyer, scope, false, seed);
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

void flow_spread_burst(struct flow_spread *spread, const struct frame *frames, const struct packet *packets,
		       uint32_t n, uint32_t n_workers, uint32_t *workers)
{
	struct flow_keyed keyed;
	uint32_t k = 0;

	flow_keyer_burst(&spread->keyer, frames, packets, n, &keyed);
	for (uint32_t i = 0; i < n; i++) {
		if (k < keyed.n && keyed.visits[k].at == i) {
			/* The upper half: the table's buckets follow from the lower one. */
			workers[i] = (uint32_t)((keyed.hashes[k++] >> 32) * n_workers >> 32);
		} else {
			spread->next = (spread->next + 1) % n_workers;
			workers[i] = spread->next;
		}
	}
}
