/* SPDX-License-Identifier: BSD-3-Clause */
#include "json_text.h"

#include <stdlib.h>
#include <string.h>

json_t *json_text(const char *text)
{
	json_t *string = json_string(text);
	char *mended, *to;

	if (string)
		return string;
	mended = malloc(3 * strlen(text) + 1);
	if (!mended)
		return NULL;
	to = mended;
	while (*text) {
		size_t length = 1;

		/* jansson knows what is UTF-8: the shortest run that it takes is one character. */
		while (length <= 4 && strnlen(text, length) == length && !(string = json_stringn(text, length)))
			length++;
		if (string) {
			memcpy(to, text, length);
			to += length;
			text += length;
		} else {
			memcpy(to, "\xef\xbf\xbd", 3);
			to += 3;
			text++;
		}
		json_decref(string);
		string = NULL;
	}
	*to = '\0';
	string = json_string(mended);
	free(mended);
	return string;
}

json_t *json_text_or_null(const char *text)
{
	return text ? json_text(text) : json_null();
}

char *json_quoted(const char *text)
{
	json_t *string = json_text(text);
	char *quoted = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;

	json_decref(string);
	return quoted;
}
