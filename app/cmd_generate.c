/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `wirescore generate WHAT`: hands over to what is generated. Called by main.c.
 */
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "generate.h"

static void print_help(void)
{
	puts("Usage: wirescore generate packets|flows -o FILE [OPTION]...\n"
	     "\n"
	     "Writes a capture of made-up traffic, and what it is. The same seed gives the same bytes.\n"
	     "\n"
	     "  packets   frames of many kinds, IP and not, each on its own\n"
	     "  flows     conversations, benign and attack, on one timeline, with labels\n"
	     "\n"
	     "'wirescore generate packets --help' and 'wirescore generate flows --help' say more.");
}

int cmd_generate(int argc, char **argv)
{
	if (argc < 2)
		return usage_error("generate", "what to generate is missing: packets or flows");
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		print_help();
		return finish_stdout();
	}
	if (!strcmp(argv[1], "packets"))
		return generate_packets(argc - 1, argv + 1);
	if (!strcmp(argv[1], "flows"))
		return generate_flows(argc - 1, argv + 1);
	return usage_error("generate", "cannot generate '%s', only packets and flows", argv[1]);
}
