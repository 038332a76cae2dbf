/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ONNX operators as steps of onnx_fold.c: one function each, found by domain and name in the table at the end.
 * Semantics are those of ONNX's Operators.md for [batch, features] and for opsets from ONNX_MIN_OPSET on.
 * Called by onnx_read.c for each node on the path.
 */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "onnx.h"

/* Hands a step's complaint on, with the node's name. */
static int step_result(struct onnx_reader *reader, int rc)
{
	return rc == 0 ? 0 : onnx_node_fail(reader, rc, "%s", reader->fold.error);
}

static void set_step(struct onnx_reader *reader, const struct onnx_step *step)
{
	reader->node_index = step->node;
	reader->node = reader->graph->node[step->node];
	reader->slot = step->slot;
}

/* Where the constant at slot broadcasts to one number per feature: 1 or n numbers; the count, or -EINVAL. */
static int per_feature(struct onnx_reader *reader, uint32_t slot, const struct onnx_tensor *tensor, size_t *n)
{
	char name[ONNX_NAME_SIZE];
	uint32_t columns = tensor->rank > 0 ? tensor->dims[tensor->rank - 1] : 1;

	onnx_printable(reader->node->input[slot], name);
	if (tensor->rank > reader->rank || columns != tensor->n)
		return onnx_node_fail(reader, -EINVAL,
				      "'%s' (%u numbers, %u dimensions) is not one number, nor one per feature",
				      name, tensor->n, tensor->rank);
	if (reader->fold.width != 0 && columns != 1 && columns != reader->fold.width)
		return onnx_node_fail(reader, -EINVAL, "'%s' has %u numbers, but %u features come in", name,
				      columns, reader->fold.width);
	*n = columns;
	return 0;
}

/* The constant of a two-operand node; its slot is the one that the data do not come in by. */
static int operand(struct onnx_reader *reader, struct onnx_tensor *tensor, size_t *n)
{
	uint32_t slot = 1 - reader->slot;

	if (reader->node->n_input != 2)
		return onnx_node_fail(reader, -EINVAL, "has %zu inputs, not two", reader->node->n_input);
	int rc = onnx_weights(reader, slot, tensor);
	if (rc != 0)
		return rc;
	rc = per_feature(reader, slot, tensor, n);
	if (rc != 0)
		free(tensor->values);
	return rc;
}

/* All features by one number. */
static int scale_all(struct onnx_reader *reader, double scale)
{
	const double zero = 0;
	return step_result(reader, fold_affine(&reader->fold, &scale, 1, &zero, 1));
}

static int op_add(struct onnx_reader *reader)
{
	struct onnx_tensor c;
	size_t n;

	int rc = operand(reader, &c, &n);
	if (rc != 0)
		return rc;
	rc = fold_affine(&reader->fold, NULL, 0, c.values, n);
	free(c.values);
	return step_result(reader, rc);
}

/* x - c, or c - x = -(x - c) */
static int op_sub(struct onnx_reader *reader)
{
	struct onnx_tensor c;
	size_t n;

	int rc = operand(reader, &c, &n);
	if (rc != 0)
		return rc;
	for (uint32_t i = 0; i < c.n; i++)
		c.values[i] = -c.values[i];
	rc = fold_affine(&reader->fold, NULL, 0, c.values, n);
	free(c.values);
	if (rc == 0 && reader->slot == 1)
		return scale_all(reader, -1);
	return step_result(reader, rc);
}

static int op_mul(struct onnx_reader *reader)
{
	struct onnx_tensor c;
	const double zero = 0;
	size_t n;

	int rc = operand(reader, &c, &n);
	if (rc != 0)
		return rc;
	rc = fold_affine(&reader->fold, c.values, n, &zero, 1);
	free(c.values);
	return step_result(reader, rc);
}

