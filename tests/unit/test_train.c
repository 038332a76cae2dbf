/* SPDX-License-Identifier: BSD-3-Clause */
/* The trainer: lib/train/train.c. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "random.h"
#include "train.h"

static struct train_options options(uint32_t n_in, uint32_t n_classes)
{
	return (struct train_options){
		.n_in = n_in,
		.n_hidden = 1,
		.hidden = {8},
		.activation = NN_RELU,
		.alpha = 0.01f,
		.n_classes = n_classes,
		.input_scale = 1,
		.optimizer = TRAIN_RMSPROP,
		.learning_rate = 0.01,
		.learning_rate_final = 0.01,
		.n_epochs = 100,
		.batch = 16,
		.seed = 42,
	};
}

static struct train *create(const struct train_options *o)
{
	struct train *train;
	char error[256] = "";

	if (train_create(o, &train, error, sizeof(error)) != 0)
		fail_msg("%s", error);
	return train;
}

/* Trains for all epochs and returns the score of the data under the final weights. */
static struct train_score run(struct train *train, const struct train_options *o, const struct train_data *data)
{
	struct train_score score;

	for (uint32_t i = 0; i < o->n_epochs; i++)
		assert_int_equal(train_epoch(train, data, NULL, &score), 0);
	return train_measure(train, data);
}

/* Points of the square [-1, 1]^2; the class is the quadrant's parity (n_classes 2) or number. */
#define N_POINTS 512
static void points_draw(float *points, uint8_t *labels, uint32_t n_classes)
{
	struct random random;

	random_seed(&random, 7);
	for (uint32_t i = 0; i < N_POINTS; i++) {
		bool right, upper;

		points[2 * i] = 2 * random_unit(&random) - 1;
		points[2 * i + 1] = 2 * random_unit(&random) - 1;
		right = points[2 * i] > 0;
		upper = points[2 * i + 1] > 0;
		labels[i] = n_classes == 2 ? right != upper : (uint8_t)(2 * upper + right);
	}
}

static void every_optimizer_and_activation_learns_exclusive_or(void **state)
{
	static const struct {
		enum train_optimizer optimizer;
		enum nn_activation activation;
		double rate;
	} cases[] = {{TRAIN_RMSPROP, NN_RELU, 0.01},
		     {TRAIN_ADAM, NN_LEAKY_RELU, 0.01},
		     {TRAIN_SGD, NN_TANH, 0.5},
		     {TRAIN_ADAM, NN_CLIP, 0.01}};
	float points[2 * N_POINTS];
	uint8_t labels[N_POINTS];
	struct train_data data = {.floats = points, .labels = labels, .n_rows = N_POINTS};

	(void)state;
	points_draw(points, labels, 2);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct train_options o = options(2, 2);
		struct train *train;
		struct train_score before, after;

		o.optimizer = cases[i].optimizer;
		o.activation = cases[i].activation;
		o.learning_rate = cases[i].rate;
		o.learning_rate_final = cases[i].rate / 100;
		train = create(&o);
		before = train_measure(train, &data);
		after = run(train, &o, &data);
		assert_true(before.accuracy < 0.8);
		assert_true(after.accuracy > 0.97);
		assert_true(after.loss < 0.1);
		train_free(train);
	}
}

static void four_classes_are_learned_with_softmax(void **state)
{
	struct train_options o = options(2, 4);
	float points[2 * N_POINTS];
	uint8_t labels[N_POINTS];
	struct train_data data = {.floats = points, .labels = labels, .n_rows = N_POINTS};
	struct nn_network network;
	struct train *train;

	(void)state;
	points_draw(points, labels, 4);
	train = create(&o);
	assert_true(run(train, &o, &data).accuracy > 0.97);
	assert_int_equal(train_network(train, &network), 0);
	assert_int_equal(network.layers[1].n_out, 4);
	assert_int_equal(network.layers[1].activation, NN_SOFTMAX);
	nn_network_free(&network);
	train_free(train);
}

/*
 * The gradient that plain descent follows, told from the step that it takes, against the slope of the loss
 * that train_measure gives: back-propagation is right or it is not.
 */
