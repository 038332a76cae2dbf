/* SPDX-License-Identifier: BSD-3-Clause */
#include "openmetrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>

/* Bytes of the UTF-8 character that text begins with; 0 where it begins with none. */
static size_t character_bytes(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t n = at[0] < 0x80 ? 1 : at[0] >= 0xc2 && at[0] < 0xe0 ? 2 : at[0] >= 0xe0 && at[0] < 0xf0 ? 3 : 4;

	if (n == 4 && (at[0] < 0xf0 || at[0] > 0xf4))
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	/* Written longer than need be, half of a pair of UTF-16, or beyond all characters. */
	if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) || (at[0] == 0xf0 && at[1] < 0x90) ||
	    (at[0] == 0xf4 && at[1] > 0x8f))
		return 0;
	return n;
}

/* The plain format's help lines know no escaped quotes. */
static void put_escaped(FILE *file, const char *text, bool has_quotes)
{
	while (*text) {
		size_t n = character_bytes(text);

		if (!n)
			fputs("\xef\xbf\xbd", file);
		else if (*text == '\n')
			fputs("\\n", file);
		else
			fprintf(file, "%s%.*s", *text == '\\' || (has_quotes && *text == '"') ? "\\" : "", (int)n,
				text);
		text += n ? n : 1;
	}
}

void openmetrics_family(const struct openmetrics *out, const char *name, enum openmetrics_type type,
			const char *unit, const char *help)
{
	static const char *const types[] = {"counter", "gauge", "histogram", "info"};
	static const char *const plain_types[] = {"counter", "gauge", "histogram", "gauge"};
	/* The plain format names samples, not families. */
	static const char *const plain_suffixes[] = {"_total", "", "", "_info"};
	const char *suffix = out->is_plain ? plain_suffixes[type] : "";

	fprintf(out->file, "# TYPE %s%s %s\n", name, suffix, out->is_plain ? plain_types[type] : types[type]);
	if (unit[0] && !out->is_plain)
		fprintf(out->file, "# UNIT %s %s\n", name, unit);
	fprintf(out->file, "# HELP %s%s ", name, suffix);
	put_escaped(out->file, help, !out->is_plain);
	fputc('\n', out->file);
}

static void put_label(FILE *file, const char *before, const char *name, const char *value)
{
	fprintf(file, "%s%s=\"", before, name);
	put_escaped(file, value, true);
	fputc('"', file);
}

/* The name of a sample and its labels; bound is the histogram's own label, NULL elsewhere. */
static void put_name(const struct openmetrics *out, const char *name, const char *suffix, va_list labels,
		     const char *bound)
{
	const char *before = "{", *label;
	va_list own;

	fprintf(out->file, "%s%s", name, suffix);
	va_copy(own, labels);
	while ((label = va_arg(own, const char *))) {
		put_label(out->file, before, label, va_arg(own, const char *));
		before = ",";
	}
	va_end(own);
	if (bound) {
		put_label(out->file, before, "le", bound);
		before = ",";
	}
	fputs(*before == ',' ? "} " : " ", out->file);
}

/* A number as the format has it, and the end of the line. */
static void put_value(FILE *file, double value)
{
	if (isnan(value))
		fputs("NaN\n", file);
	else if (isinf(value))
		fputs(value < 0 ? "-Inf\n" : "+Inf\n", file);
	else
		fprintf(file, "%.15g\n", value);
}

void openmetrics_counter(const struct openmetrics *out, const char *name, uint64_t value, ...)
{
	va_list labels;

	va_start(labels, value);
	put_name(out, name, "_total", labels, NULL);
	va_end(labels);
	fprintf(out->file, "%" PRIu64 "\n", value);
}

void openmetrics_counter_real(const struct openmetrics *out, const char *name, double value, ...)
{
	va_list labels;

	va_start(labels, value);
	put_name(out, name, "_total", labels, NULL);
	va_end(labels);
	put_value(out->file, value);
}

void openmetrics_gauge(const struct openmetrics *out, const char *name, double value, ...)
{
	va_list labels;

	va_start(labels, value);
	put_name(out, name, "", labels, NULL);
	va_end(labels);
	put_value(out->file, value);
}

void openmetrics_info(const struct openmetrics *out, const char *name, ...)
{
	va_list labels;

	va_start(labels, name);
	put_name(out, name, "_info", labels, NULL);
	va_end(labels);
	fputs("1\n", out->file);
}

void openmetrics_histogram(const struct openmetrics *out, const char *name, const double *bounds,
			   const uint64_t *counts, uint32_t n, double sum, ...)
{
	uint64_t n_within = 0;
	char bound[32];
	va_list labels;

	va_start(labels, sum);
	for (uint32_t i = 0; i <= n; i++) {
		n_within += counts[i];
		if (i < n)
			snprintf(bound, sizeof(bound), "%.9g", bounds[i]);
		put_name(out, name, "_bucket", labels, i < n ? bound : "+Inf");
		fprintf(out->file, "%" PRIu64 "\n", n_within);
	}
	put_name(out, name, "_count", labels, NULL);
	fprintf(out->file, "%" PRIu64 "\n", n_within);
	put_name(out, name, "_sum", labels, NULL);
	put_value(out->file, sum);
	va_end(labels);
}

void openmetrics_end(const struct openmetrics *out)
{
	if (!out->is_plain)
		fputs("# EOF\n", out->file);
}
