/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `wirescore bench flows`: the flow table beside rte_hash with the same keys, the same states and the same pages,
 * in turns. From parsed packets to updated states: key, hash, look-up or insertion, test of the timeouts, update.
 * The flow table also sweeps.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <jansson.h>
#include <rte_errno.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <rte_malloc.h>

#include "bench.h"
#include "command.h"
#include "dataplane/eal.h"
#include "flow_key_inline.h"
#include "flow_table.h"
#include "flow_update.h"

#define BURST		    32
#define CHUNK		    256 /* packets that are made, then timed */
#define MAX_ROUNDS	    101
#define MAX_SIZES	    8
#define TURN_CHUNKS	    256	   /* timed in a turn */
#define MAX_WARM_PACKETS    262144 /* at the beginning of a turn */
#define N_ORDER		    (1u << 20)
#define ZIPF_EXPONENT	    1.1
#define PACKET_NS	    100
#define IDLE_NS		    60000000000u
#define ACTIVE_NS	    1800000000000u
#define HUGEPAGE_BYTES	    (2u << 20)
#define INSERTION_FLOWS	    1000000
#define INSERTION_SLOTS	    (1u << 20) /* of both tables for that many flows */
#define INSERTION_ROUNDS    3
#define INSERTION_PERCENT   2 /* of the slots, filled under the clock */
#define PEER_BYTES_A_FLOW   160
#define CHECK_UPDATE	    1.1 /* times as fast as the peer, with --check */
#define CHECK_INSERTION	    1.5
#define PEER_BYTES_OVERHEAD (16u << 20)

static const char bench_flows_help[] =
	"Usage: wirescore bench flows [OPTION]...\n"
	"Measures the flow table beside DPDK's rte_hash (48-byte keys, CRC, bulk look-up, the same\n"
	"states) on one core, in turns, in bursts of 32: cycles a packet from its headers to its\n"
	"updated flow, for random flows, and cycles a new flow in tables that fill up.\n"
	"Cycles are those of the TSC.\n"
	"\n"
	"  --flows LIST   numbers of flows (default 10000,100000,1000000,4000000)\n"
	"  --rounds N     rounds of all (default 11)\n"
	"  --check        fail where updates are not 1.1, or insertions not 1.5 times as fast as rte_hash's\n"
	"  --json         print one JSON object\n"
	"  -h, --help     print this\n";

enum subject { SUBJECT_TABLE, SUBJECT_SERIES, SUBJECT_PEER, N_SUBJECTS };
enum keys { KEYS_UNIFORM, KEYS_ZIPF, N_KEYS };

static const char *const subject_names[N_SUBJECTS] = {"wirescore", "wirescore_series", "rte_hash"};
static const char *const keys_names[N_KEYS] = {"uniform", "zipf"};

struct peer_key {
	struct flow_key key;
	uint64_t padding; /* rte_hash compares 48 bytes with SIMD, 40 with memcmp */
};

/* rte_hash and the states that its data point to. */
struct peer {
	struct rte_hash *hash;
	struct flow *states;
	uint32_t n_states;
	uint64_t n_doubtful; /* packets that a table would look closer at */
};

/* Packets as the parser leaves them. */
struct chunk {
	struct frame frames[CHUNK];
	struct packet packets[CHUNK];
	uint8_t headers[CHUNK][64];
};

struct memory {
	void *bytes;
	size_t n_bytes;
};

struct bench {
	uint64_t sizes[MAX_SIZES];
	uint32_t n_sizes;
	uint64_t n_rounds;
	bool json, check;
	bool has_missed; /* a ratio that check wants */
	double hz;
	uint64_t now_ns[N_SUBJECTS], random;
	struct flow_table *tables[2]; /* SUBJECT_TABLE, SUBJECT_SERIES */
	struct peer peer;
	struct memory heap, states;
	uint32_t *order; /* [N_ORDER] flows to look up */
	uint32_t next;
	double checksum;	      /* so that nothing can be left out */
	double huge_kb[2], rss_kb[2]; /* of the table and of rte_hash, of all sizes */
	struct chunk chunk;
};

