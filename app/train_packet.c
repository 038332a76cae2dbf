/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `wirescore train packet`: trains a packet model on captures. Called by cmd_train.c; needs no dataplane.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bins_fit.h"
#include "capture.h"
#include "command.h"
#include "input_bins.h"
#include "input_files.h"
#include "interrupt.h"
#include "model_output.h"
#include "network_options.h"
#include "packet_dataset.h"
#include "packet_features.h"
#include "packet_rule.h"
#include "train.h"
#include "train_tasks.h"

#define ERROR_SIZE CAPTURE_ERROR_BYTES
/* Hard frames that are looked through beside the sweep: they vary what it leaves alone. */
#define N_HARD 500000u
/*
 * Rows that a sweep has shown to be wrong are rare late in the training, and the next sweep draws others: once so
 * few are wrong, they are remembered, at most so many, and learned again so many times in every epoch.
 */
#define MEMORY_MAX_WRONG 3000u
#define MEMORY_MAX_ROWS	 60000u
#define MEMORY_COPIES	 8u
/*
 * Exact is who tells so many sweeps right, drawn anew. Asked in the last tenth of the epochs, and before that after
 * each sweep without an error.
 */
#define N_CHECKS 4
struct arguments {
	struct packet_rule rule;
	uint32_t n_bytes;
	const char *output;
	struct train_options options;
	double input_low, input_high; /* what bytes 0 and 255 become */
	double validation;
	bool randomize_macs;
	uint32_t n_exact; /* rows that are mined from the sweep for each epoch; 0: no sweep */
	char **captures;
	int n_captures;
};

/* What a network makes of rows whose labels are known. */
struct verdict {
	uint32_t n_rows, n_wrong;
	float margin; /* the smallest: the logit, negative for class 0 */
};

struct session {
	const struct arguments *arguments;
	struct packet_dataset training;
	struct packet_dataset validation;
	struct packet_dataset memory; /* rows of earlier sweeps that were wrong */
	uint32_t n_captured;	      /* training rows that come from captures; synthetic ones follow */
	struct input_bins *bins;      /* [n_bytes] of those rows as they were captured; NULL: there are none */
	bool is_sweep_right;	      /* the latest that was mined */
	struct verdict exact;	      /* of the final check */
	struct random random;
	struct train *train;
	struct train_score last, last_validation;
	uint32_t n_epochs_run;
};

static void print_help(void)
{
	puts("Usage: wirescore train packet [OPTION]... -o MODEL CAPTURE...\n"
	     "\n"
	     "Trains a network that tells two classes of frames apart by their first bytes, and writes it as ONNX.\n"
	     "The defaults are the classic lab task: 14 bytes, 64 and 16 relu neurons, one sigmoid. The same seed,\n"
	     "options and captures give the same file, byte for byte, on the same kind of CPU.\n"
	     "\n"
	     "  --label RULE         what to learn: ipv4 (bytes 12-13 are 08 00), ip (IPv4 or IPv6, also behind up to\n"
	     "                       two VLAN tags) or ethertype:0xNNNN; default ipv4\n"
	     "  --bytes N            bytes of the frame to read, 1 to 64; default 14 (rule ip looks at 22)\n"
	     "  -o, --output FILE    the model to write\n"
	     "  --hidden A,B,..      neurons of the hidden layers; default 64,16\n"
	     "  --activation NAME    of hidden layers: relu, leaky, tanh or clip (to -1..1); default relu\n"
	     "  --optimizer NAME     rmsprop, adam or sgd; default rmsprop\n"
	     "  --lr X               learning rate; default 0.001 (sgd: 0.01)\n"
	     "  --lr-final X         lower the rate to this along half a cosine; default: it stays\n"
	     "  --epochs N           default 4\n"
	     "  --batch N            frames a step; default 32\n"
	     "  --seed N             default 42\n"
	     "  --validation X       share of the frames that is kept to judge by, 0 to 0.9; default 0.2\n"
	     "  --randomize-macs     redraw the MACs of all captured frames before each epoch, whatever their class, so\n"
	     "                       that nothing can be learned from them\n"
	     "  --input-range L,H    what bytes 0 and 255 become at the first layer; default 0,1\n"
	     "  --bias-range X       draw the first biases of hidden layers from -X to X; default 0\n"
	     "  --input-lasso X      for the first 16th of the epochs pull the first layer's weights of each input\n"
	     "                       towards 0 by this share of the rate a step; inputs that are then small beside the\n"
	     "                       largest are let go for good: the model ignores those bytes; default 0\n"
	     "  --exact N            demand an exact model: learn also from N rows an epoch out of a sweep, every\n"
	     "                       EtherType behind every stack of up to two VLAN tags and in place of each tag\n"
	     "                       before IP, with synthetic frames that are hard to tell; rows that the network\n"
	     "                       gets wrong or is unsure of come first. Nothing is written, and the exit code is\n"
	     "                       1, if one row of the sweep or of the captures (MACs redrawn, if asked) is wrong. Captures\n"
	     "                       are then optional\n"
	     "  --help               this text\n"
	     "\n"
	     "A capture that is cut in the middle is used as far as it goes, with a warning. Ctrl-C stops the training\n"
	     "and writes nothing.");
}

