/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Records to Redis: entries of a stream, or of a list. hiredis writes the commands and reads the answers. The bytes go
 * through sink_link.h: hiredis looks names up for as long as it takes, its timeouts are for each read and not for a
 * whole exchange, and before 1.0 (Debian 12 has 0.14) it has no TLS. A batch is a transaction (MULTI, EXEC): the server
 * takes all of it or nothing, so that what it refuses in the middle does not come behind what follows. What was not
 * acknowledged when a connection breaks is sent again, so that a record may be there twice, never not at all. Called by
 * the sink's thread through sink_redis_driver.
 */
#include "sink_drivers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "sink_clock.h"
#include "sink_link.h"

#define TEXT_OF(x)  #x
#define NUMBER(x)   TEXT_OF(x)
#define REDIS_PORT  "6379"
#define REDIS_FIELD "record"

/* An answer is a line: what waits for its end longer than this is none. */
#define REDIS_MAX_ANSWER_BYTES (16u << 10)
#define REDIS_MAX_ERROR_BYTES  256
#define REDIS_MAX_WORDS	       8
#define REDIS_MAX_ELEMENTS     (SINK_MAX_BATCH + 1)

/* A transaction that takes less than this part of the patience may be larger next time. */
#define REDIS_PATIENCE_NS (SINK_PATIENCE_MS * UINT64_C(900000))
#define REDIS_QUICK_PART  8

/* One answer of the server. An array's elements are answers, too. */
struct redis_answer {
	bool is_error, is_array;
	uint32_t n_elements, n_good; /* of an array: all, and those before the first error */
	char text[REDIS_MAX_ERROR_BYTES];
};

/*
 * What is sent before the first record of a connection, in this order. The transaction is empty: who may make none would
 * write each record at once, and who does not answer would get them again with every try.
 */
enum redis_greeting { REDIS_AUTH, REDIS_MULTI, REDIS_EXEC, REDIS_TRIM };
static const char *const redis_greetings[] = {"AUTH", "MULTI", "EXEC", "LTRIM"};

struct redis {
	const struct sink_options *options;
	struct sink_link link;
	struct sink_address home;  /* as the config says */
	struct sink_address moved; /* where the key is, of a cluster */
	bool is_moved;
	redisReader *reader;
	struct redis_answer answer;
	uint32_t n_most;     /* records of a transaction: fewer where the way is too slow for more */
	char longest[24];    /* n_longest as text */
	char first_kept[24]; /* -n_longest: LTRIM's first index */
};

/* What to do about the errors that Redis names, by their first word. */
static const struct {
	const char *word, *advice;
} redis_advice[] = {
	{"OOM", "raise the server's maxmemory, or keep fewer entries"},
	{"WRONGTYPE", "the key holds something else: choose another, or the other of stream and list"},
	{"READONLY", "this is a replica: name the master"},
	{"MASTERDOWN", "this is a replica without its master: name the master"},
	{"LOADING", "it reads its data, and is asked again"},
	{"BUSY", "it runs a script, and is asked again"},
	{"MISCONF", "it cannot write to its disk: see its log"},
	{"NOREPLICAS", "too few replicas are connected"},
	{"NOAUTH", "it wants a password"},
	{"NOPERM", "let this user MULTI, EXEC, and write to the key"},
	{"CLUSTERDOWN", "the cluster does not serve the key: see CLUSTER INFO"},
	{"TRYAGAIN", "the key is on its way to another node"},
	{"ASK", "the key is on its way to another node"},
};

/* hiredis makes an object of each answer; here it is always the same one, so that no answer takes memory. */
static void *redis_note(const redisReadTask *task, bool is_error, const char *text, size_t n_bytes)
{
	struct redis_answer *answer = task->privdata;
	size_t n = n_bytes < sizeof(answer->text) ? n_bytes : sizeof(answer->text) - 1;

	if (!task->parent)
		answer->is_array = false;
	else if (answer->is_error)
		return answer; /* the array's first one is told of */
	answer->n_good += task->parent && !is_error;
	answer->is_error = is_error;
	memcpy(answer->text, text, n);
	answer->text[n] = '\0';
	return answer;
}

static void *redis_make_text(const redisReadTask *task, char *text, size_t n_bytes)
{
	return redis_note(task, task->type == REDIS_REPLY_ERROR, text, n_bytes);
}

static void *redis_make_integer(const redisReadTask *task, long long value)
{
	(void)value;
	return redis_note(task, false, "", 0);
}

