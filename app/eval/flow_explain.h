/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a flow model leans on: permutation importance of each feature, and what each group of features is worth.
 * Called by eval_flows.c.
 */
#ifndef WIRESCORE_EVAL_FLOW_EXPLAIN_H
#define WIRESCORE_EVAL_FLOW_EXPLAIN_H

#include <stdatomic.h>
#include <stdint.h>

#include "eval/eval_judge.h"
#include "eval/flow_figures.h"

#define EXPLAIN_N_PERMUTATIONS 5
/* Flows that are judged anew each time at most: evenly spread ones of a larger number. */
#define EXPLAIN_MAX_FLOWS 50000u

/* What is lost; below 0 is a gain. NAN where there is no such figure. */
struct explain_drop {
	const char *name; /* of a feature, borrowed from the set, or of a group */
	uint32_t n_features;
	struct figures_brief drop;
};

struct explain {
	uint32_t n_flows; /* that were judged */
	struct figures_brief base;
	uint32_t n_drops;
	struct explain_drop *drops; /* [n_drops], the largest drop of the area first */
};

/*
 * Shuffles each feature across all rows (Breiman, 2001): the mean of some permutations drawn by seed.
 * 0, -EINTR when *stop became true, or -ENOMEM. explain_free releases it, in either case.
 */
int explain_features(struct explain *explain, const struct judged_flows *flows, const struct eval_judge *judge,
		     uint64_t seed, const atomic_bool *stop);

/*
 * Replaces all features of a group by their means, of logarithms where the network sees those. Names tell groups.
 */
int explain_groups(struct explain *explain, const struct judged_flows *flows, const struct eval_judge *judge,
		   const atomic_bool *stop);

void explain_free(struct explain *explain);

/* The group of a feature: "bytes", "responder", .. or "other". */
const char *explain_group_of(const char *feature);

#endif
