/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The loop that every packet on a wire passes: receive, classify, act, send. Launched by the control core, on an
 * lcore of its own. Packets of one flow leave in the order in which they came.
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
	uint64_t cycles[CLASSIFY_MAX_BURST]; /* TSC when each was received */
	struct frame frames[CLASSIFY_MAX_BURST];
	struct verdict verdicts[CLASSIFY_MAX_BURST];
	uint32_t n;
	struct rte_mbuf *out[CLASSIFY_MAX_BURST]; /* those that go to the peer, or nowhere where it is observed */
	uint64_t out_cycles[CLASSIFY_MAX_BURST];
	uint32_t n_out;
	struct rte_mbuf *dropped[CLASSIFY_MAX_BURST];
	uint32_t n_dropped;
	struct rte_mbuf *copies[CLASSIFY_MAX_BURST]; /* further references, for mirrors */
	uint64_t copy_cycles[CLASSIFY_MAX_BURST];
	uint8_t mirrors[CLASSIFY_MAX_BURST]; /* the port that each of them goes to */
	uint32_t n_copies;
};

/* What a round over all queues has found. */
struct live_load {
	bool is_full;	/* some queue had more than was asked for */
	bool is_behind; /* more than half of some ring waits: soon there is no room */
};

static inline void live_count(struct live_worker *worker, uint8_t port, enum live_counter counter, uint64_t n)
{
	uint64_t *number = &worker->counters[port].numbers[counter];

	__atomic_store_n(number, *number + n, __ATOMIC_RELAXED);
}

/* The bytes of a packet that the layers below look at: of the first buffer, or gathered where that is short. */
static void live_frames(struct live_worker *worker, struct live_burst *burst)
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
		/* Most have come together. */
		frame->timestamp_ns = i && burst->cycles[i] == burst->cycles[i - 1]
					      ? frame[-1].timestamp_ns
					      : live_clock_ns(&worker->clock, burst->cycles[i]);
	}
}

/* Hands n packets to another worker; returns how many its ring took, the others stay the caller's. */
static uint32_t live_hand(struct rte_ring *ring, struct rte_mbuf *const *mbufs, const uint64_t *cycles, uint32_t n)
{
	struct live_handoff handoffs[CLASSIFY_MAX_BURST];

	for (uint32_t i = 0; i < n; i++)
		handoffs[i] = (struct live_handoff){.mbuf = mbufs[i], .cycles = cycles[i]};
	return rte_ring_sp_enqueue_burst_elem(ring, handoffs, sizeof(handoffs[0]), n, NULL);
}

/* Puts packets of several buffers behind the others, which keep their order; returns how many others there are. */
static uint32_t live_part_chains(struct rte_mbuf **mbufs, uint32_t n)
{
	struct rte_mbuf *chains[CLASSIFY_MAX_BURST];
	uint32_t n_whole = 0, n_chains = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (mbufs[i]->nb_segs > 1)
			chains[n_chains++] = mbufs[i];
		else
			mbufs[n_whole++] = mbufs[i];
	}
	for (uint32_t i = 0; i < n_chains; i++)
		mbufs[n_whole + i] = chains[i];
	return n_whole;
}

/*
 * Sends n packets and returns how many the port took; the others stay the caller's. Is asked again for those that it
 * does not take, but not one that has long taken none: other ports would wait for it.
 */
static uint32_t live_send(struct live_worker *worker, uint8_t port, struct rte_mbuf **mbufs, uint32_t n,
			  uint32_t max_tries)
{
	struct live_output *output = &worker->outputs[port];
	uint32_t n_sent = 0;

	if (unlikely(!output->takes_chains))
		n = live_part_chains(mbufs, n);
	if (output->n_stalled >= LIVE_TX_STALLED)
		max_tries = RTE_MIN(max_tries, 1u);
	for (uint32_t tries = 0; n_sent < n && tries < max_tries; tries++) {
		if (tries)
			rte_pause();
		n_sent += rte_eth_tx_burst(output->port_id, output->queue, mbufs + n_sent, (uint16_t)(n - n_sent));
	}
	if (n_sent)
		output->n_stalled = 0;
	else if (n && output->n_stalled < LIVE_TX_STALLED)
		output->n_stalled++;
	return n_sent;
}

