/* SPDX-License-Identifier: BSD-3-Clause */
#include "model_baseline.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bins_fit.h"
#include "capture.h"
#include "classify.h"
#include "command.h"
#include "flow_column.h"
#include "flow_data.h"
#include "flow_model.h"
#include "flow_options.h"
#include "input_bins.h"
#include "input_files.h"
#include "interrupt.h"
#include "model.h"
#include "model_output.h"
#include "packet_features.h"

/* Rows that are kept at a time; every second of them goes when there are so many. */
#define MAX_ROWS 200000u

static const char usage[] =
	"Usage: wirescore model baseline [OPTION]... -o OUT MODEL INPUT...\n"
	"\n"
	"Writes MODEL to OUT with bins of its inputs as they are in INPUT: what a live run compares its own rows with,\n"
	"to tell drift. Models that were trained here have the bins of their training; those from elsewhere have\n"
	"none, and a network of your own is a better thing to compare with than what somebody trained on. The weights\n"
	"stay as they are. Packet models read captures; flow models captures and tables of their features, whatever\n"
	"the labels. OUT may be MODEL.\n"
	"\n"
	"  -o, --output FILE    the model to write\n";

struct baseline_options {
	struct flow_options flow; /* of captures, for flow models */
	const char *output, *model_path;
	char **inputs;
	int n_inputs;
};

/* Rows of inputs, spread evenly over all that there were: one in every. */
struct baseline_rows {
	size_t row_bytes;
	uint64_t n_seen, every;
	size_t n, capacity;
	uint8_t *bytes; /* [n][row_bytes] */
};

struct baseline {
	const struct baseline_options *options;
	struct model *model;
	bool is_flow;
	struct baseline_rows rows;
};

/* ---- Rows ---- */

/* Keeps every second row. */
static void rows_thin(struct baseline_rows *rows)
{
	for (size_t i = 1; 2 * i < rows->n; i++)
		memcpy(rows->bytes + i * rows->row_bytes, rows->bytes + 2 * i * rows->row_bytes, rows->row_bytes);
	rows->n = (rows->n + 1) / 2;
	rows->every *= 2;
}

/* 0 or -ENOMEM. */
static int rows_add(struct baseline_rows *rows, const void *row)
{
	if (rows->n_seen++ % rows->every)
		return 0;
	if (rows->n == MAX_ROWS) {
		rows_thin(rows);
		if ((rows->n_seen - 1) % rows->every)
			return 0;
	}
	if (rows->n == rows->capacity) {
		size_t capacity = rows->capacity ? 2 * rows->capacity : 1024;
		uint8_t *bytes = realloc(rows->bytes, capacity * rows->row_bytes);

		if (!bytes)
			return -ENOMEM;
		rows->bytes = bytes;
		rows->capacity = capacity;
	}
	memcpy(rows->bytes + rows->n++ * rows->row_bytes, row, rows->row_bytes);
	return 0;
}

/* ---- Packets ---- */

/* Adds the frames of a capture, as the packet engine would see them. An exit code. */
static int capture_read(struct baseline *baseline, const char *path)
{
	uint8_t row[PACKET_FEATURES_MAX_BYTES];
	char error[CAPTURE_ERROR_BYTES];
	struct capture *capture;
	struct frame frame;
	int rc;

	if (capture_open_ethernet(path, &capture, error, sizeof(error))) {
		complain("%s", error);
		return EXIT_FAILED;
	}
	while ((rc = capture_next(capture, &frame, error, sizeof(error))) > 0 && !interrupted) {
		packet_features_row(&frame, baseline->model->network.n_in, row);
		if (rows_add(&baseline->rows, row)) {
			complain("out of memory");
			capture_close(capture);
			return EXIT_FAILED;
		}
	}
	capture_close(capture);
	if (rc < 0)
		complain("warning: %s; what was whole is used", error);
	return interrupted ? EXIT_INTERRUPTED : EXIT_OK;
}

static int captures_read(struct baseline *baseline)
{
	int code = EXIT_OK;

	for (int i = 0; i < baseline->options->n_inputs && code == EXIT_OK; i++)
		code = capture_read(baseline, baseline->options->inputs[i]);
	return code;
}

/* ---- Flows ---- */

static int take_row(void *context, const struct flow_dataset *set, const struct flow_csv_row *row)
{
	struct baseline *baseline = context;

	(void)set;
	return rows_add(&baseline->rows, row->values);
}

/*
 * Reads flows with the columns that the model asks for, where it would be asked; their labels are of no matter. An exit
 * code.
 */
static int flows_read(struct baseline *baseline, const char **forced)
{
	const struct model *model = baseline->model;
	struct flow_options flow = baseline->options->flow;
	struct flow_csv_options csv = {
		.features = {(const char *const *)model->features, model->n_features},
		.forced = {forced, 0},
		.ignored = {forced, 0},
		.label = "baseline",
	};
	const struct flow_data_options reading = {
		.csv = &csv, .flow = &flow, .quiet = true, .take = take_row, .context = baseline};
	struct flow_data data = {0};
	struct flow_dataset set;
	char error[256];
	int code;

	for (uint32_t i = 0; i < model->n_features; i++)
		if (flow_column_find(model->features[i])->why)
			forced[csv.forced.n++] = model->features[i];
	if (flow_model_checkpoints(model, &flow.config.checkpoints, &flow.has_ends, error, sizeof(error))) {
		complain("%s: %s", baseline->options->model_path, error);
		return EXIT_FAILED;
	}
	flow_dataset_init(&set);
	code = flow_data_read(&data, &reading, baseline->options->inputs, (uint32_t)baseline->options->n_inputs,
			      &set);
	flow_dataset_free(&set);
	flow_data_free(&data);
	return code;
}

