/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Trains on some sources and judges on the others. Called by eval_flows.c.
 */
#include "eval/flow_cross.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "baselines.h"
#include "curves.h"
#include "eval/flow_baselines.h"
#include "flow_train.h"

/* Flows that one trial learns from at most, all sources together. */
#define TRIAL_MAX_FLOWS 50000u
/* The rows of a source weigh no more than so many. */
#define SOURCE_LIMIT 5000
#define N_EPOCHS     10
#define BATCH	     256
#define CLIP	     4.0f

/* Flows of one side of a trial. */
struct side {
	uint32_t n, n_attack;
	uint32_t *flows; /* [n], indexes */
	float *logits;	 /* [n] */
	uint8_t *truths; /* [n] */
};

struct trial {
	const struct judged_flows *flows;
	const struct eval_judge *judge;
	uint64_t seed;
	const atomic_bool *stop;
	struct side learnt, held_out, judged;
	char *error;
	size_t error_size;
};

static void side_free(struct side *side)
{
	free(side->flows);
	free(side->logits);
	free(side->truths);
	*side = (struct side){0};
}

static int side_allocate(struct side *side, uint32_t n)
{
	size_t room = (size_t)n + 1;

	*side = (struct side){
		.flows = malloc(room * sizeof(*side->flows)),
		.logits = malloc(room * sizeof(*side->logits)),
		.truths = malloc(room),
	};
	return side->flows != NULL && side->logits != NULL && side->truths != NULL ? 0 : -ENOMEM;
}

static void side_add(struct side *side, const struct judged_flows *flows, uint32_t f)
{
	side->truths[side->n] = flows->flows[f].truth != 0;
	side->n_attack += side->truths[side->n];
	side->flows[side->n++] = f;
}

/* Leaves evenly spread flows. */
static void side_limit(struct side *side, const struct judged_flows *flows, uint32_t max)
{
	uint32_t n = side->n, step = (n + max - 1) / max;

	side->n = side->n_attack = 0;
	for (uint32_t i = 0; i < n; i += step)
		side_add(side, flows, side->flows[i]);
}

/* Moves every so many flows of each class to another side. */
static void side_hold_out(struct side *side, struct side *held_out, const struct judged_flows *flows)
{
	uint32_t n = side->n, n_of[2] = {0, 0};

	side->n = side->n_attack = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t f = side->flows[i];

		side_add(++n_of[side->truths[i]] % CROSS_HELD_OUT == 0 ? held_out : side, flows, f);
	}
}

/* Flows are in the order of their hashes: the first ones of a source are any ones. */
static int sides_fill(struct trial *trial, const struct cross_trial *plan)
{
	const struct judged_flows *flows = trial->flows;
	uint32_t *n_of = calloc((size_t)flows->set->n_sources + 1, sizeof(*n_of));
	int rc = n_of != NULL ? 0 : -ENOMEM;

	if (rc == 0)
		rc = side_allocate(&trial->learnt, flows->n_flows);
	if (rc == 0)
		rc = side_allocate(&trial->held_out, flows->n_flows);
	if (rc == 0)
		rc = side_allocate(&trial->judged, flows->n_flows);
	for (uint32_t f = 0; f < flows->n_flows && rc == 0; f++) {
		uint32_t source = flows->flows[f].source;
		bool is_learnt = (source == plan->source) != plan->is_left_out;

		if (!is_learnt)
			side_add(&trial->judged, flows, f);
		else if (n_of[source]++ < CROSS_MAX_FLOWS)
			side_add(&trial->learnt, flows, f);
	}
	if (rc == 0 && trial->learnt.n > TRIAL_MAX_FLOWS)
		side_limit(&trial->learnt, flows, TRIAL_MAX_FLOWS);
	if (rc == 0)
		side_hold_out(&trial->learnt, &trial->held_out, flows);
	free(n_of);
	return rc;
}

/*
 * From the logits: the threshold comes from what was held out of the sources learnt from, the figures from others.
 */
static int sides_measure(const struct trial *trial, struct cross_figures *figures)
{
	const struct side *held_out = &trial->held_out, *judged = &trial->judged;
	uint32_t n_found = 0, n_false = 0;
	struct curves curves;
	struct curve_operating_point at;
	int rc = curves_create(&curves, held_out->logits, held_out->truths, NULL, held_out->n);

	if (rc < 0)
		return rc;
	at = curves_at_fpr(&curves, CROSS_FPR);
	curves_free(&curves);
	rc = curves_create(&curves, judged->logits, judged->truths, NULL, judged->n);
	if (rc < 0)
		return rc;
	figures->roc_auc = curves_roc_auc(&curves);
	curves_free(&curves);
	for (uint32_t i = 0; i < judged->n; i++) {
		/* Where no threshold is good enough there is no alarm, not even of infinite logits. */
		bool is_alarm = at.recall > 0 && judged->logits[i] >= at.threshold;

		n_found += is_alarm && judged->truths[i] != 0;
		n_false += is_alarm && judged->truths[i] == 0;
	}
	figures->recall = judged->n_attack > 0 ? (double)n_found / judged->n_attack : NAN;
	figures->fpr = judged->n > judged->n_attack ? (double)n_false / (judged->n - judged->n_attack) : NAN;
	return 0;
}

