/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `wirescore run CONFIG`: reads a config and runs it on ports until it is told to stop. Called by main.c.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "control/config.h"
#include "control/config_command.h"
#include "control/live.h"
#include "interrupt.h"

static const char run_help[] =
	"Usage: wirescore run [OPTION]... CONFIG\n"
	"Classifies what comes in at ports, forwards between those that are a pair, and does with flows what the policy\n"
	"says of their class. 'wirescore check CONFIG' finds mistakes without starting.\n"
	"\n"
	"  --set SECTION.KEY=VALUE  take this value instead of the file's, or SECTION.NAME.KEY=VALUE, as in\n"
	"                           port.lan.queues=2; may be given often; paths are relative to where you are\n"
	"  --idle-sleep             workers that find nothing rest: --set eal.idle-sleep=yes\n"
	"  --json                   print reports as one JSON object each\n"
	"  -v, --verbose            let DPDK say what it does, and say which buffers drivers have kept\n"
	"  -h, --help               print this\n"
	"\n"
	"SIGINT and SIGTERM end it: packets that wait are carried on, records are written, and a last report goes to\n"
	"stdout. SIGHUP, and /wirescore/reload at DPDK's telemetry socket, read CONFIG again and take over [models] and\n"
	"[policy] while packets pass; where anything is wrong all stays as it is. SIGUSR1 prints a report to stderr.\n"
	"Interfaces of the kernel must not hand over what no wire carries: 'ethtool -K IFACE tx off tso off gso off gro\n"
	"off' on them, and on the other end of a veth pair.\n"
	"Exit status: 0 after a signal; 1 where it could not start, or records were lost; 2 for bad usage.\n";

struct run_options {
	struct config_command command; /* sets is to be freed */
	bool is_json, is_verbose;
	bool is_running; /* the config is read again */
};

static atomic_bool run_reload, run_dump;

static void run_handle(int signal_number)
{
	atomic_store(signal_number == SIGHUP ? &run_reload : &run_dump, true);
}

static void run_catch(void)
{
	struct sigaction action = {.sa_handler = run_handle, .sa_flags = SA_RESTART};

	interrupt_catch();
	sigaction(SIGHUP, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
}

/* 0 to go on, else an exit code + 1. options->command.sets is to be freed. */
static int run_parse(int argc, char **argv, struct run_options *options)
{
	enum { OPT_SET = 256, OPT_IDLE_SLEEP, OPT_JSON };
	static const struct option known[] = {
		{"set", required_argument, NULL, OPT_SET}, {"idle-sleep", no_argument, NULL, OPT_IDLE_SLEEP},
		{"json", no_argument, NULL, OPT_JSON},	   {"verbose", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},	   {0},
	};
	static char idle_sleep[] = "eal.idle-sleep=yes";
	int option;

	options->command.sets = calloc((size_t)argc, sizeof(*options->command.sets));
	if (!options->command.sets) {
		complain("out of memory");
		return EXIT_FAILED + 1;
	}
	while ((option = getopt_long(argc, argv, "vh", known, NULL)) != -1) {
		switch (option) {
		case OPT_SET:
			if (!strchr(optarg, '='))
				return usage_error("run", "--set %s: write SECTION.KEY=VALUE", optarg) + 1;
			options->command.sets[options->command.n_sets++] = optarg;
			break;
		case OPT_IDLE_SLEEP:
			options->command.sets[options->command.n_sets++] = idle_sleep;
			break;
		case OPT_JSON:
			options->is_json = true;
			break;
		case 'v':
			options->is_verbose = true;
			break;
		case 'h':
			fputs(run_help, stdout);
			return finish_stdout() + 1;
		default:
			fputs("Try 'wirescore run --help'.\n", stderr);
			return EXIT_USAGE + 1;
		}
	}
	if (optind == argc)
		return usage_error("run", "no config is named") + 1;
	if (optind + 1 < argc)
		return usage_error("run", "%s: one config at a time", argv[optind + 1]) + 1;
	options->command.path = argv[optind];
	return 0;
}

/* The config, checked; NULL after complaining of all that is wrong, with one line of it in error. */
static struct config *run_read(void *context, char *error, size_t error_size)
{
	const struct run_options *options = context;
	/* What runs already has its ports and files, which the user that it is now may not open. */
	unsigned int what = CONFIG_CHECK_MODELS | (options->is_running ? 0 : CONFIG_CHECK_MACHINE);
	struct config_problems problems = {0};
	struct config *config = config_create();

	if (!config || config_command_read(&options->command, what, config, &problems)) {
		snprintf(error, error_size, "out of memory");
		complain("%s", error);
	} else if (problems.n) {
		/* Of a reload the last line says how it ended. */
		if (options->is_running)
			config_problems_print(&problems, options->command.path, complaints());
		else
			config_command_complain(&options->command, &problems);
		config_problems_first(&problems, options->command.path, error, error_size);
	} else {
		config_command_warn(&options->command, what, config);
		return config;
	}
	config_problems_free(&problems);
	config_free(config);
	return NULL;
}

int cmd_run(int argc, char **argv)
{
	struct run_options options = {0};
	struct config *config;
	char error[256];
	int rc = run_parse(argc, argv, &options);

	if (rc) {
		free(options.command.sets);
		return rc - 1;
	}
	run_catch();
	rc = EXIT_FAILED;
	config = run_read(&options, error, sizeof(error));
	if (config) {
		struct live_options live = {
			.config = config,
			.is_verbose = options.is_verbose,
			.is_json = options.is_json,
			.read = run_read,
			.context = &options,
			.stop = &interrupted,
			.reload = &run_reload,
			.dump = &run_dump,
		};

		options.is_running = true;
		rc = live_run(&live);
	}
	config_free(config);
	free(options.command.sets);
	return rc;
}
