/* SPDX-License-Identifier: BSD-3-Clause */
#include "summary.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ethertype.h"
#include "json_text.h"

/* Rows of the EtherType table before the rest is summed up. */
#define SUMMARY_MAX_ETHERTYPES 16

struct ethertype_count {
	uint16_t ethertype;
	uint64_t n_packets;
};

static int ethertype_count_compare(const void *left, const void *right)
{
	const struct ethertype_count *a = left, *b = right;

	if (a->n_packets != b->n_packets)
		return a->n_packets < b->n_packets ? 1 : -1;
	return (a->ethertype > b->ethertype) - (a->ethertype < b->ethertype);
}

/* The EtherTypes that were seen, most frequent first. counts is the caller's to free; NULL without memory. */
static struct ethertype_count *summary_ethertypes(const struct stats_block *total, uint32_t *n)
{
	struct ethertype_count *counts = calloc(65536, sizeof(*counts));

	*n = 0;
	for (uint32_t type = 0; counts && type < 65536; type++)
		if (total->ethertypes[type])
			counts[(*n)++] = (struct ethertype_count){type, total->ethertypes[type]};
	if (counts)
		qsort(counts, *n, sizeof(*counts), ethertype_count_compare);
	return counts;
}

double summary_per(uint64_t value, uint64_t whole)
{
	return whole ? (double)value / (double)whole : 0.0;
}

static double summary_rate(const struct summary *summary)
{
	double seconds = summary->result->seconds;

	return seconds > 0 ? (double)stats_get(summary->result->total, STATS_packets) / seconds : 0.0;
}

/* "5.72 M", to be followed by a unit, into text; returns text. */
char *summary_with_prefix(double value, char text[16])
{
	static const char *const prefixes[] = {"", "k", "M", "G", "T"};
	size_t i = 0;

	while (value >= 999.5 && i < 4) {
		value /= 1000;
		i++;
	}
	snprintf(text, 16, "%.*f %s", i ? 2 : 0, value, prefixes[i]);
	return text;
}

void summary_print_count(FILE *file, const char *name, uint64_t n, uint64_t whole, const char *remark)
{
	fprintf(file, "  %-18s %12" PRIu64 "  %6.2f %%", name, n, 100.0 * summary_per(n, whole));
	if (remark && *remark)
		fprintf(file, "  %s", remark);
	fputc('\n', file);
}

static void print_ethertypes(const struct stats_block *total, FILE *file)
{
	uint64_t n_packets = stats_get(total, STATS_packets), n_rest = 0;
	struct ethertype_count *counts;
	char text[ETHERTYPE_TEXT_SIZE];
	uint32_t n;

	counts = summary_ethertypes(total, &n);
	if (!counts || !n) {
		free(counts);
		return;
	}
	fputs("\nethertype\n", file);
	for (uint32_t i = 0; i < n; i++) {
		if (i < SUMMARY_MAX_ETHERTYPES || n == SUMMARY_MAX_ETHERTYPES + 1)
			summary_print_count(file, ethertype_text(counts[i].ethertype, text), counts[i].n_packets,
					    n_packets, ethertype_name(counts[i].ethertype));
		else
			n_rest += counts[i].n_packets;
	}
	if (n_rest) {
		char name[24];

		snprintf(name, sizeof(name), "%u others", n - SUMMARY_MAX_ETHERTYPES);
		summary_print_count(file, name, n_rest, n_packets, NULL);
	}
	free(counts);
}

/* Places where a capture's time goes back, or packets whose own time is not believed. */
static uint64_t capture_n_jumps(const struct offline_capture *capture, bool is_break)
{
	const struct capture_time *time = &capture->info->time;
	uint64_t n = 0;

	for (uint64_t i = 0; i < time->n_jumps; i++)
		n += time->jumps[i].is_break == is_break;
	return n;
}

static uint64_t summary_n_jumps(const struct summary *summary, bool is_break)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < summary->n_captures; i++)
		n += capture_n_jumps(&summary->captures[i], is_break);
	return n;
}

