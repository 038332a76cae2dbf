/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `wirescore bench kernels`: cycles a packet of every MLP kernel this machine supports. The rows are header
 * bytes read from packet buffers as in the dataplane; the kernels take turns, so that noise hits all alike.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "command.h"
#include "nn.h"

#define N_BUFFERS      256
#define BUFFER_BYTES   (35 * 64) /* a 2048-byte mbuf with its header; an odd number of cache lines */
#define MIN_ROUNDS     5
#define MAX_SAMPLES    65536 /* rounds kept; of more of them a random choice */
#define N_WARM_BATCHES 2

struct options {
	const char *kernel; /* NULL: all that are supported */
	const char *shape;
	uint64_t batch;
	double seconds;
	bool json;
};

struct subject {
	const struct nn_kernel *kernel;
	double *cycles_per_packet; /* [MAX_SAMPLES] */
	double min, median;
};

struct bench {
	struct nn_network network;
	struct nn_plan *plan;
	struct nn_scratch *scratch;
	uint8_t *buffers;
	const uint8_t *rows[N_BUFFERS];
	float *logits;
	uint32_t batch;
	uint32_t n_subjects;
	struct subject *subjects;
	uint64_t n_rounds;
};

static void print_help(void)
{
	puts("Usage: wirescore bench kernels [OPTION]...\n"
	     "\n"
	     "Measures the MLP kernels on one core, all in turns: from header bytes in 256 packet buffers, the same\n"
	     "ones again and again, so that they are in the cache, to logits. Weights are random and none is zero.\n"
	     "Cycles are those of the TSC (nanoseconds on machines without one).\n"
	     "\n"
	     "  --kernel NAME    only this one (see 'wirescore kernels')\n"
	     "  --shape SHAPE    widths of inputs and layers [14-64-16-1]\n"
	     "  --batch N        packets a call, 1 to 64 [32]\n"
	     "  --seconds S      how long to measure in all [2]\n"
	     "  --json           print one JSON object\n"
	     "  -h, --help       this text");
}

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

/* "14-64-16-1" to a network with relu between its layers and a sigmoid at the end. 0 or -errno. */
static int network_from_shape(const char *shape, struct nn_network *network)
{
	uint64_t random = 42;
	uint32_t width = 0;
	bool first = true;

	do {
		char *end;
		unsigned long n = strtoul(shape, &end, 10);

		if (shape[0] < '0' || shape[0] > '9' || n < 1 || n > NN_MAX_WIDTH || (*end != '-' && *end != '\0'))
			return -EINVAL;
		if (first) {
			network->n_in = (uint32_t)n;
			first = false;
		} else {
			struct nn_layer *layer;
			int rc;

			if (network->n_layers == NN_MAX_LAYERS)
				return -EINVAL;
			layer = &network->layers[network->n_layers];
			rc = nn_layer_init(layer, width, (uint32_t)n, *end == '-' ? NN_RELU : NN_SIGMOID);
			if (rc != 0)
				return rc;
			network->n_layers++;
			for (size_t w = 0; w < (size_t)layer->n_in * layer->n_out; w++)
				layer->weights[w] =
					((float)next_random(&random) * 0x1p-30f - 1.0f) / sqrtf((float)layer->n_in);
		}
		width = (uint32_t)n;
		shape = *end == '-' ? end + 1 : end;
		if (*end == '-' && *shape == '\0')
			return -EINVAL;
	} while (*shape != '\0');
	return network->n_layers > 0 ? 0 : -EINVAL;
}

/* 0, or an exit code after complaining. */
static int choose_kernels(const struct options *options, struct bench *bench)
{
	uint32_t n_kernels;
	const struct nn_kernel *kernels = nn_kernels(&n_kernels);
	bool known = false;

	bench->subjects = calloc(n_kernels, sizeof(bench->subjects[0]));
	if (bench->subjects == NULL) {
		complain("bench kernels: %s", strerror(ENOMEM));
		return EXIT_FAILED;
	}
	for (uint32_t k = 0; k < n_kernels; k++) {
		if (options->kernel != NULL && strcmp(options->kernel, kernels[k].name) != 0)
			continue;
		known = true;
		if (kernels[k].supported()) {
			bench->subjects[bench->n_subjects++].kernel = &kernels[k];
		} else if (options->kernel != NULL) {
			complain("kernel %s needs %s, which this machine does not offer", kernels[k].name,
				 kernels[k].needs);
			return EXIT_FAILED;
		}
	}
	if (!known)
		return usage_error("bench kernels", "there is no kernel %s; 'wirescore kernels' lists them",
				   options->kernel);
	return 0;
}

