/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Everything that was found out about a flow model, and its three forms: a table, JSON, a page. Called by
 * eval_flows.c.
 */
#ifndef WIRESCORE_EVAL_REPORT_H
#define WIRESCORE_EVAL_REPORT_H

#include "eval/eval.h"
#include "eval/eval_data.h"
#include "eval/eval_judge.h"
#include "eval/flow_baselines.h"
#include "eval/flow_cross.h"
#include "eval/flow_explain.h"
#include "eval/flow_figures.h"

struct report {
	const struct eval_options *options;
	const struct eval_judge *judge;
	const struct eval_data *data;
	const struct judged_flows *flows;
	const struct figures *figures;
	const struct flow_baselines *baselines;
	const struct explain *features; /* NULL: not asked for, as the next two */
	const struct explain *groups;
	const struct flow_cross *cross;
};

void report_print_text(const struct report *report);

/* An exit code, after complaining. */
int report_print_json(const struct report *report);

/* Writes the page. An exit code, after complaining. */
int report_write_html(const struct report *report);

/* ---- What the forms share ---- */

/* "fwd_packets < 3.5": the stump's question. Returns text. */
char *report_stump_text(const struct report *report, char *text, size_t text_size);

/* What a stump that comes near to the model means, in one line. Returns text. */
#define REPORT_WARNING_SIZE 384
char *report_warning_text(const struct report *report, char *text, size_t text_size);

/* "packet 4" or "end". Returns text. */
char *report_checkpoint_text(uint8_t checkpoint, char *text, size_t text_size);

/* "flows" or, with --rows, "rows". */
const char *report_unit(const struct report *report);

/* The probability from which on a row is an attack. */
double report_threshold(const struct report *report);

/* Whether so few benign flows cannot show a false positive rate so low. */
bool report_is_too_few(const struct report *report, double rate);

#endif
