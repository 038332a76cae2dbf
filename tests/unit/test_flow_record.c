/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "flow_record_sample.h"
#include "frame.h"
#include "guard.h"

typedef size_t write_line(const struct flow_record *record, const struct flow_record_format *format, char *text);

/* The line without its newline, in room of exactly the size that is asked for. */
static char *line_of(write_line *write, size_t room, const struct sample_record *sample,
		     const struct flow_record_format *format)
{
	struct guard guard = guard_create(room);
	char *text = (char *)guard.pages + guard.n_bytes - (size_t)sysconf(_SC_PAGESIZE) - room;
	size_t n = write(&sample->record, format, text);
	char *line;

	assert_true(n <= room);
	assert_int_equal(text[n - 1], '\n');
	assert_null(memchr(text, '\n', n - 1));
	line = strndup(text, n - 1);
	assert_int_equal(strlen(line), n - 1);
	guard_free(&guard);
	return line;
}

static char *ndjson_of(const struct sample_record *sample, const struct flow_record_format *format)
{
	return line_of(flow_record_ndjson, flow_record_ndjson_room(format), sample, format);
}

static char *joy_of(const struct sample_record *sample, const struct flow_record_format *format)
{
	return line_of(flow_record_joy, flow_record_joy_room(format), sample, format);
}

static json_t *parsed(char *line)
{
	json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);

	assert_non_null(object);
	free(line);
	return object;
}

static void a_record_is_one_line_of_json(void **state)
{
	const struct flow_record_format format = {
		.layout = sample_layout,
		.classes = (const char *const[]){"\"benign\"", "\"attack\""},
		.n_classes = 2,
	};
	struct sample_record sample;
	char expected[512], *line;

	(void)state;
	sample_fill(&sample);
	sample.record.class = 1;
	snprintf(
		expected, sizeof(expected),
		"{\"flow_id\":\"%016" PRIx64 "\",\"src\":\"192.168.56.102\",\"dst\":\"192.168.56.101\","
		"\"src_port\":45426,\"dst_port\":443,\"protocol\":6,\"vlan\":null,\"start\":1502118944.718769,"
		"\"end\":1502118944.763858,\"slice\":0,\"reason\":\"fin\",\"packets_fwd\":3,\"packets_bwd\":2,"
		"\"bytes_fwd\":467,\"bytes_bwd\":1536,\"payload_fwd\":347,\"payload_bwd\":1456,"
		"\"tcp_flags_fwd\":\"SPA\",\"tcp_flags_bwd\":\"SA\",\"class\":\"attack\",\"score\":0.182426,\"logit\":-1.5,"
		"\"verdict_packet\":4,\"verdict_at\":\"end\"}",
		flow_id(&sample.record.flow));
	line = ndjson_of(&sample, &format);
	assert_string_equal(line, expected);
	free(line);
	sample.record.is_verdict_of_end = false;
	line = ndjson_of(&sample, &format);
	assert_non_null(strstr(line, ",\"verdict_packet\":4,\"verdict_at\":\"checkpoint\"}"));
	free(line);
}

static void class_and_score_are_null_without_a_model_or_a_score(void **state)
{
	static const char *const classes[] = {"\"benign\""};
	struct flow_record_format format = {.layout = sample_layout};
	struct sample_record sample;

	(void)state;
	sample_fill(&sample);
	for (int i = 0; i < 2; i++) {
		json_t *line = parsed(ndjson_of(&sample, &format));

		assert_true(json_is_null(json_object_get(line, "class")));
		assert_true(json_is_null(json_object_get(line, "score")));
		assert_true(json_is_null(json_object_get(line, "logit")));
		assert_true(json_is_null(json_object_get(line, "verdict_packet")));
		assert_true(json_is_null(json_object_get(line, "verdict_at")));
		json_decref(line);
		sample.record.logit = NAN;
		format.classes = classes;
		format.n_classes = 1;
	}
}

static void the_initiator_is_the_source_whichever_endpoint_it_is(void **state)
{
	const struct flow_record_format format = {.layout = sample_layout};
	struct sample_record sample;
	json_t *line;

	(void)state;
	sample_fill(&sample);
	sample.record.flow.bits &= (uint16_t)~FLOW_INITIATOR_IS_1;
	line = parsed(ndjson_of(&sample, &format));
	assert_string_equal(json_string_value(json_object_get(line, "src")), "192.168.56.101");
	assert_string_equal(json_string_value(json_object_get(line, "dst")), "192.168.56.102");
	assert_int_equal(json_integer_value(json_object_get(line, "src_port")), 443);
	assert_int_equal(json_integer_value(json_object_get(line, "dst_port")), 45426);
	json_decref(line);
}