static enum live_port_state live_state(const struct live_worker *worker, uint8_t port)
{
	return (enum live_port_state)atomic_load_explicit(&worker->states[port], memory_order_relaxed);
}

/*
 * Sends n copies to a mirror port, by this worker's queue: who looks on is asked once, and nothing waits for it. Lets go
 * of those that it does not take.
 */
static void live_send_copies(struct live_worker *worker, uint8_t mirror, struct rte_mbuf **copies, uint32_t n)
{
	uint8_t ports[CLASSIFY_MAX_BURST];
	uint32_t n_sent = 0;

	if (!worker->outputs[mirror].takes_chains)
		live_part_chains(copies, n);
	for (uint32_t i = 0; i < n; i++)
		ports[i] = (uint8_t)copies[i]->port;
	if (live_state(worker, mirror) <= LIVE_PORT_LINK_DOWN)
		n_sent = live_send(worker, mirror, copies, n, 1);
	if (n_sent < n)
		rte_pktmbuf_free_bulk(copies + n_sent, n - n_sent);
	for (uint32_t i = 0; i < n; i++)
		live_count(worker, ports[i], i < n_sent ? LIVE_mirrored : LIVE_mirror_lost, 1);
}

/* Hands n copies to the worker that sends to a mirror port. */
static void live_hand_copies(struct live_worker *worker, struct rte_ring *ring, struct rte_mbuf **copies,
			     const uint64_t *cycles, uint32_t n)
{
	uint32_t n_taken = live_hand(ring, copies, cycles, n);

	for (uint32_t i = n_taken; i < n; i++)
		live_count(worker, (uint8_t)copies[i]->port, LIVE_mirror_lost, 1);
	if (n_taken < n)
		rte_pktmbuf_free_bulk(copies + n_taken, n - n_taken);
}

/* Sends the copies of a burst, those for the same mirror together. */
static void live_mirror(struct live_worker *worker, struct live_burst *burst)
{
	while (burst->n_copies) {
		struct rte_mbuf *copies[CLASSIFY_MAX_BURST];
		uint64_t cycles[CLASSIFY_MAX_BURST];
		uint8_t mirror = burst->mirrors[0];
		uint32_t n = 0, n_left = 0;

		for (uint32_t i = 0; i < burst->n_copies; i++) {
			if (burst->mirrors[i] == mirror) {
				cycles[n] = burst->copy_cycles[i];
				copies[n++] = burst->copies[i];
				continue;
			}
			burst->mirrors[n_left] = burst->mirrors[i];
			burst->copy_cycles[n_left] = burst->copy_cycles[i];
			burst->copies[n_left++] = burst->copies[i];
		}
		burst->n_copies = n_left;
		if (worker->outputs[mirror].ring)
			live_hand_copies(worker, worker->outputs[mirror].ring, copies, cycles, n);
		else
			live_send_copies(worker, mirror, copies, n);
	}
}

