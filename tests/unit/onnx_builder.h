/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Builds ONNX files from the generated protobuf structs, well-formed and otherwise, for test_model*.c and the
 * seeds of fuzz_model.c. Whatever is built belongs to the builder and is freed with it.
 */
#ifndef WIRESCORE_TESTS_ONNX_BUILDER_H
#define WIRESCORE_TESTS_ONNX_BUILDER_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "onnx.pb-c.h"

#define BUILDER_MAX 64

struct builder {
	Onnx__ModelProto model;
	Onnx__GraphProto graph;
	Onnx__OperatorSetIdProto opset, *opsets[2];
	Onnx__NodeProto nodes[BUILDER_MAX], *node_list[BUILDER_MAX];
	Onnx__TensorProto *tensor_list[BUILDER_MAX];
	Onnx__ValueInfoProto inputs[4], *input_list[4], outputs[4], *output_list[4];
	Onnx__StringStringEntryProto entries[BUILDER_MAX], *entry_list[BUILDER_MAX];
	void *owned[1024];
	size_t n_owned;
};

static inline void *builder_alloc(struct builder *b, size_t size)
{
	if (b->n_owned == sizeof(b->owned) / sizeof(b->owned[0]))
		abort();
	void *p = calloc(1, size != 0 ? size : 1);
	if (p == NULL)
		abort();
	b->owned[b->n_owned++] = p;
	return p;
}

static inline char *builder_text(struct builder *b, const char *text)
{
	return strcpy(builder_alloc(b, strlen(text) + 1), text);
}

static inline void builder_free(struct builder *b)
{
	for (size_t i = 0; i < b->n_owned; i++)
		free(b->owned[i]);
	free(b);
}

/* n_dims dimensions; -1 is the symbolic batch. */
static inline void builder_value(struct builder *b, Onnx__ValueInfoProto *value, const char *name, int32_t type,
				 size_t n_dims, const int64_t *dims)
{
	onnx__value_info_proto__init(value);
	Onnx__TypeProto *type_proto = builder_alloc(b, sizeof(*type_proto));
	Onnx__TypeProto__Tensor *tensor = builder_alloc(b, sizeof(*tensor));
	Onnx__TensorShapeProto *shape = builder_alloc(b, sizeof(*shape));
	onnx__type_proto__init(type_proto);
	onnx__type_proto__tensor__init(tensor);
	onnx__tensor_shape_proto__init(shape);
	shape->n_dim = n_dims;
	shape->dim = builder_alloc(b, n_dims * sizeof(*shape->dim));
	for (size_t i = 0; i < n_dims; i++) {
		Onnx__TensorShapeProto__Dimension *dim = builder_alloc(b, sizeof(*dim));
		onnx__tensor_shape_proto__dimension__init(dim);
		if (dims[i] == -1) {
			dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
			dim->dim_param = builder_text(b, "batch");
		} else {
			dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
			dim->dim_value = dims[i];
		}
		shape->dim[i] = dim;
	}
	tensor->has_elem_type = 1;
	tensor->elem_type = type;
	tensor->shape = shape;
	type_proto->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
	type_proto->tensor_type = tensor;
	value->name = builder_text(b, name);
	value->type = type_proto;
}

/* A model with an input x of [batch, n_in] floats and an output y; nodes are added. */
static inline struct builder *builder_new(int64_t opset, int64_t n_in)
{
	struct builder *b = calloc(1, sizeof(*b));
	if (b == NULL)
		abort();
	onnx__model_proto__init(&b->model);
	onnx__graph_proto__init(&b->graph);
	onnx__operator_set_id_proto__init(&b->opset);
	b->model.has_ir_version = 1;
	b->model.ir_version = 8;
	b->opset.has_version = 1;
	b->opset.version = opset;
	b->opsets[0] = &b->opset;
	b->model.opset_import = b->opsets;
	b->model.n_opset_import = 1;
	b->model.graph = &b->graph;
	b->model.metadata_props = b->entry_list;
	b->graph.node = b->node_list;
	b->graph.initializer = b->tensor_list;
	b->graph.input = b->input_list;
	b->graph.output = b->output_list;
	for (int i = 0; i < 4; i++) {
		b->input_list[i] = &b->inputs[i];
		b->output_list[i] = &b->outputs[i];
	}
	builder_value(b, &b->inputs[0], "x", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, 2, (int64_t[]){-1, n_in});
	builder_value(b, &b->outputs[0], "y", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, 2, (int64_t[]){-1, 1});
	b->graph.n_input = b->graph.n_output = 1;
	return b;
}

/* A tensor of floats, not yet in the graph. */
static inline Onnx__TensorProto *builder_loose_tensor(struct builder *b, const char *name, size_t n_dims,
						      const int64_t *dims, const float *values, size_t n)
{
	Onnx__TensorProto *t = builder_alloc(b, sizeof(*t));
	onnx__tensor_proto__init(t);
	t->name = builder_text(b, name);
	t->n_dims = n_dims;
	t->dims = builder_alloc(b, n_dims * sizeof(*t->dims));
	memcpy(t->dims, dims, n_dims * sizeof(*t->dims));
	t->has_data_type = 1;
	t->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
	t->n_float_data = n;
	t->float_data = builder_alloc(b, n * sizeof(*t->float_data));
	if (n > 0)
		memcpy(t->float_data, values, n * sizeof(*t->float_data));
	return t;
}

