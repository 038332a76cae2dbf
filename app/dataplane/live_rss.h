/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a device spreads flows over its queues: by a hash of addresses and ports, and a table from hashes to queues. What
 * it is asked for, and whether it does so with both directions of a flow alike. Called by live_port.c, on the control
 * core, before workers run.
 */
#ifndef WIRESCORE_DATAPLANE_LIVE_RSS_H
#define WIRESCORE_DATAPLANE_LIVE_RSS_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ethdev.h>

#define LIVE_RSS_MAX_KEY   64
#define LIVE_RSS_MAX_TABLE 2048

/* From hashes to queues, as the device has it. */
struct live_rss_table {
	uint16_t queues[LIVE_RSS_MAX_TABLE];
	uint16_t n; /* 0: none */
};

/* Whether the device says that it can spread flows; it is found out only when it has started. */
bool live_rss_is_offered(const struct rte_eth_dev_info *info);

/* Asks for a hash that is the same for both directions. key, [LIVE_RSS_MAX_KEY], must live as long as conf. */
void live_rss_ask(const struct rte_eth_dev_info *info, struct rte_eth_conf *conf, uint8_t *key);

/*
 * Sets the table of a device that has been started with n_queues, reads it and the key back, and checks by them that
 * both directions of a sample of flows, IPv4 and IPv6, come to the same queue. NULL where they do, else why not.
 */
const char *live_rss_check(uint16_t port_id, const struct rte_eth_dev_info *info, uint16_t n_queues,
			   struct live_rss_table *table);

/* Whether two devices that have been checked bring the same flow to queues of the same number. */
bool live_rss_is_same(const struct live_rss_table *left, const struct live_rss_table *right);

#endif
