/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The largest flows of a table: what looking at it bit by bit finds is what sorting all of it would.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "seen_flows.h"
#include "top_flows.h"

static int compare_weights(const void *a, const void *b)
{
	double one = *(const double *)a, other = *(const double *)b;

	return one < other ? 1 : one > other ? -1 : 0;
}

static int compare_flows(const void *a, const void *b)
{
	return compare_weights(&((const struct top_flow *)a)->weight, &((const struct top_flow *)b)->weight);
}

/* Looks until the question is answered; returns how many looks that took. */
static uint32_t look_through(struct top_flows *top, const struct flow_engine *engine)
{
	uint32_t n = 0;

	for (; !top_flows_is_answered(top); n++) {
		assert_true(top_flows_is_asked(top));
		top_flows_look(top, engine, true);
	}
	assert_false(top_flows_is_asked(top));
	qsort(top->flows, top->n, sizeof(top->flows[0]), compare_flows);
	return n;
}

static double weight_of(const struct flow_engine *engine, uint32_t place, enum top_flows_order order)
{
	const struct flow_side *side = engine->flows[place].side;

	if (order == TOP_FLOWS_SCORE)
		return isnan(engine->verdicts[place].logit) ? -INFINITY : (double)engine->verdicts[place].logit;
	if (order == TOP_FLOWS_BYTES)
		return (double)side[0].bytes + (double)side[1].bytes;
	return (double)side[0].packets + (double)side[1].packets;
}

/* Random flows: with gaps between places, ties, and flows without a verdict. */
static void fill(struct flow_engine *engine, uint32_t n, uint64_t *state)
{
	for (uint32_t i = 0; i < n; i++) {
		uint64_t random = flow_packets_random(state);
		float logit = random % 7 ? (float)(int)(random % 41) - 20.5f : NAN;

		if (random >> 60)
			seen_put(engine, i, i, 1 + (uint32_t)(random >> 8) % 500, random >> 20 & 0xfffff, logit);
	}
}

static void what_is_found_is_what_sorting_finds(void **state)
{
	static const uint32_t wanted[] = {1, 2, 3, 7, 50, TOP_FLOWS_MAX};
	struct flow_engine *engine = seen_create();
	struct top_flows *top = calloc(1, sizeof(*top));
	double *weights = calloc(SEEN_MAX, sizeof(*weights));
	uint64_t random = 1;

	(void)state;
	for (uint32_t n_flows = 0; n_flows < 12000; n_flows = n_flows * 3 + 5) {
		fill(engine, n_flows, &random);
		for (uint32_t i = 0; i < 3 * sizeof(wanted) / sizeof(wanted[0]); i++) {
			enum top_flows_order order = (enum top_flows_order)(i % 3);
			uint32_t n = 0;

			for (uint32_t place = 0; place < engine->n_places; place++)
				if (engine->is_used[place])
					weights[n++] = weight_of(engine, place, order);
			qsort(weights, n, sizeof(*weights), compare_weights);
			top_flows_ask(top, order, wanted[i / 3]);
			look_through(top, engine);
			assert_int_equal(top->n, n < wanted[i / 3] ? n : wanted[i / 3]);
			for (uint32_t k = 0; k < top->n; k++)
				assert_true(top->flows[k].weight == weights[k]);
		}
	}
	free(weights);
	free(top);
	free(engine);
}

static void a_flow_that_is_found_is_a_copy_of_the_one_in_the_table(void **state)
{
	struct flow_engine *engine = seen_create();
	struct top_flows *top = calloc(1, sizeof(*top));

	(void)state;
	seen_put(engine, 0, 1, 5, 500, 2.5f);
	seen_put(engine, 70, 2, 9, 100, NAN);
	top_flows_ask(top, TOP_FLOWS_PACKETS, 5);
	look_through(top, engine);
	assert_int_equal(top->n, 2);
	assert_memory_equal(&top->flows[0].flow, &engine->flows[70], sizeof(struct flow));
	assert_memory_equal(&top->flows[1].flow, &engine->flows[0], sizeof(struct flow));
	assert_true(isnan(top->flows[0].logit));
	assert_true(top->flows[1].logit == 2.5f);
	assert_int_equal(top->flows[1].class, 1);
	free(top);
	free(engine);
}

static void all_flows_alike_fill_the_list_once_each(void **state)
{
	struct flow_engine *engine = seen_create();
	struct top_flows *top = calloc(1, sizeof(*top));
	bool is_met[1000] = {false};

	(void)state;
	for (uint32_t i = 0; i < 1000; i++)
		seen_put(engine, i, i, 3, 300, NAN);
	for (int order = TOP_FLOWS_PACKETS; order <= TOP_FLOWS_SCORE; order++) {
		memset(is_met, 0, sizeof(is_met));
		top_flows_ask(top, (enum top_flows_order)order, 60);
		look_through(top, engine);
		assert_int_equal(top->n, 60);
		for (uint32_t i = 0; i < top->n; i++) {
			assert_false(is_met[top->flows[i].flow.origin]);
			is_met[top->flows[i].flow.origin] = true;
		}
	}
	free(top);
	free(engine);
}

static void nothing_is_found_where_nothing_is_or_nothing_is_wanted(void **state)
{
	struct flow_engine *engine = seen_create();
	struct top_flows *top = calloc(1, sizeof(*top));

	(void)state;
	assert_true(top_flows_is_answered(top));
	top_flows_ask(top, TOP_FLOWS_BYTES, 10);
	look_through(top, engine);
	assert_int_equal(top->n, 0);
	top_flows_ask(top, TOP_FLOWS_BYTES, 10);
	look_through(top, NULL);
	assert_int_equal(top->n, 0);
	for (uint32_t i = 0; i < 100; i++)
		seen_put(engine, i, i, i, i, NAN);
	top_flows_ask(top, TOP_FLOWS_BYTES, 0);
	look_through(top, engine);
	assert_int_equal(top->n, 0);
	free(top);
	free(engine);
}

