/* SPDX-License-Identifier: BSD-3-Clause */
#include "flow_captures.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture_run.h"
#include "command.h"
#include "flow_column.h"
#include "flow_features.h"
#include "flow_labels.h"
#include "flow_record.h"
#include "interrupt.h"

/* A capture, and where its labels come from. */
struct labelled_capture {
	char *path;
	const char *label;	    /* of all its flows, or NULL */
	struct flow_labels *labels; /* rules, or NULL */
};

struct flow_captures {
	const struct flow_captures_options *options;
	struct flow_dataset *set;
	struct flow_captures_report *report;
	struct flow_feature_set *features;
	struct labelled_capture *captures; /* [n] */
	uint32_t n;
	struct capture_run run;

	/* The capture whose records come now. */
	const struct labelled_capture *capture;
	uint32_t n_begun;
	uint32_t source;
	uint64_t n_rows; /* of this capture */
	size_t record_bytes;
	struct flow_layout layout;
	double *values;
	float *row;
	int error; /* the first thing that went wrong, a negative errno */
};

size_t flow_captures_path_length(const char *name)
{
	const char *equals = strrchr(name, '=');

	/* A file may be called so. */
	return equals && access(name, F_OK) ? (size_t)(equals - name) : strlen(name);
}

bool flow_captures_is_one(const char *name)
{
	char path[PATH_MAX];
	size_t length = flow_captures_path_length(name);

	if (length >= sizeof(path))
		return false;
	memcpy(path, name, length);
	path[length] = '\0';
	/* Tables have no label behind their names: what is no capture is then complained about as one. */
	return capture_is_one(path) || (name[length] == '=' && !access(path, F_OK));
}

