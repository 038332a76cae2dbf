/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `wirescore train flows`: trains a flow model on tables of flows. Called by cmd_train.c; needs no dataplane.
 */
#include "train_flows.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bins_fit.h"
#include "command.h"
#include "flow_sample.h"
#include "input_files.h"
#include "interrupt.h"
#include "model_output.h"
#include "scaler.h"
#include "train_progress.h"
#include "train_tasks.h"

#define ERROR_SIZE (PATH_MAX + 512)
/* Of a batch that suits the data. */
#define MIN_BATCH 16u
#define MAX_BATCH 1024u

/* ---- Data ---- */

/* Adds files to the training set. An exit code. */
static int data_load(struct train_flows *t, char *const *paths, int n_paths, struct flow_data *data)
{
	const struct train_flows_arguments *a = t->arguments;
	struct flow_data_options options = {.csv = &a->table.csv, .flow = &a->flow};
	int code = flow_data_read(data, &options, paths, (uint32_t)n_paths, &t->training);

	if (code != EXIT_OK)
		return code;
	if (flow_data_n_used(data) > 0) {
		flow_data_print(stderr, data);
		return EXIT_OK;
	}
	flow_data_complain_of_none(data);
	return EXIT_FAILED;
}

/* Leaves out what --max-per-source does not want. 0 or -ENOMEM. */
static int data_limit(struct train_flows *t)
{
	const struct train_flows_arguments *a = t->arguments;
	size_t n_before = t->training.n_rows;
	int rc;

	if (a->max_per_source == 0)
		return 0;
	rc = flow_sample_limit(&t->training, a->max_per_source, a->options.train.seed);
	t->n_left_out = n_before - t->training.n_rows;
	if (t->n_left_out > 0)
		fprintf(stderr, "%zu rows left out by --max-per-source\n", t->n_left_out);
	return rc;
}

/* Where no row is benign, as among kinds of applications, the class has no place in the model. */
static void data_drop_benign(struct flow_dataset *set)
{
	size_t n_rows[FLOW_DATASET_MAX_CLASSES];

	flow_train_count(set, n_rows);
	if (set->n_classes < 3 || n_rows[0] > 0)
		return;
	free(set->classes[0]);
	set->n_classes--;
	memmove(set->classes, set->classes + 1, set->n_classes * sizeof(*set->classes));
	for (size_t i = 0; i < set->n_rows; i++)
		set->rows[i].class -= 1;
	/* It speaks of the old places; no class is added any more. */
	free(set->class_index.slots);
	set->class_index = (struct flow_dataset_index){0};
}

static bool data_has_times(const struct flow_dataset *set)
{
	for (size_t i = 0; i < set->n_rows; i++)
		if (isnan(set->rows[i].start_s))
			return false;
	return true;
}

/* The kind of split that was asked for or that suits the data. 0, or -1 after complaining. */
static int split_choose(struct train_flows *t)
{
	const struct train_flows_arguments *a = t->arguments;

	t->split_kind = a->split.kind;
	if (a->has_split)
		return 0;
	t->split_kind = t->training.n_sources > 1 ? FLOW_SPLIT_SOURCE : FLOW_SPLIT_TIME;
	if (t->split_kind == FLOW_SPLIT_SOURCE || data_has_times(&t->training))
		return 0;
	complain("the data are one file without the times of the flows: say what to hold out by --split host or "
		 "--split random, or name several files");
	return -1;
}

/* Marks the rows of --held-out, those from the first one on. 0, -EINVAL with one line in error, or -ENOMEM. */
static int side_mark(const struct flow_dataset *set, size_t first, uint8_t *side, char *error, size_t error_size)
{
	memset(side + first, 1, set->n_rows - first);
	return flow_split_check(set, side, error, error_size);
}

