/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Columns that are no features, in every format, by the words of their names. Called by flow_plan.c, and for names
 * of features by the application.
 *
 * Each of these says who, where or when. In the captures that a model learns from they tell the classes apart
 * better than anything else, and nowhere else at all.
 *
 * Programs name the same things in many ways: src_port, L4_SRC_PORT, tcp.srcport, Sport, id.orig_p. So a few names
 * stand in a table, and of the others the words are looked at: a name is refused where it is made of nothing but
 * words for ends, addresses, ports or times. One word more and it is a quantity: src_bytes, ct_srv_src,
 * n_distinct_ports, frame.time_delta. But what ends in a port, an address or a MAC is one whatever stands before
 * (vip_src_port, station_mac), unless that counts (n_dst_port, TnP_Per_Dport). Words may be run together: srcip,
 * dstport, dsport, smac.
 */
#include "flow_column.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define NAME_BYTES 128

static const char mac[] = "MAC address", ip[] = "IP address", port[] = "port", ttl[] = "TTL", ip_id[] = "IP id",
		  tcp_seq[] = "TCP sequence number", timing[] = "clock", row[] = "row number",
		  flow[] = "name of the flow", label[] = "label", file[] = "name of the capture";

/* ---- Names ---- */

/* The first that matches counts. */
static const struct flow_column columns[] = {
	/* As RFC 5102 has them, whose words other programs write small. */
	{"sourceipv[46]address", ip, FLOW_COLUMN_SRC},
	{"destinationipv[46]address", ip, FLOW_COLUMN_DST},
	{"*ipv[46]address", ip, FLOW_COLUMN_NONE},
	{"*ipv[46]prefix", ip, FLOW_COLUMN_NONE},
	{"sourcetransportport", port, FLOW_COLUMN_SRC_PORT},
	{"destinationtransportport", port, FLOW_COLUMN_DST_PORT},
	{"*transportport", port, FLOW_COLUMN_NONE},
	{"[tu][cd]psourceport", port, FLOW_COLUMN_SRC_PORT},
	{"[tu][cd]pdestinationport", port, FLOW_COLUMN_DST_PORT},
	{"*macaddress", mac, FLOW_COLUMN_NONE},
	{"fragmentidentification", ip_id, FLOW_COLUMN_NONE},
	{"tcpacknowledgementnumber", tcp_seq, FLOW_COLUMN_NONE},
	{"observationtime*", timing, FLOW_COLUMN_NONE},
	{"systeminittime*", timing, FLOW_COLUMN_NONE},

	{"ipv[46x]*_src", ip, FLOW_COLUMN_NONE},
	{"ipv[46x]*_dst", ip, FLOW_COLUMN_NONE},
	{"arp_src_proto*", ip, FLOW_COLUMN_NONE},
	{"arp_dst_proto*", ip, FLOW_COLUMN_NONE},
	{"arp_psrc", ip, FLOW_COLUMN_NONE},
	{"arp_pdst", ip, FLOW_COLUMN_NONE},
	{"arp_hwsrc", mac, FLOW_COLUMN_NONE},
	{"arp_hwdst", mac, FLOW_COLUMN_NONE},
	{"wlan_[srdt]a", mac, FLOW_COLUMN_NONE},
	{"sa", ip, FLOW_COLUMN_SRC},
	{"da", ip, FLOW_COLUMN_DST},
	{"sp", port, FLOW_COLUMN_SRC_PORT},
	{"dp", port, FLOW_COLUMN_DST_PORT},

	{"*hop_limit", ttl, FLOW_COLUMN_NONE},

	{"ip_id", ip_id, FLOW_COLUMN_NONE},
	{"ipid", ip_id, FLOW_COLUMN_NONE},
	{"ipv4_id", ip_id, FLOW_COLUMN_NONE},
	{"*_ip_id", ip_id, FLOW_COLUMN_NONE},
	{"*_ipid", ip_id, FLOW_COLUMN_NONE},
	{"ip*ident*", ip_id, FLOW_COLUMN_NONE},

	{"tcp_seq*", tcp_seq, FLOW_COLUMN_NONE},
	{"tcp_nxtseq*", tcp_seq, FLOW_COLUMN_NONE},
	{"tcpseq*", tcp_seq, FLOW_COLUMN_NONE},
	{"tcp_ack", tcp_seq, FLOW_COLUMN_NONE},
	{"tcp_ack_raw", tcp_seq, FLOW_COLUMN_NONE},
	{"*ack_num*", tcp_seq, FLOW_COLUMN_NONE},
	{"*acknowledg*ment_num*", tcp_seq, FLOW_COLUMN_NONE},
	{"seq", tcp_seq, FLOW_COLUMN_NONE},
	{"seqn*", tcp_seq, FLOW_COLUMN_NONE},
	{"seq_no", tcp_seq, FLOW_COLUMN_NONE},
	{"seq_num*", tcp_seq, FLOW_COLUMN_NONE},
	{"*sequence_num*", tcp_seq, FLOW_COLUMN_NONE},
	{"stcpb", tcp_seq, FLOW_COLUMN_NONE},
	{"dtcpb", tcp_seq, FLOW_COLUMN_NONE},

	{"*tsval", timing, FLOW_COLUMN_NONE},
	{"*tsecr", timing, FLOW_COLUMN_NONE},
	{"time", timing, FLOW_COLUMN_START},
	{"frame_time", timing, FLOW_COLUMN_START},
	{"packet_time", timing, FLOW_COLUMN_START},
	{"frame_time_relative", timing, FLOW_COLUMN_NONE},
	{"frame_time_delta*", NULL, FLOW_COLUMN_NONE},
	{"frame_time_*", timing, FLOW_COLUMN_START},
	{"flow_end_reason", NULL, FLOW_COLUMN_NONE},
	{"flowendreason", NULL, FLOW_COLUMN_NONE},
	{"flow_start*", timing, FLOW_COLUMN_START},
	{"flowstart*", timing, FLOW_COLUMN_START},
	{"flow_end*", timing, FLOW_COLUMN_END},
	{"flowend*", timing, FLOW_COLUMN_END},
	{"te", timing, FLOW_COLUMN_END},

	{"flow_id", flow, FLOW_COLUMN_FLOW},
	{"flowid", flow, FLOW_COLUMN_FLOW},
	{"uid", flow, FLOW_COLUMN_FLOW},
	{"community_id", flow, FLOW_COLUMN_FLOW},
	{"conn*_id", flow, FLOW_COLUMN_NONE},
	{"session_id", flow, FLOW_COLUMN_NONE},
	{"stream", flow, FLOW_COLUMN_NONE},
	{"stream_id", flow, FLOW_COLUMN_NONE},
	{"stream_index", flow, FLOW_COLUMN_NONE},
	{"tcp_stream", flow, FLOW_COLUMN_NONE},
	{"udp_stream", flow, FLOW_COLUMN_NONE},

	/* Also a column without a name, as index columns have none. */
	{"", row, FLOW_COLUMN_NONE},
	{"idx", row, FLOW_COLUMN_NONE},
	{"index", row, FLOW_COLUMN_NONE},
	{"level_0", row, FLOW_COLUMN_NONE},
	{"id", row, FLOW_COLUMN_NONE},
	{"uuid", row, FLOW_COLUMN_NONE},
	{"no", row, FLOW_COLUMN_NONE},
	{"nr", row, FLOW_COLUMN_NONE},
	{"row", row, FLOW_COLUMN_NONE},
	{"row_*", row, FLOW_COLUMN_NONE},
	{"rownum*", row, FLOW_COLUMN_NONE},
	{"unnamed_*", row, FLOW_COLUMN_NONE},
	{"record_id", row, FLOW_COLUMN_NONE},
	{"raw_id", row, FLOW_COLUMN_NONE},
	{"pkseqid", row, FLOW_COLUMN_NONE},
	{"frame_no", row, FLOW_COLUMN_NONE},
	{"frame_nr", row, FLOW_COLUMN_NONE},
	{"frame_num*", row, FLOW_COLUMN_NONE},
	{"frame_id", row, FLOW_COLUMN_NONE},
	{"frame_index", row, FLOW_COLUMN_NONE},
	{"packet_no", row, FLOW_COLUMN_NONE},
	{"packet_nr", row, FLOW_COLUMN_NONE},
	{"packet_num*", row, FLOW_COLUMN_NONE},
	{"packet_id", row, FLOW_COLUMN_NONE},
	{"packet_index", row, FLOW_COLUMN_NONE},
	{"pkt_no", row, FLOW_COLUMN_NONE},
	{"pkt_nr", row, FLOW_COLUMN_NONE},
	{"pkt_num*", row, FLOW_COLUMN_NONE},
	{"pkt_id", row, FLOW_COLUMN_NONE},
	{"pkt_index", row, FLOW_COLUMN_NONE},
	{"serial", row, FLOW_COLUMN_NONE},
	{"serial_n*", row, FLOW_COLUMN_NONE},

	{"label", label, FLOW_COLUMN_NONE},
	{"label_*", label, FLOW_COLUMN_NONE},
	{"*_label", label, FLOW_COLUMN_NONE},
	{"class", label, FLOW_COLUMN_NONE},
	{"attack", label, FLOW_COLUMN_NONE},
	{"attack_*", label, FLOW_COLUMN_NONE},
	{"category", label, FLOW_COLUMN_NONE},
	{"subcategory", label, FLOW_COLUMN_NONE},
	{"*_category", label, FLOW_COLUMN_NONE},

	{"capture", file, FLOW_COLUMN_SOURCE},
	{"src_file", file, FLOW_COLUMN_SOURCE},
	{"filename", file, FLOW_COLUMN_SOURCE},

	{"protocol", NULL, FLOW_COLUMN_PROTOCOL},
	{"proto", NULL, FLOW_COLUMN_PROTOCOL},
};

