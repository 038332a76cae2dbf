/* SPDX-License-Identifier: BSD-3-Clause */
#include "model_output.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"

/* Names of files that a model keeps. */
#define MAX_NAMES 4

const char *model_output_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

int model_output_check(const char *path)
{
	char *folder = strdup(path), *slash = folder != NULL ? strrchr(folder, '/') : NULL;
	int rc;

	if (slash != NULL)
		slash[slash == folder] = '\0';
	rc = access(slash != NULL ? folder : ".", W_OK | X_OK);
	if (rc < 0)
		complain("%s: cannot be written: %s", path, strerror(errno));
	free(folder);
	return rc < 0 ? EXIT_FAILED : EXIT_OK;
}

int model_output_add_fact(struct model *model, const char *name, const char *format, ...)
{
	char *text;
	va_list args;
	int rc;

	va_start(args, format);
	rc = vasprintf(&text, format, args);
	va_end(args);
	if (rc < 0)
		return -ENOMEM;
	rc = model_add_fact(model, name, text);
	free(text);
	return rc;
}

int model_output_add_files(struct model *model, const char *name, char *const *paths, int n_paths)
{
	char *names = NULL;
	size_t size;
	FILE *stream = open_memstream(&names, &size);
	int rc;

	if (stream == NULL)
		return -ENOMEM;
	for (int i = 0; i < n_paths && i < MAX_NAMES; i++)
		fprintf(stream, "%s%s", i > 0 ? "," : "", model_output_base_name(paths[i]));
	if (n_paths > MAX_NAMES)
		fprintf(stream, " and %d more", n_paths - MAX_NAMES);
	rc = fclose(stream) == 0 ? model_add_fact(model, name, names) : -ENOMEM;
	free(names);
	return rc;
}

int model_output_add_options(struct model *model, const struct train_options *o)
{
	int rc = model_add_fact(model, "optimizer", train_optimizer_name(o->optimizer));

	rc = rc < 0 ? rc : model_output_add_fact(model, "lr", "%g", o->learning_rate);
	rc = rc < 0 ? rc : model_output_add_fact(model, "lr_final", "%g", o->learning_rate_final);
	rc = rc < 0 ? rc : model_output_add_fact(model, "batch", "%" PRIu32, o->batch);
	return rc < 0 ? rc : model_output_add_fact(model, "seed", "%" PRIu64, o->seed);
}

int model_output_save(const struct model *model, const char *path)
{
	char error[PATH_MAX + 256], shape[64];

	if (model_save(model, path, error, sizeof(error)) < 0) {
		complain("%s: %s", path, error);
		return EXIT_FAILED;
	}
	printf("%s: %s, %zu parameters\n", path, nn_network_shape(&model->network, shape, sizeof(shape)),
	       nn_network_n_parameters(&model->network));
	return finish_stdout();
}
