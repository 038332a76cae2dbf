/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow_column.h"
#include "flow_csv.h"
#include "flow_features.h"
#include "table_file.h"

#define MAX_TABLES 4

static char error[512];

/* What came of reading some tables. */
struct reading {
	struct flow_dataset set;
	struct flow_csv *csv;
	const struct flow_csv_report *report;
	int rc;
};

#define NAMES(...)                                                                        \
	{                                                                                 \
		(const char *const[]){__VA_ARGS__},                                       \
			sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *) \
	}

static uint64_t n_refused(const struct flow_csv_report *report)
{
	uint64_t n = 0;

	for (int i = 0; i < FLOW_CSV_N_REASONS; i++)
		n += report->refused[i].n;
	return n;
}

static struct reading read_tables(const struct flow_csv_options *options, const char *const *texts, uint32_t n)
{
	struct reading reading = {.rc = 0};
	char *paths[MAX_TABLES];

	error[0] = '\0';
	for (uint32_t i = 0; i < n; i++)
		paths[i] = table_file_text(texts[i]);
	flow_dataset_init(&reading.set);
	assert_int_equal(flow_csv_create(options, &reading.csv, error, sizeof(error)), 0);
	reading.rc =
		flow_csv_read(reading.csv, (const char *const *)paths, n, &reading.set, NULL, error, sizeof(error));
	reading.report = flow_csv_report(reading.csv);
	if (reading.rc == 0) {
		assert_int_equal(reading.report->n_rows, reading.report->n_used + n_refused(reading.report));
		assert_int_equal(reading.report->n_used, reading.set.n_rows);
	}
	for (uint32_t i = 0; i < n; i++)
		table_file_remove(paths[i]);
	return reading;
}

static struct reading read_text(const struct flow_csv_options *options, const char *text)
{
	return read_tables(options, &text, 1);
}

static void reading_free(struct reading *reading)
{
	flow_csv_free(reading->csv);
	flow_dataset_free(&reading->set);
}

static const struct flow_csv_options defaults;

static void expect_features(const struct reading *reading, const char *expected)
{
	char text[1024] = "";

	assert_int_equal(reading->rc, 0);
	for (uint32_t i = 0; i < reading->set.n_features; i++) {
		strcat(text, i > 0 ? "," : "");
		strcat(text, reading->set.features[i]);
	}
	assert_string_equal(text, expected);
}

static void expect_error(const struct flow_csv_options *options, const char *text, const char *expected)
{
	struct reading reading = read_text(options, text);

	assert_int_equal(reading.rc, -EINVAL);
	if (strstr(error, expected) == NULL)
		fail_msg("'%s' is not in '%s'", expected, error);
	reading_free(&reading);
}

static float value(const struct reading *reading, size_t row, uint32_t feature)
{
	return reading->set.values[row * reading->set.n_features + feature];
}

/* ---- Rows ---- */

static void every_row_is_used_or_refused_for_a_reason(void **state)
{
	static const struct {
		const char *row;
		int reason; /* -1: used */
		const char *column, *value;
	} cases[] = {
		{"1,2,benign", -1, NULL, NULL},
		{" 1 ,\t2,  benign ", -1, NULL, NULL},
		{"-1.5e3,+.5,\"benign\"", -1, NULL, NULL},
		{"1,2", FLOW_CSV_COLUMNS, "", ""},
		{"1,2,benign,4", FLOW_CSV_COLUMNS, "", ""},
		{"1,2,\"benign", FLOW_CSV_QUOTES, "", ""},
		{"1,2,", FLOW_CSV_NO_LABEL, "label", ""},
		{"1,2,junk", FLOW_CSV_IGNORED_LABEL, "label", "junk"},
		{",2,benign", FLOW_CSV_MISSING, "a", ""},
		{"1,  ,benign", FLOW_CSV_MISSING, "b", "  "},
		{"1,x,benign", FLOW_CSV_TEXT, "b", "x"},
		{"1,2 3,benign", FLOW_CSV_TEXT, "b", "2 3"},
		{"0x10,2,benign", FLOW_CSV_TEXT, "a", "0x10"},
		{"-,2,benign", FLOW_CSV_TEXT, "a", "-"},
		{"1.2.3,2,benign", FLOW_CSV_TEXT, "a", "1.2.3"},
		{"nan,2,benign", FLOW_CSV_NAN, "a", "nan"},
		{"-NaN,2,benign", FLOW_CSV_NAN, "a", "-NaN"},
		{"1,inf,benign", FLOW_CSV_INFINITE, "b", "inf"},
		{"1,-Infinity,benign", FLOW_CSV_INFINITE, "b", "-Infinity"},
		{"1e39,2,benign", FLOW_CSV_INFINITE, "a", "1e39"},
		{"1e999,2,benign", FLOW_CSV_INFINITE, "a", "1e999"},
	};
	const struct flow_csv_options options = {.ignored = NAMES("j?nk")};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[256];
		struct reading reading;

		snprintf(text, sizeof(text), "a,b,label\n0,0,attack\n%s\n0,1,benign\n", cases[i].row);
		reading = read_text(&options, text);
		assert_int_equal(reading.rc, 0);
		assert_int_equal(reading.report->n_rows, 3);
		assert_int_equal(reading.report->n_used, cases[i].reason < 0 ? 3 : 2);
		if (cases[i].reason >= 0) {
			const struct flow_csv_refusal *refusal = &reading.report->refused[cases[i].reason];

			assert_int_equal(refusal->n, 1);
			assert_int_equal(refusal->line, 3);
			assert_string_equal(refusal->column, cases[i].column);
			assert_string_equal(refusal->value, cases[i].value);
		}
		reading_free(&reading);
	}
}

