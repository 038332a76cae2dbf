/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `wirescore eval MODEL CAPTURE...`: judges a packet model by the exact rule, frame by frame, and says which
 * bytes it leans on. Called by main.c; needs no dataplane, but scores with its kernels.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "classify.h"
#include "command.h"
#include "interrupt.h"
#include "json_text.h"
#include "metrics.h"
#include "model.h"
#include "packet_dataset.h"
#include "packet_features.h"
#include "packet_rule.h"

#define ERROR_SIZE	   CAPTURE_ERROR_BYTES
#define SHOWN_BYTES	   32
#define N_PERMUTATIONS	   5
#define MAX_SHOWN	   1000000
#define IMPORTANCE_COLUMNS 40

struct arguments {
	const char *model_path;
	const char *rule_text; /* NULL: as the model's facts say */
	const char *kernel_name;
	uint64_t n_shown;
	uint64_t seed;
	bool explain;
	bool json;
	char **captures;
	uint32_t n_captures;
};

/* A frame that the model got wrong. */
struct mistake {
	uint32_t capture; /* index of arguments.captures */
	uint64_t frame;	  /* counted from 1 in its capture, as tcpdump -# does */
	uint32_t captured_bytes;
	float logit;
	uint8_t truth, said;
	uint8_t bytes[SHOWN_BYTES];
};

/* What permuting one byte across all frames costs. */
struct importance {
	uint32_t byte;
	double accuracy_drop;
	double log_loss_rise;
};

struct evaluation {
	const struct arguments *arguments;
	struct packet_rule rule;
	char classes[2][16];
	struct packet_engine *engine;
	struct classifier *classifier;
	struct stats_block *stats; /* the classifier's */

	struct metrics *metrics; /* of each capture, then of all */
	double log_loss_sum;
	uint64_t n_scored;
	uint64_t n_untyped; /* frames that end before their type: not scored, of the first class by definition */
	uint64_t n_padded;
	uint64_t n_dropped; /* frames for which the model's sums overflowed: not judged */
	bool has_failed;    /* a capture could not be read to its end; the others are judged all the same */
	struct mistake *mistakes;
	uint64_t n_mistakes; /* kept, at most arguments.n_shown */
	struct packet_dataset rows;
	struct importance importance[PACKET_FEATURES_MAX_BYTES];

	/* The frames read but not judged yet. libpcap's bytes do not stay: they are copied as far as models see. */
	uint32_t n_waiting;
	struct mistake waiting[CLASSIFY_MAX_BURST];
	struct frame frames[CLASSIFY_MAX_BURST];
	uint8_t bytes[CLASSIFY_MAX_BURST][PACKET_FEATURES_MAX_BYTES];
};

static void print_help(void)
{
	puts("Usage: wirescore eval [OPTION]... MODEL CAPTURE...\n"
	     "\n"
	     "Judges a packet model on captures by the exact rule: confusion matrix, accuracy, balanced accuracy,\n"
	     "precision, recall, F1 and log loss, beside the rule itself and the answer that is always the commonest\n"
	     "class. A ratio of 0 to 0 is printed as 0. A frame that ends before its type is not scored: it is of\n"
	     "the first class by definition.\n"
	     "\n"
	     "  --label RULE       ipv4, ip or ethertype:0xNNNN; default: what the model was trained with\n"
	     "  --show-errors N    hex dump of the first N frames that it got wrong\n"
	     "  --explain          permutation importance: what it costs to shuffle each byte across all frames\n"
	     "  --seed N           of the permutations; default 42\n"
	     "  --kernel NAME      score with this kernel; 'wirescore kernels' lists them\n"
	     "  --json             print one JSON object\n"
	     "  --help             this text\n"
	     "\n"
	     "A capture that is cut in the middle is used as far as it goes; the exit status is then 1.");
}

