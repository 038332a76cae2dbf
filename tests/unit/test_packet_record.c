/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ethertype.h"
#include "frame.h"
#include "packet_record.h"

static const struct packet_record_format format = {.classes = {"\"non-ip\"", "\"ip\"", "null"}};

static void check(const struct packet_record *record, const struct packet_record_format *f, const char *expected)
{
	char text[RECORD_PACKET_NDJSON_BYTES + 64];
	size_t n;

	assert_true(record_packet_ndjson_room(f) <= sizeof(text));
	n = record_packet_ndjson(record, f, text);
	assert_int_equal(n, strlen(expected));
	assert_memory_equal(text, expected, n);
}

static void a_record_is_one_line_of_json(void **state)
{
	struct packet_record record = {
		.number = 7,
		.timestamp_ns = UINT64_C(1500000001000002999),
		.flow_id = 0xabcde,
		.wire_bytes = 1514,
		.score = 0.25f,
		.ethertype = 0x0800,
		.class = 1,
	};

	(void)state;
	check(&record, &format,
	      "{\"n\":7,\"ts\":1500000001.000002,\"len\":1514,\"ethertype\":\"0x0800\",\"class\":\"ip\","
	      "\"score\":0.250000,\"flow_id\":\"00000000000abcde\"}\n");
}

static void what_is_not_known_is_null(void **state)
{
	struct packet_record record = {
		.number = 1,
		.timestamp_ns = FRAME_NO_TIME,
		.score = NAN,
		.ethertype = ETHERTYPE_LENGTH,
		.class = 2,
	};

	(void)state;
	check(&record, &format,
	      "{\"n\":1,\"ts\":null,\"len\":0,\"ethertype\":\"802.3\",\"class\":null,\"score\":null,\"flow_id\":null}\n");
}

