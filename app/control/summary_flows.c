/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the summary says of flows: how they ended, which class they are of, who attacks whom.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>

#include "json_text.h"
#include "summary.h"
#include "text.h"

/* Hosts that are named: of all captures, and of each. */
#define SUMMARY_TOP_HOSTS 5

/* The address of a host as text. */
static const char *host_text(const struct top_host *host, char text[INET6_ADDRSTRLEN])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	*text_put_address(text, host->address, !memcmp(host->address, mapped, sizeof(mapped))) = '\0';
	return text;
}

/* Flows of any class but 0. */
static uint64_t verdicts_n_attacks(const struct stats_flow_verdicts *verdicts)
{
	uint64_t n = 0;

	for (uint32_t class = 1; class < STATS_MAX_FLOW_CLASSES; class ++)
		n += verdicts->classes[class];
	return n;
}

static void print_hosts(FILE *file, const char *what, const struct top_hosts *top)
{
	struct top_host list[SUMMARY_TOP_HOSTS];
	char text[INET6_ADDRSTRLEN];
	uint32_t n = top_hosts_list(top, list, SUMMARY_TOP_HOSTS);

	if (!n)
		return;
	fprintf(file, "  %-18s", what);
	for (uint32_t i = 0; i < n; i++)
		fprintf(file, "%s %s (%" PRIu64 ")", i ? "," : "", host_text(&list[i], text), list[i].n_flows);
	if (top->n_hosts > n)
		fprintf(file, " and %" PRIu64 " more", (uint64_t)top->n_hosts - n);
	fputc('\n', file);
}

/* At which packet the attacks were known: "1: 50 %, 4: 20 %, end: 30 %". */
static void print_when(FILE *file, const struct stats_flow_verdicts *verdicts)
{
	uint64_t n = verdicts_n_attacks(verdicts);
	const char *separator = "";

	if (!n)
		return;
	fprintf(file, "  %-18s ", "known at packet");
	for (uint32_t i = 1; i <= STATS_MAX_CHECKPOINT + 1; i++) {
		uint32_t at = i % (STATS_MAX_CHECKPOINT + 1);
		char name[16] = "end";

		if (!verdicts->at_packets[at])
			continue;
		if (at)
			snprintf(name, sizeof(name), "%u", at);
		fprintf(file, "%s%s: %.1f %%", separator, name, 100 * summary_per(verdicts->at_packets[at], n));
		separator = ", ";
	}
	fputc('\n', file);
}

static void print_verdicts(const struct summary *summary, FILE *file)
{
	const struct model *model = summary->flow_model;
	const struct stats_flow_verdicts *verdicts = &summary->result->total->flow_verdicts;
	uint64_t n = stats_flows(summary->result->total);

	fputs("\nflows by class\n", file);
	for (uint32_t class = 0; class < model->n_classes; class ++)
		if (model->n_classes <= 2 || verdicts->classes[class])
			summary_print_count(file, model->classes[class], verdicts->classes[class], n, NULL);
	if (verdicts->unscored)
		summary_print_count(file, "not scored", verdicts->unscored, n, NULL);
	print_when(file, verdicts);
}

/* A line for each capture, and who attacks whom there. */
static void print_captures_attacks(const struct summary *summary, FILE *file)
{
	if (summary->n_captures > 1)
		fprintf(file, "\n%12s %12s %12s  capture\n", "flows", summary->flow_model->classes[0], "others");
	for (uint32_t i = 0; i < summary->n_captures; i++) {
		const struct offline_capture *capture = &summary->captures[i];
		const struct stats_flow_verdicts *verdicts = &capture->flow_verdicts;

		if (summary->n_captures > 1)
			fprintf(file, "%12" PRIu64 " %12" PRIu64 " %12" PRIu64 "  %s\n",
				stats_sum(capture->counters, STATS_KIND_FLOW_END), verdicts->classes[0],
				verdicts_n_attacks(verdicts), capture->info->path);
		print_hosts(file, "attackers", &summary->attacks[i].attackers);
		print_hosts(file, "targets", &summary->attacks[i].targets);
		if (summary->n_captures > 1)
			print_when(file, verdicts);
	}
}

