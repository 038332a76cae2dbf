/* SPDX-License-Identifier: BSD-3-Clause */
#include "top/top_page.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define LABEL_COLUMNS 12

void top_page_number(char text[16], double value)
{
	static const char units[] = " kMGTP";
	uint32_t i = 0;

	if (!(value > 0))
		value = 0;
	/* Not 1000.0 where 999.96 is rounded. */
	for (; value >= 999.5 && units[i + 1]; i++)
		value /= 1000;
	if (!i && (value == (double)(uint64_t)value || value >= 99.5))
		snprintf(text, 16, "%.0f", value);
	else
		snprintf(text, 16, "%.*f%c", value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value, units[i]);
	if (text[0] && text[strlen(text) - 1] == ' ')
		text[strlen(text) - 1] = '\0';
}

/* Appends to a line, as far as there is room. */
static void put(struct top_page *page, struct top_line *line, const char *text)
{
	size_t n = strlen(line->text);

	for (; *text && n < page->n_columns; text++)
		line->text[n++] = *text >= ' ' && *text <= '~' ? *text : '?';
	line->text[n] = '\0';
}

static struct top_line *begin(struct top_page *page, enum top_style style)
{
	struct top_line *line = &page->lines[page->n_lines < TOP_MAX_LINES ? page->n_lines++ : TOP_MAX_LINES - 1];

	line->text[0] = '\0';
	line->style = style;
	return line;
}

/* A whole line. */
static void __attribute__((format(printf, 3, 4)))
put_line(struct top_page *page, enum top_style style, const char *format, ...)
{
	char text[2 * TOP_MAX_COLUMNS];
	va_list values;

	va_start(values, format);
	vsnprintf(text, sizeof(text), format, values);
	va_end(values);
	put(page, begin(page, style), text);
}

/* A list that begins with a label, and goes on in the next line where it is too long. */
struct list {
	struct top_page *page;
	struct top_line *line;
	uint32_t n;
};

static struct list list_begin(struct top_page *page, enum top_style style, const char *label)
{
	struct list list = {.page = page, .line = begin(page, style)};
	char text[LABEL_COLUMNS + 1];

	snprintf(text, sizeof(text), "%-*s", LABEL_COLUMNS, label);
	put(page, list.line, text);
	return list;
}

static void __attribute__((format(printf, 2, 3))) list_put(struct list *list, const char *format, ...)
{
	char text[TOP_MAX_COLUMNS];
	va_list values;

	va_start(values, format);
	vsnprintf(text, sizeof(text), format, values);
	va_end(values);
	if (list->n && strlen(list->line->text) + 2 + strlen(text) > list->page->n_columns) {
		list->line = begin(list->page, list->line->style);
		snprintf(list->line->text, sizeof(list->line->text), "%*s",
			 (int)(list->page->n_columns < 2 * LABEL_COLUMNS ? 2 : LABEL_COLUMNS), "");
	} else if (list->n) {
		put(list->page, list->line, "  ");
	}
	put(list->page, list->line, text);
	list->n++;
}

static void list_rate(struct list *list, const char *name, double value)
{
	char text[16];

	top_page_number(text, value);
	list_put(list, "%s %s/s", name, text);
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "-";
}

static void put_totals(struct top_page *page, const struct top_sample *sample, const json_t *rates)
{
	const json_t *classifier = json_object_get(sample->stats, "classifier"),
		     *flows = json_object_get(sample->stats, "flows");
	struct list list = list_begin(page, TOP_PLAIN, "now");

	list_rate(&list, "packets", top_number(rates, "packets"));
	list_put(&list, "%.3f Gbit/s", top_number(rates, "bits") / 1e9);
	if (flows)
		list_rate(&list, "new flows", top_number(rates, "flows_started"));
	if (flows)
		list_put(&list, "%.0f flows open", top_number(flows, "open"));
	list = list_begin(page, TOP_PLAIN, "so far");
	list_put(&list, "packets %.0f", top_number(classifier, "packets"));
	list_put(&list, "bytes %.0f", top_number(classifier, "bytes"));
	if (flows)
		list_put(&list, "flows %.0f", top_number(flows, "started"));
}