/* EXIT_OK when there is something to do, another exit code, or -1 when help was asked for. */
static int parse_arguments(int argc, char **argv, struct arguments *a)
{
	enum { LABEL = 256, SHOW_ERRORS, EXPLAIN, SEED, KERNEL, JSON, HELP };
	static const struct option known[] = {
		{"label", required_argument, NULL, LABEL},   {"show-errors", required_argument, NULL, SHOW_ERRORS},
		{"explain", no_argument, NULL, EXPLAIN},     {"seed", required_argument, NULL, SEED},
		{"kernel", required_argument, NULL, KERNEL}, {"json", no_argument, NULL, JSON},
		{"help", no_argument, NULL, HELP},	     {0},
	};
	int option, rc = 0;

	optind = 0;
	opterr = 0;
	while (rc == 0 && (option = getopt_long(argc, argv, ":", known, NULL)) != -1) {
		switch (option) {
		case LABEL:
			a->rule_text = optarg;
			break;
		case SHOW_ERRORS:
			rc = parse_u64("--show-errors", optarg, 0, MAX_SHOWN, &a->n_shown);
			break;
		case EXPLAIN:
			a->explain = true;
			break;
		case SEED:
			rc = parse_u64("--seed", optarg, 0, UINT64_MAX, &a->seed);
			break;
		case KERNEL:
			a->kernel_name = optarg;
			break;
		case JSON:
			a->json = true;
			break;
		case HELP:
			print_help();
			return -1;
		case ':':
			return usage_error("eval", "%s needs a value", argv[optind - 1]);
		default:
			return usage_error("eval", "there is no option %s", argv[optind - 1]);
		}
	}
	if (rc < 0)
		return EXIT_USAGE;
	if (argc - optind < 2)
		return usage_error("eval", "name a model and the captures to judge it on");
	a->model_path = argv[optind];
	a->captures = argv + optind + 1;
	a->n_captures = (uint32_t)(argc - optind - 1);
	return EXIT_OK;
}

/* ---- Scoring ---- */

static void verdict_add(struct evaluation *e, const struct mistake *frame)
{
	metrics_add(&e->metrics[frame->capture], frame->truth, frame->said, 1);
	if (frame->truth != frame->said && e->n_mistakes < e->arguments->n_shown)
		e->mistakes[e->n_mistakes++] = *frame;
}

/* Judges the frames that wait, as the dataplane would. 0 or a negative errno. */
static int waiting_judge(struct evaluation *e)
{
	struct verdict verdicts[CLASSIFY_MAX_BURST];
	uint8_t row[PACKET_FEATURES_MAX_BYTES];
	int rc = 0;

	classify_burst(e->classifier, PACKET_LINK_ETHERNET, e->frames, e->n_waiting, verdicts);
	for (uint32_t i = 0; i < e->n_waiting && rc == 0; i++) {
		struct mistake *frame = &e->waiting[i];

		if (verdicts[i].class == VERDICT_NONE) {
			e->n_dropped++;
			continue;
		}
		frame->logit = verdicts[i].logit;
		frame->said = verdicts[i].class == VERDICT_POSITIVE;
		verdict_add(e, frame);
		if (verdicts[i].logit == -INFINITY)
			continue;
		e->n_scored++;
		e->log_loss_sum += metrics_log_loss(verdicts[i].logit, frame->truth);
		packet_features_row(&e->frames[i], e->engine->n_inputs, row);
		if (e->arguments->explain)
			rc = packet_dataset_add_row(&e->rows, row, frame->truth);
	}
	e->n_waiting = 0;
	return rc;
}

static int frame_add(struct evaluation *e, uint32_t capture, uint64_t number, const struct frame *frame)
{
	uint32_t at = e->n_waiting++;

	e->waiting[at] = (struct mistake){
		.capture = capture,
		.frame = number,
		.captured_bytes = frame->captured_bytes,
		.truth = packet_rule_matches(&e->rule, frame),
	};
	packet_features_row(frame, SHOWN_BYTES, e->waiting[at].bytes);
	e->frames[at] = *frame;
	e->frames[at].data = e->bytes[at];
	e->frames[at].captured_bytes = packet_features_row(frame, PACKET_FEATURES_MAX_BYTES, e->bytes[at]);
	return e->n_waiting == CLASSIFY_MAX_BURST ? waiting_judge(e) : 0;
}

