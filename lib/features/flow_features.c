/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a flow to a row of numbers. features.def says what is computed, this file how: each of its expressions
 * becomes a function of struct flow_values. Called by the control core for rows and by workers for models.
 */
#include "flow_features.h"

#include "flow_context.h"

#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One direction of the slice, or both together. */
struct side_values {
	uint64_t packets, data_packets, bytes, payload_bytes, header_bytes;
	uint32_t payload_min, payload_max, header_min, window, ttl, tcp_flags;
	uint64_t ns; /* from first to last packet; of one direction only with the series */

	/* Of the series, else 0. */
	unsigned __int128 payload_squares;
	uint64_t gaps; /* between packets */
	double gap_m2; /* ns^2 */
	flow_gap gap_min, gap_max;
	struct {
		uint64_t fin, syn, rst, psh, ack, urg, ece, cwr;
	} tcp;

	/* Of the history, else 0 and NULL. */
	uint32_t size_min, size_max;
	unsigned __int128 size_squares;
	const struct flow_bulk *bulk;
};

/* What expressions are made of. */
struct flow_values {
	struct side_values fwd, bwd, both;
	const struct flow *flow;
	const struct flow_series *series;   /* NULL without */
	const struct flow_history *history; /* NULL without, as the next two */
	const struct flow_periods *active, *idle;
	const struct flow_context *context; /* NULL without */
};

/* How long after an earlier time a later one is, and 0 where it is not. */
static uint64_t elapsed_ns(uint64_t from_ns, uint64_t to_ns)
{
	return to_ns > from_ns ? to_ns - from_ns : 0;
}

static void side_values_fill(struct side_values *values, const struct flow *flow, uint32_t side)
{
	const struct flow_side *from = &flow->side[side];

	*values = (struct side_values){
		.packets = from->packets,
		.data_packets = from->data_packets,
		.bytes = from->bytes,
		.payload_bytes = from->payload_bytes,
		.header_bytes = from->transport_bytes,
		.payload_min = from->packets > 0 ? from->payload_min : 0,
		.payload_max = from->payload_max,
		.header_min = flow_min_transport_bytes(flow, side),
		.window = from->window,
		.ttl = from->ttl,
		.tcp_flags = from->tcp_flags,
	};
}

/* From the direction's first packet to its last. */
static uint64_t side_ns(const struct flow_view *view, uint32_t side)
{
	const struct flow *flow = view->flow;
	uint32_t first = view->series->first_side != FLOW_FORWARD ? FLOW_BACKWARD : FLOW_FORWARD;
	uint32_t last = flow->bits & FLOW_LAST_BACKWARD ? FLOW_BACKWARD : FLOW_FORWARD;
	uint64_t from_ns = flow->start_ns + (side == first ? 0 : flow_gap_ns(view->series->reply));
	uint64_t to_ns = side == last ? flow->last_ns : view->series->other_last_ns;

	return flow->side[side].packets > 1 ? elapsed_ns(from_ns, to_ns) : 0;
}

static void gaps_fill(struct side_values *values, const struct flow_series *from, uint32_t series)
{
	values->gaps = values->packets > 1 ? values->packets - 1 : 0;
	if (values->gaps == 0)
		return;
	values->gap_m2 = from->gap_m2[series];
	values->gap_min = from->gap_min[series];
	values->gap_max = from->gap_max[series];
}

static void side_series_fill(struct side_values *values, const struct flow_view *view, uint32_t side)
{
	const struct flow_tcp_counts *tcp = &view->series->tcp[side];

	values->ns = side_ns(view, side);
	values->payload_squares = view->series->payload_squares[side];
	gaps_fill(values, view->series, side == FLOW_FORWARD ? FLOW_SERIES_FORWARD : FLOW_SERIES_BACKWARD);
	values->tcp.fin = tcp->fin;
	values->tcp.syn = tcp->syn;
	values->tcp.rst = tcp->rst;
	values->tcp.psh = tcp->psh;
	values->tcp.ack = tcp->ack;
	values->tcp.urg = tcp->urg;
	values->tcp.ece = tcp->ece;
	values->tcp.cwr = tcp->cwr;
}

