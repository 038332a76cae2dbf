/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The context of hosts: what is counted at the turns of flows, how it fades, and that floods do not push busy hosts
 * out.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flow_context.h"
#include "packet.h"

#define SECOND_NS UINT64_C(1000000000)
#define START_NS  (1700000000 * SECOND_NS)

#if defined(__SANITIZE_ADDRESS__)
#define FLOOD_SOURCES 1000000u
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FLOOD_SOURCES 1000000u
#endif
#endif
#ifndef FLOOD_SOURCES
#define FLOOD_SOURCES 10000000u
#endif

static struct flow_contexts *contexts_create(uint32_t n_workers)
{
	const struct flow_context_config config = {
		.n_hosts = 1 << 16, .n_pairs = 1 << 18, .n_workers = n_workers, .seed = {1, 2}};
	struct flow_contexts *contexts;

	assert_int_equal(flow_contexts_create(&config, &contexts), 0);
	return contexts;
}

/* A flow from one host to another, IPv4 10.x.x.x. */
static struct flow flow_make(uint32_t initiator, uint32_t responder, uint16_t port, uint8_t protocol, uint64_t ns)
{
	struct flow flow = {.start_ns = ns, .last_ns = ns};

	for (int e = 0; e < 2; e++) {
		uint32_t host = e ? responder : initiator;
		const uint8_t address[16] = {[10] = 0xff,
					     [11] = 0xff,
					     [12] = 10,
					     [13] = (uint8_t)(host >> 16),
					     [14] = (uint8_t)(host >> 8),
					     [15] = (uint8_t)host};

		memcpy(flow.key.address[e], address, 16);
	}
	flow.key.port[0] = 40000;
	flow.key.port[1] = port;
	flow.key.protocol = protocol;
	flow.side[FLOW_FORWARD].packets = 1;
	flow.side[FLOW_FORWARD].tcp_flags = protocol == PACKET_PROTOCOL_TCP ? PACKET_TCP_SYN : 0;
	return flow;
}

/* One turn of a flow; returns the context behind it. */
static struct flow_context turn(struct flow_contexts *contexts, const struct flow *flow, enum flow_reason reason,
				struct flow_context_memory *memory)
{
	const struct flow_view view = {.flow = flow};
	struct flow_context_turn prepared;
	struct flow_context context;

	flow_context_prepare(contexts, &view, reason, NULL, &prepared);
	flow_context_fetch(contexts, &prepared);
	flow_context_count(contexts, &prepared, memory);
	flow_context_read(contexts, &prepared, &context);
	return context;
}

static struct flow_context start(struct flow_contexts *contexts, const struct flow *flow)
{
	struct flow_context_memory memory = {0};

	return turn(contexts, flow, FLOW_REASON_STARTED, &memory);
}

static void assert_near(float value, double expected)
{
	if (!(fabs((double)value - expected) <= 1e-4 * fmax(1, fabs(expected))))
		fail_msg("%g is not %g", (double)value, expected);
}

static void assert_within(float value, double expected, double share)
{
	if (!(fabs((double)value - expected) <= share * fabs(expected)))
		fail_msg("%g is not within %g of %g", (double)value, share, expected);
}

/* Where a host's entry is, as far as set and tag tell. */
struct twin {
	uint64_t place;
	uint32_t host;
};

static int twin_compare(const void *a, const void *b)
{
	const struct twin *x = a, *y = b;

	return (x->place > y->place) - (x->place < y->place);
}

static void a_new_flow_is_the_first_of_its_hosts(void **state)
{
	struct flow_contexts *contexts = contexts_create(1);
	struct flow flow = flow_make(1, 2, 80, PACKET_PROTOCOL_TCP, START_NS);
	struct flow_context context = start(contexts, &flow);

	(void)state;
	for (int t = 0; t < FLOW_CONTEXT_N_TAUS; t++)
		assert_near(context.initiator_flows[t], 1);
	assert_near(context.initiator_unanswered, 1);
	assert_near(context.initiator_refused, 0);
	assert_near(context.pair_flows_10s, 1);
	assert_near(context.pair_flows_60s, 1);
	assert_near(context.hosts_flows_60s, 1);
	assert_near(context.responder_flows_1s, 1);
	assert_near(context.responder_flows_10s, 1);
	assert_near(context.service_flows_10s, 1);
	assert_near(context.responder_open, 0);
	/* Linear counting: one bit of 128. */
	assert_near(context.initiator_responders, 128 * log(128 / 127.0));
	assert_near(context.responder_ports, 128 * log(128 / 127.0));
	flow_contexts_free(contexts);
}

