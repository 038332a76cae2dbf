/* SPDX-License-Identifier: BSD-3-Clause */
#include "packet.h"

#include "packet_cursor.h"

/* Sets the link's EtherType and where the next header begins. */
static inline void packet_set_network(struct packet *packet, uint16_t ethertype, uint16_t offset)
{
	packet->ethertype = ethertype;
	packet->network_ethertype = ethertype;
	packet->network_offset = offset;
}

static inline void packet_set_no_ethertype(struct packet *packet)
{
	packet->ethertype = ETHERTYPE_OTHER;
	packet->network_ethertype = ETHERTYPE_OTHER;
	packet->status = PACKET_NO_ETHERTYPE;
}

/* Walks the VLAN tags that follow a link-layer header. */
static inline void packet_skip_link_vlan_tags(const struct frame *frame, struct packet *packet)
{
	while (ethertype_is_vlan(packet->network_ethertype)) {
		if (packet->n_vlan_tags == PACKET_MAX_VLAN_TAGS) {
			packet->status = PACKET_TOO_MANY_TAGS;
			return;
		}
		if (frame->captured_bytes < packet->network_offset + VLAN_TAG_BYTES) {
			packet->status = PACKET_SHORT_VLAN;
			return;
		}
		packet->network_ethertype = packet_read_ethertype(frame->data + packet->network_offset + 2);
		packet->network_offset += VLAN_TAG_BYTES;
		packet->n_vlan_tags++;
	}
}

static inline void packet_parse_ethernet(const struct frame *frame, struct packet *packet)
{
	if (frame->captured_bytes < ETHERNET_BYTES) {
		packet->status = PACKET_SHORT_LINK;
		return;
	}
	packet_set_network(packet, packet_read_ethertype(frame->data + 12), ETHERNET_BYTES);
	packet_skip_link_vlan_tags(frame, packet);
}

/* IPv4 or IPv6 by the first four bits, from offset on. */
static void packet_parse_ip_version(const struct frame *frame, uint16_t offset, struct packet *packet)
{
	if (frame->captured_bytes <= offset) {
		packet->status = PACKET_SHORT_LINK;
		return;
	}
	uint8_t version = frame->data[offset] >> 4;

	if (version == 4)
		packet_set_network(packet, ETHERTYPE_IPV4, offset);
	else if (version == 6)
		packet_set_network(packet, ETHERTYPE_IPV6, offset);
	else
		packet_set_no_ethertype(packet);
}

/*
 * The address family is in the byte order of the machine that captured (DLT_NULL) or in network order
 * (DLT_LOOP): families are below 65536, so at most one of the two readings is one.
 */
static void packet_parse_null(const struct frame *frame, struct packet *packet)
{
	if (frame->captured_bytes < 4) {
		packet->status = PACKET_SHORT_LINK;
		return;
	}
	uint32_t big = (uint32_t)read_be16(frame->data) << 16 | read_be16(frame->data + 2);
	uint32_t family = big < 65536 ? big : __builtin_bswap32(big);

	switch (family) {
	case 2:
		packet_set_network(packet, ETHERTYPE_IPV4, 4);
		break;
	case 10: /* Linux */
	case 24: /* NetBSD, OpenBSD */
	case 28: /* FreeBSD */
	case 30: /* macOS */
		packet_set_network(packet, ETHERTYPE_IPV6, 4);
		break;
	default:
		packet_set_no_ethertype(packet);
	}
}

/* The protocol field of a "cooked" header is an EtherType but for 802.3 (1, 4) and other small values. */
static void packet_parse_cooked(const struct frame *frame, uint16_t type_offset, uint16_t header_bytes,
				struct packet *packet)
{
	if (frame->captured_bytes < header_bytes) {
		packet->status = PACKET_SHORT_LINK;
		return;
	}
	packet_set_network(packet, packet_read_ethertype(frame->data + type_offset), header_bytes);
	packet_skip_link_vlan_tags(frame, packet);
}

static void packet_parse_ppp(const struct frame *frame, struct packet *packet)
{
	/* RFC 1662: address 0xff and control 0x03 may be left out. */
	uint16_t offset = frame->captured_bytes >= 2 && frame->data[0] == 0xff && frame->data[1] == 0x03 ? 2 : 0;

	if (frame->captured_bytes < offset + 2u) {
		packet->status = PACKET_SHORT_LINK;
		return;
	}
	switch (read_be16(frame->data + offset)) {
	case 0x0021:
		packet_set_network(packet, ETHERTYPE_IPV4, offset + 2);
		break;
	case 0x0057:
		packet_set_network(packet, ETHERTYPE_IPV6, offset + 2);
		break;
	default:
		packet_set_no_ethertype(packet);
	}
}

static void packet_parse_link(enum packet_link link, const struct frame *frame, struct packet *packet)
{
	switch (link) {
	case PACKET_LINK_ETHERNET:
		packet_parse_ethernet(frame, packet);
		break;
	case PACKET_LINK_RAW:
		packet_parse_ip_version(frame, 0, packet);
		break;
	case PACKET_LINK_IPV4:
		packet_set_network(packet, ETHERTYPE_IPV4, 0);
		break;
	case PACKET_LINK_IPV6:
		packet_set_network(packet, ETHERTYPE_IPV6, 0);
		break;
	case PACKET_LINK_NULL:
		packet_parse_null(frame, packet);
		break;
	case PACKET_LINK_SLL:
		packet_parse_cooked(frame, 14, 16, packet);
		break;
	case PACKET_LINK_SLL2:
		packet_parse_cooked(frame, 0, 20, packet);
		break;
	case PACKET_LINK_PPP:
		packet_parse_ppp(frame, packet);
		break;
	}
}

/* What a link's parser begins with: nothing is known. */
static inline void packet_clear(struct packet *packet)
{
	packet->ethertype = ETHERTYPE_NONE;
	packet->network_ethertype = ETHERTYPE_NONE;
	packet->network_offset = 0;
	packet->n_vlan_tags = 0;
	packet->status = PACKET_OK;
	packet->ip_version = 0;
	packet->flags = 0;
}

void packet_parse_burst(enum packet_link link, enum packet_depth depth, const struct frame *frames, uint32_t n,
			struct packet *packets)
{
	if (link == PACKET_LINK_ETHERNET) {
		for (uint32_t i = 0; i < n; i++) {
			packet_clear(&packets[i]);
			packet_parse_ethernet(&frames[i], &packets[i]);
		}
	} else {
		for (uint32_t i = 0; i < n; i++) {
			packet_clear(&packets[i]);
			packet_parse_link(link, &frames[i], &packets[i]);
		}
	}
	if (depth != PACKET_DEPTH_TYPE)
		packet_parse_network_burst(depth, frames, n, packets);
}

int packet_is_ip(const struct packet *packet)
{
	return ethertype_is_ip(packet->network_ethertype);
}
