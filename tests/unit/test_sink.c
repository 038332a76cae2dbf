/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What all sinks share: the filter, the queue, the thread that delivers, tries again and gives up. The other side is a
 * driver of this test, which takes what it is told to take.
 */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "sink.h"
#include "sink_filter.h"
#include "sink_heartbeat.h"
#include "sink_kinds.h"
#include "sink_queue.h"
#include "sink_secret.h"

#define MAX_CALLS 4096

/* What the driver of the test is told, and what it has seen. Reset by each test. */
static struct {
	uint32_t (*_Atomic take)(uint32_t call, uint32_t n); /* how many of n are taken */
	int open_rc;
	_Atomic uint32_t hang_ms;
	_Atomic uint32_t n_calls, n_ticks, n_closed;
	double at_ms[MAX_CALLS];   /* when it was called */
	uint64_t numbers[1 << 16]; /* of the packets that it took, in order */
	uint64_t keys[1 << 16];
	_Atomic uint32_t n_taken;
	char text[256]; /* of the last one */
	char heartbeats[64][256];
	uint32_t before[64]; /* records that each of them had before it */
	_Atomic uint32_t n_heartbeats;
} fake;

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int fake_open(const struct sink_options *options, const struct sink_formats *formats, void **state,
		     char *error, size_t error_size)
{
	(void)options;
	(void)formats;
	*state = &fake;
	snprintf(error, error_size, "is not for this test");
	return fake.open_rc;
}

static uint32_t fake_deliver(void *state, const struct sink_item *items, uint32_t n, char *error, size_t error_size)
{
	uint32_t (*take)(uint32_t, uint32_t) = fake.take;
	uint32_t call = fake.n_calls, n_taken;

	(void)state;
	assert_in_range(n, 1, SINK_MAX_BATCH);
	if (call < MAX_CALLS)
		fake.at_ms[call] = now_ms();
	fake.n_calls++;
	if (fake.hang_ms)
		usleep(fake.hang_ms * 1000);
	n_taken = take ? take(call, n) : n;
	for (uint32_t i = 0; i < n_taken; i++) {
		if (!items[i].record) {
			assert_in_range(items[i].text_bytes, 1, sizeof(fake.heartbeats[0]) - 1);
			assert_int_equal(items[i].key, SINK_HEARTBEAT_KEY);
			fake.before[fake.n_heartbeats] = fake.n_taken;
			memcpy(fake.heartbeats[fake.n_heartbeats++], items[i].text, items[i].text_bytes);
			continue;
		}
		fake.numbers[fake.n_taken] = ((const struct packet_record *)items[i].record)->number;
		fake.keys[fake.n_taken++] = items[i].key;
		assert_int_equal(items[i].text[items[i].text_bytes - 1], '}');
		snprintf(fake.text, sizeof(fake.text), "%.*s", (int)items[i].text_bytes, items[i].text);
	}
	if (n_taken < n)
		snprintf(error, error_size, "the other side is gone");
	return n_taken;
}

static void fake_tick(void *state, uint64_t now_ns)
{
	(void)state;
	assert_in_range(now_ns / 1000000000, (uint64_t)time(NULL) - 2, (uint64_t)time(NULL) + 2);
	fake.n_ticks++;
}

static int fake_close(void *state, char *error, size_t error_size)
{
	(void)state;
	(void)error;
	(void)error_size;
	fake.n_closed++;
	return 0;
}

static const struct sink_driver fake_driver = {
	.name = "fake",
	.has_text = true,
	.open = fake_open,
	.deliver = fake_deliver,
	.tick = fake_tick,
	.close = fake_close,
};

static const struct sink_formats formats = {
	.packets = {.classes = {"\"non-ip\"", "\"ip\"", "null"}, .names = {"non-ip", "ip", ""}},
	.flow_threshold = 0.5,
	.packet_threshold = 0.5,
};

static const struct sink_options standard = {
	.name = "test",
	.records = SINK_PACKETS,
	.n_queued = 1024,
};

static struct sink *create(const struct sink_options *options)
{
	struct sink *sink;
	char error[256];

	memset(&fake, 0, sizeof(fake));
	assert_int_equal(sink_create(&fake_driver, options, &formats, &sink, error, sizeof(error)), 0);
	return sink;
}

