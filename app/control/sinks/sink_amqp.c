/* SPDX-License-Identifier: BSD-3-Clause */
#include "sink_amqp.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sink_clock.h"

#define NS_IN_S	 1000000000u
#define NS_IN_MS 1000000u

/* A frame: type, channel, length of the payload; the payload; its end. */
#define HEAD_BYTES 7
#define END_BYTES  1

/* Before a record's properties: class, weight, length of its body. */
#define PROPERTIES_AT 12

/* The least that a broker may allow (AMQP 0-9-1, frame-min-size). */
#define LEAST_FRAME_BYTES 4096

#define HEARTBEAT_S 30
#define POOL_BYTES  4096
#define GOODBYE_MS  500

void sink_amqp_init(struct sink_amqp *amqp, const atomic_bool *stop, const char *secret)
{
	*amqp = (struct sink_amqp){.frame_bytes = LEAST_FRAME_BYTES};
	sink_link_init(&amqp->link, stop, secret);
	init_amqp_pool(&amqp->pool, POOL_BYTES);
}

void sink_amqp_free(struct sink_amqp *amqp)
{
	sink_link_free(&amqp->link);
	empty_amqp_pool(&amqp->pool);
}

static int amqp_append_frame(struct sink_amqp *amqp, uint8_t type, uint16_t channel, const void *payload,
			     size_t n_bytes)
{
	const uint16_t channel_be = htobe16(channel);
	const uint32_t n_be = htobe32((uint32_t)n_bytes);
	const uint8_t end = AMQP_FRAME_END;
	uint8_t head[HEAD_BYTES] = {type};

	memcpy(head + 1, &channel_be, sizeof(channel_be));
	memcpy(head + 3, &n_be, sizeof(n_be));
	return sink_link_append(&amqp->link, head, sizeof(head)) ||
			       sink_link_append(&amqp->link, payload, n_bytes) ||
			       sink_link_append(&amqp->link, &end, sizeof(end))
		       ? -1
		       : 0;
}

int sink_amqp_append_method(struct sink_amqp *amqp, uint16_t channel, amqp_method_number_t id, void *method)
{
	uint8_t payload[LEAST_FRAME_BYTES - HEAD_BYTES - END_BYTES];
	const uint32_t id_be = htobe32(id);
	int n, rc;

	memcpy(payload, &id_be, sizeof(id_be));
	n = amqp_encode_method(id, method,
			       (amqp_bytes_t){sizeof(payload) - sizeof(id_be), payload + sizeof(id_be)});
	if (n < 0)
		return sink_link_complain(&amqp->link, "user, password or names are too long for AMQP");
	rc = amqp_append_frame(amqp, AMQP_FRAME_METHOD, channel, payload, sizeof(id_be) + (size_t)n);
	if (amqp->link.secret)
		explicit_bzero(payload, sizeof(payload));
	return rc;
}

int sink_amqp_append_publish(struct sink_amqp *amqp, amqp_basic_publish_t *publish,
			     amqp_basic_properties_t *properties, const void *body, size_t body_bytes)
{
	const size_t most = amqp->frame_bytes - HEAD_BYTES - END_BYTES;
	const uint16_t class_be = htobe16(AMQP_BASIC_CLASS);
	const uint64_t n_be = htobe64(body_bytes);
	uint8_t head[LEAST_FRAME_BYTES - HEAD_BYTES - END_BYTES] = {0};
	int n;

	if (sink_amqp_append_method(amqp, SINK_AMQP_CHANNEL, AMQP_BASIC_PUBLISH_METHOD, publish))
		return -1;
	memcpy(head, &class_be, sizeof(class_be));
	memcpy(head + 4, &n_be, sizeof(n_be));
	n = amqp_encode_properties(AMQP_BASIC_CLASS, properties,
				   (amqp_bytes_t){sizeof(head) - PROPERTIES_AT, head + PROPERTIES_AT});
	if (n < 0)
		return sink_link_complain(&amqp->link, "a record's properties are too long for AMQP");
	if (amqp_append_frame(amqp, AMQP_FRAME_HEADER, SINK_AMQP_CHANNEL, head, PROPERTIES_AT + (size_t)n))
		return -1;
	for (size_t at = 0; at < body_bytes; at += most) {
		size_t part = body_bytes - at < most ? body_bytes - at : most;

		if (amqp_append_frame(amqp, AMQP_FRAME_BODY, SINK_AMQP_CHANNEL, (const uint8_t *)body + at, part))
			return -1;
	}
	return 0;
}

