/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What programs that drive a sink for a test have in common: commands from stdin, one a line, each answered with a line
 * of JSON; and deliveries as the framework makes them, from the first record on that is not delivered.
 */
#ifndef WIRESCORE_TESTS_DRIVE_H
#define WIRESCORE_TESTS_DRIVE_H

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sink.h"

#define DRIVE_MAX_WORDS 32
#define DRIVE_RETRY_US	50000

struct drive_queue {
	uint32_t n_offered, n_delivered;
};

/* Makes items of the records from number first on. */
typedef void drive_make(void *context, uint32_t first, uint32_t n, struct sink_item *items);

static inline void drive_answer_error(char *error)
{
	for (char *at = error; *at; at++)
		*at = *at == '"' || *at == '\\' ? '\'' : *at;
	printf("{\"error\":\"%s\"}\n", error);
}

static inline double drive_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* The words of the next line; 0 behind the last one. */
static inline int drive_read(char *line, int size, char *words[DRIVE_MAX_WORDS])
{
	int n = 0;

	fflush(stdout);
	while (!n && fgets(line, size, stdin)) {
		char *rest = line;

		while (n < DRIVE_MAX_WORDS && (words[n] = strtok_r(rest, " \n", &rest)))
			n++;
	}
	return n;
}

/* Until so many records are delivered in all, or the time is over. */
static inline void drive_run(const struct sink_driver *driver, void *state, struct drive_queue *queue,
			     drive_make *make, void *context, double limit, uint32_t until)
{
	static struct sink_item items[SINK_MAX_BATCH];
	double start = drive_seconds(), longest = 0;
	uint32_t n_calls = 0, n_failures = 0;
	char error[512] = "", last[512] = "";

	while (queue->n_delivered < until && drive_seconds() - start < limit) {
		uint32_t n = queue->n_offered - queue->n_delivered, n_taken;
		double before = drive_seconds(), took;

		n = n < SINK_MAX_BATCH ? n : SINK_MAX_BATCH;
		make(context, queue->n_delivered, n, items);
		n_taken = driver->deliver(state, items, n, error, sizeof(error));
		queue->n_delivered += n_taken;
		took = drive_seconds() - before;
		longest = took > longest ? took : longest;
		n_calls++;
		if (n_taken < n) {
			n_failures++;
			memcpy(last, error, sizeof(last));
			usleep(DRIVE_RETRY_US);
			if (driver->tick)
				driver->tick(state, 0);
		}
	}
	for (char *at = last; *at; at++)
		*at = *at == '"' || *at == '\\' ? '\'' : *at;
	printf("{\"delivered\":%u,\"left\":%u,\"calls\":%u,\"failures\":%u,\"longest\":%.3f,\"seconds\":%.3f,"
	       "\"reason\":\"%s\"}\n",
	       queue->n_delivered, queue->n_offered - queue->n_delivered, n_calls, n_failures, longest,
	       drive_seconds() - start, last);
}

static inline void drive_close(const struct sink_driver *driver, void **state)
{
	double start = drive_seconds();
	char error[512] = "";
	int rc = *state ? driver->close(*state, error, sizeof(error)) : 0;

	*state = NULL;
	if (rc)
		drive_answer_error(error);
	else
		printf("{\"seconds\":%.3f}\n", drive_seconds() - start);
}

#endif
