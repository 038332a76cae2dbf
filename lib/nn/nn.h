/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Multi-layer perceptrons on matrices: a network, the plan it is packed into, and the kernels that score
 * batches with it. Knows nothing of packets, flows or files.
 *
 * Every kernel gives the same bits as the scalar one: each output adds its products in the order of the
 * inputs, starting from the bias, with fused multiply-adds; SIMD lanes hold different rows, so no sum is
 * ever split. A score is therefore the same on every machine. (The sign and payload of a NaN are not.) NaN
 * passes through every activation, so that a sum that overflowed does not become a score that looks right.
 */
#ifndef WIRESCORE_NN_H
#define WIRESCORE_NN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NN_MAX_LAYERS 8
#define NN_MAX_WIDTH  512
#define NN_MAX_BATCH  64

enum nn_activation {
	NN_IDENTITY,
	NN_RELU,       /* x < 0 ? 0 : x */
	NN_LEAKY_RELU, /* x < 0 ? alpha * x : x */
	NN_CLIP,       /* min(max(x, low), high); low may be -INFINITY, high INFINITY */
	NN_TANH,
	NN_SIGMOID,
	NN_SOFTMAX, /* last layer only, of two outputs or more */
};

/* A dense layer: y = activation(W x + b). */
struct nn_layer {
	uint32_t n_in;
	uint32_t n_out;
	enum nn_activation activation;
	float alpha;	 /* NN_LEAKY_RELU */
	float low, high; /* NN_CLIP */
	float *weights;	 /* [n_out][n_in], row-major */
	float *bias;	 /* [n_out] */
};

/*
 * A network as trainers produce it and files hold it. The input stage, where present, is
 * x' = min(max((l(x) - centre) * scale + shift, low), high), per input; low = -INFINITY and high = INFINITY clamp
 * nothing; l(x) is ln(1 + max(x, 0)) for the inputs that input_log marks, else x. 1 + x is rounded to float, as
 * ONNX's Add does: below 5e-8 nothing is left of x. The centre is apart from the shift because (x - mean) / std
 * keeps its digits where x * (1 / std) - mean / std has lost them: a feature that hardly varies has a tiny std.
 */
struct nn_network {
	uint32_t n_in;
	bool has_input_stage;
	uint8_t *input_log;  /* [n_in], 1 where the logarithm is taken, else 0; NULL: nowhere */
	float *input_centre; /* [n_in], or NULL for zeros */
	float *input_scale;  /* [n_in] */
	float *input_shift;  /* [n_in] */
	float input_low, input_high;
	uint32_t n_layers;
	struct nn_layer layers[NN_MAX_LAYERS];
};

/* Allocates zeroed weights and biases for a layer of the given shape. 0, -EINVAL or -ENOMEM. */
int nn_layer_init(struct nn_layer *layer, uint32_t n_in, uint32_t n_out, enum nn_activation activation);

/* Frees what the network owns; the struct itself belongs to the caller. NULL members are allowed. */
void nn_network_free(struct nn_network *network);

/*
 * Checks shapes, widths, activations, marks and that every number is finite. 0, or -EINVAL with one line in error
 * (what is wrong and in which layer, counted from 1).
 */
int nn_network_check(const struct nn_network *network, char *error, size_t error_size);

/* The number of weights and biases. */
size_t nn_network_n_parameters(const struct nn_network *network);

/* Whether the network looks at an input: not where all its weights in the first layer are zero. */
bool nn_network_reads(const struct nn_network *network, uint32_t input);

/* "14-64-16-1" into text; returns text. */
char *nn_network_shape(const struct nn_network *network, char *text, size_t text_size);

const char *nn_activation_name(enum nn_activation activation);

/* ---- Scoring ---- */

/* A network packed for the kernels. Immutable once made: any number of threads may score with it. */
struct nn_plan;

/*
 * Packs a network. The plan keeps nothing of the network, which the caller still owns. An input stage that
 * neither clamps nor takes the logarithm of an input in use is folded into the first layer (in double precision)
 * where rounding the folded numbers to float moves no sum of that layer by 1e-6 or more; elsewhere it is run on
 * each row.
 * Inputs whose weights in the first layer are all zero are left out: the work saved is theirs, and a NaN or an
 * infinity in such a column of floats does not reach the score.
 * 0, -EINVAL (nn_network_check would fail) or -ENOMEM.
 */
int nn_plan_create(const struct nn_network *network, struct nn_plan **plan);
void nn_plan_free(struct nn_plan *plan);

uint32_t nn_plan_n_in(const struct nn_plan *plan);
uint32_t nn_plan_n_out(const struct nn_plan *plan);

/*
 * What is left to do to the kernels' logits, with nn_output_scores: NN_SIGMOID, NN_SOFTMAX or NN_IDENTITY.
 * Any other activation of the last layer is the kernels' work, and this is NN_IDENTITY.
 */
enum nn_activation nn_plan_output(const struct nn_plan *plan);

/* Working memory of one thread for one plan; 64-byte aligned inside. NULL when memory is out. */
struct nn_scratch;
struct nn_scratch *nn_scratch_create(const struct nn_plan *plan);
void nn_scratch_free(struct nn_scratch *scratch);

struct nn_kernel {
	const char *name;
	const char *needs; /* what the CPU and the operating system must offer, for people */
	bool (*supported)(void);
	/*
	 * Scores n rows of bytes, 0 <= n <= NN_MAX_BATCH. rows[i] points at nn_plan_n_in() readable bytes, and
	 * nothing past them is read; no alignment is asked. logits is [n][n_out].
	 */
	void (*score_bytes)(const struct nn_plan *plan, struct nn_scratch *scratch, const uint8_t *const *rows,
			    uint32_t n, float *logits);
	/* The same for rows of floats: row i starts at rows + i * stride, stride >= n_in, in floats. */
	void (*score_floats)(const struct nn_plan *plan, struct nn_scratch *scratch, const float *rows,
			     size_t stride, uint32_t n, float *logits);
};

/* All kernels this build holds, best first, scalar last; n_kernels is their number. */
const struct nn_kernel *nn_kernels(uint32_t *n_kernels);

/*
 * The kernel of that name, or the best one that this CPU and operating system support when name is NULL.
 * NULL when there is none of that name or it is not supported (nn_kernels tells which).
 */
const struct nn_kernel *nn_kernel_find(const char *name);

/*
 * The scores of one row of logits: the sigmoid of each, or for softmax the probability of each class;
 * identity copies. The same bits on every machine; NaN where a logit is NaN. scores is [n_out] and may be
 * logits itself.
 */
void nn_output_scores(enum nn_activation output, const float *logits, uint32_t n_out, float *scores);

/*
 * The log-odds that a row is not of class 0: its logit where there is one output, else ln(sum of e^l of the other
 * logits) - l_0. The same bits on every machine; NaN where a logit is NaN.
 */
float nn_output_log_odds(const float *logits, uint32_t n_out);

#endif
