/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tunnels: IP in IP (RFC 2003, 2473, 4213), GRE (RFC 2784, 2890) with NVGRE (RFC 7637) and PPTP (RFC 2637), VXLAN
 * (RFC 7348), Geneve (RFC 8926), GTP-U (3GPP TS 29.281) and Teredo (RFC 4380). Called by the parser for packets
 * with a tunnel's numbers.
 *
 * A port is no proof: the headers of tunnels over UDP are checked so closely, reserved bits included, that other
 * traffic on their ports stays what it is. Only behind such a check does what is wrong inside become the status.
 */
#include "packet_cursor.h"

#define GRE_BYTES		4
#define VXLAN_BYTES		8
#define GENEVE_BYTES		8
#define GTP_BYTES		8
#define TEREDO_ORIGIN_BYTES	8
#define TEREDO_LEAST_AUTH_BYTES 13
#define IPV6_BYTES		40

enum gre_bit {
	GRE_CHECKSUM = 0x8000,
	GRE_ROUTING = 0x4000,
	GRE_KEY = 0x2000,
	GRE_SEQUENCE = 0x1000,
	GRE_ACKNOWLEDGEMENT = 0x0080, /* of version 1 */
	GRE_VERSION = 0x0007,
};

static bool packet_tunnel_is_cut(struct packet *inner)
{
	inner->status = PACKET_SHORT_TUNNEL;
	return false;
}

static void packet_set_tunnel_id(struct packet *inner, uint32_t id)
{
	inner->tunnel_id = id;
	inner->has_tunnel_id = 1;
	inner->is_vlan_inner = 0;
}

/* Whether n_bytes fit into what the tunnel's packet carries. A fragment carries less than its datagram. */
static bool packet_payload_fits(const struct packet *outer, uint32_t n_bytes)
{
	return outer->flags & PACKET_FLAG_FRAGMENT || n_bytes <= outer->payload_bytes;
}

static bool packet_open_ip(struct packet_cursor *cursor, uint16_t ethertype)
{
	cursor->ethertype = ethertype;
	return true;
}

/* PPTP: key and protocol are fixed; without a sequence number there is no payload. */
static bool packet_open_pptp(struct packet_cursor *cursor, uint16_t bits, struct packet *inner)
{
	const uint8_t *header = packet_cursor_header(cursor);
	uint32_t n_bytes = bits & GRE_ACKNOWLEDGEMENT ? 16 : 12;

	if (read_be16(header + 2) != ETHERTYPE_PPP || !(bits & GRE_KEY) || !(bits & GRE_SEQUENCE))
		return false;
	if (packet_cursor_left(cursor) < n_bytes)
		return packet_tunnel_is_cut(inner);
	cursor->offset += n_bytes;
	/* RFC 1662: address 0xff and control 0x03 may be left out. */
	if (packet_cursor_left(cursor) >= 2 && read_be16(packet_cursor_header(cursor)) == 0xff03)
		cursor->offset += 2;
	return packet_skip_ppp(cursor, PACKET_SHORT_TUNNEL, inner);
}

static bool packet_open_gre(struct packet_cursor *cursor, struct packet *inner)
{
	const uint8_t *header = packet_cursor_header(cursor);
	uint32_t n_bytes = GRE_BYTES, key_offset;
	uint16_t bits;

	if (packet_cursor_left(cursor) < GRE_BYTES)
		return packet_tunnel_is_cut(inner);
	bits = read_be16(header);
	if ((bits & GRE_VERSION) == 1)
		return packet_open_pptp(cursor, bits, inner);
	/* RFC 2784: a packet with routing is dropped, and so is another version. */
	if (bits & (GRE_VERSION | GRE_ROUTING))
		return false;
	n_bytes += bits & GRE_CHECKSUM ? 4 : 0;
	key_offset = n_bytes;
	n_bytes += bits & GRE_KEY ? 4 : 0;
	n_bytes += bits & GRE_SEQUENCE ? 4 : 0;
	if (packet_cursor_left(cursor) < n_bytes)
		return packet_tunnel_is_cut(inner);

	cursor->ethertype = packet_read_ethertype(header + 2);
	cursor->offset += n_bytes;
	switch (cursor->ethertype) {
	case ETHERTYPE_IPV4:
	case ETHERTYPE_IPV6:
	case ETHERTYPE_MPLS:
	case ETHERTYPE_MPLS_MULTICAST:
		return true;
	case ETHERTYPE_BRIDGING:
		if (bits & GRE_KEY)
			packet_set_tunnel_id(inner, read_be24(header + key_offset));
		return packet_skip_ethernet(cursor, inner);
	}
	return false;
}

/* Its group policy extension (flag 0x80) uses what is reserved in bytes 1 to 3. */
static bool packet_open_vxlan(struct packet_cursor *cursor, struct packet *inner)
{
	const uint8_t *header = packet_cursor_header(cursor);

	if (packet_cursor_left(cursor) < VXLAN_BYTES || header[7] != 0)
		return false;
	if (header[0] != 0x88 && (header[0] != 0x08 || read_be24(header + 1) != 0))
		return false;
	packet_set_tunnel_id(inner, read_be24(header + 4));
	cursor->offset += VXLAN_BYTES;
	return packet_skip_ethernet(cursor, inner);
}

