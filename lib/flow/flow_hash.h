/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The keyed hash of flow keys: nobody without the seed can choose keys that collide. Called by the flow table,
 * the spread and the fragment tracker, a burst at a time. The same seed gives other values on CPUs with and
 * without AES instructions; nothing but the place of a flow depends on them.
 */
#ifndef WIRESCORE_FLOW_HASH_H
#define WIRESCORE_FLOW_HASH_H

#include <stdint.h>

#include "flow_key.h"

/* Round keys of the AES hash: two a block, two for the end. */
#define FLOW_HASH_N_AES_KEYS 8

struct flow_hash {
	uint64_t seed[2];
	_Alignas(16) uint64_t aes_keys[FLOW_HASH_N_AES_KEYS][2];
	void (*burst)(const struct flow_hash *hash, const struct flow_key *keys, uint32_t n, uint64_t *hashes);
};

/* Chooses the fastest hash that the CPU has. */
void flow_hash_init(struct flow_hash *hash, const uint64_t seed[2]);

/* hashes is [n]. All 64 bits are good. */
static inline void flow_hash_burst(const struct flow_hash *hash, const struct flow_key *keys, uint32_t n,
				   uint64_t *hashes)
{
	hash->burst(hash, keys, n, hashes);
}

static inline uint64_t flow_hash_one(const struct flow_hash *hash, const struct flow_key *key)
{
	uint64_t value;

	hash->burst(hash, key, 1, &value);
	return value;
}

/* SipHash-1-3 of n_words little-endian words (Aumasson and Bernstein 2012). */
uint64_t flow_hash_sip(const uint64_t seed[2], const uint64_t *words, uint32_t n_words);

/* The two that flow_hash_init chooses from. */
void flow_hash_portable_burst(const struct flow_hash *hash, const struct flow_key *keys, uint32_t n,
			      uint64_t *hashes);
#if defined(__x86_64__)
void flow_hash_aesni_burst(const struct flow_hash *hash, const struct flow_key *keys, uint32_t n, uint64_t *hashes);
#endif

#endif
