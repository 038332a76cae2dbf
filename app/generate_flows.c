/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `wirescore generate flows`: writes a capture of made-up conversations through libpcap, rules that label its flows
 * (as `extract --labels` reads them), and a summary of what went on. Called by cmd_generate.c. The traffic comes
 * from generate/flows.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "generate.h"
#include "generate/flows.h"
#include "generate_file.h"

#define NS_PER_SECOND UINT64_C(1000000000)
#define PACKETS_MOST  UINT64_C(1000000000)
#define SNAP_BYTES    128

struct flows_arguments {
	const char *output, *labels;
	char *default_labels; /* made from output */
	struct flows_options flows;
	bool nanosecond, quiet;
};

/* Where packets go. */
struct flows_capture {
	struct generated_file *file;
	pcap_dumper_t *dumper;
	uint32_t ns_per_fraction;
	uint64_t n_packets;
};

static void print_help(void)
{
	puts("Usage: wirescore generate flows -o FILE [OPTION]...\n"
	     "\n"
	     "Writes a pcap file of made-up conversations, benign and attack, mixed on one timeline, and beside it the rules\n"
	     "that label its flows, for 'wirescore extract --labels'. The same seed gives the same bytes.\n"
	     "\n"
	     "  -o, --output FILE     the capture; - is stdout\n"
	     "      --labels FILE     the rules (default: the capture's name with .tsv); - is stdout\n"
	     "      --scenario NAME   what goes on (default mix); --list names them\n"
	     "      --families LIST   these behaviours, each once, instead of a scenario's; separated by commas, * and ? match\n"
	     "      --list            print the scenarios and the behaviours\n"
	     "      --seed S          what to make it from (default 1)\n"
	     "      --duration S      seconds, 1 to 86400 (default: drawn, 30 to 1200)\n"
	     "      --hosts N         machines of the site, 2 to 4096 (default: drawn)\n"
	     "  -n, --packets MAX     end after so many packets (default 1000000)\n"
	     "      --intensity X     how busy, 0.01 to 100 (default 1)\n"
	     "      --one-way SHARE   of flows that are seen in one direction, 0 to 1 (default: drawn)\n"
	     "      --full            capture whole packets, not their first 128 bytes\n"
	     "      --nanosecond      nanosecond timestamps instead of microseconds\n"
	     "  -q, --quiet           no summary on stderr\n"
	     "  -h, --help            this text");
}

static void print_list(void)
{
	puts("Scenarios (--scenario):");
	for (size_t i = 0; i < flows_n_scenarios(); i++)
		printf("  %-20s %s\n", flows_scenario(i).name, flows_scenario(i).what);
	puts("\nBehaviours (--families) and their labels:");
	for (size_t i = 0; i < flows_n_behaviours(); i++) {
		struct flows_listed behaviour = flows_behaviour(i);

		printf("  %-20s %-20s %s\n", behaviour.name, behaviour.label, behaviour.what);
	}
}

enum { SEED = 1, SCENARIO, FAMILIES, LIST, DURATION, HOSTS, INTENSITY, ONE_WAY, FULL, NANOSECOND, LABELS };

/* One option. EXIT_OK to go on, EXIT_USAGE, or -1 when the answer has been printed. */
static int option_take(int option, struct flows_arguments *arguments)
{
	struct flows_options *flows = &arguments->flows;
	double number;
	uint64_t whole;

	switch (option) {
	case 'o':
		arguments->output = optarg;
		break;
	case 'n':
		return parse_u64("-n", optarg, 1, PACKETS_MOST, &flows->max_packets) ? EXIT_USAGE : EXIT_OK;
	case 'q':
		arguments->quiet = true;
		break;
	case LABELS:
		arguments->labels = optarg;
		break;
	case SEED:
		return parse_u64("--seed", optarg, 0, UINT64_MAX, &flows->seed) ? EXIT_USAGE : EXIT_OK;
	case SCENARIO:
		flows->scenario = optarg;
		break;
	case FAMILIES:
		flows->families = optarg;
		break;
	case DURATION:
		if (parse_double("--duration", optarg, 1, 86400, &number))
			return EXIT_USAGE;
		flows->duration_ns = (uint64_t)(number * 1000) * 1000000;
		break;
	case HOSTS:
		if (parse_u64("--hosts", optarg, 2, FLOWS_MOST_HOSTS, &whole))
			return EXIT_USAGE;
		flows->n_hosts = (uint32_t)whole;
		break;
	case INTENSITY:
		if (parse_double("--intensity", optarg, 0.01, 100, &number))
			return EXIT_USAGE;
		flows->intensity_q8 = (uint32_t)(number * FLOWS_INTENSITY_UNIT);
		break;
	case ONE_WAY:
		if (parse_double("--one-way", optarg, 0, 1, &number))
			return EXIT_USAGE;
		flows->one_way_per_mille = (uint32_t)(number * 1000 + 0.5);
		break;
	case FULL:
		flows->snap_bytes = FLOWS_MOST_SNAP;
		break;
	case NANOSECOND:
		arguments->nanosecond = true;
		break;
	case LIST:
		print_list();
		return -1;
	case 'h':
		print_help();
		return -1;
	}
	return EXIT_OK;
}

