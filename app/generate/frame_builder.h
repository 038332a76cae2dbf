/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Builds one frame after another: a bounds-checked byte writer, the hosts that talk, and the headers that
 * several kinds of frames share. The builders of kinds_link.c and kinds_ip.c are written with it,
 * cmd_generate.c drives it. One thread, no allocation.
 */
#ifndef WIRESCORE_GENERATE_FRAME_BUILDER_H
#define WIRESCORE_GENERATE_FRAME_BUILDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "random.h"

/* Longest frame that may be asked for, and the shortest limit that every kind's fixed part stays below. */
#define FRAME_BUILDER_MOST_BYTES  9000
#define FRAME_BUILDER_LEAST_BYTES 384
#define FRAME_BUILDER_HOSTS	  256
#define FRAME_MINIMUM_BYTES	  60 /* Ethernet's 64 without the frame check sequence */

#define MAC_BROADCAST 0xffffffffffff

struct host {
	uint64_t mac; /* the lower 48 bits */
	uint32_t ipv4;
	uint64_t ipv6[2];
};

struct frame_builder {
	uint8_t data[FRAME_BUILDER_MOST_BYTES + 1000];
	size_t used_bytes;
	size_t max_bytes; /* payloads are drawn to keep the frame within it */
	bool overflow;	  /* something did not fit into data; stays set until the next frame */
	bool as_is;	  /* the builder has settled the length: no padding */
	size_t length_at; /* where the length of an IEEE 802.3 frame stands, 0 for Ethernet II */
	unsigned n_tags;  /* VLAN tags of this frame */
	struct random random;
	struct host hosts[FRAME_BUILDER_HOSTS];
	struct host from, to; /* who talks in this frame */
};

/* max_bytes: FRAME_BUILDER_LEAST_BYTES to FRAME_BUILDER_MOST_BYTES. */
void frame_builder_init(struct frame_builder *f, uint64_t seed, size_t max_bytes);

struct frame_kind;
/* Builds a frame of the kind at f->data, f->used_bytes long. 0, or -EOVERFLOW if it does not fit. */
int frame_build(struct frame_builder *f, const struct frame_kind *kind);

/* The writer: numbers in network order. What does not fit is left out and sets f->overflow. */
void put_bytes(struct frame_builder *f, const void *bytes, size_t n_bytes);
void put_number(struct frame_builder *f, uint64_t value, size_t n_bytes); /* n_bytes: 0 to 8 */
void put_zeros(struct frame_builder *f, size_t n_bytes);
void put_noise(struct frame_builder *f, size_t n_bytes);
void put_text(struct frame_builder *f, const char *text); /* without its NUL */
void put_le16(struct frame_builder *f, uint16_t value);
void set_u16(struct frame_builder *f, size_t at, uint16_t value);

static inline void put_u8(struct frame_builder *f, uint8_t value)
{
	put_number(f, value, 1);
}

static inline void put_u16(struct frame_builder *f, uint16_t value)
{
	put_number(f, value, 2);
}

static inline void put_u32(struct frame_builder *f, uint32_t value)
{
	put_number(f, value, 4);
}

static inline void put_mac(struct frame_builder *f, uint64_t mac)
{
	put_number(f, mac, 6);
}

static inline void put_u64(struct frame_builder *f, uint64_t value)
{
	put_number(f, value, 8);
}

/*
 * A whole number of [0, end); true percent times out of a hundred. C leaves the order of operands and arguments
 * open: call one of them at most per full expression, or the bytes depend on the compiler.
 */
static inline uint32_t below(struct frame_builder *f, uint32_t end)
{
	return random_below(&f->random, end);
}

static inline bool chance(struct frame_builder *f, uint32_t percent)
{
	return random_below(&f->random, 100) < percent;
}

/* How many payload bytes to put now, leaving room for trailer_bytes behind them: most frames are small. */
size_t payload_draw(struct frame_builder *f, size_t trailer_bytes);

/* Link headers. Tags are drawn: none, one or two; link_priority draws none or one of VLAN 0. */
void link_ethernet(struct frame_builder *f, uint64_t to_mac, uint16_t ethertype);
void link_priority(struct frame_builder *f, uint64_t to_mac, uint16_t ethertype);
/* IEEE 802.3: the length is filled in when the frame is done. */
void link_length(struct frame_builder *f, uint64_t to_mac);
void link_llc(struct frame_builder *f, uint64_t to_mac, uint8_t sap); /* both SAPs, unnumbered information */
void link_snap(struct frame_builder *f, uint64_t to_mac, uint32_t oui, uint16_t protocol);

struct ip_layer {
	unsigned version;
	size_t start; /* of the header in f->data */
};

struct ipv4_fields {
	uint32_t from, to;
	uint8_t protocol;
	uint8_t ttl;	     /* 0 draws one */
	uint16_t fragment;   /* flags and offset as in the header; 0 draws DF */
	const void *options; /* n_options bytes, a multiple of 4 */
	size_t n_options;
};

/* The fixed header (and IPv4's options); ip_end fills in lengths and checksum once the payload is there. */
struct ip_layer ipv4_begin(struct frame_builder *f, const struct ipv4_fields *fields);
struct ip_layer ipv6_begin(struct frame_builder *f, const uint64_t from[2], const uint64_t to[2], uint8_t next,
			   uint8_t hop_limit);
void ip_end(struct frame_builder *f, const struct ip_layer *ip);

/* RFC 1071 over the bytes from start to the end, with the pseudo-header of ip (NULL for none). */
uint16_t internet_checksum(const struct frame_builder *f, const struct ip_layer *ip, uint8_t protocol,
			   size_t start);

/* The 8 bytes; udp_end fills in length and checksum. Returns where the header starts. */
size_t udp_begin(struct frame_builder *f, uint16_t from_port, uint16_t to_port);
void udp_end(struct frame_builder *f, const struct ip_layer *ip, size_t start);

/* Some IPv4 or IPv6 packet with TCP, UDP or ICMP inside, to be carried by MPLS or PPPoE. */
void put_ip_packet(struct frame_builder *f, unsigned version);

#endif
