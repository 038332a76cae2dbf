/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a table's column is by its name: the part it plays beside the features, and whether it must not be one.
 * Called by flow_plan.c, flow_format.c and the application.
 */
#ifndef WIRESCORE_DATASET_FLOW_COLUMN_H
#define WIRESCORE_DATASET_FLOW_COLUMN_H

enum flow_column_role {
	FLOW_COLUMN_NONE,
	FLOW_COLUMN_FLOW, /* names the flow */
	FLOW_COLUMN_SRC,
	FLOW_COLUMN_DST,
	FLOW_COLUMN_SRC_PORT,
	FLOW_COLUMN_DST_PORT,
	FLOW_COLUMN_PROTOCOL,
	FLOW_COLUMN_START,
	FLOW_COLUMN_END,
	FLOW_COLUMN_SOURCE,	/* the capture that the row comes from */
	FLOW_COLUMN_CHECKPOINT, /* packets that the flow had, or end */
	FLOW_COLUMN_REASON,	/* why the row was written */
	FLOW_COLUMN_SYMBOLIC,	/* words, each a feature of its own */
	FLOW_COLUMN_N_ROLES,
};

struct flow_column {
	/* fnmatch, of a name in lower case with '_' for all that is no letter or digit; NULL: found by its words */
	const char *pattern;
	const char *why; /* why it is no feature; NULL: it is one */
	enum flow_column_role role;
};

/* What the name says; never NULL. Valid for ever. */
const struct flow_column *flow_column_find(const char *name);

#endif
