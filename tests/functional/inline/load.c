/* SPDX-License-Identifier: BSD-3-Clause */
#include "load.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#define LOAD_BURST	   32
#define LOAD_BUFFERS	   16383
#define LOAD_MAGIC	   0x776c6f61u
#define LOAD_ETHERNET	   14
#define LOAD_HEADERS	   (LOAD_ETHERNET + 20 + 8)
#define LOAD_MAX_TIMES	   200000
#define LOAD_MAX_LISTED	   64
#define LOAD_FIRST_PORT	   1024
#define LOAD_PATTERN_BYTES (256 + LOAD_MAX_BYTES)

/*
 * The first packets of a flow have payloads of one size, which tells a model light flows from heavy ones; those
 * behind them have any.
 */
#define LOAD_FIRST_PACKETS 4
#define LOAD_LIGHT_BYTES   60
#define LOAD_HEAVY_BYTES   200

/* What a packet's payload begins with; a pattern that depends on the number follows. */
struct load_mark {
	uint32_t magic, flow;
	uint64_t number; /* within the flow, from 0 */
	uint64_t sent;	 /* TSC */
};
_Static_assert(sizeof(struct load_mark) == LOAD_MIN_BYTES, "the smallest payload is the mark");

struct load_flow {
	uint64_t n_sent, n_received;
	uint64_t next; /* number behind the highest that came */
};

/* From port [d] to port [!d]. */
struct load_direction {
	struct load_flow *flows;
	uint32_t flow; /* whose turn it is */
	uint64_t n_offered, n_sent, n_not_taken, n_received, n_damaged, n_out_of_order, n_foreign;
	uint64_t n_light_sent, n_light_received;
	uint64_t bytes_received;
	uint64_t first_cycles, last_cycles; /* of what came */
	uint32_t *times_ns;
	uint32_t n_times;
};

struct load {
	const struct load_options *options;
	const uint16_t *ports;
	struct rte_mempool *pool;
	struct load_direction directions[2];
	uint8_t pattern[LOAD_PATTERN_BYTES];
	uint64_t start_cycles, over_cycles;
};

static int read_number(const char *name, const char *text, double low, double high, double *value)
{
	char *end;

	*value = strtod(text, &end);
	if (end != text && !*end && *value >= low && *value <= high)
		return 0;
	fprintf(stderr, "%s %s: a number from %g to %g is needed\n", name, text, low, high);
	return -1;
}

int load_options_read(struct load_options *options, int argc, char **argv)
{
	double packets = 1000, seconds = 10, rate = 0, window = 0, flows = 16, heavy = 0, size = 0;
	const struct {
		const char *name;
		double *value, low, high;
	} known[] = {
		{"--packets", &packets, 1, 1e12},
		{"--seconds", &seconds, 0.1, 300},
		{"--rate", &rate, 0, 1e9},
		{"--window", &window, 0, 512},
		{"--flows", &flows, 1, 60000},
		{"--heavy", &heavy, 0, 60000},
		{"--size", &size, 0, LOAD_MAX_BYTES},
	};
	const size_t n_known = sizeof(known) / sizeof(known[0]);
	const char *until = NULL;

	for (int at = 0; at < argc; at += 2) {
		size_t i = 0;

		if (!strcmp(argv[at], "--until") && at + 1 < argc) {
			until = argv[at + 1];
			continue;
		}
		while (i < n_known && strcmp(known[i].name, argv[at]))
			i++;
		if (i == n_known || at + 1 == argc) {
			fprintf(stderr, "%s: there is no such option, or it has no value\n", argv[at]);
			return -1;
		}
		if (read_number(argv[at], argv[at + 1], known[i].low, known[i].high, known[i].value))
			return -1;
	}
	*options = (struct load_options){
		.n_packets = (uint64_t)packets,
		.seconds = seconds,
		.until = until,
		.rate = rate,
		.window = (uint32_t)window,
		.n_flows = (uint32_t)flows,
		.heavy = (uint32_t)heavy,
		.size_bytes = size > 0 && size < LOAD_MIN_BYTES ? LOAD_MIN_BYTES : (uint32_t)size,
	};
	return 0;
}

struct rte_mempool *load_pool_create(void)
{
	struct rte_mempool *pool =
		rte_pktmbuf_pool_create("load", LOAD_BUFFERS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);

	if (!pool)
		fprintf(stderr, "no memory for packets\n");
	return pool;
}

