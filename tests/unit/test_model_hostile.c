/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ONNX files that must be refused: a table of graphs with the one line that each must give, then files cut,
 * flipped, nested and inflated.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model.h"
#include "onnx_builder.h"

/* x -> MatMul 'first' -> y, the good graph that each case spoils. */
static Onnx__NodeProto *good(struct builder *b)
{
	MATRIX(b, "W", 2, 1, 1, 2);
	return builder_node(b, "MatMul", "first", "x W", "y");
}

/* x -> MatMul -> op 'spoilt' -> y */
static Onnx__NodeProto *spoilt(struct builder *b, const char *op, const char *inputs)
{
	MATRIX(b, "W", 2, 2, 1, 2, 3, 4);
	VECTOR(b, "c", 1, 2);
	SCALAR(b, "one", 1);
	VECTOR(b, "three", 1, 2, 3);
	builder_node(b, "MatMul", "first", "x W", "h");
	return builder_node(b, op, "spoilt", inputs, "y");
}

static void no_graph(struct builder *b)
{
	b->model.graph = NULL;
}
static void no_nodes(struct builder *b)
{
	(void)b;
}
static void passes_the_input_on(struct builder *b)
{
	b->outputs[0].name = (char *)"x";
}
static void conv(struct builder *b)
{
	builder_node(b, "Conv", "Conv_3", "x", "y");
}
static void unnamed(struct builder *b)
{
	good(b)->output[0] = (char *)"h";
	builder_node(b, "LSTM", "", "h", "y");
}
static void hostile_name(struct builder *b)
{
	builder_node(b, "Co\x1b[31mnv",
		     "a\nb\x7f\xff and a name that is very long indeed, far longer than a line bears it", "x", "y");
}
static void foreign_domain(struct builder *b)
{
	good(b)->domain = (char *)"com.example";
}
static void old_opset(struct builder *b)
{
	good(b);
	b->opset.version = 6;
}
static void no_opset(struct builder *b)
{
	good(b);
	b->model.n_opset_import = 0;
}
static void new_opset(struct builder *b)
{
	good(b);
	b->opset.version = 23;
}
static void two_opsets(struct builder *b)
{
	static Onnx__OperatorSetIdProto second;
	good(b);
	second = b->opset;
	second.domain = (char *)"ai.onnx";
	b->opsets[1] = &second;
	b->model.n_opset_import = 2;
}
static void operator_redefined(struct builder *b)
{
	static Onnx__FunctionProto function, *functions[] = {&function};
	good(b);
	onnx__function_proto__init(&function);
	function.name = (char *)"MatMul";
	b->model.functions = functions;
	b->model.n_functions = 1;
}
static void two_inputs(struct builder *b)
{
	good(b);
	builder_value(b, &b->inputs[1], "z", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, 2, (int64_t[]){-1, 2});
	b->graph.n_input = 2;
}
static void two_outputs(struct builder *b)
{
	good(b);
	b->outputs[1] = b->outputs[0];
	b->graph.n_output = 2;
}
static void no_output(struct builder *b)
{
	good(b);
	b->graph.n_output = 0;
}
static void unknown_output(struct builder *b)
{
	good(b)->output[0] = (char *)"elsewhere";
}
static void unknown_input(struct builder *b)
{
	good(b)->input[0] = (char *)"nowhere";
}
static void constant_output(struct builder *b)
{
	good(b)->input[0] = (char *)"W";
}
static void cycle(struct builder *b)
{
	spoilt(b, "Relu", "h");
	b->nodes[0].input[0] = (char *)"y";
}
static void name_twice(struct builder *b)
{
	good(b);
	builder_node(b, "Relu", "", "x", "y");
}
static void residual(struct builder *b)
{
	spoilt(b, "Add", "h x");
}
static void both_slots(struct builder *b)
{
	spoilt(b, "Mul", "h h");
}
static void mask_output(struct builder *b)
{
	Onnx__NodeProto *node = spoilt(b, "Dropout", "h");
	node->output[0] = (char *)"other";
	node->output[node->n_output++] = (char *)"y";
}
static void input_of_strings(struct builder *b)
{
	good(b);
	b->inputs[0].type->tensor_type->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__STRING;
}
static void input_of_signed_bytes(struct builder *b)
{
	good(b);
	b->inputs[0].type->tensor_type->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__INT8;
}
static void input_untyped(struct builder *b)
{
	good(b);
	b->inputs[0].type = NULL;
}
static void input_of_one_dimension(struct builder *b)
{
	good(b);
	builder_value(b, &b->inputs[0], "x", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, 1, (int64_t[]){2});
}
static void input_too_wide(struct builder *b)
{
	good(b);
	builder_value(b, &b->inputs[0], "x", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, 2, (int64_t[]){-1, 513});
}
static void input_overflows(struct builder *b)
{
	good(b);
	builder_value(b, &b->inputs[0], "x", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, 4,
		      (int64_t[]){-1, INT64_MAX, INT64_MAX, 2});
}
static void input_not_flattened(struct builder *b)
{
	good(b);
	builder_value(b, &b->inputs[0], "x", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, 3, (int64_t[]){-1, 1, 2});
}
static void integers_not_cast(struct builder *b)
{
	good(b);
	b->inputs[0].type->tensor_type->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__UINT8;
}
static void width_differs(struct builder *b)
{
	spoilt(b, "MatMul", "h V");
	MATRIX(b, "V", 3, 1, 1, 2, 3);
}
static void vector_differs(struct builder *b)
{
	spoilt(b, "Add", "h three");
}
static void matrix_added(struct builder *b)
{
	spoilt(b, "Add", "h W");
}
static void cube_added(struct builder *b)
{
	spoilt(b, "Add", "h cube");
	builder_tensor(b, "cube", 3, (int64_t[]){1, 1, 2}, (float[]){1, 2}, 2);
}
static void scaled_too_far(struct builder *b)
{
	SCALAR(b, "big", 3e38f);
	builder_node(b, "Mul", "", "x big", "p");
	builder_node(b, "Mul", "", "p big", "q");
	good(b)->input[0] = (char *)"q";
}
static void centred_too_far(struct builder *b)
{
	SCALAR(b, "big", 3e38f);
	builder_node(b, "Sub", "", "x big", "p");
	builder_node(b, "Sub", "", "p big", "q");
	good(b)->input[0] = (char *)"q";
}
static void constant_divided(struct builder *b)
{
	spoilt(b, "Div", "one h");
}
static void divided_by_zero(struct builder *b)
{
	spoilt(b, "Div", "h zero");
	VECTOR(b, "zero", 1, 0);
}
static void matrix_first(struct builder *b)
{
	spoilt(b, "MatMul", "W h");
}
static void trans_a(struct builder *b)
{
	builder_int(b, spoilt(b, "Gemm", "h W"), "transA", 1);
}
static void attribute_mistyped(struct builder *b)
{
	builder_float(b, spoilt(b, "Gemm", "h W"), "transB", 1);
}
static void attribute_misspelt(struct builder *b)
{
	builder_float(b, spoilt(b, "LeakyRelu", "h"), "alfa", 0.5f);
}
static void attribute_twice(struct builder *b)
{
	Onnx__NodeProto *node = spoilt(b, "LeakyRelu", "h");
	builder_float(b, node, "alpha", 0.5f);
	builder_float(b, node, "alpha", 0.25f);
}
static void attribute_of_an_older_clip(struct builder *b)
{
	builder_float(b, spoilt(b, "Clip", "h"), "min", 0);
}
static void attribute_of_an_older_squeeze(struct builder *b)
{
	Onnx__AttributeProto *axes = builder_attribute(b, spoilt(b, "Squeeze", "h"), "axes");
	axes->n_ints = 1;
	axes->ints = builder_alloc(b, sizeof(int64_t));
}
static void inputs_of_a_newer_clip(struct builder *b)
{
	b->opset.version = 10;
	spoilt(b, "Clip", "h one");
}
static void relu_of_two(struct builder *b)
{
	spoilt(b, "Relu", "h c");
}
static void gemm_of_four(struct builder *b)
{
	spoilt(b, "Gemm", "h W c c");
}
static void attribute_nan(struct builder *b)
{
	builder_float(b, spoilt(b, "LeakyRelu", "h"), "alpha", NAN);
}
static void bias_differs(struct builder *b)
{
	spoilt(b, "Gemm", "h W three");
}
static void bias_upright(struct builder *b)
{
	spoilt(b, "Gemm", "h W upright");
	MATRIX(b, "upright", 2, 1, 1, 2);
}
static void bias_varies(struct builder *b)
{
	spoilt(b, "Gemm", "c W h");
}
static void softmax_of_the_batch(struct builder *b)
{
	builder_int(b, spoilt(b, "Softmax", "h"), "axis", 0);
}
static void softmax_in_the_middle(struct builder *b)
{
	spoilt(b, "Softmax", "h")->output[0] = (char *)"s";
	builder_node(b, "Relu", "after", "s", "y");
}
static void softmax_of_one(struct builder *b)
{
	good(b)->output[0] = (char *)"h";
	builder_node(b, "Softmax", "", "h", "y");
}
static void clip_empty(struct builder *b)
{
	spoilt(b, "Clip", "h one zero");
	SCALAR(b, "zero", 0);
}
static void clip_nan(struct builder *b)
{
	spoilt(b, "Clip", "h nan");
	SCALAR(b, "nan", NAN);
}
static void clip_per_feature(struct builder *b)
{
	spoilt(b, "Clip", "h c");
}
static void batch_norm_training(struct builder *b)
{
	b->opset.version = 14;
	builder_int(b, spoilt(b, "BatchNormalization", "h c c c c"), "training_mode", 1);
}
static void batch_norm_statistics(struct builder *b)
{
	Onnx__NodeProto *node = spoilt(b, "BatchNormalization", "h c c c c");
	node->output[node->n_output++] = (char *)"";
	node->output[node->n_output++] = (char *)"running";
}
static void batch_norm_of_a_constant(struct builder *b)
{
	spoilt(b, "BatchNormalization", "c h c c c");
}
static void batch_norm_variance(struct builder *b)
{
	spoilt(b, "BatchNormalization", "h c c c v");
	VECTOR(b, "v", 1, -1);
}
static void batch_norm_lengths(struct builder *b)
{
	spoilt(b, "BatchNormalization", "h c c c one");
}
static void batch_norm_missing(struct builder *b)
{
	spoilt(b, "BatchNormalization", "h c c");
}
static void dropout_training(struct builder *b)
{
	spoilt(b, "Dropout", "h - t");
	Onnx__TensorProto *t = builder_tensor(b, "t", 0, (int64_t[]){0}, NULL, 0);
	t->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__BOOL;
	t->n_int32_data = 1;
	t->int32_data = builder_alloc(b, sizeof(int32_t));
	t->int32_data[0] = 1;
}
static void cast_to_bytes(struct builder *b)
{
	builder_int(b, spoilt(b, "Cast", "h"), "to", ONNX__TENSOR_PROTO__DATA_TYPE__UINT8);
}
static void flatten_the_batch(struct builder *b)
{
	builder_int(b, spoilt(b, "Flatten", "h"), "axis", 0);
}
static void reshape_to_another(struct builder *b)
{
	spoilt(b, "Reshape", "h s");
	builder_ints(b, "s", 2, (int64_t[]){-1, 1});
}
static void reshape_to_a_batch(struct builder *b)
{
	builder_value(b, &b->inputs[0], "x", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, 2, (int64_t[]){7, 2});
	spoilt(b, "Reshape", "h s");
	builder_ints(b, "s", 2, (int64_t[]){5, 2});
}
static void reshape_to_zero(struct builder *b)
{
	b->opset.version = 14;
	builder_int(b, spoilt(b, "Reshape", "h s"), "allowzero", 1);
	builder_ints(b, "s", 2, (int64_t[]){0, 2});
}
static void squeeze_two(struct builder *b)
{
	spoilt(b, "Squeeze", "h");
}
static void plain_concat(struct builder *b)
{
	builder_int(b, spoilt(b, "Concat", "h c"), "axis", 1);
}
/* Concat(c - p, p) along an axis, of p with as many dimensions as axes are left. */
static void concat(struct builder *b, float c, int64_t axis, bool squeezed)
{
	SCALAR(b, "from", c);
	builder_ints(b, "axes", 1, (int64_t[]){1});
	good(b)->output[0] = (char *)"z";
	builder_node(b, "Sigmoid", "", "z", squeezed ? "s" : "p");
	if (squeezed)
		builder_node(b, "Squeeze", "", "s axes", "p");
	builder_node(b, "Sub", "", "from p", "q");
	builder_int(b, builder_node(b, "Concat", "spoilt", "q p", "y"), "axis", axis);
}
static void concat_of_two_less(struct builder *b)
{
	concat(b, 2, 1, false);
}
static void concat_of_rows(struct builder *b)
{
	concat(b, 1, 0, false);
}
static void concat_of_one_dimension(struct builder *b)
{
	concat(b, 1, -1, true);
}
static void concat_then_reshape_to_one(struct builder *b)
{
	concat(b, 1, 1, false);
	b->nodes[b->graph.n_node - 1].output[0] = (char *)"r";
	builder_ints(b, "s", 2, (int64_t[]){-1, 1});
	builder_node(b, "Reshape", "last", "r s", "y");
}
static void computed_weights(struct builder *b)
{
	spoilt(b, "MatMul", "h V");
	builder_node(b, "Exp", "", "W", "V");
	/* Nodes must be in order: the constant's comes first. */
	Onnx__NodeProto *exp = b->node_list[2];
	b->node_list[2] = b->node_list[1];
	b->node_list[1] = exp;
}

