/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tables of flows into rows: one pass, or two where columns of words must first be known by their values. Called by
 * `wirescore train`, `eval` and `lint`. csv.c reads records, flow_plan.c says what their columns are, flow_value.c
 * reads fields.
 */
#include "flow_csv.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csv.h"
#include "flow_format.h"
#include "flow_plan.h"
#include "flow_value.h"

#define MAX_LABEL_BYTES	 255
#define MAX_SYMBOL_BYTES 127
#define STOP_EVERY	 4096 /* rows between looks at *stop */
#define LABEL_IGNORED	 (-1)
#define LABEL_UNUSED	 (-2) /* of no row that is used so far: the set does not have it yet */

/* The values of a column of words. */
struct symbols {
	char *column;
	char *values[FLOW_CSV_MAX_SYMBOLS]; /* [n] in order */
	uint32_t n;
};

/* What a label has turned out to be, so that patterns are matched once. */
struct label_meaning {
	int32_t label; /* index in the set, LABEL_UNUSED or LABEL_IGNORED */
	uint8_t class;
};

/* A capture that rows name. */
struct named_capture {
	uint32_t source; /* index in the set */
	uint64_t hash;	 /* of what it is called there */
};

struct flow_csv {
	const struct flow_csv_options *options;
	struct flow_csv_report report;
	struct symbols *symbols; /* [n_symbols] */
	uint32_t n_symbols;
	char *first; /* path of the table that has given the features */

	struct flow_dataset seen; /* labels and paths of captures in the order in which they came */
	struct label_meaning *meanings;
	uint32_t n_meanings;
	struct named_capture *captures; /* [n_captures] as seen.sources */
	uint32_t n_captures;
	struct flow_dataset called; /* what the captures are called as sources */

	/* The call that is running. */
	struct flow_dataset *set;
	flow_csv_take *take;
	void *context;
	const atomic_bool *stop;
	char *error;
	size_t error_size;

	/* The table that is read. */
	const char *path;
	uint32_t table; /* its index */
	struct csv *csv;
	struct flow_plan plan;
	struct csv_record record;
	bool is_pending;   /* record is a row already: the table has no header */
	char *source_name; /* the last one, as it stands in its column, or ""; NULL: none yet */
	uint32_t source;
	uint64_t source_hash;
	float *values; /* [n_features] */
};

/* ---- What can be asked without reading ---- */

const char *flow_csv_format_name(uint32_t index)
{
	const struct flow_format *format = flow_format_at(index);

	return format != NULL ? format->name : NULL;
}

const char *flow_csv_format_help(uint32_t index)
{
	const struct flow_format *format = flow_format_at(index);

	return format != NULL ? format->help : NULL;
}

const char *flow_csv_reason_text(enum flow_csv_reason reason)
{
	static const char *const texts[FLOW_CSV_N_REASONS] = {
		[FLOW_CSV_COLUMNS] = "more or fewer fields than columns",
		[FLOW_CSV_QUOTES] = "quotes that do not match",
		[FLOW_CSV_NUL] = "a NUL byte",
		[FLOW_CSV_TOO_LONG] = "too long",
		[FLOW_CSV_NO_LABEL] = "no label",
		[FLOW_CSV_IGNORED_LABEL] = "its label is ignored",
		[FLOW_CSV_MISSING] = "a field is empty",
		[FLOW_CSV_TEXT] = "text where a number should be",
		[FLOW_CSV_NAN] = "NaN",
		[FLOW_CSV_INFINITE] = "infinite or too large",
		[FLOW_CSV_ADDRESS] = "an address, which is no number",
	};

	return texts[reason];
}

const struct flow_csv_report *flow_csv_report(const struct flow_csv *csv)
{
	return &csv->report;
}

/* ---- Beginning and end ---- */

