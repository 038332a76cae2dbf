/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counting a packet to its flow. Included by the flow table, and by `wirescore bench flows`, which gives the peer
 * the same work.
 */
#ifndef WIRESCORE_FLOW_UPDATE_H
#define WIRESCORE_FLOW_UPDATE_H

#include <stdbool.h>

#include "flow.h"
#include "packet.h"

_Static_assert(PACKET_TCP_FIN << 1 == FLOW_FIN_FORWARD && PACKET_TCP_FIN << 2 == FLOW_FIN_BACKWARD &&
		       PACKET_TCP_RST << 1 == FLOW_RST,
	       "flow_count shifts one into the other");

/* Of the slice, in both directions. */
static inline uint32_t flow_packets(const struct flow *flow)
{
	return flow->side[FLOW_FORWARD].packets + flow->side[FLOW_BACKWARD].packets;
}

/* Whether a packet may be of another slice: seldom, and then the table looks closer. */
static inline bool flow_is_doubtful(const struct flow *flow, uint64_t now_ns, uint32_t n_packets, uint64_t idle_ns,
				    uint64_t active_ns)
{
	/* Where time has gone back the differences are huge. */
	return now_ns - flow->last_ns > idle_ns || now_ns - flow->start_ns >= active_ns ||
	       n_packets >= FLOW_MAX_SLICE_PACKETS ||
	       (flow->bits & (FLOW_RST | FLOW_FIN_FORWARD | FLOW_FIN_BACKWARD));
}

static inline uint32_t flow_payload16(const struct packet *packet)
{
	return packet->payload_bytes < UINT16_MAX ? packet->payload_bytes : UINT16_MAX;
}

static inline uint16_t flow_bits_after(uint32_t bits, const struct packet *packet, uint32_t side)
{
	uint32_t words = packet->transport_bytes < 60 ? packet->transport_bytes / 4u : 15;
	uint32_t shift = FLOW_MIN_WORDS_SHIFT + 4 * side, shortest = bits >> shift & 15;

	bits = (bits & ~(uint32_t)FLOW_LAST_BACKWARD) | side * FLOW_LAST_BACKWARD;
	if (packet->tcp_flags & (PACKET_TCP_FIN | PACKET_TCP_RST))
		bits |= (packet->tcp_flags & PACKET_TCP_FIN) << (1 + side) | (packet->tcp_flags & PACKET_TCP_RST)
										     << 1;
	/* 0 stands for no header, of the packet and so far; below 1 it is more than any number. */
	if (words - 1 < shortest - 1)
		bits = (bits & ~(15u << shift)) | words << shift;
	return (uint16_t)bits;
}

/* now_ns is not before flow->last_ns. */
static inline void flow_count(struct flow *flow, const struct packet *packet, uint32_t side_index, uint64_t now_ns)
{
	struct flow_side *side = &flow->side[side_index];
	uint32_t payload = flow_payload16(packet);

	flow->last_ns = now_ns;
	flow->bits = flow_bits_after(flow->bits, packet, side_index);
	if (!side->packets) {
		side->window = packet->tcp_window;
		side->ttl = packet->ttl;
		side->payload_min = payload;
	} else if (payload < side->payload_min) {
		side->payload_min = payload;
	}
	if (payload > side->payload_max)
		side->payload_max = (uint16_t)payload;
	side->packets++;
	side->data_packets += payload != 0;
	side->bytes += packet->ip_bytes;
	side->payload_bytes += packet->payload_bytes;
	side->transport_bytes += packet->transport_bytes;
	side->tcp_flags |= packet->tcp_flags;
}

/*
 * The same for the parts that are kept of some flows. Before flow_count, which changes what they are told by:
 * times, directions and numbers of the packets so far.
 */
void flow_series_count(struct flow_series *series, const struct flow *flow, const struct packet *packet,
		       uint32_t side, uint64_t now_ns);
void flow_history_count(struct flow_history *history, const struct flow *flow, const struct packet *packet,
			uint32_t side, uint64_t now_ns, uint32_t n_listed);

#endif