static void gradients_equal_the_slope_of_the_loss(void **state)
{
	static const enum nn_activation activations[] = {NN_TANH, NN_LEAKY_RELU};

	(void)state;
	for (uint32_t n_classes = 2; n_classes <= 3; n_classes++) {
		for (int a = 0; a < 2; a++) {
			enum { N = 16, N_IN = 3 };
			struct train_options o = options(N_IN, n_classes);
			struct train_score score, base;
			struct nn_network before, after;
			struct train *train;
			struct random random;
			float floats[N * N_IN];
			uint8_t labels[N];
			struct train_data data = {.floats = floats, .labels = labels, .n_rows = N};
			double squares = 0, expected;

			random_seed(&random, 11);
			for (int i = 0; i < N * N_IN; i++)
				floats[i] = 2 * random_unit(&random) - 1;
			for (int i = 0; i < N; i++)
				labels[i] = (uint8_t)random_below(&random, n_classes);
			o.n_hidden = 2;
			o.hidden[1] = 5;
			o.activation = activations[a];
			o.optimizer = TRAIN_SGD;
			o.learning_rate = o.learning_rate_final = 1e-3;
			o.bias_range = 0.5;
			train = create(&o);
			base = train_measure(train, &data);
			assert_int_equal(train_network(train, &before), 0);
			assert_int_equal(train_epoch(train, &data, NULL, &score), 0);
			assert_int_equal(train_network(train, &after), 0);
			assert_true(fabs(score.loss - base.loss) < 1e-6);
			for (uint32_t l = 0; l < 3; l++) {
				const struct nn_layer *x = &before.layers[l], *y = &after.layers[l];

				for (uint32_t i = 0; i < x->n_in * x->n_out; i++)
					squares += pow((double)y->weights[i] - x->weights[i], 2);
				for (uint32_t i = 0; i < x->n_out; i++)
					squares += pow((double)y->bias[i] - x->bias[i], 2);
			}
			/* A step of -rate * g lowers the loss by rate * g^2, to first order. */
			expected = squares / o.learning_rate;
			assert_true(fabs(base.loss - train_measure(train, &data).loss - expected) <
				    0.02 * expected);
			nn_network_free(&before);
			nn_network_free(&after);
			train_free(train);
		}
	}
}

static void initial_weights_are_glorots_and_biases_in_range(void **state)
{
	struct train_options o = options(20, 2);
	float limit = sqrtf(6.0f / (20 + 100)), most = 0;
	struct nn_network network;
	struct train *train;
	double sum = 0;

	(void)state;
	o.hidden[0] = 100;
	train = create(&o);
	assert_int_equal(train_network(train, &network), 0);
	for (int i = 0; i < 2000; i++) {
		most = fmaxf(most, fabsf(network.layers[0].weights[i]));
		sum += network.layers[0].weights[i];
	}
	assert_true(most <= limit && most > 0.98f * limit);
	assert_true(fabs(sum / 2000) < 0.02 * limit * 5);
	for (int i = 0; i < 100; i++)
		assert_true(network.layers[0].bias[i] == 0);
	assert_false(network.has_input_stage);
	nn_network_free(&network);
	train_free(train);
}

static void biases_are_drawn_from_the_range_asked_for(void **state)
{
	struct train_options o = options(2, 2);
	struct nn_network network;
	struct train *train;
	float most = 0;

	(void)state;
	o.hidden[0] = 200;
	o.bias_range = 3;
	train = create(&o);
	assert_int_equal(train_network(train, &network), 0);
	for (int i = 0; i < 200; i++)
		most = fmaxf(most, fabsf(network.layers[0].bias[i]));
	assert_true(most > 2.5f && most <= 3);
	assert_true(network.layers[1].bias[0] == 0);
	nn_network_free(&network);
	train_free(train);
}

