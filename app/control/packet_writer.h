/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes packet records as NDJSON. The control core's.
 */
#ifndef WIRESCORE_CONTROL_PACKET_WRITER_H
#define WIRESCORE_CONTROL_PACKET_WRITER_H

#include "output.h"
#include "packet_record.h"

struct packet_writer {
	struct output output;
	struct packet_record_format format;
	size_t line_room;
};

/*
 * Opens path, "-" being stdout, and leaves what is in it until packet_writer_begin. classes are JSON strings,
 * borrowed. 0 or a negative errno.
 */
int packet_writer_open(struct packet_writer *writer, const char *path, const char *const classes[3]);

/* Empties the file: from here on it is ours. 0 or a negative errno. */
int packet_writer_begin(struct packet_writer *writer);

/* The capture that the next records belong to, as a JSON string; NULL leaves it out. Borrowed. */
void packet_writer_set_capture(struct packet_writer *writer, const char *capture, bool has_nanoseconds);

void packet_writer_write(struct packet_writer *writer, const struct packet_record *records, uint32_t n);

/* 0, or a negative errno where anything was lost. */
int packet_writer_close(struct packet_writer *writer);

#endif
