/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Scores rows of flows with the kernels that classify, and brings the rows of a flow together. Called by
 * eval_flows.c.
 */
#include "eval/eval_judge.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow_model.h"

/* Outputs of a row: a byte holds a class. */
#define MAX_OUT 256

static int output_check(const struct nn_plan *plan, char *error, size_t error_size)
{
	uint32_t n_out = nn_plan_n_out(plan);
	enum nn_activation output = nn_plan_output(plan);

	if (output == NN_SIGMOID && n_out == 1)
		return 0;
	if (output == NN_SOFTMAX && n_out <= MAX_OUT)
		return 0;
	snprintf(error, error_size, "ends in %u outputs with %s; a flow model ends in one sigmoid or in a softmax",
		 n_out, nn_activation_name(output));
	return -EINVAL;
}

/* Whether a class is called benign, or as benign flows are in tables. */
static bool is_benign(const char *name)
{
	static const struct flow_dataset_names usual = {0};

	return flow_dataset_is_benign(&usual, name);
}

/* Finds out whether there is a class of harmless flows, which is the first, as everywhere in wirescore. */
static int benign_find(struct eval_judge *judge, char *error, size_t error_size)
{
	judge->has_benign = is_benign(judge->classes[0]);
	for (uint32_t c = 1; c < judge->n_classes && !judge->has_benign; c++) {
		if (!is_benign(judge->classes[c]))
			continue;
		snprintf(error, error_size,
			 "has the class '%.64s' as number %u; flow models have it first: train it with the classes "
			 "in that order",
			 judge->classes[c], c + 1);
		return -EINVAL;
	}
	return 0;
}

/* Names the classes: as the model does, or where it does not, benign and attack. */
static int classes_name(struct eval_judge *judge, char *error, size_t error_size)
{
	judge->n_classes = judge->n_out == 1 ? 2 : judge->n_out;
	judge->classes = judge->model->classes;
	if (judge->model->n_classes == judge->n_classes)
		return benign_find(judge, error, error_size);
	if (judge->n_classes > 2) {
		snprintf(error, error_size, "does not name its %u classes (wirescore.classes)", judge->n_classes);
		return -EINVAL;
	}
	snprintf(judge->stand_ins[0], sizeof(judge->stand_ins[0]), "benign");
	snprintf(judge->stand_ins[1], sizeof(judge->stand_ins[1]), "attack");
	for (int c = 0; c < 2; c++)
		judge->stand_in_names[c] = judge->stand_ins[c];
	judge->classes = judge->stand_in_names;
	judge->has_benign = true;
	return 0;
}

int eval_judge_create(struct eval_judge *judge, const struct model *model, const struct nn_kernel *kernel,
		      char *error, size_t error_size)
{
	int rc;

	*judge = (struct eval_judge){.model = model, .kernel = kernel};
	rc = nn_plan_create(&model->network, &judge->plan);
	if (rc < 0) {
		snprintf(error, error_size, "cannot be packed for the kernels: %s", strerror(-rc));
		return rc;
	}
	judge->n_out = nn_plan_n_out(judge->plan);
	rc = flow_model_threshold(model, &judge->threshold, error, error_size);
	if (rc == 0)
		rc = output_check(judge->plan, error, error_size);
	if (rc == 0)
		rc = classes_name(judge, error, error_size);
	if (rc == 0 && model->n_features != model->network.n_in) {
		snprintf(error, error_size,
			 "does not name its %u inputs (wirescore.features): "
			 "which columns they are cannot be told",
			 model->network.n_in);
		rc = -EINVAL;
	}
	if (rc == 0) {
		judge->scratch = nn_scratch_create(judge->plan);
		if (judge->scratch == NULL) {
			snprintf(error, error_size, "out of memory");
			rc = -ENOMEM;
		}
	}
	if (rc < 0)
		eval_judge_free(judge);
	return rc;
}

void eval_judge_free(struct eval_judge *judge)
{
	nn_scratch_free(judge->scratch);
	nn_plan_free(judge->plan);
	judge->scratch = NULL;
	judge->plan = NULL;
}

/* ---- Rows ---- */

static uint8_t likeliest(const float *logits, uint32_t first, uint32_t n)
{
	uint32_t best = first;

	for (uint32_t c = first + 1; c < n; c++)
		if (logits[c] > logits[best])
			best = c;
	return (uint8_t)best;
}