/* Moves what is held out into the validation set: by lot, or all from a row on. An exit code. */
static int data_split(struct train_flows *t, size_t first_held_out)
{
	bool is_drawn = t->arguments->n_held_out == 0;
	struct flow_split_options split = t->arguments->split;
	char error[ERROR_SIZE];
	uint8_t *side;
	int rc;

	if (is_drawn && split.share > 0 && split_choose(t) < 0)
		return EXIT_FAILED;
	split.kind = t->split_kind;
	side = calloc(t->training.n_rows + 1, 1);
	rc = side != NULL ? 0 : -ENOMEM;
	if (rc == 0 && !is_drawn)
		rc = side_mark(&t->training, first_held_out, side, error, sizeof(error));
	else if (rc == 0 && split.share > 0)
		rc = flow_split(&t->training, &split, side, error, sizeof(error));
	if (rc == 0)
		rc = flow_dataset_take(&t->training, side, &t->validation);
	if (rc == -EINVAL && is_drawn)
		complain("--split %s: %s", flow_split_kind_name(split.kind), error);
	else if (rc == -EINVAL)
		complain("--held-out: %s", error);
	if (rc == -ENOMEM)
		complain("the split: %s", strerror(-rc));
	free(side);
	return rc == 0 ? EXIT_OK : EXIT_FAILED;
}

/* Marks the columns that --log names. 0, or -1 after complaining. */
static int logs_take_list(struct train_flows *t, const char *list)
{
	const struct flow_dataset *set = &t->training;
	char *words = strdup(list), *rest = words, *word;
	int rc = words != NULL ? 0 : -1;

	while (rc == 0 && (word = strsep(&rest, ",")) != NULL) {
		uint32_t i = 0;

		while (i < set->n_features && strcmp(set->features[i], word) != 0)
			i++;
		if (i < set->n_features) {
			t->is_log[i] = 1;
			continue;
		}
		complain("--log: '%s' is not a column of the data, nor auto, none or all", word);
		rc = -1;
	}
	free(words);
	return rc;
}

/* Decides on the training part which columns are seen by their logarithm. 0, or -1 after complaining. */
static int logs_choose(struct train_flows *t)
{
	const struct flow_dataset *set = &t->training;
	const char *text = t->arguments->log_text;

	if (strcmp(text, "auto") == 0)
		scaler_find_logs(set->values, set->n_rows, set->n_features, t->is_log);
	else if (strcmp(text, "all") == 0)
		memset(t->is_log, 1, set->n_features);
	else if (strcmp(text, "none") != 0)
		return logs_take_list(t, text);
	return 0;
}

/* What is known of the rows, before the training part is scaled. 0 or -ENOMEM. */
static int data_describe(struct train_flows *t)
{
	const struct flow_dataset *parts[] = {&t->training, &t->validation};

	for (int p = 0; p < 2; p++)
		for (size_t i = 0; i < parts[p]->n_rows; i++)
			t->checkpoints[parts[p]->rows[i].checkpoint / 64] |= UINT64_C(1)
									     << parts[p]->rows[i].checkpoint % 64;
	flow_train_count(&t->training, t->n_training);
	flow_train_count(&t->validation, t->n_validation);
	t->bins = calloc(t->training.n_features, sizeof(*t->bins));
	if (t->bins == NULL)
		return -ENOMEM;
	return bins_fit_floats(t->training.values, t->training.n_rows, t->training.n_features, t->bins);
}

/* A hundredth of n, as a power of two within bounds: some hundred steps an epoch, and none of a few rows. */
static uint32_t batch_suit(size_t n_rows)
{
	uint32_t batch = MIN_BATCH;

	while (batch < MAX_BATCH && n_rows / 100 >= 2 * (size_t)batch)
		batch *= 2;
	return batch;
}

