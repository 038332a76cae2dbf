/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tables of frames for tests of the parser: headers as hexadecimal digits, to be written one behind the other,
 * and what must be found in them.
 */
#ifndef WIRESCORE_TESTS_PACKET_CASES_H
#define WIRESCORE_TESTS_PACKET_CASES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "packet.h"
#include "packet_sanity.h"

#define CASE_MAX_BYTES 1024

struct packet_flow_case {
	const char *name;
	enum packet_link link;
	const char *hex;
	struct packet want;	 /* the link's fields are not looked at */
	uint32_t uncaptured;	 /* bytes on the wire that the capture lacks */
	enum packet_depth depth; /* the least at which it is so: PACKET_DEPTH_TYPE for both */
};

/* Lengths, protocols and the like are digits too: ETHERNET("0800") IPV4("0028", "06") TCP is a frame. */
#define MACS	       "ffffffffffff020000000001"
#define ETHERNET(type) MACS type
#define IPV4_OF(total, id, place, protocol)        \
	"4500" total id place "40" protocol "0000" \
	"0a000001"                                 \
	"0a000002"
#define IPV4(total, protocol)		 IPV4_OF(total, "1234", "4000", protocol)
#define IPV6_FROM(source, payload, next) "60000000" payload next "40" source "20010db8000000000000000000000002"
#define IPV6(payload, next)		 IPV6_FROM("20010db8000000000000000000000001", payload, next)
#define TCP_OF(words)                 \
	"04d2"                        \
	"0050"                        \
	"0000000100000002" words "18" \
	"2000"                        \
	"00000000"
#define TCP		  TCP_OF("50")
#define UDP(port, length) "04d2" port length "0000"

/* What these headers come to. */
#define WANT_IPV4(offset, bytes) \
	.ip_version = 4, .ttl = 64, .ip_id = 0x1234, .ip_offset = (offset), .ip_bytes = (bytes)
#define WANT_IPV6(offset, bytes) .ip_version = 6, .ttl = 64, .ip_offset = (offset), .ip_bytes = (bytes)
#define WANT_TCP(payload)                                                                         \
	.protocol = PACKET_PROTOCOL_TCP, .src_port = 1234, .dst_port = 80, .transport_bytes = 20, \
	.tcp_flags = PACKET_TCP_ACK | PACKET_TCP_PSH, .tcp_window = 0x2000, .payload_bytes = (payload)
#define WANT_UDP(port, payload)                                                                      \
	.protocol = PACKET_PROTOCOL_UDP, .src_port = 1234, .dst_port = (port), .transport_bytes = 8, \
	.payload_bytes = (payload)

static inline uint32_t bytes_of_hex(const char *hex, uint8_t *bytes)
{
	uint32_t n = 0;

	for (; hex[0] && hex[1]; hex += 2)
		bytes[n++] = (uint8_t)strtoul((char[]){hex[0], hex[1], 0}, NULL, 16);
	return n;
}

/* Parses at every depth and checks what holds of any packet. packets is [PACKET_DEPTH_INNER + 1]. */
static inline void parse_at_every_depth(const char *name, enum packet_link link, const struct frame *frame,
					struct packet *packets)
{
	for (int depth = PACKET_DEPTH_TYPE; depth <= PACKET_DEPTH_INNER; depth++) {
		const char *contradiction;

		memset(&packets[depth], 0xa5, sizeof(packets[depth]));
		packet_parse_burst(link, (enum packet_depth)depth, frame, 1, &packets[depth]);
		contradiction = packet_contradiction(frame, (enum packet_depth)depth, &packets[depth]);
		if (contradiction)
			fail_msg("%s, %u of %u bytes, depth %d: %s", name, frame->captured_bytes, frame->wire_bytes,
				 depth, contradiction);
		if (!packet_link_is_same(&packets[PACKET_DEPTH_TYPE], &packets[depth]))
			fail_msg("%s, %u of %u bytes, depth %d: the link layer differs", name,
				 frame->captured_bytes, frame->wire_bytes, depth);
	}
}