static struct eval_verdict verdict_of(const struct eval_judge *judge, const float *logits, float *scores)
{
	float probabilities[MAX_OUT];
	struct eval_verdict verdict;
	bool is_alarm;

	nn_output_scores(nn_plan_output(judge->plan), logits, judge->n_out, probabilities);
	verdict.logit = nn_output_log_odds(logits, judge->n_out);
	verdict.probability = probabilities[0];
	if (judge->n_out > 1)
		verdict.probability = 1 - probabilities[0];
	/* One that is not a number is the likeliest of none: it must not hide behind those that are. */
	for (uint32_t c = 0; c < judge->n_out; c++)
		if (isnan(logits[c]))
			verdict.logit = NAN;
	is_alarm = verdict.logit >= judge->threshold;
	if (judge->n_out == 1)
		verdict.said = is_alarm;
	else if (judge->has_benign)
		verdict.said = is_alarm ? likeliest(logits, 1, judge->n_out) : 0;
	else
		verdict.said = likeliest(logits, 0, judge->n_out);
	if (scores != NULL && judge->n_out > 1)
		memcpy(scores, probabilities, judge->n_out * sizeof(*scores));
	return verdict;
}

static void row_edit(const struct flow_dataset *set, const struct flow_edit *edit, uint32_t i, float *row)
{
	const float *donor =
		edit->donors != NULL ? set->values + (size_t)edit->donors[i] * set->n_features : edit->constants;

	for (uint32_t j = 0; j < set->n_features; j++)
		if (edit->is_edited[j])
			row[j] = donor[j];
}

void eval_judge_rows(const struct eval_judge *judge, const struct flow_dataset *set, const uint32_t *rows,
		     uint32_t n, const struct flow_edit *edit, struct eval_verdict *verdicts, float *scores)
{
	static _Thread_local float block[NN_MAX_BATCH * NN_MAX_WIDTH], logits[NN_MAX_BATCH * MAX_OUT];
	uint32_t width = set->n_features;

	for (uint32_t at = 0, n_block; at < n; at += n_block) {
		n_block = n - at < NN_MAX_BATCH ? n - at : NN_MAX_BATCH;
		for (uint32_t i = 0; i < n_block; i++) {
			float *row = block + (size_t)i * width;

			memcpy(row, set->values + (size_t)rows[at + i] * width, width * sizeof(*row));
			if (edit != NULL)
				row_edit(set, edit, at + i, row);
		}
		judge->kernel->score_floats(judge->plan, judge->scratch, block, width, n_block, logits);
		for (uint32_t i = 0; i < n_block; i++)
			verdicts[at + i] =
				verdict_of(judge, logits + (size_t)i * judge->n_out,
					   scores != NULL ? scores + (size_t)(at + i) * judge->n_classes : NULL);
	}
}

/* ---- Flows ---- */

struct membership {
	uint64_t flow;
	uint32_t row;
	bool is_part;
};

static int membership_compare(const void *left, const void *right)
{
	const struct membership *a = left, *b = right;

	if (a->is_part != b->is_part)
		return a->is_part ? -1 : 1;
	if (a->flow != b->flow)
		return a->flow < b->flow ? -1 : 1;
	return (a->row > b->row) - (a->row < b->row);
}

/* Puts the rows of each flow side by side. */
static int rows_group(struct judged_flows *flows, bool by_rows)
{
	struct membership *members = malloc(((size_t)flows->n_rows + 1) * sizeof(*members));

	if (members == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < flows->n_rows; i++)
		members[i] =
			(struct membership){flows->set->rows[i].flow, i, !by_rows && flows->set->rows[i].is_part};
	if (!by_rows)
		qsort(members, flows->n_rows, sizeof(*members), membership_compare);
	for (uint32_t i = 0; i < flows->n_rows; i++) {
		flows->rows[i] = members[i].row;
		if (i == 0 || !members[i].is_part || members[i].flow != members[i - 1].flow)
			flows->flows[flows->n_flows++] = (struct judged_flow){.first = i};
		flows->flows[flows->n_flows - 1].n_rows++;
	}
	free(members);
	return 0;
}

/* Which row knows more: an end more than a checkpoint, of those the one at more packets, else the later one. */
static bool knows_more(const struct flow_dataset_row *row, const struct flow_dataset_row *other)
{
	uint32_t packets = row->checkpoint != 0 ? row->checkpoint : UINT32_MAX;
	uint32_t other_packets = other->checkpoint != 0 ? other->checkpoint : UINT32_MAX;

	return packets >= other_packets;
}