static void offer(struct sink *sink, uint64_t first, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct packet_record record = {.number = first + i, .flow_id = (first + i) / 4 + 1, .score = 0.5f};

		sink_offer(sink, &record, sizeof(record), 1);
	}
}

static void wait_for(_Atomic uint32_t *counter, uint32_t n)
{
	for (int i = 0; *counter < n && i < 2000; i++)
		usleep(5000);
	assert_true(*counter >= n);
}

static void assert_adds_up(const struct sink *sink)
{
	struct sink_counts counts = sink_counts(sink);

	assert_int_equal(counts.accepted,
			 counts.delivered + counts.dropped_full + counts.dropped_end + counts.queued);
}

static void assert_in_order(uint64_t first, uint32_t n)
{
	assert_int_equal(fake.n_taken, n);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(fake.numbers[i], first + i);
}

static bool passes(const struct sink_filter *filter, uint8_t class, double score)
{
	const struct sink_traits traits = {
		.key = 1, .score = score, .threshold = 0.5, .class = class, .has_class = !isnan(score)};

	return sink_filter_passes(filter, &traits);
}

static void a_filter_lets_pass_what_meets_all_its_conditions(void **state)
{
	static const struct sink_filter all = {0}, attacks = {.classes = 6}, high = {.min_score = 0.75},
					unsure = {.uncertain = 0.125},
					both = {.classes = 2, .min_score = 0.5, .uncertain = 0.25};

	(void)state;
	assert_true(passes(&all, 0, 0.1) && passes(&all, 63, 1) && passes(&all, 0, NAN));
	assert_true(!passes(&attacks, 0, 0.9) && passes(&attacks, 1, 0.1) && passes(&attacks, 2, 0.9));
	assert_true(!passes(&attacks, 3, 0.9) && !passes(&attacks, 1, NAN));
	assert_true(passes(&high, 0, 0.75) && passes(&high, 0, 1) && !passes(&high, 0, 0.7499));
	assert_false(passes(&high, 1, NAN));
	assert_true(passes(&unsure, 0, 0.375) && passes(&unsure, 1, 0.625) && passes(&unsure, 0, 0.5));
	assert_true(!passes(&unsure, 0, 0.37) && !passes(&unsure, 1, 0.63) && !passes(&unsure, 0, NAN));
	assert_true(passes(&both, 1, 0.7) && !passes(&both, 1, 0.4) && !passes(&both, 1, 0.8));
	assert_false(passes(&both, 2, 0.7));
}

static void traits_are_those_of_the_record(void **state)
{
	struct flow_record flow = {.class = 3, .logit = 0};
	struct packet_record packet = {.number = 5, .flow_id = 9, .score = 0.25f, .class = 2};
	struct sink_traits traits = sink_traits_of_flow(&flow, &formats);

	(void)state;
	assert_true(traits.score == 0.5 && traits.has_class && traits.class == 3);
	assert_int_equal(traits.key, flow_id(&flow.flow));
	flow.logit = NAN;
	assert_false(sink_traits_of_flow(&flow, &formats).has_class);
	traits = sink_traits_of_packet(&packet, &formats);
	assert_true(traits.key == 9 && traits.score == 0.25 && !traits.has_class);
	/* Those without a flow are each their own conversation. */
	packet.flow_id = 0;
	traits = sink_traits_of_packet(&packet, &formats);
	packet.number = 6;
	assert_int_not_equal(sink_traits_of_packet(&packet, &formats).key, traits.key);
	packet.number = 5;
	packet.worker = 1;
	assert_int_not_equal(sink_traits_of_packet(&packet, &formats).key, traits.key);
}

/* Splitmix64's finaliser, as flow_id ends with it. */
static uint64_t some_id(uint64_t i)
{
	uint64_t hash = (i + 1) * 0x9e3779b97f4a7c15u;

	hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9u;
	hash = (hash ^ hash >> 27) * 0x94d049bb133111ebu;
	return hash ^ hash >> 31;
}

