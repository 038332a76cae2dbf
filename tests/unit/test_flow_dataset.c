/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flow_dataset.h"

static const char *const two_names[] = {"a", "b"};

/* A set of n rows: values i and -i, label i % 3, class of the label. */
static struct flow_dataset sample_set(uint32_t n)
{
	static const char *const labels[] = {"benign", "scan-port", "flood-syn"};
	const struct flow_dataset_classes classes = {.mapping = FLOW_CLASSES_LABEL};
	struct flow_dataset set;

	flow_dataset_init(&set);
	assert_int_equal(flow_dataset_set_features(&set, two_names, 2), 0);
	assert_int_equal(flow_dataset_source(&set, "one"), 0);
	for (uint32_t i = 0; i < n; i++) {
		struct flow_dataset_row row = {.flow = i + 1, .label = (uint16_t)(i % 3)};
		float values[] = {(float)i, -(float)i};

		assert_int_equal(flow_dataset_label(&set, labels[i % 3]), i % 3);
		row.class = (uint8_t)flow_dataset_class_of(&set, &classes, labels[i % 3]);
		assert_int_equal(flow_dataset_add(&set, &row, values), 0);
	}
	return set;
}

static void rows_are_kept_as_they_were_added(void **state)
{
	struct flow_dataset set = sample_set(5000);

	(void)state;
	assert_int_equal(set.n_rows, 5000);
	for (uint32_t i = 0; i < 5000; i++) {
		assert_true(set.values[2 * i] == (float)i && set.values[2 * i + 1] == -(float)i);
		assert_int_equal(set.rows[i].flow, i + 1);
		assert_int_equal(set.rows[i].class, i % 3);
	}
	flow_dataset_free(&set);
	assert_int_equal(set.n_rows, 0);
}

static void features_are_named_once_and_each_otherwise(void **state)
{
	static const char *const twice[] = {"a", "b", "a"};
	const char *many[FLOW_DATASET_MAX_FEATURES + 1];
	struct flow_dataset set;

	(void)state;
	for (size_t i = 0; i < FLOW_DATASET_MAX_FEATURES + 1; i++)
		many[i] = "x";
	flow_dataset_init(&set);
	assert_int_equal(flow_dataset_set_features(&set, two_names, 0), -EINVAL);
	assert_int_equal(flow_dataset_set_features(&set, twice, 3), -EINVAL);
	assert_int_equal(flow_dataset_set_features(&set, many, FLOW_DATASET_MAX_FEATURES + 1), -EINVAL);
	assert_int_equal(set.n_features, 0);
	assert_int_equal(flow_dataset_set_features(&set, two_names, 2), 0);
	assert_int_equal(flow_dataset_set_features(&set, two_names, 2), -EINVAL);
	assert_int_equal(set.n_features, 2);
	assert_string_equal(set.features[1], "b");
	flow_dataset_free(&set);
}

static void names_are_found_again_up_to_the_most(void **state)
{
	struct flow_dataset set;
	char name[16];

	(void)state;
	flow_dataset_init(&set);
	for (int pass = 0; pass < 2; pass++)
		for (int i = 0; i < FLOW_DATASET_MAX_LABELS; i++) {
			snprintf(name, sizeof(name), "l%d", i);
			assert_int_equal(flow_dataset_label(&set, name), i);
		}
	assert_int_equal(flow_dataset_label(&set, "one more"), -E2BIG);
	assert_int_equal(set.n_labels, FLOW_DATASET_MAX_LABELS);
	for (int i = 0; i < FLOW_DATASET_MAX_CLASSES; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		assert_int_equal(flow_dataset_class(&set, name), i);
	}
	assert_int_equal(flow_dataset_class(&set, "one more"), -E2BIG);
	flow_dataset_free(&set);
}

static void labels_map_to_classes(void **state)
{
	static const char *const benign[] = {"normal", "* - Attempted"};
	const struct flow_dataset_classes group = {.mapping = FLOW_CLASSES_GROUP, .benign = {benign, 2}};
	const struct flow_dataset_classes binary = {.mapping = FLOW_CLASSES_BINARY};
	struct flow_dataset set;

	(void)state;
	flow_dataset_init(&set);
	assert_int_equal(flow_dataset_class_of(&set, &group, "Infiltration - Portscan"), 1);
	assert_string_equal(set.classes[0], "benign");
	assert_string_equal(set.classes[1], "Infiltration");
	assert_int_equal(flow_dataset_class_of(&set, &group, "Infiltration"), 1);
	assert_int_equal(flow_dataset_class_of(&set, &group, "-x"), 2);
	assert_string_equal(set.classes[2], "-x");
	assert_int_equal(flow_dataset_class_of(&set, &group, "Normal"), 0);
	assert_int_equal(flow_dataset_class_of(&set, &group, "DoS - Attempted"), 0);
	flow_dataset_free(&set);
	flow_dataset_init(&set);
	assert_int_equal(flow_dataset_class_of(&set, &binary, "scan-port"), 1);
	assert_int_equal(flow_dataset_class_of(&set, &binary, "benign"), 0);
	assert_string_equal(set.classes[1], "attack");
	flow_dataset_free(&set);
}

