/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The figures of a flow model as one page that needs nothing but itself: style and plots are inside, there are no
 * scripts. Called by eval_flows.c. Every name that comes from data or a model is escaped.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "eval/report.h"
#include "eval/report_svg.h"
#include "json_text.h"

/* Features that are drawn at most; JSON has all. */
#define MAX_BARS 40
/* Classes whose confusion finds room beside another section. */
#define MAX_NARROW_CLASSES 3

static const char page_head[] =
	"<!DOCTYPE html>\n"
	"<html lang=\"en\">\n"
	"<head>\n"
	"<meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	"<meta name=\"color-scheme\" content=\"light dark\">\n"
	"<title>wirescore eval</title>\n"
	"<style>\n"
	":root{--page:#fbfbfa;--card:#fff;--text:#1d2125;--soft:#5d666f;--line:#dfe2e5;--blue:#1f6fb5;--red:#c0501c}\n"
	"@media (prefers-color-scheme:dark){:root{--page:#14171a;--card:#1c2024;--text:#e4e7ea;--soft:#9ba4ad;"
	"--line:#353b42;--blue:#6bb1f2;--red:#f29a63}}\n"
	"*{box-sizing:border-box}\n"
	"body{margin:0 auto;max-width:1120px;padding:20px 16px 48px;background:var(--page);color:var(--text);"
	"font:15px/1.45 system-ui,sans-serif}\n"
	"h1{font-size:1.5rem;margin:.2em 0;overflow-wrap:anywhere}\n"
	"h2{font-size:1.08rem;margin:0 0 .5em}\n"
	"p{margin:.3em 0;color:var(--soft);overflow-wrap:anywhere}\n"
	"section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px;margin-top:16px}\n"
	".pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));column-gap:16px;"
	"align-items:start}\n"
	".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:10px;margin-top:16px}\n"
	".tile{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:10px 12px}\n"
	".tile b{display:block;font-size:1.35rem;font-variant-numeric:tabular-nums}\n"
	".tile span{color:var(--soft);font-size:.85rem}\n"
	".wide{overflow-x:auto}\n"
	"table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:.9rem}\n"
	"th{color:var(--soft);font-weight:600;text-align:right;vertical-align:bottom}\n"
	"td{text-align:right;white-space:nowrap}\n"
	"th,td{padding:5px 8px;border-bottom:1px solid var(--line)}\n"
	"th:first-child,td:first-child{text-align:left;padding-left:0}\n"
	"td:first-child{white-space:normal;overflow-wrap:break-word;min-width:8rem;max-width:18rem}\n"
	"td.bar{width:34%;min-width:90px;text-align:left}\n"
	"td.bar i{display:block;height:11px;border-radius:2px;background:var(--blue)}\n"
	"td.heat{background:color-mix(in srgb,var(--blue) var(--share),transparent)}\n"
	"td.note{text-align:left;color:var(--soft);white-space:normal}\n"
	".warning{border-left:4px solid var(--red);padding:6px 10px;color:var(--text)}\n"
	"svg{display:block;width:100%;height:auto;max-width:560px;margin:0 auto}\n"
	"svg text{font:12px system-ui,sans-serif;fill:var(--soft)}\n"
	".legend{display:flex;flex-wrap:wrap;justify-content:center;gap:2px 18px;font-size:.85rem}\n"
	".legend svg{display:inline-block;width:24px;height:12px;margin-right:6px}\n"
	".grid{stroke:var(--line)}\n"
	".axis{stroke:var(--soft)}\n"
	".curve{fill:none;stroke:var(--blue);stroke-width:2;stroke-linejoin:round}\n"
	".guide{stroke:var(--soft);stroke-dasharray:4 4}\n"
	".dot{fill:var(--red);stroke:var(--card);stroke-width:2}\n"
	".bin{fill:var(--blue);fill-opacity:.75;stroke:var(--card)}\n"
	".unknown{fill:var(--line);fill-opacity:.55}\n"
	"</style>\n"
	"</head>\n"
	"<body>\n";

