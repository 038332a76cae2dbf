/* SPDX-License-Identifier: BSD-3-Clause */
/* What is asked of a device that spreads flows, and how one that does otherwise is found out: DPDK's calls are faked. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <rte_version.h>

#include "dataplane/live_rss.h"

/* A device, and how it misbehaves. */
static struct {
	uint8_t key[64];
	uint8_t n_key;
	uint64_t types;
	uint16_t table[LIVE_RSS_MAX_TABLE];
	bool takes_update, tells_key, takes_table, tells_table;
	uint32_t n_updates;
} fake;

int rte_eth_dev_rss_hash_conf_get(uint16_t port_id, struct rte_eth_rss_conf *conf)
{
	(void)port_id;
	if (!fake.tells_key)
		return -ENOTSUP;
	assert_in_range(conf->rss_key_len, fake.n_key, UINT8_MAX);
	memcpy(conf->rss_key, fake.key, fake.n_key);
	conf->rss_hf = fake.types;
	return 0;
}

int rte_eth_dev_rss_hash_update(uint16_t port_id, struct rte_eth_rss_conf *conf)
{
	(void)port_id;
	fake.n_updates++;
	if (!fake.takes_update)
		return -ENOTSUP;
	assert_int_equal(conf->rss_key_len, fake.n_key);
	memcpy(fake.key, conf->rss_key, fake.n_key);
	fake.types = conf->rss_hf;
	return 0;
}

int rte_eth_dev_rss_reta_update(uint16_t port_id, struct rte_eth_rss_reta_entry64 *groups, uint16_t n)
{
	(void)port_id;
	for (uint16_t i = 0; fake.takes_table && i < n; i++)
		if (groups[i / 64].mask >> i % 64 & 1)
			fake.table[i] = groups[i / 64].reta[i % 64];
	return fake.takes_table ? 0 : -ENOTSUP;
}

int rte_eth_dev_rss_reta_query(uint16_t port_id, struct rte_eth_rss_reta_entry64 *groups, uint16_t n)
{
	(void)port_id;
	for (uint16_t i = 0; i < n; i++)
		if (groups[i / 64].mask >> i % 64 & 1)
			groups[i / 64].reta[i % 64] = fake.table[i];
	return fake.tells_table ? 0 : -ENOTSUP;
}

static struct rte_eth_dev_info a_device(uint8_t n_key, uint16_t n_table)
{
	struct rte_eth_dev_info info = {
		.flow_type_rss_offloads = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_L2_PAYLOAD,
		.hash_key_size = n_key,
		.reta_size = n_table,
	};

	memset(&fake, 0, sizeof(fake));
	for (uint32_t i = 0; i < sizeof(fake.key); i++)
		fake.key[i] = (uint8_t)(i * 37 + 11);
	fake.n_key = n_key ? n_key : 40;
	fake.takes_update = fake.tells_key = fake.takes_table = fake.tells_table = true;
	return info;
}

/* As its driver does when it is configured. */
static void configure(const struct rte_eth_dev_info *info)
{
	struct rte_eth_conf conf = {0};
	uint8_t key[LIVE_RSS_MAX_KEY];

	live_rss_ask(info, &conf, key);
	memcpy(fake.key, conf.rx_adv_conf.rss_conf.rss_key, fake.n_key);
	fake.types = conf.rx_adv_conf.rss_conf.rss_hf;
}

static void only_types_that_are_offered_are_asked_for(void **state)
{
	struct rte_eth_dev_info info = a_device(40, 128);
	struct rte_eth_conf conf = {0};
	uint8_t key[LIVE_RSS_MAX_KEY];

	(void)state;
	live_rss_ask(&info, &conf, key);
	assert_int_equal(conf.rxmode.mq_mode, RTE_ETH_MQ_RX_RSS);
	assert_int_equal(conf.rx_adv_conf.rss_conf.rss_hf, RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP);
	assert_int_equal(conf.rx_adv_conf.rss_conf.rss_key_len, 40);
}

static void devices_that_hash_nothing_of_use_are_not_asked(void **state)
{
	struct rte_eth_dev_info info = a_device(40, 128);

	(void)state;
	assert_true(live_rss_is_offered(&info));
	info.flow_type_rss_offloads = RTE_ETH_RSS_L2_PAYLOAD;
	assert_false(live_rss_is_offered(&info));
	info = a_device(40, 0);
	assert_false(live_rss_is_offered(&info));
	info = a_device(40, LIVE_RSS_MAX_TABLE + 1);
	assert_false(live_rss_is_offered(&info));
	info = a_device(16, 128);
	assert_false(live_rss_is_offered(&info));
	info = a_device(0, 128); /* it does not say */
	assert_true(live_rss_is_offered(&info));
}

