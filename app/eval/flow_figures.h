/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The figures of judged flows: what the reports of `wirescore eval` are written from. Called by eval_flows.c.
 *
 * A figure that has no value (an area without both classes, alarms an hour without times) is NAN.
 */
#ifndef WIRESCORE_EVAL_FLOW_FIGURES_H
#define WIRESCORE_EVAL_FLOW_FIGURES_H

#include <stdbool.h>
#include <stdint.h>

#include "curves.h"
#include "eval/eval_judge.h"
#include "metrics.h"

#define FIGURES_N_RATES 3
extern const double figures_rates[FIGURES_N_RATES]; /* false positive rates to state the recall at, descending */

/* A source, or the flows of one label. */
struct figures_group {
	const char *name; /* borrowed from the set */
	uint32_t n_benign, n_attack;
	uint32_t n_false, n_found; /* of the above, those that alarm */
	uint32_t n_right;	   /* of all, those whose class was told */
	/* Of a source's own flows; of a label's against all benign ones. NAN where there are very many groups. */
	double roc_auc;
	double recall_at[FIGURES_N_RATES]; /* at thresholds that hold for all sources together */
};

/* The share of a family's flows that had an alarm by a checkpoint. */
struct figures_detection {
	uint32_t label;	  /* of the set */
	double *share_by; /* [n_checkpoints] */
};

struct figures {
	uint32_t n_flows, n_benign, n_attack;
	struct metrics confusion;
	bool has_benign; /* without, there are only the figures of classes */
	struct curves curves;
	double roc_auc, average_precision;
	struct curve_operating_point at[FIGURES_N_RATES];
	struct calibration calibration;
	double recall, fpr; /* at the model's threshold */
	/*
	 * Of the precision, were that share attacks: NAN also without a false alarm, where it would be 1 whatever
	 * the rate; and what it is at least, at the highest FPR that the benign flows leave likely (95%, one-sided;
	 * Wilson, 1927).
	 */
	double base_rate, precision_at_base_rate, precision_at_least, fpr_at_most;
	double hours; /* that benign flows span without long silences, all sources together; NAN: not known */
	double alarms_per_hour; /* false ones */
	double *class_auc;	/* [n_classes], each against the others; of two classes NULL */

	uint32_t n_sources, n_labels;
	struct figures_group *sources; /* [n_sources], those that have flows */
	struct figures_group *labels;  /* [n_labels], those that have flows, by name */
	uint32_t n_checkpoints;
	uint8_t *checkpoints; /* [n_checkpoints], ascending, but 0, the end, last */
	uint32_t n_detections;
	struct figures_detection *detections; /* [n_detections], attack labels by name */
};

/* Fills all in. 0 or -ENOMEM; figures_free releases it, in either case. */
int figures_make(struct figures *figures, const struct judged_flows *flows, const struct eval_judge *judge,
		 double base_rate);
void figures_free(struct figures *figures);

/* Three numbers for comparing; NAN where there is none. */
struct figures_brief {
	double balanced_accuracy, roc_auc, recall_at_1;
};

/* Those of flows whose truth, said and logit are filled in. 0 or -ENOMEM. */
int figures_brief_make(struct figures_brief *brief, const struct judged_flow *flows, uint32_t n_flows,
		       uint32_t n_classes, bool has_benign);

#endif
