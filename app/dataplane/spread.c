/* SPDX-License-Identifier: BSD-3-Clause */
#include "spread.h"

#include <rte_ethdev.h>

/* A ring's packets, and fewer where each takes many buffers. */
#define SPREAD_RING_PACKETS 1024
#define SPREAD_MIN_PACKETS  64

uint32_t spread_ring_packets(uint32_t max_captured_bytes)
{
	uint32_t n_segments = 1 + max_captured_bytes / PORT_SEGMENT_BYTES;

	return RTE_MAX(SPREAD_RING_PACKETS / rte_align32pow2(n_segments), SPREAD_MIN_PACKETS);
}

/* Hands packets to their workers; waits for room, so that packets of a file are never lost. */
static void spread_send(struct spread *spread, struct rte_mbuf *const *mbufs, const uint64_t *indices,
			const uint32_t *workers, uint32_t n)
{
	for (uint32_t w = 0; w < spread->n_workers; w++) {
		struct worker_packet packets[CLASSIFY_MAX_BURST];
		uint32_t n_its = 0;

		for (uint32_t i = 0; i < n; i++)
			if (workers[i] == w)
				packets[n_its++] = (struct worker_packet){.mbuf = mbufs[i], .index = indices[i]};
		worker_enqueue(spread->sources[w].packets, packets, sizeof(packets[0]), n_its);
	}
}

static void spread_burst(struct spread *spread, struct rte_mbuf *const *mbufs, const uint64_t *indices, uint32_t n)
{
	struct packet packets[CLASSIFY_MAX_BURST];
	struct frame frames[CLASSIFY_MAX_BURST];
	uint32_t workers[CLASSIFY_MAX_BURST], first = 0;
	const struct capture_jump *jump;

	worker_frames(&spread->port, spread->wire_bytes, mbufs, indices, n, frames);
	packet_parse_burst(spread->link, spread->depth, frames, n, packets);
	/* As the workers do, so that fragments find each other here and there. */
	do {
		uint32_t n_part =
			capture_jumps_heed(&spread->jumps, frames + first, indices + first, n - first, &jump);

		flow_spread_burst(spread->flows, frames + first, packets + first, n_part, spread->n_workers,
				  workers + first);
		if (jump)
			flow_spread_reset(spread->flows);
		first += n_part;
	} while (jump);
	spread_send(spread, mbufs, indices, workers, n);
}

int spread_run(void *argument)
{
	struct spread *spread = argument;
	struct rte_mbuf *mbufs[CLASSIFY_MAX_BURST];
	uint64_t indices[CLASSIFY_MAX_BURST], n_taken = 0;
	struct rte_eth_stats known = {0};

	spread->is_short = false;
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
