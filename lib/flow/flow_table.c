/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * When a slice ends is decided by its flow's own packets alone: each is judged when it comes, before it is counted.
 * The sweep ends only what every later packet of the flow would find over. With packets whose times go back that
 * cannot be known, so it keeps config.late_ns behind the smallest time among the latest packets (see flow_clock), and a
 * packet that goes back by more than the idle time is of another flow, swept or not. What is left to chance, and
 * may differ with the number of workers, are packets that are later than late_ns and by less than the idle time.
 *
 * What few packets need is marked noinline, so that it takes no registers from the loop over a burst.
 */
#include "flow_table.h"

#include <errno.h>
#include <string.h>

#include "flow_index.h"
#include "flow_key_inline.h"
#include "flow_keyer.h"
#include "flow_memory.h"
#include "flow_update.h"

_Static_assert(FLOW_MAX_BURST <= FLOW_KEYER_BURST, "a burst is keyed at once");

#define NOT_FOUND UINT32_MAX

/* Looked at for a flow to give up, beyond the two that the new one may be in. */
#define EVICT_MORE_BUCKETS 6

/* Time of a flow's place in the array that holds none: no packet is later. */
#define UNUSED_NS UINT64_MAX

/* A sweep goes once round the flows in 2^32 ns (4.3 s) of the packets' time, but for this limit. */
#define SWEEP_ROUND_SHIFT  32
#define SWEEP_MAX_A_PACKET 2
#define SWEEP_PREFETCH	   4

/* A packet ends two flows, has three turns and is a checkpoint, at most; then come the sweep's. */
_Static_assert((6 + SWEEP_MAX_A_PACKET) * FLOW_MAX_BURST <= FLOW_MAX_TOLD, "the limit that callers go by");

/* Packets of a window. */
#define CLOCK_WINDOW 256

/*
 * The time that sweeps go by: the smallest of the last one or two windows of packets, less a lag. A packet from the
 * far future moves it only when no others come between, and after a step back it is back at once.
 */
struct flow_clock {
	uint64_t window_ns[2]; /* smallest of the window before, and of this one; 0: none yet */
	uint32_t n_packets;    /* of this window */
	uint64_t swept_ns;     /* up to when sweeps are paid for */
	uint64_t due;	       /* flows that a sweep should look at, in 2^-32 */
	bool is_driven;	       /* by flow_table_sweep_clock: packets' times pay for nothing */
};

struct flow_table {
	struct flow_index index;
	struct flow *flows;
	struct flow_series *series; /* NULL where it is not kept */
	uint8_t *histories;	    /* likewise; history_bytes each */
	uint32_t *released;	    /* places that were used, [n_released] */
	size_t history_bytes;
	uint32_t n_released;
	uint32_t n_touched;   /* places that were ever used */
	uint32_t hand;	      /* of the sweep */
	uint16_t closed_fins; /* FIN bits of a closed connection */
	uint64_t closed_ns;   /* silence that ends one */
	struct flow_clock clock;
	struct flow_config config;
	struct flow_table_counts counts;
	flow_sink *sink;
	uint32_t packet; /* of the burst that is counted, or FLOW_NO_PACKET */
	void *context;
	void *memory;
	size_t memory_bytes;
	uint64_t *ids; /* of the burst's flows; NULL: nobody wants them */
	struct flow_keyer keyer;
};

/* Where the parts begin in a table's memory, and its size. */
struct flow_plan {
	size_t buckets, flows, series, histories, released, bytes;
};

static size_t flow_plan_add(struct flow_plan *plan, size_t bytes)
{
	size_t at = plan->bytes;

	plan->bytes = (at + bytes + 127) / 128 * 128;
	return at;
}

static struct flow_plan flow_table_plan(const struct flow_config *config)
{
	struct flow_plan plan = {0};
	size_t n = config->n_flows;

	flow_plan_add(&plan, sizeof(struct flow_table));
	plan.buckets = flow_plan_add(&plan, flow_index_n_buckets(n) * sizeof(struct flow_bucket));
	plan.flows = flow_plan_add(&plan, n * sizeof(struct flow));
	plan.series = flow_plan_add(&plan, config->layout.has_series ? n * sizeof(struct flow_series) : 0);
	plan.histories = flow_plan_add(&plan, n * flow_history_bytes(&config->layout));
	plan.released = flow_plan_add(&plan, n * sizeof(uint32_t));
	plan.bytes = (plan.bytes + 4095) / 4096 * 4096;
	return plan;
}

