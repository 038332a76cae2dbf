/* SPDX-License-Identifier: BSD-3-Clause */
#include "live_records.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_lcore.h>
#include <rte_ring_elem.h>

#include "command.h"
#include "json_text.h"
#include "output.h"
#include "sinks/sink_clock.h"
#include "sinks/sink_kinds.h"
#include "sinks/sink_secret.h"

#define LIVE_RECORDS_BURST   256
#define LIVE_RECORDS_POLL_US 2000
/* A sink whose queue is full at the end, and that takes nothing for so long, is not waited for. */
#define LIVE_RECORDS_STUCK_NS UINT64_C(2000000000)
/* ... nor are those that go on, but slowly, for longer than this in all. */
#define LIVE_RECORDS_MAX_DRAIN_NS UINT64_C(20000000000)
#define BYTES_PER_MB		  (UINT64_C(1) << 20)

void live_records_choose(const struct config *config, struct flow_engine_options *flows)
{
	flows->records = FLOW_ENGINE_NO_RECORDS;
	for (uint32_t i = 0; i < config->n_records; i++) {
		const struct config_records *records = &config->records[i];

		if (records->records == SINK_PACKETS) {
			flows->has_packet_ids = true;
			continue;
		}
		if (records->form == SINK_JOY) {
			flows->config.layout.has_history = true;
			flows->config.layout.n_listed = FLOW_MAX_LISTED;
		}
		if (!records->class_mask || records->class_mask & 1)
			flows->records = FLOW_ENGINE_ALL;
		else if (flows->records == FLOW_ENGINE_NO_RECORDS)
			flows->records = FLOW_ENGINE_ATTACKS;
	}
}

static enum sink_compression compression_of(const struct config_records *config)
{
	size_t n = config->path ? strlen(config->path) : 0;

	switch (config->compress) {
	case CONFIG_COMPRESS_GZIP:
		return SINK_GZIP;
	case CONFIG_COMPRESS_ZSTD:
		return SINK_ZSTD;
	case CONFIG_COMPRESS_AUTO:
		if (n && output_path_ends(config->path, n, ".gz"))
			return SINK_GZIP;
		if (n && output_path_ends(config->path, n, ".zst"))
			return SINK_ZSTD;
		return SINK_PLAIN;
	default:
		return SINK_PLAIN;
	}
}

static struct sink_options options_of(const struct live_records *records, const struct live_sink *sink)
{
	const struct config_records *config = sink->config;

	return (struct sink_options){
		.name = config->name,
		.records = config->records,
		.form = config->form,
		.filter =
			{
				.classes = config->class_mask,
				.min_score = config->min_score,
				.uncertain = config->uncertain,
				.one_in = config->one_in,
			},
		.n_queued = rte_align32pow2(config->n_queued),
		.stop = &records->stops,
		.path = config->path,
		.rotate_bytes = config->rotate_mb * BYTES_PER_MB,
		.rotate_ns = config->rotate_ns,
		.n_kept = config->n_kept,
		.compression = compression_of(config),
		.has_fsync = config->has_fsync,
		.terminal = sink->terminal,
		.server = config->server,
		.user = config->user,
		.password = sink->password,
		.topic = config->topic,
		.exchange = config->exchange,
		.virtual_host = config->virtual_host,
		.is_list = config->is_list,
		.n_longest = config->n_longest,
		.properties = sink->properties,
		.is_udp = config->is_udp,
		.domain = config->domain,
		.sensor = records->formats.flows.sensor,
		.heartbeat_ns = config->heartbeat_ns,
	};
}

static bool is_stdout(const struct config_records *config)
{
	return config->to == CONFIG_TO_FILE && config->path && output_path_is_stdout(config->path);
}

/*
 * A terminal that is stopped takes a part and has the writer wait for the rest; to make stdout itself non-blocking would
 * do so for all others who have it. Returns a descriptor, 0 where stdout is to do.
 */
static int open_terminal(void)
{
	int fd = -1;

	if (isatty(STDOUT_FILENO))
		fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? 0 : fd;
}

