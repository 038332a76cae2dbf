/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Text for the records of this library: the control core writes millions of lines a second, so nothing goes
 * through printf. Every function writes at `at` without a NUL and returns where the text ends.
 */
#ifndef WIRESCORE_RECORD_TEXT_H
#define WIRESCORE_RECORD_TEXT_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "frame.h"

/* Most bytes that each of these takes. */
#define TEXT_NUMBER_BYTES  20
#define TEXT_HEX64_BYTES   16
#define TEXT_TIME_BYTES	   21
#define TEXT_ADDRESS_BYTES 45
#define TEXT_DOUBLE_BYTES  40

/* ... and those of a string, for each of its bytes, quotes not counted. */
#define TEXT_JSON_FACTOR 6
#define TEXT_CSV_FACTOR	 3

static inline char *text_put(char *at, const char *text)
{
	size_t length = strlen(text);

	memcpy(at, text, length);
	return at + length;
}

static inline char *text_put_number(char *at, uint64_t number)
{
	char digits[TEXT_NUMBER_BYTES];
	int n = 0;

	do {
		digits[n++] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	while (n)
		*at++ = digits[--n];
	return at;
}

/* A number below 10 to the n_digits, with leading zeros. */
static inline char *text_put_fraction(char *at, uint64_t number, int n_digits)
{
	for (int i = n_digits - 1; i >= 0; i--) {
		at[i] = (char)('0' + number % 10);
		number /= 10;
	}
	return at + n_digits;
}

/* Seconds with nine or six digits behind the point; none where the time is FRAME_NO_TIME. */
static inline char *text_put_time(char *at, uint64_t ns, int has_nanoseconds, const char *none)
{
	if (ns == FRAME_NO_TIME)
		return text_put(at, none);
	at = text_put_number(at, ns / 1000000000);
	*at++ = '.';
	return has_nanoseconds ? text_put_fraction(at, ns % 1000000000, 9)
			       : text_put_fraction(at, ns % 1000000000 / 1000, 6);
}

/* A probability, 0 to 1, rounded to six decimals; null for NAN. */
static inline char *text_put_score(char *at, float score)
{
	uint64_t millionths;

	if (isnan(score))
		return text_put(at, "null");
	millionths = (uint64_t)((double)score * 1e6 + 0.5);
	at = text_put_number(at, millionths / 1000000);
	*at++ = '.';
	return text_put_fraction(at, millionths % 1000000, 6);
}

/* The first key of a line of JSON, "sensor", whose name needs no quotes; nothing for NULL. And the room that it takes. */
static inline char *text_put_sensor(char *at, const char *sensor)
{
	return sensor ? text_put(text_put(text_put(at, "\"sensor\":\""), sensor), "\",") : at;
}

static inline size_t text_sensor_room(const char *sensor)
{
	return sensor ? sizeof("\"sensor\":\"\",") + strlen(sensor) : 0;
}

/* 16 hexadecimal digits. */
char *text_put_hex64(char *at, uint64_t number);

/* An IPv6 address as RFC 5952 has it, or an IPv4 one that stands as ::ffff:a.b.c.d. */
char *text_put_address(char *at, const uint8_t address[16], int is_ipv4);

/*
 * A finite number, so that it reads back as the same one: whole ones below 2^64 as digits, others with as few
 * decimals as that takes.
 */
char *text_put_double(char *at, double value);

/* A JSON string with its quotes. Bytes that are no UTF-8 become U+FFFD. */
char *text_put_json(char *at, const char *text);

/* A field of CSV (RFC 4180), in quotes where it needs them. Bytes that are no UTF-8 become U+FFFD. */
char *text_put_csv(char *at, const char *text);

#endif
