/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a live run tells at one time, and rates between two times. For `wirescore top`.
 */
#ifndef WIRESCORE_TOP_RATES_H
#define WIRESCORE_TOP_RATES_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "top/top_link.h"

/* Answers of a run; those that are NULL did not come. */
struct top_sample {
	json_t *stats, *model, *histograms, *flows;
	double at_s; /* of a clock that only goes on */
	int pid;
};

/* Asks for n flows by order, and for the rest. 0, or -1 where the run is gone. */
int top_sample_take(struct top_sample *sample, const struct top_link *link, const char *order, uint32_t n);
void top_sample_free(struct top_sample *sample);

/* A number, also where it came as text; 0 where there is none. */
double top_number(const json_t *object, const char *key);

/*
 * Rates a second between two samples of one run, of packets, bits, classes, drops by cause, ports, workers and sinks,
 * and what times packets took in between. before may be empty: then since the run began. NULL when memory is out.
 */
json_t *top_rates(const struct top_sample *before, const struct top_sample *now);

#endif