/* 0 or -errno. */
static int prepare(struct bench *bench)
{
	uint64_t random = 1;
	int rc = nn_plan_create(&bench->network, &bench->plan);

	if (rc != 0)
		return rc;
	bench->scratch = nn_scratch_create(bench->plan);
	bench->buffers = aligned_alloc(64, N_BUFFERS * BUFFER_BYTES);
	bench->logits = malloc(NN_MAX_BATCH * nn_plan_n_out(bench->plan) * sizeof(float));
	if (bench->scratch == NULL || bench->buffers == NULL || bench->logits == NULL)
		return -ENOMEM;
	for (uint32_t s = 0; s < bench->n_subjects; s++) {
		bench->subjects[s].cycles_per_packet = malloc(MAX_SAMPLES * sizeof(double));
		if (bench->subjects[s].cycles_per_packet == NULL)
			return -ENOMEM;
	}
	for (size_t i = 0; i < N_BUFFERS * BUFFER_BYTES; i++)
		bench->buffers[i] = (uint8_t)next_random(&random);
	for (size_t r = 0; r < N_BUFFERS; r++)
		bench->rows[r] = bench->buffers + r * BUFFER_BYTES + 256; /* past struct rte_mbuf and headroom */
	return 0;
}

static void release(struct bench *bench)
{
	for (uint32_t s = 0; s < bench->n_subjects; s++)
		free(bench->subjects[s].cycles_per_packet);
	free(bench->subjects);
	free(bench->logits);
	free(bench->buffers);
	nn_scratch_free(bench->scratch);
	nn_plan_free(bench->plan);
	nn_network_free(&bench->network);
}

static void score_batches(struct bench *bench, const struct nn_kernel *kernel, uint32_t n_batches)
{
	for (uint32_t b = 0; b < n_batches; b++)
		kernel->score_bytes(bench->plan, bench->scratch, bench->rows + b * bench->batch, bench->batch,
				    bench->logits);
}

static void measure(struct bench *bench, double seconds)
{
	uint64_t random = 2;
	uint32_t n_samples, n_batches = N_BUFFERS / bench->batch;
	uint64_t end_ns = bench_now_ns() + (uint64_t)(seconds * 1e9);

	while (bench->n_rounds < MIN_ROUNDS || bench_now_ns() < end_ns) {
		/* Reservoir sampling: every round so far is among the samples with the same probability. */
		uint64_t slot = bench->n_rounds < MAX_SAMPLES ? bench->n_rounds
							      : next_random(&random) % (bench->n_rounds + 1);

		for (uint32_t s = 0; s < bench->n_subjects; s++) {
			struct subject *subject = &bench->subjects[s];
			uint64_t start;
			double cycles;

			score_batches(bench, subject->kernel,
				      n_batches < N_WARM_BATCHES ? n_batches : N_WARM_BATCHES);
			start = bench_now_cycles();
			score_batches(bench, subject->kernel, n_batches);
			cycles = (double)(bench_now_cycles() - start) / (n_batches * bench->batch);
			if (bench->n_rounds == 0 || cycles < subject->min)
				subject->min = cycles;
			if (slot < MAX_SAMPLES)
				subject->cycles_per_packet[slot] = cycles;
		}
		bench->n_rounds++;
	}
	n_samples = bench->n_rounds < MAX_SAMPLES ? (uint32_t)bench->n_rounds : MAX_SAMPLES;
	for (uint32_t s = 0; s < bench->n_subjects; s++) {
		struct subject *subject = &bench->subjects[s];

		bench_sort(subject->cycles_per_packet, n_samples);
		subject->median = subject->cycles_per_packet[n_samples / 2];
	}
}

static void read_cpu_name(char *name, size_t name_size)
{
	FILE *file = fopen("/proc/cpuinfo", "r");
	char line[256];

	snprintf(name, name_size, "unknown");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		char *value = strstr(line, ": ");

		if (strncmp(line, "model name", 10) != 0 || value == NULL)
			continue;
		value[strcspn(value, "\n")] = '\0';
		snprintf(name, name_size, "%s", value + 2);
		break;
	}
	if (file != NULL)
		fclose(file);
}

/* Two decimals are what the measurement is good for. */
static json_t *json_cycles(double cycles)
{
	return json_real(round(cycles * 100) / 100);
}

