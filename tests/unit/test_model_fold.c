/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every operator that lib/model folds: a graph of a few nodes, the network it must become, and what that
 * network must compute, worked out by hand from ONNX's Operators.md.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "model.h"
#include "onnx_builder.h"

/* y = activation(W x + b) by the text of nn.h, in double. */
static void evaluate(const struct nn_network *network, const float *row, double *y)
{
	double x[NN_MAX_WIDTH], next[NN_MAX_WIDTH];

	for (uint32_t i = 0; i < network->n_in; i++) {
		x[i] = row[i];
		if (!network->has_input_stage)
			continue;
		if (network->input_log != NULL && network->input_log[i])
			x[i] = log1p(fmax(x[i], 0));
		if (network->input_centre != NULL)
			x[i] -= network->input_centre[i];
		x[i] = fmin(fmax(x[i] * network->input_scale[i] + network->input_shift[i], network->input_low),
			    network->input_high);
	}
	for (uint32_t l = 0; l < network->n_layers; l++) {
		const struct nn_layer *layer = &network->layers[l];
		double total = 0;
		for (uint32_t o = 0; o < layer->n_out; o++) {
			double sum = layer->bias[o];
			for (uint32_t i = 0; i < layer->n_in; i++)
				sum += layer->weights[(size_t)o * layer->n_in + i] * x[i];
			switch (layer->activation) {
			case NN_IDENTITY:
				break;
			case NN_RELU:
				sum = fmax(sum, 0);
				break;
			case NN_LEAKY_RELU:
				sum = sum < 0 ? layer->alpha * sum : sum;
				break;
			case NN_CLIP:
				sum = fmin(fmax(sum, layer->low), layer->high);
				break;
			case NN_TANH:
				sum = tanh(sum);
				break;
			case NN_SIGMOID:
				sum = 1 / (1 + exp(-sum));
				break;
			case NN_SOFTMAX:
				sum = exp(sum);
				break;
			}
			next[o] = sum;
			total += sum;
		}
		for (uint32_t o = 0; o < layer->n_out; o++)
			x[o] = layer->activation == NN_SOFTMAX ? next[o] / total : next[o];
	}
	for (uint32_t o = 0; o < network->layers[network->n_layers - 1].n_out; o++)
		y[o] = x[o];
}

static struct model *load(struct builder *b)
{
	char error[256] = "";
	struct model *model;
	size_t n_bytes;
	uint8_t *bytes = builder_pack(b, &n_bytes);

	if (model_load_memory(bytes, n_bytes, &model, error, sizeof(error)) != 0)
		fail_msg("refused: %s", error);
	return model;
}

/* The model computes y of x, and so does what it is written as. Frees the builder. */
static struct model *expect(struct builder *b, const float *x, const double *y, uint32_t n_out)
{
	struct model *model = load(b);
	double got[NN_MAX_WIDTH];

	assert_int_equal(model->network.layers[model->network.n_layers - 1].n_out, n_out);
	evaluate(&model->network, x, got);
	for (uint32_t o = 0; o < n_out; o++) {
		if (!(fabs(got[o] - y[o]) <= 1e-6))
			fail_msg("output %u is %.9g, not %.9g", o, got[o], y[o]);
	}
	builder_free(b);
	return model;
}

#define X(...) ((const float[]){__VA_ARGS__})
#define Y(...) ((const double[]){__VA_ARGS__}), (uint32_t)(sizeof((const double[]){__VA_ARGS__}) / sizeof(double))

static void gemm_multiplies_a_matrix_and_adds_a_bias(void **state)
{
	(void)state;
	struct builder *b = builder_new(13, 2);
	MATRIX(b, "W", 2, 3, 1, 2, 3, 4, 5, 6);
	VECTOR(b, "C", 10, 20, 30);
	builder_node(b, "Gemm", "g", "x W C", "y");
	model_free(expect(b, X(1, -1), Y(10 - 3, 20 - 3, 30 - 3)));
}

