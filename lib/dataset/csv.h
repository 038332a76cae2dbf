/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads CSV (RFC 4180) record by record: quoted fields with commas, line ends and doubled quotes in them, CRLF or
 * LF, a byte order mark of UTF-8 at the beginning. A quote in the middle of a field that does not begin with one is
 * a character like any other; blank lines are no records. Called by flow_csv.c; one thread at a time.
 *
 * What is no CSV is told of record by record, so that the reader can count it and go on: a quote that is not closed
 * spoils the line where it stands alone. Memory is bounded by the longest record; no byte is looked at more than
 * three times.
 */
#ifndef WIRESCORE_DATASET_CSV_H
#define WIRESCORE_DATASET_CSV_H

#include <stddef.h>
#include <stdint.h>

#define CSV_MAX_RECORD_BYTES (1u << 20)
#define CSV_MAX_FIELDS	     4096u

enum csv_fault {
	CSV_FINE,
	CSV_QUOTES,   /* a quote that is not closed, or text behind one that is */
	CSV_NUL,      /* a NUL byte */
	CSV_TOO_LONG, /* longer than CSV_MAX_RECORD_BYTES */
};

struct csv_record {
	char **fields;	   /* [n_fields], valid until the next call; may be changed */
	uint32_t n_fields; /* above CSV_MAX_FIELDS: those behind are not kept; 0 where there is a fault */
	uint64_t line;	   /* where it begins, 1-based */
	enum csv_fault fault;
};

struct csv;

/* Opens a table (see table_input.h). 0, or a negative errno with one line in error. csv_close releases it. */
int csv_open(const char *path, struct csv **csv, char *error, size_t error_size);
void csv_close(struct csv *csv);

/* Reads the next record. 1, 0 at the end, or a negative errno with one line in error. */
int csv_next(struct csv *csv, struct csv_record *record, char *error, size_t error_size);

#endif
