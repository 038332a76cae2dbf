/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every kernel that this machine supports against the scalar one, bit for bit, with rows against guard pages;
 * and the scalar one against a forward pass in double precision.
 */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "nn.h"
#include "nn_math.h"
#include "nn_plan.h"

#define CANARY 12345.0f

static uint64_t random_state = 42;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((random_state >> 32) % n);
}

/* In [-1, 1). */
static float random_unit(void)
{
	return (float)random_below(1u << 24) * 0x1p-23f - 1.0f;
}

static const float special_floats[] = {
	0.0f,	 -0.0f,	   1.0f,    -1.0f,     INFINITY,   -INFINITY, NAN,
	FLT_MAX, -FLT_MAX, FLT_MIN, 0x1p-149f, -0x1p-140f, 3e38f,     1e-30f,
};

static float random_special(void)
{
	return special_floats[random_below(sizeof(special_floats) / sizeof(special_floats[0]))];
}

/* ---- Memory whose ends cannot be passed ---- */

static size_t page_bytes;

/* n_bytes between two pages that fault. */
static uint8_t *guarded_alloc(size_t n_pages)
{
	uint8_t *all = mmap(NULL, (n_pages + 2) * page_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(all != MAP_FAILED);
	assert_int_equal(mprotect(all + page_bytes, n_pages * page_bytes, PROT_READ | PROT_WRITE), 0);
	return all + page_bytes;
}

static void guarded_free(uint8_t *memory, size_t n_pages)
{
	assert_int_equal(munmap(memory - page_bytes, (n_pages + 2) * page_bytes), 0);
}

enum placement { AT_END, AT_START, UNALIGNED, N_PLACEMENTS };

static uint8_t *row_pages[NN_MAX_BATCH];

/* Random rows of n bytes, each in a page of its own. */
static void place_rows(const uint8_t **rows, uint32_t n_in, enum placement placement)
{
	for (uint32_t r = 0; r < NN_MAX_BATCH; r++) {
		uint8_t *row = row_pages[r];

		if (placement == AT_END)
			row += page_bytes - n_in;
		else if (placement == UNALIGNED)
			row += 1 + r;
		for (uint32_t i = 0; i < n_in; i++)
			row[i] = (uint8_t)random_below(256);
		rows[r] = row;
	}
}

static int set_up(void **state)
{
	uint32_t n_kernels;
	const struct nn_kernel *kernels = nn_kernels(&n_kernels);

	(void)state;
	page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	for (uint32_t r = 0; r < NN_MAX_BATCH; r++)
		row_pages[r] = guarded_alloc(1);
	for (uint32_t k = 0; k < n_kernels; k++)
		print_message("%s: %s\n", kernels[k].name,
			      kernels[k].supported() ? "compared" : "NOT compared, this machine cannot run it");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (uint32_t r = 0; r < NN_MAX_BATCH; r++)
		guarded_free(row_pages[r], 1);
	return 0;
}

/* ---- Networks ---- */

static void add_layer(struct nn_network *network, uint32_t n_out, enum nn_activation activation)
{
	uint32_t n_in = network->n_layers == 0 ? network->n_in : network->layers[network->n_layers - 1].n_out;
	struct nn_layer *layer = &network->layers[network->n_layers];

	assert_int_equal(nn_layer_init(layer, n_in, n_out, activation), 0);
	layer->alpha = 0.01f;
	layer->low = -0.25f;
	layer->high = 0.5f;
	for (size_t w = 0; w < (size_t)n_in * n_out; w++)
		layer->weights[w] = random_unit() * 1.7f / sqrtf((float)n_in);
	for (uint32_t o = 0; o < n_out; o++)
		layer->bias[o] = random_unit() * 0.2f;
	network->n_layers++;
}

/* The first layer no longer uses about every other input. */
static void zero_columns(struct nn_network *network)
{
	struct nn_layer *first = &network->layers[0];

	for (uint32_t i = 0; i < network->n_in; i++) {
		if (random_below(2))
			continue;
		for (uint32_t o = 0; o < first->n_out; o++)
			first->weights[o * first->n_in + i] = random_below(2) ? 0.0f : -0.0f;
	}
}

/* The input stage takes the logarithm of about every other input. */
static void mark_logarithms(struct nn_network *network)
{
	network->input_log = calloc(network->n_in, 1);
	assert_non_null(network->input_log);
	for (uint32_t i = 0; i < network->n_in; i++)
		network->input_log[i] = (uint8_t)random_below(2);
}

/*
 * Brings bytes to about [-1, 1], or a centre's distance from there, and clamps if asked. Half of the stages take
 * logarithms.
 */
static void add_input_stage(struct nn_network *network, bool clamps)
{
	network->has_input_stage = true;
	network->input_scale = calloc(network->n_in, sizeof(float));
	network->input_shift = calloc(network->n_in, sizeof(float));
	assert_non_null(network->input_scale);
	assert_non_null(network->input_shift);
	for (uint32_t i = 0; i < network->n_in; i++) {
		network->input_scale[i] = (1.0f + 0.3f * random_unit()) / 128.0f;
		network->input_shift[i] = -1.0f + 0.1f * random_unit();
	}
	if (random_below(2)) {
		network->input_centre = calloc(network->n_in, sizeof(float));
		assert_non_null(network->input_centre);
		for (uint32_t i = 0; i < network->n_in; i++)
			network->input_centre[i] = 60.0f * random_unit();
	}
	if (random_below(2))
		mark_logarithms(network);
	network->input_low = clamps ? -0.5f : -INFINITY;
	network->input_high = clamps ? 0.75f : INFINITY;
}

/* ---- Comparison ---- */

/* The payload and sign of a NaN are nobody's promise. */
static void assert_same_bits(const float *logits, const float *wanted, size_t n, const char *kernel, uint32_t batch)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t bits, wanted_bits;

		memcpy(&bits, &logits[i], sizeof(bits));
		memcpy(&wanted_bits, &wanted[i], sizeof(wanted_bits));
		if (bits != wanted_bits && !(isnan(logits[i]) && isnan(wanted[i])))
			fail_msg("%s, batch %u, logit %zu of %zu: %a, but scalar gives %a", kernel, batch, i, n,
				 (double)logits[i], (double)wanted[i]);
	}
}