static void counts_fade_with_their_period(void **state)
{
	struct flow_contexts *contexts = contexts_create(1);
	struct flow flow = flow_make(1, 2, 80, PACKET_PROTOCOL_TCP, START_NS);
	struct flow_context context;

	(void)state;
	start(contexts, &flow);
	flow = flow_make(1, 3, 81, PACKET_PROTOCOL_TCP, START_NS + 5 * SECOND_NS);
	context = start(contexts, &flow);
	assert_near(context.initiator_flows[FLOW_CONTEXT_1S], 1 + exp(-5));
	assert_near(context.initiator_flows[FLOW_CONTEXT_10S], 1 + exp(-0.5));
	assert_near(context.initiator_flows[FLOW_CONTEXT_60S], 1 + exp(-5 / 60.0));
	assert_near(context.responder_flows_10s, 1);
	/* Read later by a packet of the same flow. */
	flow.last_ns += 20 * SECOND_NS;
	context = turn(contexts, &flow, FLOW_REASON_CHECKPOINT, &(struct flow_context_memory){0});
	assert_near(context.initiator_flows[FLOW_CONTEXT_10S], exp(-2) + exp(-2.5));
	assert_near(context.service_flows_10s, exp(-2));
	/* A packet from before reads what is there, and a flow from before counts as much as is left of it. */
	flow = flow_make(1, 4, 82, PACKET_PROTOCOL_TCP, START_NS);
	context = start(contexts, &flow);
	assert_near(context.initiator_flows[FLOW_CONTEXT_10S], 1 + 2 * exp(-0.5));
	/* After an hour nothing is left. */
	flow.last_ns += 3600 * SECOND_NS;
	context = turn(contexts, &flow, FLOW_REASON_CHECKPOINT, &(struct flow_context_memory){0});
	assert_near(context.initiator_flows[FLOW_CONTEXT_60S], 0);
	assert_near(context.initiator_responders, 0);
	flow_contexts_free(contexts);
}

static void distinct_things_are_counted_for_half_a_minute_to_a_minute(void **state)
{
	struct flow_contexts *contexts = contexts_create(1);
	struct flow_context context = {0};

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		struct flow flow = flow_make(1, 1000 + i, (uint16_t)(1 + i % 10), PACKET_PROTOCOL_TCP, START_NS);

		context = start(contexts, &flow);
	}
	assert_true(context.initiator_responders > 80 && context.initiator_responders < 125);
	assert_true(context.initiator_ports > 8.5f && context.initiator_ports < 11.5f);
	for (uint64_t s = 25; s <= 65; s += 20) {
		struct flow flow = flow_make(1, 7, 7, PACKET_PROTOCOL_TCP, START_NS + s * SECOND_NS);

		context = start(contexts, &flow);
		if (s < 60)
			assert_true(context.initiator_responders > 80);
		else
			assert_true(context.initiator_responders < 3);
	}
	flow_contexts_free(contexts);
}

/* A TCP connection with payload both ways, replied to and closed. */
static struct flow_context whole_connection(struct flow_contexts *contexts, uint16_t port, uint64_t ns,
					    uint8_t reply_flags, uint64_t payload_bytes)
{
	struct flow flow = flow_make(1, 2, port, PACKET_PROTOCOL_TCP, ns);
	struct flow_side *backward = &flow.side[FLOW_BACKWARD];
	struct flow_context_memory memory = {0};
	struct flow_context context;

	turn(contexts, &flow, FLOW_REASON_STARTED, &memory);
	backward->packets = 1;
	backward->tcp_flags = reply_flags;
	context = turn(contexts, &flow, FLOW_REASON_REPLIED, &memory);
	assert_near(context.pair_open, reply_flags & PACKET_TCP_RST ? 0 : 1);
	flow.side[FLOW_FORWARD].payload_bytes = backward->payload_bytes = payload_bytes / 2;
	flow.side[FLOW_FORWARD].data_packets = backward->data_packets = payload_bytes > 0;
	flow.last_ns += 1000000;
	if (payload_bytes)
		turn(contexts, &flow, FLOW_REASON_PRODUCTIVE, &memory);
	context = turn(contexts, &flow, FLOW_REASON_CLOSED, &memory);
	assert_near(context.pair_open, 0);
	/* The end adds nothing. */
	turn(contexts, &flow, FLOW_REASON_FIN, &memory);
	return context;
}

