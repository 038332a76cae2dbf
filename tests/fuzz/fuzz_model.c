/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libFuzzer: any bytes as a model file. What loads must score a batch with every kernel to the same bits, and
 * what is saved from it must load and save to the same bytes; bins of its inputs, where they are understood, must come
 * back as they were. seed_model.c writes the corpus to begin with.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "input_bins.h"
#include "model.h"

#define N_ROWS 5

static void require(int condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "fuzz_model: %s\n", what);
	abort();
}

/* The sign and payload of a NaN are the CPU's business. */
static void require_same(const float *a, const float *b, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		require((a[i] != a[i] && b[i] != b[i]) || memcmp(&a[i], &b[i], sizeof(*a)) == 0, "kernels differ");
}

static void score(const struct model *model)
{
	static const float specials[] = {INFINITY, -INFINITY, NAN, -0.0f, 3e38f, 1e-40f};
	static uint8_t bytes[N_ROWS][NN_MAX_WIDTH];
	static float floats[N_ROWS * NN_MAX_WIDTH], wanted[N_ROWS * NN_MAX_WIDTH], logits[N_ROWS * NN_MAX_WIDTH];
	uint32_t n_kernels, n_in = model->network.n_in;
	const struct nn_kernel *kernels = nn_kernels(&n_kernels);
	const uint8_t *rows[N_ROWS];
	struct nn_plan *plan;

	require(nn_plan_create(&model->network, &plan) == 0, "a model that loaded has no plan");
	struct nn_scratch *scratch = nn_scratch_create(plan);
	uint32_t n_logits = N_ROWS * nn_plan_n_out(plan);
	for (uint32_t r = 0; r < N_ROWS; r++) {
		rows[r] = bytes[r];
		for (uint32_t i = 0; i < n_in; i++)
			bytes[r][i] = (uint8_t)((r * n_in + i) * 37);
	}
	for (uint32_t i = 0; i < N_ROWS * n_in; i++)
		floats[i] = i % 11 == 3 ? specials[i % 6] : (float)(i * 37 % 256);
	/* Scalar is the last and the specification. */
	const struct nn_kernel *scalar = &kernels[n_kernels - 1];
	for (const struct nn_kernel *kernel = kernels; kernel < scalar; kernel++) {
		if (!kernel->supported())
			continue;
		scalar->score_bytes(plan, scratch, rows, N_ROWS, wanted);
		kernel->score_bytes(plan, scratch, rows, N_ROWS, logits);
		require_same(logits, wanted, n_logits);
		scalar->score_floats(plan, scratch, floats, n_in, N_ROWS, wanted);
		kernel->score_floats(plan, scratch, floats, n_in, N_ROWS, logits);
		require_same(logits, wanted, n_logits);
	}
	nn_scratch_free(scratch);
	nn_plan_free(plan);
}

/* A model as a file's bytes, to be freed. */
static uint8_t *saved(const struct model *model, size_t *n_bytes)
{
	char error[256] = "";
	uint8_t *bytes;
	if (model_save_memory(model, &bytes, n_bytes, error, sizeof(error)) != 0)
		require(0, error);
	return bytes;
}

static void rewrite_bins(struct model *model)
{
	size_t n_bytes = model->network.n_in * sizeof(struct input_bins);
	char error[256] = "";
	struct input_bins *bins, *again;

	if (input_bins_read(model, &bins, error, sizeof(error)) != 0) {
		require(bins == NULL && error[0] != '\0', "bins are refused without a reason");
		require(strpbrk(error, "\n\r\033") == NULL, "an error that is not one line of text");
		return;
	}
	if (bins == NULL)
		return;
	require(input_bins_write(model, bins) == 0, "bins cannot be written");
	if (input_bins_read(model, &again, error, sizeof(error)) != 0)
		require(0, error);
	require(memcmp(bins, again, n_bytes) == 0, "bins come back as others");
	free(bins);
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char error[256] = "";
	struct model *model, *again;
	size_t n_first, n_second;

	if (model_load_memory(data, size, &model, error, sizeof(error)) != 0) {
		require(model == NULL && error[0] != '\0', "refused without a reason");
		require(strpbrk(error, "\n\r\033") == NULL, "an error that is not one line of text");
		return 0;
	}
	score(model);
	uint8_t *first = saved(model, &n_first);
	if (model_load_memory(first, n_first, &again, error, sizeof(error)) != 0)
		require(0, error);
	uint8_t *second = saved(again, &n_second);
	require(n_first == n_second && memcmp(first, second, n_first) == 0, "saving again gives other bytes");
	free(first);
	free(second);
	rewrite_bins(model);
	model_free(model);
	model_free(again);
	return 0;
}
