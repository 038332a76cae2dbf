/* SPDX-License-Identifier: BSD-3-Clause */
#include "live_rss.h"

#include <string.h>

#include <rte_thash.h>
#include <rte_version.h>

/* What a device has that does not say how long its key is: nearly all have this. */
#define LIVE_RSS_DEFAULT_KEY 40
/* Toeplitz of IPv6 addresses and ports takes this much of a key. */
#define LIVE_RSS_MIN_KEY   40
#define LIVE_RSS_SAMPLES   64
#define LIVE_RSS_MAX_WORDS 9

/* Words of 32 bits, as they are hashed. */
struct live_rss_tuple {
	uint32_t words[LIVE_RSS_MAX_WORDS];
	uint32_t n;
};

/* What the hash is to be of: addresses at least; of what the device offers. */
static uint64_t live_rss_types(const struct rte_eth_dev_info *info)
{
	return info->flow_type_rss_offloads &
	       (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_SCTP);
}

static uint8_t live_rss_key_bytes(const struct rte_eth_dev_info *info)
{
	return info->hash_key_size ? info->hash_key_size : LIVE_RSS_DEFAULT_KEY;
}

/* Whether the device has a hash of its own that is the same for both directions, whatever the key. */
static bool live_rss_has_function(const struct rte_eth_dev_info *info)
{
#if RTE_VERSION >= RTE_VERSION_NUM(23, 11, 0, 0)
	return info->rss_algo_capa & RTE_ETH_HASH_ALGO_TO_CAPA(RTE_ETH_HASH_FUNCTION_SYMMETRIC_TOEPLITZ);
#else
	(void)info;
	return false;
#endif
}

/* Whether it is to be asked for: only where no key does as well. */
static bool live_rss_needs_function(const struct rte_eth_dev_info *info)
{
	uint8_t n = live_rss_key_bytes(info);

	return (n < LIVE_RSS_MIN_KEY || n > LIVE_RSS_MAX_KEY) && live_rss_has_function(info);
}

bool live_rss_is_offered(const struct rte_eth_dev_info *info)
{
	uint8_t n = live_rss_key_bytes(info);

	/* Without a table from hashes to queues it is not this hash that decides (net_tap). */
	return live_rss_types(info) & RTE_ETH_RSS_IP && info->reta_size && info->reta_size <= LIVE_RSS_MAX_TABLE &&
	       ((n >= LIVE_RSS_MIN_KEY && n <= LIVE_RSS_MAX_KEY) || live_rss_has_function(info));
}

/*
 * Toeplitz with a key that repeats itself every 16 bits gives both directions of a flow the same hash (Woo and Park,
 * "Scalable TCP Session Monitoring with Symmetric Receive-side Scaling", 2012).
 */
static void live_rss_fill_key(uint8_t *key)
{
	for (uint32_t i = 0; i < LIVE_RSS_MAX_KEY; i++)
		key[i] = i % 2 ? 0x5a : 0x6d;
}

static struct rte_eth_rss_conf live_rss_conf(const struct rte_eth_dev_info *info, uint8_t *key)
{
	struct rte_eth_rss_conf conf = {.rss_hf = live_rss_types(info)};

	if (live_rss_needs_function(info)) {
#if RTE_VERSION >= RTE_VERSION_NUM(23, 11, 0, 0)
		conf.algorithm = RTE_ETH_HASH_FUNCTION_SYMMETRIC_TOEPLITZ;
#endif
		return conf;
	}
	/* Newer DPDK hands no key to a driver that does not say how long it is. */
	if (RTE_VERSION >= RTE_VERSION_NUM(23, 11, 0, 0) && !info->hash_key_size)
		return conf;
	live_rss_fill_key(key);
	conf.rss_key = key;
	conf.rss_key_len = live_rss_key_bytes(info);
	return conf;
}

void live_rss_ask(const struct rte_eth_dev_info *info, struct rte_eth_conf *conf, uint8_t *key)
{
	conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	conf->rx_adv_conf.rss_conf = live_rss_conf(info, key);
}

/* Sample i, of IPv4 or IPv6, with ports or without; swapped: the way back. */
static struct live_rss_tuple live_rss_sample(uint32_t i, bool is_ipv6, bool has_ports, bool is_swapped)
{
	uint32_t n = is_ipv6 ? 4 : 1, left = is_swapped ? n : 0, right = is_swapped ? 0 : n;
	uint32_t source_port = 1024 + i * 613 % 64512, target_port = 1 + i * 37 % 1024;
	struct live_rss_tuple tuple = {.n = 2 * n + has_ports};

	for (uint32_t word = 0; word < n; word++) {
		tuple.words[left + word] = 0x0a000000 + (i + 1) * 2654435761u + word * 40503u;
		tuple.words[right + word] = 0xc0a80000 ^ (i + 7) * 2246822519u ^ word * 97u;
	}
	if (has_ports)
		tuple.words[2 * n] = is_swapped ? target_port << 16 | source_port : source_port << 16 | target_port;
	return tuple;
}