/* ---- Arguments ---- */

static int parse_u32(const char *option, const char *text, uint64_t low, uint64_t high, uint32_t *value)
{
	uint64_t wide;

	if (parse_u64(option, text, low, high, &wide) < 0)
		return -1;
	*value = (uint32_t)wide;
	return 0;
}

static int parse_range(const char *option, const char *text, double *low, double *high)
{
	char *comma = strchr(text, ','), *end;

	if (comma != NULL) {
		*low = strtod(text, &end);
		if (end == comma && end != text) {
			*high = strtod(comma + 1, &end);
			if (end != comma + 1 && *end == '\0' && *low < *high && *low >= -1000 && *high <= 1000)
				return 0;
		}
	}
	complain("%s '%s' is not two numbers from -1000 to 1000, the lower first, with a comma between", option,
		 text);
	return -1;
}

/* EXIT_OK when there is something to do, another exit code, or -1 when help was asked for. */
static int parse_arguments(int argc, char **argv, struct arguments *a)
{
	enum {
		LABEL = 256,
		BYTES,
		VALIDATION,
		RANDOMIZE_MACS,
		INPUT_RANGE,
		BIAS_RANGE,
		INPUT_LASSO,
		EXACT,
		HELP,
	};
	static const struct option known[] = {
		{"label", required_argument, NULL, LABEL},
		{"bytes", required_argument, NULL, BYTES},
		{"output", required_argument, NULL, 'o'},
		NETWORK_LONG_OPTIONS,
		{"validation", required_argument, NULL, VALIDATION},
		{"randomize-macs", no_argument, NULL, RANDOMIZE_MACS},
		{"input-range", required_argument, NULL, INPUT_RANGE},
		{"bias-range", required_argument, NULL, BIAS_RANGE},
		{"input-lasso", required_argument, NULL, INPUT_LASSO},
		{"exact", required_argument, NULL, EXACT},
		{"help", no_argument, NULL, HELP},
		{0},
	};
	struct train_options *o = &a->options;
	int option, rc = 0;

	optind = 0;
	opterr = 0;
	while (rc == 0 && (option = getopt_long(argc, argv, ":o:", known, NULL)) != -1) {
		switch (option) {
		case LABEL:
			rc = packet_rule_parse(optarg, &a->rule);
			if (rc < 0)
				complain("--label '%s' is not ipv4, ip or ethertype:0xNNNN", optarg);
			break;
		case BYTES:
			rc = parse_u32("--bytes", optarg, 1, PACKET_FEATURES_MAX_BYTES, &a->n_bytes);
			break;
		case 'o':
			a->output = optarg;
			break;
		case VALIDATION:
			rc = parse_double("--validation", optarg, 0, 0.9, &a->validation);
			break;
		case RANDOMIZE_MACS:
			a->randomize_macs = true;
			break;
		case INPUT_RANGE:
			rc = parse_range("--input-range", optarg, &a->input_low, &a->input_high);
			break;
		case BIAS_RANGE:
			rc = parse_double("--bias-range", optarg, 0, 1000, &o->bias_range);
			break;
		case INPUT_LASSO:
			rc = parse_double("--input-lasso", optarg, 0, 1000, &o->input_lasso);
			break;
		case EXACT:
			rc = parse_u32("--exact", optarg, 8, 1u << 28, &a->n_exact);
			break;
		case HELP:
			print_help();
			return -1;
		case ':':
			return usage_error("train packet", "%s needs a value", argv[optind - 1]);
		default:
			if (!network_options_has(option))
				return usage_error("train packet", "there is no option %s", argv[optind - 1]);
			rc = network_options_take(o, option, optarg);
			break;
		}
	}
	if (rc < 0)
		return EXIT_USAGE;
	a->captures = argv + optind;
	a->n_captures = argc - optind;
	if (a->output == NULL)
		return usage_error("train packet", "say where to write the model: -o FILE");
	if (a->n_captures == 0 && a->n_exact == 0)
		return usage_error("train packet", "name the captures to train with");
	network_options_finish(o);
	if (o->input_lasso > 0)
		o->n_lasso_epochs = (o->n_epochs + 15) / 16;
	o->n_in = a->n_bytes;
	o->input_scale = (float)((a->input_high - a->input_low) / 255);
	o->input_shift = (float)a->input_low;
	return EXIT_OK;
}

