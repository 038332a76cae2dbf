/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Networks and plans: what is refused and in which words, names, shapes, scores from logits.
 */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nn.h"
#include "nn_math.h"
#include "nn_plan.h"

/* 3-4-2, relu then identity, with an input stage that does not clamp. */
static struct nn_network good_network(void)
{
	struct nn_network network = {.n_in = 3, .n_layers = 2, .has_input_stage = true};

	network.input_low = -INFINITY;
	network.input_high = INFINITY;
	network.input_centre = calloc(3, sizeof(float));
	network.input_scale = calloc(3, sizeof(float));
	network.input_shift = calloc(3, sizeof(float));
	assert_non_null(network.input_centre);
	assert_non_null(network.input_scale);
	assert_non_null(network.input_shift);
	for (int i = 0; i < 3; i++)
		network.input_scale[i] = 1.0f;
	assert_int_equal(nn_layer_init(&network.layers[0], 3, 4, NN_RELU), 0);
	assert_int_equal(nn_layer_init(&network.layers[1], 4, 2, NN_IDENTITY), 0);
	return network;
}

static void a_good_network_is_accepted(void **state)
{
	struct nn_network network = good_network();
	char error[128] = "untouched";
	struct nn_plan *plan;

	(void)state;
	assert_int_equal(nn_network_check(&network, error, sizeof(error)), 0);
	assert_string_equal(error, "untouched");
	assert_int_equal(nn_plan_create(&network, &plan), 0);
	assert_int_equal(nn_plan_n_in(plan), 3);
	assert_int_equal(nn_plan_n_out(plan), 2);
	nn_plan_free(plan);
	nn_network_free(&network);
}

/* Each breaks a good network in one way. */
static void no_inputs(struct nn_network *n)
{
	n->n_in = 0;
}

static void too_many_inputs(struct nn_network *n)
{
	n->n_in = NN_MAX_WIDTH + 1;
}

static void no_layers(struct nn_network *n)
{
	n->n_layers = 0;
}

static void too_many_layers(struct nn_network *n)
{
	n->n_layers = NN_MAX_LAYERS + 1;
}

static void layers_that_do_not_fit(struct nn_network *n)
{
	n->layers[1].n_in = 5;
}

static void no_outputs(struct nn_network *n)
{
	n->layers[1].n_out = 0;
}

static void too_many_outputs(struct nn_network *n)
{
	n->layers[1].n_out = NN_MAX_WIDTH + 1;
}

static void unknown_activation(struct nn_network *n)
{
	n->layers[1].activation = (enum nn_activation)99;
}

static void negative_activation(struct nn_network *n)
{
	n->layers[1].activation = (enum nn_activation) - 1;
}

static void softmax_in_the_middle(struct nn_network *n)
{
	n->layers[0].activation = NN_SOFTMAX;
}

static void softmax_of_one(struct nn_network *n)
{
	n->layers[1].activation = NN_SOFTMAX;
	n->layers[1].n_out = 1;
}

static void nan_alpha(struct nn_network *n)
{
	n->layers[0].activation = NN_LEAKY_RELU;
	n->layers[0].alpha = NAN;
}

static void clip_upside_down(struct nn_network *n)
{
	n->layers[0].activation = NN_CLIP;
	n->layers[0].low = 1;
	n->layers[0].high = -1;
}

static void clip_to_nan(struct nn_network *n)
{
	n->layers[0].activation = NN_CLIP;
	n->layers[0].high = NAN;
}

static void nan_weight(struct nn_network *n)
{
	n->layers[1].weights[6] = NAN;
}

static void infinite_bias(struct nn_network *n)
{
	n->layers[0].bias[3] = -INFINITY;
}

static void missing_weights(struct nn_network *n)
{
	free(n->layers[1].weights);
	n->layers[1].weights = NULL;
}

static void missing_scale(struct nn_network *n)
{
	free(n->input_scale);
	n->input_scale = NULL;
}

static void infinite_centre(struct nn_network *n)
{
	n->input_centre[0] = INFINITY;
}

static void nan_scale(struct nn_network *n)
{
	n->input_scale[1] = NAN;
}

static void infinite_shift(struct nn_network *n)
{
	n->input_shift[2] = INFINITY;
}

static void input_clamped_to_nan(struct nn_network *n)
{
	n->input_low = NAN;
}

static void input_clamped_upside_down(struct nn_network *n)
{
	n->input_low = 2;
	n->input_high = 1;
}

static void wrong_mark(struct nn_network *n)
{
	n->input_log = calloc(3, 1);
	n->input_log[1] = 2;
}

static void marks_without_input_stage(struct nn_network *n)
{
	n->input_log = calloc(3, 1);
	n->has_input_stage = false;
}

