/* SPDX-License-Identifier: BSD-3-Clause */
#include "live_port.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ether.h>
#include <rte_lcore.h>

#include "eal.h"

/* Descriptors of a queue: as many as device and memory want, between these. */
#define LIVE_PORT_DESCRIPTORS	  1024
#define LIVE_PORT_MIN_DESCRIPTORS 128
/* What all queues of a port may wait with: more would only be late. */
#define LIVE_PORT_WAITING_BYTES (32u << 20)
/* What a worker takes in with a round of its queues: half of a small second-level cache. */
#define LIVE_PORT_ROUND_BYTES	   (128u << 10)
#define LIVE_PORT_MIN_BURST	   8u
#define LIVE_PORT_MAX_BURST	   64u
#define LIVE_PORT_POOL_CACHE	   256
#define LIVE_PORT_BUFFER_BYTES	   2048
#define LIVE_PORT_MAX_BUFFER_BYTES 32768
#define LIVE_PORT_DEFAULT_MTU	   1500
/* Ethernet header and two VLAN tags; the checksum is the NIC's, but some drivers deliver it. */
#define LIVE_PORT_LINK_BYTES (RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN + RTE_ETHER_CRC_LEN)

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

/* As many as the user says, or as fit what may wait. */
static uint32_t live_port_n_descriptors(uint32_t n_asked, uint32_t n_queues, uint32_t frame_bytes)
{
	uint32_t n = LIVE_PORT_WAITING_BYTES / (n_queues * RTE_MAX(frame_bytes, (uint32_t)LIVE_PORT_BUFFER_BYTES));

	if (n_asked)
		return n_asked;
	n = rte_align32prevpow2(RTE_MAX(n, 1u));
	return RTE_MIN(RTE_MAX(n, (uint32_t)LIVE_PORT_MIN_DESCRIPTORS), (uint32_t)LIVE_PORT_DESCRIPTORS);
}

uint32_t live_port_burst(uint32_t n_queues, uint32_t buffer_bytes)
{
	uint32_t n = LIVE_PORT_ROUND_BYTES / (RTE_MAX(n_queues, 1u) * RTE_MAX(buffer_bytes, 1u));

	n = rte_align32prevpow2(RTE_MAX(n, 1u));
	return RTE_MIN(RTE_MAX(n, LIVE_PORT_MIN_BURST), LIVE_PORT_MAX_BURST);
}

size_t live_port_bytes(const struct live_port_options *options, uint32_t n_queues)
{
	uint32_t frame_bytes = live_port_frame_bytes(options->mtu);
	uint32_t n_rxd = live_port_n_descriptors(options->n_rx_descriptors, n_queues, frame_bytes);
	uint32_t n_txd = live_port_n_descriptors(options->n_tx_descriptors, n_queues, frame_bytes);
	uint32_t buffer_bytes = 2 * RTE_MAX(frame_bytes, (uint32_t)LIVE_PORT_BUFFER_BYTES);
	uint32_t n = live_port_n_mbufs(options, n_queues, n_rxd, n_queues * n_txd, 1, n_queues + 1);

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
		snprintf(error, error_size, "the interface %s %s: %s%s", options->interface,
			 options->mtu ? "does not take the mtu" : "does not open", strerror(-mtu),
			 mtu == -EINVAL ? "; 'ip -d link show' tells its largest" : "");
		return mtu;
	}
	port->mtu = (uint32_t)mtu;
	snprintf(port->interface, sizeof(port->interface), "%s", options->interface);
	frame_bytes = rte_align32pow2(live_port_frame_bytes(port->mtu) + AF_PACKET_HEAD_BYTES);
	frame_bytes = RTE_MAX(frame_bytes, (uint32_t)LIVE_PORT_BUFFER_BYTES);
	if (frame_bytes > LIVE_PORT_MAX_BUFFER_BYTES) {
		snprintf(error, error_size,
			 "the interface %s has an MTU of %d; packets of up to %d fit into a buffer: set mtu",
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

/* Removes the socket at path where nobody listens there any more, for a driver would not start over it. */
static void live_port_remove_stale(const char *path, size_t n)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat status;
	int fd;

	if (n >= sizeof(address.sun_path))
		return;
	memcpy(address.sun_path, path, n);
	if (lstat(address.sun_path, &status) || !S_ISSOCK(status.st_mode))
		return;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* What listens on another kind of socket says so. */
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) && errno == ECONNREFUSED)
		unlink(address.sun_path);
	close(fd);
}

