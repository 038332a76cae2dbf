/* SPDX-License-Identifier: BSD-3-Clause */
#include "sink_pack.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>
#if HAVE_ZSTD
#include <zstd.h>
#endif

/* Level 6 takes nearly three times as long, for files that are a fifth smaller. */
#define PACK_GZIP_LEVEL	 1
#define PACK_GZIP_WINDOW (15 + 16) /* the largest, and gzip's header rather than zlib's */
#define PACK_GZIP_MEMORY 8	   /* zlib's default */
#define PACK_CHUNK_BYTES (64u << 10)
/* What a part begins with: of what follows in a header, deflate without names is what is written here. */
#define PACK_MAGIC_BYTES 4
static const char *const pack_magics[] = {[SINK_GZIP] = "\x1f\x8b\x08\0", [SINK_ZSTD] = "\x28\xb5\x2f\xfd"};

struct sink_pack {
	enum sink_compression compression;
	z_stream gzip;
#if HAVE_ZSTD
	ZSTD_CCtx *zstd;
#endif
	char *packed;
	size_t packed_room;
};

#if HAVE_ZSTD
static int open_zstd(struct sink_pack *pack)
{
	pack->zstd = ZSTD_createCCtx();
	if (!pack->zstd)
		return -ENOMEM;
	ZSTD_CCtx_setParameter(pack->zstd, ZSTD_c_checksumFlag, 1);
	return 0;
}

static size_t zstd_bound(size_t n_bytes)
{
	return ZSTD_compressBound(n_bytes);
}

/* Returns the length of the frame, 0 where it failed. */
static size_t run_zstd(struct sink_pack *pack, const char *text, size_t n_bytes)
{
	size_t n = ZSTD_compress2(pack->zstd, pack->packed, pack->packed_room, text, n_bytes);

	return ZSTD_isError(n) ? 0 : n;
}

static void close_zstd(struct sink_pack *pack)
{
	ZSTD_freeCCtx(pack->zstd);
}
#else
static int open_zstd(struct sink_pack *pack)
{
	(void)pack;
	return -ENOTSUP;
}

static size_t zstd_bound(size_t n_bytes)
{
	return n_bytes;
}

static size_t run_zstd(struct sink_pack *pack, const char *text, size_t n_bytes)
{
	(void)pack;
	(void)text;
	(void)n_bytes;
	return 0;
}

static void close_zstd(struct sink_pack *pack)
{
	(void)pack;
}
#endif

