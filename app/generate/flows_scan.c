/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Scans of ports, sweeps over hosts, and devices that look for telnet. A probe is a session whose outcome is drawn
 * here; what is open answers, what is closed refuses, and what is filtered says nothing.
 */
#include "flows_behaviours.h"

enum scan_style {
	SCAN_SYN,
	SCAN_CONNECT,
	SCAN_ACK,
	SCAN_FIN,
	SCAN_NULL,
	SCAN_XMAS,
	SCAN_UDP,
	SCAN_VERSION,
	SCAN_ICMP
};

/* activity->state */
enum { SCAN_OPEN, SCAN_SILENT, SCAN_UNREACHABLE, SCAN_PORT, SCAN_SEED };

/* What answers to a style's probes look like, and how often they are sent. */
static void scan_draw_dialogue(struct flows *flows, struct activity *activity)
{
	static const uint8_t flags[] = {
		[SCAN_SYN] = TCP_SYN, [SCAN_CONNECT] = TCP_SYN, [SCAN_ACK] = TCP_ACK,
		[SCAN_FIN] = TCP_FIN, [SCAN_NULL] = 0,		[SCAN_XMAS] = TCP_FIN | TCP_PSH | TCP_URG,
		[SCAN_UDP] = 0,	      [SCAN_VERSION] = TCP_SYN, [SCAN_ICMP] = 0};
	struct random *random = &flows->random;
	struct dialogue *d = &activity->dialogue;

	d->protocol = activity->style == SCAN_UDP    ? PROTOCOL_UDP
		      : activity->style == SCAN_ICMP ? PROTOCOL_ICMP
						     : PROTOCOL_TCP;
	d->probe_flags = flags[activity->style];
	d->n_retries = draw_chance(random, 500) ? 0 : (uint8_t)draw_between(random, 1, 2);
	d->retry_ns = draw_log_uniform(random, 80 * NS_PER_MS, 3 * NS_PER_S);
	if (activity->style == SCAN_UDP && draw_chance(random, 500)) {
		d->n_retries = (uint8_t)draw_between(random, 1, 4);
		d->has_even_retries = draw_chance(random, 600);
		d->retry_ns = draw_log_uniform(random, 500 * NS_PER_MS, 12 * NS_PER_S);
	}
	d->rounds = (struct dist)DIST(1, 1, 1, 1);
	d->request = (struct dist)DIST(draw_chance(random, 500) ? 0 : draw_between(random, 1, 120), 1.5, 0, 600);
	if (activity->style == SCAN_ICMP)
		d->request = (struct dist)DIST(draw_chance(random, 500) ? 0 : 56, 1, 0, 120);
	d->response = d->protocol == PROTOCOL_ICMP ? d->request : (struct dist)DIST(90, 3, 10, 1400);
	d->serve = (struct dist)DIST(300 * NS_PER_US, 4, 20 * NS_PER_US, 500 * NS_PER_MS);
	if (activity->style == SCAN_CONNECT) {
		d->rounds = (struct dist){0};
		d->ending_per_mille[draw_chance(random, 500) ? ENDING_CLIENT_RST : ENDING_FIN_THEN_RST] = 800;
	} else if (activity->style == SCAN_VERSION) {
		d->rounds = (struct dist)DIST(2, 1.6, 0, 6);
		d->greeting = draw_chance(random, 500) ? (struct dist)DIST(40, 2, 0, 300) : (struct dist){0};
		d->think = (struct dist)DIST(5 * NS_PER_MS, 10, 0, 6 * NS_PER_S);
	}
	activity->gap.median = attack_draw_gap(flows);
	activity->gap.factor_q8 = draw_between(random, 256, 500);
	/* The polite and the patient: -T0 to -T2. */
	if (draw_chance(random, 80))
		activity->gap.median = draw_log_uniform(random, 400 * NS_PER_MS, 8 * NS_PER_S);
}

/* What the targets are like: a share of open, of silent, of what a router refuses; in thousandths. */
static void scan_draw_targets(struct flows *flows, struct activity *activity)
{
	struct random *random = &flows->random;

	activity->state[SCAN_OPEN] = draw_chance(random, 200) ? 0 : (uint32_t)draw_log_uniform(random, 1, 120);
	activity->state[SCAN_SILENT] = draw_chance(random, 200)	  ? 1000
				       : draw_chance(random, 250) ? draw_between(random, 800, 1000)
				       : draw_chance(random, 500) ? draw_between(random, 0, 60)
								  : draw_between(random, 60, 800);
	activity->state[SCAN_UNREACHABLE] = draw_chance(random, 150) ? draw_between(random, 20, 600) : 3;
	activity->state[SCAN_SEED] = random_below(random, 1u << 31) * 2 + 1;
	activity->step = activity->state[SCAN_SEED];
	/* One source port for all probes, as raw tools have it; or one each. */
	activity->has_own_port =
		activity->style != SCAN_CONNECT && activity->style != SCAN_VERSION && draw_chance(random, 600);
	activity->state[SCAN_PORT] = high_port_draw(flows);
}

