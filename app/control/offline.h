/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Carries captures through the dataplane: each becomes a port, a free worker takes it, and the packet records
 * come back in the order of the captures. The control core's part of `wirescore classify`.
 */
#ifndef WIRESCORE_CONTROL_OFFLINE_H
#define WIRESCORE_CONTROL_OFFLINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "capture.h"
#include "classify.h"
#include "packet_writer.h"
#include "stats.h"

struct offline_options {
	uint32_t n_workers;
	uint32_t burst;
	const struct packet_engine *engine; /* NULL: the parser alone decides */
	struct packet_writer *writer;	    /* NULL: nobody wants packet records */
	bool names_captures;		    /* each record says which capture it is of */
	bool show_progress;
	const atomic_bool *stop;
};

struct offline_capture {
	const struct capture_info *info;
	uint64_t counters[STATS_N_COUNTERS];
	double seconds;
	bool is_started;
	bool is_complete;		 /* every packet that the inspection saw has a class, and the file rested */
	char error[CAPTURE_ERROR_BYTES]; /* why it could not be read to its end, beginning with the path; else "" */
};

struct offline_result {
	struct stats_block *total; /* the caller's, zeroed */
	double seconds;		   /* from the first burst to the last */
	uint64_t tsc_hz;
};

/* Memory that offline_run will take from EAL, in bytes. */
size_t offline_memory_bytes(const struct offline_options *options, const struct offline_capture *captures,
			    uint32_t n);

/*
 * Runs n captures whose info is set; fills in the rest of each and the result. EAL is up, with n_workers
 * worker lcores. 0, or a negative errno with one line in error where the workers cannot be set up at all.
 */
int offline_run(const struct offline_options *options, struct offline_capture *captures, uint32_t n,
		struct offline_result *result, char *error, size_t error_size);

#endif
