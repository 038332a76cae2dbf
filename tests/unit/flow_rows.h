/* SPDX-License-Identifier: BSD-3-Clause */
/* Small sets of flows for the tests of lib/train. cmocka.h comes first. */
#ifndef WIRESCORE_TESTS_FLOW_ROWS_H
#define WIRESCORE_TESTS_FLOW_ROWS_H

#include <math.h>

#include "flow_dataset.h"
#include "random.h"

/* A set with n_features columns c0, c1, .., n_classes classes (benign, k1, k2, ..) and n_sources sources. */
static inline void flow_rows_init(struct flow_dataset *set, uint32_t n_features, uint32_t n_classes,
				  uint32_t n_sources)
{
	char text[64][8];
	const char *names[64];

	assert_true(n_features <= 64);
	flow_dataset_init(set);
	for (uint32_t i = 0; i < n_features; i++) {
		snprintf(text[i], sizeof(text[i]), "c%u", i);
		names[i] = text[i];
	}
	assert_int_equal(flow_dataset_set_features(set, names, n_features), 0);
	for (uint32_t i = 0; i < n_classes; i++) {
		char name[8];

		snprintf(name, sizeof(name), "k%u", i);
		assert_int_equal(flow_dataset_class(set, i == 0 ? "benign" : name), i);
	}
	for (uint32_t i = 0; i < n_sources; i++) {
		char name[8];

		snprintf(name, sizeof(name), "s%u", i);
		assert_int_equal(flow_dataset_source(set, name), i);
	}
}

static inline void flow_rows_add(struct flow_dataset *set, uint64_t flow, uint8_t class_index, uint32_t source,
				 const float *values)
{
	struct flow_dataset_row row = {
		.flow = flow, .class = class_index, .source = source, .start_s = NAN, .is_part = true};

	assert_int_equal(flow_dataset_add(set, &row, values), 0);
}

/*
 * Adds n flows of 4 columns: the first is the flow's size, benign up to 100 and attacks from 1000 on, the others say
 * nothing. Classes take turns.
 */
static inline void flow_rows_add_sizes(struct flow_dataset *set, uint32_t n, uint64_t seed)
{
	struct random random;

	random_seed(&random, seed);
	for (uint32_t i = 0; i < n; i++) {
		uint8_t class_index = (uint8_t)(i % set->n_classes);
		float size = 100 * random_unit(&random);
		float values[4] = {size, random_unit(&random), 5, random_unit(&random) - 0.5f};

		for (uint8_t c = 0; c < class_index; c++)
			values[0] = 10 * values[0] + 1000;
		flow_rows_add(set, seed * 1000003 + i, class_index, i % set->n_sources, values);
	}
}

#endif
