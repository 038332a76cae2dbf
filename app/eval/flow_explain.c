/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Judges flows anew with some of their features changed. Called by eval_flows.c.
 */
#include "eval/flow_explain.h"

#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/flow_baselines.h"
#include "random.h"

/* The first pattern that matches a feature's name tells its group; upper and lower case do not differ. */
static const struct {
	const char *pattern, *group;
} feature_groups[] = {
	{"initiator_*", "initiator"},
	{"pair_*", "pair"},
	{"hosts_*", "pair"},
	{"responder_*", "responder"},
	{"service_*", "responder"},
	{"first_reply", "times"},
	{"first_*", "first packet"},
	{"*_first_payload", "first packet"},
	{"size[0-9]*", "listed packets"},
	{"direction[0-9]*", "listed packets"},
	{"gap[0-9]*", "listed packets"},
	{"tcp_flags[0-9]*", "listed packets"},
	{"*protocol*", "protocol"},
	{"icmp*", "protocol"},
	{"*_ttl", "protocol"},
	{"*window*", "protocol"},
	{"*win bytes*", "protocol"},
	{"*_per_second", "rates"},
	{"*_rate", "rates"},
	{"*/s", "rates"},
	{"*duration*", "times"},
	{"*gap*", "times"},
	{"*iat *", "times"},
	{"active*", "times"},
	{"idle*", "times"},
	{"*_time", "times"},
	{"*bulk*", "bulks"},
	{"*subflow*", "bulks"},
	{"tcp_*", "TCP flags"},
	{"*fin_*", "TCP flags"},
	{"*syn_*", "TCP flags"},
	{"*rst_*", "TCP flags"},
	{"*psh_*", "TCP flags"},
	{"*ack_*", "TCP flags"},
	{"*urg_*", "TCP flags"},
	{"*ece_*", "TCP flags"},
	{"*cwr_*", "TCP flags"},
	{"*flag*", "TCP flags"},
	{"*bytes*", "bytes"},
	{"*payload*", "bytes"},
	{"*size*", "bytes"},
	{"*length*", "bytes"},
	{"*header*", "bytes"},
	{"*packet*", "packets"},
	{"*pkt*", "packets"},
	{"*empty_share", "packets"},
	{"direction_changes", "packets"},
	{"down*up*", "packets"},
};

const char *explain_group_of(const char *feature)
{
	for (size_t i = 0; i < sizeof(feature_groups) / sizeof(feature_groups[0]); i++)
		if (fnmatch(feature_groups[i].pattern, feature, FNM_CASEFOLD) == 0)
			return feature_groups[i].group;
	return "other";
}

/* The flows that are judged anew, with room for what is said of them. */
struct sample {
	const struct judged_flows *from;
	const struct eval_judge *judge;
	uint32_t n_flows, n_rows;
	struct judged_flow *flows;     /* [n_flows]; first counts in rows below */
	uint32_t *rows;		       /* [n_rows] of the set */
	struct eval_verdict *verdicts; /* [n_rows] */
	uint32_t *donors;	       /* [n_rows] */
	uint8_t is_edited[FLOW_DATASET_MAX_FEATURES];
};

static void sample_free(struct sample *sample)
{
	free(sample->flows);
	free(sample->rows);
	free(sample->verdicts);
	free(sample->donors);
}

static int sample_draw(struct sample *sample, const struct judged_flows *from, const struct eval_judge *judge)
{
	uint32_t step = (from->n_flows + EXPLAIN_MAX_FLOWS - 1) / EXPLAIN_MAX_FLOWS;
	size_t room = (size_t)from->n_rows + 1;

	*sample = (struct sample){
		.from = from,
		.judge = judge,
		.flows = malloc(((size_t)from->n_flows + 1) * sizeof(*sample->flows)),
		.rows = malloc(room * sizeof(*sample->rows)),
		.verdicts = malloc(room * sizeof(*sample->verdicts)),
		.donors = malloc(room * sizeof(*sample->donors)),
	};
	if (sample->flows == NULL || sample->rows == NULL || sample->verdicts == NULL || sample->donors == NULL)
		return -ENOMEM;
	for (uint32_t f = 0; f < from->n_flows; f += step) {
		struct judged_flow *flow = &sample->flows[sample->n_flows++];

		*flow = from->flows[f];
		memcpy(sample->rows + sample->n_rows, from->rows + flow->first,
		       flow->n_rows * sizeof(*sample->rows));
		flow->first = sample->n_rows;
		sample->n_rows += flow->n_rows;
	}
	return 0;
}

/* The figures with an edit, or NULL for none. A flow whose sums overflow by it counts as least alarming. */
static int sample_judge(struct sample *sample, const struct flow_edit *edit, struct figures_brief *brief)
{
	eval_judge_rows(sample->judge, sample->from->set, sample->rows, sample->n_rows, edit, sample->verdicts,
			NULL);
	for (uint32_t f = 0; f < sample->n_flows; f++) {
		judged_flow_decide(&sample->flows[f], sample->judge, sample->rows, sample->verdicts);
		if (isnan(sample->flows[f].logit))
			sample->flows[f].logit = -INFINITY;
	}
	return figures_brief_make(brief, sample->flows, sample->n_flows, sample->from->n_classes,
				  sample->judge->has_benign);
}

static struct figures_brief brief_less(struct figures_brief from, struct figures_brief less)
{
	from.balanced_accuracy -= less.balanced_accuracy;
	from.roc_auc -= less.roc_auc;
	from.recall_at_1 -= less.recall_at_1;
	return from;
}

static void brief_add_share(struct figures_brief *sum, struct figures_brief part, double share)
{
	sum->balanced_accuracy += part.balanced_accuracy * share;
	sum->roc_auc += part.roc_auc * share;
	sum->recall_at_1 += part.recall_at_1 * share;
}

