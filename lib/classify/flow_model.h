/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the flow engine decides with: a flow model, packed for a kernel, and the features that it reads. Immutable
 * once made, so that all workers share one.
 */
#ifndef WIRESCORE_CLASSIFY_FLOW_MODEL_H
#define WIRESCORE_CLASSIFY_FLOW_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow_features.h"
#include "model.h"
#include "nn.h"
#include "stats.h"

#define FLOW_MODEL_MAX_CLASSES STATS_MAX_FLOW_CLASSES

struct flow_model {
	const struct nn_kernel *kernel;
	struct nn_plan *plan;
	struct flow_feature_set *features; /* its inputs */
	uint32_t n_outputs;
	uint32_t n_classes;
	float threshold;      /* on logits, so that a saturated score decides nothing */
	uint64_t checkpoints; /* as struct flow_config has them: at which packets flows are scored */
	bool has_ends;	      /* and when they end */
};

/*
 * Makes a flow model of a model. 0, or a negative errno with one line in error where the model cannot score flows:
 * made for packets, inputs that are no features or of another version, too many classes. Class 0 is the harmless
 * one. The model stays the caller's and is not needed afterwards.
 */
int flow_model_create(const struct model *model, const struct nn_kernel *kernel, struct flow_model **made,
		      char *error, size_t error_size);
void flow_model_free(struct flow_model *model);

/*
 * The features that a model's inputs are named after. 0, or a negative errno with one line in error: inputs that
 * are no features, or of another version than the model's schema says. flow_feature_set_free releases them.
 */
int flow_model_features(const struct model *model, struct flow_feature_set **features, char *error,
			size_t error_size);

/*
 * The threshold on logits, ln(p / (1 - p)). 0, or -EINVAL with one line where it would be infinite, as everything or
 * nothing reaches p.
 */
int flow_model_threshold(const struct model *model, float *threshold, char *error, size_t error_size);

/*
 * At which packets flows are scored, as struct flow_config has them, and whether at their end, which is so where
 * the model does not say. 0, or -EINVAL with one line in error where the table does not tell of a checkpoint.
 */
int flow_model_checkpoints(const struct model *model, uint64_t *checkpoints, bool *has_ends, char *error,
			   size_t error_size);

/*
 * The class of a row by the model's outputs, [n_outputs], and its logit: nn_output_log_odds. Where it reaches the
 * threshold the class is the likeliest of those behind class 0, else 0.
 */
uint32_t flow_model_class(const struct flow_model *model, const float *outputs, float *logit);

#endif