static void a_sample_has_its_share_of_conversations_whole(void **state)
{
	enum { N = 200000 };

	(void)state;
	for (uint32_t one_in = 2; one_in <= 1000; one_in *= 5) {
		const struct sink_filter filter = {.one_in = one_in};
		uint32_t n = 0, n_even = 0;

		for (uint64_t i = 0; i < N; i++) {
			const struct sink_traits traits = {.key = some_id(i)}, scored = {.key = some_id(i),
											 .score = 0.9,
											 .class = 1,
											 .has_class = true};
			bool is_in = sink_filter_passes(&filter, &traits);

			assert_int_equal(is_in, sink_filter_passes(&filter, &scored));
			n += is_in;
			/* Whoever shares out by the lower bits still has work for all. */
			n_even += is_in && !(traits.key & 1);
		}
		assert_true(fabs(n - (double)N / one_in) < 5 * sqrt((double)N / one_in));
		assert_true(fabs(n_even - n / 2.0) < 3 * sqrt(n));
	}
}

static void a_queue_keeps_order_and_says_how_much_room_it_has(void **state)
{
	struct sink_queue queue;
	uint64_t next = 0;

	(void)state;
	assert_int_equal(sink_queue_open(&queue, sizeof(uint64_t), 8), 0);
	for (uint64_t number = 0; number < 100;) {
		for (uint32_t n = 0; n < 3 && sink_queue_room(&queue) > n; n++)
			sink_queue_put(&queue, &(uint64_t){number + n}, n);
		sink_queue_publish(&queue, 3);
		number += 3;
		assert_int_equal(sink_queue_n(&queue), number - next);
		while (sink_queue_n(&queue) > 4) {
			assert_int_equal(*(const uint64_t *)sink_queue_at(&queue, 0), next);
			assert_int_equal(*(const uint64_t *)sink_queue_at(&queue, 3), next + 3);
			sink_queue_release(&queue, 1);
			next++;
		}
	}
	sink_queue_close(&queue);
}

static void everything_that_is_offered_is_delivered_in_order(void **state)
{
	struct sink *sink = create(&standard);

	(void)state;
	assert_int_equal(sink_start(sink), 0);
	for (uint32_t i = 0; i < 50; i++) {
		while (sink_room(sink) < 1000)
			usleep(1000);
		offer(sink, 1 + i * 1000, 1000);
		assert_adds_up(sink);
	}
	assert_int_equal(sink_stop(sink, 5), 0);
	assert_in_order(1, 50000);
	assert_int_equal(fake.keys[7], 3);
	assert_int_equal(fake.n_closed, 1);
	assert_string_equal(fake.text, "{\"n\":50000,\"ts\":0.000000,\"len\":0,\"ethertype\":\"802.3\",\"class\":"
				       "\"non-ip\",\"score\":0.500000,\"flow_id\":\"00000000000030d5\"}");
	assert_int_equal(sink_counts(sink).delivered, 50000);
	assert_adds_up(sink);
	sink_free(sink);
}

static void a_full_queue_drops_what_comes_and_counts_it(void **state)
{
	struct sink_options options = standard;
	struct sink *sink;

	(void)state;
	options.n_queued = 64;
	options.filter.min_score = 0.25;
	sink = create(&options);
	offer(sink, 1, 100);
	/* What does not pass is no loss. */
	sink_offer(sink, &(struct packet_record){.score = 0.125f}, sizeof(struct packet_record), 1);
	assert_int_equal(sink_counts(sink).accepted, 100);
	assert_int_equal(sink_counts(sink).dropped_full, 36);
	assert_int_equal(sink_counts(sink).queued, 64);
	assert_int_equal(sink_start(sink), 0);
	assert_int_equal(sink_stop(sink, 5), 0);
	assert_in_order(1, 64);
	assert_adds_up(sink);
	sink_free(sink);
}

/* Takes a part, nothing, all that is left, and so on. */
static uint32_t take_in_parts(uint32_t call, uint32_t n)
{
	return call % 3 == 0 ? (n + 1) / 2 : call % 3 == 1 ? 0 : n;
}

static void what_is_not_taken_comes_again_and_nothing_twice(void **state)
{
	struct sink *sink = create(&standard);

	(void)state;
	fake.take = take_in_parts;
	offer(sink, 1, 1000);
	assert_int_equal(sink_start(sink), 0);
	assert_int_equal(sink_stop(sink, 5), 0);
	assert_in_order(1, 1000);
	assert_true(sink_counts(sink).failures >= 4);
	sink_free(sink);
}

