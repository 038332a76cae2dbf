/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `wirescore classify CAPTURE...`: looks at the captures, starts DPDK, sends every packet through the
 * dataplane and prints what came out.
 */
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <rte_config.h>

#include "capture.h"
#include "command.h"
#include "control/offline.h"
#include "control/summary.h"
#include "dataplane/eal.h"
#include "interrupt.h"
#include "json_text.h"
#include "shipped.h"

/* Each worker has one port open. */
#define CLASSIFY_MAX_WORKERS   RTE_MAX_ETHPORTS
#define CLASSIFY_DEFAULT_BURST 32

static const char classify_help[] =
	"Usage: wirescore classify [OPTION]... CAPTURE... [-- EAL-ARGUMENT...]\n"
	"Scores every packet of pcap and pcapng captures through DPDK.\n"
	"\n"
	"  --packet-model FILE  ONNX model that tells IP from non-IP packets by their first bytes\n"
	"                       (default: the shipped ip.onnx); 'none': let the parser decide\n"
	"  --packets FILE       write a line of NDJSON for each packet, in order; '-' is stdout\n"
	"                       (the summary then goes to stderr)\n"
	"  --workers N          captures read at a time, each by a thread of its own (1 to 32, default 1);\n"
	"                       '-- -l CORES' pins them\n"
	"  --kernel NAME        force a kernel ('wirescore kernels' lists them)\n"
	"  --burst N            packets a poll, 1 to 64 (default 32)\n"
	"  --json               print the summary as one JSON object\n"
	"  -q, --quiet          no progress bar\n"
	"  -v, --verbose        let DPDK say what it does\n"
	"  -h, --help           print this\n"
	"\n"
	"What follows '--' goes to DPDK's environment as it is. Root is not needed, nor are hugepages.\n"
	"Exit status: 0; 1 where anything could not be read or written; 2 for bad usage;\n"
	"130 after SIGINT, with the summary so far.\n";

struct classify_options {
	const char *packet_model; /* NULL: the shipped one; "none": none */
	const char *packets;
	const char *kernel;
	uint64_t n_workers;
	uint64_t burst;
	int json, quiet, verbose;
	char **captures;
	int n_captures;
	char **eal;
	int n_eal;
};

/* All that a run holds, so that one function can let go of it. */
struct classify_run {
	struct model *model;
	char model_path[PATH_MAX];
	struct packet_engine *engine;
	struct capture_info *infos;
	struct offline_capture *captures;
	uint32_t n_captures; /* of those that can be used */
	struct stats_block *total;
	const char *classes[2];
	char *class_json[2];
	bool has_failed; /* something was refused or lost; what was good goes on */
};

enum { OPT_PACKET_MODEL = 256, OPT_PACKETS, OPT_WORKERS, OPT_KERNEL, OPT_BURST, OPT_JSON };