/*
 * Rates by class. The names come from the model, which has them as they are; those of the answer are what DPDK allows
 * as a name.
 */
static void put_classes(struct top_page *page, const char *label, const json_t *rates, const json_t *model)
{
	const json_t *names = json_object_get(model, "classes");
	struct list list;
	const char *key;
	json_t *value;
	double total = 0;
	size_t i = 0;

	if (!json_object_size(rates))
		return;
	list = list_begin(page, TOP_PLAIN, label);
	json_object_foreach((json_t *)(uintptr_t)rates, key, value)
	{
		total += json_real_value(value);
	}
	json_object_foreach((json_t *)(uintptr_t)rates, key, value)
	{
		const char *name = json_string_value(json_array_get(names, i++));
		char text[16];

		top_page_number(text, json_real_value(value));
		list_put(&list, "%s %s/s (%.1f%%)", name ? name : key, text,
			 total > 0 ? 100 * json_real_value(value) / total : 0);
	}
}

/* What goes no further, by cause: only causes there are. */
static void put_drops(struct top_page *page, const json_t *rates)
{
	const json_t *drops = json_object_get(rates, "dropped");
	struct list list = list_begin(page, TOP_PLAIN, "dropped");
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)drops, key, value)
	{
		if (json_real_value(value) <= 0)
			continue;
		/* What the policy asks for is no loss. */
		if (strcmp(key, "dropped_by_policy") && strcmp(key, "dropped_before_verdict"))
			list.line->style = TOP_ALARM;
		list_rate(&list, strncmp(key, "dropped_", 8) ? key : key + 8, json_real_value(value));
	}
	if (!list.n)
		list_put(&list, "nothing");
	if (top_number(rates, "shed") > 0)
		list_rate(&list, "not scored", top_number(rates, "shed"));
	if (top_number(rates, "parse_errors") > 0)
		list_rate(&list, "not parsed", top_number(rates, "parse_errors"));
}

/* A time in us, with three digits. */
static void put_times(struct list *list, const char *name, const json_t *times)
{
	char text[3][16];
	static const char *const keys[] = {"p50", "p99", "p99.9"};

	for (int i = 0; i < 3; i++) {
		double us = top_number(times, keys[i]);

		snprintf(text[i], sizeof(text[i]), "%.*f", us < 10 ? 2 : us < 100 ? 1 : 0, us);
	}
	list_put(list, "%s %s %s %s", name, text[0], text[1], text[2]);
}

static void put_speed(struct top_page *page, const struct top_sample *sample, const json_t *rates)
{
	const json_t *stages = json_object_get(sample->stats, "cycles_per_packet");
	struct list list = list_begin(page, TOP_PLAIN, "latency us");
	const char *key;
	json_t *value;

	list_put(&list, "(p50 p99 p99.9)");
	put_times(&list, "to verdict", json_object_get(rates, "verdict_us"));
	put_times(&list, "to end", json_object_get(rates, "latency_us"));
	list = list_begin(page, TOP_PLAIN, "cycles");
	json_object_foreach((json_t *)(uintptr_t)stages, key, value)
	{
		(void)value;
		list_put(&list, "%s %.0f", key, top_number(stages, key));
	}
}

static void put_models(struct top_page *page, const json_t *model)
{
	const json_t *packet = json_object_get(model, "packet"), *flow = json_object_get(model, "flow");
	struct list list = list_begin(page, TOP_PLAIN, "models");

	if (packet)
		list_put(&list, "packets %s %s", text_of(packet, "name"), text_of(packet, "version"));
	if (flow)
		list_put(&list, "flows %s %s", text_of(flow, "name"), text_of(flow, "version"));
	list_put(&list, "kernel %s", text_of(model, "kernel"));
}

