/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `wirescore model show FILE` says what a model file holds; `wirescore model score FILE [ROWS]` runs rows of
 * numbers through it, to compare with ONNX Runtime or whatever else the model came from; `wirescore model baseline`
 * is in model_baseline.c. Called by main.c.
 */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "input_bins.h"
#include "json_text.h"
#include "model.h"
#include "model_baseline.h"

static const char usage[] =
	"Usage: wirescore model show [--json] FILE\n"
	"       wirescore model score [--kernel NAME] FILE [ROWS|-]\n"
	"       wirescore model baseline [OPTION]... -o OUT FILE INPUT...\n"
	"\n"
	"show      prints the layers, parameters, features, classes, threshold and training facts of a model.\n"
	"score     reads rows of numbers, one row a line, separated by commas, from ROWS or stdin, and prints the\n"
	"          scores of each row the same way. A first line without any number is a header.\n"
	"baseline  writes a copy of a model that knows what its inputs look like in captures or tables, to tell drift\n"
	"          by; 'wirescore model baseline --help' has its options.\n"
	"\n"
	"Options:\n"
	"  --json         show: one JSON object\n"
	"  --kernel NAME  score: use this kernel (see 'wirescore kernels')\n"
	"  -h, --help     show this help\n";

/* ---- show ---- */

/* What a number is behind its stem, "byte12" giving stem length 4 and 12. False when there is none. */
static bool split_number(const char *name, size_t *stem, unsigned long *number)
{
	size_t n = strlen(name), at = n;
	while (at > 0 && name[at - 1] >= '0' && name[at - 1] <= '9')
		at--;
	/* Leading zeros would not come back when the range is read. */
	if (at == n || n - at > 9 || (name[at] == '0' && n - at > 1))
		return false;
	*stem = at;
	*number = strtoul(name + at, NULL, 10);
	return true;
}

/* Names separated by commas, numbered ones as ranges: "byte0..byte21". */
static void print_names(char *const *names, uint32_t n)
{
	for (uint32_t i = 0; i < n;) {
		uint32_t last = i;
		size_t stem, next_stem;
		unsigned long number, next;
		if (split_number(names[i], &stem, &number)) {
			while (last + 1 < n && split_number(names[last + 1], &next_stem, &next) &&
			       next_stem == stem && strncmp(names[i], names[last + 1], stem) == 0 &&
			       next == number + (last + 1 - i))
				last++;
		}
		if (last < i + 2)
			last = i;
		printf("%s%s", i > 0 ? ", " : "", names[i]);
		if (last > i)
			printf("..%s", names[last]);
		i = last + 1;
	}
	putchar('\n');
}

/* One number where all are equal, else that they differ. */
static void print_per_input(const char *what, const float *values, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++) {
		if (values[i] != values[0]) {
			printf("%s per input", what);
			return;
		}
	}
	printf("%s %g", what, (double)values[0]);
}

/* Which inputs the logarithm is taken of, by name where the model names them, else by number from 1. */
static void print_logarithms(const struct model *model)
{
	const struct nn_network *network = &model->network;
	static char numbers[NN_MAX_WIDTH][16];
	char *names[NN_MAX_WIDTH];
	uint32_t n = 0;

	for (uint32_t i = 0; i < network->n_in; i++) {
		if (!network->input_log[i])
			continue;
		snprintf(numbers[i], sizeof(numbers[i]), "input%u", i + 1);
		names[n++] = model->n_features > 0 ? model->features[i] : numbers[i];
	}
	printf("  input      ln(1 + max(x, 0)) of %u: ", n);
	print_names(names, n);
}

static void print_layers(const struct model *model)
{
	const struct nn_network *network = &model->network;
	char shape[128];
	printf("network      %s, %zu parameters\n", nn_network_shape(network, shape, sizeof(shape)),
	       nn_network_n_parameters(network));
	if (network->input_log != NULL)
		print_logarithms(model);
	if (network->has_input_stage) {
		if (network->input_centre != NULL) {
			print_per_input("  input      centre", network->input_centre, network->n_in);
			print_per_input(", scale", network->input_scale, network->n_in);
		} else {
			print_per_input("  input      scale", network->input_scale, network->n_in);
		}
		print_per_input(", shift", network->input_shift, network->n_in);
		if (isfinite(network->input_low) || isfinite(network->input_high))
			printf(", clip [%g, %g]", (double)network->input_low, (double)network->input_high);
		putchar('\n');
	}
	for (uint32_t l = 0; l < network->n_layers; l++) {
		const struct nn_layer *layer = &network->layers[l];
		printf("  layer %-4u %u -> %u, %s", l + 1, layer->n_in, layer->n_out,
		       nn_activation_name(layer->activation));
		if (layer->activation == NN_LEAKY_RELU)
			printf(" %g", (double)layer->alpha);
		if (layer->activation == NN_CLIP)
			printf(" [%g, %g]", (double)layer->low, (double)layer->high);
		putchar('\n');
	}
}

