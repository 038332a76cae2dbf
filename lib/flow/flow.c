/* SPDX-License-Identifier: BSD-3-Clause */
#include "flow.h"

const char *flow_reason_name(enum flow_reason reason)
{
	static const char *const names[] = {
		[FLOW_REASON_IDLE] = "idle",
		[FLOW_REASON_ACTIVE] = "active",
		[FLOW_REASON_FIN] = "fin",
		[FLOW_REASON_RST] = "rst",
		[FLOW_REASON_EVICTED] = "evicted",
		[FLOW_REASON_END] = "end",
		[FLOW_REASON_CHECKPOINT] = "checkpoint",
	};

	return names[reason];
}

/* The first 8 bytes as a little-endian number, on every machine. */
static uint64_t read_le64(const uint8_t *bytes)
{
	uint64_t word = 0;

	for (uint32_t i = 0; i < 8; i++)
		word |= (uint64_t)bytes[i] << 8 * i;
	return word;
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
	return hash ^ hash >> 32;
}

uint64_t flow_id(const struct flow *flow)
{
	const struct flow_key *key = &flow->key;
	uint64_t hash = 0x77697265u; /* not 0, which an all-zero key would leave as it is */

	for (uint32_t endpoint = 0; endpoint < 2; endpoint++) {
		hash = mix(hash, read_le64(key->address[endpoint]));
		hash = mix(hash, read_le64(key->address[endpoint] + 8));
	}
	hash = mix(hash, (uint64_t)key->port[0] | (uint64_t)key->port[1] << 16 | (uint64_t)key->protocol << 32 |
				 (uint64_t)key->scope_id << 40);
	hash = mix(hash, flow->origin);
	/* The finaliser of SplitMix64 (Steele, Lea and Flood 2014). */
	hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9u;
	hash = (hash ^ hash >> 27) * 0x94d049bb133111ebu;
	return hash ^ hash >> 31;
}