/* Complains of what is no AMQP, and closes the connection. */
static int amqp_reject(struct sink_amqp *amqp, const char *what)
{
	sink_link_complain(&amqp->link, "%s: check that `server` is a broker's port for AMQP 0-9-1", what);
	sink_link_close(&amqp->link);
	return -1;
}

/* Decodes a frame's payload. 0, or -1 where it is malformed. */
static int amqp_decode(struct sink_amqp *amqp, amqp_frame_t *frame, const uint8_t *payload, size_t n_bytes)
{
	amqp_bytes_t rest;
	uint32_t id_be;
	uint16_t class_be;

	if (frame->frame_type == AMQP_FRAME_METHOD) {
		if (n_bytes < sizeof(id_be))
			return -1;
		memcpy(&id_be, payload, sizeof(id_be));
		frame->payload.method.id = be32toh(id_be);
		rest = (amqp_bytes_t){n_bytes - sizeof(id_be), (void *)(uintptr_t)(payload + sizeof(id_be))};
		return amqp_decode_method(frame->payload.method.id, &amqp->pool, rest,
					  &frame->payload.method.decoded) < 0
			       ? -1
			       : 0;
	}
	if (frame->frame_type == AMQP_FRAME_HEADER) {
		if (n_bytes < PROPERTIES_AT)
			return -1;
		memcpy(&class_be, payload, sizeof(class_be));
		frame->payload.properties.class_id = be16toh(class_be);
		rest = (amqp_bytes_t){n_bytes - PROPERTIES_AT, (void *)(uintptr_t)(payload + PROPERTIES_AT)};
		return amqp_decode_properties(frame->payload.properties.class_id, &amqp->pool, rest,
					      &frame->payload.properties.decoded) < 0
			       ? -1
			       : 0;
	}
	return frame->frame_type == AMQP_FRAME_BODY || frame->frame_type == AMQP_FRAME_HEARTBEAT ? 0 : -1;
}

/* Takes a frame from what was received. 1 with it, 0 where more has to come, -1 after a complaint. */
static int amqp_take(struct sink_amqp *amqp, amqp_frame_t *frame)
{
	const uint8_t *bytes;
	size_t n = sink_link_received(&amqp->link, &bytes);
	uint16_t channel_be;
	uint32_t n_be;
	size_t payload_bytes;

	if (n >= HEAD_BYTES && !memcmp(bytes, "AMQP", 4))
		return amqp_reject(amqp, "speaks another version of AMQP");
	if (n < HEAD_BYTES)
		return 0;
	memcpy(&channel_be, bytes + 1, sizeof(channel_be));
	memcpy(&n_be, bytes + 3, sizeof(n_be));
	payload_bytes = be32toh(n_be);
	if (payload_bytes > SINK_AMQP_FRAME_BYTES - HEAD_BYTES - END_BYTES)
		return amqp_reject(amqp, "answers with too much");
	if (n < HEAD_BYTES + payload_bytes + END_BYTES)
		return 0;
	recycle_amqp_pool(&amqp->pool);
	*frame = (amqp_frame_t){.frame_type = bytes[0], .channel = be16toh(channel_be)};
	if (bytes[HEAD_BYTES + payload_bytes] != AMQP_FRAME_END ||
	    amqp_decode(amqp, frame, bytes + HEAD_BYTES, payload_bytes))
		return amqp_reject(amqp, "answers what a broker would not");
	sink_link_consume(&amqp->link, HEAD_BYTES + payload_bytes + END_BYTES);
	return 1;
}

