/* SPDX-License-Identifier: BSD-3-Clause */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <zlib.h>

#include "same_file.h"

#define OUTPUT_BUFFER_BYTES (256u << 10)
#define OUTPUT_PACKED_BYTES (64u << 10)

/* Level 6 takes nearly three times as long, for files that are a fifth smaller. */
#define OUTPUT_GZIP_LEVEL  1
#define OUTPUT_GZIP_WINDOW (15 + 16) /* the largest, and gzip's header rather than zlib's */
#define OUTPUT_GZIP_MEMORY 8	     /* zlib's default */

struct output_gzip {
	z_stream stream;
	uint8_t packed[OUTPUT_PACKED_BYTES];
};

bool output_path_ends(const char *path, size_t n_bytes, const char *ending)
{
	size_t n = strlen(ending);

	return n_bytes > n && !strncasecmp(path + n_bytes - n, ending, n);
}

int output_stat(const char *path, struct stat *status)
{
	return (strcmp(path, "-") ? stat(path, status) : fstat(STDOUT_FILENO, status)) ? -errno : 0;
}

bool output_path_is_stdout(const char *path)
{
	struct stat file, out;

	if (!strcmp(path, "-"))
		return true;
	if (stat(path, &file) || fstat(STDOUT_FILENO, &out) || !is_same_file(&file, &out))
		return false;
	/* In /dev/null nothing can get mixed up: there is no reason to move the summary to stderr. */
	return !S_ISCHR(out.st_mode) || isatty(STDOUT_FILENO);
}

