/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `wirescore extract CAPTURE... -o FILE`: the flows of captures as rows of features, for models to be trained on.
 */
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture_run.h"
#include "command.h"
#include "control/row_writer.h"
#include "flow_features.h"
#include "flow_labels.h"
#include "flow_options.h"
#include "interrupt.h"

#define EXTRACT_ERROR_BYTES (PATH_MAX + 512) /* a path and what is wrong with it */

static const char extract_help[] =
	"Usage: wirescore extract [OPTION]... CAPTURE... -o FILE [-- EAL-ARGUMENT...]\n"
	"Writes a row of features for each flow of pcap and pcapng captures.\n"
	"\n"
	"  -o, --output FILE    CSV where it ends in .csv, NDJSON in .ndjson or .jsonl; compressed where .gz\n"
	"                       follows; '-' is stdout (CSV; what is said of the run then goes to stderr).\n"
	"                       FILE.meta.json tells what the columns mean\n"
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
	const char **paths; /* of the captures that can be used */
	struct row_writer_options writer_options;
	struct row_writer writer;
};

enum { OPT_FEATURES = 256, OPT_CHECKPOINTS, OPT_LABEL, OPT_LABELS, OPT_WORKERS };

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
	int n_own, option;

	*options = (struct extract_options){.features = "all", .n_workers = 1};
	flow_options_init(&options->flow);
	n_own = split_eal_arguments(argc, argv, &options->eal, &options->n_eal);
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
			rc = flow_options_take_checkpoints(&options->flow, optarg);
			break;
		case OPT_LABEL:
			options->label = optarg;
			break;
		case OPT_LABELS:
			options->labels = optarg;
			break;
		case OPT_WORKERS:
			rc = parse_u64("--workers", optarg, 1, OFFLINE_MAX_WORKERS, &options->n_workers);
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

