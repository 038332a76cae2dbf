/* SPDX-License-Identifier: BSD-3-Clause */
#include "grace.h"

#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <rte_interrupts.h>

static struct rte_rcu_qsbr *_Atomic grace_rcu;

void grace_set(struct rte_rcu_qsbr *rcu)
{
	atomic_store(&grace_rcu, rcu);
}

int munmap(void *address, size_t n_bytes)
{
	struct rte_rcu_qsbr *rcu = atomic_load_explicit(&grace_rcu, memory_order_relaxed);

	if (rcu && rte_thread_is_intr())
		rte_rcu_qsbr_synchronize(rcu, RTE_QSBR_THRID_INVALID);
	return (int)syscall(SYS_munmap, address, n_bytes);
}
