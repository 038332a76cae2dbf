/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Our kernels beside OpenBLAS and oneDNN: 14-64-16-1 at batch 32 in fp32, from header bytes in packet buffers to
 * logits, one thread. All take turns in one run, so that noise hits all alike; the ratios are what counts.
 * With --check the exit code is 1 where the avx512 kernel is not as far ahead as it has to be; on a CPU without
 * it nothing is judged.
 *
 * OpenBLAS: a sgemm a layer on outputs that hold the bias, then relu. oneDNN: an inner product a layer with a
 * relu as post-op, primitives made beforehand; once with weights in rows, as trainers have them, and once
 * reordered beforehand into the layout that oneDNN likes best. Both read the bytes into a float matrix first.
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cblas.h>
#include <dnnl.h>

#include "bench.h"
#include "nn.h"

#define BATCH	       32
#define N_LAYERS       3
#define N_BUFFERS      256
#define BUFFER_BYTES   (35 * 64) /* an odd number of cache lines, as an mbuf with its header */
#define N_BATCHES      (N_BUFFERS / BATCH)
#define N_WARM_BATCHES 2
#define N_ROUNDS       5000
#define TOLERANCE      1e-4

#define OPENBLAS_RATIO_MIN 2.5
#define ONEDNN_RATIO_MIN   4.5
/* 4.5 times this one would take more fp32 products a cycle than a CPU with two 512-bit multipliers has. */
#define ONEDNN_REORDERED_RATIO_MIN 2.5

static const uint32_t widths[N_LAYERS + 1] = {14, 64, 16, 1};

/* What one call works on: outputs[0] is the input as floats, outputs[l + 1] that of layer l. */
static struct nn_network network;
static struct nn_plan *plan;
static struct nn_scratch *scratch;
static float *outputs[N_LAYERS + 1];	  /* [BATCH][width] */
static float *bias_rows[N_LAYERS];	  /* [BATCH][n_out], each row the bias */
static float *weights_by_input[N_LAYERS]; /* [n_in][n_out] */

static dnnl_engine_t engine;
static dnnl_stream_t stream;
static struct product {
	dnnl_primitive_t primitive;
	dnnl_exec_arg_t arguments[4];
} products_rows[N_LAYERS], products_reordered[N_LAYERS];

static void check(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "mlp_peers: %s failed\n", what);
		exit(2);
	}
}

static void *alloc_lines(size_t n_bytes)
{
	void *memory = aligned_alloc(64, (n_bytes + 63) / 64 * 64);

	check(memory != NULL, "allocation");
	return memory;
}

static uint32_t next_random(void)
{
	static uint64_t state = 42;

	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33);
}

static void make_network(void)
{
	network.n_in = widths[0];
	network.n_layers = N_LAYERS;
	for (uint32_t l = 0; l < N_LAYERS; l++) {
		struct nn_layer *layer = &network.layers[l];
		/* Bytes come as they are; the first layer scales them. */
		float scale = (l == 0 ? 1.0f / 128 : 1.0f) / sqrtf((float)widths[l]);

		check(nn_layer_init(layer, widths[l], widths[l + 1], l + 1 < N_LAYERS ? NN_RELU : NN_SIGMOID) == 0,
		      "nn_layer_init");
		for (uint32_t w = 0; w < layer->n_in * layer->n_out; w++)
			layer->weights[w] = ((float)next_random() * 0x1p-30f - 1.0f) * scale;
		for (uint32_t o = 0; o < layer->n_out; o++)
			layer->bias[o] = (float)next_random() * 0x1p-32f;
	}
	check(nn_plan_create(&network, &plan) == 0, "nn_plan_create");
	scratch = nn_scratch_create(plan);
	check(scratch != NULL, "nn_scratch_create");
	for (uint32_t l = 0; l <= N_LAYERS; l++)
		outputs[l] = alloc_lines(BATCH * widths[l] * sizeof(float));
}

