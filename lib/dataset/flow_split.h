/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Splits rows into those to learn from and those to judge by. Called by `wirescore train` and `eval`. The same
 * rows, options and seed give the same split on every machine. All rows of a flow are always on one side, in
 * whatever sources they are: a flow is in two where its ends and its start are the same.
 */
#ifndef WIRESCORE_DATASET_FLOW_SPLIT_H
#define WIRESCORE_DATASET_FLOW_SPLIT_H

#include <stddef.h>
#include <stdint.h>

#include "flow_dataset.h"

enum flow_split_kind {
	FLOW_SPLIT_SOURCE, /* whole captures or files */
	FLOW_SPLIT_TIME,   /* of each source the flows that began last */
	FLOW_SPLIT_HOST,   /* all flows of an initiator's address, in whatever sources */
	FLOW_SPLIT_RANDOM, /* flows, as if they had nothing to do with each other */
};

struct flow_split_options {
	enum flow_split_kind kind;
	double share; /* of the rows that is held out, above 0 and below 1; reached as near as whole groups allow */
	uint64_t seed;
};

/* "capture", "time", "host", "random". 0 or -EINVAL; the name of a kind. */
int flow_split_kind_parse(const char *text, enum flow_split_kind *kind);
const char *flow_split_kind_name(enum flow_split_kind kind);

/*
 * Writes 0 (to learn from) or 1 (held out) for each row into side [n_rows]; every class is on both sides. 0,
 * -ENOMEM, or -EINVAL with one line in error: no rows, one class, one source or host only, times that are not
 * known, a class that cannot be on both sides, a flow of two sources that come to be on two sides.
 */
int flow_split(const struct flow_dataset *set, const struct flow_split_options *options, uint8_t *side, char *error,
	       size_t error_size);

/*
 * Looks at a split, of 0 and 1, however it was made: 0, or -EINVAL with one line in error that names a flow (with
 * its source) that is on both sides, or a class that a side lacks; or -ENOMEM.
 */
int flow_split_check(const struct flow_dataset *set, const uint8_t *side, char *error, size_t error_size);

#endif
