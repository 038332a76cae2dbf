/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `wirescore run` between two net_ring ports, and the traffic through them in the same process, for rings reach no
 * further: load_ring CONFIG [--OPTION VALUE]... The config's ports are net_ring_near0 and net_ring_near1;
 * what one of them sends can be received by net_ring_far0 or net_ring_far1, and the other way round. Started by
 * test_ring.py; ends the run when all traffic has passed. It needs no rights, no hugepages and no namespaces.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eth_ring.h>
#include <rte_lcore.h>
#include <rte_ring.h>

#include "command.h"
#include "dataplane/eal.h"
#include "load.h"

#define N_WORKERS     1
#define MEMORY_BYTES  (192u << 20)
#define START_POLL_US 1000

struct ring_load {
	struct load_options options;
	uint16_t ports[2]; /* the far ends */
	struct rte_mempool *pool;
	pthread_t main_thread;
	atomic_bool has_ended; /* the run, which may not even have begun */
};

/* Sends once the run's worker does, and ends the run. */
static void *ring_load_run(void *argument)
{
	struct ring_load *load = argument;

	while (rte_eal_get_lcore_state(dataplane_eal_worker(0)) != RUNNING) {
		if (atomic_load(&load->has_ended))
			return NULL;
		usleep(START_POLL_US);
	}
	load_run(&load->options, load->ports, load->pool);
	pthread_kill(load->main_thread, SIGTERM);
	return NULL;
}

/* Two rings, one of each direction, with a port at both ends. 0, or -1 after a line to stderr. */
static int make_link(int index, uint16_t *far)
{
	struct rte_ring *there, *back;
	char name[32];
	int near, id;

	snprintf(name, sizeof(name), "there%d", index);
	there = rte_ring_create(name, LOAD_DESCRIPTORS, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	snprintf(name, sizeof(name), "back%d", index);
	back = rte_ring_create(name, LOAD_DESCRIPTORS, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (!there || !back) {
		fprintf(stderr, "no memory for rings\n");
		return -1;
	}
	snprintf(name, sizeof(name), "near%d", index);
	near = rte_eth_from_rings(name, &there, 1, &back, 1, rte_socket_id());
	snprintf(name, sizeof(name), "far%d", index);
	id = rte_eth_from_rings(name, &back, 1, &there, 1, rte_socket_id());
	if (near < 0 || id < 0) {
		fprintf(stderr, "there are no ports of rings\n");
		return -1;
	}
	*far = (uint16_t)id;
	return 0;
}

static int start(struct ring_load *load)
{
	struct dataplane_eal_options eal = {.n_workers = N_WORKERS, .memory_bytes = MEMORY_BYTES};
	char error[256];

	if (dataplane_eal_init(&eal, error, sizeof(error))) {
		fprintf(stderr, "%s\n", error);
		return -1;
	}
	load->pool = load_pool_create();
	load->main_thread = pthread_self();
	for (int i = 0; i < 2; i++)
		if (!load->pool || make_link(i, &load->ports[i]) || load_port_start(load->ports[i], load->pool))
			return -1;
	return 0;
}

int main(int argc, char **argv)
{
	static struct ring_load load;
	sigset_t signals;
	pthread_t thread;
	char run[] = "run", json[] = "--json";
	char *arguments[] = {run, json, argc > 1 ? argv[1] : NULL, NULL};
	int rc;

	if (argc < 2) {
		fprintf(stderr, "usage: load_ring CONFIG [--OPTION VALUE]...\n");
		return EXIT_FAILURE;
	}
	if (load_options_read(&load.options, argc - 2, argv + 2) || start(&load))
		return EXIT_FAILURE;
	/* They are the run's. */
	sigfillset(&signals);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	rc = pthread_create(&thread, NULL, ring_load_run, &load);
	pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
	if (rc) {
		fprintf(stderr, "there is no thread for the traffic: %s\n", strerror(rc));
		return EXIT_FAILURE;
	}
	rc = cmd_run(3, arguments);
	atomic_store(&load.has_ended, true);
	pthread_join(thread, NULL);
	return rc;
}
