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

/* What a port is to be opened with; 0 stands for what fits. Texts are borrowed. */
struct live_port_options {
	const char *name;   /* for people */
	const char *device; /* a PCI address, or a virtual device with its arguments */
	bool is_virtual;
	const char *interface; /* of the kernel, for af_packet, in place of device; NULL: none */
	uint32_t mtu;
	uint32_t n_rx_descriptors, n_tx_descriptors;
	uint32_t n_mbufs;
	uint32_t burst;
	bool is_promiscuous;
	uint32_t n_senders; /* workers that may send to it, at most */
};

struct live_port {
	struct live_port_options options;
	uint16_t id;
	char device[64];
	char interface[IF_NAMESIZE]; /* of the kernel, "" where there is none to watch */
	unsigned int interface_index;
	struct rte_eth_dev_info info;
	uint32_t mtu, buffer_bytes;
	bool is_scattered; /* long packets are chains of buffers */
	uint16_t n_rx, n_tx, n_rx_descriptors, n_tx_descriptors;
	struct rte_mempool *pool;
	bool is_open, is_started;
	bool is_link_up;
	atomic_bool is_removed; /* set by DPDK's thread of interrupts */
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

/* Memory that a port takes at most, in bytes, where it has n_queues; nothing is looked at. */
size_t live_port_bytes(const struct live_port_options *options, uint32_t n_queues);

/* The MTU that the kernel has for an interface; sets it first where mtu is not 0. A negative errno on failure. */
int live_port_interface_mtu(const char *interface, uint32_t mtu);

/* Finds or makes the device. 0, or a negative errno with one line in error. */
int live_port_open(struct live_port *port, const struct live_port_options *options, char *error, size_t error_size);

/* How many queues it can receive with so that both directions of a flow come to the same one; 1 is always so. */
uint16_t live_port_max_queues(const struct live_port *port);

/* Makes the pool and starts the port. 0, or a negative errno with one line in error. */
int live_port_start(struct live_port *port, const struct live_port_start *start, char *error, size_t error_size);

/* Whether the device has disappeared since it was opened. */
bool live_port_is_gone(const struct live_port *port);

/* Looks whether the link is up; whether that has changed. */
bool live_port_look_link(struct live_port *port);

/* Keeps packets out of core dumps. */
void live_port_hide_packets(const struct live_port *port);

/* Its pool stays: packets of it may wait in other ports' queues. */
void live_port_close(struct live_port *port);

/* Once all ports are closed; returns how many buffers have not come back. */
uint32_t live_port_free_pool(struct live_port *port);

#endif
