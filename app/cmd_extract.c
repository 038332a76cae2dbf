/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `wirescore extract CAPTURE... -o FILE`: the flows of captures as rows of features, for models to be trained on.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_config.h>

#include "capture_run.h"
#include "command.h"
#include "control/row_writer.h"
#include "dataplane/eal.h"
#include "flow_features.h"
#include "flow_labels.h"
#include "flow_options.h"
#include "interrupt.h"

#define EXTRACT_MAX_WORKERS   RTE_MAX_ETHPORTS
#define EXTRACT_DEFAULT_BURST 32

static const char extract_help[] =
	"Usage: wirescore extract [OPTION]... CAPTURE... -o FILE [-- EAL-ARGUMENT...]\n"
	"Writes a row of features for each flow of pcap and pcapng captures.\n"
	"\n"
	"  -o, --output FILE    CSV, or NDJSON where it ends in .ndjson, .jsonl or .json; compressed where\n"
	"                       it ends in .gz; '-' is stdout. FILE.meta.json tells what the columns mean\n"
	"  --features WHAT      a preset or names with commas between them (default all;\n"
	"                       'wirescore features' lists them)\n"
	"  --checkpoints LIST   rows when a flow has so many packets (1 to 64) and at its 'end', such as\n"
	"                       1,2,4,8,16,end (default end)\n"
	"  --label NAME         a column 'label' with this in every row\n"
	"  --labels FILE.tsv    labels by rules of time, address, port and protocol; --label is for the rest\n"
	"  --workers N          threads (1 to 32, default 1): each has captures of its own; a single capture's\n"
	"                       packets are shared out by flow\n"
	"  -q, --quiet          no progress bar\n"
	"  -v, --verbose        let DPDK say what it does\n"
	"  -h, --help           print this\n"
	"\n"
	"Flows:\n";

static const char extract_help_end[] =
	"\n"
	"The first columns (flow_id, src, dst, src_port, dst_port, protocol, vlan, start, end, slice, checkpoint,\n"
	"reason) say which flow it is; they are no features. Of several captures, 'capture' says which.\n"
	"Exit status: 0; 1 where anything could not be read or written; 2 for bad usage; 130 after SIGINT.\n";

struct extract_options {
	const char *output;
	const char *features;
	const char *label;
	const char *labels;
	bool has_ends; /* rows where flows end */
	uint64_t n_workers;
	struct flow_options flow;
	int quiet, verbose;
	char **captures;
	int n_captures;
	char **eal;
	int n_eal;
};

/* All that a run holds, so that one function can let go of it. */
struct extract_run {
	struct capture_run captures;
	struct flow_feature_set *features;
	struct flow_labels *labels;
	struct row_writer_options writer_options;
	struct row_writer writer;
};

enum { OPT_FEATURES = 256, OPT_CHECKPOINTS, OPT_LABEL, OPT_LABELS, OPT_WORKERS };

/* Packet counts of 1 to 64, and "end". 0, or -1 after complaining. */
static int extract_take_checkpoints(struct extract_options *options, const char *text)
{
	char word[8];

	options->has_ends = false;
	options->flow.config.checkpoints = 0;
	for (const char *at = text; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
		size_t length = strcspn(at, ",");
		uint64_t n;

		snprintf(word, sizeof(word), "%.*s", length < sizeof(word) ? (int)length : 0, at);
		if (!strcmp(word, "end")) {
			options->has_ends = true;
			continue;
		}
		if (parse_u64("--checkpoints", word, 1, 64, &n))
			return -1;
		options->flow.config.checkpoints |= UINT64_C(1) << (n - 1);
	}
	return 0;
}

