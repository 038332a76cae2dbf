/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Back-propagation for multi-layer perceptrons on OpenBLAS. Called by `wirescore train`.
 */
#include "train.h"

#include <cblas.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"

#define RMSPROP_RHO 0.9f
#define ADAM_BETA_1 0.9f
#define ADAM_BETA_2 0.999f
#define EPSILON	    1e-7f
/* An input is let go when its weights are below this share of the largest input's, by their root mean square. */
#define KEEP_SHARE 0.12
/* NN_CLIP in hidden layers; where it clips, learning goes on with this slope, or its neurons would never return. */
#define CLIP_LOW   -1.0f
#define CLIP_HIGH  1.0f
#define CLIP_SLOPE 0.01f
/* Dropout draws 16 bits for an output. Its stream is its own: without it nothing else is drawn otherwise. */
#define DROPOUT_STEPS 65536u
#define DROPOUT_SEED  0x64726f706f757421u
/* Rows of a batch lie anywhere in memory; they are asked for so many places ahead. */
#define PREFETCH_ROWS 12u
#define LINE_BYTES    64u

struct train_layer {
	uint32_t n_in, n_out;
	float *weights;		 /* [n_out][n_in], inside train->parameters */
	float *bias;		 /* [n_out], behind them */
	float *weights_gradient; /* the same places inside train->gradient */
	float *bias_gradient;
	float *outputs; /* [batch][n_out]: after the activation; logits in the last layer */
	float *mask;	/* [batch][n_out]: what dropout multiplies the outputs with; NULL: no dropout */
	float *dropped; /* [batch][n_out]: outputs times mask */
	float *deltas;	/* [batch][n_out]: derivative of the batch's mean loss by the layer's sums */
};

struct train {
	struct train_options options;
	uint32_t n_layers;
	struct train_layer layers[NN_MAX_LAYERS];
	size_t n_parameters;
	float *parameters;
	float *gradient;
	float *moment_1; /* Adam: mean gradient */
	float *moment_2; /* RMSprop and Adam: mean squared gradient */
	float *inputs;	 /* [batch][n_in] */
	float *is_kept;	 /* [n_in]: 1, or 0 for an input that was let go */
	uint8_t *labels; /* [batch] */
	float *weights;	 /* [batch] */
	float *best;	 /* [n_parameters] of train_keep, or NULL */
	uint32_t *order;
	uint32_t order_capacity;
	uint32_t n_epochs_done;
	uint64_t n_steps;
	struct random random;
	struct random dropout_random;
};

/* Sums over rows that have been through the network. */
struct train_sums {
	double loss, weight;
	uint64_t n_hits, n_rows;
};

static const char *const optimizer_names[] = {
	[TRAIN_RMSPROP] = "rmsprop",
	[TRAIN_ADAM] = "adam",
	[TRAIN_SGD] = "sgd",
};

