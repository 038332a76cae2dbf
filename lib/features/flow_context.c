/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two tables, of hosts and of pairs, each a directory of 8-way sets and the entries that it leads to. An entry is
 * known by a keyed 64-bit hash alone. A set that is full gives up the entry with the fewest flows, as they have faded by
 * then; so hosts that come once push out each other, and not those that are busy.
 */
#include "flow_context.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "flow_hash.h"
#include "flow_memory.h"
#include "packet.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define CONTEXT_WAYS 8

/* Ages of entries are told in units of 2^23 ns, 8.4 ms. */
#define CONTEXT_AGE_SHIFT 23

/* The age after which an entry is worth an eighth of an octave less, by its flows of tau 60 s: 60 s ln 2 / 8. */
#define CONTEXT_AGE_EIGHTH 620

/* An entry of this age that is worth no flow any more, 60 s, gives way to any other. */
#define CONTEXT_AGE_OVER 7153

/* A new one takes the place of any with this chance at least: one in so many. */
#define CONTEXT_LEAST_CHANCE 16

/* Half of the time that distinct things are remembered for. */
#define CONTEXT_GENERATION_NS 30000000000u

/* A connection that closes with less payload is short. */
#define CONTEXT_SHORT_BYTES 6000

/* Means of pairs follow new values with this share at least. */
#define CONTEXT_SMOOTHING (1.0f / 8)

#define CONTEXT_BITMAP_BITS 128

/* Steps of struct flow_contexts.shared. */
#define CONTEXT_SHARED_STEPS 64

/*
 * Entries are brought up to a time in steps of at least this: shorter ones would be lost in the rounding of sums, and a
 * flood need not pay for one at each flow. What it adds to a sum is 0.1% of one second's flows at most.
 */
#define CONTEXT_STEP_NS 1000000u

/*
 * A float keeps no 1 that is added beyond 2^24: from here on CONTEXT_LARGE_STEP is added, with a chance of
 * 1 / CONTEXT_LARGE_STEP. That is right to 1% or so by chance, and exact to 2^30.
 */
#define CONTEXT_LARGE	   0x1p22f
#define CONTEXT_LARGE_STEP 64

/* flow_context_memory.bits */
enum {
	MEMORY_BEGAN = 1, /* its first packet was a SYN or SYN-ACK: all of the connection is seen */
	MEMORY_OPEN = 2,  /* counted as an open connection */
};

/* A line: where the entries of eight hashes are. Entry w of set s is number s * CONTEXT_WAYS + w. */
struct context_set {
	uint32_t tags[CONTEXT_WAYS];   /* upper half of the hash, never 0; 0: free */
	uint32_t stamps[CONTEXT_WAYS]; /* as of when it is worth that, 24 bits; its worth, 8 bits */
};
_Static_assert(sizeof(struct context_set) == 64, "a cache line");

struct context_directory {
	struct context_set *sets;
	uint32_t mask;
	uint32_t entry_bytes;
	uint8_t *entries; /* that it leads to; each begins with its hash */
};

/* Distinct things of two kinds, in this half minute and the last. */
struct context_distinct {
	uint64_t start_ns; /* of this half minute */
	uint64_t now[2][CONTEXT_BITMAP_BITS / 64], before[2][CONTEXT_BITMAP_BITS / 64];
	uint8_t n_set[2]; /* bits, in either */
};

/* What a host has done as initiator, or as responder. */
struct context_role {
	uint64_t last_ns; /* of the latest event */
	float flows[FLOW_CONTEXT_N_TAUS];
	float answered, refused, productive, short_closed; /* tau 60 s */
	float open;					   /* tau 600 s: those that never close fade away */
	struct context_distinct distinct;		   /* of the other hosts; of the responder's ports */
};

enum { ROLE_INITIATOR, ROLE_RESPONDER };
enum { DISTINCT_HOSTS, DISTINCT_PORTS };

struct context_host {
	_Alignas(64) uint64_t hash;
	struct context_role roles[2];
};
_Static_assert(sizeof(struct context_host) == 256, "what is kept of a host: whole lines");

struct context_pair {
	uint64_t hash;
	uint64_t last_ns;
	float flows_10s, flows_60s;
	float productive;   /* tau 60 s */
	float open;	    /* tau 600 s */
	float duration_log; /* mean of closed flows */
	uint32_t n_closed;  /* up to 1 / CONTEXT_SMOOTHING */
};
_Static_assert(sizeof(struct context_pair) <= 48, "what is kept of a pair");

struct flow_contexts {
	struct flow_context_config config;
	uint8_t *memory; /* of all that follows */
	struct context_directory hosts, pairs;
	float distinct[CONTEXT_BITMAP_BITS + 1]; /* how many things leave so many bits free */
	/* How many distinct things all workers see for one that this one sees, by its distinct things a flow, 0 to 1. */
	float shared[CONTEXT_SHARED_STEPS + 1];
	uint64_t random; /* state of what is drawn by chance: the same in every run */
};

static bool context_is_size(uint32_t n)
{
	return n >= FLOW_CONTEXT_MIN_ENTRIES && n <= FLOW_CONTEXT_MAX_ENTRIES && !(n & (n - 1));
}

static size_t context_directory_bytes(uint32_t n_entries)
{
	return n_entries / CONTEXT_WAYS * sizeof(struct context_set);
}

size_t flow_contexts_bytes(const struct flow_context_config *config)
{
	return context_directory_bytes(config->n_hosts) + context_directory_bytes(config->n_pairs) +
	       config->n_hosts * sizeof(struct context_host) + config->n_pairs * sizeof(struct context_pair);
}

