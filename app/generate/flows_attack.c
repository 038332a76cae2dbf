/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who attacks whom, and the rules that say which flows are the attack's. Called by the plans of attacks.
 */
#include <string.h>

#include "flows_behaviours.h"

/* A machine that nobody else talks to, inside or outside. */
static struct party outcast_party(struct flows *flows, bool is_outside)
{
	uint32_t ipv4 = hosts_block_draw(flows, !is_outside, 0);
	struct party party;

	if (is_outside)
		return stranger_party(flows, ipv4);
	/* Like some host inside, but for the address. */
	party = host_party(flows, random_below(&flows->random, flows->n_inside), false);
	party_set_ipv4(&party, ipv4);
	return party;
}

void attack_draw_attackers(struct flows *flows, struct activity *activity, uint32_t n_most, bool from_outside)
{
	struct random *random = &flows->random;
	bool is_outcast = draw_chance(random, 500), is_crafted = draw_chance(random, 400);
	uint8_t stack = (uint8_t)random_below(random, n_stacks);

	if (n_most > ACTIVITY_ATTACKERS)
		n_most = ACTIVITY_ATTACKERS;
	activity->n_attackers = (uint32_t)draw_log_uniform(random, 1, n_most);
	for (uint32_t i = 0; i < activity->n_attackers; i++) {
		uint32_t host = from_outside ? flows->n_inside + random_below(random, flows->n_outside)
					     : random_below(random, flows->n_inside);

		activity->attacker_hosts[i] = is_outcast ? NO_HOST : (uint16_t)host;
		activity->attackers[i] =
			is_outcast ? outcast_party(flows, from_outside) : host_party(flows, host, false);
		/* Tools that make their own packets. */
		if (is_crafted) {
			activity->attackers[i].stack = stack;
			activity->attackers[i].ttl =
				(uint8_t)(stacks[stack].hops - (from_outside ? draw_between(random, 3, 22) : 0));
		}
	}
}

void attack_draw_victims(struct flows *flows, struct activity *activity, uint32_t n_most)
{
	bool is_inside = draw_chance(&flows->random, 850);
	uint32_t first = is_inside ? 0 : flows->n_inside, n_there = is_inside ? flows->n_inside : flows->n_outside;

	if (n_most > ACTIVITY_PEERS)
		n_most = ACTIVITY_PEERS;
	activity->n_servers = (uint32_t)draw_log_uniform(&flows->random, 1, n_most);
	for (uint32_t i = 0; i < activity->n_servers; i++)
		activity->servers[i] = (uint16_t)(first + random_below(&flows->random, n_there));
}

/* IPv6 where all of them have it. Called when attackers and victims are drawn, before rules are added. */
void attack_draw_version(struct flows *flows, struct activity *activity)
{
	if (!draw_chance(&flows->random, flows->ipv6_per_mille))
		return;
	for (uint32_t i = 0; i < activity->n_attackers; i++)
		if (activity->attacker_hosts[i] == NO_HOST || !flows->hosts[activity->attacker_hosts[i]].has_ipv6)
			return;
	for (uint32_t k = 0; k < activity->n_servers; k++)
		if (!flows->hosts[activity->servers[k]].has_ipv6)
			return;
	activity->is_ipv6 = true;
	for (uint32_t i = 0; i < activity->n_attackers; i++) {
		struct party party = host_party(flows, activity->attacker_hosts[i], true);

		memcpy(activity->attackers[i].address, party.address, sizeof(party.address));
	}
}

struct party attack_victim_party(struct flows *flows, const struct activity *activity, uint32_t k)
{
	return host_party(flows, activity->servers[k], activity->is_ipv6);
}

static void add_rule(struct flows *flows, struct activity *activity, const struct flows_rule *sides,
		     uint8_t protocol, uint16_t port)
{
	struct flows_rule rule = *sides;
	int rc;

	rule.protocol = protocol;
	rule.port_high[0] = UINT16_MAX;
	rule.port_low[1] = port;
	rule.port_high[1] = port ? port : UINT16_MAX;
	rule.label = activity->behaviour->label;
	rule.activity = flows->n_activities;
	rc = rules_add(flows, &rule);
	if (rc)
		flows->failed = rc;
}

static void rule_set_side(struct flows_rule *rule, int side, const struct party *party)
{
	memcpy(rule->address[side], party->address, 16);
	rule->prefix_bits[side] = 128;
}

static void rule_set_block(struct flows_rule *rule, int side, uint32_t block, uint32_t block_bits)
{
	struct party party;

	party_set_ipv4(&party, block);
	memcpy(rule->address[side], party.address, 16);
	rule->prefix_bits[side] = (uint8_t)(block_bits < 32 ? 128 - block_bits : 0);
}

void attack_add_rules(struct flows *flows, struct activity *activity, uint8_t protocol, uint16_t port)
{
	for (uint32_t i = 0; i < activity->n_attackers; i++)
		for (uint32_t k = 0; k < activity->n_servers; k++) {
			struct party victim = attack_victim_party(flows, activity, k);
			struct flows_rule rule = {0};

			rule_set_side(&rule, 0, &activity->attackers[i]);
			rule_set_side(&rule, 1, &victim);
			add_rule(flows, activity, &rule, protocol, port);
		}
}

void attack_add_block_rule(struct flows *flows, struct activity *activity, uint8_t protocol, uint16_t port)
{
	for (uint32_t i = 0; i < activity->n_attackers; i++) {
		struct flows_rule rule = {0};

		rule_set_side(&rule, 0, &activity->attackers[i]);
		rule_set_block(&rule, 1, activity->block, activity->block_bits);
		add_rule(flows, activity, &rule, protocol, port);
	}
}

void attack_add_source_rule(struct flows *flows, struct activity *activity, uint8_t protocol)
{
	for (uint32_t k = 0; k < activity->n_servers; k++) {
		struct party victim = attack_victim_party(flows, activity, k);
		struct flows_rule rule = {0};

		rule_set_block(&rule, 0, activity->block, activity->block_bits);
		rule_set_side(&rule, 1, &victim);
		add_rule(flows, activity, &rule, protocol, 0);
	}
}

uint16_t attacker_port_draw(struct flows *flows, const struct activity *activity, uint32_t i)
{
	uint16_t host = activity->attacker_hosts[i];

	return host == NO_HOST ? high_port_draw(flows) : host_port_draw(flows, host);
}

/* From one packet in a while to what a line carries. */
uint64_t attack_draw_gap(struct flows *flows)
{
	uint64_t gap_ns = draw_log_uniform(&flows->random, 20 * NS_PER_US, 400 * NS_PER_MS);

	return gap_ns * FLOWS_INTENSITY_UNIT / flows->options.intensity_q8 + 1;
}