static void turns_tell_how_flows_end(void **state)
{
	struct flow_contexts *contexts = contexts_create(1);
	struct flow_context context;

	(void)state;
	context = whole_connection(contexts, 80, START_NS, PACKET_TCP_SYN | PACKET_TCP_ACK, 1000);
	assert_near(context.initiator_unanswered, 0);
	assert_near(context.initiator_productive, 1);
	assert_near(context.initiator_short_closed, 1);
	assert_near(context.pair_productive, 1);
	assert_near(context.pair_duration_log, log(1 + 1000));
	context = whole_connection(contexts, 80, START_NS, PACKET_TCP_SYN | PACKET_TCP_ACK, 100000);
	assert_near(context.initiator_short_closed, 0.5);
	context = whole_connection(contexts, 80, START_NS, PACKET_TCP_RST | PACKET_TCP_ACK, 0);
	assert_near(context.initiator_refused, 1 / 3.0);
	assert_near(context.initiator_short_closed, 1 / 3.0);
	assert_near(context.initiator_productive, 2 / 3.0);
	assert_near(context.pair_productive, 2 / 3.0);
	flow_contexts_free(contexts);
}

static void connections_that_never_close_fade(void **state)
{
	struct flow_contexts *contexts = contexts_create(1);
	struct flow flow = flow_make(1, 2, 80, PACKET_PROTOCOL_TCP, START_NS);
	struct flow_context context;
	struct flow_context_memory memory = {0};

	(void)state;
	turn(contexts, &flow, FLOW_REASON_STARTED, &memory);
	flow.side[FLOW_BACKWARD].packets = 1;
	flow.side[FLOW_BACKWARD].tcp_flags = PACKET_TCP_SYN | PACKET_TCP_ACK;
	turn(contexts, &flow, FLOW_REASON_REPLIED, &memory);
	context = turn(contexts, &flow, FLOW_REASON_ACTIVE, &memory);
	assert_near(context.responder_open, 1);
	flow.last_ns += 300 * SECOND_NS;
	context = turn(contexts, &flow, FLOW_REASON_IDLE, &memory);
	assert_near(context.responder_open, exp(-0.5));
	/* What is left of it goes when it closes, and no more. */
	context = turn(contexts, &flow, FLOW_REASON_CLOSED, &memory);
	assert_near(context.responder_open, 0);
	flow_contexts_free(contexts);
}

/* A reply and a payload long after the start tell of a flow that has faded since. */
static void shares_are_of_the_flows_that_are_still_counted(void **state)
{
	struct flow_contexts *contexts = contexts_create(1);
	struct flow early = flow_make(1, 2, 53, PACKET_PROTOCOL_UDP, START_NS);
	struct flow late = flow_make(1, 2, 53, PACKET_PROTOCOL_UDP, START_NS + 120 * SECOND_NS);
	struct flow_context_memory memory = {0};
	const double left = exp(-2), flows = 1 + exp(-2);
	struct flow_context context;

	(void)state;
	turn(contexts, &early, FLOW_REASON_STARTED, &memory);
	start(contexts, &late);
	early.last_ns = late.last_ns;
	early.side[FLOW_BACKWARD].packets = 1;
	context = turn(contexts, &early, FLOW_REASON_REPLIED, &memory);
	assert_near(context.initiator_unanswered, 1 - left / flows);
	assert_near(context.responder_unanswered, 1 - left / flows);
	context = turn(contexts, &early, FLOW_REASON_PRODUCTIVE, &memory);
	assert_near(context.initiator_productive, left / flows);
	assert_near(context.pair_productive, left / flows);
	flow_contexts_free(contexts);
}

/* A connection of half an hour and 50 kB, whose last slice has lasted a second and carried nothing. */
static void slices_are_one_connection(void **state)
{
	struct flow_contexts *contexts = contexts_create(1);
	struct flow flow = flow_make(1, 2, 80, PACKET_PROTOCOL_TCP, START_NS);
	struct flow_context_memory memory = {0};
	struct flow_context context;

	(void)state;
	turn(contexts, &flow, FLOW_REASON_STARTED, &memory);
	flow.side[FLOW_BACKWARD].packets = 1;
	flow.side[FLOW_BACKWARD].tcp_flags = PACKET_TCP_SYN | PACKET_TCP_ACK;
	turn(contexts, &flow, FLOW_REASON_REPLIED, &memory);
	for (uint32_t slice = 0; slice < 2; slice++) {
		flow.side[FLOW_BACKWARD].payload_bytes = 5000;
		flow.last_ns += 899 * SECOND_NS;
		turn(contexts, &flow, FLOW_REASON_ACTIVE, &memory);
		flow.start_ns = flow.last_ns += SECOND_NS;
		flow.slice++;
	}
	flow.side[FLOW_BACKWARD].payload_bytes = 0;
	context = turn(contexts, &flow, FLOW_REASON_CLOSED, &memory);
	assert_near(context.initiator_short_closed, 0);
	assert_near(context.pair_duration_log, log(1 + 1800e6));
	assert_near(context.responder_open, 0);
	flow_contexts_free(contexts);
}