/* Lower case, '_' for each run of other characters inside, none around. */
static void name_simplify(const char *name, char simple[NAME_BYTES])
{
	size_t n = 0;

	for (; *name != '\0' && n < NAME_BYTES - 1; name++) {
		if (isalnum((unsigned char)*name))
			simple[n++] = (char)tolower((unsigned char)*name);
		else if (n > 0 && simple[n - 1] != '_')
			simple[n++] = '_';
	}
	n -= n > 0 && simple[n - 1] == '_';
	simple[n] = '\0';
}

/* ---- Words ---- */

/* What a word is, or the words of a name are. */
enum {
	WORD_SRC = 0x1,
	WORD_DST = 0x2,
	WORD_SIDE = 0x4, /* a whole word for one: alone it means the address */
	WORD_IP = 0x8,
	WORD_PORT = 0x10,
	WORD_MAC = 0x20,
	WORD_LINK = 0x40, /* of the link layer: its addresses are MACs */
	WORD_TTL = 0x80,
	WORD_FIRST = 0x100,
	WORD_LAST = 0x200,
	WORD_TIME = 0x400,   /* the first or the last of it: it may also be a duration */
	WORD_CLOCK = 0x800,  /* alone it is one */
	WORD_STAMP = 0x1000, /* also beside other words */
	WORD_OTHER = 0x2000, /* says nothing of itself */
	WORD_APART = 0x4000, /* of another packet or host than the flow's own ends */
	WORD_FORM = 0x8000,  /* how a port or an address is written */
	WORD_COUNT = 0x10000,
	WORD_COUNT_FIRST = 0x20000, /* counts where the name begins so */
	WORD_PER = 0x40000,	    /* what follows is what is counted by, where the name has other words, too */
	WORD_SURE = 0x80000,	    /* also behind other words */
	WORD_ENDS = WORD_SRC | WORD_DST | WORD_SIDE | WORD_IP | WORD_PORT | WORD_MAC | WORD_LINK | WORD_OTHER |
		    WORD_APART | WORD_FORM | WORD_COUNT_FIRST | WORD_PER | WORD_SURE,
	WORD_TIMES = WORD_FIRST | WORD_LAST | WORD_TIME | WORD_CLOCK | WORD_STAMP | WORD_OTHER | WORD_FORM |
		     WORD_COUNT_FIRST,
};

