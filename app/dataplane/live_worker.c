/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The loop that every packet on a wire passes: receive, classify, act, send. Launched by the control core, on an
 * lcore of its own. Packets of one queue leave in the order in which they came.
 */
#include "live_worker.h"

#include <unistd.h>

#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <rte_pause.h>
#include <rte_prefetch.h>
#include <rte_ring_elem.h>

/* How often a port that takes no more is asked again: at most some 50 us, then packets behind would be lost too. */
#define LIVE_TX_TRIES 256

/*
 * Polls in a row that gave all that was asked for: more waits than the models let through. A queue's descriptors are
 * emptied twice meanwhile, so that a burst of the sender's does not count. Then polls in a row that did not.
 */
#define LIVE_SHED_AFTER	    128
#define LIVE_SHED_UNTIL	    16
#define LIVE_SWEEP_NS	    1000000
#define LIVE_DRAIN_POLLS    64
#define LIVE_IDLE_SPINS	    2048
#define LIVE_IDLE_SLEEP_US  50
#define LIVE_PREFETCH_AHEAD 4

const struct live_counter_info live_counter_infos[LIVE_N_COUNTERS] = {
#define OUTCOME(name, help) [LIVE_##name] = {#name, help},
#define EVENT(name, help)   [LIVE_##name] = {#name, help},
#include "outcomes.def"
#undef OUTCOME
#undef EVENT
	[LIVE_received] = {"received", "received"},
};

/* A burst on its way. */
struct live_burst {
	const struct live_queue *queue;
	struct rte_mbuf *mbufs[CLASSIFY_MAX_BURST];
	struct frame frames[CLASSIFY_MAX_BURST];
	struct verdict verdicts[CLASSIFY_MAX_BURST];
	uint32_t n;
	struct rte_mbuf *out[CLASSIFY_MAX_BURST]; /* those that go to the peer, or nowhere where it is observed */
	uint32_t n_out;
	struct rte_mbuf *dropped[CLASSIFY_MAX_BURST];
	uint32_t n_dropped;
	uint64_t n_bytes;
};

static inline void live_count(struct live_worker *worker, uint8_t port, enum live_counter counter, uint64_t n)
{
	uint64_t *number = &worker->counters[port].numbers[counter];

	__atomic_store_n(number, *number + n, __ATOMIC_RELAXED);
}

/* The bytes of a packet that the layers below look at: of the first buffer, or gathered where that is short. */
static void live_frames(struct live_worker *worker, struct live_burst *burst, uint64_t now_ns)
{
	for (uint32_t i = 0; i < burst->n; i++) {
		struct rte_mbuf *mbuf = burst->mbufs[i];
		struct frame *frame = &burst->frames[i];

		if (i + LIVE_PREFETCH_AHEAD < burst->n)
			rte_prefetch0(rte_pktmbuf_mtod(burst->mbufs[i + LIVE_PREFETCH_AHEAD], void *));
		frame->data = rte_pktmbuf_mtod(mbuf, const uint8_t *);
		frame->captured_bytes = rte_pktmbuf_data_len(mbuf);
		frame->wire_bytes = rte_pktmbuf_pkt_len(mbuf);
		if (unlikely(mbuf->nb_segs > 1 && frame->captured_bytes < LIVE_HEAD_BYTES)) {
			frame->captured_bytes = RTE_MIN(frame->wire_bytes, (uint32_t)LIVE_HEAD_BYTES);
			frame->data = rte_pktmbuf_read(mbuf, 0, frame->captured_bytes, worker->heads[i]);
		}
		frame->timestamp_ns = now_ns;
		frame->number = worker->n_packets++;
		burst->n_bytes += frame->wire_bytes;
	}
}

/* Sends n packets and returns how many the port took; the others stay the caller's. */
static uint32_t live_send(struct live_worker *worker, uint8_t port, struct rte_mbuf **mbufs, uint32_t n)
{
	const struct live_output *output = &worker->outputs[port];
	uint32_t n_sent = 0;

	for (uint32_t tries = 0; n_sent < n && tries < LIVE_TX_TRIES; tries++) {
		if (tries)
			rte_pause();
		n_sent += rte_eth_tx_burst(output->port_id, output->queue, mbufs + n_sent, (uint16_t)(n - n_sent));
	}
	return n_sent;
}

