/* SPDX-License-Identifier: BSD-3-Clause */
#include "live_drift.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "command.h"
#include "packet_features.h"

/*
 * Rows from which on an index tells something: without any drift that of 10 bins is 9 / rows on average, and below 0.1
 * in 95 of 100 cases of 200 rows (B. Yurdakul, Statistical Properties of Population Stability Index, 2018).
 */
#define DRIFT_MIN_ROWS 200
/* Where so few come, indexes are told for so many intervals before they are too old. */
#define DRIFT_MAX_AGE 10

enum drift_task { DRIFT_PACKET, DRIFT_FLOW, DRIFT_N_TASKS };
static const char *const task_names[DRIFT_N_TASKS] = {"packet", "flow"};

struct drift_index {
	uint32_t input;
	double psi;
};

/* What is known of one model; the control core's. */
struct drift_state {
	uint32_t n_inputs; /* that are counted; 0: none */
	/* Of all workers, [n_inputs]: when the window began, and when it is looked at. */
	uint64_t (*before)[INPUT_BINS_MAX], (*now)[INPUT_BINS_MAX];
	uint64_t began_ns, told_ns;
	uint32_t n_indexes; /* 0: not enough rows yet */
	struct drift_index *indexes;
	uint64_t n_rows; /* compared for the indexes */
	double seconds;	 /* in which they came */

	uint64_t classes[STATS_MAX_FLOW_CLASSES]; /* counted until the last interval */
	double shares[STATS_MAX_FLOW_CLASSES];	  /* in the last interval */
	bool has_shares;
};

struct live_drift {
	struct drift_state states[DRIFT_N_TASKS];
	uint64_t interval_ns, looked_ns;
	pthread_mutex_t lock;
	json_t *told; /* guarded by lock; nobody else has it */
};

static uint64_t live_drift_now_ns(const struct live *live)
{
	return live_clock_ns(&live->workers[0].clock, rte_rdtsc());
}

static const struct model *model_of(const struct generation *generation, enum drift_task task)
{
	return task == DRIFT_PACKET ? generation->packet_model : generation->flow_model;
}

static const struct input_bins *bins_of(const struct generation *generation, enum drift_task task)
{
	return task == DRIFT_PACKET ? generation->packet_bins : generation->flow_bins;
}

/* The name of a model's input: packet models from elsewhere may not say. */
static const char *input_name(const struct model *model, uint32_t input, char name[16])
{
	return model->n_features ? model->features[input] : packet_features_name(input, name, 16);
}

/* ---- Inputs ---- */

/* Adds up what the workers have counted of a model's rows, into now. */
static void add_counts(const struct live *live, enum drift_task task, struct drift_state *state)
{
	memset(state->now, 0, state->n_inputs * sizeof(*state->now));
	for (uint32_t w = 0; w < live->n_workers; w++) {
		const struct classifier_models *models = live->current->live.models[w];
		const struct input_counts *counts = task == DRIFT_PACKET ? classifier_models_packet_counts(models)
									 : classifier_models_flow_counts(models);

		for (uint32_t i = 0; i < state->n_inputs; i++)
			for (uint32_t b = 0; b < INPUT_BINS_MAX; b++)
				state->now[i][b] += __atomic_load_n(&counts->numbers[i][b], __ATOMIC_RELAXED);
	}
}

/* What has been counted of an input since the window began; returns how many rows that are. */
static uint64_t window_counts(const struct drift_state *state, uint32_t input, uint64_t counts[INPUT_BINS_MAX])
{
	uint64_t n_rows = 0;

	for (uint32_t b = 0; b < INPUT_BINS_MAX; b++) {
		counts[b] = state->now[input][b] - state->before[input][b];
		n_rows += counts[b];
	}
	return n_rows;
}

static void begin_window(struct drift_state *state, uint64_t now_ns)
{
	uint64_t(*before)[INPUT_BINS_MAX] = state->before;

	state->before = state->now;
	state->now = before;
	state->began_ns = now_ns;
}

/* The largest first, and alike in the model's order. */
static int compare_indexes(const void *a, const void *b)
{
	const struct drift_index *one = a, *other = b;

	if (one->psi != other->psi)
		return one->psi < other->psi ? 1 : -1;
	return one->input < other->input ? -1 : 1;
}

/* The index of each input that the network looks at: what others look like is of no matter. */
static void make_indexes(const struct live *live, enum drift_task task, struct drift_state *state)
{
	const struct nn_network *network = &model_of(live->current, task)->network;
	const struct input_bins *bins = bins_of(live->current, task);
	uint64_t counts[INPUT_BINS_MAX];

	state->n_indexes = 0;
	for (uint32_t i = 0; i < state->n_inputs; i++) {
		if (!nn_network_reads(network, i) || !window_counts(state, i, counts))
			continue;
		state->indexes[state->n_indexes++] =
			(struct drift_index){.input = i, .psi = input_bins_psi(&bins[i], counts)};
	}
	qsort(state->indexes, state->n_indexes, sizeof(*state->indexes), compare_indexes);
}