static uint32_t take_none(uint32_t call, uint32_t n)
{
	(void)call;
	(void)n;
	return 0;
}

static uint32_t take_from_the_fifth(uint32_t call, uint32_t n)
{
	return call < 4 ? 0 : n;
}

static void a_dead_side_is_tried_less_and_less_often_until_it_is_back(void **state)
{
	struct sink *sink = create(&standard);
	double start = now_ms();
	char error[64];

	(void)state;
	fake.take = take_from_the_fifth;
	offer(sink, 1, 10);
	assert_int_equal(sink_start(sink), 0);
	wait_for(&fake.n_calls, 3);
	sink_last_error(sink, error, sizeof(error));
	assert_string_equal(error, "the other side is gone");
	wait_for(&fake.n_taken, 10);
	/* 100, 200, 400, 800 ms, each a quarter more or less, and late where the machine is busy. */
	for (uint32_t i = 0; i < 4; i++) {
		double waited = fake.at_ms[i + 1] - fake.at_ms[i], wanted = 100 << i;

		assert_true(waited >= 0.74 * wanted && waited < 1.26 * wanted + 500);
	}
	usleep(50000);
	sink_last_error(sink, error, sizeof(error));
	assert_string_equal(error, "");
	assert_int_equal(sink_counts(sink).failures, 4);
	assert_in_range(fake.n_ticks, 2, (uint32_t)((now_ms() - start) / 1000) + 1);
	/* From the first step again. */
	fake.take = take_none;
	fake.n_calls = 0;
	offer(sink, 11, 10);
	wait_for(&fake.n_calls, 2);
	assert_true(fake.at_ms[1] - fake.at_ms[0] < 1000);
	fake.take = NULL;
	assert_int_equal(sink_stop(sink, 5), 0);
	assert_in_order(1, 20);
	sink_free(sink);
}

static void the_end_waits_for_a_dead_side_no_longer_than_it_was_told(void **state)
{
	struct sink *sink = create(&standard);
	double start;

	(void)state;
	fake.take = take_none;
	offer(sink, 1, 10);
	assert_int_equal(sink_start(sink), 0);
	wait_for(&fake.n_calls, 1);
	start = now_ms();
	assert_int_equal(sink_stop(sink, 0.5), -1);
	assert_true(now_ms() - start >= 500 && now_ms() - start < 1500);
	assert_int_equal(sink_counts(sink).dropped_end, 10);
	assert_int_equal(sink_counts(sink).queued, 0);
	assert_adds_up(sink);
	assert_int_equal(fake.n_closed, 1);
	sink_free(sink);
}

static void a_slow_side_that_goes_on_is_waited_for(void **state)
{
	struct sink_options options = standard;
	struct sink *sink;

	(void)state;
	options.n_queued = 4096;
	sink = create(&options);
	fake.hang_ms = 300;
	offer(sink, 1, 4 * SINK_MAX_BATCH);
	assert_int_equal(sink_start(sink), 0);
	/* All together take longer than the patience, no single one does. */
	assert_int_equal(sink_stop(sink, 0.6), 0);
	assert_in_order(1, 4 * SINK_MAX_BATCH);
	sink_free(sink);
}

static void sinks_that_end_together_wait_together(void **state)
{
	struct sink *one = create(&standard), *other = create(&standard);
	double start;

	(void)state;
	fake.take = take_none;
	offer(one, 1, 1);
	offer(other, 1, 1);
	assert_int_equal(sink_start(one), 0);
	assert_int_equal(sink_start(other), 0);
	start = now_ms();
	sink_end(one, 1);
	sink_end(other, 1);
	assert_int_equal(sink_stop(one, 1), -1);
	assert_int_equal(sink_stop(other, 1), -1);
	assert_true(now_ms() - start < 1900);
	sink_free(one);
	sink_free(other);
}

