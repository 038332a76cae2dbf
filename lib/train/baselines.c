/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The best stump by an exact sweep over every feature, and logistic regression by Newton's method on OpenBLAS.
 * Called by `wirescore eval`.
 */
#include "baselines.h"

#include <cblas.h>
#include <errno.h>
#include <f77blas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "float_order.h"

#define BLOCK_ROWS   256
#define MAX_STEPS    50
#define MAX_HALVINGS 20
/* Newton's method ends when a step lowers the mean loss by less. */
#define TOLERANCE 1e-10
/* Keeps the Hessian's bias from vanishing where every row is told right beyond doubt. */
#define BIAS_RIDGE 1e-9

/* 0, or -EINVAL where a class is missing. */
static int classes_count(const struct baseline_data *data, uint32_t n_of[2])
{
	n_of[0] = n_of[1] = 0;
	for (uint32_t i = 0; i < data->n; i++)
		n_of[data->truths[i] != 0]++;
	return n_of[0] > 0 && n_of[1] > 0 ? 0 : -EINVAL;
}

static const float *row_of(const struct baseline_data *data, uint32_t i)
{
	return data->values + (size_t)data->rows[i] * data->n_features;
}

/* ---- Stump ---- */

/* A number of (low, high], in the middle where floats allow it. */
static float threshold_between(float low, float high)
{
	float middle = (float)(((double)low + (double)high) / 2);

	return middle > low ? middle : high;
}

/* Looks at every threshold of one feature, whose values are given in order, from the top down. */
static void stump_sweep(struct stump *best, const struct baseline_data *data, uint32_t feature, const float *values,
			const uint32_t *order, const uint32_t n_of[2])
{
	uint32_t n_above[2] = {0};

	for (uint32_t k = data->n; k > 1; k--) {
		float high = values[order[k - 1]], low = values[order[k - 2]];
		double lead, accuracy;

		n_above[data->truths[order[k - 1]] != 0]++;
		if (low == high)
			continue;
		lead = (double)n_above[1] / n_of[1] - (double)n_above[0] / n_of[0];
		accuracy = (1 + fabs(lead)) / 2;
		if (accuracy <= best->balanced_accuracy)
			continue;
		*best = (struct stump){feature, threshold_between(low, high), lead < 0, accuracy};
	}
}

int stump_fit(struct stump *stump, const struct baseline_data *data)
{
	uint32_t n_of[2], *order;
	float *values;
	int rc = classes_count(data, n_of);

	/* What a table without two different values in any column ends with: all rows are positive. */
	*stump = (struct stump){.threshold = -INFINITY, .balanced_accuracy = 0.5};
	if (rc < 0)
		return rc;
	values = malloc(data->n * sizeof(*values));
	order = malloc(data->n * sizeof(*order));
	rc = values != NULL && order != NULL ? 0 : -ENOMEM;
	for (uint32_t feature = 0; feature < data->n_features && rc == 0; feature++) {
		for (uint32_t i = 0; i < data->n; i++)
			values[i] = row_of(data, i)[feature];
		rc = float_order(values, data->n, order);
		if (rc == 0)
			stump_sweep(stump, data, feature, values, order, n_of);
	}
	free(values);
	free(order);
	return rc;
}

bool stump_says(const struct stump *stump, const float *row)
{
	return (row[stump->feature] >= stump->threshold) != stump->is_below;
}

float stump_score(const struct stump *stump, const float *row)
{
	float value = row[stump->feature];

	return stump->is_below ? -value : value;
}

/* ---- Logistic regression ---- */

/* What a step needs: theta is the weights, then the bias; the matrix is of their second derivatives. */
struct newton {
	const struct logistic *logistic;
	const struct baseline_data *data;
	double class_weight[2];
	uint32_t n; /* features and bias */
	double *theta, *next, *gradient, *hessian;
	double *block;	  /* [BLOCK_ROWS][n] */
	double *margins;  /* [BLOCK_ROWS] */
	double *residues; /* [BLOCK_ROWS] */
};

static double scaled(const struct logistic *logistic, const float *row, uint32_t j)
{
	double x = (double)row[j];

	if (logistic->is_log[j])
		x = log1p(fmax(x, 0));
	return (x - logistic->mean[j]) / logistic->deviation[j];
}

