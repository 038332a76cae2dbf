/* SPDX-License-Identifier: BSD-3-Clause */
#include "offline.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_ring_elem.h>

#include "dataplane/eal.h"
#include "dataplane/engines.h"
#include "dataplane/spread.h"
#include "dataplane/worker.h"
#include "flow_record.h"
#include "progress.h"

#define OFFLINE_PACKET_RING 8192 /* records */
#define OFFLINE_FLOW_RING   2048
#define OFFLINE_DRAIN_BURST 256
#define OFFLINE_POLL_US	    200

#define NO_CAPTURE UINT32_MAX

/* Packet records of a worker that shares a capture with others: they wait until it is their turn. */
struct offline_queue {
	struct packet_record records[OFFLINE_DRAIN_BURST];
	uint32_t next, n;
};

/* One run: which worker has which capture. The control core's alone. */
struct offline {
	const struct offline_options *options;
	struct offline_capture *captures;
	uint32_t n_captures;
	struct offline_result *result;

	uint32_t n_workers;
	struct worker *workers;
	uint32_t *taken; /* the capture that each worker has, or NO_CAPTURE */
	int *files;	 /* its open file */

	bool is_spread; /* all workers share the only capture */
	struct spread spread;
	struct worker_source *sources;
	struct offline_queue *queues;
	uint64_t next_number; /* of the packet record that comes next */

	uint8_t *flow_records; /* [OFFLINE_DRAIN_BURST] */

	uint32_t n_started;
	uint32_t n_finished; /* all captures before this one are finished: its records come next */
	uint64_t n_packets_total;
	uint64_t first_cycles, last_cycles;
	bool is_announced; /* the sinks know of capture n_finished */
};

static bool offline_is_spread(const struct offline_options *options, uint32_t n)
{
	return n == 1 && options->n_workers > 1;
}

static uint32_t offline_n_workers(const struct offline_options *options, uint32_t n)
{
	return offline_is_spread(options, n) ? options->n_workers : RTE_MIN(options->n_workers, n);
}

uint32_t offline_n_lcores(const struct offline_options *options, uint32_t n)
{
	return offline_n_workers(options, n) + offline_is_spread(options, n);
}

static uint32_t offline_max_captured_bytes(const struct offline_capture *captures, uint32_t n)
{
	uint32_t max_captured_bytes = 0;

	for (uint32_t i = 0; i < n; i++)
		max_captured_bytes = RTE_MAX(max_captured_bytes, captures[i].info->max_captured_bytes);
	return max_captured_bytes;
}

/* Packets that are on their way at a time where one lcore receives for all workers. */
static uint32_t offline_spread_packets(const struct offline_options *options, uint32_t max_captured_bytes)
{
	uint32_t each = spread_ring_packets(max_captured_bytes) + 2 * options->burst;

	return options->n_workers * each + options->burst;
}

static uint32_t offline_flow_record_bytes(const struct offline_options *options)
{
	struct flow_layout layout = flow_engine_record_layout(options->flows);

	return (uint32_t)flow_record_bytes(&layout);
}

size_t offline_memory_bytes(const struct offline_options *options, const struct offline_capture *captures,
			    uint32_t n)
{
	uint32_t max_captured_bytes = offline_max_captured_bytes(captures, n);
	uint32_t n_workers = offline_n_workers(options, n);
	size_t bytes = 0;

	if (options->packets)
		bytes += OFFLINE_PACKET_RING * sizeof(struct packet_record);
	if (options->flow_records)
		bytes += OFFLINE_FLOW_RING * offline_flow_record_bytes(options);
	if (offline_is_spread(options, n)) {
		bytes += spread_ring_packets(max_captured_bytes) * sizeof(struct worker_packet);
		return n_workers * 2 * bytes + port_pool_bytes(offline_spread_packets(options, max_captured_bytes),
							       n_workers + 1, max_captured_bytes);
	}
	return n_workers * (2 * bytes + port_pool_bytes(options->burst, 1, max_captured_bytes));
}

/* A ring with one sender and one receiver. NULL with rte_errno set. */
static struct rte_ring *offline_ring(const char *what, uint32_t worker, uint32_t element_bytes, uint32_t n)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "%s%u", what, worker);
	return rte_ring_create_elem(name, element_bytes, n, rte_socket_id(), RING_F_SP_ENQ | RING_F_SC_DEQ);
}

