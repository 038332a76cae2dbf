/* SPDX-License-Identifier: BSD-3-Clause */
#include "live_port.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ether.h>
#include <rte_lcore.h>
#include <rte_thash.h>

#define LIVE_PORT_DESCRIPTORS	   1024
#define LIVE_PORT_POOL_CACHE	   256
#define LIVE_PORT_BUFFER_BYTES	   2048
#define LIVE_PORT_MAX_BUFFER_BYTES 32768
#define LIVE_PORT_DEFAULT_MTU	   1500
/* Ethernet header and two VLAN tags; the checksum is the NIC's, but some drivers deliver it. */
#define LIVE_PORT_LINK_BYTES (RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN + RTE_ETHER_CRC_LEN)
#define LIVE_PORT_MAX_KEY    64

/* A frame of af_packet's ring has the kernel's header before the packet, of up to this. */
#define AF_PACKET_HEAD_BYTES 128
#define AF_PACKET_FRAMES     1024

static uint32_t live_port_frame_bytes(uint32_t mtu)
{
	return (mtu ? mtu : LIVE_PORT_DEFAULT_MTU) + LIVE_PORT_LINK_BYTES;
}

uint32_t live_port_rx_descriptors(const struct live_port_options *options)
{
	return options->n_rx_descriptors ? options->n_rx_descriptors : LIVE_PORT_DESCRIPTORS;
}

uint32_t live_port_tx_descriptors(const struct live_port_options *options)
{
	return options->n_tx_descriptors ? options->n_tx_descriptors : LIVE_PORT_DESCRIPTORS;
}

/*
 * Buffers for all queues and rings to be full at both ends, for bursts on their way, and for the caches of lcores: of
 * each worker that shares the packets n_waiting, n_leaving in all.
 */
static uint32_t live_port_n_mbufs(const struct live_port_options *options, uint32_t n_sharing, uint32_t n_waiting,
				  uint32_t n_leaving, uint32_t n_segments, uint32_t n_lcores)
{
	uint32_t n = (n_sharing * (n_waiting + 8 * options->burst) + n_leaving) * n_segments;

	n += (n_lcores + 1) * 2 * LIVE_PORT_POOL_CACHE;
	return options->n_mbufs ? options->n_mbufs : rte_align32pow2(n) - 1;
}

size_t live_port_bytes(const struct live_port_options *options, uint32_t n_queues)
{
	uint32_t buffer_bytes = 2 * RTE_MAX(live_port_frame_bytes(options->mtu), (uint32_t)LIVE_PORT_BUFFER_BYTES);
	uint32_t n = live_port_n_mbufs(options, n_queues, live_port_rx_descriptors(options),
				       n_queues * live_port_tx_descriptors(options), 1, n_queues + 1);

	return (size_t)n * (sizeof(struct rte_mbuf) + RTE_PKTMBUF_HEADROOM + buffer_bytes + 256);
}

int live_port_interface_mtu(const char *interface, uint32_t mtu)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;
	struct ifreq request = {0};

	if (fd < 0)
		return -errno;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	request.ifr_mtu = (int)mtu;
	rc = ioctl(fd, mtu ? SIOCSIFMTU : SIOCGIFMTU, &request) ? -errno : request.ifr_mtu;
	close(fd);
	return rc;
}

