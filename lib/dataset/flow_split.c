/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which rows are learnt from and which are held out. Called by `wirescore train` and `eval`.
 *
 * Sources, hosts and flows are groups that stay whole. They are looked at in an order drawn by the seed; a group is
 * held out where that brings the held-out share of its classes nearer to what was asked for. Where groups are few
 * the best of many orders is taken, as one unlucky draw could leave a class on one side only.
 */
#include "flow_split.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"

#define N_ORDERS      64u
#define FEW_GROUPS    4096u
#define N_ORDERS_MANY 2u

static const char *const kind_names[] = {
	[FLOW_SPLIT_SOURCE] = "capture",
	[FLOW_SPLIT_TIME] = "time",
	[FLOW_SPLIT_HOST] = "host",
	[FLOW_SPLIT_RANDOM] = "random",
};

/* A row and what it belongs to. */
struct member {
	uint64_t key;
	size_t row;
};

/* Rows that stay together: members [begin, end). */
struct group {
	size_t begin, end;
	double start_s; /* of the first of them */
	uint32_t source;
};

/* What a split is made of. */
struct split {
	const struct flow_dataset *set;
	const struct flow_split_options *options;
	struct member *members; /* [n_rows], by key */
	struct group *groups;	/* [n_groups] */
	uint32_t n_groups;
	uint64_t total[FLOW_DATASET_MAX_CLASSES]; /* rows of each class */
	uint64_t held[FLOW_DATASET_MAX_CLASSES];  /* those held out */
	uint8_t *is_held;			  /* [n_groups] */
	char *error;
	size_t error_size;
};

