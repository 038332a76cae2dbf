/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flow_packets.h"
#include "flow_table.h"

#define TCP	 PACKET_PROTOCOL_TCP
#define UDP	 PACKET_PROTOCOL_UDP
#define FIN	 PACKET_TCP_FIN
#define SYN	 PACKET_TCP_SYN
#define RST	 PACKET_TCP_RST
#define ACK	 PACKET_TCP_ACK
#define MAX_ROW	 4096
#define N_LISTED 7

/* ---- What a table told ---- */

struct told {
	struct flow flow;
	struct flow_series series;
	struct flow_listed listed[FLOW_MAX_LISTED];
	enum flow_reason reason;
	struct flow_history history; /* its list is listed */
};

struct teller {
	uint32_t n, room;
	struct told *told;
};

static void tell(void *context, const struct flow_view *view, enum flow_reason reason)
{
	struct teller *teller = context;
	struct told *told;

	if (teller->n == teller->room) {
		teller->room = teller->room ? 2 * teller->room : 64;
		teller->told = realloc(teller->told, teller->room * sizeof(*teller->told));
		assert_non_null(teller->told);
	}
	told = &teller->told[teller->n++];
	memset(told, 0, sizeof(*told));
	told->flow = *view->flow;
	if (view->series)
		told->series = *view->series;
	if (view->history) {
		memcpy(&told->history, view->history, sizeof(told->history));
		for (uint32_t i = 0; i < view->history->n_listed; i++)
			told->listed[i] = view->history->listed[i];
	}
	told->reason = reason;
}

static const struct flow_config plain = {
	.n_flows = 4096,
	.idle_ns = 60 * SECOND_NS,
	.active_ns = 300 * SECOND_NS,
	.linger_ns = SECOND_NS,
	.late_ns = SECOND_NS,
	.seed = {1, 2},
};

static struct flow_table *make_table(const struct flow_config *config, struct teller *teller)
{
	struct flow_table *table;

	memset(teller, 0, sizeof(*teller));
	assert_int_equal(flow_table_create(config, tell, teller, &table), 0);
	return table;
}

static void feed(struct flow_table *table, const struct flow_packets *row, uint32_t from, uint32_t to,
		 uint32_t burst)
{
	struct flow *flows[FLOW_MAX_BURST];

	for (; from < to; from += burst) {
		uint32_t n = to - from < burst ? to - from : burst;

		flow_table_update_burst(table, row->frames + from, row->packets + from, n, flows);
		for (uint32_t i = 0; i < n; i++)
			assert_int_equal(flows[i] != NULL, row->packets[from + i].ip_version != 0);
	}
}

static uint64_t latest_ns(const struct flow_packets *row)
{
	uint64_t latest = 0;

	for (uint32_t i = 0; i < row->n; i++)
		if (row->packets[i].ip_version && row->frames[i].timestamp_ns != FRAME_NO_TIME &&
		    row->frames[i].timestamp_ns > latest)
			latest = row->frames[i].timestamp_ns;
	return latest;
}

static void drain(struct flow_table *table, uint64_t now_ns)
{
	const struct flow_table_counts *counts = flow_table_counts(table);
	uint64_t n_ended = 0;

	while (flow_table_drain(table, now_ns, 7))
		;
	assert_int_equal(counts->current, 0);
	for (uint32_t r = 0; r < FLOW_N_REASONS; r++)
		n_ended += counts->ended[r];
	assert_int_equal(counts->started, n_ended);
}

/* Runs all of a row through a table of its own. */
static struct teller run(const struct flow_config *config, const struct flow_packets *row, uint32_t burst)
{
	struct teller teller;
	struct flow_table *table = make_table(config, &teller);

	feed(table, row, 0, row->n, burst);
	drain(table, latest_ns(row));
	flow_table_free(table);
	return teller;
}

static struct teller run_specs(const struct flow_config *config, const struct flow_spec *specs, uint32_t n)
{
	struct flow_packets row = flow_packets_of(specs, n);
	struct teller teller = run(config, &row, 32);

	flow_packets_free(&row);
	return teller;
}

/* ---- The plain model: a list of packets a slice, of which everything is computed when it ends ---- */

struct model_packet {
	uint32_t index;
	uint32_t endpoint; /* that sent it */
	uint64_t ns;
};

struct model_slice {
	struct flow_key key;
	bool is_open, has_no_ports;
	uint32_t uid; /* of the flow */
	uint32_t initiator, slice;
	bool fin[2], rst; /* of the flow so far */
	uint64_t last_ns;
	uint64_t earlier_ns; /* that its earlier slices lasted */
	uint32_t n;
	struct model_packet packets[MAX_ROW];
};

struct model_told {
	uint32_t uid;
	struct told told;
};

struct model_datagram {
	struct flow_key key;
	uint32_t endpoint, index;
	uint64_t ns;
};

struct model {
	const struct flow_config *config;
	const struct flow_packets *row;
	uint32_t n_slices, n_told, n_datagrams, n_uids;
	uint64_t joined, alone;
	struct model_slice *slices;
	struct model_told told[2 * MAX_ROW];
	struct model_datagram datagrams[MAX_ROW];
};

