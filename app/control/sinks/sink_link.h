/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A sink's connection to its server, over TCP, TLS or a Unix socket. No call takes longer than its deadline, whatever the
 * name service, the network or the server does, and memory is bounded by what is sent at once. Called by drivers
 * of sinks, in the sink's thread, which has SIGPIPE blocked as all signals.
 */
#ifndef WIRESCORE_CONTROL_SINK_LINK_H
#define WIRESCORE_CONTROL_SINK_LINK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sink_socket.h"

#define SINK_LINK_IN_BYTES (64u << 10)

struct sink_tls;

struct sink_link {
	int fd; /* -1: not connected */
	const atomic_bool *stop;
	const char *secret; /* never in an error, though a server quotes it; NULL: none */
	struct sink_address peer;
	struct sink_lookup *lookup; /* of a name; may go on from call to call */
	struct sink_tls *tls;	    /* made when it is first needed; NULL: not yet */

	uint8_t *out; /* what waits to be sent begins at out_start */
	size_t out_start, out_end, out_room;
	uint8_t in[SINK_LINK_IN_BYTES]; /* what was received and not consumed begins at in_start */
	size_t in_start, in_end;
	uint64_t sent_ns, received_ns; /* when anything was, last */

	char *error; /* where the driver's call wants its line; set with sink_link_begin */
	size_t error_size;
};

void sink_link_init(struct sink_link *link, const atomic_bool *stop, const char *secret);
void sink_link_free(struct sink_link *link);

/* A call of the driver begins: complaints go here. */
void sink_link_begin(struct sink_link *link, char *error, size_t error_size);

/*
 * Writes "ADDRESS: " and the text as the line of error: control characters and the secret are taken out, since parts
 * of it may be the server's. Returns -1.
 */
int sink_link_complain(struct sink_link *link, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Connects, after it closed what was open. 0, or -1 after a complaint. */
int sink_link_connect(struct sink_link *link, const struct sink_address *address, uint64_t deadline_ns);

static inline bool sink_link_is_open(const struct sink_link *link)
{
	return link->fd >= 0;
}

/* Appends to what is sent by the next pump. 0, or -1 after a complaint that memory is out: nothing is appended. */
int sink_link_append(struct sink_link *link, const void *bytes, size_t n_bytes);

/*
 * Sends what waits and receives, until something is received: 1. 0 where the deadline passed; -1 after a complaint
 * where the connection is broken: it is closed, what had been received is still there. The caller has consumed enough
 * before it that the largest thing it waits for has room.
 */
int sink_link_pump(struct sink_link *link, uint64_t deadline_ns);

/* Bytes that were received and not consumed. */
static inline size_t sink_link_received(const struct sink_link *link, const uint8_t **bytes)
{
	*bytes = link->in + link->in_start;
	return link->in_end - link->in_start;
}

static inline void sink_link_consume(struct sink_link *link, size_t n_bytes)
{
	link->in_start += n_bytes;
}

/* Bytes that were appended and not sent. */
static inline size_t sink_link_waiting(const struct sink_link *link)
{
	return link->out_end - link->out_start;
}

/* Overwrites what has been sent: it had a secret in it. */
void sink_link_forget(struct sink_link *link);

/* Closes the connection where it is open, and forgets what waited. */
void sink_link_close(struct sink_link *link);

#endif
