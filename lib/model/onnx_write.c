/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes a model as standard ONNX: Relu, Add, Log, Where, Sub, Mul, Add, Clip for the input stage, Gemm and an
 * activation for each layer, metadata_props for the rest. Nothing that differs between runs goes in, so the same
 * model gives the same bytes. Called by trainers.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "onnx.h"

#define WRITE_IR_VERSION 8
#define WRITE_OPSET	 13
#define WRITE_NAME_SIZE	 32

/* Relu, Add, Log, Where, Sub, Mul, Add, Clip, then Gemm and an activation a layer. */
#define WRITE_MAX_NODES (8 + 2 * NN_MAX_LAYERS)
/* One, mask, centre, scale, shift, two bounds, then weights, bias and two bounds a layer. */
#define WRITE_MAX_TENSORS (7 + 4 * NN_MAX_LAYERS)

struct write_node {
	Onnx__NodeProto proto;
	char name[WRITE_NAME_SIZE], output[WRITE_NAME_SIZE + 8];
	char *inputs[3], *outputs[1];
	Onnx__AttributeProto attribute, *attributes[1];
};

struct write_tensor {
	Onnx__TensorProto proto;
	char name[WRITE_NAME_SIZE + 8];
	int64_t dims[2];
};

/* [batch, n] of float: the graph's input or output. */
struct write_value {
	Onnx__ValueInfoProto proto;
	Onnx__TypeProto type;
	Onnx__TypeProto__Tensor tensor;
	Onnx__TensorShapeProto shape;
	Onnx__TensorShapeProto__Dimension dims[2], *dim_list[2];
};

/* The whole message; the parts point at each other. */
struct writer {
	Onnx__ModelProto model;
	Onnx__GraphProto graph;
	Onnx__OperatorSetIdProto opset, *opsets[1];
	struct write_node nodes[WRITE_MAX_NODES];
	Onnx__NodeProto *node_list[WRITE_MAX_NODES];
	struct write_tensor tensors[WRITE_MAX_TENSORS];
	Onnx__TensorProto *tensor_list[WRITE_MAX_TENSORS];
	struct write_value input, output;
	Onnx__ValueInfoProto *input_list[1], *output_list[1];
	bool no_memory;
};

static char empty[] = "";

/* Adds an initializer of rank 0, 1 or 2 with room for its elements: NULL when memory is out. */
static struct write_tensor *add_initializer(struct writer *writer, const char *name, int32_t type,
					    size_t element_bytes, uint32_t rank, uint32_t rows, uint32_t columns)
{
	struct write_tensor *tensor = &writer->tensors[writer->graph.n_initializer];
	size_t n_bytes = (size_t)rows * columns * element_bytes;

	snprintf(tensor->name, sizeof(tensor->name), "%s", name);
	onnx__tensor_proto__init(&tensor->proto);
	tensor->dims[0] = rank == 2 ? rows : columns;
	tensor->dims[1] = columns;
	tensor->proto.name = tensor->name;
	tensor->proto.n_dims = rank;
	tensor->proto.dims = tensor->dims;
	tensor->proto.has_data_type = 1;
	tensor->proto.data_type = type;
	tensor->proto.has_raw_data = 1;
	tensor->proto.raw_data = (ProtobufCBinaryData){.len = n_bytes, .data = malloc(n_bytes)};
	writer->no_memory |= tensor->proto.raw_data.data == NULL;
	writer->tensor_list[writer->graph.n_initializer++] = &tensor->proto;
	return tensor;
}

/* Adds numbers as an initializer of rank 0, 1 or 2 and gives its name. */
static char *add_tensor(struct writer *writer, const char *name, const float *values, uint32_t rank, uint32_t rows,
			uint32_t columns)
{
	struct write_tensor *tensor = add_initializer(writer, name, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,
						      sizeof(uint32_t), rank, rows, columns);
	size_t n = (size_t)rows * columns;
	uint32_t *bits = (uint32_t *)tensor->proto.raw_data.data;

	if (bits == NULL)
		return tensor->name;
	memcpy(bits, values, n * sizeof(*bits));
	for (size_t i = 0; i < n; i++)
		bits[i] = htole32(bits[i]);
	return tensor->name;
}

