/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the summary says of flows: how they ended, and which class they are of. Called by summary.c.
 */
#include <inttypes.h>

#include "summary.h"

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
	if (summary->n_captures == 1)
		summary_print_attacks(file, 2, &summary->attacks[0]);
	summary_print_known(file, 2, verdicts);
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
	if (summary->flow_model)
		print_verdicts(summary, file);
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
