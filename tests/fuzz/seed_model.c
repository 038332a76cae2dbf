/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes the corpus that fuzz_model.c begins with into a folder: between them, every operator that is read. */
#include <stdbool.h>
#include <stdio.h>

#include "onnx_builder.h"

static const char *folder;
static unsigned n_written;

static void write_seed(struct builder *b)
{
	char path[4096];
	size_t n_bytes;
	uint8_t *bytes = builder_pack(b, &n_bytes);

	snprintf(path, sizeof(path), "%s/model%02u.onnx", folder, ++n_written);
	FILE *file = fopen(path, "wb");
	if (file == NULL || fwrite(bytes, 1, n_bytes, file) != n_bytes || fclose(file) != 0) {
		perror(path);
		exit(1);
	}
	builder_free(b);
}

/* As our own trainer writes them. */
static void seed_ours(void)
{
	struct builder *b = builder_new(13, 2);
	VECTOR(b, "m", 8, 0);
	VECTOR(b, "s", 0.5, 0.25);
	VECTOR(b, "t", -1, 1);
	SCALAR(b, "low", -4);
	SCALAR(b, "high", 4);
	MATRIX(b, "W", 3, 2, 1, -2, 3, -4, 5, -6);
	VECTOR(b, "B", 1, 2, 3);
	MATRIX(b, "V", 1, 3, 1, -1, 1);
	builder_node(b, "Sub", "sub", "x m", "h");
	builder_node(b, "Mul", "mul", "h s", "a");
	builder_node(b, "Add", "add", "a t", "c");
	builder_node(b, "Clip", "clip", "c low high", "d");
	builder_int(b, builder_node(b, "Gemm", "dense1", "d W B", "e"), "transB", 1);
	builder_node(b, "Relu", "relu1", "e", "f");
	builder_int(b, builder_node(b, "Gemm", "dense2", "f V", "g"), "transB", 1);
	builder_node(b, "Sigmoid", "sigmoid2", "g", "y");
	builder_entry(b, "wirescore.entries", "9");
	builder_entry(b, "wirescore.task", "flow");
	builder_entry(b, "wirescore.features", "byte0,byte1");
	builder_entry(b, "wirescore.classes", "non-ip,ip");
	builder_entry(b, "wirescore.threshold", "0.25");
	builder_entry(b, "wirescore.schema", "0123456789abcdef");
	builder_entry(b, "wirescore.checkpoints", "1,2,end");
	builder_entry(b, "wirescore.train.seed", "42");
	builder_entry(b, "wirescore.train.quantiles_0", "-1.5@0 0@0.25 8@1;1@0.1 2e3@0.999999999");
	write_seed(b);
}

/* As our own trainer writes logarithms: of all inputs, or of some. */
static void seed_logarithm(bool all)
{
	struct builder *b = builder_new(13, 3);
	SCALAR(b, "one", 1);
	VECTOR(b, "m", 2, 1, 0);
	VECTOR(b, "s", 0.5, 0.25, 1);
	MATRIX(b, "W", 1, 3, 1, -2, 3);
	builder_node(b, "Relu", "relu", "x", "a");
	builder_node(b, "Add", "add", "a one", "c");
	builder_node(b, "Log", "log", "c", all ? "h" : "d");
	if (!all) {
		MASK(b, "mask", 1, 0, 1);
		builder_node(b, "Where", "where", "mask d x", "h");
	}
	builder_node(b, "Sub", "sub", "h m", "e");
	builder_node(b, "Mul", "mul", "e s", "f");
	builder_int(b, builder_node(b, "Gemm", "dense1", "f W", "g"), "transB", 1);
	builder_node(b, "Sigmoid", "sigmoid1", "g", "y");
	write_seed(b);
}

