/* SPDX-License-Identifier: BSD-3-Clause */
#include "input_files.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "flow_captures.h"
#include "same_file.h"

/* The file of that status among those that were added; NULL: none. Pipes and devices hold nothing to lose. */
static const struct input_file *file_find(const struct input_files *files, const struct stat *status)
{
	for (int i = 0; i < files->n && S_ISREG(status->st_mode); i++)
		if (is_same_file(&files->files[i].status, status))
			return &files->files[i];
	return NULL;
}

/* Adds a file that is there. EXIT_OK, or EXIT_FAILED after complaining. */
static int file_add(struct input_files *files, const char *path, bool is_labels)
{
	struct input_file file = {.is_labels = is_labels}, *grown;
	const struct input_file *other;

	if (stat(path, &file.status) < 0)
		return EXIT_OK;
	other = file_find(files, &file.status);
	if (other != NULL && !(is_labels && other->is_labels)) {
		complain("%s: is read already, as %s; name it once", path, other->path);
		return EXIT_FAILED;
	}
	grown = reallocarray(files->files, (size_t)files->n + 1, sizeof(*grown));
	file.path = strdup(path);
	if (grown != NULL)
		files->files = grown;
	if (grown == NULL || file.path == NULL) {
		free(file.path);
		complain("out of memory");
		return EXIT_FAILED;
	}
	files->files[files->n++] = file;
	return EXIT_OK;
}

int input_files_add(struct input_files *files, char *const *names, int n_names)
{
	int code = EXIT_OK;

	for (int i = 0; i < n_names && code == EXIT_OK; i++) {
		char path[PATH_MAX], rules[PATH_MAX];

		flow_captures_files(names[i], path, rules);
		code = file_add(files, path, false);
		if (code == EXIT_OK && rules[0] != '\0')
			code = file_add(files, rules, true);
	}
	return code;
}

void input_files_free(struct input_files *files)
{
	for (int i = 0; i < files->n; i++)
		free(files->files[i].path);
	free(files->files);
	*files = (struct input_files){0};
}

int input_files_check_output(const struct input_files *files, const char *output)
{
	const struct input_file *input;
	struct stat status;

	if (stat(output, &status) < 0)
		return EXIT_OK;
	input = file_find(files, &status);
	if (input == NULL)
		return EXIT_OK;
	complain("%s: is a file that is read (%s); name another output", output, input->path);
	return EXIT_FAILED;
}