static bool live_is_gone(const struct live_worker *worker, uint8_t port)
{
	return atomic_load_explicit(&worker->gone[port], memory_order_relaxed);
}

/* Sends another reference of the packet, which nobody changes afterwards. */
static void live_mirror(struct live_worker *worker, uint8_t port, uint8_t mirror, struct rte_mbuf *mbuf)
{
	rte_pktmbuf_refcnt_update(mbuf, 1);
	if (!live_is_gone(worker, mirror) && live_send(worker, mirror, &mbuf, 1)) {
		live_count(worker, port, LIVE_mirrored, 1);
		return;
	}
	rte_pktmbuf_free(mbuf);
	live_count(worker, port, LIVE_mirror_lost, 1);
}

static void live_mark(struct live_worker *worker, uint8_t port, const struct action *action, struct rte_mbuf *mbuf,
		      const struct packet *packet)
{
	uint8_t *data = rte_pktmbuf_mtod(mbuf, uint8_t *);
	uint32_t n_bytes = rte_pktmbuf_data_len(mbuf);
	bool is_marked = action->kind == ACTION_MARK_DSCP ? action_mark_dscp(data, n_bytes, packet, action->value)
							  : action_mark_pcp(data, n_bytes, packet, action->value);

	live_count(worker, port, is_marked ? LIVE_marked : LIVE_unmarked, 1);
}

/* Does with a packet what the policy says; whether it goes on. */
static bool live_act(struct live_worker *worker, uint8_t port, const struct action_choice *choice,
		     struct rte_mbuf *mbuf, const struct packet *packet)
{
	const struct action *action = choice->action;

	if (choice->is_held) {
		live_count(worker, port, LIVE_dropped_before_verdict, 1);
		return false;
	}
	if (!action || action->kind == ACTION_FORWARD)
		return true;
	if (action->is_count_only) {
		live_count(worker, port, LIVE_count_only, 1);
		return true;
	}
	if (action->kind == ACTION_DROP) {
		live_count(worker, port, LIVE_dropped_by_policy, 1);
		return false;
	}
	if (action->kind == ACTION_MIRROR)
		live_mirror(worker, port, action->mirror, mbuf);
	else
		live_mark(worker, port, action, mbuf, packet);
	return true;
}

/* Parts a burst into those that go on, in their order, and those that do not. */
static void live_decide(struct live_worker *worker, struct live_burst *burst)
{
	const struct packet *packets = classify_packets(worker->classifier);
	const struct policy *policy = &worker->current->policy;
	const struct live_queue *queue = burst->queue;

	for (uint32_t i = 0; i < burst->n; i++) {
		const struct flow_verdict *verdict =
			worker->flow_engine ? flow_engine_verdict(worker->flow_engine, i) : NULL;
		struct action_choice choice = policy_choose(policy, &packets[i], verdict);

		/* Who only looks on cannot stop nor change anything. */
		if (queue->peer == LIVE_NO_PORT && (!choice.action || choice.action->kind != ACTION_MIRROR))
			choice = (struct action_choice){0};
		if (live_act(worker, queue->port, &choice, burst->mbufs[i], &packets[i]))
			burst->out[burst->n_out++] = burst->mbufs[i];
		else
			burst->dropped[burst->n_dropped++] = burst->mbufs[i];
	}
}

static void live_forward(struct live_worker *worker, struct live_burst *burst)
{
	uint8_t port = burst->queue->port, peer = burst->queue->peer;
	bool is_gone = live_is_gone(worker, peer);
	uint64_t n_bytes = 0;
	uint32_t n_sent;

	for (uint32_t i = 0; i < burst->n_out; i++)
		n_bytes += rte_pktmbuf_pkt_len(burst->out[i]);
	n_sent = is_gone ? 0 : live_send(worker, peer, burst->out, burst->n_out);
	for (uint32_t i = n_sent; i < burst->n_out; i++)
		n_bytes -= rte_pktmbuf_pkt_len(burst->out[i]);
	if (n_sent < burst->n_out)
		rte_pktmbuf_free_bulk(burst->out + n_sent, burst->n_out - n_sent);
	live_count(worker, port, LIVE_forwarded, n_sent);
	live_count(worker, port, LIVE_forwarded_bytes, n_bytes);
	live_count(worker, port, is_gone ? LIVE_dropped_port_gone : LIVE_dropped_tx_full, burst->n_out - n_sent);
}

