/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which hosts have the most flows of some kind: attackers, targets. The control core's, fed from flow records.
 *
 * Memory is bounded. When it is full, as many flows as half of the hosts have at most are taken from each, and those
 * that have none left are forgotten (Misra and Gries 1982, by the median as Anderson et al. 2017): whoever has more
 * flows than were taken is listed, whenever it comes.
 */
#ifndef WIRESCORE_CONTROL_TOP_HOSTS_H
#define WIRESCORE_CONTROL_TOP_HOSTS_H

#include <stdbool.h>
#include <stdint.h>

/* Hosts that are counted at a time. */
#define TOP_HOSTS_MAX 65536

struct top_host {
	uint8_t address[16]; /* IPv6, or IPv4 as ::ffff:a.b.c.d */
	uint64_t n_flows;    /* since it was last forgotten; 0: no host */
	uint64_t n_before;   /* what had been taken from each host by then: at most so many are forgotten */
};

/* Begins as zeros, but for the seed. */
struct top_hosts {
	uint64_t seed[2];	/* of the hash: secret where others choose the addresses */
	struct top_host *hosts; /* [n_room], by hash */
	uint32_t n_hosts, n_room;
	uint32_t n_seen;	/* different ones; at least, where any was forgotten */
	uint64_t n_taken;	/* flows, from each host */
	uint64_t n_other_flows; /* of hosts that were forgotten, or that there was no memory for */
};

void top_hosts_add(struct top_hosts *top, const uint8_t address[16]);
void top_hosts_free(struct top_hosts *top);

/* The n hosts with the most flows, most first, into list. Returns how many there are, at most n. */
uint32_t top_hosts_list(const struct top_hosts *top, struct top_host *list, uint32_t n);

#endif