struct comparison {
	struct nn_plan *plan;
	struct nn_scratch *scratch;
	float *wanted, *logits; /* [NN_MAX_BATCH][n_out] */
};

static struct comparison compare_begin(const struct nn_network *network)
{
	struct comparison c;
	size_t n_bytes;

	assert_int_equal(nn_plan_create(network, &c.plan), 0);
	c.scratch = nn_scratch_create(c.plan);
	n_bytes = NN_MAX_BATCH * nn_plan_n_out(c.plan) * sizeof(float);
	c.wanted = malloc(n_bytes);
	c.logits = malloc(n_bytes);
	assert_non_null(c.scratch);
	assert_non_null(c.wanted);
	assert_non_null(c.logits);
	return c;
}

static void compare_end(struct comparison *c)
{
	free(c->wanted);
	free(c->logits);
	nn_scratch_free(c->scratch);
	nn_plan_free(c->plan);
}

/*
 * Scores rows, or floats where rows is NULL, with every supported kernel at batch sizes low..high. They are
 * compared with the specification as libm computes it, the scalar entry of the table too: where the CPU has FMA
 * that is another compilation.
 */
static void compare_kernels(struct comparison *c, const uint8_t *const *rows, const float *floats, size_t stride,
			    uint32_t low, uint32_t high)
{
	size_t n_out = nn_plan_n_out(c->plan);
	const uint8_t *of_batch[NN_MAX_BATCH];
	uint32_t n_kernels;
	const struct nn_kernel *kernels = nn_kernels(&n_kernels);

	if (rows != NULL)
		nn_scalar_score_bytes(c->plan, c->scratch, rows, high, c->wanted);
	else
		nn_scalar_score_floats(c->plan, c->scratch, floats, stride, high, c->wanted);
	for (uint32_t k = 0; k < n_kernels; k++) {
		if (!kernels[k].supported())
			continue;
		for (uint32_t n = low; n <= high; n++) {
			for (size_t i = 0; i < high * n_out; i++)
				c->logits[i] = CANARY;
			/* Pointers past the batch are not there to be followed. */
			for (uint32_t r = 0; r < NN_MAX_BATCH; r++)
				of_batch[r] = rows != NULL && r < n ? rows[r] : NULL;
			if (rows != NULL)
				kernels[k].score_bytes(c->plan, c->scratch, of_batch, n, c->logits);
			else
				kernels[k].score_floats(c->plan, c->scratch, floats, stride, n, c->logits);
			assert_same_bits(c->logits, c->wanted, n * n_out, kernels[k].name, n);
			for (size_t i = n * n_out; i < high * n_out; i++)
				assert_true(c->logits[i] == CANARY);
		}
	}
}

