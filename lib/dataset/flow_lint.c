/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Looks through rows for what would spoil a model. Called by `wirescore lint`.
 */
#include "flow_lint.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"

#define FIRST_SLOTS 1024u
#define MAX_SLOTS   ((size_t)1 << 25) /* 768 MiB */
/* Values that are kept of each class, to judge columns by. */
#define MAX_SAMPLE	 100000u
#define MAX_SAMPLE_BYTES (128u << 20)
#define SAMPLE_SEED	 1
/* A guess by value is one where there are few values, and many rows for each. */
#define MAX_VALUES	   64u
#define MIN_ROWS_PER_VALUE 10u
/* An ended flow is written when it times out, which is at most so long after its last packet (--idle-timeout). */
#define LATE_S 2148.0

/* A row that was seen; hash 0: free. */
struct distinct {
	uint64_t hash;
	uint32_t line;
	uint32_t flow;	/* its lower half */
	uint16_t table; /* UINT16_MAX: some other */
	uint16_t label;
	uint8_t checkpoint;
};

/* When the last flow of a tuple was closed; tuple 0: free. */
struct ending {
	uint64_t tuple;
	double end_s;
};

/* Values of some rows of a class, all rows alike likely. */
struct sample {
	float *values; /* [room][n_features] */
	size_t n, room;
};

/* Columns that say how many packets a flow has; the second, if any, counts the other direction. */
static const char *const packet_columns[][2] = {
	{"packets", NULL}, {"fwd_packets", "bwd_packets"}, {"Total Fwd Packet", "Total Bwd packets"}};

struct flow_lint {
	struct flow_lint_result result;
	uint32_t n_features;
	size_t n_labels; /* room of result.n_label_rows */
	struct distinct *rows;
	size_t n_slots, n_rows; /* of rows */
	struct ending *endings;
	size_t n_ending_slots, n_endings;
	double *latest_s; /* [n_sources] */
	size_t n_sources;
	int32_t packets[2]; /* columns; -1: none */
	struct sample samples[2];
	size_t max_sample;
	struct random random;
};

struct flow_lint *flow_lint_create(void)
{
	struct flow_lint *lint = calloc(1, sizeof(*lint));

	if (lint != NULL)
		random_seed(&lint->random, SAMPLE_SEED);
	return lint;
}

void flow_lint_free(struct flow_lint *lint)
{
	if (lint == NULL)
		return;
	free(lint->result.n_label_rows);
	free(lint->result.columns);
	free(lint->rows);
	free(lint->endings);
	free(lint->latest_s);
	free(lint->samples[0].values);
	free(lint->samples[1].values);
	free(lint);
}

/* ---- Findings ---- */

static void finding_add(struct flow_lint *lint, enum flow_lint_kind kind, const struct flow_csv_row *row,
			const struct distinct *other)
{
	struct flow_lint_finding *finding = &lint->result.found[kind];

	if (finding->n++ > 0)
		return;
	finding->line = row->line;
	finding->table = row->table;
	if (other != NULL && other->table != UINT16_MAX) {
		finding->other_line = other->line;
		finding->other_table = other->table;
	}
}

/* ---- Rows that are there twice ---- */

static struct distinct *distinct_find(const struct flow_lint *lint, uint64_t hash)
{
	size_t at = (size_t)hash & (lint->n_slots - 1);

	while (lint->rows[at].hash != 0 && lint->rows[at].hash != hash)
		at = (at + 1) & (lint->n_slots - 1);
	return &lint->rows[at];
}

/* Keeps half of the slots free. 0, -ENOMEM, or -E2BIG: no more rows are remembered. */
static int distinct_reserve(struct flow_lint *lint)
{
	struct flow_lint old = {.rows = lint->rows, .n_slots = lint->n_slots};
	size_t n_slots = old.n_slots > 0 ? 2 * old.n_slots : FIRST_SLOTS;

	/* Two at a time: a row may be remembered by features and by label. */
	if (lint->n_rows + 2 <= lint->n_slots / 2)
		return 0;
	if (n_slots > MAX_SLOTS)
		return -E2BIG;
	lint->rows = calloc(n_slots, sizeof(*lint->rows));
	if (lint->rows == NULL) {
		lint->rows = old.rows;
		return -ENOMEM;
	}
	lint->n_slots = n_slots;
	for (size_t i = 0; i < old.n_slots; i++)
		if (old.rows[i].hash != 0)
			*distinct_find(lint, old.rows[i].hash) = old.rows[i];
	free(old.rows);
	return 0;
}

