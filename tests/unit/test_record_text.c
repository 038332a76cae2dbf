/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "guard.h"
#include "text.h"

static const char *double_text(double value)
{
	static char text[TEXT_DOUBLE_BYTES + 1];

	*text_put_double(text, value) = '\0';
	return text;
}

/* Uniform bits, the same in every run (splitmix64). */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static void doubles_are_written_as_short_as_they_can_be(void **state)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = {
		{0.0, "0"},
		{-0.0, "0"},
		{1.0, "1"},
		{-3.0, "-3"},
		{0.1, "0.1"},
		{0.5, "0.5"},
		{-0.25, "-0.25"},
		{0.3, "0.3"},
		{0.1 + 0.2, "0.30000000000000004"},
		{1.0 / 3, "0.3333333333333333"},
		{2.0 / 3, "0.6666666666666666"},
		{100.0 / 3, "33.333333333333336"},
		{123456.789, "123456.789"},
		{0.9999999999999999, "0.9999999999999999"},
		{9.999999999999998, "9.999999999999998"},
		{2251799813685249.5, "2251799813685249.5"},
		{9007199254740992.0, "9007199254740992"},
		{18446744073709549568.0, "18446744073709549568"},
		{18446744073709551616.0, "1.8446744073709552e+19"},
		{0.001, "0.001"},
		{0x1p-20, "0.00000095367431640625"},
		{0x1p-30, "0.0000000009313225746154785"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(double_text(cases[i].value), cases[i].text);
}

/* As many digits behind the first as printf needs for the same number. */
static int n_digits_needed(double value)
{
	char text[64];
	int n = 1;

	do
		snprintf(text, sizeof(text), "%.*e", n - 1, value);
	while (strtod(text, NULL) != value && n++ < 17);
	return n;
}

static int n_digits_written(const char *text)
{
	int n = 0, n_zeros = 0;

	for (; *text && *text != 'e'; text++)
		if (*text >= '1' && *text <= '9') {
			n += n_zeros + 1;
			n_zeros = 0;
		} else if (*text == '0' && n) {
			n_zeros++;
		}
	return n;
}

static void doubles_read_back_as_the_same_and_need_no_more_digits_than_printf(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		uint64_t bits = next_random(&seed);
		/* Around 2^-40 to 2^80, so that every way of writing is taken; some with few digits, some with one bit. */
		double value = ldexp((double)(bits >> 11) * 0x1p-53 + 0.5, (int)(bits % 120) - 40);

		if (i % 4 == 1)
			value = round(value * 1000) / 1000;
		else if (i % 4 == 2)
			value = ldexp(1, (int)(bits % 120) - 40);
		assert_true(strtod(double_text(value), NULL) == value);
		if (value >= 0x1p-30 && value < 0x1p53 && i % 4 != 2)
			assert_true(n_digits_written(double_text(value)) <= n_digits_needed(value));
	}
}

static void any_finite_double_fits_its_room(void **state)
{
	static const double values[] = {DBL_MAX,
					-DBL_MAX,
					DBL_MIN,
					-DBL_TRUE_MIN,
					0x1.fffffffffffffp-30,
					-0x1.fffffffffffffp-31,
					-9007199254740991.5};
	struct guard guard = guard_create(TEXT_DOUBLE_BYTES);
	char *room = (char *)guard_place(&guard, (uint8_t[TEXT_DOUBLE_BYTES]){0}, TEXT_DOUBLE_BYTES);
	uint64_t seed = 2;

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		char *end = text_put_double(room, values[i]);

		*end = '\0';
		assert_true(end - room < TEXT_DOUBLE_BYTES);
		assert_true(strtod(room, NULL) == values[i]);
	}
	for (int i = 0; i < 200000; i++) {
		uint64_t bits = next_random(&seed);
		double value;
		char *end;

		memcpy(&value, &bits, sizeof(value));
		if (!isfinite(value))
			continue;
		end = text_put_double(room, value);
		*end = '\0';
		assert_true(strtod(room, NULL) == value);
	}
	guard_free(&guard);
}

