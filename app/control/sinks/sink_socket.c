/* SPDX-License-Identifier: BSD-3-Clause */
#include "sink_socket.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "sink_clock.h"

#define NS_IN_S	 1000000000u
#define NS_IN_MS 1000000u

#define TLS_PREFIX "tls://"

/* A look-up of a name by another thread, glibc's, which may outlive our patience with it. */
struct sink_lookup {
	struct gaicb request;
	struct addrinfo hints;
	char host[SINK_HOST_BYTES];
	char port[6];
};

static bool is_port(const char *text)
{
	size_t n = strspn(text, "0123456789");

	return n && n <= 5 && !text[n] && atoi(text) > 0 && atoi(text) <= UINT16_MAX;
}

int sink_address_set(struct sink_address *address, const char *host, size_t host_bytes, const char *port)
{
	bool is_ipv6 = memchr(host, ':', host_bytes) != NULL;

	if (host_bytes >= sizeof(address->host) || !is_port(port))
		return -EINVAL;
	*address = (struct sink_address){0};
	memcpy(address->host, host, host_bytes);
	snprintf(address->port, sizeof(address->port), "%s", port);
	snprintf(address->text, sizeof(address->text), is_ipv6 ? "[%s]:%s" : "%s:%s", address->host, address->port);
	return 0;
}

static int address_set_path(struct sink_address *address, const char *path)
{
	size_t n = strlen(path);

	if (n >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return -EINVAL;
	*address = (struct sink_address){.is_path = true};
	memcpy(address->host, path, n);
	memcpy(address->text, path, n);
	return 0;
}

int sink_address_parse(const char *text, const char *default_port, struct sink_address *address, char *error,
		       size_t error_size)
{
	bool is_tls = !strncmp(text, TLS_PREFIX, strlen(TLS_PREFIX));
	const char *host = is_tls ? text + strlen(TLS_PREFIX) : text, *end, *colon;
	int rc;

	if (text[0] == '/') {
		rc = address_set_path(address, text);
		if (rc)
			snprintf(error, error_size, "%s: the path is too long for a Unix socket", text);
		return rc;
	}
	if (is_tls && !HAVE_TLS) {
		snprintf(error, error_size, "%s: this build has no TLS: build it with libssl-dev, or use stunnel",
			 text);
		return -EINVAL;
	}
	if (host[0] == '[') {
		host++;
		end = strchr(host, ']');
		colon = end ? end + 1 : NULL;
	} else {
		colon = strchr(host, ':');
		end = colon = colon ? colon : host + strlen(host);
	}
	if (!end || end == host || (*colon && *colon != ':') ||
	    sink_address_set(address, host, (size_t)(end - host), *colon ? colon + 1 : default_port)) {
		/* Not quoted where it may have a password in it, as some programs' URLs do. */
		snprintf(error, error_size,
			 "%s: no server: give HOST:PORT, [IPv6]:PORT or the path of a Unix socket",
			 strchr(text, '@') ? "`server`" : text);
		return -EINVAL;
	}
	address->is_tls = is_tls;
	return 0;
}

/* One that is still under way belongs to glibc until it ends, so that its memory is left to it. */
void sink_lookup_drop(struct sink_lookup **lookup)
{
	struct sink_lookup *dropped = *lookup;

	*lookup = NULL;
	if (!dropped || gai_cancel(&dropped->request) == EAI_NOTCANCELED)
		return;
	if (dropped->request.ar_result)
		freeaddrinfo(dropped->request.ar_result);
	free(dropped);
}

static int lookup_start(const struct sink_address *address, int type, struct sink_lookup **started)
{
	struct sink_lookup *lookup = calloc(1, sizeof(*lookup));
	struct gaicb *list[1];
	int rc;

	if (!lookup)
		return EAI_MEMORY;
	memcpy(lookup->host, address->host, sizeof(lookup->host));
	memcpy(lookup->port, address->port, sizeof(lookup->port));
	lookup->hints = (struct addrinfo){.ai_socktype = type, .ai_flags = AI_NUMERICSERV};
	lookup->request = (struct gaicb){
		.ar_name = lookup->host,
		.ar_service = lookup->port,
		.ar_request = &lookup->hints,
	};
	list[0] = &lookup->request;
	rc = getaddrinfo_a(GAI_NOWAIT, list, 1, NULL);
	if (rc)
		free(lookup);
	else
		*started = lookup;
	return rc;
}

static int lookup_wait(struct sink_lookup *lookup, uint64_t deadline_ns)
{
	const struct gaicb *list[1] = {&lookup->request};

	for (;;) {
		uint64_t now = sink_clock_ns(CLOCK_MONOTONIC), left = deadline_ns > now ? deadline_ns - now : 0;
		struct timespec wait = {(time_t)(left / NS_IN_S), (long)(left % NS_IN_S)};
		int rc = gai_error(&lookup->request);

		if (rc != EAI_INPROGRESS || !left)
			return rc;
		gai_suspend(list, 1, &wait);
	}
}

/* Looks the server up: at once where it is a number. 0, or one of getaddrinfo's errors. */
static int socket_resolve(const struct sink_address *address, int type, struct sink_lookup **lookup,
			  struct addrinfo **addresses, uint64_t deadline_ns)
{
	const struct addrinfo hints = {.ai_socktype = type, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	int rc;

	if (!getaddrinfo(address->host, address->port, &hints, addresses))
		return 0;
	if (*lookup && (strcmp((*lookup)->host, address->host) || strcmp((*lookup)->port, address->port)))
		sink_lookup_drop(lookup);
	rc = *lookup ? 0 : lookup_start(address, type, lookup);
	if (!rc)
		rc = lookup_wait(*lookup, deadline_ns);
	if (rc == EAI_INPROGRESS)
		return rc;
	if (!rc) {
		*addresses = (*lookup)->request.ar_result;
		(*lookup)->request.ar_result = NULL;
	}
	sink_lookup_drop(lookup);
	return rc;
}

void sink_socket_wait(int fd, short events, uint64_t deadline_ns)
{
	struct pollfd poller = {.fd = fd, .events = events};
	uint64_t now;

	while ((now = sink_clock_ns(CLOCK_MONOTONIC)) < deadline_ns)
		if (poll(&poller, 1, (int)((deadline_ns - now) / NS_IN_MS) + 1) >= 0 || errno != EINTR)
			return;
}

/* A port of the kernel's own choice may be the one that it connects to: then we talk to ourselves. */
static bool is_self(int fd)
{
	struct sockaddr_storage here = {0}, there = {0};
	socklen_t here_bytes = sizeof(here), there_bytes = sizeof(there);

	return !getsockname(fd, (struct sockaddr *)&here, &here_bytes) &&
	       !getpeername(fd, (struct sockaddr *)&there, &there_bytes) && here.ss_family != AF_UNIX &&
	       here_bytes == there_bytes && !memcmp(&here, &there, here_bytes);
}

/* 0 once it is connected, or errno. */
static int socket_finish(int fd, const struct sockaddr *address, socklen_t bytes, uint64_t deadline_ns)
{
	struct pollfd poller = {.fd = fd, .events = POLLOUT};
	socklen_t size = sizeof(int);
	int status = 0;

	if (connect(fd, address, bytes)) {
		if (errno != EINPROGRESS)
			return errno;
		sink_socket_wait(fd, POLLOUT, deadline_ns);
		if (poll(&poller, 1, 0) != 1)
			return ETIMEDOUT;
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &status, &size))
			return errno;
	}
	return status ? status : is_self(fd) ? ECONNREFUSED : 0;
}

