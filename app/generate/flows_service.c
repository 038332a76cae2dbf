/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Benign clients and servers, as services.def has them. A site's own: every activity moves the medians, and now and
 * then puts all clients behind one address, as a NAT gateway or a proxy does. Called by the engine.
 */
#include "flows_behaviours.h"

/* Factors of one standard deviation, times 256, between sites. */
#define SITE_SIZE 435
#define SITE_TIME 640
#define SITE_GAP  768

/* Failures below this share are accidents, above it the nature of the thing. */
#define SELDOM_PER_MILLE 200

/* Of failures, where not all is failure. */
#define MOST_PER_MILLE 950

/* Whom discovery talks to on its ports: groups, or everybody. */
static const struct group {
	uint16_t port;
	uint32_t ipv4;
} groups[] = {{1900, 0xeffffffa}, {5353, 0xe00000fb}, {5355, 0xe00000fc}, {3702, 0xeffffffa},
	      {137, 0xffffffff},  {138, 0xffffffff},  {67, 0xffffffff},	  {9999, 0xffffffff}};

/* How well what it talks to answers is a site's matter, too: often there is nothing amiss. */
static void outcomes_draw(struct random *random, struct dialogue *d)
{
	bool is_sound = draw_chance(random, 450);
	uint32_t sum = 0, most = 0;

	for (int i = 0; i < N_OUTCOME_SHARES; i++) {
		uint64_t share = draw_lognormal(random, d->outcome_per_mille[i], SITE_SIZE);

		if (is_sound && d->outcome_per_mille[i] < SELDOM_PER_MILLE)
			share = 0;
		most += d->outcome_per_mille[i];
		d->outcome_per_mille[i] = (uint16_t)(share < 900 ? share : 900);
		sum += d->outcome_per_mille[i];
	}
	/* None of them crowds out the rest, nor those who answer. */
	most = most > MOST_PER_MILLE ? most : MOST_PER_MILLE;
	for (int i = 0; i < N_OUTCOME_SHARES && sum > most; i++)
		d->outcome_per_mille[i] = (uint16_t)(d->outcome_per_mille[i] * most / sum);
}

/* When and how often one tries again: systems of old wait 3 s, applications as they like. */
static void retries_draw(struct random *random, struct dialogue *d)
{
	if (d->protocol == PROTOCOL_TCP && !d->retry_ns && draw_chance(random, 200))
		d->retry_ns = 3 * NS_PER_S;
	else if (d->protocol != PROTOCOL_TCP && d->retry_ns)
		d->retry_ns = draw_lognormal(random, d->retry_ns, 350);
	if (d->n_retries && draw_chance(random, 300))
		d->n_retries = (uint8_t)draw_between(random, 0, d->n_retries + 2u);
	d->gives_up |= draw_chance(random, 300);
	/* Windows tries three times what refuses it. */
	d->insists_per_mille = (uint16_t)(draw_chance(random, 500) ? 0 : draw_between(random, 100, 1300));
}

void service_draw_dialogue(struct flows *flows, struct activity *activity, const struct service *service)
{
	struct random *random = &flows->random;
	struct dialogue *d = &activity->dialogue;

	*d = service->talk;
	d->protocol = service->protocol ? service->protocol : service->is_udp ? PROTOCOL_UDP : PROTOCOL_TCP;
	d->probe_flags = TCP_SYN;
	d->greeting = draw_site(random, &d->greeting, SITE_SIZE);
	d->request = draw_site(random, &d->request, SITE_SIZE);
	d->response = draw_site(random, &d->response, SITE_SIZE);
	d->think = draw_site(random, &d->think, SITE_TIME);
	d->serve = draw_site(random, &d->serve, SITE_TIME);
	if (d->rounds.max > 1)
		d->rounds = draw_site(random, &d->rounds, SITE_SIZE);
	activity->gap = draw_site(random, &service->gap, SITE_GAP);
	activity->gap.median = activity->gap.median * FLOWS_INTENSITY_UNIT / flows->options.intensity_q8;
	if (!activity->gap.median)
		activity->gap.median = 1;
	outcomes_draw(random, d);
	retries_draw(random, d);
	/* Some always end the same way. */
	if (draw_chance(random, 300)) {
		int way = (int)random_below(random, N_ENDING_SHARES + 1);

		for (int i = 0; i < N_ENDING_SHARES; i++)
			d->ending_per_mille[i] = i == way && service->talk.ending_per_mille[i] ? 1000 : 0;
	}
	if (d->has_tls)
		d->has_tls = draw_chance(random, 600);
}

