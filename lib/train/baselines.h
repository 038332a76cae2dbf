/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a network must beat to be worth its while: the best question about one single feature, and logistic
 * regression. Called by `wirescore eval`.
 */
#ifndef WIRESCORE_TRAIN_BASELINES_H
#define WIRESCORE_TRAIN_BASELINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The rows to learn from, borrowed: those of values that rows names. Each value is finite. */
struct baseline_data {
	const float *values; /* [...][n_features] */
	uint32_t n_features;
	const uint32_t *rows;  /* [n] */
	const uint8_t *truths; /* [n]: 0 or 1 */
	uint32_t n;
};

/* ---- The best single-feature stump ---- */

/* Positive is a row whose feature is at least the threshold, or where is_below, less than it. */
struct stump {
	uint32_t feature;
	float threshold;
	bool is_below;
	double balanced_accuracy; /* on what it was learnt from */
};

/*
 * The threshold and direction of highest balanced accuracy among all there are; of equal ones the first feature's
 * and the highest threshold. 0, -EINVAL where a class is missing, or -ENOMEM.
 */
int stump_fit(struct stump *stump, const struct baseline_data *data);

/* Whether it calls a row positive. */
bool stump_says(const struct stump *stump, const float *row);

/* The feature, turned so that higher is more positive: what curves are made of. */
float stump_score(const struct stump *stump, const float *row);

/* ---- Logistic regression ---- */

/* logit = bias + sum weights[j] * (x[j] - mean[j]) / deviation[j], of ln(1 + max(x, 0)) where is_log says so. */
struct logistic {
	uint32_t n;
	uint8_t *is_log;   /* [n] */
	double *mean;	   /* [n] */
	double *deviation; /* [n]; 1 where the feature is constant */
	double *weights;   /* [n] */
	double bias;
	uint32_t n_steps;
};

/*
 * Minimises sum w loss + |weights|^2 / 2 by Newton's method, where w makes both classes weigh alike and n in sum:
 * scikit-learn's LogisticRegression(C=1, class_weight='balanced') on standardised inputs. The same data give the
 * same bits on the same kind of machine. is_log is [n_features], copied; NULL: no logarithms. 0, -EINVAL where a
 * class is missing, or -ENOMEM. logistic_free releases it.
 */
int logistic_fit(struct logistic *logistic, const struct baseline_data *data, const uint8_t *is_log);
void logistic_free(struct logistic *logistic);

/* The log-odds of a row; 0 and above is positive. */
float logistic_score(const struct logistic *logistic, const float *row);

#endif