/* Takes a directory's sets from the memory at a place; returns the place behind. */
static uint8_t *context_directory_create(struct context_directory *directory, uint32_t n_entries, uint8_t *at)
{
	directory->mask = n_entries / CONTEXT_WAYS - 1;
	directory->sets = (struct context_set *)(void *)at;
	return at + context_directory_bytes(n_entries);
}

/* Linear counting: n things leave a share of e^(-n / m) of m bits free. No bit free stands for half a bit. */
static void context_fill_distinct(struct flow_contexts *contexts)
{
	const double m = CONTEXT_BITMAP_BITS;

	contexts->distinct[0] = (float)(m * log(2 * m));
	for (int n_free = 1; n_free <= CONTEXT_BITMAP_BITS; n_free++)
		contexts->distinct[n_free] = (float)(m * log(m / n_free));
}

/*
 * Pairs of hosts come to this worker with a chance of 1 / n, each with all of its flows. Where each thing has k pairs in
 * all, it sees a share of 1 - (1 - 1/n)^k of the things, and of the pairs 1 / n: so r = (n / k) (1 - (1 - 1/n)^k)
 * things a pair. Solved for k by Newton's steps from the right, where they do not jump over the root since the
 * function is concave; all things are n / (k r) of those that are seen.
 */
static double context_shared(double r, double n)
{
	double rest = log(1 - 1 / n), k = n / r;

	for (int i = 0; i < 32; i++) {
		double unseen = exp(k * rest);

		k -= (1 - unseen - k * r / n) / (-rest * unseen - r / n);
	}
	return n / (k * r);
}

static void context_fill_shared(struct flow_contexts *contexts)
{
	for (int i = 0; i <= CONTEXT_SHARED_STEPS; i++)
		contexts->shared[i] = 1;
	for (int i = 1; i <= CONTEXT_SHARED_STEPS && contexts->config.n_workers > 1; i++)
		contexts->shared[i] =
			(float)context_shared((double)i / CONTEXT_SHARED_STEPS, contexts->config.n_workers);
}

int flow_contexts_create(const struct flow_context_config *config, struct flow_contexts **contexts)
{
	struct flow_contexts *c;
	uint8_t *at;

	if (!context_is_size(config->n_hosts) || !context_is_size(config->n_pairs) || !config->n_workers)
		return -EINVAL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->config = *config;
	c->memory = flow_memory_create(flow_contexts_bytes(config));
	if (!c->memory) {
		free(c);
		return -ENOMEM;
	}
	/* All but the pairs come in whole lines. */
	at = context_directory_create(&c->hosts, config->n_hosts, c->memory);
	at = context_directory_create(&c->pairs, config->n_pairs, at);
	c->hosts.entries = at;
	c->hosts.entry_bytes = sizeof(struct context_host);
	c->pairs.entries = at + config->n_hosts * sizeof(struct context_host);
	c->pairs.entry_bytes = sizeof(struct context_pair);
	context_fill_distinct(c);
	context_fill_shared(c);
	*contexts = c;
	return 0;
}

void flow_contexts_free(struct flow_contexts *contexts)
{
	if (!contexts)
		return;
	flow_memory_free(contexts->memory, flow_contexts_bytes(&contexts->config));
	free(contexts);
}

void flow_contexts_touch(struct flow_contexts *contexts)
{
	flow_memory_touch(contexts->memory, flow_contexts_bytes(&contexts->config));
}

void flow_contexts_clear(struct flow_contexts *contexts)
{
	memset(contexts->hosts.sets, 0, context_directory_bytes(contexts->config.n_hosts));
	memset(contexts->pairs.sets, 0, context_directory_bytes(contexts->config.n_pairs));
	contexts->random = 0;
}

/* ---- Directories ---- */

static uint32_t context_tag(uint64_t hash)
{
	return (uint32_t)(hash >> 32) | 1;
}

static struct context_set *context_set(const struct context_directory *directory, uint64_t hash)
{
	return &directory->sets[(uint32_t)hash & directory->mask];
}

/* The ways with this tag, as bits. */
static uint32_t context_set_match(const struct context_set *set, uint32_t tag)
{
#if defined(__SSE2__)
	const __m128i *tags = (const __m128i *)(const void *)set->tags;
	__m128i wanted = _mm_set1_epi32((int)tag);
	__m128i low = _mm_cmpeq_epi32(_mm_load_si128(&tags[0]), wanted);
	__m128i high = _mm_cmpeq_epi32(_mm_load_si128(&tags[1]), wanted);
	__m128i words = _mm_packs_epi32(low, high);

	return (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(words, _mm_setzero_si128()));
#else
	uint32_t ways = 0;

	for (uint32_t w = 0; w < CONTEXT_WAYS; w++)
		ways |= (uint32_t)(set->tags[w] == tag) << w;
	return ways;
#endif
}

static void *context_entry(const struct context_directory *directory, uint32_t entry)
{
	return directory->entries + (size_t)entry * directory->entry_bytes;
}

/* The entry of a hash, or NULL. */
static void *context_directory_find(const struct context_directory *directory, uint64_t hash)
{
	uint32_t set = (uint32_t)hash & directory->mask;
	uint32_t match = context_set_match(&directory->sets[set], context_tag(hash));

	for (; match; match &= match - 1) {
		void *entry = context_entry(directory, set * CONTEXT_WAYS + (uint32_t)__builtin_ctz(match));
		uint64_t found;

		memcpy(&found, entry, sizeof(found));
		if (found == hash)
			return entry;
	}
	return NULL;
}

