/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Builders of the frames that are not IP: each writes one frame from its first byte, with the field values that
 * its protocol's speakers use. Listed in kinds.def.
 */
#include "kinds.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Type, length of the value, value; type and length one byte each. */
static void put_tlv8(struct frame_builder *f, uint8_t type, uint64_t value, uint8_t n_bytes)
{
	put_u8(f, type);
	put_u8(f, n_bytes);
	put_number(f, value, n_bytes);
}

static void arp(struct frame_builder *f, uint64_t to_mac, uint16_t operation, uint64_t target_mac,
		uint32_t target_ip)
{
	link_ethernet(f, to_mac, operation <= 2 ? 0x0806 : 0x8035);
	put_u16(f, 1); /* Ethernet */
	put_u16(f, 0x0800);
	put_u8(f, 6);
	put_u8(f, 4);
	put_u16(f, operation);
	put_mac(f, f->from.mac);
	put_u32(f, operation == 3 ? 0 : f->from.ipv4);
	put_mac(f, target_mac);
	put_u32(f, target_ip);
}

void build_arp_request(struct frame_builder *f)
{
	arp(f, MAC_BROADCAST, 1, 0, f->to.ipv4);
}

void build_arp_unicast_request(struct frame_builder *f)
{
	arp(f, f->to.mac, 1, f->to.mac, f->to.ipv4);
}

void build_arp_reply(struct frame_builder *f)
{
	arp(f, f->to.mac, 2, f->to.mac, f->to.ipv4);
}

void build_arp_gratuitous(struct frame_builder *f)
{
	bool request = chance(f, 60);

	arp(f, MAC_BROADCAST, request ? 1 : 2, request ? 0 : MAC_BROADCAST, f->from.ipv4);
}

void build_rarp(struct frame_builder *f)
{
	if (chance(f, 70))
		arp(f, MAC_BROADCAST, 3, f->from.mac, 0);
	else
		arp(f, f->to.mac, 4, f->to.mac, f->to.ipv4);
}

/* IEEE 802.1D-2004, 9.3.1 and 9.3.3. */
static void put_bpdu(struct frame_builder *f, uint8_t version, uint16_t vlan)
{
	bool root = chance(f, 30);
	uint8_t flags = version == 2 ? 0x3c : chance(f, 5) ? 1 : 0;

	put_u16(f, 0);
	put_u8(f, version);
	put_u8(f, version);
	put_u8(f, flags);
	put_u16(f, (uint16_t)(0x8000 | vlan));
	put_mac(f, root ? f->from.mac : f->to.mac);
	put_u32(f, root ? 0 : chance(f, 50) ? 4 : 20000);
	put_u16(f, (uint16_t)(0x8000 | vlan));
	put_mac(f, f->from.mac);
	put_u16(f, (uint16_t)(0x8001 + below(f, 48)));
	put_u16(f, root ? 0 : 0x0100);
	put_u16(f, 0x1400);
	put_u16(f, 0x0200);
	put_u16(f, 0x0f00);
	if (version == 2)
		put_u8(f, 0);
}

void build_stp(struct frame_builder *f)
{
	link_llc(f, 0x0180c2000000, 0x42);
	if (chance(f, 90)) {
		put_bpdu(f, 0, 0);
	} else { /* topology change notification */
		put_u16(f, 0);
		put_u16(f, 0x0080);
	}
}

void build_rstp(struct frame_builder *f)
{
	link_llc(f, 0x0180c2000000, 0x42);
	put_bpdu(f, 2, 0);
}

void build_pvst(struct frame_builder *f)
{
	uint16_t vlan = (uint16_t)(below(f, 200) + 1);

	link_snap(f, 0x01000ccccccd, 0x00000c, 0x010b);
	put_bpdu(f, 2, vlan);
	put_u16(f, 0);
	put_u16(f, 2);
	put_u16(f, vlan);
}

static void put_cdp_text(struct frame_builder *f, uint16_t type, const char *text)
{
	size_t start = f->used_bytes;

	put_u16(f, type);
	put_u16(f, 0);
	put_text(f, text);
	set_u16(f, start + 2, (uint16_t)(f->used_bytes - start));
}

