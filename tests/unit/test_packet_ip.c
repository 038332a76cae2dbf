/* SPDX-License-Identifier: BSD-3-Clause */
#include "packet_cases.h"

#define ROW(name, hex, ...)                                                          \
	{                                                                            \
		name, PACKET_LINK_ETHERNET, hex, {__VA_ARGS__}, 0, PACKET_DEPTH_TYPE \
	}
#define OPTIONS_8(next)		   next "00010400000000"
#define AH(next)		   next "0400000000000100000002000000000000000000000000"
#define IPV6_FRAGMENT(next, place) next "00" place "deadbeef"
#define EIGHT(header)		   header header header header header header header header

static const struct packet_flow_case transports[] = {
	ROW("TCP over IPv4", ETHERNET("0800") IPV4("002b", "06") TCP "616263", WANT_IPV4(14, 43), WANT_TCP(3)),
	ROW("TCP over IPv6", ETHERNET("86dd") IPV6("0017", "06") TCP "616263", WANT_IPV6(14, 63), WANT_TCP(3)),
	ROW("UDP over IPv4", ETHERNET("0800") IPV4("001f", "11") UDP("0035", "000b") "616263", WANT_IPV4(14, 31),
	    WANT_UDP(53, 3)),
	ROW("UDP over IPv6", ETHERNET("86dd") IPV6("0008", "11") UDP("0035", "0008"), WANT_IPV6(14, 48),
	    WANT_UDP(53, 0)),
	ROW("Ethernet's padding is no payload",
	    ETHERNET("0800") IPV4("001c", "11") UDP("0035", "0008") "000000000000000000000000000000000000",
	    WANT_IPV4(14, 28), WANT_UDP(53, 0)),
	ROW("UDP that is shorter than its IP packet",
	    ETHERNET("0800") IPV4("0020", "11") UDP("0035", "0009") "61626364", WANT_IPV4(14, 32), WANT_UDP(53, 1)),
	ROW("UDP that claims more than its IP packet",
	    ETHERNET("0800") IPV4("0020", "11") UDP("0035", "ffff") "61626364", WANT_IPV4(14, 32), WANT_UDP(53, 4)),
	ROW("UDP of no length", ETHERNET("0800") IPV4("0020", "11") UDP("0035", "0000") "61626364",
	    WANT_IPV4(14, 32), WANT_UDP(53, 4)),
	ROW("UDP of an impossible length", ETHERNET("0800") IPV4("0020", "11") UDP("0035", "0007") "61626364",
	    WANT_IPV4(14, 32), WANT_UDP(53, 4)),
	ROW("UDP-Lite: the third word is a coverage, not a length",
	    ETHERNET("0800") IPV4("0020", "88") UDP("0035", "0008") "61626364", WANT_IPV4(14, 32),
	    .protocol = PACKET_PROTOCOL_UDP_LITE, .src_port = 1234, .dst_port = 53, .transport_bytes = 8,
	    .payload_bytes = 4),
	ROW("SCTP", ETHERNET("0800") IPV4("0022", "84") "04d2005000000001000000006162", WANT_IPV4(14, 34),
	    .protocol = PACKET_PROTOCOL_SCTP, .src_port = 1234, .dst_port = 80, .transport_bytes = 12,
	    .payload_bytes = 2),
	ROW("ICMP", ETHERNET("0800") IPV4("001d", "01") "030400000000000061", WANT_IPV4(14, 29),
	    .protocol = PACKET_PROTOCOL_ICMP, .icmp_type = 3, .icmp_code = 4, .transport_bytes = 8,
	    .payload_bytes = 1),
	ROW("ICMPv6", ETHERNET("86dd") IPV6("0008", "3a") "8701000000000000", WANT_IPV6(14, 48),
	    .protocol = PACKET_PROTOCOL_ICMPV6, .icmp_type = 135, .icmp_code = 1, .transport_bytes = 8),
	ROW("ESP", ETHERNET("0800") IPV4("0020", "32") "000000010000000261626364", WANT_IPV4(14, 32),
	    .protocol = PACKET_PROTOCOL_ESP, .transport_bytes = 8, .payload_bytes = 4),
	ROW("a protocol without a header that is read", ETHERNET("0800") IPV4("0018", "59") "61626364",
	    WANT_IPV4(14, 24), .protocol = 89, .payload_bytes = 4),
	ROW("IPv6 without a next header, padded", ETHERNET("86dd") IPV6("0000", "3b") "000000000000",
	    WANT_IPV6(14, 40), .protocol = 59),
	ROW("IPv4 options", ETHERNET("0800") "4600002e12344000400600000a0000010a00000294040000" TCP "6162",
	    WANT_IPV4(14, 46), WANT_TCP(2)),
	ROW("TCP options", ETHERNET("0800") IPV4("002d", "06") TCP_OF("60") "0204057861", WANT_IPV4(14, 45),
	    .protocol = 6, .src_port = 1234, .dst_port = 80, .tcp_flags = 0x18, .tcp_window = 0x2000,
	    .transport_bytes = 24, .payload_bytes = 1),
	ROW("AH in IPv4", ETHERNET("0800") IPV4("0040", "33") AH("06") TCP, WANT_IPV4(14, 64), WANT_TCP(0)),
	ROW("AH in IPv6", ETHERNET("86dd") IPV6("002c", "33") AH("06") TCP, WANT_IPV6(14, 84), WANT_TCP(0)),
	ROW("every other extension header",
	    ETHERNET("86dd") IPV6("0044", "00") OPTIONS_8("2b") OPTIONS_8("3c") OPTIONS_8("87") OPTIONS_8("8b")
		    OPTIONS_8("8c") OPTIONS_8("06") TCP,
	    WANT_IPV6(14, 108), WANT_TCP(0)),
	ROW("a longer extension header",
	    ETHERNET("86dd") IPV6("0018", "3c") "11010000000000000000000000000000" UDP("0035", "0008"),
	    WANT_IPV6(14, 64), WANT_UDP(53, 0)),
	ROW("eight extension headers",
	    ETHERNET("86dd") IPV6("0048", "3c") OPTIONS_8("3c") OPTIONS_8("3c") OPTIONS_8("3c") OPTIONS_8("3c")
		    OPTIONS_8("3c") OPTIONS_8("3c") OPTIONS_8("3c") OPTIONS_8("11") UDP("0035", "0008"),
	    WANT_IPV6(14, 112), WANT_UDP(53, 0)),
	ROW("IPv4 has no extension headers but AH", ETHERNET("0800") IPV4("001c", "3c") OPTIONS_8("06"),
	    WANT_IPV4(14, 28), .protocol = 60, .payload_bytes = 8),
};

