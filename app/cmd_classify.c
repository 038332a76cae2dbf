/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `wirescore classify CAPTURE...`: looks at the captures, starts DPDK, sends every packet through the
 * dataplane and prints what came out.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "capture_run.h"
#include "command.h"
#include "control/flow_writer.h"
#include "control/packet_writer.h"
#include "control/summary.h"
#include "flow_classes.h"
#include "flow_options.h"
#include "interrupt.h"
#include "json_text.h"
#include "shipped.h"

static const char classify_help[] =
	"Usage: wirescore classify [OPTION]... CAPTURE... [-- EAL-ARGUMENT...]\n"
	"Scores every packet of pcap and pcapng captures through DPDK, and tells of their flows: which are attacks,\n"
	"who attacks whom, and at which packet that was known.\n"
	"\n"
	"  --packet-model FILE  ONNX model that tells IP from non-IP packets by their first bytes\n"
	"                       (default: the shipped ip.onnx); 'none': let the parser decide\n"
	"  --flow-model FILE    ONNX model that gives flows a class (default: the shipped attack.onnx); 'none':\n"
	"                       flows have none\n"
	"  --packets FILE       write a line of NDJSON for each packet, in order; '-' is stdout\n"
	"                       (the summary then goes to stderr), .gz is compressed\n"
	"  --records FILE       write a line for each flow that ended; '-' is stdout, .gz is compressed\n"
	"  --records-format F   'ndjson' (default) or 'joy', the schema of Cisco Joy\n"
	"  --workers N          threads (1 to 32, default 1): each has captures of its own; a single capture's\n"
	"                       packets are shared out by flow; '-- -l CORES' pins them\n"
	"  --kernel NAME        force a kernel ('wirescore kernels' lists them)\n"
	"  --burst N            packets a poll, 1 to 64 (default 32)\n"
	"  --json               print the summary as one JSON object\n"
	"  -q, --quiet          no progress bar\n"
	"  -v, --verbose        let DPDK say what it does\n"
	"  -h, --help           print this\n"
	"\n"
	"Flows:\n";

static const char classify_help_end[] =
	"\n"
	"What follows '--' goes to DPDK's environment as it is. Root is not needed, nor are hugepages.\n"
	"Exit status: 0; 1 where anything could not be read or written; 2 for bad usage;\n"
	"130 after SIGINT, with the summary so far.\n";

struct classify_options {
	const char *packet_model; /* NULL: the shipped one; "none": none */
	const char *flow_model;	  /* likewise */
	const char *packets;
	const char *records;
	bool is_joy;
	const char *kernel;
	uint64_t n_workers;
	uint64_t burst;
	struct flow_options flow;
	int json, quiet, verbose;
	char **captures;
	int n_captures;
	char **eal;
	int n_eal;
};

/* All that a run holds, so that one function can let go of it. */
struct classify_run {
	const struct classify_options *options;
	struct capture_run captures;
	struct model *model;
	char model_path[PATH_MAX];
	struct packet_engine *engine;
	const char *classes[2];
	char *class_json[2];
	struct model *flow_model;
	char flow_model_path[PATH_MAX];
	struct flow_model *flow_engine_model; /* what the engines decide with */
	char **flow_class_json;		      /* [n_classes] of the flow model */
	struct flow_engine_options flows;
	struct summary_attacks *attacks;     /* [n_captures] */
	struct summary_attacks *attacks_now; /* of the capture that records are of */
	size_t flow_record_bytes;
	bool names_captures; /* each record says which capture it is of */
	struct flow_writer_options records_options;
	struct packet_writer packets;
	struct flow_writer records;
	char *packets_capture, *records_capture; /* the capture that each is at, as JSON */
	bool has_packets, has_records;		 /* the writers are open */
};

enum {
	OPT_PACKET_MODEL = 256,
	OPT_FLOW_MODEL,
	OPT_PACKETS,
	OPT_RECORDS,
	OPT_RECORDS_FORMAT,
	OPT_WORKERS,
	OPT_KERNEL,
	OPT_BURST,
	OPT_JSON,
};

