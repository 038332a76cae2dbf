/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A library for LD_PRELOAD: makes a thread with a filter of system calls of its own, which no filter of the whole
 * process can be laid over. Loaded by test_live_control.py.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *wait_for_ever(void *ready)
{
	struct sock_filter pass = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	const struct sock_fprog filter = {.len = 1, .filter = &pass};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter);
	pthread_barrier_wait(ready);
	for (;;)
		pause();
	return NULL;
}

static void __attribute__((constructor)) make_thread(void)
{
	static pthread_barrier_t ready;
	pthread_t thread;

	pthread_barrier_init(&ready, NULL, 2);
	if (!pthread_create(&thread, NULL, wait_for_ever, &ready))
		pthread_barrier_wait(&ready);
}
