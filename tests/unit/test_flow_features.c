/* SPDX-License-Identifier: BSD-3-Clause */
/* The features of flows: lib/features/flow_features.c. The flows are made here, packet by packet. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flow_context.h"
#include "flow_features.h"
#include "guard.h"

#define N_IN(array) (sizeof(array) / sizeof((array)[0]))

struct sent {
	uint64_t us;
	uint8_t side;
	uint16_t ip_bytes, transport_bytes, payload_bytes;
	uint8_t tcp_flags;
	uint16_t window;
};

/* A flow with its parts, and room for the longest list. */
struct made_flow {
	struct flow flow;
	struct flow_series series;
	union {
		struct flow_history history;
		uint8_t room[(sizeof(struct flow_history) + FLOW_MAX_LISTED * sizeof(struct flow_listed) + 63) /
			     64 * 64];
	};
};

static struct flow_view made_view(const struct made_flow *made)
{
	static const struct flow_context context;

	return (struct flow_view){
		.flow = &made->flow, .series = &made->series, .history = &made->history, .context = &context};
}

#define START_NS 1499348407419016000u

static void count_flags(struct flow_tcp_counts *counts, uint8_t flags)
{
	counts->fin += !!(flags & PACKET_TCP_FIN);
	counts->syn += !!(flags & PACKET_TCP_SYN);
	counts->rst += !!(flags & PACKET_TCP_RST);
	counts->psh += !!(flags & PACKET_TCP_PSH);
	counts->ack += !!(flags & PACKET_TCP_ACK);
	counts->urg += !!(flags & PACKET_TCP_URG);
	counts->ece += !!(flags & PACKET_TCP_ECE);
	counts->cwr += !!(flags & PACKET_TCP_CWR);
}

static void count_side(struct made_flow *made, const struct sent *sent)
{
	struct flow_side *side = &made->flow.side[sent->side];
	uint32_t shift = FLOW_MIN_WORDS_SHIFT + 4 * sent->side, words = sent->transport_bytes / 4;

	if (side->packets == 0) {
		side->window = sent->window;
		side->ttl = sent->side == FLOW_FORWARD ? 62 : 64;
		side->payload_min = sent->payload_bytes;
		made->flow.bits = (uint16_t)(made->flow.bits | words << shift);
	}
	if (words < (made->flow.bits >> shift & 15u))
		made->flow.bits = (uint16_t)((made->flow.bits & ~(15u << shift)) | words << shift);
	side->packets++;
	side->data_packets += sent->payload_bytes > 0;
	side->bytes += sent->ip_bytes;
	side->payload_bytes += sent->payload_bytes;
	side->transport_bytes += sent->transport_bytes;
	side->tcp_flags |= sent->tcp_flags;
	if (sent->payload_bytes > side->payload_max)
		side->payload_max = sent->payload_bytes;
	if (sent->payload_bytes < side->payload_min)
		side->payload_min = sent->payload_bytes;
}

/* The gaps of the packets of one side, or of all (FLOW_SERIES_BOTH): by their definition, in two passes. */
static void count_gaps(struct made_flow *made, const struct sent *sent, uint32_t n, uint32_t series)
{
	struct flow_series *to = &made->series;
	uint64_t gaps[64], sum = 0;
	uint32_t n_gaps = 0;
	const struct sent *before = NULL;

	for (uint32_t i = 0; i < n; i++) {
		if (series != FLOW_SERIES_BOTH && sent[i].side != series)
			continue;
		if (before != NULL)
			sum += gaps[n_gaps++] = (sent[i].us - before->us) * 1000;
		before = &sent[i];
	}
	for (uint32_t i = 0; i < n_gaps; i++) {
		double distance = (double)gaps[i] - (double)sum / n_gaps;

		to->gap_m2[series] += distance * distance;
		if (i == 0 || flow_gap_pack(gaps[i]) < to->gap_min[series])
			to->gap_min[series] = flow_gap_pack(gaps[i]);
		if (i == 0 || flow_gap_pack(gaps[i]) > to->gap_max[series])
			to->gap_max[series] = flow_gap_pack(gaps[i]);
	}
}

static void count_series(struct made_flow *made, const struct sent *sent, uint32_t n)
{
	struct flow_series *series = &made->series;
	bool replied = false;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t side = sent[i].side;

		series->payload_squares[side] += (uint64_t)sent[i].payload_bytes * sent[i].payload_bytes;
		if (series->first_payload[side] == 0)
			series->first_payload[side] = sent[i].payload_bytes;
		count_flags(&series->tcp[side], sent[i].tcp_flags);
		if (side != sent[n - 1].side)
			series->other_last_ns = START_NS + sent[i].us * 1000;
		if (side != sent[0].side && !replied) {
			series->reply = flow_gap_pack((sent[i].us - sent[0].us) * 1000);
			replied = true;
		}
		series->direction_changes += i > 0 && side != sent[i - 1].side;
	}
	series->first_side = sent[0].side;
	series->first_tcp_flags = sent[0].tcp_flags;
	for (uint32_t which = 0; which < FLOW_N_SERIES; which++)
		count_gaps(made, sent, n, which);
}

static void count_period(struct flow_periods *periods, uint64_t ns)
{
	if (periods->n == 0 || ns < periods->min)
		periods->min = ns;
	if (ns > periods->max)
		periods->max = ns;
	periods->sum += ns;
	periods->n++;
}

static void count_size(struct flow_history *history, const struct sent *sent, bool is_first)
{
	if (is_first || sent->ip_bytes < history->size_min[sent->side])
		history->size_min[sent->side] = sent->ip_bytes;
	if (sent->ip_bytes > history->size_max[sent->side])
		history->size_max[sent->side] = sent->ip_bytes;
	history->size_squares[sent->side] += (uint64_t)sent->ip_bytes * sent->ip_bytes;
}

static void count_history(struct made_flow *made, const struct sent *sent, uint32_t n)
{
	struct flow_history *history = &made->history;
	uint64_t active_us = sent[0].us;
	bool has_packets[2] = {false, false};

	for (uint32_t i = 0; i < n; i++) {
		uint64_t gap_ns = i > 0 ? (sent[i].us - sent[i - 1].us) * 1000 : 0;

		count_size(history, &sent[i], !has_packets[sent[i].side]);
		has_packets[sent[i].side] = true;
		history->n_pauses += gap_ns > FLOW_PAUSE_NS;
		if (gap_ns > FLOW_ACTIVITY_GAP_NS) {
			if (sent[i - 1].us > active_us)
				count_period(&history->active, (sent[i - 1].us - active_us) * 1000);
			count_period(&history->idle, gap_ns);
			active_us = sent[i].us;
		}
		if (i < FLOW_MAX_LISTED)
			history->listed[history->n_listed++] = (struct flow_listed){
				.gap = flow_gap_pack(gap_ns),
				.ip_bytes = sent[i].ip_bytes,
				.payload_bytes = sent[i].payload_bytes,
				.tcp_flags = sent[i].tcp_flags,
				.side = sent[i].side,
			};
	}
}

