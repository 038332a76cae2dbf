/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rows of features: what models are trained on. Called by the control core.
 */
#include "flow_record.h"
#include "text.h"

/* Room for the columns that every row has, with the names that NDJSON gives them. */
#define FLOW_ROW_BYTES 512
/* ... and for what stands around a value: separator, quotes, colon. */
#define FLOW_ROW_FRAME_BYTES 8

_Static_assert(TEXT_CSV_FACTOR <= TEXT_JSON_FACTOR, "room for NDJSON is room for CSV");

static const char row_columns[] =
	"flow_id,src,dst,src_port,dst_port,protocol,vlan,start,end,slice,checkpoint,reason";

size_t flow_row_room(const struct flow_row_format *format, size_t label_bytes)
{
	size_t capture_bytes = format->capture ? strlen(format->capture) : 0;
	size_t room = FLOW_ROW_BYTES + TEXT_JSON_FACTOR * (capture_bytes + label_bytes);

	for (uint32_t i = 0; i < format->features->n; i++)
		room += FLOW_ROW_FRAME_BYTES + TEXT_DOUBLE_BYTES +
			TEXT_JSON_FACTOR * strlen(format->features->columns[i].label);
	return room;
}

size_t flow_row_csv_head(const struct flow_row_format *format, char *text)
{
	char *at = text_put(text, row_columns);

	if (format->capture)
		at = text_put(at, ",capture");
	if (format->has_label)
		at = text_put(at, ",label");
	for (uint32_t i = 0; i < format->features->n; i++)
		at = text_put_csv(text_put(at, ","), format->features->columns[i].label);
	at = text_put(at, "\r\n");
	return (size_t)(at - text);
}

/* The number of packets at a checkpoint, else end, in quotes. */
static char *put_checkpoint(char *at, const struct flow_record *record, const char *end)
{
	const struct flow_side *side = record->flow.side;

	if (record->reason == FLOW_REASON_CHECKPOINT)
		return text_put_number(at, (uint64_t)side[FLOW_FORWARD].packets + side[FLOW_BACKWARD].packets);
	return text_put(at, end);
}

static char *put_csv_number(char *at, uint64_t number)
{
	*at++ = ',';
	return text_put_number(at, number);
}

/* The columns that identify the flow, capture and label. */
static char *put_csv_flow(char *at, const struct flow_record *record, const struct flow_row_format *format,
			  const char *label)
{
	const struct flow *flow = &record->flow;
	uint32_t initiator = flow_initiator(flow);
	int is_ipv4 = flow_key_is_ipv4(&flow->key);

	at = text_put_hex64(at, flow_id(flow));
	at = text_put_address(text_put(at, ","), flow->key.address[initiator], is_ipv4);
	at = text_put_address(text_put(at, ","), flow->key.address[1 - initiator], is_ipv4);
	at = put_csv_number(at, flow->key.port[initiator]);
	at = put_csv_number(at, flow->key.port[1 - initiator]);
	at = put_csv_number(at, flow->key.protocol);
	at = flow->bits & FLOW_VLAN ? put_csv_number(at, flow_vlan(flow)) : text_put(at, ",");
	at = text_put_time(text_put(at, ","), flow->start_ns, format->has_nanoseconds, "");
	at = text_put_time(text_put(at, ","), flow->last_ns, format->has_nanoseconds, "");
	at = put_csv_number(at, flow->slice);
	at = put_checkpoint(text_put(at, ","), record, "end");
	at = text_put(text_put(at, ","), flow_reason_name(record->reason));
	if (format->capture)
		at = text_put_csv(text_put(at, ","), format->capture);
	if (format->has_label)
		at = text_put_csv(text_put(at, ","), label);
	return at;
}

size_t flow_row_csv(const struct flow_record *record, const struct flow_row_format *format, const char *label,
		    double *values, char *text)
{
	const struct flow_view view = flow_record_view(record, &format->layout);
	char *at = put_csv_flow(text, record, format, label);

	flow_feature_set_row(format->features, &view, values);
	for (uint32_t i = 0; i < format->features->n; i++)
		at = text_put_double(text_put(at, ","), values[i]);
	at = text_put(at, "\r\n");
	return (size_t)(at - text);
}

static char *put_json_number(char *at, const char *key, uint64_t number)
{
	return text_put_number(text_put(at, key), number);
}

static char *put_json_flow(char *at, const struct flow_record *record, const struct flow_row_format *format,
			   const char *label)
{
	const struct flow *flow = &record->flow;
	uint32_t initiator = flow_initiator(flow);
	int is_ipv4 = flow_key_is_ipv4(&flow->key);

	at = text_put_hex64(text_put(at, "{\"flow_id\":\""), flow_id(flow));
	at = text_put_address(text_put(at, "\",\"src\":\""), flow->key.address[initiator], is_ipv4);
	at = text_put_address(text_put(at, "\",\"dst\":\""), flow->key.address[1 - initiator], is_ipv4);
	at = put_json_number(at, "\",\"src_port\":", flow->key.port[initiator]);
	at = put_json_number(at, ",\"dst_port\":", flow->key.port[1 - initiator]);
	at = put_json_number(at, ",\"protocol\":", flow->key.protocol);
	at = flow->bits & FLOW_VLAN ? put_json_number(at, ",\"vlan\":", flow_vlan(flow))
				    : text_put(at, ",\"vlan\":null");
	at = text_put_time(text_put(at, ",\"start\":"), flow->start_ns, format->has_nanoseconds, "null");
	at = text_put_time(text_put(at, ",\"end\":"), flow->last_ns, format->has_nanoseconds, "null");
	at = put_json_number(at, ",\"slice\":", flow->slice);
	at = put_checkpoint(text_put(at, ",\"checkpoint\":"), record, "\"end\"");
	at = text_put(text_put(at, ",\"reason\":\""), flow_reason_name(record->reason));
	*at++ = '"';
	if (format->capture)
		at = text_put_json(text_put(at, ",\"capture\":"), format->capture);
	if (format->has_label)
		at = text_put_json(text_put(at, ",\"label\":"), label);
	return at;
}

size_t flow_row_ndjson(const struct flow_record *record, const struct flow_row_format *format, const char *label,
		       double *values, char *text)
{
	const struct flow_view view = flow_record_view(record, &format->layout);
	char *at = put_json_flow(text, record, format, label);

	flow_feature_set_row(format->features, &view, values);
	for (uint32_t i = 0; i < format->features->n; i++) {
		at = text_put_json(text_put(at, ","), format->features->columns[i].label);
		at = text_put_double(text_put(at, ":"), values[i]);
	}
	at = text_put(at, "}\n");
	return (size_t)(at - text);
}