static void block_fill(const struct newton *newton, uint32_t first, uint32_t n_rows)
{
	for (uint32_t i = 0; i < n_rows; i++) {
		double *to = newton->block + (size_t)i * newton->n;
		const float *row = row_of(newton->data, first + i);

		for (uint32_t j = 0; j + 1 < newton->n; j++)
			to[j] = scaled(newton->logistic, row, j);
		to[newton->n - 1] = 1;
	}
}

/* The block's share of the loss at theta; residues become its derivatives by the margins. */
static double block_loss(const struct newton *newton, const double *theta, uint32_t first, uint32_t n_rows)
{
	double loss = 0;

	cblas_dgemv(CblasRowMajor, CblasNoTrans, (int)n_rows, (int)newton->n, 1, newton->block, (int)newton->n,
		    theta, 1, 0, newton->margins, 1);
	for (uint32_t i = 0; i < n_rows; i++) {
		uint32_t truth = newton->data->truths[first + i] != 0;
		double margin = truth ? newton->margins[i] : -newton->margins[i];
		double e = exp(-fabs(margin)), weight = newton->class_weight[truth];
		double wrong = margin >= 0 ? e / (1 + e) : 1 / (1 + e);

		loss += weight * (fmax(-margin, 0) + log1p(e));
		newton->residues[i] = truth ? -weight * wrong : weight * wrong;
	}
	return loss;
}

/* Adds the block's share to the derivatives; the block is spent on it. */
static void block_derive(struct newton *newton, uint32_t first, uint32_t n_rows)
{
	cblas_dgemv(CblasRowMajor, CblasTrans, (int)n_rows, (int)newton->n, 1, newton->block, (int)newton->n,
		    newton->residues, 1, 1, newton->gradient, 1);
	for (uint32_t i = 0; i < n_rows; i++) {
		double weight = newton->class_weight[newton->data->truths[first + i] != 0];
		double share = fabs(newton->residues[i]) / weight;

		/* The second derivative is p (1 - p), and the residue is one of the two. */
		cblas_dscal((int)newton->n, sqrt(weight * share * (1 - share)),
			    newton->block + (size_t)i * newton->n, 1);
	}
	cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, (int)newton->n, (int)n_rows, 1, newton->block,
		    (int)newton->n, 1, newton->hessian, (int)newton->n);
}

/* The objective at theta; with derives also its derivatives. */
static double objective(struct newton *newton, const double *theta, bool derives)
{
	uint32_t n = newton->n;
	double sum = cblas_ddot((int)n - 1, theta, 1, theta, 1) / 2;

	if (derives) {
		memset(newton->hessian, 0, (size_t)n * n * sizeof(double));
		for (uint32_t j = 0; j < n; j++) {
			newton->gradient[j] = j + 1 < n ? theta[j] : 0;
			newton->hessian[(size_t)j * n + j] = j + 1 < n ? 1 : BIAS_RIDGE;
		}
	}
	for (uint32_t first = 0, n_rows; first < newton->data->n; first += n_rows) {
		n_rows = newton->data->n - first < BLOCK_ROWS ? newton->data->n - first : BLOCK_ROWS;
		block_fill(newton, first, n_rows);
		sum += block_loss(newton, theta, first, n_rows);
		if (derives)
			block_derive(newton, first, n_rows);
	}
	return sum;
}

/* Turns the gradient into Newton's step by Cholesky's factors. False where the matrix has none. */
static bool step_solve(struct newton *newton)
{
	blasint n = (blasint)newton->n, info = 0;
	char part[] = "L"; /* LAPACK counts by columns: our upper part is its lower one */

	BLASFUNC(dpotrf)(part, &n, newton->hessian, &n, &info);
	if (info != 0)
		return false;
	cblas_dtrsv(CblasRowMajor, CblasUpper, CblasTrans, CblasNonUnit, n, newton->hessian, n, newton->gradient,
		    1);
	cblas_dtrsv(CblasRowMajor, CblasUpper, CblasNoTrans, CblasNonUnit, n, newton->hessian, n, newton->gradient,
		    1);
	return true;
}

