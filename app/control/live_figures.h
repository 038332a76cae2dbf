/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Parts of what is told of a live run: stages, times, histograms, workers. For live_report and telemetry. Each returns
 * an object of the caller's own; any thread, between live_launch and live_free.
 */
#ifndef WIRESCORE_CONTROL_LIVE_FIGURES_H
#define WIRESCORE_CONTROL_LIVE_FIGURES_H

#include <jansson.h>

#include "live_setup.h"

/* Cycles of a timed packet in each stage, over all workers: their sum is the cost of a packet. */
json_t *live_figures_stages(const struct stats_block *total);

/* Times, in us, that half, 99 and 99.9 percent of the packets did not exceed. times is one's own. */
json_t *live_figures_times(const struct stats_histogram *times);

/*
 * Histograms as {"le": [...], "counts": [...]}: how many values are in the bucket that ends with each bound, which
 * ascend. Scores and packets of a burst, whose buckets follow each other; times, in ns, of which only buckets that have
 * any are there.
 */
json_t *live_figures_histograms(const struct live *live, const struct stats_block *total);

/* Packets by the names of their EtherTypes, of those that came; "other": those without a name here. */
json_t *live_figures_ethertypes(const struct stats_block *total);

/* Time that each worker spent in rounds of polls that brought packets, in ms. */
json_t *live_figures_busy(const struct live *live);

/* What one worker has counted. */
json_t *live_figures_worker(const struct live *live, uint32_t index);

#endif
