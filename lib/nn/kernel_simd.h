/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The body of the SIMD kernels, written once and compiled per ISA. The file that includes it defines a vector
 * of floats and one of integers, both of V_LANES 32-bit lanes, and the operations on them:
 *
 *   vec, veci                      the types
 *   V_LANES                        rows in a vector
 *   TILE_N_OUT                     outputs summed at once (with two vectors of rows each)
 *   vec_load, vec_store            aligned
 *   vec_set1, vec_add, vec_sub, vec_fma, vec_max, vec_min, vec_leaky_relu
 *   veci_load_rows(at, j, offset, n)
 *                                  128-bit lane L holds bytes [offset, offset + n) of row at[4 L + j], zeros after
 *   veci_unpack_{low,high}_{8,16,32,64}
 *                                  within 128-bit lanes
 *   veci_bytes_to_floats(x, d)     lane by lane: the 4 bytes of dword d of each 128 bits, as 4 floats
 *
 * Rows live in lanes, so each lane does what the scalar kernel does. Activations between layers are
 * [width][rows of the block] in scratch, where a block is one or two vectors of rows.
 */
#include <stddef.h>

#include "nn_math.h"
#include "nn_plan.h"

#define FORCE_INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#define BLOCK_N_VEC 2
#define BLOCK_ROWS  (BLOCK_N_VEC * V_LANES)

_Static_assert(BLOCK_ROWS <= NN_BLOCK_MAX, "scratch is too small for a block");

/*
 * V_LANES rows by NN_CHUNK_BYTES bytes become columns of V_LANES floats, each `stride` floats times its slot
 * behind `columns`. Each register holds rows 4 L + j in its 128-bit lanes L, so unpacking within lanes leaves
 * the rows in order.
 */
FORCE_INLINE void expand_bytes(const uint8_t *const *at, size_t offset, uint32_t n_bytes, const uint16_t *slots,
			       float *columns, uint32_t stride)
{
	veci r0 = veci_load_rows(at, 0, offset, n_bytes);
	veci r1 = veci_load_rows(at, 1, offset, n_bytes);
	veci r2 = veci_load_rows(at, 2, offset, n_bytes);
	veci r3 = veci_load_rows(at, 3, offset, n_bytes);
	veci low01 = veci_unpack_low_8(r0, r1), high01 = veci_unpack_high_8(r0, r1);
	veci low23 = veci_unpack_low_8(r2, r3), high23 = veci_unpack_high_8(r2, r3);
	/* In each 128-bit lane: dword d is 4 rows of column 4 t + d. */
	veci t[4] = {
		veci_unpack_low_16(low01, low23),
		veci_unpack_high_16(low01, low23),
		veci_unpack_low_16(high01, high23),
		veci_unpack_high_16(high01, high23),
	};

	UNROLL for (uint32_t c = 0; c < 4; c++)
	{
		vec_store(columns + slots[4 * c + 0] * stride, veci_bytes_to_floats(t[c], 0));
		vec_store(columns + slots[4 * c + 1] * stride, veci_bytes_to_floats(t[c], 1));
		vec_store(columns + slots[4 * c + 2] * stride, veci_bytes_to_floats(t[c], 2));
		vec_store(columns + slots[4 * c + 3] * stride, veci_bytes_to_floats(t[c], 3));
	}
}

/* The same for NN_CHUNK_BYTES of floats: four columns. */
FORCE_INLINE void expand_floats(const uint8_t *const *at, size_t offset, uint32_t n_bytes, const uint16_t *slots,
				float *columns, uint32_t stride)
{
	veci r0 = veci_load_rows(at, 0, offset, n_bytes);
	veci r1 = veci_load_rows(at, 1, offset, n_bytes);
	veci r2 = veci_load_rows(at, 2, offset, n_bytes);
	veci r3 = veci_load_rows(at, 3, offset, n_bytes);
	veci low01 = veci_unpack_low_32(r0, r1), high01 = veci_unpack_high_32(r0, r1);
	veci low23 = veci_unpack_low_32(r2, r3), high23 = veci_unpack_high_32(r2, r3);

	vec_store(columns + slots[0] * stride, (vec)veci_unpack_low_64(low01, low23));
	vec_store(columns + slots[1] * stride, (vec)veci_unpack_high_64(low01, low23));
	vec_store(columns + slots[2] * stride, (vec)veci_unpack_low_64(high01, high23));
	vec_store(columns + slots[3] * stride, (vec)veci_unpack_high_64(high01, high23));
}

/*
 * The active elements, of element_bytes (1 or 4), of rows into columns. Each chunk starts at the first one that
 * is still missing; at the end of a row it is read from further left, so that only rows shorter than a chunk
 * need a partial load.
 */
