/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One packet of a session as bytes: Ethernet, at most one VLAN tag, IPv4 or IPv6, and TCP, UDP, ICMP or a payload
 * alone, with right lengths and checksums over all that was on the wire, however little is captured. Payloads are
 * noise from one block, whose sums are known. Called by flows_session.c.
 */
#include <string.h>

#include "flows_engine.h"

#define ETHERNET_MIN_BYTES 60
#define IPV4_BYTES	   20
#define IPV6_BYTES	   40
#define FRAGMENT_BYTES	   1480 /* payload of a full IPv4 fragment, a multiple of 8, on Ethernet */

/* A packet that is being put together: headers in bytes, payload in the noise. */
struct writer {
	uint8_t *at;
	uint8_t *ip, *transport;
	uint32_t payload_bytes, noise_at;
	bool is_hidden; /* not seen at the capture */
};

static void write_u16(struct writer *w, uint32_t value)
{
	w->at[0] = (uint8_t)(value >> 8);
	w->at[1] = (uint8_t)value;
	w->at += 2;
}

static void write_u32(struct writer *w, uint32_t value)
{
	write_u16(w, value >> 16);
	write_u16(w, value & 0xffff);
}

static void write_bytes(struct writer *w, const void *bytes, size_t n_bytes)
{
	memcpy(w->at, bytes, n_bytes);
	w->at += n_bytes;
}

