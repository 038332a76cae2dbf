/* SPDX-License-Identifier: BSD-3-Clause */
#include "flow_judge.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "flow_memory.h"

/* What is kept of a flow in each place of the table. */
struct judge_flow {
	struct flow_verdict verdict;
	bool is_owed; /* the model was spared where it was due */
	struct flow_context_memory memory;
};
_Static_assert(sizeof(struct judge_flow) == 32, "two in a cache line");

/* Something that the table told. */
struct judge_told {
	struct flow_context_turn turn;
	uint32_t place;
	uint32_t packet; /* of the burst, or FLOW_NO_PACKET */
	uint32_t row;	 /* of the model's inputs, or NO_ROW */
	uint8_t reason;
	bool is_next; /* of the same flow as the one before */
	bool is_shed; /* the model was due and is spared */
};

#define NO_ROW UINT32_MAX

struct flow_asker {
	const struct flow_model *model;
	struct nn_scratch *scratch;
	float *rows;		     /* [FLOW_MAX_TOLD] of the model's inputs */
	float *outputs;		     /* [FLOW_MAX_TOLD] of the model's outputs */
	struct input_counts *counts; /* NULL: rows are not counted */
};

struct flow_judge {
	struct flow_judge_options options;
	struct flow_asker *own_asker;	/* of the options' model */
	const struct flow_asker *asker; /* NULL: no model */
	bool has_context, is_shedding, makes_up;
	uint64_t n_shed;
	struct flow_contexts *contexts;
	struct judge_flow *flows; /* [n_flows] */

	uint32_t n_told, n_judged, n_rows;
	struct judge_told told[FLOW_MAX_TOLD];
	struct flow_judged judged[FLOW_MAX_TOLD];
	struct flow_context context[FLOW_MAX_TOLD]; /* of each judged */
	size_t copy_bytes;
	uint8_t *copies;			      /* [FLOW_MAX_TOLD]: flow, series and history of each judged */
	const struct flow_view *asked[FLOW_MAX_TOLD]; /* what each row is of */
};

struct flow_asker *flow_asker_create(const struct flow_model *model)
{
	struct flow_asker *asker = calloc(1, sizeof(*asker));

	if (!asker)
		return NULL;
	asker->model = model;
	asker->scratch = nn_scratch_create(model->plan);
	asker->rows = malloc(FLOW_MAX_TOLD * model->features->n * sizeof(*asker->rows));
	asker->outputs = malloc(FLOW_MAX_TOLD * model->n_outputs * sizeof(*asker->outputs));
	if (asker->scratch && asker->rows && asker->outputs)
		return asker;
	flow_asker_free(asker);
	return NULL;
}

void flow_asker_free(struct flow_asker *asker)
{
	if (!asker)
		return;
	nn_scratch_free(asker->scratch);
	free(asker->rows);
	free(asker->outputs);
	free(asker);
}

const struct flow_model *flow_asker_model(const struct flow_asker *asker)
{
	return asker->model;
}

void flow_asker_count(struct flow_asker *asker, struct input_counts *counts)
{
	asker->counts = counts;
}

static bool flow_judge_has_context(const struct flow_judge_options *options)
{
	return options->layout.has_context || (options->model && options->model->features->layout.has_context);
}

static size_t flow_judge_flows_bytes(const struct flow_judge_options *options)
{
	return (size_t)options->n_flows * sizeof(struct judge_flow);
}

size_t flow_judge_bytes(const struct flow_judge_options *options)
{
	return flow_judge_flows_bytes(options) +
	       (flow_judge_has_context(options) ? flow_contexts_bytes(&options->context) : 0);
}

int flow_judge_create(const struct flow_judge_options *options, struct flow_judge **judge)
{
	struct flow_judge *j = calloc(1, sizeof(*j));
	int rc = 0;

	if (!j)
		return -ENOMEM;
	j->options = *options;
	j->has_context = flow_judge_has_context(options);
	j->copy_bytes = sizeof(struct flow) + (options->layout.has_series ? sizeof(struct flow_series) : 0) +
			flow_history_bytes(&options->layout);
	j->flows = flow_memory_create(flow_judge_flows_bytes(options));
	j->copies = malloc(FLOW_MAX_TOLD * j->copy_bytes);
	if (!j->flows || !j->copies)
		rc = -ENOMEM;
	if (!rc && options->model) {
		j->own_asker = flow_asker_create(options->model);
		j->asker = j->own_asker;
		rc = j->asker ? 0 : -ENOMEM;
	}
	if (!rc && j->has_context)
		rc = flow_contexts_create(&options->context, &j->contexts);
	if (rc) {
		flow_judge_free(j);
		return rc;
	}
	*judge = j;
	return 0;
}

void flow_judge_free(struct flow_judge *judge)
{
	if (!judge)
		return;
	flow_contexts_free(judge->contexts);
	flow_asker_free(judge->own_asker);
	flow_memory_free(judge->flows, flow_judge_flows_bytes(&judge->options));
	free(judge->copies);
	free(judge);
}