static void make_openblas(void)
{
	for (uint32_t l = 0; l < N_LAYERS; l++) {
		const struct nn_layer *layer = &network.layers[l];

		bias_rows[l] = alloc_lines(BATCH * layer->n_out * sizeof(float));
		weights_by_input[l] = alloc_lines((size_t)layer->n_in * layer->n_out * sizeof(float));
		for (uint32_t r = 0; r < BATCH; r++)
			memcpy(bias_rows[l] + r * layer->n_out, layer->bias, layer->n_out * sizeof(float));
		for (uint32_t i = 0; i < layer->n_in; i++) {
			for (uint32_t o = 0; o < layer->n_out; o++)
				weights_by_input[l][i * layer->n_out + o] = layer->weights[o * layer->n_in + i];
		}
	}
}

static void check_dnnl(dnnl_status_t status, const char *what)
{
	check(status == dnnl_success, what);
}

static dnnl_memory_t dnnl_memory_of(const dnnl_memory_desc_t *desc, void *data)
{
	dnnl_memory_t memory;

	check_dnnl(dnnl_memory_create(&memory, desc, engine, data), "dnnl_memory_create");
	return memory;
}

/* The primitives and their memory live as long as the program. */
static void make_onednn(struct product *products, dnnl_format_tag_t weights_tag)
{
	for (uint32_t l = 0; l < N_LAYERS; l++) {
		const struct nn_layer *layer = &network.layers[l];
		const dnnl_dims_t in_dims = {BATCH, layer->n_in}, out_dims = {BATCH, layer->n_out};
		const dnnl_dims_t weight_dims = {layer->n_out, layer->n_in}, bias_dims = {layer->n_out};
		dnnl_memory_desc_t in, out, weights, wanted_weights, bias;
		const dnnl_memory_desc_t *chosen;
		dnnl_inner_product_desc_t desc;
		dnnl_primitive_desc_t product, reorder;
		dnnl_primitive_t reorder_primitive;
		dnnl_primitive_attr_t attributes;
		dnnl_post_ops_t post_ops;
		dnnl_memory_t from, to;

		dnnl_memory_desc_init_by_tag(&in, 2, in_dims, dnnl_f32, dnnl_ab);
		dnnl_memory_desc_init_by_tag(&out, 2, out_dims, dnnl_f32, dnnl_ab);
		dnnl_memory_desc_init_by_tag(&weights, 2, weight_dims, dnnl_f32, dnnl_ab);
		dnnl_memory_desc_init_by_tag(&wanted_weights, 2, weight_dims, dnnl_f32, weights_tag);
		dnnl_memory_desc_init_by_tag(&bias, 1, bias_dims, dnnl_f32, dnnl_a);

		check_dnnl(dnnl_primitive_attr_create(&attributes), "dnnl_primitive_attr_create");
		if (layer->activation == NN_RELU) {
			check_dnnl(dnnl_post_ops_create(&post_ops), "dnnl_post_ops_create");
			check_dnnl(dnnl_post_ops_append_eltwise(post_ops, 1.0f, dnnl_eltwise_relu, 0.0f, 0.0f),
				   "dnnl_post_ops_append_eltwise");
			check_dnnl(dnnl_primitive_attr_set_post_ops(attributes, post_ops),
				   "dnnl_primitive_attr_set_post_ops");
			dnnl_post_ops_destroy(post_ops);
		}
		check_dnnl(dnnl_inner_product_forward_desc_init(&desc, dnnl_forward_inference, &in, &wanted_weights,
								&bias, &out),
			   "dnnl_inner_product_forward_desc_init");
		check_dnnl(dnnl_primitive_desc_create(&product, &desc, attributes, engine, NULL),
			   "dnnl_primitive_desc_create");
		check_dnnl(dnnl_primitive_create(&products[l].primitive, product), "dnnl_primitive_create");

		chosen = dnnl_primitive_desc_query_md(product, dnnl_query_weights_md, 0);
		from = dnnl_memory_of(&weights, layer->weights);
		to = dnnl_memory_of(chosen, DNNL_MEMORY_ALLOCATE);
		check_dnnl(dnnl_reorder_primitive_desc_create(&reorder, &weights, engine, chosen, engine, NULL),
			   "dnnl_reorder_primitive_desc_create");
		check_dnnl(dnnl_primitive_create(&reorder_primitive, reorder), "dnnl_primitive_create");
		check_dnnl(dnnl_primitive_execute(reorder_primitive, stream, 2,
						  (dnnl_exec_arg_t[]){{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}}),
			   "reorder");
		check_dnnl(dnnl_stream_wait(stream), "dnnl_stream_wait");
		dnnl_primitive_destroy(reorder_primitive);
		dnnl_primitive_desc_destroy(reorder);
		dnnl_primitive_desc_destroy(product);
		dnnl_primitive_attr_destroy(attributes);
		dnnl_memory_destroy(from);

		products[l].arguments[0] = (dnnl_exec_arg_t){DNNL_ARG_SRC, dnnl_memory_of(&in, outputs[l])};
		products[l].arguments[1] = (dnnl_exec_arg_t){DNNL_ARG_WEIGHTS, to};
		products[l].arguments[2] = (dnnl_exec_arg_t){DNNL_ARG_BIAS, dnnl_memory_of(&bias, layer->bias)};
		products[l].arguments[3] = (dnnl_exec_arg_t){DNNL_ARG_DST, dnnl_memory_of(&out, outputs[l + 1])};
	}
}