static void the_scope_is_a_vlan_or_the_id_of_a_tunnel(void **state)
{
	const struct flow_record_format format = {.layout = sample_layout};
	struct sample_record sample;
	json_t *line;

	(void)state;
	sample_fill(&sample);
	sample.record.flow.key.scope_id = FLOW_KEY_VLANS | 100;
	sample.record.flow.bits |= FLOW_VLAN;
	line = parsed(ndjson_of(&sample, &format));
	assert_int_equal(json_integer_value(json_object_get(line, "vlan")), 100);
	assert_null(json_object_get(line, "tunnel_id"));
	json_decref(line);

	sample.record.flow.key.scope_id = 100;
	sample.record.flow.bits ^= FLOW_VLAN | FLOW_TUNNEL;
	line = parsed(ndjson_of(&sample, &format));
	assert_true(json_is_null(json_object_get(line, "vlan")));
	assert_int_equal(json_integer_value(json_object_get(line, "tunnel_id")), 100);
	json_decref(line);
}

static void tcp_flags_are_letters_in_one_order(void **state)
{
	static const struct {
		uint8_t flags;
		const char *text;
	} cases[] = {
		{0, ""},
		{PACKET_TCP_FIN, "F"},
		{PACKET_TCP_SYN, "S"},
		{PACKET_TCP_RST, "R"},
		{PACKET_TCP_PSH, "P"},
		{PACKET_TCP_ACK, "A"},
		{PACKET_TCP_URG, "U"},
		{PACKET_TCP_ECE, "E"},
		{PACKET_TCP_CWR, "C"},
		{0xff, "FSRPAUEC"},
	};
	const struct flow_record_format format = {.layout = sample_layout};
	struct sample_record sample;

	(void)state;
	sample_fill(&sample);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *line;

		sample.record.flow.side[FLOW_BACKWARD].tcp_flags = cases[i].flags;
		line = parsed(ndjson_of(&sample, &format));
		assert_string_equal(json_string_value(json_object_get(line, "tcp_flags_bwd")), cases[i].text);
		json_decref(line);
	}
}

static void times_have_nine_digits_when_asked_for_and_are_null_when_not_known(void **state)
{
	const struct flow_record_format format = {
		.layout = sample_layout, .has_nanoseconds = 1, .capture = "\"a\""};
	struct sample_record sample;
	char *line;

	(void)state;
	sample_fill(&sample);
	sample.record.flow.last_ns = FRAME_NO_TIME;
	line = ndjson_of(&sample, &format);
	assert_non_null(strstr(line, "{\"capture\":\"a\",\"flow_id\":"));
	assert_non_null(strstr(line, ",\"start\":1502118944.718769123,\"end\":null,"));
	free(line);
}

/* The lines of one capture have no column for it. */
static char *csv_of(const struct sample_record *sample, const struct flow_record_format *format)
{
	char *line = line_of(flow_record_csv, flow_record_csv_room(format), sample, format);

	assert_int_equal(line[strlen(line) - 1], '\r');
	line[strlen(line) - 1] = '\0';
	return line;
}

/* How many fields a line has; commas in quotes are none. */
static uint32_t n_fields(const char *line)
{
	bool is_quoted = false;
	uint32_t n = 1;

	for (; *line; line++) {
		is_quoted ^= *line == '"';
		n += *line == ',' && !is_quoted;
	}
	return n;
}

static void a_sensor_is_told_first_in_each_line(void **state)
{
	struct flow_record_format format = {.layout = sample_layout, .sensor = "tap-1"};
	struct sample_record sample;
	char head[1024], *line;

	(void)state;
	sample_fill(&sample);
	line = ndjson_of(&sample, &format);
	assert_memory_equal(line, "{\"sensor\":\"tap-1\",\"flow_id\":", 28);
	free(line);
	line = csv_of(&sample, &format);
	assert_memory_equal(line, "tap-1,", 6);
	head[flow_record_csv_head(&format, head)] = '\0';
	assert_memory_equal(head, "sensor,flow_id,", 15);
	assert_int_equal(n_fields(line), n_fields(head));
	assert_true(strlen(head) <= flow_record_csv_head_room());
	free(line);
}