/* Each packet of an idle connection may be the first of another flow: none of them opens a connection. */
static void what_begins_in_the_middle_of_a_connection_opens_none(void **state)
{
	struct flow_contexts *contexts = contexts_create(1);
	struct flow_context context = {0};

	(void)state;
	for (uint32_t i = 0; i < 10; i++) {
		struct flow flow = flow_make(1, 2, 80, PACKET_PROTOCOL_TCP, START_NS + i * 100 * SECOND_NS);
		struct flow_context_memory memory = {0};

		flow.side[FLOW_FORWARD].tcp_flags = PACKET_TCP_ACK;
		turn(contexts, &flow, FLOW_REASON_STARTED, &memory);
		flow.side[FLOW_BACKWARD].packets = 1;
		flow.side[FLOW_BACKWARD].tcp_flags = PACKET_TCP_ACK;
		context = turn(contexts, &flow, FLOW_REASON_REPLIED, &memory);
	}
	assert_near(context.responder_open, 0);
	assert_near(context.pair_open, 0);
	flow_contexts_free(contexts);
}

/* Sums are right where single events are shorter apart than floats can tell, and more than they can add up. */
static void a_flood_of_one_host_on_another_is_counted_right(void **state)
{
	struct flow_contexts *contexts = contexts_create(1);
	struct flow flow = flow_make(1, 2, 80, PACKET_PROTOCOL_TCP, START_NS);
	const struct flow_view view = {.flow = &flow};
	struct flow_context_memory memory = {0};
	struct flow_context_turn prepared, reply;
	struct flow_context context;
	const uint32_t seconds = 6, gap_ns = 200; /* 5 million flows a second, every other one refused */
	const double rate = 1e9 / gap_ns;

	(void)state;
	flow.side[FLOW_BACKWARD].tcp_flags = PACKET_TCP_RST;
	flow_context_prepare(contexts, &view, FLOW_REASON_STARTED, NULL, &prepared);
	for (uint64_t ns = 0; ns < seconds * SECOND_NS; ns += gap_ns) {
		prepared.start_ns = prepared.last_ns = START_NS + ns;
		flow_context_count(contexts, &prepared, &memory);
		if (ns % (2 * gap_ns))
			continue;
		reply = prepared;
		reply.reason = FLOW_REASON_REPLIED;
		flow_context_count(contexts, &reply, &memory);
	}
	flow_context_read(contexts, &prepared, &context);
	assert_within(context.initiator_flows[FLOW_CONTEXT_1S], rate * (1 - exp(-6)), 0.02);
	assert_within(context.initiator_flows[FLOW_CONTEXT_10S], rate * 10 * (1 - exp(-0.6)), 0.02);
	assert_within(context.initiator_flows[FLOW_CONTEXT_60S], rate * 60 * (1 - exp(-0.1)), 0.02);
	assert_within(context.responder_flows_10s, rate * 10 * (1 - exp(-0.6)), 0.02);
	assert_within(context.pair_flows_60s, rate * 60 * (1 - exp(-0.1)), 0.02);
	assert_within(context.service_flows_10s, rate * 10 * (1 - exp(-0.6)), 0.02);
	assert_within(context.initiator_refused, 0.5, 0.02);
	assert_within(context.initiator_unanswered, 0.5, 0.02);
	flow_contexts_free(contexts);
}

/* Two hosts whose entries have the same tag and the same set. */
static void hosts_that_differ_in_the_rest_of_their_hash_alone_are_told_apart(void **state)
{
	enum { N_HOSTS = 1 << 20 };
	const struct flow_context_config config = {
		.n_hosts = FLOW_CONTEXT_MIN_ENTRIES, .n_pairs = 1 << 18, .n_workers = 1, .seed = {1, 2}};
	struct flow_contexts *contexts;
	struct twin *twins = malloc(N_HOSTS * sizeof(*twins));
	uint32_t n_found = 0;

	(void)state;
	assert_non_null(twins);
	assert_int_equal(flow_contexts_create(&config, &contexts), 0);
	for (uint32_t i = 0; i < N_HOSTS; i++) {
		struct flow flow = flow_make(i, 1 << 23, 80, PACKET_PROTOCOL_UDP, START_NS);
		const struct flow_view view = {.flow = &flow};
		struct flow_context_turn prepared;

		flow_context_prepare(contexts, &view, FLOW_REASON_STARTED, NULL, &prepared);
		twins[i] = (struct twin){prepared.hosts[0] >> 32 << 32 | (prepared.hosts[0] & 7), i};
	}
	qsort(twins, N_HOSTS, sizeof(*twins), twin_compare);
	for (uint32_t i = 1; i < N_HOSTS; i++) {
		struct flow_context first, second;

		if (twins[i].place != twins[i - 1].place)
			continue;
		n_found++;
		flow_contexts_clear(contexts);
		for (uint32_t round = 0; round < 3; round++) {
			struct flow a = flow_make(twins[i - 1].host, 1 << 23, 80, PACKET_PROTOCOL_UDP, START_NS);
			struct flow b = flow_make(twins[i].host, 1 << 23, 80, PACKET_PROTOCOL_UDP, START_NS);

			first = start(contexts, &a);
			second = start(contexts, &b);
		}
		assert_near(first.initiator_flows[0], 3);
		assert_near(second.initiator_flows[0], 3);
	}
	assert_true(n_found > 5);
	free(twins);
	flow_contexts_free(contexts);
}

