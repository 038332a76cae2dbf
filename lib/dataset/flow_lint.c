/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Looks through rows for what would spoil a model. Called by `wirescore lint`.
 */
#include "flow_lint.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "float_order.h"
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

/* How tables say how many packets a flow has and that it was closed. */
struct ending_columns {
	const char *packets[2]; /* the second, if any, counts the other direction */
	/* Where the reason for the row does not say it: */
	const char *closing[2]; /* packets with FIN, and with RST */
	const char *duration_us;
};

static const struct ending_columns ending_columns[] = {
	{.packets = {"packets"}},
	{.packets = {"fwd_packets", "bwd_packets"}},
	/* CICFlowMeter, improved and as it was: what it leaves over after FIN is known of it. */
	{{"Total Fwd Packet", "Total Bwd packets"}, {"FIN Flag Count", "RST Flag Count"}, "Flow Duration"},
	{{"Total Fwd Packets", "Total Backward Packets"}, {"FIN Flag Count", "RST Flag Count"}, "Flow Duration"},
	{{"Tot Fwd Pkts", "Tot Bwd Pkts"}, {"FIN Flag Cnt", "RST Flag Cnt"}, "Flow Duration"},
};

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
	int32_t packets[2], closing[2], duration_us; /* columns; -1: none */
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

static int row_remember_ending(struct flow_lint *lint, uint64_t tuple, double end_s)
{
	struct ending *ending;
	int rc = endings_reserve(lint);

	lint->result.is_full |= rc == -E2BIG;
	if (rc < 0)
		return rc == -E2BIG ? 0 : rc;
	ending = ending_find(lint, tuple);
	lint->n_endings += ending->tuple == 0;
	*ending = (struct ending){tuple, end_s};
	return 0;
}

/* The sum of two columns, or of one. */
static float row_sum(const struct flow_csv_row *row, const int32_t columns[2])
{
	float sum = 0;

	for (int i = 0; i < 2; i++)
		sum += columns[i] >= 0 ? row->values[columns[i]] : 0;
	return sum;
}

/* When the flow ended; NAN: not known. */
static double row_end_s(const struct flow_lint *lint, const struct flow_csv_row *row)
{
	if (isnan(row->end_s) && lint->duration_us >= 0)
		return row->row.start_s + (double)row->values[lint->duration_us] * 1e-6;
	return row->end_s;
}

static int row_check_ending(struct flow_lint *lint, const struct flow_csv_row *row)
{
	const struct ending *ending;
	double end_s = row_end_s(lint, row), gap_s;

	if (!lint->result.has_endings || row->tuple == 0 || row->row.checkpoint != 0 || isnan(end_s) ||
	    isnan(row->row.start_s))
		return 0;
	if (row_sum(row, lint->packets) == 1 && lint->n_ending_slots > 0) {
		ending = ending_find(lint, row->tuple);
		gap_s = row->row.start_s - ending->end_s;
		if (ending->tuple != 0 && gap_s >= 0 && gap_s <= FLOW_LINT_LEFT_OVER_S)
			finding_add(lint, FLOW_LINT_LEFT_OVER, row, NULL);
	}
	return row->is_closed || row_sum(row, lint->closing) > 0 ? row_remember_ending(lint, row->tuple, end_s) : 0;
}

/* ---- Rows ---- */

static int32_t feature_find(const struct flow_dataset *set, const char *name)
{
	for (uint32_t i = 0; name != NULL && i < set->n_features; i++)
		if (strcmp(set->features[i], name) == 0)
			return (int32_t)i;
	return -1;
}

/* Finds the columns of the first kind of table that has all of its own. is_ours: the reason for a row is known. */
static void endings_find(struct flow_lint *lint, const struct flow_dataset *set, bool is_ours)
{
	for (size_t i = 0; i < sizeof(ending_columns) / sizeof(ending_columns[0]); i++) {
		const struct ending_columns *names = &ending_columns[i];
		bool is_whole = is_ours == (names->duration_us == NULL);

		for (int k = 0; k < 2; k++) {
			lint->packets[k] = feature_find(set, names->packets[k]);
			lint->closing[k] = feature_find(set, names->closing[k]);
			is_whole &= lint->packets[k] >= 0 || names->packets[k] == NULL;
			is_whole &= lint->closing[k] >= 0 || names->closing[k] == NULL;
		}
		lint->duration_us = feature_find(set, names->duration_us);
		is_whole &= lint->duration_us >= 0 || names->duration_us == NULL;
		lint->result.has_endings = is_whole;
		if (is_whole)
			return;
	}
}

