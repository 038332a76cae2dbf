/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A socket to a collector of IPFIX, TCP or UDP, that never blocks for longer than it is told: name look-up, connect and
 * write included. Used by sink_ipfix.c, from one thread at a time.
 */
#ifndef WIRESCORE_CONTROL_COLLECTOR_H
#define WIRESCORE_CONTROL_COLLECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct collector_lookup;

struct collector {
	char host[256], port[8];
	bool is_udp;
	int fd;				 /* -1: not connected */
	struct collector_lookup *lookup; /* that is not over yet; NULL: none */
};

/* CLOCK_MONOTONIC, which deadlines are told in. */
uint64_t collector_now_ms(void);

/* Takes HOST:PORT, [IPv6]:PORT, or either without port, which then is 4739 (TCP and UDP). 0 or -EINVAL. */
int collector_init(struct collector *collector, const char *server, bool is_udp);

/* 0, or -1 with the reason. A look-up that takes too long goes on, and is asked after by the next call. */
int collector_connect(struct collector *collector, uint64_t deadline_ms, char *reason, size_t reason_size);

/* Writes as much as goes without waiting; a datagram goes whole. Bytes written, 0 for none now, or a negative errno. */
long collector_write(struct collector *collector, const void *bytes, size_t n_bytes);

/* Bytes written that the collector's host has not acknowledged. UDP: 0. */
size_t collector_n_unacknowledged(const struct collector *collector);

/* 0, or a negative errno: -EPIPE where the collector closed the connection. What it sent is thrown away. */
int collector_check(struct collector *collector);

/* Until it can be written to (where that is waited for), something else is the matter, or so many ms are over. */
void collector_wait(const struct collector *collector, bool for_writing, int ms);

void collector_disconnect(struct collector *collector);

/* Disconnects, and frees what it has. */
void collector_end(struct collector *collector);

#endif
