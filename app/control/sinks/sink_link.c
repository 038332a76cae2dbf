/* SPDX-License-Identifier: BSD-3-Clause */
#include "sink_link.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#if HAVE_TLS
#include "sink_tls.h"
#endif

#define NS_IN_S	 1000000000u
#define NS_IN_MS 1000000u

#define TLS_PREFIX "tls://"

/* What connecting may take once the run ends: the rest of the patience is for servers that are there. */
#define SINK_LINK_END_NS NS_IN_S

/* A lookup of a name by another thread, glibc's, which may outlive our patience with it. */
struct sink_link_lookup {
	struct gaicb request;
	struct addrinfo hints;
	char host[SINK_LINK_HOST_BYTES];
	char port[6];
};

uint64_t sink_link_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_IN_S + (uint64_t)now.tv_nsec;
}

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
	char text[SINK_LINK_HOST_BYTES + 1024];
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

/* A lookup that is still under way belongs to glibc until it ends, so that its memory is left to it. */
static void lookup_drop(struct sink_link *link)
{
	struct sink_link_lookup *lookup = link->lookup;

	link->lookup = NULL;
	if (!lookup || gai_cancel(&lookup->request) == EAI_NOTCANCELED)
		return;
	if (lookup->request.ar_result)
		freeaddrinfo(lookup->request.ar_result);
	free(lookup);
}

static int lookup_start(struct sink_link *link)
{
	struct sink_link_lookup *lookup = calloc(1, sizeof(*lookup));
	struct gaicb *list[1];
	int rc;

	if (!lookup)
		return EAI_MEMORY;
	memcpy(lookup->host, link->peer.host, sizeof(lookup->host));
	memcpy(lookup->port, link->peer.port, sizeof(lookup->port));
	lookup->hints = (struct addrinfo){.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
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
		link->lookup = lookup;
	return rc;
}

static int lookup_wait(struct sink_link *link, uint64_t deadline_ns)
{
	const struct gaicb *list[1] = {&link->lookup->request};

	for (;;) {
		uint64_t now = sink_link_now(), left = deadline_ns > now ? deadline_ns - now : 0;
		struct timespec wait = {(time_t)(left / NS_IN_S), (long)(left % NS_IN_S)};
		int rc = gai_error(&link->lookup->request);

		if (rc != EAI_INPROGRESS || !left)
			return rc;
		gai_suspend(list, 1, &wait);
	}
}

/* Looks the peer up: at once where it is a number. 0, or one of getaddrinfo's errors. */
static int link_resolve(struct sink_link *link, struct addrinfo **addresses, uint64_t deadline_ns)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	int rc;

	if (!getaddrinfo(link->peer.host, link->peer.port, &hints, addresses))
		return 0;
	if (link->lookup &&
	    (strcmp(link->lookup->host, link->peer.host) || strcmp(link->lookup->port, link->peer.port)))
		lookup_drop(link);
	rc = link->lookup ? 0 : lookup_start(link);
	if (!rc)
		rc = lookup_wait(link, deadline_ns);
	if (rc == EAI_INPROGRESS)
		return rc;
	if (!rc) {
		*addresses = link->lookup->request.ar_result;
		link->lookup->request.ar_result = NULL;
	}
	lookup_drop(link);
	return rc;
}

/* Waits for the events, or until the deadline. */
static void link_wait(int fd, short events, uint64_t deadline_ns)
{
	struct pollfd poller = {.fd = fd, .events = events};
	uint64_t now = sink_link_now();

	if (deadline_ns > now)
		poll(&poller, 1, (int)((deadline_ns - now) / NS_IN_MS) + 1);
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
static int socket_connect(int fd, const struct sockaddr *address, socklen_t bytes, uint64_t deadline_ns)
{
	struct pollfd poller = {.fd = fd, .events = POLLOUT};
	socklen_t size = sizeof(int);
	int status = 0;

	if (connect(fd, address, bytes)) {
		if (errno != EINPROGRESS)
			return errno;
		link_wait(fd, POLLOUT, deadline_ns);
		if (poll(&poller, 1, 0) != 1)
			return ETIMEDOUT;
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &status, &size))
			return errno;
	}
	return status ? status : is_self(fd) ? ECONNREFUSED : 0;
}

/* 0, or errno. */
static int link_try(struct sink_link *link, const struct sockaddr *address, socklen_t bytes, uint64_t deadline_ns)
{
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), status;
	const int on = 1;

	if (fd < 0)
		return errno;
	status = socket_connect(fd, address, bytes, deadline_ns);
	if (status) {
		close(fd);
		return status;
	}
	if (address->sa_family != AF_UNIX) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	}
	link->fd = fd;
	link->sent_ns = link->received_ns = sink_link_now();
	return 0;
}

/* Tries each of a name's addresses; one that does not answer leaves the others their share of the time. */
static int link_connect_tcp(struct sink_link *link, uint64_t deadline_ns)
{
	struct addrinfo *addresses = NULL;
	uint64_t n_left = 0;
	int status = ENOENT, rc = link_resolve(link, &addresses, deadline_ns);

	if (rc == EAI_INPROGRESS)
		return sink_link_complain(link, "looking its name up takes too long: check the name service");
	if (rc)
		return sink_link_complain(link, "its name is not found (%s): check `server`", gai_strerror(rc));
	for (const struct addrinfo *at = addresses; at; at = at->ai_next)
		n_left++;
	for (const struct addrinfo *at = addresses; at && status; at = at->ai_next, n_left--) {
		uint64_t now = sink_link_now();

		if (now < deadline_ns)
			status = link_try(link, at->ai_addr, at->ai_addrlen, now + (deadline_ns - now) / n_left);
	}
	freeaddrinfo(addresses);
	if (status)
		sink_link_complain(link, "%s: check that it runs, and `server`", strerror(status));
	return status ? -1 : 0;
}

static int link_connect_unix(struct sink_link *link, uint64_t deadline_ns)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int status;

	memcpy(address.sun_path, link->peer.host, sizeof(address.sun_path));
	status = link_try(link, (const struct sockaddr *)&address, sizeof(address), deadline_ns);
	if (status)
		sink_link_complain(link, "%s: check that it runs, and `server`", strerror(status));
	return status ? -1 : 0;
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
	       sink_link_now() < deadline_ns)
		link_wait(link->fd, sink_tls_wants_write(link->tls) ? POLLOUT : POLLIN, deadline_ns);
	if (rc > 0)
		return 0;
	sink_link_complain(link, "%s", error);
	sink_link_close(link);
	return -1;
}
#endif

int sink_link_connect(struct sink_link *link, const struct sink_address *address, uint64_t deadline_ns)
{
	uint64_t end_ns = sink_link_now() + SINK_LINK_END_NS;

	sink_link_close(link);
	link->in_start = link->in_end = 0;
	link->peer = *address;
	if (link->stop && atomic_load(link->stop) && end_ns < deadline_ns)
		deadline_ns = end_ns;
	if (address->is_path)
		return link_connect_unix(link, deadline_ns);
	if (link_connect_tcp(link, deadline_ns))
		return -1;
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
		link->sent_ns = sink_link_now();
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
	link->received_ns = sink_link_now();
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
		if (sink_link_now() >= deadline_ns)
			return 0;
		link_wait(link->fd, link_events(link), deadline_ns);
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
	lookup_drop(link);
#if HAVE_TLS
	sink_tls_free(link->tls);
#endif
	free(link->out);
	link->out = NULL;
	link->out_room = 0;
}