static int op_div(struct onnx_reader *reader)
{
	struct onnx_tensor c;
	const double zero = 0;
	size_t n;

	if (reader->slot != 0)
		return onnx_node_fail(reader, -EINVAL, "a constant divided by the data is not a linear map");
	int rc = operand(reader, &c, &n);
	if (rc != 0)
		return rc;
	for (uint32_t i = 0; i < c.n; i++) {
		if (c.values[i] == 0) {
			free(c.values);
			return onnx_node_fail(reader, -EINVAL, "divides feature %u by zero", i + 1);
		}
		c.values[i] = 1 / c.values[i];
	}
	rc = fold_affine(&reader->fold, c.values, n, &zero, 1);
	free(c.values);
	return step_result(reader, rc);
}

static int op_neg(struct onnx_reader *reader)
{
	return scale_all(reader, -1);
}

/* "[2, 1]" into text, which it returns. */
#define SHAPE_SIZE (ONNX_MAX_RANK * 8 + 4)
static const char *shape_text(const struct onnx_tensor *tensor, char text[SHAPE_SIZE])
{
	int used = sprintf(text, "[");
	for (uint32_t d = 0; d < tensor->rank; d++)
		used += sprintf(text + used, "%s%u", d > 0 ? ", " : "", tensor->dims[d]);
	strcpy(text + used, "]");
	return text;
}

/*
 * A dense layer from the matrix at slot 1, [n_in, n_out] or, transposed, [n_out, n_in], times alpha, and an
 * optional bias of 1 or n_out numbers times beta.
 */
static int fold_matrix(struct onnx_reader *reader, const struct onnx_tensor *matrix, bool transposed, double alpha,
		       const struct onnx_tensor *bias, double beta)
{
	char name[ONNX_NAME_SIZE], shape[SHAPE_SIZE];
	onnx_printable(reader->node->input[1], name);
	if (reader->rank != 2)
		return onnx_node_fail(reader, -EINVAL, "needs [batch, features] to come in");
	if (matrix->rank != 2)
		return onnx_node_fail(reader, -EINVAL, "'%s' has %u dimensions; a matrix has two", name,
				      matrix->rank);
	uint32_t n_in = matrix->dims[transposed ? 1 : 0], n_out = matrix->dims[transposed ? 0 : 1];
	if (bias != NULL && ((bias->rank > 0 && bias->dims[bias->rank - 1] != bias->n) || bias->rank > 2 ||
			     (bias->n != 1 && bias->n != n_out)))
		return onnx_node_fail(reader, -EINVAL,
				      "its bias of shape %s is not one number, nor one for each of "
				      "%u outputs",
				      shape_text(bias, shape), n_out);
	double *weights = malloc(matrix->n * sizeof(*weights));
	double *b = calloc(n_out, sizeof(*b));
	if (weights == NULL || b == NULL) {
		free(weights);
		free(b);
		return onnx_node_fail(reader, -ENOMEM, "out of memory");
	}
	for (uint32_t o = 0; o < n_out; o++) {
		for (uint32_t i = 0; i < n_in; i++)
			weights[(size_t)o * n_in + i] =
				alpha * matrix->values[transposed ? (size_t)o * n_in + i : (size_t)i * n_out + o];
		if (bias != NULL)
			b[o] = beta * bias->values[bias->n == 1 ? 0 : o];
	}
	return step_result(reader, fold_dense(&reader->fold, n_in, n_out, weights, b));
}

static int op_matmul(struct onnx_reader *reader)
{
	struct onnx_tensor matrix;

	if (reader->slot != 0)
		return onnx_node_fail(reader, -EINVAL,
				      "the data must be its first factor: [batch, features] x matrix");
	int rc = onnx_weights(reader, 1, &matrix);
	if (rc != 0)
		return rc;
	rc = fold_matrix(reader, &matrix, false, 1, NULL, 0);
	free(matrix.values);
	return rc;
}

