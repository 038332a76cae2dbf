/* SPDX-License-Identifier: BSD-3-Clause */
#include "live_report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "live_drift.h"
#include "live_figures.h"
#include "live_models.h"
#include "live_share.h"

static uint64_t load(const uint64_t *number)
{
	return __atomic_load_n(number, __ATOMIC_RELAXED);
}

uint64_t live_report_sum(const struct live *live, uint8_t port, enum live_counter counter)
{
	uint64_t sum = 0;

	for (uint32_t w = 0; w < live->n_workers; w++)
		for (uint32_t p = 0; p < live->config->n_ports; p++)
			if (port == p || port == LIVE_NO_PORT)
				sum += load(&live->workers[w].counters[p].numbers[counter]);
	return sum;
}

static json_t *report_port(const struct live *live, uint8_t index)
{
	const struct live_port *port = &live->ports[index];
	json_t *object = json_object();
	const struct live_device *device = &live->devices[index];

	json_object_set_new(object, "received",
			    json_integer((json_int_t)live_report_sum(live, index, LIVE_received)));
	for (int i = 0; i < LIVE_N_COUNTERS; i++)
		if (i != LIVE_received)
			json_object_set_new(
				object, live_counter_infos[i].name,
				json_integer((json_int_t)live_report_sum(live, index, (enum live_counter)i)));
	json_object_set_new(object, "spread", json_string(live_share_name(live, index)));
	json_object_set_new(object, "is_gone",
			    json_boolean(atomic_load(&live->states[index]) == LIVE_PORT_GONE && !port->is_waiting));
	json_object_set_new(object, "is_link_up", json_boolean(port->is_link_up));
	/* Before the workers: what the device lost. */
	if (atomic_load(&device->is_known)) {
		json_object_set_new(object, "device_missed",
				    json_integer((json_int_t)atomic_load(&device->missed)));
		json_object_set_new(object, "device_no_buffer",
				    json_integer((json_int_t)atomic_load(&device->no_buffer)));
		json_object_set_new(object, "device_rx_errors",
				    json_integer((json_int_t)atomic_load(&device->rx_errors)));
		json_object_set_new(object, "device_tx_errors",
				    json_integer((json_int_t)atomic_load(&device->tx_errors)));
	}
	return object;
}

/* Adds the times from packets' reception to their verdicts, and to their end, to a report. */
static void report_latency(const struct live *live, json_t *report)
{
	struct stats_histogram verdicts = {0}, passages = {0};

	for (uint32_t w = 0; w < live->n_workers; w++) {
		stats_histogram_merge(&verdicts, &live->workers[w].verdict_cycles);
		stats_histogram_merge(&passages, &live->workers[w].passage_cycles);
	}
	json_object_set_new(report, "verdict_us", live_figures_times(&verdicts));
	json_object_set_new(report, "latency_us", live_figures_times(&passages));
}

/* Adds the counters of a kind by their names. */
static void report_kind(json_t *object, const struct stats_block *total, enum stats_kind kind)
{
	for (int i = 0; i < STATS_N_COUNTERS; i++)
		if (stats_counter_infos[i].kind == kind)
			json_object_set_new(object, stats_counter_infos[i].name,
					    json_integer((json_int_t)stats_get(total, (enum stats_counter)i)));
}

static json_t *report_flows(const struct live *live, const struct stats_block *total)
{
	const struct generation *first = live->first;
	json_t *flows = json_object(), *reasons = json_object(), *classes;
	uint64_t n_lost = 0, n_packets_lost = 0;

	for (uint32_t w = 0; w < live->n_workers; w++) {
		n_lost += load(&live->workers[w].n_flow_records_lost);
		n_packets_lost += load(&live->workers[w].n_packet_records_lost);
	}
	report_kind(flows, total, STATS_KIND_FLOW_COUNTER);
	report_kind(flows, total, STATS_KIND_GAUGE);
	report_kind(reasons, total, STATS_KIND_FLOW_END);
	json_object_set_new(flows, "ended", json_integer((json_int_t)stats_flows(total)));
	json_object_set_new(flows, "reasons", reasons);
	json_object_set_new(flows, "records_lost", json_integer((json_int_t)n_lost));
	json_object_set_new(flows, "packet_records_lost", json_integer((json_int_t)n_packets_lost));
	if (!first->flow_model)
		return flows;
	classes = json_object();
	for (uint32_t i = 0; i < first->flow_engine_model->n_classes; i++)
		json_object_set_new(classes, first->flow_model->classes[i],
				    json_integer((json_int_t)load(&total->flow_verdicts.classes[i])));
	json_object_set_new(flows, "classes", classes);
	json_object_set_new(flows, "unscored", json_integer((json_int_t)load(&total->flow_verdicts.unscored)));
	return flows;
}