/* The file of rules beside a capture: its name with .tsv instead of its extension. */
static int labels_path(const char *path, char text[PATH_MAX])
{
	const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
	int length = dot && (!slash || dot > slash + 1) ? (int)(dot - path) : (int)strlen(path);

	return snprintf(text, PATH_MAX, "%.*s.tsv", length, path) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

void flow_captures_files(const char *name, char path[PATH_MAX], char rules[PATH_MAX])
{
	bool is_capture = flow_captures_is_one(name);
	size_t length = is_capture ? flow_captures_path_length(name) : strlen(name);

	snprintf(path, PATH_MAX, "%.*s", (int)length, name);
	if (!is_capture || labels_path(path, rules))
		rules[0] = '\0';
}

/* Takes a name apart and reads its rules. 0, or -1 after complaining. */
static int capture_take(struct flow_captures *captures, const char *name, struct labelled_capture *capture)
{
	char path[PATH_MAX], error[PATH_MAX + 256];
	size_t length = flow_captures_path_length(name);

	capture->path = strndup(name, length);
	if (!capture->path) {
		complain("out of memory");
		return -1;
	}
	if (name[length] == '=') {
		capture->label = name + length + 1;
		if (*capture->label)
			return 0;
		complain("%s: there is no label behind '='; name it as %s=LABEL", name, capture->path);
		return -1;
	}
	if (labels_path(capture->path, path) || access(path, R_OK)) {
		if (captures->options->label)
			return 0;
		complain("%s: has no labels: there is no %s; name it as %s=LABEL, or give --label", capture->path,
			 path, capture->path);
		return -1;
	}
	if (!flow_labels_load(path, captures->options->label, &capture->labels, error, sizeof(error)))
		return 0;
	complain("%s", error);
	return -1;
}

/* The label of a flow of the capture at work; "" where it has none. */
static const char *flow_label(const struct flow_captures *captures, const struct flow *flow)
{
	const struct labelled_capture *capture = captures->capture;

	if (capture->label)
		return capture->label;
	if (capture->labels)
		return flow_labels_find(capture->labels, flow);
	return captures->options->label ? captures->options->label : "";
}

static bool is_named(const struct flow_dataset_names *names, const char *name)
{
	for (uint32_t i = 0; i < names->n; i++)
		if (!strcmp(names->names[i], name))
			return true;
	return false;
}

/* Both ends and the protocol, alike in both directions; 0: ports are not known. */
static uint64_t flow_tuple(const struct flow *flow, uint64_t source)
{
	return flow->bits & FLOW_NO_PORTS ? 0 : flow_dataset_hash(source, &flow->key, sizeof(flow->key));
}

/* What is known of a record beside its features; its label and class are not set. */
static struct flow_csv_row record_row(const struct flow_captures *captures, const struct flow_record *record)
{
	const struct flow *flow = &record->flow;
	const uint8_t *host = flow->key.address[flow_initiator(flow)];
	uint64_t id = flow_id(flow), source = captures->source + UINT64_C(1);
	struct flow_csv_row row = {
		.row =
			{
				.flow = flow_dataset_hash(source, &id, sizeof(id)),
				.twin = flow_dataset_twin(id),
				.host = flow_dataset_host(host),
				.start_s = (double)flow->start_ns / 1e9,
				.source = captures->source,
				.is_part = true,
			},
		.values = captures->row,
		.table = captures->options->first_table + (uint32_t)(captures->capture - captures->captures),
		.line = captures->n_rows,
		.end_s = (double)flow->last_ns / 1e9,
		.tuple = flow_tuple(flow, source),
		.is_closed = record->reason == FLOW_REASON_FIN || record->reason == FLOW_REASON_RST,
		.is_late = true,
	};

	if (record->reason == FLOW_REASON_CHECKPOINT)
		row.row.checkpoint =
			(uint8_t)(flow->side[FLOW_FORWARD].packets + flow->side[FLOW_BACKWARD].packets);
	return row;
}

/* Hands on a record as a row, or adds it to the set. 0 or a negative errno. */
static int record_add(struct flow_captures *captures, const struct flow_record *record, const char *label)
{
	const struct flow_captures_options *options = captures->options;
	const struct flow_view view = flow_record_view(record, &captures->layout);
	struct flow_csv_row row = record_row(captures, record);
	int64_t label_index = flow_dataset_label(captures->set, label);
	int64_t class = flow_dataset_class_of(captures->set, &options->classes, label);

	if (label_index < 0 || class < 0)
		return (int)(label_index < 0 ? label_index : class);
	row.row.label = (uint16_t)label_index;
	row.row.class = (uint8_t) class;
	flow_feature_set_row(captures->features, &view, captures->values);
	for (uint32_t i = 0; i < captures->features->n; i++)
		captures->row[i] = (float)captures->values[i];
	return options->take ? options->take(options->context, captures->set, &row)
			     : flow_dataset_add(captures->set, &row.row, captures->row);
}

static void captures_begin(void *context, const struct capture_info *info, bool has_nanoseconds)
{
	struct flow_captures *captures = context;
	int64_t source;

	(void)has_nanoseconds;
	/* In their order; those that cannot be read are passed over. */
	while (strcmp(captures->captures[captures->n_begun].path, info->path))
		captures->n_begun++;
	source = flow_dataset_source(captures->set, captures->options->source_names[captures->n_begun]);
	captures->capture = &captures->captures[captures->n_begun++];
	captures->n_rows = 0;
	if (source < 0 && !captures->error)
		captures->error = (int)source;
	captures->source = source < 0 ? 0 : (uint32_t)source;
}

static void captures_write(void *context, const void *records, uint32_t n)
{
	struct flow_captures *captures = context;
	struct flow_captures_report *report = captures->report;
	const uint8_t *at = records;

	for (uint32_t i = 0; i < n && !captures->error; i++, at += captures->record_bytes) {
		const struct flow_record *record = (const struct flow_record *)(const void *)at;
		const char *label;

		if (record->reason != FLOW_REASON_CHECKPOINT && !captures->options->flow->has_ends)
			continue;
		if (captures->options->max_rows && report->n_used == captures->options->max_rows) {
			report->is_cut = true;
			return;
		}
		report->n_rows++;
		captures->n_rows++;
		label = flow_label(captures, &record->flow);
		if (!*label) {
			report->n_unlabelled++;
		} else if (flow_dataset_is_matched(&captures->options->ignored, label)) {
			report->n_ignored++;
		} else {
			captures->error = record_add(captures, record, label);
			report->n_used += !captures->error;
		}
	}
}

/* What a list of features is made into. 0, or -1 after complaining. */
static int features_make(const char *const *names, uint32_t n, struct flow_feature_set **features)
{
	char error[256];
	int rc = flow_feature_set_create_of(names, n, features, error, sizeof(error));

	if (rc)
		complain("the features of captures: %s; 'wirescore features' lists what they have", error);
	return rc ? -1 : 0;
}

/*
 * Gives a set that has none the features that options ask for, but for those that are dropped. 0, or -1 after
 * complaining, also of those that say who, where or when and are not forced.
 */
static int features_choose(struct flow_captures *captures, const struct flow_feature_set *asked)
{
	const struct flow_captures_options *options = captures->options;
	const char **names = calloc(asked->n, sizeof(*names));
	uint32_t n = 0;
	int rc = names ? 0 : -ENOMEM;

	for (uint32_t i = 0; !rc && i < asked->n; i++) {
		const char *name = flow_features_info(asked->columns[i].feature)->name;
		const char *why = flow_column_find(name)->why;

		if (is_named(&options->dropped, name))
			continue;
		if (why && !is_named(&options->forced, name)) {
			complain("the features of captures: '%s' is none (%s); --drop %s leaves it out, --force "
				 "%s takes it all the same",
				 name, why, name, name);
			free(names);
			return -1;
		}
		names[n++] = name;
	}
	if (!rc)
		rc = flow_dataset_set_features(captures->set, names, n);
	free(names);
	if (rc)
		complain("the features of captures: %s",
			 rc == -EINVAL ? "none, more than a model can have, or one twice" : strerror(-rc));
	return rc ? -1 : 0;
}

/* Finds out which features there are to be. 0, or -1 after complaining. */
static int features_find(struct flow_captures *captures)
{
	struct flow_dataset *set = captures->set;
	const struct flow_dataset_names *names = &captures->options->features;
	struct flow_feature_set *asked = NULL;
	int rc = 0;

	if (!set->n_features) {
		rc = features_make(names->names, names->n, &asked);
		if (!rc)
			rc = features_choose(captures, asked);
		flow_feature_set_free(asked);
	}
	if (!rc)
		rc = features_make((const char *const *)set->features, set->n_features, &captures->features);
	if (rc)
		return rc;
	captures->values = malloc(captures->features->n * sizeof(*captures->values));
	captures->row = malloc(captures->features->n * sizeof(*captures->row));
	if (captures->values && captures->row)
		return 0;
	complain("out of memory");
	return -1;
}

/* Tells of labels that match no flow: a rule may be wrong. */
static void captures_tell_unused(const struct flow_captures *captures)
{
	char text[256];

	for (uint32_t i = 0; i < captures->n; i++) {
		const struct labelled_capture *capture = &captures->captures[i];
		uint32_t n = capture->labels ? flow_labels_unused(capture->labels, text, sizeof(text)) : 0;

		captures->report->n_unused_labels += n;
		if (n)
			complain("%s: no flow has the label %s of its rules", capture->path, text);
	}
}

/* Sends the captures through the dataplane. 0, or -1 after complaining. */
static int captures_extract(struct flow_captures *captures)
{
	const struct flow_captures_options *options = captures->options;
	struct flow_record_sink rows = {captures, captures_begin, captures_write};
	struct flow_options flow = *options->flow;
	struct flow_engine_options engine;
	struct offline_options offline = {
		.n_workers = 1,
		.burst = OFFLINE_DEFAULT_BURST,
		.flows = &engine,
		.depth = flow.depth,
		.flow_records = &rows,
		.verb = "extracting",
		.show_progress = !options->quiet,
		.stop = &interrupted,
	};

	flow.config.layout = captures->features->layout;
	capture_run_fit_flows(&captures->run, &flow.config);
	engine = flow_options_engine(&flow);
	engine.records = FLOW_ENGINE_ALL;
	captures->layout = flow_engine_record_layout(&engine);
	captures->record_bytes = flow_record_bytes(&captures->layout);
	if (capture_run_start(&captures->run, &offline, NULL, 0, false) ||
	    capture_run_finish(&captures->run, &offline))
		return -1;
	capture_run_report(&captures->run, (int)captures->n);
	captures->report->is_damaged = captures->run.has_failed;
	captures->report->n_packets = stats_get(captures->run.total, STATS_packets);
	captures_tell_unused(captures);
	if (captures->error)
		complain("the rows of captures: %s", strerror(-captures->error));
	return captures->error ? -1 : 0;
}

static int captures_run(struct flow_captures *captures, const char *const *names)
{
	char **paths = calloc(captures->n, sizeof(*paths));
	int rc = -1;

	captures->captures = calloc(captures->n, sizeof(*captures->captures));
	if (!paths || !captures->captures) {
		complain("out of memory");
		free(paths);
		return -1;
	}
	for (uint32_t i = 0; i < captures->n; i++) {
		if (capture_take(captures, names[i], &captures->captures[i]))
			goto out;
		paths[i] = captures->captures[i].path;
	}
	if (features_find(captures) ||
	    capture_run_inspect(&captures->run, paths, (int)captures->n, captures->options->quiet))
		goto out;
	if (captures->run.n_captures)
		rc = captures_extract(captures);
out:
	free(paths);
	return rc;
}

int flow_captures_read(const struct flow_captures_options *options, const char *const *names, uint32_t n_names,
		       struct flow_dataset *set, struct flow_captures_report *report)
{
	struct flow_captures captures = {.options = options, .set = set, .report = report, .n = n_names};
	int rc;

	*report = (struct flow_captures_report){0};
	rc = captures_run(&captures, names);
	for (uint32_t i = 0; captures.captures && i < n_names; i++) {
		free(captures.captures[i].path);
		flow_labels_free(captures.captures[i].labels);
	}
	free(captures.captures);
	capture_run_free(&captures.run);
	flow_feature_set_free(captures.features);
	free(captures.values);
	free(captures.row);
	if (atomic_load(&interrupted))
		return EXIT_INTERRUPTED;
	return rc ? EXIT_FAILED : EXIT_OK;
}