static const struct packet_flow_case fragments[] = {
	ROW("first IPv4 fragment", ETHERNET("0800") IPV4_OF("0030", "1234", "2000", "06") TCP "6162636465666768",
	    WANT_IPV4(14, 48), WANT_TCP(8), .flags = PACKET_FLAG_FRAGMENT, .fragment_id = 0x1234),
	ROW("first IPv4 fragment with ports and little else",
	    ETHERNET("0800") IPV4_OF("001c", "1234", "2000", "06") "04d2005000000001", WANT_IPV4(14, 28),
	    .protocol = 6, .src_port = 1234, .dst_port = 80, .flags = PACKET_FLAG_FRAGMENT, .fragment_id = 0x1234,
	    .status = PACKET_SHORT_TRANSPORT),
	ROW("a middle IPv4 fragment", ETHERNET("0800") IPV4_OF("0028", "1234", "2001", "06") TCP, WANT_IPV4(14, 40),
	    .protocol = 6, .flags = PACKET_FLAG_FRAGMENT | PACKET_FLAG_FRAGMENT_REST, .payload_bytes = 20,
	    .fragment_id = 0x1234),
	ROW("the last IPv4 fragment", ETHERNET("0800") IPV4_OF("0015", "1234", "1fff", "11") "61",
	    WANT_IPV4(14, 21), .protocol = 17, .flags = PACKET_FLAG_FRAGMENT | PACKET_FLAG_FRAGMENT_REST,
	    .payload_bytes = 1, .fragment_id = 0x1234),
	ROW("the reserved bit makes no fragment", ETHERNET("0800") IPV4_OF("0028", "1234", "8000", "06") TCP,
	    WANT_IPV4(14, 40), WANT_TCP(0)),
	ROW("the rest of a fragmented tunnel is not looked into",
	    ETHERNET("0800") IPV4_OF("003c", "1234", "0001", "04") IPV4("0028", "06") TCP, WANT_IPV4(14, 60),
	    .protocol = 4, .flags = PACKET_FLAG_FRAGMENT | PACKET_FLAG_FRAGMENT_REST, .payload_bytes = 40,
	    .fragment_id = 0x1234),
	ROW("the rest of a fragmented AH packet", ETHERNET("0800") IPV4_OF("0018", "1234", "0001", "33") "61626364",
	    WANT_IPV4(14, 24), .protocol = 51, .flags = PACKET_FLAG_FRAGMENT | PACKET_FLAG_FRAGMENT_REST,
	    .payload_bytes = 4, .fragment_id = 0x1234),
	ROW("first IPv6 fragment",
	    ETHERNET("86dd") IPV6("0018", "2c") IPV6_FRAGMENT("11", "0001") UDP("0035", "0100") "6162636465666768",
	    WANT_IPV6(14, 64), WANT_UDP(53, 8), .flags = PACKET_FLAG_FRAGMENT, .fragment_id = 0xdeadbeef),
	ROW("the rest of an IPv6 fragment",
	    ETHERNET("86dd") IPV6("0010", "2c") IPV6_FRAGMENT("11", "0008") "6162636465666768", WANT_IPV6(14, 56),
	    .protocol = 17, .flags = PACKET_FLAG_FRAGMENT | PACKET_FLAG_FRAGMENT_REST, .payload_bytes = 8,
	    .fragment_id = 0xdeadbeef),
	ROW("the rest of an IPv6 fragment does not begin with an extension header",
	    ETHERNET("86dd") IPV6("0010", "2c") IPV6_FRAGMENT("3c", "0009") "06ff636465666768", WANT_IPV6(14, 56),
	    .protocol = 60, .flags = PACKET_FLAG_FRAGMENT | PACKET_FLAG_FRAGMENT_REST, .payload_bytes = 8,
	    .fragment_id = 0xdeadbeef),
	ROW("an atomic IPv6 fragment is none",
	    ETHERNET("86dd") IPV6("0010", "2c") IPV6_FRAGMENT("11", "0006") UDP("0035", "0008"), WANT_IPV6(14, 56),
	    WANT_UDP(53, 0)),
};

