/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Labelled flows, read for a model: its features by name, its classes. Called by eval_flows.c.
 */
#ifndef WIRESCORE_EVAL_DATA_H
#define WIRESCORE_EVAL_DATA_H

#include "eval/eval.h"
#include "eval/eval_judge.h"
#include "flow_data.h"
#include "flow_dataset.h"

struct eval_data {
	struct flow_dataset set; /* row.class is the model's */
	struct flow_data data;
	uint64_t n_unknown;	/* rows left out: their label is none of the model's classes */
	uint16_t unknown_label; /* the first such */
};

/* Reads files. An exit code, after complaining. eval_data_free releases it, in any case. */
int eval_data_load(struct eval_data *data, const struct eval_options *options, const struct eval_judge *judge,
		   char *const *paths, uint32_t n_paths);
void eval_data_free(struct eval_data *data);

/* Whether the model says that it was trained on data of that name, folders aside. */
bool eval_data_is_known(const struct model *model, const char *source);

#endif
