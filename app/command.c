/* SPDX-License-Identifier: BSD-3-Clause */
#include "command.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE *complaints_file; /* NULL: stderr, which is no constant */

FILE *complaints(void)
{
	return complaints_file ? complaints_file : stderr;
}

void complain_to(FILE *file)
{
	complaints_file = file;
}

void complain(const char *format, ...)
{
	FILE *file = complaints();
	va_list args;

	fflush(stdout);
	/* Threads complain too. */
	flockfile(file);
	fputs("wirescore: ", file);
	va_start(args, format);
	vfprintf(file, format, args);
	va_end(args);
	fputc('\n', file);
	funlockfile(file);
}

int finish_stdout(void)
{
	/* The reason of a write that failed earlier is gone by now. */
	bool failed = ferror(stdout) != 0;

	errno = 0;
	if (fflush(stdout) == 0 && !failed)
		return EXIT_OK;
	complain("stdout: cannot write%s%s", errno != 0 ? ": " : "", errno != 0 ? strerror(errno) : "");
	return EXIT_FAILED;
}

int usage_error(const char *command, const char *format, ...)
{
	va_list args;

	fputs("wirescore: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\nTry 'wirescore %s --help'.\n", command);
	return EXIT_USAGE;
}

int split_eal_arguments(int argc, char **argv, char ***eal, int *n_eal)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--")) {
			*eal = argv + i + 1;
			*n_eal = argc - i - 1;
			return i;
		}
	return argc;
}

int read_u64(const char *text, uint64_t low, uint64_t high, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	/* strtoull takes a minus sign and wraps; no option here does. */
	return text[0] < '0' || text[0] > '9' || *end || errno || *value < low || *value > high ? -1 : 0;
}

int read_double(const char *text, double low, double high, double *value)
{
	char *end;

	errno = 0;
	*value = strtod(text, &end);
	return end == text || *end || errno == ERANGE || !isfinite(*value) || *value < low || *value > high ? -1
													    : 0;
}

int parse_u64(const char *option, const char *text, uint64_t low, uint64_t high, uint64_t *value)
{
	if (!read_u64(text, low, high, value))
		return 0;
	complain("%s '%s' is not a whole number from %" PRIu64 " to %" PRIu64, option, text, low, high);
	return -1;
}

int parse_double(const char *option, const char *text, double low, double high, double *value)
{
	if (!read_double(text, low, high, value))
		return 0;
	complain("%s '%s' is not a number from %g to %g", option, text, low, high);
	return -1;
}
