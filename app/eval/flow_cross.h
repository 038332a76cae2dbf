/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How well what is learnt on some sources holds on others: logistic regression and a small network, trained on each
 * source and judged on the others, then trained on all but one and judged on that one. Called by eval_flows.c.
 */
#ifndef WIRESCORE_EVAL_FLOW_CROSS_H
#define WIRESCORE_EVAL_FLOW_CROSS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "eval/eval_judge.h"

/* Flows of a source that are learnt from at most. */
#define CROSS_MAX_FLOWS 20000u
/* Every so many flows of what is learnt from are held out, to set the threshold. */
#define CROSS_HELD_OUT 4u
/* The share of the benign flows that were held out and that may alarm. */
#define CROSS_FPR 0.01

/* NAN where there are no flows for a figure. */
struct cross_figures {
	double roc_auc;
	double recall, fpr; /* at the threshold that flows held out of the sources learnt from set */
};

struct cross_trial {
	uint32_t source;     /* of the set */
	bool is_left_out;    /* learnt from all sources but this one; else from it alone */
	const char *missing; /* why it could not be done; NULL: it was */
	uint32_t n_learnt;   /* flows, and those of the same sources that set the threshold */
	uint32_t n_held_out;
	uint32_t n_benign, n_attack; /* flows that were judged */
	struct cross_figures logistic, network;
};

struct flow_cross {
	const char *missing; /* why there are no trials; NULL: there are */
	uint32_t n_trials;
	struct cross_trial *trials; /* [n_trials] */
};

/*
 * Two trials a source. 0; -EINTR when *stop became true; or a negative errno with one line in error.
 * flow_cross_free releases it, in any case.
 */
int flow_cross_make(struct flow_cross *cross, const struct judged_flows *flows, const struct eval_judge *judge,
		    uint64_t seed, const atomic_bool *stop, char *error, size_t error_size);
void flow_cross_free(struct flow_cross *cross);

#endif
