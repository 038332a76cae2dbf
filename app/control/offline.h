/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Carries captures through the dataplane: each becomes a port, a free worker takes it (or all workers share a
 * single one), and the records come back in the order of the captures. The control core's part of
 * `wirescore classify` and `wirescore extract`.
 */
#ifndef WIRESCORE_CONTROL_OFFLINE_H
#define WIRESCORE_CONTROL_OFFLINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_config.h>

#include "capture.h"
#include "classify.h"
#include "flow_table.h"
#include "packet_record.h"
#include "stats.h"

/* Each worker has one port open. */
#define OFFLINE_MAX_WORKERS   RTE_MAX_ETHPORTS
#define OFFLINE_DEFAULT_BURST 32

/*
 * Who takes records, on the control core's thread. begin is called before the first record of each capture, in
 * the order of the captures.
 */
struct packet_record_sink {
	void *context;
	void (*begin)(void *context, const struct capture_info *info, bool has_nanoseconds);
	void (*write)(void *context, const struct packet_record *records, uint32_t n);
};

/* The same for flows; records are n of flow_record_bytes each. */
struct flow_record_sink {
	void *context;
	void (*begin)(void *context, const struct capture_info *info, bool has_nanoseconds);
	void (*write)(void *context, const void *records, uint32_t n);
};

struct offline_options {
	uint32_t n_workers; /* at most */
	uint32_t burst;
	const struct packet_engine *packet_engine; /* NULL: the parser alone decides */
	/* Of each worker's engine, but for what depends on the workers; NULL: no flows. */
	const struct flow_engine_options *flows;
	enum packet_depth depth;		     /* with flows: which IP header's */
	const struct packet_record_sink *packets;    /* NULL: nobody wants packet records */
	const struct flow_record_sink *flow_records; /* NULL likewise */
	/* Called when all memory is there, before the first packet; what is not 0 ends the run. NULL: nothing to do. */
	int (*ready)(void *context);
	void *context;
	const char *verb; /* what the progress bar says is being done */
	bool show_progress;
	const atomic_bool *stop;
};

struct offline_capture {
	const struct capture_info *info;
	uint64_t counters[STATS_N_COUNTERS];
	struct stats_flow_verdicts flow_verdicts;
	uint64_t flows_peak; /* the most that one table held at a time */
	double seconds;
	bool is_started;
	bool is_complete;		 /* every packet that the inspection saw has a class, and the file rested */
	char error[CAPTURE_ERROR_BYTES]; /* why it could not be read to its end, beginning with the path; else "" */
};

struct offline_result {
	struct stats_block *total; /* the caller's, zeroed */
	uint64_t flows_peak;	   /* the most that one table held at a time */
	uint32_t n_workers;
	double seconds; /* from the first burst to the last */
	uint64_t tsc_hz;
};

/* Worker lcores that offline_run needs for n captures. */
uint32_t offline_n_lcores(const struct offline_options *options, uint32_t n);

/* Memory that offline_run will take from EAL, in bytes. Flow tables have memory of their own. */
size_t offline_memory_bytes(const struct offline_options *options, const struct offline_capture *captures,
			    uint32_t n);

/*
 * Runs n captures whose info is set; fills in the rest of each and the result. EAL is up, with offline_n_lcores
 * worker lcores. 0, or a negative errno with one line in error where the workers cannot be set up at all; what ready
 * returned, and no error, where it ended the run.
 */
int offline_run(const struct offline_options *options, struct offline_capture *captures, uint32_t n,
		struct offline_result *result, char *error, size_t error_size);

#endif