static void a_hanging_side_holds_up_nobody_who_offers(void **state)
{
	struct sink *sink = create(&standard);
	double start;

	(void)state;
	fake.hang_ms = 500;
	assert_int_equal(sink_start(sink), 0);
	offer(sink, 1, 1);
	wait_for(&fake.n_calls, 1);
	start = now_ms();
	offer(sink, 2, 5000);
	assert_true(now_ms() - start < 400);
	assert_true(sink_counts(sink).dropped_full >= 5000 - 1024);
	fake.hang_ms = 0;
	sink_stop(sink, 5);
	assert_adds_up(sink);
	sink_free(sink);
}

static void lines_that_are_compressed_are_waited_for(void **state)
{
	struct sink_options options = standard;
	struct sink *sink;

	(void)state;
	options.compression = SINK_GZIP;
	sink = create(&options);
	assert_int_equal(sink_start(sink), 0);
	for (uint32_t i = 0; i < 20; i++) {
		offer(sink, 1 + i, 1);
		usleep(10000);
	}
	assert_int_equal(fake.n_calls, 0);
	wait_for(&fake.n_taken, 20);
	assert_int_equal(fake.n_calls, 1);
	/* The end does not wait. */
	offer(sink, 21, 1);
	assert_int_equal(sink_stop(sink, 0.5), 0);
	assert_in_order(1, 21);
	sink_free(sink);
	/* Nor does a queue that would be full. */
	options.n_queued = 64;
	sink = create(&options);
	assert_int_equal(sink_start(sink), 0);
	for (uint32_t i = 0; i < 8; i++) {
		offer(sink, 1 + 32 * i, 32);
		usleep(100000);
	}
	assert_int_equal(sink_counts(sink).dropped_full, 0);
	assert_int_equal(sink_stop(sink, 0.5), 0);
	sink_free(sink);
}

/* A heartbeat's numbers; it must be of the sensor. */
static void read_heartbeat(uint32_t i, double *since, unsigned int *delivered, unsigned int *dropped, bool *is_last)
{
	char last[8];
	double time;

	assert_int_equal(sscanf(fake.heartbeats[i],
				"{\"heartbeat\":{\"sensor\":\"tap-1\",\"since\":%lf,\"time\":%lf,\"delivered\":%u,"
				"\"dropped\":%u,\"last\":%7[a-z]}}",
				since, &time, delivered, dropped, last),
			 5);
	assert_true(*since <= time && time - *since < 60);
	*is_last = !strcmp(last, "true");
}

/* The first before all records, the last behind them; each tells how many were before it. Returns how many. */
static uint32_t check_heartbeats(const struct sink *sink, uint32_t n_dropped)
{
	uint32_t n = fake.n_heartbeats;
	double first_since = 0;

	for (uint32_t i = 0; i < n; i++) {
		unsigned int delivered, dropped;
		double since;
		bool is_last;

		read_heartbeat(i, &since, &delivered, &dropped, &is_last);
		first_since = i ? first_since : since;
		assert_true(since == first_since);
		assert_int_equal(delivered, fake.before[i]);
		assert_int_equal(dropped, n_dropped);
		assert_int_equal(is_last, i == n - 1);
	}
	assert_true(n >= 2);
	assert_int_equal(fake.before[0], 0);
	assert_int_equal(fake.before[n - 1], fake.n_taken);
	assert_int_equal(sink_counts(sink).delivered, fake.n_taken);
	assert_adds_up(sink);
	return n;
}

static struct sink_options beating(double seconds)
{
	struct sink_options options = standard;

	options.sensor = "tap-1";
	options.heartbeat_ns = (uint64_t)(seconds * 1e9);
	/* Heartbeats pass whatever records must meet. */
	options.filter.min_score = 0.4;
	return options;
}

static void a_sensor_without_records_beats_and_says_when_it_ends(void **state)
{
	struct sink_options options = beating(0.1);
	struct sink *sink = create(&options);
	double start = now_ms();
	uint32_t n;

	(void)state;
	assert_int_equal(sink_start(sink), 0);
	wait_for(&fake.n_heartbeats, 5);
	assert_true(now_ms() - start >= 400);
	assert_int_equal(sink_stop(sink, 5), 0);
	n = check_heartbeats(sink, 0);
	assert_true(n <= 3 + (now_ms() - start) / 100);
	assert_int_equal(sink_counts(sink).accepted, 0);
	sink_free(sink);
}

