/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packs a checked network into the order in which kernels read it (nn_plan.h), and gives each thread its
 * scratch. Called once per model load, by the control core.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nn_math.h"
#include "nn_plan.h"

#define LINE_FLOATS 16 /* of a 64-byte cache line */

static size_t whole_lines(size_t n_floats)
{
	return (n_floats + LINE_FLOATS - 1) / LINE_FLOATS * LINE_FLOATS;
}

static float *alloc_floats(size_t n_floats)
{
	return aligned_alloc(LINE_FLOATS * sizeof(float), whole_lines(n_floats) * sizeof(float));
}

/* The input stage of one input: x' = (x - centre) * scale + shift. */
struct stage {
	double centre, scale, shift;
};

static struct stage stage_of(const struct nn_network *network, uint32_t i)
{
	if (!network->has_input_stage)
		return (struct stage){.scale = 1};
	return (struct stage){
		.centre = network->input_centre != NULL ? (double)network->input_centre[i] : 0,
		.scale = (double)network->input_scale[i],
		.shift = (double)network->input_shift[i],
	};
}

/* W ((x - c) s + t) + b = (W s) x + (b + W (t - s c)) */
static float fold_weight(const struct nn_network *network, uint32_t output, uint32_t input)
{
	return (float)((double)network->layers[0].weights[(size_t)output * network->n_in + input] *
		       stage_of(network, input).scale);
}

static float fold_bias(const struct nn_network *network, uint32_t output)
{
	const float *weights = &network->layers[0].weights[(size_t)output * network->n_in];
	double bias = (double)network->layers[0].bias[output];

	for (uint32_t i = 0; i < network->n_in; i++) {
		struct stage s = stage_of(network, i);

		bias += (double)weights[i] * (s.shift - s.scale * s.centre);
	}
	return (float)bias;
}

/*
 * A logarithm is no linear map. Where W (x - c) s is small because x is near c, the folded W s x and W s c are
 * large and cancel, each rounded to the 24 bits of a float: of every term, at most 2^-24 |W| (|s c| + |t|) is lost.
 */
static bool stage_folds(const struct nn_network *network)
{
	const struct nn_layer *first = &network->layers[0];

	if (!network->has_input_stage)
		return true;
	if (!isinf(network->input_low) || !isinf(network->input_high))
		return false;
	for (uint32_t o = 0; o < first->n_out; o++) {
		bool finite = isfinite(fold_bias(network, o)) != 0;
		double loss = 0;

		for (uint32_t i = 0; i < network->n_in; i++) {
			double weight = fabs((double)first->weights[(size_t)o * network->n_in + i]);
			struct stage s = stage_of(network, i);

			if (weight != 0 && network->input_log != NULL && network->input_log[i])
				return false;
			finite &= isfinite(fold_weight(network, o, i)) != 0;
			loss += weight * (fabs(s.scale * s.centre) + fabs(s.shift)) * 0x1p-24;
		}
		if (!finite || loss >= 1e-6)
			return false;
	}
	return true;
}

/* A weight as the kernels use it. */
static float plan_weight(const struct nn_network *network, uint32_t l, bool folds, uint32_t output, uint32_t input)
{
	const struct nn_layer *layer = &network->layers[l];

	return l == 0 && folds ? fold_weight(network, output, input)
			       : layer->weights[(size_t)output * layer->n_in + input];
}

static void find_active(const struct nn_network *network, bool folds, struct nn_plan *plan)
{
	for (uint32_t i = 0; i < network->n_in; i++) {
		for (uint32_t o = 0; o < network->layers[0].n_out; o++) {
			if (plan_weight(network, 0, folds, o, i) != 0.0f) {
				plan->active[plan->n_active++] = (uint16_t)i;
				break;
			}
		}
	}
	for (uint32_t i = 0; i < sizeof(plan->slots) / sizeof(plan->slots[0]); i++)
		plan->slots[i] = (uint16_t)plan->n_active;
	for (uint32_t a = 0; a < plan->n_active; a++)
		plan->slots[plan->active[a]] = (uint16_t)a;
}

static void pack_layer(const struct nn_network *network, const struct nn_plan *plan, uint32_t l, bool folds,
		       float *packed)
{
	const struct nn_layer *layer = &network->layers[l];
	uint32_t n_in = l == 0 ? plan->n_active : layer->n_in;
	uint32_t first = 0;

	for (uint32_t g = 0; g < nn_plan_n_groups(layer->n_out); g++) {
		uint32_t width = nn_plan_group_width(layer->n_out, g);

		for (uint32_t o = first; o < first + width; o++)
			*packed++ = l == 0 && folds ? fold_bias(network, o) : layer->bias[o];
		for (uint32_t a = 0; a < n_in; a++) {
			uint32_t i = l == 0 ? plan->active[a] : a;

			for (uint32_t o = first; o < first + width; o++)
				*packed++ = plan_weight(network, l, folds, o, i);
		}
		first += width;
	}
}

/* The numbers of the active inputs behind *next; zeros where there are none. */
static const float *pack_stage(const struct nn_plan *plan, const float *values, float **next)
{
	float *packed = *next;

	for (uint32_t a = 0; a < plan->n_active; a++)
		packed[a] = values != NULL ? values[plan->active[a]] : 0.0f;
	*next += whole_lines(plan->n_active);
	return packed;
}

