/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From the network layer on: IPv4 (RFC 791), IPv6 with its extension headers (RFC 8200), AH (RFC 4302) and the
 * transport headers behind them, and into tunnels. Called by packet_parse_burst when the link layers are parsed.
 */
#include "packet_cursor.h"

#define IPV4_BYTES	      20
#define IPV6_BYTES	      40
#define LEAST_EXTENSION_BYTES 8
#define PORTS_BYTES	      4
#define TCP_BYTES	      20
#define UDP_BYTES	      8
#define SCTP_BYTES	      12
#define ICMP_BYTES	      8
#define ESP_BYTES	      8

/* IPv6 extension headers that are followed (IANA), but for AH. */
enum {
	EXTENSION_HOP_BY_HOP = 0,
	EXTENSION_ROUTING = 43,
	EXTENSION_FRAGMENT = 44,
	EXTENSION_DESTINATION = 60,
	EXTENSION_MOBILITY = 135,
	EXTENSION_HIP = 139,
	EXTENSION_SHIM6 = 140,
};
#define IPV6_NO_NEXT_HEADER 59

static bool packet_next_is_extension(const struct packet *packet)
{
	switch (packet->protocol) {
	case PACKET_PROTOCOL_AH:
		return true;
	case EXTENSION_HOP_BY_HOP:
	case EXTENSION_ROUTING:
	case EXTENSION_FRAGMENT:
	case EXTENSION_DESTINATION:
	case EXTENSION_MOBILITY:
	case EXTENSION_HIP:
	case EXTENSION_SHIM6:
		return packet->ip_version == 6;
	}
	return false;
}

/* Length of an extension header by its own word, once its first bytes are there. */
static uint32_t packet_extension_bytes(uint8_t protocol, const uint8_t *header)
{
	if (protocol == EXTENSION_FRAGMENT)
		return 8;
	if (protocol == PACKET_PROTOCOL_AH)
		return (header[1] + 2u) * 4;
	return (header[1] + 1u) * 8;
}

static void packet_set_fragment(struct packet *packet, uint32_t fragment_id)
{
	packet->flags |= PACKET_FLAG_FRAGMENT;
	packet->fragment_id = fragment_id;
	packet->fragment_ip_offset = packet->ip_offset;
	if (packet->has_tunnel_id && !packet->is_vlan_inner)
		packet->fragment_network = packet->tunnel_id;
	else if (packet->vlan)
		packet->fragment_network = PACKET_NETWORK_VLAN | packet->vlan;
}

/* A header that says that the datagram is whole (an "atomic fragment", RFC 6946) makes no fragment. */
static void packet_set_ipv6_fragment(struct packet *packet, const uint8_t *header)
{
	uint16_t place = read_be16(header + 2);

	if (place & 0xfff9)
		packet_set_fragment(packet, read_be32(header + 4));
	if (place & 0xfff8)
		packet->flags |= PACKET_FLAG_FRAGMENT_REST;
}

static enum packet_status packet_skip_extensions(struct packet_cursor *cursor, struct packet *packet)
{
	for (int n = 0; packet_next_is_extension(packet); n++) {
		const uint8_t *header = packet_cursor_header(cursor);
		uint32_t left = packet_cursor_left(cursor), n_bytes;

		if (n == PACKET_MAX_EXTENSIONS)
			return PACKET_TOO_MANY_EXTENSIONS;
		if (left < LEAST_EXTENSION_BYTES)
			return PACKET_SHORT_EXTENSION;
		n_bytes = packet_extension_bytes(packet->protocol, header);
		if (left < n_bytes)
			return PACKET_SHORT_EXTENSION;
		if (packet->protocol == EXTENSION_FRAGMENT)
			packet_set_ipv6_fragment(packet, header);
		packet->protocol = header[0];
		cursor->offset += n_bytes;
		if (packet->flags & PACKET_FLAG_FRAGMENT_REST)
			break;
	}
	return PACKET_OK;
}

/* Ports, in the first bytes of TCP, UDP, UDP-Lite and SCTP alike. */
static inline void packet_set_ports(struct packet *packet, const uint8_t *header, uint32_t left)
{
	if (left < PORTS_BYTES) {
		packet->flags |= PACKET_FLAG_ADDRESSES_ONLY;
		return;
	}
	packet->src_port = read_be16(header);
	packet->dst_port = read_be16(header + 2);
}