static void control_characters_in_names_are_blanks(void **state)
{
	struct reading reading = read_text(&defaults, "\"\na\x1b[2J\",label\n1,\"x\ny\t\"\n");

	(void)state;
	expect_features(&reading, "a [2J");
	assert_string_equal(reading.set.labels[0], "x y");
	reading_free(&reading);
}

static void a_label_that_is_too_long_is_refused(void **state)
{
	char text[1024], label[300];
	struct reading reading;

	(void)state;
	memset(label, 'x', sizeof(label) - 1);
	label[sizeof(label) - 1] = '\0';
	snprintf(text, sizeof(text), "a,label\n1,%s\n2,%s\n", label, label + 44);
	reading = read_text(&defaults, text);
	assert_int_equal(reading.report->refused[FLOW_CSV_TOO_LONG].n, 1);
	assert_int_equal(reading.set.n_rows, 1);
	reading_free(&reading);
}

/* The quick way and strtod must not differ in one bit. */
static void numbers_are_those_of_strtod(void **state)
{
	static const char *const numbers[] = {
		"0",
		"-0",
		"1",
		"0.1",
		"123456789.123456789",
		"9007199254740992",
		"9007199254740993",
		"0.000001",
		"1e-45",
		"3.4028234e38",
		"16777217",
		".5",
		"5.",
		"1e5",
		"0.30000000000000004",
		"123456789012345678901234567890",
		"-4.9e-324",
		"1000000000000000000",
		"99999999.99999999",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		char text[128];
		struct reading reading;
		float expected = (float)strtod(numbers[i], NULL);

		snprintf(text, sizeof(text), "a,label\n%s,x\n", numbers[i]);
		reading = read_text(&defaults, text);
		assert_int_equal(reading.set.n_rows, 1);
		assert_memory_equal(reading.set.values, &expected, sizeof(expected));
		reading_free(&reading);
	}
}

static void reading_stops_after_as_many_rows_as_were_asked_for(void **state)
{
	const struct flow_csv_options options = {.max_rows = 3};
	const char *const texts[] = {"a,label\n1,x\nz,x\n2,y\n", "a,label\n3,x\n4,y\n5,x\n"};
	struct reading reading = read_tables(&options, texts, 2);

	(void)state;
	assert_int_equal(reading.report->n_rows, 4);
	assert_int_equal(reading.set.n_rows, 3);
	assert_true(reading.report->is_cut);
	reading_free(&reading);
}

static void reading_stops_when_it_is_told_to(void **state)
{
	atomic_bool stop = true;
	struct reading reading = {.rc = 0};
	char *path = table_file_text("a,label\n1,x\n");

	(void)state;
	flow_dataset_init(&reading.set);
	assert_int_equal(flow_csv_create(&defaults, &reading.csv, error, sizeof(error)), 0);
	assert_int_equal(flow_csv_read(reading.csv, (const char *const *)&path, 1, &reading.set, &stop, error,
				       sizeof(error)),
			 -EINTR);
	table_file_remove(path);
	reading_free(&reading);
}

/* ---- Columns ---- */

static void who_where_and_when_are_no_features(void **state)
{
	struct reading reading = read_text(
		&defaults,
		"idx,eth_src,Src IP,\"Dst Port\",fwd_ttl,ip_id,tcp_seq,Timestamp,src_bytes,Label,Attack Cat,\n"
		"1,00:00:00:00:00:01,10.0.0.1,80,64,7,9,2020-01-01 00:00:00,5,BENIGN,x,0\n");

	(void)state;
	expect_features(&reading, "src_bytes");
	assert_int_equal(reading.report->n_columns, 11);
	assert_string_equal(reading.report->columns[0].why, "row number");
	assert_string_equal(reading.report->columns[1].why, "MAC address");
	assert_string_equal(reading.report->columns[3].name, "Dst Port");
	assert_string_equal(reading.report->columns[10].why, "row number");
	assert_int_equal(reading.set.n_rows, 1);
	assert_true(reading.set.rows[0].start_s == 1577836800);
	assert_int_not_equal(reading.set.rows[0].host, 0);
	reading_free(&reading);
}

