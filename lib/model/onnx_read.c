/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads a model: file, protobuf, graph, dense layers, metadata, each step refusing what the next one could
 * not bear. Called by every command that takes a model.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "onnx.h"

/* Learns the opset. What operators mean must be said once, by ONNX, and have been read here. */
static int read_opset(struct onnx_reader *reader, const Onnx__ModelProto *message)
{
	char name[ONNX_NAME_SIZE];
	size_t n_imports = 0;

	for (size_t i = 0; i < message->n_opset_import; i++) {
		if (!onnx_is_default_domain(message->opset_import[i]->domain))
			continue;
		reader->opset = message->opset_import[i]->version;
		n_imports++;
	}
	if (n_imports > 1)
		return onnx_node_fail(reader, -EINVAL, "ONNX opsets are imported %zu times; once is right",
				      n_imports);
	if (reader->opset < ONNX_MIN_OPSET || reader->opset > ONNX_MAX_OPSET)
		return onnx_node_fail(reader, -EINVAL,
				      "ONNX opset %lld; %d to %d are read: export it for one of them",
				      (long long)reader->opset, ONNX_MIN_OPSET, ONNX_MAX_OPSET);
	for (size_t i = 0; i < message->n_functions; i++) {
		const Onnx__FunctionProto *function = message->functions[i];
		if (onnx_is_default_domain(function->domain) || strcmp(function->domain, "ai.onnx.ml") == 0)
			return onnx_node_fail(reader, -EINVAL, "the file defines ONNX's operator '%s' anew",
					      onnx_printable(function->name != NULL ? function->name : "", name));
	}
	return 0;
}

