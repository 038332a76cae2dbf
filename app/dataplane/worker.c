/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The loop that every packet passes: receive, classify, finish. Launched by the control core, on an lcore of
 * its own, for a capture as for a NIC.
 */
#include "worker.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_pause.h>
#include <rte_prefetch.h>
#include <rte_ring_elem.h>

/* Frames of the burst, for the layers below, which know no mbuf. first is the first packet's index. */
static inline void worker_frames(const struct worker_job *job, struct rte_mbuf *const *mbufs, uint32_t n,
				 uint64_t first, struct frame *frames)
{
	for (uint32_t i = 0; i < n; i++) {
		frames[i].data = rte_pktmbuf_mtod(mbufs[i], const uint8_t *);
		rte_prefetch0(frames[i].data);
		frames[i].captured_bytes = rte_pktmbuf_data_len(mbufs[i]);
		frames[i].wire_bytes = rte_pktmbuf_pkt_len(mbufs[i]);
		if (job->wire_bytes && job->wire_bytes[first + i])
			frames[i].wire_bytes = job->wire_bytes[first + i];
		frames[i].timestamp_ns = port_timestamp_ns(&job->port, mbufs[i]);
	}
}

/*
 * Hands the verdicts to the control core. A capture's records are never dropped: its packets wait in the
 * file, so the worker waits for room, which the control core makes until every worker has returned. Returns
 * the cycles spent waiting.
 */
static uint64_t worker_record(struct worker *worker, const struct frame *frames, const struct verdict *verdicts,
			      uint32_t n, uint64_t first)
{
	struct packet_record records[CLASSIFY_MAX_BURST];
	uint32_t n_sent;

	for (uint32_t i = 0; i < n; i++)
		records[i] = (struct packet_record){
			.number = first + i + 1,
			.timestamp_ns = frames[i].timestamp_ns,
			.wire_bytes = frames[i].wire_bytes,
			.score = verdict_score(&verdicts[i]),
			.ethertype = verdicts[i].ethertype,
			.class = verdicts[i].class,
		};
	n_sent = rte_ring_sp_enqueue_burst_elem(worker->records, records, sizeof(records[0]), n, NULL);
	if (n_sent == n)
		return 0;

	uint64_t start = rte_rdtsc();

	while (n_sent < n) {
		rte_pause();
		n_sent += rte_ring_sp_enqueue_burst_elem(worker->records, &records[n_sent], sizeof(records[0]),
							 n - n_sent, NULL);
	}
	return rte_rdtsc() - start;
}

/*
 * After a poll that gave less than was asked for. Returns how many packets the driver has consumed without
 * delivering them, or -1 when the file cannot be read any further: polling on would find packets where none are.
 */
static int64_t worker_count_losses(struct worker *worker, struct rte_eth_stats *known)
{
	struct rte_eth_stats now;
	uint64_t n_no_mbuf;

	if (rte_eth_stats_get(worker->job.port.id, &now) || now.ierrors != known->ierrors)
		return -1;
	n_no_mbuf = now.rx_nombuf - known->rx_nombuf;
	*known = now;
	stats_add(worker->stats, STATS_drop_no_mbuf, n_no_mbuf);
	stats_add(worker->stats, STATS_packets, n_no_mbuf);
	return (int64_t)n_no_mbuf;
}

int worker_run(void *argument)
{
	struct worker *worker = argument;
	const struct worker_job *job = &worker->job;
	struct stats_block *stats = worker->stats;
	struct verdict verdicts[CLASSIFY_MAX_BURST];
	struct rte_mbuf *mbufs[CLASSIFY_MAX_BURST];
	struct frame frames[CLASSIFY_MAX_BURST];
	struct rte_eth_stats known = {0};
	uint64_t n_taken = 0, received, classified, finished;

	worker->is_short = false;
	worker->start_cycles = finished = rte_rdtsc();
	while (n_taken < job->n_expected && !atomic_load_explicit(worker->stop, memory_order_relaxed)) {
		uint16_t n_asked = RTE_MIN(job->n_expected - n_taken, job->burst);
		uint16_t n = rte_eth_rx_burst(job->port.id, 0, mbufs, n_asked);

		if (n) {
			uint64_t waited = 0;

			worker_frames(job, mbufs, n, n_taken, frames);
			received = rte_rdtsc();
			classify_burst(worker->classifier, job->link, frames, n, verdicts);
			classified = rte_rdtsc();
			if (worker->records)
				waited = worker_record(worker, frames, verdicts, n, n_taken);
			rte_pktmbuf_free_bulk(mbufs, n);
			n_taken += n;

			stats_add(stats, STATS_rx_cycles, received - finished);
			stats_add(stats, STATS_classify_cycles, classified - received);
			finished = rte_rdtsc();
			stats_add(stats, STATS_finish_cycles, finished - classified - waited);
			stats_add(stats, STATS_wait_cycles, waited);
		}
		if (unlikely(n < n_asked)) {
			int64_t n_lost = worker_count_losses(worker, &known);

			if (n_lost < 0 || (!n && !n_lost)) {
				worker->is_short = true;
				break;
			}
			n_taken += (uint64_t)n_lost;
		}
	}
	worker->end_cycles = rte_rdtsc();
	return 0;
}
