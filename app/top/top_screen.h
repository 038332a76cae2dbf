/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The terminal that `wirescore top` draws on. One at a time.
 */
#ifndef WIRESCORE_TOP_SCREEN_H
#define WIRESCORE_TOP_SCREEN_H

#include <stdint.h>

#include "top/top_page.h"

/* 0, or -1 with one line in error: this terminal cannot be drawn on. */
int top_screen_open(char *error, size_t error_size);

/* Leaves the terminal as it was. */
void top_screen_close(void);

/* How large it is now. */
void top_screen_size(uint32_t *n_columns, uint32_t *n_lines);

/* Draws as much of a page as there is room for, with a line of help or of news below. */
void top_screen_draw(const struct top_page *page, const char *below);

enum { TOP_KEY_NONE = -1, TOP_KEY_RESIZED = -2, TOP_KEY_HANGUP = -3 };

/* A key that was pressed, within so many ms, or one of those above. */
int top_screen_key(int ms);

#endif