/* The row of that hash, or NULL after remembering this one. */
static const struct distinct *distinct_take(struct flow_lint *lint, uint64_t hash, const struct flow_csv_row *row)
{
	struct distinct *slot = distinct_find(lint, hash);

	if (slot->hash != 0)
		return slot;
	*slot = (struct distinct){
		.hash = hash,
		.line = row->line < UINT32_MAX ? (uint32_t)row->line : UINT32_MAX,
		.table = row->table < UINT16_MAX ? (uint16_t)row->table : UINT16_MAX,
		.label = row->row.label,
		.flow = (uint32_t)row->row.flow,
		.checkpoint = row->row.checkpoint,
	};
	lint->n_rows++;
	return NULL;
}

/* A hash of the features; 0 and -0 are the same. */
static uint64_t row_hash(const struct flow_lint *lint, const struct flow_csv_row *row)
{
	float values[FLOW_DATASET_MAX_FEATURES];

	for (uint32_t i = 0; i < lint->n_features; i++)
		values[i] = row->values[i] + 0.0f;
	return flow_dataset_hash(0, values, lint->n_features * sizeof(values[0]));
}

static int row_compare(struct flow_lint *lint, const struct flow_csv_row *row)
{
	const struct distinct *other;
	uint64_t hash;
	int rc = distinct_reserve(lint);

	lint->result.is_full |= rc == -E2BIG;
	if (rc < 0)
		return rc == -E2BIG ? 0 : rc;
	hash = row_hash(lint, row);
	other = distinct_take(lint, hash, row);
	if (other == NULL)
		return 0;
	if (other->label != row->row.label) {
		finding_add(lint, FLOW_LINT_CONFLICT, row, other);
		/* There may be such a row of its own label too. */
		other = distinct_take(lint, flow_dataset_hash(hash, &row->row.label, sizeof(row->row.label)), row);
	}
	/* A short flow looks alike at its last checkpoint and at its end. */
	if (other != NULL && (other->flow != (uint32_t)row->row.flow || other->checkpoint == row->row.checkpoint))
		finding_add(lint, FLOW_LINT_DUPLICATE, row, other);
	return 0;
}

/* ---- Times ---- */

static int row_check_times(struct flow_lint *lint, const struct flow_csv_row *row)
{
	double slack_s = row->is_late ? LATE_S : 0, now_s = row->is_late ? row->end_s : row->row.start_s;
	double *latest_s;

	if (row->end_s < row->row.start_s)
		finding_add(lint, FLOW_LINT_BACKWARD, row, NULL);
	if (isnan(now_s))
		return 0;
	lint->result.has_times = true;
	if (row->row.source >= lint->n_sources) {
		size_t n = 2 * (size_t)row->row.source + 1;

		latest_s = reallocarray(lint->latest_s, n, sizeof(*latest_s));
		if (latest_s == NULL)
			return -ENOMEM;
		lint->latest_s = latest_s;
		while (lint->n_sources < n)
			latest_s[lint->n_sources++] = -INFINITY;
	}
	latest_s = &lint->latest_s[row->row.source];
	if (now_s < *latest_s - slack_s) {
		finding_add(lint, FLOW_LINT_REVERSAL, row, NULL);
		lint->result.furthest_back_s = fmax(lint->result.furthest_back_s, *latest_s - now_s);
	}
	*latest_s = fmax(*latest_s, now_s);
	return 0;
}

/* ---- Packets after the end ---- */

static struct ending *ending_find(const struct flow_lint *lint, uint64_t tuple)
{
	size_t at = (size_t)tuple & (lint->n_ending_slots - 1);

	while (lint->endings[at].tuple != 0 && lint->endings[at].tuple != tuple)
		at = (at + 1) & (lint->n_ending_slots - 1);
	return &lint->endings[at];
}

static int endings_reserve(struct flow_lint *lint)
{
	struct flow_lint old = {.endings = lint->endings, .n_ending_slots = lint->n_ending_slots};
	size_t n_slots = old.n_ending_slots > 0 ? 2 * old.n_ending_slots : FIRST_SLOTS;

	if (lint->n_endings + 1 <= lint->n_ending_slots / 2)
		return 0;
	if (n_slots > MAX_SLOTS)
		return -E2BIG;
	lint->endings = calloc(n_slots, sizeof(*lint->endings));
	if (lint->endings == NULL) {
		lint->endings = old.endings;
		return -ENOMEM;
	}
	lint->n_ending_slots = n_slots;
	for (size_t i = 0; i < old.n_ending_slots; i++)
		if (old.endings[i].tuple != 0)
			*ending_find(lint, old.endings[i].tuple) = old.endings[i];
	free(old.endings);
	return 0;
}

static int row_remember_ending(struct flow_lint *lint, const struct flow_csv_row *row)
{
	struct ending *ending;
	int rc = endings_reserve(lint);

	lint->result.is_full |= rc == -E2BIG;
	if (rc < 0)
		return rc == -E2BIG ? 0 : rc;
	ending = ending_find(lint, row->tuple);
	lint->n_endings += ending->tuple == 0;
	*ending = (struct ending){row->tuple, row->end_s};
	return 0;
}