/* Knuth's MMIX, of which the upper bits are the random ones. */
static uint32_t context_draw(struct flow_contexts *contexts)
{
	contexts->random = contexts->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(contexts->random >> 32);
}

/* Worth is the logarithm of flows, in eighths of an octave: exponent and upper bits of the mantissa. */
static uint32_t context_stamp(uint64_t ns, float flows)
{
	union {
		float value;
		uint32_t bits;
	} number = {.value = flows > 1 ? flows : 1};

	return (uint32_t)(ns >> CONTEXT_AGE_SHIFT) << 8 | ((number.bits >> 20) - (127u << 3));
}

/*
 * What an entry is worth by now: the logarithm of its flows, which fade, in units of age. Below 0 it is worth less than
 * a flow that begins now.
 */
static int32_t context_rank(uint32_t stamp, uint64_t now_ns)
{
	uint32_t age = (uint32_t)((now_ns >> CONTEXT_AGE_SHIFT) - (stamp >> 8)) & 0xffffff;

	/* One of the future is as good as new: times may go back a little. Ages come round after 39 hours. */
	if (age > 0xffffff - CONTEXT_AGE_OVER)
		age = 0;
	return (int32_t)((stamp & 0xff) * CONTEXT_AGE_EIGHTH) - (int32_t)age;
}

/*
 * A place for a new entry, or NULL. Where a set is full, the entry that is worth least gives way, with a chance that
 * rises with its age: the faster new ones come, the more of them are turned away, so that one that comes again has the
 * time to.
 */
static uint8_t *context_directory_add(struct flow_contexts *contexts, struct context_directory *directory,
				      uint64_t hash, uint64_t now_ns)
{
	struct context_set *set = context_set(directory, hash);
	int32_t least = INT32_MAX;
	uint32_t victim = 0;

	for (uint32_t i = 0; i < CONTEXT_WAYS; i++) {
		/* Not always the first of equals. */
		uint32_t w = (i + (uint32_t)(hash >> 40)) % CONTEXT_WAYS;
		int32_t rank = set->tags[w] ? context_rank(set->stamps[w], now_ns) : INT32_MIN;

		if (rank < least) {
			least = rank;
			victim = w;
		}
	}
	if (least > -CONTEXT_AGE_OVER) {
		uint32_t drawn = context_draw(contexts);

		if (drawn % CONTEXT_LEAST_CHANCE && (int32_t)(drawn % CONTEXT_AGE_OVER) >= -least)
			return NULL;
	}
	set->tags[victim] = context_tag(hash);
	set->stamps[victim] = context_stamp(now_ns, 1);
	return context_entry(directory, ((uint32_t)hash & directory->mask) * CONTEXT_WAYS + victim);
}

/* The entry for a new flow, made where it is not there; NULL where there is no room. */
static void *context_directory_take(struct flow_contexts *contexts, struct context_directory *directory,
				    uint64_t hash, uint64_t now_ns)
{
	uint8_t *entry = context_directory_find(directory, hash);

	if (entry)
		return entry;
	entry = context_directory_add(contexts, directory, hash, now_ns);
	if (entry) {
		memset(entry, 0, directory->entry_bytes);
		memcpy(entry, &hash, sizeof(hash));
	}
	return entry;
}

/* An entry has so many flows as of a time: it is worth that. */
static void context_directory_mark(struct context_directory *directory, const void *entry, uint64_t ns, float flows)
{
	size_t number = (size_t)((const uint8_t *)entry - directory->entries) / directory->entry_bytes;

	directory->sets[number / CONTEXT_WAYS].stamps[number % CONTEXT_WAYS] = context_stamp(ns, flows);
}

/* ---- Decay ---- */

/* What is left of 1 after a time. */
struct context_decay {
	double by_tau[FLOW_CONTEXT_N_TAUS];
	double open; /* tau 600 s */
};

static const struct context_decay context_no_decay = {{1, 1, 1}, 1};

/* Times whose decays are computed side by side: of all the entries of a flow, and one for an even number. */
#define CONTEXT_DECAYS 6

/* x to the 10th. */
static inline double tenth_power(double x)
{
	double x2 = x * x, x4 = x2 * x2;

	return x4 * x4 * x2;
}

/* 2^-whole, 0 <= whole <= 100 */
static inline double context_half_power(uint32_t whole)
{
	union {
		uint32_t bits;
		float value;
	} power = {.bits = (127 - whole) << 23};

	return (double)power.value;
}

/*
 * e^(-t / 600 s) and, as powers of it, of the shorter periods. By hand, so that all machines get the same: 2^-x of the
 * fraction by the Taylor series of e^(-x ln 2), whose remainder is below 1e-9. In steps over all n, which is a
 * constant wherever this is inlined, since each one's steps wait for each other.
 */
static inline void __attribute__((always_inline))
context_decay_each(const uint64_t *ns, struct context_decay *decays, uint32_t n)
{
	double y[CONTEXT_DECAYS], power[CONTEXT_DECAYS], e[CONTEXT_DECAYS], e60[CONTEXT_DECAYS],
		e10[CONTEXT_DECAYS];

	for (uint32_t i = 0; i < n; i++) {
		double x = (double)ns[i] * (1.4426950408889634 / 600e9);
		bool is_gone = x >= 100;
		uint32_t whole = is_gone ? 0 : (uint32_t)x;

		y[i] = is_gone ? 0 : (x - whole) * -0.6931471805599453;
		power[i] = is_gone ? 0 : context_half_power(whole);
		e[i] = 1;
	}
	for (int k = 11; k; k--)
		for (uint32_t i = 0; i < n; i++)
			e[i] = 1 + y[i] / k * e[i];
	for (uint32_t i = 0; i < n; i++) {
		e[i] *= power[i];
		e60[i] = tenth_power(e[i]);
		e10[i] = e60[i] * e60[i] * e60[i];
		e10[i] *= e10[i];
	}
	for (uint32_t i = 0; i < n; i++) {
		decays[i].open = e[i];
		decays[i].by_tau[FLOW_CONTEXT_60S] = e60[i];
		decays[i].by_tau[FLOW_CONTEXT_10S] = e10[i];
		decays[i].by_tau[FLOW_CONTEXT_1S] = tenth_power(e10[i]);
	}
}