int load_port_start(uint16_t port, struct rte_mempool *pool)
{
	struct rte_eth_conf conf = {0};
	int rc = rte_eth_dev_configure(port, 1, 1, &conf);

	if (!rc)
		rc = rte_eth_rx_queue_setup(port, 0, LOAD_DESCRIPTORS, (unsigned int)SOCKET_ID_ANY, NULL, pool);
	if (!rc)
		rc = rte_eth_tx_queue_setup(port, 0, LOAD_DESCRIPTORS, (unsigned int)SOCKET_ID_ANY, NULL);
	if (!rc)
		rc = rte_eth_dev_start(port);
	if (rc)
		fprintf(stderr, "port %u does not start: %s\n", port, strerror(-rc));
	return rc ? -1 : 0;
}

static bool load_is_heavy(const struct load_options *options, uint32_t flow)
{
	return options->heavy && flow % options->heavy == 0;
}

static uint32_t load_payload_bytes(const struct load_options *options, uint32_t flow, uint64_t number)
{
	if (options->size_bytes)
		return options->size_bytes;
	if (number < LOAD_FIRST_PACKETS)
		return load_is_heavy(options, flow) ? LOAD_HEAVY_BYTES : LOAD_LIGHT_BYTES;
	return LOAD_MIN_BYTES + (uint32_t)((number * 37 + flow * 11) % (LOAD_MAX_BYTES - LOAD_MIN_BYTES + 1));
}

static void put_16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* UDP over IPv4, 10.0.0.1 to 10.0.0.2 one way and 10.0.0.3 to 10.0.0.4 the other; the flow is the source port. */
static void put_headers(uint8_t *data, int direction, uint32_t flow, uint32_t payload_bytes)
{
	static const uint8_t ethernet[LOAD_ETHERNET] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0};
	static const uint8_t ip[20] = {0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2};
	uint8_t *udp = data + LOAD_ETHERNET + sizeof(ip);

	memcpy(data, ethernet, sizeof(ethernet));
	memcpy(data + LOAD_ETHERNET, ip, sizeof(ip));
	put_16(data + LOAD_ETHERNET + 2, (uint32_t)sizeof(ip) + 8 + payload_bytes);
	data[LOAD_ETHERNET + 15] += (uint8_t)(2 * direction);
	data[LOAD_ETHERNET + 19] += (uint8_t)(2 * direction);
	put_16(udp, LOAD_FIRST_PORT + flow);
	put_16(udp + 2, 9);
	put_16(udp + 4, 8 + payload_bytes);
	put_16(udp + 6, 0);
}

static void load_make(const struct load *load, int direction, uint32_t flow, uint64_t number, struct rte_mbuf *mbuf)
{
	uint32_t n_bytes = load_payload_bytes(load->options, flow, number);
	struct load_mark mark = {LOAD_MAGIC, flow, number, rte_rdtsc()};
	uint8_t *data = rte_pktmbuf_mtod(mbuf, uint8_t *);

	mbuf->data_len = (uint16_t)(LOAD_HEADERS + n_bytes);
	mbuf->pkt_len = mbuf->data_len;
	put_headers(data, direction, flow, n_bytes);
	memcpy(data + LOAD_HEADERS, &mark, sizeof(mark));
	memcpy(data + LOAD_HEADERS + sizeof(mark), load->pattern + (number & 255), n_bytes - sizeof(mark));
}

/* How many packets may go now. */
static uint32_t load_allowance(const struct load *load, const struct load_direction *direction)
{
	const struct load_options *options = load->options;
	uint64_t cycles = rte_rdtsc() - load->start_cycles, n = options->n_packets - direction->n_offered;
	double seconds = (double)cycles / (double)rte_get_tsc_hz();

	if (load->start_cycles + cycles > load->over_cycles)
		return 0;
	if (options->rate > 0) {
		uint64_t n_due = (uint64_t)(seconds * options->rate);

		n = RTE_MIN(n, n_due > direction->n_offered ? n_due - direction->n_offered : 0);
	}
	if (options->window) {
		uint64_t n_under_way = direction->n_light_sent - direction->n_light_received;

		n = RTE_MIN(n, n_under_way < options->window ? options->window - n_under_way : 0);
	}
	return (uint32_t)RTE_MIN(n, (uint64_t)LOAD_BURST);
}