uint16_t high_port_draw(struct flows *flows)
{
	uint16_t port;

	do
		port = (uint16_t)draw_between(&flows->random, 1024, 65535);
	while (port_is_tunnel(port));
	return port;
}

uint16_t service_port_draw(struct flows *flows, const struct service *service)
{
	uint32_t n = 1;
	uint16_t port;

	while (n < SERVICE_PORTS && service->ports[n])
		n++;
	port = service->ports[random_below(&flows->random, n)];
	return draw_chance(&flows->random, service->any_port) ? high_port_draw(flows) : port;
}

bool service_draw_hosts(struct flows *flows, char place, uint32_t n_most, uint16_t *hosts, uint32_t *n)
{
	bool is_inside = place == 'i' || (place == 'a' && draw_chance(&flows->random, 600));
	uint32_t first = is_inside ? 0 : flows->n_inside, n_there = is_inside ? flows->n_inside : flows->n_outside;

	if (place == 'x' || place == 'm') {
		*n = 0;
		return true;
	}
	if (n_most > ACTIVITY_PEERS)
		n_most = ACTIVITY_PEERS;
	*n = (uint32_t)draw_log_uniform(&flows->random, (n_most + 3) / 4, n_most ? n_most : 1);
	if (*n > n_there)
		*n = n_there;
	for (uint32_t i = 0; i < *n; i++)
		hosts[i] = (uint16_t)(first + random_below(&flows->random, n_there));
	return *n > 0;
}

/* How many sessions begin together, and how closely. */
static void batches_draw(struct random *random, struct activity *activity, const struct service *service)
{
	uint32_t least = service->batch_least ? service->batch_least : 1;

	activity->n_batch = service->batch ? draw_between(random, least, service->batch) : 1;
	activity->spread_ns = 2 * NS_PER_MS;
	if (service->spread_ns)
		activity->spread_ns = draw_log_uniform(random, service->spread_ns / 5 + 1, service->spread_ns * 4);
}

/* A restart or a failure: a while in which the server refuses, is silent, or lets all down. */
static void outage_draw(struct flows *flows, struct activity *activity)
{
	static const uint8_t outcomes[] = {OUTCOME_REFUSED, OUTCOME_SILENT, OUTCOME_CRASHED, OUTCOME_LATE};
	struct random *random = &flows->random;
	uint64_t per_mille = flows->duration_ns / 1000;

	activity->outage_ns[0] = per_mille * draw_between(random, 0, 900);
	activity->outage_ns[1] = activity->outage_ns[0] + per_mille * draw_log_uniform(random, 4, 150);
	activity->outage_outcome = outcomes[random_below(random, sizeof(outcomes))];
	if (activity->dialogue.protocol != PROTOCOL_TCP)
		activity->outage_outcome = OUTCOME_SILENT;
}

bool service_plan(struct flows *flows, struct activity *activity)
{
	const struct service *service = activity->behaviour->service;
	struct random *random = &flows->random;

	service_draw_dialogue(flows, activity, service);
	if (!service_draw_hosts(flows, service->from, service->clients, activity->clients, &activity->n_clients) ||
	    !service_draw_hosts(flows, service->to, service->servers ? service->servers : 1, activity->servers,
				&activity->n_servers))
		return false;
	if (activity->n_clients > 1 && !service->is_each && draw_chance(random, 120)) {
		activity->n_clients = 1;
		activity->gap.median = activity->gap.median / 4 + 1;
	}
	batches_draw(random, activity, service);
	if (draw_chance(random, service->has_outage))
		outage_draw(flows, activity);
	activity->n_ports = 1;
	activity->ports[0] = service->protocol ? 0 : service_port_draw(flows, service);
	activity->is_standing = draw_chance(random, service->is_standing);
	activity->has_own_port = draw_chance(random, service->own_port);
	if (service->is_one_port)
		activity->state[0] = high_port_draw(flows);
	return true;
}

static struct party group_party(uint16_t port)
{
	struct party party = {0};

	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		if (groups[i].port != port)
			continue;
		party_set_ipv4(&party, groups[i].ipv4);
		party.mac = groups[i].ipv4 == 0xffffffff ? 0xffffffffffff
							 : 0x01005e000000 | (groups[i].ipv4 & 0x7fffff);
	}
	return party;
}

/* A host of the list, or a stranger: some of them come again. */
static struct party peer_party(struct flows *flows, uint32_t host, bool is_stranger, bool is_ipv6)
{
	if (!is_stranger)
		return host_party(flows, host, is_ipv6);
	if (draw_chance(&flows->random, 400))
		return host_party(flows, flows->n_inside + random_below(&flows->random, flows->n_outside), false);
	return stranger_party(flows, stranger_address_draw(&flows->random));
}