/* Judges a capture as far as it can be read. An exit code: EXIT_FAILED ends the run. */
static int capture_judge(struct evaluation *e, uint32_t index)
{
	const char *path = e->arguments->captures[index];
	char error[ERROR_SIZE];
	struct capture *capture;
	struct frame frame;
	uint64_t n_frames = 0;
	int rc, failed = 0;

	if (capture_open_ethernet(path, &capture, error, sizeof(error)) < 0) {
		complain("%s", error);
		e->has_failed = true;
		return EXIT_OK;
	}
	while ((rc = capture_next(capture, &frame, error, sizeof(error))) > 0 && failed == 0 &&
	       !atomic_load(&interrupted))
		failed = frame_add(e, index, ++n_frames, &frame);
	if (failed == 0)
		failed = waiting_judge(e);
	capture_close(capture);
	if (failed < 0) {
		complain("%s: frame %" PRIu64 ": %s", path, n_frames, strerror(-failed));
		return EXIT_FAILED;
	}
	if (rc < 0) {
		complain("%s", error);
		e->has_failed = true;
	}
	return atomic_load(&interrupted) ? EXIT_INTERRUPTED : EXIT_OK;
}

/* ---- Permutation importance (Breiman, 2001) ---- */

static int importance_compare(const void *left, const void *right)
{
	const struct importance *a = left, *b = right;

	if (a->accuracy_drop != b->accuracy_drop)
		return a->accuracy_drop < b->accuracy_drop ? 1 : -1;
	if (a->log_loss_rise != b->log_loss_rise)
		return a->log_loss_rise < b->log_loss_rise ? 1 : -1;
	return (a->byte > b->byte) - (a->byte < b->byte);
}

/*
 * Accuracy and log loss of all rows where one byte comes from the row that order names; order NULL: as they are.
 */
static void rows_judge(const struct evaluation *e, uint32_t byte, const uint32_t *order, double *accuracy,
		       double *log_loss)
{
	const struct packet_dataset *set = &e->rows;
	uint8_t copies[CLASSIFY_MAX_BURST][PACKET_FEATURES_MAX_BYTES] = {0};
	struct verdict verdicts[CLASSIFY_MAX_BURST];
	struct frame frames[CLASSIFY_MAX_BURST];
	uint64_t n_right = 0;

	*log_loss = 0;
	for (uint32_t at = 0, n; at < set->n_rows; at += n) {
		n = set->n_rows - at < CLASSIFY_MAX_BURST ? set->n_rows - at : CLASSIFY_MAX_BURST;
		for (uint32_t i = 0; i < n; i++) {
			memcpy(copies[i], set->rows + (size_t)(at + i) * set->n_bytes, set->n_bytes);
			if (order != NULL)
				copies[i][byte] = set->rows[(size_t)order[at + i] * set->n_bytes + byte];
			frames[i] = (struct frame){copies[i], sizeof(copies[i]), sizeof(copies[i]), 0, 0};
		}
		classify_burst(e->classifier, PACKET_LINK_ETHERNET, frames, n, verdicts);
		for (uint32_t i = 0; i < n; i++) {
			n_right += (verdicts[i].class == VERDICT_POSITIVE) == set->labels[at + i];
			*log_loss += metrics_log_loss(verdicts[i].logit, set->labels[at + i]);
		}
	}
	*accuracy = (double)n_right / set->n_rows;
	*log_loss /= set->n_rows;
}

static int importance_measure(struct evaluation *e)
{
	double accuracy, log_loss, base_accuracy, base_log_loss;
	uint32_t *order;
	struct random random;

	if (e->rows.n_rows == 0)
		return EXIT_OK;
	order = malloc(e->rows.n_rows * sizeof(*order));
	if (order == NULL) {
		complain("out of memory for --explain: give fewer captures");
		return EXIT_FAILED;
	}
	random_seed(&random, e->arguments->seed);
	rows_judge(e, 0, NULL, &base_accuracy, &base_log_loss);
	for (uint32_t byte = 0; byte < e->rows.n_bytes && !atomic_load(&interrupted); byte++) {
		struct importance *importance = &e->importance[byte];

		importance->byte = byte;
		for (int i = 0; i < N_PERMUTATIONS; i++) {
			random_order(&random, order, e->rows.n_rows);
			rows_judge(e, byte, order, &accuracy, &log_loss);
			importance->accuracy_drop += (base_accuracy - accuracy) / N_PERMUTATIONS;
			importance->log_loss_rise += (log_loss - base_log_loss) / N_PERMUTATIONS;
		}
	}
	free(order);
	qsort(e->importance, e->rows.n_bytes, sizeof(e->importance[0]), importance_compare);
	return atomic_load(&interrupted) ? EXIT_INTERRUPTED : EXIT_OK;
}