static struct context_decay context_decay(uint64_t ns)
{
	struct context_decay decay;

	context_decay_each(&ns, &decay, 1);
	return decay;
}

static void context_decay_burst(const uint64_t ns[CONTEXT_DECAYS], struct context_decay decays[CONTEXT_DECAYS])
{
	context_decay_each(ns, decays, CONTEXT_DECAYS);
}

static uint64_t context_elapsed_ns(uint64_t last_ns, uint64_t now_ns)
{
	return now_ns >= last_ns + CONTEXT_STEP_NS ? now_ns - last_ns : 0;
}

/* What is left of an event in an entry that has been brought up to a later time. */
static struct context_decay context_weight(uint64_t event_ns, uint64_t last_ns)
{
	uint64_t ns = context_elapsed_ns(event_ns, last_ns);

	return ns ? context_decay(ns) : context_no_decay;
}

static inline void context_fade(float *sum, double decay)
{
	*sum = (float)(*sum * decay);
}

/* Adds to a sum, or takes away; sums do not fall below 0. */
static inline void context_add(struct flow_contexts *contexts, float *sum, double weight)
{
	if (*sum >= CONTEXT_LARGE) {
		weight = context_draw(contexts) % CONTEXT_LARGE_STEP ? 0 : weight * CONTEXT_LARGE_STEP;
	}
	weight += (double)*sum;
	*sum = weight > 0 ? (float)weight : 0;
}

/* ---- Distinct things ---- */

static uint8_t context_distinct_bits(const struct context_distinct *distinct, uint32_t kind)
{
	int n_set = 0;

	for (uint32_t i = 0; i < CONTEXT_BITMAP_BITS / 64; i++)
		n_set += __builtin_popcountll(distinct->now[kind][i] | distinct->before[kind][i]);
	return (uint8_t)n_set;
}

/* Brings the halves of the minute up to a time. */
static void context_distinct_advance(struct context_distinct *distinct, uint64_t now_ns)
{
	uint64_t elapsed_ns = now_ns - distinct->start_ns;

	if (now_ns < distinct->start_ns || elapsed_ns < CONTEXT_GENERATION_NS)
		return;
	if (elapsed_ns < 2 * (uint64_t)CONTEXT_GENERATION_NS) {
		memcpy(distinct->before, distinct->now, sizeof(distinct->before));
		distinct->start_ns += CONTEXT_GENERATION_NS;
	} else {
		memset(distinct->before, 0, sizeof(distinct->before));
		distinct->start_ns = now_ns;
	}
	memset(distinct->now, 0, sizeof(distinct->now));
	for (uint32_t kind = 0; kind < 2; kind++)
		distinct->n_set[kind] = context_distinct_bits(distinct, kind);
}

static void context_distinct_add(struct context_distinct *distinct, uint32_t kind, uint64_t hash)
{
	uint32_t bit = (uint32_t)hash % CONTEXT_BITMAP_BITS, word = bit / 64;
	uint64_t mask = UINT64_C(1) << bit % 64;

	distinct->n_set[kind] += !((distinct->now[kind][word] | distinct->before[kind][word]) & mask);
	distinct->now[kind][word] |= mask;
}

static float context_distinct_count(const struct flow_contexts *contexts, const struct context_distinct *distinct,
				    uint32_t kind)
{
	return contexts->distinct[CONTEXT_BITMAP_BITS - distinct->n_set[kind]];
}

/* ---- Roles and pairs ---- */

enum { PAIR_PORT, PAIR_HOSTS, PAIR_SERVICE, N_PAIRS };

/* What of the tables a flow belongs to; NULL for what has been pushed out, or is left as it is. */
struct context_entries {
	struct context_role *roles[2];
	struct context_pair *pairs[N_PAIRS];
};
_Static_assert(2 + N_PAIRS <= CONTEXT_DECAYS, "advanced together");

static void context_role_decay(struct context_role *role, const struct context_decay *decay, uint64_t now_ns)
{
	for (uint32_t t = 0; t < FLOW_CONTEXT_N_TAUS; t++)
		context_fade(&role->flows[t], decay->by_tau[t]);
	context_fade(&role->answered, decay->by_tau[FLOW_CONTEXT_60S]);
	context_fade(&role->refused, decay->by_tau[FLOW_CONTEXT_60S]);
	context_fade(&role->productive, decay->by_tau[FLOW_CONTEXT_60S]);
	context_fade(&role->short_closed, decay->by_tau[FLOW_CONTEXT_60S]);
	context_fade(&role->open, decay->open);
	role->last_ns = now_ns;
	context_distinct_advance(&role->distinct, now_ns);
}

static void context_pair_decay(struct context_pair *pair, const struct context_decay *decay, uint64_t now_ns)
{
	context_fade(&pair->flows_10s, decay->by_tau[FLOW_CONTEXT_10S]);
	context_fade(&pair->flows_60s, decay->by_tau[FLOW_CONTEXT_60S]);
	context_fade(&pair->productive, decay->by_tau[FLOW_CONTEXT_60S]);
	context_fade(&pair->open, decay->open);
	pair->last_ns = now_ns;
}

