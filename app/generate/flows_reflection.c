/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What comes back from those who are made to answer, and the questions in others' names: reflection and amplification.
 * Others' addresses are of 160/8 to 167/8, which no benign host has.
 */
#include "flows_behaviours.h"

/* activity->state */
enum { REFLECTION_PORT, REFLECTION_ONE_PORT, REFLECTION_SOURCES, REFLECTION_STACK, REFLECTION_REFUSING };

/* Where reflection is seen. */
enum view {
	VIEW_VICTIM,	/* answers to what it never asked */
	VIEW_REFLECTOR, /* questions in the victim's name */
	VIEW_NOBODY,	/* answers to addresses that were made up: backscatter */
};

/*
 * Others' addresses are a number of those in the block: reflectors, or victims where the reflectors are inside. The
 * client of a session is the one in whose name was asked.
 */
static void reflect_draw(struct flows *flows, struct activity *activity, uint8_t protocol)
{
	uint64_t slowest_ns = protocol == PROTOCOL_TCP ? 2 * NS_PER_S : 150 * NS_PER_MS;
	struct random *random = &flows->random;

	activity->dialogue.protocol = protocol;
	activity->style = draw_chance(random, 700) ? VIEW_VICTIM : VIEW_REFLECTOR;
	attack_draw_victims(flows, activity, draw_chance(random, 800) ? 1 : 12);
	activity->block_bits = 16;
	activity->block = hosts_block_draw(flows, false, 16);
	activity->state[REFLECTION_SOURCES] = (uint32_t)draw_log_uniform(random, 3, 8000);
	activity->state[REFLECTION_ONE_PORT] = draw_chance(random, 350);
	activity->state[REFLECTION_PORT] = draw_chance(random, 300) ? 80 : high_port_draw(flows);
	activity->gap.median = attack_draw_gap(flows) / 4 + 1;
	activity->gap.factor_q8 = draw_between(random, 256, 600);
	if (draw_chance(random, 300)) /* one reflector of many, seen alone */
		activity->gap.median = draw_log_uniform(random, 30 * NS_PER_MS, slowest_ns);
	/* Of the questions a victim sees nothing; reflectors see them, and what they answer where routes allow. */
	activity->hidden = activity->style == VIEW_VICTIM ? 1 : draw_chance(random, 500) ? 2 : 0;
	attack_add_source_rule(flows, activity, 0);
}

/* activity->others */
enum { DIALOGUE_REFUSING };

/* Of the reflectors of an amplification some say no, in few bytes: always the same ones. */
static bool reflector_refuses(const struct activity *activity, uint32_t number)
{
	return (number * 2654435761u >> 16) % 1000 < activity->state[REFLECTION_REFUSING];
}

static uint64_t reflect_step(struct flows *flows, struct activity *activity, uint64_t now_ns)
{
	struct random *random = &flows->random;
	struct session_spec spec = {
		.activity = activity, .start_ns = now_ns, .hidden = activity->hidden, .outcome = -1};
	uint32_t victim = activity->servers[random_below(random, activity->n_servers)];
	uint32_t number = random_below(random, activity->state[REFLECTION_SOURCES]);
	uint32_t other = activity->style == VIEW_REFLECTOR ? 1 : 0;

	spec.ends[other] = host_party(flows, victim, false);
	spec.ends[!other] = stranger_party(flows, activity->block | (number * 40503u & 0xffff));
	if (spec.ends[other].mac == flows->router_mac)
		spec.ends[!other].mac = flows->hosts[0].mac;
	spec.ends[0].port = activity->state[REFLECTION_ONE_PORT] ? (uint16_t)activity->state[REFLECTION_PORT]
								 : high_port_draw(flows);
	spec.ends[1].port = activity->ports[0] ? activity->ports[0] : high_port_draw(flows);
	if (reflector_refuses(activity, number))
		spec.dialogue = &activity->others[DIALOGUE_REFUSING];
	activity->flows_left--;
	session_start(flows, &spec);
	return now_ns + draw_dist(random, &activity->gap);
}

/* Servers that are flooded in the name of addresses of this site, most of which nobody has. */
static void backscatter_draw(struct flows *flows, struct activity *activity)
{
	activity->style = VIEW_NOBODY;
	activity->hidden = 1;
	activity->n_attackers = 0;
	attack_draw_attackers(flows, activity, ACTIVITY_ATTACKERS, true);
	activity->block_bits = draw_between(&flows->random, 6, 16);
	activity->block = hosts_block_draw(flows, true, activity->block_bits);
	activity->gap.median = draw_log_uniform(&flows->random, NS_PER_MS, 3 * NS_PER_S);
	attack_add_block_rule(flows, activity, 0, 0);
}