static int prepare_sink(struct live_records *records, const struct config_records *config, char *error,
			size_t error_size)
{
	struct live_sink *sink = &records->sinks[records->n_sinks++];
	char why[512];
	int rc;

	sink->config = config;
	if (is_stdout(config))
		sink->terminal = open_terminal();
	rc = sink_secret_read(config->password_file, config->password_env, &sink->password, why, sizeof(why));
	if (rc) {
		snprintf(error, error_size, "[records %s] %s: %s", config->name,
			 config->password_file ? "password-file" : "password-env", why);
		return rc;
	}
	if (sink_secret_is_exposed(config->password_file))
		complain("[records %s] password-file %s: everyone may read it; run chmod o-rwx", config->name,
			 config->password_file);
	return 0;
}

int live_records_prepare(struct live_records *records, const struct config *config, uint32_t n_workers, char *error,
			 size_t error_size)
{
	int rc = 0;

	*records = (struct live_records){
		.n_workers = n_workers,
		.n_ports = config->n_ports,
		.burst = LIVE_RECORDS_BURST,
	};
	for (uint32_t i = 0; i < config->n_ports; i++)
		records->ports[i] = config->ports[i].name;
	for (uint32_t i = 0; !rc && i < config->n_records; i++)
		rc = prepare_sink(records, &config->records[i], error, error_size);
	return rc;
}

static int open_sink(struct live_records *records, struct live_sink *sink, char *error, size_t error_size)
{
	const struct config_records *config = sink->config;
	const struct sink_kind *kind = &sink_kinds[config->to];
	const struct sink_driver *driver = sink_driver_find(kind->name);
	struct sink_options options;
	int rc;

	if (!driver) {
		snprintf(error, error_size, "to: this build has no %s; install %s and build again", kind->name,
			 kind->package);
		return -ENOTSUP;
	}
	for (uint32_t i = 0; i < config->properties.n; i++)
		sink->properties[i] = config->properties.words[i];
	options = options_of(records, sink);
	rc = sink_create(driver, &options, &records->formats, &sink->sink, error, error_size);
	if (rc)
		return rc;
	records->burst = RTE_MIN(records->burst, options.n_queued);
	records->has_flows |= config->records == SINK_FLOWS;
	records->has_packets |= config->records == SINK_PACKETS;
	return 0;
}

static struct sink_formats formats_of(const struct live_records *records, const struct generation *generation,
				      const struct flow_layout *layout)
{
	const struct model *flow_model = generation->flow_model;

	return (struct sink_formats){
		.flows =
			{
				.layout = *layout,
				.classes = (const char *const *)generation->flow_class_json,
				.names = flow_model ? (const char *const *)flow_model->classes : NULL,
				.n_classes = flow_model ? generation->flow_engine_model->n_classes : 0,
				.has_nanoseconds = true,
			},
		.packets =
			{
				.classes = {generation->packet_class_json[0], generation->packet_class_json[1],
					    "null"},
				.names = {generation->packet_class_names[0], generation->packet_class_names[1], ""},
				.ports = records->ports,
				.n_ports = records->n_ports,
				.has_nanoseconds = true,
			},
	};
}

int live_records_open(struct live_records *records, const struct config *config,
		      const struct generation *generation, const struct flow_layout *layout, char *error,
		      size_t error_size)
{
	const char *user = config->security.user;
	int rc = 0;

	records->flow_record_bytes = (uint32_t)flow_record_bytes(layout);
	records->formats = formats_of(records, generation, layout);
	records->formats.flows.sensor = config->sensor.name;
	records->formats.packets.sensor = config->sensor.name;
	live_records_set_thresholds(records, generation);
	for (uint32_t i = 0; !rc && i < records->n_sinks; i++) {
		char why[640] = "";

		rc = open_sink(records, &records->sinks[i], why, sizeof(why));
		if (rc == -EACCES && user)
			snprintf(
				error, error_size,
				"[records %s] %s for user %s; make the file and its folder that user's with chown %s",
				config->records[i].name, why, user, user);
		else if (rc)
			snprintf(error, error_size, "[records %s] %s", config->records[i].name, why);
	}
	return rc;
}