FORCE_INLINE void expand_rows(const struct nn_plan *plan, const uint8_t *const *at, const uint32_t element_bytes,
			      float *columns, const uint32_t n_vec)
{
	const uint32_t stride = n_vec * V_LANES, chunk = NN_CHUNK_BYTES / element_bytes;
	uint32_t n = plan->n_in < chunk ? plan->n_in : chunk;

	for (uint32_t a = 0; a < plan->n_active;) {
		uint32_t first = plan->active[a] < plan->n_in - n ? plan->active[a] : plan->n_in - n;

		for (uint32_t v = 0; v < n_vec; v++) {
			if (element_bytes == 1)
				expand_bytes(at + v * V_LANES, first, n, plan->slots + first, columns + v * V_LANES,
					     stride);
			else
				expand_floats(at + v * V_LANES, (size_t)first * 4, n * 4, plan->slots + first,
					      columns + v * V_LANES, stride);
		}
		do
			a++;
		while (a < plan->n_active && plan->active[a] < first + n);
	}
}

FORCE_INLINE vec vec_clip(vec x, vec low, vec high)
{
	return vec_min(high, vec_max(low, x));
}

/*
 * n_out outputs of a layer for n_vec vectors of rows; n_out and n_vec are constants, so that the sums stay in
 * registers. `packed` is at the tile's first bias, `width` is that of its group.
 */
FORCE_INLINE void tile(const struct nn_plan_layer *layer, const float *packed, uint32_t width, const float *in,
		       float *out, const uint32_t n_out, const uint32_t n_vec)
{
	vec sums[TILE_N_OUT][BLOCK_N_VEC];

	UNROLL for (uint32_t o = 0; o < n_out; o++)
	{
		UNROLL for (uint32_t v = 0; v < n_vec; v++) sums[o][v] = vec_set1(packed[o]);
	}
	for (uint32_t i = 0; i < layer->n_in; i++) {
		vec x[BLOCK_N_VEC];

		packed += width;
		UNROLL for (uint32_t v = 0; v < n_vec; v++) x[v] = vec_load(in + (i * n_vec + v) * V_LANES);
		UNROLL for (uint32_t o = 0; o < n_out; o++)
		{
			vec weight = vec_set1(packed[o]);

			UNROLL for (uint32_t v = 0; v < n_vec; v++) sums[o][v] = vec_fma(x[v], weight, sums[o][v]);
		}
	}

#define FOR_EACH_SUM(expression)                                                \
	UNROLL for (uint32_t o = 0; o < n_out; o++)                             \
	{                                                                       \
		UNROLL for (uint32_t v = 0; v < n_vec; v++)                     \
		{                                                               \
			vec x = sums[o][v];                                     \
			vec_store(out + (o * n_vec + v) * V_LANES, expression); \
		}                                                               \
	}
	/* Tanh and sigmoid are left to activate_stored. */
	if (layer->activation == NN_RELU) {
		vec zero = vec_set1(0.0f);

		FOR_EACH_SUM(vec_max(zero, x))
	} else if (layer->activation == NN_LEAKY_RELU) {
		vec alpha = vec_set1(layer->alpha);

		FOR_EACH_SUM(vec_leaky_relu(x, alpha))
	} else if (layer->activation == NN_CLIP) {
		vec low = vec_set1(layer->low), high = vec_set1(layer->high);

		FOR_EACH_SUM(vec_clip(x, low, high))
	} else {
		FOR_EACH_SUM(x)
	}
#undef FOR_EACH_SUM
}

static void activate_stored(enum nn_activation activation, float *values, size_t n)
{
	if (activation == NN_TANH) {
		for (size_t i = 0; i < n; i++)
			values[i] = nn_math_tanh(values[i]);
	} else if (activation == NN_SIGMOID) {
		for (size_t i = 0; i < n; i++)
			values[i] = nn_math_sigmoid(values[i]);
	}
}

FORCE_INLINE void dense(const struct nn_plan_layer *layer, const float *in, float *out, const uint32_t n_vec)
{
	const uint32_t stride = n_vec * V_LANES;
	const float *group = layer->packed;
	float *to = out;

	for (uint32_t g = 0; g < nn_plan_n_groups(layer->n_out); g++) {
		uint32_t width = nn_plan_group_width(layer->n_out, g);
		uint32_t n_out;

		for (uint32_t first = 0; first < width; first += n_out) {
			const float *packed = group + first;

			n_out = width - first;
			if (n_out > TILE_N_OUT)
				n_out = (n_out + 1) / 2;
			switch (n_out) {
			case 1:
				tile(layer, packed, width, in, to, 1, n_vec);
				break;
			case 2:
				tile(layer, packed, width, in, to, 2, n_vec);
				break;
			case 3:
				tile(layer, packed, width, in, to, 3, n_vec);
				break;
			case 4:
				tile(layer, packed, width, in, to, 4, n_vec);
				break;
#if TILE_N_OUT > 4
			case 5:
				tile(layer, packed, width, in, to, 5, n_vec);
				break;
			case 6:
				tile(layer, packed, width, in, to, 6, n_vec);
				break;
			case 7:
				tile(layer, packed, width, in, to, 7, n_vec);
				break;
			case 8:
				tile(layer, packed, width, in, to, 8, n_vec);
				break;
#endif
			}
			to += n_out * stride;
		}
		group += (size_t)width * (layer->n_in + 1);
	}
	activate_stored(layer->activation, out, (size_t)layer->n_out * stride);
}

