/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Flow records to a collector of IPFIX, over TCP or UDP. ipfix_encoder.c makes the messages, collector.c has the
 * socket. Called by sink.c.
 *
 * IPFIX has no acknowledgements. Over TCP a record counts as delivered once the collector's host has acknowledged its
 * last byte; over UDP once it is sent. Where patience ends before, the connection stays and what is on its way stays
 * in the queue: the framework offers these records again, from the first one that was not told as delivered, and they
 * are not sent twice. Only a connection that breaks makes them go again, on the next one.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fixbuf/version.h>

#include "collector.h"
#include "ipfix_encoder.h"
#include "sink_clock.h"
#include "sink_drivers.h"

#define IPFIX_TEXT_OF(number) #number
#define IPFIX_TEXT(number)    IPFIX_TEXT_OF(number)

#define NS_IN_MS UINT64_C(1000000)

#define IPFIX_DELIVER_MS 4000
#define IPFIX_STOP_MS	 1000 /* once the run ends */
#define IPFIX_WAIT_MS	 20   /* between two looks at what is acknowledged, at most */

/* Bytes of a message: of a datagram, what fits into Ethernet with IPv6 and a tunnel's headers, as libfixbuf has it. */
#define IPFIX_TCP_BYTES 8192
#define IPFIX_UDP_BYTES 1420
#define IPFIX_REASON	256

/* Datagrams are lost, and collectors started anew: RFC 7011 8.4. Tests do not wait so long. */
#ifndef IPFIX_TEMPLATES_MS
#define IPFIX_TEMPLATES_MS 60000
#endif

struct ipfix {
	const struct sink_options *options;
	struct collector collector;
	struct ipfix_encoder *encoder;
	struct ipfix_queue queue;  /* of this connection: not written, or not acknowledged */
	size_t n_written;	   /* bytes of the queue that were handed to the socket */
	uint32_t n_in_flight;	   /* records in the queue: the first ones of the next call */
	uint64_t templates_at_ns;  /* when they were sent last */
	uint64_t deadline_ns;	   /* of this call */
	char reason[IPFIX_REASON]; /* why it was not delivered */
};

/* NULL, or what these options want that IPFIX cannot do. */
static const char *ipfix_refusal(const struct sink_options *options)
{
	if (!options->server || !options->server[0])
		return "ipfix needs `server`: HOST:PORT of the collector";
	if (options->records != SINK_FLOWS)
		return "ipfix takes records of flows, not of packets";
	if (options->form != SINK_NDJSON)
		return "ipfix has a form of its own: leave `format` out";
	if (options->user || options->password)
		return "ipfix knows neither user nor password";
	return NULL;
}

static void ipfix_free(struct ipfix *ipfix)
{
	collector_end(&ipfix->collector);
	ipfix_encoder_free(ipfix->encoder);
	free(ipfix->queue.bytes);
	free(ipfix);
}

static int ipfix_make(const struct sink_options *options, const struct sink_formats *formats, struct ipfix *ipfix,
		      char *error, size_t error_size)
{
	char reason[IPFIX_REASON];
	int rc;

	ipfix->options = options;
	rc = collector_init(&ipfix->collector, options->server, options->is_udp, error, error_size);
	if (rc)
		return rc;
	rc = ipfix_encoder_create(&formats->flows, options->domain,
				  options->is_udp ? IPFIX_UDP_BYTES : IPFIX_TCP_BYTES, &ipfix->encoder, reason,
				  sizeof(reason));
	if (rc) {
		snprintf(error, error_size, "ipfix: %s", reason);
		return rc;
	}
	ipfix->queue.room = ipfix_encoder_room(ipfix->encoder);
	ipfix->queue.bytes = malloc(ipfix->queue.room);
	if (!ipfix->queue.bytes) {
		snprintf(error, error_size, "ipfix: %s", strerror(ENOMEM));
		return -ENOMEM;
	}
	return 0;
}