/* The network after training on points whose second coordinate says nothing, with the lasso for n_epochs. */
static void train_with_idle_input(enum train_optimizer optimizer, uint32_t n_epochs, struct nn_network *network)
{
	float points[2 * N_POINTS];
	uint8_t labels[N_POINTS];
	struct train_data data = {.floats = points, .labels = labels, .n_rows = N_POINTS};
	struct train_options o = options(2, 2);
	struct train *train;

	points_draw(points, labels, 2);
	for (uint32_t i = 0; i < N_POINTS; i++)
		labels[i] = points[2 * i] > 0;
	o.optimizer = optimizer;
	o.input_lasso = 0.05;
	o.n_lasso_epochs = n_epochs;
	o.n_epochs = 60;
	train = create(&o);
	assert_true(run(train, &o, &data).accuracy > 0.97);
	assert_int_equal(train_network(train, network), 0);
	train_free(train);
}

static float input_largest(const struct nn_network *network, uint32_t input)
{
	float most = 0;

	for (uint32_t o = 0; o < 8; o++)
		most = fmaxf(most, fabsf(network->layers[0].weights[2 * o + input]));
	return most;
}

static void an_idle_input_is_let_go_for_good_and_no_other(void **state)
{
	static const enum train_optimizer optimizers[] = {TRAIN_RMSPROP, TRAIN_ADAM};
	struct nn_network network;

	(void)state;
	for (int i = 0; i < 2; i++) {
		train_with_idle_input(optimizers[i], 50, &network);
		assert_true(input_largest(&network, 0) > 0.5f);
		assert_true(input_largest(&network, 1) == 0);
		nn_network_free(&network);
		/* Without the lasso it stays. */
		train_with_idle_input(optimizers[i], 0, &network);
		assert_true(input_largest(&network, 1) > 0.01f);
		nn_network_free(&network);
	}
}

static void bytes_and_the_same_floats_train_alike(void **state)
{
	enum { N = 200, N_IN = 14 };
	uint8_t bytes[N * N_IN], labels[N];
	float floats[N * N_IN];
	struct nn_network network[2];
	struct random random;

	(void)state;
	random_seed(&random, 5);
	for (int i = 0; i < N * N_IN; i++)
		floats[i] = bytes[i] = (uint8_t)random_below(&random, 256);
	for (int i = 0; i < N; i++)
		labels[i] = bytes[i * N_IN + 12] > 127;
	for (int form = 0; form < 2; form++) {
		struct train_options o = options(N_IN, 2);
		struct train_data data = {.bytes = form == 0 ? bytes : NULL,
					  .floats = form == 1 ? floats : NULL,
					  .labels = labels,
					  .n_rows = N};
		struct train *train;

		o.input_scale = 1.0f / 255;
		o.n_epochs = 3;
		train = create(&o);
		run(train, &o, &data);
		assert_int_equal(train_network(train, &network[form]), 0);
		train_free(train);
	}
	assert_true(network[0].has_input_stage);
	assert_true(network[0].input_scale[13] == 1.0f / 255 && network[0].input_shift[13] == 0);
	assert_memory_equal(network[0].layers[0].weights, network[1].layers[0].weights, 8 * N_IN * sizeof(float));
	nn_network_free(&network[0]);
	nn_network_free(&network[1]);
}

static void the_same_seed_gives_the_same_bits_and_another_does_not(void **state)
{
	float points[2 * N_POINTS];
	uint8_t labels[N_POINTS];
	struct train_data data = {.floats = points, .labels = labels, .n_rows = N_POINTS};
	struct nn_network network[3];

	(void)state;
	points_draw(points, labels, 2);
	for (int i = 0; i < 3; i++) {
		struct train_options o = options(2, 2);
		struct train *train;

		o.n_epochs = 3;
		o.seed = i < 2 ? 42 : 43;
		train = create(&o);
		run(train, &o, &data);
		assert_int_equal(train_network(train, &network[i]), 0);
		train_free(train);
	}
	assert_memory_equal(network[0].layers[0].weights, network[1].layers[0].weights, 16 * sizeof(float));
	assert_memory_not_equal(network[0].layers[0].weights, network[2].layers[0].weights, 16 * sizeof(float));
	for (int i = 0; i < 3; i++)
		nn_network_free(&network[i]);
}

