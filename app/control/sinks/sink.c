/* SPDX-License-Identifier: BSD-3-Clause */
#include "sink.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "sink_clock.h"
#include "sink_filter.h"
#include "sink_heartbeat.h"
#include "sink_queue.h"

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

#define SINK_POLL_NS	   (5 * NS_PER_MS)
#define SINK_TICK_NS	   NS_PER_S
#define SINK_RETRY_NS	   (100 * NS_PER_MS) /* doubled with every failure in a row, up to ... */
#define SINK_MAX_RETRY_NS  (10 * NS_PER_S)
#define SINK_LAST_RETRY_NS (500 * NS_PER_MS) /* ... or this once the run ends */
/* Who takes a record now and then would keep a run from its end: service managers wait for some 90 s, then kill. */
#define SINK_MAX_END_NS (40 * NS_PER_S)
/* Lines that are compressed together: few make a large file. */
#define SINK_LINGER_NS NS_PER_S
/* Episodes of failure are told of no more often than this. */
#define SINK_TELL_NS	 (10 * NS_PER_S)
#define SINK_MAX_KINDS	 8
#define SINK_ERROR_BYTES 512

struct sink {
	const struct sink_driver *driver;
	struct sink_options options;
	const struct sink_formats *formats;
	struct sink_queue queue;
	void *state;
	pthread_t thread;
	bool takes_all; /* there is no filter */
	bool is_started, is_closed, has_close_failed;
	atomic_bool ends;
	uint64_t patience_ns; /* set before ends */

	/* One writer each: the pump, then the thread. */
	atomic_uint_fast64_t n_accepted, n_dropped_full;
	_Alignas(64) atomic_uint_fast64_t n_delivered, n_dropped_end, n_failures;

	/* Of the last failure; under the lock. */
	pthread_mutex_t lock;
	char error[SINK_ERROR_BYTES];

	/* The thread's. */
	struct sink_item items[SINK_MAX_BATCH]; /* on their way; their records are the queue's first */
	uint32_t n_items;
	char *text; /* of the items */
	uint64_t waits_since_ns, retry_at_ns, retry_ns, tick_ns, progress_ns, end_ns, random;
	uint64_t told[SINK_MAX_KINDS]; /* hashes of errors that were told of since all was well */
	uint32_t n_told;
	uint64_t told_ns, n_failed; /* in a row */
	struct sink_heart heart;
	bool has_heartbeat; /* the first of the items is no record, but a heartbeat */
};

/* By the counter's only writer. Who sees it sees what was counted, put or released before. */
static void count(atomic_uint_fast64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
			      memory_order_release);
}

/* Room that any line of the sink fits into. */
static size_t line_room(const struct sink *sink)
{
	const struct sink_formats *formats = sink->formats;

	if (sink->options.records == SINK_PACKETS)
		return sink->options.form == SINK_CSV ? record_packet_csv_room(&formats->packets)
						      : record_packet_ndjson_room(&formats->packets);
	switch (sink->options.form) {
	case SINK_CSV:
		return flow_record_csv_room(&formats->flows);
	case SINK_JOY:
		return flow_record_joy_room(&formats->flows);
	default:
		return flow_record_ndjson_room(&formats->flows);
	}
}

/* Writes the line of a record, with its end. Returns the length. */
static size_t put_line(const struct sink *sink, const void *record, char *text)
{
	const struct sink_formats *formats = sink->formats;

	if (sink->options.records == SINK_PACKETS)
		return sink->options.form == SINK_CSV ? record_packet_csv(record, &formats->packets, text)
						      : record_packet_ndjson(record, &formats->packets, text);
	switch (sink->options.form) {
	case SINK_CSV:
		return flow_record_csv(record, &formats->flows, text);
	case SINK_JOY:
		return flow_record_joy(record, &formats->flows, text);
	default:
		return flow_record_ndjson(record, &formats->flows, text);
	}
}