/* As wireshark, Argus, Zeek, NetFlow, nfdump, NFStream, UNSW-NB15 and pandas call them. */
static void who_where_and_when_are_known_by_many_names(void **state)
{
	static const struct {
		const char *why, *names;
	} refused[] = {
		{"MAC address",
		 "eth.src,eth.dst,eth.addr,smac,dmac,src_mac,Dst MAC,src_oui,arp.src.hw_mac,wlan.sa,mac,station_mac,"
		 "ap_mac,mac_src_vendor,mac_dst,ether_src,arp_hwsrc,sourceMacAddress,postdestinationmacaddress,"
		 "stationMac,srcMacInt"},
		{"IP address",
		 "ip.src,ip.dst,ip.addr,ipv6.src,ip.src_host,srcip,dstip,SrcAddr,DstAddr,saddr,daddr,sa,da,"
		 "IPV4_SRC_ADDR,IPV6_DST_ADDR,id.orig_h,id.resp_h,Src IP Addr,Source IP,sip,dip,src,"
		 "destination,arp.src.proto_ipv4,arp_psrc,client_ip,local_addr,DstIP,inner_src_addr,outer_src_addr,"
		 "vip_dst_addr,peer_address,exporter_address,laddr,raddr,l_addr,faddr,src_ip_int,dip_int,sip_int,"
		 "dst_ip_numeric,SrcIPInt,vip_src_ip,ipv6_hop_src,ipv4_x_dst,ipvsix_src,ipv4_src,ip,src2.addr,"
		 "sourceIPv4Address,destinationIPv4Address,sourceIPv6Address,destinationipv6address,"
		 "postNATSourceIPv4Address,ipNextHopIPv4Address,bgpNextHopIPv6Address,sourceIPv4Prefix,"
		 "post_nat_saddr,nat_src_ip"},
		{"port",
		 "tcp.srcport,tcp.dstport,udp.srcport,udp.dstport,tcp.port,sport,dsport,dport,Sport,Src Pt,sp,dp,"
		 "L4_SRC_PORT,L4_DST_PORT,id.orig_p,id.resp_p,Destination Port,server_port,DstPort,nat_src_port,"
		 "xlate_dst_port,post_nat_dport,inner_src_port,inner_sport,vip_src_port,vip_dst_port,vip_sport,"
		 "vip_dport,port,lport,rport,l_port,fport,vip_port,dest_port_num,src_port_no,dst_port_hex,"
		 "sourceTransportPort,destinationTransportPort,sourcetransportport,udpSourcePort,"
		 "tcpdestinationport,postNAPTSourceTransportPort,NATSrcPort,exporterTransportPort,vipSport"},
		{"TTL",
		 "ip.ttl,ttl,sttl,dttl,sTtl,dTtl,MIN_TTL,MAX_TTL,ct_state_ttl,ipv6.hlim,ip_hop_limit,ttl_mean,ipTTL,"
		 "minimumTTL,x_hlim,hop_limit,x_hop_limit"},
		{"IP id",
		 "ip.id,ip_id,ipid,src_ip_id,ip.identification,ip_ident,ipIdentification,fragmentIdentification"},
		{"TCP sequence number",
		 "tcp.seq,tcp.seq_raw,tcp.nxtseq,tcp.ack,tcp.ack_raw,seq,stcpb,dtcpb,seqnum,Seq,x_ack_num,seq_num,"
		 "x_acknowledgement_number,x_sequence_number,tcpSequenceNumber,tcpAcknowledgementNumber"},
		{"clock",
		 "frame.time,frame.time_epoch,frame.time_relative,ts,te,stime,ltime,Stime,StartTime,LastTime,"
		 "Timestamp,Date first seen,FIRST_SWITCHED,LAST_SWITCHED,src2dst_first_seen_ms,"
		 "bidirectional_last_seen_ms,flow_start_milliseconds,time_end,datetime,tcp.options.timestamp.tsval,"
		 "TimeStamp,timeStamp,time_stamp,capture_timestamp,timestamp_x,start,end,date,first_seen,last_seen,"
		 "date_first_seen,start_time,end_time,time_start,starttime,endtime,lasttime,time,frame_time_ns,"
		 "flow_start_x,flow_end_x,flowStartMilliseconds,flowEndSysUpTime,flowstartseconds,StartTimeInt,"
		 "flowStartDeltaMicroseconds,observationTimeSeconds,systemInitTimeMilliseconds"},
		{"row number",
		 "frame.number,Unnamed: 0,Unnamed: 0.1,index,id,No.,row_id,pkSeqID,packet_number,raw_id,idx,no,row,"
		 "record_id"},
		{"name of the flow", "Flow ID,flowid,uid,community_id,tcp.stream,udp.stream"},
		{"label", "label,label_x,x_label,class,attack,attack_cat,category,subcategory,x_category"},
		{"name of the capture", "capture,src_file,filename"},
	};
	char names[2048], *rest, *name;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		snprintf(names, sizeof(names), "%s", refused[i].names);
		for (rest = names; (name = strsep(&rest, ",")) != NULL;) {
			const char *why = flow_column_find(name)->why;

			if (why == NULL || strcmp(why, refused[i].why) != 0)
				fail_msg("%s is %s, not %s", name, why != NULL ? why : "a feature", refused[i].why);
		}
	}
}