static void a_device_that_does_as_it_is_told_passes(void **state)
{
	static const uint8_t keys[] = {0, 40, 52, 64};
	static const uint16_t tables[] = {64, 100, 128, 512, 2048};

	(void)state;
	for (uint32_t i = 0; i < sizeof(keys); i++)
		for (uint32_t j = 0; j < sizeof(tables) / sizeof(tables[0]); j++) {
			struct rte_eth_dev_info info = a_device(keys[i], tables[j]);
			struct live_rss_table table = {0};

			/* Newer DPDK hands such a device no key. */
			if (RTE_VERSION >= RTE_VERSION_NUM(23, 11, 0, 0) && !keys[i])
				continue;
			configure(&info);
			assert_null(live_rss_check(0, &info, 3, &table));
			assert_int_equal(table.n, tables[j]);
			for (uint32_t k = 0; k < table.n; k++)
				assert_int_equal(table.queues[k], k % 3);
			assert_int_equal(fake.n_updates, 0);
		}
}

static void a_device_that_takes_its_key_late_is_given_it_again(void **state)
{
	struct rte_eth_dev_info info = a_device(40, 128);
	struct live_rss_table table = {0};

	(void)state;
	fake.types = RTE_ETH_RSS_IPV4;
	assert_null(live_rss_check(0, &info, 2, &table));
	assert_int_equal(fake.n_updates, 1);
}

static void a_device_that_keeps_its_own_key_is_found_out(void **state)
{
	struct rte_eth_dev_info info = a_device(40, 128);
	struct live_rss_table table = {0};

	(void)state;
	fake.types = RTE_ETH_RSS_IPV4;
	fake.takes_update = false;
	assert_string_equal(live_rss_check(0, &info, 2, &table), "its hash key is not the one asked for");
	/* One other bit of those that IPv6 is hashed with is enough: all but the very last, the lowest of its byte. */
	for (uint32_t bit = 0; bit < 8 * 40; bit++) {
		if (bit == 8 * 39)
			continue;
		configure(&info);
		assert_null(live_rss_check(0, &info, 2, &table));
		fake.key[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_non_null(live_rss_check(0, &info, 2, &table));
	}
}

static void a_device_that_does_not_tell_is_not_believed(void **state)
{
	struct rte_eth_dev_info info = a_device(40, 128);
	struct live_rss_table table = {0};

	(void)state;
	configure(&info);
	fake.tells_key = false;
	assert_string_equal(live_rss_check(0, &info, 2, &table), "it does not tell its hash key");
	fake.tells_key = true;
	fake.tells_table = false;
	assert_string_equal(live_rss_check(0, &info, 2, &table),
			    "it does not tell its table from hashes to queues");
	fake.tells_table = true;
	fake.takes_update = false;
	fake.types = RTE_ETH_RSS_L2_PAYLOAD;
	assert_string_equal(live_rss_check(0, &info, 2, &table), "it does not hash addresses");
}

static void a_table_of_the_driver_s_own_is_looked_at(void **state)
{
	struct rte_eth_dev_info info = a_device(40, 128);
	struct live_rss_table table = {0};

	(void)state;
	configure(&info);
	fake.takes_table = false; /* all to queue 0: the others would have nothing */
	assert_non_null(live_rss_check(0, &info, 2, &table));
	for (uint32_t i = 0; i < 128; i++)
		fake.table[i] = i / 64;
	assert_null(live_rss_check(0, &info, 2, &table));
	fake.table[5] = 2;
	assert_non_null(live_rss_check(0, &info, 2, &table));
}

static void tables_of_a_pair_are_the_same_where_they_lead_to_the_same_queues(void **state)
{
	struct live_rss_table left = {.n = 128}, right = {.n = 512}, odd = {.n = 100}, none = {0};

	(void)state;
	for (uint32_t i = 0; i < 512; i++) {
		left.queues[i] = i % 4;
		right.queues[i] = i % 4;
		odd.queues[i] = i % 3;
	}
	assert_true(live_rss_is_same(&left, &left));
	assert_true(live_rss_is_same(&left, &right));
	assert_false(live_rss_is_same(&left, &odd));
	assert_false(live_rss_is_same(&left, &none));
	right.queues[511] = 0;
	assert_false(live_rss_is_same(&left, &right));
	assert_false(live_rss_is_same(&right, &left));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_types_that_are_offered_are_asked_for),
		cmocka_unit_test(devices_that_hash_nothing_of_use_are_not_asked),
		cmocka_unit_test(a_device_that_does_as_it_is_told_passes),
		cmocka_unit_test(a_device_that_takes_its_key_late_is_given_it_again),
		cmocka_unit_test(a_device_that_keeps_its_own_key_is_found_out),
		cmocka_unit_test(a_device_that_does_not_tell_is_not_believed),
		cmocka_unit_test(a_table_of_the_driver_s_own_is_looked_at),
		cmocka_unit_test(tables_of_a_pair_are_the_same_where_they_lead_to_the_same_queues),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