size_t flow_table_bytes(const struct flow_config *config)
{
	return flow_table_plan(config).bytes;
}

static bool flow_config_is_valid(const struct flow_config *config)
{
	const struct flow_layout *layout = &config->layout;

	return config->n_flows >= FLOW_MIN_FLOWS && config->n_flows <= FLOW_MAX_FLOWS &&
	       config->scope <= FLOW_SCOPE_NONE && config->idle_ns <= FLOW_GAP_MAX_NS &&
	       config->active_ns <= FLOW_GAP_MAX_NS && config->linger_ns <= FLOW_GAP_MAX_NS &&
	       config->late_ns <= FLOW_GAP_MAX_NS && layout->n_listed <= FLOW_MAX_LISTED &&
	       (layout->has_history || !layout->n_listed);
}

int flow_table_create(const struct flow_config *config, flow_sink *sink, void *context, struct flow_table **out)
{
	struct flow_plan plan;
	struct flow_table *table;
	uint8_t *memory;

	if (!flow_config_is_valid(config))
		return -EINVAL;
	plan = flow_table_plan(config);
	memory = flow_memory_create(plan.bytes);
	if (!memory)
		return -ENOMEM;
	table = (struct flow_table *)(void *)memory;
	table->memory = memory;
	table->memory_bytes = plan.bytes;
	table->index.buckets = (struct flow_bucket *)(void *)(memory + plan.buckets);
	table->index.mask = (uint32_t)flow_index_n_buckets(config->n_flows) - 1;
	table->flows = (struct flow *)(void *)(memory + plan.flows);
	if (config->layout.has_series)
		table->series = (struct flow_series *)(void *)(memory + plan.series);
	if (config->layout.has_history)
		table->histories = memory + plan.histories;
	table->history_bytes = flow_history_bytes(&config->layout);
	table->released = (uint32_t *)(void *)(memory + plan.released);
	table->config = *config;
	table->closed_fins = config->is_one_way ? FLOW_FIN_FORWARD : FLOW_FIN_FORWARD | FLOW_FIN_BACKWARD;
	table->closed_ns = config->linger_ns < config->idle_ns ? config->linger_ns : config->idle_ns;
	table->sink = sink;
	table->packet = FLOW_NO_PACKET;
	table->context = context;
	flow_keyer_init(&table->keyer, config->scope, config->is_one_way, config->seed);
	*out = table;
	return 0;
}

void flow_table_free(struct flow_table *table)
{
	if (table)
		flow_memory_free(table->memory, table->memory_bytes);
}

void flow_table_touch(struct flow_table *table)
{
	flow_memory_touch(table->memory, table->memory_bytes);
}

const struct flow_table_counts *flow_table_counts(const struct flow_table *table)
{
	return &table->counts;
}

void flow_table_clear_counts(struct flow_table *table)
{
	uint64_t current = table->counts.current;

	table->counts = (struct flow_table_counts){.current = current, .peak = current};
	table->keyer.n_joined = 0;
	table->keyer.n_alone = 0;
}

/* ---- The end of flows ---- */

static struct flow_history *flow_table_history(const struct flow_table *table, uint32_t place)
{
	if (!table->histories)
		return NULL;
	return (struct flow_history *)(void *)(table->histories + place * table->history_bytes);
}

static void __attribute__((noinline))
flow_table_tell(struct flow_table *table, uint32_t place, enum flow_reason reason)
{
	struct flow_view view = {
		.flow = &table->flows[place],
		.series = table->series ? &table->series[place] : NULL,
		.history = flow_table_history(table, place),
		.place = place,
		.packet = table->packet,
	};

	table->sink(table->context, &view, reason);
}

/* Whether a flow has had one packet in all. */
static bool flow_is_single(const struct flow *flow)
{
	return flow_packets(flow) == 1 && !flow->slice;
}

static void flow_table_end(struct flow_table *table, uint32_t place, enum flow_reason reason)
{
	table->counts.ended[reason]++;
	if (reason == FLOW_REASON_EVICTED && flow_is_single(&table->flows[place]))
		table->counts.evicted_single++;
	flow_table_tell(table, place, reason);
}

/* The place of a flow that has ended, and that is in no bucket any more. */
static void flow_table_release(struct flow_table *table, uint32_t place)
{
	table->flows[place].last_ns = UNUSED_NS;
	table->released[table->n_released++] = place;
	table->counts.current--;
}