static int op_gemm(struct onnx_reader *reader)
{
	struct onnx_tensor matrix, bias = {0};
	int64_t trans_a, trans_b;
	double alpha, beta;

	int rc = onnx_attribute_int(reader, "transA", 0, &trans_a);
	if (rc == 0)
		rc = onnx_attribute_int(reader, "transB", 0, &trans_b);
	if (rc == 0)
		rc = onnx_attribute_float(reader, "alpha", 1, &alpha);
	if (rc == 0)
		rc = onnx_attribute_float(reader, "beta", 1, &beta);
	if (rc != 0)
		return rc;
	if (reader->slot != 0 || trans_a != 0)
		return onnx_node_fail(reader, -EINVAL, "the data must be its A, not transposed");
	bool has_bias = onnx_has_input(reader, 2);
	if (has_bias && (rc = onnx_weights(reader, 2, &bias)) != 0)
		return rc;
	rc = onnx_weights(reader, 1, &matrix);
	if (rc == 0) {
		rc = fold_matrix(reader, &matrix, trans_b != 0, alpha, has_bias ? &bias : NULL, beta);
		free(matrix.values);
	}
	free(bias.values);
	return rc;
}

/* y = scale * (x - mean) / sqrt(var + epsilon) + B, with running statistics. */
static int op_batch_normalization(struct onnx_reader *reader)
{
	struct onnx_tensor c[4] = {{0}}; /* scale, B, mean, var */
	double epsilon;
	int64_t training = 0;
	uint32_t n_read = 0;

	int rc = onnx_attribute_float(reader, "epsilon", 1e-5, &epsilon);
	if (rc == 0)
		rc = onnx_attribute_int(reader, "training_mode", 0, &training);
	if (rc == 0 && reader->slot != 0)
		rc = onnx_node_fail(reader, -EINVAL, "the data must be its first input");
	/* The statistics of the batch, as outputs, are for trainers too. */
	for (size_t i = 1; i < reader->node->n_output; i++)
		training |= reader->node->output[i][0] != '\0';
	if (rc == 0 && training != 0)
		rc = onnx_node_fail(reader, -EINVAL, "is in training mode; export the model for inference");
	for (; rc == 0 && n_read < 4; n_read++) {
		size_t n;
		rc = onnx_weights(reader, 1 + n_read, &c[n_read]);
		if (rc != 0)
			break;
		rc = per_feature(reader, 1 + n_read, &c[n_read], &n);
		if (rc == 0 && (c[n_read].rank != 1 || c[n_read].n != c[0].n ||
				(reader->fold.width != 0 && n != reader->fold.width)))
			rc = onnx_node_fail(reader, -EINVAL, "its four vectors are not of one number per feature");
	}
	for (uint32_t i = 0; rc == 0 && i < c[0].n; i++) {
		double variance = c[3].values[i] + epsilon;
		if (!(variance > 0)) {
			rc = onnx_node_fail(reader, -EINVAL, "the variance of feature %u is not positive", i + 1);
			break;
		}
		c[0].values[i] /= sqrt(variance);
		c[2].values[i] = -c[2].values[i];
	}
	if (rc == 0)
		rc = step_result(reader, fold_affine(&reader->fold, NULL, 0, c[2].values, c[0].n));
	if (rc == 0)
		rc = step_result(reader, fold_affine(&reader->fold, c[0].values, c[0].n, c[1].values, c[0].n));
	for (uint32_t i = 0; i < 4; i++)
		free(c[i].values);
	return rc;
}