/* ---- Pieces ---- */

/* A name as text of the page: what is no UTF-8 is replaced, what is markup is not. */
static void put_name(FILE *file, const char *name)
{
	json_t *mended = json_text(name);
	const char *text = mended != NULL ? json_string_value(mended) : "?";

	for (; *text != '\0'; text++) {
		switch (*text) {
		case '&':
			fputs("&amp;", file);
			break;
		case '<':
			fputs("&lt;", file);
			break;
		case '>':
			fputs("&gt;", file);
			break;
		case '"':
			fputs("&quot;", file);
			break;
		default:
			/* Control characters are not allowed in a page. */
			fputc((unsigned char)*text < ' ' || *text == 0x7f ? ' ' : *text, file);
		}
	}
	json_decref(mended);
}

static void put_name_cell(FILE *file, const char *name)
{
	fputs("<tr><td title=\"", file);
	put_name(file, name);
	fputs("\">", file);
	put_name(file, name);
	fputs("</td>", file);
}

static void put_count(FILE *file, uint64_t count)
{
	fprintf(file, "<td>%" PRIu64 "</td>", count);
}

static void put_number(FILE *file, double number)
{
	if (isnan(number))
		fputs("<td>&ndash;</td>", file);
	else
		fprintf(file, "<td>%.4f</td>", fabs(number) < 0.00005 ? 0 : number);
}

static void put_percent(FILE *file, double share)
{
	if (isnan(share))
		fputs("<td>&ndash;</td>", file);
	else
		fprintf(file, "<td>%.2f%%</td>", share * 100);
}

/* What a dot and a dashed line of a plot stand for; NULL: there is none. */
static void put_legend(FILE *file, const char *dot, const char *line)
{
	fputs("<p class=\"legend\">", file);
	if (dot != NULL)
		fprintf(file,
			"<span><svg viewBox=\"0 0 24 12\"><circle class=\"dot\" cx=\"12\" cy=\"6\" r=\"5\"/></svg>"
			"%s</span>\n",
			dot);
	if (line != NULL)
		fprintf(file,
			"<span><svg viewBox=\"0 0 24 12\"><line class=\"guide\" x1=\"0\" y1=\"6\" x2=\"24\" y2=\"6\"/>"
			"</svg>%s</span>\n",
			line);
	fputs("</p>\n", file);
}

/* The higher the share, the more colour. */
static void put_heat(FILE *file, double share, const char *text)
{
	fprintf(file, "<td class=\"heat\" style=\"--share:%.0f%%\">%s</td>", isnan(share) ? 0 : share * 55, text);
}

static void put_bar(FILE *file, double part, double most)
{
	fprintf(file, "<td class=\"bar\"><i style=\"width:%.1f%%\"></i></td>",
		most > 0 && part > 0 ? fmin(part / most, 1) * 100 : 0);
}

static void put_tile(FILE *file, const char *what, double number, const char *format)
{
	fputs("<div class=\"tile\"><b>", file);
	if (isnan(number))
		fputs("&ndash;", file);
	else
		fprintf(file, format, number);
	fprintf(file, "</b><span>%s</span></div>\n", what);
}

static void table_begin(FILE *file, const char *title, const char *const *columns, size_t n)
{
	fprintf(file, "<section><h2>%s</h2><div class=\"wide\"><table><tr>", title);
	for (size_t i = 0; i < n; i++)
		fprintf(file, "<th>%s</th>", columns[i]);
	fputs("</tr>\n", file);
}

static void table_end(FILE *file)
{
	fputs("</table></div></section>\n", file);
}

