/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The byte writer, the hosts and the shared headers of generated frames; see frame_builder.h.
 */
#include <errno.h>
#include <string.h>

#include "frame_builder.h"
#include "kinds.h"

/* Vendors met in offices, plants and data centres. Some begin with 08 00, as IPv4's EtherType does. */
static const uint32_t vendor_ouis[] = {
	0x00000c, 0x001b54, 0x58ac78,			  /* Cisco */
	0x080006, 0x000e8c, 0x001b1b, 0x286336,		  /* Siemens */
	0x00a045, 0x0030de, 0x000105, 0x0080f4, 0x0000bc, /* Phoenix Contact, WAGO, Beckhoff, Schneider, Rockwell */
	0x008063, 0x000adc, 0x0030a7, 0x0021c1,		  /* Hirschmann, RuggedCom, Schweitzer, ABB */
	0x005056, 0x000c29, 0x525400, 0x080027, 0x00155d, 0x00163e, /* virtual machines */
	0x001b21, 0x3cfdfe, 0xa0369f, 0x0002c9, 0x002590,	    /* Intel, Mellanox, Supermicro */
	0x001422, 0x3cd92b, 0x080009, 0x080020, 0x08002b,	    /* Dell, HP, HP, Sun, DEC */
	0x000496, 0x000585, 0x001c73, 0x4c5e0c, 0x24a43c, /* Extreme, Juniper, Arista, MikroTik, Ubiquiti */
	0xb827eb, 0xdca632, 0x000393, 0xf01898, 0x001132, /* Raspberry Pi, Apple, Synology */
	0x18b430, 0x240ac4, 0x00408c, 0x0004f2, 0x00e04c, /* Nest, Espressif, Axis, Polycom, Realtek */
};

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

static uint64_t host_mac_draw(struct frame_builder *f)
{
	uint64_t low = random_next(&f->random);

	/* Every sixth is made up by software: locally administered, the rest random. */
	if (below(f, 6) == 0)
		return (low & 0xfcffffffffff) | 0x020000000000;
	return (uint64_t)vendor_ouis[below(f, N_OF(vendor_ouis))] << 24 | (low & 0xffffff);
}

static struct host host_draw(struct frame_builder *f, uint64_t site, uint32_t index)
{
	static const uint32_t networks[] = {0x0a000000, 0x0a140000, 0xac100000, 0xc0a80000, 0xc0a80100};
	struct host host = {.mac = host_mac_draw(f)};

	/* No two have the same address: 1 to 208 by turns in each network. */
	host.ipv4 = networks[index % N_OF(networks)] + 1;
	host.ipv4 += index / N_OF(networks) * 4 + below(f, 4);
	/* Unique local or documentation prefix, interface identifier from the MAC: RFC 4291, appendix A. */
	host.ipv6[0] = site | below(f, 8);
	host.ipv6[1] = (host.mac & 0xffffff000000) << 16 | 0xfffe000000 | (host.mac & 0xffffff);
	host.ipv6[1] ^= UINT64_C(1) << 57;
	return host;
}

void frame_builder_init(struct frame_builder *f, uint64_t seed, size_t max_bytes)
{
	uint64_t site;

	memset(f, 0, sizeof(*f));
	random_seed(&f->random, seed);
	f->max_bytes = max_bytes;
	site = chance(f, 50) ? 0x20010db800000000 : 0xfd00000000000000 | (uint64_t)below(f, 1 << 24) << 32;
	for (uint32_t i = 0; i < FRAME_BUILDER_HOSTS; i++)
		f->hosts[i] = host_draw(f, site, i);
}

int frame_build(struct frame_builder *f, const struct frame_kind *kind)
{
	uint32_t from = below(f, FRAME_BUILDER_HOSTS);
	uint32_t apart = below(f, FRAME_BUILDER_HOSTS - 1) + 1;

	f->used_bytes = 0;
	f->overflow = false;
	f->as_is = false;
	f->length_at = 0;
	f->n_tags = 0;
	f->from = f->hosts[from];
	f->to = f->hosts[(from + apart) % FRAME_BUILDER_HOSTS];

	kind->build(f);
	if (f->length_at)
		set_u16(f, f->length_at, (uint16_t)(f->used_bytes - f->length_at - 2));
	/* A capture on the sending host sees its frames before the network card has padded them. */
	if (!f->as_is && f->used_bytes < FRAME_MINIMUM_BYTES && !chance(f, 12))
		put_zeros(f, FRAME_MINIMUM_BYTES - f->used_bytes);
	return f->overflow || f->used_bytes > f->max_bytes ? -EOVERFLOW : 0;
}

