/* SPDX-License-Identifier: BSD-3-Clause */
#include "input_bins.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FACT_PREFIX "quantiles_"
/* Inputs in a fact: nine edges of each, in nine digits, are fewer than the 4096 bytes that a fact may have. */
#define FACT_INPUTS 8u
#define MIN_SHARE   1e-4

void input_bins_init(struct input_bins *bins)
{
	*bins = (struct input_bins){0};
	for (uint32_t i = 0; i < INPUT_BINS_MAX_EDGES; i++)
		bins->edges[i] = INFINITY;
}

int input_bins_add(struct input_bins *bins, float edge, float share)
{
	uint32_t n = bins->n_edges;

	if (n == INPUT_BINS_MAX_EDGES || !isfinite(edge) || !(share >= 0 && share <= 1))
		return -EINVAL;
	if (n > 0 && (edge <= bins->edges[n - 1] || share < bins->shares[n - 1]))
		return -EINVAL;
	bins->edges[n] = edge;
	bins->shares[n] = share;
	bins->n_edges++;
	return 0;
}

double input_bins_psi(const struct input_bins *bins, const uint64_t counts[INPUT_BINS_MAX])
{
	double n_rows = 0, below = 0, psi = 0, least;

	for (uint32_t i = 0; i <= bins->n_edges; i++)
		n_rows += (double)counts[i];
	if (n_rows == 0)
		return NAN;
	least = fmax(MIN_SHARE, 0.5 / n_rows);
	for (uint32_t i = 0; i <= bins->n_edges; i++) {
		double up_to = i < bins->n_edges ? (double)bins->shares[i] : 1;
		double then = fmax(up_to - below, least);
		double now = fmax((double)counts[i] / n_rows, least);

		psi += (now - then) * log(now / then);
		below = up_to;
	}
	return psi;
}

bool input_bins_is_fact(const char *name)
{
	return strncmp(name, FACT_PREFIX, strlen(FACT_PREFIX)) == 0;
}

/* ---- From facts ---- */

/* A number without blanks, hexadecimals or names of infinities; *at becomes where it ends. */
static bool read_number(const char **at, float *value)
{
	size_t n = strspn(*at, "0123456789.+-eE");
	char *end;

	if (strchr("0123456789.-", **at) == NULL || **at == '\0')
		return false;
	*value = strtof(*at, &end);
	if (end == *at || end > *at + n || !isfinite(*value))
		return false;
	*at = end;
	return true;
}

/* The bins of one input; *at becomes where they end, at ';' or the end of the text. */
static bool read_input(const char **at, struct input_bins *bins)
{
	float edge, share;

	input_bins_init(bins);
	for (;;) {
		if (!read_number(at, &edge) || *(*at)++ != '@' || !read_number(at, &share))
			return false;
		if (input_bins_add(bins, edge, share) < 0)
			return false;
		if (**at != ' ')
			return **at == ';' || **at == '\0';
		(*at)++;
	}
}

/* The inputs of one fact, behind the n_read that were before it. 0, or the number of the wrong one, from 1. */
static uint32_t read_fact(const char *text, struct input_bins *bins, uint32_t n_inputs, uint32_t *n_read)
{
	for (;; text++) {
		if (*n_read == n_inputs || !read_input(&text, &bins[*n_read]))
			return *n_read + 1;
		++*n_read;
		if (*text == '\0')
			return 0;
	}
}

/* Whether a fact's name says that its inputs begin with that number. */
static bool begins_with(const char *name, uint32_t first)
{
	char expected[32];

	snprintf(expected, sizeof(expected), FACT_PREFIX "%u", first);
	return strcmp(name, expected) == 0;
}

static int read_facts(const struct model *model, struct input_bins *bins, char *error, size_t error_size)
{
	uint32_t n_inputs = model->network.n_in, n_read = 0;

	for (uint32_t i = 0; i < model->n_facts; i++) {
		const struct model_fact *fact = &model->facts[i];
		uint32_t wrong;

		if (!input_bins_is_fact(fact->name))
			continue;
		if (!begins_with(fact->name, n_read)) {
			snprintf(error, error_size, "wirescore.train.%.40s stands where %s%u is expected",
				 fact->name, FACT_PREFIX, n_read);
			return -EINVAL;
		}
		wrong = read_fact(fact->value, bins, n_inputs, &n_read);
		if (wrong > n_inputs) {
			snprintf(error, error_size, "wirescore.train.%.40s goes beyond the network's %u inputs",
				 fact->name, n_inputs);
			return -EINVAL;
		}
		if (wrong > 0) {
			snprintf(error, error_size,
				 "wirescore.train.%.40s: input %u is not edge@share edge@share .., both ascending, "
				 "shares of 0 to 1, at most %d",
				 fact->name, wrong, INPUT_BINS_MAX_EDGES);
			return -EINVAL;
		}
	}
	if (n_read == n_inputs)
		return 0;
	snprintf(error, error_size, "wirescore.train.%s* have %u inputs, the network has %u", FACT_PREFIX, n_read,
		 n_inputs);
	return -EINVAL;
}

int input_bins_read(const struct model *model, struct input_bins **bins, char *error, size_t error_size)
{
	bool is_there = false;
	int rc;

	*bins = NULL;
	for (uint32_t i = 0; i < model->n_facts; i++)
		is_there |= input_bins_is_fact(model->facts[i].name);
	if (!is_there)
		return 0;
	*bins = calloc(model->network.n_in, sizeof(**bins));
	if (*bins == NULL) {
		snprintf(error, error_size, "out of memory");
		return -ENOMEM;
	}
	rc = read_facts(model, *bins, error, error_size);
	if (rc < 0) {
		free(*bins);
		*bins = NULL;
	}
	return rc;
}

/* ---- To facts ---- */

/* A fact of n inputs from the first one on. 0 or -ENOMEM. */
static int add_fact(struct model *model, const struct input_bins *bins, uint32_t first, uint32_t n)
{
	/* Each number has at most 15 characters, and one behind it. */
	char text[FACT_INPUTS * INPUT_BINS_MAX_EDGES * 32 + 1], name[32];
	size_t used = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t e = 0; e < bins[first + i].n_edges; e++)
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%.9g@%.9g",
						 e > 0	 ? " "
						 : i > 0 ? ";"
							 : "",
						 (double)bins[first + i].edges[e],
						 (double)bins[first + i].shares[e]);
	snprintf(name, sizeof(name), FACT_PREFIX "%u", first);
	return model_add_fact(model, name, text);
}

int input_bins_write(struct model *model, const struct input_bins *bins)
{
	uint32_t n_inputs = model->network.n_in;
	int rc = 0;

	model_remove_facts(model, FACT_PREFIX);
	for (uint32_t first = 0; first < n_inputs && rc == 0; first += FACT_INPUTS)
		rc = add_fact(model, bins, first, n_inputs - first < FACT_INPUTS ? n_inputs - first : FACT_INPUTS);
	return rc;
}