int nn_plan_create(const struct nn_network *network, struct nn_plan **result)
{
	const struct nn_layer *last;
	struct nn_plan *plan;
	char error[128];
	size_t n_floats;
	bool folds;
	float *next;

	if (nn_network_check(network, error, sizeof(error)) != 0)
		return -EINVAL;

	folds = stage_folds(network);
	n_floats = 3 * whole_lines(network->n_in);
	for (uint32_t l = 0; l < network->n_layers; l++)
		n_floats += whole_lines(((size_t)network->layers[l].n_in + 1) * network->layers[l].n_out);
	plan = calloc(1, sizeof(*plan));
	if (plan == NULL)
		return -ENOMEM;
	plan->memory = alloc_floats(n_floats);
	if (plan->memory == NULL) {
		free(plan);
		return -ENOMEM;
	}
	next = plan->memory;

	last = &network->layers[network->n_layers - 1];
	plan->n_in = network->n_in;
	plan->n_out = last->n_out;
	plan->n_layers = network->n_layers;
	plan->output =
		last->activation == NN_SIGMOID || last->activation == NN_SOFTMAX ? last->activation : NN_IDENTITY;
	find_active(network, folds, plan);
	plan->max_width = plan->n_active + 1;
	for (uint32_t l = 0; l < network->n_layers; l++) {
		const struct nn_layer *from = &network->layers[l];
		struct nn_plan_layer *to = &plan->layers[l];

		pack_layer(network, plan, l, folds, next);
		*to = (struct nn_plan_layer){
			.n_in = l == 0 ? plan->n_active : from->n_in,
			.n_out = from->n_out,
			.activation = from == last && plan->output != NN_IDENTITY ? NN_IDENTITY : from->activation,
			.alpha = from->alpha,
			.low = from->low,
			.high = from->high,
			.packed = next,
		};
		next += whole_lines(((size_t)from->n_in + 1) * from->n_out);
		if (from->n_out > plan->max_width)
			plan->max_width = from->n_out;
	}
	if (network->has_input_stage && !folds) {
		plan->input_centre = pack_stage(plan, network->input_centre, &next);
		plan->input_scale = pack_stage(plan, network->input_scale, &next);
		plan->input_shift = pack_stage(plan, network->input_shift, &next);
		plan->input_low = network->input_low;
		plan->input_high = network->input_high;
		for (uint32_t a = 0; network->input_log != NULL && a < plan->n_active; a++)
			plan->input_log[a] = network->input_log[plan->active[a]];
	}
	*result = plan;
	return 0;
}

void nn_plan_free(struct nn_plan *plan)
{
	if (plan == NULL)
		return;
	free(plan->memory);
	free(plan);
}

uint32_t nn_plan_n_in(const struct nn_plan *plan)
{
	return plan->n_in;
}

uint32_t nn_plan_n_out(const struct nn_plan *plan)
{
	return plan->n_out;
}

enum nn_activation nn_plan_output(const struct nn_plan *plan)
{
	return plan->output;
}

struct nn_scratch *nn_scratch_create(const struct nn_plan *plan)
{
	size_t n_floats = (size_t)plan->max_width * NN_BLOCK_MAX;
	struct nn_scratch *scratch = malloc(sizeof(*scratch));

	if (scratch == NULL)
		return NULL;
	scratch->buffers[0] = alloc_floats(2 * n_floats);
	if (scratch->buffers[0] == NULL) {
		free(scratch);
		return NULL;
	}
	scratch->buffers[1] = scratch->buffers[0] + n_floats;
	return scratch;
}

void nn_scratch_free(struct nn_scratch *scratch)
{
	if (scratch == NULL)
		return;
	free(scratch->buffers[0]);
	free(scratch);
}

static void softmax(const float *logits, uint32_t n, float *scores)
{
	float highest = logits[0];
	float sum = 0.0f;

	for (uint32_t i = 1; i < n; i++)
		highest = logits[i] > highest ? logits[i] : highest;
	for (uint32_t i = 0; i < n; i++) {
		scores[i] = nn_math_exp_negative(logits[i] - highest);
		sum += scores[i];
	}
	for (uint32_t i = 0; i < n; i++)
		scores[i] /= sum;
}

void nn_output_scores(enum nn_activation output, const float *logits, uint32_t n_out, float *scores)
{
	switch (output) {
	case NN_SIGMOID:
		for (uint32_t i = 0; i < n_out; i++)
			scores[i] = nn_math_sigmoid(logits[i]);
		break;
	case NN_SOFTMAX:
		softmax(logits, n_out, scores);
		break;
	default:
		memmove(scores, logits, n_out * sizeof(float));
	}
}

float nn_output_log_odds(const float *logits, uint32_t n_out)
{
	float most, sum = 0;

	if (n_out == 1)
		return logits[0];
	most = logits[1];
	for (uint32_t i = 2; i < n_out; i++)
		most = logits[i] > most ? logits[i] : most;
	for (uint32_t i = 1; i < n_out; i++)
		sum += logits[i] == most ? 1.0f : nn_math_exp_negative(logits[i] - most);
	return most + nn_math_log(sum) - logits[0];
}