/* Welford's M in the textbook's way. */
static double sum_of_squares(const uint64_t *values, uint32_t n)
{
	double mean = 0, m2 = 0;

	for (uint32_t i = 0; i < n; i++) {
		double delta = (double)values[i] - mean;

		mean += delta / (i + 1);
		m2 += delta * ((double)values[i] - mean);
	}
	return m2;
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static void model_side(const struct model *model, const struct model_slice *slice, uint32_t s, struct flow *flow)
{
	struct flow_side *side = &flow->side[s];
	uint32_t shortest = 0;

	for (uint32_t i = 0; i < slice->n; i++) {
		const struct packet *packet = &model->row->packets[slice->packets[i].index];
		uint32_t words = least(packet->transport_bytes / 4u, 15),
			 payload = least(packet->payload_bytes, 65535);

		if ((slice->packets[i].endpoint != slice->initiator) != s)
			continue;
		if (!side->packets) {
			side->window = packet->tcp_window;
			side->ttl = packet->ttl;
			side->payload_min = payload;
		}
		side->packets++;
		side->data_packets += packet->payload_bytes > 0;
		side->bytes += packet->ip_bytes;
		side->payload_bytes += packet->payload_bytes;
		if (payload < side->payload_min)
			side->payload_min = payload;
		if (payload > side->payload_max)
			side->payload_max = (uint16_t)payload;
		side->transport_bytes += packet->transport_bytes;
		side->tcp_flags |= packet->tcp_flags;
		if (words && (!shortest || words < shortest))
			shortest = words;
	}
	flow->bits |= (uint16_t)(shortest << (FLOW_MIN_WORDS_SHIFT + 4 * s));
}

static void model_gaps(const struct model_slice *slice, uint32_t which, struct flow_series *series)
{
	static uint64_t gaps[MAX_ROW];
	const struct model_packet *before = NULL;
	uint32_t n = 0;

	for (uint32_t i = 0; i < slice->n; i++) {
		const struct model_packet *packet = &slice->packets[i];
		uint32_t side = packet->endpoint != slice->initiator;

		if (which != FLOW_SERIES_BOTH && side != which)
			continue;
		if (before) {
			flow_gap gap = flow_gap_pack(packet->ns - before->ns);

			if (!n || gap < series->gap_min[which])
				series->gap_min[which] = gap;
			if (gap > series->gap_max[which])
				series->gap_max[which] = gap;
			gaps[n++] = packet->ns - before->ns;
		}
		before = packet;
	}
	series->gap_m2[which] = sum_of_squares(gaps, n);
}

static void model_series(const struct model *model, const struct model_slice *slice, struct flow_series *series)
{
	uint32_t first_side = slice->packets[0].endpoint != slice->initiator;
	uint32_t last_side = slice->packets[slice->n - 1].endpoint != slice->initiator;
	bool has_reply = false;

	for (uint32_t which = 0; which < FLOW_N_SERIES; which++)
		model_gaps(slice, which, series);
	for (uint32_t i = 0; i < slice->n; i++) {
		const struct packet *packet = &model->row->packets[slice->packets[i].index];
		uint32_t side = slice->packets[i].endpoint != slice->initiator, flags = packet->tcp_flags;
		struct flow_tcp_counts *tcp = &series->tcp[side];

		series->payload_squares[side] += (uint64_t)packet->payload_bytes * packet->payload_bytes;
		if (side != first_side && !has_reply) {
			has_reply = true;
			series->reply = flow_gap_pack(slice->packets[i].ns - slice->packets[0].ns);
		}
		if (side != last_side)
			series->other_last_ns = slice->packets[i].ns;
		series->direction_changes += i && slice->packets[i].endpoint != slice->packets[i - 1].endpoint;
		if (!series->first_payload[side])
			series->first_payload[side] = (uint16_t)least(packet->payload_bytes, 65535);
		tcp->psh += flags >> 3 & 1;
		tcp->ack += flags >> 4 & 1;
		tcp->fin += flags & 1;
		tcp->syn += flags >> 1 & 1;
		tcp->rst += flags >> 2 & 1;
		tcp->urg += flags >> 5 & 1;
		tcp->ece += flags >> 6 & 1;
		tcp->cwr += flags >> 7 & 1;
	}
	series->first_side = (uint8_t)first_side;
	series->first_tcp_flags = model->row->packets[slice->packets[0].index].tcp_flags;
	series->icmp_type = model->row->packets[slice->packets[0].index].icmp_type;
	series->icmp_code = model->row->packets[slice->packets[0].index].icmp_code;
}

static void model_period(struct flow_periods *periods, uint64_t *values, uint64_t ns)
{
	values[periods->n++] = ns;
	periods->sum += ns;
	periods->min = periods->n == 1 || ns < periods->min ? ns : periods->min;
	periods->max = ns > periods->max ? ns : periods->max;
	periods->m2 = sum_of_squares(values, periods->n);
}

/* A run is a longest row of packets with payload in one direction without a gap of more than a second. */
static void model_bulks(const struct model *model, const struct model_slice *slice, uint32_t s,
			struct flow_bulk *bulk)
{
	uint64_t start = 0, last = 0, bytes = 0;
	uint32_t n = 0;

	for (uint32_t i = 0; i <= slice->n; i++) {
		const struct model_packet *at = &slice->packets[i];
		uint32_t payload = i < slice->n ? model->row->packets[at->index].payload_bytes : 1;
		bool is_ours = i < slice->n && (at->endpoint != slice->initiator) == s;

		if (!payload)
			continue;
		if (n && (!is_ours || at->ns - last > SECOND_NS)) {
			if (n >= 4) {
				bulk->n++;
				bulk->packets += n;
				bulk->bytes += bytes;
				bulk->duration_ns += last - start;
			}
			n = 0;
			bytes = 0;
		}
		if (!is_ours)
			continue;
		start = n++ ? start : at->ns;
		last = at->ns;
		bytes += payload;
	}
}

/* Lengths of IP packets of one side. */
static void model_sizes(const struct model *model, const struct model_slice *slice, uint32_t s,
			struct flow_history *history)
{
	uint32_t shortest = 65535, longest = 0;

	for (uint32_t i = 0; i < slice->n; i++) {
		uint64_t bytes = model->row->packets[slice->packets[i].index].ip_bytes;

		if ((slice->packets[i].endpoint != slice->initiator) != s)
			continue;
		shortest = bytes < shortest ? (uint32_t)bytes : shortest;
		longest = bytes > longest ? (uint32_t)bytes : longest;
		history->size_squares[s] += bytes * bytes;
	}
	history->size_min[s] = (uint16_t)least(shortest, longest);
	history->size_max[s] = (uint16_t)least(longest, 65535);
}

static void model_history(const struct model *model, const struct model_slice *slice, struct told *told)
{
	static uint64_t active[MAX_ROW], idle[MAX_ROW];
	struct flow_history *history = &told->history;
	uint64_t start = slice->packets[0].ns;

	for (uint32_t i = 1; i < slice->n; i++) {
		uint64_t before = slice->packets[i - 1].ns, now = slice->packets[i].ns;

		history->n_pauses += now - before > SECOND_NS;
		if (now - before <= 5 * SECOND_NS)
			continue;
		if (before != start)
			model_period(&history->active, active, before - start);
		model_period(&history->idle, idle, now - before);
		start = now;
	}
	history->active_start_ns = start;
	history->earlier_ns = slice->earlier_ns;
	for (uint32_t s = 0; s < 2; s++) {
		model_bulks(model, slice, s, &history->bulk[s]);
		model_sizes(model, slice, s, history);
	}
	for (uint32_t i = 0; i < slice->n && i < model->config->layout.n_listed; i++) {
		const struct packet *packet = &model->row->packets[slice->packets[i].index];

		told->listed[history->n_listed++] = (struct flow_listed){
			.gap = i ? flow_gap_pack(slice->packets[i].ns - slice->packets[i - 1].ns) : 0,
			.ip_bytes = (uint16_t)least(packet->ip_bytes, 65535),
			.payload_bytes = (uint16_t)least(packet->payload_bytes, 65535),
			.ip_id = packet->ip_id,
			.tcp_flags = packet->tcp_flags,
			.side = slice->packets[i].endpoint != slice->initiator,
		};
	}
}

static void model_tell(struct model *model, struct model_slice *slice, enum flow_reason reason)
{
	struct told *told = &model->told[model->n_told].told;
	struct flow *flow = &told->flow;

	assert_true(model->n_told < 2 * MAX_ROW);
	memset(told, 0, sizeof(*told));
	model->told[model->n_told++].uid = slice->uid;
	told->reason = reason;
	flow->key = slice->key;
	flow->last_ns = slice->packets[slice->n - 1].ns;
	flow->start_ns = slice->packets[0].ns;
	flow->slice = (uint16_t)slice->slice;
	if (slice->initiator)
		flow->bits |= FLOW_INITIATOR_IS_1;
	if (slice->fin[0])
		flow->bits |= FLOW_FIN_FORWARD;
	if (slice->fin[1])
		flow->bits |= FLOW_FIN_BACKWARD;
	if (slice->rst)
		flow->bits |= FLOW_RST;
	if (slice->has_no_ports)
		flow->bits |= FLOW_NO_PORTS;
	if (slice->key.scope_id)
		flow->bits |= FLOW_VLAN; /* the only ids that these tests use */
	if (slice->packets[slice->n - 1].endpoint != slice->initiator)
		flow->bits |= FLOW_LAST_BACKWARD;
	for (uint32_t s = 0; s < 2; s++)
		model_side(model, slice, s, flow);
	if (model->config->layout.has_series)
		model_series(model, slice, &told->series);
	if (model->config->layout.has_history)
		model_history(model, slice, told);
}

static bool model_closed(const struct model *model, const struct model_slice *slice)
{
	return slice->rst || (slice->fin[0] && (slice->fin[1] || model->config->is_one_way));
}

static bool model_over(const struct model *model, const struct model_slice *slice, uint64_t now,
		       enum flow_reason *reason)
{
	bool is_later = now > slice->last_ns;
	uint64_t silence = is_later ? now - slice->last_ns : slice->last_ns - now;
	bool both_fins = slice->fin[0] && (slice->fin[1] || model->config->is_one_way);

	*reason = both_fins ? FLOW_REASON_FIN : slice->rst ? FLOW_REASON_RST : FLOW_REASON_IDLE;
	if (silence > model->config->idle_ns)
		return true;
	return is_later && model_closed(model, slice) && silence > model->config->linger_ns;
}

/* The key as its definition says it: endpoints in order of address bytes, then port. Returns who sent. */
static uint32_t model_key(const struct flow_config *config, const struct frame *frame, const struct packet *packet,
			  bool has_ports, struct flow_key *key)
{
	uint8_t ends[2][18] = {{0}};
	uint32_t source;

	for (uint32_t e = 0; e < 2; e++) {
		uint16_t port = !has_ports ? 0 : e ? packet->dst_port : packet->src_port;

		if (packet->ip_version == 4) {
			ends[e][10] = 0xff;
			ends[e][11] = 0xff;
			memcpy(ends[e] + 12, frame->data + packet->ip_offset + 12 + 4 * e, 4);
		} else {
			memcpy(ends[e], frame->data + packet->ip_offset + 8 + 16 * e, 16);
		}
		ends[e][16] = (uint8_t)(port >> 8);
		ends[e][17] = (uint8_t)port;
	}
	source = !config->is_one_way && memcmp(ends[0], ends[1], 18) > 0;
	memset(key, 0, sizeof(*key));
	for (uint32_t e = 0; e < 2; e++) {
		memcpy(key->address[e ^ source], ends[e], 16);
		key->port[e ^ source] = (uint16_t)(ends[e][16] << 8 | ends[e][17]);
	}
	key->protocol = packet->protocol;
	if (packet->vlan)
		key->scope_id = FLOW_KEY_VLANS | packet->vlan;
	return source;
}

static struct model_datagram *model_datagram(struct model *model, uint32_t index, uint64_t now)
{
	const struct packet *packet = &model->row->packets[index];

	for (uint32_t d = model->n_datagrams; d-- > 0;) {
		struct model_datagram *datagram = &model->datagrams[d];
		const struct packet *first = &model->row->packets[datagram->index];
		uint64_t age = now > datagram->ns ? now - datagram->ns : datagram->ns - now;

		if (first->fragment_id != packet->fragment_id || first->vlan != packet->vlan ||
		    first->ip_version != packet->ip_version ||
		    (packet->ip_version == 4 && first->protocol != packet->protocol) ||
		    memcmp(model->row->headers[datagram->index] + 8, model->row->headers[index] + 8, 32))
			continue;
		return age <= 30 * SECOND_NS ? datagram : NULL;
	}
	return NULL;
}

static struct model_slice *model_find(struct model *model, const struct flow_key *key)
{
	for (uint32_t i = 0; i < model->n_slices; i++)
		if (model->slices[i].is_open && !memcmp(&model->slices[i].key, key, sizeof(*key)))
			return &model->slices[i];
	return NULL;
}

static void model_begin(struct model *model, struct model_slice *slice, const struct flow_key *key,
			uint32_t endpoint, const struct packet *packet, bool has_no_ports)
{
	bool is_answer = (packet->tcp_flags & SYN) && (packet->tcp_flags & ACK) && !model->config->is_one_way;

	slice->key = *key;
	slice->is_open = true;
	slice->has_no_ports = has_no_ports;
	slice->uid = model->n_uids++;
	slice->initiator = is_answer ? !endpoint : endpoint;
	slice->slice = 0;
	slice->earlier_ns = 0;
	slice->fin[0] = slice->fin[1] = slice->rst = false;
	slice->n = 0;
}

static void model_take(struct model *model, uint32_t index, uint64_t now)
{
	const struct packet *packet = &model->row->packets[index];
	bool is_rest = packet->flags & PACKET_FLAG_FRAGMENT_REST, has_no_ports;
	bool is_syn = (packet->tcp_flags & SYN) && !(packet->tcp_flags & ACK);
	struct model_datagram *datagram = is_rest ? model_datagram(model, index, now) : NULL;
	struct model_slice *slice;
	enum flow_reason reason;
	struct flow_key key;
	uint32_t endpoint = model_key(model->config, &model->row->frames[index], packet, !is_rest, &key);

	has_no_ports = (packet->flags & PACKET_FLAG_ADDRESSES_ONLY) || (is_rest && !datagram);
	if (datagram) {
		key = datagram->key;
		endpoint = datagram->endpoint;
		has_no_ports = model->row->packets[datagram->index].flags & PACKET_FLAG_ADDRESSES_ONLY;
	}
	model->joined += datagram != NULL;
	model->alone += is_rest && !datagram;
	if ((packet->flags & PACKET_FLAG_FRAGMENT) && !is_rest)
		model->datagrams[model->n_datagrams++] = (struct model_datagram){key, endpoint, index, now};

	slice = model_find(model, &key);
	if (!slice) {
		slice = &model->slices[model->n_slices++];
		model_begin(model, slice, &key, endpoint, packet, has_no_ports);
	} else if (model_over(model, slice, now, &reason) || (is_syn && model_closed(model, slice))) {
		model_tell(model, slice, reason);
		model_begin(model, slice, &key, endpoint, packet, has_no_ports);
	} else {
		if (now < slice->last_ns)
			now = slice->last_ns;
		if (now - slice->packets[0].ns >= model->config->active_ns) {
			model_tell(model, slice, FLOW_REASON_ACTIVE);
			slice->slice++;
			slice->earlier_ns += slice->last_ns - slice->packets[0].ns;
			slice->n = 0;
		}
	}
	slice->packets[slice->n++] = (struct model_packet){index, endpoint, now};
	slice->last_ns = now;
	if (packet->tcp_flags & FIN)
		slice->fin[endpoint != slice->initiator] = true;
	if (packet->tcp_flags & RST)
		slice->rst = true;
}

static struct model *model_run(const struct flow_config *config, const struct flow_packets *row)
{
	struct model *model = calloc(1, sizeof(*model));
	enum flow_reason reason;
	uint64_t now = 0;

	assert_non_null(model);
	assert_true(row->n <= MAX_ROW);
	model->config = config;
	model->row = row;
	model->slices = calloc(row->n, sizeof(*model->slices));
	assert_non_null(model->slices);
	for (uint32_t i = 0; i < row->n; i++) {
		if (!row->packets[i].ip_version)
			continue;
		if (row->frames[i].timestamp_ns != FRAME_NO_TIME)
			now = row->frames[i].timestamp_ns;
		model_take(model, i, now);
	}
	for (uint32_t i = 0; i < model->n_slices; i++) {
		if (!model_over(model, &model->slices[i], latest_ns(row), &reason) &&
		    !model_closed(model, &model->slices[i]))
			reason = FLOW_REASON_END;
		model_tell(model, &model->slices[i], reason);
	}
	free(model->slices);
	return model;
}

static void model_free(struct model *model)
{
	free(model);
}

/* ---- Comparing ---- */

static int compare_flows(const struct flow *a, const struct flow *b)
{
	int order = memcmp(&a->key, &b->key, sizeof(a->key));

	if (order)
		return order;
	if (a->start_ns != b->start_ns)
		return a->start_ns < b->start_ns ? -1 : 1;
	if (a->slice != b->slice)
		return a->slice < b->slice ? -1 : 1;
	if (a->last_ns != b->last_ns)
		return a->last_ns < b->last_ns ? -1 : 1;
	return memcmp(a->side, b->side, sizeof(a->side));
}

static int compare_told(const void *left, const void *right)
{
	return compare_flows(&((const struct told *)left)->flow, &((const struct told *)right)->flow);
}

static int compare_model_told(const void *left, const void *right)
{
	return compare_flows(&((const struct model_told *)left)->told.flow,
			     &((const struct model_told *)right)->told.flow);
}

/* The table knows a late reply's time to the microsecond, and sums in another order. */
static void assert_near(double a, double b)
{
	double difference = sqrt(a) - sqrt(b);

	if (fabs(difference) > 1000 + 1e-9 * sqrt(a))
		fail_msg("the root of %.17g is not that of %.17g", a, b);
}

static void assert_periods_equal(struct flow_periods *a, struct flow_periods *b)
{
	assert_near(a->m2, b->m2);
	a->m2 = b->m2;
	assert_memory_equal(a, b, sizeof(*a));
}

/* What runs of packets that go on leave behind is no result. */
static void forget_runs(struct flow_bulk *bulk)
{
	bulk->start_ns = bulk->last_ns = bulk->run_bytes = bulk->run_packets = 0;
}

static void assert_told_equal(struct told *a, struct told *b)
{
	b->flow.origin = a->flow.origin;
	assert_int_equal(a->flow.bits, b->flow.bits);
	assert_memory_equal(&a->flow, &b->flow, sizeof(a->flow));
	assert_int_equal(a->reason, b->reason);
	for (uint32_t i = 0; i < FLOW_N_SERIES; i++) {
		assert_near(a->series.gap_m2[i], b->series.gap_m2[i]);
		a->series.gap_m2[i] = b->series.gap_m2[i];
	}
	/* Only said where there are packets of both directions. */
	if (!a->flow.side[0].packets || !a->flow.side[1].packets)
		a->series.other_last_ns = b->series.other_last_ns = 0;
	assert_memory_equal(&a->series, &b->series, sizeof(a->series));
	assert_periods_equal(&a->history.active, &b->history.active);
	assert_periods_equal(&a->history.idle, &b->history.idle);
	for (uint32_t s = 0; s < 2; s++) {
		forget_runs(&a->history.bulk[s]);
		forget_runs(&b->history.bulk[s]);
	}
	assert_memory_equal(&a->history, &b->history, sizeof(a->history));
	assert_memory_equal(a->listed, b->listed, sizeof(a->listed));
}

static void assert_same(struct teller *teller, struct model *model)
{
	assert_int_equal(teller->n, model->n_told);
	qsort(teller->told, teller->n, sizeof(*teller->told), compare_told);
	qsort(model->told, model->n_told, sizeof(*model->told), compare_model_told);
	for (uint32_t i = 0; i < teller->n; i++)
		assert_told_equal(&teller->told[i], &model->told[i].told);
	/* Slices share the id of their flow, and no other flow of the key has it. */
	for (uint32_t i = 0; i < teller->n; i++)
		for (uint32_t k = i + 1;
		     k < teller->n && !memcmp(&teller->told[i].flow.key, &teller->told[k].flow.key, 40); k++)
			assert_int_equal(flow_id(&teller->told[i].flow) == flow_id(&teller->told[k].flow),
					 model->told[i].uid == model->told[k].uid);
}

/* ---- Random packets ---- */

/* A time that goes on by some milliseconds, with trembling, jumps and outliers. */
static uint64_t random_time(uint64_t *random, uint64_t *clock)
{
	uint64_t dice = flow_packets_random(random) % 1000;

	*clock += flow_packets_random(random) % (50 * SECOND_NS / 1000);
	if (dice < 3)
		*clock += flow_packets_random(random) % (90 * SECOND_NS);
	if (dice == 10)
		return *clock + 3600 * 24 * 3650 * SECOND_NS;
	if (dice == 11)
		return *clock - 3600 * SECOND_NS - flow_packets_random(random) % (1000000 * SECOND_NS);
	if (dice == 12)
		return FRAME_NO_TIME;
	if (dice < 200)
		return *clock - flow_packets_random(random) % (SECOND_NS / 2);
	if (dice < 300)
		return *clock / 1000000 * 1000000;
	return *clock;
}

static struct flow_spec random_spec(uint64_t *random, uint32_t n_pairs)
{
	static const uint8_t protocols[] = {TCP, TCP, TCP, UDP, PACKET_PROTOCOL_ICMP, PACKET_PROTOCOL_SCTP, 0, 89};
	static const uint8_t tcp_flags[] = {ACK,       ACK,	  ACK | 0x08, ACK | 0x08, ACK,	     SYN,
					    SYN | ACK, FIN | ACK, FIN | ACK,  RST,	  0xe0 | ACK};
	uint32_t pair = (uint32_t)(flow_packets_random(random) % n_pairs),
		 bits = (uint32_t)flow_packets_random(random);
	struct flow_spec spec = {
		.source = pair * 0x9e3779b1u,
		.destination = pair % 10 == 0 ? pair * 0x9e3779b1u : pair * 0x85ebca6bu + 1,
		.protocol = protocols[pair % sizeof(protocols)],
		.is_ipv6 = pair / 8 % 2,
		.vlan = pair % 7 == 0 ? (uint16_t)(pair % 3) : 0,
		.payload_bytes = bits % 5 == 0 ? 0 : (uint32_t)(flow_packets_random(random) % 1460),
		.window = (uint16_t)(bits >> 8),
		.ip_id = (uint16_t)(bits >> 16),
		.ttl = (uint8_t)(bits >> 4),
		.icmp_type = (uint8_t)(bits >> 3),
	};

	if (spec.protocol == TCP || spec.protocol == UDP) {
		spec.source_port = (uint16_t)(pair * 7);
		spec.destination_port = pair % 4 ? 443 : (uint16_t)(pair * 7);
		spec.transport_bytes = spec.protocol == TCP ? (uint8_t)(20 + bits % 11 * 4) : 8;
	}
	if (spec.protocol == TCP)
		spec.tcp_flags = tcp_flags[flow_packets_random(random) % sizeof(tcp_flags)];
	if (bits >> 29 == 0) { /* the other way */
		struct flow_spec back = spec;

		spec.source = back.destination;
		spec.destination = back.source;
		spec.source_port = back.destination_port;
		spec.destination_port = back.source_port;
	}
	if ((bits >> 24) % 32 == 7 || spec.protocol == UDP) {
		spec.fragment_id = (uint32_t)(flow_packets_random(random) % 3);
		spec.flags = flow_packets_random(random) % 3 ? PACKET_FLAG_FRAGMENT | PACKET_FLAG_FRAGMENT_REST
							     : PACKET_FLAG_FRAGMENT;
	}
	if (bits % 101 == 0)
		spec.flags |= PACKET_FLAG_ADDRESSES_ONLY;
	if (spec.flags & (PACKET_FLAG_FRAGMENT_REST | PACKET_FLAG_ADDRESSES_ONLY)) {
		spec.source_port = spec.destination_port = 0;
		spec.tcp_flags = 0;
		spec.transport_bytes = 0;
	}
	return spec;
}

static struct flow_packets random_row(uint64_t seed, uint32_t n, uint32_t n_pairs)
{
	struct flow_packets row = flow_packets_create(n);
	uint64_t random = seed, clock = 1500000000 * SECOND_NS;

	for (uint32_t i = 0; i < n; i++) {
		struct flow_spec spec = random_spec(&random, n_pairs);

		spec.time_ns = random_time(&random, &clock);
		flow_packets_set(&row, i, &spec);
		if (flow_packets_random(&random) % 50 == 0)
			row.packets[i].ip_version = 0;
	}
	return row;
}

static void compare_random(const struct flow_config *config, uint64_t seed, uint32_t n_pairs, uint32_t first_burst,
			   uint32_t burst_step)
{
	struct flow_packets row = random_row(seed, MAX_ROW, n_pairs);
	struct model *model = model_run(config, &row);

	for (uint32_t burst = first_burst; burst <= FLOW_MAX_BURST; burst += burst_step) {
		struct teller teller = run(config, &row, burst);

		assert_same(&teller, model);
		free(teller.told);
	}
	assert_true(model->joined > 5 && model->alone > 5);
	model_free(model);
	flow_packets_free(&row);
}

static void any_burst_size_gives_the_records_of_the_model(void **state)
{
	(void)state;
	compare_random(&plain, 1, 1000, 1, 1);
}

static void any_burst_size_gives_the_records_of_the_model_with_all_parts(void **state)
{
	struct flow_config config = plain;

	(void)state;
	config.layout = (struct flow_layout){true, true, false, N_LISTED};
	compare_random(&config, 2, 1000, 1, 1);
}

static void few_flows_of_many_packets_give_the_records_of_the_model(void **state)
{
	struct flow_config config = plain;

	(void)state;
	config.layout = (struct flow_layout){true, true, false, FLOW_MAX_LISTED};
	config.n_flows = 64;
	compare_random(&config, 3, 30, 1, 9);
	config.active_ns = 10 * SECOND_NS;
	compare_random(&config, 4, 30, 1, 9);
	config.linger_ns = 1000 * SECOND_NS;
	compare_random(&config, 5, 30, 1, 9);
	config.active_ns = 0;
	config.idle_ns = 0;
	compare_random(&config, 6, 30, 1, 9);
}

static void one_way_flows_give_the_records_of_the_model(void **state)
{
	struct flow_config config = plain;

	(void)state;
	config.layout = (struct flow_layout){.has_series = true};
	config.is_one_way = true;
	compare_random(&config, 7, 300, 1, 21);
}

static void seeds_do_not_change_records(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct flow_config config = plain;

		config.seed[0] = seed * 0x9e3779b97f4a7c15u;
		config.seed[1] = ~seed;
		compare_random(&config, 8, 500, 32, 64);
	}
}

