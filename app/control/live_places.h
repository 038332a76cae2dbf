/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which worker polls which queue: evenly, and on the NUMA node of the port where that can be. Numbers only; called by
 * live_share.c.
 */
#ifndef WIRESCORE_CONTROL_LIVE_PLACES_H
#define WIRESCORE_CONTROL_LIVE_PLACES_H

#include <stdbool.h>
#include <stdint.h>

/* A worker as queues are shared out. */
struct live_place {
	int node;      /* of its core */
	uint32_t load; /* how much it has to poll */
};

/* Whether a core and a port are on one node; a port of node -1 is on all. */
bool live_place_is_near(const struct live_place *place, int port_node);

/* The place with the least load; among such one that is near. n is at least 1. */
uint32_t live_place_choose(const struct live_place *places, uint32_t n, int port_node);

/*
 * How many queues a port has that is not told: one a worker; where every worker has a port that is near, one for each
 * near worker, so that no packet has to cross.
 */
uint32_t live_place_count(const struct live_place *places, uint32_t n, const int *port_nodes, uint32_t n_ports,
			  uint32_t port);

#endif