static uint16_t client_port_draw(struct flows *flows, const struct activity *activity, uint32_t client,
				 bool is_stranger)
{
	const struct service *service = activity->behaviour->service;

	if (activity->has_own_port)
		return activity->ports[0];
	if (service->is_one_port)
		return (uint16_t)activity->state[0];
	return is_stranger ? high_port_draw(flows) : host_port_draw(flows, client);
}

static void start_one(struct flows *flows, struct activity *activity, uint32_t client, uint32_t server,
		      uint64_t start_ns, bool is_open)
{
	const struct service *service = activity->behaviour->service;
	bool client_is_stranger = service->from == 'x', server_is_stranger = service->to == 'x';
	struct session_spec spec = {.activity = activity,
				    .start_ns = start_ns,
				    .is_open = is_open || service->is_midway,
				    .outcome = -1};
	uint32_t c = client_is_stranger ? 0 : activity->clients[client];
	uint32_t s = server_is_stranger || service->to == 'm' ? 0 : activity->servers[server];

	spec.is_ipv6 = !client_is_stranger && !server_is_stranger && service->to != 'm' &&
		       flows->hosts[c].has_ipv6 && flows->hosts[s].has_ipv6 &&
		       draw_chance(&flows->random, flows->ipv6_per_mille);
	if (c == s && !client_is_stranger && !server_is_stranger && service->to != 'm')
		return;
	spec.ends[0] = peer_party(flows, c, client_is_stranger, spec.is_ipv6);
	spec.ends[1] = service->to == 'm' ? group_party(activity->ports[0])
					  : peer_party(flows, s, server_is_stranger, spec.is_ipv6);
	spec.ends[0].port = client_port_draw(flows, activity, c, client_is_stranger);
	spec.ends[1].port = service->is_all_ports ? service_port_draw(flows, service) : activity->ports[0];
	if (start_ns >= activity->outage_ns[0] && start_ns < activity->outage_ns[1])
		spec.outcome = activity->outage_outcome;
	if (service->is_port_each && draw_chance(&flows->random, 800))
		spec.ends[1].port = high_port_draw(flows);
	activity->flows_left -= activity->flows_left > 0;
	session_start(flows, &spec);
}

/* Sessions that are there from the beginning: open already, in captures that began in their midst. */
static uint64_t start_standing(struct flows *flows, struct activity *activity, uint64_t now_ns)
{
	const struct service *service = activity->behaviour->service;
	uint32_t n_clients = activity->n_clients, n_servers = activity->n_servers ? activity->n_servers : 1;
	uint64_t spread_ns = draw_log_uniform(&flows->random, 10 * NS_PER_MS, 20 * NS_PER_S);

	for (uint32_t i = 0; i < n_clients; i++)
		for (uint32_t k = 0; k < n_servers; k++) {
			bool is_open = draw_chance(&flows->random, flows->open_per_mille);

			/* Not every client knows every server. */
			if (!service->is_each && k && draw_chance(&flows->random, 700))
				continue;
			start_one(flows, activity, i, k,
				  now_ns + draw_log_uniform(&flows->random, 1,
							    is_open ? spread_ns / 8 + 1 : spread_ns),
				  is_open);
		}
	activity->is_standing = false;
	return service->is_each ? FLOWS_NEVER : now_ns + draw_dist(&flows->random, &activity->gap);
}

uint64_t service_step(struct flows *flows, struct activity *activity, uint64_t now_ns)
{
	const struct service *service = activity->behaviour->service;
	struct random *random = &flows->random;
	uint32_t least = service->batch_least ? (activity->n_batch + 1) / 2 : 1, client = 0, server = 0;
	uint32_t n = activity->n_batch > 1 ? draw_between(random, least, activity->n_batch) : 1;
	uint64_t start_ns = now_ns;

	if (activity->is_standing)
		return start_standing(flows, activity, now_ns);
	if (activity->n_clients)
		client = random_below(random, activity->n_clients);
	for (uint32_t i = 0; i < n && activity->flows_left; i++) {
		if (activity->n_servers && (!i || !service->is_one_target))
			server = random_below(random, activity->n_servers);
		if (service->is_round_robin && activity->n_servers)
			server = activity->next++ % activity->n_servers;
		/* Some captures begin in the midst of it. */
		start_one(flows, activity, client, server, start_ns,
			  !now_ns && draw_chance(random, flows->open_per_mille));
		start_ns += draw_exponential(random, activity->spread_ns);
	}
	/* Times between arrivals: exponential around the site's pace, which itself wanders. */
	return now_ns + draw_exponential(random, draw_dist(random, &(struct dist){.median = activity->gap.median,
										  .factor_q8 = 400}));
}
