/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `wirescore eval MODEL TABLE...`: judges a flow model on labelled flows. Reads them, measures what was asked for
 * and hands it to the reports. Called by cmd_eval.c; needs no dataplane, but scores with its kernels.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "command.h"
#include "eval/eval.h"
#include "eval/report.h"
#include "interrupt.h"
#include "same_file.h"

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

static bool is_one_file(const char *left, const char *right)
{
	struct stat a, b;

	return stat(left, &a) == 0 && stat(right, &b) == 0 && is_same_file(&a, &b);
}

/* Nothing is written over what is read. */
static int html_check(const struct eval_options *o)
{
	bool is_read = is_one_file(o->html_path, o->model_path);

	for (uint32_t i = 0; i < o->n_data; i++)
		is_read |= is_one_file(o->html_path, o->data[i]);
	for (uint32_t i = 0; i < o->n_train_data; i++)
		is_read |= is_one_file(o->html_path, o->train_data[i]);
	if (!is_read)
		return EXIT_OK;
	complain("--html %s: is a file that is read; name another one", o->html_path);
	return EXIT_FAILED;
}

/* Nothing is judged by what was learnt from. */
static int train_data_check(const struct eval_options *o)
{
	for (uint32_t i = 0; i < o->n_train_data; i++) {
		for (uint32_t j = 0; j < o->n_data; j++) {
			if (!is_one_file(o->train_data[i], o->data[j]))
				continue;
			complain("--train-data %s: is judged by, too; leave it out of one of them",
				 o->train_data[i]);
			return EXIT_FAILED;
		}
	}
	return EXIT_OK;
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

static int everything_measure(struct evaluation *e)
{
	const struct eval_options *o = e->options;
	const struct judged_flows *learning = o->n_train_data > 0 ? &e->learning_flows : NULL;
	char error[ERROR_SIZE] = "";
	int rc = figures_make(&e->figures, &e->flows, &e->judge, o->base_rate);

	if (rc == 0)
		rc = flow_baselines_make(&e->baselines, &e->flows, learning, &e->judge);
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
	if (o->json)
		code = report_print_json(&report);
	else
		report_print_text(&report);
	if (e->flows.n_overflowed > 0)
		complain("%s: %" PRIu64 " flows could not be judged: the model's sums overflowed", o->model_path,
			 e->flows.n_overflowed);
	if (code == EXIT_OK)
		code = finish_stdout();
	return code == EXIT_OK && e->flows.n_overflowed > 0 ? EXIT_FAILED : code;
}

int eval_flows(const struct eval_options *options, const struct model *model)
{
	struct evaluation e = {.options = options};
	char error[ERROR_SIZE];
	int code = options->html_path != NULL ? html_check(options) : EXIT_OK;

	if (code == EXIT_OK)
		code = train_data_check(options);
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
