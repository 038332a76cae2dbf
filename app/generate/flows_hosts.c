/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who talks: the hosts of a site and those outside, with the stacks, distances and lines that they have. Called by
 * the engine when it begins, and by behaviours. Addresses say nothing of benign or attack: the blocks that attacks use
 * differ from the hosts' so that labels are exact, and are of the same kinds.
 */
#include <string.h>

#include "flows_engine.h"

/* Window, shift, MSS and options of SYN, ephemeral ports: as current and old systems have them. */
const struct stack stacks[] = {
	{64, STACK_LINUX, 7, true, 64240, 1460, 32768, 60999},
	{64, STACK_LINUX, 7, true, 29200, 1460, 32768, 60999},
	{64, STACK_LINUX, 9, true, 65535, 1400, 37000, 50000}, /* a phone */
	{64, STACK_LINUX, 2, true, 5840, 1460, 1025, 4999},
	{128, STACK_WINDOWS, 8, false, 64240, 1460, 49152, 65535},
	{128, STACK_WINDOWS, 8, false, 8192, 1460, 49152, 65535},
	{128, STACK_SACK, 0, false, 65535, 1460, 1025, 5000},
	{64, STACK_BSD, 6, true, 65535, 1460, 49152, 65535},
	{64, STACK_BSD, 5, true, 65535, 1360, 10000, 65535},
	{255, STACK_MSS, 0, false, 4128, 536, 11000, 65000},
	{64, STACK_MSS, 0, false, 2048, 1460, 1024, 65000},
	{64, STACK_MSS, 0, false, 8192, 1024, 1024, 5000},
	{128, STACK_MSS, 0, false, 16384, 1460, 1024, 5000},
	{128, STACK_SACK, 0, false, 16384, 1380, 1025, 5000},
	{128, STACK_WINDOWS, 0, false, 65535, 1380, 1025, 5000},
	{30, STACK_BARE, 0, false, 1024, 536, 2000, 20000},
	/* Crafted. */
	{64, STACK_MSS, 0, false, 1024, 1460, 33000, 65000},
	{255, STACK_BARE, 0, false, 1024, 1460, 1024, 65535},
	{64, STACK_BARE, 0, false, 512, 1460, 1024, 65535},
	{128, STACK_MSS, 0, false, 65535, 1460, 32768, 61000},
};
const uint32_t n_stacks = sizeof(stacks) / sizeof(stacks[0]);
const uint32_t n_host_stacks = sizeof(stacks) / sizeof(stacks[0]) - 4;

/* Ports whose datagrams this program, too, would look into. */
bool port_is_tunnel(uint16_t port)
{
	return port == 2152 || port == 4789 || port == 6081 || port == 8472 || port == 3544;
}

void party_set_ipv4(struct party *party, uint32_t ipv4)
{
	memset(party->address, 0, 10);
	memset(party->address + 10, 0xff, 2);
	for (int i = 0; i < 4; i++)
		party->address[12 + i] = (uint8_t)(ipv4 >> (24 - 8 * i));
}

static void party_set_ipv6(struct party *party, const uint64_t ipv6[2])
{
	for (int i = 0; i < 16; i++)
		party->address[i] = (uint8_t)(ipv6[i / 8] >> (56 - 8 * (i % 8)));
}

struct party host_party(struct flows *flows, uint32_t index, bool is_ipv6)
{
	const struct host *host = &flows->hosts[index];
	struct party party = {.mac = host->mac,
			      .vlan = host->vlan,
			      .ttl = host->ttl,
			      .stack = host->stack,
			      .lag_ns = host->lag_ns,
			      .gap_ns = host->gap_ns};

	if (is_ipv6)
		party_set_ipv6(&party, host->ipv6);
	else
		party_set_ipv4(&party, host->ipv4);
	return party;
}

/* Hops, distance and line of somebody outside. */
static void outside_draw(struct random *random, uint8_t stack, uint8_t *ttl, uint32_t *lag_ns, uint32_t *gap_ns)
{
	uint32_t hops = draw_between(random, 4, 24);

	*ttl = (uint8_t)(stacks[stack].hops > hops ? stacks[stack].hops - hops : 1);
	*lag_ns = (uint32_t)draw_log_uniform(random, 600 * NS_PER_US, 300 * NS_PER_MS);
	*gap_ns = (uint32_t)draw_log_uniform(random, 1200, 3 * NS_PER_MS);
}

struct party stranger_party(struct flows *flows, uint32_t ipv4)
{
	struct party party = {.mac = flows->router_mac};

	party.stack = (uint8_t)random_below(&flows->random, n_host_stacks);
	outside_draw(&flows->random, party.stack, &party.ttl, &party.lag_ns, &party.gap_ns);
	party_set_ipv4(&party, ipv4);
	return party;
}

uint16_t host_port_draw(struct flows *flows, uint32_t index)
{
	struct host *host = &flows->hosts[index];
	const struct stack *stack = &stacks[host->stack];
	uint32_t span = (uint32_t)stack->port_high - stack->port_low + 1;

	/* Windows and old systems count up, Linux leaps. */
	if (host->next_port < stack->port_low || host->next_port > stack->port_high)
		host->next_port = (uint16_t)(stack->port_low + random_below(&flows->random, span));
	do {
		uint32_t leap = stack->layout == STACK_LINUX ? 1 + random_below(&flows->random, 977) : 1;

		host->next_port = (uint16_t)(stack->port_low + (host->next_port - stack->port_low + leap) % span);
	} while (port_is_tunnel(host->next_port));
	return host->next_port;
}