static const struct {
	void (*spoil)(struct nn_network *network);
	const char *says;
} refusals[] = {
	{no_inputs, "the network has 0 inputs; 1 to 512 are possible"},
	{too_many_inputs, "the network has 513 inputs; 1 to 512 are possible"},
	{no_layers, "the network has 0 layers; 1 to 8 are possible"},
	{too_many_layers, "the network has 9 layers; 1 to 8 are possible"},
	{layers_that_do_not_fit, "layer 2 takes 5 inputs but is given 4"},
	{no_outputs, "layer 2 has 0 outputs; 1 to 512 are possible"},
	{too_many_outputs, "layer 2 has 513 outputs; 1 to 512 are possible"},
	{unknown_activation, "layer 2 has an unknown activation (99)"},
	{negative_activation, "layer 2 has an unknown activation (-1)"},
	{softmax_in_the_middle, "layer 1 is a softmax; only the last layer can be one"},
	{softmax_of_one, "layer 2 is a softmax of one output, which is always 1"},
	{nan_alpha, "layer 1 has a leaky_relu whose alpha is not finite"},
	{clip_upside_down, "layer 1 clips to [1, -1], which holds no number"},
	{clip_to_nan, "layer 1 clips to [0, nan], which holds no number"},
	{nan_weight, "layer 2 has a weight that is not finite (output 2, input 3)"},
	{infinite_bias, "layer 1 has a bias that is not finite (output 4)"},
	{missing_weights, "layer 2 has no weights or no bias"},
	{missing_scale, "the input stage has no scale or no shift"},
	{infinite_centre, "the centre of input 1 is not finite"},
	{nan_scale, "the scale of input 2 is not finite"},
	{infinite_shift, "the shift of input 3 is not finite"},
	{input_clamped_to_nan, "the input stage clamps to [nan, inf], which holds no number"},
	{input_clamped_upside_down, "the input stage clamps to [2, 1], which holds no number"},
	{wrong_mark, "the mark for a logarithm of input 2 is 2, not 0 or 1"},
	{marks_without_input_stage, "inputs are marked for a logarithm, but the network has no input stage"},
};

static void a_bad_network_is_refused_with_what_and_where(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct nn_network network = good_network();
		struct nn_plan *plan = NULL;
		char error[128] = "";

		refusals[i].spoil(&network);
		assert_int_equal(nn_network_check(&network, error, sizeof(error)), -EINVAL);
		assert_string_equal(error, refusals[i].says);
		assert_int_equal(nn_plan_create(&network, &plan), -EINVAL);
		assert_null(plan);
		nn_network_free(&network);
	}
}