/* A TCP flow of n packets, in one piece. */
static void make_flow(struct made_flow *made, const struct sent *sent, uint32_t n)
{
	memset(made, 0, sizeof(*made));
	made->flow.key.protocol = PACKET_PROTOCOL_TCP;
	made->flow.start_ns = START_NS + sent[0].us * 1000;
	made->flow.last_ns = START_NS + sent[n - 1].us * 1000;
	if (sent[n - 1].side == FLOW_BACKWARD)
		made->flow.bits |= FLOW_LAST_BACKWARD;
	for (uint32_t i = 0; i < n; i++)
		count_side(made, &sent[i]);
	count_series(made, sent, n);
	count_history(made, sent, n);
}

static struct flow_feature_set *set_of(const char *text)
{
	struct flow_feature_set *set = NULL;
	char error[128] = "";

	if (flow_feature_set_create(text, &set, error, sizeof(error)) != 0)
		fail_msg("%s: %s", text, error);
	return set;
}

/* The value of one feature. */
static double value_of(const struct flow_view *view, const char *feature)
{
	struct flow_feature_set *set = set_of(feature);
	double value = NAN;

	assert_int_equal(set->n, 1);
	flow_feature_set_row(set, view, &value);
	flow_feature_set_free(set);
	return value;
}

static void assert_close(const char *name, double value, double expected)
{
	if (!(fabs(value - expected) <= 1e-12 * fabs(expected)))
		fail_msg("%s is %.17g, not %.17g", name, value, expected);
}

/* Two TCP connections with a request, an answer, five seconds of silence and FIN from both sides. */
static const struct sent short_answer[] = {
	{0, FLOW_FORWARD, 60, 40, 0, 0x02, 29200},     {131, FLOW_BACKWARD, 60, 40, 0, 0x12, 28960},
	{1442, FLOW_FORWARD, 52, 32, 0, 0x10, 229},    {1446, FLOW_FORWARD, 499, 32, 447, 0x18, 229},
	{1538, FLOW_BACKWARD, 52, 32, 0, 0x10, 235},   {5116, FLOW_BACKWARD, 582, 32, 530, 0x18, 235},
	{5712, FLOW_FORWARD, 52, 32, 0, 0x10, 237},    {5006127, FLOW_BACKWARD, 52, 32, 0, 0x11, 235},
	{5006404, FLOW_FORWARD, 52, 32, 0, 0x11, 237}, {5006439, FLOW_BACKWARD, 52, 32, 0, 0x10, 235},
	{5006912, FLOW_FORWARD, 52, 32, 0, 0x10, 237},
};
static const struct sent long_answer[] = {
	{0, FLOW_FORWARD, 60, 40, 0, 0x02, 29200},	   {113, FLOW_BACKWARD, 60, 40, 0, 0x12, 28960},
	{926, FLOW_FORWARD, 52, 32, 0, 0x10, 229},	   {929, FLOW_FORWARD, 652, 32, 600, 0x18, 229},
	{993, FLOW_BACKWARD, 52, 32, 0, 0x10, 236},	   {11180, FLOW_BACKWARD, 1500, 32, 1448, 0x10, 236},
	{11231, FLOW_BACKWARD, 2753, 32, 2701, 0x18, 236}, {11929, FLOW_FORWARD, 52, 32, 0, 0x10, 251},
	{12319, FLOW_FORWARD, 52, 32, 0, 0x10, 293},	   {5012479, FLOW_FORWARD, 52, 32, 0, 0x11, 293},
	{5012598, FLOW_BACKWARD, 52, 32, 0, 0x11, 236},	   {5013185, FLOW_FORWARD, 52, 32, 0, 0x10, 293},
};

/*
 * What CICFlowMeter's definitions make of them, computed apart from this program; all but the subflows and the
 * backward window is what the improved CICFlowMeter printed.
 */
