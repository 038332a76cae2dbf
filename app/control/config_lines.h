/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a config file to its settings, in order. rte_cfgfile reads them, but it says nothing of lines without '=', of
 * keys that are there twice, nor of names and values that it cuts: the lines are looked at first, what is wrong is
 * told of with its line, and rte_cfgfile is given the others. Called by config.c.
 */
#ifndef WIRESCORE_CONTROL_CONFIG_LINES_H
#define WIRESCORE_CONTROL_CONFIG_LINES_H

#include <stdint.h>

#include "config_problems.h"

/* A config file that is larger is refused. */
#define CONFIG_MAX_BYTES (256u << 10)

/* Takes a heading: value is NULL and key too; or a setting of the last heading. 0, or what config_lines_read returns. */
typedef int config_lines_sink(void *context, const char *section, const char *key, const char *value,
			      uint32_t line);

/* Reads a file and hands over what is in it. 0, -ENOMEM, or what the sink returned; mistakes go to problems. */
int config_lines_read(const char *path, config_lines_sink *sink, void *context, struct config_problems *problems);

#endif