static void *redis_make_nil(const redisReadTask *task)
{
	return redis_note(task, false, "", 0);
}

static void redis_free_answer(void *answer)
{
	(void)answer;
}

/* Only EXEC is answered by one, which has an element for each command. */
#if HIREDIS_MAJOR >= 1
static void *redis_make_array(const redisReadTask *task, size_t n)
#else
static void *redis_make_array(const redisReadTask *task, int n)
#endif
{
	struct redis_answer *answer = task->privdata;

	if (task->type != REDIS_REPLY_ARRAY || task->parent || (size_t)n > REDIS_MAX_ELEMENTS)
		return NULL;
	*answer = (struct redis_answer){.is_array = true, .n_elements = (uint32_t)n};
	return answer;
}

#if HIREDIS_MAJOR >= 1
static void *redis_make_double(const redisReadTask *task, double value, char *text, size_t n_bytes)
{
	(void)value;
	return redis_make_text(task, text, n_bytes);
}

static void *redis_make_bool(const redisReadTask *task, int value)
{
	return redis_make_integer(task, value);
}
#endif

static redisReplyObjectFunctions redis_functions = {
	.createString = redis_make_text,
	.createArray = redis_make_array,
	.createInteger = redis_make_integer,
	.createNil = redis_make_nil,
	.freeObject = redis_free_answer,
#if HIREDIS_MAJOR >= 1
	.createDouble = redis_make_double,
	.createBool = redis_make_bool,
#endif
};

static void redis_disconnect(struct redis *redis)
{
	sink_link_close(&redis->link);
	redisReaderFree(redis->reader);
	redis->reader = NULL;
}

static bool is_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	return !strncmp(text, word, n) && (!text[n] || text[n] == ' ');
}

/* "MOVED 3999 HOST:PORT": the node that has the key; HOST may be empty, which is this one's, and IPv6. */
static int redis_follow(struct redis *redis, const char *text)
{
	const char *host = strchr(text, ' '), *colon;
	size_t n;

	host = host ? strchr(host + 1, ' ') : NULL;
	colon = host ? strrchr(host, ':') : NULL;
	if (!colon)
		return -EINVAL;
	host++;
	n = (size_t)(colon - host);
	if (!n && redis->link.peer.is_path)
		return -EINVAL;
	if (!n)
		n = strlen(host = redis->link.peer.host);
	if (sink_address_set(&redis->moved, host, n, colon + 1))
		return -EINVAL;
	redis->moved.is_tls = redis->home.is_tls;
	redis->is_moved = true;
	return 0;
}

/* Complains of the error that was answered to what: "XADD", say. */
static void redis_refused(struct redis *redis, const char *what)
{
	const char *text = redis->answer.text, *advice = "see its log", *why = strstr(text, "because of: ");

	if (is_word(text, "MOVED")) {
		sink_link_complain(&redis->link, "%s: %s: another node of the cluster has the key %s", what, text,
				   redis->options->topic);
		redis_follow(redis, text);
		return;
	}
	redis->is_moved = false;
	/* EXECABORT names what it comes from. */
	why = why ? why + strlen("because of: ") : text;
	for (size_t i = 0; i < sizeof(redis_advice) / sizeof(redis_advice[0]); i++)
		if (is_word(why, redis_advice[i].word))
			advice = redis_advice[i].advice;
	if (strstr(text, "unknown command") && !strcmp(what, "XADD"))
		advice = "streams need Redis 5: use a list there";
	if (strstr(text, "max number of clients"))
		advice = "raise its maxclients, or see who is connected";
	sink_link_complain(&redis->link, "%s: %s: %s", what, text, advice);
}

/* Reads the next answer. 1 with it, 0 where more has to come, -1 after a complaint. */
static int redis_parse(struct redis *redis)
{
	const uint8_t *bytes;
	size_t n = sink_link_received(&redis->link, &bytes);
	void *reply = NULL;

	if (n)
		redisReaderFeed(redis->reader, (const char *)bytes, n);
	sink_link_consume(&redis->link, n);
	if (redisReaderGetReply(redis->reader, &reply) != REDIS_OK)
		return sink_link_complain(&redis->link, "answers what Redis would not: check `server`");
	if (reply)
		return 1;
	if (redis->reader->len - redis->reader->pos > REDIS_MAX_ANSWER_BYTES)
		return sink_link_complain(&redis->link, "answers with too much: check that `server` is Redis");
	return 0;
}

