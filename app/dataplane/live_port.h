/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port of any driver of DPDK, from its device to its started queues. Opened and watched by the control core; its
 * queues are polled and filled by workers.
 */
#ifndef WIRESCORE_DATAPLANE_LIVE_PORT_H
#define WIRESCORE_DATAPLANE_LIVE_PORT_H

#include <net/if.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_ethdev.h>
#include <rte_mempool.h>

#include "live_rss.h"

/* What a port is to be opened with; 0 stands for what fits. Texts are borrowed. */
struct live_port_options {
	const char *name;   /* for people */
	const char *device; /* a PCI address, or a virtual device with its arguments */
	bool is_virtual;
	const char *interface; /* of the kernel, for af_packet, in place of device; NULL: none */
	uint32_t mtu;
	uint32_t n_rx_descriptors, n_tx_descriptors;
	uint32_t n_mbufs;
	uint32_t burst; /* the largest that a worker polls or sends */
	bool is_promiscuous;
	uint32_t n_senders; /* workers that may send to it, at most */
	bool is_whole;	    /* where its packets go to they must be in one buffer each */
};

struct live_port {
	struct live_port_options options;
	uint16_t id;
	char device[64];
	char interface[IF_NAMESIZE]; /* of the kernel, "" where there is none to watch */
	unsigned int interface_index;
	struct rte_eth_dev_info info;
	uint32_t mtu, buffer_bytes;
	bool tells_mtu;	   /* of an interface of the kernel, where others may change it */
	bool is_scattered; /* long packets are chains of buffers */
	uint16_t n_rx, n_tx, n_rx_descriptors, n_tx_descriptors;
	const char *no_spread; /* why it cannot have several queues, once that has been found out; NULL: it may */
	struct live_rss_table table;
	struct rte_mempool *pool;
	bool is_open, is_started;
	/* Both read by DPDK's threads of telemetry, too. */
	atomic_bool is_waiting; /* for its peer, stopped: no worker looks at it */
	atomic_bool is_link_up;
	uint64_t waiting_ns;  /* since when the link has been down, or was tried again */
	uint64_t patience_ns; /* until it is tried again */
	uint32_t n_link_changes_seen;
	atomic_bool is_removed;	    /* set by DPDK's thread of interrupts, as is the next */
	atomic_uint n_link_changes; /* where the driver tells of them */
	uint16_t told_status;	    /* of the link, that thread's own */
};

/* What a port is started with. */
struct live_port_start {
	uint32_t index;	     /* names its pool */
	uint16_t n_rx, n_tx; /* queues to receive from and to send by; of more than one the hash is symmetric */
	uint32_t
		n_sharing; /* workers that its packets are shared out to, by queues or by rings of as many places */
	uint32_t n_leaving; /* of its packets that may wait to be sent, all over */
	uint32_t n_lcores;  /* that take from the pool or give back to it */
};

/* Descriptors of a queue, as asked for. */
uint32_t live_port_rx_descriptors(const struct live_port_options *options);
uint32_t live_port_tx_descriptors(const struct live_port_options *options);
/*
 * How many packets a worker polls at a time that has n_queues of such buffers, so that a round of all its queues stays
 * in the cache.
 */
uint32_t live_port_burst(uint32_t n_queues, uint32_t buffer_bytes);

/* Memory that a port takes at most, in bytes, where it has n_queues; nothing is looked at. */
size_t live_port_bytes(const struct live_port_options *options, uint32_t n_queues);

/* The MTU that the kernel has for an interface; sets it first where mtu is not 0. A negative errno on failure. */
int live_port_interface_mtu(const char *interface, uint32_t mtu);

/* Finds or makes the device. 0, or a negative errno with one line in error. */
int live_port_open(struct live_port *port, const struct live_port_options *options, char *error, size_t error_size);

/* Whether it sends packets that are in several buffers. */
bool live_port_takes_chains(const struct live_port *port);

/* How many queues it can receive with so that both directions of a flow come to the same one; 1 is always so. */
uint16_t live_port_max_queues(const struct live_port *port);

/*
 * Makes the pool and starts the port. 0, or a negative errno with one line in error. Where there are several queues to
 * receive from and both directions of a flow do not come to the same one, no_spread says why: it is to be stopped and
 * started with one.
 */
int live_port_start(struct live_port *port, const struct live_port_start *start, char *error, size_t error_size);

/*
 * How many buffers queues and caches may keep of a port that has been started, of which n_leaving in queues that its
 * packets are sent by: with fewer it may come to receive nothing more.
 */
uint32_t live_port_least_mbufs(const struct live_port *port, uint32_t n_sharing, uint32_t n_leaving,
			       uint32_t n_lcores);

void live_port_stop(struct live_port *port);

/* Whether its driver has to be started anew to find a peer that went away (a client of net_memif). */
bool live_port_must_reconnect(const struct live_port *port);

/* Does so; no worker may have it. 0, or a negative errno where there is no peer yet. */
int live_port_reconnect(struct live_port *port);

/* Whether the device has disappeared since it was opened. */
bool live_port_is_gone(struct live_port *port);

/*
 * Looks whether the link is up; whether that has changed, or it was the other way in between: then n_changes is 2 or
 * more.
 */
bool live_port_look_link(struct live_port *port, uint32_t *n_changes);

/* Looks for a new MTU of a kernel interface; whether packets of it are cut for want of room. */
bool live_port_look_mtu(struct live_port *port);

/* Keeps packets out of core dumps. 0 or a negative errno. */
int live_port_hide_packets(const struct live_port *port);

/* Its pool stays: packets of it may wait in other ports' queues. */
void live_port_close(struct live_port *port);

/* Once all ports are closed; returns how many buffers have not come back. */
uint32_t live_port_free_pool(struct live_port *port);

#endif
