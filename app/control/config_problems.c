/* SPDX-License-Identifier: BSD-3-Clause */
#include "config_problems.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "json_text.h"

/* Copies text, which may be NULL. False when memory is out. */
static bool copy_text(char **copy, const char *text)
{
	*copy = text ? strdup(text) : NULL;
	return *copy || !text;
}

static void config_problem_free(struct config_problem *problem)
{
	free(problem->section);
	free(problem->key);
	free(problem->text);
}

/* A file or a command line must not drive the terminal that it is told of on. */
static void blot_controls(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

/* Room for one more: the list doubles whenever it is full, which is at powers of two. NULL when memory is out. */
static struct config_problem *make_room(struct config_problems *problems)
{
	size_t n = problems->n;
	struct config_problem *list;

	if (n & (n - 1))
		return problems->list;
	list = reallocarray(problems->list, n ? 2 * n : 1, sizeof(*list));
	if (list)
		problems->list = list;
	return list;
}

void config_problems_add(struct config_problems *problems, const struct config_where *where, const char *format,
			 ...)
{
	struct config_problem problem = {.line = where->line, .is_override = where->is_override};
	struct config_problem *list = make_room(problems);
	va_list values;
	int rc;

	va_start(values, format);
	rc = vasprintf(&problem.text, format, values);
	va_end(values);
	if (rc < 0)
		problem.text = NULL;
	if (!list || !problem.text || !copy_text(&problem.section, where->section) ||
	    !copy_text(&problem.key, where->key)) {
		problems->is_out_of_memory = true;
		config_problem_free(&problem);
		return;
	}
	blot_controls(problem.text);
	if (problem.section)
		blot_controls(problem.section);
	if (problem.key)
		blot_controls(problem.key);
	problems->list[problems->n++] = problem;
}

void config_problems_free(struct config_problems *problems)
{
	for (uint32_t i = 0; i < problems->n; i++)
		config_problem_free(&problems->list[i]);
	free(problems->list);
	*problems = (struct config_problems){0};
}

/* Stable without a second key: texts of one line are told apart by themselves. */
static int config_problem_compare(const void *left, const void *right)
{
	const struct config_problem *a = left, *b = right;
	/* 0, no line, is behind all lines. */
	uint32_t line_a = a->line - 1, line_b = b->line - 1;

	if (line_a != line_b)
		return line_a < line_b ? -1 : 1;
	return strcmp(a->text, b->text);
}

void config_problems_sort(struct config_problems *problems)
{
	if (problems->n)
		qsort(problems->list, problems->n, sizeof(*problems->list), config_problem_compare);
}

static void print_problem(const struct config_problem *problem, const char *path, FILE *file)
{
	fputs(problem->is_override ? "--set" : path, file);
	if (problem->line)
		fprintf(file, ":%u", problem->line);
	fputs(": ", file);
	if (problem->section)
		fprintf(file, "[%s]%s", problem->section, problem->key ? " " : ": ");
	if (problem->key)
		fprintf(file, "%s: ", problem->key);
	fputs(problem->text, file);
}

void config_problems_print(const struct config_problems *problems, const char *path, FILE *file)
{
	for (uint32_t i = 0; i < problems->n; i++) {
		print_problem(&problems->list[i], path, file);
		fputc('\n', file);
	}
}

void config_problems_first(const struct config_problems *problems, const char *path, char *text, size_t size)
{
	FILE *file;

	text[0] = '\0';
	if (!problems->n)
		return;
	file = fmemopen(text, size, "w");
	if (!file)
		return;
	print_problem(&problems->list[0], path, file);
	if (problems->n > 1)
		fprintf(file, " (and %u more)", problems->n - 1);
	fclose(file);
	text[size - 1] = '\0';
}

json_t *config_problems_json(const struct config_problems *problems)
{
	json_t *array = json_array();

	for (uint32_t i = 0; array && i < problems->n; i++) {
		const struct config_problem *problem = &problems->list[i];
		json_t *row = json_object();
		int rc =
			json_object_set_new(row, "line", problem->line ? json_integer(problem->line) : json_null());

		rc |= json_object_set_new(row, "section", json_text_or_null(problem->section));
		rc |= json_object_set_new(row, "key", json_text_or_null(problem->key));
		rc |= json_object_set_new(row, "override", json_boolean(problem->is_override));
		rc |= json_object_set_new(row, "mistake", json_text(problem->text));
		if (json_array_append_new(array, row) || rc) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}