/* ai.onnx.ml: (x - offset) * scale. Whole numbers become floats. */
static int op_scaler(struct onnx_reader *reader)
{
	const Onnx__AttributeProto *offset = onnx_attribute(reader->node, "offset");
	const Onnx__AttributeProto *scale = onnx_attribute(reader->node, "scale");
	double s[NN_MAX_WIDTH], t[NN_MAX_WIDTH];
	const double zero = 0;
	size_t n_scale = scale != NULL ? scale->n_floats : 1;
	size_t n_offset = offset != NULL ? offset->n_floats : 1;
	size_t n = n_scale > n_offset ? n_scale : n_offset;

	if (n_scale == 0 || n_offset == 0 || n > NN_MAX_WIDTH || (n_scale != 1 && n_scale != n) ||
	    (n_offset != 1 && n_offset != n))
		return onnx_node_fail(reader, -EINVAL, "has %zu offsets and %zu scales", n_offset, n_scale);
	for (size_t i = 0; i < n; i++) {
		s[i] = scale != NULL ? (double)scale->floats[n_scale == 1 ? 0 : i] : 1;
		t[i] = offset != NULL ? -(double)offset->floats[n_offset == 1 ? 0 : i] : 0;
		if (!isfinite(s[i]) || !isfinite(t[i]))
			return onnx_node_fail(reader, -EINVAL, "offset or scale %zu is not finite", i + 1);
	}
	reader->integer = false;
	int rc = fold_affine(&reader->fold, NULL, 0, t, n);
	if (rc == 0)
		rc = fold_affine(&reader->fold, s, n, &zero, 1);
	return step_result(reader, rc);
}

static int op_relu(struct onnx_reader *reader)
{
	return step_result(reader, fold_clamp(&reader->fold, 0, INFINITY));
}

/* One bound of a Clip, Min or Max: a single number, possibly infinite. */
static int bound(struct onnx_reader *reader, uint32_t slot, double *value)
{
	struct onnx_tensor c;
	int rc = onnx_constant(reader, slot, &c);
	if (rc != 0)
		return rc;
	*value = c.values[0];
	for (uint32_t i = 0; rc == 0 && i < c.n; i++) {
		if (c.integer || isnan(c.values[i]) || c.values[i] != c.values[0] || c.rank > reader->rank ||
		    (c.n != 1 && c.n != reader->fold.width))
			rc = onnx_node_fail(reader, -EINVAL, "its bound is not one number for all features");
	}
	free(c.values);
	return rc;
}

/* Up to opset 10 the bounds are attributes. */
static int op_clip_attributes(struct onnx_reader *reader)
{
	double low, high;
	int rc = onnx_attribute_float(reader, "min", -FLT_MAX, &low);
	if (rc == 0)
		rc = onnx_attribute_float(reader, "max", FLT_MAX, &high);
	if (rc != 0)
		return rc;
	/* Absent bounds are written out like this, too. */
	low = low <= -FLT_MAX ? -INFINITY : low;
	high = high >= FLT_MAX ? INFINITY : high;
	return step_result(reader, fold_clamp(&reader->fold, low, high));
}

static int op_clip(struct onnx_reader *reader)
{
	double low = -INFINITY, high = INFINITY;
	int rc = 0;

	if (reader->slot != 0)
		return onnx_node_fail(reader, -EINVAL, "its bounds depend on the data");
	if (onnx_has_input(reader, 1))
		rc = bound(reader, 1, &low);
	if (rc == 0 && onnx_has_input(reader, 2))
		rc = bound(reader, 2, &high);
	return rc != 0 ? rc : step_result(reader, fold_clamp(&reader->fold, low, high));
}

static int op_min(struct onnx_reader *reader)
{
	double high;
	if (reader->node->n_input != 2)
		return onnx_node_fail(reader, -EINVAL, "has %zu inputs, not two", reader->node->n_input);
	int rc = bound(reader, 1 - reader->slot, &high);
	return rc != 0 ? rc : step_result(reader, fold_clamp(&reader->fold, -INFINITY, high));
}

static int op_max(struct onnx_reader *reader)
{
	double low;
	if (reader->node->n_input != 2)
		return onnx_node_fail(reader, -EINVAL, "has %zu inputs, not two", reader->node->n_input);
	int rc = bound(reader, 1 - reader->slot, &low);
	return rc != 0 ? rc : step_result(reader, fold_clamp(&reader->fold, low, INFINITY));
}

static int op_log(struct onnx_reader *reader)
{
	return step_result(reader, fold_log(&reader->fold));
}