/* What a run that crashed left behind: the sockets that drivers listen on. */
static void live_port_remove_sockets(const char *device)
{
	static const struct {
		const char *driver, *role, *argument;
	} listeners[] = {
		{"net_memif", "role=server", ",socket="},
		{"net_vhost", "", ",iface="},
		{"eth_vhost", "", ",iface="},
		{"net_virtio_user", "server=1", ",path="},
		{"virtio_user", "server=1", ",path="},
	};

	for (size_t i = 0; i < sizeof(listeners) / sizeof(listeners[0]); i++) {
		const char *path = strstr(device, listeners[i].argument);

		/* A client's socket is its peer's, who would take the question for a visitor. */
		if (!path || strstr(device, "client=1") ||
		    strncmp(device, listeners[i].driver, strlen(listeners[i].driver)) ||
		    !strstr(device, listeners[i].role))
			continue;
		path += strlen(listeners[i].argument);
		live_port_remove_stale(path, strcspn(path, ","));
	}
}

static int live_port_add_virtual(struct live_port *port)
{
	const char *device = port->options.device, *comma = strchrnul(device, ',');
	const char *frame = strstr(device, ",framesz=");

	/* The driver of af_packet wants buffers for all that its ring holds. */
	if (frame && strstr(device, "_af_packet"))
		port->buffer_bytes = (uint32_t)RTE_MIN(strtoul(frame + strlen(",framesz="), NULL, 10),
						       (unsigned long)LIVE_PORT_MAX_BUFFER_BYTES);
	live_port_remove_sockets(device);
	snprintf(port->device, sizeof(port->device), "%.*s", (int)(comma - device), device);
	/* One of [eal] vdevs, or that somebody else in this process has made. */
	if (!rte_eth_dev_get_port_by_name(port->device, &port->id))
		return 0;
	return rte_eal_hotplug_add("vdev", port->device, *comma ? comma + 1 : "");
}

/* Why a device does not open or start. */
static const char *live_port_reason(const struct live_port_options *options, int rc)
{
	/* Drivers say -1 for whatever it is. */
	if (rc == -EPERM && !geteuid())
		return "its driver refuses";
	if (rc == -EPERM || rc == -EACCES)
		return "no permission; root, CAP_NET_RAW or CAP_NET_ADMIN is needed";
	if (rc == -ENOMEM)
		return "out of memory, or of the port's buffers; [eal] memory-mb or the port's mbufs gives more";
	if (!options->interface && !options->is_virtual)
		return "DPDK has no driver for it, or cannot take it; dpdk-devbind.py --status-dev net tells which "
		       "driver of the kernel has it";
	/* EAL's way to say that no driver knows the name. */
	if (rc == -EFAULT || rc == -ENODEV)
		return "DPDK has no driver of that name, or none that takes these arguments";
	return strerror(-rc);
}

/* Finds the interface of the kernel that the device is, if it is one. */
static void live_port_find_interface(struct live_port *port)
{
	if (!port->interface[0] && port->info.if_index)
		if_indextoname(port->info.if_index, port->interface);
	if (port->interface[0])
		port->interface_index = if_nametoindex(port->interface);
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
			snprintf(error, error_size, "%s does not open: %s",
				 options->interface ? options->interface : options->device,
				 live_port_reason(options, rc));
		return rc;
	}
	port->is_open = true;
	live_port_find_interface(port);
	return 0;
}

bool live_port_takes_chains(const struct live_port *port)
{
	/* These do, and do not say so. */
	static const char *const drivers[] = {"net_null", "net_pcap"};

	if (port->info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS)
		return true;
	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		if (port->info.driver_name && !strcmp(port->info.driver_name, drivers[i]))
			return true;
	return false;
}

uint16_t live_port_max_queues(const struct live_port *port)
{
	if (port->no_spread || !live_rss_is_offered(&port->info))
		return 1;
	return RTE_MAX(port->info.max_rx_queues, (uint16_t)1);
}

