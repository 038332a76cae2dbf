/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What `wirescore train flows` was asked for and what came of it: shared by train_flows_options.c, which reads the
 * arguments, train_flows.c, which trains, and train_flows_model.c, which makes a model of it.
 */
#ifndef WIRESCORE_TRAIN_FLOWS_H
#define WIRESCORE_TRAIN_FLOWS_H

#include <stdbool.h>
#include <stdint.h>

#include "flow_data.h"
#include "flow_dataset.h"
#include "flow_split.h"
#include "flow_threshold.h"
#include "flow_train.h"
#include "input_bins.h"
#include "table_options.h"

struct train_flows_arguments {
	struct table_options table;
	struct flow_options flow; /* of captures */
	struct flow_train_options options;
	struct flow_split_options split; /* a share of 0: nothing is held out */
	bool has_split;			 /* its kind was named */
	char **held_out;		 /* [n_held_out] files to hold out instead of a share; owned */
	int n_held_out;
	struct flow_threshold_rule threshold;
	const char *threshold_text, *log_text, *class_weight_text, *source_weight_text, *output_text;
	uint64_t max_per_source; /* flows; 0: all */
	const char *output;
	char **paths;
	int n_paths;
};

struct train_flows {
	const struct train_flows_arguments *arguments;
	struct flow_train_options options; /* the arguments', and what the data add */
	struct flow_data data, held_out_data;
	struct flow_dataset training, validation;
	size_t n_left_out; /* rows that --max-per-source left out */
	enum flow_split_kind split_kind;
	uint8_t is_log[FLOW_DATASET_MAX_FEATURES];
	uint64_t checkpoints[4]; /* bit n: there are rows of checkpoint n */
	size_t n_training[FLOW_DATASET_MAX_CLASSES], n_validation[FLOW_DATASET_MAX_CLASSES];
	struct input_bins *bins; /* [n_features] of the training part */
	struct flow_train_result result;
	bool has_threshold;	   /* one class is benign */
	double threshold;	   /* log-odds that the output was shifted by */
	struct flow_scores scores; /* of the validation flows, behind the shift */
	struct flow_alarms alarms; /* at the threshold */
};

/*
 * Whether a model can hold the names of columns and classes, asked before hours are spent. 0, or -1 after
 * complaining.
 */
int train_flows_check_names(const struct flow_dataset *set);

/* EXIT_OK when there is something to do, another exit code, or -1 when help was asked for. */
int train_flows_parse(int argc, char **argv, struct train_flows_arguments *arguments);

void train_flows_arguments_free(struct train_flows_arguments *arguments);

/* Makes a model of what was trained and writes it. An exit code. */
int train_flows_write(struct train_flows *t);

#endif