static void gemm_honours_alpha_beta_and_trans_b(void **state)
{
	(void)state;
	struct builder *b = builder_new(13, 2);
	MATRIX(b, "W", 3, 2, 1, 2, 3, 4, 5, 6);
	VECTOR(b, "C", 10, 20, 30);
	Onnx__NodeProto *node = builder_node(b, "Gemm", "g", "x W C", "y");
	builder_float(b, node, "alpha", 0.5f);
	builder_float(b, node, "beta", 2);
	builder_int(b, node, "transB", 1);
	model_free(expect(b, X(2, 4), Y(0.5 * 10 + 20, 0.5 * 22 + 40, 0.5 * 34 + 60)));
}

static void gemm_takes_every_shape_of_bias(void **state)
{
	(void)state;
	for (int shape = 0; shape < 5; shape++) {
		struct builder *b = builder_new(13, 2);
		MATRIX(b, "W", 2, 2, 1, 0, 0, 1);
		if (shape == 0)
			SCALAR(b, "C", 5);
		else if (shape == 1)
			VECTOR(b, "C", 5);
		else if (shape == 2)
			VECTOR(b, "C", 5, 5);
		else if (shape == 3)
			MATRIX(b, "C", 1, 2, 5, 5);
		else
			MATRIX(b, "C", 1, 1, 5);
		builder_node(b, "Gemm", "g", "x W C", "y");
		model_free(expect(b, X(1, 2), Y(6, 7)));
	}
	for (int shape = 0; shape < 2; shape++) {
		struct builder *b = builder_new(13, 2);
		MATRIX(b, "W", 2, 2, 1, 0, 0, 1);
		builder_node(b, "Gemm", "g", shape == 0 ? "x W" : "x W -", "y");
		model_free(expect(b, X(1, 2), Y(1, 2)));
	}
}

static void matmul_and_add_become_one_layer_in_either_order(void **state)
{
	(void)state;
	for (int order = 0; order < 2; order++) {
		struct builder *b = builder_new(13, 2);
		MATRIX(b, "W", 2, 1, 2, 3);
		VECTOR(b, "C", 7);
		builder_node(b, "MatMul", "m", "x W", "h");
		builder_node(b, "Add", "a", order == 0 ? "h C" : "C h", "y");
		struct model *model = expect(b, X(1, 10), Y(39));
		assert_int_equal(model->network.n_layers, 1);
		assert_false(model->network.has_input_stage);
		model_free(model);
	}
}

static void affine_maps_before_the_first_layer_stay_the_input_stage(void **state)
{
	(void)state;
	struct builder *b = builder_new(13, 2);
	VECTOR(b, "mean", 1, 2);
	MATRIX(b, "std", 1, 2, 4, 5);
	SCALAR(b, "one", 1);
	SCALAR(b, "three", 3);
	MATRIX(b, "W", 2, 1, 1, 1);
	builder_node(b, "Sub", "", "x mean", "a");
	builder_node(b, "Div", "", "a std", "c");
	builder_node(b, "Sub", "", "one c", "d");
	builder_node(b, "Mul", "", "three d", "e");
	builder_node(b, "Neg", "", "e", "f");
	builder_node(b, "MatMul", "", "f W", "y");
	struct model *model = expect(b, X(9, 12), Y(-3 * (1 - 2) + -3 * (1 - 2)));
	assert_true(model->network.has_input_stage);
	assert_true(isinf(model->network.input_low) && isinf(model->network.input_high));
	assert_int_equal(model->network.n_layers, 1);
	assert_float_equal(model->network.input_scale[0], 0.75, 1e-7);
	model_free(model);
}

