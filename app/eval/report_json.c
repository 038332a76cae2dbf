/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The figures of a flow model as one JSON object; what has no value is null. Called by eval_flows.c.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "eval/report.h"
#include "json_text.h"
#include "table_report.h"

/* Points of a curve that are nearer to the last one, both ways, are not written. */
#define CURVE_STEP 0.005

static json_t *number(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static json_t *ratio(uint64_t part, uint64_t whole)
{
	return whole > 0 ? json_real((double)part / (double)whole) : json_null();
}

static json_t *confusion_json(const struct metrics *m)
{
	json_t *rows = json_array();

	for (uint32_t truth = 0; truth < m->n_classes; truth++) {
		json_t *row = json_array();

		for (uint32_t said = 0; said < m->n_classes; said++)
			json_array_append_new(row, json_integer((json_int_t)metrics_count(m, truth, said)));
		json_array_append_new(rows, row);
	}
	return rows;
}

static json_t *classes_json(const struct report *report)
{
	const struct figures *figures = report->figures;
	const struct metrics *m = &figures->confusion;
	json_t *list = json_array();

	for (uint32_t c = 0; c < m->n_classes; c++) {
		json_t *class_object =
			json_pack("{s:o, s:o, s:o, s:o}", "class", json_text(report->judge->classes[c]),
				  "precision", number(metrics_precision(m, c)), "recall",
				  number(metrics_recall(m, c)), "f1", number(metrics_f1(m, c)));

		if (figures->class_auc != NULL)
			json_object_set_new(class_object, "roc_auc", number(figures->class_auc[c]));
		json_array_append_new(list, class_object);
	}
	return list;
}

static json_t *recalls_json(const struct report *report)
{
	json_t *list = json_array();

	for (int i = 0; i < FIGURES_N_RATES; i++) {
		const struct curve_operating_point *at = &report->figures->at[i];

		json_array_append_new(list, json_pack("{s:f, s:o, s:o, s:o, s:b}", "max_fpr", figures_rates[i],
						      "recall", number(at->recall), "fpr", number(at->fpr), "logit",
						      number((double)at->threshold), "too_few_benign",
						      report_is_too_few(report, figures_rates[i])));
	}
	return list;
}

static json_t *calibration_json(const struct calibration *calibration)
{
	json_t *bins = json_array();

	for (int i = 0; i < CURVES_N_BINS; i++) {
		const struct calibration_bin *bin = &calibration->bins[i];

		json_array_append_new(bins,
				      json_pack("{s:I, s:o, s:o}", "n", (json_int_t)bin->n, "mean_probability",
						bin->n > 0 ? number(bin->mean_probability) : json_null(),
						"share_of_attacks",
						bin->n > 0 ? number(bin->share_positive) : json_null()));
	}
	return json_pack("{s:o, s:o, s:o}", "error", number(calibration->error), "brier",
			 number(calibration->brier), "bins", bins);
}

static json_t *groups_json(const struct figures_group *groups, uint32_t n, const char *key)
{
	json_t *list = json_array();

	for (uint32_t g = 0; g < n; g++) {
		const struct figures_group *group = &groups[g];
		json_t *recalls = json_array();

		for (int i = 0; i < FIGURES_N_RATES; i++)
			json_array_append_new(recalls, number(group->n_attack > 0 ? group->recall_at[i] : NAN));
		json_array_append_new(
			list,
			json_pack("{s:o, s:I, s:I, s:o, s:I, s:I, s:o, s:o, s:o, s:I}", key, json_text(group->name),
				  "benign", (json_int_t)group->n_benign, "false_alarms", (json_int_t)group->n_false,
				  "fpr", ratio(group->n_false, group->n_benign), "attacks",
				  (json_int_t)group->n_attack, "found", (json_int_t)group->n_found, "recall",
				  ratio(group->n_found, group->n_attack), "recall_at_fpr", recalls, "roc_auc",
				  number(group->roc_auc), "right", (json_int_t)group->n_right));
	}
	return list;
}

/* What is also said of sources: whether the model was trained on data of that name. */
static json_t *sources_json(const struct report *report)
{
	const struct figures *figures = report->figures;
	json_t *list = groups_json(figures->sources, figures->n_sources, "source");

	for (uint32_t i = 0; i < figures->n_sources; i++)
		json_object_set_new(
			json_array_get(list, i), "is_known",
			json_boolean(eval_data_is_known(report->judge->model, figures->sources[i].name)));
	return list;
}

static json_t *detections_json(const struct report *report)
{
	const struct figures *figures = report->figures;
	json_t *list = json_array();
	char text[16];

	for (uint32_t d = 0; d < figures->n_detections; d++) {
		const struct figures_detection *detection = &figures->detections[d];
		json_t *shares = json_object();

		for (uint32_t c = 0; c < figures->n_checkpoints; c++) {
			if (figures->checkpoints[c] == 0)
				snprintf(text, sizeof(text), "end");
			else
				snprintf(text, sizeof(text), "%u", figures->checkpoints[c]);
			json_object_set_new(shares, text, number(detection->share_by[c]));
		}
		json_array_append_new(list, json_pack("{s:o, s:o}", "label",
						      json_text(report->flows->set->labels[detection->label]),
						      "found_by", shares));
	}
	return list;
}

static json_t *baseline_json(const struct baseline_figures *figures)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "accuracy", number(figures->accuracy), "balanced_accuracy",
			 number(figures->balanced_accuracy), "f1", number(figures->f1), "roc_auc",
			 number(figures->roc_auc), "recall_at_fpr_1_percent", number(figures->recall_at_1));
}