static void the_copied_network_scores_as_the_trainer_does(void **state)
{
	struct train_options o = options(2, 2);
	float points[2 * N_POINTS], logits[NN_MAX_BATCH];
	uint8_t labels[N_POINTS];
	struct train_data data = {.floats = points, .labels = labels, .n_rows = N_POINTS};
	struct train_score score;
	struct nn_network network;
	struct nn_scratch *scratch;
	struct nn_plan *plan;
	struct train *train;
	uint32_t n_hits = 0;
	double loss = 0;

	(void)state;
	o.activation = NN_LEAKY_RELU;
	o.input_scale = 0.5f;
	o.input_shift = 0.25f;
	o.n_epochs = 5;
	points_draw(points, labels, 2);
	train = create(&o);
	run(train, &o, &data);
	score = train_measure(train, &data);
	assert_int_equal(train_network(train, &network), 0);
	assert_int_equal(nn_plan_create(&network, &plan), 0);
	scratch = nn_scratch_create(plan);
	for (uint32_t at = 0; at < N_POINTS; at += NN_MAX_BATCH) {
		nn_kernel_find("scalar")->score_floats(plan, scratch, points + (size_t)2 * at, 2, NN_MAX_BATCH,
						       logits);
		for (uint32_t i = 0; i < NN_MAX_BATCH; i++) {
			uint8_t label = labels[at + i];

			loss += log1p(exp(label != 0 ? -(double)logits[i] : (double)logits[i])) / N_POINTS;
			n_hits += (logits[i] >= 0) == label;
		}
	}
	assert_true(fabs(loss - score.loss) < 1e-5);
	assert_true(fabs((double)n_hits / N_POINTS - score.accuracy) < 1e-9);
	nn_scratch_free(scratch);
	nn_plan_free(plan);
	nn_network_free(&network);
	train_free(train);
}

/* How far the first layer's first weight moves in each of two epochs of one step. */
static void moves_of_two_epochs(double rate_final, double moves[2])
{
	float points[2 * N_POINTS];
	uint8_t labels[N_POINTS];
	struct train_data data = {.floats = points, .labels = labels, .n_rows = N_POINTS};
	struct train_options o = options(2, 2);
	struct nn_network network;
	struct train_score score;
	struct train *train;
	double last = 0;

	points_draw(points, labels, 2);
	o.optimizer = TRAIN_SGD;
	o.learning_rate = 0.01;
	o.learning_rate_final = rate_final;
	o.n_epochs = 2;
	o.batch = N_POINTS;
	train = create(&o);
	for (int i = 0; i < 3; i++) {
		double weight;

		assert_int_equal(train_network(train, &network), 0);
		weight = (double)network.layers[0].weights[0];
		if (i > 0)
			moves[i - 1] = fabs(weight - last);
		last = weight;
		nn_network_free(&network);
		assert_int_equal(train_epoch(train, &data, NULL, &score), i < 2 ? 0 : -EINVAL);
	}
	train_free(train);
}

static void the_rate_falls_along_a_cosine(void **state)
{
	double moves[2];

	(void)state;
	moves_of_two_epochs(0.01, moves);
	assert_true(fabs(moves[1] / moves[0] - 1) < 0.01);
	/* Half way down the cosine: the mean of both rates. */
	moves_of_two_epochs(0.0001, moves);
	assert_true(fabs(moves[1] / moves[0] - 0.505) < 0.01);
}

static void losses_that_are_not_finite_are_an_error(void **state)
{
	float points[2 * N_POINTS];
	uint8_t labels[N_POINTS];
	struct train_data data = {.floats = points, .labels = labels, .n_rows = N_POINTS};
	struct train_options o = options(2, 2);
	struct train_score score;
	struct train *train;
	int rc = 0;

	(void)state;
	points_draw(points, labels, 2);
	o.optimizer = TRAIN_SGD;
	o.learning_rate = 1e6;
	o.learning_rate_final = 1e6;
	o.hidden[0] = 64;
	o.activation = NN_LEAKY_RELU;
	o.alpha = 1;
	train = create(&o);
	for (uint32_t i = 0; i < o.n_epochs && rc == 0; i++)
		rc = train_epoch(train, &data, NULL, &score);
	assert_int_equal(rc, -ERANGE);
	train_free(train);

	/* Not hidden by a relu that takes NaN for 0. */
	o = options(2, 2);
	points[100] = NAN;
	train = create(&o);
	assert_int_equal(train_epoch(train, &data, NULL, &score), -ERANGE);
	train_free(train);
}