/* Also all features of public tables that name none of these: counts, rates, gaps, flags. */
static void what_only_sounds_like_it_is_a_feature(void **state)
{
	static const char *const plain[] = {
		"ct_srv_src,ct_dst_sport_ltm,ct_src_dport_ltm,is_sm_ips_ports,n_distinct_ports,duration,src2dst_packets,"
		"SrcBytes,sbytes,dload,sTos,dst_host_count,dst_host_same_src_port_rate,is_host_login,frame.len,"
		"frame.time_delta,frame.time_delta_displayed,tcp.time_delta,tcp.flags.ack,tcp.len,ip.len,ip.proto,"
		"eth.type,Flow Duration,Fwd IAT Total,Total TCP Flow Time,flow_end_reason,flowEndReason,src_port_entropy,"
		"port_count,start_delay,first_reply,first_syn,synack,tcprtt,upstream,sip_packets,packet_noise,Idle Min,p,"
		"h,s,d,TotPkts,time_ms,seq_errors,ship,num_pkts_out,initiator_ports,responder_ports,initiator_responders,"
		"n_dst_port,num_dst_port,unique_dst_port,distinct_peer_address,same_src_port,transport,report,passport,"
		"hmac,rip,rpt,lip,proto_ip,protocol_ip,service_sip,first_num,no_of_ports,int,num,scaled,hash,hex,peer,"
		"inner,nat,ports,viewports,macro,address_count,port_scan_rate,uptime",
		/* CICFlowMeter */
		"Protocol,Tot Fwd Pkts,Tot Bwd Pkts,TotLen Fwd Pkts,TotLen Bwd Pkts,Fwd Pkt Len Max,Fwd Pkt Len Std,"
		"Flow Byts/s,Flow Pkts/s,Flow IAT Mean,Flow IAT Max,Fwd IAT Tot,Bwd IAT Min,Fwd PSH Flags,Bwd URG Flags,"
		"Fwd Header Len,Bwd Header Len,Fwd Pkts/s,Pkt Len Var,FIN Flag Cnt,CWE Flag Count,ECE Flag Cnt,"
		"Down/Up Ratio,Pkt Size Avg,Fwd Seg Size Avg,Fwd Byts/b Avg,Bwd Blk Rate Avg,Subflow Fwd Pkts,"
		"Subflow Bwd Byts,Init Fwd Win Byts,FWD Init Win Bytes,Fwd Act Data Pkts,Fwd Seg Size Min,Active Mean,"
		"Idle Std,ICMP Code,ICMP Type,Average Packet Size,Packet Length Variance,Fwd Bulk Rate Avg,"
		"Total Connection Flow Time,Fwd RST Flags,act_data_pkt_fwd,min_seg_size_forward",
		/* UNSW-NB15 */
		"proto,state,dur,sbytes,dbytes,sloss,dloss,service,Sload,Dload,Spkts,Dpkts,swin,dwin,smeansz,dmeansz,"
		"trans_depth,res_bdy_len,Sjit,Djit,Sintpkt,Dintpkt,tcprtt,synack,ackdat,ct_flw_http_mthd,is_ftp_login,"
		"ct_ftp_cmd,ct_srv_dst,ct_dst_ltm,ct_src_ltm,ct_src_ ltm,ct_dst_src_ltm,rate,sinpkt,dinpkt,smean,dmean,"
		"response_body_len",
		/* NSL-KDD */
		"protocol_type,flag,src_bytes,dst_bytes,land,wrong_fragment,urgent,hot,num_failed_logins,logged_in,"
		"num_compromised,root_shell,su_attempted,num_root,num_file_creations,num_shells,num_access_files,"
		"num_outbound_cmds,is_guest_login,count,srv_count,serror_rate,srv_serror_rate,rerror_rate,"
		"same_srv_rate,diff_srv_rate,srv_diff_host_rate,dst_host_srv_count,dst_host_same_srv_rate,"
		"dst_host_diff_srv_rate,dst_host_srv_diff_host_rate,dst_host_serror_rate,dst_host_srv_rerror_rate",
		/* LUFlow, NetFlow as NF-UQ-NIDS has it, Bot-IoT */
		"avg_ipt,bytes_in,bytes_out,entropy,num_pkts_in,total_entropy,PROTOCOL,L7_PROTO,IN_BYTES,OUT_PKTS,"
		"TCP_FLAGS,CLIENT_TCP_FLAGS,SERVER_TCP_FLAGS,FLOW_DURATION_MILLISECONDS,DURATION_IN,LONGEST_FLOW_PKT,"
		"MIN_IP_PKT_LEN,SRC_TO_DST_SECOND_BYTES,SRC_TO_DST_AVG_THROUGHPUT,NUM_PKTS_UP_TO_128_BYTES,"
		"TCP_WIN_MAX_IN,ICMP_TYPE,DNS_QUERY_TYPE,FTP_COMMAND_RET_CODE,N_IN_Conn_P_SrcIP,N_IN_Conn_P_DstIP,"
		"TnP_PSrcIP,TnBPDstIP,TnP_PerProto,TnP_Per_Dport,AR_P_Proto_P_SrcIP,AR_P_Proto_P_Dport,"
		"AR_P_Proto_P_Sport,Pkts_P_State_P_Protocol_P_DestIP",
		/* IPFIX */
		"protocolIdentifier,octetDeltaCount,packetDeltaCount,octetTotalCount,tcpControlBits,"
		"ipClassOfService,flowDurationMilliseconds,minimumIpTotalLength,postIpDiffServCodePoint,"
		"initiatorOctets,tcpWindowSize,tcpSynTotalCount,icmpTypeCodeIPv4,ipVersion"};
	char names[2048], *rest, *name;

	(void)state;
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		snprintf(names, sizeof(names), "%s", plain[i]);
		for (rest = names; (name = strsep(&rest, ",")) != NULL;)
			if (flow_column_find(name)->why != NULL)
				fail_msg("%s is refused: %s", name, flow_column_find(name)->why);
	}
}

/* The ends of a flow are those of its own packets, not of what is inside or behind an address translator. */
static void only_a_flows_own_ends_name_it(void **state)
{
	static const struct {
		const char *name;
		enum flow_column_role role;
	} columns[] = {{"sourceIPv4Address", FLOW_COLUMN_SRC},
		       {"destinationipv6address", FLOW_COLUMN_DST},
		       {"sourceTransportPort", FLOW_COLUMN_SRC_PORT},
		       {"lport", FLOW_COLUMN_SRC_PORT},
		       {"destinationTransportPort", FLOW_COLUMN_DST_PORT},
		       {"TimeStamp", FLOW_COLUMN_START},
		       {"flowEndMilliseconds", FLOW_COLUMN_END},
		       {"src_ip_int", FLOW_COLUMN_SRC},
		       {"nat_src_port", FLOW_COLUMN_NONE},
		       {"inner_src_addr", FLOW_COLUMN_NONE},
		       {"vip_dst_port", FLOW_COLUMN_NONE},
		       {"postNATSourceIPv4Address", FLOW_COLUMN_NONE}};

	(void)state;
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		if (flow_column_find(columns[i].name)->role != columns[i].role)
			fail_msg("%s has the role %d", columns[i].name, flow_column_find(columns[i].name)->role);
}

static void forced_columns_are_features_and_are_told_of(void **state)
{
	const struct flow_csv_options options = {.forced = NAMES("src_port", "ttl", "start", "n")};
	struct reading reading = read_text(&options, "src_port,ttl,start,n,label\n"
						     "80,64,1970-01-02T00:00:01Z,5,x\n"
						     "http,64,7,5,x\n");

	(void)state;
	expect_features(&reading, "src_port,ttl,start,n");
	assert_int_equal(reading.set.n_rows, 1);
	assert_true(value(&reading, 0, 0) == 80);
	assert_true(value(&reading, 0, 2) == 86401);
	assert_int_equal(reading.report->refused[FLOW_CSV_TEXT].n, 1);
	assert_int_equal(reading.report->n_columns, 4);
	for (uint32_t i = 0; i < 3; i++)
		assert_true(reading.report->columns[i].is_forced);
	assert_false(reading.report->columns[3].is_forced); /* the label */
	reading_free(&reading);
}

