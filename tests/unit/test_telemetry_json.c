/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "telemetry_json.h"

/* An array of n whole numbers, of 10 characters each in compact JSON. */
static json_t *numbers(uint32_t n)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < n; i++)
		json_array_append_new(array, json_integer(100000000 + i));
	return array;
}

static json_t *histogram(uint32_t n)
{
	return json_pack("{s:o, s:o}", "le", numbers(n), "counts", numbers(n));
}

static void members_that_do_not_fit_are_left_out_whole_and_counted(void **state)
{
	json_t *object = json_pack("{s:o, s:o, s:o}", "first", histogram(600), "second", histogram(200), "third",
				   histogram(100));

	(void)state;
	assert_int_equal(telemetry_json_fit(object, NULL), 2);
	assert_int_equal(json_object_size(object), 1);
	assert_int_equal(json_array_size(json_object_get(json_object_get(object, "first"), "le")), 600);
	assert_int_equal(json_array_size(json_object_get(json_object_get(object, "first"), "counts")), 600);
	assert_int_equal(telemetry_json_fit(object, NULL), 0);
	json_decref(object);
}

static void elements_that_do_not_fit_are_left_out_of_a_member_from_its_end(void **state)
{
	json_t *object = json_pack("{s:o, s:o}", "other", numbers(1000), "list", numbers(1000)), *list;
	uint32_t n = telemetry_json_fit(object, "list");

	(void)state;
	list = json_object_get(object, "list");
	assert_in_range(n, 400, 600);
	assert_int_equal(json_array_size(list), 1000 - n);
	assert_int_equal(json_integer_value(json_array_get(list, 0)), 100000000);
	assert_int_equal(json_array_size(json_object_get(object, "other")), 1000);
	assert_in_range(json_dumpb(object, NULL, 0, JSON_COMPACT), TELEMETRY_JSON_BYTES - 20, TELEMETRY_JSON_BYTES);
	json_decref(object);
}

static void where_all_that_may_go_is_gone_the_rest_stays(void **state)
{
	json_t *object = json_pack("{s:o, s:o}", "other", numbers(2000), "list", numbers(3));

	(void)state;
	assert_int_equal(telemetry_json_fit(object, "list"), 3);
	assert_int_equal(telemetry_json_fit(object, "none"), 0);
	assert_int_equal(json_array_size(json_object_get(object, "other")), 2000);
	json_decref(object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_that_do_not_fit_are_left_out_whole_and_counted),
		cmocka_unit_test(elements_that_do_not_fit_are_left_out_of_a_member_from_its_end),
		cmocka_unit_test(where_all_that_may_go_is_gone_the_rest_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
