/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Scans that say more than one thing: scanners of vulnerabilities, which talk to what they find, tools that tell systems
 * by how they answer odd packets, and the noise of scanners that every address on the Internet hears. Called by the
 * engine; label scan-port.
 */
#include "flows_behaviours.h"

/* activity->others */
enum survey_dialogue { SURVEY_ASK, SURVEY_LISTEN, SURVEY_UDP, SURVEY_ECHO };

/* activity->state */
enum { SURVEY_OPEN, SURVEY_SILENT, SURVEY_ODD, SURVEY_TESTS, SURVEY_PORT };

static void survey_start(struct flows *flows, struct activity *activity, struct session_spec *spec,
			 const struct dialogue *dialogue, uint16_t port)
{
	uint32_t i = random_below(&flows->random, activity->n_attackers);
	uint32_t k = activity->next % activity->n_servers;

	spec->activity = activity;
	spec->dialogue = dialogue;
	spec->is_ipv6 = activity->is_ipv6;
	spec->ends[0] = activity->attackers[i];
	spec->ends[0].port = activity->has_own_port ? (uint16_t)activity->state[SURVEY_PORT]
						    : attacker_port_draw(flows, activity, i);
	spec->ends[1] = attack_victim_party(flows, activity, k);
	spec->ends[1].port = port_is_tunnel(port) ? 80 : port;
	session_start(flows, spec);
}

/* What is said to open ports: questions of all kinds, and logins. */
static void survey_draw_dialogues(struct flows *flows, struct activity *activity)
{
	struct random *random = &flows->random;
	struct dialogue *ask = &activity->others[SURVEY_ASK], *listen = &activity->others[SURVEY_LISTEN];
	struct dialogue *udp = &activity->others[SURVEY_UDP], *echo = &activity->others[SURVEY_ECHO];

	*ask = (struct dialogue){.protocol = PROTOCOL_TCP, .probe_flags = TCP_SYN};
	ask->n_retries = (uint8_t)draw_between(random, 0, 2);
	ask->retry_ns = draw_chance(random, 500) ? NS_PER_S : 3 * NS_PER_S;
	ask->rounds = (struct dist)DIST(draw_between(random, 1, 7), 2.5, 0, 80);
	ask->request = (struct dist)DIST(draw_between(random, 20, 300), 2.2, 1, 6000);
	ask->response = (struct dist)DIST(draw_between(random, 30, 900), 3, 1, 60000);
	ask->think =
		(struct dist)DIST(draw_log_uniform(random, 500 * NS_PER_US, 80 * NS_PER_MS), 5, 0, 8 * NS_PER_S);
	ask->serve = (struct dist)DIST(2 * NS_PER_MS, 5, 50 * NS_PER_US, 5 * NS_PER_S);
	for (int i = 0; i < N_ENDING_SHARES; i++)
		ask->ending_per_mille[i] = (uint16_t)draw_between(random, 0, 240);
	*listen = *ask;
	listen->greeting = (struct dist)DIST(draw_between(random, 20, 90), 1.8, 4, 900);
	listen->request.median = draw_between(random, 6, 60);
	listen->response.median = draw_between(random, 10, 200);
	*udp = (struct dialogue){.protocol = PROTOCOL_UDP};
	udp->rounds = (struct dist)DIST(1, 1.5, 1, 6);
	udp->request = (struct dist)DIST(draw_between(random, 0, 200), 2, 0, 1200);
	udp->response = (struct dist)DIST(120, 3, 4, 1400);
	udp->think = ask->think;
	udp->serve = ask->serve;
	udp->n_retries = (uint8_t)draw_between(random, 0, 2);
	*echo = *udp;
	echo->protocol = PROTOCOL_ICMP;
	echo->request = echo->response = (struct dist)DIST(draw_between(random, 0, 120), 1, 0, 120);
}

bool vulnerability_scan_plan(struct flows *flows, struct activity *activity)
{
	static const uint16_t ports[] = {445, 139, 135, 21, 80, 22, 25, 23, 110, 143, 3306, 1433, 443, 8080, 3389};
	struct random *random = &flows->random;
	uint32_t n_most;

	n_most = draw_chance(random, 850) ? 1 : 3;
	attack_draw_attackers(flows, activity, n_most, draw_chance(random, 500));
	attack_draw_victims(flows, activity, draw_chance(random, 600) ? 1 : 8);
	attack_draw_version(flows, activity);
	attack_add_rules(flows, activity, 0, 0);
	survey_draw_dialogues(flows, activity);
	activity->n_ports = (uint16_t)draw_between(random, 1, 9);
	for (uint32_t i = 0; i < activity->n_ports; i++)
		activity->ports[i] = ports[random_below(random, sizeof(ports) / sizeof(ports[0]))];
	activity->state[SURVEY_OPEN] = draw_between(random, 60, 850);
	activity->state[SURVEY_SILENT] = draw_chance(random, 500) ? 0 : draw_between(random, 20, 700);
	activity->state[SURVEY_ODD] = draw_chance(random, 400) ? 0 : draw_between(random, 10, 250);
	activity->n_batch = draw_chance(random, 500) ? 1 : draw_between(random, 2, 16);
	activity->gap.median = draw_log_uniform(random, 2 * NS_PER_MS, 600 * NS_PER_MS);
	activity->gap.factor_q8 = draw_between(random, 300, 800);
	return true;
}