/* Whether the key gives both directions of the samples the same hash. */
static bool live_rss_key_is_symmetric(const uint8_t *key)
{
	for (uint32_t i = 0; i < 4 * LIVE_RSS_SAMPLES; i++) {
		bool is_ipv6 = i & 1, has_ports = i & 2;
		struct live_rss_tuple there = live_rss_sample(i / 4, is_ipv6, has_ports, false);
		struct live_rss_tuple back = live_rss_sample(i / 4, is_ipv6, has_ports, true);

		if (rte_softrss(there.words, there.n, key) != rte_softrss(back.words, back.n, key))
			return false;
	}
	return true;
}

/* Reads the key back. NULL where it does what was asked for, else why not. */
static const char *live_rss_check_key(uint16_t port_id, const struct rte_eth_dev_info *info)
{
	_Alignas(uint32_t) uint8_t key[UINT8_MAX + 1] = {0};
	struct rte_eth_rss_conf conf = {.rss_key = key, .rss_key_len = live_rss_key_bytes(info)};

	if (rte_eth_dev_rss_hash_conf_get(port_id, &conf))
		return "it does not tell its hash key";
	if (!(conf.rss_hf & RTE_ETH_RSS_IP))
		return "it does not hash addresses";
#if RTE_VERSION >= RTE_VERSION_NUM(23, 11, 0, 0)
	if (conf.algorithm == RTE_ETH_HASH_FUNCTION_SYMMETRIC_TOEPLITZ)
		return NULL;
	if (conf.algorithm != RTE_ETH_HASH_FUNCTION_DEFAULT && conf.algorithm != RTE_ETH_HASH_FUNCTION_TOEPLITZ)
		return "its hash is another one";
#endif
	if (live_rss_needs_function(info) || !live_rss_key_is_symmetric(key))
		return "its hash key is not the one asked for";
	return NULL;
}

/* The table as the device has it. 0 or a negative errno. */
static int live_rss_read_table(uint16_t port_id, const struct rte_eth_dev_info *info, struct live_rss_table *table)
{
	struct rte_eth_rss_reta_entry64 groups[LIVE_RSS_MAX_TABLE / RTE_ETH_RETA_GROUP_SIZE];
	int rc;

	memset(groups, 0, sizeof(groups));
	for (uint32_t i = 0; i < info->reta_size; i++)
		groups[i / RTE_ETH_RETA_GROUP_SIZE].mask |= UINT64_C(1) << i % RTE_ETH_RETA_GROUP_SIZE;
	rc = rte_eth_dev_rss_reta_query(port_id, groups, info->reta_size);
	if (rc)
		return rc;
	table->n = info->reta_size;
	for (uint32_t i = 0; i < table->n; i++)
		table->queues[i] = groups[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE];
	return 0;
}

/* The queues in turn: the ports of a pair must not have tables of their drivers' taste. */
static void live_rss_write_table(uint16_t port_id, const struct rte_eth_dev_info *info, uint16_t n_queues)
{
	struct rte_eth_rss_reta_entry64 groups[LIVE_RSS_MAX_TABLE / RTE_ETH_RETA_GROUP_SIZE];

	memset(groups, 0, sizeof(groups));
	for (uint32_t i = 0; i < info->reta_size; i++) {
		groups[i / RTE_ETH_RETA_GROUP_SIZE].mask |= UINT64_C(1) << i % RTE_ETH_RETA_GROUP_SIZE;
		groups[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE] = (uint16_t)(i % n_queues);
	}
	/* Where it is not taken the one that is there is looked at. */
	rte_eth_dev_rss_reta_update(port_id, groups, info->reta_size);
}

/* Whether each queue is led to, and no other. */
static bool live_rss_table_is_whole(const struct live_rss_table *table, uint16_t n_queues)
{
	for (uint16_t queue = 0; queue < n_queues; queue++) {
		bool is_met = false;

		for (uint32_t i = 0; i < table->n; i++) {
			if (table->queues[i] >= n_queues)
				return false;
			is_met |= table->queues[i] == queue;
		}
		if (!is_met)
			return false;
	}
	return true;
}

const char *live_rss_check(uint16_t port_id, const struct rte_eth_dev_info *info, uint16_t n_queues,
			   struct live_rss_table *table)
{
	const char *why = live_rss_check_key(port_id, info);

	if (why) {
		uint8_t key[LIVE_RSS_MAX_KEY];
		struct rte_eth_rss_conf conf = live_rss_conf(info, key);

		/* Some drivers take a key only once they are configured (net_null). */
		if (rte_eth_dev_rss_hash_update(port_id, &conf))
			return why;
		why = live_rss_check_key(port_id, info);
	}
	if (why)
		return why;
	live_rss_write_table(port_id, info, n_queues);
	if (live_rss_read_table(port_id, info, table))
		return "it does not tell its table from hashes to queues";
	return live_rss_table_is_whole(table, n_queues) ? NULL : "its table from hashes to queues leads elsewhere";
}

bool live_rss_is_same(const struct live_rss_table *left, const struct live_rss_table *right)
{
	uint32_t n = RTE_MAX(left->n, right->n);

	if (!left->n || !right->n)
		return left->n == right->n;
	/* The table is looked up by the lower bits, or the rest, of a hash: up to the product nothing repeats. */
	for (uint32_t hash = 0; hash < n * RTE_MIN(left->n, right->n); hash++)
		if (left->queues[hash % left->n] != right->queues[hash % right->n])
			return false;
	return true;
}