static void scores_are_rounded_to_six_decimals(void **state)
{
	static const struct {
		float score;
		const char *text;
	} cases[] = {
		{0.0f, "0.000000"},	  {1.0f, "1.000000"},	    {1e-30f, "0.000000"},
		{0.9999996f, "1.000000"}, {0.0000014f, "0.000001"}, {0.123456f, "0.123456"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct packet_record record = {.score = cases[i].score};
		char text[RECORD_PACKET_NDJSON_BYTES + 64];
		size_t n = record_packet_ndjson(&record, &format, text);

		text[n] = '\0';
		assert_memory_equal(strstr(text, "\"score\":") + 8, cases[i].text, strlen(cases[i].text));
	}
}

static void capture_and_nanoseconds_are_printed_when_asked_for(void **state)
{
	struct packet_record_format f = format;
	struct packet_record record = {.number = 1, .timestamp_ns = 1000000001, .ethertype = ETHERTYPE_NONE};

	(void)state;
	f.capture = "\"a.pcap\"";
	f.has_nanoseconds = 1;
	check(&record, &f,
	      "{\"capture\":\"a.pcap\",\"n\":1,\"ts\":1.000000001,\"len\":0,\"ethertype\":\"none\","
	      "\"class\":\"non-ip\",\"score\":0.000000,\"flow_id\":null}\n");
}

static const char *const ports[] = {"left", "right-2"};

static void the_port_and_the_worker_of_a_live_run_come_first(void **state)
{
	struct packet_record record = {
		.number = 3, .timestamp_ns = FRAME_NO_TIME, .worker = 127, .port = 1, .class = 2};
	struct packet_record_format f = format;

	(void)state;
	f.ports = ports;
	f.n_ports = 2;
	record.score = NAN;
	check(&record, &f,
	      "{\"port\":\"right-2\",\"worker\":127,\"n\":3,\"ts\":null,\"len\":0,\"ethertype\":\"802.3\","
	      "\"class\":null,\"score\":null,\"flow_id\":null}\n");
}

static void check_csv(const struct packet_record *record, const char *expected)
{
	static const struct packet_record_format f = {
		.names = {"non-ip", "a \"b\", c", ""}, .ports = ports, .n_ports = 2};
	char text[512];
	size_t n = record_packet_csv(record, &f, text);

	assert_true(n <= record_packet_csv_room(&f));
	assert_int_equal(n, strlen(expected));
	assert_memory_equal(text, expected, n);
}

static void a_line_of_csv_has_the_same_and_what_is_not_known_is_empty(void **state)
{
	struct packet_record record = {
		.number = 7,
		.timestamp_ns = UINT64_C(1500000001000002999),
		.flow_id = 0xabcde,
		.wire_bytes = 1514,
		.score = 0.25f,
		.ethertype = 0x0800,
		.worker = 2,
		.port = 1,
		.class = 1,
	};
	static const struct packet_record_format nameless = {.names = {"", "", ""}};
	char head[128];
	size_t n = record_packet_csv_head(&nameless, head);

	(void)state;
	assert_true(n <= record_packet_csv_room(&nameless));
	head[n] = '\0';
	assert_string_equal(head, "port,worker,n,ts,len,ethertype,class,score,flow_id\r\n");
	check_csv(&record,
		  "right-2,2,7,1500000001.000002,1514,0x0800,\"a \"\"b\"\", c\",0.250000,00000000000abcde\r\n");
	record = (struct packet_record){.number = 1,
					.timestamp_ns = FRAME_NO_TIME,
					.score = NAN,
					.ethertype = ETHERTYPE_LENGTH,
					.class = 2};
	check_csv(&record, "left,0,1,,0,802.3,,,\r\n");
}

static void a_sensor_is_told_first_in_each_line(void **state)
{
	static const struct packet_record_format f = {.sensor = "tap-1",
						      .classes = {"\"non-ip\"", "\"ip\"", "null"},
						      .names = {"non-ip", "ip", ""},
						      .ports = ports,
						      .n_ports = 1};
	struct packet_record record = {
		.number = 7, .timestamp_ns = FRAME_NO_TIME, .score = NAN, .ethertype = 0x0800};
	char text[512];

	(void)state;
	text[record_packet_ndjson(&record, &f, text)] = '\0';
	assert_memory_equal(text, "{\"sensor\":\"tap-1\",\"port\":\"left\",\"worker\":0,\"n\":7,", 49);
	text[record_packet_csv(&record, &f, text)] = '\0';
	assert_string_equal(text, "tap-1,left,0,7,,0,0x0800,non-ip,,\r\n");
	text[record_packet_csv_head(&f, text)] = '\0';
	assert_string_equal(text, "sensor,port,worker,n,ts,len,ethertype,class,score,flow_id\r\n");
}

static void the_longest_record_fits_the_room_that_is_asked_for(void **state)
{
	struct packet_record record = {
		.number = UINT64_MAX,
		.timestamp_ns = UINT64_MAX - 1,
		.flow_id = UINT64_MAX,
		.wire_bytes = UINT32_MAX,
		.score = 1.0f,
		.ethertype = 0xffff,
		.worker = UINT16_MAX,
	};
	static char port[RECORD_PACKET_NDJSON_BYTES + 1];
	struct packet_record_format f = {
		.classes = {"\"a class of some length\"", "", ""},
		.names = {"\"\"\"\"\"\"\"\"", "", ""},
		.capture = "\"and a path\"",
		.sensor = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		.ports = (const char *const[]){port},
		.n_ports = 1,
		.has_nanoseconds = 1,
	};
	char text[1024];

	(void)state;
	memset(port, 'p', sizeof(port) - 1);
	assert_true(record_packet_ndjson_room(&f) < sizeof(text));
	assert_true(record_packet_ndjson(&record, &f, text) <= record_packet_ndjson_room(&f));
	assert_true(record_packet_csv(&record, &f, text) <= record_packet_csv_room(&f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_one_line_of_json),
		cmocka_unit_test(what_is_not_known_is_null),
		cmocka_unit_test(scores_are_rounded_to_six_decimals),
		cmocka_unit_test(capture_and_nanoseconds_are_printed_when_asked_for),
		cmocka_unit_test(the_port_and_the_worker_of_a_live_run_come_first),
		cmocka_unit_test(a_line_of_csv_has_the_same_and_what_is_not_known_is_empty),
		cmocka_unit_test(a_sensor_is_told_first_in_each_line),
		cmocka_unit_test(the_longest_record_fits_the_room_that_is_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
