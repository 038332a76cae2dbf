/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Learns the baselines and judges them on the model's flows. Called by eval_flows.c.
 */
#include "eval/flow_baselines.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "curves.h"
#include "metrics.h"

/* Some of the flows: their last rows, whether they are attacks, and what is said of them. */
struct flow_choice {
	uint32_t n, n_attack;
	uint32_t *flows; /* [n] */
	uint32_t *rows;	 /* [n] */
	uint8_t *truths; /* [n] */
	uint8_t *said;	 /* [n] */
	float *scores;	 /* [n] */
};

const uint8_t *flow_baselines_log(const struct eval_judge *judge)
{
	return judge->model->network.has_input_stage ? judge->model->network.input_log : NULL;
}

static int choice_allocate(struct flow_choice *choice, uint32_t n)
{
	size_t room = (size_t)n + 1;

	*choice = (struct flow_choice){
		.flows = malloc(room * sizeof(*choice->flows)),
		.rows = malloc(room * sizeof(*choice->rows)),
		.truths = malloc(room),
		.said = malloc(room),
		.scores = malloc(room * sizeof(*choice->scores)),
	};
	return choice->flows != NULL && choice->rows != NULL && choice->truths != NULL && choice->said != NULL &&
			       choice->scores != NULL
		       ? 0
		       : -ENOMEM;
}

static void choice_free(struct flow_choice *choice)
{
	free(choice->flows);
	free(choice->rows);
	free(choice->truths);
	free(choice->said);
	free(choice->scores);
}

/* Takes the flows that halves says are of a half (NULL: all), evenly spread ones of more than max. */
static int choice_make(struct flow_choice *choice, const struct judged_flows *flows, const uint8_t *halves,
		       uint8_t half, uint32_t max)
{
	uint32_t step, n = 0;
	int rc = choice_allocate(choice, flows->n_flows);

	if (rc < 0)
		return rc;
	for (uint32_t f = 0; f < flows->n_flows; f++)
		if (halves == NULL || halves[f] == half)
			choice->flows[n++] = f;
	step = n > max ? (n + max - 1) / max : 1;
	for (uint32_t i = 0; i < n; i += step) {
		const struct judged_flow *flow = &flows->flows[choice->flows[i]];
		uint32_t at = choice->n++;

		choice->flows[at] = choice->flows[i];
		choice->rows[at] = flow->last_row;
		choice->truths[at] = flow->truth != 0;
		choice->n_attack += choice->truths[at];
	}
	return 0;
}

/* ---- Halves ---- */

static const char both_needed[] = "benign flows and attacks are needed both to learn from and to judge by";

/* The flows as a set of two classes without features: what a split looks at. Shares the names of their set. */
static int halves_begin(const struct judged_flows *flows, struct flow_dataset *set)
{
	static char benign[] = "benign", attack[] = "attack", *classes[] = {benign, attack};

	*set = (struct flow_dataset){
		.n_classes = 2,
		.classes = classes,
		.n_sources = flows->set->n_sources,
		.sources = flows->set->sources,
		.n_rows = flows->n_flows,
		.rows = malloc(((size_t)flows->n_flows + 1) * sizeof(*set->rows)),
	};
	if (set->rows == NULL)
		return -ENOMEM;
	for (uint32_t f = 0; f < flows->n_flows; f++) {
		set->rows[f] = flows->set->rows[flows->flows[f].last_row];
		set->rows[f].class = flows->flows[f].truth != 0;
		set->rows[f].start_s = flows->flows[f].start_s;
	}
	return 0;
}

