/* SPDX-License-Identifier: BSD-3-Clause */
#include "live_ports.h"

#include <signal.h>

#include "command.h"
#include "dataplane/eal.h"
#include "live_share.h"

#define LIVE_SAID_BYTES 256

struct live_port_options live_ports_options(const struct live *live, uint32_t index)
{
	const struct config_port *port = &live->config->ports[index];
	bool is_interface = port->device.kind == CONFIG_DEVICE_INTERFACE;

	return (struct live_port_options){
		.name = port->name,
		.device = port->device.text,
		.is_virtual = port->device.kind == CONFIG_DEVICE_VDEV,
		.interface = is_interface ? port->device.text : NULL,
		.mtu = port->mtu,
		.n_rx_descriptors = port->n_rx_descriptors,
		.n_tx_descriptors = port->n_tx_descriptors,
		.n_mbufs = port->n_mbufs,
		.burst = live->config->eal.burst ? live->config->eal.burst : CLASSIFY_MAX_BURST,
		.is_promiscuous = port->is_promiscuous,
		/*
		 * The kernel shares packets out among all sockets of af_packet, put together again where they were
		 * fragments: a port that is looked at has one.
		 */
		.n_senders = port->role == CONFIG_ROLE_MIRROR ? live->n_workers : 1,
	};
}

/* What does not go well with a port, with what its driver had to say. */
static void complain_of_port(const struct live *live, uint32_t index, const char *error, const char *said)
{
	complain("[port %s] %s%s%s%s", live->config->ports[index].name, error, said[0] ? " (" : "", said,
		 said[0] ? ")" : "");
}

static int open_ports(struct live *live)
{
	const struct config *config = live->config;
	char error[LIVE_ERROR_BYTES], said[LIVE_SAID_BYTES];
	int rc = 0;

	for (uint32_t i = 0; !rc && i < config->n_ports; i++) {
		struct live_port_options options = live_ports_options(live, i);

		dataplane_eal_listen();
		rc = live_port_open(&live->ports[i], &options, error, sizeof(error));
		dataplane_eal_listen_end(said, sizeof(said));
		if (rc)
			complain_of_port(live, i, error, said);
	}
	return rc;
}

/* A driver may wait for its peer for ever (net_virtio_user with server=1): until ports are open signals end it all. */
int live_ports_open(struct live *live)
{
	struct sigaction untold = {.sa_handler = SIG_DFL}, interrupt, terminate;
	int rc;

	sigaction(SIGINT, &untold, &interrupt);
	sigaction(SIGTERM, &untold, &terminate);
	rc = open_ports(live);
	sigaction(SIGINT, &interrupt, NULL);
	sigaction(SIGTERM, &terminate, NULL);
	return rc;
}

static const char *driver_of(const struct live_port *port)
{
	return port->info.driver_name ? port->info.driver_name : "?";
}

/* Buffers that may wait to be sent, in the queues and rings of a port's peer and of the mirrors. */
static uint32_t count_leaving(const struct live *live, uint32_t port)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < live->config->n_ports; i++) {
		bool is_mirror = live->config->ports[i].role == CONFIG_ROLE_MIRROR;

		if (is_mirror || live->config->ports[port].peer == (int32_t)i)
			n += (live->ports[i].is_started ? live->ports[i].n_tx_descriptors
							: live_port_tx_descriptors(&live->ports[i].options)) *
			     (is_mirror ? live->n_workers : live->shares[i].plan.n_workers);
	}
	return n;
}

/* Whether some port that packets of this one go to cannot send what is in several buffers. */
static bool must_be_whole(const struct live *live, uint32_t index)
{
	for (uint32_t i = 0; i < live->config->n_ports; i++) {
		bool is_target = (int32_t)i == live->config->ports[index].peer ||
				 live->config->ports[i].role == CONFIG_ROLE_MIRROR;

		if (is_target && !live_port_takes_chains(&live->ports[i]))
			return true;
	}
	return false;
}

/* Packets that a worker polls at a time, where it is not told: by its queues and their buffers. */
static void fit_bursts(struct live *live)
{
	for (uint32_t i = 0; i < live->n_workers && !live->config->eal.burst; i++) {
		struct live_worker *worker = &live->workers[i];
		uint32_t buffer_bytes = 0;

		for (uint32_t q = 0; q < worker->n_queues; q++)
			buffer_bytes = RTE_MAX(buffer_bytes, live->ports[worker->queues[q].port].buffer_bytes);
		worker->burst = live_port_burst(worker->n_queues, buffer_bytes);
	}
}

