/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `wirescore lint DATA...`: what is wrong with flows of tables and captures, before a model learns from them.
 * Called by main.c.
 */
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include "command.h"
#include "flow_data.h"
#include "flow_lint.h"
#include "flow_options.h"
#include "interrupt.h"
#include "json_text.h"
#include "table_options.h"

#define LINT_MAX_LABELS 32 /* labels that are listed; the others are counted */

static const char lint_help[] =
	"Usage: wirescore lint [OPTION]... DATA...\n"
	"Looks through tables of flows (CSV; plain, .gz, or the one member of a .zip) and labelled captures for what\n"
	"would spoil a model: rows that are there twice or under two labels, times that go back, packets left over\n"
	"after FIN, columns that are constant or tell the classes apart alone, and rows that cannot be used.\n"
	"CAPTURE=LABEL gives all flows of a capture a label, else CAPTURE's name with .tsv has the rules, as --labels\n"
	"of extract takes them. Rows of captures are counted from 1, in the order that flows end or come to a\n"
	"checkpoint in.\n"
	"\n"
	"  --strict             exit with 1 where anything was found\n"
	"  --json               print JSON instead of text\n"
	"  --help               this text\n"
	"\n"
	"Tables:\n";

static const char lint_captures_help[] =
	"\n"
	"Captures:\n"
	"  --checkpoints LIST   rows when a flow has so many packets (1 to 64) and at its 'end'; default 1,2,4,8,16,end\n";

static const char lint_help_end[] =
	"\n"
	"A column leaks where its best threshold, or a guess by its value where there are few values, reaches a\n"
	"balanced accuracy of 0.999 between benign and all else; it nearly leaks from an area under the ROC curve of\n"
	"0.99 on. Columns are judged by at most 100000 rows of each class. Columns that nearly leak, and rows whose\n"
	"label is ignored, are told of but are no finding.\n"
	"Exit status: 0; 1 where a table could not be read, or with --strict where anything was found; 2 for bad\n"
	"usage; 130 after SIGINT.\n";

struct lint_options {
	struct table_options table;
	struct flow_options flow; /* of captures */
	int is_strict, is_json;
	char **paths;
	int n_paths;
};

/* How findings about rows are called. */
static const struct {
	const char *key, *text;
} lint_kinds[FLOW_LINT_N_KINDS] = {
	[FLOW_LINT_DUPLICATE] = {"duplicates", "rows repeat an earlier one with its label"},
	[FLOW_LINT_CONFLICT] = {"conflicts", "rows repeat an earlier one with another label"},
	[FLOW_LINT_REVERSAL] = {"time_reversals", "rows are earlier than one before them"},
	[FLOW_LINT_BACKWARD] = {"end_before_start", "rows end before they begin"},
	[FLOW_LINT_LEFT_OVER] = {"left_over_after_fin", "rows are one packet left over after FIN or RST"},
};

static void lint_print_help(void)
{
	fputs(lint_help, stdout);
	fputs(table_options_help, stdout);
	fputs(table_choices_help, stdout);
	puts("\nFormats:");
	for (uint32_t i = 0; flow_csv_format_name(i) != NULL; i++)
		printf("  %-12s %s\n", flow_csv_format_name(i), flow_csv_format_help(i));
	fputs(lint_captures_help, stdout);
	fputs(flow_options_help, stdout);
	fputs(lint_help_end, stdout);
}

/* Takes an option about data. 0, or -1 after complaining. */
static int lint_take(struct lint_options *options, int option, const char *argument)
{
	if (option == 'c')
		return flow_options_take_checkpoints(&options->flow, argument);
	if (flow_options_has(option))
		return flow_options_take(&options->flow, option, argument);
	return table_options_take(&options->table, option, argument);
}

/* EXIT_OK when there is something to do, another exit code, or -1 when help was asked for. */
static int lint_parse(int argc, char **argv, struct lint_options *options)
{
	static const struct option long_options[] = {
		{"strict", no_argument, NULL, 's'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{"checkpoints", required_argument, NULL, 'c'},
		TABLE_LONG_OPTIONS,
		FLOW_LONG_OPTIONS,
		{0},
	};
	int option;

	optind = 0;
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
		if (option == 's')
			options->is_strict = 1;
		else if (option == 'j')
			options->is_json = 1;
		else if (option == 'h')
			return -1;
		else if (option == ':')
			return usage_error("lint", "%s needs a value", argv[optind - 1]);
		else if (option == '?')
			return usage_error("lint", "there is no option %s", argv[optind - 1]);
		else if (lint_take(options, option, optarg) < 0)
			return EXIT_USAGE;
	}
	if (optind == argc)
		return usage_error("lint", "name the tables or captures to look through");
	options->paths = argv + optind;
	options->n_paths = argc - optind;
	if (!options->flow.config.n_flows)
		return usage_error("lint", "--flows 0 leaves nothing of captures to look through");
	return flow_options_finish(&options->flow) ? EXIT_FAILED : EXIT_OK;
}

/* ---- What was found ---- */

static int column_is_constant(const struct flow_lint_column *column)
{
	return column->low == column->high;
}

