/* SPDX-License-Identifier: BSD-3-Clause */
/* Which worker polls which queue, on machines that are not at hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "live_places.h"

/* Gives a port of a node n queues; a bit for each place that got one. */
static uint32_t share(struct live_place *places, uint32_t n_places, int node, uint32_t n)
{
	uint32_t chosen = 0;

	while (n-- > 0) {
		uint32_t place = live_place_choose(places, n_places, node);

		places[place].load++;
		chosen |= UINT32_C(1) << place;
	}
	return chosen;
}

static void queues_go_to_workers_of_the_port_s_node_first(void **state)
{
	struct live_place places[] = {{.node = 0}, {.node = 1}, {.node = 0}, {.node = 1}};

	(void)state;
	assert_int_equal(share(places, 4, 1, 2), 1 << 1 | 1 << 3);
	assert_int_equal(share(places, 4, 0, 2), 1 << 0 | 1 << 2);
}

static void queues_are_shared_out_evenly_before_they_are_kept_near(void **state)
{
	struct live_place places[] = {{.node = 0}, {.node = 1}};

	(void)state;
	assert_int_equal(share(places, 2, 0, 2), 1 << 0 | 1 << 1);
	assert_false(live_place_is_near(&places[1], 0));
	assert_int_equal(places[0].load, places[1].load);
}

static void a_port_of_no_node_is_near_to_all(void **state)
{
	struct live_place places[] = {{.node = 0}, {.node = 1}};

	(void)state;
	assert_true(live_place_is_near(&places[1], -1));
	assert_int_equal(share(places, 2, -1, 2), 1 << 0 | 1 << 1);
}

static void ports_of_both_nodes_have_a_queue_for_each_worker_that_is_near(void **state)
{
	const struct live_place places[] = {{.node = 0}, {.node = 0}, {.node = 0}, {.node = 1}};
	const int both[] = {0, 1}, first[] = {0, 0}, neither[] = {2, 2}, any[] = {-1, 1};

	(void)state;
	assert_int_equal(live_place_count(places, 4, both, 2, 0), 3);
	assert_int_equal(live_place_count(places, 4, both, 2, 1), 1);
	/* The worker of node 1 would have nothing to do: it crosses. */
	assert_int_equal(live_place_count(places, 4, first, 2, 0), 4);
	assert_int_equal(live_place_count(places, 4, neither, 2, 0), 4);
	assert_int_equal(live_place_count(places, 4, any, 2, 0), 4);
	assert_int_equal(live_place_count(places, 4, any, 2, 1), 1);
}

static void one_node_has_a_queue_a_worker(void **state)
{
	const struct live_place places[] = {{.node = 0}, {.node = 0}};
	const int ports[] = {0, -1};

	(void)state;
	assert_int_equal(live_place_count(places, 2, ports, 2, 0), 2);
	assert_int_equal(live_place_count(places, 2, ports, 2, 1), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queues_go_to_workers_of_the_port_s_node_first),
		cmocka_unit_test(queues_are_shared_out_evenly_before_they_are_kept_near),
		cmocka_unit_test(a_port_of_no_node_is_near_to_all),
		cmocka_unit_test(ports_of_both_nodes_have_a_queue_for_each_worker_that_is_near),
		cmocka_unit_test(one_node_has_a_queue_a_worker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
