/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a live run has counted, as text for Prometheus. The control core's, at any time between live_launch and live_free.
 */
#ifndef WIRESCORE_CONTROL_LIVE_METRICS_H
#define WIRESCORE_CONTROL_LIVE_METRICS_H

#include <stdbool.h>
#include <stdio.h>

#include "live_setup.h"

/* As OpenMetrics, or as the plain text before it. 0 or -ENOMEM. */
int live_metrics_print(const struct live *live, FILE *file, bool is_plain);

#endif