static int offline_setup_classifier(const struct offline *run, struct worker *worker)
{
	const struct offline_options *options = run->options;
	struct classifier_options classifier = {.packet_engine = options->packet_engine, .depth = options->depth};

	worker->stats = calloc(1, sizeof(*worker->stats));
	if (!worker->stats)
		return -ENOMEM;
	classifier.stats = worker->stats;
	return engines_create(classifier, options->flows, run->is_spread ? run->n_workers : 1, &worker->flow_engine,
			      &worker->classifier);
}

static int offline_setup_worker(struct offline *run, uint32_t index, uint32_t max_captured_bytes)
{
	const struct offline_options *options = run->options;
	struct worker *worker = &run->workers[index];
	int rc = offline_setup_classifier(run, worker);

	if (rc)
		return rc;
	run->taken[index] = NO_CAPTURE;
	worker->lcore = dataplane_eal_worker(index);
	worker->stop = options->stop;
	if (run->is_spread) {
		run->sources[index].packets = offline_ring("packets", index, sizeof(struct worker_packet),
							   spread_ring_packets(max_captured_bytes));
		if (!run->sources[index].packets)
			return -rte_errno;
	} else {
		worker->pool = port_pool_create(index, options->burst, 1, max_captured_bytes);
		if (!worker->pool)
			return -rte_errno;
	}
	if (options->packets) {
		worker->packet_records =
			offline_ring("packet_records", index, sizeof(struct packet_record), OFFLINE_PACKET_RING);
		if (!worker->packet_records)
			return -rte_errno;
	}
	if (options->flow_records) {
		worker->flow_record_bytes = offline_flow_record_bytes(options);
		worker->flow_records =
			offline_ring("flow_records", index, worker->flow_record_bytes, OFFLINE_FLOW_RING);
		if (!worker->flow_records)
			return -rte_errno;
	}
	return 0;
}

static int offline_setup_spread(struct offline *run, uint32_t max_captured_bytes)
{
	const struct offline_options *options = run->options;
	/* Any will do: it decides which worker a flow goes to, and nobody sees that. */
	const uint64_t seed[2] = {0};

	run->spread = (struct spread){
		.lcore = dataplane_eal_worker(run->n_workers),
		.sources = run->sources,
		.n_workers = run->n_workers,
		.depth = options->flows ? options->depth : PACKET_DEPTH_INNER,
		.burst = options->burst,
		.stop = options->stop,
	};
	run->spread.flows = flow_spread_create(options->flows ? options->flows->config.scope : FLOW_SCOPE_NONE,
					       options->flows ? options->flows->config.seed : seed);
	if (!run->spread.flows)
		return -ENOMEM;
	run->spread.pool = port_pool_create(0, offline_spread_packets(options, max_captured_bytes),
					    run->n_workers + 1, max_captured_bytes);
	return run->spread.pool ? 0 : -rte_errno;
}

static int offline_setup(struct offline *run)
{
	const struct offline_options *options = run->options;
	uint32_t max_captured_bytes = offline_max_captured_bytes(run->captures, run->n_captures);
	int rc = 0;

	run->workers = calloc(run->n_workers, sizeof(*run->workers));
	run->taken = calloc(run->n_workers, sizeof(*run->taken));
	run->files = calloc(run->n_workers, sizeof(*run->files));
	run->sources = calloc(run->n_workers, sizeof(*run->sources));
	run->queues = run->is_spread ? calloc(run->n_workers, sizeof(*run->queues)) : NULL;
	if (options->flow_records)
		run->flow_records = malloc(OFFLINE_DRAIN_BURST * offline_flow_record_bytes(options));
	if (!run->workers || !run->taken || !run->files || !run->sources || (run->is_spread && !run->queues) ||
	    (options->flow_records && !run->flow_records))
		return -ENOMEM;
	for (uint32_t i = 0; !rc && i < run->n_workers; i++)
		rc = offline_setup_worker(run, i, max_captured_bytes);
	if (!rc && run->is_spread)
		rc = offline_setup_spread(run, max_captured_bytes);
	return rc;
}

static void offline_free(struct offline *run)
{
	for (uint32_t i = 0; run->workers && run->sources && i < run->n_workers; i++) {
		struct worker *worker = &run->workers[i];

		rte_ring_free(run->sources[i].packets);
		rte_ring_free(worker->packet_records);
		rte_ring_free(worker->flow_records);
		rte_mempool_free(worker->pool);
		classifier_free(worker->classifier);
		flow_engine_free(worker->flow_engine);
		free(worker->stats);
	}
	rte_mempool_free(run->spread.pool);
	flow_spread_free(run->spread.flows);
	free(run->flow_records);
	free(run->queues);
	free(run->sources);
	free(run->files);
	free(run->taken);
	free(run->workers);
}

