/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From the workers' rings to the sinks: a thread, the pump, takes records and offers each to every sink, which never
 * waits, so that a disk, a broker or a reader that is slow holds up neither workers, nor the control core, nor another
 * sink. Made, started and stopped by the control core.
 */
#ifndef WIRESCORE_CONTROL_LIVE_RECORDS_H
#define WIRESCORE_CONTROL_LIVE_RECORDS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <rte_ring.h>

#include "config.h"
#include "generation.h"
#include "sinks/sink.h"

/* Records that wait for the pump at most, of each worker. */
#define LIVE_PACKET_RING 16384
#define LIVE_FLOW_RING	 8192

/* One [records NAME] section. */
struct live_sink {
	struct sink *sink; /* NULL: it could not be opened */
	const struct config_records *config;
	char *password; /* NULL: none */
	int terminal;	/* stdout, opened anew; 0: it is none, or not the sink's */
	const char *properties[CONFIG_MAX_WORDS + 1];
	/* The pump's, once no packet waits any more. */
	uint64_t n_delivered, progress_ns;
	bool is_stuck;
};

struct live_records {
	struct sink_formats formats;
	struct live_sink sinks[CONFIG_MAX_RECORDS];
	uint32_t n_sinks;
	const char *ports[CONFIG_MAX_PORTS]; /* their names, by record.port */
	uint32_t n_ports;
	bool has_flows, has_packets;		      /* some sink wants them */
	struct rte_ring **flow_rings, **packet_rings; /* [n_workers] */
	uint32_t n_workers;
	uint32_t flow_record_bytes;
	uint32_t burst; /* records at a time, which fit into any queue */
	uint8_t *buffer;
	atomic_uint_fast64_t n_taken; /* from the rings so far */
	/* Workers that packets may wait for; with none left wait for room rather than drop. NULL: the run goes on. */
	_Atomic uint32_t *_Atomic n_carrying;
	atomic_bool ends;  /* no more records come: leave when the rings are empty */
	atomic_bool stops; /* sinks are to give up what takes long */
	uint64_t drain_ns; /* when the pump began to wait for room; its own */
	bool is_running;
	pthread_t thread;
};

/* Has flow engines make what sinks want: records of attacks or of all flows, lists as Joy has them, ids of packets. */
void live_records_choose(const struct config *config, struct flow_engine_options *flows);

/*
 * Takes what the user that the run becomes may not have any more: passwords, and the terminal behind stdout. config
 * must outlive the records. 0, or a negative errno with one line in error.
 */
int live_records_prepare(struct live_records *records, const struct config *config, uint32_t n_workers, char *error,
			 size_t error_size);

/*
 * Opens the sinks, with the rights of the user: whoever owns the folder of a file could lead anyone else to any other.
 * generation, which names the classes, must outlive the records. layout is that of flow records. 0, or a negative errno
 * with one line in error.
 */
int live_records_open(struct live_records *records, const struct config *config,
		      const struct generation *generation, const struct flow_layout *layout, char *error,
		      size_t error_size);

/* Makes the rings and starts the threads, once privileges are gone. 0 or a negative errno. */
int live_records_start(struct live_records *records);

/* Takes over the thresholds of models that were loaded while packets pass. */
void live_records_set_thresholds(struct live_records *records, const struct generation *generation);

/*
 * The run ends. Once *n_carrying is 0 no packet waits for its worker any more, and from then on records wait for room in
 * queues of sinks, and with them those of all sinks: 2 s for one that takes nothing, once, and 20 s in all.
 */
void live_records_drain(struct live_records *records, _Atomic uint32_t *n_carrying);

/*
 * Waits until all is delivered, or for so many seconds in which a sink does not go on; then closes them. 0, or -1 after
 * complaining of what was lost.
 */
int live_records_stop(struct live_records *records, double seconds);
void live_records_free(struct live_records *records);

/* Whether some sink writes to stdout. */
bool live_records_has_stdout(const struct live_records *records);

/* What each sink has counted, by its name. NULL when memory is out. */
json_t *live_records_report(const struct live_records *records);

#endif
