/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is done with a packet: the policy, and changes to packets that it asks for. A policy is made by the control
 * core, never changed while workers see it, and read by workers for every packet.
 */
#ifndef WIRESCORE_DATAPLANE_ACTION_H
#define WIRESCORE_DATAPLANE_ACTION_H

#include <stdbool.h>
#include <stdint.h>

#include "flow_judge.h"
#include "packet.h"
#include "stats.h"

enum action_kind {
	ACTION_FORWARD,
	ACTION_DROP,
	ACTION_MIRROR,	  /* forward, and copy to another port */
	ACTION_MARK_DSCP, /* forward with value in the IP header */
	ACTION_MARK_PCP,  /* forward with value in the VLAN tag */
};

struct action {
	enum action_kind kind;
	uint8_t value;	    /* of a mark */
	uint8_t mirror;	    /* of the worker's ports */
	bool is_count_only; /* forward, and count what would have been done */
	float logit;	    /* from which it is done */
};

struct policy {
	struct action classes[STATS_MAX_FLOW_CLASSES]; /* of the flow model; zeroed: forward */
	struct action non_ip;
	bool holds; /* drop IP packets that have no verdict yet: fail closed */
};

/* What a policy says of a packet. */
struct action_choice {
	const struct action *action; /* NULL: forward */
	bool is_held;		     /* drop it, for its flow has no verdict yet */
};

/* verdict is of the packet's flow; NULL: it has none, or no model is asked. */
static inline struct action_choice policy_choose(const struct policy *policy, const struct packet *packet,
						 const struct flow_verdict *verdict)
{
	const struct action *action;

	/* What is behind MPLS or PPPoE has a flow all the same. */
	if (!packet->ip_version && !packet_is_ip(packet))
		return (struct action_choice){.action = &policy->non_ip};
	/* A logit is a number from the first verdict on. */
	if (!verdict || verdict->logit != verdict->logit)
		return (struct action_choice){.is_held = policy->holds};
	action = &policy->classes[verdict->class];
	return (struct action_choice){.action = verdict->logit >= action->logit ? action : NULL};
}

/*
 * Writes a DSCP into the outermost IP header, with an IPv4 checksum brought up to date by RFC 1624, or a priority
 * into the outermost VLAN tag. data is the frame, of which n_bytes may be changed. Whether there was such a header.
 */
bool action_mark_dscp(uint8_t *data, uint32_t n_bytes, const struct packet *packet, uint8_t dscp);
bool action_mark_pcp(uint8_t *data, uint32_t n_bytes, const struct packet *packet, uint8_t priority);

#endif
