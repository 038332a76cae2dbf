/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the hosts of a flow have been doing: how many flows the initiator begins, with how many others, how they end,
 * and the same of the responder and of the two together. Attacks show there that no single flow shows. Kept by each
 * worker for its own flows, in tables of fixed size; its worker is the only thread that touches them.
 *
 * Counts are exponentially decayed sums: each flow adds 1, which shrinks to 1/e within tau. Distinct things of the
 * last 30 to 60 s are counted in two bitmaps, one of this and one of the last half minute, by linear counting (Whang
 * et al. 1990), which tells up to 710. Both are as of the flow's latest packet or, where that is later, the latest
 * event of the host: at a flow's end, which is told late where it comes by timeout, that may be what came after it.
 */
#ifndef WIRESCORE_FEATURES_CONTEXT_H
#define WIRESCORE_FEATURES_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow.h"

/* Of what is counted and how it is read, docs/context.md: models that learnt from another do not fit. */
#define FLOW_CONTEXT_VERSION 2

/* Hosts and pairs of the smallest and the largest tables; powers of two. */
#define FLOW_CONTEXT_MIN_ENTRIES 64
#define FLOW_CONTEXT_MAX_ENTRIES (1u << 26)

/* Periods of decay, in seconds. */
enum { FLOW_CONTEXT_1S, FLOW_CONTEXT_10S, FLOW_CONTEXT_60S, FLOW_CONTEXT_N_TAUS };

/* The context of a flow: what features are made of. A flow is among those that are counted. */
struct flow_context {
	float initiator_flows[FLOW_CONTEXT_N_TAUS];  /* begun by the initiator */
	float initiator_responders, initiator_ports; /* distinct ones, of these flows */
	/* Shares of these flows, tau 60 s. */
	float initiator_unanswered, initiator_refused, initiator_productive, initiator_short_closed;

	/* Of the initiator with the responder's port and protocol. */
	float pair_flows_10s, pair_flows_60s;
	float pair_open;	 /* TCP connections; those that never close fade with tau 600 s */
	float pair_duration_log; /* mean of ln(1 + us) of those that closed */
	float pair_productive;	 /* share, tau 60 s */
	float hosts_flows_60s;	 /* of the initiator with the responder, any port */

	float responder_flows_1s, responder_flows_10s; /* begun by anyone with the responder */
	float responder_initiators, responder_ports;   /* distinct ones, of these flows */
	float responder_unanswered;		       /* share, tau 60 s */
	float responder_open;			       /* TCP connections */
	float service_flows_10s;		       /* with the responder's port and protocol */
};

struct flow_context_config {
	uint32_t n_hosts, n_pairs; /* entries; powers of two */
	uint32_t n_workers;	   /* that share the flows out by the hash of both hosts: counts are scaled by it */
	uint64_t seed[2];	   /* of the hash: secret, or chosen for a run that can be repeated */
};

struct flow_contexts;

/* 0, or -EINVAL where the config is out of its ranges, or -ENOMEM. Memory is taken at once, paid for as it is used. */
int flow_contexts_create(const struct flow_context_config *config, struct flow_contexts **contexts);
void flow_contexts_free(struct flow_contexts *contexts);
size_t flow_contexts_bytes(const struct flow_context_config *config);

/* Pays for all of it now, as flow_table_touch does. */
void flow_contexts_touch(struct flow_contexts *contexts);

/* Forgets everything: flows of another time come. */
void flow_contexts_clear(struct flow_contexts *contexts);

/* What the context remembers of a flow between its turns, for its owner to keep; filled at its start. */
struct flow_context_memory {
	uint64_t start_ns;		/* of its first slice */
	uint32_t earlier_payload_bytes; /* of the slices before this one, as far as it matters */
	uint8_t bits;
};

/* What of a flow its context needs, at a turn or to be read: the flow may be gone by then. */
struct flow_context_turn {
	uint64_t hosts[2]; /* hashes: initiator, responder */
	uint64_t pair, both,
		service; /* hashes: the flow's kin by hosts, port and protocol; by hosts; by responder */
	uint64_t start_ns, last_ns;
	uint64_t payload_bytes;	 /* of both directions */
	uint16_t port_mark;	 /* of the responder's port and protocol */
	uint8_t reason;		 /* enum flow_reason: a turn, a checkpoint or an end */
	uint8_t tcp_flags;	 /* of both sides: at a flow's start, of its first packet */
	uint8_t reply_tcp_flags; /* of the side that did not begin */
	bool is_tcp, has_reply;
};

/*
 * Takes down what is needed of a flow, and fetches where its entries are looked for. before is a turn of the same flow
 * that spares looking again, or NULL.
 */
void flow_context_prepare(const struct flow_contexts *contexts, const struct flow_view *view,
			  enum flow_reason reason, const struct flow_context_turn *before,
			  struct flow_context_turn *turn);

/* Fetches the entries; worth calling for a few flows before the next functions are called for them. */
void flow_context_fetch(const struct flow_contexts *contexts, const struct flow_context_turn *turn);

/*
 * Counts a turn: a start, first reply, becoming productive, or close, in their order. At checkpoints and ends, which
 * may be told late, nothing is counted: so the context does not depend on when they are.
 */
void flow_context_count(struct flow_contexts *contexts, const struct flow_context_turn *turn,
			struct flow_context_memory *memory);

/*
 * The context of a flow at a turn, after that has been counted. What has been pushed out of a table, or was never taken
 * in, reads as what has done nothing but this flow.
 */
void flow_context_read(const struct flow_contexts *contexts, const struct flow_context_turn *turn,
		       struct flow_context *context);

#endif