/* The MTU of an interface of the kernel, set where that is asked for. 0, or a negative errno with one line in error. */
static int live_port_set_interface_mtu(struct live_port *port, char *error, size_t error_size)
{
	uint32_t mtu = port->options.mtu;
	int rc = 0;

	if (mtu && rte_eth_dev_set_mtu(port->id, (uint16_t)mtu))
		rc = live_port_interface_mtu(port->interface, mtu);
	if (rc >= 0)
		rc = live_port_interface_mtu(port->interface, 0);
	if (rc < 0) {
		snprintf(error, error_size, "%s cannot have an MTU of %u: %s; 'ip -d link show' tells its largest",
			 port->interface, mtu, strerror(-rc));
		return rc;
	}
	port->mtu = (uint32_t)rc;
	port->tells_mtu = true;
	return 0;
}

/* Whether the device has that MTU. 0, or a negative errno with one line in error. */
static int live_port_check_mtu(const struct live_port *port, char *error, size_t error_size)
{
	uint32_t mtu = port->options.mtu, max = port->info.max_mtu ? port->info.max_mtu : UINT16_MAX;

	if (port->info.max_rx_pktlen < max + RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN)
		max = port->info.max_rx_pktlen - RTE_ETHER_HDR_LEN - RTE_ETHER_CRC_LEN;
	if (mtu <= max && mtu >= port->info.min_mtu)
		return 0;
	snprintf(error, error_size, "has an MTU from %u to %u, and mtu is %u; set another, or auto",
		 port->info.min_mtu, max, mtu);
	return -EINVAL;
}

static int live_port_set_mtu(struct live_port *port, char *error, size_t error_size)
{
	uint16_t mtu;

	if (port->options.interface)
		return 0; /* was set before its ring was made */
	if (port->interface[0])
		return live_port_set_interface_mtu(port, error, error_size);
	if (port->options.mtu)
		return live_port_check_mtu(port, error, error_size);
	if (!rte_eth_dev_get_mtu(port->id, &mtu))
		port->mtu = mtu;
	return 0;
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
	port->is_scattered = !port->options.is_whole && port->info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER;
	if (!port->is_scattered)
		port->buffer_bytes =
			RTE_MIN(RTE_ALIGN_CEIL(frame_bytes, 1024u), (uint32_t)LIVE_PORT_MAX_BUFFER_BYTES);
}

/* Whether the longest packet fits: into a buffer, or several of them. 0, or a negative errno with one line in error. */
static int live_port_check_buffers(const struct live_port *port, char *error, size_t error_size)
{
	if (port->is_scattered || live_port_frame_bytes(port->mtu) <= port->buffer_bytes)
		return 0;
	snprintf(
		error, error_size,
		"%s has an MTU of %u, and does not spread a packet over several buffers, of which each holds %u bytes; "
		"set mtu to at most %u",
		port->device, port->mtu, LIVE_PORT_MAX_BUFFER_BYTES,
		(uint32_t)(LIVE_PORT_MAX_BUFFER_BYTES - LIVE_PORT_LINK_BYTES));
	return -EMSGSIZE;
}

static struct rte_eth_conf live_port_conf(const struct live_port *port, uint8_t *key)
{
	struct rte_eth_conf conf = {0};

