/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Between the link layer and IP, and through tunnels. An outer length of 0 stands for that of the frame.
 */
#include "packet_cases.h"

#define ROW(name, hex, ...)                                                          \
	{                                                                            \
		name, PACKET_LINK_ETHERNET, hex, {__VA_ARGS__}, 0, PACKET_DEPTH_TYPE \
	}
#define INNER_ROW(name, hex, ...)                                                     \
	{                                                                             \
		name, PACKET_LINK_ETHERNET, hex, {__VA_ARGS__}, 0, PACKET_DEPTH_INNER \
	}

#define OUTER				   ETHERNET("0800") IPV4("0000", "11")
#define OUTER_OF(number)		   ETHERNET("0800") IPV4("0000", number)
#define INNER				   IPV4("0028", "06") TCP
#define INNER_IPV6			   IPV6("0014", "06") TCP
#define WANT_INNER(offset)		   WANT_IPV4(offset, 40), WANT_TCP(0)
#define WANT_OUTER(bytes, number, payload) WANT_IPV4(14, bytes), .protocol = (number), .payload_bytes = (payload)
#define WANT_OUTER_UDP(port, payload)	   WANT_IPV4(14, 28 + (payload)), WANT_UDP(port, payload)

#define TAG(id, type)	id type
#define LABEL		"00064040"
#define BOTTOM		"00064140"
#define SNAP(type)	"aaaa03000000" type
#define PPPOE(protocol) "11000001002a" protocol
#define VXLAN		UDP("12b5", "0000") "0800000000123400"
#define GENEVE		UDP("17c1", "0000")
#define GTP		UDP("0868", "0000")
#define TEREDO		UDP("0dd8", "0000")
#define TEREDO_IPV6	IPV6_FROM("20010000000000000000000000000001", "0014", "06") TCP
#define GRE(bits, type) bits type
#define IPIP		IPV4("0000", "04")
#define EIGHT(header)	header header header header header header header header