/* A matrix of NN_MAX_BATCH random rows against the guard page behind it, or before it. */
static void compare_floats(struct comparison *c, enum placement placement, bool specials, uint32_t low,
			   uint32_t high)
{
	size_t n_in = nn_plan_n_in(c->plan);
	size_t stride = n_in + random_below(4);
	size_t n_floats = (high - 1) * stride + n_in;
	size_t n_pages = n_floats * sizeof(float) / page_bytes + 2;
	uint8_t *memory = guarded_alloc(n_pages);
	float *floats = (float *)memory;

	if (placement == AT_END)
		floats = (float *)(memory + n_pages * page_bytes) - n_floats;
	else if (placement == UNALIGNED)
		floats++;
	for (size_t i = 0; i < n_floats; i++)
		floats[i] = specials && random_below(8) == 0 ? random_special() : random_unit() * 128 + 128;
	compare_kernels(c, NULL, floats, stride, low, high);
	guarded_free(memory, n_pages);
}

/* ---- Tests ---- */

static const uint32_t widths[] = {1, 2, 3, 4, 5, 7, 8, 9, 12, 14, 15, 16, 17, 22, 31, 32, 33, 64, 65, 129, 512};
#define N_WIDTHS (sizeof(widths) / sizeof(widths[0]))

static void every_kernel_equals_scalar_at_every_batch_and_width(void **state)
{
	(void)state;
	for (size_t w = 0; w < N_WIDTHS; w++) {
		for (enum placement placement = AT_END; placement < N_PLACEMENTS; placement++) {
			struct nn_network network = {.n_in = widths[w]};
			const uint8_t *rows[NN_MAX_BATCH];
			struct comparison c;

			add_input_stage(&network, placement == AT_START);
			add_layer(&network, widths[N_WIDTHS - 1 - w], NN_RELU);
			add_layer(&network, widths[(w + 7) % N_WIDTHS], NN_SIGMOID);
			c = compare_begin(&network);
			place_rows(rows, network.n_in, placement);
			compare_kernels(&c, rows, NULL, 0, 0, NN_MAX_BATCH);
			compare_floats(&c, placement, false, 0, NN_MAX_BATCH);
			compare_end(&c);
			nn_network_free(&network);
		}
	}
}

static void every_row_length_is_read_to_its_end_and_no_further(void **state)
{
	(void)state;
	for (uint32_t n_in = 1; n_in <= 80; n_in++) {
		for (enum placement placement = AT_END; placement < N_PLACEMENTS; placement++) {
			struct nn_network network = {.n_in = n_in};
			const uint8_t *rows[NN_MAX_BATCH];
			struct comparison c;

			add_layer(&network, 3, NN_IDENTITY);
			c = compare_begin(&network);
			place_rows(rows, n_in, placement);
			compare_kernels(&c, rows, NULL, 0, 1, 35);
			compare_floats(&c, placement, false, 1, 35);
			compare_end(&c);
			nn_network_free(&network);
		}
	}
}

static void every_activation_equals_scalar_within_and_at_the_end(void **state)
{
	(void)state;
	for (int activation = NN_IDENTITY; activation <= NN_SOFTMAX; activation++) {
		for (uint32_t width = 2; width <= 19; width++) {
			struct nn_network network = {.n_in = 14};
			const uint8_t *rows[NN_MAX_BATCH];
			struct comparison c;

			add_input_stage(&network, false);
			if (activation != NN_SOFTMAX)
				add_layer(&network, width, (enum nn_activation)activation);
			add_layer(&network, 21 - width, (enum nn_activation)activation);
			c = compare_begin(&network);
			place_rows(rows, 14, AT_END);
			compare_kernels(&c, rows, NULL, 0, 1, NN_MAX_BATCH);
			compare_floats(&c, AT_END, true, 1, NN_MAX_BATCH);
			compare_end(&c);
			nn_network_free(&network);
		}
	}
}

