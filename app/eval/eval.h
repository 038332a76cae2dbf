/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the parts of `wirescore eval` share: its options, and the two kinds of models that it judges.
 */
#ifndef WIRESCORE_EVAL_H
#define WIRESCORE_EVAL_H

#include <stdbool.h>
#include <stdint.h>

#include "flow_options.h"
#include "flow_split.h"
#include "model.h"
#include "nn.h"
#include "table_options.h"

struct eval_options {
	const char *model_path;
	const struct nn_kernel *kernel;
	bool explain;
	bool json;
	uint64_t seed;
	char **data; /* captures or tables */
	uint32_t n_data;

	/* Packet models. */
	const char *rule_text; /* NULL: as the model's facts say */
	uint64_t n_shown;

	/* Flow models. */
	struct table_options table;
	struct flow_options flow; /* of captures; the model says where there are rows */
	bool by_rows;
	bool ablate;
	bool cross;
	double base_rate; /* share of attacks to state the precision at */
	const char *html_path;
	char **train_data; /* [n_train_data]: what the baselines learn from; none: half of data */
	uint32_t n_train_data;
	bool has_split; /* the user said how data are halved; else as well as they can be */
	enum flow_split_kind split;
};

/* Each judges a model of its kind, prints the result and returns an exit code. */
int eval_packet(const struct eval_options *options, const struct model *model);
int eval_flows(const struct eval_options *options, const struct model *model);

#endif