/* A float has 24 bits: of 10.0.0.1 and 10.0.0.2 it would make one number. */
static void forced_addresses_are_words_and_no_numbers(void **state)
{
	static const char text[] = "mac,src_ip,a,label\n00:00:00:00:01:02,10.0.0.1,1,x\n"
				   "00-00-00-00-01-02,10.0.0.2,1,x\n00:00:00:00:01:02, ::1 ,1,x\n";
	const struct flow_csv_options as_numbers = {.forced = NAMES("src_ip")}, hardware = {.forced = NAMES("mac")};
	const struct flow_csv_options as_words = {.forced = NAMES("src_ip"), .symbolic = NAMES("src_ip")};
	struct reading reading = read_text(&as_numbers, text);

	(void)state;
	assert_int_equal(reading.set.n_rows, 0);
	assert_int_equal(reading.report->refused[FLOW_CSV_ADDRESS].n, 3);
	assert_string_equal(reading.report->refused[FLOW_CSV_ADDRESS].value, "10.0.0.1");
	reading_free(&reading);
	reading = read_text(&hardware, text);
	assert_int_equal(reading.report->refused[FLOW_CSV_ADDRESS].n, 3);
	reading_free(&reading);
	reading = read_text(&as_words, text);
	expect_features(&reading, "src_ip=10.0.0.1,src_ip=10.0.0.2,src_ip=::1,a");
	assert_int_equal(reading.set.n_rows, 3);
	assert_true(value(&reading, 1, 0) == 0 && value(&reading, 1, 1) == 1);
	reading_free(&reading);
}

/* Of our own features only the TTLs are refused; the table of names must not eat others. */
static void our_own_features_but_ttls_are_features(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < flow_features_n(); i++) {
		const char *name = flow_features_info(i)->name, *why = flow_column_find(name)->why;

		if (strcmp(name, "fwd_ttl") == 0 || strcmp(name, "bwd_ttl") == 0)
			assert_string_equal(why, "TTL");
		else if (why != NULL)
			fail_msg("%s is refused: %s", name, why);
	}
}

static void chosen_columns_are_read_in_the_order_given(void **state)
{
	const struct flow_csv_options options = {.features = NAMES("c", "a")};
	struct reading reading = read_text(&options, "a,b,c,label\n1,text,3,x\n");

	(void)state;
	expect_features(&reading, "c,a");
	assert_true(value(&reading, 0, 0) == 3 && value(&reading, 0, 1) == 1);
	reading_free(&reading);
	expect_error(&options, "a,b,label\n", "there is no column 'c'");
}

static void columns_that_cannot_be_are_named(void **state)
{
	const struct flow_csv_options ttl = {.features = NAMES("fwd_ttl")}, dropped = {.dropped = NAMES("z")},
				      forced = {.forced = NAMES("z")}, symbolic = {.symbolic = NAMES("z")},
				      label = {.label_column = "z"}, twice = {.features = NAMES("a", "a")},
				      word = {.features = NAMES("s"), .symbolic = NAMES("s")};

	(void)state;
	expect_error(&ttl, "fwd_ttl,label\n", "column 'fwd_ttl' is no feature (TTL); --force");
	expect_error(&dropped, "a,label\n", "no column 'z' that could be dropped");
	expect_error(&forced, "a,label\n", "no column 'z' that could be forced");
	expect_error(&symbolic, "a,label\n", "no column 'z' that could be symbolic");
	expect_error(&label, "a,label\n", "no column 'z' with labels");
	expect_error(&twice, "a,label\n", "one of them twice");
	expect_error(&word, "s,label\n", "column 's' holds words");
	expect_error(&defaults, "a,b\n", "no column is named label or class");
	expect_error(&defaults, "src,label\n", "no column can be a feature");
	expect_error(&defaults, "", "is empty");
	expect_error(&defaults, "a\rb,label\n", "a carriage return ends no line");
	expect_error(&defaults, "\"a,label\n", "quotes do not match");
}

static void a_column_named_twice_is_read_once(void **state)
{
	struct reading reading = read_text(&defaults, "a,b,a,label\n1,2,3,x\n");

	(void)state;
	expect_features(&reading, "a,b");
	assert_true(value(&reading, 0, 0) == 1);
	assert_string_equal(reading.report->columns[0].why, "named twice");
	reading_free(&reading);
}

static void tables_must_have_the_same_features_in_any_order(void **state)
{
	const char *const alike[] = {"a,b,label\n1,2,x\n", "label,idx,b,a\ny,1,4,3\n"};
	const char *const lacking[] = {"a,b,label\n1,2,x\n", "a,label\n1,x\n"};
	const char *const more[] = {"a,b,label\n1,2,x\n", "a,b,c,label\n1,2,3,x\n"};
	struct reading reading = read_tables(&defaults, alike, 2);

	(void)state;
	assert_int_equal(reading.set.n_rows, 2);
	assert_true(value(&reading, 1, 0) == 3 && value(&reading, 1, 1) == 4);
	assert_int_equal(reading.set.n_sources, 2);
	reading_free(&reading);
	reading = read_tables(&defaults, lacking, 2);
	assert_int_equal(reading.rc, -EINVAL);
	assert_non_null(strstr(error, "there is no column 'b', other than /tmp/wirescore-table-"));
	reading_free(&reading);
	reading = read_tables(&defaults, more, 2);
	assert_int_equal(reading.rc, -EINVAL);
	assert_non_null(strstr(error, "there is a column 'c', other than /tmp/wirescore-table-"));
	reading_free(&reading);
}

