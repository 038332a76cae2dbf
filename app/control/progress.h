/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A bar on stderr, redrawn ten times a second, where stderr is a terminal. The control core's.
 */
#ifndef WIRESCORE_CONTROL_PROGRESS_H
#define WIRESCORE_CONTROL_PROGRESS_H

#include <stdint.h>

struct progress {
	const char *what, *unit; /* borrowed */
	int is_shown;
	uint64_t start_ns, last_ns;
};

/*
 * Shows nothing where wanted is 0 or stderr is not a terminal. what is done to which unit: "classifying",
 * "packets".
 */
void progress_begin(struct progress *progress, int wanted, const char *what, const char *unit);

/* Draws n_done of n_total units if the last drawing is old enough. */
void progress_update(struct progress *progress, uint64_t n_done, uint64_t n_total);

/* Wipes the bar. */
void progress_end(struct progress *progress);

#endif
