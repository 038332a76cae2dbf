/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is known of a flow: 128 bytes that every packet updates, and two parts that are kept where features need
 * them. Written by the flow table of one worker; copied into a record when the flow ends.
 *
 * Forward is the direction of the initiator, who sent the first packet; where that packet is a SYN-ACK, who
 * received it.
 */
#ifndef WIRESCORE_FLOW_H
#define WIRESCORE_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow_key.h"

enum { FLOW_FORWARD, FLOW_BACKWARD };

/* A flow is cut into slices so that no counter wraps: after this many packets at the latest. */
#define FLOW_MAX_SLICE_PACKETS (1u << 26)

/* Packets a flow can list: enough for 50 with payload of each direction, as Cisco Joy has them, in most flows. */
#define FLOW_MAX_LISTED 128

/* A longer silence ends a period of activity (CICFlowMeter's activity timeout). */
#define FLOW_ACTIVITY_GAP_NS 5000000000u

/* A longer silence begins a subflow, and ends a bulk (CICFlowMeter's, likewise). */
#define FLOW_PAUSE_NS 1000000000u

/*
 * A time between two packets in 32 bits: nanoseconds below 2^31, else microseconds with the top bit set, at most
 * FLOW_GAP_MAX_NS. Gaps compare as they are.
 */
typedef uint32_t flow_gap;
#define FLOW_GAP_MAX_NS ((uint64_t)INT32_MAX * 1000)

static inline flow_gap flow_gap_pack(uint64_t ns)
{
	if (ns < 0x80000000u)
		return (flow_gap)ns;
	return 0x80000000u | (flow_gap)((ns < FLOW_GAP_MAX_NS ? ns : FLOW_GAP_MAX_NS) / 1000);
}

static inline uint64_t flow_gap_ns(flow_gap gap)
{
	return gap < 0x80000000u ? gap : (uint64_t)(gap & 0x7fffffffu) * 1000;
}

/* One direction of a slice. Sums do not wrap within FLOW_MAX_SLICE_PACKETS of PACKET_MAX_IP_BYTES. */
struct flow_side {
	uint32_t packets;
	uint32_t data_packets; /* with payload */
	uint64_t bytes : 48;   /* IP packets with their headers */
	uint64_t window : 16;  /* TCP window of the first packet */
	uint64_t payload_bytes : 48;
	uint64_t payload_min : 16; /* of a packet, at most 65535 */
	uint32_t transport_bytes;  /* transport headers */
	uint16_t payload_max;	   /* of a packet, at most 65535 */
	uint8_t tcp_flags;	   /* of all packets, ORed */
	uint8_t ttl;		   /* of the first packet */
};
_Static_assert(sizeof(struct flow_side) == 32, "half a cache line");

_Static_assert((uint64_t)FLOW_MAX_SLICE_PACKETS *PACKET_MAX_IP_BYTES < 1ull << 48, "sums fit");

/* flow.bits */
enum {
	FLOW_INITIATOR_IS_1 = 0x01, /* the initiator is endpoint 1 of the key, not 0 */
	FLOW_FIN_FORWARD = 0x02,
	FLOW_FIN_BACKWARD = 0x04,
	FLOW_RST = 0x08,
	FLOW_NO_PORTS = 0x10,	   /* of fragments or cut packets: addresses and protocol alone */
	FLOW_VLAN = 0x20,	   /* the key's scope_id is a VLAN */
	FLOW_TUNNEL = 0x40,	   /* ... is a tunnel's id */
	FLOW_LAST_BACKWARD = 0x80, /* direction of the latest packet */
	/* Shortest transport header (0: none yet) in words of 4 bytes: bits 8-11 forward, 12-15 backward. */
	FLOW_MIN_WORDS_SHIFT = 8,
};

struct flow {
	struct flow_key key;
	uint64_t last_ns;  /* time of the latest packet; never goes back */
	uint64_t start_ns; /* time of the slice's first packet */
	uint32_t origin;   /* hash of when the first slice began; makes flow_id */
	uint16_t slice;	   /* 0, 1, ...; stays at 65535 */
	uint16_t bits;
	struct flow_side side[2]; /* forward, backward */
};
_Static_assert(sizeof(struct flow) == 128, "two cache lines");

/* TCP flags of one direction. The seldom ones stop at 65535. */
struct flow_tcp_counts {
	uint32_t psh, ack;
	uint16_t fin, syn, rst, urg, ece, cwr;
};

/* Gaps between packets: in a direction, or (FLOW_SERIES_BOTH) of the flow. */
enum { FLOW_SERIES_FORWARD, FLOW_SERIES_BACKWARD, FLOW_SERIES_BOTH, FLOW_N_SERIES };

/* Kept where features need more than sums. */
struct flow_series {
	/*
	 * Sum of squared distances from the mean, in ns^2, by Welford's update with the mean taken from first and
	 * last packet: M += (k x - T)^2 / (k (k + 1)) for gap x after k gaps that last T (Welford 1962).
	 */
	double gap_m2[FLOW_N_SERIES];
	flow_gap gap_min[FLOW_N_SERIES], gap_max[FLOW_N_SERIES]; /* 0 without a gap */
	uint64_t payload_squares[2];				 /* sum of squares: exact, in integers */
	uint64_t other_last_ns; /* time of the latest packet in the direction that is not the latest packet's */
	struct flow_tcp_counts tcp[2];
	flow_gap reply;		      /* from the slice's start to the first packet that goes the other way */
	uint32_t direction_changes;   /* packets that go the other way than the one before */
	uint16_t first_payload[2];    /* bytes of the first payload of each direction, at most 65535; 0: none */
	uint8_t first_tcp_flags;      /* of the first packet */
	uint8_t icmp_type, icmp_code; /* of the first packet */
	uint8_t first_side;	      /* of the first packet: FLOW_BACKWARD e.g. where it is a SYN-ACK */
};
_Static_assert(sizeof(struct flow_series) == 128, "two cache lines");
_Static_assert(sizeof(struct flow) + sizeof(struct flow_series) <= 256,
	       "what is kept of a flow but for its history");

