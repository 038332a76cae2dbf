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

#include <rte_ring.h>

#include "classify.h"
#include "packet_record.h"
#include "port.h"
#include "stats.h"

/* Written by the control core before the launch, read by the worker. */
struct worker_job {
	struct port port;
	enum packet_link link;
	uint32_t burst; /* packets a poll, at most CLASSIFY_MAX_BURST */
	/* A capture's end is known from its inspection: the worker stops after this many packets. */
	uint64_t n_expected;
	/* Lengths on the wire, [n_expected], borrowed, 0 where the buffer's own is right; NULL: all of them are. */
	const uint32_t *wire_bytes;
};

struct worker {
	unsigned int lcore;
	struct rte_mempool *pool;
	struct worker_job job;

	/* Set by anyone, read by every worker once a burst. */
	const atomic_bool *stop;

	/* Written by the worker, read by the control core at any time. */
	struct stats_block *stats;

	/* From the worker to the control core; NULL where nobody wants packet records. */
	struct rte_ring *records;

	/* The worker's own while it runs, the control core's before and after. */
	struct classifier *classifier;
	uint64_t start_cycles, end_cycles; /* of the job, TSC */
	bool is_short;			   /* the source failed or ended before n_expected */
};

/* Runs the job to its end or until stop is set: an lcore_function_t, argument struct worker *. Returns 0. */
int worker_run(void *argument);

#endif