/* The constant condition of Where: a bool for each feature, or one for all. */
static int condition(struct onnx_reader *reader, struct onnx_tensor *mask, size_t *n)
{
	char name[ONNX_NAME_SIZE];
	int rc = onnx_constant(reader, 0, mask);
	if (rc != 0)
		return rc;
	if (!mask->boolean)
		rc = onnx_node_fail(reader, -EINVAL, "its condition '%s' is not of type bool",
				    onnx_printable(reader->node->input[0], name));
	if (rc == 0)
		rc = per_feature(reader, 0, mask, n);
	if (rc != 0)
		free(mask->values);
	return rc;
}

/* The logarithm of the features that the mask names, or of the others: Where(mask, Log(Add(Relu(x), 1)), x). */
static int op_where(struct onnx_reader *reader)
{
	const struct onnx_step where = {.node = reader->node_index, .slot = reader->slot};
	struct onnx_step branch[ONNX_LOG_BRANCH];
	struct onnx_tensor mask;
	uint32_t plain;
	size_t n;

	int rc = onnx_log_branch(reader, branch, &plain);
	if (rc == 0 && !fold_is_empty(&reader->fold))
		rc = onnx_node_fail(reader, -EINVAL,
				    "only the logarithm of the graph's input itself can be folded");
	if (rc == 0)
		rc = condition(reader, &mask, &n);
	if (rc != 0)
		return rc;
	for (uint32_t i = 0; rc == 0 && i < ONNX_LOG_BRANCH; i++)
		rc = onnx_fold_step(reader, &branch[i]);
	if (rc == 0) {
		set_step(reader, &where);
		rc = step_result(reader, fold_log_only(&reader->fold, mask.values, n, plain == 2));
	}
	free(mask.values);
	return rc;
}

static int op_leaky_relu(struct onnx_reader *reader)
{
	double alpha;
	int rc = onnx_attribute_float(reader, "alpha", 0.01, &alpha);
	return rc != 0 ? rc : step_result(reader, fold_activation(&reader->fold, NN_LEAKY_RELU, alpha));
}

static int op_tanh(struct onnx_reader *reader)
{
	return step_result(reader, fold_activation(&reader->fold, NN_TANH, 0));
}

static int op_sigmoid(struct onnx_reader *reader)
{
	return step_result(reader, fold_activation(&reader->fold, NN_SIGMOID, 0));
}

static int op_softmax(struct onnx_reader *reader)
{
	int64_t axis;
	/* Up to opset 12 the axis was 1 unless given; on two dimensions both defaults are the same axis. */
	int rc = onnx_attribute_int(reader, "axis", -1, &axis);
	if (rc != 0)
		return rc;
	if (reader->rank != 2 || (axis != 1 && axis != -1))
		return onnx_node_fail(reader, -EINVAL, "is not over the features (axis 1 of [batch, features])");
	reader->last = true;
	return step_result(reader, fold_activation(&reader->fold, NN_SOFTMAX, 0));
}

/* Any number to float or double is the number. */
static int op_cast(struct onnx_reader *reader)
{
	int64_t to;
	int rc = onnx_attribute_int(reader, "to", ONNX__TENSOR_PROTO__DATA_TYPE__UNDEFINED, &to);
	if (rc != 0)
		return rc;
	if (to != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT && to != ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE)
		return onnx_node_fail(reader, -EINVAL, "casts to type %lld; only float and double keep the numbers",
				      (long long)to);
	reader->integer = false;
	return 0;
}

static int op_identity(struct onnx_reader *reader)
{
	(void)reader;
	return 0;
}

static int op_dropout(struct onnx_reader *reader)
{
	struct onnx_tensor training;

	if (reader->slot != 0)
		return onnx_node_fail(reader, -EINVAL, "its ratio depends on the data");
	if (!onnx_has_input(reader, 2))
		return 0;
	int rc = onnx_constant(reader, 2, &training);
	if (rc != 0)
		return rc;
	if (training.n != 1 || training.values[0] != 0)
		rc = onnx_node_fail(reader, -EINVAL, "is in training mode; export the model for inference");
	free(training.values);
	return rc;
}

