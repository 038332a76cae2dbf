/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Repeatable random numbers: xoshiro256** (Blackman and Vigna, 2018) seeded through splitmix64. The same
 * seed gives the same numbers on every machine. Used by data sets, shuffles and initial weights; not for
 * secrets.
 */
#ifndef WIRESCORE_DATASET_RANDOM_H
#define WIRESCORE_DATASET_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
	uint64_t state[4];
};

static inline void random_seed(struct random *random, uint64_t seed)
{
	for (int i = 0; i < 4; i++) {
		uint64_t z = seed += 0x9e3779b97f4a7c15u;

		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
		z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
		random->state[i] = z ^ (z >> 31);
	}
}

static inline uint64_t random_rotate_left(uint64_t x, int n)
{
	return (x << n) | (x >> (64 - n));
}

/* 64 random bits. */
static inline uint64_t random_next(struct random *random)
{
	uint64_t *s = random->state;
	uint64_t result = random_rotate_left(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = random_rotate_left(s[3], 45);
	return result;
}

/* A whole number of [0, n), n of 1 to 2^32; its bias is below 2^-32. */
static inline uint32_t random_below(struct random *random, uint64_t n)
{
	return (uint32_t)(((random_next(random) >> 32) * n) >> 32);
}

/* A number of [0, 1). */
static inline float random_unit(struct random *random)
{
	return (float)(random_next(random) >> 40) * 0x1p-24f;
}

/* Puts the numbers 0..n-1 into order in a random order (Fisher and Yates). */
static inline void random_order(struct random *random, uint32_t *order, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t j = random_below(random, (uint64_t)i + 1);

		order[i] = order[j];
		order[j] = i;
	}
}

#endif
