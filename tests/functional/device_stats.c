/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Devices whose losses are known: 1 missed, 2 without a buffer, 3 errors, and as many of sending as they were asked.
 * Whoever asks but the first thread is complained of, for drivers are made for one at a time. LD_PRELOADed by
 * test_live_control.py in front of DPDK.
 */
#include <stdio.h>
#include <unistd.h>

#include <rte_ethdev.h>

int rte_eth_stats_get(uint16_t port_id, struct rte_eth_stats *stats)
{
	static uint64_t n_asked;

	(void)port_id;
	if (gettid() != getpid())
		fprintf(stderr, "device_stats: asked by another thread\n");
	*stats = (struct rte_eth_stats){.imissed = 1, .rx_nombuf = 2, .ierrors = 3};
	stats->oerrors = __atomic_add_fetch(&n_asked, 1, __ATOMIC_RELAXED);
	return 0;
}
