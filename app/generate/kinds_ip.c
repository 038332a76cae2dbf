/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Builders of the IPv4 and IPv6 frames, with right lengths and checksums. Listed in kinds.def. Their IP packets
 * also travel inside MPLS and PPPoE: put_ip_packet.
 */
#include <string.h>

#include "kinds.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

enum { ICMP = 1, IGMP = 2, TCP = 6, UDP = 17, IPV6_ROUTE = 43, IPV6_FRAGMENT = 44, GRE = 47, ESP = 50 };
enum { ICMPV6 = 58, IPV6_NO_NEXT = 59, IPV6_DESTINATION = 60, OSPF = 89 };

#define IPV4_BROADCAST 0xffffffff

static void link_ip(struct frame_builder *f, uint64_t to_mac, unsigned version)
{
	link_ethernet(f, to_mac, version == 4 ? 0x0800 : 0x86dd);
}

/* Half of the packets come from, or go to, beyond the router that the MAC address belongs to. */
static void route_draw(struct frame_builder *f)
{
	bool inbound = chance(f, 50);
	struct host *far = inbound ? &f->from : &f->to;

	if (chance(f, 50))
		return;
	far->ipv4 = below(f, 115) << 24;
	far->ipv4 += 0x0b000000 + below(f, 1 << 24); /* 11.0.0.0 to 125.255.255.255 */
	far->ipv6[0] = 0x2a00000000000000 | random_next(&f->random) >> 24 << 16;
	far->ipv6[1] = random_next(&f->random);
}

/* An IP header from f->from to f->to. */
static struct ip_layer ip_begin(struct frame_builder *f, unsigned version, uint8_t protocol)
{
	uint8_t hops = chance(f, 70) ? 64 : (uint8_t)(40 + below(f, 80));

	if (version == 6)
		return ipv6_begin(f, f->from.ipv6, f->to.ipv6, protocol, hops);
	return ipv4_begin(f, &(struct ipv4_fields){.from = f->from.ipv4, .to = f->to.ipv4, .protocol = protocol});
}

/* To a group whose address is 16 bits of scope, zeros and a last number; the MAC ends in its last 32 bits. */
static struct ip_layer ipv6_multicast_begin(struct frame_builder *f, uint16_t scope, uint32_t group, uint8_t next,
					    uint8_t hop_limit)
{
	const uint64_t to[2] = {(uint64_t)scope << 48, group};
	const uint64_t from[2] = {0xfe80000000000000, f->from.ipv6[1]};

	link_ip(f, 0x333300000000 | group, 6);
	return ipv6_begin(f, from, to, next, hop_limit);
}

static struct ip_layer ipv4_multicast_begin(struct frame_builder *f, uint32_t group, uint8_t protocol, uint8_t ttl)
{
	link_ip(f, 0x01005e000000 | (group & 0x7fffff), 4);
	return ipv4_begin(
		f, &(struct ipv4_fields){.from = f->from.ipv4, .to = group, .protocol = protocol, .ttl = ttl});
}

static uint16_t ephemeral_port(struct frame_builder *f)
{
	return (uint16_t)(49152 + below(f, 4096)); /* no analyser takes these for some protocol's own */
}