static int lint_begin(struct flow_lint *lint, const struct flow_dataset *set, bool is_ours)
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
	endings_find(lint, set, is_ours);
	return 0;
}

/* Room for so many labels. 0 or -ENOMEM. */
static int labels_reserve(struct flow_lint *lint, uint32_t n_labels)
{
	uint64_t *grown;

	if (n_labels <= lint->n_labels)
		return 0;
	grown = reallocarray(lint->result.n_label_rows, n_labels, sizeof(*grown));
	if (grown == NULL)
		return -ENOMEM;
	memset(grown + lint->n_labels, 0, (n_labels - lint->n_labels) * sizeof(*grown));
	lint->result.n_label_rows = grown;
	lint->n_labels = n_labels;
	return 0;
}

static int labels_count(struct flow_lint *lint, const struct flow_csv_row *row)
{
	uint32_t label = row->row.label;

	if (label >= lint->n_labels && labels_reserve(lint, 2 * label + 1) < 0)
		return -ENOMEM;
	lint->result.n_label_rows[label]++;
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
		rc = lint_begin(lint, set, row->row.is_part);
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

/* Values of one column, those of class 0 first, and the order in which they ascend. */
struct column_values {
	float *values;	 /* [n_class[0] + n_class[1]] */
	uint32_t *order; /* as many */
	uint32_t n_class[2];
};

/* Goes through the sorted values of both classes once. */
static void column_judge(struct flow_lint_column *column, const struct column_values *sorted)
{
	double n_class[2] = {sorted->n_class[0], sorted->n_class[1]};
	double below[2] = {0, 0}, area = 0, by_value = 0;
	uint32_t n = sorted->n_class[0] + sorted->n_class[1], n_values = 0;

	column->balanced_accuracy = 0.5;
	column->threshold = column->high;
	for (uint32_t i = 0; i < n; n_values++) {
		float value = sorted->values[sorted->order[i]];
		double here[2] = {0, 0}, right;

		right = (below[0] / n_class[0] + 1 - below[1] / n_class[1]) / 2;
		right = fmax(right, 1 - right);
		if (right > column->balanced_accuracy) {
			column->balanced_accuracy = right;
			column->threshold = value;
		}
		for (; i < n && sorted->values[sorted->order[i]] == value; i++)
			here[sorted->order[i] >= sorted->n_class[0]]++;
		area += here[1] * (below[0] + here[0] / 2);
		by_value += fmax(here[0] / n_class[0], here[1] / n_class[1]) / 2;
		below[0] += here[0];
		below[1] += here[1];
	}
	area /= n_class[0] * n_class[1];
	column->auc = fmax(area, 1 - area);
	/* Two values are a threshold. */
	if (n_values > 2 && n_values <= MAX_VALUES && n_values * MIN_ROWS_PER_VALUE <= n &&
	    by_value > column->balanced_accuracy) {
		column->balanced_accuracy = by_value;
		column->is_by_value = true;
	}
}

/* 0 or -ENOMEM. */
static int columns_judge(struct flow_lint *lint, struct column_values *sorted)
{
	bool has_both = sorted->n_class[0] > 0 && sorted->n_class[1] > 0;

	for (uint32_t i = 0; i < lint->n_features; i++) {
		uint32_t n = 0;

		lint->result.columns[i].auc = NAN;
		if (!has_both)
			continue;
		for (int c = 0; c < 2; c++)
			for (size_t row = 0; row < sorted->n_class[c]; row++)
				sorted->values[n++] = lint->samples[c].values[row * lint->n_features + i] + 0.0f;
		if (float_order(sorted->values, n, sorted->order) < 0)
			return -ENOMEM;
		column_judge(&lint->result.columns[i], sorted);
	}
	return 0;
}

const struct flow_lint_result *flow_lint_finish(struct flow_lint *lint, const struct flow_dataset *set)
{
	struct column_values sorted = {.n_class = {(uint32_t)lint->samples[0].n, (uint32_t)lint->samples[1].n}};
	size_t n = lint->samples[0].n + lint->samples[1].n;
	int rc = labels_reserve(lint, set->n_labels);

	sorted.values = calloc(n + 1, sizeof(*sorted.values));
	sorted.order = calloc(n + 1, sizeof(*sorted.order));
	if (sorted.values == NULL || sorted.order == NULL)
		rc = -ENOMEM;
	lint->result.n_sampled[0] = lint->samples[0].n;
	lint->result.n_sampled[1] = lint->samples[1].n;
	if (rc == 0)
		rc = columns_judge(lint, &sorted);
	free(sorted.values);
	free(sorted.order);
	return rc == 0 ? &lint->result : NULL;
}
