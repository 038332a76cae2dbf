/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parts of config_check. Called by config_check.c.
 */
#ifndef WIRESCORE_CONTROL_CONFIG_CHECK_H
#define WIRESCORE_CONTROL_CONFIG_CHECK_H

#include "config.h"

/* Tells of what must be set and is not. */
void config_tell_missing(const struct config *config, struct config_problems *problems);

/* Loads the models, and finds the classes that policies are for. */
void config_check_models(struct config *config, struct config_problems *problems);

/* Looks for what the config names on this machine. */
void config_check_machine(const struct config *config, struct config_problems *problems);

/*
 * Of a config without mistakes: tells of what may not be meant, in lines that begin with "warning: ". what is as
 * config_check has it.
 */
void config_warn(const struct config *config, unsigned int what, struct config_problems *warnings);

#endif
