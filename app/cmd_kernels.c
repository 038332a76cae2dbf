/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `wirescore kernels`: the MLP kernels of this build, which of them this machine supports, and the one that is
 * chosen without --kernel. Called by main.c.
 */
#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "command.h"
#include "nn.h"

static void print_help(void)
{
	puts("Usage: wirescore kernels [--json]\n"
	     "\n"
	     "Lists the MLP kernels, best first, and which of them this CPU and operating system support.\n"
	     "The first that is supported is chosen; --kernel NAME of the other commands forces one.\n"
	     "\n"
	     "  --json           print one JSON object\n"
	     "  -h, --help       this text");
}

/* 0, or -1 when memory is out. */
static int print_json(const struct nn_kernel *kernels, uint32_t n_kernels, const struct nn_kernel *chosen)
{
	json_t *array = json_array();
	json_t *root;

	for (uint32_t k = 0; k < n_kernels; k++)
		json_array_append_new(array, json_pack("{s:s, s:s, s:b, s:b}", "name", kernels[k].name, "needs",
						       kernels[k].needs, "supported", (int)kernels[k].supported(),
						       "chosen", &kernels[k] == chosen));
	root = json_pack("{s:o, s:s}", "kernels", array, "chosen", chosen->name);
	if (root == NULL)
		return -1;
	json_dumpf(root, stdout, JSON_COMPACT);
	json_decref(root);
	putchar('\n');
	return 0;
}

static void print_table(const struct nn_kernel *kernels, uint32_t n_kernels, const struct nn_kernel *chosen)
{
	printf("%-10s %-26s %-10s %s\n", "kernel", "needs", "supported", "chosen");
	for (uint32_t k = 0; k < n_kernels; k++)
		printf("%-10s %-26s %-10s %s\n", kernels[k].name, kernels[k].needs,
		       kernels[k].supported() ? "yes" : "no", &kernels[k] == chosen ? "yes" : "-");
}

int cmd_kernels(int argc, char **argv)
{
	enum { OPTION_JSON = 256 };
	static const struct option known[] = {
		{"json", no_argument, NULL, OPTION_JSON},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	uint32_t n_kernels;
	const struct nn_kernel *kernels = nn_kernels(&n_kernels);
	const struct nn_kernel *chosen = nn_kernel_find(NULL); /* scalar at the least */
	bool json = false;
	int option;

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
			fputs("Try 'wirescore kernels --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc)
		return usage_error("kernels", "%s: no argument is expected", argv[optind]);
	if (!json) {
		print_table(kernels, n_kernels, chosen);
	} else if (print_json(kernels, n_kernels, chosen) != 0) {
		complain("kernels: out of memory");
		return EXIT_FAILED;
	}
	return finish_stdout();
}