static void without_a_model_flows_have_no_score_and_are_listed(void **state)
{
	struct flow_engine *engine = seen_create();
	struct top_flows *top = calloc(1, sizeof(*top));

	(void)state;
	engine->has_verdicts = false;
	for (uint32_t i = 0; i < 10; i++)
		seen_put(engine, i, i, 1 + i, 100, 5);
	top_flows_ask(top, TOP_FLOWS_SCORE, 3);
	look_through(top, engine);
	assert_int_equal(top->n, 3);
	for (uint32_t i = 0; i < top->n; i++)
		assert_true(isnan(top->flows[i].logit));
	free(top);
	free(engine);
}

static void a_look_is_at_few_flows_and_the_table_may_change_between_two(void **state)
{
	struct flow_engine *engine = seen_create();
	struct top_flows *top = calloc(1, sizeof(*top));
	uint32_t n_looks = 0;

	(void)state;
	for (uint32_t i = 0; i < 10000; i++)
		seen_put(engine, i, i, 10, 1000, NAN);
	seen_put(engine, 3, 3, 1000, 1000, NAN);
	seen_put(engine, 9000, 9000, 2000, 1000, NAN);
	top_flows_ask(top, TOP_FLOWS_PACKETS, 5);
	while (!top_flows_is_answered(top)) {
		top_flows_look(top, engine, true);
		n_looks++;
		/* Seen and over; over and not yet seen; begun where it was not yet looked; moved there; shrunk. */
		if (n_looks == 10) {
			engine->is_used[3] = engine->is_used[9000] = false;
			seen_put(engine, 8000, 20000, 3000, 1000, NAN);
			seen_put(engine, 8001, 3, 1000, 1000, NAN);
			engine->n_places = 9500;
		}
	}
	assert_true(n_looks >= 9500 / 64);
	qsort(top->flows, top->n, sizeof(top->flows[0]), compare_flows);
	assert_int_equal(top->n, 5);
	assert_int_equal(top->flows[0].flow.origin, 20000);
	assert_int_equal(top->flows[1].flow.origin, 3);
	assert_int_equal(top->flows[2].flow.origin, 3);
	assert_true(top->flows[3].weight == 10);
	free(top);
	free(engine);
}

static void every_question_is_answered_anew(void **state)
{
	struct flow_engine *engine = seen_create();
	struct top_flows *top = calloc(1, sizeof(*top));

	(void)state;
	for (uint32_t i = 0; i < 300; i++)
		seen_put(engine, i, i, 1 + i, 1000 - i, (float)(i % 100));
	/* The numbers of questions go round. */
	atomic_store(&top->asked, UINT32_MAX - 2);
	atomic_store(&top->answered, UINT32_MAX - 2);
	for (uint32_t i = 0; i < 6; i++) {
		top_flows_ask(top, i % 2 ? TOP_FLOWS_PACKETS : TOP_FLOWS_BYTES, 1);
		assert_false(top_flows_is_answered(top));
		look_through(top, engine);
		assert_int_equal(top->n, 1);
		assert_int_equal(top->flows[0].flow.origin, i % 2 ? 299 : 0);
	}
	free(top);
	free(engine);
}

/* Asked without end, and with packets passing all the time: a spin of some cycles stands for these. */
static void looking_takes_a_small_share_of_the_time_that_packets_have(void **state)
{
	struct flow_engine *engine = seen_create();
	struct top_flows *top = calloc(1, sizeof(*top));
	uint64_t looking = 0, start, n_answers = 0;

	(void)state;
	for (uint32_t i = 0; i < 10000; i++)
		seen_put(engine, i, i, 1 + i % 500, 1000, NAN);
	start = stats_cycles();
	while (n_answers < 10) {
		uint64_t before = stats_cycles(), took;

		if (top_flows_is_answered(top))
			top_flows_ask(top, TOP_FLOWS_PACKETS, TOP_FLOWS_MAX);
		else
			top_flows_look(top, engine, false);
		n_answers += top_flows_is_answered(top);
		took = stats_cycles() - before;
		/* As if others had not taken the CPU meanwhile. */
		looking += took < 20000 ? took : 0;
		while (stats_cycles() - before < 10000)
			;
	}
	/* With what it costs to ask the clock, and some more. */
	assert_true(looking * TOP_FLOWS_SHARE < 4 * (stats_cycles() - start));
	/* An idle worker need not rest. */
	top->rests_until = UINT64_MAX;
	top_flows_ask(top, TOP_FLOWS_PACKETS, 5);
	top_flows_look(top, engine, false);
	assert_int_equal(top->place, 0);
	top_flows_look(top, engine, true);
	assert_true(top->place > 0);
	free(top);
	free(engine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_found_is_what_sorting_finds),
		cmocka_unit_test(a_flow_that_is_found_is_a_copy_of_the_one_in_the_table),
		cmocka_unit_test(all_flows_alike_fill_the_list_once_each),
		cmocka_unit_test(nothing_is_found_where_nothing_is_or_nothing_is_wanted),
		cmocka_unit_test(without_a_model_flows_have_no_score_and_are_listed),
		cmocka_unit_test(a_look_is_at_few_flows_and_the_table_may_change_between_two),
		cmocka_unit_test(every_question_is_answered_anew),
		cmocka_unit_test(looking_takes_a_small_share_of_the_time_that_packets_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
