/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The summary's table of captures, and who attacks whom in each. Called by summary.c and summary_flows.c.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "json_text.h"
#include "summary.h"
#include "text.h"

/* Hosts that are named of each capture. */
#define SUMMARY_TOP_HOSTS 5

/* Numbers of a capture: packets, by 2 classes, flows, by 2 classes, without a class. */
#define SUMMARY_MAX_COLUMNS 7

/* Where lists begin, as the counts' names end there, and where they are broken. */
#define SUMMARY_LIST_COLUMN 21
#define SUMMARY_MAX_COLUMN  100

/* ---- Lists ---- */

/* Things with commas between, broken into lines that begin below the first one. */
struct summary_list {
	FILE *file;
	int column;
	const char *separator;
};

static struct summary_list list_begin(FILE *file, int indent, const char *name)
{
	fprintf(file, "%*s%-*s", indent, "", SUMMARY_LIST_COLUMN - indent, name);
	return (struct summary_list){.file = file, .column = SUMMARY_LIST_COLUMN, .separator = ""};
}

static void __attribute__((format(printf, 2, 3))) list_put(struct summary_list *list, const char *format, ...)
{
	char text[128];
	va_list arguments;
	int length;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	length = (int)strlen(text);
	/* A comma may still follow it. */
	if (*list->separator && list->column + 2 + length + 1 > SUMMARY_MAX_COLUMN) {
		fprintf(list->file, ",\n%*s%s", SUMMARY_LIST_COLUMN, "", text);
		list->column = SUMMARY_LIST_COLUMN + length;
	} else {
		list->column += fprintf(list->file, "%s%s", list->separator, text);
	}
	list->separator = ", ";
}

static void list_end(const struct summary_list *list)
{
	fputc('\n', list->file);
}

/* ---- Attacks ---- */

/* Flows of any class but 0. */
static uint64_t verdicts_n_attacks(const struct stats_flow_verdicts *verdicts)
{
	uint64_t n = 0;

	for (uint32_t class = 1; class < STATS_MAX_FLOW_CLASSES; class ++)
		n += verdicts->classes[class];
	return n;
}

/* The address of a host as text. */
static const char *host_text(const struct top_host *host, char text[INET6_ADDRSTRLEN])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	*text_put_address(text, host->address, !memcmp(host->address, mapped, sizeof(mapped))) = '\0';
	return text;
}

static void print_hosts(FILE *file, int indent, const char *name, const struct top_hosts *top)
{
	struct top_host hosts[SUMMARY_TOP_HOSTS];
	char text[INET6_ADDRSTRLEN];
	uint32_t n = top_hosts_list(top, hosts, SUMMARY_TOP_HOSTS);
	struct summary_list list;

	if (!n)
		return;
	list = list_begin(file, indent, name);
	for (uint32_t i = 0; i < n; i++)
		list_put(&list, "%s (%" PRIu64 "%s)", host_text(&hosts[i], text), hosts[i].n_flows,
			 hosts[i].n_before ? " at least" : "");
	if (top->n_seen > n)
		list_put(&list, "and %" PRIu32 " more%s", top->n_seen - n, top->n_other_flows ? " at least" : "");
	list_end(&list);
}

void summary_print_known(FILE *file, int indent, const struct stats_flow_verdicts *verdicts)
{
	uint64_t n = verdicts_n_attacks(verdicts);
	struct summary_list list;

	if (!n)
		return;
	list = list_begin(file, indent, "known at packet");
	for (uint32_t at = 1; at <= STATS_MAX_CHECKPOINT; at++)
		if (verdicts->at_packets[at])
			list_put(&list, "%" PRIu32 ": %.1f %%", at, 100 * summary_per(verdicts->at_packets[at], n));
	if (verdicts->at_packets[0])
		list_put(&list, "end: %.1f %%", 100 * summary_per(verdicts->at_packets[0], n));
	list_end(&list);
}

void summary_print_attacks(FILE *file, int indent, const struct summary_attacks *attacks)
{
	print_hosts(file, indent, "attackers", &attacks->attackers);
	print_hosts(file, indent, "targets", &attacks->targets);
}

static json_t *json_hosts(const struct top_hosts *top)
{
	struct top_host list[SUMMARY_TOP_HOSTS];
	uint32_t n = top_hosts_list(top, list, SUMMARY_TOP_HOSTS);
	char text[INET6_ADDRSTRLEN];
	json_t *hosts = json_array();

	for (uint32_t i = 0; i < n; i++)
		json_array_append_new(hosts, json_pack("{s:s, s:I, s:b}", "address", host_text(&list[i], text),
						       "flows", (json_int_t)list[i].n_flows, "flows_at_least",
						       list[i].n_before != 0));
	return hosts;
}

