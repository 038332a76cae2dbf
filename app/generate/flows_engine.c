/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engine of `generate flows`: plans the activities of a scenario, and calls activities and sessions in order of
 * time out of one queue (a binary heap). See flows.h; called by generate_flows.c and unit tests.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flows_behaviours.h"
#include "flows_engine.h"

static const struct scenario {
	const char *name;
	char group;			 /* of behaviours; 0: all */
	uint8_t benign_low, benign_high; /* how many activities */
	uint8_t attack_low, attack_high;
	const char *what;
} scenarios[] = {
	{"mix", 0, 8, 30, 2, 9, "benign traffic of all kinds and some attacks"},
	{"benign", 0, 8, 40, 0, 0, "benign traffic of all kinds"},
	{"attack", 0, 0, 0, 2, 8, "attacks alone"},
	{"office", 'o', 8, 25, 0, 3, "clients, servers and printers of an office, at times under attack"},
	{"industrial", 'i', 3, 12, 0, 2,
	 "controllers that are polled, synchrophasors, telemetry; at times under attack"},
	{"datacenter", 'd', 8, 25, 0, 3, "services that call services, databases, backups; at times under attack"},
	{"isp", 'p', 8, 25, 2, 6, "a provider's link: floods, reflection and amplification, one-way flows"},
	{"provider", 'p', 8, 25, 2, 6, "the same as isp"},
	{"p2p", 'f', 4, 14, 0, 1, "peers that look for peers, and what else is at home"},
	{"resolver", 'r', 3, 9, 0, 2, "busy resolvers and mail servers, and their clients"},
	{"scan", 's', 4, 14, 2, 6, "scans and sweeps among benign traffic"},
	{"bruteforce", 'b', 5, 16, 1, 5, "password guessing among benign logins and health checks"},
	{"single", 0, 1, 1, 0, 0, "one benign application alone, which the seed chooses"},
};

#define N_SCENARIOS (sizeof(scenarios) / sizeof(scenarios[0]))

size_t flows_n_scenarios(void)
{
	return N_SCENARIOS;
}

struct flows_listed flows_scenario(size_t i)
{
	return (struct flows_listed){.name = scenarios[i].name, .what = scenarios[i].what};
}

size_t flows_n_behaviours(void)
{
	return n_behaviours;
}

struct flows_listed flows_behaviour(size_t i)
{
	return (struct flows_listed){
		.name = behaviours[i].name, .label = behaviours[i].label, .what = behaviours[i].what};
}

static bool heap_is_before(const struct heap_entry *a, const struct heap_entry *b)
{
	return a->time_ns != b->time_ns ? a->time_ns < b->time_ns : a->order < b->order;
}

void flows_schedule(struct flows *flows, uint64_t time_ns, uint32_t who)
{
	/* What is late comes now: time does not go back. */
	struct heap_entry entry = {.time_ns = time_ns > flows->now_ns ? time_ns : flows->now_ns,
				   .order = flows->n_ordered++,
				   .who = who};
	uint32_t i = flows->n_heap++;

	while (i && heap_is_before(&entry, &flows->heap[(i - 1) / 2])) {
		flows->heap[i] = flows->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	flows->heap[i] = entry;
}

static struct heap_entry heap_take(struct flows *flows)
{
	struct heap_entry first = flows->heap[0], last = flows->heap[--flows->n_heap];
	uint32_t i = 0;

	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child >= flows->n_heap)
			break;
		if (child + 1 < flows->n_heap && heap_is_before(&flows->heap[child + 1], &flows->heap[child]))
			child++;
		if (!heap_is_before(&flows->heap[child], &last))
			break;
		flows->heap[i] = flows->heap[child];
		i = child;
	}
	flows->heap[i] = last;
	return first;
}

static bool is_benign(const struct behaviour *behaviour)
{
	return !strcmp(behaviour->label, "benign");
}

/* Whether one of the patterns of a list matches; *n_matched[i] counts for the i-th where it is not NULL. */
static bool list_matches(const char *list, const char *name)
{
	char pattern[64];
	size_t n_bytes;

	for (;; list += n_bytes + 1) {
		n_bytes = strcspn(list, ",");
		if (n_bytes < sizeof(pattern)) {
			memcpy(pattern, list, n_bytes);
			pattern[n_bytes] = '\0';
			if (!fnmatch(pattern, name, 0))
				return true;
		}
		if (!list[n_bytes])
			return false;
	}
}

/* Complains of the first pattern that matches nothing. */
static int families_check(const char *list, char *error, size_t error_size)
{
	size_t n_bytes;

	for (;; list += n_bytes + 1) {
		char pattern[64];
		size_t n = 0;

		n_bytes = strcspn(list, ",");
		if (n_bytes && n_bytes < sizeof(pattern)) {
			memcpy(pattern, list, n_bytes);
			pattern[n_bytes] = '\0';
			for (size_t i = 0; i < n_behaviours; i++)
				n += !fnmatch(pattern, behaviours[i].name, 0);
		}
		if (!n) {
			snprintf(error, error_size, "--families '%.*s' is no behaviour; --list names them",
				 (int)(n_bytes < 64 ? n_bytes : 64), list);
			return -EINVAL;
		}
		if (!list[n_bytes])
			return 0;
	}
}

