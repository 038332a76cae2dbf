/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tests of the flow generator: every behaviour makes well-formed packets in order of time under its own label, the
 * same on every run, in memory that does not grow.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "draw.h"
#include "flows.h"

#define NS_PER_S UINT64_C(1000000000)

/* What a run made, as far as tests look at it. */
struct seen {
	const struct flows *flows;
	const char *label; /* that every packet must have; NULL: not looked at */
	uint64_t n_packets, last_ns, hash, n_bad, n_mislabelled;
	uint64_t stop_at;
};

static struct flows_options options_of(const char *scenario, const char *families, uint64_t seed)
{
	return (struct flows_options){.scenario = scenario,
				      .families = families,
				      .seed = seed,
				      .max_packets = 20000,
				      .duration_ns = 60 * NS_PER_S,
				      .intensity_q8 = FLOWS_INTENSITY_UNIT,
				      .one_way_per_mille = 0,
				      .snap_bytes = FLOWS_MOST_SNAP};
}

static struct flows *flows_of(const struct flows_options *options)
{
	struct flows *flows;
	char error[200] = "";

	assert_int_equal(flows_create(options, &flows, error, sizeof(error)), 0);
	assert_string_equal(error, "");
	return flows;
}

static uint32_t read16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

/* RFC 1071: 0xffff over bytes that hold their right checksum, on top of a sum of others. */
static uint32_t ones_sum(const uint8_t *at, size_t n_bytes, uint64_t sum)
{
	for (size_t i = 0; i + 1 < n_bytes; i += 2)
		sum += read16(at + i);
	if (n_bytes & 1)
		sum += (uint32_t)at[n_bytes - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint32_t)sum;
}

struct parsed {
	uint8_t address[2][16];
	uint16_t port[2];
	uint8_t protocol;
	bool is_later_fragment;
};

static bool transport_is_right(const uint8_t *at, size_t n_bytes, const struct parsed *p, uint64_t pseudo_sum)
{
	pseudo_sum += n_bytes + p->protocol;
	switch (p->protocol) {
	case 6:
		return n_bytes >= 20 && (at[12] >> 4) * 4u <= n_bytes &&
		       ones_sum(at, n_bytes, pseudo_sum) == 0xffff;
	case 17:
		return n_bytes >= 8 && read16(at + 4) == n_bytes && ones_sum(at, n_bytes, pseudo_sum) == 0xffff;
	case 1:
		return n_bytes >= 8 && ones_sum(at, n_bytes, 0) == 0xffff;
	case 58:
		return n_bytes >= 8 && ones_sum(at, n_bytes, pseudo_sum) == 0xffff;
	default:
		return n_bytes >= 8;
	}
}

/* A parser that shares nothing with the writer. False where lengths or checksums are wrong. */
static bool parse(const struct flows_packet *packet, struct parsed *p)
{
	const uint8_t *at = packet->data + 12, *ip;
	bool is_ipv4, is_fragment = false;
	size_t header, total;

	memset(p, 0, sizeof(*p));
	if (read16(at) == 0x8100)
		at += 4;
	is_ipv4 = read16(at) == 0x0800;
	ip = at + 2;
	if (!is_ipv4 && read16(at) != 0x86dd)
		return false;
	header = is_ipv4 ? 20 : 40;
	total = is_ipv4 ? read16(ip + 2) : 40 + read16(ip + 4);
	if ((size_t)(ip - packet->data) + total > packet->captured_bytes || total < header)
		return false;
	for (int side = 0; side < 2; side++) {
		memset(p->address[side] + 10, 0xff, 2);
		memcpy(p->address[side] + (is_ipv4 ? 12 : 0), ip + (is_ipv4 ? 12 + 4 * side : 8 + 16 * side),
		       is_ipv4 ? 4 : 16);
	}
	p->protocol = is_ipv4 ? ip[9] : ip[6];
	if (is_ipv4) {
		is_fragment = read16(ip + 6) & 0x3fff;
		p->is_later_fragment = read16(ip + 6) & 0x1fff;
		if (ones_sum(ip, 20, 0) != 0xffff)
			return false;
	}
	if (p->is_later_fragment)
		return true;
	if (p->protocol == 6 || p->protocol == 17) {
		p->port[0] = (uint16_t)read16(ip + header);
		p->port[1] = (uint16_t)read16(ip + header + 2);
	}
	/* The rest of a first fragment's datagram is elsewhere. */
	return is_fragment || transport_is_right(ip + header, total - header, p,
						 ones_sum(ip + (is_ipv4 ? 12 : 8), is_ipv4 ? 8 : 32, 0));
}