/* Takes another reference of a packet, which nobody changes afterwards, for a mirror. */
static void live_copy(struct live_burst *burst, uint32_t i, uint8_t mirror)
{
	uint32_t n = burst->n_copies++;

	rte_pktmbuf_refcnt_update(burst->mbufs[i], 1);
	burst->copies[n] = burst->mbufs[i];
	burst->copy_cycles[n] = burst->cycles[i];
	burst->mirrors[n] = mirror;
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

/* Does with a packet of a burst what the policy says; whether it goes on. */
static bool live_act(struct live_worker *worker, struct live_burst *burst, uint32_t i,
		     const struct action_choice *choice, const struct packet *packet)
{
	const struct action *action = choice->action;
	uint8_t port = burst->queue->port;

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
		live_copy(burst, i, action->mirror);
	else
		live_mark(worker, port, action, burst->mbufs[i], packet);
	return true;
}

/* Who only looks on can copy, and count what would be done, but neither stop nor change anything. */
static bool live_concerns_observer(const struct action *action)
{
	return action && (action->kind == ACTION_MIRROR || action->is_count_only);
}

/* Parts a burst into those that go on, in their order, and those that do not. */
static void live_decide(struct live_worker *worker, struct live_burst *burst)
{
	const struct packet *packets = classify_packets(worker->classifier);
	const struct policy *policy = &worker->current->policy;

	burst->n_out = burst->n_dropped = burst->n_copies = 0;
	for (uint32_t i = 0; i < burst->n; i++) {
		const struct flow_verdict *verdict =
			worker->flow_engine ? flow_engine_verdict(worker->flow_engine, i) : NULL;
		struct action_choice choice = policy_choose(policy, &packets[i], verdict);

		if (burst->queue->peer == LIVE_NO_PORT && !live_concerns_observer(choice.action))
			choice = (struct action_choice){0};
		if (live_act(worker, burst, i, &choice, &packets[i])) {
			burst->out_cycles[burst->n_out] = burst->cycles[i];
			burst->out[burst->n_out++] = burst->mbufs[i];
		} else {
			burst->dropped[burst->n_dropped++] = burst->mbufs[i];
		}
	}
}

/* Counts the time that each of n packets took until now. */
static void live_note(struct stats_histogram *histogram, const uint64_t *cycles, uint32_t n)
{
	uint64_t now = rte_rdtsc();

	for (uint32_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && cycles[end] == cycles[i];)
			end++;
		/* Another core's clock may be a little ahead. */
		stats_histogram_add(histogram, now > cycles[i] ? now - cycles[i] : 0, end - i);
	}
}

/* How many of n packets that a port has not taken it could never take. */
static uint32_t live_count_chains(const struct live_worker *worker, uint8_t port, struct rte_mbuf *const *mbufs,
				  uint32_t n)
{
	uint32_t n_chains = 0;

	for (uint32_t i = 0; i < n && !worker->outputs[port].takes_chains; i++)
		n_chains += mbufs[i]->nb_segs > 1;
	return n_chains;
}

/*
 * Sends n packets that one port has received to another, by this worker's queue, which is asked so often at most; lets go
 * of them, sent or not.
 */
static void live_forward(struct live_worker *worker, uint8_t port, uint8_t peer, struct rte_mbuf **mbufs,
			 const uint64_t *cycles, uint32_t n, uint32_t max_tries)
{
	static const enum live_counter losses[] = {
		[LIVE_PORT_READY] = LIVE_dropped_tx_full,
		[LIVE_PORT_LINK_DOWN] = LIVE_dropped_link_down,
		[LIVE_PORT_NO_CARRIER] = LIVE_dropped_link_down,
		[LIVE_PORT_GONE] = LIVE_dropped_port_gone,
	};
	static const uint32_t tries[] = {
		[LIVE_PORT_READY] = LIVE_TX_TRIES,
		[LIVE_PORT_LINK_DOWN] = 1,
		[LIVE_PORT_GONE] = 0,
	};
	enum live_port_state state = live_state(worker, peer);
	uint64_t n_bytes = 0;
	uint32_t n_sent, n_chains;

	for (uint32_t i = 0; i < n; i++)
		n_bytes += rte_pktmbuf_pkt_len(mbufs[i]);
	n_sent = live_send(worker, peer, mbufs, n, RTE_MIN(tries[state], max_tries));
	for (uint32_t i = n_sent; i < n; i++)
		n_bytes -= rte_pktmbuf_pkt_len(mbufs[i]);
	n_chains = live_count_chains(worker, peer, mbufs + n_sent, n - n_sent);
	if (n_sent < n)
		rte_pktmbuf_free_bulk(mbufs + n_sent, n - n_sent);
	live_count(worker, port, LIVE_forwarded, n_sent);
	live_count(worker, port, LIVE_forwarded_bytes, n_bytes);
	live_count(worker, port, LIVE_dropped_chain, n_chains);
	live_count(worker, port, losses[state], n - n_sent - n_chains);
	live_note(&worker->passage_cycles, cycles, n_sent);
}