static const struct {
	const char *label;
	double short_answer, long_answer;
} cic_columns[] = {
	{"Flow Duration", 5006912, 5013185},
	{"Total Fwd Packet", 6, 7},
	{"Total Bwd packets", 5, 5},
	{"Total Length of Fwd Packet", 447, 600},
	{"Total Length of Bwd Packet", 530, 4149},
	{"Fwd Packet Length Max", 447, 600},
	{"Fwd Packet Length Min", 0, 0},
	{"Fwd Packet Length Mean", 74.5, 85.71428571428571},
	{"Fwd Packet Length Std", 182.48698583734677, 226.77868380553633},
	{"Bwd Packet Length Max", 530, 2701},
	{"Bwd Packet Length Min", 0, 0},
	{"Bwd Packet Length Mean", 106, 829.8},
	{"Bwd Packet Length Std", 237.0232056149777, 1219.555738783595},
	{"Flow Bytes/s", 195.13025193971853, 947.3019647190359},
	{"Flow Packets/s", 2.196962918461519, 2.3936878451523333},
	{"Flow IAT Mean", 500691.2, 455744.0909090909},
	{"Flow IAT Std", 1581042.152716422, 1507215.1816732378},
	{"Flow IAT Max", 5000415, 5000160},
	{"Flow IAT Min", 4, 3},
	{"Fwd IAT Total", 5006912, 5013185},
	{"Fwd IAT Mean", 1001382.4, 835530.8333333334},
	{"Fwd IAT Std", 2235682.6395932855, 2040247.6267804764},
	{"Fwd IAT Max", 5000692, 5000160},
	{"Fwd IAT Min", 4, 3},
	{"Bwd IAT Total", 5006308, 5012485},
	{"Bwd IAT Mean", 1251577, 1253121.25},
	{"Bwd IAT Std", 2499623.035144966, 2498834.7252171193},
	{"Bwd IAT Max", 5001011, 5001367},
	{"Bwd IAT Min", 312, 51},
	{"Fwd PSH Flags", 1, 1},
	{"Bwd PSH Flags", 1, 1},
	{"Fwd URG Flags", 0, 0},
	{"Bwd URG Flags", 0, 0},
	{"Fwd RST Flags", 0, 0},
	{"Bwd RST Flags", 0, 0},
	{"Fwd Header Length", 200, 232},
	{"Bwd Header Length", 168, 168},
	{"Fwd Packets/s", 1.1983434100699193, 1.3963179096721945},
	{"Bwd Packets/s", 0.9986195083915995, 0.9973699354801387},
	{"Packet Length Min", 0, 0},
	{"Packet Length Max", 530, 2701},
	{"Packet Length Mean", 88.81818181818181, 395.75},
	{"Packet Length Std", 198.47761495031028, 845.9899123619512},
	{"Packet Length Variance", 39393.36363636363, 715698.9318181818},
	{"FIN Flag Count", 2, 2},
	{"SYN Flag Count", 2, 2},
	{"RST Flag Count", 0, 0},
	{"PSH Flag Count", 2, 2},
	{"ACK Flag Count", 10, 11},
	{"URG Flag Count", 0, 0},
	{"CWR Flag Count", 0, 0},
	{"ECE Flag Count", 0, 0},
	{"Down/Up Ratio", 0.8333333333333334, 0.7142857142857143},
	{"Average Packet Size", 88.81818181818181, 395.75},
	{"Fwd Segment Size Avg", 74.5, 85.71428571428571},
	{"Bwd Segment Size Avg", 106, 829.8},
	{"Fwd Bytes/Bulk Avg", 0, 0},
	{"Fwd Packet/Bulk Avg", 0, 0},
	{"Fwd Bulk Rate Avg", 0, 0},
	{"Bwd Bytes/Bulk Avg", 0, 0},
	{"Bwd Packet/Bulk Avg", 0, 0},
	{"Bwd Bulk Rate Avg", 0, 0},
	{"Subflow Fwd Packets", 3, 3.5},
	{"Subflow Fwd Bytes", 223.5, 300},
	{"Subflow Bwd Packets", 2.5, 2.5},
	{"Subflow Bwd Bytes", 265, 2074.5},
	{"FWD Init Win Bytes", 29200, 29200},
	{"Bwd Init Win Bytes", 28960, 28960},
	{"Fwd Act Data Pkts", 1, 1},
	{"Fwd Seg Size Min", 32, 32},
	{"Active Mean", 5712, 12319},
	{"Active Std", 0, 0},
	{"Active Max", 5712, 12319},
	{"Active Min", 5712, 12319},
	{"Idle Mean", 5000415, 5000160},
	{"Idle Std", 0, 0},
	{"Idle Max", 5000415, 5000160},
	{"Idle Min", 5000415, 5000160},
	{"ICMP Code", -1, -1},
	{"ICMP Type", -1, -1},
	{"Total TCP Flow Time", 5006912, 5013185},
};

static void cic_columns_are_what_cicflowmeter_defines(void **state)
{
	struct flow_feature_set *set = set_of("cic");
	struct made_flow made[2];
	double row[2][N_IN(cic_columns)];

	(void)state;
	make_flow(&made[0], short_answer, N_IN(short_answer));
	make_flow(&made[1], long_answer, N_IN(long_answer));
	assert_int_equal(set->n, N_IN(cic_columns));
	for (uint32_t i = 0; i < 2; i++) {
		struct flow_view view = made_view(&made[i]);

		flow_feature_set_row(set, &view, row[i]);
	}
	for (uint32_t i = 0; i < set->n; i++) {
		assert_string_equal(set->columns[i].label, cic_columns[i].label);
		assert_close(cic_columns[i].label, row[0][i], cic_columns[i].short_answer);
		assert_close(cic_columns[i].label, row[1][i], cic_columns[i].long_answer);
	}
	flow_feature_set_free(set);
}

static void features_beyond_cic_are_what_their_formulas_say(void **state)
{
	static const struct {
		const char *name;
		double value;
	} cases[] = {
		{"fwd_bytes", 767},
		{"bwd_bytes", 798},
		{"bytes", 1565},
		{"header_bytes", 368},
		{"fwd_layer4_bytes", 647},
		{"bwd_layer4_bytes", 698},
		{"layer4_bytes", 1345},
		{"packets", 11},
		{"payload_bytes", 977},
		{"data_packets", 2},
		{"bwd_data_packets", 1},
		{"fwd_empty_share", 5.0 / 6},
		{"bwd_empty_share", 4.0 / 5},
		{"empty_share", 9.0 / 11},
		{"bits_per_second", 8 * 1565 / 5.006912},
		{"fwd_bits_per_second", 8 * 767 / 5.006912},
		{"bwd_bits_per_second", 8 * 798 / 5.006912},
		{"first_reply", 131},
		{"direction_changes", 8},
		{"fwd_first_payload", 447},
		{"bwd_first_payload", 530},
		{"fwd_fin_packets", 1},
		{"bwd_fin_packets", 1},
		{"fwd_syn_packets", 1},
		{"bwd_syn_packets", 1},
		{"fwd_ack_packets", 5},
		{"bwd_ack_packets", 5},
		{"fwd_ece_packets", 0},
		{"tcp_syn", 1},
		{"tcp_answered", 1},
		{"tcp_established", 1},
		{"tcp_refused", 0},
		{"tcp_reset", 0},
		{"tcp_closed", 1},
		{"ip_protocol", 6},
		{"protocol_tcp", 1},
		{"bwd_header_min", 32},
		{"fwd_ttl", 62},
		{"bwd_ttl", 64},
		{"active_periods", 1},
		{"idle_periods", 1},
		{"subflows", 2},
		{"fwd_bulks", 0},
		{"size1", 60},
		{"size4", 499},
		{"size11", 52},
		{"size12", 0},
		{"size32", 0},
		{"fwd_size_min", 52},
		{"fwd_size_mean", 767.0 / 6},
		{"fwd_size_max", 499},
		{"bwd_size_min", 52},
		{"bwd_size_max", 582},
		{"size_max", 582},
		{"first_syn", 1},
		{"first_ack", 0},
		{"first_rst", 0},
		{"first_fin", 0},
		{"tcp_flags1", 0x02},
		{"tcp_flags2", 0x12},
		{"tcp_flags4", 0x18},
		{"tcp_flags11", 0x10},
		{"tcp_flags12", 0},
		{"direction1", 1},
		{"direction2", -1},
		{"direction11", 1},
		{"direction12", 0},
		{"gap1", 0},
		{"gap2", 131},
		{"gap8", 5000415},
		{"gap12", 0},
	};
	struct made_flow made;
	struct flow_view view = made_view(&made);

	(void)state;
	make_flow(&made, short_answer, N_IN(short_answer));
	for (size_t i = 0; i < N_IN(cases); i++)
		assert_close(cases[i].name, value_of(&view, cases[i].name), cases[i].value);
}

