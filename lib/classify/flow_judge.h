/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What becomes of a flow beside its own numbers: the context of its hosts, and the verdict of a model. Called by the
 * flow engine: all that the table tells during a burst is taken down, then judged in one go, since rows are scored in
 * batches and memory is fetched ahead.
 *
 * A flow's logit is the highest that it had so far, at a checkpoint or at its end, and the class is the one it was
 * given with that; slices of one flow go on with it.
 */
#ifndef WIRESCORE_CLASSIFY_FLOW_JUDGE_H
#define WIRESCORE_CLASSIFY_FLOW_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow_context.h"
#include "flow_model.h"
#include "flow_table.h"
#include "input_counts.h"

struct flow_judge_options {
	uint32_t n_flows; /* of the table */
	struct flow_layout
		layout; /* of what the table keeps; has_context: the context is wanted even without a model */
	const struct flow_model *model;	    /* NULL: none */
	struct flow_context_config context; /* looked at where the model or the layout has context */
};

/* What the model has said of a flow so far; logit is NAN as long as nothing. */
struct flow_verdict {
	float logit;
	uint32_t packets; /* that the slice had when its class was known */
	uint8_t class;
	uint8_t checkpoint; /* where that was: packets, at most FLOW_MAX_CHECKPOINT, or 0 at its end */
};

/* A flow that has ended or is at a checkpoint. Valid until the next flow_judge_tell. */
struct flow_judged {
	struct flow_view view; /* of copies; with context, where there is any */
	enum flow_reason reason;
	struct flow_verdict verdict;
};

/*
 * A flow model and the memory that one thread needs to ask it. Made by any thread, used by the judge's from
 * flow_judge_set_asker on. NULL when memory is out; the model is borrowed.
 */
struct flow_asker;
struct flow_asker *flow_asker_create(const struct flow_model *model);
void flow_asker_free(struct flow_asker *asker);
const struct flow_model *flow_asker_model(const struct flow_asker *asker);

/* Has rows that the model is asked with counted, by the thread that asks; counts is borrowed. */
void flow_asker_count(struct flow_asker *asker, struct input_counts *counts);

struct flow_judge;

/* 0, -EINVAL for a context out of its ranges, or -ENOMEM. */
int flow_judge_create(const struct flow_judge_options *options, struct flow_judge **judge);
void flow_judge_free(struct flow_judge *judge);

/* Memory that grows with the flows and the context, in bytes. */
size_t flow_judge_bytes(const struct flow_judge_options *options);

/* Pays for all of it now, as flow_table_touch does. */
void flow_judge_touch(struct flow_judge *judge);

/* Takes down what the table tells: its sink. At most FLOW_MAX_TOLD times between calls of flow_judge_run. */
void flow_judge_tell(struct flow_judge *judge, const struct flow_view *view, enum flow_reason reason);

/*
 * Packets of a burst whose flows' verdicts are wanted, as they were when each packet had been counted: what later ones
 * of the burst brought does not count, or it would matter where bursts end.
 */
struct flow_judge_packets {
	uint32_t n;
	uint32_t places[FLOW_MAX_BURST]; /* of their flows; FLOW_NO_PLACE: none */
	struct flow_verdict verdicts[FLOW_MAX_BURST];
};
#define FLOW_NO_PLACE UINT32_MAX

/* Has the verdict of the flow in a place ready for flow_judge_run. */
void flow_judge_prefetch(const struct flow_judge *judge, uint32_t place);

/*
 * Judges all that was told since the last call. Returns the flows that ended or are at a checkpoint, in order. packets
 * are of the burst that was told of, and get their verdicts; NULL: not wanted.
 */
const struct flow_judged *flow_judge_run(struct flow_judge *judge, struct flow_judge_packets *packets, uint32_t *n);

/*
 * From now on asks another model, whose features the table's layout has and whose classes are those of the one
 * before: verdicts of flows stay. The asker is borrowed. Not between flow_judge_tell and flow_judge_run.
 */
void flow_judge_set_asker(struct flow_judge *judge, const struct flow_asker *asker);

/* Whether the model is spared from now on: flows that are due go on with the verdict that they have. */
void flow_judge_set_shedding(struct flow_judge *judge, bool is_shedding);

/* How often that was so. */
uint64_t flow_judge_n_shed(const struct flow_judge *judge);
void flow_judge_clear_counts(struct flow_judge *judge);

/*
 * Whether the model was spared when it was due for the flow in a place. To make up for it, the flow is told of as at a
 * checkpoint, at whatever packet, between two calls of flow_judge_set_making_up. By the last flow_judge_run.
 */
void flow_judge_set_making_up(struct flow_judge *judge, bool makes_up);
bool flow_judge_owes(const struct flow_judge *judge, uint32_t place);

/* What is known of the flow in a place of the table by now. Valid until the next flow_judge_run. */
const struct flow_verdict *flow_judge_verdict(const struct flow_judge *judge, uint32_t place);

/* Forgets the context: flows of another time come, and the table is empty. */
void flow_judge_clear(struct flow_judge *judge);

#endif
