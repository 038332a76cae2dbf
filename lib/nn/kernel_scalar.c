/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The specification of every kernel: one row at a time, one fmaf a weight, in the order of the inputs. Called
 * through the table in kernels.c. On x86 it is compiled a second time, for CPUs with FMA: a baseline compiler
 * calls libm for every fmaf, which costs five times as much and gives the same bits.
 */
#include "nn_math.h"
#include "nn_plan.h"

#if defined(NN_SCALAR_FMA)
#define nn_scalar_score_bytes  nn_scalar_fma_score_bytes
#define nn_scalar_score_floats nn_scalar_fma_score_floats
#endif

static float activate(const struct nn_plan_layer *layer, float x)
{
	switch (layer->activation) {
	case NN_RELU:
		return nn_math_relu(x);
	case NN_LEAKY_RELU:
		return nn_math_leaky_relu(x, layer->alpha);
	case NN_CLIP:
		return nn_math_clip(x, layer->low, layer->high);
	case NN_TANH:
		return nn_math_tanh(x);
	case NN_SIGMOID:
		return nn_math_sigmoid(x);
	default:
		return x;
	}
}

static void dense(const struct nn_plan_layer *layer, const float *in, float *out)
{
	const float *packed = layer->packed;

	for (uint32_t g = 0; g < nn_plan_n_groups(layer->n_out); g++) {
		uint32_t width = nn_plan_group_width(layer->n_out, g);
		float sums[NN_GROUP_MAX];

		for (uint32_t o = 0; o < width; o++)
			sums[o] = *packed++;
		for (uint32_t i = 0; i < layer->n_in; i++) {
			for (uint32_t o = 0; o < width; o++)
				sums[o] = fmaf(in[i], *packed++, sums[o]);
		}
		for (uint32_t o = 0; o < width; o++)
			*out++ = activate(layer, sums[o]);
	}
}

static void apply_input_stage(const struct nn_plan *plan, float *row)
{
	for (uint32_t a = 0; a < plan->n_active; a++) {
		float x = plan->input_log[a] ? nn_math_log1p(row[a]) : row[a];

		x = fmaf(x - plan->input_centre[a], plan->input_scale[a], plan->input_shift[a]);
		row[a] = nn_math_clip(x, plan->input_low, plan->input_high);
	}
}

/* Scores the row in the first buffer. */
static void score_row(const struct nn_plan *plan, struct nn_scratch *scratch, float *logits)
{
	float *in = scratch->buffers[0];
	float *out = scratch->buffers[1];

	if (plan->input_scale != NULL)
		apply_input_stage(plan, in);
	for (uint32_t l = 0; l + 1 < plan->n_layers; l++) {
		float *done = in;

		dense(&plan->layers[l], in, out);
		in = out;
		out = done;
	}
	dense(&plan->layers[plan->n_layers - 1], in, logits);
}

void nn_scalar_score_bytes(const struct nn_plan *plan, struct nn_scratch *scratch, const uint8_t *const *rows,
			   uint32_t n, float *logits)
{
	for (uint32_t r = 0; r < n; r++) {
		for (uint32_t a = 0; a < plan->n_active; a++)
			scratch->buffers[0][a] = rows[r][plan->active[a]];
		score_row(plan, scratch, logits + (size_t)r * plan->n_out);
	}
}

void nn_scalar_score_floats(const struct nn_plan *plan, struct nn_scratch *scratch, const float *rows,
			    size_t stride, uint32_t n, float *logits)
{
	for (uint32_t r = 0; r < n; r++) {
		for (uint32_t a = 0; a < plan->n_active; a++)
			scratch->buffers[0][a] = rows[r * stride + plan->active[a]];
		score_row(plan, scratch, logits + (size_t)r * plan->n_out);
	}
}