static void the_deepest_and_widest_network_equals_scalar(void **state)
{
	struct nn_network network = {.n_in = NN_MAX_WIDTH};
	const uint8_t *rows[NN_MAX_BATCH];
	struct comparison c;

	(void)state;
	add_input_stage(&network, true);
	for (uint32_t l = 0; l < NN_MAX_LAYERS; l++)
		add_layer(&network, NN_MAX_WIDTH - (l % 2), l % 2 ? NN_TANH : NN_LEAKY_RELU);
	c = compare_begin(&network);
	place_rows(rows, NN_MAX_WIDTH, AT_END);
	compare_kernels(&c, rows, NULL, 0, 37, 37);
	compare_end(&c);
	nn_network_free(&network);
}

/* Products that overflow, infinities that meet, subnormals: the same everywhere, NaN included. */
static void numbers_out_of_range_equal_scalar(void **state)
{
	size_t n_nan = 0, n_finite = 0;

	(void)state;
	for (int round = 0; round < 200; round++) {
		struct nn_network network = {.n_in = 1 + random_below(20)};
		struct comparison c;

		if (round % 2)
			add_input_stage(&network, true);
		for (uint32_t l = 0; l < 3; l++)
			add_layer(&network, 1 + random_below(20), (enum nn_activation)random_below(NN_SOFTMAX));
		for (uint32_t w = 0; w < network.layers[0].n_out; w++)
			network.layers[0].weights[w * network.n_in] = random_below(2) ? FLT_MAX : -0x1p-140f;
		network.layers[1].low = -INFINITY;
		c = compare_begin(&network);
		compare_floats(&c, AT_END, true, 33, 48);
		for (uint32_t i = 0; i < 48; i++)
			isnan(c.wanted[i * network.layers[2].n_out]) ? n_nan++ : n_finite++;
		compare_end(&c);
		nn_network_free(&network);
	}
	/* The inputs reach both. */
	assert_true(n_nan > 100);
	assert_true(n_finite > 100);
}

static void ten_thousand_random_networks_equal_scalar(void **state)
{
	(void)state;
	for (int round = 0; round < 10000; round++) {
		struct nn_network network = {.n_in = 1 + random_below(40)};
		uint32_t n_layers = 1 + random_below(4),
			 batch = 1 + random_below(random_below(4) ? 20 : NN_MAX_BATCH);
		const uint8_t *rows[NN_MAX_BATCH];
		struct comparison c;

		if (random_below(3) > 0)
			add_input_stage(&network, random_below(2));
		for (uint32_t l = 0; l < n_layers; l++)
			add_layer(&network, 1 + random_below(24), (enum nn_activation)random_below(NN_SOFTMAX));
		if (random_below(3) == 0)
			zero_columns(&network);
		c = compare_begin(&network);
		place_rows(rows, network.n_in, (enum placement)random_below(N_PLACEMENTS));
		compare_kernels(&c, rows, NULL, 0, batch, batch);
		if (round % 4 == 0)
			compare_floats(&c, AT_END, round % 8 == 0, batch, batch);
		compare_end(&c);
		nn_network_free(&network);
	}
}

static double activate_double(const struct nn_layer *layer, double x)
{
	switch (layer->activation) {
	case NN_RELU:
		return x > 0 ? x : 0;
	case NN_LEAKY_RELU:
		return x < 0 ? (double)layer->alpha * x : x;
	case NN_CLIP:
		return fmin(fmax(x, (double)layer->low), (double)layer->high);
	case NN_TANH:
		return tanh(x);
	case NN_SIGMOID:
		return 1 / (1 + exp(-x));
	default:
		return x;
	}
}

