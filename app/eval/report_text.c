/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The figures of a flow model as tables of text, and the words that all reports share. Called by eval_flows.c.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "eval/report.h"
#include "table_report.h"

#define BAR_CELLS 30
/* Names of data are cut at so many columns. */
#define NAME_WIDTH 28

char *report_stump_text(const struct report *report, char *text, size_t text_size)
{
	const struct stump *stump = &report->baselines->stump;

	snprintf(text, text_size, "%.80s %s %.6g", report->flows->set->features[stump->feature],
		 stump->is_below ? "<" : ">=", (double)stump->threshold);
	return text;
}

char *report_warning_text(const struct report *report, char *text, size_t text_size)
{
	const struct flow_baselines *b = report->baselines;
	char stump[128];

	snprintf(text, text_size,
		 "one feature alone, %s, has a balanced accuracy of %.4f, the model %.4f: the model tells no "
		 "more than it does; the data are too easy to judge it by, or it has learnt something else",
		 report_stump_text(report, stump, sizeof(stump)), b->stump_figures.balanced_accuracy,
		 b->model.balanced_accuracy);
	return text;
}

char *report_checkpoint_text(uint8_t checkpoint, char *text, size_t text_size)
{
	if (checkpoint == 0)
		snprintf(text, text_size, "end");
	else
		snprintf(text, text_size, "packet %u", checkpoint);
	return text;
}

const char *report_unit(const struct report *report)
{
	return report->options->by_rows ? "rows" : "flows";
}

double report_threshold(const struct report *report)
{
	return (double)report->judge->model->threshold;
}

bool report_is_too_few(const struct report *report, double rate)
{
	return report->figures->n_benign * rate < 1;
}

/* Names come from files: what is not printable is shown as '?'. Returns text. */
static const char *clean(const char *name, char text[NAME_WIDTH + 1])
{
	size_t n = 0;

	for (; name[n] != '\0' && n < NAME_WIDTH; n++)
		text[n] = (unsigned char)name[n] < ' ' || name[n] == '\x7f' ? '?' : name[n];
	if (n == NAME_WIDTH && name[n] != '\0')
		memcpy(text + n - 2, "..", 2);
	text[n] = '\0';
	return text;
}

static void print_name(const char *name)
{
	char text[NAME_WIDTH + 1];

	printf("%-*s", NAME_WIDTH, clean(name, text));
}

static void print_number(double number)
{
	if (isnan(number))
		printf(" %11s", "-");
	else
		printf(" %11.6f", fabs(number) < 0.0000005 ? 0 : number);
}

static void print_count(uint64_t count)
{
	printf(" %10" PRIu64, count);
}

static void print_short_count(uint32_t count)
{
	printf(" %9" PRIu32, count);
}

static void print_short_number(double number)
{
	if (isnan(number))
		printf(" %9s", "-");
	else
		printf(" %9.4f", number);
}

static void print_head(const struct report *report)
{
	const struct figures *figures = report->figures;

	printf("model     %s, kernel %s\n", report->options->model_path, report->judge->kernel->name);
	flow_data_print(stdout, &report->data->data);
	if (report->data->n_unknown > 0)
		printf("no class  %" PRIu64 " rows are of no class of the model, the first is '%s'\n",
		       report->data->n_unknown, report->flows->set->labels[report->data->unknown_label]);
	printf("judged    %u %s of %u source%s", figures->n_flows, report_unit(report), figures->n_sources,
	       figures->n_sources == 1 ? "" : "s");
	if (figures->has_benign)
		printf(": %u benign, %u attacks", figures->n_benign, figures->n_attack);
	putchar('\n');
	if (report->flows->n_mixed > 0)
		printf("mixed     %" PRIu64 " flows whose rows are of several classes: the first but %s counts\n",
		       report->flows->n_mixed, report->judge->classes[0]);
	if (report->flows->n_overflowed > 0)
		printf("failed    %" PRIu64 " %s: the model's sums overflowed\n", report->flows->n_overflowed,
		       report_unit(report));
	if (figures->has_benign)
		printf("threshold %g\n", report_threshold(report));
}

static void print_classes(const struct report *report)
{
	const struct metrics *m = &report->figures->confusion;
	char **names = report->judge->classes;

	printf("\n%-*s", NAME_WIDTH, "is \\ called");
	for (uint32_t c = 0; c < m->n_classes; c++)
		printf(" %10.10s", names[c]);
	putchar('\n');
	for (uint32_t truth = 0; truth < m->n_classes; truth++) {
		print_name(names[truth]);
		for (uint32_t said = 0; said < m->n_classes; said++)
			print_count(metrics_count(m, truth, said));
		putchar('\n');
	}
	printf("\n%-*s %11s %11s %11s%s\n", NAME_WIDTH, "class", "precision", "recall", "F1",
	       report->figures->class_auc != NULL ? "    ROC area" : "");
	for (uint32_t c = 0; c < m->n_classes; c++) {
		print_name(names[c]);
		print_number(metrics_precision(m, c));
		print_number(metrics_recall(m, c));
		print_number(metrics_f1(m, c));
		if (report->figures->class_auc != NULL)
			print_number(report->figures->class_auc[c]);
		putchar('\n');
	}
}

