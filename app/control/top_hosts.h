/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which hosts have the most flows of some kind: attackers, targets. The control core's, fed from flow records.
 */
#ifndef WIRESCORE_CONTROL_TOP_HOSTS_H
#define WIRESCORE_CONTROL_TOP_HOSTS_H

#include <stdbool.h>
#include <stdint.h>

/* Hosts that are counted one by one; flows of those that come later are counted together. */
#define TOP_HOSTS_MAX 65536

struct top_host {
	uint8_t address[16]; /* IPv6, or IPv4 as ::ffff:a.b.c.d */
	uint64_t n_flows;    /* 0: no host */
};

/* Begins as zeros. */
struct top_hosts {
	struct top_host *hosts; /* [n_room], by hash */
	uint32_t n_hosts, n_room;
	uint64_t n_other_flows; /* of hosts beyond the limit, or that there was no memory for */
};

void top_hosts_add(struct top_hosts *top, const uint8_t address[16]);
void top_hosts_free(struct top_hosts *top);

/* The n hosts with the most flows, most first, into list. Returns how many there are, at most n. */
uint32_t top_hosts_list(const struct top_hosts *top, struct top_host *list, uint32_t n);

#endif
