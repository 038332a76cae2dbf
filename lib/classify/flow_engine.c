/* SPDX-License-Identifier: BSD-3-Clause */
#include "flow_engine.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "flow_judge.h"

_Static_assert(FLOW_MAX_BURST <= 64, "a bit for each packet");

/* Flows that one call of flow_engine_drain ends. */
#define FLOW_ENGINE_DRAIN 64

struct flow_engine {
	struct flow_engine_options options;
	struct flow_table *table;
	struct flow_judge *judge; /* NULL: flows have neither context nor verdict */
	struct stats_block *stats;
	struct flow_layout layout; /* of records */
	struct flow_layout kept;   /* of flows, and whether the judge has context */
	uint32_t n_classes;	   /* of models; 0: none is asked */
	size_t record_bytes;
	uint8_t *records; /* [FLOW_MAX_TOLD] of record_bytes; NULL where nobody wants any */
	uint32_t n_records;
	bool is_shedding;
	struct flow *flows[FLOW_MAX_BURST]; /* of the last burst's packets */
	struct flow_judge_packets packets;  /* and their verdicts, where these are wanted */
	uint64_t ids[FLOW_MAX_BURST];	    /* of these; zeros where nobody asks for them */
};

static struct flow_record *flow_engine_record(struct flow_engine *engine, const struct flow_view *view,
					      enum flow_reason reason)
{
	struct flow_record *record =
		(struct flow_record *)(void *)(engine->records + engine->n_records++ * engine->record_bytes);

	flow_record_fill(record, &engine->layout, view, reason);
	return record;
}

/* The table's sink. */
static void flow_engine_tell(void *context, const struct flow_view *view, enum flow_reason reason)
{
	struct flow_engine *engine = context;
	struct flow_record *record;

	if (engine->judge) {
		flow_judge_tell(engine->judge, view, reason);
		return;
	}
	if (!engine->records)
		return;
	record = flow_engine_record(engine, view, reason);
	record->class = 0;
	record->logit = NAN;
	record->verdict_packet = 0;
	record->is_verdict_of_end = false;
}

/* Counts what the model said of a flow that ended. */
static void flow_engine_count_verdict(struct flow_engine *engine, const struct flow_verdict *verdict)
{
	struct stats_flow_verdicts *counts = &engine->stats->flow_verdicts;

	if (isnan(verdict->logit)) {
		stats_count(&counts->unscored);
		return;
	}
	stats_count(&counts->classes[verdict->class]);
	stats_count_score(engine->stats->flow_scores, verdict->logit);
	if (verdict->class)
		stats_count(&counts->at_packets[verdict->checkpoint]);
}

static bool flow_engine_wants(const struct flow_engine *engine, const struct flow_judged *judged)
{
	if (!engine->records || (engine->options.model && judged->reason == FLOW_REASON_CHECKPOINT))
		return false;
	return engine->options.records == FLOW_ENGINE_ALL || judged->verdict.class;
}

/* Judges what the table told, and makes records of it. */
static void flow_engine_judge(struct flow_engine *engine, struct flow_judge_packets *packets)
{
	const struct flow_judged *judged;
	uint32_t n;

	if (!engine->judge)
		return;
	judged = flow_judge_run(engine->judge, packets, &n);
	for (uint32_t i = 0; i < n; i++) {
		const struct flow_verdict *verdict = &judged[i].verdict;
		struct flow_record *record;

		if (engine->options.model && judged[i].reason != FLOW_REASON_CHECKPOINT)
			flow_engine_count_verdict(engine, verdict);
		if (!flow_engine_wants(engine, &judged[i]))
			continue;
		record = flow_engine_record(engine, &judged[i].view, judged[i].reason);
		record->class = verdict->class;
		record->logit = engine->options.model ? verdict->logit : NAN;
		record->verdict_packet = verdict->packets;
		record->is_verdict_of_end = !verdict->checkpoint;
	}
}

/* What the table keeps: what records carry and what the model reads. */
static struct flow_config flow_engine_config(const struct flow_engine_options *options)
{
	struct flow_config config = options->config;
	const struct flow_layout *model = options->model ? &options->model->features->layout : NULL;

	if (model) {
		config.layout.has_series |= model->has_series;
		config.layout.has_history |= model->has_history;
		if (config.layout.n_listed < model->n_listed)
			config.layout.n_listed = model->n_listed;
		config.checkpoints |= options->model->checkpoints;
	}
	config.tells_turns = model || config.layout.has_context;
	return config;
}

struct flow_layout flow_engine_record_layout(const struct flow_engine_options *options)
{
	struct flow_layout layout = options->config.layout;

	/* A history is copied whole. */
	if (layout.has_history)
		layout.n_listed = flow_engine_config(options).layout.n_listed;
	return layout;
}