/* Least, mean, most and deviation of the lengths of a side's packets, or (side 2) of all, in two passes. */
static void size_statistics(const struct sent *sent, uint32_t n, uint32_t side, double statistics[4])
{
	double sum = 0, squares = 0, n_side = 0;

	statistics[0] = INFINITY;
	statistics[2] = 0;
	for (uint32_t i = 0; i < n; i++) {
		if (side != 2 && sent[i].side != side)
			continue;
		statistics[0] = fmin(statistics[0], sent[i].ip_bytes);
		statistics[2] = fmax(statistics[2], sent[i].ip_bytes);
		sum += sent[i].ip_bytes;
		n_side++;
	}
	statistics[1] = sum / n_side;
	for (uint32_t i = 0; i < n; i++)
		if (side == 2 || sent[i].side == side)
			squares += pow(sent[i].ip_bytes - statistics[1], 2);
	statistics[3] = sqrt(squares / (n_side - 1));
}

static void sizes_are_of_ip_packets_in_each_direction_and_both(void **state)
{
	static const char *const names[] = {"fwd_size_min,fwd_size_mean,fwd_size_max,fwd_size_std",
					    "bwd_size_min,bwd_size_mean,bwd_size_max,bwd_size_std",
					    "size_min,size_mean,size_max,size_std"};
	static const struct {
		const struct sent *sent;
		uint32_t n;
	} flows[] = {{short_answer, N_IN(short_answer)}, {long_answer, N_IN(long_answer)}, {long_answer + 1, 7}};

	(void)state;
	for (size_t f = 0; f < N_IN(flows); f++) {
		struct made_flow made;
		struct flow_view view = made_view(&made);

		make_flow(&made, flows[f].sent, flows[f].n);
		for (uint32_t side = 0; side < N_IN(names); side++) {
			struct flow_feature_set *set = set_of(names[side]);
			double row[4], expected[4];

			flow_feature_set_row(set, &view, row);
			size_statistics(flows[f].sent, flows[f].n, side, expected);
			for (uint32_t c = 0; c < N_IN(row); c++)
				assert_close(set->columns[c].label, row[c], expected[c]);
			flow_feature_set_free(set);
		}
	}
}

static void first_packets_are_told_by_their_tcp_flags(void **state)
{
	static const struct {
		uint8_t tcp_flags;
		double row[4];
	} cases[] = {
		{0, {0, 0, 0, 0}},
		{PACKET_TCP_SYN, {1, 0, 0, 0}},
		{PACKET_TCP_SYN | PACKET_TCP_ACK, {1, 1, 0, 0}},
		{PACKET_TCP_RST, {0, 0, 1, 0}},
		{PACKET_TCP_FIN, {0, 0, 0, 1}},
		{PACKET_TCP_PSH | PACKET_TCP_URG | PACKET_TCP_ECE | PACKET_TCP_CWR, {0, 0, 0, 0}},
		{0xff, {1, 1, 1, 1}},
	};
	struct flow_feature_set *set = set_of("first_syn,first_ack,first_rst,first_fin");

	(void)state;
	for (size_t i = 0; i < N_IN(cases); i++) {
		struct flow flow = {.side = {{.tcp_flags = 0xff}, {.tcp_flags = 0xff}}};
		struct flow_series series = {.first_tcp_flags = cases[i].tcp_flags};
		struct flow_view view = {.flow = &flow, .series = &series};
		double row[4];

		flow_feature_set_row(set, &view, row);
		for (size_t c = 0; c < N_IN(row); c++)
			assert_close(set->columns[c].label, row[c], cases[i].row[c]);
	}
	flow_feature_set_free(set);
}

static void small_presets_have_their_columns(void **state)
{
	static const struct {
		const char *preset;
		uint32_t n;
		const char *labels[8];
		double values[8];
	} cases[] = {
		{"stream", 3, {"packets", "layer4_bytes", "duration"}, {11, 1345, 5006912}},
		{"stats8",
		 8,
		 {"duration", "packets", "size_max", "size_min", "size_mean", "size_std", "gap_max", "gap_std"},
		 {5006912, 11, 582, 52, 1565.0 / 11, 197.78679981691948, 5000415, 1581042.152716422}},
	};
	struct made_flow made;
	struct flow_view view = made_view(&made);

	(void)state;
	make_flow(&made, short_answer, N_IN(short_answer));
	for (size_t i = 0; i < N_IN(cases); i++) {
		struct flow_feature_set *set = set_of(cases[i].preset);
		double row[8];

		assert_int_equal(set->n, cases[i].n);
		flow_feature_set_row(set, &view, row);
		for (uint32_t c = 0; c < set->n; c++) {
			assert_string_equal(set->columns[c].label, cases[i].labels[c]);
			assert_close(cases[i].labels[c], row[c], cases[i].values[c]);
		}
		flow_feature_set_free(set);
	}
}

static void bulks_are_averaged_and_rated(void **state)
{
	struct made_flow made;
	struct flow_view view = made_view(&made);
	struct flow_bulk *bulk = &made.history.bulk[FLOW_BACKWARD];

	(void)state;
	make_flow(&made, short_answer, N_IN(short_answer));
	bulk->n = 2;
	bulk->packets = 9;
	bulk->bytes = 9001;
	bulk->duration_ns = 500000000;
	assert_close("bulks", value_of(&view, "bwd_bulks"), 2);
	assert_close("packets", value_of(&view, "bwd_bulk_packets"), 4.5);
	assert_close("bytes", value_of(&view, "bwd_bulk_bytes"), 4500.5);
	assert_close("rate", value_of(&view, "bwd_bulk_rate"), 18002);
	assert_close("packets", value_of(&view, "fwd_bulk_packets"), 0);
	bulk->duration_ns = 0;
	assert_close("rate", value_of(&view, "bwd_bulk_rate"), 0);
}

