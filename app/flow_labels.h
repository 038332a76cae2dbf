/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Labels of flows by rules from a file: `--labels FILE.tsv` of `wirescore extract`.
 *
 * The file's first line names its columns, with tabs between them, in any order: label, which must be there, and
 * start, end, src, dst, src_port, dst_port, protocol, directed. Upper and lower case differ. Columns named class,
 * family, scenario, tool and comment are for people and not looked at on purpose; any other name is refused, since
 * rules without a column that was spelt wrong would match more than they say. Every further line is a rule; blank
 * lines and those that begin with # are skipped. Lines end in LF or CRLF. An empty field and * match anything; else
 *   start, end          seconds since the epoch, with up to nine decimals: the slice begins in [start, end]
 *   src, dst            an address or a prefix, IPv4 or IPv6
 *   src_port, dst_port  a port or a range (1-1023)
 *   protocol            a number, or tcp, udp, icmp, ipv6-icmp, ...
 *   directed            1: src is the initiator; 0: a flow in either direction matches
 * The first rule that matches gives the label.
 */
#ifndef WIRESCORE_FLOW_LABELS_H
#define WIRESCORE_FLOW_LABELS_H

#include <stddef.h>

#include "flow.h"

struct flow_labels;

/*
 * Reads the rules, of which there must be one. default_label is for flows that none matches; NULL: "". 0, or a
 * negative errno with one line in error that says what is wrong where.
 */
int flow_labels_load(const char *path, const char *default_label, struct flow_labels **labels, char *error,
		     size_t error_size);
void flow_labels_free(struct flow_labels *labels);

/*
 * The label of a flow, valid until flow_labels_free. Rules with two whole addresses are found by a hash of them,
 * and of the ports where both are single ones; others are tried one by one.
 */
const char *flow_labels_find(const struct flow_labels *labels, const struct flow *flow);

/*
 * The labels of which no rule has given a flow its label yet, in the order of their names, with commas between,
 * into text: as many as fit, then how many more. Returns how many there are.
 */
uint32_t flow_labels_unused(const struct flow_labels *labels, char *text, size_t text_size);

/* Bytes of the longest label. */
size_t flow_labels_max_bytes(const struct flow_labels *labels);

#endif