/* As Keras' Normalization writes it for features that did not vary: nothing is left of them, not noise. */
static void the_mean_of_a_constant_feature_keeps_its_digits(void **state)
{
	(void)state;
	for (int form = 0; form < 4; form++) {
		struct builder *b = builder_new(13, 2);
		VECTOR(b, "mean", 1e6f, 0.1f);
		VECTOR(b, "std", 1e-7f, 0.5f);
		VECTOR(b, "scale", 1e7f, 2);
		VECTOR(b, "zero", 0, 0);
		VECTOR(b, "var", 1e-14f, 0.25f);
		MATRIX(b, "W", 2, 1, 1, 1);
		if (form == 0) {
			builder_node(b, "Sub", "", "x mean", "a");
			builder_node(b, "Div", "", "a std", "h");
		} else if (form == 1) { /* -(mean - x) / std */
			builder_node(b, "Sub", "", "mean x", "a");
			builder_node(b, "Div", "", "a std", "c");
			builder_node(b, "Neg", "", "c", "h");
		} else if (form == 2) {
			Onnx__NodeProto *node = builder_node(b, "Scaler", "", "x", "h");
			node->domain = builder_text(b, "ai.onnx.ml");
			builder_floats(b, node, "offset", 2, X(1e6f, 0.1f));
			builder_floats(b, node, "scale", 2, X(1e7f, 2));
		} else {
			VECTOR(b, "one", 1, 1);
			builder_float(b, builder_node(b, "BatchNormalization", "", "x one zero mean var", "h"),
				      "epsilon", 0);
		}
		builder_node(b, "MatMul", "", "h W", "y");
		struct model *model = expect(b, X(1e6f, 0.6f), Y(1));
		assert_true(model->network.input_centre[0] == 1e6f);
		assert_true(model->network.input_shift[0] == 0);
		model_free(model);
	}
	/* What the centre loses when it is rounded to float is not lost. */
	struct builder *b = builder_new(13, 1);
	SCALAR(b, "big", 1e6f);
	SCALAR(b, "small", 0.125f / 8);
	SCALAR(b, "ten", 10);
	MATRIX(b, "W", 1, 1, 1);
	builder_node(b, "Sub", "", "x big", "a");
	builder_node(b, "Add", "", "a small", "c");
	builder_node(b, "Mul", "", "c ten", "h");
	builder_node(b, "MatMul", "", "h W", "y");
	model_free(expect(b, X(1e6f), Y(0.15625)));
}

static void affine_maps_between_layers_fold_into_them(void **state)
{
	(void)state;
	struct builder *b = builder_new(13, 1);
	MATRIX(b, "W1", 1, 2, 1, -1);
	MATRIX(b, "W2", 2, 1, 1, 1);
	VECTOR(b, "s", 2, 3);
	VECTOR(b, "t", 10, 20);
	builder_node(b, "MatMul", "", "x W1", "a");
	builder_node(b, "Mul", "", "a s", "c"); /* folds backwards */
	builder_node(b, "Relu", "", "c", "d");
	builder_node(b, "Add", "", "d t", "e"); /* folds forwards */
	builder_node(b, "Mul", "", "e s", "f");
	builder_node(b, "MatMul", "", "f W2", "y");
	struct model *model = expect(b, X(-2), Y((0 + 10) * 2 + (6 + 20) * 3));
	assert_int_equal(model->network.n_layers, 2);
	model_free(model);
}

static void relu_at_the_input_clamps_the_input_stage(void **state)
{
	(void)state;
	struct builder *b = builder_new(13, 2);
	VECTOR(b, "t", -1, -1);
	MATRIX(b, "W", 2, 2, 1, 0, 0, 1);
	SCALAR(b, "top", 4);
	builder_node(b, "Add", "", "x t", "a");
	builder_node(b, "Relu", "", "a", "c");
	builder_node(b, "Clip", "", "c - top", "d");
	builder_node(b, "Add", "", "d t", "e");
	builder_node(b, "MatMul", "", "e W", "y");
	struct model *model = expect(b, X(0, 9), Y(0 - 1, 4 - 1));
	assert_int_equal(model->network.n_layers, 1);
	assert_true(model->network.input_low == 0 && model->network.input_high == 4);
	model_free(model);
}

static void a_logarithm_of_all_inputs_begins_the_input_stage(void **state)
{
	static const struct {
		const char *op, *operands;
	} clamps[] = {{"Relu", "x"}, {"Max", "x zero"}, {"Max", "zero x"}, {"Clip", "x zero"}},
	  adds[] = {{"Add", "a one"}, {"Add", "one a"}, {"Add", "a ones"}, {"Sub", "a minus"}};

	(void)state;
	for (size_t c = 0; c < 4; c++) {
		for (size_t a = 0; a < 4; a++) {
			struct builder *b = builder_new(13, 2);
			MATRIX(b, "W", 2, 2, 1, 0, 0, 1);
			SCALAR(b, "zero", 0);
			SCALAR(b, "one", 1);
			SCALAR(b, "minus", -1);
			VECTOR(b, "ones", 1, 1);
			VECTOR(b, "mean", 2, 3);
			builder_node(b, clamps[c].op, "", clamps[c].operands, "a");
			builder_node(b, adds[a].op, "", adds[a].operands, "d");
			builder_node(b, "Log", "", "d", "e");
			builder_node(b, "Sub", "", "e mean", "f");
			builder_node(b, "MatMul", "", "f W", "y");
			struct model *model = expect(b, X(-5, 9), Y(0 - 2, log(10) - 3));
			assert_int_equal(model->network.n_layers, 1);
			assert_memory_equal(model->network.input_log, ((const uint8_t[]){1, 1}), 2);
			assert_true(isinf(model->network.input_low) && model->network.input_centre[1] == 3);
			model_free(model);
		}
	}
}