/* Cycles of the rounds, for one size and one kind of keys. */
struct row {
	double cycles[N_SUBJECTS][MAX_ROUNDS];
};

/* ---- Memory ---- */

static int memory_create(struct memory *memory, size_t n_bytes)
{
	size_t all_bytes = (n_bytes + 2 * HUGEPAGE_BYTES) / HUGEPAGE_BYTES * HUGEPAGE_BYTES;
	uint8_t *all = mmap(NULL, all_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t skipped;

	if (all == MAP_FAILED)
		return -1;
	skipped = -(uintptr_t)all % HUGEPAGE_BYTES;
	memory->n_bytes = all_bytes - HUGEPAGE_BYTES;
	if (skipped)
		munmap(all, skipped);
	memory->bytes = all + skipped;
	munmap(all + skipped + memory->n_bytes, all_bytes - skipped - memory->n_bytes);
	madvise(memory->bytes, memory->n_bytes, MADV_HUGEPAGE);
	/* The flow table's memory is touched before, too. */
	for (size_t at = 0; at < memory->n_bytes; at += 4096)
		((volatile uint8_t *)memory->bytes)[at] = 0;
	return 0;
}

static void memory_free(struct memory *memory)
{
	if (memory->bytes)
		munmap(memory->bytes, memory->n_bytes);
	memory->bytes = NULL;
}

/* Adds up what of the mapping around an address is there, and in huge pages, by the kernel's account. */
static void count_pages(const void *address, double *huge_kb, double *rss_kb)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	bool is_it = false;
	char line[512];

	while (file && fgets(line, sizeof(line), file)) {
		uintptr_t from, to;
		unsigned long kb;

		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &from, &to) == 2)
			is_it = (uintptr_t)address >= from && (uintptr_t)address < to;
		else if (is_it && sscanf(line, "Rss: %lu", &kb) == 1)
			*rss_kb += (double)kb;
		else if (is_it && sscanf(line, "AnonHugePages: %lu", &kb) == 1)
			*huge_kb += (double)kb;
	}
	if (file)
		fclose(file);
}

/* ---- Packets ---- */

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static uint64_t next_random(struct bench *bench)
{
	bench->random += 0x9e3779b97f4a7c15u;
	return mix(bench->random);
}

/* Packet i of the chunk belongs to the flow of this number. */
static void chunk_set(struct bench *bench, enum subject subject, uint32_t i, uint32_t flow)
{
	struct chunk *chunk = &bench->chunk;
	uint64_t bits = mix(flow + 1);
	uint32_t source = flow * 0x9e3779b1u, destination = (uint32_t)bits; /* sources differ: odd factor */
	uint8_t *header = chunk->headers[i];

	header[0] = 0x45;
	memcpy(header + 12, &source, sizeof(source));
	memcpy(header + 16, &destination, sizeof(destination));
	bench->now_ns[subject] += PACKET_NS;
	chunk->frames[i] = (struct frame){header, 60, 60, bench->now_ns[subject], 0};
	chunk->packets[i] = (struct packet){
		.ip_version = 4,
		.protocol = PACKET_PROTOCOL_TCP,
		.ttl = 64,
		.src_port = (uint16_t)(bits >> 32),
		.dst_port = 443,
		.transport_bytes = 20,
		.tcp_window = 1000,
		.tcp_flags = PACKET_TCP_ACK,
		.ip_bytes = 60,
		.payload_bytes = 20,
	};
}

static void chunk_make(struct bench *bench, enum subject subject)
{
	for (uint32_t i = 0; i < CHUNK; i++)
		chunk_set(bench, subject, i, bench->order[bench->next++ % N_ORDER]);
}

static void order_uniform(struct bench *bench, uint64_t n_flows)
{
	for (uint32_t i = 0; i < N_ORDER; i++)
		bench->order[i] = (uint32_t)(next_random(bench) % n_flows);
}

