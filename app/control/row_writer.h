/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes rows of features as CSV or NDJSON, and beside the file another that says what its columns mean. The
 * control core's.
 */
#ifndef WIRESCORE_CONTROL_ROW_WRITER_H
#define WIRESCORE_CONTROL_ROW_WRITER_H

#include "flow_labels.h"
#include "flow_record.h"
#include "flow_table.h"
#include "output.h"

/* What a writer is opened with. It and all that it points to are borrowed. */
struct row_writer_options {
	const char *path; /* "-" is stdout; compressed where it ends in .gz */
	bool is_ndjson;	  /* else CSV */
	const struct flow_feature_set *features;
	const char *features_text;	  /* as the user chose them */
	const struct flow_config *config; /* of the tables that the records come from */
	bool has_ends;			  /* rows are made where slices end, not only at checkpoints */
	bool names_captures;		  /* there is a column for them */
	const char *const *captures;	  /* paths */
	uint32_t n_captures;
	const struct flow_labels *labels; /* NULL: every flow has the label below */
	const char *label;		  /* NULL: none; without labels there is no such column then */
};

struct row_writer {
	struct output output;
	struct output meta; /* where has_meta is set */
	bool has_meta;
	const struct row_writer_options *options;
	struct flow_row_format format;
	size_t record_bytes;
	size_t max_label_bytes;
	size_t line_room;
	double *values;
};

/* Whether rows in a file of this name are NDJSON (.ndjson, .jsonl or .json, also with .gz); else they are CSV. */
bool row_writer_is_ndjson(const char *path);

/*
 * Opens the file and, where it is a regular one, PATH.meta.json; leaves what is in them until row_writer_begin.
 * 0 or a negative errno.
 */
int row_writer_open(struct row_writer *writer, const struct row_writer_options *options);

/* Whether status is of one of the files that are written. */
bool row_writer_is_file(const struct row_writer *writer, const struct stat *status);

/* Empties the files, which are ours from here on; writes PATH.meta.json and CSV's head. 0 or a negative errno. */
int row_writer_begin(struct row_writer *writer);

/* The capture that the next records belong to; not looked at without names_captures. Borrowed. */
void row_writer_set_capture(struct row_writer *writer, const char *capture, bool has_nanoseconds);

/* n records of flow_record_bytes(&features->layout) each, one behind the other. */
void row_writer_write(struct row_writer *writer, const void *records, uint32_t n);

/* 0, or a negative errno where anything was lost. */
int row_writer_close(struct row_writer *writer);

#endif