static const struct packet_flow_case encapsulations[] = {
	ROW("tag", ETHERNET("8100") TAG("6064", "0800") INNER, WANT_INNER(18), .vlan = 100),
	ROW("the innermost tag counts", ETHERNET("88a8") TAG("0064", "8100") TAG("0007", "86dd") INNER_IPV6,
	    WANT_IPV6(22, 60), WANT_TCP(0), .vlan = 7),
	ROW("a priority tag is no VLAN", ETHERNET("8100") TAG("e000", "0800") INNER, WANT_INNER(18)),
	ROW("a priority tag does not hide a VLAN", ETHERNET("88a8") TAG("0064", "8100") TAG("e000", "0800") INNER,
	    WANT_INNER(22), .vlan = 100),
	ROW("ARP has no flow", ETHERNET("0806") "0001080006040001", .status = PACKET_OK),
	ROW("five tags",
	    ETHERNET("8100") TAG("0001", "8100") TAG("0001", "8100") TAG("0001", "8100") TAG("0001", "8100")
		    TAG("0001", "0800") INNER,
	    .status = PACKET_TOO_MANY_TAGS),
	ROW("SNAP", ETHERNET("0030") SNAP("0800") INNER, WANT_INNER(22)),
	ROW("SNAP in a tag", ETHERNET("8100") TAG("0064", "0030") SNAP("86dd") INNER_IPV6, WANT_IPV6(26, 60),
	    WANT_TCP(0), .vlan = 100),
	ROW("a tag in SNAP", ETHERNET("0034") SNAP("8100") TAG("0064", "0800") INNER, WANT_INNER(26), .vlan = 100),
	ROW("four tags, and one in SNAP",
	    ETHERNET("8100") TAG("0001", "8100") TAG("0001", "8100") TAG("0001", "8100") TAG("0001", "0034")
		    SNAP("8100") TAG("0064", "0800") INNER,
	    .status = PACKET_TOO_MANY_TAGS),
	ROW("SNAP of another organisation", ETHERNET("0030") "aaaa0300000c0800" INNER, .status = PACKET_OK),
	ROW("SNAP that names a length", ETHERNET("0030") SNAP("0030") SNAP("0800") INNER, .status = PACKET_OK),
	ROW("LLC without SNAP", ETHERNET("0026") "424203" INNER, .status = PACKET_OK),
	ROW("LLC cut", ETHERNET("0026") "aaaa", .status = PACKET_SHORT_ENCAPSULATION),
	ROW("SNAP cut", ETHERNET("0026") "aaaa0300000008", .status = PACKET_SHORT_ENCAPSULATION),
	ROW("a tag in SNAP cut", ETHERNET("0026") SNAP("8100") "006408", .status = PACKET_SHORT_ENCAPSULATION),
	ROW("MPLS", ETHERNET("8847") BOTTOM INNER, WANT_INNER(18)),
	ROW("MPLS multicast", ETHERNET("8848") BOTTOM INNER_IPV6, WANT_IPV6(18, 60), WANT_TCP(0)),
	ROW("MPLS behind a tag", ETHERNET("8100") TAG("0064", "8847") LABEL BOTTOM INNER, WANT_INNER(26),
	    .vlan = 100),
	ROW("eight labels", ETHERNET("8847") LABEL LABEL LABEL LABEL LABEL LABEL LABEL BOTTOM INNER,
	    WANT_INNER(46)),
	ROW("nine labels", ETHERNET("8847") EIGHT(LABEL) BOTTOM INNER, .status = PACKET_TOO_MANY_LABELS),
	ROW("label cut", ETHERNET("8847") LABEL "000641", .status = PACKET_SHORT_ENCAPSULATION),
	ROW("nothing behind the labels", ETHERNET("8847") BOTTOM, .status = PACKET_SHORT_ENCAPSULATION),
	ROW("neither IP nor a pseudowire behind the labels", ETHERNET("8847") BOTTOM "1000000000000000",
	    .status = PACKET_OK),
	ROW("Ethernet pseudowire", ETHERNET("8847") BOTTOM "00000000" ETHERNET("0800") INNER, WANT_INNER(36)),
	ROW("a tag in a pseudowire", ETHERNET("8847") BOTTOM "00000000" ETHERNET("8100") TAG("0064", "0800") INNER,
	    WANT_INNER(40), .vlan = 100),
	ROW("control word cut", ETHERNET("8847") BOTTOM "000000", .status = PACKET_SHORT_ENCAPSULATION),
	ROW("Ethernet in a pseudowire cut", ETHERNET("8847") BOTTOM "00000000" MACS "08",
	    .status = PACKET_SHORT_ENCAPSULATION),
	ROW("pseudowires in pseudowires share eight labels",
	    ETHERNET("8847") EIGHT(BOTTOM "00000000" ETHERNET("8847")) BOTTOM INNER,
	    .status = PACKET_TOO_MANY_LABELS),
	ROW("PPPoE", ETHERNET("8864") PPPOE("0021") INNER, WANT_INNER(22)),
	ROW("PPPoE, IPv6", ETHERNET("8864") PPPOE("0057") INNER_IPV6, WANT_IPV6(22, 60), WANT_TCP(0)),
	ROW("PPPoE, control protocol", ETHERNET("8864") PPPOE("c021") "01010004", .status = PACKET_OK),
	ROW("PPPoE of another version", ETHERNET("8864") "21000001002a0021" INNER, .status = PACKET_OK),
	ROW("PPPoE that is no session's data", ETHERNET("8864") "11a70001002a0021" INNER, .status = PACKET_OK),
	ROW("PPPoE cut", ETHERNET("8864") "1100000100", .status = PACKET_SHORT_ENCAPSULATION),
	ROW("PPP in PPPoE cut", ETHERNET("8864") "11000001002a00", .status = PACKET_SHORT_ENCAPSULATION),
};