/* The forward pass as a textbook has it. The last sigmoid or softmax is left out. */
static void forward_double(const struct nn_network *network, const float *row, double *logits)
{
	double in[64], out[64];

	for (uint32_t i = 0; i < network->n_in; i++) {
		in[i] = (double)row[i];
		if (!network->has_input_stage)
			continue;
		if (network->input_log != NULL && network->input_log[i])
			in[i] = log1p(fmax(in[i], 0));
		if (network->input_centre != NULL)
			in[i] -= (double)network->input_centre[i];
		in[i] = fmin(fmax(in[i] * (double)network->input_scale[i] + (double)network->input_shift[i],
				  (double)network->input_low),
			     (double)network->input_high);
	}
	for (uint32_t l = 0; l < network->n_layers; l++) {
		const struct nn_layer *layer = &network->layers[l];
		bool left_out = l + 1 == network->n_layers &&
				(layer->activation == NN_SIGMOID || layer->activation == NN_SOFTMAX);

		for (uint32_t o = 0; o < layer->n_out; o++) {
			out[o] = (double)layer->bias[o];
			for (uint32_t i = 0; i < layer->n_in; i++)
				out[o] += (double)layer->weights[o * layer->n_in + i] * in[i];
			if (!left_out)
				out[o] = activate_double(layer, out[o]);
		}
		memcpy(in, out, sizeof(in));
	}
	memcpy(logits, in, network->layers[network->n_layers - 1].n_out * sizeof(double));
}

/* The logits of floats, which are those of NN_MAX_BATCH rows, are those of the forward pass in double. */
static void assert_agrees_with_double(const struct nn_network *network, const float *floats, const float *logits,
				      int round)
{
	uint32_t n_out = network->layers[network->n_layers - 1].n_out;

	for (uint32_t r = 0; r < NN_MAX_BATCH; r++) {
		double wanted[64];

		forward_double(network, floats + (size_t)r * network->n_in, wanted);
		for (uint32_t o = 0; o < n_out; o++)
			if (!(fabs((double)logits[r * n_out + o] - wanted[o]) < 2e-5 * fmax(1, fabs(wanted[o]))))
				fail_msg("round %d, row %u, output %u: %.9g, but double gives %.9g", round, r, o,
					 (double)logits[r * n_out + o], wanted[o]);
	}
}

static void bytes_to_floats(const uint8_t *const *rows, uint32_t n_in, float *floats)
{
	for (uint32_t r = 0; r < NN_MAX_BATCH; r++) {
		for (uint32_t i = 0; i < n_in; i++)
			floats[(size_t)r * n_in + i] = rows[r][i];
	}
}

static void scalar_agrees_with_a_forward_pass_in_double(void **state)
{
	static float floats[NN_MAX_BATCH * 64];

	(void)state;
	for (int round = 0; round < 500; round++) {
		struct nn_network network = {.n_in = 1 + random_below(64)};
		const uint8_t *rows[NN_MAX_BATCH];
		struct comparison c;

		add_input_stage(&network, round % 2);
		for (uint32_t l = random_below(4); l > 0; l--)
			add_layer(&network, 1 + random_below(64), (enum nn_activation)random_below(NN_SOFTMAX));
		add_layer(&network, 2 + random_below(10), (enum nn_activation)(round % (NN_SOFTMAX + 1)));
		if (round % 3 == 0)
			zero_columns(&network);
		c = compare_begin(&network);
		place_rows(rows, network.n_in, AT_END);
		bytes_to_floats(rows, network.n_in, floats);
		nn_scalar_score_bytes(c.plan, c.scratch, rows, NN_MAX_BATCH, c.wanted);
		assert_agrees_with_double(&network, floats, c.wanted, round);
		compare_end(&c);
		nn_network_free(&network);
	}
}

