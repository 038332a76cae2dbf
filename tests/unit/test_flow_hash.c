/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flow_hash.h"
#include "flow_index.h"
#include "flow_packets.h"

/* Both hashes, whichever of them this machine would choose. */
static uint32_t hashes_here(struct flow_hash hashes[2], uint64_t seed)
{
	const uint64_t seeds[2] = {seed, ~seed};

	flow_hash_init(&hashes[0], seeds);
	hashes[1] = hashes[0];
	hashes[1].burst = flow_hash_portable_burst;
	return hashes[0].burst == hashes[1].burst ? 1 : 2;
}

static struct flow_key random_key(uint64_t *random)
{
	struct flow_key key;
	uint8_t bytes[sizeof(key)];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)flow_packets_random(random);
	memcpy(&key, bytes, sizeof(key));
	return key;
}

/* Two hosts that talk IPv4. */
static struct flow_key ipv4_key(uint32_t low, uint32_t high, uint16_t low_port, uint16_t high_port)
{
	struct flow_key key = {.port = {low_port, high_port}, .protocol = 6};

	for (uint32_t e = 0; e < 2; e++) {
		key.address[e][10] = key.address[e][11] = 0xff;
		flow_packets_put_address(key.address[e] + 12, e ? high : low, 0);
	}
	return key;
}

/* Values of another implementation: CPython 3.11's hash() of bytes, with PYTHONHASHSEED=0. */
static void siphash_is_that_of_others(void **state)
{
	static const uint64_t seed[2] = {0, 0};
	uint8_t bytes[80];
	uint64_t words[10];

	(void)state;
	for (uint32_t i = 0; i < 80; i++)
		bytes[i] = (uint8_t)i;
	memcpy(words, bytes, sizeof(words));
	assert_int_equal(flow_hash_sip(seed, words, 5), 0x95bc321ab41d8206u);
	assert_int_equal(flow_hash_sip(seed, words, 1), 0xead411e67ebe2eeau);
	for (uint32_t i = 0; i < 80; i++)
		bytes[i] = (uint8_t)(100 + i);
	memcpy(words, bytes, sizeof(words));
	assert_int_equal(flow_hash_sip(seed, words, 10), 0x94238d226ad2ffc0u);
}

static void any_burst_gives_the_same_hashes(void **state)
{
	struct flow_hash hashes[2];
	struct flow_key keys[64];
	uint64_t random = 1;

	(void)state;
	for (uint32_t i = 0; i < 64; i++)
		keys[i] = random_key(&random);
	for (uint32_t h = 0; h < hashes_here(hashes, 1); h++)
		for (uint32_t n = 0; n <= 64; n++) {
			uint64_t values[65] = {0};

			flow_hash_burst(&hashes[h], keys, n, values);
			for (uint32_t i = 0; i < n; i++)
				assert_int_equal(values[i], flow_hash_one(&hashes[h], &keys[i]));
			assert_int_equal(values[n], 0);
		}
}

static void every_bit_of_a_key_changes_every_bit_of_the_hash(void **state)
{
	enum { N_KEYS = 1000, N_BITS = 8 * sizeof(struct flow_key) };
	static uint32_t n_changed[N_BITS][64];
	struct flow_hash hashes[2];

	(void)state;
	for (uint32_t h = 0; h < hashes_here(hashes, 2); h++) {
		uint64_t random = 2;

		memset(n_changed, 0, sizeof(n_changed));
		for (uint32_t k = 0; k < N_KEYS; k++) {
			struct flow_key key = random_key(&random);
			uint64_t value = flow_hash_one(&hashes[h], &key);

			for (uint32_t bit = 0; bit < N_BITS; bit++) {
				struct flow_key other = key;
				uint64_t change;

				((uint8_t *)&other)[bit / 8] ^= (uint8_t)(1u << bit % 8);
				change = value ^ flow_hash_one(&hashes[h], &other);
				for (uint32_t to = 0; to < 64; to++)
					n_changed[bit][to] += change >> to & 1;
			}
		}
		/* Half of 1000, give or take 6 standard deviations of 16. */
		for (uint32_t bit = 0; bit < N_BITS; bit++)
			for (uint32_t to = 0; to < 64; to++)
				assert_in_range(n_changed[bit][to], 400, 600);
	}
}

static void seeds_give_other_hashes(void **state)
{
	struct flow_hash one[2], other[2];
	struct flow_key key = {.protocol = 6};

	(void)state;
	for (uint32_t bit = 0; bit < 64; bit++) {
		uint32_t n = hashes_here(one, 0);

		hashes_here(other, 1ull << bit);
		for (uint32_t h = 0; h < n; h++)
			assert_true(flow_hash_one(&one[h], &key) != flow_hash_one(&other[h], &key));
	}
}

#define N_BUCKETS 1024