static int ipfix_open(const struct sink_options *options, const struct sink_formats *formats, void **state,
		      char *error, size_t error_size)
{
	const char *refusal = ipfix_refusal(options);
	struct ipfix *ipfix;
	int rc;

	if (refusal) {
		snprintf(error, error_size, "%s", refusal);
		return -EINVAL;
	}
	ipfix = calloc(1, sizeof(*ipfix));
	if (!ipfix) {
		snprintf(error, error_size, "ipfix: %s", strerror(ENOMEM));
		return -ENOMEM;
	}
	ipfix->collector.fd = -1;
	rc = ipfix_make(options, formats, ipfix, error, error_size);
	if (rc)
		ipfix_free(ipfix);
	else
		*state = ipfix;
	return rc;
}

/* What was on its way is not known to have come, and goes again on the next connection. */
static void ipfix_disconnect(struct ipfix *ipfix)
{
	collector_disconnect(&ipfix->collector);
	ipfix_encoder_restart(ipfix->encoder);
	ipfix->queue.n_bytes = ipfix->n_written = 0;
	ipfix->queue.n_messages = ipfix->n_in_flight = 0;
}

/* Connects where it is not; over UDP, sees to it that templates are told again in time. 0 or -1 with the reason. */
static int ipfix_connect(struct ipfix *ipfix)
{
	struct collector *collector = &ipfix->collector;

	/* A collector that went away while nothing was sent. */
	if (collector->fd >= 0 && collector_check(collector))
		ipfix_disconnect(ipfix);
	if (collector->fd < 0) {
		if (collector_connect(collector, ipfix->deadline_ns, ipfix->reason))
			return -1;
		ipfix->templates_at_ns = sink_clock_ns(CLOCK_MONOTONIC);
	}
	if (collector->is_udp &&
	    sink_clock_ns(CLOCK_MONOTONIC) - ipfix->templates_at_ns >= IPFIX_TEMPLATES_MS * NS_IN_MS) {
		ipfix_encoder_repeat_templates(ipfix->encoder);
		ipfix->templates_at_ns = sink_clock_ns(CLOCK_MONOTONIC);
	}
	return 0;
}

/* Bytes to hand over at once from the queue's n_written on: all there is, or one datagram. */
static size_t ipfix_n_next(const struct ipfix *ipfix)
{
	size_t at = 0;

	if (!ipfix->collector.is_udp)
		return ipfix->queue.n_bytes - ipfix->n_written;
	for (uint32_t i = 0; i < ipfix->queue.n_messages; i++) {
		if (at == ipfix->n_written)
			return ipfix->queue.messages[i].n_bytes;
		at += ipfix->queue.messages[i].n_bytes;
	}
	return 0;
}

/* Takes messages off the queue that are there, as long as they have at most n records; returns how many these have. */
static uint32_t ipfix_take_delivered(struct ipfix *ipfix, uint32_t n)
{
	struct ipfix_queue *queue = &ipfix->queue;
	size_t n_there = ipfix->n_written, at = 0;
	size_t n_under_way = collector_n_unacknowledged(&ipfix->collector);
	uint32_t n_records = 0, n_messages = 0;

	n_there -= n_under_way < n_there ? n_under_way : n_there;
	for (; n_messages < queue->n_messages; n_messages++) {
		const struct ipfix_message *message = &queue->messages[n_messages];

		if (at + message->n_bytes > n_there || n_records + message->n_records > n)
			break;
		at += message->n_bytes;
		n_records += message->n_records;
	}
	memmove(queue->bytes, queue->bytes + at, queue->n_bytes - at);
	memmove(queue->messages, queue->messages + n_messages,
		(queue->n_messages - n_messages) * sizeof(queue->messages[0]));
	queue->n_bytes -= at;
	queue->n_messages -= n_messages;
	ipfix->n_written -= at;
	ipfix->n_in_flight -= n_records;
	return n_records;
}

/* Writes what goes. 0 or a negative errno. */
static int ipfix_write_queue(struct ipfix *ipfix)
{
	size_t n_next;

	while ((n_next = ipfix_n_next(ipfix))) {
		long n = collector_write(&ipfix->collector, ipfix->queue.bytes + ipfix->n_written, n_next);

		if (n <= 0)
			return (int)n;
		ipfix->n_written += (size_t)n;
	}
	return 0;
}