int train_optimizer_parse(const char *text, enum train_optimizer *optimizer)
{
	for (size_t i = 0; i < sizeof(optimizer_names) / sizeof(optimizer_names[0]); i++) {
		if (strcmp(text, optimizer_names[i]) == 0) {
			*optimizer = (enum train_optimizer)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *train_optimizer_name(enum train_optimizer optimizer)
{
	return optimizer_names[optimizer];
}

double train_optimizer_rate(enum train_optimizer optimizer)
{
	return optimizer == TRAIN_SGD ? 0.01 : 0.001;
}

static int options_check(const struct train_options *o, char *error, size_t error_size)
{
	const char *what = NULL;

	for (uint32_t i = 0; i < o->n_hidden && i < TRAIN_MAX_HIDDEN; i++)
		if (o->hidden[i] == 0 || o->hidden[i] > NN_MAX_WIDTH)
			what = "a hidden layer must have 1 to 512 neurons";
	if (o->n_in == 0 || o->n_in > NN_MAX_WIDTH)
		what = "a network must have 1 to 512 inputs";
	else if (o->n_hidden > TRAIN_MAX_HIDDEN)
		what = "a network may have 7 hidden layers at most";
	else if (o->n_classes < 2 || o->n_classes > 256)
		what = "there must be 2 to 256 classes";
	else if (o->activation != NN_RELU && o->activation != NN_LEAKY_RELU && o->activation != NN_CLIP &&
		 o->activation != NN_TANH)
		what = "hidden layers can be trained with relu, leaky, clip or tanh only";
	else if (o->batch == 0 || o->batch > TRAIN_MAX_BATCH || o->n_epochs == 0)
		what = "there must be an epoch at least and 1 to 65536 rows a batch";
	else if (!(o->learning_rate > 0) || !(o->learning_rate_final > 0) || !(o->input_lasso >= 0) ||
		 !isfinite(o->learning_rate) || !isfinite(o->learning_rate_final) || !isfinite(o->input_lasso) ||
		 !isfinite(o->bias_range) || !isfinite(o->input_scale) || !isfinite(o->input_shift))
		what = "rates must be finite and above 0";
	else if (!(o->weight_decay >= 0) || !isfinite(o->weight_decay) || !(o->dropout >= 0) || !(o->dropout < 1))
		what = "weight decay must be 0 or more, and dropout from 0 to below 1";
	if (what == NULL)
		return 0;
	snprintf(error, error_size, "%s", what);
	return -EINVAL;
}

/* Weights uniform within +-sqrt(6 / (n_in + n_out)): Glorot and Bengio, 2010; biases within +-bias_range. */
static void layer_draw(struct train_layer *layer, float bias_range, struct random *random)
{
	float limit = sqrtf(6.0f / (float)(layer->n_in + layer->n_out));

	for (size_t i = 0; i < (size_t)layer->n_in * layer->n_out; i++)
		layer->weights[i] = (2.0f * random_unit(random) - 1.0f) * limit;
	for (uint32_t o = 0; o < layer->n_out; o++)
		layer->bias[o] = (2.0f * random_unit(random) - 1.0f) * bias_range;
}

/* Shapes the layers and gives each what a batch needs. 0 or -ENOMEM. */
static int layers_init(struct train *train)
{
	const struct train_options *o = &train->options;

	train->n_layers = o->n_hidden + 1;
	for (uint32_t l = 0, n_in = o->n_in; l < train->n_layers; l++) {
		struct train_layer *layer = &train->layers[l];
		bool is_hidden = l < o->n_hidden;
		size_t n_outputs;

		layer->n_in = n_in;
		if (is_hidden)
			layer->n_out = o->hidden[l];
		else
			layer->n_out = o->n_classes == 2 && !o->is_softmax ? 1 : o->n_classes;
		n_in = layer->n_out;
		n_outputs = (size_t)o->batch * layer->n_out;
		train->n_parameters += (size_t)layer->n_out * (layer->n_in + 1);
		layer->outputs = calloc(n_outputs, sizeof(float));
		layer->deltas = calloc(n_outputs, sizeof(float));
		if (layer->outputs == NULL || layer->deltas == NULL)
			return -ENOMEM;
		if (!is_hidden || o->dropout == 0)
			continue;
		layer->mask = calloc(n_outputs, sizeof(float));
		layer->dropped = calloc(n_outputs, sizeof(float));
		if (layer->mask == NULL || layer->dropped == NULL)
			return -ENOMEM;
	}
	return 0;
}

/* The parameters with what moves them, and the rows of a batch. 0 or -ENOMEM. */
static int buffers_init(struct train *train)
{
	const struct train_options *o = &train->options;

	train->parameters = calloc(train->n_parameters, sizeof(float));
	train->gradient = calloc(train->n_parameters, sizeof(float));
	train->moment_1 = calloc(train->n_parameters, sizeof(float));
	train->moment_2 = calloc(train->n_parameters, sizeof(float));
	train->inputs = calloc((size_t)o->batch * o->n_in, sizeof(float));
	train->is_kept = calloc(o->n_in, sizeof(float));
	train->labels = calloc(o->batch, 1);
	train->weights = calloc(o->batch, sizeof(float));
	if (train->parameters == NULL || train->gradient == NULL || train->moment_1 == NULL ||
	    train->moment_2 == NULL || train->inputs == NULL || train->is_kept == NULL || train->labels == NULL ||
	    train->weights == NULL)
		return -ENOMEM;
	return 0;
}

/* Gives each layer its place among the parameters and draws them. */
static void parameters_draw(struct train *train)
{
	const struct train_options *o = &train->options;
	size_t at = 0;

	for (uint32_t l = 0; l < train->n_layers; l++) {
		struct train_layer *layer = &train->layers[l];

		layer->weights = train->parameters + at;
		layer->weights_gradient = train->gradient + at;
		at += (size_t)layer->n_out * layer->n_in;
		layer->bias = train->parameters + at;
		layer->bias_gradient = train->gradient + at;
		at += layer->n_out;
		layer_draw(layer, l < o->n_hidden ? (float)o->bias_range : 0, &train->random);
	}
}

int train_create(const struct train_options *options, struct train **out, char *error, size_t error_size)
{
	int rc = options_check(options, error, error_size);
	struct train *train;

	if (rc < 0)
		return rc;
	train = calloc(1, sizeof(*train));
	if (train != NULL)
		train->options = *options;
	if (train == NULL || layers_init(train) < 0 || buffers_init(train) < 0) {
		train_free(train);
		snprintf(error, error_size, "out of memory for the network");
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < options->n_in; i++)
		train->is_kept[i] = 1;
	random_seed(&train->random, options->seed);
	random_seed(&train->dropout_random, options->seed ^ DROPOUT_SEED);
	parameters_draw(train);
	/* More threads would split sums in an order that changes from run to run. */
	openblas_set_num_threads(1);
	*out = train;
	return 0;
}

void train_free(struct train *train)
{
	if (train == NULL)
		return;
	for (uint32_t l = 0; l < train->n_layers; l++) {
		free(train->layers[l].outputs);
		free(train->layers[l].deltas);
		free(train->layers[l].mask);
		free(train->layers[l].dropped);
	}
	free(train->parameters);
	free(train->gradient);
	free(train->moment_1);
	free(train->moment_2);
	free(train->inputs);
	free(train->is_kept);
	free(train->labels);
	free(train->weights);
	free(train->best);
	free(train->order);
	free(train);
}

/* Copies a row, scaled, into place i of the batch. */
static void batch_put(struct train *train, uint32_t i, const struct train_data *data, uint32_t row)
{
	uint32_t n_in = train->options.n_in;
	float scale = train->options.input_scale, shift = train->options.input_shift;
	float *to = train->inputs + (size_t)i * n_in;

	if (data->bytes != NULL) {
		const uint8_t *from = data->bytes + (size_t)row * n_in;

		for (uint32_t j = 0; j < n_in; j++)
			to[j] = ((float)from[j] * scale + shift) * train->is_kept[j];
	} else {
		const float *from = data->floats + (size_t)row * n_in;

		for (uint32_t j = 0; j < n_in; j++)
			to[j] = (from[j] * scale + shift) * train->is_kept[j];
	}
	train->labels[i] = data->labels[row];
	train->weights[i] = data->weights != NULL ? data->weights[row] : 1;
}

static void row_prefetch(const struct train *train, const struct train_data *data, uint32_t row)
{
	uint32_t n_in = train->options.n_in;
	const char *at = data->bytes != NULL ? (const char *)(data->bytes + (size_t)row * n_in)
					     : (const char *)(data->floats + (size_t)row * n_in);
	size_t n_bytes = n_in * (data->bytes != NULL ? 1 : sizeof(float));

	for (size_t b = 0; b < n_bytes; b += LINE_BYTES)
		__builtin_prefetch(at + b);
	__builtin_prefetch(data->labels + row);
}

/* Copies the next rows into the batch, in the order of order (NULL: as they lie). */
static void batch_fill(struct train *train, const struct train_data *data, const uint32_t *order, uint32_t at,
		       uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (order != NULL && i + PREFETCH_ROWS < n)
			row_prefetch(train, data, order[at + i + PREFETCH_ROWS]);
		batch_put(train, i, data, order != NULL ? order[at + i] : at + i);
	}
}

static void activate(const struct train_options *options, float *x, size_t n)
{
	switch (options->activation) {
	case NN_RELU:
		/* Written so that NaN stays NaN and shows in the loss. */
		for (size_t i = 0; i < n; i++)
			x[i] = x[i] < 0 ? 0 : x[i];
		break;
	case NN_LEAKY_RELU:
		for (size_t i = 0; i < n; i++)
			x[i] = x[i] < 0 ? options->alpha * x[i] : x[i];
		break;
	case NN_CLIP:
		for (size_t i = 0; i < n; i++)
			x[i] = x[i] < CLIP_LOW ? CLIP_LOW : x[i] > CLIP_HIGH ? CLIP_HIGH : x[i];
		break;
	default:
		for (size_t i = 0; i < n; i++)
			x[i] = tanhf(x[i]);
		break;
	}
}

/* Multiplies deltas by the activation's derivative, told from its outputs. */
static void activate_back(const struct train_options *options, const float *outputs, float *deltas, size_t n)
{
	switch (options->activation) {
	case NN_RELU:
		for (size_t i = 0; i < n; i++)
			deltas[i] = outputs[i] > 0 ? deltas[i] : 0;
		break;
	case NN_LEAKY_RELU:
		for (size_t i = 0; i < n; i++)
			deltas[i] = outputs[i] < 0 ? options->alpha * deltas[i] : deltas[i];
		break;
	case NN_CLIP:
		for (size_t i = 0; i < n; i++)
			deltas[i] = outputs[i] > CLIP_LOW && outputs[i] < CLIP_HIGH ? deltas[i]
										    : CLIP_SLOPE * deltas[i];
		break;
	default:
		for (size_t i = 0; i < n; i++)
			deltas[i] *= 1 - outputs[i] * outputs[i];
		break;
	}
}

/* Draws the layer's mask anew and lets its outputs through it. */
static void layer_drop(struct train *train, struct train_layer *layer, uint32_t n)
{
	uint32_t n_kept = (uint32_t)fmax(rint((1 - train->options.dropout) * DROPOUT_STEPS), 1);
	float scale = (float)DROPOUT_STEPS / (float)n_kept;
	size_t n_outputs = (size_t)n * layer->n_out;

	for (size_t i = 0; i < n_outputs; i += 4) {
		uint64_t drawn = random_next(&train->dropout_random);

		for (size_t j = i; j < n_outputs && j < i + 4; j++, drawn >>= 16)
			layer->mask[j] = (drawn & (DROPOUT_STEPS - 1)) < n_kept ? scale : 0;
	}
	for (size_t i = 0; i < n_outputs; i++)
		layer->dropped[i] = layer->outputs[i] * layer->mask[i];
}

static void forward(struct train *train, uint32_t n, bool drops)
{
	const float *inputs = train->inputs;

	for (uint32_t l = 0; l < train->n_layers; l++) {
		struct train_layer *layer = &train->layers[l];

		for (uint32_t i = 0; i < n; i++)
			memcpy(layer->outputs + (size_t)i * layer->n_out, layer->bias,
			       layer->n_out * sizeof(float));
		cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n, (int)layer->n_out, (int)layer->n_in, 1,
			    inputs, (int)layer->n_in, layer->weights, (int)layer->n_in, 1, layer->outputs,
			    (int)layer->n_out);
		if (l + 1 < train->n_layers)
			activate(&train->options, layer->outputs, (size_t)n * layer->n_out);
		inputs = layer->outputs;
		if (drops && layer->mask != NULL) {
			layer_drop(train, layer, n);
			inputs = layer->dropped;
		}
	}
}

/*
 * Adds the batch's loss and its hits to the sums; deltas of the last layer become (p - y) / n times the row's
 * weight. Both forms work on logits so that no exponential overflows and no logarithm of 0 is taken.
 */
static void batch_loss(struct train *train, uint32_t n, struct train_sums *sums)
{
	struct train_layer *last = &train->layers[train->n_layers - 1];
	uint32_t n_out = last->n_out;

	for (uint32_t i = 0; i < n; i++) {
		const float *z = last->outputs + (size_t)i * n_out;
		float *delta = last->deltas + (size_t)i * n_out;
		float weight = train->weights[i], share = weight * (1.0f / (float)n);
		uint8_t label = train->labels[i];
		uint32_t best = 0;
		float sum = 0;

		sums->weight += (double)weight;
		if (n_out == 1) {
			float e = expf(-fabsf(z[0]));
			float p = z[0] >= 0 ? 1 / (1 + e) : e / (1 + e);

			sums->loss += (double)weight * (double)(fmaxf(z[0], 0) - z[0] * (float)label + log1pf(e));
			sums->n_hits += (z[0] >= 0) == label;
			delta[0] = (p - (float)label) * share;
			/* fmaxf would hide a NaN. */
			if (isnan(z[0]))
				sums->loss = NAN;
			continue;
		}
		for (uint32_t c = 1; c < n_out; c++)
			if (z[c] > z[best])
				best = c;
		for (uint32_t c = 0; c < n_out; c++)
			sum += delta[c] = expf(z[c] - z[best]);
		for (uint32_t c = 0; c < n_out; c++)
			delta[c] = (delta[c] / sum - (c == label)) * share;
		sums->loss += (double)weight * (double)(logf(sum) - (z[label] - z[best]));
		sums->n_hits += best == label;
	}
	sums->n_rows += n;
}

/* Weights that are all 0 leave nothing to divide by. */
static struct train_score sums_score(const struct train_sums *sums)
{
	return (struct train_score){
		.loss = sums->weight > 0 ? sums->loss / sums->weight : 0,
		.accuracy = sums->n_rows > 0 ? (double)sums->n_hits / (double)sums->n_rows : 0,
	};
}

static void backward(struct train *train, uint32_t n)
{
	for (uint32_t l = train->n_layers; l-- > 0;) {
		struct train_layer *layer = &train->layers[l];
		struct train_layer *below = l > 0 ? layer - 1 : NULL;
		const float *inputs = below == NULL	    ? train->inputs
				      : below->mask != NULL ? below->dropped
							    : below->outputs;

		cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)layer->n_out, (int)layer->n_in, (int)n, 1,
			    layer->deltas, (int)layer->n_out, inputs, (int)layer->n_in, 0, layer->weights_gradient,
			    (int)layer->n_in);
		memset(layer->bias_gradient, 0, layer->n_out * sizeof(float));
		for (uint32_t i = 0; i < n; i++)
			for (uint32_t o = 0; o < layer->n_out; o++)
				layer->bias_gradient[o] += layer->deltas[(size_t)i * layer->n_out + o];
		if (below == NULL)
			break;
		cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)n, (int)layer->n_in, (int)layer->n_out,
			    1, layer->deltas, (int)layer->n_out, layer->weights, (int)layer->n_in, 0, below->deltas,
			    (int)layer->n_in);
		for (size_t i = 0; below->mask != NULL && i < (size_t)n * layer->n_in; i++)
			below->deltas[i] *= below->mask[i];
		activate_back(&train->options, below->outputs, below->deltas, (size_t)n * layer->n_in);
	}
}