static void workers_scale_what_they_see_of_other_hosts(void **state)
{
	struct flow_contexts *contexts = contexts_create(4);
	struct flow_context context = {0};

	(void)state;
	for (uint32_t i = 0; i < 25; i++) {
		struct flow flow = flow_make(1, 2 + i, 80, PACKET_PROTOCOL_TCP, START_NS);

		context = start(contexts, &flow);
		if (!i)
			assert_near(context.initiator_flows[0], 1);
	}
	assert_near(context.initiator_flows[0], 97);
	assert_near(context.initiator_flows[2], 97);
	assert_true(context.initiator_ports < 1.01f);
	assert_near(context.responder_flows_10s, 1);
	assert_near(context.pair_flows_60s, 1);
	assert_near(context.initiator_unanswered, 1);
	flow_contexts_free(contexts);
}

static void what_two_hosts_have_together_is_all_with_one_worker(void **state)
{
	struct flow_contexts *contexts[2] = {contexts_create(1), contexts_create(4)};
	struct flow_context read[2];

	(void)state;
	for (uint32_t i = 0; i < 25; i++)
		for (uint32_t c = 0; c < 2; c++) {
			struct flow flow = flow_make(1, 2, (uint16_t)(1 + i % 20), PACKET_PROTOCOL_TCP, START_NS);

			read[c] = start(contexts[c], &flow);
		}
	assert_memory_equal(&read[0], &read[1], sizeof(read[0]));
	assert_near(read[1].initiator_flows[0], 25);
	assert_near(read[1].pair_flows_60s, 2);
	for (uint32_t c = 0; c < 2; c++)
		flow_contexts_free(contexts[c]);
}

/*
 * A host begins flows with n_ports ports of each of n_hosts others, the same ones, or each with its own; one of n_workers
 * workers gets its share of the hosts. What it tells of at the last.
 */
static struct flow_context share_of_sweep(uint32_t n_workers, uint32_t n_hosts, uint32_t n_ports, bool has_own)
{
	struct flow_contexts *contexts = contexts_create(n_workers);
	struct flow_context context = {0};
	uint64_t now_ns = START_NS;

	for (uint32_t p = 0; p < n_ports; p++)
		for (uint32_t h = 0; h < n_hosts; h++) {
			uint16_t port = (uint16_t)(1 + p + (has_own ? h * n_ports : 0));
			struct flow flow =
				flow_make(1, 1000 + h, port, PACKET_PROTOCOL_TCP, now_ns += SECOND_NS / 1000);

			if ((h * 2654435761u >> 16) % n_workers == 0)
				context = start(contexts, &flow);
		}
	flow_contexts_free(contexts);
	return context;
}

static void hosts_and_ports_are_scaled_as_far_as_workers_see_different_ones(void **state)
{
	static const struct {
		uint32_t n_hosts, n_ports;
		bool has_own;
	} cases[] = {{100, 1, false}, {100, 1, true}, {100, 4, false}, {50, 10, false}, {200, 2, false}};

	(void)state;
	for (uint32_t n_workers = 1; n_workers <= 4; n_workers *= 2) {
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			uint32_t n_hosts = cases[i].n_hosts, n_ports = cases[i].n_ports;
			struct flow_context told = share_of_sweep(n_workers, n_hosts, n_ports, cases[i].has_own);
			double hosts = (double)told.initiator_responders / n_hosts;
			double ports =
				(double)told.initiator_ports / (cases[i].has_own ? n_ports * n_hosts : n_ports);
			double flows = (double)told.initiator_flows[2] / (n_hosts * n_ports);

			/* A part of the hosts tells little: half as many, or twice, is another matter. */
			if (hosts > 1.5 || hosts < 0.67 || ports > 1.5 || ports < 0.67 || flows > 1.3 ||
			    flows < 0.7)
				fail_msg("%u workers, case %zu: %g of the hosts, %g of the ports, %g of the flows",
					 n_workers, i, hosts, ports, flows);
		}
	}
	/* No more than one worker could tell of. */
	assert_true(share_of_sweep(4, 20000, 1, false).initiator_responders <=
		    share_of_sweep(1, 20000, 1, false).initiator_responders);
}

