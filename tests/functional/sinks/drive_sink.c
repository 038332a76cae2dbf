/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Drives one kind of sink as its thread does, without the rest of the program: synthetic flow records in batches, tried
 * again until all are taken. drive_sink KIND [OPTION...]; prints what came of it as JSON. Called by the tests of the
 * sinks, which find record I again by its bytes_fwd, which is I. A password comes in $DRIVE_SINK_PASSWORD.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "sink_drivers.h"

#define NS_IN_S		UINT64_C(1000000000)
#define NS_IN_MS	UINT64_C(1000000)
#define MAX_PROPERTIES	16
#define MAX_ERRORS	16
#define ERROR_BYTES	512
#define FIRST_BACK_OFF	(100 * NS_IN_MS)
#define LONGEST_BACKOFF NS_IN_S

/* What is driven, and how. */
struct drive {
	const struct sink_driver *driver;
	struct sink_options options;
	struct sink_formats formats;
	const char *properties[MAX_PROPERTIES + 1];
	uint64_t n_records, first, n_batch, pause_ms, linger_ms, give_up_s, padding;
	atomic_bool ends; /* as if the run ended already */
};

/* What came of it. */
struct outcome {
	uint64_t n_delivered, n_deliveries, n_failures, longest_ns;
	json_t *errors;
	char last_error[ERROR_BYTES];
};

/* A batch of records with their lines. */
struct batch {
	struct flow_record records[SINK_MAX_BATCH];
	struct sink_item items[SINK_MAX_BATCH];
	char *text;
	size_t line_room;
};

static const struct option long_options[] = {
	{"server", required_argument, NULL, 's'},
	{"user", required_argument, NULL, 'u'},
	{"topic", required_argument, NULL, 't'},
	{"exchange", required_argument, NULL, 'e'},
	{"virtual-host", required_argument, NULL, 'v'},
	{"list", no_argument, NULL, 'l'},
	{"longest", required_argument, NULL, 'L'},
	{"property", required_argument, NULL, 'p'},
	{"udp", no_argument, NULL, 'U'},
	{"domain", required_argument, NULL, 'd'},
	{"count", required_argument, NULL, 'n'},
	{"first", required_argument, NULL, 'f'},
	{"batch", required_argument, NULL, 'b'},
	{"pause", required_argument, NULL, 'P'},
	{"linger", required_argument, NULL, 'G'},
	{"give-up", required_argument, NULL, 'g'},
	{"padding", required_argument, NULL, 'x'},
	{"ends", no_argument, NULL, 'E'},
	{NULL, 0, NULL, 0},
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_IN_S + (uint64_t)now.tv_nsec;
}

/* 0, or -1 where there is no such option. */
static int drive_option(struct drive *drive, int option, const char *value)
{
	struct sink_options *options = &drive->options;
	uint32_t n = 0;

	switch (option) {
	case 's':
		options->server = value;
		return 0;
	case 'u':
		options->user = value;
		return 0;
	case 't':
		options->topic = value;
		return 0;
	case 'e':
		options->exchange = value;
		return 0;
	case 'v':
		options->virtual_host = value;
		return 0;
	case 'l':
		options->is_list = true;
		return 0;
	case 'L':
		options->n_longest = strtoull(value, NULL, 10);
		return 0;
	case 'U':
		options->is_udp = true;
		return 0;
	case 'd':
		options->domain = (uint32_t)strtoul(value, NULL, 10);
		return 0;
	case 'n':
		drive->n_records = strtoull(value, NULL, 10);
		return 0;
	case 'f':
		drive->first = strtoull(value, NULL, 10);
		return 0;
	case 'b':
		drive->n_batch = strtoull(value, NULL, 10);
		return 0;
	case 'P':
		drive->pause_ms = strtoull(value, NULL, 10);
		return 0;
	case 'G':
		drive->linger_ms = strtoull(value, NULL, 10);
		return 0;
	case 'g':
		drive->give_up_s = strtoull(value, NULL, 10);
		return 0;
	case 'x':
		drive->padding = strtoull(value, NULL, 10);
		return 0;
	case 'E':
		atomic_store(&drive->ends, true);
		return 0;
	case 'p':
		while (drive->properties[n])
			n++;
		if (n == MAX_PROPERTIES)
			return -1;
		drive->properties[n] = value;
		return 0;
	default:
		return -1;
	}
}