/* ---- Ends and beginnings, one by one ---- */

#define CLIENT	    .source = 1, .destination = 2, .source_port = 40000, .destination_port = 80, .protocol = TCP
#define SERVER	    .source = 2, .destination = 1, .source_port = 80, .destination_port = 40000, .protocol = TCP
#define AT(seconds) .time_ns = (uint64_t)((seconds)*1e9)
#define OTHER(seconds)                                                      \
	{                                                                   \
		AT(seconds), .source = 9, .destination = 8, .protocol = UDP \
	}

struct ending {
	const char *name;
	struct flow_spec specs[8];
	/* Of the slices between 1 and 2, in order. */
	struct {
		enum flow_reason reason;
		uint32_t n_forward, n_backward, slice;
	} slices[4];
};

static const struct ending endings[] = {
	{"a gap of the idle time does not end a flow",
	 {{CLIENT, AT(0), .tcp_flags = ACK}, {SERVER, AT(60), .tcp_flags = ACK}},
	 {{FLOW_REASON_END, 1, 1, 0}}},
	{"a longer gap does",
	 {{CLIENT, AT(0), .tcp_flags = ACK}, {SERVER, AT(60.000000001), .tcp_flags = ACK}},
	 {{FLOW_REASON_IDLE, 1, 0, 0}, {FLOW_REASON_END, 1, 0, 0}}},
	{"a silent flow ends idle at the end",
	 {{CLIENT, AT(0), .tcp_flags = ACK}, OTHER(61)},
	 {{FLOW_REASON_IDLE, 1, 0, 0}}},
	{"the active time cuts, and the slice keeps the initiator",
	 {{CLIENT, AT(0), .tcp_flags = ACK},
	  {CLIENT, AT(50)},
	  {CLIENT, AT(100)},
	  {CLIENT, AT(150)},
	  {CLIENT, AT(200)},
	  {CLIENT, AT(250)},
	  {SERVER, AT(300)}},
	 {{FLOW_REASON_ACTIVE, 6, 0, 0}, {FLOW_REASON_END, 0, 1, 1}}},
	{"FIN in one direction leaves a flow open",
	 {{CLIENT, AT(0), .tcp_flags = FIN | ACK}, {SERVER, AT(50), .tcp_flags = ACK}},
	 {{FLOW_REASON_END, 1, 1, 0}}},
	{"FIN in both and silence end it",
	 {{CLIENT, AT(0), .tcp_flags = FIN | ACK},
	  {SERVER, AT(0.5), .tcp_flags = FIN | ACK},
	  {CLIENT, AT(1.5), .tcp_flags = ACK},
	  {CLIENT, AT(2.6), .tcp_flags = ACK}},
	 {{FLOW_REASON_FIN, 2, 1, 0}, {FLOW_REASON_END, 1, 0, 0}}},
	{"RST and silence end it",
	 {{CLIENT, AT(0), .tcp_flags = SYN}, {SERVER, AT(0.1), .tcp_flags = RST | ACK}, OTHER(1.2)},
	 {{FLOW_REASON_RST, 1, 1, 0}}},
	{"RST after both FINs ends it by FIN",
	 {{CLIENT, AT(0), .tcp_flags = FIN | ACK},
	  {SERVER, AT(0.1), .tcp_flags = FIN | ACK},
	  {CLIENT, AT(0.2), .tcp_flags = RST},
	  OTHER(2)},
	 {{FLOW_REASON_FIN, 2, 1, 0}}},
	{"a SYN begins a flow at once where one is closed",
	 {{CLIENT, AT(0), .tcp_flags = SYN},
	  {SERVER, AT(0), .tcp_flags = RST | ACK},
	  {CLIENT, AT(0), .tcp_flags = SYN},
	  {SERVER, AT(0), .tcp_flags = RST | ACK},
	  {CLIENT, AT(0), .tcp_flags = SYN}},
	 {{FLOW_REASON_RST, 1, 1, 0}, {FLOW_REASON_RST, 1, 1, 0}, {FLOW_REASON_END, 1, 0, 0}}},
	{"a SYN in an open flow belongs to it",
	 {{CLIENT, AT(0), .tcp_flags = SYN}, {CLIENT, AT(1), .tcp_flags = SYN}},
	 {{FLOW_REASON_END, 2, 0, 0}}},
	{"who answers a SYN is not the initiator",
	 {{SERVER, AT(0), .tcp_flags = SYN | ACK}, {CLIENT, AT(0), .tcp_flags = ACK}},
	 {{FLOW_REASON_END, 1, 1, 0}}},
	{"a packet of the past counts now",
	 {{CLIENT, AT(100), .tcp_flags = ACK},
	  {SERVER, AT(40), .tcp_flags = ACK},
	  {SERVER, AT(160), .tcp_flags = ACK}},
	 {{FLOW_REASON_END, 1, 2, 0}}},
	{"a packet of long ago does not",
	 {{CLIENT, AT(100), .tcp_flags = ACK}, {CLIENT, AT(39.9), .tcp_flags = ACK}},
	 {{FLOW_REASON_IDLE, 1, 0, 0}, {FLOW_REASON_IDLE, 1, 0, 0}}},
	{"a packet without time has the time of the one before",
	 {{CLIENT, AT(100), .tcp_flags = ACK}, OTHER(160.5), {CLIENT, .time_ns = FRAME_NO_TIME, .tcp_flags = ACK}},
	 {{FLOW_REASON_IDLE, 1, 0, 0}, {FLOW_REASON_END, 1, 0, 0}}},
};