static int flows_read_all(struct baseline *baseline)
{
	const char **forced = calloc(baseline->model->n_features, sizeof(*forced));
	int code;

	if (!forced) {
		complain("out of memory");
		return EXIT_FAILED;
	}
	code = flows_read(baseline, forced);
	free(forced);
	return code;
}

/* ---- The model ---- */

/* Loads the model and finds out what it scores. An exit code. */
static int model_take(struct baseline *baseline)
{
	const char *path = baseline->options->model_path;
	struct packet_engine *engine = NULL;
	char error[512];
	bool fits;

	if (model_load(path, &baseline->model, error, sizeof(error))) {
		complain("%s: %s", path, error);
		return EXIT_FAILED;
	}
	fits = !packet_engine_create(baseline->model, nn_kernel_find(NULL), &engine, error, sizeof(error));
	packet_engine_free(engine);
	baseline->is_flow = baseline->model->task == MODEL_TASK_FLOW ||
			    (!fits && baseline->model->task == MODEL_TASK_UNKNOWN && baseline->model->n_features);
	if (fits || baseline->is_flow) {
		if (!baseline->is_flow || baseline->model->n_features)
			return EXIT_OK;
		snprintf(error, sizeof(error), "does not name its inputs; a flow model's are features");
	}
	complain("%s: %s", path, error);
	return EXIT_FAILED;
}

/* Puts what was read into the model. 0 or a negative errno. */
static int model_fill(struct baseline *baseline)
{
	const struct baseline_options *options = baseline->options;
	const struct baseline_rows *rows = &baseline->rows;
	struct model *model = baseline->model;
	uint32_t n_in = model->network.n_in;
	struct input_bins *bins = calloc(n_in, sizeof(*bins));
	int rc = -ENOMEM;

	if (bins && baseline->is_flow)
		rc = bins_fit_floats((const float *)(const void *)rows->bytes, rows->n, n_in, bins);
	else if (bins)
		rc = bins_fit_bytes(rows->bytes, rows->n, n_in, bins);
	model_remove_facts(model, "baseline");
	rc = rc < 0 ? rc : model_output_add_files(model, "baseline", options->inputs, options->n_inputs);
	rc = rc < 0 ? rc : model_output_add_fact(model, "baseline_rows", "%" PRIu64, rows->n_seen);
	rc = rc < 0 ? rc : input_bins_write(model, bins);
	free(bins);
	return rc;
}

/* Whether the model can be written, over nothing that is read but the model. An exit code. */
static int files_check(const struct baseline_options *options)
{
	struct input_files inputs = {0};
	int code = model_output_check(options->output);

	if (code == EXIT_OK)
		code = input_files_add(&inputs, options->inputs, options->n_inputs);
	if (code == EXIT_OK)
		code = input_files_check_output(&inputs, options->output);
	input_files_free(&inputs);
	return code;
}

static int baseline_make(struct baseline *baseline)
{
	struct baseline_rows *rows = &baseline->rows;
	int code = files_check(baseline->options), rc;

	if (code == EXIT_OK)
		code = model_take(baseline);
	if (code != EXIT_OK)
		return code;
	rows->every = 1;
	rows->row_bytes = baseline->model->network.n_in * (baseline->is_flow ? sizeof(float) : 1);
	code = baseline->is_flow ? flows_read_all(baseline) : captures_read(baseline);
	if (code != EXIT_OK)
		return code;
	if (!rows->n) {
		complain("%s: there is no row in it to compare with", baseline->options->inputs[0]);
		return EXIT_FAILED;
	}
	rc = model_fill(baseline);
	if (rc) {
		complain("%s: %s", baseline->options->output, strerror(-rc));
		return EXIT_FAILED;
	}
	fprintf(stderr, "%" PRIu64 " rows of %" PRIu32 " inputs\n", rows->n_seen, baseline->model->network.n_in);
	return model_output_save(baseline->model, baseline->options->output);
}

/* EXIT_OK when there is something to do, another exit code, or -1 when help was asked for. */
static int parse(int argc, char **argv, struct baseline_options *options)
{
	static const struct option known[] = {
		{"output", required_argument, NULL, 'o'},
		FLOW_LONG_OPTIONS,
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	optind = 0;
	while ((option = getopt_long(argc, argv, "ho:", known, NULL)) != -1) {
		if (option == 'o') {
			options->output = optarg;
		} else if (option == 'h') {
			fputs(usage, stdout);
			fputs(flow_options_help, stdout);
			return -1;
		} else if (!flow_options_has(option)) {
			fputs("Try 'wirescore model baseline --help'.\n", stderr);
			return EXIT_USAGE;
		} else if (flow_options_take(&options->flow, option, optarg)) {
			return EXIT_USAGE;
		}
	}
	if (!options->output)
		return usage_error("model baseline", "say where to write the model: -o FILE");
	if (argc - optind < 2)
		return usage_error("model baseline", "name a model, and captures or tables to compare with");
	if (!options->flow.config.n_flows)
		return usage_error("model baseline", "--flows 0 leaves nothing to compare with");
	options->model_path = argv[optind];
	options->inputs = argv + optind + 1;
	options->n_inputs = argc - optind - 1;
	return flow_options_finish(&options->flow) ? EXIT_FAILED : EXIT_OK;
}

int model_baseline_run(int argc, char **argv)
{
	struct baseline_options options = {0};
	struct baseline baseline = {.options = &options};
	int code;

	flow_options_init(&options.flow);
	code = parse(argc, argv, &options);
	if (code < 0)
		return finish_stdout();
	if (code == EXIT_OK) {
		interrupt_catch();
		code = baseline_make(&baseline);
	}
	free(baseline.rows.bytes);
	model_free(baseline.model);
	return code;
}
