/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A socket to a collector of IPFIX, TCP or UDP, that never blocks for longer than it is told. Used by sink_ipfix.c, from
 * one thread at a time.
 */
#ifndef WIRESCORE_CONTROL_COLLECTOR_H
#define WIRESCORE_CONTROL_COLLECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sink_socket.h"

struct collector {
	struct sink_address address;
	bool is_udp;
	int fd;			    /* -1: not connected */
	struct sink_lookup *lookup; /* that is not over yet; NULL: none */
};

/* Takes HOST:PORT, [IPv6]:PORT, or either without port, which then is 4739. 0, or -EINVAL with one line in error. */
int collector_init(struct collector *collector, const char *server, bool is_udp, char *error, size_t error_size);

/* 0, or -1 with the reason, of up to SINK_REASON_BYTES. */
int collector_connect(struct collector *collector, uint64_t deadline_ns, char *reason);

/* Writes as much as goes without waiting; a datagram goes whole. Bytes written, 0 for none now, or a negative errno. */
long collector_write(struct collector *collector, const void *bytes, size_t n_bytes);

/* Bytes written that the collector's host has not acknowledged. UDP: 0. */
size_t collector_n_unacknowledged(const struct collector *collector);

/* 0, or a negative errno: -EPIPE where the collector closed the connection. What it sent is thrown away. */
int collector_check(struct collector *collector);

void collector_disconnect(struct collector *collector);

/* Disconnects, and frees what it has. */
void collector_end(struct collector *collector);

#endif