static const char *amqp_advice(uint16_t code)
{
	switch (code) {
	case AMQP_ACCESS_REFUSED:
		return "check user and password, and what the user may";
	case AMQP_NOT_FOUND:
		return "declare it at the broker, or correct its name";
	case AMQP_NOT_ALLOWED:
		return "check the virtual host, and what the user may";
	case AMQP_CONNECTION_FORCED:
		return "the broker ends, or somebody closed the connection";
	default:
		return "see the broker's log";
	}
}

/* The broker closed the connection or the channel. */
static int amqp_closed(struct sink_amqp *amqp, uint16_t code, amqp_bytes_t text)
{
	sink_link_complain(&amqp->link, "%u %.*s: %s", code, (int)(text.len < 300 ? text.len : 300),
			   text.len ? (const char *)text.bytes : "", amqp_advice(code));
	sink_link_close(&amqp->link);
	return -1;
}

/* What concerns the connection itself. 1 where the frame is the caller's, 0 where it is done with, -1 where that was
 * all. */
static int amqp_handle(struct sink_amqp *amqp, const amqp_frame_t *frame)
{
	if (frame->frame_type == AMQP_FRAME_HEARTBEAT)
		return 0;
	if (frame->frame_type != AMQP_FRAME_METHOD)
		return 1;
	switch (frame->payload.method.id) {
	case AMQP_CONNECTION_CLOSE_METHOD: {
		const amqp_connection_close_t *method = frame->payload.method.decoded;

		return amqp_closed(amqp, method->reply_code, method->reply_text);
	}
	case AMQP_CHANNEL_CLOSE_METHOD: {
		const amqp_channel_close_t *method = frame->payload.method.decoded;

		return amqp_closed(amqp, method->reply_code, method->reply_text);
	}
	case AMQP_CONNECTION_BLOCKED_METHOD: {
		const amqp_connection_blocked_t *method = frame->payload.method.decoded;

		amqp->is_blocked = true;
		snprintf(amqp->why_blocked, sizeof(amqp->why_blocked), "%.*s", (int)method->reason.len,
			 method->reason.len ? (const char *)method->reason.bytes : "");
		return 0;
	}
	case AMQP_CONNECTION_UNBLOCKED_METHOD:
		amqp->is_blocked = false;
		return 0;
	default:
		return 1;
	}
}

int sink_amqp_next(struct sink_amqp *amqp, amqp_frame_t *frame, uint64_t deadline_ns)
{
	for (int n_pumps = 0;; n_pumps++) {
		int rc;

		while ((rc = amqp_take(amqp, frame)) > 0) {
			rc = amqp_handle(amqp, frame);
			if (rc)
				return rc;
		}
		if (rc < 0)
			return rc;
		if (n_pumps && sink_clock_ns(CLOCK_MONOTONIC) >= deadline_ns)
			return 0;
		rc = sink_link_pump(&amqp->link, deadline_ns);
		if (rc <= 0)
			return rc;
	}
}

/* Waits for this method and no other. What it says, or NULL after a complaint. */
static void *amqp_expect(struct sink_amqp *amqp, amqp_method_number_t id, uint64_t deadline_ns)
{
	amqp_frame_t frame;
	int rc = sink_amqp_next(amqp, &frame, deadline_ns);

	if (!rc)
		sink_link_complain(&amqp->link, "no answer in time: is it too busy, or stopped?");
	else if (rc > 0 && (frame.frame_type != AMQP_FRAME_METHOD || frame.payload.method.id != id))
		amqp_reject(amqp, "answers out of order");
	else if (rc > 0)
		return frame.payload.method.decoded;
	return NULL;
}

