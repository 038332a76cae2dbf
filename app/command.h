/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the commands share: how they are called, how they complain, how they read numbers.
 */
#ifndef WIRESCORE_COMMAND_H
#define WIRESCORE_COMMAND_H

#include <stdint.h>
#include <stdio.h>

enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_INTERRUPTED = 130,
};

/* Each takes its own name in argv[0] and returns one of the exit codes above. */
int cmd_bench(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_classify(int argc, char **argv);
int cmd_eval(int argc, char **argv);
int cmd_extract(int argc, char **argv);
int cmd_features(int argc, char **argv);
int cmd_generate(int argc, char **argv);
int cmd_kernels(int argc, char **argv);
int cmd_lint(int argc, char **argv);
int cmd_model(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_train(int argc, char **argv);

/* What the commands end with: EXIT_OK, or EXIT_FAILED after complaining that not all of stdout was written. */
int finish_stdout(void);

/* Prints "wirescore: MESSAGE" as one line to where complaints go. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Where complaints go: stderr, until complain_to says otherwise. */
FILE *complaints(void);
void complain_to(FILE *file);

/* complain, then "Try 'wirescore COMMAND --help'."; returns EXIT_USAGE. */
int usage_error(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * How many of the arguments are the command's own: those up to "--". Those behind it are DPDK's, which getopt would
 * take for captures: they go to eal.
 */
int split_eal_arguments(int argc, char **argv, char ***eal, int *n_eal);

/* Read a whole number or a decimal of [low, high]. 0, or -1 where text is none. */
int read_u64(const char *text, uint64_t low, uint64_t high, uint64_t *value);
int read_double(const char *text, double low, double high, double *value);

/*
 * Read a whole number or a decimal of [low, high] given for option (as the user typed it, e.g. "--epochs").
 * 0, or -1 after complaining.
 */
int parse_u64(const char *option, const char *text, uint64_t low, uint64_t high, uint64_t *value);
int parse_double(const char *option, const char *text, double low, double high, double *value);

#endif