/* By the inverse of the sum of i^-s. 0, or -1 when memory is out. */
static int order_zipf(struct bench *bench, uint64_t n_flows)
{
	double *sums = malloc(n_flows * sizeof(*sums)), sum = 0;

	if (!sums)
		return -1;
	for (uint64_t i = 0; i < n_flows; i++) {
		sum += pow((double)(i + 1), -ZIPF_EXPONENT);
		sums[i] = sum;
	}
	for (uint32_t i = 0; i < N_ORDER; i++) {
		double wanted = (double)(next_random(bench) >> 11) * 0x1p-53 * sum;
		uint64_t low = 0, high = n_flows - 1;

		while (low < high) {
			uint64_t middle = (low + high) / 2;

			if (sums[middle] < wanted)
				low = middle + 1;
			else
				high = middle;
		}
		/* Popular flows are not neighbours. */
		bench->order[i] = (uint32_t)(mix(low) % n_flows);
	}
	free(sums);
	return 0;
}

/* ---- The subjects ---- */

static void sink(void *context, const struct flow_view *view, enum flow_reason reason)
{
	struct bench *bench = context;

	(void)reason;
	bench->checksum += view->flow->side[FLOW_FORWARD].packets;
}

static void table_chunk(struct bench *bench, struct flow_table *table)
{
	struct flow *flows[BURST];

	for (uint32_t i = 0; i < CHUNK; i += BURST)
		flow_table_update_burst(table, bench->chunk.frames + i, bench->chunk.packets + i, BURST, flows);
}

static void *peer_insert(struct peer *peer, const struct peer_key *key, uint32_t signature, uint64_t now_ns)
{
	struct flow *state = &peer->states[peer->n_states];

	memset(state, 0, sizeof(*state));
	state->key = key->key;
	state->start_ns = now_ns;
	state->last_ns = now_ns;
	if (rte_hash_add_key_with_hash_data(peer->hash, key, signature, state))
		return NULL;
	peer->n_states++;
	return state;
}

static void peer_burst(struct peer *peer, const struct frame *frames, const struct packet *packets)
{
	struct peer_key keys[BURST];
	const void *pointers[BURST];
	hash_sig_t signatures[BURST];
	uint8_t sources[BURST];
	void *states[BURST];
	uint64_t hits;

	for (uint32_t i = 0; i < BURST; i++) {
		keys[i].padding = 0;
		sources[i] = (uint8_t)flow_key_make_inline(&frames[i], &packets[i], FLOW_SCOPE_INNERMOST, 0,
							   &keys[i].key);
		pointers[i] = &keys[i];
	}
	for (uint32_t i = 0; i < BURST; i++)
		signatures[i] = rte_hash_crc(&keys[i], sizeof(keys[i].key), 0);
	rte_hash_lookup_with_hash_bulk_data(peer->hash, pointers, signatures, BURST, &hits, states);
	for (uint32_t i = 0; i < BURST; i++)
		if (hits >> i & 1) {
			__builtin_prefetch(states[i], 1);
			__builtin_prefetch((uint8_t *)states[i] + 64, 1);
		}
	for (uint32_t i = 0; i < BURST; i++) {
		struct flow *state = states[i];
		uint64_t now_ns = frames[i].timestamp_ns;

		if (!(hits >> i & 1))
			state = peer_insert(peer, &keys[i], signatures[i], now_ns);
		if (!state)
			continue;
		peer->n_doubtful += flow_is_doubtful(state, now_ns, flow_packets(state), IDLE_NS, ACTIVE_NS);
		flow_count(state, &packets[i], sources[i] ^ flow_initiator(state), now_ns);
	}
}

static void subject_chunk(struct bench *bench, enum subject subject)
{
	if (subject != SUBJECT_PEER) {
		table_chunk(bench, bench->tables[subject]);
		return;
	}
	for (uint32_t i = 0; i < CHUNK; i += BURST)
		peer_burst(&bench->peer, bench->chunk.frames + i, bench->chunk.packets + i);
}