static void classes_are_sorted_behind_benign(void **state)
{
	struct flow_dataset set = sample_set(9);

	(void)state;
	assert_string_equal(set.classes[1], "scan-port");
	flow_dataset_sort_classes(&set, 0);
	assert_string_equal(set.classes[0], "benign");
	assert_string_equal(set.classes[1], "flood-syn");
	assert_string_equal(set.classes[2], "scan-port");
	for (uint32_t i = 0; i < 9; i++)
		assert_int_equal(set.rows[i].class, ((uint8_t[]){0, 2, 1})[i % 3]);
	assert_int_equal(flow_dataset_class(&set, "scan-port"), 2);
	assert_int_equal(flow_dataset_class(&set, "flood-syn"), 1);
	/* Those in front stay as a model has them. */
	assert_int_equal(flow_dataset_class(&set, "brute-ssh"), 3);
	assert_int_equal(flow_dataset_class(&set, "beacon"), 4);
	flow_dataset_sort_classes(&set, 3);
	assert_string_equal(set.classes[2], "scan-port");
	assert_string_equal(set.classes[3], "beacon");
	assert_string_equal(set.classes[4], "brute-ssh");
	flow_dataset_free(&set);
}

static void a_filter_keeps_rows_in_order(void **state)
{
	struct flow_dataset set = sample_set(10);
	const uint8_t keep[10] = {0, 1, 0, 0, 1, 1, 0, 0, 0, 1};

	(void)state;
	flow_dataset_filter(&set, keep);
	assert_int_equal(set.n_rows, 4);
	for (uint32_t i = 0; i < 4; i++) {
		const uint32_t was = (uint32_t[]){1, 4, 5, 9}[i];

		assert_true(set.values[2 * i] == (float)was && set.values[2 * i + 1] == -(float)was);
		assert_int_equal(set.rows[i].flow, was + 1);
	}
	flow_dataset_free(&set);
}

static void taken_rows_move_with_their_names(void **state)
{
	struct flow_dataset set = sample_set(10), taken;
	const uint8_t take[10] = {0, 1, 0, 0, 1, 1, 0, 0, 0, 1}, none[6] = {0};
	float values[] = {7, 8};

	(void)state;
	flow_dataset_init(&taken);
	assert_int_equal(flow_dataset_take(&set, take, &taken), 0);
	assert_int_equal(set.n_rows, 6);
	assert_int_equal(taken.n_rows, 4);
	assert_true(set.values[2] == 2 && taken.values[2] == 4);
	assert_string_equal(taken.features[1], "b");
	assert_string_equal(taken.labels[2], "flood-syn");
	assert_int_equal(flow_dataset_class(&taken, "flood-syn"), 2);
	assert_int_equal(flow_dataset_add(&taken, &set.rows[0], values), 0);
	flow_dataset_free(&taken);
	assert_int_equal(flow_dataset_take(&set, none, &taken), 0);
	assert_int_equal(taken.n_rows, 0);
	flow_dataset_free(&taken);
	flow_dataset_free(&set);
}

static void benign_labels_and_groups_are_told_in_one_way(void **state)
{
	static const char *const benign[] = {"benign", "Benign", "BENIGN", "normal", "Normal.", "0", "0.0"};
	static const char *const others[] = {"attack", "1", "benign-like", "", "00"};
	static const char *const chosen[] = {"web*"};
	const struct flow_dataset_names none = {0}, user = {chosen, 1};
	static const struct {
		const char *label;
		size_t n_bytes;
	} groups[] = {{"scan-port", 4}, {"DoS - Hulk", 3}, {"DoS", 3}, {"-x", 2},
		      {" - x", 4},	{"a-b-c", 1},	   {"", 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(benign) / sizeof(benign[0]); i++)
		assert_true(flow_dataset_is_benign(&none, benign[i]));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(flow_dataset_is_benign(&none, others[i]));
	assert_true(flow_dataset_is_benign(&user, "Web-mail"));
	assert_false(flow_dataset_is_benign(&user, "benign"));
	assert_false(flow_dataset_is_matched(&none, "benign"));
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		assert_int_equal(flow_dataset_group_length(groups[i].label), groups[i].n_bytes);
}

static void hashes_tell_things_apart_and_stay(void **state)
{
	(void)state;
	assert_int_not_equal(flow_dataset_hash(1, "a", 1), flow_dataset_hash(2, "a", 1));
	assert_int_not_equal(flow_dataset_hash(1, "a", 1), flow_dataset_hash(1, "a\0", 2));
	assert_int_not_equal(flow_dataset_hash(1, "12345678a", 9), flow_dataset_hash(1, "12345678b", 9));
	/* Splits and models made elsewhere depend on it. */
	assert_int_equal(flow_dataset_hash(0, "wirescore", 9), UINT64_C(0x9b751e384f4a6f5e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_kept_as_they_were_added),
		cmocka_unit_test(features_are_named_once_and_each_otherwise),
		cmocka_unit_test(names_are_found_again_up_to_the_most),
		cmocka_unit_test(labels_map_to_classes),
		cmocka_unit_test(classes_are_sorted_behind_benign),
		cmocka_unit_test(a_filter_keeps_rows_in_order),
		cmocka_unit_test(taken_rows_move_with_their_names),
		cmocka_unit_test(benign_labels_and_groups_are_told_in_one_way),
		cmocka_unit_test(hashes_tell_things_apart_and_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