/* ---- Columns of words ---- */

static void words_become_columns_in_the_order_of_their_names(void **state)
{
	const struct flow_csv_options options = {.symbolic = NAMES("s")};
	const char *const texts[] = {"a,s,label\n1,tcp,x\n2,,x\n", "a,s,label\n3,icmp,x\n4, udp ,x\n"};
	struct reading reading = read_tables(&options, texts, 2);

	(void)state;
	expect_features(&reading, "a,s=icmp,s=tcp,s=udp");
	assert_int_equal(reading.set.n_rows, 3);
	assert_int_equal(reading.report->refused[FLOW_CSV_MISSING].n, 1);
	for (uint32_t row = 0; row < 3; row++)
		for (uint32_t word = 1; word < 4; word++)
			assert_true(value(&reading, row, word) == (word == (uint32_t[]){2, 1, 3}[row] ? 1 : 0));
	reading_free(&reading);
}

static void words_that_no_feature_stands_for_are_counted(void **state)
{
	const struct flow_csv_options options = {.features = NAMES("s=udp", "a", "s=tcp"), .symbolic = NAMES("s")};
	struct reading reading = read_text(&options, "a,s,label\n1,tcp,x\n2,icmp,x\n3,udp,x\n");

	(void)state;
	expect_features(&reading, "s=udp,a,s=tcp");
	assert_int_equal(reading.report->n_unknown_symbols, 1);
	assert_true(value(&reading, 0, 0) == 0 && value(&reading, 0, 2) == 1);
	assert_true(value(&reading, 1, 0) == 0 && value(&reading, 1, 2) == 0);
	assert_true(value(&reading, 2, 0) == 1 && value(&reading, 2, 2) == 0);
	reading_free(&reading);
}

static void too_many_words_are_refused(void **state)
{
	const struct flow_csv_options options = {.symbolic = NAMES("s")};
	char text[8192], *at = text + sprintf(text, "s,label\n");

	(void)state;
	for (int i = 0; i < FLOW_CSV_MAX_SYMBOLS + 1; i++)
		at += sprintf(at, "w%d,x\n", i);
	expect_error(&options, text, "more than 256 different values");
}

/* ---- Labels and classes ---- */

static void labels_become_classes_as_asked_for(void **state)
{
	static const char text[] = "a,label\n1,scan-port\n2,BENIGN\n3,flood-syn\n4,scan-host\n";
	struct flow_csv_options options = defaults;
	struct reading reading = read_text(&options, text);

	(void)state;
	assert_int_equal(reading.set.n_classes, 2);
	assert_string_equal(reading.set.classes[0], "benign");
	assert_string_equal(reading.set.classes[1], "attack");
	assert_int_equal(reading.set.rows[0].class, 1);
	assert_int_equal(reading.set.rows[1].class, 0);
	assert_string_equal(reading.set.labels[reading.set.rows[1].label], "BENIGN");
	reading_free(&reading);
	options.classes.mapping = FLOW_CLASSES_GROUP;
	reading = read_text(&options, text);
	assert_int_equal(reading.set.n_classes, 3);
	assert_string_equal(reading.set.classes[1], "flood");
	assert_string_equal(reading.set.classes[2], "scan");
	assert_int_equal(reading.set.rows[0].class, 2);
	assert_int_equal(reading.set.rows[2].class, 1);
	reading_free(&reading);
	options.classes.mapping = FLOW_CLASSES_LABEL;
	reading = read_text(&options, text);
	assert_int_equal(reading.set.n_classes, 4);
	assert_string_equal(reading.set.classes[3], "scan-port");
	assert_int_equal(reading.set.rows[0].class, 3);
	reading_free(&reading);
}

/* Neither a class that only refused rows have, nor one whose label is ignored, is an output of a model. */
static void refused_rows_leave_no_label_and_no_class(void **state)
{
	const struct flow_csv_options options = {.classes.mapping = FLOW_CLASSES_LABEL, .ignored = NAMES("JUNK")};
	struct reading reading =
		read_text(&options, "a,label\nnan,flood-syn\n1,scan-port\n2,junk\n,beacon\n3,benign\n"
				    "x,benign\n4,scan-port\n");

	(void)state;
	assert_int_equal(reading.set.n_rows, 3);
	assert_int_equal(reading.set.n_labels, 2);
	assert_string_equal(reading.set.labels[0], "scan-port");
	assert_string_equal(reading.set.labels[1], "benign");
	assert_int_equal(reading.set.n_classes, 2);
	assert_string_equal(reading.set.classes[0], "benign");
	assert_string_equal(reading.set.classes[1], "scan-port");
	assert_int_equal(reading.set.rows[0].class, 1);
	assert_int_equal(reading.set.rows[1].class, 0);
	assert_int_equal(reading.set.rows[2].label, 0);
	assert_int_equal(n_refused(reading.report), 4);
	assert_int_equal(reading.report->n_lost_labels, 2);
	assert_string_equal(reading.report->lost_label, "flood-syn");
	reading_free(&reading);
}

