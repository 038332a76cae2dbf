/* SPDX-License-Identifier: BSD-3-Clause */
#include "live_models.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "json_text.h"

static pthread_mutex_t models_lock = PTHREAD_MUTEX_INITIALIZER;
static json_t *models; /* nobody else has it */

static json_t *version_of(const struct model *model)
{
	uint8_t *bytes = NULL;
	char text[16], error[256];
	size_t n_bytes;

	if (model_save_memory(model, &bytes, &n_bytes, error, sizeof(error)))
		return json_null();
	snprintf(text, sizeof(text), "%08lx", crc32_z(0, bytes, n_bytes));
	free(bytes);
	return json_string(text);
}

static json_t *report_model(const struct model *model, const char *path)
{
	const char *slash = strrchr(path, '/');
	json_t *classes = json_array();

	for (uint32_t i = 0; i < model->n_classes; i++)
		json_array_append_new(classes, json_text(model->classes[i]));
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:i, s:i, s:f, s:o}", "name",
			 json_text(slash ? slash + 1 : path), "path", json_text(path), "version", version_of(model),
			 "schema", json_text_or_null(model->schema), "producer", json_text_or_null(model->producer),
			 "inputs", (int)model->network.n_in, "layers", (int)model->network.n_layers, "threshold",
			 (double)model->threshold, "classes", classes);
}

void live_models_set(const struct generation *generation, const struct config *config)
{
	const struct nn_kernel *kernel = nn_kernel_find(config->models.kernel);
	json_t *after = json_pack(
		"{s:s, s:o, s:o}", "kernel", kernel->name, "packet",
		generation->packet_model ? report_model(generation->packet_model, config->models.packet.path)
					 : json_null(),
		"flow",
		generation->flow_model ? report_model(generation->flow_model, config->models.flow.path)
				       : json_null());

	pthread_mutex_lock(&models_lock);
	json_decref(models);
	models = after;
	pthread_mutex_unlock(&models_lock);
}

json_t *live_models_report(void)
{
	json_t *copy;

	pthread_mutex_lock(&models_lock);
	copy = models ? json_deep_copy(models) : json_object();
	pthread_mutex_unlock(&models_lock);
	return copy;
}

void live_models_clear(void)
{
	pthread_mutex_lock(&models_lock);
	json_decref(models);
	models = NULL;
	pthread_mutex_unlock(&models_lock);
}
