/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What lib/nn shares inside itself: the packed layout that plan.c writes and the kernels read, and the names
 * of the kernels for the table in kernels.c.
 */
#ifndef WIRESCORE_NN_PLAN_H
#define WIRESCORE_NN_PLAN_H

#include "nn.h"

/*
 * Outputs are packed in groups of at most 8, as even as they come (9 outputs are 5 + 4). A group of w outputs
 * is w biases, then for each input its w weights: the order in which a kernel that keeps the group's sums in
 * registers uses them. Groups follow each other without gaps; a layer starts on a cache line.
 */
#define NN_GROUP_MAX 8

/* The most rows a kernel holds at once: scratch buffers are [width][NN_BLOCK_MAX] at most. */
#define NN_BLOCK_MAX 32

/* Kernels expand 16 bytes of a row at once, also where a row has fewer. */
#define NN_CHUNK_BYTES 16

struct nn_plan_layer {
	uint32_t n_in, n_out;
	enum nn_activation activation; /* NN_IDENTITY where the caller applies it: nn_plan_output */
	float alpha, low, high;
	const float *packed;
};

struct nn_plan {
	uint32_t n_in, n_out, n_layers;
	uint32_t max_width; /* of the active inputs, one more, and all layers */
	enum nn_activation output;
	/* The inputs that the first layer uses, ascending; it is packed with these alone, and its n_in is their
	 * number. */
	uint32_t n_active;
	uint16_t active[NN_MAX_WIDTH];
	/* Where each input goes among them, for kernels that expand a chunk of a row at once: n_active, which
	 * nobody reads, for the others and for what a chunk holds past the row. */
	uint16_t slots[NN_MAX_WIDTH + NN_CHUNK_BYTES];
	const float
		*input_centre; /* [n_active] of an input stage that is run; NULL where it was folded or is not */
	const float *input_scale;
	const float *input_shift;
	uint8_t input_log[NN_MAX_WIDTH]; /* [n_active], 1 where the stage begins with nn_math_log1p */
	float input_low, input_high;
	struct nn_plan_layer layers[NN_MAX_LAYERS];
	float *memory; /* all of the above numbers */
};

struct nn_scratch {
	float *buffers[2]; /* [max_width][NN_BLOCK_MAX] each, 64-byte aligned */
};

static inline uint32_t nn_plan_n_groups(uint32_t n_out)
{
	return (n_out + NN_GROUP_MAX - 1) / NN_GROUP_MAX;
}

static inline uint32_t nn_plan_group_width(uint32_t n_out, uint32_t group)
{
	uint32_t n_groups = nn_plan_n_groups(n_out);

	return n_out / n_groups + (group < n_out % n_groups);
}

/* ---- Kernels: the members of struct nn_kernel ---- */

void nn_scalar_score_bytes(const struct nn_plan *plan, struct nn_scratch *scratch, const uint8_t *const *rows,
			   uint32_t n, float *logits);
void nn_scalar_score_floats(const struct nn_plan *plan, struct nn_scratch *scratch, const float *rows,
			    size_t stride, uint32_t n, float *logits);

#if defined(__x86_64__)
/* kernel_scalar.c once more, with the compiler's own fused multiply-add instead of libm's function. */
void nn_scalar_fma_score_bytes(const struct nn_plan *plan, struct nn_scratch *scratch, const uint8_t *const *rows,
			       uint32_t n, float *logits);
void nn_scalar_fma_score_floats(const struct nn_plan *plan, struct nn_scratch *scratch, const float *rows,
				size_t stride, uint32_t n, float *logits);
void nn_avx2_score_bytes(const struct nn_plan *plan, struct nn_scratch *scratch, const uint8_t *const *rows,
			 uint32_t n, float *logits);
void nn_avx2_score_floats(const struct nn_plan *plan, struct nn_scratch *scratch, const float *rows, size_t stride,
			  uint32_t n, float *logits);
void nn_avx512_score_bytes(const struct nn_plan *plan, struct nn_scratch *scratch, const uint8_t *const *rows,
			   uint32_t n, float *logits);
void nn_avx512_score_floats(const struct nn_plan *plan, struct nn_scratch *scratch, const float *rows,
			    size_t stride, uint32_t n, float *logits);

/*
 * What the CPU says (ECX of cpuid leaf 1, EBX of leaf 7) and what the operating system saves on a task switch
 * (XCR0, 0 where there is no xgetbv) allow together. Apart from the reading so that tests can reach it.
 */
struct nn_x86 {
	uint32_t leaf1_ecx, leaf7_ebx;
	uint32_t xcr0;
};
bool nn_x86_allows_avx2(const struct nn_x86 *x86);
bool nn_x86_allows_avx512(const struct nn_x86 *x86);
#endif

#endif