/* Says why there is nothing to compare with, in printable characters whatever source it names. */
static void missing_say(struct flow_baselines *baselines, const char *why)
{
	snprintf(baselines->missing, sizeof(baselines->missing), "%s", why);
	for (char *at = baselines->missing; *at != '\0'; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
}

/* Writes 0 or 1 for each flow into halves; where it cannot be done, missing says why. 0 or -ENOMEM. */
static int halves_make(struct flow_baselines *baselines, const struct judged_flows *flows,
		       const struct eval_options *options, uint8_t *halves)
{
	static const enum flow_split_kind kinds[] = {FLOW_SPLIT_SOURCE, FLOW_SPLIT_TIME, FLOW_SPLIT_HOST};
	uint32_t n_kinds = options->has_split ? 1 : sizeof(kinds) / sizeof(kinds[0]);
	struct flow_split_options split = {.share = 0.5, .seed = options->seed};
	char error[256] = "";
	struct flow_dataset set;
	int rc = halves_begin(flows, &set);

	for (uint32_t i = 0; i < n_kinds && rc != -ENOMEM && baselines->halves == NULL; i++) {
		split.kind = options->has_split ? options->split : kinds[i];
		rc = flow_split(&set, &split, halves, error, sizeof(error));
		if (rc == 0)
			baselines->halves = flow_split_kind_name(split.kind);
	}
	free(set.rows);
	if (rc == -EINVAL && options->has_split)
		missing_say(baselines, error);
	else if (rc == -EINVAL)
		missing_say(baselines,
			    "no half by capture, time or initiator has both benign flows and attacks; give "
			    "others to learn from with --train-data, or --split random");
	return rc == -EINVAL ? 0 : rc;
}

static bool has_both(const struct flow_choice *choice)
{
	return choice->n_attack > 0 && choice->n_attack < choice->n;
}

int baseline_figures_make(struct baseline_figures *figures, const uint8_t *truths, const uint8_t *said,
			  const float *scores, uint32_t n)
{
	struct metrics confusion;
	struct curves curves;
	int rc = metrics_init(&confusion, 2);

	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < n; i++)
		metrics_add(&confusion, truths[i], said[i], 1);
	figures->accuracy = metrics_accuracy(&confusion);
	figures->balanced_accuracy = metrics_balanced_accuracy(&confusion);
	figures->f1 = metrics_f1(&confusion, 1);
	metrics_free(&confusion);
	rc = curves_create(&curves, scores, truths, NULL, n);
	if (rc < 0)
		return rc;
	figures->roc_auc = curves_roc_auc(&curves);
	figures->recall_at_1 = curves_at_fpr(&curves, 0.01).recall;
	curves_free(&curves);
	return 0;
}

static int choice_measure(const struct flow_choice *choice, struct baseline_figures *figures)
{
	return baseline_figures_make(figures, choice->truths, choice->said, choice->scores, choice->n);
}

static int model_measure(struct flow_baselines *baselines, const struct judged_flows *flows,
			 struct flow_choice *choice)
{
	for (uint32_t i = 0; i < choice->n; i++) {
		const struct judged_flow *flow = &flows->flows[choice->flows[i]];

		choice->said[i] = flow->is_alarm;
		choice->scores[i] = flow->logit;
	}
	return choice_measure(choice, &baselines->model);
}

static int majority_measure(struct flow_baselines *baselines, const struct flow_choice *learnt,
			    const struct eval_judge *judge, struct flow_choice *choice)
{
	bool says_attack = 2 * (uint64_t)learnt->n_attack > learnt->n;

	baselines->majority_class = !says_attack	    ? judge->classes[0]
				    : judge->n_classes == 2 ? judge->classes[1]
							    : "attack";
	for (uint32_t i = 0; i < choice->n; i++) {
		choice->said[i] = says_attack;
		choice->scores[i] = 0;
	}
	return choice_measure(choice, &baselines->majority);
}

static const float *row_of(const struct judged_flows *flows, const struct flow_choice *choice, uint32_t i)
{
	return flows->set->values + (size_t)choice->rows[i] * flows->set->n_features;
}

