/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The largest flows of several workers, which are threads of the test: put together in order; a worker that hangs is
 * left out, and its late answer is for who asks the like next.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "live_top.h"
#include "seen_flows.h"

#define N_WORKERS 3

/* Workers that look at their flows until they are told to end; one that hangs does not look. */
static struct live live;
static struct generation generation;
static struct model model;
static char *classes[] = {(char[]){"benign"}, (char[]){"attack"}};
static struct flow_engine *engines[N_WORKERS];
static atomic_bool ends, hangs[N_WORKERS];
static pthread_t threads[N_WORKERS];

static void *run_worker(void *argument)
{
	struct live_worker *worker = argument;

	while (!atomic_load(&ends)) {
		if (!atomic_load(&hangs[worker->index]) && top_flows_is_asked(&worker->top))
			top_flows_look(&worker->top, engines[worker->index], true);
		usleep(10);
	}
	return NULL;
}

static int begin(void **state)
{
	(void)state;
	memset(&live, 0, sizeof(live));
	model = (struct model){.n_classes = 2, .classes = classes};
	generation = (struct generation){.flow_model = &model};
	live.first = &generation;
	live.n_workers = N_WORKERS;
	live.workers = calloc(N_WORKERS, sizeof(*live.workers));
	atomic_store(&ends, false);
	for (uint32_t w = 0; w < N_WORKERS; w++) {
		engines[w] = seen_create();
		for (uint32_t i = 0; i < 100; i++)
			seen_put(engines[w], i, N_WORKERS * i + w, 1 + N_WORKERS * i + w, 100,
				 (float)(i % 10) - 5 + (float)w / 10);
		live.workers[w].index = w;
		live.workers[w].clock.scale = UINT64_C(1) << 32; /* as if a cycle were a ns */
		atomic_store(&hangs[w], false);
		pthread_create(&threads[w], NULL, run_worker, &live.workers[w]);
	}
	return 0;
}

static int end(void **state)
{
	(void)state;
	atomic_store(&ends, true);
	for (uint32_t w = 0; w < N_WORKERS; w++) {
		pthread_join(threads[w], NULL);
		free(engines[w]);
	}
	free(live.workers);
	return 0;
}