/* Sends what other workers hand back, and asks a port so often at most; returns how many packets. */
static uint32_t live_send_returns(struct live_worker *worker, uint32_t max_tries)
{
	uint32_t n_all = 0;

	for (uint32_t r = 0; r < worker->n_returns; r++) {
		const struct live_return *back = &worker->returns[r];
		struct live_handoff handoffs[CLASSIFY_MAX_BURST];
		struct rte_mbuf *mbufs[CLASSIFY_MAX_BURST];
		uint64_t cycles[CLASSIFY_MAX_BURST];
		uint32_t n = rte_ring_sc_dequeue_burst_elem(back->ring, handoffs, sizeof(handoffs[0]),
							    worker->burst, NULL);

		if (!n)
			continue;
		for (uint32_t i = 0; i < n; i++) {
			mbufs[i] = handoffs[i].mbuf;
			cycles[i] = handoffs[i].cycles;
		}
		/* Only one port's packets go out by a pair's other. */
		if (back->is_mirror)
			live_send_copies(worker, back->port, mbufs, n);
		else
			live_forward(worker, (uint8_t)mbufs[0]->port, back->port, mbufs, cycles, n, max_tries);
		n_all += n;
	}
	return n_all;
}

/*
 * Hands packets to the worker that sends by the other port, and lets go of those that it does not take. Meanwhile sends
 * what comes back: that one may be waiting for this one, too.
 */
static void live_hand_back(struct live_worker *worker, struct live_burst *burst, struct rte_ring *ring)
{
	uint32_t n = 0;

	for (uint32_t tries = 0; n < burst->n_out && tries < LIVE_TX_TRIES; tries++) {
		if (tries && !live_send_returns(worker, 1))
			rte_pause();
		n += live_hand(ring, burst->out + n, burst->out_cycles + n, burst->n_out - n);
	}
	if (n < burst->n_out)
		rte_pktmbuf_free_bulk(burst->out + n, burst->n_out - n);
	live_count(worker, burst->queue->port, LIVE_dropped_return_full, burst->n_out - n);
}

/* Lets go of every packet of a burst: sent, handed back, dropped, or looked at. */
static void live_finish(struct live_worker *worker, struct live_burst *burst)
{
	uint8_t port = burst->queue->port, peer = burst->queue->peer;

	if (burst->n_dropped)
		rte_pktmbuf_free_bulk(burst->dropped, burst->n_dropped);
	if (peer == LIVE_NO_PORT) {
		rte_pktmbuf_free_bulk(burst->out, burst->n_out);
		live_count(worker, port, LIVE_observed, burst->n_out);
		live_note(&worker->passage_cycles, burst->out_cycles, burst->n_out);
	} else if (worker->outputs[peer].ring) {
		live_hand_back(worker, burst, worker->outputs[peer].ring);
	} else {
		live_forward(worker, port, peer, burst->out, burst->out_cycles, burst->n_out, LIVE_TX_TRIES);
	}
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
			.flow_id = worker->flow_engine ? flow_engine_flow_id(worker->flow_engine, i) : 0,
			.wire_bytes = burst->frames[i].wire_bytes,
			.score = verdict_score(&burst->verdicts[i]),
			.ethertype = burst->verdicts[i].ethertype,
			.worker = (uint16_t)worker->index,
			.port = burst->queue->port,
			.class = burst->verdicts[i].class,
		};
	live_record(worker->packet_records, records, sizeof(records[0]), burst->n, &worker->n_packet_records_lost);
}