static const struct word {
	const char *text;
	uint32_t is;
} known_words[] = {
	{"src", WORD_SRC | WORD_SIDE},
	{"source", WORD_SRC | WORD_SIDE},
	{"dst", WORD_DST | WORD_SIDE},
	{"dest", WORD_DST | WORD_SIDE},
	{"destination", WORD_DST | WORD_SIDE},
	{"s", WORD_SRC},
	{"orig", WORD_SRC},
	{"originator", WORD_SRC},
	{"client", WORD_SRC},
	{"local", WORD_SRC},
	{"sender", WORD_SRC},
	{"d", WORD_DST},
	{"ds", WORD_DST},
	{"resp", WORD_DST},
	{"responder", WORD_DST},
	{"server", WORD_DST},
	{"remote", WORD_DST},
	{"target", WORD_DST},

	/* Letters that mean too much else to be words: rip, rpt. */
	{"laddr", WORD_SRC | WORD_IP | WORD_SURE},
	{"lport", WORD_SRC | WORD_PORT | WORD_SURE},
	{"raddr", WORD_DST | WORD_IP | WORD_SURE},
	{"rport", WORD_DST | WORD_PORT | WORD_SURE},
	{"faddr", WORD_DST | WORD_IP | WORD_SURE},
	{"fport", WORD_DST | WORD_PORT | WORD_SURE},

	{"ip", WORD_IP},
	{"ipaddr", WORD_IP | WORD_SURE},
	{"ipaddress", WORD_IP | WORD_SURE},
	{"ipv4", WORD_IP},
	{"ipv6", WORD_IP},
	{"ipv4x", WORD_IP},
	{"ipvsix", WORD_IP},
	{"ipvx", WORD_IP},
	{"addr", WORD_IP | WORD_SURE},
	{"address", WORD_IP | WORD_SURE},
	{"host", WORD_IP},
	{"h", WORD_IP},
	{"port", WORD_PORT | WORD_SURE},
	{"portno", WORD_PORT | WORD_SURE},
	{"pt", WORD_PORT},
	{"p", WORD_PORT | WORD_PER},
	{"mac", WORD_MAC | WORD_SURE},
	{"macaddr", WORD_MAC | WORD_SURE},
	{"oui", WORD_MAC | WORD_SURE},
	{"macaddress", WORD_MAC | WORD_SURE},
	{"hw", WORD_MAC},
	{"hwaddr", WORD_MAC | WORD_SURE},
	{"eth", WORD_LINK},
	{"ether", WORD_LINK},
	{"ethernet", WORD_LINK},
	{"wlan", WORD_LINK},
	{"arp", WORD_LINK},
	{"ttl", WORD_TTL},
	{"hlim", WORD_TTL},

	{"first", WORD_FIRST},
	{"start", WORD_FIRST},
	{"begin", WORD_FIRST},
	{"last", WORD_LAST},
	{"end", WORD_LAST},
	{"stop", WORD_LAST},
	{"time", WORD_TIME},
	{"seen", WORD_TIME},
	{"switched", WORD_TIME},
	{"stime", WORD_CLOCK | WORD_FIRST},
	{"starttime", WORD_CLOCK | WORD_FIRST},
	{"firsttime", WORD_CLOCK | WORD_FIRST},
	{"ltime", WORD_CLOCK | WORD_LAST},
	{"etime", WORD_CLOCK | WORD_LAST},
	{"endtime", WORD_CLOCK | WORD_LAST},
	{"lasttime", WORD_CLOCK | WORD_LAST},
	{"ts", WORD_CLOCK},
	{"tstamp", WORD_CLOCK},
	{"timestamp", WORD_CLOCK | WORD_STAMP},
	{"stamp", WORD_CLOCK | WORD_STAMP},
	{"datetime", WORD_CLOCK},
	{"date", WORD_CLOCK},
	{"epoch", WORD_CLOCK},
	{"utc", WORD_CLOCK},

	{"inner", WORD_APART},
	{"outer", WORD_APART},
	{"nat", WORD_APART},
	{"napt", WORD_APART},
	{"xlate", WORD_APART},
	{"post", WORD_APART},
	{"peer", WORD_APART},

	{"number", WORD_FORM | WORD_COUNT_FIRST},
	{"num", WORD_FORM | WORD_COUNT_FIRST},
	{"no", WORD_FORM | WORD_COUNT_FIRST},
	{"nr", WORD_FORM | WORD_COUNT_FIRST},
	{"int", WORD_FORM},
	{"integer", WORD_FORM},
	{"numeric", WORD_FORM},
	{"decimal", WORD_FORM},
	{"hex", WORD_FORM},
	{"hash", WORD_FORM},
	{"hashed", WORD_FORM},
	{"str", WORD_FORM},
	{"string", WORD_FORM},
	{"encoded", WORD_FORM},
	{"normalized", WORD_FORM},
	{"scaled", WORD_FORM},

	{"n", WORD_COUNT},
	{"ct", WORD_COUNT},
	{"count", WORD_COUNT},
	{"distinct", WORD_COUNT},
	{"unique", WORD_COUNT},
	{"nunique", WORD_COUNT},
	{"entropy", WORD_COUNT},
	{"same", WORD_COUNT},
	{"diff", WORD_COUNT},
	{"is", WORD_COUNT},
	{"has", WORD_COUNT},
	{"per", WORD_COUNT},
	{"bp", WORD_COUNT}, /* bytes per: TnBPSrcIP */

	{"transport", WORD_OTHER},
	{"tcp", WORD_OTHER},
	{"udp", WORD_OTHER},
	{"sctp", WORD_OTHER},
	{"l2", WORD_OTHER},
	{"l3", WORD_OTHER},
	{"l4", WORD_OTHER},
	{"id", WORD_OTHER},
	{"flow", WORD_OTHER},
	{"frame", WORD_OTHER},
	{"packet", WORD_OTHER},
	{"raw", WORD_OTHER},
	{"resolved", WORD_OTHER},
	{"fwd", WORD_OTHER},
	{"bwd", WORD_OTHER},
	{"bidirectional", WORD_OTHER},
	{"src2dst", WORD_OTHER},
	{"dst2src", WORD_OTHER},
	{"ns", WORD_OTHER},
	{"us", WORD_OTHER},
	{"ms", WORD_OTHER},
	{"sec", WORD_OTHER},
	{"seconds", WORD_OTHER},
	{"milliseconds", WORD_OTHER},
	{"microseconds", WORD_OTHER},
	{"nanoseconds", WORD_OTHER},
};