static void side_history_fill(struct side_values *values, const struct flow_history *history, uint32_t side)
{
	values->size_min = values->packets > 0 ? history->size_min[side] : 0;
	values->size_max = history->size_max[side];
	values->size_squares = history->size_squares[side];
	values->bulk = &history->bulk[side];
}

/* The lesser of two directions' minimums; one without packets has none. */
static uint32_t lesser(const struct side_values *a, uint32_t min_a, const struct side_values *b, uint32_t min_b)
{
	if (a->packets > 0 && b->packets > 0)
		return min_a < min_b ? min_a : min_b;
	return a->packets > 0 ? min_a : min_b;
}

/* Both directions together: what can be added or compared. */
static void side_values_merge(struct side_values *both, const struct side_values *a, const struct side_values *b)
{
	*both = (struct side_values){
		.packets = a->packets + b->packets,
		.data_packets = a->data_packets + b->data_packets,
		.bytes = a->bytes + b->bytes,
		.payload_bytes = a->payload_bytes + b->payload_bytes,
		.header_bytes = a->header_bytes + b->header_bytes,
		.payload_min = lesser(a, a->payload_min, b, b->payload_min),
		.payload_max = a->payload_max > b->payload_max ? a->payload_max : b->payload_max,
		.tcp_flags = a->tcp_flags | b->tcp_flags,
		.payload_squares = a->payload_squares + b->payload_squares,
		.tcp = {a->tcp.fin + b->tcp.fin, a->tcp.syn + b->tcp.syn, a->tcp.rst + b->tcp.rst,
			a->tcp.psh + b->tcp.psh, a->tcp.ack + b->tcp.ack, a->tcp.urg + b->tcp.urg,
			a->tcp.ece + b->tcp.ece, a->tcp.cwr + b->tcp.cwr},
		.size_min = lesser(a, a->size_min, b, b->size_min),
		.size_max = a->size_max > b->size_max ? a->size_max : b->size_max,
		.size_squares = a->size_squares + b->size_squares,
	};
}

/* Of the parts that the layout has: others may be there, but no expression asks for them. */
static void flow_values_fill(struct flow_values *v, const struct flow_layout *layout, const struct flow_view *whole)
{
	const struct flow_view part = {
		.flow = whole->flow,
		.series = layout->has_series ? whole->series : NULL,
		.history = layout->has_history ? whole->history : NULL,
	};
	const struct flow_view *view = &part;

	v->flow = view->flow;
	v->series = view->series;
	v->history = view->history;
	v->context = whole->context;
	side_values_fill(&v->fwd, view->flow, FLOW_FORWARD);
	side_values_fill(&v->bwd, view->flow, FLOW_BACKWARD);
	if (view->series != NULL) {
		side_series_fill(&v->fwd, view, FLOW_FORWARD);
		side_series_fill(&v->bwd, view, FLOW_BACKWARD);
	}
	if (view->history != NULL) {
		side_history_fill(&v->fwd, view->history, FLOW_FORWARD);
		side_history_fill(&v->bwd, view->history, FLOW_BACKWARD);
	}
	side_values_merge(&v->both, &v->fwd, &v->bwd);
	v->both.ns = elapsed_ns(view->flow->start_ns, view->flow->last_ns);
	if (view->series != NULL)
		gaps_fill(&v->both, view->series, FLOW_SERIES_BOTH);
	v->active = view->history != NULL ? &view->history->active : NULL;
	v->idle = view->history != NULL ? &view->history->idle : NULL;
}

/* The vocabulary of features.def. */

static double us(double ns)
{
	return ns / 1000;
}

static double gap_us(flow_gap gap)
{
	return us((double)flow_gap_ns(gap));
}

static double ratio(uint64_t part, uint64_t whole)
{
	return whole > 0 ? (double)part / (double)whole : 0;
}