/* As Keras' Normalization has them: mean m and standard deviation 1e-7 where all rows were m. */
static void columns_that_hardly_vary_keep_their_digits(void **state)
{
	static float floats[NN_MAX_BATCH * 12];

	(void)state;
	for (int round = 0; round < 100; round++) {
		struct nn_network network = {.n_in = 12};
		const uint8_t *rows[NN_MAX_BATCH];
		struct comparison c;
		bool bytes = round % 2;

		add_input_stage(&network, false);
		free(network.input_log);
		network.input_log = NULL;
		add_layer(&network, 9, NN_RELU);
		add_layer(&network, 2, NN_SOFTMAX);
		if (network.input_centre == NULL)
			network.input_centre = calloc(12, sizeof(float));
		place_rows(rows, 12, AT_END);
		for (uint32_t i = 0; i < 12; i += 2) {
			network.input_centre[i] = bytes ? 8 : 1e6f;
			network.input_scale[i] = 1e7f;
			network.input_shift[i] = 0;
			for (uint32_t r = 0; bytes && r < NN_MAX_BATCH; r++)
				row_pages[r][page_bytes - 12 + i] = 8;
		}
		bytes_to_floats(rows, 12, floats);
		for (uint32_t i = 0; !bytes && i < NN_MAX_BATCH * 12; i += 2)
			floats[i] = 1e6f;
		c = compare_begin(&network);
		if (bytes)
			compare_kernels(&c, rows, NULL, 0, NN_MAX_BATCH, NN_MAX_BATCH);
		else
			compare_kernels(&c, NULL, floats, 12, NN_MAX_BATCH, NN_MAX_BATCH);
		assert_agrees_with_double(&network, floats, c.wanted, round);
		compare_end(&c);
		nn_network_free(&network);
	}
}

/* The same network without the inputs that its first layer does not use, which are taken out of rows as well. */
static struct nn_network drop_unused(const struct nn_network *from, const struct nn_plan *plan)
{
	struct nn_network to = {.n_in = plan->n_active};

	add_input_stage(&to, true);
	if (to.input_centre == NULL)
		to.input_centre = calloc(to.n_in, sizeof(float));
	if (to.input_log == NULL)
		mark_logarithms(&to);
	to.input_low = from->input_low;
	to.input_high = from->input_high;
	for (uint32_t l = 0; l < from->n_layers; l++) {
		const struct nn_layer *layer = &from->layers[l];

		add_layer(&to, layer->n_out, layer->activation);
		memcpy(to.layers[l].bias, layer->bias, layer->n_out * sizeof(float));
		if (l > 0)
			memcpy(to.layers[l].weights, layer->weights,
			       (size_t)layer->n_in * layer->n_out * sizeof(float));
	}
	for (uint32_t a = 0; a < to.n_in; a++) {
		uint32_t i = plan->active[a];

		to.input_log[a] = from->input_log != NULL && from->input_log[i];
		to.input_centre[a] = from->input_centre != NULL ? from->input_centre[i] : 0;
		to.input_scale[a] = from->input_scale[i];
		to.input_shift[a] = from->input_shift[i];
		for (uint32_t o = 0; o < to.layers[0].n_out; o++)
			to.layers[0].weights[o * to.n_in + a] = from->layers[0].weights[o * from->n_in + i];
	}
	return to;
}

static void inputs_with_zero_weights_are_as_if_not_there(void **state)
{
	uint32_t n_dropped = 0;

	(void)state;
	for (int round = 0; round < 500; round++) {
		struct nn_network network = {.n_in = 2 + random_below(50)}, dropped;
		const uint8_t *rows[NN_MAX_BATCH], *fewer[NN_MAX_BATCH];
		static uint8_t memory[NN_MAX_BATCH][64];
		struct comparison c, d;

		add_input_stage(&network, round % 2);
		add_layer(&network, 1 + random_below(20), NN_RELU);
		add_layer(&network, 3, NN_SOFTMAX);
		zero_columns(&network);
		network.layers[0].weights[random_below(network.n_in)] = 0.5f; /* not all of them */
		c = compare_begin(&network);
		dropped = drop_unused(&network, c.plan);
		d = compare_begin(&dropped);
		n_dropped += network.n_in - dropped.n_in;
		place_rows(rows, network.n_in, AT_END);
		for (uint32_t r = 0; r < NN_MAX_BATCH; r++) {
			for (uint32_t a = 0; a < dropped.n_in; a++)
				memory[r][a] = rows[r][c.plan->active[a]];
			fewer[r] = memory[r];
		}
		compare_kernels(&c, rows, NULL, 0, NN_MAX_BATCH, NN_MAX_BATCH);
		compare_kernels(&d, fewer, NULL, 0, NN_MAX_BATCH, NN_MAX_BATCH);
		assert_same_bits(c.wanted, d.wanted, NN_MAX_BATCH * 3, "without unused inputs", NN_MAX_BATCH);
		compare_end(&c);
		compare_end(&d);
		nn_network_free(&network);
		nn_network_free(&dropped);
	}
	assert_true(n_dropped > 5000);
}

