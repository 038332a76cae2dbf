/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the parser stands in a frame, and the steps that it is made of. Internal to lib/packet: packet.c walks the
 * link layer, packet_ip.c the rest with the help of the others.
 */
#ifndef WIRESCORE_PACKET_CURSOR_H
#define WIRESCORE_PACKET_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "ethertype.h"
#include "packet.h"

#define ETHERNET_BYTES 14
#define VLAN_TAG_BYTES 4u

/* Positions count from data: offset <= readable <= end. */
struct packet_cursor {
	const uint8_t *data;
	/*
	 * End of the bytes that may be read: captured, part of every IP packet around, and below 64 KiB so that
	 * offsets fit 16 bits.
	 */
	uint32_t readable;
	uint32_t end;	     /* end of the frame or of the innermost IP packet, on the wire */
	uint32_t offset;     /* of the next header */
	uint16_t ethertype;  /* what it is */
	uint8_t n_vlan_tags; /* met since the network layer before it, and likewise: */
	uint8_t n_labels;
};

static inline uint16_t read_be16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static inline uint32_t read_be24(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 16 | (uint32_t)bytes[1] << 8 | bytes[2];
}

static inline uint32_t read_be32(const uint8_t *bytes)
{
	return (uint32_t)read_be16(bytes) << 16 | read_be16(bytes + 2);
}

/* What stands in an EtherType's place. */
static inline uint16_t packet_read_ethertype(const uint8_t *bytes)
{
	uint16_t type = read_be16(bytes);

	return type < ETHERTYPE_FIRST ? ETHERTYPE_LENGTH : type;
}

static inline const uint8_t *packet_cursor_header(const struct packet_cursor *cursor)
{
	return cursor->data + cursor->offset;
}

/* Bytes of the next header that may be read. */
static inline uint32_t packet_cursor_left(const struct packet_cursor *cursor)
{
	return cursor->readable - cursor->offset;
}

/* Narrows the cursor to the n_bytes from offset on, which end no later than what was around them. */
static inline void packet_cursor_narrow(struct packet_cursor *cursor, uint32_t offset, uint32_t n_bytes)
{
	cursor->end = offset + n_bytes;
	if (cursor->readable > cursor->end)
		cursor->readable = cursor->end;
}

/*
 * The steps below return whether the cursor came to the next header. Where they give up, packet->status says why,
 * but for a header that is merely not followed, which is no error.
 */

/* Walks what may stand between the link layer and IP: LLC/SNAP, VLAN tags, MPLS, PPPoE. */
bool packet_skip_encapsulation(struct packet_cursor *cursor, struct packet *packet);

/* Reads an Ethernet header that is not the frame's own. */
bool packet_skip_ethernet(struct packet_cursor *cursor, struct packet *packet);

/* Reads a PPP protocol number behind cut_status's header: IP is followed. */
bool packet_skip_ppp(struct packet_cursor *cursor, enum packet_status cut_status, struct packet *packet);

/* Tells IPv4 from IPv6 by the first four bits; nothing of them there is cut_status. */
bool packet_find_ip_version(struct packet_cursor *cursor, enum packet_status cut_status, struct packet *packet);

/*
 * Reads the header of outer's tunnel, if it is one, to what it carries; notes the tunnel's id in inner. Statuses
 * are inner's.
 */
bool packet_open_tunnel(struct packet_cursor *cursor, const struct packet *outer, struct packet *inner);

/* From the network layer on, for packets whose link layer is parsed. */
void packet_parse_network_burst(enum packet_depth depth, const struct frame *frames, uint32_t n,
				struct packet *packets);

/* Ports that UDP tunnels are told by (IANA; 8472 is what Linux used for VXLAN before 4789 was assigned). */
enum packet_tunnel_port {
	PACKET_PORT_GTP_U = 2152,
	PACKET_PORT_TEREDO = 3544,
	PACKET_PORT_VXLAN = 4789,
	PACKET_PORT_GENEVE = 6081,
	PACKET_PORT_VXLAN_LINUX = 8472,
};

/* Whether the packet's numbers are those of a tunnel; asked of every packet. */
static inline bool packet_may_be_tunnel(const struct packet *packet)
{
	switch (packet->protocol) {
	case PACKET_PROTOCOL_UDP:
		switch (packet->dst_port) {
		case PACKET_PORT_GTP_U:
		case PACKET_PORT_TEREDO:
		case PACKET_PORT_VXLAN:
		case PACKET_PORT_GENEVE:
		case PACKET_PORT_VXLAN_LINUX:
			return true;
		}
		return packet->src_port == PACKET_PORT_TEREDO;
	case PACKET_PROTOCOL_IPV4:
	case PACKET_PROTOCOL_IPV6:
	case PACKET_PROTOCOL_GRE:
		return true;
	}
	return false;
}

#endif