static int column_leaks(const struct flow_lint_column *column)
{
	return column->balanced_accuracy >= FLOW_LINT_LEAK;
}

static int column_nearly_leaks(const struct flow_lint_column *column)
{
	return !column_leaks(column) && column->auc >= FLOW_LINT_NEAR_LEAK;
}

static int has_one_class(const struct flow_lint_result *result)
{
	return result->n_class_rows[0] == 0 || result->n_class_rows[1] == 0;
}

/* How many things were found. */
static uint64_t findings_count(const struct flow_lint_result *result, const struct flow_data *data,
			       uint32_t n_features)
{
	const struct flow_csv_report *report = flow_csv_report(data->csv);
	uint64_t n = (has_one_class(result) ? 1 : 0) + (data->captures.n_unlabelled > 0);

	for (int kind = 0; kind < FLOW_LINT_N_KINDS; kind++)
		n += result->found[kind].n > 0;
	for (int reason = 0; reason < FLOW_CSV_N_REASONS; reason++)
		n += reason != FLOW_CSV_IGNORED_LABEL && report->refused[reason].n > 0;
	for (uint32_t i = 0; i < n_features; i++)
		n += column_is_constant(&result->columns[i]) || column_leaks(&result->columns[i]);
	return n;
}

/* ---- As text ---- */

static void labels_print(const struct flow_dataset *set, const struct flow_lint_result *result)
{
	printf("classes   benign %" PRIu64 ", all else %" PRIu64 "%s\n", result->n_class_rows[0],
	       result->n_class_rows[1], has_one_class(result) ? ": one class only, nothing to tell apart" : "");
	for (uint32_t i = 0; i < set->n_labels && i < LINT_MAX_LABELS; i++)
		printf("label     %10" PRIu64 "  %s\n", result->n_label_rows[i], set->labels[i]);
	if (set->n_labels > LINT_MAX_LABELS)
		printf("label     and %" PRIu32 " more\n", set->n_labels - LINT_MAX_LABELS);
}

static void findings_print(const char *const *paths, const struct flow_lint_result *result)
{
	for (int kind = 0; kind < FLOW_LINT_N_KINDS; kind++) {
		const struct flow_lint_finding *finding = &result->found[kind];

		if (finding->n == 0)
			continue;
		printf("found     %" PRIu64 " %s; first %s:%" PRIu64, finding->n, lint_kinds[kind].text,
		       paths[finding->table], finding->line);
		if (finding->other_line > 0)
			printf(" repeats %s:%" PRIu64, paths[finding->other_table], finding->other_line);
		if (kind == FLOW_LINT_REVERSAL)
			printf("; at most %.6g s", result->furthest_back_s);
		putchar('\n');
	}
	if (result->is_full)
		puts("note      too many different rows: those behind were not compared");
	if (!result->has_times)
		puts("note      no times: reversals were not looked for");
	if (!result->has_endings)
		puts("note      no columns of packets and FIN: flows left over after FIN were not looked for");
}

static void columns_print(const struct flow_dataset *set, const struct flow_lint_result *result)
{
	for (uint32_t i = 0; i < set->n_features; i++) {
		const struct flow_lint_column *column = &result->columns[i];

		if (column_is_constant(column))
			printf("constant  %s is always %g\n", set->features[i], (double)column->low);
		else if (column_leaks(column) && column->is_by_value)
			printf("leak      %s alone tells the classes apart by its values: balanced accuracy %.4f\n",
			       set->features[i], column->balanced_accuracy);
		else if (column_leaks(column))
			printf("leak      %s alone tells the classes apart from %g on: balanced accuracy %.4f\n",
			       set->features[i], (double)column->threshold, column->balanced_accuracy);
		else if (column_nearly_leaks(column))
			printf("near leak %s alone has an area under the ROC curve of %.4f\n", set->features[i],
			       column->auc);
	}
}

/* ---- As JSON ---- */

static json_t *labels_json(const struct flow_dataset *set, const struct flow_lint_result *result)
{
	json_t *labels = json_array();

	for (uint32_t i = 0; i < set->n_labels; i++)
		json_array_append_new(labels, json_pack("{s:o, s:I}", "label", json_text(set->labels[i]), "rows",
							(json_int_t)result->n_label_rows[i]));
	return labels;
}

static json_t *findings_json(const char *const *paths, const struct flow_lint_result *result)
{
	json_t *findings = json_object();

	for (int kind = 0; kind < FLOW_LINT_N_KINDS; kind++) {
		const struct flow_lint_finding *finding = &result->found[kind];
		json_t *one = json_pack("{s:I}", "rows", (json_int_t)finding->n);

		if (finding->n > 0) {
			json_object_set_new(one, "path", json_text(paths[finding->table]));
			json_object_set_new(one, "line", json_integer((json_int_t)finding->line));
		}
		if (finding->other_line > 0) {
			json_object_set_new(one, "other_path", json_text(paths[finding->other_table]));
			json_object_set_new(one, "other_line", json_integer((json_int_t)finding->other_line));
		}
		json_object_set_new(findings, lint_kinds[kind].key, one);
	}
	return findings;
}

