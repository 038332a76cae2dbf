/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flow_split.h"

static char error[512];

static struct flow_dataset empty_set(void)
{
	static const char *const names[] = {"a"};
	struct flow_dataset set;

	flow_dataset_init(&set);
	assert_int_equal(flow_dataset_set_features(&set, names, 1), 0);
	assert_int_equal(flow_dataset_class(&set, "benign"), 0);
	assert_int_equal(flow_dataset_class(&set, "attack"), 1);
	return set;
}

static void add(struct flow_dataset *set, const char *source, uint64_t flow, uint64_t host, double start_s,
		uint8_t class)
{
	const struct flow_dataset_row row = {.flow = flow,
					     .host = host,
					     .start_s = start_s,
					     .source = (uint32_t)flow_dataset_source(set, source),
					     .class = class};

	assert_int_equal(flow_dataset_add(set, &row, (float[]){0}), 0);
}

/* Sources of 100 flows of two rows each, from 10 hosts, half of them attacks. */
static struct flow_dataset sample_set(uint32_t n_sources)
{
	struct flow_dataset set = empty_set();

	for (uint32_t source = 0; source < n_sources; source++) {
		char name[16];

		snprintf(name, sizeof(name), "s%u", source);
		for (uint32_t flow = 0; flow < 100; flow++)
			for (int row = 0; row < 2; row++)
				add(&set, name, 1 + source * 100 + flow, 1 + source * 10 + flow % 10,
				    1000 + flow + row * 50, flow % 2);
	}
	return set;
}

static int split(const struct flow_dataset *set, enum flow_split_kind kind, double share, uint64_t seed,
		 uint8_t *side)
{
	const struct flow_split_options options = {kind, share, seed};

	error[0] = '\0';
	return flow_split(set, &options, side, error, sizeof(error));
}

static size_t n_held(const struct flow_dataset *set, const uint8_t *side)
{
	size_t n = 0;

	for (size_t i = 0; i < set->n_rows; i++)
		n += side[i];
	return n;
}

static void every_kind_keeps_flows_whole_and_the_share(void **state)
{
	struct flow_dataset set = sample_set(10);
	uint8_t side[2000];

	(void)state;
	for (int kind = FLOW_SPLIT_SOURCE; kind <= FLOW_SPLIT_RANDOM; kind++)
		for (double share = 0.1; share < 0.6; share += 0.1) {
			assert_int_equal(split(&set, (enum flow_split_kind)kind, share, 1, side), 0);
			assert_int_equal(flow_split_check(&set, side, error, sizeof(error)), 0);
			assert_true(fabs((double)n_held(&set, side) / 2000 - share) < 0.011);
		}
	flow_dataset_free(&set);
}

static void groups_are_never_cut(void **state)
{
	struct flow_dataset set = sample_set(10);
	uint8_t side[2000];

	(void)state;
	assert_int_equal(split(&set, FLOW_SPLIT_SOURCE, 0.3, 7, side), 0);
	for (size_t i = 0; i < set.n_rows; i++)
		assert_int_equal(side[i], side[i / 200 * 200]);
	assert_int_equal(split(&set, FLOW_SPLIT_HOST, 0.3, 7, side), 0);
	for (size_t i = 0; i < set.n_rows; i++)
		for (size_t k = 0; k < i; k++)
			if (set.rows[i].host == set.rows[k].host)
				assert_int_equal(side[i], side[k]);
	flow_dataset_free(&set);
}

static void the_last_flows_of_each_source_are_held_out(void **state)
{
	struct flow_dataset set = sample_set(3);
	uint8_t side[600];

	(void)state;
	assert_int_equal(split(&set, FLOW_SPLIT_TIME, 0.25, 0, side), 0);
	/* Both rows of flow n begin at n or later: a flow is as old as its first row. */
	for (size_t i = 0; i < set.n_rows; i++)
		assert_int_equal(side[i], (i / 2) % 100 >= 75);
	flow_dataset_free(&set);
}