static bool row_has_one_packet(const struct flow_lint *lint, const struct flow_csv_row *row)
{
	float n = 0;

	for (int i = 0; i < 2; i++)
		n += lint->packets[i] >= 0 ? row->values[lint->packets[i]] : 0;
	return lint->packets[0] >= 0 && n == 1;
}

static int row_check_ending(struct flow_lint *lint, const struct flow_csv_row *row)
{
	const struct ending *ending;
	double gap_s;

	if (row->tuple == 0 || row->row.checkpoint != 0 || isnan(row->end_s) || isnan(row->row.start_s))
		return 0;
	if (row_has_one_packet(lint, row) && lint->n_ending_slots > 0) {
		ending = ending_find(lint, row->tuple);
		gap_s = row->row.start_s - ending->end_s;
		if (ending->tuple != 0 && gap_s >= 0 && gap_s <= FLOW_LINT_LEFT_OVER_S)
			finding_add(lint, FLOW_LINT_LEFT_OVER, row, NULL);
	}
	return row->is_closed ? row_remember_ending(lint, row) : 0;
}

/* ---- Rows ---- */

static int32_t feature_find(const struct flow_dataset *set, const char *name)
{
	for (uint32_t i = 0; i < set->n_features; i++)
		if (strcmp(set->features[i], name) == 0)
			return (int32_t)i;
	return -1;
}

static void packets_find(struct flow_lint *lint, const struct flow_dataset *set)
{
	lint->packets[0] = -1;
	for (size_t i = 0; i < sizeof(packet_columns) / sizeof(packet_columns[0]) && lint->packets[0] < 0; i++) {
		const char *const *names = packet_columns[i];

		lint->packets[1] = names[1] != NULL ? feature_find(set, names[1]) : -1;
		if (names[1] == NULL || lint->packets[1] >= 0)
			lint->packets[0] = feature_find(set, names[0]);
	}
	lint->result.has_packets = lint->packets[0] >= 0;
}

static int lint_begin(struct flow_lint *lint, const struct flow_dataset *set)
{
	lint->n_features = set->n_features;
	lint->max_sample = MAX_SAMPLE_BYTES / sizeof(float) / set->n_features;
	if (lint->max_sample > MAX_SAMPLE)
		lint->max_sample = MAX_SAMPLE;
	lint->result.columns = calloc(set->n_features, sizeof(*lint->result.columns));
	if (lint->result.columns == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < set->n_features; i++)
		lint->result.columns[i] = (struct flow_lint_column){.low = INFINITY, .high = -INFINITY};
	packets_find(lint, set);
	return 0;
}

static int labels_count(struct flow_lint *lint, const struct flow_csv_row *row)
{
	if (row->row.label >= lint->n_labels) {
		size_t n = 2 * (size_t)row->row.label + 1;
		uint64_t *grown = reallocarray(lint->result.n_label_rows, n, sizeof(*grown));

		if (grown == NULL)
			return -ENOMEM;
		memset(grown + lint->n_labels, 0, (n - lint->n_labels) * sizeof(*grown));
		lint->result.n_label_rows = grown;
		lint->n_labels = n;
	}
	lint->result.n_label_rows[row->row.label]++;
	return 0;
}

/* Keeps the row among at most max_sample of its class (algorithm R, Vitter 1985). */
static int sample_add(struct flow_lint *lint, struct sample *sample, uint64_t n_before, const float *values)
{
	size_t at = n_before, room = sample->room > 0 ? 2 * sample->room : FIRST_SLOTS;
	float *grown;

	if (n_before >= lint->max_sample)
		at = (size_t)((double)(random_next(&lint->random) >> 11) * 0x1p-53 * (double)(n_before + 1));
	if (at >= lint->max_sample)
		return 0;
	if (at >= sample->room) {
		if (room > lint->max_sample)
			room = lint->max_sample;
		grown = realloc(sample->values, room * lint->n_features * sizeof(*grown));
		if (grown == NULL)
			return -ENOMEM;
		sample->values = grown;
		sample->room = room;
	}
	memcpy(sample->values + at * lint->n_features, values, lint->n_features * sizeof(*values));
	sample->n += at == sample->n;
	return 0;
}

