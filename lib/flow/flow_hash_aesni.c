/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The keyed hash of flow keys in AES rounds. A key is three blocks: two addresses, and the rest. Each is masked
 * with a secret and goes through two rounds; then the three are added, and the sum goes through two more.
 *
 * Why nobody can aim collisions: two rounds under unknown keys turn any chosen difference into any other with a
 * probability of at most 53/2^34 (Keliher and Sui 2007), so differences in several blocks cancel in the sum at most
 * that often; and a difference in the sum has passed four rounds when it reaches the bits that choose a
 * bucket, where at least 25 S-boxes have been active (Daemen and Rijmen 2002).
 */
#include <immintrin.h>

#include "flow_hash.h"

#define LANES 4 /* keys at once: enough to hide the latency of a round */

static inline __m128i block(const void *bytes)
{
	return _mm_loadu_si128(bytes);
}

static inline void hash_lanes(const __m128i keys[FLOW_HASH_N_AES_KEYS], const struct flow_key *flow_keys,
			      uint32_t n, uint64_t *hashes)
{
	__m128i a[LANES], b[LANES], c[LANES];

	for (uint32_t i = 0; i < n; i++) {
		a[i] = _mm_xor_si128(block(flow_keys[i].address[0]), keys[0]);
		b[i] = _mm_xor_si128(block(flow_keys[i].address[1]), keys[1]);
		c[i] = _mm_xor_si128(_mm_loadl_epi64((const __m128i *)(const void *)flow_keys[i].port), keys[2]);
	}
	for (uint32_t i = 0; i < n; i++) {
		a[i] = _mm_aesenc_si128(a[i], keys[3]);
		b[i] = _mm_aesenc_si128(b[i], keys[4]);
		c[i] = _mm_aesenc_si128(c[i], keys[5]);
	}
	/* The second round's keys only add up in the sum: one is enough. */
	for (uint32_t i = 0; i < n; i++) {
		a[i] = _mm_aesenc_si128(a[i], keys[6]);
		b[i] = _mm_aesenc_si128(b[i], _mm_setzero_si128());
		c[i] = _mm_aesenc_si128(c[i], _mm_xor_si128(a[i], b[i]));
	}
	for (uint32_t i = 0; i < n; i++) {
		c[i] = _mm_aesenc_si128(c[i], keys[7]);
		c[i] = _mm_aesenc_si128(c[i], keys[7]);
		hashes[i] = (uint64_t)_mm_cvtsi128_si64(c[i]);
	}
}

void flow_hash_aesni_burst(const struct flow_hash *hash, const struct flow_key *keys, uint32_t n, uint64_t *hashes)
{
	__m128i aes_keys[FLOW_HASH_N_AES_KEYS];
	uint32_t i = 0;

	for (uint32_t k = 0; k < FLOW_HASH_N_AES_KEYS; k++)
		aes_keys[k] = _mm_load_si128((const __m128i *)(const void *)hash->aes_keys[k]);
	for (; i + LANES <= n; i += LANES)
		hash_lanes(aes_keys, keys + i, LANES, hashes + i);
	for (; i < n; i++)
		hash_lanes(aes_keys, keys + i, 1, hashes + i);
}