static void flow_table_remove(struct flow_table *table, uint32_t place)
{
	flow_index_remove(&table->index, flow_hash_one(&table->keyer.hash, &table->flows[place].key), place);
	flow_table_release(table, place);
}

/* Whether these bits are those of a closed connection. */
static bool flow_table_has_closed(const struct flow_table *table, uint16_t bits)
{
	return (bits & FLOW_RST) || (bits & table->closed_fins) == table->closed_fins;
}

static bool flow_table_is_closed(const struct flow_table *table, const struct flow *flow)
{
	return flow_table_has_closed(table, flow->bits);
}

/* How a closed flow ends: FINs of both sides came before an RST that abandons the rest. */
static enum flow_reason flow_table_close_reason(const struct flow_table *table, const struct flow *flow)
{
	return (flow->bits & table->closed_fins) == table->closed_fins ? FLOW_REASON_FIN : FLOW_REASON_RST;
}

/*
 * Whether a packet at now_ns is of another flow: after too long a silence, or from so long before that clocks have
 * been set or files joined.
 */
static bool flow_table_is_over(const struct flow_table *table, const struct flow *flow, uint64_t now_ns,
			       enum flow_reason *reason)
{
	uint64_t idle_ns = table->config.idle_ns;

	if (flow_table_is_closed(table, flow)) {
		*reason = flow_table_close_reason(table, flow);
		if (now_ns > flow->last_ns)
			return now_ns - flow->last_ns > table->closed_ns;
	} else {
		*reason = FLOW_REASON_IDLE;
	}
	return now_ns > flow->last_ns ? now_ns - flow->last_ns > idle_ns : flow->last_ns - now_ns > idle_ns;
}

/* ---- The beginning of flows ---- */

/* Hash of when a flow's first packet came, and of which it is, by SplitMix64's finaliser. */
static uint32_t flow_origin(const struct flow_visit *visit)
{
	uint64_t x = visit->now_ns ^ visit->number * 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return (uint32_t)(x >> 32);
}

/* Begins a slice in a place whose flow has its key. */
static void flow_table_begin(struct flow_table *table, uint32_t place, uint64_t now_ns, uint16_t bits)
{
	struct flow *flow = &table->flows[place];
	struct flow_history *history = flow_table_history(table, place);

	flow->last_ns = now_ns;
	flow->start_ns = now_ns;
	flow->bits = bits;
	memset(flow->side, 0, sizeof(flow->side));
	if (table->series)
		memset(&table->series[place], 0, sizeof(table->series[place]));
	if (history)
		memset(history, 0, sizeof(*history));
	table->counts.started++;
}

/* Bits of a new flow: who began it, and what its key is made of. */
static uint16_t flow_table_first_bits(const struct flow_table *table, const struct packet *packet,
				      struct flow_sender sender)
{
	bool is_answer =
		(packet->tcp_flags & (PACKET_TCP_SYN | PACKET_TCP_ACK)) == (PACKET_TCP_SYN | PACKET_TCP_ACK);
	uint32_t initiator = sender.endpoint ^ (is_answer && !table->config.is_one_way);
	uint32_t bits = initiator ? FLOW_INITIATOR_IS_1 : 0;
	enum flow_scope scope = flow_key_scope(packet, table->config.scope);

	if (sender.has_no_ports)
		bits |= FLOW_NO_PORTS;
	if (scope == FLOW_SCOPE_VLAN)
		bits |= FLOW_VLAN;
	else if (scope == FLOW_SCOPE_TUNNEL)
		bits |= FLOW_TUNNEL;
	return (uint16_t)bits;
}

static void flow_table_begin_flow(struct flow_table *table, uint32_t place, const struct packet *packet,
				  const struct flow_visit *visit)
{
	flow_table_begin(table, place, visit->now_ns, flow_table_first_bits(table, packet, visit->sender));
	table->flows[place].origin = flow_origin(visit);
	table->flows[place].slice = 0;
}

