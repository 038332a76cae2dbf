/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tables as temporary files, for the tests of what reads them.
 */
#ifndef WIRESCORE_TESTS_TABLE_FILE_H
#define WIRESCORE_TESTS_TABLE_FILE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Writes n_bytes into a new file; returns its path, to be released with table_file_remove. */
static inline char *table_file_write(const void *bytes, size_t n_bytes)
{
	char *path = strdup("/tmp/wirescore-table-XXXXXX");
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, n_bytes), n_bytes);
	close(fd);
	return path;
}

static inline char *table_file_text(const char *text)
{
	return table_file_write(text, strlen(text));
}

static inline void table_file_remove(char *path)
{
	unlink(path);
	free(path);
}

#endif
