/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Records to Kafka, by librdkafka's idempotent producer: what it holds arrives once and in order, for as long as the
 * producer lives. The key is the conversation's, so that all of its records are in one partition. Called by sink.c.
 *
 * deliver() may run out of patience while librdkafka still holds records. It goes on with them on its own threads, and
 * the framework offers them again: they are known by their place, since records come in order from the first one that
 * was not told as delivered. Slot i of the window is the i-th record since the sink was opened, modulo its size.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <librdkafka/rdkafka.h>

#include "sink_clock.h"
#include "sink_drivers.h"

#define NS_IN_S	 UINT64_C(1000000000)
#define NS_IN_MS UINT64_C(1000000)

/* Of the time that a call may take: some is left for what librdkafka itself does between. */
#define KAFKA_DELIVER_MS 4000
#define KAFKA_STOP_MS	 1000 /* once the run ends */
#define KAFKA_SLICE_MS	 50
#define KAFKA_CLOSE_MS	 3000
#define KAFKA_REMAKE_MS	 500
#define KAFKA_KEY_BYTES	 16
#define KAFKA_TEXT	 512

enum kafka_slot {
	KAFKA_FREE, /* to be produced */
	KAFKA_HELD, /* by librdkafka, without a report yet */
	KAFKA_TAKEN /* acknowledged */
};

struct kafka {
	const struct sink_options *options;
	rd_kafka_conf_t *conf; /* each producer has a copy */
	rd_kafka_t *producer;  /* NULL: to be made */
	uint64_t n_told;       /* records that deliver has told as delivered; the window begins here */
	uint32_t n_held;
	uint8_t window[SINK_MAX_BATCH]; /* enum kafka_slot */
	char reason[KAFKA_TEXT];	/* what went wrong last, "" where nothing did */
};

/* What the sink needs to keep its word, and what bounds its memory; the section's properties come after. */
static const char *const kafka_defaults[][2] = {
	{"client.id", "wirescore"},
	{"enable.idempotence", "true"},
	/* As the Java clients' default: a consumer that joins topics by key finds the same partitions. */
	{"partitioner", "murmur2_random"},
	{"queue.buffering.max.messages", "1024"}, /* twice the window */
	{"queue.buffering.max.kbytes", "65536"},
	/* Never given up by itself: a record that timed out and came again would be behind later ones. */
	{"message.timeout.ms", "0"},
	{"reconnect.backoff.max.ms", "2000"},
	{"socket.keepalive.enable", "true"},
	/* A batch is a request for each partition: none waits for the acknowledgement of the one before. */
	{"socket.nagle.disable", "true"},
	{"log.connection.close", "false"},
};

/* Properties that would break what this file does, or that have a key of their own. */
static const char *const kafka_reserved[][2] = {
	{"bootstrap.servers", "brokers are told by `server`"},
	{"metadata.broker.list", "brokers are told by `server`"},
	{"sasl.password", "the password is told by `password-file` or `password-env`"},
	{"delivery.report.only.error", "without reports no record is known to be delivered"},
	{"transactional.id", "records are not written in transactions"},
};

static bool kafka_has(const char *text, const char *part)
{
	return part && part[0] && strstr(text, part);
}

/*
 * What librdkafka or a broker said, unless it quotes a secret: the password, a property that may be one, or the
 * property that holds several.
 */
static const char *kafka_public(const struct kafka *kafka, const char *said)
{
	static const char *const secret_names[] = {"password", "secret", "pem", "oauthbearer.config"};
	bool is_secret = kafka_has(said, kafka->options->password) || kafka_has(said, "oauthbearer.config");

	for (const char *const *property = kafka->options->properties; property && *property; property++) {
		const char *value = strchr(*property, '=');

		for (size_t i = 0; value && i < sizeof(secret_names) / sizeof(secret_names[0]); i++) {
			const char *name = strstr(*property, secret_names[i]);

			is_secret |= name && name < value && kafka_has(said, value + 1);
		}
	}
	return is_secret ? "refused (why is not shown, since it quotes a secret)" : said;
}

