/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Text that Prometheus reads: the OpenMetrics format, version 1.0
 * (https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md). Labels are pairs of name and
 * value, NULL behind the last; values may be any text, but whoever gives them sees to it that there are few of them: no
 * address, no file, nothing that comes from packets.
 */
#ifndef WIRESCORE_CONTROL_OPENMETRICS_H
#define WIRESCORE_CONTROL_OPENMETRICS_H

#include <stdint.h>
#include <stdio.h>

#define OPENMETRICS_CONTENT_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

enum openmetrics_type { OPENMETRICS_COUNTER, OPENMETRICS_GAUGE, OPENMETRICS_HISTOGRAM, OPENMETRICS_INFO };

/*
 * Begins a family. name ends with its unit, where it has one, which is "" elsewhere; help is one line. Samples of a
 * family follow it, before the next begins.
 */
void openmetrics_family(FILE *file, const char *name, enum openmetrics_type type, const char *unit,
			const char *help);

/* Samples of the type of their family. */
void openmetrics_counter(FILE *file, const char *name, uint64_t value, ...) __attribute__((sentinel));
void openmetrics_counter_real(FILE *file, const char *name, double value, ...) __attribute__((sentinel));
void openmetrics_gauge(FILE *file, const char *name, double value, ...) __attribute__((sentinel));
void openmetrics_info(FILE *file, const char *name, ...) __attribute__((sentinel));

/*
 * A histogram: counts[i] values are at most bounds[i] and above bounds[i - 1], counts[n] above all; sum is of the
 * values.
 */
void openmetrics_histogram(FILE *file, const char *name, const double *bounds, const uint64_t *counts, uint32_t n,
			   double sum, ...) __attribute__((sentinel));

/* What ends the text. */
void openmetrics_end(FILE *file);

#endif