/* A time of activity or of silence, in ns. */
struct flow_periods {
	uint32_t n;
	uint32_t reserved;
	uint64_t sum, min, max;
	double m2; /* Welford */
};

/*
 * Bulk transfers of one direction, by CICFlowMeter's definition: at least 4 packets with payload, none of the
 * other direction with payload between them, no gap over 1 s.
 */
struct flow_bulk {
	uint64_t start_ns, last_ns; /* of the run of packets that is going on */
	uint64_t run_bytes;
	uint32_t run_packets;		      /* 0: no run */
	uint32_t n;			      /* bulks */
	uint64_t bytes, packets, duration_ns; /* in bulks */
};

/* A packet of the list. */
struct flow_listed {
	flow_gap gap;		/* since the flow's packet before it; 0 for the first */
	uint16_t ip_bytes;	/* at most 65535 */
	uint16_t payload_bytes; /* likewise */
	uint16_t ip_id;
	uint8_t tcp_flags;
	uint8_t side;
};
_Static_assert(sizeof(struct flow_listed) == 12, "no padding");

/* Kept for features and records that tell more than statistics. */
struct flow_history {
	struct flow_periods active, idle; /* complete ones; the last activity is still going on */
	uint64_t active_start_ns;	  /* of the activity that is going on */
	uint64_t earlier_ns;		  /* durations of the flow's earlier slices, added up */
	struct flow_bulk bulk[2];
	uint32_t n_listed;
	uint32_t n_pauses;		   /* gaps over FLOW_PAUSE_NS */
	uint64_t size_squares[2];	   /* sum of squares of IP lengths: exact; stops at UINT64_MAX */
	uint16_t size_min[2], size_max[2]; /* IP lengths of each direction, at most 65535 */
	struct flow_listed listed[];	   /* the slice's first packets, as many as the table was made for */
};
_Static_assert(sizeof(struct flow_history) <= 256, "four cache lines, which are fetched for every packet");

/* What a flow table keeps of each flow, and what records of flows carry. */
struct flow_layout {
	bool has_series;
	bool has_history;
	bool has_context;  /* of records alone: the table keeps none */
	uint32_t n_listed; /* at most FLOW_MAX_LISTED; only with has_history */
};

/* Bytes of a flow's history under this layout. */
static inline size_t flow_history_bytes(const struct flow_layout *layout)
{
	size_t bytes = sizeof(struct flow_history) + layout->n_listed * sizeof(struct flow_listed);

	return layout->has_history ? (bytes + 63) / 64 * 64 : 0;
}

/* A flow with its parts, wherever they are. */
#define FLOW_NO_PACKET UINT32_MAX
struct flow_view {
	const struct flow *flow;
	const struct flow_series *series;   /* NULL where it is not kept */
	const struct flow_history *history; /* NULL likewise */
	const struct flow_context *context; /* NULL likewise; see flow_context.h */
	uint32_t place;			    /* in its table: below n_flows, the flow's own until it ends */
	uint32_t packet;		    /* of the burst, at which the table tells of it, or FLOW_NO_PACKET */
};

/* The flow's VLAN, where bits has FLOW_VLAN. */
static inline uint32_t flow_vlan(const struct flow *flow)
{
	return flow->key.scope_id - FLOW_KEY_VLANS;
}

/* Why a slice ended. Not the last ones: those are the table's own. */
enum flow_reason {
	FLOW_REASON_IDLE,    /* no packet for the idle timeout */
	FLOW_REASON_ACTIVE,  /* open for the active timeout, or FLOW_MAX_SLICE_PACKETS; another slice follows */
	FLOW_REASON_FIN,     /* TCP: FIN in both directions (one-way: in the one), and the linger time is over */
	FLOW_REASON_RST,     /* TCP: RST, likewise */
	FLOW_REASON_EVICTED, /* the table was full */
	FLOW_REASON_END,     /* no more packets come: end of the capture, or shutdown */
	FLOW_N_REASONS,
	/* Not an end: the flow has come to one of its checkpoints and goes on. */
	FLOW_REASON_CHECKPOINT = FLOW_N_REASONS,
	/* Not ends either, and told only with flow_config.tells_turns, of a packet that has been counted. */
	FLOW_REASON_STARTED,	/* it is the first of a flow (not of a later slice) */
	FLOW_REASON_REPLIED,	/* the first that goes the other way, in a flow's first slice */
	FLOW_REASON_PRODUCTIVE, /* the first by which both sides have sent payload, likewise */
	FLOW_REASON_CLOSED,	/* TCP: it closes the connection, by the second FIN or by RST */
};

/* "idle", "active", ...; of reasons up to FLOW_REASON_CHECKPOINT. */
const char *flow_reason_name(enum flow_reason reason);

/*
 * The id that all slices of a flow share: a hash of its key and of when it began, the same in every run and on
 * every worker.
 */
uint64_t flow_id(const struct flow *flow);

/* Endpoint of the key that is the initiator (0 or 1). */
static inline uint32_t flow_initiator(const struct flow *flow)
{
	return flow->bits & FLOW_INITIATOR_IS_1 ? 1 : 0;
}

/* Shortest transport header of a direction, in bytes. */
static inline uint32_t flow_min_transport_bytes(const struct flow *flow, uint32_t side)
{
	return (flow->bits >> (FLOW_MIN_WORDS_SHIFT + 4 * side) & 15u) * 4;
}

#endif
