/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shares the ports' packets out to workers: who polls which queue, who sends by which, and the rings between them.
 * Called by live_ports.c before ports are started.
 */
#ifndef WIRESCORE_CONTROL_LIVE_SHARE_H
#define WIRESCORE_CONTROL_LIVE_SHARE_H

#include <stddef.h>
#include <stdint.h>

#include "live_setup.h"

/* Memory that the rings of a port take at most, in bytes. */
size_t live_share_bytes(const struct live_port_options *options, uint32_t n_workers);

/*
 * Fills in the queues, outputs and returns of all workers, which have their lcores, and live->shares. seed is of the
 * hash that software goes by. 0, or -1 after complaining.
 */
int live_share(struct live *live, const uint64_t seed[2]);

/* Of the packets of a port, how the workers share them: ", spread ..." or "". */
void live_share_text(const struct live *live, uint32_t port, char *text, size_t text_size);

/* "software", "hash" or "none". */
const char *live_share_name(const struct live *live, uint32_t port);

/* Tells where it is not as good as it could be: workers far away from their ports, too many, or with nothing to do. */
void live_share_warn(const struct live *live);

/* Forgets all of it, so that packets can be shared out again. */
void live_share_reset(struct live *live);
void live_share_free(struct live_worker *worker);

#endif
