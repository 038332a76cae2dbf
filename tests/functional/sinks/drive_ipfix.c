/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Drives the IPFIX sink with flow records of all kinds; see drive.h. test_sink_ipfix.py says what has to come out.
 *
 *	open SERVER tcp|udp DOMAIN [plain]   plain: records without a model's verdict and without series
 *	open-packets SERVER
 *	make N FILE                          N more records; appends a line of JSON for each to FILE
 *	run SECONDS [UNTIL]                  delivers until nothing (or UNTIL in all) is left, or the time is over
 *	stop                                 the run ends: deliver has little patience
 *	close
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drive.h"
#include "sink_drivers.h"

#define MAX_RECORDS 100000
#define FIRST_NS    1700000000123456789u

struct full_record {
	struct flow_record record;
	struct flow_series series;
};

struct drive {
	struct full_record *records; /* [MAX_RECORDS] */
	const char *classes[4];
	struct sink_formats formats;
	struct sink_options options;
	char server[128];
	atomic_bool stop;
	void *state;
	struct drive_queue queue;
};

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

static void fill_key(struct flow_key *key, uint32_t number, uint64_t *random)
{
	static const uint8_t protocols[] = {PACKET_PROTOCOL_TCP, PACKET_PROTOCOL_UDP, PACKET_PROTOCOL_ICMP, 47};
	bool is_v4 = number % 3;

	for (int i = 0; i < 2; i++) {
		for (int j = 0; j < 16; j++)
			key->address[i][j] = (uint8_t)next_random(random);
		if (is_v4) {
			memset(key->address[i], 0, 10);
			key->address[i][10] = key->address[i][11] = 0xff;
		} else {
			key->address[i][0] = 0x20;
		}
	}
	key->protocol = protocols[number % 4];
	if (key->protocol == PACKET_PROTOCOL_ICMP && !is_v4)
		key->protocol = PACKET_PROTOCOL_ICMPV6;
	for (int i = 0; i < 2 && (number % 4 < 2); i++)
		key->port[i] = (uint16_t)next_random(random);
}

static void fill_flow(struct flow *flow, uint32_t number, uint64_t *random)
{
	fill_key(&flow->key, number, random);
	flow->start_ns = FIRST_NS + number * 1000003u;
	flow->last_ns = flow->start_ns + next_random(random) * 10;
	flow->origin = (uint32_t)next_random(random);
	flow->slice = number % 7 ? 0 : (uint16_t)next_random(random);
	flow->bits = number % 2 ? FLOW_INITIATOR_IS_1 : 0;
	if (number % 5 == 1) {
		flow->bits |= FLOW_VLAN;
		flow->key.scope_id = FLOW_KEY_VLANS + (uint32_t)next_random(random) % 4095;
	} else if (number % 5 == 2) {
		flow->bits |= FLOW_TUNNEL;
		flow->key.scope_id = (uint32_t)next_random(random) % FLOW_KEY_VLANS;
	}
	for (int i = 0; i < 2; i++) {
		struct flow_side *side = &flow->side[i];

		if (i && number % 11 == 0)
			break; /* nothing came back */
		side->packets = (uint32_t)next_random(random) % 1000000 + 1;
		side->bytes = (uint64_t)side->packets * (40 + next_random(random) % 60000);
		side->payload_bytes = side->bytes - (uint64_t)side->packets * 40;
		side->tcp_flags = number % 4 ? 0 : (uint8_t)next_random(random);
	}
}

static void fill_record(struct full_record *to, uint32_t number)
{
	uint64_t random = number * 2654435761u + 1;

	memset(to, 0, sizeof(*to));
	fill_flow(&to->record.flow, number, &random);
	to->record.reason = (uint8_t)(number % FLOW_N_REASONS);
	to->record.class = (uint8_t)(number % 4);
	to->record.is_verdict_of_end = number % 2;
	to->record.logit = number % 13 ? (float)((double)next_random(&random) / 1e8 - 10) : NAN;
	to->record.verdict_packet = (uint32_t)next_random(&random);
	to->series.icmp_type = (uint8_t)next_random(&random);
	to->series.icmp_code = (uint8_t)next_random(&random);
}

