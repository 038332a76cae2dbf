/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What may stand between a link layer and IP: LLC/SNAP, VLAN tags, MPLS, PPPoE, Ethernet in a pseudowire. Called
 * by the parser where the next header is not IP. Tags and labels are counted over the whole walk, which bounds it.
 */
#include "packet_cursor.h"

#define SNAP_BYTES  8
#define LABEL_BYTES 4
#define PPPOE_BYTES 6

#define PPP_IPV4 0x0021
#define PPP_IPV6 0x0057

static bool packet_give_up(struct packet *packet, enum packet_status status)
{
	packet->status = status;
	return false;
}

/* Only SNAP names an EtherType, and only where its OUI is zero (RFC 1042). */
static bool packet_skip_llc(struct packet_cursor *cursor, struct packet *packet)
{
	const uint8_t *header = packet_cursor_header(cursor);
	uint32_t left = packet_cursor_left(cursor);

	if (left < 3)
		return packet_give_up(packet, PACKET_SHORT_ENCAPSULATION);
	if (header[0] != 0xaa || header[1] != 0xaa || header[2] != 0x03)
		return false;
	if (left < SNAP_BYTES)
		return packet_give_up(packet, PACKET_SHORT_ENCAPSULATION);
	if (read_be24(header + 3) != 0)
		return false;
	cursor->ethertype = packet_read_ethertype(header + 6);
	cursor->offset += SNAP_BYTES;
	return cursor->ethertype != ETHERTYPE_LENGTH;
}

static bool packet_skip_vlan_tag(struct packet_cursor *cursor, struct packet *packet)
{
	const uint8_t *tag = packet_cursor_header(cursor);
	uint16_t vlan;

	if (cursor->n_vlan_tags == PACKET_MAX_VLAN_TAGS)
		return packet_give_up(packet, PACKET_TOO_MANY_TAGS);
	if (packet_cursor_left(cursor) < VLAN_TAG_BYTES)
		return packet_give_up(packet, PACKET_SHORT_ENCAPSULATION);
	vlan = read_be16(tag) & 0xfff;
	if (vlan != 0) {
		packet->vlan = vlan;
		packet->is_vlan_inner = packet->n_tunnels != 0;
	}
	cursor->ethertype = packet_read_ethertype(tag + 2);
	cursor->offset += VLAN_TAG_BYTES;
	cursor->n_vlan_tags++;
	return true;
}

/*
 * A label stack does not say what it carries: the first four bits behind it tell IP from the control word of a
 * pseudowire (RFC 4385), which is taken to carry Ethernet (RFC 4448).
 */
static bool packet_skip_mpls(struct packet_cursor *cursor, struct packet *packet)
{
	bool is_bottom;

	do {
		if (cursor->n_labels == PACKET_MAX_MPLS_LABELS)
			return packet_give_up(packet, PACKET_TOO_MANY_LABELS);
		if (packet_cursor_left(cursor) < LABEL_BYTES)
			return packet_give_up(packet, PACKET_SHORT_ENCAPSULATION);
		is_bottom = packet_cursor_header(cursor)[2] & 1;
		cursor->offset += LABEL_BYTES;
		cursor->n_labels++;
	} while (!is_bottom);

	if (packet_find_ip_version(cursor, PACKET_SHORT_ENCAPSULATION, packet))
		return true;
	if (packet->status != PACKET_OK || packet_cursor_header(cursor)[0] >> 4 != 0)
		return false;
	if (packet_cursor_left(cursor) < 4)
		return packet_give_up(packet, PACKET_SHORT_ENCAPSULATION);
	cursor->offset += 4;
	return packet_skip_ethernet(cursor, packet);
}

/* RFC 2516: version 1, type 1, code 0 is a session's data. */
static bool packet_skip_pppoe(struct packet_cursor *cursor, struct packet *packet)
{
	const uint8_t *header = packet_cursor_header(cursor);

	if (packet_cursor_left(cursor) < PPPOE_BYTES)
		return packet_give_up(packet, PACKET_SHORT_ENCAPSULATION);
	if (header[0] != 0x11 || header[1] != 0)
		return false;
	cursor->offset += PPPOE_BYTES;
	return packet_skip_ppp(cursor, PACKET_SHORT_ENCAPSULATION, packet);
}

bool packet_skip_encapsulation(struct packet_cursor *cursor, struct packet *packet)
{
	bool has_next = true;

	while (has_next) {
		switch (cursor->ethertype) {
		case ETHERTYPE_IPV4:
		case ETHERTYPE_IPV6:
			return true;
		case ETHERTYPE_LENGTH:
			has_next = packet_skip_llc(cursor, packet);
			break;
		case ETHERTYPE_VLAN:
		case ETHERTYPE_QINQ:
		case ETHERTYPE_QINQ_OLD:
			has_next = packet_skip_vlan_tag(cursor, packet);
			break;
		case ETHERTYPE_MPLS:
		case ETHERTYPE_MPLS_MULTICAST:
			has_next = packet_skip_mpls(cursor, packet);
			break;
		case ETHERTYPE_PPPOE:
			has_next = packet_skip_pppoe(cursor, packet);
			break;
		default:
			return false;
		}
	}
	return false;
}

bool packet_skip_ethernet(struct packet_cursor *cursor, struct packet *packet)
{
	if (packet_cursor_left(cursor) < ETHERNET_BYTES)
		return packet_give_up(packet, PACKET_SHORT_ENCAPSULATION);
	cursor->ethertype = packet_read_ethertype(packet_cursor_header(cursor) + 12);
	cursor->offset += ETHERNET_BYTES;
	return true;
}

bool packet_skip_ppp(struct packet_cursor *cursor, enum packet_status cut_status, struct packet *packet)
{
	const uint8_t *header = packet_cursor_header(cursor);
	uint32_t left = packet_cursor_left(cursor), n_bytes = 2;
	uint16_t protocol;

	/* RFC 1661: the first byte of a protocol is even, but for a protocol of one byte. */
	if (left >= 1 && header[0] & 1)
		n_bytes = 1;
	if (left < n_bytes)
		return packet_give_up(packet, cut_status);
	protocol = n_bytes == 1 ? header[0] : read_be16(header);
	if (protocol != PPP_IPV4 && protocol != PPP_IPV6)
		return false;
	cursor->ethertype = protocol == PPP_IPV4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6;
	cursor->offset += n_bytes;
	return true;
}

bool packet_find_ip_version(struct packet_cursor *cursor, enum packet_status cut_status, struct packet *packet)
{
	if (packet_cursor_left(cursor) < 1)
		return packet_give_up(packet, cut_status);
	switch (packet_cursor_header(cursor)[0] >> 4) {
	case 4:
		cursor->ethertype = ETHERTYPE_IPV4;
		return true;
	case 6:
		cursor->ethertype = ETHERTYPE_IPV6;
		return true;
	}
	return false;
}
