/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A config as a command line names it: a file, and what --set says on top. For the commands that take one.
 */
#ifndef WIRESCORE_CONTROL_CONFIG_COMMAND_H
#define WIRESCORE_CONTROL_CONFIG_COMMAND_H

#include <stdint.h>

#include "config.h"

struct config_command {
	const char *path;
	char **sets; /* SECTION.KEY=VALUE, in order; each has an = */
	uint32_t n_sets;
};

/*
 * Reads the file into a new config, has --set win, and checks it; what is as config_check has it. All mistakes go to
 * problems, sorted. 0 or -ENOMEM.
 */
int config_command_read(const struct config_command *command, unsigned int what, struct config *config,
			struct config_problems *problems);

/* Complains of each mistake and of how many there are. */
void config_command_complain(const struct config_command *command, const struct config_problems *problems);

/* Prints what is no mistake, and may not be meant; what is as config_check has it. */
void config_command_warn(const struct config_command *command, unsigned int what, const struct config *config);

#endif
