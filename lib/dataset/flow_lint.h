/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is wrong with a table of flows before a model learns from it. Called by `wirescore lint`, row by row; one
 * thread at a time. Rows are remembered as hashes, and columns by a sample of their values, so that memory stays
 * far below the table's size: 48 bytes for each row that differs from all others, at most 768 MiB.
 */
#ifndef WIRESCORE_DATASET_FLOW_LINT_H
#define WIRESCORE_DATASET_FLOW_LINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow_csv.h"

/* Balanced accuracy of one column from which on it leaks the class. */
#define FLOW_LINT_LEAK 0.999
/* Area under the ROC curve of one column from which on it nearly does. */
#define FLOW_LINT_NEAR_LEAK 0.99
/* A packet so soon after the FIN or RST of its tuple's flow is left over from it. */
#define FLOW_LINT_LEFT_OVER_S 5.0

enum flow_lint_kind {
	FLOW_LINT_DUPLICATE, /* features and label of an earlier row, not of the same flow at another time */
	FLOW_LINT_CONFLICT,  /* the features of an earlier row, but another label */
	FLOW_LINT_REVERSAL,  /* earlier than a row before it, of its source */
	FLOW_LINT_BACKWARD,  /* ends before it begins */
	FLOW_LINT_LEFT_OVER, /* one packet, right after the end of a flow of its tuple */
	FLOW_LINT_N_KINDS,
};

struct flow_lint_finding {
	uint64_t n;
	/* The first of them, and the row that it goes with; other_line 0: none. */
	uint64_t line, other_line;
	uint32_t table, other_table;
};

/* One column against the classes: benign, and all else. */
struct flow_lint_column {
	float low, high;	  /* of all rows; equal: constant */
	double auc;		  /* area under the ROC curve, 0.5 to 1; NAN: there is one class only */
	double balanced_accuracy; /* of the best threshold, or of the best guess by its value where they are few */
	float threshold;	  /* the best; values from it on are one class */
	bool is_by_value;	  /* balanced_accuracy is that of a guess by value */
};

struct flow_lint_result {
	uint64_t n_rows;
	uint64_t *n_label_rows;	  /* [n_labels of the set] */
	uint64_t n_class_rows[2]; /* benign, all else */
	struct flow_lint_finding found[FLOW_LINT_N_KINDS];
	double furthest_back_s;		  /* of reversals */
	bool has_times, has_endings;	  /* reversals, flows left over could be looked for */
	bool is_full;			  /* too many different rows: those behind were not compared */
	uint64_t n_sampled[2];		  /* rows that columns were judged by, of each class */
	struct flow_lint_column *columns; /* [n_features of the set] */
};

struct flow_lint;

/* NULL: out of memory. */
struct flow_lint *flow_lint_create(void);
void flow_lint_free(struct flow_lint *lint);

/* Looks at a row; a flow_csv_take whose context is the lint. All rows are of one set. 0 or -ENOMEM. */
int flow_lint_add(void *lint, const struct flow_dataset *set, const struct flow_csv_row *row);

/*
 * After the last row of the set: judges the columns. The result is valid until flow_lint_free. NULL: out of memory.
 */
const struct flow_lint_result *flow_lint_finish(struct flow_lint *lint, const struct flow_dataset *set);

#endif
