/* SPDX-License-Identifier: BSD-3-Clause */
#include "row_writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_text.h"

static bool row_writer_ends_with(const char *path, size_t length, const char *ending)
{
	size_t n = strlen(ending);

	return length > n && !strncmp(path + length - n, ending, n);
}

bool row_writer_is_ndjson(const char *path)
{
	size_t length = strlen(path);

	if (row_writer_ends_with(path, length, ".gz"))
		length -= strlen(".gz");
	return row_writer_ends_with(path, length, ".ndjson") || row_writer_ends_with(path, length, ".jsonl") ||
	       row_writer_ends_with(path, length, ".json");
}

static int row_writer_open_meta(struct row_writer *writer)
{
	char *path;
	int rc;

	/* Beside a pipe or a device there is no place for it. */
	if (!strcmp(writer->options->path, "-") || !S_ISREG(writer->output.status.st_mode))
		return 0;
	if (asprintf(&path, "%s.meta.json", writer->options->path) < 0)
		return -ENOMEM;
	rc = output_open(&writer->meta, path);
	free(path);
	writer->has_meta = !rc;
	return rc;
}

int row_writer_open(struct row_writer *writer, const struct row_writer_options *options)
{
	int rc;

	*writer = (struct row_writer){
		.options = options,
		.format.layout = options->features->layout,
		.format.features = options->features,
		.format.has_label = options->labels || options->label,
		.record_bytes = flow_record_bytes(&options->features->layout),
		.max_label_bytes = options->labels  ? flow_labels_max_bytes(options->labels)
				   : options->label ? strlen(options->label)
						    : 0,
	};
	row_writer_set_capture(writer, "", false);
	rc = output_open(&writer->output, options->path);
	if (rc)
		return rc;
	writer->values = malloc(options->features->n * sizeof(*writer->values));
	rc = writer->values ? row_writer_open_meta(writer) : -ENOMEM;
	if (rc)
		row_writer_close(writer);
	return rc;
}

bool row_writer_is_file(const struct row_writer *writer, const struct stat *status)
{
	return output_is_file(&writer->output, status) ||
	       (writer->has_meta && output_is_file(&writer->meta, status));
}

/* The features, in the order of their columns. */
static json_t *row_writer_meta_features(const struct flow_feature_set *set)
{
	json_t *features = json_array();

	for (uint32_t i = 0; i < set->n; i++) {
		const struct flow_feature_column *column = &set->columns[i];
		const struct flow_feature_info *info = flow_features_info(column->feature);

		if (json_array_append_new(features,
					  json_pack("{s:s, s:s, s:s, s:s}", "name", info->name, "label",
						    column->label, "unit", info->unit, "formula", info->formula))) {
			json_decref(features);
			return NULL;
		}
	}
	return features;
}

static json_t *row_writer_meta_checkpoints(const struct row_writer_options *options)
{
	json_t *checkpoints = json_array();
	int rc = 0;

	for (int i = 0; i < 64; i++)
		if (options->config->checkpoints >> i & 1)
			rc |= json_array_append_new(checkpoints, json_integer(i + 1));
	if (options->has_ends)
		rc |= json_array_append_new(checkpoints, json_string("end"));
	if (!rc)
		return checkpoints;
	json_decref(checkpoints);
	return NULL;
}

static json_t *row_writer_meta_captures(const struct row_writer_options *options)
{
	json_t *captures = json_array();

	for (uint32_t i = 0; i < options->n_captures; i++)
		if (json_array_append_new(captures, json_text(options->captures[i]))) {
			json_decref(captures);
			return NULL;
		}
	return captures;
}

/* The text of PATH.meta.json, to be freed; NULL when memory is out. */
static char *row_writer_meta_text(const struct row_writer *writer)
{
	const struct row_writer_options *options = writer->options;
	char schema[FLOW_FEATURES_SCHEMA_SIZE];
	json_t *meta;
	char *text;

	flow_feature_set_schema(options->features, schema);
	meta = json_pack("{s:s, s:s, s:s, s:o, s:s, s:b, s:o, s:{s:f, s:f, s:f}, s:o}", "wirescore",
			 WIRESCORE_VERSION, "schema", schema, "format", options->is_ndjson ? "ndjson" : "csv",
			 "selection", json_text(options->features_text), "direction",
			 options->config->is_one_way ? "one" : "both", "has_label", writer->format.has_label,
			 "checkpoints", row_writer_meta_checkpoints(options), "timeouts_s", "idle",
			 (double)options->config->idle_ns / 1e9, "active", (double)options->config->active_ns / 1e9,
			 "linger", (double)options->config->linger_ns / 1e9, "captures",
			 row_writer_meta_captures(options));
	if (!meta)
		return NULL;
	text = json_object_set_new(meta, "features", row_writer_meta_features(options->features))
		       ? NULL
		       : json_dumps(meta, JSON_INDENT(2));
	json_decref(meta);
	return text;
}

static int row_writer_write_meta(struct row_writer *writer)
{
	char *text = row_writer_meta_text(writer), *at;
	size_t length = text ? strlen(text) : 0;
	int rc = text ? output_begin(&writer->meta) : -ENOMEM;

	at = rc ? NULL : output_reserve(&writer->meta, length + 1);
	if (at) {
		memcpy(at, text, length);
		at[length] = '\n';
		output_commit(&writer->meta, length + 1, false);
	}
	free(text);
	writer->has_meta = false;
	return output_close(&writer->meta) ?: rc;
}

int row_writer_begin(struct row_writer *writer)
{
	char *text;
	int rc = output_begin(&writer->output);

	if (!rc && writer->has_meta)
		rc = row_writer_write_meta(writer);
	if (rc || writer->options->is_ndjson)
		return rc;
	text = output_reserve(&writer->output, writer->line_room);
	if (!text)
		return -writer->output.error;
	output_commit(&writer->output, flow_row_csv_head(&writer->format, text), false);
	return 0;
}

void row_writer_set_capture(struct row_writer *writer, const char *capture, bool has_nanoseconds)
{
	writer->format.capture = writer->options->names_captures ? capture : NULL;
	writer->format.has_nanoseconds = has_nanoseconds;
	writer->line_room = flow_row_room(&writer->format, writer->max_label_bytes);
}

void row_writer_write(struct row_writer *writer, const void *records, uint32_t n)
{
	const struct row_writer_options *options = writer->options;
	const uint8_t *at = records;

	for (uint32_t i = 0; i < n; i++, at += writer->record_bytes) {
		const struct flow_record *record = (const struct flow_record *)(const void *)at;
		const char *label;
		char *text;

		if (record->reason != FLOW_REASON_CHECKPOINT && !options->has_ends)
			continue;
		label = options->labels ? flow_labels_find(options->labels, &record->flow) : options->label;
		text = output_reserve(&writer->output, writer->line_room);
		if (!text) {
			writer->output.n_lost += n - i;
			return;
		}
		output_commit(&writer->output,
			      options->is_ndjson
				      ? flow_row_ndjson(record, &writer->format, label, writer->values, text)
				      : flow_row_csv(record, &writer->format, label, writer->values, text),
			      true);
	}
}

int row_writer_close(struct row_writer *writer)
{
	if (writer->has_meta)
		output_close(&writer->meta);
	free(writer->values);
	writer->values = NULL;
	return output_close(&writer->output);
}
