/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What simpler answers make of the same flows: the commonest class, the best single-feature stump, logistic
 * regression. They see a flow's last row, the one that knows most of it. Called by eval_flows.c.
 *
 * Without data of their own they learn from one half of the flows, and all, the model too, are judged on the other.
 * The halves are whole sources where each class is in several; else the earlier flows of each source and the later
 * ones; else the flows of whole initiators. Halves drawn flow by flow would hold flows of one attack on both sides,
 * and make anything look good: they are made only when asked for.
 */
#ifndef WIRESCORE_EVAL_FLOW_BASELINES_H
#define WIRESCORE_EVAL_FLOW_BASELINES_H

#include <stdbool.h>
#include <stdint.h>

#include "baselines.h"
#include "eval/eval.h"
#include "eval/eval_judge.h"

/* Flows that baselines learn from at most: evenly spread ones of a larger number. */
#define BASELINES_MAX_LEARNT 200000u
/* A stump that is this near to the model's balanced accuracy is warned of. */
#define BASELINES_STUMP_MARGIN 0.01

/* Attack or benign, on the flows that all are compared on. */
struct baseline_figures {
	double accuracy, balanced_accuracy, f1;
	double roc_auc, recall_at_1; /* NAN where there is none */
};

struct flow_baselines {
	char missing[256];  /* why there are none; "": there are */
	const char *halves; /* how the flows were halved: "capture", "time", ..; NULL: learnt from --train-data */
	uint32_t n_learnt, n_judged;
	struct stump stump;
	uint32_t n_logistic_steps;
	struct baseline_figures model, majority, stump_figures, logistic;
	const char *majority_class;
	bool is_stump_close;
};

/* The columns that the model's input stage takes the logarithm of; NULL: none. */
const uint8_t *flow_baselines_log(const struct eval_judge *judge);

/*
 * Learns from the flows of learning, or where it is NULL from half of flows, by the options' split and seed. 0 or
 * -ENOMEM. Where a class is missing on either side there is nothing to compare, and missing says so.
 */
int flow_baselines_make(struct flow_baselines *baselines, const struct judged_flows *flows,
			const struct judged_flows *learning, const struct eval_judge *judge,
			const struct eval_options *options);

/* Figures of n answers: said and scores (higher: more of an attack) against truths of 0 and 1. 0 or -ENOMEM. */
int baseline_figures_make(struct baseline_figures *figures, const uint8_t *truths, const uint8_t *said,
			  const float *scores, uint32_t n);

#endif
