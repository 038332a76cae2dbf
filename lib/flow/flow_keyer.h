/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a burst of packets to the keys, directions, times and hashes of their flows; fragments get those of their
 * datagram's first. Called by the flow table and by the spread, each with one of its own: they agree as long as neither
 * has to forget datagrams.
 */
#ifndef WIRESCORE_FLOW_KEYER_H
#define WIRESCORE_FLOW_KEYER_H

#include <stdbool.h>
#include <stdint.h>

#include "flow_hash.h"
#include "flow_key.h"

#define FLOW_KEYER_BURST 64

/* Datagrams whose first fragment is remembered, in sets of which a new one takes the oldest's place. */
#define FLOW_FRAGMENT_SETS 512
#define FLOW_FRAGMENT_WAYS 8

/* For how long, in the packets' time (RFC 791 and Linux: 30 s for what is incomplete). */
#define FLOW_FRAGMENT_NS 30000000000u

/* Which endpoint of its flow's key sent a packet, and whether the key has no ports. */
struct flow_sender {
	uint8_t endpoint;
	uint8_t has_no_ports;
};

struct flow_datagram {
	struct flow_key id; /* addresses from source to destination, the fragment's id in place of the ports */
	struct flow_key key;
	uint64_t first_ns;
	struct flow_sender sender;
	uint32_t generation; /* of the keyer when it was remembered */
};

struct flow_keyer {
	struct flow_hash hash;
	enum flow_scope scope;
	bool is_one_way;
	uint64_t now_ns; /* time of the packet before, of those with a flow */
	uint64_t n_joined, n_alone;
	uint32_t generation; /* a reset begins another: 1, 2, ... */
	uint8_t oldest[FLOW_FRAGMENT_SETS];
	struct flow_datagram datagrams[FLOW_FRAGMENT_SETS][FLOW_FRAGMENT_WAYS];
};

/* A packet's visit to its flow. */
struct flow_visit {
	uint64_t now_ns;
	uint64_t number; /* of the frame */
	uint32_t at;	 /* place in the burst */
	struct flow_sender sender;
};

/* What is known of the packets of a burst that have a flow, [n] each. */
struct flow_keyed {
	uint32_t n;
	uint64_t earliest_ns; /* of now_ns */
	struct flow_visit visits[FLOW_KEYER_BURST];
	uint64_t hashes[FLOW_KEYER_BURST];
	struct flow_key keys[FLOW_KEYER_BURST];
};

/* keyer is zeroed memory. */
void flow_keyer_init(struct flow_keyer *keyer, enum flow_scope scope, bool is_one_way, const uint64_t seed[2]);

/* Forgets fragments and time. */
void flow_keyer_reset(struct flow_keyer *keyer);

/* n <= FLOW_KEYER_BURST. */
void flow_keyer_burst(struct flow_keyer *keyer, const struct frame *frames, const struct packet *packets,
		      uint32_t n, struct flow_keyed *keyed);

#endif
