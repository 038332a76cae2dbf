/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rows of flow features with labels, from which flow models are trained and judged. Filled from tables by flow_csv.c
 * or from captures by the application; one thread at a time.
 *
 * A label is what the data say of a row: "benign", or the family of an attack. A class is what a model tells apart;
 * which labels make which class is the caller's choice (see struct flow_dataset_classes).
 */
#ifndef WIRESCORE_DATASET_FLOW_DATASET_H
#define WIRESCORE_DATASET_FLOW_DATASET_H

#include <stddef.h>
#include <stdint.h>

/* More would not fit a model's inputs, or a byte. */
#define FLOW_DATASET_MAX_FEATURES 512
#define FLOW_DATASET_MAX_CLASSES  255
#define FLOW_DATASET_MAX_LABELS	  65535

/* What is known of a row beside its features. Hashes tell things apart; equal things of different sources differ. */
struct flow_dataset_row {
	uint64_t flow;	    /* hash of what identifies the flow; its rows (checkpoints, slices) share it */
	uint64_t host;	    /* hash of the initiator's address; 0: not known */
	double start_s;	    /* when the flow began, in seconds since the epoch; NAN: not known */
	uint32_t source;    /* capture or file it came from: index into sources */
	uint16_t label;	    /* index into labels */
	uint8_t class;	    /* index into classes */
	uint8_t checkpoint; /* packets that the flow had; 0: its end */
};

/* Finds a name among many; empty at first. */
struct flow_dataset_index {
	uint32_t *slots; /* [n_slots]; 1 + the name's index, 0: free */
	uint32_t n_slots;
};

struct flow_dataset {
	uint32_t n_features, n_classes, n_labels, n_sources;
	char **features; /* names of the columns */
	char **classes;	 /* of two classes 0 is benign */
	char **labels;	 /* as they stand in the data */
	char **sources;	 /* names without folders */
	size_t n_rows, capacity;
	float *values;		       /* [n_rows][n_features], all finite */
	struct flow_dataset_row *rows; /* [n_rows] */
	struct flow_dataset_index class_index, label_index, source_index;
};

/* Which labels make a class. */
enum flow_dataset_mapping {
	FLOW_CLASSES_BINARY, /* "benign" and "attack" */
	FLOW_CLASSES_GROUP,  /* "benign" and what stands before the first '-' of the others: flood, scan, .. */
	FLOW_CLASSES_LABEL,  /* "benign" and each other label */
};

/* A list of names or patterns, borrowed. */
struct flow_dataset_names {
	const char *const *names; /* [n]; NULL: none was given */
	uint32_t n;
};

struct flow_dataset_classes {
	enum flow_dataset_mapping mapping;
	/* Patterns (fnmatch, capitals do not count) of labels that are benign; none given: "benign". */
	struct flow_dataset_names benign;
};

/* An empty set without features; owns nothing yet. */
void flow_dataset_init(struct flow_dataset *set);
void flow_dataset_free(struct flow_dataset *set);

/* Names the columns, copied. Once, before the first row. 0, -EINVAL (none, too many, one twice) or -ENOMEM. */
int flow_dataset_set_features(struct flow_dataset *set, const char *const *names, uint32_t n);

/* The index of a name that is there or is added, or a negative errno (-ENOMEM; -E2BIG: too many). */
int64_t flow_dataset_class(struct flow_dataset *set, const char *name);
int64_t flow_dataset_label(struct flow_dataset *set, const char *name);
int64_t flow_dataset_source(struct flow_dataset *set, const char *name);

/*
 * The class of a label, which is there or is added; benign is added first and is 0. A negative errno (-ENOMEM;
 * -E2BIG: more classes than FLOW_DATASET_MAX_CLASSES).
 */
int64_t flow_dataset_class_of(struct flow_dataset *set, const struct flow_dataset_classes *classes,
			      const char *label);

/*
 * Puts the classes from the one of that index on into the order of their names, whatever order the rows came in. The
 * first class is benign and stays.
 */
void flow_dataset_sort_classes(struct flow_dataset *set, uint32_t from);

/* Adds a row, copied; values is [n_features] of finite numbers. 0 or -ENOMEM. */
int flow_dataset_add(struct flow_dataset *set, const struct flow_dataset_row *row, const float *values);

/* Keeps the rows whose keep[] is not 0, in their order. */
void flow_dataset_filter(struct flow_dataset *set, const uint8_t *keep);

/*
 * Moves the rows whose take[] is not 0 into taken, an empty set that gets the same features, classes, labels and
 * sources; the order stays. 0 or -ENOMEM, in which case set is as it was.
 */
int flow_dataset_take(struct flow_dataset *set, const uint8_t *take, struct flow_dataset *taken);

/*
 * Hashes for struct flow_dataset_row: bytes into a hash, begun with a number that tells sources apart. Never 0.
 * The same on every machine.
 */
uint64_t flow_dataset_hash(uint64_t start, const void *bytes, size_t n_bytes);

#endif