/* Closes the window where it is long enough and has enough rows; else it goes on. */
static void look_at_inputs(const struct live *live, enum drift_task task, struct drift_state *state,
			   uint64_t now_ns)
{
	uint64_t counts[INPUT_BINS_MAX], n_rows, interval_ns = live->drift->interval_ns;

	if (!state->n_inputs)
		return;
	add_counts(live, task, state);
	n_rows = window_counts(state, 0, counts);
	if (now_ns - state->began_ns >= interval_ns && n_rows >= DRIFT_MIN_ROWS) {
		make_indexes(live, task, state);
		state->n_rows = n_rows;
		state->seconds = (double)(now_ns - state->began_ns) / 1e9;
		state->told_ns = now_ns;
		begin_window(state, now_ns);
	} else if (now_ns - state->told_ns >= DRIFT_MAX_AGE * interval_ns) {
		state->n_indexes = 0;
	}
}

/* Has the inputs of a model looked at that takes over now, which has counted nothing yet. 0 or -ENOMEM. */
static int follow_model(const struct live *live, enum drift_task task, struct drift_state *state)
{
	const struct model *model = model_of(live->current, task);
	uint32_t n = bins_of(live->current, task) ? model->network.n_in : 0;

	free(state->before);
	free(state->now);
	free(state->indexes);
	state->n_inputs = state->n_indexes = 0;
	state->before = calloc(n + 1, sizeof(*state->before));
	state->now = calloc(n + 1, sizeof(*state->now));
	state->indexes = calloc(n + 1, sizeof(*state->indexes));
	state->began_ns = state->told_ns = live_drift_now_ns(live);
	if (!state->before || !state->now || !state->indexes)
		return -ENOMEM;
	state->n_inputs = n;
	return 0;
}

/* ---- Classes ---- */

static uint32_t count_classes(const struct live *live, enum drift_task task)
{
	if (task == DRIFT_PACKET)
		return 2;
	return live->first->flow_model ? live->first->flow_engine_model->n_classes : 0;
}

/* Those of the records, which stay the same. */
static const char *class_name(const struct live *live, enum drift_task task, uint32_t class)
{
	return task == DRIFT_PACKET ? live->first->packet_class_names[class]
				    : live->first->flow_model->classes[class];
}

static uint64_t count_class(const struct live *live, enum drift_task task, uint32_t class)
{
	static const enum stats_counter packet_classes[] = {STATS_negative, STATS_positive};
	uint64_t n = 0;

	for (uint32_t w = 0; w < live->n_workers; w++) {
		const struct stats_block *stats = live->workers[w].stats;

		n += task == DRIFT_PACKET ? stats_get(stats, packet_classes[class])
					  : __atomic_load_n(&stats->flow_verdicts.classes[class], __ATOMIC_RELAXED);
	}
	return n;
}

static void look_at_classes(const struct live *live, enum drift_task task, struct drift_state *state)
{
	uint32_t n_classes = count_classes(live, task);
	double total = 0;

	for (uint32_t i = 0; i < n_classes; i++) {
		uint64_t n = count_class(live, task, i);

		state->shares[i] = (double)(n - state->classes[i]);
		state->classes[i] = n;
		total += state->shares[i];
	}
	state->has_shares = total > 0;
	for (uint32_t i = 0; i < n_classes && total > 0; i++)
		state->shares[i] /= total;
}

/* ---- What is told ---- */

static json_t *tell_shares(const struct live *live, enum drift_task task, const struct drift_state *state)
{
	json_t *shares = json_object();

	for (uint32_t i = 0; i < count_classes(live, task); i++)
		json_object_set_new(shares, class_name(live, task, i), json_real(state->shares[i]));
	return shares;
}

static json_t *tell_task(const struct live *live, enum drift_task task, const struct drift_state *state)
{
	const struct model *model = model_of(live->current, task);
	bool has_indexes = state->n_indexes > 0;
	json_t *inputs = json_object();
	char name[16];

	for (uint32_t i = 0; i < state->n_indexes; i++)
		json_object_set_new(inputs, input_name(model, state->indexes[i].input, name),
				    json_real(state->indexes[i].psi));
	return json_pack("{s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "has_baseline", state->n_inputs > 0, "psi",
			 has_indexes ? json_real(state->indexes[0].psi) : json_null(), "input",
			 has_indexes ? json_string(input_name(model, state->indexes[0].input, name)) : json_null(),
			 "rows", has_indexes ? json_integer((json_int_t)state->n_rows) : json_null(), "seconds",
			 has_indexes ? json_real(state->seconds) : json_null(), "class_shares",
			 state->has_shares ? tell_shares(live, task, state) : json_null(), "inputs", inputs);
}

