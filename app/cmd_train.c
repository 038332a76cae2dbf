/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `wirescore train`: says what can be trained and hands over to it. Called by main.c; needs no dataplane.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "train_tasks.h"

static const char train_help[] =
	"Usage: wirescore train packet [OPTION]... -o MODEL CAPTURE...\n"
	"       wirescore train flows [OPTION]... -o MODEL DATA...\n"
	"\n"
	"Trains a network and writes it as ONNX.\n"
	"\n"
	"  packet               tells two classes of frames apart by their first bytes\n"
	"  flows                tells attacks from benign flows, or many classes, by the features of flows\n"
	"\n"
	"'wirescore train packet --help' and 'wirescore train flows --help' say more.\n";

int cmd_train(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} tasks[] = {{"packet", train_packet_run}, {"flows", train_flows_run}};

	for (size_t i = 0; argc > 1 && i < sizeof(tasks) / sizeof(tasks[0]); i++)
		if (strcmp(argv[1], tasks[i].name) == 0)
			return tasks[i].run(argc - 1, argv + 1);
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(train_help, stdout);
		return finish_stdout();
	}
	return usage_error("train", "say first what to train: wirescore train packet or wirescore train flows");
}
