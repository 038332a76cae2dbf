/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Records of CSV out of a stream of bytes. Called by flow_csv.c. Most lines hold no quote and are cut at their
 * commas; the others go through a machine of four states.
 */
#include "csv.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table_input.h"

#define FIRST_BUFFER_BYTES (256u << 10)

struct csv {
	struct table_input *input;
	char *buffer;
	size_t begin, end, capacity; /* what is not read yet; one byte more than capacity is there */
	uint64_t offset;	     /* of begin in the stream */
	uint64_t line;		     /* of begin, 1-based */
	/* Below this offset records end with their line: a quote before it was never closed. */
	uint64_t lines_until;
	bool is_at_end;
	char *fields[CSV_MAX_FIELDS];
};

/* Where a machine that looks for the end of a record stands. */
enum scan_state {
	SCAN_START, /* of a field */
	SCAN_PLAIN,
	SCAN_QUOTED,
	SCAN_BEHIND, /* a quote that closes, or the first of two */
	SCAN_CR,     /* behind such a quote: an LF must follow */
};

struct scan {
	enum scan_state state;
	bool is_stray; /* text behind a quote that closes */
	size_t length; /* bytes of the record that were looked at */
};

int csv_open(const char *path, struct csv **csv, char *error, size_t error_size)
{
	struct csv *new = calloc(1, sizeof(*new));
	int rc;

	*csv = NULL;
	if (new != NULL)
		new->buffer = malloc(FIRST_BUFFER_BYTES + 1);
	if (new == NULL || new->buffer == NULL) {
		snprintf(error, error_size, "%s: out of memory", path);
		free(new);
		return -ENOMEM;
	}
	new->capacity = FIRST_BUFFER_BYTES;
	new->line = 1;
	rc = table_input_open(path, &new->input, error, error_size);
	if (rc < 0) {
		csv_close(new);
		return rc;
	}
	*csv = new;
	return 0;
}

void csv_close(struct csv *csv)
{
	if (csv == NULL)
		return;
	table_input_close(csv->input);
	free(csv->buffer);
	free(csv);
}

/* ---- Bytes ---- */

static bool buffer_is_full(const struct csv *csv)
{
	return csv->end - csv->begin >= CSV_MAX_RECORD_BYTES;
}

/* Makes room behind the bytes that are not read yet, of which there are fewer than CSV_MAX_RECORD_BYTES. */
static int buffer_make_room(struct csv *csv)
{
	char *larger;

	if (csv->begin > 0) {
		memmove(csv->buffer, csv->buffer + csv->begin, csv->end - csv->begin);
		csv->end -= csv->begin;
		csv->begin = 0;
	}
	if (csv->end < csv->capacity)
		return 0;
	larger = realloc(csv->buffer, 2 * csv->capacity + 1);
	if (larger == NULL)
		return -ENOMEM;
	csv->buffer = larger;
	csv->capacity *= 2;
	return 0;
}

/* Reads more. 1, 0 at the end, or a negative errno. */
static int buffer_fill(struct csv *csv, char *error, size_t error_size)
{
	int64_t n;

	if (csv->is_at_end)
		return 0;
	if (buffer_make_room(csv) < 0) {
		snprintf(error, error_size, "out of memory");
		return -ENOMEM;
	}
	n = table_input_read(csv->input, csv->buffer + csv->end, csv->capacity - csv->end, error, error_size);
	if (n < 0)
		return (int)n;
	csv->is_at_end = n == 0;
	csv->end += (size_t)n;
	return n > 0;
}

static void buffer_consume(struct csv *csv, size_t n_bytes)
{
	csv->begin += n_bytes;
	csv->offset += n_bytes;
}

/* Consumes n_bytes in which lines end. */
static void buffer_consume_lines(struct csv *csv, size_t n_bytes)
{
	const char *at = csv->buffer + csv->begin, *end = at + n_bytes;

	while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		csv->line++;
		at++;
	}
	buffer_consume(csv, n_bytes);
}