/* 0 to go on, else an exit code + 1. */
static int extract_parse(int argc, char **argv, struct extract_options *options)
{
	static const struct option long_options[] = {
		{"output", required_argument, NULL, 'o'},
		{"features", required_argument, NULL, OPT_FEATURES},
		{"checkpoints", required_argument, NULL, OPT_CHECKPOINTS},
		{"label", required_argument, NULL, OPT_LABEL},
		{"labels", required_argument, NULL, OPT_LABELS},
		{"workers", required_argument, NULL, OPT_WORKERS},
		{"quiet", no_argument, NULL, 'q'},
		{"verbose", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		FLOW_LONG_OPTIONS,
		{0},
	};
	int n_own = argc, option;

	*options = (struct extract_options){.features = "all", .n_workers = 1, .has_ends = true};
	flow_options_init(&options->flow);
	/* getopt would let captures and EAL arguments run together. */
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--")) {
			n_own = i;
			options->eal = argv + i + 1;
			options->n_eal = argc - i - 1;
			break;
		}
	while ((option = getopt_long(n_own, argv, "o:qvh", long_options, NULL)) != -1) {
		int rc = 0;

		switch (option) {
		case 'o':
			options->output = optarg;
			break;
		case OPT_FEATURES:
			options->features = optarg;
			break;
		case OPT_CHECKPOINTS:
			rc = extract_take_checkpoints(options, optarg);
			break;
		case OPT_LABEL:
			options->label = optarg;
			break;
		case OPT_LABELS:
			options->labels = optarg;
			break;
		case OPT_WORKERS:
			rc = parse_u64("--workers", optarg, 1, EXTRACT_MAX_WORKERS, &options->n_workers);
			break;
		case 'q':
			options->quiet = 1;
			break;
		case 'v':
			options->verbose = 1;
			break;
		case 'h':
			fputs(extract_help, stdout);
			fputs(flow_options_help, stdout);
			fputs(extract_help_end, stdout);
			return EXIT_OK + 1;
		default:
			if (flow_options_has(option)) {
				rc = flow_options_take(&options->flow, option, optarg);
				break;
			}
			fputs("Try 'wirescore extract --help'.\n", stderr);
			return EXIT_USAGE + 1;
		}
		if (rc)
			return EXIT_USAGE + 1;
	}
	options->captures = argv + optind;
	options->n_captures = n_own - optind;
	if (!options->n_captures)
		return usage_error("extract", "no capture is named") + 1;
	if (!options->output)
		return usage_error("extract", "-o FILE is needed") + 1;
	if (!options->flow.config.n_flows)
		return usage_error("extract", "--flows 0 leaves nothing to extract") + 1;
	if (flow_options_finish(&options->flow))
		return EXIT_FAILED + 1;
	return 0;
}

/* Finds out which features and labels are wanted. EXIT_OK, or another code after complaining. */
static int extract_prepare(struct extract_run *run, struct extract_options *options)
{
	char error[512];

	if (flow_feature_set_create(options->features, &run->features, error, sizeof(error))) {
		complain("--features %s: %s", options->features, error);
		return EXIT_USAGE;
	}
	options->flow.config.layout = run->features->layout;
	if (options->labels &&
	    flow_labels_load(options->labels, options->label, &run->labels, error, sizeof(error))) {
		complain("--labels %s", error);
		return EXIT_FAILED;
	}
	return EXIT_OK;
}

/* Opens the file of rows, which must be none of the files that are read. 0, or -1 after complaining. */
static int extract_open(struct extract_run *run, const struct extract_options *options)
{
	struct stat labels;
	bool is_input = false;
	int rc;

	run->writer_options = (struct row_writer_options){
		.path = options->output,
		.is_ndjson = row_writer_is_ndjson(options->output),
		.features = run->features,
		.features_text = options->features,
		.config = &options->flow.config,
		.has_ends = options->has_ends,
		.names_captures = options->n_captures > 1,
		.captures = (const char *const *)options->captures,
		.n_captures = (uint32_t)options->n_captures,
		.labels = run->labels,
		.label = options->label,
	};
	rc = row_writer_open(&run->writer, &run->writer_options);
	if (rc) {
		complain("%s: cannot be written: %s", options->output, strerror(-rc));
		return -1;
	}
	for (uint32_t i = 0; i < run->captures.n_captures; i++)
		is_input |= row_writer_is_file(&run->writer, &run->captures.infos[i].status);
	if (options->labels && !stat(options->labels, &labels))
		is_input |= row_writer_is_file(&run->writer, &labels);
	if (!is_input)
		return 0;
	complain("%s: is a file that is read; name another one", options->output);
	row_writer_close(&run->writer);
	return -1;
}

