/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capture_time.h"
#include "frame.h"

#define MAX_PACKETS 12
#define END	    -1.0 /* no more packets */
#define NONE	    -2.0 /* a packet without a time */

/* Times of packets in units of 66 s, of which one is too late and 0.9 are not, and what must be found. */
struct time_case {
	const char *name;
	double times[MAX_PACKETS];
	struct {
		uint64_t packet;
		double time;
		bool is_break;
	} jumps[3];
	uint32_t n_jumps;
	double latest;
};

static const struct time_case cases[] = {
	{"no packet", {END}, {{0}}, 0, 0},
	{"one packet", {5, END}, {{0}}, 0, 5},
	{"in order", {1, 2, 3, END}, {{0}}, 0, 3},
	{"silence is no jump", {1, 2, 100000, 200000, END}, {{0}}, 0, 200000},
	{"a little late", {1, 10, 9.1, 11, END}, {{0}}, 0, 11},
	{"late for good: a break", {9, 9.5, 10, 2, 3, END}, {{3, 10, true}}, 1, 3},
	{"files joined twice", {9, 9.5, 10, 1, 9, 9.5, 10, 1, 2, END}, {{3, 10, true}, {7, 10, true}}, 2, 2},
	{"alone in the past", {9.5, 10, 2, 11, END}, {{2, 10, false}}, 1, 11},
	{"alone in the future", {1, 2, 1000000, 3, END}, {{2, 2, false}}, 1, 3},
	{"two in the future are believed", {1, 2, 1000000, 1000001, 3, 4, END}, {{4, 1000001, true}}, 1, 4},
	{"the last in the past", {9.5, 10, 2, END}, {{2, 10, false}}, 1, 10},
	{"the last in the future is silence", {1, 2, 1000000, END}, {{0}}, 0, 1000000},
	{"the first in the future", {1000000, 1, 2, END}, {{1, 1000000, true}}, 1, 2},
	{"no time", {1, NONE, 2, END}, {{1, 1, false}}, 1, 2},
	{"no time at first", {NONE, NONE, 5, 6, END}, {{0, 5, false}, {1, 5, false}}, 2, 6},
	{"no time at the end", {1, 2, NONE, END}, {{2, 2, false}}, 1, 2},
	{"never a time", {NONE, NONE, END}, {{0, 0, false}, {1, 0, false}}, 2, 0},
	{"two alone in a row", {10, 1, 11, 1, 12, END}, {{1, 10, false}, {3, 11, false}}, 2, 12},
};

static uint64_t ns_of(double units)
{
	return units == NONE ? FRAME_NO_TIME : (uint64_t)(units * 66e9 + 0.5);
}

static void jumps_are_found_where_they_are(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct time_case *row = &cases[i];
		struct capture_time time = {0};

		for (uint32_t k = 0; row->times[k] != END; k++)
			assert_int_equal(capture_time_count(&time, ns_of(row->times[k])), 0);
		assert_int_equal(capture_time_finish(&time), 0);
		if (time.n_jumps != row->n_jumps || time.latest_ns != ns_of(row->latest))
			fail_msg("%s: %u jumps, latest %.9f", row->name, (unsigned)time.n_jumps,
				 (double)time.latest_ns / 1e9);
		for (uint32_t k = 0; k < row->n_jumps; k++) {
			const struct capture_jump *jump = &time.jumps[k];

			if (jump->packet != row->jumps[k].packet || jump->is_break != row->jumps[k].is_break ||
			    jump->time_ns != ns_of(row->jumps[k].time))
				fail_msg("%s: jump %u is at packet %u, time %.9f", row->name, k,
					 (unsigned)jump->packet, (double)jump->time_ns / 1e9);
		}
		capture_time_free(&time);
	}
}

/* What the flow table's sweep relies on: with jumps heeded, no packet is late by more than CAPTURE_LATE_NS. */
static void nothing_is_late_behind_the_jumps(void **state)
{
	enum { N = 20000 };
	uint64_t *times = malloc(N * sizeof(*times)), latest = 0, next = 0;
	struct capture_time time = {0};
	uint32_t random = 1;

	(void)state;
	assert_non_null(times);
	for (uint32_t i = 0; i < N; i++) {
		random = random * 1664525 + 1013904223;
		times[i] = (i ? times[i - 1] : 1000000000000u) + (random >> 4) % 1000000;
		if (random >> 24 < 3)
			times[i] = (uint64_t)(random & 0xffff) << 40;
		else if (random >> 24 < 6)
			times[i] -= (random & 0xff) * 1000000000u;
		assert_int_equal(capture_time_count(&time, times[i]), 0);
	}
	assert_int_equal(capture_time_finish(&time), 0);
	assert_true(time.n_jumps > 100);
	for (uint32_t i = 0; i < N; i++) {
		uint64_t ns = times[i];

		if (next < time.n_jumps && time.jumps[next].packet == i) {
			if (time.jumps[next].is_break) {
				assert_true(time.jumps[next].time_ns == latest);
				latest = 0;
			} else {
				ns = time.jumps[next].time_ns;
			}
			next++;
		}
		assert_true(ns >= latest || latest - ns <= CAPTURE_LATE_NS);
		latest = ns > latest ? ns : latest;
	}
	assert_true(next == time.n_jumps && latest == time.latest_ns);
	capture_time_free(&time);
	free(times);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jumps_are_found_where_they_are),
		cmocka_unit_test(nothing_is_late_behind_the_jumps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
