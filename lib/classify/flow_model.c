/* SPDX-License-Identifier: BSD-3-Clause */
#include "flow_model.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow_table.h"

/* Refuses a model whose numbers cannot be scores of flows. 0, or -EINVAL with one line. */
static int flow_model_check(const struct model *model, char *error, size_t error_size)
{
	const struct nn_network *network = &model->network;
	const struct nn_layer *last = &network->layers[network->n_layers - 1];
	enum nn_activation expected = last->n_out == 1 ? NN_SIGMOID : NN_SOFTMAX;

	if (model->task == MODEL_TASK_PACKET)
		snprintf(error, error_size, "is a packet model; a flow model is needed here");
	else if (!model->n_features)
		snprintf(error, error_size,
			 "does not name its inputs; a flow model's are features ('wirescore "
			 "features' lists them)");
	else if (last->n_out > FLOW_MODEL_MAX_CLASSES)
		snprintf(error, error_size, "tells %u classes apart; flow models tell up to %u", last->n_out,
			 FLOW_MODEL_MAX_CLASSES);
	else if (last->activation != NN_IDENTITY && last->activation != expected)
		snprintf(error, error_size, "ends in %s; flow models end in %s or in plain logits",
			 nn_activation_name(last->activation), nn_activation_name(expected));
	else
		return 0;
	return -EINVAL;
}

int flow_model_features(const struct model *model, struct flow_feature_set **features, char *error,
			size_t error_size)
{
	char schema[FLOW_FEATURES_SCHEMA_SIZE], wrong[128];
	int rc = flow_feature_set_create_of((const char *const *)model->features, model->n_features, features,
					    wrong, sizeof(wrong));

	if (rc) {
		snprintf(error, error_size, "has inputs that cannot be extracted: %s", wrong);
		return rc;
	}
	flow_feature_set_schema(*features, schema);
	/* A preset among the names would be more than one input. */
	if ((*features)->n != model->n_features)
		snprintf(error, error_size, "has an input that is named after a preset of features");
	else if (model->schema && strcmp(model->schema, schema))
		snprintf(error, error_size,
			 "was trained on features of another version (schema %.40s, here %s); train it again",
			 model->schema, schema);
	else
		return 0;
	flow_feature_set_free(*features);
	*features = NULL;
	return -EINVAL;
}

int flow_model_checkpoints(const struct model *model, uint64_t *checkpoints, bool *has_ends, char *error,
			   size_t error_size)
{
	*checkpoints = 0;
	*has_ends = !model->n_checkpoints;
	for (uint32_t i = 0; i < model->n_checkpoints; i++) {
		if (model->checkpoints[i] > FLOW_MAX_CHECKPOINT) {
			snprintf(error, error_size,
				 "is to be asked at packet %u; flows have checkpoints up to packet %u",
				 model->checkpoints[i], FLOW_MAX_CHECKPOINT);
			return -EINVAL;
		}
		if (!model->checkpoints[i])
			*has_ends = true;
		else
			*checkpoints |= UINT64_C(1) << (model->checkpoints[i] - 1);
	}
	return 0;
}

int flow_model_threshold(const struct model *model, float *threshold, char *error, size_t error_size)
{
	*threshold = logf(model->threshold / (1.0f - model->threshold));
	if (isfinite(*threshold))
		return 0;
	snprintf(
		error, error_size,
		"has the threshold %g, which %s flows reach; a flow model's is between 0 and 1 (wirescore.threshold)",
		(double)model->threshold, model->threshold < 0.5f ? "all" : "no");
	return -EINVAL;
}

int flow_model_create(const struct model *model, const struct nn_kernel *kernel, struct flow_model **made,
		      char *error, size_t error_size)
{
	const struct nn_network *network = &model->network;
	struct flow_model *m;
	int rc = flow_model_check(model, error, error_size);

	if (rc)
		return rc;
	m = calloc(1, sizeof(*m));
	if (!m) {
		snprintf(error, error_size, "out of memory");
		return -ENOMEM;
	}
	rc = flow_model_threshold(model, &m->threshold, error, error_size);
	if (!rc)
		rc = flow_model_checkpoints(model, &m->checkpoints, &m->has_ends, error, error_size);
	if (!rc)
		rc = flow_model_features(model, &m->features, error, error_size);
	if (!rc && (rc = nn_plan_create(network, &m->plan)))
		snprintf(error, error_size, "cannot be packed for the kernels: %s", strerror(-rc));
	if (rc) {
		flow_model_free(m);
		return rc;
	}
	m->kernel = kernel;
	m->n_outputs = network->layers[network->n_layers - 1].n_out;
	m->n_classes = m->n_outputs > 1 ? m->n_outputs : 2;
	*made = m;
	return 0;
}

void flow_model_free(struct flow_model *model)
{
	if (!model)
		return;
	nn_plan_free(model->plan);
	flow_feature_set_free(model->features);
	free(model);
}

uint32_t flow_model_class(const struct flow_model *model, const float *outputs, float *logit)
{
	uint32_t likeliest = 1;

	*logit = nn_output_log_odds(outputs, model->n_outputs);
	for (uint32_t o = 2; o < model->n_outputs; o++)
		if (outputs[o] > outputs[likeliest])
			likeliest = o;
	return *logit >= model->threshold ? likeliest : 0;
}
