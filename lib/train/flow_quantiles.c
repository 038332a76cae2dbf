/* SPDX-License-Identifier: BSD-3-Clause */
#include "flow_quantiles.h"

#include <errno.h>
#include <stdlib.h>

/* More rows hardly move a decile, and sorting them takes long. */
#define QUANTILES_MAX_ROWS 100000u

static int compare_floats(const void *left, const void *right)
{
	float a = *(const float *)left, b = *(const float *)right;

	return (a > b) - (a < b);
}

/* The deciles of n values in order. */
static void quantiles_of(const float *sorted, size_t n, struct flow_quantiles *column)
{
	column->n = 0;
	for (uint32_t tenth = 1; n > 0 && tenth <= FLOW_QUANTILES_MAX_EDGES; tenth++) {
		size_t at = (n - 1) * tenth / (FLOW_QUANTILES_MAX_EDGES + 1);

		if (column->n > 0 && sorted[at] <= column->edges[column->n - 1])
			continue;
		while (at + 1 < n && sorted[at + 1] == sorted[at])
			at++;
		column->edges[column->n] = sorted[at];
		column->shares[column->n++] = (float)((double)(at + 1) / (double)n);
	}
}

int flow_quantiles_fill(const struct flow_dataset *set, struct flow_quantiles *columns)
{
	size_t n = set->n_rows < QUANTILES_MAX_ROWS ? set->n_rows : QUANTILES_MAX_ROWS;
	float *values = malloc((n + 1) * sizeof(*values));

	if (values == NULL)
		return -ENOMEM;
	for (uint32_t c = 0; c < set->n_features; c++) {
		for (size_t i = 0; i < n; i++) {
			size_t row = i * set->n_rows / n;

			values[i] = set->values[row * set->n_features + c];
		}
		qsort(values, n, sizeof(*values), compare_floats);
		quantiles_of(values, n, &columns[c]);
	}
	free(values);
	return 0;
}