static void constants_in_a_row(struct builder *b)
{
	char from[8] = "W", to[8];
	MATRIX(b, "W", 2, 1, 1, 2);
	for (int i = 0; i < 18; i++) {
		snprintf(to, sizeof(to), "W%d", i);
		builder_node(b, "Identity", "", from, to);
		strcpy(from, to);
	}
	builder_node(b, "MatMul", "first", "x W17", "y");
}
static void transposed_by_a_misspelling(struct builder *b)
{
	MATRIX(b, "W", 2, 2, 1, 2, 3, 4);
	builder_int(b, builder_node(b, "Transpose", "", "W", "V"), "prem", 0);
	builder_node(b, "MatMul", "first", "x V", "y");
}
static void constant_twice(struct builder *b)
{
	Onnx__NodeProto *node = builder_node(b, "Constant", "", "", "V");
	builder_float(b, node, "value_float", 1);
	builder_int(b, node, "value_int", 2);
	builder_node(b, "MatMul", "first", "x V", "y");
}
static void constant_empty(struct builder *b)
{
	builder_node(b, "Constant", "", "", "V\x1b");
	builder_node(b, "MatMul", "first", "x V\x1b", "y");
}
static void constant_of_another_domain(struct builder *b)
{
	builder_node(b, "Constant", "", "", "V")->domain = builder_text(b, "com.example");
	builder_node(b, "MatMul", "first", "x V", "y");
}