/* Whether drift can be told; the numbers themselves are for programs. */
static void print_bins(const struct model *model)
{
	char error[256];
	struct input_bins *bins;

	if (input_bins_read(model, &bins, error, sizeof(error)) != 0)
		printf("bins         of no use: %s\n", error);
	else if (bins != NULL)
		printf("bins         of all %u inputs, to tell drift by\n", model->network.n_in);
	else
		puts("bins         none: drift cannot be told");
	free(bins);
}

static void show_text(const struct model *model)
{
	printf("task         %s\n", model_task_name(model->task));
	print_layers(model);
	if (model->n_features > 0) {
		printf("features     %u: ", model->n_features);
		print_names(model->features, model->n_features);
	}
	if (model->n_classes > 0) {
		printf("classes      %u: ", model->n_classes);
		print_names(model->classes, model->n_classes);
	}
	printf("threshold    %g\n", (double)model->threshold);
	if (model->n_checkpoints > 0) {
		printf("checkpoints  packet ");
		for (uint32_t i = 0; i < model->n_checkpoints; i++) {
			if (model->checkpoints[i] == 0)
				printf("%send", i > 0 ? ", " : "");
			else
				printf("%s%u", i > 0 ? ", " : "", model->checkpoints[i]);
		}
		putchar('\n');
	}
	if (model->schema != NULL)
		printf("schema       %s\n", model->schema);
	if (model->producer != NULL)
		printf("producer     %s\n", model->producer);
	print_bins(model);
	int width = 0;
	for (uint32_t i = 0; i < model->n_facts; i++)
		width = (int)strlen(model->facts[i].name) > width ? (int)strlen(model->facts[i].name) : width;
	bool is_first = true;
	for (uint32_t i = 0; i < model->n_facts; i++) {
		if (input_bins_is_fact(model->facts[i].name))
			continue;
		printf("%s  %-*s %s\n", is_first ? "training\n" : "", width, model->facts[i].name,
		       model->facts[i].value);
		is_first = false;
	}
}

/* The number with the fewest digits that is this float: 0.1, not 0.100000001. */
static json_t *json_float(float value)
{
	char text[32];
	int digits = 6;
	do
		snprintf(text, sizeof(text), "%.*g", digits, (double)value);
	while (digits++ < 9 && strtof(text, NULL) != value);
	return json_real(strtod(text, NULL));
}

/* A bound that does not bound is null. */
static json_t *json_bound(float value)
{
	return isfinite(value) ? json_float(value) : json_null();
}

static json_t *json_floats(const float *values, uint32_t n)
{
	json_t *list = json_array();
	for (uint32_t i = 0; i < n; i++)
		json_array_append_new(list, json_float(values[i]));
	return list;
}

static json_t *json_marks(const uint8_t *marks, uint32_t n)
{
	json_t *list = json_array();
	for (uint32_t i = 0; i < n; i++)
		json_array_append_new(list, json_boolean(marks[i]));
	return list;
}

static json_t *json_names(char *const *names, uint32_t n)
{
	json_t *list = json_array();
	for (uint32_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(names[i]));
	return list;
}

static json_t *json_layers(const struct nn_network *network)
{
	json_t *layers = json_array();
	for (uint32_t l = 0; l < network->n_layers; l++) {
		const struct nn_layer *layer = &network->layers[l];
		json_t *object =
			json_pack("{s:I, s:I, s:s}", "inputs", (json_int_t)layer->n_in, "outputs",
				  (json_int_t)layer->n_out, "activation", nn_activation_name(layer->activation));
		if (layer->activation == NN_LEAKY_RELU)
			json_object_set_new(object, "alpha", json_float(layer->alpha));
		if (layer->activation == NN_CLIP) {
			json_object_set_new(object, "low", json_bound(layer->low));
			json_object_set_new(object, "high", json_bound(layer->high));
		}
		json_array_append_new(layers, object);
	}
	return layers;
}

