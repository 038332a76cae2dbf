/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Records for the tests of what is written of flows.
 */
#ifndef WIRESCORE_TESTS_FLOW_RECORD_SAMPLE_H
#define WIRESCORE_TESTS_FLOW_RECORD_SAMPLE_H

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

#include "flow_record.h"

/* Every part, as large as it can be. */
static const struct flow_layout sample_layout = {
	.has_series = true, .has_history = true, .has_context = true, .n_listed = FLOW_MAX_LISTED};

/* A record of sample_layout, with room for its series, history, list and context (zeros). */
struct sample_record {
	struct flow_record record;
	_Alignas(8) uint8_t
		parts[sizeof(struct flow_series) +
		      (sizeof(struct flow_history) + FLOW_MAX_LISTED * sizeof(struct flow_listed) + 63) / 64 * 64 +
		      sizeof(struct flow_context)];
};

static inline struct flow_history *sample_history(struct sample_record *sample)
{
	return (struct flow_history *)(void *)(sample->parts + sizeof(struct flow_series));
}

/* Sets endpoint 0 or 1 of the key; an address with a dot is IPv4. */
static inline void sample_set_endpoint(struct flow_key *key, uint32_t endpoint, const char *address, uint16_t port)
{
	char mapped[INET6_ADDRSTRLEN + 8] = "::ffff:";
	int rc;

	strcpy(strchr(address, '.') ? mapped + strlen(mapped) : mapped, address);
	rc = inet_pton(AF_INET6, mapped, key->address[endpoint]);
	assert(rc == 1);
	(void)rc;
	key->port[endpoint] = port;
}

/* A connection of 192.168.56.102:45426 to 192.168.56.101:443: five packets, three of them with payload. */
static inline void sample_fill(struct sample_record *sample)
{
	struct flow_history *history = sample_history(sample);
	struct flow *flow = &sample->record.flow;

	assert(sizeof(*sample) >= flow_record_bytes(&sample_layout));
	memset(sample, 0, sizeof(*sample));
	sample_set_endpoint(&flow->key, 0, "192.168.56.101", 443);
	sample_set_endpoint(&flow->key, 1, "192.168.56.102", 45426);
	flow->key.protocol = PACKET_PROTOCOL_TCP;
	flow->bits = FLOW_INITIATOR_IS_1;
	flow->start_ns = UINT64_C(1502118944718769123);
	flow->last_ns = UINT64_C(1502118944763858999);
	flow->origin = 12345;
	flow->side[FLOW_FORWARD] = (struct flow_side){.packets = 3,
						      .data_packets = 2,
						      .bytes = 467,
						      .payload_bytes = 347,
						      .tcp_flags = PACKET_TCP_SYN | PACKET_TCP_ACK | PACKET_TCP_PSH,
						      .ttl = 64};
	flow->side[FLOW_BACKWARD] = (struct flow_side){.packets = 2,
						       .data_packets = 1,
						       .bytes = 1536,
						       .payload_bytes = 1456,
						       .tcp_flags = PACKET_TCP_SYN | PACKET_TCP_ACK,
						       .ttl = 63};
	sample->record.reason = FLOW_REASON_FIN;
	sample->record.logit = -1.5f;
	sample->record.verdict_packet = 4;
	sample->record.is_verdict_of_end = true;
	history->n_listed = 5;
	history->listed[0] = (struct flow_listed){.ip_bytes = 40, .ip_id = 63878, .side = FLOW_FORWARD};
	history->listed[1] = (struct flow_listed){.gap = 224000, .ip_bytes = 40, .ip_id = 0, .side = FLOW_BACKWARD};
	history->listed[2] = (struct flow_listed){
		.gap = 2776000, .ip_bytes = 237, .payload_bytes = 197, .ip_id = 63879, .side = FLOW_FORWARD};
	history->listed[3] = (struct flow_listed){
		.gap = 5999999, .ip_bytes = 1496, .payload_bytes = 1456, .ip_id = 3063, .side = FLOW_BACKWARD};
	history->listed[4] = (struct flow_listed){.gap = flow_gap_pack(UINT64_C(36089230000)),
						  .ip_bytes = 190,
						  .payload_bytes = 150,
						  .ip_id = 63880,
						  .side = FLOW_FORWARD};
}

/* As much text as a flow can be. */
static inline void sample_widen(struct sample_record *sample)
{
	struct flow_history *history = sample_history(sample);
	struct flow *flow = &sample->record.flow;

	for (uint32_t side = 0; side < 2; side++) {
		sample_set_endpoint(&flow->key, side, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", UINT16_MAX);
		flow->side[side] = (struct flow_side){.packets = UINT32_MAX,
						      .bytes = (UINT64_C(1) << 48) - 1,
						      .payload_bytes = (UINT64_C(1) << 48) - 1,
						      .tcp_flags = UINT8_MAX,
						      .ttl = UINT8_MAX};
	}
	flow->key.protocol = PACKET_PROTOCOL_SCTP;
	flow->key.scope_id = (1u << 24) - 1;
	flow->bits = FLOW_VLAN | FLOW_TUNNEL;
	flow->start_ns = flow->last_ns = UINT64_MAX - 1;
	flow->slice = UINT16_MAX;
	sample->record.reason = FLOW_REASON_EVICTED;
	sample->record.logit = -1.17549435e-38f;
	sample->record.verdict_packet = UINT32_MAX;
	sample->record.is_verdict_of_end = false;
	history->n_listed = FLOW_MAX_LISTED;
	for (uint32_t i = 0; i < FLOW_MAX_LISTED; i++)
		history->listed[i] = (struct flow_listed){.gap = UINT32_MAX,
							  .ip_bytes = UINT16_MAX,
							  .payload_bytes = UINT16_MAX,
							  .ip_id = UINT16_MAX};
}

#endif