/* Lets go of every packet of a burst: sent, dropped, or looked at. */
static void live_finish(struct live_worker *worker, struct live_burst *burst)
{
	uint8_t port = burst->queue->port;

	if (burst->queue->peer != LIVE_NO_PORT) {
		live_forward(worker, burst);
	} else {
		rte_pktmbuf_free_bulk(burst->out, burst->n_out);
		live_count(worker, port, LIVE_observed, burst->n_out);
	}
	if (burst->n_dropped)
		rte_pktmbuf_free_bulk(burst->dropped, burst->n_dropped);
	live_count(worker, port, LIVE_received, burst->n);
	live_count(worker, port, LIVE_received_bytes, burst->n_bytes);
}

/* Hands records to the control core; those that find no room are lost and counted. */
static void live_record(struct rte_ring *ring, const void *records, uint32_t record_bytes, uint32_t n,
			uint64_t *n_lost)
{
	uint32_t n_sent = rte_ring_sp_enqueue_burst_elem(ring, records, record_bytes, n, NULL);

	__atomic_store_n(n_lost, *n_lost + n - n_sent, __ATOMIC_RELAXED);
}

static void live_record_flows(struct live_worker *worker)
{
	const void *records;
	uint32_t n;

	if (!worker->flow_records)
		return;
	records = flow_engine_records(worker->flow_engine, &n);
	if (n)
		live_record(worker->flow_records, records, worker->flow_record_bytes, n,
			    &worker->n_flow_records_lost);
}

static void live_record_packets(struct live_worker *worker, const struct live_burst *burst)
{
	struct packet_record records[CLASSIFY_MAX_BURST];

	for (uint32_t i = 0; i < burst->n; i++)
		records[i] = (struct packet_record){
			.number = burst->frames[i].number + 1,
			.timestamp_ns = burst->frames[i].timestamp_ns,
			.wire_bytes = burst->frames[i].wire_bytes,
			.score = verdict_score(&burst->verdicts[i]),
			.ethertype = burst->verdicts[i].ethertype,
			.class = burst->verdicts[i].class,
		};
	live_record(worker->packet_records, records, sizeof(records[0]), burst->n, &worker->n_packet_records_lost);
}

/* Carries a burst, which has just been received, to its end. */
static void live_carry(struct live_worker *worker, struct live_burst *burst)
{
	struct stats_block *stats = worker->stats;
	uint64_t received = rte_rdtsc(), classified, finished;

	live_frames(worker, burst, live_clock_ns(&worker->clock, received));
	classify_burst(worker->classifier, PACKET_LINK_ETHERNET, burst->frames, burst->n, burst->verdicts);
	classified = rte_rdtsc();
	live_decide(worker, burst);
	if (worker->packet_records)
		live_record_packets(worker, burst);
	live_finish(worker, burst);
	live_record_flows(worker);
	finished = rte_rdtsc();
	stats_add(stats, STATS_classify_cycles, classified - received);
	stats_add(stats, STATS_finish_cycles, finished - classified);
	uint64_t *bucket = &worker->latency[live_latency_bucket(finished - received)];

	__atomic_store_n(bucket, *bucket + burst->n, __ATOMIC_RELAXED);
}

/* Spares the models while more comes than they let through: packets go on, and are counted. */
static void live_heed_load(struct live_worker *worker, bool is_full)
{
	worker->n_full_polls = is_full ? worker->n_full_polls + 1 : 0;
	worker->n_calm_polls = is_full ? 0 : worker->n_calm_polls + 1;
	if (!worker->is_shedding && worker->n_full_polls >= LIVE_SHED_AFTER) {
		worker->is_shedding = true;
		__atomic_store_n(&worker->n_shedding, worker->n_shedding + 1, __ATOMIC_RELAXED);
	} else if (worker->is_shedding && worker->n_calm_polls >= LIVE_SHED_UNTIL) {
		worker->is_shedding = false;
	} else {
		return;
	}
	classifier_set_shedding(worker->classifier, worker->is_shedding);
}