/* Says what there is to learn from. */
static void data_print(const struct train_flows *t)
{
	fprintf(stderr, "%zu rows of %" PRIu32 " features to learn from, %zu held out", t->training.n_rows,
		t->training.n_features, t->validation.n_rows);
	if (t->validation.n_rows > 0 && t->arguments->n_held_out == 0)
		fprintf(stderr, " by %s", flow_split_kind_name(t->split_kind));
	fputc('\n', stderr);
	for (uint32_t c = 0; c < t->training.n_classes; c++)
		fprintf(stderr, "  %s: %zu and %zu\n", t->training.classes[c], t->n_training[c],
			t->n_validation[c]);
	if (t->training.n_rows < t->options.train.batch)
		fprintf(stderr,
			"fewer rows than a batch of %" PRIu32
			": each epoch is one step; a smaller --batch learns faster\n",
			t->options.train.batch);
}

/* Whether the output layer and the threshold fit the classes. An exit code. */
static int classes_check(const struct train_flows *t)
{
	const struct train_flows_arguments *a = t->arguments;
	const struct flow_dataset *set = &t->training;

	if (set->n_classes > 2 && a->output_text != NULL && !a->options.train.is_softmax) {
		complain("--output-layer sigmoid tells two classes apart, the data have %" PRIu32 ": use softmax",
			 set->n_classes);
		return EXIT_FAILED;
	}
	if (!t->has_threshold && a->threshold_text != NULL) {
		complain("--threshold %s needs benign flows, the data have none: name their labels with --benign",
			 a->threshold_text);
		return EXIT_FAILED;
	}
	return train_flows_check_names(set) == 0 ? EXIT_OK : EXIT_FAILED;
}

/* Reads, thins out, splits and describes the data. An exit code. */
static int data_prepare(struct train_flows *t)
{
	const struct train_flows_arguments *a = t->arguments;
	int code = data_load(t, a->paths, a->n_paths, &t->data);
	size_t n_rows;

	if (code != EXIT_OK)
		return code;
	if (data_limit(t) < 0) {
		complain("out of memory");
		return EXIT_FAILED;
	}
	n_rows = t->training.n_rows;
	if (a->n_held_out > 0)
		code = data_load(t, a->held_out, a->n_held_out, &t->held_out_data);
	if (code != EXIT_OK)
		return code;
	data_drop_benign(&t->training);
	t->has_threshold = t->training.n_classes > 0 && strcmp(t->training.classes[0], "benign") == 0;
	code = classes_check(t);
	if (code == EXIT_OK)
		code = data_split(t, n_rows);
	if (code != EXIT_OK)
		return code;
	if (logs_choose(t) < 0)
		return EXIT_USAGE;
	if (data_describe(t) < 0) {
		complain("out of memory");
		return EXIT_FAILED;
	}
	if (t->options.train.batch == 0)
		t->options.train.batch = batch_suit(t->training.n_rows);
	data_print(t);
	return EXIT_OK;
}

/* ---- Training ---- */

static int network_train(struct train_flows *t)
{
	struct flow_train_options *options = &t->options;
	struct train_progress progress;
	char error[ERROR_SIZE];
	int rc;

	train_progress_begin(&progress, options->train.n_epochs, t->validation.n_rows > 0);
	options->is_log = t->is_log;
	options->report = train_progress_take;
	options->context = &progress;
	options->stop = &interrupted;
	rc = flow_train(options, &t->training, &t->validation, &t->result, error, sizeof(error));
	train_progress_end(&progress);
	if (interrupted)
		return EXIT_INTERRUPTED;
	if (rc < 0) {
		complain("%s", error);
		return EXIT_FAILED;
	}
	if (options->patience > 0)
		fprintf(stderr, "epoch %" PRIu32 " was the best: its weights are kept\n", t->result.kept.number);
	return EXIT_OK;
}

/*
 * Shifts the network's output so that the rule's threshold is 0.5. The sums round otherwise behind a shift, so the
 * rule is asked again until what it promises holds. 0 or a negative errno.
 */
