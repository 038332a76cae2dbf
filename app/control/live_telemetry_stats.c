/* SPDX-License-Identifier: BSD-3-Clause */
#include "live_telemetry_stats.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <rte_telemetry.h>

#include "command.h"
#include "live_drift.h"
#include "live_figures.h"
#include "live_models.h"
#include "live_report.h"
#include "live_top.h"
#include "telemetry_json.h"

/* The run, as long as it may be looked at, and how many threads do. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t left;
	struct live *live;
	uint32_t n_inside;
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER, .left = PTHREAD_COND_INITIALIZER};

static struct live *run_enter(void)
{
	struct live *live;

	pthread_mutex_lock(&seen.lock);
	live = seen.live;
	seen.n_inside += live != NULL;
	pthread_mutex_unlock(&seen.lock);
	return live;
}

static void run_leave(void)
{
	pthread_mutex_lock(&seen.lock);
	seen.n_inside--;
	pthread_cond_broadcast(&seen.left);
	pthread_mutex_unlock(&seen.lock);
}

static json_t *answer_error(const char *format, const char *parameters)
{
	char shown[RTE_TEL_MAX_STRING_LEN], text[2 * RTE_TEL_MAX_STRING_LEN];

	telemetry_json_text(shown, parameters ? parameters : "");
	snprintf(text, sizeof(text), format, shown);
	return json_pack("{s:s}", "error", text);
}

/* The number below or at limit that parameters are. 0, or -1. */
static int read_index(const char *parameters, uint32_t limit, uint64_t *index)
{
	return parameters ? read_u64(parameters, 0, limit, index) : -1;
}

/* DPDK's names lack what it does not allow: each member says its own. */
static void add_names(json_t *objects)
{
	const char *key;
	json_t *object;

	json_object_foreach(objects, key, object)
	{
		json_object_set_new(object, "name", json_string(key));
	}
}

static json_t *answer_stats(struct live *live, const char *parameters)
{
	json_t *report;
	uint32_t n;

	if (parameters && *parameters)
		return answer_error("'%s': takes no parameters", parameters);
	report = live_report(live);
	if (!report)
		return NULL;
	/* They have commands of their own. */
	json_object_del(report, "histograms");
	json_object_del(report, "models");
	add_names(json_object_get(report, "ports"));
	add_names(json_object_get(report, "sinks"));
	/* Ports as they fit: there is one command for each. Long names of classes may leave no room for sinks either. */
	n = telemetry_json_fit(report, "ports");
	if (n)
		json_object_set_new(report, "ports_left_out", json_integer(n));
	n = telemetry_json_fit(report, "sinks");
	if (n)
		json_object_set_new(report, "sinks_left_out", json_integer(n));
	return report;
}

static json_t *answer_worker(struct live *live, const char *parameters)
{
	uint64_t index;

	if (read_index(parameters, live->n_workers - 1, &index))
		return answer_error("'%s' is no worker; they are numbered from 0", parameters);
	return live_figures_worker(live, (uint32_t)index);
}

static json_t *answer_port(struct live *live, const char *parameters)
{
	json_t *report, *port;
	uint64_t index;

	if (read_index(parameters, live->config->n_ports - 1, &index))
		return answer_error("'%s' is no port; they are numbered from 0", parameters);
	report = live_report(live);
	port = json_incref(json_object_get(json_object_get(report, "ports"), live->ports[index].options.name));
	json_decref(report);
	if (port)
		json_object_set_new(port, "name", json_string(live->ports[index].options.name));
	return port;
}

/* Of "N[,ORDER]". 0 or -1. */
static int read_top(const char *parameters, uint64_t *n, enum top_flows_order *order)
{
	char text[32], *comma;

	if (!parameters || strlen(parameters) >= sizeof(text))
		return -1;
	strcpy(text, parameters);
	comma = strchr(text, ',');
	if (comma)
		*comma = '\0';
	*order = TOP_FLOWS_PACKETS;
	if (comma && live_top_order(comma + 1, order))
		return -1;
	return read_u64(text, 1, TOP_FLOWS_MAX, n);
}

static json_t *answer_top(struct live *live, const char *parameters)
{
	enum top_flows_order order;
	json_t *flows;
	uint32_t n_left_out;
	uint64_t n;

	if (read_top(parameters, &n, &order))
		return answer_error("'%s': N[,packets|bytes|score] is needed, N from 1 to 100", parameters);
	if (live_top_flows(live, order, (uint32_t)n, &flows))
		return NULL;
	n_left_out = telemetry_json_fit(flows, "flows");
	if (n_left_out)
		json_object_set_new(flows, "flows_left_out", json_integer(n_left_out));
	return flows;
}

