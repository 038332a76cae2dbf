/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The summary of a run over captures, for people and for programs. The control core's.
 */
#ifndef WIRESCORE_CONTROL_SUMMARY_H
#define WIRESCORE_CONTROL_SUMMARY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "model.h"
#include "offline.h"
#include "top_hosts.h"

/* What records tell of the attacks in a capture. */
struct summary_attacks {
	struct top_hosts attackers, targets; /* initiators and responders of flows that are not of class 0 */
};

struct summary {
	const struct offline_result *result;
	const struct offline_capture *captures;
	uint32_t n_captures;
	const struct model *packet_model; /* NULL: the parser decided */
	const char *packet_model_path;
	const char *kernel; /* NULL likewise */
	const char *classes[2];
	const struct flow_engine_options *flows; /* of each worker; NULL: no flows */
	const struct model *flow_model;		 /* NULL: flows have no class */
	const char *flow_model_path;
	const struct summary_attacks *attacks; /* [n_captures]; with a flow model */
	bool has_records;		       /* flow records were asked for */
	uint64_t n_records_written, n_records_lost;
	bool is_complete; /* every packet of every capture was taken */
};

void summary_print(const struct summary *summary, FILE *file);

/* One JSON object and a newline. 0, or -1 when memory is out. */
int summary_print_json(const struct summary *summary, FILE *file);

/* Their parts about flows, in summary_flows.c. counters is [STATS_N_COUNTERS]. */
void summary_print_flows(const struct summary *summary, FILE *file);
json_t *summary_json_flows(const struct summary *summary, const uint64_t *counters,
			   const struct stats_flow_verdicts *verdicts, uint64_t peak);

/*
 * Its parts about captures, in summary_captures.c: a table of several, and who attacks whom in each, and at which
 * packet that was known; nothing where there are no attacks.
 */
void summary_print_captures(const struct summary *summary, FILE *file);
void summary_print_attacks(FILE *file, int indent, const struct summary_attacks *attacks);
void summary_print_known(FILE *file, int indent, const struct stats_flow_verdicts *verdicts);
/* Attackers and targets of a capture, added to its object. */
void summary_json_set_attacks(json_t *object, const struct summary_attacks *attacks);

/* What they have in common with the rest: a line of a table, a share, "5.72 M", a count, counters of a kind. */
void summary_print_count(FILE *file, const char *name, uint64_t n, uint64_t whole, const char *remark);
double summary_per(uint64_t value, uint64_t whole);
char *summary_with_prefix(double value, char text[16]);
void summary_json_set_count(json_t *object, const char *key, uint64_t n);
json_t *summary_json_reasons(const uint64_t *counters, enum stats_kind kind);

#endif
