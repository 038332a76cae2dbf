/* SPDX-License-Identifier: BSD-3-Clause */
#include "live_metrics.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_version.h>

#include "ethertype.h"
#include "live_drift.h"
#include "live_models.h"
#include "live_report.h"
#include "openmetrics.h"

enum { FAMILY_BYTES = 64 };

/* What a scrape sees: the workers' blocks added up. */
struct live_metrics {
	const struct live *live;
	const struct stats_block *total;
	const struct openmetrics *out;
};

static uint64_t load(const uint64_t *number)
{
	return __atomic_load_n(number, __ATOMIC_RELAXED);
}

static void counter_family(const struct live_metrics *m, const char *name, const char *unit, const char *help)
{
	openmetrics_family(m->out, name, OPENMETRICS_COUNTER, unit, help);
}

static void gauge_family(const struct live_metrics *m, const char *name, const char *unit, const char *help)
{
	openmetrics_family(m->out, name, OPENMETRICS_GAUGE, unit, help);
}

/* Which models decide. */
static void print_models(const struct live_metrics *m)
{
	static const char *const tasks[] = {"packet", "flow"};
	json_t *models = live_models_report();
	const char *kernel = json_string_value(json_object_get(models, "kernel"));

	openmetrics_family(m->out, "wirescore_model", OPENMETRICS_INFO, "", "the models that decide");
	for (size_t i = 0; i < sizeof(tasks) / sizeof(tasks[0]); i++) {
		const json_t *model = json_object_get(models, tasks[i]);
		const char *name = json_string_value(json_object_get(model, "name"));
		const char *version = json_string_value(json_object_get(model, "version"));

		if (name)
			openmetrics_info(m->out, "wirescore_model", "task", tasks[i], "model", name, "version",
					 version ? version : "", "kernel", kernel ? kernel : "", NULL);
	}
	json_decref(models);
}

static void print_run(const struct live_metrics *m)
{
	const struct live *live = m->live;

	openmetrics_family(m->out, "wirescore_build", OPENMETRICS_INFO, "", "what runs");
	openmetrics_info(m->out, "wirescore_build", "version", WIRESCORE_VERSION, "dpdk", rte_version(), NULL);
	gauge_family(m, "wirescore_start_time_seconds", "seconds",
		     "when packets began to pass, since the Unix epoch");
	openmetrics_gauge(m->out, "wirescore_start_time_seconds", (double)live->start_ns / 1e9, NULL);
	gauge_family(m, "wirescore_workers", "", "threads that poll");
	openmetrics_gauge(m->out, "wirescore_workers", live->n_workers, NULL);
	print_models(m);
	counter_family(m, "wirescore_reloads", "", "times that models and policy were taken over");
	openmetrics_counter(m->out, "wirescore_reloads", live->n_reloads, NULL);
}

/* Counters of ports: those of one kind make one family, told apart by a label. */
static void print_port_counters(const struct live_metrics *m, const char *family, const char *help, int first,
				int last, const char *label)
{
	const struct live *live = m->live;

	counter_family(m, family, "packets", help);
	for (uint32_t p = 0; p < live->config->n_ports; p++)
		for (int i = first; i <= last; i++)
			openmetrics_counter(m->out, family, live_report_sum(live, (uint8_t)p, (enum live_counter)i),
					    "port", live->ports[p].options.name, label, live_counter_infos[i].name,
					    NULL);
}

static void print_port_counter(const struct live_metrics *m, const char *family, const char *unit, const char *help,
			       enum live_counter counter)
{
	const struct live *live = m->live;

	counter_family(m, family, unit, help);
	for (uint32_t p = 0; p < live->config->n_ports; p++)
		openmetrics_counter(m->out, family, live_report_sum(live, (uint8_t)p, counter), "port",
				    live->ports[p].options.name, NULL);
}