static int csv_refuse(struct flow_csv *csv, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int csv_refuse(struct flow_csv *csv, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(csv->error, csv->error_size, format, args);
	va_end(args);
	return -EINVAL;
}

static int csv_refuse_memory(struct flow_csv *csv)
{
	csv_refuse(csv, "%s: out of memory", csv->path);
	return -ENOMEM;
}

int flow_csv_create(const struct flow_csv_options *options, struct flow_csv **csv, char *error, size_t error_size)
{
	struct flow_csv *new;

	*csv = NULL;
	if (options->format != NULL && flow_format_find(options->format) == NULL) {
		snprintf(error, error_size, "there is no format '%.64s' of tables", options->format);
		return -EINVAL;
	}
	new = calloc(1, sizeof(*new));
	if (new == NULL) {
		snprintf(error, error_size, "out of memory");
		return -ENOMEM;
	}
	new->options = options;
	flow_dataset_init(&new->seen);
	flow_dataset_init(&new->called);
	*csv = new;
	return 0;
}

/* Lets go of the table that is read. */
static void table_close(struct flow_csv *csv)
{
	csv_close(csv->csv);
	csv->csv = NULL;
	flow_plan_free(&csv->plan);
	free(csv->source_name);
	csv->source_name = NULL;
}

void flow_csv_free(struct flow_csv *csv)
{
	if (csv == NULL)
		return;
	table_close(csv);
	for (uint32_t i = 0; i < csv->n_symbols; i++) {
		for (uint32_t k = 0; k < csv->symbols[i].n; k++)
			free(csv->symbols[i].values[k]);
		free(csv->symbols[i].column);
	}
	for (uint32_t i = 0; i < csv->report.n_columns; i++)
		free(csv->report.columns[i].name);
	free(csv->symbols);
	free(csv->report.columns);
	free(csv->first);
	free(csv->meanings);
	free(csv->captures);
	flow_dataset_free(&csv->seen);
	flow_dataset_free(&csv->called);
	free(csv);
}

/* ---- Tables ---- */

static bool is_stopped(const struct flow_csv *csv)
{
	return csv->stop != NULL && atomic_load_explicit(csv->stop, memory_order_relaxed);
}

static int table_next(struct flow_csv *csv)
{
	if (csv->is_pending) {
		csv->is_pending = false;
		return 1;
	}
	return csv_next(csv->csv, &csv->record, csv->error, csv->error_size);
}

static int head_check(struct flow_csv *csv)
{
	static const char *const wrong[] = {
		[CSV_QUOTES] = "quotes do not match",
		[CSV_NUL] = "there is a NUL byte: this is no text, or UTF-16; save it as UTF-8",
		[CSV_TOO_LONG] = "the header is too long: this is no table with lines",
	};
	const struct csv_record *record = &csv->record;

	if (record->fault != CSV_FINE)
		return csv_refuse(csv, "%s:%" PRIu64 ": %s", csv->path, record->line, wrong[record->fault]);
	if (record->n_fields > CSV_MAX_FIELDS)
		return csv_refuse(csv, "%s:%" PRIu64 ": %u columns are more than the %u that can be read",
				  csv->path, record->line, record->n_fields, CSV_MAX_FIELDS);
	for (uint32_t i = 0; i < record->n_fields; i++)
		if (strchr(record->fields[i], '\r') != NULL)
			return csv_refuse(csv,
					  "%s:%" PRIu64 ": a carriage return ends no line: lines end in LF or CRLF",
					  csv->path, record->line);
	return 0;
}

/* Opens a table and looks at its header, or at its first row where the format has none. */
static int table_open(struct flow_csv *csv, const char *path)
{
	const struct flow_format *format;
	int rc;

	csv->path = path;
	rc = csv_open(path, &csv->csv, csv->error, csv->error_size);
	if (rc == 0)
		rc = csv_next(csv->csv, &csv->record, csv->error, csv->error_size);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return csv_refuse(csv, "%s: is empty: no header, no rows", path);
	rc = head_check(csv);
	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < csv->record.n_fields; i++)
		csv->record.fields[i] = flow_plan_clean(csv->record.fields[i]);
	format = csv->options->format != NULL ? flow_format_find(csv->options->format)
					      : flow_format_guess(csv->record.fields, csv->record.n_fields);
	csv->is_pending = format->head.n > 0;
	if (!csv->is_pending)
		return flow_plan_create(&csv->plan, csv->options, format, path, csv->record.fields,
					csv->record.n_fields, csv->error, csv->error_size);
	/* The last columns may be absent, but not the labels. */
	return flow_plan_create(&csv->plan, csv->options, format, path, (char *const *)format->head.names,
				csv->record.n_fields + 1 == format->head.n ? format->head.n - 1 : format->head.n,
				csv->error, csv->error_size);
}

/* Remembers what became of the first table's columns. */
static int report_columns(struct flow_csv *csv)
{
	const struct flow_plan *plan = &csv->plan;
	struct flow_csv_report *report = &csv->report;

	report->format = plan->format->name;
	report->columns = calloc(plan->n_columns, sizeof(*report->columns));
	if (report->columns == NULL)
		return csv_refuse_memory(csv);
	for (uint32_t i = 0; i < plan->n_columns; i++) {
		const struct flow_plan_column *column = &plan->columns[i];

		if (column->why == NULL)
			continue;
		report->columns[report->n_columns] = (struct flow_csv_column){
			.name = strdup(column->name), .why = column->why, .is_forced = column->is_forced};
		if (report->columns[report->n_columns].name == NULL)
			return csv_refuse_memory(csv);
		report->n_columns++;
	}
	return 0;
}

/* ---- Columns of words ---- */