/* Adds n marks, each 0 or 1, as a vector of bool and gives its name. */
static char *add_mask(struct writer *writer, const char *name, const uint8_t *marks, uint32_t n)
{
	struct write_tensor *tensor =
		add_initializer(writer, name, ONNX__TENSOR_PROTO__DATA_TYPE__BOOL, sizeof(*marks), 1, 1, n);

	if (tensor->proto.raw_data.data != NULL)
		memcpy(tensor->proto.raw_data.data, marks, n);
	return tensor->name;
}

/* Adds a node behind value and gives it back; *value becomes its output. */
static struct write_node *add_node(struct writer *writer, const char *op, const char *name, char **value,
				   char *input1, char *input2)
{
	struct write_node *node = &writer->nodes[writer->graph.n_node];

	onnx__node_proto__init(&node->proto);
	snprintf(node->name, sizeof(node->name), "%s", name);
	snprintf(node->output, sizeof(node->output), "%s_out", name);
	node->inputs[0] = *value;
	node->inputs[1] = input1;
	node->inputs[2] = input2;
	node->outputs[0] = node->output;
	node->proto.name = node->name;
	node->proto.op_type = (char *)op;
	node->proto.input = node->inputs;
	node->proto.n_input = input2 != NULL ? 3 : input1 != NULL ? 2 : 1;
	node->proto.output = node->outputs;
	node->proto.n_output = 1;
	node->proto.attribute = node->attributes;
	node->attributes[0] = &node->attribute;
	writer->node_list[writer->graph.n_node++] = &node->proto;
	*value = node->output;
	return node;
}

static void add_int(struct write_node *node, const char *name, int64_t value)
{
	onnx__attribute_proto__init(&node->attribute);
	node->attribute.name = (char *)name;
	node->attribute.has_type = 1;
	node->attribute.type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
	node->attribute.has_i = 1;
	node->attribute.i = value;
	node->proto.n_attribute = 1;
}

static void add_float(struct write_node *node, const char *name, float value)
{
	onnx__attribute_proto__init(&node->attribute);
	node->attribute.name = (char *)name;
	node->attribute.has_type = 1;
	node->attribute.type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
	node->attribute.has_f = 1;
	node->attribute.f = value;
	node->proto.n_attribute = 1;
}

/* Clip, leaving out the bounds that bound nothing. */
static void add_clip(struct writer *writer, const char *name, char **value, float low, float high)
{
	char low_name[WRITE_NAME_SIZE + 8], high_name[WRITE_NAME_SIZE + 8];
	char *low_tensor = empty, *high_tensor = NULL;

	if (low == -INFINITY && high == INFINITY)
		return;
	snprintf(low_name, sizeof(low_name), "%s_min", name);
	snprintf(high_name, sizeof(high_name), "%s_max", name);
	if (low != -INFINITY)
		low_tensor = add_tensor(writer, low_name, &low, 0, 1, 1);
	if (high != INFINITY)
		high_tensor = add_tensor(writer, high_name, &high, 0, 1, 1);
	add_node(writer, "Clip", name, value, low_tensor, high_tensor);
}

/* Whether any number differs from the one that does nothing. */
static bool any_differs(const float *values, uint32_t n, float neutral)
{
	for (uint32_t i = 0; i < n; i++) {
		if (values[i] != neutral)
			return true;
	}
	return false;
}

/*
 * Where(mask, Log(Add(Relu(x), 1)), x), or without the Where where all inputs are marked: the only forms of a
 * logarithm that onnx_ops.c reads back.
 */