static int threshold_apply(struct train_flows *t)
{
	const struct flow_threshold_rule *rule = &t->arguments->threshold;
	int rc = flow_scores_make(&t->scores, &t->result.network, &t->validation);

	for (int round = 0; rc == 0 && round < 4; round++) {
		double threshold;

		rc = flow_threshold_choose(rule, &t->scores, &threshold);
		if (rc < 0)
			break;
		flow_threshold_shift(&t->result.network, threshold);
		t->threshold += threshold;
		flow_scores_free(&t->scores);
		rc = flow_scores_make(&t->scores, &t->result.network, &t->validation);
		if (rc < 0)
			break;
		t->alarms = flow_threshold_count(&t->scores, 0);
		if (flow_threshold_allows(rule, &t->scores, t->alarms))
			break;
	}
	return rc;
}

static void threshold_print(const struct train_flows *t)
{
	const struct flow_scores *scores = &t->scores;

	printf("threshold %s: %zu of %zu benign flows that were held out are called attacks, %zu of %zu attacks are "
	       "found\n",
	       t->arguments->threshold_text != NULL ? t->arguments->threshold_text : "0.5", t->alarms.n_false,
	       scores->n_benign, t->alarms.n_true, scores->n_attack);
	if (t->arguments->threshold.kind == FLOW_THRESHOLD_FPR && t->arguments->threshold.value > 0 &&
	    t->arguments->threshold.value * (double)scores->n_benign < 1)
		fprintf(stderr,
			"wirescore: warning: %zu benign flows are too few to tell a share of %g: the threshold is above "
			"all of them\n",
			scores->n_benign, t->arguments->threshold.value);
}

static int threshold_choose(struct train_flows *t)
{
	int rc;

	if (!t->has_threshold)
		return EXIT_OK;
	rc = threshold_apply(t);
	if (rc == 0)
		return EXIT_OK;
	if (rc == -EINVAL)
		complain("--threshold %s: no flows that it looks at were held out", t->arguments->threshold_text);
	else
		complain("the threshold: %s", rc == -ERANGE ? "the network's sums overflow" : strerror(-rc));
	return EXIT_FAILED;
}

/* Whether the model can be written over nothing that is read, and nothing is read twice. An exit code. */
static int files_check(const struct train_flows_arguments *a)
{
	struct input_files inputs = {0};
	int code = model_output_check(a->output);

	if (code == EXIT_OK)
		code = input_files_add(&inputs, a->paths, a->n_paths);
	if (code == EXIT_OK)
		code = input_files_add(&inputs, a->held_out, a->n_held_out);
	if (code == EXIT_OK)
		code = input_files_check_output(&inputs, a->output);
	input_files_free(&inputs);
	return code;
}

static int session_run(struct train_flows *t)
{
	int code = files_check(t->arguments);

	if (code == EXIT_OK)
		code = data_prepare(t);
	if (code == EXIT_OK)
		code = network_train(t);
	if (code == EXIT_OK)
		code = threshold_choose(t);
	if (code == EXIT_OK)
		code = interrupted ? EXIT_INTERRUPTED : train_flows_write(t);
	if (code == EXIT_OK && t->has_threshold && t->scores.n > 0)
		threshold_print(t);
	return code == EXIT_OK ? finish_stdout() : code;
}

int train_flows_run(int argc, char **argv)
{
	struct train_flows_arguments arguments;
	struct train_flows t = {.arguments = &arguments};
	int code;

	flow_dataset_init(&t.training);
	flow_dataset_init(&t.validation);
	code = train_flows_parse(argc, argv, &arguments);
	if (code == EXIT_OK) {
		interrupt_catch();
		t.options = arguments.options;
		code = session_run(&t);
	}
	nn_network_free(&t.result.network);
	flow_scores_free(&t.scores);
	flow_dataset_free(&t.training);
	flow_dataset_free(&t.validation);
	flow_data_free(&t.data);
	flow_data_free(&t.held_out_data);
	free(t.bins);
	train_flows_arguments_free(&arguments);
	return code < 0 ? EXIT_OK : code;
}
