/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The exact rules that label frames for packet models, and that a model is judged against.
 */
#ifndef WIRESCORE_DATASET_PACKET_RULE_H
#define WIRESCORE_DATASET_PACKET_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"

enum packet_rule_kind {
	PACKET_RULE_IPV4,      /* bytes 12-13 are 08 00 */
	PACKET_RULE_IP,	       /* IPv4 or IPv6, also behind up to two VLAN tags */
	PACKET_RULE_ETHERTYPE, /* bytes 12-13 are the given value */
};

struct packet_rule {
	enum packet_rule_kind kind;
	uint16_t ethertype; /* PACKET_RULE_ETHERTYPE */
};

/* Reads "ipv4", "ip" or "ethertype:0xNNNN". 0 or -EINVAL. */
int packet_rule_parse(const char *text, struct packet_rule *rule);

/* The text that packet_rule_parse reads; returns text. */
char *packet_rule_text(const struct packet_rule *rule, char *text, size_t text_size);

/* Names of the two classes, negative first: {"non-ip", "ip"} or {"other", "0x8892"}, into names. */
void packet_rule_classes(const struct packet_rule *rule, char names[2][16]);

/* Whether the frame is of the positive class. A frame with no whole EtherType is not. */
bool packet_rule_matches(const struct packet_rule *rule, const struct frame *frame);

#endif