static void print_ports(const struct live_metrics *m)
{
	print_port_counter(m, "wirescore_port_received_packets", "packets", live_counter_infos[LIVE_received].help,
			   LIVE_received);
	print_port_counter(m, "wirescore_port_received_bytes", "bytes",
			   live_counter_infos[LIVE_received_bytes].help, LIVE_received_bytes);
	print_port_counter(m, "wirescore_port_forwarded_bytes", "bytes",
			   live_counter_infos[LIVE_forwarded_bytes].help, LIVE_forwarded_bytes);
	print_port_counters(m, "wirescore_port_outcome_packets",
			    "what became of received packets: each has one outcome", 0, LIVE_outcomes_end,
			    "outcome");
	print_port_counters(m, "wirescore_port_event_packets", "what else was done with packets", LIVE_mirrored,
			    LIVE_count_only, "event");
}

/* What devices and drivers lost before workers saw it. */
static void print_devices(const struct live_metrics *m)
{
	static const char family[] = "wirescore_port_device_lost_packets";
	const struct live *live = m->live;

	counter_family(m, family, "packets", "packets that the device or its driver lost, by cause");
	for (uint32_t p = 0; p < live->config->n_ports; p++) {
		const char *port = live->ports[p].options.name;
		const struct live_device *device = &live->devices[p];

		if (!atomic_load(&device->is_known))
			continue;
		openmetrics_counter(m->out, family, atomic_load(&device->missed), "port", port, "cause",
				    "rx_missed", NULL);
		openmetrics_counter(m->out, family, atomic_load(&device->no_buffer), "port", port, "cause",
				    "rx_no_buffer", NULL);
		openmetrics_counter(m->out, family, atomic_load(&device->rx_errors), "port", port, "cause",
				    "rx_error", NULL);
		openmetrics_counter(m->out, family, atomic_load(&device->tx_errors), "port", port, "cause",
				    "tx_error", NULL);
	}
	gauge_family(m, "wirescore_port_up", "", "whether the port is there and its link is up");
	for (uint32_t p = 0; p < live->config->n_ports; p++)
		openmetrics_gauge(m->out, "wirescore_port_up", atomic_load(&live->states[p]) == LIVE_PORT_READY,
				  "port", live->ports[p].options.name, NULL);
}

/* The counters of one kind, told apart by their names. */
static void print_kind(const struct live_metrics *m, enum stats_kind kind, const char *family, const char *unit,
		       const char *help, const char *label)
{
	counter_family(m, family, unit, help);
	for (int i = 0; i < STATS_N_COUNTERS; i++)
		if (stats_counter_infos[i].kind == kind)
			openmetrics_counter(m->out, family, stats_get(m->total, (enum stats_counter)i), label,
					    stats_counter_infos[i].name, NULL);
}

/* The family of a counter: its name, and its unit where that does not end with it. Returns the unit. */
static const char *family_of(const struct stats_counter_info *info, char family[FAMILY_BYTES])
{
	size_t n_name = strlen(info->name), n_unit = strlen(info->unit);
	/* How often something happened has none. */
	bool has_unit = strcmp(info->unit, "times");
	bool is_named = has_unit && n_name >= n_unit && !strcmp(info->name + n_name - n_unit, info->unit);

	snprintf(family, FAMILY_BYTES, "wirescore_%s%s%s", info->name, has_unit && !is_named ? "_" : "",
		 has_unit && !is_named ? info->unit : "");
	return has_unit ? info->unit : "";
}

/* Those that stand for themselves: a family each. */
static void print_counters(const struct live_metrics *m)
{
	for (int i = 0; i < STATS_N_COUNTERS; i++) {
		const struct stats_counter_info *info = &stats_counter_infos[i];
		uint64_t value = stats_get(m->total, (enum stats_counter)i);
		char family[FAMILY_BYTES];
		const char *unit = family_of(info, family);

		if (info->kind == STATS_KIND_COUNTER || info->kind == STATS_KIND_FLOW_COUNTER) {
			counter_family(m, family, unit, info->help);
			openmetrics_counter(m->out, family, value, NULL);
		} else if (info->kind == STATS_KIND_GAUGE) {
			gauge_family(m, family, unit, info->help);
			openmetrics_gauge(m->out, family, (double)value, NULL);
		}
	}
}

