/* SPDX-License-Identifier: BSD-3-Clause */
/* A device that does not tell its hash key: LD_PRELOADed by test_devices.py in front of DPDK. */
#include <errno.h>

#include <rte_ethdev.h>

int rte_eth_dev_rss_hash_conf_get(uint16_t port_id, struct rte_eth_rss_conf *conf)
{
	(void)port_id;
	(void)conf;
	return -ENOTSUP;
}
