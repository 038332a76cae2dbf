/* SPDX-License-Identifier: BSD-3-Clause */
#include "ipfix_encoder.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fixbuf/public.h>
#include <jansson.h>

#define IPFIX_HEADER_BYTES     16
#define IPFIX_SET_HEADER_BYTES 4
#define IPFIX_SEQUENCE_AT      8   /* in the header of a message */
#define IPFIX_CLASS_BYTES      254 /* of a name; more would take a longer length before it */
#define IPFIX_TEMPLATES_BYTES  16384
#define IPFIX_FIRST_TEMPLATE   256

/* Of what a template consists beside what all have: flags of the elements below. */
enum {
	IPFIX_V4 = 0x01,
	IPFIX_V6 = 0x02,
	IPFIX_PORTS = 0x04,
	IPFIX_ICMP_V4 = 0x08,
	IPFIX_ICMP_V6 = 0x10,
	IPFIX_VLAN = 0x20,
	IPFIX_TUNNEL = 0x40,
	IPFIX_VERDICT = 0x80,
	IPFIX_ANY = 0xff
};

/* A template's number: one bit for the address family, one for ICMP, one for the verdict, and the scope times 8. */
#define IPFIX_N_SCOPES	     3
#define IPFIX_N_TEMPLATES    (8 * IPFIX_N_SCOPES)
#define IPFIX_TYPES_TEMPLATE (IPFIX_FIRST_TEMPLATE + IPFIX_N_TEMPLATES)
#define IPFIX_INTERNAL	     (IPFIX_TYPES_TEMPLATE + 1)

/* What libfixbuf reads a record from: the elements below, in this order and without gaps. */
struct ipfix_record {
	uint64_t start_ms, end_ms, start_ntp, end_ntp;
	uint64_t octets, octets_back, packets, packets_back;
	uint64_t payload, payload_back, flow_id;
	fbVarfield_t class;
	uint8_t v6[2][16];
	uint32_t v4[2];
	uint32_t tunnel_id, verdict_packet;
	float score, logit;
	uint16_t port[2], icmp_v4, icmp_v6, vlan, slice;
	uint8_t tcp_flags_back, tcp_flags, protocol, end_reason, direction, verdict_of_end;
	uint8_t reserved[6];
};
_Static_assert(sizeof(struct ipfix_record) == 184, "no padding: libfixbuf sees none");

/* The lengths are said, although they are the usual ones: libfixbuf refuses to guess them for what it reads. */
static fbInfoElementSpec_t ipfix_elements[] = {
	{(char *)"flowStartMilliseconds", 8, 0},
	{(char *)"flowEndMilliseconds", 8, 0},
	{(char *)"flowStartNanoseconds", 8, 0},
	{(char *)"flowEndNanoseconds", 8, 0},
	{(char *)"octetDeltaCount", 8, 0},
	{(char *)"reverseOctetDeltaCount", 8, 0},
	{(char *)"packetDeltaCount", 8, 0},
	{(char *)"reversePacketDeltaCount", 8, 0},
	{(char *)"wirescorePayloadOctets", 8, 0},
	{(char *)"wirescoreReversePayloadOctets", 8, 0},
	{(char *)"flowId", 8, 0},
	{(char *)"wirescoreClass", FB_IE_VARLEN, IPFIX_VERDICT},
	{(char *)"sourceIPv6Address", 16, IPFIX_V6},
	{(char *)"destinationIPv6Address", 16, IPFIX_V6},
	{(char *)"sourceIPv4Address", 4, IPFIX_V4},
	{(char *)"destinationIPv4Address", 4, IPFIX_V4},
	{(char *)"wirescoreTunnelId", 4, IPFIX_TUNNEL},
	{(char *)"wirescoreVerdictPacket", 4, IPFIX_VERDICT},
	{(char *)"wirescoreScore", 4, IPFIX_VERDICT},
	{(char *)"wirescoreLogit", 4, IPFIX_VERDICT},
	{(char *)"sourceTransportPort", 2, IPFIX_PORTS},
	{(char *)"destinationTransportPort", 2, IPFIX_PORTS},
	{(char *)"icmpTypeCodeIPv4", 2, IPFIX_ICMP_V4},
	{(char *)"icmpTypeCodeIPv6", 2, IPFIX_ICMP_V6},
	{(char *)"vlanId", 2, IPFIX_VLAN},
	{(char *)"wirescoreSlice", 2, 0},
	/* Of 2 octets by now, but nfdump knows them by one, as RFC 7125 allows; and of both it keeps the last. */
	{(char *)"reverseTcpControlBits", 1, 0},
	{(char *)"tcpControlBits", 1, 0},
	{(char *)"protocolIdentifier", 1, 0},
	{(char *)"flowEndReason", 1, 0},
	{(char *)"biflowDirection", 1, 0},
	{(char *)"wirescoreVerdictAtEnd", 1, IPFIX_VERDICT},
	FB_IESPEC_NULL,
};

