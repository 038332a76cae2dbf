/* SPDX-License-Identifier: BSD-3-Clause */
#include "packet_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Holds at least one line, also where a path is PATH_MAX long and each byte of it six in JSON. */
#define WRITER_BUFFER_BYTES (256u << 10)
_Static_assert(WRITER_BUFFER_BYTES > 6 * PATH_MAX + (64u << 10), "a line must fit");

int packet_writer_open(struct packet_writer *writer, const char *path, const char *const classes[3])
{
	*writer = (struct packet_writer){.format.classes = {classes[0], classes[1], classes[2]}};
	writer->fd = strcmp(path, "-") ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666) : STDOUT_FILENO;
	if (writer->fd < 0)
		return -errno;
	writer->buffer = malloc(WRITER_BUFFER_BYTES);
	if (!writer->buffer || fstat(writer->fd, &writer->status)) {
		int rc = writer->buffer ? -errno : -ENOMEM;

		packet_writer_close(writer);
		return rc;
	}
	packet_writer_set_capture(writer, NULL, false);
	return 0;
}

int packet_writer_begin(struct packet_writer *writer)
{
	/* What the shell opened as stdout may be appended to; it is not ours to empty. */
	if (writer->fd != STDOUT_FILENO && S_ISREG(writer->status.st_mode) && ftruncate(writer->fd, 0))
		return -errno;
	return 0;
}

void packet_writer_set_capture(struct packet_writer *writer, const char *capture, bool has_nanoseconds)
{
	writer->format.capture = capture;
	writer->format.has_nanoseconds = has_nanoseconds;
	writer->line_room = record_packet_ndjson_room(&writer->format);
}

static void packet_writer_flush(struct packet_writer *writer)
{
	size_t n_done = 0;

	while (n_done < writer->used_bytes && !writer->error) {
		ssize_t n = write(writer->fd, writer->buffer + n_done, writer->used_bytes - n_done);

		if (n >= 0)
			n_done += (size_t)n;
		else if (errno != EINTR)
			writer->error = errno;
	}
	if (writer->error) {
		/* A part of the buffer may have been taken: only its whole lines count. */
		for (size_t i = 0; i < n_done; i++)
			if (writer->buffer[i] == '\n') {
				writer->n_written++;
				writer->n_buffered--;
			}
		writer->n_lost += writer->n_buffered;
	} else {
		writer->n_written += writer->n_buffered;
	}
	writer->n_buffered = 0;
	writer->used_bytes = 0;
}

void packet_writer_write(struct packet_writer *writer, const struct packet_record *records, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (WRITER_BUFFER_BYTES - writer->used_bytes < writer->line_room)
			packet_writer_flush(writer);
		if (writer->error) {
			writer->n_lost += n - i;
			return;
		}
		writer->used_bytes +=
			record_packet_ndjson(&records[i], &writer->format, writer->buffer + writer->used_bytes);
		writer->n_buffered++;
	}
}

int packet_writer_close(struct packet_writer *writer)
{
	if (writer->buffer)
		packet_writer_flush(writer);
	if (writer->fd != STDOUT_FILENO && close(writer->fd) && !writer->error)
		writer->error = errno;
	free(writer->buffer);
	writer->buffer = NULL;
	return -writer->error;
}
