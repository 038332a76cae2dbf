/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files that `wirescore generate` writes: whole or not at all. Used by generate_packets.c and generate_flows.c.
 */
#ifndef WIRESCORE_GENERATE_FILE_H
#define WIRESCORE_GENERATE_FILE_H

#include <stdbool.h>
#include <stdio.h>

/* A file being written; path is NULL where none was asked for. */
struct generated_file {
	const char *path;
	char *temporary; /* what is written, to take path's place when it is whole; NULL for stdout and devices */
	FILE *stream;
};

/* Whether two paths lead to one file. */
bool generated_file_is_same(const char *left, const char *right);

/* Complains of errno; returns -1. */
int generated_file_failed(const struct generated_file *file);

/* A file that is there already stays as it is until the new one is whole. path "-" is stdout. 0, or -1 after complaining. */
int generated_file_open(struct generated_file *file, const char *path);
int generated_file_flush(const struct generated_file *file);

/* What a failed run has written is removed, unless it went to a device or stdout. 0, or -1 after complaining. */
int generated_file_close(struct generated_file *file, bool failed);

#endif
