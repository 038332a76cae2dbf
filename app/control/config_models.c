/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether the models of a config can do what it asks of them. Called by config_check.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "classify.h"
#include "config_check.h"
#include "config_keys.h"
#include "flow_model.h"
#include "model.h"
#include "nn.h"

/* What a model of two classes calls them where its file does not. */
static const char *const class_names[] = {"benign", "attack"};

/* The kernel that is asked for; the best where it is not there, so that the models are looked at all the same. */
static const struct nn_kernel *check_kernel(const struct config *config, struct config_problems *problems)
{
	const struct nn_kernel *kernel = nn_kernel_find(config->models.kernel), *kernels;
	const char *names[32];
	uint32_t n;
	int32_t near;

	if (kernel)
		return kernel;
	kernels = nn_kernels(&n);
	for (uint32_t i = 0; i < n && i < 32; i++)
		names[i] = kernels[i].name;
	near = config_name_near(config->models.kernel, names, n);
	if (near < 0)
		config_tell(config, problems, &config->models.kernel,
			    "there is no kernel '%s'; 'wirescore kernels' lists them", config->models.kernel);
	else if (strcmp(names[near], config->models.kernel))
		config_tell(config, problems, &config->models.kernel, "there is no kernel '%s'; do you mean %s?",
			    config->models.kernel, names[near]);
	else
		config_tell(config, problems, &config->models.kernel,
			    "this CPU does not have what '%s' needs; write kernel = auto", config->models.kernel);
	return nn_kernel_find(NULL);
}

/* Loads one model; NULL after telling. */
static struct model *load_model(const struct config *config, struct config_problems *problems,
				struct config_model *named)
{
	struct model *model;
	char error[512];

	if (!named->path)
		return NULL;
	if (model_load(named->path, &model, error, sizeof(error))) {
		config_tell(config, problems, named, "%s: %s%s", named->path, error,
			    named->is_shipped		     ? "; $WIRESCORE_MODELS says where models are"
			    : access(named->path, F_OK) != 0 ? "; paths are relative to the folder of the config"
							     : "");
		return NULL;
	}
	nn_network_shape(&model->network, named->shape, sizeof(named->shape));
	return model;
}

static void check_packet_model(struct config *config, struct config_problems *problems,
			       const struct nn_kernel *kernel)
{
	static const char *const standard[] = {"non-ip", "ip"};
	struct config_model *named = &config->models.packet;
	struct model *model = load_model(config, problems, named);
	struct packet_engine *engine = NULL;
	const char *names[2];
	char error[512];

	if (model && packet_engine_create(model, kernel, &engine, error, sizeof(error)))
		config_tell(config, problems, named, "%s: %s; name a model of packets", named->path, error);
	for (uint32_t i = 0; i < 2; i++)
		names[i] = model && i < model->n_classes ? model->classes[i] : standard[i];
	config_check_records_classes(config, problems, SINK_PACKETS, names, 2);
	packet_engine_free(engine);
	model_free(model);
}

/* Finds the class of a policy among those of the model. */
static void find_class(struct config *config, struct config_problems *problems, struct config_class *class,
		       const char *const *names, uint32_t n)
{
	char list[512] = "";
	size_t used = 0;
	int32_t near;

	for (uint32_t i = 0; i < n; i++)
		if (!strcmp(names[i], class->name))
			class->class = (int32_t)i;
	if (class->class >= 0)
		return;
	near = config_name_near(class->name, names, n);
	if (near >= 0) {
		config_tell(config, problems, class, "the model of flows has no class '%s'; do you mean %s?",
			    class->name, names[near]);
		return;
	}
	for (uint32_t i = 0; i < n && used < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
					 i == 0	      ? ""
					 : i + 1 == n ? " and "
						      : ", ",
					 names[i]);
	config_tell(config, problems, class, "the model of flows has no class '%s'; it has %s", class->name, list);
}

/* A threshold that never decides anything. */
static void check_threshold(const struct config *config, struct config_problems *problems,
			    const struct config_class *class, double least)
{
	if (class->threshold <= 0 || class->class < 0)
		return;
	if (class->class == 0)
		config_tell(config, problems, &class->threshold,
			    "%s is the class of flows below the model's threshold; leave it out", class->name);
	else if (class->threshold < least)
		config_tell(
			config, problems, &class->threshold,
			"is below %g, from which the model finds the class; lower [models] flow-threshold, or leave "
			"it out",
			least);
	else if (class->threshold >= 1)
		config_tell(config, problems, &class->threshold,
			    "is a score that no flow comes to, so it is never done; lower it, or leave it out");
}

/* Who holds flows back until they have a verdict must give them one while they go on. */
static void check_hold(struct config *config, struct config_problems *problems, const struct flow_model *model)
{
	const struct config_flow *flow = &config->flow;

	config->models.flow_checkpoints = flow->has_checkpoints ? flow->checkpoints : model->checkpoints;
	if (config->policy.before_verdict == CONFIG_HOLD_DROP && !config->models.flow_checkpoints)
		config_tell(
			config, problems, &config->policy.before_verdict,
			"no flow would ever pass: flows are scored only when they end; set [flow] checkpoints = "
			"1,2,4,8,end, or forward");
}

static void check_classes(struct config *config, struct config_problems *problems, const struct model *model,
			  uint32_t n)
{
	char numbers[CONFIG_MAX_CLASSES][16];
	const char *names[CONFIG_MAX_CLASSES];
	double least =
		isnan(config->models.flow_threshold) ? (double)model->threshold : config->models.flow_threshold;

	for (uint32_t i = 0; i < n; i++) {
		snprintf(numbers[i], sizeof(numbers[i]), "%u", i);
		names[i] = model->n_classes ? model->classes[i] : n == 2 ? class_names[i] : numbers[i];
	}
	for (uint32_t i = 0; i < config->n_classes; i++) {
		find_class(config, problems, &config->classes[i], names, n);
		check_threshold(config, problems, &config->classes[i], least);
	}
	config_check_records_classes(config, problems, SINK_FLOWS, names, n);
}

static void check_flow_model(struct config *config, struct config_problems *problems,
			     const struct nn_kernel *kernel)
{
	struct config_model *named = &config->models.flow;
	struct model *model = load_model(config, problems, named);
	struct flow_model *made = NULL;
	char error[512];

	if (model && flow_model_create(model, kernel, &made, error, sizeof(error)))
		config_tell(config, problems, named, "%s: %s; name a model of flows", named->path, error);
	if (made && config->flow.n_flows) {
		check_classes(config, problems, model, made->n_classes);
		check_hold(config, problems, made);
	}
	flow_model_free(made);
	model_free(model);
}

void config_check_models(struct config *config, struct config_problems *problems)
{
	const struct nn_kernel *kernel = check_kernel(config, problems);

	check_packet_model(config, problems, kernel);
	check_flow_model(config, problems, kernel);
}
