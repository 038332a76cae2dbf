/* SPDX-License-Identifier: BSD-3-Clause */
/* The exact rules that label frames: lib/dataset/packet_rule.c. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "packet_rule.h"

static const struct packet_rule ipv4 = {.kind = PACKET_RULE_IPV4};
static const struct packet_rule ip = {.kind = PACKET_RULE_IP};

/* A frame of n captured bytes with 16-bit types at bytes 12, 16, 20 and 24; 0 for none. Copied to the heap so that
 * the sanitizer sees a read past its end. */
static bool matches(const struct packet_rule *rule, uint32_t n, uint16_t a, uint16_t b, uint16_t c, uint16_t d)
{
	const uint16_t types[] = {a, b, c, d};
	uint8_t whole[64] = {0};
	uint8_t *bytes = malloc(n);
	struct frame frame = {.data = bytes, .captured_bytes = n, .wire_bytes = n};
	bool result;

	for (int i = 0; i < 4; i++) {
		whole[12 + 4 * i] = (uint8_t)(types[i] >> 8);
		whole[13 + 4 * i] = (uint8_t)types[i];
	}
	if (n > 0)
		memcpy(bytes, whole, n);
	result = packet_rule_matches(rule, &frame);
	free(bytes);
	return result;
}

static void rules_are_read_and_written(void **state)
{
	static const char *const texts[] = {"ipv4", "ip", "ethertype:0x8892", "ethertype:0x0000"};
	struct packet_rule rule;
	char text[32];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(packet_rule_parse(texts[i], &rule), 0);
		assert_string_equal(packet_rule_text(&rule, text, sizeof(text)), texts[i]);
	}
	assert_int_equal(packet_rule_parse("ethertype:0xABCD", &rule), 0);
	assert_int_equal(rule.ethertype, 0xabcd);
}

static void rules_that_are_not_are_refused(void **state)
{
	static const char *const texts[] = {"",
					    "ipv6",
					    "ip ",
					    "IPv4",
					    "ethertype",
					    "ethertype:0x",
					    "ethertype:8892",
					    "ethertype:0x889",
					    "ethertype:0x88920",
					    "ethertype:0x889g",
					    "ethertype:0x-001",
					    "ethertype:0x 800"};
	struct packet_rule rule;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(packet_rule_parse(texts[i], &rule), -EINVAL);
}

static void classes_are_named_negative_first(void **state)
{
	const struct packet_rule profinet = {.kind = PACKET_RULE_ETHERTYPE, .ethertype = 0x8892};
	char names[2][16];

	(void)state;
	packet_rule_classes(&ip, names);
	assert_string_equal(names[0], "non-ip");
	assert_string_equal(names[1], "ip");
	packet_rule_classes(&profinet, names);
	assert_string_equal(names[0], "other");
	assert_string_equal(names[1], "0x8892");
}

static void every_untagged_type_is_judged(void **state)
{
	static const uint16_t types_tag[] = {0x8100, 0x88a8, 0x9100};

	(void)state;
	for (uint32_t type = 0; type <= UINT16_MAX; type++) {
		const struct packet_rule own = {.kind = PACKET_RULE_ETHERTYPE, .ethertype = 0x88cc};
		bool is_tag = false;

		for (int i = 0; i < 3; i++)
			is_tag |= type == types_tag[i];
		assert_int_equal(matches(&ipv4, 60, (uint16_t)type, 0x0800, 0, 0), type == 0x0800);
		assert_int_equal(matches(&own, 60, (uint16_t)type, 0x88cc, 0, 0), type == 0x88cc);
		assert_int_equal(matches(&ip, 60, (uint16_t)type, 0x0806, 0, 0), type == 0x0800 || type == 0x86dd);
		assert_int_equal(matches(&ip, 60, (uint16_t)type, 0x86dd, 0, 0),
				 type == 0x0800 || type == 0x86dd || is_tag);
	}
}

static void ip_is_found_behind_two_tags_but_not_three(void **state)
{
	static const uint16_t tags[] = {0x8100, 0x88a8, 0x9100};

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_true(matches(&ip, 60, tags[i], 0x0800, 0, 0));
		for (int j = 0; j < 3; j++) {
			assert_true(matches(&ip, 60, tags[i], tags[j], 0x0800, 0));
			assert_true(matches(&ip, 60, tags[i], tags[j], 0x86dd, 0));
			assert_false(matches(&ip, 60, tags[i], tags[j], 0x0806, 0x0800));
			assert_false(matches(&ip, 60, tags[i], tags[j], tags[i], 0x0800));
		}
	}
	assert_false(matches(&ipv4, 60, 0x8100, 0x0800, 0, 0));
	assert_false(matches(&ip, 60, 0x8847, 0x0800, 0, 0));
}

static void frames_cut_in_their_type_match_nothing(void **state)
{
	const struct packet_rule zero = {.kind = PACKET_RULE_ETHERTYPE, .ethertype = 0};

	(void)state;
	for (uint32_t n = 0; n < 64; n++) {
		assert_int_equal(matches(&ipv4, n, 0x0800, 0, 0, 0), n >= 14);
		assert_int_equal(matches(&zero, n, 0, 0, 0, 0), n >= 14);
		assert_int_equal(matches(&ip, n, 0x8100, 0x0800, 0, 0), n >= 18);
		assert_int_equal(matches(&ip, n, 0x88a8, 0x8100, 0x0800, 0), n >= 22);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_are_read_and_written),
		cmocka_unit_test(rules_that_are_not_are_refused),
		cmocka_unit_test(classes_are_named_negative_first),
		cmocka_unit_test(every_untagged_type_is_judged),
		cmocka_unit_test(ip_is_found_behind_two_tags_but_not_three),
		cmocka_unit_test(frames_cut_in_their_type_match_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