static void addresses_are_written_as_rfc_5952_has_them(void **state)
{
	static const char *const cases[] = {
		"::",
		"::1",
		"1::",
		"2001:db8::1",
		"2001:db8:0:1:1:1:1:1", /* one group alone is not shortened */
		"2001:0:0:1::1",	/* the longer run is */
		"2001:db8::1:0:0:1",	/* the first of two that are as long */
		"1:2:3:4:5:6:7:8",
		"abcd:ef01:2345:6789:abcd:ef01:2345:6789",
		"::2:3:4:5:6:7",
		"1:2:3:4:5:6::",
		"0:1::",
		"::102:304", /* not an address that holds one of IPv4 */
		"::ffff:192.0.2.1",
	};
	char text[TEXT_ADDRESS_BYTES + 1];
	uint8_t address[16];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(inet_pton(AF_INET6, cases[i], address), 1);
		*text_put_address(text, address, 0) = '\0';
		assert_string_equal(text, cases[i]);
	}
	assert_int_equal(inet_pton(AF_INET6, "::ffff:255.0.10.199", address), 1);
	*text_put_address(text, address, 1) = '\0';
	assert_string_equal(text, "255.0.10.199");
}

static void addresses_are_the_same_as_libcs(void **state)
{
	uint64_t seed = 3;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		uint64_t zeros = next_random(&seed), small = next_random(&seed);
		char text[TEXT_ADDRESS_BYTES + 1], expected[INET6_ADDRSTRLEN];
		uint8_t address[16];

		for (int j = 0; j < 16; j++)
			address[j] = zeros >> (j / 2) & 1 ? 0 : (uint8_t)next_random(&seed);
		for (int j = 0; j < 8; j++)
			if (small >> j & 1)
				address[2 * j] = 0;
		address[0] |= 1; /* libc writes ::102:304 otherwise */
		inet_ntop(AF_INET6, address, expected, sizeof(expected));
		*text_put_address(text, address, 0) = '\0';
		assert_string_equal(text, expected);
	}
}

static void strings_are_json_whatever_they_hold(void **state)
{
	static const struct {
		const char *text, *value;
	} cases[] = {
		{"", ""},
		{"plain", "plain"},
		{"\"quoted\" \\ /", "\"quoted\" \\ /"},
		{"\x01\x1f\n\r\t\x7f", "\x01\x1f\n\r\t\x7f"},
		{"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80", "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"},
		{"\xff", "\xef\xbf\xbd"},
		{"\xc3", "\xef\xbf\xbd"},
		{"\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xe0\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xe2\x82\"", "\xef\xbf\xbd\xef\xbf\xbd\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[128];
		char *end = text_put_json(text, cases[i].text);
		json_t *string = json_loadb(text, (size_t)(end - text), JSON_DECODE_ANY, NULL);

		assert_true((size_t)(end - text) <= TEXT_JSON_FACTOR * strlen(cases[i].text) + 2);
		assert_non_null(string);
		assert_string_equal(json_string_value(string), cases[i].value);
		json_decref(string);
	}
}

static void csv_fields_are_quoted_where_they_must_be(void **state)
{
	static const struct {
		const char *text, *field;
	} cases[] = {
		{"", ""},
		{"plain text;\t'", "plain text;\t'"},
		{"a,b", "\"a,b\""},
		{"a\"b", "\"a\"\"b\""},
		{"\"", "\"\"\"\""},
		{"a\nb", "\"a\nb\""},
		{"a\rb", "\"a\rb\""},
		{"\xff,\xc3\xa4", "\"\xef\xbf\xbd,\xc3\xa4\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[128];

		*text_put_csv(text, cases[i].text) = '\0';
		assert_string_equal(text, cases[i].field);
		assert_true(strlen(text) <= TEXT_CSV_FACTOR * strlen(cases[i].text) + 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(doubles_are_written_as_short_as_they_can_be),
		cmocka_unit_test(doubles_read_back_as_the_same_and_need_no_more_digits_than_printf),
		cmocka_unit_test(any_finite_double_fits_its_room),
		cmocka_unit_test(addresses_are_written_as_rfc_5952_has_them),
		cmocka_unit_test(addresses_are_the_same_as_libcs),
		cmocka_unit_test(strings_are_json_whatever_they_hold),
		cmocka_unit_test(csv_fields_are_quoted_where_they_must_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