static void print_classes(const struct live_metrics *m)
{
	const struct generation *first = m->live->first;
	const char *const *names = first->packet_class_names;
	uint64_t n_attacks = 0;

	counter_family(m, "wirescore_classified_packets", "packets",
		       "packets by what the packet model says of them");
	openmetrics_counter(m->out, "wirescore_classified_packets", stats_get(m->total, STATS_negative), "class",
			    names[0], NULL);
	openmetrics_counter(m->out, "wirescore_classified_packets", stats_get(m->total, STATS_positive), "class",
			    names[1], NULL);
	counter_family(m, "wirescore_classified_flows", "flows",
		       "slices of flows that ended, by what the flow model says of them");
	for (uint32_t i = 0; first->flow_model && i < first->flow_engine_model->n_classes; i++) {
		uint64_t n = load(&m->total->flow_verdicts.classes[i]);

		n_attacks += i ? n : 0;
		openmetrics_counter(m->out, "wirescore_classified_flows", n, "class", first->flow_model->classes[i],
				    NULL);
	}
	counter_family(m, "wirescore_attack_flows", "flows",
		       "slices of flows that ended in another class than the flow model's first, harmless one");
	openmetrics_counter(m->out, "wirescore_attack_flows", n_attacks, NULL);
	counter_family(m, "wirescore_unscored_flows", "flows", "slices of flows that ended without a score");
	openmetrics_counter(m->out, "wirescore_unscored_flows", load(&m->total->flow_verdicts.unscored), NULL);
}

/* EtherTypes that have a name: whoever sends packets must not make labels. */
static void print_ethertypes(const struct live_metrics *m)
{
	static const char family[] = "wirescore_ethertype_packets";
	uint64_t n_other = 0;

	counter_family(m, family, "packets", "packets by their EtherType; other: those without a name here");
	for (uint32_t i = 0; i <= UINT16_MAX; i++) {
		const char *name = ethertype_name((uint16_t)i);

		if (name[0])
			openmetrics_counter(m->out, family, load(&m->total->ethertypes[i]), "ethertype", name,
					    NULL);
		else
			n_other += load(&m->total->ethertypes[i]);
	}
	openmetrics_counter(m->out, family, n_other, "ethertype", "other", NULL);
}

static void print_stages(const struct live_metrics *m)
{
	counter_family(m, "wirescore_stage_seconds", "seconds",
		       "time of timed packets in each stage; over timed packets it is the time of one");
	for (int i = 0; i < STATS_N_COUNTERS; i++)
		if (stats_counter_infos[i].kind == STATS_KIND_STAGE)
			openmetrics_counter_real(m->out, "wirescore_stage_seconds",
						 (double)stats_get(m->total, (enum stats_counter)i) /
							 (double)rte_get_tsc_hz(),
						 "stage", stats_counter_infos[i].name, NULL);
}

/* Scores are counted by their logits; their sum is not known, but lies between the bounds. */
static void print_scores(const struct live_metrics *m, const char *family, const char *help, const uint64_t *scores)
{
	double bounds[STATS_SCORE_BUCKETS - 1], sum = 0;
	uint64_t counts[STATS_SCORE_BUCKETS];

	for (int i = 0; i < STATS_SCORE_BUCKETS; i++) {
		counts[i] = load(&scores[i]);
		if (i < STATS_SCORE_BUCKETS - 1)
			bounds[i] = 1 / (1 + exp(STATS_MAX_SCORE_LOGIT - i));
		sum += (double)counts[i] / (1 + exp(STATS_MAX_SCORE_LOGIT + 0.5 - i));
	}
	openmetrics_family(m->out, family, OPENMETRICS_HISTOGRAM, "", help);
	openmetrics_histogram(m->out, family, bounds, counts, STATS_SCORE_BUCKETS - 1, sum, NULL);
}

