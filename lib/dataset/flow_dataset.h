/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rows of flow features with labels, from which flow models are trained and judged. Filled from CSV by
 * flow_table_read.c's reader or from captures by the application; one thread at a time.
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
	uint64_t flow;	    /* hash of what identifies the flow; rows of one flow (its checkpoints, its slices) share it */
	uint64_t host;	    /* hash of the initiator's address; 0: not known */
	double start_s;	    /* when the flow began, in seconds since the epoch; NAN: not known */
	uint32_t source;    /* capture or file it came from: index into sources */
	uint16_t label;	    /* index into labels */
	uint8_t class;	    /* index into classes */
	uint8_t checkpoint; /* packets that the flow had; 0: its end */
};

struct flow_dataset {
	uint32_t n_features, n_classes, n_labels, n_sources;
	char **features; /* names of the columns */
	char **classes;	 /* of two classes 0 is benign */
	char **labels;	 /* as they stand in the data */
	char **sources;	 /* names without folders */
	size_t n_rows, capacity;
	float *values;			/* [n_rows][n_features], all finite */
	struct flow_dataset_row *rows; /* [n_rows] */
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

/* Adds a row, copied; values is [n_features] of finite numbers. 0 or -ENOMEM. */
int flow_dataset_add(struct flow_dataset *set, const struct flow_dataset_row *row, const float *values);

/* Keeps the rows whose keep[] is not 0, in their order. */
void flow_dataset_filter(struct flow_dataset *set, const uint8_t *keep);

#endif