/* 0, or -1 where the command line is of no use. */
static int drive_parse(struct drive *drive, int argc, char **argv)
{
	int option;

	if (argc < 2)
		return -1;
	drive->driver = sink_driver_find(argv[1]);
	while ((option = getopt_long(argc - 1, argv + 1, "", long_options, NULL)) != -1)
		if (drive_option(drive, option, optarg))
			return -1;
	drive->options.properties = drive->properties;
	return drive->n_batch && drive->n_batch <= SINK_MAX_BATCH ? 0 : -1;
}

/* Record i: between 10.0.0.0/8 and a server, the same in every run. */
static void record_fill(struct flow_record *record, uint64_t i)
{
	const uint64_t start_ns = 1700000000 * NS_IN_S + i * NS_IN_MS;
	struct flow *flow = &record->flow;

	*record = (struct flow_record){.logit = (float)(i % 7) - 3, .verdict_packet = 2, .is_verdict_of_end = true};
	for (int side = 0; side < 2; side++)
		memset(flow->key.address[side] + 10, 0xff, 2);
	memcpy(flow->key.address[0] + 12, (const uint8_t[]){10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i},
	       4);
	memcpy(flow->key.address[1] + 12, (const uint8_t[]){192, 0, 2, 1}, 4);
	flow->key.port[0] = (uint16_t)(1024 + i % 60000);
	flow->key.port[1] = 443;
	flow->key.protocol = 6;
	flow->start_ns = start_ns;
	flow->last_ns = start_ns + 5 * NS_IN_MS;
	flow->origin = (uint32_t)i;
	flow->side[0] = (struct flow_side){.packets = 2, .bytes = i & ((UINT64_C(1) << 48) - 1), .tcp_flags = 0x12};
	flow->side[1] = (struct flow_side){.packets = 1, .bytes = 52, .tcp_flags = 0x10};
}

/* The line of a record, made longer by blanks where --padding asks for it: JSON allows them. */
static size_t line_write(const struct drive *drive, const struct flow_record *record, char *text)
{
	size_t n = flow_record_ndjson(record, &drive->formats.flows, text) - 1;

	memset(text + n, ' ', drive->padding);
	return n + drive->padding;
}

static void batch_fill(struct batch *batch, const struct drive *drive, uint64_t first, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct sink_item *item = &batch->items[i];
		char *text = batch->text + i * batch->line_room;

		record_fill(&batch->records[i], first + i);
		*item = (struct sink_item){.record = &batch->records[i], .key = first + i + 1};
		if (!drive->driver->has_text)
			continue;
		item->text_bytes = line_write(drive, &batch->records[i], text);
		item->text = text;
	}
}

/* Waits, with a tick each second. */
static void drive_wait(const struct drive *drive, void *state, uint64_t ns)
{
	while (ns) {
		uint64_t part = ns < NS_IN_S ? ns : NS_IN_S;
		const struct timespec wait = {(time_t)(part / NS_IN_S), (long)(part % NS_IN_S)};
		struct timespec now;

		nanosleep(&wait, NULL);
		clock_gettime(CLOCK_REALTIME, &now);
		if (drive->driver->tick)
			drive->driver->tick(state, (uint64_t)now.tv_sec * NS_IN_S + (uint64_t)now.tv_nsec);
		ns -= part;
	}
}

/* Keeps each line of what went wrong once. */
static void outcome_note(struct outcome *outcome, const char *error)
{
	size_t i;
	json_t *known;

	snprintf(outcome->last_error, sizeof(outcome->last_error), "%s", error);
	json_array_foreach(outcome->errors, i, known) if (!strcmp(json_string_value(known), error)) return;
	if (json_array_size(outcome->errors) < MAX_ERRORS)
		json_array_append_new(outcome->errors, json_string(error));
}

/* One delivery. Returns how many were taken. */
static uint32_t drive_deliver(const struct drive *drive, void *state, const struct sink_item *items, uint32_t n,
			      struct outcome *outcome)
{
	char error[ERROR_BYTES] = "";
	uint64_t start_ns = now_ns(), took_ns;
	uint32_t n_taken = drive->driver->deliver(state, items, n, error, sizeof(error));

	took_ns = now_ns() - start_ns;
	outcome->n_deliveries++;
	outcome->n_delivered += n_taken;
	if (took_ns > outcome->longest_ns)
		outcome->longest_ns = took_ns;
	/* As sink.c has it: what is left after a part without complaint comes again. */
	if (n_taken < n && (!n_taken || error[0])) {
		outcome->n_failures++;
		outcome_note(outcome, error);
	}
	return n_taken;
}

