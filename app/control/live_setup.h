/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A live run as the control core sees it, and how it is set up of a config and taken down. Called by live.c.
 */
#ifndef WIRESCORE_CONTROL_LIVE_SETUP_H
#define WIRESCORE_CONTROL_LIVE_SETUP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_rcu_qsbr.h>

#include "config.h"
#include "dataplane/live_port.h"
#include "dataplane/live_worker.h"
#include "generation.h"
#include "live_plan.h"
#include "live_records.h"

#define LIVE_ERROR_BYTES 640

/* How the packets of a port are shared out, and what goes to it. */
struct live_share {
	struct live_plan plan;
	struct live_worker *owner; /* alone receives from it and sends to it; NULL: each worker by its own queue */
	uint16_t n_rx, n_tx;	   /* queues of the device */
};

/*
 * What a port's device has lost, as it last said: the control core asks, for drivers answer one thread at a time, and
 * whoever tells of the run reads this.
 */
struct live_device {
	atomic_bool is_known;
	_Atomic uint64_t missed, no_buffer, rx_errors, tx_errors;
};

struct live {
	const struct config *config; /* that it was started with */
	bool is_verbose;
	struct live_port ports[CONFIG_MAX_PORTS];
	struct live_share shares[CONFIG_MAX_PORTS];
	uint32_t n_workers;
	struct live_worker *workers; /* [n_workers] */
	uint32_t n_launched;
	struct flow_engine_options flows; /* of each worker, but for its stats */
	struct live_records records;
	struct http *http;	  /* NULL: none */
	struct live_drift *drift; /* NULL: none is told */

	/*
	 * What workers look at: the control core writes it seldom, and what is written often, such as the count of
	 * records, is in other cache lines.
	 */
	_Alignas(RTE_CACHE_LINE_SIZE) struct live_generation *_Atomic generation_now;
	struct rte_rcu_qsbr *rcu;
	atomic_bool stop, abandons;
	_Atomic uint8_t states[LIVE_MAX_PORTS]; /* enum live_port_state */
	struct live_ending ending;

	/* The control core's own again. */
	_Alignas(RTE_CACHE_LINE_SIZE) struct generation
		*first;		    /* names the classes of records: kept until the end */
	struct generation *current; /* what generation_now is of */
	struct generation *retired; /* workers may still have it; NULL: none */
	uint64_t retired_token;
	uint64_t start_ns;
	_Atomic uint32_t n_reloads; /* read by DPDK's telemetry, too */
	bool is_stdout_taken;	    /* by records: reports go to stderr */
	atomic_bool is_closing;	    /* nobody is to wait any more for what is told of the run */
	struct live_device devices[CONFIG_MAX_PORTS];
	uint64_t devices_ns; /* when they were asked last */
};

_Static_assert(offsetof(struct live, generation_now) % RTE_CACHE_LINE_SIZE == 0 &&
		       offsetof(struct live, first) % RTE_CACHE_LINE_SIZE == 0,
	       "what each poll reads shares no cache line with what is written all the time");

/*
 * Starts DPDK, opens and starts the ports, makes the workers and gives up rights: all but to launch. 0, or -1 after
 * complaining; live_free in any case.
 */
int live_setup(struct live *live, const struct config *config, bool is_verbose);
void live_free(struct live *live);

/* Launches the workers and waits until they are there. 0, or -1 after complaining. */
int live_launch(struct live *live);

/* Keeps packets out of core dumps, as the config has it; again where ports may have got memory of others. */
void live_hide_packets(const struct live *live);

#endif
