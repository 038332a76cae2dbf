/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The flow engine of one worker: its flow table, the context and the verdicts of its flows, and the records of flows
 * that have ended. Called by the classifier for every burst.
 */
#ifndef WIRESCORE_CLASSIFY_FLOW_ENGINE_H
#define WIRESCORE_CLASSIFY_FLOW_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "flow_context.h"
#include "flow_judge.h"
#include "flow_model.h"
#include "flow_record.h"
#include "flow_table.h"
#include "stats.h"

/* Which flows become records. */
enum flow_engine_records {
	FLOW_ENGINE_NO_RECORDS,
	FLOW_ENGINE_ATTACKS, /* that ended and that the model found to be of another class than 0 */
	FLOW_ENGINE_ALL,     /* that ended; without a model also those at a checkpoint */
};

struct flow_engine_options {
	/*
	 * The layout is what records carry; the engine adds to it what the model reads, and what it needs to be
	 * told of. has_context stands for the context of hosts.
	 */
	struct flow_config config;
	const struct flow_model *model;	    /* borrowed; NULL: flows have no class */
	struct flow_context_config context; /* where the model or records have a context */
	enum flow_engine_records records;
	bool has_verdicts;	   /* flow_engine_verdict will be asked, and overload may come */
	bool has_packet_ids;	   /* flow_engine_flow_id is asked for */
	struct stats_block *stats; /* borrowed; the thread that calls the functions below is its writer */
};

struct flow_engine;

/* 0, or a negative errno as flow_table_create has it. */
int flow_engine_create(const struct flow_engine_options *options, struct flow_engine **engine);
void flow_engine_free(struct flow_engine *engine);

/* Memory that an engine takes for its tables, in bytes, as flow_table_bytes has it. */
size_t flow_engine_bytes(const struct flow_engine_options *options);

/* Pays for all of it now, so that no packet waits for a page. Called by the thread that will use it. */
void flow_engine_touch(struct flow_engine *engine);

/* Counts a burst to its flows and forgets the records of the call before. */
void flow_engine_burst(struct flow_engine *engine, const struct frame *frames, const struct packet *packets,
		       uint32_t n);

/*
 * Ends some of the flows that are left, as above; now_ns as flow_table_drain has it. Returns how many; 0 when none
 * was left: then packets of another time may come.
 */
uint32_t flow_engine_drain(struct flow_engine *engine, uint64_t now_ns);

/*
 * Ends flows that are over by a clock that goes on where no packets come, and forgets the records of the call
 * before; see flow_table_sweep_clock.
 */
void flow_engine_sweep(struct flow_engine *engine, uint64_t now_ns);

/*
 * What is known of the flow of packet i of the last burst, that packet included and later ones not; NULL where it has
 * none or no model is asked. Where options.has_verdicts; valid until the next call.
 */
const struct flow_verdict *flow_engine_verdict(const struct flow_engine *engine, uint32_t i);

/* A flow of the table as it is now; verdict is NULL where no model is asked. */
struct flow_engine_seen {
	const struct flow *flow;
	const struct flow_verdict *verdict;
};

/* Looks through n <= FLOW_MAX_BURST places of the table; see flow_table_scan. seen is [n]. Between bursts. */
bool flow_engine_scan(const struct flow_engine *engine, uint32_t *place, uint32_t n, struct flow_engine_seen *seen,
		      uint32_t *n_seen);

/*
 * The id of the flow of packet i of the last burst, as records of flows have it; 0 where it has none, or without
 * has_packet_ids.
 */
uint64_t flow_engine_flow_id(const struct flow_engine *engine, uint32_t i);

/*
 * Whether another model can take the place of the engine's: it reads nothing that the engine does not keep, tells
 * as many classes apart, and neither is missing. Asked by any thread.
 */
bool flow_engine_accepts(const struct flow_engine *engine, const struct flow_model *model);

/* Asks another model from now on, which flow_engine_accepts; the asker is borrowed. Between bursts. */
void flow_engine_set_asker(struct flow_engine *engine, const struct flow_asker *asker);

/*
 * Whether models are spared from now on, for want of time; STATS_shed_flows counts how often. Flows are scored with
 * the next of their packets that comes when they are spared no more.
 */
void flow_engine_set_shedding(struct flow_engine *engine, bool is_shedding);

/*
 * The records of the last call: n of flow_engine_record_bytes each, valid until the next call. What they carry is
 * flow_engine_record_layout.
 */
const void *flow_engine_records(const struct flow_engine *engine, uint32_t *n);
struct flow_layout flow_engine_record_layout(const struct flow_engine_options *options);

/* The most flows that the table has held at a time. */
uint64_t flow_engine_peak(const struct flow_engine *engine);

/* Counts from zero again, for a stats block that was cleared. Between bursts. */
void flow_engine_clear_counts(struct flow_engine *engine);

#endif
