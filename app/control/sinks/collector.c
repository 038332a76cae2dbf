/* SPDX-License-Identifier: BSD-3-Clause */
#include "collector.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define COLLECTOR_PORT	  "4739" /* IANA: ipfix, TCP and UDP */
#define COLLECTOR_THROW_N 16
/* The kernel gives a connection up when the other side took nothing for so long, dead or stopped. Tests wait less. */
#ifndef COLLECTOR_SILENT_MS
#define COLLECTOR_SILENT_MS 30000
#endif

/* getaddrinfo has no limit of time, so it is done by a thread of the C library's. */
struct collector_lookup {
	struct gaicb request;
	struct addrinfo hints;
	char host[256], port[8];
};

uint64_t collector_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int copy_part(char *to, size_t size, const char *from, size_t n)
{
	if (!n || n >= size)
		return -EINVAL;
	memcpy(to, from, n);
	to[n] = '\0';
	return 0;
}

static int copy_port(struct collector *collector, const char *port)
{
	char *end;
	unsigned long number = strtoul(port, &end, 10);

	if (*port < '0' || *port > '9' || *end || number < 1 || number > 65535)
		return -EINVAL;
	return copy_part(collector->port, sizeof(collector->port), port, strlen(port));
}

int collector_init(struct collector *collector, const char *server, bool is_udp)
{
	const char *colon = strrchr(server, ':'), *end;

	*collector = (struct collector){.port = COLLECTOR_PORT, .is_udp = is_udp, .fd = -1};
	if (*server == '[') {
		end = strchr(++server, ']');
		if (!end || (end[1] && end[1] != ':'))
			return -EINVAL;
		colon = end[1] ? end + 1 : NULL;
	} else {
		end = colon ? colon : server + strlen(server);
		if (memchr(server, ':', (size_t)(end - server)))
			return -EINVAL; /* an IPv6 address without brackets: where does the port begin? */
	}
	if (copy_part(collector->host, sizeof(collector->host), server, (size_t)(end - server)))
		return -EINVAL;
	return colon ? copy_port(collector, colon + 1) : 0;
}

static int start_lookup(struct collector *collector)
{
	struct collector_lookup *lookup = calloc(1, sizeof(*lookup));
	struct gaicb *list[1];
	int rc;

	if (!lookup)
		return EAI_MEMORY;
	memcpy(lookup->host, collector->host, sizeof(lookup->host));
	memcpy(lookup->port, collector->port, sizeof(lookup->port));
	lookup->hints = (struct addrinfo){.ai_socktype = collector->is_udp ? SOCK_DGRAM : SOCK_STREAM,
					  .ai_flags = AI_NUMERICSERV};
	lookup->request =
		(struct gaicb){.ar_name = lookup->host, .ar_service = lookup->port, .ar_request = &lookup->hints};
	list[0] = &lookup->request;
	rc = getaddrinfo_a(GAI_NOWAIT, list, 1, NULL);
	if (rc)
		free(lookup);
	else
		collector->lookup = lookup;
	return rc;
}

static int ms_until(uint64_t deadline_ms)
{
	uint64_t now_ms = collector_now_ms();

	return now_ms < deadline_ms ? (int)(deadline_ms - now_ms) : 0;
}

/* 0 with the addresses, which the caller frees; or an error of getaddrinfo. */
static int find_addresses(struct collector *collector, uint64_t deadline_ms, struct addrinfo **addresses)
{
	const struct gaicb *list[1];
	int rc = collector->lookup ? 0 : start_lookup(collector);

	if (rc)
		return rc;
	list[0] = &collector->lookup->request;
	while ((rc = gai_error(&collector->lookup->request)) == EAI_INPROGRESS && ms_until(deadline_ms)) {
		int ms = ms_until(deadline_ms);

		gai_suspend(list, 1, &(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L});
	}
	if (rc == EAI_INPROGRESS)
		return rc;
	*addresses = collector->lookup->request.ar_result;
	free(collector->lookup);
	collector->lookup = NULL;
	return rc;
}

static void set_options(const struct collector *collector, int fd)
{
	const int one = 1, bytes = 1 << 20, ms = COLLECTOR_SILENT_MS;

	/* Each of them may fail: it works without, only less well. */
	if (collector->is_udp) {
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
		return;
	}
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}

/* A connected socket, or a negative errno. */
static int connect_address(const struct collector *collector, const struct addrinfo *address, int ms)
{
	int fd = socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct pollfd waited = {.fd = fd, .events = POLLOUT};
	int rc = 0;

	if (fd < 0)
		return -errno;
	set_options(collector, fd);
	if (connect(fd, address->ai_addr, address->ai_addrlen)) {
		socklen_t rc_bytes = sizeof(rc);

		rc = errno;
		if (rc == EINPROGRESS && poll(&waited, 1, ms) <= 0)
			rc = ETIMEDOUT;
		else if (rc == EINPROGRESS)
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &rc, &rc_bytes);
	}
	if (rc) {
		close(fd);
		return -rc;
	}
	return fd;
}

int collector_connect(struct collector *collector, uint64_t deadline_ms, char *reason, size_t reason_size)
{
	struct addrinfo *addresses = NULL;
	int rc = find_addresses(collector, deadline_ms, &addresses), n_left = 0;

	if (rc) {
		snprintf(reason, reason_size, "%s",
			 rc == EAI_INPROGRESS ? "the look-up of its name takes long" : gai_strerror(rc));
		return -1;
	}
	for (const struct addrinfo *address = addresses; address; address = address->ai_next)
		n_left++;
	rc = -EHOSTUNREACH;
	for (const struct addrinfo *address = addresses; address && rc < 0; address = address->ai_next, n_left--)
		rc = connect_address(collector, address, ms_until(deadline_ms) / n_left);
	freeaddrinfo(addresses);
	if (rc < 0) {
		snprintf(reason, reason_size, "cannot connect: %s", strerror(-rc));
		return -1;
	}
	collector->fd = rc;
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

	if (collector->is_udp || ioctl(collector->fd, SIOCOUTQ, &n) || n < 0)
		return 0;
	return (size_t)n;
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

void collector_wait(const struct collector *collector, bool for_writing, int ms)
{
	struct pollfd waited = {.fd = collector->fd, .events = for_writing ? POLLIN | POLLOUT : POLLIN};

	poll(&waited, 1, ms);
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
	if (!collector->lookup)
		return;
	/* The C library still writes to one that cannot be cancelled: a few bytes are left to it. */
	if (gai_cancel(&collector->lookup->request) != EAI_NOTCANCELED) {
		if (collector->lookup->request.ar_result)
			freeaddrinfo(collector->lookup->request.ar_result);
		free(collector->lookup);
	}
	collector->lookup = NULL;
}