static void peer_close(struct bench *bench)
{
	rte_hash_free(bench->peer.hash);
	bench->peer.hash = NULL;
	if (bench->heap.bytes) {
		rte_malloc_heap_memory_remove("bench", bench->heap.bytes, bench->heap.n_bytes);
		rte_malloc_heap_destroy("bench");
	}
	memory_free(&bench->heap);
	memory_free(&bench->states);
}

/* rte_hash takes its memory from a heap of ours, so that its pages are like the flow table's. 0 or -1. */
static int peer_open(struct bench *bench, uint64_t n_flows)
{
	struct rte_hash_parameters parameters = {
		.name = "bench",
		.entries = (uint32_t)(n_flows * 25 / 24 + 1), /* as full as the flow table may be */
		.key_len = sizeof(struct peer_key),
		.hash_func = rte_hash_crc,
	};

	if (memory_create(&bench->states, n_flows * sizeof(struct flow)) ||
	    memory_create(&bench->heap, n_flows * PEER_BYTES_A_FLOW + PEER_BYTES_OVERHEAD))
		return -1;
	if (rte_malloc_heap_create("bench") ||
	    rte_malloc_heap_memory_add("bench", bench->heap.bytes, bench->heap.n_bytes, NULL,
				       (unsigned int)(bench->heap.n_bytes / HUGEPAGE_BYTES), HUGEPAGE_BYTES))
		return -1;
	parameters.socket_id = rte_malloc_heap_get_socket("bench");
	bench->peer = (struct peer){.hash = rte_hash_create(&parameters), .states = bench->states.bytes};
	return bench->peer.hash ? 0 : -1;
}

static int table_open(struct bench *bench, enum subject subject, uint64_t n_flows)
{
	const struct flow_config config = {
		.n_flows = n_flows,
		.layout.has_series = subject == SUBJECT_SERIES,
		.idle_ns = IDLE_NS,
		.active_ns = ACTIVE_NS,
		.linger_ns = 1000000000u,
		.late_ns = 1000000000u,
		.seed = {next_random(bench), next_random(bench)},
	};

	if (flow_table_create(&config, sink, bench, &bench->tables[subject]))
		return -1;
	flow_table_touch(bench->tables[subject]);
	return 0;
}

static void close_all(struct bench *bench)
{
	for (uint32_t t = 0; t < 2; t++) {
		flow_table_free(bench->tables[t]);
		bench->tables[t] = NULL;
	}
	peer_close(bench);
}

/* ---- Look-up and update ---- */

static void fill(struct bench *bench, enum subject subject, uint64_t n_flows)
{
	for (uint64_t flow = 0; flow < n_flows; flow += CHUNK) {
		for (uint32_t i = 0; i < CHUNK; i++)
			chunk_set(bench, subject, i, (uint32_t)((flow + i) % n_flows));
		subject_chunk(bench, subject);
	}
}

static double median(const double *values, uint64_t n)
{
	double sorted[TURN_CHUNKS];

	memcpy(sorted, values, n * sizeof(*values));
	bench_sort(sorted, n);
	return sorted[n / 2];
}

/* Cycles a packet: the median of the turn's chunks, so that an interrupt does not count. */
static double turn(struct bench *bench, enum subject subject, uint64_t n_flows)
{
	uint64_t n_warm = n_flows < MAX_WARM_PACKETS ? n_flows : MAX_WARM_PACKETS;
	double cycles[TURN_CHUNKS];

	for (uint64_t i = 0; i < n_warm; i += CHUNK) {
		chunk_make(bench, subject);
		subject_chunk(bench, subject);
	}
	for (uint32_t i = 0; i < TURN_CHUNKS; i++) {
		uint64_t start;

		chunk_make(bench, subject);
		start = bench_now_cycles();
		subject_chunk(bench, subject);
		cycles[i] = (double)(bench_now_cycles() - start) / CHUNK;
	}
	return median(cycles, TURN_CHUNKS);
}