/* Opens the next capture as a port on slot. 0, or -1 with the capture's error set: it is skipped. */
static int offline_open(struct offline *run, uint32_t slot, struct rte_mempool *pool, struct port *port)
{
	struct offline_capture *capture = &run->captures[run->n_started++];
	const struct capture_info *info = capture->info;
	char error[256];

	capture->is_started = true;
	run->files[slot] = capture_reopen(info, capture->error, sizeof(capture->error));
	if (run->files[slot] < 0)
		return -1;
	if (port_open_capture(port, slot, run->files[slot], pool, error, sizeof(error))) {
		snprintf(capture->error, sizeof(capture->error), "%s: %s", info->path, error);
		close(run->files[slot]);
		return -1;
	}
	return 0;
}

static void offline_launch(struct offline *run, uint32_t index, uint32_t capture, const struct port *port)
{
	const struct capture_info *info = run->captures[capture].info;
	struct worker *worker = &run->workers[index];

	worker->job = (struct worker_job){
		.port = *port,
		.source = run->is_spread ? &run->sources[index] : NULL,
		.burst = run->options->burst,
		.n_expected = info->n_packets,
		.wire_bytes = info->wire_bytes,
		.jumps = {.jumps = info->time.jumps, .n = info->time.n_jumps},
		.latest_ns = info->time.latest_ns,
	};
	capture_link(info->link_type, &worker->job.link);
	memset(worker->stats, 0, sizeof(*worker->stats));
	if (worker->flow_engine)
		flow_engine_clear_counts(worker->flow_engine);
	run->taken[index] = capture;
	/* Never busy: the lcore of a free worker has been waited for. */
	rte_eal_remote_launch(worker_run, worker, worker->lcore);
}

/* Gives the next capture to a free worker. A capture that does not open is skipped. */
static void offline_start(struct offline *run, uint32_t index)
{
	uint32_t capture = run->n_started;
	struct port port;

	if (!offline_open(run, index, run->workers[index].pool, &port))
		offline_launch(run, index, capture, &port);
}

/* Gives the only capture to all workers. */
static void offline_start_spread(struct offline *run)
{
	const struct capture_info *info = run->captures[0].info;
	struct spread *spread = &run->spread;

	if (offline_open(run, 0, spread->pool, &spread->port))
		return;
	spread->n_expected = info->n_packets;
	spread->wire_bytes = info->wire_bytes;
	spread->jumps = (struct capture_jumps){.jumps = info->time.jumps, .n = info->time.n_jumps};
	capture_link(info->link_type, &spread->link);
	for (uint32_t i = 0; i < run->n_workers; i++)
		offline_launch(run, i, 0, &spread->port);
	if (rte_eal_remote_launch(spread_run, spread, spread->lcore)) {
		spread->is_short = true;
		for (uint32_t i = 0; i < run->n_workers; i++)
			atomic_store(&run->sources[i].has_ended, true);
	}
}

/* Adds what a worker has counted of its capture. */
static void offline_collect(struct offline *run, uint32_t index)
{
	struct worker *worker = &run->workers[index];
	struct offline_capture *capture = &run->captures[run->taken[index]];
	double seconds = (double)(worker->end_cycles - worker->start_cycles) / (double)rte_get_tsc_hz();

	for (int i = 0; i < STATS_N_COUNTERS; i++)
		capture->counters[i] += stats_get(worker->stats, i);
	stats_merge_flow_verdicts(&capture->flow_verdicts, &worker->stats->flow_verdicts);
	stats_merge(run->result->total, worker->stats);
	if (worker->flow_engine)
		capture->flows_peak = RTE_MAX(capture->flows_peak, flow_engine_peak(worker->flow_engine));
	capture->seconds = RTE_MAX(capture->seconds, seconds);
	if (!run->first_cycles || worker->start_cycles < run->first_cycles)
		run->first_cycles = worker->start_cycles;
	run->last_cycles = RTE_MAX(run->last_cycles, worker->end_cycles);
	run->taken[index] = NO_CAPTURE;
}

