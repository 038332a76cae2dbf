/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which records a sink takes. Called by the pump, through sink.c.
 */
#ifndef WIRESCORE_CONTROL_SINK_FILTER_H
#define WIRESCORE_CONTROL_SINK_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "sink.h"

/* What a filter looks at. */
struct sink_traits {
	uint64_t key;	  /* of the conversation */
	double score;	  /* NAN: no model has scored it */
	double threshold; /* that decides */
	uint8_t class;
	bool has_class;
};

struct sink_traits sink_traits_of_flow(const struct flow_record *record, const struct sink_formats *formats);
struct sink_traits sink_traits_of_packet(const struct packet_record *record, const struct sink_formats *formats);

bool sink_filter_passes(const struct sink_filter *filter, const struct sink_traits *traits);

#endif
