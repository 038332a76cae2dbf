/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From which log-odds on a flow is an attack: chosen on flows that were not trained on. Called by `wirescore
 * train`.
 *
 * A flow may be asked about more than once, at its checkpoints and its end, and one alarm is enough: its logit is
 * the highest of its rows. Rows of tables without checkpoints are flows of their own. With many classes it is the
 * log-odds that the flow is not of class 0.
 */
#ifndef WIRESCORE_TRAIN_FLOW_THRESHOLD_H
#define WIRESCORE_TRAIN_FLOW_THRESHOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow_dataset.h"
#include "nn.h"

struct flow_score {
	uint64_t flow;
	float logit;
	bool is_attack;
	bool is_part; /* of a flow that may have more rows; else the row is a flow */
};

/* Flows with the highest logits first. */
struct flow_scores {
	size_t n, n_benign, n_attack;
	struct flow_score *flows; /* [n] */
};

/*
 * Scores the flows of a set, whose values are as they were read, with the kernel that will classify.
 * 0, -ENOMEM, -EINVAL (the network cannot be run) or -ERANGE (a sum overflowed). flow_scores_free releases them.
 */
int flow_scores_make(struct flow_scores *scores, const struct nn_network *network, const struct flow_dataset *set);
void flow_scores_free(struct flow_scores *scores);

enum flow_threshold_kind {
	FLOW_THRESHOLD_FIXED, /* the probability that is named */
	FLOW_THRESHOLD_FPR,   /* the lowest with at most that share of the benign flows at or above it */
	FLOW_THRESHOLD_F1,    /* the one with the best F1 of attacks; of equal ones the highest */
};

struct flow_threshold_rule {
	enum flow_threshold_kind kind;
	double value;
};

/* "0.5" (a probability between 0 and 1), "fpr:0.001" (a share from 0 to 1) or "f1". 0 or -EINVAL. */
int flow_threshold_parse(const char *text, struct flow_threshold_rule *rule);

/*
 * The log-odds that the rule chooses: half way between two flows where flows decide it, so that roundings do not
 * move any across. 0, or -EINVAL where there are no flows of a class that the rule looks at.
 */
int flow_threshold_choose(const struct flow_threshold_rule *rule, const struct flow_scores *scores,
			  double *threshold);

/* Flows whose logit is at the threshold or above it. */
struct flow_alarms {
	size_t n_false, n_true;
};
struct flow_alarms flow_threshold_count(const struct flow_scores *scores, double threshold);

/* Whether so many false alarms keep to the rule. */
bool flow_threshold_allows(const struct flow_threshold_rule *rule, const struct flow_scores *scores,
			   struct flow_alarms alarms);

/*
 * Lowers the last layer's bias of attacks, or raises that of class 0 where there are more outputs, so that the
 * threshold becomes log-odds of 0. A probability near 1 cannot say it: as a float it is 1 from log-odds of 17 on.
 * What the network says is then no longer the probability that was learnt: the shift must be kept beside it (models
 * have it as threshold_shift) and added to its log-odds for that.
 */
void flow_threshold_shift(struct nn_network *network, double threshold);

#endif