static void bytes_to_floats(const uint8_t *const *rows)
{
	for (uint32_t r = 0; r < BATCH; r++) {
		for (uint32_t i = 0; i < widths[0]; i++)
			outputs[0][r * widths[0] + i] = rows[r][i];
	}
}

static void score_openblas(const uint8_t *const *rows, float *logits)
{
	bytes_to_floats(rows);
	for (uint32_t l = 0; l < N_LAYERS; l++) {
		int n_in = (int)widths[l], n_out = (int)widths[l + 1];
		float *out = l + 1 < N_LAYERS ? outputs[l + 1] : logits;

		memcpy(out, bias_rows[l], BATCH * widths[l + 1] * sizeof(float));
		if (n_out == 1)
			cblas_sgemv(CblasRowMajor, CblasNoTrans, BATCH, n_in, 1.0f, outputs[l], n_in,
				    weights_by_input[l], 1, 1.0f, out, 1);
		else
			cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, BATCH, n_out, n_in, 1.0f, outputs[l],
				    n_in, weights_by_input[l], n_out, 1.0f, out, n_out);
		if (network.layers[l].activation == NN_RELU) {
			for (uint32_t i = 0; i < BATCH * widths[l + 1]; i++)
				out[i] = out[i] > 0 ? out[i] : 0;
		}
	}
}

static void score_onednn(const struct product *products, const uint8_t *const *rows, float *logits)
{
	bytes_to_floats(rows);
	for (uint32_t l = 0; l < N_LAYERS; l++)
		dnnl_primitive_execute(products[l].primitive, stream, 4, products[l].arguments);
	memcpy(logits, outputs[N_LAYERS], BATCH * sizeof(float));
}

static void score_onednn_rows(const uint8_t *const *rows, float *logits)
{
	score_onednn(products_rows, rows, logits);
}

static void score_onednn_reordered(const uint8_t *const *rows, float *logits)
{
	score_onednn(products_reordered, rows, logits);
}

static const struct nn_kernel *best, *avx2;

static void score_best(const uint8_t *const *rows, float *logits)
{
	best->score_bytes(plan, scratch, rows, BATCH, logits);
}

static void score_avx2(const uint8_t *const *rows, float *logits)
{
	avx2->score_bytes(plan, scratch, rows, BATCH, logits);
}

struct contender {
	const char *name;
	void (*score)(const uint8_t *const *rows, float *logits);
	double ratio_min; /* how many times avx512 must be as fast */
	double cycles_per_packet[N_ROUNDS];
};

static void measure(struct contender *contenders, size_t n, const uint8_t *const *rows)
{
	float logits[BATCH];

	for (uint32_t round = 0; round < N_ROUNDS; round++) {
		for (size_t c = 0; c < n; c++) {
			uint64_t start;

			for (uint32_t b = 0; b < N_WARM_BATCHES; b++)
				contenders[c].score(rows + b * BATCH, logits);
			start = bench_now_cycles();
			for (uint32_t b = 0; b < N_BATCHES; b++)
				contenders[c].score(rows + b * BATCH, logits);
			contenders[c].cycles_per_packet[round] =
				(double)(bench_now_cycles() - start) / (N_BATCHES * BATCH);
		}
	}
	for (size_t c = 0; c < n; c++)
		bench_sort(contenders[c].cycles_per_packet, N_ROUNDS);
}

