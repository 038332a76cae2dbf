/* SPDX-License-Identifier: BSD-3-Clause */
#include "flow_record.h"

#include "packet.h"
#include "text.h"

/* Room that a line of NDJSON, or of Joy's without its packets, needs beside the strings of its format. */
#define FLOW_LINE_BYTES 768
/* ... Joy's first line, and one packet in Joy's lists. */
#define JOY_HEAD_BYTES	 256
#define JOY_LISTED_BYTES 64

static char *put_field(char *at, const char *key, uint64_t number)
{
	return text_put_number(text_put(at, key), number);
}

/* TCP flags as letters. */
static char *put_tcp_letters(char *at, uint8_t flags)
{
	static const char letters[] = "FSRPAUEC"; /* bit 0 first */

	for (int i = 0; i < 8; i++)
		if (flags >> i & 1)
			*at++ = letters[i];
	return at;
}

/* ... in quotes. */
static char *put_tcp_flags(char *at, uint8_t flags)
{
	*at++ = '"';
	at = put_tcp_letters(at, flags);
	*at++ = '"';
	return at;
}

/* The address of an endpoint of the key, in quotes. */
static char *put_endpoint(char *at, const char *key, const struct flow_key *flow_key, uint32_t endpoint)
{
	at = text_put(at, key);
	*at++ = '"';
	at = text_put_address(at, flow_key->address[endpoint], flow_key_is_ipv4(flow_key));
	*at++ = '"';
	return at;
}

static char *put_network(char *at, const struct flow *flow)
{
	at = text_put(at, ",\"vlan\":");
	at = flow->bits & FLOW_VLAN ? text_put_number(at, flow_vlan(flow)) : text_put(at, "null");
	if (flow->bits & FLOW_TUNNEL)
		at = put_field(at, ",\"tunnel_id\":", flow->key.scope_id);
	return at;
}

size_t flow_record_ndjson_room(const struct flow_record_format *format)
{
	size_t longest = 0;

	for (uint32_t i = 0; format->classes && i < format->n_classes; i++)
		longest = strlen(format->classes[i]) > longest ? strlen(format->classes[i]) : longest;
	return FLOW_LINE_BYTES + longest + (format->capture ? strlen(format->capture) : 0) +
	       text_sensor_room(format->sensor);
}

/* What a model said. The score is the probability that the logit stands for. */
static char *put_verdict(char *at, const struct flow_record *record, const struct flow_record_format *format)
{
	if (!format->classes || isnan(record->logit))
		return text_put(at,
				"null,\"score\":null,\"logit\":null,\"verdict_packet\":null,\"verdict_at\":null");
	at = text_put(at, format->classes[record->class]);
	at = text_put_score(text_put(at, ",\"score\":"), flow_record_score(record));
	at = text_put_double(text_put(at, ",\"logit\":"), (double)record->logit);
	at = put_field(at, ",\"verdict_packet\":", record->verdict_packet);
	return text_put(at,
			record->is_verdict_of_end ? ",\"verdict_at\":\"end\"" : ",\"verdict_at\":\"checkpoint\"");
}

size_t flow_record_ndjson(const struct flow_record *record, const struct flow_record_format *format, char *text)
{
	const struct flow *flow = &record->flow;
	const struct flow_side *forward = &flow->side[FLOW_FORWARD], *backward = &flow->side[FLOW_BACKWARD];
	uint32_t initiator = flow_initiator(flow);
	char *at = text_put(text, "{");

	if (format->capture) {
		at = text_put(at, "\"capture\":");
		at = text_put(at, format->capture);
		at = text_put(at, ",");
	}
	at = text_put_sensor(at, format->sensor);
	at = text_put(at, "\"flow_id\":\"");
	at = text_put_hex64(at, flow_id(flow));
	at = put_endpoint(at, "\",\"src\":", &flow->key, initiator);
	at = put_endpoint(at, ",\"dst\":", &flow->key, 1 - initiator);
	at = put_field(at, ",\"src_port\":", flow->key.port[initiator]);
	at = put_field(at, ",\"dst_port\":", flow->key.port[1 - initiator]);
	at = put_field(at, ",\"protocol\":", flow->key.protocol);
	at = put_network(at, flow);
	at = text_put(at, ",\"start\":");
	at = text_put_time(at, flow->start_ns, format->has_nanoseconds, "null");
	at = text_put(at, ",\"end\":");
	at = text_put_time(at, flow->last_ns, format->has_nanoseconds, "null");
	at = put_field(at, ",\"slice\":", flow->slice);
	at = text_put(at, ",\"reason\":\"");
	at = text_put(at, flow_reason_name(record->reason));
	at = put_field(at, "\",\"packets_fwd\":", forward->packets);
	at = put_field(at, ",\"packets_bwd\":", backward->packets);
	at = put_field(at, ",\"bytes_fwd\":", forward->bytes);
	at = put_field(at, ",\"bytes_bwd\":", backward->bytes);
	at = put_field(at, ",\"payload_fwd\":", forward->payload_bytes);
	at = put_field(at, ",\"payload_bwd\":", backward->payload_bytes);
	at = put_tcp_flags(text_put(at, ",\"tcp_flags_fwd\":"), forward->tcp_flags);
	at = put_tcp_flags(text_put(at, ",\"tcp_flags_bwd\":"), backward->tcp_flags);
	at = text_put(at, ",\"class\":");
	at = put_verdict(at, record, format);
	at = text_put(at, "}\n");
	return (size_t)(at - text);
}