static json_int_t packets_of(const json_t *flow)
{
	return json_integer_value(json_object_get(flow, "packets_fwd")) +
	       json_integer_value(json_object_get(flow, "packets_bwd"));
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Asks for the largest, which must be of packets first, first - step ..; returns how many workers were left out. */
static json_int_t ask_packets(uint32_t n, json_int_t first, json_int_t step)
{
	json_int_t n_left_out;
	json_t *answer, *flows;

	assert_int_equal(live_top_flows(&live, TOP_FLOWS_PACKETS, n, &answer), 0);
	flows = json_object_get(answer, "flows");
	assert_int_equal(json_array_size(flows), n);
	for (uint32_t i = 0; i < n && step; i++)
		assert_int_equal(packets_of(json_array_get(flows, i)), first - step * (json_int_t)i);
	n_left_out = json_integer_value(json_object_get(answer, "workers_left_out"));
	json_decref(answer);
	return n_left_out;
}

/* Has a worker that hung find what it was asked for. */
static void go_on(uint32_t worker)
{
	atomic_store(&hangs[worker], false);
	for (int i = 0; i < 2000 && !top_flows_is_answered(&live.workers[worker].top); i++)
		usleep(1000);
	assert_true(top_flows_is_answered(&live.workers[worker].top));
}

static void what_workers_find_is_put_together_in_order(void **state)
{
	json_t *answer, *flow;

	(void)state;
	assert_int_equal(ask_packets(50, 300, 1), 0);
	assert_int_equal(ask_packets(1, 300, 1), 0);
	assert_int_equal(ask_packets(0, 0, 1), 0);
	assert_int_equal(live_top_flows(&live, TOP_FLOWS_SCORE, 3, &answer), 0);
	assert_string_equal(json_string_value(json_object_get(answer, "order")), "score");
	flow = json_array_get(json_object_get(answer, "flows"), 0);
	assert_string_equal(json_string_value(json_object_get(flow, "class")), "attack");
	assert_true(fabs(json_real_value(json_object_get(flow, "score")) - 1 / (1 + exp(-4.2))) < 1e-6);
	assert_true(json_real_value(json_object_get(flow, "seconds")) == 2);
	assert_int_equal(json_integer_value(json_object_get(flow, "protocol")), 6);
	assert_int_equal(strncmp(json_string_value(json_object_get(flow, "src")), "10.", 3), 0);
	assert_int_equal(strncmp(json_string_value(json_object_get(flow, "dst")), "11.", 3), 0);
	json_decref(answer);
	assert_int_equal(live_top_flows(&live, TOP_FLOWS_SCORE, TOP_FLOWS_MAX + 1, &answer), -EINVAL);
}

static void a_worker_that_hangs_is_left_out_and_its_late_answer_is_for_who_asks_the_like(void **state)
{
	double start = now_s();

	(void)state;
	/* Worker 2 has the flows of 3, 6 .. 300 packets. */
	atomic_store(&hangs[2], true);
	assert_int_equal(ask_packets(1, 299, 1), 1);
	assert_true(now_s() - start < 6);
	/* Not asked again, it does not hold up others. */
	start = now_s();
	assert_int_equal(ask_packets(1, 299, 1), 1);
	assert_true(now_s() - start < 1);
	go_on(2);
	assert_int_equal(live.workers[2].top.n, 1);
	/* What it has found is taken once, though it hangs again; more than that, or anew, it has to look for. */
	atomic_store(&hangs[2], true);
	assert_int_equal(ask_packets(1, 300, 1), 0);
	atomic_store(&hangs[2], false);
	assert_int_equal(ask_packets(50, 300, 1), 0);
}

static void a_late_answer_that_nobody_took_for_long_is_asked_for_anew(void **state)
{
	struct top_flows *top = &live.workers[2].top;
	uint64_t start = stats_cycles();

	(void)state;
	atomic_store(&hangs[2], true);
	assert_int_equal(ask_packets(1, 299, 1), 1);
	go_on(2);
	assert_in_range(top->answered_cycles, start, stats_cycles());
	/* It was six seconds ago. */
	top->answered_cycles -= UINT64_C(6000000000);
	atomic_store(&hangs[2], true);
	assert_int_equal(ask_packets(1, 299, 1), 1);
	go_on(2);
	assert_int_equal(ask_packets(1, 300, 1), 0);
}

static void who_asks_while_the_run_ends_is_not_kept_waiting(void **state)
{
	double start = now_s();
	json_t *answer;

	(void)state;
	for (uint32_t w = 0; w < N_WORKERS; w++)
		atomic_store(&hangs[w], true);
	atomic_store(&live.is_closing, true);
	assert_int_equal(live_top_flows(&live, TOP_FLOWS_BYTES, 10, &answer), 0);
	assert_true(now_s() - start < 1);
	assert_int_equal(json_integer_value(json_object_get(answer, "workers_left_out")), N_WORKERS);
	assert_int_equal(json_array_size(json_object_get(answer, "flows")), 0);
	json_decref(answer);
}

static void *ask_often(void *argument)
{
	const uint32_t *n = argument;

	for (int i = 0; i < 50; i++) {
		json_t *answer, *flows;

		if (live_top_flows(&live, TOP_FLOWS_PACKETS, *n, &answer))
			return argument;
		flows = json_object_get(answer, "flows");
		for (uint32_t k = 0; k < *n; k++)
			if (packets_of(json_array_get(flows, k)) != 300 - (json_int_t)k)
				return argument;
		json_decref(answer);
	}
	return NULL;
}

static void several_who_ask_at_once_get_what_each_asked_for(void **state)
{
	static uint32_t wanted[] = {1, 10, 40, 99};
	pthread_t askers[4];
	void *failed;

	(void)state;
	for (int i = 0; i < 4; i++)
		pthread_create(&askers[i], NULL, ask_often, &wanted[i]);
	for (int i = 0; i < 4; i++) {
		pthread_join(askers[i], &failed);
		assert_null(failed);
	}
}

static void orders_are_found_by_their_names(void **state)
{
	enum top_flows_order order;

	(void)state;
	assert_int_equal(live_top_order("bytes", &order), 0);
	assert_int_equal(order, TOP_FLOWS_BYTES);
	assert_int_equal(live_top_order("score", &order), 0);
	assert_int_equal(order, TOP_FLOWS_SCORE);
	assert_int_equal(live_top_order("", &order), -EINVAL);
	assert_int_equal(live_top_order("packets ", &order), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_workers_find_is_put_together_in_order, begin, end),
		cmocka_unit_test_setup_teardown(
			a_worker_that_hangs_is_left_out_and_its_late_answer_is_for_who_asks_the_like, begin, end),
		cmocka_unit_test_setup_teardown(a_late_answer_that_nobody_took_for_long_is_asked_for_anew, begin,
						end),
		cmocka_unit_test_setup_teardown(who_asks_while_the_run_ends_is_not_kept_waiting, begin, end),
		cmocka_unit_test_setup_teardown(several_who_ask_at_once_get_what_each_asked_for, begin, end),
		cmocka_unit_test(orders_are_found_by_their_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
