/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Records to RabbitMQ, as persistent messages that must reach a queue. One counts as delivered when the broker has
 * confirmed it, which it does when each queue that it went to has it on disk. What was not confirmed when a connection
 * breaks is sent again, under the same message-id: a record may be there twice, never not at all. Called by the sink's
 * thread through sink_rabbitmq_driver.
 */
#include "sink_drivers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "sink_amqp.h"
#include "sink_clock.h"

#define RABBITMQ_PORT "5672"

/* What RabbitMQ makes when it is installed; it may connect from the same machine only. */
#define RABBITMQ_USER	      "guest"
#define RABBITMQ_PASSWORD     "guest"
#define RABBITMQ_VIRTUAL_HOST "/"

#define RABBITMQ_MAX_NAME_BYTES 255 /* AMQP's short strings */
#define RABBITMQ_PERSISTENT	2
#define RABBITMQ_ID_BYTES	40

/* How long a tick may take from a broker that never stops talking. */
#define RABBITMQ_TICK_NS UINT64_C(100000000)

/* How often to look whether a heartbeat is due while confirms are waited for. */
#define RABBITMQ_BEAT_NS UINT64_C(500000000)

/* What is known of a record on its way. */
struct rabbitmq_mark {
	bool is_settled;  /* the broker has said what became of it */
	bool is_refused;  /* ... and that it has not got it */
	bool is_returned; /* no queue wanted it */
};

struct rabbitmq {
	const struct sink_options *options;
	struct sink_amqp amqp;
	struct sink_address address;
	struct sink_amqp_login login;
	uint64_t run_id;    /* before the number in each message-id */
	uint64_t n_taken;   /* records so far */
	uint64_t first_tag; /* the broker's number of the batch's first record; a connection's first is 1 */
	uint32_t n_sent;    /* records of the batch */
	uint32_t n_waiting; /* ... that are not settled */
	struct rabbitmq_mark marks[SINK_MAX_BATCH];
};

/* A key of the config that is empty is as good as none. */
static const char *text_or(const char *text, const char *other)
{
	return text && *text ? text : other;
}

/* A confirm, of one record or of all up to it. 0, or -1 after a complaint. */
static int rabbitmq_settle(struct rabbitmq *rabbitmq, uint64_t tag, bool is_multiple, bool is_refused)
{
	uint64_t first = rabbitmq->first_tag, end = first + rabbitmq->n_sent;
	uint64_t from = is_multiple ? first : tag;
	uint64_t to = is_multiple && !tag ? end : tag + 1; /* 0 is all of them */

	if (tag >= end)
		return sink_link_complain(&rabbitmq->amqp.link, "confirms what it was not sent: see its log");
	/* Before the batch: records of an earlier one, which were given up and are sent again. */
	for (uint64_t i = from > first ? from : first; i < to; i++) {
		struct rabbitmq_mark *mark = &rabbitmq->marks[i - first];

		rabbitmq->n_waiting -= !mark->is_settled;
		mark->is_refused |= !mark->is_settled && is_refused;
		mark->is_settled = true;
	}
	return 0;
}

/* The head of a record that comes back, before it is confirmed: its message-id tells which one it is. */
static void rabbitmq_note_return(struct rabbitmq *rabbitmq, const amqp_basic_properties_t *properties)
{
	char text[RABBITMQ_ID_BYTES] = "", *end;
	uint64_t number;

	if (!(properties->_flags & AMQP_BASIC_MESSAGE_ID_FLAG) || properties->message_id.len >= sizeof(text))
		return;
	memcpy(text, properties->message_id.bytes, properties->message_id.len);
	if (strtoull(text, &end, 16) != rabbitmq->run_id || *end != '-')
		return;
	number = strtoull(end + 1, NULL, 10) - 1 - rabbitmq->n_taken;
	if (number < rabbitmq->n_sent)
		rabbitmq->marks[number].is_returned = true;
}

/* 0, or -1 after a complaint. */
static int rabbitmq_handle(struct rabbitmq *rabbitmq, const amqp_frame_t *frame)
{
	if (frame->frame_type == AMQP_FRAME_HEADER && frame->payload.properties.class_id == AMQP_BASIC_CLASS)
		rabbitmq_note_return(rabbitmq, frame->payload.properties.decoded);
	if (frame->frame_type != AMQP_FRAME_METHOD)
		return 0;
	if (frame->payload.method.id == AMQP_BASIC_ACK_METHOD) {
		const amqp_basic_ack_t *method = frame->payload.method.decoded;

		return rabbitmq_settle(rabbitmq, method->delivery_tag, method->multiple, false);
	}
	if (frame->payload.method.id == AMQP_BASIC_NACK_METHOD) {
		const amqp_basic_nack_t *method = frame->payload.method.decoded;

		return rabbitmq_settle(rabbitmq, method->delivery_tag, method->multiple, true);
	}
	if (frame->payload.method.id == AMQP_BASIC_RETURN_METHOD)
		return 0;
	return sink_link_complain(&rabbitmq->amqp.link, "sends what is not for us: see its log");
}

