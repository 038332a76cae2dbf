/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Floods: more than a victim can take. Spoofed sources are of 160/8 to 167/8, which no benign host has.
 */
#include "flows_behaviours.h"

#define SPOOFED_BLOCK	   0xa0000000u
#define SPOOFED_BLOCK_BITS 27

/* activity->state */
enum { FLOOD_OUTCOME, FLOOD_OUTCOME_SHARE, FLOOD_PORT, FLOOD_ONE_PORT };

static void flood_draw_common(struct flows *flows, struct activity *activity, uint8_t protocol)
{
	static const uint16_t ports[] = {80, 443, 53, 22, 25, 8080, 3074, 27015, 6667, 25565};
	struct random *random = &flows->random;
	uint32_t n_most;

	activity->dialogue.protocol = protocol;
	attack_draw_victims(flows, activity, draw_chance(random, 800) ? 1 : 8);
	/* style 1: from bots; 0: spoofed. */
	activity->style = draw_chance(random, 400);
	if (activity->style) {
		n_most = draw_chance(random, 500) ? 1 : ACTIVITY_ATTACKERS;
		attack_draw_attackers(flows, activity, n_most, draw_chance(random, 700));
	} else { /* in IPv4 */
		activity->attacker_hosts[0] = NO_HOST;
		activity->n_attackers = 1;
		activity->block = SPOOFED_BLOCK;
		activity->block_bits = SPOOFED_BLOCK_BITS;
	}
	activity->state[FLOOD_PORT] = ports[random_below(random, sizeof(ports) / sizeof(ports[0]))];
	activity->state[FLOOD_ONE_PORT] = draw_chance(random, 700);
	activity->gap.median = attack_draw_gap(flows) / 8 + 1;
	activity->gap.factor_q8 = draw_between(random, 256, 600);
	if (protocol == PROTOCOL_TCP && draw_chance(random, 200)) /* what is left of one behind a filter */
		activity->gap.median = draw_log_uniform(random, 10 * NS_PER_MS, 300 * NS_PER_MS);
	activity->n_batch = draw_chance(random, 500) ? 1 : draw_between(random, 1, 32);
	activity->flows_left *= 2;
}

static void flood_add_rules(struct flows *flows, struct activity *activity)
{
	attack_draw_version(flows, activity);
	if (activity->style)
		attack_add_rules(flows, activity, 0, 0);
	else
		attack_add_source_rule(flows, activity, 0);
}

static void flood_one(struct flows *flows, struct activity *activity, uint64_t now_ns)
{
	struct random *random = &flows->random;
	struct session_spec spec = {.activity = activity, .start_ns = now_ns, .hidden = activity->hidden};
	uint32_t k = random_below(random, activity->n_servers);

	if (activity->style) {
		spec.ends[0] = activity->attackers[random_below(random, activity->n_attackers)];
	} else {
		spec.ends[0] = stranger_party(flows, SPOOFED_BLOCK | ((uint32_t)random_next(random) & 0x7ffffff));
		if (flows->hosts[activity->servers[k]].mac == flows->router_mac)
			spec.ends[0].mac = flows->hosts[0].mac;
	}
	spec.ends[0].port = high_port_draw(flows);
	spec.ends[1] = attack_victim_party(flows, activity, k);
	spec.is_ipv6 = activity->is_ipv6;
	spec.ends[1].port =
		activity->state[FLOOD_ONE_PORT] ? (uint16_t)activity->state[FLOOD_PORT] : high_port_draw(flows);
	spec.outcome = draw_chance(random, activity->state[FLOOD_OUTCOME_SHARE])
			       ? (int)activity->state[FLOOD_OUTCOME]
			       : OUTCOME_SILENT;
	activity->flows_left--;
	session_start(flows, &spec);
}

static uint64_t flood_step(struct flows *flows, struct activity *activity, uint64_t now_ns)
{
	for (uint32_t n = activity->n_batch; n && activity->flows_left; n--)
		flood_one(flows, activity, now_ns + (activity->n_batch - n) * 900);
	return now_ns + draw_dist(&flows->random, &activity->gap) * activity->n_batch;
}

bool syn_flood_plan(struct flows *flows, struct activity *activity)
{
	static const uint8_t outcomes[] = {OUTCOME_HALF_OPEN, OUTCOME_HALF_OPEN, OUTCOME_PROBED, OUTCOME_REFUSED,
					   OUTCOME_SILENT,    OUTCOME_SILENT,	 OUTCOME_SILENT};
	struct random *random = &flows->random;

	flood_draw_common(flows, activity, PROTOCOL_TCP);
	activity->state[FLOOD_OUTCOME] = outcomes[random_below(random, sizeof(outcomes))];
	activity->state[FLOOD_OUTCOME_SHARE] = draw_chance(random, 500) ? 1000 : draw_between(random, 20, 1000);
	activity->dialogue.n_retries =
		activity->state[FLOOD_OUTCOME] == OUTCOME_HALF_OPEN ? (uint8_t)draw_between(random, 0, 4) : 0;
	if (draw_chance(random, 150))
		activity->dialogue.probe = (struct dist)DIST(draw_between(random, 1, 1000), 1.2, 0, 1400);
	flood_add_rules(flows, activity);
	return true;
}

