/* SPDX-License-Identifier: BSD-3-Clause */
/* The clocks, in nanoseconds. Called by sinks and the pump before them. */
#ifndef WIRESCORE_CONTROL_SINK_CLOCK_H
#define WIRESCORE_CONTROL_SINK_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t sink_clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#endif
