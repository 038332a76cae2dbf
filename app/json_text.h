/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Paths and messages as JSON: what is not UTF-8 must not make a string disappear.
 */
#ifndef WIRESCORE_JSON_TEXT_H
#define WIRESCORE_JSON_TEXT_H

#include <jansson.h>

/* A new JSON string in which each byte that is no UTF-8 is U+FFFD. NULL when memory is out. */
json_t *json_text(const char *text);

/* The same, or null where there is no text. */
json_t *json_text_or_null(const char *text);

/* The same as text, with its quotes; the caller frees it. NULL when memory is out. */
char *json_quoted(const char *text);

#endif
