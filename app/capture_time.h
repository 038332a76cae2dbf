/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the times of a capture go back or jump: files that were joined, clocks that were set, damage. Found when
 * the capture is looked at, so that every worker, whatever packets it has, ends flows at the same places.
 */
#ifndef WIRESCORE_CAPTURE_TIME_H
#define WIRESCORE_CAPTURE_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include "frame.h"

/* Packets may be late by this much, as those of queues or of machines whose clocks differ. */
#define CAPTURE_LATE_NS 60000000000u

/* A packet at which the capture's time is not what it seems. */
struct capture_jump {
	uint64_t packet; /* in the capture, from 0 */
	/* Of a break: the latest time before it. Else the time that the packet counts at, instead of its own. */
	uint64_t time_ns;
	bool is_break; /* from here on time is another: all flows end before this packet */
};

/* A reader's way through a capture's jumps. */
struct capture_jumps {
	const struct capture_jump *jumps; /* [n], borrowed */
	uint64_t n;
	uint64_t next; /* those before it are behind the reader */
};

struct capture_time {
	struct capture_jump *jumps; /* [n_jumps], in order */
	uint64_t n_jumps, n_allocated;
	bool has_time;	    /* a packet had one */
	uint64_t latest_ns; /* of all packets since the last break; at the end, of the capture's last part */
	/* The packet that waits for the one behind it to be judged. */
	uint64_t n_packets, pending_ns;
	uint64_t counted_ns; /* time that the packet before it counts at */
};

/* Takes the next packet's time, in the capture's order. 0, or -1 when memory is out. time is zeroed at first. */
int capture_time_count(struct capture_time *time, uint64_t timestamp_ns);

/* Judges the last packet. 0, or -1 when memory is out. */
int capture_time_finish(struct capture_time *time);

void capture_time_free(struct capture_time *time);

/*
 * Gives packets that are out of time the time that they count at, up to the next break. indices are the packets'
 * places in the capture, in order, but not every packet need be there. Returns how many come before the break,
 * which is then behind the reader; n and *jump NULL where there is none among them.
 */
uint32_t capture_jumps_heed(struct capture_jumps *jumps, struct frame *frames, const uint64_t *indices, uint32_t n,
			    const struct capture_jump **jump);

#endif