void live_records_set_thresholds(struct live_records *records, const struct generation *generation)
{
	double flow = generation->flow_model ? (double)generation->flow_model->threshold : 0.5;
	double packet = generation->packet_model ? (double)generation->packet_model->threshold : 0.5;

	__atomic_store(&records->formats.flow_threshold, &flow, __ATOMIC_RELAXED);
	__atomic_store(&records->formats.packet_threshold, &packet, __ATOMIC_RELAXED);
}

static struct rte_ring **make_rings(const char *what, uint32_t n, uint32_t element_bytes, uint32_t n_elements)
{
	struct rte_ring **rings = calloc(n, sizeof(*rings));
	char name[RTE_RING_NAMESIZE];

	for (uint32_t i = 0; rings && i < n; i++) {
		snprintf(name, sizeof(name), "%s%u", what, i);
		rings[i] = rte_ring_create_elem(name, element_bytes, n_elements, (int)rte_socket_id(),
						RING_F_SP_ENQ | RING_F_SC_DEQ);
		if (!rings[i]) {
			while (i--)
				rte_ring_free(rings[i]);
			free(rings);
			return NULL;
		}
	}
	return rings;
}

/* Whether a sink has no room for a burst, and may get some. */
static bool is_full(struct live_sink *sink, uint32_t burst, uint64_t now)
{
	uint64_t n_delivered = sink_counts(sink->sink).delivered;

	if (sink->is_stuck || sink_room(sink->sink) >= burst)
		return false;
	if (!sink->progress_ns || sink->n_delivered != n_delivered) {
		sink->n_delivered = n_delivered;
		sink->progress_ns = now;
	}
	sink->is_stuck = now - sink->progress_ns >= LIVE_RECORDS_STUCK_NS;
	return !sink->is_stuck;
}

/* Waits until every sink that goes on has room for a burst. */
static void wait_for_room(struct live_records *records)
{
	for (;;) {
		uint64_t now = sink_clock_ns(CLOCK_MONOTONIC);
		bool is_any_full = false;

		for (uint32_t i = 0; i < records->n_sinks; i++)
			is_any_full |= is_full(&records->sinks[i], records->burst, now);
		if (!is_any_full)
			return;
		if (!records->drain_ns)
			records->drain_ns = now;
		if (now - records->drain_ns >= LIVE_RECORDS_MAX_DRAIN_NS)
			return;
		usleep(LIVE_RECORDS_POLL_US);
	}
}

/* Whether no packet waits for a worker any more, so that records may. */
static bool may_wait(struct live_records *records)
{
	_Atomic uint32_t *n_carrying = atomic_load(&records->n_carrying);

	return atomic_load(&records->ends) || (n_carrying && !atomic_load(n_carrying));
}

/* Offers what one ring has to all sinks of its kind; returns how many that is. */
static uint32_t pump_ring(struct live_records *records, struct rte_ring *ring, enum sink_records kind,
			  uint32_t record_bytes)
{
	uint32_t n;

	n = rte_ring_sc_dequeue_burst_elem(ring, records->buffer, record_bytes, records->burst, NULL);
	if (!n)
		return 0;
	/* Asked behind the ring: whoever put records there once packets were done had seen that they are. */
	if (may_wait(records))
		wait_for_room(records);
	for (uint32_t i = 0; i < records->n_sinks; i++)
		if (records->sinks[i].config->records == kind)
			sink_offer(records->sinks[i].sink, records->buffer, record_bytes, n);
	/* At once, for whoever waits at the end looks whether this goes on. */
	atomic_fetch_add(&records->n_taken, n);
	return n;
}

static void *live_records_run(void *context)
{
	struct live_records *records = context;

	for (;;) {
		/* Asked before the rings are looked at: what they hold after the end is all. */
		bool ends = atomic_load(&records->ends);
		uint32_t n = 0;

		for (uint32_t i = 0; i < records->n_workers; i++) {
			if (records->flow_rings)
				n += pump_ring(records, records->flow_rings[i], SINK_FLOWS,
					       records->flow_record_bytes);
			if (records->packet_rings)
				n += pump_ring(records, records->packet_rings[i], SINK_PACKETS,
					       sizeof(struct packet_record));
		}
		if (n)
			continue;
		if (ends)
			return NULL;
		usleep(LIVE_RECORDS_POLL_US);
	}
}