static void an_interrupt_stops_after_the_batch(void **state)
{
	float points[2 * N_POINTS];
	uint8_t labels[N_POINTS];
	struct train_data data = {.floats = points, .labels = labels, .n_rows = N_POINTS};
	struct train_options o = options(2, 2);
	struct train *train = create(&o);
	struct train_score score;
	atomic_bool stop = true;

	(void)state;
	points_draw(points, labels, 2);
	assert_int_equal(train_epoch(train, &data, &stop, &score), -EINTR);
	stop = false;
	assert_int_equal(train_epoch(train, &data, &stop, &score), 0);
	train_free(train);
}

static void epochs_past_the_last_and_empty_data_are_refused(void **state)
{
	float points[2 * N_POINTS];
	uint8_t labels[N_POINTS];
	struct train_data data = {.floats = points, .labels = labels, .n_rows = N_POINTS}, none = data;
	struct train_options o = options(2, 2);
	struct train_score score;
	struct train *train;

	(void)state;
	points_draw(points, labels, 2);
	none.n_rows = 0;
	o.n_epochs = 1;
	train = create(&o);
	assert_int_equal(train_epoch(train, &none, NULL, &score), -EINVAL);
	assert_int_equal(train_epoch(train, &data, NULL, &score), 0);
	assert_int_equal(train_epoch(train, &data, NULL, &score), -EINVAL);
	train_free(train);
}

/* One step of plain descent over all rows; the first layer's 16 weights and 8 biases behind it. */
static void step_once(const struct train_options *o, const struct train_data *data, float weights[24])
{
	struct train *train = create(o);
	struct nn_network network;
	struct train_score score;

	assert_int_equal(train_epoch(train, data, NULL, &score), 0);
	assert_int_equal(train_network(train, &network), 0);
	memcpy(weights, network.layers[0].weights, 16 * sizeof(float));
	memcpy(weights + 16, network.layers[0].bias, 8 * sizeof(float));
	nn_network_free(&network);
	train_free(train);
}

static void a_weighted_row_counts_as_often(void **state)
{
	static const float points[] = {0.5f, -0.25f, 1, 1};
	static const uint8_t labels[] = {1, 0};
	static const float weights[] = {2, 0};
	struct train_data both = {.floats = points, .labels = labels, .weights = weights, .n_rows = 2};
	struct train_data first = {.floats = points, .labels = labels, .n_rows = 1};
	struct train_options o = options(2, 2);
	float after[2][24];
	struct train *train = create(&o);

	(void)state;
	assert_true(train_measure(train, &both).loss == train_measure(train, &first).loss);
	train_free(train);
	o.optimizer = TRAIN_SGD;
	o.bias_range = 1;
	step_once(&o, &both, after[0]);
	step_once(&o, &first, after[1]);
	assert_memory_equal(after[0], after[1], sizeof(after[0]));
}

static void weight_decay_shrinks_weights_but_no_biases(void **state)
{
	float points[2 * N_POINTS], plain[24], decayed[24], before[24];
	uint8_t labels[N_POINTS];
	struct train_data data = {.floats = points, .labels = labels, .n_rows = N_POINTS};
	struct train_options o = options(2, 2);
	struct nn_network network;
	struct train *train;

	(void)state;
	points_draw(points, labels, 2);
	o.optimizer = TRAIN_ADAM;
	o.batch = N_POINTS;
	o.bias_range = 1;
	train = create(&o);
	assert_int_equal(train_network(train, &network), 0);
	memcpy(before, network.layers[0].weights, 16 * sizeof(float));
	nn_network_free(&network);
	train_free(train);
	step_once(&o, &data, plain);
	o.weight_decay = 10;
	step_once(&o, &data, decayed);
	/* A tenth of each weight, the rate being 0.01, whatever the gradient. */
	for (int i = 0; i < 16; i++)
		assert_true(fabsf(plain[i] - decayed[i] - 0.1f * before[i]) < 1e-6f);
	assert_memory_equal(plain + 16, decayed + 16, 8 * sizeof(float));
}

