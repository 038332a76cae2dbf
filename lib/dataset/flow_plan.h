/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is done with each column of one table: which are features, which say what a row is, which are left out and
 * why. Called by flow_csv.c, once a table.
 */
#ifndef WIRESCORE_DATASET_FLOW_PLAN_H
#define WIRESCORE_DATASET_FLOW_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow_csv.h"
#include "flow_format.h"

enum flow_plan_kind {
	FLOW_PLAN_LEFT_OUT,
	FLOW_PLAN_NUMBER,
	FLOW_PLAN_SYMBOLIC,
};

/* A column as the header names it. */
struct flow_plan_column {
	char *name;
	const struct flow_column *known;
	enum flow_plan_kind kind;
	const char *why; /* it is left out, or should be but was forced */
	bool is_forced;
};

/* A number that becomes a feature. */
struct flow_plan_number {
	uint32_t column, feature;
	bool is_forced;
};

/* A word of a symbolic column that becomes a feature. */
struct flow_plan_symbol {
	uint32_t column, feature;
	const char *value; /* borrowed from the feature's name */
};

struct flow_plan {
	const struct flow_format *format;
	struct flow_plan_column *columns; /* [n_columns] */
	uint32_t n_columns;
	int32_t label;			    /* the column with the labels; -1: none */
	int32_t roles[FLOW_COLUMN_N_ROLES]; /* the column that plays the part; -1: none */
	struct flow_plan_number *numbers;   /* [n_numbers] */
	struct flow_plan_symbol *symbols;   /* [n_symbols]; those of one column stand together, in order */
	uint32_t n_numbers, n_symbols;
};

/*
 * Looks at the columns of a table, n names that are copied. 0, -ENOMEM, or -EINVAL with one line in error that
 * begins with path: no column of labels, one named twice, options that name no column. flow_plan_free releases it,
 * also after an error.
 */
int flow_plan_create(struct flow_plan *plan, const struct flow_csv_options *options,
		     const struct flow_format *format, const char *path, char *const *names, uint32_t n,
		     char *error, size_t error_size);
void flow_plan_free(struct flow_plan *plan);

/*
 * Finds the column of each feature. With is_whole every column that can be a feature must be one. 0, -ENOMEM, or
 * -EINVAL with one line in error; first is the table that has given the features, or NULL: the user has.
 */
int flow_plan_bind(struct flow_plan *plan, char *const *features, uint32_t n, bool is_whole, const char *path,
		   const char *first, char *error, size_t error_size);

/* Makes control characters blanks, which could move a terminal's cursor, and cuts blanks off both ends. */
char *flow_plan_clean(char *text);

#endif
