/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Plain, gzipped and zipped tables as a stream of bytes. Called by csv.c. The layout of zip files is that of
 * PKWARE's APPNOTE.TXT 6.3: the directory stands at the end of the file, and is what counts.
 */
#include "table_input.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define GZIP_BUFFER_BYTES (256u << 10)
#define ZIP_BUFFER_BYTES  65536u
#define ZIP_END_BYTES	  22u	 /* end of the directory, without its comment */
#define ZIP_COMMENT_BYTES 65535u /* at most */
#define ZIP_ENTRY_BYTES	  46u
#define ZIP_LOCAL_BYTES	  30u
#define ZIP_ENCRYPTED	  1u
#define ZIP_STORED	  0u
#define ZIP_DEFLATED	  8u
#define ZIP_64		  UINT32_MAX /* a number that stands in the extra field of zip64 instead */
#define ZIP_64_ID	  1u
#define MAX_READ_BYTES	  (1u << 30) /* zlib counts in an int */

/* The member of a zip file, while it is read. */
struct zip_member {
	z_stream stream;
	uint64_t at, n_left; /* of the file: where the next compressed byte is, and how many there are */
	uint64_t n_bytes;    /* it must have when it is unpacked */
	uint64_t n_read;     /* of these */
	uint32_t crc, crc_read;
	uint16_t method;
	bool is_ended;
	uint8_t buffer[ZIP_BUFFER_BYTES];
};

struct table_input {
	char *path;
	int fd;
	gzFile gzip;		/* NULL: a zip file */
	struct zip_member *zip; /* NULL: any other */
};

static int input_refuse(const struct table_input *input, int rc, const char *what, char *error, size_t error_size)
{
	snprintf(error, error_size, "%s: %s", input->path, what);
	return rc;
}

static uint32_t read_le(const uint8_t *at, size_t n_bytes)
{
	uint32_t value = 0;

	for (size_t i = 0; i < n_bytes; i++)
		value |= (uint32_t)at[i] << 8 * i;
	return value;
}

/* Reads exactly n_bytes. False where the file has none there. */
static bool read_at(int fd, uint64_t at, void *bytes, size_t n_bytes)
{
	uint8_t *to = bytes;

	while (n_bytes > 0) {
		ssize_t n = at <= INT64_MAX ? pread(fd, to, n_bytes, (off_t)at) : 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		to += n;
		at += (uint64_t)n;
		n_bytes -= (size_t)n;
	}
	return true;
}

/* ---- Zip ---- */

/* Finds the end of the directory: the last that is at the end but for its comment. */
static bool zip_find_end(int fd, uint64_t file_bytes, uint8_t end[ZIP_END_BYTES])
{
	size_t n = file_bytes < ZIP_END_BYTES + ZIP_COMMENT_BYTES ? (size_t)file_bytes
								  : ZIP_END_BYTES + ZIP_COMMENT_BYTES;
	uint8_t *tail = malloc(n + 1);
	bool found = false;

	if (tail != NULL && n >= ZIP_END_BYTES && read_at(fd, file_bytes - n, tail, n)) {
		for (size_t at = n - ZIP_END_BYTES + 1; at-- > 0 && !found;) {
			found = memcmp(tail + at, "PK\5\6", 4) == 0 &&
				at + ZIP_END_BYTES + read_le(tail + at + 20, 2) == n;
			if (found)
				memcpy(end, tail + at, ZIP_END_BYTES);
		}
	}
	free(tail);
	return found;
}

/* Reads a number of the zip64 extra field where the entry has no room for it. */
static bool zip_widen(uint64_t *value, const uint8_t **extra, const uint8_t *end)
{
	if (*value != ZIP_64)
		return true;
	if (end - *extra < 8)
		return false;
	*value = read_le(*extra, 4) | (uint64_t)read_le(*extra + 4, 4) << 32;
	*extra += 8;
	return true;
}

/* The sizes and the place of a member whose entry and extra fields are given. False where they make no sense. */
static bool zip_read_sizes(struct zip_member *zip, const uint8_t entry[ZIP_ENTRY_BYTES], const uint8_t *extra,
			   size_t n_extra)
{
	const uint8_t *end = extra + n_extra, *wide = extra, *wide_end = extra;

	for (const uint8_t *at = extra; end - at >= 4;) {
		size_t n = read_le(at + 2, 2);

		if ((size_t)(end - at) - 4 < n)
			return false;
		if (read_le(at, 2) == ZIP_64_ID) {
			wide = at + 4;
			wide_end = wide + n;
			break;
		}
		at += 4 + n;
	}
	zip->n_left = read_le(entry + 20, 4);
	zip->n_bytes = read_le(entry + 24, 4);
	zip->at = read_le(entry + 42, 4);
	return zip_widen(&zip->n_bytes, &wide, wide_end) && zip_widen(&zip->n_left, &wide, wide_end) &&
	       zip_widen(&zip->at, &wide, wide_end);
}