/* The marked ones by their logarithm, the others as they are, whichever way round Where has them. */
static void a_logarithm_of_some_inputs_is_a_where(void **state)
{
	(void)state;
	for (int form = 0; form < 8; form++) {
		bool inverted = form % 2 == 1, clamped = form / 2 % 2 == 1, row = form / 4 == 1;
		uint8_t marks[] = {!inverted, inverted, inverted};
		struct builder *b = builder_new(form == 0 ? 9 : 16, 3);
		MATRIX(b, "W", 3, 3, 1, 0, 0, 0, 1, 0, 0, 0, 1);
		SCALAR(b, "one", 1);
		SCALAR(b, "low", -4);
		VECTOR(b, "scale", 2, 2, 2);
		builder_bools(b, "mask", row ? 2 : 1, row ? (int64_t[]){1, 3} : (int64_t[]){3}, 3, marks);
		builder_node(b, "Relu", "", "x", "a");
		builder_node(b, "Add", "", "a one", "c");
		builder_node(b, "Log", "", "c", "d");
		builder_node(b, "Where", "", inverted ? "mask x d" : "mask d x", "e");
		builder_node(b, "Mul", "", "e scale", "f");
		if (clamped)
			builder_node(b, "Max", "", "f low", "g");
		builder_node(b, "MatMul", "", clamped ? "g W" : "f W", "y");
		struct model *model = expect(b, X(6, -7, 1), Y(2 * log(7), clamped ? -4 : -14, 2));
		assert_int_equal(model->network.n_layers, 1);
		assert_memory_equal(model->network.input_log, ((const uint8_t[]){1, 0, 0}), 3);
		model_free(model);
	}
}

static void a_mask_of_one_number_is_for_all_inputs(void **state)
{
	(void)state;
	for (uint8_t marked = 0; marked < 2; marked++) {
		struct builder *b = builder_new(13, 2);
		MATRIX(b, "W", 2, 1, 1, 1);
		SCALAR(b, "one", 1);
		builder_bools(b, "mask", 0, (int64_t[]){0}, 1, &marked);
		builder_node(b, "Relu", "", "x", "a");
		builder_node(b, "Add", "", "a one", "c");
		builder_node(b, "Log", "", "c", "d");
		builder_node(b, "Where", "", "mask d x", "e");
		builder_node(b, "MatMul", "", "e W", "y");
		struct model *model = marked ? expect(b, X(4, -2), Y(log(5))) : expect(b, X(4, -2), Y(2));
		assert_int_equal(model->network.has_input_stage, marked);
		assert_int_equal(model->network.input_log != NULL, marked);
		model_free(model);
	}
}

/* As exporters that give the graph's input no width, and constants as nodes. */
static void the_mask_may_tell_the_width_and_be_a_node(void **state)
{
	(void)state;
	struct builder *b = builder_new(13, 2);
	b->inputs[0].type->tensor_type->shape->dim[1]->value_case =
		ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE__NOT_SET;
	MATRIX(b, "W", 2, 1, 1, 1);
	builder_float(b, builder_node(b, "Constant", "", "", "one"), "value_float", 1);
	Onnx__TensorProto *mask = builder_loose_tensor(b, "", 1, (int64_t[]){2}, NULL, 0);
	mask->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__BOOL;
	mask->n_int32_data = 2;
	mask->int32_data = builder_alloc(b, 2 * sizeof(int32_t));
	mask->int32_data[1] = 1;
	builder_attribute(b, builder_node(b, "Constant", "", "", "mask"), "value")->t = mask;
	builder_node(b, "Identity", "", "x", "first");
	builder_node(b, "Relu", "", "first", "a");
	builder_node(b, "Add", "", "a one", "c");
	builder_node(b, "Log", "", "c", "d");
	builder_node(b, "Where", "", "mask d first", "e");
	builder_node(b, "MatMul", "", "e W", "y");
	struct model *model = expect(b, X(4, 4), Y(4 + log(5)));
	assert_memory_equal(model->network.input_log, ((const uint8_t[]){0, 1}), 2);
	model_free(model);
}

