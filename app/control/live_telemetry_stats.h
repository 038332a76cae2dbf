/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a live run tells at DPDK's telemetry socket: /wirescore/stats, /wirescore/worker, /wirescore/port,
 * /wirescore/flows/top, /wirescore/model and /wirescore/histograms. Threads of DPDK answer.
 */
#ifndef WIRESCORE_CONTROL_LIVE_TELEMETRY_STATS_H
#define WIRESCORE_CONTROL_LIVE_TELEMETRY_STATS_H

#include "live_setup.h"

/* Registers the commands, once packets pass. What fails is told, and the run goes on. */
void live_telemetry_stats_open(struct live *live);

/* From now on nobody looks at the run: waits for those who do. */
void live_telemetry_stats_close(void);

#endif
