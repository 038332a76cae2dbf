/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What holds of every parsed packet, whatever the frame: for unit tests and the fuzzer.
 */
#ifndef WIRESCORE_TESTS_PACKET_SANITY_H
#define WIRESCORE_TESTS_PACKET_SANITY_H

#include <stdbool.h>
#include <stddef.h>

#include "packet.h"

static inline bool packet_has_port_fields(const struct packet *packet)
{
	return packet->protocol == PACKET_PROTOCOL_TCP || packet->protocol == PACKET_PROTOCOL_UDP ||
	       packet->protocol == PACKET_PROTOCOL_UDP_LITE || packet->protocol == PACKET_PROTOCOL_SCTP;
}

/* Of a packet with a flow: what its lengths contradict, or NULL. */
static inline const char *packet_length_contradiction(const struct frame *frame, const struct packet *packet)
{
	uint32_t header = packet->ip_version == 4 ? 20 : 40;
	uint32_t wire = frame->wire_bytes > frame->captured_bytes ? frame->wire_bytes : frame->captured_bytes;

	if (packet->ip_offset < packet->network_offset)
		return "an IP header before the network layer";
	if (packet->ip_offset + header > frame->captured_bytes)
		return "an IP header that is not whole";
	if (frame->data[packet->ip_offset] >> 4 != packet->ip_version)
		return "an IP header of another version";
	if (packet->ip_bytes > wire - packet->ip_offset)
		return "an IP packet longer than the frame";
	if (header + packet->transport_bytes > packet->ip_bytes ||
	    packet->payload_bytes > packet->ip_bytes - header - packet->transport_bytes)
		return "headers and payload longer than the IP packet";
	return NULL;
}

/* Of a packet with a flow: which field is set that cannot be, or NULL. */
static inline const char *packet_field_contradiction(const struct packet *packet)
{
	bool is_tcp = packet->protocol == PACKET_PROTOCOL_TCP;
	bool is_icmp = packet->protocol == PACKET_PROTOCOL_ICMP || packet->protocol == PACKET_PROTOCOL_ICMPV6;
	bool is_headless = packet->flags & (PACKET_FLAG_FRAGMENT_REST | PACKET_FLAG_ADDRESSES_ONLY);

	if ((packet->src_port || packet->dst_port) && (is_headless || !packet_has_port_fields(packet)))
		return "ports without a header for them";
	if (packet->flags & PACKET_FLAG_FRAGMENT_REST &&
	    (packet->transport_bytes || !(packet->flags & PACKET_FLAG_FRAGMENT)))
		return "the rest of no fragment";
	if (packet->flags & PACKET_FLAG_ADDRESSES_ONLY &&
	    (packet->status < PACKET_SHORT_EXTENSION || packet->status > PACKET_SHORT_TRANSPORT))
		return "addresses alone without a reason";
	if (packet->fragment_id && !(packet->flags & PACKET_FLAG_FRAGMENT))
		return "a fragment's id without a fragment";
	if (packet->flags & PACKET_FLAG_FRAGMENT
		    ? packet->fragment_ip_offset > packet->ip_offset ||
			      (packet->fragment_ip_offset != packet->ip_offset &&
			       (!packet->n_tunnels || packet->flags & PACKET_FLAG_FRAGMENT_REST))
		    : packet->fragment_ip_offset || packet->fragment_network)
		return "a fragment of another packet";
	if ((packet->tcp_flags || packet->tcp_window) && (!is_tcp || packet->transport_bytes < 20))
		return "TCP fields without TCP";
	if (is_tcp && packet->transport_bytes % 4)
		return "a TCP header of broken words";
	if ((packet->icmp_type || packet->icmp_code) && !is_icmp)
		return "ICMP fields without ICMP";
	if (packet->vlan > 4095 || (packet->is_vlan_inner && (!packet->vlan || !packet->n_tunnels)))
		return "a VLAN from nowhere";
	if (packet->tunnel_id >> 24 || (packet->tunnel_id && !packet->has_tunnel_id) ||
	    (packet->has_tunnel_id && !packet->n_tunnels))
		return "a tunnel's id from nowhere";
	return NULL;
}

/* What in the packet contradicts the frame or the depth, or NULL. */
static inline const char *packet_contradiction(const struct frame *frame, enum packet_depth depth,
					       const struct packet *packet)
{
	const char *contradiction;

	if (packet->status > PACKET_TOO_MANY_TUNNELS)
		return "an unknown status";
	if (packet->network_offset > frame->captured_bytes || packet->n_vlan_tags > PACKET_MAX_VLAN_TAGS)
		return "a link layer past the end";
	if (packet->ip_version == 0)
		return packet->status > PACKET_BAD_IPV6 ? "no flow for a reason behind the IP header" : NULL;
	if (depth == PACKET_DEPTH_TYPE)
		return "a flow that nobody asked for";
	if (packet->ip_version != 4 && packet->ip_version != 6)
		return "an unknown IP version";
	if (packet->n_tunnels > (depth == PACKET_DEPTH_INNER ? PACKET_MAX_TUNNELS : 0))
		return "too many tunnels";
	contradiction = packet_length_contradiction(frame, packet);
	return contradiction ? contradiction : packet_field_contradiction(packet);
}

/*
 * Whether what is known of the link layer is the same: packet was parsed deeper than type was. Reasons of the
 * link layer are its own, so that they mean the same at any depth.
 */
static inline bool packet_link_is_same(const struct packet *type, const struct packet *packet)
{
	return type->ethertype == packet->ethertype && type->network_ethertype == packet->network_ethertype &&
	       type->network_offset == packet->network_offset && type->n_vlan_tags == packet->n_vlan_tags &&
	       (type->status == PACKET_OK
			? packet->status == PACKET_OK || packet->status >= PACKET_SHORT_ENCAPSULATION ||
				  packet->status == PACKET_TOO_MANY_TAGS
			: packet->status == type->status);
}

#endif
