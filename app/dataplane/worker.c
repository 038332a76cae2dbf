/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The loop that every packet passes: receive, classify, finish. Launched by the control core, on an lcore of
 * its own, for a capture as for a NIC.
 */
#include "worker.h"

#include <sched.h>

#include <rte_cycles.h>
#include <rte_pause.h>
#include <rte_prefetch.h>
#include <rte_ring_elem.h>

/* Waits this often before it lets other threads have the core, which may be more than there are cores. */
#define WORKER_PATIENCE 64

void worker_frames(const struct port *port, const uint32_t *wire_bytes, struct rte_mbuf *const *mbufs,
		   const uint64_t *indices, uint32_t n, struct frame *frames)
{
	for (uint32_t i = 0; i < n; i++) {
		frames[i].data = rte_pktmbuf_mtod(mbufs[i], const uint8_t *);
		rte_prefetch0(frames[i].data);
		frames[i].captured_bytes = rte_pktmbuf_data_len(mbufs[i]);
		frames[i].wire_bytes = rte_pktmbuf_pkt_len(mbufs[i]);
		if (wire_bytes && wire_bytes[indices[i]])
			frames[i].wire_bytes = wire_bytes[indices[i]];
		frames[i].timestamp_ns = port_timestamp_ns(port, mbufs[i]);
		frames[i].number = indices[i];
	}
}

void worker_idle(uint32_t *n_idle)
{
	if (++*n_idle < WORKER_PATIENCE)
		rte_pause();
	else
		sched_yield();
}

void worker_enqueue(struct rte_ring *ring, const void *elements, uint32_t element_bytes, uint32_t n)
{
	const uint8_t *at = elements;
	uint32_t n_idle = 0;

	while (n) {
		uint32_t n_sent = rte_ring_sp_enqueue_burst_elem(ring, at, element_bytes, n, NULL);

		at += (size_t)n_sent * element_bytes;
		n -= n_sent;
		if (!n_sent)
			worker_idle(&n_idle);
	}
}

/*
 * Hands records to the control core. A capture's records are never dropped: its packets wait in the file, so the
 * worker waits for room, which the control core makes until every worker has returned.
 */
static void worker_send(struct worker *worker, struct rte_ring *ring, const void *records, uint32_t record_bytes,
			uint32_t n)
{
	uint32_t n_sent = rte_ring_sp_enqueue_burst_elem(ring, records, record_bytes, n, NULL);
	uint64_t start, waited;

	if (n_sent == n)
		return;
	start = rte_rdtsc();
	worker_enqueue(ring, (const uint8_t *)records + (size_t)n_sent * record_bytes, record_bytes, n - n_sent);
	waited = rte_rdtsc() - start;
	stats_add(worker->stats, STATS_wait_cycles, waited);
	stats_lap_leave_out(worker->stats, waited);
}

static void worker_record_packets(struct worker *worker, struct rte_mbuf *const *mbufs, const struct frame *frames,
				  const struct verdict *verdicts, const uint64_t *flow_ids, const uint64_t *indices,
				  uint32_t n)
{
	struct packet_record records[CLASSIFY_MAX_BURST];

	for (uint32_t i = 0; i < n; i++)
		records[i] = (struct packet_record){
			.number = indices[i] + 1,
			/* Its own time, whatever it counts at. */
			.timestamp_ns = port_timestamp_ns(&worker->job.port, mbufs[i]),
			.flow_id = flow_ids[i],
			.wire_bytes = frames[i].wire_bytes,
			.score = verdict_score(&verdicts[i]),
			.ethertype = verdicts[i].ethertype,
			.class = verdicts[i].class,
		};
	worker_send(worker, worker->packet_records, records, sizeof(records[0]), n);
}

static void worker_record_flows(struct worker *worker)
{
	const void *records;
	uint32_t n;

	records = flow_engine_records(worker->flow_engine, &n);
	if (n)
		worker_send(worker, worker->flow_records, records, worker->flow_record_bytes, n);
}

int64_t worker_count_losses(const struct port *port, struct rte_eth_stats *known)
{
	struct rte_eth_stats now;
	uint64_t n_no_mbuf;

	if (rte_eth_stats_get(port->id, &now) || now.ierrors != known->ierrors)
		return -1;
	n_no_mbuf = now.rx_nombuf - known->rx_nombuf;
	*known = now;
	return (int64_t)n_no_mbuf;
}

/* Ends all flows that are open at now_ns. */
static void worker_end_flows(struct worker *worker, uint64_t now_ns)
{
	while (worker->flow_engine && flow_engine_drain(worker->flow_engine, now_ns))
		if (worker->flow_records)
			worker_record_flows(worker);
}

/* flow_ids is [n], written only where packets become records. */
static void worker_classify(struct worker *worker, const struct frame *frames, uint32_t n, struct verdict *verdicts,
			    uint64_t *flow_ids)
{
	if (!n)
		return;
	classify_burst(worker->classifier, worker->job.link, frames, n, verdicts);
	for (uint32_t i = 0; worker->packet_records && i < n; i++)
		flow_ids[i] = worker->flow_engine ? flow_engine_flow_id(worker->flow_engine, i) : 0;
	if (worker->flow_records)
		worker_record_flows(worker);
}

/* Classifies a burst among whose packets the capture's time may jump. */
static void worker_classify_jumps(struct worker *worker, struct frame *frames, const uint64_t *indices, uint32_t n,
				  struct verdict *verdicts, uint64_t *flow_ids)
{
	const struct capture_jump *jump;
	uint32_t first = 0;

	do {
		uint32_t n_part =
			capture_jumps_heed(&worker->job.jumps, frames + first, indices + first, n - first, &jump);

		worker_classify(worker, frames + first, n_part, verdicts + first, flow_ids + first);
		if (jump)
			worker_end_flows(worker, jump->time_ns);
		first += n_part;
	} while (jump);
}

