/* SPDX-License-Identifier: BSD-3-Clause */
#include "flow_update.h"

#include <stdbool.h>

/* Of a bulk, by CICFlowMeter. */
#define BULK_PACKETS 4

static inline void count16(uint16_t *counter, bool is_set)
{
	*counter += is_set && *counter != UINT16_MAX;
}

static void flow_tcp_count(struct flow_tcp_counts *counts, uint8_t flags)
{
	counts->psh += !!(flags & PACKET_TCP_PSH);
	counts->ack += !!(flags & PACKET_TCP_ACK);
	/* Most packets have none of these. */
	if (!(flags & ~(PACKET_TCP_PSH | PACKET_TCP_ACK)))
		return;
	count16(&counts->fin, flags & PACKET_TCP_FIN);
	count16(&counts->syn, flags & PACKET_TCP_SYN);
	count16(&counts->rst, flags & PACKET_TCP_RST);
	count16(&counts->urg, flags & PACKET_TCP_URG);
	count16(&counts->ece, flags & PACKET_TCP_ECE);
	count16(&counts->cwr, flags & PACKET_TCP_CWR);
}

/* The sum with another square. Lengths that lie could wrap it: it stops at UINT64_MAX. */
static inline uint64_t add_square(uint64_t sum, uint64_t length)
{
	uint64_t squares;

	return __builtin_add_overflow(sum, length * length, &squares) ? UINT64_MAX : squares;
}

/* What Welford's M grows by for x after n values that add up to sum. */
static inline double welford(double x, uint64_t n, double sum)
{
	double k = (double)n, distance = k * x - sum;

	return n ? distance * distance / (k * (k + 1)) : 0;
}

/* Counts a gap after n_gaps that together last sum_ns. */
static inline void flow_gap_count(struct flow_series *series, uint32_t which, uint64_t gap_ns, uint32_t n_gaps,
				  uint64_t sum_ns)
{
	flow_gap gap = flow_gap_pack(gap_ns);

	series->gap_m2[which] += welford((double)gap_ns, n_gaps, (double)sum_ns);
	if (!n_gaps || gap < series->gap_min[which])
		series->gap_min[which] = gap;
	if (gap > series->gap_max[which])
		series->gap_max[which] = gap;
}

/* When the direction's first packet came. */
static inline uint64_t flow_series_first_ns(const struct flow_series *series, const struct flow *flow,
					    uint32_t side)
{
	return flow->start_ns + (side == series->first_side ? 0 : flow_gap_ns(series->reply));
}

static void flow_series_begin(struct flow_series *series, const struct packet *packet, uint32_t side)
{
	series->first_side = (uint8_t)side;
	series->first_tcp_flags = packet->tcp_flags;
	series->icmp_type = packet->icmp_type;
	series->icmp_code = packet->icmp_code;
}

void flow_series_count(struct flow_series *series, const struct flow *flow, const struct packet *packet,
		       uint32_t side, uint64_t now_ns)
{
	uint32_t n = flow_packets(flow), n_side = flow->side[side].packets;

	if (!n) {
		flow_series_begin(series, packet, side);
	} else {
		uint32_t last_side = flow->bits & FLOW_LAST_BACKWARD ? FLOW_BACKWARD : FLOW_FORWARD;
		uint64_t side_last_ns = side == last_side ? flow->last_ns : series->other_last_ns;

		flow_gap_count(series, FLOW_SERIES_BOTH, now_ns - flow->last_ns, n - 1,
			       flow->last_ns - flow->start_ns);
		if (n_side)
			flow_gap_count(series, side, now_ns - side_last_ns, n_side - 1,
				       side_last_ns - flow_series_first_ns(series, flow, side));
		else
			series->reply = flow_gap_pack(now_ns - flow->start_ns);
		if (side != last_side) {
			series->other_last_ns = flow->last_ns;
			series->direction_changes++;
		}
	}
	series->payload_squares[side] = add_square(series->payload_squares[side], packet->payload_bytes);
	if (!series->first_payload[side])
		series->first_payload[side] = (uint16_t)flow_payload16(packet);
	flow_tcp_count(&series->tcp[side], packet->tcp_flags);
}

static void flow_periods_count(struct flow_periods *periods, uint64_t ns)
{
	periods->m2 += welford((double)ns, periods->n, (double)periods->sum);
	if (!periods->n || ns < periods->min)
		periods->min = ns;
	if (ns > periods->max)
		periods->max = ns;
	periods->sum += ns;
	periods->n++;
}

/* An activity of one packet has no length: as in CICFlowMeter, it is none. */
static void flow_activity_count(struct flow_history *history, const struct flow *flow, uint64_t now_ns)
{
	if (!flow_packets(flow)) {
		history->active_start_ns = now_ns;
	} else if (now_ns - flow->last_ns > FLOW_ACTIVITY_GAP_NS) {
		if (flow->last_ns > history->active_start_ns)
			flow_periods_count(&history->active, flow->last_ns - history->active_start_ns);
		flow_periods_count(&history->idle, now_ns - flow->last_ns);
		history->active_start_ns = now_ns;
	}
}

static void flow_bulk_count(struct flow_bulk *bulk, uint64_t payload_bytes, uint64_t now_ns)
{
	if (!bulk->run_packets || now_ns - bulk->last_ns > FLOW_PAUSE_NS) {
		bulk->start_ns = now_ns;
		bulk->run_packets = 0;
		bulk->run_bytes = 0;
	}
	bulk->run_packets++;
	bulk->run_bytes += payload_bytes;
	if (bulk->run_packets == BULK_PACKETS) {
		bulk->n++;
		bulk->packets += BULK_PACKETS;
		bulk->bytes += bulk->run_bytes;
		bulk->duration_ns += now_ns - bulk->start_ns;
	} else if (bulk->run_packets > BULK_PACKETS) {
		bulk->packets++;
		bulk->bytes += payload_bytes;
		bulk->duration_ns += now_ns - bulk->last_ns;
	}
	bulk->last_ns = now_ns;
}

static inline uint16_t limit16(uint32_t bytes)
{
	return bytes < UINT16_MAX ? (uint16_t)bytes : UINT16_MAX;
}

static void flow_size_count(struct flow_history *history, const struct flow *flow, uint32_t ip_bytes, uint32_t side)
{
	uint16_t size = limit16(ip_bytes);

	if (!flow->side[side].packets || size < history->size_min[side])
		history->size_min[side] = size;
	if (size > history->size_max[side])
		history->size_max[side] = size;
	history->size_squares[side] = add_square(history->size_squares[side], ip_bytes);
}

void flow_history_count(struct flow_history *history, const struct flow *flow, const struct packet *packet,
			uint32_t side, uint64_t now_ns, uint32_t n_listed)
{
	flow_activity_count(history, flow, now_ns);
	flow_size_count(history, flow, packet->ip_bytes, side);
	history->n_pauses += flow_packets(flow) && now_ns - flow->last_ns > FLOW_PAUSE_NS;
	if (packet->payload_bytes) {
		history->bulk[!side].run_packets = 0;
		flow_bulk_count(&history->bulk[side], packet->payload_bytes, now_ns);
	}
	if (history->n_listed < n_listed)
		history->listed[history->n_listed++] = (struct flow_listed){
			.gap = flow_packets(flow) ? flow_gap_pack(now_ns - flow->last_ns) : 0,
			.ip_bytes = limit16(packet->ip_bytes),
			.payload_bytes = limit16(packet->payload_bytes),
			.ip_id = packet->ip_id,
			.tcp_flags = packet->tcp_flags,
			.side = (uint8_t)side,
		};
}