int sink_create(const struct sink_driver *driver, const struct sink_options *options,
		const struct sink_formats *formats, struct sink **made, char *error, size_t error_size)
{
	size_t record_bytes = options->records == SINK_PACKETS ? sizeof(struct packet_record)
							       : flow_record_bytes(&formats->flows.layout);
	struct sink *sink = aligned_alloc(64, (sizeof(*sink) + 63) / 64 * 64);
	int rc = sink ? 0 : -ENOMEM;

	if (sink) {
		memset(sink, 0, sizeof(*sink));
		sink->driver = driver;
		sink->options = *options;
		sink->formats = formats;
		sink->takes_all = !options->filter.classes && options->filter.min_score <= 0 &&
				  options->filter.uncertain <= 0 && options->filter.one_in <= 1;
		sink->random = sink_clock_ns(CLOCK_REALTIME) | 1;
		sink->retry_ns = SINK_RETRY_NS;
		pthread_mutex_init(&sink->lock, NULL);
		if (driver->has_text && options->form == SINK_NDJSON)
			rc = sink_heart_open(&sink->heart, options->sensor, options->heartbeat_ns,
					     sink_clock_ns(CLOCK_REALTIME));
		sink->text = driver->has_text ? malloc(SINK_MAX_BATCH * line_room(sink)) : NULL;
		if (sink_queue_open(&sink->queue, record_bytes, options->n_queued) ||
		    (driver->has_text && !sink->text))
			rc = -ENOMEM;
	}
	if (rc)
		snprintf(error, error_size, "out of memory for %u records; lower queue", options->n_queued);
	else
		rc = driver->open(&sink->options, formats, &sink->state, error, error_size);
	if (rc) {
		if (sink)
			sink->is_closed = true;
		sink_free(sink);
		return rc;
	}
	*made = sink;
	return 0;
}

static bool sink_passes(const struct sink *sink, const void *record)
{
	struct sink_traits traits;

	if (sink->takes_all)
		return true;
	traits = sink->options.records == SINK_PACKETS ? sink_traits_of_packet(record, sink->formats)
						       : sink_traits_of_flow(record, sink->formats);
	return sink_filter_passes(&sink->options.filter, &traits);
}

void sink_offer(struct sink *sink, const void *records, size_t record_bytes, uint32_t n)
{
	uint32_t room = sink_queue_room(&sink->queue), n_put = 0, n_full = 0;
	const uint8_t *at = records;

	for (uint32_t i = 0; i < n; i++, at += record_bytes) {
		if (!sink_passes(sink, at))
			continue;
		if (n_put < room)
			sink_queue_put(&sink->queue, at, n_put++);
		else
			n_full++;
	}
	/* First, so that nobody sees more delivered than accepted. */
	count(&sink->n_accepted, n_put + n_full);
	count(&sink->n_dropped_full, n_full);
	sink_queue_publish(&sink->queue, n_put);
}

uint32_t sink_room(const struct sink *sink)
{
	return sink_queue_room(&sink->queue);
}

/*
 * Puts a heartbeat before what waits, where it is time to. Until it is delivered it stays as it is and no other is made:
 * while the other side is away they do not pile up.
 */
static void sink_put_heartbeat(struct sink *sink, uint64_t now_ns, bool is_last)
{
	struct sink_heartbeat heartbeat;

	if (!sink_heart_is_due(&sink->heart, now_ns, is_last))
		return;
	heartbeat = (struct sink_heartbeat){
		.time_ns = sink_clock_ns(CLOCK_REALTIME),
		.delivered = atomic_load(&sink->n_delivered),
		.dropped = atomic_load(&sink->n_dropped_full),
		.is_last = is_last,
	};
	sink->items[0] = sink_heart_beat(&sink->heart, &heartbeat, now_ns);
	sink->n_items = 1;
	sink->has_heartbeat = true;
}

/* How many of the first n items, which are delivered, are records. */
static uint32_t sink_count_records(struct sink *sink, uint32_t n)
{
	bool is_beat = n && sink->has_heartbeat;

	sink->has_heartbeat &= !is_beat;
	return n - is_beat;
}

/* Whether all that is left is a heartbeat that nobody takes: nothing is lost with it. */
static bool sink_has_only_heartbeat(const struct sink *sink)
{
	return sink->has_heartbeat && sink->n_items == 1 && sink->n_failed && !sink_queue_n(&sink->queue);
}