/* Learns type and shape of the graph's input: [batch, features], or more dimensions to be flattened. */
static int read_input(struct onnx_reader *reader)
{
	const Onnx__ValueInfoProto *input = NULL;
	char name[ONNX_NAME_SIZE];

	for (size_t i = 0; i < reader->n_values; i++) {
		if (reader->values[i].kind == ONNX_VALUE_INPUT)
			input = reader->graph->input[reader->values[i].index];
	}
	onnx_printable(input->name, name);
	if (input->type == NULL || input->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
		return onnx_node_fail(reader, -EINVAL, "the input '%s' is not a tensor", name);
	const Onnx__TypeProto__Tensor *tensor = input->type->tensor_type;
	switch (tensor->elem_type) {
	case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
	case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
		break;
	case ONNX__TENSOR_PROTO__DATA_TYPE__UINT8:
	case ONNX__TENSOR_PROTO__DATA_TYPE__UINT16:
	case ONNX__TENSOR_PROTO__DATA_TYPE__INT16:
	case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32:
	case ONNX__TENSOR_PROTO__DATA_TYPE__INT32:
	case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
		reader->integer = true;
		break;
	default: /* int8 among them: bytes from 128 on would not be what the model was trained on */
		return onnx_node_fail(reader, -EINVAL, "the input '%s' is of type %d; numbers are needed", name,
				      tensor->elem_type);
	}
	reader->rank = 2;
	if (tensor->shape == NULL)
		return 0;
	const Onnx__TensorShapeProto *shape = tensor->shape;
	if (shape->n_dim < 2 || shape->n_dim > ONNX_MAX_RANK)
		return onnx_node_fail(reader, -EINVAL,
				      "the input '%s' has %zu dimensions; [batch, features] is needed", name,
				      shape->n_dim);
	reader->rank = (uint32_t)shape->n_dim;
	uint64_t width = 1;
	for (size_t d = 0; d < shape->n_dim; d++) {
		const Onnx__TensorShapeProto__Dimension *dim = shape->dim[d];
		bool known = dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
		if (d == 0) {
			reader->batch = known && dim->dim_value > 0 ? dim->dim_value : 0;
			continue;
		}
		if (!known)
			return 0; /* the first layer will tell */
		if (dim->dim_value < 1 || dim->dim_value > NN_MAX_WIDTH || width * dim->dim_value > NN_MAX_WIDTH)
			return onnx_node_fail(reader, -EINVAL, "the input '%s' does not have 1 to %d features",
					      name, NN_MAX_WIDTH);
		width *= dim->dim_value;
	}
	reader->fold.n_in = reader->fold.width = (uint32_t)width;
	return 0;
}

/* The graph as a network; what nodes did along the way is in reader. */
static int read_graph(struct onnx_reader *reader, struct nn_network *network)
{
	char what[128];
	int rc = onnx_graph_open(reader);
	if (rc == 0)
		rc = read_input(reader);
	for (uint32_t i = 0; rc == 0 && i < reader->n_path; i++)
		rc = onnx_fold_step(reader, &reader->path[i]);
	if (rc != 0)
		return rc;
	reader->node = NULL;
	rc = fold_finish(&reader->fold, network);
	if (rc != 0)
		return onnx_node_fail(reader, rc, "%s", reader->fold.error);
	rc = nn_network_check(network, what, sizeof(what));
	if (rc != 0)
		return onnx_node_fail(reader, rc, "%s", what);
	return 0;
}

static int read_producer(struct model *model, const Onnx__ModelProto *message)
{
	char name[ONNX_NAME_SIZE], version[ONNX_NAME_SIZE];
	if (message->producer_name == NULL || message->producer_name[0] == '\0')
		return 0;
	bool has_version = message->producer_version != NULL && message->producer_version[0] != '\0';
	onnx_printable(message->producer_name, name);
	onnx_printable(has_version ? message->producer_version : "", version);
	return asprintf(&model->producer, "%s%s%s", name, has_version ? " " : "", version) < 0 ? -ENOMEM : 0;
}

static int read_message(struct model *model, const Onnx__ModelProto *message, char *error, size_t error_size)
{
	if (message->graph == NULL)
		return onnx_fail(error, error_size, -EINVAL, "not an ONNX model: it holds no graph");
	/* Too big for the stack of a small thread: it holds rows of doubles. */
	struct onnx_reader *reader = calloc(1, sizeof(*reader));
	if (reader == NULL || read_producer(model, message) != 0) {
		free(reader);
		return onnx_fail(error, error_size, -ENOMEM, "out of memory");
	}
	reader->graph = message->graph;
	reader->error = error;
	reader->error_size = error_size;
	int rc = read_opset(reader, message);
	if (rc == 0)
		rc = read_graph(reader, &model->network);
	onnx_graph_close(reader);
	fold_free(&reader->fold);
	free(reader);
	if (rc == 0)
		rc = model_read_metadata(model, message, error, error_size);
	if (rc == 0)
		rc = model_check_metadata(model, error, error_size);
	return rc;
}

int model_load_memory(const void *bytes, size_t n_bytes, struct model **model, char *error, size_t error_size)
{
	Onnx__ModelProto *message = NULL;

	*model = NULL;
	if (n_bytes == 0)
		return onnx_fail(error, error_size, -EINVAL, "the file is empty");
	if (n_bytes > MODEL_MAX_BYTES)
		return onnx_fail(error, error_size, -EFBIG, "%zu bytes are too many for a model (at most %u)",
				 n_bytes, MODEL_MAX_BYTES);
	int rc = onnx_unpack(bytes, n_bytes, &message, error, error_size);
	if (rc != 0)
		return rc;
	struct model *loaded = model_new();
	if (loaded == NULL)
		rc = onnx_fail(error, error_size, -ENOMEM, "out of memory");
	else
		rc = read_message(loaded, message, error, error_size);
	onnx__model_proto__free_unpacked(message, NULL);
	if (rc != 0) {
		model_free(loaded);
		return rc;
	}
	*model = loaded;
	return 0;
}

/* Reads an open file of a size that fstat gave. */
static int load_file(int fd, size_t n_bytes, struct model **model, char *error, size_t error_size)
{
	size_t n_read = 0;
	uint8_t *bytes = malloc(n_bytes + 1);
	if (bytes == NULL)
		return onnx_fail(error, error_size, -ENOMEM, "out of memory");
	while (n_read < n_bytes) {
		ssize_t n = read(fd, bytes + n_read, n_bytes - n_read);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			int rc = n < 0 ? -errno : -EIO;
			free(bytes);
			return onnx_fail(error, error_size, rc, "cannot read: %s",
					 n < 0 ? strerror(-rc) : "the file shrank meanwhile");
		}
		n_read += (size_t)n;
	}
	int rc = model_load_memory(bytes, n_bytes, model, error, error_size);
	free(bytes);
	return rc;
}

int model_load(const char *path, struct model **model, char *error, size_t error_size)
{
	struct stat status;
	int rc;

	*model = NULL;
	/* A FIFO must not block us. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		rc = -errno;
		return onnx_fail(error, error_size, rc, "cannot open: %s", strerror(-rc));
	}
	if (fstat(fd, &status) != 0)
		rc = onnx_fail(error, error_size, -errno, "cannot stat: %s", strerror(errno));
	else if (S_ISDIR(status.st_mode))
		rc = onnx_fail(error, error_size, -EISDIR, "is a directory, not a model");
	else if (!S_ISREG(status.st_mode))
		rc = onnx_fail(error, error_size, -EINVAL, "is not a regular file");
	else if (status.st_size > (off_t)MODEL_MAX_BYTES)
		rc = onnx_fail(error, error_size, -EFBIG, "%lld bytes are too many for a model (at most %u)",
			       (long long)status.st_size, MODEL_MAX_BYTES);
	else
		rc = load_file(fd, (size_t)status.st_size, model, error, error_size);
	close(fd);
	return rc;
}
