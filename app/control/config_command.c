/* SPDX-License-Identifier: BSD-3-Clause */
#include "config_command.h"

#include <string.h>

#include "command.h"
#include "config_check.h"

/* Takes what --set says, one after the other. 0 or -ENOMEM. */
static int take_sets(const struct config_command *command, struct config *config, struct config_problems *problems)
{
	int rc = 0;

	for (uint32_t i = 0; i < command->n_sets && !rc; i++) {
		char *equals = strchr(command->sets[i], '=');

		*equals = '\0';
		rc = config_override(config, command->sets[i], equals + 1, problems);
		*equals = '=';
	}
	return rc;
}

int config_command_read(const struct config_command *command, unsigned int what, struct config *config,
			struct config_problems *problems)
{
	int rc = config_read(config, command->path, problems);

	if (!rc)
		rc = take_sets(command, config, problems);
	/* A file that cannot be read has one mistake, not all that it lacks. */
	if (!rc && (config->n_places || !problems->n))
		rc = config_check(config, what, problems);
	config_problems_sort(problems);
	return rc;
}

void config_command_complain(const struct config_command *command, const struct config_problems *problems)
{
	config_problems_print(problems, command->path, complaints());
	complain("%s: %u mistake%s", command->path, problems->n, problems->n == 1 ? "" : "s");
}

void config_command_warn(const struct config_command *command, unsigned int what, const struct config *config)
{
	struct config_problems warnings = {0};

	config_warn(config, what, &warnings);
	config_problems_sort(&warnings);
	config_problems_print(&warnings, command->path, complaints());
	config_problems_free(&warnings);
}
