/* SPDX-License-Identifier: BSD-3-Clause */
#include "live_http.h"

#if HAVE_HTTP

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>
#include <rte_cycles.h>

#include "command.h"
#include "http.h"
#include "live_metrics.h"
#include "live_report.h"
#include "live_top.h"

#define HTTP_WORKER_PATIENCE_NS 2000000000u

_Static_assert((int)HTTP_MAX_TOP == (int)TOP_FLOWS_MAX, "as many as workers find");
_Static_assert((int)TOP_FLOWS_SCORE + 1 == (int)HTTP_N_ORDERS, "one order each");

/* What a sink's other side says may name files and servers. */
static void remove_errors(json_t *report)
{
	const char *name;
	json_t *sink;

	json_object_foreach(json_object_get(report, "sinks"), name, sink) json_object_del(sink, "error");
}

static void remove_paths(json_t *report)
{
	const char *task;
	json_t *model;

	json_object_foreach(json_object_get(report, "models"), task, model) json_object_del(model, "path");
}

static char *copy_stats(const struct live *live, size_t *n_bytes)
{
	json_t *report = live_report(live);
	char *text = NULL;

	if (!report)
		return NULL;
	json_object_set_new(report, "version", json_string(WIRESCORE_VERSION));
	remove_paths(report);
	remove_errors(report);
	text = json_dumps(report, JSON_COMPACT);
	json_decref(report);
	*n_bytes = text ? strlen(text) : 0;
	return text;
}

static char *copy_metrics(const struct live *live, bool is_plain, size_t *n_bytes)
{
	char *text = NULL;
	FILE *file = open_memstream(&text, n_bytes);
	int rc;

	if (!file)
		return NULL;
	rc = live_metrics_print(live, file, is_plain);
	if (fclose(file) || rc) {
		free(text);
		return NULL;
	}
	return text;
}

static char *live_http_copy(void *context, enum http_copy copy, size_t *n_bytes)
{
	const struct live *live = context;

	return copy == HTTP_STATS ? copy_stats(live, n_bytes)
				  : copy_metrics(live, copy == HTTP_PROMETHEUS, n_bytes);
}

static json_t *live_http_top(void *context, uint32_t order, uint32_t n)
{
	struct live *live = context;
	json_t *found, *flows;

	if (!live->config->flow.n_flows || live_top_flows(live, (enum top_flows_order)order, n, &found))
		return NULL;
	flows = json_incref(json_object_get(found, "flows"));
	json_decref(found);
	return flows;
}

const char *live_http_library(void)
{
	static char text[64];

	snprintf(text, sizeof(text), "libmicrohttpd %s", MHD_get_version());
	return text;
}

void live_http_open(struct live *live)
{
	const char *address = live->config->metrics.http;
	char error[LIVE_ERROR_BYTES];

	if (!address)
		return;
	live->http = http_open(address, error, sizeof(error));
	if (!live->http) {
		complain("[metrics] http: %s; the run goes on without", error);
		return;
	}
	if (!http_is_loopback(live->http))
		complain("[metrics] http: %s is open to other machines: whoever reaches it sees counters and the "
			 "addresses of flows",
			 address);
}

void live_http_start(struct live *live)
{
	const struct http_source source = {.copy = live_http_copy, .top = live_http_top, .context = live};
	int rc = live->http ? http_start(live->http, &source) : 0;

	if (rc) {
		complain("[metrics] http: %s; the run goes on without", strerror(-rc));
		live_http_close(live);
	} else if (live->http) {
		complain("http: %s", http_url(live->http));
	}
}

/* Whether all workers have moved when they were last looked at, which is seldom. */
static bool workers_move(const struct live *live)
{
	static struct {
		uint64_t n_polls[RTE_MAX_LCORE], looked_ns;
		bool move;
	} seen = {.move = true};
	uint64_t now_ns = live_clock_ns(&live->workers[0].clock, rte_rdtsc());

	if (now_ns - seen.looked_ns < HTTP_WORKER_PATIENCE_NS)
		return seen.move;
	seen.looked_ns = now_ns;
	seen.move = true;
	for (uint32_t w = 0; w < live->n_workers; w++) {
		uint64_t n_polls = __atomic_load_n(&live->workers[w].n_polls, __ATOMIC_RELAXED);

		seen.move &= n_polls != seen.n_polls[w];
		seen.n_polls[w] = n_polls;
	}
	return seen.move;
}

void live_http_step(struct live *live)
{
	bool has_link = false;

	if (!live->http)
		return;
	for (uint32_t i = 0; i < live->config->n_ports; i++)
		has_link |= atomic_load(&live->states[i]) == LIVE_PORT_READY;
	http_step(live->http, !has_link		    ? "no port has a link\n"
			      : !workers_move(live) ? "a worker stands still\n"
						    : NULL);
}

void live_http_end(struct live *live)
{
	if (live->http)
		http_end(live->http);
}

void live_http_close(struct live *live)
{
	http_close(live->http);
	live->http = NULL;
}

#else

#include <stddef.h>

const char *live_http_library(void)
{
	return NULL;
}

void live_http_open(struct live *live)
{
	(void)live;
}

void live_http_start(struct live *live)
{
	(void)live;
}

void live_http_step(struct live *live)
{
	(void)live;
}

void live_http_end(struct live *live)
{
	(void)live;
}

void live_http_close(struct live *live)
{
	(void)live;
}

#endif
