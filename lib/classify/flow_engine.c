/* SPDX-License-Identifier: BSD-3-Clause */
#include "flow_engine.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* Flows that one call of flow_engine_drain ends. */
#define FLOW_ENGINE_DRAIN 64

struct flow_engine {
	struct flow_table *table;
	struct flow_layout layout;
	struct stats_block *stats;
	size_t record_bytes;
	uint8_t *records; /* [FLOW_MAX_TOLD] of record_bytes; NULL where nobody wants any */
	uint32_t n_records;
};

/* The table's sink. */
static void flow_engine_tell(void *context, const struct flow_view *view, enum flow_reason reason)
{
	struct flow_engine *engine = context;
	struct flow_record *record;

	if (!engine->records)
		return;
	record = (struct flow_record *)(void *)(engine->records + engine->n_records++ * engine->record_bytes);
	flow_record_fill(record, &engine->layout, view, reason);
	record->class = 0;
	record->score = NAN;
}

int flow_engine_create(const struct flow_config *config, bool has_records, struct stats_block *stats,
		       struct flow_engine **engine)
{
	struct flow_engine *e = calloc(1, sizeof(*e));
	int rc;

	if (!e)
		return -ENOMEM;
	e->layout = config->layout;
	e->stats = stats;
	e->record_bytes = flow_record_bytes(&config->layout);
	rc = flow_table_create(config, flow_engine_tell, e, &e->table);
	if (!rc && has_records) {
		e->records = malloc(FLOW_MAX_TOLD * e->record_bytes);
		rc = e->records ? 0 : -ENOMEM;
	}
	if (rc) {
		flow_engine_free(e);
		return rc;
	}
	*engine = e;
	return 0;
}

void flow_engine_free(struct flow_engine *engine)
{
	if (!engine)
		return;
	flow_table_free(engine->table);
	free(engine->records);
	free(engine);
}

_Static_assert(STATS_flows_end - STATS_flows_idle == FLOW_REASON_END - FLOW_REASON_IDLE,
	       "counters.def must list the reasons in the order of enum flow_reason");

void flow_engine_clear_counts(struct flow_engine *engine)
{
	flow_table_clear_counts(engine->table);
}

/* The table counts for itself; readers of other threads look at the stats block. */
static void flow_engine_publish(struct flow_engine *engine)
{
	const struct flow_table_counts *counts = flow_table_counts(engine->table);
	struct stats_block *stats = engine->stats;

	stats_set(stats, STATS_flow_packets, counts->packets);
	for (int reason = 0; reason < FLOW_N_REASONS; reason++)
		stats_set(stats, STATS_flows_idle + reason, counts->ended[reason]);
	stats_set(stats, STATS_evicted_single, counts->evicted_single);
	stats_set(stats, STATS_fragments_joined, counts->fragments_joined);
	stats_set(stats, STATS_fragments_alone, counts->fragments_alone);
}

void flow_engine_burst(struct flow_engine *engine, const struct frame *frames, const struct packet *packets,
		       uint32_t n)
{
	struct flow *flows[FLOW_MAX_BURST];

	engine->n_records = 0;
	flow_table_update_burst(engine->table, frames, packets, n, flows);
	flow_engine_publish(engine);
}

uint32_t flow_engine_drain(struct flow_engine *engine, uint64_t now_ns)
{
	uint32_t n;

	engine->n_records = 0;
	n = flow_table_drain(engine->table, now_ns, FLOW_ENGINE_DRAIN);
	flow_engine_publish(engine);
	return n;
}

const void *flow_engine_records(const struct flow_engine *engine, uint32_t *n)
{
	*n = engine->n_records;
	return engine->records;
}

uint64_t flow_engine_peak(const struct flow_engine *engine)
{
	return flow_table_counts(engine->table)->peak;
}
