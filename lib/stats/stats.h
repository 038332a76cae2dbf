/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters of a worker. A block has one writer, its worker; the control core reads it at any time. No
 * atomic read-modify-write is needed: a relaxed store of a 64-bit value that only one thread changes
 * cannot be torn or lost.
 */
#ifndef WIRESCORE_STATS_H
#define WIRESCORE_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "cycles.h"

enum stats_counter {
#define CLASS(name, help)	       STATS_##name,
#define COUNTER(name, unit, help)      STATS_##name,
#define FLOW_COUNTER(name, unit, help) STATS_##name,
#define GAUGE(name, unit, help)	       STATS_##name,
#define CYCLES(name, help)	       STATS_##name,
#define PARSE(name, help)	       STATS_parse_##name,
#define DROP(name, help)	       STATS_drop_##name,
#define FLOW_END(name, help)	       STATS_flows_##name,
#define STAGE(name, help)	       STATS_stage_##name,
#include "counters.def"
#undef CLASS
#undef COUNTER
#undef FLOW_COUNTER
#undef GAUGE
#undef CYCLES
#undef PARSE
#undef DROP
#undef FLOW_END
#undef STAGE
	STATS_N_COUNTERS,
};

/* Classes that a flow model may tell apart, and packets at which it may be asked. */
#define STATS_MAX_FLOW_CLASSES 64
#define STATS_MAX_CHECKPOINT   64

/* What a flow model has said of the flows that ended (slices, each counted once). */
struct stats_flow_verdicts {
	uint64_t classes[STATS_MAX_FLOW_CLASSES];
	uint64_t unscored;
	/* Of those that are not of class 0: how many packets the slice had when that was known; 0: it had ended. */
	uint64_t at_packets[STATS_MAX_CHECKPOINT + 1];
};

/*
 * Scores by their logits: bucket i > 0 has those from i - STATS_MAX_SCORE_LOGIT - 1 up to 1 more, the first and the
 * last all that are further out.
 */
enum { STATS_MAX_SCORE_LOGIT = 10, STATS_SCORE_BUCKETS = 2 * STATS_MAX_SCORE_LOGIT + 2 };

/* The writer's own: see stats_lap. */
struct stats_laps {
	uint64_t since; /* cycles at the end of the stage before */
	uint32_t n_bursts;
	bool is_on; /* this burst is timed */
};

struct stats_block {
	uint64_t counters[STATS_N_COUNTERS];
	struct stats_laps laps;
	uint64_t packet_scores[STATS_SCORE_BUCKETS], flow_scores[STATS_SCORE_BUCKETS];
	struct stats_flow_verdicts flow_verdicts;
	/* Packets by EtherType; a value below 0x0600 stands for itself as ethertype.h defines it. */
	uint64_t ethertypes[65536];
};

enum stats_kind {
	STATS_KIND_CLASS,	 /* the name is a class of packets */
	STATS_KIND_COUNTER,	 /* of packets */
	STATS_KIND_FLOW_COUNTER, /* of flows */
	STATS_KIND_GAUGE,	 /* goes up and down */
	STATS_KIND_CYCLES,	 /* of all bursts */
	STATS_KIND_PARSE,	 /* the name is the reason why the parser gave up */
	STATS_KIND_DROP,	 /* the name is the reason of the drop */
	STATS_KIND_FLOW_END,	 /* the name is the reason why flows ended */
	STATS_KIND_STAGE,	 /* the name is a stage of the way of a packet */
};

struct stats_counter_info {
	const char *name;
	const char *unit;
	const char *help;
	enum stats_kind kind;
};

/* Name, unit and meaning of each counter: [STATS_N_COUNTERS]. */
extern const struct stats_counter_info stats_counter_infos[STATS_N_COUNTERS];

/* The writer's side. */
static inline void stats_add(struct stats_block *block, enum stats_counter counter, uint64_t n)
{
	__atomic_store_n(&block->counters[counter], block->counters[counter] + n, __ATOMIC_RELAXED);
}

static inline void stats_set(struct stats_block *block, enum stats_counter counter, uint64_t n)
{
	__atomic_store_n(&block->counters[counter], n, __ATOMIC_RELAXED);
}

static inline void stats_add_ethertype(struct stats_block *block, uint16_t ethertype)
{
	__atomic_store_n(&block->ethertypes[ethertype], block->ethertypes[ethertype] + 1, __ATOMIC_RELAXED);
}

/* Adds 1 to any number of the block. */
static inline void stats_count(uint64_t *number)
{
	__atomic_store_n(number, *number + 1, __ATOMIC_RELAXED);
}

/* Counts the score that a logit, which is a number, stands for. */
static inline void stats_count_score(uint64_t *scores, float logit)
{
	float low = logit > -(STATS_MAX_SCORE_LOGIT + 0.5f) ? logit : -(STATS_MAX_SCORE_LOGIT + 0.5f);
	float bounded = low < STATS_MAX_SCORE_LOGIT + 0.5f ? low : STATS_MAX_SCORE_LOGIT + 0.5f;

	stats_count(&scores[(uint32_t)(bounded + STATS_MAX_SCORE_LOGIT + 1)]);
}

/*
 * Where the cycles of a burst go, of one burst in STATS_TIMED_BURSTS: stats_lap_begin before the queue is asked,
 * stats_lap_rx where it brought n > 0 packets, stats_lap at the end of each further stage, stats_lap_end behind the
 * last, with how many of the packets have come to their end. A prime, so that of queues that take turns each is timed.
 */
enum { STATS_TIMED_BURSTS = 61 };

static inline void stats_lap_begin(struct stats_block *block)
{
	if (block->laps.is_on)
		block->laps.since = stats_cycles();
}

static inline void stats_lap(struct stats_block *block, enum stats_counter stage)
{
	uint64_t now;

	if (__builtin_expect(!block->laps.is_on, 1))
		return;
	now = stats_cycles();
	stats_add(block, stage, now - block->laps.since);
	block->laps.since = now;
}

static inline void stats_lap_rx(struct stats_block *block, uint32_t n)
{
	stats_lap(block, STATS_stage_rx);
	if (block->laps.is_on)
		stats_add(block, STATS_timed_received, n);
}

/* Leaves cycles that were spent waiting for another thread out of the stage that is under way. */
static inline void stats_lap_leave_out(struct stats_block *block, uint64_t cycles)
{
	block->laps.since += cycles;
}

static inline void stats_lap_end(struct stats_block *block, enum stats_counter stage, uint32_t n)
{
	stats_lap(block, stage);
	if (block->laps.is_on)
		stats_add(block, STATS_timed_packets, n);
	block->laps.is_on = ++block->laps.n_bursts % STATS_TIMED_BURSTS == 0;
}

/* The readers' side: any thread. */
static inline uint64_t stats_get(const struct stats_block *block, enum stats_counter counter)
{
	return __atomic_load_n(&block->counters[counter], __ATOMIC_RELAXED);
}

/* The counters of one kind together. counters is [STATS_N_COUNTERS], a block's or a copy of them. */
uint64_t stats_sum(const uint64_t *counters, enum stats_kind kind);

/* All drops together, and all flows that have ended (slices, each counted once). */
uint64_t stats_dropped(const struct stats_block *block);
uint64_t stats_flows(const struct stats_block *block);

/* Adds verdicts that another thread may be writing to one's own. */
void stats_merge_flow_verdicts(struct stats_flow_verdicts *into, const struct stats_flow_verdicts *from);

/* Adds what from has counted to into; the caller is into's writer. */
void stats_merge(struct stats_block *into, const struct stats_block *from);

#endif
