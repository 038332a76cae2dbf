/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is left of connections that were open before: a phone that wakes up, an application that closes all of its
 * sockets, a host that comes back to a network where nobody knows its connections any more. Single FINs, resets and
 * acknowledgements to several servers at once, again where nobody answers. Called by the engine; benign.
 */
#include "flows_behaviours.h"

/* What one of them is, in order of the shares that an activity draws. */
enum leftover {
	LEFTOVER_FIN,
	LEFTOVER_RST,
	LEFTOVER_ACK,
	LEFTOVER_DATA,	/* a last word, or a question, with payload */
	LEFTOVER_ALIVE, /* a byte at most, again and again */
	LEFTOVER_OPEN,	/* goes on talking */
	N_LEFTOVERS,
};

/* activity->state: the shares by weight, then these; activity->others: what is said. */
enum { LEFTOVER_ANSWERED = N_LEFTOVERS, LEFTOVER_FROM_SERVER, N_LEFTOVER_STATES };
_Static_assert(N_LEFTOVER_STATES <= ACTIVITY_STATES, "the state must fit");

static void leftover_draw_dialogues(struct flows *flows, struct activity *activity)
{
	struct random *random = &flows->random;

	for (int i = 0; i < ACTIVITY_DIALOGUES; i++) {
		struct dialogue *d = &activity->others[i];

		*d = (struct dialogue){.protocol = PROTOCOL_TCP, .probe_flags = TCP_ACK};
		d->n_retries = (uint8_t)draw_between(random, 0, 7);
		d->gives_up = draw_chance(random, 700);
		d->retry_ns = draw_log_uniform(random, 200 * NS_PER_MS, 2 * NS_PER_S);
	}
	activity->others[LEFTOVER_FIN].probe_flags = TCP_FIN | TCP_ACK;
	activity->others[LEFTOVER_RST].probe_flags = draw_chance(random, 500) ? TCP_RST : TCP_RST | TCP_ACK;
	activity->others[LEFTOVER_RST].n_retries = (uint8_t)(draw_chance(random, 800) ? 0 : 2);
	activity->others[LEFTOVER_ACK].n_retries = (uint8_t)(draw_chance(random, 700) ? 0 : 3);
	activity->others[LEFTOVER_DATA].probe_flags = TCP_ACK | TCP_PSH;
	activity->others[LEFTOVER_DATA].probe = (struct dist)DIST(draw_between(random, 20, 400), 2, 1, 1400);
	activity->others[LEFTOVER_ALIVE].probe = (struct dist)DIST(draw_chance(random, 500), 1, 0, 1);
	activity->others[LEFTOVER_ALIVE].retry_ns = draw_log_uniform(random, NS_PER_S, 75 * NS_PER_S);
	activity->others[LEFTOVER_ALIVE].has_even_retries = true;
	activity->others[LEFTOVER_ALIVE].n_retries = (uint8_t)draw_between(random, 0, 12);
}

