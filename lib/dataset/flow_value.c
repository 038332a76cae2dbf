/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Numbers and times out of text. Called by flow_csv.c.
 */
#include "flow_value.h"

#include <arpa/inet.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_EXACT	 ((uint64_t)1 << 53)
#define MAX_EXACT_POWER	 22
#define MAX_EXACT_DIGITS 19
/* Microseconds of our days have so many digits: from this on, and below ten times this. */
#define MICROSECONDS_LOW 1e15

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static const char *skip_blanks(const char *text)
{
	return text + strspn(text, " \t");
}

/*
 * A number whose digits fit a double and whose power of ten is exact, so that one product or quotient rounds it
 * rightly (Clinger 1990). Returns where it ends, or NULL: not so simple.
 */
static const char *read_simple(const char *at, double *value)
{
	static const double powers[MAX_EXACT_POWER + 1] = {1e0,	 1e1,  1e2,  1e3,  1e4,	 1e5,  1e6,  1e7,
							   1e8,	 1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
							   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
	bool is_negative = *at == '-';
	const char *digits, *point = NULL;
	uint64_t number = 0;
	int n_behind;

	at += is_negative || *at == '+';
	for (digits = at; is_digit(*at) || (*at == '.' && point == NULL); at++) {
		if (*at == '.')
			point = at;
		else
			number = number * 10 + (uint64_t)(*at - '0');
	}
	/* Numbers with an exponent are left to strtod, as all that is no number. */
	if (at - digits > MAX_EXACT_DIGITS || at - digits - (point != NULL) < 1 || number > MAX_EXACT ||
	    *at == 'e' || *at == 'E')
		return NULL;
	n_behind = point != NULL ? (int)(at - point) - 1 : 0;
	*value = (double)number / powers[n_behind];
	if (is_negative)
		*value = -*value;
	return at;
}

enum flow_value_fault flow_value_number(const char *text, double *value)
{
	const char *begin = skip_blanks(text), *end = read_simple(begin, value);

	if (end == NULL) {
		char *strtod_end;

		if (*begin == '\0')
			return FLOW_VALUE_MISSING;
		/* strtod also takes hexadecimal digits, which no table means. */
		if (strpbrk(begin, "xX") != NULL)
			return FLOW_VALUE_TEXT;
		*value = strtod(begin, &strtod_end);
		end = strtod_end;
		if (end == begin)
			return FLOW_VALUE_TEXT;
	}
	if (*skip_blanks(end) != '\0')
		return FLOW_VALUE_TEXT;
	if (isnan(*value))
		return FLOW_VALUE_NAN;
	return fabs(*value) <= (double)FLT_MAX ? FLOW_VALUE_FINE : FLOW_VALUE_INFINITE;
}

/* ---- Times ---- */

/* YYYY-MM-DD, a blank or T, hh:mm:ss[.s], and Z or nothing. */
static bool read_date(const char *text, double *seconds)
{
	struct tm tm = {0};
	double second;
	char separator[2], end[2] = "";
	int n_read = sscanf(text, "%4d%*1[-/]%2d%*1[-/]%2d%1[ T]%2d:%2d:%lf%1s", &tm.tm_year, &tm.tm_mon,
			    &tm.tm_mday, separator, &tm.tm_hour, &tm.tm_min, &second, end);

	if (n_read < 7 || (n_read == 8 && strcmp(end, "Z") != 0))
		return false;
	if (tm.tm_year < 1970 || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
	    tm.tm_hour < 0 || tm.tm_hour > 23 || tm.tm_min < 0 || tm.tm_min > 59 || !(second >= 0 && second < 61))
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	*seconds = (double)timegm(&tm) + second;
	return true;
}

bool flow_value_time(const char *text, bool is_short, double *seconds)
{
	static const struct {
		double from, unit;
	} units[] = {{1e17, 1e-9}, {1e14, 1e-6}, {1e11, 1e-3}};

	if (flow_value_number(text, seconds) != FLOW_VALUE_FINE)
		return read_date(skip_blanks(text), seconds);
	if (*seconds < 0)
		return false;
	if (is_short && *seconds > 0)
		while (*seconds < MICROSECONDS_LOW)
			*seconds *= 10;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (*seconds >= units[i].from) {
			*seconds *= units[i].unit;
			break;
		}
	}
	return true;
}

/* ---- Addresses ---- */

static bool is_mac(const char *text)
{
	unsigned bytes[6];
	int n = 0;

	return sscanf(text, "%2x%*1[:-]%2x%*1[:-]%2x%*1[:-]%2x%*1[:-]%2x%*1[:-]%2x%n", &bytes[0], &bytes[1],
		      &bytes[2], &bytes[3], &bytes[4], &bytes[5], &n) == 6 &&
	       *skip_blanks(text + n) == '\0';
}

static bool is_ip(const char *text)
{
	char address[INET6_ADDRSTRLEN];
	uint8_t bytes[16];
	size_t n = strcspn(text, " \t");

	if (n >= sizeof(address) || *skip_blanks(text + n) != '\0')
		return false;
	memcpy(address, text, n);
	address[n] = '\0';
	return inet_pton(AF_INET, address, bytes) == 1 || inet_pton(AF_INET6, address, bytes) == 1;
}

enum flow_value_fault flow_value_forced(const char *text, double *value)
{
	enum flow_value_fault fault = flow_value_number(text, value);

	if (fault != FLOW_VALUE_TEXT)
		return fault;
	text = skip_blanks(text);
	if (is_mac(text) || is_ip(text))
		return FLOW_VALUE_ADDRESS;
	return read_date(text, value) ? FLOW_VALUE_FINE : FLOW_VALUE_TEXT;
}