static const struct packet_flow_case lies[] = {
	ROW("IPv4 of no length is as long as the frame", ETHERNET("0800") IPV4("0000", "06") TCP "616263",
	    WANT_IPV4(14, 43), WANT_TCP(3)),
	ROW("IPv6 of no length is as long as the frame",
	    ETHERNET("86dd") IPV6("0000", "00") "0600c20400011170" TCP "616263", WANT_IPV6(14, 71), WANT_TCP(3)),
	ROW("IPv4 claims more than the wire had", ETHERNET("0800") IPV4("ffff", "06") TCP "616263",
	    WANT_IPV4(14, 43), WANT_TCP(3), .flags = PACKET_FLAG_LENGTH_LIES),
	ROW("IPv6 claims more than the wire had", ETHERNET("86dd") IPV6("0018", "06") TCP "616263",
	    WANT_IPV6(14, 63), WANT_TCP(3), .flags = PACKET_FLAG_LENGTH_LIES),
	ROW("IPv4 as short as its header", ETHERNET("0800") IPV4("0014", "06") TCP, WANT_IPV4(14, 20),
	    .protocol = 6, .flags = PACKET_FLAG_ADDRESSES_ONLY, .status = PACKET_SHORT_TRANSPORT),
	ROW("IPv4 shorter than its header", ETHERNET("0800") IPV4("0013", "06") TCP, .status = PACKET_BAD_IPV4),
	ROW("IPv4 header of four words", ETHERNET("0800") "4400002812344000400600000a0000010a000002" TCP,
	    .status = PACKET_BAD_IPV4),
	ROW("IPv4 EtherType, IPv6 header", ETHERNET("0800") IPV6("0014", "06") TCP, .status = PACKET_BAD_IPV4),
	ROW("IPv6 EtherType, IPv4 header", ETHERNET("86dd") IPV4("0028", "06") TCP, .status = PACKET_BAD_IPV6),
	ROW("IPv4 header cut", ETHERNET("0800") "4500002812344000400600000a0000010a0000",
	    .status = PACKET_SHORT_IPV4),
	ROW("IPv4 options cut", ETHERNET("0800") "4f00006412344000400600000a0000010a0000020101",
	    .status = PACKET_SHORT_IPV4),
	ROW("IPv6 header cut", ETHERNET("86dd") "6000000000000640", .status = PACKET_SHORT_IPV6),
	ROW("TCP header of four words", ETHERNET("0800") IPV4("0028", "06") TCP_OF("40"), WANT_IPV4(14, 40),
	    .protocol = 6, .src_port = 1234, .dst_port = 80, .status = PACKET_BAD_TRANSPORT),
	ROW("TCP header longer than its IP packet", ETHERNET("0800") IPV4("0028", "06") TCP_OF("60") "02040578",
	    WANT_IPV4(14, 40), .protocol = 6, .src_port = 1234, .dst_port = 80, .status = PACKET_BAD_TRANSPORT),
	ROW("TCP without all of its ports", ETHERNET("0800") IPV4("0017", "06") "04d200", WANT_IPV4(14, 23),
	    .protocol = 6, .flags = PACKET_FLAG_ADDRESSES_ONLY, .status = PACKET_SHORT_TRANSPORT),
	ROW("UDP with ports alone", ETHERNET("0800") IPV4("0018", "11") "04d20035", WANT_IPV4(14, 24),
	    .protocol = 17, .src_port = 1234, .dst_port = 53, .status = PACKET_SHORT_TRANSPORT),
	ROW("ICMP with type and code alone", ETHERNET("0800") IPV4("0016", "01") "0800", WANT_IPV4(14, 22),
	    .protocol = 1, .icmp_type = 8, .status = PACKET_SHORT_TRANSPORT),
	ROW("extension header longer than its IP packet",
	    ETHERNET("86dd") IPV6("0008", "3c") "06ff010400000000" TCP, WANT_IPV6(14, 48), .protocol = 60,
	    .payload_bytes = 8, .flags = PACKET_FLAG_ADDRESSES_ONLY, .status = PACKET_SHORT_EXTENSION),
	ROW("extension header cut", ETHERNET("86dd") IPV6("0007", "00") "06000104000000", WANT_IPV6(14, 47),
	    .payload_bytes = 7, .flags = PACKET_FLAG_ADDRESSES_ONLY, .status = PACKET_SHORT_EXTENSION),
	ROW("nine extension headers",
	    ETHERNET("86dd") IPV6("0050", "3c") EIGHT(OPTIONS_8("3c")) OPTIONS_8("11") UDP("0035", "0008"),
	    WANT_IPV6(14, 120), .protocol = 60, .payload_bytes = 16, .flags = PACKET_FLAG_ADDRESSES_ONLY,
	    .status = PACKET_TOO_MANY_EXTENSIONS),
};