/* 0, or -1 when memory is out. */
static int measure_size(struct bench *bench, uint64_t n_flows, struct row rows[N_KEYS])
{
	if (table_open(bench, SUBJECT_TABLE, n_flows) || table_open(bench, SUBJECT_SERIES, n_flows) ||
	    peer_open(bench, n_flows))
		return -1;
	for (uint32_t subject = 0; subject < N_SUBJECTS; subject++)
		fill(bench, subject, n_flows);
	for (uint32_t keys = 0; keys < N_KEYS; keys++) {
		if (keys == KEYS_UNIFORM)
			order_uniform(bench, n_flows);
		else if (order_zipf(bench, n_flows))
			return -1;
		for (uint64_t round = 0; round < bench->n_rounds; round++)
			for (uint32_t subject = 0; subject < N_SUBJECTS; subject++)
				rows[keys].cycles[subject][round] = turn(bench, subject, n_flows);
	}
	count_pages(bench->tables[SUBJECT_TABLE], &bench->huge_kb[0], &bench->rss_kb[0]);
	count_pages(bench->heap.bytes, &bench->huge_kb[1], &bench->rss_kb[1]);
	close_all(bench);
	return 0;
}

/* ---- Insertion ---- */

static const uint32_t insertion_percents[] = {50, 85, 95};
#define N_INSERTIONS (sizeof(insertion_percents) / sizeof(insertion_percents[0]))

struct insertions {
	double cycles[N_INSERTIONS][N_SUBJECTS][INSERTION_ROUNDS];
};

/* New flows until the table is as full as the last of the percents; the last few before each are timed. */
static void insertion_turn(struct bench *bench, enum subject subject, uint32_t round, struct insertions *insertions)
{
	uint64_t flow = 0;

	for (uint32_t p = 0; p < N_INSERTIONS; p++) {
		uint64_t end = (uint64_t)INSERTION_SLOTS * insertion_percents[p] / 100;
		uint64_t begin = end - INSERTION_SLOTS / 100 * INSERTION_PERCENT, n_timed = 0, cycles = 0;

		while (flow + CHUNK <= end) {
			uint64_t start;

			for (uint32_t i = 0; i < CHUNK; i++)
				chunk_set(bench, subject, i, (uint32_t)flow++);
			start = bench_now_cycles();
			subject_chunk(bench, subject);
			if (flow > begin) {
				cycles += bench_now_cycles() - start;
				n_timed += CHUNK;
			}
		}
		insertions->cycles[p][subject][round] = (double)cycles / (double)n_timed;
	}
}

static int measure_insertions(struct bench *bench, struct insertions *insertions)
{
	if (table_open(bench, SUBJECT_TABLE, INSERTION_FLOWS) ||
	    table_open(bench, SUBJECT_SERIES, INSERTION_FLOWS) || peer_open(bench, INSERTION_FLOWS))
		return -1;
	for (uint32_t round = 0; round < INSERTION_ROUNDS; round++) {
		for (uint32_t subject = 0; subject < N_SUBJECTS; subject++)
			insertion_turn(bench, subject, round, insertions);
		for (uint32_t t = 0; t < 2; t++)
			while (flow_table_drain(bench->tables[t], bench->now_ns[t], FLOW_MAX_TOLD))
				;
		rte_hash_reset(bench->peer.hash);
		bench->peer.n_states = 0;
	}
	close_all(bench);
	return 0;
}

/* ---- Results ---- */

/* Round by round, so that both sides of the ratio met the same machine. */
static double ratio(const double *ours, const double *theirs, uint64_t n)
{
	double ratios[MAX_ROUNDS];

	for (uint64_t i = 0; i < n; i++)
		ratios[i] = theirs[i] / ours[i];
	return median(ratios, n);
}

