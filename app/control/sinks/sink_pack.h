/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Compresses text in parts that stand for themselves (members of gzip, frames of zstd), so that a crash loses the last
 * one at most, and finds what is whole of a file that was written so. Used by sink_file.c.
 */
#ifndef WIRESCORE_CONTROL_SINK_PACK_H
#define WIRESCORE_CONTROL_SINK_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sink.h"

struct sink_pack;

/* 0; -ENOTSUP where this build has no such compression; or -ENOMEM. */
int sink_pack_create(enum sink_compression compression, struct sink_pack **pack);
void sink_pack_free(struct sink_pack *pack);

/* Makes a part of the text; NULL when memory is out. What is returned is the pack's, or the text, until the next call. */
const char *sink_pack_run(struct sink_pack *pack, const char *text, size_t n_bytes, size_t *n_packed);

/* What is in a file. */
#define SINK_SCAN_HEAD 512
struct sink_scan {
	bool is_foreign;	   /* it begins as nothing does that was compressed so */
	uint64_t n_whole;	   /* bytes up to the end of the last line, or part, that is whole */
	char head[SINK_SCAN_HEAD]; /* the text that it begins with ... */
	size_t n_head;		   /* ... as far as it is there */
	bool has_more; /* behind what is not whole there are parts that may be: it is no end that a crash left */
	bool is_long;  /* it is compressed and would take long to unpack: only its beginning was read */
};

/* What is unpacked at most, in about a second. */
#define SINK_SCAN_MAX_BYTES (UINT64_C(64) << 20)

/* Reads the first n_bytes of the file. 0, or a negative errno where it cannot be read. */
int sink_pack_scan(enum sink_compression compression, int fd, uint64_t n_bytes, struct sink_scan *scan);

#endif