void flow_judge_touch(struct flow_judge *judge)
{
	flow_memory_touch(judge->flows, flow_judge_flows_bytes(&judge->options));
	if (judge->contexts)
		flow_contexts_touch(judge->contexts);
}

/* Copies a flow, which may be gone or have gone on when it is judged. */
static void flow_judge_copy(struct flow_judge *judge, const struct flow_view *view, enum flow_reason reason)
{
	const struct flow_layout *layout = &judge->options.layout;
	struct flow_judged *judged = &judge->judged[judge->n_judged];
	uint8_t *at = judge->copies + judge->n_judged * judge->copy_bytes;

	judged->reason = reason;
	judged->view = (struct flow_view){
		.flow = memcpy(at, view->flow, sizeof(*view->flow)),
		.context = judge->has_context ? &judge->context[judge->n_judged] : NULL,
		.place = view->place,
	};
	at += sizeof(*view->flow);
	if (layout->has_series) {
		judged->view.series = memcpy(at, view->series, sizeof(*view->series));
		at += sizeof(*view->series);
	}
	if (layout->has_history)
		judged->view.history = memcpy(at, view->history, flow_history_bytes(layout));
	judge->n_judged++;
}

/* Whether the model is due for a flow. */
static bool flow_judge_is_due(const struct flow_judge *judge, const struct flow_view *view, enum flow_reason reason)
{
	uint32_t n_packets = view->flow->side[FLOW_FORWARD].packets + view->flow->side[FLOW_BACKWARD].packets;
	const struct flow_model *model = judge->asker->model;

	if (reason != FLOW_REASON_CHECKPOINT)
		return model->has_ends;
	return judge->makes_up || (n_packets <= FLOW_MAX_CHECKPOINT && model->checkpoints >> (n_packets - 1) & 1);
}

void flow_judge_tell(struct flow_judge *judge, const struct flow_view *view, enum flow_reason reason)
{
	struct judge_told *told = &judge->told[judge->n_told++];

	told->place = view->place;
	told->packet = view->packet;
	told->reason = (uint8_t)reason;
	told->row = NO_ROW;
	told->is_shed = false;
	__builtin_prefetch(&judge->flows[view->place], 1);
	/* The place is the flow's own until another starts there. */
	told->is_next = judge->n_told > 1 && told[-1].place == view->place && reason != FLOW_REASON_STARTED;
	if (judge->has_context)
		flow_context_prepare(judge->contexts, view, reason, told->is_next ? &told[-1].turn : NULL,
				     &told->turn);
	if (reason > FLOW_REASON_CHECKPOINT)
		return;
	if (judge->asker && flow_judge_is_due(judge, view, reason)) {
		told->is_shed = judge->is_shedding;
		judge->n_shed += told->is_shed;
		if (!told->is_shed) {
			judge->asked[judge->n_rows] = &judge->judged[judge->n_judged].view;
			told->row = judge->n_rows++;
		}
	}
	flow_judge_copy(judge, view, reason);
}

/* Counts each turn to its context, and reads the context of flows that are judged. */
static void flow_judge_look(struct flow_judge *judge)
{
	uint32_t n_judged = 0;

	for (uint32_t i = 0; i < judge->n_told; i++)
		if (!judge->told[i].is_next)
			flow_context_fetch(judge->contexts, &judge->told[i].turn);
	for (uint32_t i = 0; i < judge->n_told; i++) {
		const struct judge_told *told = &judge->told[i];

		flow_context_count(judge->contexts, &told->turn, &judge->flows[told->place].memory);
		if (told->reason <= FLOW_REASON_CHECKPOINT)
			flow_context_read(judge->contexts, &told->turn, &judge->context[n_judged++]);
	}
}

/* Counts some of the rows that the model is asked with, for drift. */
static void flow_asker_count_rows(const struct flow_asker *asker, uint32_t n)
{
	uint32_t at = input_counts_skip(asker->counts, n);

	while (at < n) {
		input_counts_add_floats(asker->counts, asker->rows + (size_t)at * asker->model->features->n);
		at++;
		at += input_counts_skip(asker->counts, n - at);
	}
}

static void flow_judge_score(struct flow_judge *judge)
{
	const struct flow_asker *asker = judge->asker;
	const struct flow_model *model;

	if (!asker)
		return;
	model = asker->model;
	flow_feature_set_rows(model->features, judge->asked, judge->n_rows, asker->rows);
	if (asker->counts)
		flow_asker_count_rows(asker, judge->n_rows);
	for (uint32_t at = 0, n; at < judge->n_rows; at += n) {
		n = judge->n_rows - at < NN_MAX_BATCH ? judge->n_rows - at : NN_MAX_BATCH;
		model->kernel->score_floats(model->plan, asker->scratch,
					    asker->rows + (size_t)at * model->features->n, model->features->n, n,
					    asker->outputs + (size_t)at * model->n_outputs);
	}
}