/* Of rows that are alike and small logits the mean loss is linear in the mean logit. */
static void dropout_leaves_the_mean_as_it_is_and_measuring_alone(void **state)
{
	enum { N = 40000 };
	float *points = malloc(2 * N * sizeof(float));
	uint8_t *labels = malloc(N);
	struct train_data data = {.floats = points, .labels = labels, .n_rows = N};
	struct train_options o = options(2, 2);
	struct train_score measured, dropped;
	struct train *train;

	(void)state;
	for (int i = 0; i < N; i++) {
		points[2 * i] = points[2 * i + 1] = 0.1f;
		labels[i] = 1;
	}
	o.learning_rate = o.learning_rate_final = 1e-12;
	o.dropout = 0.4;
	o.hidden[0] = 64;
	train = create(&o);
	measured = train_measure(train, &data);
	assert_int_equal(train_epoch(train, &data, NULL, &dropped), 0);
	assert_true(fabs(measured.loss - M_LN2) > 0.005);
	assert_true(dropped.loss != measured.loss);
	assert_true(fabs(dropped.loss - measured.loss) < 0.05 * fabs(measured.loss - M_LN2));
	/* As it was: nothing is dropped. */
	assert_true(fabs(train_measure(train, &data).loss - measured.loss) < 1e-7);
	train_free(train);
	free(points);
	free(labels);
}

/* A neuron that is left out of a row's step neither hands anything on nor learns anything from it. */
static void neurons_that_are_dropped_do_not_move(void **state)
{
	static const float point[] = {0.5f, -0.25f};
	static const uint8_t label = 1;
	struct train_data data = {.floats = point, .labels = &label, .n_rows = 1};
	struct train_options o = options(2, 2);
	struct nn_network before, after;
	struct train_score score;
	struct train *train;
	uint32_t n_dropped = 0;

	(void)state;
	o.activation = NN_TANH;
	o.optimizer = TRAIN_SGD;
	o.learning_rate = o.learning_rate_final = 0.1;
	o.hidden[0] = 64;
	o.dropout = 0.25;
	train = create(&o);
	assert_int_equal(train_network(train, &before), 0);
	assert_int_equal(train_epoch(train, &data, NULL, &score), 0);
	assert_int_equal(train_network(train, &after), 0);
	for (uint32_t i = 0; i < 64; i++) {
		bool is_dropped = before.layers[1].weights[i] == after.layers[1].weights[i];

		n_dropped += is_dropped;
		assert_true(is_dropped == (before.layers[0].weights[2 * i] == after.layers[0].weights[2 * i]));
		assert_true(is_dropped == (after.layers[0].bias[i] == 0));
	}
	assert_true(n_dropped > 5 && n_dropped < 30);
	nn_network_free(&before);
	nn_network_free(&after);
	train_free(train);
}

static void exclusive_or_is_learnt_through_dropout_and_decay(void **state)
{
	float points[2 * N_POINTS];
	uint8_t labels[N_POINTS];
	struct train_data data = {.floats = points, .labels = labels, .n_rows = N_POINTS};
	static const enum nn_activation activations[] = {NN_RELU, NN_TANH};

	(void)state;
	points_draw(points, labels, 2);
	for (int i = 0; i < 2; i++) {
		struct train_options o = options(2, 2);
		struct train *train;

		o.activation = activations[i];
		o.hidden[0] = 32;
		o.optimizer = TRAIN_ADAM;
		o.learning_rate_final = 0.0001;
		o.dropout = 0.1;
		o.weight_decay = 0.01;
		train = create(&o);
		assert_true(run(train, &o, &data).accuracy > 0.95);
		train_free(train);
	}
}

static void kept_weights_come_back(void **state)
{
	float points[2 * N_POINTS];
	uint8_t labels[N_POINTS];
	struct train_data data = {.floats = points, .labels = labels, .n_rows = N_POINTS};
	struct train_options o = options(2, 2);
	struct train *train = create(&o);
	struct train_score score, kept;

	(void)state;
	points_draw(points, labels, 2);
	train_restore(train);
	assert_int_equal(train_epoch(train, &data, NULL, &score), 0);
	assert_int_equal(train_keep(train), 0);
	kept = train_measure(train, &data);
	assert_int_equal(train_epoch(train, &data, NULL, &score), 0);
	assert_true(train_measure(train, &data).loss != kept.loss);
	train_restore(train);
	assert_true(train_measure(train, &data).loss == kept.loss);
	train_free(train);
}

