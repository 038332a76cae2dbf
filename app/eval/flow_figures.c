/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counts and measures judged flows. Called by eval_flows.c.
 */
#include "eval/flow_figures.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_AN_HOUR 3600.0
/* A longer time without a benign flow of a source is not counted as watched. */
#define MAX_SILENCE_S 3600.0
/* Each area of a group looks at all flows: of more groups none is measured. */
#define MAX_AREAS 1000
/* The normal distribution's quantile of 95%. */
#define Z_95 1.6448536

const double figures_rates[FIGURES_N_RATES] = {0.01, 0.001, 0.0001};

/* ---- Curves of some of the flows ---- */

/* Which flows a curve is of, and which are its positives. */
typedef bool flow_filter(const struct judged_flow *flow, uint32_t index);

static bool is_any(const struct judged_flow *flow, uint32_t index)
{
	(void)flow;
	(void)index;
	return true;
}

static bool is_of_source(const struct judged_flow *flow, uint32_t index)
{
	return flow->source == index;
}

static bool is_of_label_or_benign(const struct judged_flow *flow, uint32_t index)
{
	return flow->label == index || flow->truth == 0;
}

/* Curves of attacks against benign flows, of those flows that the filter lets through. */
static int curves_of(struct curves *curves, const struct judged_flow *flows, uint32_t n_flows, flow_filter *filter,
		     uint32_t index)
{
	float *logits = malloc(((size_t)n_flows + 1) * sizeof(*logits));
	uint8_t *truths = malloc((size_t)n_flows + 1);
	uint32_t n = 0;
	int rc = logits != NULL && truths != NULL ? 0 : -ENOMEM;

	for (uint32_t f = 0; f < n_flows && rc == 0; f++) {
		if (!filter(&flows[f], index))
			continue;
		logits[n] = flows[f].logit;
		truths[n++] = flows[f].truth != 0;
	}
	if (rc == 0)
		rc = curves_create(curves, logits, truths, NULL, n);
	free(logits);
	free(truths);
	return rc;
}

static int auc_of(double *auc, const struct judged_flows *flows, flow_filter *filter, uint32_t index)
{
	struct curves curves;
	int rc = curves_of(&curves, flows->flows, flows->n_flows, filter, index);

	*auc = NAN;
	if (rc < 0)
		return rc;
	*auc = curves_roc_auc(&curves);
	curves_free(&curves);
	return 0;
}

int figures_brief_make(struct figures_brief *brief, const struct judged_flow *flows, uint32_t n_flows,
		       uint32_t n_classes, bool has_benign)
{
	struct metrics confusion;
	struct curves curves;
	int rc;

	*brief = (struct figures_brief){NAN, NAN, NAN};
	rc = metrics_init(&confusion, n_classes);
	if (rc < 0)
		return rc;
	for (uint32_t f = 0; f < n_flows; f++)
		metrics_add(&confusion, flows[f].truth, flows[f].said, 1);
	brief->balanced_accuracy = metrics_balanced_accuracy(&confusion);
	metrics_free(&confusion);
	if (!has_benign)
		return 0;
	rc = curves_of(&curves, flows, n_flows, is_any, 0);
	if (rc < 0)
		return rc;
	brief->roc_auc = curves_roc_auc(&curves);
	brief->recall_at_1 = curves_at_fpr(&curves, figures_rates[0]).recall;
	curves_free(&curves);
	return 0;
}

/* ---- All flows together ---- */

static int confusion_fill(struct figures *figures, const struct judged_flows *flows)
{
	int rc = metrics_init(&figures->confusion, flows->n_classes);

	if (rc < 0)
		return rc;
	for (uint32_t f = 0; f < flows->n_flows; f++) {
		const struct judged_flow *flow = &flows->flows[f];

		metrics_add(&figures->confusion, flow->truth, flow->said, 1);
		figures->n_attack += flow->truth != 0;
	}
	figures->n_flows = flows->n_flows;
	figures->n_benign = figures->n_flows - figures->n_attack;
	return 0;
}