static bool packet_open_geneve(struct packet_cursor *cursor, const struct packet *outer, struct packet *inner)
{
	const uint8_t *header = packet_cursor_header(cursor);
	uint32_t n_bytes;
	uint16_t ethertype;

	/* Version 0 and no reserved bit. */
	if (packet_cursor_left(cursor) < GENEVE_BYTES || header[0] & 0xc0 || header[1] & 0x3f || header[7] != 0)
		return false;
	n_bytes = GENEVE_BYTES + (header[0] & 0x3fu) * 4;
	ethertype = read_be16(header + 2);
	if (!packet_payload_fits(outer, n_bytes) ||
	    !(ethertype == ETHERTYPE_BRIDGING || ethertype_is_ip(ethertype)))
		return false;
	if (packet_cursor_left(cursor) < n_bytes)
		return packet_tunnel_is_cut(inner);
	packet_set_tunnel_id(inner, read_be24(header + 4));
	cursor->offset += n_bytes;
	if (ethertype == ETHERTYPE_BRIDGING)
		return packet_skip_ethernet(cursor, inner);
	return packet_open_ip(cursor, ethertype);
}

/* Version 1, a message that carries a packet (255), with any of the flags E, S, PN. */
static bool packet_open_gtp(struct packet_cursor *cursor, const struct packet *outer, struct packet *inner)
{
	const uint8_t *header = packet_cursor_header(cursor);
	uint32_t left = packet_cursor_left(cursor), n_bytes = GTP_BYTES;
	uint8_t next_extension = 0;

	if (left < GTP_BYTES || (header[0] & 0xf8) != 0x30 || header[1] != 255 ||
	    !packet_payload_fits(outer, GTP_BYTES + read_be16(header + 2)))
		return false;
	if (header[0] & 0x07) {
		n_bytes += 4;
		if (left < n_bytes)
			return packet_tunnel_is_cut(inner);
		next_extension = header[0] & 0x04 ? header[11] : 0;
	}
	for (int n = 0; next_extension != 0; n++) {
		uint32_t extension_bytes;

		if (left <= n_bytes)
			return packet_tunnel_is_cut(inner);
		extension_bytes = header[n_bytes] * 4u;
		if (n == PACKET_MAX_EXTENSIONS || extension_bytes == 0)
			return false;
		n_bytes += extension_bytes;
		if (left < n_bytes)
			return packet_tunnel_is_cut(inner);
		next_extension = header[n_bytes - 1];
	}
	cursor->offset += n_bytes;
	return packet_find_ip_version(cursor, PACKET_SHORT_TUNNEL, inner);
}

/* 2001::/32, or the prefix that Windows XP began with (3ffe:831f::/32). */
static bool packet_is_teredo_address(const uint8_t *address)
{
	uint32_t prefix = read_be32(address);

	return prefix == 0x20010000 || prefix == 0x3ffe831f;
}

/*
 * Authentication and origin indications, either or none, then IPv6. Teredo has no header of its own to know it
 * by: the addresses are its clients', or a client's link-local one while it looks for a relay.
 */
static bool packet_open_teredo(struct packet_cursor *cursor, const struct packet *outer)
{
	const uint8_t *header = packet_cursor_header(cursor);
	uint32_t left = packet_cursor_left(cursor), n_bytes = 0;

	if (left >= TEREDO_LEAST_AUTH_BYTES && read_be16(header) == 0x0001)
		n_bytes = TEREDO_LEAST_AUTH_BYTES + header[2] + header[3];
	if (left >= n_bytes + TEREDO_ORIGIN_BYTES && read_be16(header + n_bytes) == 0x0000)
		n_bytes += TEREDO_ORIGIN_BYTES;
	if (left < n_bytes + IPV6_BYTES)
		return false;
	header += n_bytes;
	if (header[0] >> 4 != 6 || !packet_payload_fits(outer, n_bytes + IPV6_BYTES + read_be16(header + 4)))
		return false;
	if (!packet_is_teredo_address(header + 8) && !packet_is_teredo_address(header + 24) &&
	    (read_be16(header + 8) & 0xffc0) != 0xfe80)
		return false;
	cursor->offset += n_bytes;
	return packet_open_ip(cursor, ETHERTYPE_IPV6);
}

static bool packet_open_udp(struct packet_cursor *cursor, const struct packet *outer, struct packet *inner)
{
	/* What UDP carries may be less than what IP does. */
	cursor->offset += outer->transport_bytes;
	packet_cursor_narrow(cursor, cursor->offset, outer->payload_bytes);
	switch (outer->dst_port) {
	case PACKET_PORT_VXLAN:
	case PACKET_PORT_VXLAN_LINUX:
		return packet_open_vxlan(cursor, inner);
	case PACKET_PORT_GENEVE:
		return packet_open_geneve(cursor, outer, inner);
	case PACKET_PORT_GTP_U:
		return packet_open_gtp(cursor, outer, inner);
	}
	return packet_open_teredo(cursor, outer);
}

bool packet_open_tunnel(struct packet_cursor *cursor, const struct packet *outer, struct packet *inner)
{
	switch (outer->protocol) {
	case PACKET_PROTOCOL_IPV4:
		return packet_open_ip(cursor, ETHERTYPE_IPV4);
	case PACKET_PROTOCOL_IPV6:
		return packet_open_ip(cursor, ETHERTYPE_IPV6);
	case PACKET_PROTOCOL_GRE:
		return packet_open_gre(cursor, inner);
	}
	return packet_open_udp(cursor, outer, inner);
}
