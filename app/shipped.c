/* SPDX-License-Identifier: BSD-3-Clause */
#include "shipped.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *shipped_model_path(const char *name, char *path, size_t path_size)
{
	const char *folder = getenv("WIRESCORE_MODELS");
	char program[PATH_MAX], here[PATH_MAX];
	ssize_t length;

	if (folder && *folder) {
		snprintf(path, path_size, "%s/%s", folder, name);
		return path;
	}
	/* build/app/wirescore -> config/models of the source tree */
	length = readlink("/proc/self/exe", program, sizeof(program) - 1);
	if (length > 0) {
		program[length] = '\0';
		for (int i = 0; i < 3; i++) {
			char *slash = strrchr(program, '/');

			if (slash)
				*slash = '\0';
		}
		/* Short where people stand in the tree, as the path is printed. */
		if (getcwd(here, sizeof(here)) && !strcmp(here, program))
			snprintf(path, path_size, "config/models/%s", name);
		else
			snprintf(path, path_size, "%.*s/config/models/%s", (int)sizeof(program), program, name);
		if (!access(path, R_OK))
			return path;
	}
	snprintf(path, path_size, "%s/%s", WIRESCORE_MODEL_DIR, name);
	return path;
}
