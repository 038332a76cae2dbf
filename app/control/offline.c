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
#include "dataplane/worker.h"
#include "json_text.h"
#include "progress.h"

#define OFFLINE_RING_RECORDS 8192
#define OFFLINE_DRAIN_BURST  256
#define OFFLINE_POLL_US	     200

#define NO_CAPTURE UINT32_MAX

/* One run: which worker has which capture. The control core's alone. */
struct offline {
	const struct offline_options *options;
	struct offline_capture *captures;
	uint32_t n_captures;
	struct offline_result *result;

	struct worker *workers;
	uint32_t *taken; /* the capture that each worker has, or NO_CAPTURE */
	int *files;	 /* its open file */
	uint32_t n_started;
	uint32_t n_finished; /* all captures before this one are finished: its records come next */
	uint64_t n_packets_total;
	uint64_t first_cycles, last_cycles;
	char *capture_json; /* path of capture n_finished, quoted; NULL where lines leave it out */
	bool is_announced;  /* the writer knows of capture n_finished */
};

static uint32_t offline_max_captured_bytes(const struct offline_capture *captures, uint32_t n)
{
	uint32_t max_captured_bytes = 0;

	for (uint32_t i = 0; i < n; i++)
		max_captured_bytes = RTE_MAX(max_captured_bytes, captures[i].info->max_captured_bytes);
	return max_captured_bytes;
}

size_t offline_memory_bytes(const struct offline_options *options, const struct offline_capture *captures,
			    uint32_t n)
{
	uint32_t max_captured_bytes = offline_max_captured_bytes(captures, n);
	size_t ring = options->writer ? 2 * OFFLINE_RING_RECORDS * sizeof(struct packet_record) : 0;

	return options->n_workers * (ring + port_pool_bytes(options->burst, max_captured_bytes));
}

static int offline_setup_worker(struct offline *run, uint32_t index, uint32_t max_captured_bytes)
{
	const struct offline_options *options = run->options;
	struct worker *worker = &run->workers[index];
	char name[RTE_RING_NAMESIZE];

	run->taken[index] = NO_CAPTURE;
	worker->lcore = dataplane_eal_worker(index);
	worker->stop = options->stop;
	worker->stats = calloc(1, sizeof(*worker->stats));
	worker->classifier = worker->stats ? classifier_create(options->engine, worker->stats) : NULL;
	if (!worker->classifier)
		return -ENOMEM;
	worker->pool = port_pool_create(index, options->burst, max_captured_bytes);
	if (!worker->pool)
		return -rte_errno;
	if (options->writer) {
		snprintf(name, sizeof(name), "records%u", index);
		worker->records = rte_ring_create_elem(name, sizeof(struct packet_record), OFFLINE_RING_RECORDS,
						       rte_socket_id(), RING_F_SP_ENQ | RING_F_SC_DEQ);
		if (!worker->records)
			return -rte_errno;
	}
	return 0;
}

static void offline_free_worker(struct worker *worker)
{
	rte_ring_free(worker->records);
	rte_mempool_free(worker->pool);
	classifier_free(worker->classifier);
	free(worker->stats);
}

/* Opens the next capture for a free worker and launches it. A capture that does not open is skipped. */
static void offline_start(struct offline *run, uint32_t index)
{
	struct offline_capture *capture = &run->captures[run->n_started];
	const struct capture_info *info = capture->info;
	struct worker *worker = &run->workers[index];
	uint32_t taken = run->n_started++;
	char error[256];

	worker->job = (struct worker_job){
		.burst = run->options->burst,
		.n_expected = info->n_packets,
		.wire_bytes = info->wire_bytes,
	};
	capture->is_started = true;
	capture_link(info->link_type, &worker->job.link);
	run->files[index] = capture_reopen(info, capture->error, sizeof(capture->error));
	if (run->files[index] < 0)
		return;
	if (port_open_capture(&worker->job.port, index, run->files[index], worker->pool, error, sizeof(error))) {
		snprintf(capture->error, sizeof(capture->error), "%s: %s", info->path, error);
		close(run->files[index]);
		return;
	}
	memset(worker->stats, 0, sizeof(*worker->stats));
	run->taken[index] = taken;
	/* Never busy: the lcore of a free worker has been waited for. */
	rte_eal_remote_launch(worker_run, worker, worker->lcore);
}

static void offline_finish(struct offline *run, uint32_t index)
{
	struct worker *worker = &run->workers[index];
	struct offline_capture *capture = &run->captures[run->taken[index]];
	const struct capture_info *info = capture->info;
	uint64_t n_packets, n_dropped = stats_dropped(worker->stats);

	port_close(&worker->job.port);
	for (int i = 0; i < STATS_N_COUNTERS; i++)
		capture->counters[i] = stats_get(worker->stats, i);
	stats_merge(run->result->total, worker->stats);
	n_packets = capture->counters[STATS_packets];
	capture->seconds = (double)(worker->end_cycles - worker->start_cycles) / (double)rte_get_tsc_hz();
	if (capture_has_changed(info, run->files[index]))
		snprintf(capture->error, sizeof(capture->error),
			 "%s: was changed while it was read; its counts cannot be trusted, run again when it rests",
			 info->path);
	else if (worker->is_short)
		snprintf(capture->error, sizeof(capture->error),
			 "%s: cannot be read behind packet %" PRIu64 " of %" PRIu64, info->path, n_packets,
			 info->n_packets);
	else if (n_dropped)
		snprintf(capture->error, sizeof(capture->error),
			 "%s: %" PRIu64 " packets were dropped; the summary says why", info->path, n_dropped);
	close(run->files[index]);
	capture->is_complete = n_packets == info->n_packets && !capture->error[0];
	if (!run->first_cycles || worker->start_cycles < run->first_cycles)
		run->first_cycles = worker->start_cycles;
	if (worker->end_cycles > run->last_cycles)
		run->last_cycles = worker->end_cycles;
	run->taken[index] = NO_CAPTURE;
}

