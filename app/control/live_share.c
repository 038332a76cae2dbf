/* SPDX-License-Identifier: BSD-3-Clause */
#include "live_share.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_errno.h>
#include <rte_lcore.h>

#include "command.h"
#include "live_places.h"

_Static_assert(CONFIG_MAX_CORES <= LIVE_SPREAD_MAX_WORKERS, "a port may be shared out to all workers");

/* Places of a ring: as many as a queue has descriptors, and room for bursts where those are few. */
static uint32_t ring_places(uint32_t n_descriptors, uint32_t burst)
{
	return RTE_MAX(n_descriptors, 4 * burst);
}

size_t live_share_bytes(const struct live_port_options *options, uint32_t n_workers)
{
	uint32_t n = ring_places(live_port_rx_descriptors(options), options->burst) +
		     ring_places(live_port_tx_descriptors(options), options->burst);

	/* Rounded up to a power of two. */
	return (size_t)n_workers * 2 * n * sizeof(struct live_handoff);
}

static struct live_plan_port plan_port(const struct live *live, uint32_t index)
{
	const struct config_port *config = &live->config->ports[index];
	const struct live_port *port = &live->ports[index];
	uint32_t n_queues = live_port_max_queues(port);

	/* Who receives from an inline port sends by it, too. */
	if (config->role == CONFIG_ROLE_INLINE)
		n_queues = RTE_MIN(n_queues, (uint32_t)RTE_MAX(port->info.max_tx_queues, 1));
	return (struct live_plan_port){
		.name = config->name,
		.rss = config->rss,
		.n_asked = config->n_queues,
		.n_queues = n_queues,
		.table_size = port->info.reta_size,
	};
}

/*
 * A worker as ports choose among them: how much it has to poll, where a device's queue is about twice the work of a
 * ring, for its packets are shared out.
 */
static struct live_place place_of(const struct live_worker *worker)
{
	struct live_place place = {.node = (int)rte_lcore_to_socket_id(worker->lcore), .load = worker->n_returns};

	for (uint32_t i = 0; i < worker->n_queues; i++)
		place.load += worker->queues[i].ring ? 1 : 2;
	return place;
}

/* Of n workers the one with the least to poll; on the port's NUMA node where there is one. */
static struct live_worker *choose_worker(struct live_worker *const *workers, uint32_t n,
					 const struct live_port *port)
{
	struct live_place places[CONFIG_MAX_CORES];

	for (uint32_t i = 0; i < n; i++)
		places[i] = place_of(workers[i]);
	return workers[live_place_choose(places, n, rte_eth_dev_socket_id(port->id))];
}

/* How many workers share a port's packets where nobody says. */
static uint32_t count_workers(const struct live *live, uint32_t port)
{
	struct live_place places[CONFIG_MAX_CORES];
	int nodes[CONFIG_MAX_PORTS];

	for (uint32_t i = 0; i < live->n_workers; i++)
		places[i] = place_of(&live->workers[i]);
	for (uint32_t i = 0; i < live->config->n_ports; i++)
		nodes[i] = rte_eth_dev_socket_id(live->ports[i].id);
	return live_place_count(places, live->n_workers, nodes, live->config->n_ports, port);
}

/* Tells where a worker that polls a port is on another NUMA node. */
static void warn_far(const struct live_worker *worker, const struct live_port *port)
{
	int node = rte_eth_dev_socket_id(port->id);
	struct live_place place = place_of(worker);

	if (!live_place_is_near(&place, node))
		complain("[port %s] is on NUMA node %d and worker %u on node %d: slower; name cores of node %d",
			 port->options.name, node, worker->index, place.node, node);
}

