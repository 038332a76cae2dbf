/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An ONNX graph as onnx_read.c and onnx_ops.c see it: names resolved, the one path from the input to the
 * output, constants and attributes decoded and checked. Nothing here knows what a dense layer is.
 */
#include <endian.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "onnx.h"

/* Constants made from constants: deeper than any exporter goes. */
#define ONNX_MAX_CONSTANT_DEPTH 16

int onnx_node_fail(struct onnx_reader *reader, int code, const char *format, ...)
{
	char what[256], name[ONNX_NAME_SIZE], op[ONNX_NAME_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	const Onnx__NodeProto *node = reader->node;
	if (node == NULL)
		return onnx_fail(reader->error, reader->error_size, code, "%s", what);
	onnx_printable(node->op_type != NULL ? node->op_type : "no op_type", op);
	if (node->name != NULL && node->name[0] != '\0')
		return onnx_fail(reader->error, reader->error_size, code, "node '%s' (%s): %s",
				 onnx_printable(node->name, name), op, what);
	return onnx_fail(reader->error, reader->error_size, code, "node %u (%s): %s", reader->node_index + 1, op,
			 what);
}

/* ---- Names ---- */

static int value_compare(const void *a, const void *b)
{
	return strcmp(((const struct onnx_value *)a)->name, ((const struct onnx_value *)b)->name);
}

static const struct onnx_value *value_find(const struct onnx_reader *reader, const char *name)
{
	struct onnx_value key = {.name = name};
	return bsearch(&key, reader->values, reader->n_values, sizeof(key), value_compare);
}

/* Sorts values; -EINVAL when two have one name. */
static int values_sort(struct onnx_reader *reader)
{
	char name[ONNX_NAME_SIZE];

	qsort(reader->values, reader->n_values, sizeof(*reader->values), value_compare);
	for (size_t i = 1; i < reader->n_values; i++) {
		if (strcmp(reader->values[i - 1].name, reader->values[i].name) == 0)
			return onnx_node_fail(reader, -EINVAL, "two values are named '%s'",
					      onnx_printable(reader->values[i].name, name));
	}
	return 0;
}

/* Collects initializers, the inputs that are no initializers, and the nodes' outputs. */
static int values_collect(struct onnx_reader *reader)
{
	const Onnx__GraphProto *graph = reader->graph;
	size_t n = graph->n_input + graph->n_initializer;

	for (size_t i = 0; i < graph->n_node; i++)
		n += graph->node[i]->n_output;
	reader->values = calloc(n + 1, sizeof(*reader->values));
	if (reader->values == NULL)
		return onnx_node_fail(reader, -ENOMEM, "out of memory");

	for (size_t i = 0; i < graph->n_initializer; i++) {
		const char *name = graph->initializer[i]->name;
		if (name == NULL || name[0] == '\0')
			return onnx_node_fail(reader, -EINVAL, "initializer %zu has no name", i + 1);
		reader->values[reader->n_values++] =
			(struct onnx_value){.name = name, .kind = ONNX_VALUE_INITIALIZER, .index = (uint32_t)i};
	}
	int rc = values_sort(reader);
	if (rc != 0)
		return rc;

	/* Up to IR version 3 initializers were listed among the inputs; some exporters still do so. */
	size_t n_initializers = reader->n_values, n_inputs = 0;
	struct onnx_value *end = reader->values + n_initializers;
	for (size_t i = 0; i < graph->n_input; i++) {
		const char *name = graph->input[i]->name;
		if (name == NULL || name[0] == '\0')
			return onnx_node_fail(reader, -EINVAL, "input %zu of the graph has no name", i + 1);
		if (value_find(reader, name) != NULL)
			continue;
		if (n_inputs++ == 0)
			*end = (struct onnx_value){.name = name, .kind = ONNX_VALUE_INPUT, .index = (uint32_t)i};
	}
	if (n_inputs != 1)
		return onnx_node_fail(reader, -EINVAL, "the graph has %zu inputs; one is needed: [batch, features]",
				      n_inputs);
	reader->n_values++;

	for (size_t i = 0; i < graph->n_node; i++) {
		for (size_t o = 0; o < graph->node[i]->n_output; o++) {
			const char *name = graph->node[i]->output[o];
			if (name[0] == '\0')
				continue; /* an output that nobody asked for */
			reader->values[reader->n_values++] = (struct onnx_value){
				.name = name, .kind = ONNX_VALUE_NODE, .index = (uint32_t)i, .output = (uint32_t)o};
		}
	}
	return values_sort(reader);
}

/* ---- The path ---- */

static bool value_varies(const struct onnx_reader *reader, const struct onnx_value *value)
{
	return value->kind == ONNX_VALUE_INPUT || (value->kind == ONNX_VALUE_NODE && reader->varies[value->index]);
}

/*
 * Marks the nodes that depend on the graph's input. ONNX wants nodes in an order in which each value is made
 * before it is used; checking that also rules out cycles.
 */
static int graph_mark(struct onnx_reader *reader)
{
	const Onnx__GraphProto *graph = reader->graph;

	reader->varies = calloc(graph->n_node + 1, sizeof(*reader->varies));
	if (reader->varies == NULL)
		return onnx_node_fail(reader, -ENOMEM, "out of memory");
	for (size_t n = 0; n < graph->n_node; n++) {
		reader->node = graph->node[n];
		reader->node_index = (uint32_t)n;
		for (size_t i = 0; i < reader->node->n_input; i++) {
			char name[ONNX_NAME_SIZE];
			if (reader->node->input[i][0] == '\0')
				continue; /* an optional input left out */
			const struct onnx_value *value = value_find(reader, reader->node->input[i]);
			onnx_printable(reader->node->input[i], name);
			if (value == NULL)
				return onnx_node_fail(reader, -EINVAL, "its input '%s' comes from nowhere", name);
			if (value->kind == ONNX_VALUE_NODE && value->index >= n)
				return onnx_node_fail(
					reader, -EINVAL,
					"its input '%s' is made by a later node: a cycle, or nodes out "
					"of order",
					name);
			if (value_varies(reader, value))
				reader->varies[n] = true;
		}
	}
	reader->node = NULL;
	return 0;
}

/* The graph's output, or of several the probabilities. NULL when there is no telling. */
static const Onnx__ValueInfoProto *graph_output(const Onnx__GraphProto *graph)
{
	/* skl2onnx: the names with and without ZipMap. */
	static const char *const probabilities[] = {"probabilities", "output_probability"};

	if (graph->n_output == 1)
		return graph->output[0];
	for (size_t i = 0; i < graph->n_output; i++) {
		for (size_t p = 0; p < sizeof(probabilities) / sizeof(probabilities[0]); p++) {
			if (graph->output[i]->name != NULL && strcmp(graph->output[i]->name, probabilities[p]) == 0)
				return graph->output[i];
		}
	}
	return NULL;
}

bool onnx_is_default_domain(const char *domain)
{
	return domain == NULL || domain[0] == '\0' || strcmp(domain, "ai.onnx") == 0;
}

/* The node is ONNX's own operator of that name, not another domain's namesake. */
static bool is_operator(const Onnx__NodeProto *node, const char *op_type)
{
	return node->op_type != NULL && strcmp(node->op_type, op_type) == 0 && onnx_is_default_domain(node->domain);
}

/*
 * Concat(1 - p, p): how skl2onnx ends a binary classifier. Says whether the node at work is that, judged by
 * names alone; onnx_ops.c checks the numbers.
 */
static bool is_complement(const struct onnx_reader *reader)
{
	const Onnx__NodeProto *node = reader->node;
	if (!is_operator(node, "Concat") || node->n_input != 2)
		return false;
	const struct onnx_value *first = value_find(reader, node->input[0]);
	if (first == NULL || first->kind != ONNX_VALUE_NODE)
		return false;
	const Onnx__NodeProto *sub = reader->graph->node[first->index];
	return is_operator(sub, "Sub") && sub->n_input == 2 && strcmp(sub->input[1], node->input[1]) == 0;
}

/* How many inputs of a node depend on the graph's input; *slot becomes the last of them. */
static uint32_t node_count_varying(const struct onnx_reader *reader, const Onnx__NodeProto *node, uint32_t *slot)
{
	uint32_t n_varying = 0;

	for (size_t i = 0; i < node->n_input; i++) {
		const struct onnx_value *input = value_find(reader, node->input[i]);
		if (input != NULL && value_varies(reader, input)) {
			n_varying++;
			*slot = (uint32_t)i;
		}
	}
	return n_varying;
}

/* Whether n nodes in one row make `to` from `from`; they become steps. */
static bool leads_to(const struct onnx_reader *reader, const char *from, const char *to, struct onnx_step *steps,
		     uint32_t n)
{
	while (n-- > 0) {
		const struct onnx_value *value = value_find(reader, to);
		if (value == NULL || value->kind != ONNX_VALUE_NODE || value->output != 0)
			return false;
		const Onnx__NodeProto *node = reader->graph->node[value->index];
		steps[n].node = value->index;
		if (node_count_varying(reader, node, &steps[n].slot) != 1)
			return false;
		to = node->input[steps[n].slot];
	}
	return strcmp(from, to) == 0;
}

int onnx_log_branch(struct onnx_reader *reader, struct onnx_step branch[ONNX_LOG_BRANCH], uint32_t *plain)
{
	const Onnx__NodeProto *node = reader->node;
	const struct onnx_value *mask = node->n_input == 3 ? value_find(reader, node->input[0]) : NULL;

	if (mask != NULL && value_varies(reader, mask))
		return onnx_node_fail(reader, -EINVAL, "its condition depends on the graph's input");
	for (*plain = 2; mask != NULL && *plain >= 1; (*plain)--) {
		if (leads_to(reader, node->input[*plain], node->input[3 - *plain], branch, ONNX_LOG_BRANCH) &&
		    is_operator(reader->graph->node[branch[ONNX_LOG_BRANCH - 1].node], "Log"))
			return 0;
	}
	return onnx_node_fail(
		reader, -EINVAL,
		"only Where(mask, Log(Add(Relu(x), 1)), x), the logarithm of some inputs, can be folded");
}

/* Walks back from the output to the input. */
static int graph_trace(struct onnx_reader *reader)
{
	const Onnx__GraphProto *graph = reader->graph;
	const Onnx__ValueInfoProto *output = graph_output(graph);
	char name[ONNX_NAME_SIZE];

	if (output == NULL)
		return onnx_node_fail(reader, -EINVAL,
				      "the graph has %zu outputs; one is needed: [batch, classes], or several of "
				      "which one is named 'probabilities'",
				      graph->n_output);
	reader->path = calloc(graph->n_node + 1, sizeof(*reader->path));
	if (reader->path == NULL)
		return onnx_node_fail(reader, -ENOMEM, "out of memory");

	const char *wanted = output->name != NULL ? output->name : "";
	uint32_t at = (uint32_t)graph->n_node; /* the path is filled from the back */
	for (;;) {
		const struct onnx_value *value = value_find(reader, wanted);
		if (value == NULL)
			return onnx_node_fail(reader, -EINVAL, "the graph's output '%s' comes from nowhere",
					      onnx_printable(wanted, name));
		if (!value_varies(reader, value))
			return onnx_node_fail(reader, -EINVAL, "the graph's output does not depend on its input");
		if (value->kind == ONNX_VALUE_INPUT)
			break;
		reader->node = graph->node[value->index];
		reader->node_index = value->index;
		if (value->output != 0)
			return onnx_node_fail(reader, -EINVAL,
					      "only its first output can be scored, and '%s' is used",
					      onnx_printable(wanted, name));
		uint32_t slot = 0, n_varying = node_count_varying(reader, reader->node, &slot);
		if (is_operator(reader->node, "Where")) {
			struct onnx_step branch[ONNX_LOG_BRANCH];
			int rc = onnx_log_branch(reader, branch, &slot);
			if (rc != 0)
				return rc;
		} else if (n_varying != 1 && !is_complement(reader)) {
			return onnx_node_fail(
				reader, -EINVAL,
				"%u of its inputs depend on the graph's input; layers in one row can be "
				"scored, branches cannot",
				n_varying);
		}
		/* Every step goes to an earlier node, so the path cannot outgrow the graph. */
		reader->path[--at] = (struct onnx_step){.node = value->index, .slot = slot};
		wanted = reader->node->input[slot];
	}
	reader->node = NULL;
	reader->n_path = (uint32_t)graph->n_node - at;
	memmove(reader->path, reader->path + at, reader->n_path * sizeof(*reader->path));
	return 0;
}

int onnx_graph_open(struct onnx_reader *reader)
{
	if (reader->graph->n_node > ONNX_MAX_NODES)
		return onnx_node_fail(reader, -EINVAL, "the graph has %zu nodes; at most %d are read",
				      reader->graph->n_node, ONNX_MAX_NODES);
	int rc = values_collect(reader);
	if (rc == 0)
		rc = graph_mark(reader);
	if (rc == 0)
		rc = graph_trace(reader);
	return rc;
}

void onnx_graph_close(struct onnx_reader *reader)
{
	free(reader->values);
	free(reader->varies);
	free(reader->path);
}

/* ---- Constants ---- */

static const char *type_name(int32_t type)
{
	static const char *const names[] = {
		[ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT] = "float",
		[ONNX__TENSOR_PROTO__DATA_TYPE__UINT8] = "uint8",
		[ONNX__TENSOR_PROTO__DATA_TYPE__INT8] = "int8",
		[ONNX__TENSOR_PROTO__DATA_TYPE__UINT16] = "uint16",
		[ONNX__TENSOR_PROTO__DATA_TYPE__INT16] = "int16",
		[ONNX__TENSOR_PROTO__DATA_TYPE__INT32] = "int32",
		[ONNX__TENSOR_PROTO__DATA_TYPE__INT64] = "int64",
		[ONNX__TENSOR_PROTO__DATA_TYPE__STRING] = "string",
		[ONNX__TENSOR_PROTO__DATA_TYPE__BOOL] = "bool",
		[ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16] = "float16",
		[ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE] = "double",
		[ONNX__TENSOR_PROTO__DATA_TYPE__UINT32] = "uint32",
		[ONNX__TENSOR_PROTO__DATA_TYPE__UINT64] = "uint64",
		[ONNX__TENSOR_PROTO__DATA_TYPE__COMPLEX64] = "complex64",
		[ONNX__TENSOR_PROTO__DATA_TYPE__COMPLEX128] = "complex128",
		[ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16] = "bfloat16",
	};
	if (type < 0 || (size_t)type >= sizeof(names) / sizeof(names[0]) || names[type] == NULL)
		return "unknown type";
	return names[type];
}

static double read_float(const uint8_t *bytes)
{
	uint32_t word;
	float value;
	memcpy(&word, bytes, sizeof(word));
	word = le32toh(word);
	memcpy(&value, &word, sizeof(value));
	return (double)value;
}

static double read_double(const uint8_t *bytes)
{
	uint64_t word;
	double value;
	memcpy(&word, bytes, sizeof(word));
	word = le64toh(word);
	memcpy(&value, &word, sizeof(value));
	return value;
}

static double read_int32(const uint8_t *bytes)
{
	uint32_t word;
	memcpy(&word, bytes, sizeof(word));
	return (double)(int32_t)le32toh(word);
}

static double read_int64(const uint8_t *bytes)
{
	uint64_t word;
	memcpy(&word, bytes, sizeof(word));
	return (double)(int64_t)le64toh(word);
}

static double read_bool(const uint8_t *bytes)
{
	return *bytes != 0;
}

/* name is what the tensor is called in messages. */
static int tensor_decode(struct onnx_reader *reader, const Onnx__TensorProto *proto, const char *name,
			 struct onnx_tensor *tensor)
{
	char shown[ONNX_NAME_SIZE];
	onnx_printable(name, shown);
	*tensor = (struct onnx_tensor){.n = 1};

	if (proto->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL || proto->n_external_data > 0)
		return onnx_node_fail(
			reader, -EINVAL,
			"the numbers of '%s' are in another file; save the model with its weights inside", shown);
	if (proto->segment != NULL)
		return onnx_node_fail(reader, -EINVAL, "'%s' is one segment of a tensor", shown);
	if (proto->n_dims > ONNX_MAX_RANK)
		return onnx_node_fail(reader, -EINVAL, "'%s' has %zu dimensions", shown, proto->n_dims);
	uint64_t n = 1;
	for (size_t d = 0; d < proto->n_dims; d++) {
		if (proto->dims[d] < 1 || proto->dims[d] > ONNX_MAX_ELEMENTS)
			return onnx_node_fail(reader, -EINVAL, "'%s' has a dimension of %lld", shown,
					      (long long)proto->dims[d]);
		tensor->dims[d] = (uint32_t)proto->dims[d];
		n *= tensor->dims[d]; /* below 2^18 * 2^18 */
		if (n > ONNX_MAX_ELEMENTS)
			return onnx_node_fail(reader, -EINVAL, "'%s' has more than %d numbers", shown,
					      ONNX_MAX_ELEMENTS);
	}
	tensor->rank = (uint32_t)proto->n_dims;
	tensor->n = (uint32_t)n;

	size_t n_typed, width;
	double (*read)(const uint8_t *bytes);
	switch (proto->data_type) {
	case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
		n_typed = proto->n_float_data, width = 4, read = read_float;
		break;
	case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
		n_typed = proto->n_double_data, width = 8, read = read_double;
		break;
	case ONNX__TENSOR_PROTO__DATA_TYPE__INT32:
		n_typed = proto->n_int32_data, width = 4, read = read_int32;
		break;
	case ONNX__TENSOR_PROTO__DATA_TYPE__BOOL:
		n_typed = proto->n_int32_data, width = 1, read = read_bool;
		break;
	case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
		n_typed = proto->n_int64_data, width = 8, read = read_int64;
		break;
	default:
		return onnx_node_fail(reader, -EINVAL, "'%s' is of type %s; float and double are read", shown,
				      type_name(proto->data_type));
	}
	tensor->integer = proto->data_type != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT &&
			  proto->data_type != ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE;
	tensor->boolean = proto->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__BOOL;
	bool raw = proto->has_raw_data && proto->raw_data.len > 0;
	if (raw && n_typed > 0)
		return onnx_node_fail(reader, -EINVAL, "'%s' holds its numbers twice", shown);
	if (raw ? proto->raw_data.len != n * width : n_typed != n)
		return onnx_node_fail(reader, -EINVAL, "'%s' is to hold %u numbers, but holds %zu%s", shown,
				      tensor->n, raw ? proto->raw_data.len : n_typed, raw ? " bytes" : "");

	tensor->values = malloc(n * sizeof(*tensor->values));
	if (tensor->values == NULL)
		return onnx_node_fail(reader, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < tensor->n; i++) {
		double value;
		if (raw)
			value = read(proto->raw_data.data + i * width);
		else if (proto->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT)
			value = (double)proto->float_data[i];
		else if (proto->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE)
			value = proto->double_data[i];
		else if (proto->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT64)
			value = (double)proto->int64_data[i];
		else
			value = proto->int32_data[i];
		tensor->values[i] = value;
	}
	return 0;
}

/* What a Constant node holds. */
static int constant_node(struct onnx_reader *reader, const Onnx__NodeProto *node, const char *name,
			 struct onnx_tensor *tensor)
{
	const Onnx__AttributeProto *attribute;
	Onnx__TensorProto proto = ONNX__TENSOR_PROTO__INIT;
	int64_t dim;

	char shown[ONNX_NAME_SIZE];
	if (node->n_attribute > 1)
		return onnx_node_fail(reader, -EINVAL, "'%s' is a Constant of several values",
				      onnx_printable(name, shown));
	attribute = onnx_attribute(node, "value");
	if (attribute != NULL && attribute->t != NULL)
		return tensor_decode(reader, attribute->t, name, tensor);
	/* The short forms, since opset 12. */
	proto.dims = &dim;
	if ((attribute = onnx_attribute(node, "value_float")) != NULL && attribute->has_f) {
		proto.data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
		proto.float_data = (float[]){attribute->f};
		proto.n_float_data = 1;
		return tensor_decode(reader, &proto, name, tensor);
	}
	if ((attribute = onnx_attribute(node, "value_int")) != NULL && attribute->has_i) {
		proto.data_type = ONNX__TENSOR_PROTO__DATA_TYPE__INT64;
		proto.int64_data = (int64_t[]){attribute->i};
		proto.n_int64_data = 1;
		return tensor_decode(reader, &proto, name, tensor);
	}
	if ((attribute = onnx_attribute(node, "value_floats")) != NULL) {
		proto.data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
		proto.float_data = attribute->floats;
		proto.n_float_data = attribute->n_floats;
		dim = (int64_t)attribute->n_floats;
		proto.n_dims = 1;
		return tensor_decode(reader, &proto, name, tensor);
	}
	if ((attribute = onnx_attribute(node, "value_ints")) != NULL) {
		proto.data_type = ONNX__TENSOR_PROTO__DATA_TYPE__INT64;
		proto.int64_data = attribute->ints;
		proto.n_int64_data = attribute->n_ints;
		dim = (int64_t)attribute->n_ints;
		proto.n_dims = 1;
		return tensor_decode(reader, &proto, name, tensor);
	}
	return onnx_node_fail(reader, -EINVAL, "'%s' is a Constant without numbers", onnx_printable(name, shown));
}

/* Swaps the axes of a matrix. As everywhere here, a tensor that failed holds nothing. */
static int tensor_transpose(struct onnx_reader *reader, struct onnx_tensor *tensor)
{
	uint32_t rows = tensor->dims[0], columns = tensor->dims[1];
	double *values = malloc(tensor->n * sizeof(*values));
	if (values == NULL) {
		free(tensor->values);
		tensor->values = NULL;
		return onnx_node_fail(reader, -ENOMEM, "out of memory");
	}
	for (uint32_t r = 0; r < rows; r++) {
		for (uint32_t c = 0; c < columns; c++)
			values[(size_t)c * rows + r] = tensor->values[(size_t)r * columns + c];
	}
	free(tensor->values);
	tensor->values = values;
	tensor->dims[0] = columns;
	tensor->dims[1] = rows;
	return 0;
}

static int constant_value(struct onnx_reader *reader, const char *name, unsigned depth, struct onnx_tensor *tensor)
{
	char shown[ONNX_NAME_SIZE];
	const struct onnx_value *value = value_find(reader, name);
	onnx_printable(name, shown);

	if (value == NULL || value_varies(reader, value))
		return onnx_node_fail(reader, -EINVAL, "'%s' must be a constant", shown);
	if (value->kind == ONNX_VALUE_INITIALIZER)
		return tensor_decode(reader, reader->graph->initializer[value->index], name, tensor);
	const Onnx__NodeProto *node = reader->graph->node[value->index];
	if (is_operator(node, "Constant"))
		return constant_node(reader, node, name, tensor);
	bool transpose = is_operator(node, "Transpose"), cast = is_operator(node, "Cast");
	const Onnx__AttributeProto *perm = transpose ? onnx_attribute(node, "perm") : NULL;
	const Onnx__AttributeProto *to = cast ? onnx_attribute(node, "to") : NULL;
	cast = to != NULL &&
	       (to->i == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT || to->i == ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE);
	/* No attribute but the one that is read. */
	if ((!transpose && !cast && !is_operator(node, "Identity")) || node->n_input != 1 ||
	    node->n_attribute != (size_t)(perm != NULL) + (to != NULL)) {
		char op[ONNX_NAME_SIZE];
		onnx_printable(node->op_type != NULL ? node->op_type : "", op);
		return onnx_node_fail(reader, -EINVAL,
				      "its constant '%s' is computed by %s; let the exporter fold constants", shown,
				      op);
	}
	if (depth == ONNX_MAX_CONSTANT_DEPTH)
		return onnx_node_fail(reader, -EINVAL, "its constant '%s' is computed in too many steps", shown);
	int rc = constant_value(reader, node->input[0], depth + 1, tensor);
	if (rc == 0 && cast)
		tensor->integer = tensor->boolean = false;
	if (rc != 0 || !transpose)
		return rc;
	bool same = perm != NULL && perm->n_ints == 2 && perm->ints[0] == 0 && perm->ints[1] == 1;
	bool swapped = perm == NULL || (perm->n_ints == 2 && perm->ints[0] == 1 && perm->ints[1] == 0);
	if (tensor->rank != 2 || (!same && !swapped)) {
		free(tensor->values);
		tensor->values = NULL;
		return onnx_node_fail(reader, -EINVAL, "its constant '%s' is transposed, but is no matrix", shown);
	}
	if (same)
		return 0;
	return tensor_transpose(reader, tensor);
}

bool onnx_has_input(const struct onnx_reader *reader, uint32_t slot)
{
	return slot < reader->node->n_input && reader->node->input[slot][0] != '\0';
}

int onnx_constant(struct onnx_reader *reader, uint32_t slot, struct onnx_tensor *tensor)
{
	if (!onnx_has_input(reader, slot))
		return onnx_node_fail(reader, -EINVAL, "its input %u is missing", slot + 1);
	return constant_value(reader, reader->node->input[slot], 0, tensor);
}

int onnx_weights(struct onnx_reader *reader, uint32_t slot, struct onnx_tensor *tensor)
{
	char shown[ONNX_NAME_SIZE];
	int rc = onnx_constant(reader, slot, tensor);
	if (rc != 0)
		return rc;
	onnx_printable(reader->node->input[slot], shown);
	if (tensor->integer)
		rc = onnx_node_fail(reader, -EINVAL, "'%s' holds integers; float and double are read", shown);
	for (uint32_t i = 0; rc == 0 && i < tensor->n; i++) {
		if (!isfinite(tensor->values[i]))
			rc = onnx_node_fail(reader, -EINVAL, "number %u of '%s' is %s", i + 1, shown,
					    isnan(tensor->values[i]) ? "NaN" : "infinite");
	}
	if (rc != 0) {
		free(tensor->values);
		tensor->values = NULL;
	}
	return rc;
}

int onnx_check_complement(struct onnx_reader *reader)
{
	struct onnx_tensor one;

	if (!is_complement(reader))
		return onnx_node_fail(reader, -EINVAL,
				      "only Concat(1 - p, p) of a classifier's output can be folded");
	const struct onnx_value *first = value_find(reader, reader->node->input[0]);
	int rc = constant_value(reader, reader->graph->node[first->index]->input[0], 0, &one);
	if (rc != 0)
		return rc;
	if (one.n != 1 || one.values[0] != 1)
		rc = onnx_node_fail(reader, -EINVAL,
				    "only Concat(1 - p, p) of a classifier's output can be folded");
	free(one.values);
	return rc;
}

/* ---- Attributes ---- */

const Onnx__AttributeProto *onnx_attribute(const Onnx__NodeProto *node, const char *name)
{
	for (size_t i = 0; i < node->n_attribute; i++) {
		if (node->attribute[i]->name != NULL && strcmp(node->attribute[i]->name, name) == 0)
			return node->attribute[i];
	}
	return NULL;
}

int onnx_attribute_int(struct onnx_reader *reader, const char *name, int64_t absent, int64_t *value)
{
	const Onnx__AttributeProto *attribute = onnx_attribute(reader->node, name);
	if (attribute != NULL && !attribute->has_i)
		return onnx_node_fail(reader, -EINVAL, "its attribute %s is no integer", name);
	*value = attribute != NULL ? attribute->i : absent;
	return 0;
}

int onnx_attribute_float(struct onnx_reader *reader, const char *name, double absent, double *value)
{
	const Onnx__AttributeProto *attribute = onnx_attribute(reader->node, name);
	if (attribute != NULL && (!attribute->has_f || !isfinite(attribute->f)))
		return onnx_node_fail(reader, -EINVAL, "its attribute %s is no finite number", name);
	*value = attribute != NULL ? (double)attribute->f : absent;
	return 0;
}