/* Where memory is out nothing is told. */
static void tell(const struct live *live)
{
	struct live_drift *drift = live->drift;
	json_t *told = json_object(), *before;

	for (enum drift_task task = DRIFT_PACKET; task < DRIFT_N_TASKS; task++)
		if (count_classes(live, task))
			json_object_set_new(told, task_names[task], tell_task(live, task, &drift->states[task]));
	pthread_mutex_lock(&drift->lock);
	before = drift->told;
	drift->told = told;
	pthread_mutex_unlock(&drift->lock);
	json_decref(before);
}

/* Leaves the first inputs. */
static void cut_inputs(json_t *inputs)
{
	const char *name;
	json_t *value;
	void *next;
	uint32_t n = 0;

	json_object_foreach_safe(inputs, next, name, value)
	{
		if (n++ >= LIVE_DRIFT_TOP)
			json_object_del(inputs, name);
	}
}

json_t *live_drift_report(const struct live *live, bool has_all)
{
	struct live_drift *drift = live->drift;
	const char *name;
	json_t *copy, *task;

	if (!drift)
		return NULL;
	pthread_mutex_lock(&drift->lock);
	copy = json_deep_copy(drift->told);
	pthread_mutex_unlock(&drift->lock);
	json_object_foreach(copy, name, task)
	{
		if (!has_all)
			cut_inputs(json_object_get(task, "inputs"));
	}
	return copy;
}

/* Samples of one family of gauges: the members of an object of each task. */
static void print_members(const struct openmetrics *out, json_t *told, const char *family, const char *member,
			  const char *label)
{
	const char *task, *name;
	json_t *state, *value;

	json_object_foreach(told, task, state)
	{
		json_object_foreach(json_object_get(state, member), name, value)
		{
			openmetrics_gauge(out, family, json_real_value(value), "task", task, label, name, NULL);
		}
	}
}

void live_drift_print(const struct live *live, const struct openmetrics *out)
{
	static const char psi[] = "wirescore_input_drift_psi", rows[] = "wirescore_input_drift_rows";
	static const char share[] = "wirescore_class_share_ratio";
	json_t *told = live_drift_report(live, true), *state;
	const char *task;

	openmetrics_family(out, psi, OPENMETRICS_GAUGE, "",
			   "population stability index of a model's input against its training: below 0.1 it is "
			   "stable, above 0.25 it has shifted");
	print_members(out, told, psi, "inputs", "input");
	openmetrics_family(out, rows, OPENMETRICS_GAUGE, "rows", "rows of inputs that were compared for it");
	json_object_foreach(told, task, state)
	{
		if (json_is_integer(json_object_get(state, "rows")))
			openmetrics_gauge(out, rows, (double)json_integer_value(json_object_get(state, "rows")),
					  "task", task, NULL);
	}
	openmetrics_family(out, share, OPENMETRICS_GAUGE, "ratio",
			   "share of a class among packets, or flows that ended, in the last interval");
	print_members(out, told, share, "class_shares", "class");
	json_decref(told);
}

/* ---- The run ---- */

void live_drift_step(struct live *live, uint64_t now_ns)
{
	struct live_drift *drift = live->drift;

	if (!drift || now_ns - drift->looked_ns < drift->interval_ns)
		return;
	drift->looked_ns = now_ns;
	for (enum drift_task task = DRIFT_PACKET; task < DRIFT_N_TASKS; task++) {
		look_at_inputs(live, task, &drift->states[task], now_ns);
		look_at_classes(live, task, &drift->states[task]);
	}
	tell(live);
}

void live_drift_follow(struct live *live)
{
	int rc = 0;

	if (!live->drift)
		return;
	for (enum drift_task task = DRIFT_PACKET; task < DRIFT_N_TASKS; task++)
		rc |= follow_model(live, task, &live->drift->states[task]);
	if (rc)
		complain("no drift is told: out of memory");
	tell(live);
}

int live_drift_create(struct live *live)
{
	if (!live->config->metrics.drift_interval_ns)
		return 0;
	live->drift = calloc(1, sizeof(*live->drift));
	if (!live->drift)
		return -ENOMEM;
	live->drift->interval_ns = live->config->metrics.drift_interval_ns;
	live->drift->looked_ns = live_drift_now_ns(live);
	pthread_mutex_init(&live->drift->lock, NULL);
	live_drift_follow(live);
	return 0;
}

void live_drift_free(struct live *live)
{
	struct live_drift *drift = live->drift;

	if (!drift)
		return;
	for (enum drift_task task = DRIFT_PACKET; task < DRIFT_N_TASKS; task++) {
		free(drift->states[task].before);
		free(drift->states[task].now);
		free(drift->states[task].indexes);
	}
	pthread_mutex_destroy(&drift->lock);
	json_decref(drift->told);
	free(drift);
	live->drift = NULL;
}