/* Until the queue is delivered, or patience ends. 0, or -1 with the reason where the connection is broken. */
static int ipfix_send(struct ipfix *ipfix, uint32_t n, uint32_t *n_taken)
{
	int wait_ms = 0;

	for (;;) {
		int rc = ipfix_write_queue(ipfix);
		uint32_t n_now;

		if (!rc)
			rc = collector_check(&ipfix->collector);
		if (rc) {
			snprintf(ipfix->reason, sizeof(ipfix->reason), "%s",
				 rc == -EPIPE ? "it closed the connection" : strerror(-rc));
			return -1;
		}
		n_now = ipfix_take_delivered(ipfix, n - *n_taken);
		*n_taken += n_now;
		if (*n_taken == n || sink_clock_ns(CLOCK_MONOTONIC) >= ipfix->deadline_ns)
			return 0;
		/* Acknowledgements wake nobody up: looked for at once, then less and less often. */
		wait_ms = n_now ? 0 : wait_ms < IPFIX_WAIT_MS ? wait_ms + 1 : IPFIX_WAIT_MS;
		sink_socket_wait(ipfix->collector.fd, (short)(ipfix_n_next(ipfix) ? POLLIN | POLLOUT : POLLIN),
				 sink_clock_ns(CLOCK_MONOTONIC) + (uint64_t)wait_ms * NS_IN_MS);
	}
}

/* Connects, encodes what is not on its way yet, and sends. Returns how many of the n records are delivered. */
static uint32_t ipfix_try(struct ipfix *ipfix, const struct sink_item *items, uint32_t n)
{
	uint32_t n_taken = 0;

	if (ipfix_connect(ipfix))
		return 0;
	if (n > ipfix->n_in_flight) {
		if (ipfix_encoder_put(ipfix->encoder, items + ipfix->n_in_flight, n - ipfix->n_in_flight,
				      &ipfix->queue, ipfix->reason, sizeof(ipfix->reason))) {
			ipfix_disconnect(ipfix);
			return 0;
		}
		ipfix->n_in_flight = n;
	}
	if (ipfix_send(ipfix, n, &n_taken)) {
		ipfix_disconnect(ipfix);
		/* That nobody is there is said of a datagram sent before: which, is not known. */
		return ipfix->collector.is_udp ? 0 : n_taken;
	}
	return n_taken;
}

static uint32_t ipfix_deliver(void *state, const struct sink_item *items, uint32_t n, char *error,
			      size_t error_size)
{
	struct ipfix *ipfix = state;
	const atomic_bool *stop = ipfix->options->stop;
	uint32_t n_taken;

	n = n < SINK_MAX_BATCH ? n : SINK_MAX_BATCH;
	ipfix->deadline_ns = sink_clock_ns(CLOCK_MONOTONIC) +
			     (stop && atomic_load(stop) ? IPFIX_STOP_MS : IPFIX_DELIVER_MS) * NS_IN_MS;
	ipfix->reason[0] = '\0';
	n_taken = ipfix_try(ipfix, items, n);
	if (n_taken < n)
		snprintf(error, error_size, "ipfix collector at %s: %s", ipfix->options->server,
			 ipfix->reason[0] ? ipfix->reason : "it is connected, and takes nothing");
	return n_taken;
}

static int ipfix_close(void *state, char *error, size_t error_size)
{
	(void)error;
	(void)error_size;
	ipfix_free(state);
	return 0;
}

const struct sink_driver sink_ipfix_driver = {
	.name = "ipfix",
	.library = "libfixbuf " IPFIX_TEXT(FIXBUF_VERSION_MAJOR) "." IPFIX_TEXT(
		FIXBUF_VERSION_MINOR) "." IPFIX_TEXT(FIXBUF_VERSION_RELEASE),
	.open = ipfix_open,
	.deliver = ipfix_deliver,
	.close = ipfix_close,
};
