/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * EtherTypes: the values that the code decides by, and names for people.
 */
#ifndef WIRESCORE_PACKET_ETHERTYPE_H
#define WIRESCORE_PACKET_ETHERTYPE_H

#include <stddef.h>
#include <stdint.h>

enum {
	/* Not EtherTypes, which begin at 0x0600 (IEEE 802.3 3.2.6): what stands in their place. */
	ETHERTYPE_LENGTH = 0, /* bytes 12-13 are an 802.3 length */
	ETHERTYPE_NONE = 1,   /* the frame ends before its type */
	ETHERTYPE_OTHER = 2,  /* the link layer names no EtherType, e.g. for a PPP control protocol */
	ETHERTYPE_FIRST = 0x0600,

	ETHERTYPE_IPV4 = 0x0800,
	ETHERTYPE_ARP = 0x0806,
	ETHERTYPE_BRIDGING = 0x6558, /* an Ethernet frame in GRE or Geneve */
	ETHERTYPE_VLAN = 0x8100,
	ETHERTYPE_IPV6 = 0x86dd,
	ETHERTYPE_PPP = 0x880b, /* in GRE */
	ETHERTYPE_MPLS = 0x8847,
	ETHERTYPE_MPLS_MULTICAST = 0x8848,
	ETHERTYPE_PPPOE = 0x8864, /* of a session */
	ETHERTYPE_QINQ = 0x88a8,
	ETHERTYPE_QINQ_OLD = 0x9100,
};

static inline int ethertype_is_vlan(uint16_t ethertype)
{
	return ethertype == ETHERTYPE_VLAN || ethertype == ETHERTYPE_QINQ || ethertype == ETHERTYPE_QINQ_OLD;
}

static inline int ethertype_is_ip(uint16_t ethertype)
{
	return ethertype == ETHERTYPE_IPV4 || ethertype == ETHERTYPE_IPV6;
}

/* The protocol's usual name, e.g. "ARP", or "" where it has none here. */
const char *ethertype_name(uint16_t ethertype);

/* "0x0806", "802.3", "none" or "other" into text, the form that summaries and records print; returns text. */
#define ETHERTYPE_TEXT_SIZE 8
char *ethertype_text(uint16_t ethertype, char text[ETHERTYPE_TEXT_SIZE]);

#endif