static void print_jumps(const struct summary *summary, FILE *file)
{
	uint64_t n_breaks = summary_n_jumps(summary, true), n_replaced = summary_n_jumps(summary, false);

	if (!summary->flows)
		return;
	if (n_breaks)
		fprintf(file, "clock    goes back %" PRIu64 " times: all flows end there\n", n_breaks);
	if (n_replaced)
		fprintf(file,
			"clock    %" PRIu64 " packets are out of time: counted at that of the packet before\n",
			n_replaced);
}

/* Where classification's cycles went, as far as bursts were timed. */
static void print_stages(const struct stats_block *total, FILE *file)
{
	uint64_t n = stats_get(total, STATS_timed_packets);

	if (!n)
		return;
	fprintf(file, "         parse %.1f, score %.1f, look up %.1f, by one burst in %d\n",
		summary_per(stats_get(total, STATS_stage_parse), n),
		summary_per(stats_get(total, STATS_stage_score), n),
		summary_per(stats_get(total, STATS_stage_lookup), n), STATS_TIMED_BURSTS);
}

/* Cycles a packet of each stage, of the bursts that were timed; null where none was. */
static json_t *json_stages(const struct stats_block *total)
{
	uint64_t n = stats_get(total, STATS_timed_packets);
	json_t *stages = n ? json_object() : json_null();

	for (int i = 0; n && i < STATS_N_COUNTERS; i++)
		if (stats_counter_infos[i].kind == STATS_KIND_STAGE)
			json_object_set_new(stages, stats_counter_infos[i].name,
					    json_real(summary_per(stats_get(total, i), n)));
	return stages;
}

void summary_print(const struct summary *summary, FILE *file)
{
	const struct stats_block *total = summary->result->total;
	uint64_t n = stats_get(total, STATS_packets);
	uint64_t rx = stats_get(total, STATS_rx_cycles), classify = stats_get(total, STATS_classify_cycles);
	uint64_t finish = stats_get(total, STATS_finish_cycles), wait = stats_get(total, STATS_wait_cycles);
	char text[16], shape[64];

	fprintf(file, "packets              %12" PRIu64 "  %sB on the wire%s\n", n,
		summary_with_prefix((double)stats_get(total, STATS_bytes), text),
		summary->is_complete ? "" : "; not all that the captures hold");
	summary_print_count(file, summary->classes[1], stats_get(total, STATS_positive), n, NULL);
	summary_print_count(file, summary->classes[0], stats_get(total, STATS_negative), n, NULL);
	summary_print_count(file, "dropped", stats_dropped(total), n, NULL);
	for (int i = 0; i < STATS_N_COUNTERS; i++)
		if (stats_counter_infos[i].kind == STATS_KIND_DROP && stats_get(total, i))
			fprintf(file, "    %-16s %12" PRIu64 "  %s\n", stats_counter_infos[i].name,
				stats_get(total, i), stats_counter_infos[i].help);
	print_ethertypes(total, file);
	summary_print_flows(summary, file);
	summary_print_captures(summary, file);

	fputc('\n', file);
	for (int i = 0; i < STATS_N_COUNTERS; i++)
		if (stats_counter_infos[i].kind == STATS_KIND_PARSE && stats_get(total, i))
			fprintf(file, "parsing  %" PRIu64 " %s\n", stats_get(total, i),
				stats_counter_infos[i].help);
	print_jumps(summary, file);
	if (stats_get(total, STATS_length_lies))
		fprintf(file, "lengths  %" PRIu64 " %s: counted as what was there\n",
			stats_get(total, STATS_length_lies), stats_counter_infos[STATS_length_lies].help);
	if (stats_get(total, STATS_padded))
		fprintf(file,
			"padded   %" PRIu64 " packets are shorter than the model's inputs: scored with zeros\n",
			stats_get(total, STATS_padded));
	if (stats_get(total, STATS_by_parser))
		fprintf(file, "parsing  %" PRIu64 " %s\n", stats_get(total, STATS_by_parser),
			stats_counter_infos[STATS_by_parser].help);
	if (summary->packet_model)
		fprintf(file, "model    %s  %s  kernel %s\n", summary->packet_model_path,
			nn_network_shape(&summary->packet_model->network, shape, sizeof(shape)), summary->kernel);
	else
		fputs("model    none: IP by the parser\n", file);
	if (summary->flow_model)
		fprintf(file, "model    %s  %s  flows\n", summary->flow_model_path,
			nn_network_shape(&summary->flow_model->network, shape, sizeof(shape)));
	fprintf(file, "time     %.6f s  %spackets/s\n", summary->result->seconds,
		summary_with_prefix(summary_rate(summary), text));
	fprintf(file, "cycles   %.1f a packet: receive %.1f, classify %.1f, finish %.1f",
		summary_per(rx + classify + finish, n), summary_per(rx, n), summary_per(classify, n),
		summary_per(finish, n));
	if (wait)
		fprintf(file, "; waited %.1f for the records' writer", summary_per(wait, n));
	fprintf(file, " (%.2f GHz)\n", (double)summary->result->tsc_hz / 1e9);
	print_stages(total, file);
}

