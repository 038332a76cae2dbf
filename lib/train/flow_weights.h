/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How much each row of flows counts when a model is trained, so that neither a frequent class nor a long capture
 * drowns the others. Called by flow_train.c.
 */
#ifndef WIRESCORE_TRAIN_FLOW_WEIGHTS_H
#define WIRESCORE_TRAIN_FLOW_WEIGHTS_H

#include <stdbool.h>

#include "flow_dataset.h"

struct flow_weights_options {
	bool balances_classes; /* all classes weigh the same */
	bool balances_sources; /* all sources weigh the same, before classes are looked at */
	double source_limit;   /* the rows of a source weigh at most as much as so many rows; 0: no limit */
};

/* Fills weights, [n_rows], with numbers above 0 whose mean is 1. 0 or -ENOMEM. */
int flow_weights_fill(const struct flow_dataset *set, const struct flow_weights_options *options, float *weights);

#endif