/* ---- Captures ---- */

/* Adds the frames of a capture. 0, or -1 after complaining. */
static int capture_read(const char *path, const struct packet_rule *rule, struct packet_dataset *set)
{
	char error[ERROR_SIZE];
	struct capture *capture;
	struct frame frame;
	int rc;

	if (capture_open_ethernet(path, &capture, error, sizeof(error)) < 0) {
		complain("%s", error);
		return -1;
	}
	while ((rc = capture_next(capture, &frame, error, sizeof(error))) > 0 && !interrupted) {
		rc = packet_dataset_add(set, rule, &frame);
		if (rc < 0) {
			complain("%s: %s after %" PRIu32 " frames: give fewer captures", path, strerror(-rc),
				 set->n_rows);
			capture_close(capture);
			return -1;
		}
	}
	if (rc < 0)
		complain("warning: %s; what was whole is used", error);
	capture_close(capture);
	return 0;
}

/* ---- The sweep ---- */

/*
 * Scores the rows with the kernel that will classify, and adds what comes of it to the verdict. margins is
 * [set->n_rows], or NULL. 0 or a negative errno.
 */
static int rows_judge(const struct session *s, const struct packet_dataset *set, float *margins,
		      struct verdict *verdict)
{
	const struct nn_kernel *kernel = nn_kernel_find(NULL);
	struct nn_scratch *scratch = NULL;
	struct nn_plan *plan = NULL;
	struct nn_network network;
	int rc = train_network(s->train, &network);

	if (rc < 0)
		return rc;
	rc = nn_plan_create(&network, &plan);
	nn_network_free(&network);
	if (rc == 0) {
		scratch = nn_scratch_create(plan);
		rc = scratch != NULL ? 0 : -ENOMEM;
	}
	for (uint32_t at = 0, n; at < set->n_rows && rc == 0; at += n) {
		const uint8_t *rows[NN_MAX_BATCH];
		float logits[NN_MAX_BATCH];

		n = set->n_rows - at < NN_MAX_BATCH ? set->n_rows - at : NN_MAX_BATCH;
		for (uint32_t i = 0; i < n; i++)
			rows[i] = set->rows + (size_t)(at + i) * set->n_bytes;
		kernel->score_bytes(plan, scratch, rows, n, logits);
		for (uint32_t i = 0; i < n; i++) {
			uint8_t label = set->labels[at + i];
			float margin = label != 0 ? logits[i] : -logits[i];

			verdict->n_wrong += (logits[i] >= 0) != label;
			verdict->margin = fminf(verdict->margin, margin);
			if (margins != NULL)
				margins[at + i] = margin;
		}
	}
	verdict->n_rows += rc == 0 ? set->n_rows : 0;
	nn_scratch_free(scratch);
	nn_plan_free(plan);
	return rc;
}

/* The sweep and hard frames, drawn anew, in place of the rows of pool. 0 or a negative errno. */
static int sweep_draw(struct session *s, struct packet_dataset *pool)
{
	const struct packet_rule *rule = &s->arguments->rule;
	int rc;

	packet_dataset_truncate(pool, 0);
	rc = packet_dataset_add_sweep(pool, rule, &s->random);
	return rc < 0 ? rc : packet_dataset_add_hard(pool, rule, N_HARD, &s->random);
}

