/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The HTTP server of a live run: what it has counted, for Prometheus, for the page and for programs; nothing can be
 * changed by it. Its threads look at nothing but copies: what is asked for is made by the control core at its next
 * step and kept for a moment, so that neither many clients nor slow ones cost more than a few copies a second. Called
 * by live_http.c; the library is libmicrohttpd.
 *
 * A connection is for one request and lasts HTTP_LIFE_S at most. Connections, their memory and their number from one
 * address are bounded; who comes when all are taken waits in the kernel's queue.
 */
#ifndef WIRESCORE_CONTROL_HTTP_H
#define WIRESCORE_CONTROL_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#define HTTP_LIFE_S 10

struct http;

/* What is made of the counters. */
enum http_copy { HTTP_OPENMETRICS, HTTP_PROMETHEUS, HTTP_STATS, HTTP_N_COPIES };

/* Orders of flows: as enum top_flows_order has them. */
enum { HTTP_N_ORDERS = 3, HTTP_MAX_TOP = 100 };

struct http_source {
	/* Called by http_step: text, the server's to free; NULL when memory is out. HTTP_STATS is a JSON object. */
	char *(*copy)(void *context, enum http_copy copy, size_t *n_bytes);
	/* Called by a thread of the server's own; may take its time. A JSON array, the server's; NULL: not known. */
	json_t *(*top)(void *context, uint32_t order, uint32_t n);
	void *context;
};

/*
 * Listens at an address as http_address.h has it: a port below 1024 needs rights. NULL, with one line in error, where
 * that cannot be.
 */
struct http *http_open(const char *address, char *error, size_t error_size);

/* Where it listens, for people; whether only this machine can reach it. */
const char *http_url(const struct http *http);
bool http_is_loopback(const struct http *http);

/* Starts the threads, once rights are given up: until http_step is first called the run is said to start. 0 or -errno. */
int http_start(struct http *http, const struct http_source *source);

/*
 * The control core's, every few milliseconds while packets pass: makes what is asked for. unready says why they do not
 * pass, a line that lasts; NULL: they do.
 */
void http_step(struct http *http, const char *unready);

/* From here on the source is not called, and clients are told that the run ends. */
void http_end(struct http *http);

/* NULL is none. */
void http_close(struct http *http);

#endif
