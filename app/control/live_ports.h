/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opens the ports of a live run, and starts them with the queues that workers are to have. Called by live_setup.c.
 */
#ifndef WIRESCORE_CONTROL_LIVE_PORTS_H
#define WIRESCORE_CONTROL_LIVE_PORTS_H

#include <stdint.h>

#include "live_setup.h"

/* What a port of the config is opened with. Its texts are the config's. */
struct live_port_options live_ports_options(const struct live *live, uint32_t index);

/* Opens all. 0, or -1 after complaining. */
int live_ports_open(struct live *live);

/*
 * Shares their packets out to the workers, which have their lcores, and starts them. seed as live_share has it. 0, or
 * -1 after complaining.
 */
int live_ports_start(struct live *live, const uint64_t seed[2]);

#endif