/* Finds out which features, rows and labels are wanted. EXIT_OK, or another code after complaining. */
static int extract_prepare(struct extract_run *run, struct extract_options *options)
{
	char error[EXTRACT_ERROR_BYTES];

	if (flow_feature_set_create(options->features, &run->features, error, sizeof(error))) {
		complain("--features %s: %s; 'wirescore features' lists them", options->features, error);
		return EXIT_USAGE;
	}
	if (row_writer_form(options->output, &run->writer_options.is_ndjson)) {
		complain("-o %s: must end in .csv, .ndjson or .jsonl, or in one of them and .gz", options->output);
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

/* Refuses to write a file that is read, before it is opened. 0, or -1 after complaining. */
static int extract_check_output(const struct extract_run *run, const struct extract_options *options,
				const char *path)
{
	if (!capture_run_reads(&run->captures, path, options->labels))
		return 0;
	complain("%s: is a file that is read; name another one", path);
	return -1;
}

/* Checks the names of the files that are written. 0, or -1 after complaining. */
static int extract_check_outputs(const struct extract_run *run, const struct extract_options *options)
{
	char meta_path[PATH_MAX];

	if (extract_check_output(run, options, options->output))
		return -1;
	/* A name that is too long for it is refused when it is opened. */
	if (row_writer_meta_path(options->output, meta_path) || !meta_path[0])
		return 0;
	return extract_check_output(run, options, meta_path);
}

/* Opens the file of rows, which must be none of the files that are read. 0, or -1 after complaining. */
static int extract_open(struct extract_run *run, const struct extract_options *options)
{
	char error[EXTRACT_ERROR_BYTES];

	if (extract_check_outputs(run, options))
		return -1;
	run->paths = calloc(run->captures.n_captures, sizeof(*run->paths));
	if (!run->paths) {
		complain("out of memory");
		return -1;
	}
	for (uint32_t i = 0; i < run->captures.n_captures; i++)
		run->paths[i] = run->captures.infos[i].path;
	run->writer_options = (struct row_writer_options){
		.path = options->output,
		.is_ndjson = run->writer_options.is_ndjson,
		.features = run->features,
		.features_text = options->features,
		.config = &options->flow.config,
		.depth = options->flow.depth,
		.has_ends = options->flow.has_ends,
		.names_captures = options->n_captures > 1,
		.captures = run->paths,
		.n_captures = run->captures.n_captures,
		.labels = run->labels,
		.label = options->label,
	};
	if (!row_writer_open(&run->writer, &run->writer_options, error, sizeof(error)))
		return 0;
	complain("%s", error);
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

/* Empties the files: from here on they are ours. 0, or -1 after complaining. */
static int extract_begin_rows(void *context)
{
	struct extract_run *run = context;
	char error[EXTRACT_ERROR_BYTES];

	if (!row_writer_begin(&run->writer, error, sizeof(error)))
		return 0;
	complain("%s", error);
	return -1;
}

/* Starts DPDK and sends the captures through the dataplane. 0, or -1 after complaining. */
static int extract_run_dataplane(struct extract_run *run, const struct extract_options *options)
{
	struct flow_record_sink rows = {run, extract_begin, extract_write};
	struct flow_engine_options flows = flow_options_engine(&options->flow);
	struct offline_options offline = {
		.n_workers = options->n_workers,
		.burst = OFFLINE_DEFAULT_BURST,
		.flows = &flows,
		.depth = options->flow.depth,
		.flow_records = &rows,
		.ready = extract_begin_rows,
		.context = run,
		.verb = "extracting",
		.show_progress = !options->quiet,
		.stop = &interrupted,
	};

	flows.records = FLOW_ENGINE_ALL;
	if (capture_run_start(&run->captures, &offline, options->eal, options->n_eal, options->verbose))
		return -1;
	return capture_run_finish(&run->captures, &offline);
}

/* Says what came out and what it took. 0, or -1 after complaining. */
static int extract_summarise(const struct extract_run *run, const struct flow_config *config)
{
	const struct output *output = &run->writer.output;
	const struct stats_block *total = run->captures.total;
	FILE *file = output->is_stdout ? stderr : stdout;

	fprintf(file,
		"%" PRIu64 " rows of %u features from %" PRIu64 " flow slices, %" PRIu64 " of %" PRIu64
		" packets%s; table %" PRIu64 " flows, %.1f MB",
		output->n_written, run->features->n, stats_flows(total), stats_get(total, STATS_flow_packets),
		stats_get(total, STATS_packets),
		run->captures.is_complete ? "" : "; not all that the captures hold", config->n_flows,
		(double)flow_table_bytes(config) / 1e6);
	if (run->captures.result.n_workers > 1)
		fprintf(file, " each of %u workers", run->captures.result.n_workers);
	fputc('\n', file);
	if (!fflush(file) && !ferror(file))
		return 0;
	complain("the summary could not be written");
	return -1;
}

/* Tells of labels that match no flow: a rule may be wrong. */
static void extract_tell_unused(const struct extract_run *run, const struct extract_options *options)
{
	char text[256];

	if (run->labels && flow_labels_unused(run->labels, text, sizeof(text)))
		complain("--labels %s: no flow has the label %s of its rules", options->labels, text);
}

/* Carries the captures to their end and says what became of them. Returns an exit code. */
static int extract_captures(struct extract_run *run, const struct extract_options *options)
{
	char loss[256];
	int rc;

	if (extract_open(run, options))
		return EXIT_FAILED;
	rc = extract_run_dataplane(run, options);
	if (row_writer_close(&run->writer)) {
		complain("%s: %s", options->output, output_loss(&run->writer.output, "rows", loss, sizeof(loss)));
		run->captures.has_failed = true;
	}
	if (rc)
		return EXIT_FAILED;
	capture_run_report(&run->captures, options->n_captures);
	extract_tell_unused(run, options);
	run->captures.has_failed |= extract_summarise(run, &options->flow.config) != 0;
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
			capture_run_fit_flows(&run.captures, &options.flow.config);
			if (run.captures.n_captures)
				rc = extract_captures(&run, &options);
			else if (atomic_load(&interrupted))
				rc = EXIT_INTERRUPTED;
		}
	}
	capture_run_free(&run.captures);
	free(run.paths);
	flow_labels_free(run.labels);
	flow_feature_set_free(run.features);
	return rc;
}