#define OF_US(name, number, bytes, flags, type, text) \
	FB_IE_INIT_FULL(name, IPFIX_ENTERPRISE, number, bytes, flags, 0, 0, type, (char *)text)
#define COUNTS (FB_IE_DELTACOUNTER | FB_UNITS_OCTETS | FB_IE_F_ENDIAN)

static fbInfoElement_t ipfix_own_elements[] = {
	OF_US("wirescoreClass", 1, FB_IE_VARLEN, FB_IE_DEFAULT, FB_STRING, "class that the model chose"),
	OF_US("wirescoreScore", 2, 4, FB_IE_QUANTITY | FB_IE_F_ENDIAN, FB_FLOAT_32,
	      "probability that it is not of the first class"),
	OF_US("wirescoreLogit", 3, 4, FB_IE_QUANTITY | FB_IE_F_ENDIAN, FB_FLOAT_32, "the same as log-odds"),
	OF_US("wirescoreVerdictPacket", 4, 4, FB_IE_QUANTITY | FB_UNITS_PACKETS | FB_IE_F_ENDIAN, FB_UINT_32,
	      "packets of the slice when its class was known"),
	OF_US("wirescoreVerdictAtEnd", 5, 1, FB_IE_DEFAULT, FB_BOOL,
	      "1: the class was known at the end of the slice, 2: before"),
	OF_US("wirescoreSlice", 6, 2, FB_IE_IDENTIFIER | FB_IE_F_ENDIAN, FB_UINT_16,
	      "number of the slice of a long flow, from 0"),
	OF_US("wirescorePayloadOctets", 7, 8, COUNTS, FB_UINT_64, "octets above the transport header"),
	OF_US("wirescoreReversePayloadOctets", 8, 8, COUNTS, FB_UINT_64, "the same of the other direction"),
	OF_US("wirescoreTunnelId", 9, 4, FB_IE_IDENTIFIER | FB_IE_F_ENDIAN, FB_UINT_32,
	      "VNI, TEID or key of the tunnel"),
	FB_IE_NULL,
};

struct ipfix_encoder {
	const struct flow_record_format *format;
	char **classes; /* [format->n_classes], as they are and not as JSON */
	uint32_t message_bytes;
	fbInfoModel_t *model;
	fBuf_t *buffer;
	uint8_t *message;			  /* that libfixbuf writes to */
	uint32_t record_bytes[IPFIX_N_TEMPLATES]; /* but for the class's name */
	uint32_t sequence;			  /* records sent on this connection, RFC 7011 3.1 */
	uint32_t known;				  /* bit i: template i is with the other side */
	bool has_types;				  /* so are the types of our own elements */
	/* of the message that is being written */
	uint32_t n_used, n_records, n_options;
	int32_t template_of_set; /* -1: none */
};

static void ipfix_reason(char *reason, size_t reason_size, GError **fault)
{
	snprintf(reason, reason_size, "libfixbuf: %s", *fault ? (*fault)->message : "failed");
	g_clear_error(fault);
}