static void print_figure(const char *name, double number)
{
	printf("%-*s", NAME_WIDTH, name);
	print_number(number);
}

static void print_recalls(const struct report *report)
{
	const struct figures *figures = report->figures;
	char name[NAME_WIDTH + 1];

	for (int i = 0; i < FIGURES_N_RATES; i++) {
		snprintf(name, sizeof(name), "recall at FPR %g%%", figures_rates[i] * 100);
		print_figure(name, figures->at[i].recall);
		if (!isnan(figures->at[i].recall) && report_is_too_few(report, figures_rates[i]))
			printf("  too few: %u benign %s do not show so low a rate", figures->n_benign,
			       report_unit(report));
		putchar('\n');
	}
}

static void print_figures(const struct report *report)
{
	const struct figures *figures = report->figures;

	putchar('\n');
	print_figure("accuracy", metrics_accuracy(&figures->confusion));
	putchar('\n');
	print_figure("balanced accuracy", metrics_balanced_accuracy(&figures->confusion));
	putchar('\n');
	if (!figures->has_benign)
		return;
	print_figure("ROC area", figures->roc_auc);
	if (isnan(figures->roc_auc))
		printf("  there are only %s", figures->n_attack > 0 ? "attacks" : "benign flows");
	putchar('\n');
	print_figure("precision-recall area", figures->average_precision);
	putchar('\n');
	print_recalls(report);
	print_figure("calibration error", figures->calibration.error);
	printf("  Brier score %.6f\n", figures->calibration.brier);
	print_figure("precision at base rate", figures->precision_at_base_rate);
	printf("  if %g%% of all %s were attacks", figures->base_rate * 100, report_unit(report));
	if (!isnan(figures->precision_at_least))
		printf("; at least %.6f: the FPR is at most %.3g%% (95%% sure)", figures->precision_at_least,
		       figures->fpr_at_most * 100);
	putchar('\n');
	print_figure("false alarms an hour", figures->alarms_per_hour);
	if (isnan(figures->hours))
		printf("  times are not known\n");
	else
		printf("  over %.3g hours of benign flows\n", figures->hours);
}

static void print_baseline(const char *name, const struct baseline_figures *figures)
{
	print_name(name);
	print_number(figures->accuracy);
	print_number(figures->balanced_accuracy);
	print_number(figures->f1);
	print_number(figures->roc_auc);
	print_number(figures->recall_at_1);
	putchar('\n');
}

static void print_baselines(const struct report *report)
{
	const struct flow_baselines *b = report->baselines;
	char stump[128], warning[REPORT_WARNING_SIZE], name[64];

	if (b->missing[0] != '\0') {
		printf("\nnothing to compare with: %s\n", b->missing);
		return;
	}
	printf("\n%-*s %11s %11s %11s %11s %11s\n", NAME_WIDTH, "beside it", "accuracy", "balanced", "F1",
	       "ROC area", "recall@1%");
	print_baseline("model", &b->model);
	snprintf(name, sizeof(name), "always %.40s", b->majority_class);
	print_baseline(name, &b->majority);
	print_baseline("best stump", &b->stump_figures);
	print_baseline("logistic regression", &b->logistic);
	printf("stump: %s\n", report_stump_text(report, stump, sizeof(stump)));
	if (b->halves != NULL)
		printf("halved by %s: all are judged on %u %s, the others learn from %u more\n", b->halves,
		       b->n_judged, report_unit(report), b->n_learnt);
	else
		printf("all are judged on %u %s, the others learn from %u of --train-data\n", b->n_judged,
		       report_unit(report), b->n_learnt);
	if (b->is_stump_close)
		printf("warning: %s\n", report_warning_text(report, warning, sizeof(warning)));
}

static void print_groups(const char *title, const struct figures_group *groups, uint32_t n,
			 const struct figures *figures)
{
	printf("\n%-*s %9s %9s %9s %9s %9s %9s %9s %9s %9s %9s\n", NAME_WIDTH, title, "benign", "alarms", "FPR",
	       "attacks", "found", "recall", "recall@1%", "@0.1%", "@0.01%", "area");
	for (uint32_t g = 0; g < n; g++) {
		const struct figures_group *group = &groups[g];

		print_name(group->name);
		print_short_count(group->n_benign);
		print_short_count(group->n_false);
		print_short_number((double)group->n_false / group->n_benign);
		print_short_count(group->n_attack);
		print_short_count(group->n_found);
		print_short_number((double)group->n_found / group->n_attack);
		for (int i = 0; i < FIGURES_N_RATES; i++)
			print_short_number(group->n_attack > 0 && figures->n_benign > 0 ? group->recall_at[i]
											: NAN);
		print_short_number(group->roc_auc);
		putchar('\n');
	}
}