/* The same flow goes on: with its initiator and, for TCP, with what has been closed. */
static void flow_table_begin_slice(struct flow_table *table, uint32_t place, uint64_t now_ns)
{
	struct flow *flow = &table->flows[place];
	struct flow_history *history = flow_table_history(table, place);
	uint64_t earlier_ns = history ? history->earlier_ns + flow->last_ns - flow->start_ns : 0;

	flow_table_begin(table, place, now_ns,
			 flow->bits & ((1u << FLOW_MIN_WORDS_SHIFT) - 1) & ~(uint32_t)FLOW_LAST_BACKWARD);
	if (history)
		history->earlier_ns = earlier_ns;
	if (flow->slice < UINT16_MAX)
		flow->slice++;
}

/* Forced inline: gcc 12 takes functions that only prefetch for useless and drops calls of them. */
static inline void __attribute__((always_inline)) prefetch_lines(const void *address, size_t bytes)
{
	for (size_t at = 0; at < bytes; at += 64)
		__builtin_prefetch((const uint8_t *)address + at, 1);
}

/* ---- A full table ---- */

/* How readily a flow is given up: lowest rank first, then by its latest packet. */
enum { WORTH_OVER, WORTH_SINGLE, WORTH_UNANSWERED, WORTH_ESTABLISHED, WORTH_NOTHING_SEEN };

struct flow_worth {
	uint32_t rank;
	uint64_t last_ns;
};

static bool flow_worth_less(struct flow_worth left, struct flow_worth right)
{
	return left.rank < right.rank || (left.rank == right.rank && left.last_ns < right.last_ns);
}

static struct flow_worth flow_table_worth(const struct flow_table *table, uint32_t place, uint64_t now_ns)
{
	const struct flow *flow = &table->flows[place];
	enum flow_reason reason;

	/* A packet that is late shows nothing over. */
	if (flow->last_ns < now_ns && flow_table_is_over(table, flow, now_ns, &reason))
		return (struct flow_worth){WORTH_OVER, flow->last_ns};
	if (flow_is_single(flow))
		return (struct flow_worth){WORTH_SINGLE, flow->last_ns};
	/* Of a later slice, which may have just begun, that is not known: it was worth keeping before. */
	if (!flow->slice && (!flow->side[FLOW_FORWARD].packets || !flow->side[FLOW_BACKWARD].packets))
		return (struct flow_worth){WORTH_UNANSWERED, flow->last_ns};
	return (struct flow_worth){WORTH_ESTABLISHED, flow->last_ns};
}

/* The least worthy flow of a bucket, where it is worth less than the one so far. */
static void flow_table_find_victim(const struct flow_table *table, uint32_t bucket, uint64_t now_ns,
				   struct flow_worth *worth, struct flow_place *victim)
{
	const struct flow_bucket *slots = &table->index.buckets[bucket];

	for (uint32_t s = 0; s < FLOW_BUCKET_SLOTS; s++)
		if (slots->tags[s])
			prefetch_lines(&table->flows[slots->flows[s]], sizeof(struct flow));
	for (uint32_t s = 0; s < FLOW_BUCKET_SLOTS; s++) {
		struct flow_worth its;

		if (!slots->tags[s])
			continue;
		its = flow_table_worth(table, slots->flows[s], now_ns);
		if (flow_worth_less(its, *worth)) {
			*worth = its;
			*victim = (struct flow_place){bucket, s};
		}
	}
}

/*
 * Ends the least worthy flow of the first bucket that a new flow of this hash may be in. Where none there has a single
 * packet, the second bucket is looked at, and where all are established and no slot of theirs is needed a few more.
 */
static void flow_table_evict(struct flow_table *table, uint64_t hash, uint64_t now_ns, bool needs_slot)
{
	uint32_t bucket = flow_index_first(&table->index, hash), place;
	struct flow_worth worth = {.rank = WORTH_NOTHING_SEEN};
	struct flow_place victim;
	enum flow_reason reason;

	flow_table_find_victim(table, bucket, now_ns, &worth, &victim);
	if (worth.rank > WORTH_SINGLE) {
		bucket = flow_index_other(&table->index, bucket, flow_index_tag(hash));
		flow_table_find_victim(table, bucket, now_ns, &worth, &victim);
	}
	for (uint32_t i = 0; !needs_slot && worth.rank > WORTH_UNANSWERED &&
			     (i < EVICT_MORE_BUCKETS || worth.rank == WORTH_NOTHING_SEEN);
	     i++) {
		bucket = (bucket + 1) & table->index.mask;
		flow_table_find_victim(table, bucket, now_ns, &worth, &victim);
	}
	place = table->index.buckets[victim.bucket].flows[victim.slot];
	if (worth.rank != WORTH_OVER || !flow_table_is_over(table, &table->flows[place], now_ns, &reason))
		reason = FLOW_REASON_EVICTED;
	flow_table_end(table, place, reason);
	flow_index_clear(&table->index, victim);
	flow_table_release(table, place);
}

