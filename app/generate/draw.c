/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Distributions in whole numbers; see draw.h.
 */
#include "draw.h"

#define FRACTION_BITS 16
#define LN2_Q16	      45426 /* ln 2 in 16.16 */

/* Bits behind the point by squaring: each time the square passes 2, the next bit is 1. */
int64_t draw_log2_q16(uint64_t x)
{
	int whole = 63 - __builtin_clzll(x | 1);
	uint64_t mantissa = whole > 31 ? x >> (whole - 31) : x << (31 - whole); /* [2^31, 2^32) */
	int64_t result = (int64_t)whole << FRACTION_BITS;

	for (int bit = FRACTION_BITS - 1; bit >= 0; bit--) {
		mantissa = mantissa * mantissa >> 31;
		if (mantissa >> 32) {
			mantissa >>= 1;
			result |= (int64_t)1 << bit;
		}
	}
	return result;
}

uint64_t draw_exp2_q16(int64_t x_q16)
{
	/* 2^(2^-k) in 2.30 for k of 1 to 16. */
	static const uint32_t roots[FRACTION_BITS] = {
		1518500249, 1276901416, 1170923761, 1121280435, 1097253708, 1085434105, 1079572135, 1076653033,
		1075196443, 1074468887, 1074105294, 1073923543, 1073832680, 1073787251, 1073764537, 1073753180,
	};
	int64_t whole = x_q16 >> FRACTION_BITS;
	uint64_t power = UINT64_C(1) << 30;

	if (whole < 0)
		return 0;
	if (whole >= 62)
		return UINT64_C(1) << 62;
	for (int k = 0; k < FRACTION_BITS; k++)
		if (x_q16 >> (FRACTION_BITS - 1 - k) & 1)
			power = power * roots[k] >> 30;
	return whole >= 30 ? power << (whole - 30) : power >> (30 - whole);
}

int64_t draw_normal_q16(struct random *random)
{
	int64_t sum = 0;

	/* Four numbers of 16 bits in each draw. */
	for (int i = 0; i < 3; i++) {
		uint64_t bits = random_next(random);

		sum += (int64_t)((bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48));
	}
	return sum - 6 * DRAW_ONE;
}

uint64_t draw_lognormal(struct random *random, uint64_t median, uint32_t factor_q8)
{
	int64_t sigma_q16;

	if (factor_q8 <= 256 || !median)
		return median;
	sigma_q16 = draw_log2_q16(factor_q8) - (8 << FRACTION_BITS);
	/* Times 16 inside the power, so that small medians keep their fractions. */
	return draw_exp2_q16(draw_log2_q16(median) + (4 << FRACTION_BITS) +
			     (sigma_q16 * draw_normal_q16(random) >> FRACTION_BITS)) >>
	       4;
}

uint64_t draw_dist(struct random *random, const struct dist *dist)
{
	uint64_t value = draw_lognormal(random, dist->median, dist->factor_q8);

	if (value < dist->min)
		return dist->min;
	return dist->max && value > dist->max ? dist->max : value;
}

struct dist draw_site(struct random *random, const struct dist *dist, uint32_t factor_q8)
{
	struct dist site = *dist;

	site.median = draw_lognormal(random, dist->median, factor_q8);
	if (site.median < site.min)
		site.median = site.min;
	if (site.max && site.median > site.max)
		site.median = site.max;
	return site;
}

uint64_t draw_exponential(struct random *random, uint64_t mean)
{
	/* -ln U with U of (0, 1] in steps of 2^-32; mean limited so that the product stays within 64 bits. */
	int64_t minus_log2 = (32 << FRACTION_BITS) - draw_log2_q16((random_next(random) >> 32) + 1);
	uint64_t factor_q16 = (uint64_t)minus_log2 * LN2_Q16 >> FRACTION_BITS;
	uint64_t value = mean < UINT64_C(1) << 42 ? mean * factor_q16 >> FRACTION_BITS
						  : (mean >> FRACTION_BITS) * factor_q16;

	return value ? value : 1;
}

uint64_t draw_pareto(struct random *random, uint64_t min, uint32_t alpha_q8, uint64_t max)
{
	int64_t minus_log2 = (32 << FRACTION_BITS) - draw_log2_q16((random_next(random) >> 32) + 1);
	uint64_t value = draw_exp2_q16(draw_log2_q16(min) + minus_log2 * 256 / alpha_q8);

	return value < max ? value : max;
}

uint64_t draw_log_uniform(struct random *random, uint64_t low, uint64_t high)
{
	uint64_t span = (uint64_t)(draw_log2_q16(high) - draw_log2_q16(low)) + 1;
	uint64_t value = draw_exp2_q16(draw_log2_q16(low) + random_below(random, span));

	if (value < low)
		return low;
	return value > high ? high : value;
}
