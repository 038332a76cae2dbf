/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A flow engine of a test's own, which only has flows to be looked through: links in place of lib/classify's.
 */
#ifndef WIRESCORE_TESTS_SEEN_FLOWS_H
#define WIRESCORE_TESTS_SEEN_FLOWS_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "flow_engine.h"
#include "flow_packets.h"

#define SEEN_MAX 20000

struct flow_engine {
	uint32_t n_places;
	bool is_used[SEEN_MAX];
	struct flow flows[SEEN_MAX];
	struct flow_verdict verdicts[SEEN_MAX];
	bool has_verdicts;
};

static inline struct flow_engine *seen_create(void)
{
	struct flow_engine *engine = calloc(1, sizeof(*engine));

	engine->has_verdicts = true;
	return engine;
}

/* Puts a flow into a place; number tells it from others. */
static inline void seen_put(struct flow_engine *engine, uint32_t place, uint32_t number, uint32_t packets,
			    uint64_t bytes, float logit)
{
	struct flow *flow = &engine->flows[place];

	*flow = (struct flow){.origin = number, .start_ns = SECOND_NS, .last_ns = 3 * SECOND_NS};
	memset(flow->key.address, 0, sizeof(flow->key.address));
	for (int i = 0; i < 2; i++) {
		flow->key.address[i][10] = flow->key.address[i][11] = 0xff;
		flow->key.address[i][12] = (uint8_t)(10 + i);
		memcpy(&flow->key.address[i][13], &number, 3);
	}
	flow->key.protocol = PACKET_PROTOCOL_TCP;
	flow->side[FLOW_FORWARD].packets = packets - packets / 3;
	flow->side[FLOW_BACKWARD].packets = packets / 3;
	flow->side[FLOW_FORWARD].bytes = bytes - bytes / 4;
	flow->side[FLOW_BACKWARD].bytes = bytes / 4;
	engine->verdicts[place] = (struct flow_verdict){.logit = logit, .class = logit > 0};
	engine->is_used[place] = true;
	if (engine->n_places <= place)
		engine->n_places = place + 1;
}

bool flow_engine_scan(const struct flow_engine *engine, uint32_t *place, uint32_t n, struct flow_engine_seen *seen,
		      uint32_t *n_seen)
{
	*n_seen = 0;
	for (uint32_t end = *place + n; *place < end && *place < engine->n_places; ++*place)
		if (engine->is_used[*place])
			seen[(*n_seen)++] = (struct flow_engine_seen){
				.flow = &engine->flows[*place],
				.verdict = engine->has_verdicts ? &engine->verdicts[*place] : NULL,
			};
	return *place < engine->n_places;
}

#endif
