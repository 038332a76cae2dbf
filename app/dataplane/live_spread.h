/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Says which worker each packet of a port is for, where the device cannot bring both directions of a flow to the same
 * queue. Asked by the worker that receives from the port, for every burst; set up by the control core.
 */
#ifndef WIRESCORE_DATAPLANE_LIVE_SPREAD_H
#define WIRESCORE_DATAPLANE_LIVE_SPREAD_H

#include <stdint.h>

#include "flow_table.h"
#include "packet.h"

#define LIVE_SPREAD_MAX_WORKERS 128

struct rte_ring;

struct live_spread {
	/* Written by the control core before the launch. */
	struct flow_spread *flows; /* made with the same seed for both ports of a pair */
	enum packet_depth depth;
	uint32_t n_workers;				 /* that share the packets: places 0 to n_workers - 1 */
	uint32_t own;					 /* place of the worker that asks */
	struct rte_ring *rings[LIVE_SPREAD_MAX_WORKERS]; /* to the worker of each place; NULL for its own */

	/* The asking worker's own. */
	struct packet packets[FLOW_MAX_BURST];
};

/*
 * The place of the worker of each of n frames, n <= FLOW_MAX_BURST: the same for all packets between two addresses, in
 * both directions and at both ports of a pair; fragments go with their first. What has no flow is the asking worker's,
 * so that it keeps its order. places is [n].
 */
void live_spread_burst(struct live_spread *spread, const struct frame *frames, uint32_t n, uint32_t *places);

#endif
