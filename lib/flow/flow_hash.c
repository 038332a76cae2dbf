/* SPDX-License-Identifier: BSD-3-Clause */
#include "flow_hash.h"

#include <stdbool.h>
#include <string.h>

#define KEY_WORDS (sizeof(struct flow_key) / sizeof(uint64_t))

static inline uint64_t rotate(uint64_t word, uint32_t bits)
{
	return word << bits | word >> (64 - bits);
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

uint64_t flow_hash_sip(const uint64_t seed[2], const uint64_t *words, uint32_t n_words)
{
	uint64_t v[4] = {
		seed[0] ^ 0x736f6d6570736575u,
		seed[1] ^ 0x646f72616e646f6du,
		seed[0] ^ 0x6c7967656e657261u,
		seed[1] ^ 0x7465646279746573u,
	};

	/* The last block holds the length, and none of the bytes: they come in whole words. */
	for (uint32_t i = 0; i <= n_words; i++) {
		uint64_t word = i < n_words ? words[i] : (uint64_t)n_words * 8 << 56;

		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	v[2] ^= 0xff;
	for (uint32_t i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void flow_hash_portable_burst(const struct flow_hash *hash, const struct flow_key *keys, uint32_t n,
			      uint64_t *hashes)
{
	for (uint32_t i = 0; i < n; i++) {
		uint64_t words[KEY_WORDS];

		memcpy(words, &keys[i], sizeof(words));
		hashes[i] = flow_hash_sip(hash->seed, words, KEY_WORDS);
	}
}

static bool has_aesni(void)
{
#if defined(__x86_64__)
	return __builtin_cpu_supports("aes") && __builtin_cpu_supports("sse4.1");
#else
	return false;
#endif
}

void flow_hash_init(struct flow_hash *hash, const uint64_t seed[2])
{
	hash->seed[0] = seed[0];
	hash->seed[1] = seed[1];
	for (uint64_t i = 0; i < 2 * FLOW_HASH_N_AES_KEYS; i++)
		hash->aes_keys[i / 2][i % 2] = flow_hash_sip(seed, &i, 1);
	hash->burst = flow_hash_portable_burst;
#if defined(__x86_64__)
	if (has_aesni())
		hash->burst = flow_hash_aesni_burst;
#endif
}