static json_t *json_cycles(double cycles, double hz)
{
	return json_pack("{s:f, s:f}", "cycles", cycles, "ns", cycles / hz * 1e9);
}

/* One line of the table and one object of the JSON: what it is about is in them already. */
static void report(struct bench *bench, json_t *object, json_t *list, const double *const cycles[N_SUBJECTS],
		   uint64_t n_rounds, double wanted)
{
	double how_much = ratio(cycles[SUBJECT_TABLE], cycles[SUBJECT_PEER], n_rounds);

	for (uint32_t s = 0; s < N_SUBJECTS; s++) {
		double its = median(cycles[s], n_rounds);

		json_object_set_new(object, subject_names[s], json_cycles(its, bench->hz));
		if (!bench->json)
			printf("  %7.1f %7.1f", its, its / bench->hz * 1e9);
	}
	if (!bench->json)
		printf("  %6.2f\n", how_much);
	bench->has_missed |= how_much < wanted;
	json_object_set_new(object, "ratio", json_real(how_much));
	json_array_append_new(list, object);
}

static void print_heads(const char *first, const char *second)
{
	printf("%-8s %-9s  %15s  %15s  %15s\n", "", "", "wirescore", "with series", "rte_hash");
	printf("%-8s %-9s  %7s %7s  %7s %7s  %7s %7s  %6s\n", first, second, "cycles", "ns", "cycles", "ns",
	       "cycles", "ns", "ratio");
}

static void report_lookups(struct bench *bench, struct row rows[][N_KEYS], json_t *root)
{
	json_t *list = json_array();

	if (!bench->json)
		print_heads("flows", "keys");
	for (uint32_t keys = 0; keys < N_KEYS; keys++)
		for (uint32_t size = 0; size < bench->n_sizes; size++) {
			const struct row *row = &rows[size][keys];
			const double *const cycles[] = {row->cycles[0], row->cycles[1], row->cycles[2]};

			if (!bench->json)
				printf("%-8" PRIu64 " %-9s", bench->sizes[size], keys_names[keys]);
			report(bench,
			       json_pack("{s:I, s:s}", "flows", (json_int_t)bench->sizes[size], "keys",
					 keys_names[keys]),
			       list, cycles, bench->n_rounds, CHECK_UPDATE);
		}
	json_object_set_new(root, "lookup_update", list);
}

static void report_insertions(struct bench *bench, const struct insertions *insertions, json_t *root)
{
	json_t *list = json_array();

	if (!bench->json) {
		putchar('\n');
		print_heads("inserted", "into");
	}
	for (uint32_t p = 0; p < N_INSERTIONS; p++) {
		const double *const cycles[] = {insertions->cycles[p][0], insertions->cycles[p][1],
						insertions->cycles[p][2]};

		if (!bench->json)
			printf("%-8s %u%% full ", "", insertion_percents[p]);
		report(bench, json_pack("{s:i}", "load_percent", (int)insertion_percents[p]), list, cycles,
		       INSERTION_ROUNDS, CHECK_INSERTION);
	}
	json_object_set_new(root, "insertion", list);
}

static int print_results(struct bench *bench, struct row rows[][N_KEYS], const struct insertions *insertions)
{
	double table_share = bench->huge_kb[0] / bench->rss_kb[0],
	       peer_share = bench->huge_kb[1] / bench->rss_kb[1];
	json_t *root = json_pack("{s:i, s:I, s:{s:f, s:f}, s:{s:s, s:I}}", "burst", BURST, "rounds",
				 (json_int_t)bench->n_rounds, "huge_page_share", subject_names[SUBJECT_TABLE],
				 table_share, subject_names[SUBJECT_PEER], peer_share, "machine", "clock",
				 BENCH_CLOCK, "tsc_hz", (json_int_t)bench->hz);

	if (!root) {
		complain("out of memory");
		return EXIT_FAILED;
	}
	if (!bench->json)
		printf("%s at %.0f MHz, bursts of %d, %" PRIu64
		       " rounds; in 2 MiB pages: wirescore %.0f%%, rte_hash "
		       "%.0f%%\n\n",
		       BENCH_CLOCK, bench->hz / 1e6, BURST, bench->n_rounds, table_share * 100, peer_share * 100);
	report_lookups(bench, rows, root);
	report_insertions(bench, insertions, root);
	if (bench->json) {
		json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
		putchar('\n');
	}
	json_decref(root);
	if (bench->check && bench->has_missed) {
		complain("bench flows: --check: a ratio is below %.1f of an update or %.1f of an insertion",
			 CHECK_UPDATE, CHECK_INSERTION);
		return EXIT_FAILED;
	}
	return finish_stdout();
}