static int row_copy(struct packet_dataset *to, const struct packet_dataset *from, uint32_t i)
{
	return packet_dataset_add_row(to, from->rows + (size_t)i * from->n_bytes, from->labels[i]);
}

static int wrong_remember(struct session *s, const struct packet_dataset *pool, const float *margins)
{
	int rc = 0;

	for (uint32_t i = 0; i < pool->n_rows && rc == 0 && s->memory.n_rows < MEMORY_MAX_ROWS; i++)
		if (pool->labels[i] != 0 ? margins[i] < 0 : margins[i] <= 0)
			rc = row_copy(&s->memory, pool, i);
	return rc;
}

/* Puts the rows of the coming epoch that are mined from a sweep behind the captured ones. 0 or a negative errno. */
static int sweep_mine(struct session *s)
{
	struct verdict verdict = {.margin = INFINITY};
	struct packet_dataset pool;
	float *margins = NULL;
	int rc;

	packet_dataset_init(&pool, s->arguments->n_bytes);
	rc = sweep_draw(s, &pool);
	if (rc == 0) {
		margins = malloc(pool.n_rows * sizeof(*margins));
		rc = margins != NULL ? rows_judge(s, &pool, margins, &verdict) : -ENOMEM;
	}
	if (rc == 0)
		rc = packet_dataset_add_mined(&s->training, &pool, margins, s->arguments->n_exact, &s->random);
	if (rc == 0 && verdict.n_wrong < MEMORY_MAX_WRONG)
		rc = wrong_remember(s, &pool, margins);
	for (uint32_t i = 0; i < MEMORY_COPIES * s->memory.n_rows && rc == 0; i++)
		rc = row_copy(&s->training, &s->memory, i / MEMORY_COPIES);
	if (rc == 0)
		fprintf(stderr, "sweep of %" PRIu32 " rows  wrong %" PRIu32 "  margin %.3f\n", verdict.n_rows,
			verdict.n_wrong, (double)verdict.margin);
	s->is_sweep_right = rc == 0 && verdict.n_wrong == 0;
	packet_dataset_free(&pool);
	free(margins);
	return rc;
}

/*
 * Judges sweeps drawn anew, and all rows of the captures; s->exact is what came of it. What was wrong is
 * remembered: the next check draws other rows. An exit code.
 */
static int exact_check(struct session *s)
{
	struct packet_dataset pool;
	int rc;

	s->exact = (struct verdict){.margin = INFINITY};
	packet_dataset_truncate(&s->training, s->n_captured);
	packet_dataset_init(&pool, s->arguments->n_bytes);
	rc = rows_judge(s, &s->training, NULL, &s->exact);
	rc = rc < 0 ? rc : rows_judge(s, &s->validation, NULL, &s->exact);
	for (int i = 0; i < N_CHECKS && rc == 0 && !interrupted; i++) {
		float *margins = NULL;

		rc = sweep_draw(s, &pool);
		if (rc == 0) {
			margins = malloc(pool.n_rows * sizeof(*margins));
			rc = margins != NULL ? rows_judge(s, &pool, margins, &s->exact) : -ENOMEM;
		}
		if (rc == 0 && s->exact.n_wrong < MEMORY_MAX_WRONG)
			rc = wrong_remember(s, &pool, margins);
		free(margins);
	}
	packet_dataset_free(&pool);
	if (interrupted)
		return EXIT_INTERRUPTED;
	if (rc < 0) {
		complain("the check of %d sweeps: %s", N_CHECKS, strerror(-rc));
		return EXIT_FAILED;
	}
	fprintf(stderr, "check of %" PRIu32 " rows  wrong %" PRIu32 "  margin %.3f\n", s->exact.n_rows,
		s->exact.n_wrong, (double)s->exact.margin);
	return EXIT_OK;
}

/*
 * Takes down what the captured rows look like, before MACs are redrawn: so do live packets. Rows of a sweep look like no
 * network. 0 or -ENOMEM.
 */
static int bins_make(struct session *s)
{
	const struct packet_dataset *set = &s->training;

	if (set->n_rows == 0)
		return 0;
	s->bins = calloc(set->n_bytes, sizeof(*s->bins));
	return s->bins != NULL ? bins_fit_bytes(set->rows, set->n_rows, set->n_bytes, s->bins) : -ENOMEM;
}