/* Counts the packets of a burst, of which the port took the first n_taken. */
static void load_count_sent(const struct load *load, struct load_direction *direction, const uint32_t *flows,
			    uint32_t n, uint32_t n_taken)
{
	for (uint32_t i = 0; i < n_taken; i++) {
		direction->flows[flows[i]].n_sent++;
		direction->n_light_sent += !load_is_heavy(load->options, flows[i]);
	}
	direction->n_offered += n;
	direction->n_sent += n_taken;
	direction->n_not_taken += n - n_taken;
}

/* Sends what is due; how many the port took. */
static uint32_t load_send(struct load *load, int d)
{
	struct load_direction *direction = &load->directions[d];
	struct rte_mbuf *mbufs[LOAD_BURST];
	uint32_t flows[LOAD_BURST], n = load_allowance(load, direction), n_taken;

	if (!n || rte_pktmbuf_alloc_bulk(load->pool, mbufs, n))
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		struct load_flow *flow = &direction->flows[direction->flow];
		/* There may be an earlier one of the same flow in this burst. */
		uint64_t number = flow->n_sent + i / load->options->n_flows;

		flows[i] = direction->flow;
		load_make(load, d, flows[i], number, mbufs[i]);
		direction->flow = (direction->flow + 1) % load->options->n_flows;
	}
	n_taken = rte_eth_tx_burst(load->ports[d], 0, mbufs, (uint16_t)n);
	if (n_taken < n) {
		rte_pktmbuf_free_bulk(mbufs + n_taken, n - n_taken);
		direction->flow = flows[n_taken];
	}
	load_count_sent(load, direction, flows, n, n_taken);
	return n_taken;
}

/* The mark of a packet of ours; NULL where it is none. */
static const struct load_mark *load_mark_of(const struct load *load, int d, const struct rte_mbuf *mbuf,
					    struct load_mark *mark)
{
	if (mbuf->nb_segs != 1 || mbuf->data_len < LOAD_HEADERS + sizeof(*mark))
		return NULL;
	memcpy(mark, rte_pktmbuf_mtod_offset(mbuf, uint8_t *, LOAD_HEADERS), sizeof(*mark));
	if (mark->magic != LOAD_MAGIC || mark->flow >= load->options->n_flows ||
	    mark->number >= load->directions[d].flows[mark->flow].n_sent)
		return NULL;
	return mark;
}

/* Whether all bytes of a packet are those that were sent. */
static bool load_is_whole(const struct load *load, int d, const struct rte_mbuf *mbuf, const struct load_mark *mark)
{
	uint32_t n_bytes = load_payload_bytes(load->options, mark->flow, mark->number);
	const uint8_t *data = rte_pktmbuf_mtod(mbuf, const uint8_t *);
	uint8_t headers[LOAD_HEADERS];

	put_headers(headers, d, mark->flow, n_bytes);
	return mbuf->data_len == LOAD_HEADERS + n_bytes && !memcmp(data, headers, sizeof(headers)) &&
	       !memcmp(data + LOAD_HEADERS + sizeof(*mark), load->pattern + (mark->number & 255),
		       n_bytes - sizeof(*mark));
}

static void load_check(struct load *load, int d, const struct rte_mbuf *mbuf, uint64_t now)
{
	struct load_direction *direction = &load->directions[d];
	struct load_mark mark;
	struct load_flow *flow;

	if (!load_mark_of(load, d, mbuf, &mark)) {
		direction->n_foreign++;
		return;
	}
	flow = &direction->flows[mark.flow];
	direction->n_damaged += !load_is_whole(load, d, mbuf, &mark);
	direction->n_out_of_order += mark.number < flow->next;
	flow->next = RTE_MAX(flow->next, mark.number + 1);
	flow->n_received++;
	direction->n_received++;
	direction->n_light_received += !load_is_heavy(load->options, mark.flow);
	direction->bytes_received += mbuf->pkt_len;
	if (direction->n_times < LOAD_MAX_TIMES)
		direction->times_ns[direction->n_times++] =
			(uint32_t)((double)(now - mark.sent) * 1e9 / (double)rte_get_tsc_hz());
}

/* Takes what came out of the far port of a direction; how many. */
static uint32_t load_receive(struct load *load, int d)
{
	struct load_direction *direction = &load->directions[d];
	struct rte_mbuf *mbufs[LOAD_BURST];
	uint16_t n = rte_eth_rx_burst(load->ports[!d], 0, mbufs, LOAD_BURST);
	uint64_t now = rte_rdtsc();

	if (!n)
		return 0;
	for (uint16_t i = 0; i < n; i++)
		load_check(load, d, mbufs[i], now);
	rte_pktmbuf_free_bulk(mbufs, n);
	if (!direction->first_cycles)
		direction->first_cycles = now;
	direction->last_cycles = now;
	return n;
}

