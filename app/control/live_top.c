/* SPDX-License-Identifier: BSD-3-Clause */
#include "live_top.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "json_text.h"
#include "text.h"

#define TOP_POLL_US    1000
#define TOP_N_POLLS    3000
#define TOP_TEXT_BYTES 64 /* of an address */
/* How old a late answer may be. */
#define TOP_LATE_NS UINT64_C(5000000000)

/* Workers answer one question at a time. */
static pthread_mutex_t top_lock = PTHREAD_MUTEX_INITIALIZER;

static const char *const order_names[] = {
	[TOP_FLOWS_PACKETS] = "packets",
	[TOP_FLOWS_BYTES] = "bytes",
	[TOP_FLOWS_SCORE] = "score",
};
enum { N_ORDERS = sizeof(order_names) / sizeof(order_names[0]) };

int live_top_order(const char *name, enum top_flows_order *order)
{
	for (int i = 0; i < N_ORDERS; i++)
		if (!strcmp(name, order_names[i])) {
			*order = (enum top_flows_order)i;
			return 0;
		}
	return -EINVAL;
}

/*
 * Whether a worker has just answered a like question that others had ceased to wait for: it is not asked once more. By
 * when it answered, for where packets pass it may take longer over a large table than anybody waits.
 */
static bool top_take_late(struct live_worker *worker, enum top_flows_order order, uint32_t n)
{
	struct top_flows *top = &worker->top;
	bool is_like = top->is_late && top->order == order && top->n_wanted >= n;

	top->is_late = false;
	return is_like &&
	       live_clock_ns(&worker->clock, rte_rdtsc()) - live_clock_ns(&worker->clock, top->answered_cycles) <
		       TOP_LATE_NS;
}

/* Asks the workers that are free, and waits; has_answered tells which have. Returns how many have not. */
static uint32_t top_ask(struct live *live, enum top_flows_order order, uint32_t n, bool *has_answered)
{
	uint32_t n_waiting = 0;
	bool *is_asked = has_answered;

	for (uint32_t w = 0; w < live->n_workers; w++) {
		/* One that still looks for what was asked before would have its answer written over. */
		is_asked[w] = top_flows_is_answered(&live->workers[w].top);
		if (is_asked[w] && !top_take_late(&live->workers[w], order, n))
			top_flows_ask(&live->workers[w].top, order, n);
	}
	for (uint32_t i = 0; i < TOP_N_POLLS && !atomic_load(&live->is_closing); i++) {
		n_waiting = 0;
		for (uint32_t w = 0; w < live->n_workers; w++)
			n_waiting += is_asked[w] && !top_flows_is_answered(&live->workers[w].top);
		if (!n_waiting)
			break;
		usleep(TOP_POLL_US);
	}
	n_waiting = 0;
	for (uint32_t w = 0; w < live->n_workers; w++) {
		has_answered[w] = is_asked[w] && top_flows_is_answered(&live->workers[w].top);
		live->workers[w].top.is_late = !has_answered[w];
		n_waiting += !has_answered[w];
	}
	return n_waiting;
}

/* Largest first; of equal ones the first of a fixed order, so that a list does not jump about. */
static int compare(const void *a, const void *b)
{
	const struct top_flow *one = *(const struct top_flow *const *)a,
			      *other = *(const struct top_flow *const *)b;
	uint64_t id, other_id;

	if (one->weight != other->weight)
		return one->weight < other->weight ? 1 : -1;
	id = flow_id(&one->flow);
	other_id = flow_id(&other->flow);
	return id < other_id ? -1 : id > other_id;
}

static json_t *text_of_address(const struct flow *flow, uint32_t endpoint)
{
	char text[TOP_TEXT_BYTES];

	*text_put_address(text, flow->key.address[endpoint], flow_key_is_ipv4(&flow->key)) = '\0';
	return json_string(text);
}

static json_t *report_flow(const struct live *live, const struct top_flow *top)
{
	const struct generation *first = live->first;
	const struct flow *flow = &top->flow;
	const struct flow_side *forward = &flow->side[FLOW_FORWARD], *backward = &flow->side[FLOW_BACKWARD];
	uint32_t initiator = flow_initiator(flow);
	bool has_verdict = first->flow_model && !isnan(top->logit);

	return json_pack("{s:o, s:o, s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:f, s:o, s:o}", "src",
			 text_of_address(flow, initiator), "dst", text_of_address(flow, 1 - initiator), "src_port",
			 (int)flow->key.port[initiator], "dst_port", (int)flow->key.port[1 - initiator], "protocol",
			 (int)flow->key.protocol, "packets_fwd", (json_int_t)forward->packets, "packets_bwd",
			 (json_int_t)backward->packets, "bytes_fwd", (json_int_t)forward->bytes, "bytes_bwd",
			 (json_int_t)backward->bytes, "seconds", (double)(flow->last_ns - flow->start_ns) / 1e9,
			 "class", has_verdict ? json_text(first->flow_model->classes[top->class]) : json_null(),
			 "score", has_verdict ? json_real(1 / (1 + exp(-(double)top->logit))) : json_null());
}

static json_t *report_flows(const struct live *live, const struct top_flow **tops, uint32_t n_tops, uint32_t n)
{
	json_t *flows = json_array();

	qsort(tops, n_tops, sizeof(tops[0]), compare);
	for (uint32_t i = 0; i < n_tops && i < n; i++)
		json_array_append_new(flows, report_flow(live, tops[i]));
	return flows;
}

/* What workers have found. NULL when memory is out. */
static json_t *top_collect(const struct live *live, const bool *has_answered, uint32_t n)
{
	const struct top_flow **tops = calloc((size_t)live->n_workers * TOP_FLOWS_MAX, sizeof(tops[0]));
	uint32_t n_tops = 0;
	json_t *flows;

	if (!tops)
		return NULL;
	for (uint32_t w = 0; w < live->n_workers; w++) {
		const struct top_flows *top = &live->workers[w].top;

		for (uint32_t i = 0; has_answered[w] && i < top->n; i++)
			tops[n_tops++] = &top->flows[i];
	}
	flows = report_flows(live, tops, n_tops, n);
	free(tops);
	return flows;
}

int live_top_flows(struct live *live, enum top_flows_order order, uint32_t n, json_t **flows)
{
	bool has_answered[RTE_MAX_LCORE] = {false};
	uint32_t n_left_out;
	json_t *found;

	if (n > TOP_FLOWS_MAX)
		return -EINVAL;
	pthread_mutex_lock(&top_lock);
	n_left_out = top_ask(live, order, n, has_answered);
	found = top_collect(live, has_answered, n);
	pthread_mutex_unlock(&top_lock);
	*flows = found ? json_pack("{s:s, s:o, s:i}", "order", order_names[order], "flows", found,
				   "workers_left_out", (int)n_left_out)
		       : NULL;
	return *flows ? 0 : -ENOMEM;
}
