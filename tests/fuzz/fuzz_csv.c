/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The whole way of a table: arbitrary bytes, plain, gzipped or zipped, through reader, lint and split. Input: a byte
 * that chooses options, then the table.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "flow_csv.h"
#include "flow_lint.h"
#include "flow_split.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const forced[] = {"src"}, *const symbolic[] = {"s"}, *const chosen[] = {"b", "s=x"};

static const struct flow_csv_options setups[] = {
	{0},
	{.label = "x"},
	{.forced = {forced, 1}, .label = "x"},
	{.symbolic = {symbolic, 1}, .classes.mapping = FLOW_CLASSES_LABEL},
	{.features = {chosen, 2}, .classes.mapping = FLOW_CLASSES_GROUP},
	{.format = "wirescore"},
	{.format = "nslkdd"},
	{.format = "antinex", .max_rows = 3},
};

static void check(int condition)
{
	if (!condition)
		abort();
}

/* Every row is used or refused, and what is used is a number. */
static void check_rows(const struct flow_csv_report *report, const struct flow_dataset *set)
{
	uint64_t n = report->n_used;

	for (int i = 0; i < FLOW_CSV_N_REASONS; i++)
		n += report->refused[i].n;
	check(n == report->n_rows && report->n_used == set->n_rows);
	for (size_t i = 0; i < set->n_rows * set->n_features; i++)
		check(isfinite(set->values[i]));
	for (size_t i = 0; i < set->n_rows; i++) {
		check(set->rows[i].class < set->n_classes && set->rows[i].label < set->n_labels);
		check(set->rows[i].source < set->n_sources);
	}
}

static void check_splits(const struct flow_dataset *set)
{
	uint8_t *side = malloc(set->n_rows + 1);
	char error[512];

	check(side != NULL);
	for (int kind = FLOW_SPLIT_SOURCE; kind <= FLOW_SPLIT_RANDOM; kind++) {
		const struct flow_split_options options = {(enum flow_split_kind)kind, 0.3, 1};

		error[0] = '\0';
		if (flow_split(set, &options, side, error, sizeof(error)) == 0)
			check(flow_split_check(set, side, error, sizeof(error)) == 0);
		else
			check(error[0] != '\0');
	}
	free(side);
}

/* Reads the table into rows, then looks through it once more. */
static void read_table(const struct flow_csv_options *options, const char *path)
{
	struct flow_csv *csv = NULL;
	struct flow_lint *lint = flow_lint_create();
	struct flow_dataset set, names;
	char error[512] = "";

	flow_dataset_init(&set);
	flow_dataset_init(&names);
	check(lint != NULL && flow_csv_create(options, &csv, error, sizeof(error)) == 0);
	if (flow_csv_read(csv, &path, 1, &set, NULL, error, sizeof(error)) == 0) {
		check_rows(flow_csv_report(csv), &set);
		check_splits(&set);
	} else {
		check(error[0] != '\0' && strchr(error, '\n') == NULL);
	}
	flow_csv_scan(csv, &path, 1, &names, flow_lint_add, lint, NULL, error, sizeof(error));
	check(flow_lint_finish(lint, &names) != NULL);
	flow_csv_free(csv);
	flow_lint_free(lint);
	flow_dataset_free(&set);
	flow_dataset_free(&names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[32];
	int fd;

	if (size < 1)
		return 0;
	fd = memfd_create("table", MFD_CLOEXEC);
	check(fd >= 0 && write(fd, data + 1, size - 1) == (ssize_t)size - 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	read_table(&setups[data[0] % (sizeof(setups) / sizeof(setups[0]))], path);
	close(fd);
	return 0;
}