static int start_port(struct live *live, uint32_t index)
{
	const struct live_share *share = &live->shares[index];
	struct live_port *port = &live->ports[index];
	struct live_port_start start = {
		.index = index,
		.n_rx = RTE_MAX(share->n_rx, (uint16_t)1),
		.n_tx = RTE_MAX(share->n_tx, (uint16_t)1),
		.n_sharing = RTE_MAX(share->plan.n_workers, 1u),
		.n_leaving = count_leaving(live, index),
		.n_lcores = live->n_workers + 1,
	};
	char error[LIVE_ERROR_BYTES], said[LIVE_SAID_BYTES];
	int rc;

	if (port->is_started)
		return 0;
	port->options.is_whole = must_be_whole(live, index);
	dataplane_eal_listen();
	rc = live_port_start(port, &start, error, sizeof(error));
	dataplane_eal_listen_end(said, sizeof(said));
	if (rc)
		complain_of_port(live, index, error, said);
	return rc;
}

/* Drivers let go of what was sent when they need its descriptors again. 0, or -1 after complaining. */
static int check_mbufs(const struct live *live, uint32_t index)
{
	const struct live_port *port = &live->ports[index];
	uint32_t n_least = live_port_least_mbufs(port, RTE_MAX(live->shares[index].plan.n_workers, 1u),
						 count_leaving(live, index), live->n_workers);

	if (port->pool->size >= n_least)
		return 0;
	complain(
		"[port %s] mbufs: is %u, and queues, also of ports that its packets are sent to, may keep %u: then "
		"nothing more is received; write at least %u, or auto",
		port->options.name, port->pool->size, n_least, n_least);
	return -1;
}

/* Whether a port that has been started does not do with several queues what it said; it is told of then. */
static bool is_spread_wrong(struct live *live, uint32_t index)
{
	struct live_port *port = &live->ports[index];
	int32_t peer = live->config->ports[index].peer;

	if (!port->no_spread && peer != CONFIG_NO_PORT && live->ports[peer].is_started &&
	    !live_rss_is_same(&port->table, &live->ports[peer].table))
		port->no_spread = "its table from hashes to queues is not that of its pair's other port";
	if (port->no_spread)
		complain(
			"[port %s] has one queue: it cannot be told to bring both directions of a flow to the same "
			"one: %s",
			port->options.name, port->no_spread);
	return port->no_spread;
}

/* Starts the ports that are to have several queues, and looks whether they can. 1: they cannot, share out again. */
static int start_spread(struct live *live)
{
	int is_wrong = 0;

	for (uint32_t i = 0; i < live->config->n_ports; i++) {
		if (live->shares[i].n_rx <= 1)
			continue;
		if (start_port(live, i))
			return -1;
		if (is_spread_wrong(live, i))
			is_wrong = 1;
	}
	for (uint32_t i = 0; is_wrong && i < live->config->n_ports; i++)
		live_port_stop(&live->ports[i]);
	return is_wrong;
}

static void tell_port(const struct live *live, uint32_t index)
{
	const struct live_port *port = &live->ports[index];
	char text[80];

	live_share_text(live, index, text, sizeof(text));
	complain("port %s: %s (%s), %u+%u queues of %u+%u descriptors, %u buffers of %u bytes, MTU %u%s%s",
		 port->options.name, port->device, driver_of(port), port->n_rx, port->n_tx, port->n_rx_descriptors,
		 port->n_tx_descriptors, port->pool->size, port->buffer_bytes,
		 port->mtu ? port->mtu : (uint32_t)RTE_ETHER_MTU,
		 port->is_scattered ? ", longer packets in several" : "", text);
}

int live_ports_start(struct live *live, const uint64_t seed[2])
{
	int rc;

	/* Each time around at least one port more has one queue. */
	do {
		live_share_reset(live);
		if (live_share(live, seed))
			return -1;
		rc = start_spread(live);
	} while (rc > 0);
	if (rc)
		return -1;
	live_share_warn(live);
	for (uint32_t i = 0; i < live->config->n_ports; i++) {
		if (start_port(live, i))
			return -1;
		tell_port(live, i);
	}
	for (uint32_t i = 0; i < live->config->n_ports; i++)
		if (check_mbufs(live, i))
			return -1;
	fit_bursts(live);
	return 0;
}
