/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flow.h"
#include "flow_key.h"
#include "flow_packets.h"
#include "guard.h"

struct key_case {
	const char *name;
	struct flow_spec spec;
	uint32_t endpoint; /* of the source */
};

static const struct key_case cases[] = {
	{"IPv4, lower address first", {.source = 1, .destination = 2, .source_port = 9, .destination_port = 8}, 0},
	{"IPv4, higher address first", {.source = 2, .destination = 1, .source_port = 8, .destination_port = 9}, 1},
	{"IPv4, order of bytes, not of words", {.source = 0x01000000, .destination = 0x00ffffff}, 1},
	{"IPv4, top bit", {.source = 0xff000000, .destination = 0x7f000000}, 1},
	{"IPv4, equal addresses", {.source = 5, .destination = 5, .source_port = 9, .destination_port = 8}, 1},
	{"IPv4, equal ends", {.source = 5, .destination = 5, .source_port = 9, .destination_port = 9}, 0},
	{"IPv4, high port", {.source = 5, .destination = 5, .source_port = 8, .destination_port = 65535}, 0},
	{"IPv6, lower address first", {.source = 1, .destination = 2, .source_port = 9, .is_ipv6 = 1}, 0},
	{"IPv6, higher address first", {.source = 0x100, .destination = 0xff, .is_ipv6 = 1}, 1},
	{"IPv6, equal addresses",
	 {.source = 5, .destination = 5, .source_port = 256, .destination_port = 255, .is_ipv6 = 1},
	 1},
};

static uint32_t make(const struct flow_spec *spec, int is_one_way, struct flow_key *key)
{
	struct flow_packets row = flow_packets_of(spec, 1);
	uint32_t endpoint, header_bytes = spec->is_ipv6 ? 40 : 20;
	struct guard guard = guard_create(header_bytes);

	/* What is not set would show; what is read past the header ends the test. */
	memset(key, 0xa5, sizeof(*key));
	row.frames[0].data = guard_place(&guard, row.headers[0], header_bytes);
	endpoint = flow_key_make(&row.frames[0], &row.packets[0], FLOW_SCOPE_INNERMOST, is_one_way, key);
	guard_free(&guard);
	flow_packets_free(&row);
	return endpoint;
}

static void check_end(const char *name, const struct flow_spec *spec, const struct flow_key *key, uint32_t endpoint,
		      uint32_t address, uint16_t port)
{
	uint8_t bytes[16] = {[10] = 0xff, [11] = 0xff};

	if (spec->is_ipv6)
		flow_packets_put_address(bytes, address, 1);
	else
		flow_packets_put_address(bytes + 12, address, 0);
	if (memcmp(key->address[endpoint], bytes, 16) || key->port[endpoint] != port)
		fail_msg("%s: endpoint %u is wrong", name, endpoint);
}

static void endpoints_are_in_order(void **state)
{
	(void)state;
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		struct flow_spec spec = cases[c].spec, back = spec;
		struct flow_key key, back_key, one_way;
		uint32_t endpoint;

		spec.protocol = back.protocol = 0xfe;
		spec.vlan = back.vlan = 0xabc;
		back.source = spec.destination;
		back.destination = spec.source;
		back.source_port = spec.destination_port;
		back.destination_port = spec.source_port;
		endpoint = make(&spec, 0, &key);
		if (endpoint != cases[c].endpoint)
			fail_msg("%s: the source is endpoint %u", cases[c].name, endpoint);
		check_end(cases[c].name, &spec, &key, endpoint, spec.source, spec.source_port);
		check_end(cases[c].name, &spec, &key, !endpoint, spec.destination, spec.destination_port);
		assert_int_equal(key.protocol, 0xfe);
		assert_int_equal(key.scope_id, FLOW_KEY_VLANS | 0xabc);
		assert_int_equal(flow_key_is_ipv4(&key), !spec.is_ipv6);

		make(&back, 0, &back_key);
		assert_memory_equal(&key, &back_key, sizeof(key));
		assert_int_equal(make(&spec, 1, &one_way), 0);
		check_end(cases[c].name, &spec, &one_way, 0, spec.source, spec.source_port);
	}
}

static void flow_ids_are_the_same_on_every_machine(void **state)
{
	struct flow flow;

	(void)state;
	memset(&flow, 0, sizeof(flow));
	for (uint8_t i = 0; i < 16; i++) {
		flow.key.address[0][i] = i;
		flow.key.address[1][i] = (uint8_t)(0xf0 + i);
	}
	flow.key.port[0] = 1;
	flow.key.port[1] = 0x0203;
	flow.key.protocol = 6;
	flow.key.scope_id = 0x070809;
	flow.origin = 0x0a0b0c0d;
	/* Pinned: records of different versions should be comparable. */
	assert_int_equal(flow_id(&flow), 0x7abbc6bea6c24402u);
	/* Nothing but key and origin counts. */
	flow.slice = 3;
	flow.last_ns = flow.start_ns = 1;
	assert_int_equal(flow_id(&flow), 0x7abbc6bea6c24402u);
	flow.origin++;
	assert_int_not_equal(flow_id(&flow), 0x7abbc6bea6c24402u);
}

static void every_reason_has_a_name(void **state)
{
	static const char *const names[] = {"idle", "active", "fin", "rst", "evicted", "end", "checkpoint"};

	(void)state;
	for (uint32_t r = 0; r <= FLOW_REASON_CHECKPOINT; r++)
		assert_string_equal(flow_reason_name(r), names[r]);
}

static void gaps_keep_their_order(void **state)
{
	static const uint64_t gaps_ns[] = {0, 1, 0x7fffffff, 0x80000000, 0x80000400, 10000000000u, FLOW_GAP_MAX_NS};

	(void)state;
	for (size_t i = 0; i < sizeof(gaps_ns) / sizeof(gaps_ns[0]); i++) {
		uint64_t back = flow_gap_ns(flow_gap_pack(gaps_ns[i]));

		assert_true(back <= gaps_ns[i] && gaps_ns[i] - back < 1000);
		assert_true(!i || flow_gap_pack(gaps_ns[i - 1]) < flow_gap_pack(gaps_ns[i]));
	}
	assert_int_equal(flow_gap_ns(flow_gap_pack(UINT64_MAX)), FLOW_GAP_MAX_NS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endpoints_are_in_order),
		cmocka_unit_test(flow_ids_are_the_same_on_every_machine),
		cmocka_unit_test(every_reason_has_a_name),
		cmocka_unit_test(gaps_keep_their_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
