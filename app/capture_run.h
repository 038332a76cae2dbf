/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the commands that send captures through the dataplane have in common: looking at the captures, starting
 * DPDK, running, and telling what went wrong with which capture.
 */
#ifndef WIRESCORE_CAPTURE_RUN_H
#define WIRESCORE_CAPTURE_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "control/offline.h"

struct capture_run {
	struct capture_info *infos;
	struct offline_capture *captures;
	uint32_t n_captures; /* of those that can be used */
	struct stats_block *total;
	struct offline_result result;
	bool has_failed;  /* something was refused or lost; what was good goes on */
	bool is_complete; /* every packet of every capture was taken */
};

/*
 * Looks at every capture and keeps those that can be used; the others are complained about. 0, or -1 after
 * complaining. capture_run_free releases what it holds, also then.
 */
int capture_run_inspect(struct capture_run *run, char **paths, int n_paths, bool quiet);
void capture_run_free(struct capture_run *run);

/*
 * Makes tables no larger than the captures can need: packets make no more flows than they are, and a table half
 * full is never short of room.
 */
void capture_run_fit_flows(const struct capture_run *run, struct flow_config *config);

/*
 * Whether what would be written to path, as output_open takes it, is a file that is read: a capture, or the file at
 * other (NULL: there is no other).
 */
bool capture_run_reads(const struct capture_run *run, const char *path, const char *other);

/* Starts DPDK with the user's own arguments. 0, or -1 after complaining. */
int capture_run_start(struct capture_run *run, const struct offline_options *options, char **eal, int n_eal,
		      bool verbose);

/* Sends the captures through the dataplane. 0, or -1 after complaining. */
int capture_run_finish(struct capture_run *run, const struct offline_options *options);

/* Complains about captures that were not read to their end, and sets is_complete; n_paths as above. */
void capture_run_report(struct capture_run *run, int n_paths);

#endif