/* One step, halved until it lowers the objective. False when there is nothing to gain any more. */
static bool newton_step(struct newton *newton)
{
	double length = 1, before = objective(newton, newton->theta, true);

	if (!step_solve(newton))
		return false;
	for (int i = 0; i < MAX_HALVINGS; i++, length /= 2) {
		double after;

		memcpy(newton->next, newton->theta, newton->n * sizeof(double));
		cblas_daxpy((int)newton->n, -length, newton->gradient, 1, newton->next, 1);
		after = objective(newton, newton->next, false);
		if (!(after < before))
			continue;
		memcpy(newton->theta, newton->next, newton->n * sizeof(double));
		return before - after > TOLERANCE * newton->data->n;
	}
	return false;
}

static void scale_learn(struct logistic *logistic, const struct baseline_data *data)
{
	for (uint32_t j = 0; j < logistic->n; j++) {
		double mean = 0, squares = 0;

		logistic->mean[j] = 0;
		logistic->deviation[j] = 1;
		for (uint32_t i = 0; i < data->n; i++)
			mean += scaled(logistic, row_of(data, i), j);
		mean /= data->n;
		for (uint32_t i = 0; i < data->n; i++) {
			double from = scaled(logistic, row_of(data, i), j) - mean;

			squares += from * from;
		}
		logistic->mean[j] = mean;
		logistic->deviation[j] = squares > 0 ? sqrt(squares / data->n) : 1;
	}
}

static int newton_allocate(struct newton *newton)
{
	size_t n = newton->n;
	/* One piece; theta is first, and is what is freed. */
	double *memory = calloc(3 * n + n * n + BLOCK_ROWS * (n + 2), sizeof(double));

	if (memory == NULL)
		return -ENOMEM;
	newton->theta = memory;
	newton->next = newton->theta + n;
	newton->gradient = newton->next + n;
	newton->hessian = newton->gradient + n;
	newton->block = newton->hessian + n * n;
	newton->margins = newton->block + BLOCK_ROWS * n;
	newton->residues = newton->margins + BLOCK_ROWS;
	return 0;
}

static int logistic_allocate(struct logistic *logistic, uint32_t n, const uint8_t *is_log)
{
	*logistic = (struct logistic){
		.n = n,
		.is_log = calloc(n, 1),
		.mean = calloc(n, sizeof(double)),
		.deviation = calloc(n, sizeof(double)),
		.weights = calloc(n, sizeof(double)),
	};
	if (logistic->is_log == NULL || logistic->mean == NULL || logistic->deviation == NULL ||
	    logistic->weights == NULL)
		return -ENOMEM;
	if (is_log != NULL)
		memcpy(logistic->is_log, is_log, n);
	return 0;
}

int logistic_fit(struct logistic *logistic, const struct baseline_data *data, const uint8_t *is_log)
{
	struct newton newton = {.logistic = logistic, .data = data, .n = data->n_features + 1};
	uint32_t n_of[2];
	int rc = classes_count(data, n_of);

	*logistic = (struct logistic){0};
	if (rc == 0)
		rc = logistic_allocate(logistic, data->n_features, is_log);
	if (rc == 0)
		rc = newton_allocate(&newton);
	if (rc < 0) {
		logistic_free(logistic);
		return rc;
	}
	/* More threads would split sums in an order that changes from run to run. */
	openblas_set_num_threads(1);
	scale_learn(logistic, data);
	for (int c = 0; c < 2; c++)
		newton.class_weight[c] = (double)data->n / (2.0 * n_of[c]);
	do
		logistic->n_steps++;
	while (newton_step(&newton) && logistic->n_steps < MAX_STEPS);
	memcpy(logistic->weights, newton.theta, logistic->n * sizeof(double));
	logistic->bias = newton.theta[logistic->n];
	free(newton.theta);
	return 0;
}

void logistic_free(struct logistic *logistic)
{
	free(logistic->is_log);
	free(logistic->mean);
	free(logistic->deviation);
	free(logistic->weights);
	*logistic = (struct logistic){0};
}

float logistic_score(const struct logistic *logistic, const float *row)
{
	double sum = logistic->bias;

	for (uint32_t j = 0; j < logistic->n; j++)
		sum += logistic->weights[j] * scaled(logistic, row, j);
	return (float)sum;
}
