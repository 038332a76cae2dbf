/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A file that lines of text go to: plain, compressed, or stdout. The writers of records are built on it; the
 * control core's. A file that takes no more (full disk, closed pipe) ends the writing, not the run.
 */
#ifndef WIRESCORE_CONTROL_OUTPUT_H
#define WIRESCORE_CONTROL_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* Lines that are held back until they are written together. */
#define OUTPUT_MAX_LINES 4096

struct output_gzip;

struct output {
	int fd;
	struct stat status; /* of the file */
	bool is_stdout;	    /* by whatever name: what else is printed goes elsewhere */
	bool is_begun;
	char *created;		  /* path of a file that output_open has made; else NULL */
	struct output_gzip *gzip; /* NULL: plain */
	char *buffer;
	size_t size_bytes;
	size_t used_bytes;
	uint32_t n_buffered; /* lines in the buffer ... */
	size_t *ends;	     /* ... and where each ends: [OUTPUT_MAX_LINES] */
	uint64_t n_written;  /* lines that the file has taken */
	uint64_t n_lost;     /* lines that it has not */
	int error;	     /* errno of the first failure, or 0 */
};

/* Whether the path, or its first n_bytes, end so; upper and lower case are the same. */
bool output_path_ends(const char *path, size_t n_bytes, const char *ending);

/*
 * What is at path before output_open makes anything there; "-" is stdout. 0 or a negative errno, -ENOENT where
 * there is nothing yet.
 */
int output_stat(const char *path, struct stat *status);

/*
 * Whether output_open takes path for stdout: "-", and every name of the file, pipe or terminal that is behind it
 * (/dev/stdout), since a second opening would write over what the first one wrote.
 */
bool output_path_is_stdout(const char *path);

/*
 * Whoever opens a named pipe that nobody reads waits. Returns a descriptor to keep open until output_open has returned,
 * so that it does not; -ENXIO where nobody reads; another negative errno; or OUTPUT_NO_PIPE where path is none.
 */
#define OUTPUT_NO_PIPE INT32_MAX
int output_hold_pipe(const char *path);

/*
 * Opens path, "-" being stdout and a name that ends in .gz a file to compress, and leaves what is in it until
 * output_begin. 0 or a negative errno.
 */
int output_open(struct output *output, const char *path);

/* Empties the file: from here on it is ours. 0 or a negative errno. */
int output_begin(struct output *output);

/* Whether status is of the very file that is written. */
bool output_is_file(const struct output *output, const struct stat *status);

/* n_bytes of room for a line; NULL where the file takes no more, and the caller counts the line as lost. */
char *output_reserve(struct output *output, size_t n_bytes);

/* Takes n_bytes of the room: a line that is counted, or text that is not (a head). */
void output_commit(struct output *output, size_t n_bytes, bool is_counted);

/*
 * Writes what is left. 0, or a negative errno where anything was lost. A compressed file is written in parts that
 * can be read without those behind them: n_written lines are in it at least, also where its end is missing.
 * Without output_begin the file is left as it was; one that output_open has made is removed.
 */
int output_close(struct output *output);

/*
 * What output_close found wrong, such as "3 of 8 rows could not be written: No space left on device", into text;
 * unit is what a line is, in the plural. Returns text.
 */
const char *output_loss(const struct output *output, const char *unit, char *text, size_t size);

#endif
