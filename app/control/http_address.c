/* SPDX-License-Identifier: BSD-3-Clause */
#include "http_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "command.h"

int http_address_parse(const char *text, struct http_address *address)
{
	const char *colon = strrchr(text, ':'), *end = colon;
	uint64_t port;

	if (!colon || read_u64(colon + 1, 0, UINT16_MAX, &port) || strlen(colon + 1) >= sizeof(address->port))
		return -EINVAL;
	if (*text == '[') {
		text++;
		end = colon - 1;
		if (end < text || *end != ']')
			return -EINVAL;
	} else if (memchr(text, ':', (size_t)(colon - text))) {
		return -EINVAL;
	}
	if (end == text || (size_t)(end - text) >= sizeof(address->host) ||
	    strcspn(text, " \t/[]@") < (size_t)(end - text))
		return -EINVAL;
	memcpy(address->host, text, (size_t)(end - text));
	address->host[end - text] = '\0';
	strcpy(address->port, colon + 1);
	return 0;
}

bool http_address_is_loopback(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24 == 127;
	return address->sa_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
}

bool http_address_is_plain_host(const char *host)
{
	struct http_address address;
	struct in_addr literal;
	struct in6_addr literal6;
	const char *name = host;

	/* Brackets alone, which are an IPv6 address as well, have no port. */
	if (*host == '[' && host[strlen(host) - 1] == ']')
		return true;
	if (strchr(host, ':')) {
		if (http_address_parse(host, &address))
			return false;
		name = address.host;
	}
	return !strcasecmp(name, "localhost") || inet_pton(AF_INET, name, &literal) == 1 ||
	       (*host == '[' && inet_pton(AF_INET6, name, &literal6) == 1);
}