static const char *byte_meaning(uint32_t byte)
{
	static const struct {
		uint32_t end;
		const char *meaning;
	} parts[] = {
		{6, "destination MAC"},	 {12, "source MAC"},	    {14, "type or length"},
		{16, "tag or payload"},	 {18, "type behind a tag"}, {20, "2nd tag or payload"},
		{22, "type behind two"},
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (byte < parts[i].end)
			return parts[i].meaning;
	return "payload";
}

/* ---- Output ---- */

/* The matrix of an answer that knows the truth, or that always gives the commonest class. */
static void baseline_fill(const struct metrics *model, bool exact, struct metrics *baseline)
{
	uint64_t n[2];
	uint32_t commonest;

	for (uint32_t c = 0; c < 2; c++)
		n[c] = metrics_count(model, c, 0) + metrics_count(model, c, 1);
	commonest = n[1] > n[0];
	for (uint32_t c = 0; c < 2; c++)
		metrics_add(baseline, c, exact ? c : commonest, n[c]);
}

static void print_ratios(const char *name, const struct metrics *m)
{
	printf("%-16s %9.6f %9.6f %9.6f %9.6f %9.6f\n", name, metrics_accuracy(m), metrics_balanced_accuracy(m),
	       metrics_precision(m, 1), metrics_recall(m, 1), metrics_f1(m, 1));
}

static void print_mistake(const struct evaluation *e, const struct mistake *m)
{
	struct verdict verdict = {.logit = m->logit};
	uint32_t n = m->captured_bytes < SHOWN_BYTES ? m->captured_bytes : SHOWN_BYTES;

	printf("%s frame %" PRIu64 ": is %s, called %s (score %.6f), %" PRIu32 " bytes captured\n",
	       e->arguments->captures[m->capture], m->frame, e->classes[m->truth], e->classes[m->said],
	       verdict_score(&verdict), m->captured_bytes);
	for (uint32_t i = 0; i < n; i++) {
		if (i % 16 == 0)
			printf("  %04x ", i);
		printf(" %02x%s", m->bytes[i], i % 16 == 15 || i + 1 == n ? "\n" : "");
	}
}

static void print_importance(const struct evaluation *e)
{
	double most = 0;

	printf("\npermutation importance, mean of %d:\n", N_PERMUTATIONS);
	printf("byte  %-19s %13s %13s\n", "meaning", "accuracy drop", "log loss rise");
	for (uint32_t i = 0; i < e->rows.n_bytes; i++)
		most = fmax(most, e->importance[i].accuracy_drop);
	for (uint32_t i = 0; i < e->rows.n_bytes; i++) {
		const struct importance *importance = &e->importance[i];
		int length = 0;

		if (most > 0 && importance->accuracy_drop > 0)
			length = (int)ceil(importance->accuracy_drop / most * IMPORTANCE_COLUMNS);
		printf("%4" PRIu32 "  %-19s %13.6f %13.6f", importance->byte, byte_meaning(importance->byte),
		       importance->accuracy_drop, importance->log_loss_rise);
		if (length > 0)
			printf("  %.*s", length, "########################################");
		putchar('\n');
	}
}

static void print_text(const struct evaluation *e, const struct metrics *exact, const struct metrics *majority)
{
	const struct arguments *a = e->arguments;
	const struct metrics *all = &e->metrics[a->n_captures];
	char rule[32];

	printf("model        %s, kernel %s\n", a->model_path, e->engine->kernel->name);
	printf("rule         %s\n", packet_rule_text(&e->rule, rule, sizeof(rule)));
	printf("frames       %" PRIu64 ", wrong %" PRIu64 "\n", metrics_total(all), metrics_errors(all));
	if (e->n_padded > 0)
		printf("padded       %" PRIu64 " frames shorter than %" PRIu32 " bytes, with zeros\n", e->n_padded,
		       e->engine->n_inputs);
	if (e->n_untyped > 0)
		printf("not scored   %" PRIu64 " frames that end before their type, %s by definition\n",
		       e->n_untyped, e->classes[0]);
	if (e->n_dropped > 0)
		printf("dropped      %" PRIu64 " frames: the model's sums overflowed\n", e->n_dropped);
	printf("log loss     %.6f\n\n", e->n_scored > 0 ? e->log_loss_sum / (double)e->n_scored : 0);

	printf("%-16s %12s %12s\n", "is \\ called", e->classes[0], e->classes[1]);
	for (uint32_t c = 0; c < 2; c++)
		printf("%-16s %12" PRIu64 " %12" PRIu64 "\n", e->classes[c], metrics_count(all, c, 0),
		       metrics_count(all, c, 1));

	printf("\n%-16s %9s %9s %9s %9s %9s\n", "", "accuracy", "balanced", "precision", "recall", "F1");
	print_ratios("model", all);
	print_ratios("exact rule", exact);
	print_ratios("commonest class", majority);

	if (a->n_captures > 1) {
		printf("\n%9s %9s %9s  capture\n", "frames", "wrong", "accuracy");
		for (uint32_t i = 0; i < a->n_captures; i++)
			printf("%9" PRIu64 " %9" PRIu64 " %9.6f  %s\n", metrics_total(&e->metrics[i]),
			       metrics_errors(&e->metrics[i]), metrics_accuracy(&e->metrics[i]), a->captures[i]);
	}
	if (e->n_mistakes > 0)
		printf("\nthe first %" PRIu64 " of %" PRIu64 " wrong frames:\n", e->n_mistakes,
		       metrics_errors(all));
	for (uint64_t i = 0; i < e->n_mistakes; i++)
		print_mistake(e, &e->mistakes[i]);
	if (a->explain && e->rows.n_rows > 0)
		print_importance(e);
}

/* JSON knows no infinity: a loss that is not finite is null. */
static json_t *json_number(double number)
{
	return isfinite(number) ? json_real(number) : json_null();
}

static json_t *json_ratios(const struct metrics *m)
{
	return json_pack("{s:f, s:f, s:f, s:f, s:f}", "accuracy", metrics_accuracy(m), "balanced_accuracy",
			 metrics_balanced_accuracy(m), "precision", metrics_precision(m, 1), "recall",
			 metrics_recall(m, 1), "f1", metrics_f1(m, 1));
}

static json_t *json_mistakes(const struct evaluation *e)
{
	json_t *list = json_array();

	for (uint64_t i = 0; i < e->n_mistakes; i++) {
		const struct mistake *m = &e->mistakes[i];
		struct verdict verdict = {.logit = m->logit};
		uint32_t n = m->captured_bytes < SHOWN_BYTES ? m->captured_bytes : SHOWN_BYTES;
		char hex[2 * SHOWN_BYTES + 1] = "";

		for (uint32_t b = 0; b < n; b++)
			snprintf(hex + (size_t)2 * b, 3, "%02x", m->bytes[b]);
		json_array_append_new(list,
				      json_pack("{s:o, s:I, s:s, s:s, s:f, s:I, s:s}", "capture",
						json_text(e->arguments->captures[m->capture]), "frame",
						(json_int_t)m->frame, "is", e->classes[m->truth], "called",
						e->classes[m->said], "score", (double)verdict_score(&verdict),
						"captured_bytes", (json_int_t)m->captured_bytes, "bytes", hex));
	}
	return list;
}

static json_t *json_importance(const struct evaluation *e)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < e->rows.n_bytes && e->rows.n_rows > 0; i++)
		json_array_append_new(list,
				      json_pack("{s:I, s:s, s:f, s:o}", "byte", (json_int_t)e->importance[i].byte,
						"meaning", byte_meaning(e->importance[i].byte), "accuracy_drop",
						e->importance[i].accuracy_drop, "log_loss_rise",
						json_number(e->importance[i].log_loss_rise)));
	return list;
}