static const struct packet_flow_case tunnels[] = {
	INNER_ROW("IPv4 in IPv4", OUTER_OF("04") INNER, WANT_INNER(34), .n_tunnels = 1),
	INNER_ROW("IPv6 in IPv4", OUTER_OF("29") INNER_IPV6, WANT_IPV6(34, 60), WANT_TCP(0), .n_tunnels = 1),
	INNER_ROW("IPv4 in IPv6", ETHERNET("86dd") IPV6("0028", "04") INNER, WANT_INNER(54), .n_tunnels = 1),
	INNER_ROW("IPv6 in IPv6", ETHERNET("86dd") IPV6("003c", "29") INNER_IPV6, WANT_IPV6(54, 60), WANT_TCP(0),
		  .n_tunnels = 1),
	INNER_ROW("GRE", OUTER_OF("2f") GRE("0000", "0800") INNER, WANT_INNER(38), .n_tunnels = 1),
	INNER_ROW("GRE with checksum, key and sequence number",
		  OUTER_OF("2f") GRE("b000", "86dd") "000000000000000100000002" INNER_IPV6, WANT_IPV6(50, 60),
		  WANT_TCP(0), .n_tunnels = 1),
	INNER_ROW("MPLS in GRE", OUTER_OF("2f") GRE("0000", "8847") LABEL BOTTOM INNER, WANT_INNER(46),
		  .n_tunnels = 1),
	INNER_ROW("Ethernet in GRE", OUTER_OF("2f") GRE("0000", "6558") ETHERNET("8100") TAG("0064", "0800") INNER,
		  WANT_INNER(56), .n_tunnels = 1, .vlan = 100, .is_vlan_inner = 1),
	INNER_ROW("NVGRE", OUTER_OF("2f") GRE("2000", "6558") "abcdef01" ETHERNET("0800") INNER, WANT_INNER(56),
		  .n_tunnels = 1, .tunnel_id = 0xabcdef, .has_tunnel_id = 1),
	INNER_ROW("NVGRE with a checksum",
		  OUTER_OF("2f") GRE("a000", "6558") "00000000abcdef01" ETHERNET("0800") INNER, WANT_INNER(60),
		  .n_tunnels = 1, .tunnel_id = 0xabcdef, .has_tunnel_id = 1),
	INNER_ROW("PPTP", OUTER_OF("2f") GRE("3081", "880b") "002c00010000000100000002ff030021" INNER,
		  WANT_INNER(54), .n_tunnels = 1),
	INNER_ROW("PPTP, everything left out", OUTER_OF("2f") GRE("3001", "880b") "002900010000000157" INNER_IPV6,
		  WANT_IPV6(47, 60), WANT_TCP(0), .n_tunnels = 1),
	INNER_ROW("VXLAN", OUTER VXLAN ETHERNET("0800") INNER, WANT_INNER(64), .n_tunnels = 1,
		  .tunnel_id = 0x001234, .has_tunnel_id = 1),
	INNER_ROW("VXLAN of Linux's port, with a group",
		  OUTER UDP("2118", "0000") "8800004200123400" ETHERNET("0800") INNER, WANT_INNER(64),
		  .n_tunnels = 1, .tunnel_id = 0x001234, .has_tunnel_id = 1),
	INNER_ROW("VXLAN over IPv6", ETHERNET("86dd") IPV6("0000", "11") VXLAN ETHERNET("86dd") INNER_IPV6,
		  WANT_IPV6(84, 60), WANT_TCP(0), .n_tunnels = 1, .tunnel_id = 0x001234, .has_tunnel_id = 1),
	INNER_ROW("network 0 is a network", OUTER UDP("12b5", "0000") "0800000000000000" ETHERNET("0800") INNER,
		  WANT_INNER(64), .n_tunnels = 1, .has_tunnel_id = 1),
	INNER_ROW("Geneve", OUTER GENEVE "0000655800123400" ETHERNET("0800") INNER, WANT_INNER(64), .n_tunnels = 1,
		  .tunnel_id = 0x001234, .has_tunnel_id = 1),
	INNER_ROW("Geneve with options and flags, IP in it",
		  OUTER GENEVE "02c086dd001234000102800100000000" INNER_IPV6, WANT_IPV6(58, 60), WANT_TCP(0),
		  .n_tunnels = 1, .tunnel_id = 0x001234, .has_tunnel_id = 1),
	INNER_ROW("GTP-U", OUTER GTP "30ff002800000001" INNER, WANT_INNER(50), .n_tunnels = 1),
	INNER_ROW("GTP-U with a sequence number", OUTER GTP "32ff00400000000100010000" INNER_IPV6,
		  WANT_IPV6(54, 60), WANT_TCP(0), .n_tunnels = 1),
	INNER_ROW("GTP-U with extension headers",
		  OUTER GTP "34ff00380000000100000085011005c00200010203040500" INNER, WANT_INNER(66),
		  .n_tunnels = 1),
	INNER_ROW("GTP-U, extension without its flag", OUTER GTP "31ff002c0000000100000085" INNER, WANT_INNER(54),
		  .n_tunnels = 1),
	INNER_ROW("Teredo", OUTER TEREDO TEREDO_IPV6, WANT_IPV6(42, 60), WANT_TCP(0), .n_tunnels = 1),
	INNER_ROW("Teredo from its server", OUTER "0dd8ea6000000000" TEREDO_IPV6, WANT_IPV6(42, 60), WANT_TCP(0),
		  .n_tunnels = 1),
	INNER_ROW("Teredo with an origin", OUTER TEREDO "0000fe37f5fffffd" TEREDO_IPV6, WANT_IPV6(50, 60),
		  WANT_TCP(0), .n_tunnels = 1),
	INNER_ROW("Teredo with authentication and origin",
		  OUTER TEREDO "00010102aabbcc0000000000000000000000fe37f5fffffd" TEREDO_IPV6, WANT_IPV6(66, 60),
		  WANT_TCP(0), .n_tunnels = 1),
	INNER_ROW("Teredo bubble", OUTER TEREDO IPV6_FROM("fe800000000000000000000000000001", "0000", "3b"),
		  WANT_IPV6(42, 40), .protocol = 59, .n_tunnels = 1),
};

