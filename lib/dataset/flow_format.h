/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The formats of tables, as one table of descriptors. Called by flow_csv.c.
 */
#ifndef WIRESCORE_DATASET_FLOW_FORMAT_H
#define WIRESCORE_DATASET_FLOW_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "flow_column.h"
#include "flow_dataset.h"

#define FLOW_FORMAT_MAX_SIGNS 6

struct flow_format {
	const char *name;
	const char *help;
	/* Columns that tell the format by the header; the first is NULL: it is not told by them. */
	const char *signs[FLOW_FORMAT_MAX_SIGNS];
	struct flow_dataset_names head; /* of tables that have none */
	const char *label;		/* its column; NULL: one named label or class, in capitals or not */
	/* Columns that are otherwise than flow_column_find says; their patterns are names as they are. */
	const struct flow_column *columns; /* [n_columns] */
	uint32_t n_columns;
	struct flow_dataset_names ignored; /* labels that are left out unless the user says otherwise */
	bool has_missing;		   /* an empty field is a value: missing */
	float missing;
	bool has_short_times; /* microseconds since the epoch without the zeros at their end */
	bool is_late;	      /* rows come in the order in which flows end */
};

/* The formats, 0-based; NULL behind the last, which is `generic`. */
const struct flow_format *flow_format_at(uint32_t index);

/* The format of that name, or NULL. */
const struct flow_format *flow_format_find(const char *name);

/* The format of a table by its first record, n names or values; `generic` where it is no other. */
const struct flow_format *flow_format_guess(char *const *fields, uint32_t n);

/* What the column is in that format; never NULL. */
const struct flow_column *flow_format_column(const struct flow_format *format, const char *name);

#endif
