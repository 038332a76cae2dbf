/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a training goes: a bar with losses and the time that is left where stderr is a terminal, else a line an
 * epoch.
 */
#ifndef WIRESCORE_TRAIN_PROGRESS_H
#define WIRESCORE_TRAIN_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "flow_train.h"

struct train_progress {
	uint32_t n_epochs;
	bool is_bar, has_validation;
	uint64_t start_ns;
	struct flow_train_epoch last; /* number 0: none yet */
};

void train_progress_begin(struct train_progress *progress, uint32_t n_epochs, bool has_validation);

/* Takes an epoch: a report of struct flow_train_options, whose context is the progress. */
void train_progress_take(void *progress, const struct flow_train_epoch *epoch);

/* Puts the last epoch's line in place of the bar. */
void train_progress_end(struct train_progress *progress);

#endif