static const struct packet_flow_case nested[] = {
	INNER_ROW("the frame's VLAN stays", ETHERNET("8100") TAG("0007", "0800") IPV4("0000", "04") INNER,
		  WANT_INNER(38), .n_tunnels = 1, .vlan = 7),
	INNER_ROW("the inner VLAN counts",
		  ETHERNET("8100") TAG("0007", "0800") IPV4("0000", "11") VXLAN ETHERNET("8100") TAG("0009", "0800")
			  INNER,
		  WANT_INNER(72), .n_tunnels = 1, .vlan = 9, .is_vlan_inner = 1, .tunnel_id = 0x1234,
		  .has_tunnel_id = 1),
	INNER_ROW("an inner priority tag is no VLAN",
		  ETHERNET("8100") TAG("0007", "0800") IPV4("0000", "11") VXLAN ETHERNET("8100") TAG("e000", "0800")
			  INNER,
		  WANT_INNER(72), .n_tunnels = 1, .vlan = 7, .tunnel_id = 0x1234, .has_tunnel_id = 1),
	INNER_ROW("a tunnel without an id keeps the VLAN and the id before it",
		  OUTER VXLAN ETHERNET("8100") TAG("0009", "0800") IPV4("0000", "2f") GRE("0000", "0800") INNER,
		  WANT_INNER(92), .n_tunnels = 2, .vlan = 9, .is_vlan_inner = 1, .tunnel_id = 0x1234,
		  .has_tunnel_id = 1),
	INNER_ROW("a tunnel's id is nearer than the VLAN around it",
		  OUTER VXLAN ETHERNET("8100") TAG("0009", "0800") IPV4("0000", "2f")
			  GRE("2000", "6558") "abcdef01" ETHERNET("0800") INNER,
		  WANT_INNER(110), .n_tunnels = 2, .vlan = 9, .tunnel_id = 0xabcdef, .has_tunnel_id = 1),
	INNER_ROW("four tags in a tunnel of four tags",
		  ETHERNET("8100") TAG("0001", "8100") TAG("0002", "8100") TAG("0003", "8100") TAG("0004", "0800")
			  IPV4("0000", "11") VXLAN ETHERNET("8100") TAG("0005", "8100") TAG("0006", "8100")
				  TAG("0007", "8100") TAG("0008", "0800") INNER,
		  WANT_INNER(96), .n_tunnels = 1, .vlan = 8, .is_vlan_inner = 1, .tunnel_id = 0x1234,
		  .has_tunnel_id = 1),
	INNER_ROW("four tunnels", OUTER_OF("04") IPIP IPIP IPIP INNER, WANT_INNER(94), .n_tunnels = 4),
	INNER_ROW("five tunnels", OUTER_OF("04") IPIP IPIP IPIP IPIP INNER, WANT_IPV4(94, 60), .protocol = 4,
		  .payload_bytes = 40, .n_tunnels = 4, .status = PACKET_TOO_MANY_TUNNELS),
	INNER_ROW("a first fragment is looked into",
		  ETHERNET("0800") IPV4_OF("003c", "0001", "2000", "04") IPV4("0400", "06") TCP, WANT_IPV4(34, 40),
		  WANT_TCP(0), .n_tunnels = 1, .flags = PACKET_FLAG_FRAGMENT, .fragment_id = 1),
	INNER_ROW("GTP-U in a first fragment",
		  ETHERNET("0800") IPV4_OF("004c", "0001", "2000", "11")
			  UDP("0868", "0800") "30ff07f000000001" IPV4("07f0", "06") TCP,
		  WANT_INNER(50), .n_tunnels = 1, .flags = PACKET_FLAG_FRAGMENT, .fragment_id = 1),
	INNER_ROW("an inner length beyond the outer one, padding or not",
		  ETHERNET("0800") IPV4("003c", "04") IPV4("0030", "06") TCP "0000000000000000", WANT_INNER(34),
		  .n_tunnels = 1, .flags = PACKET_FLAG_LENGTH_LIES),
	INNER_ROW("an inner length beyond UDP's",
		  OUTER UDP("0868", "0038") "30ff002800000001" IPV4("0030", "06") TCP "0000000000000000",
		  WANT_INNER(50), .n_tunnels = 1, .flags = PACKET_FLAG_LENGTH_LIES),
	INNER_ROW("AH, then a tunnel",
		  ETHERNET("0800") IPV4("0000", "33") "040400000000000100000002000000000000000000000000" INNER,
		  WANT_INNER(58), .n_tunnels = 1),
	INNER_ROW("an inner fragment", OUTER_OF("04") IPV4_OF("0018", "0bad", "0001", "06") "61626364",
		  .ip_version = 4, .ttl = 64, .ip_id = 0xbad, .ip_offset = 34, .ip_bytes = 24, .protocol = 6,
		  .payload_bytes = 4, .flags = PACKET_FLAG_FRAGMENT | PACKET_FLAG_FRAGMENT_REST,
		  .fragment_id = 0xbad, .n_tunnels = 1),
	INNER_ROW("an inner transport header cut", OUTER_OF("04") IPV4("0016", "06") "04d2", WANT_IPV4(34, 22),
		  .protocol = 6, .flags = PACKET_FLAG_ADDRESSES_ONLY, .status = PACKET_SHORT_TRANSPORT,
		  .n_tunnels = 1),
};

