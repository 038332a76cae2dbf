/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Decides how the packets of a port, or of the two of a pair, are shared out among workers: by the device or in
 * software. Called by live_share.c while a run is set up.
 */
#ifndef WIRESCORE_CONTROL_LIVE_PLAN_H
#define WIRESCORE_CONTROL_LIVE_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"

/* What is asked of a port and what its device can. */
struct live_plan_port {
	const char *name;
	enum config_rss rss;
	uint32_t n_asked;    /* workers that are to share its packets; 0: all */
	uint32_t n_queues;   /* that it can bring flows to with both directions alike; 1 where it cannot */
	uint32_t table_size; /* of its table from hashes to queues; 0: it has none */
};

struct live_plan {
	uint32_t n_workers; /* that share the packets */
	bool is_software;   /* one of them receives for all; else each has a queue */
};

/*
 * The plan of a port and, where it is one of a pair, its peer (NULL: none), for at most n_workers. Both get the same:
 * what comes in at one goes out at the other. 0, or -EINVAL with one line in error, section included, where a port
 * that is to be symmetric cannot.
 */
int live_plan_make(const struct live_plan_port *port, const struct live_plan_port *peer, uint32_t n_workers,
		   struct live_plan *plan, char *error, size_t error_size);

#endif