/* Ends sending where the file is there that it was to go on until; looks every 10 ms. */
static void load_look(struct load *load, uint64_t now, uint64_t *looked)
{
	if (!load->options->until || now - *looked < rte_get_tsc_hz() / 100)
		return;
	*looked = now;
	if (!access(load->options->until, F_OK) && now < load->over_cycles)
		load->over_cycles = now;
}

/* Both directions until nothing has moved for a second and nothing more is to be sent. */
static void load_loop(struct load *load)
{
	uint64_t hz = rte_get_tsc_hz(), moved = rte_rdtsc();
	uint64_t looked = moved;

	load->start_cycles = moved;
	load->over_cycles = moved + (uint64_t)(load->options->seconds * (double)hz);
	for (uint64_t now = moved; now < load->over_cycles + 10 * hz; now = rte_rdtsc()) {
		bool is_all_sent = true;
		uint32_t n = 0;

		load_look(load, now, &looked);
		for (int d = 0; d < 2; d++) {
			n += load_send(load, d) + load_receive(load, d);
			is_all_sent &= load->directions[d].n_offered == load->options->n_packets;
		}
		if (n)
			moved = now;
		else if ((is_all_sent || now > load->over_cycles) && now - moved > hz)
			break;
		else
			sched_yield(); /* to who is to carry them, where cores are few */
	}
}

static int compare_times(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return (a > b) - (a < b);
}

static double load_time_us(const struct load_direction *direction, double share)
{
	return direction->n_times ? direction->times_ns[(uint32_t)(share * direction->n_times)] / 1e3 : 0;
}

static void load_print_direction(const struct load *load, struct load_direction *direction)
{
	double seconds = (double)(direction->last_cycles - direction->first_cycles) / (double)rte_get_tsc_hz();

	qsort(direction->times_ns, direction->n_times, sizeof(*direction->times_ns), compare_times);
	printf("{\"sent\":%" PRIu64 ",\"not_taken\":%" PRIu64 ",\"received\":%" PRIu64 ",\"damaged\":%" PRIu64
	       ",\"out_of_order\":%" PRIu64 ",\"foreign\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"rate\":%.0f",
	       direction->n_sent, direction->n_not_taken, direction->n_received, direction->n_damaged,
	       direction->n_out_of_order, direction->n_foreign, direction->bytes_received,
	       seconds > 0 ? (double)direction->n_received / seconds : 0);
	printf(",\"us\":{\"p50\":%.1f,\"p99\":%.1f,\"p99.9\":%.1f},\"flows\":[", load_time_us(direction, 0.5),
	       load_time_us(direction, 0.99), load_time_us(direction, 0.999));
	for (uint32_t f = 0; f < load->options->n_flows && f < LOAD_MAX_LISTED; f++)
		printf("%s[%" PRIu64 ",%" PRIu64 ",%" PRIu64 "]", f ? "," : "", direction->flows[f].n_sent,
		       direction->flows[f].n_received, direction->flows[f].next);
	printf("]}");
}

static void load_print(struct load *load)
{
	printf("{\"load\":[");
	load_print_direction(load, &load->directions[0]);
	printf(",");
	load_print_direction(load, &load->directions[1]);
	printf("]}\n");
	fflush(stdout);
}

int load_run(const struct load_options *options, const uint16_t ports[2], struct rte_mempool *pool)
{
	struct load *load = calloc(1, sizeof(*load));
	int rc = load ? 0 : -1;

	for (int d = 0; !rc && d < 2; d++) {
		load->directions[d].flows = calloc(options->n_flows, sizeof(struct load_flow));
		load->directions[d].times_ns = calloc(LOAD_MAX_TIMES, sizeof(uint32_t));
		if (!load->directions[d].flows || !load->directions[d].times_ns)
			rc = -1;
	}
	if (!rc) {
		load->options = options;
		load->ports = ports;
		load->pool = pool;
		for (uint32_t i = 0; i < LOAD_PATTERN_BYTES; i++)
			load->pattern[i] = (uint8_t)(i * 167 + (i >> 8) * 13);
		load_loop(load);
		load_print(load);
	} else {
		fprintf(stderr, "out of memory\n");
	}
	for (int d = 0; load && d < 2; d++) {
		free(load->directions[d].flows);
		free(load->directions[d].times_ns);
	}
	free(load);
	return rc;
}