static json_t *baselines_json(const struct report *report)
{
	const struct flow_baselines *b = report->baselines;
	json_t *stump, *majority;

	if (b->missing[0] != '\0')
		return json_pack("{s:o}", "missing", json_text(b->missing));
	stump = baseline_json(&b->stump_figures);
	json_object_set_new(stump, "feature", json_text(report->flows->set->features[b->stump.feature]));
	json_object_set_new(stump, "threshold", number((double)b->stump.threshold));
	json_object_set_new(stump, "attack_is", json_string(b->stump.is_below ? "below" : "at_least"));
	majority = baseline_json(&b->majority);
	json_object_set_new(majority, "class", json_text(b->majority_class));
	return json_pack("{s:s, s:s?, s:I, s:I, s:o, s:o, s:o, s:o, s:b}", "learnt_from",
			 b->halves != NULL ? "half of the data" : "train data", "split", b->halves, "learnt",
			 (json_int_t)b->n_learnt, "judged", (json_int_t)b->n_judged, "model",
			 baseline_json(&b->model), "majority", majority, "stump", stump, "logistic_regression",
			 baseline_json(&b->logistic), "stump_is_close", b->is_stump_close);
}

static json_t *curve_json(const struct curves *curves, struct curve_xy (*point)(const struct curves *, uint32_t))
{
	struct curve_xy *points = malloc(((size_t)curves->n_points + 1) * sizeof(*points));
	json_t *list = points != NULL ? json_array() : NULL;
	uint32_t n = points != NULL ? curves->n_points : 0;

	for (uint32_t i = 0; i < n; i++)
		points[i] = point(curves, i);
	n = curves_thin(points, n, CURVE_STEP);
	for (uint32_t i = 0; i < n; i++)
		json_array_append_new(list, json_pack("[f, f]", points[i].x, points[i].y));
	free(points);
	return list;
}

static json_t *explain_json(const struct explain *explain, const char *key)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < explain->n_drops; i++) {
		const struct explain_drop *drop = &explain->drops[i];

		json_array_append_new(
			list, json_pack("{s:o, s:I, s:o, s:o, s:o}", key, json_text(drop->name), "features",
					(json_int_t)drop->n_features, "roc_auc_drop", number(drop->drop.roc_auc),
					"balanced_accuracy_drop", number(drop->drop.balanced_accuracy),
					"recall_at_fpr_1_percent_drop", number(drop->drop.recall_at_1)));
	}
	return json_pack("{s:I, s:o}", "judged", (json_int_t)explain->n_flows, "drops", list);
}

static json_t *cross_figures_json(const struct cross_figures *figures)
{
	return json_pack("{s:o, s:o, s:o}", "roc_auc", number(figures->roc_auc), "recall", number(figures->recall),
			 "fpr", number(figures->fpr));
}

