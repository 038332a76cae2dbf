/* SPDX-License-Identifier: BSD-3-Clause */
#include "row_writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json_text.h"

int row_writer_form(const char *path, bool *is_ndjson)
{
	size_t length = strlen(path);
	struct stat status;

	if (output_path_ends(path, length, ".gz"))
		length -= strlen(".gz");
	*is_ndjson = output_path_ends(path, length, ".ndjson") || output_path_ends(path, length, ".jsonl");
	if (*is_ndjson || output_path_ends(path, length, ".csv") || output_path_is_stdout(path))
		return 0;
	return !output_stat(path, &status) && !S_ISREG(status.st_mode) ? 0 : -EINVAL;
}

int row_writer_meta_path(const char *path, char meta_path[PATH_MAX])
{
	struct stat status;

	meta_path[0] = '\0';
	/* Beside a pipe or a device there is no place for it. */
	if (output_path_is_stdout(path) || (!output_stat(path, &status) && !S_ISREG(status.st_mode)))
		return 0;
	return snprintf(meta_path, PATH_MAX, "%s.meta.json", path) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* Writes "PATH: WHAT: why" into error and returns rc. */
static int row_writer_refuse(const char *path, const char *what, int rc, char *error, size_t error_size)
{
	snprintf(error, error_size, "%s: %s: %s", path, what, strerror(-rc));
	return rc;
}

/* Opens what becomes PATH.meta.json when it is whole: what was there stays until then. */
static int row_writer_open_meta(struct row_writer *writer)
{
	struct stat old;
	int rc;

	if (!stat(writer->meta_path, &old)) {
		if (!S_ISREG(old.st_mode))
			return S_ISDIR(old.st_mode) ? -EISDIR : -EEXIST;
		/* A link may lead back to the rows. */
		if (output_is_file(&writer->output, &old))
			return -EEXIST;
	}
	if (snprintf(writer->part_path, PATH_MAX, "%s.part", writer->meta_path) >= PATH_MAX)
		return -ENAMETOOLONG;
	rc = output_open(&writer->meta, writer->part_path);
	writer->has_meta = !rc;
	return rc;
}

int row_writer_open(struct row_writer *writer, const struct row_writer_options *options, char *error,
		    size_t error_size)
{
	const char *path = options->path;
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
	rc = row_writer_meta_path(path, writer->meta_path);
	if (!rc)
		rc = output_open(&writer->output, path);
	if (rc)
		return row_writer_refuse(path, "cannot be written", rc, error, error_size);
	writer->values = malloc(options->features->n * sizeof(*writer->values));
	if (!writer->values)
		rc = -ENOMEM;
	else if (writer->meta_path[0] && (rc = row_writer_open_meta(writer)))
		path = writer->meta_path;
	if (!rc)
		return 0;
	row_writer_close(writer);
	return row_writer_refuse(path, "cannot be written", rc, error, error_size);
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

/* Adds how the flows were made. 0, or -1 when memory is out. */
static int row_writer_meta_add_flows(json_t *meta, const struct row_writer_options *options)
{
	static const char *const scopes[] = {
		[FLOW_SCOPE_INNERMOST] = "innermost",
		[FLOW_SCOPE_VLAN] = "vlan",
		[FLOW_SCOPE_TUNNEL] = "tunnel",
		[FLOW_SCOPE_NONE] = "none",
	};
	const struct flow_config *config = options->config;
	json_t *flows =
		json_pack("{s:s, s:s, s:s, s:I, s:o, s:{s:f, s:f, s:f}}", "tunnels",
			  options->depth == PACKET_DEPTH_OUTER ? "outer" : "inner", "scope", scopes[config->scope],
			  "direction", config->is_one_way ? "one" : "both", "table_flows",
			  (json_int_t)config->n_flows, "checkpoints", row_writer_meta_checkpoints(options),
			  "timeouts_s", "idle", (double)config->idle_ns / 1e9, "active",
			  (double)config->active_ns / 1e9, "linger", (double)config->linger_ns / 1e9);
	int rc = flows ? json_object_update(meta, flows) : -1;

	json_decref(flows);
	return rc;
}

/* The text of PATH.meta.json, to be freed; NULL when memory is out. */
static char *row_writer_meta_text(const struct row_writer *writer)
{
	const struct row_writer_options *options = writer->options;
	char schema[FLOW_FEATURES_SCHEMA_SIZE], *text = NULL;
	json_t *meta;

	flow_feature_set_schema(options->features, schema);
	meta = json_pack("{s:s, s:s, s:s, s:o, s:b}", "wirescore", WIRESCORE_VERSION, "schema", schema, "format",
			 options->is_ndjson ? "ndjson" : "csv", "selection", json_text(options->features_text),
			 "has_label", writer->format.has_label);
	if (meta && !row_writer_meta_add_flows(meta, options) &&
	    !json_object_set_new(meta, "captures", row_writer_meta_captures(options)) &&
	    !json_object_set_new(meta, "features", row_writer_meta_features(options->features)))
		text = json_dumps(meta, JSON_INDENT(2));
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
	rc = output_close(&writer->meta) ?: rc;
	if (!rc && rename(writer->part_path, writer->meta_path))
		rc = -errno;
	if (rc)
		unlink(writer->part_path);
	return rc;
}

int row_writer_begin(struct row_writer *writer, char *error, size_t error_size)
{
	const char *path = writer->options->path;
	char *text;
	int rc;

	/* First, so that a failure leaves the rows that were there. */
	if (writer->has_meta && (rc = row_writer_write_meta(writer)))
		return row_writer_refuse(writer->meta_path, "cannot be written", rc, error, error_size);
	rc = output_begin(&writer->output);
	if (rc)
		return row_writer_refuse(path, "cannot be emptied", rc, error, error_size);
	if (writer->options->is_ndjson)
		return 0;
	text = output_reserve(&writer->output, writer->line_room);
	if (!text)
		return row_writer_refuse(path, "cannot be written", -writer->output.error, error, error_size);
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
		text = output_reserve(&writer->output, writer->line_room);
		if (!text) {
			writer->output.n_lost++;
			continue;
		}
		label = options->labels ? flow_labels_find(options->labels, &record->flow) : options->label;
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