/* Reads the captures and splits them. An exit code. */
static int data_prepare(struct session *s)
{
	const struct arguments *a = s->arguments;
	struct packet_dataset *set = &s->training;
	char names[2][16], error[ERROR_SIZE];
	int rc;

	for (int i = 0; i < a->n_captures; i++) {
		if (capture_read(a->captures[i], &a->rule, set) < 0)
			return EXIT_FAILED;
		if (interrupted)
			return EXIT_INTERRUPTED;
	}
	packet_rule_classes(&a->rule, names);
	if (a->n_exact == 0 && packet_dataset_check(set, names, error, sizeof(error)) < 0) {
		complain("%s", error);
		return EXIT_FAILED;
	}
	fprintf(stderr, "%" PRIu32 " frames: %" PRIu32 " %s, %" PRIu32 " %s\n", set->n_rows, set->n_class[1],
		names[1], set->n_class[0], names[0]);
	if (set->n_short > 0)
		fprintf(stderr, "%" PRIu32 " frames shorter than %" PRIu32 " bytes were padded with zeros\n",
			set->n_short, a->n_bytes);
	if (set->n_ambiguous > 0)
		fprintf(stderr, "%" PRIu32 " frames that end inside their EtherType were left out\n",
			set->n_ambiguous);
	rc = packet_dataset_split(set, a->validation, &s->random, &s->validation);
	s->n_captured = set->n_rows;
	if (a->randomize_macs)
		packet_dataset_randomize_macs(&s->validation, &s->random);
	if (rc < 0) {
		complain("the validation set: %s", strerror(-rc));
		return EXIT_FAILED;
	}
	/* The only frames of a class may all have been drawn for validation. */
	if (a->n_exact == 0 && packet_dataset_check(set, names, error, sizeof(error)) < 0) {
		complain("without the validation set: %s", error);
		return EXIT_FAILED;
	}
	if (bins_make(s) < 0) {
		complain("out of memory");
		return EXIT_FAILED;
	}
	return EXIT_OK;
}

/* ---- Training ---- */

/* The last step may have been the one too far: its loss shows only now. An exit code. */
static int result_check(struct session *s)
{
	const struct packet_dataset *set = s->validation.n_rows > 0 ? &s->validation : &s->training;
	struct train_data data = {.bytes = set->rows, .labels = set->labels, .n_rows = set->n_rows};

	if (isfinite(train_measure(s->train, &data).loss))
		return EXIT_OK;
	complain("the loss is not finite after the last epoch: try a lower --lr");
	return EXIT_FAILED;
}

static int epochs_run(struct session *s)
{
	const struct arguments *a = s->arguments;
	struct train_data validation = {
		.bytes = s->validation.rows, .labels = s->validation.labels, .n_rows = s->validation.n_rows};
	const struct train_options *o = &a->options;
	uint32_t n_epochs = o->n_epochs;

	for (uint32_t epoch = 0; epoch < n_epochs; epoch++) {
		struct train_data data;
		bool is_last;
		int rc = 0;

		packet_dataset_truncate(&s->training, s->n_captured);
		if (a->randomize_macs)
			packet_dataset_randomize_macs(&s->training, &s->random);
		/* Until the idle inputs are gone the network is unsure of everything. */
		if (a->n_exact > 0 && epoch < o->n_lasso_epochs)
			rc = packet_dataset_add_hard(&s->training, &a->rule, a->n_exact, &s->random);
		else if (a->n_exact > 0)
			rc = sweep_mine(s);
		data = (struct train_data){
			.bytes = s->training.rows, .labels = s->training.labels, .n_rows = s->training.n_rows};
		if (rc == 0)
			rc = train_epoch(s->train, &data, &interrupted, &s->last);
		if (interrupted)
			return EXIT_INTERRUPTED;
		if (rc == -ERANGE) {
			complain("the loss is not finite in epoch %" PRIu32 ": try a lower --lr", epoch + 1);
			return EXIT_FAILED;
		}
		if (rc < 0) {
			complain("epoch %" PRIu32 ": %s", epoch + 1, strerror(-rc));
			return EXIT_FAILED;
		}
		fprintf(stderr, "epoch %" PRIu32 "/%" PRIu32 "  loss %.6f  accuracy %.6f", epoch + 1, n_epochs,
			s->last.loss, s->last.accuracy);
		if (validation.n_rows > 0) {
			s->last_validation = train_measure(s->train, &validation);
			fprintf(stderr, "  validation loss %.6f  accuracy %.6f", s->last_validation.loss,
				s->last_validation.accuracy);
		}
		fputc('\n', stderr);
		s->n_epochs_run = epoch + 1;
		is_last = epoch + 1 == n_epochs;
		if (a->n_exact > 0 && (s->is_sweep_right || epoch >= n_epochs - n_epochs / 10 || is_last)) {
			int code = exact_check(s);

			if (code != EXIT_OK)
				return code;
			if (s->exact.n_wrong == 0)
				return EXIT_OK;
		}
	}
	if (a->n_exact == 0)
		return result_check(s);
	complain("the model is not exact: %" PRIu32 " of %" PRIu32
		 " rows are told wrong; nothing is written: try another --seed or more --epochs",
		 s->exact.n_wrong, s->exact.n_rows);
	return EXIT_FAILED;
}