/* Sets name, name_total, and whether there are at least so many. */
static void json_set_hosts(json_t *object, const char *name, const struct top_hosts *top)
{
	char total[32], at_least[32];

	snprintf(total, sizeof(total), "%s_total", name);
	snprintf(at_least, sizeof(at_least), "%s_at_least", name);
	json_object_set_new(object, name, json_hosts(top));
	json_object_set_new(object, total, json_integer(top->n_seen));
	json_object_set_new(object, at_least, json_boolean(top->n_other_flows != 0));
}

void summary_json_set_attacks(json_t *object, const struct summary_attacks *attacks)
{
	json_set_hosts(object, "attackers", &attacks->attackers);
	json_set_hosts(object, "targets", &attacks->targets);
}

/* ---- The table ---- */

/* A column: its name, and how wide it is. */
struct summary_column {
	const char *name;
	int width;
};

/* The columns that there are; returns how many. has_unscored: some flow has no class. */
static uint32_t columns_name(const struct summary *summary, bool has_unscored, struct summary_column *columns)
{
	const struct model *model = summary->flow_model;
	uint32_t n = 0;

	columns[n++].name = "packets";
	columns[n++].name = summary->classes[1];
	columns[n++].name = summary->classes[0];
	if (summary->flows)
		columns[n++].name = "flows";
	if (model) {
		columns[n++].name = model->classes[0];
		columns[n++].name = model->n_classes == 2 ? model->classes[1] : "others";
	}
	if (has_unscored)
		columns[n++].name = "not scored";
	return n;
}

/* The numbers of a capture, in the order of the columns. */
static void capture_numbers(const struct summary *summary, const struct offline_capture *capture,
			    uint64_t numbers[SUMMARY_MAX_COLUMNS])
{
	const struct stats_flow_verdicts *verdicts = &capture->flow_verdicts;
	uint32_t n = 0;

	numbers[n++] = capture->counters[STATS_packets];
	numbers[n++] = capture->counters[STATS_positive];
	numbers[n++] = capture->counters[STATS_negative];
	if (summary->flows)
		numbers[n++] = stats_sum(capture->counters, STATS_KIND_FLOW_END);
	if (summary->flow_model) {
		numbers[n++] = verdicts->classes[0];
		numbers[n++] = verdicts_n_attacks(verdicts);
		numbers[n++] = verdicts->unscored;
	}
}

/* Makes the columns as wide as what stands in them. */
static void columns_fit(const struct summary *summary, struct summary_column *columns, uint32_t n)
{
	uint64_t numbers[SUMMARY_MAX_COLUMNS];

	for (uint32_t c = 0; c < n; c++)
		columns[c].width = (int)strlen(columns[c].name);
	for (uint32_t i = 0; i < summary->n_captures; i++) {
		capture_numbers(summary, &summary->captures[i], numbers);
		for (uint32_t c = 0; c < n; c++) {
			int width = snprintf(NULL, 0, "%" PRIu64, numbers[c]);

			columns[c].width = width > columns[c].width ? width : columns[c].width;
		}
	}
}

/* Which of many classes the flows of a capture are of. */
static void print_classes(const struct model *model, FILE *file, const struct stats_flow_verdicts *verdicts)
{
	struct summary_list list;

	if (model->n_classes == 2 || !verdicts_n_attacks(verdicts))
		return;
	list = list_begin(file, 4, "classes");
	for (uint32_t class = 1; class < model->n_classes; class ++)
		if (verdicts->classes[class])
			list_put(&list, "%s %" PRIu64, model->classes[class], verdicts->classes[class]);
	list_end(&list);
}

static void print_capture(const struct summary *summary, FILE *file, uint32_t index,
			  const struct summary_column *columns, uint32_t n_columns)
{
	const struct offline_capture *capture = &summary->captures[index];
	uint64_t numbers[SUMMARY_MAX_COLUMNS];

	capture_numbers(summary, capture, numbers);
	for (uint32_t c = 0; c < n_columns; c++)
		fprintf(file, "  %*" PRIu64, columns[c].width, numbers[c]);
	fprintf(file, "  %s%s\n", capture->info->path,
		!capture->is_started	? "  (not read)"
		: !capture->is_complete ? "  (in part)"
					: "");
	if (!summary->flow_model)
		return;
	print_classes(summary->flow_model, file, &capture->flow_verdicts);
	summary_print_attacks(file, 4, &summary->attacks[index]);
	summary_print_known(file, 4, &capture->flow_verdicts);
}

void summary_print_captures(const struct summary *summary, FILE *file)
{
	struct summary_column columns[SUMMARY_MAX_COLUMNS];
	bool has_unscored = summary->flow_model && summary->result->total->flow_verdicts.unscored;
	uint32_t n = columns_name(summary, has_unscored, columns);

	if (summary->n_captures < 2)
		return;
	columns_fit(summary, columns, n);
	fputc('\n', file);
	for (uint32_t c = 0; c < n; c++)
		fprintf(file, "  %*s", columns[c].width, columns[c].name);
	fputs("  capture\n", file);
	for (uint32_t i = 0; i < summary->n_captures; i++)
		print_capture(summary, file, i, columns, n);
}