bool wake_up_plan(struct flows *flows, struct activity *activity)
{
	static const uint16_t ports[] = {443, 443, 80, 5228, 5223, 993, 8443, 1883, 22, 445};
	struct random *random = &flows->random;
	struct dialogue *d = &activity->dialogue;

	if (!service_draw_hosts(flows, 'i', draw_chance(random, 600) ? 2 : 12, activity->clients,
				&activity->n_clients) ||
	    !service_draw_hosts(flows, draw_chance(random, 850) ? 'o' : 'i', 40, activity->servers,
				&activity->n_servers))
		return false;
	leftover_draw_dialogues(flows, activity);
	d->rounds = (struct dist)DIST(2, 2.5, 0, 40);
	d->request = (struct dist)DIST(draw_between(random, 20, 300), 2, 1, 3000);
	d->response = (struct dist)DIST(draw_between(random, 20, 2000), 3, 1, 90000);
	d->think = (struct dist)DIST(draw_log_uniform(random, 20 * NS_PER_MS, 8 * NS_PER_S), 4, 0, 60 * NS_PER_S);
	d->serve = (struct dist)DIST(20 * NS_PER_MS, 4, 100 * NS_PER_US, 5 * NS_PER_S);
	for (int i = 0; i < N_ENDING_SHARES; i++)
		d->ending_per_mille[i] = (uint16_t)draw_between(random, 0, 250);
	for (int i = 0; i < N_LEFTOVERS; i++)
		activity->state[i] = draw_chance(random, 600) ? draw_between(random, 1, 100) : 0;
	activity->state[random_below(random, N_LEFTOVERS)] = 100;
	activity->state[LEFTOVER_ANSWERED] = draw_chance(random, 300) ? 0 : draw_between(random, 0, 900);
	activity->state[LEFTOVER_FROM_SERVER] = draw_chance(random, 600) ? 0 : draw_between(random, 50, 1000);
	activity->n_ports = (uint16_t)draw_between(random, 1, 4);
	for (uint32_t i = 0; i < activity->n_ports; i++)
		activity->ports[i] = ports[random_below(random, sizeof(ports) / sizeof(ports[0]))];
	activity->gap.median = draw_log_uniform(random, 300 * NS_PER_MS, 40 * NS_PER_S);
	activity->gap.factor_q8 = draw_between(random, 300, 900);
	activity->n_batch = (uint32_t)draw_log_uniform(random, 1, 60);
	activity->spread_ns = draw_log_uniform(random, 100 * NS_PER_US, 200 * NS_PER_MS);
	return true;
}

static enum leftover leftover_draw(struct random *random, const struct activity *activity)
{
	uint32_t total = 0, rank;

	for (int i = 0; i < N_LEFTOVERS; i++)
		total += activity->state[i];
	rank = random_below(random, total);
	for (int i = 0; i < N_LEFTOVERS - 1; i++) {
		if (rank < activity->state[i])
			return (enum leftover)i;
		rank -= activity->state[i];
	}
	return LEFTOVER_OPEN;
}

/* One connection of the client's, of which a word or two is seen. */
static void leftover_start(struct flows *flows, struct activity *activity, uint32_t client, uint64_t start_ns)
{
	struct random *random = &flows->random;
	enum leftover kind = leftover_draw(random, activity);
	uint32_t server = activity->servers[random_below(random, activity->n_servers)];
	bool is_back = kind != LEFTOVER_OPEN && draw_chance(random, activity->state[LEFTOVER_FROM_SERVER]);
	struct session_spec spec = {.activity = activity, .start_ns = start_ns, .outcome = OUTCOME_SILENT};

	if (client == server)
		return;
	spec.ends[is_back] = host_party(flows, client, false);
	spec.ends[is_back].port = host_port_draw(flows, client);
	spec.ends[!is_back] = host_party(flows, server, false);
	spec.ends[!is_back].port = activity->ports[random_below(random, activity->n_ports)];
	if (kind == LEFTOVER_OPEN) {
		spec.is_open = true;
	} else {
		spec.dialogue = &activity->others[kind];
		/* Nobody knows the connection any more: reset. Resets themselves are not answered. */
		if (kind != LEFTOVER_RST && draw_chance(random, activity->state[LEFTOVER_ANSWERED]))
			spec.outcome = OUTCOME_REFUSED;
	}
	session_start(flows, &spec);
}

uint64_t wake_up_step(struct flows *flows, struct activity *activity, uint64_t now_ns)
{
	struct random *random = &flows->random;
	uint32_t client = activity->clients[random_below(random, activity->n_clients)];
	uint64_t start_ns = now_ns;

	for (uint32_t n = draw_between(random, 1, activity->n_batch); n && activity->flows_left; n--) {
		activity->flows_left--;
		leftover_start(flows, activity, client, start_ns);
		start_ns += draw_exponential(random, activity->spread_ns);
	}
	return now_ns + draw_dist(random, &activity->gap);
}