/* A segment between a client's port and a server's; a data record of TLS where it carries anything. */
static void put_tcp(struct frame_builder *f, const struct ip_layer *ip)
{
	enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };
	size_t start = f->used_bytes;
	uint16_t port = ephemeral_port(f);
	bool to_server = chance(f, 50);
	uint32_t rank = below(f, 100);
	uint8_t flags = rank < 8 ? SYN : rank < 14 ? SYN | ACK : rank < 18 ? FIN | ACK : rank < 20 ? RST : ACK;
	size_t n_bytes = 0;

	put_u16(f, to_server ? port : 443);
	put_u16(f, to_server ? 443 : port);
	put_u32(f, (uint32_t)random_next(&f->random));
	put_u32(f, flags & ACK ? (uint32_t)random_next(&f->random) : 0);
	put_u16(f, 0);
	put_u16(f, flags & RST ? 0 : (uint16_t)(1024 + below(f, 60000)));
	put_u32(f, 0);
	if (flags & SYN) {
		put_u32(f, 0x02040000 | (ip->version == 4 ? 1460 : 1440));
		put_u32(f, 0x01030307); /* window scale */
		put_u32(f, 0x01010402); /* SACK permitted */
	} else if (!(flags & RST) && chance(f, 60)) {
		put_u32(f, 0x0101080a); /* timestamps */
		put_noise(f, 8);
	}
	if (flags == ACK && chance(f, 75))
		n_bytes = payload_draw(f, 5);
	if (n_bytes)
		flags |= PSH;
	set_u16(f, start + 12, (uint16_t)((f->used_bytes - start) / 4 << 12 | flags));
	if (n_bytes) {
		put_number(f, 0x170303, 3);
		put_u16(f, (uint16_t)n_bytes);
		put_noise(f, n_bytes);
	}
	set_u16(f, start + 16, internet_checksum(f, ip, TCP, start));
}

static void put_udp(struct frame_builder *f, const struct ip_layer *ip)
{
	uint16_t port = ephemeral_port(f);
	size_t start = udp_begin(f, port, 9); /* discard: whatever it carries is well-formed */

	put_noise(f, payload_draw(f, 0));
	/* Some analysers guess by the first bytes whatever the port says; none of them knows these. */
	if (f->used_bytes >= start + 10)
		set_u16(f, start + 8, 0x2020);
	udp_end(f, ip, start);
}

static void put_echo(struct frame_builder *f, const struct ip_layer *ip)
{
	size_t start = f->used_bytes;
	bool request = chance(f, 55);

	if (ip->version == 4)
		put_u16(f, request ? 0x0800 : 0x0000);
	else
		put_u16(f, request ? 0x8000 : 0x8100);
	put_u16(f, 0);
	put_u16(f, (uint16_t)below(f, 1 << 16));
	put_u16(f, (uint16_t)(below(f, 1000) + 1));
	put_noise(f, chance(f, 50) ? 56 : payload_draw(f, 0));
	set_u16(f, start + 2, internet_checksum(f, ip->version == 6 ? ip : NULL, ICMPV6, start));
}

static void put_transport(struct frame_builder *f, unsigned version, uint8_t protocol)
{
	struct ip_layer ip = ip_begin(f, version, protocol);

	if (protocol == TCP)
		put_tcp(f, &ip);
	else if (protocol == UDP)
		put_udp(f, &ip);
	else
		put_echo(f, &ip);
	ip_end(f, &ip);
}

void put_ip_packet(struct frame_builder *f, unsigned version)
{
	uint32_t rank = below(f, 10);

	route_draw(f);
	put_transport(f, version, rank < 6 ? TCP : rank < 9 ? UDP : version == 4 ? ICMP : ICMPV6);
}

static void transport_frame(struct frame_builder *f, unsigned version, uint8_t protocol)
{
	route_draw(f);
	link_ip(f, f->to.mac, version);
	put_transport(f, version, protocol);
}

void build_ipv4_tcp(struct frame_builder *f)
{
	transport_frame(f, 4, TCP);
}

void build_ipv4_udp(struct frame_builder *f)
{
	transport_frame(f, 4, UDP);
}

void build_ipv4_icmp(struct frame_builder *f)
{
	transport_frame(f, 4, ICMP);
}

void build_ipv6_tcp(struct frame_builder *f)
{
	transport_frame(f, 6, TCP);
}

void build_ipv6_udp(struct frame_builder *f)
{
	transport_frame(f, 6, UDP);
}

void build_ipv6_icmp(struct frame_builder *f)
{
	transport_frame(f, 6, ICMPV6);
}

static void put_name(struct frame_builder *f, const char *name)
{
	while (*name) {
		size_t n_bytes = strcspn(name, ".");

		put_u8(f, (uint8_t)n_bytes);
		put_bytes(f, name, n_bytes);
		name += n_bytes + (name[n_bytes] == '.');
	}
	put_u8(f, 0);
}

