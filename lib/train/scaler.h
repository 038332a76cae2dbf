/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is done to features before a network sees them: x' = clip((l(x) - mean) / deviation), where l(x) is
 * ln(1 + max(x, 0)) for some and x for the others; learnt on the training part alone and written into the model as
 * its input stage. Called by `wirescore train`.
 */
#ifndef WIRESCORE_TRAIN_SCALER_H
#define WIRESCORE_TRAIN_SCALER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nn.h"

struct scaler {
	uint32_t n;
	uint8_t *is_log;  /* [n] */
	float *mean;	  /* [n], of what the logarithm gives */
	float *deviation; /* [n]; 1 where the column is constant */
	float limit;	  /* clip to +-limit; INFINITY: no */
};

/*
 * Which columns are better seen by their logarithm: is_log[i] becomes 1 where no value is negative and 1 + x spans
 * two decades or more. rows is [n_rows][n].
 */
void scaler_find_logs(const float *rows, size_t n_rows, uint32_t n, uint8_t *is_log);

/*
 * Learns from rows [n_rows][n], weighted (NULL: all alike). is_log is [n], copied; NULL: none. 0, -EINVAL without
 * rows, or -ENOMEM. scaler_free releases it.
 */
int scaler_fit(struct scaler *scaler, const float *rows, size_t n_rows, uint32_t n, const float *weights,
	       const uint8_t *is_log, float limit);
void scaler_free(struct scaler *scaler);

/* Scales rows in place, with the very numbers that the kernels compute. */
void scaler_apply(const struct scaler *scaler, float *rows, size_t n_rows);

/* Gives a network that was trained on scaled rows, and has no input stage, this one. 0 or -ENOMEM. */
int scaler_into_network(const struct scaler *scaler, struct nn_network *network);

#endif
