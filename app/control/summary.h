/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The summary of a run over captures, for people and for programs. The control core's.
 */
#ifndef WIRESCORE_CONTROL_SUMMARY_H
#define WIRESCORE_CONTROL_SUMMARY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "model.h"
#include "offline.h"

struct summary {
	const struct offline_result *result;
	const struct offline_capture *captures;
	uint32_t n_captures;
	const struct model *packet_model; /* NULL: the parser decided */
	const char *packet_model_path;
	const char *kernel; /* NULL likewise */
	const char *classes[2];
	const struct flow_config *flows; /* of each worker's table; NULL: no flows */
	bool has_records;		 /* flow records were asked for */
	uint64_t n_records_written, n_records_lost;
	bool is_complete; /* every packet of every capture was taken */
};

void summary_print(const struct summary *summary, FILE *file);

/* One JSON object and a newline. 0, or -1 when memory is out. */
int summary_print_json(const struct summary *summary, FILE *file);

#endif
