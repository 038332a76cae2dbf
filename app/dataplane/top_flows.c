/* SPDX-License-Identifier: BSD-3-Clause */
#include "top_flows.h"

#include <math.h>

/* Flows a poll: some microseconds where they are not in the cache. */
#define TOP_FLOWS_LOOK 32
/* A look that takes longer was held up by something else. */
#define TOP_FLOWS_MAX_CYCLES 100000

void top_flows_ask(struct top_flows *top, enum top_flows_order order, uint32_t n)
{
	top->order = order;
	top->n_wanted = n;
	top->n = 0;
	top->place = 0;
	atomic_fetch_add_explicit(&top->asked, 1, memory_order_release);
}

bool top_flows_is_answered(const struct top_flows *top)
{
	return atomic_load_explicit(&top->answered, memory_order_acquire) ==
	       atomic_load_explicit(&top->asked, memory_order_relaxed);
}

/* How large a flow is; flows without a verdict are below all scores. */
static double flow_weight(enum top_flows_order order, const struct flow_engine_seen *seen)
{
	const struct flow_side *forward = &seen->flow->side[FLOW_FORWARD],
			       *backward = &seen->flow->side[FLOW_BACKWARD];

	if (order == TOP_FLOWS_SCORE)
		return seen->verdict && !isnan(seen->verdict->logit) ? (double)seen->verdict->logit : -INFINITY;
	if (order == TOP_FLOWS_BYTES)
		return (double)(forward->bytes + backward->bytes);
	return (double)forward->packets + (double)backward->packets;
}

static void swap(struct top_flow *a, struct top_flow *b)
{
	struct top_flow c = *a;

	*a = *b;
	*b = c;
}

/* Lets the last of the heap rise to where it belongs. */
static void heap_rise(struct top_flows *top)
{
	for (uint32_t i = top->n - 1; i && top->flows[i].weight < top->flows[(i - 1) / 2].weight; i = (i - 1) / 2)
		swap(&top->flows[i], &top->flows[(i - 1) / 2]);
}

/* Lets the first of the heap sink to where it belongs. */
static void heap_sink(struct top_flows *top)
{
	for (uint32_t i = 0, child; (child = 2 * i + 1) < top->n; i = child) {
		child += child + 1 < top->n && top->flows[child + 1].weight < top->flows[child].weight;
		if (top->flows[i].weight <= top->flows[child].weight)
			return;
		swap(&top->flows[i], &top->flows[child]);
	}
}

static void top_flows_take(struct top_flows *top, const struct flow_engine_seen *seen)
{
	struct top_flow taken = {
		.weight = flow_weight(top->order, seen),
		.logit = seen->verdict ? seen->verdict->logit : NAN,
		.class = seen->verdict ? seen->verdict->class : 0,
	};

	if (top->n == top->n_wanted && (!top->n || taken.weight <= top->flows[0].weight))
		return;
	taken.flow = *seen->flow;
	if (top->n < top->n_wanted) {
		top->flows[top->n++] = taken;
		heap_rise(top);
	} else {
		top->flows[0] = taken;
		heap_sink(top);
	}
}

static void top_flows_step(struct top_flows *top, const struct flow_engine *engine)
{
	unsigned int asked = atomic_load_explicit(&top->asked, memory_order_acquire);
	struct flow_engine_seen seen[TOP_FLOWS_LOOK];
	bool has_more = false;
	uint32_t n = 0;

	if (engine)
		has_more = flow_engine_scan(engine, &top->place, TOP_FLOWS_LOOK, seen, &n);
	for (uint32_t i = 0; i < n; i++)
		top_flows_take(top, &seen[i]);
	if (has_more)
		return;
	top->answered_cycles = stats_cycles();
	atomic_store_explicit(&top->answered, asked, memory_order_release);
}

void top_flows_look(struct top_flows *top, const struct flow_engine *engine, bool is_idle)
{
	uint64_t start = stats_cycles(), took;

	if (!is_idle && start < top->rests_until)
		return;
	top_flows_step(top, engine);
	took = stats_cycles() - start;
	top->rests_until =
		start + TOP_FLOWS_SHARE * (took < TOP_FLOWS_MAX_CYCLES ? took : (uint64_t)TOP_FLOWS_MAX_CYCLES);
}
