/* SPDX-License-Identifier: BSD-3-Clause */
#include "spread.h"

#include <sched.h>

#include <rte_ethdev.h>
#include <rte_pause.h>
#include <rte_ring_elem.h>

/* A ring's packets, and fewer where each takes many buffers. */
#define SPREAD_RING_PACKETS 1024
#define SPREAD_MIN_PACKETS  64

/* Waits this often before it lets other threads have the core, which may be more than there are cores. */
#define SPREAD_PATIENCE 64

uint32_t spread_ring_packets(uint32_t max_captured_bytes)
{
	uint32_t n_segments = 1 + max_captured_bytes / PORT_SEGMENT_BYTES;

	return RTE_MAX(SPREAD_RING_PACKETS / rte_align32pow2(n_segments), SPREAD_MIN_PACKETS);
}

void spread_idle(uint32_t *n_idle)
{
	if (++*n_idle < SPREAD_PATIENCE)
		rte_pause();
	else
		sched_yield();
}

/* As the workers do, so that fragments find each other here and there. Returns where the next part begins. */
static uint32_t spread_heed_jumps(struct spread *spread, struct frame *frames, const uint64_t *indices, uint32_t n)
{
	for (; spread->next_jump < spread->n_jumps; spread->next_jump++) {
		const struct capture_jump *jump = &spread->jumps[spread->next_jump];
		uint32_t at;

		if (jump->packet > indices[n - 1])
			break;
		/* Indices follow one another: a loss ends the run. */
		at = (uint32_t)(jump->packet - indices[0]);
		if (!jump->is_break) {
			frames[at].timestamp_ns = jump->time_ns;
		} else if (at) {
			return at;
		} else {
			flow_spread_reset(spread->flows);
		}
	}
	return n;
}

/* Hands packets to their workers; waits for room, so that packets of a file are never lost. */
static void spread_send(struct spread *spread, struct rte_mbuf *const *mbufs, const uint64_t *indices,
			const uint32_t *workers, uint32_t n)
{
	uint32_t n_idle = 0;

	for (uint32_t w = 0; w < spread->n_workers; w++) {
		struct worker_packet packets[CLASSIFY_MAX_BURST];
		uint32_t n_its = 0, n_sent = 0;

		for (uint32_t i = 0; i < n; i++)
			if (workers[i] == w)
				packets[n_its++] = (struct worker_packet){.mbuf = mbufs[i], .index = indices[i]};
		while (n_sent < n_its) {
			uint32_t n_now =
				rte_ring_sp_enqueue_burst_elem(spread->sources[w].packets, &packets[n_sent],
							       sizeof(packets[0]), n_its - n_sent, NULL);

			n_sent += n_now;
			if (!n_now)
				spread_idle(&n_idle);
		}
	}
}

static void spread_burst(struct spread *spread, struct rte_mbuf *const *mbufs, const uint64_t *indices, uint32_t n)
{
	struct packet packets[CLASSIFY_MAX_BURST];
	struct frame frames[CLASSIFY_MAX_BURST];
	uint32_t workers[CLASSIFY_MAX_BURST];

	worker_frames(&spread->port, spread->wire_bytes, mbufs, indices, n, frames);
	packet_parse_burst(spread->link, spread->depth, frames, n, packets);
	for (uint32_t first = 0, n_part; first < n; first += n_part) {
		n_part = spread_heed_jumps(spread, frames + first, indices + first, n - first);
		flow_spread_burst(spread->flows, frames + first, packets + first, n_part, spread->n_workers,
				  workers + first);
	}
	spread_send(spread, mbufs, indices, workers, n);
}

int spread_run(void *argument)
{
	struct spread *spread = argument;
	struct rte_mbuf *mbufs[CLASSIFY_MAX_BURST];
	uint64_t indices[CLASSIFY_MAX_BURST], n_taken = 0;
	struct rte_eth_stats known = {0};

	spread->is_short = false;
	spread->next_jump = 0;
	flow_spread_reset(spread->flows);
	while (n_taken < spread->n_expected && !atomic_load_explicit(spread->stop, memory_order_relaxed)) {
		uint16_t n_asked = RTE_MIN(spread->n_expected - n_taken, spread->burst);
		uint16_t n = rte_eth_rx_burst(spread->port.id, 0, mbufs, n_asked);

		for (uint32_t i = 0; i < n; i++)
			indices[i] = n_taken + i;
		n_taken += n;
		if (n)
			spread_burst(spread, mbufs, indices, n);
		/* The pool has a buffer for all that the rings hold: a packet lost for want of one is a failure. */
		if (unlikely(n < n_asked) && (!n || worker_count_losses(&spread->port, &known))) {
			spread->is_short = true;
			break;
		}
	}
	for (uint32_t i = 0; i < spread->n_workers; i++) {
		spread->sources[i].is_cut = n_taken < spread->n_expected && !spread->is_short;
		atomic_store_explicit(&spread->sources[i].has_ended, true, memory_order_release);
	}
	return 0;
}
