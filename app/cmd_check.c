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
#include "control/config_keys.h"
#include "control/config_report.h"
#include "json_text.h"

static const char check_help[] =
	"Usage: wirescore check [OPTION]... CONFIG\n"
	"       wirescore check --keys [--json]\n"
	"Tells of every mistake in the config of a live run, with its line, or of what would run. Looks at all that\n"
	"the config names: models, cores, devices, interfaces, users, folders. Starts nothing and opens no port.\n"
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
	const char *path;
	char **sets; /* of the command line, in order */
	uint32_t n_sets;
	bool is_other_machine, has_keys, is_json;
};

/* 0 to go on, else an exit code + 1. options->sets is to be freed. */
static int check_parse(int argc, char **argv, struct check_options *options)
{
	enum { OPT_SET = 256, OPT_OTHER, OPT_KEYS, OPT_JSON };
	static const struct option known[] = {
		{"set", required_argument, NULL, OPT_SET}, {"other-machine", no_argument, NULL, OPT_OTHER},
		{"keys", no_argument, NULL, OPT_KEYS},	   {"json", no_argument, NULL, OPT_JSON},
		{"help", no_argument, NULL, 'h'},	   {0},
	};
	int option;

	options->sets = calloc((size_t)argc, sizeof(*options->sets));
	if (!options->sets) {
		complain("out of memory");
		return EXIT_FAILED + 1;
	}
	while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		switch (option) {
		case OPT_SET:
			if (!strchr(optarg, '='))
				return usage_error("check", "--set %s: write SECTION.KEY=VALUE", optarg) + 1;
			options->sets[options->n_sets++] = optarg;
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
	options->path = argv[optind];
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

/* Takes what --set says, one after the other. 0 or -ENOMEM. */
static int check_override(const struct check_options *options, struct config *config,
			  struct config_problems *problems)
{
	int rc = 0;

	for (uint32_t i = 0; i < options->n_sets && !rc; i++) {
		char *equals = strchr(options->sets[i], '=');

		*equals = '\0';
		rc = config_override(config, options->sets[i], equals + 1, problems);
		*equals = '=';
	}
	return rc;
}

/* Tells of the mistakes, or of what would run. An exit code. */
static int check_report(const struct check_options *options, const struct config *config,
			struct config_problems *problems)
{
	int rc = problems->n ? EXIT_FAILED : EXIT_OK, printed;

	config_problems_sort(problems);
	if (options->is_json) {
		printed = check_print_json(json_pack("{s:o, s:b, s:o, s:o}", "config", json_text(options->path),
						     "valid", !problems->n, "mistakes",
						     config_problems_json(problems), "runs",
						     problems->n ? json_null() : config_report_json(config)));
		return printed ? printed : rc;
	}
	if (!problems->n) {
		config_report_print(config, stdout);
		return finish_stdout();
	}
	config_problems_print(problems, options->path, stderr);
	complain("%s: %u mistake%s", options->path, problems->n, problems->n == 1 ? "" : "s");
	return rc;
}

static int check_config(const struct check_options *options)
{
	unsigned int what = CONFIG_CHECK_MODELS | (options->is_other_machine ? 0 : CONFIG_CHECK_MACHINE);
	struct config_problems problems = {0};
	struct config *config = config_create();
	int rc = EXIT_FAILED;

	if (!config || config_read(config, options->path, &problems) ||
	    check_override(options, config, &problems) ||
	    /* A file that cannot be read has one mistake, not all that it lacks. */
	    ((config->n_places || !problems.n) && config_check(config, what, &problems)))
		complain("out of memory");
	else
		rc = check_report(options, config, &problems);
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
	free(options.sets);
	return rc - 1;
}
