/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The model of `wirescore train flows` and the facts in it: what it was trained on, how, and how well. Called by
 * train_flows.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "flow_column.h"
#include "flow_features.h"
#include "model_output.h"
#include "train_flows.h"

/* A fact holds 4096 bytes; lists are cut before. */
#define MAX_LIST_BYTES 3900u
/* A model holds so many; its checkpoints, the end among them. */
#define MAX_CHECKPOINTS 64u
#define N_CHECKPOINTS	256u

/* A stream whose text becomes a fact. */
struct fact_text {
	FILE *stream;
	char *text;
	size_t size;
};

static int fact_begin(struct fact_text *fact)
{
	*fact = (struct fact_text){0};
	fact->stream = open_memstream(&fact->text, &fact->size);
	return fact->stream != NULL ? 0 : -ENOMEM;
}

/* Adds it under that name; nothing where it is empty. 0 or -ENOMEM. */
static int fact_end(struct fact_text *fact, struct model *model, const char *name)
{
	int rc = fclose(fact->stream) == 0 ? 0 : -ENOMEM;

	if (rc == 0 && fact->size > 0)
		rc = model_add_fact(model, name, fact->text);
	free(fact->text);
	return rc;
}

/* The next of a list, in characters that any fact may hold; false once the list is long enough. */
static bool list_put(struct fact_text *fact, bool is_first, const char *name)
{
	fflush(fact->stream);
	if (fact->size + strlen(name) > MAX_LIST_BYTES) {
		fputs(",..", fact->stream);
		return false;
	}
	if (!is_first)
		fputc(',', fact->stream);
	for (const char *at = name; *at != '\0'; at++)
		fputc(*at >= ' ' && *at <= '~' ? *at : '?', fact->stream);
	return true;
}

/* A fact that lists the marked of n names; marks NULL: all. Nothing where there is none. 0 or -ENOMEM. */
static int add_names(struct model *model, const char *fact_name, char *const *names, const uint8_t *marks,
		     uint32_t n)
{
	struct fact_text fact;
	bool is_first = true;

	if (fact_begin(&fact) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		if (marks != NULL && !marks[i])
			continue;
		if (!list_put(&fact, is_first, names[i]))
			break;
		is_first = false;
	}
	return fact_end(&fact, model, fact_name);
}

/* Columns that are no features by themselves, but were forced to be: of the tables, or else of captures alone. */
static int add_forced(struct model *model, const struct train_flows *t)
{
	const struct flow_csv_report *report = flow_csv_report(t->data.csv);
	const struct flow_dataset *set = &t->training;
	bool has_tables = report->n_columns > 0;
	uint32_t n_columns = has_tables ? report->n_columns : set->n_features, n = 0;
	char **names = calloc(n_columns + 1, sizeof(*names));
	int rc;

	if (names == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n_columns; i++) {
		if (has_tables && report->columns[i].is_forced)
			names[n++] = report->columns[i].name;
		else if (!has_tables && flow_column_find(set->features[i])->why != NULL)
			names[n++] = set->features[i];
	}
	rc = add_names(model, "forced", names, NULL, n);
	free(names);
	return rc;
}

/* The captures that were held out as a whole. */
static int add_held_out(struct model *model, const struct flow_dataset *validation)
{
	uint8_t *marks = calloc(validation->n_sources + 1, 1);
	int rc;

	if (marks == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < validation->n_rows; i++)
		marks[validation->rows[i].source] = 1;
	rc = add_names(model, "held_out", validation->sources, marks, validation->n_sources);
	free(marks);
	return rc;
}

/* Rows of each class, in the order of the classes. */
static int add_class_rows(struct model *model, const char *name, const size_t *n_rows, uint32_t n_classes)
{
	struct fact_text fact;

	if (fact_begin(&fact) < 0)
		return -ENOMEM;
	for (uint32_t c = 0; c < n_classes; c++)
		fprintf(fact.stream, "%s%zu", c > 0 ? "," : "", n_rows[c]);
	return fact_end(&fact, model, name);
}

/* The files of --held-out, and what became of their rows. */
static int add_held_out_files(struct model *model, const struct train_flows *t)
{
	const struct train_flows_arguments *a = t->arguments;
	uint64_t n_rows = flow_data_n_rows(&t->held_out_data);
	int rc = model_output_add_files(model, "held_out_data", a->held_out, a->n_held_out);

	rc = rc < 0 ? rc : model_output_add_fact(model, "held_out_rows_read", "%" PRIu64, n_rows);
	return rc < 0 ? rc
		      : model_output_add_fact(model, "held_out_rows_refused", "%" PRIu64,
					      n_rows - flow_data_n_used(&t->held_out_data));
}