static void relu_and_clip_merge(void **state)
{
	(void)state;
	struct builder *b = builder_new(13, 2);
	MATRIX(b, "W", 2, 2, 1, 0, 0, 1);
	SCALAR(b, "six", 6);
	builder_node(b, "MatMul", "", "x W", "a");
	builder_node(b, "Relu", "", "a", "c");
	builder_node(b, "Min", "", "six c", "y");
	struct model *model = expect(b, X(-3, 8), Y(0, 6));
	assert_int_equal(model->network.n_layers, 1);
	assert_int_equal(model->network.layers[0].activation, NN_CLIP);
	model_free(model);

	b = builder_new(13, 2);
	MATRIX(b, "W", 2, 2, 1, 0, 0, 1);
	SCALAR(b, "zero", 0);
	builder_node(b, "MatMul", "", "x W", "a");
	builder_node(b, "Max", "", "a zero", "y");
	model = expect(b, X(-3, 8), Y(0, 8));
	assert_int_equal(model->network.layers[0].activation, NN_RELU);
	model_free(model);

	/* Ranges that do not meet: all becomes the bound of the second that is nearer to the first. */
	for (int order = 0; order < 2; order++) {
		b = builder_new(11, 2);
		MATRIX(b, "W", 2, 2, 1, 0, 0, 1);
		SCALAR(b, "low", -2);
		SCALAR(b, "high", -1);
		builder_node(b, "MatMul", "", "x W", "a");
		builder_node(b, order == 0 ? "Relu" : "Clip", "", order == 0 ? "a" : "a low high", "c");
		builder_node(b, order == 0 ? "Clip" : "Relu", "", order == 0 ? "c low high" : "c", "y");
		model_free(order == 0 ? expect(b, X(-3, 8), Y(-1, -1)) : expect(b, X(-3, 8), Y(0, 0)));
	}
}

static void clip_reads_attributes_up_to_opset_10(void **state)
{
	(void)state;
	struct builder *b = builder_new(10, 2);
	MATRIX(b, "W", 2, 2, 1, 0, 0, 1);
	builder_node(b, "MatMul", "", "x W", "a");
	Onnx__NodeProto *node = builder_node(b, "Clip", "", "a", "y");
	builder_float(b, node, "min", -1);
	struct model *model = expect(b, X(-3, 8), Y(-1, 8));
	assert_true(model->network.layers[0].high == INFINITY);
	model_free(model);
}

static void activations_keep_their_parameters(void **state)
{
	(void)state;
	static const struct {
		const char *op;
		float alpha;
		double y[2];
	} cases[] = {
		{"LeakyRelu", 0.25f, {-0.5, 1}},
		{"Tanh", 0, {-0.9640275800758169, 0.7615941559557649}},
		{"Sigmoid", 0, {0.11920292202211755, 0.7310585786300049}},
		{"Softmax", 0, {0.04742587317756678, 0.9525741268224334}},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct builder *b = builder_new(13, 2);
		MATRIX(b, "W", 2, 2, 1, 0, 0, 1);
		builder_node(b, "Gemm", "", "x W", "a");
		Onnx__NodeProto *node = builder_node(b, cases[i].op, "", "a", "y");
		if (cases[i].alpha != 0)
			builder_float(b, node, "alpha", cases[i].alpha);
		model_free(expect(b, X(-2, 1), cases[i].y, 2));
	}
	struct builder *b = builder_new(13, 1);
	MATRIX(b, "W", 1, 1, 1);
	builder_node(b, "Gemm", "", "x W", "a");
	builder_node(b, "LeakyRelu", "", "a", "y");
	model_free(expect(b, X(-2), Y(-0.02)));
}

