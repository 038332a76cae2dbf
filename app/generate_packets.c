/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `wirescore generate packets`: writes a capture of made-up frames of many kinds through libpcap, and what each
 * of them is. Called by cmd_generate.c. The frames come from generate/.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "generate.h"
#include "generate/kinds.h"
#include "generate_file.h"
#include "packet_rule.h"

/* 2023-11-14 22:13:20 UTC; a billion packets, less than a millisecond apart, stay within pcap's 32-bit seconds. */
#define NS_PER_SECOND	UINT64_C(1000000000)
#define FIRST_PACKET_NS (UINT64_C(1700000000) * NS_PER_SECOND)
#define PACKETS_MOST	UINT64_C(1000000000)

struct generate_options {
	const char *output, *labels;
	struct packet_rule rule;
	struct frame_mix mix;
	uint64_t seed, n_packets, max_bytes;
	bool nanosecond;
};

static void print_help(void)
{
	puts("Usage: wirescore generate packets -o FILE [OPTION]...\n"
	     "\n"
	     "Writes a pcap file of made-up Ethernet frames, about half of them IP. The same seed gives the same bytes.\n"
	     "\n"
	     "  -o, --output FILE     the capture; - is stdout\n"
	     "  -n, --packets N       how many (default 1000)\n"
	     "      --seed S          what to make them from (default 1)\n"
	     "      --kinds LIST      only these kinds, separated by commas; * and ? match (default: all)\n"
	     "      --list-kinds      print the kinds and what they are\n"
	     "      --max-size BYTES  the longest frame, 384 to 9000 (default 9000)\n"
	     "      --nanosecond      nanosecond timestamps instead of microseconds\n"
	     "      --labels FILE     a line per packet: number, class, kind, VLAN tags; - is stdout\n"
	     "      --label RULE      the rule for the class: ipv4, ip or ethertype:0xNNNN (default ip)\n"
	     "  -h, --help            this text");
}

static void list_kinds(void)
{
	for (size_t i = 0; i < n_frame_kinds; i++)
		printf("%-20s %s\n", frame_kinds[i].name, frame_kinds[i].what);
}

static int kinds_parse(const char *list, struct frame_mix *mix)
{
	size_t n_bytes;

	memset(mix, 0, sizeof(*mix));
	for (;; list += n_bytes + 1) {
		n_bytes = strcspn(list, ",");
		if (frame_mix_add_matching(mix, list, n_bytes) == 0)
			return usage_error("generate",
					   "--kinds '%.*s' is no kind of frame; --list-kinds lists them",
					   (int)n_bytes, list);
		if (list[n_bytes] == '\0')
			return EXIT_OK;
	}
}

/* EXIT_OK to go on, EXIT_USAGE, or -1 when the answer has been printed. */
static int options_parse(int argc, char **argv, struct generate_options *options)
{
	enum { SEED = 1, KINDS, LIST_KINDS, MAX_SIZE, NANOSECOND, LABELS, LABEL };
	static const struct option known[] = {
		{"output", required_argument, NULL, 'o'},
		{"packets", required_argument, NULL, 'n'},
		{"seed", required_argument, NULL, SEED},
		{"kinds", required_argument, NULL, KINDS},
		{"list-kinds", no_argument, NULL, LIST_KINDS},
		{"max-size", required_argument, NULL, MAX_SIZE},
		{"nanosecond", no_argument, NULL, NANOSECOND},
		{"labels", required_argument, NULL, LABELS},
		{"label", required_argument, NULL, LABEL},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, ":o:n:h", known, NULL)) != -1) {
		switch (option) {
		case 'o':
			options->output = optarg;
			break;
		case 'n':
			if (parse_u64("-n", optarg, 1, PACKETS_MOST, &options->n_packets))
				return EXIT_USAGE;
			break;
		case SEED:
			if (parse_u64("--seed", optarg, 0, UINT64_MAX, &options->seed))
				return EXIT_USAGE;
			break;
		case KINDS:
			if (kinds_parse(optarg, &options->mix))
				return EXIT_USAGE;
			break;
		case LIST_KINDS:
			list_kinds();
			return -1;
		case MAX_SIZE:
			if (parse_u64("--max-size", optarg, FRAME_BUILDER_LEAST_BYTES, FRAME_BUILDER_MOST_BYTES,
				      &options->max_bytes))
				return EXIT_USAGE;
			break;
		case NANOSECOND:
			options->nanosecond = true;
			break;
		case LABELS:
			options->labels = optarg;
			break;
		case LABEL:
			if (packet_rule_parse(optarg, &options->rule))
				return usage_error("generate", "--label '%s' is not ipv4, ip or ethertype:0xNNNN",
						   optarg);
			break;
		case 'h':
			print_help();
			return -1;
		case ':':
			return usage_error("generate", "%s needs a value", argv[optind - 1]);
		default:
			return usage_error("generate", "there is no option '%s'", argv[optind - 1]);
		}
	}
	if (optind < argc)
		return usage_error("generate", "'%s' is one argument too many", argv[optind]);
	if (!options->output)
		return usage_error("generate", "-o FILE is missing: where to write the capture");
	if (options->labels && generated_file_is_same(options->labels, options->output))
		return usage_error("generate", "the capture and the labels cannot both go to %s", options->output);
	return EXIT_OK;
}

