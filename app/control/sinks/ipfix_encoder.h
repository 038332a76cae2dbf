/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Flow records as messages of IPFIX (RFC 7011), biflow (RFC 5103), encoded by libfixbuf into memory: sockets are
 * sink_ipfix.c's, since libfixbuf's block and change the program's signals. One thread at a time; encoders share
 * nothing.
 *
 * A record has one of a few templates, by what is known of it: IPv4 or IPv6; ports or ICMP's type and code; a VLAN, a
 * tunnel or neither; what a model said or nothing. What is not known is absent, not 0.
 */
#ifndef WIRESCORE_CONTROL_IPFIX_ENCODER_H
#define WIRESCORE_CONTROL_IPFIX_ENCODER_H

#include <stdint.h>

#include "sink.h"

/*
 * Whose the elements are that IANA does not have. wirescore has no number of its own: this one is for examples
 * (RFC 5612), so nobody else's elements can be meant; collectors learn names and types from the exporter (RFC 5610).
 */
#define IPFIX_ENTERPRISE 32473u

struct ipfix_message {
	uint32_t n_bytes;
	uint32_t n_records; /* of flows; 0: templates and what describes them */
};

/* Messages that are not delivered yet: all of the records of one batch, and templates. */
#define IPFIX_MAX_MESSAGES (SINK_MAX_BATCH + 64)
struct ipfix_queue {
	uint8_t *bytes; /* [room], one message behind the other */
	size_t room, n_bytes;
	uint32_t n_messages;
	struct ipfix_message messages[IPFIX_MAX_MESSAGES];
};

struct ipfix_encoder;

/* 0, or a negative errno with the reason. message_bytes: of a message, at most. The format is borrowed. */
int ipfix_encoder_create(const struct flow_record_format *format, uint32_t domain, uint32_t message_bytes,
			 struct ipfix_encoder **encoder, char *reason, size_t reason_size);
void ipfix_encoder_free(struct ipfix_encoder *encoder);

/* Room for a batch, in bytes. */
size_t ipfix_encoder_room(const struct ipfix_encoder *encoder);

/* A new connection: sequence numbers begin at 0, and no template is known. */
void ipfix_encoder_restart(struct ipfix_encoder *encoder);

/* The templates are told again before the next records. */
void ipfix_encoder_repeat_templates(struct ipfix_encoder *encoder);

/*
 * Appends flow records, and before them the templates that the other side has not seen. 0, or -1 with the reason where
 * the queue is full or libfixbuf fails: then part of them may be in the queue, and only a restart helps.
 */
int ipfix_encoder_put(struct ipfix_encoder *encoder, const struct sink_item *items, uint32_t n,
		      struct ipfix_queue *queue, char *reason, size_t reason_size);

#endif