/* x -> Relu -> Add of 1 -> Log 'spoilt' -> MatMul -> y */
static void logarithm(struct builder *b)
{
	MATRIX(b, "W", 2, 2, 1, 2, 3, 4);
	SCALAR(b, "one", 1);
	MASK(b, "mask", 1, 0);
	builder_node(b, "Relu", "relu", "x", "r");
	builder_node(b, "Add", "add", "r one", "p");
	builder_node(b, "Log", "spoilt", "p", "l");
	builder_node(b, "MatMul", "", "l W", "y");
}
/* The same with a Where 'where' behind the Log. */
static Onnx__NodeProto *where(struct builder *b, const char *inputs)
{
	logarithm(b);
	b->graph.n_node--;
	Onnx__NodeProto *node = builder_node(b, "Where", "where", inputs, "w");
	builder_node(b, "MatMul", "", "w W", "y");
	return node;
}
/* Has the node that was built as number n, from 0, take another value as its first input. */
static void rewire(struct builder *b, size_t n, const char *from)
{
	b->nodes[n].input[0] = builder_text(b, from);
}
static void log_of_the_input(struct builder *b)
{
	logarithm(b);
	rewire(b, 2, "x");
}
static void log_without_relu(struct builder *b)
{
	logarithm(b);
	rewire(b, 1, "x");
}
static void log_without_one(struct builder *b)
{
	logarithm(b);
	rewire(b, 2, "r");
}
static void log_of_another_sum(struct builder *b)
{
	logarithm(b);
	b->tensor_list[1]->float_data[0] = 2;
}
static void log_of_unequal_sums(struct builder *b)
{
	logarithm(b);
	VECTOR(b, "ones", 1, 1.5);
	b->nodes[1].input[1] = builder_text(b, "ones");
}
static void log_of_another_clip(struct builder *b)
{
	logarithm(b);
	SCALAR(b, "six", 6);
	b->nodes[0].op_type = builder_text(b, "Min");
	b->nodes[0].input[b->nodes[0].n_input++] = builder_text(b, "six");
}
static void log_of_a_range(struct builder *b)
{
	logarithm(b);
	SCALAR(b, "zero", 0);
	SCALAR(b, "six", 6);
	b->nodes[0].op_type = builder_text(b, "Clip");
	b->nodes[0].input[b->nodes[0].n_input++] = builder_text(b, "zero");
	b->nodes[0].input[b->nodes[0].n_input++] = builder_text(b, "six");
}
static void log_of_a_lower_bound(struct builder *b)
{
	logarithm(b);
	SCALAR(b, "half", -0.5);
	b->nodes[0].op_type = builder_text(b, "Max");
	b->nodes[0].input[b->nodes[0].n_input++] = builder_text(b, "half");
}
static void log_of_doubled(struct builder *b)
{
	SCALAR(b, "two", 2);
	builder_node(b, "Relu", "", "x", "positive");
	logarithm(b);
	b->nodes[1].op_type = builder_text(b, "Mul");
	rewire(b, 1, "positive");
	b->nodes[1].input[b->nodes[1].n_input++] = builder_text(b, "two");
}
static void log_of_scaled(struct builder *b)
{
	builder_node(b, "Neg", "", "x", "n");
	logarithm(b);
	rewire(b, 1, "n");
}
static void log_twice(struct builder *b)
{
	logarithm(b);
	b->graph.n_node--;
	builder_node(b, "Relu", "", "l", "r2");
	builder_node(b, "Add", "", "r2 one", "p2");
	builder_node(b, "Log", "second", "p2", "l2");
	builder_node(b, "MatMul", "", "l2 W", "y");
}
static void log_between_layers(struct builder *b)
{
	spoilt(b, "Log", "p");
	b->graph.n_node--;
	builder_node(b, "Relu", "", "h", "r");
	builder_node(b, "Add", "", "r one", "p");
	builder_node(b, "Log", "spoilt", "p", "y");
}
static void log_behind_a_layer(struct builder *b)
{
	builder_node(b, "Relu", "", "x", "positive");
	builder_node(b, "MatMul", "", "positive W", "h");
	logarithm(b);
	b->nodes[2].op_type = builder_text(b, "Tanh");
	rewire(b, 2, "h");
}
static void log_of_whole_numbers(struct builder *b)
{
	where(b, "mask l x");
	b->inputs[0].type->tensor_type->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__UINT8;
}
static void where_it_varies(struct builder *b)
{
	where(b, "x l x");
}
static void where_floats_say(struct builder *b)
{
	where(b, "c l x");
	VECTOR(b, "c", 1, 0);
}
static void where_integers_say(struct builder *b)
{
	where(b, "c l x");
	builder_ints(b, "c", 2, (int64_t[]){1, 0});
}
static void where_a_cast_says(struct builder *b)
{
	where(b, "mask l x");
	builder_int(b, builder_node(b, "Cast", "", "mask", "c"), "to", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT);
	b->nodes[3].input[0] = builder_text(b, "c");
	/* Before its use. */
	Onnx__NodeProto *cast = b->node_list[5];
	memmove(&b->node_list[1], &b->node_list[0], 5 * sizeof(cast));
	b->node_list[0] = cast;
}
static void where_three_say(struct builder *b)
{
	where(b, "three l x");
	MASK(b, "three", 1, 0, 1);
}
static void where_a_column_says(struct builder *b)
{
	where(b, "column l x");
	builder_bools(b, "column", 2, (int64_t[]){2, 1}, 2, (uint8_t[]){1, 0});
}
static void where_too_few_bytes_say(struct builder *b)
{
	where(b, "mask l x");
	b->tensor_list[2]->raw_data.len = 1;
}
static void where_nobody_says(struct builder *b)
{
	where(b, "- l x");
}
static void where_of_two(struct builder *b)
{
	where(b, "mask l");
}
static void where_of_another_value(struct builder *b)
{
	where(b, "mask l r");
}
static void where_of_a_copy(struct builder *b)
{
	builder_node(b, "Identity", "", "x", "copy");
	where(b, "mask l copy");
}
static void where_of_a_constant(struct builder *b)
{
	where(b, "mask x one");
}
static void where_of_constants(struct builder *b)
{
	where(b, "mask one one");
}
static void where_without_log(struct builder *b)
{
	where(b, "mask p x");
}
static void where_of_no_log(struct builder *b)
{
	where(b, "mask l x");
	b->nodes[2].op_type = builder_text(b, "Tanh");
}
static void where_of_two_logs(struct builder *b)
{
	where(b, "mask l l");
}
static void where_of_clamped(struct builder *b)
{
	builder_node(b, "Relu", "", "x", "start");
	where(b, "mask l start");
	rewire(b, 1, "start");
}
static void where_of_an_idle_clamp(struct builder *b)
{
	builder_node(b, "Relu", "", "x", "start");
	where(b, "mask l start");
	rewire(b, 1, "start");
	b->nodes[1].op_type = builder_text(b, "Identity");
}
static void where_of_an_idle_step(struct builder *b)
{
	where(b, "mask l x");
	b->nodes[0].op_type = builder_text(b, "Identity");
}
static void where_of_a_spoilt_step(struct builder *b)
{
	where(b, "mask l x");
	builder_float(b, &b->nodes[0], "alpha", 1);
}
static void where_of_a_residual(struct builder *b)
{
	where(b, "mask l x");
	b->nodes[1].input[0] = builder_text(b, "x");
	b->nodes[1].input[1] = builder_text(b, "r");
}
static void where_of_another_output(struct builder *b)
{
	where(b, "mask l x");
	b->nodes[0].op_type = builder_text(b, "Dropout");
	b->nodes[0].output[0] = builder_text(b, "other");
	b->nodes[0].output[b->nodes[0].n_output++] = builder_text(b, "r");
}
static void where_between_layers(struct builder *b)
{
	builder_node(b, "MatMul", "", "x W", "start");
	where(b, "mask l start");
	rewire(b, 1, "start");
}
static void where_twice(struct builder *b)
{
	where(b, "mask l x");
	b->graph.n_node--;
	builder_node(b, "Relu", "", "w", "r2");
	builder_node(b, "Add", "", "r2 one", "p2");
	builder_node(b, "Log", "", "p2", "l2");
	builder_node(b, "Where", "second", "mask l2 w", "w2");
	builder_node(b, "MatMul", "", "w2 W", "y");
}
static void where_within_where(struct builder *b)
{
	where(b, "mask l x");
	b->nodes[0].op_type = builder_text(b, "Where");
	b->nodes[0].input[0] = builder_text(b, "mask");
	b->nodes[0].input[b->nodes[0].n_input++] = builder_text(b, "x");
	b->nodes[0].input[b->nodes[0].n_input++] = builder_text(b, "one");
}
static void where_of_an_older_opset(struct builder *b)
{
	b->opset.version = 8;
	where(b, "mask l x");
}