static int op_concat(struct onnx_reader *reader)
{
	int64_t axis;
	int rc = onnx_attribute_int(reader, "axis", 0, &axis);
	if (rc != 0)
		return rc;
	if (reader->fold.width != 1 || reader->rank != 2 || (axis != 1 && axis != -1))
		return onnx_node_fail(reader, -EINVAL,
				      "only Concat(1 - p, p) of a classifier's output can be folded");
	reader->last = true;
	return onnx_check_complement(reader);
}

/* ---- Shapes: only those that leave [batch, features] as it is ---- */

static int op_flatten(struct onnx_reader *reader)
{
	int64_t axis;
	int rc = onnx_attribute_int(reader, "axis", 1, &axis);
	if (rc != 0)
		return rc;
	if (reader->rank < 2 || (axis != 1 && axis != 1 - (int64_t)reader->rank))
		return onnx_node_fail(reader, -EINVAL, "mixes the batch with the features (axis %lld)",
				      (long long)axis);
	reader->rank = 2;
	return 0;
}

/* The new shape s is [batch, features] again, or [batch] of one feature. */
static bool reshape_keeps_rows(const struct onnx_reader *reader, const struct onnx_tensor *shape)
{
	const double *s = shape->values;
	/* 0 when not known. Concat(1 - p, p) is kept as p. */
	double width = reader->last && reader->fold.width == 1 ? 2 : reader->fold.width;
	bool batch =
		shape->n > 0 && (s[0] == -1 || s[0] == 0 || (reader->batch > 0 && s[0] == (double)reader->batch));

	if (shape->n == 1)
		return width == 1 && batch;
	if (shape->n != 2 || !batch)
		return false;
	if (s[1] == -1)
		return s[0] != -1;
	/* A 0 copies the old size, which is the features only when there are two dimensions. */
	return (width != 0 && s[1] == width) || (s[1] == 0 && reader->rank == 2);
}

static int op_reshape(struct onnx_reader *reader)
{
	struct onnx_tensor shape;
	int64_t allow_zero;

	if (reader->slot != 0)
		return onnx_node_fail(reader, -EINVAL, "its shape depends on the data");
	int rc = onnx_attribute_int(reader, "allowzero", 0, &allow_zero);
	if (rc == 0)
		rc = onnx_constant(reader, 1, &shape);
	if (rc != 0)
		return rc;
	if (!shape.integer || allow_zero != 0 || !reshape_keeps_rows(reader, &shape))
		rc = onnx_node_fail(reader, -EINVAL, "does not leave [batch, features] as it is");
	else
		reader->rank = shape.n;
	free(shape.values);
	return rc;
}

/* The axes of Squeeze or Unsqueeze: an attribute up to opset 12, then an input. n is 0 when there are none. */
static int only_axis(struct onnx_reader *reader, int64_t *axis, size_t *n)
{
	*n = 0;
	if (reader->opset < 13) {
		const Onnx__AttributeProto *axes = onnx_attribute(reader->node, "axes");
		if (axes != NULL && axes->n_ints > 0) {
			*n = axes->n_ints;
			*axis = axes->ints[0];
		}
		return 0;
	}
	if (!onnx_has_input(reader, 1))
		return 0;
	struct onnx_tensor axes;
	int rc = onnx_constant(reader, 1, &axes);
	if (rc != 0)
		return rc;
	*n = axes.n;
	*axis = fabs(axes.values[0]) <= ONNX_MAX_RANK ? (int64_t)axes.values[0] : INT64_MAX;
	free(axes.values);
	return 0;
}

