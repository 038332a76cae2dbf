/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Folds a chain of steps (affine, dense, clamp, activation) into an input stage and dense layers. Called by
 * onnx_ops.c in the order of the graph. Neighbouring affine maps are merged in double precision; rounding to
 * float happens once, in fold_finish.
 */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "onnx.h"

#define FOLD_FAIL(fold, ...) onnx_fail((fold)->error, sizeof((fold)->error), -EINVAL, __VA_ARGS__)

static int fold_no_memory(struct fold *fold)
{
	return onnx_fail(fold->error, sizeof(fold->error), -ENOMEM, "out of memory");
}

/* Learns or checks the number of features that flow now. */
static int fold_set_width(struct fold *fold, size_t width)
{
	if (width == 0 || width > NN_MAX_WIDTH)
		return FOLD_FAIL(fold, "%zu features; at most %d can be scored", width, NN_MAX_WIDTH);
	if (fold->width == 0) {
		fold->n_in = fold->width = (uint32_t)width;
		return 0;
	}
	if (fold->width != width)
		return FOLD_FAIL(fold, "takes %zu features, but %u come in", width, fold->width);
	return 0;
}

int fold_affine(struct fold *fold, const double *scale, size_t n_scale, const double *shift, size_t n_shift)
{
	const double one = 1;
	bool scales = scale != NULL;
	int rc = 0;
	if (!scales)
		scale = &one, n_scale = 1;
	if (n_scale != 1)
		rc = fold_set_width(fold, n_scale);
	if (rc == 0 && n_shift != 1)
		rc = fold_set_width(fold, n_shift);
	if (rc != 0)
		return rc;

	struct fold_layer *layer = fold->n_layers > 0 ? &fold->layers[fold->n_layers - 1] : NULL;
	if (layer != NULL && layer->activation == NN_IDENTITY && !fold->pending.used) {
		for (uint32_t o = 0; o < layer->n_out; o++) {
			double s = scale[n_scale == 1 ? 0 : o];
			for (uint32_t i = 0; i < layer->n_in; i++)
				layer->weights[(size_t)o * layer->n_in + i] *= s;
			layer->bias[o] = layer->bias[o] * s + shift[n_shift == 1 ? 0 : o];
		}
		return 0;
	}
	struct fold_affine *pending = &fold->pending;
	if (!pending->used) {
		*pending = (struct fold_affine){.used = true};
		for (uint32_t i = 0; i < NN_MAX_WIDTH; i++)
			pending->scale[i] = 1;
	}
	pending->scaled |= scales;
	for (uint32_t i = 0; i < NN_MAX_WIDTH; i++) {
		/* Past the width the entries of a vector are not there, and nobody looks. */
		double s = n_scale == 1 ? scale[0] : i < n_scale ? scale[i] : 1;
		double t = n_shift == 1 ? shift[0] : i < n_shift ? shift[i] : 0;
		if (!pending->scaled) {
			pending->centre[i] -= t;
			continue;
		}
		pending->scale[i] *= s;
		pending->shift[i] = pending->shift[i] * s + t;
	}
	return 0;
}

int fold_dense(struct fold *fold, uint32_t n_in, uint32_t n_out, double *weights, double *bias)
{
	int rc = fold_set_width(fold, n_in);
	if (rc == 0 && (n_out == 0 || n_out > NN_MAX_WIDTH))
		rc = FOLD_FAIL(fold, "gives %u features; at most %d can be scored", n_out, NN_MAX_WIDTH);
	if (rc == 0 && fold->n_layers == NN_MAX_LAYERS)
		rc = FOLD_FAIL(fold, "one layer too many; at most %d can be scored", NN_MAX_LAYERS);
	if (rc != 0) {
		free(weights);
		free(bias);
		return rc;
	}
	struct fold_affine *pending = &fold->pending;
	if (pending->used && fold->n_layers == 0 && !fold->clamped) {
		/* Kept as the input stage: what the trainer wrote stays visible, and nn_plan_create folds it. */
		fold->input = *pending;
	} else if (pending->used) {
		for (uint32_t o = 0; o < n_out; o++) {
			for (uint32_t i = 0; i < n_in; i++) {
				double *w = &weights[(size_t)o * n_in + i];
				bias[o] += *w * (pending->shift[i] - pending->scale[i] * pending->centre[i]);
				*w *= pending->scale[i];
			}
		}
	}
	pending->used = false;
	fold->layers[fold->n_layers++] = (struct fold_layer){
		.n_in = n_in,
		.n_out = n_out,
		.activation = NN_IDENTITY,
		.weights = weights,
		.bias = bias,
	};
	fold->width = n_out;
	return 0;
}

