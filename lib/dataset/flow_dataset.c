/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rows of flow features with labels: growth, names and classes. Called by the readers of tables and captures, by
 * training and by evaluation.
 */
#include "flow_dataset.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROWS  1024u
#define FIRST_SLOTS 64u
#define MAX_SOURCES UINT32_MAX
/* A class's name is no longer; more of a label would not fit a model's list of classes. */
#define GROUP_BYTES 256

void flow_dataset_init(struct flow_dataset *set)
{
	*set = (struct flow_dataset){0};
}

static void names_free(char **names, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

void flow_dataset_free(struct flow_dataset *set)
{
	names_free(set->features, set->n_features);
	names_free(set->classes, set->n_classes);
	names_free(set->labels, set->n_labels);
	names_free(set->sources, set->n_sources);
	free(set->class_index.slots);
	free(set->label_index.slots);
	free(set->source_index.slots);
	free(set->values);
	free(set->rows);
	flow_dataset_init(set);
}

/* ---- Names ---- */

/* FNV-1a (Fowler, Noll and Vo) in steps of eight bytes, then the last step of MurmurHash3 (Appleby). */
uint64_t flow_dataset_hash(uint64_t start, const void *bytes, size_t n_bytes)
{
	uint64_t hash = (start ^ n_bytes) + 0xcbf29ce484222325u;
	const uint8_t *at = bytes;

	for (; n_bytes > 0; at += 8, n_bytes -= n_bytes < 8 ? n_bytes : 8) {
		uint64_t word = 0;

		/* By value, so that it is the same on every machine. */
		for (size_t i = 0; i < 8 && i < n_bytes; i++)
			word |= (uint64_t)at[i] << 8 * i;
		hash = (hash ^ word) * 0x100000001b3u;
		hash ^= hash >> 29;
	}
	hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccdu;
	hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53u;
	hash ^= hash >> 33;
	return hash != 0 ? hash : 1;
}

uint64_t flow_dataset_twin(uint64_t flow_id)
{
	return flow_dataset_hash(0, &flow_id, sizeof(flow_id));
}

uint64_t flow_dataset_host(const uint8_t address[16])
{
	return flow_dataset_hash(0, address, 16);
}

uint64_t flow_dataset_host_text(const char *text)
{
	uint8_t address[16] = {[10] = 0xff, [11] = 0xff};

	if (text[0] == '\0')
		return 0;
	if (inet_pton(AF_INET, text, address + 12) == 1 || inet_pton(AF_INET6, text, address) == 1)
		return flow_dataset_host(address);
	return flow_dataset_hash(1, text, strlen(text));
}

static uint64_t name_hash(const char *name)
{
	return flow_dataset_hash(0, name, strlen(name));
}

static void index_put(struct flow_dataset_index *index, const char *name, uint32_t i)
{
	uint32_t slot = (uint32_t)name_hash(name) & (index->n_slots - 1);

	while (index->slots[slot] != 0)
		slot = (slot + 1) & (index->n_slots - 1);
	index->slots[slot] = i + 1;
}

/* The place of a name, or -1. */
static int64_t index_find(const struct flow_dataset_index *index, char *const *names, const char *name)
{
	uint32_t slot;

	if (index->n_slots == 0)
		return -1;
	slot = (uint32_t)name_hash(name) & (index->n_slots - 1);
	for (; index->slots[slot] != 0; slot = (slot + 1) & (index->n_slots - 1))
		if (strcmp(names[index->slots[slot] - 1], name) == 0)
			return index->slots[slot] - 1;
	return -1;
}

/* Room for one more beside n names, so that half of the slots stay free. */
static int index_reserve(struct flow_dataset_index *index, char *const *names, uint32_t n)
{
	struct flow_dataset_index larger = {.n_slots = index->n_slots};

	if (n < index->n_slots / 2)
		return 0;
	larger.n_slots = index->n_slots != 0 ? 2 * index->n_slots : FIRST_SLOTS;
	larger.slots = larger.n_slots > index->n_slots ? calloc(larger.n_slots, sizeof(*larger.slots)) : NULL;
	if (larger.slots == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		index_put(&larger, names[i], i);
	free(index->slots);
	*index = larger;
	return 0;
}

/* Adds a name behind the others. 0 or -ENOMEM. */
static int name_append(char ***names, uint32_t *n, const char *name)
{
	char *copy;

	/* Grows at 0, 1, 2, 4, 8.. */
	if ((*n & (*n - 1)) == 0) {
		char **grown = reallocarray(*names, *n != 0 ? 2 * (size_t)*n : 1, sizeof(*grown));

		if (grown == NULL)
			return -ENOMEM;
		*names = grown;
	}
	copy = strdup(name);
	if (copy == NULL)
		return -ENOMEM;
	(*names)[(*n)++] = copy;
	return 0;
}

static int64_t name_add(char ***names, uint32_t *n, struct flow_dataset_index *index, uint32_t max,
			const char *name)
{
	int64_t at = index_find(index, *names, name);
	int rc;

	if (at >= 0)
		return at;
	if (*n >= max)
		return -E2BIG;
	rc = index_reserve(index, *names, *n);
	if (rc == 0)
		rc = name_append(names, n, name);
	if (rc < 0)
		return rc;
	index_put(index, name, *n - 1);
	return *n - 1;
}

int64_t flow_dataset_class(struct flow_dataset *set, const char *name)
{
	return name_add(&set->classes, &set->n_classes, &set->class_index, FLOW_DATASET_MAX_CLASSES, name);
}

int64_t flow_dataset_label(struct flow_dataset *set, const char *name)
{
	return name_add(&set->labels, &set->n_labels, &set->label_index, FLOW_DATASET_MAX_LABELS, name);
}

int64_t flow_dataset_source(struct flow_dataset *set, const char *name)
{
	return name_add(&set->sources, &set->n_sources, &set->source_index, MAX_SOURCES, name);
}

int flow_dataset_set_features(struct flow_dataset *set, const char *const *names, uint32_t n)
{
	struct flow_dataset_index index = {0};
	int rc = 0;

	if (n == 0 || n > FLOW_DATASET_MAX_FEATURES || set->n_features != 0)
		return -EINVAL;
	for (uint32_t i = 0; i < n && rc == 0; i++) {
		int64_t at = name_add(&set->features, &set->n_features, &index, n, names[i]);

		rc = at < 0 ? (int)at : at < i ? -EINVAL : 0;
	}
	free(index.slots);
	if (rc < 0) {
		names_free(set->features, set->n_features);
		set->features = NULL;
		set->n_features = 0;
	}
	return rc;
}

/* ---- Classes ---- */

/* Labels that are benign unless the user says otherwise. */
static const char *const usual_benign[] = {"benign", "normal", "normal.", "0", "0.0"};

bool flow_dataset_is_matched(const struct flow_dataset_names *patterns, const char *label)
{
	for (uint32_t i = 0; i < patterns->n; i++)
		if (fnmatch(patterns->names[i], label, FNM_CASEFOLD) == 0)
			return true;
	return false;
}

bool flow_dataset_is_benign(const struct flow_dataset_names *patterns, const char *label)
{
	static const struct flow_dataset_names usual = {usual_benign,
							sizeof(usual_benign) / sizeof(usual_benign[0])};

	return flow_dataset_is_matched(patterns->names != NULL ? patterns : &usual, label);
}

size_t flow_dataset_group_length(const char *label)
{
	size_t length = strcspn(label, "-");

	/* "Infiltration - Portscan" and "Infiltration" are one group. */
	while (length > 0 && label[length - 1] == ' ')
		length--;
	return length > 0 ? length : strlen(label);
}

int64_t flow_dataset_class_of(struct flow_dataset *set, const struct flow_dataset_classes *classes,
			      const char *label)
{
	char group[GROUP_BYTES];
	size_t length;
	int64_t benign = flow_dataset_class(set, "benign");

	if (benign < 0 || flow_dataset_is_benign(&classes->benign, label))
		return benign;
	if (classes->mapping == FLOW_CLASSES_BINARY)
		return flow_dataset_class(set, "attack");
	length = classes->mapping == FLOW_CLASSES_GROUP ? flow_dataset_group_length(label) : strlen(label);
	if (length >= sizeof(group))
		length = sizeof(group) - 1;
	memcpy(group, label, length);
	group[length] = '\0';
	return flow_dataset_class(set, group);
}

struct class_order {
	char *name;
	uint32_t old;
};

static int class_compare(const void *left, const void *right)
{
	return strcmp(((const struct class_order *)left)->name, ((const struct class_order *)right)->name);
}

void flow_dataset_sort_classes(struct flow_dataset *set, uint32_t from)
{
	struct class_order order[FLOW_DATASET_MAX_CLASSES];
	uint8_t new_of[FLOW_DATASET_MAX_CLASSES];

	from += from == 0;
	if (set->n_classes <= from + 1)
		return;
	for (uint32_t i = 0; i < set->n_classes; i++)
		order[i] = (struct class_order){set->classes[i], i};
	qsort(order + from, set->n_classes - from, sizeof(order[0]), class_compare);
	memset(set->class_index.slots, 0, set->class_index.n_slots * sizeof(*set->class_index.slots));
	for (uint32_t i = 0; i < set->n_classes; i++) {
		set->classes[i] = order[i].name;
		new_of[order[i].old] = (uint8_t)i;
		index_put(&set->class_index, order[i].name, i);
	}
	for (size_t i = 0; i < set->n_rows; i++)
		set->rows[i].class = new_of[set->rows[i].class];
}

/* ---- Rows ---- */

/* Room for exactly so many rows. */
static int rows_resize(struct flow_dataset *set, size_t capacity)
{
	struct flow_dataset_row *rows;
	float *values;

	if (capacity > SIZE_MAX / sizeof(float) / (set->n_features + 1))
		return -ENOMEM;
	values = realloc(set->values, capacity * set->n_features * sizeof(*values) + sizeof(*values));
	if (values == NULL)
		return -ENOMEM;
	set->values = values;
	rows = reallocarray(set->rows, capacity + 1, sizeof(*rows));
	if (rows == NULL)
		return -ENOMEM;
	set->rows = rows;
	set->capacity = capacity;
	return 0;
}

int flow_dataset_add(struct flow_dataset *set, const struct flow_dataset_row *row, const float *values)
{
	size_t n = set->n_rows;

	if (n == set->capacity) {
		/* By half: the old rows and the new ones are there at the same time. */
		int rc = rows_resize(set, n < FIRST_ROWS ? FIRST_ROWS : n + n / 2);

		if (rc < 0)
			return rc;
	}
	memcpy(set->values + n * set->n_features, values, set->n_features * sizeof(*values));
	set->rows[n] = *row;
	set->n_rows++;
	return 0;
}

static void row_move(struct flow_dataset *to, size_t at, const struct flow_dataset *from, size_t i)
{
	if (to == from && at == i)
		return;
	memcpy(to->values + at * to->n_features, from->values + i * from->n_features,
	       from->n_features * sizeof(*from->values));
	to->rows[at] = from->rows[i];
}

void flow_dataset_filter(struct flow_dataset *set, const uint8_t *keep)
{
	size_t n = 0;

	for (size_t i = 0; i < set->n_rows; i++)
		if (keep[i] != 0)
			row_move(set, n++, set, i);
	set->n_rows = n;
}

/* Gives an empty set the names of another. 0 or -ENOMEM. */
static int names_copy(struct flow_dataset *to, const struct flow_dataset *from)
{
	int64_t rc = 0;

	if (from->n_features > 0)
		rc = flow_dataset_set_features(to, (const char *const *)from->features, from->n_features);
	for (uint32_t i = 0; i < from->n_classes && rc >= 0; i++)
		rc = flow_dataset_class(to, from->classes[i]);
	for (uint32_t i = 0; i < from->n_labels && rc >= 0; i++)
		rc = flow_dataset_label(to, from->labels[i]);
	for (uint32_t i = 0; i < from->n_sources && rc >= 0; i++)
		rc = flow_dataset_source(to, from->sources[i]);
	return rc < 0 ? (int)rc : 0;
}

int flow_dataset_take(struct flow_dataset *set, const uint8_t *take, struct flow_dataset *taken)
{
	size_t n_taken = 0, n_kept = 0;
	int rc = names_copy(taken, set);

	for (size_t i = 0; i < set->n_rows; i++)
		n_taken += take[i] != 0;
	if (rc == 0)
		rc = rows_resize(taken, n_taken);
	if (rc < 0) {
		flow_dataset_free(taken);
		return rc;
	}
	for (size_t i = 0; i < set->n_rows; i++) {
		if (take[i] != 0)
			row_move(taken, taken->n_rows++, set, i);
		else
			row_move(set, n_kept++, set, i);
	}
	set->n_rows = n_kept;
	return 0;
}
