/* SPDX-License-Identifier: BSD-3-Clause */
#include "train_progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BAR_CELLS 30u

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void bar_draw(const struct train_progress *progress, uint32_t n_done)
{
	char bar[BAR_CELLS + 1];
	uint32_t n_filled = (uint32_t)((uint64_t)n_done * BAR_CELLS / progress->n_epochs);

	memset(bar, ' ', BAR_CELLS);
	memset(bar, '#', n_filled);
	bar[BAR_CELLS] = '\0';
	fprintf(stderr, "\rtraining [%s] %" PRIu32 "/%" PRIu32, bar, n_done, progress->n_epochs);
}

void train_progress_begin(struct train_progress *progress, uint32_t n_epochs, bool has_validation)
{
	*progress = (struct train_progress){
		.n_epochs = n_epochs,
		.is_bar = isatty(STDERR_FILENO) != 0,
		.has_validation = has_validation,
		.start_ns = now_ns(),
	};
	if (progress->is_bar)
		bar_draw(progress, 0);
}

static void epoch_print(const struct train_progress *progress, const struct flow_train_epoch *epoch)
{
	fprintf(stderr, "epoch %" PRIu32 "/%" PRIu32 "  loss %.6f  accuracy %.6f", epoch->number,
		progress->n_epochs, epoch->training.loss, epoch->training.accuracy);
	if (progress->has_validation)
		fprintf(stderr, "  validation loss %.6f  accuracy %.6f", epoch->validation.loss,
			epoch->validation.accuracy);
	fputc('\n', stderr);
}

void train_progress_take(void *context, const struct flow_train_epoch *epoch)
{
	struct train_progress *progress = context;
	double spent_s = (double)(now_ns() - progress->start_ns) / 1e9;

	progress->last = *epoch;
	if (!progress->is_bar) {
		epoch_print(progress, epoch);
		return;
	}
	bar_draw(progress, epoch->number);
	fprintf(stderr, "  loss %.5f", epoch->training.loss);
	if (progress->has_validation)
		fprintf(stderr, "  validation %.5f", epoch->validation.loss);
	fprintf(stderr, "  %.0f s left \x1b[K", spent_s * (progress->n_epochs - epoch->number) / epoch->number);
	fflush(stderr);
}

void train_progress_end(struct train_progress *progress)
{
	if (!progress->is_bar)
		return;
	fputs("\r\x1b[K", stderr);
	if (progress->last.number > 0)
		epoch_print(progress, &progress->last);
}
