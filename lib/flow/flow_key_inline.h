/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Making a key without a call for every packet. Included by the files of lib/flow that make many.
 */
#ifndef WIRESCORE_FLOW_KEY_INLINE_H
#define WIRESCORE_FLOW_KEY_INLINE_H

#include <stddef.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "flow_key.h"

/* Offsets in an IP header, which the parser has found to be whole. */
enum {
	IPV4_SOURCE = 12,
	IPV4_DESTINATION = 16,
	IPV6_SOURCE = 8,
	IPV6_DESTINATION = 24,
};

/* Which id of the packet counts. */
static inline enum flow_scope flow_key_scope(const struct packet *packet, enum flow_scope scope)
{
	int has_vlan = packet->vlan != 0;

	switch (scope) {
	case FLOW_SCOPE_INNERMOST:
		if (packet->has_tunnel_id && !(has_vlan && packet->is_vlan_inner))
			return FLOW_SCOPE_TUNNEL;
		return has_vlan ? FLOW_SCOPE_VLAN : FLOW_SCOPE_NONE;
	case FLOW_SCOPE_VLAN:
		return has_vlan ? FLOW_SCOPE_VLAN : FLOW_SCOPE_NONE;
	case FLOW_SCOPE_TUNNEL:
		return packet->has_tunnel_id ? FLOW_SCOPE_TUNNEL : FLOW_SCOPE_NONE;
	case FLOW_SCOPE_NONE:
		break;
	}
	return FLOW_SCOPE_NONE;
}

static inline uint32_t flow_key_scope_id(const struct packet *packet, enum flow_scope scope)
{
	if (!(packet->vlan | packet->has_tunnel_id))
		return 0;
	switch (flow_key_scope(packet, scope)) {
	case FLOW_SCOPE_VLAN:
		return FLOW_KEY_VLANS | packet->vlan;
	case FLOW_SCOPE_TUNNEL:
		return packet->tunnel_id & 0xffffff;
	default:
		return 0;
	}
}

static inline uint32_t flow_key_be32(uint32_t word)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_bswap32(word);
#else
	return word;
#endif
}

/* An endpoint with an IPv4 address, which is in the order of the header. */
static inline void flow_key_set_ipv4(uint8_t *address, uint32_t ipv4)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	uint64_t words[2] = {0, (uint64_t)ipv4 << 32 | 0xffff0000u};
#else
	uint64_t words[2] = {0, 0x0000ffff00000000u | ipv4};
#endif

	memcpy(address, words, sizeof(words));
}

/* What follows the addresses, in one store: the compiler would make four of it. */
static inline void flow_key_set_rest(struct flow_key *key, uint32_t port_0, uint32_t port_1, uint32_t protocol,
				     uint32_t scope_id)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	uint64_t word = port_0 | port_1 << 16 | (uint64_t)protocol << 32 | (uint64_t)scope_id << 40;

	memcpy((uint8_t *)key + offsetof(struct flow_key, port), &word, sizeof(word));
#else
	key->port[0] = (uint16_t)port_0;
	key->port[1] = (uint16_t)port_1;
	key->protocol = protocol & 0xff;
	key->scope_id = scope_id & 0xffffff;
#endif
}

/* flow_key_make with the ports and the scope's id of its caller. */
static inline uint32_t flow_key_make_with(const struct frame *frame, const struct packet *packet,
					  uint16_t source_port, uint16_t destination_port, uint32_t scope_id,
					  int is_one_way, struct flow_key *key)
{
	const uint8_t *ip = frame->data + packet->ip_offset;
	uint32_t is_swapped, swap_ports;

	if (packet->ip_version == 4) {
		uint32_t source_ip, destination_ip, swap_ip;

		memcpy(&source_ip, ip + IPV4_SOURCE, sizeof(source_ip));
		memcpy(&destination_ip, ip + IPV4_DESTINATION, sizeof(destination_ip));
		/* Endpoints as numbers: address, then port. */
		is_swapped = !is_one_way & (((uint64_t)flow_key_be32(source_ip) << 16 | source_port) >
					    ((uint64_t)flow_key_be32(destination_ip) << 16 | destination_port));
		swap_ip = (source_ip ^ destination_ip) & -is_swapped;
		flow_key_set_ipv4(key->address[0], source_ip ^ swap_ip);
		flow_key_set_ipv4(key->address[1], destination_ip ^ swap_ip);
	} else {
		int order = memcmp(ip + IPV6_SOURCE, ip + IPV6_DESTINATION, 16);

		is_swapped = !is_one_way & (order > 0 || (order == 0 && source_port > destination_port));
		memcpy(key->address[is_swapped], ip + IPV6_SOURCE, 16);
		memcpy(key->address[!is_swapped], ip + IPV6_DESTINATION, 16);
	}
	/* Without a branch, as above: which end is lower cannot be predicted. */
	swap_ports = ((uint32_t)source_port ^ destination_port) & -is_swapped;
	flow_key_set_rest(key, source_port ^ swap_ports, destination_port ^ swap_ports, packet->protocol, scope_id);
	return is_swapped;
}

static inline uint32_t flow_key_make_inline(const struct frame *frame, const struct packet *packet,
					    enum flow_scope scope, int is_one_way, struct flow_key *key)
{
	return flow_key_make_with(frame, packet, packet->src_port, packet->dst_port,
				  flow_key_scope_id(packet, scope), is_one_way, key);
}

/* left is aligned to 16 bytes. */
static inline int flow_key_equal_aligned(const struct flow_key *left, const struct flow_key *right)
{
#if defined(__SSE2__)
	const uint8_t *a = (const uint8_t *)left, *b = (const uint8_t *)right;
	__m128i low = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(const void *)b),
				     _mm_load_si128((const __m128i *)(const void *)a));
	__m128i high = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(const void *)(b + 16)),
				      _mm_load_si128((const __m128i *)(const void *)(a + 16)));
	uint64_t rest_a, rest_b;

	memcpy(&rest_a, a + 32, sizeof(rest_a));
	memcpy(&rest_b, b + 32, sizeof(rest_b));
	return _mm_movemask_epi8(_mm_and_si128(low, high)) == 0xffff && rest_a == rest_b;
#else
	return !memcmp(left, right, sizeof(*left));
#endif
}

#endif