static void times_of_a_direction_count_from_its_own_first_packet(void **state)
{
	static const char names[] = "first_reply,fwd_duration,bwd_duration,fwd_gap_mean,bwd_gap_mean";
	static const struct {
		const char *what;
		struct sent sent[5];
		uint32_t n;
		double row[5];
	} cases[] = {
		{"the initiator begins",
		 {{0, FLOW_FORWARD, 60, 40, 0, 0x02, 1},
		  {70, FLOW_FORWARD, 60, 40, 0, 0x02, 1},
		  {75, FLOW_BACKWARD, 52, 32, 0, 0x12, 1},
		  {95, FLOW_BACKWARD, 52, 32, 0, 0x10, 1}},
		 4,
		 {75, 70, 20, 70, 20}},
		{"the capture begins with the answer",
		 {{0, FLOW_BACKWARD, 60, 40, 0, 0x12, 1},
		  {70, FLOW_FORWARD, 52, 32, 0, 0x10, 1},
		  {80, FLOW_FORWARD, 52, 32, 0, 0x10, 1},
		  {90, FLOW_BACKWARD, 52, 32, 0, 0x10, 1},
		  {100, FLOW_FORWARD, 52, 32, 0, 0x10, 1}},
		 5,
		 {70, 30, 90, 15, 90}},
		{"one packet each",
		 {{0, FLOW_BACKWARD, 60, 40, 0, 0x12, 1}, {70, FLOW_FORWARD, 52, 32, 0, 0x10, 1}},
		 2,
		 {70, 0, 0, 0, 0}},
		{"the responder alone",
		 {{0, FLOW_BACKWARD, 60, 40, 9, 0, 1}, {5, FLOW_BACKWARD, 60, 40, 9, 0, 1}},
		 2,
		 {0, 0, 5, 0, 5}},
	};
	struct flow_feature_set *set = set_of(names);

	(void)state;
	for (size_t i = 0; i < N_IN(cases); i++) {
		struct made_flow made;
		struct flow_view view = made_view(&made);
		double row[5];

		make_flow(&made, cases[i].sent, cases[i].n);
		flow_feature_set_row(set, &view, row);
		for (size_t c = 0; c < N_IN(row); c++)
			if (row[c] != cases[i].row[c])
				fail_msg("%s: %s is %g", cases[i].what, set->columns[c].label, row[c]);
	}
	flow_feature_set_free(set);
}

static void connection_time_adds_up_slices_of_tcp(void **state)
{
	struct made_flow made;
	struct flow_view view = made_view(&made);

	(void)state;
	make_flow(&made, short_answer, N_IN(short_answer));
	made.flow.slice = 1;
	made.history.earlier_ns = 1800000000000;
	assert_close("connection time", value_of(&view, "tcp_connection_time"), 1805006912);
	made.flow.key.protocol = PACKET_PROTOCOL_UDP;
	assert_close("connection time", value_of(&view, "tcp_connection_time"), 0);
}

static void tcp_outcomes_are_told_apart(void **state)
{
	enum { SYN = PACKET_TCP_SYN, ACK = PACKET_TCP_ACK, RST = PACKET_TCP_RST, FIN = PACKET_TCP_FIN };
	static const char names[] = "tcp_syn,tcp_answered,tcp_established,tcp_refused,tcp_reset,tcp_closed";
	static const struct {
		const char *what;
		uint8_t flags[2];
		double row[6];
	} cases[] = {
		{"no TCP", {0, 0}, {0, 0, 0, 0, 0, 0}},
		{"no answer", {SYN, 0}, {1, 0, 0, 0, 0, 0}},
		{"closed port", {SYN, RST | ACK}, {1, 0, 0, 1, 1, 0}},
		{"half-open scan", {SYN | RST, SYN | ACK}, {1, 1, 0, 0, 1, 0}},
		{"open", {SYN | ACK, SYN | ACK}, {1, 1, 1, 0, 0, 0}},
		{"closed by one side", {SYN | ACK | FIN, SYN | ACK}, {1, 1, 1, 0, 0, 0}},
		{"closed", {SYN | ACK | FIN, SYN | ACK | FIN}, {1, 1, 1, 0, 0, 1}},
		{"reset", {SYN | ACK, SYN | ACK | RST}, {1, 1, 1, 0, 1, 0}},
		{"begun before the slice", {ACK | FIN, ACK | FIN}, {0, 0, 0, 0, 0, 1}},
		{"answer alone", {0, SYN | ACK}, {0, 0, 0, 0, 0, 0}},
	};
	struct flow_feature_set *set = set_of(names);

	(void)state;
	for (size_t i = 0; i < N_IN(cases); i++) {
		struct flow flow = {.side = {{.tcp_flags = cases[i].flags[0]}, {.tcp_flags = cases[i].flags[1]}}};
		struct flow_view view = {.flow = &flow};
		double row[6];

		flow_feature_set_row(set, &view, row);
		for (size_t c = 0; c < N_IN(row); c++)
			if (row[c] != cases[i].row[c])
				fail_msg("%s: %s is %g", cases[i].what, set->columns[c].label, row[c]);
	}
	flow_feature_set_free(set);
}

static void icmp_type_is_of_icmp_alone(void **state)
{
	static const struct {
		uint32_t protocol;
		double type, code;
	} cases[] = {
		{PACKET_PROTOCOL_ICMP, 3, 13},
		{PACKET_PROTOCOL_ICMPV6, 3, 13},
		{PACKET_PROTOCOL_TCP, -1, -1},
		{PACKET_PROTOCOL_UDP, -1, -1},
		{0, -1, -1},
	};

	(void)state;
	for (size_t i = 0; i < N_IN(cases); i++) {
		struct flow flow = {.key.protocol = cases[i].protocol};
		struct flow_series series = {.icmp_type = 3, .icmp_code = 13};
		struct flow_view view = {.flow = &flow, .series = &series};

		assert_close("icmp_type", value_of(&view, "icmp_type"), cases[i].type);
		assert_close("icmp_code", value_of(&view, "icmp_code"), cases[i].code);
	}
}

/* One packet has no time, no gap, no deviation: those are 0, and what remains is what the packet says. */
static void single_packets_have_zeros_where_a_formula_has_no_value(void **state)
{
	static const struct sent sent[] = {{0, FLOW_FORWARD, 1028, 8, 1000, 0, 0}};
	static const struct {
		const char *name;
		double value;
	} values[] = {
		{"fwd_packets", 1},
		{"packets", 1},
		{"fwd_bytes", 1028},
		{"bytes", 1028},
		{"fwd_payload_bytes", 1000},
		{"payload_bytes", 1000},
		{"fwd_header_bytes", 8},
		{"header_bytes", 8},
		{"fwd_layer4_bytes", 1008},
		{"layer4_bytes", 1008},
		{"fwd_data_packets", 1},
		{"data_packets", 1},
		{"fwd_size_min", 1028},
		{"fwd_size_mean", 1028},
		{"fwd_size_max", 1028},
		{"size_min", 1028},
		{"size_mean", 1028},
		{"size_max", 1028},
		{"fwd_payload_min", 1000},
		{"fwd_payload_mean", 1000},
		{"fwd_payload_max", 1000},
		{"payload_min", 1000},
		{"payload_mean", 1000},
		{"payload_max", 1000},
		{"fwd_first_payload", 1000},
		{"ip_protocol", 17},
		{"protocol_udp", 1},
		{"fwd_header_min", 8},
		{"fwd_ttl", 62},
		{"icmp_type", -1},
		{"icmp_code", -1},
		{"subflows", 1},
		{"fwd_subflow_packets", 1},
		{"fwd_subflow_bytes", 1000},
		{"size1", 1028},
		{"direction1", 1},
	};
	struct flow_feature_set *set = set_of("all");
	double *row = calloc(set->n, sizeof(*row));
	struct made_flow made;
	struct flow_view view = made_view(&made);

	(void)state;
	make_flow(&made, sent, 1);
	made.flow.key.protocol = PACKET_PROTOCOL_UDP;
	flow_feature_set_row(set, &view, row);
	for (uint32_t i = 0; i < set->n; i++) {
		double expected = 0;

		for (size_t v = 0; v < N_IN(values); v++)
			if (!strcmp(values[v].name, set->columns[i].label))
				expected = values[v].value;
		assert_close(set->columns[i].label, row[i], expected);
	}
	free(row);
	flow_feature_set_free(set);
}