int output_hold_pipe(const char *path)
{
	struct stat status;
	int fd;

	if (!strcmp(path, "-") || stat(path, &status) || !S_ISFIFO(status.st_mode) || output_path_is_stdout(path))
		return OUTPUT_NO_PIPE;
	fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void output_free(struct output *output)
{
	if (output->gzip)
		deflateEnd(&output->gzip->stream);
	free(output->gzip);
	free(output->buffer);
	free(output->ends);
	free(output->created);
	output->gzip = NULL;
	output->buffer = NULL;
	output->ends = NULL;
	output->created = NULL;
}

static int output_allocate(struct output *output, bool is_gzip)
{
	output->buffer = malloc(OUTPUT_BUFFER_BYTES);
	output->ends = reallocarray(NULL, OUTPUT_MAX_LINES, sizeof(*output->ends));
	if (!output->buffer || !output->ends)
		return -ENOMEM;
	output->size_bytes = OUTPUT_BUFFER_BYTES;
	if (!is_gzip)
		return 0;
	output->gzip = calloc(1, sizeof(*output->gzip));
	if (!output->gzip || deflateInit2(&output->gzip->stream, OUTPUT_GZIP_LEVEL, Z_DEFLATED, OUTPUT_GZIP_WINDOW,
					  OUTPUT_GZIP_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	return 0;
}

/* Opens the file, and remembers its name where it was not there. 0 or a negative errno. */
static int output_open_file(struct output *output, const char *path)
{
	const int flags = O_WRONLY | O_CREAT | O_CLOEXEC;

	output->fd = open(path, flags | O_EXCL, 0666);
	if (output->fd < 0) {
		if (errno == EEXIST)
			output->fd = open(path, flags, 0666);
		return output->fd < 0 ? -errno : 0;
	}
	output->created = strdup(path);
	if (output->created)
		return 0;
	unlink(path);
	close(output->fd);
	return -ENOMEM;
}

int output_open(struct output *output, const char *path)
{
	int rc = 0;

	*output = (struct output){.fd = STDOUT_FILENO, .is_stdout = output_path_is_stdout(path)};
	if (!output->is_stdout)
		rc = output_open_file(output, path);
	if (rc) {
		output_free(output);
		return rc;
	}
	rc = fstat(output->fd, &output->status)
		     ? -errno
		     : output_allocate(output, output_path_ends(path, strlen(path), ".gz"));
	if (rc)
		output_close(output);
	return rc;
}

int output_begin(struct output *output)
{
	/* What the shell opened as stdout may be appended to; it is not ours to empty. */
	if (!output->is_stdout && S_ISREG(output->status.st_mode) && ftruncate(output->fd, 0))
		return -errno;
	output->is_begun = true;
	return 0;
}

bool output_is_file(const struct output *output, const struct stat *status)
{
	return is_same_file(&output->status, status);
}

/* Returns how many bytes the file has taken: all, unless there is an error now. */
static size_t output_write(struct output *output, const void *bytes, size_t n_bytes)
{
	size_t n_done = 0;

	while (n_done < n_bytes && !output->error) {
		ssize_t n = write(output->fd, (const char *)bytes + n_done, n_bytes - n_done);

		if (n >= 0)
			n_done += (size_t)n;
		else if (errno != EINTR)
			output->error = errno;
	}
	return n_done;
}

/* Compresses n_bytes and writes all that comes of them, so that a reader needs nothing that follows. */
static void output_write_gzip(struct output *output, char *bytes, size_t n_bytes, int flush)
{
	struct output_gzip *gzip = output->gzip;

	gzip->stream.next_in = (Bytef *)bytes;
	gzip->stream.avail_in = (uInt)n_bytes;
	do {
		gzip->stream.next_out = gzip->packed;
		gzip->stream.avail_out = sizeof(gzip->packed);
		deflate(&gzip->stream, flush);
		output_write(output, gzip->packed, sizeof(gzip->packed) - gzip->stream.avail_out);
	} while (!gzip->stream.avail_out && !output->error);
}

static void output_flush(struct output *output)
{
	size_t n_done = 0;
	uint32_t n_whole = 0;

	if (!output->used_bytes)
		return;
	if (!output->gzip)
		n_done = output_write(output, output->buffer, output->used_bytes);
	else
		output_write_gzip(output, output->buffer, output->used_bytes, Z_SYNC_FLUSH);
	if (!output->error)
		n_done = output->used_bytes;
	/* A part of the buffer may have been taken: only its whole lines count, of a compressed one none. */
	while (n_whole < output->n_buffered && output->ends[n_whole] <= n_done)
		n_whole++;
	output->n_written += n_whole;
	output->n_lost += output->n_buffered - n_whole;
	output->n_buffered = 0;
	output->used_bytes = 0;
}

char *output_reserve(struct output *output, size_t n_bytes)
{
	char *larger;

	if (output->size_bytes - output->used_bytes < n_bytes || output->n_buffered == OUTPUT_MAX_LINES)
		output_flush(output);
	if (output->size_bytes < n_bytes && !output->error) {
		larger = n_bytes <= INT32_MAX ? realloc(output->buffer, n_bytes) : NULL;
		if (larger) {
			output->buffer = larger;
			output->size_bytes = n_bytes;
		} else {
			output->error = ENOMEM;
		}
	}
	return output->error ? NULL : output->buffer + output->used_bytes;
}

void output_commit(struct output *output, size_t n_bytes, bool is_counted)
{
	output->used_bytes += n_bytes;
	if (is_counted)
		output->ends[output->n_buffered++] = output->used_bytes;
}

int output_close(struct output *output)
{
	if (output->is_begun) {
		output_flush(output);
		if (output->gzip && !output->error)
			output_write_gzip(output, NULL, 0, Z_FINISH);
	}
	if (!output->is_stdout && close(output->fd) && !output->error)
		output->error = errno;
	if (output->created && !output->is_begun)
		unlink(output->created);
	output_free(output);
	return -output->error;
}

const char *output_loss(const struct output *output, const char *unit, char *text, size_t size)
{
	if (output->n_lost)
		snprintf(text, size, "%" PRIu64 " of %" PRIu64 " %s could not be written: %s", output->n_lost,
			 output->n_lost + output->n_written, unit, strerror(output->error));
	else
		snprintf(text, size, "could not be finished: %s", strerror(output->error));
	return text;
}