void build_cdp(struct frame_builder *f)
{
	/* Of even lengths: how CDP sums an odd last byte differs from RFC 1071. */
	static const char *const names[] = {"switch", "access02", "core-router1"};
	static const char *const ports[] = {"FastEthernet0/01", "GigabitEthernet1/0/2"};
	size_t start;

	link_snap(f, 0x01000ccccccc, 0x00000c, 0x2000);
	start = f->used_bytes;
	put_u8(f, 2);
	put_u8(f, 180);
	put_u16(f, 0);
	put_cdp_text(f, 1, names[below(f, N_OF(names))]);
	put_cdp_text(f, 3, ports[below(f, N_OF(ports))]);
	put_u16(f, 4);
	put_u16(f, 8);
	put_u32(f, 0x28);
	put_cdp_text(f, 6, "cisco WS-C2960");
	set_u16(f, start + 2, internet_checksum(f, NULL, 0, start));
}

void build_vtp(struct frame_builder *f)
{
	link_snap(f, 0x01000ccccccc, 0x00000c, 0x2003);
	put_u8(f, 2);
	put_u8(f, 1); /* summary */
	put_u8(f, 0);
	put_u8(f, 5);
	put_text(f, "plant");
	put_zeros(f, 27);
	put_u32(f, below(f, 200));
	put_u32(f, f->from.ipv4);
	put_text(f, "240517093012");
	put_noise(f, 16);
}

void build_dtp(struct frame_builder *f)
{
	link_snap(f, 0x01000ccccccc, 0x00000c, 0x2004);
	put_u8(f, 1);
	put_u32(f, 0x0001000d); /* domain, empty */
	put_zeros(f, 9);
	put_u32(f, 0x00020005);
	put_u8(f, 0x03);
	put_u32(f, 0x00030005);
	put_u8(f, 0xa5);
	put_u32(f, 0x0004000a);
	put_mac(f, f->from.mac);
}

static void put_lldp_text(struct frame_builder *f, unsigned type, int subtype, const char *text)
{
	size_t start = f->used_bytes;

	put_u16(f, 0);
	if (subtype)
		put_u8(f, (uint8_t)subtype);
	put_text(f, text);
	set_u16(f, start, (uint16_t)(type << 9 | (f->used_bytes - start - 2)));
}

/* IEEE 802.1AB: chassis, port, time to live, then what the vendor likes. */
void build_lldp(struct frame_builder *f)
{
	static const char *const ports[] = {"port-001", "ge-0/0/12", "Ethernet4", "swp9"};
	static const uint64_t groups[] = {0x0180c200000e, 0x0180c200000e, 0x0180c2000003, 0x0180c2000000};

	link_ethernet(f, groups[below(f, N_OF(groups))], 0x88cc);
	put_u16(f, 1 << 9 | 7);
	put_u8(f, 4);
	put_mac(f, f->from.mac);
	put_lldp_text(f, 2, 7, ports[below(f, N_OF(ports))]);
	put_u16(f, 3 << 9 | 2);
	put_u16(f, 120);
	if (chance(f, 70))
		put_lldp_text(f, 5, 0, "cell-4-switch");
	if (chance(f, 50))
		put_lldp_text(f, 6, 0, "Managed industrial switch, firmware V04.03.01");
	if (chance(f, 50)) {
		put_u16(f, 7 << 9 | 4);
		put_u32(f, 0x00140004);
	}
	put_u16(f, 0);
}

void build_eapol(struct frame_builder *f)
{
	bool start = chance(f, 40);

	link_ethernet(f, chance(f, 80) ? 0x0180c2000003 : f->to.mac, 0x888e);
	put_u8(f, (uint8_t)(1 + below(f, 3)));
	put_u8(f, start ? 1 : 0);
	put_u16(f, start ? 0 : 5);
	if (!start) { /* EAP request, identity */
		put_u8(f, 1);
		put_u8(f, (uint8_t)below(f, 256));
		put_u16(f, 5);
		put_u8(f, 1);
	}
}