static void activations_in_a_row_get_a_layer_each(void **state)
{
	(void)state;
	struct builder *b = builder_new(13, 2);
	MATRIX(b, "W", 2, 2, 1, 0, 0, 1);
	SCALAR(b, "two", 2);
	builder_node(b, "Tanh", "", "x", "a");
	builder_node(b, "Mul", "", "a two", "c");
	builder_node(b, "Sigmoid", "", "c", "d");
	builder_node(b, "MatMul", "", "d W", "e");
	builder_node(b, "Sigmoid", "", "e", "f");
	builder_node(b, "Sub", "", "two f", "y");
	double s = 1 / (1 + exp(-2 * tanh(0.5)));
	struct model *model = expect(b, X(0, 0.5f), Y(2 - 1 / (1 + exp(-0.5)), 2 - 1 / (1 + exp(-s))));
	assert_int_equal(model->network.n_layers, 4);
	model_free(model);
}

static void batch_normalization_uses_running_statistics(void **state)
{
	(void)state;
	struct builder *b = builder_new(14, 2);
	MATRIX(b, "W", 2, 2, 1, 0, 0, 1);
	VECTOR(b, "scale", 2, 3);
	VECTOR(b, "B", 10, 20);
	VECTOR(b, "mean", 1, 2);
	VECTOR(b, "var", 3, 8);
	builder_node(b, "MatMul", "", "x W", "a");
	Onnx__NodeProto *node = builder_node(b, "BatchNormalization", "", "a scale B mean var", "y");
	builder_float(b, node, "epsilon", 1);
	struct model *model = expect(b, X(5, 8), Y(2 * (5 - 1) / 2.0 + 10, 3 * (8 - 2) / 3.0 + 20));
	assert_int_equal(model->network.n_layers, 1);
	model_free(model);
}

static void batch_normalization_has_an_epsilon_of_its_own(void **state)
{
	(void)state;
	struct builder *b = builder_new(9, 1);
	MATRIX(b, "W", 1, 1, 1);
	VECTOR(b, "one", 1);
	VECTOR(b, "zero", 0);
	VECTOR(b, "var", 3e-5f);
	builder_node(b, "BatchNormalization", "", "x one zero zero var", "a");
	builder_node(b, "MatMul", "", "a W", "y");
	model_free(expect(b, X(0.02f), Y(0.02f / sqrt(3e-5f + 1e-5))));
}

static void scaler_of_scikit_learn_scales_the_input(void **state)
{
	(void)state;
	struct builder *b = builder_new(13, 2);
	MATRIX(b, "W", 2, 2, 1, 0, 0, 1);
	Onnx__NodeProto *node = builder_node(b, "Scaler", "", "x", "a");
	node->domain = builder_text(b, "ai.onnx.ml");
	builder_floats(b, node, "offset", 2, X(1, 2));
	builder_floats(b, node, "scale", 1, X(0.5f));
	builder_node(b, "MatMul", "", "a W", "y");
	model_free(expect(b, X(5, 8), Y(2, 3)));
}

static void bytes_are_cast_and_scaled(void **state)
{
	(void)state;
	struct builder *b = builder_new(13, 2);
	b->inputs[0].type->tensor_type->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__UINT8;
	MATRIX(b, "W", 2, 2, 1, 0, 0, 1);
	SCALAR(b, "c", 255);
	builder_int(b, builder_node(b, "Cast", "", "x", "a"), "to", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT);
	builder_node(b, "Div", "", "a c", "d");
	builder_node(b, "MatMul", "", "d W", "y");
	model_free(expect(b, X(255, 51), Y(1, 0.2)));
}

static void shapes_that_change_nothing_are_stepped_over(void **state)
{
	(void)state;
	struct builder *b = builder_new(13, 2);
	builder_value(b, &b->inputs[0], "x", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, 3, (int64_t[]){-1, 1, 2});
	MATRIX(b, "W", 2, 2, 1, 0, 0, 1);
	MATRIX(b, "V", 2, 1, 1, 1);
	builder_ints(b, "shape", 2, (int64_t[]){-1, 2});
	builder_ints(b, "axes", 1, (int64_t[]){-1});
	builder_node(b, "Flatten", "", "x", "a");
	builder_node(b, "Reshape", "", "a shape", "c");
	builder_node(b, "Identity", "", "c", "d");
	builder_node(b, "Dropout", "", "d", "e");
	builder_node(b, "MatMul", "", "e W", "f");
	builder_node(b, "MatMul", "", "f V", "g");
	builder_node(b, "Squeeze", "", "g axes", "h");
	builder_node(b, "Sigmoid", "", "h", "i");
	builder_node(b, "Unsqueeze", "", "i axes", "y");
	struct model *model = expect(b, X(1, -1), Y(0.5));
	assert_int_equal(model->network.n_layers, 2);
	model_free(model);
}