/* What a word of n letters is; 0: none of these. */
static uint32_t word_find(const char *text, size_t n)
{
	for (size_t i = 0; i < sizeof(known_words) / sizeof(known_words[0]); i++)
		if (strlen(known_words[i].text) == n && memcmp(known_words[i].text, text, n) == 0)
			return known_words[i].is;
	return 0;
}

/* The same of a word that may be two run together: an end and what of it, in any order. */
static uint32_t word_read(const char *text, size_t n)
{
	const uint32_t ends = WORD_SRC | WORD_DST, things = WORD_IP | WORD_PORT | WORD_MAC | WORD_TTL;
	uint32_t is = word_find(text, n);

	/* Two letters mean too many things. */
	for (size_t cut = 1; cut < n && is == 0 && n > 2; cut++) {
		uint32_t left = word_find(text, cut), right = word_find(text + cut, n - cut);

		if ((left & ends && right & things) || (left & things && right & ends && n - cut > 1))
			is = left | right;
	}
	return is;
}

/* How a name is cut into words, beside at what is no letter or digit. */
enum split {
	SPLIT_CAPITALS, /* at a capital behind a small letter or a digit: sourceIPv4Address */
	SPLIT_ACRONYMS, /* also at the last of several: NATSrcPort */
	SPLIT_NONE,	/* TimeStamp */
	SPLIT_N_WAYS,
};