/* Waits for the next answer. 0, or -1 after a complaint. */
static int redis_next(struct redis *redis, uint64_t deadline_ns)
{
	for (;;) {
		int rc = redis_parse(redis);

		if (rc)
			return rc > 0 ? 0 : -1;
		if (sink_clock_ns(CLOCK_MONOTONIC) >= deadline_ns)
			return sink_link_complain(&redis->link, "no answer in time: is it too busy, or stopped?");
		if (sink_link_pump(&redis->link, deadline_ns) < 0)
			return -1;
	}
}

/* Appends a command. 0, or -1 after a complaint. */
static int redis_command(struct redis *redis, int n_words, const char *const *words, const size_t *n_bytes)
{
	char *text = NULL;
	long long n = redisFormatCommandArgv(&text, n_words, (const char **)(uintptr_t)words, n_bytes);
	int rc;

	if (n < 0 || !text)
		return sink_link_complain(&redis->link, "out of memory");
	rc = sink_link_append(&redis->link, text, (size_t)n);
	redisFreeCommand(text);
	return rc;
}

/* The same, of words without a NUL in them, the list of which ends with NULL. */
static int redis_say(struct redis *redis, const char *const *words)
{
	int n = 0;

	while (words[n])
		n++;
	return redis_command(redis, n, words, NULL);
}

/* Written by hand and not by hiredis: its copies would leave the password in freed memory. */
static int redis_say_password(struct redis *redis)
{
	const char *words[] = {"AUTH", redis->options->user, redis->options->password};
	char head[48];
	int rc = 0;

	if (!words[2])
		words[2] = "";
	snprintf(head, sizeof(head), "*%d\r\n", words[1] ? 3 : 2);
	rc |= sink_link_append(&redis->link, head, strlen(head));
	for (int i = 0; i < 3 && !rc; i++) {
		if (!words[i])
			continue;
		snprintf(head, sizeof(head), "$%zu\r\n", strlen(words[i]));
		rc |= sink_link_append(&redis->link, head, strlen(head));
		rc |= sink_link_append(&redis->link, words[i], strlen(words[i]));
		rc |= sink_link_append(&redis->link, "\r\n", 2);
	}
	return rc;
}

static int redis_say_greeting(struct redis *redis, enum redis_greeting greeting)
{
	const char *const alone[] = {redis_greetings[greeting], NULL};
	const char *const trim[] = {"LTRIM", redis->options->topic, redis->first_kept, "-1", NULL};

	if (greeting == REDIS_AUTH)
		return redis_say_password(redis);
	return redis_say(redis, greeting == REDIS_TRIM ? trim : alone);
}

static bool redis_needs(const struct redis *redis, enum redis_greeting greeting)
{
	if (greeting == REDIS_AUTH)
		return redis->options->user || redis->options->password;
	return greeting != REDIS_TRIM || (redis->options->is_list && redis->options->n_longest);
}

/*
 * Complains of what was answered to AUTH. It is not quoted where it is of AUTH itself: some servers repeat the words of
 * a command that they do not have.
 */
static void redis_refused_password(struct redis *redis)
{
	const char *text = redis->answer.text;

	if (is_word(text, "WRONGPASS") || !strcmp(text, "ERR invalid password"))
		sink_link_complain(&redis->link, "refuses the user or the password");
	else if (!strcasestr(text, "auth"))
		redis_refused(redis, "AUTH");
	else if (redis->options->user)
		sink_link_complain(&redis->link, "does not take user and password: users need Redis 6");
	else
		sink_link_complain(&redis->link, "does not take the password: check it, and that one is set there");
}

/* What its answer means. 0, or -1 after a complaint. */
static int redis_check_greeting(struct redis *redis, enum redis_greeting greeting)
{
	if (!redis->answer.is_error)
		return 0;
	if (greeting == REDIS_AUTH)
		redis_refused_password(redis);
	else
		redis_refused(redis, redis_greetings[greeting]);
	return -1;
}

/* Says who we are and sees that the server answers: what is sent to one that hangs would be there twice. */
static int redis_greet(struct redis *redis, uint64_t deadline_ns)
{
	for (enum redis_greeting greeting = REDIS_AUTH; greeting <= REDIS_TRIM; greeting++) {
		if (!redis_needs(redis, greeting))
			continue;
		if (redis_say_greeting(redis, greeting) || redis_next(redis, deadline_ns) ||
		    redis_check_greeting(redis, greeting))
			return -1;
		sink_link_forget(&redis->link);
	}
	return 0;
}