/* ---- Logistic regression on last rows ---- */

static void logistic_score_side(const struct logistic *logistic, const struct judged_flows *flows,
				struct side *side)
{
	const struct flow_dataset *set = flows->set;

	for (uint32_t i = 0; i < side->n; i++)
		side->logits[i] = logistic_score(
			logistic, set->values + (size_t)flows->flows[side->flows[i]].last_row * set->n_features);
}

static int logistic_try(struct trial *trial, struct cross_figures *figures)
{
	const struct flow_dataset *set = trial->flows->set;
	struct side *learnt = &trial->learnt;
	uint32_t *rows = malloc(((size_t)learnt->n + 1) * sizeof(*rows));
	struct baseline_data data = {set->values, set->n_features, rows, learnt->truths, learnt->n};
	struct logistic logistic;
	int rc;

	if (rows == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < learnt->n; i++)
		rows[i] = trial->flows->flows[learnt->flows[i]].last_row;
	rc = logistic_fit(&logistic, &data, flow_baselines_log(trial->judge));
	free(rows);
	if (rc < 0)
		return rc;
	logistic_score_side(&logistic, trial->flows, &trial->held_out);
	logistic_score_side(&logistic, trial->flows, &trial->judged);
	logistic_free(&logistic);
	return sides_measure(trial, figures);
}

/* ---- A small network on all rows ---- */

/* A copy of the rows to learn from: training scales them in place. */
static int rows_copy(const struct trial *trial, struct flow_dataset *copy)
{
	const struct judged_flows *flows = trial->flows;
	const struct flow_dataset *set = flows->set;
	int rc = flow_dataset_set_features(copy, (const char *const *)set->features, set->n_features);

	for (uint32_t s = 0; s < set->n_sources && rc == 0; s++)
		rc = flow_dataset_source(copy, set->sources[s]) < 0 ? -ENOMEM : 0;
	if (rc == 0 && (flow_dataset_class(copy, "benign") < 0 || flow_dataset_class(copy, "attack") < 0 ||
			flow_dataset_label(copy, "any") < 0))
		rc = -ENOMEM;
	for (uint32_t i = 0; i < trial->learnt.n && rc == 0; i++) {
		const struct judged_flow *flow = &flows->flows[trial->learnt.flows[i]];

		for (uint32_t r = flow->first; r < flow->first + flow->n_rows && rc == 0; r++) {
			struct flow_dataset_row row = set->rows[flows->rows[r]];

			row.class = row.class != 0;
			row.label = 0;
			rc = flow_dataset_add(copy, &row, set->values + (size_t)flows->rows[r] * set->n_features);
		}
	}
	return rc;
}

static int network_train(const struct trial *trial, struct nn_network *network)
{
	struct flow_train_options options = {
		.train = {.n_hidden = 2,
			  .hidden = {32, 16},
			  .activation = NN_RELU,
			  .optimizer = TRAIN_ADAM,
			  .learning_rate = 0.003,
			  .learning_rate_final = 0.0001,
			  .n_epochs = N_EPOCHS,
			  .batch = BATCH,
			  .seed = trial->seed},
		.weights = {.balances_classes = true, .source_limit = SOURCE_LIMIT},
		.is_log = flow_baselines_log(trial->judge),
		.clip = CLIP,
		.stop = trial->stop,
	};
	struct flow_dataset learning, none;
	struct flow_train_result result;
	int rc;

	flow_dataset_init(&learning);
	flow_dataset_init(&none);
	rc = rows_copy(trial, &learning);
	if (rc == 0)
		rc = flow_train(&options, &learning, &none, &result, trial->error, trial->error_size);
	if (rc == 0)
		*network = result.network;
	flow_dataset_free(&learning);
	flow_dataset_free(&none);
	return rc;
}

