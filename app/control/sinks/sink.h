/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where records go: files, brokers, collectors; any number at once. Each sink is a thread with a bounded queue of its
 * own, so that one that is slow or dead holds up neither workers nor the others. What a kind of sink can is its
 * driver's, one file a kind; queue, filter, text, back-off and counters are the same for all (sink.c).
 *
 *	workers --rings--> pump thread --filter, copy--> queue of each sink --> thread of the sink --> driver
 *
 * A record leaves the queue when the other side has it for good: what is on its way when a connection breaks is sent
 * again (at least once). A full queue drops what comes and counts it.
 */
#ifndef WIRESCORE_CONTROL_SINK_H
#define WIRESCORE_CONTROL_SINK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow_record.h"
#include "packet_record.h"

enum sink_records { SINK_FLOWS, SINK_PACKETS };
enum sink_form { SINK_NDJSON, SINK_CSV, SINK_JOY };
enum sink_compression { SINK_PLAIN, SINK_GZIP, SINK_ZSTD };

/* How records read; the same for all sinks of a run. Borrowed: it outlives them. */
struct sink_formats {
	struct flow_record_format flows;
	struct packet_record_format packets;
	/* Scores that decide, for what is called uncertain. Written by the control core, read by the pump. */
	double flow_threshold, packet_threshold;
};

/* Which records a sink takes: those that pass all of these. */
struct sink_filter {
	uint64_t classes; /* bit i: class i of the model; 0: all, unscored ones too */
	double min_score; /* 0: all, unscored ones too */
	double uncertain; /* > 0: only scores that close to the threshold */
	uint32_t one_in;  /* 0, 1: all; N: one of N conversations, the same for each of its records */
};

/*
 * What a sink is opened with, of one [records NAME] section. Each driver reads what it knows, and refuses in open
 * what it cannot do. Texts are borrowed and outlive the sink. Secrets are never printed.
 */
struct sink_options {
	const char *name; /* of the section, for people */
	enum sink_records records;
	enum sink_form form; /* of text */
	struct sink_filter filter;
	uint32_t n_queued;	 /* records that wait at most; a power of two */
	const atomic_bool *stop; /* the run ends: give up what takes long. NULL: never */
	const char *sensor;	 /* whose heartbeats they are; NULL: it has none */
	uint64_t heartbeat_ns;	 /* between heartbeats, of text in NDJSON; 0: none */

	/* files */
	const char *path;		  /* "-": stdout */
	uint64_t rotate_bytes, rotate_ns; /* 0: never */
	uint32_t n_kept;		  /* files that rotation leaves; 0: all */
	enum sink_compression compression;
	bool has_fsync;
	int terminal; /* stdout, opened by the control core so that it never waits; 0: stdout is none */

	/* brokers and collectors */
	const char *server;   /* HOST:PORT, [IPv6]:PORT, a socket's path; Kafka: several with commas between */
	const char *user;     /* NULL: none */
	const char *password; /* from a file or the environment; NULL: none */
	const char *topic;    /* Kafka's topic, Redis' key, RabbitMQ's routing key */
	const char *exchange, *virtual_host; /* RabbitMQ */
	bool is_list;			     /* Redis: a list, as older pipelines read, instead of a stream */
	uint64_t n_longest;		     /* Redis: entries that the stream or list keeps; 0: all */
	const char *const *properties;	     /* Kafka: librdkafka's, "name=value", NULL behind the last */
	bool is_udp;			     /* IPFIX: else TCP */
	uint32_t domain;		     /* IPFIX: observation domain */
};

/* A record on its way to a driver. */
struct sink_item {
	const void *record; /* struct flow_record with its parts, or struct packet_record; NULL: a heartbeat */
	const char *text;   /* its line without the end of line; NULL where the driver wants none */
	size_t text_bytes;
	uint64_t key; /* the same for all records of a conversation, in both directions; 0: none */
};

/*
 * A kind of sink. open is called by the control core once rights are given up, and only checks, allocates and opens
 * local files: a broker may be down and come later. All others are called by the sink's thread; none may take longer
 * than SINK_PATIENCE_MS, whatever the other side does.
 */
#ifndef SINK_PATIENCE_MS /* tests wait less */
#define SINK_PATIENCE_MS 5000
#endif
#define SINK_MAX_BATCH 512
struct sink_driver {
	const char *name;    /* as the config's `to` says */
	const char *library; /* and its version, for --version; NULL: none */
	bool has_text;	     /* items have text */

	/* 0, or a negative errno with one line in error. formats and options outlive the state. */
	int (*open)(const struct sink_options *options, const struct sink_formats *formats, void **state,
		    char *error, size_t error_size);
	/*
	 * Connects where it is not connected, and delivers. Returns how many, from the first on, the other side has
	 * for good; where these are fewer than n, one line in error says why, and the rest comes again after a while,
	 * in the same order, with more behind it perhaps. Some without a line is no failure: there was no time for the
	 * rest, which comes again at once. Of the rest nothing is there that would stand before it then,
	 * but what a broken connection left unanswered. (RabbitMQ's can be: where a queue refuses some of a batch.)
	 */
	uint32_t (*deliver)(void *state, const struct sink_item *items, uint32_t n, char *error, size_t error_size);
	/*
	 * About once a second, also where nothing comes: rotation by time, heartbeats. now_ns is since the epoch.
	 * NULL: nothing to do.
	 */
	void (*tick)(void *state, uint64_t now_ns);
	/*
	 * All is delivered, or given up: finishes files, disconnects, releases the state. 0, or -1 with one line in
	 * error.
	 */
	int (*close)(void *state, char *error, size_t error_size);
};

/* Those that this build has; NULL behind the last. */
extern const struct sink_driver *const sink_drivers[];
const struct sink_driver *sink_driver_find(const char *name);

/* Written by the pump and by the sink's thread, read by anyone. Heartbeats are no records, and not counted. */
struct sink_counts {
	uint64_t accepted; /* that passed the filter; the sum of the next three and what is queued */
	uint64_t delivered;
	uint64_t dropped_full; /* the queue was full */
	uint64_t dropped_end;  /* still there when the run ended and patience with it */
	uint64_t failures;     /* deliveries that were not taken whole */
	uint64_t queued;       /* now */
};

struct sink;

/* Opens it and makes its queue. 0, or a negative errno with one line in error. */
int sink_create(const struct sink_driver *driver, const struct sink_options *options,
		const struct sink_formats *formats, struct sink **sink, char *error, size_t error_size);

/* Starts the thread: after rights are given up, signals blocked. 0 or a negative errno. */
int sink_start(struct sink *sink);

/* The pump's: offers n records of the sink's kind, record_bytes each; never waits. */
void sink_offer(struct sink *sink, const void *records, size_t record_bytes, uint32_t n);

/* The pump's: how many records the queue has room for. */
uint32_t sink_room(const struct sink *sink);

struct sink_counts sink_counts(const struct sink *sink);

/* What went wrong last, "" where all is well; copied, from any thread. */
void sink_last_error(const struct sink *sink, char *text, size_t size);

/*
 * No more records come: the sink delivers what it has, for as long as no more than so many seconds pass without
 * progress, and 40 s at most. Returns at once, so that several sinks can end at a time.
 */
void sink_end(struct sink *sink, double seconds);

/* The same, and waits for it. 0, or -1 after complaining of losses. */
int sink_stop(struct sink *sink, double seconds);
void sink_free(struct sink *sink);

#endif
