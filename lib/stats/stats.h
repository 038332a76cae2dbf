/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters of a worker. A block has one writer, its worker; the control core reads it at any time. No
 * atomic read-modify-write is needed: a relaxed store of a 64-bit value that only one thread changes
 * cannot be torn or lost.
 */
#ifndef WIRESCORE_STATS_H
#define WIRESCORE_STATS_H

#include <stdint.h>

enum stats_counter {
#define COUNTER(name, unit, help) STATS_##name,
#define PARSE(name, help)	  STATS_parse_##name,
#define DROP(name, help)	  STATS_drop_##name,
#define FLOW_END(name, help)	  STATS_flows_##name,
#include "counters.def"
#undef COUNTER
#undef PARSE
#undef DROP
#undef FLOW_END
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

struct stats_block {
	uint64_t counters[STATS_N_COUNTERS];
	struct stats_flow_verdicts flow_verdicts;
	/* Packets by EtherType; a value below 0x0600 stands for itself as ethertype.h defines it. */
	uint64_t ethertypes[65536];
};

enum stats_kind {
	STATS_KIND_COUNTER,
	STATS_KIND_PARSE,    /* the name is the reason why the parser gave up */
	STATS_KIND_DROP,     /* the name is the reason of the drop */
	STATS_KIND_FLOW_END, /* the name is the reason why flows ended */
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