/* ---- The command ---- */

/* 0, or -1 after complaining. */
static int parse_sizes(char *list, struct bench *bench)
{
	bench->n_sizes = 0;
	for (char *word = strtok(list, ","); word; word = strtok(NULL, ",")) {
		if (bench->n_sizes == MAX_SIZES) {
			complain("--flows: more than %d numbers", MAX_SIZES);
			return -1;
		}
		if (parse_u64("--flows", word, CHUNK, 1u << 26, &bench->sizes[bench->n_sizes++]))
			return -1;
	}
	if (!bench->n_sizes)
		complain("--flows: expected numbers with commas between them");
	return bench->n_sizes ? 0 : -1;
}

/* 0, -1 when help was asked for, or an exit code after complaining. */
static int parse_options(int argc, char **argv, struct bench *bench)
{
	static const struct option long_options[] = {
		{"flows", required_argument, NULL, 'f'}, {"rounds", required_argument, NULL, 'r'},
		{"check", no_argument, NULL, 'c'},	 {"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},	 {0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
		switch (option) {
		case 'f':
			if (parse_sizes(optarg, bench))
				return EXIT_USAGE;
			break;
		case 'r':
			if (parse_u64("--rounds", optarg, 1, MAX_ROUNDS, &bench->n_rounds))
				return EXIT_USAGE;
			break;
		case 'c':
			bench->check = true;
			break;
		case 'j':
			bench->json = true;
			break;
		case 'h':
			fputs(bench_flows_help, stdout);
			return -1;
		default:
			fputs("Try 'wirescore bench flows --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc)
		return usage_error("bench flows", "%s: no argument is expected", argv[optind]);
	return 0;
}

static int measure(struct bench *bench, struct row rows[][N_KEYS], struct insertions *insertions)
{
	for (uint32_t size = 0; size < bench->n_sizes; size++)
		if (measure_size(bench, bench->sizes[size], rows[size])) {
			complain("bench flows: no memory for %" PRIu64 " flows", bench->sizes[size]);
			return EXIT_FAILED;
		}
	if (measure_insertions(bench, insertions)) {
		complain("bench flows: no memory for %d flows", INSERTION_FLOWS);
		return EXIT_FAILED;
	}
	return print_results(bench, rows, insertions);
}

int bench_flows(int argc, char **argv)
{
	static struct row rows[MAX_SIZES][N_KEYS];
	static struct insertions insertions;
	static struct bench bench = {
		.sizes = {10000, 100000, 1000000, 4000000},
		.n_sizes = 4,
		.n_rounds = 11,
	};
	const struct dataplane_eal_options eal = {.n_workers = 1};
	char error[256];
	int rc = parse_options(argc, argv, &bench);

	if (rc)
		return rc < 0 ? EXIT_OK : rc;
	bench.order = malloc(N_ORDER * sizeof(*bench.order));
	if (!bench.order) {
		complain("out of memory");
		return EXIT_FAILED;
	}
	if (dataplane_eal_init(&eal, error, sizeof(error))) {
		complain("%s", error);
		free(bench.order);
		return EXIT_FAILED;
	}
	bench.hz = bench_cycles_hz();
	rc = measure(&bench, rows, &insertions);
	close_all(&bench);
	free(bench.order);
	return rc;
}