static void the_user_says_what_is_benign_and_what_is_ignored(void **state)
{
	static const char text[] =
		"avg_ipt,bytes_in,total_entropy,time_start,label\n"
		"1,2,3,159416823142178,outlier\n1,2,3,159416821664784,benign\n1,2,3,,malicious\n";
	struct flow_csv_options options = defaults;
	struct reading reading = read_text(&options, text);

	(void)state;
	assert_string_equal(reading.report->format, "luflow");
	assert_int_equal(reading.report->refused[FLOW_CSV_IGNORED_LABEL].n, 1);
	assert_int_equal(reading.report->n_unknown_times, 1);
	/* The zero at the end is not in the table. */
	assert_true(reading.set.rows[0].start_s == 1594168216647840 * 1e-6);
	reading_free(&reading);
	options.ignored = (struct flow_dataset_names){(const char *const[]){NULL}, 0};
	reading = read_text(&options, text);
	assert_int_equal(reading.set.n_rows, 3);
	assert_int_equal(reading.set.rows[0].class, 1);
	reading_free(&reading);
	options = (struct flow_csv_options){.classes.benign = NAMES("out*", "benign")};
	reading = read_text(&options, text);
	assert_int_equal(reading.set.n_rows, 3);
	assert_int_equal(reading.set.rows[0].class, 0);
	reading_free(&reading);
}

static void a_label_can_be_given_to_rows_without_one(void **state)
{
	const struct flow_csv_options options = {.label = "flood-syn"};
	struct reading reading = read_text(&options, "a,b\n1,2\n");

	(void)state;
	assert_string_equal(reading.set.labels[0], "flood-syn");
	reading_free(&reading);
	reading = read_text(&options, "a,label\n1,\n2,benign\n");
	assert_int_equal(reading.set.n_rows, 2);
	assert_string_equal(reading.set.labels[1], "benign");
	reading_free(&reading);
}

static void too_many_labels_are_an_error(void **state)
{
	char *text = malloc(70000 * 10), *at = text + sprintf(text, "a,label\n");

	(void)state;
	for (int i = 0; i < 65536; i++)
		at += sprintf(at, "0,%d\n", i);
	expect_error(&defaults, text, "more than 65535 different labels: is 'label' the column");
	at = text + sprintf(text, "a,label\n");
	for (int i = 0; i < 300; i++)
		at += sprintf(at, "0,x%d\n", i);
	{
		const struct flow_csv_options options = {.classes.mapping = FLOW_CLASSES_LABEL};

		expect_error(&options, text, "more than 255 classes");
	}
	free(text);
}

/* ---- Formats ---- */

static void rows_of_one_flow_share_its_hash(void **state)
{
	static const char text[] =
		"flow_id,src,dst,src_port,dst_port,protocol,vlan,start,end,slice,checkpoint,reason,capture,label,packets\n"
		"aa,10.0.0.1,10.0.0.2,5,80,6,,100.5,100.5,0,1,checkpoint,/x/one.pcap,benign,1\n"
		"aa,10.0.0.1,10.0.0.2,5,80,6,,100.5,107,0,end,fin,/x/one.pcap,benign,7\n"
		"bb,10.0.0.2,10.0.0.1,80,5,6,,108,108,0,end,idle,/x/one.pcap,benign,1\n"
		"aa,10.0.0.1,10.0.0.2,5,80,6,,,,0,end,fin,two.pcap,scan-port,7\n";
	struct reading reading = read_text(&defaults, text);
	const struct flow_dataset_row *rows = reading.set.rows;

	(void)state;
	expect_features(&reading, "packets");
	assert_string_equal(reading.report->format, "wirescore");
	assert_int_equal(rows[0].flow, rows[1].flow);
	assert_int_not_equal(rows[0].flow, rows[2].flow);
	assert_int_not_equal(rows[0].flow, rows[3].flow); /* another capture */
	assert_int_equal(rows[0].host, rows[1].host);
	assert_int_not_equal(rows[0].host, rows[2].host);
	assert_int_equal(rows[0].host, rows[3].host);
	assert_true(rows[0].is_part && rows[2].is_part);
	assert_int_equal(rows[0].checkpoint, 1);
	assert_int_equal(rows[1].checkpoint, 0);
	assert_true(rows[0].start_s == 100.5 && isnan(rows[3].start_s));
	assert_int_equal(reading.report->n_unknown_times, 1);
	assert_int_equal(reading.set.n_sources, 2);
	assert_string_equal(reading.set.sources[0], "one.pcap");
	assert_int_equal(rows[3].source, 1);
	reading_free(&reading);
}

/* The same ends and the same start are the same flow in any table, however they are written; else they are not. */
static void a_flow_has_a_twin_in_another_table(void **state)
{
	static const char head[] = "src_ip,dst_ip,src_port,dst_port,proto,ts,bytes,label\n";
	char texts[2][512];
	const char *const tables[] = {texts[0], texts[1]};
	struct reading reading;
	const struct flow_dataset_row *rows;

	(void)state;
	snprintf(texts[0], sizeof(texts[0]), "%s%s", head,
		 "fe80::1,10.0.0.2,5,80,6,1600000000.25,1,benign\n"
		 "fe80::1,10.0.0.2,5,80,6,1600000009.25,1,benign\n"
		 "fe80::1,10.0.0.2,5,80,6,,1,benign\n");
	snprintf(texts[1], sizeof(texts[1]), "%s%s", head,
		 "10.0.0.2,fe80:0:0::1,80,5,6,1600000000.250,1,benign\n"
		 "10.0.0.2,fe80::1,80,5,17,1600000000.250,1,benign\n"
		 "fe80:0::1,10.0.0.2,5,80,6,,1,benign\n");
	reading = read_tables(&defaults, tables, 2);
	rows = reading.set.rows;
	assert_int_equal(reading.set.n_rows, 6);
	assert_int_not_equal(rows[0].twin, 0);
	assert_int_equal(rows[0].twin, rows[3].twin);
	assert_int_not_equal(rows[0].twin, rows[1].twin);
	assert_int_not_equal(rows[0].twin, rows[4].twin);
	assert_true(rows[2].twin == 0 && rows[5].twin == 0);
	/* In one table flows of the same ends stay together, but are no parts of one. */
	assert_int_equal(rows[0].flow, rows[1].flow);
	assert_int_equal(rows[0].flow, rows[2].flow);
	assert_int_not_equal(rows[0].flow, rows[3].flow);
	assert_false(rows[0].is_part);
	assert_int_equal(rows[0].host, rows[5].host);
	assert_int_equal(rows[3].host, rows[4].host);
	assert_int_not_equal(rows[0].host, rows[3].host);
	reading_free(&reading);
}