void summary_print_flows(const struct summary *summary, FILE *file)
{
	const struct stats_block *total = summary->result->total;
	uint64_t n = stats_flows(total), n_packets = stats_get(total, STATS_packets);
	char text[16];

	if (!summary->flows)
		return;
	fprintf(file, "\nflow slices          %12" PRIu64 "  by the reason of their end\n", n);
	for (int i = 0; i < STATS_N_COUNTERS; i++)
		if (stats_counter_infos[i].kind == STATS_KIND_FLOW_END && stats_get(total, i))
			summary_print_count(file, stats_counter_infos[i].name, stats_get(total, i), n,
					    stats_counter_infos[i].help);
	summary_print_count(file, "packets in flows", stats_get(total, STATS_flow_packets), n_packets, NULL);
	if (stats_get(total, STATS_fragments_joined) || stats_get(total, STATS_fragments_alone))
		fprintf(file,
			"  fragments          %12" PRIu64 "  behind a datagram's first, %" PRIu64 " without it\n",
			stats_get(total, STATS_fragments_joined), stats_get(total, STATS_fragments_alone));
	fprintf(file, "  table              %12" PRIu64 "  flows at most, %" PRIu64 " at a time; %sB",
		summary->flows->config.n_flows, summary->result->flows_peak,
		summary_with_prefix((double)flow_engine_bytes(summary->flows), text));
	if (summary->result->n_workers > 1)
		fprintf(file, " for each of %u workers", summary->result->n_workers);
	fputc('\n', file);
	if (summary->has_records) {
		fprintf(file, "  records            %12" PRIu64 "  written", summary->n_records_written);
		if (summary->n_records_lost)
			fprintf(file, ", %" PRIu64 " lost", summary->n_records_lost);
		fputc('\n', file);
	}
	if (summary->flow_model) {
		print_verdicts(summary, file);
		print_captures_attacks(summary, file);
	}
}

/* Counts by class, and by the packet at which attacks were known. */
static void json_set_verdicts(json_t *flows, const struct model *model, const struct stats_flow_verdicts *verdicts)
{
	json_t *classes = json_object(), *packets = json_object();

	for (uint32_t class = 0; class < model->n_classes; class ++)
		summary_json_set_count(classes, model->classes[class], verdicts->classes[class]);
	json_object_set_new(flows, "by_class", classes);
	summary_json_set_count(flows, "unscored", verdicts->unscored);
	for (uint32_t at = 1; at <= STATS_MAX_CHECKPOINT; at++) {
		char name[16];

		snprintf(name, sizeof(name), "%u", at);
		if (verdicts->at_packets[at])
			summary_json_set_count(packets, name, verdicts->at_packets[at]);
	}
	summary_json_set_count(packets, "end", verdicts->at_packets[0]);
	json_object_set_new(flows, "attacks_known_at_packet", packets);
}

static json_t *json_hosts(const struct top_hosts *top)
{
	struct top_host list[SUMMARY_TOP_HOSTS];
	uint32_t n = top_hosts_list(top, list, SUMMARY_TOP_HOSTS);
	char text[INET6_ADDRSTRLEN];
	json_t *hosts = json_array();

	for (uint32_t i = 0; i < n; i++)
		json_array_append_new(hosts, json_pack("{s:s, s:I}", "address", host_text(&list[i], text), "flows",
						       (json_int_t)list[i].n_flows));
	return hosts;
}

void summary_json_set_attacks(json_t *object, const struct summary_attacks *attacks)
{
	json_object_set_new(object, "attackers", json_hosts(&attacks->attackers));
	json_object_set_new(object, "targets", json_hosts(&attacks->targets));
}

/* Slices are counted, each once; peak is the most that one table held at a time. */
json_t *summary_json_flows(const struct summary *summary, const uint64_t *counters,
			   const struct stats_flow_verdicts *verdicts, uint64_t peak)
{
	json_t *flows = json_object();

	summary_json_set_count(flows, "total", stats_sum(counters, STATS_KIND_FLOW_END));
	json_object_set_new(flows, "by_reason", summary_json_reasons(counters, STATS_KIND_FLOW_END));
	summary_json_set_count(flows, "peak", peak);
	summary_json_set_count(flows, "packets", counters[STATS_flow_packets]);
	summary_json_set_count(flows, "packets_without", counters[STATS_no_flow]);
	summary_json_set_count(flows, "evicted_single", counters[STATS_evicted_single]);
	summary_json_set_count(flows, "fragments_joined", counters[STATS_fragments_joined]);
	summary_json_set_count(flows, "fragments_alone", counters[STATS_fragments_alone]);
	if (summary->flow_model)
		json_set_verdicts(flows, summary->flow_model, verdicts);
	return flows;
}