static double input_rms(const struct train_layer *first, uint32_t input)
{
	double squares = 0;

	for (uint32_t o = 0; o < first->n_out; o++) {
		double weight = first->weights[(size_t)o * first->n_in + input];

		squares += weight * weight;
	}
	return sqrt(squares / first->n_out);
}

/*
 * The proximal step of the group lasso (Yuan and Lin, 2006), a group being all weights of an input: inputs that
 * say nothing end near 0, the others lose little.
 */
static void inputs_pull(struct train_layer *first, double pull)
{
	for (uint32_t i = 0; i < first->n_in; i++) {
		double rms = input_rms(first, i);
		float keep = rms > pull ? (float)(1 - pull / rms) : 0;

		for (uint32_t o = 0; o < first->n_out; o++)
			first->weights[(size_t)o * first->n_in + i] *= keep;
	}
}

/*
 * Lets go of the inputs with small weights. They read as 0 from now on, so that their gradient is 0; without
 * momentum nothing moves their weights again.
 */
static void inputs_prune(struct train *train)
{
	const struct train_layer *first = &train->layers[0];
	double most = 0;

	for (uint32_t i = 0; i < first->n_in; i++)
		most = fmax(most, input_rms(first, i));
	for (uint32_t i = 0; i < first->n_in; i++) {
		if (input_rms(first, i) >= KEEP_SHARE * most)
			continue;
		train->is_kept[i] = 0;
		/* The first layer's weights are the first parameters. */
		for (uint32_t o = 0; o < first->n_out; o++)
			train->parameters[(size_t)o * first->n_in + i] =
				train->moment_1[(size_t)o * first->n_in + i] = 0;
	}
}

