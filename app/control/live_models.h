/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the models of a live run are, for those who ask while the control core may take over others.
 */
#ifndef WIRESCORE_CONTROL_LIVE_MODELS_H
#define WIRESCORE_CONTROL_LIVE_MODELS_H

#include <jansson.h>

#include "config.h"
#include "generation.h"

/* Takes down what a generation is made of. The control core's; where memory is out, nothing is known. */
void live_models_set(const struct generation *generation, const struct config *config);

/*
 * {"kernel", "packet", "flow"}, the last two null or {"name", "version", ...}; version is the CRC-32 of the model as it
 * runs, its threshold included. The caller's own; NULL when memory is out. Any thread.
 */
json_t *live_models_report(void);

/* Forgets them. */
void live_models_clear(void);

#endif
