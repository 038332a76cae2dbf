/* SPDX-License-Identifier: BSD-3-Clause */
#include "port.h"

#include <stdio.h>

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>

#define PORT_POOL_CACHE	       128
#define PORT_QUEUE_DESCRIPTORS 512

/* Buffers that lie in the caches of the lcores, where another one cannot take them. */
static uint32_t port_pool_slack(uint32_t n_lcores)
{
	return (n_lcores + 1) * 2 * PORT_POOL_CACHE;
}

static uint32_t port_pool_n_mbufs(uint32_t n_packets, uint32_t n_lcores, uint32_t max_captured_bytes)
{
	uint32_t n_segments = 1 + max_captured_bytes / PORT_SEGMENT_BYTES;

	return n_packets * n_segments + port_pool_slack(n_lcores);
}

size_t port_pool_bytes(uint32_t n_packets, uint32_t n_lcores, uint32_t max_captured_bytes)
{
	uint32_t element = sizeof(struct rte_mbuf) + RTE_PKTMBUF_HEADROOM + PORT_SEGMENT_BYTES;
	size_t caches = RTE_MAX_LCORE * sizeof(struct rte_mempool_cache);

	return port_pool_n_mbufs(n_packets, n_lcores, max_captured_bytes) *
		       (size_t)rte_mempool_calc_obj_size(element, 0, NULL) +
	       caches;
}

struct rte_mempool *port_pool_create(uint32_t index, uint32_t n_packets, uint32_t n_lcores,
				     uint32_t max_captured_bytes)
{
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof(name), "pool%u", index);
	return rte_pktmbuf_pool_create(name, port_pool_n_mbufs(n_packets, n_lcores, max_captured_bytes),
				       PORT_POOL_CACHE, 0, RTE_PKTMBUF_HEADROOM + PORT_SEGMENT_BYTES,
				       rte_socket_id());
}

/*
 * The pcap PMD writes microseconds into the timestamp field, unasked, up to DPDK 25.11; from 26.07 on it
 * offers the RX timestamp offload, as NICs do, and writes nanoseconds when it is asked for.
 */
static int port_configure(struct port *port, struct rte_mempool *pool)
{
	struct rte_eth_conf conf = {0};
	struct rte_eth_dev_info info;
	int rc = rte_eth_dev_info_get(port->id, &info);

	if (rc)
		return rc;
	conf.rxmode.offloads = info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_TIMESTAMP;
	port->timestamp_unit_ns = conf.rxmode.offloads ? 1 : 1000;
	port->timestamp_end = UINT64_MAX / port->timestamp_unit_ns;

	rc = rte_eth_dev_configure(port->id, 1, 0, &conf);
	if (!rc)
		rc = rte_eth_rx_queue_setup(port->id, 0, PORT_QUEUE_DESCRIPTORS, SOCKET_ID_ANY, NULL, pool);
	if (!rc)
		rc = rte_eth_dev_start(port->id);
	if (rc)
		return rc;

	int flag = rte_mbuf_dynflag_lookup(RTE_MBUF_DYNFLAG_RX_TIMESTAMP_NAME, NULL);

	port->timestamp_offset = rte_mbuf_dynfield_lookup(RTE_MBUF_DYNFIELD_TIMESTAMP_NAME, NULL);
	port->timestamp_flag = flag < 0 || port->timestamp_offset < 0 ? 0 : RTE_BIT64(flag);
	return 0;
}

int port_open_capture(struct port *port, uint32_t slot, int fd, struct rte_mempool *pool, char *error,
		      size_t error_size)
{
	char devargs[64];
	int rc;

	/* By descriptor: a comma in a path would end the PMD's argument, and this file is the one that was looked at. */
	snprintf(devargs, sizeof(devargs), "rx_pcap=/proc/self/fd/%d", fd);
	snprintf(port->device, sizeof(port->device), "net_pcap%u", slot);
	rc = rte_eal_hotplug_add("vdev", port->device, devargs);
	if (rc) {
		snprintf(error, error_size, "DPDK's net_pcap driver does not open it: %s", rte_strerror(-rc));
		return rc;
	}
	rc = rte_eth_dev_get_port_by_name(port->device, &port->id);
	if (!rc)
		rc = port_configure(port, pool);
	if (rc) {
		snprintf(error, error_size, "its net_pcap port does not start: %s", rte_strerror(-rc));
		rte_eal_hotplug_remove("vdev", port->device);
	}
	return rc;
}

void port_close(struct port *port)
{
	rte_eth_dev_stop(port->id);
	rte_eth_dev_close(port->id);
	rte_eal_hotplug_remove("vdev", port->device);
}