/* Each class against the others, by the score that it was given. */
static int class_auc_fill(struct figures *figures, const struct judged_flows *flows)
{
	uint32_t n = flows->n_flows, n_classes = flows->n_classes;
	float *scores = malloc(((size_t)n + 1) * sizeof(*scores));
	uint8_t *truths = malloc((size_t)n + 1);
	int rc;

	figures->class_auc = calloc(n_classes, sizeof(*figures->class_auc));
	rc = scores != NULL && truths != NULL && figures->class_auc != NULL ? 0 : -ENOMEM;
	for (uint32_t c = 0; c < n_classes && rc == 0; c++) {
		struct curves curves;

		for (uint32_t f = 0; f < n; f++) {
			scores[f] = flows->scores[(size_t)f * n_classes + c];
			truths[f] = flows->flows[f].truth == c;
		}
		rc = curves_create(&curves, scores, truths, NULL, n);
		if (rc < 0)
			break;
		figures->class_auc[c] = curves_roc_auc(&curves);
		curves_free(&curves);
	}
	free(scores);
	free(truths);
	return rc;
}

static int calibration_fill(struct figures *figures, const struct judged_flows *flows)
{
	uint32_t n = flows->n_flows;
	float *probabilities = malloc(((size_t)n + 1) * sizeof(*probabilities));
	uint8_t *truths = malloc((size_t)n + 1);
	int rc = probabilities != NULL && truths != NULL ? 0 : -ENOMEM;

	if (rc == 0) {
		for (uint32_t f = 0; f < n; f++) {
			probabilities[f] = flows->flows[f].probability;
			truths[f] = flows->flows[f].truth != 0;
		}
		calibration_measure(&figures->calibration, probabilities, truths, NULL, n);
	}
	free(probabilities);
	free(truths);
	return rc;
}

struct benign_start {
	uint32_t source;
	double start_s;
};

static int start_compare(const void *left, const void *right)
{
	const struct benign_start *a = left, *b = right;

	if (a->source != b->source)
		return a->source < b->source ? -1 : 1;
	return (a->start_s > b->start_s) - (a->start_s < b->start_s);
}

/*
 * Between the starts of each source's benign flows; sources are other networks or other days. Long silences are
 * none: a capture that was stopped, or put together from others, watched nothing meanwhile.
 */
static double seconds_watched(const struct benign_start *starts, uint32_t n)
{
	double seconds = 0;

	for (uint32_t i = 1; i < n; i++) {
		double gap = starts[i].start_s - starts[i - 1].start_s;

		if (starts[i].source == starts[i - 1].source && gap <= MAX_SILENCE_S)
			seconds += gap;
	}
	return seconds;
}

static int hours_fill(struct figures *figures, const struct judged_flows *flows)
{
	struct benign_start *starts = malloc(((size_t)flows->n_flows + 1) * sizeof(*starts));
	uint32_t n = 0, n_false = 0;
	double seconds;

	if (starts == NULL)
		return -ENOMEM;
	for (uint32_t f = 0; f < flows->n_flows; f++) {
		const struct judged_flow *flow = &flows->flows[f];

		if (flow->truth != 0 || isnan(flow->start_s))
			continue;
		starts[n++] = (struct benign_start){flow->source, flow->start_s};
		n_false += flow->is_alarm;
	}
	qsort(starts, n, sizeof(*starts), start_compare);
	seconds = seconds_watched(starts, n);
	free(starts);
	figures->hours = seconds > 0 ? seconds / SECONDS_AN_HOUR : NAN;
	figures->alarms_per_hour = n_false / figures->hours;
	return 0;
}

/* The upper bound of a share of which n in total were looked at and n_hit were hits; of nothing: NAN. */
static double share_at_most(uint64_t n_hit, uint64_t n)
{
	double share = (double)n_hit / (double)n, z2_n = Z_95 * Z_95 / (double)n;
	double spread = Z_95 * sqrt((share * (1 - share) + z2_n / 4) / (double)n);

	return fmin((share + z2_n / 2 + spread) / (1 + z2_n), 1);
}

static void precision_fill(struct figures *figures, uint64_t n_false, double base_rate)
{
	figures->base_rate = base_rate;
	figures->fpr_at_most = figures->n_benign > 0 ? share_at_most(n_false, figures->n_benign) : NAN;
	figures->precision_at_least = curves_precision_at(figures->recall, figures->fpr_at_most, base_rate);
	figures->precision_at_base_rate =
		n_false > 0 ? curves_precision_at(figures->recall, figures->fpr, base_rate) : NAN;
}

