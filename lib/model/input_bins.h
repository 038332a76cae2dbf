/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a model's inputs looked like in training, in few numbers: bins of each input and the share of the rows in each,
 * that later rows are compared with. Rows are inputs as they come, bytes of packets or features of flows, before the
 * network's own input stage scales them. Written by trainers and `wirescore model baseline`, read by live runs.
 *
 * In a file they are facts of the training: `quantiles_I` has the inputs from number I on, ';' between them, each
 * "edge@share edge@share ..": edges ascend, share is that of the rows at or below the edge. Files are not trusted.
 */
#ifndef WIRESCORE_MODEL_INPUT_BINS_H
#define WIRESCORE_MODEL_INPUT_BINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model.h"

#define INPUT_BINS_MAX	     10
#define INPUT_BINS_MAX_EDGES (INPUT_BINS_MAX - 1)

/* The bins of one input: those up to each edge, and what is above the last. */
struct input_bins {
	uint32_t n_edges;
	float edges[INPUT_BINS_MAX_EDGES];  /* ascending; INFINITY behind the last */
	float shares[INPUT_BINS_MAX_EDGES]; /* of the rows at or below each edge */
};

/* The bin of a value; a NaN is in the first. */
static inline uint32_t input_bins_find(const struct input_bins *bins, float value)
{
	uint32_t n = 0;

	/* Without branches, whatever the number of edges. */
	for (uint32_t i = 0; i < INPUT_BINS_MAX_EDGES; i++)
		n += value > bins->edges[i];
	return n;
}

/* Bins without an edge, to add to: 0, or -EINVAL where an edge is not above the last or a share below it. */
void input_bins_init(struct input_bins *bins);
int input_bins_add(struct input_bins *bins, float edge, float share);

/*
 * The population stability index of counted rows against those of the training: the sum over bins of
 * (a - e) ln(a / e), where e is the share of a bin then and a its share now (N. Siddiqi, Credit Risk Scorecards, 2006;
 * it is Jeffreys' divergence of 1946). By convention below 0.1 is stable, above 0.25 has shifted. A share below that of
 * half a row, or 0.0001, cannot be told from none and is taken for it. NAN where no rows are counted.
 */
double input_bins_psi(const struct input_bins *bins, const uint64_t counts[INPUT_BINS_MAX]);

/* Whether a fact of the training, by its name without `wirescore.train.`, is one of these. */
bool input_bins_is_fact(const char *name);

/*
 * The bins of a model's inputs, [n_in], the caller's to free; NULL where the model has none. 0, -ENOMEM, or -EINVAL with
 * one line in error where facts are there and cannot be understood.
 */
int input_bins_read(const struct model *model, struct input_bins **bins, char *error, size_t error_size);

/* Puts bins of its inputs, [n_in], into a model in place of those that it has. 0 or -ENOMEM. */
int input_bins_write(struct model *model, const struct input_bins *bins);

#endif