/* Makes items of what waits. */
static void sink_fill(struct sink *sink, uint64_t now_ns, bool ends)
{
	uint32_t n = sink_queue_n(&sink->queue), first;
	char *at = sink->text;

	if (sink->n_items)
		return;
	sink_put_heartbeat(sink, now_ns, ends && !n);
	first = sink->n_items;
	if (!n)
		return;
	/* Not until a small queue is full. */
	if (!first && sink->options.compression != SINK_PLAIN && n < SINK_MAX_BATCH &&
	    n < sink->options.n_queued / 2 && !ends) {
		if (!sink->waits_since_ns)
			sink->waits_since_ns = now_ns;
		if (now_ns - sink->waits_since_ns < SINK_LINGER_NS)
			return;
	}
	sink->waits_since_ns = 0;
	sink->n_items = n < SINK_MAX_BATCH - first ? first + n : SINK_MAX_BATCH;
	for (uint32_t i = first; i < sink->n_items; i++) {
		const void *record = sink_queue_at(&sink->queue, i - first);
		bool is_packet = sink->options.records == SINK_PACKETS;
		struct sink_item *item = &sink->items[i];

		*item = (struct sink_item){.record = record};
		item->key = is_packet ? ((const struct packet_record *)record)->flow_id
				      : flow_id(&((const struct flow_record *)record)->flow);
		if (!sink->text)
			continue;
		item->text = at;
		at += put_line(sink, record, at);
		item->text_bytes = (size_t)(at - item->text) - (sink->options.form == SINK_CSV ? 2 : 1);
	}
}

/* FNV-1a. */
static uint64_t hash_of(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325u;

	while (*text)
		hash = (hash ^ (uint8_t)*text++) * 0x100000001b3u;
	return hash;
}

/* Tells of a failure, of each kind once until all is well again. */
static void sink_tell(struct sink *sink, const char *error, uint64_t now_ns)
{
	uint64_t hash = hash_of(error);

	for (uint32_t i = 0; i < sink->n_told; i++)
		if (sink->told[i] == hash)
			return;
	if (sink->n_told == SINK_MAX_KINDS ||
	    (!sink->n_told && sink->told_ns && now_ns - sink->told_ns < SINK_TELL_NS))
		return;
	sink->told[sink->n_told++] = hash;
	sink->told_ns = now_ns;
	complain("[records %s] %s; records wait", sink->options.name, error);
}

static void sink_set_error(struct sink *sink, const char *error)
{
	pthread_mutex_lock(&sink->lock);
	snprintf(sink->error, sizeof(sink->error), "%s", error);
	pthread_mutex_unlock(&sink->lock);
}

/* A time to wait before the next try: the given one, a quarter more or less, so that not all come back at once. */
static uint64_t sink_jitter(struct sink *sink, uint64_t ns)
{
	sink->random ^= sink->random << 13;
	sink->random ^= sink->random >> 7;
	sink->random ^= sink->random << 17;
	return ns - ns / 4 + sink->random % (ns / 2);
}

static void sink_fail(struct sink *sink, const char *error, uint64_t now_ns)
{
	uint64_t most_ns = atomic_load(&sink->ends) ? SINK_LAST_RETRY_NS : SINK_MAX_RETRY_NS;

	if (sink->retry_ns > most_ns)
		sink->retry_ns = most_ns;
	sink->retry_at_ns = now_ns + sink_jitter(sink, sink->retry_ns);
	sink->retry_ns *= 2;
	sink->n_failed++;
	count(&sink->n_failures, 1);
	sink_set_error(sink, error);
	sink_tell(sink, error, now_ns);
}

static void sink_recover(struct sink *sink)
{
	if (!sink->n_failed)
		return;
	if (sink->n_told)
		complain("[records %s] all is well again after %" PRIu64 " failure%s", sink->options.name,
			 sink->n_failed, sink->n_failed == 1 ? "" : "s");
	sink->n_failed = 0;
	sink->n_told = 0;
	sink_set_error(sink, "");
}

static void sink_deliver(struct sink *sink)
{
	char error[SINK_ERROR_BYTES] = "";
	uint32_t n = sink->driver->deliver(sink->state, sink->items, sink->n_items, error, sizeof(error));
	uint64_t now_ns = sink_clock_ns(CLOCK_MONOTONIC);

	if (n > sink->n_items)
		n = sink->n_items;
	if (n) {
		uint32_t n_records = sink_count_records(sink, n);

		/* Not the other way round: what is queued and delivered is never more than what was accepted. */
		sink_queue_release(&sink->queue, n_records);
		count(&sink->n_delivered, n_records);
		sink->progress_ns = now_ns;
		sink->retry_ns = SINK_RETRY_NS;
		sink->n_items -= n;
		memmove(sink->items, sink->items + n, sink->n_items * sizeof(sink->items[0]));
	}
	if (sink->n_items && (!n || error[0]))
		sink_fail(sink, error[0] ? error : "no record was taken", now_ns);
	else
		sink_recover(sink);
}

static void sink_tick(struct sink *sink, uint64_t now_ns)
{
	if (!sink->driver->tick || now_ns - sink->tick_ns < SINK_TICK_NS)
		return;
	sink->tick_ns = now_ns;
	sink->driver->tick(sink->state, sink_clock_ns(CLOCK_REALTIME));
}

