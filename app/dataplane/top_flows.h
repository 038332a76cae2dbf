/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The largest flows of a worker's table, found by the worker itself while packets pass: asked for by the control core,
 * looked for a few flows a poll, so that no burst waits long and nobody else reads the table.
 */
#ifndef WIRESCORE_DATAPLANE_TOP_FLOWS_H
#define WIRESCORE_DATAPLANE_TOP_FLOWS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "cycles.h"
#include "flow_engine.h"

enum { TOP_FLOWS_MAX = 100 };
enum top_flows_order { TOP_FLOWS_PACKETS, TOP_FLOWS_BYTES, TOP_FLOWS_SCORE };

struct top_flow {
	struct flow flow;
	double weight; /* in the order that was asked for */
	float logit;   /* NAN: no verdict yet */
	uint8_t class;
};

/* The asker writes what it wants, then asked; the worker the answer, then answered = asked: until then it is its own. */
struct top_flows {
	atomic_uint asked, answered;
	enum top_flows_order order;
	uint32_t n_wanted; /* at most TOP_FLOWS_MAX */
	bool is_late; /* the asker's own: it waits no more for this answer, which may be good for who asks next */

	uint64_t rests_until, answered_cycles; /* when it goes on to look; when it answered last */
	uint32_t place;
	uint32_t n; /* of flows: a heap with the least on top */
	struct top_flow flows[TOP_FLOWS_MAX];
};

/* The asker's: one at a time, and only where the last question is answered. n <= TOP_FLOWS_MAX. */
void top_flows_ask(struct top_flows *top, enum top_flows_order order, uint32_t n);
bool top_flows_is_answered(const struct top_flows *top);

/* The worker's, at every poll. */
static inline bool top_flows_is_asked(const struct top_flows *top)
{
	return atomic_load_explicit(&top->asked, memory_order_relaxed) !=
	       atomic_load_explicit(&top->answered, memory_order_relaxed);
}

/*
 * ... and where it is: looks at some flows more. Where packets pass it rests in between, so that it takes one part in
 * TOP_FLOWS_SHARE of the time however often it is asked.
 */
enum { TOP_FLOWS_SHARE = 64 };
void top_flows_look(struct top_flows *top, const struct flow_engine *engine, bool is_idle);

#endif
