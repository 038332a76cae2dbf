/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The options that say how tables of flows are read, for every command that reads them: lint, train flows, eval.
 */
#ifndef WIRESCORE_TABLE_OPTIONS_H
#define WIRESCORE_TABLE_OPTIONS_H

#include <getopt.h>
#include <stdbool.h>

#include "flow_csv.h"

/* A comma-separated list as it was given. */
struct table_list {
	char *text;   /* cut at its commas */
	char **names; /* into text */
};

enum {
	TABLE_LIST_BENIGN,
	TABLE_LIST_IGNORED,
	TABLE_LIST_FEATURES,
	TABLE_LIST_FORCED,
	TABLE_LIST_DROPPED,
	TABLE_LIST_SYMBOLIC,
	TABLE_N_LISTS,
};

struct table_options {
	struct flow_csv_options csv; /* points into lists */
	struct table_list lists[TABLE_N_LISTS];
};

enum {
	TABLE_OPT_FORMAT = 640,
	TABLE_OPT_LABEL_COLUMN,
	TABLE_OPT_LABEL,
	TABLE_OPT_BENIGN,
	TABLE_OPT_IGNORE_LABEL,
	TABLE_OPT_COLUMNS,
	TABLE_OPT_FORCE,
	TABLE_OPT_DROP,
	TABLE_OPT_SYMBOLIC,
	TABLE_OPT_CLASSES,
	TABLE_OPT_MAX_ROWS,
};

/* Rows for a command's table of long options. */
#define TABLE_LONG_OPTIONS                                                         \
	{"format", required_argument, NULL, TABLE_OPT_FORMAT},                     \
		{"label-column", required_argument, NULL, TABLE_OPT_LABEL_COLUMN}, \
		{"label", required_argument, NULL, TABLE_OPT_LABEL},               \
		{"benign", required_argument, NULL, TABLE_OPT_BENIGN},             \
		{"ignore-label", required_argument, NULL, TABLE_OPT_IGNORE_LABEL}, \
		{"columns", required_argument, NULL, TABLE_OPT_COLUMNS},           \
		{"force", required_argument, NULL, TABLE_OPT_FORCE},               \
		{"drop", required_argument, NULL, TABLE_OPT_DROP},                 \
		{"symbolic", required_argument, NULL, TABLE_OPT_SYMBOLIC},         \
		{"classes", required_argument, NULL, TABLE_OPT_CLASSES},           \
	{                                                                          \
		"max-rows", required_argument, NULL, TABLE_OPT_MAX_ROWS            \
	}

/* What they mean, for a command's --help: how tables are read, and what is made of their columns and labels. */
extern const char table_options_help[];
extern const char table_choices_help[];

void table_options_init(struct table_options *options);
void table_options_free(struct table_options *options);

/* Whether an option that getopt_long returned is one of these. */
bool table_options_has(int option);

/* Takes it. 0, or -1 after complaining. */
int table_options_take(struct table_options *options, int option, const char *argument);

#endif
