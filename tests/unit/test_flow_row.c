/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
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

#define MAX_FEATURES 1024

typedef size_t write_row(const struct flow_record *record, const struct flow_row_format *format, const char *label,
			 double *values, char *text);

static struct flow_feature_set *set;
static double values[MAX_FEATURES];

static int make_set(void **state)
{
	char error[256];

	(void)state;
	return flow_feature_set_create("all", &set, error, sizeof(error)) || set->n > MAX_FEATURES;
}

static int free_set(void **state)
{
	(void)state;
	flow_feature_set_free(set);
	return 0;
}

/* Records of the sample's layout hold what the set needs. */
static struct flow_row_format row_format(void)
{
	return (struct flow_row_format){.layout = sample_layout, .features = set, .has_label = 1};
}

/* The row with its end, in room of exactly the size that is asked for. */
static char *row_of(write_row *write, const struct sample_record *sample, const struct flow_row_format *format,
		    const char *label)
{
	size_t room = flow_row_room(format, label ? strlen(label) : 0), n;
	struct guard guard = guard_create(room);
	char *text = (char *)guard.pages + guard.n_bytes - (size_t)sysconf(_SC_PAGESIZE) - room;
	char *row;

	n = write(&sample->record, format, label, values, text);
	assert_true(n <= room);
	row = strndup(text, n);
	assert_int_equal(strlen(row), n);
	guard_free(&guard);
	return row;
}

/* Whether the row begins so; *rest is what follows. */
static void assert_begins(const char *row, const char *expected, const char **rest)
{
	size_t n = strlen(expected);

	assert_true(strlen(row) >= n);
	assert_memory_equal(row, expected, n);
	*rest = row + n;
}

static void a_csv_row_identifies_its_flow_before_the_features(void **state)
{
	struct flow_row_format format = row_format();
	struct sample_record sample;
	char expected[256], *row, *end;
	const char *rest;

	(void)state;
	sample_fill(&sample);
	sample.record.flow.bits |= FLOW_VLAN;
	sample.record.flow.key.scope_id = FLOW_KEY_VLANS | 7;
	format.capture = "a.pcap";
	snprintf(expected, sizeof(expected),
		 "%016" PRIx64
		 ",192.168.56.102,192.168.56.101,45426,443,6,7,1502118944.718769,1502118944.763858,0,end,"
		 "fin,a.pcap,benign",
		 flow_id(&sample.record.flow));
	row = row_of(flow_row_csv, &sample, &format, "benign");
	assert_begins(row, expected, &rest);
	for (uint32_t i = 0; i < set->n; i++) {
		assert_int_equal(*rest, ',');
		assert_true(strtod(rest + 1, &end) == values[i]);
		rest = end;
	}
	assert_string_equal(rest, "\r\n");
	free(row);
}

static void what_a_csv_row_does_not_know_is_empty(void **state)
{
	struct flow_row_format format = row_format();
	struct sample_record sample;
	char expected[256], *row;
	const char *rest;

	(void)state;
	sample_fill(&sample);
	sample.record.flow.start_ns = sample.record.flow.last_ns = FRAME_NO_TIME;
	format.has_label = 0;
	snprintf(expected, sizeof(expected),
		 "%016" PRIx64 ",192.168.56.102,192.168.56.101,45426,443,6,,,,0,end,fin,",
		 flow_id(&sample.record.flow));
	row = row_of(flow_row_csv, &sample, &format, NULL);
	assert_begins(row, expected, &rest);
	free(row);
}

static void a_checkpoint_is_the_number_of_packets(void **state)
{
	struct flow_row_format format = row_format();
	struct sample_record sample;
	char *row;
	json_t *object;

	(void)state;
	sample_fill(&sample);
	sample.record.reason = FLOW_REASON_CHECKPOINT;
	row = row_of(flow_row_csv, &sample, &format, "x");
	assert_non_null(strstr(row, ",0,5,checkpoint,x,"));
	free(row);
	row = row_of(flow_row_ndjson, &sample, &format, "x");
	object = json_loads(row, 0, NULL);
	assert_int_equal(json_integer_value(json_object_get(object, "checkpoint")), 5);
	json_decref(object);
	free(row);
}

/* Exact bytes: a reader of RFC 4180 gives back what the label and the capture's name are. */
static void hostile_labels_and_names_are_quoted(void **state)
{
	struct flow_row_format format = row_format();
	struct sample_record sample;
	char *row;

	(void)state;
	sample_fill(&sample);
	format.capture = "a \"b\",c.pcap";
	row = row_of(flow_row_csv, &sample, &format, "x\r\ny,\"");
	assert_non_null(strstr(row, ",end,fin,\"a \"\"b\"\",c.pcap\",\"x\r\ny,\"\"\","));
	free(row);
}

static void the_csv_head_names_every_column(void **state)
{
	struct flow_row_format format = row_format();
	char *text = malloc(flow_row_room(&format, 0));
	const char *rest;
	size_t n;

	(void)state;
	format.capture = "";
	n = flow_row_csv_head(&format, text);
	assert_true(n < flow_row_room(&format, 0));
	text[n] = '\0';
	assert_begins(
		text,
		"flow_id,src,dst,src_port,dst_port,protocol,vlan,start,end,slice,checkpoint,reason,capture,label",
		&rest);
	for (uint32_t i = 0; i < set->n; i++) {
		assert_int_equal(*rest, ',');
		assert_begins(rest + 1, set->columns[i].label, &rest);
	}
	assert_string_equal(rest, "\r\n");
	free(text);
}

