/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `wirescore check CONFIG`: reads a config and tells of every mistake in it, or of what would run. Neither DPDK nor
 * any port is started. Called by main.c.
 */
#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "control/config.h"
#include "control/config_check.h"
#include "control/config_command.h"
#include "control/config_keys.h"
#include "control/config_report.h"
#include "json_text.h"

static const char check_help[] =
	"Usage: wirescore check [OPTION]... CONFIG\n"
	"       wirescore check --keys [--json]\n"
	"Tells of every mistake in the config of a live run, with its line, or of what would run. Looks at all that\n"
	"the config names: models, cores, devices, interfaces, users, folders. Starts nothing and opens no port.\n"
	"What may not be meant is warned of, as offloads are that keep packets from passing: that is no mistake.\n"
	"\n"
	"  --set SECTION.KEY=VALUE  take this value instead of the file's, or SECTION.NAME.KEY=VALUE, as in\n"
	"                           port.lan.queues=2; may be given often; paths are relative to where you are\n"
	"  --other-machine          the config is for another machine: do not look for its cores, devices,\n"
	"                           interfaces, users and folders on this one\n"
	"  --keys                   list every section and key, with default, meaning and range\n"
	"  --json                   print one JSON object\n"
	"  -h, --help               print this\n"
	"\n"
	"Paths in a config are relative to its folder. Exit status: 0; 1 where there are mistakes; 2 for bad usage.\n";

struct check_options {
	struct config_command command; /* sets is to be freed */
	bool is_other_machine, has_keys, is_json;
};

/* 0 to go on, else an exit code + 1. options->command.sets is to be freed. */
static int check_parse(int argc, char **argv, struct check_options *options)
{
	enum { OPT_SET = 256, OPT_OTHER, OPT_KEYS, OPT_JSON };
	static const struct option known[] = {
		{"set", required_argument, NULL, OPT_SET}, {"other-machine", no_argument, NULL, OPT_OTHER},
		{"keys", no_argument, NULL, OPT_KEYS},	   {"json", no_argument, NULL, OPT_JSON},
		{"help", no_argument, NULL, 'h'},	   {0},
	};
	int option;

	options->command.sets = calloc((size_t)argc, sizeof(*options->command.sets));
	if (!options->command.sets) {
		complain("out of memory");
		return EXIT_FAILED + 1;
	}
	while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		switch (option) {
		case OPT_SET:
			if (!strchr(optarg, '='))
				return usage_error("check", "--set %s: write SECTION.KEY=VALUE", optarg) + 1;
			options->command.sets[options->command.n_sets++] = optarg;
			break;
		case OPT_OTHER:
			options->is_other_machine = true;
			break;
		case OPT_KEYS:
			options->has_keys = true;
			break;
		case OPT_JSON:
			options->is_json = true;
			break;
		case 'h':
			fputs(check_help, stdout);
			return finish_stdout() + 1;
		default:
			fputs("Try 'wirescore check --help'.\n", stderr);
			return EXIT_USAGE + 1;
		}
	}
	if (options->has_keys && optind == argc)
		return 0;
	if (options->has_keys || optind + 1 < argc)
		return usage_error("check", "%s: no %sargument is expected", argv[argc - 1],
				   options->has_keys ? "" : "further ") +
		       1;
	if (optind == argc)
		return usage_error("check", "no config is named") + 1;
	options->command.path = argv[optind];
	return 0;
}

/* Prints an object, which may be NULL for want of memory, and lets go of it. An exit code. */
static int check_print_json(json_t *object)
{
	if (!object) {
		complain("out of memory");
		return EXIT_FAILED;
	}
	json_dumpf(object, stdout, JSON_COMPACT);
	json_decref(object);
	putchar('\n');
	return finish_stdout();
}

static int check_print_keys(const struct check_options *options)
{
	if (options->is_json)
		return check_print_json(config_keys_json());
	config_keys_print(stdout);
	return finish_stdout();
}

/* The result as one object. An exit code. */
static int check_report_json(const struct check_options *options, unsigned int what, const struct config *config,
			     const struct config_problems *problems)
{
	struct config_problems warnings = {0};
	int rc;

	if (!problems->n)
		config_warn(config, what, &warnings);
	config_problems_sort(&warnings);
	rc = check_print_json(json_pack("{s:o, s:b, s:o, s:o, s:o}", "config", json_text(options->command.path),
					"valid", !problems->n, "mistakes", config_problems_json(problems),
					"warnings", config_problems_json(&warnings), "runs",
					problems->n ? json_null() : config_report_json(config)));
	config_problems_free(&warnings);
	return rc ? rc : problems->n ? EXIT_FAILED : EXIT_OK;
}

/* Tells of the mistakes, or of what would run and what may not be meant. An exit code. */
static int check_report(const struct check_options *options, unsigned int what, const struct config *config,
			const struct config_problems *problems)
{
	if (options->is_json)
		return check_report_json(options, what, config, problems);
	if (problems->n) {
		config_command_complain(&options->command, problems);
		return EXIT_FAILED;
	}
	config_command_warn(&options->command, what, config);
	config_report_print(config, stdout);
	return finish_stdout();
}

static int check_config(const struct check_options *options)
{
	unsigned int what = CONFIG_CHECK_MODELS | (options->is_other_machine ? 0 : CONFIG_CHECK_MACHINE);
	struct config_problems problems = {0};
	struct config *config = config_create();
	int rc = EXIT_FAILED;

	if (!config || config_command_read(&options->command, what, config, &problems))
		complain("out of memory");
	else
		rc = check_report(options, what, config, &problems);
	config_problems_free(&problems);
	config_free(config);
	return rc;
}

int cmd_check(int argc, char **argv)
{
	struct check_options options = {0};
	int rc = check_parse(argc, argv, &options);

	if (!rc)
		rc = (options.has_keys ? check_print_keys(&options) : check_config(&options)) + 1;
	free(options.command.sets);
	return rc - 1;
}