/* RFC 1035: one question, and its answer if it is a response. */
static void put_dns(struct frame_builder *f, const char *name, uint16_t type, bool multicast, bool response)
{
	put_u16(f, multicast ? 0 : (uint16_t)below(f, 1 << 16));
	put_u16(f, multicast ? (response ? 0x8400 : 0) : (response ? 0x8180 : 0x0100));
	put_u16(f, 1);
	put_u16(f, response);
	put_u32(f, 0);
	put_name(f, name);
	put_u16(f, type);
	put_u16(f, 1);
	if (!response)
		return;
	put_u16(f, 0xc00c); /* the name above */
	put_u16(f, type);
	put_u16(f, 1);
	put_u32(f, below(f, 3600) + 60);
	put_u16(f, type == 28 ? 16 : 4);
	if (type == 28) {
		put_u64(f, f->to.ipv6[0]);
		put_u64(f, f->to.ipv6[1]);
	} else {
		put_u32(f, f->to.ipv4);
	}
}

static void dns_frame(struct frame_builder *f, unsigned version)
{
	static const char *const names[] = {"example.com", "www.example.org", "time.example.net",
					    "plc-3.plant.example"};
	const char *name = names[below(f, N_OF(names))];
	uint16_t port = ephemeral_port(f);
	bool response = chance(f, 50);
	uint16_t type = chance(f, 60) ? 1 : 28;
	struct ip_layer ip;
	size_t start;

	route_draw(f);
	link_ip(f, f->to.mac, version);
	ip = ip_begin(f, version, UDP);
	start = udp_begin(f, response ? 53 : port, response ? port : 53);
	put_dns(f, name, type, false, response);
	udp_end(f, &ip, start);
	ip_end(f, &ip);
}

void build_ipv4_dns(struct frame_builder *f)
{
	dns_frame(f, 4);
}

void build_ipv6_dns(struct frame_builder *f)
{
	dns_frame(f, 6);
}

static void put_mdns(struct frame_builder *f, const struct ip_layer *ip)
{
	size_t start = udp_begin(f, 5353, 5353);

	put_dns(f, "printer-2.local", ip->version == 4 ? 1 : 28, true, chance(f, 40));
	udp_end(f, ip, start);
	ip_end(f, ip);
}

void build_ipv4_mdns(struct frame_builder *f)
{
	struct ip_layer ip = ipv4_multicast_begin(f, 0xe00000fb, UDP, 255);

	put_mdns(f, &ip);
}

void build_ipv6_mdns(struct frame_builder *f)
{
	struct ip_layer ip = ipv6_multicast_begin(f, 0xff02, 0xfb, UDP, 255);

	put_mdns(f, &ip);
}

void build_ipv4_ssdp(struct frame_builder *f)
{
	struct ip_layer ip = ipv4_multicast_begin(f, 0xeffffffa, UDP, 2);
	uint16_t port = ephemeral_port(f);
	size_t start = udp_begin(f, port, 1900);

	put_text(f, "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\n"
		    "ST: ssdp:all\r\n\r\n");
	udp_end(f, &ip, start);
	ip_end(f, &ip);
}

/* RFC 2131 and 2132: discover or request from a client without an address. */
void build_ipv4_dhcp(struct frame_builder *f)
{
	bool request = chance(f, 50);
	struct ip_layer ip;
	size_t start;

	link_ip(f, MAC_BROADCAST, 4);
	ip = ipv4_begin(f, &(struct ipv4_fields){.to = IPV4_BROADCAST, .protocol = UDP});
	start = udp_begin(f, 68, 67);
	put_u32(f, 0x01010600);
	put_noise(f, 4);
	put_zeros(f, 20);
	put_mac(f, f->from.mac);
	put_zeros(f, 10 + 64 + 128);
	put_u32(f, 0x63825363);
	put_number(f, 0x350100 | (request ? 3 : 1), 3);
	if (request) {
		put_u16(f, 0x3204);
		put_u32(f, f->from.ipv4);
	}
	put_u32(f, 0x37020103); /* wants mask and router */
	put_u8(f, 0xff);
	put_zeros(f, 8 + 300 - (f->used_bytes - start));
	udp_end(f, &ip, start);
	ip_end(f, &ip);
}

