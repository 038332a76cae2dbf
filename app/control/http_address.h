/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the HTTP server listens: HOST:PORT, or [IPv6]:PORT; port 0 is any that is free. Called by config_check.c and
 * http.c.
 */
#ifndef WIRESCORE_CONTROL_HTTP_ADDRESS_H
#define WIRESCORE_CONTROL_HTTP_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

#define HTTP_HOST_BYTES 256

struct http_address {
	char host[HTTP_HOST_BYTES]; /* without brackets */
	char port[6];
};

/* 0, or -EINVAL where text is no such address. */
int http_address_parse(const char *text, struct http_address *address);

/* Whether only this machine can reach it. */
bool http_address_is_loopback(const struct sockaddr *address);

/*
 * Whether a request's Host is one that a page of elsewhere cannot have led a browser to by a name of its own: a literal
 * address or localhost, with or without a port.
 */
bool http_address_is_plain_host(const char *host);

#endif