/* The tensors: W of the good graph, spoilt. */
static void weights_nan(struct builder *b)
{
	good(b);
	b->tensor_list[0]->float_data[1] = NAN;
}
static void weights_infinite(struct builder *b)
{
	good(b);
	b->tensor_list[0]->float_data[0] = -INFINITY;
}
static void weights_too_few(struct builder *b)
{
	good(b);
	b->tensor_list[0]->n_float_data = 1;
}
static void weights_raw_odd(struct builder *b)
{
	static uint8_t raw[7];
	good(b);
	b->tensor_list[0]->n_float_data = 0;
	b->tensor_list[0]->has_raw_data = 1;
	b->tensor_list[0]->raw_data = (ProtobufCBinaryData){.len = 7, .data = raw};
}
static void weights_twice(struct builder *b)
{
	static uint8_t raw[8];
	good(b);
	b->tensor_list[0]->has_raw_data = 1;
	b->tensor_list[0]->raw_data = (ProtobufCBinaryData){.len = 8, .data = raw};
}
static void weights_half(struct builder *b)
{
	good(b);
	b->tensor_list[0]->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16;
}
static void weights_integer(struct builder *b)
{
	builder_node(b, "MatMul", "first", "x W", "y");
	builder_ints(b, "W", 2, (int64_t[]){1, 2});
}
static void weights_external(struct builder *b)
{
	good(b);
	b->tensor_list[0]->has_data_location = 1;
	b->tensor_list[0]->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
}
static void weights_overflow(struct builder *b)
{
	good(b);
	b->tensor_list[0]->dims[0] = INT64_C(1) << 32;
	b->tensor_list[0]->dims[1] = INT64_C(1) << 32;
}
static void weights_too_many(struct builder *b)
{
	good(b);
	b->tensor_list[0]->dims[0] = 513;
	b->tensor_list[0]->dims[1] = 512;
}
static void weights_negative(struct builder *b)
{
	good(b);
	b->tensor_list[0]->dims[0] = -2;
}
static void weights_empty(struct builder *b)
{
	good(b);
	b->tensor_list[0]->dims[0] = 0;
	b->tensor_list[0]->n_float_data = 0;
}
static void weights_deep(struct builder *b)
{
	good(b);
	b->tensor_list[0]->n_dims = 9;
	b->tensor_list[0]->dims = builder_alloc(b, 9 * sizeof(int64_t));
}
static void weights_one_dimension(struct builder *b)
{
	good(b);
	b->tensor_list[0]->n_dims = 1;
}
static void weights_segment(struct builder *b)
{
	static Onnx__TensorProto__Segment segment = ONNX__TENSOR_PROTO__SEGMENT__INIT;
	good(b);
	b->tensor_list[0]->segment = &segment;
}
static void weights_overflow_once_folded(struct builder *b)
{
	spoilt(b, "Mul", "h big");
	SCALAR(b, "big", 3e38f);
	b->tensor_list[0]->float_data[0] = 3e38f;
}
static void too_many_layers(struct builder *b)
{
	char from[8] = "x", to[8], inputs[24], name[8];
	MATRIX(b, "W", 2, 2, 1, 2, 3, 4);
	for (int i = 1; i <= 9; i++) {
		snprintf(to, sizeof(to), i == 9 ? "y" : "h%d", i);
		snprintf(inputs, sizeof(inputs), "%s W", from);
		snprintf(name, sizeof(name), "m%d", i);
		builder_node(b, "MatMul", name, inputs, to);
		strcpy(from, to);
	}
}
static void too_wide(struct builder *b)
{
	good(b);
	float *zeros = builder_alloc(b, 2 * 513 * sizeof(float));
	b->tensor_list[0]->dims[1] = 513;
	b->tensor_list[0]->float_data = zeros;
	b->tensor_list[0]->n_float_data = 2 * 513;
}

