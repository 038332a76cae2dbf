/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker: one lcore that polls one queue and carries every packet to its end. It allocates, locks, logs and
 * calls the kernel for nothing.
 */
#ifndef WIRESCORE_DATAPLANE_WORKER_H
#define WIRESCORE_DATAPLANE_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_ethdev.h>
#include <rte_ring.h>

#include "capture_time.h"
#include "classify.h"
#include "flow_engine.h"
#include "packet_record.h"
#include "port.h"
#include "stats.h"

/* A packet that another lcore received, on its way to its worker. */
struct worker_packet {
	struct rte_mbuf *mbuf;
	uint64_t index; /* in its capture, from 0 */
};

/* Where shared-out packets come from; see spread.h. */
struct worker_source {
	struct rte_ring *packets; /* of struct worker_packet */
	/* Set by the sender behind its last packet: the ring will only get emptier. */
	atomic_bool has_ended;
	bool is_cut; /* there were more: the user stopped the run. Set before has_ended */
};

/* Written by the control core before the launch, read by the worker. */
struct worker_job {
	struct port port;
	struct worker_source *source; /* NULL: the worker polls the port itself */
	enum packet_link link;
	uint32_t burst; /* packets a poll, at most CLASSIFY_MAX_BURST */
	/* A capture's end is known from its inspection: the worker stops after this many packets. */
	uint64_t n_expected;
	/* Lengths on the wire, [n_expected], borrowed, 0 where the buffer's own is right; NULL: all of them are. */
	const uint32_t *wire_bytes;
	struct capture_jumps jumps; /* where the capture's time jumps; the worker's own while it runs */
	uint64_t latest_ns;	    /* the latest time behind the last jump */
};

struct worker {
	unsigned int lcore;
	struct rte_mempool *pool; /* NULL where another lcore receives */
	struct worker_job job;

	/* Set by anyone, read once a burst by every worker that polls a port. */
	const atomic_bool *stop;

	/* Written by the worker, read by the control core at any time. */
	struct stats_block *stats;

	/* From the worker to the control core; NULL where nobody wants such records. */
	struct rte_ring *packet_records;
	struct rte_ring *flow_records;
	uint32_t flow_record_bytes;

	/* The worker's own while it runs, the control core's before and after. */
	struct classifier *classifier;
	struct flow_engine *flow_engine;   /* NULL: no flows */
	uint64_t start_cycles, end_cycles; /* of the job, TSC */
	bool is_cut;			   /* the user stopped the run before n_expected */
	bool is_short;			   /* the source failed or ended before n_expected */
};

/* Runs the job to its end or until stop is set: an lcore_function_t, argument struct worker *. Returns 0. */
int worker_run(void *argument);

/* Waits a little for another thread; n_idle counts how often in a row. */
void worker_idle(uint32_t *n_idle);

/* Puts n elements into a ring, of which the caller is the only sender; waits for room. */
void worker_enqueue(struct rte_ring *ring, const void *elements, uint32_t element_bytes, uint32_t n);

/*
 * The frames of a burst, for the layers below, which know no mbuf. indices is [n]: where each packet stands in its
 * capture.
 */
void worker_frames(const struct port *port, const uint32_t *wire_bytes, struct rte_mbuf *const *mbufs,
		   const uint64_t *indices, uint32_t n, struct frame *frames);

/*
 * After a poll that gave less than was asked for: how many packets the driver has consumed without delivering
 * them, or -1 when the file cannot be read any further and polling on would find packets where none are. known is
 * the caller's, zeroed at first.
 */
int64_t worker_count_losses(const struct port *port, struct rte_eth_stats *known);

#endif
