/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The confusion matrix and what is told from it. Called by `wirescore eval`.
 */
#include "metrics.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>

int metrics_init(struct metrics *metrics, uint32_t n_classes)
{
	if (n_classes < 2)
		return -EINVAL;
	metrics->n_classes = n_classes;
	metrics->counts = calloc((size_t)n_classes * n_classes, sizeof(*metrics->counts));
	return metrics->counts != NULL ? 0 : -ENOMEM;
}

void metrics_free(struct metrics *metrics)
{
	free(metrics->counts);
	metrics->counts = NULL;
}

void metrics_add(struct metrics *metrics, uint32_t truth, uint32_t said, uint64_t n)
{
	metrics->counts[(size_t)truth * metrics->n_classes + said] += n;
}

uint64_t metrics_count(const struct metrics *metrics, uint32_t truth, uint32_t said)
{
	return metrics->counts[(size_t)truth * metrics->n_classes + said];
}

static uint64_t n_true(const struct metrics *metrics, uint32_t truth)
{
	uint64_t n = 0;

	for (uint32_t c = 0; c < metrics->n_classes; c++)
		n += metrics_count(metrics, truth, c);
	return n;
}

static uint64_t n_said(const struct metrics *metrics, uint32_t said)
{
	uint64_t n = 0;

	for (uint32_t c = 0; c < metrics->n_classes; c++)
		n += metrics_count(metrics, c, said);
	return n;
}

uint64_t metrics_total(const struct metrics *metrics)
{
	uint64_t n = 0;

	for (uint32_t c = 0; c < metrics->n_classes; c++)
		n += n_true(metrics, c);
	return n;
}

uint64_t metrics_errors(const struct metrics *metrics)
{
	uint64_t n = metrics_total(metrics);

	for (uint32_t c = 0; c < metrics->n_classes; c++)
		n -= metrics_count(metrics, c, c);
	return n;
}

static double ratio(uint64_t part, uint64_t whole)
{
	return whole > 0 ? (double)part / (double)whole : 0;
}

double metrics_accuracy(const struct metrics *metrics)
{
	uint64_t n = metrics_total(metrics);

	return ratio(n - metrics_errors(metrics), n);
}

double metrics_balanced_accuracy(const struct metrics *metrics)
{
	uint32_t n_present = 0;
	double sum = 0;

	for (uint32_t c = 0; c < metrics->n_classes; c++) {
		if (n_true(metrics, c) > 0) {
			sum += metrics_recall(metrics, c);
			n_present++;
		}
	}
	return n_present > 0 ? sum / n_present : 0;
}

double metrics_precision(const struct metrics *metrics, uint32_t class_index)
{
	return ratio(metrics_count(metrics, class_index, class_index), n_said(metrics, class_index));
}

double metrics_recall(const struct metrics *metrics, uint32_t class_index)
{
	return ratio(metrics_count(metrics, class_index, class_index), n_true(metrics, class_index));
}

double metrics_f1(const struct metrics *metrics, uint32_t class_index)
{
	/* The harmonic mean of precision and recall, in whole numbers. */
	return ratio(2 * metrics_count(metrics, class_index, class_index),
		     n_true(metrics, class_index) + n_said(metrics, class_index));
}

double metrics_log_loss(float logit, uint32_t truth)
{
	double wrong = truth != 0 ? -(double)logit : (double)logit;

	return fmax(wrong, 0) + log1p(exp(-fabs(wrong)));
}