/* Reads what is there already. 0, or -1 after a complaint: it is not connected any more. */
static int rabbitmq_catch_up(struct rabbitmq *rabbitmq, uint64_t deadline_ns)
{
	amqp_frame_t frame;
	int rc;

	while ((rc = sink_amqp_next(&rabbitmq->amqp, &frame, 0)) > 0) {
		if (!rabbitmq_handle(rabbitmq, &frame) && sink_clock_ns(CLOCK_MONOTONIC) < deadline_ns)
			continue;
		sink_link_close(&rabbitmq->amqp.link);
		return -1;
	}
	return rc;
}

/* 0 once it is connected, or -1 after a complaint. */
static int rabbitmq_connect(struct rabbitmq *rabbitmq, uint64_t deadline_ns)
{
	if (sink_link_is_open(&rabbitmq->amqp.link) && !rabbitmq_catch_up(rabbitmq, deadline_ns))
		return 0;
	rabbitmq->first_tag = 1;
	rabbitmq->n_sent = 0;
	return sink_amqp_connect(&rabbitmq->amqp, &rabbitmq->address, &rabbitmq->login, deadline_ns);
}

/* Appends the batch. 0, or -1 after a complaint. */
static int rabbitmq_publish(struct rabbitmq *rabbitmq, const struct sink_item *items, uint32_t n)
{
	amqp_basic_publish_t publish = {
		.exchange = amqp_cstring_bytes(text_or(rabbitmq->options->exchange, "")),
		.routing_key = amqp_cstring_bytes(text_or(rabbitmq->options->topic, "")),
		.mandatory = 1,
	};
	amqp_basic_properties_t properties = {
		._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG |
			  AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_APP_ID_FLAG,
		.content_type =
			amqp_cstring_bytes(rabbitmq->options->form == SINK_CSV ? "text/csv" : "application/json"),
		.delivery_mode = RABBITMQ_PERSISTENT,
		.app_id = amqp_cstring_bytes("wirescore"),
	};
	char id[RABBITMQ_ID_BYTES];

	rabbitmq->first_tag += rabbitmq->n_sent;
	rabbitmq->n_sent = rabbitmq->n_waiting = n;
	memset(rabbitmq->marks, 0, sizeof(rabbitmq->marks));
	for (uint32_t i = 0; i < n; i++) {
		snprintf(id, sizeof(id), "%016" PRIx64 "-%" PRIu64, rabbitmq->run_id, rabbitmq->n_taken + i + 1);
		properties.message_id = amqp_cstring_bytes(id);
		if (sink_amqp_append_publish(&rabbitmq->amqp, &publish, &properties, items[i].text,
					     items[i].text_bytes))
			return -1;
	}
	return 0;
}

/* Complains of what became of the first record that the broker has not got. */
static void rabbitmq_complain(struct rabbitmq *rabbitmq, const struct rabbitmq_mark *mark)
{
	const struct sink_options *options = rabbitmq->options;
	struct sink_link *link = &rabbitmq->amqp.link;

	if (mark->is_returned)
		sink_link_complain(
			link, "no queue takes routing key '%s' of exchange '%s': declare one there and bind it",
			text_or(options->topic, ""), text_or(options->exchange, ""));
	else if (mark->is_refused)
		sink_link_complain(link, "a queue refused a record (basic.nack): is it full? See the broker's log");
	else if (rabbitmq->amqp.is_blocked)
		sink_link_complain(link, "takes nothing for now (%s): free its memory or disk",
				   rabbitmq->amqp.why_blocked);
	else
		sink_link_complain(link, "no confirm in time: is it too busy, or stopped?");
}

/* Sends the batch and waits for its confirms. Returns how many from the first on the broker has. */
static uint32_t rabbitmq_exchange(struct rabbitmq *rabbitmq, const struct sink_item *items, uint32_t n,
				  uint64_t deadline_ns)
{
	struct sink_link *link = &rabbitmq->amqp.link;
	int rc = rabbitmq_publish(rabbitmq, items, n);
	uint32_t n_taken = 0;
	amqp_frame_t frame;

	while (!rc && rabbitmq->n_waiting && sink_clock_ns(CLOCK_MONOTONIC) < deadline_ns) {
		uint64_t beat_ns = sink_clock_ns(CLOCK_MONOTONIC) + RABBITMQ_BEAT_NS;

		if (sink_amqp_next(&rabbitmq->amqp, &frame, beat_ns < deadline_ns ? beat_ns : deadline_ns) > 0)
			rc = rabbitmq_handle(rabbitmq, &frame);
		sink_amqp_beat(&rabbitmq->amqp);
		if (!sink_link_is_open(link))
			rc = -1;
	}
	while (n_taken < n && rabbitmq->marks[n_taken].is_settled && !rabbitmq->marks[n_taken].is_refused &&
	       !rabbitmq->marks[n_taken].is_returned)
		n_taken++;
	if (n_taken < n && !rc)
		rabbitmq_complain(rabbitmq, &rabbitmq->marks[n_taken]);
	/* One that blocks has the batch in its socket: over another connection it would get it twice, each time. */
	if (rc || (rabbitmq->n_waiting && !rabbitmq->amqp.is_blocked))
		sink_link_close(link);
	return n_taken;
}

