/* SPDX-License-Identifier: BSD-3-Clause */
#include "input_counts.h"

#include <stdlib.h>
#include <string.h>

#include "stats.h"

struct input_counts *input_counts_create(const struct input_bins *bins, uint32_t n_inputs, uint32_t one_in)
{
	size_t n_bytes = sizeof(struct input_counts) + n_inputs * sizeof(((struct input_counts *)0)->numbers[0]);
	struct input_counts *counts;

	/* No cache line is shared with another thread's. */
	n_bytes = (n_bytes + 63) / 64 * 64;
	counts = aligned_alloc(64, n_bytes);
	if (!counts)
		return NULL;
	memset(counts, 0, n_bytes);
	counts->bins = bins;
	counts->n_inputs = n_inputs;
	counts->one_in = one_in;
	counts->random = 2463534242u;
	counts->n_before = input_counts_draw(counts, one_in);
	return counts;
}

void input_counts_add_bytes(struct input_counts *counts, const uint8_t *row)
{
	for (uint32_t i = 0; i < counts->n_inputs; i++)
		stats_count(&counts->numbers[i][input_bins_find(&counts->bins[i], row[i])]);
}

void input_counts_add_floats(struct input_counts *counts, const float *row)
{
	for (uint32_t i = 0; i < counts->n_inputs; i++)
		stats_count(&counts->numbers[i][input_bins_find(&counts->bins[i], row[i])]);
}
