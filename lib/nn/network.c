/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Networks as trainers produce them and files hold them: memory, checks, names. Called by lib/model and
 * lib/train, and by plan.c before it packs one.
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn_plan.h"

static const char *const activation_names[] = {
	[NN_IDENTITY] = "identity", [NN_RELU] = "relu",	      [NN_LEAKY_RELU] = "leaky_relu", [NN_CLIP] = "clip",
	[NN_TANH] = "tanh",	    [NN_SIGMOID] = "sigmoid", [NN_SOFTMAX] = "softmax",
};
#define N_ACTIVATIONS (sizeof(activation_names) / sizeof(activation_names[0]))

const char *nn_activation_name(enum nn_activation activation)
{
	return (size_t)activation < N_ACTIVATIONS ? activation_names[activation] : "unknown";
}

int nn_layer_init(struct nn_layer *layer, uint32_t n_in, uint32_t n_out, enum nn_activation activation)
{
	if (n_in < 1 || n_in > NN_MAX_WIDTH || n_out < 1 || n_out > NN_MAX_WIDTH ||
	    (size_t)activation >= N_ACTIVATIONS)
		return -EINVAL;
	memset(layer, 0, sizeof(*layer));
	layer->weights = calloc((size_t)n_in * n_out, sizeof(float));
	layer->bias = calloc(n_out, sizeof(float));
	if (layer->weights == NULL || layer->bias == NULL) {
		free(layer->weights);
		free(layer->bias);
		memset(layer, 0, sizeof(*layer));
		return -ENOMEM;
	}
	layer->n_in = n_in;
	layer->n_out = n_out;
	layer->activation = activation;
	return 0;
}

void nn_network_free(struct nn_network *network)
{
	free(network->input_log);
	free(network->input_centre);
	free(network->input_scale);
	free(network->input_shift);
	for (uint32_t l = 0; l < NN_MAX_LAYERS; l++) {
		free(network->layers[l].weights);
		free(network->layers[l].bias);
	}
	memset(network, 0, sizeof(*network));
}