/* What a template has, by its number. */
static uint32_t ipfix_template_flags(uint32_t number)
{
	static const uint32_t scopes[IPFIX_N_SCOPES] = {0, IPFIX_VLAN, IPFIX_TUNNEL};
	bool is_v6 = number & 1, is_icmp = number & 2;
	uint32_t icmp = is_v6 ? IPFIX_ICMP_V6 : IPFIX_ICMP_V4;

	return (is_v6 ? IPFIX_V6 : IPFIX_V4) | (is_icmp ? icmp : IPFIX_PORTS) | (number & 4 ? IPFIX_VERDICT : 0) |
	       scopes[number / 8];
}

/* Bytes of a record on the wire; a name has one for its length, and its own on top. */
static uint32_t ipfix_record_bytes(uint32_t flags)
{
	uint32_t n_bytes = 0;

	for (const fbInfoElementSpec_t *element = ipfix_elements; element->name; element++)
		if ((element->flags & flags) == element->flags)
			n_bytes += element->len_override == FB_IE_VARLEN ? 1 : element->len_override;
	return n_bytes;
}

/* A session has no buffer yet, so that libfixbuf does not write the template at once. */
static int ipfix_add_template(struct ipfix_encoder *encoder, fbSession_t *session, bool is_internal, uint16_t id,
			      uint32_t flags, GError **fault)
{
	fbTemplate_t *template = fbTemplateAlloc(encoder->model);

	if (fbTemplateAppendSpecArray(template, ipfix_elements, flags, fault) &&
	    fbSessionAddTemplate(session, is_internal, id, template, fault))
		return 0;
	fbTemplateFreeUnused(template);
	return -EINVAL;
}

/* The one for the records that describe our own elements. */
static int ipfix_add_types_template(struct ipfix_encoder *encoder, fbSession_t *session, GError **fault)
{
	for (int is_internal = 0; is_internal < 2; is_internal++) {
		fbTemplate_t *template = fbInfoElementAllocTypeTemplate(encoder->model, fault);

		if (!template)
			return -EINVAL;
		if (!fbSessionAddTemplate(session, is_internal, IPFIX_TYPES_TEMPLATE, template, fault)) {
			fbTemplateFreeUnused(template);
			return -EINVAL;
		}
	}
	return 0;
}

static int ipfix_make_session(struct ipfix_encoder *encoder, uint32_t domain, GError **fault)
{
	fbSession_t *session = fbSessionAlloc(encoder->model);
	int rc;

	fbSessionSetDomain(session, domain);
	rc = ipfix_add_template(encoder, session, true, IPFIX_INTERNAL, IPFIX_ANY, fault);
	if (!rc)
		rc = ipfix_add_types_template(encoder, session, fault);
	for (uint32_t i = 0; !rc && i < IPFIX_N_TEMPLATES; i++) {
		uint32_t flags = ipfix_template_flags(i);

		encoder->record_bytes[i] = ipfix_record_bytes(flags);
		rc = ipfix_add_template(encoder, session, false, (uint16_t)(IPFIX_FIRST_TEMPLATE + i), flags,
					fault);
	}
	if (rc) {
		fbSessionFree(session);
		return rc;
	}
	encoder->buffer = fBufAllocForExport(
		session, fbExporterAllocBuffer(encoder->message, (uint16_t)encoder->message_bytes));
	fBufSetAutomaticMode(encoder->buffer, FALSE);
	return 0;
}

/* A name of at most IPFIX_CLASS_BYTES, cut between characters of UTF-8. NULL where memory is short. */
static char *ipfix_class_name(const char *json)
{
	json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);
	const char *text = json_string_value(value);
	size_t n = text ? strlen(text) : 0;
	char *name;

	if (n > IPFIX_CLASS_BYTES)
		for (n = IPFIX_CLASS_BYTES; n && ((uint8_t)text[n] & 0xc0) == 0x80;)
			n--;
	name = strndup(text ? text : "", n);
	json_decref(value);
	return name;
}