static const struct {
	const char *name;
	void (*build)(struct builder *b);
	const char *message;
} cases[] = {
	{"no_graph", no_graph, "holds no graph"},
	{"no_nodes", no_nodes, "output 'y' comes from nowhere"},
	{"passes_the_input_on", passes_the_input_on, "no dense layer"},
	{"conv", conv, "node 'Conv_3' (Conv): not a dense layer; "},
	{"unnamed", unnamed, "node 2 (LSTM): not a dense layer"},
	{"hostile_name", hostile_name,
	 "node 'a?b?? and a name that is very long indeed, far longer than a line be...' (Co?[31mnv): "},
	{"foreign_domain", foreign_domain, "not a dense layer"},
	{"old_opset", old_opset, "opset 6"},
	{"no_opset", no_opset, "opset 0"},
	{"new_opset", new_opset, "opset 23; 7 to 22 are read"},
	{"two_opsets", two_opsets, "opsets are imported 2 times"},
	{"operator_redefined", operator_redefined, "defines ONNX's operator 'MatMul' anew"},
	{"two_inputs", two_inputs, "2 inputs"},
	{"two_outputs", two_outputs, "2 outputs"},
	{"no_output", no_output, "0 outputs"},
	{"unknown_output", unknown_output, "output 'y' comes from nowhere"},
	{"unknown_input", unknown_input, "node 'first' (MatMul): its input 'nowhere' comes from nowhere"},
	{"constant_output", constant_output, "does not depend"},
	{"cycle", cycle, "node 'first' (MatMul): its input 'y' is made by a later node"},
	{"name_twice", name_twice, "two values are named 'y'"},
	{"residual", residual, "node 'spoilt' (Add): 2 of its inputs depend"},
	{"both_slots", both_slots, "node 'spoilt' (Mul): 2 of its inputs depend"},
	{"mask_output", mask_output, "only its first output"},
	{"input_of_strings", input_of_strings, "type 8"},
	{"input_of_signed_bytes", input_of_signed_bytes, "type 3"},
	{"input_untyped", input_untyped, "'x' is not a tensor"},
	{"input_of_one_dimension", input_of_one_dimension, "1 dimensions"},
	{"input_too_wide", input_too_wide, "1 to 512 features"},
	{"input_overflows", input_overflows, "1 to 512 features"},
	{"input_not_flattened", input_not_flattened, "flatten"},
	{"integers_not_cast", integers_not_cast, "cast them"},
	{"width_differs", width_differs, "takes 3 features, but 2 come in"},
	{"vector_differs", vector_differs, "'three' has 3 numbers, but 2 features"},
	{"matrix_added", matrix_added, "'W' (4 numbers, 2 dimensions) is not one number"},
	{"cube_added", cube_added, "'cube' (2 numbers, 3 dimensions) is not one number"},
	{"scaled_too_far", scaled_too_far, "scaling of the input overflows"},
	{"centred_too_far", centred_too_far, "centring of the input overflows"},
	{"constant_divided", constant_divided, "not a linear map"},
	{"divided_by_zero", divided_by_zero, "divides feature 2 by zero"},
	{"matrix_first", matrix_first, "first factor"},
	{"trans_a", trans_a, "not transposed"},
	{"attribute_mistyped", attribute_mistyped, "transB is no integer"},
	{"attribute_misspelt", attribute_misspelt,
	 "node 'spoilt' (LeakyRelu): has no attribute 'alfa' in opset 13"},
	{"attribute_twice", attribute_twice, "'alpha' is there twice"},
	{"attribute_of_an_older_clip", attribute_of_an_older_clip, "has no attribute 'min' in opset 13"},
	{"attribute_of_an_older_squeeze", attribute_of_an_older_squeeze, "has no attribute 'axes' in opset 13"},
	{"inputs_of_a_newer_clip", inputs_of_a_newer_clip, "has 2 inputs; 1 are read in opset 10"},
	{"relu_of_two", relu_of_two, "has 2 inputs; 1 are read"},
	{"gemm_of_four", gemm_of_four, "has 4 inputs; 3 are read"},
	{"attribute_nan", attribute_nan, "alpha is no finite number"},
	{"bias_differs", bias_differs, "its bias of shape [3] is not one number, nor one for each of 2 outputs"},
	{"bias_upright", bias_upright, "its bias of shape [2, 1] is not"},
	{"bias_varies", bias_varies, "must be its A"},
	{"softmax_of_the_batch", softmax_of_the_batch, "not over the features"},
	{"softmax_in_the_middle", softmax_in_the_middle, "node 'after' (Relu): follows"},
	{"softmax_of_one", softmax_of_one, "softmax of one output"},
	{"clip_empty", clip_empty, "node 'spoilt' (Clip): clips to [1, 0]"},
	{"clip_nan", clip_nan, "its bound is not one number"},
	{"clip_per_feature", clip_per_feature, "its bound is not one number"},
	{"batch_norm_training", batch_norm_training, "training mode"},
	{"batch_norm_statistics", batch_norm_statistics, "training mode"},
	{"batch_norm_of_a_constant", batch_norm_of_a_constant, "the data must be its first input"},
	{"batch_norm_variance", batch_norm_variance, "variance of feature 2"},
	{"batch_norm_lengths", batch_norm_lengths, "four vectors"},
	{"batch_norm_missing", batch_norm_missing, "its input 4 is missing"},
	{"dropout_training", dropout_training, "training mode"},
	{"cast_to_bytes", cast_to_bytes, "casts to type 2"},
	{"flatten_the_batch", flatten_the_batch, "mixes the batch"},
	{"reshape_to_another", reshape_to_another, "does not leave [batch, features]"},
	{"reshape_to_a_batch", reshape_to_a_batch, "does not leave [batch, features]"},
	{"reshape_to_zero", reshape_to_zero, "does not leave [batch, features]"},
	{"squeeze_two", squeeze_two, "does not leave [batch, features]"},
	{"plain_concat", plain_concat, "only Concat(1 - p, p)"},
	{"concat_of_two_less", concat_of_two_less, "only Concat(1 - p, p)"},
	{"concat_of_rows", concat_of_rows, "only Concat(1 - p, p)"},
	{"concat_of_one_dimension", concat_of_one_dimension, "only Concat(1 - p, p)"},
	{"concat_then_reshape_to_one", concat_then_reshape_to_one, "does not leave [batch, features]"},
	{"computed_weights", computed_weights, "'V' is computed by Exp"},
	{"constants_in_a_row", constants_in_a_row, "'W1' is computed in too many steps"},
	{"transposed_by_a_misspelling", transposed_by_a_misspelling, "'V' is computed by Transpose"},
	{"constant_twice", constant_twice, "'V' is a Constant of several values"},
	{"constant_empty", constant_empty, "'V?' is a Constant without numbers"},
	{"constant_of_another_domain", constant_of_another_domain, "'V' is computed by Constant"},
	{"log_of_the_input", log_of_the_input, "node 'spoilt' (Log): only the logarithm of max(x, 0) + 1"},
	{"log_without_relu", log_without_relu, "node 'spoilt' (Log): only the logarithm of max(x, 0) + 1"},
	{"log_without_one", log_without_one, "node 'spoilt' (Log): only the logarithm of max(x, 0) + 1"},
	{"log_of_another_sum", log_of_another_sum, "node 'spoilt' (Log): only the logarithm of max(x, 0) + 1"},
	{"log_of_unequal_sums", log_of_unequal_sums, "node 'spoilt' (Log): only the logarithm of max(x, 0) + 1"},
	{"log_of_another_clip", log_of_another_clip, "node 'spoilt' (Log): only the logarithm of max(x, 0) + 1"},
	{"log_of_a_range", log_of_a_range, "node 'spoilt' (Log): only the logarithm of max(x, 0) + 1"},
	{"log_of_a_lower_bound", log_of_a_lower_bound, "node 'spoilt' (Log): only the logarithm of max(x, 0) + 1"},
	{"log_of_doubled", log_of_doubled, "node 'spoilt' (Log): only the logarithm of max(x, 0) + 1"},
	{"log_behind_a_layer", log_behind_a_layer, "node 'spoilt' (Log): only the logarithm of max(x, 0) + 1"},
	{"log_of_scaled", log_of_scaled, "node 'spoilt' (Log): only the logarithm of max(x, 0) + 1"},
	{"log_twice", log_twice, "node 'second' (Log): only the logarithm of max(x, 0) + 1"},
	{"log_between_layers", log_between_layers, "node 'spoilt' (Log): only the logarithm of max(x, 0) + 1"},
	{"log_of_whole_numbers", log_of_whole_numbers, "node 'where' (Where): works on whole numbers"},
	{"where_it_varies", where_it_varies, "node 'where' (Where): its condition depends on the graph's input"},
	{"where_floats_say", where_floats_say, "node 'where' (Where): its condition 'c' is not of type bool"},
	{"where_integers_say", where_integers_say, "its condition 'c' is not of type bool"},
	{"where_a_cast_says", where_a_cast_says, "its condition 'c' is not of type bool"},
	{"where_three_say", where_three_say, "node 'where' (Where): 'three' has 3 numbers, but 2 features come in"},
	{"where_a_column_says", where_a_column_says, "'column' (2 numbers, 2 dimensions) is not one number"},
	{"where_too_few_bytes_say", where_too_few_bytes_say, "'mask' is to hold 2 numbers, but holds 1 bytes"},
	{"where_nobody_says", where_nobody_says, "node 'where' (Where): only Where(mask, Log(Add(Relu(x), 1)), x)"},
	{"where_of_two", where_of_two, "node 'where' (Where): only Where(mask, "},
	{"where_of_another_value", where_of_another_value, "node 'where' (Where): only Where(mask, "},
	{"where_of_a_copy", where_of_a_copy, "node 'where' (Where): only Where(mask, "},
	{"where_of_a_constant", where_of_a_constant, "node 'where' (Where): only Where(mask, "},
	{"where_of_constants", where_of_constants, "does not depend on its input"},
	{"where_without_log", where_without_log, "node 'where' (Where): only Where(mask, "},
	{"where_of_no_log", where_of_no_log, "node 'where' (Where): only Where(mask, "},
	{"where_of_two_logs", where_of_two_logs, "node 'where' (Where): only Where(mask, "},
	{"where_of_clamped", where_of_clamped,
	 "node 'where' (Where): only the logarithm of the graph's input itself"},
	{"where_of_an_idle_clamp", where_of_an_idle_clamp,
	 "(Where): only the logarithm of the graph's input itself"},
	{"where_of_an_idle_step", where_of_an_idle_step,
	 "node 'spoilt' (Log): only the logarithm of max(x, 0) + 1"},
	{"where_of_a_spoilt_step", where_of_a_spoilt_step, "node 'relu' (Relu): has no attribute 'alpha'"},
	{"where_of_a_residual", where_of_a_residual, "node 'where' (Where): only Where(mask, "},
	{"where_of_another_output", where_of_another_output, "node 'where' (Where): only Where(mask, "},
	{"where_between_layers", where_between_layers, "(Where): only the logarithm of the graph's input itself"},
	{"where_twice", where_twice, "node 'second' (Where): only the logarithm of the graph's input itself"},
	{"where_within_where", where_within_where, "node 'relu' (Where): only Where(mask, "},
	{"where_of_an_older_opset", where_of_an_older_opset, "node 'where' (Where): not a dense layer"},
	{"weights_nan", weights_nan, "node 'first' (MatMul): number 2 of 'W' is NaN"},
	{"weights_infinite", weights_infinite, "number 1 of 'W' is infinite"},
	{"weights_too_few", weights_too_few, "'W' is to hold 2 numbers, but holds 1"},
	{"weights_raw_odd", weights_raw_odd, "'W' is to hold 2 numbers, but holds 7 bytes"},
	{"weights_twice", weights_twice, "'W' holds its numbers twice"},
	{"weights_half", weights_half, "'W' is of type float16"},
	{"weights_integer", weights_integer, "'W' holds integers"},
	{"weights_external", weights_external, "in another file"},
	{"weights_overflow", weights_overflow, "dimension of 4294967296"},
	{"weights_too_many", weights_too_many, "more than 262144 numbers"},
	{"weights_negative", weights_negative, "dimension of -2"},
	{"weights_empty", weights_empty, "dimension of 0"},
	{"weights_deep", weights_deep, "9 dimensions"},
	{"weights_one_dimension", weights_one_dimension, "a matrix has two"},
	{"weights_segment", weights_segment, "one segment"},
	{"weights_overflow_once_folded", weights_overflow_once_folded, "overflow"},
	{"too_many_layers", too_many_layers, "node 'm9' (MatMul): one layer too many"},
	{"too_wide", too_wide, "node 'first' (MatMul): gives 513 features"},
};