static uint64_t backscatter_step(struct flows *flows, struct activity *activity, uint64_t now_ns)
{
	struct random *random = &flows->random;
	struct session_spec spec = {
		.activity = activity, .start_ns = now_ns, .hidden = activity->hidden, .outcome = -1};
	uint32_t number = random_below(random, 1u << activity->block_bits);

	spec.ends[0] = host_party(flows, number % flows->n_inside, false);
	party_set_ipv4(&spec.ends[0], activity->block | number);
	spec.ends[0].port = high_port_draw(flows);
	spec.ends[1] = activity->attackers[random_below(random, activity->n_attackers)];
	spec.ends[1].port = activity->ports[0] ? activity->ports[0] : high_port_draw(flows);
	activity->flows_left--;
	session_start(flows, &spec);
	return now_ns + draw_exponential(random, activity->gap.median);
}

bool tcp_reflection_plan(struct flows *flows, struct activity *activity)
{
	static const uint16_t ports[] = {80, 443, 179, 22, 25, 21, 3389, 0};
	struct random *random = &flows->random;
	struct dialogue *d = &activity->dialogue;
	uint32_t refused = draw_chance(random, 400) ? draw_between(random, 100, 1000) : 0;

	if (draw_chance(random, 350)) {
		backscatter_draw(flows, activity);
		refused = draw_chance(random, 500) ? 0 : draw_between(random, 0, 1000);
	} else {
		reflect_draw(flows, activity, PROTOCOL_TCP);
	}
	activity->ports[0] = ports[random_below(random, sizeof(ports) / sizeof(ports[0]))];
	d->n_retries = (uint8_t)draw_between(random, 0, 5);
	d->outcome_per_mille[OUTCOME_REFUSED] = (uint16_t)refused;
	d->outcome_per_mille[OUTCOME_HALF_OPEN] = (uint16_t)(1000 - refused);
	if (activity->style != VIEW_REFLECTOR &&
	    draw_chance(random, 400)) { /* RSTs of those who never asked are seen */
		activity->hidden = HIDDEN_FIRST;
		d->outcome_per_mille[OUTCOME_PROBED] = d->outcome_per_mille[OUTCOME_HALF_OPEN];
		d->outcome_per_mille[OUTCOME_HALF_OPEN] = 0;
	}
	return true;
}

uint64_t tcp_reflection_step(struct flows *flows, struct activity *activity, uint64_t now_ns)
{
	return activity->style == VIEW_NOBODY ? backscatter_step(flows, activity, now_ns)
					      : reflect_step(flows, activity, now_ns);
}

static void amplify_draw(struct flows *flows, struct activity *activity, uint16_t port)
{
	reflect_draw(flows, activity, PROTOCOL_UDP);
	activity->ports[0] = port;
	activity->dialogue.rounds =
		draw_chance(&flows->random, 600) ? (struct dist)DIST(1, 1, 1, 1) : (struct dist)DIST(3, 3, 1, 200);
	activity->dialogue.think =
		(struct dist)DIST(draw_log_uniform(&flows->random, NS_PER_MS, NS_PER_S), 3, 0, 30 * NS_PER_S);
	activity->dialogue.serve = (struct dist)DIST(500 * NS_PER_US, 4, 20 * NS_PER_US, 200 * NS_PER_MS);
	activity->dialogue.pace_ns = 20 * NS_PER_US;
}

/* Answers of a size, in datagrams of a size: whole, or in fragments where they are longer than a line lets through. */
static void amplify_draw_answers(struct flows *flows, struct activity *activity, uint32_t low, uint32_t high,
				 uint32_t datagram_bytes)
{
	struct random *random = &flows->random;
	struct dialogue *d = &activity->dialogue;

	d->response = (struct dist)DIST(draw_log_uniform(random, low, high), 1, low, high);
	if (draw_chance(random, 600)) /* else the same answer from all */
		d->response.factor_q8 = draw_between(random, 260, 460);
	d->datagram_bytes = (uint16_t)datagram_bytes;
	if (draw_chance(random, 250))
		d->fragment_bytes = (uint16_t)(draw_between(random, 64, 184) * 8);
	if (draw_chance(random, 500))
		activity->state[REFLECTION_REFUSING] = draw_between(random, 20, 500);
	activity->others[DIALOGUE_REFUSING] = *d;
	activity->others[DIALOGUE_REFUSING].response = (struct dist)DIST(draw_between(random, 12, 90), 1.1, 8, 120);
}