static void flows_end_as_their_packets_say(void **state)
{
	(void)state;
	for (size_t c = 0; c < sizeof(endings) / sizeof(endings[0]); c++) {
		const struct ending *ending = &endings[c];
		uint32_t n = 0, slice = 0;
		struct teller teller;

		while (n < 8 && ending->specs[n].source)
			n++;
		teller = run_specs(&plain, ending->specs, n);
		for (uint32_t i = 0; i < teller.n; i++) {
			const struct flow *flow = &teller.told[i].flow;

			if (flow->key.protocol != TCP)
				continue;
			if (slice == 4 || teller.told[i].reason != ending->slices[slice].reason ||
			    flow->side[0].packets != ending->slices[slice].n_forward ||
			    flow->side[1].packets != ending->slices[slice].n_backward ||
			    flow->slice != ending->slices[slice].slice)
				fail_msg("%s: slice %u is %s, %u + %u", ending->name, slice,
					 flow_reason_name(teller.told[i].reason), flow->side[0].packets,
					 flow->side[1].packets);
			slice++;
		}
		assert_true(slice > 0 && (slice == 4 || ending->slices[slice].n_forward == 0));
		free(teller.told);
	}
}

static void flows_that_begin_at_one_time_have_ids_of_their_own(void **state)
{
	struct flow_spec specs[40];
	struct teller teller;

	(void)state;
	for (uint32_t i = 0; i < 40; i += 2) {
		specs[i] = (struct flow_spec){CLIENT, AT(5), .tcp_flags = SYN};
		specs[i + 1] = (struct flow_spec){SERVER, AT(5), .tcp_flags = RST};
	}
	teller = run_specs(&plain, specs, 40);
	assert_int_equal(teller.n, 20);
	for (uint32_t i = 0; i < 20; i++)
		for (uint32_t k = 0; k < i; k++)
			assert_true(flow_id(&teller.told[i].flow) != flow_id(&teller.told[k].flow));
	free(teller.told);
}