static const char csv_sensor[] = "sensor,";
static const char csv_columns[] =
	"flow_id,src,dst,src_port,dst_port,protocol,vlan,tunnel_id,start,end,slice,reason,packets_fwd,packets_bwd,"
	"bytes_fwd,bytes_bwd,payload_fwd,payload_bwd,tcp_flags_fwd,tcp_flags_bwd,class,score,logit,verdict_packet,"
	"verdict_at\r\n";

size_t flow_record_csv_room(const struct flow_record_format *format)
{
	size_t longest = 0;

	for (uint32_t i = 0; format->names && i < format->n_classes; i++)
		longest = strlen(format->names[i]) > longest ? strlen(format->names[i]) : longest;
	return FLOW_LINE_BYTES + TEXT_CSV_FACTOR * longest + text_sensor_room(format->sensor);
}

size_t flow_record_csv_head_room(void)
{
	return sizeof(csv_sensor) + sizeof(csv_columns);
}

size_t flow_record_csv_head(const struct flow_record_format *format, char *text)
{
	return (size_t)(text_put(format->sensor ? text_put(text, csv_sensor) : text, csv_columns) - text);
}

/* The addresses, ports and network of a flow, from the initiator's side. */
static char *put_csv_key(char *at, const struct flow *flow)
{
	uint32_t initiator = flow_initiator(flow);
	int is_ipv4 = flow_key_is_ipv4(&flow->key);

	at = text_put_hex64(at, flow_id(flow));
	at = text_put_address(text_put(at, ","), flow->key.address[initiator], is_ipv4);
	at = text_put_address(text_put(at, ","), flow->key.address[1 - initiator], is_ipv4);
	at = put_field(at, ",", flow->key.port[initiator]);
	at = put_field(at, ",", flow->key.port[1 - initiator]);
	at = put_field(at, ",", flow->key.protocol);
	at = flow->bits & FLOW_VLAN ? put_field(at, ",", flow_vlan(flow)) : text_put(at, ",");
	return flow->bits & FLOW_TUNNEL ? put_field(at, ",", flow->key.scope_id) : text_put(at, ",");
}

static char *put_csv_verdict(char *at, const struct flow_record *record, const struct flow_record_format *format)
{
	if (!format->names || isnan(record->logit))
		return text_put(at, ",,,,,");
	at = text_put_csv(text_put(at, ","), format->names[record->class]);
	at = text_put_score(text_put(at, ","), flow_record_score(record));
	at = text_put_double(text_put(at, ","), (double)record->logit);
	at = put_field(at, ",", record->verdict_packet);
	return text_put(at, record->is_verdict_of_end ? ",end" : ",checkpoint");
}

size_t flow_record_csv(const struct flow_record *record, const struct flow_record_format *format, char *text)
{
	const struct flow *flow = &record->flow;
	const struct flow_side *forward = &flow->side[FLOW_FORWARD], *backward = &flow->side[FLOW_BACKWARD];
	char *at = format->sensor ? text_put(text_put(text, format->sensor), ",") : text;

	at = put_csv_key(at, flow);
	at = text_put_time(text_put(at, ","), flow->start_ns, format->has_nanoseconds, "");
	at = text_put_time(text_put(at, ","), flow->last_ns, format->has_nanoseconds, "");
	at = put_field(at, ",", flow->slice);
	at = text_put(text_put(at, ","), flow_reason_name(record->reason));
	at = put_field(at, ",", forward->packets);
	at = put_field(at, ",", backward->packets);
	at = put_field(at, ",", forward->bytes);
	at = put_field(at, ",", backward->bytes);
	at = put_field(at, ",", forward->payload_bytes);
	at = put_field(at, ",", backward->payload_bytes);
	at = put_tcp_letters(text_put(at, ","), forward->tcp_flags);
	at = put_tcp_letters(text_put(at, ","), backward->tcp_flags);
	at = put_csv_verdict(at, record, format);
	at = text_put(at, "\r\n");
	return (size_t)(at - text);
}

/* Packets, and ids, that a line lists of each direction. */
static uint32_t joy_n_listed(const struct flow_layout *layout)
{
	return layout->n_listed < FLOW_RECORD_JOY_LISTED ? layout->n_listed : FLOW_RECORD_JOY_LISTED;
}

size_t flow_record_joy_room(const struct flow_record_format *format)
{
	return FLOW_LINE_BYTES + format->layout.n_listed * JOY_LISTED_BYTES;
}

size_t flow_record_joy_head_room(const char *output)
{
	return JOY_HEAD_BYTES + strlen(output);
}

