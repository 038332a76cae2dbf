/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tables of flows as CSV into a struct flow_dataset: our own and public ones as they are. Called by `wirescore
 * train`, `eval` and `lint`; one thread at a time.
 *
 * Tables are plain, gzipped or the one member of a zip, and are streamed: memory grows with the rows that are kept,
 * not with the file. They are read once, also from a pipe; twice where columns of words must first be learnt. Every
 * row is either used or refused for a reason that is counted: n_rows = n_used + the sum of refused[].n, always.
 * Labels, and the classes that they make, are those of rows that are used.
 *
 * In names of columns and in labels control characters are blanks, and blanks around them are cut off.
 *
 * Columns that say who, where or when (addresses, ports, TTLs, clocks, row numbers: see flow_column.h) are no
 * features unless forced by name: they tell the captures apart, not the attacks. A forced date is read as seconds
 * since the epoch, which a float keeps to 128 s. Addresses are no numbers, and a float has not bits enough for
 * them: a column of them must be forced and symbolic, a feature for each address.
 */
#ifndef WIRESCORE_DATASET_FLOW_CSV_H
#define WIRESCORE_DATASET_FLOW_CSV_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow_dataset.h"

/* Distinct values that a symbolic column may have. */
#define FLOW_CSV_MAX_SYMBOLS 256
/* Bytes of a path, a column's name or a value that a report keeps. */
#define FLOW_CSV_EXAMPLE_BYTES 80

/* Why a row is refused; flow_csv_reason_text says it in words. */
enum flow_csv_reason {
	FLOW_CSV_COLUMNS,	/* more or fewer fields than the header names */
	FLOW_CSV_QUOTES,	/* a quote that is not closed, or text behind one that is */
	FLOW_CSV_NUL,		/* a NUL byte */
	FLOW_CSV_TOO_LONG,	/* a line or a label that is too long */
	FLOW_CSV_NO_LABEL,	/* the label's field is empty */
	FLOW_CSV_IGNORED_LABEL, /* its label is one to be ignored */
	FLOW_CSV_MISSING,	/* a feature's field is empty */
	FLOW_CSV_TEXT,		/* a feature that is no number */
	FLOW_CSV_NAN,
	FLOW_CSV_INFINITE, /* infinite, or beyond a float */
	FLOW_CSV_ADDRESS,  /* a forced feature that is an address in text */
	FLOW_CSV_N_REASONS,
};

struct flow_csv_options {
	const char *format;		     /* a name of flow_csv_format_name; NULL: by each table's header */
	const char *label_column;	     /* NULL: the format's */
	const char *label;		     /* of rows that have none; NULL: they are refused */
	struct flow_dataset_classes classes; /* benign: none given: the format's */
	struct flow_dataset_names ignored;   /* patterns (fnmatch) of labels; none given: the format's */
	struct flow_dataset_names features;  /* columns to read, in this order; none given: all that can be */
	struct flow_dataset_names forced;    /* columns that are features although they should not be */
	struct flow_dataset_names dropped;   /* columns that are no features */
	struct flow_dataset_names symbolic; /* columns of words: each value becomes a column NAME=VALUE of 0 or 1 */
	uint64_t max_rows;		    /* rows to use at most, the rest is not read; 0: no limit */
	/* What each table that names no captures is called as a source, [n_paths]; NULL: the last part of its path. */
	const char *const *source_names;
};

/* A row as it is read. */
struct flow_csv_row {
	struct flow_dataset_row row;
	const float *values; /* [n_features of the set] */
	uint32_t table;	     /* index of the path that it was read from */
	uint64_t line;	     /* of that table, 1-based: where the row begins */
	double end_s;	     /* when the flow ended; NAN: not known */
	uint64_t tuple;	     /* hash of both ends and the protocol, alike in both directions; 0: not known */
	bool is_closed;	     /* ended by FIN or RST */
	bool is_late;	     /* its table is in order of endings, as far as time-outs allow */
};

struct flow_csv_refusal {
	uint64_t n;
	/* The first of them. */
	uint64_t line;
	char path[FLOW_CSV_EXAMPLE_BYTES];   /* its end */
	char column[FLOW_CSV_EXAMPLE_BYTES]; /* "" where no one column is to blame */
	char value[FLOW_CSV_EXAMPLE_BYTES];  /* its beginning, without control characters */
};

/* A column that is no feature, or is one only because it was forced. */
struct flow_csv_column {
	char *name;
	const char *why; /* "IP address", "label", .. */
	bool is_forced;
};

struct flow_csv_report {
	const char *format; /* of the first table; NULL before it */
	uint64_t n_rows, n_used;
	struct flow_csv_refusal refused[FLOW_CSV_N_REASONS];
	struct flow_csv_column *columns; /* [n_columns], of the first table */
	uint32_t n_columns;
	uint64_t n_unknown_times;		 /* used rows whose table has a time that could not be read */
	uint64_t n_unknown_symbols;		 /* used rows with a word that no feature stands for */
	uint32_t n_lost_labels;			 /* labels, not ignored, of which no row is used */
	char lost_label[FLOW_CSV_EXAMPLE_BYTES]; /* the first of them */
	bool is_cut;				 /* max_rows was reached before the end */
};

/* The formats, 0-based; NULL behind the last. */
const char *flow_csv_format_name(uint32_t index);
const char *flow_csv_format_help(uint32_t index);

const char *flow_csv_reason_text(enum flow_csv_reason reason);

struct flow_csv;

/*
 * A reader; what options point to must outlive it. 0, -ENOMEM, or -EINVAL with one line in error.
 * flow_csv_free releases it.
 */
int flow_csv_create(const struct flow_csv_options *options, struct flow_csv **csv, char *error, size_t error_size);
void flow_csv_free(struct flow_csv *csv);

/* What was read so far, valid until flow_csv_free. */
const struct flow_csv_report *flow_csv_report(const struct flow_csv *csv);

/*
 * Adds the rows of tables to an initialised set, and its features where it has none yet. All tables must have the
 * same features. New classes are put into order behind those that the set has already. Returns 0, -EINTR when *stop
 * became true (NULL: never), or a negative errno with one line in error: a table that cannot be read to its end, a
 * header that cannot be used, features that differ.
 */
int flow_csv_read(struct flow_csv *csv, const char *const *paths, uint32_t n_paths, struct flow_dataset *set,
		  const atomic_bool *stop, char *error, size_t error_size);

/* Takes a row that is not kept; set has the names it refers to. 0, or a negative errno that ends the reading. */
typedef int flow_csv_take(void *context, const struct flow_dataset *set, const struct flow_csv_row *row);

/* Like flow_csv_read, but hands the rows to take instead of adding them; classes stay in the order of the rows. */
int flow_csv_scan(struct flow_csv *csv, const char *const *paths, uint32_t n_paths, struct flow_dataset *set,
		  flow_csv_take *take, void *context, const atomic_bool *stop, char *error, size_t error_size);

#endif