/* Takes a free place for a new flow, by force where there is none. */
static uint32_t flow_table_insert(struct flow_table *table, const struct flow_key *key, uint64_t hash,
				  uint64_t now_ns)
{
	uint32_t place;

	if (!table->n_released && table->n_touched == table->config.n_flows)
		flow_table_evict(table, hash, now_ns, false);
	place = table->n_released ? table->released[--table->n_released] : table->n_touched++;
	while (!flow_index_insert(&table->index, hash, place))
		flow_table_evict(table, hash, now_ns, true);
	table->flows[place].key = *key;
	if (++table->counts.current > table->counts.peak)
		table->counts.peak = table->counts.current;
	return place;
}

/* ---- A burst ---- */

/* Everything that a packet will change of a flow. */
static inline void __attribute__((always_inline))
flow_table_prefetch(const struct flow_table *table, uint32_t place)
{
	prefetch_lines(&table->flows[place], sizeof(struct flow));
	if (table->series)
		prefetch_lines(&table->series[place], sizeof(struct flow_series));
	if (table->histories)
		prefetch_lines(flow_table_history(table, place), sizeof(struct flow_history));
}

static inline bool flow_table_holds(const struct flow_table *table, uint32_t place, const struct flow_key *key)
{
	const struct flow *flow = &table->flows[place];

	return flow_key_equal_aligned(&flow->key, key) && flow->last_ns != UNUSED_NS;
}

static uint32_t flow_table_find_in(const struct flow_table *table, uint32_t bucket, uint16_t tag,
				   const struct flow_key *key)
{
	const struct flow_bucket *slots = &table->index.buckets[bucket];

	for (uint32_t match = flow_bucket_match(slots, tag); match; match &= match - 1) {
		uint32_t place = slots->flows[__builtin_ctz(match)];

		if (flow_table_holds(table, place, key))
			return place;
	}
	return NOT_FOUND;
}

static uint32_t flow_table_find(const struct flow_table *table, uint64_t hash, const struct flow_key *key)
{
	uint32_t bucket = flow_index_first(&table->index, hash);
	uint16_t tag = flow_index_tag(hash);
	uint32_t place = flow_table_find_in(table, bucket, tag, key);

	if (place == NOT_FOUND && table->index.buckets[bucket].n_away)
		place = flow_table_find_in(table, flow_index_other(&table->index, bucket, tag), tag, key);
	return place;
}

/* Fetches the places that new flows will take or, in a full table, the flows that one of them may take it from. */
static void flow_table_prefetch_new(const struct flow_table *table, const struct flow_keyed *keyed,
				    const uint32_t *guesses, uint32_t n_new)
{
	uint64_t n_free = table->n_released + (table->config.n_flows - table->n_touched);

	for (uint32_t i = 0; i < n_new && i < n_free; i++) {
		if (i < table->n_released)
			flow_table_prefetch(table, table->released[table->n_released - 1 - i]);
		else
			flow_table_prefetch(table, table->n_touched + i - table->n_released);
	}
	for (uint32_t k = 0; n_new > n_free && k < keyed->n; k++) {
		const struct flow_bucket *bucket;

		if (guesses[k] != NOT_FOUND)
			continue;
		bucket = &table->index.buckets[flow_index_first(&table->index, keyed->hashes[k])];
		for (uint32_t s = 0; s < FLOW_BUCKET_SLOTS; s++)
			if (bucket->tags[s])
				prefetch_lines(&table->flows[bucket->flows[s]], sizeof(struct flow));
	}
}

/*
 * Guesses each packet's place by its tag and fetches the flow there: NOT_FOUND where there is none. Only guesses:
 * keys are compared later, and earlier packets of the burst may change everything.
 */