/* Reads the entry of the only member. NULL, or what is wrong. */
static const char *zip_read_entry(struct zip_member *zip, int fd, uint64_t file_bytes)
{
	static const char damaged[] = "the directory of this zip file is damaged";
	uint8_t end[ZIP_END_BYTES], entry[ZIP_ENTRY_BYTES], local[ZIP_LOCAL_BYTES], extra[UINT16_MAX];
	uint64_t at;
	size_t n_extra;

	if (!zip_find_end(fd, file_bytes, end))
		return "this zip file has no directory at its end: it is cut short or damaged";
	if (read_le(end + 10, 2) != 1)
		return "this zip file does not have exactly one member: unpack it, and name the tables";
	at = read_le(end + 16, 4);
	if (!read_at(fd, at, entry, sizeof(entry)) || memcmp(entry, "PK\1\2", 4) != 0)
		return damaged;
	n_extra = read_le(entry + 30, 2);
	if (!read_at(fd, at + sizeof(entry) + read_le(entry + 28, 2), extra, n_extra) ||
	    !zip_read_sizes(zip, entry, extra, n_extra))
		return damaged;
	zip->method = (uint16_t)read_le(entry + 10, 2);
	zip->crc = read_le(entry + 16, 4);
	if (read_le(entry + 8, 2) & ZIP_ENCRYPTED)
		return "the member of this zip file is encrypted: unpack it first";
	if (zip->method != ZIP_STORED && zip->method != ZIP_DEFLATED)
		return "the member of this zip file is neither stored nor deflated: unpack it first";
	if (!read_at(fd, zip->at, local, sizeof(local)) || memcmp(local, "PK\3\4", 4) != 0)
		return damaged;
	zip->at += sizeof(local) + read_le(local + 26, 2) + read_le(local + 28, 2);
	return zip->at <= file_bytes && zip->n_left <= file_bytes - zip->at ? NULL : damaged;
}

static int zip_open(struct table_input *input, uint64_t file_bytes, char *error, size_t error_size)
{
	const char *wrong;

	input->zip = calloc(1, sizeof(*input->zip));
	if (input->zip == NULL)
		return input_refuse(input, -ENOMEM, "out of memory", error, error_size);
	wrong = zip_read_entry(input->zip, input->fd, file_bytes);
	if (wrong != NULL)
		return input_refuse(input, -EINVAL, wrong, error, error_size);
	/* Negative: bare deflate, without a header of zlib. */
	if (inflateInit2(&input->zip->stream, -MAX_WBITS) != Z_OK)
		return input_refuse(input, -ENOMEM, "out of memory", error, error_size);
	return 0;
}

/* Fills the buffer where it is empty. False when the file does not give what its directory says. */
static bool zip_fill(struct zip_member *zip, int fd)
{
	size_t n = zip->n_left < sizeof(zip->buffer) ? (size_t)zip->n_left : sizeof(zip->buffer);

	if (zip->stream.avail_in > 0)
		return true;
	if (!read_at(fd, zip->at, zip->buffer, n))
		return false;
	zip->at += n;
	zip->n_left -= n;
	zip->stream.next_in = zip->buffer;
	zip->stream.avail_in = (uInt)n;
	return true;
}

/* Unpacks up to n bytes. How many, 0 at the end, -1 where they are damaged. */
static int64_t zip_unpack(struct zip_member *zip, int fd, void *bytes, uInt n)
{
	z_stream *stream = &zip->stream;

	stream->next_out = bytes;
	stream->avail_out = n;
	while (stream->avail_out == n && !zip->is_ended) {
		int rc;

		if (!zip_fill(zip, fd))
			return -1;
		if (zip->method == ZIP_STORED) {
			uInt n_copy = stream->avail_in < n ? stream->avail_in : n;

			memcpy(bytes, stream->next_in, n_copy);
			stream->next_in += n_copy;
			stream->avail_in -= n_copy;
			stream->avail_out -= n_copy;
			zip->is_ended = n_copy == 0;
			continue;
		}
		rc = stream->avail_in > 0 ? inflate(stream, Z_NO_FLUSH) : Z_BUF_ERROR;
		if (rc != Z_OK && rc != Z_STREAM_END)
			return -1;
		zip->is_ended = rc == Z_STREAM_END;
	}
	return n - stream->avail_out;
}