static void extract_begin(void *context, const struct capture_info *info, bool has_nanoseconds)
{
	struct extract_run *run = context;

	row_writer_set_capture(&run->writer, info->path, has_nanoseconds);
}

static void extract_write(void *context, const void *records, uint32_t n)
{
	struct extract_run *run = context;

	row_writer_write(&run->writer, records, n);
}

/* Starts DPDK and sends the captures through the dataplane. 0, or -1 after complaining. */
static int extract_run_dataplane(struct extract_run *run, const struct extract_options *options)
{
	struct flow_record_sink rows = {run, extract_begin, extract_write};
	struct offline_options offline = {
		.n_workers = options->n_workers,
		.burst = EXTRACT_DEFAULT_BURST,
		.flows = &options->flow.config,
		.depth = options->flow.depth,
		.flow_records = &rows,
		.verb = "extracting",
		.show_progress = !options->quiet,
		.stop = &interrupted,
	};
	int rc;

	if (capture_run_start(&run->captures, &offline, options->eal, options->n_eal, options->verbose))
		return -1;
	rc = row_writer_begin(&run->writer);
	if (rc) {
		complain("%s: cannot be emptied: %s", options->output, strerror(-rc));
		dataplane_eal_cleanup();
		return -1;
	}
	return capture_run_finish(&run->captures, &offline);
}

/* Carries the captures to their end and says what became of them. Returns an exit code. */
static int extract_captures(struct extract_run *run, const struct extract_options *options)
{
	FILE *file = strcmp(options->output, "-") ? stdout : stderr;
	struct output *output = &run->writer.output;
	int rc, rc_close;

	if (extract_open(run, options))
		return EXIT_FAILED;
	rc = extract_run_dataplane(run, options);
	rc_close = row_writer_close(&run->writer);
	if (rc_close) {
		complain("%s: %" PRIu64 " of %" PRIu64 " rows could not be written: %s", options->output,
			 output->n_lost, output->n_lost + output->n_written, strerror(-rc_close));
		run->captures.has_failed = true;
	}
	if (rc)
		return EXIT_FAILED;
	capture_run_report(&run->captures, options->n_captures);
	fprintf(file,
		"%" PRIu64 " rows of %u features from %" PRIu64 " flows, %" PRIu64 " of %" PRIu64 " packets%s\n",
		output->n_written, run->features->n, stats_flows(run->captures.total),
		stats_get(run->captures.total, STATS_flow_packets), stats_get(run->captures.total, STATS_packets),
		run->captures.is_complete ? "" : "; not all that the captures hold");
	if (fflush(file) || ferror(file)) {
		complain("the summary could not be written");
		run->captures.has_failed = true;
	}
	if (atomic_load(&interrupted))
		return EXIT_INTERRUPTED;
	return run->captures.has_failed ? EXIT_FAILED : EXIT_OK;
}

int cmd_extract(int argc, char **argv)
{
	struct extract_run run = {0};
	struct extract_options options;
	int rc = extract_parse(argc, argv, &options);

	if (rc)
		return rc - 1;
	interrupt_catch();
	rc = extract_prepare(&run, &options);
	if (rc == EXIT_OK) {
		rc = EXIT_FAILED;
		if (!capture_run_inspect(&run.captures, options.captures, options.n_captures, options.quiet)) {
			if (run.captures.n_captures)
				rc = extract_captures(&run, &options);
			else if (atomic_load(&interrupted))
				rc = EXIT_INTERRUPTED;
		}
	}
	capture_run_free(&run.captures);
	flow_labels_free(run.labels);
	flow_feature_set_free(run.features);
	return rc;
}
