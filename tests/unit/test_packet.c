/* SPDX-License-Identifier: BSD-3-Clause */
#include "ethertype.h"
#include "packet_cases.h"

/* Frames as hexadecimal digits, and what the parser must say of them. */
struct packet_case {
	const char *name;
	enum packet_link link;
	const char *hex;
	uint16_t ethertype, network_ethertype, network_offset;
	uint8_t n_vlan_tags, status;
};

static const struct packet_case cases[] = {
	{"plain IPv4", PACKET_LINK_ETHERNET,
	 MACS "0800"
	      "45",
	 0x0800, 0x0800, 14, 0, PACKET_OK},
	{"type at the very end", PACKET_LINK_ETHERNET, MACS "86dd", 0x86dd, 0x86dd, 14, 0, PACKET_OK},
	{"first EtherType", PACKET_LINK_ETHERNET, MACS "0600", 0x0600, 0x0600, 14, 0, PACKET_OK},
	{"802.3 length", PACKET_LINK_ETHERNET,
	 MACS "05ff"
	      "4242",
	 ETHERTYPE_LENGTH, ETHERTYPE_LENGTH, 14, 0, PACKET_OK},
	{"one byte short of a type", PACKET_LINK_ETHERNET, MACS "08", ETHERTYPE_NONE, ETHERTYPE_NONE, 0, 0,
	 PACKET_SHORT_LINK},
	{"empty", PACKET_LINK_ETHERNET, "", ETHERTYPE_NONE, ETHERTYPE_NONE, 0, 0, PACKET_SHORT_LINK},
	{"one tag", PACKET_LINK_ETHERNET,
	 MACS "8100"
	      "e064"
	      "0800",
	 0x8100, 0x0800, 18, 1, PACKET_OK},
	{"one tag cut", PACKET_LINK_ETHERNET,
	 MACS "8100"
	      "e06408",
	 0x8100, 0x8100, 14, 0, PACKET_SHORT_VLAN},
	{"QinQ", PACKET_LINK_ETHERNET,
	 MACS "88a8"
	      "0001"
	      "8100"
	      "0002"
	      "86dd",
	 0x88a8, 0x86dd, 22, 2, PACKET_OK},
	{"tag around 802.3", PACKET_LINK_ETHERNET,
	 MACS "9100"
	      "0001"
	      "0026",
	 0x9100, ETHERTYPE_LENGTH, 18, 1, PACKET_OK},
	{"four tags", PACKET_LINK_ETHERNET,
	 MACS "8100"
	      "0001"
	      "8100"
	      "0001"
	      "8100"
	      "0001"
	      "8100"
	      "0001"
	      "0806",
	 0x8100, 0x0806, 30, 4, PACKET_OK},
	{"five tags", PACKET_LINK_ETHERNET,
	 MACS "8100"
	      "0001"
	      "8100"
	      "0001"
	      "8100"
	      "0001"
	      "8100"
	      "0001"
	      "8100"
	      "0001"
	      "0800",
	 0x8100, 0x8100, 30, 4, PACKET_TOO_MANY_TAGS},
	{"raw IPv4", PACKET_LINK_RAW, "45", 0x0800, 0x0800, 0, 0, PACKET_OK},
	{"raw IPv6", PACKET_LINK_RAW, "60", 0x86dd, 0x86dd, 0, 0, PACKET_OK},
	{"raw neither", PACKET_LINK_RAW, "50", ETHERTYPE_OTHER, ETHERTYPE_OTHER, 0, 0, PACKET_NO_ETHERTYPE},
	{"raw empty", PACKET_LINK_RAW, "", ETHERTYPE_NONE, ETHERTYPE_NONE, 0, 0, PACKET_SHORT_LINK},
	{"IPv4 link", PACKET_LINK_IPV4, "", 0x0800, 0x0800, 0, 0, PACKET_OK},
	{"IPv6 link", PACKET_LINK_IPV6, "", 0x86dd, 0x86dd, 0, 0, PACKET_OK},
	{"null, little-endian", PACKET_LINK_NULL, "02000000", 0x0800, 0x0800, 4, 0, PACKET_OK},
	{"null, big-endian", PACKET_LINK_NULL, "0000001e", 0x86dd, 0x86dd, 4, 0, PACKET_OK},
	{"null, cut", PACKET_LINK_NULL, "020000", ETHERTYPE_NONE, ETHERTYPE_NONE, 0, 0, PACKET_SHORT_LINK},
	{"null, another family", PACKET_LINK_NULL, "07000000", ETHERTYPE_OTHER, ETHERTYPE_OTHER, 0, 0,
	 PACKET_NO_ETHERTYPE},
	{"cooked", PACKET_LINK_SLL,
	 "0000000100060200000000010000"
	 "0800",
	 0x0800, 0x0800, 16, 0, PACKET_OK},
	{"cooked, tagged", PACKET_LINK_SLL,
	 "0000000100060200000000010000"
	 "8100"
	 "0001"
	 "86dd",
	 0x8100, 0x86dd, 20, 1, PACKET_OK},
	{"cooked, cut", PACKET_LINK_SLL,
	 "00000001000602000000000100000"
	 "8",
	 ETHERTYPE_NONE, ETHERTYPE_NONE, 0, 0, PACKET_SHORT_LINK},
	{"cooked v2", PACKET_LINK_SLL2,
	 "86dd"
	 "0000000000020001000602000000000100"
	 "00",
	 0x86dd, 0x86dd, 20, 0, PACKET_OK},
	{"null, neither order", PACKET_LINK_NULL, "0200ffff", ETHERTYPE_OTHER, ETHERTYPE_OTHER, 0, 0,
	 PACKET_NO_ETHERTYPE},
	{"PPP", PACKET_LINK_PPP,
	 "0021"
	 "45",
	 0x0800, 0x0800, 2, 0, PACKET_OK},
	{"PPP in HDLC", PACKET_LINK_PPP,
	 "ff03"
	 "0057",
	 0x86dd, 0x86dd, 4, 0, PACKET_OK},
	{"PPP in HDLC, cut", PACKET_LINK_PPP, "ff0300", ETHERTYPE_NONE, ETHERTYPE_NONE, 0, 0, PACKET_SHORT_LINK},
	{"PPP control", PACKET_LINK_PPP, "c021", ETHERTYPE_OTHER, ETHERTYPE_OTHER, 0, 0, PACKET_NO_ETHERTYPE},
};

