/* SPDX-License-Identifier: BSD-3-Clause */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PROGRESS_INTERVAL_NS 100000000u
#define PROGRESS_CELLS	     30

static uint64_t progress_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void progress_begin(struct progress *progress, int wanted, const char *what, const char *unit)
{
	progress->what = what;
	progress->unit = unit;
	progress->is_shown = wanted && isatty(STDERR_FILENO);
	progress->start_ns = progress->last_ns = progress->is_shown ? progress_now_ns() : 0;
}

void progress_update(struct progress *progress, uint64_t n_done, uint64_t n_total)
{
	char bar[PROGRESS_CELLS + 1];
	uint64_t now;
	double rate;
	int filled;

	if (!progress->is_shown)
		return;
	now = progress_now_ns();
	if (now - progress->last_ns < PROGRESS_INTERVAL_NS)
		return;
	progress->last_ns = now;
	rate = (double)n_done * 1e9 / (double)(now - progress->start_ns);
	filled = n_total ? (int)(n_done * PROGRESS_CELLS / n_total) : PROGRESS_CELLS;
	memset(bar, ' ', PROGRESS_CELLS);
	memset(bar, '#', filled > PROGRESS_CELLS ? PROGRESS_CELLS : filled);
	bar[PROGRESS_CELLS] = '\0';
	fprintf(stderr, "\r%-11s [%s] %3.0f %%  %.2f M%s  %.2f M/s  %.0f s left \x1b[K", progress->what, bar,
		n_total ? 100.0 * (double)n_done / (double)n_total : 100.0, (double)n_done / 1e6, progress->unit,
		rate / 1e6, rate > 0 ? (double)(n_total - n_done) / rate : 0.0);
	fflush(stderr);
}

void progress_end(struct progress *progress)
{
	if (progress->is_shown)
		fputs("\r\x1b[K", stderr);
}
