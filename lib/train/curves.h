/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How good scores are at every threshold: ROC and precision-recall curves and what is read off them, and
 * calibration. Called by `wirescore eval`.
 *
 * Definitions are those of scikit-learn (roc_curve, roc_auc_score, average_precision_score, calibration_curve with
 * uniform bins, brier_score_loss). Equal scores are one point of a curve. Where a figure has no value, because one
 * class is missing, it is NAN.
 */
#ifndef WIRESCORE_TRAIN_CURVES_H
#define WIRESCORE_TRAIN_CURVES_H

#include <stddef.h>
#include <stdint.h>

#define CURVES_N_BINS 10

/* What is called positive by a threshold: the rows whose score is at least as high. Sums of weights. */
struct curve_point {
	float threshold;
	double n_true_positives, n_false_positives;
};

struct curves {
	double n_positives, n_negatives; /* sums of weights */
	uint32_t n_points;		 /* distinct scores */
	struct curve_point *points;	 /* [n_points], thresholds descend; the last one takes all rows in */
};

/*
 * Makes the curves of n scores; truths is [n] of 0 or 1, weights is [n] of finite numbers above 0, or NULL: all are
 * 1. 0, -EINVAL for a score that is NaN, or -ENOMEM. curves_free releases them.
 */
int curves_create(struct curves *curves, const float *scores, const uint8_t *truths, const float *weights,
		  uint32_t n);
void curves_free(struct curves *curves);

/* Area under the ROC curve by trapezia: the chance that a positive scores above a negative, ties counting half. */
double curves_roc_auc(const struct curves *curves);

/* Average precision: the sum over points of precision times the rise of recall. NAN without positives. */
double curves_average_precision(const struct curves *curves);

/*
 * The point of highest recall whose false positive rate is at most max_fpr, and there of the lowest rate. threshold
 * is INFINITY where only calling nothing positive is good enough; recall is then 0.
 */
struct curve_operating_point {
	double recall, fpr;
	float threshold;
};
struct curve_operating_point curves_at_fpr(const struct curves *curves, double max_fpr);

/*
 * Precision where base_rate of all rows are positive, by Bayes: recall b / (recall b + fpr (1 - b)). NAN where
 * nothing is called positive.
 */
double curves_precision_at(double recall, double fpr, double base_rate);

/* ---- Points to draw ---- */

struct curve_xy {
	double x, y;
};

/* The ROC curve (x: FPR, y: recall) from 0,0, and the precision-recall curve (x: recall, y: precision). */
struct curve_xy curves_roc_xy(const struct curves *curves, uint32_t point);
struct curve_xy curves_pr_xy(const struct curves *curves, uint32_t point);

/*
 * Leaves points out that are nearer than step, in x and in y, to the last one that stays. The first and the last
 * stay. Returns how many there are left.
 */
uint32_t curves_thin(struct curve_xy *points, uint32_t n, double step);

/* ---- Calibration ---- */

struct calibration_bin {
	double n, mean_probability, share_positive; /* n: sum of weights; 0 where the bin is empty */
};

struct calibration {
	double n;
	double error; /* mean of |mean_probability - share_positive|, bins weighing as much as is in them */
	double brier; /* mean of (probability - truth)^2 */
	struct calibration_bin bins[CURVES_N_BINS]; /* bin i: [i / N, (i + 1) / N), the last one closed */
};

/* probabilities is [n], each of [0, 1]. Without rows error and brier are NAN. */
void calibration_measure(struct calibration *calibration, const float *probabilities, const uint8_t *truths,
			 const float *weights, uint32_t n);

#endif
