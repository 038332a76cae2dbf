/* SPDX-License-Identifier: BSD-3-Clause */
#include "collector.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define COLLECTOR_PORT	     "4739" /* IANA: ipfix, TCP and UDP */
#define COLLECTOR_SEND_BYTES (1 << 20)
#define COLLECTOR_THROW_N    16
/* The kernel gives a connection up when the other side took nothing for so long, dead or stopped. Tests wait less. */
#ifndef COLLECTOR_SILENT_MS
#define COLLECTOR_SILENT_MS 30000
#endif

int collector_init(struct collector *collector, const char *server, bool is_udp, char *error, size_t error_size)
{
	*collector = (struct collector){.is_udp = is_udp, .fd = -1};
	if (server[0] == '/' || strstr(server, "://")) {
		snprintf(error, error_size,
			 "%s: ipfix takes HOST:PORT or [IPv6]:PORT; stunnel leads to one that wants TLS", server);
		return -EINVAL;
	}
	return sink_address_parse(server, COLLECTOR_PORT, &collector->address, error, error_size);
}

int collector_connect(struct collector *collector, uint64_t deadline_ns, char *reason)
{
	const int bytes = COLLECTOR_SEND_BYTES, ms = COLLECTOR_SILENT_MS;
	int fd = sink_socket_connect(&collector->address, collector->is_udp ? SOCK_DGRAM : SOCK_STREAM,
				     &collector->lookup, deadline_ns, reason);

	if (fd < 0)
		return -1;
	/* Either may fail: it works without, only less well. */
	if (collector->is_udp)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	else
		setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
	collector->fd = fd;
	return 0;
}

long collector_write(struct collector *collector, const void *bytes, size_t n_bytes)
{
	/* A collector that hangs up must not end the program by SIGPIPE. */
	ssize_t n = send(collector->fd, bytes, n_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n >= 0)
		return n;
	if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS)
		return 0;
	return -errno;
}

size_t collector_n_unacknowledged(const struct collector *collector)
{
	int n = 0;

	if (collector->is_udp)
		return 0;
	/* Where that is not known, nothing is. */
	return ioctl(collector->fd, SIOCOUTQ, &n) || n < 0 ? SIZE_MAX : (size_t)n;
}

int collector_check(struct collector *collector)
{
	char thrown_away[4096];
	socklen_t rc_bytes = sizeof(int);
	int rc = 0;

	getsockopt(collector->fd, SOL_SOCKET, SO_ERROR, &rc, &rc_bytes);
	for (int i = 0; !rc && i < COLLECTOR_THROW_N; i++) {
		ssize_t n = recv(collector->fd, thrown_away, sizeof(thrown_away), MSG_DONTWAIT);

		if (!n && !collector->is_udp)
			return -EPIPE;
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	}
	return -rc;
}

void collector_disconnect(struct collector *collector)
{
	if (collector->fd >= 0)
		close(collector->fd);
	collector->fd = -1;
}

void collector_end(struct collector *collector)
{
	collector_disconnect(collector);
	sink_lookup_drop(&collector->lookup);
}
