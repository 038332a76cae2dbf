/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "live_spread.h"

#define SEED          \
	{             \
		7, 11 \
	}

struct datagram {
	uint8_t bytes[80];
};

/* UDP in IPv4 in Ethernet. fragment is the header's word of flags and offset. */
static struct datagram datagram_of(uint32_t source, uint32_t destination, uint16_t source_port,
				   uint16_t destination_port, uint16_t fragment)
{
	struct datagram d = {0};
	uint8_t *ip = d.bytes + 14;

	d.bytes[12] = 8;
	ip[0] = 0x45;
	ip[3] = sizeof(d.bytes) - 14;
	ip[6] = (uint8_t)(fragment >> 8);
	ip[7] = (uint8_t)fragment;
	ip[8] = 64;
	ip[9] = 17;
	for (int i = 0; i < 4; i++) {
		ip[12 + i] = (uint8_t)(source >> (24 - 8 * i));
		ip[16 + i] = (uint8_t)(destination >> (24 - 8 * i));
	}
	ip[20] = (uint8_t)(source_port >> 8);
	ip[21] = (uint8_t)source_port;
	ip[22] = (uint8_t)(destination_port >> 8);
	ip[23] = (uint8_t)destination_port;
	ip[25] = sizeof(d.bytes) - 34;
	return d;
}

/* The place of a packet at a port whose own place is own. */
static uint32_t place_of(struct live_spread *spread, const struct datagram *datagram)
{
	struct frame frame = {
		.data = datagram->bytes,
		.captured_bytes = sizeof(datagram->bytes),
		.wire_bytes = sizeof(datagram->bytes),
		.timestamp_ns = 1,
	};
	uint32_t place = UINT32_MAX;

	live_spread_burst(spread, &frame, 1, &place);
	assert_in_range(place, 0, spread->n_workers - 1);
	return place;
}

static struct live_spread spread_of(uint32_t n_workers, uint32_t own)
{
	const uint64_t seed[2] = SEED;
	struct live_spread spread = {
		.flows = flow_spread_create(FLOW_SCOPE_INNERMOST, seed),
		.depth = PACKET_DEPTH_INNER,
		.n_workers = n_workers,
		.own = own,
	};

	assert_non_null(spread.flows);
	return spread;
}

static void both_directions_come_to_the_same_worker_at_both_ports(void **state)
{
	struct live_spread lan = spread_of(3, 0), wan = spread_of(3, 1);
	uint32_t counts[3] = {0};

	(void)state;
	for (uint32_t i = 0; i < 3000; i++) {
		struct datagram there = datagram_of(0x0a000000 + i, 0xc0000201, 1000, 53, 0);
		struct datagram back = datagram_of(0xc0000201, 0x0a000000 + i, 53, 1000, 0);
		struct datagram other = datagram_of(0x0a000000 + i, 0xc0000201, 1001, 80, 0);
		uint32_t place = place_of(&lan, &there);

		assert_int_equal(place_of(&wan, &back), place);
		/* All that two hosts do together is one worker's. */
		assert_int_equal(place_of(&lan, &other), place);
		counts[place]++;
	}
	for (uint32_t w = 0; w < 3; w++)
		assert_in_range(counts[w], 900, 1100);
	flow_spread_free(lan.flows);
	flow_spread_free(wan.flows);
}

static void fragments_follow_their_first(void **state)
{
	struct live_spread spread = spread_of(4, 0);

	(void)state;
	for (uint32_t i = 0; i < 200; i++) {
		struct datagram first = datagram_of(0x0a000000 + i, 0xc0000201, 1000, 53, 0x2000);
		struct datagram rest = datagram_of(0x0a000000 + i, 0xc0000201, 0xffff, 0, 8);
		uint32_t place = place_of(&spread, &first);

		assert_int_equal(place_of(&spread, &rest), place);
	}
	flow_spread_free(spread.flows);
}

static void what_has_no_flow_stays_with_who_received_it(void **state)
{
	static const uint16_t types[] = {0x0806, 0x88cc, 0x88e5, 0x0800};
	struct live_spread spread = spread_of(4, 2);

	(void)state;
	for (uint32_t i = 0; i < 40; i++) {
		struct datagram packet = {0};

		packet.bytes[12] = (uint8_t)(types[i % 4] >> 8);
		packet.bytes[13] = (uint8_t)types[i % 4];
		/* Of the last, the header is no IPv4 header. */
		packet.bytes[20] = (uint8_t)i;
		assert_int_equal(place_of(&spread, &packet), 2);
	}
	flow_spread_free(spread.flows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_directions_come_to_the_same_worker_at_both_ports),
		cmocka_unit_test(fragments_follow_their_first),
		cmocka_unit_test(what_has_no_flow_stays_with_who_received_it),
	};

	return cmocka_run_group_tests_name("live_spread", tests, NULL, NULL);
}