/* Times in buckets of a factor of two, from a quarter of a microsecond to a second. */
static void print_times(const struct live_metrics *m, const char *family, const char *help,
			const struct stats_histogram *times)
{
	enum { TIME_BOUNDS = 23 };
	double bounds[TIME_BOUNDS], hz = (double)rte_get_tsc_hz();
	uint64_t counts[TIME_BOUNDS + 1] = {0};
	uint32_t at = 0;

	for (uint32_t i = 0; i < TIME_BOUNDS; i++)
		bounds[i] = 0.25e-6 * (double)(1u << i);
	for (uint32_t i = 0; i < STATS_HISTOGRAM_BUCKETS; i++) {
		double greatest =
			i + 1 < STATS_HISTOGRAM_BUCKETS ? (double)stats_histogram_least(i + 1) - 1 : INFINITY;

		/* None of what is within a bound takes longer. */
		while (at < TIME_BOUNDS && greatest / hz > bounds[at])
			at++;
		counts[at] += times->buckets[i];
	}
	openmetrics_family(m->out, family, OPENMETRICS_HISTOGRAM, "seconds", help);
	openmetrics_histogram(m->out, family, bounds, counts, TIME_BOUNDS, (double)times->sum / hz, NULL);
}

/* How full the bursts were that workers found; over all workers. */
static void print_bursts(const struct live_metrics *m)
{
	static const char family[] = "wirescore_burst_packets";
	static const double bounds[] = {1, 2, 4, 8, 16, 32, 64};
	enum { BOUNDS = sizeof(bounds) / sizeof(bounds[0]) };
	_Static_assert(CLASSIFY_MAX_BURST == 1 << (BOUNDS - 1), "no burst is above the last bound");
	uint64_t counts[BOUNDS + 1] = {0};
	double sum = 0;

	for (uint32_t w = 0; w < m->live->n_workers; w++)
		for (uint32_t n = 1, at = 0; n <= CLASSIFY_MAX_BURST; n++) {
			uint64_t n_bursts = load(&m->live->workers[w].bursts[n]);

			at += n > bounds[at];
			counts[at] += n_bursts;
			sum += (double)n * (double)n_bursts;
		}
	openmetrics_family(m->out, family, OPENMETRICS_HISTOGRAM, "packets",
			   "packets that a poll brought, of those that brought any");
	openmetrics_histogram(m->out, family, bounds, counts, BOUNDS, sum, NULL);
}

static void print_workers(const struct live_metrics *m)
{
	const struct live *live = m->live;
	char worker[16];

	counter_family(m, "wirescore_worker_packets", "packets", "packets that each worker classified");
	for (uint32_t w = 0; w < live->n_workers; w++) {
		snprintf(worker, sizeof(worker), "%u", w);
		openmetrics_counter(m->out, "wirescore_worker_packets",
				    stats_get(live->workers[w].stats, STATS_packets), "worker", worker, NULL);
	}
	counter_family(m, "wirescore_worker_busy_seconds", "seconds", "time that each worker spent on packets");
	for (uint32_t w = 0; w < live->n_workers; w++) {
		uint64_t cycles = stats_get(live->workers[w].stats, STATS_busy_cycles);

		snprintf(worker, sizeof(worker), "%u", w);
		openmetrics_counter_real(m->out, "wirescore_worker_busy_seconds",
					 (double)cycles / (double)rte_get_tsc_hz(), "worker", worker, NULL);
	}
	counter_family(m, "wirescore_worker_overloads", "", "times that a worker began to spare its models");
	for (uint32_t w = 0; w < live->n_workers; w++) {
		snprintf(worker, sizeof(worker), "%u", w);
		openmetrics_counter(m->out, "wirescore_worker_overloads", load(&live->workers[w].n_shedding),
				    "worker", worker, NULL);
	}
}

static void print_worker_times(const struct live_metrics *m)
{
	struct stats_histogram verdicts = {0}, passages = {0};

	for (uint32_t w = 0; w < m->live->n_workers; w++) {
		stats_histogram_merge(&verdicts, &m->live->workers[w].verdict_cycles);
		stats_histogram_merge(&passages, &m->live->workers[w].passage_cycles);
	}
	print_times(m, "wirescore_verdict_seconds", "time from a packet's reception to its verdict", &verdicts);
	print_times(m, "wirescore_passage_seconds", "time from a packet's reception to when it was sent or let go",
		    &passages);
}