/* A transport header whose length is known without it: a cut one still leaves the right lengths. */
static inline void packet_set_fixed_header(struct packet *packet, uint32_t header_bytes, uint32_t left,
					   uint32_t ip_payload)
{
	if (left < header_bytes)
		packet->status = PACKET_SHORT_TRANSPORT;
	if (ip_payload >= header_bytes) {
		packet->transport_bytes = (uint16_t)header_bytes;
		packet->payload_bytes = ip_payload - header_bytes;
	}
}

static inline void packet_parse_tcp(struct packet *packet, const uint8_t *header, uint32_t left,
				    uint32_t ip_payload)
{
	uint32_t header_bytes;

	packet_set_ports(packet, header, left);
	if (left < TCP_BYTES) {
		packet->status = PACKET_SHORT_TRANSPORT;
		return;
	}
	header_bytes = (header[12] >> 4) * 4u;
	if (header_bytes < TCP_BYTES || header_bytes > ip_payload) {
		packet->status = PACKET_BAD_TRANSPORT;
		return;
	}
	packet->tcp_flags = header[13];
	packet->tcp_window = read_be16(header + 14);
	packet_set_fixed_header(packet, header_bytes, left, ip_payload);
}

static inline void packet_parse_udp(struct packet *packet, const uint8_t *header, uint32_t left,
				    uint32_t ip_payload)
{
	uint32_t udp_bytes;

	packet_set_ports(packet, header, left);
	packet_set_fixed_header(packet, UDP_BYTES, left, ip_payload);
	if (left < UDP_BYTES)
		return;
	udp_bytes = read_be16(header + 4);
	/* 0 is a jumbogram (RFC 2675) or a segment that the card has yet to cut. */
	if (udp_bytes >= UDP_BYTES && udp_bytes - UDP_BYTES < packet->payload_bytes)
		packet->payload_bytes = udp_bytes - UDP_BYTES;
}

static void packet_parse_icmp(struct packet *packet, const uint8_t *header, uint32_t left, uint32_t ip_payload)
{
	if (left >= 2) {
		packet->icmp_type = header[0];
		packet->icmp_code = header[1];
	}
	packet_set_fixed_header(packet, ICMP_BYTES, left, ip_payload);
}

static inline void packet_parse_transport(struct packet_cursor *cursor, struct packet *packet)
{
	const uint8_t *header = packet_cursor_header(cursor);
	uint32_t left = packet_cursor_left(cursor), ip_payload = cursor->end - cursor->offset;

	switch (packet->protocol) {
	case PACKET_PROTOCOL_TCP:
		packet_parse_tcp(packet, header, left, ip_payload);
		break;
	case PACKET_PROTOCOL_UDP:
		packet_parse_udp(packet, header, left, ip_payload);
		break;
	case PACKET_PROTOCOL_ICMP:
	case PACKET_PROTOCOL_ICMPV6:
		packet_parse_icmp(packet, header, left, ip_payload);
		break;
	case PACKET_PROTOCOL_UDP_LITE:
		packet_set_ports(packet, header, left);
		packet_set_fixed_header(packet, UDP_BYTES, left, ip_payload);
		break;
	case PACKET_PROTOCOL_SCTP:
		packet_set_ports(packet, header, left);
		packet_set_fixed_header(packet, SCTP_BYTES, left, ip_payload);
		break;
	case PACKET_PROTOCOL_ESP:
		packet_set_fixed_header(packet, ESP_BYTES, left, ip_payload);
		break;
	default:
		packet->payload_bytes = ip_payload;
	}
}

/* What IP carries, from the cursor on, which stands behind the fixed header and its options. */
static inline void packet_parse_ip_payload(struct packet_cursor *cursor, struct packet *packet)
{
	enum packet_status status = PACKET_OK;

	if (packet_next_is_extension(packet) && !(packet->flags & PACKET_FLAG_FRAGMENT_REST))
		status = packet_skip_extensions(cursor, packet);
	if (status != PACKET_OK) {
		packet->status = (uint8_t)status;
		packet->flags |= PACKET_FLAG_ADDRESSES_ONLY;
	}
	if (packet->flags & (PACKET_FLAG_FRAGMENT_REST | PACKET_FLAG_ADDRESSES_ONLY)) {
		packet->payload_bytes = cursor->end - cursor->offset;
		return;
	}
	packet_parse_transport(cursor, packet);
}

