/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A thread that takes records from the workers' rings to their files, so that a disk or a reader that is slow holds
 * up neither the workers nor the control core. Started and stopped by the control core.
 */
#ifndef WIRESCORE_CONTROL_LIVE_RECORDS_H
#define WIRESCORE_CONTROL_LIVE_RECORDS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_ring.h>

#include "config.h"
#include "flow_writer.h"
#include "generation.h"
#include "packet_writer.h"

/* Records that wait for the thread at most, of each worker. */
#define LIVE_PACKET_RING 16384
#define LIVE_FLOW_RING	 8192

struct live_records {
	const struct config_records *config;
	struct flow_writer_options flow_options;
	struct flow_writer flows;
	struct packet_writer packets;
	bool has_flows, has_packets;		      /* files are open */
	struct rte_ring **flow_rings, **packet_rings; /* [n_workers] */
	uint32_t n_workers;
	uint32_t flow_record_bytes;
	uint8_t *buffer;
	atomic_uint_fast64_t n_taken; /* from the rings so far */
	atomic_bool ends;	      /* no more records come: leave when the rings are empty */
	atomic_bool has_ended;
	bool is_running;
	pthread_t thread;
};

/*
 * Opens the files that the config names; generation names the classes and must outlive the records. layout is that
 * of flow records. 0, or a negative errno with one line in error.
 */
int live_records_open(struct live_records *records, const struct config_records *config,
		      const struct generation *generation, const struct flow_layout *layout, uint32_t n_workers,
		      char *error, size_t error_size);

/* Makes the rings and starts the thread: once files are ours and privileges are gone. 0 or a negative errno. */
int live_records_start(struct live_records *records);

/*
 * Waits until all is written, but no longer than so many seconds without any progress: whoever reads may have stopped.
 * Then closes the files. 0, or -1 after complaining of what was lost.
 */
int live_records_stop(struct live_records *records, double seconds);
void live_records_free(struct live_records *records);

#endif