/* What became of records, of each sink and on the way there. */
static void print_records(const struct live_metrics *m)
{
	static const char family[] = "wirescore_sink_records";
	const struct live_records *records = &m->live->records;
	uint64_t n_flows_lost = 0, n_packets_lost = 0;

	for (uint32_t w = 0; w < m->live->n_workers; w++) {
		n_flows_lost += load(&m->live->workers[w].n_flow_records_lost);
		n_packets_lost += load(&m->live->workers[w].n_packet_records_lost);
	}
	counter_family(m, "wirescore_lost_records", "records",
		       "records that found no room between workers and sinks");
	openmetrics_counter(m->out, "wirescore_lost_records", n_flows_lost, "records", "flows", NULL);
	openmetrics_counter(m->out, "wirescore_lost_records", n_packets_lost, "records", "packets", NULL);
	counter_family(m, family, "records",
		       "records that a sink took, by what became of them; the rest is queued");
	for (uint32_t i = 0; i < records->n_sinks; i++) {
		const char *name = m->live->config->records[i].name;
		struct sink_counts counts = sink_counts(records->sinks[i].sink);

		openmetrics_counter(m->out, family, counts.delivered, "sink", name, "outcome", "delivered", NULL);
		openmetrics_counter(m->out, family, counts.dropped_full, "sink", name, "outcome", "dropped_full",
				    NULL);
		openmetrics_counter(m->out, family, counts.dropped_end, "sink", name, "outcome", "dropped_end",
				    NULL);
	}
	counter_family(m, "wirescore_sink_failures", "", "deliveries that a sink's other side did not take whole");
	for (uint32_t i = 0; i < records->n_sinks; i++)
		openmetrics_counter(m->out, "wirescore_sink_failures", sink_counts(records->sinks[i].sink).failures,
				    "sink", m->live->config->records[i].name, NULL);
	gauge_family(m, "wirescore_sink_queued_records", "records", "records that wait for a sink");
	for (uint32_t i = 0; i < records->n_sinks; i++)
		openmetrics_gauge(m->out, "wirescore_sink_queued_records",
				  (double)sink_counts(records->sinks[i].sink).queued, "sink",
				  m->live->config->records[i].name, NULL);
}

int live_metrics_print(const struct live *live, FILE *file, bool is_plain)
{
	struct stats_block *total = calloc(1, sizeof(*total));
	const struct openmetrics out = {.file = file, .is_plain = is_plain};
	const struct live_metrics m = {.live = live, .total = total, .out = &out};

	if (!total)
		return -ENOMEM;
	for (uint32_t w = 0; w < live->n_workers; w++)
		stats_merge(total, live->workers[w].stats);
	print_run(&m);
	print_ports(&m);
	print_devices(&m);
	print_counters(&m);
	print_classes(&m);
	print_ethertypes(&m);
	print_kind(&m, STATS_KIND_PARSE, "wirescore_parse_error_packets", "packets",
		   "packets whose headers the parser gave up, by reason", "reason");
	print_kind(&m, STATS_KIND_DROP, "wirescore_unclassified_packets", "packets",
		   "packets that ended without a class, by cause", "cause");
	print_kind(&m, STATS_KIND_FLOW_END, "wirescore_ended_flows", "flows",
		   "slices of flows that ended, by reason", "reason");
	print_scores(&m, "wirescore_packet_score",
		     "scores of packets; the sum is an estimate from the middles of buckets", total->packet_scores);
	print_scores(&m, "wirescore_flow_score",
		     "scores of slices of flows that ended; the sum is an estimate from the middles of buckets",
		     total->flow_scores);
	print_stages(&m);
	print_bursts(&m);
	print_workers(&m);
	print_worker_times(&m);
	print_records(&m);
	live_drift_print(live, &out);
	openmetrics_end(&out);
	free(total);
	return 0;
}
