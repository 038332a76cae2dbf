/* SPDX-License-Identifier: BSD-3-Clause */
#include "flow_train.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scaler.h"

/* What a training holds, so that one function can let go of it. */
struct flow_training {
	const struct flow_train_options *options;
	struct scaler scaler;
	struct train *train;
	float *values; /* of the validation rows, scaled; those of the training rows are the set's own */
	uint8_t *labels[2];
	float *weights[2];
	struct train_data training, validation;
};

static int __attribute__((format(printf, 4, 5)))
refuse(int rc, char *error, size_t error_size, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error, error_size, format, arguments);
	va_end(arguments);
	return rc;
}

void flow_train_count(const struct flow_dataset *set, size_t *n_rows)
{
	memset(n_rows, 0, set->n_classes * sizeof(*n_rows));
	for (size_t i = 0; i < set->n_rows; i++)
		n_rows[set->rows[i].class]++;
}

/* Whether there is something to learn from. */
static int rows_check(const struct flow_dataset *set, char *error, size_t error_size)
{
	size_t n_rows[FLOW_DATASET_MAX_CLASSES];
	uint32_t first = 0;

	flow_train_count(set, n_rows);
	if (set->n_rows == 0)
		return refuse(-EINVAL, error, error_size, "there are no rows to learn from");
	if (set->n_rows > UINT32_MAX)
		return refuse(-EINVAL, error, error_size, "%zu rows to learn from are too many: 2^32 - 1 at most",
			      set->n_rows);
	while (n_rows[first] == 0)
		first++;
	if (n_rows[first] == set->n_rows)
		return refuse(-EINVAL, error, error_size, "all %zu rows are of one class (%s)", set->n_rows,
			      set->classes[first]);
	for (uint32_t c = 0; c < set->n_classes; c++)
		if (n_rows[c] == 0)
			return refuse(-EINVAL, error, error_size, "class %s has no rows to learn from",
				      set->classes[c]);
	return 0;
}

/* The labels and weights of a set's rows. 0 or -ENOMEM. */
static int data_fill(struct flow_training *t, const struct flow_dataset *set, const float *values, int part,
		     struct train_data *data)
{
	uint8_t *labels = t->labels[part] = malloc(set->n_rows + 1);
	float *weights = t->weights[part] = malloc((set->n_rows + 1) * sizeof(float));

	if (labels == NULL || weights == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < set->n_rows; i++)
		labels[i] = set->rows[i].class;
	*data = (struct train_data){
		.floats = values, .labels = labels, .weights = weights, .n_rows = (uint32_t)set->n_rows};
	return flow_weights_fill(set, &t->options->weights, weights);
}

/* Learns the scaling and scales. 0 or -ENOMEM. */
static int training_prepare(struct flow_training *t, struct flow_dataset *training,
			    const struct flow_dataset *validation)
{
	size_t n_bytes = validation->n_rows * validation->n_features * sizeof(float);
	int rc = data_fill(t, training, training->values, 0, &t->training);

	t->values = malloc(n_bytes + 1);
	if (rc < 0 || t->values == NULL)
		return -ENOMEM;
	if (n_bytes > 0)
		memcpy(t->values, validation->values, n_bytes);
	rc = data_fill(t, validation, t->values, 1, &t->validation);
	if (rc == 0)
		rc = scaler_fit(&t->scaler, training->values, training->n_rows, training->n_features,
				t->training.weights, t->options->is_log, t->options->clip);
	if (rc < 0)
		return rc;
	scaler_apply(&t->scaler, training->values, training->n_rows);
	scaler_apply(&t->scaler, t->values, validation->n_rows);
	return 0;
}

/* Carries out one epoch. 0 or a negative errno. */
static int epoch_run(struct flow_training *t, struct flow_train_epoch *epoch)
{
	int rc = train_epoch(t->train, &t->training, t->options->stop, &epoch->training);

	if (rc < 0 || t->validation.n_rows == 0)
		return rc;
	epoch->validation = train_measure(t->train, &t->validation);
	return isfinite(epoch->validation.loss) ? 0 : -ERANGE;
}

/* Runs the epochs until the last or until nothing gets better. 0 or a negative errno. */
static int epochs_run(struct flow_training *t, struct flow_train_result *result)
{
	const struct flow_train_options *o = t->options;
	bool stops_early = o->patience > 0 && t->validation.n_rows > 0;
	double best = INFINITY;
	uint32_t n_worse = 0;

	while (result->n_epochs < o->train.n_epochs && (!stops_early || n_worse < o->patience)) {
		struct flow_train_epoch epoch = {.number = result->n_epochs + 1};
		int rc = epoch_run(t, &epoch);

		if (rc < 0)
			return rc;
		epoch.is_best = t->validation.n_rows > 0 && epoch.validation.loss < best;
		n_worse = epoch.is_best ? 0 : n_worse + 1;
		best = epoch.is_best ? epoch.validation.loss : best;
		if (stops_early && epoch.is_best && train_keep(t->train) < 0)
			return -ENOMEM;
		if (epoch.is_best || !stops_early)
			result->kept = epoch;
		result->n_epochs++;
		if (o->report != NULL)
			o->report(o->context, &epoch);
	}
	train_restore(t->train);
	/* The last step may have been the one too far: without validation its loss shows only now. */
	if (t->validation.n_rows > 0)
		return 0;
	return isfinite(train_measure(t->train, &t->training).loss) ? 0 : -ERANGE;
}

static int training_run(struct flow_training *t, struct flow_dataset *training,
			const struct flow_dataset *validation, struct flow_train_result *result, char *error,
			size_t error_size)
{
	struct train_options options = t->options->train;
	int rc;

	options.n_in = training->n_features;
	options.n_classes = training->n_classes;
	options.input_scale = 1;
	options.input_shift = 0;
	rc = train_create(&options, &t->train, error, error_size);
	if (rc < 0)
		return rc;
	rc = training_prepare(t, training, validation);
	rc = rc < 0 ? rc : epochs_run(t, result);
	rc = rc < 0 ? rc : train_network(t->train, &result->network);
	rc = rc < 0 ? rc : scaler_into_network(&t->scaler, &result->network);
	if (rc == -ERANGE)
		return refuse(rc, error, error_size,
			      "the loss is not finite after %" PRIu32 " whole epochs: try a lower learning rate",
			      result->n_epochs);
	return rc < 0 ? refuse(rc, error, error_size, "%s", strerror(-rc)) : 0;
}

int flow_train(const struct flow_train_options *options, struct flow_dataset *training,
	       const struct flow_dataset *validation, struct flow_train_result *result, char *error,
	       size_t error_size)
{
	struct flow_training t = {.options = options};
	int rc = rows_check(training, error, error_size);

	*result = (struct flow_train_result){0};
	if (rc == 0)
		rc = training_run(&t, training, validation, result, error, error_size);
	if (rc < 0)
		nn_network_free(&result->network);
	train_free(t.train);
	scaler_free(&t.scaler);
	free(t.values);
	for (int part = 0; part < 2; part++) {
		free(t.labels[part]);
		free(t.weights[part]);
	}
	return rc;
}