/* Of one column, and of the middle one of three, so that its neighbours are seen to be left alone. */
static void the_logarithm_of_any_float_is_the_same_in_every_kernel(void **state)
{
	static float floats[NN_MAX_BATCH * 3];

	(void)state;
	for (uint32_t n_in = 1; n_in <= 3; n_in += 2) {
		struct nn_network network = {.n_in = n_in};
		uint32_t at = n_in / 2, bits = 0;
		struct comparison c;

		add_input_stage(&network, false);
		free(network.input_log);
		network.input_log = calloc(n_in, 1);
		assert_non_null(network.input_log);
		network.input_log[at] = 1;
		add_layer(&network, n_in, NN_IDENTITY);
		for (uint32_t i = 0; i < n_in; i++) {
			if (network.input_centre != NULL)
				network.input_centre[i] = 0;
			network.input_scale[i] = 1;
			network.input_shift[i] = network.layers[0].bias[i] = 0;
			for (uint32_t o = 0; o < n_in; o++)
				network.layers[0].weights[o * n_in + i] = o == i;
		}
		c = compare_begin(&network);
		for (int batch = 0; batch < 20000; batch++) {
			for (uint32_t r = 0; r < NN_MAX_BATCH; r++, bits += 3301) {
				/* Neighbours whose logarithm would be another number. */
				for (uint32_t i = 0; i < n_in; i++)
					floats[r * n_in + i] = -(float)i;
				memcpy(&floats[r * n_in + at], &bits, sizeof(bits));
				if (r < 8)
					floats[r * n_in + at] = random_special();
				/* An infinity or a NaN times a weight of zero would spread. */
				if (n_in > 1 && !isfinite(floats[r * n_in + at]))
					floats[r * n_in + at] = 1;
			}
			compare_kernels(&c, NULL, floats, n_in, NN_MAX_BATCH, NN_MAX_BATCH);
			for (uint32_t r = 0; r < NN_MAX_BATCH; r++) {
				float wanted = nn_math_log1p(floats[r * n_in + at]);

				assert_same_bits(&c.wanted[r * n_in + at], &wanted, 1, "nn_math_log1p", r);
				for (uint32_t i = 0; i < n_in; i++)
					assert_true(i == at || c.wanted[r * n_in + i] == -(float)i);
			}
		}
		compare_end(&c);
		nn_network_free(&network);
	}
}

static void a_network_that_uses_no_input_scores_its_biases(void **state)
{
	struct nn_network network = {.n_in = 22};
	const uint8_t *rows[NN_MAX_BATCH];
	struct comparison c;

	(void)state;
	add_layer(&network, 3, NN_IDENTITY);
	memset(network.layers[0].weights, 0, 22 * 3 * sizeof(float));
	c = compare_begin(&network);
	place_rows(rows, 22, AT_END);
	compare_kernels(&c, rows, NULL, 0, 1, NN_MAX_BATCH);
	for (uint32_t r = 0; r < NN_MAX_BATCH; r++)
		assert_memory_equal(c.wanted + r * 3, network.layers[0].bias, 3 * sizeof(float));
	compare_end(&c);
	nn_network_free(&network);
}

static void bytes_and_the_same_numbers_as_floats_score_alike(void **state)
{
	const struct nn_kernel *kernel = nn_kernel_find(NULL);
	struct nn_network network = {.n_in = 22};
	float floats[NN_MAX_BATCH * 22];
	const uint8_t *rows[NN_MAX_BATCH];
	struct comparison c;

	(void)state;
	add_input_stage(&network, true);
	add_layer(&network, 64, NN_RELU);
	add_layer(&network, 1, NN_SIGMOID);
	c = compare_begin(&network);
	place_rows(rows, 22, UNALIGNED);
	bytes_to_floats(rows, 22, floats);
	kernel->score_bytes(c.plan, c.scratch, rows, NN_MAX_BATCH, c.wanted);
	kernel->score_floats(c.plan, c.scratch, floats, 22, NN_MAX_BATCH, c.logits);
	assert_same_bits(c.logits, c.wanted, NN_MAX_BATCH, kernel->name, NN_MAX_BATCH);
	compare_end(&c);
	nn_network_free(&network);
}

