/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From the header of a table and the options to what is done with each column. Called by flow_csv.c.
 */
#include "flow_plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* More of a column's name is not looked for in that of a feature. */
#define NAME_BYTES 1024

char *flow_plan_clean(char *text)
{
	size_t n;

	for (char *at = text; *at != '\0'; at++)
		if ((unsigned char)*at < ' ' || *at == 127)
			*at = ' ';
	text += strspn(text, " ");
	n = strlen(text);
	while (n > 0 && text[n - 1] == ' ')
		n--;
	/* Names of formats cannot be written to, and need not be. */
	if (text[n] != '\0')
		text[n] = '\0';
	return text;
}

void flow_plan_free(struct flow_plan *plan)
{
	for (uint32_t i = 0; i < plan->n_columns && plan->columns != NULL; i++)
		free(plan->columns[i].name);
	free(plan->columns);
	free(plan->numbers);
	free(plan->symbols);
	*plan = (struct flow_plan){0};
}

/* ---- Columns ---- */

/* The first column of that name, or -1. */
static int32_t column_find(const struct flow_plan *plan, const char *name)
{
	for (uint32_t i = 0; i < plan->n_columns; i++)
		if (strcmp(plan->columns[i].name, name) == 0)
			return (int32_t)i;
	return -1;
}

static bool is_listed(const struct flow_dataset_names *list, const char *name)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (strcmp(list->names[i], name) == 0)
			return true;
	return false;
}

static int names_copy(struct flow_plan *plan, char *const *names, uint32_t n)
{
	plan->columns = calloc(n, sizeof(*plan->columns));
	if (plan->columns == NULL)
		return -ENOMEM;
	plan->n_columns = n;
	for (uint32_t i = 0; i < n; i++) {
		struct flow_plan_column *column = &plan->columns[i];

		column->name = strdup(flow_plan_clean(names[i]));
		if (column->name == NULL)
			return -ENOMEM;
		column->known = flow_format_column(plan->format, column->name);
	}
	return 0;
}

/* Every name that the user gave must be a column. */
static int list_check(const struct flow_plan *plan, const struct flow_dataset_names *list, const char *path,
		      const char *what, char *error, size_t error_size)
{
	for (uint32_t i = 0; i < list->n; i++) {
		if (column_find(plan, list->names[i]) >= 0)
			continue;
		snprintf(error, error_size, "%s:1: there is no column '%.64s' that could be %s", path,
			 list->names[i], what);
		return -EINVAL;
	}
	return 0;
}

/* A column named label or class, in capitals or not; label goes first. */
static int32_t label_guess(const struct flow_plan *plan)
{
	static const char *const usual[] = {"label", "class"};

	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		for (uint32_t column = 0; column < plan->n_columns; column++)
			if (strcasecmp(plan->columns[column].name, usual[i]) == 0)
				return (int32_t)column;
	return -1;
}

static int label_find(struct flow_plan *plan, const struct flow_csv_options *options, const char *path, char *error,
		      size_t error_size)
{
	const char *name = options->label_column != NULL ? options->label_column : plan->format->label;

	plan->label = name != NULL ? column_find(plan, name) : label_guess(plan);
	if (plan->label >= 0 || (options->label != NULL && options->label_column == NULL))
		return 0;
	if (name != NULL)
		snprintf(error, error_size,
			 "%s:1: there is no column '%.64s' with labels; name it with --label-column, or label all "
			 "rows with --label",
			 path, name);
	else
		snprintf(
			error, error_size,
			"%s:1: no column is named label or class; name the one with labels with --label-column, or "
			"label all rows with --label",
			path);
	return -EINVAL;
}

/* What becomes of a column; is_again: another of its name stands before it. */
static void column_decide(struct flow_plan_column *column, const struct flow_csv_options *options, bool is_label,
			  bool is_again)
{
	bool is_symbolic =
		column->known->role == FLOW_COLUMN_SYMBOLIC || is_listed(&options->symbolic, column->name);

	column->why = is_label					   ? "label"
		      : is_again				   ? "named twice"
		      : is_listed(&options->dropped, column->name) ? "dropped"
								   : column->known->why;
	column->is_forced = column->why != NULL && column->why == column->known->why && !is_label &&
			    is_listed(&options->forced, column->name);
	if (column->why != NULL && !column->is_forced)
		column->kind = FLOW_PLAN_LEFT_OUT;
	else
		column->kind = is_symbolic ? FLOW_PLAN_SYMBOLIC : FLOW_PLAN_NUMBER;
}

