/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `wirescore bench kernels|capture|flows`: the speed of the parts, as ratios and cycles measured in one run.
 */
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "command.h"

static const char bench_help[] =
	"Usage: wirescore bench kernels [OPTION]...\n"
	"       wirescore bench flows [OPTION]...\n"
	"       wirescore bench capture [OPTION]... FILE\n"
	"Measures the MLP kernels, the flow table, or the way of a capture against an empty loop on\n"
	"its port. 'wirescore bench kernels --help' and so on tell more.\n";

int cmd_bench(int argc, char **argv)
{
	if (argc < 2)
		return usage_error("bench", "say what to measure: kernels, flows or capture");
	if (!strcmp(argv[1], "kernels"))
		return bench_kernels(argc - 1, argv + 1);
	if (!strcmp(argv[1], "flows"))
		return bench_flows(argc - 1, argv + 1);
	if (!strcmp(argv[1], "capture"))
		return bench_capture(argc - 1, argv + 1);
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		fputs(bench_help, stdout);
		return EXIT_OK;
	}
	return usage_error("bench", "'%s' cannot be measured; kernels, flows and capture can", argv[1]);
}