static uint8_t *reserve(struct frame_builder *f, size_t n_bytes)
{
	uint8_t *at = f->data + f->used_bytes;

	if (n_bytes > sizeof(f->data) - f->used_bytes) {
		f->overflow = true;
		return NULL;
	}
	f->used_bytes += n_bytes;
	return at;
}

void put_bytes(struct frame_builder *f, const void *bytes, size_t n_bytes)
{
	uint8_t *at = reserve(f, n_bytes);

	if (at && n_bytes)
		memcpy(at, bytes, n_bytes);
}

void put_number(struct frame_builder *f, uint64_t value, size_t n_bytes)
{
	uint8_t *at = reserve(f, n_bytes);

	for (size_t i = n_bytes; at && i-- > 0; value >>= 8)
		at[i] = (uint8_t)value;
}

void put_zeros(struct frame_builder *f, size_t n_bytes)
{
	uint8_t *at = reserve(f, n_bytes);

	if (at)
		memset(at, 0, n_bytes);
}

void put_noise(struct frame_builder *f, size_t n_bytes)
{
	for (; n_bytes >= 8; n_bytes -= 8)
		put_number(f, random_next(&f->random), 8);
	put_number(f, random_next(&f->random), n_bytes);
}

void put_text(struct frame_builder *f, const char *text)
{
	put_bytes(f, text, strlen(text));
}

void put_le16(struct frame_builder *f, uint16_t value)
{
	put_u16(f, (uint16_t)(value << 8 | value >> 8));
}

void set_u16(struct frame_builder *f, size_t at, uint16_t value)
{
	if (at + 2 > f->used_bytes) {
		f->overflow = true;
		return;
	}
	f->data[at] = (uint8_t)(value >> 8);
	f->data[at + 1] = (uint8_t)value;
}

size_t payload_draw(struct frame_builder *f, size_t trailer_bytes)
{
	static const struct {
		uint8_t percent;
		uint16_t most_bytes;
	} sizes[] = {{35, 40}, {30, 160}, {15, 600}, {18, 1430}, {2, FRAME_BUILDER_MOST_BYTES}};
	size_t taken = f->used_bytes + trailer_bytes;
	size_t room = f->max_bytes > taken ? f->max_bytes - taken : 0;
	uint32_t rank = below(f, 100);
	size_t n_bytes, i = 0;

	while (rank >= sizes[i].percent)
		rank -= sizes[i++].percent;
	n_bytes = below(f, sizes[i].most_bytes + 1u);
	/* The length of an IEEE 802.3 frame says at most 1500: what is larger is an EtherType. */
	if (f->length_at && room > f->length_at + 2 + 1500 - taken)
		room = f->length_at + 2 + 1500 - taken;
	return n_bytes < room ? n_bytes : room;
}

static void put_tag(struct frame_builder *f, uint16_t protocol, uint16_t control)
{
	put_u16(f, protocol);
	put_u16(f, control);
	f->n_tags++;
}

static uint16_t vlan_draw(struct frame_builder *f)
{
	uint32_t priority = chance(f, 70) ? 0 : below(f, 8);

	return (uint16_t)(priority << 13 | (below(f, 4094) + 1));
}

static void link_addresses(struct frame_builder *f, uint64_t to_mac)
{
	static const uint16_t outer[] = {0x88a8, 0x88a8, 0x8100, 0x9100};
	uint32_t rank = below(f, 100);

	put_mac(f, to_mac);
	put_mac(f, f->from.mac);
	if (rank < 6) {
		uint16_t protocol = outer[below(f, N_OF(outer))];

		put_tag(f, protocol, vlan_draw(f));
	}
	if (rank < 18)
		put_tag(f, 0x8100, vlan_draw(f));
}

void link_ethernet(struct frame_builder *f, uint64_t to_mac, uint16_t ethertype)
{
	link_addresses(f, to_mac);
	put_u16(f, ethertype);
}

void link_priority(struct frame_builder *f, uint64_t to_mac, uint16_t ethertype)
{
	put_mac(f, to_mac);
	put_mac(f, f->from.mac);
	if (chance(f, 60))
		put_tag(f, 0x8100, (uint16_t)((4 + below(f, 3)) << 13));
	put_u16(f, ethertype);
}