/* Frames that the capture cut: the headers still tell the lengths. */
static const struct packet_flow_case snapped[] = {
	{"snapped payload",
	 PACKET_LINK_ETHERNET,
	 ETHERNET("0800") IPV4("05dc", "06") TCP,
	 {WANT_IPV4(14, 1500), WANT_TCP(1460)},
	 1460,
	 PACKET_DEPTH_TYPE},
	{"snapped, and the length is a lie",
	 PACKET_LINK_ETHERNET,
	 ETHERNET("0800") IPV4("05dc", "06") TCP,
	 {WANT_IPV4(14, 1499), WANT_TCP(1459), .flags = PACKET_FLAG_LENGTH_LIES},
	 1459,
	 PACKET_DEPTH_TYPE},
	{"snapped in TCP's options",
	 PACKET_LINK_ETHERNET,
	 ETHERNET("0800") IPV4("0064", "06") TCP_OF("80") "0101",
	 {WANT_IPV4(14, 100), .protocol = 6, .src_port = 1234, .dst_port = 80, .tcp_flags = 0x18,
	  .tcp_window = 0x2000, .transport_bytes = 32, .payload_bytes = 48, .status = PACKET_SHORT_TRANSPORT},
	 58,
	 PACKET_DEPTH_TYPE},
	{"snapped in TCP's fixed header",
	 PACKET_LINK_ETHERNET,
	 ETHERNET("0800") IPV4("0064", "06") "04d20050000000010000000250182000000000",
	 {WANT_IPV4(14, 100), .protocol = 6, .src_port = 1234, .dst_port = 80, .status = PACKET_SHORT_TRANSPORT},
	 61,
	 PACKET_DEPTH_TYPE},
	{"snapped behind UDP's ports",
	 PACKET_LINK_ETHERNET,
	 ETHERNET("0800") IPV4("0064", "11") "04d20035",
	 {WANT_IPV4(14, 100), WANT_UDP(53, 72), .status = PACKET_SHORT_TRANSPORT},
	 76,
	 PACKET_DEPTH_TYPE},
	{"snapped behind the IP header",
	 PACKET_LINK_ETHERNET,
	 ETHERNET("0800") IPV4("0064", "11"),
	 {WANT_IPV4(14, 100), .protocol = 17, .transport_bytes = 8, .payload_bytes = 72,
	  .flags = PACKET_FLAG_ADDRESSES_ONLY, .status = PACKET_SHORT_TRANSPORT},
	 80,
	 PACKET_DEPTH_TYPE},
	{"snapped in an extension header",
	 PACKET_LINK_ETHERNET,
	 ETHERNET("86dd") IPV6("0064", "00") "06",
	 {WANT_IPV6(14, 140), .payload_bytes = 100, .flags = PACKET_FLAG_ADDRESSES_ONLY,
	  .status = PACKET_SHORT_EXTENSION},
	 99,
	 PACKET_DEPTH_TYPE},
};

