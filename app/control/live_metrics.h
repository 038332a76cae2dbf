/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a live run has counted, as text for Prometheus. Any thread, at any time between live_launch and live_stop.
 */
#ifndef WIRESCORE_CONTROL_LIVE_METRICS_H
#define WIRESCORE_CONTROL_LIVE_METRICS_H

#include <stdio.h>

#include "live_setup.h"

/* 0 or -ENOMEM. */
int live_metrics_print(const struct live *live, FILE *file);

#endif