/* Keeps a reason as one line, without the times and counts that make each one look new. */
static void kafka_keep_reason(struct kafka *kafka, const char *reason)
{
	char *times;

	snprintf(kafka->reason, sizeof(kafka->reason), "%s", kafka_public(kafka, reason));
	times = strstr(kafka->reason, " (after ");
	if (times)
		*times = '\0';
	for (char *at = kafka->reason; *at; at++)
		if ((unsigned char)*at < ' ')
			*at = ' ';
}

/* librdkafka's callbacks but kafka_on_log run in rd_kafka_poll and _flush, and so in the thread of the sink. */
static void kafka_on_report(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque)
{
	struct kafka *kafka = opaque;
	uint64_t place = (uint64_t)(uintptr_t)message->_private;
	uint8_t *slot = &kafka->window[place % SINK_MAX_BATCH];

	(void)producer;
	kafka->n_held--;
	*slot = message->err ? KAFKA_FREE : KAFKA_TAKEN;
	if (message->err)
		kafka_keep_reason(kafka, rd_kafka_err2str(message->err));
}

static void kafka_on_error(rd_kafka_t *producer, int code, const char *reason, void *opaque)
{
	struct kafka *kafka = opaque;

	(void)producer;
	/* It comes after the reason of each broker, and says less. */
	if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && kafka->reason[0])
		return;
	kafka_keep_reason(kafka, reason);
}

/* What matters comes by kafka_on_error too; the program's log is not librdkafka's. */
static void kafka_on_log(const rd_kafka_t *producer, int level, const char *facility, const char *text)
{
	(void)producer;
	(void)level;
	(void)facility;
	(void)text;
}

/* One property. What librdkafka says against a value may quote it, and a value may be a secret. */
static int kafka_set(struct kafka *kafka, const char *name, const char *value, char *error, size_t error_size)
{
	char said[KAFKA_TEXT];

	if (rd_kafka_conf_set(kafka->conf, name, value, said, sizeof(said)) == RD_KAFKA_CONF_OK)
		return 0;
	snprintf(error, error_size, "property %s: %s", name,
		 kafka_has(said, value) ? "librdkafka does not accept its value" : said);
	return -EINVAL;
}

/* A property of the section, "name=value". */
static int kafka_set_property(struct kafka *kafka, const char *property, char *error, size_t error_size)
{
	size_t name_bytes = strcspn(property, "= \t:");
	char name[128];

	snprintf(name, sizeof(name), "%.*s", (int)name_bytes, property);
	if (property[name_bytes] != '=' || !name_bytes || name_bytes >= sizeof(name)) {
		snprintf(error, error_size,
			 "property %s...: is not of the form name=value, without spaces before the =", name);
		return -EINVAL;
	}
	for (size_t i = 0; i < sizeof(kafka_reserved) / sizeof(kafka_reserved[0]); i++)
		if (!strcmp(name, kafka_reserved[i][0])) {
			snprintf(error, error_size, "property %s: cannot be set: %s", name, kafka_reserved[i][1]);
			return -EINVAL;
		}
	return kafka_set(kafka, name, property + name_bytes + 1, error, error_size);
}

static int kafka_configure(struct kafka *kafka, char *error, size_t error_size)
{
	const struct sink_options *options = kafka->options;
	int rc = 0;

	for (size_t i = 0; !rc && i < sizeof(kafka_defaults) / sizeof(kafka_defaults[0]); i++)
		rc = kafka_set(kafka, kafka_defaults[i][0], kafka_defaults[i][1], error, error_size);
	for (const char *const *property = options->properties; !rc && property && *property; property++)
		rc = kafka_set_property(kafka, *property, error, error_size);
	if (!rc && options->user)
		rc = kafka_set(kafka, "sasl.username", options->user, error, error_size);
	if (!rc && options->password)
		rc = kafka_set(kafka, "sasl.password", options->password, error, error_size);
	rd_kafka_conf_set_dr_msg_cb(kafka->conf, kafka_on_report);
	rd_kafka_conf_set_error_cb(kafka->conf, kafka_on_error);
	rd_kafka_conf_set_log_cb(kafka->conf, kafka_on_log);
	rd_kafka_conf_set_opaque(kafka->conf, kafka);
	return rc;
}