#define LINK_ROW(name, link, hex, ...)                               \
	{                                                            \
		name, link, hex, {__VA_ARGS__}, 0, PACKET_DEPTH_TYPE \
	}

static const struct packet_flow_case links[] = {
	LINK_ROW("raw IPv4", PACKET_LINK_RAW, IPV4("0028", "06") TCP, WANT_IPV4(0, 40), WANT_TCP(0)),
	LINK_ROW("raw IPv6", PACKET_LINK_RAW, IPV6("0014", "06") TCP, WANT_IPV6(0, 60), WANT_TCP(0)),
	LINK_ROW("IPv4", PACKET_LINK_IPV4, IPV4("0028", "06") TCP, WANT_IPV4(0, 40), WANT_TCP(0)),
	LINK_ROW("IPv6", PACKET_LINK_IPV6, IPV6("0014", "06") TCP, WANT_IPV6(0, 60), WANT_TCP(0)),
	LINK_ROW("IPv6 that is IPv4", PACKET_LINK_IPV6, IPV4("0028", "06") TCP, .status = PACKET_BAD_IPV6),
	LINK_ROW("null", PACKET_LINK_NULL, "02000000" IPV4("0028", "06") TCP, WANT_IPV4(4, 40), WANT_TCP(0)),
	LINK_ROW("loop", PACKET_LINK_NULL, "00000018" IPV6("0014", "06") TCP, WANT_IPV6(4, 60), WANT_TCP(0)),
	LINK_ROW("cooked", PACKET_LINK_SLL, "00000001000602000000000100000800" IPV4("0028", "06") TCP,
		 WANT_IPV4(16, 40), WANT_TCP(0)),
	LINK_ROW("cooked, tagged", PACKET_LINK_SLL,
		 "0000000100060200000000010000810020640800" IPV4("0028", "06") TCP, WANT_IPV4(20, 40), WANT_TCP(0),
		 .vlan = 100),
	LINK_ROW("cooked v2", PACKET_LINK_SLL2, "86dd000000000002000100060200000000010000" IPV6("0014", "06") TCP,
		 WANT_IPV6(20, 60), WANT_TCP(0)),
	LINK_ROW("PPP", PACKET_LINK_PPP, "ff030021" IPV4("0028", "06") TCP, WANT_IPV4(4, 40), WANT_TCP(0)),
	LINK_ROW("PPP control", PACKET_LINK_PPP, "ff03c021" IPV4("0028", "06") TCP, .status = PACKET_NO_ETHERTYPE),
};