/* Fails with the first field of the flow that differs. */
static inline void assert_same_flow(const char *name, int depth, const struct packet *got,
				    const struct packet *want)
{
#define FIELD(field)                   \
	if (got->field != want->field) \
	fail_msg("%s, depth %d: " #field " is %u, not %u", name, depth, (unsigned)got->field, (unsigned)want->field)
	FIELD(status);
	FIELD(ip_version);
	if (want->ip_version == 0)
		return;
	FIELD(protocol);
	FIELD(flags);
	FIELD(ttl);
	FIELD(ip_offset);
	FIELD(ip_id);
	FIELD(src_port);
	FIELD(dst_port);
	FIELD(transport_bytes);
	FIELD(tcp_window);
	FIELD(tcp_flags);
	FIELD(icmp_type);
	FIELD(icmp_code);
	FIELD(n_tunnels);
	FIELD(vlan);
	FIELD(is_vlan_inner);
	FIELD(has_tunnel_id);
	FIELD(tunnel_id);
	FIELD(ip_bytes);
	FIELD(payload_bytes);
	FIELD(fragment_id);
#undef FIELD
}

/* Each case as it is, in memory of exactly its length. */
static inline void check_cases(const struct packet_flow_case *cases, size_t n_cases)
{
	struct guard guard = guard_create(CASE_MAX_BYTES);
	struct packet packets[PACKET_DEPTH_INNER + 1];
	uint8_t bytes[CASE_MAX_BYTES];

	for (size_t i = 0; i < n_cases; i++) {
		const struct packet_flow_case *c = &cases[i];
		uint32_t n_bytes = bytes_of_hex(c->hex, bytes);
		struct frame frame = {guard_place(&guard, bytes, n_bytes), n_bytes, n_bytes + c->uncaptured, 0, 0};

		parse_at_every_depth(c->name, c->link, &frame, packets);
		if (c->depth != PACKET_DEPTH_INNER)
			assert_same_flow(c->name, PACKET_DEPTH_OUTER, &packets[PACKET_DEPTH_OUTER], &c->want);
		assert_same_flow(c->name, PACKET_DEPTH_INNER, &packets[PACKET_DEPTH_INNER], &c->want);
	}
	guard_free(&guard);
}

/*
 * Each case cut at every byte, once by the capture and once on the wire. A capture that is cut tells the same of
 * the IP header that it comes to, or says that it is cut.
 */
static inline void check_cases_cut(const struct packet_flow_case *cases, size_t n_cases)
{
	struct guard guard = guard_create(CASE_MAX_BYTES);
	struct packet whole[PACKET_DEPTH_INNER + 1], cut[PACKET_DEPTH_INNER + 1];
	uint8_t bytes[CASE_MAX_BYTES];

	for (size_t i = 0; i < n_cases; i++) {
		const struct packet_flow_case *c = &cases[i];
		uint32_t n_bytes = bytes_of_hex(c->hex, bytes), n_wire = n_bytes + c->uncaptured;
		struct frame frame = {bytes, n_bytes, n_wire, 0, 0};

		parse_at_every_depth(c->name, c->link, &frame, whole);
		for (uint32_t n = 0; n < n_bytes; n++) {
			frame = (struct frame){guard_place(&guard, bytes, n), n, n, 0, 0};
			parse_at_every_depth(c->name, c->link, &frame, cut);
			frame.wire_bytes = n_wire;
			parse_at_every_depth(c->name, c->link, &frame, cut);
			for (int depth = PACKET_DEPTH_OUTER; depth <= PACKET_DEPTH_INNER; depth++)
				if (cut[depth].status == PACKET_OK && cut[depth].ip_version &&
				    cut[depth].ip_offset == whole[depth].ip_offset &&
				    whole[depth].status == PACKET_OK)
					assert_same_flow(c->name, depth, &cut[depth], &whole[depth]);
		}
	}
	guard_free(&guard);
}

#endif
