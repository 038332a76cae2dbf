/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The options of `wirescore train` that packet and flow models share: the network's shape and how it learns.
 */
#ifndef WIRESCORE_NETWORK_OPTIONS_H
#define WIRESCORE_NETWORK_OPTIONS_H

#include <getopt.h>
#include <stdbool.h>

#include "train.h"

enum {
	NETWORK_OPT_HIDDEN = 768,
	NETWORK_OPT_ACTIVATION,
	NETWORK_OPT_OPTIMIZER,
	NETWORK_OPT_RATE,
	NETWORK_OPT_RATE_FINAL,
	NETWORK_OPT_EPOCHS,
	NETWORK_OPT_BATCH,
	NETWORK_OPT_SEED,
};

/* Rows for a command's table of long options. */
#define NETWORK_LONG_OPTIONS                                                     \
	{"hidden", required_argument, NULL, NETWORK_OPT_HIDDEN},                 \
		{"activation", required_argument, NULL, NETWORK_OPT_ACTIVATION}, \
		{"optimizer", required_argument, NULL, NETWORK_OPT_OPTIMIZER},   \
		{"lr", required_argument, NULL, NETWORK_OPT_RATE},               \
		{"lr-final", required_argument, NULL, NETWORK_OPT_RATE_FINAL},   \
		{"epochs", required_argument, NULL, NETWORK_OPT_EPOCHS},         \
		{"batch", required_argument, NULL, NETWORK_OPT_BATCH},           \
	{                                                                        \
		"seed", required_argument, NULL, NETWORK_OPT_SEED                \
	}

/* Whether an option that getopt_long returned is one of these. */
bool network_options_has(int option);

/* Takes it. 0, or -1 after complaining. */
int network_options_take(struct train_options *options, int option, const char *argument);

/* Rates that were not given are the optimizer's. To be called behind the last option. */
void network_options_finish(struct train_options *options);

#endif