/* Delivers all, or what can be delivered before patience ends. */
static void drive_run(const struct drive *drive, void *state, struct batch *batch, struct outcome *outcome)
{
	uint64_t back_off_ns = FIRST_BACK_OFF, progress_ns = now_ns();

	while (outcome->n_delivered < drive->n_records) {
		uint64_t n_left = drive->n_records - outcome->n_delivered;
		uint32_t n = (uint32_t)(n_left < drive->n_batch ? n_left : drive->n_batch), n_taken;

		batch_fill(batch, drive, drive->first + outcome->n_delivered, n);
		n_taken = drive_deliver(drive, state, batch->items, n, outcome);
		if (n_taken) {
			back_off_ns = FIRST_BACK_OFF;
			progress_ns = now_ns();
		}
		if (n_taken == n) {
			if (outcome->n_delivered < drive->n_records)
				drive_wait(drive, state, drive->pause_ms * NS_IN_MS);
			continue;
		}
		if (now_ns() - progress_ns >= drive->give_up_s * NS_IN_S)
			return;
		drive_wait(drive, state, back_off_ns);
		back_off_ns = back_off_ns * 2 < LONGEST_BACKOFF ? back_off_ns * 2 : LONGEST_BACKOFF;
	}
}

static int outcome_print(const struct drive *drive, struct outcome *outcome, int closed)
{
	struct rusage usage;
	json_t *report;
	int rc;

	getrusage(RUSAGE_SELF, &usage);
	report = json_pack(
		"{s:s, s:s?, s:I, s:I, s:I, s:I, s:I, s:b, s:I, s:s, s:o}", "driver", drive->driver->name,
		"library", drive->driver->library, "offered", (json_int_t)drive->n_records, "delivered",
		(json_int_t)outcome->n_delivered, "deliveries", (json_int_t)outcome->n_deliveries, "failures",
		(json_int_t)outcome->n_failures, "longest_ms", (json_int_t)(outcome->longest_ns / NS_IN_MS),
		"closed", closed == 0, "max_rss_kb", (json_int_t)usage.ru_maxrss, "last_error", outcome->last_error,
		"errors", outcome->errors);
	rc = report ? json_dumpf(report, stdout, JSON_COMPACT) : -1;
	putchar('\n');
	json_decref(report);
	return rc || closed || outcome->n_delivered < drive->n_records;
}

static int drive_all(struct drive *drive)
{
	struct outcome outcome = {.errors = json_array()};
	struct batch *batch = calloc(1, sizeof(*batch));
	char error[ERROR_BYTES] = "out of memory";
	void *state = NULL;
	int rc = 1;

	if (batch) {
		batch->line_room = flow_record_ndjson_room(&drive->formats.flows) + drive->padding;
		batch->text = malloc(drive->n_batch * batch->line_room);
	}
	if (!batch || !batch->text || !outcome.errors ||
	    drive->driver->open(&drive->options, &drive->formats, &state, error, sizeof(error))) {
		fprintf(stderr, "drive_sink: %s\n", error);
		json_decref(outcome.errors);
	} else {
		drive_run(drive, state, batch, &outcome);
		drive_wait(drive, state, drive->linger_ms * NS_IN_MS);
		error[0] = '\0';
		rc = drive->driver->close(state, error, sizeof(error));
		if (rc)
			outcome_note(&outcome, error);
		rc = outcome_print(drive, &outcome, rc);
	}
	if (batch)
		free(batch->text);
	free(batch);
	return rc;
}

int main(int argc, char **argv)
{
	static const char *const classes[] = {"\"benign\"", "\"attack\""};
	struct drive drive = {
		.options = {.name = "test", .filter = {.one_in = 1}, .n_queued = SINK_MAX_BATCH},
		.formats = {.flows = {.classes = classes, .n_classes = 2}, .flow_threshold = 0.5},
		.n_records = 1000,
		.n_batch = SINK_MAX_BATCH,
		.give_up_s = 30,
	};
	sigset_t broken_pipe;

	drive.options.stop = &drive.ends;
	drive.options.password = getenv("DRIVE_SINK_PASSWORD");
	if (drive_parse(&drive, argc, argv)) {
		fprintf(stderr, "usage: drive_sink KIND --server SERVER [OPTION...]\n");
		return 2;
	}
	if (!drive.driver) {
		fprintf(stderr, "drive_sink: built without %s\n", argv[1]);
		return 77;
	}
	/* As in a sink's thread, where all signals are blocked. */
	sigemptyset(&broken_pipe);
	sigaddset(&broken_pipe, SIGPIPE);
	sigprocmask(SIG_BLOCK, &broken_pipe, NULL);
	return drive_all(&drive);
}