static void vulnerability_try(struct flows *flows, struct activity *activity, uint64_t start_ns)
{
	struct random *random = &flows->random;
	bool is_silent = draw_chance(random, activity->state[SURVEY_SILENT]);
	struct session_spec spec = {.start_ns = start_ns, .outcome = is_silent ? OUTCOME_SILENT : OUTCOME_REFUSED};
	uint32_t at = random_below(random, activity->n_ports), dialogue = SURVEY_ASK;
	uint16_t port =
		draw_chance(random, 700) ? (uint16_t)draw_log_uniform(random, 1, 10000) : high_port_draw(flows);

	activity->next += draw_chance(random, 20);
	if (draw_chance(random, activity->state[SURVEY_ODD])) {
		dialogue = draw_chance(random, 700) ? SURVEY_UDP : SURVEY_ECHO;
		if (draw_chance(random, dialogue == SURVEY_ECHO ? 900 : 150))
			spec.outcome = OUTCOME_ANSWERED;
	} else if (draw_chance(random, activity->state[SURVEY_OPEN])) {
		/* Servers that speak first are the same ones each time. */
		port = activity->ports[at];
		dialogue = at % 2 ? SURVEY_LISTEN : SURVEY_ASK;
		spec.outcome = draw_chance(random, 930) ? OUTCOME_ANSWERED : OUTCOME_CRASHED;
	}
	survey_start(flows, activity, &spec, &activity->others[dialogue], port);
}

uint64_t vulnerability_scan_step(struct flows *flows, struct activity *activity, uint64_t now_ns)
{
	struct random *random = &flows->random;
	uint64_t start_ns = now_ns;

	for (uint32_t n = draw_between(random, 1, activity->n_batch); n && activity->flows_left; n--) {
		activity->flows_left--;
		vulnerability_try(flows, activity, start_ns);
		start_ns += draw_exponential(random, 5 * NS_PER_MS);
	}
	return now_ns + draw_dist(random, &activity->gap);
}

/* What a tool sends to one host: packets of odd flags to an open and a closed port, ICMP of several types, a datagram. */
static const struct odd_test {
	uint8_t protocol, type; /* flags of TCP, type of ICMP */
	bool is_open;		/* to the open port */
	uint8_t outcome;	/* where it is not lost */
} odd_tests[] = {
	{PROTOCOL_TCP, TCP_SYN, true, OUTCOME_PROBED},
	{PROTOCOL_TCP, TCP_SYN | TCP_ECE | TCP_CWR, true, OUTCOME_PROBED},
	{PROTOCOL_TCP, TCP_FIN | TCP_SYN | TCP_PSH | TCP_URG, true, OUTCOME_SILENT},
	{PROTOCOL_TCP, TCP_ACK, true, OUTCOME_REFUSED},
	{PROTOCOL_TCP, TCP_FIN | TCP_ACK, true, OUTCOME_REFUSED},
	{PROTOCOL_TCP, TCP_SYN, false, OUTCOME_REFUSED},
	{PROTOCOL_TCP, TCP_ACK, false, OUTCOME_REFUSED},
	{PROTOCOL_TCP, TCP_FIN | TCP_PSH | TCP_URG, false, OUTCOME_REFUSED},
	{PROTOCOL_TCP, TCP_FIN, true, OUTCOME_SILENT},
	{PROTOCOL_UDP, 0, false, OUTCOME_REFUSED},
	{PROTOCOL_UDP, 0, false, OUTCOME_REFUSED},
	{PROTOCOL_ICMP, 0, false, OUTCOME_ANSWERED},
	{PROTOCOL_ICMP, 0, false, OUTCOME_ANSWERED},
	{PROTOCOL_ICMP, ICMP_TIMESTAMP, false, OUTCOME_ANSWERED},
	{PROTOCOL_ICMP, ICMP_MASK, false, OUTCOME_SILENT},
	{PROTOCOL_ICMP, ICMP_INFORMATION, false, OUTCOME_SILENT},
};