static uint64_t mac_draw(struct random *random)
{
	static const uint32_t vendors[] = {0x001b54, 0x005056, 0x525400, 0x00155d, 0x3cfdfe, 0x001422,
					   0x3cd92b, 0x000e8c, 0x00a045, 0xb827eb, 0xf01898, 0x001132};
	uint64_t vendor = vendors[random_below(random, sizeof(vendors) / sizeof(vendors[0]))];

	return vendor << 24 | (random_next(random) & 0xffffff);
}

/* A global unicast address, but for the blocks that blocks_draw hands out (44/8 to 47/8 and 160/8 to 167/8). */
uint32_t stranger_address_draw(struct random *random)
{
	for (;;) {
		uint32_t first = draw_between(random, 2, 222);
		uint32_t rest = (uint32_t)(random_next(random) >> 40);

		if (first == 10 || first == 127 || first == 172 || first == 192 || first == 169 || first == 100 ||
		    (first >= 44 && first <= 47) || (first >= 160 && first <= 167))
			continue;
		return first << 24 | rest;
	}
}

/*
 * The first of 2^n_bits addresses that no host has, and that no other block has. Inside: of the site's private
 * networks (10.128/9), as unused parts of them; outside: anywhere in 160/8 to 167/8.
 */
uint32_t hosts_block_draw(struct flows *flows, bool is_inside, uint32_t n_bits)
{
	uint32_t number = flows->attack_blocks++;
	uint32_t base =
		is_inside ? 0x0a800000u | (number & 0x7f) << 16 : (160 + number % 8) << 24 | number / 8 << 16;
	uint32_t room = n_bits < 16 ? 1u << (16 - n_bits) : 1;

	return base | random_below(&flows->random, room) << n_bits;
}

static void inside_draw(struct flows *flows, uint32_t index, uint32_t n_networks, uint32_t style)
{
	struct random *random = &flows->random;
	struct host *host = &flows->hosts[index];
	uint32_t network = index % n_networks;
	static const uint32_t bases[] = {0xc0a80000, 0x0a000000, 0xac100000, 0x0a140000, 0x83420000};

	*host = (struct host){.is_inside = true};
	host->ipv4 = bases[style] + (network << 8) + 2 + index / n_networks;
	host->ipv6[0] = UINT64_C(0x20010db800000000) + (style << 16) + network;
	host->ipv6[1] = random_next(random);
	host->mac = mac_draw(random);
	host->stack =
		(uint8_t)(draw_chance(random, 700) ? random_below(random, 9) : random_below(random, n_host_stacks));
	/* Some sit behind a router or two. */
	host->ttl =
		(uint8_t)(stacks[host->stack].hops - (draw_chance(random, 250) ? draw_between(random, 1, 3) : 0));
	host->lag_ns = (uint32_t)draw_log_uniform(random, 20 * NS_PER_US, 3 * NS_PER_MS);
	if (draw_chance(random, 100)) /* radio */
		host->lag_ns = (uint32_t)draw_log_uniform(random, 2 * NS_PER_MS, 40 * NS_PER_MS);
	host->gap_ns = (uint32_t)draw_log_uniform(random, 1200, 200 * NS_PER_US);
	host->has_ipv6 = draw_chance(random, 700);
	if (flows->vlan_mode == 1)
		host->vlan = 100;
	else if (flows->vlan_mode == 2)
		host->vlan = (uint16_t)(10 + 10 * network);
}

static void outside_host_draw(struct flows *flows, uint32_t index)
{
	struct random *random = &flows->random;
	struct host *host = &flows->hosts[index];

	*host = (struct host){.mac = flows->router_mac, .ipv4 = stranger_address_draw(random)};
	host->ipv6[0] = UINT64_C(0x2a00000000000000) | random_next(random) >> 24 << 16;
	host->ipv6[1] = random_next(random);
	host->stack = (uint8_t)random_below(random, n_host_stacks);
	outside_draw(random, host->stack, &host->ttl, &host->lag_ns, &host->gap_ns);
	host->has_ipv6 = draw_chance(random, 500);
	host->vlan = flows->vlan_mode == 1 ? 100 : 0;
}

void hosts_draw(struct flows *flows)
{
	struct random *random = &flows->random;
	uint32_t n_networks = draw_between(random, 1, 8), style = draw_between(random, 0, 4), mode;

	flows->router_mac = mac_draw(random);
	mode = random_below(random, 10);
	flows->vlan_mode = mode < 7 ? 0 : mode < 9 ? 1 : 2;
	if (!flows->n_inside)
		flows->n_inside = (uint32_t)draw_log_uniform(random, 6, 250);
	flows->n_outside = (uint32_t)draw_log_uniform(random, 12, 1500);
	if ((flows->n_inside + n_networks - 1) / n_networks > 240)
		n_networks = flows->n_inside / 240 + 1;
	for (uint32_t i = 0; i < flows->n_inside; i++)
		inside_draw(flows, i, n_networks, style);
	for (uint32_t i = 0; i < flows->n_outside; i++)
		outside_host_draw(flows, flows->n_inside + i);
}