/* What the data say of a flow. Returns whether its rows are of more than one class. */
static bool flow_describe(struct judged_flow *flow, const struct judged_flows *flows)
{
	const struct flow_dataset_row *all = flows->set->rows;
	const uint32_t *rows = flows->rows + flow->first;
	const struct flow_dataset_row *named = &all[rows[0]];
	bool is_mixed = false;

	flow->last_row = rows[0];
	flow->start_s = named->start_s;
	for (uint32_t i = 1; i < flow->n_rows; i++) {
		const struct flow_dataset_row *row = &all[rows[i]];

		is_mixed |= row->class != named->class;
		if (named->class == 0 && row->class != 0)
			named = row;
		if (knows_more(row, &all[flow->last_row]))
			flow->last_row = rows[i];
		flow->start_s = fmin(flow->start_s, row->start_s);
	}
	flow->source = named->source;
	flow->label = named->label;
	flow->truth = named->class;
	return is_mixed;
}

void judged_flow_decide(struct judged_flow *flow, const struct eval_judge *judge, const uint32_t *rows,
			const struct eval_verdict *verdicts)
{
	uint32_t best = flow->first;

	for (uint32_t i = flow->first; i < flow->first + flow->n_rows; i++) {
		if (judge->has_benign ? verdicts[i].logit > verdicts[best].logit || isnan(verdicts[best].logit)
				      : rows[i] == flow->last_row)
			best = i;
	}
	flow->row = rows[best];
	flow->logit = verdicts[best].logit;
	flow->probability = verdicts[best].probability;
	flow->said = verdicts[best].said;
	flow->is_alarm = judge->has_benign && flow->logit >= judge->threshold;
}

/* Judges every flow and leaves those out that cannot be. */
static void flows_decide(struct judged_flows *flows, const struct eval_judge *judge)
{
	uint32_t n_kept = 0;

	for (uint32_t f = 0; f < flows->n_flows; f++) {
		struct judged_flow flow = flows->flows[f];

		flows->n_mixed += flow_describe(&flow, flows);
		judged_flow_decide(&flow, judge, flows->rows, flows->verdicts);
		if (isnan(flow.logit))
			flows->n_overflowed++;
		else
			flows->flows[n_kept++] = flow;
	}
	flows->n_flows = n_kept;
}

/* The scores of each class, of the row that judges a flow. */
static int scores_fill(struct judged_flows *flows, const struct eval_judge *judge)
{
	struct eval_verdict verdict;

	flows->scores = malloc(((size_t)flows->n_flows + 1) * judge->n_classes * sizeof(*flows->scores));
	if (flows->scores == NULL)
		return -ENOMEM;
	for (uint32_t f = 0; f < flows->n_flows; f++)
		eval_judge_rows(judge, flows->set, &flows->flows[f].row, 1, NULL, &verdict,
				flows->scores + (size_t)f * judge->n_classes);
	return 0;
}

int judged_flows_make(struct judged_flows *flows, const struct eval_judge *judge, const struct flow_dataset *set,
		      bool by_rows)
{
	size_t n = set->n_rows + 1;
	int rc;

	if (set->n_rows >= UINT32_MAX)
		return -ENOMEM;
	*flows = (struct judged_flows){
		.set = set,
		.n_rows = (uint32_t)set->n_rows,
		.rows = malloc(n * sizeof(*flows->rows)),
		.verdicts = malloc(n * sizeof(*flows->verdicts)),
		.flows = malloc(n * sizeof(*flows->flows)),
		.n_classes = judge->n_classes,
	};
	rc = flows->rows != NULL && flows->verdicts != NULL && flows->flows != NULL ? rows_group(flows, by_rows)
										    : -ENOMEM;
	if (rc == 0) {
		eval_judge_rows(judge, set, flows->rows, flows->n_rows, NULL, flows->verdicts, NULL);
		flows_decide(flows, judge);
		if (judge->n_classes > 2)
			rc = scores_fill(flows, judge);
	}
	if (rc < 0)
		judged_flows_free(flows);
	return rc;
}

void judged_flows_free(struct judged_flows *flows)
{
	free(flows->rows);
	free(flows->verdicts);
	free(flows->flows);
	free(flows->scores);
	*flows = (struct judged_flows){0};
}