/* What the words of a name are. */
struct name_words {
	uint32_t all;		     /* together */
	uint32_t first, last, prior; /* prior: the one before the last; words for the form are not last */
	bool is_known;		     /* all of them */
};

/* Whether a word begins at the letter, which is not the first of one. */
static bool is_word_begin(const char *at, enum split split)
{
	unsigned char before = (unsigned char)at[-1];

	if (split == SPLIT_NONE || !isupper((unsigned char)*at))
		return false;
	return islower(before) || isdigit(before) ||
	       (split == SPLIT_ACRONYMS && isupper(before) && islower((unsigned char)at[1]));
}

static struct name_words words_read(const char *name, enum split split)
{
	struct name_words words = {.is_known = true};

	for (bool is_first = true; *name != '\0'; is_first = false) {
		char word[NAME_BYTES];
		size_t n = 0;
		uint32_t is;

		while (*name != '\0' && !isalnum((unsigned char)*name))
			name++;
		while (isalnum((unsigned char)*name) && n < sizeof(word) && (n == 0 || !is_word_begin(name, split)))
			word[n++] = (char)tolower((unsigned char)*name++);
		if (n == 0)
			break;
		is = word_read(word, n);
		words.is_known &= is != 0;
		words.all |= is;
		if (is_first)
			words.first = is;
		if ((is & WORD_FORM) == 0) {
			words.prior = words.last;
			words.last = is;
		}
	}
	return words;
}