static bool all_agree(const struct contender *contenders, size_t n, const uint8_t *const *rows)
{
	bool agree = true;

	for (uint32_t b = 0; b < N_BATCHES; b++) {
		float wanted[BATCH], logits[BATCH];

		contenders[0].score(rows + b * BATCH, wanted);
		for (size_t c = 1; c < n; c++) {
			contenders[c].score(rows + b * BATCH, logits);
			for (uint32_t r = 0; r < BATCH; r++) {
				double gap = fabs((double)logits[r] - (double)wanted[r]);

				if (!(gap <= TOLERANCE * (1 + fabs((double)wanted[r])))) {
					fprintf(stderr, "mlp_peers: %s gives %g, %s %g\n", contenders[c].name,
						(double)logits[r], contenders[0].name, (double)wanted[r]);
					agree = false;
				}
			}
		}
	}
	return agree;
}

/* The libraries read their thread counts when they are loaded. */
static void require_one_thread(char **argv)
{
	const char *set = getenv("OMP_NUM_THREADS");

	if (set != NULL && strcmp(set, "1") == 0)
		return;
	setenv("OMP_NUM_THREADS", "1", 1);
	setenv("OPENBLAS_NUM_THREADS", "1", 1);
	execv("/proc/self/exe", argv);
	check(false, "execv");
}

int main(int argc, char **argv)
{
	static struct contender contenders[] = {
		{"", score_best, 0, {0}},
		{"openblas", score_openblas, OPENBLAS_RATIO_MIN, {0}},
		{"onednn", score_onednn_rows, ONEDNN_RATIO_MIN, {0}},
		{"onednn, reordered", score_onednn_reordered, ONEDNN_REORDERED_RATIO_MIN, {0}},
		{"avx2", score_avx2, 0, {0}},
	};
	size_t n = sizeof(contenders) / sizeof(contenders[0]);
	bool judged, ahead = true, checks = argc > 1 && strcmp(argv[1], "--check") == 0;
	const uint8_t *rows[N_BUFFERS];
	uint8_t *buffers;

	if (argc > 2 || (argc == 2 && !checks)) {
		fprintf(stderr, "Usage: mlp_peers [--check]\n");
		return 2;
	}
	require_one_thread(argv);
	openblas_set_num_threads(1);
	make_network();
	make_openblas();
	check_dnnl(dnnl_engine_create(&engine, dnnl_cpu, 0), "dnnl_engine_create");
	check_dnnl(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags), "dnnl_stream_create");
	make_onednn(products_rows, dnnl_ab);
	make_onednn(products_reordered, dnnl_format_tag_any);
	best = nn_kernel_find(NULL);
	avx2 = nn_kernel_find("avx2");
	contenders[0].name = best->name;
	judged = strcmp(best->name, "avx512") == 0;
	if (avx2 == NULL || avx2 == best)
		n--;

	buffers = alloc_lines(N_BUFFERS * BUFFER_BYTES);
	for (uint32_t i = 0; i < N_BUFFERS * BUFFER_BYTES; i++)
		buffers[i] = (uint8_t)next_random();
	for (uint32_t r = 0; r < N_BUFFERS; r++)
		rows[r] = buffers + r * BUFFER_BYTES + 256;

	if (!all_agree(contenders, n, rows))
		return 1;
	measure(contenders, n, rows);
	printf("14-64-16-1, fp32, batch %d, one thread, cycles of %s\n\n", BATCH, BENCH_CLOCK);
	printf("%-18s %18s %10s %8s %10s\n", "", "cycles/packet min", "median", "ratio", "at least");
	for (size_t c = 0; c < n; c++) {
		double median = contenders[c].cycles_per_packet[N_ROUNDS / 2];
		double ratio = median / contenders[0].cycles_per_packet[N_ROUNDS / 2];

		printf("%-18s %18.1f %10.1f %8.2f", contenders[c].name, contenders[c].cycles_per_packet[0], median,
		       ratio);
		if (judged && contenders[c].ratio_min > 0)
			printf(" %10.1f%s", contenders[c].ratio_min,
			       ratio < contenders[c].ratio_min ? " MISSED" : "");
		putchar('\n');
		ahead &= !judged || ratio >= contenders[c].ratio_min;
	}
	if (!judged)
		puts("\nThe ratios are not judged on this CPU: it cannot run the avx512 kernel.");
	return checks && !ahead ? 1 : 0;
}