/* The rules stand beside the capture: NAME.tsv for NAME.pcap. 0, or -1 after complaining. */
static int labels_choose(struct flows_arguments *arguments)
{
	size_t n_bytes = strlen(arguments->output);

	if (arguments->labels || !strcmp(arguments->output, "-"))
		return 0;
	if (n_bytes > 5 && !strcmp(arguments->output + n_bytes - 5, ".pcap"))
		n_bytes -= 5;
	if (asprintf(&arguments->default_labels, "%.*s.tsv", (int)n_bytes, arguments->output) < 0) {
		arguments->default_labels = NULL;
		complain("%s", strerror(ENOMEM));
		return -1;
	}
	arguments->labels = arguments->default_labels;
	return 0;
}

/* EXIT_OK to go on, another exit code, or -1 when the answer has been printed. */
static int arguments_parse(int argc, char **argv, struct flows_arguments *arguments)
{
	static const struct option known[] = {
		{"output", required_argument, NULL, 'o'},
		{"packets", required_argument, NULL, 'n'},
		{"quiet", no_argument, NULL, 'q'},
		{"help", no_argument, NULL, 'h'},
		{"labels", required_argument, NULL, LABELS},
		{"seed", required_argument, NULL, SEED},
		{"scenario", required_argument, NULL, SCENARIO},
		{"families", required_argument, NULL, FAMILIES},
		{"list", no_argument, NULL, LIST},
		{"duration", required_argument, NULL, DURATION},
		{"hosts", required_argument, NULL, HOSTS},
		{"intensity", required_argument, NULL, INTENSITY},
		{"one-way", required_argument, NULL, ONE_WAY},
		{"full", no_argument, NULL, FULL},
		{"nanosecond", no_argument, NULL, NANOSECOND},
		{0},
	};
	int option, rc;

	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, ":o:n:qh", known, NULL)) != -1) {
		if (option == ':')
			return usage_error("generate", "%s needs a value", argv[optind - 1]);
		if (option == '?')
			return usage_error("generate", "there is no option '%s'", argv[optind - 1]);
		rc = option_take(option, arguments);
		if (rc)
			return rc;
	}
	if (optind < argc)
		return usage_error("generate", "'%s' is one argument too many", argv[optind]);
	if (!arguments->output)
		return usage_error("generate", "-o FILE is missing: where to write the capture");
	if (labels_choose(arguments))
		return EXIT_FAILED;
	if (arguments->labels && generated_file_is_same(arguments->labels, arguments->output))
		return usage_error("generate", "the capture and the labels cannot both go to %s",
				   arguments->output);
	return EXIT_OK;
}

static int packet_dump(void *context, const struct flows_packet *packet)
{
	struct flows_capture *capture = context;
	struct pcap_pkthdr header = {.caplen = packet->captured_bytes, .len = packet->wire_bytes};

	header.ts.tv_sec = (time_t)(packet->time_ns / NS_PER_SECOND);
	header.ts.tv_usec = (suseconds_t)(packet->time_ns % NS_PER_SECOND / capture->ns_per_fraction);
	pcap_dump((u_char *)capture->dumper, &header, packet->data);
	capture->n_packets++;
	return ferror(capture->file->stream) ? generated_file_failed(capture->file) : 0;
}

static void print_time(FILE *file, uint64_t ns)
{
	fprintf(file, "%" PRIu64 ".%09" PRIu64, ns / NS_PER_SECOND, ns % NS_PER_SECOND);
}

static void print_side(FILE *file, const struct flows_rule *rule, int side)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	bool is_ipv4 = !memcmp(rule->address[side], mapped, sizeof(mapped));
	char text[INET6_ADDRSTRLEN];
	uint32_t n_bits = rule->prefix_bits[side];

	if (!n_bits) {
		fputs("*", file);
		return;
	}
	inet_ntop(is_ipv4 ? AF_INET : AF_INET6, rule->address[side] + (is_ipv4 ? 12 : 0), text, sizeof(text));
	fputs(text, file);
	if (n_bits < 128)
		fprintf(file, "/%u", is_ipv4 ? n_bits - 96 : n_bits);
}

static void print_ports(FILE *file, const struct flows_rule *rule, int side)
{
	if (rule->port_low[side] == 0 && rule->port_high[side] == UINT16_MAX)
		fputs("*", file);
	else if (rule->port_low[side] == rule->port_high[side])
		fprintf(file, "%u", rule->port_low[side]);
	else
		fprintf(file, "%u-%u", rule->port_low[side], rule->port_high[side]);
}

