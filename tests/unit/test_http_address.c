/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the HTTP server listens and by which names it is asked: app/control/http_address.c. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http_address.h"

static void addresses_are_host_and_port(void **state)
{
	static const struct {
		const char *text, *host, *port;
	} rows[] = {
		{"127.0.0.1:9477", "127.0.0.1", "9477"}, {"localhost:0", "localhost", "0"},
		{"[::1]:65535", "::1", "65535"},	 {"[fe80::1%eth0]:80", "fe80::1%eth0", "80"},
		{"0.0.0.0:1", "0.0.0.0", "1"},
	};
	struct http_address address;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(http_address_parse(rows[i].text, &address), 0);
		assert_string_equal(address.host, rows[i].host);
		assert_string_equal(address.port, rows[i].port);
	}
}

static void what_is_no_address_is_refused(void **state)
{
	static const char *const texts[] = {"",	       ":",    "9477",	     ":9477",	 "a:",	  "a:x",
					    "a:65536", "a:-1", "a: 1",	     "::1:9477", "[::1]", "[::1:1",
					    "[]:1",    "[:1",  "]:1",	     "a b:1",	 "a/b:1", "http://a:1",
					    "u@a:1",   "a:1/", "a:00000080", "[a]]:1"};
	char long_text[HTTP_HOST_BYTES + 8];
	struct http_address address;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(http_address_parse(texts[i], &address), -EINVAL);
	memset(long_text, 'a', HTTP_HOST_BYTES);
	strcpy(long_text + HTTP_HOST_BYTES, ":1");
	assert_int_equal(http_address_parse(long_text, &address), -EINVAL);
	assert_int_equal(http_address_parse(long_text + 1, &address), 0);
}

static void loopback_is_told_from_the_rest(void **state)
{
	static const struct {
		const char *text;
		bool is_loopback;
	} rows[] = {{"127.0.0.1", true},
		    {"127.255.0.9", true},
		    {"128.0.0.1", false},
		    {"0.0.0.0", false},
		    {"10.127.0.1", false}};
	static const struct {
		const char *text;
		bool is_loopback;
	} rows6[] = {{"::1", true}, {"::", false}, {"fe80::1", false}, {"::2", false}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sockaddr_in address = {.sin_family = AF_INET};

		assert_int_equal(inet_pton(AF_INET, rows[i].text, &address.sin_addr), 1);
		assert_int_equal(http_address_is_loopback((const struct sockaddr *)&address), rows[i].is_loopback);
	}
	for (size_t i = 0; i < sizeof(rows6) / sizeof(rows6[0]); i++) {
		struct sockaddr_in6 address = {.sin6_family = AF_INET6};

		assert_int_equal(inet_pton(AF_INET6, rows6[i].text, &address.sin6_addr), 1);
		assert_int_equal(http_address_is_loopback((const struct sockaddr *)&address), rows6[i].is_loopback);
	}
}

static void a_name_of_somebody_elses_is_not_plain(void **state)
{
	static const char *const plain[] = {"localhost",   "LocalHost:9477", "127.0.0.1",
					    "10.0.0.1:80", "[::1]",	     "[::1]:9477"};
	static const char *const others[] = {"",
					     "evil.example",
					     "evil.example:9477",
					     "localhost.evil.example",
					     "127.0.0.1.x",
					     "localhost:x",
					     "::1",
					     "a:b:c",
					     "127.1",
					     "[evil.example]:80"};

	(void)state;
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		assert_true(http_address_is_plain_host(plain[i]));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(http_address_is_plain_host(others[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_host_and_port),
		cmocka_unit_test(what_is_no_address_is_refused),
		cmocka_unit_test(loopback_is_told_from_the_rest),
		cmocka_unit_test(a_name_of_somebody_elses_is_not_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