/* What was held out, and how. */
static int add_validation(struct model *model, const struct train_flows *t)
{
	int rc = model_output_add_fact(model, "rows_validation", "%zu", t->validation.n_rows);
	bool is_drawn = t->arguments->n_held_out == 0;

	if (t->validation.n_rows == 0)
		return rc;
	rc = rc < 0 ? rc
		    : add_class_rows(model, "rows_validation_by_class", t->n_validation, t->training.n_classes);
	if (is_drawn)
		rc = rc < 0 ? rc : model_output_add_fact(model, "validation", "%g", t->arguments->split.share);
	rc = rc < 0 ? rc : model_add_fact(model, "split", is_drawn ? flow_split_kind_name(t->split_kind) : "files");
	if (!is_drawn)
		rc = rc < 0 ? rc : add_held_out_files(model, t);
	if (!is_drawn || t->split_kind == FLOW_SPLIT_SOURCE)
		rc = rc < 0 ? rc : add_held_out(model, &t->validation);
	return rc;
}

static int add_data(struct model *model, const struct train_flows *t)
{
	const struct train_flows_arguments *a = t->arguments;
	int rc = model_output_add_files(model, "data", a->paths, a->n_paths);

	rc = rc < 0 ? rc : add_names(model, "sources", t->training.sources, NULL, t->training.n_sources);
	rc = rc < 0 ? rc : model_output_add_fact(model, "rows_read", "%" PRIu64, flow_data_n_rows(&t->data));
	rc = rc < 0 ? rc
		    : model_output_add_fact(model, "rows_refused", "%" PRIu64,
					    flow_data_n_rows(&t->data) - flow_data_n_used(&t->data));
	if (a->table.csv.max_rows > 0)
		rc = rc < 0 ? rc : model_output_add_fact(model, "max_rows", "%" PRIu64, a->table.csv.max_rows);
	if (a->max_per_source > 0) {
		rc = rc < 0 ? rc : model_output_add_fact(model, "max_per_source", "%" PRIu64, a->max_per_source);
		rc = rc < 0 ? rc : model_output_add_fact(model, "rows_left_out", "%zu", t->n_left_out);
	}
	rc = rc < 0 ? rc : model_output_add_fact(model, "rows", "%zu", t->training.n_rows);
	rc = rc < 0 ? rc : add_class_rows(model, "rows_by_class", t->n_training, t->training.n_classes);
	rc = rc < 0 ? rc : add_validation(model, t);
	rc = rc < 0 ? rc : add_names(model, "labels", t->training.labels, NULL, t->training.n_labels);
	return rc < 0 ? rc : add_forced(model, t);
}

static int add_options(struct model *model, const struct train_flows *t)
{
	const struct train_flows_arguments *a = t->arguments;
	const struct train_options *o = &t->options.train;
	int rc = model_output_add_options(model, o);

	rc = rc < 0 ? rc : model_output_add_fact(model, "weight_decay", "%g", o->weight_decay);
	rc = rc < 0 ? rc : model_output_add_fact(model, "dropout", "%g", o->dropout);
	rc = rc < 0 ? rc : model_add_fact(model, "class_weight", a->class_weight_text);
	rc = rc < 0 ? rc : model_add_fact(model, "source_weight", a->source_weight_text);
	if (a->options.patience > 0)
		rc = rc < 0 ? rc : model_output_add_fact(model, "early_stop", "%" PRIu32, a->options.patience);
	rc = rc < 0 ? rc : model_output_add_fact(model, "epochs", "%" PRIu32, t->result.n_epochs);
	if (t->result.n_epochs < o->n_epochs)
		rc = rc < 0 ? rc : model_output_add_fact(model, "epochs_planned", "%" PRIu32, o->n_epochs);
	rc = rc < 0 ? rc : model_output_add_fact(model, "epoch_kept", "%" PRIu32, t->result.kept.number);
	rc = rc < 0 ? rc : add_names(model, "log_columns", t->training.features, t->is_log, t->training.n_features);
	return rc < 0 ? rc : model_output_add_fact(model, "clip", "%g", (double)a->options.clip);
}

/* What the threshold comes to on the flows that were held out. */
static int add_threshold(struct model *model, const struct train_flows *t)
{
	const struct flow_scores *scores = &t->scores;
	const struct train_flows_arguments *a = t->arguments;
	int rc = model_add_fact(model, "threshold_rule", a->threshold_text != NULL ? a->threshold_text : "0.5");

	rc = rc < 0 ? rc : model_output_add_fact(model, "threshold_shift", "%.9g", t->threshold);
	if (scores->n == 0)
		return rc;
	rc = rc < 0 ? rc
		    : model_output_add_fact(model, "flows_validation", "%zu,%zu", scores->n_benign,
					    scores->n_attack);
	if (scores->n_benign > 0)
		rc = rc < 0 ? rc
			    : model_output_add_fact(model, "threshold_fpr", "%.6g",
						    (double)t->alarms.n_false / (double)scores->n_benign);
	if (scores->n_attack > 0)
		rc = rc < 0 ? rc
			    : model_output_add_fact(model, "threshold_recall", "%.6g",
						    (double)t->alarms.n_true / (double)scores->n_attack);
	return rc;
}

