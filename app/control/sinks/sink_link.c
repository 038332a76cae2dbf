/* SPDX-License-Identifier: BSD-3-Clause */
#include "sink_link.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sink_clock.h"
#if HAVE_TLS
#include "sink_tls.h"
#endif

#define NS_IN_S 1000000000u

/* What connecting may take once the run ends: the rest of the patience is for servers that are there. */
#define SINK_LINK_END_NS NS_IN_S

void sink_link_init(struct sink_link *link, const atomic_bool *stop, const char *secret)
{
	*link = (struct sink_link){.fd = -1, .stop = stop, .secret = secret && *secret ? secret : NULL};
}

void sink_link_begin(struct sink_link *link, char *error, size_t error_size)
{
	link->error = error;
	link->error_size = error_size;
}

/* A server may quote the password that it got, and anything else. */
static void text_clean(char *text, const char *secret)
{
	char *at = text;

	while (secret && (at = strstr(at, secret))) {
		memset(at, '*', strlen(secret));
		at += strlen(secret);
	}
	for (at = text; *at; at++)
		if (!isprint((unsigned char)*at))
			*at = '?';
}

int sink_link_complain(struct sink_link *link, const char *format, ...)
{
	char text[SINK_HOST_BYTES + 1024];
	va_list list;
	int n = snprintf(text, sizeof(text), "%s: ", link->peer.text);

	va_start(list, format);
	vsnprintf(text + n, sizeof(text) - (size_t)n, format, list);
	va_end(list);
	text_clean(text, link->secret);
	if (link->error_size)
		snprintf(link->error, link->error_size, "%s", text);
	return -1;
}

#if HAVE_TLS
/* 0 once both sides agree on TLS, or -1 after a complaint. */
static int link_secure(struct sink_link *link, uint64_t deadline_ns)
{
	char error[256] = "TLS: no answer in time: check that this port speaks it";
	int rc = 0;

	if (!link->tls)
		link->tls = sink_tls_new(error, sizeof(error));
	if (!link->tls || sink_tls_begin(link->tls, link->fd, link->peer.host, error, sizeof(error)))
		rc = -1;
	while (!rc && !(rc = sink_tls_shake_hands(link->tls, error, sizeof(error))) &&
	       sink_clock_ns(CLOCK_MONOTONIC) < deadline_ns)
		sink_socket_wait(link->fd, sink_tls_wants_write(link->tls) ? POLLOUT : POLLIN, deadline_ns);
	if (rc > 0)
		return 0;
	sink_link_complain(link, "%s", error);
	sink_link_close(link);
	return -1;
}
#endif

int sink_link_connect(struct sink_link *link, const struct sink_address *address, uint64_t deadline_ns)
{
	uint64_t end_ns = sink_clock_ns(CLOCK_MONOTONIC) + SINK_LINK_END_NS;
	char reason[SINK_REASON_BYTES];

	sink_link_close(link);
	link->in_start = link->in_end = 0;
	link->peer = *address;
	if (link->stop && atomic_load(link->stop) && end_ns < deadline_ns)
		deadline_ns = end_ns;
	link->fd = sink_socket_connect(address, SOCK_STREAM, &link->lookup, deadline_ns, reason);
	if (link->fd < 0)
		return sink_link_complain(link, "%s", reason);
	link->sent_ns = link->received_ns = sink_clock_ns(CLOCK_MONOTONIC);
#if HAVE_TLS
	if (address->is_tls)
		return link_secure(link, deadline_ns);
#endif
	return 0;
}

int sink_link_append(struct sink_link *link, const void *bytes, size_t n_bytes)
{
	size_t room = link->out_room ? link->out_room : 4096;
	uint8_t *larger;

	while (room - link->out_end < n_bytes && room <= SIZE_MAX / 4)
		room *= 2;
	if (room - link->out_end < n_bytes)
		return sink_link_complain(link, "out of memory");
	if (room != link->out_room) {
		larger = realloc(link->out, room);
		if (!larger)
			return sink_link_complain(link, "out of memory");
		link->out = larger;
		link->out_room = room;
	}
	if (n_bytes)
		memcpy(link->out + link->out_end, bytes, n_bytes);
	link->out_end += n_bytes;
	return 0;
}