static int make_all_rings(struct live_records *records)
{
	uint32_t record_bytes = RTE_MAX(records->flow_record_bytes, (uint32_t)sizeof(struct packet_record));

	records->buffer = malloc((size_t)LIVE_RECORDS_BURST * record_bytes);
	if (records->has_flows)
		records->flow_rings =
			make_rings("flow_records", records->n_workers, records->flow_record_bytes, LIVE_FLOW_RING);
	if (records->has_packets)
		records->packet_rings = make_rings("packet_records", records->n_workers,
						   sizeof(struct packet_record), LIVE_PACKET_RING);
	return !records->buffer || (records->has_flows && !records->flow_rings) ||
			       (records->has_packets && !records->packet_rings)
		       ? -ENOMEM
		       : 0;
}

int live_records_start(struct live_records *records)
{
	sigset_t all, before;
	int rc;

	if (!records->n_sinks)
		return 0;
	rc = make_all_rings(records);
	for (uint32_t i = 0; i < records->n_sinks && !rc; i++)
		rc = sink_start(records->sinks[i].sink);
	if (rc)
		return rc;
	/* Signals are the control core's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&records->thread, NULL, live_records_run, records);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	records->is_running = !rc;
	return -rc;
}

void live_records_drain(struct live_records *records, _Atomic uint32_t *n_carrying)
{
	atomic_store(&records->n_carrying, n_carrying);
}

int live_records_stop(struct live_records *records, double seconds)
{
	int rc = 0;

	atomic_store(&records->ends, true);
	if (records->is_running)
		pthread_join(records->thread, NULL);
	records->is_running = false;
	atomic_store(&records->stops, true);
	for (uint32_t i = 0; i < records->n_sinks; i++)
		if (records->sinks[i].sink)
			sink_end(records->sinks[i].sink, seconds);
	for (uint32_t i = 0; i < records->n_sinks; i++)
		if (records->sinks[i].sink && sink_stop(records->sinks[i].sink, seconds))
			rc = -1;
	return rc;
}

static void free_rings(struct rte_ring **rings, uint32_t n)
{
	for (uint32_t i = 0; rings && i < n; i++)
		rte_ring_free(rings[i]);
	free(rings);
}

void live_records_free(struct live_records *records)
{
	for (uint32_t i = 0; i < records->n_sinks; i++) {
		sink_free(records->sinks[i].sink);
		sink_secret_free(records->sinks[i].password);
	}
	free_rings(records->flow_rings, records->n_workers);
	free_rings(records->packet_rings, records->n_workers);
	free(records->buffer);
	*records = (struct live_records){0};
}

bool live_records_has_stdout(const struct live_records *records)
{
	for (uint32_t i = 0; i < records->n_sinks; i++)
		if (is_stdout(records->sinks[i].config))
			return true;
	return false;
}

static json_t *report_sink(const struct live_sink *sink)
{
	static const char *const kinds[] = {[SINK_FLOWS] = "flows", [SINK_PACKETS] = "packets"};
	struct sink_counts counts = sink_counts(sink->sink);
	char error[512];

	sink_last_error(sink->sink, error, sizeof(error));
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "to", sink_kinds[sink->config->to].name,
			 "records", kinds[sink->config->records], "accepted", (json_int_t)counts.accepted,
			 "delivered", (json_int_t)counts.delivered, "queued", (json_int_t)counts.queued,
			 "dropped_full", (json_int_t)counts.dropped_full, "dropped_end",
			 (json_int_t)counts.dropped_end, "failures", (json_int_t)counts.failures, "error",
			 error[0] ? json_text(error) : json_null());
}

json_t *live_records_report(const struct live_records *records)
{
	json_t *object = json_object();

	for (uint32_t i = 0; object && i < records->n_sinks; i++)
		if (json_object_set_new(object, records->sinks[i].config->name, report_sink(&records->sinks[i]))) {
			json_decref(object);
			return NULL;
		}
	return object;
}
