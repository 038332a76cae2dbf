/* SPDX-License-Identifier: BSD-3-Clause */
#include "flow_data.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "interrupt.h"
#include "table_report.h"

#define ERROR_SIZE 512

/* Why rows of captures are refused. */
static const char ignored_text[] = "its label is ignored", unlabelled_text[] = "no rule gives the flow a label";

/* The features that captures are asked for. */
static const char *const default_features[] = {"attack"};

/* ---- Names ---- */

/* The last n parts of a path, of that many bytes; all of it where it has fewer. */
static const char *path_tail(const char *path, size_t n_bytes, uint32_t n)
{
	const char *at = path + n_bytes;

	while (at > path && (at[-1] != '/' || --n > 0))
		at--;
	return at;
}

/* Whether another path than number at has the same tail of n parts. */
static bool is_tail_shared(const struct flow_data *data, uint32_t at, const char *tail, size_t n_tail, uint32_t n)
{
	const char *path = data->names[at];
	size_t n_path = flow_captures_path_length(path);

	for (uint32_t i = 0; i < data->n_names; i++) {
		const char *other = data->names[i];
		size_t n_other = flow_captures_path_length(other);
		const char *other_tail = path_tail(other, n_other, n);

		if ((n_other != n_path || memcmp(other, path, n_path)) &&
		    (size_t)(other + n_other - other_tail) == n_tail && !memcmp(other_tail, tail, n_tail))
			return true;
	}
	return false;
}

/* Calls each file by the shortest tail of its path that no other has. 0 or -1. */
static int sources_name(struct flow_data *data)
{
	data->sources = calloc(data->n_names, sizeof(*data->sources));
	for (uint32_t i = 0; data->sources && i < data->n_names; i++) {
		size_t n_path = flow_captures_path_length(data->names[i]);
		const char *tail;
		uint32_t n = 0;

		do {
			tail = path_tail(data->names[i], n_path, ++n);
		} while (tail > data->names[i] &&
			 is_tail_shared(data, i, tail, (size_t)(data->names[i] + n_path - tail), n));
		data->sources[i] = strndup(tail, (size_t)(data->names[i] + n_path - tail));
		if (!data->sources[i])
			return -1;
	}
	return data->sources ? 0 : -1;
}

/* Puts the files into the order that they are read in. 0 or -1. */
static int names_sort(struct flow_data *data, char *const *names)
{
	const char **captures = calloc(data->n_names, sizeof(*captures));
	uint32_t n_tables = 0;

	data->names = calloc(data->n_names, sizeof(*data->names));
	for (uint32_t i = 0; captures && data->names && i < data->n_names; i++) {
		if (flow_captures_is_one(names[i]))
			captures[data->n_captures++] = names[i];
		else
			data->names[n_tables++] = names[i];
	}
	if (captures && data->names)
		memcpy(data->names + n_tables, captures, data->n_captures * sizeof(*captures));
	free(captures);
	return captures && data->names ? sources_name(data) : -1;
}

/* ---- Reading ---- */

static int tables_read(struct flow_data *data, const struct flow_data_options *options, uint32_t n,
		       struct flow_dataset *set)
{
	char error[ERROR_SIZE] = "out of memory";
	int rc = options->take ? flow_csv_scan(data->csv, data->names, n, set, options->take, options->context,
					       &interrupted, error, sizeof(error))
			       : flow_csv_read(data->csv, data->names, n, set, &interrupted, error, sizeof(error));

	if (atomic_load(&interrupted))
		return EXIT_INTERRUPTED;
	if (!rc)
		return EXIT_OK;
	if (flow_csv_report(data->csv)->n_rows)
		flow_data_print(stderr, data);
	complain("%s", error);
	return EXIT_FAILED;
}

static int captures_read(struct flow_data *data, const struct flow_data_options *options, uint32_t first,
			 struct flow_dataset *set)
{
	const struct flow_csv_options *csv = options->csv;
	uint64_t n_used = flow_csv_report(data->csv)->n_used;
	struct flow_captures_options captures = {
		.flow = options->flow,
		.features = csv->features,
		.classes = csv->classes,
		.ignored = csv->ignored,
		.label = csv->label,
		.dropped = csv->dropped,
		.forced = csv->forced,
		.max_rows = csv->max_rows ? csv->max_rows - n_used : 0,
		.take = options->take,
		.context = options->context,
		.first_table = first,
		.source_names = (const char *const *)data->sources + first,
		.quiet = options->quiet,
	};

	if (!captures.features.n)
		captures.features = (struct flow_dataset_names){default_features, 1};
	return flow_captures_read(&captures, data->names + first, data->n_captures, set, &data->captures);
}

