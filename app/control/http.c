/* SPDX-License-Identifier: BSD-3-Clause */
#include "http.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <microhttpd.h>

#include "command.h"
#include "http_address.h"
#include "http_page.h"
#include "openmetrics.h"

#define HTTP_MAX_CONNECTIONS 64
#define HTTP_MAX_OF_ADDRESS  32
#define HTTP_BACKLOG	     64
/* Request line and headers of a connection, and what is read of them. */
#define HTTP_CONNECTION_BYTES 16384
#define HTTP_IDLE_S	      5
#define HTTP_NICENESS	      10
/* How old an answer may be. */
#define HTTP_COPY_AGE_NS UINT64_C(200000000)
#define HTTP_TOP_AGE_NS	 UINT64_C(1000000000)
#define HTTP_SWEEP_NS	 UINT64_C(250000000)
#define HTTP_LIFE_NS	 (HTTP_LIFE_S * UINT64_C(1000000000))

enum http_phase { HTTP_STARTS, HTTP_RUNS, HTTP_ENDS };

/* What was made of the counters, and when; text and flows are NULL where that failed. */
struct http_made {
	char *text;
	size_t n_bytes;
	json_t *flows;
	uint64_t ns; /* 0: never */
	bool is_wanted;
};

/* One connection, from when it is accepted to when it is closed. */
struct http_client {
	struct MHD_Connection *connection; /* NULL: this place is free */
	int fd;
	uint64_t since_ns, asked_ns; /* asked_ns: when its request was read; 0: not yet */
	bool is_waiting;	     /* for what others are making; MHD leaves it alone until it is resumed */
};

struct http {
	int fd; /* -1: MHD has it, or there is none */
	char url[HTTP_HOST_BYTES + 32];
	bool is_loopback;
	struct http_source source;
	struct MHD_Daemon *daemon;
	_Atomic(const char *) unready; /* NULL: packets pass */
	uint64_t swept_ns;

	pthread_mutex_t lock; /* for what follows */
	pthread_cond_t top_wanted;
	enum http_phase phase;
	struct http_made copies[HTTP_N_COPIES], tops[HTTP_N_ORDERS];
	struct http_client clients[HTTP_MAX_CONNECTIONS];
	int last_order; /* that flows were looked for by */
	pthread_t top_thread;
	bool has_top_thread;
};

/* What a path is answered with. */
enum http_answer { HTTP_PAGE, HTTP_METRICS, HTTP_REPORT, HTTP_HEALTH, HTTP_READY, HTTP_N_ANSWERS };

static const char *const http_paths[HTTP_N_ANSWERS] = {"/", "/metrics", "/stats.json", "/healthz", "/readyz"};
static const char *const http_orders[HTTP_N_ORDERS] = {"packets", "bytes", "score"};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- Answers: MHD's thread ---- */

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned int status, const char *type,
			      const void *text, size_t n_bytes)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(n_bytes, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result rc;

	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, "Content-Type", type);
	MHD_add_response_header(response, "Cache-Control", "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
	MHD_add_response_header(response, "Cross-Origin-Resource-Policy", "same-origin");
	MHD_add_response_header(response, "Content-Security-Policy", HTTP_PAGE_POLICY);
	MHD_add_response_header(response, "Connection", "close");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, "Allow", "GET, HEAD");
	rc = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return rc;
}

static enum MHD_Result answer_line(struct MHD_Connection *connection, unsigned int status, const char *line)
{
	return answer(connection, status, "text/plain; charset=utf-8", line, strlen(line));
}

static bool is_fresh(const struct http_made *made, const struct http_client *client, uint64_t age_ns)
{
	return made->ns && made->ns + age_ns >= client->asked_ns;
}

/*
 * Whether what a client asks for is made; if not, has it made and the client wait: it is asked again when it is resumed.
 * The lock is held.
 */
static bool take_or_wait(struct http *http, struct http_client *client, enum http_copy copy, int order)
{
	bool has_copy = is_fresh(&http->copies[copy], client, HTTP_COPY_AGE_NS);
	bool has_top = order < 0 || is_fresh(&http->tops[order], client, HTTP_TOP_AGE_NS);

	if (has_copy && has_top)
		return true;
	http->copies[copy].is_wanted |= !has_copy;
	if (!has_top) {
		http->tops[order].is_wanted = true;
		pthread_cond_signal(&http->top_wanted);
	}
	client->is_waiting = true;
	MHD_suspend_connection(client->connection);
	return false;
}