static void add_logarithm(struct writer *writer, const struct nn_network *network, char **value)
{
	const float one = 1;
	char *plain = *value, *chosen;

	if (network->input_log == NULL || memchr(network->input_log, 1, network->n_in) == NULL)
		return;
	add_node(writer, "Relu", "input_relu", value, NULL, NULL);
	add_node(writer, "Add", "input_add_one", value, add_tensor(writer, "input_one", &one, 0, 1, 1), NULL);
	add_node(writer, "Log", "input_log", value, NULL, NULL);
	if (memchr(network->input_log, 0, network->n_in) == NULL)
		return;
	chosen = add_mask(writer, "input_log_mask", network->input_log, network->n_in);
	add_node(writer, "Where", "input_where", &chosen, *value, plain);
	*value = chosen;
}

static void add_input_stage(struct writer *writer, const struct nn_network *network, char **value)
{
	uint32_t n = network->n_in;
	float centre[NN_MAX_WIDTH], shift[NN_MAX_WIDTH];

	add_logarithm(writer, network, value);
	/* -0 becomes 0, as it does when the file is read: saving again must not change it. */
	for (uint32_t i = 0; i < n; i++) {
		centre[i] = network->input_centre != NULL ? network->input_centre[i] + 0.0f : 0.0f;
		shift[i] = network->input_shift[i] + 0.0f;
	}
	if (any_differs(centre, n, 0))
		add_node(writer, "Sub", "input_sub", value, add_tensor(writer, "input_centre", centre, 1, 1, n),
			 NULL);
	/* Also a Mul by ones before an Add: without it the shift would be read as a centre. */
	if (any_differs(network->input_scale, n, 1) || any_differs(shift, n, 0))
		add_node(writer, "Mul", "input_mul", value,
			 add_tensor(writer, "input_scale", network->input_scale, 1, 1, n), NULL);
	if (any_differs(shift, n, 0))
		add_node(writer, "Add", "input_add", value, add_tensor(writer, "input_shift", shift, 1, 1, n),
			 NULL);
	add_clip(writer, "input_clip", value, network->input_low, network->input_high);
}

static void add_layer(struct writer *writer, const struct nn_layer *layer, uint32_t number, char **value)
{
	char name[WRITE_NAME_SIZE], tensor[WRITE_NAME_SIZE];
	char *weights, *bias;

	snprintf(tensor, sizeof(tensor), "dense%u_weight", number);
	weights = add_tensor(writer, tensor, layer->weights, 2, layer->n_out, layer->n_in);
	snprintf(tensor, sizeof(tensor), "dense%u_bias", number);
	bias = add_tensor(writer, tensor, layer->bias, 1, 1, layer->n_out);
	snprintf(name, sizeof(name), "dense%u", number);
	add_int(add_node(writer, "Gemm", name, value, weights, bias), "transB", 1);

	snprintf(name, sizeof(name), "%s%u", nn_activation_name(layer->activation), number);
	switch (layer->activation) {
	case NN_IDENTITY:
		break;
	case NN_RELU:
		add_node(writer, "Relu", name, value, NULL, NULL);
		break;
	case NN_LEAKY_RELU:
		add_float(add_node(writer, "LeakyRelu", name, value, NULL, NULL), "alpha", layer->alpha);
		break;
	case NN_CLIP:
		if (layer->low == 0 && layer->high == INFINITY)
			add_node(writer, "Relu", name, value, NULL, NULL);
		else
			add_clip(writer, name, value, layer->low, layer->high);
		break;
	case NN_TANH:
		add_node(writer, "Tanh", name, value, NULL, NULL);
		break;
	case NN_SIGMOID:
		add_node(writer, "Sigmoid", name, value, NULL, NULL);
		break;
	case NN_SOFTMAX:
		add_int(add_node(writer, "Softmax", name, value, NULL, NULL), "axis", -1);
		break;
	}
}