/* Inner headers that fail leave the flow before them. */
static const struct packet_flow_case failing[] = {
	INNER_ROW("short in IP", OUTER_OF("04") "4500", WANT_OUTER(22, 4, 2), .status = PACKET_SHORT_IPV4),
	INNER_ROW("another version in IP", OUTER_OF("29") INNER, WANT_OUTER(60, 41, 40), .status = PACKET_BAD_IPV6),
	INNER_ROW("bad IPv4 in GRE", OUTER_OF("2f") GRE("0000", "0800") IPV4("0013", "06"), WANT_OUTER(44, 47, 24),
		  .status = PACKET_BAD_IPV4),
	INNER_ROW("GRE cut", OUTER_OF("2f") "000008", WANT_OUTER(23, 47, 3), .status = PACKET_SHORT_TUNNEL),
	INNER_ROW("GRE's key cut", OUTER_OF("2f") GRE("2000", "0800") "000000", WANT_OUTER(27, 47, 7),
		  .status = PACKET_SHORT_TUNNEL),
	INNER_ROW("PPTP cut", OUTER_OF("2f") GRE("3081", "880b") "0004000100000001000000", WANT_OUTER(35, 47, 15),
		  .status = PACKET_SHORT_TUNNEL),
	INNER_ROW("PPP in PPTP cut", OUTER_OF("2f") GRE("3001", "880b") "0004000100000001ff0300",
		  WANT_OUTER(35, 47, 15), .status = PACKET_SHORT_TUNNEL),
	INNER_ROW("labels in GRE cut", OUTER_OF("2f") GRE("0000", "8847") LABEL, WANT_OUTER(28, 47, 8),
		  .status = PACKET_SHORT_ENCAPSULATION),
	INNER_ROW("Ethernet in VXLAN cut", OUTER VXLAN MACS "08", WANT_OUTER_UDP(4789, 21),
		  .status = PACKET_SHORT_ENCAPSULATION),
	INNER_ROW("a tag in VXLAN cut", OUTER VXLAN ETHERNET("8100") "00", WANT_OUTER_UDP(4789, 23),
		  .status = PACKET_SHORT_ENCAPSULATION),
	INNER_ROW("five tags in VXLAN",
		  OUTER VXLAN ETHERNET("8100") TAG("0001", "8100") TAG("0001", "8100") TAG("0001", "8100")
			  TAG("0001", "8100") TAG("0001", "0800") INNER,
		  WANT_OUTER_UDP(4789, 82), .status = PACKET_TOO_MANY_TAGS),
	INNER_ROW("nothing in GTP-U", OUTER GTP "30ff000000000001", WANT_OUTER_UDP(2152, 8),
		  .status = PACKET_SHORT_TUNNEL),
	INNER_ROW("GTP-U's options cut", OUTER GTP "32ff000000000001000100", WANT_OUTER_UDP(2152, 11),
		  .status = PACKET_SHORT_TUNNEL),
	INNER_ROW("GTP-U's extension cut", OUTER GTP "34ff000000000001000000850210050000", WANT_OUTER_UDP(2152, 17),
		  .status = PACKET_SHORT_TUNNEL),
	INNER_ROW("the tunnel before it counts", OUTER_OF("04") IPV4("0000", "2f") "0000", WANT_IPV4(34, 22),
		  .protocol = 47, .payload_bytes = 2, .status = PACKET_SHORT_TUNNEL, .n_tunnels = 1),
	{"Geneve's options cut by the capture",
	 PACKET_LINK_ETHERNET,
	 OUTER GENEVE "020065580012340001020304",
	 {WANT_OUTER_UDP(6081, 112), .status = PACKET_SHORT_TUNNEL},
	 100,
	 PACKET_DEPTH_INNER},
	/* Not IP inside: no error. */
	ROW("ARP in VXLAN", OUTER VXLAN ETHERNET("0806") "0001080006040001", WANT_OUTER_UDP(4789, 30)),
	ROW("GRE of another protocol", OUTER_OF("2f") GRE("0000", "88be") INNER, WANT_OUTER(64, 47, 44)),
	ROW("GRE of another version", OUTER_OF("2f") GRE("0002", "0800") INNER, WANT_OUTER(64, 47, 44)),
	ROW("GRE with routing", OUTER_OF("2f") GRE("4000", "0800") "00000000" INNER, WANT_OUTER(68, 47, 48)),
	ROW("PPTP that only acknowledges", OUTER_OF("2f") GRE("2081", "880b") "0000000100000002",
	    WANT_OUTER(32, 47, 12)),
	ROW("PPTP without a call", OUTER_OF("2f") GRE("1001", "880b") "00280001000000010021" INNER,
	    WANT_OUTER(74, 47, 54)),
	ROW("PPTP with a control protocol", OUTER_OF("2f") GRE("3001", "880b") "0004000100000001c021",
	    WANT_OUTER(34, 47, 14)),
};