static void empty_directions_do_not_count_in_the_least_length(void **state)
{
	static const struct sent sent[] = {{0, FLOW_BACKWARD, 60, 20, 20, 0x18, 9},
					   {9, FLOW_BACKWARD, 70, 20, 30, 0x18, 9}};
	struct made_flow made;
	struct flow_view view = made_view(&made);

	(void)state;
	make_flow(&made, sent, N_IN(sent));
	made.flow.side[FLOW_FORWARD].payload_min = 65535;
	made.history.size_min[FLOW_FORWARD] = 40;
	assert_close("size_min", value_of(&view, "size_min"), 60);
	assert_close("fwd_size_min", value_of(&view, "fwd_size_min"), 0);
	assert_close("payload_min", value_of(&view, "payload_min"), 20);
	assert_close("fwd_payload_min", value_of(&view, "fwd_payload_min"), 0);
	assert_close("down_up_ratio", value_of(&view, "down_up_ratio"), 0);
}

/* As many lengths of 65534 as of 65535 bytes: sums in floating point would lose what differs. */
static void deviations_of_long_flows_are_exact(void **state)
{
	uint64_t n = FLOW_MAX_SLICE_PACKETS / 2;
	uint64_t sum = n * 131069, squares = n * (65534u * 65534ull + 65535u * 65535ull);
	struct flow flow = {
		.side[FLOW_FORWARD] = {.packets = (uint32_t)(2 * n), .bytes = sum, .payload_bytes = sum}};
	struct flow_series series = {.payload_squares = {squares}};
	struct flow_history history = {.size_squares = {squares}};
	struct flow_view view = {.flow = &flow, .series = &series, .history = &history};

	(void)state;
	assert_close("payload_variance", value_of(&view, "payload_variance"), 0.25 * (2.0 * n) / (2.0 * n - 1));
	assert_close("size_std", value_of(&view, "size_std"), 0.5 * sqrt((2.0 * n) / (2.0 * n - 1)));
	assert_close("fwd_payload_std", value_of(&view, "fwd_payload_std"), 0.5 * sqrt((2.0 * n) / (2.0 * n - 1)));
}

/* A generator of numbers: xorshift64* (Marsaglia; Vigna). */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1du;
}

/* Bytes of the kind: zeros, ones, random ones, or words of both extremes. */
static void fill(void *bytes, size_t n_bytes, uint32_t kind, uint64_t *random)
{
	uint8_t *at = bytes;

	for (size_t i = 0; i < n_bytes; i++) {
		uint64_t number = next_random(random);

		if (kind == 0)
			at[i] = 0;
		else if (kind == 1)
			at[i] = 0xff;
		else if (kind == 2)
			at[i] = (uint8_t)(number >> 32);
		else
			at[i] = i % 4 != 0 ? at[i - 1] : (number & 1 ? 0xff : 0);
	}
}

static void all_values_are_finite_whatever_the_flow_holds(void **state)
{
	static const double odd[] = {NAN, INFINITY, -INFINITY, -1, 0, 1e308, 5e-324};
	struct flow_feature_set *set = set_of("all");
	double *row = calloc(set->n, sizeof(*row));
	uint64_t random = 1;

	(void)state;
	for (uint32_t round = 0; round < 4000; round++) {
		struct made_flow made;
		struct flow_view view = made_view(&made);

		fill(&made, sizeof(made), round % 4, &random);
		if (round % 8 >= 4)
			for (uint32_t s = 0; s < FLOW_N_SERIES; s++)
				made.series.gap_m2[s] = odd[next_random(&random) % N_IN(odd)];
		if (round % 8 >= 4)
			made.history.active.m2 = odd[next_random(&random) % N_IN(odd)];
		flow_feature_set_row(set, &view, row);
		for (uint32_t i = 0; i < set->n; i++) {
			const struct flow_feature_info *info = flow_features_info(set->columns[i].feature);

			if (!isfinite(row[i]))
				fail_msg("%s is %g in round %u", info->name, row[i], round);
			if (row[i] < 0 && row[i] != -1)
				fail_msg("%s is %g in round %u", info->name, row[i], round);
			if (info->type == FLOW_FEATURE_COUNT && (row[i] != floor(row[i]) || row[i] >= 0x1p53))
				fail_msg("%s is no whole number: %g in round %u", info->name, row[i], round);
		}
	}
	free(row);
	flow_feature_set_free(set);
}

/* Of numbers that are all different. */
static void context_fill(struct flow_context *context, uint64_t *random)
{
	float numbers[sizeof(*context) / sizeof(float)];

	for (uint32_t i = 0; i < N_IN(numbers); i++)
		numbers[i] = (float)(next_random(random) % 1000000) / 64;
	memcpy(context, numbers, sizeof(*context));
}

#define MOST_ROWS 67

