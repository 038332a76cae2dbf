/* SPDX-License-Identifier: BSD-3-Clause */
#include "flow_threshold.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Scores ---- */

static int rows_score(const struct nn_plan *plan, const struct flow_dataset *set, struct flow_score *scores)
{
	const struct nn_kernel *kernel = nn_kernel_find(NULL);
	struct nn_scratch *scratch = nn_scratch_create(plan);
	uint32_t n_out = nn_plan_n_out(plan);
	float *logits = malloc((size_t)NN_MAX_BATCH * n_out * sizeof(*logits));
	int rc = scratch != NULL && logits != NULL ? 0 : -ENOMEM;

	for (size_t at = 0, n; at < set->n_rows && rc == 0; at += n) {
		n = set->n_rows - at < NN_MAX_BATCH ? set->n_rows - at : NN_MAX_BATCH;
		kernel->score_floats(plan, scratch, set->values + at * set->n_features, set->n_features,
				     (uint32_t)n, logits);
		for (size_t i = 0; i < n; i++) {
			scores[at + i] = (struct flow_score){
				.flow = set->rows[at + i].flow,
				.logit = nn_output_log_odds(logits + i * n_out, n_out),
				.is_attack = set->rows[at + i].class != 0,
				.is_part = set->rows[at + i].is_part,
			};
			if (!isfinite(scores[at + i].logit))
				rc = -ERANGE;
		}
	}
	nn_scratch_free(scratch);
	free(logits);
	return rc;
}

/* Rows that are no parts of flows stand behind all others. */
static int compare_by_flow(const void *left, const void *right)
{
	const struct flow_score *a = left, *b = right;

	if (a->is_part != b->is_part)
		return a->is_part ? -1 : 1;
	return (a->flow > b->flow) - (a->flow < b->flow);
}

static int compare_by_logit(const void *left, const void *right)
{
	const struct flow_score *a = left, *b = right;

	return (a->logit < b->logit) - (a->logit > b->logit);
}

/* Makes one score of all parts of a flow, and puts the highest first. */
static void rows_merge(struct flow_scores *scores, size_t n_rows)
{
	struct flow_score *flows = scores->flows;

	qsort(flows, n_rows, sizeof(*flows), compare_by_flow);
	for (size_t i = 0; i < n_rows; i++) {
		struct flow_score *last = scores->n > 0 ? &flows[scores->n - 1] : NULL;

		if (last == NULL || !flows[i].is_part || last->flow != flows[i].flow) {
			flows[scores->n++] = flows[i];
			continue;
		}
		last->logit = fmaxf(last->logit, flows[i].logit);
		last->is_attack |= flows[i].is_attack;
	}
	qsort(flows, scores->n, sizeof(*flows), compare_by_logit);
	for (size_t i = 0; i < scores->n; i++)
		scores->n_attack += flows[i].is_attack;
	scores->n_benign = scores->n - scores->n_attack;
}

int flow_scores_make(struct flow_scores *scores, const struct nn_network *network, const struct flow_dataset *set)
{
	struct nn_plan *plan;
	int rc = nn_plan_create(network, &plan);

	*scores = (struct flow_scores){0};
	if (rc < 0)
		return rc;
	scores->flows = malloc((set->n_rows + 1) * sizeof(*scores->flows));
	rc = scores->flows != NULL ? rows_score(plan, set, scores->flows) : -ENOMEM;
	nn_plan_free(plan);
	if (rc == 0)
		rows_merge(scores, set->n_rows);
	else
		flow_scores_free(scores);
	return rc;
}

void flow_scores_free(struct flow_scores *scores)
{
	free(scores->flows);
	*scores = (struct flow_scores){0};
}

/* ---- The rule ---- */

static int number_parse(const char *text, double *value)
{
	char *end;

	*value = strtod(text, &end);
	return end == text || *end != '\0' || !isfinite(*value) ? -EINVAL : 0;
}

