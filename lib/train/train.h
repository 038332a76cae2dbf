/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Trains a multi-layer perceptron by mini-batches: Glorot's initial weights, cross-entropy, RMSprop, Adam or plain
 * gradient descent, with weight decay and dropout where asked for. Called by `wirescore train`. OpenBLAS does the
 * matrix products in one thread, so the same options and data give the same weights bit for bit on the same kind of
 * machine.
 */
#ifndef WIRESCORE_TRAIN_H
#define WIRESCORE_TRAIN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nn.h"

#define TRAIN_MAX_HIDDEN (NN_MAX_LAYERS - 1)
#define TRAIN_MAX_BATCH	 65536u

/* The formulas and defaults of Keras: rho 0.9; beta 0.9 and 0.999; epsilon 1e-7. */
enum train_optimizer {
	TRAIN_RMSPROP,
	TRAIN_ADAM,
	TRAIN_SGD,
};

struct train_options {
	uint32_t n_in;
	uint32_t n_hidden;
	uint32_t hidden[TRAIN_MAX_HIDDEN];
	enum nn_activation activation; /* of hidden layers: NN_RELU, NN_LEAKY_RELU, NN_TANH, NN_CLIP (-1 to 1) */
	float alpha;		       /* NN_LEAKY_RELU */
	uint32_t n_classes;	       /* 2: one sigmoid output; more: softmax over as many outputs */
	bool is_softmax;	       /* softmax over two outputs for two classes, too */
	float input_scale;	       /* the first layer sees input * input_scale + input_shift; */
	float input_shift;	       /* 1 and 0 leave the input stage out */
	double bias_range;	       /* initial biases of hidden layers are uniform within +- this */
	enum train_optimizer optimizer;
	double learning_rate;
	/* Reached along half a cosine at the end of the last epoch; equal to learning_rate it changes nothing. */
	double learning_rate_final;
	/*
	 * Group lasso over the inputs: the share of the rate that the first layer's weights shrink by a step, for
	 * the first n_lasso_epochs. Inputs whose weights are then small beside the largest are let go: their
	 * weights are 0 from there on.
	 */
	double input_lasso;
	uint32_t n_lasso_epochs;
	/*
	 * Decoupled from the gradient (Loshchilov and Hutter, 2019): a step shrinks all weights, but no bias, by
	 * this share of the rate. 0: none.
	 */
	double weight_decay;
	/*
	 * The share of each hidden layer's outputs that are 0 in a step of training, drawn anew for each row; the
	 * others are scaled up by as much (Srivastava et al., 2014). Below 1; 0: none.
	 */
	double dropout;
	uint32_t n_epochs;
	uint32_t batch;
	uint64_t seed;
};

/*
 * Borrowed rows with their class, 0..n_classes-1. One of bytes and floats is not NULL. A row counts weights[row]
 * times in the loss; the rate is meant for weights whose mean is 1.
 */
struct train_data {
	const uint8_t *bytes; /* [n_rows][n_in] */
	const float *floats;  /* [n_rows][n_in] */
	const uint8_t *labels;
	const float *weights; /* [n_rows], finite, 0 or more, not all 0; NULL: all 1 */
	uint32_t n_rows;
};

/* Mean cross-entropy in nats by the rows' weights, and the share of rows whose likeliest class is theirs. */
struct train_score {
	double loss;
	double accuracy;
};

struct train;

/* The optimizer of that name ("rmsprop", "adam", "sgd") and its name. 0 or -EINVAL. */
int train_optimizer_parse(const char *text, enum train_optimizer *optimizer);
const char *train_optimizer_name(enum train_optimizer optimizer);

/* Keras's default rate of the optimizer. */
double train_optimizer_rate(enum train_optimizer optimizer);

/* Draws the initial weights. 0, -ENOMEM, or -EINVAL with one line in error. *train belongs to the caller. */
int train_create(const struct train_options *options, struct train **train, char *error, size_t error_size);
void train_free(struct train *train);

/*
 * The next epoch: every row once, in a new random order. score is the mean over the epoch, while weights
 * moved. The rows may differ from epoch to epoch. Returns 0, -ENOMEM, -EINTR when *stop became true (looked
 * at after each batch; NULL: never), -EINVAL after the last epoch and without rows, or -ERANGE when the loss is not
 * finite: the rate is too high or the data are not numbers.
 */
int train_epoch(struct train *train, const struct train_data *data, const atomic_bool *stop,
		struct train_score *score);

/* The score of rows under the present weights, which stay as they are. */
struct train_score train_measure(struct train *train, const struct train_data *data);

/*
 * Remembers the present weights in place of those remembered before, and puts the remembered ones back (nothing
 * happens where there are none): for stopping at the epoch that was best. 0 or -ENOMEM.
 */
int train_keep(struct train *train);
void train_restore(struct train *train);

/* Whether the network still reads that input: false once it was let go. */
bool train_keeps_input(const struct train *train, uint32_t input);

/* Copies the present network out; the caller frees it with nn_network_free. 0 or -ENOMEM. */
int train_network(const struct train *train, struct nn_network *network);

#endif