static int scan_outcome(struct flows *flows, const struct activity *activity)
{
	uint32_t rank = random_below(&flows->random, 1000);
	bool is_open = rank < activity->state[SCAN_OPEN];

	rank = random_below(&flows->random, 1000);
	switch (activity->style) {
	case SCAN_FIN:
	case SCAN_NULL:
	case SCAN_XMAS:
		return is_open || rank < activity->state[SCAN_SILENT] ? OUTCOME_SILENT : OUTCOME_REFUSED;
	case SCAN_ACK:
		return rank < activity->state[SCAN_SILENT] ? OUTCOME_SILENT : OUTCOME_REFUSED;
	case SCAN_UDP:
		/* Errors are rationed: to one a second by some, not at all by others. */
		if (is_open)
			return OUTCOME_ANSWERED;
		break;
	case SCAN_ICMP:
		if (rank < activity->state[SCAN_SILENT])
			return OUTCOME_SILENT;
		return rank % 50 ? OUTCOME_ANSWERED : OUTCOME_UNREACHABLE;
	case SCAN_SYN:
		if (is_open)
			return OUTCOME_PROBED;
		break;
	default:
		if (is_open)
			return OUTCOME_ANSWERED;
	}
	if (rank < activity->state[SCAN_SILENT])
		return OUTCOME_SILENT;
	return random_below(&flows->random, 1000) < activity->state[SCAN_UNREACHABLE] ? OUTCOME_UNREACHABLE
										      : OUTCOME_REFUSED;
}

static void probe(struct flows *flows, struct activity *activity, const struct party *target, uint16_t port,
		  uint64_t now_ns)
{
	uint32_t i = activity->n_attackers > 1 ? random_below(&flows->random, activity->n_attackers) : 0;
	uint16_t host = activity->attacker_hosts[i];
	struct session_spec spec = {.activity = activity,
				    .start_ns = now_ns,
				    .is_ipv6 = activity->is_ipv6,
				    .ends = {activity->attackers[i], *target}};

	if (activity->has_own_port)
		spec.ends[0].port = (uint16_t)activity->state[SCAN_PORT];
	else
		spec.ends[0].port = host == NO_HOST ? high_port_draw(flows) : host_port_draw(flows, host);
	spec.ends[1].port = port;
	spec.outcome = scan_outcome(flows, activity);
	activity->flows_left--;
	session_start(flows, &spec);
}

bool port_scan_plan(struct flows *flows, struct activity *activity)
{
	static const uint8_t styles[] = {SCAN_SYN, SCAN_SYN,  SCAN_SYN,	 SCAN_CONNECT, SCAN_CONNECT, SCAN_ACK,
					 SCAN_FIN, SCAN_NULL, SCAN_XMAS, SCAN_UDP,     SCAN_UDP,     SCAN_VERSION};
	uint32_t n_most;

	activity->style = styles[random_below(&flows->random, sizeof(styles))];
	scan_draw_dialogue(flows, activity);
	n_most = draw_chance(&flows->random, 850) ? 1 : 4;
	attack_draw_attackers(flows, activity, n_most, draw_chance(&flows->random, 500));
	attack_draw_victims(flows, activity, draw_chance(&flows->random, 600) ? 1 : 16);
	attack_draw_version(flows, activity);
	attack_add_rules(flows, activity, 0, 0);
	scan_draw_targets(flows, activity);
	/* All ports in a random order, the lower ones in a row, or a list of favourites again and again. */
	activity->n_ports = (uint16_t)random_below(&flows->random, 3);
	activity->block_bits = draw_between(&flows->random, 5, 16);
	activity->block = draw_chance(&flows->random, 600) ? 1 : draw_between(&flows->random, 1, 60000);
	return true;
}

/* The n-th port of the walk. */
static uint16_t scan_port(const struct activity *activity, uint32_t n)
{
	uint32_t mask = (1u << activity->block_bits) - 1;
	uint16_t port;

	if (activity->n_ports == 0) /* an odd step visits all */
		port = (uint16_t)(n * (activity->step | 1));
	else if (activity->n_ports == 1)
		port = (uint16_t)(activity->block + n);
	else
		port = (uint16_t)((n & mask) * (n & mask) * 31 + n % 7 * 1000 + activity->block);
	return port_is_tunnel(port) || !port ? 80 : port;
}

