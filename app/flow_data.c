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

/* The features that captures are asked for. */
#define DEFAULT_FEATURES "attack"

/* The names of features with commas between, to be freed; NULL when memory is out. */
static char *names_join(const struct flow_dataset_names *names)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	for (uint32_t i = 0; stream && i < names->n; i++)
		fprintf(stream, "%s%s", i ? "," : "", names->names[i]);
	if (stream && !fclose(stream))
		return text;
	free(text);
	return NULL;
}

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
	char *features = csv->features.n ? names_join(&csv->features) : strdup(DEFAULT_FEATURES);
	struct flow_captures_options captures = {
		.flow = options->flow,
		.features = features,
		.classes = csv->classes,
		.ignored = csv->ignored,
		.label = csv->label,
		.dropped = csv->dropped,
		.forced = csv->forced,
		.max_rows = csv->max_rows ? csv->max_rows - n_used : 0,
		.take = options->take,
		.context = options->context,
		.first_table = first,
		.quiet = options->quiet,
	};
	int code;

	if (!features) {
		complain("out of memory");
		return EXIT_FAILED;
	}
	code = flow_captures_read(&captures, data->names + first, data->n_captures, set, &data->captures);
	free(features);
	return code;
}

/* Puts the files into the order that they are read in. 0, or -1 after complaining. */
static int names_sort(struct flow_data *data, char *const *names, uint32_t n_names)
{
	const char **captures = calloc(n_names, sizeof(*captures));
	uint32_t n_tables = 0;

	data->names = calloc(n_names, sizeof(*data->names));
	if (!captures || !data->names) {
		complain("out of memory");
		free(captures);
		return -1;
	}
	for (uint32_t i = 0; i < n_names; i++) {
		if (flow_captures_is_one(names[i]))
			captures[data->n_captures++] = names[i];
		else
			data->names[n_tables++] = names[i];
	}
	memcpy(data->names + n_tables, captures, data->n_captures * sizeof(*captures));
	free(captures);
	return 0;
}

int flow_data_read(struct flow_data *data, const struct flow_data_options *options, char *const *names,
		   uint32_t n_names, struct flow_dataset *set)
{
	uint64_t max_rows = options->csv->max_rows;
	char error[ERROR_SIZE];
	uint32_t n_tables;
	int code = EXIT_OK;

	*data = (struct flow_data){0};
	if (flow_csv_create(options->csv, &data->csv, error, sizeof(error))) {
		complain("%s", error);
		return EXIT_USAGE;
	}
	if (names_sort(data, names, n_names))
		return EXIT_FAILED;
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
		fprintf(file, "refused   %" PRIu64 " rows: the label is one to be ignored\n", captures->n_ignored);
	if (captures->n_unlabelled)
		fprintf(file, "refused   %" PRIu64 " rows: no rule gives the flow a label\n",
			captures->n_unlabelled);
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
	json_t *object = table_report_json(flow_csv_report(data->csv));
	const struct flow_captures_report *captures = &data->captures;

	if (object && data->n_captures)
		json_object_set_new(
			object, "captures",
			json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "files", (json_int_t)data->n_captures,
				  "packets", (json_int_t)captures->n_packets, "rows_read",
				  (json_int_t)captures->n_rows, "rows_used", (json_int_t)captures->n_used,
				  "rows_of_ignored_labels", (json_int_t)captures->n_ignored, "rows_without_label",
				  (json_int_t)captures->n_unlabelled, "is_cut", captures->is_cut));
	return object;
}