/* Of each model the input that has drifted most from its training; below 0.1 is stable, by convention. */
static void put_drift(struct top_page *page, const json_t *drift)
{
	static const char *const tasks[][2] = {{"packet", "packets"}, {"flow", "flows"}};
	struct list list;

	if (!json_object_get(json_object_get(drift, "packet"), "psi") &&
	    !json_object_get(json_object_get(drift, "flow"), "psi"))
		return;
	list = list_begin(page, TOP_PLAIN, "drift");
	for (size_t i = 0; i < sizeof(tasks) / sizeof(tasks[0]); i++) {
		const json_t *task = json_object_get(drift, tasks[i][0]);
		double psi = top_number(task, "psi");

		if (!json_object_get(task, "psi"))
			continue;
		if (psi > 0.25)
			list.line->style = TOP_ALARM;
		list_put(&list, "%s %s %.2f %s", tasks[i][1], text_of(task, "input"), psi,
			 psi > 0.25  ? "shifted"
			 : psi > 0.1 ? "moving"
				     : "stable");
	}
}

static void put_ports(struct top_page *page, const struct top_sample *sample, const json_t *rates)
{
	const json_t *ports = json_object_get(sample->stats, "ports");
	const char *key;
	json_t *value;

	put_line(page, TOP_HEADING, "%-10s %9s %9s %9s %9s %9s  %s", "PORT", "packets/s", "Gbit/s", "forward/s",
		 "dropped/s", "device/s", "link");
	json_object_foreach((json_t *)(uintptr_t)ports, key, value)
	{
		const json_t *rate = json_object_get(json_object_get(rates, "ports"), key);
		bool is_up = top_number(value, "is_link_up") > 0, is_gone = top_number(value, "is_gone") > 0;
		char in[16], forwarded[16], dropped[16], device[16];

		top_page_number(in, top_number(rate, "packets"));
		top_page_number(forwarded, top_number(rate, "forwarded"));
		top_page_number(dropped, top_number(rate, "dropped"));
		top_page_number(device, top_number(rate, "device_lost"));
		put_line(page, !is_up || is_gone || top_number(rate, "device_lost") > 0 ? TOP_ALARM : TOP_PLAIN,
			 "%-10.20s %9s %9.3f %9s %9s %9s  %s",
			 json_object_get(value, "name") ? text_of(value, "name") : key, in,
			 top_number(rate, "bits") / 1e9, forwarded, dropped, device,
			 is_gone ? "gone"
			 : is_up ? "up"
				 : "down");
	}
}

static void put_workers(struct top_page *page, const json_t *rates)
{
	struct list list = list_begin(page, TOP_PLAIN, "workers");
	json_t *worker;
	size_t i;

	json_array_foreach(json_object_get(rates, "workers"), i, worker)
	{
		char packets[16];

		top_page_number(packets, top_number(worker, "packets"));
		list_put(&list, "%zu: %.0f%% %s/s", i, 100 * top_number(worker, "load"), packets);
	}
}

static void put_sinks(struct top_page *page, const struct top_sample *sample, const json_t *rates)
{
	const json_t *sinks = json_object_get(sample->stats, "sinks");
	const char *key;
	json_t *value;

	if (!json_object_size(sinks))
		return;
	put_line(page, TOP_HEADING, "%-10s %-9s %9s %9s %9s %9s  %s", "SINK", "to", "taken/s", "waiting", "dropped",
		 "failures", "last error");
	json_object_foreach((json_t *)(uintptr_t)sinks, key, value)
	{
		const json_t *rate = json_object_get(json_object_get(rates, "sinks"), key);
		char taken[16], queued[16], dropped[16], failures[16];

		top_page_number(taken, top_number(rate, "delivered"));
		top_page_number(queued, top_number(value, "queued"));
		top_page_number(dropped, top_number(value, "dropped_full") + top_number(value, "dropped_end"));
		top_page_number(failures, top_number(value, "failures"));
		put_line(page, top_number(rate, "dropped") > 0 ? TOP_ALARM : TOP_PLAIN,
			 "%-10.20s %-9.9s %9s %9s %9s %9s  %s",
			 json_object_get(value, "name") ? text_of(value, "name") : key, text_of(value, "to"), taken,
			 queued, dropped, failures, text_of(value, "error"));
	}
}