static int op_squeeze(struct onnx_reader *reader)
{
	int64_t axis = 1;
	size_t n;
	int rc = only_axis(reader, &axis, &n);
	if (rc != 0)
		return rc;
	/* Without axes a batch of 1 would be squeezed too: what is meant is the only feature. */
	if (reader->slot != 0 || reader->rank != 2 || reader->fold.width != 1 || n > 1 || (axis != 1 && axis != -1))
		return onnx_node_fail(reader, -EINVAL, "does not leave [batch, features] as it is");
	reader->rank = 1;
	return 0;
}

static int op_unsqueeze(struct onnx_reader *reader)
{
	int64_t axis = 0;
	size_t n;
	int rc = only_axis(reader, &axis, &n);
	if (rc != 0)
		return rc;
	if (reader->slot != 0 || reader->rank != 1 || n != 1 || (axis != 1 && axis != -1))
		return onnx_node_fail(reader, -EINVAL, "does not leave [batch, features] as it is");
	reader->rank = 2;
	return 0;
}

/* ---- The table ---- */

enum {
	OP_INTEGERS = 1,   /* also takes whole numbers: bytes of a packet before they are cast */
	OP_ANY_RANK = 2,   /* also takes more than [batch, features] */
	OP_AFTER_LAST = 4, /* may follow the classifier's output */
};

/* A row holds from its opset on, up to the next row of the same operator. */
static const struct op {
	const char *domain;
	const char *type;
	int64_t since;
	int (*fold)(struct onnx_reader *reader);
	size_t max_inputs;
	const char *attributes; /* their names, each with a space behind it */
	unsigned flags;
} ops[] = {
	{"", "Add", 7, op_add, 2, "", 0},
	{"", "BatchNormalization", 7, op_batch_normalization, 5, "epsilon momentum spatial ", 0},
	{"", "BatchNormalization", 9, op_batch_normalization, 5, "epsilon momentum ", 0},
	{"", "BatchNormalization", 14, op_batch_normalization, 5, "epsilon momentum training_mode ", 0},
	{"", "Cast", 7, op_cast, 1, "to ", OP_INTEGERS | OP_ANY_RANK | OP_AFTER_LAST},
	{"", "Cast", 19, op_cast, 1, "to saturate ", OP_INTEGERS | OP_ANY_RANK | OP_AFTER_LAST},
	{"", "Clip", 7, op_clip_attributes, 1, "min max ", 0},
	{"", "Clip", 11, op_clip, 3, "", 0},
	{"", "Concat", 7, op_concat, 2, "axis ", 0},
	{"", "Div", 7, op_div, 2, "", 0},
	{"", "Dropout", 7, op_dropout, 1, "ratio ", OP_ANY_RANK | OP_AFTER_LAST},
	{"", "Dropout", 12, op_dropout, 3, "seed ", OP_ANY_RANK | OP_AFTER_LAST},
	{"", "Flatten", 7, op_flatten, 1, "axis ", OP_INTEGERS | OP_ANY_RANK | OP_AFTER_LAST},
	{"", "Gemm", 7, op_gemm, 3, "alpha beta transA transB ", 0},
	{"", "Identity", 7, op_identity, 1, "", OP_INTEGERS | OP_ANY_RANK | OP_AFTER_LAST},
	{"", "LeakyRelu", 7, op_leaky_relu, 1, "alpha ", 0},
	{"", "Log", 7, op_log, 1, "", 0},
	{"", "MatMul", 7, op_matmul, 2, "", 0},
	{"", "Max", 7, op_max, 2, "", 0},
	{"", "Min", 7, op_min, 2, "", 0},
	{"", "Mul", 7, op_mul, 2, "", 0},
	{"", "Neg", 7, op_neg, 1, "", 0},
	{"", "Relu", 7, op_relu, 1, "", 0},
	{"", "Reshape", 7, op_reshape, 2, "", OP_INTEGERS | OP_ANY_RANK | OP_AFTER_LAST},
	{"", "Reshape", 14, op_reshape, 2, "allowzero ", OP_INTEGERS | OP_ANY_RANK | OP_AFTER_LAST},
	{"", "Sigmoid", 7, op_sigmoid, 1, "", 0},
	{"", "Softmax", 7, op_softmax, 1, "axis ", 0},
	{"", "Squeeze", 7, op_squeeze, 1, "axes ", OP_INTEGERS | OP_ANY_RANK},
	{"", "Squeeze", 13, op_squeeze, 2, "", OP_INTEGERS | OP_ANY_RANK},
	{"", "Sub", 7, op_sub, 2, "", 0},
	{"", "Tanh", 7, op_tanh, 1, "", 0},
	{"", "Unsqueeze", 7, op_unsqueeze, 1, "axes ", 0},
	{"", "Unsqueeze", 13, op_unsqueeze, 2, "", 0},
	{"", "Where", 9, op_where, 3, "", 0},
	{"ai.onnx.ml", "Scaler", 0, op_scaler, 1, "offset scale ", OP_INTEGERS},
	{"ai.onnx.ml", "ZipMap", 0, op_identity, 1, "classlabels_int64s classlabels_strings ", OP_AFTER_LAST},
};

