/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel for AVX2 and FMA: blocks of 16 rows by 4 outputs, 8 sums in the 16 registers. Called through the
 * table in kernels.c.
 */
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

typedef __m256 vec;
typedef __m256i veci;

#define V_LANES	   8
#define TILE_N_OUT 4

#define vec_load	    _mm256_load_ps
#define vec_store	    _mm256_store_ps
#define vec_set1	    _mm256_set1_ps
#define vec_add		    _mm256_add_ps
#define vec_sub		    _mm256_sub_ps
#define vec_fma		    _mm256_fmadd_ps
#define vec_max		    _mm256_max_ps
#define vec_min		    _mm256_min_ps
#define veci_unpack_low_8   _mm256_unpacklo_epi8
#define veci_unpack_high_8  _mm256_unpackhi_epi8
#define veci_unpack_low_16  _mm256_unpacklo_epi16
#define veci_unpack_high_16 _mm256_unpackhi_epi16
#define veci_unpack_low_32  _mm256_unpacklo_epi32
#define veci_unpack_high_32 _mm256_unpackhi_epi32
#define veci_unpack_low_64  _mm256_unpacklo_epi64
#define veci_unpack_high_64 _mm256_unpackhi_epi64

static inline vec vec_leaky_relu(vec x, vec alpha)
{
	vec negative = _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_LT_OQ);

	return _mm256_blendv_ps(x, _mm256_mul_ps(alpha, x), negative);
}

static inline vec veci_bytes_to_floats(veci x, int d)
{
	/* Index 0x80 and above puts a zero. */
	__m256i spread = _mm256_broadcastsi128_si256(
		_mm_set_epi32(-256 + 4 * d + 3, -256 + 4 * d + 2, -256 + 4 * d + 1, -256 + 4 * d));

	return _mm256_cvtepi32_ps(_mm256_shuffle_epi8(x, spread));
}

/* AVX2 cannot mask bytes: two loads that overlap, the second shifted so that no byte counts twice. */
static inline __m128i load_partial(const uint8_t *bytes, uint32_t n)
{
	uint64_t low = 0, high = 0;

	if (n >= 8) {
		memcpy(&low, bytes, 8);
		if (n > 8) {
			memcpy(&high, bytes + n - 8, 8);
			high >>= 8 * (16 - n);
		}
	} else if (n >= 4) {
		uint32_t first, last;

		memcpy(&first, bytes, 4);
		memcpy(&last, bytes + n - 4, 4);
		low = first | (uint64_t)last << (8 * (n - 4));
	} else {
		low = bytes[0] | (uint64_t)bytes[n / 2] << (8 * (n / 2)) | (uint64_t)bytes[n - 1] << (8 * (n - 1));
	}
	return _mm_set_epi64x((long long)high, (long long)low);
}

static inline __m128i load_row(const uint8_t *bytes, uint32_t n)
{
	return n == 16 ? _mm_loadu_si128((const void *)bytes) : load_partial(bytes, n);
}

static inline veci veci_load_rows(const uint8_t *const *at, uint32_t j, size_t offset, uint32_t n)
{
	return _mm256_inserti128_si256(_mm256_castsi128_si256(load_row(at[j] + offset, n)),
				       load_row(at[j + 4] + offset, n), 1);
}

#include "kernel_simd.h"

void nn_avx2_score_bytes(const struct nn_plan *plan, struct nn_scratch *scratch, const uint8_t *const *rows,
			 uint32_t n, float *logits)
{
	score_bytes(plan, scratch, rows, n, logits);
}

void nn_avx2_score_floats(const struct nn_plan *plan, struct nn_scratch *scratch, const float *rows, size_t stride,
			  uint32_t n, float *logits)
{
	score_floats(plan, scratch, rows, stride, n, logits);
}
