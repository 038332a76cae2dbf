/* SPDX-License-Identifier: BSD-3-Clause */
#include "flow_quantiles.h"

#include <errno.h>
#include <stdlib.h>

#include "float_order.h"

/* More rows hardly move a decile, and sorting them takes long. */
#define QUANTILES_MAX_ROWS 100000u

/* The deciles of n values, whose order is known. */
static void quantiles_of(const float *values, const uint32_t *order, size_t n, struct flow_quantiles *column)
{
	column->n = 0;
	for (uint32_t tenth = 1; n > 0 && tenth <= FLOW_QUANTILES_MAX_EDGES; tenth++) {
		size_t at = (n - 1) * tenth / (FLOW_QUANTILES_MAX_EDGES + 1);

		if (column->n > 0 && values[order[at]] <= column->edges[column->n - 1])
			continue;
		while (at + 1 < n && values[order[at + 1]] == values[order[at]])
			at++;
		column->edges[column->n] = values[order[at]];
		column->shares[column->n++] = (float)((double)(at + 1) / (double)n);
	}
}

int flow_quantiles_fill(const struct flow_dataset *set, struct flow_quantiles *columns)
{
	size_t n = set->n_rows < QUANTILES_MAX_ROWS ? set->n_rows : QUANTILES_MAX_ROWS;
	uint32_t *order = malloc((n + 1) * sizeof(*order));
	float *values = malloc((n + 1) * sizeof(*values));
	int rc = order != NULL && values != NULL ? 0 : -ENOMEM;

	for (uint32_t c = 0; c < set->n_features && rc == 0; c++) {
		for (size_t i = 0; i < n; i++) {
			size_t row = i * set->n_rows / n;

			values[i] = set->values[row * set->n_features + c];
		}
		rc = float_order(values, (uint32_t)n, order);
		if (rc == 0)
			quantiles_of(values, order, n, &columns[c]);
	}
	free(order);
	free(values);
	return rc;
}