#define N_ODD_TESTS (sizeof(odd_tests) / sizeof(odd_tests[0]))
_Static_assert(N_ODD_TESTS <= 32, "a tool's tests are bits of a word");

/* activity->others of fingerprints: TCP, UDP, and ICMP by type */
enum { ODD_TCP, ODD_UDP, ODD_ECHO, ODD_TIMESTAMP, ODD_REST };

static void odd_draw_dialogues(struct flows *flows, struct activity *activity)
{
	struct random *random = &flows->random;
	struct dist one = DIST(1, 1, 1, 1), serve = DIST(300 * NS_PER_US, 4, 20 * NS_PER_US, 500 * NS_PER_MS);
	uint32_t n_bytes = draw_chance(random, 400) ? 300 : draw_between(random, 0, 120);

	for (int i = 0; i < ACTIVITY_DIALOGUES; i++) {
		activity->others[i] = (struct dialogue){.protocol = PROTOCOL_ICMP, .rounds = one, .serve = serve};
		activity->others[i].n_retries = (uint8_t)draw_between(random, 0, 2);
		activity->others[i].retry_ns = draw_log_uniform(random, 100 * NS_PER_MS, 3 * NS_PER_S);
	}
	activity->others[ODD_TCP].protocol = PROTOCOL_TCP;
	activity->others[ODD_UDP].protocol = PROTOCOL_UDP;
	activity->others[ODD_UDP].request = (struct dist)DIST(n_bytes, 1, 0, 300);
	n_bytes = draw_between(random, 0, 150);
	activity->others[ODD_ECHO].request = (struct dist)DIST(n_bytes, 1, 0, 150);
	activity->others[ODD_ECHO].response = activity->others[ODD_ECHO].request;
	activity->others[ODD_TIMESTAMP].icmp_type = ICMP_TIMESTAMP;
	activity->others[ODD_TIMESTAMP].request = (struct dist)DIST(12, 1, 12, 12);
	activity->others[ODD_TIMESTAMP].response = (struct dist)DIST(12, 1, 12, 12);
	activity->others[ODD_REST].icmp_type = draw_chance(random, 700) ? ICMP_MASK : ICMP_INFORMATION;
	activity->others[ODD_REST].request = (struct dist)DIST(4, 1, 4, 4);
	activity->others[ODD_REST].response = (struct dist)DIST(4, 1, 4, 4);
}

bool fingerprint_plan(struct flows *flows, struct activity *activity)
{
	static const uint16_t ports[] = {80, 443, 22, 445, 139, 21, 25, 23, 3389};
	struct random *random = &flows->random;

	attack_draw_attackers(flows, activity, 1, draw_chance(random, 500));
	attack_draw_victims(flows, activity, draw_chance(random, 600) ? 1 : 24);
	attack_add_rules(flows, activity, 0, 0);
	odd_draw_dialogues(flows, activity);
	activity->ports[0] = ports[random_below(random, sizeof(ports) / sizeof(ports[0]))];
	activity->ports[1] = high_port_draw(flows);
	activity->has_own_port = draw_chance(random, 400);
	activity->state[SURVEY_PORT] = high_port_draw(flows);
	activity->state[SURVEY_SILENT] = draw_chance(random, 500) ? 0 : draw_between(random, 50, 900);
	/* A tool knows some of the tests. */
	activity->state[SURVEY_TESTS] = (uint32_t)random_next(random) | (uint32_t)random_next(random);
	activity->gap.median = draw_log_uniform(random, 500 * NS_PER_US, 300 * NS_PER_MS);
	activity->gap.factor_q8 = draw_between(random, 256, 500);
	/* Between the rounds. */
	activity->spread_ns = draw_log_uniform(random, 50 * NS_PER_MS, 40 * NS_PER_S);
	activity->flows_left = activity->flows_left / 4 + 1;
	return true;
}

static void fingerprint_test(struct flows *flows, struct activity *activity, const struct odd_test *test,
			     uint64_t start_ns)
{
	bool is_lost = draw_chance(&flows->random, activity->state[SURVEY_SILENT]);
	struct session_spec spec = {.start_ns = start_ns, .outcome = is_lost ? OUTCOME_SILENT : test->outcome};
	uint32_t dialogue = test->type == ICMP_TIMESTAMP ? ODD_TIMESTAMP : test->type ? ODD_REST : ODD_ECHO;

	if (test->protocol == PROTOCOL_TCP) {
		dialogue = ODD_TCP;
		spec.probe_flags = test->type;
	} else if (test->protocol == PROTOCOL_UDP) {
		dialogue = ODD_UDP;
	}
	activity->flows_left--;
	survey_start(flows, activity, &spec, &activity->others[dialogue], activity->ports[!test->is_open]);
}

