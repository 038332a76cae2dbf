/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `wirescore bench capture FILE`: the classifying loop beside an empty loop over the same net_pcap port and
 * beside libpcap alone, in turn, so that the ratios hold on a noisy machine.
 */
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_mempool.h>

#include "bench.h"
#include "capture.h"
#include "command.h"
#include "dataplane/eal.h"
#include "dataplane/worker.h"
#include "flow_options.h"
#include "interrupt.h"
#include "json_text.h"
#include "shipped.h"

#define BENCH_MAX_ROUNDS 101
#define BENCH_BURST	 32

static const char bench_capture_help[] =
	"Usage: wirescore bench capture [OPTION]... FILE\n"
	"Times, in turn, libpcap alone, an empty loop over DPDK's net_pcap port, the same loop classifying\n"
	"packets, counting them to flows as well, and scoring the flows too (attack); prints each one's\n"
	"median and how the last three compare with the empty loop.\n"
	"\n"
	"  --rounds N           rounds of the five (default 7)\n"
	"  --packet-model FILE  the model to score packets with (default: the shipped ip.onnx)\n"
	"  --flow-model FILE    the model to score flows with (default: the shipped attack.onnx)\n"
	"  --kernel NAME        force a kernel\n"
	"  --json               print one JSON object\n"
	"  -h, --help           print this\n";

enum bench_loop { LOOP_LIBPCAP, LOOP_EMPTY, LOOP_CLASSIFY, LOOP_FLOWS, LOOP_ATTACK, N_LOOPS };

static const char *const loop_names[N_LOOPS] = {"libpcap", "empty", "classify", "flows", "attack"};

struct bench {
	const char *path;
	const char *kernel;
	const char *model_path;	     /* NULL: the shipped one */
	const char *flow_model_path; /* likewise */
	uint64_t n_rounds;
	int json;
	struct capture_info info;
	struct packet_engine *engine;
	struct flow_model *flow_model;
	struct flow_engine *flow_engines[N_LOOPS]; /* of LOOP_FLOWS and LOOP_ATTACK */
	struct classifier *classifiers[N_LOOPS];   /* of these and LOOP_CLASSIFY */
	struct worker worker;
	double seconds[N_LOOPS][BENCH_MAX_ROUNDS];
};

/* Receives and releases, as worker_run does, and nothing else. */
static int bench_empty_loop(void *argument)
{
	struct worker *worker = argument;
	struct rte_mbuf *mbufs[BENCH_BURST];
	uint64_t n_taken = 0;

	worker->start_cycles = rte_rdtsc();
	while (n_taken < worker->job.n_expected && !atomic_load_explicit(worker->stop, memory_order_relaxed)) {
		uint16_t n = rte_eth_rx_burst(worker->job.port.id, 0, mbufs, BENCH_BURST);

		if (!n)
			break;
		rte_pktmbuf_free_bulk(mbufs, n);
		n_taken += n;
	}
	worker->end_cycles = rte_rdtsc();
	worker->is_short = n_taken < worker->job.n_expected;
	return 0;
}

/* Reads the file by libpcap and touches nothing. 0, or -1 after complaining. */
static int bench_libpcap(const struct bench *bench, double *seconds)
{
	char error[CAPTURE_ERROR_BYTES];
	struct capture *capture;
	struct frame frame;
	uint64_t start;
	int rc;

	if (capture_open(bench->path, &capture, error, sizeof(error))) {
		complain("%s", error);
		return -1;
	}
	start = rte_rdtsc();
	while ((rc = capture_next(capture, &frame, error, sizeof(error))) == 1 && !atomic_load(&interrupted))
		;
	*seconds = (double)(rte_rdtsc() - start) / (double)rte_get_tsc_hz();
	capture_close(capture);
	if (rc < 0)
		complain("%s", error);
	return rc;
}

static int bench_port(struct bench *bench, enum bench_loop loop, double *seconds)
{
	struct worker *worker = &bench->worker;
	char error[CAPTURE_ERROR_BYTES];
	int fd;

	fd = capture_reopen(&bench->info, error, sizeof(error));
	if (fd < 0) {
		complain("%s", error);
		return -1;
	}
	if (port_open_capture(&worker->job.port, 0, fd, worker->pool, error, sizeof(error))) {
		complain("%s: %s", bench->path, error);
		close(fd);
		return -1;
	}
	worker->classifier = bench->classifiers[loop];
	worker->flow_engine = bench->flow_engines[loop];
	rte_eal_remote_launch(loop == LOOP_EMPTY ? bench_empty_loop : worker_run, worker, worker->lcore);
	rte_eal_wait_lcore(worker->lcore);
	port_close(&worker->job.port);
	close(fd);
	if (atomic_load(&interrupted))
		return -1;
	if (worker->is_short || stats_dropped(worker->stats)) {
		complain("%s: a loop ended early; was the file changed?", bench->path);
		return -1;
	}
	*seconds = (double)(worker->end_cycles - worker->start_cycles) / (double)rte_get_tsc_hz();
	return 0;
}

