/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The features of flows: one list in features.def, of which extraction, CSV headers, model metadata and
 * `wirescore features` are made. Called by the control core for rows and by workers for models.
 */
#ifndef WIRESCORE_FEATURES_FLOW_H
#define WIRESCORE_FEATURES_FLOW_H

#include <stddef.h>
#include <stdint.h>

#include "flow.h"

enum flow_feature_type {
	FLOW_FEATURE_COUNT, /* a whole number below 2^53 */
	FLOW_FEATURE_REAL,
};

/* Packets of a flow that have features of their own: size1 to size32. */
#define FLOW_FEATURES_MAX_LISTED 32

/* Which part of a flow a feature is computed from; see struct flow_layout. */
enum flow_feature_part {
	FLOW_FEATURE_OF_FLOW,
	FLOW_FEATURE_OF_SERIES,
	FLOW_FEATURE_OF_HISTORY,
	FLOW_FEATURE_OF_CONTEXT,
};

struct flow_feature_info {
	const char *name;
	const char *unit;
	enum flow_feature_type type;
	enum flow_feature_part part;
	uint32_t n_listed;   /* packets that must be listed for it */
	const char *formula; /* in words or symbols, for people */
	const char *source;  /* who defined it so; "" where it is plain counting */
};

/*
 * Adds a definition (name, unit and formula) to a hash: 64-bit FNV-1a (Fowler, Noll and Vo), begun with
 * FLOW_FEATURE_HASH_START.
 */
#define FLOW_FEATURE_HASH_START 0xcbf29ce484222325u
uint64_t flow_feature_hash(uint64_t hash, const struct flow_feature_info *info);

/* All features in the order of features.def; list features (size1..size32) one by one. */
uint32_t flow_features_n(void);
const struct flow_feature_info *flow_features_info(uint32_t feature);

/* "count", "real"; "flow", "series", "history", "context". */
const char *flow_feature_type_name(enum flow_feature_type type);
const char *flow_feature_part_name(enum flow_feature_part part);

/* The presets of presets.def. 0-based; NULL behind the last. */
struct flow_preset_info {
	const char *name;
	const char *help;
};
const struct flow_preset_info *flow_features_preset(uint32_t index);

/* A choice of features, in order. */
struct flow_feature_column {
	uint16_t feature;
	const char *label; /* what the CSV's header says: the feature's name, or the preset's own */
};
struct flow_feature_set {
	uint32_t n;
	struct flow_feature_column *columns; /* [n] */
	struct flow_layout layout;	     /* what a table must keep for them */
};

/*
 * Makes a set of a preset's name or of names of features with commas between them (presets may stand among them).
 * No label stands twice. 0, or -EINVAL with one line in error that names the unknown or repeated name, or -ENOMEM.
 * flow_feature_set_free releases it.
 */
int flow_feature_set_create(const char *text, struct flow_feature_set **set, char *error, size_t error_size);
/* The same of n names, each of a preset or of a feature; -EINVAL also where there are none. */
int flow_feature_set_create_of(const char *const *names, uint32_t n, struct flow_feature_set **set, char *error,
			       size_t error_size);
void flow_feature_set_free(struct flow_feature_set *set);

/*
 * Hash of the definitions of the set's features (names, units, formulas, in order; the version of the context where they
 * have one), as hexadecimal digits.
 */
#define FLOW_FEATURES_SCHEMA_SIZE 17
void flow_feature_set_schema(const struct flow_feature_set *set, char schema[FLOW_FEATURES_SCHEMA_SIZE]);

/*
 * The features of one flow; the view has every part of the set's layout. row is [set->n]. Every value is finite:
 * where a formula has none (a mean of nothing, a rate over no time) it is 0.
 */
void flow_feature_set_row(const struct flow_feature_set *set, const struct flow_view *view, double *row);

/* The same of n flows, rounded to floats: what models read. rows is [n][set->n]. */
void flow_feature_set_rows(const struct flow_feature_set *set, const struct flow_view *const *views, uint32_t n,
			   float *rows);

#endif
