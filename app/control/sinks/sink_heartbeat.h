/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lines by which a sink says, among the records, that its sensor lives and how many of them are before the line: whoever
 * reads can tell a sensor without traffic from one that is gone, and counts what was lost. Called by sink.c.
 */
#ifndef WIRESCORE_CONTROL_SINK_HEARTBEAT_H
#define WIRESCORE_CONTROL_SINK_HEARTBEAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sink.h"

/* The key of heartbeats, of all sensors: where there are partitions they are in one, each sensor's in order. */
#define SINK_HEARTBEAT_KEY 1

/* Of one sink, on its thread. */
struct sink_heart {
	const char *sensor; /* NULL: it does not beat */
	uint64_t every_ns;
	uint64_t since_ns; /* when the sink was made, since the epoch: tells one run from the next */
	uint64_t due_ns;   /* by the thread's clock */
	bool is_over;	   /* the last one was said */
	char *line;
};

/* What a heartbeat says beside the time, which is since the epoch. */
struct sink_heartbeat {
	uint64_t time_ns;
	uint64_t delivered, dropped; /* records so far; those that are delivered are before the line */
	bool is_last;		     /* nothing follows: the run ends as it was told to */
};

/* every_ns is 0, or sensor NULL: it never beats. sensor is borrowed, and of plain letters. 0 or -ENOMEM. */
int sink_heart_open(struct sink_heart *heart, const char *sensor, uint64_t every_ns, uint64_t since_ns);
void sink_heart_close(struct sink_heart *heart);

/* Whether it is time for a heartbeat: at once when the run begins, then now and then, and once as the last of all. */
bool sink_heart_is_due(const struct sink_heart *heart, uint64_t now_ns, bool is_last);

/*
 * The item {"heartbeat":{"sensor":"NAME","since":..,"time":..,"delivered":..,"dropped":..,"last":false}}, whose text
 * stays until the next is made; which is due later, by the clock of now_ns.
 */
struct sink_item sink_heart_beat(struct sink_heart *heart, const struct sink_heartbeat *heartbeat, uint64_t now_ns);

#endif
