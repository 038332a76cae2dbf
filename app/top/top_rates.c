/* SPDX-License-Identifier: BSD-3-Clause */
#include "top/top_rates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stats.h"

static double clock_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int top_sample_take(struct top_sample *sample, const struct top_link *link, const char *order, uint32_t n)
{
	char command[64];

	snprintf(command, sizeof(command), "/wirescore/flows/top,%u,%s", n, order);
	*sample = (struct top_sample){.at_s = clock_s(), .pid = link->pid};
	sample->stats = top_link_ask(link, "/wirescore/stats");
	if (json_object_get(sample->stats, "classifier")) {
		sample->histograms = top_link_ask(link, "/wirescore/histograms");
		sample->model = top_link_ask(link, "/wirescore/model");
		sample->flows = top_link_ask(link, command);
	}
	if (sample->flows)
		return 0;
	top_sample_free(sample);
	return -1;
}

void top_sample_free(struct top_sample *sample)
{
	json_decref(sample->stats);
	json_decref(sample->model);
	json_decref(sample->histograms);
	json_decref(sample->flows);
	*sample = (struct top_sample){0};
}

static double value_of(const json_t *value)
{
	return json_is_string(value) ? strtod(json_string_value(value), NULL) : json_number_value(value);
}

double top_number(const json_t *object, const char *key)
{
	return value_of(json_object_get(object, key));
}

/* What a number grew by a second; 0 where it did not. */
static double growth(const json_t *before, const json_t *now, const char *key, double seconds)
{
	double grown = top_number(now, key) - top_number(before, key);

	return grown > 0 ? grown / seconds : 0;
}

static void set(json_t *object, const char *key, double value)
{
	json_object_set_new(object, key, json_real(value));
}

/* Of each number of an object. */
static json_t *growths(const json_t *before, const json_t *now, double seconds)
{
	json_t *rates = json_object(), *value;
	const char *key;

	json_object_foreach((json_t *)(uintptr_t)now, key, value)
	{
		set(rates, key, growth(before, now, key, seconds));
	}
	return rates;
}

static json_t *member(const struct top_sample *sample, const char *key)
{
	return json_object_get(sample->stats, key);
}

static bool is_loss(const char *name)
{
	return !strncmp(name, "dropped_", 8) || !strncmp(name, "device_", 7) || !strcmp(name, "mirror_lost");
}

static json_t *port_rates(const json_t *before, const json_t *now, double seconds, json_t *drops)
{
	json_t *rates = json_object(), *value;
	double dropped = 0, device = 0;
	const char *key;

	json_object_foreach((json_t *)(uintptr_t)now, key, value)
	{
		double rate = is_loss(key) ? growth(before, now, key, seconds) : 0;

		if (!is_loss(key))
			continue;
		set(drops, key, top_number(drops, key) + rate);
		*(strncmp(key, "device_", 7) ? &dropped : &device) += rate;
	}
	set(rates, "packets", growth(before, now, "received", seconds));
	set(rates, "bits", 8 * growth(before, now, "received_bytes", seconds));
	set(rates, "forwarded", growth(before, now, "forwarded", seconds));
	set(rates, "dropped", dropped);
	set(rates, "device_lost", device);
	return rates;
}

/* Of all ports; also adds them up. */
static void add_ports(json_t *rates, const struct top_sample *before, const struct top_sample *now, double seconds)
{
	json_t *ports = json_object(), *drops = json_object(), *value;
	double packets = 0, bits = 0;
	const char *key;

	json_object_foreach(member(now, "ports"), key, value)
	{
		json_t *port = port_rates(json_object_get(member(before, "ports"), key), value, seconds, drops);

		packets += top_number(port, "packets");
		bits += top_number(port, "bits");
		json_object_set_new(ports, key, port);
	}
	set(rates, "packets", packets);
	set(rates, "bits", bits);
	json_object_set_new(rates, "dropped", drops);
	json_object_set_new(rates, "ports", ports);
}

/* Further losses, of the classifier and of records; parse errors are together. */
static void add_losses(json_t *rates, const struct top_sample *before, const struct top_sample *now, double seconds)
{
	json_t *drops = json_object_get(rates, "dropped");
	const json_t *were = member(before, "classifier"), *are = member(now, "classifier");
	double parse = 0;

	for (int i = 0; i < STATS_N_COUNTERS; i++) {
		const char *name = stats_counter_infos[i].name;

		if (stats_counter_infos[i].kind == STATS_KIND_DROP)
			set(drops, name, growth(were, are, name, seconds));
		if (stats_counter_infos[i].kind == STATS_KIND_PARSE)
			parse += growth(were, are, name, seconds);
	}
	set(drops, "flow_records", growth(member(before, "flows"), member(now, "flows"), "records_lost", seconds));
	set(drops, "packet_records",
	    growth(member(before, "flows"), member(now, "flows"), "packet_records_lost", seconds));
	set(rates, "parse_errors", parse);
	set(rates, "shed", growth(were, are, "shed_packets", seconds) + growth(were, are, "shed_flows", seconds));
}

