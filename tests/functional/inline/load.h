/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Traffic for a pair of ports that something stands between: numbered packets of many flows into both ends at once,
 * and a look at what comes out of the other. Used by load_memif.c and load_ring.c, which differ in the ports.
 */
#ifndef WIRESCORE_TESTS_LOAD_H
#define WIRESCORE_TESTS_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mempool.h>

struct load_options {
	uint64_t n_packets;  /* of each direction, at most */
	double seconds;	     /* of sending, at most; what is under way then has some more */
	const char *until;   /* sending ends, too, once there is a file of this name; NULL: does not matter */
	double rate;	     /* packets a second of each direction, as long as the port takes them; 0: no bound */
	uint32_t window;     /* packets of light flows that are under way, at most; 0: no bound */
	uint32_t n_flows;    /* of each direction, in turn */
	uint32_t heavy;	     /* each so many flows one is heavy, from the first on; 0: none */
	uint32_t size_bytes; /* payload of each packet, at least LOAD_MIN_BYTES; 0: all sizes, see load.c */
};

#define LOAD_MIN_BYTES	 24
#define LOAD_MAX_BYTES	 1400
#define LOAD_DESCRIPTORS 1024

/*
 * Reads "--NAME VALUE" pairs, named as the members above: n_packets is --packets, n_flows --flows and size_bytes
 * --size. 0, or -1 after a line to stderr.
 */
int load_options_read(struct load_options *options, int argc, char **argv);

/* Configures and starts a port with one queue each way. 0, or -1 after a line to stderr. */
int load_port_start(uint16_t port, struct rte_mempool *pool);

struct rte_mempool *load_pool_create(void);

/*
 * Sends and receives until all is sent and nothing comes any more, then prints one line of JSON to
 * stdout: for each direction what was sent, what the port did not take, what came, and what was wrong with it. The
 * calling thread does all of it. 0, or -1 after a line to stderr.
 */
int load_run(const struct load_options *options, const uint16_t ports[2], struct rte_mempool *pool);

#endif