/* An interface of the kernel, through af_packet, whose frames hold the MTU. 0 or a negative errno. */
static int live_port_add_interface(struct live_port *port, char *error, size_t error_size)
{
	const struct live_port_options *options = &port->options;
	int mtu = live_port_interface_mtu(options->interface, options->mtu);
	uint32_t frame_bytes;
	char arguments[160];

	if (mtu < 0) {
		snprintf(error, error_size, "the interface %s: %s", options->interface, strerror(-mtu));
		return mtu;
	}
	port->mtu = (uint32_t)mtu;
	snprintf(port->interface, sizeof(port->interface), "%s", options->interface);
	frame_bytes = rte_align32pow2(live_port_frame_bytes(port->mtu) + AF_PACKET_HEAD_BYTES);
	frame_bytes = RTE_MAX(frame_bytes, (uint32_t)LIVE_PORT_BUFFER_BYTES);
	if (frame_bytes > LIVE_PORT_MAX_BUFFER_BYTES) {
		snprintf(error, error_size,
			 "the interface %s has an MTU of %d; packets of up to %d fit into a buffer",
			 options->interface, mtu,
			 LIVE_PORT_MAX_BUFFER_BYTES - AF_PACKET_HEAD_BYTES - LIVE_PORT_LINK_BYTES);
		return -EMSGSIZE;
	}
	snprintf(port->device, sizeof(port->device), "net_af_packet_%s", options->interface);
	snprintf(arguments, sizeof(arguments), "iface=%s,blocksz=%u,framesz=%u,framecnt=%u,qpairs=%u",
		 options->interface, RTE_MAX(frame_bytes, (uint32_t)getpagesize()), frame_bytes, AF_PACKET_FRAMES,
		 RTE_MAX(options->n_senders, 1u));
	port->buffer_bytes = frame_bytes;
	return rte_eal_hotplug_add("vdev", port->device, arguments);
}

static int live_port_add_virtual(struct live_port *port)
{
	const char *device = port->options.device, *comma = strchrnul(device, ',');

	snprintf(port->device, sizeof(port->device), "%.*s", (int)(comma - device), device);
	return rte_eal_hotplug_add("vdev", port->device, *comma ? comma + 1 : "");
}

int live_port_open(struct live_port *port, const struct live_port_options *options, char *error, size_t error_size)
{
	int rc = 0;

	*port = (struct live_port){.options = *options, .mtu = options->mtu};
	error[0] = '\0';
	if (options->interface)
		rc = live_port_add_interface(port, error, error_size);
	else if (options->is_virtual)
		rc = live_port_add_virtual(port);
	else
		snprintf(port->device, sizeof(port->device), "%s", options->device);
	if (!rc)
		rc = rte_eth_dev_get_port_by_name(port->device, &port->id);
	if (!rc)
		rc = rte_eth_dev_info_get(port->id, &port->info);
	if (rc) {
		if (!error[0])
			snprintf(error, error_size, "%s does not open: %s%s",
				 options->interface ? options->interface : options->device, strerror(-rc),
				 rc == -EPERM ? "; root or CAP_NET_RAW is needed" : "");
		return rc;
	}
	port->is_open = true;
	if (!port->interface[0] && port->info.if_index)
		if_indextoname(port->info.if_index, port->interface);
	if (port->interface[0])
		port->interface_index = if_nametoindex(port->interface);
	return 0;
}

/*
 * Toeplitz with a key that repeats itself every 16 bits gives both directions of a flow the same hash (Woo and Park,
 * "Scalable TCP Session Monitoring with Symmetric Receive-side Scaling", 2012).
 */
static void live_port_key(uint8_t *key, uint32_t n_bytes)
{
	for (uint32_t i = 0; i < n_bytes; i++)
		key[i] = i % 2 ? 0x5a : 0x6d;
}

/* Whether the key does so, for a sample of tuples. */
static bool live_port_key_is_symmetric(const uint8_t *key)
{
	for (uint32_t i = 1; i <= 64; i++) {
		uint32_t a = 0x0a000000 + i * 2654435761u, b = 0xc0a80000 ^ i * 40503u,
			 ports = i << 16 | (65535 - i * 7);
		uint32_t there[3] = {a, b, ports}, back[3] = {b, a, ports << 16 | ports >> 16};

		if (rte_softrss(there, 3, key) != rte_softrss(back, 3, key))
			return false;
	}
	return true;
}

/* What the hash is to be of: addresses at least; of what the port offers. */
static uint64_t live_port_hash_types(const struct live_port *port)
{
	return port->info.flow_type_rss_offloads &
	       (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_SCTP);
}

uint16_t live_port_max_queues(const struct live_port *port)
{
	uint8_t key[LIVE_PORT_MAX_KEY];

	live_port_key(key, sizeof(key));
	/* Without a table from hashes to queues it is not this hash that decides (net_tap). */
	if (!(live_port_hash_types(port) & RTE_ETH_RSS_IP) || !port->info.reta_size || !port->info.hash_key_size ||
	    port->info.hash_key_size > LIVE_PORT_MAX_KEY || !live_port_key_is_symmetric(key))
		return 1;
	return RTE_MAX(port->info.max_rx_queues, (uint16_t)1);
}