static void axes_were_attributes_up_to_opset_12(void **state)
{
	(void)state;
	struct builder *b = builder_new(12, 2);
	MATRIX(b, "W", 2, 1, 1, 1);
	builder_node(b, "MatMul", "", "x W", "a");
	Onnx__NodeProto *squeeze = builder_node(b, "Squeeze", "", "a", "c");
	Onnx__NodeProto *unsqueeze = builder_node(b, "Unsqueeze", "", "c", "y");
	for (int i = 0; i < 2; i++) {
		Onnx__AttributeProto *axes = builder_attribute(b, i == 0 ? squeeze : unsqueeze, "axes");
		axes->n_ints = 1;
		axes->ints = builder_alloc(b, sizeof(int64_t));
		axes->ints[0] = 1;
	}
	model_free(expect(b, X(2, 3), Y(5)));
}

static void shapes_may_follow_the_probabilities(void **state)
{
	(void)state;
	struct builder *b = builder_new(13, 2);
	MATRIX(b, "W", 2, 2, 1, 0, 0, 1);
	builder_ints(b, "shape", 2, (int64_t[]){-1, 2});
	builder_node(b, "MatMul", "", "x W", "a");
	builder_node(b, "Softmax", "", "a", "c");
	builder_node(b, "Dropout", "", "c", "d");
	builder_node(b, "Flatten", "", "d", "e");
	builder_node(b, "Reshape", "", "e shape", "f");
	builder_node(b, "Identity", "", "f", "y");
	model_free(expect(b, X(1, 1), Y(0.5, 0.5)));
}

static void weights_may_be_constants_transposed_double_or_raw(void **state)
{
	(void)state;
	struct builder *b = builder_new(13, 2);
	/* A double matrix, transposed by a node. */
	Onnx__TensorProto *w = builder_tensor(b, "W", 2, (int64_t[]){1, 2}, NULL, 0);
	w->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE;
	w->n_double_data = 2;
	w->double_data = builder_alloc(b, 2 * sizeof(double));
	w->double_data[0] = 2;
	w->double_data[1] = 3;
	builder_node(b, "Transpose", "", "W", "Wt");
	/* A Constant node, its numbers as raw little-endian bytes. */
	static uint8_t raw[4] = {0x00, 0x00, 0x20, 0x41}; /* 10.0f */
	Onnx__TensorProto *c = builder_loose_tensor(b, "", 1, (int64_t[]){1}, NULL, 0);
	c->has_raw_data = 1;
	c->raw_data = (ProtobufCBinaryData){.len = 4, .data = raw};
	builder_attribute(b, builder_node(b, "Constant", "", "", "C"), "value")->t = c;
	builder_float(b, builder_node(b, "Constant", "", "", "D"), "value_float", 100);
	/* A whole number, cast, and a matrix transposed to what it is. */
	builder_int(b, builder_node(b, "Constant", "", "", "E"), "value_int", 1000);
	builder_int(b, builder_node(b, "Cast", "", "E", "Ef"), "to", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT);
	Onnx__AttributeProto *perm = builder_attribute(b, builder_node(b, "Transpose", "", "Wt", "Wtt"), "perm");
	perm->n_ints = 2;
	perm->ints = builder_alloc(b, 2 * sizeof(int64_t));
	perm->ints[1] = 1;
	builder_node(b, "Gemm", "", "x Wtt C", "a");
	builder_node(b, "Add", "", "a D", "c");
	builder_node(b, "Add", "", "c Ef", "y");
	model_free(expect(b, X(1, 1), Y(1115)));
}

static void initializers_may_be_listed_as_inputs(void **state)
{
	(void)state;
	struct builder *b = builder_new(13, 1);
	MATRIX(b, "W", 1, 1, 3);
	b->inputs[1] = b->inputs[0];
	builder_value(b, &b->inputs[0], "W", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, 2, (int64_t[]){1, 1});
	b->graph.n_input = 2;
	builder_node(b, "MatMul", "", "x W", "y");
	model_free(expect(b, X(2), Y(6)));
}