static void heartbeats_tell_how_many_records_are_before_them(void **state)
{
	struct sink_options options = beating(0.1);
	struct sink *sink;

	(void)state;
	options.n_queued = 64;
	options.compression = SINK_GZIP;
	sink = create(&options);
	offer(sink, 1, 100);
	assert_int_equal(sink_start(sink), 0);
	wait_for(&fake.n_taken, 64);
	for (uint32_t i = 0; i < 20; i++) {
		offer(sink, 101 + 10 * i, 10);
		usleep(20000);
	}
	assert_int_equal(sink_stop(sink, 5), 0);
	assert_int_equal(fake.n_taken, 264);
	assert_true(check_heartbeats(sink, 36) >= 4);
	sink_free(sink);
}

static void a_heartbeat_that_is_not_taken_comes_again_as_it_was(void **state)
{
	struct sink_options options = beating(0.1);
	struct sink *sink;

	(void)state;
	/* Full batches have room for one. */
	options.n_queued = 4096;
	sink = create(&options);
	fake.take = take_in_parts;
	offer(sink, 1, 3 * SINK_MAX_BATCH);
	assert_int_equal(sink_start(sink), 0);
	assert_int_equal(sink_stop(sink, 5), 0);
	assert_in_order(1, 3 * SINK_MAX_BATCH);
	check_heartbeats(sink, 0);
	sink_free(sink);
}

static uint32_t take_from_the_fourth(uint32_t call, uint32_t n)
{
	return call < 3 ? 0 : n;
}

static void heartbeats_do_not_pile_up_while_the_other_side_is_away_nor_is_it_waited_for(void **state)
{
	struct sink_options options = beating(0.1);
	struct sink *sink = create(&options);
	double start;

	(void)state;
	fake.take = take_from_the_fourth;
	assert_int_equal(sink_start(sink), 0);
	wait_for(&fake.n_calls, 2);
	offer(sink, 1, 10);
	wait_for(&fake.n_taken, 10);
	assert_in_range(fake.n_heartbeats, 1, 3);
	fake.take = take_none;
	wait_for(&fake.n_calls, fake.n_calls + 2);
	start = now_ms();
	/* Nothing is lost with a heartbeat. */
	assert_int_equal(sink_stop(sink, 5), 0);
	assert_true(now_ms() - start < 2000);
	assert_adds_up(sink);
	sink_free(sink);
}

static void what_cannot_be_opened_is_refused_with_a_line(void **state)
{
	struct sink *sink = NULL;
	char error[64] = "";

	(void)state;
	memset(&fake, 0, sizeof(fake));
	fake.open_rc = -EACCES;
	assert_int_equal(sink_create(&fake_driver, &standard, &formats, &sink, error, sizeof(error)), -EACCES);
	assert_string_equal(error, "is not for this test");
	assert_int_equal(fake.n_closed, 0);
	/* What was never started is closed all the same. */
	sink_free(create(&standard));
	assert_int_equal(fake.n_closed, 1);
}

/* A pump and a reader of counters while the sink runs: what one sees always adds up or lags behind. */
static void *read_counts(void *context)
{
	const struct sink *sink = context;

	for (int i = 0; i < 200000; i++) {
		struct sink_counts counts = sink_counts(sink);

		if (counts.delivered + counts.dropped_full + counts.dropped_end + counts.queued > counts.accepted)
			return context;
	}
	return NULL;
}

static void no_reader_sees_more_taken_than_offered(void **state)
{
	struct sink *sink = create(&standard);
	pthread_t reader;
	void *wrong;

	(void)state;
	assert_int_equal(sink_start(sink), 0);
	assert_int_equal(pthread_create(&reader, NULL, read_counts, sink), 0);
	for (uint32_t i = 0; i < 60; i++) {
		offer(sink, 1 + i * 1000, 1000);
		usleep(200);
	}
	pthread_join(reader, &wrong);
	assert_null(wrong);
	assert_int_equal(sink_stop(sink, 5), 0);
	assert_adds_up(sink);
	sink_free(sink);
}

