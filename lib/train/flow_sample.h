/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fewer flows of long captures. Called by `wirescore train flows` before anything is split.
 */
#ifndef WIRESCORE_TRAIN_FLOW_SAMPLE_H
#define WIRESCORE_TRAIN_FLOW_SAMPLE_H

#include "flow_dataset.h"

/*
 * Keeps at most max_flows flows of each source, with all their rows, in their order: drawn by seed, whatever order
 * the rows are in. 0 or -ENOMEM.
 */
int flow_sample_limit(struct flow_dataset *set, size_t max_flows, uint64_t seed);

#endif