/* Whether counts of N_BUCKETS buckets are as even as chance makes them: chi-square within 6 deviations. */
static void assert_even(const uint32_t *counts, uint32_t n_keys)
{
	double expected = (double)n_keys / N_BUCKETS, chi = 0;

	for (uint32_t b = 0; b < N_BUCKETS; b++)
		chi += (counts[b] - expected) * (counts[b] - expected) / expected;
	if (fabs(chi - (N_BUCKETS - 1)) > 6 * sqrt(2 * (N_BUCKETS - 1)))
		fail_msg("chi-square is %g", chi);
}

/* The table's bucket, the tag, and what shares packets out among workers. */
static void assert_spreads(const struct flow_hash *hash, const struct flow_key *keys, uint32_t n)
{
	static const uint32_t shifts[] = {0, 32, 38, 54};

	for (uint32_t s = 0; s < sizeof(shifts) / sizeof(shifts[0]); s++) {
		uint32_t counts[N_BUCKETS] = {0};

		for (uint32_t i = 0; i < n; i++)
			counts[flow_hash_one(hash, &keys[i]) >> shifts[s] & (N_BUCKETS - 1)]++;
		assert_even(counts, n);
	}
}

static void orderly_keys_spread_evenly(void **state)
{
	enum { N = 32768 };
	static struct flow_key keys[6][N];
	struct flow_hash hashes[2];
	uint32_t n_hashes = hashes_here(hashes, 3);

	(void)state;
	for (uint32_t i = 0; i < N; i++) {
		keys[0][i] = ipv4_key(0x0a000001, 0x0a000002, (uint16_t)i, 443);
		keys[1][i] = ipv4_key(0x0a000001 + i, 0x0b000001, 1024, 443);
		keys[2][i] = ipv4_key(0x0a000001 + i, 0x0b000001 + i, 1024, 443);
		keys[3][i] = ipv4_key(0x0a000001, 0x0b000001 + i / 256 * 65536, (uint16_t)(i % 256 * 256), 80);
		keys[4][i] = ipv4_key(0x0a000001 + i, 0x0a000001 + i, (uint16_t)i, (uint16_t)i);
		keys[5][i] = ipv4_key(1, 2, 3, 4);
		keys[5][i].scope_id = i;
	}
	for (uint32_t h = 0; h < n_hashes; h++)
		for (uint32_t set = 0; set < 6; set++)
			assert_spreads(&hashes[h], keys[set], N);
}

static void keys_that_collide_under_one_seed_spread_under_another(void **state)
{
	enum { N_WANTED = 4096 };
	static struct flow_key keys[N_WANTED];
	struct flow_hash known[2], secret[2];
	uint32_t n_hashes = hashes_here(known, 4);

	(void)state;
	hashes_here(secret, 5);
	for (uint32_t h = 0; h < n_hashes; h++) {
		uint64_t random = 6;
		uint32_t n = 0;

		/* One bucket of 64, and tags with the same low 4 bits. */
		while (n < N_WANTED) {
			struct flow_key key = ipv4_key((uint32_t)flow_packets_random(&random), 0x0a000001,
						       (uint16_t)flow_packets_random(&random), 443);
			uint64_t hash = flow_hash_one(&known[h], &key);

			if (hash % 64 == 0 && (flow_index_tag(hash) & 15) == 1)
				keys[n++] = key;
		}
		assert_spreads(&secret[h], keys, N_WANTED);
	}
}

/* Differences in two blocks that would cancel if blocks were added too early. */
static void differences_do_not_cancel(void **state)
{
	struct flow_hash hashes[2];
	uint32_t n_hashes = hashes_here(hashes, 7);

	(void)state;
	for (uint32_t h = 0; h < n_hashes; h++) {
		uint64_t random = 8;
		uint32_t n_same = 0;

		for (uint32_t i = 0; i < 1u << 18; i++) {
			struct flow_key key = random_key(&random), other = key;
			uint64_t dice = flow_packets_random(&random);
			uint8_t change = (uint8_t)(dice | 1);

			other.address[0][dice >> 8 & 15] ^= change;
			if (dice >> 20 & 1)
				other.address[1][dice >> 12 & 15] ^= (uint8_t)(dice >> 24);
			else
				other.port[dice >> 16 & 1] ^= (uint16_t)(dice >> 24);
			n_same += (uint32_t)flow_hash_one(&hashes[h], &key) << 16 ==
				  (uint32_t)flow_hash_one(&hashes[h], &other) << 16;
		}
		/* One in 2^16: 4 are expected. */
		assert_in_range(n_same, 0, 16);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash_is_that_of_others),
		cmocka_unit_test(any_burst_gives_the_same_hashes),
		cmocka_unit_test(every_bit_of_a_key_changes_every_bit_of_the_hash),
		cmocka_unit_test(seeds_give_other_hashes),
		cmocka_unit_test(orderly_keys_spread_evenly),
		cmocka_unit_test(keys_that_collide_under_one_seed_spread_under_another),
		cmocka_unit_test(differences_do_not_cancel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
