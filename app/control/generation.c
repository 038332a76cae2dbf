/* SPDX-License-Identifier: BSD-3-Clause */
#include "generation.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "flow_classes.h"
#include "json_text.h"
#include "nn.h"

/* A score of the config as a logit; 0: everything. */
static float logit_of(double score)
{
	return (float)log(score / (1 - score));
}

/* The bins of a model, to tell drift by: where they are of no use there is none to tell. 0 or -ENOMEM. */
static int read_bins(const struct model *model, const char *path, struct input_bins **bins)
{
	char error[256];
	int rc = input_bins_read(model, bins, error, sizeof(error));

	if (rc != -EINVAL)
		return rc;
	complain("%s: no drift is told: %s; 'wirescore model baseline' writes others", path, error);
	return 0;
}

static int load_packet_model(struct generation *g, const struct config *config, const struct nn_kernel *kernel,
			     char *error, size_t error_size)
{
	static const char *const names[] = {"non-ip", "ip"};
	const struct config_models *models = &config->models;
	int rc;

	if (models->packet.path) {
		rc = model_load(models->packet.path, &g->packet_model, error, error_size);
		if (!rc && !isnan(models->packet_threshold))
			g->packet_model->threshold = (float)models->packet_threshold;
		if (!rc)
			rc = packet_engine_create(g->packet_model, kernel, &g->packet_engine, error, error_size);
		if (!rc && config->metrics.drift_interval_ns)
			rc = read_bins(g->packet_model, models->packet.path, &g->packet_bins);
		if (rc)
			return rc;
	}
	for (uint32_t i = 0; i < 2; i++) {
		bool is_named = g->packet_model && i < g->packet_model->n_classes;

		g->packet_class_names[i] = is_named ? g->packet_model->classes[i] : names[i];
		g->packet_class_json[i] = json_quoted(g->packet_class_names[i]);
		if (!g->packet_class_json[i])
			return -ENOMEM;
	}
	return 0;
}

static int load_flow_model(struct generation *g, const struct config *config, const struct nn_kernel *kernel,
			   char *error, size_t error_size)
{
	const struct config_models *models = &config->models;
	int rc;

	if (!models->flow.path || !config->flow.n_flows)
		return 0;
	rc = model_load(models->flow.path, &g->flow_model, error, error_size);
	if (!rc && !isnan(models->flow_threshold))
		g->flow_model->threshold = (float)models->flow_threshold;
	if (!rc)
		rc = flow_model_create(g->flow_model, kernel, &g->flow_engine_model, error, error_size);
	if (!rc && config->metrics.drift_interval_ns)
		rc = read_bins(g->flow_model, models->flow.path, &g->flow_bins);
	if (rc)
		return rc;
	if (config->flow.has_checkpoints) {
		g->flow_engine_model->checkpoints = config->flow.checkpoints;
		g->flow_engine_model->has_ends = config->flow.has_ends;
	}
	return flow_classes_name(g->flow_model, g->flow_engine_model->n_classes, &g->flow_class_json);
}

static struct action action_of(const struct config_action *action)
{
	static const enum action_kind kinds[] = {
		[CONFIG_ACTION_FORWARD] = ACTION_FORWARD,   [CONFIG_ACTION_DROP] = ACTION_DROP,
		[CONFIG_ACTION_MIRROR] = ACTION_MIRROR,	    [CONFIG_ACTION_MARK_DSCP] = ACTION_MARK_DSCP,
		[CONFIG_ACTION_MARK_PCP] = ACTION_MARK_PCP,
	};

	return (struct action){
		.kind = kinds[action->kind],
		.value = (uint8_t)action->value,
		.mirror = action->kind == CONFIG_ACTION_MIRROR ? (uint8_t)action->port : LIVE_NO_PORT,
		.logit = -INFINITY,
	};
}

static void make_policy(struct policy *policy, const struct config *config)
{
	policy->holds = config->policy.before_verdict == CONFIG_HOLD_DROP;
	policy->non_ip = action_of(&config->policy.non_ip);
	for (uint32_t i = 0; i < config->n_classes; i++) {
		const struct config_class *class = &config->classes[i];
		struct action *action;

		if (class->class < 0)
			continue;
		action = &policy->classes[class->class];
		*action = action_of(&class->action);
		action->logit = logit_of(class->threshold);
		action->is_count_only = class->is_count_only;
	}
}

int generation_create(const struct config *config, uint32_t n_workers, struct generation **generation, char *error,
		      size_t error_size)
{
	const struct nn_kernel *kernel = nn_kernel_find(config->models.kernel);
	struct generation *g = calloc(1, sizeof(*g));
	int rc = g ? 0 : -ENOMEM;

	error[0] = '\0';
	if (!rc)
		rc = load_packet_model(g, config, kernel, error, error_size);
	if (!rc)
		rc = load_flow_model(g, config, kernel, error, error_size);
	for (uint32_t i = 0; !rc && i < n_workers; i++) {
		g->live.models[i] = classifier_models_create(g->packet_engine, g->flow_engine_model);
		g->n_workers = i + 1;
		rc = g->live.models[i] ? classifier_models_count(g->live.models[i], g->packet_bins, g->flow_bins)
				       : -ENOMEM;
	}
	if (rc) {
		if (!error[0])
			snprintf(error, error_size, "%s", strerror(-rc));
		generation_free(g);
		return rc;
	}
	make_policy(&g->live.policy, config);
	*generation = g;
	return 0;
}

void generation_free(struct generation *g)
{
	if (!g)
		return;
	for (uint32_t i = 0; i < g->n_workers; i++)
		classifier_models_free(g->live.models[i]);
	flow_classes_free(g->flow_class_json, g->flow_model ? g->flow_model->n_classes : 0);
	free(g->packet_class_json[0]);
	free(g->packet_class_json[1]);
	free(g->packet_bins);
	free(g->flow_bins);
	packet_engine_free(g->packet_engine);
	flow_model_free(g->flow_engine_model);
	model_free(g->packet_model);
	model_free(g->flow_model);
	free(g);
}

static bool has_same_flow_classes(const struct generation *before, const struct generation *after)
{
	uint32_t n = before->flow_engine_model->n_classes;

	if (after->flow_engine_model->n_classes != n)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (strcmp(after->flow_model->classes[i], before->flow_model->classes[i]))
			return false;
	return true;
}

bool generation_follows(const struct generation *before, const struct generation *after,
			const struct flow_engine *engine, const struct config *config,
			struct config_problems *problems)
{
	const struct config_models *models = &config->models;
	uint32_t n = problems->n;

	if (strcmp(before->packet_class_json[0], after->packet_class_json[0]) ||
	    strcmp(before->packet_class_json[1], after->packet_class_json[1]))
		config_tell(config, problems, &models->packet,
			    "%s: has other classes than the one that runs; restart to take it",
			    models->packet.path ? models->packet.path : "none");
	if (!engine)
		return problems->n == n;
	if (!before->flow_model != !after->flow_model)
		config_tell(config, problems, &models->flow,
			    "a model cannot be added nor taken away while packets pass; restart");
	else if (after->flow_model && !has_same_flow_classes(before, after))
		config_tell(config, problems, &models->flow,
			    "%s: has other classes than the one that runs; restart to take it", models->flow.path);
	else if (!flow_engine_accepts(engine, after->flow_engine_model))
		config_tell(config, problems, &models->flow,
			    "%s: reads more of flows than is kept for the one that runs; restart to take it",
			    models->flow.path ? models->flow.path : "none");
	return problems->n == n;
}