static void rows_of_many_flows_are_those_of_each_to_the_bit(void **state)
{
	static const uint32_t counts[] = {0, 1, 2, 15, 16, 17, 32, MOST_ROWS};
	struct flow_feature_set *set = set_of("all");
	struct made_flow *made = calloc(MOST_ROWS, sizeof(*made));
	struct flow_context contexts[MOST_ROWS];
	struct flow_view views[MOST_ROWS];
	const struct flow_view *asked[MOST_ROWS];
	double *row = calloc(set->n, sizeof(*row));
	float *rows = calloc((MOST_ROWS + 1) * set->n, sizeof(*rows));
	uint64_t random = 2;

	(void)state;
	for (uint32_t round = 0; round < 20 * N_IN(counts); round++) {
		uint32_t n = counts[round % N_IN(counts)];

		for (uint32_t i = 0; i < n; i++) {
			fill(&made[i], sizeof(made[i]), (round + i) % 4, &random);
			context_fill(&contexts[i], &random);
			views[i] = made_view(&made[i]);
			views[i].context = &contexts[i];
			asked[n - 1 - i] = &views[i];
		}
		rows[n * set->n] = -7;
		flow_feature_set_rows(set, asked, n, rows);
		assert_true(rows[n * set->n] == -7);
		for (uint32_t i = 0; i < n; i++) {
			flow_feature_set_row(set, asked[i], row);
			for (uint32_t c = 0; c < set->n; c++) {
				float expected = (float)row[c];

				if (memcmp(&expected, &rows[i * set->n + c], sizeof(expected)) != 0)
					fail_msg("%s of flow %u of %u is %a, alone %a", set->columns[c].label, i, n,
						 (double)rows[i * set->n + c], (double)expected);
			}
		}
	}
	free(rows);
	free(row);
	free(made);
	flow_feature_set_free(set);
}

/* Each by itself, from a flow that has nothing but what the set's layout asks for, ending at a guard page. */
static void features_read_no_other_part_than_they_say(void **state)
{
	struct flow_feature_set *set = set_of("all");
	double *row = calloc(set->n, sizeof(*row));
	struct guard series_guard = guard_create(sizeof(struct flow_series));
	struct guard history_guard = guard_create(sizeof(struct made_flow));
	struct made_flow made;
	struct flow_view view = made_view(&made);

	(void)state;
	make_flow(&made, long_answer, N_IN(long_answer));
	flow_feature_set_row(set, &view, row);
	for (uint32_t i = 0; i < set->n; i++) {
		struct flow_feature_set *one = set_of(set->columns[i].label);
		size_t history_bytes = flow_history_bytes(&one->layout);
		struct flow_view part = {.flow = &made.flow,
					 .context = one->layout.has_context ? view.context : NULL};
		double value;

		if (one->layout.has_series)
			part.series = (const void *)guard_place(&series_guard, &made.series, sizeof(made.series));
		if (one->layout.has_history)
			part.history = (const void *)guard_place(&history_guard, &made.history, history_bytes);
		flow_feature_set_row(one, &part, &value);
		if (value != row[i])
			fail_msg("%s is %g by itself, %g among all", set->columns[i].label, value, row[i]);
		flow_feature_set_free(one);
	}
	guard_free(&history_guard);
	guard_free(&series_guard);
	free(row);
	flow_feature_set_free(set);
}

static void sets_ask_for_the_parts_they_need(void **state)
{
	static const struct {
		const char *text;
		struct flow_layout layout;
	} cases[] = {
		{"stream", {false, false, false, 0}},
		{"packets,duration,gap_mean", {false, false, false, 0}},
		{"stats8", {true, true, false, 0}},
		{"size_mean,bwd_size_mean", {false, false, false, 0}},
		{"bwd_size_std", {false, true, false, 0}},
		{"first_syn", {true, false, false, 0}},
		{"active_mean", {false, true, false, 0}},
		{"cic", {true, true, false, 0}},
		{"size1,gap7,direction3", {false, true, false, 7}},
		{"tcp_flags9", {false, true, false, 9}},
		{"stream,gap_std,size32", {true, true, false, 32}},
		{"initiator_ports", {false, false, true, 0}},
		{"attack", {true, false, true, 0}},
		{"all", {true, true, true, 32}},
	};

	(void)state;
	for (size_t i = 0; i < N_IN(cases); i++) {
		struct flow_feature_set *set = set_of(cases[i].text);

		assert_int_equal(set->layout.has_series, cases[i].layout.has_series);
		assert_int_equal(set->layout.has_history, cases[i].layout.has_history);
		assert_int_equal(set->layout.has_context, cases[i].layout.has_context);
		assert_int_equal(set->layout.n_listed, cases[i].layout.n_listed);
		flow_feature_set_free(set);
	}
}

static void names_are_unique_and_fit_a_header(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < flow_features_n(); i++) {
		const struct flow_feature_info *info = flow_features_info(i);

		assert_int_equal(strspn(info->name, "abcdefghijklmnopqrstuvwxyz_0123456789"), strlen(info->name));
		assert_true(strlen(info->formula) > 0);
		for (uint32_t k = 0; k < i; k++)
			assert_string_not_equal(info->name, flow_features_info(k)->name);
		for (uint32_t k = 0; flow_features_preset(k) != NULL; k++)
			assert_string_not_equal(info->name, flow_features_preset(k)->name);
	}
}

/* size1 to size32, direction1 ..., gap1 ... */
static void listed_features_are_numbered_by_packet(void **state)
{
	static const char *const lists[] = {"size", "direction", "gap", "tcp_flags"};
	uint32_t feature = flow_features_n() - N_IN(lists) * FLOW_FEATURES_MAX_LISTED;

	(void)state;
	for (uint32_t i = 0; i < feature; i++)
		assert_int_equal(flow_features_info(i)->n_listed, 0);
	for (size_t list = 0; list < N_IN(lists); list++)
		for (uint32_t k = 1; k <= FLOW_FEATURES_MAX_LISTED; k++) {
			const struct flow_feature_info *info = flow_features_info(feature++);
			char name[16];

			snprintf(name, sizeof(name), "%s%u", lists[list], k);
			assert_string_equal(info->name, name);
			assert_int_equal(info->n_listed, k);
			assert_int_equal(info->part, FLOW_FEATURE_OF_HISTORY);
		}
}

static void sets_keep_the_order_of_the_names(void **state)
{
	static const char *const labels[] = {"gap_std", "packets", "layer4_bytes", "duration", "size2", "bytes"};
	struct flow_feature_set *set = set_of("gap_std,stream,size2,bytes");

	(void)state;
	assert_int_equal(set->n, N_IN(labels));
	for (size_t i = 0; i < N_IN(labels); i++) {
		assert_string_equal(set->columns[i].label, labels[i]);
		assert_string_equal(flow_features_info(set->columns[i].feature)->name, labels[i]);
	}
	flow_feature_set_free(set);
}

