/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The CPU's counter of time, which stages are timed by: the same as DPDK's rte_rdtsc, for the libraries that know no
 * DPDK.
 */
#ifndef WIRESCORE_STATS_CYCLES_H
#define WIRESCORE_STATS_CYCLES_H

#include <stdint.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#elif !defined(__aarch64__)
#include <time.h>
#endif

static inline uint64_t stats_cycles(void)
{
#if defined(__x86_64__)
	return __rdtsc();
#elif defined(__aarch64__)
	uint64_t ticks;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
	return ticks;
#else
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
#endif
}

#endif
