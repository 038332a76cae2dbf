/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A second process with the far ends of two memif ports: load_memif SOCKET SOCKET [--OPTION VALUE]..., see load.h.
 * Started by test_memif.py and tests/perf/memif_ratio.py once the near ends, who are the servers, are there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_ethdev.h>

#include "dataplane/eal.h"
#include "load.h"

#define LINK_POLL_US 10000
#define LINK_POLLS   1000
#define GRACE_US     100000
#define MEMORY_BYTES (96u << 20)

/* Waits until somebody is at the other end, or nobody any more, but not for ever. 0, or -1. */
static int wait_for_link(uint16_t port, uint16_t status)
{
	for (int i = 0; i < LINK_POLLS; i++) {
		struct rte_eth_link link = {0};

		if (!rte_eth_link_get_nowait(port, &link) && link.link_status == status)
			return 0;
		usleep(LINK_POLL_US);
	}
	return -1;
}

static int start(char **sockets, uint16_t ports[2], struct rte_mempool **pool)
{
	char devices[2][256], error[256];
	char *words[] = {devices[0], devices[1]};
	struct dataplane_eal_options eal = {.memory_bytes = MEMORY_BYTES, .extra = words, .n_extra = 2};

	for (int i = 0; i < 2; i++)
		snprintf(devices[i], sizeof(devices[i]),
			 "--vdev=net_memif%d,role=client,id=0,socket=%s,socket-abstract=no", i, sockets[i]);
	if (dataplane_eal_init(&eal, error, sizeof(error))) {
		fprintf(stderr, "%s\n", error);
		return -1;
	}
	*pool = load_pool_create();
	for (int i = 0; *pool && i < 2; i++) {
		char name[16];

		snprintf(name, sizeof(name), "net_memif%d", i);
		if (rte_eth_dev_get_port_by_name(name, &ports[i]) || load_port_start(ports[i], *pool))
			return -1;
	}
	if (!*pool)
		return -1;
	if (wait_for_link(ports[0], RTE_ETH_LINK_UP) || wait_for_link(ports[1], RTE_ETH_LINK_UP)) {
		fprintf(stderr, "nobody answers at the sockets\n");
		return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct load_options options;
	struct rte_mempool *pool;
	uint16_t ports[2];

	if (argc < 3) {
		fprintf(stderr, "usage: load_memif SOCKET SOCKET [--OPTION VALUE]...\n");
		return EXIT_FAILURE;
	}
	if (load_options_read(&options, argc - 3, argv + 3) || start(argv + 1, ports, &pool) ||
	    load_run(&options, ports, pool))
		return EXIT_FAILURE;
	/*
	 * The servers leave first, and nothing is closed here while DPDK's thread of interrupts hears of it: the driver
	 * gives back what is shared when either end goes, and asks neither who polls nor who else gives it back
	 * (memif_disconnect, as of DPDK 22.11).
	 */
	wait_for_link(ports[0], RTE_ETH_LINK_DOWN);
	wait_for_link(ports[1], RTE_ETH_LINK_DOWN);
	usleep(GRACE_US);
	return EXIT_SUCCESS;
}
