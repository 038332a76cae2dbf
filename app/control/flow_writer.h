/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes flow records as NDJSON or as Cisco Joy's JSON. The control core's.
 */
#ifndef WIRESCORE_CONTROL_FLOW_WRITER_H
#define WIRESCORE_CONTROL_FLOW_WRITER_H

#include "flow_record.h"
#include "output.h"

enum flow_writer_form { FLOW_WRITER_NDJSON, FLOW_WRITER_JOY };

/* What a writer is opened with. It and all that it points to are borrowed. */
struct flow_writer_options {
	const char *path; /* "-" is stdout; compressed where it ends in .gz */
	enum flow_writer_form form;
	struct flow_layout layout;  /* of the records; Joy's form needs a history */
	const char *const *classes; /* of flows, as JSON strings; NULL: no model */
	uint32_t n_classes;
};

struct flow_writer {
	struct output output;
	const struct flow_writer_options *options;
	struct flow_record_format format;
	size_t record_bytes;
	size_t line_room;
};

/* Opens the file and leaves what is in it until flow_writer_begin. 0 or a negative errno. */
int flow_writer_open(struct flow_writer *writer, const struct flow_writer_options *options);

/* Empties the file, which is ours from here on, and writes what comes first. 0 or a negative errno. */
int flow_writer_begin(struct flow_writer *writer);

/* The capture that the next records belong to, as a JSON string; NULL leaves it out, as Joy does. Borrowed. */
void flow_writer_set_capture(struct flow_writer *writer, const char *capture, bool has_nanoseconds);

/* n records of flow_record_bytes(&layout) each, one behind the other. */
void flow_writer_write(struct flow_writer *writer, const void *records, uint32_t n);

/* 0, or a negative errno where anything was lost. */
int flow_writer_close(struct flow_writer *writer);

#endif
