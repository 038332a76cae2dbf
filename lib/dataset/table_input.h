/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bytes of a table: a plain file, a gzip file (also of several members) or the one member of a zip file. Called
 * by csv.c; one thread at a time. Memory does not depend on the size of the file.
 */
#ifndef WIRESCORE_DATASET_TABLE_INPUT_H
#define WIRESCORE_DATASET_TABLE_INPUT_H

#include <stddef.h>
#include <stdint.h>

struct table_input;

/*
 * Opens a file; the first bytes say what it is. Pipes are read too, but zip files must be regular. 0, or a negative
 * errno with one line in error. table_input_close releases it.
 */
int table_input_open(const char *path, struct table_input **input, char *error, size_t error_size);
void table_input_close(struct table_input *input);

/*
 * Reads up to n_bytes. Returns how many, 0 at the end, or a negative errno with one line in error: what cannot be
 * read, compressed data that are damaged or end early.
 */
int64_t table_input_read(struct table_input *input, void *bytes, size_t n_bytes, char *error, size_t error_size);

#endif
