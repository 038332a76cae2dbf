/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The files that a command reads, so that none is read twice or written over. Called by the trainers.
 */
#ifndef WIRESCORE_INPUT_FILES_H
#define WIRESCORE_INPUT_FILES_H

#include <stdbool.h>
#include <sys/stat.h>

struct input_file {
	char *path;
	struct stat status;
	bool is_labels; /* the rules of a capture, which others may share */
};

/* All zeros at first; input_files_free releases them. */
struct input_files {
	struct input_file *files; /* [n]; without those that are not there: who reads them complains */
	int n;
};

/*
 * Adds the files that names of data lead to: tables, and captures (PATH or PATH=LABEL) with the file of their
 * labels. EXIT_OK, or EXIT_FAILED after complaining, also of data that are given twice, under whatever name.
 */
int input_files_add(struct input_files *files, char *const *names, int n_names);
void input_files_free(struct input_files *files);

/* Whether an output would overwrite none of them. EXIT_OK, or EXIT_FAILED after complaining. */
int input_files_check_output(const struct input_files *files, const char *output);

#endif
