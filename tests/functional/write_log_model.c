/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes a model whose input stage takes logarithms, as trainers do: write_log_model FILE MARKS, MARKS being a 0 or a
 * 1 for each input. Called by test_model_onnx.py, which has the file scored by others.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

#define N_HIDDEN  8
#define N_CLASSES 3

/* In [-1, 1), the same in every run. */
static float next_number(void)
{
	static uint32_t state = 42;

	state = state * 1664525 + 1013904223;
	return (float)(state >> 8) * 0x1p-23f - 1.0f;
}

/* 0, or -1 when memory is out. */
static int fill_network(struct nn_network *network, const char *marks)
{
	uint32_t n = (uint32_t)strlen(marks);

	network->n_in = n;
	network->has_input_stage = true;
	network->input_log = calloc(n, 1);
	network->input_centre = calloc(n, sizeof(float));
	network->input_scale = calloc(n, sizeof(float));
	network->input_shift = calloc(n, sizeof(float));
	network->input_low = -4;
	network->input_high = 4;
	network->n_layers = 2;
	if (network->input_log == NULL || network->input_centre == NULL || network->input_scale == NULL ||
	    network->input_shift == NULL || nn_layer_init(&network->layers[0], n, N_HIDDEN, NN_TANH) != 0 ||
	    nn_layer_init(&network->layers[1], N_HIDDEN, N_CLASSES, NN_SOFTMAX) != 0)
		return -1;
	for (uint32_t i = 0; i < n; i++) {
		network->input_log[i] = marks[i] == '1';
		network->input_centre[i] = network->input_log[i] ? 8 + next_number() : 100 * next_number();
		network->input_scale[i] = network->input_log[i] ? 0.4f : 0.01f;
	}
	for (uint32_t l = 0; l < network->n_layers; l++) {
		struct nn_layer *layer = &network->layers[l];

		for (size_t w = 0; w < (size_t)layer->n_in * layer->n_out; w++)
			layer->weights[w] = next_number();
	}
	return 0;
}

/* 0, or -1 when memory is out. */
static int fill_names(struct model *model)
{
	static const char *const classes[N_CLASSES] = {"benign", "flood", "scan"};
	static char text[NN_MAX_WIDTH][16];
	const char *features[NN_MAX_WIDTH];

	for (uint32_t i = 0; i < model->network.n_in; i++) {
		snprintf(text[i], sizeof(text[i]), "feature%u", i);
		features[i] = text[i];
	}
	model->task = MODEL_TASK_FLOW;
	return model_set_features(model, features, model->network.n_in) == 0 &&
			       model_set_classes(model, classes, N_CLASSES) == 0
		       ? 0
		       : -1;
}

int main(int argc, char **argv)
{
	char error[256] = "out of memory";
	struct model *model;
	int rc = 1;

	if (argc != 3 || strlen(argv[2]) > NN_MAX_WIDTH) {
		fprintf(stderr, "usage: write_log_model FILE MARKS\n");
		return 2;
	}
	model = model_new();
	if (model != NULL && fill_network(&model->network, argv[2]) == 0 && fill_names(model) == 0 &&
	    model_save(model, argv[1], error, sizeof(error)) == 0)
		rc = 0;
	else
		fprintf(stderr, "write_log_model: %s\n", error);
	model_free(model);
	return rc;
}