/* How large buffers are: as large as the longest packet, but where it may be a chain. */
static void live_port_fit_buffers(struct live_port *port)
{
	uint32_t frame_bytes = live_port_frame_bytes(port->mtu);

	if (port->buffer_bytes)
		return;
	port->buffer_bytes = LIVE_PORT_BUFFER_BYTES;
	if (frame_bytes <= LIVE_PORT_BUFFER_BYTES)
		return;
	port->is_scattered = port->info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER &&
			     port->info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	if (!port->is_scattered)
		port->buffer_bytes =
			RTE_MIN(RTE_ALIGN_CEIL(frame_bytes, 1024u), (uint32_t)LIVE_PORT_MAX_BUFFER_BYTES);
}

static struct rte_eth_conf live_port_conf(const struct live_port *port, uint8_t *key)
{
	uint32_t frame_bytes = live_port_frame_bytes(port->mtu);
	struct rte_eth_conf conf = {0};

	if (port->n_rx > 1) {
		live_port_key(key, LIVE_PORT_MAX_KEY);
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf = (struct rte_eth_rss_conf){
			.rss_key = key,
			.rss_key_len = port->info.hash_key_size,
			.rss_hf = live_port_hash_types(port),
		};
	}
	/* Drivers of interfaces take what the kernel's MTU lets through, and may say otherwise. */
	if (port->options.mtu && frame_bytes <= port->info.max_rx_pktlen)
		conf.rxmode.mtu = port->options.mtu;
	if (port->is_scattered) {
		conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_SCATTER;
		conf.txmode.offloads |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	}
	conf.intr_conf.lsc = !!(*port->info.dev_flags & RTE_ETH_DEV_INTR_LSC);
	conf.intr_conf.rmv = !!(*port->info.dev_flags & RTE_ETH_DEV_INTR_RMV);
	return conf;
}

/* DPDK's thread of interrupts calls it. */
static int live_port_removed(uint16_t id, enum rte_eth_event_type event, void *context, void *result)
{
	struct live_port *port = context;

	(void)id;
	(void)event;
	(void)result;
	atomic_store(&port->is_removed, true);
	return 0;
}

static int live_port_setup_queues(struct live_port *port)
{
	int socket = rte_eth_dev_socket_id(port->id), rc = 0;

	for (uint16_t q = 0; !rc && q < port->n_rx; q++)
		rc = rte_eth_rx_queue_setup(port->id, q, port->n_rx_descriptors, (unsigned int)socket, NULL,
					    port->pool);
	for (uint16_t q = 0; !rc && q < port->n_tx; q++)
		rc = rte_eth_tx_queue_setup(port->id, q, port->n_tx_descriptors, (unsigned int)socket, NULL);
	return rc;
}

static int live_port_make_pool(struct live_port *port, const struct live_port_start *start)
{
	uint32_t n_segments = port->is_scattered ? 1 + live_port_frame_bytes(port->mtu) / port->buffer_bytes : 1;
	uint32_t n = live_port_n_mbufs(&port->options, start->n_sharing, port->n_rx_descriptors, start->n_leaving,
				       n_segments, start->n_lcores);
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof(name), "port%u", start->index);
	port->pool = rte_pktmbuf_pool_create(name, n, RTE_MIN((uint32_t)LIVE_PORT_POOL_CACHE, n / 8), 0,
					     (uint16_t)(RTE_PKTMBUF_HEADROOM + port->buffer_bytes),
					     rte_eth_dev_socket_id(port->id));
	return port->pool ? 0 : -rte_errno;
}

