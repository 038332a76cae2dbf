/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port and its receive queue. Opened and closed by the control core; polled by the one worker that it is
 * handed to.
 */
#ifndef WIRESCORE_DATAPLANE_PORT_H
#define WIRESCORE_DATAPLANE_PORT_H

#include <stddef.h>
#include <stdint.h>

#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>
#include <rte_mempool.h>

#include "frame.h"

struct port {
	uint16_t id;
	char device[32];
	/* How to read a packet's time; timestamp_flag is 0 where the driver gives none. */
	int timestamp_offset;
	uint64_t timestamp_flag;
	uint64_t timestamp_unit_ns;
	uint64_t timestamp_end; /* the first that would not fit into ns */
};

/* Bytes of a frame that one buffer holds; longer frames are chains. */
#define PORT_SEGMENT_BYTES 2048

/*
 * Makes a pool for n_packets of the longest kind at a time, and no more, so that buffers stay in the cache; n_lcores
 * allocate from it and free to it. index names it. NULL with rte_errno set when memory is out.
 */
struct rte_mempool *port_pool_create(uint32_t index, uint32_t n_packets, uint32_t n_lcores,
				     uint32_t max_captured_bytes);

/* What such a pool takes, in bytes. */
size_t port_pool_bytes(uint32_t n_packets, uint32_t n_lcores, uint32_t max_captured_bytes);

/*
 * Opens a capture, an open descriptor of a regular file, as a port of the pcap PMD with one queue and starts it.
 * slot names the device: no two open ports share one. The descriptor stays the caller's. 0, or a negative errno
 * with one line in error, which does not name the file.
 */
int port_open_capture(struct port *port, uint32_t slot, int fd, struct rte_mempool *pool, char *error,
		      size_t error_size);
void port_close(struct port *port);

/* A packet's time in ns since the Unix epoch, or FRAME_NO_TIME where it has none that fits. */
static inline uint64_t port_timestamp_ns(const struct port *port, const struct rte_mbuf *mbuf)
{
	rte_mbuf_timestamp_t time;

	if (!(mbuf->ol_flags & port->timestamp_flag))
		return FRAME_NO_TIME;
	time = *RTE_MBUF_DYNFIELD(mbuf, port->timestamp_offset, const rte_mbuf_timestamp_t *);
	return time < port->timestamp_end ? time * port->timestamp_unit_ns : FRAME_NO_TIME;
}

#endif