/* Takes what the model says where that is the highest logit so far; sums that overflowed never are. */
static void flow_verdict_take(struct flow_verdict *verdict, float logit, uint32_t class,
			      const struct flow_judged *judged)
{
	const struct flow_side *side = judged->view.flow->side;
	bool is_higher = isfinite(logit) && (isnan(verdict->logit) || logit > verdict->logit);

	if (!is_higher)
		return;
	verdict->logit = logit;
	/* A class that is known stays known since then. */
	if (verdict->class != class || !class) {
		verdict->class = (uint8_t) class;
		verdict->packets = side[FLOW_FORWARD].packets + side[FLOW_BACKWARD].packets;
		verdict->checkpoint = 0;
		if (judged->reason == FLOW_REASON_CHECKPOINT)
			verdict->checkpoint =
				(uint8_t)(verdict->packets < FLOW_MAX_CHECKPOINT ? verdict->packets
										 : FLOW_MAX_CHECKPOINT);
	}
}

/* Gives packets from *next up to end the verdicts that are known by now. */
static void flow_judge_answer(const struct flow_judge *judge, struct flow_judge_packets *packets, uint32_t *next,
			      uint32_t end)
{
	for (; *next < end && *next < packets->n; ++*next)
		if (packets->places[*next] != FLOW_NO_PLACE)
			packets->verdicts[*next] = judge->flows[packets->places[*next]].verdict;
}

/* Takes the model's answer to something that was told, or the beginning of a flow that has none yet. */
static void flow_judge_settle(struct flow_judge *judge, const struct judge_told *told, struct flow_judged *judged)
{
	const struct flow_asker *asker = judge->asker;
	struct judge_flow *flow = &judge->flows[told->place];

	if (told->reason == FLOW_REASON_STARTED) {
		flow->verdict = (struct flow_verdict){.logit = NAN};
		flow->is_owed = false;
	}
	/* What has ended is not asked about any more. */
	if (told->reason <= FLOW_REASON_CHECKPOINT && (told->is_shed || told->reason != FLOW_REASON_CHECKPOINT))
		flow->is_owed = told->reason == FLOW_REASON_CHECKPOINT;
	if (told->row != NO_ROW) {
		float logit;
		uint32_t class = flow_model_class(
			asker->model, asker->outputs + (size_t)told->row * asker->model->n_outputs, &logit);

		flow_verdict_take(&flow->verdict, logit, class, judged);
		flow->is_owed = false;
	}
}

/* Brings the verdicts up to date, in the order of what was told. */
static void flow_judge_decide(struct flow_judge *judge, struct flow_judge_packets *packets)
{
	uint32_t n_judged = 0, next = 0;

	for (uint32_t i = 0; i < judge->n_told; i++) {
		const struct judge_told *told = &judge->told[i];
		struct flow_judged *judged = &judge->judged[n_judged];

		if (packets)
			flow_judge_answer(judge, packets, &next, told->packet);
		flow_judge_settle(judge, told, judged);
		if (told->reason > FLOW_REASON_CHECKPOINT)
			continue;
		judged->verdict = judge->flows[told->place].verdict;
		n_judged++;
	}
	if (packets)
		flow_judge_answer(judge, packets, &next, packets->n);
}

void flow_judge_prefetch(const struct flow_judge *judge, uint32_t place)
{
	__builtin_prefetch(&judge->flows[place]);
}

const struct flow_judged *flow_judge_run(struct flow_judge *judge, struct flow_judge_packets *packets, uint32_t *n)
{
	if (judge->has_context)
		flow_judge_look(judge);
	flow_judge_score(judge);
	flow_judge_decide(judge, packets);
	*n = judge->n_judged;
	judge->n_told = 0;
	judge->n_judged = 0;
	judge->n_rows = 0;
	return judge->judged;
}

void flow_judge_set_asker(struct flow_judge *judge, const struct flow_asker *asker)
{
	judge->asker = asker;
}

void flow_judge_set_shedding(struct flow_judge *judge, bool is_shedding)
{
	judge->is_shedding = is_shedding;
}

uint64_t flow_judge_n_shed(const struct flow_judge *judge)
{
	return judge->n_shed;
}

void flow_judge_clear_counts(struct flow_judge *judge)
{
	judge->n_shed = 0;
}

void flow_judge_set_making_up(struct flow_judge *judge, bool makes_up)
{
	judge->makes_up = makes_up;
}

bool flow_judge_owes(const struct flow_judge *judge, uint32_t place)
{
	return judge->flows[place].is_owed;
}

const struct flow_verdict *flow_judge_verdict(const struct flow_judge *judge, uint32_t place)
{
	return &judge->flows[place].verdict;
}

void flow_judge_clear(struct flow_judge *judge)
{
	if (judge->contexts)
		flow_contexts_clear(judge->contexts);
}