static void two_classes_can_have_a_softmax(void **state)
{
	float points[2 * N_POINTS];
	uint8_t labels[N_POINTS];
	struct train_data data = {.floats = points, .labels = labels, .n_rows = N_POINTS};
	struct train_options o = options(2, 2);
	struct nn_network network;
	struct train *train;

	(void)state;
	points_draw(points, labels, 2);
	o.is_softmax = true;
	train = create(&o);
	assert_true(run(train, &o, &data).accuracy > 0.97);
	assert_int_equal(train_network(train, &network), 0);
	assert_int_equal(network.layers[1].n_out, 2);
	assert_int_equal(network.layers[1].activation, NN_SOFTMAX);
	nn_network_free(&network);
	train_free(train);
}

static void options_that_make_no_sense_are_refused_in_words(void **state)
{
	struct train_options bad[12];
	struct train *train = NULL;
	char error[256];

	(void)state;
	for (size_t i = 0; i < 12; i++)
		bad[i] = options(2, 2);
	bad[0].n_in = 0;
	bad[1].hidden[0] = 0;
	bad[2].hidden[0] = NN_MAX_WIDTH + 1;
	bad[3].n_hidden = TRAIN_MAX_HIDDEN + 1;
	bad[4].n_classes = 1;
	bad[5].activation = NN_SIGMOID;
	bad[6].batch = 0;
	bad[7].learning_rate = NAN;
	bad[8].n_epochs = 0;
	bad[9].dropout = 1;
	bad[10].dropout = -0.1;
	bad[11].weight_decay = NAN;
	for (size_t i = 0; i < 12; i++) {
		error[0] = '\0';
		assert_int_equal(train_create(&bad[i], &train, error, sizeof(error)), -EINVAL);
		assert_true(strlen(error) > 10);
		assert_null(train);
	}
}

static void optimizers_are_found_by_name(void **state)
{
	enum train_optimizer optimizer;

	(void)state;
	assert_int_equal(train_optimizer_parse("adam", &optimizer), 0);
	assert_int_equal(optimizer, TRAIN_ADAM);
	assert_string_equal(train_optimizer_name(TRAIN_RMSPROP), "rmsprop");
	assert_int_equal(train_optimizer_parse("Adam", &optimizer), -EINVAL);
	assert_true(train_optimizer_rate(TRAIN_RMSPROP) == 0.001);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_optimizer_and_activation_learns_exclusive_or),
		cmocka_unit_test(four_classes_are_learned_with_softmax),
		cmocka_unit_test(gradients_equal_the_slope_of_the_loss),
		cmocka_unit_test(initial_weights_are_glorots_and_biases_in_range),
		cmocka_unit_test(biases_are_drawn_from_the_range_asked_for),
		cmocka_unit_test(an_idle_input_is_let_go_for_good_and_no_other),
		cmocka_unit_test(bytes_and_the_same_floats_train_alike),
		cmocka_unit_test(the_same_seed_gives_the_same_bits_and_another_does_not),
		cmocka_unit_test(the_copied_network_scores_as_the_trainer_does),
		cmocka_unit_test(the_rate_falls_along_a_cosine),
		cmocka_unit_test(losses_that_are_not_finite_are_an_error),
		cmocka_unit_test(an_interrupt_stops_after_the_batch),
		cmocka_unit_test(epochs_past_the_last_and_empty_data_are_refused),
		cmocka_unit_test(a_weighted_row_counts_as_often),
		cmocka_unit_test(weight_decay_shrinks_weights_but_no_biases),
		cmocka_unit_test(dropout_leaves_the_mean_as_it_is_and_measuring_alone),
		cmocka_unit_test(neurons_that_are_dropped_do_not_move),
		cmocka_unit_test(exclusive_or_is_learnt_through_dropout_and_decay),
		cmocka_unit_test(kept_weights_come_back),
		cmocka_unit_test(two_classes_can_have_a_softmax),
		cmocka_unit_test(options_that_make_no_sense_are_refused_in_words),
		cmocka_unit_test(optimizers_are_found_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
