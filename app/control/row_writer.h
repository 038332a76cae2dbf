/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes rows of features as CSV or NDJSON, and beside the file another that says what its columns mean. The
 * control core's.
 */
#ifndef WIRESCORE_CONTROL_ROW_WRITER_H
#define WIRESCORE_CONTROL_ROW_WRITER_H

#include <limits.h>

#include "flow_labels.h"
#include "flow_record.h"
#include "flow_table.h"
#include "output.h"
#include "packet.h"

/* What a writer is opened with. It and all that it points to are borrowed. */
struct row_writer_options {
	const char *path; /* "-" is stdout; compressed where it ends in .gz */
	bool is_ndjson;	  /* else CSV */
	const struct flow_feature_set *features;
	const char *features_text;	  /* as the user chose them */
	const struct flow_config *config; /* of the tables that the records come from */
	enum packet_depth depth;	  /* which IP header's flows they are */
	bool has_ends;			  /* rows are made where slices end, not only at checkpoints */
	bool names_captures;		  /* there is a column for them */
	const char *const *captures;	  /* paths of those that are read, in that order */
	uint32_t n_captures;
	const struct flow_labels *labels; /* NULL: every flow has the label below */
	const char *label;		  /* NULL: none; without labels there is no such column then */
};

struct row_writer {
	struct output output;
	struct output meta; /* where has_meta is set */
	bool has_meta;
	char meta_path[PATH_MAX];
	char part_path[PATH_MAX]; /* what becomes it when it is whole */
	const struct row_writer_options *options;
	struct flow_row_format format;
	size_t record_bytes;
	size_t max_label_bytes;
	size_t line_room;
	double *values;
};

/*
 * What rows at this path are by its ending: .csv, or .ndjson or .jsonl, each also with .gz, in upper or lower case.
 * Stdout and what is no regular file are CSV where the ending does not say. 0, or -EINVAL where it must and does
 * not.
 */
int row_writer_form(const char *path, bool *is_ndjson);

/*
 * The path of the file beside the rows: PATH.meta.json, or "" beside stdout and what is no regular file. 0 or
 * -ENAMETOOLONG.
 */
int row_writer_meta_path(const char *path, char meta_path[PATH_MAX]);

/*
 * Opens the files of rows and of what they mean, and leaves what is in them until row_writer_begin. 0, or a
 * negative errno with one line in error that begins with the path; nothing is open then.
 */
int row_writer_open(struct row_writer *writer, const struct row_writer_options *options, char *error,
		    size_t error_size);

/*
 * Writes what the rows mean, then empties their file and writes CSV's head: both are ours from here on. 0, or a
 * negative errno with one line in error that begins with the path.
 */
int row_writer_begin(struct row_writer *writer, char *error, size_t error_size);

/* The capture that the next records belong to; not looked at without names_captures. Borrowed. */
void row_writer_set_capture(struct row_writer *writer, const char *capture, bool has_nanoseconds);

/* n records of flow_record_bytes(&features->layout) each, one behind the other. */
void row_writer_write(struct row_writer *writer, const void *records, uint32_t n);

/* 0, or a negative errno where anything was lost. */
int row_writer_close(struct row_writer *writer);

#endif