	if (port->n_rx > 1)
		live_rss_ask(&port->info, &conf, key);
	/* Drivers of interfaces take what the kernel's MTU lets through, and may say otherwise. */
	if (!port->interface[0])
		conf.rxmode.mtu = port->options.mtu;
	if (port->is_scattered)
		conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_SCATTER;
	/* What it is to send may be in several buffers whatever its own MTU is. */
	conf.txmode.offloads |= port->info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
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

/* So does it; drivers also tell of what is no change of the link. */
static int live_port_link_changed(uint16_t id, enum rte_eth_event_type event, void *context, void *result)
{
	struct live_port *port = context;
	struct rte_eth_link link;

	(void)event;
	(void)result;
	if (rte_eth_link_get_nowait(id, &link) || link.link_status == port->told_status)
		return 0;
	port->told_status = link.link_status;
	atomic_fetch_add(&port->n_link_changes, 1);
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

/* The pool's caches keep half as much again as their size. */
uint32_t live_port_least_mbufs(const struct live_port *port, uint32_t n_sharing, uint32_t n_leaving,
			       uint32_t n_lcores)
{
	return n_sharing * (port->n_rx_descriptors + port->options.burst) + n_leaving +
	       n_lcores * (port->pool->cache_size + port->pool->cache_size / 2);
}

static int live_port_make_pool(struct live_port *port, const struct live_port_start *start)
{
	uint32_t n_segments = port->is_scattered ? 1 + live_port_frame_bytes(port->mtu) / port->buffer_bytes : 1;
	uint32_t n = live_port_n_mbufs(&port->options, start->n_sharing, port->n_rx_descriptors, start->n_leaving,
				       n_segments, start->n_lcores);
	char name[RTE_MEMPOOL_NAMESIZE];

	/* It has been started before, with more queues. */
	if (port->pool)
		return 0;
	snprintf(name, sizeof(name), "port%u", start->index);
	port->pool = rte_pktmbuf_pool_create(name, n, RTE_MIN((uint32_t)LIVE_PORT_POOL_CACHE, n / 8), 0,
					     (uint16_t)(RTE_PKTMBUF_HEADROOM + port->buffer_bytes),
					     rte_eth_dev_socket_id(port->id));
	return port->pool ? 0 : -rte_errno;
}

/* Fits descriptors and buffers, and has the driver take them. 0, or a negative errno with the step that failed. */
static int live_port_configure(struct live_port *port, const struct live_port_start *start, const char **step)
{
	const struct live_port_options *options = &port->options;
	uint32_t n_queues = RTE_MAX(port->n_rx, port->n_tx), frame_bytes = live_port_frame_bytes(port->mtu);
	static uint8_t key[LIVE_RSS_MAX_KEY]; /* drivers may look at it later */
	struct rte_eth_conf conf;
	int rc;

	port->n_rx_descriptors =
		(uint16_t)live_port_n_descriptors(options->n_rx_descriptors, n_queues, frame_bytes);
	port->n_tx_descriptors =
		(uint16_t)live_port_n_descriptors(options->n_tx_descriptors, n_queues, frame_bytes);
	conf = live_port_conf(port, key);
	*step = "be configured";
	rc = rte_eth_dev_configure(port->id, port->n_rx, port->n_tx, &conf);
	if (rc)
		return rc;
	rte_eth_dev_adjust_nb_rx_tx_desc(port->id, &port->n_rx_descriptors, &port->n_tx_descriptors);
	*step = "have buffers";
	rc = live_port_make_pool(port, start);
	if (rc)
		return rc;
	*step = "have its queues";
	rc = live_port_setup_queues(port);
	*step = rc ? *step : "start";
	return rc ? rc : rte_eth_dev_start(port->id);
}

int live_port_start(struct live_port *port, const struct live_port_start *start, char *error, size_t error_size)
{
	const char *step;
	int rc;

	if (start->n_tx > port->info.max_tx_queues || start->n_rx > port->info.max_rx_queues) {
		snprintf(error, error_size,
			 "%u workers send to %s and %u receive, and it has %u queues to send by and %u to receive "
			 "from; give [eal] fewer workers",
			 start->n_tx, port->device, start->n_rx, port->info.max_tx_queues,
			 port->info.max_rx_queues);
		return -EINVAL;
	}
	port->n_rx = start->n_rx;
	port->n_tx = start->n_tx;
	rc = live_port_set_mtu(port, error, error_size);
	if (rc)
		return rc;
	live_port_fit_buffers(port);
	rc = live_port_check_buffers(port, error, error_size);
	if (rc)
		return rc;
	rc = live_port_configure(port, start, &step);
	if (rc) {
		snprintf(error, error_size, "%s cannot %s: %s", port->device, step,
			 live_port_reason(&port->options, rc));
		return rc;
	}
	port->is_started = true;
	if (port->n_rx > 1)
		port->no_spread = live_rss_check(port->id, &port->info, port->n_rx, &port->table);
	if (port->options.is_promiscuous)
		rte_eth_promiscuous_enable(port->id); /* virtual devices without it take all there is */
	rte_eth_dev_callback_register(port->id, RTE_ETH_EVENT_INTR_RMV, live_port_removed, port);
	rte_eth_dev_callback_register(port->id, RTE_ETH_EVENT_INTR_LSC, live_port_link_changed, port);
	return 0;
}

void live_port_stop(struct live_port *port)
{
	if (port->is_started) {
		rte_eth_dev_callback_unregister(port->id, RTE_ETH_EVENT_INTR_RMV, live_port_removed, port);
		rte_eth_dev_callback_unregister(port->id, RTE_ETH_EVENT_INTR_LSC, live_port_link_changed, port);
		rte_eth_dev_stop(port->id);
	}
	port->is_started = false;
}

bool live_port_must_reconnect(const struct live_port *port)
{
	const char *device = port->options.is_virtual ? port->options.device : "";

	return !strncmp(device, "net_memif", strlen("net_memif")) && !strstr(device, "role=server") &&
	       !strstr(device, "role=master");
}

int live_port_reconnect(struct live_port *port)
{
	rte_eth_dev_stop(port->id);
	return rte_eth_dev_start(port->id);
}

bool live_port_is_gone(struct live_port *port)
{
	if (atomic_load(&port->is_removed))
		return true;
	/* By its number: it may be given another name. Who may open nothing more just does not know. */
	if (port->interface[0])
		return !if_indextoname(port->interface_index, port->interface) &&
		       (errno == ENXIO || errno == ENODEV);
	return rte_eth_dev_is_removed(port->id) == 1;
}

/*
 * Whether the kernel says that an interface carries packets; af_packet does not look. By its carrier, for the flag that
 * it is running may come a second later. Who may open nothing more knows no better than before.
 */
static bool interface_is_up(const char *interface, bool was_up)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ethtool_value link = {.cmd = ETHTOOL_GLINK};
	struct ifreq request = {0};
	bool is_up;

	if (fd < 0)
		return was_up;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	is_up = !ioctl(fd, SIOCGIFFLAGS, &request) && request.ifr_flags & IFF_UP;
	if (is_up) {
		bool is_running = request.ifr_flags & IFF_RUNNING;

		request.ifr_data = (char *)&link;
		is_up = ioctl(fd, SIOCETHTOOL, &request) ? is_running : link.data;
	}
	close(fd);
	return is_up;
}

bool live_port_look_link(struct live_port *port, uint32_t *n_changes)
{
	uint32_t n_told = atomic_load(&port->n_link_changes) - port->n_link_changes_seen;
	struct rte_eth_link link;
	bool was_up = port->is_link_up;

	if (port->interface[0])
		port->is_link_up = interface_is_up(port->interface, was_up);
	else
		/* Of a driver that cannot tell it is taken to be up. */
		port->is_link_up = rte_eth_link_get_nowait(port->id, &link) || link.link_status == RTE_ETH_LINK_UP;
	port->n_link_changes_seen += n_told;
	*n_changes = port->is_link_up != was_up ? RTE_MAX(n_told | 1, 1u) : n_told & ~1u;
	return *n_changes > 0;
}

bool live_port_look_mtu(struct live_port *port)
{
	int mtu = port->tells_mtu || port->options.interface ? live_port_interface_mtu(port->interface, 0) : 0;

	if (mtu <= 0 || (uint32_t)mtu == port->mtu)
		return false;
	port->mtu = (uint32_t)mtu;
	return live_port_frame_bytes(port->mtu) > port->buffer_bytes && !port->is_scattered;
}

/* Of a pool's memory, which may be in pages of any size; *context is an int: 0, or the first errno. */
static void live_port_hide_chunk(struct rte_mempool *pool, void *context, struct rte_mempool_memhdr *chunk,
				 unsigned int index)
{
	const struct rte_memseg_list *list = rte_mem_virt2memseg_list(chunk->addr);
	uintptr_t page = list ? list->page_sz : (uintptr_t)getpagesize();
	uintptr_t start = RTE_ALIGN_FLOOR((uintptr_t)chunk->addr, page);
	int *failure = context;

	(void)pool;
	(void)index;
	if (madvise((void *)start, RTE_ALIGN_CEIL((uintptr_t)chunk->addr + chunk->len, page) - start,
		    MADV_DONTDUMP) &&
	    !*failure)
		*failure = errno;
}

int live_port_hide_packets(const struct live_port *port)
{
	int failure = 0;

	if (port->pool)
		rte_mempool_mem_iter(port->pool, live_port_hide_chunk, &failure);
	return -failure;
}

void live_port_close(struct live_port *port)
{
	if (!port->is_open)
		return;
	live_port_stop(port);
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
