/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How often rows that a thread asks a model with fall into each bin of its inputs: the control core compares that with
 * the training's bins (drift). One writer, any readers, as with struct stats_block: relaxed stores of numbers that only
 * one thread changes. Few rows are looked at, drawn at random since traffic may have a period: they cost the writer a
 * compare and an add of nine lanes for each input.
 */
#ifndef WIRESCORE_CLASSIFY_INPUT_COUNTS_H
#define WIRESCORE_CLASSIFY_INPUT_COUNTS_H

#include <stdint.h>

#include "input_bins.h"

struct input_counts {
	const struct input_bins *bins; /* [n_inputs], borrowed */
	uint32_t n_inputs;
	/* The writer's own. */
	uint32_t one_in;
	uint32_t n_before; /* rows to pass over before the next that is looked at */
	uint32_t random;
	/* Written by the writer, read by any thread: [n_inputs]. */
	uint64_t numbers[][INPUT_BINS_MAX];
};

/* One row in one_in is looked at. NULL when memory is out; free() releases it. */
struct input_counts *input_counts_create(const struct input_bins *bins, uint32_t n_inputs, uint32_t one_in);

/* A number below n, of the writer's (xorshift, G. Marsaglia 2003). */
static inline uint32_t input_counts_draw(struct input_counts *counts, uint32_t n)
{
	counts->random ^= counts->random << 13;
	counts->random ^= counts->random >> 17;
	counts->random ^= counts->random << 5;
	return counts->random % n;
}

/* How many of n rows that come now are passed over before one that is looked at; n: all. */
static inline uint32_t input_counts_skip(struct input_counts *counts, uint32_t n)
{
	uint32_t n_before = counts->n_before;

	if (__builtin_expect(n_before >= n, 1)) {
		counts->n_before -= n;
		return n;
	}
	/* one_in - 1 on average. */
	counts->n_before = input_counts_draw(counts, 2 * counts->one_in - 1);
	return n_before;
}

/* The writer's: counts a row. */
void input_counts_add_bytes(struct input_counts *counts, const uint8_t *row);
void input_counts_add_floats(struct input_counts *counts, const float *row);

#endif