/* Brings entries up to a time; those that have had later events stay. */
static void context_advance(const struct context_entries *entries, uint64_t now_ns)
{
	struct context_decay decays[CONTEXT_DECAYS];
	uint64_t ns[CONTEXT_DECAYS] = {0}, any_ns = 0;
	uint64_t *pairs_ns = ns + 2;

	for (uint32_t r = 0; r < 2; r++)
		if (entries->roles[r])
			any_ns |= ns[r] = context_elapsed_ns(entries->roles[r]->last_ns, now_ns);
	for (uint32_t p = 0; p < N_PAIRS; p++)
		if (entries->pairs[p])
			any_ns |= pairs_ns[p] = context_elapsed_ns(entries->pairs[p]->last_ns, now_ns);
	if (!any_ns)
		return;
	context_decay_burst(ns, decays);
	for (uint32_t r = 0; r < 2; r++)
		if (ns[r])
			context_role_decay(entries->roles[r], &decays[r], now_ns);
	for (uint32_t p = 0; p < N_PAIRS; p++)
		if (pairs_ns[p])
			context_pair_decay(entries->pairs[p], &decays[2 + p], now_ns);
}

static void context_role_start(struct flow_contexts *contexts, struct context_role *role, uint64_t now_ns,
			       uint64_t host, uint32_t port_mark)
{
	struct context_decay weight = context_weight(now_ns, role->last_ns);

	for (uint32_t t = 0; t < FLOW_CONTEXT_N_TAUS; t++)
		context_add(contexts, &role->flows[t], weight.by_tau[t]);
	/* Not the bits that choose the set. */
	context_distinct_add(&role->distinct, DISTINCT_HOSTS, host >> 48);
	context_distinct_add(&role->distinct, DISTINCT_PORTS, port_mark);
}

static void context_pair_start(struct flow_contexts *contexts, struct context_pair *pair, uint64_t now_ns)
{
	struct context_decay weight = context_weight(now_ns, pair->last_ns);

	context_add(contexts, &pair->flows_10s, weight.by_tau[FLOW_CONTEXT_10S]);
	context_add(contexts, &pair->flows_60s, weight.by_tau[FLOW_CONTEXT_60S]);
}

/* A mean of all values so far, then of the latest 1 / CONTEXT_SMOOTHING or so. */
static void context_smooth(float *mean, uint32_t *n, float value)
{
	if (*n < 1 / CONTEXT_SMOOTHING)
		++*n;
	*mean += (value - *mean) / (float)*n;
}

/* ---- Turns ---- */

/* SplitMix64's finaliser. */
static uint64_t context_mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static uint64_t context_host_hash(const struct flow_contexts *contexts, const struct flow_key *key,
				  uint32_t endpoint)
{
	uint64_t words[3];

	memcpy(words, key->address[endpoint], 16);
	words[2] = key->scope_id;
	return flow_hash_sip(contexts->config.seed, words, 3);
}

static void prefetch_set(const struct context_directory *directory, uint64_t hash)
{
	__builtin_prefetch(context_set(directory, hash), 1);
}

/* Who the flow is of: hashes of its entries. */
static void context_identify(const struct flow_contexts *contexts, const struct flow *flow,
			     struct flow_context_turn *turn)
{
	uint32_t initiator = flow_initiator(flow);
	uint64_t service = (uint64_t)flow->key.port[1 - initiator] << 8 | flow->key.protocol;

	turn->hosts[ROLE_INITIATOR] = context_host_hash(contexts, &flow->key, initiator);
	turn->hosts[ROLE_RESPONDER] = context_host_hash(contexts, &flow->key, 1 - initiator);
	/* The hosts' hashes are secret, and so is what is made of them; 1 and 2 tell the kinds of entries apart. */
	turn->both = context_mix(turn->hosts[0] * 3 + turn->hosts[1]);
	turn->pair = context_mix(turn->both + (service << 2 | 1));
	turn->service = context_mix(turn->hosts[1] + (service << 2 | 2));
	turn->port_mark = (uint16_t)context_mix(contexts->config.seed[0] ^ service);
	prefetch_set(&contexts->hosts, turn->hosts[0]);
	prefetch_set(&contexts->hosts, turn->hosts[1]);
	prefetch_set(&contexts->pairs, turn->pair);
	prefetch_set(&contexts->pairs, turn->both);
	prefetch_set(&contexts->pairs, turn->service);
}

void flow_context_prepare(const struct flow_contexts *contexts, const struct flow_view *view,
			  enum flow_reason reason, const struct flow_context_turn *before,
			  struct flow_context_turn *turn)
{
	const struct flow *flow = view->flow;
	const struct flow_side *forward = &flow->side[FLOW_FORWARD], *backward = &flow->side[FLOW_BACKWARD];

	if (before)
		*turn = *before;
	else
		context_identify(contexts, flow, turn);
	turn->start_ns = flow->start_ns;
	turn->last_ns = flow->last_ns;
	turn->payload_bytes = forward->payload_bytes + backward->payload_bytes;
	turn->reason = (uint8_t)reason;
	turn->tcp_flags = forward->tcp_flags | backward->tcp_flags;
	turn->reply_tcp_flags = backward->tcp_flags;
	turn->has_reply = forward->packets && backward->packets;
	turn->is_tcp = flow->key.protocol == PACKET_PROTOCOL_TCP;
}