static void the_seed_decides_and_nothing_else(void **state)
{
	struct flow_dataset set = sample_set(10);
	uint8_t side[2000], again[2000], other[2000];

	(void)state;
	for (int kind = FLOW_SPLIT_SOURCE; kind <= FLOW_SPLIT_RANDOM; kind++) {
		assert_int_equal(split(&set, (enum flow_split_kind)kind, 0.3, 1, side), 0);
		assert_int_equal(split(&set, (enum flow_split_kind)kind, 0.3, 1, again), 0);
		assert_int_equal(split(&set, (enum flow_split_kind)kind, 0.3, 2, other), 0);
		assert_memory_equal(side, again, sizeof(side));
		if (kind != FLOW_SPLIT_TIME)
			assert_memory_not_equal(side, other, sizeof(side));
	}
	flow_dataset_free(&set);
}

static void a_rare_class_is_on_both_sides(void **state)
{
	uint8_t side[100];

	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct flow_dataset set = empty_set();

		/* Benign in nine sources, attacks in two of them, one of which is large. */
		for (uint32_t i = 0; i < 90; i++) {
			char name[16];

			snprintf(name, sizeof(name), "s%u", i / 10);
			add(&set, name, i + 1, i + 1, i, i / 10 == 4 && i % 2);
		}
		for (uint32_t i = 90; i < 100; i++)
			add(&set, "s8", i + 1, i + 1, i, 1);
		for (int kind = FLOW_SPLIT_SOURCE; kind <= FLOW_SPLIT_RANDOM; kind++)
			if (kind != FLOW_SPLIT_TIME)
				assert_int_equal(split(&set, (enum flow_split_kind)kind, 0.1, seed, side), 0);
		flow_dataset_free(&set);
	}
}

static void two_sources_can_be_split(void **state)
{
	struct flow_dataset set = sample_set(2);
	uint8_t side[400];

	(void)state;
	assert_int_equal(split(&set, FLOW_SPLIT_SOURCE, 0.1, 3, side), 0);
	assert_int_equal(n_held(&set, side), 200);
	flow_dataset_free(&set);
}

static void a_flow_of_two_hosts_is_on_one_side(void **state)
{
	struct flow_dataset set = empty_set();
	uint8_t side[200];

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		add(&set, "s", i + 1, i + 1, i, i % 2);
		add(&set, "s", i + 1, 100 - i, i, i % 2);
	}
	assert_int_equal(split(&set, FLOW_SPLIT_HOST, 0.3, 3, side), 0);
	assert_int_equal(flow_split_check(&set, side, error, sizeof(error)), 0);
	flow_dataset_free(&set);
}

static void what_cannot_be_split_is_said(void **state)
{
	struct flow_dataset set = empty_set();
	uint8_t side[8];

	(void)state;
	assert_int_equal(split(&set, FLOW_SPLIT_RANDOM, 0.5, 0, side), -EINVAL);
	assert_non_null(strstr(error, "no rows"));
	add(&set, "one.csv", 1, 1, 1, 1);
	add(&set, "one.csv", 2, 1, 2, 1);
	assert_int_equal(split(&set, FLOW_SPLIT_RANDOM, 0.5, 0, side), -EINVAL);
	assert_non_null(strstr(error, "all 2 rows are of the class 'attack'"));
	add(&set, "one.csv", 3, 1, 3, 0);
	add(&set, "one.csv", 4, 1, 4, 0);
	assert_int_equal(split(&set, FLOW_SPLIT_SOURCE, 0.5, 0, side), -EINVAL);
	assert_non_null(strstr(error, "all rows come from one.csv"));
	assert_int_equal(split(&set, FLOW_SPLIT_HOST, 0.5, 0, side), -EINVAL);
	assert_non_null(strstr(error, "one initiator"));
	assert_int_equal(split(&set, FLOW_SPLIT_TIME, 0.5, 0, side), -EINVAL);
	assert_non_null(strstr(error, "class 'benign' (2 rows) is not on both sides"));
	assert_int_equal(split(&set, FLOW_SPLIT_RANDOM, 0.5, 0, side), 0);
	add(&set, "two.csv", 5, 0, NAN, 0);
	assert_int_equal(split(&set, FLOW_SPLIT_TIME, 0.5, 0, side), -EINVAL);
	assert_non_null(strstr(error, "two.csv: has rows whose time is not known"));
	assert_int_equal(split(&set, FLOW_SPLIT_HOST, 0.5, 0, side), -EINVAL);
	assert_non_null(strstr(error, "two.csv: has rows whose initiator is not known"));
	flow_dataset_free(&set);
}

