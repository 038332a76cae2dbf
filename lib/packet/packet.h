/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The packet parser: from a frame's bytes to what its headers say. Called by the classifier, a burst at a
 * time. Never reads past the captured bytes of a frame, whatever they claim.
 */
#ifndef WIRESCORE_PACKET_H
#define WIRESCORE_PACKET_H

#include <stdint.h>

#include "frame.h"

/* What a frame begins with. */
enum packet_link {
	PACKET_LINK_ETHERNET,
	PACKET_LINK_RAW,  /* an IPv4 or IPv6 header */
	PACKET_LINK_IPV4, /* an IPv4 header */
	PACKET_LINK_IPV6, /* an IPv6 header */
	PACKET_LINK_NULL, /* a BSD address family in either byte order (DLT_NULL, DLT_LOOP) */
	PACKET_LINK_SLL,  /* Linux "cooked" v1 */
	PACKET_LINK_SLL2, /* Linux "cooked" v2 */
	PACKET_LINK_PPP,  /* PPP, with or without HDLC framing */
};

/* Deeper stacks of VLAN tags are given up on. */
#define PACKET_MAX_VLAN_TAGS 4

/* How far the parser came; counted by the PARSE counters of lib/stats, in this order. */
enum packet_status {
	PACKET_OK,
	PACKET_SHORT_LINK,    /* ends inside the link-layer header */
	PACKET_SHORT_VLAN,    /* ends inside a VLAN tag */
	PACKET_TOO_MANY_TAGS, /* more than PACKET_MAX_VLAN_TAGS */
	PACKET_NO_ETHERTYPE,  /* the link layer names no EtherType (e.g. a PPP control protocol) */
};

struct packet {
	uint16_t ethertype;	    /* of the link-layer header, or ETHERTYPE_LENGTH, _NONE, _OTHER */
	uint16_t network_ethertype; /* behind the VLAN tags; equal to ethertype where there are none */
	uint16_t network_offset;    /* first byte behind the last type */
	uint8_t n_vlan_tags;
	uint8_t status; /* enum packet_status */
};

/* Parses n frames that all begin with link. packets is [n]. */
void packet_parse_burst(enum packet_link link, const struct frame *frames, uint32_t n, struct packet *packets);

/* Whether the network layer is IPv4 or IPv6. */
int packet_is_ip(const struct packet *packet);

#endif