static inline Onnx__TensorProto *builder_tensor(struct builder *b, const char *name, size_t n_dims,
						const int64_t *dims, const float *values, size_t n)
{
	Onnx__TensorProto *t = builder_loose_tensor(b, name, n_dims, dims, values, n);
	b->tensor_list[b->graph.n_initializer++] = t;
	return t;
}

#define VECTOR(b, name, ...)                                                                    \
	builder_tensor(b, name, 1, (int64_t[]){sizeof((float[]){__VA_ARGS__}) / sizeof(float)}, \
		       (float[]){__VA_ARGS__}, sizeof((float[]){__VA_ARGS__}) / sizeof(float))
#define SCALAR(b, name, value) builder_tensor(b, name, 0, (int64_t[]){0}, (float[]){value}, 1)
#define MATRIX(b, name, rows, columns, ...)                                            \
	builder_tensor(b, name, 2, (int64_t[]){rows, columns}, (float[]){__VA_ARGS__}, \
		       sizeof((float[]){__VA_ARGS__}) / sizeof(float))

/* A vector of int64: shapes and axes. */
static inline Onnx__TensorProto *builder_ints(struct builder *b, const char *name, size_t n, const int64_t *values)
{
	Onnx__TensorProto *t = builder_tensor(b, name, 1, (int64_t[]){(int64_t)n}, NULL, 0);
	t->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__INT64;
	t->n_int64_data = n;
	t->int64_data = builder_alloc(b, n * sizeof(*values));
	memcpy(t->int64_data, values, n * sizeof(*values));
	return t;
}

/* A tensor of bool, one byte each, of any shape of n elements. */
static inline Onnx__TensorProto *builder_bools(struct builder *b, const char *name, size_t n_dims,
					       const int64_t *dims, size_t n, const uint8_t *values)
{
	Onnx__TensorProto *t = builder_tensor(b, name, n_dims, dims, NULL, 0);
	t->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__BOOL;
	t->has_raw_data = 1;
	t->raw_data.len = n;
	t->raw_data.data = builder_alloc(b, n);
	memcpy(t->raw_data.data, values, n);
	return t;
}

#define MASK(b, name, ...)                                                                                         \
	builder_bools(b, name, 1, (int64_t[]){sizeof((uint8_t[]){__VA_ARGS__})}, sizeof((uint8_t[]){__VA_ARGS__}), \
		      (uint8_t[]){__VA_ARGS__})

/* A node; inputs are names separated by spaces, "-" being one left out. */
static inline Onnx__NodeProto *builder_node(struct builder *b, const char *op, const char *name, const char *inputs,
					    const char *output)
{
	Onnx__NodeProto *node = &b->nodes[b->graph.n_node];
	onnx__node_proto__init(node);
	node->op_type = builder_text(b, op);
	node->name = builder_text(b, name);
	node->input = builder_alloc(b, 8 * sizeof(*node->input));
	node->output = builder_alloc(b, 4 * sizeof(*node->output));
	node->attribute = builder_alloc(b, 4 * sizeof(*node->attribute));
	char *rest = builder_text(b, inputs), *save;
	for (char *t = strtok_r(rest, " ", &save); t != NULL; t = strtok_r(NULL, " ", &save))
		node->input[node->n_input++] = strcmp(t, "-") == 0 ? builder_text(b, "") : t;
	node->output[node->n_output++] = builder_text(b, output);
	b->node_list[b->graph.n_node++] = node;
	return node;
}

static inline Onnx__AttributeProto *builder_attribute(struct builder *b, Onnx__NodeProto *node, const char *name)
{
	Onnx__AttributeProto *a = builder_alloc(b, sizeof(*a));
	onnx__attribute_proto__init(a);
	a->name = builder_text(b, name);
	node->attribute[node->n_attribute++] = a;
	return a;
}

static inline void builder_int(struct builder *b, Onnx__NodeProto *node, const char *name, int64_t value)
{
	Onnx__AttributeProto *a = builder_attribute(b, node, name);
	a->has_i = 1;
	a->i = value;
}

static inline void builder_float(struct builder *b, Onnx__NodeProto *node, const char *name, float value)
{
	Onnx__AttributeProto *a = builder_attribute(b, node, name);
	a->has_f = 1;
	a->f = value;
}

static inline void builder_floats(struct builder *b, Onnx__NodeProto *node, const char *name, size_t n,
				  const float *values)
{
	Onnx__AttributeProto *a = builder_attribute(b, node, name);
	a->n_floats = n;
	a->floats = builder_alloc(b, n * sizeof(*values));
	memcpy(a->floats, values, n * sizeof(*values));
}

static inline void builder_entry(struct builder *b, const char *key, const char *value)
{
	Onnx__StringStringEntryProto *entry = &b->entries[b->model.n_metadata_props];
	onnx__string_string_entry_proto__init(entry);
	entry->key = builder_text(b, key);
	entry->value = builder_text(b, value);
	b->entry_list[b->model.n_metadata_props++] = entry;
}

/* The file's bytes; they live as long as the builder. */
static inline uint8_t *builder_pack(struct builder *b, size_t *n_bytes)
{
	*n_bytes = onnx__model_proto__get_packed_size(&b->model);
	uint8_t *bytes = builder_alloc(b, *n_bytes);
	onnx__model_proto__pack(&b->model, bytes);
	return bytes;
}

#endif
