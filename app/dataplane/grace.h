/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory that DPDK's thread of interrupts takes away waits for workers. When a peer of net_memif goes away, that thread
 * marks the port as not connected and at once unmaps rings that a worker may be reading (DPDK 22.11 and newer have no
 * lock there). The program's own munmap(2), which shared libraries of the process call in place of the C library's,
 * first waits until every worker has polled once more: then all of them have seen the mark.
 */
#ifndef WIRESCORE_DATAPLANE_GRACE_H
#define WIRESCORE_DATAPLANE_GRACE_H

#include <rte_rcu_qsbr.h>

/* From now on waits for the workers of rcu, which outlives them; NULL: for nobody. By the control core. */
void grace_set(struct rte_rcu_qsbr *rcu);

#endif