static void most_packets_of_a_slice_cut_it(void **state)
{
	struct flow_spec spec = {CLIENT, AT(1), .tcp_flags = ACK};
	struct flow_packets row = flow_packets_of(&spec, 1);
	struct flow *flow;
	struct teller teller;
	struct flow_table *table = make_table(&plain, &teller);

	(void)state;
	flow_table_update_burst(table, row.frames, row.packets, 1, &flow);
	flow->side[FLOW_BACKWARD].packets = FLOW_MAX_SLICE_PACKETS - 2;
	flow_table_update_burst(table, row.frames, row.packets, 1, &flow);
	assert_int_equal(teller.n, 0);
	flow_table_update_burst(table, row.frames, row.packets, 1, &flow);
	assert_int_equal(teller.n, 1);
	assert_int_equal(teller.told[0].reason, FLOW_REASON_ACTIVE);
	assert_int_equal(flow->slice, 1);
	assert_int_equal(flow->side[FLOW_FORWARD].packets, 1);
	flow_table_free(table);
	flow_packets_free(&row);
	free(teller.told);
}

static void checkpoints_are_told_when_a_slice_has_their_packets(void **state)
{
	struct flow_config config = plain;
	struct flow_spec specs[100];
	struct teller teller;
	static const uint32_t expected[] = {1, 2, 4, 8, 64};

	(void)state;
	config.checkpoints = 1u | 1u << 1 | 1u << 3 | 1u << 7 | 1ull << 63;
	for (uint32_t i = 0; i < 100; i++)
		specs[i] = i % 3 ? (struct flow_spec){CLIENT, AT(i)} : (struct flow_spec){SERVER, AT(i)};
	teller = run_specs(&config, specs, 100);
	assert_int_equal(teller.n, 6);
	for (uint32_t i = 0; i < 5; i++) {
		const struct flow *flow = &teller.told[i].flow;

		assert_int_equal(teller.told[i].reason, FLOW_REASON_CHECKPOINT);
		assert_int_equal(flow->side[0].packets + flow->side[1].packets, expected[i]);
		assert_int_equal(flow->last_ns, (expected[i] - 1) * SECOND_NS);
	}
	assert_int_equal(teller.told[5].reason, FLOW_REASON_END);
	free(teller.told);
}

static void scopes_tell_networks_apart(void **state)
{
	struct flow_spec specs[4] = {
		{CLIENT, .vlan = 5}, {CLIENT, .vlan = 5}, {CLIENT, .vlan = 5}, {CLIENT, .vlan = 6}};
	static const uint32_t n_flows[] = {
		[FLOW_SCOPE_INNERMOST] = 3, [FLOW_SCOPE_VLAN] = 2, [FLOW_SCOPE_TUNNEL] = 2, [FLOW_SCOPE_NONE] = 1};

	(void)state;
	for (uint32_t scope = 0; scope <= FLOW_SCOPE_NONE; scope++) {
		struct flow_packets row = flow_packets_of(specs, 4);
		struct flow_config config = plain;
		struct teller teller;

		/* A tunnel within the VLAN; a VLAN within the tunnel. */
		row.packets[1].has_tunnel_id = row.packets[2].has_tunnel_id = 1;
		row.packets[1].tunnel_id = row.packets[2].tunnel_id = 5;
		row.packets[2].is_vlan_inner = 1;
		config.scope = scope;
		teller = run(&config, &row, 4);
		assert_int_equal(teller.n, n_flows[scope]);
		for (uint32_t i = 0; i < teller.n; i++) {
			const struct flow *flow = &teller.told[i].flow;

			/* The tunnel's id is that of a VLAN. */
			assert_int_equal(!!(flow->bits & FLOW_TUNNEL), flow->key.scope_id == 5);
			assert_int_equal(!!(flow->bits & FLOW_VLAN), flow->key.scope_id > FLOW_KEY_VLANS);
			if (flow->bits & FLOW_VLAN)
				assert_true(flow_vlan(flow) == 5 || flow_vlan(flow) == 6);
		}
		free(teller.told);
		flow_packets_free(&row);
	}
}

static void clear_row(struct flow_packets *row)
{
	flow_packets_free(row);
	memset(row, 0, sizeof(*row));
}

/* ---- Sweeps ---- */

static void silent_flows_end_while_others_go_on(void **state)
{
	const uint32_t n = 20000;
	struct flow_packets row = flow_packets_create(n);
	struct teller teller;
	struct flow_table *table = make_table(&plain, &teller);

	(void)state;
	/* 1000 packets a second; a flow each for the first second, then always the same one. */
	for (uint32_t i = 0; i < n; i++) {
		struct flow_spec spec = {.time_ns = 5 * SECOND_NS + i * (SECOND_NS / 100),
					 .source = i < 1000 ? 100 + i : 1,
					 .destination = 2,
					 .protocol = UDP};

		flow_packets_set(&row, i, &spec);
	}
	feed(table, &row, 0, n, 32);
	assert_int_equal(flow_table_counts(table)->current, 1);
	assert_int_equal(flow_table_counts(table)->ended[FLOW_REASON_IDLE], 1000);
	assert_int_equal(flow_table_counts(table)->peak, 1001);
	flow_table_free(table);
	clear_row(&row);
	free(teller.told);
}

/* Many packets a round and few flows: what a burst is due of a round is far less than one flow. */
static void small_tables_are_swept_too(void **state)
{
	const uint32_t n = 100000;
	struct flow_config config = plain;
	struct flow_packets row = flow_packets_create(n);
	struct teller teller;
	struct flow_table *table;

	(void)state;
	config.idle_ns = 2 * SECOND_NS;
	table = make_table(&config, &teller);
	for (uint32_t i = 0; i < n; i++) {
		struct flow_spec spec = {.time_ns = 5 * SECOND_NS + i * (SECOND_NS / 10000),
					 .source = i < 3 ? 100 + i : 1,
					 .destination = 2,
					 .protocol = UDP};

		flow_packets_set(&row, i, &spec);
	}
	feed(table, &row, 0, n, 1);
	assert_int_equal(flow_table_counts(table)->current, 1);
	flow_table_free(table);
	clear_row(&row);
	free(teller.told);
}