/*
 * Length of the first line with its LF, reading more as needed. 0 at the end of the stream; SIZE_MAX where it is
 * too long; or a negative errno in *rc.
 */
static size_t line_find(struct csv *csv, int *rc, char *error, size_t error_size)
{
	size_t looked_at = 0;

	for (;;) {
		const char *begin = csv->buffer + csv->begin;
		size_t n = csv->end - csv->begin;
		const char *at = memchr(begin + looked_at, '\n', n - looked_at);

		*rc = 0;
		if (at != NULL)
			return (size_t)(at - begin) + 1;
		if (buffer_is_full(csv))
			return SIZE_MAX;
		looked_at = n;
		*rc = buffer_fill(csv, error, error_size);
		if (*rc <= 0)
			return *rc < 0 ? 0 : n;
	}
}

/* ---- Records ---- */

/* Takes one character other than the LF that ends a record. */
static void scan_step(struct scan *scan, char c)
{
	switch (scan->state) {
	case SCAN_START:
		scan->state = c == '"' ? SCAN_QUOTED : c == ',' ? SCAN_START : SCAN_PLAIN;
		break;
	case SCAN_PLAIN:
		scan->state = c == ',' ? SCAN_START : SCAN_PLAIN;
		break;
	case SCAN_QUOTED:
		scan->state = c == '"' ? SCAN_BEHIND : SCAN_QUOTED;
		break;
	case SCAN_BEHIND:
		scan->state = c == '"' ? SCAN_QUOTED : c == ',' ? SCAN_START : c == '\r' ? SCAN_CR : SCAN_PLAIN;
		scan->is_stray |= scan->state == SCAN_PLAIN;
		break;
	case SCAN_CR:
		scan->is_stray = true;
		scan->state = SCAN_PLAIN;
		break;
	}
}

/* Goes on behind what scan has seen, to the LF that ends the record: true. False: the bytes end before it. */
static bool scan_run(struct scan *scan, const char *record, size_t n_bytes)
{
	while (scan->length < n_bytes) {
		char c = record[scan->length++];

		if (c == '\n' && scan->state != SCAN_QUOTED)
			return true;
		scan_step(scan, c);
	}
	return false;
}

/* Length of the record that begins with a line of n_line bytes with quotes. Sets fault. 0 and rc: an error. */
static size_t record_find(struct csv *csv, size_t n_line, enum csv_fault *fault, int *rc, char *error,
			  size_t error_size)
{
	struct scan scan = {0};
	bool is_lone = csv->offset < csv->lines_until;

	*rc = 0;
	for (;;) {
		size_t n = is_lone ? n_line : csv->end - csv->begin;

		if (scan_run(&scan, csv->buffer + csv->begin, n))
			break;
		if (!is_lone && !buffer_is_full(csv)) {
			*rc = buffer_fill(csv, error, error_size);
			if (*rc < 0)
				return 0;
			if (*rc > 0)
				continue;
		}
		if (scan.state != SCAN_QUOTED && (is_lone || !buffer_is_full(csv)))
			break;
		/* Never closed: the line is lost, but those behind it are looked at alone. */
		*fault = scan.state == SCAN_QUOTED ? CSV_QUOTES : CSV_TOO_LONG;
		if (!is_lone)
			csv->lines_until = csv->offset + scan.length;
		return n_line;
	}
	if (!scan.is_stray)
		return scan.length;
	*fault = CSV_QUOTES;
	if (!is_lone && scan.length > n_line)
		csv->lines_until = csv->offset + scan.length;
	return n_line;
}

static void field_add(struct csv *csv, struct csv_record *record, char *field)
{
	if (record->n_fields < CSV_MAX_FIELDS)
		csv->fields[record->n_fields] = field;
	record->n_fields++;
}