static void a_password_is_the_first_line_of_a_file_or_a_variable(void **state)
{
	static const struct {
		const char *text, *secret;
	} cases[] = {{"hunter2", "hunter2"}, {"a b\r\nsecond\n", "a b"}, {"", NULL}, {"\nx\n", NULL}};
	char path[] = "/tmp/wirescore-secret-XXXXXX", error[256], *secret;
	int fd = mkstemp(path);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, cases[i].text, strlen(cases[i].text), 0), strlen(cases[i].text));
		assert_int_equal(!sink_secret_read(path, NULL, &secret, error, sizeof(error)), !!cases[i].secret);
		if (cases[i].secret)
			assert_string_equal(secret, cases[i].secret);
		else
			assert_non_null(strstr(error, path));
		sink_secret_free(secret);
	}
	assert_false(sink_secret_is_exposed(path));
	assert_int_equal(fchmod(fd, 0644), 0);
	assert_true(sink_secret_is_exposed(path));
	close(fd);
	unlink(path);
	assert_int_equal(sink_secret_read(path, NULL, &secret, error, sizeof(error)), -ENOENT);
	assert_int_equal(setenv("WS_TEST_SECRET", "from there", 1), 0);
	assert_int_equal(sink_secret_read(NULL, "WS_TEST_SECRET", &secret, error, sizeof(error)), 0);
	assert_string_equal(secret, "from there");
	sink_secret_free(secret);
	assert_int_equal(sink_secret_read(NULL, "WS_TEST_NO_SECRET", &secret, error, sizeof(error)), -ENOENT);
	assert_int_equal(sink_secret_read(NULL, NULL, &secret, error, sizeof(error)), 0);
	assert_null(secret);
}

static void every_driver_is_a_kind_that_is_built(void **state)
{
	(void)state;
	for (uint32_t i = 0; sink_drivers[i]; i++) {
		assert_true(sink_kind_find(sink_drivers[i]->name)->is_built);
		assert_ptr_equal(sink_driver_find(sink_drivers[i]->name), sink_drivers[i]);
	}
	for (uint32_t i = 0; i < sink_n_kinds; i++)
		if (strcmp(sink_kinds[i].name, "zstd") && strcmp(sink_kinds[i].name, "tls"))
			assert_int_equal(sink_kinds[i].is_built, !!sink_driver_find(sink_kinds[i].name));
	assert_null(sink_driver_find("carrier pigeon"));
	assert_null(sink_kind_find("carrier pigeon"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_filter_lets_pass_what_meets_all_its_conditions),
		cmocka_unit_test(traits_are_those_of_the_record),
		cmocka_unit_test(a_sample_has_its_share_of_conversations_whole),
		cmocka_unit_test(a_queue_keeps_order_and_says_how_much_room_it_has),
		cmocka_unit_test(everything_that_is_offered_is_delivered_in_order),
		cmocka_unit_test(a_full_queue_drops_what_comes_and_counts_it),
		cmocka_unit_test(what_is_not_taken_comes_again_and_nothing_twice),
		cmocka_unit_test(a_dead_side_is_tried_less_and_less_often_until_it_is_back),
		cmocka_unit_test(the_end_waits_for_a_dead_side_no_longer_than_it_was_told),
		cmocka_unit_test(a_slow_side_that_goes_on_is_waited_for),
		cmocka_unit_test(sinks_that_end_together_wait_together),
		cmocka_unit_test(a_hanging_side_holds_up_nobody_who_offers),
		cmocka_unit_test(lines_that_are_compressed_are_waited_for),
		cmocka_unit_test(a_sensor_without_records_beats_and_says_when_it_ends),
		cmocka_unit_test(heartbeats_tell_how_many_records_are_before_them),
		cmocka_unit_test(a_heartbeat_that_is_not_taken_comes_again_as_it_was),
		cmocka_unit_test(heartbeats_do_not_pile_up_while_the_other_side_is_away_nor_is_it_waited_for),
		cmocka_unit_test(what_cannot_be_opened_is_refused_with_a_line),
		cmocka_unit_test(no_reader_sees_more_taken_than_offered),
		cmocka_unit_test(a_password_is_the_first_line_of_a_file_or_a_variable),
		cmocka_unit_test(every_driver_is_a_kind_that_is_built),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
