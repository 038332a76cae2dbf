/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What makes two packets of one flow: addresses, ports, protocol and the network that they are on. Both
 * directions have the same key, since its endpoints are in order of their bytes.
 */
#ifndef WIRESCORE_FLOW_KEY_H
#define WIRESCORE_FLOW_KEY_H

#include <stdint.h>

#include "packet.h"

/* Which id tells networks apart that use the same addresses. */
enum flow_scope {
	FLOW_SCOPE_INNERMOST, /* VLAN or tunnel id, whichever is nearest to the IP header */
	FLOW_SCOPE_VLAN,
	FLOW_SCOPE_TUNNEL,
	FLOW_SCOPE_NONE,
};

/* VLAN ids stand above the tunnel ids that are in use: 100 is not VLAN 100 and VNI 100 at once. */
#define FLOW_KEY_VLANS 0xfff000u

/* Compared as bytes: no padding, all of it set. */
struct flow_key {
	uint8_t address[2][16]; /* IPv6, or IPv4 as ::ffff:a.b.c.d */
	uint16_t port[2];	/* host order */
	uint32_t protocol : 8;
	uint32_t scope_id : 24; /* tunnel id, or FLOW_KEY_VLANS and a VLAN's; 0: none */
};
_Static_assert(sizeof(struct flow_key) == 40, "no padding");

/*
 * The key of a packet that has a flow. With is_one_way the source is endpoint 0; else the lower one is. Returns
 * which endpoint the source is.
 */
uint32_t flow_key_make(const struct frame *frame, const struct packet *packet, enum flow_scope scope,
		       int is_one_way, struct flow_key *key);

/* Whether both addresses are IPv4. */
int flow_key_is_ipv4(const struct flow_key *key);

#endif