/* What may come on a tunnel's port without being one: it stays UDP. */
static const struct packet_flow_case lookalikes[] = {
	ROW("VXLAN's port, no flag", OUTER UDP("12b5", "0000") "0000000000123400" ETHERNET("0800") INNER,
	    WANT_OUTER_UDP(4789, 62)),
	ROW("VXLAN's port, another flag", OUTER UDP("12b5", "0000") "0900000000123400" ETHERNET("0800") INNER,
	    WANT_OUTER_UDP(4789, 62)),
	ROW("VXLAN's port, reserved byte", OUTER UDP("12b5", "0000") "0800000000123401" ETHERNET("0800") INNER,
	    WANT_OUTER_UDP(4789, 62)),
	ROW("VXLAN's port, reserved bytes", OUTER UDP("12b5", "0000") "0800010000123400" ETHERNET("0800") INNER,
	    WANT_OUTER_UDP(4789, 62)),
	ROW("VXLAN's port, text", OUTER UDP("12b5", "0000") "474554202f20485454502f312e310d0a",
	    WANT_OUTER_UDP(4789, 16)),
	ROW("VXLAN's port, too short", OUTER UDP("12b5", "0000") "08000000001234", WANT_OUTER_UDP(4789, 7)),
	ROW("VXLAN's port as the source", OUTER "12b504d2000000000800000000123400" ETHERNET("0800") INNER,
	    WANT_IPV4(14, 90), .protocol = 17, .src_port = 4789, .dst_port = 1234, .transport_bytes = 8,
	    .payload_bytes = 62),
	ROW("TCP on VXLAN's port",
	    OUTER_OF("06") "04d212b5000000010000000250182000000000000800000000123400" ETHERNET("0800") INNER,
	    WANT_IPV4(14, 102), .protocol = 6, .src_port = 1234, .dst_port = 4789, .transport_bytes = 20,
	    .tcp_flags = 0x18, .tcp_window = 0x2000, .payload_bytes = 62),
	ROW("Geneve's port, version 1", OUTER GENEVE "4000080000123400" INNER, WANT_OUTER_UDP(6081, 48)),
	ROW("Geneve's port, reserved bit", OUTER GENEVE "0001080000123400" INNER, WANT_OUTER_UDP(6081, 48)),
	ROW("Geneve's port, reserved byte", OUTER GENEVE "0000080000123401" INNER, WANT_OUTER_UDP(6081, 48)),
	ROW("Geneve's port, another EtherType", OUTER GENEVE "0000080600123400" INNER, WANT_OUTER_UDP(6081, 48)),
	ROW("Geneve's port, options past the end", OUTER GENEVE "3f00080000123400" INNER, WANT_OUTER_UDP(6081, 48)),
	ROW("GTP-U's port, version 2", OUTER GTP "50ff002800000001" INNER, WANT_OUTER_UDP(2152, 48)),
	ROW("GTP-U's port, GTP'", OUTER GTP "20ff002800000001" INNER, WANT_OUTER_UDP(2152, 48)),
	ROW("GTP-U's port, another message", OUTER GTP "3001002800000001" INNER, WANT_OUTER_UDP(2152, 48)),
	ROW("GTP-U's port, too long", OUTER GTP "30ff002900000001" INNER, WANT_OUTER_UDP(2152, 48)),
	ROW("GTP-U's port, extension of no length", OUTER GTP "34ff0030000000010000008500000000" INNER,
	    WANT_OUTER_UDP(2152, 56)),
	ROW("GTP-U's port, nine extensions",
	    OUTER GTP "34ff00000000000100000085" EIGHT("01000085") "01000000" INNER, WANT_OUTER_UDP(2152, 88)),
	ROW("GTP-U's port, not IP inside", OUTER GTP "30ff000400000001ff030021", WANT_OUTER_UDP(2152, 12)),
	ROW("Teredo's port, other addresses", OUTER TEREDO INNER_IPV6, WANT_OUTER_UDP(3544, 60)),
	ROW("Teredo's port, too long", OUTER TEREDO IPV6_FROM("20010000000000000000000000000001", "0015", "06") TCP,
	    WANT_OUTER_UDP(3544, 60)),
	ROW("Teredo's port, IPv4", OUTER TEREDO INNER, WANT_OUTER_UDP(3544, 40)),
	ROW("Teredo's port, authentication past the end", OUTER TEREDO "0001ffff000000000000000000" TEREDO_IPV6,
	    WANT_OUTER_UDP(3544, 73)),
	ROW("another port", OUTER UDP("0035", "0000") "0800000000123400" ETHERNET("0800") INNER,
	    WANT_OUTER_UDP(53, 62)),
};

