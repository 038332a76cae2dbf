/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control core writes millions of these lines a second, so numbers are not printed by printf.
 */
#include "packet_record.h"

#include <math.h>
#include <string.h>

#include "ethertype.h"
#include "frame.h"

static char *put_text(char *at, const char *text)
{
	size_t length = strlen(text);

	memcpy(at, text, length);
	return at + length;
}

static char *put_number(char *at, uint64_t number)
{
	char digits[20];
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
static char *put_fraction(char *at, uint64_t number, int n_digits)
{
	for (int i = n_digits - 1; i >= 0; i--) {
		at[i] = (char)('0' + number % 10);
		number /= 10;
	}
	return at + n_digits;
}

static char *put_time(char *at, uint64_t ns, int has_nanoseconds)
{
	if (ns == FRAME_NO_TIME)
		return put_text(at, "null");
	at = put_number(at, ns / 1000000000);
	*at++ = '.';
	return has_nanoseconds ? put_fraction(at, ns % 1000000000, 9) : put_fraction(at, ns % 1000000000 / 1000, 6);
}

/* A probability: 0 to 1. */
static char *put_score(char *at, float score)
{
	uint64_t millionths;

	if (isnan(score))
		return put_text(at, "null");
	millionths = (uint64_t)((double)score * 1e6 + 0.5);
	at = put_number(at, millionths / 1000000);
	*at++ = '.';
	return put_fraction(at, millionths % 1000000, 6);
}

size_t record_packet_ndjson_room(const struct packet_record_format *format)
{
	size_t longest = 0;

	for (int i = 0; i < 3; i++)
		longest = strlen(format->classes[i]) > longest ? strlen(format->classes[i]) : longest;
	return RECORD_PACKET_NDJSON_BYTES + longest + (format->capture ? strlen(format->capture) : 0);
}

size_t record_packet_ndjson(const struct packet_record *record, const struct packet_record_format *format,
			    char *text)
{
	char ethertype[ETHERTYPE_TEXT_SIZE];
	char *at = put_text(text, "{");

	if (format->capture) {
		at = put_text(at, "\"capture\":");
		at = put_text(at, format->capture);
		at = put_text(at, ",");
	}
	at = put_text(at, "\"n\":");
	at = put_number(at, record->number);
	at = put_text(at, ",\"ts\":");
	at = put_time(at, record->timestamp_ns, format->has_nanoseconds);
	at = put_text(at, ",\"len\":");
	at = put_number(at, record->wire_bytes);
	at = put_text(at, ",\"ethertype\":\"");
	at = put_text(at, ethertype_text(record->ethertype, ethertype));
	at = put_text(at, "\",\"class\":");
	at = put_text(at, format->classes[record->class]);
	at = put_text(at, ",\"score\":");
	at = put_score(at, record->score);
	at = put_text(at, "}\n");
	return (size_t)(at - text);
}