/* A second. */
static double rate(uint64_t count, uint64_t ns)
{
	return ratio(count, ns) * 1e9;
}

/* Of a sample, from the sum of squared distances from its mean. */
static double deviation(double m2, uint64_t n)
{
	return n > 1 && m2 > 0 && m2 <= DBL_MAX ? sqrt(m2 / (double)(n - 1)) : 0;
}

/* Of a sample, from its sum and the sum of its squares: exact until the division. */
static double variance(unsigned __int128 n, unsigned __int128 sum, unsigned __int128 squares)
{
	unsigned __int128 of_squares = n * squares, of_sum = sum * sum;

	return n > 1 && of_squares > of_sum ? (double)(of_squares - of_sum) / (double)(n * (n - 1)) : 0;
}

static double size_variance(const struct side_values *side)
{
	return variance(side->packets, side->bytes, side->size_squares);
}

static double payload_variance(const struct side_values *side)
{
	return variance(side->packets, side->payload_bytes, side->payload_squares);
}

static double empty_share(const struct side_values *side)
{
	return side->packets > side->data_packets ? ratio(side->packets - side->data_packets, side->packets) : 0;
}

static double gap_mean(const struct side_values *side)
{
	return side->packets > 1 ? ratio(side->ns, side->packets - 1) : 0;
}

static double first_reply(const struct flow_values *v)
{
	return v->fwd.packets > 0 && v->bwd.packets > 0 ? gap_us(v->series->reply) : 0;
}

static bool first_has(const struct flow_values *v, uint32_t tcp_flag)
{
	return (v->series->first_tcp_flags & tcp_flag) != 0;
}

static bool has(const struct side_values *side, uint32_t tcp_flags)
{
	return (side->tcp_flags & tcp_flags) == tcp_flags;
}

static bool is_answered(const struct flow_values *v)
{
	return has(&v->fwd, PACKET_TCP_SYN) && has(&v->bwd, PACKET_TCP_SYN | PACKET_TCP_ACK);
}

static bool is_refused(const struct flow_values *v)
{
	return has(&v->fwd, PACKET_TCP_SYN) && has(&v->bwd, PACKET_TCP_RST) && !has(&v->bwd, PACKET_TCP_SYN);
}

static uint64_t connection_ns(const struct flow_values *v)
{
	return v->flow->key.protocol == PACKET_PROTOCOL_TCP ? v->history->earlier_ns + v->both.ns : 0;
}

static bool is_protocol(const struct flow_values *v, uint32_t protocol)
{
	return v->flow->key.protocol == protocol;
}

static bool is_icmp(const struct flow_values *v)
{
	return v->flow->key.protocol == PACKET_PROTOCOL_ICMP || v->flow->key.protocol == PACKET_PROTOCOL_ICMPV6;
}

static double period_us(const struct flow_periods *periods, uint64_t ns)
{
	return periods->n > 0 ? us((double)ns) : 0;
}

static uint64_t subflows(const struct flow_values *v)
{
	return (uint64_t)v->history->n_pauses + 1;
}

/* The feature of each of n flows, to every stride-th place of a column. */
#define COLUMN_FUNCTION(name)                                                                              \
	static void column_##name(const struct flow_values *values, uint32_t n, uint32_t k, float *column, \
				  uint32_t stride)                                                         \
	{                                                                                                  \
		for (uint32_t i = 0; i < n; i++)                                                           \
			column[(size_t)i * stride] = (float)value_##name(&values[i], k);                   \
	}

/* Two functions for each feature; packet k is the k-th of the list, from 1. */
#define FEATURE(name, unit, type, part, formula, source, expression)               \
	static inline double value_##name(const struct flow_values *v, uint32_t k) \
	{                                                                          \
		(void)k;                                                           \
		return (double)(expression);                                       \
	}                                                                          \
	COLUMN_FUNCTION(name)