/* ---- The model ---- */

/* The bytes that the network reads, the others having been let go. */
static int fact_add_inputs(struct model *model, const struct session *s)
{
	char *bytes = NULL;
	size_t size;
	FILE *stream = open_memstream(&bytes, &size);
	const char *comma = "";
	int rc;

	if (stream == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->arguments->n_bytes; i++) {
		if (!train_keeps_input(s->train, i))
			continue;
		fprintf(stream, "%s%" PRIu32, comma, i);
		comma = ",";
	}
	rc = fclose(stream) == 0 ? model_add_fact(model, "bytes_read", bytes) : -ENOMEM;
	free(bytes);
	return rc;
}

/* How the model came about: no dates and no paths, so that the same run gives the same file. */
static int facts_add(struct model *model, const struct session *s)
{
	const struct arguments *a = s->arguments;
	const struct train_options *o = &a->options;
	char label[32];
	int rc;

	rc = model_add_fact(model, "label", packet_rule_text(&a->rule, label, sizeof(label)));
	rc = rc < 0 ? rc : model_output_add_fact(model, "captures", "%d", a->n_captures);
	if (a->n_captures > 0)
		rc = rc < 0 ? rc : model_output_add_files(model, "capture_names", a->captures, a->n_captures);
	if (a->options.n_lasso_epochs > 0)
		rc = rc < 0 ? rc : fact_add_inputs(model, s);
	rc = rc < 0 ? rc : model_output_add_fact(model, "rows", "%" PRIu32, s->n_captured);
	rc = rc < 0 ? rc : model_output_add_fact(model, "rows_validation", "%" PRIu32, s->validation.n_rows);
	rc = rc < 0 ? rc : model_output_add_fact(model, "epochs", "%" PRIu32, s->n_epochs_run);
	if (s->n_epochs_run < o->n_epochs)
		rc = rc < 0 ? rc : model_output_add_fact(model, "epochs_planned", "%" PRIu32, o->n_epochs);
	rc = rc < 0 ? rc : model_output_add_options(model, o);
	rc = rc < 0 ? rc : model_output_add_fact(model, "randomize_macs", "%s", a->randomize_macs ? "yes" : "no");
	rc = rc < 0 ? rc : model_output_add_fact(model, "input_range", "%g,%g", a->input_low, a->input_high);
	rc = rc < 0 ? rc : model_output_add_fact(model, "bias_range", "%g", o->bias_range);
	rc = rc < 0 ? rc : model_output_add_fact(model, "input_lasso", "%g", o->input_lasso);
	if (a->n_exact > 0) {
		rc = rc < 0 ? rc : model_output_add_fact(model, "exact", "%" PRIu32, a->n_exact);
		rc = rc < 0 ? rc : model_output_add_fact(model, "exact_rows", "%" PRIu32, s->exact.n_rows);
		rc = rc < 0 ? rc : model_output_add_fact(model, "exact_margin", "%.3f", (double)s->exact.margin);
	}
	/* Of an exact model they would be those of the rows that were mined because they are hard. */
	if (a->n_exact == 0) {
		rc = rc < 0 ? rc : model_output_add_fact(model, "loss", "%.6f", s->last.loss);
		rc = rc < 0 ? rc : model_output_add_fact(model, "accuracy", "%.6f", s->last.accuracy);
	}
	if (s->validation.n_rows > 0) {
		rc = rc < 0 ? rc : model_output_add_fact(model, "validation_loss", "%.6f", s->last_validation.loss);
		rc = rc < 0 ? rc
			    : model_output_add_fact(model, "validation_accuracy", "%.6f",
						    s->last_validation.accuracy);
	}
	return rc;
}