static struct flow_judge_options flow_engine_judge_options(const struct flow_engine_options *options,
							   const struct flow_config *config)
{
	return (struct flow_judge_options){
		.n_flows = (uint32_t)config->n_flows,
		.layout = config->layout,
		.model = options->model,
		.context = options->context,
	};
}

size_t flow_engine_bytes(const struct flow_engine_options *options)
{
	struct flow_config config = flow_engine_config(options);
	struct flow_judge_options judge = flow_engine_judge_options(options, &config);

	return flow_table_bytes(&config) + (config.tells_turns ? flow_judge_bytes(&judge) : 0);
}

static int flow_engine_create_judge(struct flow_engine *engine, const struct flow_config *config)
{
	struct flow_judge_options options = flow_engine_judge_options(&engine->options, config);

	return config->tells_turns ? flow_judge_create(&options, &engine->judge) : 0;
}

int flow_engine_create(const struct flow_engine_options *options, struct flow_engine **engine)
{
	struct flow_config config = flow_engine_config(options);
	struct flow_engine *e = calloc(1, sizeof(*e));
	int rc;

	if (!e)
		return -ENOMEM;
	e->options = *options;
	e->layout = flow_engine_record_layout(options);
	e->kept = config.layout;
	e->kept.has_context |= options->model && options->model->features->layout.has_context;
	e->n_classes = options->model ? options->model->n_classes : 0;
	e->stats = options->stats;
	e->record_bytes = flow_record_bytes(&e->layout);
	rc = flow_table_create(&config, flow_engine_tell, e, &e->table);
	if (!rc)
		rc = flow_engine_create_judge(e, &config);
	if (!rc && options->records != FLOW_ENGINE_NO_RECORDS) {
		e->records = malloc(FLOW_MAX_TOLD * e->record_bytes);
		rc = e->records ? 0 : -ENOMEM;
	}
	if (rc) {
		flow_engine_free(e);
		return rc;
	}
	if (options->has_packet_ids)
		flow_table_set_ids(e->table, e->ids);
	*engine = e;
	return 0;
}

void flow_engine_free(struct flow_engine *engine)
{
	if (!engine)
		return;
	flow_table_free(engine->table);
	flow_judge_free(engine->judge);
	free(engine->records);
	free(engine);
}

void flow_engine_touch(struct flow_engine *engine)
{
	flow_table_touch(engine->table);
	if (engine->judge)
		flow_judge_touch(engine->judge);
}

_Static_assert(STATS_flows_end - STATS_flows_idle == FLOW_REASON_END - FLOW_REASON_IDLE,
	       "counters.def must list the reasons in the order of enum flow_reason");

void flow_engine_clear_counts(struct flow_engine *engine)
{
	flow_table_clear_counts(engine->table);
	if (engine->judge)
		flow_judge_clear_counts(engine->judge);
}

/* The table counts for itself; readers of other threads look at the stats block. */
static void flow_engine_publish(struct flow_engine *engine)
{
	const struct flow_table_counts *counts = flow_table_counts(engine->table);
	struct stats_block *stats = engine->stats;

	stats_set(stats, STATS_flow_packets, counts->packets);
	stats_set(stats, STATS_started, counts->started);
	stats_set(stats, STATS_open, counts->current);
	for (int reason = 0; reason < FLOW_N_REASONS; reason++)
		stats_set(stats, STATS_flows_idle + reason, counts->ended[reason]);
	stats_set(stats, STATS_evicted_single, counts->evicted_single);
	stats_set(stats, STATS_fragments_joined, counts->fragments_joined);
	stats_set(stats, STATS_fragments_alone, counts->fragments_alone);
	if (engine->judge)
		stats_set(stats, STATS_shed_flows, flow_judge_n_shed(engine->judge));
}

/* Says of which flows the verdicts are wanted, ahead of time. */
static void flow_engine_want_verdicts(struct flow_engine *engine, uint32_t n)
{
	struct flow_judge_packets *packets = &engine->packets;

	packets->n = n;
	for (uint32_t i = 0; i < n; i++) {
		packets->places[i] = FLOW_NO_PLACE;
		if (!engine->flows[i])
			continue;
		packets->places[i] = flow_table_place(engine->table, engine->flows[i]);
		flow_judge_prefetch(engine->judge, packets->places[i]);
	}
}

/* Whether the model was spared when it was due for the flow of a packet of the burst. */
static bool flow_engine_owes(const struct flow_engine *engine, uint32_t i)
{
	uint32_t place = engine->packets.places[i];

	return place != FLOW_NO_PLACE && flow_judge_owes(engine->judge, place);
}