/* Sets the packet's length, claimed_bytes unless the wire had less, and narrows the cursor to it. */
static inline void packet_set_ip_bytes(struct packet_cursor *cursor, struct packet *packet, uint32_t claimed_bytes)
{
	uint32_t wire_bytes = cursor->end - cursor->offset;

	if (wire_bytes > PACKET_MAX_IP_BYTES)
		wire_bytes = PACKET_MAX_IP_BYTES;
	packet->ip_offset = (uint16_t)cursor->offset;
	packet->ip_bytes = claimed_bytes;
	if (claimed_bytes > wire_bytes) {
		packet->ip_bytes = wire_bytes;
		packet->flags |= PACKET_FLAG_LENGTH_LIES;
	}
	packet_cursor_narrow(cursor, cursor->offset, packet->ip_bytes);
}

static inline enum packet_status packet_parse_ipv4(struct packet_cursor *cursor, struct packet *packet)
{
	const uint8_t *header = packet_cursor_header(cursor);
	uint32_t left = packet_cursor_left(cursor), header_bytes, total_bytes;
	uint16_t place;

	if (left < IPV4_BYTES)
		return PACKET_SHORT_IPV4;
	header_bytes = (header[0] & 15u) * 4;
	if (header[0] >> 4 != 4 || header_bytes < IPV4_BYTES)
		return PACKET_BAD_IPV4;
	if (left < header_bytes)
		return PACKET_SHORT_IPV4;
	total_bytes = read_be16(header + 2);
	if (total_bytes == 0) /* the card has yet to cut it into segments */
		total_bytes = cursor->end - cursor->offset;
	if (total_bytes < header_bytes)
		return PACKET_BAD_IPV4;

	packet_set_ip_bytes(cursor, packet, total_bytes);
	packet->ip_version = 4;
	packet->ip_id = read_be16(header + 4);
	packet->ttl = header[8];
	packet->protocol = header[9];
	place = read_be16(header + 6) & 0x3fff;
	if (place != 0) {
		packet_set_fragment(packet, packet->ip_id);
		if (place & 0x1fff)
			packet->flags |= PACKET_FLAG_FRAGMENT_REST;
	}
	cursor->offset += header_bytes;
	packet_parse_ip_payload(cursor, packet);
	return PACKET_OK;
}

static inline enum packet_status packet_parse_ipv6(struct packet_cursor *cursor, struct packet *packet)
{
	const uint8_t *header = packet_cursor_header(cursor);
	uint32_t total_bytes;

	if (packet_cursor_left(cursor) < IPV6_BYTES)
		return PACKET_SHORT_IPV6;
	if (header[0] >> 4 != 6)
		return PACKET_BAD_IPV6;
	total_bytes = IPV6_BYTES + read_be16(header + 4);
	/* A jumbogram (RFC 2675), or as with IPv4; but no payload is what the last header says. */
	if (total_bytes == IPV6_BYTES && header[6] != IPV6_NO_NEXT_HEADER)
		total_bytes = cursor->end - cursor->offset;

	packet_set_ip_bytes(cursor, packet, total_bytes);
	packet->ip_version = 6;
	packet->protocol = header[6];
	packet->ttl = header[7];
	cursor->offset += IPV6_BYTES;
	packet_parse_ip_payload(cursor, packet);
	return PACKET_OK;
}

/*
 * Reads an IP header, its extensions and the transport header, from cursor->ethertype on, into a packet that has
 * only the link's fields, VLAN and tunnels yet. True: the packet has a flow, and the cursor is narrowed to the IP
 * packet and stands at its transport header, or at what else it carries.
 */
static inline bool packet_parse_ip(struct packet_cursor *cursor, struct packet *packet)
{
	enum packet_status status = cursor->ethertype == ETHERTYPE_IPV4 ? packet_parse_ipv4(cursor, packet)
									: packet_parse_ipv6(cursor, packet);

	if (status != PACKET_OK) {
		packet->status = (uint8_t)status;
		return false;
	}
	return true;
}