int flow_data_read(struct flow_data *data, const struct flow_data_options *options, char *const *names,
		   uint32_t n_names, struct flow_dataset *set)
{
	uint64_t max_rows = options->csv->max_rows;
	char error[ERROR_SIZE];
	uint32_t n_tables;
	int code = EXIT_OK;

	*data = (struct flow_data){.n_names = n_names, .options = *options->csv};
	if (names_sort(data, names)) {
		complain("out of memory");
		return EXIT_FAILED;
	}
	data->options.source_names = (const char *const *)data->sources;
	if (flow_csv_create(&data->options, &data->csv, error, sizeof(error))) {
		complain("%s", error);
		return EXIT_USAGE;
	}
	n_tables = n_names - data->n_captures;
	if (n_tables)
		code = tables_read(data, options, n_tables, set);
	if (code != EXIT_OK || !data->n_captures)
		return code;
	data->captures.is_cut = max_rows && flow_csv_report(data->csv)->n_used >= max_rows;
	if (!data->captures.is_cut)
		code = captures_read(data, options, n_tables, set);
	if (code == EXIT_OK && !options->take)
		flow_dataset_sort_classes(set, 1);
	return code;
}

void flow_data_free(struct flow_data *data)
{
	flow_csv_free(data->csv);
	for (uint32_t i = 0; data->sources && i < data->n_names; i++)
		free(data->sources[i]);
	free(data->sources);
	free(data->names);
	*data = (struct flow_data){0};
}

uint64_t flow_data_n_rows(const struct flow_data *data)
{
	return flow_csv_report(data->csv)->n_rows + data->captures.n_rows;
}

uint64_t flow_data_n_used(const struct flow_data *data)
{
	return flow_csv_report(data->csv)->n_used + data->captures.n_used;
}

void flow_data_print(FILE *file, const struct flow_data *data)
{
	const struct flow_captures_report *captures = &data->captures;

	if (flow_csv_report(data->csv)->n_rows)
		table_report_print(file, flow_csv_report(data->csv));
	if (!data->n_captures)
		return;
	fprintf(file, "captures  %" PRIu32 ", %" PRIu64 " packets: %" PRIu64 " rows, %" PRIu64 " used%s\n",
		data->n_captures, captures->n_packets, captures->n_rows, captures->n_used,
		captures->is_cut ? "; the rest was not taken" : "");
	if (captures->n_ignored)
		fprintf(file, "refused   %" PRIu64 " rows: %s\n", captures->n_ignored, ignored_text);
	if (captures->n_unlabelled)
		fprintf(file, "refused   %" PRIu64 " rows: %s\n", captures->n_unlabelled, unlabelled_text);
	if (captures->is_damaged)
		fputs("damaged   not all captures could be read to their ends\n", file);
}

bool flow_data_is_complete(const struct flow_data *data)
{
	return !data->captures.is_damaged;
}

static int refusal_add(json_t *refused, const char *reason, uint64_t n)
{
	if (!n)
		return 0;
	return json_array_append_new(refused, json_pack("{s:s, s:I}", "reason", reason, "rows", (json_int_t)n));
}

void flow_data_complain_of_none(const struct flow_data *data)
{
	if (!data->n_captures) {
		table_report_complain_of_none(flow_csv_report(data->csv));
		return;
	}
	flow_data_print(stderr, data);
	complain("no row can be used");
}

json_t *flow_data_json(const struct flow_data *data)
{
	const struct flow_captures_report *captures = &data->captures;
	uint64_t n_read = flow_data_n_rows(data), n_used = flow_data_n_used(data);
	json_t *object = table_report_json(flow_csv_report(data->csv));
	json_t *refused = json_object_get(object, "refused");

	if (!object || !data->n_captures)
		return object;
	json_object_set_new(object, "rows_read", json_integer((json_int_t)n_read));
	json_object_set_new(object, "rows_used", json_integer((json_int_t)n_used));
	json_object_set_new(object, "rows_refused", json_integer((json_int_t)(n_read - n_used)));
	refusal_add(refused, ignored_text, captures->n_ignored);
	refusal_add(refused, unlabelled_text, captures->n_unlabelled);
	json_object_set_new(
		object, "captures",
		json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b}", "files", (json_int_t)data->n_captures,
			  "packets", (json_int_t)captures->n_packets, "rows_read", (json_int_t)captures->n_rows,
			  "rows_used", (json_int_t)captures->n_used, "rows_of_ignored_labels",
			  (json_int_t)captures->n_ignored, "rows_without_label", (json_int_t)captures->n_unlabelled,
			  "labels_without_flows", (json_int_t)captures->n_unused_labels, "is_cut", captures->is_cut,
			  "is_damaged", captures->is_damaged));
	return object;
}