static void init_value(struct write_value *value, const char *name, uint32_t n)
{
	onnx__value_info_proto__init(&value->proto);
	onnx__type_proto__init(&value->type);
	onnx__type_proto__tensor__init(&value->tensor);
	onnx__tensor_shape_proto__init(&value->shape);
	for (int d = 0; d < 2; d++) {
		onnx__tensor_shape_proto__dimension__init(&value->dims[d]);
		value->dim_list[d] = &value->dims[d];
	}
	value->dims[0].value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
	value->dims[0].dim_param = (char *)"batch";
	value->dims[1].value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
	value->dims[1].dim_value = n;
	value->shape.n_dim = 2;
	value->shape.dim = value->dim_list;
	value->tensor.has_elem_type = 1;
	value->tensor.elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
	value->tensor.shape = &value->shape;
	value->type.value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
	value->type.tensor_type = &value->tensor;
	value->proto.name = (char *)name;
	value->proto.type = &value->type;
}

static void write_graph(struct writer *writer, const struct nn_network *network)
{
	Onnx__GraphProto *graph = &writer->graph;
	char *value = (char *)"input";

	onnx__graph_proto__init(graph);
	graph->name = (char *)"wirescore";
	graph->node = writer->node_list;
	graph->initializer = writer->tensor_list;
	if (network->has_input_stage)
		add_input_stage(writer, network, &value);
	for (uint32_t l = 0; l < network->n_layers; l++)
		add_layer(writer, &network->layers[l], l + 1, &value);
	/* The last node, whichever it is, makes the graph's output. */
	strcpy(value, "scores");
	init_value(&writer->input, "input", network->n_in);
	init_value(&writer->output, "scores", network->layers[network->n_layers - 1].n_out);
	writer->input_list[0] = &writer->input.proto;
	writer->output_list[0] = &writer->output.proto;
	graph->input = writer->input_list;
	graph->n_input = 1;
	graph->output = writer->output_list;
	graph->n_output = 1;
}

/* The model as a file's bytes, to be freed; NULL when memory is out. */
static uint8_t *pack(const struct model *model, size_t *n_bytes)
{
	struct model_entry *entries = NULL;
	size_t n_entries = 0;
	uint8_t *bytes = NULL;
	struct writer *writer = calloc(1, sizeof(*writer));

	if (writer == NULL || model_write_metadata(model, &entries, &n_entries) != 0) {
		free(writer);
		return NULL;
	}
	Onnx__StringStringEntryProto *protos = calloc(n_entries, sizeof(*protos));
	Onnx__StringStringEntryProto **list = calloc(n_entries, sizeof(*list));
	write_graph(writer, &model->network);
	if (protos != NULL && list != NULL && !writer->no_memory) {
		for (size_t i = 0; i < n_entries; i++) {
			onnx__string_string_entry_proto__init(&protos[i]);
			protos[i].key = entries[i].key;
			protos[i].value = entries[i].value;
			list[i] = &protos[i];
		}
		onnx__model_proto__init(&writer->model);
		writer->model.has_ir_version = 1;
		writer->model.ir_version = WRITE_IR_VERSION;
		writer->model.producer_name = (char *)"wirescore";
		writer->model.graph = &writer->graph;
		onnx__operator_set_id_proto__init(&writer->opset);
		writer->opset.domain = empty;
		writer->opset.has_version = 1;
		writer->opset.version = WRITE_OPSET;
		writer->opsets[0] = &writer->opset;
		writer->model.opset_import = writer->opsets;
		writer->model.n_opset_import = 1;
		writer->model.metadata_props = list;
		writer->model.n_metadata_props = n_entries;
		*n_bytes = onnx__model_proto__get_packed_size(&writer->model);
		bytes = malloc(*n_bytes);
		if (bytes != NULL)
			onnx__model_proto__pack(&writer->model, bytes);
	}
	for (size_t i = 0; i < writer->graph.n_initializer; i++)
		free(writer->tensors[i].proto.raw_data.data);
	free(protos);
	free(list);
	model_free_entries(entries, n_entries);
	free(writer);
	return bytes;
}