static json_t *report_classifier(const struct live *live, const struct stats_block *total)
{
	static const enum stats_kind kinds[] = {STATS_KIND_COUNTER, STATS_KIND_CLASS, STATS_KIND_PARSE,
						STATS_KIND_DROP};
	const char *const *names = live->first->packet_class_names;
	json_t *object = json_object(), *classes = json_object();
	uint64_t n_shedding = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		report_kind(object, total, kinds[i]);
	for (uint32_t w = 0; w < live->n_workers; w++)
		n_shedding += load(&live->workers[w].n_shedding);
	json_object_set_new(object, "times_overloaded", json_integer((json_int_t)n_shedding));
	json_object_set_new(classes, names[0], json_integer((json_int_t)stats_get(total, STATS_negative)));
	json_object_set_new(classes, names[1], json_integer((json_int_t)stats_get(total, STATS_positive)));
	json_object_set_new(object, "classes", classes);
	json_object_set_new(object, "ethertypes", live_figures_ethertypes(total));
	return object;
}

/* How many packets each worker has carried. */
static json_t *report_workers(const struct live *live)
{
	json_t *packets = json_array();

	for (uint32_t w = 0; w < live->n_workers; w++)
		json_array_append_new(packets,
				      json_integer((json_int_t)stats_get(live->workers[w].stats, STATS_packets)));
	return packets;
}

json_t *live_report(const struct live *live)
{
	json_t *report = json_object(), *ports = json_object(), *drift;
	struct stats_block *total = calloc(1, sizeof(*total));
	uint64_t now_ns = live_clock_ns(&live->workers[0].clock, rte_rdtsc());

	if (!report || !ports || !total) {
		json_decref(report);
		json_decref(ports);
		free(total);
		return NULL;
	}
	for (uint32_t w = 0; w < live->n_workers; w++)
		stats_merge(total, live->workers[w].stats);
	for (uint32_t i = 0; i < live->config->n_ports; i++)
		json_object_set_new(ports, live->ports[i].options.name, report_port(live, (uint8_t)i));
	json_object_set_new(report, "seconds", json_real((double)(now_ns - live->start_ns) / 1e9));
	json_object_set_new(report, "workers", json_integer(live->n_workers));
	json_object_set_new(report, "worker_packets", report_workers(live));
	json_object_set_new(report, "worker_busy_ms", live_figures_busy(live));
	json_object_set_new(report, "reloads", json_integer(live->n_reloads));
	json_object_set_new(report, "ports", ports);
	json_object_set_new(report, "classifier", report_classifier(live, total));
	if (live->config->flow.n_flows)
		json_object_set_new(report, "flows", report_flows(live, total));
	if (live->records.n_sinks)
		json_object_set_new(report, "sinks", live_records_report(&live->records));
	report_latency(live, report);
	json_object_set_new(report, "cycles_per_packet", live_figures_stages(total));
	drift = live_drift_report(live, false);
	if (drift)
		json_object_set_new(report, "drift", drift);
	json_object_set_new(report, "models", live_models_report());
	json_object_set_new(report, "histograms", live_figures_histograms(live, total));
	free(total);
	return report;
}

/* What sinks count. */
static const struct {
	const char *name, *help;
} sink_helps[] = {
	{"accepted", "records that passed its filter"},
	{"delivered", "of these: taken for good"},
	{"queued", "of these: waiting"},
	{"dropped_full", "of these: found the queue full"},
	{"dropped_end", "of these: still waiting when the run ended"},
	{"failures", "deliveries that were not taken whole"},
};

/* What a counter means, or "". */
static const char *help_of(const char *name)
{
	/* The counter's own words are of captures. */
	if (!strcmp(name, stats_counter_infos[STATS_flows_end].name))
		return "open when the run ended";
	for (int i = 0; i < LIVE_N_COUNTERS; i++)
		if (!strcmp(live_counter_infos[i].name, name))
			return live_counter_infos[i].help;
	for (int i = 0; i < STATS_N_COUNTERS; i++)
		if (!strcmp(stats_counter_infos[i].name, name))
			return stats_counter_infos[i].help;
	for (size_t i = 0; i < sizeof(sink_helps) / sizeof(sink_helps[0]); i++)
		if (!strcmp(sink_helps[i].name, name))
			return sink_helps[i].help;
	return "";
}

