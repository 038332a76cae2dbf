/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The largest flows of a live run: asks every worker, and puts together what they answer. Called by the threads that
 * tell of the run: telemetry's, HTTP's.
 */
#ifndef WIRESCORE_CONTROL_LIVE_TOP_H
#define WIRESCORE_CONTROL_LIVE_TOP_H

#include <stdint.h>

#include <jansson.h>

#include "live_setup.h"

/* The order of that name: "packets", "bytes" or "score". 0 or -EINVAL. */
int live_top_order(const char *name, enum top_flows_order *order);

/*
 * The n <= TOP_FLOWS_MAX largest flows that are in the tables, largest first, as {"order", "flows": [...],
 * "workers_left_out"}. Waits for the workers, up to 3 seconds and not once the run ends: those that have not answered by
 * then, nor what they were asked before, are counted in workers_left_out; what they find later is for whoever asks the
 * like within 5 seconds. 0, -EINVAL or -ENOMEM. Any thread, between live_launch and live_free; those who ask wait for
 * each other.
 */
int live_top_flows(struct live *live, enum top_flows_order order, uint32_t n, json_t **flows);

#endif