static void graphs_that_cannot_be_scored_are_refused_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char error[256] = "";
		struct model *model;
		size_t n_bytes;
		struct builder *b = builder_new(13, 2);
		cases[i].build(b);
		uint8_t *bytes = builder_pack(b, &n_bytes);
		int rc = model_load_memory(bytes, n_bytes, &model, error, sizeof(error));
		if (rc != -EINVAL || model != NULL || strstr(error, cases[i].message) == NULL ||
		    strchr(error, '\n') != NULL)
			fail_msg("%s: %d, '%s' does not say '%s'", cases[i].name, rc, error, cases[i].message);
		builder_free(b);
	}
}

/* A good file with everything in it, as a trainer writes it; to be freed. */
static uint8_t *good_file(size_t *n_bytes)
{
	char error[256];
	struct model *model = model_new();
	struct nn_network *network = &model->network;

	network->n_in = 2;
	network->has_input_stage = true;
	network->input_scale = calloc(2, sizeof(float));
	network->input_shift = calloc(2, sizeof(float));
	network->input_log = calloc(2, 1);
	network->input_log[1] = 1;
	network->input_low = -4;
	network->input_high = 4;
	network->input_scale[0] = network->input_scale[1] = network->input_shift[0] = 0.5f;
	network->n_layers = 2;
	assert_int_equal(nn_layer_init(&network->layers[0], 2, 3, NN_CLIP), 0);
	assert_int_equal(nn_layer_init(&network->layers[1], 3, 1, NN_SIGMOID), 0);
	network->layers[0].high = 6;
	model->task = MODEL_TASK_PACKET;
	model_set_features(model, (const char *const[]){"byte0", "byte1"}, 2);
	model_set_classes(model, (const char *const[]){"non-ip", "ip"}, 2);
	model_set_schema(model, "00");
	model_add_fact(model, "seed", "42");
	uint8_t *bytes = NULL;
	assert_int_equal(model_save_memory(model, &bytes, n_bytes, error, sizeof(error)), 0);
	model_free(model);
	return bytes;
}