static json_t *cross_json(const struct report *report)
{
	const struct flow_cross *cross = report->cross;
	json_t *list = json_array();

	for (uint32_t t = 0; t < cross->n_trials; t++) {
		const struct cross_trial *trial = &cross->trials[t];
		json_t *object =
			json_pack("{s:o, s:s}", "source", json_text(report->flows->set->sources[trial->source]),
				  "learnt_from", trial->is_left_out ? "all others" : "it alone");

		if (trial->missing != NULL) {
			json_object_set_new(object, "missing", json_string(trial->missing));
		} else {
			json_object_set_new(object, "learnt", json_integer(trial->n_learnt));
			json_object_set_new(object, "held_out", json_integer(trial->n_held_out));
			json_object_set_new(object, "benign", json_integer(trial->n_benign));
			json_object_set_new(object, "attacks", json_integer(trial->n_attack));
			json_object_set_new(object, "logistic_regression", cross_figures_json(&trial->logistic));
			json_object_set_new(object, "network", cross_figures_json(&trial->network));
		}
		json_array_append_new(list, object);
	}
	return cross->missing != NULL ? json_pack("{s:s, s:o}", "missing", cross->missing, "trials", list)
				      : json_pack("{s:o}", "trials", list);
}

/* What there is only where a class is benign. */
static void attacks_add(const struct report *report, json_t *root)
{
	const struct figures *figures = report->figures;

	json_object_set_new(root, "benign", json_integer(figures->n_benign));
	json_object_set_new(root, "attacks", json_integer(figures->n_attack));
	json_object_set_new(root, "threshold", number(report_threshold(report)));
	json_object_set_new(root, "recall", number(figures->recall));
	json_object_set_new(root, "fpr", number(figures->fpr));
	json_object_set_new(root, "roc_auc", number(figures->roc_auc));
	json_object_set_new(root, "pr_auc", number(figures->average_precision));
	json_object_set_new(root, "recall_at_fpr", recalls_json(report));
	json_object_set_new(root, "calibration", calibration_json(&figures->calibration));
	json_object_set_new(root, "base_rate", number(figures->base_rate));
	json_object_set_new(root, "precision_at_base_rate", number(figures->precision_at_base_rate));
	json_object_set_new(root, "precision_at_least", number(figures->precision_at_least));
	json_object_set_new(root, "fpr_at_most", number(figures->fpr_at_most));
	json_object_set_new(root, "benign_hours", number(figures->hours));
	json_object_set_new(root, "false_alarms_per_hour", number(figures->alarms_per_hour));
	if (!isnan(figures->roc_auc)) {
		json_object_set_new(root, "roc", curve_json(&figures->curves, curves_roc_xy));
		json_object_set_new(root, "precision_recall", curve_json(&figures->curves, curves_pr_xy));
	}
}

static json_t *report_json(const struct report *report)
{
	const struct figures *figures = report->figures;
	json_t *root = json_object();

	json_object_set_new(root, "model", json_text(report->options->model_path));
	json_object_set_new(root, "kernel", json_string(report->judge->kernel->name));
	json_object_set_new(root, "data", flow_data_json(&report->data->data));
	json_object_set_new(root, "rows_of_no_class", json_integer((json_int_t)report->data->n_unknown));
	json_object_set_new(root, "rows_judged", json_integer((json_int_t)report->data->set.n_rows));
	json_object_set_new(root, "unit", json_string(report_unit(report)));
	json_object_set_new(root, "judged", json_integer(figures->n_flows));
	json_object_set_new(root, "mixed", json_integer((json_int_t)report->flows->n_mixed));
	json_object_set_new(root, "not_judged", json_integer((json_int_t)report->flows->n_overflowed));
	json_object_set_new(root, "accuracy", number(metrics_accuracy(&figures->confusion)));
	json_object_set_new(root, "balanced_accuracy", number(metrics_balanced_accuracy(&figures->confusion)));
	json_object_set_new(root, "classes", classes_json(report));
	json_object_set_new(root, "confusion", confusion_json(&figures->confusion));
	if (figures->has_benign)
		attacks_add(report, root);
	json_object_set_new(root, "baselines", baselines_json(report));
	json_object_set_new(root, "sources", sources_json(report));
	json_object_set_new(root, "labels", groups_json(figures->labels, figures->n_labels, "label"));
	if (!report->options->by_rows)
		json_object_set_new(root, "detection", detections_json(report));
	if (report->features != NULL)
		json_object_set_new(root, "importance", explain_json(report->features, "feature"));
	if (report->groups != NULL)
		json_object_set_new(root, "ablation", explain_json(report->groups, "group"));
	if (report->cross != NULL)
		json_object_set_new(root, "cross", cross_json(report));
	return root;
}

int report_print_json(const struct report *report)
{
	json_t *root = report_json(report);
	int rc = root != NULL ? json_dumpf(root, stdout, JSON_COMPACT) : -1;

	json_decref(root);
	putchar('\n');
	if (rc < 0)
		complain("the JSON text cannot be written");
	return rc < 0 ? EXIT_FAILED : EXIT_OK;
}
