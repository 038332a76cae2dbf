/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads tables and captures of flows with the columns that a model asks for, and tells which of its classes each
 * row is of. Called by eval_flows.c.
 */
#include "eval/eval_data.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "flow_column.h"
#include "flow_model.h"

#define NO_CLASS UINT32_MAX

/* The class of that name, or of the label's group: "scan" of "scan-port". */
static uint32_t class_find(const struct eval_judge *judge, const char *label)
{
	size_t n_group = flow_dataset_group_length(label);

	for (uint32_t c = 0; c < judge->n_classes; c++)
		if (strcmp(judge->classes[c], label) == 0)
			return c;
	for (uint32_t c = 0; c < judge->n_classes; c++)
		if (strlen(judge->classes[c]) == n_group && strncmp(judge->classes[c], label, n_group) == 0)
			return c;
	return NO_CLASS;
}

/* The reader tells benign from attack; what else a model tells apart goes by the names of its classes. */
static uint32_t class_of(const struct eval_data *data, const struct eval_judge *judge,
			 const struct flow_dataset_row *row)
{
	if (judge->has_benign && (row->class == 0 || judge->n_classes == 2))
		return row->class != 0;
	return class_find(judge, data->set.labels[row->label]);
}

static int classes_set(struct eval_data *data, const struct eval_judge *judge)
{
	uint8_t *keep = malloc(data->set.n_rows + 1);

	if (keep == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < data->set.n_rows; i++) {
		struct flow_dataset_row *row = &data->set.rows[i];
		uint32_t class_index = class_of(data, judge, row);

		keep[i] = class_index != NO_CLASS;
		if (!keep[i] && data->n_unknown++ == 0)
			data->unknown_label = row->label;
		row->class = keep[i] ? (uint8_t)class_index : 0;
	}
	if (data->n_unknown > 0)
		flow_dataset_filter(&data->set, keep);
	free(keep);
	return 0;
}

/*
 * The columns that are read although they should not be features, since the model was trained on them: names gets
 * those that --force names and those of the model. Returns how many.
 */
static uint32_t forced_find(const struct eval_options *options, const struct model *model, const char **names)
{
	const struct flow_dataset_names *forced = &options->table.csv.forced;
	uint32_t n = 0;

	for (uint32_t i = 0; i < forced->n; i++)
		names[n++] = forced->names[i];
	for (uint32_t i = 0; i < model->n_features; i++)
		if (flow_column_find(model->features[i])->why != NULL)
			names[n++] = model->features[i];
	return n;
}

/*
 * Whether the model can read captures, where there are some: as classify asks. They have rows where the model would
 * be asked. An exit code, after complaining.
 */
static int captures_prepare(const struct eval_options *options, const struct model *model,
			    struct flow_options *flow, char *const *paths, uint32_t n_paths)
{
	struct flow_feature_set *features = NULL;
	char error[256];
	uint32_t i = 0;
	int rc;

	while (i < n_paths && !flow_captures_is_one(paths[i]))
		i++;
	if (i == n_paths)
		return EXIT_OK;
	rc = flow_model_features(model, &features, error, sizeof(error));
	flow_feature_set_free(features);
	if (rc == 0)
		rc = flow_model_checkpoints(model, &flow->config.checkpoints, &flow->has_ends, error,
					    sizeof(error));
	if (rc == 0)
		return EXIT_OK;
	complain("%s: %s", options->model_path, error);
	return EXIT_FAILED;
}

/* Reads the columns that the model asks for. An exit code. */
static int files_read(struct eval_data *data, const struct eval_options *options, const struct eval_judge *judge,
		      const struct flow_options *flow, char *const *paths, uint32_t n_paths)
{
	const struct model *model = judge->model;
	const char **forced = calloc((size_t)options->table.csv.forced.n + model->n_features, sizeof(*forced));
	struct flow_csv_options csv = options->table.csv;
	const struct flow_data_options reading = {.csv = &csv, .flow = flow, .quiet = options->json};
	int code;

	if (forced == NULL) {
		complain("out of memory");
		return EXIT_FAILED;
	}
	csv.features = (struct flow_dataset_names){(const char *const *)model->features, model->n_features};
	csv.forced = (struct flow_dataset_names){forced, forced_find(options, model, forced)};
	csv.classes.mapping = FLOW_CLASSES_BINARY;
	code = flow_data_read(&data->data, &reading, paths, n_paths, &data->set);
	free(forced);
	return code;
}

/* Says why there is nothing to judge. */
static void emptiness_explain(const struct eval_data *data, const char *path)
{
	if (data->n_unknown > 0)
		complain("%s: no row is of a class of the model; the first label is '%s'", path,
			 data->set.labels[data->unknown_label]);
	else if (flow_data_n_rows(&data->data) > 0)
		complain("%s: none of %" PRIu64 " rows can be used; 'wirescore lint' says why", path,
			 flow_data_n_rows(&data->data));
	else
		complain("%s: holds no row to judge by", path);
}

int eval_data_load(struct eval_data *data, const struct eval_options *options, const struct eval_judge *judge,
		   char *const *paths, uint32_t n_paths)
{
	struct flow_options flow = options->flow;
	int code;

	*data = (struct eval_data){0};
	flow_dataset_init(&data->set);
	code = captures_prepare(options, judge->model, &flow, paths, n_paths);
	if (code == EXIT_OK)
		code = files_read(data, options, judge, &flow, paths, n_paths);
	if (code != EXIT_OK)
		return code;
	if (classes_set(data, judge) < 0) {
		complain("out of memory");
		return EXIT_FAILED;
	}
	if (data->set.n_rows > 0)
		return EXIT_OK;
	emptiness_explain(data, paths[0]);
	return EXIT_FAILED;
}

void eval_data_free(struct eval_data *data)
{
	flow_dataset_free(&data->set);
	flow_data_free(&data->data);
	*data = (struct eval_data){0};
}

/* ---- What the model knows ---- */

/* Whether names begins with name, as facts hold it, and goes on with what ends one. */
static bool is_name_at(const char *names, const char *name)
{
	for (; *name != '\0'; names++, name++)
		if (*names != (*name >= ' ' && *name <= '~' ? *name : '?'))
			return false;
	/* "NAME=LABEL" is a capture of that name. */
	return *names == '\0' || *names == ',' || *names == '=' || strncmp(names, " and ", 5) == 0;
}

bool eval_data_is_known(const struct model *model, const char *source)
{
	const char *slash = strrchr(source, '/'), *name = slash != NULL ? slash + 1 : source;

	for (uint32_t i = 0; i < model->n_facts; i++) {
		const char *names = model->facts[i].value;

		if (strcmp(model->facts[i].name, "data") != 0 && strcmp(model->facts[i].name, "sources") != 0)
			continue;
		for (const char *at = names; *at != '\0'; at++)
			if ((at == names || at[-1] == ',' || at[-1] == '/') && is_name_at(at, name))
				return true;
	}
	return false;
}