static void a_lone_packet_of_the_far_future_ends_no_other_flow(void **state)
{
	const uint32_t n = 10000;
	struct flow_packets row = flow_packets_create(n);
	struct teller teller;

	(void)state;
	for (uint32_t i = 0; i < n; i++) {
		struct flow_spec spec = {.time_ns = 5 * SECOND_NS + i * (SECOND_NS / 1000),
					 .source = 1 + i % 50,
					 .destination = 100,
					 .protocol = UDP};

		if (i % 1000 == 500) {
			spec.time_ns += 1000000 * SECOND_NS;
			spec.source = 99;
		}
		flow_packets_set(&row, i, &spec);
	}
	teller = run(&plain, &row, 16);
	assert_int_equal(teller.n, 51);
	clear_row(&row);
	free(teller.told);
}

static void sweep_ends_what_is_over_and_nothing_else(void **state)
{
	struct flow_spec specs[] = {
		{AT(10), .source = 1, .destination = 2, .protocol = UDP},
		{AT(11), .source = 3, .destination = 4, .protocol = UDP},
		{AT(12), .source = 5, .destination = 6, .protocol = TCP, .tcp_flags = RST},
	};
	struct flow_packets row = flow_packets_of(specs, 3);
	struct teller teller;
	struct flow_table *table = make_table(&plain, &teller);

	(void)state;
	feed(table, &row, 0, 3, 3);
	flow_table_sweep(table, 13 * SECOND_NS, 100);
	assert_int_equal(teller.n, 0);
	flow_table_sweep(table, 13 * SECOND_NS + 1, 100);
	assert_int_equal(teller.n, 1);
	assert_int_equal(teller.told[0].reason, FLOW_REASON_RST);
	flow_table_sweep(table, 70 * SECOND_NS + 1, 100);
	assert_int_equal(teller.n, 2);
	assert_int_equal(teller.told[1].reason, FLOW_REASON_IDLE);
	assert_int_equal(teller.told[1].flow.start_ns, 10 * SECOND_NS);
	flow_table_sweep(table, 0, 100);
	assert_int_equal(teller.n, 2);
	drain(table, 12 * SECOND_NS);
	assert_int_equal(teller.told[2].reason, FLOW_REASON_END);
	/* Ready for another capture, of another time. */
	flow_table_clear_counts(table);
	feed(table, &row, 0, 3, 3);
	assert_int_equal(flow_table_counts(table)->packets, 3);
	flow_table_clear_counts(table);
	assert_int_equal(flow_table_counts(table)->packets, 0);
	assert_int_equal(flow_table_counts(table)->current, 3);
	assert_int_equal(flow_table_counts(table)->peak, 3);
	flow_table_free(table);
	clear_row(&row);
	free(teller.told);
}

/* ---- A full table ---- */

#define N_TALKS 1000

static struct flow_spec talk_spec(uint32_t talk, uint32_t round, uint64_t now_ns)
{
	struct flow_spec spec = {.time_ns = now_ns,
				 .source = 1 + talk,
				 .destination = 0xffff0000u,
				 .source_port = 1000,
				 .destination_port = 443,
				 .protocol = TCP,
				 .tcp_flags = ACK};

	if (round % 2) {
		spec.source = 0xffff0000u;
		spec.destination = 1 + talk;
		spec.source_port = 443;
		spec.destination_port = 1000;
	}
	return spec;
}

static void flood_loses_no_conversation(void **state)
{
	struct flow_config config = plain;
	struct flow_packets row = flow_packets_create(64);
	uint64_t now = SECOND_NS, random = 99, n_flood = 0;
	const struct flow_table_counts *counts;
	struct teller teller;
	struct flow_table *table;
	uint32_t n_whole = 0;

	(void)state;
	config.n_flows = 16384;
	table = make_table(&config, &teller);
	counts = flow_table_counts(table);
	for (uint32_t i = 0; i < 2 * N_TALKS; i++) { /* two packets of each */
		struct flow_spec spec = talk_spec(i % N_TALKS, i / N_TALKS, now);

		flow_packets_set(&row, 0, &spec);
		feed(table, &row, 0, 1, 1);
	}
	for (uint32_t round = 2; n_flood < 10 * config.n_flows; round++) {
		for (uint32_t i = 0; i < 64; i++) {
			struct flow_spec spec = {.source = (uint32_t)flow_packets_random(&random),
						 .destination = 7,
						 .source_port = (uint16_t)flow_packets_random(&random),
						 .destination_port = 80,
						 .protocol = TCP,
						 .tcp_flags = SYN};

			now += 1000;
			spec.time_ns = now;
			if (i == 0)
				spec = talk_spec(round % N_TALKS, round / N_TALKS, now);
			n_flood += i != 0;
			flow_packets_set(&row, i, &spec);
		}
		feed(table, &row, 0, 64, 64);
	}
	assert_int_equal(counts->current, config.n_flows);
	assert_int_equal(counts->peak, config.n_flows);
	assert_true(counts->ended[FLOW_REASON_EVICTED] > 8 * config.n_flows);
	assert_int_equal(counts->evicted_single, counts->ended[FLOW_REASON_EVICTED]);
	assert_int_equal(counts->started, counts->current + counts->ended[FLOW_REASON_EVICTED]);
	drain(table, now);
	for (uint32_t i = 0; i < teller.n; i++) {
		const struct flow *flow = &teller.told[i].flow;

		if (flow->key.port[0] != 1000 && flow->key.port[1] != 1000)
			continue;
		if (flow->key.address[1][12] != 0xff || flow->side[0].packets + flow->side[1].packets < 4)
			continue;
		assert_int_equal(teller.told[i].reason, FLOW_REASON_END);
		n_whole++;
	}
	assert_int_equal(n_whole, N_TALKS);
	flow_table_free(table);
	clear_row(&row);
	free(teller.told);
}

/* Sizes where slots are about as many as flows, and where they are not. */
/* Their second slices have just begun; each SYN of the flood comes twice, so that its flows are not single. */
static void flood_of_pairs_loses_no_conversation_that_was_cut(void **state)
{
	struct flow_config config = plain;
	struct flow_packets row = flow_packets_create(2);
	uint64_t now = SECOND_NS, random = 7;
	struct flow_table *table;
	struct teller teller;
	uint32_t n_evicted = 0;

	(void)state;
	config.n_flows = 4096;
	config.active_ns = 10 * SECOND_NS;
	table = make_table(&config, &teller);
	for (uint32_t i = 0; i < 3 * N_TALKS; i++) {
		struct flow_spec spec = talk_spec(i % N_TALKS, i / N_TALKS, now);

		now += i == 2 * N_TALKS ? 11 * SECOND_NS : 0;
		spec.time_ns = now;
		flow_packets_set(&row, 0, &spec);
		feed(table, &row, 0, 1, 1);
	}
	assert_int_equal(flow_table_counts(table)->ended[FLOW_REASON_ACTIVE], N_TALKS);
	for (uint32_t i = 0; i < 10 * config.n_flows; i++) {
		struct flow_spec spec = {.time_ns = now += 1000,
					 .source = (uint32_t)flow_packets_random(&random) | 1u << 31,
					 .destination = 7,
					 .source_port = (uint16_t)flow_packets_random(&random),
					 .destination_port = 80,
					 .protocol = TCP,
					 .tcp_flags = SYN};

		flow_packets_set(&row, 0, &spec);
		flow_packets_set(&row, 1, &spec);
		feed(table, &row, 0, 2, 2);
	}
	for (uint32_t i = 0; i < teller.n; i++)
		n_evicted += teller.told[i].reason == FLOW_REASON_EVICTED && teller.told[i].flow.slice;
	assert_int_equal(n_evicted, 0);
	assert_true(flow_table_counts(table)->ended[FLOW_REASON_EVICTED] > 8 * config.n_flows);
	flow_table_free(table);
	flow_packets_free(&row);
	free(teller.told);
}

static void full_table_takes_every_flow(void **state)
{
	static const uint64_t sizes[] = {64, 100, 122, 491, 983, 1024, 7864};

	(void)state;
	for (uint32_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		struct flow_config config = plain;
		struct flow_packets row = flow_packets_create((uint32_t)(3 * sizes[s]));
		struct teller teller;
		struct flow_table *table;

		config.n_flows = sizes[s];
		config.layout = (struct flow_layout){true, true, false, 3};
		table = make_table(&config, &teller);
		flow_table_touch(table);
		for (uint32_t i = 0; i < row.n; i++) {
			struct flow_spec spec = {.time_ns = i, .source = i, .destination = ~i, .protocol = UDP};

			flow_packets_set(&row, i, &spec);
		}
		feed(table, &row, 0, (uint32_t)sizes[s], 32);
		assert_int_equal(flow_table_counts(table)->current + teller.n, sizes[s]);
		/* Chains of moves find nearly every slot. */
		assert_true(teller.n <= sizes[s] / 100 + 1);
		/* All are there. */
		feed(table, &row, 0, (uint32_t)sizes[s], 7);
		assert_true(flow_table_counts(table)->started <= sizes[s] + 3 * (sizes[s] / 100 + 1));
		feed(table, &row, (uint32_t)sizes[s], row.n, 64);
		assert_int_equal(flow_table_counts(table)->peak, sizes[s]);
		drain(table, row.n);
		flow_table_free(table);
		clear_row(&row);
		free(teller.told);
	}
}

