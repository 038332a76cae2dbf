/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of columns that are no features, in every format. Called by flow_csv.c.
 *
 * Each of these says who, where or when. In the captures that a model learns from they tell the classes apart better
 * than anything else, and nowhere else at all.
 */
#include "flow_column.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stddef.h>

#define NAME_BYTES 128

static const char mac[] = "MAC address", ip[] = "IP address", port[] = "port", ttl[] = "TTL", ip_id[] = "IP id",
		  tcp_seq[] = "TCP sequence number", timing[] = "clock", row[] = "row number",
		  flow[] = "name of the flow", label[] = "label", file[] = "name of the capture";

/* The first that matches counts. */
static const struct flow_column columns[] = {
	{"eth_src", mac, FLOW_COLUMN_NONE},
	{"eth_dst", mac, FLOW_COLUMN_NONE},
	{"ether_src", mac, FLOW_COLUMN_NONE},
	{"ether_dst", mac, FLOW_COLUMN_NONE},
	{"arp_hwsrc", mac, FLOW_COLUMN_NONE},
	{"arp_hwdst", mac, FLOW_COLUMN_NONE},
	{"smac", mac, FLOW_COLUMN_NONE},
	{"dmac", mac, FLOW_COLUMN_NONE},
	{"mac", mac, FLOW_COLUMN_NONE},
	{"mac_*", mac, FLOW_COLUMN_NONE},
	{"*_mac", mac, FLOW_COLUMN_NONE},

	{"src", ip, FLOW_COLUMN_SRC},
	{"src_ip", ip, FLOW_COLUMN_SRC},
	{"ip_src", ip, FLOW_COLUMN_SRC},
	{"srcip", ip, FLOW_COLUMN_SRC},
	{"src_addr", ip, FLOW_COLUMN_SRC},
	{"srcaddr", ip, FLOW_COLUMN_SRC},
	{"saddr", ip, FLOW_COLUMN_SRC},
	{"source", ip, FLOW_COLUMN_SRC},
	{"source_ip", ip, FLOW_COLUMN_SRC},
	{"id_orig_h", ip, FLOW_COLUMN_SRC},
	{"*_src_addr", ip, FLOW_COLUMN_SRC},
	{"dst", ip, FLOW_COLUMN_DST},
	{"dst_ip", ip, FLOW_COLUMN_DST},
	{"ip_dst", ip, FLOW_COLUMN_DST},
	{"dstip", ip, FLOW_COLUMN_DST},
	{"dst_addr", ip, FLOW_COLUMN_DST},
	{"dstaddr", ip, FLOW_COLUMN_DST},
	{"daddr", ip, FLOW_COLUMN_DST},
	{"dest_ip", ip, FLOW_COLUMN_DST},
	{"destination", ip, FLOW_COLUMN_DST},
	{"destination_ip", ip, FLOW_COLUMN_DST},
	{"id_resp_h", ip, FLOW_COLUMN_DST},
	{"*_dst_addr", ip, FLOW_COLUMN_DST},
	{"ip", ip, FLOW_COLUMN_NONE},
	{"ipv[46x]*_src", ip, FLOW_COLUMN_NONE},
	{"ipv[46x]*_dst", ip, FLOW_COLUMN_NONE},
	{"ipvsix_src", ip, FLOW_COLUMN_NONE},
	{"ipvsix_dst", ip, FLOW_COLUMN_NONE},
	{"*_address", ip, FLOW_COLUMN_NONE},

	{"src_port", port, FLOW_COLUMN_SRC_PORT},
	{"source_port", port, FLOW_COLUMN_SRC_PORT},
	{"srcport", port, FLOW_COLUMN_SRC_PORT},
	{"sport", port, FLOW_COLUMN_SRC_PORT},
	{"src_pt", port, FLOW_COLUMN_SRC_PORT},
	{"id_orig_p", port, FLOW_COLUMN_SRC_PORT},
	{"*_src_port", port, FLOW_COLUMN_SRC_PORT},
	{"*_sport", port, FLOW_COLUMN_SRC_PORT},
	{"dst_port", port, FLOW_COLUMN_DST_PORT},
	{"dest_port", port, FLOW_COLUMN_DST_PORT},
	{"destination_port", port, FLOW_COLUMN_DST_PORT},
	{"dstport", port, FLOW_COLUMN_DST_PORT},
	{"dport", port, FLOW_COLUMN_DST_PORT},
	{"dst_pt", port, FLOW_COLUMN_DST_PORT},
	{"id_resp_p", port, FLOW_COLUMN_DST_PORT},
	{"*_dst_port", port, FLOW_COLUMN_DST_PORT},
	{"*_dport", port, FLOW_COLUMN_DST_PORT},
	{"port", port, FLOW_COLUMN_NONE},

	{"ttl", ttl, FLOW_COLUMN_NONE},
	{"sttl", ttl, FLOW_COLUMN_NONE},
	{"dttl", ttl, FLOW_COLUMN_NONE},
	{"ttl_*", ttl, FLOW_COLUMN_NONE},
	{"*_ttl", ttl, FLOW_COLUMN_NONE},
	{"hop_limit", ttl, FLOW_COLUMN_NONE},
	{"*_hop_limit", ttl, FLOW_COLUMN_NONE},
	{"*_hlim", ttl, FLOW_COLUMN_NONE},

	{"ip_id", ip_id, FLOW_COLUMN_NONE},
	{"ipid", ip_id, FLOW_COLUMN_NONE},
	{"*_ip_id", ip_id, FLOW_COLUMN_NONE},
	{"ip_ident*", ip_id, FLOW_COLUMN_NONE},

	{"tcp_seq*", tcp_seq, FLOW_COLUMN_NONE},
	{"tcp_ack", tcp_seq, FLOW_COLUMN_NONE},
	{"tcp_ack_raw", tcp_seq, FLOW_COLUMN_NONE},
	{"*ack_num*", tcp_seq, FLOW_COLUMN_NONE},
	{"*acknowledg*ment_num*", tcp_seq, FLOW_COLUMN_NONE},
	{"seq", tcp_seq, FLOW_COLUMN_NONE},
	{"seq_num*", tcp_seq, FLOW_COLUMN_NONE},
	{"*sequence_num*", tcp_seq, FLOW_COLUMN_NONE},
	{"stcpb", tcp_seq, FLOW_COLUMN_NONE},
	{"dtcpb", tcp_seq, FLOW_COLUMN_NONE},

	{"start", timing, FLOW_COLUMN_START},
	{"timestamp", timing, FLOW_COLUMN_START},
	{"start_time", timing, FLOW_COLUMN_START},
	{"time_start", timing, FLOW_COLUMN_START},
	{"starttime", timing, FLOW_COLUMN_START},
	{"stime", timing, FLOW_COLUMN_START},
	{"ts", timing, FLOW_COLUMN_START},
	{"first_seen", timing, FLOW_COLUMN_START},
	{"date_first_seen", timing, FLOW_COLUMN_START},
	{"flow_start*", timing, FLOW_COLUMN_START},
	{"time", timing, FLOW_COLUMN_START},
	{"datetime", timing, FLOW_COLUMN_START},
	{"end", timing, FLOW_COLUMN_END},
	{"end_time", timing, FLOW_COLUMN_END},
	{"time_end", timing, FLOW_COLUMN_END},
	{"endtime", timing, FLOW_COLUMN_END},
	{"lasttime", timing, FLOW_COLUMN_END},
	{"ltime", timing, FLOW_COLUMN_END},
	{"last_seen", timing, FLOW_COLUMN_END},
	{"flow_end*", timing, FLOW_COLUMN_END},
	{"date", timing, FLOW_COLUMN_NONE},
	{"timestamp_*", timing, FLOW_COLUMN_NONE},
	{"*_timestamp", timing, FLOW_COLUMN_NONE},
	{"frame_time*", timing, FLOW_COLUMN_NONE},

	{"flow_id", flow, FLOW_COLUMN_FLOW},
	{"flowid", flow, FLOW_COLUMN_FLOW},
	{"uid", flow, FLOW_COLUMN_FLOW},
	{"community_id", flow, FLOW_COLUMN_FLOW},

	/* Also a column without a name, as index columns have none. */
	{"", row, FLOW_COLUMN_NONE},
	{"idx", row, FLOW_COLUMN_NONE},
	{"index", row, FLOW_COLUMN_NONE},
	{"id", row, FLOW_COLUMN_NONE},
	{"no", row, FLOW_COLUMN_NONE},
	{"row", row, FLOW_COLUMN_NONE},
	{"row_*", row, FLOW_COLUMN_NONE},
	{"unnamed_0", row, FLOW_COLUMN_NONE},
	{"record_id", row, FLOW_COLUMN_NONE},
	{"pkseqid", row, FLOW_COLUMN_NONE},

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

const struct flow_column *flow_column_find(const char *name)
{
	static const struct flow_column plain = {.role = FLOW_COLUMN_NONE};
	char simple[NAME_BYTES];

	name_simplify(name, simple);
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		if (fnmatch(columns[i].pattern, simple, 0) == 0)
			return &columns[i];
	return &plain;
}