static int bench_round(struct bench *bench, uint64_t round)
{
	return bench_libpcap(bench, &bench->seconds[LOOP_LIBPCAP][round]) ||
	       bench_port(bench, LOOP_EMPTY, &bench->seconds[LOOP_EMPTY][round]) ||
	       bench_port(bench, LOOP_CLASSIFY, &bench->seconds[LOOP_CLASSIFY][round]) ||
	       bench_port(bench, LOOP_FLOWS, &bench->seconds[LOOP_FLOWS][round]) ||
	       bench_port(bench, LOOP_ATTACK, &bench->seconds[LOOP_ATTACK][round]);
}

static double median(const double *values, uint64_t n)
{
	double sorted[BENCH_MAX_ROUNDS];

	memcpy(sorted, values, n * sizeof(*values));
	bench_sort(sorted, n);
	return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

/* A loop's speed as a part of the empty loop's: round by round, so that both met the same machine. */
static double bench_of_empty(const struct bench *bench, enum bench_loop loop)
{
	double ratios[BENCH_MAX_ROUNDS];

	for (uint64_t i = 0; i < bench->n_rounds; i++)
		ratios[i] = bench->seconds[LOOP_EMPTY][i] / bench->seconds[loop][i];
	return median(ratios, bench->n_rounds);
}

static int bench_print(const struct bench *bench)
{
	double classify = bench_of_empty(bench, LOOP_CLASSIFY), flows = bench_of_empty(bench, LOOP_FLOWS);
	double attack = bench_of_empty(bench, LOOP_ATTACK);
	double n_packets = (double)bench->info.n_packets;
	json_t *root = json_object(), *loops = json_object();

	if (!bench->json)
		printf("%s: %" PRIu64 " packets, %" PRIu64 " rounds, kernel %s\n\n%-10s %12s %16s\n", bench->path,
		       bench->info.n_packets, bench->n_rounds, bench->engine->kernel->name, "loop", "packets/s",
		       "cycles/packet");
	for (int i = 0; i < N_LOOPS; i++) {
		double seconds = median(bench->seconds[i], bench->n_rounds);
		double cycles = seconds * (double)rte_get_tsc_hz() / n_packets;

		if (!bench->json)
			printf("%-10s %10.2f M %16.1f\n", loop_names[i], n_packets / seconds / 1e6, cycles);
		json_object_set_new(loops, loop_names[i],
				    json_pack("{s:f, s:f}", "packets_per_second", n_packets / seconds,
					      "cycles_per_packet", cycles));
	}
	if (bench->json) {
		json_object_set_new(root, "capture", json_text(bench->path));
		json_object_set_new(root, "packets", json_integer((json_int_t)bench->info.n_packets));
		json_object_set_new(root, "rounds", json_integer((json_int_t)bench->n_rounds));
		json_object_set_new(root, "kernel", json_string(bench->engine->kernel->name));
		json_object_set(root, "loops", loops);
		json_object_set_new(root, "classify_of_empty", json_real(classify));
		json_object_set_new(root, "flows_of_empty", json_real(flows));
		json_object_set_new(root, "attack_of_empty", json_real(attack));
		json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
		putchar('\n');
	} else {
		printf("\nclassify runs at %.2f of the empty loop, with flows at %.2f, with their scores at %.2f\n",
		       classify, flows, attack);
	}
	json_decref(loops);
	json_decref(root);
	return finish_stdout();
}

/*
 * The classifier of a loop that makes flows, and scores them by a model that is not NULL. 0, or -1: out of memory.
 */
static int bench_setup_flows(struct bench *bench, enum bench_loop loop, const struct flow_model *model)
{
	struct classifier_options options = {.packet_engine = bench->engine, .stats = bench->worker.stats};
	struct flow_engine_options engine;
	struct flow_options flows;

	flow_options_init(&flows);
	engine = flow_options_engine(&flows);
	engine.model = model;
	engine.stats = bench->worker.stats;
	if (flow_engine_create(&engine, &bench->flow_engines[loop]))
		return -1;
	options.flow_engine = bench->flow_engines[loop];
	options.depth = flows.depth;
	bench->classifiers[loop] = classifier_create(&options);
	return bench->classifiers[loop] ? 0 : -1;
}

/* The classifiers of the loops that classify. 0, or -1 when memory is out. */
static int bench_setup_classifiers(struct bench *bench)
{
	struct classifier_options options = {.packet_engine = bench->engine, .stats = bench->worker.stats};

	bench->classifiers[LOOP_CLASSIFY] = classifier_create(&options);
	if (!bench->classifiers[LOOP_CLASSIFY] || bench_setup_flows(bench, LOOP_FLOWS, NULL))
		return -1;
	return bench_setup_flows(bench, LOOP_ATTACK, bench->flow_model);
}

/* 0, or -1 after complaining. */
static int bench_load_model(struct bench *bench, const struct nn_kernel *kernel)
{
	char shipped[PATH_MAX], error[512];
	const char *path =
		bench->model_path ? bench->model_path : shipped_model_path("ip.onnx", shipped, sizeof(shipped));
	struct model *model = NULL;
	int rc = model_load(path, &model, error, sizeof(error));

	if (!rc)
		rc = packet_engine_create(model, kernel, &bench->engine, error, sizeof(error));
	model_free(model);
	if (rc)
		complain("%s: %s%s", path, error,
			 bench->model_path ? "" : "; $WIRESCORE_MODELS or --packet-model says where models are");
	return rc ? -1 : 0;
}

static int bench_load_flow_model(struct bench *bench, const struct nn_kernel *kernel)
{
	char shipped[PATH_MAX], error[512];
	const char *path = bench->flow_model_path ? bench->flow_model_path
						  : shipped_model_path("attack.onnx", shipped, sizeof(shipped));
	struct model *model = NULL;
	int rc = model_load(path, &model, error, sizeof(error));

	if (!rc)
		rc = flow_model_create(model, kernel, &bench->flow_model, error, sizeof(error));
	model_free(model);
	if (rc)
		complain("%s: %s%s", path, error,
			 bench->flow_model_path ? "" : "; $WIRESCORE_MODELS or --flow-model says where models are");
	return rc ? -1 : 0;
}

/* 0, or -1 after complaining. */
static int bench_setup(struct bench *bench)
{
	const struct nn_kernel *kernel = nn_kernel_find(bench->kernel);
	struct dataplane_eal_options eal = {.n_workers = 1};
	struct worker *worker = &bench->worker;
	char error[CAPTURE_ERROR_BYTES];
	struct progress progress;

	if (!kernel) {
		complain("--kernel %s: there is no such kernel here; 'wirescore kernels' lists them",
			 bench->kernel);
		return -1;
	}
	if (bench_load_model(bench, kernel) || bench_load_flow_model(bench, kernel))
		return -1;
	progress_begin(&progress, 0, "", "");
	if (capture_inspect(bench->path, &bench->info, &interrupted, &progress, error, sizeof(error))) {
		complain("%s", error);
		return -1;
	}
	if (bench->info.damage) {
		complain("%s", bench->info.damage);
		return -1;
	}
	if (capture_check_ethernet(bench->path, bench->info.link_type, error, sizeof(error))) {
		complain("%s", error);
		return -1;
	}
	worker->job.link = PACKET_LINK_ETHERNET;
	if (!bench->info.n_packets) {
		complain("%s: holds no packet to time", bench->path);
		return -1;
	}
	eal.memory_bytes = port_pool_bytes(BENCH_BURST, 1, bench->info.max_captured_bytes);
	if (dataplane_eal_init(&eal, error, sizeof(error))) {
		complain("%s", error);
		return -1;
	}
	worker->lcore = dataplane_eal_worker(0);
	worker->stop = &interrupted;
	worker->job.burst = BENCH_BURST;
	worker->job.n_expected = bench->info.n_packets;
	worker->job.wire_bytes = bench->info.wire_bytes;
	worker->pool = port_pool_create(0, BENCH_BURST, 1, bench->info.max_captured_bytes);
	worker->stats = calloc(1, sizeof(*worker->stats));
	if (!worker->pool || !worker->stats || bench_setup_classifiers(bench)) {
		complain("out of memory");
		return -1;
	}
	return 0;
}

int bench_capture(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"rounds", required_argument, NULL, 'r'},
		{"packet-model", required_argument, NULL, 'm'},
		{"flow-model", required_argument, NULL, 'f'},
		{"kernel", required_argument, NULL, 'k'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct bench bench = {.n_rounds = 7};
	int option, rc = EXIT_FAILED;

	while ((option = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
		switch (option) {
		case 'r':
			if (parse_u64("--rounds", optarg, 1, BENCH_MAX_ROUNDS, &bench.n_rounds))
				return EXIT_USAGE;
			break;
		case 'm':
			bench.model_path = optarg;
			break;
		case 'f':
			bench.flow_model_path = optarg;
			break;
		case 'k':
			bench.kernel = optarg;
			break;
		case 'j':
			bench.json = 1;
			break;
		case 'h':
			fputs(bench_capture_help, stdout);
			return EXIT_OK;
		default:
			fputs("Try 'wirescore bench capture --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind != argc - 1)
		return usage_error("bench capture", "one capture is needed");
	bench.path = argv[optind];

	interrupt_catch();
	if (!bench_setup(&bench)) {
		uint64_t round = 0;

		while (round < bench.n_rounds && !atomic_load(&interrupted) && !bench_round(&bench, round))
			round++;
		if (round == bench.n_rounds)
			rc = bench_print(&bench);
		else if (atomic_load(&interrupted))
			rc = EXIT_INTERRUPTED;
	}
	rte_mempool_free(bench.worker.pool);
	for (int i = 0; i < N_LOOPS; i++) {
		classifier_free(bench.classifiers[i]);
		flow_engine_free(bench.flow_engines[i]);
	}
	flow_model_free(bench.flow_model);
	free(bench.worker.stats);
	packet_engine_free(bench.engine);
	capture_info_free(&bench.info);
	return rc;
}