/* Closes a capture that all its workers have finished. */
static void offline_finish(struct offline *run, uint32_t index, struct offline_capture *capture)
{
	const struct capture_info *info = capture->info;
	uint32_t slot = run->is_spread ? 0 : index;
	uint64_t n_packets = capture->counters[STATS_packets], n_dropped;
	bool is_short = run->workers[index].is_short;

	if (run->is_spread) {
		rte_eal_wait_lcore(run->spread.lcore);
		is_short = run->spread.is_short;
	}
	port_close(run->is_spread ? &run->spread.port : &run->workers[index].job.port);
	n_dropped = stats_sum(capture->counters, STATS_KIND_DROP);
	run->result->flows_peak = RTE_MAX(run->result->flows_peak, capture->flows_peak);
	if (capture_has_changed(info, run->files[slot]))
		snprintf(capture->error, sizeof(capture->error),
			 "%s: was changed while it was read; its counts cannot be trusted, run again when it rests",
			 info->path);
	else if (is_short)
		snprintf(capture->error, sizeof(capture->error),
			 "%s: cannot be read behind packet %" PRIu64 " of %" PRIu64, info->path, n_packets,
			 info->n_packets);
	else if (n_dropped)
		snprintf(capture->error, sizeof(capture->error),
			 "%s: %" PRIu64 " packets were dropped; the summary says why", info->path, n_dropped);
	close(run->files[slot]);
	capture->is_complete = n_packets == info->n_packets && !capture->error[0];
}

/* Tells the sinks which capture the records are of from here on. */
static void offline_announce(struct offline *run, const struct port *port)
{
	const struct offline_options *options = run->options;
	const struct capture_info *info = run->captures[run->n_finished].info;
	bool has_nanoseconds = port->timestamp_unit_ns == 1;

	if (run->is_announced)
		return;
	run->is_announced = true;
	if (options->packets)
		options->packets->begin(options->packets->context, info, has_nanoseconds);
	if (options->flow_records)
		options->flow_records->begin(options->flow_records->context, info, has_nanoseconds);
}

/* Moves waiting packet records to their sink: at most what one ring holds, so that no worker waits for long. */
static bool offline_drain_packets(struct offline *run, struct worker *worker)
{
	const struct packet_record_sink *sink = run->options->packets;
	struct packet_record records[OFFLINE_DRAIN_BURST];
	uint32_t n, n_moved = 0;

	do {
		n = rte_ring_sc_dequeue_burst_elem(worker->packet_records, records, sizeof(records[0]),
						   OFFLINE_DRAIN_BURST, NULL);
		if (n)
			sink->write(sink->context, records, n);
		n_moved += n;
	} while (n && n_moved < OFFLINE_PACKET_RING);
	return n_moved;
}

/*
 * The same for workers that share a capture: each has its packets in order, and together they have every packet
 * once, so the one whose turn it is is at the head of some queue, or will be.
 */
static bool offline_merge_packets(struct offline *run)
{
	const struct packet_record_sink *sink = run->options->packets;
	bool moved = false, found;

	do {
		found = false;
		for (uint32_t i = 0; i < run->n_workers; i++) {
			struct offline_queue *queue = &run->queues[i];
			uint32_t first;

			if (queue->next == queue->n) {
				queue->next = 0;
				queue->n = rte_ring_sc_dequeue_burst_elem(run->workers[i].packet_records,
									  queue->records, sizeof(queue->records[0]),
									  OFFLINE_DRAIN_BURST, NULL);
			}
			first = queue->next;
			while (queue->next < queue->n &&
			       queue->records[queue->next].number == run->next_number + 1) {
				queue->next++;
				run->next_number++;
			}
			if (queue->next > first) {
				sink->write(sink->context, &queue->records[first], queue->next - first);
				found = true;
			}
		}
		moved |= found;
	} while (found);
	return moved;
}

static bool offline_drain_flows(struct offline *run, struct worker *worker)
{
	const struct flow_record_sink *sink = run->options->flow_records;
	uint32_t n, n_moved = 0;

	do {
		n = rte_ring_sc_dequeue_burst_elem(worker->flow_records, run->flow_records,
						   worker->flow_record_bytes, OFFLINE_DRAIN_BURST, NULL);
		if (n)
			sink->write(sink->context, run->flow_records, n);
		n_moved += n;
	} while (n && n_moved < OFFLINE_FLOW_RING);
	return n_moved;
}

/* Whether the control core has all that a worker has sent. */
static bool offline_is_drained(const struct offline *run, uint32_t index)
{
	const struct worker *worker = &run->workers[index];

	return (!worker->packet_records || rte_ring_empty(worker->packet_records)) &&
	       (!worker->flow_records || rte_ring_empty(worker->flow_records)) &&
	       (!run->is_spread || run->queues[index].next == run->queues[index].n);
}