/* Classifies a burst that came at start, finishes and releases it. Returns the time. */
static uint64_t worker_burst(struct worker *worker, struct rte_mbuf **mbufs, const uint64_t *indices, uint32_t n,
			     uint64_t start)
{
	const struct worker_job *job = &worker->job;
	struct stats_block *stats = worker->stats;
	struct verdict verdicts[CLASSIFY_MAX_BURST];
	struct frame frames[CLASSIFY_MAX_BURST];
	uint64_t flow_ids[CLASSIFY_MAX_BURST];
	uint64_t waited = stats_get(stats, STATS_wait_cycles), received, classified, finished;

	worker_frames(&job->port, job->wire_bytes, mbufs, indices, n, frames);
	received = rte_rdtsc();
	stats_lap_rx(stats, n);
	worker_classify_jumps(worker, frames, indices, n, verdicts, flow_ids);
	waited = stats_get(stats, STATS_wait_cycles) - waited;
	classified = rte_rdtsc();
	stats_add(stats, STATS_rx_cycles, received - start);
	stats_add(stats, STATS_classify_cycles, classified - received - waited);

	waited = stats_get(stats, STATS_wait_cycles);
	if (worker->packet_records)
		worker_record_packets(worker, mbufs, frames, verdicts, flow_ids, indices, n);
	rte_pktmbuf_free_bulk(mbufs, n);
	waited = stats_get(stats, STATS_wait_cycles) - waited;
	finished = rte_rdtsc();
	stats_add(stats, STATS_finish_cycles, finished - classified - waited);
	stats_lap_end(stats, STATS_stage_action, n);
	return finished;
}

/* Polls the port until the capture's end, its failure or the user's wish. */
static void worker_poll(struct worker *worker)
{
	const struct worker_job *job = &worker->job;
	struct rte_mbuf *mbufs[CLASSIFY_MAX_BURST];
	uint64_t indices[CLASSIFY_MAX_BURST];
	struct rte_eth_stats known = {0};
	uint64_t n_taken = 0, now = worker->start_cycles;

	while (n_taken < job->n_expected && !atomic_load_explicit(worker->stop, memory_order_relaxed)) {
		uint16_t n_asked = RTE_MIN(job->n_expected - n_taken, job->burst), n;

		stats_lap_begin(worker->stats);
		n = rte_eth_rx_burst(job->port.id, 0, mbufs, n_asked);

		for (uint32_t i = 0; i < n; i++)
			indices[i] = n_taken + i;
		n_taken += n;
		if (n)
			now = worker_burst(worker, mbufs, indices, n, now);
		if (unlikely(n < n_asked)) {
			int64_t n_lost = worker_count_losses(&job->port, &known);

			if (n_lost < 0 || (!n && !n_lost)) {
				worker->is_short = true;
				break;
			}
			n_taken += (uint64_t)n_lost;
			stats_add(worker->stats, STATS_drop_no_mbuf, (uint64_t)n_lost);
			stats_add(worker->stats, STATS_packets, (uint64_t)n_lost);
		}
	}
	worker->is_cut = n_taken < job->n_expected && !worker->is_short;
}

/* Takes what another lcore shares out, to its end. */
static void worker_take(struct worker *worker)
{
	const struct worker_job *job = &worker->job;
	struct worker_source *source = job->source;
	struct worker_packet packets[CLASSIFY_MAX_BURST];
	struct rte_mbuf *mbufs[CLASSIFY_MAX_BURST];
	uint64_t indices[CLASSIFY_MAX_BURST];
	uint64_t now = worker->start_cycles;
	uint32_t n_idle = 0;

	for (;;) {
		/* Asked before the ring is looked at: what it holds after the sender's end is all. */
		bool has_ended = atomic_load_explicit(&source->has_ended, memory_order_acquire);
		uint32_t n;

		stats_lap_begin(worker->stats);
		n = rte_ring_sc_dequeue_burst_elem(source->packets, packets, sizeof(packets[0]), job->burst, NULL);

		if (!n) {
			if (has_ended) {
				worker->is_cut = source->is_cut;
				return;
			}
			worker_idle(&n_idle);
			now = rte_rdtsc();
			continue;
		}
		n_idle = 0;
		for (uint32_t i = 0; i < n; i++) {
			mbufs[i] = packets[i].mbuf;
			indices[i] = packets[i].index;
		}
		now = worker_burst(worker, mbufs, indices, n, now);
	}
}

/*
 * The flows that are still open end with the capture, or at its next jump. Not as idle where the user has stopped
 * the run before their time was over.
 */
static void worker_finish(struct worker *worker)
{
	uint64_t start = rte_rdtsc(), waited = stats_get(worker->stats, STATS_wait_cycles);
	struct capture_jumps *jumps = &worker->job.jumps;
	uint64_t now_ns = worker->job.latest_ns;

	while (jumps->next < jumps->n && !jumps->jumps[jumps->next].is_break)
		jumps->next++;
	if (jumps->next < jumps->n)
		now_ns = jumps->jumps[jumps->next].time_ns;
	worker_end_flows(worker, worker->is_cut ? 0 : now_ns);
	waited = stats_get(worker->stats, STATS_wait_cycles) - waited;
	stats_add(worker->stats, STATS_finish_cycles, rte_rdtsc() - start - waited);
}

int worker_run(void *argument)
{
	struct worker *worker = argument;

	worker->is_short = false;
	worker->is_cut = false;
	worker->start_cycles = rte_rdtsc();
	if (worker->job.source)
		worker_take(worker);
	else
		worker_poll(worker);
	worker_finish(worker);
	worker->end_cycles = rte_rdtsc();
	return 0;
}
