/* SPDX-License-Identifier: BSD-3-Clause */
#include "flow_sample.h"

#include <errno.h>
#include <stdlib.h>

#include "random.h"

/* A row in the order in which its source's flows are drawn. */
struct draw {
	uint64_t lot, flow;
	size_t row;
	uint32_t source;
};

static int compare_draws(const void *left, const void *right)
{
	const struct draw *a = left, *b = right;

	if (a->source != b->source)
		return a->source < b->source ? -1 : 1;
	if (a->lot != b->lot)
		return a->lot < b->lot ? -1 : 1;
	return (a->flow > b->flow) - (a->flow < b->flow);
}

static uint64_t flow_lot(uint64_t flow, uint64_t seed)
{
	struct random random;

	random_seed(&random, flow ^ seed);
	return random_next(&random);
}

int flow_sample_limit(struct flow_dataset *set, size_t max_flows, uint64_t seed)
{
	struct draw *draws = malloc((set->n_rows + 1) * sizeof(*draws));
	uint8_t *keep = malloc(set->n_rows + 1);
	size_t n_flows = 0;

	if (draws == NULL || keep == NULL) {
		free(draws);
		free(keep);
		return -ENOMEM;
	}
	for (size_t i = 0; i < set->n_rows; i++) {
		const struct flow_dataset_row *row = &set->rows[i];

		draws[i] = (struct draw){flow_lot(row->flow, seed), row->flow, i, row->source};
	}
	qsort(draws, set->n_rows, sizeof(*draws), compare_draws);
	for (size_t i = 0; i < set->n_rows; i++) {
		if (i == 0 || draws[i].source != draws[i - 1].source)
			n_flows = 1;
		else
			n_flows += draws[i].flow != draws[i - 1].flow;
		keep[draws[i].row] = n_flows <= max_flows;
	}
	flow_dataset_filter(set, keep);
	free(draws);
	free(keep);
	return 0;
}
