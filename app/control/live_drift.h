/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How far the models' inputs have drifted from what they were trained on, and the share of each class: told anew for
 * each [metrics] drift-interval. Looked at by the control core, told to any thread.
 *
 * Workers count some of the rows that they ask models with, by the bins in the model (input_counts.h). These counters
 * are made with a generation, one block for each worker and model: a worker that goes over to another generation goes on
 * in that one's, so that bins of two models never mix; one that has not yet gone over writes where it wrote before, and
 * that is freed with the old generation, once RCU has told that no worker has it. The control core, which alone swaps
 * and frees generations, reads the counters of live->current only: they are there as long as it looks.
 */
#ifndef WIRESCORE_CONTROL_LIVE_DRIFT_H
#define WIRESCORE_CONTROL_LIVE_DRIFT_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "live_setup.h"
#include "openmetrics.h"

/* The inputs that a report has of each model, those that have drifted most. */
#define LIVE_DRIFT_TOP 5

/* Begins to look, where that is asked for. 0 or -ENOMEM. live_drift_free in any case. */
int live_drift_create(struct live *live);
void live_drift_free(struct live *live);

/* The control core's, often: looks where an interval is over. */
void live_drift_step(struct live *live, uint64_t now_ns);

/* The control core's, once live->current is another generation: its inputs are looked at from now on. */
void live_drift_follow(struct live *live);

/*
 * {"packet": {"psi", "input", "rows", "seconds", "has_baseline", "class_shares", "inputs"}, "flow": ..}: psi is the
 * largest and of that input, inputs are all by name, the largest first, or the first LIVE_DRIFT_TOP of them; null as
 * long as not enough rows were compared. The caller's own; NULL when memory is out, or nothing is told. Any thread.
 */
json_t *live_drift_report(const struct live *live, bool has_all);

/* The same for Prometheus. */
void live_drift_print(const struct live *live, const struct openmetrics *out);

#endif