/* What would overflow, or lose its digits, in the first layer's weights is computed on each row instead. */
static void an_input_stage_is_folded_only_where_nothing_is_lost(void **state)
{
	static const struct {
		float weight, centre, scale, shift, input, output;
		bool folded;
	} cases[] = {
		{2, 8, 0.5f, 1, 10, 4, true},
		{FLT_MAX, 0, 2, 0, 0.25f, FLT_MAX / 2, false},
		{10, 0, 1, FLT_MAX, -FLT_MAX, 0, false},
		{0x1p-120f, 1e30f, 0x1p100f, 0, 1e30f, 0, false},
		{1, 1000000, 10000000, 0, 1000000, 0, false},
		{1, 0, 1, 16, -16, 0, true},
		{1, 0, 1, 17, -17, 0, false},
		{-1, 17, 1, 0, 17, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nn_network network = good_network();
		struct nn_scratch *scratch;
		struct nn_plan *plan;
		float logits[2];

		network.layers[0].weights[3] = cases[i].weight;
		network.layers[1].weights[1] = 1; /* of the second hidden unit */
		network.layers[0].activation = NN_IDENTITY;
		network.input_centre[0] = cases[i].centre;
		network.input_scale[0] = cases[i].scale;
		network.input_shift[0] = cases[i].shift;
		assert_int_equal(nn_plan_create(&network, &plan), 0);
		assert_int_equal(plan->input_scale == NULL, cases[i].folded);
		scratch = nn_scratch_create(plan);
		nn_kernel_find(NULL)->score_floats(plan, scratch, (const float[]){cases[i].input, 0, 0}, 3, 1,
						   logits);
		if (logits[0] != cases[i].output)
			fail_msg("case %zu: %g, not %g", i, (double)logits[0], (double)cases[i].output);
		nn_scratch_free(scratch);
		nn_plan_free(plan);
		nn_network_free(&network);
	}
}

/* Nor are its other inputs, though all would fold without the mark. One that no weight uses does not count. */
static void an_input_stage_with_a_logarithm_is_not_folded(void **state)
{
	(void)state;
	for (int marked = 0; marked < 3; marked++) {
		struct nn_network network = good_network();
		struct nn_scratch *scratch;
		struct nn_plan *plan;
		float logits[4];

		network.input_log = calloc(3, 1);
		network.input_log[0] = marked == 1;
		network.input_log[2] = marked == 2;
		network.input_centre[0] = 2;
		network.input_scale[0] = 8;
		network.input_shift[1] = 0.25f;
		network.n_layers = 1;
		network.layers[0].activation = NN_IDENTITY;
		network.layers[0].weights[0] = network.layers[0].weights[4] = 1;
		assert_int_equal(nn_plan_create(&network, &plan), 0);
		assert_int_equal(plan->input_scale == NULL, marked != 1);
		scratch = nn_scratch_create(plan);
		nn_kernel_find(NULL)->score_floats(plan, scratch, (const float[]){9, -1, 5}, 3, 1, logits);
		assert_true(logits[0] == ((marked == 1 ? nn_math_log1p(9) : 9) - 2) * 8);
		assert_true(logits[1] == -0.75f);
		nn_kernel_find(NULL)->score_bytes(plan, scratch,
						  (const uint8_t *const[]){(const uint8_t[]){9, 1, 5}}, 1, logits);
		assert_true(logits[0] == ((marked == 1 ? nn_math_log1p(9) : 9) - 2) * 8);
		nn_scratch_free(scratch);
		nn_plan_free(plan);
		nn_network_free(&network);
	}
}

static void layers_of_impossible_shape_are_not_made(void **state)
{
	struct nn_layer layer;

	(void)state;
	assert_int_equal(nn_layer_init(&layer, 0, 1, NN_RELU), -EINVAL);
	assert_int_equal(nn_layer_init(&layer, 1, 0, NN_RELU), -EINVAL);
	assert_int_equal(nn_layer_init(&layer, NN_MAX_WIDTH + 1, 1, NN_RELU), -EINVAL);
	assert_int_equal(nn_layer_init(&layer, 1, NN_MAX_WIDTH + 1, NN_RELU), -EINVAL);
	assert_int_equal(nn_layer_init(&layer, 1, 1, (enum nn_activation)7), -EINVAL);
}

static void shape_and_parameters_are_told(void **state)
{
	struct nn_network network = good_network();
	char text[32], cut[4];

	(void)state;
	assert_string_equal(nn_network_shape(&network, text, sizeof(text)), "3-4-2");
	assert_string_equal(nn_network_shape(&network, cut, sizeof(cut)), "3-4");
	assert_int_equal(nn_network_n_parameters(&network), 3 * 4 + 4 + 4 * 2 + 2);
	assert_string_equal(nn_activation_name(NN_LEAKY_RELU), "leaky_relu");
	assert_string_equal(nn_activation_name(NN_SOFTMAX), "softmax");
	assert_string_equal(nn_activation_name((enum nn_activation) - 1), "unknown");
	nn_network_free(&network);
}

static void freeing_twice_and_freeing_nothing_is_allowed(void **state)
{
	struct nn_network network = good_network();

	(void)state;
	nn_network_free(&network);
	assert_null(network.layers[0].weights);
	nn_network_free(&network);
	nn_plan_free(NULL);
	nn_scratch_free(NULL);
}

static void only_sigmoid_and_softmax_are_left_to_the_caller(void **state)
{
	(void)state;
	for (int activation = NN_IDENTITY; activation <= NN_SOFTMAX; activation++) {
		struct nn_network network = good_network();
		bool left = activation == NN_SIGMOID || activation == NN_SOFTMAX;
		struct nn_plan *plan;

		network.layers[1].activation = (enum nn_activation)activation;
		assert_int_equal(nn_plan_create(&network, &plan), 0);
		assert_int_equal(nn_plan_output(plan), left ? activation : NN_IDENTITY);
		nn_plan_free(plan);
		nn_network_free(&network);
	}
}

static void assert_close(double value, double wanted, double relative)
{
	if (!(fabs(value - wanted) <= relative * fabs(wanted)))
		fail_msg("%.9g is not within %g of %.9g", value, relative, wanted);
}

static void sigmoid_and_tanh_agree_with_libm(void **state)
{
	(void)state;
	for (float x = 0x1p-30f; x < 86; x *= 1.0009f) {
		for (int sign = -1; sign <= 1; sign += 2) {
			double signed_x = (double)sign * x;

			assert_close(nn_math_sigmoid((float)signed_x), 1 / (1 + exp(-signed_x)), 5e-7);
			assert_close(nn_math_tanh((float)signed_x), tanh(signed_x), 5e-7);
		}
	}
	assert_true(nn_math_sigmoid(0.0f) == 0.5f);
	assert_true(nn_math_sigmoid(INFINITY) == 1.0f);
	assert_true(nn_math_sigmoid(-INFINITY) < 2e-38f);
	assert_true(nn_math_tanh(INFINITY) == 1.0f);
	assert_true(nn_math_tanh(-INFINITY) == -1.0f);
	assert_true(nn_math_tanh(0x1p-140f) == 0x1p-140f);
	assert_true(signbit(nn_math_tanh(-0.0f)));
	assert_true(isnan(nn_math_sigmoid(NAN)));
	assert_true(isnan(nn_math_tanh(NAN)));
	assert_true(isnan(nn_math_relu(NAN)));
	assert_true(isnan(nn_math_clip(NAN, 0, 6)));
	assert_true(isnan(nn_math_leaky_relu(NAN, 0.1f)));
}

/* The place after the last of the correctly rounded logarithm is the most that may be wrong. */
static void assert_logarithm(uint32_t bits)
{
	float t, x, wanted;

	memcpy(&t, &bits, sizeof(t));
	x = t - 1.0f;
	/* 1 + x as floats have it: where x is below 1, not every t. */
	wanted = (float)log((double)(1.0f + x));
	if (!(fabsf(nn_math_log1p(x) - wanted) <= nextafterf(wanted, INFINITY) - wanted))
		fail_msg("the logarithm of 1 + %a is %a, not %a", (double)x, (double)nn_math_log1p(x),
			 (double)wanted);
}

static void logarithms_agree_with_libm(void **state)
{
	const uint32_t one = 0x3f800000, two = 0x40000000, infinity = 0x7f800000;

	(void)state;
	for (uint32_t bits = one; bits < two; bits++)
		assert_logarithm(bits);
	for (uint32_t bits = two; bits < infinity; bits += 101)
		assert_logarithm(bits);
	assert_true(nn_math_log1p(0.0f) == 0.0f);
	assert_true(nn_math_log1p(0x1p-149f) == 0.0f); /* 1 + x is 1 */
	assert_true(nn_math_log1p(1.0f) == (float)log(2));
	assert_true(nn_math_log1p(FLT_MAX) == (float)log((double)FLT_MAX));
	assert_true(nn_math_log1p(INFINITY) == INFINITY);
	assert_true(nn_math_log1p(-0.5f) == 0.0f);
	assert_true(nn_math_log1p(-INFINITY) == 0.0f);
	assert_true(isnan(nn_math_log1p(NAN)));
	assert_true(isnan(nn_math_log1p(-NAN)));
}

static void scores_follow_from_logits(void **state)
{
	float logits[3] = {1000.0f, 1001.0f, -INFINITY};
	float scores[3];

	(void)state;
	nn_output_scores(NN_SOFTMAX, logits, 3, scores);
	assert_close(scores[0], 1 / (1 + exp(1.0)), 1e-6);
	assert_close(scores[1], 1 / (1 + exp(-1.0)), 1e-6);
	assert_true(scores[2] < 1e-37f);
	nn_output_scores(NN_SIGMOID, (const float[]){2.0f}, 1, scores);
	assert_close(scores[0], 1 / (1 + exp(-2.0)), 1e-6);
	nn_output_scores(NN_IDENTITY, logits, 3, scores);
	assert_memory_equal(scores, logits, sizeof(scores));
	nn_output_scores(NN_SOFTMAX, (const float[]){1.0f, NAN, 2.0f}, 3, scores);
	assert_true(isnan(scores[0]) && isnan(scores[1]) && isnan(scores[2]));
	/* In place. */
	nn_output_scores(NN_SOFTMAX, logits, 2, logits);
	assert_close((double)logits[0] + logits[1], 1, 1e-6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_network_is_accepted),
		cmocka_unit_test(a_bad_network_is_refused_with_what_and_where),
		cmocka_unit_test(an_input_stage_is_folded_only_where_nothing_is_lost),
		cmocka_unit_test(an_input_stage_with_a_logarithm_is_not_folded),
		cmocka_unit_test(layers_of_impossible_shape_are_not_made),
		cmocka_unit_test(shape_and_parameters_are_told),
		cmocka_unit_test(freeing_twice_and_freeing_nothing_is_allowed),
		cmocka_unit_test(only_sigmoid_and_softmax_are_left_to_the_caller),
		cmocka_unit_test(sigmoid_and_tanh_agree_with_libm),
		cmocka_unit_test(logarithms_agree_with_libm),
		cmocka_unit_test(scores_follow_from_logits),
	};

	return cmocka_run_group_tests_name("nn_network", tests, NULL, NULL);
}