void summary_json_set_count(json_t *object, const char *key, uint64_t n)
{
	json_object_set_new(object, key, json_integer((json_int_t)n));
}

json_t *summary_json_reasons(const uint64_t *counters, enum stats_kind kind)
{
	json_t *reasons = json_object();

	for (int i = 0; i < STATS_N_COUNTERS; i++)
		if (stats_counter_infos[i].kind == kind)
			summary_json_set_count(reasons, stats_counter_infos[i].name, counters[i]);
	return reasons;
}

/*
 * A model may call its classes anything, so their counts have an object of their own; the usual two are also
 * `ip` and `non_ip` beside the other counts.
 */
static void json_set_counts(json_t *object, const struct summary *summary, const uint64_t *counters)
{
	json_t *classes = json_object();

	summary_json_set_count(object, "packets", counters[STATS_packets]);
	summary_json_set_count(object, "bytes", counters[STATS_bytes]);
	if (!strcmp(summary->classes[0], "non-ip") && !strcmp(summary->classes[1], "ip")) {
		summary_json_set_count(object, "ip", counters[STATS_positive]);
		summary_json_set_count(object, "non_ip", counters[STATS_negative]);
	}
	summary_json_set_count(classes, summary->classes[1], counters[STATS_positive]);
	summary_json_set_count(classes, summary->classes[0], counters[STATS_negative]);
	json_object_set_new(object, "classes", classes);
	json_object_set_new(object, "dropped", summary_json_reasons(counters, STATS_KIND_DROP));
	json_object_set_new(object, "parse_errors", summary_json_reasons(counters, STATS_KIND_PARSE));
	summary_json_set_count(object, "padded", counters[STATS_padded]);
	summary_json_set_count(object, "untyped", counters[STATS_untyped]);
	summary_json_set_count(object, "by_parser", counters[STATS_by_parser]);
	summary_json_set_count(object, "length_lies", counters[STATS_length_lies]);
}

static json_t *json_capture(const struct summary *summary, const struct offline_capture *capture)
{
	json_t *object = json_object();

	json_object_set_new(object, "file", json_text(capture->info->path));
	json_object_set_new(object, "format", json_string(capture->info->format));
	json_object_set_new(object, "link_type", json_string(capture_link_name(capture->info->link_type)));
	json_set_counts(object, summary, capture->counters);
	json_object_set_new(object, "flows",
			    summary->flows ? summary_json_flows(summary, capture->counters, &capture->flow_verdicts,
								capture->flows_peak)
					   : json_null());
	if (summary->flow_model)
		summary_json_set_attacks(object, &summary->attacks[capture - summary->captures]);
	summary_json_set_count(object, "time_breaks", capture_n_jumps(capture, true));
	summary_json_set_count(object, "times_replaced", capture_n_jumps(capture, false));
	json_object_set_new(object, "seconds", json_real(capture->seconds));
	json_object_set_new(object, "complete", json_boolean(capture->is_complete && !capture->info->damage));
	json_object_set_new(object, "error",
			    capture->error[0]	    ? json_text(capture->error)
			    : capture->info->damage ? json_text(capture->info->damage)
						    : json_null());
	return object;
}