static void kernels_are_found_by_name_and_the_best_without(void **state)
{
	uint32_t n_kernels;
	const struct nn_kernel *kernels = nn_kernels(&n_kernels);
	const struct nn_kernel *best = NULL;

	(void)state;
	for (uint32_t k = 0; k < n_kernels; k++) {
		const struct nn_kernel *found = nn_kernel_find(kernels[k].name);

		assert_ptr_equal(found, kernels[k].supported() ? &kernels[k] : NULL);
		if (best == NULL)
			best = found;
		assert_non_null(kernels[k].needs);
	}
	assert_non_null(best);
	assert_ptr_equal(nn_kernel_find(NULL), best);
	assert_string_equal(kernels[n_kernels - 1].name, "scalar");
	assert_true(kernels[n_kernels - 1].supported());
	assert_null(nn_kernel_find("avx"));
	assert_null(nn_kernel_find("avx2 "));
	assert_null(nn_kernel_find(""));
}

#if defined(__x86_64__)
static void a_cpu_without_its_operating_system_is_not_enough(void **state)
{
	/* FMA, OSXSAVE, AVX; AVX2, AVX-512 F, DQ, BW, VL; x87, XMM, YMM, opmask, ZMM. */
	const struct nn_x86 all = {1u << 12 | 1u << 27 | 1u << 28,
				   1u << 5 | 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31, 0xe7};
	static const uint32_t avx2_leaf1[] = {12, 27, 28}, avx512_leaf7[] = {16, 17, 30, 31},
			      zmm_state[] = {5, 6, 7};
	struct nn_x86 x86;

	(void)state;
	assert_true(nn_x86_allows_avx2(&all));
	assert_true(nn_x86_allows_avx512(&all));
	for (size_t i = 0; i < 3; i++) {
		x86 = all;
		x86.leaf1_ecx &= ~(1u << avx2_leaf1[i]);
		assert_false(nn_x86_allows_avx2(&x86));
		assert_false(nn_x86_allows_avx512(&x86));
		x86 = all;
		x86.xcr0 &= ~(1u << zmm_state[i]);
		assert_true(nn_x86_allows_avx2(&x86));
		assert_false(nn_x86_allows_avx512(&x86));
	}
	for (size_t i = 0; i < 4; i++) {
		x86 = all;
		x86.leaf7_ebx &= ~(1u << avx512_leaf7[i]);
		assert_true(nn_x86_allows_avx2(&x86));
		assert_false(nn_x86_allows_avx512(&x86));
	}
	for (uint32_t bit = 1; bit <= 2; bit++) {
		x86 = all;
		x86.xcr0 &= ~(1u << bit);
		assert_false(nn_x86_allows_avx2(&x86));
		assert_false(nn_x86_allows_avx512(&x86));
	}
	x86 = all;
	x86.leaf7_ebx &= ~(1u << 5);
	assert_false(nn_x86_allows_avx2(&x86));
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kernel_equals_scalar_at_every_batch_and_width),
		cmocka_unit_test(every_row_length_is_read_to_its_end_and_no_further),
		cmocka_unit_test(every_activation_equals_scalar_within_and_at_the_end),
		cmocka_unit_test(the_deepest_and_widest_network_equals_scalar),
		cmocka_unit_test(numbers_out_of_range_equal_scalar),
		cmocka_unit_test(ten_thousand_random_networks_equal_scalar),
		cmocka_unit_test(scalar_agrees_with_a_forward_pass_in_double),
		cmocka_unit_test(columns_that_hardly_vary_keep_their_digits),
		cmocka_unit_test(inputs_with_zero_weights_are_as_if_not_there),
		cmocka_unit_test(the_logarithm_of_any_float_is_the_same_in_every_kernel),
		cmocka_unit_test(a_network_that_uses_no_input_scores_its_biases),
		cmocka_unit_test(bytes_and_the_same_numbers_as_floats_score_alike),
		cmocka_unit_test(kernels_are_found_by_name_and_the_best_without),
#if defined(__x86_64__)
		cmocka_unit_test(a_cpu_without_its_operating_system_is_not_enough),
#endif
	};

	return cmocka_run_group_tests_name("nn_kernels", tests, set_up, tear_down);
}
