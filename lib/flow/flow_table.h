/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The flow table of one worker: finds or makes the flow of every packet of a burst, updates it, and hands over
 * flows that have ended. Its worker is the only thread that ever touches it: no lock, no atomic. All memory is
 * taken when it is made.
 *
 * Flows are found through 64-byte buckets of eight 16-bit tags and eight indices (partial-key cuckoo hashing: Fan
 * et al., "Cuckoo Filter", 2014); a move of a tag moves no flow. The hash is keyed with a secret.
 */
#ifndef WIRESCORE_FLOW_TABLE_H
#define WIRESCORE_FLOW_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow.h"
#include "packet.h"

/* Packets that one call takes. */
#define FLOW_MAX_BURST 64

/* Flows of the smallest and of the largest table. */
#define FLOW_MIN_FLOWS 64
#define FLOW_MAX_FLOWS (1u << 30)

/* A slice's last checkpoint, in packets. */
#define FLOW_MAX_CHECKPOINT 64

/* Calls of the sink that one call of flow_table_update_burst, _sweep or _drain makes at most. */
#define FLOW_MAX_TOLD 512

struct flow_config {
	uint64_t n_flows; /* that the table holds; FLOW_MIN_FLOWS to FLOW_MAX_FLOWS */
	struct flow_layout layout;
	enum flow_scope scope;
	bool is_one_way;  /* each direction is a flow of its own */
	uint64_t idle_ns; /* at most FLOW_GAP_MAX_NS, as the next two */
	uint64_t active_ns;
	uint64_t linger_ns; /* silence after which a closed TCP flow ends */
	/* By how much packets may be late: sweeps end flows that are over for so long, at most FLOW_GAP_MAX_NS. */
	uint64_t late_ns;
	uint64_t seed[2]; /* of the hash: secret and random, or chosen for a run that can be repeated */
	/* Bit k - 1: tell of a slice when it has k packets (both directions), 1 to FLOW_MAX_CHECKPOINT. */
	uint64_t checkpoints;
	bool tells_turns; /* tell also when flows start, are replied to, become productive and close */
};

/* What the table has done; the worker's alone. */
struct flow_table_counts {
	uint64_t packets;		/* that belong to a flow */
	uint64_t started;		/* slices */
	uint64_t ended[FLOW_N_REASONS]; /* slices; started = all of them and what is in the table */
	uint64_t evicted_single;	/* of ended[EVICTED]: with one packet */
	uint64_t fragments_joined;	/* fragments that joined the flow of their datagram */
	uint64_t fragments_alone;	/* fragments whose first was not seen: a flow of addresses and protocol */
	uint64_t current, peak;		/* flows in the table */
};

/*
 * Called for every slice that ends, with its reason, at every checkpoint and, where asked for, at a flow's turns. Of
 * one packet its turns come in the order of enum flow_reason, and before a checkpoint. The view is valid during the call;
 * the callee must not call the table.
 */
typedef void flow_sink(void *context, const struct flow_view *view, enum flow_reason reason);

struct flow_table;

/* 0, or -EINVAL where the config is out of its ranges, or -ENOMEM. */
int flow_table_create(const struct flow_config *config, flow_sink *sink, void *context, struct flow_table **table);
void flow_table_free(struct flow_table *table);

/* Memory that a table of this config takes, in bytes. It is reserved at once, and paid for as it is used ... */
size_t flow_table_bytes(const struct flow_config *config);

/* ... or now: touches all of it, so that no packet waits for a page. Called by the thread that will use it. */
void flow_table_touch(struct flow_table *table);

/*
 * Finds or makes the flow of each packet that has one and counts the packet to it; flows that a packet shows to
 * be over end first, and a few flows that are due end afterwards. n <= FLOW_MAX_BURST. Packets without a time
 * have that of the packet before. One that is older than its flow's latest packet counts at that one's time; one
 * that is more than idle_ns older is of another flow. flows is [n], NULL for packets without a flow; valid until
 * the next call, but where a later packet of the burst ended the flow it is the flow that took its place.
 */
void flow_table_update_burst(struct flow_table *table, const struct frame *frames, const struct packet *packets,
			     uint32_t n, struct flow **flows);

/*
 * From now on each burst writes the ids of its packets' flows, as they were when the packet was counted, to ids,
 * [FLOW_MAX_BURST], 0 where there is none. Borrowed; NULL: not any more.
 */
void flow_table_set_ids(struct flow_table *table, uint64_t *ids);

/* Looks at n flows more, n <= FLOW_MAX_TOLD, and ends those that are over at now_ns. For times without packets. */
void flow_table_sweep(struct flow_table *table, uint64_t now_ns, uint32_t n);

/*
 * The same by a clock that goes on where no packets come: as many flows as the time since the last call is of a
 * round of 4.3 s, and at most FLOW_MAX_TOLD; packets look at what is left. now_ns is no later than that of packets
 * yet to come.
 */
void flow_table_sweep_clock(struct flow_table *table, uint64_t now_ns);

/* At which packets flows are told of from now on, as flow_config has it. Between bursts. */
void flow_table_set_checkpoints(struct flow_table *table, uint64_t checkpoints);

/* Tells of a flow of the table once more, as at a checkpoint. Between bursts. */
void flow_table_tell_of(struct flow_table *table, const struct flow *flow);

/*
 * Looks through n places from *place on, which moves on. flows is [n] and takes those that are in use, *n_flows of them,
 * valid until the next call of another function. Whether there is more to look through.
 */
bool flow_table_scan(const struct flow_table *table, uint32_t *place, uint32_t n, const struct flow **flows,
		     uint32_t *n_flows);

/* The place of a flow of the table, as struct flow_view has it. */
uint32_t flow_table_place(const struct flow_table *table, const struct flow *flow);

/*
 * Ends up to n flows, n <= FLOW_MAX_TOLD, of any age: those that are over at now_ns, or closed, with that reason,
 * the others with FLOW_REASON_END. now_ns is the time of the latest packet that any worker had, so that reasons do
 * not depend on who had it. Returns how many; 0 when the table is empty, and ready for packets of another time.
 */
uint32_t flow_table_drain(struct flow_table *table, uint64_t now_ns, uint32_t n);

const struct flow_table_counts *flow_table_counts(const struct flow_table *table);

/* Counts from zero again; the peak is what is in the table now. */
void flow_table_clear_counts(struct flow_table *table);

/*
 * Tells which worker a packet belongs to: all packets between two hosts to the same, fragments too, so that all that
 * one asks of another is seen by one. For one thread that shares packets out. NULL when memory is out.
 */
struct flow_spread;
struct flow_spread *flow_spread_create(enum flow_scope scope, const uint64_t seed[2]);
void flow_spread_free(struct flow_spread *spread);

/* Packets of another time come: forgets fragments, as flow_table_drain does. */
void flow_spread_reset(struct flow_spread *spread);

/* A worker of [0, n_workers) for each packet; those without a flow go round. workers is [n]. */
void flow_spread_burst(struct flow_spread *spread, const struct frame *frames, const struct packet *packets,
		       uint32_t n, uint32_t n_workers, uint32_t *workers);

#endif