static void flow_table_guess(const struct flow_table *table, const struct flow_keyed *keyed, uint32_t *guesses)
{
	const struct flow_index *index = &table->index;
	uint8_t away[FLOW_MAX_BURST];
	uint32_t n_away = 0, n_new = 0;

	for (uint32_t k = 0; k < keyed->n; k++)
		__builtin_prefetch(&index->buckets[flow_index_first(index, keyed->hashes[k])], 1);
	for (uint32_t k = 0; k < keyed->n; k++) {
		const struct flow_bucket *bucket = &index->buckets[flow_index_first(index, keyed->hashes[k])];
		uint16_t tag = flow_index_tag(keyed->hashes[k]);
		uint32_t match = flow_bucket_match(bucket, tag);

		guesses[k] = NOT_FOUND;
		if (match) {
			guesses[k] = bucket->flows[__builtin_ctz(match)];
			flow_table_prefetch(table, guesses[k]);
		} else if (bucket->n_away) {
			away[n_away++] = (uint8_t)k;
			__builtin_prefetch(&index->buckets[flow_index_other(
						   index, flow_index_first(index, keyed->hashes[k]), tag)],
					   1);
		} else {
			n_new++;
		}
	}
	for (uint32_t a = 0; a < n_away; a++) {
		uint32_t k = away[a];
		uint16_t tag = flow_index_tag(keyed->hashes[k]);
		uint32_t first = flow_index_first(index, keyed->hashes[k]);
		const struct flow_bucket *bucket = &index->buckets[flow_index_other(index, first, tag)];
		uint32_t match = flow_bucket_match(bucket, tag);

		if (match) {
			guesses[k] = bucket->flows[__builtin_ctz(match)];
			flow_table_prefetch(table, guesses[k]);
		} else {
			n_new++;
		}
	}
	flow_table_prefetch_new(table, keyed, guesses, n_new);
}

/* Ends what a packet shows to be over, and begins what it begins. */
static void __attribute__((noinline)) flow_table_judge(struct flow_table *table, uint32_t place,
						       const struct packet *packet, const struct flow_visit *visit)
{
	struct flow *flow = &table->flows[place];
	bool is_over, is_syn = (packet->tcp_flags & (PACKET_TCP_SYN | PACKET_TCP_ACK)) == PACKET_TCP_SYN;
	uint64_t now_ns = visit->now_ns;
	enum flow_reason reason;

	is_over = flow_table_is_over(table, flow, now_ns, &reason);
	if (is_over || (is_syn && flow_table_is_closed(table, flow))) {
		flow_table_end(table, place, reason);
		flow_table_begin_flow(table, place, packet, visit);
		return;
	}
	if (now_ns < flow->last_ns)
		now_ns = flow->last_ns;
	/* One that has just begun has no packet yet. */
	if (!flow_packets(flow))
		return;
	if (now_ns - flow->start_ns >= table->config.active_ns || flow_packets(flow) >= FLOW_MAX_SLICE_PACKETS) {
		flow_table_end(table, place, FLOW_REASON_ACTIVE);
		flow_table_begin_slice(table, place, now_ns);
	}
}

/* Tells of the turn that a packet was, if any, after it has been counted; bits are the flow's from before. */
static inline void flow_table_tell_turns(struct flow_table *table, uint32_t place, const struct packet *packet,
					 uint32_t side, uint16_t bits)
{
	const struct flow *flow = &table->flows[place];

	if (flow->side[side].packets == 1 && !flow->slice)
		flow_table_tell(table, place,
				flow->side[!side].packets ? FLOW_REASON_REPLIED : FLOW_REASON_STARTED);
	if (packet->payload_bytes && flow->side[side].data_packets == 1 && flow->side[!side].data_packets &&
	    !flow->slice)
		flow_table_tell(table, place, FLOW_REASON_PRODUCTIVE);
	if ((packet->tcp_flags & (PACKET_TCP_FIN | PACKET_TCP_RST)) && !flow_table_has_closed(table, bits) &&
	    flow_table_is_closed(table, flow))
		flow_table_tell(table, place, FLOW_REASON_CLOSED);
}

/* Counts a packet to its flow, which is in the place. */
static inline void flow_table_count(struct flow_table *table, uint32_t place, const struct packet *packet,
				    const struct flow_visit *visit)
{
	struct flow *flow = &table->flows[place];
	uint64_t now_ns = visit->now_ns;
	uint32_t side, n = flow_packets(flow);
	uint16_t bits;

	if (flow_is_doubtful(flow, now_ns, n, table->config.idle_ns, table->config.active_ns)) {
		flow_table_judge(table, place, packet, visit);
		n = flow_packets(flow);
		if (now_ns < flow->last_ns)
			now_ns = flow->last_ns;
	}
	side = visit->sender.endpoint ^ flow_initiator(flow);
	if (table->series)
		flow_series_count(&table->series[place], flow, packet, side, now_ns);
	if (table->histories)
		flow_history_count(flow_table_history(table, place), flow, packet, side, now_ns,
				   table->config.layout.n_listed);
	bits = flow->bits;
	flow_count(flow, packet, side, now_ns);
	if (table->config.tells_turns)
		flow_table_tell_turns(table, place, packet, side, bits);
	if (n < 64 && table->config.checkpoints >> n & 1)
		flow_table_tell(table, place, FLOW_REASON_CHECKPOINT);
}

