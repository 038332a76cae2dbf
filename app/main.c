/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `wirescore COMMAND`: the table of commands.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "control/live_http.h"
#include "control/sinks/sink.h"
#include "control/sinks/sink_kinds.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
} commands[] = {
	{"classify", cmd_classify, "score every packet of captures, and find the attacks among their flows"},
	{"run", cmd_run, "classify what comes in at ports, forward it or not"},
	{"top", cmd_top, "show what a live run does"},
	{"extract", cmd_extract, "write the flows of captures as rows of features"},
	{"features", cmd_features, "list the features of flows"},
	{"lint", cmd_lint, "find what is wrong with labelled flows"},
	{"train", cmd_train, "train a model of packets or of flows"},
	{"eval", cmd_eval, "judge a model on data it was not trained on"},
	{"model", cmd_model, "show what is in a model file, or score rows with it"},
	{"generate", cmd_generate, "write a labelled capture, of packets or of flows"},
	{"check", cmd_check, "find every mistake in the config of a live run, and say what would run"},
	{"kernels", cmd_kernels, "list the kernels and what this CPU supports"},
	{"bench", cmd_bench, "measure the kernels, the flow table, or the way of a capture"},
};

static void print_help(FILE *file)
{
	fputs("Usage: wirescore COMMAND [OPTION]... [ARGUMENT]...\n"
	      "High-throughput packet classifier on DPDK.\n\n"
	      "Commands:\n",
	      file);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(file, "  %-10s %s\n", commands[i].name, commands[i].summary);
	fputs("\n'wirescore COMMAND --help' tells more; 'wirescore --version' tells the version.\n", file);
}

/* The version, and which sinks of records this build has. */
static void print_version(void)
{
	puts("wirescore " WIRESCORE_VERSION);
	fputs("records to", stdout);
	for (uint32_t i = 0; sink_drivers[i]; i++)
		printf("%s %s%s%s%s", i ? "," : "", sink_drivers[i]->name, sink_drivers[i]->library ? " (" : "",
		       sink_drivers[i]->library ? sink_drivers[i]->library : "",
		       sink_drivers[i]->library ? ")" : "");
	printf("; compressed with gzip%s%s\n", sink_kind_find("zstd")->is_built ? ", zstd" : "",
	       sink_kind_find("tls")->is_built ? "; TLS to brokers" : "");
	for (uint32_t i = 0; i < sink_n_kinds; i++)
		if (!sink_kinds[i].is_built)
			printf("built without %s (%s)\n", sink_kinds[i].name, sink_kinds[i].package);
	if (!HAVE_NCURSES)
		puts("built without the screen of top (libncurses-dev)");
	if (live_http_library())
		printf("statistics by http (%s)\n", live_http_library());
	else
		puts("built without http (libmicrohttpd-dev)");
}

/* A file must not become stdout or stderr because the shell left them closed. */
static void open_standard_files(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	open_standard_files();
	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_help(stdout);
		return EXIT_OK;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		print_version();
		return finish_stdout();
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	complain("there is no command '%s'; 'wirescore --help' lists them", argv[1]);
	return EXIT_USAGE;
}