/* nn_math_log1p of n values, a multiple of V_LANES. The second loop is plain C, which compilers turn into SIMD. */
static void log1p_stored(float *values, size_t n)
{
	vec zero = vec_set1(0.0f), one = vec_set1(1.0f);

	for (size_t i = 0; i < n; i += V_LANES)
		vec_store(values + i, vec_add(one, vec_max(zero, vec_load(values + i))));
	for (size_t i = 0; i < n; i++)
		values[i] = nn_math_log(values[i]);
}

/* Marked columns that lie side by side are done at once: in short loops compilers forget the SIMD. */
static void take_logarithms(const struct nn_plan *plan, float *columns, size_t stride)
{
	for (uint32_t a = 0, end; a < plan->n_active; a = end + 1) {
		end = a;
		while (end < plan->n_active && plan->input_log[end])
			end++;
		log1p_stored(columns + a * stride, (end - a) * stride);
	}
}

FORCE_INLINE void apply_input_stage(const struct nn_plan *plan, float *columns, const uint32_t n_vec)
{
	vec low = vec_set1(plan->input_low), high = vec_set1(plan->input_high);

	take_logarithms(plan, columns, n_vec * V_LANES);
	for (uint32_t a = 0; a < plan->n_active; a++) {
		float *column = columns + a * n_vec * V_LANES;
		vec centre = vec_set1(plan->input_centre[a]);
		vec scale = vec_set1(plan->input_scale[a]), shift = vec_set1(plan->input_shift[a]);

		for (uint32_t v = 0; v < n_vec; v++) {
			float *x = column + v * V_LANES;
			vec centred = vec_sub(vec_load(x), centre);

			vec_store(x, vec_clip(vec_fma(centred, scale, shift), low, high));
		}
	}
}

/*
 * Scores a block of n_vec vectors of rows, of which the first n_rows are asked for. element_bytes is 1 or 4.
 */
FORCE_INLINE void score_vectors(const struct nn_plan *plan, struct nn_scratch *scratch, const uint8_t *const *at,
				uint32_t element_bytes, uint32_t n_rows, float *logits, const uint32_t n_vec)
{
	const uint32_t stride = n_vec * V_LANES;
	float *in = scratch->buffers[0];
	float *out = scratch->buffers[1];

	if (element_bytes == 1)
		expand_rows(plan, at, 1, in, n_vec);
	else
		expand_rows(plan, at, 4, in, n_vec);
	if (plan->input_scale != NULL)
		apply_input_stage(plan, in, n_vec);
	for (uint32_t l = 0; l < plan->n_layers; l++) {
		float *done = in;

		dense(&plan->layers[l], in, out, n_vec);
		in = out;
		out = done;
	}
	for (uint32_t r = 0; r < n_rows; r++) {
		for (uint32_t o = 0; o < plan->n_out; o++)
			logits[(size_t)r * plan->n_out + o] = in[o * stride + r];
	}
}

static __attribute__((noinline)) void score_block(const struct nn_plan *plan, struct nn_scratch *scratch,
						  const uint8_t *const *at, uint32_t element_bytes, uint32_t n_rows,
						  float *logits)
{
	if (n_rows > V_LANES)
		score_vectors(plan, scratch, at, element_bytes, n_rows, logits, BLOCK_N_VEC);
	else
		score_vectors(plan, scratch, at, element_bytes, n_rows, logits, 1);
}

static void score_bytes(const struct nn_plan *plan, struct nn_scratch *scratch, const uint8_t *const *rows,
			uint32_t n, float *logits)
{
	const uint8_t *padded[BLOCK_ROWS];

	for (uint32_t first = 0; first < n; first += BLOCK_ROWS) {
		const uint8_t *const *at = rows + first;
		uint32_t n_rows = n - first;

		if (n_rows < BLOCK_ROWS) {
			/* Lanes without a row of their own score the last one again. */
			for (uint32_t r = 0; r < BLOCK_ROWS; r++)
				padded[r] = at[r < n_rows ? r : n_rows - 1];
			at = padded;
		} else {
			n_rows = BLOCK_ROWS;
		}
		score_block(plan, scratch, at, 1, n_rows, logits + (size_t)first * plan->n_out);
	}
}

static void score_floats(const struct nn_plan *plan, struct nn_scratch *scratch, const float *rows, size_t stride,
			 uint32_t n, float *logits)
{
	const uint8_t *at[BLOCK_ROWS];

	for (uint32_t first = 0; first < n; first += BLOCK_ROWS) {
		uint32_t n_rows = n - first < BLOCK_ROWS ? n - first : BLOCK_ROWS;

		for (uint32_t r = 0; r < BLOCK_ROWS; r++)
			at[r] = (const uint8_t *)(rows + (first + (r < n_rows ? r : n_rows - 1)) * stride);
		score_block(plan, scratch, at, 4, n_rows, logits + (size_t)first * plan->n_out);
	}
}