/* RFC 2516. */
void build_pppoe_discovery(struct frame_builder *f)
{
	static const uint8_t codes[] = {0x09, 0x07, 0x19, 0x65, 0xa7};
	uint8_t code = codes[below(f, N_OF(codes))];
	bool session = code == 0x65 || code == 0xa7;
	size_t start;

	link_ethernet(f, code == 0x09 ? MAC_BROADCAST : f->to.mac, 0x8863);
	put_u8(f, 0x11);
	put_u8(f, code);
	put_u16(f, session ? (uint16_t)(below(f, 9000) + 1) : 0);
	put_u16(f, 0);
	start = f->used_bytes;
	put_u32(f, 0x01010000); /* service name: any */
	put_u32(f, 0x01030008); /* host-uniq */
	put_noise(f, 8);
	if (code == 0x07) {
		put_u32(f, 0x01020006);
		put_text(f, "bras-1");
	}
	set_u16(f, start - 2, (uint16_t)(f->used_bytes - start));
}

void build_pppoe_session(struct frame_builder *f)
{
	uint32_t rank = below(f, 10);
	size_t start;

	link_ethernet(f, f->to.mac, 0x8864);
	put_u16(f, 0x1100);
	put_u16(f, (uint16_t)(below(f, 9000) + 1));
	put_u16(f, 0);
	start = f->used_bytes;
	if (rank < 5) {
		put_u16(f, 0x0021);
		put_ip_packet(f, 4);
	} else if (rank < 8) {
		put_u16(f, 0x0057);
		put_ip_packet(f, 6);
	} else { /* LCP echo request */
		put_u32(f, 0xc0210900 | below(f, 256));
		put_u16(f, 8);
		put_noise(f, 4);
	}
	set_u16(f, start - 2, (uint16_t)(f->used_bytes - start));
}

static void put_labels(struct frame_builder *f)
{
	for (uint32_t left = below(f, 3) + 1; left > 0; left--) {
		uint32_t label = below(f, 1000000) + 16;
		uint32_t ttl = below(f, 255) + 1;

		put_u32(f, label << 12 | (left == 1) << 8 | ttl);
	}
}

void build_mpls(struct frame_builder *f)
{
	unsigned version = chance(f, 60) ? 4 : 6;

	link_ethernet(f, f->to.mac, 0x8847);
	put_labels(f);
	put_ip_packet(f, version);
}

void build_mpls_multicast(struct frame_builder *f)
{
	/* RFC 5332: 01-00-5E-8 and the label. */
	link_ethernet(f, 0x01005e800000 | below(f, 1 << 20), 0x8848);
	put_labels(f);
	put_ip_packet(f, 4);
}

void build_profinet_rt(struct frame_builder *f)
{
	uint32_t n_bytes = 40 + below(f, 60);

	link_priority(f, f->to.mac, 0x8892);
	put_u16(f, (uint16_t)(0x8000 + below(f, 0x3bff)));
	put_noise(f, n_bytes);
	put_u16(f, (uint16_t)below(f, 1 << 16)); /* cycle counter */
	put_u16(f, 0x3500);			 /* running, valid, primary */
}

void build_profinet_dcp(struct frame_builder *f)
{
	bool request = chance(f, 60);

	link_ethernet(f, request ? 0x010ecf000000 : f->to.mac, 0x8892);
	put_u16(f, request ? 0xfefe : 0xfeff);
	put_u16(f, request ? 0x0500 : 0x0501);
	put_noise(f, 4);
	if (request) {
		put_u16(f, 1); /* response delay */
		put_u16(f, 4);
		put_u32(f, 0xffff0000); /* everyone */
	} else {
		put_u16(f, 0);
		put_u16(f, 14);
		put_u32(f, 0x0202000a); /* name of station */
		put_u16(f, 0);
		put_text(f, "drive-07");
	}
}