/* RFC 1002: name query to the subnet. */
void build_ipv4_netbios(struct frame_builder *f)
{
	static const char name[] = "FILESERVER     ";
	struct ip_layer ip;
	size_t start;

	link_ip(f, MAC_BROADCAST, 4);
	ip = ipv4_begin(f, &(struct ipv4_fields){
				   .from = f->from.ipv4, .to = f->from.ipv4 | 0xff, .protocol = UDP, .ttl = 64});
	start = udp_begin(f, 137, 137);
	put_u16(f, (uint16_t)below(f, 1 << 16));
	put_u16(f, 0x0110);
	put_u16(f, 1);
	put_number(f, 0, 6);
	put_u8(f, 32);
	for (size_t i = 0; i < 16; i++) { /* the NUL is the workstation service */
		put_u8(f, (uint8_t)('A' + (name[i] >> 4)));
		put_u8(f, (uint8_t)('A' + (name[i] & 15)));
	}
	put_u8(f, 0);
	put_u32(f, 0x00200001);
	udp_end(f, &ip, start);
	ip_end(f, &ip);
}

static const uint8_t router_alert[4] = {0x94, 0x04, 0, 0};

/* Membership report (RFC 2236), with the router alert that it must carry. */
void build_ipv4_igmp(struct frame_builder *f)
{
	uint32_t group = 0xefff0000 | below(f, 1 << 16);
	struct ip_layer ip;
	size_t start;

	link_ip(f, 0x01005e000000 | (group & 0x7fffff), 4);
	ip = ipv4_begin(f, &(struct ipv4_fields){.from = f->from.ipv4,
						 .to = group,
						 .protocol = IGMP,
						 .ttl = 1,
						 .options = router_alert,
						 .n_options = sizeof(router_alert)});
	start = f->used_bytes;
	put_u32(f, 0x16000000);
	put_u32(f, group);
	set_u16(f, start + 2, internet_checksum(f, NULL, 0, start));
	ip_end(f, &ip);
}

/* RFC 2328: hello to all routers. */
void build_ipv4_ospf(struct frame_builder *f)
{
	struct ip_layer ip = ipv4_multicast_begin(f, 0xe0000005, OSPF, 1);
	size_t start = f->used_bytes;

	put_u32(f, 0x0201002c);
	put_u32(f, f->from.ipv4);
	put_u32(f, 0);
	put_u32(f, 0);
	put_u64(f, 0);
	put_u32(f, 0xffffff00);
	put_u32(f, 0x000a0201); /* every 10 s */
	put_u32(f, 40);
	put_u32(f, f->from.ipv4);
	put_u32(f, 0);
	set_u16(f, start + 12, internet_checksum(f, NULL, 0, start));
	ip_end(f, &ip);
}

void build_ipv4_options(struct frame_builder *f)
{
	static const struct {
		uint8_t bytes[24];
		uint8_t n_bytes;
	} options[] = {
		{{0x94, 0x04}, 4},	       /* router alert */
		{{0x07, 0x17, 0x04}, 24},      /* record route, room for five */
		{{0x44, 0x0c, 0x05}, 12},      /* timestamp, room for two */
		{{0x01, 0x01, 0x01, 0x00}, 4}, /* padding only */
	};
	size_t i = below(f, N_OF(options));
	struct ip_layer ip;

	route_draw(f);
	link_ip(f, f->to.mac, 4);
	ip = ipv4_begin(f, &(struct ipv4_fields){.from = f->from.ipv4,
						 .to = f->to.ipv4,
						 .protocol = UDP,
						 .options = options[i].bytes,
						 .n_options = options[i].n_bytes});
	put_udp(f, &ip);
	ip_end(f, &ip);
}

