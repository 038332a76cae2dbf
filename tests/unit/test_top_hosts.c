/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The hosts with the most flows: counted apart up to a limit, listed in one order whatever they came in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "top_hosts.h"

/* The IPv4 address of a number, as hosts have it. */
static const uint8_t *address_of(uint32_t number)
{
	static uint8_t address[16];

	memset(address, 0, sizeof(address));
	address[10] = address[11] = 0xff;
	for (int i = 0; i < 4; i++)
		address[15 - i] = (uint8_t)(number >> 8 * i);
	return address;
}

static void add_flows(struct top_hosts *top, uint32_t number, uint32_t n_flows)
{
	for (uint32_t i = 0; i < n_flows; i++)
		top_hosts_add(top, address_of(number));
}

static void assert_listed(const struct top_host *host, uint32_t number, uint64_t n_flows)
{
	assert_memory_equal(host->address, address_of(number), 16);
	assert_int_equal(host->n_flows, n_flows);
}

static void nothing_counted_lists_nothing(void **state)
{
	struct top_hosts top = {0};
	struct top_host list[2];

	(void)state;
	assert_int_equal(top_hosts_list(&top, list, 2), 0);
	top_hosts_free(&top);
}

static void most_flows_come_first_and_ties_by_address(void **state)
{
	static const struct {
		uint32_t number, n_flows;
	} hosts[] = {{9, 1}, {5, 4}, {3, 7}, {8, 4}, {1, 4}, {2, 1}};
	struct top_hosts top = {0};
	struct top_host list[8];

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		add_flows(&top, hosts[i].number, hosts[i].n_flows);
	assert_int_equal(top_hosts_list(&top, list, 8), 6);
	assert_listed(&list[0], 3, 7);
	assert_listed(&list[1], 1, 4);
	assert_listed(&list[2], 5, 4);
	assert_listed(&list[3], 8, 4);
	assert_listed(&list[4], 2, 1);
	assert_listed(&list[5], 9, 1);
	assert_int_equal(top_hosts_list(&top, list, 2), 2);
	assert_listed(&list[0], 3, 7);
	assert_listed(&list[1], 1, 4);
	assert_int_equal(top_hosts_list(&top, list, 1), 1);
	assert_listed(&list[0], 3, 7);
	assert_int_equal(top_hosts_list(&top, list, 0), 0);
	top_hosts_free(&top);
}

static void the_order_of_the_flows_does_not_matter(void **state)
{
	struct top_hosts up = {0}, down = {0};
	struct top_host list_up[5], list_down[5];

	(void)state;
	for (uint32_t i = 1; i <= 500; i++) {
		add_flows(&up, i, i % 50);
		add_flows(&down, 501 - i, (501 - i) % 50);
	}
	assert_int_equal(top_hosts_list(&up, list_up, 5), 5);
	assert_int_equal(top_hosts_list(&down, list_down, 5), 5);
	assert_memory_equal(list_up, list_down, sizeof(list_up));
	assert_listed(&list_up[0], 49, 49);
	assert_listed(&list_up[4], 249, 49);
	top_hosts_free(&up);
	top_hosts_free(&down);
}

static void addresses_that_differ_in_one_byte_are_two_hosts(void **state)
{
	struct top_hosts top = {0};
	uint8_t address[16] = {0x20, 0x01};

	(void)state;
	top_hosts_add(&top, address);
	for (int i = 0; i < 16; i++) {
		address[i] ^= 1;
		top_hosts_add(&top, address);
		address[i] ^= 1;
	}
	assert_int_equal(top.n_hosts, 17);
	top_hosts_free(&top);
}

/* Whoever comes after ten times as many hosts as are counted is found all the same. */
static void heavy_hosts_are_listed_whenever_they_come(void **state)
{
	struct top_hosts top = {.seed = {3, 4}};
	struct top_host list[3];

	(void)state;
	add_flows(&top, UINT32_MAX, 1000);
	for (uint32_t i = 0; i < 5 * TOP_HOSTS_MAX; i++)
		top_hosts_add(&top, address_of(i));
	for (uint32_t i = 0; i < 5 * TOP_HOSTS_MAX; i++) {
		top_hosts_add(&top, address_of(5 * TOP_HOSTS_MAX + i));
		if (i % 1000 == 0)
			add_flows(&top, UINT32_MAX - 1, 3);
	}
	assert_true(top.n_hosts <= TOP_HOSTS_MAX);
	assert_int_equal(top.n_seen, TOP_HOSTS_MAX);
	assert_int_equal(top_hosts_list(&top, list, 3), 3);
	assert_listed(&list[0], UINT32_MAX, 1000);
	assert_int_equal(list[0].n_before, 0);
	assert_memory_equal(list[1].address, address_of(UINT32_MAX - 1), 16);
	/* At least as many as it is told to have, and no more than were taken are missing. */
	assert_true(list[1].n_flows <= 984 && list[1].n_flows + list[1].n_before >= 984);
	assert_true(list[1].n_flows > 900);
	assert_int_equal(list[2].n_flows, 1);
	top_hosts_free(&top);
}

static void every_flow_is_some_hosts_or_counted_apart(void **state)
{
	struct top_hosts top = {0};
	uint64_t n = 0;

	(void)state;
	for (uint32_t i = 0; i < 3 * TOP_HOSTS_MAX; i++)
		add_flows(&top, i, 1 + i % 3);
	for (uint32_t i = 0; i < top.n_room; i++)
		n += top.hosts[i].n_flows;
	assert_int_equal(n + top.n_other_flows, 6 * TOP_HOSTS_MAX);
	assert_true(top.n_other_flows > 0);
	top_hosts_free(&top);
}

static void memory_has_a_limit_and_is_given_back(void **state)
{
	struct top_hosts top = {0};

	(void)state;
	for (uint32_t i = 0; i < 4 * TOP_HOSTS_MAX; i++)
		top_hosts_add(&top, address_of(i));
	assert_true(top.n_room <= 2 * TOP_HOSTS_MAX);
	top_hosts_free(&top);
	assert_null(top.hosts);
	assert_int_equal(top.n_room, 0);
	add_flows(&top, 1, 1); /* and may be used again */
	assert_int_equal(top.n_hosts, 1);
	top_hosts_free(&top);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_counted_lists_nothing),
		cmocka_unit_test(most_flows_come_first_and_ties_by_address),
		cmocka_unit_test(the_order_of_the_flows_does_not_matter),
		cmocka_unit_test(addresses_that_differ_in_one_byte_are_two_hosts),
		cmocka_unit_test(heavy_hosts_are_listed_whenever_they_come),
		cmocka_unit_test(every_flow_is_some_hosts_or_counted_apart),
		cmocka_unit_test(memory_has_a_limit_and_is_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