void link_length(struct frame_builder *f, uint64_t to_mac)
{
	link_addresses(f, to_mac);
	f->length_at = f->used_bytes;
	put_u16(f, 0);
}

void link_llc(struct frame_builder *f, uint64_t to_mac, uint8_t sap)
{
	link_length(f, to_mac);
	put_u8(f, sap);
	put_u8(f, sap);
	put_u8(f, 0x03);
}

void link_snap(struct frame_builder *f, uint64_t to_mac, uint32_t oui, uint16_t protocol)
{
	link_llc(f, to_mac, 0xaa);
	put_number(f, oui, 3);
	put_u16(f, protocol);
}

struct ip_layer ipv4_begin(struct frame_builder *f, const struct ipv4_fields *fields)
{
	static const uint8_t first_hops[] = {64, 64, 128, 255};
	struct ip_layer ip = {.version = 4, .start = f->used_bytes};
	uint8_t ttl = first_hops[below(f, N_OF(first_hops))];
	bool dont_fragment = chance(f, 60);

	put_u8(f, (uint8_t)(0x45 + fields->n_options / 4));
	put_u8(f, chance(f, 85) ? 0 : (uint8_t)(below(f, 64) << 2));
	put_u16(f, 0);
	put_u16(f, (uint16_t)below(f, 1 << 16));
	put_u16(f, fields->fragment ? fields->fragment : dont_fragment ? 0x4000 : 0);
	put_u8(f, fields->ttl ? fields->ttl : (uint8_t)(ttl - below(f, 20)));
	put_u8(f, fields->protocol);
	put_u16(f, 0);
	put_u32(f, fields->from);
	put_u32(f, fields->to);
	put_bytes(f, fields->options, fields->n_options);
	return ip;
}

struct ip_layer ipv6_begin(struct frame_builder *f, const uint64_t from[2], const uint64_t to[2], uint8_t next,
			   uint8_t hop_limit)
{
	struct ip_layer ip = {.version = 6, .start = f->used_bytes};

	put_u32(f, 0x60000000 | (chance(f, 40) ? below(f, 1 << 20) : 0));
	put_u16(f, 0);
	put_u8(f, next);
	put_u8(f, hop_limit);
	for (size_t i = 0; i < 2; i++)
		put_u64(f, from[i]);
	for (size_t i = 0; i < 2; i++)
		put_u64(f, to[i]);
	return ip;
}

static uint64_t words_sum(const uint8_t *at, size_t n_bytes)
{
	uint64_t sum = 0;

	for (; n_bytes >= 2; at += 2, n_bytes -= 2)
		sum += (uint64_t)at[0] << 8 | at[1];
	return n_bytes ? sum + ((uint64_t)at[0] << 8) : sum;
}

static uint16_t sum_fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

uint16_t internet_checksum(const struct frame_builder *f, const struct ip_layer *ip, uint8_t protocol, size_t start)
{
	uint64_t sum = words_sum(f->data + start, f->used_bytes - start);

	if (ip) {
		size_t addresses = ip->start + (ip->version == 4 ? 12 : 8);

		sum += words_sum(f->data + addresses, ip->version == 4 ? 8 : 32) + protocol + f->used_bytes - start;
	}
	return sum_fold(sum);
}

void ip_end(struct frame_builder *f, const struct ip_layer *ip)
{
	size_t n_bytes = f->used_bytes - ip->start;

	if (ip->version == 6) {
		set_u16(f, ip->start + 4, (uint16_t)(n_bytes - 40));
		return;
	}
	set_u16(f, ip->start + 2, (uint16_t)n_bytes);
	set_u16(f, ip->start + 10, sum_fold(words_sum(f->data + ip->start, (f->data[ip->start] & 15) * 4u)));
}

size_t udp_begin(struct frame_builder *f, uint16_t from_port, uint16_t to_port)
{
	size_t start = f->used_bytes;

	put_u16(f, from_port);
	put_u16(f, to_port);
	put_u32(f, 0);
	return start;
}

void udp_end(struct frame_builder *f, const struct ip_layer *ip, size_t start)
{
	uint16_t sum;

	set_u16(f, start + 4, (uint16_t)(f->used_bytes - start));
	sum = internet_checksum(f, ip, 17, start);
	set_u16(f, start + 6, sum ? sum : 0xffff); /* 0 says that there is no checksum */
}
