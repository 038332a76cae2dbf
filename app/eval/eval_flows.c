/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `wirescore eval MODEL DATA...`: judges a flow model on labelled flows. Reads them, measures what was asked for
 * and hands it to the reports. Called by cmd_eval.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "eval/eval.h"
#include "eval/report.h"
#include "input_files.h"
#include "interrupt.h"

#define ERROR_SIZE 512

struct evaluation {
	const struct eval_options *options;
	struct eval_judge judge;
	struct eval_data data, learning;
	struct judged_flows flows, learning_flows;
	struct figures figures;
	struct flow_baselines baselines;
	struct explain features, groups;
	struct flow_cross cross;
};

/* Nothing is written over what is read, nor judged by what was learnt from. An exit code. */
static int files_check(const struct eval_options *o)
{
	char *model_path = (char *)o->model_path;
	struct input_files inputs = {0};
	int code = input_files_add(&inputs, &model_path, 1);

	if (code == EXIT_OK)
		code = input_files_add(&inputs, o->data, (int)o->n_data);
	if (code == EXIT_OK)
		code = input_files_add(&inputs, o->train_data, (int)o->n_train_data);
	if (code == EXIT_OK && o->html_path != NULL)
		code = input_files_check_output(&inputs, o->html_path);
	input_files_free(&inputs);
	return code;
}

/* An exit code of a negative errno that only memory or the user is behind. */
static int code_of(int rc)
{
	if (rc == 0)
		return EXIT_OK;
	if (rc == -EINTR)
		return EXIT_INTERRUPTED;
	complain("out of memory: give less data, or --max-rows");
	return EXIT_FAILED;
}

static int flows_load(struct evaluation *e, struct eval_data *data, char *const *paths, uint32_t n_paths,
		      struct judged_flows *flows)
{
	int code = eval_data_load(data, e->options, &e->judge, paths, n_paths);

	if (code == EXIT_OK)
		code = code_of(judged_flows_make(flows, &e->judge, &data->set, e->options->by_rows));
	if (code == EXIT_OK && flows->n_flows == 0) {
		complain("%s: no flow can be judged: the model's sums overflow", paths[0]);
		code = EXIT_FAILED;
	}
	return code;
}

static int data_load(struct evaluation *e)
{
	const struct eval_options *o = e->options;
	int code = flows_load(e, &e->data, o->data, o->n_data, &e->flows);

	if (code == EXIT_OK && o->n_train_data > 0)
		code = flows_load(e, &e->learning, o->train_data, o->n_train_data, &e->learning_flows);
	return code;
}

/* Tells of sources that the model knows: figures on what was learnt from say nothing of other networks. */
static void known_tell(const struct evaluation *e)
{
	const struct figures *figures = &e->figures;
	const char *first = NULL;
	char more[32] = "";
	uint32_t n = 0;

	for (uint32_t i = 0; i < figures->n_sources; i++) {
		if (!eval_data_is_known(e->judge.model, figures->sources[i].name))
			continue;
		if (n++ == 0)
			first = figures->sources[i].name;
	}
	if (n > 1)
		snprintf(more, sizeof(more), " and %" PRIu32 " more", n - 1);
	if (n > 0)
		complain("warning: %s%s: the model was trained on data called so; its figures there are too good",
			 first, more);
}

static int everything_measure(struct evaluation *e)
{
	const struct eval_options *o = e->options;
	const struct judged_flows *learning = o->n_train_data > 0 ? &e->learning_flows : NULL;
	char error[ERROR_SIZE] = "";
	int rc = figures_make(&e->figures, &e->flows, &e->judge, o->base_rate);

	if (rc == 0)
		rc = flow_baselines_make(&e->baselines, &e->flows, learning, &e->judge, o);
	if (rc == 0 && o->explain)
		rc = explain_features(&e->features, &e->flows, &e->judge, o->seed, &interrupted);
	if (rc == 0 && o->ablate)
		rc = explain_groups(&e->groups, &e->flows, &e->judge, &interrupted);
	if (rc == 0 && o->cross)
		rc = flow_cross_make(&e->cross, &e->flows, &e->judge, o->seed, &interrupted, error, sizeof(error));
	if (rc < 0 && rc != -EINTR && error[0] != '\0') {
		complain("--cross: %s", error);
		return EXIT_FAILED;
	}
	return code_of(rc);
}

/* Whether every capture was read to its end; of one that was not, the good part is judged all the same. */
static bool data_is_complete(const struct evaluation *e)
{
	return flow_data_is_complete(&e->data.data) &&
	       (e->options->n_train_data == 0 || flow_data_is_complete(&e->learning.data));
}

static int everything_report(const struct evaluation *e)
{
	const struct eval_options *o = e->options;
	struct report report = {
		.options = o,
		.judge = &e->judge,
		.data = &e->data,
		.flows = &e->flows,
		.figures = &e->figures,
		.baselines = &e->baselines,
		.features = o->explain ? &e->features : NULL,
		.groups = o->ablate ? &e->groups : NULL,
		.cross = o->cross ? &e->cross : NULL,
	};
	int code = o->html_path != NULL ? report_write_html(&report) : EXIT_OK;

	if (code != EXIT_OK)
		return code;
	known_tell(e);
	if (o->json)
		code = report_print_json(&report);
	else
		report_print_text(&report);
	if (e->flows.n_overflowed > 0)
		complain("%s: %" PRIu64 " flows could not be judged: the model's sums overflowed", o->model_path,
			 e->flows.n_overflowed);
	if (code == EXIT_OK)
		code = finish_stdout();
	if (code == EXIT_OK && (e->flows.n_overflowed > 0 || !data_is_complete(e)))
		code = EXIT_FAILED;
	return code;
}

int eval_flows(const struct eval_options *options, const struct model *model)
{
	struct evaluation e = {.options = options};
	char error[ERROR_SIZE];
	int code = files_check(options);

	if (code != EXIT_OK)
		return code;
	if (eval_judge_create(&e.judge, model, options->kernel, error, sizeof(error)) < 0) {
		complain("%s: %s", options->model_path, error);
		return EXIT_FAILED;
	}
	code = data_load(&e);
	if (code == EXIT_OK)
		code = everything_measure(&e);
	if (code == EXIT_OK)
		code = everything_report(&e);
	flow_cross_free(&e.cross);
	explain_free(&e.groups);
	explain_free(&e.features);
	figures_free(&e.figures);
	judged_flows_free(&e.learning_flows);
	judged_flows_free(&e.flows);
	eval_data_free(&e.learning);
	eval_data_free(&e.data);
	eval_judge_free(&e.judge);
	return code;
}