/* Carries a burst of this worker's to its end. */
static void live_carry(struct live_worker *worker, struct live_burst *burst)
{
	for (uint32_t i = 0; i < burst->n; i++)
		burst->frames[i].number = worker->n_packets++;
	classify_burst(worker->classifier, PACKET_LINK_ETHERNET, burst->frames, burst->n, burst->verdicts);
	live_note(&worker->verdict_cycles, burst->cycles, burst->n);
	live_decide(worker, burst);
	live_mirror(worker, burst);
	if (worker->packet_records)
		live_record_packets(worker, burst);
	live_finish(worker, burst);
	live_record_flows(worker);
}

/*
 * Hands the packets of a burst that are for the worker of a place over to it. Who has fallen a whole ring behind loses
 * them at once, as a NIC's queue does that nobody empties: to wait would hold up all others.
 */
static void live_hand_over(struct live_worker *worker, const struct live_burst *burst, const uint32_t *places,
			   uint32_t place)
{
	struct rte_mbuf *mbufs[CLASSIFY_MAX_BURST];
	uint64_t cycles[CLASSIFY_MAX_BURST];
	uint32_t n = 0, n_taken;

	for (uint32_t i = 0; i < burst->n; i++) {
		if (places[i] != place)
			continue;
		cycles[n] = burst->cycles[i];
		mbufs[n++] = burst->mbufs[i];
	}
	if (!n)
		return;
	n_taken = live_hand(burst->queue->spread->rings[place], mbufs, cycles, n);
	if (n_taken < n)
		rte_pktmbuf_free_bulk(mbufs + n_taken, n - n_taken);
	live_count(worker, burst->queue->port, LIVE_dropped_spread_full, n - n_taken);
}

/* Shares a burst out; this worker's own packets stay in it. */
static void live_share_out(struct live_worker *worker, struct live_burst *burst)
{
	struct live_spread *spread = burst->queue->spread;
	uint32_t places[CLASSIFY_MAX_BURST], n_own = 0;

	live_spread_burst(spread, burst->frames, burst->n, places);
	for (uint32_t place = 0; place < spread->n_workers; place++)
		if (place != spread->own)
			live_hand_over(worker, burst, places, place);
	for (uint32_t i = 0; i < burst->n; i++) {
		if (places[i] != spread->own)
			continue;
		burst->mbufs[n_own] = burst->mbufs[i];
		burst->cycles[n_own] = burst->cycles[i];
		burst->frames[n_own++] = burst->frames[i];
	}
	burst->n = n_own;
}

/* Takes what a device has received. */
static void live_receive(struct live_worker *worker, struct live_burst *burst)
{
	const struct live_queue *queue = burst->queue;
	uint64_t now, n_bytes = 0;

	burst->n = rte_eth_rx_burst(queue->port_id, queue->queue, burst->mbufs, (uint16_t)worker->burst);
	if (!burst->n)
		return;
	now = rte_rdtsc();
	for (uint32_t i = 0; i < burst->n; i++) {
		burst->cycles[i] = now;
		burst->mbufs[i]->port = queue->port;
		n_bytes += rte_pktmbuf_pkt_len(burst->mbufs[i]);
	}
	live_count(worker, queue->port, LIVE_received, burst->n);
	live_count(worker, queue->port, LIVE_received_bytes, n_bytes);
}

/* Takes what another worker has handed over. */
static void live_take(const struct live_worker *worker, struct live_burst *burst, struct live_load *load)
{
	struct rte_ring *ring = burst->queue->ring;
	struct live_handoff handoffs[CLASSIFY_MAX_BURST];
	uint32_t n_left;

	burst->n = rte_ring_sc_dequeue_burst_elem(ring, handoffs, sizeof(handoffs[0]), worker->burst, &n_left);
	for (uint32_t i = 0; i < burst->n; i++) {
		burst->mbufs[i] = handoffs[i].mbuf;
		burst->cycles[i] = handoffs[i].cycles;
	}
	load->is_behind |= n_left > rte_ring_get_capacity(ring) / 2 && !burst->queue->can_wait;
}