static int print_json(const struct evaluation *e, const struct metrics *exact, const struct metrics *majority)
{
	const struct arguments *a = e->arguments;
	const struct metrics *all = &e->metrics[a->n_captures];
	json_t *root = json_ratios(all), *captures = json_array();
	char rule[32];
	int rc;

	for (uint32_t i = 0; i < a->n_captures; i++)
		json_array_append_new(captures,
				      json_pack("{s:o, s:I, s:I, s:f}", "capture", json_text(a->captures[i]),
						"frames", (json_int_t)metrics_total(&e->metrics[i]), "errors",
						(json_int_t)metrics_errors(&e->metrics[i]), "accuracy",
						metrics_accuracy(&e->metrics[i])));
	json_object_set_new(root, "model", json_text(a->model_path));
	json_object_set_new(root, "kernel", json_string(e->engine->kernel->name));
	json_object_set_new(root, "label", json_string(packet_rule_text(&e->rule, rule, sizeof(rule))));
	json_object_set_new(root, "classes", json_pack("[s, s]", e->classes[0], e->classes[1]));
	json_object_set_new(root, "frames", json_integer((json_int_t)metrics_total(all)));
	json_object_set_new(root, "errors", json_integer((json_int_t)metrics_errors(all)));
	json_object_set_new(root, "padded", json_integer((json_int_t)e->n_padded));
	json_object_set_new(root, "not_scored", json_integer((json_int_t)e->n_untyped));
	json_object_set_new(root, "dropped", json_integer((json_int_t)e->n_dropped));
	json_object_set_new(root, "log_loss",
			    json_number(e->n_scored > 0 ? e->log_loss_sum / (double)e->n_scored : 0));
	json_object_set_new(root, "confusion",
			    json_pack("[[I, I], [I, I]]", (json_int_t)metrics_count(all, 0, 0),
				      (json_int_t)metrics_count(all, 0, 1), (json_int_t)metrics_count(all, 1, 0),
				      (json_int_t)metrics_count(all, 1, 1)));
	json_object_set_new(root, "exact_rule", json_ratios(exact));
	json_object_set_new(root, "commonest_class", json_ratios(majority));
	json_object_set_new(root, "captures", captures);
	if (a->n_shown > 0)
		json_object_set_new(root, "wrong_frames", json_mistakes(e));
	if (a->explain)
		json_object_set_new(root, "importance", json_importance(e));
	rc = root != NULL ? json_dumpf(root, stdout, JSON_COMPACT) : -1;
	json_decref(root);
	putchar('\n');
	if (rc < 0)
		complain("the JSON text cannot be written");
	return rc < 0 ? EXIT_FAILED : EXIT_OK;
}