static void nslkdd_is_known_by_its_rows(void **state)
{
	static const char row[] =
		"0,%s,http,SF,1,2,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,8,8,0,0,0,0,1,0,0,255,255,1,0,0,0,0,0,"
		"0,0,%s,21\n";
	char text[1024];
	int n = snprintf(text, sizeof(text), row, "tcp", "normal");
	struct reading reading;

	(void)state;
	snprintf(text + n, sizeof(text) - (size_t)n, row, "udp", "neptune");
	reading = read_text(&defaults, text);
	assert_string_equal(reading.report->format, "nslkdd");
	assert_int_equal(reading.set.n_rows, 2);
	assert_int_equal(reading.set.n_features, 38 + 2 + 1 + 1);
	assert_string_equal(reading.set.features[1], "protocol_type=tcp");
	assert_string_equal(reading.set.features[2], "protocol_type=udp");
	assert_string_equal(reading.set.features[3], "service=http");
	assert_int_equal(reading.set.rows[0].class, 0);
	assert_int_equal(reading.set.rows[1].class, 1);
	reading_free(&reading);
}

static void antinex_keeps_what_is_missing_as_a_value(void **state)
{
	struct reading reading = read_text(
		&defaults, "idx,eth_id,eth_type,ip_ihl,raw_id,tcp_seq,tcp_fields_options.MSS,label_value\n"
			   "0,,2048,5,,1,-1.0,0\n1,-1.0,2048,,7,1,,1\n");

	(void)state;
	assert_string_equal(reading.report->format, "antinex");
	expect_features(&reading, "eth_type,ip_ihl,tcp_fields_options.MSS");
	assert_int_equal(reading.set.n_rows, 2);
	assert_true(value(&reading, 0, 2) == -1 && value(&reading, 1, 2) == -1 && value(&reading, 1, 1) == -1);
	assert_int_equal(reading.set.rows[0].class, 0);
	assert_int_equal(reading.set.rows[1].class, 1);
	reading_free(&reading);
}

static void cicids2017_leaves_attempts_out(void **state)
{
	struct reading reading = read_text(
		&defaults, "Flow ID,Src IP,Dst IP,Flow Duration,Flow IAT Mean,Timestamp,Label,Attempted Category\n"
			   "x,10.0.0.1,10.0.0.2,1,2,2017-07-07 12:59:21.5,BENIGN,-1\n"
			   "y,10.0.0.1,10.0.0.2,1,2,2017-07-07 12:59:21.5,DoS Hulk - Attempted,0\n"
			   "z,10.0.0.1,10.0.0.2,1,2,7/7/2017 5:00,DoS Hulk,-1\n");

	(void)state;
	assert_string_equal(reading.report->format, "cicids2017");
	expect_features(&reading, "Flow Duration,Flow IAT Mean");
	assert_int_equal(reading.report->refused[FLOW_CSV_IGNORED_LABEL].n, 1);
	assert_int_equal(reading.set.n_rows, 2);
	assert_true(reading.set.rows[0].start_s == 1499432361.5);
	assert_int_equal(reading.report->n_unknown_times, 1);
	reading_free(&reading);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_used_or_refused_for_a_reason),
		cmocka_unit_test(control_characters_in_names_are_blanks),
		cmocka_unit_test(a_label_that_is_too_long_is_refused),
		cmocka_unit_test(numbers_are_those_of_strtod),
		cmocka_unit_test(reading_stops_after_as_many_rows_as_were_asked_for),
		cmocka_unit_test(reading_stops_when_it_is_told_to),
		cmocka_unit_test(who_where_and_when_are_no_features),
		cmocka_unit_test(who_where_and_when_are_known_by_many_names),
		cmocka_unit_test(what_only_sounds_like_it_is_a_feature),
		cmocka_unit_test(only_a_flows_own_ends_name_it),
		cmocka_unit_test(forced_columns_are_features_and_are_told_of),
		cmocka_unit_test(forced_addresses_are_words_and_no_numbers),
		cmocka_unit_test(our_own_features_but_ttls_are_features),
		cmocka_unit_test(chosen_columns_are_read_in_the_order_given),
		cmocka_unit_test(columns_that_cannot_be_are_named),
		cmocka_unit_test(a_column_named_twice_is_read_once),
		cmocka_unit_test(tables_must_have_the_same_features_in_any_order),
		cmocka_unit_test(words_become_columns_in_the_order_of_their_names),
		cmocka_unit_test(words_that_no_feature_stands_for_are_counted),
		cmocka_unit_test(too_many_words_are_refused),
		cmocka_unit_test(labels_become_classes_as_asked_for),
		cmocka_unit_test(refused_rows_leave_no_label_and_no_class),
		cmocka_unit_test(the_user_says_what_is_benign_and_what_is_ignored),
		cmocka_unit_test(a_label_can_be_given_to_rows_without_one),
		cmocka_unit_test(too_many_labels_are_an_error),
		cmocka_unit_test(rows_of_one_flow_share_its_hash),
		cmocka_unit_test(a_flow_has_a_twin_in_another_table),
		cmocka_unit_test(nslkdd_is_known_by_its_rows),
		cmocka_unit_test(antinex_keeps_what_is_missing_as_a_value),
		cmocka_unit_test(cicids2017_leaves_attempts_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