#define TABLE_BEGIN(file, title, ...)                                \
	table_begin(file, title, (const char *const[]){__VA_ARGS__}, \
		    sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

/* ---- Sections ---- */

static void put_head(FILE *file, const struct report *report)
{
	const struct figures *figures = report->figures;

	fputs("<h1>", file);
	put_name(file, report->options->model_path);
	fprintf(file, "</h1>\n<p>%u %s of %u source%s", figures->n_flows, report_unit(report), figures->n_sources,
		figures->n_sources == 1 ? "" : "s");
	if (figures->has_benign)
		fprintf(file, ": %u benign, %u attacks; threshold %g", figures->n_benign, figures->n_attack,
			report_threshold(report));
	fprintf(file, "; kernel %s.</p>\n", report->judge->kernel->name);
	if (figures->has_benign && (figures->n_benign == 0 || figures->n_attack == 0))
		fprintf(file,
			"<p class=\"warning\">There are only %s: what compares both classes has no value.</p>\n",
			figures->n_attack > 0 ? "attacks" : "benign flows");
	for (uint32_t i = 0; i < figures->n_sources; i++) {
		if (!eval_data_is_known(report->judge->model, figures->sources[i].name))
			continue;
		fputs("<p class=\"warning\">Warning: ", file);
		put_name(file, figures->sources[i].name);
		fputs(": the model was trained on data called so; its figures there are too good.</p>\n", file);
	}
	if (!flow_data_is_complete(&report->data->data))
		fputs("<p class=\"warning\">Not all captures could be read to their ends.</p>\n", file);
}

static void put_tiles(FILE *file, const struct report *report)
{
	const struct figures *figures = report->figures;
	char text[96];

	fputs("<div class=\"tiles\">\n", file);
	put_tile(file, "balanced accuracy", metrics_balanced_accuracy(&figures->confusion), "%.4f");
	put_tile(file, "accuracy", metrics_accuracy(&figures->confusion), "%.4f");
	if (figures->has_benign) {
		put_tile(file, "ROC area", figures->roc_auc, "%.4f");
		put_tile(file, "precision-recall area", figures->average_precision, "%.4f");
		for (int i = 0; i < FIGURES_N_RATES; i++) {
			snprintf(text, sizeof(text), "recall at FPR %g%%%s", figures_rates[i] * 100,
				 report_is_too_few(report, figures_rates[i]) ? " (too few benign flows)" : "");
			put_tile(file, text, 100 * figures->at[i].recall, "%.2f%%");
		}
		snprintf(text, sizeof(text), "precision if %g%% were attacks, at least (95%% sure)",
			 figures->base_rate * 100);
		put_tile(file, text, 100 * figures->precision_at_least, "%.2f%%");
		snprintf(text, sizeof(text),
			 isnan(figures->hours) ? "false alarms an hour: times are not known"
					       : "false alarms an hour (%.3g h of benign flows)",
			 figures->hours);
		put_tile(file, text, figures->alarms_per_hour, figures->alarms_per_hour < 1000 ? "%.3g" : "%.0f");
		put_tile(file, "calibration error", figures->calibration.error, "%.4f");
	}
	fputs("</div>\n", file);
}

static void put_curves(FILE *file, const struct report *report)
{
	const struct figures *figures = report->figures;

	if (!figures->has_benign || isnan(figures->roc_auc))
		return;
	fputs("<div class=\"pair\">\n<section><h2>ROC</h2>\n", file);
	report_svg_roc(file, figures);
	put_legend(file, "the model&#8217;s threshold", NULL);
	fprintf(file, "<p>Grey: below one false alarm in %u benign %s.</p></section>\n", figures->n_benign,
		report_unit(report));
	fputs("<section><h2>Precision and recall</h2>\n", file);
	report_svg_precision(file, figures);
	put_legend(file, "the model&#8217;s threshold", "the share of attacks in these data");
	fputs("</section>\n</div>\n", file);
}

static void put_confusion(FILE *file, const struct report *report)
{
	const struct metrics *m = &report->figures->confusion;
	char **names = report->judge->classes, text[24];

	fputs("<section><h2>Confusion</h2><div class=\"wide\"><table><tr><th>is &#92; called</th>", file);
	for (uint32_t c = 0; c < m->n_classes; c++) {
		fputs("<th>", file);
		put_name(file, names[c]);
		fputs("</th>", file);
	}
	fputs("<th>precision</th><th>recall</th><th>F1</th>", file);
	fputs(report->figures->class_auc != NULL ? "<th>ROC area</th></tr>\n" : "</tr>\n", file);
	for (uint32_t truth = 0; truth < m->n_classes; truth++) {
		uint64_t n = 0;

		put_name_cell(file, names[truth]);
		for (uint32_t said = 0; said < m->n_classes; said++)
			n += metrics_count(m, truth, said);
		for (uint32_t said = 0; said < m->n_classes; said++) {
			snprintf(text, sizeof(text), "%" PRIu64, metrics_count(m, truth, said));
			put_heat(file, (double)metrics_count(m, truth, said) / (double)n, text);
		}
		put_number(file, metrics_precision(m, truth));
		put_number(file, metrics_recall(m, truth));
		put_number(file, metrics_f1(m, truth));
		if (report->figures->class_auc != NULL)
			put_number(file, report->figures->class_auc[truth]);
		fputs("</tr>\n", file);
	}
	table_end(file);
}

static void put_calibration(FILE *file, const struct report *report)
{
	const struct figures *figures = report->figures;

	if (!figures->has_benign)
		return;
	fputs("<section><h2>Calibration</h2>\n", file);
	report_svg_calibration(file, figures);
	put_legend(file, NULL, "well calibrated");
	fprintf(file, "<p>The larger a dot, the more %s. Error %.4f, Brier score %.4f.</p></section>\n",
		report_unit(report), figures->calibration.error, figures->calibration.brier);
}

static void put_baseline(FILE *file, const char *name, const struct baseline_figures *figures)
{
	put_name_cell(file, name);
	put_number(file, figures->accuracy);
	put_number(file, figures->balanced_accuracy);
	put_number(file, figures->f1);
	put_number(file, figures->roc_auc);
	put_percent(file, figures->recall_at_1);
	fputs("</tr>\n", file);
}

static void put_baselines(FILE *file, const struct report *report)
{
	const struct flow_baselines *b = report->baselines;
	char stump[128], warning[REPORT_WARNING_SIZE], name[160];

	if (b->missing[0] != '\0') {
		fputs("<section><h2>Beside it</h2><p>Nothing to compare with: ", file);
		put_name(file, b->missing);
		fputs(".</p></section>\n", file);
		return;
	}
	TABLE_BEGIN(file, "Beside it", "", "accuracy", "balanced", "F1", "ROC area", "recall at FPR 1%");
	put_baseline(file, "the model", &b->model);
	snprintf(name, sizeof(name), "always %.100s", b->majority_class);
	put_baseline(file, name, &b->majority);
	snprintf(name, sizeof(name), "best stump: %s", report_stump_text(report, stump, sizeof(stump)));
	put_baseline(file, name, &b->stump_figures);
	put_baseline(file, "logistic regression", &b->logistic);
	fputs("</table></div>\n", file);
	fprintf(file, "<p>Learnt from %u %s and judged, as the model is here, on %u others%s%s.</p>\n", b->n_learnt,
		report_unit(report), b->n_judged, b->halves != NULL ? ": two halves of these data, by " : "",
		b->halves != NULL ? b->halves : "");
	if (b->is_stump_close) {
		fputs("<p class=\"warning\">Warning: ", file);
		put_name(file, report_warning_text(report, warning, sizeof(warning)));
		fputs(".</p>\n", file);
	}
	fputs("</section>\n", file);
}

static void put_attack_groups(FILE *file, const char *title, const char *column, const struct figures_group *groups,
			      uint32_t n)
{
	TABLE_BEGIN(file, title, column, "benign", "alarms", "FPR", "attacks", "found", "recall", "",
		    "recall at FPR 1%", "at 0.1%", "at 0.01%", "ROC area");
	for (uint32_t g = 0; g < n; g++) {
		const struct figures_group *group = &groups[g];
		double recall = (double)group->n_found / group->n_attack;

		put_name_cell(file, group->name);
		put_count(file, group->n_benign);
		put_count(file, group->n_false);
		put_percent(file, (double)group->n_false / group->n_benign);
		put_count(file, group->n_attack);
		put_count(file, group->n_found);
		put_percent(file, recall);
		if (group->n_attack > 0)
			put_bar(file, recall, 1);
		else
			fputs("<td></td>", file);
		for (int i = 0; i < FIGURES_N_RATES; i++)
			put_percent(file, group->n_attack > 0 ? group->recall_at[i] : NAN);
		put_number(file, group->roc_auc);
		fputs("</tr>\n", file);
	}
	table_end(file);
}

static void put_groups(FILE *file, const struct report *report, const char *title, const char *column,
		       const struct figures_group *groups, uint32_t n)
{
	if (report->figures->has_benign) {
		put_attack_groups(file, title, column, groups, n);
		return;
	}
	TABLE_BEGIN(file, title, column, report_unit(report), "right", "share", "");
	for (uint32_t g = 0; g < n; g++) {
		uint32_t n_all = groups[g].n_benign + groups[g].n_attack;

		put_name_cell(file, groups[g].name);
		put_count(file, n_all);
		put_count(file, groups[g].n_right);
		put_percent(file, (double)groups[g].n_right / n_all);
		put_bar(file, groups[g].n_right, n_all);
		fputs("</tr>\n", file);
	}
	table_end(file);
}

static void put_detections(FILE *file, const struct report *report)
{
	const struct figures *figures = report->figures;
	char text[16];

	if (figures->n_detections == 0 || report->options->by_rows)
		return;
	fputs("<section><h2>Time to detection</h2><p>The share of flows that were found by a packet of theirs.</p>"
	      "<div class=\"wide\"><table><tr><th>label</th>",
	      file);
	for (uint32_t c = 0; c < figures->n_checkpoints; c++)
		fprintf(file, "<th>%s</th>", report_checkpoint_text(figures->checkpoints[c], text, sizeof(text)));
	fputs("</tr>\n", file);
	for (uint32_t d = 0; d < figures->n_detections; d++) {
		put_name_cell(file, report->flows->set->labels[figures->detections[d].label]);
		for (uint32_t c = 0; c < figures->n_checkpoints; c++) {
			snprintf(text, sizeof(text), "%.1f%%", figures->detections[d].share_by[c] * 100);
			put_heat(file, figures->detections[d].share_by[c], text);
		}
		fputs("</tr>\n", file);
	}
	table_end(file);
}

/* The drop that a bar shows: of the area, or where there is none, of the balanced accuracy. */
static double drop_shown(const struct explain_drop *drop)
{
	return isnan(drop->drop.roc_auc) ? drop->drop.balanced_accuracy : drop->drop.roc_auc;
}

static void put_explain(FILE *file, const struct explain *explain, const char *title, const char *column,
			const char *unit)
{
	uint32_t n = explain->n_drops < MAX_BARS ? explain->n_drops : MAX_BARS;
	double most = 0;
	char name[128];

	TABLE_BEGIN(file, title, column, "ROC area", "", "balanced", "recall at FPR 1%");
	for (uint32_t i = 0; i < n; i++)
		most = fmax(most, drop_shown(&explain->drops[i]));
	for (uint32_t i = 0; i < n; i++) {
		const struct explain_drop *drop = &explain->drops[i];

		snprintf(name, sizeof(name), drop->n_features > 1 ? "%.100s (%u)" : "%.100s", drop->name,
			 drop->n_features);
		put_name_cell(file, name);
		put_number(file, drop->drop.roc_auc);
		put_bar(file, drop_shown(drop), most);
		put_number(file, drop->drop.balanced_accuracy);
		put_number(file, drop->drop.recall_at_1);
		fputs("</tr>\n", file);
	}
	fputs("</table></div>", file);
	if (explain->n_drops > n)
		fprintf(file, "<p>%u more cost less.</p>", explain->n_drops - n);
	fprintf(file, "<p>What is lost, on %u %s judged anew each time; below 0 is a gain.</p></section>\n",
		explain->n_flows, unit);
}

static void put_trials(FILE *file, const struct report *report, bool is_left_out)
{
	for (uint32_t t = 0; t < report->cross->n_trials; t++) {
		const struct cross_trial *trial = &report->cross->trials[t];

		if (trial->is_left_out != is_left_out)
			continue;
		put_name_cell(file, report->flows->set->sources[trial->source]);
		if (trial->missing != NULL) {
			fprintf(file, "<td class=\"note\" colspan=\"10\">%s</td></tr>\n", trial->missing);
			continue;
		}
		put_count(file, trial->n_learnt);
		put_count(file, trial->n_held_out);
		put_count(file, trial->n_benign);
		put_count(file, trial->n_attack);
		put_number(file, trial->logistic.roc_auc);
		put_percent(file, trial->logistic.recall);
		put_percent(file, trial->logistic.fpr);
		put_number(file, trial->network.roc_auc);
		put_percent(file, trial->network.recall);
		put_percent(file, trial->network.fpr);
		fputs("</tr>\n", file);
	}
	table_end(file);
}

#define CROSS_COLUMNS                                                                                            \
	"learnt", "held out", "benign", "attacks", "regression: ROC area", "recall", "FPR", "network: ROC area", \
		"recall", "FPR"

static void put_cross(FILE *file, const struct report *report)
{
	if (report->cross->missing != NULL) {
		fprintf(file, "<section><h2>Across sources</h2><p>Nothing to cross: %s.</p></section>\n",
			report->cross->missing);
		return;
	}
	TABLE_BEGIN(file, "Learnt from one source, judged on all others", "learnt from", CROSS_COLUMNS);
	put_trials(file, report, false);
	TABLE_BEGIN(file, "Judged on one source, learnt from all others", "judged on", CROSS_COLUMNS);
	put_trials(file, report, true);
	fprintf(file,
		"<p>Recall and FPR at the threshold that %g%% of the benign flows reach in a quarter of the flows "
		"learnt from, which is held out.</p>\n",
		CROSS_FPR * 100);
}

static void put_page(FILE *file, const struct report *report)
{
	const struct figures *figures = report->figures;

	fputs(page_head, file);
	put_head(file, report);
	put_tiles(file, report);
	put_curves(file, report);
	if (figures->confusion.n_classes > MAX_NARROW_CLASSES)
		put_confusion(file, report);
	fputs("<div class=\"pair\">\n<div>\n", file);
	if (figures->confusion.n_classes <= MAX_NARROW_CLASSES)
		put_confusion(file, report);
	put_baselines(file, report);
	fputs("</div>\n", file);
	put_calibration(file, report);
	fputs("</div>\n", file);
	put_groups(file, report, "By label", "label", figures->labels, figures->n_labels);
	put_groups(file, report, "By source", "source", figures->sources, figures->n_sources);
	put_detections(file, report);
	if (report->features != NULL)
		put_explain(file, report->features, "Shuffling a feature", "feature", report_unit(report));
	if (report->groups != NULL)
		put_explain(file, report->groups, "Replacing a group of features by its means", "group",
			    report_unit(report));
	if (report->cross != NULL)
		put_cross(file, report);
	fputs("</body>\n</html>\n", file);
}

int report_write_html(const struct report *report)
{
	const char *path = report->options->html_path;
	FILE *file = fopen(path, "w");
	int failed;

	if (file == NULL) {
		complain("--html %s: cannot be written: %s", path, strerror(errno));
		return EXIT_FAILED;
	}
	put_page(file, report);
	errno = 0;
	failed = ferror(file);
	failed |= fclose(file);
	if (failed) {
		complain("--html %s: cannot be written: %s", path, errno != 0 ? strerror(errno) : "not all of it");
		return EXIT_FAILED;
	}
	return EXIT_OK;
}