bool dns_amplification_plan(struct flows *flows, struct activity *activity)
{
	struct random *random = &flows->random;
	bool is_long = draw_chance(random, 500), is_whole = draw_chance(random, 700);

	amplify_draw(flows, activity, 53);
	activity->dialogue.request = (struct dist)DIST(draw_between(random, 28, 60), 1, 0, 80);
	amplify_draw_answers(flows, activity, is_long ? 1400 : 300, 4096, is_whole ? 4096 : 1472);
	return true;
}

uint64_t dns_amplification_step(struct flows *flows, struct activity *activity, uint64_t now_ns)
{
	return reflect_step(flows, activity, now_ns);
}

/* Lists of clients, six to a datagram and a hundred datagrams at most; or what else a server tells of itself. */
bool ntp_amplification_plan(struct flows *flows, struct activity *activity)
{
	struct random *random = &flows->random;
	uint32_t n_bytes = draw_chance(random, 700) ? 440 : draw_between(random, 200, 482);

	amplify_draw(flows, activity, 123);
	activity->dialogue.request = (struct dist)DIST(8, 1, 8, 8);
	amplify_draw_answers(flows, activity, n_bytes, n_bytes * draw_between(random, 1, 100), n_bytes);
	return true;
}

uint64_t ntp_amplification_step(struct flows *flows, struct activity *activity, uint64_t now_ns)
{
	return reflect_step(flows, activity, now_ns);
}

bool snmp_amplification_plan(struct flows *flows, struct activity *activity)
{
	struct random *random = &flows->random;
	bool is_short = draw_chance(random, 600), is_split = draw_chance(random, 350);

	amplify_draw(flows, activity, 161);
	activity->dialogue.request = (struct dist)DIST(draw_between(random, 60, 100), 1, 0, 100);
	amplify_draw_answers(flows, activity, 200, is_short ? 2200 : 60000, is_split ? 1472 : 60000);
	return true;
}

uint64_t snmp_amplification_step(struct flows *flows, struct activity *activity, uint64_t now_ns)
{
	return reflect_step(flows, activity, now_ns);
}

bool cldap_amplification_plan(struct flows *flows, struct activity *activity)
{
	struct random *random = &flows->random;

	amplify_draw(flows, activity, 389);
	activity->dialogue.request = (struct dist)DIST(draw_between(random, 39, 80), 1, 0, 100);
	amplify_draw_answers(flows, activity, 1200, 3300, draw_chance(random, 800) ? 3300 : 1472);
	return true;
}

uint64_t cldap_amplification_step(struct flows *flows, struct activity *activity, uint64_t now_ns)
{
	return reflect_step(flows, activity, now_ns);
}

/* One datagram for each service that a device has. */
bool ssdp_amplification_plan(struct flows *flows, struct activity *activity)
{
	struct random *random = &flows->random;
	uint32_t n_bytes = draw_between(random, 220, 480);

	amplify_draw(flows, activity, draw_chance(random, 850) ? 1900 : high_port_draw(flows));
	activity->dialogue.request = (struct dist)DIST(draw_between(random, 90, 140), 1, 0, 140);
	amplify_draw_answers(flows, activity, n_bytes, n_bytes * draw_between(random, 1, 30), n_bytes);
	activity->dialogue.pace_ns = draw_log_uniform(random, 20 * NS_PER_US, 30 * NS_PER_MS);
	return true;
}

uint64_t ssdp_amplification_step(struct flows *flows, struct activity *activity, uint64_t now_ns)
{
	return reflect_step(flows, activity, now_ns);
}

bool memcached_amplification_plan(struct flows *flows, struct activity *activity)
{
	struct random *random = &flows->random;
	uint32_t n_bytes = draw_between(random, 1000, 1408);

	amplify_draw(flows, activity, 11211);
	activity->dialogue.request = (struct dist)DIST(draw_between(random, 15, 40), 1, 0, 60);
	amplify_draw_answers(flows, activity, n_bytes, n_bytes * (uint32_t)draw_log_uniform(random, 1, 700),
			     n_bytes);
	return true;
}

uint64_t memcached_amplification_step(struct flows *flows, struct activity *activity, uint64_t now_ns)
{
	return reflect_step(flows, activity, now_ns);
}

bool chargen_amplification_plan(struct flows *flows, struct activity *activity)
{
	struct random *random = &flows->random;

	amplify_draw(flows, activity, 19);
	activity->dialogue.request = (struct dist)DIST(1, 2, 0, 60);
	amplify_draw_answers(flows, activity, 70, draw_chance(random, 600) ? 1472 : 6000, 6000);
	return true;
}

