/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of this library share, seen by nobody else: a file's bytes become a protobuf message
 * (onnx_wire.c), its graph becomes one path of nodes (onnx_graph.c), each node becomes a step (onnx_ops.c),
 * the steps become dense layers (onnx_fold.c). onnx_read.c drives them; model.c owns the metadata.
 */
#ifndef WIRESCORE_MODEL_ONNX_H
#define WIRESCORE_MODEL_ONNX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model.h"
#include "onnx.pb-c.h"

#define ONNX_MAX_NODES 4096
#define ONNX_MAX_RANK  8
/* The largest constant that any layer can use. */
#define ONNX_MAX_ELEMENTS (NN_MAX_WIDTH * NN_MAX_WIDTH)
/*
 * The operator sets read here. Before the oldest, broadcasting and dropout meant something else; what the newest
 * says of the operators in onnx_ops.c has been read, what a later one will say has not.
 */
#define ONNX_MIN_OPSET 7
#define ONNX_MAX_OPSET 22

/* ---- Errors ---- */

/* A name from a file, cut and without control characters, so that it can stand in a line of text. */
#define ONNX_NAME_SIZE 72
const char *onnx_printable(const char *name, char text[ONNX_NAME_SIZE]);

/* Formats one line into error and returns code. */
int onnx_fail(char *error, size_t error_size, int code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* ---- onnx_wire.c ---- */

/*
 * Bytes to a message. Depth, repeats and memory are bounded before and while protobuf-c works. 0, -EINVAL or
 * -ENOMEM with one line in error. Free with onnx__model_proto__free_unpacked(message, NULL).
 */
int onnx_unpack(const uint8_t *bytes, size_t n_bytes, Onnx__ModelProto **message, char *error, size_t error_size);

/* ---- onnx_fold.c: dense layers under construction, in double precision ---- */

struct fold_layer {
	uint32_t n_in, n_out;
	enum nn_activation activation;
	double alpha, low, high;
	double *weights; /* [n_out][n_in] */
	double *bias;	 /* [n_out] */
};

/*
 * (x - centre) * scale + shift for each feature; entries past the width repeat a scalar, or are not used. What is
 * added before anything was scaled goes into the centre: nn.h says why they are kept apart.
 */
struct fold_affine {
	bool used, scaled;
	double centre[NN_MAX_WIDTH];
	double scale[NN_MAX_WIDTH];
	double shift[NN_MAX_WIDTH];
};

struct fold {
	uint32_t n_in;	/* 0 until the graph says */
	uint32_t width; /* features after the last step; 0 until the graph says */
	bool takes_log; /* the input stage begins with ln(1 + max(x, 0)) of these: */
	bool log[NN_MAX_WIDTH];
	struct fold_affine input;
	bool clamped; /* the input stage clamps to [low, high] */
	double low, high;
	struct fold_affine pending; /* follows the last layer, or the input stage's clamp */
	uint32_t n_layers;
	struct fold_layer layers[NN_MAX_LAYERS];
	char error[160];
};

/* Each step returns 0, -EINVAL with one line in fold->error, or -ENOMEM with the same. */

/* x * scale + shift; both have 1 or width numbers. A scale of NULL is none at all. */
int fold_affine(struct fold *fold, const double *scale, size_t n_scale, const double *shift, size_t n_shift);
/* Takes over weights [n_out][n_in] and bias [n_out], also when it fails. */
int fold_dense(struct fold *fold, uint32_t n_in, uint32_t n_out, double *weights, double *bias);
int fold_clamp(struct fold *fold, double low, double high);
/* A logarithm: what was folded so far must be max(x, 0) + 1 of the network's inputs. */
int fold_log(struct fold *fold);
/* Takes that logarithm back where mask, of 1 or width numbers, is not `kept`. */
int fold_log_only(struct fold *fold, const double *mask, size_t n_mask, bool kept);
/* Nothing was folded yet: what flows are the network's inputs. */
bool fold_is_empty(const struct fold *fold);
/* NN_RELU and NN_CLIP are clamps: fold_clamp. */
int fold_activation(struct fold *fold, enum nn_activation activation, double alpha);
/* Rounds to float. *network must be zeroed and is the caller's to free, also when it fails. */
int fold_finish(struct fold *fold, struct nn_network *network);
void fold_free(struct fold *fold);

/* ---- onnx_graph.c ---- */

/* A constant of the graph. Integers are kept as doubles too, and marked. */
struct onnx_tensor {
	bool integer;
	bool boolean; /* integer too */
	uint32_t rank;
	uint32_t dims[ONNX_MAX_RANK];
	uint32_t n; /* elements, at least 1 */
	double *values;
};

enum onnx_value_kind {
	ONNX_VALUE_INPUT,
	ONNX_VALUE_INITIALIZER,
	ONNX_VALUE_NODE,
};

struct onnx_value {
	const char *name;
	enum onnx_value_kind kind;
	uint32_t index;	 /* into the graph's inputs, initializers or nodes */
	uint32_t output; /* of the node */
};

/* A node on the way from the input to the output, and which of its inputs that way comes in by. */
struct onnx_step {
	uint32_t node;
	uint32_t slot;
};

struct onnx_reader {
	const Onnx__GraphProto *graph;
	int64_t opset;		   /* of the default domain */
	struct onnx_value *values; /* sorted by name */
	size_t n_values;
	bool *varies; /* [n_node] depends on the graph's input */
	struct onnx_step *path;
	uint32_t n_path;

	/* The step at work: for messages and for onnx_ops.c. */
	const Onnx__NodeProto *node;
	uint32_t node_index;
	uint32_t slot;

	/* What flows along the path. */
	bool integer;  /* numbers are still integers: a Cast must come */
	uint32_t rank; /* 2: [batch, features]; 1: [batch] of one feature; more: to be flattened */
	int64_t batch; /* fixed batch size, or 0 */
	bool last;     /* nothing that changes numbers may follow */
	struct fold fold;

	char *error;
	size_t error_size;
};

/* The domain of ONNX's own operators, which has two names and may be left out. */
bool onnx_is_default_domain(const char *domain);

/* onnx_fail, with the node at work in front. */
int onnx_node_fail(struct onnx_reader *reader, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Names every value, checks that each is made before it is used, and finds the path. 0 or -errno. */
int onnx_graph_open(struct onnx_reader *reader);
void onnx_graph_close(struct onnx_reader *reader);

/* Input number slot of the node at work has a name. */
bool onnx_has_input(const struct onnx_reader *reader, uint32_t slot);

/*
 * The constant at input number slot of the node at work; after success free tensor->values. 0, or -errno
 * with one line: it depends on the graph's input, or is of a type or size that no layer has.
 */
int onnx_constant(struct onnx_reader *reader, uint32_t slot, struct onnx_tensor *tensor);
/* The same, of a floating point type and finite. */
int onnx_weights(struct onnx_reader *reader, uint32_t slot, struct onnx_tensor *tensor);
/* The node at work is Concat(1 - p, p), how skl2onnx ends a binary classifier. 0 or -errno with one line. */
int onnx_check_complement(struct onnx_reader *reader);
/*
 * The node at work is Where(mask, Log(b(a(x))), x) with a constant mask, or that with the last two the other way
 * round: how the logarithm of some features is written. branch becomes a, b and Log, plain the input number of x;
 * what a and b do is not looked at. 0 or -errno with one line.
 */
#define ONNX_LOG_BRANCH 3
int onnx_log_branch(struct onnx_reader *reader, struct onnx_step branch[ONNX_LOG_BRANCH], uint32_t *plain);

const Onnx__AttributeProto *onnx_attribute(const Onnx__NodeProto *node, const char *name);
/* The value of an attribute, or absent where the node has none. 0, or -EINVAL where it is of another type. */
int onnx_attribute_int(struct onnx_reader *reader, const char *name, int64_t absent, int64_t *value);
int onnx_attribute_float(struct onnx_reader *reader, const char *name, double absent, double *value);

/* ---- onnx_ops.c ---- */

/* Makes a step the one at work and folds its node. 0 or -errno with one line. */
int onnx_fold_step(struct onnx_reader *reader, const struct onnx_step *step);

/* ---- model.c ---- */

/* Everything but the network's numbers: names, counts, texts, threshold. 0 or -EINVAL with one line. */
int model_check_metadata(const struct model *model, char *error, size_t error_size);
/* Takes the wirescore.* entries of a file. 0, -EINVAL or -ENOMEM with one line. */
int model_read_metadata(struct model *model, const Onnx__ModelProto *message, char *error, size_t error_size);

/* One entry of a file's metadata_props. */
struct model_entry {
	char *key;
	char *value;
};
/* The entries that model_read_metadata reads back, in a fixed order. Free with model_free_entries. */
int model_write_metadata(const struct model *model, struct model_entry **entries, size_t *n_entries);
void model_free_entries(struct model_entry *entries, size_t n_entries);

#endif