static void put_protocol(char text[16], double protocol)
{
	static const struct {
		double number;
		const char *name;
	} names[] = {{1, "icmp"}, {6, "tcp"}, {17, "udp"}, {58, "icmp6"}, {132, "sctp"}};

	snprintf(text, 16, "%.0f", protocol);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].number == protocol)
			snprintf(text, 16, "%s", names[i].name);
}

/* ADDRESS:PORT, or as RFC 3986 has it [ADDRESS]:PORT. */
static void put_endpoint(char text[80], const json_t *flow, const char *address, const char *port)
{
	const char *host = text_of(flow, address);
	double number = top_number(flow, port);

	if (number > 0)
		snprintf(text, 80, strchr(host, ':') ? "[%.45s]:%.0f" : "%.45s:%.0f", host, number);
	else
		snprintf(text, 80, "%.45s", host);
}

static void put_flow(struct top_page *page, const json_t *flow, const char *benign)
{
	char packets[16], bytes[16], protocol[16], from[80], to[80], score[16] = "-";
	const char *class = text_of(flow, "class");

	top_page_number(packets, top_number(flow, "packets_fwd") + top_number(flow, "packets_bwd"));
	top_page_number(bytes, top_number(flow, "bytes_fwd") + top_number(flow, "bytes_bwd"));
	put_protocol(protocol, top_number(flow, "protocol"));
	put_endpoint(from, flow, "src", "src_port");
	put_endpoint(to, flow, "dst", "dst_port");
	if (json_object_get(flow, "score"))
		snprintf(score, sizeof(score), "%.3f", top_number(flow, "score"));
	put_line(page, strcmp(class, "-") && strcmp(class, benign) ? TOP_ALARM : TOP_PLAIN,
		 "%7s %7s %5.0f %-9.9s %5s  %s %s > %s", packets, bytes, top_number(flow, "seconds"), class, score,
		 protocol, from, to);
}

static void put_flows(struct top_page *page, const struct top_sample *sample)
{
	const json_t *flows = json_object_get(sample->flows, "flows");
	const char *benign = json_string_value(
		json_array_get(json_object_get(json_object_get(sample->model, "flow"), "classes"), 0));
	double n_left_out = top_number(sample->flows, "workers_left_out");
	double n_more = top_number(sample->flows, "flows_left_out");
	const char *key;
	char more[48] = "";
	json_t *flow;

	/* DPDK answers 16 KB at most. */
	if (n_more > 0)
		snprintf(more, sizeof(more), "; %.0f found no room", n_more);
	put_line(page, TOP_HEADING, "%7s %7s %5s %-9s %5s  FLOWS BY %s%s%s", "packets", "bytes", "s", "class",
		 "score", text_of(sample->flows, "order"), n_left_out > 0 ? ", of workers that answer" : "", more);
	json_object_foreach((json_t *)(uintptr_t)flows, key, flow)
	{
		put_flow(page, flow, benign ? benign : "");
	}
}

void top_page_fill(struct top_page *page, uint32_t n_columns, const struct top_sample *sample, const json_t *rates,
		   const char *state)
{
	const json_t *model = sample->model;

	page->n_lines = 0;
	page->n_columns = n_columns < TOP_MIN_COLUMNS	? TOP_MIN_COLUMNS
			  : n_columns > TOP_MAX_COLUMNS ? TOP_MAX_COLUMNS
							: n_columns;
	put_line(page, TOP_TITLE, "wirescore  %s", state);
	if (!sample->stats)
		return;
	put_totals(page, sample, rates);
	put_classes(page, "packets", json_object_get(rates, "classes"), json_object_get(model, "packet"));
	put_classes(page, "ended flows", json_object_get(rates, "flow_classes"), json_object_get(model, "flow"));
	put_drops(page, rates);
	put_speed(page, sample, rates);
	put_models(page, model);
	put_drift(page, json_object_get(sample->stats, "drift"));
	put_workers(page, rates);
	put_ports(page, sample, rates);
	put_sinks(page, sample, rates);
	put_flows(page, sample);
}
