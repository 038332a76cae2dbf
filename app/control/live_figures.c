/* SPDX-License-Identifier: BSD-3-Clause */
#include "live_figures.h"

#include <math.h>

#include <rte_cycles.h>

#include "ethertype.h"

static uint64_t load(const uint64_t *number)
{
	return __atomic_load_n(number, __ATOMIC_RELAXED);
}

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

/* Cycles of each stage over the packets that passed it: those of rx and share over those that were received. */
static json_t *stages_over(const struct stats_block *block, uint64_t n_received)
{
	uint64_t n_carried = stats_get(block, STATS_timed_packets);
	json_t *stages = json_object();

	for (int i = 0; i < STATS_N_COUNTERS; i++) {
		uint64_t n = i == STATS_stage_rx || i == STATS_stage_share ? n_received : n_carried;

		if (stats_counter_infos[i].kind == STATS_KIND_STAGE)
			json_object_set_new(
				stages, stats_counter_infos[i].name,
				json_real(n ? (double)stats_get(block, (enum stats_counter)i) / (double)n : 0));
	}
	return stages;
}

json_t *live_figures_stages(const struct stats_block *total)
{
	return stages_over(total, stats_get(total, STATS_timed_packets));
}

json_t *live_figures_times(const struct stats_histogram *times)
{
	double us = 1e6 / (double)rte_get_tsc_hz();

	return json_pack("{s:f, s:f, s:f}", "p50", (double)stats_histogram_quantile(times, 0.5) * us, "p99",
			 (double)stats_histogram_quantile(times, 0.99) * us, "p99.9",
			 (double)stats_histogram_quantile(times, 0.999) * us);
}

/* The greatest value of a bucket but the last one, rounded up to whole ns; a cycle takes ns. */
static uint64_t up_to_ns(uint32_t bucket, double ns)
{
	return (uint64_t)fmin(ceil((double)(stats_histogram_least(bucket + 1) - 1) * ns), 0x1p62);
}

/* Of cycles, in ns. */
static json_t *histogram_of_times(const struct stats_histogram *times)
{
	double ns = 1e9 / (double)rte_get_tsc_hz();
	json_t *bounds = json_array(), *counts = json_array();
	uint64_t n = 0;

	for (uint32_t i = 0; i + 1 < STATS_HISTOGRAM_BUCKETS; i++) {
		uint64_t bound = up_to_ns(i, ns);

		n += times->buckets[i];
		/* Buckets of less than a nanosecond are one. */
		if (!n || (i + 2 < STATS_HISTOGRAM_BUCKETS && up_to_ns(i + 1, ns) == bound))
			continue;
		json_array_append_new(bounds, number(bound));
		json_array_append_new(counts, number(n));
		n = 0;
	}
	return json_pack("{s:o, s:o}", "le", bounds, "counts", counts);
}

static json_t *histogram_of_scores(const uint64_t *scores)
{
	json_t *bounds = json_array(), *counts = json_array();

	for (int i = 0; i < STATS_SCORE_BUCKETS; i++) {
		double bound = i + 1 < STATS_SCORE_BUCKETS ? 1 / (1 + exp(STATS_MAX_SCORE_LOGIT - i)) : 1;

		json_array_append_new(bounds, json_real(bound));
		json_array_append_new(counts, number(load(&scores[i])));
	}
	return json_pack("{s:o, s:o}", "le", bounds, "counts", counts);
}

/* Of all workers, to powers of two. */
static json_t *histogram_of_bursts(const struct live *live)
{
	json_t *bounds = json_array(), *counts = json_array();

	for (uint32_t bound = 1, n = 1; bound <= CLASSIFY_MAX_BURST; bound *= 2) {
		uint64_t n_bursts = 0;

		for (; n <= bound; n++)
			for (uint32_t w = 0; w < live->n_workers; w++)
				n_bursts += load(&live->workers[w].bursts[n]);
		json_array_append_new(bounds, number(bound));
		json_array_append_new(counts, number(n_bursts));
	}
	return json_pack("{s:o, s:o}", "le", bounds, "counts", counts);
}

json_t *live_figures_histograms(const struct live *live, const struct stats_block *total)
{
	struct stats_histogram verdicts = {0}, passages = {0};

	for (uint32_t w = 0; w < live->n_workers; w++) {
		stats_histogram_merge(&verdicts, &live->workers[w].verdict_cycles);
		stats_histogram_merge(&passages, &live->workers[w].passage_cycles);
	}
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "burst_packets", histogram_of_bursts(live), "packet_scores",
			 histogram_of_scores(total->packet_scores), "flow_scores",
			 histogram_of_scores(total->flow_scores), "verdict_ns", histogram_of_times(&verdicts),
			 "latency_ns", histogram_of_times(&passages));
}

json_t *live_figures_ethertypes(const struct stats_block *total)
{
	json_t *ethertypes = json_object();
	uint64_t n_other = 0;

	for (uint32_t i = 0; i <= UINT16_MAX; i++) {
		uint64_t n = load(&total->ethertypes[i]);
		const char *name = n ? ethertype_name((uint16_t)i) : "";

		if (name[0])
			json_object_set_new(ethertypes, name, number(n));
		else
			n_other += n;
	}
	json_object_set_new(ethertypes, "other", number(n_other));
	return ethertypes;
}

static uint64_t busy_ms(const struct live_worker *worker)
{
	return (uint64_t)((double)stats_get(worker->stats, STATS_busy_cycles) * 1e3 / (double)rte_get_tsc_hz());
}

json_t *live_figures_busy(const struct live *live)
{
	json_t *times = json_array();

	for (uint32_t w = 0; w < live->n_workers; w++)
		json_array_append_new(times, number(busy_ms(&live->workers[w])));
	return times;
}

json_t *live_figures_worker(const struct live *live, uint32_t index)
{
	const struct live_worker *worker = &live->workers[index];
	struct stats_histogram verdicts = {0}, passages = {0};
	uint64_t n_bursts = 0;

	stats_histogram_merge(&verdicts, &worker->verdict_cycles);
	stats_histogram_merge(&passages, &worker->passage_cycles);
	for (uint32_t n = 1; n <= CLASSIFY_MAX_BURST; n++)
		n_bursts += load(&worker->bursts[n]);
	return json_pack("{s:i, s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			 "worker", (int)index, "lcore", (int)worker->lcore, "queues", (int)worker->n_queues,
			 "packets", number(stats_get(worker->stats, STATS_packets)), "bytes",
			 number(stats_get(worker->stats, STATS_bytes)), "flows_started",
			 number(stats_get(worker->stats, STATS_started)), "flows_open",
			 number(stats_get(worker->stats, STATS_open)), "flows_ended",
			 number(stats_flows(worker->stats)), "busy_ms", number(busy_ms(worker)), "polls",
			 number(load(&worker->n_polls)), "bursts", number(n_bursts), "times_overloaded",
			 number(load(&worker->n_shedding)), "records_lost",
			 number(load(&worker->n_flow_records_lost)), "packet_records_lost",
			 number(load(&worker->n_packet_records_lost)), "cycles_per_packet",
			 stages_over(worker->stats, stats_get(worker->stats, STATS_timed_received)), "verdict_us",
			 live_figures_times(&verdicts), "latency_us", live_figures_times(&passages));
}
