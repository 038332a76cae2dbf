/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Labelled flows from tables and captures, in any mix: what `wirescore train flows`, `eval` and `lint` read.
 */
#ifndef WIRESCORE_FLOW_DATA_H
#define WIRESCORE_FLOW_DATA_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "flow_captures.h"
#include "flow_csv.h"
#include "flow_dataset.h"
#include "flow_options.h"

struct flow_data_options {
	const struct flow_csv_options *csv; /* its classes, ignored labels, label and features are captures' too */
	const struct flow_options *flow;    /* how captures become flows */
	bool quiet;
	/* Takes each row instead of the set; NULL: rows are added to it. */
	flow_csv_take *take;
	void *context;
};

/* What reading came to. flow_data_free releases it. */
struct flow_data {
	struct flow_csv_options options; /* of csv */
	struct flow_csv *csv;		 /* also where there was no table */
	struct flow_captures_report captures;
	uint32_t n_captures;
	const char **names; /* of the files in the order that they are read: what a row's table is an index of */
	char **sources;	    /* what they are called as sources: the shortest ends of their paths that differ */
	uint32_t n_names;
};

/*
 * Adds the rows of files to an initialised set: tables first, then captures, which have the tables' features, else
 * those that options name, else the preset `attack`. An exit code, after complaining.
 */
int flow_data_read(struct flow_data *data, const struct flow_data_options *options, char *const *names,
		   uint32_t n_names, struct flow_dataset *set);
void flow_data_free(struct flow_data *data);

/* Rows that there were, and that are used. */
uint64_t flow_data_n_rows(const struct flow_data *data);
uint64_t flow_data_n_used(const struct flow_data *data);

/* Says what was read, and that nothing of it can be used. */
void flow_data_complain_of_none(const struct flow_data *data);

/* Whether all captures were read to their ends; those that were not have been complained about. */
bool flow_data_is_complete(const struct flow_data *data);

/*
 * What was read, used and refused, for people, and as JSON (NULL: out of memory). Of JSON's
 * top level rows_read = rows_used + the rows of refused[], tables and captures together.
 */
void flow_data_print(FILE *file, const struct flow_data *data);
json_t *flow_data_json(const struct flow_data *data);

#endif