size_t flow_record_joy_head(const struct flow_record_format *format, const char *output, char *text)
{
	char *at = text_put(text,
			    "{\"version\":\"1.74\",\"exporter\":\"wirescore\",\"interface\":\"none\",\"output\":");

	at = text_put(at, output);
	at = put_field(at, ",\"bidir\":1,\"num_pkts\":", joy_n_listed(&format->layout));
	at = text_put(at, ",\"type\":1,\"zeros\":0,\"retrans\":1,\"end-config\":1}\n");
	return (size_t)(at - text);
}

/* The ports, null where the flow has none. */
static char *put_joy_ports(char *at, const struct flow *flow)
{
	uint32_t protocol = flow->key.protocol, initiator = flow_initiator(flow);

	if (flow->bits & FLOW_NO_PORTS || (protocol != PACKET_PROTOCOL_TCP && protocol != PACKET_PROTOCOL_UDP &&
					   protocol != PACKET_PROTOCOL_SCTP))
		return text_put(at, ",\"sp\":null,\"dp\":null");
	at = put_field(at, ",\"sp\":", flow->key.port[initiator]);
	return put_field(at, ",\"dp\":", flow->key.port[1 - initiator]);
}

static char *put_joy_packets(char *at, const struct flow_history *history)
{
	uint64_t ns = 0; /* since the last one that was written, or the start */
	uint32_t n_side[2] = {0, 0};
	const char *separator = "";

	at = text_put(at, ",\"packets\":[");
	for (uint32_t i = 0; i < history->n_listed; i++) {
		const struct flow_listed *listed = &history->listed[i];

		ns += flow_gap_ns(listed->gap);
		if (!listed->payload_bytes || n_side[listed->side]++ >= FLOW_RECORD_JOY_LISTED)
			continue;
		at = text_put(at, separator);
		at = put_field(at, "{\"b\":", listed->payload_bytes);
		at = text_put(at, listed->side == FLOW_FORWARD ? ",\"dir\":\">\"" : ",\"dir\":\"<\"");
		at = put_field(at, ",\"ipt\":", ns / 1000000);
		at = text_put(at, "}");
		separator = ",";
		ns = 0;
	}
	return text_put(at, "]");
}

/* What the IP headers of one side say. */
static char *put_joy_ip_side(char *at, const char *key, const struct flow *flow, uint32_t side,
			     const struct flow_history *history)
{
	const char *separator = ",\"id\":[";
	uint32_t n_ids = 0;

	at = text_put(at, key);
	at = flow->side[side].packets ? put_field(at, "{\"ttl\":", flow->side[side].ttl)
				      : text_put(at, "{\"ttl\":null");
	if (flow_key_is_ipv4(&flow->key)) {
		for (uint32_t i = 0; i < history->n_listed; i++)
			if (history->listed[i].side == side && n_ids++ < FLOW_RECORD_JOY_LISTED) {
				at = put_field(at, separator, history->listed[i].ip_id);
				separator = ",";
			}
		if (separator[1] == '\0')
			*at++ = ']';
	}
	return text_put(at, "}");
}

size_t flow_record_joy(const struct flow_record *record, const struct flow_record_format *format, char *text)
{
	const struct flow_view view = flow_record_view(record, &format->layout);
	const struct flow *flow = view.flow;
	const struct flow_side *forward = &flow->side[FLOW_FORWARD], *backward = &flow->side[FLOW_BACKWARD];
	uint32_t initiator = flow_initiator(flow);
	char *at = put_endpoint(text, "{\"sa\":", &flow->key, initiator);

	at = put_endpoint(at, ",\"da\":", &flow->key, 1 - initiator);
	at = put_field(at, ",\"pr\":", flow->key.protocol);
	at = put_joy_ports(at, flow);
	at = put_field(at, ",\"bytes_out\":", forward->payload_bytes);
	at = put_field(at, ",\"num_pkts_out\":", forward->packets);
	if (backward->packets) {
		at = put_field(at, ",\"bytes_in\":", backward->payload_bytes);
		at = put_field(at, ",\"num_pkts_in\":", backward->packets);
	}
	at = text_put(at, ",\"time_start\":");
	at = text_put_time(at, flow->start_ns, format->has_nanoseconds, "null");
	at = text_put(at, ",\"time_end\":");
	at = text_put_time(at, flow->last_ns, format->has_nanoseconds, "null");
	at = put_joy_packets(at, view.history);
	at = put_joy_ip_side(at, ",\"ip\":{\"out\":", flow, FLOW_FORWARD, view.history);
	if (backward->packets)
		at = put_joy_ip_side(at, ",\"in\":", flow, FLOW_BACKWARD, view.history);
	at = text_put(at, "}");
	if (record->reason == FLOW_REASON_ACTIVE)
		at = text_put(at, ",\"expire_type\":\"a\"");
	else if (record->reason == FLOW_REASON_IDLE || record->reason == FLOW_REASON_FIN ||
		 record->reason == FLOW_REASON_RST)
		at = text_put(at, ",\"expire_type\":\"i\"");
	at = text_put(at, "}\n");
	return (size_t)(at - text);
}