static bool behaviour_is_chosen(const struct flows *flows, const struct scenario *scenario,
				const struct behaviour *behaviour)
{
	if (flows->options.families)
		return list_matches(flows->options.families, behaviour->name);
	return !scenario->group || strchr(behaviour->groups, scenario->group);
}

/* A behaviour by weight, among the benign or the attacks that are chosen; NULL where there is none. */
static const struct behaviour *behaviour_draw(struct flows *flows, const struct scenario *scenario, bool benign)
{
	uint32_t total = 0, rank;

	for (size_t i = 0; i < n_behaviours; i++)
		if (is_benign(&behaviours[i]) == benign && behaviour_is_chosen(flows, scenario, &behaviours[i]))
			total += behaviours[i].weight;
	if (!total)
		return NULL;
	rank = random_below(&flows->random, total);
	for (size_t i = 0;; i++) {
		if (is_benign(&behaviours[i]) != benign || !behaviour_is_chosen(flows, scenario, &behaviours[i]))
			continue;
		if (rank < behaviours[i].weight)
			return &behaviours[i];
		rank -= behaviours[i].weight;
	}
}

/* When it goes on: benign mostly all the time, attacks at a time of their own. */
static void activity_draw_times(struct flows *flows, struct activity *activity, bool benign)
{
	struct random *random = &flows->random;
	uint64_t per_mille = flows->duration_ns / 1000;

	activity->start_ns = 0;
	activity->end_ns = flows->duration_ns;
	if (benign && (flows->is_single || draw_chance(random, 700)))
		return;
	if (benign || draw_chance(random, 700)) {
		activity->start_ns = per_mille * draw_between(random, 0, 600);
		activity->end_ns = activity->start_ns + per_mille * draw_between(random, 100, 1000);
		if (activity->end_ns > flows->duration_ns)
			activity->end_ns = flows->duration_ns;
	}
}

/* How many sessions or packets until an activity falls silent: so that none of them drowns the rest. */
static uint64_t budget_draw(struct flows *flows, uint64_t low, uint64_t high)
{
	uint64_t n =
		draw_log_uniform(&flows->random, low, high) * flows->options.intensity_q8 / FLOWS_INTENSITY_UNIT;

	return n ? n : 1;
}

/* The worst of what failed is in flows->failed. */
static void activity_add(struct flows *flows, const struct behaviour *behaviour)
{
	struct activity *activity = &flows->activities[flows->n_activities];

	if (flows->n_activities == FLOWS_MOST_ACTIVITIES)
		return;
	*activity = (struct activity){.behaviour = behaviour, .n_batch = 1};
	activity->dialogue.probe_flags = TCP_SYN;
	activity->dialogue.protocol = PROTOCOL_TCP;
	activity_draw_times(flows, activity, is_benign(behaviour));
	activity->flows_left = budget_draw(flows, is_benign(behaviour) ? 300 : 15, 12000);
	activity->packets_most = budget_draw(flows, 1500, 40000);
	if (!behaviour->plan(flows, activity))
		return;
	flows->n_activities++;
	flows_schedule(flows, activity->start_ns, HEAP_ACTIVITY | (flows->n_activities - 1));
}

static void scenario_plan(struct flows *flows, const struct scenario *scenario)
{
	uint32_t n_benign = draw_between(&flows->random, scenario->benign_low, scenario->benign_high);
	uint32_t n_attack = draw_between(&flows->random, scenario->attack_low, scenario->attack_high);
	const struct behaviour *behaviour;

	flows->is_single = scenario->benign_high == 1;
	/* Attacks first: their rules must stand when sessions begin. */
	for (uint32_t i = 0; i < n_attack; i++) {
		behaviour = behaviour_draw(flows, scenario, false);
		if (behaviour)
			activity_add(flows, behaviour);
	}
	for (uint32_t i = 0; i < n_benign; i++) {
		behaviour = behaviour_draw(flows, scenario, true);
		if (behaviour)
			activity_add(flows, behaviour);
	}
}

/* With --families each of the behaviours that match is there, once at least. */
static void families_plan(struct flows *flows)
{
	for (size_t i = 0; i < n_behaviours; i++)
		if (list_matches(flows->options.families, behaviours[i].name))
			activity_add(flows, &behaviours[i]);
}