/* 0, or -1 when memory is out. */
static int show_json(const char *path, const struct model *model)
{
	const struct nn_network *network = &model->network;
	char shape[128];
	json_t *stage = json_null(), *checkpoints = json_array(), *training = json_object();

	if (network->has_input_stage) {
		stage = json_object();
		if (network->input_log != NULL)
			json_object_set_new(stage, "log", json_marks(network->input_log, network->n_in));
		if (network->input_centre != NULL)
			json_object_set_new(stage, "centre", json_floats(network->input_centre, network->n_in));
		json_object_set_new(stage, "scale", json_floats(network->input_scale, network->n_in));
		json_object_set_new(stage, "shift", json_floats(network->input_shift, network->n_in));
		json_object_set_new(stage, "low", json_bound(network->input_low));
		json_object_set_new(stage, "high", json_bound(network->input_high));
	}
	for (uint32_t i = 0; i < model->n_checkpoints; i++)
		json_array_append_new(checkpoints, model->checkpoints[i] == 0
							   ? json_string("end")
							   : json_integer((json_int_t)model->checkpoints[i]));
	for (uint32_t i = 0; i < model->n_facts; i++)
		json_object_set_new(training, model->facts[i].name, json_string(model->facts[i].value));
	/* A path need not be UTF-8; then it is left out. */
	json_t *file = json_string(path);
	json_t *root = json_pack("{s:o, s:s, s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "file",
				 file != NULL ? file : json_null(), "task", model_task_name(model->task), "shape",
				 nn_network_shape(network, shape, sizeof(shape)), "parameters",
				 (json_int_t)nn_network_n_parameters(network), "input_stage", stage, "layers",
				 json_layers(network), "features", json_names(model->features, model->n_features),
				 "classes", json_names(model->classes, model->n_classes), "threshold",
				 json_float(model->threshold), "checkpoints", checkpoints, "schema",
				 json_text_or_null(model->schema), "producer", json_text_or_null(model->producer),
				 "training", training);
	/* Nine digits give every float back; json_float has left out those that are not needed. */
	if (root == NULL)
		return -1;
	json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	json_decref(root);
	putchar('\n');
	return 0;
}

/* ---- score ---- */

struct scorer {
	const struct nn_plan *plan;
	const struct nn_kernel *kernel;
	struct nn_scratch *scratch;
	float *rows; /* [NN_MAX_BATCH][n_in] */
	uint32_t n_rows;
};

static void print_scores(struct scorer *scorer)
{
	uint32_t n_in = nn_plan_n_in(scorer->plan), n_out = nn_plan_n_out(scorer->plan);
	static float logits[NN_MAX_BATCH * NN_MAX_WIDTH];
	float scores[NN_MAX_WIDTH];

	if (scorer->n_rows == 0)
		return;
	scorer->kernel->score_floats(scorer->plan, scorer->scratch, scorer->rows, n_in, scorer->n_rows, logits);
	for (uint32_t i = 0; i < scorer->n_rows; i++) {
		nn_output_scores(nn_plan_output(scorer->plan), logits + (size_t)i * n_out, n_out, scores);
		for (uint32_t o = 0; o < n_out; o++)
			printf("%s%.9g", o > 0 ? "," : "", (double)scores[o]);
		putchar('\n');
	}
	scorer->n_rows = 0;
}

/* Reads the number of the field at *at, which ends at a comma or the line's end: then *at is there. */
static bool read_field(const char **at, float *value)
{
	char *end;
	*value = strtof(*at, &end);
	bool number = end != *at;
	end += strspn(end, " \t");
	number &= *end == ',' || *end == '\0';
	*at = end + strcspn(end, ",");
	return number;
}

/* Reads one line into row. 0, or -1 with what is wrong in error. */
static int read_row(const char *line, uint32_t n_in, float *row, char *error, size_t error_size)
{
	for (uint32_t i = 0;; i++, line++) {
		if (i == n_in) {
			snprintf(error, error_size, "more numbers than the model's %u inputs", n_in);
			return -1;
		}
		if (!read_field(&line, &row[i]) || !isfinite(row[i])) {
			snprintf(error, error_size, "field %u is not a finite number", i + 1);
			return -1;
		}
		if (*line == '\0' && i + 1 == n_in)
			return 0;
		if (*line == '\0') {
			snprintf(error, error_size, "%u numbers, but the model has %u inputs", i + 1, n_in);
			return -1;
		}
	}
}

/* No field is a number, be it NaN: a row with one bad field is a bad row, not a header. */
static bool is_header(const char *line)
{
	float value;
	for (;; line++) {
		if (read_field(&line, &value))
			return false;
		if (*line == '\0')
			return true;
	}
}