/* For models that tell other things apart than attacks. */
static void print_shares(const char *title, const struct figures_group *groups, uint32_t n, const char *unit)
{
	printf("\n%-*s %10s %10s %11s\n", NAME_WIDTH, title, unit, "right", "share");
	for (uint32_t g = 0; g < n; g++) {
		uint32_t n_all = groups[g].n_benign + groups[g].n_attack;

		print_name(groups[g].name);
		print_count(n_all);
		print_count(groups[g].n_right);
		print_number((double)groups[g].n_right / n_all);
		putchar('\n');
	}
}

static void print_detections(const struct report *report)
{
	const struct figures *figures = report->figures;
	char text[16];

	if (figures->n_detections == 0)
		return;
	printf("\n%-*s", NAME_WIDTH, "share of flows found by");
	for (uint32_t c = 0; c < figures->n_checkpoints; c++)
		printf(" %10s", report_checkpoint_text(figures->checkpoints[c], text, sizeof(text)));
	putchar('\n');
	for (uint32_t d = 0; d < figures->n_detections; d++) {
		print_name(report->flows->set->labels[figures->detections[d].label]);
		for (uint32_t c = 0; c < figures->n_checkpoints; c++)
			printf(" %10.4f", figures->detections[d].share_by[c]);
		putchar('\n');
	}
}

static void print_bar(double part, double most)
{
	int n = most > 0 && part > 0 ? (int)ceil(part / most * BAR_CELLS) : 0;

	printf("  %.*s\n", n, "##############################");
}

static void print_explain(const struct explain *explain, const char *title, const char *column, const char *unit)
{
	double most = 0;

	printf("\n%s, on %u %s:\n", title, explain->n_flows, unit);
	printf("%-*s %11s %11s %11s\n", NAME_WIDTH, column, "ROC area", "balanced", "recall@1%");
	for (uint32_t i = 0; i < explain->n_drops; i++)
		most = fmax(most, explain->drops[i].drop.roc_auc);
	for (uint32_t i = 0; i < explain->n_drops; i++) {
		const struct explain_drop *drop = &explain->drops[i];
		char name[64];

		snprintf(name, sizeof(name), drop->n_features > 1 ? "%.40s (%u)" : "%.40s", drop->name,
			 drop->n_features);
		print_name(name);
		print_number(drop->drop.roc_auc);
		print_number(drop->drop.balanced_accuracy);
		print_number(drop->drop.recall_at_1);
		print_bar(drop->drop.roc_auc, most);
	}
}

static void print_cross_figures(const struct cross_figures *figures)
{
	print_number(figures->roc_auc);
	print_number(figures->recall);
	print_number(figures->fpr);
}

static void print_trials(const struct report *report, bool is_left_out)
{
	const struct flow_cross *cross = report->cross;

	printf("%-*s %10s %10s %10s %10s %35s %35s\n", NAME_WIDTH,
	       is_left_out ? "judged on, not learnt" : "learnt from alone", "learnt", "held out", "benign",
	       "attacks", "regression: ROC area, recall, FPR", "network: ROC area, recall, FPR");
	for (uint32_t t = 0; t < cross->n_trials; t++) {
		const struct cross_trial *trial = &cross->trials[t];

		if (trial->is_left_out != is_left_out)
			continue;
		print_name(report->flows->set->sources[trial->source]);
		if (trial->missing != NULL) {
			printf(" %s\n", trial->missing);
			continue;
		}
		print_count(trial->n_learnt);
		print_count(trial->n_held_out);
		print_count(trial->n_benign);
		print_count(trial->n_attack);
		print_cross_figures(&trial->logistic);
		print_cross_figures(&trial->network);
		putchar('\n');
	}
}

static void print_cross(const struct report *report)
{
	if (report->cross->missing != NULL) {
		printf("\nnothing to cross: %s\n", report->cross->missing);
		return;
	}
	printf("\nacross sources, at the threshold that %g%% of the benign flows reach that were held out of "
	       "the learning:\n",
	       CROSS_FPR * 100);
	print_trials(report, false);
	putchar('\n');
	print_trials(report, true);
}

void report_print_text(const struct report *report)
{
	const struct figures *figures = report->figures;

	print_head(report);
	print_classes(report);
	print_figures(report);
	print_baselines(report);
	if (figures->has_benign) {
		print_groups("source", figures->sources, figures->n_sources, figures);
		print_groups("label", figures->labels, figures->n_labels, figures);
	} else {
		print_shares("source", figures->sources, figures->n_sources, report_unit(report));
		print_shares("label", figures->labels, figures->n_labels, report_unit(report));
	}
	if (!report->options->by_rows)
		print_detections(report);
	if (report->features != NULL)
		print_explain(report->features, "lost by shuffling a feature, mean of 5", "feature",
			      report_unit(report));
	if (report->groups != NULL)
		print_explain(report->groups, "lost by replacing a group of features by its means", "group",
			      report_unit(report));
	if (report->cross != NULL)
		print_cross(report);
}
