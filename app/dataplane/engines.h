/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a worker classifies with: a classifier and, where there are flows, a flow engine. Made by the control core.
 */
#ifndef WIRESCORE_DATAPLANE_ENGINES_H
#define WIRESCORE_DATAPLANE_ENGINES_H

#include <stdint.h>

#include "classify.h"
#include "flow_engine.h"

/*
 * Makes them with the worker's own stats, which options has and the flow engine's options need not; flows is NULL for
 * none, and n_workers how many share what is seen of hosts. What was made is the caller's, also where it fails. 0, or a
 * negative errno as flow_engine_create has it.
 */
int engines_create(struct classifier_options options, const struct flow_engine_options *flows, uint32_t n_workers,
		   struct flow_engine **flow_engine, struct classifier **classifier);

#endif