/* The rest of the packet inside comes in the fragments behind the tunnel's first, so its length is no lie. */
static void packet_inherit_fragment(const struct packet *packet, struct packet *inner)
{
	inner->flags = (inner->flags | PACKET_FLAG_FRAGMENT) & (uint8_t)~PACKET_FLAG_LENGTH_LIES;
	inner->fragment_id = packet->fragment_id;
	inner->fragment_ip_offset = packet->fragment_ip_offset;
	inner->fragment_network = packet->fragment_network;
}

/*
 * From a tunnel's packet to the one inside: true where it has a flow, which then is packet's. Else packet stays,
 * but for the status.
 */
static bool packet_enter_tunnel(struct packet_cursor *cursor, struct packet *packet)
{
	struct packet_cursor next = *cursor;
	struct packet inner = {
		.ethertype = packet->ethertype,
		.network_ethertype = packet->network_ethertype,
		.network_offset = packet->network_offset,
		.n_vlan_tags = packet->n_vlan_tags,
		.n_tunnels = packet->n_tunnels + 1,
		.vlan = packet->vlan,
		.is_vlan_inner = packet->is_vlan_inner,
		.has_tunnel_id = packet->has_tunnel_id,
		.tunnel_id = packet->tunnel_id,
	};

	if (packet->status != PACKET_OK || packet->flags & PACKET_FLAG_FRAGMENT_REST)
		return false;
	next.n_vlan_tags = 0;
	next.n_labels = 0;
	if (packet_open_tunnel(&next, packet, &inner)) {
		if (packet->n_tunnels == PACKET_MAX_TUNNELS)
			inner.status = PACKET_TOO_MANY_TUNNELS;
		else if (packet_skip_encapsulation(&next, &inner))
			packet_parse_ip(&next, &inner);
	}
	if (inner.ip_version == 0) {
		packet->status = inner.status;
		return false;
	}
	if (packet->flags & PACKET_FLAG_FRAGMENT && !(inner.flags & PACKET_FLAG_FRAGMENT))
		packet_inherit_fragment(packet, &inner);
	*packet = inner;
	*cursor = next;
	return true;
}

/* The innermost id among the link layer's VLAN tags, whose last ends where the network layer begins. */
static uint16_t packet_link_vlan(const struct frame *frame, const struct packet *packet)
{
	const uint8_t *tag = frame->data + packet->network_offset;

	for (int n = packet->n_vlan_tags; n > 0; n--) {
		uint16_t vlan;

		tag -= VLAN_TAG_BYTES;
		vlan = read_be16(tag) & 0xfff;
		if (vlan != 0)
			return vlan;
	}
	return 0;
}

/* From the network layer on. */
static inline void packet_parse_network(const struct frame *frame, enum packet_depth depth, struct packet *packet)
{
	struct packet_cursor cursor = {
		.data = frame->data,
		.readable = frame->captured_bytes < UINT16_MAX ? frame->captured_bytes : UINT16_MAX,
		.end = frame->wire_bytes > frame->captured_bytes ? frame->wire_bytes : frame->captured_bytes,
		.offset = packet->network_offset,
		.ethertype = packet->network_ethertype,
		.n_vlan_tags = packet->n_vlan_tags,
	};

	if (packet->status != PACKET_OK)
		return;
	*packet = (struct packet){
		.ethertype = packet->ethertype,
		.network_ethertype = packet->network_ethertype,
		.network_offset = packet->network_offset,
		.n_vlan_tags = packet->n_vlan_tags,
		.vlan = packet_link_vlan(frame, packet),
	};
	if (!ethertype_is_ip(cursor.ethertype) && !packet_skip_encapsulation(&cursor, packet))
		return;
	if (!packet_parse_ip(&cursor, packet))
		return;
	if (depth == PACKET_DEPTH_INNER)
		while (packet_may_be_tunnel(packet) && packet_enter_tunnel(&cursor, packet))
			;
}

void packet_parse_network_burst(enum packet_depth depth, const struct frame *frames, uint32_t n,
				struct packet *packets)
{
	for (uint32_t i = 0; i < n; i++)
		packet_parse_network(&frames[i], depth, &packets[i]);
}