/* 0 to go on, else an exit code + 1. */
static int classify_parse(int argc, char **argv, struct classify_options *options)
{
	static const struct option long_options[] = {
		{"packet-model", required_argument, NULL, OPT_PACKET_MODEL},
		{"packets", required_argument, NULL, OPT_PACKETS},
		{"workers", required_argument, NULL, OPT_WORKERS},
		{"kernel", required_argument, NULL, OPT_KERNEL},
		{"burst", required_argument, NULL, OPT_BURST},
		{"json", no_argument, NULL, OPT_JSON},
		{"quiet", no_argument, NULL, 'q'},
		{"verbose", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int n_own = argc, option;

	*options = (struct classify_options){.n_workers = 1, .burst = CLASSIFY_DEFAULT_BURST};
	/* getopt would let captures and EAL arguments run together. */
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--")) {
			n_own = i;
			options->eal = argv + i + 1;
			options->n_eal = argc - i - 1;
			break;
		}
	while ((option = getopt_long(n_own, argv, "qvh", long_options, NULL)) != -1) {
		int rc = 0;

		switch (option) {
		case OPT_PACKET_MODEL:
			options->packet_model = optarg;
			break;
		case OPT_PACKETS:
			options->packets = optarg;
			break;
		case OPT_WORKERS:
			rc = parse_u64("--workers", optarg, 1, CLASSIFY_MAX_WORKERS, &options->n_workers);
			break;
		case OPT_KERNEL:
			options->kernel = optarg;
			break;
		case OPT_BURST:
			rc = parse_u64("--burst", optarg, 1, CLASSIFY_MAX_BURST, &options->burst);
			break;
		case OPT_JSON:
			options->json = 1;
			break;
		case 'q':
			options->quiet = 1;
			break;
		case 'v':
			options->verbose = 1;
			break;
		case 'h':
			fputs(classify_help, stdout);
			return EXIT_OK + 1;
		default:
			fputs("Try 'wirescore classify --help'.\n", stderr);
			return EXIT_USAGE + 1;
		}
		if (rc)
			return EXIT_USAGE + 1;
	}
	options->captures = argv + optind;
	options->n_captures = n_own - optind;
	if (!options->n_captures)
		return usage_error("classify", "no capture is named") + 1;
	return 0;
}

/* Loads the packet model and makes its engine. 0, or -1 after complaining. */
static int classify_load_model(struct classify_run *run, const struct classify_options *options)
{
	const struct nn_kernel *kernel;
	char error[512];

	run->classes[0] = "non-ip";
	run->classes[1] = "ip";
	kernel = nn_kernel_find(options->kernel);
	if (!kernel) {
		complain("--kernel %s: there is no such kernel here; 'wirescore kernels' lists them",
			 options->kernel);
		return -1;
	}
	if (options->packet_model && !strcmp(options->packet_model, "none"))
		return 0;
	if (options->packet_model)
		snprintf(run->model_path, sizeof(run->model_path), "%s", options->packet_model);
	else
		shipped_model_path("ip.onnx", run->model_path, sizeof(run->model_path));
	if (model_load(run->model_path, &run->model, error, sizeof(error)) ||
	    packet_engine_create(run->model, kernel, &run->engine, error, sizeof(error))) {
		complain("%s: %s%s", run->model_path, error,
			 options->packet_model ? ""
					       : "; $WIRESCORE_MODELS or --packet-model says where models are");
		return -1;
	}
	for (uint32_t i = 0; i < run->model->n_classes && i < 2; i++)
		run->classes[i] = run->model->classes[i];
	return 0;
}

/* Looks at every capture and keeps those that can be used; the others are complained about. */
static int classify_inspect(struct classify_run *run, const struct classify_options *options)
{
	char error[CAPTURE_ERROR_BYTES];
	struct progress progress;
	enum packet_link link;

	run->infos = calloc(options->n_captures, sizeof(*run->infos));
	run->captures = calloc(options->n_captures, sizeof(*run->captures));
	if (!run->infos || !run->captures) {
		complain("out of memory");
		return -1;
	}
	for (int i = 0; i < options->n_captures && !atomic_load(&interrupted); i++) {
		struct capture_info *info = &run->infos[run->n_captures];
		int rc;

		progress_begin(&progress, !options->quiet, "looking at", "B");
		rc = capture_inspect(options->captures[i], info, &interrupted, &progress, error, sizeof(error));
		progress_end(&progress);
		if (rc) {
			complain("%s", error);
			run->has_failed = true;
			continue;
		}
		if (run->engine && capture_check_ethernet(info->path, info->link_type, error, sizeof(error)))
			complain("%s", error);
		else if (capture_link(info->link_type, &link))
			complain("%s: link type %s cannot be parsed", info->path,
				 capture_link_name(info->link_type));
		else {
			run->captures[run->n_captures++].info = info;
			continue;
		}
		run->has_failed = true;
		capture_info_free(info);
	}
	return 0;
}

/* Opens the file of packet records, which must be none of the files that are read. 0, or -1 after complaining. */
static int classify_open_packets(struct classify_run *run, const struct classify_options *options,
				 struct packet_writer *writer)
{
	struct stat model;
	bool is_input = false;
	int rc;

	for (int i = 0; i < 2; i++) {
		run->class_json[i] = json_quoted(run->classes[i]);
		if (!run->class_json[i]) {
			complain("out of memory");
			return -1;
		}
	}
	rc = packet_writer_open(writer, options->packets,
				(const char *const[]){run->class_json[0], run->class_json[1], "null"});
	if (rc) {
		complain("--packets %s: cannot be written: %s", options->packets, strerror(-rc));
		return -1;
	}
	for (uint32_t i = 0; i < run->n_captures; i++)
		is_input |= output_is_file(&writer->output, &run->captures[i].info->status);
	if (run->model && !stat(run->model_path, &model))
		is_input |= output_is_file(&writer->output, &model);
	if (is_input) {
		complain("--packets %s: is a file that is read; name another one", options->packets);
		packet_writer_close(writer);
		return -1;
	}
	return 0;
}

/* Starts DPDK and sends the captures through the dataplane. 0, or -1 after complaining. */
static int classify_run_dataplane(struct classify_run *run, const struct classify_options *options,
				  struct packet_writer *writer, struct offline_result *result)
{
	struct offline_options offline = {
		.n_workers = options->n_workers < run->n_captures ? options->n_workers : run->n_captures,
		.burst = options->burst,
		.engine = run->engine,
		.writer = writer,
		.names_captures = options->n_captures > 1,
		.show_progress = !options->quiet,
		.stop = &interrupted,
	};
	struct dataplane_eal_options eal = {
		.n_workers = offline.n_workers,
		.extra = options->eal,
		.n_extra = options->n_eal,
		.verbose = options->verbose,
	};
	char error[512];
	int rc;

	eal.memory_bytes = offline_memory_bytes(&offline, run->captures, run->n_captures);
	rc = dataplane_eal_init(&eal, error, sizeof(error));
	if (rc) {
		complain("%s", error);
		return -1;
	}
	rc = writer ? packet_writer_begin(writer) : 0;
	if (rc)
		complain("--packets %s: cannot be emptied: %s", options->packets, strerror(-rc));
	else if ((rc = offline_run(&offline, run->captures, run->n_captures, result, error, sizeof(error))))
		complain("%s", error);
	dataplane_eal_cleanup();
	return rc ? -1 : 0;
}

/* Carries the captures to their end and prints the summary. Returns an exit code. */
static int classify_captures(struct classify_run *run, const struct classify_options *options)
{
	bool is_packets_stdout = options->packets && !strcmp(options->packets, "-");
	FILE *summary_file = is_packets_stdout ? stderr : stdout;
	struct offline_result result = {.total = run->total};
	struct packet_writer writer;
	int rc;

	if (options->packets && classify_open_packets(run, options, &writer))
		return EXIT_FAILED;
	rc = classify_run_dataplane(run, options, options->packets ? &writer : NULL, &result);
	if (options->packets && packet_writer_close(&writer)) {
		complain("--packets %s: %" PRIu64 " of %" PRIu64 " lines could not be written: %s",
			 options->packets, writer.output.n_lost, writer.output.n_lost + writer.output.n_written,
			 strerror(writer.output.error));
		run->has_failed = true;
	}
	if (rc)
		return EXIT_FAILED;

	struct summary summary = {
		.result = &result,
		.captures = run->captures,
		.n_captures = run->n_captures,
		.packet_model = run->model,
		.packet_model_path = run->model_path,
		.kernel = run->engine ? run->engine->kernel->name : NULL,
		.classes = {run->classes[0], run->classes[1]},
		.is_complete = run->n_captures == (uint32_t)options->n_captures && !atomic_load(&interrupted),
	};

	for (uint32_t i = 0; i < run->n_captures; i++) {
		const struct offline_capture *capture = &run->captures[i];

		if (capture->info->damage)
			complain("%s", capture->info->damage);
		if (capture->error[0])
			complain("%s", capture->error);
		run->has_failed |= capture->info->damage || capture->error[0];
		summary.is_complete &= capture->is_complete && !capture->info->damage;
	}
	if (!options->json)
		summary_print(&summary, summary_file);
	else if (summary_print_json(&summary, summary_file))
		run->has_failed = true;
	if (fflush(summary_file) || ferror(summary_file)) {
		complain("the summary could not be written");
		run->has_failed = true;
	}
	if (atomic_load(&interrupted))
		return EXIT_INTERRUPTED;
	return run->has_failed ? EXIT_FAILED : EXIT_OK;
}

int cmd_classify(int argc, char **argv)
{
	struct classify_run run = {0};
	struct classify_options options;
	int rc = classify_parse(argc, argv, &options);

	if (rc)
		return rc - 1;
	interrupt_catch();
	rc = EXIT_FAILED;
	run.total = calloc(1, sizeof(*run.total));
	if (!run.total)
		complain("out of memory");
	else if (!classify_load_model(&run, &options) && !classify_inspect(&run, &options)) {
		if (run.n_captures)
			rc = classify_captures(&run, &options);
		else if (atomic_load(&interrupted))
			rc = EXIT_INTERRUPTED;
	}

	for (uint32_t i = 0; i < run.n_captures; i++)
		capture_info_free(&run.infos[i]);
	free(run.captures);
	free(run.infos);
	free(run.total);
	free(run.class_json[0]);
	free(run.class_json[1]);
	packet_engine_free(run.engine);
	model_free(run.model);
	return rc;
}
