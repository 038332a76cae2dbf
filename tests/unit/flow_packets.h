/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets as the parser would deliver them, for tests of the flow table: described in a line, and made of an IP
 * header and its struct packet.
 */
#ifndef WIRESCORE_TESTS_FLOW_PACKETS_H
#define WIRESCORE_TESTS_FLOW_PACKETS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "packet.h"

#define SECOND_NS 1000000000ull

/* What a test says of a packet. Addresses are the last four bytes of 10.x.x.x or 2001:db8::. */
struct flow_spec {
	uint64_t time_ns;
	uint32_t source, destination;
	uint16_t source_port, destination_port;
	uint8_t protocol;
	uint8_t tcp_flags;
	uint8_t flags; /* enum packet_flag */
	uint8_t is_ipv6;
	uint32_t payload_bytes;
	uint32_t fragment_id;
	uint16_t window, vlan, ip_id;
	uint8_t ttl, transport_bytes;
	uint8_t icmp_type;
};

/* A row of packets: frames and packets go to the table together. */
struct flow_packets {
	uint32_t n;
	struct frame *frames;
	struct packet *packets;
	uint8_t (*headers)[40];
};

static inline struct flow_packets flow_packets_create(uint32_t n)
{
	return (struct flow_packets){
		.n = n,
		.frames = calloc(n, sizeof(struct frame)),
		.packets = calloc(n, sizeof(struct packet)),
		.headers = calloc(n, 40),
	};
}

static inline void flow_packets_free(struct flow_packets *packets)
{
	free(packets->frames);
	free(packets->packets);
	free(packets->headers);
}

static inline void flow_packets_put_address(uint8_t *to, uint32_t address, int is_ipv6)
{
	static const uint8_t prefix[12] = {0x20, 0x01, 0x0d, 0xb8};

	if (is_ipv6) {
		memcpy(to, prefix, sizeof(prefix));
		to += sizeof(prefix);
	}
	for (int i = 0; i < 4; i++)
		to[i] = (uint8_t)(address >> (24 - 8 * i));
}

static inline void flow_packets_set(struct flow_packets *packets, uint32_t i, const struct flow_spec *spec)
{
	uint8_t *header = packets->headers[i];
	struct packet *packet = &packets->packets[i];
	uint32_t header_bytes = spec->is_ipv6 ? 40 : 20;

	memset(header, 0, 40);
	header[0] = spec->is_ipv6 ? 0x60 : 0x45;
	if (!spec->is_ipv6)
		header[9] = spec->protocol;
	flow_packets_put_address(header + (spec->is_ipv6 ? 8 : 12), spec->source, spec->is_ipv6);
	flow_packets_put_address(header + (spec->is_ipv6 ? 24 : 16), spec->destination, spec->is_ipv6);
	packets->frames[i] = (struct frame){header, header_bytes, header_bytes, spec->time_ns, i};
	*packet = (struct packet){
		.ip_version = spec->is_ipv6 ? 6 : 4,
		.protocol = spec->protocol,
		.flags = spec->flags,
		.ttl = spec->ttl,
		.ip_id = spec->ip_id,
		.src_port = spec->source_port,
		.dst_port = spec->destination_port,
		.transport_bytes = spec->transport_bytes,
		.tcp_window = spec->window,
		.tcp_flags = spec->tcp_flags,
		.icmp_type = spec->icmp_type,
		.vlan = spec->vlan,
		.ip_bytes = header_bytes + spec->transport_bytes + spec->payload_bytes,
		.payload_bytes = spec->payload_bytes,
		.fragment_id = spec->fragment_id,
		.fragment_network = spec->vlan ? PACKET_NETWORK_VLAN | spec->vlan : 0,
	};
}

static inline struct flow_packets flow_packets_of(const struct flow_spec *specs, uint32_t n)
{
	struct flow_packets packets = flow_packets_create(n);

	for (uint32_t i = 0; i < n; i++)
		flow_packets_set(&packets, i, &specs[i]);
	return packets;
}

/* A generator of its own, so that a failure can be repeated (SplitMix64). */
static inline uint64_t flow_packets_random(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

#endif