static void a_check_finds_a_flow_on_both_sides_and_a_class_on_one(void **state)
{
	struct flow_dataset set = empty_set();

	(void)state;
	add(&set, "x.csv", 1, 0, 0, 0);
	add(&set, "x.csv", 2, 0, 0, 1);
	add(&set, "x.csv", 0xabc, 0, 0, 0);
	add(&set, "x.csv", 0xabc, 0, 0, 0);
	add(&set, "x.csv", 5, 0, 0, 1);
	assert_int_equal(flow_split_check(&set, (uint8_t[]){0, 0, 1, 1, 1}, error, sizeof(error)), 0);
	assert_int_equal(flow_split_check(&set, (uint8_t[]){0, 0, 0, 1, 1}, error, sizeof(error)), -EINVAL);
	assert_string_equal(error, "flow 0000000000000abc of x.csv is on both sides of the split");
	assert_int_equal(flow_split_check(&set, (uint8_t[]){0, 0, 1, 1, 0}, error, sizeof(error)), -EINVAL);
	assert_string_equal(error, "there are no rows to judge by of the class 'attack'");
	flow_dataset_free(&set);
}

/* A capture and a copy of it, or a table and the capture that it was made of. */
static void a_flow_of_two_sources_is_on_one_side_or_an_error(void **state)
{
	struct flow_dataset set = empty_set();
	uint8_t side[40];

	(void)state;
	for (uint32_t i = 0; i < 40; i++) {
		add(&set, i < 20 ? "one.pcap" : "copy.pcap", 1 + i, 1 + i % 20, 100 + i % 20, i % 2);
		set.rows[i].twin = 1000 + i % 20;
	}
	/* An initiator is on one side, and so are its flows in both. */
	for (uint64_t seed = 0; seed < 10; seed++) {
		assert_int_equal(split(&set, FLOW_SPLIT_HOST, 0.5, seed, side), 0);
		for (uint32_t i = 0; i < 20; i++)
			assert_int_equal(side[i], side[i + 20]);
	}
	assert_int_equal(split(&set, FLOW_SPLIT_SOURCE, 0.5, 1, side), -EINVAL);
	assert_string_equal(error,
			    "a flow that begins at 100.000000 s is in one.pcap and in copy.pcap, and so on both "
			    "sides of the split; leave it out of one");
	for (uint32_t i = 0; i < 40; i++)
		side[i] = i >= 20;
	assert_int_equal(flow_split_check(&set, side, error, sizeof(error)), -EINVAL);
	/* The same addresses at another time are other flows. */
	for (uint32_t i = 20; i < 40; i++)
		set.rows[i].twin += 1000;
	assert_int_equal(flow_split_check(&set, side, error, sizeof(error)), 0);
	assert_int_equal(split(&set, FLOW_SPLIT_SOURCE, 0.5, 1, side), 0);
	flow_dataset_free(&set);
}

static void kinds_have_names(void **state)
{
	enum flow_split_kind kind;

	(void)state;
	for (int i = FLOW_SPLIT_SOURCE; i <= FLOW_SPLIT_RANDOM; i++) {
		assert_int_equal(flow_split_kind_parse(flow_split_kind_name((enum flow_split_kind)i), &kind), 0);
		assert_int_equal(kind, i);
	}
	assert_int_equal(flow_split_kind_parse("x", &kind), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_keeps_flows_whole_and_the_share),
		cmocka_unit_test(groups_are_never_cut),
		cmocka_unit_test(the_last_flows_of_each_source_are_held_out),
		cmocka_unit_test(the_seed_decides_and_nothing_else),
		cmocka_unit_test(a_rare_class_is_on_both_sides),
		cmocka_unit_test(two_sources_can_be_split),
		cmocka_unit_test(a_flow_of_two_hosts_is_on_one_side),
		cmocka_unit_test(what_cannot_be_split_is_said),
		cmocka_unit_test(a_check_finds_a_flow_on_both_sides_and_a_class_on_one),
		cmocka_unit_test(a_flow_of_two_sources_is_on_one_side_or_an_error),
		cmocka_unit_test(kinds_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
