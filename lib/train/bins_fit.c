/* SPDX-License-Identifier: BSD-3-Clause */
#include "bins_fit.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "float_order.h"

/* More rows hardly move a decile, and sorting them takes long. */
#define FIT_MAX_ROWS 100000u
/* One edge is below the least value, and what is above the last needs none. */
#define FIT_MAX_VALUES (INPUT_BINS_MAX_EDGES - 1)

/* The values of one input of the rows that are looked at, in ascending order. */
struct fit_column {
	size_t n;
	float *values;	 /* [n] as they are in the rows */
	float *sorted;	 /* [n] */
	uint32_t *order; /* [n] */
};

static int column_alloc(struct fit_column *column, size_t n_rows)
{
	column->n = n_rows < FIT_MAX_ROWS ? n_rows : FIT_MAX_ROWS;
	column->values = malloc((column->n + 1) * sizeof(*column->values));
	column->sorted = malloc((column->n + 1) * sizeof(*column->sorted));
	column->order = malloc((column->n + 1) * sizeof(*column->order));
	if (n_rows == 0)
		return -EINVAL;
	return column->values != NULL && column->sorted != NULL && column->order != NULL ? 0 : -ENOMEM;
}

static void column_free(struct fit_column *column)
{
	free(column->values);
	free(column->sorted);
	free(column->order);
}

static uint32_t column_count_values(const struct fit_column *column)
{
	uint32_t n = 1;

	for (size_t i = 1; i < column->n && n <= FIT_MAX_VALUES; i++)
		n += column->sorted[i] != column->sorted[i - 1];
	return n;
}

/* An edge at the value of that place, and all that are equal to it. */
static void add_edge(const struct fit_column *column, size_t at, struct input_bins *bins)
{
	while (at + 1 < column->n && column->sorted[at + 1] == column->sorted[at])
		at++;
	/* Where the edge is there already it is refused. */
	input_bins_add(bins, column->sorted[at], (float)((double)(at + 1) / (double)column->n));
}

static void fit_values(const struct fit_column *column, struct input_bins *bins)
{
	input_bins_add(bins, nextafterf(column->sorted[0], -INFINITY), 0);
	for (size_t i = 0; i < column->n; i++)
		if (i == 0 || column->sorted[i] != column->sorted[i - 1])
			add_edge(column, i, bins);
}

static void fit_deciles(const struct fit_column *column, struct input_bins *bins)
{
	for (uint32_t tenth = 1; tenth < INPUT_BINS_MAX; tenth++)
		add_edge(column, (column->n - 1) * tenth / INPUT_BINS_MAX, bins);
}

/* Fits the bins of the input whose values the column has. 0 or -ENOMEM. */
static int fit(struct fit_column *column, struct input_bins *bins)
{
	int rc = float_order(column->values, (uint32_t)column->n, column->order);

	input_bins_init(bins);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < column->n; i++)
		column->sorted[i] = column->values[column->order[i]];
	if (column_count_values(column) <= FIT_MAX_VALUES)
		fit_values(column, bins);
	else
		fit_deciles(column, bins);
	return 0;
}

/* Fits every input of rows that are floats or, where these are NULL, bytes. */
static int fit_rows(const float *floats, const uint8_t *bytes, size_t n_rows, uint32_t n_inputs,
		    struct input_bins *bins)
{
	struct fit_column column;
	int rc = column_alloc(&column, n_rows);

	for (uint32_t c = 0; c < n_inputs && rc == 0; c++) {
		for (size_t i = 0; i < column.n; i++) {
			size_t at = i * n_rows / column.n * n_inputs + c;

			column.values[i] = floats ? floats[at] : (float)bytes[at];
		}
		rc = fit(&column, &bins[c]);
	}
	column_free(&column);
	return rc;
}

int bins_fit_floats(const float *rows, size_t n_rows, uint32_t n_inputs, struct input_bins *bins)
{
	return fit_rows(rows, NULL, n_rows, n_inputs, bins);
}

int bins_fit_bytes(const uint8_t *rows, size_t n_rows, uint32_t n_inputs, struct input_bins *bins)
{
	return fit_rows(NULL, rows, n_rows, n_inputs, bins);
}