static uint32_t rabbitmq_deliver(void *state, const struct sink_item *items, uint32_t n, char *error,
				 size_t error_size)
{
	uint64_t deadline_ns = sink_clock_ns(CLOCK_MONOTONIC) + SINK_PATIENCE_MS * UINT64_C(900000);
	struct rabbitmq *rabbitmq = state;
	uint32_t n_taken = 0;

	n = n < SINK_MAX_BATCH ? n : SINK_MAX_BATCH;
	sink_link_begin(&rabbitmq->amqp.link, error, error_size);
	if (!rabbitmq_connect(rabbitmq, deadline_ns)) {
		if (rabbitmq->amqp.is_blocked)
			rabbitmq_complain(rabbitmq, &(struct rabbitmq_mark){0});
		else
			n_taken = rabbitmq_exchange(rabbitmq, items, n, deadline_ns);
	}
	rabbitmq->n_taken += n_taken;
	sink_link_begin(&rabbitmq->amqp.link, NULL, 0);
	return n_taken;
}

static void rabbitmq_tick(void *state, uint64_t now_ns)
{
	struct rabbitmq *rabbitmq = state;

	(void)now_ns; /* the connection has a clock of its own */
	sink_amqp_beat(&rabbitmq->amqp);
	if (sink_link_is_open(&rabbitmq->amqp.link))
		rabbitmq_catch_up(rabbitmq, sink_clock_ns(CLOCK_MONOTONIC) + RABBITMQ_TICK_NS);
}

static bool is_long(const char *text)
{
	return text && strlen(text) > RABBITMQ_MAX_NAME_BYTES;
}

static int rabbitmq_check_options(const struct sink_options *options, char *error, size_t error_size)
{
	if (!options->server || !*options->server)
		snprintf(error, error_size, "rabbitmq needs `server`: HOST:PORT");
	else if (options->server[0] == '/')
		snprintf(error, error_size, "%s: rabbitmq listens on no Unix socket: give HOST:PORT",
			 options->server);
	else if (!*text_or(options->exchange, "") && !*text_or(options->topic, ""))
		snprintf(error, error_size, "rabbitmq needs `topic`, the queue's name, or `exchange`");
	else if (is_long(options->topic) || is_long(options->exchange) || is_long(options->virtual_host))
		snprintf(error, error_size, "rabbitmq takes names of at most %d bytes", RABBITMQ_MAX_NAME_BYTES);
	else
		return 0;
	return -EINVAL;
}

static int rabbitmq_open(const struct sink_options *options, const struct sink_formats *formats, void **state,
			 char *error, size_t error_size)
{
	struct sink_address address;
	struct rabbitmq *rabbitmq;
	int rc = rabbitmq_check_options(options, error, error_size);

	(void)formats;
	if (!rc)
		rc = sink_address_parse(options->server, RABBITMQ_PORT, &address, error, error_size);
	if (rc)
		return rc;
	rabbitmq = calloc(1, sizeof(*rabbitmq));
	if (!rabbitmq || getrandom(&rabbitmq->run_id, sizeof(rabbitmq->run_id), 0) < 0) {
		snprintf(error, error_size, "%s: %s", options->server, strerror(errno));
		free(rabbitmq);
		return -ENOMEM;
	}
	rabbitmq->options = options;
	rabbitmq->address = address;
	rabbitmq->login = (struct sink_amqp_login){
		.user = text_or(options->user, RABBITMQ_USER),
		.password = options->password ? options->password
			    : options->user   ? ""
					      : RABBITMQ_PASSWORD,
		.virtual_host = text_or(options->virtual_host, RABBITMQ_VIRTUAL_HOST),
	};
	sink_amqp_init(&rabbitmq->amqp, options->stop, options->password);
	*state = rabbitmq;
	return 0;
}

static int rabbitmq_close(void *state, char *error, size_t error_size)
{
	struct rabbitmq *rabbitmq = state;

	(void)error;
	(void)error_size;
	sink_amqp_close(&rabbitmq->amqp);
	sink_amqp_free(&rabbitmq->amqp);
	free(rabbitmq);
	return 0;
}

const struct sink_driver sink_rabbitmq_driver = {
	.name = "rabbitmq",
	.library = "librabbitmq " AMQP_VERSION_STRING,
	.has_text = true,
	.open = rabbitmq_open,
	.deliver = rabbitmq_deliver,
	.tick = rabbitmq_tick,
	.close = rabbitmq_close,
};