static int attacks_fill(struct figures *figures, const struct judged_flows *flows, double base_rate)
{
	uint64_t n_false = 0, n_found = 0;
	int rc = curves_of(&figures->curves, flows->flows, flows->n_flows, is_any, 0);

	if (rc < 0)
		return rc;
	figures->roc_auc = curves_roc_auc(&figures->curves);
	figures->average_precision = curves_average_precision(&figures->curves);
	for (int i = 0; i < FIGURES_N_RATES; i++)
		figures->at[i] = curves_at_fpr(&figures->curves, figures_rates[i]);
	for (uint32_t f = 0; f < flows->n_flows; f++) {
		n_false += flows->flows[f].is_alarm && flows->flows[f].truth == 0;
		n_found += flows->flows[f].is_alarm && flows->flows[f].truth != 0;
	}
	/* Of nothing: NAN. */
	figures->recall = (double)n_found / figures->n_attack;
	figures->fpr = (double)n_false / figures->n_benign;
	precision_fill(figures, n_false, base_rate);
	rc = calibration_fill(figures, flows);
	return rc < 0 ? rc : hours_fill(figures, flows);
}

/* ---- Groups ---- */

static void group_count(struct figures_group *group, const struct judged_flow *flow)
{
	group->n_right += flow->said == flow->truth;
	if (flow->truth == 0) {
		group->n_benign++;
		group->n_false += flow->is_alarm;
	} else {
		group->n_attack++;
		group->n_found += flow->is_alarm;
	}
}

/* Where no threshold is good enough the recall is 0, also of logits that are infinite as it is then. */
static bool is_beyond(const struct judged_flow *flow, const struct curve_operating_point *at)
{
	return flow->truth != 0 && at->recall > 0 && flow->logit >= at->threshold;
}

static void recalls_fill(struct figures_group *groups, const struct figures *figures,
			 const struct judged_flows *flows, bool by_label)
{
	for (uint32_t f = 0; f < flows->n_flows; f++) {
		const struct judged_flow *flow = &flows->flows[f];
		struct figures_group *group = &groups[by_label ? flow->label : flow->source];

		group_count(group, flow);
		for (int i = 0; i < FIGURES_N_RATES; i++)
			group->recall_at[i] += is_beyond(flow, &figures->at[i]);
	}
}

static int group_compare(const void *left, const void *right)
{
	return strcmp(((const struct figures_group *)left)->name, ((const struct figures_group *)right)->name);
}

/* Groups of all sources, as they were read, or labels, by name; those without flows are then left out. */
static int groups_fill(struct figures *figures, const struct judged_flows *flows, bool by_label)
{
	uint32_t n_all = by_label ? flows->set->n_labels : flows->set->n_sources, n = 0;
	char **names = by_label ? flows->set->labels : flows->set->sources;
	struct figures_group *groups = calloc((size_t)n_all + 1, sizeof(*groups));
	int rc = 0;

	if (groups == NULL)
		return -ENOMEM;
	recalls_fill(groups, figures, flows, by_label);
	for (uint32_t g = 0; g < n_all && rc == 0; g++) {
		struct figures_group group = groups[g];

		if (group.n_benign + group.n_attack == 0)
			continue;
		group.name = names[g];
		group.roc_auc = NAN;
		for (int i = 0; i < FIGURES_N_RATES; i++)
			group.recall_at[i] =
				isnan(figures->at[i].recall) ? NAN : group.recall_at[i] / group.n_attack;
		if (figures->has_benign && n_all <= MAX_AREAS && (!by_label || group.n_attack > 0))
			rc = auc_of(&group.roc_auc, flows, by_label ? is_of_label_or_benign : is_of_source, g);
		groups[n++] = group;
	}
	if (by_label) {
		qsort(groups, n, sizeof(*groups), group_compare);
		figures->labels = groups;
		figures->n_labels = n;
	} else {
		figures->sources = groups;
		figures->n_sources = n;
	}
	return rc;
}

/* ---- Time to detection ---- */

/* Which checkpoints there are, ascending, the end last. */
static int checkpoints_find(struct figures *figures, const struct judged_flows *flows)
{
	bool is_there[256] = {false};

	figures->checkpoints = malloc(sizeof(is_there));
	if (figures->checkpoints == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < flows->n_rows; i++)
		is_there[flows->set->rows[i].checkpoint] = true;
	for (uint32_t c = 1; c <= 256; c++)
		if (is_there[c % 256])
			figures->checkpoints[figures->n_checkpoints++] = (uint8_t)(c % 256);
	return 0;
}

