/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `wirescore eval MODEL CAPTURE...`: judges a packet model by the exact rule, frame by frame, and says which
 * bytes it leans on. Called by cmd_eval.c; needs no dataplane, but scores with its kernels.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "classify.h"
#include "command.h"
#include "eval/eval.h"
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
#define IMPORTANCE_COLUMNS 40

/* A frame that the model got wrong. */
struct mistake {
	uint32_t capture; /* index of options.data */
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
	const struct eval_options *options;
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
	uint64_t n_mistakes; /* kept, at most options.n_shown */
	struct packet_dataset rows;
	struct importance importance[PACKET_FEATURES_MAX_BYTES];

	/* The frames read but not judged yet. libpcap's bytes do not stay: they are copied as far as models see. */
	uint32_t n_waiting;
	struct mistake waiting[CLASSIFY_MAX_BURST];
	struct frame frames[CLASSIFY_MAX_BURST];
	uint8_t bytes[CLASSIFY_MAX_BURST][PACKET_FEATURES_MAX_BYTES];
};

/* ---- Scoring ---- */

static void verdict_add(struct evaluation *e, const struct mistake *frame)
{
	metrics_add(&e->metrics[frame->capture], frame->truth, frame->said, 1);
	if (frame->truth != frame->said && e->n_mistakes < e->options->n_shown)
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
		if (e->options->explain)
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
	const char *path = e->options->data[index];
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
	random_seed(&random, e->options->seed);
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
	       e->options->data[m->capture], m->frame, e->classes[m->truth], e->classes[m->said],
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
	const struct eval_options *a = e->options;
	const struct metrics *all = &e->metrics[a->n_data];
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

	if (a->n_data > 1) {
		printf("\n%9s %9s %9s  capture\n", "frames", "wrong", "accuracy");
		for (uint32_t i = 0; i < a->n_data; i++)
			printf("%9" PRIu64 " %9" PRIu64 " %9.6f  %s\n", metrics_total(&e->metrics[i]),
			       metrics_errors(&e->metrics[i]), metrics_accuracy(&e->metrics[i]), a->data[i]);
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
						json_text(e->options->data[m->capture]), "frame",
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
	const struct eval_options *a = e->options;
	const struct metrics *all = &e->metrics[a->n_data];
	json_t *root = json_ratios(all), *captures = json_array();
	char rule[32];
	int rc;

	for (uint32_t i = 0; i < a->n_data; i++)
		json_array_append_new(captures, json_pack("{s:o, s:I, s:I, s:f}", "capture", json_text(a->data[i]),
							  "frames", (json_int_t)metrics_total(&e->metrics[i]),
							  "errors", (json_int_t)metrics_errors(&e->metrics[i]),
							  "accuracy", metrics_accuracy(&e->metrics[i])));
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
	const struct metrics *all = &e->metrics[e->options->n_data];
	struct metrics exact = {0}, majority = {0};
	int code = EXIT_OK;

	if (metrics_init(&exact, 2) < 0 || metrics_init(&majority, 2) < 0) {
		complain("out of memory");
		code = EXIT_FAILED;
	} else {
		baseline_fill(all, true, &exact);
		baseline_fill(all, false, &majority);
		if (e->options->json)
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
	const char *text = e->options->rule_text;

	for (uint32_t i = 0; i < model->n_facts && text == NULL; i++)
		if (strcmp(model->facts[i].name, "label") == 0)
			text = model->facts[i].value;
	if (text == NULL)
		return usage_error("eval", "%s does not say which rule it learned; say it with --label",
				   e->options->model_path);
	if (packet_rule_parse(text, &e->rule) < 0 && e->options->rule_text != NULL)
		return usage_error("eval", "--label '%.40s' is not ipv4, ip or ethertype:0xNNNN", text);
	if (packet_rule_parse(text, &e->rule) < 0) {
		complain("%s: learned '%.40s', which is no rule here; say one with --label", e->options->model_path,
			 text);
		return EXIT_FAILED;
	}
	packet_rule_classes(&e->rule, e->classes);
	return EXIT_OK;
}

static int evaluation_prepare(struct evaluation *e, const struct model *model)
{
	const struct eval_options *a = e->options;
	char error[ERROR_SIZE];
	int code;

	if (packet_engine_create(model, a->kernel, &e->engine, error, sizeof(error)) < 0) {
		complain("%s: %s", a->model_path, error);
		return EXIT_FAILED;
	}
	code = rule_find(e, model);
	if (code != EXIT_OK)
		return code;
	packet_dataset_init(&e->rows, e->engine->n_inputs);
	e->stats = calloc(1, sizeof(*e->stats));
	e->classifier = e->stats != NULL ? classifier_create(&(struct classifier_options){
						   .packet_engine = e->engine, .stats = e->stats})
					 : NULL;
	e->mistakes = calloc(a->n_shown + 1, sizeof(*e->mistakes));
	e->metrics = calloc(a->n_data + 1, sizeof(*e->metrics));
	if (e->classifier == NULL || e->mistakes == NULL || e->metrics == NULL)
		goto no_memory;
	for (uint32_t i = 0; i <= a->n_data; i++)
		if (metrics_init(&e->metrics[i], 2) < 0)
			goto no_memory;
	return EXIT_OK;

no_memory:
	complain("out of memory");
	return EXIT_FAILED;
}

static int evaluation_run(struct evaluation *e, const struct model *model)
{
	const struct eval_options *a = e->options;
	int code = evaluation_prepare(e, model);

	for (uint32_t i = 0; i < a->n_data && code == EXIT_OK; i++) {
		code = capture_judge(e, i);
		for (uint32_t c = 0; c < 4; c++)
			metrics_add(&e->metrics[a->n_data], c / 2, c % 2,
				    metrics_count(&e->metrics[i], c / 2, c % 2));
	}
	if (code == EXIT_OK && metrics_total(&e->metrics[a->n_data]) == 0) {
		if (!e->has_failed)
			complain("%s: holds no frame to judge by", a->data[0]);
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

int eval_packet(const struct eval_options *options, const struct model *model)
{
	struct evaluation *e = calloc(1, sizeof(*e));
	int code;

	if (e == NULL) {
		complain("out of memory");
		return EXIT_FAILED;
	}
	e->options = options;
	code = evaluation_run(e, model);
	for (uint32_t i = 0; e->metrics != NULL && i <= options->n_data; i++)
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
