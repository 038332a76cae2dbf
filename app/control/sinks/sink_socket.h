/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where a sink's server is, and a connected socket to it. No call takes longer than its deadline, whatever the name
 * service or the network does: hiredis, librabbitmq and libfixbuf look names up and connect for as long as it takes.
 * Called by sink_link.c and collector.c, in the sink's thread.
 */
#ifndef WIRESCORE_CONTROL_SINK_SOCKET_H
#define WIRESCORE_CONTROL_SINK_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SINK_HOST_BYTES	  256
#define SINK_REASON_BYTES 160

/* Where a server is. */
struct sink_address {
	bool is_path; /* host is a Unix socket's path */
	bool is_tls;
	char host[SINK_HOST_BYTES];
	char port[6];
	char text[SINK_HOST_BYTES + 10]; /* for people: HOST:PORT, [IPv6]:PORT or the path */
};

struct sink_lookup;

/*
 * Parses HOST:PORT, [IPv6]:PORT, either without its port or with tls:// before it, or a path that begins with '/'. 0,
 * or -EINVAL with one line in error.
 */
int sink_address_parse(const char *text, const char *default_port, struct sink_address *address, char *error,
		       size_t error_size);

/* 0, or -EINVAL where they are too long or the port is none. An empty host is allowed and kept. */
int sink_address_set(struct sink_address *address, const char *host, size_t host_bytes, const char *port);

/*
 * A connected socket that does not block, of type SOCK_STREAM or SOCK_DGRAM; or -1 with the reason, of up to
 * SINK_REASON_BYTES. A look-up that takes too long goes on in *lookup, and is asked after by the next call.
 */
int sink_socket_connect(const struct sink_address *address, int type, struct sink_lookup **lookup,
			uint64_t deadline_ns, char *reason);

/* Gives up a look-up that may still be under way. */
void sink_lookup_drop(struct sink_lookup **lookup);

/* Waits for the events, or until the deadline. */
void sink_socket_wait(int fd, short events, uint64_t deadline_ns);

#endif