#define N(table) (sizeof(table) / sizeof((table)[0]))

static void encapsulations_are_skipped(void **state)
{
	(void)state;
	check_cases(encapsulations, N(encapsulations));
}

static void tunnels_lead_to_the_inner_flow(void **state)
{
	(void)state;
	check_cases(tunnels, N(tunnels));
}

static void nested_tunnels_are_bounded_and_keep_their_networks(void **state)
{
	(void)state;
	check_cases(nested, N(nested));
}

static void tunnels_that_fail_keep_the_flow_before_them(void **state)
{
	(void)state;
	check_cases(failing, N(failing));
}

static void other_traffic_on_tunnel_ports_stays_udp(void **state)
{
	(void)state;
	check_cases(lookalikes, N(lookalikes));
}

static void frames_cut_at_every_byte_stay_sane(void **state)
{
	(void)state;
	check_cases_cut(encapsulations, N(encapsulations));
	check_cases_cut(tunnels, N(tunnels));
	check_cases_cut(nested, N(nested));
	check_cases_cut(failing, N(failing));
	check_cases_cut(lookalikes, N(lookalikes));
}

static void the_outer_flow_does_not_depend_on_what_the_tunnel_carries(void **state)
{
	uint8_t bytes[CASE_MAX_BYTES];
	struct packet packets[PACKET_DEPTH_INNER + 1];

	(void)state;
	for (size_t i = 0; i < N(tunnels); i++) {
		uint32_t n_bytes = bytes_of_hex(tunnels[i].hex, bytes);
		struct frame frame = {bytes, n_bytes, n_bytes, 0, 0};
		const struct packet *outer = &packets[PACKET_DEPTH_OUTER];

		parse_at_every_depth(tunnels[i].name, PACKET_LINK_ETHERNET, &frame, packets);
		assert_int_equal(outer->status, PACKET_OK);
		assert_int_equal(outer->ip_offset, 14);
		assert_int_equal(outer->ip_bytes, n_bytes - 14);
		assert_int_equal(outer->payload_bytes,
				 n_bytes - 14 - (outer->ip_version == 4 ? 20 : 40) - outer->transport_bytes);
	}
}

