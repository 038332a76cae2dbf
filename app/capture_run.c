/* SPDX-License-Identifier: BSD-3-Clause */
#include "capture_run.h"

#include <stdlib.h>

#include "command.h"
#include "control/output.h"
#include "control/progress.h"
#include "dataplane/eal.h"
#include "interrupt.h"
#include "same_file.h"

int capture_run_inspect(struct capture_run *run, char **paths, int n_paths, bool quiet)
{
	char error[CAPTURE_ERROR_BYTES];
	struct progress progress;
	enum packet_link link;

	run->infos = calloc(n_paths, sizeof(*run->infos));
	run->captures = calloc(n_paths, sizeof(*run->captures));
	run->total = calloc(1, sizeof(*run->total));
	run->result.total = run->total;
	if (!run->infos || !run->captures || !run->total) {
		complain("out of memory");
		return -1;
	}
	for (int i = 0; i < n_paths && !atomic_load(&interrupted); i++) {
		struct capture_info *info = &run->infos[run->n_captures];
		int rc;

		progress_begin(&progress, !quiet, "looking at", "B");
		rc = capture_inspect(paths[i], info, &interrupted, &progress, error, sizeof(error));
		progress_end(&progress);
		if (rc) {
			complain("%s", error);
			run->has_failed = true;
			continue;
		}
		if (!capture_link(info->link_type, &link)) {
			run->captures[run->n_captures++].info = info;
			continue;
		}
		complain("%s: link type %s cannot be parsed", info->path, capture_link_name(info->link_type));
		run->has_failed = true;
		capture_info_free(info);
	}
	return 0;
}

void capture_run_fit_flows(const struct capture_run *run, struct flow_config *config)
{
	uint64_t n_flows = FLOW_MIN_FLOWS;

	for (uint32_t i = 0; i < run->n_captures; i++)
		if (2 * run->infos[i].n_packets > n_flows)
			n_flows = 2 * run->infos[i].n_packets;
	if (config->n_flows > n_flows)
		config->n_flows = n_flows;
}

void capture_run_free(struct capture_run *run)
{
	for (uint32_t i = 0; i < run->n_captures; i++)
		capture_info_free(&run->infos[i]);
	free(run->captures);
	free(run->infos);
	free(run->total);
}

bool capture_run_reads(const struct capture_run *run, const char *path, const char *other)
{
	struct stat file, other_file;

	if (output_stat(path, &file))
		return false;
	for (uint32_t i = 0; i < run->n_captures; i++)
		if (is_same_file(&run->captures[i].info->status, &file))
			return true;
	return other && !stat(other, &other_file) && is_same_file(&other_file, &file);
}

int capture_run_start(struct capture_run *run, const struct offline_options *options, char **eal, int n_eal,
		      bool verbose)
{
	struct dataplane_eal_options eal_options = {
		.n_workers = offline_n_lcores(options, run->n_captures),
		.memory_bytes = offline_memory_bytes(options, run->captures, run->n_captures),
		.extra = eal,
		.n_extra = n_eal,
		.verbose = verbose,
	};
	char error[512];

	if (!dataplane_eal_init(&eal_options, error, sizeof(error)))
		return 0;
	complain("%s", error);
	return -1;
}

int capture_run_finish(struct capture_run *run, const struct offline_options *options)
{
	char error[512];
	int rc = offline_run(options, run->captures, run->n_captures, &run->result, error, sizeof(error));

	if (rc && error[0])
		complain("%s", error);
	return rc ? -1 : 0;
}

void capture_run_report(struct capture_run *run, int n_paths)
{
	run->is_complete = run->n_captures == (uint32_t)n_paths;
	for (uint32_t i = 0; i < run->n_captures; i++) {
		const struct offline_capture *capture = &run->captures[i];

		if (capture->info->damage)
			complain("%s", capture->info->damage);
		if (capture->error[0])
			complain("%s", capture->error);
		run->has_failed |= capture->info->damage || capture->error[0];
		run->is_complete &= capture->is_complete && !capture->info->damage;
	}
}
