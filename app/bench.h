/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The subjects of `wirescore bench SUBJECT`, the clock they measure with and the order of what they measured.
 * Called by cmd_bench.c; clock and order also by tests/perf.
 */
#ifndef WIRESCORE_BENCH_H
#define WIRESCORE_BENCH_H

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#define BENCH_CLOCK "tsc"
#else
#define BENCH_CLOCK "CLOCK_MONOTONIC_RAW"
#endif

/* Each takes its own name in argv[0] and returns an exit code of command.h. */
int bench_capture(int argc, char **argv);
int bench_flows(int argc, char **argv);
int bench_kernels(int argc, char **argv);

static inline uint64_t bench_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Cycles: those of the TSC on x86, which does not follow the core's clock; nanoseconds elsewhere. */
static inline uint64_t bench_now_cycles(void)
{
#if defined(__x86_64__)
	uint64_t now;

	/* What came before is done, and what follows has not begun. */
	_mm_lfence();
	now = __rdtsc();
	_mm_lfence();
	return now;
#else
	return bench_now_ns();
#endif
}

/* Cycles of bench_now_cycles in a second, measured for 50 ms. */
static inline double bench_cycles_hz(void)
{
	uint64_t start_ns = bench_now_ns(), start_cycles = bench_now_cycles(), ns;

	do {
		ns = bench_now_ns() - start_ns;
	} while (ns < 50000000);
	return (double)(bench_now_cycles() - start_cycles) * 1e9 / (double)ns;
}

static inline int bench_compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

/* Sorts measurements, smallest first. */
static inline void bench_sort(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), bench_compare);
}

#endif