static int model_fill(struct model *model, const struct session *s)
{
	const struct arguments *a = s->arguments;
	char feature_names[PACKET_FEATURES_MAX_BYTES][16], class_names[2][16];
	char schema[PACKET_FEATURES_SCHEMA_SIZE];
	const char *features[PACKET_FEATURES_MAX_BYTES];
	const char *classes[2] = {class_names[0], class_names[1]};
	int rc = train_network(s->train, &model->network);

	model->task = MODEL_TASK_PACKET;
	model->threshold = 0.5f;
	for (uint32_t i = 0; i < a->n_bytes; i++)
		features[i] = packet_features_name(i, feature_names[i], sizeof(feature_names[i]));
	packet_rule_classes(&a->rule, class_names);
	packet_features_schema(a->n_bytes, schema);
	rc = rc < 0 ? rc : model_set_features(model, features, a->n_bytes);
	rc = rc < 0 ? rc : model_set_classes(model, classes, 2);
	rc = rc < 0 ? rc : model_set_schema(model, schema);
	rc = rc < 0 ? rc : facts_add(model, s);
	return rc < 0 || s->bins == NULL ? rc : input_bins_write(model, s->bins);
}

static int model_write(const struct session *s)
{
	struct model *model = model_new();
	int code = EXIT_FAILED, rc = model != NULL ? model_fill(model, s) : -ENOMEM;

	if (rc < 0)
		complain("%s: %s", s->arguments->output, strerror(-rc));
	else
		code = model_output_save(model, s->arguments->output);
	model_free(model);
	return code;
}

/* Whether the model can be written, and over no capture. An exit code. */
static int files_check(const struct arguments *a)
{
	struct input_files inputs = {0};
	int code = model_output_check(a->output);

	if (code == EXIT_OK)
		code = input_files_add(&inputs, a->captures, a->n_captures);
	if (code == EXIT_OK)
		code = input_files_check_output(&inputs, a->output);
	input_files_free(&inputs);
	return code;
}

static int session_run(struct session *s)
{
	char error[ERROR_SIZE];
	const struct arguments *a = s->arguments;
	int code = files_check(a);

	if (code != EXIT_OK)
		return code;
	if (train_create(&a->options, &s->train, error, sizeof(error)) < 0) {
		complain("%s", error);
		return EXIT_FAILED;
	}
	code = data_prepare(s);
	if (code == EXIT_OK)
		code = epochs_run(s);
	return code == EXIT_OK ? model_write(s) : code;
}

int train_packet_run(int argc, char **argv)
{
	struct arguments arguments = {
		.rule = {.kind = PACKET_RULE_IPV4},
		.n_bytes = 14,
		.input_low = 0,
		.input_high = 1,
		.validation = 0.2,
		.options =
			{
				.n_hidden = 2,
				.hidden = {64, 16},
				.activation = NN_RELU,
				.alpha = 0.01f,
				.n_classes = 2,
				.optimizer = TRAIN_RMSPROP,
				.n_epochs = 4,
				.batch = 32,
				.seed = 42,
			},
	};
	struct session session = {.arguments = &arguments};
	int code = parse_arguments(argc, argv, &arguments);

	if (code != EXIT_OK)
		return code < 0 ? EXIT_OK : code;
	packet_dataset_init(&session.training, arguments.n_bytes);
	packet_dataset_init(&session.memory, arguments.n_bytes);
	packet_dataset_init(&session.validation, arguments.n_bytes);
	/* A stream of its own: the initial weights do not depend on how many rows there are. */
	random_seed(&session.random, arguments.options.seed ^ 0x6461746173657421u);
	interrupt_catch();
	code = session_run(&session);
	train_free(session.train);
	free(session.bins);
	packet_dataset_free(&session.training);
	packet_dataset_free(&session.validation);
	packet_dataset_free(&session.memory);
	return code;
}
