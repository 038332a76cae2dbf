/* SPDX-License-Identifier: BSD-3-Clause */
#include "memif_guard.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <rte_interrupts.h>

#define GUARD_CONNECT_US 100000

static struct rte_rcu_qsbr *_Atomic guard_rcu;

void memif_guard_set(struct rte_rcu_qsbr *rcu)
{
	atomic_store(&guard_rcu, rcu);
}

int munmap(void *address, size_t n_bytes)
{
	struct rte_rcu_qsbr *rcu = atomic_load_explicit(&guard_rcu, memory_order_relaxed);

	if (rcu && rte_thread_is_intr())
		rte_rcu_qsbr_synchronize(rcu, RTE_QSBR_THRID_INVALID);
	return (int)syscall(SYS_munmap, address, n_bytes);
}

int connect(int fd, const struct sockaddr *address, socklen_t n_bytes)
{
	const struct timeval patience = {.tv_usec = GUARD_CONNECT_US};

	/* Where it has no room the kernel waits as long as it would for a send. */
	if (address->sa_family == AF_UNIX)
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	return (int)syscall(SYS_connect, fd, address, n_bytes);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	ssize_t n = syscall(SYS_sendmsg, fd, message, flags | MSG_NOSIGNAL);

	if (n >= 0 || !atomic_load_explicit(&guard_rcu, memory_order_relaxed) || !rte_thread_is_intr() ||
	    (errno != EPIPE && errno != ECONNRESET))
		return n;
	n = 0;
	for (size_t i = 0; i < message->msg_iovlen; i++)
		n += (ssize_t)message->msg_iov[i].iov_len;
	return n;
}
