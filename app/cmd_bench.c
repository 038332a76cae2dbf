/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `wirescore bench kernels|capture`: the speed of the parts, as ratios and cycles measured in one run.
 */
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "command.h"

static const char bench_help[] =
	"Usage: wirescore bench kernels [OPTION]...\n"
	"       wirescore bench capture [OPTION]... FILE\n"
	"Measures the MLP kernels, or the way of a capture against an empty loop on its port.\n"
	"'wirescore bench kernels --help' and 'wirescore bench capture --help' tell more.\n";

int cmd_bench(int argc, char **argv)
{
	if (argc < 2)
		return usage_error("bench", "say what to measure: kernels or capture");
	if (!strcmp(argv[1], "kernels"))
		return bench_kernels(argc - 1, argv + 1);
	if (!strcmp(argv[1], "capture"))
		return bench_capture(argc - 1, argv + 1);
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		fputs(bench_help, stdout);
		return EXIT_OK;
	}
	return usage_error("bench", "'%s' cannot be measured; kernels and capture can", argv[1]);
}