int live_port_start(struct live_port *port, const struct live_port_start *start, char *error, size_t error_size)
{
	uint8_t key[LIVE_PORT_MAX_KEY];
	struct rte_eth_conf conf;
	const char *step = "be configured";
	int rc;

	if (start->n_tx > port->info.max_tx_queues || start->n_rx > port->info.max_rx_queues) {
		snprintf(error, error_size,
			 "%u workers send to it and %u receive, and it has %u queues to send by and %u to receive "
			 "from; give [eal] fewer workers",
			 start->n_tx, start->n_rx, port->info.max_tx_queues, port->info.max_rx_queues);
		return -EINVAL;
	}
	port->n_rx = start->n_rx;
	port->n_tx = start->n_tx;
	port->n_rx_descriptors = (uint16_t)live_port_rx_descriptors(&port->options);
	port->n_tx_descriptors = (uint16_t)live_port_tx_descriptors(&port->options);
	live_port_fit_buffers(port);
	conf = live_port_conf(port, key);
	rc = rte_eth_dev_configure(port->id, port->n_rx, port->n_tx, &conf);
	if (!rc)
		rte_eth_dev_adjust_nb_rx_tx_desc(port->id, &port->n_rx_descriptors, &port->n_tx_descriptors);
	if (!rc && (rc = live_port_make_pool(port, start)))
		step = "have buffers";
	if (!rc && (rc = live_port_setup_queues(port)))
		step = "have its queues";
	if (!rc && (rc = rte_eth_dev_start(port->id)))
		step = "start";
	if (rc) {
		snprintf(error, error_size, "cannot %s: %s", step, strerror(-rc));
		return rc;
	}
	port->is_started = true;
	if (port->options.is_promiscuous)
		rte_eth_promiscuous_enable(port->id); /* virtual devices without it take all there is */
	rte_eth_dev_callback_register(port->id, RTE_ETH_EVENT_INTR_RMV, live_port_removed, port);
	return 0;
}

bool live_port_is_gone(const struct live_port *port)
{
	if (atomic_load(&port->is_removed))
		return true;
	if (port->interface[0])
		return if_nametoindex(port->interface) != port->interface_index;
	return rte_eth_dev_is_removed(port->id) == 1;
}

/* Whether the kernel says that an interface carries packets; af_packet does not look. */
static bool interface_is_up(const char *interface)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {0};
	bool is_up;

	if (fd < 0)
		return true;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	is_up = !ioctl(fd, SIOCGIFFLAGS, &request) && request.ifr_flags & IFF_UP && request.ifr_flags & IFF_RUNNING;
	close(fd);
	return is_up;
}

bool live_port_look_link(struct live_port *port)
{
	struct rte_eth_link link;
	bool was_up = port->is_link_up;

	if (port->interface[0])
		port->is_link_up = interface_is_up(port->interface);
	else if (!rte_eth_link_get_nowait(port->id, &link))
		port->is_link_up = link.link_status == RTE_ETH_LINK_UP;
	return port->is_link_up != was_up;
}

static void live_port_hide_chunk(struct rte_mempool *pool, void *context, struct rte_mempool_memhdr *chunk,
				 unsigned int index)
{
	uintptr_t page = (uintptr_t)getpagesize(), start = RTE_ALIGN_FLOOR((uintptr_t)chunk->addr, page);

	(void)pool;
	(void)context;
	(void)index;
	madvise((void *)start, RTE_ALIGN_CEIL((uintptr_t)chunk->addr + chunk->len, page) - start, MADV_DONTDUMP);
}

void live_port_hide_packets(const struct live_port *port)
{
	if (port->pool)
		rte_mempool_mem_iter(port->pool, live_port_hide_chunk, NULL);
}

void live_port_close(struct live_port *port)
{
	if (!port->is_open)
		return;
	if (port->is_started) {
		rte_eth_dev_callback_unregister(port->id, RTE_ETH_EVENT_INTR_RMV, live_port_removed, port);
		rte_eth_dev_stop(port->id);
	}
	rte_eth_dev_close(port->id);
	if (port->options.is_virtual || port->options.interface)
		rte_eal_hotplug_remove("vdev", port->device);
	port->is_open = false;
}

uint32_t live_port_free_pool(struct live_port *port)
{
	uint32_t n = port->pool ? rte_mempool_in_use_count(port->pool) : 0;

	rte_mempool_free(port->pool);
	port->pool = NULL;
	return n;
}