/* One line: "worker_packets  10 20 30". */
static void print_array(const char *key, const json_t *array, int indent, FILE *file)
{
	fprintf(file, "%*s%-*s", indent, "", 26 - indent, key);
	for (size_t i = 0; i < json_array_size(array); i++)
		fprintf(file, " %12" JSON_INTEGER_FORMAT, json_integer_value(json_array_get(array, i)));
	fputc('\n', file);
}

static void print_object(const json_t *object, int indent, FILE *file)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		/* For programs. */
		if (!strcmp(key, "histograms") || !strcmp(key, "models"))
			continue;
		if (json_is_object(value)) {
			fprintf(file, "%*s%s\n", indent, "", key);
			print_object(value, indent + 2, file);
		} else if (json_is_array(value)) {
			print_array(key, value, indent, file);
		} else if (json_is_string(value) && (!strcmp(key, "error") || !strcmp(key, "input"))) {
			fprintf(file, "%*s%-*s %s\n", indent, "", 26 - indent, key, json_string_value(value));
		} else if (json_is_real(value)) {
			fprintf(file, "%*s%-*s %12.3f\n", indent, "", 26 - indent, key, json_real_value(value));
		} else if (json_is_integer(value) && json_integer_value(value)) {
			fprintf(file, "%*s%-*s %12" JSON_INTEGER_FORMAT "  %s\n", indent, "", 26 - indent, key,
				json_integer_value(value), help_of(key));
		}
	}
}

void live_report_print(const json_t *report, FILE *file)
{
	print_object(report, 0, file);
}

void live_report_line(const struct live *live, struct live_pace *before, FILE *file)
{
	struct live_pace now = {
		.ns = live_clock_ns(&live->workers[0].clock, rte_rdtsc()),
		.packets = live_report_sum(live, LIVE_NO_PORT, LIVE_received),
		.bytes = live_report_sum(live, LIVE_NO_PORT, LIVE_received_bytes),
	};
	double seconds = (double)(now.ns - (before->ns ? before->ns : live->start_ns)) / 1e9;

	fprintf(file,
		"%" PRIu64 " packets, %.0f/s, %.3f Gbit/s; forwarded %" PRIu64 ", dropped by policy %" PRIu64
		", lost in sending %" PRIu64 ", in sharing out %" PRIu64 "\n",
		now.packets, (double)(now.packets - before->packets) / seconds,
		(double)(now.bytes - before->bytes) * 8e-9 / seconds,
		live_report_sum(live, LIVE_NO_PORT, LIVE_forwarded),
		live_report_sum(live, LIVE_NO_PORT, LIVE_dropped_by_policy) +
			live_report_sum(live, LIVE_NO_PORT, LIVE_dropped_before_verdict),
		live_report_sum(live, LIVE_NO_PORT, LIVE_dropped_tx_full) +
			live_report_sum(live, LIVE_NO_PORT, LIVE_dropped_chain) +
			live_report_sum(live, LIVE_NO_PORT, LIVE_dropped_port_gone) +
			live_report_sum(live, LIVE_NO_PORT, LIVE_dropped_link_down) +
			live_report_sum(live, LIVE_NO_PORT, LIVE_dropped_return_full),
		live_report_sum(live, LIVE_NO_PORT, LIVE_dropped_spread_full));
	*before = now;
}

bool live_report_adds_up(const struct live *live)
{
	uint64_t n_seen = 0, n_classified = 0;

	for (uint32_t p = 0; p < live->config->n_ports; p++) {
		uint64_t n_received = live_report_sum(live, (uint8_t)p, LIVE_received), n_ended = 0;

		for (int i = 0; i < LIVE_N_OUTCOMES; i++)
			n_ended += live_report_sum(live, (uint8_t)p, (enum live_counter)i);
		if (n_ended != n_received)
			return false;
		n_seen += n_received - live_report_sum(live, (uint8_t)p, LIVE_dropped_spread_full);
	}
	for (uint32_t w = 0; w < live->n_workers; w++)
		n_classified += stats_get(live->workers[w].stats, STATS_packets);
	return n_classified == n_seen;
}
