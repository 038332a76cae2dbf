/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ROC, precision-recall and calibration from scores. Called by `wirescore eval`.
 */
#include "curves.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "float_order.h"

static double weight_of(const float *weights, uint32_t i)
{
	return weights != NULL ? (double)weights[i] : 1;
}

/* Sums up from the highest score to the lowest; a point is closed where the score changes. */
static void points_fill(struct curves *curves, const float *scores, const uint8_t *truths, const float *weights,
			const uint32_t *order, uint32_t n)
{
	for (uint32_t k = n; k > 0; k--) {
		uint32_t i = order[k - 1];

		if (truths[i] != 0)
			curves->n_positives += weight_of(weights, i);
		else
			curves->n_negatives += weight_of(weights, i);
		if (k > 1 && scores[order[k - 2]] == scores[i])
			continue;
		curves->points[curves->n_points++] =
			(struct curve_point){scores[i], curves->n_positives, curves->n_negatives};
	}
}

int curves_create(struct curves *curves, const float *scores, const uint8_t *truths, const float *weights,
		  uint32_t n)
{
	uint32_t *order;
	int rc;

	*curves = (struct curves){0};
	for (uint32_t i = 0; i < n; i++)
		if (isnan(scores[i]))
			return -EINVAL;
	order = malloc(((size_t)n + 1) * sizeof(*order));
	curves->points = malloc(((size_t)n + 1) * sizeof(*curves->points));
	rc = order != NULL && curves->points != NULL ? float_order(scores, n, order) : -ENOMEM;
	if (rc == 0)
		points_fill(curves, scores, truths, weights, order, n);
	else
		curves_free(curves);
	free(order);
	return rc;
}

void curves_free(struct curves *curves)
{
	free(curves->points);
	*curves = (struct curves){0};
}

double curves_roc_auc(const struct curves *curves)
{
	double area = 0, before_true = 0, before_false = 0;

	if (!(curves->n_positives > 0) || !(curves->n_negatives > 0))
		return NAN;
	for (uint32_t i = 0; i < curves->n_points; i++) {
		const struct curve_point *point = &curves->points[i];

		area += (point->n_false_positives - before_false) * (point->n_true_positives + before_true) / 2;
		before_true = point->n_true_positives;
		before_false = point->n_false_positives;
	}
	return area / curves->n_positives / curves->n_negatives;
}

double curves_average_precision(const struct curves *curves)
{
	double sum = 0, before = 0;

	if (!(curves->n_positives > 0))
		return NAN;
	for (uint32_t i = 0; i < curves->n_points; i++) {
		const struct curve_point *point = &curves->points[i];

		sum += (point->n_true_positives - before) * point->n_true_positives /
		       (point->n_true_positives + point->n_false_positives);
		before = point->n_true_positives;
	}
	return sum / curves->n_positives;
}

struct curve_operating_point curves_at_fpr(const struct curves *curves, double max_fpr)
{
	struct curve_operating_point best = {0, 0, INFINITY};

	if (!(curves->n_positives > 0) || !(curves->n_negatives > 0))
		return (struct curve_operating_point){NAN, NAN, NAN};
	for (uint32_t i = 0; i < curves->n_points; i++) {
		struct curve_xy at = curves_roc_xy(curves, i);

		if (at.x > max_fpr)
			break;
		if (at.y > best.recall)
			best = (struct curve_operating_point){at.y, at.x, curves->points[i].threshold};
	}
	return best;
}

double curves_precision_at(double recall, double fpr, double base_rate)
{
	double found = recall * base_rate, wrong = fpr * (1 - base_rate);

	return found + wrong > 0 ? found / (found + wrong) : NAN;
}

struct curve_xy curves_roc_xy(const struct curves *curves, uint32_t point)
{
	return (struct curve_xy){curves->points[point].n_false_positives / curves->n_negatives,
				 curves->points[point].n_true_positives / curves->n_positives};
}

struct curve_xy curves_pr_xy(const struct curves *curves, uint32_t point)
{
	const struct curve_point *p = &curves->points[point];

	return (struct curve_xy){p->n_true_positives / curves->n_positives,
				 p->n_true_positives / (p->n_true_positives + p->n_false_positives)};
}

uint32_t curves_thin(struct curve_xy *points, uint32_t n, double step)
{
	uint32_t n_kept = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (i > 0 && i + 1 < n && fabs(points[i].x - points[n_kept - 1].x) < step &&
		    fabs(points[i].y - points[n_kept - 1].y) < step)
			continue;
		points[n_kept++] = points[i];
	}
	return n_kept;
}

void calibration_measure(struct calibration *calibration, const float *probabilities, const uint8_t *truths,
			 const float *weights, uint32_t n)
{
	*calibration = (struct calibration){0};
	for (uint32_t i = 0; i < n; i++) {
		double p = (double)probabilities[i], truth = truths[i] != 0, weight = weight_of(weights, i);
		uint32_t at = p < 1 ? (uint32_t)(p * CURVES_N_BINS) : CURVES_N_BINS - 1;

		calibration->bins[at].n += weight;
		calibration->bins[at].mean_probability += weight * p;
		calibration->bins[at].share_positive += weight * truth;
		calibration->n += weight;
		calibration->brier += weight * (p - truth) * (p - truth);
	}
	for (uint32_t i = 0; i < CURVES_N_BINS; i++) {
		struct calibration_bin *bin = &calibration->bins[i];

		if (!(bin->n > 0))
			continue;
		bin->mean_probability /= bin->n;
		bin->share_positive /= bin->n;
		calibration->error += bin->n * fabs(bin->mean_probability - bin->share_positive);
	}
	/* 0 / 0 without rows: NAN, as said. */
	calibration->error /= calibration->n;
	calibration->brier /= calibration->n;
}