/* Polls every queue once; returns how many packets came, and whether some queue had more. */
static uint32_t live_poll(struct live_worker *worker, bool *is_full)
{
	uint32_t n = 0;

	*is_full = false;
	for (uint32_t i = 0; i < worker->n_queues; i++) {
		const struct live_queue *queue = &worker->queues[i];
		struct live_burst burst;

		if (unlikely(live_is_gone(worker, queue->port)))
			continue;
		burst.n = rte_eth_rx_burst(queue->port_id, queue->queue, burst.mbufs, (uint16_t)worker->burst);
		if (!burst.n)
			continue;
		burst.queue = queue;
		burst.n_out = burst.n_dropped = 0;
		burst.n_bytes = 0;
		live_carry(worker, &burst);
		n += burst.n;
		*is_full |= burst.n == worker->burst && !queue->can_wait;
	}
	return n;
}

/* Takes over what the control core has made ready, if it has. */
static void live_heed_generation(struct live_worker *worker)
{
	const struct live_generation *generation = atomic_load_explicit(worker->generation, memory_order_acquire);

	if (likely(generation == worker->current))
		return;
	worker->current = generation;
	classifier_set_models(worker->classifier, generation->models[worker->index]);
}

/* Ends flows that are over, also where nothing comes. */
static void live_sweep(struct live_worker *worker)
{
	uint64_t now_ns = live_clock_ns(&worker->clock, rte_rdtsc());

	if (!worker->flow_engine || now_ns - worker->swept_ns < LIVE_SWEEP_NS)
		return;
	worker->swept_ns = now_ns;
	flow_engine_sweep(worker->flow_engine, now_ns);
	live_record_flows(worker);
}

static void live_rest(const struct live_worker *worker, uint32_t n_idle)
{
	/* Who has no queue waits for the end alone. */
	if (worker->n_queues && (!worker->sleeps_idle || n_idle < LIVE_IDLE_SPINS))
		rte_pause();
	else
		usleep(LIVE_IDLE_SLEEP_US);
}

/* Ends all flows; their records wait for room, for no packet waits for them any more. */
static void live_end_flows(struct live_worker *worker)
{
	uint64_t now_ns = live_clock_ns(&worker->clock, rte_rdtsc());

	while (worker->flow_engine && flow_engine_drain(worker->flow_engine, now_ns)) {
		while (worker->flow_records && rte_ring_free_count(worker->flow_records) < FLOW_MAX_TOLD &&
		       !atomic_load_explicit(worker->abandons, memory_order_relaxed))
			usleep(LIVE_IDLE_SLEEP_US);
		live_record_flows(worker);
		__atomic_store_n(&worker->n_polls, worker->n_polls + 1, __ATOMIC_RELAXED);
	}
}

int live_worker_run(void *argument)
{
	struct live_worker *worker = argument;
	uint32_t n_idle = 0;
	bool is_full;

	if (worker->flow_engine)
		flow_engine_touch(worker->flow_engine);
	rte_rcu_qsbr_thread_online(worker->rcu, worker->index);
	while (!atomic_load_explicit(worker->stop, memory_order_relaxed)) {
		live_heed_generation(worker);
		if (live_poll(worker, &is_full)) {
			n_idle = 0;
		} else {
			n_idle++;
			live_rest(worker, n_idle);
		}
		live_heed_load(worker, is_full);
		live_sweep(worker);
		__atomic_store_n(&worker->n_polls, worker->n_polls + 1, __ATOMIC_RELAXED);
		rte_rcu_qsbr_quiescent(worker->rcu, worker->index);
	}
	for (uint32_t i = 0; i < LIVE_DRAIN_POLLS && live_poll(worker, &is_full); i++)
		;
	live_end_flows(worker);
	rte_rcu_qsbr_thread_offline(worker->rcu, worker->index);
	return 0;
}
