/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A flow's slice on its way from a worker to whoever writes it, and its text: a line of NDJSON or CSV, a line of
 * Cisco Joy's JSON, or a row of features.
 */
#ifndef WIRESCORE_RECORD_FLOW_H
#define WIRESCORE_RECORD_FLOW_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "flow.h"
#include "flow_context.h"
#include "flow_features.h"

/* The fixed part; flow_series, flow_history and flow_context follow it where the layout has them. */
struct flow_record {
	struct flow flow;
	uint8_t reason;		/* enum flow_reason; FLOW_REASON_CHECKPOINT: the flow went on */
	uint8_t class;		/* index into flow_record_format.classes */
	bool is_verdict_of_end; /* its class was known at the slice's end, not at a checkpoint */
	uint8_t reserved[5];
	float logit;		 /* log-odds that it is not of class 0; NAN where no model scored it */
	uint32_t verdict_packet; /* packets that the slice had when its class was known */
};
_Static_assert(sizeof(struct flow_record) == 144, "the parts behind it are aligned");

/* Bytes of a record of this layout, parts included. */
static inline size_t flow_record_bytes(const struct flow_layout *layout)
{
	return sizeof(struct flow_record) + (layout->has_series ? sizeof(struct flow_series) : 0) +
	       flow_history_bytes(layout) + (layout->has_context ? sizeof(struct flow_context) : 0);
}

/* Copies a flow into a record, which has flow_record_bytes and is aligned to 8. */
static inline void flow_record_fill(struct flow_record *record, const struct flow_layout *layout,
				    const struct flow_view *view, enum flow_reason reason)
{
	uint8_t *at = (uint8_t *)(record + 1);

	record->flow = *view->flow;
	record->reason = (uint8_t)reason;
	if (layout->has_series) {
		memcpy(at, view->series, sizeof(*view->series));
		at += sizeof(*view->series);
	}
	if (layout->has_history)
		memcpy(at, view->history, flow_history_bytes(layout));
	at += flow_history_bytes(layout);
	if (layout->has_context)
		memcpy(at, view->context, sizeof(*view->context));
}

/* The flow in a record. */
static inline struct flow_view flow_record_view(const struct flow_record *record, const struct flow_layout *layout)
{
	const uint8_t *at = (const uint8_t *)(record + 1);
	struct flow_view view = {.flow = &record->flow};

	if (layout->has_series) {
		view.series = (const struct flow_series *)(const void *)at;
		at += sizeof(*view.series);
	}
	if (layout->has_history)
		view.history = (const struct flow_history *)(const void *)at;
	at += flow_history_bytes(layout);
	if (layout->has_context)
		view.context = (const struct flow_context *)(const void *)at;
	return view;
}

/* The probability that the logit stands for; NAN where no model scored the flow. */
static inline float flow_record_score(const struct flow_record *record)
{
	return 1 / (1 + expf(-record->logit));
}

/* What the lines of one capture have in common. Strings are JSON already, quotes included. */
struct flow_record_format {
	struct flow_layout layout;
	const char *capture;	    /* value of "capture", or NULL to leave it out */
	const char *sensor;	    /* plain letters, without quotes, for "sensor"; NULL to leave it out */
	const char *const *classes; /* names by record.class; NULL: no model, what it says is null */
	const char *const *names;   /* the same as plain text, for CSV and for who needs no text; NULL likewise */
	uint32_t n_classes;
	int has_nanoseconds; /* print nine digits of a second, not six */
};

/* Room that any line of this format fits into. */
size_t flow_record_ndjson_room(const struct flow_record_format *format);

/*
 * Writes {"flow_id":"<16 hex digits>","src":..,"dst":..,"src_port":..,"dst_port":..,"protocol":6,"vlan":null,
 * "start":..,"end":..,"slice":0,"reason":"fin","packets_fwd":..,"packets_bwd":..,"bytes_fwd":..,"bytes_bwd":..,
 * "payload_fwd":..,"payload_bwd":..,"tcp_flags_fwd":"FSPA","tcp_flags_bwd":..,"class":..,"score":..,
 * "logit":..,"verdict_packet":..,"verdict_at":..} and a newline, without a NUL, into text. src is the initiator. "tunnel_id" follows "vlan" where the flow is of a
 * tunnel; "capture" and "sensor" come first, where they are set. TCP flags are letters of FSRPAUEC in this order. Returns the length.
 */
size_t flow_record_ndjson(const struct flow_record *record, const struct flow_record_format *format, char *text);

/*
 * The same columns in the same order as CSV (RFC 4180, CRLF), tunnel_id in every line; what is null there is empty
 * here. Lines have no capture, and a sensor, first, where it is set. The head is the line of the columns' names.
 */
size_t flow_record_csv_room(const struct flow_record_format *format);
size_t flow_record_csv_head_room(void);
size_t flow_record_csv_head(const struct flow_record_format *format, char *text);
size_t flow_record_csv(const struct flow_record *record, const struct flow_record_format *format, char *text);

/*
 * Cisco Joy's schema as its version 1.74 and later write flows of two directions: the line that comes first, and
 * one for each flow. The layout has a history: "packets" are the flow's first packets with payload, "id" those of
 * its first IPv4 packets, of each direction at most FLOW_RECORD_JOY_LISTED, which is Joy's own default and the
 * first line's "num_pkts". Unlike Joy's, they are looked for only among the packets that the history lists, of both
 * directions together (FLOW_MAX_LISTED under `classify`): what comes later is in the sums alone. Bytes are payload;
 * ipt is ms since the packet before it in "packets", of the first since time_start; dir is ">" from the initiator.
 * What is not known is null (ports of protocols without them, the ttl of no packet); keys with "in" are there where
 * packets came back. expire_type is "a" (active timeout), "i" (idle timeout, or TCP closed, which Joy does not tell
 * from it), or absent, as Joy leaves it out where it did not expire the flow. Unlike Joy, retransmissions count.
 * output is a JSON string: the file's name.
 */
#define FLOW_RECORD_JOY_LISTED 50
size_t flow_record_joy_room(const struct flow_record_format *format);
size_t flow_record_joy_head_room(const char *output);
size_t flow_record_joy_head(const struct flow_record_format *format, const char *output, char *text);
size_t flow_record_joy(const struct flow_record *record, const struct flow_record_format *format, char *text);

/*
 * Rows of features: columns that identify the flow (flow_id, src, dst, src_port, dst_port, protocol, vlan, start,
 * end, slice, checkpoint, reason; then capture and label where they are wanted), then the features by the labels of
 * their columns, since a preset may have one twice. As CSV (RFC 4180, CRLF, what is not known is empty) or NDJSON
 * (null). checkpoint is the number of packets at which the row was made, or "end". Features read back as the very
 * same numbers.
 */
struct flow_row_format {
	struct flow_layout layout;
	const struct flow_feature_set *features;
	const char *capture; /* plain text; NULL leaves the column out */
	int has_label;	     /* the column is there */
	int has_nanoseconds;
};

/* Room that any row with labels of up to label_bytes fits into, and the head. */
size_t flow_row_room(const struct flow_row_format *format, size_t label_bytes);

/* Write the line of column names, or a row, into text, without a NUL. Return the length. */
size_t flow_row_csv_head(const struct flow_row_format *format, char *text);
/* label is plain text, not looked at where has_label is 0; values is scratch of [features->n]. */
size_t flow_row_csv(const struct flow_record *record, const struct flow_row_format *format, const char *label,
		    double *values, char *text);
size_t flow_row_ndjson(const struct flow_record *record, const struct flow_row_format *format, const char *label,
		       double *values, char *text);

#endif