/* NULL with one line in error. */
static rd_kafka_t *kafka_make_producer(struct kafka *kafka, char *error, size_t error_size)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_dup(kafka->conf);
	char said[KAFKA_TEXT];
	rd_kafka_t *producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, said, sizeof(said));

	if (producer)
		return producer;
	rd_kafka_conf_destroy(conf);
	kafka_keep_reason(kafka, said);
	snprintf(error, error_size, "kafka: librdkafka does not accept the properties: %s", kafka->reason);
	return NULL;
}

static void *kafka_destroy_run(void *producer)
{
	rd_kafka_destroy(producer);
	return NULL;
}

/*
 * Waits for librdkafka's threads to end, but no longer than told: one may be in a look-up of a name. They then end by
 * themselves.
 */
static void kafka_destroy_producer(struct kafka *kafka, uint64_t ms)
{
	uint64_t until_ns = sink_clock_ns(CLOCK_MONOTONIC) + ms * NS_IN_MS;
	struct timespec until = {(time_t)(until_ns / NS_IN_S), (long)(until_ns % NS_IN_S)};
	pthread_t thread;

	if (!kafka->producer)
		return;
	rd_kafka_purge(kafka->producer,
		       RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
	if (pthread_create(&thread, NULL, kafka_destroy_run, kafka->producer))
		rd_kafka_destroy(kafka->producer);
	else if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until))
		pthread_detach(thread);
	kafka->producer = NULL;
	kafka->n_held = 0;
	for (uint32_t i = 0; i < SINK_MAX_BATCH; i++)
		if (kafka->window[i] == KAFKA_HELD)
			kafka->window[i] = KAFKA_FREE;
}

/* A producer without brokers, to learn what only rd_kafka_new finds out: certificates, mechanisms, combinations. */
static int kafka_try(struct kafka *kafka, char *error, size_t error_size)
{
	kafka->producer = kafka_make_producer(kafka, error, error_size);
	if (!kafka->producer)
		return -EINVAL;
	kafka_destroy_producer(kafka, KAFKA_CLOSE_MS);
	return kafka_set(kafka, "bootstrap.servers", kafka->options->server, error, error_size);
}

static void kafka_free(struct kafka *kafka)
{
	rd_kafka_conf_destroy(kafka->conf);
	free(kafka);
}

static int kafka_open(const struct sink_options *options, const struct sink_formats *formats, void **state,
		      char *error, size_t error_size)
{
	struct kafka *kafka;
	int rc;

	(void)formats;
	if (!options->server || !options->server[0] || !options->topic || !options->topic[0]) {
		snprintf(error, error_size, "kafka needs `server`, HOST:PORT with commas between, and `topic`");
		return -EINVAL;
	}
	kafka = calloc(1, sizeof(*kafka));
	if (!kafka) {
		snprintf(error, error_size, "kafka: %s", strerror(ENOMEM));
		return -ENOMEM;
	}
	kafka->options = options;
	kafka->conf = rd_kafka_conf_new();
	rc = kafka_configure(kafka, error, error_size);
	if (!rc)
		rc = kafka_try(kafka, error, error_size);
	if (rc)
		kafka_free(kafka);
	else
		*state = kafka;
	return rc;
}

/* The key of a message, 16 hexadecimal digits: 0 bytes where the record is of no conversation. */
static size_t kafka_put_key(uint64_t key, char text[KAFKA_KEY_BYTES + 1])
{
	if (!key)
		return 0;
	snprintf(text, KAFKA_KEY_BYTES + 1, "%016llx", (unsigned long long)key);
	return KAFKA_KEY_BYTES;
}