int flow_lint_add(void *context, const struct flow_dataset *set, const struct flow_csv_row *row)
{
	struct flow_lint *lint = context;
	int which = row->row.class != 0, rc = 0;

	if (lint->n_features == 0)
		rc = lint_begin(lint, set);
	if (rc == 0)
		rc = labels_count(lint, row);
	if (rc == 0)
		rc = sample_add(lint, &lint->samples[which], lint->result.n_class_rows[which], row->values);
	if (rc == 0)
		rc = row_compare(lint, row);
	if (rc == 0)
		rc = row_check_times(lint, row);
	if (rc == 0)
		rc = row_check_ending(lint, row);
	if (rc < 0)
		return rc;
	lint->result.n_rows++;
	lint->result.n_class_rows[which]++;
	for (uint32_t i = 0; i < lint->n_features; i++) {
		struct flow_lint_column *column = &lint->result.columns[i];

		column->low = row->values[i] < column->low ? row->values[i] : column->low;
		column->high = row->values[i] > column->high ? row->values[i] : column->high;
	}
	return 0;
}

/* ---- Columns ---- */

/* A value and its class as a number: in the order of the values, the class in the lowest bit. */
static uint64_t value_key(float value, int which)
{
	uint32_t bits;

	value += 0.0f; /* -0 becomes 0 */
	memcpy(&bits, &value, sizeof(bits));
	bits = bits >> 31 ? ~bits : bits | 0x80000000u;
	return (uint64_t)bits << 1 | (uint64_t)which;
}

static float key_value(uint64_t key)
{
	uint32_t bits = (uint32_t)(key >> 1);
	float value;

	bits = bits >> 31 ? bits & 0x7fffffffu : ~bits;
	memcpy(&value, &bits, sizeof(value));
	return value;
}

/* Sorts by three digits of 11 bits; room is [n] too. The result is in room. */
static void keys_sort(uint64_t *keys, uint64_t *room, size_t n)
{
	for (int pass = 0; pass < 3; pass++) {
		size_t starts[2048] = {0}, sum = 0;
		uint64_t *swap = keys;

		for (size_t i = 0; i < n; i++)
			starts[keys[i] >> 11 * pass & 2047]++;
		for (size_t digit = 0; digit < 2048; digit++) {
			size_t count = starts[digit];

			starts[digit] = sum;
			sum += count;
		}
		for (size_t i = 0; i < n; i++)
			room[starts[keys[i] >> 11 * pass & 2047]++] = keys[i];
		keys = room;
		room = swap;
	}
}

/* Goes through the sorted values of both classes once. */
static void column_judge(struct flow_lint_column *column, const uint64_t *keys, size_t n, const uint64_t n_class[2])
{
	double below[2] = {0, 0}, area = 0, by_value = 0;
	size_t n_values = 0;

	column->balanced_accuracy = 0.5;
	column->threshold = column->high;
	for (size_t i = 0; i < n; n_values++) {
		uint64_t value = keys[i] >> 1;
		double here[2] = {0, 0}, right;

		right = (below[0] / (double)n_class[0] + 1 - below[1] / (double)n_class[1]) / 2;
		right = fmax(right, 1 - right);
		if (right > column->balanced_accuracy) {
			column->balanced_accuracy = right;
			column->threshold = key_value(keys[i]);
		}
		for (; i < n && keys[i] >> 1 == value; i++)
			here[keys[i] & 1]++;
		area += here[1] * (below[0] + here[0] / 2);
		by_value += fmax(here[0] / (double)n_class[0], here[1] / (double)n_class[1]) / 2;
		below[0] += here[0];
		below[1] += here[1];
	}
	area /= (double)n_class[0] * (double)n_class[1];
	column->auc = fmax(area, 1 - area);
	/* Two values are a threshold. */
	if (n_values > 2 && n_values <= MAX_VALUES && n_values * MIN_ROWS_PER_VALUE <= n &&
	    by_value > column->balanced_accuracy) {
		column->balanced_accuracy = by_value;
		column->is_by_value = true;
	}
}

static void columns_judge(struct flow_lint *lint, uint64_t *keys, uint64_t *room)
{
	uint64_t n_class[2] = {lint->samples[0].n, lint->samples[1].n};

	for (uint32_t i = 0; i < lint->n_features; i++) {
		struct flow_lint_column *column = &lint->result.columns[i];
		size_t n = 0;

		for (int c = 0; c < 2; c++)
			for (size_t row = 0; row < n_class[c]; row++)
				keys[n++] = value_key(lint->samples[c].values[row * lint->n_features + i], c);
		column->auc = NAN;
		if (n_class[0] == 0 || n_class[1] == 0)
			continue;
		keys_sort(keys, room, n);
		column_judge(column, room, n, n_class);
	}
}

const struct flow_lint_result *flow_lint_finish(struct flow_lint *lint)
{
	size_t n = lint->samples[0].n + lint->samples[1].n;
	uint64_t *keys = calloc(2 * n + 1, sizeof(*keys));

	if (keys == NULL)
		return NULL;
	lint->result.n_sampled[0] = lint->samples[0].n;
	lint->result.n_sampled[1] = lint->samples[1].n;
	columns_judge(lint, keys, keys + n);
	free(keys);
	return &lint->result;
}