static void full_table_gives_up_what_is_over_first(void **state)
{
	struct flow_config config = plain;
	struct flow_packets row = flow_packets_create(128);
	struct teller teller;
	struct flow_table *table;

	(void)state;
	config.n_flows = 64;
	table = make_table(&config, &teller);
	for (uint32_t i = 0; i < 128; i++) {
		struct flow_spec spec = {
			.time_ns = i < 64 ? i : 100 * SECOND_NS, .source = i, .destination = 1000, .protocol = UDP};

		flow_packets_set(&row, i, &spec);
	}
	feed(table, &row, 0, 128, 1);
	assert_int_equal(flow_table_counts(table)->ended[FLOW_REASON_EVICTED] +
				 flow_table_counts(table)->ended[FLOW_REASON_IDLE],
			 64);
	/* New ones have filled a few pairs of buckets before the last old one is gone. */
	assert_true(flow_table_counts(table)->ended[FLOW_REASON_IDLE] > 40);
	flow_table_free(table);
	clear_row(&row);
	free(teller.told);
}

static void configs_out_of_range_are_refused(void **state)
{
	struct flow_config config;
	struct flow_table *table;
	struct teller teller = {0};

	(void)state;
	config = plain;
	config.n_flows = 63;
	assert_int_equal(flow_table_create(&config, tell, &teller, &table), -22);
	config.n_flows = (1u << 30) + 1;
	assert_int_equal(flow_table_create(&config, tell, &teller, &table), -22);
	config = plain;
	config.idle_ns = FLOW_GAP_MAX_NS + 1;
	assert_int_equal(flow_table_create(&config, tell, &teller, &table), -22);
	config = plain;
	config.layout.n_listed = 1;
	assert_int_equal(flow_table_create(&config, tell, &teller, &table), -22);
	config.layout.has_history = true;
	config.layout.n_listed = FLOW_MAX_LISTED + 1;
	assert_int_equal(flow_table_create(&config, tell, &teller, &table), -22);
}

static void a_million_flows_with_the_longest_lists_are_to_be_had(void **state)
{
	struct flow_config config = plain;
	struct teller teller;

	(void)state;
	config.n_flows = 1 << 20;
	config.layout = (struct flow_layout){.has_history = true, .n_listed = FLOW_MAX_LISTED};
	assert_true(flow_table_bytes(&config) < 2ull << 30);
	/* Only what is used is paid for. */
	flow_table_free(make_table(&config, &teller));
}

static void lengths_that_lie_wrap_no_sum(void **state)
{
	struct flow_spec specs[] = {
		{CLIENT, AT(1), .payload_bytes = 10},
		{CLIENT, AT(2), .payload_bytes = 20},
		{SERVER, AT(3), .payload_bytes = 30},
	};
	struct flow_packets row = flow_packets_of(specs, 3);
	struct flow_config config = plain;
	struct teller teller;

	(void)state;
	config.layout = (struct flow_layout){true, true, false, 0};
	for (uint32_t i = 0; i < 2; i++)
		row.packets[i].ip_bytes = row.packets[i].payload_bytes = UINT32_MAX;
	teller = run(&config, &row, 32);
	assert_int_equal(teller.n, 1);
	assert_true(teller.told->history.size_squares[FLOW_FORWARD] == UINT64_MAX);
	assert_true(teller.told->series.payload_squares[FLOW_FORWARD] == UINT64_MAX);
	assert_int_equal(teller.told->history.size_min[FLOW_FORWARD], 65535);
	assert_int_equal(teller.told->history.size_max[FLOW_FORWARD], 65535);
	assert_int_equal(teller.told->series.payload_squares[FLOW_BACKWARD], 900);
	flow_packets_free(&row);
	free(teller.told);
}

/* ---- Sharing packets out ---- */

static void workers_together_tell_what_one_would(void **state)
{
	struct flow_packets row = random_row(11, MAX_ROW, 800);
	struct model *model = model_run(&plain, &row);

	(void)state;
	for (uint32_t n_workers = 1; n_workers <= 5; n_workers++) {
		struct flow_spread *spread = flow_spread_create(FLOW_SCOPE_INNERMOST, plain.seed);
		struct flow_packets shares[5];
		struct teller all;
		struct flow_table *tables[5];
		uint64_t before_ns = 0;

		memset(&all, 0, sizeof(all));
		assert_non_null(spread);
		for (uint32_t w = 0; w < n_workers; w++) {
			shares[w] = flow_packets_create(row.n);
			shares[w].n = 0;
			assert_int_equal(flow_table_create(&plain, tell, &all, &tables[w]), 0);
		}
		for (uint32_t i = 0; i < row.n; i += 64) {
			uint32_t workers[64], n = row.n - i < 64 ? row.n - i : 64;

			flow_spread_burst(spread, row.frames + i, row.packets + i, n, n_workers, workers);
			for (uint32_t k = 0; k < n; k++) {
				struct flow_packets *share = &shares[workers[k]];

				assert_true(workers[k] < n_workers);
				share->frames[share->n] = row.frames[i + k];
				/* Who shares out knows the time before. */
				if (row.frames[i + k].timestamp_ns == FRAME_NO_TIME)
					share->frames[share->n].timestamp_ns = before_ns;
				else if (row.packets[i + k].ip_version)
					before_ns = row.frames[i + k].timestamp_ns;
				share->packets[share->n++] = row.packets[i + k];
			}
		}
		for (uint32_t w = 0; w < n_workers; w++) {
			assert_true(shares[w].n > row.n / n_workers / 2);
			feed(tables[w], &shares[w], 0, shares[w].n, 32);
			drain(tables[w], latest_ns(&row));
			flow_table_free(tables[w]);
			clear_row(&shares[w]);
		}
		assert_same(&all, model);
		free(all.told);
		flow_spread_free(spread);
	}
	model_free(model);
	flow_packets_free(&row);
}

static void packets_between_two_hosts_go_to_one_worker(void **state)
{
	struct flow_packets row = random_row(12, MAX_ROW, 800);
	struct flow_spread *spread = flow_spread_create(FLOW_SCOPE_NONE, plain.seed);
	uint32_t n_of[4] = {0}, n_compared = 0;

	(void)state;
	assert_non_null(spread);
	for (uint32_t i = 0; i + 64 <= row.n; i += 64) {
		struct flow_key keys[64];
		uint32_t workers[64];

		flow_spread_burst(spread, row.frames + i, row.packets + i, 64, 4, workers);
		for (uint32_t k = 0; k < 64; k++) {
			const struct packet *packet = &row.packets[i + k];

			n_of[workers[k]]++;
			memset(&keys[k], 0, sizeof(keys[k]));
			if (!packet->ip_version)
				continue;
			flow_key_make(&row.frames[i + k], packet, FLOW_SCOPE_NONE, false, &keys[k]);
			for (uint32_t j = 0; j < k; j++)
				if (row.packets[i + j].ip_version &&
				    !memcmp(keys[j].address, keys[k].address, sizeof(keys[k].address))) {
					assert_int_equal(workers[j], workers[k]);
					n_compared++;
				}
		}
	}
	assert_true(n_compared > 100);
	for (uint32_t w = 0; w < 4; w++)
		assert_true(n_of[w] > row.n / 10);
	flow_spread_free(spread);
	clear_row(&row);
}

/* The turns, checkpoints and ends of flows as letters, in the order in which they are told. */
static void letters_tell(void *context, const struct flow_view *view, enum flow_reason reason)
{
	static const char letters[] = {
		[FLOW_REASON_IDLE] = 'e',	[FLOW_REASON_ACTIVE] = 'a',    [FLOW_REASON_FIN] = 'e',
		[FLOW_REASON_RST] = 'e',	[FLOW_REASON_EVICTED] = 'e',   [FLOW_REASON_END] = 'e',
		[FLOW_REASON_CHECKPOINT] = 'p', [FLOW_REASON_STARTED] = 'S',   [FLOW_REASON_REPLIED] = 'R',
		[FLOW_REASON_CLOSED] = 'C',	[FLOW_REASON_PRODUCTIVE] = 'P'};
	char *text = context;

	assert_true(view->place < plain.n_flows);
	assert_true(strlen(text) < 40);
	text[strlen(text)] = letters[reason];
}

