/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parts of config_check. Called by config_check.c.
 */
#ifndef WIRESCORE_CONTROL_CONFIG_CHECK_H
#define WIRESCORE_CONTROL_CONFIG_CHECK_H

#include "config.h"

/* Tells of what must be set and is not. */
void config_tell_missing(const struct config *config, struct config_problems *problems);

/* Whether the file or the command line has set a field. */
bool config_is_set(const struct config *config, const void *field);

/* What is wrong with where records go: with one, and between several. */
void config_check_records(const struct config *config, struct config_problems *problems);

/* Whether this machine and this build have what they need. */
void config_check_records_machine(const struct config *config, struct config_problems *problems);

/* Finds the classes that records are chosen by; names of class 0 and up, or the model's own of packets. */
void config_check_records_classes(struct config *config, struct config_problems *problems,
				  enum sink_records records, const char *const *names, uint32_t n);

/*
 * A file that is to be written by the user of security: its folder is there, and it or, where it is to be made or
 * renamed, its folder takes writes.
 */
void config_check_output(const struct config *config, struct config_problems *problems, const void *field,
			 const char *path, bool is_renamed, const struct config_security *security);

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