/* Writes all of bytes and sees them to the disk. 0 or -errno. */
static int write_all(int fd, const uint8_t *bytes, size_t n_bytes)
{
	size_t n_written = 0;
	while (n_written < n_bytes) {
		ssize_t n = write(fd, bytes + n_written, n_bytes - n_written);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		n_written += (size_t)n;
	}
	return fsync(fd) != 0 ? -errno : 0;
}

int model_save_memory(const struct model *model, uint8_t **bytes, size_t *n_bytes, char *error, size_t error_size)
{
	int rc = nn_network_check(&model->network, error, error_size);
	if (rc == 0)
		rc = model_check_metadata(model, error, error_size);
	if (rc != 0)
		return rc;
	*bytes = pack(model, n_bytes);
	return *bytes != NULL ? 0 : onnx_fail(error, error_size, -ENOMEM, "out of memory");
}

/*
 * A new file in the folder, whose name goes to *temporary, to be freed. The name is short, since that of the
 * model may be as long as names can be. The descriptor or -errno.
 */
static int open_temporary(const char *folder, char **temporary)
{
	for (unsigned attempt = 0; attempt < 1000; attempt++) {
		if (asprintf(temporary, "%s/.wirescore.%ld.%u", folder, (long)getpid(), attempt) < 0) {
			*temporary = NULL;
			return -ENOMEM;
		}
		/* Not mkstemp: the file is to have the rights that the umask gives. */
		int fd = open(*temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (fd >= 0)
			return fd;
		int rc = -errno;
		free(*temporary);
		*temporary = NULL;
		if (rc != -EEXIST)
			return rc;
	}
	return -EEXIST;
}

/* A new name outlives a power cut only once its folder is on the disk. Not all file systems can be asked. */
static void sync_folder(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

/* Replaces target by bytes; mode is that of the old file, or NULL where there is none. 0 or -errno. */
static int replace_file(const char *target, const mode_t *mode, const uint8_t *bytes, size_t n_bytes)
{
	const char *slash = strrchr(target, '/');
	char *temporary = NULL;
	/* "/" alone stays: the folder of "/a.onnx". */
	char *folder =
		slash == NULL ? strdup(".") : strndup(target, slash == target ? 1 : (size_t)(slash - target));
	if (folder == NULL)
		return -ENOMEM;
	int fd = open_temporary(folder, &temporary), rc = fd < 0 ? fd : 0;
	if (fd >= 0) {
		if (mode != NULL && fchmod(fd, *mode & 07777) != 0)
			rc = -errno;
		if (rc == 0)
			rc = write_all(fd, bytes, n_bytes);
		if (close(fd) != 0 && rc == 0)
			rc = -errno;
		if (rc == 0 && rename(temporary, target) != 0)
			rc = -errno;
		if (rc == 0)
			sync_folder(folder);
		else
			unlink(temporary);
	}
	free(temporary);
	free(folder);
	return rc;
}

int model_save(const struct model *model, const char *path, char *error, size_t error_size)
{
	struct stat status;
	size_t n_bytes = 0;
	uint8_t *bytes = NULL;

	int rc = model_save_memory(model, &bytes, &n_bytes, error, error_size);
	if (rc != 0)
		return rc;
	bool exists = stat(path, &status) == 0;
	char *target = exists ? realpath(path, NULL) : strdup(path);
	if (exists && !S_ISREG(status.st_mode))
		/* Renaming over a device or a directory would not do what the user means. */
		rc = onnx_fail(error, error_size, -EINVAL, "cannot write: it exists and is not a regular file");
	else if (target == NULL)
		rc = onnx_fail(error, error_size, -errno, "cannot write: %s", strerror(errno));
	else if ((rc = replace_file(target, exists ? &status.st_mode : NULL, bytes, n_bytes)) != 0)
		onnx_fail(error, error_size, rc, "cannot write: %s", strerror(-rc));
	free(target);
	free(bytes);
	return rc;
}