static int stump_measure(struct flow_baselines *baselines, const struct baseline_data *data,
			 const struct judged_flows *flows, struct flow_choice *choice)
{
	int rc = stump_fit(&baselines->stump, data);

	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < choice->n; i++) {
		choice->said[i] = stump_says(&baselines->stump, row_of(flows, choice, i));
		choice->scores[i] = stump_score(&baselines->stump, row_of(flows, choice, i));
	}
	return choice_measure(choice, &baselines->stump_figures);
}

static int logistic_measure(struct flow_baselines *baselines, const struct baseline_data *data,
			    const uint8_t *is_log, const struct judged_flows *flows, struct flow_choice *choice)
{
	struct logistic logistic;
	int rc = logistic_fit(&logistic, data, is_log);

	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < choice->n; i++) {
		choice->scores[i] = logistic_score(&logistic, row_of(flows, choice, i));
		choice->said[i] = choice->scores[i] >= 0;
	}
	baselines->n_logistic_steps = logistic.n_steps;
	logistic_free(&logistic);
	return choice_measure(choice, &baselines->logistic);
}

static int choices_compare(struct flow_baselines *baselines, const struct judged_flows *flows,
			   const struct judged_flows *learning, const struct eval_judge *judge,
			   const struct flow_choice *learnt, struct flow_choice *choice)
{
	struct baseline_data data = {learning->set->values, learning->set->n_features, learnt->rows, learnt->truths,
				     learnt->n};
	int rc = model_measure(baselines, flows, choice);

	baselines->n_learnt = learnt->n;
	baselines->n_judged = choice->n;
	if (rc == 0)
		rc = majority_measure(baselines, learnt, judge, choice);
	if (rc == 0)
		rc = stump_measure(baselines, &data, flows, choice);
	if (rc == 0)
		rc = logistic_measure(baselines, &data, flow_baselines_log(judge), flows, choice);
	baselines->is_stump_close = baselines->stump_figures.balanced_accuracy >=
				    baselines->model.balanced_accuracy - BASELINES_STUMP_MARGIN;
	return rc;
}

static bool has_both_classes(const struct judged_flows *flows)
{
	uint32_t n_attack = 0;

	for (uint32_t f = 0; f < flows->n_flows; f++)
		n_attack += flows->flows[f].truth != 0;
	return n_attack > 0 && n_attack < flows->n_flows;
}

/* Compares on the flows that nothing was learnt from. */
static int halves_compare(struct flow_baselines *baselines, const struct judged_flows *flows,
			  const struct judged_flows *learning, const struct eval_judge *judge,
			  const uint8_t *halves)
{
	struct flow_choice learnt = {0}, choice = {0};
	int rc = choice_make(&learnt, learning, halves, 0, BASELINES_MAX_LEARNT);

	if (rc == 0)
		rc = choice_make(&choice, flows, halves, 1, UINT32_MAX);
	if (rc == 0 && (!has_both(&learnt) || !has_both(&choice)))
		missing_say(baselines, both_needed);
	else if (rc == 0)
		rc = choices_compare(baselines, flows, learning, judge, &learnt, &choice);
	choice_free(&learnt);
	choice_free(&choice);
	return rc;
}

int flow_baselines_make(struct flow_baselines *baselines, const struct judged_flows *flows,
			const struct judged_flows *learning, const struct eval_judge *judge,
			const struct eval_options *options)
{
	uint8_t *halves;
	int rc;

	*baselines = (struct flow_baselines){0};
	if (!judge->has_benign) {
		missing_say(baselines, "no class of the model is benign");
		return 0;
	}
	if (!has_both_classes(flows)) {
		missing_say(baselines, both_needed);
		return 0;
	}
	if (learning != NULL)
		return halves_compare(baselines, flows, learning, judge, NULL);
	halves = malloc((size_t)flows->n_flows + 1);
	rc = halves != NULL ? halves_make(baselines, flows, options, halves) : -ENOMEM;
	if (rc == 0 && baselines->halves != NULL)
		rc = halves_compare(baselines, flows, flows, judge, halves);
	free(halves);
	return rc;
}
