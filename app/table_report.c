/* SPDX-License-Identifier: BSD-3-Clause */
#include "table_report.h"

#include <inttypes.h>

#include "command.h"
#include "json_text.h"

/* Columns of one kind that are named; the others are counted. */
#define MAX_NAMED 12

static uint64_t refused_total(const struct flow_csv_report *report)
{
	uint64_t n = 0;

	for (int i = 0; i < FLOW_CSV_N_REASONS; i++)
		n += report->refused[i].n;
	return n;
}

static void refusal_print(FILE *file, const char *reason, const struct flow_csv_refusal *refusal)
{
	fprintf(file, "refused   %" PRIu64 ": %s; first %s:%" PRIu64, refusal->n, reason, refusal->path,
		refusal->line);
	if (refusal->column[0] != '\0')
		fprintf(file, ", column '%s': '%s'", refusal->column, refusal->value);
	fputc('\n', file);
}

/* The columns that are left out, or those that are forced. */
static void columns_print(FILE *file, const char *title, const struct flow_csv_report *report, bool is_forced)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < report->n_columns; i++) {
		const struct flow_csv_column *column = &report->columns[i];

		if (column->is_forced != is_forced)
			continue;
		if (n < MAX_NAMED)
			fprintf(file, "%s%s (%s)", n == 0 ? title : ", ", column->name, column->why);
		n++;
	}
	if (n > MAX_NAMED)
		fprintf(file, " and %" PRIu32 " more", n - MAX_NAMED);
	if (n > 0)
		fputc('\n', file);
}

void table_report_print(FILE *file, const struct flow_csv_report *report)
{
	fprintf(file, "rows      %" PRIu64 " read (%s), %" PRIu64 " used, %" PRIu64 " refused%s\n", report->n_rows,
		report->format != NULL ? report->format : "no table", report->n_used, refused_total(report),
		report->is_cut ? "; the rest was not read" : "");
	for (int i = 0; i < FLOW_CSV_N_REASONS; i++)
		if (report->refused[i].n > 0)
			refusal_print(file, flow_csv_reason_text((enum flow_csv_reason)i), &report->refused[i]);
	if (report->n_lost_labels > 0)
		fprintf(file, "labels    %" PRIu32 " of which no row can be used: '%s'%s\n", report->n_lost_labels,
			report->lost_label, report->n_lost_labels > 1 ? " and others" : "");
	if (report->n_unknown_times > 0)
		fprintf(file, "times     %" PRIu64 " used rows have none that can be read\n",
			report->n_unknown_times);
	if (report->n_unknown_symbols > 0)
		fprintf(file, "words     %" PRIu64 " used rows have some that no feature stands for\n",
			report->n_unknown_symbols);
	columns_print(file, "left out  ", report, false);
	columns_print(file, "forced    ", report, true);
}

void table_report_complain_of_none(const struct flow_csv_report *report)
{
	const struct flow_csv_refusal *text = &report->refused[FLOW_CSV_TEXT],
				      *address = &report->refused[FLOW_CSV_ADDRESS];

	table_report_print(stderr, report);
	if (address->n > 0)
		complain("no row can be used: column '%s' holds addresses; --symbolic '%s' makes a feature of each",
			 address->column, address->column);
	else if (text->n > 0)
		complain(
			"no row can be used: column '%s' holds text; leave it out with --drop '%s', or take its words with "
			"--symbolic '%s'",
			text->column, text->column, text->column);
	else
		complain("no row can be used");
}

static json_t *refusals_json(const struct flow_csv_report *report)
{
	json_t *refused = json_array();

	for (int i = 0; i < FLOW_CSV_N_REASONS; i++) {
		const struct flow_csv_refusal *r = &report->refused[i];

		if (r->n > 0)
			json_array_append_new(refused,
					      json_pack("{s:s, s:I, s:o, s:I, s:o, s:o}", "reason",
							flow_csv_reason_text((enum flow_csv_reason)i), "rows",
							(json_int_t)r->n, "path", json_text(r->path), "line",
							(json_int_t)r->line, "column", json_text(r->column),
							"value", json_text(r->value)));
	}
	return refused;
}

static json_t *columns_json(const struct flow_csv_report *report, bool is_forced)
{
	json_t *columns = json_array();

	for (uint32_t i = 0; i < report->n_columns; i++)
		if (report->columns[i].is_forced == is_forced)
			json_array_append_new(columns,
					      json_pack("{s:o, s:s}", "column", json_text(report->columns[i].name),
							"why", report->columns[i].why));
	return columns;
}

json_t *table_report_json(const struct flow_csv_report *report)
{
	return json_pack("{s:s?, s:I, s:I, s:I, s:o, s:I, s:I, s:I, s:b, s:o, s:o}", "format", report->format,
			 "rows_read", (json_int_t)report->n_rows, "rows_used", (json_int_t)report->n_used,
			 "rows_refused", (json_int_t)refused_total(report), "refused", refusals_json(report),
			 "rows_without_time", (json_int_t)report->n_unknown_times, "rows_with_unknown_words",
			 (json_int_t)report->n_unknown_symbols, "labels_without_rows",
			 (json_int_t)report->n_lost_labels, "is_cut", report->is_cut, "left_out",
			 columns_json(report, false), "forced", columns_json(report, true));
}
