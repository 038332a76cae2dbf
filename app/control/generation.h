/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Models and policy of a live run, loaded and validated as one: workers go from one generation to the next as a
 * whole. The control core's.
 */
#ifndef WIRESCORE_CONTROL_GENERATION_H
#define WIRESCORE_CONTROL_GENERATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "dataplane/live_worker.h"
#include "input_bins.h"
#include "model.h"

struct generation {
	struct live_generation live; /* what workers see */
	struct model *packet_model, *flow_model;
	/* Of their inputs, to tell drift by; NULL: the model has none. */
	struct input_bins *packet_bins, *flow_bins;
	struct packet_engine *packet_engine;
	struct flow_model *flow_engine_model;
	char *packet_class_json[2]; /* as JSON strings */
	const char *packet_class_names[2];
	char **flow_class_json; /* [n_classes] of the flow model */
	uint32_t n_workers;
};

/* Loads what a checked config names. 0, or a negative errno with one line in error. */
int generation_create(const struct config *config, uint32_t n_workers, struct generation **generation, char *error,
		      size_t error_size);
void generation_free(struct generation *generation);

/*
 * Whether workers can go from one to the other without losing what they know of flows; config is what the other was
 * made of, and its mistakes are told. engine is a worker's, NULL: there are no flows.
 */
bool generation_follows(const struct generation *before, const struct generation *after,
			const struct flow_engine *engine, const struct config *config,
			struct config_problems *problems);

#endif
