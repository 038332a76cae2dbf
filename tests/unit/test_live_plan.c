/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "live_plan.h"

/* A port that has so many queues with a symmetric hash. */
static struct live_plan_port port(uint32_t n_queues, uint32_t n_asked, enum config_rss rss)
{
	return (struct live_plan_port){
		.name = "lan",
		.rss = rss,
		.n_asked = n_asked,
		.n_queues = n_queues,
		.table_size = n_queues > 1 ? 128 : 0,
	};
}

/* What is made of two ports, or of one where peer has no queues. */
static struct live_plan plan_of(struct live_plan_port one, struct live_plan_port peer, uint32_t n_workers)
{
	struct live_plan plan;
	char error[200];

	peer.name = "wan";
	assert_int_equal(live_plan_make(&one, peer.n_queues ? &peer : NULL, n_workers, &plan, error, sizeof(error)),
			 0);
	return plan;
}

static void assert_plan(struct live_plan plan, uint32_t n_workers, bool is_software)
{
	assert_int_equal(plan.n_workers, n_workers);
	assert_int_equal(plan.is_software, is_software);
}

static const struct live_plan_port no_peer;

static void a_device_with_queues_enough_spreads_by_its_hash(void **state)
{
	(void)state;
	assert_plan(plan_of(port(16, 0, CONFIG_RSS_AUTO), no_peer, 4), 4, false);
	assert_plan(plan_of(port(16, 2, CONFIG_RSS_AUTO), no_peer, 4), 2, false);
	assert_plan(plan_of(port(4, 0, CONFIG_RSS_SYMMETRIC), port(8, 0, CONFIG_RSS_AUTO), 4), 4, false);
}

static void a_device_with_too_few_queues_is_spread_in_software(void **state)
{
	(void)state;
	assert_plan(plan_of(port(1, 0, CONFIG_RSS_AUTO), no_peer, 2), 2, true);
	assert_plan(plan_of(port(2, 0, CONFIG_RSS_AUTO), no_peer, 3), 3, true);
	assert_plan(plan_of(port(1, 2, CONFIG_RSS_AUTO), no_peer, 4), 2, true);
}

static void a_pair_is_spread_in_one_way(void **state)
{
	(void)state;
	assert_plan(plan_of(port(16, 0, CONFIG_RSS_AUTO), port(1, 0, CONFIG_RSS_AUTO), 2), 2, true);
	assert_plan(plan_of(port(16, 0, CONFIG_RSS_AUTO), port(16, 0, CONFIG_RSS_SOFTWARE), 2), 2, true);
	assert_plan(plan_of(port(16, 3, CONFIG_RSS_AUTO), port(16, 2, CONFIG_RSS_AUTO), 4), 2, false);
}

static void software_is_what_is_asked_for(void **state)
{
	(void)state;
	assert_plan(plan_of(port(16, 0, CONFIG_RSS_SOFTWARE), no_peer, 4), 4, true);
}

static void one_worker_needs_no_spread(void **state)
{
	(void)state;
	assert_plan(plan_of(port(1, 0, CONFIG_RSS_SOFTWARE), no_peer, 1), 1, false);
	assert_plan(plan_of(port(1, 0, CONFIG_RSS_SYMMETRIC), port(1, 0, CONFIG_RSS_AUTO), 1), 1, false);
	assert_plan(plan_of(port(1, 1, CONFIG_RSS_AUTO), port(1, 0, CONFIG_RSS_AUTO), 8), 1, false);
}

static void tables_of_other_sizes_lead_to_the_same_queue_of_a_power_of_two_only(void **state)
{
	struct live_plan_port one = port(16, 0, CONFIG_RSS_AUTO), other = one;

	(void)state;
	other.table_size = 512;
	assert_plan(plan_of(one, other, 4), 4, false);
	assert_plan(plan_of(one, other, 3), 3, true);
	one.rss = CONFIG_RSS_SYMMETRIC;
	assert_plan(plan_of(one, other, 3), 2, false);
}

static void symmetric_takes_fewer_queues_than_workers_where_nobody_asked_for_a_number(void **state)
{
	(void)state;
	assert_plan(plan_of(port(2, 0, CONFIG_RSS_SYMMETRIC), no_peer, 4), 2, false);
}

static void symmetric_is_refused_where_it_cannot_be(void **state)
{
	const struct {
		struct live_plan_port one, peer;
		const char *name;
	} cases[] = {
		{port(1, 0, CONFIG_RSS_SYMMETRIC), no_peer, "[port lan]"},
		{port(2, 4, CONFIG_RSS_SYMMETRIC), no_peer, "[port lan]"},
		{port(16, 0, CONFIG_RSS_AUTO), port(1, 0, CONFIG_RSS_SYMMETRIC), "[port wan]"},
		{port(16, 0, CONFIG_RSS_SYMMETRIC), port(1, 0, CONFIG_RSS_AUTO), "[port lan]"},
		{port(16, 0, CONFIG_RSS_SYMMETRIC), port(16, 0, CONFIG_RSS_SOFTWARE), "[port lan]"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct live_plan_port peer = cases[i].peer;
		struct live_plan plan;
		char error[200];

		peer.name = "wan";
		assert_int_equal(
			live_plan_make(&cases[i].one, peer.n_queues ? &peer : NULL, 4, &plan, error, sizeof(error)),
			-EINVAL);
		assert_ptr_equal(strstr(error, cases[i].name), error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_with_queues_enough_spreads_by_its_hash),
		cmocka_unit_test(a_device_with_too_few_queues_is_spread_in_software),
		cmocka_unit_test(a_pair_is_spread_in_one_way),
		cmocka_unit_test(software_is_what_is_asked_for),
		cmocka_unit_test(one_worker_needs_no_spread),
		cmocka_unit_test(tables_of_other_sizes_lead_to_the_same_queue_of_a_power_of_two_only),
		cmocka_unit_test(symmetric_takes_fewer_queues_than_workers_where_nobody_asked_for_a_number),
		cmocka_unit_test(symmetric_is_refused_where_it_cannot_be),
	};

	return cmocka_run_group_tests_name("live_plan", tests, NULL, NULL);
}