static void weights_decay(struct train *train, double share)
{
	for (uint32_t l = 0; l < train->n_layers; l++) {
		struct train_layer *layer = &train->layers[l];
		float keep = (float)fmax(1 - share, 0);

		for (size_t i = 0; i < (size_t)layer->n_in * layer->n_out; i++)
			layer->weights[i] *= keep;
	}
}

/* Moves the parameters down the gradient; progress is the share of the training done, 0..1. */
static void step(struct train *train, double progress)
{
	const struct train_options *o = &train->options;
	double rate = o->learning_rate_final +
		      (o->learning_rate - o->learning_rate_final) * (1 + cos(M_PI * progress)) / 2;
	float *w = train->parameters, *m = train->moment_1, *v = train->moment_2;
	const float *g = train->gradient;
	float eta = (float)rate;

	train->n_steps++;
	if (o->weight_decay > 0)
		weights_decay(train, rate * o->weight_decay);
	switch (o->optimizer) {
	case TRAIN_RMSPROP:
		for (size_t i = 0; i < train->n_parameters; i++) {
			v[i] = RMSPROP_RHO * v[i] + (1 - RMSPROP_RHO) * g[i] * g[i];
			w[i] -= eta * g[i] / (sqrtf(v[i]) + EPSILON);
		}
		break;
	case TRAIN_ADAM:
		eta = (float)(rate * sqrt(1 - pow(ADAM_BETA_2, (double)train->n_steps)) /
			      (1 - pow(ADAM_BETA_1, (double)train->n_steps)));
		for (size_t i = 0; i < train->n_parameters; i++) {
			m[i] = ADAM_BETA_1 * m[i] + (1 - ADAM_BETA_1) * g[i];
			v[i] = ADAM_BETA_2 * v[i] + (1 - ADAM_BETA_2) * g[i] * g[i];
			w[i] -= eta * m[i] / (sqrtf(v[i]) + EPSILON);
		}
		break;
	case TRAIN_SGD:
		for (size_t i = 0; i < train->n_parameters; i++)
			w[i] -= eta * g[i];
		break;
	}
	if (train->n_epochs_done < o->n_lasso_epochs)
		inputs_pull(&train->layers[0], rate * o->input_lasso);
}

