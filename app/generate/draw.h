/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Draws from the distributions that traffic has, in whole numbers only: the same seed gives the same numbers on
 * every machine, whatever its mathematics library. Used by all of flows_*.c.
 */
#ifndef WIRESCORE_GENERATE_DRAW_H
#define WIRESCORE_GENERATE_DRAW_H

#include <stdbool.h>
#include <stdint.h>

#include "random.h"

/* Fixed point with 16 bits behind the point. */
#define DRAW_ONE 65536

/*
 * A quantity: log-normal around its median, with a factor of one standard deviation, within [min, max]. A factor of 1
 * or less (or none) is a constant. Copied freely.
 */
struct dist {
	uint64_t median;
	uint32_t factor_q8; /* 256 times the factor by which one standard deviation multiplies */
	uint64_t min, max;
};

#define DIST(median_, factor, min_, max_)                                                                \
	{                                                                                                \
		.median = (median_), .factor_q8 = (uint32_t)((factor)*256), .min = (min_), .max = (max_) \
	}

/* log2(x) for x of at least 1, and 2^(x / 65536), rounded down; 0 below 1 and at most 2^62. */
int64_t draw_log2_q16(uint64_t x);
uint64_t draw_exp2_q16(int64_t x_q16);

/* Standard normal in 16.16: the sum of twelve uniform numbers (Irwin and Hall), within +-6. */
int64_t draw_normal_q16(struct random *random);

uint64_t draw_lognormal(struct random *random, uint64_t median, uint32_t factor_q8);
uint64_t draw_dist(struct random *random, const struct dist *dist);

/* The distribution with its median (and limits that it would pass) moved by a log-normal factor: a site's own. */
struct dist draw_site(struct random *random, const struct dist *dist, uint32_t factor_q8);

/* Exponential with this mean: times between arrivals. At least 1. */
uint64_t draw_exponential(struct random *random, uint64_t mean);

/* Pareto from min with exponent alpha_q8 / 256, cut at max: sizes of files, lengths of sessions. */
uint64_t draw_pareto(struct random *random, uint64_t min, uint32_t alpha_q8, uint64_t max);

/* Between low and high, every order of magnitude alike. 1 <= low <= high. */
uint64_t draw_log_uniform(struct random *random, uint64_t low, uint64_t high);

/* A whole number of [low, high], both below 2^32. */
static inline uint32_t draw_between(struct random *random, uint32_t low, uint32_t high)
{
	return low + random_below(random, (uint64_t)high - low + 1);
}

/* True per_mille times out of a thousand. */
static inline bool draw_chance(struct random *random, uint32_t per_mille)
{
	return random_below(random, 1000) < per_mille;
}

#endif