/* A copy that ends where the allocation ends, so that ASan sees every byte read past it. */
static int load_exactly(const uint8_t *bytes, size_t n_bytes, struct model **model, char *error)
{
	uint8_t *copy = malloc(n_bytes != 0 ? n_bytes : 1);
	memcpy(copy, bytes, n_bytes);
	int rc = model_load_memory(copy, n_bytes, model, error, 256);
	free(copy);
	return rc;
}

static void a_file_cut_anywhere_never_passes_for_the_whole(void **state)
{
	(void)state;
	char error[256];
	struct model *model;
	size_t n_bytes, n_loaded = 0;
	uint8_t *bytes = good_file(&n_bytes);

	assert_int_equal(load_exactly(bytes, n_bytes, &model, error), 0);
	model_free(model);
	for (size_t n = 0; n < n_bytes; n++) {
		if (load_exactly(bytes, n, &model, error) != 0)
			continue;
		/* Cut between graph and metadata: a valid ONNX file, but nothing says that it is ours. */
		assert_int_equal(model->task, MODEL_TASK_UNKNOWN);
		assert_int_equal(model->n_features, 0);
		model_free(model);
		n_loaded++;
	}
	assert_true(n_loaded <= 1);
	free(bytes);
}

static void flipped_bits_never_crash(void **state)
{
	(void)state;
	char error[256], again[256];
	struct model *model;
	size_t n_bytes, n_refused = 0;
	uint8_t *bytes = good_file(&n_bytes);
	uint32_t seed = 42;

	for (int round = 0; round < 20000; round++) {
		uint8_t *copy = malloc(n_bytes);
		memcpy(copy, bytes, n_bytes);
		for (int flips = round % 4; flips >= 0; flips--) {
			seed = seed * 1664525 + 1013904223;
			copy[(seed >> 8) % n_bytes] ^= (uint8_t)(1u << (seed >> 29));
		}
		if (load_exactly(copy, n_bytes, &model, error) == 0)
			/* What loads must be a network that can be scored. */
			assert_int_equal(nn_network_check(&model->network, again, sizeof(again)), 0);
		else
			n_refused++;
		model_free(model);
		free(copy);
	}
	assert_true(n_refused > 5000);
	free(bytes);
}

