/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hosts that somebody else commands: tunnels in DNS and ICMP, and calls home.
 */
#include "flows_behaviours.h"

/* One or two infected hosts inside, and one server outside that only they know. */
static void covert_draw(struct flows *flows, struct activity *activity, uint8_t protocol, uint16_t port)
{
	attack_draw_attackers(flows, activity, 2, false);
	activity->block = hosts_block_draw(flows, false, 0);
	activity->block_bits = 0;
	activity->home = stranger_party(flows, activity->block);
	activity->ports[0] = port;
	activity->dialogue.protocol = protocol;
	attack_add_block_rule(flows, activity, protocol, port);
}

static void covert_start(struct flows *flows, struct activity *activity, uint64_t now_ns)
{
	uint32_t i = random_below(&flows->random, activity->n_attackers);
	uint16_t host = activity->attacker_hosts[i];
	struct session_spec spec = {.activity = activity, .start_ns = now_ns, .outcome = -1};

	spec.ends[0] = activity->attackers[i];
	spec.ends[0].port = host == NO_HOST ? high_port_draw(flows) : host_port_draw(flows, host);
	spec.ends[1] = activity->home;
	spec.ends[1].port = activity->ports[0];
	activity->flows_left--;
	session_start(flows, &spec);
}

static uint64_t covert_step(struct flows *flows, struct activity *activity, uint64_t now_ns)
{
	covert_start(flows, activity, now_ns);
	return now_ns + draw_dist(&flows->random, &activity->gap);
}

bool dns_tunnel_plan(struct flows *flows, struct activity *activity)
{
	struct random *random = &flows->random;
	struct dialogue *d = &activity->dialogue;

	covert_draw(flows, activity, PROTOCOL_UDP, 53);
	d->request = (struct dist)DIST(draw_between(random, 80, 230), 1.2, 40, 280);
	d->response = (struct dist)DIST(draw_between(random, 90, 900), 1.5, 60, 1400);
	d->serve = (struct dist)DIST(2 * NS_PER_MS, 4, 100 * NS_PER_US, 2 * NS_PER_S);
	d->lost_reply_per_mille = (uint16_t)draw_between(random, 0, 60);
	d->rounds = (struct dist)DIST(1, 1, 1, 1);
	activity->gap = (struct dist)DIST(draw_log_uniform(random, 3 * NS_PER_MS, 2 * NS_PER_S), 2.5, 1, 0);
	/* One socket for all, or one for each question. */
	if (draw_chance(random, 500)) {
		d->rounds = (struct dist)DIST(draw_log_uniform(random, 20, 4000), 2, 5, 20000);
		d->think = activity->gap;
		activity->gap.median = 20 * NS_PER_S;
	}
	return true;
}

uint64_t dns_tunnel_step(struct flows *flows, struct activity *activity, uint64_t now_ns)
{
	return covert_step(flows, activity, now_ns);
}

bool icmp_tunnel_plan(struct flows *flows, struct activity *activity)
{
	struct random *random = &flows->random;
	struct dialogue *d = &activity->dialogue;

	covert_draw(flows, activity, PROTOCOL_ICMP, 0);
	d->request = (struct dist)DIST(draw_between(random, 60, 1200), 2, 20, 1400);
	d->response = (struct dist)DIST(draw_between(random, 60, 1200), 2, 20, 1400);
	d->datagram_bytes = 1400;
	d->rounds = (struct dist)DIST(draw_log_uniform(random, 20, 4000), 2, 5, 20000);
	d->think = (struct dist)DIST(draw_log_uniform(random, 3 * NS_PER_MS, 2 * NS_PER_S), 3, 0, 60 * NS_PER_S);
	d->serve = (struct dist)DIST(2 * NS_PER_MS, 4, 50 * NS_PER_US, 2 * NS_PER_S);
	activity->gap = (struct dist)DIST(30 * NS_PER_S, 2, 1, 0);
	return true;
}

uint64_t icmp_tunnel_step(struct flows *flows, struct activity *activity, uint64_t now_ns)
{
	return covert_step(flows, activity, now_ns);
}

bool beacon_plan(struct flows *flows, struct activity *activity)
{
	static const uint16_t ports[] = {443, 443, 80, 8080, 8443, 4444, 6667, 1337};
	struct random *random = &flows->random;
	struct dialogue *d = &activity->dialogue;

	covert_draw(flows, activity, PROTOCOL_TCP, ports[random_below(random, sizeof(ports) / sizeof(ports[0]))]);
	d->has_tls = draw_chance(random, 500);
	d->rounds = (struct dist)DIST(1, 1.5, 1, 8);
	d->request = (struct dist)DIST(draw_between(random, 20, 700), 1.3, 4, 4000);
	d->response = (struct dist)DIST(draw_between(random, 10, 600), 2, 2, 60000);
	d->serve = (struct dist)DIST(20 * NS_PER_MS, 3, 200 * NS_PER_US, 2 * NS_PER_S);
	d->think = (struct dist)DIST(2 * NS_PER_MS, 3, 0, NS_PER_S);
	d->ending_per_mille[random_below(random, N_ENDING_SHARES)] = 700;
	/* A server that is gone is called all the same. */
	if (draw_chance(random, 250))
		d->outcome_per_mille[draw_chance(random, 500) ? OUTCOME_SILENT : OUTCOME_REFUSED] = 1000;
	d->n_retries = 3;
	activity->gap.median = draw_log_uniform(random, NS_PER_S, 120 * NS_PER_S);
	activity->gap.factor_q8 = draw_between(random, 257, 400);
	return true;
}

uint64_t beacon_step(struct flows *flows, struct activity *activity, uint64_t now_ns)
{
	return covert_step(flows, activity, now_ns);
}