/* A ring that carries packets of a port between two workers: to, and from. NULL after complaining. */
static struct rte_ring *make_ring(const struct live *live, const char *what, uint32_t port,
				  const struct live_worker *to, const struct live_worker *from,
				  uint32_t n_descriptors)
{
	char name[RTE_RING_NAMESIZE];
	struct rte_ring *ring;

	snprintf(name, sizeof(name), "%s%u_%u_%u", what, port, from->index, to->index);
	ring = rte_ring_create_elem(
		name, sizeof(struct live_handoff), ring_places(n_descriptors, live->ports[port].options.burst),
		(int)rte_lcore_to_socket_id(to->lcore), RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
	if (!ring)
		complain("[port %s] a ring between its workers: %s; [eal] memory-mb gives more",
			 live->ports[port].options.name, rte_strerror(rte_errno));
	return ring;
}

/* Lets a worker send to a port: by a queue, or through the port's owner where it has one. 0, or -1 after complaining. */
static int add_output(struct live *live, struct live_worker *worker, uint32_t port)
{
	struct live_share *share = &live->shares[port];
	struct live_output *output = &worker->outputs[port];
	struct live_worker *owner = share->owner;

	if (output->is_open)
		return 0;
	*output = (struct live_output){
		.port_id = live->ports[port].id,
		.is_open = true,
		.takes_chains = live_port_takes_chains(&live->ports[port]),
	};
	if (!owner || owner == worker) {
		output->queue = share->n_tx++;
		return 0;
	}
	output->ring =
		make_ring(live, "back", port, owner, worker, live_port_tx_descriptors(&live->ports[port].options));
	if (!output->ring)
		return -1;
	owner->returns[owner->n_returns++] = (struct live_return){
		.ring = output->ring,
		.port = (uint8_t)port,
		.is_mirror = live->config->ports[port].role == CONFIG_ROLE_MIRROR,
	};
	return 0;
}

static struct live_queue *add_queue(struct live *live, struct live_worker *worker, uint32_t port)
{
	const struct live_port *its = &live->ports[port];
	bool is_inline = live->config->ports[port].role == CONFIG_ROLE_INLINE;
	struct live_queue *queue = &worker->queues[worker->n_queues++];

	*queue = (struct live_queue){
		.port_id = its->id,
		.can_wait = its->info.driver_name && !strcmp(its->info.driver_name, "net_pcap"),
		.port = (uint8_t)port,
		.peer = is_inline ? (uint8_t)live->config->ports[port].peer : LIVE_NO_PORT,
	};
	worker->n_sharing = RTE_MAX(worker->n_sharing, live->shares[port].plan.n_workers);
	return queue;
}

/* Gives the queues of a port, and of its peer where it has one, to workers: the same of both to the same worker. */
static void share_by_hash(struct live *live, struct live_worker *const *all, uint32_t port, uint32_t peer)
{
	for (uint32_t q = 0; q < live->shares[port].plan.n_workers; q++) {
		struct live_worker *worker = choose_worker(all, live->n_workers, &live->ports[port]);

		add_queue(live, worker, port)->queue = live->shares[port].n_rx++;
		if (peer == port)
			continue;
		add_queue(live, worker, peer)->queue = live->shares[peer].n_rx++;
		/* No owner: neither makes a ring. */
		add_output(live, worker, port);
		add_output(live, worker, peer);
	}
}

/* What one worker needs to share a port's packets out to members. 0, or -1 after complaining. */
static int add_spread(struct live *live, struct live_worker *const *members, uint32_t port, const uint64_t seed[2])
{
	struct live_share *share = &live->shares[port];
	struct live_spread *spread = calloc(1, sizeof(*spread));
	struct live_queue *queue = add_queue(live, share->owner, port);

	queue->spread = spread;
	share->n_rx = 1;
	if (spread)
		spread->flows = flow_spread_create(live->config->flow.scope, seed);
	if (!spread || !spread->flows) {
		complain("out of memory");
		return -1;
	}
	spread->depth = live->config->flow.depth;
	spread->n_workers = share->plan.n_workers;
	for (uint32_t i = 0; i < spread->n_workers; i++) {
		if (members[i] == share->owner) {
			spread->own = i;
			continue;
		}
		spread->rings[i] = make_ring(live, "port", port, members[i], share->owner,
					     live_port_rx_descriptors(&live->ports[port].options));
		if (!spread->rings[i])
			return -1;
		add_queue(live, members[i], port)->ring = spread->rings[i];
	}
	return 0;
}

/* Has one worker receive from a port, and one from its peer, and share out to the same members. */
static int share_by_software(struct live *live, struct live_worker *const *all, uint32_t port, uint32_t peer,
			     const uint64_t seed[2])
{
	struct live_worker *left[CONFIG_MAX_CORES], *members[CONFIG_MAX_CORES];
	uint32_t n = live->shares[port].plan.n_workers, n_left = live->n_workers;

	memcpy(left, all, n_left * sizeof(left[0]));
	for (uint32_t i = 0; i < n; i++) {
		members[i] = choose_worker(left, n_left, &live->ports[port]);
		for (uint32_t j = 0; j < n_left; j++)
			if (left[j] == members[i])
				left[j] = left[--n_left];
	}
	for (uint32_t i = port;; i = peer) {
		live->shares[i].owner = choose_worker(members, n, &live->ports[i]);
		if (add_spread(live, members, i, seed))
			return -1;
		if (i == peer)
			break;
	}
	for (uint32_t i = 0; port != peer && i < n; i++)
		if (add_output(live, members[i], port) || add_output(live, members[i], peer))
			return -1;
	return 0;
}

/* Lets every worker that has queues send to a mirror port. 0, or -1 after complaining. */
static int share_mirror(struct live *live, struct live_worker *const *all, uint32_t port)
{
	struct live_worker *users[CONFIG_MAX_CORES];
	uint32_t n_users = 0;

	for (uint32_t w = 0; w < live->n_workers; w++)
		if (all[w]->n_queues)
			users[n_users++] = all[w];
	if (n_users > live->ports[port].info.max_tx_queues)
		live->shares[port].owner = choose_worker(users, n_users, &live->ports[port]);
	for (uint32_t i = 0; i < n_users; i++)
		if (add_output(live, users[i], port))
			return -1;
	return 0;
}

static int share_port(struct live *live, struct live_worker *const *all, uint32_t port, const uint64_t seed[2])
{
	const struct config_port *config = &live->config->ports[port];
	bool is_inline = config->role == CONFIG_ROLE_INLINE;
	uint32_t peer = is_inline ? (uint32_t)config->peer : port;
	struct live_plan_port plan = plan_port(live, port), plan_peer = plan_port(live, peer);
	char error[LIVE_ERROR_BYTES];
	uint32_t n_workers;

	if (peer < port)
		return 0;
	n_workers = RTE_MIN(count_workers(live, port), count_workers(live, peer));
	if (config->n_queues || live->config->ports[peer].n_queues)
		n_workers = live->n_workers;
	if (live_plan_make(&plan, is_inline ? &plan_peer : NULL, n_workers, &live->shares[port].plan, error,
			   sizeof(error))) {
		complain("%s", error);
		return -1;
	}
	live->shares[peer].plan = live->shares[port].plan;
	if (live->shares[port].plan.is_software)
		return share_by_software(live, all, port, peer, seed);
	share_by_hash(live, all, port, peer);
	return 0;
}

/* Tells where there are more workers than share in anything, or more than run at a time. */
static void tell_worker_numbers(const struct live *live)
{
	long n_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	bool is_software = false;
	uint32_t n_idle = 0;

	for (uint32_t i = 0; i < live->n_workers; i++)
		n_idle += !live->workers[i].n_queues;
	if (n_idle)
		complain("%u of %u workers have nothing to do: fewer queues are asked for; set [eal] workers",
			 n_idle, live->n_workers);
	for (uint32_t i = 0; i < live->config->n_ports; i++)
		is_software |= live->shares[i].plan.is_software;
	if (is_software && n_cpus > 0 && live->n_workers > n_cpus && !live->config->eal.sleeps_idle)
		complain(
			"%u workers wait for each other on %ld CPUs: set [eal] workers to fewer, or idle-sleep to yes",
			live->n_workers, n_cpus);
}

void live_share_warn(const struct live *live)
{
	for (uint32_t w = 0; w < live->n_workers; w++)
		for (uint32_t i = 0; i < live->workers[w].n_queues; i++)
			if (!live->workers[w].queues[i].ring)
				warn_far(&live->workers[w], &live->ports[live->workers[w].queues[i].port]);
	for (uint32_t i = 0; i < live->config->n_ports; i++)
		if (live->config->ports[i].role != CONFIG_ROLE_MIRROR &&
		    live->config->ports[i].n_queues > live->n_workers)
			complain("[port %s] queues: %u, for there are not more workers",
				 live->config->ports[i].name, live->n_workers);
	tell_worker_numbers(live);
}

int live_share(struct live *live, const uint64_t seed[2])
{
	const struct config *config = live->config;
	struct live_worker *all[CONFIG_MAX_CORES];
	int rc = 0;

	for (uint32_t w = 0; w < live->n_workers; w++)
		all[w] = &live->workers[w];
	for (uint32_t i = 0; !rc && i < config->n_ports; i++) {
		if (config->ports[i].role != CONFIG_ROLE_MIRROR)
			rc = share_port(live, all, i, seed);
	}
	for (uint32_t i = 0; !rc && i < config->n_ports; i++)
		if (config->ports[i].role == CONFIG_ROLE_MIRROR)
			rc = share_mirror(live, all, i);
	return rc;
}

const char *live_share_name(const struct live *live, uint32_t port)
{
	const struct live_plan *plan = &live->shares[port].plan;

	return plan->is_software ? "software" : plan->n_workers > 1 ? "hash" : "none";
}

void live_share_text(const struct live *live, uint32_t port, char *text, size_t text_size)
{
	const struct live_share *share = &live->shares[port];

	text[0] = '\0';
	if (share->plan.is_software)
		snprintf(text, text_size, ", spread in software by worker %u over %u workers", share->owner->index,
			 share->plan.n_workers);
	else if (share->plan.n_workers > 1)
		snprintf(text, text_size, ", spread by a symmetric hash over %u workers", share->plan.n_workers);
	else if (share->owner)
		snprintf(text, text_size, ", sent to by worker %u for all", share->owner->index);
}

/* Frees what a worker shares packets by. */
static void free_shares(struct live_worker *worker)
{
	for (uint32_t i = 0; worker->queues && i < worker->n_queues; i++) {
		struct live_spread *spread = worker->queues[i].spread;

		rte_ring_free(worker->queues[i].ring);
		if (spread)
			flow_spread_free(spread->flows);
		free(spread);
	}
	for (uint32_t i = 0; worker->returns && i < worker->n_returns; i++)
		rte_ring_free(worker->returns[i].ring);
}

void live_share_reset(struct live *live)
{
	memset(live->shares, 0, sizeof(live->shares));
	for (uint32_t i = 0; i < live->n_workers; i++) {
		struct live_worker *worker = &live->workers[i];

		free_shares(worker);
		worker->n_queues = worker->n_returns = 0;
		worker->n_sharing = 1;
		memset(worker->outputs, 0, sizeof(worker->outputs));
	}
}

void live_share_free(struct live_worker *worker)
{
	free_shares(worker);
	free(worker->queues);
	free(worker->returns);
}