#define N(table) (sizeof(table) / sizeof((table)[0]))

static void transport_headers_are_read_as_specified(void **state)
{
	(void)state;
	check_cases(transports, N(transports));
}

static void fragments_are_told_apart(void **state)
{
	(void)state;
	check_cases(fragments, N(fragments));
}

static void lengths_that_lie_are_cut_or_refused(void **state)
{
	(void)state;
	check_cases(lies, N(lies));
}

static void snapped_frames_keep_the_lengths_of_their_headers(void **state)
{
	(void)state;
	check_cases(snapped, N(snapped));
}

static void every_link_leads_to_its_flow(void **state)
{
	(void)state;
	check_cases(links, N(links));
}

static void frames_cut_at_every_byte_stay_sane(void **state)
{
	(void)state;
	check_cases_cut(transports, N(transports));
	check_cases_cut(fragments, N(fragments));
	check_cases_cut(lies, N(lies));
	check_cases_cut(snapped, N(snapped));
	check_cases_cut(links, N(links));
}

/* A frame of a driver that counts the wire wrong must not make lengths negative. */
static void a_wire_shorter_than_the_capture_is_taken_as_the_capture(void **state)
{
	uint8_t bytes[CASE_MAX_BYTES];
	struct frame frame = {bytes, bytes_of_hex(transports[0].hex, bytes), 30, 0, 0};
	struct packet packets[PACKET_DEPTH_INNER + 1];

	(void)state;
	parse_at_every_depth("wire below capture", PACKET_LINK_ETHERNET, &frame, packets);
	assert_same_flow("wire below capture", PACKET_DEPTH_OUTER, &packets[PACKET_DEPTH_OUTER],
			 &transports[0].want);
}

static void a_mixed_burst_is_parsed_frame_by_frame(void **state)
{
	static uint8_t bytes[N(transports)][CASE_MAX_BYTES];
	struct frame frames[N(transports)];
	struct packet packets[N(transports)];

	(void)state;
	for (size_t i = 0; i < N(transports); i++) {
		uint32_t n_bytes = bytes_of_hex(transports[i].hex, bytes[i]);

		frames[i] = (struct frame){bytes[i], n_bytes, n_bytes, 0, 0};
	}
	packet_parse_burst(PACKET_LINK_ETHERNET, PACKET_DEPTH_INNER, frames, N(transports), packets);
	for (size_t i = 0; i < N(transports); i++)
		assert_same_flow(transports[i].name, PACKET_DEPTH_INNER, &packets[i], &transports[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transport_headers_are_read_as_specified),
		cmocka_unit_test(fragments_are_told_apart),
		cmocka_unit_test(lengths_that_lie_are_cut_or_refused),
		cmocka_unit_test(snapped_frames_keep_the_lengths_of_their_headers),
		cmocka_unit_test(every_link_leads_to_its_flow),
		cmocka_unit_test(frames_cut_at_every_byte_stay_sane),
		cmocka_unit_test(a_wire_shorter_than_the_capture_is_taken_as_the_capture),
		cmocka_unit_test(a_mixed_burst_is_parsed_frame_by_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