static void flow_clock_count(struct flow_clock *clock, const struct flow_keyed *keyed)
{
	if (!keyed->n)
		return;
	if (!clock->n_packets || keyed->earliest_ns < clock->window_ns[1])
		clock->window_ns[1] = keyed->earliest_ns;
	clock->n_packets += keyed->n;
	if (clock->n_packets >= CLOCK_WINDOW) {
		clock->window_ns[0] = clock->window_ns[1];
		clock->n_packets = 0;
	}
}

/* When the sweep may believe it is; 0 until a window is full. */
static uint64_t flow_clock_ns(const struct flow_clock *clock, uint64_t late_ns)
{
	uint64_t ns = clock->window_ns[0];

	if (clock->n_packets && clock->window_ns[1] < ns)
		ns = clock->window_ns[1];
	return ns > late_ns ? ns - late_ns : 0;
}

void flow_table_sweep(struct flow_table *table, uint64_t now_ns, uint32_t n)
{
	if (n > table->n_touched)
		n = table->n_touched;
	for (; n; n--) {
		uint32_t place = table->hand < table->n_touched ? table->hand : 0;
		const struct flow *flow = &table->flows[place];
		enum flow_reason reason;

		table->hand = place + 1;
		/* Not those of the future, which unused places are too: later packets may be of that time again. */
		if (flow->last_ns < now_ns && flow_table_is_over(table, flow, now_ns, &reason)) {
			flow_table_end(table, place, reason);
			flow_table_remove(table, place);
		}
	}
	for (uint32_t i = 0; i < SWEEP_PREFETCH && table->hand + i < table->n_touched; i++)
		__builtin_prefetch(&table->flows[table->hand + i]);
}

/* Lets the time since the last call pay for looking at flows: all of them in a round. */
static void flow_table_pay_sweep(struct flow_table *table, uint64_t now_ns)
{
	struct flow_clock *clock = &table->clock;
	uint64_t elapsed_ns = now_ns > clock->swept_ns ? now_ns - clock->swept_ns : 0; /* time may go back */

	if (elapsed_ns > 1ull << SWEEP_ROUND_SHIFT)
		elapsed_ns = 1ull << SWEEP_ROUND_SHIFT;
	clock->swept_ns = now_ns;
	clock->due += elapsed_ns * table->n_touched;
	if (clock->due > (uint64_t)table->n_touched << SWEEP_ROUND_SHIFT)
		clock->due = (uint64_t)table->n_touched << SWEEP_ROUND_SHIFT;
}

/* Looks at as many flows as are paid for, and at most n. */
static void flow_table_sweep_due(struct flow_table *table, uint64_t now_ns, uint32_t n)
{
	struct flow_clock *clock = &table->clock;

	if (n > clock->due >> SWEEP_ROUND_SHIFT)
		n = (uint32_t)(clock->due >> SWEEP_ROUND_SHIFT);
	clock->due -= (uint64_t)n << SWEEP_ROUND_SHIFT;
	if (n)
		flow_table_sweep(table, now_ns, n);
}

/* What a burst does for flows that are over: no more than it should wait for. */
static void flow_table_sweep_burst(struct flow_table *table, uint32_t n_packets)
{
	uint64_t now_ns = flow_clock_ns(&table->clock, table->config.late_ns);

	if (!table->clock.is_driven)
		flow_table_pay_sweep(table, now_ns);
	flow_table_sweep_due(table, now_ns, SWEEP_MAX_A_PACKET * n_packets);
}

void flow_table_sweep_clock(struct flow_table *table, uint64_t now_ns)
{
	table->clock.is_driven = true;
	flow_table_pay_sweep(table, now_ns);
	flow_table_sweep_due(table, now_ns, FLOW_MAX_TOLD);
}