int train_epoch(struct train *train, const struct train_data *data, const atomic_bool *stop,
		struct train_score *score)
{
	uint32_t batch = train->options.batch;
	struct train_sums sums = {0};

	if (data->n_rows == 0 || train->n_epochs_done == train->options.n_epochs)
		return -EINVAL;
	if (data->n_rows > train->order_capacity) {
		uint32_t *order = realloc(train->order, (size_t)data->n_rows * sizeof(*order));

		if (order == NULL)
			return -ENOMEM;
		train->order = order;
		train->order_capacity = data->n_rows;
	}
	random_order(&train->random, train->order, data->n_rows);
	for (uint32_t at = 0, n; at < data->n_rows; at += n) {
		double done = (train->n_epochs_done + (double)at / data->n_rows) / train->options.n_epochs;

		n = data->n_rows - at < batch ? data->n_rows - at : batch;
		batch_fill(train, data, train->order, at, n);
		forward(train, n, true);
		batch_loss(train, n, &sums);
		if (!isfinite(sums.loss))
			return -ERANGE;
		backward(train, n);
		step(train, done);
		if (stop != NULL && atomic_load(stop))
			return -EINTR;
	}
	if (++train->n_epochs_done == train->options.n_lasso_epochs)
		inputs_prune(train);
	*score = sums_score(&sums);
	return 0;
}