static amqp_table_entry_t entry_bool(const char *name)
{
	return (amqp_table_entry_t){amqp_cstring_bytes(name), {AMQP_FIELD_KIND_BOOLEAN, {.boolean = 1}}};
}

static amqp_table_entry_t entry_text(const char *name, const char *text)
{
	return (amqp_table_entry_t){amqp_cstring_bytes(name),
				    {AMQP_FIELD_KIND_UTF8, {.bytes = amqp_cstring_bytes(text)}}};
}

/* Who we are, and what we understand. */
static int amqp_append_start(struct sink_amqp *amqp, amqp_bytes_t response)
{
	amqp_table_entry_t capabilities[] = {
		entry_bool("publisher_confirms"),
		entry_bool("basic.nack"),
		entry_bool("connection.blocked"),
		entry_bool("authentication_failure_close"),
	};
	amqp_table_entry_t properties[] = {
		entry_text("product", "wirescore"),
		entry_text("platform", "C"),
		{amqp_cstring_bytes("capabilities"),
		 {AMQP_FIELD_KIND_TABLE,
		  {.table = {sizeof(capabilities) / sizeof(capabilities[0]), capabilities}}}},
	};
	amqp_connection_start_ok_t start = {
		.client_properties = {sizeof(properties) / sizeof(properties[0]), properties},
		.mechanism = amqp_cstring_bytes("PLAIN"),
		.response = response,
		.locale = amqp_cstring_bytes("en_US"),
	};

	return sink_amqp_append_method(amqp, 0, AMQP_CONNECTION_START_OK_METHOD, &start);
}

/* User and password as SASL's PLAIN has them (RFC 4616). 0, or -1 after a complaint. */
static int amqp_append_login(struct sink_amqp *amqp, const struct sink_amqp_login *login)
{
	size_t n_user = strlen(login->user), n_password = strlen(login->password), n = n_user + n_password + 2;
	char *response = calloc(1, n);
	int rc;

	if (!response)
		return sink_link_complain(&amqp->link, "out of memory");
	memcpy(response + 1, login->user, n_user);
	memcpy(response + 2 + n_user, login->password, n_password);
	rc = amqp_append_start(amqp, (amqp_bytes_t){n, response});
	explicit_bzero(response, n);
	free(response);
	return rc;
}

/* Agrees on sizes and heartbeats: the lesser of both sides', where 0 is none. */
static int amqp_append_tune(struct sink_amqp *amqp, const amqp_connection_tune_t *tune)
{
	amqp_connection_tune_ok_t answer = {
		.channel_max = SINK_AMQP_CHANNEL,
		.frame_max = SINK_AMQP_FRAME_BYTES,
		.heartbeat = HEARTBEAT_S,
	};

	if (tune->frame_max && tune->frame_max < LEAST_FRAME_BYTES)
		return amqp_reject(amqp, "takes no frames of the size that AMQP asks for");
	if (tune->frame_max && tune->frame_max < answer.frame_max)
		answer.frame_max = tune->frame_max;
	if (tune->heartbeat && tune->heartbeat < answer.heartbeat)
		answer.heartbeat = tune->heartbeat;
	amqp->frame_bytes = answer.frame_max;
	amqp->heartbeat_ns = (uint64_t)answer.heartbeat * NS_IN_S;
	return sink_amqp_append_method(amqp, 0, AMQP_CONNECTION_TUNE_OK_METHOD, &answer);
}

