/* SPDX-License-Identifier: BSD-3-Clause */
#include "top_hosts.h"

#include <stdlib.h>
#include <string.h>

#include "flow_hash.h"

#define TOP_HOSTS_FIRST_ROOM 64

/* Hosts that the median is taken of. */
#define TOP_HOSTS_SAMPLE 1024

/* The host's place, or the free one that it would have. */
static struct top_host *top_hosts_find(const struct top_hosts *top, const uint8_t address[16])
{
	uint64_t words[2];
	uint32_t mask = top->n_room - 1, at;

	memcpy(words, address, sizeof(words));
	at = (uint32_t)flow_hash_sip(top->seed, words, 2) & mask;
	while (top->hosts[at].n_flows && memcmp(top->hosts[at].address, address, 16))
		at = (at + 1) & mask;
	return &top->hosts[at];
}

/* Flows that a host has left of those that were not taken. */
static uint64_t top_host_left(const struct top_hosts *top, const struct top_host *host)
{
	uint64_t n = host->n_flows + host->n_before;

	return n > top->n_taken ? n - top->n_taken : 0;
}

/* Room for n_room hosts, with those that have flows left. 0, or -1 where memory is out. */
static int top_hosts_rebuild(struct top_hosts *top, uint32_t n_room)
{
	struct top_hosts built = *top;

	built.n_room = n_room;
	built.n_hosts = 0;
	built.hosts = calloc(n_room, sizeof(*built.hosts));
	if (!built.hosts)
		return -1;
	for (uint32_t i = 0; i < top->n_room; i++) {
		const struct top_host *host = &top->hosts[i];

		if (!host->n_flows)
			continue;
		if (!top_host_left(top, host)) {
			built.n_other_flows += host->n_flows;
			continue;
		}
		*top_hosts_find(&built, host->address) = *host;
		built.n_hosts++;
	}
	free(top->hosts);
	*top = built;
	return 0;
}

static int top_hosts_compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Forgets about half of the hosts. 0, or -1 where memory is out. */
static int top_hosts_prune(struct top_hosts *top)
{
	uint64_t left[TOP_HOSTS_SAMPLE], n_taken = top->n_taken;
	uint32_t n = 0;

	/* The first ones of the table: any, since they are placed by a hash. */
	for (uint32_t i = 0; i < top->n_room && n < TOP_HOSTS_SAMPLE; i++)
		if (top->hosts[i].n_flows)
			left[n++] = top_host_left(top, &top->hosts[i]);
	qsort(left, n, sizeof(*left), top_hosts_compare);
	top->n_taken += left[n / 2];
	if (!top_hosts_rebuild(top, top->n_room))
		return 0;
	top->n_taken = n_taken;
	return -1;
}

/* Makes room for one more, so that half of the table is free. 0, or -1 where memory is out. */
static int top_hosts_make_room(struct top_hosts *top)
{
	if (2 * top->n_hosts < top->n_room)
		return 0;
	if (top->n_hosts < TOP_HOSTS_MAX)
		return top_hosts_rebuild(top, top->n_room ? 2 * top->n_room : TOP_HOSTS_FIRST_ROOM);
	return top_hosts_prune(top);
}

void top_hosts_add(struct top_hosts *top, const uint8_t address[16])
{
	struct top_host *host = top->n_room ? top_hosts_find(top, address) : NULL;

	if (host && host->n_flows) {
		host->n_flows++;
		return;
	}
	if (top_hosts_make_room(top)) {
		top->n_other_flows++;
		return;
	}
	host = top_hosts_find(top, address);
	*host = (struct top_host){.n_flows = 1, .n_before = top->n_taken};
	memcpy(host->address, address, 16);
	top->n_hosts++;
	if (top->n_seen < top->n_hosts)
		top->n_seen = top->n_hosts;
}

void top_hosts_free(struct top_hosts *top)
{
	free(top->hosts);
	*top = (struct top_hosts){.seed = {top->seed[0], top->seed[1]}};
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
