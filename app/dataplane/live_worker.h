/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker on ports: one lcore that polls its queues and carries every packet to its end: receive, classify, act,
 * send. It allocates, locks and logs nothing, and calls the kernel only where it is told to rest. Set up by the
 * control core.
 *
 * A port whose device cannot give each worker a queue has one worker that receives from it and sends by it. That one
 * hands packets of others' flows over to them, and others hand back to it what goes out there; all in rings with one
 * sender and one taker, so that packets of a flow keep their order.
 */
#ifndef WIRESCORE_DATAPLANE_LIVE_WORKER_H
#define WIRESCORE_DATAPLANE_LIVE_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_ethdev.h>
#include <rte_rcu_qsbr.h>
#include <rte_ring.h>

#include "action.h"
#include "classify.h"
#include "flow_engine.h"
#include "histogram.h"
#include "live_spread.h"
#include "packet_record.h"
#include "stats.h"
#include "top_flows.h"

#define LIVE_MAX_PORTS RTE_MAX_ETHPORTS
#define LIVE_NO_PORT   UINT8_MAX

/* Header bytes that are gathered where a packet's first buffer holds fewer. */
#define LIVE_HEAD_BYTES 512

/* How long packets may wait in rings between workers: no flow is over by the clock as long as some of it may come. */
#define LIVE_RING_WAIT_NS 100000000

/* Bursts in a row, some 10 ms, of which a port takes nothing until it is asked only once for each. */
#define LIVE_TX_STALLED 200

enum live_counter {
#define OUTCOME(name, help) LIVE_##name,
#define EVENT(name, help)
#include "outcomes.def"
#undef OUTCOME
#undef EVENT
	LIVE_N_OUTCOMES,
	LIVE_outcomes_end = LIVE_N_OUTCOMES - 1,
#define OUTCOME(name, help)
#define EVENT(name, help) LIVE_##name,
#include "outcomes.def"
#undef OUTCOME
#undef EVENT
	LIVE_received,
	LIVE_N_COUNTERS,
};

/*
 * What one worker has counted of the packets of one port. One writer, as with struct stats_block. A packet is received
 * by one worker and may come to its end at another: only over all workers do they add up.
 */
struct live_counters {
	_Alignas(64) uint64_t numbers[LIVE_N_COUNTERS];
};

struct live_counter_info {
	const char *name, *help;
};
extern const struct live_counter_info live_counter_infos[LIVE_N_COUNTERS];

/* All that is decided by: swapped as a whole while packets pass. Immutable; the control core's. */
struct live_generation {
	struct policy policy;
	struct classifier_models *models[RTE_MAX_LCORE]; /* of each worker by its index */
};

/* A packet on its way from one worker to another. */
struct live_handoff {
	struct rte_mbuf *mbuf; /* its port is the index of the one that received it */
	uint64_t cycles;       /* TSC when it was received */
};

/* A queue that a worker polls: of a device, or a ring from the worker that has the device's. */
struct live_queue {
	uint16_t port_id, queue;
	struct rte_ring *ring;	    /* of struct live_handoff; NULL: the device's queue */
	struct live_spread *spread; /* how the device's packets are shared out; NULL: all are this worker's */
	bool can_wait; /* its packets wait until they are asked for, as a capture's: there is no overload */
	uint8_t port;  /* index of the port */
	uint8_t peer;  /* index of the port that its packets go to, or LIVE_NO_PORT: they are observed */
};

/* What the control core knows of a port. */
enum live_port_state {
	LIVE_PORT_READY,
	LIVE_PORT_LINK_DOWN,  /* it is asked once for each burst: the link may have come up just now */
	LIVE_PORT_NO_CARRIER, /* nothing is sent there, for its driver would say that it went out (af_packet) */
	LIVE_PORT_GONE,	      /* nor asked for */
};