static bool is_listed(const char *list, const char *name)
{
	for (size_t n; *list != '\0'; list += n + 1) {
		n = strcspn(list, " ");
		if (strlen(name) == n && strncmp(list, name, n) == 0)
			return true;
	}
	return false;
}

/* What an operator does not have might change what it does, if only it were spelt right. */
static int check_form(struct onnx_reader *reader, const struct op *op)
{
	const Onnx__NodeProto *node = reader->node;
	char shown[ONNX_NAME_SIZE];

	for (size_t i = 0; i < node->n_attribute; i++) {
		const char *name = node->attribute[i]->name != NULL ? node->attribute[i]->name : "";
		onnx_printable(name, shown);
		if (!is_listed(op->attributes, name))
			return onnx_node_fail(reader, -EINVAL, "has no attribute '%s' in opset %lld", shown,
					      (long long)reader->opset);
		if (onnx_attribute(node, name) != node->attribute[i])
			return onnx_node_fail(reader, -EINVAL, "its attribute '%s' is there twice", shown);
	}
	if (node->n_input > op->max_inputs)
		return onnx_node_fail(reader, -EINVAL, "has %zu inputs; %zu are read in opset %lld", node->n_input,
				      op->max_inputs, (long long)reader->opset);
	return 0;
}

int onnx_fold_step(struct onnx_reader *reader, const struct onnx_step *step)
{
	set_step(reader, step);
	const Onnx__NodeProto *node = reader->node;
	const char *domain = onnx_is_default_domain(node->domain) ? "" : node->domain;
	const char *type = node->op_type != NULL ? node->op_type : "";
	const struct op *op = NULL;

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		if (strcmp(ops[i].domain, domain) == 0 && strcmp(ops[i].type, type) == 0 &&
		    reader->opset >= ops[i].since)
			op = &ops[i];
	}
	if (op == NULL)
		return onnx_node_fail(
			reader, -EINVAL,
			"not a dense layer; Gemm, MatMul, Add, Sub, Mul, Div, Scaler, BatchNormalization "
			"and plain activations can be folded into some");
	int rc = check_form(reader, op);
	if (rc != 0)
		return rc;
	if (reader->integer && (op->flags & OP_INTEGERS) == 0)
		return onnx_node_fail(reader, -EINVAL, "works on whole numbers; cast them to float first");
	if (reader->rank > 2 && (op->flags & OP_ANY_RANK) == 0)
		return onnx_node_fail(reader, -EINVAL,
				      "works on %u dimensions; flatten them to [batch, features] first",
				      reader->rank);
	if (reader->last && (op->flags & OP_AFTER_LAST) == 0)
		return onnx_node_fail(reader, -EINVAL,
				      "follows the classifier's probabilities, which must come last");
	return op->fold(reader);
}