/* 0, or -1 when memory is out. */
static int print_json(const struct bench *bench, const char *shape, const char *cpu, double hz)
{
	json_t *kernels = json_array();
	json_t *root;

	for (uint32_t s = 0; s < bench->n_subjects; s++) {
		const struct subject *subject = &bench->subjects[s];

		json_array_append_new(kernels,
				      json_pack("{s:s, s:s, s:s, s:i, s:o, s:o}", "kernel", subject->kernel->name,
						"precision", "fp32", "shape", shape, "batch", (int)bench->batch,
						"cycles_per_packet_min", json_cycles(subject->min),
						"cycles_per_packet_median", json_cycles(subject->median)));
	}
	root = json_pack("{s:o, s:{s:s, s:s, s:I}}", "kernels", kernels, "machine", "cpu", cpu, "clock",
			 BENCH_CLOCK, "tsc_hz", (json_int_t)hz);
	if (root == NULL)
		return -1;
	json_dumpf(root, stdout, JSON_COMPACT | JSON_REAL_PRECISION(8));
	json_decref(root);
	putchar('\n');
	return 0;
}

static void print_table(const struct bench *bench, const char *shape, const char *cpu, double hz)
{
	printf("%s, %s at %.0f MHz; %s, fp32, batch %u, %" PRIu64 " rounds\n\n", cpu, BENCH_CLOCK, hz / 1e6, shape,
	       bench->batch, bench->n_rounds);
	printf("%-10s %18s %10s %16s\n", "kernel", "cycles/packet min", "median", "packets/s");
	for (uint32_t s = 0; s < bench->n_subjects; s++) {
		const struct subject *subject = &bench->subjects[s];

		printf("%-10s %18.1f %10.1f %16.0f\n", subject->kernel->name, subject->min, subject->median,
		       hz / subject->median);
	}
}

/* 0, EXIT_USAGE after complaining, or -1 when help was asked for. */
static int parse_options(int argc, char **argv, struct options *options)
{
	enum { OPTION_KERNEL = 256, OPTION_SHAPE, OPTION_BATCH, OPTION_SECONDS, OPTION_JSON };
	static const struct option known[] = {
		{"kernel", required_argument, NULL, OPTION_KERNEL},
		{"shape", required_argument, NULL, OPTION_SHAPE},
		{"batch", required_argument, NULL, OPTION_BATCH},
		{"seconds", required_argument, NULL, OPTION_SECONDS},
		{"json", no_argument, NULL, OPTION_JSON},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	optind = 0; /* start over: the commands before this one have used getopt too */
	while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		switch (option) {
		case OPTION_KERNEL:
			options->kernel = optarg;
			break;
		case OPTION_SHAPE:
			options->shape = optarg;
			break;
		case OPTION_BATCH:
			if (parse_u64("--batch", optarg, 1, NN_MAX_BATCH, &options->batch) != 0)
				return EXIT_USAGE;
			break;
		case OPTION_SECONDS:
			if (parse_double("--seconds", optarg, 0, 3600, &options->seconds) != 0)
				return EXIT_USAGE;
			break;
		case OPTION_JSON:
			options->json = true;
			break;
		case 'h':
			print_help();
			return -1;
		default:
			fputs("Try 'wirescore bench kernels --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc)
		return usage_error("bench kernels", "%s: no argument is expected", argv[optind]);
	return 0;
}

int bench_kernels(int argc, char **argv)
{
	struct options options = {.shape = "14-64-16-1", .batch = 32, .seconds = 2};
	struct bench bench = {0};
	char shape[64], cpu[128];
	double hz;
	int rc = parse_options(argc, argv, &options);

	if (rc != 0)
		return rc < 0 ? finish_stdout() : rc;
	bench.batch = (uint32_t)options.batch;
	rc = network_from_shape(options.shape, &bench.network);
	if (rc == -EINVAL) {
		nn_network_free(&bench.network);
		return usage_error("bench kernels",
				   "--shape %s: expected 2 to %d widths of 1 to %d, such as 14-64-16-1",
				   options.shape, NN_MAX_LAYERS + 1, NN_MAX_WIDTH);
	}
	if (rc == 0) {
		rc = choose_kernels(&options, &bench);
		if (rc != 0) {
			release(&bench);
			return rc;
		}
		rc = prepare(&bench);
	}
	if (rc != 0) {
		complain("bench kernels: %s", strerror(-rc));
		release(&bench);
		return EXIT_FAILED;
	}

	hz = bench_cycles_hz();
	measure(&bench, options.seconds);
	read_cpu_name(cpu, sizeof(cpu));
	nn_network_shape(&bench.network, shape, sizeof(shape));
	if (!options.json)
		print_table(&bench, shape, cpu, hz);
	else
		rc = print_json(&bench, shape, cpu, hz);
	release(&bench);
	if (rc != 0) {
		complain("bench kernels: out of memory");
		return EXIT_FAILED;
	}
	return finish_stdout();
}