/* 0 once logged in, or -1 after a complaint. */
static int amqp_log_in(struct sink_amqp *amqp, const struct sink_amqp_login *login, uint64_t deadline_ns)
{
	static const char greeting[8] = {'A', 'M', 'Q', 'P', 0, 0, 9, 1};
	amqp_connection_open_t open = {
		.virtual_host = amqp_cstring_bytes(login->virtual_host),
		.capabilities = amqp_empty_bytes,
		.insist = 1,
	};
	const amqp_connection_tune_t *tune;

	if (sink_link_append(&amqp->link, greeting, sizeof(greeting)) ||
	    !amqp_expect(amqp, AMQP_CONNECTION_START_METHOD, deadline_ns) || amqp_append_login(amqp, login))
		return -1;
	tune = amqp_expect(amqp, AMQP_CONNECTION_TUNE_METHOD, deadline_ns);
	sink_link_forget(&amqp->link);
	if (!tune || amqp_append_tune(amqp, tune) ||
	    sink_amqp_append_method(amqp, 0, AMQP_CONNECTION_OPEN_METHOD, &open) ||
	    !amqp_expect(amqp, AMQP_CONNECTION_OPEN_OK_METHOD, deadline_ns))
		return -1;
	return 0;
}

static int amqp_open_channel(struct sink_amqp *amqp, uint64_t deadline_ns)
{
	amqp_channel_open_t open = {.out_of_band = amqp_empty_bytes};
	amqp_confirm_select_t confirm = {.nowait = 0};

	if (sink_amqp_append_method(amqp, SINK_AMQP_CHANNEL, AMQP_CHANNEL_OPEN_METHOD, &open) ||
	    !amqp_expect(amqp, AMQP_CHANNEL_OPEN_OK_METHOD, deadline_ns) ||
	    sink_amqp_append_method(amqp, SINK_AMQP_CHANNEL, AMQP_CONFIRM_SELECT_METHOD, &confirm) ||
	    !amqp_expect(amqp, AMQP_CONFIRM_SELECT_OK_METHOD, deadline_ns))
		return -1;
	return 0;
}

int sink_amqp_connect(struct sink_amqp *amqp, const struct sink_address *address,
		      const struct sink_amqp_login *login, uint64_t deadline_ns)
{
	amqp->is_blocked = false;
	amqp->frame_bytes = LEAST_FRAME_BYTES;
	amqp->heartbeat_ns = 0;
	if (sink_link_connect(&amqp->link, address, deadline_ns))
		return -1;
	if (!amqp_log_in(amqp, login, deadline_ns) && !amqp_open_channel(amqp, deadline_ns))
		return 0;
	sink_link_close(&amqp->link);
	return -1;
}

void sink_amqp_beat(struct sink_amqp *amqp)
{
	uint64_t now = sink_clock_ns(CLOCK_MONOTONIC);

	if (!sink_link_is_open(&amqp->link) || !amqp->heartbeat_ns)
		return;
	/* Two beats of the broker's are missing: what it had not confirmed is sent again over another connection. */
	if (now > amqp->link.received_ns + 2 * amqp->heartbeat_ns) {
		sink_link_complain(&amqp->link, "heartbeats are missing: is it stopped?");
		sink_link_close(&amqp->link);
	} else if (now > amqp->link.sent_ns + amqp->heartbeat_ns / 2 && !sink_link_waiting(&amqp->link))
		/* One that takes nothing would only be owed more and more of them. */
		amqp_append_frame(amqp, AMQP_FRAME_HEARTBEAT, 0, NULL, 0);
}

void sink_amqp_close(struct sink_amqp *amqp)
{
	uint64_t deadline_ns = sink_clock_ns(CLOCK_MONOTONIC) + GOODBYE_MS * (uint64_t)NS_IN_MS;
	amqp_connection_close_t close = {.reply_code = AMQP_REPLY_SUCCESS, .reply_text = amqp_empty_bytes};
	amqp_frame_t frame;

	if (sink_link_is_open(&amqp->link) &&
	    !sink_amqp_append_method(amqp, 0, AMQP_CONNECTION_CLOSE_METHOD, &close))
		while (sink_amqp_next(amqp, &frame, deadline_ns) > 0)
			if (sink_clock_ns(CLOCK_MONOTONIC) >= deadline_ns ||
			    (frame.frame_type == AMQP_FRAME_METHOD &&
			     frame.payload.method.id == AMQP_CONNECTION_CLOSE_OK_METHOD))
				break;
	sink_link_close(&amqp->link);
}