/* Moves waiting records of the capture whose turn it is to the writer. Returns how many. */
static uint32_t offline_drain(struct offline *run, struct worker *worker)
{
	const struct capture_info *info = run->captures[run->n_finished].info;
	struct packet_writer *writer = run->options->writer;
	struct packet_record records[OFFLINE_DRAIN_BURST];
	uint32_t n, n_moved = 0;

	if (!run->is_announced) {
		free(run->capture_json);
		run->capture_json = run->options->names_captures ? json_quoted(info->path) : NULL;
		packet_writer_set_capture(writer, run->capture_json, worker->job.port.timestamp_unit_ns == 1);
		run->is_announced = true;
	}
	/* At most what one ring holds, so that a fast worker does not keep the others waiting. */
	do {
		n = rte_ring_sc_dequeue_burst_elem(worker->records, records, sizeof(records[0]),
						   OFFLINE_DRAIN_BURST, NULL);
		packet_writer_write(writer, records, n);
		n_moved += n;
	} while (n && n_moved < OFFLINE_RING_RECORDS);
	return n_moved;
}

static bool offline_is_taken(const struct offline *run, uint32_t capture)
{
	for (uint32_t i = 0; i < run->options->n_workers; i++)
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

	for (uint32_t i = 0; i < run->options->n_workers; i++) {
		struct worker *worker = &run->workers[i];
		bool has_ended;

		if (run->taken[i] == NO_CAPTURE)
			continue;
		/* Asked before the ring is looked at: what it holds after the worker's end is all. */
		has_ended = rte_eal_get_lcore_state(worker->lcore) == WAIT;
		atomic_thread_fence(memory_order_acquire);
		if (worker->records && run->taken[i] == run->n_finished)
			moved |= offline_drain(run, worker) > 0;
		if (has_ended && (!worker->records || rte_ring_empty(worker->records))) {
			rte_eal_wait_lcore(worker->lcore);
			offline_finish(run, i);
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

	for (uint32_t i = 0; i < run->options->n_workers; i++)
		if (run->taken[i] != NO_CAPTURE)
			n += stats_get(run->workers[i].stats, STATS_packets);
	return n;
}

int offline_run(const struct offline_options *options, struct offline_capture *captures, uint32_t n,
		struct offline_result *result, char *error, size_t error_size)
{
	struct offline run = {.options = options, .captures = captures, .n_captures = n, .result = result};
	uint32_t max_captured_bytes = offline_max_captured_bytes(captures, n);
	struct progress progress;
	int rc = 0;

	for (uint32_t i = 0; i < n; i++)
		run.n_packets_total += captures[i].info->n_packets;
	run.workers = calloc(options->n_workers, sizeof(*run.workers));
	run.taken = calloc(options->n_workers, sizeof(*run.taken));
	run.files = calloc(options->n_workers, sizeof(*run.files));
	if (!run.workers || !run.taken || !run.files)
		rc = -ENOMEM;
	for (uint32_t i = 0; !rc && i < options->n_workers; i++)
		rc = offline_setup_worker(&run, i, max_captured_bytes);
	if (rc) {
		snprintf(error, error_size, "%u workers need %zu MB of DPDK's memory: %s; try fewer --workers",
			 options->n_workers, offline_memory_bytes(options, captures, n) >> 20, strerror(-rc));
		goto free_workers;
	}

	progress_begin(&progress, options->show_progress, "classifying", "packets");
	while (run.n_finished < run.n_started || (run.n_started < n && !atomic_load(options->stop))) {
		bool moved = false;

		for (uint32_t i = 0; i < options->n_workers && run.n_started < n; i++)
			if (run.taken[i] == NO_CAPTURE && !atomic_load(options->stop)) {
				offline_start(&run, i);
				moved = true;
			}
		moved |= offline_step(&run);
		progress_update(&progress, offline_n_done(&run), run.n_packets_total);
		if (!moved)
			usleep(OFFLINE_POLL_US);
	}
	progress_end(&progress);
	result->seconds = (double)(run.last_cycles - run.first_cycles) / (double)rte_get_tsc_hz();
	result->tsc_hz = rte_get_tsc_hz();

free_workers:
	free(run.capture_json);
	for (uint32_t i = 0; run.workers && i < options->n_workers; i++)
		offline_free_worker(&run.workers[i]);
	free(run.workers);
	free(run.taken);
	free(run.files);
	return rc;
}
