/* SPDX-License-Identifier: BSD-3-Clause */
#include "flow_weights.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static uint32_t row_source(const struct flow_dataset_row *row)
{
	return row->source;
}

static uint32_t row_class(const struct flow_dataset_row *row)
{
	return row->class;
}

/*
 * Multiplies the weights of each group of rows so that all groups weigh the same, or none more than limit where
 * that is not 0.
 */
static int groups_weigh(const struct flow_dataset *set, uint32_t (*group_of)(const struct flow_dataset_row *),
			uint32_t n_groups, double limit, float *weights)
{
	double *sums = calloc(n_groups, sizeof(*sums));

	if (sums == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < set->n_rows; i++)
		sums[group_of(&set->rows[i])] += (double)weights[i];
	for (size_t i = 0; i < set->n_rows; i++) {
		double sum = sums[group_of(&set->rows[i])];

		weights[i] *= (float)(limit > 0 ? fmin(limit / sum, 1) : (double)set->n_rows / sum);
	}
	free(sums);
	return 0;
}

int flow_weights_fill(const struct flow_dataset *set, const struct flow_weights_options *options, float *weights)
{
	double sum = 0;
	int rc = 0;

	for (size_t i = 0; i < set->n_rows; i++)
		weights[i] = 1;
	if (options->balances_sources || options->source_limit > 0)
		rc = groups_weigh(set, row_source, set->n_sources, options->source_limit, weights);
	if (options->balances_classes && rc == 0)
		rc = groups_weigh(set, row_class, set->n_classes, 0, weights);
	for (size_t i = 0; i < set->n_rows; i++)
		sum += (double)weights[i];
	for (size_t i = 0; i < set->n_rows; i++)
		weights[i] = (float)((double)weights[i] * (double)set->n_rows / sum);
	return rc;
}