static bool prefix_holds(const uint8_t *prefix, uint32_t n_bits, const uint8_t *address)
{
	for (uint32_t i = 0; i < n_bits; i++)
		if ((prefix[i / 8] ^ address[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

static bool rule_matches(const struct flows_rule *rule, const struct parsed *p, int first)
{
	for (int side = 0; side < 2; side++) {
		uint16_t port = p->port[side ^ first];

		if (port < rule->port_low[side] || port > rule->port_high[side] ||
		    !prefix_holds(rule->address[side], rule->prefix_bits[side], p->address[side ^ first]))
			return false;
	}
	return !rule->protocol || rule->protocol == p->protocol;
}

static const char *label_of(const struct flows *flows, const struct parsed *p)
{
	for (size_t i = 0; i < flows_n_rules(flows); i++)
		if (rule_matches(flows_rule(flows, i), p, 0) || rule_matches(flows_rule(flows, i), p, 1))
			return flows_rule(flows, i)->label;
	return "benign";
}

static int look_at(void *context, const struct flows_packet *packet)
{
	struct seen *seen = context;
	struct parsed p;

	assert_true(packet->time_ns >= seen->last_ns);
	assert_true(packet->captured_bytes <= packet->wire_bytes);
	seen->last_ns = packet->time_ns;
	seen->n_packets++;
	seen->hash = (seen->hash ^ packet->time_ns ^ packet->wire_bytes) * UINT64_C(0x9e3779b97f4a7c15);
	for (uint32_t i = 0; i < packet->captured_bytes; i++)
		seen->hash = (seen->hash ^ packet->data[i]) * UINT64_C(0x100000001b3);
	if (seen->label) {
		seen->n_bad += !parse(packet, &p);
		seen->n_mislabelled += strcmp(label_of(seen->flows, &p), seen->label) != 0;
	}
	return seen->stop_at && seen->n_packets == seen->stop_at ? -7 : 0;
}

static void every_behaviour_makes_well_formed_packets_under_its_label(void **state)
{
	(void)state;
	for (size_t i = 0; i < flows_n_behaviours(); i++) {
		struct flows_listed behaviour = flows_behaviour(i);
		uint64_t n_packets = 0;

		/* A plan may draw a late or an idle time: several seeds. */
		for (uint64_t seed = 1; seed <= 6; seed++) {
			struct flows_options options = options_of("mix", behaviour.name, seed);
			struct flows *flows = flows_of(&options);
			struct seen seen = {.flows = flows, .label = behaviour.label};

			assert_int_equal(flows_run(flows, look_at, &seen), 0);
			n_packets += seen.n_packets;
			if (seen.n_bad || seen.n_mislabelled)
				fail_msg("%s, seed %d: of %d packets %d are wrong, %d have another label",
					 behaviour.name, (int)seed, (int)seen.n_packets, (int)seen.n_bad,
					 (int)seen.n_mislabelled);
			flows_free(flows);
		}
		if (!n_packets)
			fail_msg("%s makes nothing", behaviour.name);
	}
}

/* First SYNs by their ports and addresses, in a table that forgets the oldest. */
struct openings {
	struct {
		uint8_t key[12]; /* IPv4 addresses and ports */
		uint32_t sequence;
	} seen[4096];
	uint32_t n_again, n_changed, n_short;
};

static int look_at_openings(void *context, const struct flows_packet *packet)
{
	struct openings *openings = context;
	const uint8_t *at = packet->data + (read16(packet->data + 12) == 0x8100 ? 16 : 12), *ip = at + 2;
	uint32_t slot = 0, sequence;

	if (read16(at) != 0x0800 || ip[9] != 6 || ip[33] != 2)
		return 0;
	openings->n_short += read16(ip + 2) == 48;
	for (int i = 12; i < 24; i++)
		slot = slot * 31 + ip[i];
	slot %= 4096;
	sequence = read16(ip + 24) << 16 | read16(ip + 26);
	if (!memcmp(openings->seen[slot].key, ip + 12, 12)) {
		openings->n_again++;
		openings->n_changed += openings->seen[slot].sequence != sequence;
	}
	memcpy(openings->seen[slot].key, ip + 12, 12);
	openings->seen[slot].sequence = sequence;
	return 0;
}

static void repeated_syns_are_the_same_segment_and_some_are_of_old_systems(void **state)
{
	static struct openings openings;

	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct flows_options options = options_of("mix", "p2p-calm,parallel-waves,message-push", seed);
		struct flows *flows = flows_of(&options);

		memset(openings.seen, 0, sizeof(openings.seen));
		assert_int_equal(flows_run(flows, look_at_openings, &openings), 0);
		flows_free(flows);
	}
	assert_true(openings.n_again > 300);
	/* Ports are used again at times. */
	assert_true(openings.n_changed * 50 < openings.n_again);
	assert_true(openings.n_short > 20);
}

static void every_scenario_runs_and_counts_its_packets(void **state)
{
	(void)state;
	for (size_t i = 0; i < flows_n_scenarios(); i++) {
		struct flows_options options = options_of(flows_scenario(i).name, NULL, 3);
		struct flows *flows = flows_of(&options);
		struct seen seen = {.flows = flows};
		uint64_t n_packets = 0;

		assert_int_equal(flows_run(flows, look_at, &seen), 0);
		for (size_t k = 0; k < flows_n_activities(flows); k++) {
			struct flows_activity_summary activity = flows_activity_summary(flows, k);

			n_packets += activity.n_packets;
			assert_true(!activity.n_packets == !activity.n_flows);
			assert_true(activity.first_ns <= activity.last_ns);
		}
		assert_int_equal(n_packets, seen.n_packets);
		assert_true(seen.n_packets > 0);
		flows_free(flows);
	}
}

static void benign_scenarios_have_no_rule_and_attack_has_no_benign_activity(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 8; seed++) {
		struct flows_options options = options_of(seed % 2 ? "benign" : "attack", NULL, seed);
		struct flows *flows = flows_of(&options);

		if (seed % 2)
			assert_int_equal(flows_n_rules(flows), 0);
		for (size_t k = 0; k < flows_n_activities(flows); k++)
			assert_int_equal(!strcmp(flows_activity_summary(flows, k).label, "benign"), seed % 2);
		flows_free(flows);
	}
}

static uint64_t hash_of(uint64_t seed)
{
	struct flows_options options = options_of("mix", NULL, seed);
	struct flows *flows = flows_of(&options);
	struct seen seen = {.flows = flows};

	assert_int_equal(flows_run(flows, look_at, &seen), 0);
	flows_free(flows);
	return seen.hash;
}

static void same_seed_makes_the_same_packets(void **state)
{
	(void)state;
	assert_true(hash_of(5) == hash_of(5));
	assert_true(hash_of(5) != hash_of(6));
}

static void snap_length_changes_no_time_and_no_wire_length(void **state)
{
	uint64_t n_packets[2], last_ns[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct flows_options options = options_of("mix", NULL, 9);
		struct seen seen = {0};
		struct flows *flows;

		options.snap_bytes = i ? 128 : FLOWS_MOST_SNAP;
		flows = flows_of(&options);
		assert_int_equal(flows_run(flows, look_at, &seen), 0);
		n_packets[i] = seen.n_packets;
		last_ns[i] = seen.last_ns;
		flows_free(flows);
	}
	assert_int_equal(n_packets[0], n_packets[1]);
	assert_true(last_ns[0] == last_ns[1]);
}

static void packet_limit_and_sink_end_the_run(void **state)
{
	struct flows_options options = options_of("mix", NULL, 2);
	struct seen seen = {.stop_at = 100};
	struct flows *flows;

	(void)state;
	flows = flows_of(&options);
	assert_int_equal(flows_run(flows, look_at, &seen), -7);
	assert_int_equal(seen.n_packets, 100);
	flows_free(flows);
	options.max_packets = 50;
	flows = flows_of(&options);
	seen = (struct seen){0};
	assert_int_equal(flows_run(flows, look_at, &seen), 0);
	assert_int_equal(seen.n_packets, 50);
	flows_free(flows);
}

static void more_sessions_than_there_is_room_for_are_counted_not_begun(void **state)
{
	struct flows_options options = options_of("mix", "flood-syn,scan-*,p2p-*", 4);
	struct seen seen = {0};
	struct flows *flows;

	(void)state;
	options.intensity_q8 = 100 * FLOWS_INTENSITY_UNIT;
	options.max_packets = 400000;
	options.snap_bytes = 128;
	flows = flows_of(&options);
	assert_int_equal(flows_run(flows, look_at, &seen), 0);
	assert_true(seen.n_packets > 100000);
	flows_free(flows);
}

static void unknown_names_are_refused_in_one_line(void **state)
{
	static const char *const lists[] = {"smoke", "", "web,", ",web", "web,smoke", "w*,?"};
	struct flows_options options = options_of("moon", NULL, 1);
	struct flows *flows;
	char error[200];

	(void)state;
	assert_int_equal(flows_create(&options, &flows, error, sizeof(error)), -22);
	assert_null(flows);
	assert_non_null(strstr(error, "moon"));
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		options = options_of("mix", lists[i], 1);
		assert_int_equal(flows_create(&options, &flows, error, sizeof(error)), -22);
		assert_non_null(strstr(error, "--families"));
		assert_null(strchr(error, '\n'));
	}
}

static void one_way_captures_have_one_direction_of_each_flow(void **state)
{
	struct flows_options options = options_of("mix", "web", 1);
	struct seen seen = {0}, both = {0};
	struct flows *flows;

	(void)state;
	options.one_way_per_mille = 1000;
	flows = flows_of(&options);
	assert_int_equal(flows_run(flows, look_at, &seen), 0);
	flows_free(flows);
	options.one_way_per_mille = 0;
	flows = flows_of(&options);
	assert_int_equal(flows_run(flows, look_at, &both), 0);
	flows_free(flows);
	assert_true(seen.n_packets > 0 && seen.n_packets != both.n_packets);
}

/* Of 2001 draws. */
static uint64_t median_of(uint64_t (*draw)(struct random *))
{
	static uint64_t values[2001];
	struct random random;

	random_seed(&random, 11);
	for (size_t i = 0; i < 2001; i++) {
		size_t k = i;
		uint64_t value = draw(&random);

		for (; k && values[k - 1] > value; k--)
			values[k] = values[k - 1];
		values[k] = value;
	}
	return values[1000];
}

static uint64_t draw_a_lognormal(struct random *random)
{
	return draw_lognormal(random, 1000, 3 * 256);
}

static uint64_t draw_an_exponential(struct random *random)
{
	return draw_exponential(random, 1000000);
}

static uint64_t draw_a_pareto(struct random *random)
{
	return draw_pareto(random, 1000, 256, 1000000);
}

static uint64_t draw_a_log_uniform(struct random *random)
{
	return draw_log_uniform(random, 10, 100000);
}

static void medians_are_those_of_the_distributions(void **state)
{
	(void)state;
	assert_in_range(median_of(draw_a_lognormal), 920, 1080);
	assert_in_range(median_of(draw_an_exponential), 650000, 740000); /* ln 2 */
	assert_in_range(median_of(draw_a_pareto), 1900, 2100);
	assert_in_range(median_of(draw_a_log_uniform), 850, 1170);
}

static void limits_of_distributions_hold(void **state)
{
	struct dist constant = DIST(42, 1, 0, 0), narrow = DIST(1000, 9, 900, 1100), small = DIST(3, 4, 0, 0);
	struct random random;

	(void)state;
	random_seed(&random, 3);
	for (int i = 0; i < 5000; i++) {
		assert_int_equal(draw_dist(&random, &constant), 42);
		assert_in_range(draw_dist(&random, &narrow), 900, 1100);
		assert_true(draw_dist(&random, &small) < 3000);
		assert_in_range(draw_log_uniform(&random, 7, 7), 7, 7);
		assert_in_range(draw_log_uniform(&random, 1, UINT64_C(1) << 40), 1, UINT64_C(1) << 40);
		assert_in_range(draw_pareto(&random, 10, 300, 500), 10, 500);
		assert_true(draw_exponential(&random, 1) >= 1);
		assert_true(draw_exponential(&random, UINT64_C(1) << 50) >= 1);
	}
}

static void powers_undo_logarithms(void **state)
{
	(void)state;
	for (uint64_t x = 1; x < UINT64_C(1) << 60; x = x * 5 / 3 + 1) {
		uint64_t back = draw_exp2_q16(draw_log2_q16(x));

		/* Within what 16 bits behind the point can tell. */
		assert_true(back <= x && x - back <= x / 16384 + 1);
	}
	assert_int_equal(draw_log2_q16(1), 0);
	assert_int_equal(draw_log2_q16(1024), 10 * DRAW_ONE);
	assert_int_equal(draw_exp2_q16(-1), 0);
	assert_true(draw_exp2_q16((int64_t)70 * DRAW_ONE) == UINT64_C(1) << 62);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(powers_undo_logarithms),
		cmocka_unit_test(medians_are_those_of_the_distributions),
		cmocka_unit_test(limits_of_distributions_hold),
		cmocka_unit_test(every_behaviour_makes_well_formed_packets_under_its_label),
		cmocka_unit_test(repeated_syns_are_the_same_segment_and_some_are_of_old_systems),
		cmocka_unit_test(every_scenario_runs_and_counts_its_packets),
		cmocka_unit_test(benign_scenarios_have_no_rule_and_attack_has_no_benign_activity),
		cmocka_unit_test(same_seed_makes_the_same_packets),
		cmocka_unit_test(snap_length_changes_no_time_and_no_wire_length),
		cmocka_unit_test(packet_limit_and_sink_end_the_run),
		cmocka_unit_test(more_sessions_than_there_is_room_for_are_counted_not_begun),
		cmocka_unit_test(unknown_names_are_refused_in_one_line),
		cmocka_unit_test(one_way_captures_have_one_direction_of_each_flow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