static void sink_close(struct sink *sink)
{
	char error[SINK_ERROR_BYTES] = "";

	sink->is_closed = true;
	if (sink->driver->close(sink->state, error, sizeof(error))) {
		complain("[records %s] %s", sink->options.name, error);
		sink->has_close_failed = true;
	}
}

/* Drops what still waits. */
static void sink_give_up(struct sink *sink)
{
	uint32_t n = sink_queue_n(&sink->queue);

	sink_queue_release(&sink->queue, n);
	count(&sink->n_dropped_end, n);
}

/* Whether the end has waited long enough for those who are to take what is left. */
static bool sink_is_late(const struct sink *sink, uint64_t now_ns)
{
	return now_ns - sink->progress_ns >= sink->patience_ns || now_ns - sink->end_ns >= SINK_MAX_END_NS;
}

static void *sink_run(void *context)
{
	const struct timespec poll = {.tv_nsec = SINK_POLL_NS};
	struct sink *sink = context;

	for (;;) {
		/* Asked before the queue is looked at: what it holds after the end is all. */
		bool ends = atomic_load(&sink->ends);
		uint64_t now_ns = sink_clock_ns(CLOCK_MONOTONIC);

		if (ends && !sink->end_ns) {
			sink->end_ns = now_ns;
			sink->progress_ns = now_ns;
			sink->retry_at_ns = 0;
		}
		sink_tick(sink, now_ns);
		sink_fill(sink, now_ns, ends);
		if (sink->n_items && now_ns >= sink->retry_at_ns) {
			sink_deliver(sink);
			now_ns = sink->n_items ? sink_clock_ns(CLOCK_MONOTONIC) : sink->progress_ns;
		} else if (ends && (!sink->n_items || sink_has_only_heartbeat(sink))) {
			break;
		} else {
			nanosleep(&poll, NULL);
		}
		if (ends && sink_is_late(sink, now_ns))
			break;
	}
	sink_give_up(sink);
	sink_close(sink);
	return NULL;
}

int sink_start(struct sink *sink)
{
	sigset_t all, before;
	int rc;

	/* Signals are the control core's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&sink->thread, NULL, sink_run, sink);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	sink->is_started = !rc;
	return -rc;
}

struct sink_counts sink_counts(const struct sink *sink)
{
	struct sink_counts counts;

	/* In this order, since it goes on meanwhile: never more are told of than were accepted. */
	counts.delivered = atomic_load(&sink->n_delivered);
	counts.dropped_full = atomic_load(&sink->n_dropped_full);
	counts.dropped_end = atomic_load(&sink->n_dropped_end);
	counts.failures = atomic_load(&sink->n_failures);
	counts.queued = sink_queue_n(&sink->queue);
	counts.accepted = atomic_load(&sink->n_accepted);
	return counts;
}

void sink_last_error(const struct sink *sink, char *text, size_t size)
{
	pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&sink->lock;

	pthread_mutex_lock(lock);
	snprintf(text, size, "%s", sink->error);
	pthread_mutex_unlock(lock);
}

void sink_end(struct sink *sink, double seconds)
{
	if (atomic_load(&sink->ends))
		return;
	sink->patience_ns = (uint64_t)(seconds * (double)NS_PER_S);
	atomic_store(&sink->ends, true);
}

int sink_stop(struct sink *sink, double seconds)
{
	char error[SINK_ERROR_BYTES];
	uint64_t n_lost;

	sink_end(sink, seconds);
	if (sink->is_started)
		pthread_join(sink->thread, NULL);
	else if (!sink->is_closed)
		sink_close(sink);
	sink->is_started = false;
	n_lost = atomic_load(&sink->n_dropped_end);
	if (n_lost) {
		sink_last_error(sink, error, sizeof(error));
		complain("[records %s] nobody takes them any more: %" PRIu64 " that waited are lost%s%s",
			 sink->options.name, n_lost, error[0] ? ": " : "", error);
	}
	return n_lost || sink->has_close_failed ? -1 : 0;
}

void sink_free(struct sink *sink)
{
	if (!sink)
		return;
	if (sink->is_started || !sink->is_closed)
		sink_stop(sink, 0);
	sink_queue_close(&sink->queue);
	pthread_mutex_destroy(&sink->lock);
	sink_heart_close(&sink->heart);
	free(sink->text);
	free(sink);
}
