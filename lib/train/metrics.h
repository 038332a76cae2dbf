/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How good a classifier is, from its confusion matrix. Called by `wirescore eval`.
 *
 * Definitions are those of scikit-learn with zero_division=0: where a ratio is 0/0 (a class that never occurs, or
 * is never said) precision, recall and F1 are 0; the balanced accuracy leaves classes out that never occur.
 */
#ifndef WIRESCORE_TRAIN_METRICS_H
#define WIRESCORE_TRAIN_METRICS_H

#include <stdint.h>

struct metrics {
	uint32_t n_classes;
	uint64_t *counts; /* [truth][said], n_classes by n_classes */
};

/* A matrix of zeros, to be freed with metrics_free. 0, -EINVAL for fewer than 2 classes, or -ENOMEM. */
int metrics_init(struct metrics *metrics, uint32_t n_classes);
void metrics_free(struct metrics *metrics);

/* Adds n rows of class truth that the classifier said to be said. Both are below n_classes. */
void metrics_add(struct metrics *metrics, uint32_t truth, uint32_t said, uint64_t n);

uint64_t metrics_count(const struct metrics *metrics, uint32_t truth, uint32_t said);
uint64_t metrics_total(const struct metrics *metrics);
uint64_t metrics_errors(const struct metrics *metrics);

/* Ratios of [0, 1]; those of a class look at it against all others. */
double metrics_accuracy(const struct metrics *metrics);
double metrics_balanced_accuracy(const struct metrics *metrics);
double metrics_precision(const struct metrics *metrics, uint32_t class_index);
double metrics_recall(const struct metrics *metrics, uint32_t class_index);
double metrics_f1(const struct metrics *metrics, uint32_t class_index);

/* Cross-entropy in nats of one row of two classes, from the log-odds of class 1: ln(1 + e^-logit) for truth 1. */
double metrics_log_loss(float logit, uint32_t truth);

#endif