int flow_threshold_parse(const char *text, struct flow_threshold_rule *rule)
{
	static const char fpr[] = "fpr:";

	*rule = (struct flow_threshold_rule){.kind = FLOW_THRESHOLD_F1};
	if (strcmp(text, "f1") == 0)
		return 0;
	if (strncmp(text, fpr, strlen(fpr)) == 0) {
		rule->kind = FLOW_THRESHOLD_FPR;
		if (number_parse(text + strlen(fpr), &rule->value) < 0)
			return -EINVAL;
		return rule->value >= 0 && rule->value <= 1 ? 0 : -EINVAL;
	}
	rule->kind = FLOW_THRESHOLD_FIXED;
	if (number_parse(text, &rule->value) < 0)
		return -EINVAL;
	return rule->value > 0 && rule->value < 1 ? 0 : -EINVAL;
}

bool flow_threshold_allows(const struct flow_threshold_rule *rule, const struct flow_scores *scores,
			   struct flow_alarms alarms)
{
	return rule->kind != FLOW_THRESHOLD_FPR || (double)alarms.n_false <= rule->value * (double)scores->n_benign;
}

static double alarms_f1(const struct flow_scores *scores, struct flow_alarms alarms)
{
	return 2 * (double)alarms.n_true / (double)(alarms.n_true + alarms.n_false + scores->n_attack);
}

/* How many of the flows, from the highest on, the rule calls attacks. Equal logits stay together. */
static size_t flows_choose(const struct flow_threshold_rule *rule, const struct flow_scores *scores)
{
	struct flow_alarms alarms = {0, 0};
	double best_f1 = 0;
	size_t n_chosen = 0;

	for (size_t i = 0; i < scores->n; i++) {
		alarms.n_true += scores->flows[i].is_attack;
		alarms.n_false += !scores->flows[i].is_attack;
		if (i + 1 < scores->n && scores->flows[i + 1].logit == scores->flows[i].logit)
			continue;
		if (!flow_threshold_allows(rule, scores, alarms))
			break;
		if (rule->kind == FLOW_THRESHOLD_F1 && alarms_f1(scores, alarms) <= best_f1)
			continue;
		best_f1 = alarms_f1(scores, alarms);
		n_chosen = i + 1;
	}
	return n_chosen;
}

int flow_threshold_choose(const struct flow_threshold_rule *rule, const struct flow_scores *scores,
			  double *threshold)
{
	const struct flow_score *flows = scores->flows;
	size_t n_chosen;

	if (rule->kind == FLOW_THRESHOLD_FIXED) {
		*threshold = log(rule->value / (1 - rule->value));
		return 0;
	}
	if (rule->kind == FLOW_THRESHOLD_FPR ? scores->n_benign == 0 : scores->n_attack == 0)
		return -EINVAL;
	n_chosen = flows_choose(rule, scores);
	if (n_chosen == 0)
		*threshold = (double)flows[0].logit + 1;
	else if (n_chosen == scores->n)
		*threshold = (double)flows[n_chosen - 1].logit - 1;
	else
		*threshold = ((double)flows[n_chosen - 1].logit + (double)flows[n_chosen].logit) / 2;
	return 0;
}

struct flow_alarms flow_threshold_count(const struct flow_scores *scores, double threshold)
{
	struct flow_alarms alarms = {0, 0};

	for (size_t i = 0; i < scores->n && (double)scores->flows[i].logit >= threshold; i++) {
		alarms.n_true += scores->flows[i].is_attack;
		alarms.n_false += !scores->flows[i].is_attack;
	}
	return alarms;
}

void flow_threshold_shift(struct nn_network *network, double threshold)
{
	struct nn_layer *last = &network->layers[network->n_layers - 1];

	if (last->n_out == 1)
		threshold = -threshold;
	last->bias[0] = (float)((double)last->bias[0] + threshold);
}