/* A port that a worker sends to: by a queue of its own, or through the worker that has the port's only one. */
struct live_output {
	uint16_t port_id, queue;
	bool is_open;	   /* this worker can send there */
	bool takes_chains; /* packets of several buffers: other drivers would read past the first */
	uint8_t n_stalled; /* bursts in a row of which it took nothing, up to LIVE_TX_STALLED; the worker's own */
	struct rte_ring *ring; /* of struct live_handoff; NULL: by the queue */
};

/* What another worker hands back to be sent to a port of this one's. */
struct live_return {
	struct rte_ring *ring; /* of struct live_handoff */
	uint8_t port;	       /* index of the port to send to */
	bool is_mirror;
};

/* How many workers are not yet that far: each takes itself off, first of the one and then of the other. */
struct live_ending {
	_Atomic uint32_t n_receiving; /* from devices */
	_Atomic uint32_t n_carrying;  /* what others have handed over */
};

/* TSC to ns since the Unix epoch. */
struct live_clock {
	uint64_t start_cycles, start_ns;
	uint64_t scale; /* ns a cycle, times 2^32 */
};

static inline uint64_t live_clock_ns(const struct live_clock *clock, uint64_t cycles)
{
	return clock->start_ns +
	       (uint64_t)((__extension__(unsigned __int128)(cycles - clock->start_cycles) * clock->scale) >> 32);
}

struct live_worker {
	/* Written by the control core before the launch. */
	_Alignas(RTE_CACHE_LINE_SIZE) uint32_t index;
	unsigned int lcore;
	struct live_queue *queues; /* [n_queues] */
	uint32_t n_queues;
	struct live_output outputs[LIVE_MAX_PORTS];
	struct live_return *returns; /* [n_returns] */
	uint32_t n_returns;
	uint32_t n_sharing; /* workers that share what it sees of hosts, itself included */
	uint32_t burst;	    /* packets a poll, at most CLASSIFY_MAX_BURST */
	bool sleeps_idle;
	struct live_clock clock;
	struct rte_ring *packet_records, *flow_records; /* NULL where nobody wants such records */
	uint32_t flow_record_bytes;
	struct classifier *classifier;
	struct flow_engine *flow_engine; /* NULL: no flows */

	/* Written by the control core at any time, for all workers. */
	const atomic_bool *stop;
	const atomic_bool *abandons;   /* who ends waits no more: for room for records, for other workers */
	const _Atomic uint8_t *states; /* [LIVE_MAX_PORTS]: enum live_port_state */
	struct live_generation *_Atomic const *generation;
	struct rte_rcu_qsbr *rcu;   /* the worker's index is its id */
	struct live_ending *ending; /* written by all workers, too */

	struct stats_block *stats;
	struct live_counters *counters; /* [LIVE_MAX_PORTS] */

	/*
	 * Written by the worker, read by the control core at any time, as what these two point to is. Cycles from a
	 * packet's reception to its verdict, and to when it was sent or, where it is only looked at, let go.
	 */
	_Alignas(RTE_CACHE_LINE_SIZE) struct stats_histogram verdict_cycles;
	struct stats_histogram passage_cycles;
	uint64_t bursts[CLASSIFY_MAX_BURST + 1]; /* polls of a queue that brought so many packets, but for none */
	uint64_t n_polls;			 /* moves as long as the worker lives */
	uint64_t n_packet_records_lost, n_flow_records_lost;
	uint64_t n_shedding;  /* how often it began to shed */
	struct top_flows top; /* written by the control core, too: see there */

	/* The worker's own. */
	const struct live_generation *current;
	uint64_t n_packets;
	uint64_t swept_ns;
	uint32_t n_full_polls, n_calm_polls; /* in a row */
	bool is_shedding;
	bool is_ending;			   /* receives no more from devices */
	uint8_t (*heads)[LIVE_HEAD_BYTES]; /* [CLASSIFY_MAX_BURST], in no core dump */
};

/* Runs until stop is set, then takes what is waiting and ends all flows: an lcore_function_t. Returns 0. */
int live_worker_run(void *argument);

#endif