int flow_split_kind_parse(const char *text, enum flow_split_kind *kind)
{
	for (size_t i = 0; i < sizeof(kind_names) / sizeof(kind_names[0]); i++) {
		if (strcmp(text, kind_names[i]) == 0) {
			*kind = (enum flow_split_kind)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *flow_split_kind_name(enum flow_split_kind kind)
{
	return kind_names[kind];
}

static int split_refuse(struct split *split, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int split_refuse(struct split *split, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(split->error, split->error_size, format, args);
	va_end(args);
	return -EINVAL;
}

static int split_refuse_memory(struct split *split)
{
	split_refuse(split, "out of memory for a split of %zu rows", split->set->n_rows);
	return -ENOMEM;
}

/* ---- Groups ---- */

static uint64_t row_key(const struct flow_dataset_row *row, enum flow_split_kind kind)
{
	switch (kind) {
	case FLOW_SPLIT_SOURCE:
		return row->source;
	case FLOW_SPLIT_HOST:
		return row->host;
	default:
		return row->flow;
	}
}

static int member_compare(const void *left, const void *right)
{
	const struct member *a = left, *b = right;

	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	return a->row < b->row ? -1 : a->row > b->row;
}

/* Gathers the rows of each key. */
static int groups_find(struct split *split)
{
	const struct flow_dataset *set = split->set;
	size_t n_groups = 0;

	split->members = calloc(set->n_rows, sizeof(*split->members));
	if (split->members == NULL)
		return split_refuse_memory(split);
	for (size_t i = 0; i < set->n_rows; i++)
		split->members[i] = (struct member){row_key(&set->rows[i], split->options->kind), i};
	qsort(split->members, set->n_rows, sizeof(*split->members), member_compare);
	for (size_t i = 0; i < set->n_rows; i++)
		n_groups += i == 0 || split->members[i].key != split->members[i - 1].key;
	if (n_groups > UINT32_MAX)
		return split_refuse(split, "a split of more than %" PRIu32 " groups cannot be made", UINT32_MAX);
	split->groups = calloc(n_groups, sizeof(*split->groups));
	split->is_held = calloc(n_groups, 1);
	if (split->groups == NULL || split->is_held == NULL)
		return split_refuse_memory(split);
	for (size_t i = 0; i < set->n_rows; i++) {
		const struct flow_dataset_row *row = &set->rows[split->members[i].row];
		struct group *group;

		if (i == 0 || split->members[i].key != split->members[i - 1].key)
			split->groups[split->n_groups++] =
				(struct group){.begin = i, .start_s = row->start_s, .source = row->source};
		group = &split->groups[split->n_groups - 1];
		group->end = i + 1;
		if (row->start_s < group->start_s)
			group->start_s = row->start_s;
	}
	return 0;
}

/* ---- Groups by lot ---- */

/* How far a class is from what was asked for; worst where one side has none of it. */
static double class_cost(const struct split *split, uint32_t c, uint64_t n_held)
{
	double off = (double)n_held / (double)split->total[c] - split->options->share;

	return off * off + (n_held == 0 || n_held == split->total[c] ? 1 : 0);
}

/* Holds the group out if that makes the split better. counts is zeros, and is so again afterwards. */
static void group_decide(struct split *split, uint32_t g, uint64_t counts[FLOW_DATASET_MAX_CLASSES])
{
	const struct group *group = &split->groups[g];
	double gain = 0;

	for (size_t i = group->begin; i < group->end; i++)
		counts[split->set->rows[split->members[i].row].class]++;
	for (uint32_t c = 0; c < split->set->n_classes; c++)
		if (counts[c] > 0)
			gain += class_cost(split, c, split->held[c]) -
				class_cost(split, c, split->held[c] + counts[c]);
	split->is_held[g] = gain > 0;
	for (uint32_t c = 0; c < split->set->n_classes; c++) {
		split->held[c] += gain > 0 ? counts[c] : 0;
		counts[c] = 0;
	}
}

/* Decides on all groups in that order. Returns how bad the split is. */
static double order_try(struct split *split, const uint32_t *order)
{
	uint64_t counts[FLOW_DATASET_MAX_CLASSES] = {0};
	double cost = 0;

	memset(split->held, 0, sizeof(split->held));
	for (uint32_t i = 0; i < split->n_groups; i++)
		group_decide(split, order[i], counts);
	for (uint32_t c = 0; c < split->set->n_classes; c++)
		cost += split->total[c] > 0 ? class_cost(split, c, split->held[c]) : 0;
	return cost;
}

static int groups_draw(struct split *split)
{
	uint32_t n_orders = split->n_groups <= FEW_GROUPS ? N_ORDERS : N_ORDERS_MANY;
	uint32_t *order = calloc(split->n_groups, sizeof(*order));
	uint8_t *best = calloc(split->n_groups, 1);
	double best_cost = INFINITY;
	struct random random;
	int rc = order != NULL && best != NULL ? 0 : split_refuse_memory(split);

	random_seed(&random, split->options->seed);
	for (uint32_t i = 0; i < n_orders && rc == 0; i++) {
		double cost;

		random_order(&random, order, split->n_groups);
		cost = order_try(split, order);
		if (cost < best_cost) {
			best_cost = cost;
			memcpy(best, split->is_held, split->n_groups);
		}
	}
	if (rc == 0)
		memcpy(split->is_held, best, split->n_groups);
	free(order);
	free(best);
	return rc;
}

/* ---- Groups by time ---- */

static int group_compare_times(const void *left, const void *right)
{
	const struct group *a = left, *b = right;

	if (a->source != b->source)
		return a->source < b->source ? -1 : 1;
	if (a->start_s != b->start_s)
		return a->start_s < b->start_s ? -1 : 1;
	return a->begin < b->begin ? -1 : a->begin > b->begin;
}

/* Holds the last flows of each source out. */
static int groups_hold_last(struct split *split)
{
	qsort(split->groups, split->n_groups, sizeof(*split->groups), group_compare_times);
	for (uint32_t begin = 0, end; begin < split->n_groups; begin = end) {
		double n_rows = 0, n_held = 0;

		for (end = begin; end < split->n_groups && split->groups[end].source == split->groups[begin].source;
		     end++)
			n_rows += (double)(split->groups[end].end - split->groups[end].begin);
		for (uint32_t g = end; g-- > begin;) {
			double n = (double)(split->groups[g].end - split->groups[g].begin);

			/* As near as whole flows allow. */
			if (n_held + n / 2 > n_rows * split->options->share)
				break;
			split->is_held[g] = 1;
			n_held += n;
		}
	}
	return 0;
}

/* ---- Looking at rows ---- */

static int classes_count(struct split *split)
{
	uint32_t n_present = 0, last = 0;

	for (size_t i = 0; i < split->set->n_rows; i++)
		split->total[split->set->rows[i].class]++;
	for (uint32_t c = 0; c < split->set->n_classes; c++) {
		if (split->total[c] == 0)
			continue;
		n_present++;
		last = c;
	}
	if (n_present == 0)
		return split_refuse(split, "there are no rows to split");
	if (n_present == 1)
		return split_refuse(split, "all %zu rows are of the class '%.64s': there is nothing to tell apart",
				    split->set->n_rows, split->set->classes[last]);
	return 0;
}

/* What the split goes by must be known of every row. */
static int rows_check(struct split *split)
{
	const struct flow_dataset *set = split->set;

	for (size_t i = 0; i < set->n_rows; i++) {
		const struct flow_dataset_row *row = &set->rows[i];

		if (split->options->kind == FLOW_SPLIT_TIME && !isfinite(row->start_s))
			return split_refuse(
				split,
				"%.128s: has rows whose time is not known; split by capture, host or at random",
				set->sources[row->source]);
		if (split->options->kind == FLOW_SPLIT_HOST && row->host == 0)
			return split_refuse(
				split,
				"%.128s: has rows whose initiator is not known; split by capture, time or at random",
				set->sources[row->source]);
	}
	return 0;
}

static int groups_check(struct split *split)
{
	if (split->n_groups > 1)
		return 0;
	if (split->options->kind == FLOW_SPLIT_SOURCE)
		return split_refuse(
			split,
			"all rows come from %.128s: a split by capture needs two; split by time, host or at random",
			split->set->sources[split->groups[0].source]);
	return split_refuse(split, "all rows are of one %s: a split needs two",
			    split->options->kind == FLOW_SPLIT_HOST ? "initiator" : "flow");
}

/* ---- Flows stay whole ---- */

/* The first row of each key that was seen. */
struct first_rows {
	uint64_t *keys; /* [mask + 1]; 0: free */
	size_t *rows;
	size_t mask;
};

static int first_rows_create(struct first_rows *first, size_t n_keys)
{
	size_t n = 16;

	while (n < 2 * n_keys)
		n *= 2;
	*first = (struct first_rows){calloc(n, sizeof(*first->keys)), calloc(n, sizeof(*first->rows)), n - 1};
	return first->keys != NULL && first->rows != NULL ? 0 : -ENOMEM;
}

static void first_rows_free(struct first_rows *first)
{
	free(first->keys);
	free(first->rows);
}

/* The first row of that key, which is this one where the key is new. */
static size_t first_rows_find(struct first_rows *first, uint64_t key, size_t row)
{
	/* Keys are hashes already, but their low bits may be another table's. */
	size_t at = (size_t)(key * 0x9e3779b97f4a7c15u >> 20) & first->mask;

	key += key == 0;
	while (first->keys[at] != 0 && first->keys[at] != key)
		at = (at + 1) & first->mask;
	if (first->keys[at] == 0) {
		first->keys[at] = key;
		first->rows[at] = row;
	}
	return first->rows[at];
}

/* Puts all rows of a flow on the side of its first: rows of one flow may name two initiators. */
static int flows_keep_whole(struct split *split, uint8_t *side)
{
	const struct flow_dataset *set = split->set;
	struct first_rows first;
	int rc = first_rows_create(&first, set->n_rows);

	for (size_t i = 0; i < set->n_rows && rc == 0; i++)
		side[i] = side[first_rows_find(&first, set->rows[i].flow, i)];
	first_rows_free(&first);
	return rc < 0 ? split_refuse_memory(split) : 0;
}

static int row_refuse(struct split *split, size_t i, size_t other)
{
	const struct flow_dataset *set = split->set;
	const struct flow_dataset_row *row = &set->rows[i], *first = &set->rows[other];

	if (row->source == first->source)
		return split_refuse(split, "flow %016" PRIx64 " of %.128s is on both sides of the split", row->flow,
				    set->sources[row->source]);
	return split_refuse(split,
			    "a flow that begins at %.6f s is in %.128s and in %.128s, and so on both sides of the "
			    "split; leave it out of one",
			    row->start_s, set->sources[first->source], set->sources[row->source]);
}

/* Whether each flow is on one side, whatever sources it is in. */
static int flows_check(struct split *split, const uint8_t *side)
{
	const struct flow_dataset *set = split->set;
	struct first_rows flows, twins;
	int rc = first_rows_create(&flows, set->n_rows), rc_twins = first_rows_create(&twins, set->n_rows);

	if (rc < 0 || rc_twins < 0)
		rc = split_refuse_memory(split);
	for (size_t i = 0; i < set->n_rows && rc == 0; i++) {
		const struct flow_dataset_row *row = &set->rows[i];
		size_t other = first_rows_find(&flows, row->flow, i);

		if (side[other] == side[i] && row->twin != 0)
			other = first_rows_find(&twins, row->twin, i);
		if (side[other] != side[i])
			rc = row_refuse(split, i, other);
	}
	first_rows_free(&flows);
	first_rows_free(&twins);
	return rc;
}

/* ---- All ---- */

/* Says which class cannot be on both sides, and why, in the terms of the split. */
static int classes_check(struct split *split, const uint8_t *side)
{
	static const char *const kind_phrases[] = {
		[FLOW_SPLIT_SOURCE] = "by capture",
		[FLOW_SPLIT_TIME] = "by time",
		[FLOW_SPLIT_HOST] = "by host",
		[FLOW_SPLIT_RANDOM] = "at random",
	};
	const struct flow_dataset *set = split->set;
	uint64_t n[2][FLOW_DATASET_MAX_CLASSES] = {{0}};

	for (size_t i = 0; i < set->n_rows; i++)
		n[side[i]][set->rows[i].class]++;
	for (uint32_t c = 0; c < set->n_classes; c++) {
		if (split->total[c] == 0 || (n[0][c] > 0 && n[1][c] > 0))
			continue;
		return split_refuse(split,
				    "class '%.64s' (%" PRIu64
				    " rows) is not on both sides of a split %s; give more data of "
				    "it, leave it out with --ignore-label, or split otherwise",
				    set->classes[c], split->total[c], kind_phrases[split->options->kind]);
	}
	return 0;
}

static int split_run(struct split *split, uint8_t *side)
{
	int rc = classes_count(split);

	if (rc == 0)
		rc = rows_check(split);
	if (rc == 0)
		rc = groups_find(split);
	if (rc == 0)
		rc = groups_check(split);
	if (rc == 0)
		rc = split->options->kind == FLOW_SPLIT_TIME ? groups_hold_last(split) : groups_draw(split);
	if (rc < 0)
		return rc;
	for (uint32_t g = 0; g < split->n_groups; g++)
		for (size_t i = split->groups[g].begin; i < split->groups[g].end; i++)
			side[split->members[i].row] = split->is_held[g];
	rc = flows_keep_whole(split, side);
	if (rc == 0)
		rc = flows_check(split, side);
	return rc < 0 ? rc : classes_check(split, side);
}

int flow_split(const struct flow_dataset *set, const struct flow_split_options *options, uint8_t *side, char *error,
	       size_t error_size)
{
	struct split split = {.set = set, .options = options, .error = error, .error_size = error_size};
	int rc = split_run(&split, side);

	free(split.members);
	free(split.groups);
	free(split.is_held);
	return rc;
}

int flow_split_check(const struct flow_dataset *set, const uint8_t *side, char *error, size_t error_size)
{
	static const char *const side_names[] = {"to learn from", "to judge by"};
	struct split split = {.set = set, .error = error, .error_size = error_size};
	uint64_t n[2][FLOW_DATASET_MAX_CLASSES] = {{0}};
	int rc = flows_check(&split, side);

	for (size_t i = 0; i < set->n_rows; i++)
		n[side[i]][set->rows[i].class]++;
	for (uint32_t c = 0; c < set->n_classes && rc == 0; c++)
		for (int which = 0; which < 2 && rc == 0; which++)
			if (n[which][c] == 0 && n[1 - which][c] > 0)
				rc = split_refuse(&split, "there are no rows %s of the class '%.64s'",
						  side_names[which], set->classes[c]);
	return rc;
}