/* The position of the checkpoint of a flow's first alarm; n_checkpoints where it has none. */
static uint32_t first_alarm(const struct figures *figures, const struct judged_flows *flows,
			    const struct judged_flow *flow, float threshold)
{
	uint32_t first = figures->n_checkpoints;

	for (uint32_t i = flow->first; i < flow->first + flow->n_rows; i++) {
		uint8_t checkpoint = flows->set->rows[flows->rows[i]].checkpoint;
		uint32_t at = 0;

		if (!(flows->verdicts[i].logit >= threshold))
			continue;
		while (figures->checkpoints[at] != checkpoint)
			at++;
		first = at < first ? at : first;
	}
	return first;
}

struct label_order {
	const char *name;
	uint32_t label;
};

static int label_compare(const void *left, const void *right)
{
	return strcmp(((const struct label_order *)left)->name, ((const struct label_order *)right)->name);
}

/* The labels in the order of their names. NULL: out of memory. */
static struct label_order *labels_order(const struct flow_dataset *set)
{
	struct label_order *order = malloc(((size_t)set->n_labels + 1) * sizeof(*order));

	for (uint32_t l = 0; order != NULL && l < set->n_labels; l++)
		order[l] = (struct label_order){set->labels[l], l};
	if (order != NULL)
		qsort(order, set->n_labels, sizeof(*order), label_compare);
	return order;
}

/* A row for each label: how many flows were first seen at each checkpoint, then what share by it. */
static int detections_fill(struct figures *figures, const struct judged_flows *flows, float threshold)
{
	uint32_t n_labels = flows->set->n_labels, n = figures->n_checkpoints;
	uint32_t *counts = calloc((size_t)n_labels * (n + 1) + 1, sizeof(*counts));
	double *shares = calloc((size_t)n_labels * n + 1, sizeof(*shares));
	struct label_order *order = labels_order(flows->set);

	figures->detections = calloc((size_t)n_labels + 1, sizeof(*figures->detections));
	if (counts == NULL || shares == NULL || order == NULL || figures->detections == NULL) {
		free(counts);
		free(shares);
		free(order);
		return -ENOMEM;
	}
	/* The first one's shares are where all begin: what figures_free frees. */
	figures->detections[0].share_by = shares;
	for (uint32_t f = 0; f < flows->n_flows; f++)
		if (flows->flows[f].truth != 0)
			counts[flows->flows[f].label * (n + 1) +
			       first_alarm(figures, flows, &flows->flows[f], threshold)]++;
	for (uint32_t i = 0; i < n_labels; i++) {
		const uint32_t *found = counts + (size_t)order[i].label * (n + 1);
		double sum = 0, total = 0;

		for (uint32_t c = 0; c <= n; c++)
			total += found[c];
		if (total == 0)
			continue;
		figures->detections[figures->n_detections].label = order[i].label;
		figures->detections[figures->n_detections++].share_by = shares;
		for (uint32_t c = 0; c < n; c++)
			*shares++ = (sum += found[c]) / total;
	}
	free(order);
	free(counts);
	return 0;
}

int figures_make(struct figures *figures, const struct judged_flows *flows, const struct eval_judge *judge,
		 double base_rate)
{
	int rc;

	*figures = (struct figures){.has_benign = judge->has_benign};
	for (int i = 0; i < FIGURES_N_RATES; i++)
		figures->at[i] = (struct curve_operating_point){NAN, NAN, NAN};
	rc = confusion_fill(figures, flows);
	if (rc == 0 && flows->n_classes > 2)
		rc = class_auc_fill(figures, flows);
	if (rc == 0 && judge->has_benign)
		rc = attacks_fill(figures, flows, base_rate);
	if (rc == 0)
		rc = groups_fill(figures, flows, false);
	if (rc == 0)
		rc = groups_fill(figures, flows, true);
	if (rc == 0 && judge->has_benign)
		rc = checkpoints_find(figures, flows);
	if (rc == 0 && figures->n_checkpoints > 1)
		rc = detections_fill(figures, flows, judge->threshold);
	return rc;
}

void figures_free(struct figures *figures)
{
	metrics_free(&figures->confusion);
	curves_free(&figures->curves);
	free(figures->class_auc);
	free(figures->sources);
	free(figures->labels);
	free(figures->checkpoints);
	if (figures->detections != NULL)
		free(figures->detections[0].share_by);
	free(figures->detections);
	*figures = (struct figures){0};
}