static int ipfix_make_classes(struct ipfix_encoder *encoder)
{
	uint32_t n = encoder->format->classes ? encoder->format->n_classes : 0;

	encoder->classes = calloc(n + 1, sizeof(*encoder->classes));
	if (!encoder->classes)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		encoder->classes[i] = ipfix_class_name(encoder->format->classes[i]);
		if (!encoder->classes[i])
			return -ENOMEM;
	}
	return 0;
}

int ipfix_encoder_create(const struct flow_record_format *format, uint32_t domain, uint32_t message_bytes,
			 struct ipfix_encoder **encoder, char *reason, size_t reason_size)
{
	struct ipfix_encoder *made = calloc(1, sizeof(*made));
	GError *fault = NULL;

	if (made) {
		made->format = format;
		made->message_bytes = message_bytes;
		made->message = malloc(message_bytes);
	}
	if (!made || !made->message || ipfix_make_classes(made)) {
		ipfix_encoder_free(made);
		snprintf(reason, reason_size, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	made->model = fbInfoModelAlloc();
	fbInfoModelAddElementArray(made->model, ipfix_own_elements);
	if (ipfix_make_session(made, domain, &fault)) {
		ipfix_reason(reason, reason_size, &fault);
		ipfix_encoder_free(made);
		return -EINVAL;
	}
	ipfix_encoder_restart(made);
	*encoder = made;
	return 0;
}

void ipfix_encoder_free(struct ipfix_encoder *encoder)
{
	if (!encoder)
		return;
	/* The session and the exporter are the buffer's. */
	if (encoder->buffer)
		fBufFree(encoder->buffer);
	if (encoder->model)
		fbInfoModelFree(encoder->model);
	for (uint32_t i = 0; encoder->classes && encoder->format->classes && i < encoder->format->n_classes; i++)
		free(encoder->classes[i]);
	free(encoder->classes);
	free(encoder->message);
	free(encoder);
}

size_t ipfix_encoder_room(const struct ipfix_encoder *encoder)
{
	uint32_t longest = 0;

	for (uint32_t i = 0; i < IPFIX_N_TEMPLATES; i++)
		longest = encoder->record_bytes[i] > longest ? encoder->record_bytes[i] : longest;
	return IPFIX_TEMPLATES_BYTES + encoder->message_bytes +
	       (size_t)SINK_MAX_BATCH * (longest + IPFIX_CLASS_BYTES + IPFIX_HEADER_BYTES + IPFIX_SET_HEADER_BYTES);
}

void ipfix_encoder_restart(struct ipfix_encoder *encoder)
{
	GError *fault = NULL;

	/* What a failure left in libfixbuf's message. */
	fBufEmit(encoder->buffer, &fault);
	g_clear_error(&fault);
	encoder->n_used = encoder->n_records = encoder->n_options = 0;
	encoder->template_of_set = -1;
	encoder->sequence = 0;
	ipfix_encoder_repeat_templates(encoder);
}

void ipfix_encoder_repeat_templates(struct ipfix_encoder *encoder)
{
	encoder->known = 0;
	encoder->has_types = false;
}

/* Closes the message and puts it into the queue. 0 or -1 with the reason. */
static int ipfix_finish_message(struct ipfix_encoder *encoder, struct ipfix_queue *queue, char *reason,
				size_t reason_size)
{
	uint32_t sequence = htonl(encoder->sequence);
	GError *fault = NULL;
	size_t n_bytes;

	if (!fBufEmit(encoder->buffer, &fault)) {
		ipfix_reason(reason, reason_size, &fault);
		return -1;
	}
	n_bytes = fbExporterGetMsgLen(fBufGetExporter(encoder->buffer));
	if (queue->n_messages == IPFIX_MAX_MESSAGES || queue->n_bytes + n_bytes > queue->room) {
		snprintf(reason, reason_size, "more messages than there is room for");
		return -1;
	}
	/* libfixbuf does not know when a connection ends, and numbers begin again. */
	memcpy(encoder->message + IPFIX_SEQUENCE_AT, &sequence, sizeof(sequence));
	memcpy(queue->bytes + queue->n_bytes, encoder->message, n_bytes);
	queue->n_bytes += n_bytes;
	queue->messages[queue->n_messages++] =
		(struct ipfix_message){.n_bytes = (uint32_t)n_bytes, .n_records = encoder->n_records};
	encoder->sequence += encoder->n_records + encoder->n_options;
	encoder->n_used = encoder->n_records = encoder->n_options = 0;
	encoder->template_of_set = -1;
	return 0;
}

/* Writes something to libfixbuf's message; FALSE with fault FB_ERROR_EOM where another message has to begin. */
typedef gboolean ipfix_writer(struct ipfix_encoder *encoder, const void *what, GError **fault);

static gboolean ipfix_write_template(struct ipfix_encoder *encoder, const void *what, GError **fault)
{
	const uint16_t *id = what;

	return fbSessionExportTemplate(fBufGetSession(encoder->buffer), *id, fault);
}

/* A record that describes an element of ours (RFC 5610). */
static gboolean ipfix_write_type(struct ipfix_encoder *encoder, const void *what, GError **fault)
{
	if (!fbInfoElementWriteOptionsRecord(encoder->buffer, what, IPFIX_TYPES_TEMPLATE, IPFIX_TYPES_TEMPLATE,
					     fault))
		return FALSE;
	encoder->n_options++;
	return TRUE;
}

struct ipfix_flow {
	struct ipfix_record record;
	uint32_t template;
};

static gboolean ipfix_write_flow(struct ipfix_encoder *encoder, const void *what, GError **fault)
{
	struct ipfix_flow flow = *(const struct ipfix_flow *)what;

	if (!fBufSetInternalTemplate(encoder->buffer, IPFIX_INTERNAL, fault) ||
	    !fBufSetExportTemplate(encoder->buffer, (uint16_t)(IPFIX_FIRST_TEMPLATE + flow.template), fault) ||
	    !fBufAppend(encoder->buffer, (uint8_t *)&flow.record, sizeof(flow.record), fault))
		return FALSE;
	encoder->n_records++;
	return TRUE;
}

/* Writes it into this message, or the next. 0 or -1 with the reason. */
static int ipfix_write(struct ipfix_encoder *encoder, ipfix_writer *writer, const void *what,
		       struct ipfix_queue *queue, char *reason, size_t reason_size)
{
	GError *fault = NULL;

	if (!writer(encoder, what, &fault)) {
		if (!g_error_matches(fault, FB_ERROR_DOMAIN, FB_ERROR_EOM)) {
			ipfix_reason(reason, reason_size, &fault);
			return -1;
		}
		g_clear_error(&fault);
		/* Templates have messages of their own, which libfixbuf begins so even where there is none yet. */
		if (encoder->n_used && ipfix_finish_message(encoder, queue, reason, reason_size))
			return -1;
		if (!writer(encoder, what, &fault)) {
			ipfix_reason(reason, reason_size, &fault);
			return -1;
		}
	}
	encoder->n_used = encoder->n_used ? encoder->n_used : IPFIX_HEADER_BYTES;
	return 0;
}

/* What describes our own elements, so that a collector can name them. */
static int ipfix_put_types(struct ipfix_encoder *encoder, struct ipfix_queue *queue, char *reason,
			   size_t reason_size)
{
	const uint16_t id = IPFIX_TYPES_TEMPLATE;
	int rc = ipfix_write(encoder, ipfix_write_template, &id, queue, reason, reason_size);

	for (const fbInfoElement_t *element = ipfix_own_elements; !rc && element->ref.name; element++)
		rc = ipfix_write(encoder, ipfix_write_type, element, queue, reason, reason_size);
	encoder->has_types = !rc;
	return rc;
}

/* The templates of these bits that the other side does not have. */
static int ipfix_put_templates(struct ipfix_encoder *encoder, uint32_t needed, struct ipfix_queue *queue,
			       char *reason, size_t reason_size)
{
	int rc = 0;

	if (needed & ~encoder->known && !encoder->has_types)
		rc = ipfix_put_types(encoder, queue, reason, reason_size);
	for (uint32_t i = 0; !rc && i < IPFIX_N_TEMPLATES; i++) {
		const uint16_t id = (uint16_t)(IPFIX_FIRST_TEMPLATE + i);

		if (!(needed & ~encoder->known & 1u << i))
			continue;
		rc = ipfix_write(encoder, ipfix_write_template, &id, queue, reason, reason_size);
		if (!rc)
			encoder->known |= 1u << i;
	}
	if (!rc && encoder->n_used)
		rc = ipfix_finish_message(encoder, queue, reason, reason_size);
	return rc;
}

/* NTP's seconds, and 2^-32 of one, as RFC 7011 6.1.9 has nanoseconds. 0 where the time is not known. */
static uint64_t ipfix_ntp(uint64_t ns)
{
	uint64_t seconds = ns / 1000000000 + 2208988800u; /* from 1900 to 1970 */

	if (ns == FRAME_NO_TIME)
		return 0;
	return seconds << 32 | (((ns % 1000000000) << 32) + 500000000) / 1000000000;
}

static uint64_t ipfix_ms(uint64_t ns)
{
	return ns == FRAME_NO_TIME ? 0 : ns / 1000000;
}

/* IANA's flowEndReason. A slice that a checkpoint told is of a flow that goes on, as is one of the active timeout. */
static uint8_t ipfix_end_reason(uint8_t reason)
{
	enum { IDLE = 1, ACTIVE, END_DETECTED, FORCED, NO_RESOURCES };
	static const uint8_t reasons[] = {
		[FLOW_REASON_IDLE] = IDLE,
		[FLOW_REASON_ACTIVE] = ACTIVE,
		[FLOW_REASON_FIN] = END_DETECTED,
		[FLOW_REASON_RST] = END_DETECTED,
		[FLOW_REASON_EVICTED] = NO_RESOURCES,
		[FLOW_REASON_END] = FORCED,
		[FLOW_REASON_CHECKPOINT] = ACTIVE,
	};

	return reason < sizeof(reasons) ? reasons[reason] : 0;
}

static bool ipfix_has_verdict(const struct ipfix_encoder *encoder, const struct flow_record *record)
{
	const struct flow_record_format *format = encoder->format;

	return format->classes && record->class < format->n_classes && !isnan(record->logit);
}

/* The number of a record's template. */
static uint32_t ipfix_template_of(const struct ipfix_encoder *encoder, const struct flow_record *record)
{
	const struct flow_key *key = &record->flow.key;
	bool is_v6 = !flow_key_is_ipv4(key);
	bool is_icmp = encoder->format->layout.has_series &&
		       key->protocol == (is_v6 ? PACKET_PROTOCOL_ICMPV6 : PACKET_PROTOCOL_ICMP);
	uint32_t scope = record->flow.bits & FLOW_VLAN ? 1 : record->flow.bits & FLOW_TUNNEL ? 2 : 0;

	return (uint32_t)is_v6 | (uint32_t)is_icmp << 1 | (uint32_t)ipfix_has_verdict(encoder, record) << 2 |
	       scope * 8;
}

static void ipfix_fill_key(struct ipfix_record *to, const struct flow *flow)
{
	const struct flow_key *key = &flow->key;

	for (uint32_t i = 0; i < 2; i++) {
		uint32_t endpoint = i ? 1 - flow_initiator(flow) : flow_initiator(flow);

		memcpy(to->v6[i], key->address[endpoint], 16);
		memcpy(&to->v4[i], key->address[endpoint] + 12, 4);
		to->v4[i] = ntohl(to->v4[i]); /* libfixbuf takes them as numbers */
		to->port[i] = key->port[endpoint];
	}
	to->protocol = (uint8_t)key->protocol;
	to->vlan = flow->bits & FLOW_VLAN ? (uint16_t)flow_vlan(flow) : 0;
	to->tunnel_id = key->scope_id;
}

static void ipfix_fill_counts(struct ipfix_record *to, const struct flow *flow)
{
	const struct flow_side *forward = &flow->side[FLOW_FORWARD], *backward = &flow->side[FLOW_BACKWARD];

	to->octets = forward->bytes;
	to->octets_back = backward->bytes;
	to->packets = forward->packets;
	to->packets_back = backward->packets;
	to->payload = forward->payload_bytes;
	to->payload_back = backward->payload_bytes;
	to->tcp_flags = forward->tcp_flags;
	to->tcp_flags_back = backward->tcp_flags;
}

static void ipfix_fill_verdict(struct ipfix_record *to, const struct ipfix_encoder *encoder,
			       const struct flow_record *record)
{
	char *name = encoder->classes[record->class];

	to->class = (fbVarfield_t){.len = strlen(name), .buf = (uint8_t *)name};
	to->score = 1 / (1 + expf(-record->logit)); /* as flow_record_ndjson has it */
	to->logit = record->logit;
	to->verdict_packet = record->verdict_packet;
	to->verdict_of_end = record->is_verdict_of_end ? 1 : 2; /* RFC 7011 6.1.5: true, false */
}

static void ipfix_fill(struct ipfix_flow *to, const struct ipfix_encoder *encoder, const struct flow_record *record)
{
	const struct flow *flow = &record->flow;
	const struct flow_series *series = flow_record_view(record, &encoder->format->layout).series;

	*to = (struct ipfix_flow){
		.template = ipfix_template_of(encoder, record),
		.record = {.start_ms = ipfix_ms(flow->start_ns),
			   .end_ms = ipfix_ms(flow->last_ns),
			   .start_ntp = ipfix_ntp(flow->start_ns),
			   .end_ntp = ipfix_ntp(flow->last_ns),
			   .flow_id = flow_id(flow),
			   .slice = flow->slice,
			   .end_reason = ipfix_end_reason(record->reason),
			   .direction = 1 /* RFC 5103: the source is who began */},
	};
	ipfix_fill_key(&to->record, flow);
	ipfix_fill_counts(&to->record, flow);
	if (series)
		to->record.icmp_v4 = to->record.icmp_v6 = (uint16_t)(series->icmp_type << 8 | series->icmp_code);
	if (ipfix_has_verdict(encoder, record))
		ipfix_fill_verdict(&to->record, encoder, record);
}

static int ipfix_put_flow(struct ipfix_encoder *encoder, const struct flow_record *record,
			  struct ipfix_queue *queue, char *reason, size_t reason_size)
{
	struct ipfix_flow flow;
	uint32_t n_bytes;

	ipfix_fill(&flow, encoder, record);
	n_bytes = encoder->record_bytes[flow.template] + (uint32_t)flow.record.class.len + IPFIX_SET_HEADER_BYTES;
	/* libfixbuf finds out behind the header of the set, and would leave a set without records. */
	if (encoder->n_used + n_bytes > encoder->message_bytes &&
	    ipfix_finish_message(encoder, queue, reason, reason_size))
		return -1;
	if (ipfix_write(encoder, ipfix_write_flow, &flow, queue, reason, reason_size))
		return -1;
	encoder->n_used +=
		n_bytes - (encoder->template_of_set == (int32_t)flow.template ? IPFIX_SET_HEADER_BYTES : 0);
	encoder->template_of_set = (int32_t)flow.template;
	return 0;
}

int ipfix_encoder_put(struct ipfix_encoder *encoder, const struct sink_item *items, uint32_t n,
		      struct ipfix_queue *queue, char *reason, size_t reason_size)
{
	uint32_t needed = 0;
	int rc;

	for (uint32_t i = 0; i < n; i++)
		needed |= 1u << ipfix_template_of(encoder, items[i].record);
	rc = ipfix_put_templates(encoder, needed, queue, reason, reason_size);
	for (uint32_t i = 0; !rc && i < n; i++)
		rc = ipfix_put_flow(encoder, items[i].record, queue, reason, reason_size);
	if (!rc && encoder->n_records)
		rc = ipfix_finish_message(encoder, queue, reason, reason_size);
	return rc;
}