/* The report with its largest flows behind the other members, or NULL. The lock is held. */
static char *add_top(const struct http *http, int order, size_t n)
{
	const struct http_made *report = &http->copies[HTTP_STATS];
	json_t *some = json_array();
	const json_t *flow;
	char *flows, *text;
	size_t i;

	json_array_foreach(http->tops[order].flows, i, flow) if (i < n)
		json_array_append(some, (json_t *)(uintptr_t)flow);
	flows = http->tops[order].flows ? json_dumps(some, JSON_COMPACT) : strdup("null");
	json_decref(some);
	if (!flows || asprintf(&text, "%.*s,\"top_flows\":%s}", (int)report->n_bytes - 1, report->text, flows) < 0)
		text = NULL;
	free(flows);
	return text;
}

/* Answers with a copy. The lock is held. */
static enum MHD_Result answer_copy(struct http *http, struct MHD_Connection *connection, enum http_copy copy,
				   int order, size_t n_top)
{
	static const char *const types[HTTP_N_COPIES] = {
		[HTTP_OPENMETRICS] = OPENMETRICS_CONTENT_TYPE,
		[HTTP_PROMETHEUS] = OPENMETRICS_PLAIN_CONTENT_TYPE,
		[HTTP_STATS] = "application/json",
	};
	const struct http_made *made = &http->copies[copy];
	enum MHD_Result rc;
	char *text;

	if (!made->text)
		return answer_line(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory\n");
	if (order < 0)
		return answer(connection, MHD_HTTP_OK, types[copy], made->text, made->n_bytes);
	text = add_top(http, order, n_top);
	if (!text)
		return answer_line(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory\n");
	rc = answer(connection, MHD_HTTP_OK, types[copy], text, strlen(text));
	free(text);
	return rc;
}

/* Answers with what is made of the counters, now or when it is. */
static enum MHD_Result answer_counters(struct http *http, struct http_client *client, enum http_copy copy,
				       int order, size_t n_top)
{
	enum MHD_Result rc = MHD_YES;

	pthread_mutex_lock(&http->lock);
	if (http->phase == HTTP_STARTS)
		rc = answer_line(client->connection, MHD_HTTP_SERVICE_UNAVAILABLE, "the run starts\n");
	else if (http->phase == HTTP_ENDS)
		rc = answer_line(client->connection, MHD_HTTP_SERVICE_UNAVAILABLE, "the run ends\n");
	else if (now_ns() - client->since_ns > HTTP_LIFE_NS)
		rc = answer_line(client->connection, MHD_HTTP_SERVICE_UNAVAILABLE, "the run does not answer\n");
	else if (take_or_wait(http, client, copy, order))
		rc = answer_copy(http, client->connection, copy, order, n_top);
	pthread_mutex_unlock(&http->lock);
	return rc;
}

/* GET /stats.json[?top=N[&by=ORDER]] */
static enum MHD_Result answer_report(struct http *http, struct http_client *client)
{
	const char *top = MHD_lookup_connection_value(client->connection, MHD_GET_ARGUMENT_KIND, "top");
	const char *by = MHD_lookup_connection_value(client->connection, MHD_GET_ARGUMENT_KIND, "by");
	int order = by ? -1 : 0;
	uint64_t n = 0;

	for (int i = 0; by && i < HTTP_N_ORDERS; i++)
		if (!strcmp(by, http_orders[i]))
			order = i;
	if (order < 0 || (by && !top) || (top && read_u64(top, 1, HTTP_MAX_TOP, &n)))
		return answer_line(client->connection, MHD_HTTP_BAD_REQUEST,
				   "/stats.json?top=N&by=ORDER: N is of 1 to 100, ORDER packets, bytes or score\n");
	return answer_counters(http, client, HTTP_STATS, top ? order : -1, n);
}

static enum MHD_Result answer_ready(struct http *http, struct MHD_Connection *connection)
{
	const char *unready = atomic_load(&http->unready);
	enum http_phase phase;

	pthread_mutex_lock(&http->lock);
	phase = http->phase;
	pthread_mutex_unlock(&http->lock);
	if (phase == HTTP_RUNS && !unready)
		return answer_line(connection, MHD_HTTP_OK, "packets pass\n");
	return answer_line(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
			   phase == HTTP_STARTS ? "the run starts\n"
			   : phase == HTTP_ENDS ? "the run ends\n"
						: unready);
}

static enum MHD_Result answer_path(struct http *http, struct http_client *client, enum http_answer path)
{
	const char *accept;

	switch (path) {
	case HTTP_PAGE:
		return answer(client->connection, MHD_HTTP_OK, "text/html; charset=utf-8", http_page,
			      sizeof(http_page));
	case HTTP_METRICS:
		accept = MHD_lookup_connection_value(client->connection, MHD_HEADER_KIND, "Accept");
		return answer_counters(http, client,
				       accept && strstr(accept, "application/openmetrics-text") ? HTTP_OPENMETRICS
												: HTTP_PROMETHEUS,
				       -1, 0);
	case HTTP_REPORT:
		return answer_report(http, client);
	case HTTP_READY:
		return answer_ready(http, client->connection);
	default:
		return answer_line(client->connection, MHD_HTTP_OK, "alive\n");
	}
}

/* The client's place, which it has had since it was accepted. NULL: none was free. */
static struct http_client *find_client(struct http *http, const struct MHD_Connection *connection)
{
	struct http_client *found = NULL;

	pthread_mutex_lock(&http->lock);
	for (uint32_t i = 0; i < HTTP_MAX_CONNECTIONS && !found; i++)
		if (http->clients[i].connection == connection)
			found = &http->clients[i];
	pthread_mutex_unlock(&http->lock);
	return found;
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url, const char *method,
			      const char *version, const char *upload, size_t *n_upload, void **kept)
{
	struct http *http = context;
	struct http_client *client = find_client(http, connection);
	const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host");
	int path = 0;

	(void)version, (void)upload, (void)n_upload, (void)kept;
	if (!client)
		return MHD_NO;
	if (!client->asked_ns)
		client->asked_ns = now_ns();
	if (http->is_loopback && host && !http_address_is_plain_host(host))
		return answer_line(connection, MHD_HTTP_FORBIDDEN,
				   "ask for this machine by its address or as localhost\n");
	while (path < HTTP_N_ANSWERS && strcmp(url, http_paths[path]))
		path++;
	if (path == HTTP_N_ANSWERS)
		return answer_line(connection, MHD_HTTP_NOT_FOUND,
				   "there are /, /metrics, /stats.json, /healthz and /readyz\n");
	/* What comes with a request is not read: MHD closes behind the answer. */
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return answer_line(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET and HEAD are answered\n");
	return answer_path(http, client, (enum http_answer)path);
}

/* A connection was accepted, or is about to be closed. */
static void notice(void *context, struct MHD_Connection *connection, void **kept,
		   enum MHD_ConnectionNotificationCode code)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	/* The place that is free, or this connection's. */
	const struct MHD_Connection *of = code == MHD_CONNECTION_NOTIFY_STARTED ? NULL : connection;
	struct http *http = context;

	(void)kept;
	/* Packets come first where CPUs are shared. Of the calling thread alone, which is MHD's. */
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		setpriority(PRIO_PROCESS, (id_t)gettid(), HTTP_NICENESS);
	pthread_mutex_lock(&http->lock);
	for (uint32_t i = 0; i < HTTP_MAX_CONNECTIONS; i++) {
		struct http_client *client = &http->clients[i];

		if (client->connection != of)
			continue;
		*client = (struct http_client){0};
		if (code == MHD_CONNECTION_NOTIFY_STARTED && info)
			*client = (struct http_client){
				.connection = connection, .fd = info->connect_fd, .since_ns = now_ns()};
		break;
	}
	pthread_mutex_unlock(&http->lock);
}

/* ---- What is asked for ---- */

/* Has MHD ask again for the clients that wait, or for those alone that have come before a time. Not under the lock. */
static void resume(struct http *http, uint64_t before_ns)
{
	struct MHD_Connection *waiting[HTTP_MAX_CONNECTIONS];
	uint32_t n = 0;

	pthread_mutex_lock(&http->lock);
	for (uint32_t i = 0; i < HTTP_MAX_CONNECTIONS; i++) {
		struct http_client *client = &http->clients[i];

		if (!client->connection || !client->is_waiting || client->since_ns >= before_ns)
			continue;
		client->is_waiting = false;
		waiting[n++] = client->connection;
	}
	pthread_mutex_unlock(&http->lock);
	/* One that is suspended is not closed until it is resumed, which only who took it from the list does. */
	for (uint32_t i = 0; i < n; i++)
		MHD_resume_connection(waiting[i]);
}

/* Puts what was made into its place; returns what was there, to be freed. */
static struct http_made replace(struct http *http, struct http_made *place, struct http_made made)
{
	struct http_made before;

	pthread_mutex_lock(&http->lock);
	before = *place;
	*place = made;
	pthread_mutex_unlock(&http->lock);
	return before;
}

static void made_free(struct http_made *made)
{
	free(made->text);
	json_decref(made->flows);
}

/* The next order of flows that is wanted, each in its turn; HTTP_N_ORDERS: none. The lock is held. */
static int find_order(const struct http *http)
{
	for (int i = 1; i <= HTTP_N_ORDERS; i++) {
		int order = (http->last_order + i) % HTTP_N_ORDERS;

		if (http->tops[order].is_wanted)
			return order;
	}
	return HTTP_N_ORDERS;
}

/* Waits until an order of flows is wanted; false: the run ends. */
static bool wait_for_order(struct http *http, int *order)
{
	bool ends;

	pthread_mutex_lock(&http->lock);
	while ((*order = find_order(http)) == HTTP_N_ORDERS && http->phase != HTTP_ENDS)
		pthread_cond_wait(&http->top_wanted, &http->lock);
	ends = http->phase == HTTP_ENDS;
	http->last_order = *order;
	pthread_mutex_unlock(&http->lock);
	return !ends;
}

/* Looks for the largest flows, which workers are asked for: the thread that waits for them. */
static void *run_top(void *context)
{
	struct http *http = context;
	int order;

	pthread_setname_np(pthread_self(), "http-top");
	setpriority(PRIO_PROCESS, (id_t)gettid(), HTTP_NICENESS);
	while (wait_for_order(http, &order)) {
		struct http_made made = {.ns = now_ns()}, before;

		made.flows = http->source.top(http->source.context, (uint32_t)order, HTTP_MAX_TOP);
		before = replace(http, &http->tops[order], made);
		made_free(&before);
		resume(http, UINT64_MAX);
	}
	return NULL;
}

/* Ends connections whose time is over: MHD's own patience begins anew with every byte. */
static void sweep(struct http *http, uint64_t now)
{
	uint64_t before_ns = now > HTTP_LIFE_NS ? now - HTTP_LIFE_NS : 0;

	pthread_mutex_lock(&http->lock);
	for (uint32_t i = 0; i < HTTP_MAX_CONNECTIONS; i++) {
		const struct http_client *client = &http->clients[i];

		/* Its socket is there: MHD tells before it closes it. */
		if (client->connection && !client->is_waiting && client->since_ns < before_ns)
			shutdown(client->fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&http->lock);
	resume(http, before_ns);
}

void http_step(struct http *http, const char *unready)
{
	bool is_wanted[HTTP_N_COPIES], is_any = false;
	uint64_t now = now_ns();

	atomic_store(&http->unready, unready);
	pthread_mutex_lock(&http->lock);
	if (http->phase == HTTP_STARTS)
		http->phase = HTTP_RUNS;
	for (int i = 0; i < HTTP_N_COPIES; i++)
		is_any |= is_wanted[i] = http->copies[i].is_wanted;
	pthread_mutex_unlock(&http->lock);
	for (int i = 0; i < HTTP_N_COPIES; i++) {
		struct http_made made = {.ns = now}, before;

		if (!is_wanted[i])
			continue;
		made.text = http->source.copy(http->source.context, (enum http_copy)i, &made.n_bytes);
		before = replace(http, &http->copies[i], made);
		made_free(&before);
	}
	if (is_any)
		resume(http, UINT64_MAX);
	if (now - http->swept_ns < HTTP_SWEEP_NS)
		return;
	http->swept_ns = now;
	sweep(http, now);
}

/* ---- Start and end ---- */

/* A socket that listens at one of the addresses of a name. -1 with errno. */
static int listen_at(const struct addrinfo *at)
{
	const int on = 1;
	int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error;

	if (fd < 0)
		return -1;
	/* A run that follows another need not wait for its connections to be forgotten. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (at->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (!bind(fd, at->ai_addr, at->ai_addrlen) && !listen(fd, HTTP_BACKLOG))
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* Tells where the socket has come to listen. */
static void find_url(struct http *http)
{
	struct sockaddr_storage own = {0};
	struct sockaddr *address = (struct sockaddr *)&own;
	socklen_t n = sizeof(own);
	char host[HTTP_HOST_BYTES] = "?", port[6] = "?";

	if (!getsockname(http->fd, address, &n))
		getnameinfo(address, n, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
	http->is_loopback = http_address_is_loopback(address);
	snprintf(http->url, sizeof(http->url), strchr(host, ':') ? "http://[%s]:%s/" : "http://%s:%s/", host, port);
}

struct http *http_open(const char *text, char *error, size_t error_size)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	struct http *http = calloc(1, sizeof(*http));
	struct http_address address;
	struct addrinfo *found = NULL;
	int rc;

	if (!http || http_address_parse(text, &address)) {
		snprintf(error, error_size, "%s", http ? "is no HOST:PORT" : strerror(ENOMEM));
		free(http);
		return NULL;
	}
	rc = getaddrinfo(address.host, address.port, &hints, &found);
	http->fd = -1;
	if (rc) {
		snprintf(error, error_size, "%s: %s", text, gai_strerror(rc));
	} else {
		http->fd = listen_at(found);
		snprintf(error, error_size, "%s: %s", text, strerror(errno));
		freeaddrinfo(found);
	}
	if (http->fd < 0) {
		free(http);
		return NULL;
	}
	pthread_mutex_init(&http->lock, NULL);
	pthread_cond_init(&http->top_wanted, NULL);
	find_url(http);
	return http;
}

const char *http_url(const struct http *http)
{
	return http->url;
}

bool http_is_loopback(const struct http *http)
{
	return http->is_loopback;
}

/* With signals blocked, which the threads inherit. */
static int start_threads(struct http *http)
{
	int rc;

	errno = 0;
	http->daemon = MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, handle, http,
		MHD_OPTION_LISTEN_SOCKET, http->fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned int)HTTP_MAX_CONNECTIONS,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned int)HTTP_MAX_OF_ADDRESS,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)HTTP_IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)HTTP_CONNECTION_BYTES, MHD_OPTION_NOTIFY_CONNECTION, notice, http, MHD_OPTION_END);
	if (!http->daemon)
		return errno ? -errno : -EIO;
	http->fd = -1;
	rc = pthread_create(&http->top_thread, NULL, run_top, http);
	http->has_top_thread = !rc;
	return -rc;
}

int http_start(struct http *http, const struct http_source *source)
{
	sigset_t all, before;
	int rc;

	http->source = *source;
	/* Signals are the control core's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = start_threads(http);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

void http_end(struct http *http)
{
	pthread_mutex_lock(&http->lock);
	http->phase = HTTP_ENDS;
	pthread_cond_signal(&http->top_wanted);
	pthread_mutex_unlock(&http->lock);
	if (http->has_top_thread)
		pthread_join(http->top_thread, NULL);
	http->has_top_thread = false;
	resume(http, UINT64_MAX);
}

void http_close(struct http *http)
{
	if (!http)
		return;
	http_end(http);
	if (http->daemon)
		MHD_stop_daemon(http->daemon);
	if (http->fd >= 0)
		close(http->fd);
	for (int i = 0; i < HTTP_N_COPIES; i++)
		made_free(&http->copies[i]);
	for (int i = 0; i < HTTP_N_ORDERS; i++)
		made_free(&http->tops[i]);
	pthread_cond_destroy(&http->top_wanted);
	pthread_mutex_destroy(&http->lock);
	free(http);
}