/*
 * Five IPv6 headers in one another, each with eight extension headers of 2 KiB: together they go beyond what 16
 * bits can say: the fourth's last extension header is too far to be read, though it is there.
 */
static void headers_beyond_64_kib_are_short(void **state)
{
	enum { OPTIONS = 2048, LAYER = 40 + PACKET_MAX_EXTENSIONS * OPTIONS, N_LAYERS = PACKET_MAX_TUNNELS + 1 };
	uint32_t n_bytes = N_LAYERS * LAYER + 8;
	struct guard guard = guard_create(n_bytes);
	uint8_t *bytes = calloc(1, n_bytes);
	struct packet packets[PACKET_DEPTH_INNER + 1];
	const struct packet *inner = &packets[PACKET_DEPTH_INNER];

	(void)state;
	assert_non_null(bytes);
	for (uint32_t layer = 0; layer < N_LAYERS; layer++) {
		uint8_t *at = bytes + (size_t)layer * LAYER;

		at[0] = 0x60; /* of no length: as long as what is around it */
		at[6] = 60;
		for (uint32_t i = 0; i < PACKET_MAX_EXTENSIONS; i++) {
			at[40 + i * OPTIONS] = i + 1 < PACKET_MAX_EXTENSIONS ? 60 : layer + 1 < N_LAYERS ? 41 : 17;
			at[41 + i * OPTIONS] = OPTIONS / 8 - 1;
		}
	}
	struct frame frame = {guard_place(&guard, bytes, n_bytes), n_bytes, n_bytes, 0, 0};

	parse_at_every_depth("deep", PACKET_LINK_IPV6, &frame, packets);
	assert_int_equal(inner->status, PACKET_SHORT_EXTENSION);
	assert_int_equal(inner->n_tunnels, 3);
	assert_int_equal(inner->ip_offset, 3 * LAYER);
	assert_int_equal(inner->ip_bytes, n_bytes - 3 * LAYER);
	free(bytes);
	guard_free(&guard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encapsulations_are_skipped),
		cmocka_unit_test(tunnels_lead_to_the_inner_flow),
		cmocka_unit_test(nested_tunnels_are_bounded_and_keep_their_networks),
		cmocka_unit_test(tunnels_that_fail_keep_the_flow_before_them),
		cmocka_unit_test(other_traffic_on_tunnel_ports_stays_udp),
		cmocka_unit_test(frames_cut_at_every_byte_stay_sane),
		cmocka_unit_test(the_outer_flow_does_not_depend_on_what_the_tunnel_carries),
		cmocka_unit_test(headers_beyond_64_kib_are_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