static int add_facts(struct model *model, const struct train_flows *t)
{
	const struct flow_train_epoch *kept = &t->result.kept;
	int rc = add_data(model, t);

	rc = rc < 0 ? rc : add_options(model, t);
	rc = rc < 0 ? rc : model_output_add_fact(model, "loss", "%.6f", kept->training.loss);
	rc = rc < 0 ? rc : model_output_add_fact(model, "accuracy", "%.6f", kept->training.accuracy);
	if (t->validation.n_rows > 0) {
		rc = rc < 0 ? rc : model_output_add_fact(model, "validation_loss", "%.6f", kept->validation.loss);
		rc = rc < 0 ? rc
			    : model_output_add_fact(model, "validation_accuracy", "%.6f",
						    kept->validation.accuracy);
	}
	if (t->has_threshold)
		rc = rc < 0 ? rc : add_threshold(model, t);
	return rc < 0 ? rc : input_bins_write(model, t->bins);
}

/* The checkpoints of the data's rows, ascending, the end last. 0 or -ENOMEM. */
static int set_checkpoints(struct model *model, const struct train_flows *t)
{
	model->checkpoints = calloc(MAX_CHECKPOINTS, sizeof(*model->checkpoints));
	if (model->checkpoints == NULL)
		return -ENOMEM;
	for (uint32_t i = 1; i <= N_CHECKPOINTS && model->n_checkpoints < MAX_CHECKPOINTS; i++) {
		uint32_t checkpoint = i % N_CHECKPOINTS;

		if ((t->checkpoints[checkpoint / 64] >> checkpoint % 64 & 1) != 0)
			model->checkpoints[model->n_checkpoints++] = checkpoint;
	}
	return 0;
}

/*
 * The hash of the features' definitions, where all columns are features of ours: without it a model judges tables,
 * not packets. 0 or -ENOMEM.
 */
static int set_schema(struct model *model, const struct flow_dataset *set)
{
	struct flow_feature_set *features;
	char schema[FLOW_FEATURES_SCHEMA_SIZE], error[256];
	bool are_ours;
	int rc = flow_feature_set_create_of((const char *const *)set->features, set->n_features, &features, error,
					    sizeof(error));

	if (rc < 0)
		return rc == -ENOMEM ? rc : 0;
	are_ours = features->n == set->n_features;
	for (uint32_t i = 0; are_ours && i < features->n; i++)
		are_ours = strcmp(features->columns[i].label, set->features[i]) == 0;
	if (are_ours) {
		flow_feature_set_schema(features, schema);
		rc = model_set_schema(model, schema);
	} else {
		rc = 0;
	}
	flow_feature_set_free(features);
	return rc;
}

/* A model of these names whose network is of no use. 0 or a negative errno. */
static int model_fill_names(struct model *model, const struct flow_dataset *set)
{
	uint32_t n_out = set->n_classes > 2 ? set->n_classes : 1;
	int rc;

	model->task = MODEL_TASK_FLOW;
	model->threshold = 0.5f;
	model->network.n_in = set->n_features;
	model->network.n_layers = 1;
	rc = nn_layer_init(&model->network.layers[0], set->n_features, n_out, n_out > 1 ? NN_SOFTMAX : NN_SIGMOID);
	rc = rc < 0 ? rc : model_set_features(model, (const char *const *)set->features, set->n_features);
	return rc < 0 || set->n_classes < 2
		       ? rc
		       : model_set_classes(model, (const char *const *)set->classes, set->n_classes);
}

int train_flows_check_names(const struct flow_dataset *set)
{
	struct model *model = model_new();
	char error[512] = "out of memory";
	uint8_t *bytes = NULL;
	size_t n_bytes;
	int rc = model != NULL ? model_fill_names(model, set) : -ENOMEM;

	if (rc == 0)
		rc = model_save_memory(model, &bytes, &n_bytes, error, sizeof(error));
	if (rc < 0)
		complain("the data cannot be named in a model: %s", error);
	free(bytes);
	model_free(model);
	return rc < 0 ? -1 : 0;
}

static int model_fill(struct model *model, struct train_flows *t)
{
	const struct flow_dataset *set = &t->training;
	int rc;

	model->task = MODEL_TASK_FLOW;
	model->threshold = 0.5f;
	model->network = t->result.network;
	t->result.network = (struct nn_network){0};
	rc = model_set_features(model, (const char *const *)set->features, set->n_features);
	rc = rc < 0 ? rc : model_set_classes(model, (const char *const *)set->classes, set->n_classes);
	rc = rc < 0 ? rc : set_schema(model, set);
	rc = rc < 0 ? rc : set_checkpoints(model, t);
	return rc < 0 ? rc : add_facts(model, t);
}

int train_flows_write(struct train_flows *t)
{
	struct model *model = model_new();
	int code = EXIT_FAILED, rc = model != NULL ? model_fill(model, t) : -ENOMEM;

	if (rc < 0)
		complain("%s: %s", t->arguments->output, strerror(-rc));
	else
		code = model_output_save(model, t->arguments->output);
	if (code == EXIT_OK && model->schema == NULL)
		fprintf(stderr,
			"not all columns are features of wirescore: the model judges tables, not packets\n");
	model_free(model);
	return code;
}
