/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `wirescore features`: what a flow can be described by, with the formulas, and the presets. Called by main.c.
 */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "flow_features.h"

static void print_help(void)
{
	puts("Usage: wirescore features [--json] [PRESET|NAME]...\n"
	     "\n"
	     "Lists the features of flows: name, unit, whether it is a count or a real number, the part of a flow's\n"
	     "state that is kept for it, the formula, and who defined it. With names (commas may stand between them)\n"
	     "only those, in order, as a table of them would be headed. All presets stand at the end.\n"
	     "\n"
	     "fwd_ is the direction of the initiator, bwd_ the other, a name with neither tells of both. A payload is\n"
	     "what follows the transport header. Where a formula has no value (a mean of nothing, a rate over no time)\n"
	     "the value is 0.\n"
	     "\n"
	     "  --json           print one JSON object\n"
	     "  -h, --help       this text");
}

/* How many features a preset has; 0 when memory is out. */
static uint32_t preset_size(const char *name)
{
	struct flow_feature_set *set;
	char error[128];
	uint32_t n;

	if (flow_feature_set_create(name, &set, error, sizeof(error)) != 0)
		return 0;
	n = set->n;
	flow_feature_set_free(set);
	return n;
}

static json_t *features_json(const struct flow_feature_set *set)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < set->n; i++) {
		const struct flow_feature_info *info = flow_features_info(set->columns[i].feature);

		json_array_append_new(array,
				      json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:s, s:s}", "name", info->name,
						"label", set->columns[i].label, "unit", info->unit, "type",
						flow_feature_type_name(info->type), "part",
						flow_feature_part_name(info->part), "listed", (int)info->n_listed,
						"formula", info->formula, "source", info->source));
	}
	return array;
}

/* 0, or -1 when memory is out. */
static int print_json(const struct flow_feature_set *set)
{
	char schema[FLOW_FEATURES_SCHEMA_SIZE];
	json_t *presets = json_array();
	const struct flow_preset_info *preset;
	json_t *root;

	for (uint32_t i = 0; (preset = flow_features_preset(i)) != NULL; i++)
		json_array_append_new(presets, json_pack("{s:s, s:i, s:s}", "name", preset->name, "features",
							 (int)preset_size(preset->name), "help", preset->help));
	flow_feature_set_schema(set, schema);
	root = json_pack("{s:o, s:s, s:o}", "features", features_json(set), "schema", schema, "presets", presets);
	if (root == NULL)
		return -1;
	json_dumpf(root, stdout, JSON_COMPACT);
	json_decref(root);
	putchar('\n');
	return 0;
}

static int longer(int width, const char *text)
{
	return (int)strlen(text) > width ? (int)strlen(text) : width;
}

/* The label is a column of its own where one differs from its feature's name. */
static void print_features(const struct flow_feature_set *set)
{
	int name_width = (int)strlen("name"), label_width = 0, unit_width = (int)strlen("unit");

	for (uint32_t i = 0; i < set->n; i++) {
		const struct flow_feature_info *info = flow_features_info(set->columns[i].feature);

		name_width = longer(name_width, info->name);
		unit_width = longer(unit_width, info->unit);
		if (strcmp(set->columns[i].label, info->name) != 0)
			label_width = longer(label_width, set->columns[i].label);
	}
	if (label_width > 0)
		printf("%-*s  ", label_width, "label");
	printf("%-*s  %-*s  type   part     formula [source]\n", name_width, "name", unit_width, "unit");
	for (uint32_t i = 0; i < set->n; i++) {
		const struct flow_feature_info *info = flow_features_info(set->columns[i].feature);

		if (label_width > 0)
			printf("%-*s  ", label_width, set->columns[i].label);
		printf("%-*s  %-*s  %-5s  %-7s  %s", name_width, info->name, unit_width,
		       info->unit[0] != '\0' ? info->unit : "-", flow_feature_type_name(info->type),
		       flow_feature_part_name(info->part), info->formula);
		printf(info->source[0] != '\0' ? " [%s]\n" : "%s\n", info->source);
	}
}

static void print_text(const struct flow_feature_set *set)
{
	char schema[FLOW_FEATURES_SCHEMA_SIZE];
	const struct flow_preset_info *preset;

	print_features(set);
	flow_feature_set_schema(set, schema);
	printf("\n%u features, schema %s\n\n%-8s %8s  what it is\n", set->n, schema, "preset", "features");
	for (uint32_t i = 0; (preset = flow_features_preset(i)) != NULL; i++)
		printf("%-8s %8u  %s\n", preset->name, preset_size(preset->name), preset->help);
}

/* The arguments with commas between them, or "all". NULL when memory is out. The caller frees it. */
static char *joined_names(char **arguments, int n)
{
	size_t bytes = sizeof("all");
	char *names, *at;

	for (int i = 0; i < n; i++)
		bytes += strlen(arguments[i]) + 1;
	names = malloc(bytes);
	if (names == NULL)
		return NULL;
	at = stpcpy(names, n > 0 ? arguments[0] : "all");
	for (int i = 1; i < n; i++)
		at = stpcpy(stpcpy(at, ","), arguments[i]);
	return names;
}

int cmd_features(int argc, char **argv)
{
	enum { OPTION_JSON = 256 };
	static const struct option known[] = {
		{"json", no_argument, NULL, OPTION_JSON},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct flow_feature_set *set = NULL;
	char error[128] = "out of memory";
	bool json = false;
	char *names;
	int option, result;

	optind = 0;
	while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		switch (option) {
		case OPTION_JSON:
			json = true;
			break;
		case 'h':
			print_help();
			return finish_stdout();
		default:
			fputs("Try 'wirescore features --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	names = joined_names(argv + optind, argc - optind);
	result = names == NULL ? -ENOMEM : flow_feature_set_create(names, &set, error, sizeof(error));
	free(names);
	if (result == -EINVAL)
		return usage_error("features", "%s", error);
	if (result == 0) {
		if (json)
			result = print_json(set);
		else
			print_text(set);
		flow_feature_set_free(set);
	}
	if (result != 0) {
		complain("features: out of memory");
		return EXIT_FAILED;
	}
	return finish_stdout();
}
