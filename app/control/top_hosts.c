/* SPDX-License-Identifier: BSD-3-Clause */
#include "top_hosts.h"

#include <stdlib.h>
#include <string.h>

#define TOP_HOSTS_FIRST_ROOM 64

/* FNV-1a; a capture made to collide slows the summary of that capture by what the limit allows. */
static uint32_t top_hosts_hash(const uint8_t address[16])
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (int i = 0; i < 16; i++)
		hash = (hash ^ address[i]) * 0x100000001b3u;
	return (uint32_t)(hash >> 32);
}

/* The host's place, or the free one that it would have. */
static struct top_host *top_hosts_find(const struct top_hosts *top, const uint8_t address[16])
{
	uint32_t mask = top->n_room - 1, at = top_hosts_hash(address) & mask;

	while (top->hosts[at].n_flows && memcmp(top->hosts[at].address, address, 16))
		at = (at + 1) & mask;
	return &top->hosts[at];
}

/* Twice the room, so that half of it is free. 0, or -1 where memory is out. */
static int top_hosts_grow(struct top_hosts *top)
{
	struct top_hosts grown = {.n_room = top->n_room ? 2 * top->n_room : TOP_HOSTS_FIRST_ROOM};

	grown.hosts = calloc(grown.n_room, sizeof(*grown.hosts));
	if (!grown.hosts)
		return -1;
	for (uint32_t i = 0; i < top->n_room; i++)
		if (top->hosts[i].n_flows)
			*top_hosts_find(&grown, top->hosts[i].address) = top->hosts[i];
	free(top->hosts);
	top->hosts = grown.hosts;
	top->n_room = grown.n_room;
	return 0;
}

void top_hosts_add(struct top_hosts *top, const uint8_t address[16])
{
	struct top_host *host;

	if (2 * top->n_hosts >= top->n_room && (top->n_hosts >= TOP_HOSTS_MAX || top_hosts_grow(top)) &&
	    (!top->n_room || !top_hosts_find(top, address)->n_flows)) {
		top->n_other_flows++;
		return;
	}
	host = top_hosts_find(top, address);
	if (!host->n_flows++) {
		memcpy(host->address, address, 16);
		top->n_hosts++;
	}
}

void top_hosts_free(struct top_hosts *top)
{
	free(top->hosts);
	*top = (struct top_hosts){0};
}

/* More flows first, then by address. */
static bool top_host_is_before(const struct top_host *a, const struct top_host *b)
{
	return a->n_flows != b->n_flows ? a->n_flows > b->n_flows : memcmp(a->address, b->address, 16) < 0;
}

uint32_t top_hosts_list(const struct top_hosts *top, struct top_host *list, uint32_t n)
{
	uint32_t n_listed = 0;

	for (uint32_t i = 0; i < top->n_room; i++) {
		const struct top_host *host = &top->hosts[i];
		uint32_t at = n_listed;

		if (!host->n_flows || (n_listed == n && (!n || !top_host_is_before(host, &list[n - 1]))))
			continue;
		if (n_listed < n)
			n_listed++;
		else
			at--;
		for (; at && top_host_is_before(host, &list[at - 1]); at--)
			list[at] = list[at - 1];
		list[at] = *host;
	}
	return n_listed;
}