int flow_plan_create(struct flow_plan *plan, const struct flow_csv_options *options,
		     const struct flow_format *format, const char *path, char *const *names, uint32_t n,
		     char *error, size_t error_size)
{
	int rc;

	*plan = (struct flow_plan){.format = format, .label = -1};
	memset(plan->roles, -1, sizeof(plan->roles));
	rc = names_copy(plan, names, n);
	if (rc < 0) {
		snprintf(error, error_size, "%s: out of memory", path);
		return rc;
	}
	rc = label_find(plan, options, path, error, error_size);
	if (rc == 0)
		rc = list_check(plan, &options->forced, path, "forced", error, error_size);
	if (rc == 0)
		rc = list_check(plan, &options->dropped, path, "dropped", error, error_size);
	if (rc == 0)
		rc = list_check(plan, &options->symbolic, path, "symbolic", error, error_size);
	for (uint32_t i = 0; i < n && rc == 0; i++) {
		struct flow_plan_column *column = &plan->columns[i];
		bool is_again = column_find(plan, column->name) != (int32_t)i;

		column_decide(column, options, (int32_t)i == plan->label, is_again);
		if (plan->roles[column->known->role] < 0)
			plan->roles[column->known->role] = (int32_t)i;
	}
	return rc;
}

/* ---- Features ---- */

/* The column whose words a feature COLUMN=VALUE stands for, and the value; -1: none. */
static int32_t symbol_find(const struct flow_plan *plan, const char *feature, const char **value)
{
	char name[NAME_BYTES];

	for (const char *at = strchr(feature, '='); at != NULL; at = strchr(at + 1, '=')) {
		size_t n = (size_t)(at - feature);
		int32_t column;

		if (n >= sizeof(name))
			break;
		memcpy(name, feature, n);
		name[n] = '\0';
		column = column_find(plan, name);
		if (column >= 0) {
			*value = at + 1;
			return column;
		}
	}
	return -1;
}

static int bind_refuse(const char *path, const char *first, const char *what, const char *name, char *error,
		       size_t error_size)
{
	if (first != NULL)
		snprintf(error, error_size,
			 "%s:1: %s '%.64s', other than %s; tables that are read together need the "
			 "same features",
			 path, what, name, first);
	else
		snprintf(error, error_size, "%s:1: %s '%.64s'", path, what, name);
	return -EINVAL;
}

static int feature_bind(struct flow_plan *plan, const char *name, uint32_t feature, const char *path,
			const char *first, char *error, size_t error_size)
{
	const char *value = NULL;
	int32_t at = column_find(plan, name);
	struct flow_plan_column *column;

	if (at < 0)
		at = symbol_find(plan, name, &value);
	if (at < 0)
		return bind_refuse(path, first, "there is no column", name, error, error_size);
	column = &plan->columns[at];
	if (column->kind == FLOW_PLAN_LEFT_OUT) {
		snprintf(error, error_size, "%s:1: column '%.64s' is no feature (%s)%s", path, column->name,
			 column->why, column->why == column->known->why ? "; --force takes it all the same" : "");
		return -EINVAL;
	}
	if (value == NULL && column->kind == FLOW_PLAN_SYMBOLIC) {
		snprintf(error, error_size, "%s:1: column '%.64s' holds words: name its features as %.64s=VALUE",
			 path, name, name);
		return -EINVAL;
	}
	if (value == NULL)
		plan->numbers[plan->n_numbers++] =
			(struct flow_plan_number){(uint32_t)at, feature, column->is_forced};
	else
		plan->symbols[plan->n_symbols++] = (struct flow_plan_symbol){(uint32_t)at, feature, value};
	return 0;
}

static int symbol_compare(const void *left, const void *right)
{
	const struct flow_plan_symbol *a = left, *b = right;

	return a->column != b->column ? (a->column < b->column ? -1 : 1) : strcmp(a->value, b->value);
}

/* Every column that can be a feature must be one. */
static int columns_check(const struct flow_plan *plan, const char *path, const char *first, char *error,
			 size_t error_size)
{
	for (uint32_t i = 0; i < plan->n_columns; i++) {
		bool is_used = plan->columns[i].kind == FLOW_PLAN_LEFT_OUT;

		for (uint32_t k = 0; k < plan->n_numbers && !is_used; k++)
			is_used = plan->numbers[k].column == i;
		for (uint32_t k = 0; k < plan->n_symbols && !is_used; k++)
			is_used = plan->symbols[k].column == i;
		if (!is_used)
			return bind_refuse(path, first, "there is a column", plan->columns[i].name, error,
					   error_size);
	}
	return 0;
}

int flow_plan_bind(struct flow_plan *plan, char *const *features, uint32_t n, bool is_whole, const char *path,
		   const char *first, char *error, size_t error_size)
{
	int rc = 0;

	plan->numbers = calloc(n + 1, sizeof(*plan->numbers));
	plan->symbols = calloc(n + 1, sizeof(*plan->symbols));
	if (plan->numbers == NULL || plan->symbols == NULL) {
		snprintf(error, error_size, "%s: out of memory", path);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < n && rc == 0; i++)
		rc = feature_bind(plan, features[i], i, path, first, error, error_size);
	if (rc == 0 && is_whole && first != NULL)
		rc = columns_check(plan, path, first, error, error_size);
	qsort(plan->symbols, plan->n_symbols, sizeof(*plan->symbols), symbol_compare);
	return rc;
}