/*
 * From the packet's start to the next one's: its bytes with preamble, checksum and gap at 1 Gbit/s, and a pause
 * of a microsecond to a millisecond, more often short. Times in microseconds therefore increase, too.
 */
static uint64_t frame_gap_ns(struct frame_builder *f)
{
	uint32_t magnitude = below(f, 11);

	return (f->used_bytes + 24) * 8 + 1000 + below(f, 1u << (10 + magnitude));
}

/* Writes the packets to dumper and their labels to labels (or NULL). 0, or -1 after complaining. */
static int packets_write(const struct generate_options *options, struct frame_builder *f, pcap_dumper_t *dumper,
			 const struct generated_file *capture, const struct generated_file *labels)
{
	uint64_t time_ns = FIRST_PACKET_NS;
	uint32_t ns_per_fraction = options->nanosecond ? 1 : 1000;
	char classes[2][16];

	packet_rule_classes(&options->rule, classes);
	if (labels->stream)
		fputs("number\tclass\tkind\ttags\n", labels->stream);
	for (uint64_t n = 1; n <= options->n_packets; n++) {
		const struct frame_kind *kind = frame_mix_draw(&options->mix, &f->random);
		struct pcap_pkthdr header = {0};
		struct frame frame;

		if (frame_build(f, kind)) {
			complain("packet %" PRIu64 " of kind %s does not fit into %" PRIu64
				 " bytes; raise --max-size",
				 n, kind->name, options->max_bytes);
			return -1;
		}
		frame = (struct frame){.data = f->data,
				       .captured_bytes = (uint32_t)f->used_bytes,
				       .wire_bytes = (uint32_t)f->used_bytes,
				       .timestamp_ns = time_ns};
		header.caplen = header.len = frame.wire_bytes;
		header.ts.tv_sec = (time_t)(time_ns / NS_PER_SECOND);
		header.ts.tv_usec = (suseconds_t)(time_ns % NS_PER_SECOND / ns_per_fraction);
		pcap_dump((u_char *)dumper, &header, f->data);
		if (ferror(capture->stream))
			return generated_file_failed(capture);
		if (labels->stream)
			fprintf(labels->stream, "%" PRIu64 "\t%s\t%s\t%u\n", n,
				classes[packet_rule_matches(&options->rule, &frame)], kind->name, f->n_tags);
		if (labels->stream && ferror(labels->stream))
			return generated_file_failed(labels);
		time_ns += frame_gap_ns(f);
	}
	return 0;
}

static int generate(const struct generate_options *options, struct generated_file *capture,
		    struct generated_file *labels)
{
	struct frame_builder *f = malloc(sizeof(*f));
	pcap_dumper_t *dumper = NULL;
	pcap_t *pcap = NULL;
	int rc = -1;

	if (!f) {
		complain("%s", strerror(ENOMEM));
		return -1;
	}
	if ((options->labels && generated_file_open(labels, options->labels)) ||
	    generated_file_open(capture, options->output))
		goto out;
	pcap = pcap_open_dead_with_tstamp_precision(
		DLT_EN10MB, 65535, options->nanosecond ? PCAP_TSTAMP_PRECISION_NANO : PCAP_TSTAMP_PRECISION_MICRO);
	if (pcap)
		dumper = pcap_dump_fopen(pcap, capture->stream);
	if (!dumper) {
		complain("%s: %s", options->output, pcap ? pcap_geterr(pcap) : strerror(ENOMEM));
		goto out;
	}
	frame_builder_init(f, options->seed, options->max_bytes);
	rc = packets_write(options, f, dumper, capture, labels);
out:
	/*
	 * The dumper is no more than capture->stream, which generated_file_close closes and so learns how that
	 * went.
	 */
	if (pcap)
		pcap_close(pcap);
	free(f);
	return rc;
}

int generate_packets(int argc, char **argv)
{
	struct generate_options options = {.seed = 1,
					   .n_packets = 1000,
					   .max_bytes = FRAME_BUILDER_MOST_BYTES,
					   .rule = {.kind = PACKET_RULE_IP}};
	struct generated_file capture = {0}, labels = {0};
	bool failed;
	int rc;

	for (size_t i = 0; i < n_frame_kinds; i++)
		frame_mix_add(&options.mix, &frame_kinds[i]);
	rc = options_parse(argc, argv, &options);
	if (rc)
		return rc < 0 ? finish_stdout() : rc;
	failed = generate(&options, &capture, &labels) || generated_file_flush(&labels) ||
		 generated_file_flush(&capture);
	failed |= generated_file_close(&capture, failed) != 0;
	failed |= generated_file_close(&labels, failed) != 0;
	return failed ? EXIT_FAILED : EXIT_OK;
}
