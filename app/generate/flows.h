/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Made-up conversations, benign and attack, mixed on one timeline: what `wirescore generate flows` writes. Behaviours
 * (behaviours.def) start sessions; an event queue carries each of them, packet by packet, in order of time, to a
 * sink. Everything is drawn from one seed. Called by generate_flows.c and unit tests; one thread.
 */
#ifndef WIRESCORE_GENERATE_FLOWS_H
#define WIRESCORE_GENERATE_FLOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FLOWS_MOST_HOSTS     4096
#define FLOWS_MOST_SNAP	     65535
#define FLOWS_DRAWN	     UINT32_MAX /* of a share: the seed decides */
#define FLOWS_INTENSITY_UNIT 256

struct flows_options {
	const char *scenario; /* a name of flows_scenarios */
	const char
		*families; /* behaviours to choose from, separated by commas, with * and ?; NULL: the scenario's */
	uint64_t seed;
	uint64_t duration_ns; /* 0: drawn */
	uint64_t max_packets;
	uint32_t n_hosts;	    /* of the site; 0: drawn */
	uint32_t intensity_q8;	    /* FLOWS_INTENSITY_UNIT is 1: twice as many is twice as busy */
	uint32_t one_way_per_mille; /* flows that are seen in one direction; FLOWS_DRAWN */
	uint32_t snap_bytes;	    /* captured of each packet: 128 to FLOWS_MOST_SNAP */
};

struct flows_packet {
	uint64_t time_ns; /* since the Unix epoch; never goes back */
	const uint8_t *data;
	uint32_t captured_bytes, wire_bytes;
};

/* Takes a packet, which is valid during the call. What it returns other than 0 ends the run. */
typedef int flows_sink(void *context, const struct flows_packet *packet);

/* What label a flow has: the first rule that matches, in either direction. Flows without one are benign. */
struct flows_rule {
	uint8_t address[2][16]; /* source and destination; IPv4 as ::ffff:a.b.c.d */
	uint8_t prefix_bits[2]; /* of 128; 0: any address */
	uint16_t port_low[2], port_high[2];
	uint8_t protocol; /* 0: any */
	const char *label;
	uint32_t activity; /* whose flows it is for */
};

/* Something that went on: one behaviour with parameters of its own. */
struct flows_activity_summary {
	const char *behaviour, *label;
	uint64_t n_flows, n_packets;
	uint64_t first_ns, last_ns; /* of its packets; 0 where there are none */
};

/* The tables, for listings. */
struct flows_listed {
	const char *name, *label, *what;
};

size_t flows_n_scenarios(void);
struct flows_listed flows_scenario(size_t i); /* label is NULL */
size_t flows_n_behaviours(void);
struct flows_listed flows_behaviour(size_t i);

struct flows;

/* 0; or -EINVAL (options) or -ENOMEM with one line in error. */
int flows_create(const struct flows_options *options, struct flows **flows, char *error, size_t error_size);
void flows_free(struct flows *flows);

/* Makes all packets, once. 0, or what the sink returned. */
int flows_run(struct flows *flows, flows_sink *sink, void *context);

size_t flows_n_rules(const struct flows *flows);
const struct flows_rule *flows_rule(const struct flows *flows, size_t i);
size_t flows_n_activities(const struct flows *flows);
struct flows_activity_summary flows_activity_summary(const struct flows *flows, size_t i);

/* Sessions that did not begin: too many were open, or their addresses and ports were another label's. */
uint64_t flows_n_skipped(const struct flows *flows);

#endif