static void add_workers(json_t *rates, const struct top_sample *before, const struct top_sample *now,
			double seconds)
{
	json_t *workers = json_array(), *value;
	size_t i;

	json_array_foreach(member(now, "worker_packets"), i, value)
	{
		double packets = value_of(value) - value_of(json_array_get(member(before, "worker_packets"), i));
		double busy_ms = value_of(json_array_get(member(now, "worker_busy_ms"), i)) -
				 value_of(json_array_get(member(before, "worker_busy_ms"), i));

		json_array_append_new(workers, json_pack("{s:f, s:f}", "packets", packets / seconds, "load",
							 busy_ms / 1e3 / seconds));
	}
	json_object_set_new(rates, "workers", workers);
}

/* Counts of the buckets of before, by their bounds; 0 where there is none. */
static double count_at(const json_t *histogram, double bound)
{
	const json_t *bounds = json_object_get(histogram, "le");
	json_t *value;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)bounds, i, value)
	{
		if (value_of(value) == bound)
			return value_of(json_array_get(json_object_get(histogram, "counts"), i));
	}
	return 0;
}

/* What a share of the values that came between two histograms does not exceed, in us. */
static double quantile(const json_t *before, const json_t *now, double share)
{
	const json_t *bounds = json_object_get(now, "le"), *counts = json_object_get(now, "counts");
	double total = 0, n = 0, bound = 0;
	json_t *value;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)bounds, i, value)
	{
		total += value_of(json_array_get(counts, i)) - count_at(before, value_of(value));
	}
	json_array_foreach((json_t *)(uintptr_t)bounds, i, value)
	{
		double grown = value_of(json_array_get(counts, i)) - count_at(before, value_of(value));

		if (total <= 0 || n >= share * total)
			break;
		if (grown > 0)
			bound = value_of(value);
		n += grown;
	}
	return bound / 1e3;
}

static json_t *times(const struct top_sample *before, const struct top_sample *now, const char *key)
{
	const json_t *was = json_object_get(before->histograms, key), *is = json_object_get(now->histograms, key);

	return json_pack("{s:f, s:f, s:f}", "p50", quantile(was, is, 0.5), "p99", quantile(was, is, 0.99), "p99.9",
			 quantile(was, is, 0.999));
}

static void add_sinks(json_t *rates, const struct top_sample *before, const struct top_sample *now, double seconds)
{
	json_t *sinks = json_object(), *value;
	const char *key;

	json_object_foreach(member(now, "sinks"), key, value)
	{
		const json_t *was = json_object_get(member(before, "sinks"), key);

		json_object_set_new(sinks, key,
				    json_pack("{s:f, s:f}", "delivered", growth(was, value, "delivered", seconds),
					      "dropped",
					      growth(was, value, "dropped_full", seconds) +
						      growth(was, value, "dropped_end", seconds)));
	}
	json_object_set_new(rates, "sinks", sinks);
}

json_t *top_rates(const struct top_sample *before, const struct top_sample *now)
{
	double seconds = before->stats ? now->at_s - before->at_s : top_number(now->stats, "seconds");
	json_t *rates = json_object();

	if (!rates)
		return NULL;
	if (seconds <= 0)
		seconds = 1e-3;
	set(rates, "seconds", seconds);
	add_ports(rates, before, now, seconds);
	add_losses(rates, before, now, seconds);
	set(rates, "flows_started", growth(member(before, "flows"), member(now, "flows"), "started", seconds));
	json_object_set_new(rates, "classes",
			    growths(json_object_get(member(before, "classifier"), "classes"),
				    json_object_get(member(now, "classifier"), "classes"), seconds));
	json_object_set_new(rates, "flow_classes",
			    growths(json_object_get(member(before, "flows"), "classes"),
				    json_object_get(member(now, "flows"), "classes"), seconds));
	add_workers(rates, before, now, seconds);
	add_sinks(rates, before, now, seconds);
	json_object_set_new(rates, "verdict_us", times(before, now, "verdict_ns"));
	json_object_set_new(rates, "latency_us", times(before, now, "latency_ns"));
	return rates;
}
