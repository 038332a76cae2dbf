/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which flows an attack's label is for. Every attack says so when it is planned, and every session is held against
 * the rules before it begins: what would get another label than its own does not happen, so that labels are exact.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "flows_engine.h"

int rules_add(struct flows *flows, const struct flows_rule *rule)
{
	if (flows->n_rules == flows->n_rules_room) {
		uint32_t n_room = flows->n_rules_room ? 2 * flows->n_rules_room : 64;
		struct flows_rule *rules = reallocarray(flows->rules, n_room, sizeof(*rules));

		if (!rules)
			return -ENOMEM;
		flows->rules = rules;
		flows->n_rules_room = n_room;
	}
	flows->rules[flows->n_rules++] = *rule;
	return 0;
}

static bool rule_has_address(const struct flows_rule *rule, int side, const uint8_t address[16])
{
	uint32_t n_bytes = rule->prefix_bits[side] / 8, n_rest = rule->prefix_bits[side] % 8;

	if (memcmp(rule->address[side], address, n_bytes))
		return false;
	return !n_rest || !((rule->address[side][n_bytes] ^ address[n_bytes]) >> (8 - n_rest));
}

static bool rule_matches_way(const struct flows_rule *rule, const struct party ends[2], int first, bool has_ports)
{
	for (int side = 0; side < 2; side++) {
		const struct party *end = &ends[side ^ first];
		uint16_t port = has_ports ? end->port : 0;

		if (port < rule->port_low[side] || port > rule->port_high[side] ||
		    !rule_has_address(rule, side, end->address))
			return false;
	}
	return true;
}

const char *rules_find(const struct flows *flows, const struct party ends[2], uint8_t protocol)
{
	bool has_ports = protocol == PROTOCOL_TCP || protocol == PROTOCOL_UDP;

	for (uint32_t i = 0; i < flows->n_rules; i++) {
		const struct flows_rule *rule = &flows->rules[i];

		if (rule->protocol && rule->protocol != protocol)
			continue;
		if (rule_matches_way(rule, ends, 0, has_ports) || rule_matches_way(rule, ends, 1, has_ports))
			return rule->label;
	}
	return NULL;
}