void flow_table_set_checkpoints(struct flow_table *table, uint64_t checkpoints)
{
	table->config.checkpoints = checkpoints;
}

bool flow_table_scan(const struct flow_table *table, uint32_t *place, uint32_t n, const struct flow **flows,
		     uint32_t *n_flows)
{
	uint32_t end = table->n_touched - *place < n || *place > table->n_touched ? table->n_touched : *place + n;

	*n_flows = 0;
	for (; *place < end; ++*place)
		if (table->flows[*place].last_ns != UNUSED_NS)
			flows[(*n_flows)++] = &table->flows[*place];
	return *place < table->n_touched;
}

uint32_t flow_table_place(const struct flow_table *table, const struct flow *flow)
{
	return (uint32_t)(flow - table->flows);
}

void flow_table_tell_of(struct flow_table *table, const struct flow *flow)
{
	flow_table_tell(table, flow_table_place(table, flow), FLOW_REASON_CHECKPOINT);
}

static uint32_t __attribute__((noinline))
flow_table_find_or_insert(struct flow_table *table, const struct flow_keyed *keyed, uint32_t k,
			  const struct packet *packet)
{
	uint64_t now_ns = keyed->visits[k].now_ns;
	uint32_t place = flow_table_find(table, keyed->hashes[k], &keyed->keys[k]);

	if (place == NOT_FOUND) {
		place = flow_table_insert(table, &keyed->keys[k], keyed->hashes[k], now_ns);
		flow_table_begin_flow(table, place, packet, &keyed->visits[k]);
	}
	return place;
}

void flow_table_update_burst(struct flow_table *table, const struct frame *frames, const struct packet *packets,
			     uint32_t n, struct flow **flows)
{
	struct flow_keyed keyed;
	uint32_t guesses[FLOW_MAX_BURST];

	flow_keyer_burst(&table->keyer, frames, packets, n, &keyed);
	flow_table_guess(table, &keyed, guesses);
	if (keyed.n < n) {
		memset(flows, 0, n * sizeof(flows[0]));
		if (table->ids)
			memset(table->ids, 0, n * sizeof(table->ids[0]));
	}
	for (uint32_t k = 0; k < keyed.n; k++) {
		const struct flow_visit *visit = &keyed.visits[k];
		const struct packet *packet = &packets[visit->at];
		uint32_t place = guesses[k];

		table->packet = visit->at;
		if (place == NOT_FOUND || !flow_table_holds(table, place, &keyed.keys[k]))
			place = flow_table_find_or_insert(table, &keyed, k, packet);
		flow_table_count(table, place, packet, visit);
		flows[visit->at] = &table->flows[place];
		if (table->ids)
			table->ids[visit->at] = flow_id(&table->flows[place]);
	}
	table->packet = FLOW_NO_PACKET;
	table->counts.packets += keyed.n;
	table->counts.fragments_joined = table->keyer.n_joined;
	table->counts.fragments_alone = table->keyer.n_alone;
	flow_clock_count(&table->clock, &keyed);
	flow_table_sweep_burst(table, keyed.n);
}

void flow_table_set_ids(struct flow_table *table, uint64_t *ids)
{
	table->ids = ids;
}

/* How a flow ends after which nothing follows: a closed one needs no silence any more. */
static enum flow_reason flow_table_last_reason(const struct flow_table *table, const struct flow *flow,
					       uint64_t now_ns)
{
	enum flow_reason reason;
	bool is_over = flow_table_is_over(table, flow, now_ns, &reason);

	if (flow_table_is_closed(table, flow) || (is_over && flow->last_ns < now_ns))
		return reason;
	return FLOW_REASON_END;
}

uint32_t flow_table_drain(struct flow_table *table, uint64_t now_ns, uint32_t n)
{
	uint32_t n_ended = 0;

	while (n_ended < n && table->counts.current) {
		uint32_t place = table->hand < table->n_touched ? table->hand : 0;
		const struct flow *flow = &table->flows[place];

		table->hand = place + 1;
		if (flow->last_ns == UNUSED_NS)
			continue;
		flow_table_end(table, place, flow_table_last_reason(table, flow, now_ns));
		flow_table_remove(table, place);
		n_ended++;
	}
	if (!table->counts.current) {
		table->n_touched = 0;
		table->n_released = 0;
		table->clock = (struct flow_clock){0};
		flow_keyer_reset(&table->keyer);
	}
	return n_ended;
}
