/* SPDX-License-Identifier: BSD-3-Clause */
#include "text.h"

#include <assert.h>
#include <stdio.h>

static const char hex_digits[] = "0123456789abcdef";

char *text_put_hex64(char *at, uint64_t number)
{
	for (int shift = 60; shift >= 0; shift -= 4)
		*at++ = hex_digits[number >> shift & 15];
	return at;
}

static char *put_ipv4(char *at, const uint8_t bytes[4])
{
	for (int i = 0; i < 4; i++) {
		if (i)
			*at++ = '.';
		at = text_put_number(at, bytes[i]);
	}
	return at;
}

/* 16 bits in hexadecimal, without leading zeros. */
static char *put_group(char *at, uint32_t group)
{
	int shift = 12;

	while (shift && !(group >> shift))
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		*at++ = hex_digits[group >> shift & 15];
	return at;
}

char *text_put_address(char *at, const uint8_t address[16], int is_ipv4)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	uint32_t group[8];
	int best = 8, best_length = 1; /* the first of the longest runs of zeros; one alone is not shortened */

	if (is_ipv4)
		return put_ipv4(at, address + 12);
	if (!memcmp(address, mapped, sizeof(mapped)))
		return put_ipv4(text_put(at, "::ffff:"), address + 12);
	for (int i = 0; i < 8; i++)
		group[i] = (uint32_t)address[2 * i] << 8 | address[2 * i + 1];
	for (int i = 0, length; i < 8; i += length + 1) {
		for (length = 0; i + length < 8 && !group[i + length];)
			length++;
		if (length > best_length) {
			best = i;
			best_length = length;
		}
	}
	for (int i = 0; i < 8; i++) {
		if (i == best) {
			at = text_put(at, "::");
			i += best_length - 1;
			continue;
		}
		if (i && i != best + best_length)
			*at++ = ':';
		at = put_group(at, group[i]);
	}
	return at;
}

/*
 * The decimals of a number whose last bit is worth 2^-n_bits, fraction being what is behind its point in units of
 * that: as many digits as tell it from its neighbours. "FP3" of Steele and White, "How to Print Floating-Point
 * Numbers Accurately", 1990. A power of two is nearer to the neighbour below, so margin is a quarter of the last
 * bit there, else half of it. Exact: n_bits <= 82, and 4 + 2 + 82 bits are used.
 */
static char *put_decimals(char *at, uint64_t fraction, int n_bits, int is_power_of_two)
{
	unsigned __int128 one = (unsigned __int128)1 << (n_bits + 2);
	unsigned __int128 rest = (unsigned __int128)fraction << 2;
	unsigned __int128 margin = is_power_of_two ? 1 : 2;

	for (;;) {
		uint32_t digit;

		rest *= 10;
		margin *= 10;
		digit = (uint32_t)(rest >> (n_bits + 2));
		rest &= one - 1;
		if (rest >= margin && rest <= one - margin) {
			*at++ = (char)('0' + digit);
			continue;
		}
		/* The nearer of two digits; never 10, since the digit before would have ended the loop. */
		*at++ = (char)('0' + digit + (rest > one / 2));
		return at;
	}
}

char *text_put_double(char *at, double value)
{
	const double whole_limit = 18446744073709551616.0; /* 2^64 */
	const double small_limit = 0x1p-30;
	uint64_t bits, mantissa, whole;
	int n_bits;

	assert(isfinite(value));
	if (value < 0) {
		*at++ = '-';
		value = -value;
	}
	if (value < whole_limit && (double)(uint64_t)value == value)
		return text_put_number(at, (uint64_t)value);
	if (value >= whole_limit || value < small_limit)
		return at + snprintf(at, TEXT_DOUBLE_BYTES, "%.17g", value);

	memcpy(&bits, &value, sizeof(bits));
	mantissa = bits & ((UINT64_C(1) << 52) - 1);
	n_bits = 1075 - (int)(bits >> 52);
	whole = (uint64_t)value;
	at = text_put_number(at, whole);
	*at++ = '.';
	return put_decimals(at, (mantissa | UINT64_C(1) << 52) - (n_bits < 53 ? whole << n_bits : 0), n_bits,
			    !mantissa);
}

/* Bytes of the UTF-8 character that text begins with, by RFC 3629; 0 where there is none. */
static size_t utf8_length(const char *text)
{
	const uint8_t *byte = (const uint8_t *)text;
	uint8_t low = 0x80, high = 0xbf; /* of the second byte */
	size_t n;

	if (byte[0] < 0x80)
		return 1;
	if (byte[0] < 0xc2 || byte[0] > 0xf4)
		return 0;
	n = byte[0] < 0xe0 ? 2 : byte[0] < 0xf0 ? 3 : 4;
	if (byte[0] == 0xe0 || byte[0] == 0xf0)
		low = byte[0] == 0xe0 ? 0xa0 : 0x90; /* not longer than need be */
	else if (byte[0] == 0xed || byte[0] == 0xf4)
		high = byte[0] == 0xed ? 0x9f : 0x8f; /* no surrogates, nothing above U+10FFFF */
	if (byte[1] < low || byte[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((byte[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

/* The character that *text begins with, mended; *text moves on. */
static char *put_character(char *at, const char **text)
{
	size_t length = utf8_length(*text);

	if (!length) {
		++*text;
		return text_put(at, "\xef\xbf\xbd");
	}
	memcpy(at, *text, length);
	*text += length;
	return at + length;
}

char *text_put_json(char *at, const char *text)
{
	*at++ = '"';
	while (*text) {
		uint8_t byte = (uint8_t)*text;

		if (byte == '"' || byte == '\\') {
			*at++ = '\\';
			*at++ = *text++;
		} else if (byte < 0x20) {
			at = text_put(at, "\\u00");
			*at++ = hex_digits[byte >> 4];
			*at++ = hex_digits[byte & 15];
			text++;
		} else {
			at = put_character(at, &text);
		}
	}
	*at++ = '"';
	return at;
}

char *text_put_csv(char *at, const char *text)
{
	int is_quoted = text[strcspn(text, "\",\r\n")] != '\0';

	if (is_quoted)
		*at++ = '"';
	while (*text) {
		if (*text == '"')
			*at++ = '"';
		at = put_character(at, &text);
	}
	if (is_quoted)
		*at++ = '"';
	return at;
}