/*
 * A dense layer that does nothing, so that a pending affine map or an activation has a layer to sit in. Its zeros
 * spread a NaN of one feature to all of them, which the graph would not have done.
 */
static int fold_add_identity(struct fold *fold)
{
	uint32_t n = fold->width;
	if (n == 0)
		return FOLD_FAIL(fold, "the number of features is not known here; give the graph's input a shape");
	double *weights = calloc((size_t)n * n, sizeof(*weights));
	double *bias = calloc(n, sizeof(*bias));
	if (weights == NULL || bias == NULL) {
		free(weights);
		free(bias);
		return fold_no_memory(fold);
	}
	for (uint32_t i = 0; i < n; i++)
		weights[(size_t)i * n + i] = 1;
	return fold_dense(fold, n, n, weights, bias);
}

/* The range of clamping to [low1, high1], then to [*low, *high]. */
static void fold_merge_clamps(double low1, double high1, double *low, double *high)
{
	double merged_low = fmin(fmax(low1, *low), *high);
	double merged_high = fmin(fmax(high1, *low), *high);
	*low = merged_low;
	*high = merged_high;
}

int fold_clamp(struct fold *fold, double low, double high)
{
	if (!(low <= high))
		return FOLD_FAIL(fold, "clips to [%g, %g], which is empty", low, high);
	if (low == -INFINITY && high == INFINITY)
		return 0;
	if (fold->n_layers == 0 && !(fold->clamped && fold->pending.used)) {
		if (fold->clamped)
			fold_merge_clamps(fold->low, fold->high, &low, &high);
		else if (fold->pending.used)
			fold->input = fold->pending;
		fold->pending.used = false;
		fold->clamped = true;
		fold->low = low;
		fold->high = high;
		return 0;
	}
	struct fold_layer *layer = fold->n_layers > 0 ? &fold->layers[fold->n_layers - 1] : NULL;
	if (layer == NULL || fold->pending.used ||
	    (layer->activation != NN_IDENTITY && layer->activation != NN_RELU && layer->activation != NN_CLIP)) {
		int rc = fold_add_identity(fold);
		if (rc != 0)
			return rc;
		layer = &fold->layers[fold->n_layers - 1];
	}
	if (layer->activation != NN_IDENTITY)
		fold_merge_clamps(layer->low, layer->high, &low, &high);
	layer->activation = low == 0 && high == INFINITY ? NN_RELU : NN_CLIP;
	layer->low = low;
	layer->high = high;
	return 0;
}

bool fold_is_empty(const struct fold *fold)
{
	return fold->n_layers == 0 && !fold->takes_log && !fold->input.used && !fold->clamped &&
	       !fold->pending.used;
}

int fold_log(struct fold *fold)
{
	const struct fold_affine *plus = &fold->pending;
	uint32_t n = fold->width != 0 ? fold->width : NN_MAX_WIDTH;
	bool fits = fold->n_layers == 0 && !fold->takes_log && !fold->input.used && fold->clamped &&
		    fold->low == 0 && fold->high == INFINITY && plus->used;

	for (uint32_t i = 0; fits && i < n; i++)
		fits = plus->scale[i] == 1 && plus->shift[i] - plus->centre[i] == 1;
	if (!fits)
		return FOLD_FAIL(fold,
				 "only the logarithm of max(x, 0) + 1 (Relu, then Add of 1) of the graph's input "
				 "itself can be folded");
	for (uint32_t i = 0; i < NN_MAX_WIDTH; i++)
		fold->log[i] = true;
	fold->takes_log = true;
	fold->clamped = false;
	fold->pending.used = false;
	return 0;
}

int fold_log_only(struct fold *fold, const double *mask, size_t n_mask, bool kept)
{
	int rc = n_mask != 1 ? fold_set_width(fold, n_mask) : 0;

	if (rc != 0)
		return rc;
	for (uint32_t i = 0; i < NN_MAX_WIDTH; i++) {
		/* One number is for all; past the width nobody looks. */
		bool set = mask[i < n_mask ? i : 0] != 0;

		fold->log[i] &= set == kept;
	}
	return 0;
}

int fold_activation(struct fold *fold, enum nn_activation activation, double alpha)
{
	struct fold_layer *layer = fold->n_layers > 0 ? &fold->layers[fold->n_layers - 1] : NULL;
	if (layer == NULL || fold->pending.used || layer->activation != NN_IDENTITY) {
		int rc = fold_add_identity(fold);
		if (rc != 0)
			return rc;
		layer = &fold->layers[fold->n_layers - 1];
	}
	layer->activation = activation;
	layer->alpha = alpha;
	return 0;
}