uint64_t chargen_amplification_step(struct flows *flows, struct activity *activity, uint64_t now_ns)
{
	return reflect_step(flows, activity, now_ns);
}

/*
 * SYNs in the names of a few victims, again and again, seen at one reflector that is not seen to answer: what the
 * victims get is somewhere else.
 */
bool tcp_questions_plan(struct flows *flows, struct activity *activity)
{
	static const uint16_t ports[] = {80, 443, 22, 25, 179, 21, 8080, 53, 3389, 7547, 0};
	struct random *random = &flows->random;
	struct dialogue *d = &activity->dialogue;
	uint32_t n_sources = (uint32_t)draw_log_uniform(random, 2, 80);

	attack_draw_victims(flows, activity, draw_chance(random, 700) ? 1 : 6);
	activity->block_bits = 16;
	activity->block = hosts_block_draw(flows, false, 16);
	activity->state[REFLECTION_SOURCES] = n_sources;
	activity->state[REFLECTION_STACK] = draw_chance(random, 600) ? random_below(random, n_stacks) : UINT32_MAX;
	activity->state[REFLECTION_ONE_PORT] = draw_chance(random, 300);
	activity->state[REFLECTION_PORT] = draw_chance(random, 400) ? 80 : high_port_draw(flows);
	activity->n_ports = (uint16_t)(draw_chance(random, 600) ? 1 : draw_between(random, 2, 8));
	for (uint32_t i = 0; i < activity->n_ports; i++)
		activity->ports[i] = ports[random_below(random, sizeof(ports) / sizeof(ports[0]))];
	/* 0.1 to 20 a second from each. */
	activity->gap.median = draw_log_uniform(random, 50 * NS_PER_MS, 10 * NS_PER_S) / n_sources + 1;
	activity->gap.factor_q8 = draw_between(random, 256, 700);
	d->probe_flags = draw_chance(random, 150) ? TCP_SYN | TCP_ACK : TCP_SYN;
	d->n_retries = (uint8_t)draw_between(random, 0, 4);
	d->gives_up = draw_chance(random, 500);
	d->retry_ns = draw_chance(random, 700) ? NS_PER_S : draw_log_uniform(random, 300 * NS_PER_MS, 6 * NS_PER_S);
	/* Mostly nothing comes back this way; where it does, it is refused or not taken up. */
	activity->hidden = draw_chance(random, 800) ? 2 : 0;
	d->outcome_per_mille[OUTCOME_REFUSED] = (uint16_t)(draw_chance(random, 300) ? 1000 : 0);
	if (activity->hidden || draw_chance(random, 300))
		d->outcome_per_mille[OUTCOME_SILENT] = (uint16_t)(1000 - d->outcome_per_mille[OUTCOME_REFUSED]);
	else
		d->outcome_per_mille[OUTCOME_HALF_OPEN] = (uint16_t)(1000 - d->outcome_per_mille[OUTCOME_REFUSED]);
	attack_add_source_rule(flows, activity, 0);
	return true;
}

uint64_t tcp_questions_step(struct flows *flows, struct activity *activity, uint64_t now_ns)
{
	struct random *random = &flows->random;
	uint32_t number = random_below(random, activity->state[REFLECTION_SOURCES]) * 40503u & 0xffff;
	uint32_t victim = activity->servers[random_below(random, activity->n_servers)];
	struct session_spec spec = {
		.activity = activity, .start_ns = now_ns, .hidden = activity->hidden, .outcome = -1};

	spec.ends[0] = stranger_party(flows, activity->block | number);
	spec.ends[1] = host_party(flows, victim, false);
	if (spec.ends[1].mac == flows->router_mac)
		spec.ends[0].mac = flows->hosts[0].mac;
	/* One tool makes all of them. */
	if (activity->state[REFLECTION_STACK] < n_stacks)
		spec.ends[0].stack = (uint8_t)activity->state[REFLECTION_STACK];
	spec.ends[0].port = activity->state[REFLECTION_ONE_PORT] ? (uint16_t)activity->state[REFLECTION_PORT]
								 : high_port_draw(flows);
	spec.ends[1].port = activity->ports[random_below(random, activity->n_ports)];
	if (!spec.ends[1].port)
		spec.ends[1].port = high_port_draw(flows);
	activity->flows_left--;
	session_start(flows, &spec);
	return now_ns + draw_dist(random, &activity->gap);
}