static void a_line_of_csv_has_the_columns_of_ndjson(void **state)
{
	struct flow_record_format format = {
		.layout = sample_layout,
		.names = (const char *const[]){"benign", "attack, \"loud\""},
		.n_classes = 2,
	};
	struct sample_record sample;
	char head[1024], expected[512], *line;
	json_t *object;
	size_t n = flow_record_csv_head(&format, head);
	const char *key, *at = head;
	json_t *value;

	(void)state;
	assert_true(n <= flow_record_csv_head_room() && n < sizeof(head));
	head[n] = '\0';
	sample_fill(&sample);
	sample.record.flow.bits |= FLOW_TUNNEL;
	sample.record.flow.key.scope_id = 7;
	object = parsed(ndjson_of(&sample, &format));
	json_object_foreach(object, key, value)
	{
		assert_memory_equal(at, key, strlen(key));
		at += strlen(key) + 1;
	}
	assert_string_equal(at - 1, "\r\n");
	json_decref(object);

	sample.record.class = 1;
	snprintf(expected, sizeof(expected),
		 "%016" PRIx64
		 ",192.168.56.102,192.168.56.101,45426,443,6,,7,1502118944.718769,1502118944.763858,0,fin,"
		 "3,2,467,1536,347,1456,SPA,SA,\"attack, \"\"loud\"\"\",0.182426,-1.5,4,end",
		 flow_id(&sample.record.flow));
	line = csv_of(&sample, &format);
	assert_string_equal(line, expected);
	assert_int_equal(n_fields(line), n_fields(head));
	free(line);
}

static void what_is_not_known_is_empty_in_csv(void **state)
{
	static const char *const names[] = {"benign"};
	struct flow_record_format format = {.layout = sample_layout};
	struct sample_record sample;
	char *line;

	(void)state;
	sample_fill(&sample);
	sample.record.flow.last_ns = FRAME_NO_TIME;
	sample.record.flow.side[FLOW_BACKWARD].tcp_flags = 0;
	for (int i = 0; i < 2; i++) {
		line = csv_of(&sample, &format);
		assert_non_null(strstr(line, ",6,,,1502118944.718769,,0,fin,"));
		assert_string_equal(line + strlen(line) - strlen(",SPA,,,,,,"), ",SPA,,,,,,");
		free(line);
		sample.record.logit = NAN;
		format.names = names;
		format.n_classes = 1;
	}
}

static void the_longest_records_fit_the_room_that_is_asked_for(void **state)
{
	char capture[6 * 4096 + 3] = "\"";
	struct flow_record_format format = {
		.layout = sample_layout,
		.capture = capture,
		.sensor = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		.classes = (const char *const[]){"\"\"", "\"a class of some length that is the longest\""},
		.n_classes = 2,
		.has_nanoseconds = 1,
	};
	struct sample_record sample;

	(void)state;
	for (int i = 0; i < 4096; i++)
		strcpy(capture + 1 + 6 * i, "\\u001f");
	strcat(capture, "\"");
	sample_fill(&sample);
	sample_widen(&sample);
	sample.record.class = 1;
	json_decref(parsed(ndjson_of(&sample, &format)));
	format.names = (const char *const[]){"", "\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\""};
	free(csv_of(&sample, &format));
	sample.record.reason = FLOW_REASON_IDLE;
	json_decref(parsed(joy_of(&sample, &format)));
}

static void joy_lists_the_packets_that_have_payload(void **state)
{
	const struct flow_record_format format = {.layout = sample_layout};
	struct sample_record sample;
	char *line;

	(void)state;
	sample_fill(&sample);
	line = joy_of(&sample, &format);
	assert_string_equal(
		line,
		"{\"sa\":\"192.168.56.102\",\"da\":\"192.168.56.101\",\"pr\":6,\"sp\":45426,\"dp\":443,"
		"\"bytes_out\":347,\"num_pkts_out\":3,\"bytes_in\":1456,\"num_pkts_in\":2,"
		"\"time_start\":1502118944.718769,\"time_end\":1502118944.763858,"
		"\"packets\":[{\"b\":197,\"dir\":\">\",\"ipt\":3},{\"b\":1456,\"dir\":\"<\",\"ipt\":5},"
		"{\"b\":150,\"dir\":\">\",\"ipt\":36089}],"
		"\"ip\":{\"out\":{\"ttl\":64,\"id\":[63878,63879,63880]},\"in\":{\"ttl\":63,\"id\":[0,3063]}},"
		"\"expire_type\":\"i\"}");
	free(line);
}