static int64_t zip_read(struct table_input *input, void *bytes, size_t n_bytes, char *error, size_t error_size)
{
	struct zip_member *zip = input->zip;
	int64_t n = zip_unpack(zip, input->fd, bytes, (uInt)n_bytes);

	if (n > 0) {
		zip->crc_read = (uint32_t)crc32(zip->crc_read, bytes, (uInt)n);
		zip->n_read += (uint64_t)n;
	}
	if (n < 0 || zip->n_read > zip->n_bytes ||
	    (n == 0 && (zip->n_read != zip->n_bytes || zip->crc_read != zip->crc)))
		return input_refuse(input, -EIO, "the member of this zip file is damaged or cut short", error,
				    error_size);
	return n;
}

/* ---- All ---- */

static int64_t gzip_read(struct table_input *input, void *bytes, size_t n_bytes, char *error, size_t error_size)
{
	int n = gzread(input->gzip, bytes, (unsigned)n_bytes), code = Z_OK;
	const char *text;

	if (n > 0)
		return n;
	text = gzerror(input->gzip, &code);
	/* Data that end early are given first, and told of here. */
	if (code == Z_BUF_ERROR)
		return input_refuse(input, -EIO, "the compressed data end early: the file is cut short", error,
				    error_size);
	if (code == Z_ERRNO)
		return input_refuse(input, errno > 0 ? -errno : -EIO, strerror(errno), error, error_size);
	if (n < 0 || code != Z_OK) {
		snprintf(error, error_size, "%s: the compressed data are damaged (%s)", input->path, text);
		return -EIO;
	}
	return 0;
}

int64_t table_input_read(struct table_input *input, void *bytes, size_t n_bytes, char *error, size_t error_size)
{
	if (n_bytes > MAX_READ_BYTES)
		n_bytes = MAX_READ_BYTES;
	if (n_bytes == 0)
		return 0;
	return input->zip != NULL ? zip_read(input, bytes, n_bytes, error, error_size)
				  : gzip_read(input, bytes, n_bytes, error, error_size);
}

/* zlib also reads what is not compressed, as it is. */
static int gzip_open(struct table_input *input, char *error, size_t error_size)
{
	input->gzip = gzdopen(input->fd, "rb");
	if (input->gzip == NULL)
		return input_refuse(input, -ENOMEM, "out of memory", error, error_size);
	input->fd = -1; /* gzclose closes it */
	gzbuffer(input->gzip, GZIP_BUFFER_BYTES);
	return 0;
}

static int input_open(struct table_input *input, char *error, size_t error_size)
{
	struct stat status;
	uint8_t magic[4];

	input->fd = open(input->path, O_RDONLY | O_CLOEXEC);
	if (input->fd < 0 || fstat(input->fd, &status) < 0)
		return input_refuse(input, -errno, strerror(errno), error, error_size);
	if (S_ISDIR(status.st_mode))
		return input_refuse(input, -EISDIR, "is a folder; name the tables in it", error, error_size);
	if (S_ISREG(status.st_mode) && read_at(input->fd, 0, magic, sizeof(magic)) &&
	    (memcmp(magic, "PK\3\4", 4) == 0 || memcmp(magic, "PK\5\6", 4) == 0))
		return zip_open(input, (uint64_t)status.st_size, error, error_size);
	return gzip_open(input, error, error_size);
}

int table_input_open(const char *path, struct table_input **input, char *error, size_t error_size)
{
	struct table_input *new = calloc(1, sizeof(*new));
	int rc;

	*input = NULL;
	if (new != NULL) {
		new->fd = -1;
		new->path = strdup(path);
	}
	if (new == NULL || new->path == NULL) {
		snprintf(error, error_size, "%s: out of memory", path);
		free(new);
		return -ENOMEM;
	}
	rc = input_open(new, error, error_size);
	if (rc < 0) {
		table_input_close(new);
		return rc;
	}
	*input = new;
	return 0;
}

void table_input_close(struct table_input *input)
{
	if (input == NULL)
		return;
	if (input->gzip != NULL)
		gzclose(input->gzip);
	if (input->zip != NULL)
		inflateEnd(&input->zip->stream);
	free(input->zip);
	if (input->fd >= 0)
		close(input->fd);
	free(input->path);
	free(input);
}