/* As send and recv. */
static ssize_t link_put(struct sink_link *link, const void *bytes, size_t n_bytes)
{
#if HAVE_TLS
	if (link->peer.is_tls)
		return sink_tls_send(link->tls, bytes, n_bytes);
#endif
	return send(link->fd, bytes, n_bytes, MSG_NOSIGNAL);
}

static ssize_t link_get(struct sink_link *link, void *bytes, size_t n_bytes)
{
#if HAVE_TLS
	if (link->peer.is_tls)
		return sink_tls_receive(link->tls, bytes, n_bytes);
#endif
	return recv(link->fd, bytes, n_bytes, 0);
}

/* What to wait for before more can be sent or received. */
static short link_events(const struct sink_link *link)
{
	bool wants_write = link->out_end > 0;

#if HAVE_TLS
	/* TLS may have to read before it writes: it says so, and asking for more would be to wait for nothing. */
	if (link->peer.is_tls)
		wants_write = sink_tls_wants_write(link->tls);
#endif
	return (short)(POLLIN | (wants_write ? POLLOUT : 0));
}

/* Sends what the kernel takes. 0, or errno. */
static int link_send(struct sink_link *link)
{
	while (link->out_start < link->out_end) {
		ssize_t n = link_put(link, link->out + link->out_start, link->out_end - link->out_start);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : errno;
		link->out_start += (size_t)n;
		link->sent_ns = sink_clock_ns(CLOCK_MONOTONIC);
	}
	link->out_start = link->out_end = 0;
	return 0;
}

/* 1 where something was received, 0 where nothing is there, else -1 after a complaint. */
static int link_receive(struct sink_link *link)
{
	ssize_t n;

	if (link->in_start) {
		memmove(link->in, link->in + link->in_start, link->in_end - link->in_start);
		link->in_end -= link->in_start;
		link->in_start = 0;
	}
	if (link->in_end == sizeof(link->in))
		return sink_link_complain(link, "sends what is too long: check that `server` is of the right kind");
	do
		n = link_get(link, link->in + link->in_end, sizeof(link->in) - link->in_end);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0)
		return sink_link_complain(link, "the connection broke: %s",
					  n ? strerror(errno) : "the server closed it");
	link->in_end += (size_t)n;
	link->received_ns = sink_clock_ns(CLOCK_MONOTONIC);
	return 1;
}

int sink_link_pump(struct sink_link *link, uint64_t deadline_ns)
{
	if (!sink_link_is_open(link))
		return sink_link_complain(link, "is not connected");
	for (;;) {
		int status = link_send(link);
		int n = link_receive(link); /* also after an error: what came before it counts */

		if (n > 0)
			return n;
		if (!n && status)
			sink_link_complain(link, "the connection broke: %s", strerror(status));
		if (n < 0 || status) {
			sink_link_close(link);
			return -1;
		}
		if (sink_clock_ns(CLOCK_MONOTONIC) >= deadline_ns)
			return 0;
		sink_socket_wait(link->fd, link_events(link), deadline_ns);
	}
}

void sink_link_forget(struct sink_link *link)
{
	if (link->out)
		explicit_bzero(link->out, link->out_room);
	link->out_start = link->out_end = 0;
}

void sink_link_close(struct sink_link *link)
{
#if HAVE_TLS
	if (link->tls)
		sink_tls_end(link->tls);
#endif
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
	link->out_start = link->out_end = 0;
}

void sink_link_free(struct sink_link *link)
{
	sink_link_close(link);
	sink_link_forget(link);
	sink_lookup_drop(&link->lookup);
#if HAVE_TLS
	sink_tls_free(link->tls);
#endif
	free(link->out);
	link->out = NULL;
	link->out_room = 0;
}