static void turns_are_told_once_and_in_order(void **state)
{
	/* Packets as letters: s SYN, a SYN and ACK, . ACK, d data, f FIN, r RST; capitals: the other side's. */
	static const struct {
		const char *packets, *told;
		bool is_one_way;
	} cases[] = {
		{"s", "Spe", false},
		{"sssA", "SpRe", false},
		{"sA..F.f", "SpRCe", false},
		{"sR", "SpRCe", false},
		{"r", "SCpe", false},
		{"a", "Spe", false},
		{"aS.", "SpRe", false},
		{"sAfFrR", "SpRCe", false},
		{"sAddDdDfF", "SpRPCe", false},
		{"sAddfF", "SpRCe", false},
		{"dD", "SpRPe", false},
		/* A closed connection that is begun anew is another flow. */
		{"sAfFs", "SpRCeSpe", false},
		/* ... also when it is replied to and closed in the same burst. */
		{"sRsR", "SpRCeSpRCe", false},
		{"sfA", "SpCSpee", true},
		/* A silence of 100 s: another slice of the flow after the third, by the active timeout. */
		{"._._._._.", "Spape", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct flow_config config = plain;
		struct flow_spec specs[16];
		struct flow_table *table;
		uint64_t now_ns = 1000;
		char told[48] = "";
		uint32_t n = 0;

		config.tells_turns = true;
		config.checkpoints = 1;
		config.is_one_way = cases[i].is_one_way;
		config.idle_ns = 200 * SECOND_NS;
		for (const char *c = cases[i].packets; *c; c++) {
			bool is_back = *c >= 'A' && *c <= 'Z';
			char kind = is_back ? (char)(*c - 'A' + 'a') : *c;

			now_ns += kind == '_' ? 100 * SECOND_NS : 1000;
			if (kind == '_')
				continue;
			specs[n++] = (struct flow_spec){
				.time_ns = now_ns,
				.source = is_back ? 2 : 1,
				.destination = is_back ? 1 : 2,
				.source_port = is_back ? 80 : 1000,
				.destination_port = is_back ? 1000 : 80,
				.protocol = PACKET_PROTOCOL_TCP,
				.payload_bytes = kind == 'd' ? 10 : 0,
				.tcp_flags = kind == 's'   ? SYN
					     : kind == 'a' ? SYN | ACK
					     : kind == 'f' ? FIN
					     : kind == 'r' ? RST
							   : ACK,
			};
		}
		assert_int_equal(flow_table_create(&config, letters_tell, told, &table), 0);
		struct flow_packets row = flow_packets_of(specs, n);

		feed(table, &row, 0, n, FLOW_MAX_BURST);
		drain(table, now_ns);
		flow_table_free(table);
		flow_packets_free(&row);
		if (strcmp(told, cases[i].told))
			fail_msg("%s: '%s' was told, not '%s'", cases[i].packets, told, cases[i].told);
	}
}

/* ---- Looking through a table ---- */

/* Feeds a packet of each of the flows first to last - 1, known by their ports. */
static void feed_ports(struct flow_table *table, uint16_t first, uint16_t last, uint64_t now_ns)
{
	for (uint16_t port = first; port < last; port++) {
		struct flow_spec spec = {.time_ns = now_ns,
					 .source = 1,
					 .destination = 2,
					 .source_port = port,
					 .destination_port = 53,
					 .protocol = UDP};
		struct flow_packets row = flow_packets_of(&spec, 1);

		feed(table, &row, 0, 1, 1);
		flow_packets_free(&row);
	}
}

/* Has the clock end flows until so many are left. */
static void sweep_to(struct flow_table *table, uint64_t now_ns, uint64_t n_left)
{
	for (uint32_t i = 0; i < 100 && flow_table_counts(table)->current > n_left; i++)
		flow_table_sweep_clock(table, now_ns += SECOND_NS);
	assert_int_equal(flow_table_counts(table)->current, n_left);
}

/* Looks through so many steps of n places, or to the end, and counts how often each port was seen. */
static bool scan(const struct flow_table *table, uint32_t *place, uint32_t n, uint32_t n_steps, uint32_t *seen)
{
	const struct flow *flows[FLOW_MAX_BURST];
	bool has_more = true;
	uint32_t n_flows;

	for (uint32_t step = 0; step < n_steps && has_more; step++) {
		uint32_t before = *place;

		has_more = flow_table_scan(table, place, n, flows, &n_flows);
		assert_true(n_flows <= *place - before && *place - before <= n);
		assert_true(!has_more || *place == before + n);
		for (uint32_t i = 0; i < n_flows; i++) {
			assert_in_range(flow_table_place(table, flows[i]), before, *place - 1);
			seen[flows[i]->key.port[0]]++;
		}
	}
	return has_more;
}

static void each_flow_is_seen_once_and_unused_places_are_not(void **state)
{
	static const uint32_t steps[] = {1, 7, FLOW_MAX_BURST};
	struct teller teller;
	struct flow_table *table = make_table(&plain, &teller);

	(void)state;
	/* The first 100 go, and 50 take their places; the others stay. */
	feed_ports(table, 0, 100, SECOND_NS);
	feed_ports(table, 100, 300, 60 * SECOND_NS);
	sweep_to(table, 62 * SECOND_NS, 200);
	feed_ports(table, 300, 350, 63 * SECOND_NS);
	for (uint32_t s = 0; s < sizeof(steps) / sizeof(steps[0]); s++) {
		uint32_t seen[350] = {0}, place = 0;

		assert_false(scan(table, &place, steps[s], UINT32_MAX, seen));
		assert_int_equal(place, 300);
		for (uint32_t port = 0; port < 350; port++)
			assert_int_equal(seen[port], port >= 100);
	}
	drain(table, 100 * SECOND_NS);
	flow_table_free(table);
	free(teller.told);
}

static void behind_the_last_place_there_is_nothing_to_see(void **state)
{
	static const uint32_t places[] = {10, 11, 4096, UINT32_MAX - 5, UINT32_MAX};
	const struct flow *flows[FLOW_MAX_BURST];
	struct teller teller;
	struct flow_table *table = make_table(&plain, &teller);
	uint32_t n_flows, place = 0;

	(void)state;
	assert_false(flow_table_scan(table, &place, FLOW_MAX_BURST, flows, &n_flows));
	assert_int_equal(n_flows, 0);
	feed_ports(table, 0, 10, SECOND_NS);
	for (uint32_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		place = places[i];
		assert_false(flow_table_scan(table, &place, FLOW_MAX_BURST, flows, &n_flows));
		assert_int_equal(n_flows, 0);
		assert_int_equal(place, places[i]);
	}
	/* Nor is there once the table has been emptied, wherever a look had come to. */
	place = 3;
	drain(table, SECOND_NS);
	assert_false(flow_table_scan(table, &place, FLOW_MAX_BURST, flows, &n_flows));
	assert_int_equal(n_flows, 0);
	flow_table_free(table);
	free(teller.told);
}

static void flows_that_stay_are_seen_once_whatever_comes_and_goes_meanwhile(void **state)
{
	struct teller teller;
	struct flow_table *table = make_table(&plain, &teller);
	uint32_t seen[700] = {0}, place = 0;

	(void)state;
	/* Every second one goes. */
	feed_ports(table, 0, 400, SECOND_NS);
	for (uint16_t port = 1; port < 400; port += 2)
		feed_ports(table, port, (uint16_t)(port + 1), 60 * SECOND_NS);
	assert_true(scan(table, &place, 16, 10, seen));
	sweep_to(table, 62 * SECOND_NS, 200);
	feed_ports(table, 400, 700, 63 * SECOND_NS);
	assert_false(scan(table, &place, 16, UINT32_MAX, seen));
	for (uint32_t port = 0; port < 400; port++)
		assert_int_equal(seen[port], port % 2 || port < 160);
	/* Of new ones some came to places that had been looked at; none is seen twice. */
	for (uint32_t port = 400; port < 700; port++)
		assert_true(seen[port] <= 1);
	drain(table, 100 * SECOND_NS);
	flow_table_free(table);
	free(teller.told);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_burst_size_gives_the_records_of_the_model),
		cmocka_unit_test(any_burst_size_gives_the_records_of_the_model_with_all_parts),
		cmocka_unit_test(few_flows_of_many_packets_give_the_records_of_the_model),
		cmocka_unit_test(one_way_flows_give_the_records_of_the_model),
		cmocka_unit_test(seeds_do_not_change_records),
		cmocka_unit_test(flows_end_as_their_packets_say),
		cmocka_unit_test(flows_that_begin_at_one_time_have_ids_of_their_own),
		cmocka_unit_test(most_packets_of_a_slice_cut_it),
		cmocka_unit_test(checkpoints_are_told_when_a_slice_has_their_packets),
		cmocka_unit_test(scopes_tell_networks_apart),
		cmocka_unit_test(silent_flows_end_while_others_go_on),
		cmocka_unit_test(small_tables_are_swept_too),
		cmocka_unit_test(a_lone_packet_of_the_far_future_ends_no_other_flow),
		cmocka_unit_test(sweep_ends_what_is_over_and_nothing_else),
		cmocka_unit_test(flood_loses_no_conversation),
		cmocka_unit_test(flood_of_pairs_loses_no_conversation_that_was_cut),
		cmocka_unit_test(full_table_takes_every_flow),
		cmocka_unit_test(full_table_gives_up_what_is_over_first),
		cmocka_unit_test(configs_out_of_range_are_refused),
		cmocka_unit_test(a_million_flows_with_the_longest_lists_are_to_be_had),
		cmocka_unit_test(lengths_that_lie_wrap_no_sum),
		cmocka_unit_test(turns_are_told_once_and_in_order),
		cmocka_unit_test(workers_together_tell_what_one_would),
		cmocka_unit_test(packets_between_two_hosts_go_to_one_worker),
		cmocka_unit_test(each_flow_is_seen_once_and_unused_places_are_not),
		cmocka_unit_test(behind_the_last_place_there_is_nothing_to_see),
		cmocka_unit_test(flows_that_stay_are_seen_once_whatever_comes_and_goes_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