static int drop_compare(const void *left, const void *right)
{
	const struct explain_drop *a = left, *b = right;

	/* An area that is not there, NAN, is neither above nor below. */
	if (a->drop.roc_auc > b->drop.roc_auc || a->drop.roc_auc < b->drop.roc_auc)
		return a->drop.roc_auc < b->drop.roc_auc ? 1 : -1;
	if (a->drop.balanced_accuracy != b->drop.balanced_accuracy)
		return a->drop.balanced_accuracy < b->drop.balanced_accuracy ? 1 : -1;
	return strcmp(a->name, b->name);
}

static int explain_begin(struct explain *explain, struct sample *sample, const struct judged_flows *flows,
			 const struct eval_judge *judge)
{
	int rc = sample_draw(sample, flows, judge);

	*explain = (struct explain){.drops = calloc(flows->set->n_features, sizeof(*explain->drops))};
	if (rc < 0 || explain->drops == NULL)
		return -ENOMEM;
	explain->n_flows = sample->n_flows;
	return sample_judge(sample, NULL, &explain->base);
}

static void explain_sort(struct explain *explain)
{
	qsort(explain->drops, explain->n_drops, sizeof(*explain->drops), drop_compare);
}

/* Each row of the sample gets the feature of the row that the permutation names. */
static int feature_permute(struct sample *sample, uint32_t feature, struct random *random, uint32_t *order,
			   const struct figures_brief *base, struct explain_drop *drop)
{
	struct flow_edit edit = {.is_edited = sample->is_edited, .donors = sample->donors};
	struct figures_brief brief;
	int rc = 0;

	sample->is_edited[feature] = 1;
	for (int i = 0; i < EXPLAIN_N_PERMUTATIONS && rc == 0; i++) {
		random_order(random, order, sample->n_rows);
		for (uint32_t r = 0; r < sample->n_rows; r++)
			sample->donors[r] = sample->rows[order[r]];
		rc = sample_judge(sample, &edit, &brief);
		if (rc == 0)
			brief_add_share(&drop->drop, brief_less(*base, brief), 1.0 / EXPLAIN_N_PERMUTATIONS);
	}
	sample->is_edited[feature] = 0;
	return rc;
}

int explain_features(struct explain *explain, const struct judged_flows *flows, const struct eval_judge *judge,
		     uint64_t seed, const atomic_bool *stop)
{
	struct random random;
	struct sample sample;
	uint32_t *order = malloc(((size_t)flows->n_rows + 1) * sizeof(*order));
	int rc = explain_begin(explain, &sample, flows, judge);

	if (order == NULL)
		rc = -ENOMEM;
	random_seed(&random, seed);
	for (uint32_t j = 0; j < flows->set->n_features && rc == 0; j++) {
		struct explain_drop *drop = &explain->drops[explain->n_drops++];

		*drop = (struct explain_drop){.name = flows->set->features[j], .n_features = 1};
		rc = feature_permute(&sample, j, &random, order, &explain->base, drop);
		if (atomic_load(stop))
			rc = -EINTR;
	}
	explain_sort(explain);
	free(order);
	sample_free(&sample);
	return rc;
}

/*
 * The mean of each feature as the network sees it: where that is the logarithm, the value whose logarithm is the
 * mean of the logarithms.
 */
static void means_fill(const struct sample *sample, float *means)
{
	const struct flow_dataset *set = sample->from->set;
	const uint8_t *is_log = flow_baselines_log(sample->judge);

	for (uint32_t j = 0; j < set->n_features; j++) {
		double sum = 0;

		for (uint32_t r = 0; r < sample->n_rows; r++) {
			double value = (double)set->values[(size_t)sample->rows[r] * set->n_features + j];

			sum += is_log != NULL && is_log[j] != 0 ? log1p(fmax(value, 0)) : value;
		}
		sum /= sample->n_rows;
		means[j] = (float)(is_log != NULL && is_log[j] != 0 ? expm1(sum) : sum);
	}
}

/* Adds the group of a feature, where it is not there yet. */
static void group_note(struct explain *explain, const char *group)
{
	uint32_t g = 0;

	while (g < explain->n_drops && strcmp(explain->drops[g].name, group) != 0)
		g++;
	if (g == explain->n_drops)
		explain->drops[explain->n_drops++].name = group;
	explain->drops[g].n_features++;
}

int explain_groups(struct explain *explain, const struct judged_flows *flows, const struct eval_judge *judge,
		   const atomic_bool *stop)
{
	const struct flow_dataset *set = flows->set;
	float means[FLOW_DATASET_MAX_FEATURES];
	struct sample sample;
	struct flow_edit edit = {.is_edited = sample.is_edited, .constants = means};
	int rc = explain_begin(explain, &sample, flows, judge);

	if (rc == 0)
		means_fill(&sample, means);
	for (uint32_t j = 0; j < set->n_features && rc == 0; j++)
		group_note(explain, explain_group_of(set->features[j]));
	for (uint32_t g = 0; g < explain->n_drops && rc == 0; g++) {
		struct explain_drop *drop = &explain->drops[g];
		struct figures_brief brief;

		for (uint32_t j = 0; j < set->n_features; j++)
			sample.is_edited[j] = strcmp(explain_group_of(set->features[j]), drop->name) == 0;
		rc = sample_judge(&sample, &edit, &brief);
		if (rc == 0)
			drop->drop = brief_less(explain->base, brief);
		if (atomic_load(stop))
			rc = -EINTR;
	}
	explain_sort(explain);
	sample_free(&sample);
	return rc;
}

void explain_free(struct explain *explain)
{
	free(explain->drops);
	*explain = (struct explain){0};
}
