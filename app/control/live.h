/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A live run: ports, workers, signals and reload, from start to end. The control core's part of `wirescore run`.
 */
#ifndef WIRESCORE_CONTROL_LIVE_H
#define WIRESCORE_CONTROL_LIVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "config.h"

struct live_options {
	const struct config *config; /* checked, models too; borrowed until live_run returns */
	bool is_verbose;
	bool is_json; /* reports are JSON */
	/*
	 * Reads the config again: one that is checked and the caller's to free; NULL after complaining, with one line
	 * in error.
	 */
	struct config *(*read)(void *context, char *error, size_t error_size);
	void *context;
	atomic_bool *stop; /* end the run */
	/* Of signal handlers, taken back by the run: read the config again; report what was counted, to stderr. */
	atomic_bool *reload, *dump;
};

/* Runs until stop is set; the final report goes to stdout, or to stderr where records do. An exit code. */
int live_run(const struct live_options *options);

#endif
