/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a model's inputs looked like in training, in few numbers: later traffic is compared with them (population
 * stability index). Called by `wirescore train`.
 */
#ifndef WIRESCORE_TRAIN_FLOW_QUANTILES_H
#define WIRESCORE_TRAIN_FLOW_QUANTILES_H

#include "flow_dataset.h"

#define FLOW_QUANTILES_MAX_EDGES 9

/* The deciles of a column that differ, ascending, and the share of the rows at or below each. */
struct flow_quantiles {
	uint32_t n;
	float edges[FLOW_QUANTILES_MAX_EDGES];
	float shares[FLOW_QUANTILES_MAX_EDGES];
};

/* Fills columns, [n_features], from rows spread evenly over the set; none where it has no rows. 0 or -ENOMEM. */
int flow_quantiles_fill(const struct flow_dataset *set, struct flow_quantiles *columns);

#endif