/* A packet a millisecond: 60 forward, then 8 back without payload, then 60 back. */
static void fill_list(struct flow_history *history)
{
	history->n_listed = FLOW_MAX_LISTED;
	for (uint32_t i = 0; i < FLOW_MAX_LISTED; i++)
		history->listed[i] = (struct flow_listed){
			.gap = i ? 1000000 : 0,
			.payload_bytes = i >= 60 && i < 68 ? 0 : (uint16_t)(i + 1),
			.ip_id = (uint16_t)(1000 + i),
			.side = i < 60 ? FLOW_FORWARD : FLOW_BACKWARD,
		};
}

static void joy_lists_fifty_packets_and_ids_of_each_direction(void **state)
{
	const struct flow_record_format format = {.layout = sample_layout};
	struct sample_record sample;
	json_t *line, *packets, *ip;

	(void)state;
	sample_fill(&sample);
	fill_list(sample_history(&sample));
	line = parsed(joy_of(&sample, &format));
	packets = json_object_get(line, "packets");
	ip = json_object_get(line, "ip");
	assert_int_equal(json_array_size(packets), 2 * FLOW_RECORD_JOY_LISTED);
	for (uint32_t i = 0; i < 2 * FLOW_RECORD_JOY_LISTED; i++) {
		json_t *packet = json_array_get(packets, i);
		uint32_t at = i < 50 ? i : i + 18; /* of the list */

		assert_int_equal(json_integer_value(json_object_get(packet, "b")), at + 1);
		assert_string_equal(json_string_value(json_object_get(packet, "dir")), i < 50 ? ">" : "<");
		/* Those that are left out take time all the same. */
		assert_int_equal(json_integer_value(json_object_get(packet, "ipt")), i == 0 ? 0 : i == 50 ? 19 : 1);
	}
	for (uint32_t side = 0; side < 2; side++) {
		json_t *ids = json_object_get(json_object_get(ip, side ? "in" : "out"), "id");

		assert_int_equal(json_array_size(ids), FLOW_RECORD_JOY_LISTED);
		for (uint32_t i = 0; i < FLOW_RECORD_JOY_LISTED; i++)
			assert_int_equal(json_integer_value(json_array_get(ids, i)), 1000 + 60 * side + i);
	}
	json_decref(line);
}

static void joy_tells_of_one_direction_where_there_is_one(void **state)
{
	const struct flow_record_format format = {.layout = sample_layout};
	struct sample_record sample;
	char *line;

	(void)state;
	sample_fill(&sample);
	sample.record.flow.side[FLOW_BACKWARD] = (struct flow_side){0};
	sample_history(&sample)->n_listed = 1;
	sample.record.reason = FLOW_REASON_END;
	line = joy_of(&sample, &format);
	assert_string_equal(line,
			    "{\"sa\":\"192.168.56.102\",\"da\":\"192.168.56.101\",\"pr\":6,\"sp\":45426,\"dp\":443,"
			    "\"bytes_out\":347,\"num_pkts_out\":3,\"time_start\":1502118944.718769,"
			    "\"time_end\":1502118944.763858,\"packets\":[],"
			    "\"ip\":{\"out\":{\"ttl\":64,\"id\":[63878]}}}");
	free(line);

	/* The capture has only what came back. */
	sample_fill(&sample);
	sample.record.flow.side[FLOW_FORWARD] = (struct flow_side){0};
	sample_history(&sample)->n_listed = 0;
	line = joy_of(&sample, &format);
	assert_non_null(strstr(line, "\"ip\":{\"out\":{\"ttl\":null},\"in\":{\"ttl\":63}}"));
	json_decref(parsed(line));
}