/* Every operator of two operands between two layers. */
static void seed_binary(const char *op, const char *inputs)
{
	struct builder *b = builder_new(13, 2);
	MATRIX(b, "W", 2, 2, 1, 2, 3, 4);
	VECTOR(b, "c", 2, 3);
	SCALAR(b, "k", 0.5);
	builder_node(b, "MatMul", "", "x W", "h");
	builder_node(b, "Relu", "", "h", "r");
	builder_node(b, op, "op", inputs, "z");
	builder_node(b, "MatMul", "", "z W", "y");
	write_seed(b);
}

/* Every activation, with an attribute where it has one. */
static void seed_activation(const char *op, int64_t opset, const char *attribute, float value)
{
	struct builder *b = builder_new(opset, 2);
	MATRIX(b, "W", 2, 2, 1, 2, 3, 4);
	builder_node(b, "MatMul", "", "x W", "h");
	Onnx__NodeProto *node = builder_node(b, op, "", "h", "y");
	if (attribute != NULL)
		builder_float(b, node, attribute, value);
	write_seed(b);
}

static void seed_shapes(void)
{
	struct builder *b = builder_new(13, 2);
	builder_value(b, &b->inputs[0], "x", ONNX__TENSOR_PROTO__DATA_TYPE__UINT8, 3, (int64_t[]){-1, 1, 2});
	MATRIX(b, "W", 1, 2, 1, 2);
	builder_ints(b, "shape", 2, (int64_t[]){-1, 2});
	builder_ints(b, "axes", 1, (int64_t[]){-1});
	builder_node(b, "Flatten", "", "x", "a");
	builder_node(b, "Reshape", "", "a shape", "b");
	builder_int(b, builder_node(b, "Cast", "", "b", "c"), "to", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT);
	builder_node(b, "Identity", "", "c", "d");
	builder_node(b, "Dropout", "", "d", "e");
	builder_node(b, "Transpose", "", "W", "V");
	builder_node(b, "MatMul", "", "e V", "f");
	builder_node(b, "Squeeze", "", "f axes", "g");
	builder_node(b, "Neg", "", "g", "h");
	builder_node(b, "Unsqueeze", "", "h axes", "y");
	write_seed(b);
}

static void seed_scikit_learn(void)
{
	struct builder *b = builder_new(13, 2);
	MATRIX(b, "W", 2, 1, 1, -1);
	VECTOR(b, "v", 1, 2);
	Onnx__NodeProto *scaler = builder_node(b, "Scaler", "", "x", "s");
	scaler->domain = builder_text(b, "ai.onnx.ml");
	builder_floats(b, scaler, "offset", 2, (float[]){1, 2});
	builder_floats(b, scaler, "scale", 1, (float[]){0.5f});
	builder_node(b, "BatchNormalization", "", "s v v v v", "n");
	builder_node(b, "MatMul", "", "n W", "z");
	builder_node(b, "Sigmoid", "", "z", "p");
	builder_float(b, builder_node(b, "Constant", "", "", "one"), "value_float", 1);
	builder_node(b, "Sub", "", "one p", "q");
	builder_int(b, builder_node(b, "Concat", "", "q p", "probabilities"), "axis", 1);
	builder_node(b, "ZipMap", "", "probabilities", "y")->domain = builder_text(b, "ai.onnx.ml");
	write_seed(b);
}

int main(int argc, char **argv)
{
	static const char *const binary[][2] = {{"Add", "r c"}, {"Sub", "c r"}, {"Sub", "r k"}, {"Mul", "k r"},
						{"Div", "r c"}, {"Min", "r k"}, {"Max", "k r"}, {"Clip", "r - k"}};
	if (argc != 2) {
		fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		return 2;
	}
	folder = argv[1];
	seed_ours();
	seed_logarithm(true);
	seed_logarithm(false);
	for (size_t i = 0; i < sizeof(binary) / sizeof(binary[0]); i++)
		seed_binary(binary[i][0], binary[i][1]);
	seed_activation("Tanh", 13, NULL, 0);
	seed_activation("Softmax", 13, NULL, 0);
	seed_activation("LeakyRelu", 13, "alpha", 0.25f);
	seed_activation("Clip", 9, "min", -1);
	seed_shapes();
	seed_scikit_learn();
	return 0;
}
