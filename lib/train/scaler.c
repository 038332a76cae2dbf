/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Learns how to scale features and scales them. Called by flow_train.c.
 */
#include "scaler.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nn_math.h"

/* Below it a deviation is taken for 0: its inverse would leave the range of floats. */
#define SCALER_LEAST_DEVIATION 1e-30

/* A column is seen by its logarithm where 1 + x spans so much. */
#define SCALER_LOG_SPAN 100.0f

struct moments {
	double mean, squares; /* squares: weighted sum of (x - mean)^2 */
};

static float scaler_log(const struct scaler *scaler, uint32_t i, float x)
{
	return scaler->is_log[i] ? nn_math_log1p(x) : x;
}

/* What a network multiplies the centred input with. */
static float scaler_factor(const struct scaler *scaler, uint32_t i)
{
	return 1.0f / scaler->deviation[i];
}

void scaler_find_logs(const float *rows, size_t n_rows, uint32_t n, uint8_t *is_log)
{
	for (uint32_t i = 0; i < n; i++) {
		float least = INFINITY, most = 0;

		for (size_t r = 0; r < n_rows; r++) {
			float x = rows[r * n + i];

			least = x < least ? x : least;
			most = x > most ? x : most;
		}
		is_log[i] = least >= 0 && 1 + most >= SCALER_LOG_SPAN * (1 + least);
	}
}

/* Weighted mean and sum of squares in one pass: West, 1979. Returns the sum of the weights. */
static double moments_gather(const struct scaler *scaler, const float *rows, size_t n_rows, const float *weights,
			     struct moments *moments)
{
	double total = 0;

	for (size_t r = 0; r < n_rows; r++) {
		const float *row = rows + r * scaler->n;
		double weight = weights != NULL ? (double)weights[r] : 1;
		double share;

		if (!(weight > 0))
			continue;
		total += weight;
		share = weight / total;
		for (uint32_t i = 0; i < scaler->n; i++) {
			double x = (double)scaler_log(scaler, i, row[i]);
			double off = x - moments[i].mean;

			moments[i].mean += share * off;
			moments[i].squares += weight * off * (x - moments[i].mean);
		}
	}
	return total;
}

int scaler_fit(struct scaler *scaler, const float *rows, size_t n_rows, uint32_t n, const float *weights,
	       const uint8_t *is_log, float limit)
{
	struct moments *moments = calloc(n, sizeof(*moments));
	double total;

	*scaler = (struct scaler){.n = n, .limit = limit};
	scaler->is_log = calloc(n, 1);
	scaler->mean = calloc(n, sizeof(float));
	scaler->deviation = calloc(n, sizeof(float));
	if (moments == NULL || scaler->is_log == NULL || scaler->mean == NULL || scaler->deviation == NULL) {
		free(moments);
		scaler_free(scaler);
		return -ENOMEM;
	}
	if (is_log != NULL)
		memcpy(scaler->is_log, is_log, n);
	total = moments_gather(scaler, rows, n_rows, weights, moments);
	for (uint32_t i = 0; i < n && total > 0; i++) {
		double deviation = sqrt(moments[i].squares / total);

		scaler->mean[i] = (float)moments[i].mean;
		scaler->deviation[i] = deviation >= SCALER_LEAST_DEVIATION ? (float)deviation : 1;
	}
	free(moments);
	if (total > 0)
		return 0;
	scaler_free(scaler);
	return -EINVAL;
}

void scaler_free(struct scaler *scaler)
{
	free(scaler->is_log);
	free(scaler->mean);
	free(scaler->deviation);
	*scaler = (struct scaler){0};
}

void scaler_apply(const struct scaler *scaler, float *rows, size_t n_rows)
{
	for (size_t r = 0; r < n_rows; r++) {
		float *row = rows + r * scaler->n;

		for (uint32_t i = 0; i < scaler->n; i++)
			row[i] = nn_math_clip((scaler_log(scaler, i, row[i]) - scaler->mean[i]) *
						      scaler_factor(scaler, i),
					      -scaler->limit, scaler->limit);
	}
}

static bool scaler_has_log(const struct scaler *scaler)
{
	for (uint32_t i = 0; i < scaler->n; i++)
		if (scaler->is_log[i])
			return true;
	return false;
}

int scaler_into_network(const struct scaler *scaler, struct nn_network *network)
{
	uint32_t n = scaler->n;
	uint8_t *is_log = scaler_has_log(scaler) ? calloc(n, 1) : NULL;
	float *centre = calloc(n, sizeof(float)), *factor = calloc(n, sizeof(float)),
	      *shift = calloc(n, sizeof(float));

	if ((is_log == NULL && scaler_has_log(scaler)) || centre == NULL || factor == NULL || shift == NULL) {
		free(is_log);
		free(centre);
		free(factor);
		free(shift);
		return -ENOMEM;
	}
	if (is_log != NULL)
		memcpy(is_log, scaler->is_log, n);
	memcpy(centre, scaler->mean, n * sizeof(float));
	for (uint32_t i = 0; i < n; i++)
		factor[i] = scaler_factor(scaler, i);
	network->has_input_stage = true;
	network->input_log = is_log;
	network->input_centre = centre;
	network->input_scale = factor;
	network->input_shift = shift;
	network->input_low = -scaler->limit;
	network->input_high = scaler->limit;
	return 0;
}