static void unknown_and_repeated_names_are_refused(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{"", "there is no feature or preset ''"},
		{"bogus", "there is no feature or preset 'bogus'"},
		{"packets,", "there is no feature or preset ''"},
		{",packets", "there is no feature or preset ''"},
		{"packets,,bytes", "there is no feature or preset ''"},
		{"packets, bytes", "there is no feature or preset ' bytes'"},
		{"packet", "there is no feature or preset 'packet'"},
		{"packetss", "there is no feature or preset 'packetss'"},
		{"Packets", "there is no feature or preset 'Packets'"},
		{"size", "there is no feature or preset 'size'"},
		{"size0", "there is no feature or preset 'size0'"},
		{"size33", "there is no feature or preset 'size33'"},
		{"packets,bytes,packets", "'packets' is there twice"},
		{"stream,stats8", "'duration' is there twice"},
		{"all,gap3", "'gap3' is there twice"},
		{"cic,cic", "'Flow Duration' is there twice"},
	};

	(void)state;
	for (size_t i = 0; i < N_IN(cases); i++) {
		struct flow_feature_set *set = NULL;
		char error[128] = "";

		assert_int_equal(flow_feature_set_create(cases[i].text, &set, error, sizeof(error)), -EINVAL);
		assert_string_equal(error, cases[i].error);
		assert_null(set);
	}
	flow_feature_set_free(NULL);
}

static void a_list_of_names_is_what_its_text_is(void **state)
{
	static const char *const names[] = {"hosts_flows_60s", "stats8", "initiator_ports"},
				 *const unknown[] = {"packets", "packets,bytes"};
	struct flow_feature_set *set, *same = set_of("hosts_flows_60s,stats8,initiator_ports");
	char error[128] = "";

	(void)state;
	assert_int_equal(flow_feature_set_create_of(names, N_IN(names), &set, error, sizeof(error)), 0);
	assert_int_equal(set->n, same->n);
	for (uint32_t i = 0; i < set->n; i++)
		assert_int_equal(set->columns[i].feature, same->columns[i].feature);
	flow_feature_set_free(set);
	flow_feature_set_free(same);
	assert_int_equal(flow_feature_set_create_of(unknown, N_IN(unknown), &set, error, sizeof(error)), -EINVAL);
	assert_string_equal(error, "there is no feature or preset 'packets,bytes'");
	assert_int_equal(flow_feature_set_create_of(NULL, 0, &set, error, sizeof(error)), -EINVAL);
}

static void presets_may_stand_beside_each_other(void **state)
{
	struct flow_feature_set *set = set_of("all,cic");

	(void)state;
	assert_int_equal(set->n, flow_features_n() + N_IN(cic_columns));
	flow_feature_set_free(set);
}

static void hash_changes_with_every_part_of_a_definition(void **state)
{
	static const struct flow_feature_info first = {.name = "size", .unit = "bytes", .formula = "a + b"};
	static const struct {
		const char *name, *unit, *formula;
	} others[] = {
		{"Size", "bytes", "a + b"}, {"size", "bits", "a + b"},	{"size", "bytes", "a - b"},
		{"si", "zebytes", "a + b"}, {"size", "bytesa", " + b"}, {"size", "", "bytesa + b"},
	};
	uint64_t hash = flow_feature_hash(FLOW_FEATURE_HASH_START, &first);

	(void)state;
	assert_true(flow_feature_hash(FLOW_FEATURE_HASH_START, &first) == hash);
	for (size_t i = 0; i < N_IN(others); i++) {
		struct flow_feature_info other = {
			.name = others[i].name, .unit = others[i].unit, .formula = others[i].formula};

		assert_true(flow_feature_hash(FLOW_FEATURE_HASH_START, &other) != hash);
		/* Behind another, and before. */
		assert_true(flow_feature_hash(flow_feature_hash(FLOW_FEATURE_HASH_START, &other), &first) !=
			    flow_feature_hash(flow_feature_hash(FLOW_FEATURE_HASH_START, &first), &other));
	}
}

static void schema_is_of_features_and_their_order(void **state)
{
	static const struct {
		const char *text, *schema;
	} cases[] = {
		/* Models hold these: a change here must be meant. */
		{"stream", "d19be759093eefe0"},
		{"stats8", "5caddd7db6e53958"},
		{"cic", "a9fd3b2ca99ac45d"},
		{"all", "d1057a77af336bd4"},
		{"attack", "52573154daedebbe"},
		{"packets,bytes", "1e5a4e85e9f09b83"},
		{"bytes,packets", "8cec96d187a903a9"},
		/* Whatever the header says. */
		{"packets,layer4_bytes,duration", "d19be759093eefe0"},
	};

	(void)state;
	for (size_t i = 0; i < N_IN(cases); i++) {
		struct flow_feature_set *set = set_of(cases[i].text);
		char schema[FLOW_FEATURES_SCHEMA_SIZE];

		flow_feature_set_schema(set, schema);
		assert_string_equal(schema, cases[i].schema);
		flow_feature_set_free(set);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cic_columns_are_what_cicflowmeter_defines),
		cmocka_unit_test(features_beyond_cic_are_what_their_formulas_say),
		cmocka_unit_test(sizes_are_of_ip_packets_in_each_direction_and_both),
		cmocka_unit_test(first_packets_are_told_by_their_tcp_flags),
		cmocka_unit_test(small_presets_have_their_columns),
		cmocka_unit_test(bulks_are_averaged_and_rated),
		cmocka_unit_test(times_of_a_direction_count_from_its_own_first_packet),
		cmocka_unit_test(connection_time_adds_up_slices_of_tcp),
		cmocka_unit_test(tcp_outcomes_are_told_apart),
		cmocka_unit_test(icmp_type_is_of_icmp_alone),
		cmocka_unit_test(single_packets_have_zeros_where_a_formula_has_no_value),
		cmocka_unit_test(empty_directions_do_not_count_in_the_least_length),
		cmocka_unit_test(deviations_of_long_flows_are_exact),
		cmocka_unit_test(all_values_are_finite_whatever_the_flow_holds),
		cmocka_unit_test(rows_of_many_flows_are_those_of_each_to_the_bit),
		cmocka_unit_test(features_read_no_other_part_than_they_say),
		cmocka_unit_test(sets_ask_for_the_parts_they_need),
		cmocka_unit_test(names_are_unique_and_fit_a_header),
		cmocka_unit_test(listed_features_are_numbered_by_packet),
		cmocka_unit_test(sets_keep_the_order_of_the_names),
		cmocka_unit_test(unknown_and_repeated_names_are_refused),
		cmocka_unit_test(a_list_of_names_is_what_its_text_is),
		cmocka_unit_test(presets_may_stand_beside_each_other),
		cmocka_unit_test(hash_changes_with_every_part_of_a_definition),
		cmocka_unit_test(schema_is_of_features_and_their_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