static int score_lines(struct scorer *scorer, FILE *file, const char *path)
{
	uint32_t n_in = nn_plan_n_in(scorer->plan);
	char *line = NULL, error[128];
	size_t size = 0;
	unsigned long n_lines = 0;
	ssize_t n;
	int rc = EXIT_OK;

	while (rc == EXIT_OK && (n = getline(&line, &size, file)) >= 0) {
		n_lines++;
		if (memchr(line, '\0', (size_t)n) != NULL) {
			complain("%s:%lu: not text", path, n_lines);
			rc = EXIT_FAILED;
			break;
		}
		line[strcspn(line, "\r\n")] = '\0';
		/* Spreadsheets begin a file with a byte order mark. */
		const char *text = n_lines == 1 && strncmp(line, "\xef\xbb\xbf", 3) == 0 ? line + 3 : line;
		if (text[strspn(text, " \t")] == '\0' || (n_lines == 1 && is_header(text)))
			continue;
		if (read_row(text, n_in, scorer->rows + (size_t)scorer->n_rows * n_in, error, sizeof(error)) != 0) {
			complain("%s:%lu: %s", path, n_lines, error);
			rc = EXIT_FAILED;
		} else if (++scorer->n_rows == NN_MAX_BATCH) {
			print_scores(scorer);
		}
	}
	if (rc == EXIT_OK && ferror(file)) {
		complain("%s: cannot read: %s", path, strerror(errno));
		rc = EXIT_FAILED;
	}
	print_scores(scorer);
	free(line);
	return rc;
}

static int score(const struct model *model, const struct nn_kernel *kernel, const char *path)
{
	struct scorer scorer = {.kernel = kernel};
	struct nn_plan *plan = NULL;
	int rc = EXIT_FAILED;
	bool from_stdin = path == NULL || strcmp(path, "-") == 0;
	FILE *file = from_stdin ? stdin : fopen(path, "re");

	if (file == NULL) {
		complain("%s: cannot open: %s", path, strerror(errno));
		return EXIT_FAILED;
	}
	if (nn_plan_create(&model->network, &plan) == 0) {
		scorer.plan = plan;
		scorer.scratch = nn_scratch_create(plan);
		scorer.rows = calloc((size_t)NN_MAX_BATCH * nn_plan_n_in(plan), sizeof(float));
	}
	if (scorer.scratch == NULL || scorer.rows == NULL)
		complain("out of memory");
	else
		rc = score_lines(&scorer, file, from_stdin ? "stdin" : path);
	free(scorer.rows);
	nn_scratch_free(scorer.scratch);
	nn_plan_free(plan);
	if (!from_stdin)
		fclose(file);
	return rc;
}

/* ---- The command ---- */

int cmd_model(int argc, char **argv)
{
	enum { OPTION_JSON = 256, OPTION_KERNEL };
	static const struct option options[] = {
		{"json", no_argument, NULL, OPTION_JSON},
		{"kernel", required_argument, NULL, OPTION_KERNEL},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	bool json = false;
	const char *kernel_name = NULL;
	int option;

	if (argc > 1 && strcmp(argv[1], "baseline") == 0)
		return model_baseline_run(argc - 1, argv + 1);
	optind = 0;
	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case OPTION_JSON:
			json = true;
			break;
		case OPTION_KERNEL:
			kernel_name = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return finish_stdout();
		default:
			fputs("Try 'wirescore model --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	argc -= optind;
	argv += optind;
	if (argc == 0)
		return usage_error("model", "show, score or baseline is needed");
	bool show = strcmp(argv[0], "show") == 0;
	if (!show && strcmp(argv[0], "score") != 0)
		return usage_error("model", "unknown action '%s'; show, score or baseline is needed", argv[0]);
	if (argc < 2)
		return usage_error("model", "a model FILE is needed");
	if (argc > (show ? 2 : 3))
		return usage_error("model", "unexpected argument '%s'", argv[show ? 2 : 3]);
	if (show && kernel_name != NULL)
		return usage_error("model", "--kernel is for score");
	if (!show && json)
		return usage_error("model", "--json is for show");
	const struct nn_kernel *kernel = nn_kernel_find(kernel_name);
	if (kernel == NULL)
		return usage_error("model", "there is no kernel '%s' here; 'wirescore kernels' lists them",
				   kernel_name);

	char error[256];
	struct model *model;
	int rc = EXIT_OK;
	if (model_load(argv[1], &model, error, sizeof(error)) != 0) {
		complain("%s: %s", argv[1], error);
		return EXIT_FAILED;
	}
	if (!show) {
		rc = score(model, kernel, argv[2]);
	} else if (!json) {
		show_text(model);
	} else if (show_json(argv[1], model) != 0) {
		complain("out of memory");
		rc = EXIT_FAILED;
	}
	model_free(model);
	int written = finish_stdout();
	return rc != EXIT_OK ? rc : written;
}
