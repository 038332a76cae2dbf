/* SPDX-License-Identifier: BSD-3-Clause */
/* The text that Prometheus reads: app/control/openmetrics.c. Expected lines are those of the two specifications. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "openmetrics.h"

/* What is written between begin_text and assert_text. */
static char *text;
static size_t text_bytes;

static struct openmetrics begin_text(bool is_plain)
{
	struct openmetrics out = {.file = open_memstream(&text, &text_bytes), .is_plain = is_plain};

	assert_non_null(out.file);
	return out;
}

static void assert_text(const struct openmetrics *out, const char *expected)
{
	assert_int_equal(fclose(out->file), 0);
	assert_string_equal(text, expected);
	free(text);
}

static void a_counter_ends_with_total_and_has_its_labels(void **state)
{
	struct openmetrics out = begin_text(false);

	(void)state;
	openmetrics_family(&out, "a_packets", OPENMETRICS_COUNTER, "packets", "some");
	openmetrics_counter(&out, "a_packets", UINT64_MAX, NULL);
	openmetrics_counter(&out, "a_packets", 7, "port", "lan", "cause", "x", NULL);
	openmetrics_counter_real(&out, "a_seconds", 0.25, NULL);
	openmetrics_end(&out);
	assert_text(&out, "# TYPE a_packets counter\n# UNIT a_packets packets\n# HELP a_packets some\n"
			  "a_packets_total 18446744073709551615\n"
			  "a_packets_total{port=\"lan\",cause=\"x\"} 7\n"
			  "a_seconds_total 0.25\n# EOF\n");
}

static void the_plain_form_names_samples_and_knows_no_units_infos_or_end(void **state)
{
	struct openmetrics out = begin_text(true);

	(void)state;
	openmetrics_family(&out, "a_packets", OPENMETRICS_COUNTER, "packets", "a \"b\" \\ c\n9");
	openmetrics_counter(&out, "a_packets", 1, NULL);
	openmetrics_family(&out, "b", OPENMETRICS_INFO, "", "who");
	openmetrics_info(&out, "b", "v", "1", NULL);
	openmetrics_family(&out, "c", OPENMETRICS_HISTOGRAM, "", "h");
	openmetrics_end(&out);
	assert_text(&out, "# TYPE a_packets_total counter\n# HELP a_packets_total a \"b\" \\\\ c\\n9\n"
			  "a_packets_total 1\n"
			  "# TYPE b_info gauge\n# HELP b_info who\nb_info{v=\"1\"} 1\n"
			  "# TYPE c histogram\n# HELP c h\n");
}

static void help_is_escaped_as_openmetrics_has_it(void **state)
{
	struct openmetrics out = begin_text(false);

	(void)state;
	openmetrics_family(&out, "a", OPENMETRICS_GAUGE, "", "a \"b\" \\ c\n9");
	assert_text(&out, "# TYPE a gauge\n# HELP a a \\\"b\\\" \\\\ c\\n9\n");
}

static void labels_cannot_end_their_quotes_nor_their_line(void **state)
{
	struct openmetrics out = begin_text(false);

	(void)state;
	openmetrics_gauge(&out, "a", 1, "l", "x\"} 9\nb 1\\", NULL);
	assert_text(&out, "a{l=\"x\\\"} 9\\nb 1\\\\\"} 1\n");
}

static void what_is_no_utf8_is_replaced_and_what_is_stays(void **state)
{
	/* Fine; cut; overlong; a surrogate; too large; a lone byte that goes on; an impossible byte. */
	static const struct {
		const char *given, *expected;
	} rows[] = {
		{"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xa7", "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xa7"},
		{"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xe0\x80\xaf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"a\x80z", "a\xef\xbf\xbdz"},
		{"\xff", "\xef\xbf\xbd"},
		{"\xc3\"", "\xef\xbf\xbd\\\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct openmetrics out = begin_text(false);
		char expected[64];

		openmetrics_info(&out, "a", "l", rows[i].given, NULL);
		snprintf(expected, sizeof(expected), "a_info{l=\"%s\"} 1\n", rows[i].expected);
		assert_text(&out, expected);
	}
}

static void numbers_that_are_none_have_their_names(void **state)
{
	struct openmetrics out = begin_text(false);

	(void)state;
	openmetrics_gauge(&out, "a", NAN, NULL);
	openmetrics_gauge(&out, "a", INFINITY, NULL);
	openmetrics_gauge(&out, "a", -INFINITY, NULL);
	openmetrics_gauge(&out, "a", 1e-9, NULL);
	openmetrics_gauge(&out, "a", 123456789012345, NULL);
	assert_text(&out, "a NaN\na +Inf\na -Inf\na 1e-09\na 123456789012345\n");
}

static void a_histogram_adds_up_and_ends_with_all(void **state)
{
	static const double bounds[] = {0.5, 1, 2};
	static const uint64_t counts[] = {3, 0, 4, 5};
	struct openmetrics out = begin_text(false);

	(void)state;
	openmetrics_histogram(&out, "h", bounds, counts, 3, 17.5, "w", "0", NULL);
	assert_text(&out,
		    "h_bucket{w=\"0\",le=\"0.5\"} 3\nh_bucket{w=\"0\",le=\"1\"} 3\nh_bucket{w=\"0\",le=\"2\"} 7\n"
		    "h_bucket{w=\"0\",le=\"+Inf\"} 12\nh_count{w=\"0\"} 12\nh_sum{w=\"0\"} 17.5\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_counter_ends_with_total_and_has_its_labels),
		cmocka_unit_test(the_plain_form_names_samples_and_knows_no_units_infos_or_end),
		cmocka_unit_test(help_is_escaped_as_openmetrics_has_it),
		cmocka_unit_test(labels_cannot_end_their_quotes_nor_their_line),
		cmocka_unit_test(what_is_no_utf8_is_replaced_and_what_is_stays),
		cmocka_unit_test(numbers_that_are_none_have_their_names),
		cmocka_unit_test(a_histogram_adds_up_and_ends_with_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