#define LISTED(name, unit, type, formula, source, expression)                      \
	static inline double value_##name(const struct flow_values *v, uint32_t k) \
	{                                                                          \
		const struct flow_listed *packet = &v->history->listed[k - 1];     \
                                                                                   \
		return k <= v->history->n_listed ? (double)(expression) : 0;       \
	}                                                                          \
	COLUMN_FUNCTION(name)
#include "features.def"
#undef FEATURE
#undef LISTED

/* Places in the table below. */
enum {
#define FEATURE(name, unit, type, part, formula, source, expression) FEATURE_##name,
#define LISTED(name, unit, type, formula, source, expression) \
	FEATURE_##name##_1, FEATURE_##name##_last = FEATURE_##name##_1 + FLOW_FEATURES_MAX_LISTED - 1,
#include "features.def"
#undef FEATURE
#undef LISTED
	N_FEATURES
};

#define EACH_LISTED(ROW, ...) \
	ROW(1, __VA_ARGS__)   \
	ROW(2, __VA_ARGS__)   \
	ROW(3, __VA_ARGS__)   \
	ROW(4, __VA_ARGS__)   \
	ROW(5, __VA_ARGS__)   \
	ROW(6, __VA_ARGS__)   \
	ROW(7, __VA_ARGS__)   \
	ROW(8, __VA_ARGS__)   \
	ROW(9, __VA_ARGS__)   \
	ROW(10, __VA_ARGS__)  \
	ROW(11, __VA_ARGS__)  \
	ROW(12, __VA_ARGS__)  \
	ROW(13, __VA_ARGS__)  \
	ROW(14, __VA_ARGS__)  \
	ROW(15, __VA_ARGS__)  \
	ROW(16, __VA_ARGS__)  \
	ROW(17, __VA_ARGS__)  \
	ROW(18, __VA_ARGS__)  \
	ROW(19, __VA_ARGS__)  \
	ROW(20, __VA_ARGS__)  \
	ROW(21, __VA_ARGS__)  \
	ROW(22, __VA_ARGS__)  \
	ROW(23, __VA_ARGS__)  \
	ROW(24, __VA_ARGS__)  \
	ROW(25, __VA_ARGS__)  \
	ROW(26, __VA_ARGS__)  \
	ROW(27, __VA_ARGS__)  \
	ROW(28, __VA_ARGS__)  \
	ROW(29, __VA_ARGS__)  \
	ROW(30, __VA_ARGS__)  \
	ROW(31, __VA_ARGS__)  \
	ROW(32, __VA_ARGS__)
_Static_assert(FLOW_FEATURES_MAX_LISTED == 32, "as many rows");
_Static_assert(FLOW_FEATURES_MAX_LISTED <= FLOW_MAX_LISTED, "a flow can list them");

