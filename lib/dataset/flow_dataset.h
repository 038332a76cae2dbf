/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rows of flow features with labels, from which flow models are trained and judged. Filled from tables by
 * flow_csv.c or from captures by the application; one thread at a time.
 *
 * A label is what the data say of a row: "benign", or the family of an attack. A class is what a model tells apart;
 * which labels make which class is the caller's choice (see struct flow_dataset_classes).
 */
#ifndef WIRESCORE_DATASET_FLOW_DATASET_H
#define WIRESCORE_DATASET_FLOW_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More would not fit a model's inputs, or a byte. */
#define FLOW_DATASET_MAX_FEATURES 512
#define FLOW_DATASET_MAX_CLASSES  255
#define FLOW_DATASET_MAX_LABELS	  65535

/*
 * What is known of a row beside its features. Hashes tell things apart.
 *
 * Two rows of one source with the same `flow` stay together when rows are split, but are judged as one flow only
 * where `is_part` is set: tables that are not ours may have many flows of the same ends, whose times are not known.
 * The same `twin` in two sources is the same flow, given twice: its ends and its start are the same. The same ends
 * at another time are another flow, as networks use the same addresses.
 */
struct flow_dataset_row {
	uint64_t flow;	    /* hash of the source and of what identifies the flow in it */
	uint64_t twin;	    /* hash of both ends and the start, whatever the source; 0: not known */
	uint64_t host;	    /* hash of the initiator's address, whatever the source; 0: not known */
	double start_s;	    /* when the flow began, in seconds since the epoch; NAN: not known */
	uint32_t source;    /* capture or file it came from: index into sources */
	uint16_t label;	    /* index into labels */
	uint8_t class;	    /* index into classes */
	uint8_t checkpoint; /* packets that the flow had; 0: its end */
	bool is_part;	    /* a checkpoint, a slice or the end of a flow that may have more rows */
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
	/* Patterns (fnmatch, capitals do not count) of labels that are benign; none given: benign, normal and 0. */
	struct flow_dataset_names benign;
};

/* Whether one of the patterns (fnmatch, capitals do not count) matches a label. */
bool flow_dataset_is_matched(const struct flow_dataset_names *patterns, const char *label);

/* Whether a label, or the name of a class, is one of the patterns of benign ones, as above. */
bool flow_dataset_is_benign(const struct flow_dataset_names *patterns, const char *label);

/* Bytes of a label's group: of "scan" in "scan-port", of "DoS" in "DoS - Hulk", of all where there is no '-'. */
size_t flow_dataset_group_length(const char *label);

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
 * Puts the classes from the one of that index on into the order of their names, whatever order the rows came in.
 * The first class is benign and stays.
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

/* The twin of a flow of ours by its flow_id, which is made of its ends and its start. */
uint64_t flow_dataset_twin(uint64_t flow_id);

/* The hash of an address: IPv6, or IPv4 mapped into it (::ffff:0:0/96), in network order. */
uint64_t flow_dataset_host(const uint8_t address[16]);

/* The hash of an address as text; what is no address is hashed as it is, and "" is 0. */
uint64_t flow_dataset_host_text(const char *text);

#endif