/* The columns of which is() is true. */
static json_t *columns_json(const struct flow_dataset *set, const struct flow_lint_result *result,
			    int (*is)(const struct flow_lint_column *column))
{
	json_t *columns = json_array();

	for (uint32_t i = 0; i < set->n_features; i++) {
		const struct flow_lint_column *column = &result->columns[i];
		json_t *one;

		if (!is(column))
			continue;
		one = json_pack("{s:o, s:f, s:f}", "column", json_text(set->features[i]), "low",
				(double)column->low, "high", (double)column->high);
		if (isfinite(column->auc)) {
			json_object_set_new(one, "auc", json_real(column->auc));
			json_object_set_new(one, "balanced_accuracy", json_real(column->balanced_accuracy));
			json_object_set_new(one, "by", json_string(column->is_by_value ? "value" : "threshold"));
			if (!column->is_by_value)
				json_object_set_new(one, "threshold", json_real((double)column->threshold));
		}
		json_array_append_new(columns, one);
	}
	return columns;
}

static int lint_print_json(const struct flow_data *data, const struct flow_dataset *set,
			   const struct flow_lint_result *result)
{
	json_t *root = json_pack("{s:o, s:I, s:I, s:{s:I, s:I}, s:o, s:o, s:o, s:o, s:o, s:I, s:{s:b, s:b, s:b}}",
				 "tables", flow_data_json(data), "features", (json_int_t)set->n_features, "sources",
				 (json_int_t)set->n_sources, "classes", "benign",
				 (json_int_t)result->n_class_rows[0], "other", (json_int_t)result->n_class_rows[1],
				 "labels", labels_json(set, result), "rows", findings_json(data->names, result),
				 "constant_columns", columns_json(set, result, column_is_constant),
				 "leaking_columns", columns_json(set, result, column_leaks),
				 "nearly_leaking_columns", columns_json(set, result, column_nearly_leaks),
				 "findings", (json_int_t)findings_count(result, data, set->n_features),
				 "looked_for", "time_reversals", result->has_times, "left_over_after_fin",
				 result->has_endings, "all_duplicates", !result->is_full);

	if (root == NULL || json_dumpf(root, stdout, JSON_INDENT(2)) < 0) {
		complain("out of memory");
		json_decref(root);
		return EXIT_FAILED;
	}
	putchar('\n');
	json_decref(root);
	return EXIT_OK;
}

/* ---- The run ---- */

static int lint_print(const struct lint_options *options, const struct flow_data *data,
		      const struct flow_dataset *set, const struct flow_lint_result *result)
{
	uint64_t n_findings = findings_count(result, data, set->n_features);
	int code = EXIT_OK;

	if (options->is_json) {
		code = lint_print_json(data, set, result);
	} else {
		flow_data_print(stdout, data);
		printf("features  %" PRIu32 ", of %" PRIu32 " sources\n", set->n_features, set->n_sources);
		labels_print(set, result);
		findings_print(data->names, result);
		columns_print(set, result);
		if (n_findings == 0)
			puts("found     nothing");
	}
	if (finish_stdout() != EXIT_OK || code != EXIT_OK)
		return EXIT_FAILED;
	return options->is_strict && n_findings > 0 ? EXIT_FAILED : EXIT_OK;
}

static int lint_scan(const struct lint_options *options, struct flow_data *data, struct flow_lint *lint,
		     struct flow_dataset *set)
{
	const struct flow_data_options reading = {
		.csv = &options->table.csv,
		.flow = &options->flow,
		.quiet = options->is_json,
		.take = flow_lint_add,
		.context = lint,
	};
	const struct flow_lint_result *result;
	int code = flow_data_read(data, &reading, options->paths, (uint32_t)options->n_paths, set);

	if (code != EXIT_OK)
		return code;
	if (flow_data_n_used(data) == 0) {
		flow_data_complain_of_none(data);
		return EXIT_FAILED;
	}
	result = flow_lint_finish(lint, set);
	if (result == NULL) {
		complain("out of memory");
		return EXIT_FAILED;
	}
	return lint_print(options, data, set, result);
}

static int lint_run(const struct lint_options *options)
{
	struct flow_lint *lint = flow_lint_create();
	struct flow_data data = {0};
	struct flow_dataset set;
	int code = EXIT_FAILED;

	flow_dataset_init(&set);
	interrupt_catch();
	if (lint == NULL)
		complain("out of memory");
	else
		code = lint_scan(options, &data, lint, &set);
	flow_data_free(&data);
	flow_lint_free(lint);
	flow_dataset_free(&set);
	return code;
}

int cmd_lint(int argc, char **argv)
{
	struct lint_options options = {0};
	int code;

	table_options_init(&options.table);
	flow_options_init(&options.flow);
	options.flow.config.checkpoints = FLOW_OPTIONS_CHECKPOINTS;
	code = lint_parse(argc, argv, &options);
	if (code < 0) {
		lint_print_help();
		code = finish_stdout();
	} else if (code == EXIT_OK) {
		code = lint_run(&options);
	}
	table_options_free(&options.table);
	return code;
}
