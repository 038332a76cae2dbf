/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The mistakes of a config, collected so that the user is told of all of them at once.
 */
#ifndef WIRESCORE_CONTROL_CONFIG_PROBLEMS_H
#define WIRESCORE_CONTROL_CONFIG_PROBLEMS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

/* Where a mistake is. What is not known or does not apply is NULL or 0. */
struct config_where {
	const char *section; /* with its name, without brackets: "port lan" */
	const char *key;
	uint32_t line;	  /* from 1 */
	bool is_override; /* it came from --set, not from the file */
};

struct config_problem {
	char *section, *key; /* or NULL */
	char *text;	     /* what is wrong; how to mend it */
	uint32_t line;
	bool is_override;
};

/* Zeroed at first. */
struct config_problems {
	struct config_problem *list;
	uint32_t n;
	bool is_out_of_memory; /* there are more */
};

void config_problems_add(struct config_problems *problems, const struct config_where *where, const char *format,
			 ...) __attribute__((format(printf, 3, 4)));
void config_problems_free(struct config_problems *problems);

/* Puts them in the order of the file; what has no line comes last. */
void config_problems_sort(struct config_problems *problems);

/* Prints a line for each: `FILE:LINE: [section] key: what is wrong; how to mend it`. */
void config_problems_print(const struct config_problems *problems, const char *path, FILE *file);

/* Such a line of the first, and how many more there are, into text; "" where there is none. */
void config_problems_first(const struct config_problems *problems, const char *path, char *text, size_t size);

/* The same as an array. NULL when memory is out. */
json_t *config_problems_json(const struct config_problems *problems);

#endif