static const struct {
	struct flow_feature_info info;
	double (*value)(const struct flow_values *v, uint32_t k);
	void (*column)(const struct flow_values *values, uint32_t n, uint32_t k, float *column, uint32_t stride);
} features[N_FEATURES] = {
#define FEATURE(name, unit, type, part, formula, source, expression)                     \
	{{#name, unit, FLOW_FEATURE_##type, FLOW_FEATURE_OF_##part, 0, formula, source}, \
	 value_##name,                                                                   \
	 column_##name},
#define LISTED_ROW(k, name, unit, type, formula, source)                                            \
	{{#name #k, unit, FLOW_FEATURE_##type, FLOW_FEATURE_OF_HISTORY, k, formula " " #k, source}, \
	 value_##name,                                                                              \
	 column_##name},
#define LISTED(name, unit, type, formula, source, expression) \
	EACH_LISTED(LISTED_ROW, name, unit, type, formula, source)
#include "features.def"
#undef FEATURE
#undef LISTED
};

/* Places of the presets; their names and help; their columns. */
enum {
#define PRESET(name, help) PRESET_##name,
#define COLUMN(preset, feature, label)
#include "presets.def"
#undef PRESET
#undef COLUMN
	N_PRESETS
};

static const struct flow_preset_info presets[N_PRESETS] = {
#define PRESET(name, help) {#name, help},
#define COLUMN(preset, feature, label)
#include "presets.def"
#undef PRESET
#undef COLUMN
};

static const struct {
	uint16_t preset, feature;
	const char *label;
} preset_columns[] = {
#define PRESET(name, help)
#define COLUMN(preset, feature, label) {PRESET_##preset, FEATURE_##feature, label},
#include "presets.def"
#undef PRESET
#undef COLUMN
};

uint64_t flow_feature_hash(uint64_t hash, const struct flow_feature_info *info)
{
	const char *const parts[] = {info->name, info->unit, info->formula};

	/* With their NULs, so that no letter can go from one to the next unnoticed. */
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		for (size_t c = 0; c <= strlen(parts[i]); c++)
			hash = (hash ^ (uint8_t)parts[i][c]) * 0x100000001b3u;
	return hash;
}

uint32_t flow_features_n(void)
{
	return N_FEATURES;
}

const struct flow_feature_info *flow_features_info(uint32_t feature)
{
	return &features[feature].info;
}

const char *flow_feature_type_name(enum flow_feature_type type)
{
	return type == FLOW_FEATURE_COUNT ? "count" : "real";
}

const char *flow_feature_part_name(enum flow_feature_part part)
{
	static const char *const names[] = {
		[FLOW_FEATURE_OF_FLOW] = "flow",
		[FLOW_FEATURE_OF_SERIES] = "series",
		[FLOW_FEATURE_OF_HISTORY] = "history",
		[FLOW_FEATURE_OF_CONTEXT] = "context",
	};

	return names[part];
}

const struct flow_preset_info *flow_features_preset(uint32_t index)
{
	return index < N_PRESETS ? &presets[index] : NULL;
}

/* Index of the preset or feature of this name (which is not ended by a NUL), or where there is none N_... */
static uint32_t preset_find(const char *name, size_t length)
{
	uint32_t i = 0;

	while (i < N_PRESETS && (strlen(presets[i].name) != length || memcmp(presets[i].name, name, length) != 0))
		i++;
	return i;
}

static uint32_t feature_find(const char *name, size_t length)
{
	uint32_t i = 0;

	while (i < N_FEATURES &&
	       (strlen(features[i].info.name) != length || memcmp(features[i].info.name, name, length) != 0))
		i++;
	return i;
}

/* What the set's columns may be made of: each feature once, and each column of a preset. */
#define MAX_COLUMNS (N_FEATURES + sizeof(preset_columns) / sizeof(preset_columns[0]))

static int column_add(struct flow_feature_set *set, uint32_t feature, const char *label, char *error,
		      size_t error_size)
{
	const struct flow_feature_info *info = &features[feature].info;

	if (label == NULL)
		label = info->name;
	for (uint32_t i = 0; i < set->n; i++)
		if (!strcmp(set->columns[i].label, label)) {
			snprintf(error, error_size, "'%s' is there twice", label);
			return -EINVAL;
		}
	set->columns[set->n++] = (struct flow_feature_column){.feature = (uint16_t)feature, .label = label};
	set->layout.has_series |= info->part == FLOW_FEATURE_OF_SERIES;
	set->layout.has_history |= info->part == FLOW_FEATURE_OF_HISTORY;
	set->layout.has_context |= info->part == FLOW_FEATURE_OF_CONTEXT;
	if (set->layout.n_listed < info->n_listed)
		set->layout.n_listed = info->n_listed;
	return 0;
}

static int preset_add(struct flow_feature_set *set, uint32_t preset, char *error, size_t error_size)
{
	int result = 0;

	if (preset == PRESET_all)
		for (uint32_t i = 0; i < N_FEATURES && result == 0; i++)
			result = column_add(set, i, NULL, error, error_size);
	for (size_t i = 0; i < sizeof(preset_columns) / sizeof(preset_columns[0]) && result == 0; i++)
		if (preset_columns[i].preset == preset)
			result = column_add(set, preset_columns[i].feature, preset_columns[i].label, error,
					    error_size);
	return result;
}

static int name_add(struct flow_feature_set *set, const char *name, size_t length, char *error, size_t error_size)
{
	uint32_t preset = preset_find(name, length);
	uint32_t feature = feature_find(name, length);

	if (preset < N_PRESETS)
		return preset_add(set, preset, error, error_size);
	if (feature < N_FEATURES)
		return column_add(set, feature, NULL, error, error_size);
	snprintf(error, error_size, "there is no feature or preset '%.*s'", length < 64 ? (int)length : 64, name);
	return -EINVAL;
}

/* A set without columns, with room for all. NULL, with one line in error: out of memory. */
static struct flow_feature_set *set_new(char *error, size_t error_size)
{
	struct flow_feature_set *set = calloc(1, sizeof(*set));

	if (set != NULL)
		set->columns = calloc(MAX_COLUMNS, sizeof(*set->columns));
	if (set != NULL && set->columns != NULL)
		return set;
	flow_feature_set_free(set);
	snprintf(error, error_size, "out of memory");
	return NULL;
}

int flow_feature_set_create(const char *text, struct flow_feature_set **set, char *error, size_t error_size)
{
	struct flow_feature_set *made = set_new(error, error_size);
	int result = 0;

	if (made == NULL)
		return -ENOMEM;
	for (bool more = true; more && result == 0;) {
		size_t length = strcspn(text, ",");

		result = name_add(made, text, length, error, error_size);
		more = text[length] == ',';
		text += length + more;
	}
	if (result != 0) {
		flow_feature_set_free(made);
		return result;
	}
	*set = made;
	return 0;
}

int flow_feature_set_create_of(const char *const *names, uint32_t n, struct flow_feature_set **set, char *error,
			       size_t error_size)
{
	struct flow_feature_set *made = set_new(error, error_size);
	int result = 0;

	if (made == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n && result == 0; i++)
		result = name_add(made, names[i], strlen(names[i]), error, error_size);
	if (n == 0) {
		snprintf(error, error_size, "no feature is named");
		result = -EINVAL;
	}
	if (result != 0) {
		flow_feature_set_free(made);
		return result;
	}
	*set = made;
	return 0;
}

void flow_feature_set_free(struct flow_feature_set *set)
{
	if (set == NULL)
		return;
	free(set->columns);
	free(set);
}

void flow_feature_set_schema(const struct flow_feature_set *set, char schema[FLOW_FEATURES_SCHEMA_SIZE])
{
	uint64_t hash = FLOW_FEATURE_HASH_START;

	for (uint32_t i = 0; i < set->n; i++)
		hash = flow_feature_hash(hash, &features[set->columns[i].feature].info);
	if (set->layout.has_context)
		hash ^= FLOW_CONTEXT_VERSION;
	snprintf(schema, FLOW_FEATURES_SCHEMA_SIZE, "%016" PRIx64, hash);
}

void flow_feature_set_row(const struct flow_feature_set *set, const struct flow_view *view, double *row)
{
	struct flow_values values;

	flow_values_fill(&values, &set->layout, view);
	for (uint32_t i = 0; i < set->n; i++) {
		uint32_t feature = set->columns[i].feature;

		row[i] = features[feature].value(&values, features[feature].info.n_listed);
	}
}

/* Rows that are filled together: few enough that what they are made of stays near. */
#define ROWS_TOGETHER 16

void flow_feature_set_rows(const struct flow_feature_set *set, const struct flow_view *const *views, uint32_t n,
			   float *rows)
{
	struct flow_values values[ROWS_TOGETHER];

	for (uint32_t at = 0, some; at < n; at += some) {
		float *first = rows + (size_t)at * set->n;

		some = n - at < ROWS_TOGETHER ? n - at : ROWS_TOGETHER;
		for (uint32_t i = 0; i < some; i++)
			flow_values_fill(&values[i], &set->layout, views[at + i]);
		for (uint32_t c = 0; c < set->n; c++) {
			uint32_t feature = set->columns[c].feature;

			features[feature].column(values, some, features[feature].info.n_listed, first + c, set->n);
		}
	}
}