/* IEEE 1588-2008, clause 13. */
void build_ptp(struct frame_builder *f)
{
	static const struct {
		uint8_t type, n_bytes, control;
	} messages[] = {{0x0, 44, 0}, {0x8, 44, 2}, {0x1, 44, 1}, {0x2, 54, 5}, {0xb, 64, 5}};
	size_t i = below(f, N_OF(messages));
	bool peer = messages[i].type == 2 || chance(f, 30);
	size_t start;

	link_ethernet(f, peer ? 0x0180c200000e : 0x011b19000000, 0x88f7);
	start = f->used_bytes;
	put_u8(f, messages[i].type);
	put_u8(f, 2);
	put_u16(f, messages[i].n_bytes);
	put_u16(f, 0);
	put_u16(f, messages[i].type == 0 ? 0x0200 : 0);
	put_zeros(f, 12);
	put_number(f, f->from.mac >> 24, 3);
	put_u16(f, 0xfffe);
	put_number(f, f->from.mac, 3);
	put_u16(f, 1);
	put_u16(f, (uint16_t)below(f, 1 << 16));
	put_u8(f, messages[i].control);
	put_u8(f, 0);
	put_number(f, 1700000000 + below(f, 100000000), 6);
	put_u32(f, below(f, 1000000000));
	if (messages[i].type == 0xb) {
		put_number(f, 0x002500, 3); /* UTC offset 37 s, reserved */
		put_u8(f, 128);
		put_u32(f, 0x06214e5d);
		put_u8(f, 128);
		put_mac(f, f->from.mac);
		put_u16(f, 1);
		put_u16(f, 0);
		put_u8(f, 0x20);
	}
	put_zeros(f, messages[i].n_bytes - (f->used_bytes - start));
}

static void put_tlv8_text(struct frame_builder *f, uint8_t type, const char *text)
{
	size_t start = f->used_bytes;

	put_u16(f, 0);
	put_text(f, text);
	set_u16(f, start, (uint16_t)(type << 8 | (f->used_bytes - start - 2)));
}

/* IEC 61850-8-1: BER, context tags 0 to 11 in order. */
void build_goose(struct frame_builder *f)
{
	uint32_t publisher = below(f, 512);
	uint64_t seconds = 1700000000 + below(f, 100000000);
	size_t start, pdu;

	link_priority(f, 0x010ccd010000 | publisher, 0x88b8);
	start = f->used_bytes;
	put_u16(f, (uint16_t)publisher);
	put_u16(f, 0);
	put_u32(f, 0);
	put_u16(f, 0x6181);
	put_u8(f, 0);
	pdu = f->used_bytes;
	put_tlv8_text(f, 0x80, "RELAY1CTRL/LLN0$GO$gcb01");
	put_tlv8(f, 0x81, 2000, 2);
	put_tlv8_text(f, 0x82, "RELAY1CTRL/LLN0$DS1");
	put_tlv8_text(f, 0x83, "RELAY1");
	put_tlv8(f, 0x84, seconds << 32 | 0x0a, 8);
	put_tlv8(f, 0x85, below(f, 100) + 1, 1);
	put_tlv8(f, 0x86, below(f, 30000), 2);
	put_tlv8(f, 0x87, 0, 1);
	put_tlv8(f, 0x88, 1, 1);
	put_tlv8(f, 0x89, 0, 1);
	put_tlv8(f, 0x8a, 2, 1);
	put_u16(f, 0xab08);
	put_tlv8(f, 0x83, chance(f, 50), 1);
	put_tlv8(f, 0x84, 0x030000, 3);
	f->data[pdu - 1] = (uint8_t)(f->used_bytes - pdu);
	set_u16(f, start + 2, (uint16_t)(f->used_bytes - start));
}

void build_ethercat(struct frame_builder *f)
{
	static const uint8_t commands[] = {1, 4, 5, 7, 8, 12}; /* APRD FPRD FPWR BRD BWR LRW */
	uint16_t n_bytes = (uint16_t)(2 + below(f, 80));
	uint8_t command = commands[below(f, N_OF(commands))];

	link_ethernet(f, chance(f, 70) ? MAC_BROADCAST : 0x010105010000, 0x88a4);
	put_le16(f, (uint16_t)(0x1000 | (n_bytes + 12)));
	put_u8(f, command);
	put_u8(f, (uint8_t)below(f, 256));
	put_le16(f, (uint16_t)(0x1000 + below(f, 32)));
	put_le16(f, 0x0130); /* AL status */
	put_le16(f, n_bytes);
	put_u16(f, 0);
	put_noise(f, n_bytes);
	put_le16(f, (uint16_t)below(f, 4));
}