/* Hands over those that librdkafka does not have yet, as far as there is room. */
static void kafka_produce(struct kafka *kafka, const struct sink_item *items, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint64_t place = kafka->n_told + i;
		uint8_t *slot = &kafka->window[place % SINK_MAX_BATCH];
		char key[KAFKA_KEY_BYTES + 1];
		size_t key_bytes = kafka_put_key(items[i].key, key);
		rd_kafka_resp_err_t rc;

		if (*slot != KAFKA_FREE)
			continue;
		rc = rd_kafka_producev(kafka->producer, RD_KAFKA_V_TOPIC(kafka->options->topic),
				       RD_KAFKA_V_KEY(key_bytes ? key : NULL, key_bytes),
				       /* librdkafka only reads it: it makes its own copy. */
				       RD_KAFKA_V_VALUE((void *)(uintptr_t)items[i].text, items[i].text_bytes),
				       RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
				       RD_KAFKA_V_OPAQUE((void *)(uintptr_t)place), RD_KAFKA_V_END);
		if (rc) {
			kafka_keep_reason(kafka, rd_kafka_err2str(rc));
			return;
		}
		*slot = KAFKA_HELD;
		kafka->n_held++;
	}
}

/* Until all that is held is reported, patience ends, or the producer can do no more. */
static void kafka_wait(struct kafka *kafka)
{
	const atomic_bool *stop = kafka->options->stop;
	uint64_t start_ns = sink_clock_ns(CLOCK_MONOTONIC);

	do {
		uint64_t patience_ms = stop && atomic_load(stop) ? KAFKA_STOP_MS : KAFKA_DELIVER_MS;

		if (sink_clock_ns(CLOCK_MONOTONIC) - start_ns >= patience_ms * NS_IN_MS)
			return;
		/* Unlike rd_kafka_poll it sends at once what waits for company. */
		rd_kafka_flush(kafka->producer, KAFKA_SLICE_MS);
	} while (kafka->n_held && !rd_kafka_fatal_error(kafka->producer, NULL, 0));
}

/* Moves the window behind those acknowledged, from its first on; returns how many. */
static uint32_t kafka_advance(struct kafka *kafka, uint32_t n)
{
	uint32_t taken = 0;

	while (taken < n) {
		uint8_t *slot = &kafka->window[kafka->n_told % SINK_MAX_BATCH];

		if (*slot != KAFKA_TAKEN)
			break;
		*slot = KAFKA_FREE;
		kafka->n_told++;
		taken++;
	}
	return taken;
}

static uint32_t kafka_deliver(void *state, const struct sink_item *items, uint32_t n, char *error,
			      size_t error_size)
{
	struct kafka *kafka = state;
	char said[KAFKA_TEXT];
	uint32_t n_taken;

	n = n < SINK_MAX_BATCH ? n : SINK_MAX_BATCH;
	if (!kafka->producer)
		kafka->producer = kafka_make_producer(kafka, error, error_size);
	if (!kafka->producer)
		return 0;
	kafka_produce(kafka, items, n);
	kafka_wait(kafka);
	n_taken = kafka_advance(kafka, n);
	/* An idempotent producer that lost track can never again promise anything: the next call makes another. */
	if (rd_kafka_fatal_error(kafka->producer, said, sizeof(said))) {
		kafka_keep_reason(kafka, said);
		kafka_destroy_producer(kafka, KAFKA_REMAKE_MS);
	}
	if (n_taken < n)
		snprintf(error, error_size, "kafka at %s, topic %s: %s", kafka->options->server,
			 kafka->options->topic, kafka->reason[0] ? kafka->reason : "no acknowledgement in time");
	else
		kafka->reason[0] = '\0';
	return n_taken;
}

/* Reports and reasons that came meanwhile; and the first record finds brokers connected. */
static void kafka_tick(void *state, uint64_t now_ns)
{
	struct kafka *kafka = state;
	char error[2 * KAFKA_TEXT];

	(void)now_ns;
	if (!kafka->producer)
		kafka->producer = kafka_make_producer(kafka, error, sizeof(error));
	if (kafka->producer)
		rd_kafka_poll(kafka->producer, 0);
}

static int kafka_close(void *state, char *error, size_t error_size)
{
	(void)error;
	(void)error_size;
	kafka_destroy_producer(state, KAFKA_CLOSE_MS);
	kafka_free(state);
	return 0;
}

const struct sink_driver sink_kafka_driver = {
	.name = "kafka",
	.library = "librdkafka " SINK_KAFKA_VERSION,
	.has_text = true,
	.open = kafka_open,
	.deliver = kafka_deliver,
	.tick = kafka_tick,
	.close = kafka_close,
};