static int __attribute__((format(printf, 3, 4))) refuse(char *error, size_t error_size, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error, error_size, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

/* The index of the first number that is not finite, or n. */
static size_t find_non_finite(const float *numbers, size_t n)
{
	size_t i = 0;

	while (i < n && isfinite(numbers[i]))
		i++;
	return i;
}

static int check_input_stage(const struct nn_network *network, char *error, size_t error_size)
{
	uint32_t n_in = network->n_in;
	size_t bad;

	if (network->input_scale == NULL || network->input_shift == NULL)
		return refuse(error, error_size, "the input stage has no scale or no shift");
	for (uint32_t i = 0; network->input_log != NULL && i < n_in; i++) {
		if (network->input_log[i] > 1)
			return refuse(error, error_size, "the mark for a logarithm of input %u is %u, not 0 or 1",
				      i + 1, network->input_log[i]);
	}
	bad = network->input_centre != NULL ? find_non_finite(network->input_centre, n_in) : n_in;
	if (bad < n_in)
		return refuse(error, error_size, "the centre of input %zu is not finite", bad + 1);
	bad = find_non_finite(network->input_scale, n_in);
	if (bad < n_in)
		return refuse(error, error_size, "the scale of input %zu is not finite", bad + 1);
	bad = find_non_finite(network->input_shift, n_in);
	if (bad < n_in)
		return refuse(error, error_size, "the shift of input %zu is not finite", bad + 1);
	/* Written so that NaN is refused too. */
	if (!(network->input_low <= network->input_high) || network->input_low == INFINITY ||
	    network->input_high == -INFINITY)
		return refuse(error, error_size, "the input stage clamps to [%g, %g], which holds no number",
			      (double)network->input_low, (double)network->input_high);
	return 0;
}

static int check_layer(const struct nn_layer *layer, uint32_t number, bool last, char *error, size_t error_size)
{
	size_t n_weights = (size_t)layer->n_in * layer->n_out;
	size_t bad;

	if (layer->n_out < 1 || layer->n_out > NN_MAX_WIDTH)
		return refuse(error, error_size, "layer %u has %u outputs; 1 to %d are possible", number,
			      layer->n_out, NN_MAX_WIDTH);
	if ((size_t)layer->activation >= N_ACTIVATIONS)
		return refuse(error, error_size, "layer %u has an unknown activation (%d)", number,
			      (int)layer->activation);
	if (layer->activation == NN_SOFTMAX && !last)
		return refuse(error, error_size, "layer %u is a softmax; only the last layer can be one", number);
	if (layer->activation == NN_SOFTMAX && layer->n_out == 1)
		return refuse(error, error_size, "layer %u is a softmax of one output, which is always 1", number);
	if (layer->activation == NN_LEAKY_RELU && !isfinite(layer->alpha))
		return refuse(error, error_size, "layer %u has a leaky_relu whose alpha is not finite", number);
	if (layer->activation == NN_CLIP &&
	    (!(layer->low <= layer->high) || layer->low == INFINITY || layer->high == -INFINITY))
		return refuse(error, error_size, "layer %u clips to [%g, %g], which holds no number", number,
			      (double)layer->low, (double)layer->high);
	if (layer->weights == NULL || layer->bias == NULL)
		return refuse(error, error_size, "layer %u has no weights or no bias", number);
	bad = find_non_finite(layer->weights, n_weights);
	if (bad < n_weights)
		return refuse(error, error_size, "layer %u has a weight that is not finite (output %zu, input %zu)",
			      number, bad / layer->n_in + 1, bad % layer->n_in + 1);
	bad = find_non_finite(layer->bias, layer->n_out);
	if (bad < layer->n_out)
		return refuse(error, error_size, "layer %u has a bias that is not finite (output %zu)", number,
			      bad + 1);
	return 0;
}

int nn_network_check(const struct nn_network *network, char *error, size_t error_size)
{
	uint32_t width = network->n_in;
	int rc = 0;

	if (width < 1 || width > NN_MAX_WIDTH)
		return refuse(error, error_size, "the network has %u inputs; 1 to %d are possible", width,
			      NN_MAX_WIDTH);
	if (network->n_layers < 1 || network->n_layers > NN_MAX_LAYERS)
		return refuse(error, error_size, "the network has %u layers; 1 to %d are possible",
			      network->n_layers, NN_MAX_LAYERS);
	if (network->has_input_stage)
		rc = check_input_stage(network, error, error_size);
	else if (network->input_log != NULL)
		return refuse(error, error_size,
			      "inputs are marked for a logarithm, but the network has no input stage");
	for (uint32_t l = 0; rc == 0 && l < network->n_layers; l++) {
		const struct nn_layer *layer = &network->layers[l];

		if (layer->n_in != width)
			return refuse(error, error_size, "layer %u takes %u inputs but is given %u", l + 1,
				      layer->n_in, width);
		rc = check_layer(layer, l + 1, l + 1 == network->n_layers, error, error_size);
		width = layer->n_out;
	}
	return rc;
}

size_t nn_network_n_parameters(const struct nn_network *network)
{
	size_t n = 0;

	for (uint32_t l = 0; l < network->n_layers; l++)
		n += ((size_t)network->layers[l].n_in + 1) * network->layers[l].n_out;
	return n;
}

bool nn_network_reads(const struct nn_network *network, uint32_t input)
{
	const struct nn_layer *first = &network->layers[0];

	for (uint32_t o = 0; o < first->n_out; o++)
		if (first->weights[(size_t)o * first->n_in + input] != 0)
			return true;
	return false;
}

char *nn_network_shape(const struct nn_network *network, char *text, size_t text_size)
{
	int used = snprintf(text, text_size, "%u", network->n_in);

	for (uint32_t l = 0; l < network->n_layers && used >= 0 && (size_t)used < text_size; l++)
		used += snprintf(text + used, text_size - (size_t)used, "-%u", network->layers[l].n_out);
	return text;
}
