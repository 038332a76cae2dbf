/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the policy chooses for a packet, and marks in headers: right bits, right checksums, nothing else touched.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "action.h"
#include "ethertype.h"

#define ETHERNET_BYTES 14

/* The one's complement sum over a header: 0xffff where its checksum is right (RFC 1071). */
static uint16_t sum_of(const uint8_t *bytes, uint32_t n)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < n; i += 2)
		sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* A parsed Ethernet frame around an IP header that is given in ip. */
static struct packet parse(const uint8_t *data, uint32_t n_bytes)
{
	struct frame frame = {.data = data, .captured_bytes = n_bytes, .wire_bytes = n_bytes};
	struct packet packet;

	packet_parse_burst(PACKET_LINK_ETHERNET, PACKET_DEPTH_INNER, &frame, 1, &packet);
	return packet;
}

static void dscp_of_ipv4_is_set_and_the_checksum_is_right_for_all_values(void **state)
{
	(void)state;
	for (uint32_t round = 0; round < 4096; round++) {
		uint8_t data[ETHERNET_BYTES + 20] = {[12] = 8, [13] = 0, [14] = 0x45, [17] = 20, [23] = 6};
		uint8_t before[sizeof(data)], *ip = data + ETHERNET_BYTES;
		uint8_t dscp = round & 63;
		struct packet packet;
		uint16_t sum;

		ip[1] = (uint8_t)(round * 37);
		ip[4] = (uint8_t)(round >> 4);
		ip[12] = (uint8_t)round;
		sum = (uint16_t)~sum_of(ip, 20);
		ip[10] = (uint8_t)(sum >> 8);
		ip[11] = (uint8_t)sum;
		assert_int_equal(sum_of(ip, 20), 0xffff);
		memcpy(before, data, sizeof(data));
		packet = parse(data, sizeof(data));
		assert_true(action_mark_dscp(data, sizeof(data), &packet, dscp));
		assert_int_equal(ip[1] >> 2, dscp);
		assert_int_equal(ip[1] & 3, before[ETHERNET_BYTES + 1] & 3);
		assert_int_equal(sum_of(ip, 20), 0xffff);
		before[ETHERNET_BYTES + 1] = ip[1];
		memcpy(before + ETHERNET_BYTES + 10, ip + 10, 2);
		assert_memory_equal(data, before, sizeof(data));
	}
}

static void dscp_of_ipv6_is_set_and_flow_label_and_ecn_stay(void **state)
{
	uint8_t data[ETHERNET_BYTES + 40] = {
		[12] = 0x86, [13] = 0xdd, [14] = 0x6f, [15] = 0xff, [16] = 0xab, [17] = 0xcd, [20] = 59};
	struct packet packet = parse(data, sizeof(data));

	(void)state;
	assert_true(action_mark_dscp(data, sizeof(data), &packet, 46));
	assert_int_equal(data[14], 0x6b);
	assert_int_equal(data[15], 0xbf);
	assert_int_equal(data[16], 0xab);
	assert_int_equal(data[17], 0xcd);
	assert_true(action_mark_dscp(data, sizeof(data), &packet, 0));
	assert_int_equal(data[14], 0x60);
	assert_int_equal(data[15], 0x3f);
}

static void priority_goes_into_the_outer_tag_alone(void **state)
{
	uint8_t data[ETHERNET_BYTES + 8] = {
		[12] = 0x81, [14] = 0x1f, [15] = 0xff, [16] = 0x81, [18] = 0, [19] = 7, [20] = 0x88, [21] = 0xb5};
	struct packet packet = parse(data, sizeof(data));

	(void)state;
	assert_true(action_mark_pcp(data, sizeof(data), &packet, 5));
	assert_int_equal(data[14], 0xbf);
	assert_int_equal(data[15], 0xff);
	assert_int_equal(data[18], 0);
}

static void what_has_no_such_header_is_left_alone(void **state)
{
	uint8_t arp[60] = {[12] = 8, [13] = 6}, cut[ETHERNET_BYTES + 10] = {[12] = 8, [14] = 0x45}, before[60];
	struct packet packet = parse(arp, sizeof(arp));

	(void)state;
	memcpy(before, arp, sizeof(arp));
	assert_false(action_mark_dscp(arp, sizeof(arp), &packet, 46));
	assert_false(action_mark_pcp(arp, sizeof(arp), &packet, 5));
	assert_memory_equal(arp, before, sizeof(arp));
	packet = parse(cut, sizeof(cut));
	assert_false(action_mark_dscp(cut, sizeof(cut), &packet, 46));
}

static void a_policy_goes_by_class_threshold_and_what_is_known(void **state)
{
	struct policy policy = {.non_ip = {.kind = ACTION_FORWARD, .logit = -INFINITY}};
	struct packet ip = {.network_ethertype = ETHERTYPE_IPV4, .ip_version = 4},
		      arp = {.network_ethertype = 0x0806};
	struct flow_verdict unknown = {.logit = NAN}, low = {.logit = 1, .class = 2},
			    high = {.logit = 2, .class = 2};

	(void)state;
	policy.classes[2] = (struct action){.kind = ACTION_DROP, .logit = 2};
	assert_null(policy_choose(&policy, &ip, &low).action);
	assert_ptr_equal(policy_choose(&policy, &ip, &high).action, &policy.classes[2]);
	assert_ptr_equal(policy_choose(&policy, &arp, NULL).action, &policy.non_ip);
	assert_false(policy_choose(&policy, &ip, &unknown).is_held);
	policy.holds = true;
	assert_true(policy_choose(&policy, &ip, &unknown).is_held);
	assert_true(policy_choose(&policy, &ip, NULL).is_held);
	assert_false(policy_choose(&policy, &ip, &low).is_held);
	assert_false(policy_choose(&policy, &arp, NULL).is_held);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dscp_of_ipv4_is_set_and_the_checksum_is_right_for_all_values),
		cmocka_unit_test(dscp_of_ipv6_is_set_and_flow_label_and_ecn_stay),
		cmocka_unit_test(priority_goes_into_the_outer_tag_alone),
		cmocka_unit_test(what_has_no_such_header_is_left_alone),
		cmocka_unit_test(a_policy_goes_by_class_threshold_and_what_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