/*
 * A connection that idles may have been closed by the server since. Nor may anything be left that nobody asked for: it
 * would be taken for the answer to what comes next.
 */
static bool redis_is_ready(struct redis *redis)
{
	return sink_link_is_open(&redis->link) && redis->reader->pos == redis->reader->len &&
	       !sink_link_pump(&redis->link, 0);
}

/*
 * 0 once it is connected and greeted, or -1 after a complaint: the next try is then with the server of the config, which
 * knows where the key is now, or with the one that the answer named.
 */
static int redis_connect(struct redis *redis, uint64_t deadline_ns)
{
	bool was_moved = redis->is_moved;

	if (redis_is_ready(redis))
		return 0;
	redis_disconnect(redis);
	redis->reader = redisReaderCreateWithFunctions(&redis_functions);
	if (!redis->reader)
		return sink_link_complain(&redis->link, "out of memory");
	redis->reader->privdata = &redis->answer;
	redis->is_moved = false;
	if (!sink_link_connect(&redis->link, was_moved ? &redis->moved : &redis->home, deadline_ns) &&
	    !redis_greet(redis, deadline_ns)) {
		redis->is_moved = was_moved;
		return 0;
	}
	redis_disconnect(redis);
	return -1;
}

static int redis_say_record(struct redis *redis, const struct sink_item *item)
{
	const struct sink_options *options = redis->options;
	const char *words[REDIS_MAX_WORDS];
	size_t n_bytes[REDIS_MAX_WORDS];
	int n = 0;

	words[n++] = options->is_list ? "RPUSH" : "XADD";
	words[n++] = options->topic;
	if (!options->is_list && options->n_longest) {
		words[n++] = "MAXLEN";
		words[n++] = "~";
		words[n++] = redis->longest;
	}
	if (!options->is_list) {
		words[n++] = "*";
		words[n++] = REDIS_FIELD;
	}
	for (int i = 0; i < n; i++)
		n_bytes[i] = strlen(words[i]);
	words[n] = item->text;
	n_bytes[n++] = item->text_bytes;
	return redis_command(redis, n, words, n_bytes);
}

static const char *redis_write_word(const struct redis *redis)
{
	return redis->options->is_list ? "RPUSH" : "XADD";
}

/* Appends a transaction. 0, or -1 after a complaint. */
static int redis_say_transaction(struct redis *redis, const struct sink_item *items, uint32_t n)
{
	if (redis_say_greeting(redis, REDIS_MULTI))
		return -1;
	for (uint32_t i = 0; i < n; i++)
		if (redis_say_record(redis, &items[i]))
			return -1;
	if (redis_needs(redis, REDIS_TRIM) && redis_say_greeting(redis, REDIS_TRIM))
		return -1;
	return redis_say_greeting(redis, REDIS_EXEC);
}

/* Waits for the answers to MULTI and to n commands behind it, which are queued. 0, or -1 after a complaint. */
static int redis_await_queued(struct redis *redis, uint32_t n, uint32_t n_records, uint64_t deadline_ns)
{
	for (uint32_t i = 0; i <= n; i++) {
		if (redis_next(redis, deadline_ns))
			return -1;
		if (!redis->answer.is_error)
			continue;
		redis_refused(redis, !i ? "MULTI" : i <= n_records ? redis_write_word(redis) : "LTRIM");
		return -1;
	}
	return 0;
}

/* Sends a transaction. Returns how many of its records are there: where these are not all, after a complaint. */
static uint32_t redis_transact(struct redis *redis, const struct sink_item *items, uint32_t n, uint64_t deadline_ns)
{
	uint32_t n_commands = redis_needs(redis, REDIS_TRIM) ? n + 1 : n;
	const struct redis_answer *answer = &redis->answer;

	if (redis_say_transaction(redis, items, n) || redis_await_queued(redis, n_commands, n, deadline_ns) ||
	    redis_next(redis, deadline_ns))
		return 0;
	if (answer->is_error) {
		redis_refused(redis, answer->is_array ? redis_write_word(redis) : "EXEC");
		return !answer->is_array ? 0 : answer->n_good < n ? answer->n_good : n;
	}
	if (answer->is_array && answer->n_elements == n_commands)
		return n;
	sink_link_complain(&redis->link, "answers what Redis would not: check `server`");
	return 0;
}