/* What a fragment carries: multiples of 8 bytes, without a transport header that could be read. */
static void put_fragment_payload(struct frame_builder *f)
{
	put_noise(f, 8 + (payload_draw(f, 8) & ~(size_t)7));
}

void build_ipv4_fragment(struct frame_builder *f)
{
	uint32_t more = chance(f, 50) ? 0x2000 : 0;
	struct ip_layer ip;

	route_draw(f);
	link_ip(f, f->to.mac, 4);
	ip = ipv4_begin(f, &(struct ipv4_fields){.from = f->from.ipv4,
						 .to = f->to.ipv4,
						 .protocol = UDP,
						 .fragment = (uint16_t)(more | (below(f, 500) + 1))});
	put_fragment_payload(f);
	ip_end(f, &ip);
}

void build_ipv6_fragment(struct frame_builder *f)
{
	uint32_t more = below(f, 2);
	struct ip_layer ip;

	route_draw(f);
	link_ip(f, f->to.mac, 6);
	ip = ip_begin(f, 6, IPV6_FRAGMENT);
	put_u16(f, UDP << 8);
	put_u16(f, (uint16_t)((below(f, 500) + 1) << 3 | more));
	put_noise(f, 4);
	put_fragment_payload(f);
	ip_end(f, &ip);
}

void build_ipv4_gre(struct frame_builder *f)
{
	unsigned inner = chance(f, 70) ? 4 : 6;
	struct ip_layer ip;

	link_ip(f, f->to.mac, 4);
	ip = ip_begin(f, 4, GRE);
	put_u16(f, 0);
	put_u16(f, inner == 4 ? 0x0800 : 0x86dd);
	put_ip_packet(f, inner);
	ip_end(f, &ip);
}

/* RFC 4303: an index, a sequence number, and what nobody can read. */
static void esp_frame(struct frame_builder *f, unsigned version)
{
	struct ip_layer ip;

	route_draw(f);
	link_ip(f, f->to.mac, version);
	ip = ip_begin(f, version, ESP);
	put_u32(f, 0x100 + below(f, 1u << 30));
	put_u32(f, below(f, 100000) + 1);
	put_noise(f, 32 + (payload_draw(f, 32) & ~(size_t)15));
	ip_end(f, &ip);
}

void build_ipv4_esp(struct frame_builder *f)
{
	esp_frame(f, 4);
}

void build_ipv6_esp(struct frame_builder *f)
{
	esp_frame(f, 6);
}

/* RFC 4861: solicitation of a neighbour, its advertisement, or a router's. */
void build_ipv6_neighbour(struct frame_builder *f)
{
	uint32_t rank = below(f, 10);
	struct ip_layer ip;
	size_t start;

	if (rank < 5) {
		/* Solicited-node address ff02::1:ffXX:XXXX. */
		uint32_t group = 0xff000000 | (f->to.ipv6[1] & 0xffffff);
		const uint64_t to[2] = {0xff02000000000000, UINT64_C(1) << 32 | group};

		link_ip(f, 0x333300000000 | group, 6);
		ip = ipv6_begin(f, f->from.ipv6, to, ICMPV6, 255);
	} else if (rank < 8) {
		link_ip(f, f->to.mac, 6);
		ip = ipv6_begin(f, f->from.ipv6, f->to.ipv6, ICMPV6, 255);
	} else {
		ip = ipv6_multicast_begin(f, 0xff02, 1, ICMPV6, 255);
	}
	start = f->used_bytes;
	put_u16(f, rank < 5 ? 0x8700 : rank < 8 ? 0x8800 : 0x8600);
	put_u16(f, 0);
	if (rank < 8) {
		const uint64_t *target = rank < 5 ? f->to.ipv6 : f->from.ipv6;

		put_u32(f, rank < 5 ? 0 : 0x60000000);
		put_u64(f, target[0]);
		put_u64(f, target[1]);
	} else {
		put_u32(f, 0x40000708);
		put_u64(f, 0);
	}
	put_u16(f, rank < 5 || rank >= 8 ? 0x0101 : 0x0201); /* source, else target, link-layer address */
	put_mac(f, f->from.mac);
	set_u16(f, start + 2, internet_checksum(f, &ip, ICMPV6, start));
	ip_end(f, &ip);
}