/* A model in use; classes are [n_classes] names. */
static json_t *json_model(const struct model *model, const char *path, const char *const *classes,
			  uint32_t n_classes)
{
	json_t *object = json_object(), *names = json_array();
	char shape[64];

	for (uint32_t i = 0; i < n_classes; i++)
		json_array_append_new(names, json_text(classes[i]));
	json_object_set_new(object, "file", json_text(path));
	json_object_set_new(object, "shape", json_string(nn_network_shape(&model->network, shape, sizeof(shape))));
	json_object_set_new(object, "inputs", json_integer(model->network.n_in));
	json_object_set_new(object, "classes", names);
	json_object_set_new(object, "threshold", json_real(model->threshold));
	return object;
}

static json_t *json_models(const struct summary *summary)
{
	const struct model *flow_model = summary->flow_model;
	json_t *models = json_object();

	json_object_set_new(models, "packet",
			    summary->packet_model ? json_model(summary->packet_model, summary->packet_model_path,
							       summary->classes, 2)
						  : json_null());
	json_object_set_new(models, "flow",
			    flow_model ? json_model(flow_model, summary->flow_model_path,
						    (const char *const *)flow_model->classes, flow_model->n_classes)
				       : json_null());
	return models;
}

int summary_print_json(const struct summary *summary, FILE *file)
{
	const struct stats_block *total = summary->result->total;
	uint64_t n_packets = stats_get(total, STATS_packets);
	json_t *root = json_object(), *ethertypes = json_object(), *captures = json_array(), *stages;
	struct ethertype_count *counts;
	char text[ETHERTYPE_TEXT_SIZE];
	double rx = summary_per(stats_get(total, STATS_rx_cycles), n_packets);
	double classify = summary_per(stats_get(total, STATS_classify_cycles), n_packets);
	double finish = summary_per(stats_get(total, STATS_finish_cycles), n_packets);
	double wait = summary_per(stats_get(total, STATS_wait_cycles), n_packets);
	uint32_t n;
	int rc;

	json_set_counts(root, summary, total->counters);
	counts = summary_ethertypes(total, &n);
	for (uint32_t i = 0; counts && i < n; i++)
		summary_json_set_count(ethertypes, ethertype_text(counts[i].ethertype, text), counts[i].n_packets);
	free(counts);
	json_object_set_new(root, "ethertypes", ethertypes);
	if (summary->flows) {
		json_t *flows = summary_json_flows(summary, total->counters, &total->flow_verdicts,
						   summary->result->flows_peak);

		summary_json_set_count(flows, "table_flows", summary->flows->config.n_flows);
		summary_json_set_count(flows, "table_bytes", flow_engine_bytes(summary->flows));
		json_object_set_new(root, "flows", flows);
	} else {
		json_object_set_new(root, "flows", json_null());
	}
	json_object_set_new(root, "records",
			    summary->has_records
				    ? json_pack("{s:I, s:I}", "written", (json_int_t)summary->n_records_written,
						"dropped", (json_int_t)summary->n_records_lost)
				    : json_null());
	summary_json_set_count(root, "time_breaks", summary_n_jumps(summary, true));
	summary_json_set_count(root, "times_replaced", summary_n_jumps(summary, false));
	json_object_set_new(root, "workers", json_integer(summary->result->n_workers));
	json_object_set_new(root, "complete", json_boolean(summary->is_complete));
	json_object_set_new(root, "seconds", json_real(summary->result->seconds));
	json_object_set_new(root, "packets_per_second", json_real(summary_rate(summary)));
	json_object_set_new(root, "cycles_per_packet", json_real(rx + classify + finish));
	stages = json_pack("{s:f, s:f, s:f, s:f}", "receive", rx, "classify", classify, "finish", finish, "wait",
			   wait);
	json_object_set_new(root, "cycles_by_stage", stages);
	json_object_set_new(root, "cycles_by_timed_stage", json_stages(total));
	json_object_set_new(root, "tsc_hz", json_integer((json_int_t)summary->result->tsc_hz));
	json_object_set_new(root, "kernel", summary->kernel ? json_string(summary->kernel) : json_null());
	json_object_set_new(root, "models", json_models(summary));
	for (uint32_t i = 0; i < summary->n_captures; i++)
		json_array_append_new(captures, json_capture(summary, &summary->captures[i]));
	json_object_set_new(root, "captures", captures);

	rc = json_dumpf(root, file, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	fputc('\n', file);
	json_decref(root);
	return rc;
}