/* Fetches where a hash may be, by its tag alone. */
static inline void __attribute__((always_inline))
prefetch_entry(const struct context_directory *directory, uint64_t hash, uint32_t bytes)
{
	uint32_t set = (uint32_t)hash & directory->mask;
	uint32_t match = context_set_match(&directory->sets[set], context_tag(hash));
	const uint8_t *entry;

	if (!match)
		return;
	entry = context_entry(directory, set * CONTEXT_WAYS + (uint32_t)__builtin_ctz(match));
	for (uint32_t at = 0; at < bytes; at += 64)
		__builtin_prefetch(entry + at, 1);
}

void flow_context_fetch(const struct flow_contexts *contexts, const struct flow_context_turn *turn)
{
	for (uint32_t i = 0; i < 2; i++)
		prefetch_entry(&contexts->hosts, turn->hosts[i], sizeof(struct context_host));
	prefetch_entry(&contexts->pairs, turn->pair, sizeof(struct context_pair));
	prefetch_entry(&contexts->pairs, turn->both, sizeof(struct context_pair));
	prefetch_entry(&contexts->pairs, turn->service, sizeof(struct context_pair));
}

/* Counts a flow to its hosts. */
static void context_start_roles(struct flow_contexts *contexts, const struct flow_context_turn *turn,
				struct context_host *const hosts[2])
{
	for (uint32_t r = 0; r < 2; r++) {
		struct context_role *role;

		if (!hosts[r])
			continue;
		role = &hosts[r]->roles[r];
		context_role_start(contexts, role, turn->last_ns, turn->hosts[!r], turn->port_mark);
		context_directory_mark(&contexts->hosts, hosts[r], role->last_ns, role->flows[FLOW_CONTEXT_60S]);
	}
}

static void context_start_pairs(struct flow_contexts *contexts, const struct flow_context_turn *turn,
				struct context_pair *const pairs[N_PAIRS])
{
	for (uint32_t p = 0; p < N_PAIRS; p++)
		if (pairs[p]) {
			context_pair_start(contexts, pairs[p], turn->last_ns);
			context_directory_mark(&contexts->pairs, pairs[p], pairs[p]->last_ns, pairs[p]->flows_60s);
		}
}

static void context_count_start(struct flow_contexts *contexts, const struct flow_context_turn *turn)
{
	const uint64_t pairs[N_PAIRS] = {turn->pair, turn->both, turn->service};
	struct context_entries entries = {0};
	struct context_host *hosts[2];

	for (uint32_t r = 0; r < 2; r++)
		hosts[r] = context_directory_take(contexts, &contexts->hosts, turn->hosts[r], turn->last_ns);
	for (uint32_t p = 0; p < N_PAIRS; p++)
		entries.pairs[p] = context_directory_take(contexts, &contexts->pairs, pairs[p], turn->last_ns);
	/* One may have taken the place of one before it. */
	for (uint32_t r = 0; r < 2; r++) {
		if (hosts[r] && hosts[r]->hash != turn->hosts[r])
			hosts[r] = NULL;
		entries.roles[r] = hosts[r] ? &hosts[r]->roles[r] : NULL;
	}
	for (uint32_t p = 0; p < N_PAIRS; p++)
		if (entries.pairs[p] && entries.pairs[p]->hash != pairs[p])
			entries.pairs[p] = NULL;
	context_advance(&entries, turn->last_ns);
	context_start_roles(contexts, turn, hosts);
	context_start_pairs(contexts, turn, entries.pairs);
}

/* The entries that are counted of a flow that has begun before: its roles, and the pair with its port. */
static struct context_entries context_find(const struct flow_contexts *contexts,
					   const struct flow_context_turn *turn)
{
	struct context_entries entries = {.pairs[PAIR_PORT] = context_directory_find(&contexts->pairs, turn->pair)};

	for (uint32_t r = 0; r < 2; r++) {
		struct context_host *host = context_directory_find(&contexts->hosts, turn->hosts[r]);

		/* One that has come back as the other role knows of no flow of this one. */
		entries.roles[r] = host && host->roles[r].flows[FLOW_CONTEXT_60S] > 0 ? &host->roles[r] : NULL;
	}
	return entries;
}

/* What is left of a flow's start in each entry: what it has come to since counts as much, and for as long. */
struct context_left {
	struct context_decay roles[2], pair;
};

static void context_left(const struct context_entries *entries, uint64_t start_ns, struct context_left *left)
{
	const struct context_pair *pair = entries->pairs[PAIR_PORT];

	for (uint32_t r = 0; r < 2; r++)
		if (entries->roles[r])
			left->roles[r] = context_weight(start_ns, entries->roles[r]->last_ns);
	if (pair)
		left->pair = context_weight(start_ns, pair->last_ns);
}

static void context_count_reply(struct flow_contexts *contexts, const struct flow_context_turn *turn,
				struct flow_context_memory *memory)
{
	struct context_entries entries = context_find(contexts, turn);
	struct context_role *initiator = entries.roles[ROLE_INITIATOR], *responder = entries.roles[ROLE_RESPONDER];
	bool is_refused = turn->is_tcp && turn->reply_tcp_flags & PACKET_TCP_RST;
	bool is_open = memory->bits & MEMORY_BEGAN && !(turn->reply_tcp_flags & (PACKET_TCP_RST | PACKET_TCP_FIN));
	struct context_left left;

