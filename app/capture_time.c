/* SPDX-License-Identifier: BSD-3-Clause */
#include "capture_time.h"

#include <stdlib.h>

static int capture_time_add(struct capture_time *time, uint64_t time_ns, bool is_break)
{
	if (time->n_jumps == time->n_allocated) {
		uint64_t n = time->n_allocated ? 2 * time->n_allocated : 16;
		struct capture_jump *jumps = realloc(time->jumps, n * sizeof(*jumps));

		if (!jumps)
			return -1;
		time->jumps = jumps;
		time->n_allocated = n;
	}
	time->jumps[time->n_jumps++] = (struct capture_jump){time->n_packets - 1, time_ns, is_break};
	return 0;
}

/* Whether a packet at late_ns comes too late after one at ns. */
static bool is_too_late(uint64_t late_ns, uint64_t ns)
{
	return late_ns < ns && ns - late_ns > CAPTURE_LATE_NS;
}

/*
 * Judges the pending packet; next_ns is the time of the one behind it, FRAME_NO_TIME where there is none. A packet
 * alone in another time is taken for damage: it counts at the time of the packet before it. Two are believed, and
 * so is the last packet of all after a silence.
 */
static int capture_time_judge(struct capture_time *time, uint64_t next_ns)
{
	uint64_t ns = time->pending_ns, latest_ns = time->latest_ns;
	bool is_late = is_too_late(ns, latest_ns), is_early = is_too_late(latest_ns, ns);
	bool is_next_as_before = next_ns != FRAME_NO_TIME && !is_too_late(next_ns, latest_ns);

	if (ns == FRAME_NO_TIME || (is_late && (is_next_as_before || next_ns == FRAME_NO_TIME)) ||
	    (is_early && is_next_as_before && is_too_late(next_ns, ns)))
		return capture_time_add(time, time->counted_ns, false);
	time->counted_ns = ns;
	if (is_late) {
		time->latest_ns = ns;
		return capture_time_add(time, latest_ns, true);
	}
	if (ns > latest_ns)
		time->latest_ns = ns;
	return 0;
}

int capture_time_count(struct capture_time *time, uint64_t timestamp_ns)
{
	int rc = 0;

	if (!time->has_time && timestamp_ns != FRAME_NO_TIME) {
		time->has_time = true;
		time->latest_ns = timestamp_ns;
		time->counted_ns = timestamp_ns;
		/* Those before it had none either. */
		for (uint64_t i = 0; i < time->n_jumps; i++)
			time->jumps[i].time_ns = timestamp_ns;
	}
	if (time->n_packets)
		rc = capture_time_judge(time, timestamp_ns);
	time->pending_ns = timestamp_ns;
	time->n_packets++;
	return rc;
}

int capture_time_finish(struct capture_time *time)
{
	return time->n_packets ? capture_time_judge(time, FRAME_NO_TIME) : 0;
}

void capture_time_free(struct capture_time *time)
{
	free(time->jumps);
	*time = (struct capture_time){0};
}

uint32_t capture_jumps_heed(struct capture_jumps *jumps, struct frame *frames, const uint64_t *indices, uint32_t n,
			    const struct capture_jump **jump)
{
	uint32_t at = 0;

	for (; jumps->next < jumps->n; jumps->next++) {
		const struct capture_jump *next = &jumps->jumps[jumps->next];

		while (at < n && indices[at] < next->packet)
			at++;
		if (at == n)
			break;
		if (next->is_break) {
			jumps->next++;
			*jump = next;
			return at;
		}
		if (indices[at] == next->packet)
			frames[at].timestamp_ns = next->time_ns;
	}
	*jump = NULL;
	return n;
}
