/* SPDX-License-Identifier: BSD-3-Clause */
#include "table_options.h"

#include <stdlib.h>
#include <string.h>

#include "command.h"

const char table_options_help[] =
	"  --format NAME        wirescore, cicids2017, nslkdd, luflow, antinex or generic (a header, and a column\n"
	"                       of labels); default: by the header\n"
	"  --label-column NAME  the column with the labels; default: the format's\n"
	"  --label NAME         the label of rows that have none: no such column, or an empty field\n"
	"  --benign LIST        labels that are benign, with commas between; * and ? match anything. Default:\n"
	"                       benign, normal and 0, in capitals or not\n"
	"  --ignore-label LIST  labels whose rows are left out, and counted. Default: outlier of luflow and\n"
	"                       '* - Attempted' of cicids2017, attacks that had no effect; '' ignores none\n"
	"  --force LIST         columns that are features although they say who, where or when: addresses, ports,\n"
	"                       TTLs, IP ids, TCP sequence numbers, clocks, row numbers. The model records them.\n"
	"                       Addresses are no numbers: name them in --symbolic, too\n"
	"  --symbolic LIST      columns of words: a feature NAME=VALUE for each of at most 256 values\n"
	"  --max-rows N         use so many rows and read no further, wherever flows are then: for a first look\n";

const char table_choices_help[] =
	"  --classes HOW        what makes a class: 'binary' (benign or attack, the default), 'group' (what stands\n"
	"                       before the first - of a label) or 'label'\n"
	"  --columns LIST       the features to read, in this order; default: all columns that can be\n"
	"  --drop LIST          columns that are no features\n";

/* Options that give a list, from the first such option on. */
static const struct {
	const char *name;
	size_t at; /* of the struct flow_dataset_names in struct flow_csv_options */
} table_lists[TABLE_N_LISTS] = {
	[TABLE_LIST_BENIGN] = {"--benign", offsetof(struct flow_csv_options, classes.benign)},
	[TABLE_LIST_IGNORED] = {"--ignore-label", offsetof(struct flow_csv_options, ignored)},
	[TABLE_LIST_FEATURES] = {"--columns", offsetof(struct flow_csv_options, features)},
	[TABLE_LIST_FORCED] = {"--force", offsetof(struct flow_csv_options, forced)},
	[TABLE_LIST_DROPPED] = {"--drop", offsetof(struct flow_csv_options, dropped)},
	[TABLE_LIST_SYMBOLIC] = {"--symbolic", offsetof(struct flow_csv_options, symbolic)},
};

void table_options_init(struct table_options *options)
{
	*options = (struct table_options){0};
}

static void list_free(struct table_list *list)
{
	free(list->text);
	free(list->names);
	*list = (struct table_list){0};
}

void table_options_free(struct table_options *options)
{
	for (int i = 0; i < TABLE_N_LISTS; i++)
		list_free(&options->lists[i]);
	table_options_init(options);
}

bool table_options_has(int option)
{
	return option >= TABLE_OPT_FORMAT && option <= TABLE_OPT_MAX_ROWS;
}

/* Cuts text at its commas; blank around a name is no part of it. Returns the number of names. */
static uint32_t list_cut(char *text, char **names)
{
	uint32_t n = 0;
	char *name;

	while ((name = strsep(&text, ",")) != NULL) {
		size_t length;

		name += strspn(name, " \t");
		length = strlen(name);
		while (length > 0 && (name[length - 1] == ' ' || name[length - 1] == '\t'))
			name[--length] = '\0';
		if (length > 0)
			names[n++] = name;
	}
	return n;
}

/* Takes the list, in place of one that was given before. */
static int take_list(struct table_options *options, int which, const char *argument)
{
	struct flow_dataset_names *names =
		(struct flow_dataset_names *)(void *)((char *)&options->csv + table_lists[which].at);
	struct table_list *list = &options->lists[which];
	size_t n_room = 1;

	for (const char *at = argument; *at != '\0'; at++)
		n_room += *at == ',';
	list_free(list);
	list->text = strdup(argument);
	list->names = calloc(n_room, sizeof(*list->names));
	if (list->text == NULL || list->names == NULL) {
		complain("out of memory");
		return -1;
	}
	names->n = list_cut(list->text, list->names);
	names->names = (const char *const *)list->names;
	/* An empty list of labels is one; without columns there is nothing to do. */
	if (names->n == 0 && which != TABLE_LIST_BENIGN && which != TABLE_LIST_IGNORED) {
		complain("%s '%s' names no column", table_lists[which].name, argument);
		return -1;
	}
	return 0;
}

static int take_format(const char *argument, const char **format)
{
	const char *name;

	for (uint32_t i = 0; (name = flow_csv_format_name(i)) != NULL; i++) {
		if (strcmp(argument, name) == 0) {
			*format = name;
			return 0;
		}
	}
	complain("--format '%s' is not wirescore, cicids2017, nslkdd, luflow, antinex or generic", argument);
	return -1;
}

static int take_mapping(const char *argument, enum flow_dataset_mapping *mapping)
{
	static const char *const names[] = {
		[FLOW_CLASSES_BINARY] = "binary", [FLOW_CLASSES_GROUP] = "group", [FLOW_CLASSES_LABEL] = "label"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(argument, names[i]) == 0) {
			*mapping = (enum flow_dataset_mapping)i;
			return 0;
		}
	}
	complain("--classes '%s' is not binary, group or label", argument);
	return -1;
}

int table_options_take(struct table_options *options, int option, const char *argument)
{
	struct flow_csv_options *csv = &options->csv;

	switch (option) {
	case TABLE_OPT_FORMAT:
		return take_format(argument, &csv->format);
	case TABLE_OPT_LABEL_COLUMN:
		csv->label_column = argument;
		return 0;
	case TABLE_OPT_LABEL:
		csv->label = argument;
		return 0;
	case TABLE_OPT_BENIGN:
		return take_list(options, TABLE_LIST_BENIGN, argument);
	case TABLE_OPT_IGNORE_LABEL:
		return take_list(options, TABLE_LIST_IGNORED, argument);
	case TABLE_OPT_COLUMNS:
		return take_list(options, TABLE_LIST_FEATURES, argument);
	case TABLE_OPT_FORCE:
		return take_list(options, TABLE_LIST_FORCED, argument);
	case TABLE_OPT_DROP:
		return take_list(options, TABLE_LIST_DROPPED, argument);
	case TABLE_OPT_SYMBOLIC:
		return take_list(options, TABLE_LIST_SYMBOLIC, argument);
	case TABLE_OPT_CLASSES:
		return take_mapping(argument, &csv->classes.mapping);
	default:
		return parse_u64("--max-rows", argument, 1, UINT64_MAX, &csv->max_rows);
	}
}