/*
 * Sends a batch: as one transaction, or as several where one was more than the way takes in time. Returns how many from
 * the first on are there. After an error the connection is closed: the next one begins with what is wrong, if it still is.
 */
static uint32_t redis_exchange(struct redis *redis, const struct sink_item *items, uint32_t n, uint64_t deadline_ns)
{
	uint32_t n_taken = 0;

	while (n_taken < n) {
		uint32_t n_sent = n - n_taken < redis->n_most ? n - n_taken : redis->n_most, n_there;
		uint64_t start_ns = sink_clock_ns(CLOCK_MONOTONIC), end_ns;

		n_there = redis_transact(redis, items + n_taken, n_sent, deadline_ns);
		end_ns = sink_clock_ns(CLOCK_MONOTONIC);
		n_taken += n_there;
		if (n_there < n_sent) {
			redis_disconnect(redis);
			if (!n_taken && end_ns >= deadline_ns)
				redis->n_most = n_sent > 1 ? n_sent / 2 : 1;
			break;
		}
		/* One more would not come to its end in time: the rest is for the next call. */
		if (n_taken < n && end_ns + (end_ns - start_ns) > deadline_ns)
			break;
		if (redis->n_most < SINK_MAX_BATCH && end_ns - start_ns < REDIS_PATIENCE_NS / REDIS_QUICK_PART)
			redis->n_most *= 2;
	}
	return n_taken;
}

static uint32_t redis_deliver(void *state, const struct sink_item *items, uint32_t n, char *error,
			      size_t error_size)
{
	struct redis *redis = state;
	uint64_t deadline_ns = sink_clock_ns(CLOCK_MONOTONIC) + REDIS_PATIENCE_NS;
	uint32_t n_taken = 0;

	sink_link_begin(&redis->link, error, error_size);
	/* Once more where a node says which other one has the key: no oftener, for they may disagree. */
	for (int i = 0; i < 2 && n_taken < n; i++) {
		bool was_moved = redis->is_moved;

		if (!redis_connect(redis, deadline_ns))
			n_taken += redis_exchange(redis, items + n_taken, n - n_taken, deadline_ns);
		if (was_moved || !redis->is_moved)
			break;
	}
	sink_link_begin(&redis->link, NULL, 0);
	return n_taken;
}

static int redis_check_options(const struct sink_options *options, char *error, size_t error_size)
{
	if (!options->server || !*options->server)
		snprintf(error, error_size, "redis needs `server`: HOST:PORT or the path of its socket");
	else if (!options->topic || !*options->topic)
		snprintf(error, error_size, "redis needs `topic`: the key of the stream or list");
	else if (options->n_longest > INT64_MAX)
		snprintf(error, error_size, "redis cannot keep so many entries: at most %" PRId64, INT64_MAX);
	else
		return 0;
	return -EINVAL;
}

static int redis_open(const struct sink_options *options, const struct sink_formats *formats, void **state,
		      char *error, size_t error_size)
{
	struct sink_address home;
	struct redis *redis;
	int rc = redis_check_options(options, error, error_size);

	(void)formats;
	if (!rc)
		rc = sink_address_parse(options->server, REDIS_PORT, &home, error, error_size);
	if (rc)
		return rc;
	redis = calloc(1, sizeof(*redis));
	if (!redis) {
		snprintf(error, error_size, "%s: out of memory", options->server);
		return -ENOMEM;
	}
	redis->options = options;
	redis->home = home;
	redis->n_most = SINK_MAX_BATCH;
	sink_link_init(&redis->link, options->stop, options->password);
	snprintf(redis->longest, sizeof(redis->longest), "%" PRIu64, options->n_longest);
	snprintf(redis->first_kept, sizeof(redis->first_kept), "-%" PRIu64, options->n_longest);
	*state = redis;
	return 0;
}

static int redis_close(void *state, char *error, size_t error_size)
{
	struct redis *redis = state;

	(void)error;
	(void)error_size;
	redis_disconnect(redis);
	sink_link_free(&redis->link);
	free(redis);
	return 0;
}

const struct sink_driver sink_redis_driver = {
	.name = "redis",
	.library = "hiredis " NUMBER(HIREDIS_MAJOR) "." NUMBER(HIREDIS_MINOR) "." NUMBER(HIREDIS_PATCH),
	.has_text = true,
	.open = redis_open,
	.deliver = redis_deliver,
	.close = redis_close,
};