static void the_first_layer_tells_the_width_where_the_input_does_not(void **state)
{
	(void)state;
	struct builder *b = builder_new(13, 3);
	b->inputs[0].type->tensor_type->shape->n_dim = 2;
	b->inputs[0].type->tensor_type->shape->dim[1]->value_case =
		ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE__NOT_SET;
	SCALAR(b, "half", 0.5);
	MATRIX(b, "W", 3, 1, 1, 2, 3);
	builder_node(b, "Mul", "", "x half", "a");
	builder_node(b, "MatMul", "", "a W", "y");
	struct model *model = expect(b, X(2, 4, 6), Y(14));
	assert_int_equal(model->network.n_in, 3);
	model_free(model);
}

static void the_probabilities_of_a_scikit_learn_classifier_are_found(void **state)
{
	(void)state;
	for (int zip = 0; zip < 2; zip++) {
		struct builder *b = builder_new(13, 2);
		MATRIX(b, "W", 2, 1, 1, -1);
		VECTOR(b, "one", 1);
		builder_ints(b, "shape", 2, (int64_t[]){-1, 2});
		builder_node(b, "MatMul", "", "x W", "z");
		builder_node(b, "Sigmoid", "", "z", "p");
		builder_node(b, "Sub", "", "one p", "q");
		builder_int(b, builder_node(b, "Concat", "", "q p", "r"), "axis", 1);
		builder_node(b, "Reshape", "", "r shape", "probabilities");
		builder_int(b, builder_node(b, "ArgMax", "", "probabilities", "label"), "axis", 1);
		if (zip == 1)
			builder_node(b, "ZipMap", "", "probabilities", "output_probability")->domain =
				builder_text(b, "ai.onnx.ml");
		builder_value(b, &b->outputs[0], "label", ONNX__TENSOR_PROTO__DATA_TYPE__INT64, 1, (int64_t[]){-1});
		builder_value(b, &b->outputs[1], zip == 1 ? "output_probability" : "probabilities",
			      ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, 2, (int64_t[]){-1, 2});
		b->graph.n_output = 2;
		model_free(expect(b, X(1, 1), Y(0.5)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gemm_multiplies_a_matrix_and_adds_a_bias),
		cmocka_unit_test(gemm_honours_alpha_beta_and_trans_b),
		cmocka_unit_test(gemm_takes_every_shape_of_bias),
		cmocka_unit_test(matmul_and_add_become_one_layer_in_either_order),
		cmocka_unit_test(affine_maps_before_the_first_layer_stay_the_input_stage),
		cmocka_unit_test(the_mean_of_a_constant_feature_keeps_its_digits),
		cmocka_unit_test(affine_maps_between_layers_fold_into_them),
		cmocka_unit_test(relu_at_the_input_clamps_the_input_stage),
		cmocka_unit_test(a_logarithm_of_all_inputs_begins_the_input_stage),
		cmocka_unit_test(a_logarithm_of_some_inputs_is_a_where),
		cmocka_unit_test(a_mask_of_one_number_is_for_all_inputs),
		cmocka_unit_test(the_mask_may_tell_the_width_and_be_a_node),
		cmocka_unit_test(relu_and_clip_merge),
		cmocka_unit_test(clip_reads_attributes_up_to_opset_10),
		cmocka_unit_test(activations_keep_their_parameters),
		cmocka_unit_test(activations_in_a_row_get_a_layer_each),
		cmocka_unit_test(batch_normalization_uses_running_statistics),
		cmocka_unit_test(batch_normalization_has_an_epsilon_of_its_own),
		cmocka_unit_test(scaler_of_scikit_learn_scales_the_input),
		cmocka_unit_test(bytes_are_cast_and_scaled),
		cmocka_unit_test(shapes_that_change_nothing_are_stepped_over),
		cmocka_unit_test(axes_were_attributes_up_to_opset_12),
		cmocka_unit_test(shapes_may_follow_the_probabilities),
		cmocka_unit_test(weights_may_be_constants_transposed_double_or_raw),
		cmocka_unit_test(initializers_may_be_listed_as_inputs),
		cmocka_unit_test(the_first_layer_tells_the_width_where_the_input_does_not),
		cmocka_unit_test(the_probabilities_of_a_scikit_learn_classifier_are_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