static void head_labels_are_quoted_where_they_must_be(void **state)
{
	struct flow_feature_column columns[] = {{0, "Fwd \"IAT\", mean"}};
	const struct flow_feature_set own = {.n = 1, .columns = columns};
	const struct flow_row_format format = {.features = &own};
	char *text = malloc(flow_row_room(&format, 0));

	(void)state;
	text[flow_row_csv_head(&format, text)] = '\0';
	assert_non_null(strstr(text, ",reason,\"Fwd \"\"IAT\"\", mean\"\r\n"));
	free(text);
}

static void a_row_of_ndjson_holds_the_same(void **state)
{
	struct flow_row_format format = row_format();
	struct sample_record sample;
	char *row, id[17];
	json_t *object;

	(void)state;
	sample_fill(&sample);
	format.capture = "a \"b\".pcap";
	format.has_nanoseconds = 1;
	row = row_of(flow_row_ndjson, &sample, &format, "\xff\x01");
	assert_int_equal(row[strlen(row) - 1], '\n');
	object = json_loads(row, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(object);
	snprintf(id, sizeof(id), "%016" PRIx64, flow_id(&sample.record.flow));
	assert_string_equal(json_string_value(json_object_get(object, "flow_id")), id);
	assert_string_equal(json_string_value(json_object_get(object, "src")), "192.168.56.102");
	assert_int_equal(json_integer_value(json_object_get(object, "dst_port")), 443);
	assert_true(json_is_null(json_object_get(object, "vlan")));
	assert_non_null(strstr(row, ",\"start\":1502118944.718769123,\"end\":1502118944.763858999,"));
	assert_string_equal(json_string_value(json_object_get(object, "checkpoint")), "end");
	assert_string_equal(json_string_value(json_object_get(object, "capture")), "a \"b\".pcap");
	assert_string_equal(json_string_value(json_object_get(object, "label")), "\xef\xbf\xbd\x01");
	for (uint32_t i = 0; i < set->n; i++) {
		json_t *value = json_object_get(object, set->columns[i].label);

		assert_true(json_is_number(value));
		assert_true(json_number_value(value) == values[i]);
	}
	assert_int_equal(json_object_size(object), 14 + set->n);
	json_decref(object);
	free(row);
}

static void every_preset_has_columns_of_different_names(void **state)
{
	const struct flow_preset_info *preset;
	struct sample_record sample;

	(void)state;
	sample_fill(&sample);
	for (uint32_t i = 0; (preset = flow_features_preset(i)); i++) {
		struct flow_row_format format = row_format();
		struct flow_feature_set *own;
		json_error_t where;
		char error[256], *row;
		json_t *object;

		assert_int_equal(flow_feature_set_create(preset->name, &own, error, sizeof(error)), 0);
		format.features = own;
		format.capture = "";
		row = row_of(flow_row_ndjson, &sample, &format, "");
		object = json_loads(row, JSON_REJECT_DUPLICATES, &where);
		if (!object)
			fail_msg("%s: %s", preset->name, where.text);
		json_decref(object);
		free(row);
		flow_feature_set_free(own);
	}
}

static void the_longest_rows_fit_the_room_that_is_asked_for(void **state)
{
	static char capture[4097], label[100001];
	static const struct flow_feature_set no_features; /* so that their room makes up for nothing */
	struct flow_row_format format = row_format();
	struct sample_record sample;

	(void)state;
	sample_fill(&sample);
	sample_widen(&sample);
	format.capture = capture;
	format.has_nanoseconds = 1;
	for (int byte = 1; byte < 256; byte += byte == 1 ? 33 : 221) { /* \u0001, a quote, no UTF-8 */
		memset(capture, byte, sizeof(capture) - 1);
		memset(label, byte, sizeof(label) - 1);
		for (int i = 0; i < 2; i++) {
			format.features = i ? &no_features : set;
			free(row_of(flow_row_csv, &sample, &format, label));
			free(row_of(flow_row_ndjson, &sample, &format, label));
		}
	}
}

/* Bytes that JSON writes as six, in a name of a column. */
static void the_longest_names_of_columns_fit_too(void **state)
{
	static char name[1001];
	struct flow_feature_column columns[] = {{0, name}};
	const struct flow_feature_set own = {.n = 1, .columns = columns};
	struct flow_row_format format = row_format();
	struct sample_record sample;
	json_t *object;
	char *row;

	(void)state;
	sample_fill(&sample);
	memset(name, 1, sizeof(name) - 1);
	format.features = &own;
	row = row_of(flow_row_ndjson, &sample, &format, "");
	object = json_loads(row, 0, NULL);
	assert_non_null(json_object_get(object, name));
	json_decref(object);
	free(row);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_csv_row_identifies_its_flow_before_the_features),
		cmocka_unit_test(what_a_csv_row_does_not_know_is_empty),
		cmocka_unit_test(a_checkpoint_is_the_number_of_packets),
		cmocka_unit_test(hostile_labels_and_names_are_quoted),
		cmocka_unit_test(the_csv_head_names_every_column),
		cmocka_unit_test(head_labels_are_quoted_where_they_must_be),
		cmocka_unit_test(a_row_of_ndjson_holds_the_same),
		cmocka_unit_test(every_preset_has_columns_of_different_names),
		cmocka_unit_test(the_longest_rows_fit_the_room_that_is_asked_for),
		cmocka_unit_test(the_longest_names_of_columns_fit_too),
	};

	return cmocka_run_group_tests(tests, make_set, free_set);
}