/* 0 to go on, else an exit code + 1. */
static int classify_parse(int argc, char **argv, struct classify_options *options)
{
	static const struct option long_options[] = {
		{"packet-model", required_argument, NULL, OPT_PACKET_MODEL},
		{"flow-model", required_argument, NULL, OPT_FLOW_MODEL},
		{"packets", required_argument, NULL, OPT_PACKETS},
		{"records", required_argument, NULL, OPT_RECORDS},
		{"records-format", required_argument, NULL, OPT_RECORDS_FORMAT},
		{"workers", required_argument, NULL, OPT_WORKERS},
		{"kernel", required_argument, NULL, OPT_KERNEL},
		{"burst", required_argument, NULL, OPT_BURST},
		{"json", no_argument, NULL, OPT_JSON},
		{"quiet", no_argument, NULL, 'q'},
		{"verbose", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		FLOW_LONG_OPTIONS,
		{0},
	};
	int n_own, option;

	*options = (struct classify_options){.n_workers = 1, .burst = OFFLINE_DEFAULT_BURST};
	flow_options_init(&options->flow);
	n_own = split_eal_arguments(argc, argv, &options->eal, &options->n_eal);
	while ((option = getopt_long(n_own, argv, "qvh", long_options, NULL)) != -1) {
		int rc = 0;

		switch (option) {
		case OPT_PACKET_MODEL:
			options->packet_model = optarg;
			break;
		case OPT_FLOW_MODEL:
			options->flow_model = optarg;
			break;
		case OPT_PACKETS:
			options->packets = optarg;
			break;
		case OPT_RECORDS:
			options->records = optarg;
			break;
		case OPT_RECORDS_FORMAT:
			options->is_joy = !strcmp(optarg, "joy");
			if (!options->is_joy && strcmp(optarg, "ndjson")) {
				complain("--records-format %s: must be ndjson or joy", optarg);
				rc = -1;
			}
			break;
		case OPT_WORKERS:
			rc = parse_u64("--workers", optarg, 1, OFFLINE_MAX_WORKERS, &options->n_workers);
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
			fputs(flow_options_help, stdout);
			fputs(classify_help_end, stdout);
			return EXIT_OK + 1;
		default:
			if (flow_options_has(option)) {
				rc = flow_options_take(&options->flow, option, optarg);
				break;
			}
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
	if (options->records && !options->flow.config.n_flows)
		return usage_error("classify", "--records needs flows, and --flows 0 turns them off") + 1;
	if (options->flow_model && strcmp(options->flow_model, "none") && !options->flow.config.n_flows)
		return usage_error("classify", "--flow-model needs flows, and --flows 0 turns them off") + 1;
	if (options->packets && options->records && !strcmp(options->packets, "-") &&
	    !strcmp(options->records, "-"))
		return usage_error("classify", "--packets and --records cannot both be stdout") + 1;
	if (flow_options_finish(&options->flow))
		return EXIT_FAILED + 1;
	if (options->records && options->is_joy)
		options->flow.config.layout =
			(struct flow_layout){.has_history = true, .n_listed = FLOW_MAX_LISTED};
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

/* Loads the flow model, where flows are to have a class. 0, or -1 after complaining. */
static int classify_load_flow_model(struct classify_run *run, const struct classify_options *options)
{
	const char *path = run->flow_model_path;
	char error[512];

	if (!options->flow.config.n_flows || (options->flow_model && !strcmp(options->flow_model, "none")))
		return 0;
	if (options->flow_model)
		snprintf(run->flow_model_path, sizeof(run->flow_model_path), "%s", options->flow_model);
	else
		shipped_model_path("attack.onnx", run->flow_model_path, sizeof(run->flow_model_path));
	if (model_load(path, &run->flow_model, error, sizeof(error)) ||
	    flow_model_create(run->flow_model, nn_kernel_find(options->kernel), &run->flow_engine_model, error,
			      sizeof(error))) {
		complain("%s: %s%s", path, error,
			 options->flow_model ? "" : "; $WIRESCORE_MODELS or --flow-model says where models are");
		return -1;
	}
	if (flow_classes_name(run->flow_model, run->flow_engine_model->n_classes, &run->flow_class_json)) {
		complain("out of memory");
		return -1;
	}
	/* It may have been trained on such flows: nothing tells. */
	if (options->flow.config.is_one_way)
		complain(
			"--direction one: no flow has replies, so a model of flows of both directions takes them all for "
			"unanswered; --flow-model none: no verdicts");
	return 0;
}

/* Refuses to write a file that is read, before it is opened. 0, or -1 after complaining. */
static int classify_check_output(const struct classify_run *run, const char *option, const char *path)
{
	if (!capture_run_reads(&run->captures, path, run->model ? run->model_path : NULL) &&
	    !capture_run_reads(&run->captures, path, run->flow_model ? run->flow_model_path : NULL))
		return 0;
	complain("%s %s: is a file that is read; name another one", option, path);
	return -1;
}

/* Whether packets and flows would be written over each other; /dev/null takes both. */
static bool classify_is_one_output(const struct classify_run *run)
{
	const struct output *packets = &run->packets.output, *records = &run->records.output;

	return run->has_packets && run->has_records && output_is_file(packets, &records->status) &&
	       ((packets->is_stdout && records->is_stdout) || S_ISREG(packets->status.st_mode));
}

/* Opens the files of records, which must be none of the files that are read. 0, or -1 after complaining. */
static int classify_open_records(struct classify_run *run, const struct classify_options *options)
{
	int rc;

	for (int i = 0; i < 2; i++) {
		run->class_json[i] = json_quoted(run->classes[i]);
		if (!run->class_json[i]) {
			complain("out of memory");
			return -1;
		}
	}
	if ((options->packets && classify_check_output(run, "--packets", options->packets)) ||
	    (options->records && classify_check_output(run, "--records", options->records)))
		return -1;
	if (options->packets) {
		rc = packet_writer_open(&run->packets, options->packets,
					(const char *const[]){run->class_json[0], run->class_json[1], "null"});
		if (rc) {
			complain("--packets %s: cannot be written: %s", options->packets, strerror(-rc));
			return -1;
		}
		run->has_packets = true;
	}
	if (options->records) {
		run->records_options = (struct flow_writer_options){
			.path = options->records,
			.form = options->is_joy ? FLOW_WRITER_JOY : FLOW_WRITER_NDJSON,
			.layout = flow_engine_record_layout(&run->flows),
			.classes = (const char *const *)run->flow_class_json,
			.n_classes = run->flow_model ? run->flow_model->n_classes : 0,
		};
		rc = flow_writer_open(&run->records, &run->records_options);
		if (rc) {
			complain("--records %s: cannot be written: %s", options->records, strerror(-rc));
			return -1;
		}
		run->has_records = true;
	}
	if (!classify_is_one_output(run))
		return 0;
	complain("--records %s: is the file of --packets; name another one", options->records);
	return -1;
}

/* Closes them. 0, or -1 after complaining that lines were lost. */
static int classify_close_records(struct classify_run *run, const struct classify_options *options)
{
	char loss[256];
	int rc = 0;

	if (run->has_packets && packet_writer_close(&run->packets)) {
		complain("--packets %s: %s", options->packets,
			 output_loss(&run->packets.output, "lines", loss, sizeof(loss)));
		rc = -1;
	}
	if (run->has_records && flow_writer_close(&run->records)) {
		complain("--records %s: %s", options->records,
			 output_loss(&run->records.output, "lines", loss, sizeof(loss)));
		rc = -1;
	}
	run->has_packets = run->has_records = false;
	return rc;
}

static void classify_begin_packets(void *context, const struct capture_info *info, bool has_nanoseconds)
{
	struct classify_run *run = context;

	free(run->packets_capture);
	run->packets_capture = run->names_captures ? json_quoted(info->path) : NULL;
	packet_writer_set_capture(&run->packets, run->packets_capture, has_nanoseconds);
}

static void classify_write_packets(void *context, const struct packet_record *records, uint32_t n)
{
	struct classify_run *run = context;

	packet_writer_write(&run->packets, records, n);
}

/* The index of a capture. */
static uint32_t classify_capture_of(const struct classify_run *run, const struct capture_info *info)
{
	uint32_t i = 0;

	while (run->captures.captures[i].info != info)
		i++;
	return i;
}

static void classify_begin_flows(void *context, const struct capture_info *info, bool has_nanoseconds)
{
	struct classify_run *run = context;

	if (run->attacks)
		run->attacks_now = &run->attacks[classify_capture_of(run, info)];
	if (!run->has_records)
		return;
	free(run->records_capture);
	run->records_capture = run->names_captures ? json_quoted(info->path) : NULL;
	flow_writer_set_capture(&run->records, run->records_capture, has_nanoseconds);
}

/* Remembers who attacks whom. */
static void classify_note_attacks(struct classify_run *run, const void *records, uint32_t n)
{
	const uint8_t *at = records;

	for (uint32_t i = 0; i < n; i++, at += run->flow_record_bytes) {
		const struct flow_record *record = (const struct flow_record *)(const void *)at;
		uint32_t initiator = flow_initiator(&record->flow);

		if (!record->class)
			continue;
		top_hosts_add(&run->attacks_now->attackers, record->flow.key.address[initiator]);
		top_hosts_add(&run->attacks_now->targets, record->flow.key.address[1 - initiator]);
	}
}

static void classify_write_flows(void *context, const void *records, uint32_t n)
{
	struct classify_run *run = context;

	if (run->attacks_now)
		classify_note_attacks(run, records, n);
	if (run->has_records)
		flow_writer_write(&run->records, records, n);
}

/* Empties the files of records: from here on they are ours. 0, or -1 after complaining. */
static int classify_begin_records(void *context)
{
	struct classify_run *run = context;
	const struct classify_options *options = run->options;
	int rc;

	if (run->has_packets && (rc = packet_writer_begin(&run->packets))) {
		complain("--packets %s: cannot be emptied: %s", options->packets, strerror(-rc));
		return -1;
	}
	if (run->has_records && (rc = flow_writer_begin(&run->records))) {
		complain("--records %s: cannot be emptied: %s", options->records, strerror(-rc));
		return -1;
	}
	return 0;
}

/* Starts DPDK and sends the captures through the dataplane. 0, or -1 after complaining. */
static int classify_run_dataplane(struct classify_run *run, const struct classify_options *options)
{
	struct packet_record_sink packets = {run, classify_begin_packets, classify_write_packets};
	struct flow_record_sink flows = {run, classify_begin_flows, classify_write_flows};
	struct offline_options offline = {
		.n_workers = options->n_workers,
		.burst = options->burst,
		.packet_engine = run->engine,
		.flows = options->flow.config.n_flows ? &run->flows : NULL,
		.depth = options->flow.depth,
		.packets = options->packets ? &packets : NULL,
		.flow_records = run->flows.records != FLOW_ENGINE_NO_RECORDS ? &flows : NULL,
		.ready = classify_begin_records,
		.context = run,
		.verb = "classifying",
		.show_progress = !options->quiet,
		.stop = &interrupted,
	};

	if (capture_run_start(&run->captures, &offline, options->eal, options->n_eal, options->verbose))
		return -1;
	return capture_run_finish(&run->captures, &offline);
}

/* Prints the summary. 0, or -1 after complaining. */
static int classify_summarise(struct classify_run *run, const struct classify_options *options)
{
	FILE *file = run->packets.output.is_stdout || run->records.output.is_stdout ? stderr : stdout;
	struct summary summary = {
		.result = &run->captures.result,
		.captures = run->captures.captures,
		.n_captures = run->captures.n_captures,
		.packet_model = run->model,
		.packet_model_path = run->model_path,
		.kernel = run->engine ? run->engine->kernel->name : NULL,
		.classes = {run->classes[0], run->classes[1]},
		.flows = options->flow.config.n_flows ? &run->flows : NULL,
		.flow_model = run->flow_model,
		.flow_model_path = run->flow_model_path,
		.attacks = run->attacks,
		.has_records = options->records,
		.n_records_written = run->records.output.n_written,
		.n_records_lost = run->records.output.n_lost,
		.is_complete = run->captures.is_complete,
	};
	int rc = 0;

	if (!options->json)
		summary_print(&summary, file);
	else
		rc = summary_print_json(&summary, file);
	if (rc || fflush(file) || ferror(file)) {
		complain("the summary could not be written");
		return -1;
	}
	return 0;
}

/* Says what the flow engines are to do. 0, or -1 after complaining. */
static int classify_prepare_flows(struct classify_run *run, const struct classify_options *options)
{
	struct flow_layout layout;

	run->flows = flow_options_engine(&options->flow);
	/* Whoever knew it could make hosts collide. */
	memcpy(run->flows.context.seed, run->flows.config.seed, sizeof(run->flows.context.seed));
	run->flows.model = run->flow_engine_model;
	run->flows.has_packet_ids = options->packets != NULL;
	run->flows.records = options->records  ? FLOW_ENGINE_ALL
			     : run->flow_model ? FLOW_ENGINE_ATTACKS
					       : FLOW_ENGINE_NO_RECORDS;
	layout = flow_engine_record_layout(&run->flows);
	run->flow_record_bytes = flow_record_bytes(&layout);
	if (!run->flow_model)
		return 0;
	run->attacks = calloc(run->captures.n_captures, sizeof(*run->attacks));
	if (!run->attacks) {
		complain("out of memory");
		return -1;
	}
	for (uint32_t i = 0; i < run->captures.n_captures; i++) {
		memcpy(run->attacks[i].attackers.seed, run->flows.config.seed, sizeof(run->flows.config.seed));
		memcpy(run->attacks[i].targets.seed, run->flows.config.seed, sizeof(run->flows.config.seed));
	}
	return 0;
}

/* Carries the captures to their end and prints the summary. Returns an exit code. */
static int classify_captures(struct classify_run *run, const struct classify_options *options)
{
	int rc;

	if (classify_prepare_flows(run, options) || classify_open_records(run, options))
		return EXIT_FAILED;
	rc = classify_run_dataplane(run, options);
	run->captures.has_failed |= classify_close_records(run, options) != 0;
	if (rc)
		return EXIT_FAILED;
	capture_run_report(&run->captures, options->n_captures);
	run->captures.has_failed |= classify_summarise(run, options) != 0;
	if (atomic_load(&interrupted))
		return EXIT_INTERRUPTED;
	return run->captures.has_failed ? EXIT_FAILED : EXIT_OK;
}

static void classify_free_flows(struct classify_run *run)
{
	for (uint32_t i = 0; run->attacks && i < run->captures.n_captures; i++) {
		top_hosts_free(&run->attacks[i].attackers);
		top_hosts_free(&run->attacks[i].targets);
	}
	free(run->attacks);
	flow_classes_free(run->flow_class_json, run->flow_model ? run->flow_model->n_classes : 0);
	flow_model_free(run->flow_engine_model);
	model_free(run->flow_model);
}

int cmd_classify(int argc, char **argv)
{
	struct classify_options options;
	struct classify_run run = {.options = &options};
	int rc = classify_parse(argc, argv, &options);

	if (rc)
		return rc - 1;
	interrupt_catch();
	run.names_captures = options.n_captures > 1;
	rc = EXIT_FAILED;
	if (!classify_load_model(&run, &options) && !classify_load_flow_model(&run, &options) &&
	    !capture_run_inspect(&run.captures, options.captures, options.n_captures, options.quiet)) {
		capture_run_fit_flows(&run.captures, &options.flow.config);
		if (run.captures.n_captures)
			rc = classify_captures(&run, &options);
		else if (atomic_load(&interrupted))
			rc = EXIT_INTERRUPTED;
	}
	classify_close_records(&run, &options);
	capture_run_free(&run.captures);
	free(run.packets_capture);
	free(run.records_capture);
	free(run.class_json[0]);
	free(run.class_json[1]);
	classify_free_flows(&run);
	packet_engine_free(run.engine);
	model_free(run.model);
	return rc;
}
