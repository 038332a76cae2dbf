/* SPDX-License-Identifier: BSD-3-Clause */
#include "config_report.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "json_text.h"
#include "sinks/sink_kinds.h"
#include "sinks/sink_secret.h"

#define NS_PER_SECOND 1e9

static const char *const role_names[] = {"observe", "inline", "mirror"};
static const char *const rss_names[] = {"auto", "symmetric", "software"};
static const char *const records_kinds[] = {[SINK_FLOWS] = "flows", [SINK_PACKETS] = "packets"};
static const char *const form_names[] = {[SINK_NDJSON] = "ndjson", [SINK_CSV] = "csv", [SINK_JOY] = "joy"};

/* A number, or "auto" for 0, into text. Returns text. */
static const char *number_or_auto(uint32_t value, char text[16])
{
	snprintf(text, 16, "%u", value);
	return value ? text : "auto";
}

/* What is done, as it is written in a config, into text. Returns text. */
static const char *action_text(const struct config_action *action, char *text, size_t size)
{
	switch (action->kind) {
	case CONFIG_ACTION_FORWARD:
		return "forward";
	case CONFIG_ACTION_DROP:
		return "drop";
	case CONFIG_ACTION_MIRROR:
		snprintf(text, size, "mirror %s", action->port_name);
		return text;
	case CONFIG_ACTION_MARK_DSCP:
		snprintf(text, size, "mark dscp %u", action->value);
		return text;
	case CONFIG_ACTION_MARK_PCP:
		snprintf(text, size, "mark vlan-pcp %u", action->value);
		return text;
	}
	return "";
}

static void print_ports(const struct config *config, FILE *file)
{
	int name = 4, device = 6;

	for (uint32_t i = 0; i < config->n_ports; i++) {
		int n = (int)strlen(config->ports[i].device.text);

		name = (int)strlen(config->ports[i].name) > name ? (int)strlen(config->ports[i].name) : name;
		device = n > device ? n : device;
	}
	fprintf(file, "%-*s  %-*s  %-8s %-7s %6s %6s  %-9s %s\n", name, "port", device, "device", "role", "queues",
		"rx/tx", "mtu", "rss", "peer");
	for (uint32_t i = 0; i < config->n_ports; i++) {
		const struct config_port *port = &config->ports[i];
		char queues[16], rx[16], tx[16], mtu[16], descriptors[40];

		snprintf(descriptors, sizeof(descriptors), "%s/%s", number_or_auto(port->n_rx_descriptors, rx),
			 number_or_auto(port->n_tx_descriptors, tx));
		if (!port->n_rx_descriptors && !port->n_tx_descriptors)
			snprintf(descriptors, sizeof(descriptors), "auto");
		fprintf(file, "%-*s  %-*s  %-8s %-7s %6s %6s  %-9s %s\n", name, port->name, device,
			port->device.text, role_names[port->role], number_or_auto(port->n_queues, queues),
			descriptors, number_or_auto(port->mtu, mtu), rss_names[port->rss],
			port->peer == CONFIG_NO_PORT ? "-" : config->ports[port->peer].name);
	}
}

static void print_workers(const struct config *config, FILE *file)
{
	const struct config_cores *cores = &config->eal.cores;

	fprintf(file, "\nworkers  %u", config_n_workers(config));
	if (!cores->n)
		fputs(", on whatever core is free", file);
	for (uint32_t i = 0; i < cores->n; i++)
		fprintf(file, "%s%u", i ? "," : " on cores ", cores->ids[i]);
	if (config->eal.main_core >= 0)
		fprintf(file, "; control on core %d", config->eal.main_core);
	if (config->eal.burst)
		fprintf(file, "; bursts of %u", config->eal.burst);
	fputc('\n', file);
}

static void print_model(FILE *file, const char *name, const struct config_model *model, double threshold)
{
	fprintf(file, "%-7s  %s", name, model->path ? model->path : "none");
	if (model->path && model->shape[0])
		fprintf(file, "  %s", model->shape);
	if (model->path && !isnan(threshold))
		fprintf(file, "  threshold %g", threshold);
	fputc('\n', file);
}

static void print_policy(const struct config *config, FILE *file)
{
	static const char *const holds[] = {"forward", "hold-drop"};
	char text[64];

	if (!config->n_pairs && !config->n_classes)
		return;
	fprintf(file, "\n%-24s %s\n%-24s %s\n%-24s %s\n", "policy", "action", "before a verdict",
		holds[config->policy.before_verdict], "non-IP",
		action_text(&config->policy.non_ip, text, sizeof(text)));
	for (uint32_t i = 0; i < config->n_classes; i++) {
		const struct config_class *class = &config->classes[i];

		fprintf(file, "%-24s %s", class->name, action_text(&class->action, text, sizeof(text)));
		if (class->threshold > 0)
			fprintf(file, " from score %g", class->threshold);
		fputs(class->is_count_only ? ", counted only\n" : "\n", file);
	}
	fprintf(file, "%-24s forward\n", "all else");
}

/* Where records go, for people. Never a password. */
static const char *records_place(const struct config_records *records)
{
	return records->to == CONFIG_TO_FILE ? records->path : records->server;
}