static int result_print(const struct evaluation *e)
{
	const struct metrics *all = &e->metrics[e->arguments->n_captures];
	struct metrics exact = {0}, majority = {0};
	int code = EXIT_OK;

	if (metrics_init(&exact, 2) < 0 || metrics_init(&majority, 2) < 0) {
		complain("out of memory");
		code = EXIT_FAILED;
	} else {
		baseline_fill(all, true, &exact);
		baseline_fill(all, false, &majority);
		if (e->arguments->json)
			code = print_json(e, &exact, &majority);
		else
			print_text(e, &exact, &majority);
	}
	metrics_free(&exact);
	metrics_free(&majority);
	return code;
}

/* ---- The run ---- */

/* Finds the rule: the one that was asked for, or the one that the model was trained with. An exit code. */
static int rule_find(struct evaluation *e, const struct model *model)
{
	const char *text = e->arguments->rule_text;

	for (uint32_t i = 0; i < model->n_facts && text == NULL; i++)
		if (strcmp(model->facts[i].name, "label") == 0)
			text = model->facts[i].value;
	if (text == NULL)
		return usage_error("eval", "%s does not say which rule it learned; say it with --label",
				   e->arguments->model_path);
	if (packet_rule_parse(text, &e->rule) < 0 && e->arguments->rule_text != NULL)
		return usage_error("eval", "--label '%.40s' is not ipv4, ip or ethertype:0xNNNN", text);
	if (packet_rule_parse(text, &e->rule) < 0) {
		complain("%s: learned '%.40s', which is no rule here; say one with --label",
			 e->arguments->model_path, text);
		return EXIT_FAILED;
	}
	packet_rule_classes(&e->rule, e->classes);
	return EXIT_OK;
}

