/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What `wirescore top` shows, as lines of text: printed by --once, drawn by top_screen. Lines hold printable ASCII only,
 * whatever the run has told.
 */
#ifndef WIRESCORE_TOP_PAGE_H
#define WIRESCORE_TOP_PAGE_H

#include <stdint.h>

#include <jansson.h>

#include "top/top_rates.h"

enum { TOP_MAX_COLUMNS = 250, TOP_MIN_COLUMNS = 20, TOP_MAX_LINES = 400 };

enum top_style {
	TOP_PLAIN,
	TOP_TITLE,   /* of the page */
	TOP_HEADING, /* of a table */
	TOP_ALARM,   /* something is lost, or is no benign flow */
};

struct top_line {
	char text[TOP_MAX_COLUMNS + 1];
	enum top_style style;
};

struct top_page {
	uint32_t n_columns; /* at most TOP_MAX_COLUMNS: longer rows are cut, longer lists go on in the next line */
	uint32_t n_lines;
	struct top_line lines[TOP_MAX_LINES]; /* [n_lines] */
};

/* Makes a page of a sample, its rates, and one line that tells how the run is. */
void top_page_fill(struct top_page *page, uint32_t n_columns, const struct top_sample *sample, const json_t *rates,
		   const char *state);

/* A number with as many digits as tell something, and k, M, G .. behind it. */
void top_page_number(char text[16], double value);

#endif
