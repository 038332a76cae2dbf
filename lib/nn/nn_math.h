/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The activations as arithmetic, one formulation for all kernels. Each file that includes this compiles it
 * with its own ISA flags; only operations that IEEE 754 rounds correctly are used (no libm approximation), so
 * every compilation gives the same bits. No branches: compilers turn loops over these into SIMD.
 *
 * NaN goes in, NaN comes out: a sum that overflowed must not become a score that looks right.
 */
#ifndef WIRESCORE_NN_MATH_H
#define WIRESCORE_NN_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* As maxps(0, x): NaN and -0 pass. */
static inline float nn_math_relu(float x)
{
	return 0.0f > x ? 0.0f : x;
}

static inline float nn_math_leaky_relu(float x, float alpha)
{
	return x < 0.0f ? alpha * x : x;
}

/* As minps(high, maxps(low, x)): NaN passes. */
static inline float nn_math_clip(float x, float low, float high)
{
	x = low > x ? low : x;
	return high < x ? high : x;
}

/*
 * ln t for t >= 1, within 0.9 of the last place. t is 2^n (1 + f) with 1 + f from sqrt(1/2) to sqrt(2); ln(1 + f)
 * is 2 artanh(s), s = f / (2 + f), by its Taylor series, whose rest is below 1e-9. Written as
 * f - (f^2 / 2 - s (f^2 / 2 + ...)) the rounding of s counts for little: f itself is exact (fdlibm's e_log.c).
 */
static inline float nn_math_log(float t)
{
	const int32_t highest = 0x7f7fffff, sqrt_half = 0x3f3504f3; /* the bits of FLT_MAX and sqrt(1/2) */
	int32_t bits, n;
	float capped, f;

	/* Infinity is taken off as if it were FLT_MAX, and put back at the end; so is NaN. */
	memcpy(&bits, &t, sizeof(bits));
	bits = bits > highest ? highest : bits;
	memcpy(&capped, &bits, sizeof(capped));
	n = (int32_t)((uint32_t)bits - (uint32_t)sqrt_half) >> 23;
	bits = (int32_t)((uint32_t)bits - ((uint32_t)n << 23));
	memcpy(&f, &bits, sizeof(f));
	f -= 1.0f;

	float s = f / (2.0f + f), z = s * s;
	float half_square = 0.5f * f * f;
	float q = 2.0f / 9;
	q = fmaf(q, z, 2.0f / 7);
	q = fmaf(q, z, 2.0f / 5);
	q = fmaf(q, z, 2.0f / 3);

	/* n ln 2 in two parts, as in nn_math_exp_split. */
	float low = fmaf(s, fmaf(q, z, half_square), (float)n * 0x1.7f7d1cp-20f);
	float high = fmaf((float)n, 0x1.62e4p-1f, f - (half_square - low));
	return high + (t - capped);
}

/* ln(1 + max(x, 0)): the logarithm of the input stage. Infinity stays, NaN passes. */
static inline float nn_math_log1p(float x)
{
	return nn_math_log(1.0f + nn_math_relu(x));
}

/*
 * e^x = scale * (1 + tail), |x| <= 87. x is split into n ln 2 + r, |r| <= ln 2 / 2 (Cody and Waite); scale is
 * 2^n and tail is e^r - 1 by its Taylor series, whose rest is below 6e-9.
 */
static inline float nn_math_exp_split(float x, float *scale)
{
	/* Adding 1.5 * 2^23 leaves the nearest whole number in the low mantissa bits. */
	const float shifter = 0x1.8p23f;
	float shifted = fmaf(x, 0x1.715476p0f, shifter);
	float n = shifted - shifter;
	/* ln 2 in two parts; the first has so few bits that n times it is exact. */
	float r = fmaf(n, -0x1.62e4p-1f, x);
	r = fmaf(n, -0x1.7f7d1cp-20f, r);

	uint32_t bits;
	memcpy(&bits, &shifted, sizeof(bits));
	bits = (bits + 127) << 23;
	memcpy(scale, &bits, sizeof(bits));

	float q = 1.0f / 5040;
	q = fmaf(q, r, 1.0f / 720);
	q = fmaf(q, r, 1.0f / 120);
	q = fmaf(q, r, 1.0f / 24);
	q = fmaf(q, r, 1.0f / 6);
	q = fmaf(q, r, 0.5f);
	return fmaf(r * r, q, r);
}

/* e^x for x <= 0; below -87 it stays at e^-87 (1.6e-38), so that no step is subnormal. */
static inline float nn_math_exp_negative(float x)
{
	float scale, tail;

	x = x < -87.0f ? -87.0f : x;
	tail = nn_math_exp_split(x, &scale);
	return fmaf(scale, tail, scale);
}

/* 1 / (1 + e^-x), from e^-|x| so that small results keep their relative precision. */
static inline float nn_math_sigmoid(float x)
{
	float e = nn_math_exp_negative(-fabsf(x));

	return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

/* (e^2x - 1) / (e^2x + 1), from e^2|x| - 1 so that small results keep their relative precision. */
static inline float nn_math_tanh(float x)
{
	float doubled = 2.0f * fabsf(x);
	float scale, tail, expm1;

	doubled = doubled > 20.0f ? 20.0f : doubled; /* the quotient is 1 from there on */
	tail = nn_math_exp_split(doubled, &scale);
	expm1 = fmaf(scale, tail, scale - 1.0f);
	return copysignf(expm1 / (expm1 + 2.0f), x);
}

#endif
