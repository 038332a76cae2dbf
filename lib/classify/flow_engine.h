/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The flow engine of one worker: its flow table, and the records of flows that have ended. Called by the
 * classifier for every burst.
 */
#ifndef WIRESCORE_CLASSIFY_FLOW_ENGINE_H
#define WIRESCORE_CLASSIFY_FLOW_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "flow_record.h"
#include "flow_table.h"
#include "stats.h"

struct flow_engine;

/*
 * 0, or a negative errno as flow_table_create has it. Without has_records flows are only counted. stats is
 * borrowed; the thread that calls the functions below is its writer.
 */
int flow_engine_create(const struct flow_config *config, bool has_records, struct stats_block *stats,
		       struct flow_engine **engine);
void flow_engine_free(struct flow_engine *engine);

/* Counts a burst to its flows and forgets the records of the call before. */
void flow_engine_burst(struct flow_engine *engine, const struct frame *frames, const struct packet *packets,
		       uint32_t n);

/*
 * Ends some of the flows that are left, as above; now_ns as flow_table_drain has it. Returns how many; 0 when none
 * was left: then packets of another time may come.
 */
uint32_t flow_engine_drain(struct flow_engine *engine, uint64_t now_ns);

/* The records of the last call: n of flow_record_bytes each, valid until the next call. */
const void *flow_engine_records(const struct flow_engine *engine, uint32_t *n);

/* The most flows that the table has held at a time. */
uint64_t flow_engine_peak(const struct flow_engine *engine);

/* Counts from zero again, for a stats block that was cleared. Between bursts. */
void flow_engine_clear_counts(struct flow_engine *engine);

#endif
