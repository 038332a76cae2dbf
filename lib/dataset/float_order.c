/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A radix sort of floats by index. Called by flow_lint.c, and by curves.c, baselines.c and bins_fit.c of
 * lib/train.
 */
#include "float_order.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DIGIT_BITS 11
#define N_BUCKETS  (1u << DIGIT_BITS)

struct entry {
	uint32_t key, index;
};

/* A number that ascends as the float does: negative ones are turned over, and all are put behind them. */
static uint32_t key_of(float value)
{
	uint32_t bits;

	value += 0.0f; /* -0 becomes 0 */
	memcpy(&bits, &value, sizeof(bits));
	return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

static void digit_sort(const struct entry *from, struct entry *to, uint32_t n, int digit)
{
	uint32_t at[N_BUCKETS] = {0}, sum = 0;
	int shift = digit * DIGIT_BITS;

	for (uint32_t i = 0; i < n; i++)
		at[from[i].key >> shift & (N_BUCKETS - 1)]++;
	for (uint32_t bucket = 0; bucket < N_BUCKETS; bucket++) {
		uint32_t count = at[bucket];

		at[bucket] = sum;
		sum += count;
	}
	for (uint32_t i = 0; i < n; i++)
		to[at[from[i].key >> shift & (N_BUCKETS - 1)]++] = from[i];
}

int float_order(const float *values, uint32_t n, uint32_t *order)
{
	struct entry *from = calloc(2 * ((size_t)n + 1), sizeof(*from)), *to;

	if (from == NULL)
		return -ENOMEM;
	to = from + n;
	for (uint32_t i = 0; i < n; i++)
		from[i] = (struct entry){key_of(values[i]), i};
	digit_sort(from, to, n, 0);
	digit_sort(to, from, n, 1);
	digit_sort(from, to, n, 2);
	for (uint32_t i = 0; i < n; i++)
		order[i] = to[i].index;
	free(from);
	return 0;
}