/* Whether there is room for a burst wherever it may be handed to: packets that can wait are not lost on the way. */
static bool live_has_room(const struct live_worker *worker, const struct live_queue *queue)
{
	const struct rte_ring *ring = queue->peer == LIVE_NO_PORT ? NULL : worker->outputs[queue->peer].ring;

	if (ring && rte_ring_free_count(ring) < worker->burst)
		return false;
	for (uint32_t i = 0; queue->spread && i < queue->spread->n_workers; i++)
		if (i != queue->spread->own && rte_ring_free_count(queue->spread->rings[i]) < worker->burst)
			return false;
	return true;
}

/* Whether a queue is to be asked for packets now. */
static bool live_wants(const struct live_worker *worker, const struct live_queue *queue)
{
	/* What a ring holds has been received: it has an end, whatever has become of the port. */
	if (unlikely(!queue->ring && (worker->is_ending || live_state(worker, queue->port) == LIVE_PORT_GONE)))
		return false;
	return !queue->can_wait || live_has_room(worker, queue) ||
	       unlikely(atomic_load_explicit(worker->abandons, memory_order_relaxed));
}

/* Spares the models while more comes than they let through: packets go on, and are counted. */
static void live_heed_load(struct live_worker *worker, const struct live_load *load)
{
	worker->n_full_polls = load->is_full ? worker->n_full_polls + 1 : 0;
	worker->n_calm_polls = load->is_full ? 0 : worker->n_calm_polls + 1;
	/* Scores are given up before packets are. */
	if (load->is_behind)
		worker->n_full_polls = RTE_MAX(worker->n_full_polls, (uint32_t)LIVE_SHED_AFTER);
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

/* Shares out a burst that came, and carries to their end what is this worker's. */
static void live_take_on(struct live_worker *worker, struct live_burst *burst)
{
	live_frames(worker, burst);
	stats_lap_rx(worker->stats, burst->n);
	if (burst->queue->spread) {
		live_share_out(worker, burst);
		stats_lap(worker->stats, STATS_stage_share);
	}
	if (burst->n)
		live_carry(worker, burst);
	stats_lap_end(worker->stats, STATS_stage_action, burst->n);
}

/* Sends what comes back after a poll; counts as a burst of its own whose packets other workers have counted. */
static uint32_t live_poll_returns(struct live_worker *worker)
{
	uint32_t n;

	stats_lap_begin(worker->stats);
	n = live_send_returns(worker, LIVE_TX_TRIES);
	if (n)
		stats_lap_end(worker->stats, STATS_stage_action, 0);
	return n;
}

/* Polls every queue once and sends what comes back; returns how many packets that were. */
static uint32_t live_poll(struct live_worker *worker, struct live_load *load)
{
	uint32_t n = 0;

	*load = (struct live_load){0};
	for (uint32_t i = 0; i < worker->n_queues; i++) {
		struct live_burst burst;

		burst.queue = &worker->queues[i];
		if (!live_wants(worker, burst.queue))
			continue;
		stats_lap_begin(worker->stats);
		if (burst.queue->ring)
			live_take(worker, &burst, load);
		else
			live_receive(worker, &burst);
		if (!burst.n)
			continue;
		n += burst.n;
		stats_count(&worker->bursts[burst.n]);
		load->is_full |= burst.n == worker->burst && !burst.queue->can_wait;
		live_take_on(worker, &burst);
	}
	return n + live_poll_returns(worker);
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
static void live_sweep(struct live_worker *worker, uint64_t now)
{
	uint64_t now_ns = live_clock_ns(&worker->clock, now);

	if (!worker->flow_engine || now_ns - worker->swept_ns < LIVE_SWEEP_NS)
		return;
	worker->swept_ns = now_ns;
	flow_engine_sweep(worker->flow_engine, now_ns - LIVE_RING_WAIT_NS);
	live_record_flows(worker);
}

static void live_rest(const struct live_worker *worker, uint32_t n_idle)
{
	/* Who has no queue waits for the end alone. */
	if (worker->n_queues + worker->n_returns && (!worker->sleeps_idle || n_idle < LIVE_IDLE_SPINS))
		rte_pause();
	else
		usleep(LIVE_IDLE_SLEEP_US);
}

static inline void live_tell_alive(struct live_worker *worker)
{
	__atomic_store_n(&worker->n_polls, worker->n_polls + 1, __ATOMIC_RELAXED);
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
		live_tell_alive(worker);
	}
}

static bool live_has_waiting(const struct live_worker *worker)
{
	for (uint32_t i = 0; i < worker->n_queues; i++)
		if (worker->queues[i].ring && !rte_ring_empty(worker->queues[i].ring))
			return true;
	return false;
}

static bool live_has_returns(const struct live_worker *worker)
{
	for (uint32_t i = 0; i < worker->n_returns; i++)
		if (!rte_ring_empty(worker->returns[i].ring))
			return true;
	return false;
}

/* Whether to go on waiting for workers that have not come so far: not for one that hangs. */
static bool live_awaits(const struct live_worker *worker, const _Atomic uint32_t *n_workers)
{
	return atomic_load_explicit(n_workers, memory_order_acquire) &&
	       !atomic_load_explicit(worker->abandons, memory_order_relaxed);
}

/*
 * Takes what is waiting to its end. Nobody leaves before all others have handed over what they received, and before
 * all have handed back what goes on: so no ring keeps a packet.
 */
static void live_drain(struct live_worker *worker)
{
	struct live_ending *ending = worker->ending;
	struct live_load load;

	for (uint32_t i = 0; i < LIVE_DRAIN_POLLS && live_poll(worker, &load); i++)
		;
	worker->is_ending = true;
	atomic_fetch_sub_explicit(&ending->n_receiving, 1, memory_order_release);
	/* Asked before the rings are looked at: what they hold after the last sender's end is all. */
	while (live_awaits(worker, &ending->n_receiving) || live_has_waiting(worker))
		if (live_poll(worker, &load))
			live_tell_alive(worker);
		else
			usleep(LIVE_IDLE_SLEEP_US);
	atomic_fetch_sub_explicit(&ending->n_carrying, 1, memory_order_release);
	while (live_awaits(worker, &ending->n_carrying) || live_has_returns(worker))
		if (live_send_returns(worker, LIVE_TX_TRIES))
			live_tell_alive(worker);
		else
			usleep(LIVE_IDLE_SLEEP_US);
}

int live_worker_run(void *argument)
{
	struct live_worker *worker = argument;
	uint64_t now, before;
	struct live_load load;
	uint32_t n_idle = 0;

	if (worker->flow_engine)
		flow_engine_touch(worker->flow_engine);
	rte_rcu_qsbr_thread_online(worker->rcu, worker->index);
	live_heed_generation(worker);
	before = rte_rdtsc();
	while (!atomic_load_explicit(worker->stop, memory_order_relaxed)) {
		live_heed_generation(worker);
		if (live_poll(worker, &load)) {
			n_idle = 0;
		} else {
			n_idle++;
			live_rest(worker, n_idle);
		}
		now = rte_rdtsc();
		/* With all that is done between two rounds; one that brings nothing is idle. */
		if (!n_idle)
			stats_add(worker->stats, STATS_busy_cycles, now - before);
		before = now;
		live_heed_load(worker, &load);
		live_sweep(worker, now);
		if (unlikely(top_flows_is_asked(&worker->top)))
			top_flows_look(&worker->top, worker->flow_engine, n_idle);
		live_tell_alive(worker);
		rte_rcu_qsbr_quiescent(worker->rcu, worker->index);
	}
	live_drain(worker);
	live_end_flows(worker);
	rte_rcu_qsbr_thread_offline(worker->rcu, worker->index);
	return 0;
}