/* A connected socket, or a negative errno. */
static int socket_try(const struct sockaddr *address, socklen_t bytes, int type, uint64_t deadline_ns)
{
	int fd = socket(address->sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), status;
	const int on = 1;

	if (fd < 0)
		return -errno;
	status = socket_finish(fd, address, bytes, deadline_ns);
	if (status) {
		close(fd);
		return -status;
	}
	if (address->sa_family != AF_UNIX && type == SOCK_STREAM) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	}
	return fd;
}

/* Tries each of a name's addresses; one that does not answer leaves the others their share of the time. */
static int socket_try_all(const struct addrinfo *addresses, uint64_t deadline_ns)
{
	uint64_t n_left = 0;
	int fd = -ENOENT;

	for (const struct addrinfo *at = addresses; at; at = at->ai_next)
		n_left++;
	for (const struct addrinfo *at = addresses; at && fd < 0; at = at->ai_next, n_left--) {
		uint64_t now = sink_clock_ns(CLOCK_MONOTONIC);

		if (now < deadline_ns)
			fd = socket_try(at->ai_addr, at->ai_addrlen, at->ai_socktype,
					now + (deadline_ns - now) / n_left);
	}
	return fd;
}

static int socket_connect_unix(const struct sink_address *address, uint64_t deadline_ns)
{
	struct sockaddr_un there = {.sun_family = AF_UNIX};

	memcpy(there.sun_path, address->host, sizeof(there.sun_path));
	return socket_try((const struct sockaddr *)&there, sizeof(there), SOCK_STREAM, deadline_ns);
}

int sink_socket_connect(const struct sink_address *address, int type, struct sink_lookup **lookup,
			uint64_t deadline_ns, char *reason)
{
	struct addrinfo *addresses = NULL;
	int rc = 0, fd = -1;

	if (address->is_path)
		fd = socket_connect_unix(address, deadline_ns);
	else
		rc = socket_resolve(address, type, lookup, &addresses, deadline_ns);
	if (rc == EAI_INPROGRESS)
		snprintf(reason, SINK_REASON_BYTES, "looking its name up takes too long: check the name service");
	else if (rc)
		snprintf(reason, SINK_REASON_BYTES, "its name is not found (%s): check `server`", gai_strerror(rc));
	if (rc)
		return -1;
	if (!address->is_path) {
		fd = socket_try_all(addresses, deadline_ns);
		freeaddrinfo(addresses);
	}
	if (fd < 0)
		snprintf(reason, SINK_REASON_BYTES, "%s: check that it runs, and `server`", strerror(-fd));
	return fd < 0 ? -1 : fd;
}