/* Cuts a record without quotes, which ends in a NUL. */
static void record_cut(struct csv *csv, struct csv_record *record, char *text, char *end)
{
	char *comma;

	while ((comma = memchr(text, ',', (size_t)(end - text))) != NULL) {
		*comma = '\0';
		field_add(csv, record, text);
		text = comma + 1;
	}
	field_add(csv, record, text);
}

/* Takes a quoted field apart in place; text is behind its first quote. Returns where the next separator stands. */
static char *field_unquote(char *text, char *end)
{
	char *to = text, *at = text;

	for (; at < end; at++) {
		if (*at == '"' && at[1] == '"')
			at++;
		else if (*at == '"')
			break;
		*to++ = *at;
	}
	at += at < end; /* the quote that closes */
	*to = '\0';
	return at;
}

/* Cuts a record with quotes in it that has passed scan_run; it ends in a NUL. */
static void record_cut_quoted(struct csv *csv, struct csv_record *record, char *text, char *end)
{
	for (;;) {
		char *at;

		if (*text == '"') {
			field_add(csv, record, ++text);
			at = field_unquote(text, end);
		} else {
			field_add(csv, record, text);
			at = memchr(text, ',', (size_t)(end - text));
			at = at != NULL ? at : end;
		}
		if (at >= end)
			return;
		*at = '\0';
		text = at + 1;
	}
}

/* Drops a line that is longer than the buffer may be. 1 or a negative errno. */
static int line_skip(struct csv *csv, struct csv_record *record, char *error, size_t error_size)
{
	size_t length;
	int rc;

	record->fault = CSV_TOO_LONG;
	do {
		buffer_consume(csv, csv->end - csv->begin);
		length = line_find(csv, &rc, error, error_size);
		if (rc < 0)
			return rc;
	} while (length == SIZE_MAX);
	csv->line += length > 0 && csv->buffer[csv->begin + length - 1] == '\n';
	buffer_consume(csv, length);
	return 1;
}

/* Skips a byte order mark. Returns its length. */
static size_t mark_skip(struct csv *csv)
{
	if (csv->offset > 0 || csv->end - csv->begin < 3 ||
	    memcmp(csv->buffer + csv->begin, "\xef\xbb\xbf", 3) != 0)
		return 0;
	buffer_consume(csv, 3);
	return 3;
}

/* Reads the record that begins with a line of length bytes. 1, 2 where it is blank, or a negative errno. */
static int record_read(struct csv *csv, size_t length, struct csv_record *record, char *error, size_t error_size)
{
	bool has_quotes = memchr(csv->buffer + csv->begin, '"', length) != NULL;
	char *text, *end;
	int rc;

	if (has_quotes) {
		length = record_find(csv, length, &record->fault, &rc, error, error_size);
		if (rc < 0)
			return rc;
	}
	text = csv->buffer + csv->begin;
	end = text + length;
	if (has_quotes)
		buffer_consume_lines(csv, length);
	else
		buffer_consume(csv, length);
	if (!has_quotes)
		csv->line += length > 0 && end[-1] == '\n';
	end -= end > text && end[-1] == '\n';
	end -= end > text && end[-1] == '\r';
	if (end == text)
		return 2;
	if (record->fault == CSV_FINE && memchr(text, '\0', (size_t)(end - text)) != NULL)
		record->fault = CSV_NUL;
	if (record->fault != CSV_FINE)
		return 1;
	*end = '\0';
	if (has_quotes)
		record_cut_quoted(csv, record, text, end);
	else
		record_cut(csv, record, text, end);
	return 1;
}

int csv_next(struct csv *csv, struct csv_record *record, char *error, size_t error_size)
{
	int rc;

	do {
		size_t length = line_find(csv, &rc, error, error_size);

		if (rc < 0)
			return rc;
		*record = (struct csv_record){.fields = csv->fields, .line = csv->line};
		if (length == SIZE_MAX)
			return line_skip(csv, record, error, error_size);
		length -= mark_skip(csv);
		if (length == 0)
			return 0;
		rc = record_read(csv, length, record, error, error_size);
	} while (rc == 2);
	return rc;
}
