/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Attackers that talk to a service as its clients do, only more often: passwords guessed, names of files guessed,
 * connections held. services.def has what they say; the hosts are the same that benign clients and servers are.
 */
#include "flows_behaviours.h"

/* How a tool and its victim are set: one login a connection or several, refusals that are held back, few tries. */
static void login_draw_manner(struct flows *flows, struct activity *activity)
{
	struct random *random = &flows->random;
	struct dialogue *d = &activity->dialogue;

	if (d->verdict.median) {
		d->verdict = draw_site(random, &d->verdict, 350);
		d->verdict_rounds = (uint8_t)(draw_chance(random, 350) ? 0 : draw_between(random, 1, 3));
	}
	if (d->verdict_rounds && draw_chance(random, 500))
		d->rounds.median *= draw_between(random, 2, 6);
	if (draw_chance(random, 200)) {
		activity->flows_left = draw_between(random, 4, 40);
		activity->gap.median = draw_log_uniform(random, 200 * NS_PER_MS, 4 * NS_PER_S);
	}
}

bool login_plan(struct flows *flows, struct activity *activity)
{
	const struct service *service = activity->behaviour->service;
	uint32_t n_most;

	service_draw_dialogue(flows, activity, service);
	activity->ports[0] = service_port_draw(flows, service);
	/* Tools are as fast as they are told to be. */
	activity->gap.median =
		draw_log_uniform(&flows->random, service->gap.median / 80 + 1, service->gap.median * 6);
	activity->n_batch = draw_between(&flows->random, 1, draw_chance(&flows->random, 600) ? 4 : 16);
	login_draw_manner(flows, activity);
	n_most = draw_chance(&flows->random, 700) ? 2 : ACTIVITY_ATTACKERS;
	attack_draw_attackers(flows, activity, n_most, draw_chance(&flows->random, 650));
	attack_draw_victims(flows, activity, draw_chance(&flows->random, 700) ? 1 : 6);
	attack_draw_version(flows, activity);
	attack_add_rules(flows, activity, PROTOCOL_TCP, activity->ports[0]);
	return true;
}

uint64_t login_step(struct flows *flows, struct activity *activity, uint64_t now_ns)
{
	struct random *random = &flows->random;
	uint64_t start_ns = now_ns;

	/* As many at a time as the tool has threads. */
	for (uint32_t n = activity->n_batch; n && activity->flows_left; n--) {
		uint32_t i = random_below(random, activity->n_attackers);
		uint32_t k = random_below(random, activity->n_servers);
		struct session_spec spec = {
			.activity = activity, .start_ns = start_ns, .outcome = -1, .is_ipv6 = activity->is_ipv6};

		spec.ends[0] = activity->attackers[i];
		spec.ends[0].port = attacker_port_draw(flows, activity, i);
		spec.ends[1] = attack_victim_party(flows, activity, k);
		spec.ends[1].port = activity->ports[0];
		/* Some captures begin in the midst of it. */
		spec.is_open = !now_ns && draw_chance(random, flows->open_per_mille);
		activity->flows_left--;
		session_start(flows, &spec);
		start_ns += draw_exponential(random, 3 * NS_PER_MS);
	}
	return now_ns + draw_dist(random, &(struct dist){.median = activity->gap.median * activity->n_batch,
							 .factor_q8 = 330});
}
