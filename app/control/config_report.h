/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a config would run, for people and as JSON. Called by `wirescore check`.
 */
#ifndef WIRESCORE_CONTROL_CONFIG_REPORT_H
#define WIRESCORE_CONTROL_CONFIG_REPORT_H

#include <stdio.h>

#include <jansson.h>

#include "config.h"

/* Of a config that config_check found no mistake in. */
void config_report_print(const struct config *config, FILE *file);

/* The same as an object; NULL when memory is out. */
json_t *config_report_json(const struct config *config);

#endif