static void one_host_on_two_networks_is_two_hosts(void **state)
{
	struct flow_contexts *contexts = contexts_create(1);
	struct flow flow = flow_make(1, 2, 80, PACKET_PROTOCOL_TCP, START_NS);
	struct flow_context context;

	(void)state;
	start(contexts, &flow);
	flow.key.scope_id = FLOW_KEY_VLANS | 5;
	context = start(contexts, &flow);
	assert_near(context.initiator_flows[0], 1);
	flow_contexts_free(contexts);
}

static void what_was_cleared_is_forgotten(void **state)
{
	struct flow_contexts *contexts = contexts_create(1);
	struct flow flow = flow_make(1, 2, 80, PACKET_PROTOCOL_TCP, START_NS);
	struct flow_context context;

	(void)state;
	start(contexts, &flow);
	flow_contexts_clear(contexts);
	context = start(contexts, &flow);
	assert_near(context.initiator_flows[FLOW_CONTEXT_60S], 1);
	flow_contexts_free(contexts);
}

/* However long ago: ages come round. */
static void what_is_left_of_a_flood_gives_way_after_a_pause(void **state)
{
	static const uint32_t pauses_h[] = {1, 18, 20, 30, 38, 60};

	(void)state;
	for (size_t p = 0; p < sizeof(pauses_h) / sizeof(pauses_h[0]); p++) {
		struct flow_contexts *contexts = contexts_create(1);
		uint64_t now_ns = START_NS;
		uint32_t n_right = 0;

		for (uint32_t i = 0; i < 200000; i++) {
			struct flow flow = flow_make(100000 + i, 1, 80, PACKET_PROTOCOL_TCP, now_ns += 10000);

			start(contexts, &flow);
		}
		now_ns += pauses_h[p] * UINT64_C(3600) * SECOND_NS;
		for (uint32_t i = 0; i < 6 * 500; i++) {
			struct flow flow =
				flow_make(10 + i % 500, 2, 80, PACKET_PROTOCOL_TCP, now_ns += SECOND_NS / 1000);

			n_right += start(contexts, &flow).initiator_flows[FLOW_CONTEXT_60S] > 5;
		}
		if (n_right < 490)
			fail_msg("after %u hours %u of 500 hosts are known", pauses_h[p], n_right);
		flow_contexts_free(contexts);
	}
}

/* The turns of a flow whose hosts have been pushed out change nothing and read as if there were no other flow. */
static void flows_whose_hosts_were_pushed_out_are_harmless(void **state)
{
	const struct flow_context_config config = {
		.n_hosts = FLOW_CONTEXT_MIN_ENTRIES, .n_pairs = FLOW_CONTEXT_MIN_ENTRIES, .n_workers = 1};
	struct flow flow = flow_make(1, 2, 80, PACKET_PROTOCOL_TCP, START_NS);
	struct flow_context_memory memory = {0};
	struct flow_contexts *contexts;
	struct flow_context context;

	(void)state;
	assert_int_equal(flow_contexts_create(&config, &contexts), 0);
	turn(contexts, &flow, FLOW_REASON_STARTED, &memory);
	for (uint32_t i = 0; i < 100000; i++) {
		struct flow other =
			flow_make(100 + i, 200000 + i, 80, PACKET_PROTOCOL_TCP, START_NS + 100 * SECOND_NS);

		start(contexts, &other);
	}
	flow.side[FLOW_BACKWARD].packets = 1;
	flow.side[FLOW_BACKWARD].tcp_flags = PACKET_TCP_SYN | PACKET_TCP_ACK;
	turn(contexts, &flow, FLOW_REASON_REPLIED, &memory);
	turn(contexts, &flow, FLOW_REASON_CLOSED, &memory);
	context = turn(contexts, &flow, FLOW_REASON_FIN, &memory);
	assert_near(context.initiator_flows[FLOW_CONTEXT_60S], 1);
	assert_near(context.initiator_responders, 128 * log(128 / 127.0));
	assert_near(context.initiator_unanswered, 0);
	assert_near(context.responder_flows_10s, 1);
	assert_near(context.pair_flows_10s, 1);
	assert_near(context.pair_open, 0);
	flow_contexts_free(contexts);
}