int sink_pack_create(enum sink_compression compression, struct sink_pack **made)
{
	struct sink_pack *pack = calloc(1, sizeof(*pack));
	int rc = 0;

	if (!pack)
		return -ENOMEM;
	if (compression == SINK_GZIP && deflateInit2(&pack->gzip, PACK_GZIP_LEVEL, Z_DEFLATED, PACK_GZIP_WINDOW,
						     PACK_GZIP_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
		rc = -ENOMEM;
	else if (compression == SINK_ZSTD)
		rc = open_zstd(pack);
	if (rc) {
		free(pack);
		return rc;
	}
	pack->compression = compression;
	*made = pack;
	return 0;
}

void sink_pack_free(struct sink_pack *pack)
{
	if (!pack)
		return;
	if (pack->compression == SINK_GZIP)
		deflateEnd(&pack->gzip);
	else if (pack->compression == SINK_ZSTD)
		close_zstd(pack);
	free(pack->packed);
	free(pack);
}

/* Returns the length of the member, 0 where it failed. */
static size_t run_gzip(struct sink_pack *pack, const char *text, size_t n_bytes)
{
	z_stream *stream = &pack->gzip;

	deflateReset(stream);
	stream->next_in = (Bytef *)(uintptr_t)text;
	stream->avail_in = (uInt)n_bytes;
	stream->next_out = (Bytef *)pack->packed;
	stream->avail_out = (uInt)pack->packed_room;
	return deflate(stream, Z_FINISH) == Z_STREAM_END ? pack->packed_room - stream->avail_out : 0;
}

const char *sink_pack_run(struct sink_pack *pack, const char *text, size_t n_bytes, size_t *n_packed)
{
	size_t room;

	if (pack->compression == SINK_PLAIN) {
		*n_packed = n_bytes;
		return text;
	}
	room = pack->compression == SINK_GZIP ? deflateBound(&pack->gzip, n_bytes) : zstd_bound(n_bytes);
	if (room > INT_MAX)
		return NULL;
	if (pack->packed_room < room) {
		char *larger = realloc(pack->packed, room);

		if (!larger)
			return NULL;
		pack->packed = larger;
		pack->packed_room = room;
	}
	*n_packed = pack->compression == SINK_GZIP ? run_gzip(pack, text, n_bytes) : run_zstd(pack, text, n_bytes);
	return *n_packed ? pack->packed : NULL;
}

/* A file as it is read, and the text in it. */
struct scanning {
	int fd;
	uint64_t n_bytes, n_read; /* of the file; behind what is in chunk */
	uint8_t chunk[PACK_CHUNK_BYTES];
	uint8_t text[PACK_CHUNK_BYTES];
	struct sink_scan *scan;
};

/* Fills chunk with what is at offset. Returns how many bytes it has, 0 at the end, or a negative errno. */
static ssize_t scan_read_at(struct scanning *scanning, uint64_t offset)
{
	uint64_t left = scanning->n_bytes - offset;
	ssize_t n;

	do
		n = pread(scanning->fd, scanning->chunk, left < PACK_CHUNK_BYTES ? left : PACK_CHUNK_BYTES,
			  (off_t)offset);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* The same with what comes next. */
static ssize_t scan_read(struct scanning *scanning)
{
	ssize_t n = scan_read_at(scanning, scanning->n_read);

	if (n > 0)
		scanning->n_read += (uint64_t)n;
	return n;
}

static void scan_keep_head(struct sink_scan *scan, const uint8_t *text, size_t n)
{
	size_t room = sizeof(scan->head) - scan->n_head;

	if (n > room)
		n = room;
	memcpy(scan->head + scan->n_head, text, n);
	scan->n_head += n;
}

/* Looks at the beginning, then for the last end of a line from the end on. */
static int scan_plain(struct scanning *scanning)
{
	uint64_t end = scanning->n_bytes;
	ssize_t n = scan_read_at(scanning, 0);

	if (n > 0)
		scan_keep_head(scanning->scan, scanning->chunk, (size_t)n);
	while (n > 0 && end && !scanning->scan->n_whole) {
		uint64_t begin = end > PACK_CHUNK_BYTES ? end - PACK_CHUNK_BYTES : 0;
		const uint8_t *newline;

		n = scan_read_at(scanning, begin);
		if (n <= 0)
			break;
		newline = memrchr(scanning->chunk, '\n', (size_t)n);
		if (newline)
			scanning->scan->n_whole = begin + (uint64_t)(newline + 1 - scanning->chunk);
		end = begin;
	}
	return n < 0 ? (int)n : 0;
}

/* Looks at the first bytes. A crash may have left zeros in the place of any. 0 or a negative errno. */
static int scan_magic(struct scanning *scanning, const char *magic, ssize_t n_magic)
{
	ssize_t n = scan_read_at(scanning, 0);

	for (ssize_t i = 0; i < n && i < n_magic; i++)
		scanning->scan->is_foreign |= scanning->chunk[i] && scanning->chunk[i] != (uint8_t)magic[i];
	return n < 0 ? (int)n : 0;
}

/* Unpacks what is in chunk; whether more may follow. */
static bool scan_gzip_chunk(struct scanning *scanning, z_stream *stream, size_t n)
{
	int rc = Z_OK;

	stream->next_in = scanning->chunk;
	stream->avail_in = (uInt)n;
	do {
		stream->next_out = scanning->text;
		stream->avail_out = PACK_CHUNK_BYTES;
		rc = inflate(stream, Z_NO_FLUSH);
		scan_keep_head(scanning->scan, scanning->text, PACK_CHUNK_BYTES - stream->avail_out);
		if (rc == Z_STREAM_END) {
			scanning->scan->n_whole = scanning->n_read - stream->avail_in;
			rc = inflateReset(stream);
		}
	} while (rc == Z_OK && (stream->avail_in || !stream->avail_out));
	return rc == Z_OK || rc == Z_BUF_ERROR;
}

static int scan_gzip(struct scanning *scanning)
{
	z_stream stream = {0};
	ssize_t n = scan_magic(scanning, pack_magics[SINK_GZIP], 2);

	if (n || scanning->scan->is_foreign)
		return (int)n;
	if (inflateInit2(&stream, PACK_GZIP_WINDOW) != Z_OK)
		return -ENOMEM;
	while ((n = scan_read(scanning)) > 0 && scan_gzip_chunk(scanning, &stream, (size_t)n))
		;
	inflateEnd(&stream);
	return n < 0 ? (int)n : 0;
}

#if HAVE_ZSTD
static bool scan_zstd_chunk(struct scanning *scanning, ZSTD_DCtx *context, size_t n)
{
	ZSTD_inBuffer in = {.src = scanning->chunk, .size = n};
	ZSTD_outBuffer out;

	do {
		size_t rc;

		out = (ZSTD_outBuffer){.dst = scanning->text, .size = PACK_CHUNK_BYTES};
		rc = ZSTD_decompressStream(context, &out, &in);
		if (ZSTD_isError(rc))
			return false;
		scan_keep_head(scanning->scan, scanning->text, out.pos);
		if (!rc)
			scanning->scan->n_whole = scanning->n_read - (in.size - in.pos);
	} while (in.pos < in.size || out.pos == out.size);
	return true;
}

static int scan_zstd(struct scanning *scanning)
{
	ZSTD_DCtx *context;
	ssize_t n = scan_magic(scanning, pack_magics[SINK_ZSTD], PACK_MAGIC_BYTES);

	if (n || scanning->scan->is_foreign)
		return (int)n;
	context = ZSTD_createDCtx();
	n = -ENOMEM;
	while (context && (n = scan_read(scanning)) > 0 && scan_zstd_chunk(scanning, context, (size_t)n))
		;
	ZSTD_freeDCtx(context);
	return n < 0 ? (int)n : 0;
}
#else
static int scan_zstd(struct scanning *scanning)
{
	(void)scanning;
	return -ENOTSUP;
}
#endif

/* Looks for the beginning of another part behind the one that is not whole. 0 or a negative errno. */
static int scan_rest(struct scanning *scanning, const char *magic)
{
	uint64_t at = scanning->scan->n_whole + 1;
	ssize_t n = 0;

	while (at + PACK_MAGIC_BYTES <= scanning->n_bytes && !scanning->scan->has_more) {
		n = scan_read_at(scanning, at);
		if (n < PACK_MAGIC_BYTES)
			break;
		scanning->scan->has_more = memmem(scanning->chunk, (size_t)n, magic, PACK_MAGIC_BYTES) != NULL;
		at += (uint64_t)n - PACK_MAGIC_BYTES + 1;
	}
	return n < 0 ? (int)n : 0;
}

int sink_pack_scan(enum sink_compression compression, int fd, uint64_t n_bytes, struct sink_scan *scan)
{
	struct scanning *scanning = malloc(sizeof(*scanning));
	int rc;

	*scan = (struct sink_scan){0};
	if (!scanning)
		return -ENOMEM;
	scanning->fd = fd;
	scan->is_long = compression != SINK_PLAIN && n_bytes > SINK_SCAN_MAX_BYTES;
	scanning->n_bytes = scan->is_long ? PACK_CHUNK_BYTES : n_bytes;
	scanning->n_read = 0;
	scanning->scan = scan;
	rc = compression == SINK_GZIP	? scan_gzip(scanning)
	     : compression == SINK_ZSTD ? scan_zstd(scanning)
					: scan_plain(scanning);
	if (!rc && compression != SINK_PLAIN && !scan->is_long && scan->n_whole < n_bytes)
		rc = scan_rest(scanning, pack_magics[compression]);
	free(scanning);
	return rc;
}
