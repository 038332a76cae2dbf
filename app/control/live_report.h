/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a live run has counted: as one object, for people and for programs. The control core's, at any time.
 */
#ifndef WIRESCORE_CONTROL_LIVE_REPORT_H
#define WIRESCORE_CONTROL_LIVE_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "live_setup.h"

/* What all workers together have counted of a port; port LIVE_NO_PORT: of all ports. */
uint64_t live_report_sum(const struct live *live, uint8_t port, enum live_counter counter);

/* All of it; NULL when memory is out. */
json_t *live_report(const struct live *live);

/* Prints such an object as lines of text; counters that are 0 are left out. */
void live_report_print(const json_t *report, FILE *file);

/* One line: rates since the last call, and what was lost so far. before is the caller's, zeroed at first. */
struct live_pace {
	uint64_t ns, packets, bytes;
};
void live_report_line(const struct live *live, struct live_pace *before, FILE *file);

/*
 * Whether every packet that a port received has one outcome, and classifiers have seen all that came to their worker.
 * Once workers have ended: until then some are on their way between two.
 */
bool live_report_adds_up(const struct live *live);

#endif