	context_advance(&entries, turn->last_ns);
	context_left(&entries, turn->start_ns, &left);
	for (uint32_t r = 0; r < 2; r++)
		if (entries.roles[r])
			context_add(contexts, &entries.roles[r]->answered, left.roles[r].by_tau[FLOW_CONTEXT_60S]);
	if (initiator && is_refused)
		context_add(contexts, &initiator->refused, left.roles[ROLE_INITIATOR].by_tau[FLOW_CONTEXT_60S]);
	if (!is_open)
		return;
	memory->bits |= MEMORY_OPEN;
	if (responder)
		context_add(contexts, &responder->open, left.roles[ROLE_RESPONDER].open);
	if (entries.pairs[PAIR_PORT])
		context_add(contexts, &entries.pairs[PAIR_PORT]->open, left.pair.open);
}

static void context_count_productive(struct flow_contexts *contexts, const struct flow_context_turn *turn)
{
	struct context_entries entries = context_find(contexts, turn);
	struct context_role *initiator = entries.roles[ROLE_INITIATOR];
	struct context_pair *pair = entries.pairs[PAIR_PORT];
	struct context_left left;

	entries.roles[ROLE_RESPONDER] = NULL;
	context_advance(&entries, turn->last_ns);
	context_left(&entries, turn->start_ns, &left);
	if (pair)
		context_add(contexts, &pair->productive, left.pair.by_tau[FLOW_CONTEXT_60S]);
	if (initiator)
		context_add(contexts, &initiator->productive, left.roles[ROLE_INITIATOR].by_tau[FLOW_CONTEXT_60S]);
}

/*
 * One that never opened was refused, has been seen in one direction alone, or in its middle. Of slices, the earlier
 * ones are in the memory: it is the whole connection that is short.
 */
static void context_count_close(struct flow_contexts *contexts, const struct flow_context_turn *turn,
				struct flow_context_memory *memory)
{
	struct context_entries entries = context_find(contexts, turn);
	struct context_role *initiator, *responder = entries.roles[ROLE_RESPONDER];
	struct context_pair *pair = entries.pairs[PAIR_PORT];
	struct context_left left;

	if (!(memory->bits & MEMORY_OPEN))
		return;
	memory->bits &= (uint8_t)~MEMORY_OPEN;
	if (memory->earlier_payload_bytes + turn->payload_bytes >= CONTEXT_SHORT_BYTES)
		entries.roles[ROLE_INITIATOR] = NULL;
	initiator = entries.roles[ROLE_INITIATOR];
	context_advance(&entries, turn->last_ns);
	context_left(&entries, memory->start_ns, &left);
	if (pair) {
		context_add(contexts, &pair->open, -left.pair.open);
		context_smooth(&pair->duration_log, &pair->n_closed,
			       logf(1 + (float)(turn->last_ns - memory->start_ns) / 1000));
	}
	if (responder)
		context_add(contexts, &responder->open, -left.roles[ROLE_RESPONDER].open);
	if (initiator)
		context_add(contexts, &initiator->short_closed,
			    left.roles[ROLE_INITIATOR].by_tau[FLOW_CONTEXT_60S]);
}

void flow_context_count(struct flow_contexts *contexts, const struct flow_context_turn *turn,
			struct flow_context_memory *memory)
{
	switch (turn->reason) {
	case FLOW_REASON_STARTED:
		*memory = (struct flow_context_memory){
			.start_ns = turn->start_ns,
			.bits = turn->is_tcp && turn->tcp_flags & PACKET_TCP_SYN ? MEMORY_BEGAN : 0,
		};
		context_count_start(contexts, turn);
		return;
	case FLOW_REASON_REPLIED:
		context_count_reply(contexts, turn, memory);
		return;
	case FLOW_REASON_PRODUCTIVE:
		context_count_productive(contexts, turn);
		return;
	case FLOW_REASON_CLOSED:
		context_count_close(contexts, turn, memory);
		return;
	case FLOW_REASON_ACTIVE:
		/* Another slice follows; more than is short need not be known. */
		memory->earlier_payload_bytes += turn->payload_bytes < CONTEXT_SHORT_BYTES
							 ? (uint32_t)turn->payload_bytes
							 : CONTEXT_SHORT_BYTES;
		if (memory->earlier_payload_bytes > CONTEXT_SHORT_BYTES)
			memory->earlier_payload_bytes = CONTEXT_SHORT_BYTES;
		return;
	default:
		return;
	}
}

/* ---- Reading ---- */

/* What is counted by all workers: all that is of the flow's own two hosts is here, of the others 1 / n_workers. */
static float context_scaled(const struct flow_contexts *contexts, float all, float own)
{
	float others = all - own;

	return others > 0 ? all + others * (float)(contexts->config.n_workers - 1) : all;
}

/* Hosts that the host has flows with: no two workers see the same. No more than one worker could count. */
static float context_hosts_scaled(const struct flow_contexts *contexts, const struct context_distinct *distinct)
{
	float count = context_distinct_count(contexts, distinct, DISTINCT_HOSTS);

	/* The flow's own, as counted. */
	return fminf(context_scaled(contexts, count, contexts->distinct[CONTEXT_BITMAP_BITS - 1]),
		     contexts->distinct[0]);
}

/*
 * Ports of the flows with all hosts, as far as this worker's tell: as many as it sees where they come again with other
 * hosts, n_workers times as many where each host has its own. others is the share of flows with other hosts than
 * the flow's.
 */
static float context_ports_scaled(const struct flow_contexts *contexts, const struct context_distinct *distinct,
				  float others)
{
	float count = context_distinct_count(contexts, distinct, DISTINCT_PORTS), scale;
	float hosts = context_distinct_count(contexts, distinct, DISTINCT_HOSTS);
	float step = count < hosts ? CONTEXT_SHARED_STEPS * count / hosts : CONTEXT_SHARED_STEPS;
	uint32_t below = step < CONTEXT_SHARED_STEPS ? (uint32_t)step : CONTEXT_SHARED_STEPS - 1;

	step -= (float)below;
	scale = contexts->shared[below] + step * (contexts->shared[below + 1] - contexts->shared[below]);
	return fminf(count * (1 + others * (scale - 1)), contexts->distinct[0]);
}