/* What a capture is like: when, how long, how lossy, how much of it is seen in one direction. */
static void capture_draw(struct flows *flows)
{
	struct random *random = &flows->random;
	uint32_t rank = random_below(random, 100);

	/* From 2012 on, to a microsecond. */
	flows->epoch_ns = (UINT64_C(1325376000) + random_below(random, 400000000)) * NS_PER_S;
	flows->epoch_ns += random_below(random, 1000000) * NS_PER_US;
	flows->duration_ns = flows->options.duration_ns;
	if (!flows->duration_ns)
		flows->duration_ns = draw_log_uniform(random, 30, 1200) * NS_PER_S;
	flows->n_inside = flows->options.n_hosts;
	flows->one_way_side = random_below(random, 3);
	flows->one_way_per_mille = flows->options.one_way_per_mille;
	if (flows->one_way_per_mille == FLOWS_DRAWN)
		flows->one_way_per_mille = rank < 80 ? 0 : rank < 90 ? draw_between(random, 10, 500) : 1000;
	flows->ipv6_per_mille = draw_chance(random, 500) ? 0 : draw_between(random, 20, 600);
	flows->loss_q16 = draw_chance(random, 400) ? 0 : (uint32_t)draw_log_uniform(random, 4, 2000);
	flows->open_per_mille = draw_chance(random, 300) ? 0 : draw_between(random, 100, 1000);
}

static int flows_plan(struct flows *flows, char *error, size_t error_size)
{
	const struct scenario *scenario = NULL;

	for (size_t i = 0; i < N_SCENARIOS; i++)
		if (!strcmp(scenarios[i].name, flows->options.scenario))
			scenario = &scenarios[i];
	if (!scenario) {
		snprintf(error, error_size, "--scenario '%.64s' is none; --list names them",
			 flows->options.scenario);
		return -EINVAL;
	}
	if (flows->options.families && families_check(flows->options.families, error, error_size))
		return -EINVAL;
	capture_draw(flows);
	hosts_draw(flows);
	noise_fill(flows);
	if (flows->options.families)
		families_plan(flows);
	else
		scenario_plan(flows, scenario);
	if (flows->failed) {
		snprintf(error, error_size, "%s", strerror(-flows->failed));
		return flows->failed;
	}
	return 0;
}

int flows_create(const struct flows_options *options, struct flows **flows, char *error, size_t error_size)
{
	struct flows *made = calloc(1, sizeof(*made));
	int rc = -ENOMEM;

	*flows = NULL;
	if (made) {
		made->sessions = reallocarray(NULL, FLOWS_MOST_SESSIONS, sizeof(*made->sessions));
		made->free_sessions = reallocarray(NULL, FLOWS_MOST_SESSIONS, sizeof(*made->free_sessions));
		/* Each session and each activity is in the queue once at most. */
		made->heap = reallocarray(NULL, FLOWS_MOST_SESSIONS + FLOWS_MOST_ACTIVITIES, sizeof(*made->heap));
	}
	if (!made || !made->sessions || !made->free_sessions || !made->heap) {
		snprintf(error, error_size, "%s", strerror(ENOMEM));
	} else {
		made->options = *options;
		random_seed(&made->random, options->seed);
		for (uint32_t i = FLOWS_MOST_SESSIONS; i-- > 0;)
			made->free_sessions[made->n_free++] = i;
		rc = flows_plan(made, error, error_size);
	}
	if (!rc)
		*flows = made;
	else
		flows_free(made);
	return rc;
}

void flows_free(struct flows *flows)
{
	if (!flows)
		return;
	free(flows->sessions);
	free(flows->free_sessions);
	free(flows->heap);
	free(flows->rules);
	free(flows);
}

static void activity_step(struct flows *flows, uint32_t index)
{
	struct activity *activity = &flows->activities[index];
	uint64_t next_ns;

	if (!activity->flows_left || activity->n_packets > activity->packets_most ||
	    flows->now_ns >= activity->end_ns)
		return;
	next_ns = activity->behaviour->step(flows, activity, flows->now_ns);
	if (next_ns < activity->end_ns)
		flows_schedule(flows, next_ns > flows->now_ns ? next_ns : flows->now_ns + 1, HEAP_ACTIVITY | index);
}

int flows_run(struct flows *flows, flows_sink *sink, void *context)
{
	flows->sink = sink;
	flows->context = context;
	while (flows->n_heap && !flows->failed && flows->n_written < flows->options.max_packets) {
		struct heap_entry entry = heap_take(flows);

		if (entry.time_ns >= flows->duration_ns)
			break;
		flows->now_ns = entry.time_ns;
		if (entry.who & HEAP_ACTIVITY)
			activity_step(flows, entry.who & ~HEAP_ACTIVITY);
		else
			session_step(flows, entry.who);
	}
	return flows->failed;
}

size_t flows_n_rules(const struct flows *flows)
{
	return flows->n_rules;
}

const struct flows_rule *flows_rule(const struct flows *flows, size_t i)
{
	return &flows->rules[i];
}

size_t flows_n_activities(const struct flows *flows)
{
	return flows->n_activities;
}

struct flows_activity_summary flows_activity_summary(const struct flows *flows, size_t i)
{
	const struct activity *activity = &flows->activities[i];

	return (struct flows_activity_summary){.behaviour = activity->behaviour->name,
					       .label = activity->behaviour->label,
					       .n_flows = activity->n_flows,
					       .n_packets = activity->n_packets,
					       .first_ns = activity->first_ns,
					       .last_ns = activity->last_ns};
}

uint64_t flows_n_skipped(const struct flows *flows)
{
	return flows->n_skipped;
}