static void joy_has_no_ports_where_the_protocol_has_none_and_no_ids_of_ipv6(void **state)
{
	const struct flow_record_format format = {.layout = sample_layout};
	struct sample_record sample;
	json_t *line, *out;

	(void)state;
	sample_fill(&sample);
	sample.record.flow.key.protocol = PACKET_PROTOCOL_ICMPV6;
	sample_set_endpoint(&sample.record.flow.key, 0, "fe80::1", 0);
	sample_set_endpoint(&sample.record.flow.key, 1, "fe80::2", 0);
	line = parsed(joy_of(&sample, &format));
	assert_string_equal(json_string_value(json_object_get(line, "sa")), "fe80::2");
	assert_true(json_is_null(json_object_get(line, "sp")));
	assert_true(json_is_null(json_object_get(line, "dp")));
	out = json_object_get(json_object_get(line, "ip"), "out");
	assert_int_equal(json_integer_value(json_object_get(out, "ttl")), 64);
	assert_null(json_object_get(out, "id"));
	json_decref(line);

	sample_fill(&sample);
	sample.record.flow.bits |= FLOW_NO_PORTS;
	line = parsed(joy_of(&sample, &format));
	assert_true(json_is_null(json_object_get(line, "sp")));
	json_decref(line);
}

static void joy_tells_timeouts_by_a_letter(void **state)
{
	static const struct {
		enum flow_reason reason;
		const char *letter;
	} cases[] = {
		{FLOW_REASON_IDLE, "i"}, {FLOW_REASON_ACTIVE, "a"},   {FLOW_REASON_FIN, "i"},
		{FLOW_REASON_RST, "i"},	 {FLOW_REASON_EVICTED, NULL}, {FLOW_REASON_END, NULL},
	};
	const struct flow_record_format format = {.layout = sample_layout};
	struct sample_record sample;

	(void)state;
	sample_fill(&sample);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *line, *letter;

		sample.record.reason = (uint8_t)cases[i].reason;
		line = parsed(joy_of(&sample, &format));
		letter = json_object_get(line, "expire_type");
		if (cases[i].letter)
			assert_string_equal(json_string_value(letter), cases[i].letter);
		else
			assert_null(letter);
		json_decref(line);
	}
}

static void joys_first_line_ends_the_config(void **state)
{
	const struct flow_record_format format = {.layout = sample_layout};
	const char output[] = "\"a \\\"file\\\".gz\"";
	size_t room = flow_record_joy_head_room(output), n;
	char *text = malloc(room);
	json_t *head;

	(void)state;
	n = flow_record_joy_head(&format, output, text);
	assert_true(n <= room);
	assert_int_equal(text[n - 1], '\n');
	head = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(head);
	assert_string_equal(json_string_value(json_object_get(head, "output")), "a \"file\".gz");
	assert_int_equal(json_integer_value(json_object_get(head, "num_pkts")), 50);
	assert_int_equal(json_integer_value(json_object_get(head, "end-config")), 1);
	assert_non_null(json_object_get(head, "version"));
	assert_non_null(json_object_get(head, "interface"));
	assert_null(json_object_get(head, "sa"));
	json_decref(head);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_one_line_of_json),
		cmocka_unit_test(class_and_score_are_null_without_a_model_or_a_score),
		cmocka_unit_test(the_initiator_is_the_source_whichever_endpoint_it_is),
		cmocka_unit_test(the_scope_is_a_vlan_or_the_id_of_a_tunnel),
		cmocka_unit_test(tcp_flags_are_letters_in_one_order),
		cmocka_unit_test(times_have_nine_digits_when_asked_for_and_are_null_when_not_known),
		cmocka_unit_test(a_sensor_is_told_first_in_each_line),
		cmocka_unit_test(a_line_of_csv_has_the_columns_of_ndjson),
		cmocka_unit_test(what_is_not_known_is_empty_in_csv),
		cmocka_unit_test(the_longest_records_fit_the_room_that_is_asked_for),
		cmocka_unit_test(joy_lists_the_packets_that_have_payload),
		cmocka_unit_test(joy_lists_fifty_packets_and_ids_of_each_direction),
		cmocka_unit_test(joy_tells_of_one_direction_where_there_is_one),
		cmocka_unit_test(joy_has_no_ports_where_the_protocol_has_none_and_no_ids_of_ipv6),
		cmocka_unit_test(joy_tells_timeouts_by_a_letter),
		cmocka_unit_test(joys_first_line_ends_the_config),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