static float context_share(float part, float whole)
{
	return whole > 0 && part > 0 ? (part < whole ? part / whole : 1) : 0;
}

/* The flows of a host with the flow's other host, for each tau; of 1 s it is not kept. */
static void context_own_flows(const struct context_role *role, const struct context_pair *hosts,
			      float own[FLOW_CONTEXT_N_TAUS])
{
	own[FLOW_CONTEXT_10S] = hosts->flows_10s;
	own[FLOW_CONTEXT_60S] = hosts->flows_60s;
	own[FLOW_CONTEXT_1S] =
		role->flows[FLOW_CONTEXT_1S] * context_share(hosts->flows_10s, role->flows[FLOW_CONTEXT_10S]);
}

static void context_read_initiator(const struct flow_contexts *contexts, const struct context_role *role,
				   const struct context_pair *hosts, struct flow_context *context)
{
	float flows = role->flows[FLOW_CONTEXT_60S], own[FLOW_CONTEXT_N_TAUS];

	context_own_flows(role, hosts, own);
	for (uint32_t t = 0; t < FLOW_CONTEXT_N_TAUS; t++)
		context->initiator_flows[t] = context_scaled(contexts, role->flows[t], own[t]);
	context->initiator_responders = context_hosts_scaled(contexts, &role->distinct);
	context->initiator_ports =
		context_ports_scaled(contexts, &role->distinct, 1 - context_share(hosts->flows_60s, flows));
	context->initiator_unanswered = context_share(flows - role->answered, flows);
	context->initiator_refused = context_share(role->refused, flows);
	context->initiator_productive = context_share(role->productive, flows);
	context->initiator_short_closed = context_share(role->short_closed, flows);
}

static void context_read_responder(const struct flow_contexts *contexts, const struct context_role *role,
				   const struct context_pair pairs[N_PAIRS], struct flow_context *context)
{
	float flows = role->flows[FLOW_CONTEXT_60S], own[FLOW_CONTEXT_N_TAUS];
	const struct context_pair *hosts = &pairs[PAIR_HOSTS];

	context_own_flows(role, hosts, own);
	context->responder_flows_1s = context_scaled(contexts, role->flows[FLOW_CONTEXT_1S], own[FLOW_CONTEXT_1S]);
	context->responder_flows_10s =
		context_scaled(contexts, role->flows[FLOW_CONTEXT_10S], own[FLOW_CONTEXT_10S]);
	context->responder_initiators = context_hosts_scaled(contexts, &role->distinct);
	context->responder_ports =
		context_ports_scaled(contexts, &role->distinct, 1 - context_share(hosts->flows_60s, flows));
	context->responder_unanswered = context_share(flows - role->answered, flows);
	context->responder_open = context_scaled(contexts, role->open, pairs[PAIR_PORT].open);
}

static void context_read_pairs(const struct flow_contexts *contexts, const struct context_pair pairs[N_PAIRS],
			       struct flow_context *context)
{
	const struct context_pair *port = &pairs[PAIR_PORT];

	context->pair_flows_10s = port->flows_10s;
	context->pair_flows_60s = port->flows_60s;
	context->pair_open = port->open;
	context->pair_duration_log = port->duration_log;
	context->pair_productive = context_share(port->productive, port->flows_60s);
	context->hosts_flows_60s = pairs[PAIR_HOSTS].flows_60s;
	context->service_flows_10s = context_scaled(contexts, pairs[PAIR_SERVICE].flows_10s, port->flows_10s);
}

/* What is not known reads as what has done nothing but this flow. */
static struct context_role context_role_alone(const struct flow_context_turn *turn)
{
	return (struct context_role){
		.flows = {1, 1, 1},
		.answered = turn->has_reply,
		.distinct = {.n_set = {1, 1}},
	};
}

void flow_context_read(const struct flow_contexts *contexts, const struct flow_context_turn *turn,
		       struct flow_context *context)
{
	struct context_entries entries = context_find(contexts, turn);
	struct context_role roles[2];
	struct context_pair pairs[N_PAIRS];

	/* Of copies: an entry is advanced by events alone, so that it does not matter when it is read. */
	entries.pairs[PAIR_HOSTS] = context_directory_find(&contexts->pairs, turn->both);
	entries.pairs[PAIR_SERVICE] = context_directory_find(&contexts->pairs, turn->service);
	for (uint32_t r = 0; r < 2; r++) {
		roles[r] = entries.roles[r] ? *entries.roles[r] : context_role_alone(turn);
		if (entries.roles[r])
			entries.roles[r] = &roles[r];
	}
	for (uint32_t p = 0; p < N_PAIRS; p++) {
		pairs[p] = entries.pairs[p] ? *entries.pairs[p]
					    : (struct context_pair){.flows_10s = 1, .flows_60s = 1};
		if (entries.pairs[p])
			entries.pairs[p] = &pairs[p];
	}
	context_advance(&entries, turn->last_ns);
	*context = (struct flow_context){0};
	context_read_initiator(contexts, &roles[ROLE_INITIATOR], &pairs[PAIR_HOSTS], context);
	context_read_responder(contexts, &roles[ROLE_RESPONDER], pairs, context);
	context_read_pairs(contexts, pairs, context);
}