/* ---- Both ---- */

static const struct flow_column *ends_find(uint32_t is)
{
	static const struct flow_column addresses[] = {{NULL, ip, FLOW_COLUMN_NONE},
						       {NULL, ip, FLOW_COLUMN_SRC},
						       {NULL, ip, FLOW_COLUMN_DST}},
					ports[] = {{NULL, port, FLOW_COLUMN_NONE},
						   {NULL, port, FLOW_COLUMN_SRC_PORT},
						   {NULL, port, FLOW_COLUMN_DST_PORT}},
					hardware = {NULL, mac, FLOW_COLUMN_NONE};
	uint32_t side = (is & WORD_APART) != 0 ? 0 : (is & WORD_SRC) != 0 ? 1 : (is & WORD_DST) != 0 ? 2 : 0;

	if ((is & WORD_MAC) != 0 || ((is & WORD_LINK) != 0 && (is & (WORD_SIDE | WORD_IP)) != 0))
		return &hardware;
	if ((is & WORD_PORT) != 0)
		return &ports[side];
	return (is & (WORD_IP | WORD_SIDE)) != 0 ? &addresses[side] : NULL;
}

static const struct flow_column *times_find(uint32_t is)
{
	static const struct flow_column first = {NULL, timing, FLOW_COLUMN_START},
					last = {NULL, timing, FLOW_COLUMN_END};

	/* The first of some number is none. */
	if ((is & WORD_FORM) != 0 && (is & (WORD_TIME | WORD_CLOCK | WORD_STAMP)) == 0)
		return NULL;
	if ((is & WORD_LAST) != 0)
		return &last;
	return (is & (WORD_FIRST | WORD_CLOCK | WORD_STAMP)) != 0 ? &first : NULL;
}

/* What the words are of which some are not known, by how they end, or begin. */
static const struct flow_column *words_guess(const struct name_words *words)
{
	const uint32_t things = WORD_IP | WORD_PORT | WORD_MAC;

	if ((words->all & (WORD_COUNT | WORD_PER)) != 0)
		return NULL;
	/* mac_src_vendor */
	if ((words->first & WORD_MAC) != 0 && (words->first & WORD_SURE) != 0)
		return ends_find(WORD_MAC);
	if ((words->last & WORD_SURE) != 0)
		return ends_find((words->last & things) | WORD_APART);
	/* vip_src_ip, and not proto_ip */
	return (words->last & WORD_IP) != 0 && (words->prior & (WORD_SRC | WORD_DST)) != 0 ? ends_find(WORD_IP)
											   : NULL;
}

static const struct flow_column *words_find(const struct name_words *words)
{
	static const struct flow_column hops = {NULL, ttl, FLOW_COLUMN_NONE},
					stamp = {NULL, timing, FLOW_COLUMN_NONE};
	uint32_t is = words->all;

	/* Also beside other words: the least of the TTLs says as much, and what is stamped may be anything. */
	if ((is & WORD_TTL) != 0)
		return &hops;
	if (!words->is_known && (is & WORD_STAMP) != 0)
		return &stamp;
	if ((words->first & WORD_COUNT_FIRST) != 0)
		return NULL;
	if (!words->is_known)
		return words_guess(words);
	if ((is & ~(uint32_t)WORD_ENDS) == 0)
		return ends_find(is);
	return (is & ~(uint32_t)WORD_TIMES) == 0 ? times_find(is) : NULL;
}

const struct flow_column *flow_column_find(const char *name)
{
	static const struct flow_column plain = {.role = FLOW_COLUMN_NONE};
	char simple[NAME_BYTES];

	name_simplify(name, simple);
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		if (fnmatch(columns[i].pattern, simple, 0) == 0)
			return &columns[i];
	/* A letter alone says nothing. */
	for (int split = 0; split < SPLIT_N_WAYS && strlen(name) > 1; split++) {
		const struct name_words words = words_read(name, (enum split)split);
		const struct flow_column *found = words_find(&words);

		if (found != NULL)
			return found;
	}
	return &plain;
}