/* The last packet of each such flow: bit i stands for packet i. */
static uint64_t flow_engine_owed(const struct flow_engine *engine)
{
	uint64_t owed = 0;

	for (uint32_t i = 0; i < engine->packets.n; i++) {
		if (__builtin_expect(!flow_engine_owes(engine, i), 1))
			continue;
		for (uint64_t left = owed; left; left &= left - 1)
			if (engine->packets.places[__builtin_ctzll(left)] == engine->packets.places[i])
				owed &= ~(left & -left);
		owed |= UINT64_C(1) << i;
	}
	return owed;
}

/* Has such flows scored now, and their last packet judged by it. */
static void flow_engine_make_up(struct flow_engine *engine)
{
	struct flow_judge_packets *packets = &engine->packets;
	uint64_t owed = flow_engine_owed(engine);

	if (__builtin_expect(!owed, 1))
		return;
	flow_judge_set_making_up(engine->judge, true);
	for (uint64_t left = owed; left; left &= left - 1)
		flow_table_tell_of(engine->table, engine->flows[__builtin_ctzll(left)]);
	flow_engine_judge(engine, NULL);
	flow_judge_set_making_up(engine->judge, false);
	for (uint64_t left = owed; left; left &= left - 1) {
		int i = __builtin_ctzll(left);

		packets->verdicts[i] = *flow_judge_verdict(engine->judge, packets->places[i]);
	}
}

void flow_engine_burst(struct flow_engine *engine, const struct frame *frames, const struct packet *packets,
		       uint32_t n)
{
	bool has_verdicts = engine->options.has_verdicts && engine->options.model;

	engine->n_records = 0;
	flow_table_update_burst(engine->table, frames, packets, n, engine->flows);
	stats_lap(engine->stats, STATS_stage_lookup);
	if (has_verdicts)
		flow_engine_want_verdicts(engine, n);
	flow_engine_judge(engine, has_verdicts ? &engine->packets : NULL);
	if (has_verdicts && !engine->is_shedding)
		flow_engine_make_up(engine);
	stats_lap(engine->stats, STATS_stage_score);
	flow_engine_publish(engine);
}

uint32_t flow_engine_drain(struct flow_engine *engine, uint64_t now_ns)
{
	uint32_t n;

	engine->n_records = 0;
	n = flow_table_drain(engine->table, now_ns, FLOW_ENGINE_DRAIN);
	flow_engine_judge(engine, NULL);
	if (engine->judge && !n)
		flow_judge_clear(engine->judge);
	flow_engine_publish(engine);
	return n;
}

void flow_engine_sweep(struct flow_engine *engine, uint64_t now_ns)
{
	engine->n_records = 0;
	flow_table_sweep_clock(engine->table, now_ns);
	flow_engine_judge(engine, NULL);
	flow_engine_publish(engine);
}

const struct flow_verdict *flow_engine_verdict(const struct flow_engine *engine, uint32_t i)
{
	return engine->flows[i] && engine->options.model ? &engine->packets.verdicts[i] : NULL;
}

uint64_t flow_engine_flow_id(const struct flow_engine *engine, uint32_t i)
{
	return engine->ids[i];
}

bool flow_engine_scan(const struct flow_engine *engine, uint32_t *place, uint32_t n, struct flow_engine_seen *seen,
		      uint32_t *n_seen)
{
	const struct flow *flows[FLOW_MAX_BURST];
	bool has_more = flow_table_scan(engine->table, place, n, flows, n_seen);

	for (uint32_t i = 0; i < *n_seen; i++) {
		uint32_t at = flow_table_place(engine->table, flows[i]);

		seen[i].flow = flows[i];
		seen[i].verdict = engine->options.model ? flow_judge_verdict(engine->judge, at) : NULL;
	}
	return has_more;
}

bool flow_engine_accepts(const struct flow_engine *engine, const struct flow_model *model)
{
	const struct flow_layout *kept = &engine->kept, *read;

	if (!model || !engine->n_classes)
		return !model && !engine->n_classes;
	read = &model->features->layout;
	return model->n_classes == engine->n_classes && read->has_series <= kept->has_series &&
	       read->has_history <= kept->has_history && read->has_context <= kept->has_context &&
	       read->n_listed <= kept->n_listed;
}

void flow_engine_set_asker(struct flow_engine *engine, const struct flow_asker *asker)
{
	engine->options.model = flow_asker_model(asker);
	flow_judge_set_asker(engine->judge, asker);
	flow_table_set_checkpoints(engine->table,
				   engine->options.config.checkpoints | engine->options.model->checkpoints);
}

void flow_engine_set_shedding(struct flow_engine *engine, bool is_shedding)
{
	engine->is_shedding = is_shedding;
	if (engine->judge)
		flow_judge_set_shedding(engine->judge, is_shedding);
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