struct train_score train_measure(struct train *train, const struct train_data *data)
{
	struct train_sums sums = {0};

	for (uint32_t at = 0, n; at < data->n_rows; at += n) {
		n = data->n_rows - at < train->options.batch ? data->n_rows - at : train->options.batch;
		batch_fill(train, data, NULL, at, n);
		forward(train, n, false);
		batch_loss(train, n, &sums);
	}
	return sums_score(&sums);
}

int train_keep(struct train *train)
{
	if (train->best == NULL)
		train->best = malloc(train->n_parameters * sizeof(float));
	if (train->best == NULL)
		return -ENOMEM;
	memcpy(train->best, train->parameters, train->n_parameters * sizeof(float));
	return 0;
}

void train_restore(struct train *train)
{
	if (train->best != NULL)
		memcpy(train->parameters, train->best, train->n_parameters * sizeof(float));
}

bool train_keeps_input(const struct train *train, uint32_t input)
{
	return train->is_kept[input] != 0;
}

int train_network(const struct train *train, struct nn_network *network)
{
	const struct train_options *o = &train->options;
	int rc = 0;

	memset(network, 0, sizeof(*network));
	network->n_in = o->n_in;
	network->input_low = -INFINITY;
	network->input_high = INFINITY;
	if (o->input_scale != 1 || o->input_shift != 0) {
		network->has_input_stage = true;
		network->input_scale = calloc(o->n_in, sizeof(float));
		network->input_shift = calloc(o->n_in, sizeof(float));
		if (network->input_scale == NULL || network->input_shift == NULL)
			rc = -ENOMEM;
		for (uint32_t i = 0; i < o->n_in && rc == 0; i++) {
			network->input_scale[i] = o->input_scale;
			network->input_shift[i] = o->input_shift;
		}
	}
	for (uint32_t l = 0; l < train->n_layers && rc == 0; l++) {
		const struct train_layer *from = &train->layers[l];
		enum nn_activation activation = o->activation;
		struct nn_layer *to = &network->layers[l];

		if (l + 1 == train->n_layers)
			activation = from->n_out == 1 ? NN_SIGMOID : NN_SOFTMAX;
		rc = nn_layer_init(to, from->n_in, from->n_out, activation);
		if (rc < 0)
			break;
		to->alpha = activation == NN_LEAKY_RELU ? o->alpha : 0;
		if (activation == NN_CLIP) {
			to->low = CLIP_LOW;
			to->high = CLIP_HIGH;
		}
		memcpy(to->weights, from->weights, (size_t)to->n_out * to->n_in * sizeof(float));
		memcpy(to->bias, from->bias, to->n_out * sizeof(float));
		network->n_layers++;
	}
	if (rc < 0)
		nn_network_free(network);
	return rc;
}