uint64_t syn_flood_step(struct flows *flows, struct activity *activity, uint64_t now_ns)
{
	return flood_step(flows, activity, now_ns);
}

bool ack_flood_plan(struct flows *flows, struct activity *activity)
{
	static const uint8_t flags[] = {TCP_ACK,	   TCP_ACK, TCP_ACK | TCP_PSH, TCP_RST,
					TCP_FIN | TCP_ACK, TCP_ACK, TCP_SYN | TCP_ACK, TCP_RST | TCP_ACK};
	struct random *random = &flows->random;

	flood_draw_common(flows, activity, PROTOCOL_TCP);
	activity->dialogue.probe_flags = flags[random_below(random, sizeof(flags))];
	activity->state[FLOOD_OUTCOME] = draw_chance(random, 500) && !(activity->dialogue.probe_flags & TCP_RST)
						 ? OUTCOME_REFUSED
						 : OUTCOME_SILENT;
	activity->state[FLOOD_OUTCOME_SHARE] = draw_between(random, 20, 1000);
	if (draw_chance(random, 400))
		activity->dialogue.probe = (struct dist)DIST(draw_between(random, 1, 1400), 1.2, 0, 1400);
	flood_add_rules(flows, activity);
	return true;
}

uint64_t ack_flood_step(struct flows *flows, struct activity *activity, uint64_t now_ns)
{
	return flood_step(flows, activity, now_ns);
}

/* Bots that keep their port send streams: many packets of one flow. */
static void flood_draw_streams(struct flows *flows, struct activity *activity)
{
	struct random *random = &flows->random;
	struct dialogue *d = &activity->dialogue;

	d->rounds = (struct dist)DIST(1, 1, 1, 1);
	if (!activity->style || draw_chance(random, 300))
		return;
	d->rounds = (struct dist)DIST(draw_log_uniform(random, 5, 4000), 2, 1, 20000);
	d->think = activity->gap;
	activity->flows_left = activity->flows_left / d->rounds.median + 1;
	activity->gap.median *= d->rounds.median;
}

bool udp_flood_plan(struct flows *flows, struct activity *activity)
{
	struct random *random = &flows->random;
	struct dialogue *d = &activity->dialogue;

	flood_draw_common(flows, activity, PROTOCOL_UDP);
	d->request = (struct dist)DIST(draw_between(random, 64, 1472), 1.6, 0, 1472);
	if (draw_chance(random, 400))
		d->request.median = draw_between(random, 0, 64);
	if (draw_chance(random, 600))
		d->request.factor_q8 = 256;
	if (draw_chance(random, 100))
		d->request = (struct dist)DIST(draw_between(random, 1600, 9000), 1.2, 1481, 20000);
	d->datagram_bytes = (uint16_t)(d->request.max < 1472 ? 1472 : d->request.max);
	d->no_reply = true;
	/* Streams are answered dialogues without a reply; single packets are silent, or refused now and then. */
	flood_draw_streams(flows, activity);
	activity->state[FLOOD_OUTCOME] = d->rounds.median > 1 ? OUTCOME_ANSWERED : OUTCOME_REFUSED;
	activity->state[FLOOD_OUTCOME_SHARE] = d->rounds.median > 1	  ? 1000
					       : draw_chance(random, 600) ? 0
									  : draw_between(random, 1, 300);
	flood_add_rules(flows, activity);
	return true;
}

uint64_t udp_flood_step(struct flows *flows, struct activity *activity, uint64_t now_ns)
{
	return flood_step(flows, activity, now_ns);
}

bool icmp_flood_plan(struct flows *flows, struct activity *activity)
{
	struct random *random = &flows->random;
	struct dialogue *d = &activity->dialogue;

	flood_draw_common(flows, activity, PROTOCOL_ICMP);
	d->request = (struct dist)DIST(draw_chance(random, 600) ? 56 : draw_between(random, 0, 1400), 1, 0, 1400);
	d->response = d->request;
	d->datagram_bytes = 1400;
	d->no_reply = draw_chance(random, 500);
	d->serve = (struct dist)DIST(30 * NS_PER_US, 2, 5 * NS_PER_US, 2 * NS_PER_MS);
	flood_draw_streams(flows, activity);
	activity->state[FLOOD_OUTCOME] = OUTCOME_ANSWERED;
	activity->state[FLOOD_OUTCOME_SHARE] = d->rounds.median > 1 ? 1000 : draw_between(random, 0, 1000);
	flood_add_rules(flows, activity);
	return true;
}

uint64_t icmp_flood_step(struct flows *flows, struct activity *activity, uint64_t now_ns)
{
	return flood_step(flows, activity, now_ns);
}
