/* SPDX-License-Identifier: BSD-3-Clause */
#include "action.h"

#include "ethertype.h"

#define IPV4_MIN_BYTES	  20u
#define IPV4_CHECKSUM_AT  10
#define IPV6_MIN_BYTES	  40u
#define ETHERNET_TYPE_END 14
#define VLAN_TAG_BYTES	  4

static uint16_t read_16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void write_16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* RFC 1624, equation 3: HC' = ~(~HC + ~m + m'). */
static uint16_t checksum_update(uint16_t checksum, uint16_t before, uint16_t after)
{
	uint32_t sum = (uint16_t)~checksum + (uint32_t)(uint16_t)~before + after;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void ipv4_set_dscp(uint8_t *ip, uint8_t dscp)
{
	uint16_t before = read_16(ip), after = (uint16_t)((before & 0xff03) | dscp << 2);

	write_16(ip, after);
	write_16(ip + IPV4_CHECKSUM_AT, checksum_update(read_16(ip + IPV4_CHECKSUM_AT), before, after));
}

/* The traffic class lies across the first two bytes: its upper six bits are the DSCP (RFC 2474). */
static void ipv6_set_dscp(uint8_t *ip, uint8_t dscp)
{
	write_16(ip, (uint16_t)((read_16(ip) & 0xf03f) | dscp << 6));
}

bool action_mark_dscp(uint8_t *data, uint32_t n_bytes, const struct packet *packet, uint8_t dscp)
{
	uint8_t *ip = data + packet->network_offset;

	if (packet->network_ethertype == ETHERTYPE_IPV4 && n_bytes >= packet->network_offset + IPV4_MIN_BYTES &&
	    ip[0] >> 4 == 4) {
		ipv4_set_dscp(ip, dscp);
		return true;
	}
	if (packet->network_ethertype == ETHERTYPE_IPV6 && n_bytes >= packet->network_offset + IPV6_MIN_BYTES &&
	    ip[0] >> 4 == 6) {
		ipv6_set_dscp(ip, dscp);
		return true;
	}
	return false;
}

bool action_mark_pcp(uint8_t *data, uint32_t n_bytes, const struct packet *packet, uint8_t priority)
{
	if (!packet->n_vlan_tags || n_bytes < ETHERNET_TYPE_END + VLAN_TAG_BYTES)
		return false;
	data[ETHERNET_TYPE_END] = (uint8_t)((data[ETHERNET_TYPE_END] & 0x1f) | priority << 5);
	return true;
}