/* Writes the tag and length of a field before bytes[*at], backwards. */
static void wrap(uint8_t *bytes, size_t *at, size_t end, unsigned field)
{
	size_t length = end - *at, n = 1;
	for (size_t rest = length; rest >= 0x80; rest >>= 7)
		n++;
	*at -= n;
	for (size_t i = 0; i < n; i++)
		bytes[*at + i] = (uint8_t)((length >> (7 * i) & 0x7f) | (i + 1 < n ? 0x80 : 0));
	bytes[--*at] = (uint8_t)(field << 3 | 2);
}

static void deep_nesting_does_not_eat_the_stack(void **state)
{
	(void)state;
	const size_t size = 16 << 20;
	char error[256];
	struct model *model;
	uint8_t *bytes = calloc(1, size);
	size_t at = size;

	/* graph { node { attribute { g { node { attribute { g ..., a million times */
	for (int i = 0; i < 1000000; i++) {
		wrap(bytes, &at, size, 6); /* AttributeProto.g */
		wrap(bytes, &at, size, 5); /* NodeProto.attribute */
		wrap(bytes, &at, size, 1); /* GraphProto.node */
	}
	wrap(bytes, &at, size, 7); /* ModelProto.graph */
	assert_int_equal(model_load_memory(bytes + at, size - at, &model, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "nested too deep"));
	free(bytes);
}

static void empty_messages_do_not_eat_the_memory(void **state)
{
	(void)state;
	const size_t size = 8 << 20;
	char error[256];
	struct model *model;
	uint8_t *bytes = calloc(1, size + 16);
	size_t at = 16;

	/* Four million tensors of two bytes: a gigabyte once unpacked. */
	for (size_t i = 16; i < size + 16; i += 2)
		bytes[i] = 5 << 3 | 2;
	wrap(bytes, &at, size + 16, 7);
	assert_int_equal(model_load_memory(bytes + at, size + 16 - at, &model, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "more memory"));
	free(bytes);
}

/* One and a half million, of two bytes each in the file. */
static void empty_strings_do_not_eat_the_memory(void **state)
{
	(void)state;
	const size_t size = 3 << 20;
	char error[256];
	struct model *model;
	uint8_t *bytes = calloc(1, size + 16);
	size_t at = 16;

	for (size_t i = 16; i < size + 16; i += 2)
		bytes[i] = 1 << 3 | 2; /* NodeProto.input */
	wrap(bytes, &at, size + 16, 1);
	wrap(bytes, &at, size + 16, 7);
	assert_int_equal(model_load_memory(bytes + at, size + 16 - at, &model, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "more memory"));
	free(bytes);
}

static void a_graph_given_many_times_does_not_eat_the_time(void **state)
{
	(void)state;
	const size_t size = 1 << 20;
	char error[256];
	struct model *model;
	uint8_t *bytes = calloc(1, size);

	for (size_t i = 0; i < size; i += 2)
		bytes[i] = 7 << 3 | 2;
	assert_int_equal(model_load_memory(bytes, size, &model, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "comes again"));
	free(bytes);
}

static void too_many_nodes_are_refused(void **state)
{
	(void)state;
	char error[256];
	struct model *model;
	size_t n_bytes;
	const size_t n = 5000;
	struct builder *b = builder_new(13, 2);
	Onnx__NodeProto *node = builder_node(b, "Identity", "", "x", "y"), **nodes = calloc(n, sizeof(*nodes));

	for (size_t i = 0; i < n; i++)
		nodes[i] = node;
	b->graph.node = nodes;
	b->graph.n_node = n;
	uint8_t *bytes = builder_pack(b, &n_bytes);
	assert_int_equal(model_load_memory(bytes, n_bytes, &model, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "5000 nodes"));
	free(nodes);
	builder_free(b);
}

static void more_bytes_than_a_model_may_have_are_refused(void **state)
{
	(void)state;
	char error[256];
	struct model *model;
	/* Refused before a byte is read, so one byte will do. */
	assert_int_equal(model_load_memory("", (size_t)MODEL_MAX_BYTES + 1, &model, error, sizeof(error)), -EFBIG);
	assert_int_equal(model_load_memory("", 0, &model, error, sizeof(error)), -EINVAL);
	assert_string_equal(error, "the file is empty");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(graphs_that_cannot_be_scored_are_refused_by_name),
		cmocka_unit_test(a_file_cut_anywhere_never_passes_for_the_whole),
		cmocka_unit_test(flipped_bits_never_crash),
		cmocka_unit_test(deep_nesting_does_not_eat_the_stack),
		cmocka_unit_test(empty_messages_do_not_eat_the_memory),
		cmocka_unit_test(empty_strings_do_not_eat_the_memory),
		cmocka_unit_test(a_graph_given_many_times_does_not_eat_the_time),
		cmocka_unit_test(too_many_nodes_are_refused),
		cmocka_unit_test(more_bytes_than_a_model_may_have_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
