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

/* How far to parse. */
enum packet_depth {
	PACKET_DEPTH_TYPE,  /* up to the network layer's type: all that the packet engine needs */
	PACKET_DEPTH_OUTER, /* the flow of the outermost IP header */
	PACKET_DEPTH_INNER, /* the flow of the innermost IP header, through tunnels */
};

/* Deeper nesting is given up on. */
#define PACKET_MAX_VLAN_TAGS   4 /* before each network layer */
#define PACKET_MAX_MPLS_LABELS 8
#define PACKET_MAX_EXTENSIONS  8 /* of IPv6, and AH */
#define PACKET_MAX_TUNNELS     4

/* Tells a VLAN's id from a tunnel's in packet.fragment_network. */
#define PACKET_NETWORK_VLAN (1u << 24)

/* No packet is longer: a file may claim anything. Sums of 2^26 packets stay below 2^48. */
#define PACKET_MAX_IP_BYTES ((1u << 22) - 1)

/*
 * Why the parser gave up, the first reason it met; counted by the PARSE counters of lib/stats, in this order.
 * Reasons up to PACKET_BAD_IPV6 met before any IP header was read leave the packet without a flow. Inside a
 * tunnel any reason leaves the packet with the flow of the header before it.
 */
enum packet_status {
	PACKET_OK,
	PACKET_SHORT_LINK,	    /* ends inside the link-layer header */
	PACKET_SHORT_VLAN,	    /* ends inside a VLAN tag */
	PACKET_TOO_MANY_TAGS,	    /* more than PACKET_MAX_VLAN_TAGS */
	PACKET_NO_ETHERTYPE,	    /* the link layer names no EtherType (e.g. a PPP control protocol) */
	PACKET_SHORT_ENCAPSULATION, /* ends inside LLC/SNAP, MPLS, PPPoE, or an Ethernet header or tag behind */
	PACKET_TOO_MANY_LABELS,	    /* more than PACKET_MAX_MPLS_LABELS */
	PACKET_SHORT_IPV4,	    /* ends inside an IPv4 header */
	PACKET_BAD_IPV4,	    /* an IPv4 header of another version, or of an impossible length */
	PACKET_SHORT_IPV6,	    /* ends inside the fixed IPv6 header */
	PACKET_BAD_IPV6,	    /* an IPv6 header of another version */
	PACKET_SHORT_EXTENSION,	    /* ends inside an extension header: a flow of addresses alone */
	PACKET_TOO_MANY_EXTENSIONS, /* more than PACKET_MAX_EXTENSIONS: a flow of addresses alone */
	PACKET_SHORT_TRANSPORT,	    /* ends inside the transport header; the flow has ports if they are there */
	PACKET_BAD_TRANSPORT,	    /* a TCP header of an impossible length; the flow has ports */
	PACKET_SHORT_TUNNEL,	    /* ends inside a tunnel's header */
	PACKET_TOO_MANY_TUNNELS,    /* more than PACKET_MAX_TUNNELS */
};

enum packet_flag {
	PACKET_FLAG_FRAGMENT = 1,	/* part of a fragmented datagram, or in a tunnel's first fragment */
	PACKET_FLAG_FRAGMENT_REST = 2,	/* ... and not its first: no transport header, no ports */
	PACKET_FLAG_ADDRESSES_ONLY = 4, /* cut before the ports, which are 0; protocol may be an extension's */
	PACKET_FLAG_LENGTH_LIES = 8,	/* IP claims more bytes than the frame had on the wire: cut to those */
};

/* Bits of packet.tcp_flags, as on the wire. */
enum packet_tcp_flag {
	PACKET_TCP_FIN = 0x01,
	PACKET_TCP_SYN = 0x02,
	PACKET_TCP_RST = 0x04,
	PACKET_TCP_PSH = 0x08,
	PACKET_TCP_ACK = 0x10,
	PACKET_TCP_URG = 0x20,
	PACKET_TCP_ECE = 0x40,
	PACKET_TCP_CWR = 0x80,
};

/* IP protocol numbers that the parser and the flow table decide by. */
enum packet_protocol {
	PACKET_PROTOCOL_ICMP = 1,
	PACKET_PROTOCOL_IPV4 = 4,
	PACKET_PROTOCOL_TCP = 6,
	PACKET_PROTOCOL_UDP = 17,
	PACKET_PROTOCOL_IPV6 = 41,
	PACKET_PROTOCOL_GRE = 47,
	PACKET_PROTOCOL_ESP = 50,
	PACKET_PROTOCOL_AH = 51,
	PACKET_PROTOCOL_ICMPV6 = 58,
	PACKET_PROTOCOL_SCTP = 132,
	PACKET_PROTOCOL_UDP_LITE = 136,
};

struct packet {
	/* The frame's own link layer. Always set. */
	uint16_t ethertype;	    /* of the link-layer header, or ETHERTYPE_LENGTH, _NONE, _OTHER */
	uint16_t network_ethertype; /* behind the VLAN tags; equal to ethertype where there are none */
	uint16_t network_offset;    /* first byte behind the last type */
	uint8_t n_vlan_tags;
	uint8_t status; /* enum packet_status */

	/* The IP packet that the frame counts as: the outermost, or the innermost. Numbers in host order. */
	uint8_t ip_version;	  /* 4 or 6; 0: the packet has no flow, and nothing below is set */
	uint8_t protocol;	  /* behind extension headers; of a fragment, of its datagram */
	uint8_t flags;		  /* enum packet_flag */
	uint8_t ttl;		  /* or hop limit */
	uint16_t ip_offset;	  /* of its header, which is whole */
	uint16_t ip_id;		  /* IPv4 identification; 0 for IPv6 */
	uint16_t src_port;	  /* TCP, UDP, UDP-Lite, SCTP; else 0 */
	uint16_t dst_port;	  /* likewise */
	uint16_t transport_bytes; /* transport header: TCP with options, UDP, SCTP, ICMP, ESP 8; 0: none, unknown */
	uint16_t tcp_window;	  /* as on the wire, unscaled */
	uint8_t tcp_flags;	  /* enum packet_tcp_flag; 0 without a TCP header */
	uint8_t icmp_type, icmp_code;
	uint8_t n_tunnels;     /* tunnel headers before it */
	uint16_t vlan;	       /* id of the innermost VLAN tag before it, 0: none or priority only */
	uint8_t is_vlan_inner; /* the VLAN tag is inside a tunnel, and nearer than tunnel_id if there is one */
	uint8_t has_tunnel_id; /* tunnel_id is one */
	uint32_t tunnel_id;    /* 24 bits: VNI of VXLAN, Geneve, NVGRE; of the innermost that has one */
	/* IP packet with its header: by the header's word; all that follows where that is 0 or claims more. */
	uint32_t ip_bytes;
	uint32_t payload_bytes; /* behind the transport header, padding not counted; 0 where that is unknown */
	/* Of the datagram, where FLAG_FRAGMENT is set: it is this packet's or that of a tunnel around it. */
	uint32_t fragment_id;
	uint16_t fragment_ip_offset; /* of its IP header */
	uint32_t
		fragment_network; /* the nearest id before that header: a tunnel's, or PACKET_NETWORK_VLAN | vlan */
};

/* Parses n frames that all begin with link. packets is [n]. */
void packet_parse_burst(enum packet_link link, enum packet_depth depth, const struct frame *frames, uint32_t n,
			struct packet *packets);

/* Whether the network layer is IPv4 or IPv6. */
int packet_is_ip(const struct packet *packet);

#endif