static void print_records(const struct config_records *records, FILE *file)
{
	fprintf(file, "records  %s: %s as %s to %s %s", records->name, records_kinds[records->records],
		records->to == CONFIG_TO_IPFIX ? "IPFIX" : form_names[records->form], sink_kinds[records->to].name,
		records_place(records));
	for (uint32_t i = 0; i < records->classes.n; i++)
		fprintf(file, "%s%s", i ? ", " : "; of ", records->classes.words[i]);
	if (records->min_score > 0)
		fprintf(file, "; from score %g", records->min_score);
	if (records->uncertain > 0)
		fprintf(file, "; within %g of the threshold", records->uncertain);
	if (records->one_in > 1)
		fprintf(file, "; of one in %u conversations", records->one_in);
	fputc('\n', file);
	if (sink_secret_is_exposed(records->password_file))
		fprintf(file, "warning  everyone may read %s; run chmod o-rwx\n", records->password_file);
}

void config_report_print(const struct config *config, FILE *file)
{
	print_ports(config, file);
	print_workers(config, file);
	print_model(file, "packets", &config->models.packet, config->models.packet_threshold);
	print_model(file, "flows", &config->models.flow, config->models.flow_threshold);
	if (config->models.kernel)
		fprintf(file, "kernel   %s\n", config->models.kernel);
	if (config->flow.n_flows)
		fprintf(file, "table    %" PRIu64 " flows a worker; idle %g s, active %g s\n", config->flow.n_flows,
			(double)config->flow.idle_ns / NS_PER_SECOND,
			(double)config->flow.active_ns / NS_PER_SECOND);
	if (config->sensor.name)
		fprintf(file, "sensor   %s\n", config->sensor.name);
	for (uint32_t i = 0; i < config->n_records; i++)
		print_records(&config->records[i], file);
	if (config->security.user)
		fprintf(file, "user     %s%s%s\n", config->security.user, config->security.group ? ", group " : "",
			config->security.group ? config->security.group : "");
	print_policy(config, file);
}

/* A number, or null for 0, which stands for auto. */
static json_t *json_count(uint32_t value)
{
	return value ? json_integer(value) : json_null();
}

static json_t *json_score(double score)
{
	return isnan(score) ? json_null() : json_real(score);
}

static json_t *ports_json(const struct config *config)
{
	json_t *array = json_array();

	for (uint32_t i = 0; array && i < config->n_ports; i++) {
		const struct config_port *port = &config->ports[i];

		json_array_append_new(
			array,
			json_pack("{s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:b, s:s, s:s?}", "name", port->name,
				  "device", json_text(port->device.text), "role", role_names[port->role], "queues",
				  json_count(port->n_queues), "rx_descriptors", json_count(port->n_rx_descriptors),
				  "tx_descriptors", json_count(port->n_tx_descriptors), "mbufs",
				  json_count(port->n_mbufs), "mtu", json_count(port->mtu), "promiscuous",
				  (int)port->is_promiscuous, "rss", rss_names[port->rss], "peer",
				  port->peer == CONFIG_NO_PORT ? NULL : config->ports[port->peer].name));
	}
	return array;
}

static json_t *policy_json(const struct config *config)
{
	json_t *classes = json_array();
	char text[64];

	for (uint32_t i = 0; classes && i < config->n_classes; i++) {
		const struct config_class *class = &config->classes[i];

		json_array_append_new(classes,
				      json_pack("{s:o, s:s, s:f, s:b}", "class", json_text(class->name), "action",
						action_text(&class->action, text, sizeof(text)), "threshold",
						class->threshold, "count_only", (int)class->is_count_only));
	}
	return json_pack("{s:s, s:s, s:o}", "before_verdict",
			 config->policy.before_verdict == CONFIG_HOLD_DROP ? "hold-drop" : "forward", "non_ip",
			 action_text(&config->policy.non_ip, text, sizeof(text)), "classes", classes);
}

static json_t *cores_json(const struct config_cores *cores)
{
	json_t *array = json_array();

	for (uint32_t i = 0; array && i < cores->n; i++)
		json_array_append_new(array, json_integer(cores->ids[i]));
	return array;
}

static json_t *models_json(const struct config_models *models)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:s?}", "packet", json_text_or_null(models->packet.path), "flow",
			 json_text_or_null(models->flow.path), "packet_threshold",
			 json_score(models->packet_threshold), "flow_threshold", json_score(models->flow_threshold),
			 "kernel", models->kernel);
}

static json_t *records_json(const struct config *config)
{
	json_t *array = json_array();

	for (uint32_t i = 0; array && i < config->n_records; i++) {
		const struct config_records *records = &config->records[i];
		json_t *classes = json_array();

		for (uint32_t k = 0; k < records->classes.n; k++)
			json_array_append_new(classes, json_text(records->classes.words[k]));
		json_array_append_new(
			array, json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:f, s:f, s:i, s:i}", "name",
					 records->name, "to", sink_kinds[records->to].name, "records",
					 records_kinds[records->records], "format", form_names[records->form],
					 "place", json_text_or_null(records_place(records)), "classes", classes,
					 "min_score", records->min_score, "uncertain", records->uncertain, "one_in",
					 (int)records->one_in, "queue", (int)records->n_queued));
	}
	return array;
}

json_t *config_report_json(const struct config *config)
{
	const struct config_eal *eal = &config->eal;

	return json_pack(
		"{s:o, s:i, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o}", "ports", ports_json(config),
		"workers", (int)config_n_workers(config), "cores", cores_json(&eal->cores), "main_core",
		eal->main_core < 0 ? json_null() : json_integer(eal->main_core), "burst",
		eal->burst ? json_integer(eal->burst) : json_null(), "models", models_json(&config->models),
		"policy", policy_json(config), "flows", (json_int_t)config->flow.n_flows, "sensor",
		json_text_or_null(config->sensor.name), "records", records_json(config), "user",
		json_text_or_null(config->security.user), "group", json_text_or_null(config->security.group));
}
