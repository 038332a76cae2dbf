/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shares one port's packets out to several workers: all packets of a flow, in their order, to the same one. An
 * lcore of its own does it for a port whose device cannot (RSS); set up by the control core.
 */
#ifndef WIRESCORE_DATAPLANE_SPREAD_H
#define WIRESCORE_DATAPLANE_SPREAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "flow_table.h"
#include "packet.h"
#include "port.h"
#include "worker.h"

struct spread {
	/* Written by the control core before the launch. */
	unsigned int lcore;
	struct rte_mempool *pool;
	struct port port;
	struct worker_source *sources; /* [n_workers] */
	uint32_t n_workers;
	enum packet_link link;
	enum packet_depth depth;
	uint32_t burst;
	uint64_t n_expected;	    /* as in struct worker_job */
	const uint32_t *wire_bytes; /* likewise */
	struct capture_jumps jumps; /* likewise */
	const atomic_bool *stop;

	/* The lcore's own while it runs. */
	struct flow_spread *flows;
	bool is_short; /* the source failed or ended before n_expected */
};

/* Packets that wait for one worker at most, where the longest has max_captured_bytes: a power of two. */
uint32_t spread_ring_packets(uint32_t max_captured_bytes);

/* Reads to the end or until stop is set: an lcore_function_t, argument struct spread *. Returns 0. */
int spread_run(void *argument);

#endif