/* IEEE 802.1AX: actor, partner, collector, terminator. */
void build_lacp(struct frame_builder *f)
{
	const uint64_t systems[] = {f->from.mac, f->to.mac};

	link_ethernet(f, 0x0180c2000002, 0x8809);
	put_u16(f, 0x0101);
	for (unsigned i = 0; i < 2; i++) {
		put_u16(f, (uint16_t)((i + 1) << 8 | 20));
		put_u16(f, 0x8000);
		put_mac(f, systems[i]);
		put_u16(f, 1);
		put_u16(f, 0x8000);
		put_u16(f, (uint16_t)(below(f, 48) + 1));
		put_u8(f, 0x3d);
		put_zeros(f, 3);
	}
	put_u16(f, 0x0310);
	put_zeros(f, 14 + 2 + 50);
}

void build_slow_oam(struct frame_builder *f)
{
	link_ethernet(f, 0x0180c2000002, 0x8809);
	put_u8(f, 3);
	put_u16(f, 0x0050); /* local and remote stable */
	put_u8(f, 0);	    /* information */
	put_u32(f, 0x01100100);
	put_u16(f, (uint16_t)below(f, 8)); /* revision */
	put_u8(f, 0);
	put_u16(f, 0x0105);
	put_u8(f, 0xee);
	put_number(f, f->from.mac >> 24, 3);
	put_u32(f, 0);
	put_u8(f, 0);
}

void build_pause(struct frame_builder *f)
{
	link_ethernet(f, 0x0180c2000001, 0x8808);
	put_u16(f, 1);
	put_u16(f, chance(f, 50) ? 0xffff : 0);
	put_zeros(f, 42);
}

void build_loopback(struct frame_builder *f)
{
	uint64_t to_mac = chance(f, 60) ? f->from.mac : chance(f, 50) ? f->to.mac : 0xcf0000000000;

	link_ethernet(f, to_mac, 0x9000);
	put_le16(f, 0); /* skip count */
	put_le16(f, 1); /* reply */
	put_le16(f, 0);
	put_zeros(f, 40);
}

/* IEEE 802.1AE: encrypted, with the channel's identifier. */
void build_macsec(struct frame_builder *f)
{
	uint32_t association = below(f, 4);
	size_t n_bytes;

	link_ethernet(f, f->to.mac, 0x88e5);
	put_u8(f, (uint8_t)(0x2c | association));
	n_bytes = 8 + payload_draw(f, 1 + 4 + 8 + 16 + 8);
	put_u8(f, n_bytes < 48 ? (uint8_t)n_bytes : 0); /* short length */
	put_u32(f, below(f, 1u << 31) + 1);
	put_mac(f, f->from.mac);
	put_u16(f, 1);
	put_noise(f, n_bytes + 16);
}

void build_wake_on_lan(struct frame_builder *f)
{
	link_ethernet(f, chance(f, 80) ? MAC_BROADCAST : f->to.mac, 0x0842);
	put_mac(f, MAC_BROADCAST);
	for (unsigned i = 0; i < 16; i++)
		put_mac(f, f->to.mac);
}

void build_aoe(struct frame_builder *f)
{
	bool query = chance(f, 50);

	link_ethernet(f, query ? MAC_BROADCAST : f->to.mac, 0x88a2);
	put_u16(f, 0x1000);
	put_u16(f, query ? 0xffff : (uint16_t)below(f, 16));
	put_u8(f, query ? 0xff : (uint8_t)below(f, 16));
	put_u8(f, query ? 1 : 0);
	put_noise(f, 4);
	if (query) {
		put_zeros(f, 8);
	} else { /* read two sectors */
		put_u32(f, 0x40000224);
		put_noise(f, 4);
		put_zeros(f, 4);
	}
}