static bool offline_is_taken(const struct offline *run, uint32_t capture)
{
	for (uint32_t i = 0; i < run->n_workers; i++)
		if (run->taken[i] == capture)
			return true;
	return false;
}

/*
 * Serves every worker once; returns whether anything moved. Records come out in the order of the captures: the
 * first unfinished one is always with a worker and always drained, so workers further on, whose rings may be
 * full, get their turn.
 */
static bool offline_step(struct offline *run)
{
	bool moved = false;

	for (uint32_t i = 0; i < run->n_workers; i++) {
		struct worker *worker = &run->workers[i];
		uint32_t capture = run->taken[i];
		bool has_ended;

		if (capture == NO_CAPTURE)
			continue;
		/* Asked before the rings are looked at: what they hold after the worker's end is all. */
		has_ended = rte_eal_get_lcore_state(worker->lcore) == WAIT;
		atomic_thread_fence(memory_order_acquire);
		if (capture == run->n_finished) {
			offline_announce(run, &worker->job.port);
			if (worker->packet_records)
				moved |= run->is_spread ? offline_merge_packets(run)
							: offline_drain_packets(run, worker);
			if (worker->flow_records)
				moved |= offline_drain_flows(run, worker);
		}
		if (has_ended && offline_is_drained(run, i)) {
			rte_eal_wait_lcore(worker->lcore);
			offline_collect(run, i);
			if (!offline_is_taken(run, capture))
				offline_finish(run, i, &run->captures[capture]);
			moved = true;
		}
	}
	while (run->n_finished < run->n_started && !offline_is_taken(run, run->n_finished)) {
		run->n_finished++;
		run->is_announced = false;
	}
	return moved;
}

static uint64_t offline_n_done(const struct offline *run)
{
	uint64_t n = stats_get(run->result->total, STATS_packets);

	for (uint32_t i = 0; i < run->n_workers; i++)
		if (run->taken[i] != NO_CAPTURE)
			n += stats_get(run->workers[i].stats, STATS_packets);
	return n;
}

/* Gives captures to free workers; returns whether any was begun. */
static bool offline_start_some(struct offline *run)
{
	bool started = false;

	if (run->is_spread) {
		if (run->n_started == 1)
			return false;
		offline_start_spread(run);
		return true;
	}
	for (uint32_t i = 0; i < run->n_workers && run->n_started < run->n_captures; i++)
		if (run->taken[i] == NO_CAPTURE && !atomic_load(run->options->stop)) {
			offline_start(run, i);
			started = true;
		}
	return started;
}

int offline_run(const struct offline_options *options, struct offline_capture *captures, uint32_t n,
		struct offline_result *result, char *error, size_t error_size)
{
	struct offline run = {
		.options = options,
		.captures = captures,
		.n_captures = n,
		.result = result,
		.n_workers = offline_n_workers(options, n),
		.is_spread = offline_is_spread(options, n),
	};
	struct progress progress;
	int rc;

	for (uint32_t i = 0; i < n; i++)
		run.n_packets_total += captures[i].info->n_packets;
	rc = offline_setup(&run);
	if (rc) {
		snprintf(
			error, error_size,
			"%u workers need %zu MB of DPDK's memory and %zu MB for flows: %s; try fewer --workers or --flows",
			run.n_workers, offline_memory_bytes(options, captures, n) >> 20,
			options->flows ? run.n_workers * flow_engine_bytes(options->flows) >> 20 : 0,
			strerror(-rc));
		offline_free(&run);
		return rc;
	}

	error[0] = '\0';
	/* Nothing of what was there is touched where the user has stopped the run already. */
	rc = options->ready && !atomic_load(options->stop) ? options->ready(options->context) : 0;
	if (rc) {
		offline_free(&run);
		return rc;
	}
	progress_begin(&progress, options->show_progress, options->verb, "packets");
	while (run.n_finished < run.n_started || (run.n_started < n && !atomic_load(options->stop))) {
		bool moved = offline_start_some(&run);

		moved |= offline_step(&run);
		progress_update(&progress, offline_n_done(&run), run.n_packets_total);
		if (!moved)
			usleep(OFFLINE_POLL_US);
	}
	progress_end(&progress);
	result->seconds = (double)(run.last_cycles - run.first_cycles) / (double)rte_get_tsc_hz();
	result->tsc_hz = rte_get_tsc_hz();
	result->n_workers = run.n_workers;
	offline_free(&run);
	return 0;
}