static json_t *answer_model(struct live *live, const char *parameters)
{
	(void)live;
	if (parameters && *parameters)
		return answer_error("'%s': takes no parameters", parameters);
	return live_models_report();
}

static json_t *answer_histograms(struct live *live, const char *parameters)
{
	json_t *report, *histograms;
	uint32_t n_left_out;

	if (parameters && *parameters)
		return answer_error("'%s': takes no parameters", parameters);
	report = live_report(live);
	histograms = json_incref(json_object_get(report, "histograms"));
	json_decref(report);
	if (!histograms)
		return NULL;
	/* Bounds without their counts would tell nothing: each as a whole. */
	n_left_out = telemetry_json_fit(histograms, NULL);
	if (n_left_out)
		json_object_set_new(histograms, "histograms_left_out", json_integer(n_left_out));
	return histograms;
}

/* DPDK's objects have at most 256 members. */
#define MAX_INPUTS 240

static json_t *answer_drift(struct live *live, const char *parameters)
{
	json_t *report, *task, *inputs;
	const char *name;
	json_t *value;
	void *next;
	uint32_t n = 0, n_left_out;

	if (!parameters || (strcmp(parameters, "packet") && strcmp(parameters, "flow")))
		return answer_error("'%s': packet or flow is needed", parameters);
	report = live_drift_report(live, true);
	task = json_incref(json_object_get(report, parameters));
	json_decref(report);
	if (!task)
		return answer_error("%s: nothing is told of it", parameters);
	inputs = json_object_get(task, "inputs");
	json_object_foreach_safe(inputs, next, name, value)
	{
		if (n++ >= MAX_INPUTS)
			json_object_del(inputs, name);
	}
	n_left_out = n > MAX_INPUTS ? n - MAX_INPUTS : 0;
	n_left_out += telemetry_json_fit(task, "inputs");
	if (n_left_out)
		json_object_set_new(task, "inputs_left_out", json_integer(n_left_out));
	return task;
}

static const struct {
	const char *name;
	json_t *(*answer)(struct live *live, const char *parameters); /* NULL: memory is out */
	const char *help;
} commands[] = {
	{"/wirescore/stats", answer_stats, "All that is counted. Takes no parameters"},
	{"/wirescore/worker", answer_worker, "What a worker has counted. Parameters: int worker, from 0"},
	{"/wirescore/port", answer_port, "What is counted of a port. Parameters: int port, from 0"},
	{"/wirescore/flows/top", answer_top, "Largest flows. Parameters: int N[,packets|bytes|score]"},
	{"/wirescore/model", answer_model, "The models that are asked. Takes no parameters"},
	{"/wirescore/drift", answer_drift, "How far models' inputs are from training. Parameters: packet|flow"},
	{"/wirescore/histograms", answer_histograms, "Scores, times, bursts. Takes no parameters"},
};
enum { N_COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static json_t *find_answer(struct live *live, const char *command, const char *parameters)
{
	for (int i = 0; i < N_COMMANDS; i++)
		if (!strcmp(command, commands[i].name))
			return commands[i].answer(live, parameters);
	return NULL;
}

/* All of the commands. */
static int handle(const char *command, const char *parameters, struct rte_tel_data *answer)
{
	struct live *live = run_enter();
	json_t *object;
	int rc;

	if (live) {
		object = find_answer(live, command, parameters);
		run_leave();
	} else {
		object = answer_error("the run ends%s", NULL);
	}
	if (!object)
		object = answer_error("out of memory%s", NULL);
	rc = telemetry_json_answer(answer, object);
	json_decref(object);
	return rc;
}

void live_telemetry_stats_open(struct live *live)
{
	pthread_mutex_lock(&seen.lock);
	seen.live = live;
	pthread_mutex_unlock(&seen.lock);
	if (!live->config->metrics.has_telemetry)
		return;
	for (int i = 0; i < N_COMMANDS; i++) {
		int rc = rte_telemetry_register_cmd(commands[i].name, handle, commands[i].help);

		if (rc)
			complain("[metrics] telemetry: %s: %s; the run goes on without", commands[i].name,
				 strerror(-rc));
	}
}

void live_telemetry_stats_close(void)
{
	pthread_mutex_lock(&seen.lock);
	seen.live = NULL;
	while (seen.n_inside)
		pthread_cond_wait(&seen.left, &seen.lock);
	pthread_mutex_unlock(&seen.lock);
}
