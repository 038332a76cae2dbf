/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel for AVX-512 F, BW, VL and DQ: blocks of 32 rows by 8 outputs, 16 sums in the 32 registers. Called
 * through the table in kernels.c.
 */
#include <immintrin.h>
#include <stdint.h>

typedef __m512 vec;
typedef __m512i veci;

#define V_LANES	   16
#define TILE_N_OUT 8

#define vec_load	    _mm512_load_ps
#define vec_store	    _mm512_store_ps
#define vec_set1	    _mm512_set1_ps
#define vec_add		    _mm512_add_ps
#define vec_sub		    _mm512_sub_ps
#define vec_fma		    _mm512_fmadd_ps
#define vec_max		    _mm512_max_ps
#define vec_min		    _mm512_min_ps
#define veci_unpack_low_8   _mm512_unpacklo_epi8
#define veci_unpack_high_8  _mm512_unpackhi_epi8
#define veci_unpack_low_16  _mm512_unpacklo_epi16
#define veci_unpack_high_16 _mm512_unpackhi_epi16
#define veci_unpack_low_32  _mm512_unpacklo_epi32
#define veci_unpack_high_32 _mm512_unpackhi_epi32
#define veci_unpack_low_64  _mm512_unpacklo_epi64
#define veci_unpack_high_64 _mm512_unpackhi_epi64

static inline vec vec_leaky_relu(vec x, vec alpha)
{
	return _mm512_mask_mul_ps(x, _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ), alpha, x);
}

static inline vec veci_bytes_to_floats(veci x, int d)
{
	/* Index 0x80 and above puts a zero. */
	__m512i spread = _mm512_broadcast_i32x4(
		_mm_set_epi32(-256 + 4 * d + 3, -256 + 4 * d + 2, -256 + 4 * d + 1, -256 + 4 * d));

	return _mm512_cvtepi32_ps(_mm512_shuffle_epi8(x, spread));
}

static inline __m128i load_row(const uint8_t *bytes, uint32_t n)
{
	/* A masked load does not touch what it leaves out. */
	return n == 16 ? _mm_loadu_si128((const void *)bytes)
		       : _mm_maskz_loadu_epi8((__mmask16)((1u << n) - 1), bytes);
}

static inline veci veci_load_rows(const uint8_t *const *at, uint32_t j, size_t offset, uint32_t n)
{
	__m512i x = _mm512_castsi128_si512(load_row(at[j] + offset, n));

	x = _mm512_inserti32x4(x, load_row(at[j + 4] + offset, n), 1);
	x = _mm512_inserti32x4(x, load_row(at[j + 8] + offset, n), 2);
	return _mm512_inserti32x4(x, load_row(at[j + 12] + offset, n), 3);
}

#include "kernel_simd.h"

void nn_avx512_score_bytes(const struct nn_plan *plan, struct nn_scratch *scratch, const uint8_t *const *rows,
			   uint32_t n, float *logits)
{
	score_bytes(plan, scratch, rows, n, logits);
}

void nn_avx512_score_floats(const struct nn_plan *plan, struct nn_scratch *scratch, const float *rows,
			    size_t stride, uint32_t n, float *logits)
{
	score_floats(plan, scratch, rows, stride, n, logits);
}