/* A scanner, 20 flows a second, and what its context is after a minute. */
static struct flow_context scan(struct flow_contexts *contexts, uint32_t second, uint32_t i)
{
	struct flow flow = flow_make(7, 9, (uint16_t)(1 + (second * 20 + i) % 60000), PACKET_PROTOCOL_TCP,
				     START_NS + second * SECOND_NS + i * (SECOND_NS / 20));

	return start(contexts, &flow);
}

static void assert_tenth(float value, float expected)
{
	assert_within(value, (double)expected, 0.1);
}

static void a_flood_of_spoofed_sources_pushes_no_busy_host_out(void **state)
{
	struct flow_contexts *quiet = contexts_create(1), *flooded = contexts_create(1);
	struct flow_context calm = {0}, scanner = {0}, victim = {0};
	const uint32_t n_slots = 60 * 20, each = FLOOD_SOURCES / n_slots;
	const double rate = each * 20.0;
	uint32_t source = 1u << 20;

	(void)state;
	for (uint32_t slot = 0; slot < n_slots; slot++) {
		uint64_t ns = START_NS + slot * (SECOND_NS / 20);

		calm = scan(quiet, slot / 20, slot % 20);
		scanner = scan(flooded, slot / 20, slot % 20);
		for (uint32_t i = 0; i < each; i++) {
			struct flow flow =
				flow_make(source++, 3, 80, PACKET_PROTOCOL_TCP, ns + i * (SECOND_NS / 20 / each));

			victim = start(flooded, &flow);
		}
	}
	for (int t = 0; t < FLOW_CONTEXT_N_TAUS; t++)
		assert_tenth(scanner.initiator_flows[t], calm.initiator_flows[t]);
	assert_tenth(scanner.initiator_ports, calm.initiator_ports);
	assert_tenth(scanner.initiator_responders, calm.initiator_responders);
	assert_tenth(scanner.initiator_unanswered, 1);
	assert_tenth(scanner.hosts_flows_60s, calm.hosts_flows_60s);
	assert_tenth(scanner.responder_flows_10s, calm.responder_flows_10s);
	assert_tenth(scanner.responder_ports, calm.responder_ports);
	assert_tenth(victim.responder_flows_1s, (float)rate);
	assert_tenth(victim.responder_flows_10s, (float)(10 * rate * (1 - exp(-6))));
	assert_tenth(victim.service_flows_10s, (float)(10 * rate * (1 - exp(-6))));
	assert_near(victim.responder_unanswered, 1);
	assert_true(victim.responder_initiators > 500);
	flow_contexts_free(quiet);
	flow_contexts_free(flooded);
}

#define N_BUSY 1000
#define N_SLOW 50

/* Flows of busy hosts, one each 5 s, and of slow ones, one each 2 s, that are due in a slot of 50 ms. */
static void begin_flows(struct flow_contexts *contexts, uint32_t slot, bool has_slow,
			struct flow_context busy[N_BUSY], struct flow_context slow[N_SLOW])
{
	uint64_t ns = START_NS + slot * (SECOND_NS / 20);

	for (uint32_t i = slot % 100; i < N_BUSY; i += 100) {
		struct flow flow = flow_make(1000 + i, 5000 + i % 10, 443, PACKET_PROTOCOL_TCP, ns);

		busy[i] = start(contexts, &flow);
	}
	for (uint32_t i = slot % 40; has_slow && i < N_SLOW; i += 40) {
		struct flow flow = flow_make(3000 + i, 6000 + i, 22, PACKET_PROTOCOL_TCP, ns);

		slow[i] = start(contexts, &flow);
	}
}

/* Busy hosts since before a flood stay right; what begins slowly during it is found all the same. */
static void a_flood_neither_pushes_out_benign_hosts_nor_hides_slow_ones(void **state)
{
	static struct flow_context calm[N_BUSY], busy[N_BUSY], slow[N_SLOW], unused[N_SLOW];
	struct flow_contexts *quiet = contexts_create(1), *flooded = contexts_create(1);
	const uint32_t n_before = 60 * 20, n_slots = 120 * 20, each = FLOOD_SOURCES / (n_slots - n_before);
	uint32_t source = 1u << 20, n_found = 0;

	(void)state;
	for (uint32_t slot = 0; slot < n_slots; slot++) {
		begin_flows(quiet, slot, false, calm, unused);
		begin_flows(flooded, slot, slot >= n_before, busy, slow);
		for (uint32_t i = 0; slot >= n_before && i < each; i++) {
			struct flow flow =
				flow_make(source++, 3, 80, PACKET_PROTOCOL_TCP, START_NS + slot * (SECOND_NS / 20));

			start(flooded, &flow);
		}
	}
	for (uint32_t i = 0; i < N_BUSY; i++) {
		assert_tenth(busy[i].initiator_flows[FLOW_CONTEXT_60S], calm[i].initiator_flows[FLOW_CONTEXT_60S]);
		assert_tenth(busy[i].pair_flows_60s, calm[i].pair_flows_60s);
		assert_tenth(busy[i].service_flows_10s, calm[i].service_flows_10s);
	}
	for (uint32_t i = 0; i < N_SLOW; i++)
		n_found += slow[i].initiator_flows[FLOW_CONTEXT_60S] > 3;
	assert_true(n_found > N_SLOW / 2);
	flow_contexts_free(quiet);
	flow_contexts_free(flooded);
}