/* The place of a value in order, or where it would be put. */
static uint32_t symbol_place(const struct symbols *symbols, const char *value)
{
	uint32_t low = 0, high = symbols->n;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (strcmp(symbols->values[middle], value) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int symbol_add(struct flow_csv *csv, struct symbols *symbols, const char *value)
{
	uint32_t place = symbol_place(symbols, value);
	char *copy;

	if (place < symbols->n && strcmp(symbols->values[place], value) == 0)
		return 0;
	if (symbols->n == FLOW_CSV_MAX_SYMBOLS)
		return csv_refuse(csv,
				  "%s:%" PRIu64 ": column '%.64s' has more than %d different values: it is no "
				  "column of words; --drop it",
				  csv->path, csv->record.line, symbols->column, FLOW_CSV_MAX_SYMBOLS);
	copy = strdup(value);
	if (copy == NULL)
		return csv_refuse_memory(csv);
	memmove(&symbols->values[place + 1], &symbols->values[place],
		(symbols->n - place) * sizeof(symbols->values[0]));
	symbols->values[place] = copy;
	symbols->n++;
	return 0;
}

/* One entry for each column of words of the table that is open. */
static int symbols_begin(struct flow_csv *csv)
{
	csv->symbols = calloc(csv->plan.n_columns, sizeof(*csv->symbols));
	if (csv->symbols == NULL)
		return csv_refuse_memory(csv);
	for (uint32_t i = 0; i < csv->plan.n_columns; i++) {
		if (csv->plan.columns[i].kind != FLOW_PLAN_SYMBOLIC)
			continue;
		csv->symbols[csv->n_symbols].column = strdup(csv->plan.columns[i].name);
		if (csv->symbols[csv->n_symbols].column == NULL)
			return csv_refuse_memory(csv);
		csv->n_symbols++;
	}
	return 0;
}

/* Learns the words of the table that is open. */
static int symbols_learn_table(struct flow_csv *csv)
{
	uint32_t columns[CSV_MAX_FIELDS];
	int rc;

	for (uint32_t i = 0; i < csv->n_symbols; i++) {
		uint32_t at = 0;

		while (at < csv->plan.n_columns && strcmp(csv->plan.columns[at].name, csv->symbols[i].column) != 0)
			at++;
		if (at == csv->plan.n_columns)
			return csv_refuse(csv, "%s:1: there is no column '%.64s', other than %s", csv->path,
					  csv->symbols[i].column, csv->first);
		columns[i] = at;
	}
	for (uint64_t n = 0; (rc = table_next(csv)) > 0; n++) {
		if (n % STOP_EVERY == 0 && is_stopped(csv))
			return -EINTR;
		if (csv->record.fault != CSV_FINE || csv->record.n_fields != csv->plan.n_columns)
			continue;
		for (uint32_t i = 0; i < csv->n_symbols; i++) {
			const char *value = flow_plan_clean(csv->record.fields[columns[i]]);

			if (value[0] == '\0' || strlen(value) > MAX_SYMBOL_BYTES)
				continue;
			rc = symbol_add(csv, &csv->symbols[i], value);
			if (rc < 0)
				return rc;
		}
	}
	return rc;
}

/* The first of the two passes, over all tables; the first of them is open already, and is closed. */
static int symbols_learn(struct flow_csv *csv, const char *const *paths, uint32_t n_paths)
{
	int rc = symbols_begin(csv);

	for (uint32_t i = 0; i < n_paths && rc == 0; i++) {
		if (i > 0)
			rc = table_open(csv, paths[i]);
		if (rc == 0)
			rc = symbols_learn_table(csv);
		table_close(csv);
	}
	return rc;
}

/* ---- Features ---- */

/* Names of features while they are gathered. */
struct name_list {
	char *names[FLOW_DATASET_MAX_FEATURES];
	uint32_t n;
};

/* Adds NAME, or NAME=VALUE. 0, -E2BIG or -ENOMEM. */
static int list_add(struct name_list *list, const char *name, const char *value)
{
	int n;

	if (list->n == FLOW_DATASET_MAX_FEATURES)
		return -E2BIG;
	n = asprintf(&list->names[list->n], "%s%s%s", name, value != NULL ? "=" : "", value != NULL ? value : "");
	if (n < 0)
		return -ENOMEM;
	list->n++;
	return 0;
}

static int list_add_symbols(struct name_list *list, const struct flow_csv *csv, const char *column)
{
	int rc = 0;

	for (uint32_t i = 0; i < csv->n_symbols; i++)
		for (uint32_t k = 0;
		     k < csv->symbols[i].n && strcmp(csv->symbols[i].column, column) == 0 && rc == 0; k++)
			rc = list_add(list, column, csv->symbols[i].values[k]);
	return rc;
}

/* Gives the set every column that can be a feature, in the order of the table that is open. */
static int features_discover(struct flow_csv *csv)
{
	struct name_list list = {.n = 0};
	int rc = 0;

	for (uint32_t i = 0; i < csv->plan.n_columns && rc == 0; i++) {
		const struct flow_plan_column *column = &csv->plan.columns[i];

		if (column->kind == FLOW_PLAN_NUMBER)
			rc = list_add(&list, column->name, NULL);
		else if (column->kind == FLOW_PLAN_SYMBOLIC)
			rc = list_add_symbols(&list, csv, column->name);
	}
	if (rc == -E2BIG)
		csv_refuse(csv, "%s:1: more than %d features; choose some with --columns", csv->path,
			   FLOW_DATASET_MAX_FEATURES);
	else if (rc == 0 && list.n == 0)
		rc = csv_refuse(csv, "%s:1: no column can be a feature", csv->path);
	if (rc == 0 && flow_dataset_set_features(csv->set, (const char *const *)list.names, list.n) < 0)
		rc = csv_refuse_memory(csv);
	for (uint32_t i = 0; i < list.n; i++)
		free(list.names[i]);
	return rc;
}

/* Gives the set the features that the user named. */
static int features_choose(struct flow_csv *csv)
{
	const struct flow_dataset_names *chosen = &csv->options->features;
	int rc = flow_dataset_set_features(csv->set, chosen->names, chosen->n);

	if (rc == -EINVAL)
		return csv_refuse(csv,
				  "the %u features that were named are none, one of them twice, or more than %d",
				  chosen->n, FLOW_DATASET_MAX_FEATURES);
	return rc < 0 ? csv_refuse_memory(csv) : 0;
}

static bool plan_has_symbols(const struct flow_plan *plan)
{
	for (uint32_t i = 0; i < plan->n_columns; i++)
		if (plan->columns[i].kind == FLOW_PLAN_SYMBOLIC)
			return true;
	return false;
}

/*
 * Finds out what the features are, from the first table and, where there are columns of words, from all. The first
 * table stays open, so that a pipe, which can be read only once, is.
 */
static int features_find(struct flow_csv *csv, const char *const *paths, uint32_t n_paths)
{
	bool is_chosen = csv->options->features.names != NULL;
	int rc = table_open(csv, paths[0]);

	if (rc == 0 && csv->report.format == NULL)
		rc = report_columns(csv);
	if (rc == 0 && csv->set->n_features == 0) {
		free(csv->first);
		csv->first = strdup(paths[0]);
		rc = csv->first != NULL ? 0 : csv_refuse_memory(csv);
		if (rc == 0 && !is_chosen && csv->n_symbols == 0 && plan_has_symbols(&csv->plan)) {
			rc = symbols_learn(csv, paths, n_paths);
			if (rc == 0)
				rc = table_open(csv, paths[0]);
		}
		if (rc == 0)
			rc = is_chosen ? features_choose(csv) : features_discover(csv);
	}
	return rc;
}

/* ---- Refused rows ---- */

/* Copies text, its control characters as blanks. */
static void example_copy(char example[FLOW_CSV_EXAMPLE_BYTES], const char *text)
{
	size_t n = 0;

	for (; text[n] != '\0' && n < FLOW_CSV_EXAMPLE_BYTES - 1; n++)
		example[n] = (unsigned char)text[n] < ' ' || text[n] == 127 ? ' ' : text[n];
	example[n] = '\0';
}

/* Counts the row that is read. Returns 0: it was refused. */
static int row_refuse(struct flow_csv *csv, enum flow_csv_reason reason, int32_t column)
{
	struct flow_csv_refusal *refusal = &csv->report.refused[reason];
	size_t n = strlen(csv->path);

	if (refusal->n++ > 0)
		return 0;
	refusal->line = csv->record.line;
	example_copy(refusal->path, csv->path + (n < FLOW_CSV_EXAMPLE_BYTES ? 0 : n - FLOW_CSV_EXAMPLE_BYTES + 1));
	if (column >= 0) {
		example_copy(refusal->column, csv->plan.columns[column].name);
		example_copy(refusal->value, csv->record.fields[column]);
	}
	return 0;
}

/* Whether the record is one of so many fields as there are columns; refuses it where not. */
static bool record_check(struct flow_csv *csv)
{
	static const enum flow_csv_reason reasons[] = {
		[CSV_QUOTES] = FLOW_CSV_QUOTES,
		[CSV_NUL] = FLOW_CSV_NUL,
		[CSV_TOO_LONG] = FLOW_CSV_TOO_LONG,
	};

	if (csv->record.fault == CSV_FINE && csv->record.n_fields == csv->plan.n_columns)
		return true;
	row_refuse(csv, csv->record.fault == CSV_FINE ? FLOW_CSV_COLUMNS : reasons[csv->record.fault], -1);
	return false;
}

/* ---- Labels ---- */

/*
 * Whether a label is left out. What the user ignores is; what the user calls benign is not although the format
 * would ignore it.
 */
static bool label_is_ignored(const struct flow_csv *csv, const char *label)
{
	const struct flow_csv_options *options = csv->options;

	if (options->ignored.names != NULL)
		return flow_dataset_is_matched(&options->ignored, label);
	return flow_dataset_is_matched(&csv->plan.format->ignored, label) &&
	       !flow_dataset_is_matched(&options->classes.benign, label);
}

static int label_add(struct flow_csv *csv, const char *label)
{
	struct label_meaning *grown = reallocarray(csv->meanings, csv->seen.n_labels, sizeof(*csv->meanings));

	if (grown == NULL)
		return csv_refuse_memory(csv);
	csv->meanings = grown;
	csv->meanings[csv->n_meanings++] = (struct label_meaning){
		.label = label_is_ignored(csv, label) ? LABEL_IGNORED : LABEL_UNUSED,
	};
	return 0;
}

/* Finds the meaning of the row's label. 1, 0 where the row is refused, or a negative errno. */
static int label_read(struct flow_csv *csv, uint32_t *meaning)
{
	int32_t column = csv->plan.label;
	const char *label = column >= 0 ? flow_plan_clean(csv->record.fields[column]) : "";
	int64_t at;
	int rc;

	if (label[0] == '\0' && csv->options->label != NULL)
		label = csv->options->label;
	if (label[0] == '\0')
		return row_refuse(csv, FLOW_CSV_NO_LABEL, column);
	if (strlen(label) > MAX_LABEL_BYTES)
		return row_refuse(csv, FLOW_CSV_TOO_LONG, column);
	at = flow_dataset_label(&csv->seen, label);
	if (at == -ENOMEM)
		return csv_refuse_memory(csv);
	if (at < 0)
		return csv_refuse(csv,
				  "%s:%" PRIu64 ": more than %d different labels: is '%.64s' the column with the "
				  "labels? --label-column names another",
				  csv->path, csv->record.line, FLOW_DATASET_MAX_LABELS,
				  csv->plan.columns[column].name);
	if (at >= csv->n_meanings) {
		rc = label_add(csv, label);
		if (rc < 0)
			return rc;
	}
	*meaning = (uint32_t)at;
	return csv->meanings[at].label == LABEL_IGNORED ? row_refuse(csv, FLOW_CSV_IGNORED_LABEL, column) : 1;
}

/*
 * Gives the set the label and the class of a row that is used. Rows that are refused give it none: a class without
 * rows would be an output of the model that nothing teaches.
 */
static int label_use(struct flow_csv *csv, uint32_t meaning, struct flow_dataset_row *row)
{
	const char *name = csv->seen.labels[meaning];
	int64_t label = csv->meanings[meaning].label, class;

	if (label == LABEL_UNUSED) {
		label = flow_dataset_label(csv->set, name);
		class = label < 0 ? label : flow_dataset_class_of(csv->set, &csv->options->classes, name);
		if (class == -ENOMEM)
			return csv_refuse_memory(csv);
		if (class < 0)
			return csv_refuse(
				csv, "%s:%" PRIu64 ": more than %d classes; --classes binary or group makes fewer",
				csv->path, csv->record.line, FLOW_DATASET_MAX_CLASSES);
		csv->meanings[meaning] = (struct label_meaning){(int32_t)label, (uint8_t) class};
	}
	row->label = (uint16_t)csv->meanings[meaning].label;
	row->class = csv->meanings[meaning].class;
	return 0;
}

/* ---- Features of a row ---- */

/* 1, or 0 where the row is refused. */
static int number_read(struct flow_csv *csv, const struct flow_plan_number *number)
{
	static const enum flow_csv_reason reasons[] = {
		[FLOW_VALUE_MISSING] = FLOW_CSV_MISSING, [FLOW_VALUE_TEXT] = FLOW_CSV_TEXT,
		[FLOW_VALUE_NAN] = FLOW_CSV_NAN,	 [FLOW_VALUE_INFINITE] = FLOW_CSV_INFINITE,
		[FLOW_VALUE_ADDRESS] = FLOW_CSV_ADDRESS,
	};
	const char *field = csv->record.fields[number->column];
	enum flow_value_fault fault;
	double value;

	fault = number->is_forced ? flow_value_forced(field, &value) : flow_value_number(field, &value);
	if (fault == FLOW_VALUE_MISSING && csv->plan.format->has_missing) {
		value = csv->plan.format->missing;
		fault = FLOW_VALUE_FINE;
	}
	if (fault != FLOW_VALUE_FINE)
		return row_refuse(csv, reasons[fault], (int32_t)number->column);
	csv->values[number->feature] = (float)value;
	return 1;
}

/* Reads the words of one column, whose features begin at symbol. 1, or 0 where the row is refused. */
static int symbol_read(struct flow_csv *csv, uint32_t symbol, uint32_t n, bool *is_known)
{
	const struct flow_plan_symbol *symbols = csv->plan.symbols + symbol;
	const char *value = flow_plan_clean(csv->record.fields[symbols->column]);

	if (value[0] == '\0')
		return row_refuse(csv, FLOW_CSV_MISSING, (int32_t)symbols->column);
	if (strlen(value) > MAX_SYMBOL_BYTES)
		return row_refuse(csv, FLOW_CSV_TOO_LONG, (int32_t)symbols->column);
	for (uint32_t low = 0, high = n; low < high;) {
		uint32_t middle = (low + high) / 2;
		int order = strcmp(symbols[middle].value, value);

		if (order == 0) {
			csv->values[symbols[middle].feature] = 1;
			return 1;
		}
		low = order < 0 ? middle + 1 : low;
		high = order < 0 ? high : middle;
	}
	*is_known = false;
	return 1;
}

/* 1, or 0 where the row is refused. */
static int features_read(struct flow_csv *csv, bool *are_symbols_known)
{
	const struct flow_plan *plan = &csv->plan;

	memset(csv->values, 0, csv->set->n_features * sizeof(*csv->values));
	for (uint32_t i = 0; i < plan->n_numbers; i++)
		if (number_read(csv, &plan->numbers[i]) == 0)
			return 0;
	for (uint32_t i = 0, n; i < plan->n_symbols; i += n) {
		for (n = 1; i + n < plan->n_symbols && plan->symbols[i + n].column == plan->symbols[i].column;)
			n++;
		if (symbol_read(csv, i, n, are_symbols_known) == 0)
			return 0;
	}
	return 1;
}

/* ---- What else is known of a row ---- */

/* The field that plays the part, or "". */
static const char *role_field(const struct flow_csv *csv, enum flow_column_role role)
{
	int32_t column = csv->plan.roles[role];

	return column >= 0 ? csv->record.fields[column] : "";
}

/* What the table that is open is called as a source: as the caller says, else the last part of its path. */
static const char *table_name(const struct flow_csv *csv)
{
	const char *slash = strrchr(csv->path, '/');

	if (csv->options->source_names != NULL)
		return csv->options->source_names[csv->table];
	return slash != NULL ? slash + 1 : csv->path;
}

/* The source of a capture that is new: the shortest tail of its path by which no other is called. -errno: none. */
static int64_t capture_source(struct flow_csv *csv, const char *path)
{
	const char *tail = path + strlen(path);
	int64_t n_called, at;
	char *whole;

	do {
		for (tail--; tail > path && tail[-1] != '/'; tail--)
			;
		n_called = csv->called.n_sources;
		at = flow_dataset_source(&csv->called, tail);
	} while (tail > path && at >= 0 && at < n_called);
	if (at < 0 || at >= n_called)
		return at < 0 ? at : flow_dataset_source(csv->set, tail);
	/* All of it is the end of another's path. */
	if (asprintf(&whole, "./%s", path) < 0)
		return -ENOMEM;
	at = flow_dataset_source(csv->set, whole);
	free(whole);
	return at;
}

/* Finds the source of a row that names its capture. */
static int capture_find(struct flow_csv *csv, const char *path)
{
	int64_t at = flow_dataset_source(&csv->seen, path), source;
	struct named_capture *grown;

	if (at >= csv->n_captures) {
		source = capture_source(csv, path);
		grown = reallocarray(csv->captures, csv->seen.n_sources, sizeof(*grown));
		if (grown != NULL)
			csv->captures = grown;
		if (grown == NULL || source < 0)
			return csv_refuse_memory(csv);
		path = csv->set->sources[source];
		csv->captures[csv->n_captures++] =
			(struct named_capture){(uint32_t)source, flow_dataset_hash(0, path, strlen(path))};
	}
	if (at < 0)
		return csv_refuse_memory(csv);
	csv->source = csv->captures[at].source;
	csv->source_hash = csv->captures[at].hash;
	return 0;
}

/* Finds the source of the row: its capture, or the table. */
static int source_find(struct flow_csv *csv)
{
	const char *capture = role_field(csv, FLOW_COLUMN_SOURCE), *name;
	int64_t at;

	if (csv->source_name != NULL && strcmp(csv->source_name, capture) == 0)
		return 0;
	free(csv->source_name);
	csv->source_name = strdup(capture);
	if (csv->source_name == NULL)
		return csv_refuse_memory(csv);
	if (capture[0] != '\0')
		return capture_find(csv, capture);
	name = table_name(csv);
	at = flow_dataset_source(csv->set, name);
	if (at < 0)
		return csv_refuse_memory(csv);
	csv->source = (uint32_t)at;
	csv->source_hash = flow_dataset_hash(0, name, strlen(name));
	return 0;
}

static uint64_t text_hash(uint64_t start, const char *text)
{
	return flow_dataset_hash(start, text, strlen(text));
}

/* Both ends and the protocol, alike in both directions and in all sources; 0: ports are not known. */
static uint64_t tuple_hash(const struct flow_csv *csv)
{
	const char *src_port = role_field(csv, FLOW_COLUMN_SRC_PORT),
		   *dst_port = role_field(csv, FLOW_COLUMN_DST_PORT);
	uint64_t src = flow_dataset_host_text(role_field(csv, FLOW_COLUMN_SRC)),
		 dst = flow_dataset_host_text(role_field(csv, FLOW_COLUMN_DST));

	/* Tables of packets have -1 where there is no port. */
	if (src_port[0] == '\0' || dst_port[0] == '\0' || src_port[0] == '-' || dst_port[0] == '-')
		return 0;
	return text_hash(text_hash(src, src_port) + text_hash(dst, dst_port),
			 role_field(csv, FLOW_COLUMN_PROTOCOL));
}

/* A time, or NAN. */
static double time_read(const struct flow_csv *csv, enum flow_column_role role)
{
	const char *text = role_field(csv, role);
	double seconds;

	return text[0] != '\0' && flow_value_time(text, csv->plan.format->has_short_times, &seconds) ? seconds
												     : NAN;
}

static uint8_t checkpoint_read(const struct flow_csv *csv)
{
	double value;

	if (flow_value_number(role_field(csv, FLOW_COLUMN_CHECKPOINT), &value) != FLOW_VALUE_FINE || value < 0)
		return 0;
	return value < UINT8_MAX ? (uint8_t)value : UINT8_MAX;
}

/* What the flow is called, as `wirescore extract` writes it: 16 hexadecimal digits. False: otherwise. */
static bool id_read(const char *text, uint64_t *id)
{
	*id = 0;
	if (strlen(text) != 16)
		return false;
	for (; *text != '\0'; text++) {
		const char *digits = "0123456789abcdef", *digit = strchr(digits, *text);

		if (digit == NULL)
			return false;
		*id = *id << 4 | (uint64_t)(digit - digits);
	}
	return true;
}

/* Which flow the row is of: in its source, and in any. */
static void flow_describe(const struct flow_csv *csv, uint64_t tuple, struct flow_dataset_row *row)
{
	const char *name = role_field(csv, FLOW_COLUMN_FLOW);
	uint64_t id, times[2] = {tuple};

	row->is_part = csv->plan.roles[FLOW_COLUMN_CHECKPOINT] >= 0;
	if (row->is_part && name[0] != '\0') {
		/* The name is made of the ends and the start, and rows that come late have it, too. */
		row->twin = id_read(name, &id) ? flow_dataset_twin(id) : text_hash(0, name);
		row->flow = flow_dataset_hash(csv->source_hash, &row->twin, sizeof(row->twin));
		return;
	}
	if (tuple != 0 && row->host != 0 && isfinite(row->start_s)) {
		times[1] = (uint64_t)llrint(row->start_s * 1e6);
		row->twin = flow_dataset_hash(1, times, sizeof(times));
	}
	if (name[0] != '\0')
		row->flow = text_hash(csv->source_hash, name);
	else if (tuple != 0)
		row->flow = flow_dataset_hash(csv->source_hash, &tuple, sizeof(tuple));
	else
		row->flow = flow_dataset_hash(csv->source_hash, &csv->record.line, sizeof(csv->record.line));
}

static void row_describe(struct flow_csv *csv, struct flow_csv_row *row)
{
	const char *reason = role_field(csv, FLOW_COLUMN_REASON);
	uint64_t tuple = tuple_hash(csv);

	row->table = csv->table;
	row->line = csv->record.line;
	row->values = csv->values;
	row->tuple = tuple != 0 ? flow_dataset_hash(csv->source_hash, &tuple, sizeof(tuple)) : 0;
	row->end_s = time_read(csv, FLOW_COLUMN_END);
	row->is_closed = strcmp(reason, "fin") == 0 || strcmp(reason, "rst") == 0;
	row->is_late = csv->plan.format->is_late;
	row->row.source = csv->source;
	row->row.start_s = time_read(csv, FLOW_COLUMN_START);
	row->row.host = flow_dataset_host_text(role_field(csv, FLOW_COLUMN_SRC));
	row->row.checkpoint = checkpoint_read(csv);
	flow_describe(csv, tuple, &row->row);
}

/* ---- Rows ---- */

/* Reads the record as a row and hands it on. 1 used, 0 refused, or a negative errno. */
static int row_read(struct flow_csv *csv)
{
	struct flow_csv_row row = {0};
	uint32_t meaning = 0;
	bool are_symbols_known = true;
	int rc;

	csv->report.n_rows++;
	if (!record_check(csv))
		return 0;
	rc = label_read(csv, &meaning);
	if (rc <= 0)
		return rc;
	if (features_read(csv, &are_symbols_known) == 0)
		return 0;
	rc = source_find(csv);
	if (rc == 0)
		rc = label_use(csv, meaning, &row.row);
	if (rc < 0)
		return rc;
	row_describe(csv, &row);
	rc = csv->take(csv->context, csv->set, &row);
	if (rc < 0)
		return rc;
	csv->report.n_used++;
	csv->report.n_unknown_symbols += !are_symbols_known;
	csv->report.n_unknown_times += csv->plan.roles[FLOW_COLUMN_START] >= 0 && isnan(row.row.start_s);
	return 1;
}

/* Reads the rows of the table that is open. */
static int table_read_rows(struct flow_csv *csv)
{
	int rc = 0;

	for (uint64_t n = 0; rc >= 0; n++) {
		if (n % STOP_EVERY == 0 && is_stopped(csv))
			return -EINTR;
		if (csv->options->max_rows > 0 && csv->report.n_used >= csv->options->max_rows) {
			csv->report.is_cut = true;
			return 0;
		}
		rc = table_next(csv);
		if (rc == 0)
			return 0;
		if (rc > 0)
			rc = row_read(csv);
	}
	return rc;
}

/* The first table is open already. */
static int table_read(struct flow_csv *csv, const char *path, uint32_t table)
{
	int rc = table > 0 ? table_open(csv, path) : 0;

	csv->table = table;
	if (rc == 0)
		rc = flow_plan_bind(&csv->plan, csv->set->features, csv->set->n_features,
				    csv->options->features.names == NULL, path,
				    csv->first != NULL && strcmp(csv->first, path) != 0 ? csv->first : NULL,
				    csv->error, csv->error_size);
	if (rc == 0)
		rc = table_read_rows(csv);
	table_close(csv);
	return rc;
}

/* Tells of labels that only refused rows have. */
static void labels_report(struct flow_csv *csv)
{
	csv->report.n_lost_labels = 0;
	for (uint32_t i = 0; i < csv->n_meanings; i++)
		if (csv->meanings[i].label == LABEL_UNUSED && csv->report.n_lost_labels++ == 0)
			example_copy(csv->report.lost_label, csv->seen.labels[i]);
}

int flow_csv_scan(struct flow_csv *csv, const char *const *paths, uint32_t n_paths, struct flow_dataset *set,
		  flow_csv_take *take, void *context, const atomic_bool *stop, char *error, size_t error_size)
{
	int rc;

	csv->set = set;
	csv->take = take;
	csv->context = context;
	csv->stop = stop;
	csv->error = error;
	csv->error_size = error_size;
	/* Their meanings are places in another set. */
	flow_dataset_free(&csv->seen);
	flow_dataset_free(&csv->called);
	csv->n_meanings = 0;
	csv->n_captures = 0;
	if (n_paths == 0)
		return csv_refuse(csv, "there is no table to read");
	rc = features_find(csv, paths, n_paths);
	if (rc == 0) {
		csv->values = calloc(set->n_features, sizeof(*csv->values));
		rc = csv->values != NULL ? 0 : csv_refuse_memory(csv);
	}
	for (uint32_t i = 0; i < n_paths && rc == 0 && !csv->report.is_cut; i++)
		rc = table_read(csv, paths[i], i);
	labels_report(csv);
	table_close(csv);
	free(csv->values);
	csv->values = NULL;
	return rc;
}

static int row_keep(void *context, const struct flow_dataset *set, const struct flow_csv_row *row)
{
	(void)set;
	return flow_dataset_add(context, &row->row, row->values);
}

int flow_csv_read(struct flow_csv *csv, const char *const *paths, uint32_t n_paths, struct flow_dataset *set,
		  const atomic_bool *stop, char *error, size_t error_size)
{
	uint32_t n_classes = set->n_classes;
	int rc = flow_csv_scan(csv, paths, n_paths, set, row_keep, set, stop, error, error_size);

	if (rc == -ENOMEM)
		snprintf(error, error_size, "%s: out of memory after %zu rows: --max-rows reads fewer", csv->path,
			 set->n_rows);
	if (rc == 0)
		flow_dataset_sort_classes(set, n_classes);
	return rc;
}