static void set_u16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint64_t sum_bytes(const uint8_t *bytes, size_t n_bytes)
{
	uint64_t sum = 0;

	for (size_t i = 0; i + 1 < n_bytes; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	return n_bytes & 1 ? sum + ((uint32_t)bytes[n_bytes - 1] << 8) : sum;
}

static uint64_t sum_noise(const struct flows *flows, uint32_t at, uint32_t n_bytes)
{
	uint64_t sum = flows->noise_sums[(at + n_bytes) / 2] - flows->noise_sums[at / 2];

	return n_bytes & 1 ? sum + ((uint32_t)flows->noise[at + n_bytes - 1] << 8) : sum;
}

/* RFC 1071: the ones' complement of the folded sum. */
static uint16_t checksum_fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

void noise_fill(struct flows *flows)
{
	for (size_t i = 0; i < FLOWS_NOISE_BYTES; i += 8) {
		uint64_t bits = random_next(&flows->random);

		for (int k = 0; k < 8; k++)
			flows->noise[i + k] = (uint8_t)(bits >> 8 * k);
	}
	for (size_t i = 0; i < FLOWS_NOISE_BYTES / 2; i++)
		flows->noise_sums[i + 1] =
			flows->noise_sums[i] + ((uint32_t)flows->noise[2 * i] << 8 | flows->noise[2 * i + 1]);
}

/* Where the next payload's noise is; even. */
static uint32_t noise_take(struct flows *flows, uint32_t n_bytes)
{
	if (flows->noise_at + n_bytes > FLOWS_NOISE_BYTES)
		flows->noise_at = (flows->noise_at + n_bytes) % 512 * 2;
	if (flows->noise_at + n_bytes > FLOWS_NOISE_BYTES)
		flows->noise_at = 0;
	flows->noise_at += (n_bytes + 1) / 2 * 2;
	return flows->noise_at - (n_bytes + 1) / 2 * 2;
}

static void write_ethernet(struct writer *w, const struct session *session, const struct party *from,
			   const struct party *to)
{
	uint16_t vlan = session->ends[0].vlan ? session->ends[0].vlan : session->ends[1].vlan;

	write_u16(w, (uint32_t)(to->mac >> 32));
	write_u32(w, (uint32_t)to->mac);
	write_u16(w, (uint32_t)(from->mac >> 32));
	write_u32(w, (uint32_t)from->mac);
	if (vlan) {
		write_u16(w, 0x8100);
		write_u16(w, vlan);
	}
	write_u16(w, session->is_ipv6 ? 0x86dd : 0x0800);
}

/* Lengths and the header's checksum are set by write_end. */
static void write_ip(struct writer *w, struct session *session, const struct party *from, const struct party *to,
		     uint8_t protocol, uint16_t fragment)
{
	uint16_t *identification = &session->identification[from == &session->ends[1]];

	w->ip = w->at;
	if (session->is_ipv6) {
		write_u32(w, 0x60000000);
		write_u16(w, 0);
		*w->at++ = protocol == PROTOCOL_ICMP ? PROTOCOL_ICMPV6 : protocol;
		*w->at++ = from->ttl;
		write_bytes(w, from->address, 16);
		write_bytes(w, to->address, 16);
	} else {
		write_u16(w, 0x4500);
		write_u16(w, 0);
		write_u16(w, fragment & 0x3fff ? *identification : (*identification)++);
		write_u16(w, fragment);
		*w->at++ = from->ttl;
		*w->at++ = protocol;
		write_u16(w, 0);
		write_bytes(w, from->address + 12, 4);
		write_bytes(w, to->address + 12, 4);
	}
	w->transport = w->at;
}

/* Sets the lengths in the IP header for what is written and n_bytes more. */
static void ip_set_length(struct writer *w, const struct session *session, uint32_t n_bytes)
{
	if (session->is_ipv6) {
		set_u16(w->ip + 4, (uint32_t)(w->at - w->ip) - IPV6_BYTES + n_bytes);
	} else {
		set_u16(w->ip + 2, (uint32_t)(w->at - w->ip) + n_bytes);
		set_u16(w->ip + 10, checksum_fold(sum_bytes(w->ip, IPV4_BYTES)));
	}
}

/* The checksum at offset of the transport header. */
static void transport_set_checksum(const struct flows *flows, struct writer *w, const struct session *session,
				   uint8_t protocol, uint32_t offset)
{
	uint32_t n_bytes = (uint32_t)(w->at - w->transport) + w->payload_bytes;
	uint64_t sum = sum_bytes(w->transport, (size_t)(w->at - w->transport));
	uint16_t checksum;

	sum += sum_noise(flows, w->noise_at, w->payload_bytes);
	if (session->is_ipv6)
		sum += sum_bytes(w->ip + 8, 32) + n_bytes +
		       (protocol == PROTOCOL_ICMP ? PROTOCOL_ICMPV6 : protocol);
	else if (protocol != PROTOCOL_ICMP)
		sum += sum_bytes(w->ip + 12, 8) + n_bytes + protocol;
	checksum = checksum_fold(sum);
	set_u16(w->transport + offset, protocol == PROTOCOL_UDP && !checksum ? 0xffff : checksum);
}

/* Appends the captured part of n_bytes of noise and hands the packet over. */
static void write_end(struct flows *flows, struct session *session, struct writer *w, uint32_t noise_at,
		      uint32_t n_bytes, uint64_t time_ns)
{
	struct activity *activity = &flows->activities[session->activity];
	uint32_t header_bytes = (uint32_t)(w->at - flows->packet), room, n_captured;
	struct flows_packet packet = {.data = flows->packet};

	if (w->is_hidden)
		return;
	packet.time_ns = flows->epoch_ns + (time_ns > flows->now_ns ? time_ns : flows->now_ns);
	room = flows->options.snap_bytes > header_bytes ? flows->options.snap_bytes - header_bytes : 0;
	n_captured = n_bytes < room ? n_bytes : room;
	memcpy(w->at, flows->noise + noise_at, n_captured);
	packet.wire_bytes = header_bytes + n_bytes;
	packet.captured_bytes = header_bytes + n_captured;
	if (packet.wire_bytes < ETHERNET_MIN_BYTES) {
		memset(w->at + n_captured, 0, ETHERNET_MIN_BYTES - packet.wire_bytes);
		packet.wire_bytes = packet.captured_bytes = ETHERNET_MIN_BYTES;
	}
	if (!activity->n_packets++)
		activity->first_ns = packet.time_ns;
	activity->last_ns = packet.time_ns;
	activity->n_flows += !session->is_counted;
	session->is_counted = true;
	flows->n_written++;
	if (!flows->failed)
		flows->failed = flows->sink(flows->context, &packet);
}

static void write_timestamps(struct writer *w, const struct session *session, uint64_t time_ns, int direction)
{
	/* A clock of 1 ms each, that began somewhere. */
	uint32_t base = session->ends[direction].port * 2654435761u;

	write_u32(w, 0x0101080a);
	write_u32(w, base + (uint32_t)(time_ns / NS_PER_MS));
	write_u32(w, session->ends[!direction].port * 2654435761u + (uint32_t)(time_ns / NS_PER_MS) - 1);
}

static void write_syn_options(struct writer *w, const struct session *session, const struct stack *stack,
			      uint64_t time_ns, int direction)
{
	uint32_t mss = session->is_ipv6 && stack->mss > 1440 ? 1440 : stack->mss;

	if (stack->layout == STACK_BARE)
		return;
	write_u32(w, 0x02040000 | mss);
	switch (stack->layout) {
	case STACK_LINUX:
		write_u16(w, 0x0402);
		write_u16(w, 0x080a);
		write_u32(w, session->ends[direction].port * 2654435761u + (uint32_t)(time_ns / NS_PER_MS));
		write_u32(w, 0);
		write_u32(w, 0x01030300u | stack->window_shift);
		break;
	case STACK_SACK:
		write_u32(w, 0x01010402);
		break;
	case STACK_WINDOWS:
		write_u32(w, 0x01030300u | stack->window_shift);
		write_u32(w, 0x01010402);
		break;
	case STACK_BSD:
		write_u32(w, 0x01030300u | stack->window_shift);
		write_timestamps(w, session, time_ns, direction);
		write_u32(w, 0x04020000);
		break;
	default:
		break;
	}
}

static void write_tcp(struct flows *flows, struct writer *w, struct session *session, const struct packet_due *due)
{
	int direction = due->kind & PACKET_BACK ? 1 : 0;
	struct party *from = &session->ends[direction], *to = &session->ends[!direction];
	const struct stack *stack = &stacks[from->stack];
	uint32_t sequence = session->sequence[direction], window;
	uint32_t advance = due->n_bytes + (due->flags & TCP_SYN ? 1 : 0) + (due->flags & TCP_FIN ? 1 : 0);

	if (due->kind & PACKET_AGAIN)
		sequence -= advance;
	else if (due->kind & PACKET_KEEPALIVE)
		sequence--;
	else
		session->sequence[direction] += advance;
	window = due->flags & TCP_RST ? 0 : stack->window;
	/* Behind SYN, windows are scaled: what a buffer of 64 kB and more makes. */
	if (!(due->flags & (TCP_SYN | TCP_RST)) && stack->window_shift)
		window = 200 + (sequence * 2654435761u >> 24) + (uint32_t)(65536u >> stack->window_shift);
	write_u16(w, from->port);
	write_u16(w, to->port);
	write_u32(w, sequence);
	write_u32(w, due->flags & TCP_ACK ? session->sequence[!direction] : 0);
	write_u16(w, 0);
	write_u16(w, window < 65535 ? window : 65535);
	write_u32(w, 0);
	if (due->flags & TCP_SYN)
		write_syn_options(w, session, stack, due->time_ns, direction);
	else if (session->has_timestamps && !(due->flags & TCP_RST))
		write_timestamps(w, session, due->time_ns, direction);
	set_u16(w->transport + 12, (uint32_t)(w->at - w->transport) / 4 << 12 | due->flags);
	w->payload_bytes = due->n_bytes;
	w->noise_at = noise_take(flows, due->n_bytes);
	ip_set_length(w, session, due->n_bytes);
	transport_set_checksum(flows, w, session, PROTOCOL_TCP, 16);
	write_end(flows, session, w, w->noise_at, due->n_bytes, due->time_ns);
}

/* What a link on the way, or a resolver that is careful, lets into one fragment. */
static uint32_t fragment_bytes(const struct session *session)
{
	return session->dialogue->fragment_bytes ? session->dialogue->fragment_bytes : FRAGMENT_BYTES;
}

/* The later fragments of an IPv4 datagram, of which sent bytes (with the UDP header) have gone. */
static void write_fragments(struct flows *flows, struct session *session, const struct packet_due *due,
			    uint32_t noise_at, uint32_t sent, uint32_t total)
{
	int direction = due->kind & PACKET_BACK ? 1 : 0;

	for (uint32_t most = fragment_bytes(session); sent < total; sent += most) {
		uint32_t n_bytes = total - sent < most ? total - sent : most;
		struct writer w = {.at = flows->packet, .is_hidden = session->hidden >> direction & 1};

		write_ethernet(&w, session, &session->ends[direction], &session->ends[!direction]);
		write_ip(&w, session, &session->ends[direction], &session->ends[!direction], PROTOCOL_UDP,
			 (uint16_t)(sent / 8 | (sent + n_bytes < total ? 0x2000 : 0)));
		ip_set_length(&w, session, n_bytes);
		write_end(flows, session, &w, noise_at + sent - 8, n_bytes, due->time_ns);
	}
	session->identification[direction]++;
}

static void write_udp(struct flows *flows, struct writer *w, const struct party *from, const struct party *to,
		      struct session *session, const struct packet_due *due)
{
	uint32_t total = due->n_bytes + 8u, first = due->n_bytes, most = fragment_bytes(session);

	w->payload_bytes = due->n_bytes;
	w->noise_at = noise_take(flows, due->n_bytes);
	write_u16(w, from->port);
	write_u16(w, to->port);
	write_u16(w, total);
	write_u16(w, 0);
	transport_set_checksum(flows, w, session, PROTOCOL_UDP, 6);
	if (total > most && !session->is_ipv6)
		first = most - 8;
	ip_set_length(w, session, first);
	write_end(flows, session, w, w->noise_at, first, due->time_ns);
	if (first < due->n_bytes)
		write_fragments(flows, session, due, w->noise_at, most, total);
}

static void write_echo(struct flows *flows, struct writer *w, struct session *session, const struct packet_due *due)
{
	bool is_reply = due->kind & PACKET_BACK;

	if (session->is_ipv6)
		write_u16(w, is_reply ? 0x8100 : 0x8000);
	else if (session->dialogue->icmp_type) /* RFC 792, 950: the reply's type is the next */
		write_u16(w, (session->dialogue->icmp_type + (is_reply ? 1u : 0u)) << 8);
	else
		write_u16(w, is_reply ? 0x0000 : 0x0800);
	write_u16(w, 0);
	write_u16(w, session->ends[0].port);
	write_u16(w, session->sequence[is_reply]++ & 0xffff);
	w->payload_bytes = due->n_bytes;
	w->noise_at = noise_take(flows, due->n_bytes);
	ip_set_length(w, session, due->n_bytes);
	transport_set_checksum(flows, w, session, PROTOCOL_ICMP, 2);
	write_end(flows, session, w, w->noise_at, due->n_bytes, due->time_ns);
}

/* RFC 792 and RFC 4443: what the client sent, up to 8 bytes behind its IP header. */
static void write_error(struct flows *flows, struct writer *w, struct session *session,
			const struct packet_due *due)
{
	const struct party *client = &session->ends[0], *server = &session->ends[1];
	uint8_t protocol = session->dialogue->protocol;
	uint32_t quoted = due->n_bytes + (protocol == PROTOCOL_TCP ? 20u : 8u);

	/* Type and code: port unreachable for 3; else the network's own words. */
	if (session->is_ipv6)
		write_u16(w, 0x0100 | (due->flags == 3 ? 4 : due->flags == 13 ? 1 : 3));
	else
		write_u16(w, 0x0300 | due->flags);
	write_u16(w, 0);
	write_u32(w, 0);
	if (session->is_ipv6) {
		write_u32(w, 0x60000000);
		write_u16(w, quoted);
		*w->at++ = protocol == PROTOCOL_ICMP ? PROTOCOL_ICMPV6 : protocol;
		*w->at++ = 60;
		write_bytes(w, client->address, 16);
		write_bytes(w, server->address, 16);
	} else {
		uint8_t *ip = w->at;

		write_u16(w, 0x4500);
		write_u16(w, quoted + IPV4_BYTES);
		write_u16(w, (uint16_t)(session->identification[0] - 1));
		write_u16(w, 0x4000);
		*w->at++ = 60;
		*w->at++ = protocol;
		write_u16(w, 0);
		write_bytes(w, client->address + 12, 4);
		write_bytes(w, server->address + 12, 4);
		set_u16(ip + 10, checksum_fold(sum_bytes(ip, IPV4_BYTES)));
	}
	if (protocol == PROTOCOL_ICMP) {
		write_u32(w, session->is_ipv6 ? 0x80000000 : 0x08000000);
		write_u32(w, (uint32_t)client->port << 16);
	} else {
		write_u16(w, client->port);
		write_u16(w, server->port);
		write_u32(w, protocol == PROTOCOL_UDP ? quoted << 16 : session->sequence[0] - 1);
	}
	ip_set_length(w, session, 0);
	transport_set_checksum(flows, w, session, PROTOCOL_ICMP, 2);
	write_end(flows, session, w, 0, 0, due->time_ns);
}

/* ESP (RFC 4303): the association, a number, and what cannot be read. */
static void write_esp(struct flows *flows, struct writer *w, struct session *session, const struct packet_due *due)
{
	bool is_back = due->kind & PACKET_BACK;

	write_u32(w, 0xc0000000u + session->ends[is_back].port);
	write_u32(w, session->sequence[is_back]++);
	w->noise_at = noise_take(flows, due->n_bytes);
	ip_set_length(w, session, due->n_bytes);
	write_end(flows, session, w, w->noise_at, due->n_bytes, due->time_ns);
}

void packet_write(struct flows *flows, struct session *session, const struct packet_due *due)
{
	int direction = due->kind & PACKET_BACK ? 1 : 0;
	const struct party *from = &session->ends[direction], *to = &session->ends[!direction];
	uint8_t protocol = due->kind & PACKET_ERROR ? PROTOCOL_ICMP : session->dialogue->protocol;
	bool is_split = protocol == PROTOCOL_UDP && due->n_bytes + 8u > fragment_bytes(session);
	struct writer w = {.at = flows->packet, .is_hidden = session->hidden >> direction & 1};

	if (session->hidden & HIDDEN_FIRST)
		w.is_hidden = true;
	session->hidden &= (uint8_t)~HIDDEN_FIRST;
	write_ethernet(&w, session, from, to);
	write_ip(&w, session, from, to, protocol, is_split ? 0x2000 : protocol == PROTOCOL_UDP ? 0 : 0x4000);
	if (due->kind & PACKET_ERROR)
		write_error(flows, &w, session, due);
	else if (protocol == PROTOCOL_TCP)
		write_tcp(flows, &w, session, due);
	else if (protocol == PROTOCOL_UDP)
		write_udp(flows, &w, from, to, session, due);
	else if (protocol == PROTOCOL_ICMP)
		write_echo(flows, &w, session, due);
	else
		write_esp(flows, &w, session, due);
}