/* Rounds numbers to float; -1 when one does not fit. */
static int fold_round(const double *from, size_t n, float *to)
{
	for (size_t i = 0; i < n; i++) {
		if (!(fabs(from[i]) <= FLT_MAX))
			return -1;
		to[i] = (float)from[i];
	}
	return 0;
}

/* The same for the bounds of a clamp, which may be infinite. */
static int fold_round_bound(double from, float *to)
{
	if (isinf(from)) {
		*to = from < 0 ? -INFINITY : INFINITY;
		return 0;
	}
	return fold_round(&from, 1, to);
}

/* Rounds centre, scale and shift; what the centre loses by it goes into the shift. */
static int fold_finish_input(struct fold *fold, struct nn_network *network)
{
	struct fold_affine *input = &fold->input;
	bool centred = false;

	for (uint32_t i = 0; i < fold->n_in; i++)
		centred |= input->centre[i] != 0;
	if (centred) {
		network->input_centre = calloc(fold->n_in, sizeof(float));
		if (network->input_centre == NULL)
			return fold_no_memory(fold);
		if (fold_round(input->centre, fold->n_in, network->input_centre) != 0)
			return FOLD_FAIL(fold, "the centring of the input overflows");
		for (uint32_t i = 0; i < fold->n_in; i++)
			input->shift[i] += input->scale[i] * ((double)network->input_centre[i] - input->centre[i]);
	}
	if (fold_round(input->scale, fold->n_in, network->input_scale) != 0 ||
	    fold_round(input->shift, fold->n_in, network->input_shift) != 0)
		return FOLD_FAIL(fold, "the scaling of the input overflows");
	return 0;
}

/* Hands over which inputs a logarithm is taken of; nothing where there are none. */
static int fold_finish_log(struct fold *fold, struct nn_network *network)
{
	if (!fold->takes_log || memchr(fold->log, true, fold->n_in) == NULL)
		return 0;
	network->input_log = calloc(fold->n_in, 1);
	if (network->input_log == NULL)
		return fold_no_memory(fold);
	for (uint32_t i = 0; i < fold->n_in; i++)
		network->input_log[i] = fold->log[i];
	return 0;
}

int fold_finish(struct fold *fold, struct nn_network *network)
{
	int rc = 0;
	if (fold->n_layers == 0)
		return FOLD_FAIL(fold, "the graph has no dense layer (Gemm or MatMul)");
	if (fold->pending.used && (rc = fold_add_identity(fold)) != 0)
		return rc;

	network->n_in = fold->n_in;
	if ((rc = fold_finish_log(fold, network)) != 0)
		return rc;
	network->has_input_stage = network->input_log != NULL || fold->input.used || fold->clamped;
	network->input_low = -INFINITY;
	network->input_high = INFINITY;
	if (network->has_input_stage) {
		network->input_scale = calloc(fold->n_in, sizeof(float));
		network->input_shift = calloc(fold->n_in, sizeof(float));
		if (network->input_scale == NULL || network->input_shift == NULL)
			return fold_no_memory(fold);
		for (uint32_t i = 0; i < fold->n_in; i++)
			network->input_scale[i] = 1;
		if (fold->input.used && (rc = fold_finish_input(fold, network)) != 0)
			return rc;
		if (fold->clamped && (fold_round_bound(fold->low, &network->input_low) != 0 ||
				      fold_round_bound(fold->high, &network->input_high) != 0))
			return FOLD_FAIL(fold, "the clipping of the input overflows");
	}
	for (uint32_t l = 0; l < fold->n_layers; l++) {
		const struct fold_layer *from = &fold->layers[l];
		struct nn_layer *to = &network->layers[l];
		if (nn_layer_init(to, from->n_in, from->n_out, from->activation) != 0)
			return fold_no_memory(fold);
		network->n_layers = l + 1;
		if (fold_round(from->weights, (size_t)from->n_in * from->n_out, to->weights) != 0 ||
		    fold_round(from->bias, from->n_out, to->bias) != 0 ||
		    (from->activation == NN_LEAKY_RELU && fold_round(&from->alpha, 1, &to->alpha) != 0) ||
		    (from->activation == NN_CLIP &&
		     (fold_round_bound(from->low, &to->low) != 0 || fold_round_bound(from->high, &to->high) != 0)))
			return FOLD_FAIL(fold, "layer %u: its numbers overflow once folded together", l + 1);
	}
	return 0;
}

void fold_free(struct fold *fold)
{
	for (uint32_t l = 0; l < fold->n_layers; l++) {
		free(fold->layers[l].weights);
		free(fold->layers[l].bias);
	}
	fold->n_layers = 0;
}
