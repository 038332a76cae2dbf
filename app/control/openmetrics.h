/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Text that Prometheus reads: the OpenMetrics format, version 1.0
 * (https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md), or the plain one before it,
 * version 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/). Labels are pairs of name and value, NULL
 * behind the last; values may be any text, but whoever gives them sees to it that there are few of them: no address,
 * nothing that comes from packets. What is no UTF-8 in them is replaced.
 */
#ifndef WIRESCORE_CONTROL_OPENMETRICS_H
#define WIRESCORE_CONTROL_OPENMETRICS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define OPENMETRICS_CONTENT_TYPE       "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define OPENMETRICS_PLAIN_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct openmetrics {
	FILE *file;
	bool is_plain; /* version 0.0.4 */
};

enum openmetrics_type { OPENMETRICS_COUNTER, OPENMETRICS_GAUGE, OPENMETRICS_HISTOGRAM, OPENMETRICS_INFO };

/*
 * Begins a family. name ends with its unit, where it has one, which is "" elsewhere; help is one line. Samples of a
 * family follow it, before the next begins.
 */
void openmetrics_family(const struct openmetrics *out, const char *name, enum openmetrics_type type,
			const char *unit, const char *help);

/* Samples of the type of their family. */
void openmetrics_counter(const struct openmetrics *out, const char *name, uint64_t value, ...)
	__attribute__((sentinel));
void openmetrics_counter_real(const struct openmetrics *out, const char *name, double value, ...)
	__attribute__((sentinel));
void openmetrics_gauge(const struct openmetrics *out, const char *name, double value, ...)
	__attribute__((sentinel));
void openmetrics_info(const struct openmetrics *out, const char *name, ...) __attribute__((sentinel));

/*
 * A histogram: counts[i] values are at most bounds[i] and above bounds[i - 1], counts[n] above all; sum is of the
 * values.
 */
void openmetrics_histogram(const struct openmetrics *out, const char *name, const double *bounds,
			   const uint64_t *counts, uint32_t n, double sum, ...) __attribute__((sentinel));

/* What ends the text. */
void openmetrics_end(const struct openmetrics *out);

#endif