static void do_make(struct drive *drive, uint32_t n, const char *path)
{
	FILE *file = fopen(path, "a");
	char *text = malloc(flow_record_ndjson_room(&drive->formats.flows));

	for (uint32_t i = 0; file && text && i < n && drive->queue.n_offered < MAX_RECORDS; i++) {
		struct full_record *to = &drive->records[drive->queue.n_offered];
		size_t bytes;

		fill_record(to, drive->queue.n_offered++);
		bytes = flow_record_ndjson(&to->record, &drive->formats.flows, text);
		fprintf(file, "{\"icmp\":%d,\"line\":%.*s}\n", to->series.icmp_type * 256 + to->series.icmp_code,
			(int)bytes - 1, text);
	}
	if (file)
		fclose(file);
	free(text);
	printf("{}\n");
}

static void make_items(void *context, uint32_t first, uint32_t n, struct sink_item *items)
{
	struct drive *drive = context;

	for (uint32_t i = 0; i < n; i++)
		items[i] = (struct sink_item){.record = &drive->records[first + i].record};
}

static void do_open(struct drive *drive, char **words, int n)
{
	bool is_packets = n == 2, is_plain = n > 4;
	char error[512] = "";

	snprintf(drive->server, sizeof(drive->server), "%s", words[1]);
	drive->formats.flows = (struct flow_record_format){
		.layout.has_series = !is_plain,
		.classes = is_plain ? NULL : drive->classes,
		.n_classes = is_plain ? 0 : 4,
		.has_nanoseconds = 1,
	};
	drive->options = (struct sink_options){
		.name = "test",
		.records = is_packets ? SINK_PACKETS : SINK_FLOWS,
		.stop = &drive->stop,
		.server = drive->server,
		.is_udp = !is_packets && !strcmp(words[2], "udp"),
		.domain = is_packets ? 0 : (uint32_t)strtoul(words[3], NULL, 10),
	};
	if (sink_ipfix_driver.open(&drive->options, &drive->formats, &drive->state, error, sizeof(error)))
		drive_answer_error(error);
	else
		printf("{}\n");
}

static void do_command(struct drive *drive, char **words, int n)
{
	if (!strcmp(words[0], "open") && n >= 4) {
		do_open(drive, words, n);
	} else if (!strcmp(words[0], "open-packets") && n == 2) {
		do_open(drive, words, n);
	} else if (!strcmp(words[0], "make") && n == 3) {
		do_make(drive, (uint32_t)atoi(words[1]), words[2]);
	} else if (!strcmp(words[0], "run") && n >= 2) {
		drive_run(&sink_ipfix_driver, drive->state, &drive->queue, make_items, drive, atof(words[1]),
			  n > 2 ? (uint32_t)atoi(words[2]) : drive->queue.n_offered);
	} else if (!strcmp(words[0], "stop")) {
		atomic_store(&drive->stop, true);
		printf("{}\n");
	} else if (!strcmp(words[0], "close")) {
		drive_close(&sink_ipfix_driver, &drive->state);
	} else {
		printf("{\"error\":\"no such command\"}\n");
	}
}

int main(void)
{
	/* The longest is cut to what its length takes in one byte: it ends in letters of two bytes. */
	static char longest[2 * 300 + 4] = "\"x";
	struct drive drive = {.classes = {"\"benign\"", "\"flood \\\"syn\\\"\"", longest, "\"\\u00e9t\\u00e9\""}};
	char line[4096], *words[DRIVE_MAX_WORDS];
	int n;

	for (int i = 0; i < 300; i++)
		memcpy(longest + 2 + 2 * i, "\xc3\xa4", 2);
	longest[2 * 300 + 2] = '"';
	drive.records = calloc(MAX_RECORDS, sizeof(*drive.records));
	while (drive.records && (n = drive_read(line, sizeof(line), words)))
		do_command(&drive, words, n);
	if (drive.state)
		sink_ipfix_driver.close(drive.state, line, sizeof(line));
	free(drive.records);
	return 0;
}