static void print_rule(FILE *file, const struct flows *flows, const struct flows_rule *rule, const char *scenario)
{
	struct flows_activity_summary activity = flows_activity_summary(flows, rule->activity);

	if (!activity.n_packets)
		return;
	/* No limits in time: whatever these hosts say so to each other is the attack's. */
	fputs("*\t*\t", file);
	print_side(file, rule, 0);
	fputc('\t', file);
	print_side(file, rule, 1);
	fputc('\t', file);
	print_ports(file, rule, 0);
	fputc('\t', file);
	print_ports(file, rule, 1);
	if (rule->protocol)
		fprintf(file, "\t%u", rule->protocol);
	else
		fputs("\t*", file);
	fprintf(file, "\t0\t%s\tattack\t%s\t%s\tgenerate:%s ", rule->label, rule->label, scenario,
		activity.behaviour);
	print_time(file, activity.first_ns);
	fputc('-', file);
	print_time(file, activity.last_ns);
	fputc('\n', file);
}

static int labels_write(const struct flows *flows, const char *scenario, const struct generated_file *labels)
{
	FILE *file = labels->stream;

	fputs("start\tend\tsrc\tdst\tsrc_port\tdst_port\tprotocol\tdirected\tlabel\tclass\tfamily\tscenario\ttool\n",
	      file);
	for (size_t i = 0; i < flows_n_rules(flows); i++)
		print_rule(file, flows, flows_rule(flows, i), scenario);
	fprintf(file, "*\t*\t*\t*\t*\t*\t*\t0\tbenign\tbenign\tbenign\t%s\tgenerate\n", scenario);
	return fflush(file) || ferror(file) ? generated_file_failed(labels) : 0;
}

static void summary_print(const struct flows *flows, uint64_t n_packets)
{
	uint64_t n_flows = 0;

	for (size_t i = 0; i < flows_n_activities(flows); i++) {
		struct flows_activity_summary activity = flows_activity_summary(flows, i);

		n_flows += activity.n_flows;
		fprintf(stderr, "%-20s %-20s %10" PRIu64 " flows %10" PRIu64 " packets\n", activity.behaviour,
			activity.label, activity.n_flows, activity.n_packets);
	}
	fprintf(stderr, "%-20s %-20s %10" PRIu64 " flows %10" PRIu64 " packets; %" PRIu64 " not begun\n", "total",
		"", n_flows, n_packets, flows_n_skipped(flows));
}

/* Writes the packets. 0, or -1 after complaining. */
static int capture_write(const struct flows_arguments *arguments, struct flows *flows, struct generated_file *file,
			 uint64_t *n_packets)
{
	int precision = arguments->nanosecond ? PCAP_TSTAMP_PRECISION_NANO : PCAP_TSTAMP_PRECISION_MICRO;
	pcap_t *pcap = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, FLOWS_MOST_SNAP, precision);
	struct flows_capture capture = {.file = file, .ns_per_fraction = arguments->nanosecond ? 1 : 1000};
	int rc = -1;

	if (pcap)
		capture.dumper = pcap_dump_fopen(pcap, file->stream);
	if (capture.dumper)
		rc = flows_run(flows, packet_dump, &capture);
	else
		complain("%s: %s", arguments->output, pcap ? pcap_geterr(pcap) : strerror(ENOMEM));
	*n_packets = capture.n_packets;
	/*
	 * The dumper is no more than file->stream, which generated_file_close closes and so learns how that went.
	 */
	if (pcap)
		pcap_close(pcap);
	return rc;
}

static int generate(const struct flows_arguments *arguments, struct flows *flows)
{
	struct generated_file capture = {0}, labels = {0};
	uint64_t n_packets = 0;
	bool failed;

	failed = (arguments->labels && generated_file_open(&labels, arguments->labels)) ||
		 generated_file_open(&capture, arguments->output) ||
		 capture_write(arguments, flows, &capture, &n_packets) || generated_file_flush(&capture) ||
		 (labels.stream && labels_write(flows, arguments->flows.scenario, &labels));
	failed |= generated_file_close(&capture, failed) != 0;
	failed |= generated_file_close(&labels, failed) != 0;
	if (!failed && !arguments->quiet)
		summary_print(flows, n_packets);
	return failed ? EXIT_FAILED : EXIT_OK;
}

int generate_flows(int argc, char **argv)
{
	struct flows_arguments arguments = {.flows = {.scenario = "mix",
						      .seed = 1,
						      .max_packets = 1000000,
						      .intensity_q8 = FLOWS_INTENSITY_UNIT,
						      .one_way_per_mille = FLOWS_DRAWN,
						      .snap_bytes = SNAP_BYTES}};
	struct flows *flows = NULL;
	char error[256];
	int rc = arguments_parse(argc, argv, &arguments);

	if (rc == -1) {
		rc = finish_stdout();
	} else if (!rc) {
		rc = flows_create(&arguments.flows, &flows, error, sizeof(error));
		if (rc == -EINVAL) {
			rc = usage_error("generate", "%s", error);
		} else if (rc) {
			complain("%s", error);
			rc = EXIT_FAILED;
		} else {
			rc = generate(&arguments, flows);
		}
	}
	flows_free(flows);
	free(arguments.default_labels);
	return rc;
}