/* The highest logit of each flow's rows; a flow whose sums overflow is the least alarming. */
static int network_score_side(const struct eval_judge *judge, const struct judged_flows *flows, struct side *side)
{
	uint32_t n_max = 0;
	struct eval_verdict *verdicts;

	for (uint32_t i = 0; i < side->n; i++)
		if (flows->flows[side->flows[i]].n_rows > n_max)
			n_max = flows->flows[side->flows[i]].n_rows;
	verdicts = malloc(((size_t)n_max + 1) * sizeof(*verdicts));
	if (verdicts == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < side->n; i++) {
		const struct judged_flow *flow = &flows->flows[side->flows[i]];

		eval_judge_rows(judge, flows->set, flows->rows + flow->first, flow->n_rows, NULL, verdicts, NULL);
		side->logits[i] = -INFINITY;
		for (uint32_t r = 0; r < flow->n_rows; r++)
			side->logits[i] = fmaxf(side->logits[i], verdicts[r].logit);
	}
	free(verdicts);
	return 0;
}

static int network_try(struct trial *trial, struct cross_figures *figures)
{
	struct model model = {.task = MODEL_TASK_FLOW,
			      .n_features = trial->flows->set->n_features,
			      .features = trial->flows->set->features,
			      .threshold = 0.5f};
	struct eval_judge judge;
	int rc = network_train(trial, &model.network);

	if (rc < 0)
		return rc;
	rc = eval_judge_create(&judge, &model, trial->judge->kernel, trial->error, trial->error_size);
	if (rc == 0) {
		rc = network_score_side(&judge, trial->flows, &trial->held_out);
		if (rc == 0)
			rc = network_score_side(&judge, trial->flows, &trial->judged);
		if (rc == 0)
			rc = sides_measure(trial, figures);
		eval_judge_free(&judge);
	}
	nn_network_free(&model.network);
	return rc;
}

/* ---- Trials ---- */

/* Why there is nothing to learn from, or to set the threshold by; NULL: there is. */
static const char *trial_missing(const struct trial *trial)
{
	if (trial->learnt.n_attack == 0)
		return "there is no attack to learn from";
	if (trial->learnt.n_attack == trial->learnt.n)
		return "there is no benign flow to learn from";
	if (trial->held_out.n_attack == 0 || trial->held_out.n_attack == trial->held_out.n)
		return "there are too few flows to hold some out for the threshold";
	return NULL;
}

static int trial_run(struct trial *trial, struct cross_trial *result)
{
	int rc = sides_fill(trial, result);

	if (rc < 0)
		return rc;
	result->n_learnt = trial->learnt.n;
	result->n_held_out = trial->held_out.n;
	result->n_attack = trial->judged.n_attack;
	result->n_benign = trial->judged.n - trial->judged.n_attack;
	result->missing = trial_missing(trial);
	if (result->missing != NULL)
		return 0;
	rc = logistic_try(trial, &result->logistic);
	return rc < 0 ? rc : network_try(trial, &result->network);
}

static bool has_flows(const struct judged_flows *flows, uint32_t source)
{
	for (uint32_t f = 0; f < flows->n_flows; f++)
		if (flows->flows[f].source == source)
			return true;
	return false;
}

/* Says which trials there are: each source alone, then each left out. */
static int trials_plan(struct flow_cross *cross, const struct judged_flows *flows)
{
	uint32_t n_sources = flows->set->n_sources;

	cross->trials = calloc((size_t)n_sources * 2 + 1, sizeof(*cross->trials));
	if (cross->trials == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < 2 * n_sources; i++)
		if (has_flows(flows, i % n_sources))
			cross->trials[cross->n_trials++] =
				(struct cross_trial){.source = i % n_sources, .is_left_out = i >= n_sources};
	if (cross->n_trials <= 2) {
		cross->n_trials = 0;
		cross->missing = "there is one source only; give more tables, or one with a column 'capture'";
	}
	return 0;
}

int flow_cross_make(struct flow_cross *cross, const struct judged_flows *flows, const struct eval_judge *judge,
		    uint64_t seed, const atomic_bool *stop, char *error, size_t error_size)
{
	struct trial trial = {.flows = flows,
			      .judge = judge,
			      .seed = seed,
			      .stop = stop,
			      .error = error,
			      .error_size = error_size};
	int rc = 0;

	*cross = (struct flow_cross){0};
	if (!judge->has_benign)
		cross->missing = "no class of the model is benign";
	else
		rc = trials_plan(cross, flows);
	for (uint32_t t = 0; t < cross->n_trials && rc == 0; t++) {
		rc = trial_run(&trial, &cross->trials[t]);
		side_free(&trial.learnt);
		side_free(&trial.held_out);
		side_free(&trial.judged);
		if (rc == 0 && atomic_load(stop))
			rc = -EINTR;
	}
	if (rc < 0 && error[0] == '\0')
		snprintf(error, error_size, "out of memory");
	return rc;
}

void flow_cross_free(struct flow_cross *cross)
{
	free(cross->trials);
	*cross = (struct flow_cross){0};
}
