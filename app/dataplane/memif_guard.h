/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What DPDK's net_memif asks of the C library, made safe against peers that leave, stand still or knock and run. The
 * driver's thread of interrupts, and the control core that starts a port, call these functions of the program's own in
 * place of the library's, for shared libraries find those first:
 *
 * munmap(2): when a peer goes away that thread marks the port as not connected and at once unmaps rings that a worker
 * may be reading, without a lock (DPDK 22.11 and newer). It waits here until every worker has polled once more: then all
 * of them have seen the mark.
 *
 * connect(2): to a server that stands still it would wait for ever once the server's backlog is full. DPDK's telemetry
 * is helped, too, which knocks at the sockets of other programs when it starts.
 *
 * sendmsg(2): of a peer that has hung up before it was greeted the driver closes the socket and still has it looked at,
 * which ends the process. It is told that the greeting went out, and finds the end of the connection by itself.
 */
#ifndef WIRESCORE_DATAPLANE_MEMIF_GUARD_H
#define WIRESCORE_DATAPLANE_MEMIF_GUARD_H

#include <rte_rcu_qsbr.h>

/* From now on guards, for the workers of rcu, which outlives them; NULL: no more. By the control core. */
void memif_guard_set(struct rte_rcu_qsbr *rcu);

#endif