static int evaluation_prepare(struct evaluation *e)
{
	const struct arguments *a = e->arguments;
	const struct nn_kernel *kernel = nn_kernel_find(a->kernel_name);
	char error[ERROR_SIZE];
	struct model *model;
	int code;

	if (kernel == NULL)
		return usage_error("eval", "there is no kernel '%s' here; 'wirescore kernels' lists them",
				   a->kernel_name);
	if (model_load(a->model_path, &model, error, sizeof(error)) < 0) {
		complain("%s: %s", a->model_path, error);
		return EXIT_FAILED;
	}
	if (packet_engine_create(model, kernel, &e->engine, error, sizeof(error)) < 0) {
		complain("%s: %s", a->model_path, error);
		code = EXIT_FAILED;
	} else {
		code = rule_find(e, model);
	}
	model_free(model);
	if (code != EXIT_OK)
		return code;
	packet_dataset_init(&e->rows, e->engine->n_inputs);
	e->stats = calloc(1, sizeof(*e->stats));
	e->classifier = e->stats != NULL ? classifier_create(&(struct classifier_options){
						   .packet_engine = e->engine, .stats = e->stats})
					 : NULL;
	e->mistakes = calloc(a->n_shown + 1, sizeof(*e->mistakes));
	e->metrics = calloc(a->n_captures + 1, sizeof(*e->metrics));
	if (e->classifier == NULL || e->mistakes == NULL || e->metrics == NULL)
		goto no_memory;
	for (uint32_t i = 0; i <= a->n_captures; i++)
		if (metrics_init(&e->metrics[i], 2) < 0)
			goto no_memory;
	return EXIT_OK;

no_memory:
	complain("out of memory");
	return EXIT_FAILED;
}

static int evaluation_run(struct evaluation *e)
{
	const struct arguments *a = e->arguments;
	int code = evaluation_prepare(e);

	for (uint32_t i = 0; i < a->n_captures && code == EXIT_OK; i++) {
		code = capture_judge(e, i);
		for (uint32_t c = 0; c < 4; c++)
			metrics_add(&e->metrics[a->n_captures], c / 2, c % 2,
				    metrics_count(&e->metrics[i], c / 2, c % 2));
	}
	if (code == EXIT_OK && metrics_total(&e->metrics[a->n_captures]) == 0) {
		if (!e->has_failed)
			complain("%s: holds no frame to judge by", a->captures[0]);
		return EXIT_FAILED;
	}
	if (code != EXIT_OK)
		return code;
	/* Read before --explain scores the rows again. */
	e->n_untyped = stats_get(e->stats, STATS_untyped);
	e->n_padded = stats_get(e->stats, STATS_padded);
	if (a->explain)
		code = importance_measure(e);
	if (code == EXIT_OK)
		code = result_print(e);
	if (e->n_dropped > 0)
		complain("%s: %" PRIu64 " frames could not be scored: the model's sums overflowed", a->model_path,
			 e->n_dropped);
	if (code == EXIT_OK)
		code = finish_stdout();
	return code == EXIT_OK && (e->has_failed || e->n_dropped > 0) ? EXIT_FAILED : code;
}

int cmd_eval(int argc, char **argv)
{
	struct arguments arguments = {.seed = 42};
	struct evaluation *e;
	int code = parse_arguments(argc, argv, &arguments);

	if (code != EXIT_OK)
		return code < 0 ? EXIT_OK : code;
	e = calloc(1, sizeof(*e));
	if (e == NULL) {
		complain("out of memory");
		return EXIT_FAILED;
	}
	e->arguments = &arguments;
	interrupt_catch();
	code = evaluation_run(e);
	for (uint32_t i = 0; e->metrics != NULL && i <= arguments.n_captures; i++)
		metrics_free(&e->metrics[i]);
	free(e->metrics);
	free(e->mistakes);
	packet_dataset_free(&e->rows);
	classifier_free(e->classifier);
	free(e->stats);
	packet_engine_free(e->engine);
	free(e);
	return code;
}