/* IEEE 802.3's CRC-32, as Fibre Channel sends it. */
static uint32_t crc32(const uint8_t *at, size_t n_bytes)
{
	uint32_t crc = 0xffffffff;

	while (n_bytes-- > 0) {
		crc ^= *at++;
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

/* FC-BB-5: SCSI data between two fabric-provided addresses. */
void build_fcoe(struct frame_builder *f)
{
	uint32_t from_id = 0x010000 | below(f, 0x10000);
	uint32_t to_id = 0x020000 | below(f, 0x10000);
	size_t start, n_bytes;
	uint32_t crc;

	f->from.mac = 0x0efc00000000 | from_id;
	link_ethernet(f, 0x0efc00000000 | to_id, 0x8906);
	put_zeros(f, 13);
	put_u8(f, 0x36); /* SOFn3 */
	start = f->used_bytes;
	put_u32(f, 0x01000000 | to_id);
	put_u32(f, from_id);
	put_u32(f, 0x08080000);			    /* FCP, exchange responder */
	put_u16(f, (uint16_t)(below(f, 256) << 8)); /* sequence */
	put_u16(f, (uint16_t)below(f, 2048));
	put_noise(f, 4);
	put_zeros(f, 4);
	n_bytes = payload_draw(f, 8) & ~(size_t)3;
	put_noise(f, n_bytes < 2112 ? n_bytes : 2112);
	crc = crc32(f->data + start, f->used_bytes - start);
	put_le16(f, (uint16_t)crc);
	put_le16(f, (uint16_t)(crc >> 16));
	put_u32(f, 0x42000000); /* EOFt */
}

/* ISO 10589, 9.7: LAN hello of level 1 or 2. */
void build_isis(struct frame_builder *f)
{
	unsigned level = 1 + below(f, 2);
	size_t start;

	link_llc(f, level == 1 ? 0x0180c2000014 : 0x0180c2000015, 0xfe);
	start = f->used_bytes;
	put_u32(f, 0x831b0100);
	put_u8(f, (uint8_t)(14 + level));
	put_number(f, 0x010000, 3);
	put_u8(f, (uint8_t)level);
	put_mac(f, f->from.mac);
	put_u16(f, 30);
	put_u16(f, 0);
	put_u8(f, 64);
	put_mac(f, f->from.mac);
	put_u8(f, (uint8_t)(below(f, 8) + 1));
	put_tlv8(f, 1, 0x03490001, 4);
	put_tlv8(f, 129, 0xcc, 1);
	put_tlv8(f, 132, f->from.ipv4, 4);
	/* Padding, by which the neighbours prove that long frames pass (8.4.2). */
	for (size_t left = payload_draw(f, 2 * 6), n_bytes; left > 0; left -= n_bytes) {
		n_bytes = left < 255 ? left : 255;
		put_u16(f, (uint16_t)(8 << 8 | n_bytes));
		put_zeros(f, n_bytes);
	}
	set_u16(f, start + 17, (uint16_t)(f->used_bytes - start));
}

/* A RIP request or SAP query to everyone, or to one server. */
static void put_ipx(struct frame_builder *f, uint64_t to_mac)
{
	bool rip = chance(f, 50);
	uint16_t socket = rip ? 0x0453 : 0x0452;

	put_u16(f, 0xffff);
	put_u16(f, rip ? 40 : 34);
	put_u16(f, rip ? 1 : 4);
	put_u32(f, 0);
	put_mac(f, to_mac);
	put_u16(f, socket);
	put_u32(f, 0);
	put_mac(f, f->from.mac);
	put_u16(f, socket);
	put_u16(f, 1);
	if (rip) {
		put_u64(f, UINT64_MAX);
	} else {
		put_u16(f, 4);
	}
}

static uint64_t ipx_mac_draw(struct frame_builder *f)
{
	return chance(f, 70) ? MAC_BROADCAST : f->to.mac;
}

void build_ipx_raw(struct frame_builder *f)
{
	uint64_t to_mac = ipx_mac_draw(f);

	link_length(f, to_mac);
	put_ipx(f, to_mac);
}

void build_ipx_llc(struct frame_builder *f)
{
	uint64_t to_mac = ipx_mac_draw(f);

	link_llc(f, to_mac, 0xe0);
	put_ipx(f, to_mac);
}

void build_ipx_ethernet(struct frame_builder *f)
{
	uint64_t to_mac = ipx_mac_draw(f);

	link_ethernet(f, to_mac, 0x8137);
	put_ipx(f, to_mac);
}

static void put_netbios_name(struct frame_builder *f, const char *name, char service)
{
	char padded[16];
	size_t i = 0;

	for (; name[i] && i < 15; i++)
		padded[i] = name[i];
	for (; i < 15; i++)
		padded[i] = ' ';
	padded[15] = service;
	put_bytes(f, padded, sizeof(padded));
}

/* NetBIOS frames protocol (IBM LAN Technical Reference): name query to the group, or one recognised. */
void build_netbeui(struct frame_builder *f)
{
	bool query = chance(f, 60);

	link_llc(f, query ? 0x030000000001 : f->to.mac, 0xf0);
	put_le16(f, 44);
	put_u16(f, 0xffef);
	put_u8(f, query ? 0x0a : 0x0e);
	put_u8(f, 0);
	put_le16(f, query ? 0 : 1);
	put_le16(f, query ? 0 : 7);
	put_le16(f, (uint16_t)(below(f, 500) + 1));
	put_netbios_name(f, "SERVER", 0x20);
	put_netbios_name(f, "WORKSTATION", 0);
}

static void link_llc_station(struct frame_builder *f, uint8_t control)
{
	link_length(f, chance(f, 50) ? MAC_BROADCAST : f->to.mac);
	put_u8(f, 0);
	put_u8(f, 1); /* response */
	put_u8(f, control);
}

void build_llc_xid(struct frame_builder *f)
{
	link_llc_station(f, 0xbf);
	put_number(f, 0x810100, 3);
}

void build_llc_test(struct frame_builder *f)
{
	link_llc_station(f, 0xf3);
	put_noise(f, payload_draw(f, 0));
}

/*
 * EtherTypes of which nothing is known but the number: some that exist, some one bit away from IP's, the rest
 * made up. The payload is noise.
 */
void build_vendor_type(struct frame_builder *f)
{
	static const uint16_t known[] = {
		0x0600, 0x0801, 0x0802, 0x0804, 0x0805, 0x0807, 0x0808, 0x0810, 0x0840, 0x0880, 0x0900, 0x0a00,
		0x0c00, 0x1800, 0x2800, 0x4800, 0x8800, 0x06dd, 0x82dd, 0x84dd, 0x86cd, 0x86d5, 0x86d9, 0x86dc,
		0x86de, 0x86df, 0x865d, 0x869d, 0x87dd, 0x8edd, 0x96dd, 0xa6dd, 0xc6dd, 0x22f3, 0x6002, 0x6003,
		0x6558, 0x7007, 0x809b, 0x80f3, 0x8150, 0x8819, 0x886d, 0x887b, 0x8899, 0x88ab, 0x88b5, 0x88b6,
		0x88b7, 0x88ba, 0x88cd, 0x88e1, 0x88e3, 0x88fb, 0x8902, 0x8903, 0x8914, 0x892f, 0x893a, 0xfffe};
	uint16_t type = known[below(f, N_OF(known))];
	uint32_t rank = below(f, 10);
	uint64_t to_mac = rank < 6 ? f->to.mac : rank < 8 ? MAC_BROADCAST : f->to.mac | UINT64_C(1) << 40;

	/* 0x0800 and 0x86dd are IP's; 0x8100, 0x88a8 and 0x9100 to 0x9300 begin a tag, so they say nothing yet. */
	if (chance(f, 50)) {
		do
			type = (uint16_t)(0x0600 + below(f, 0x10000 - 0x0600));
		while (type == 0x0800 || type == 0x86dd || type == 0x8100 || type == 0x88a8 ||
		       (type & 0xfcff) == 0x9000);
	}
	link_ethernet(f, to_mac, type);
	put_noise(f, payload_draw(f, 0));
}
