/* SPDX-License-Identifier: BSD-3-Clause */
#include "openmetrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>

static void put_escaped(FILE *file, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n') {
			fputs("\\n", file);
			continue;
		}
		if (*text == '\\' || *text == '"')
			fputc('\\', file);
		fputc(*text, file);
	}
}

void openmetrics_family(FILE *file, const char *name, enum openmetrics_type type, const char *unit,
			const char *help)
{
	static const char *const types[] = {"counter", "gauge", "histogram", "info"};

	fprintf(file, "# TYPE %s %s\n", name, types[type]);
	if (unit[0])
		fprintf(file, "# UNIT %s %s\n", name, unit);
	fprintf(file, "# HELP %s ", name);
	put_escaped(file, help);
	fputc('\n', file);
}

static void put_label(FILE *file, const char *before, const char *name, const char *value)
{
	fprintf(file, "%s%s=\"", before, name);
	put_escaped(file, value);
	fputc('"', file);
}

/* The name of a sample and its labels; bound is the histogram's own label, NULL elsewhere. */
static void put_name(FILE *file, const char *name, const char *suffix, va_list labels, const char *bound)
{
	const char *before = "{", *label;
	va_list own;

	fprintf(file, "%s%s", name, suffix);
	va_copy(own, labels);
	while ((label = va_arg(own, const char *))) {
		put_label(file, before, label, va_arg(own, const char *));
		before = ",";
	}
	va_end(own);
	if (bound) {
		put_label(file, before, "le", bound);
		before = ",";
	}
	fputs(*before == ',' ? "} " : " ", file);
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

void openmetrics_counter(FILE *file, const char *name, uint64_t value, ...)
{
	va_list labels;

	va_start(labels, value);
	put_name(file, name, "_total", labels, NULL);
	va_end(labels);
	fprintf(file, "%" PRIu64 "\n", value);
}

void openmetrics_counter_real(FILE *file, const char *name, double value, ...)
{
	va_list labels;

	va_start(labels, value);
	put_name(file, name, "_total", labels, NULL);
	va_end(labels);
	put_value(file, value);
}

void openmetrics_gauge(FILE *file, const char *name, double value, ...)
{
	va_list labels;

	va_start(labels, value);
	put_name(file, name, "", labels, NULL);
	va_end(labels);
	put_value(file, value);
}

void openmetrics_info(FILE *file, const char *name, ...)
{
	va_list labels;

	va_start(labels, name);
	put_name(file, name, "_info", labels, NULL);
	va_end(labels);
	fputs("1\n", file);
}

void openmetrics_histogram(FILE *file, const char *name, const double *bounds, const uint64_t *counts, uint32_t n,
			   double sum, ...)
{
	uint64_t n_within = 0;
	char bound[32];
	va_list labels;

	va_start(labels, sum);
	for (uint32_t i = 0; i <= n; i++) {
		n_within += counts[i];
		if (i < n)
			snprintf(bound, sizeof(bound), "%.9g", bounds[i]);
		put_name(file, name, "_bucket", labels, i < n ? bound : "+Inf");
		fprintf(file, "%" PRIu64 "\n", n_within);
	}
	put_name(file, name, "_count", labels, NULL);
	fprintf(file, "%" PRIu64 "\n", n_within);
	put_name(file, name, "_sum", labels, NULL);
	put_value(file, sum);
	va_end(labels);
}

void openmetrics_end(FILE *file)
{
	fputs("# EOF\n", file);
}
