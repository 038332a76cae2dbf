/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a flow model says of rows, and of the flows that they belong to. Called by the parts of eval_flows.c.
 *
 * A flow has a row for each checkpoint and its end. One alarm is enough: it is judged by its row with the highest
 * logit. Where no class is benign there is nothing to be alarmed about, and its last row judges it. Rows of tables
 * that have one for each flow are flows of their own, also where they share what identifies flows.
 */
#ifndef WIRESCORE_EVAL_EVAL_JUDGE_H
#define WIRESCORE_EVAL_EVAL_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow_dataset.h"
#include "model.h"
#include "nn.h"

/* A model, ready to score. */
struct eval_judge {
	const struct model *model;
	const struct nn_kernel *kernel;
	struct nn_plan *plan;
	struct nn_scratch *scratch;
	uint32_t n_out, n_classes;
	bool has_benign; /* class 0 is called benign, and all others are attacks */
	float threshold; /* log-odds of an attack from which on a row is one */
	char **classes;	 /* [n_classes], the model's or stand-ins */
	char stand_ins[2][16];
	char *stand_in_names[2];
};

/* 0, or a negative errno with one line in error: the model does not end in a sigmoid or softmax, .. */
int eval_judge_create(struct eval_judge *judge, const struct model *model, const struct nn_kernel *kernel,
		      char *error, size_t error_size);
void eval_judge_free(struct eval_judge *judge);

/* What is said of a row. logit: log-odds that it is not of class 0; NAN: the model's sums overflowed. */
struct eval_verdict {
	float logit;
	float probability; /* of an attack */
	uint8_t said;	   /* class */
};

/*
 * Rows that were changed: in row i, the features that is_edited marks are taken from donors[i], a row, or where
 * donors is NULL from constants.
 */
struct flow_edit {
	const uint8_t *is_edited; /* [n_features] */
	const uint32_t *donors;	  /* [n], or NULL */
	const float *constants;	  /* [n_features], or NULL */
};

/*
 * Judges n rows of the set; edit NULL: as they are. verdicts is [n], scores [n][n_classes] for each class, or NULL.
 */
void eval_judge_rows(const struct eval_judge *judge, const struct flow_dataset *set, const uint32_t *rows,
		     uint32_t n, const struct flow_edit *edit, struct eval_verdict *verdicts, float *scores);

/* ---- Flows ---- */

struct judged_flow {
	uint32_t first, n_rows; /* its rows: those of struct judged_flows.rows from first on */
	uint32_t row;		/* index of the row that judges it; into the set */
	uint32_t last_row;	/* the one that knows most of it */
	uint32_t source;
	uint16_t label;
	uint8_t truth, said; /* classes */
	bool is_alarm;	     /* some row of it reaches the threshold */
	float logit, probability;
	double start_s;
};

struct judged_flows {
	const struct flow_dataset *set;
	uint32_t n_rows, n_flows;
	uint32_t *rows;		       /* [n_rows] of the set, those of a flow side by side */
	struct eval_verdict *verdicts; /* [n_rows], of rows in that order */
	struct judged_flow *flows;     /* [n_flows] */
	float *scores;		       /* [n_flows][n_classes] for more than two classes; else NULL */
	uint32_t n_classes;
	uint64_t n_overflowed; /* flows that could not be judged; not among flows */
	uint64_t n_mixed;      /* flows with rows of more than one class: they are of the first that is not 0 */
};

/*
 * Judges the set's flows, or with by_rows each row as if it were a flow. row.class of the set must be the model's.
 * 0 or -ENOMEM. judged_flows_free releases it; the set stays the caller's.
 */
int judged_flows_make(struct judged_flows *flows, const struct eval_judge *judge, const struct flow_dataset *set,
		      bool by_rows);
void judged_flows_free(struct judged_flows *flows);

/* Judges one flow by its rows' verdicts, as judged_flows_make does: logit, probability, said, is_alarm and row. */
void judged_flow_decide(struct judged_flow *flow, const struct eval_judge *judge, const uint32_t *rows,
			const struct eval_verdict *verdicts);

#endif