/* Each frame ends at a page that must not be read. */
static void every_link_and_tag_is_read_as_specified(void **state)
{
	struct guard guard = guard_create(64);
	uint8_t bytes[64];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct packet_case *c = &cases[i];
		struct frame frame = {.captured_bytes = bytes_of_hex(c->hex, bytes)};
		struct packet packet;

		frame.wire_bytes = frame.captured_bytes;
		frame.data = guard_place(&guard, bytes, frame.captured_bytes);
		packet_parse_burst(c->link, PACKET_DEPTH_TYPE, &frame, 1, &packet);
		if (packet.ethertype != c->ethertype || packet.network_ethertype != c->network_ethertype ||
		    packet.network_offset != c->network_offset || packet.n_vlan_tags != c->n_vlan_tags ||
		    packet.status != c->status)
			fail_msg("%s: type %04x, network %04x at %u, %u tags, status %u", c->name, packet.ethertype,
				 packet.network_ethertype, packet.network_offset, packet.n_vlan_tags,
				 packet.status);
	}
	guard_free(&guard);
}

/* Whatever the bytes, cut anywhere: nothing past the end is read and offsets stay inside. */
static void random_frames_of_every_length_stay_inside(void **state)
{
	struct guard guard = guard_create(64);
	uint32_t random = 1;
	uint8_t bytes[64];

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct packet packets[PACKET_DEPTH_INNER + 1];
		struct frame frame;

		for (size_t i = 0; i < sizeof(bytes); i++) {
			random = random * 1664525 + 1013904223;
			bytes[i] = (uint8_t)(random >> 24);
		}
		/* Tags in half of the frames, or the walk would end at once. */
		if (round & 1)
			for (int i = 12; i < 32; i += 4)
				memcpy(bytes + i, "\x81\x00", 2);
		frame.captured_bytes = random % (sizeof(bytes) + 1);
		frame.wire_bytes = frame.captured_bytes;
		frame.data = guard_place(&guard, bytes, frame.captured_bytes);
		parse_at_every_depth("random", (enum packet_link)(round % (PACKET_LINK_PPP + 1)), &frame, packets);
	}
	guard_free(&guard);
}

static void a_burst_is_parsed_frame_by_frame(void **state)
{
	static const uint8_t ipv4[] = {0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 8, 0, 0x45};
	static const uint8_t arp[] = {0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 8, 6};
	struct frame frames[64];
	struct packet packets[64];

	(void)state;
	for (int i = 0; i < 64; i++)
		frames[i] = i % 3 ? (struct frame){arp, sizeof(arp), 60, 0, 0}
				  : (struct frame){ipv4, sizeof(ipv4), 60, 0, 0};
	packet_parse_burst(PACKET_LINK_ETHERNET, PACKET_DEPTH_TYPE, frames, 64, packets);
	for (int i = 0; i < 64; i++) {
		assert_int_equal(packets[i].ethertype, i % 3 ? 0x0806 : 0x0800);
		assert_int_equal(packet_is_ip(&packets[i]), !(i % 3));
	}
}

static void ethertypes_have_one_text(void **state)
{
	char text[ETHERTYPE_TEXT_SIZE];

	(void)state;
	assert_string_equal(ethertype_text(0x0800, text), "0x0800");
	assert_string_equal(ethertype_text(0xffff, text), "0xffff");
	assert_string_equal(ethertype_text(ETHERTYPE_LENGTH, text), "802.3");
	assert_string_equal(ethertype_text(ETHERTYPE_NONE, text), "none");
	assert_string_equal(ethertype_text(ETHERTYPE_OTHER, text), "other");
	assert_string_equal(ethertype_name(0x0806), "ARP");
	assert_string_equal(ethertype_name(0x1234), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_link_and_tag_is_read_as_specified),
		cmocka_unit_test(random_frames_of_every_length_stay_inside),
		cmocka_unit_test(a_burst_is_parsed_frame_by_frame),
		cmocka_unit_test(ethertypes_have_one_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