/* One host, with all that the tool knows. */
uint64_t fingerprint_step(struct flows *flows, struct activity *activity, uint64_t now_ns)
{
	struct random *random = &flows->random;
	uint64_t start_ns = now_ns;

	for (size_t i = 0; i < N_ODD_TESTS && activity->flows_left; i++) {
		if (!(activity->state[SURVEY_TESTS] >> i & 1))
			continue;
		fingerprint_test(flows, activity, &odd_tests[i], start_ns);
		start_ns += draw_dist(random, &activity->gap);
	}
	activity->next++;
	return start_ns + draw_exponential(random, activity->spread_ns);
}

/* From everywhere to a few hosts: a packet or two from each, to the ports that are in fashion and to others. */
bool scan_noise_plan(struct flows *flows, struct activity *activity)
{
	struct random *random = &flows->random;
	struct dialogue *tcp = &activity->others[0], *udp = &activity->others[1];

	activity->n_attackers = 1;
	activity->attacker_hosts[0] = NO_HOST;
	attack_draw_victims(flows, activity, draw_chance(random, 500) ? 2 : 24);
	activity->block_bits = 16;
	activity->block = hosts_block_draw(flows, false, 16);
	attack_add_source_rule(flows, activity, 0);
	*tcp = (struct dialogue){.protocol = PROTOCOL_TCP, .probe_flags = TCP_SYN, .gives_up = true};
	tcp->n_retries = (uint8_t)draw_between(random, 0, 3);
	tcp->retry_ns = draw_log_uniform(random, 500 * NS_PER_MS, 6 * NS_PER_S);
	*udp = *tcp;
	udp->protocol = PROTOCOL_UDP;
	udp->request = (struct dist)DIST(draw_between(random, 0, 200), 2, 0, 900);
	activity->state[SURVEY_OPEN] = draw_chance(random, 500) ? 0 : draw_between(random, 5, 300);
	activity->state[SURVEY_SILENT] = draw_chance(random, 400) ? 1000 : draw_between(random, 0, 1000);
	activity->state[SURVEY_ODD] = draw_between(random, 0, 300);
	activity->gap.median = draw_log_uniform(random, 3 * NS_PER_MS, 8 * NS_PER_S);
	activity->gap.factor_q8 = draw_between(random, 400, 900);
	return true;
}

uint64_t scan_noise_step(struct flows *flows, struct activity *activity, uint64_t now_ns)
{
	static const uint16_t ports[] = {23,   22,   445,  80,	 8080, 443,  3389, 5555, 2323, 6379,
					 8443, 1433, 3306, 5900, 81,   7547, 53,   123,	 5060, 1900};
	struct random *random = &flows->random;
	uint32_t victim = activity->servers[random_below(random, activity->n_servers)], n;
	struct party source = stranger_party(flows, activity->block | random_below(random, 1u << 16));
	const struct dialogue *dialogue = &activity->others[draw_chance(random, activity->state[SURVEY_ODD])];
	struct session_spec spec = {
		.activity = activity, .dialogue = dialogue, .ends = {source, host_party(flows, victim, false)}};
	uint64_t start_ns = now_ns;

	spec.ends[0].stack = (uint8_t)random_below(random, n_stacks);
	if (spec.ends[1].mac == flows->router_mac)
		spec.ends[0].mac = flows->hosts[0].mac;
	/* Some ask for a few ports, most for one. */
	for (n = draw_chance(random, 750) ? 1 : draw_between(random, 2, 5); n && activity->flows_left; n--) {
		spec.start_ns = start_ns;
		spec.ends[0].port = high_port_draw(flows);
		spec.ends[1].port = draw_chance(random, 700)
					    ? ports[random_below(random, sizeof(ports) / sizeof(ports[0]))]
					    : high_port_draw(flows);
		spec.outcome =
			draw_chance(random, activity->state[SURVEY_SILENT]) ? OUTCOME_SILENT : OUTCOME_REFUSED;
		if (dialogue->protocol == PROTOCOL_TCP && draw_chance(random, activity->state[SURVEY_OPEN]))
			spec.outcome = draw_chance(random, 500) ? OUTCOME_PROBED : OUTCOME_HALF_OPEN;
		activity->flows_left--;
		session_start(flows, &spec);
		start_ns += draw_exponential(random, 300 * NS_PER_MS);
	}
	return now_ns + draw_exponential(random, draw_dist(random, &activity->gap));
}
