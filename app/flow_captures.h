/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Labelled captures as rows of features, through the dataplane: what `wirescore train flows`, `eval` and `lint`
 * read beside tables. The rows are those that `wirescore extract` would write.
 *
 * A capture is named as PATH or PATH=LABEL, where LABEL is of all its flows; else the rules of PATH without its
 * extension and with .tsv (see flow_labels.h) say which label a flow has.
 */
#ifndef WIRESCORE_FLOW_CAPTURES_H
#define WIRESCORE_FLOW_CAPTURES_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow_csv.h"
#include "flow_options.h"

struct flow_captures_options {
	const struct flow_options *flow;     /* its checkpoints and has_ends say when there are rows */
	struct flow_dataset_names features;  /* presets or names, for a set that has none yet */
	struct flow_dataset_classes classes; /* which labels make which class */
	struct flow_dataset_names ignored;   /* patterns of labels whose rows are left out */
	const char *label;		     /* of flows that have no other; NULL: they are left out */
	struct flow_dataset_names dropped;   /* features that are left out; and those that are taken although */
	struct flow_dataset_names forced;    /* they say who, where or when: see flow_column.h */
	uint64_t max_rows;		     /* rows to use at most; 0: no limit */
	/* Takes each row instead of the set; NULL: rows are added to it. */
	flow_csv_take *take;
	void *context;
	uint32_t first_table; /* what a row's table is where it is of the first capture; its line is its number */
	const char *const *source_names; /* what each capture is called as a source */
	bool quiet;			 /* no progress bar */
};

/* Rows that there were, and what became of them: n_rows = n_used + n_ignored + n_unlabelled. */
struct flow_captures_report {
	uint64_t n_rows, n_used, n_ignored, n_unlabelled;
	uint64_t n_packets;
	uint32_t n_unused_labels; /* of rules: no flow has them */
	bool is_cut;		  /* max_rows was reached before the end */
	bool is_damaged;	  /* a capture could not be read, or not to its end; what was good of it is used */
};

/* Whether a name is of a capture: the file begins as one does, or has a label. False also where it cannot be read. */
bool flow_captures_is_one(const char *name);

/* The file that a name leads to, capture or not, and where a capture's rules would be, needed or not (else ""). */
void flow_captures_files(const char *name, char path[PATH_MAX], char rules[PATH_MAX]);

/* Bytes of a name that are its path: those before "=LABEL". */
size_t flow_captures_path_length(const char *name);

/*
 * Adds the rows of captures to an initialised set (or hands them on), and its features where it has none. Complains
 * about captures that cannot be read to their end; what is good of them is used. An exit code: EXIT_FAILED where
 * nothing can be used, memory is out, or the set has other features.
 */
int flow_captures_read(const struct flow_captures_options *options, const char *const *names, uint32_t n_names,
		       struct flow_dataset *set, struct flow_captures_report *report);

#endif
