/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names of EtherTypes (IEEE 802 numbers registry). Called when results are printed.
 */
#include "ethertype.h"

#include <string.h>

static const struct {
	uint16_t ethertype;
	const char *name;
} names[] = {
	{ETHERTYPE_LENGTH, "LLC"},
	{ETHERTYPE_NONE, "cut before the type"},
	{ETHERTYPE_OTHER, "no EtherType"},
	{0x0800, "IPv4"},
	{0x0806, "ARP"},
	{0x0842, "Wake-on-LAN"},
	{0x22ea, "SRP"},
	{0x22f0, "AVTP"},
	{0x22f3, "TRILL"},
	{0x6002, "DEC MOP"},
	{0x6003, "DECnet"},
	{0x8035, "RARP"},
	{0x809b, "AppleTalk"},
	{0x80f3, "AARP"},
	{0x8100, "802.1Q"},
	{0x8137, "IPX"},
	{0x86dd, "IPv6"},
	{0x8808, "MAC control"},
	{0x8809, "slow protocols"},
	{0x8847, "MPLS"},
	{0x8848, "MPLS multicast"},
	{0x8863, "PPPoE discovery"},
	{0x8864, "PPPoE session"},
	{0x887b, "HomePlug"},
	{0x888e, "EAPOL"},
	{0x8892, "PROFINET"},
	{0x88a2, "AoE"},
	{0x88a4, "EtherCAT"},
	{0x88a8, "802.1ad"},
	{0x88ab, "POWERLINK"},
	{0x88b8, "GOOSE"},
	{0x88b9, "GSE"},
	{0x88ba, "SV"},
	{0x88cc, "LLDP"},
	{0x88cd, "SERCOS III"},
	{0x88e1, "HomePlug AV"},
	{0x88e3, "MRP"},
	{0x88e5, "MACsec"},
	{0x88e7, "802.1ah"},
	{0x88f5, "MVRP"},
	{0x88f6, "MMRP"},
	{0x88f7, "PTP"},
	{0x88fb, "PRP"},
	{0x8902, "CFM"},
	{0x8903, "FabricPath"},
	{0x8906, "FCoE"},
	{0x8914, "FIP"},
	{0x8915, "RoCE"},
	{0x892f, "HSR"},
	{0x8947, "GeoNetworking"},
	{0x9000, "loopback"},
	{0x9100, "802.1ad (old)"},
};

const char *ethertype_name(uint16_t ethertype)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].ethertype == ethertype)
			return names[i].name;
	return "";
}

char *ethertype_text(uint16_t ethertype, char text[ETHERTYPE_TEXT_SIZE])
{
	if (ethertype == ETHERTYPE_LENGTH)
		return strcpy(text, "802.3");
	if (ethertype == ETHERTYPE_NONE)
		return strcpy(text, "none");
	if (ethertype == ETHERTYPE_OTHER)
		return strcpy(text, "other");
	text[0] = '0';
	text[1] = 'x';
	for (int i = 0; i < 4; i++)
		text[2 + i] = "0123456789abcdef"[ethertype >> (12 - 4 * i) & 15];
	text[6] = '\0';
	return text;
}