uint64_t port_scan_step(struct flows *flows, struct activity *activity, uint64_t now_ns)
{
	uint32_t n = activity->next++;
	struct party target = attack_victim_party(flows, activity, n % activity->n_servers);

	probe(flows, activity, &target, scan_port(activity, n / activity->n_servers), now_ns);
	return now_ns + draw_dist(&flows->random, &activity->gap);
}

/* Some addresses of the block are those of hosts; most are nobody's. */
static struct party block_party(struct flows *flows, const struct activity *activity, uint32_t n)
{
	uint32_t mask = activity->block_bits < 32 ? (1u << activity->block_bits) - 1 : UINT32_MAX;
	uint32_t ipv4 = activity->block | (n & mask);
	struct party party;

	if (activity->attackers[0].mac == flows->router_mac) {
		party = host_party(flows, n % flows->n_inside, false);
		party_set_ipv4(&party, ipv4);
		return party;
	}
	return stranger_party(flows, ipv4);
}

bool host_scan_plan(struct flows *flows, struct activity *activity)
{
	static const uint8_t styles[] = {SCAN_ICMP, SCAN_ICMP, SCAN_SYN, SCAN_SYN,     SCAN_SYN,
					 SCAN_ACK,  SCAN_UDP,  SCAN_UDP, SCAN_CONNECT, SCAN_VERSION};
	static const uint16_t ports[] = {22,  80,  443,	 445,  3389, 8080, 6379, 53,
					 161, 123, 1900, 5060, 137,  3306, 1433};
	bool from_outside = draw_chance(&flows->random, 500);

	activity->style = styles[random_below(&flows->random, sizeof(styles))];
	scan_draw_dialogue(flows, activity);
	attack_draw_attackers(flows, activity, draw_chance(&flows->random, 800) ? 1 : 8, from_outside);
	scan_draw_targets(flows, activity);
	if (activity->state[SCAN_SILENT] < 1000 && draw_chance(&flows->random, 600))
		activity->state[SCAN_SILENT] = draw_between(&flows->random, 600, 995);
	activity->block_bits = draw_between(&flows->random, 7, 16);
	activity->block =
		hosts_block_draw(flows, from_outside || draw_chance(&flows->random, 600), activity->block_bits);
	activity->n_ports = (uint16_t)draw_between(&flows->random, 1, 3);
	for (uint32_t i = 0; i < activity->n_ports; i++)
		activity->ports[i] = ports[random_below(&flows->random, sizeof(ports) / sizeof(ports[0]))];
	attack_add_block_rule(flows, activity, 0, 0);
	if (activity->style == SCAN_ICMP)
		activity->n_ports = 1;
	/* In a row, or all of them in another order. */
	activity->step = draw_chance(&flows->random, 500) ? 1 : activity->step | 1;
	return true;
}

uint64_t host_scan_step(struct flows *flows, struct activity *activity, uint64_t now_ns)
{
	uint32_t n = activity->next++;
	struct party target = block_party(flows, activity, n / activity->n_ports * activity->step);

	probe(flows, activity, &target, activity->ports[n % activity->n_ports], now_ns);
	return now_ns + draw_dist(&flows->random, &activity->gap);
}

bool telnet_scan_plan(struct flows *flows, struct activity *activity)
{
	struct random *random = &flows->random;
	bool from_outside = draw_chance(random, 400);

	activity->style = draw_chance(random, 800) ? SCAN_SYN : SCAN_VERSION;
	scan_draw_dialogue(flows, activity);
	attack_draw_attackers(flows, activity, draw_chance(random, 500) ? 2 : 16, from_outside);
	scan_draw_targets(flows, activity);
	activity->state[SCAN_SILENT] = draw_between(random, 500, 1000);
	activity->block_bits = from_outside ? draw_between(random, 7, 16) : 27;
	activity->block = from_outside ? hosts_block_draw(flows, true, activity->block_bits) : 0xa0000000;
	activity->step = (uint32_t)random_next(random) | 1;
	attack_add_block_rule(flows, activity, PROTOCOL_TCP, 23);
	attack_add_block_rule(flows, activity, PROTOCOL_TCP, 2323);
	attack_add_block_rule(flows, activity, PROTOCOL_ICMP, 0);
	return true;
}

uint64_t telnet_scan_step(struct flows *flows, struct activity *activity, uint64_t now_ns)
{
	struct party target = block_party(flows, activity, activity->next++ * activity->step);

	probe(flows, activity, &target, draw_chance(&flows->random, 900) ? 23 : 2323, now_ns);
	return now_ns + draw_dist(&flows->random, &activity->gap);
}