/* RFC 3810: report of one group, behind the hop-by-hop router alert. */
void build_ipv6_mld(struct frame_builder *f)
{
	struct ip_layer ip = ipv6_multicast_begin(f, 0xff02, 0x16, 0, 1);
	uint32_t group = below(f, 1 << 16);
	size_t start;

	put_u64(f, (uint64_t)ICMPV6 << 56 | 0x050200000100); /* router alert, PadN */
	start = f->used_bytes;
	put_u32(f, 0x8f000000);
	put_u32(f, 1);
	put_u32(f, 0x04000000);
	put_u64(f, 0xff02000000000000);
	put_u64(f, 0x100000000 | group);
	set_u16(f, start + 2, internet_checksum(f, &ip, ICMPV6, start));
	ip_end(f, &ip);
}

/* RFC 8415: solicit. */
void build_ipv6_dhcp(struct frame_builder *f)
{
	const uint64_t all_agents[2] = {0xff02000000000000, 0x10002};
	const uint64_t from[2] = {0xfe80000000000000, f->from.ipv6[1]};
	struct ip_layer ip;
	size_t start;

	link_ip(f, 0x333300010002, 6);
	ip = ipv6_begin(f, from, all_agents, UDP, 1);
	start = udp_begin(f, 546, 547);
	put_u32(f, 0x01000000 | below(f, 1 << 24));
	put_u32(f, 0x0001000a); /* client identifier: DUID-LL */
	put_u32(f, 0x00030001);
	put_mac(f, f->from.mac);
	put_u32(f, 0x00080002); /* elapsed time */
	put_u16(f, (uint16_t)below(f, 3000));
	udp_end(f, &ip, start);
	ip_end(f, &ip);
}

/* Hop-by-hop, routing and destination options before TCP or UDP, each there or not. RFC 8200, 4.1. */
void build_ipv6_extension(struct frame_builder *f)
{
	bool hop_by_hop = chance(f, 60), segments = chance(f, 40), tcp = chance(f, 50);
	uint8_t last = tcp ? TCP : UDP;
	uint8_t after_route = IPV6_DESTINATION;
	uint8_t after_hops = segments ? IPV6_ROUTE : after_route;
	struct ip_layer ip;

	route_draw(f);
	link_ip(f, f->to.mac, 6);
	ip = ip_begin(f, 6, hop_by_hop ? 0 : after_hops);
	if (hop_by_hop)
		put_u64(f, (uint64_t)after_hops << 56 | 0x010400000000); /* PadN */
	if (segments) { /* type 2 (RFC 6275); its home address is the destination again, so checksums hold */
		put_u64(f, (uint64_t)after_route << 56 | UINT64_C(0x02020100000000));
		put_u64(f, f->to.ipv6[0]);
		put_u64(f, f->to.ipv6[1]);
	}
	put_u64(f, (uint64_t)last << 56 | 0x010400000000);
	if (tcp)
		put_tcp(f, &ip);
	else
		put_udp(f, &ip);
	ip_end(f, &ip);
}

/* Nothing behind the header (RFC 8200, 4.7). */
void build_ipv6_no_next(struct frame_builder *f)
{
	struct ip_layer ip;

	link_ip(f, f->to.mac, 6);
	ip = ip_begin(f, 6, IPV6_NO_NEXT);
	ip_end(f, &ip);
}

/* IPv6 in IPv4 (RFC 4213). */
void build_ipv4_6in4(struct frame_builder *f)
{
	struct ip_layer ip;

	link_ip(f, f->to.mac, 4);
	ip = ip_begin(f, 4, 41);
	put_ip_packet(f, 6);
	ip_end(f, &ip);
}