static void a_turn_after_another_is_of_the_same_entries(void **state)
{
	struct flow_contexts *contexts = contexts_create(1);
	struct flow flow = flow_make(1, 2, 443, PACKET_PROTOCOL_TCP, 5);
	const struct flow_view view = {.flow = &flow};
	struct flow_context_turn first, alone = {0}, after = {0};

	(void)state;
	flow_context_prepare(contexts, &view, FLOW_REASON_STARTED, NULL, &first);
	flow.last_ns = 9;
	flow.side[FLOW_FORWARD].payload_bytes = 100;
	flow.side[FLOW_BACKWARD].payload_bytes = 11;
	flow.side[FLOW_BACKWARD].tcp_flags = PACKET_TCP_RST;
	flow_context_prepare(contexts, &view, FLOW_REASON_CLOSED, NULL, &alone);
	flow_context_prepare(contexts, &view, FLOW_REASON_CLOSED, &first, &after);
	assert_memory_equal(after.hosts, alone.hosts, sizeof(after.hosts));
	assert_true(after.pair == alone.pair && after.both == alone.both && after.service == alone.service);
	assert_int_equal(after.port_mark, alone.port_mark);
	assert_int_equal(after.start_ns, 5);
	assert_int_equal(after.last_ns, 9);
	assert_int_equal(after.payload_bytes, 111);
	assert_int_equal(after.reason, FLOW_REASON_CLOSED);
	assert_int_equal(after.reply_tcp_flags, PACKET_TCP_RST);
	assert_true(after.is_tcp);
	flow_contexts_free(contexts);
}

static void sizes_out_of_range_are_refused(void **state)
{
	static const struct flow_context_config cases[] = {
		{.n_hosts = 32, .n_pairs = 64, .n_workers = 1},
		{.n_hosts = 64, .n_pairs = 100, .n_workers = 1},
		{.n_hosts = 64, .n_pairs = 64, .n_workers = 0},
		{.n_hosts = 2 * FLOW_CONTEXT_MAX_ENTRIES, .n_pairs = 64, .n_workers = 1},
	};
	struct flow_contexts *contexts;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_not_equal(flow_contexts_create(&cases[i], &contexts), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_flow_is_the_first_of_its_hosts),
		cmocka_unit_test(counts_fade_with_their_period),
		cmocka_unit_test(distinct_things_are_counted_for_half_a_minute_to_a_minute),
		cmocka_unit_test(turns_tell_how_flows_end),
		cmocka_unit_test(connections_that_never_close_fade),
		cmocka_unit_test(shares_are_of_the_flows_that_are_still_counted),
		cmocka_unit_test(slices_are_one_connection),
		cmocka_unit_test(what_begins_in_the_middle_of_a_connection_opens_none),
		cmocka_unit_test(a_flood_of_one_host_on_another_is_counted_right),
		cmocka_unit_test(hosts_that_differ_in_the_rest_of_their_hash_alone_are_told_apart),
		cmocka_unit_test(workers_scale_what_they_see_of_other_hosts),
		cmocka_unit_test(what_two_hosts_have_together_is_all_with_one_worker),
		cmocka_unit_test(hosts_and_ports_are_scaled_as_far_as_workers_see_different_ones),
		cmocka_unit_test(one_host_on_two_networks_is_two_hosts),
		cmocka_unit_test(what_was_cleared_is_forgotten),
		cmocka_unit_test(what_is_left_of_a_flood_gives_way_after_a_pause),
		cmocka_unit_test(flows_whose_hosts_were_pushed_out_are_harmless),
		cmocka_unit_test(a_flood_of_spoofed_sources_pushes_no_busy_host_out),
		cmocka_unit_test(a_flood_neither_pushes_out_benign_hosts_nor_hides_slow_ones),
		cmocka_unit_test(a_turn_after_another_is_of_the_same_entries),
		cmocka_unit_test(sizes_out_of_range_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
