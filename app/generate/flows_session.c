/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The life of one conversation: how it opens, what it says turn by turn, how it ends. A session plans a few packets
 * ahead into its queue and is called by the engine when the earliest is due, or when there is more to plan. Rules of
 * TCP (RFC 9293, 5681) are followed as far as they show in lengths, flags and times.
 */
#include <string.h>

#include "flows_engine.h"

/* Room behind it is for what one step plans: a packet, its copy, three acknowledgements, a keepalive. */
#define QUEUE_AHEAD 4
_Static_assert(FLOWS_QUEUE >= QUEUE_AHEAD + 6, "a step must fit");

enum phase { PHASE_OPEN, PHASE_TALK, PHASE_CLOSE, PHASE_OVER };

/* Steps of a dialogue, in order; rounds repeat the last two. */
enum step { STEP_GREETING, STEP_HELLO, STEP_CERTIFICATE, STEP_FINISHED, STEP_REQUEST, STEP_RESPONSE };

/* Where in the queue a packet of this time belongs; the queue is in order of time, those put first go first. */
static void queue_put(struct session *session, uint64_t time_ns, uint32_t kind, uint32_t flags, uint32_t n_bytes)
{
	uint32_t i = session->n_queued++;

	for (; i && session->queue[i - 1].time_ns > time_ns; i--)
		session->queue[i] = session->queue[i - 1];
	session->queue[i] = (struct packet_due){
		.time_ns = time_ns, .n_bytes = (uint16_t)n_bytes, .flags = (uint8_t)flags, .kind = (uint8_t)kind};
}

static uint64_t round_trip(const struct session *session)
{
	return (uint64_t)session->ends[0].lag_ns + session->ends[1].lag_ns;
}

/* Between the passing of a packet of this direction and of what its receiver answers at once. */
static uint64_t lag(const struct session *session, int direction)
{
	return session->ends[!direction].lag_ns;
}

static void session_end(struct session *session)
{
	session->phase = PHASE_OVER;
	session->next_ns = FLOWS_NEVER;
}

static uint64_t retry_delay(const struct session *session)
{
	uint64_t first_ns = session->dialogue->retry_ns ? session->dialogue->retry_ns : NS_PER_S;

	return session->dialogue->has_even_retries ? first_ns : first_ns << session->retries;
}

/* Payload of a first packet that does not lead to a dialogue. */
static uint32_t probe_bytes(struct flows *flows, const struct session *session)
{
	const struct dialogue *dialogue = session->dialogue;
	bool has_probe = dialogue->protocol == PROTOCOL_TCP || dialogue->probe.median;
	uint64_t n_bytes = draw_dist(&flows->random, has_probe ? &dialogue->probe : &dialogue->request);

	return n_bytes < session->mss ? (uint32_t)n_bytes : session->mss;
}

/* A request that finds no answer: again after 1, 2, 4 s, or what the dialogue says. */
static void open_silent(struct flows *flows, struct session *session, uint64_t now_ns)
{
	const struct dialogue *dialogue = session->dialogue;
	uint32_t flags = dialogue->protocol == PROTOCOL_TCP ? session->probe_flags : 0, n_bytes;

	if (!session->retries)
		session->turn_left = probe_bytes(flows, session);
	n_bytes = session->turn_left;
	queue_put(session, now_ns, session->retries && flags ? PACKET_AGAIN : 0, flags, n_bytes);
	if (session->retries >= session->n_retries) {
		session_end(session);
		return;
	}
	session->next_ns = now_ns + retry_delay(session);
	session->retries++;
}

static void open_refused(struct flows *flows, struct session *session, uint64_t now_ns, uint32_t code)
{
	const struct dialogue *dialogue = session->dialogue;
	uint64_t back_ns = now_ns + lag(session, 0);
	uint32_t n_bytes = probe_bytes(flows, session);

	queue_put(session, now_ns, session->retries ? PACKET_AGAIN : 0,
		  dialogue->protocol == PROTOCOL_TCP ? session->probe_flags : 0, n_bytes);
	if (dialogue->protocol == PROTOCOL_TCP && !code)
		queue_put(session, back_ns, PACKET_BACK,
			  session->probe_flags & TCP_ACK ? TCP_RST : TCP_RST | TCP_ACK, 0);
	else
		queue_put(session, back_ns, PACKET_BACK | PACKET_ERROR, code ? code : 3, n_bytes);
	/* Some try again at once, as Windows does. */
	if (session->retries++ < session->n_retries && !code && dialogue->protocol == PROTOCOL_TCP &&
	    draw_chance(&flows->random, dialogue->insists_per_mille)) {
		session->next_ns = back_ns + lag(session, 1) + 500 * NS_PER_MS;
		return;
	}
	session_end(session);
}

/* SYN-ACKs that nobody takes up: again after 1, 2, 4 s. */
static void open_half(struct session *session, uint64_t now_ns)
{
	if (!session->retries) {
		queue_put(session, now_ns, 0, TCP_SYN, 0);
		now_ns += lag(session, 0);
	}
	queue_put(session, now_ns, session->retries ? PACKET_BACK | PACKET_AGAIN : PACKET_BACK, TCP_SYN | TCP_ACK,
		  0);
	if (session->retries >= session->n_retries) {
		session_end(session);
		return;
	}
	session->next_ns = now_ns + retry_delay(session);
	session->retries++;
}

/* SYN, SYN-ACK, ACK; the client's next packet passes at next_ns. */
static void open_answered(struct flows *flows, struct session *session, uint64_t now_ns)
{
	uint64_t back_ns, ack_ns;
	uint32_t kind = session->retries ? PACKET_AGAIN : 0;

	if (!kind && draw_chance(&flows->random, 5)) { /* a SYN that was lost */
		queue_put(session, now_ns, 0, TCP_SYN, 0);
		now_ns += NS_PER_S;
		kind = PACKET_AGAIN;
	}
	back_ns = now_ns + lag(session, 0);
	ack_ns = back_ns + lag(session, 1);
	queue_put(session, now_ns, kind, TCP_SYN, 0);
	queue_put(session, back_ns, PACKET_BACK, TCP_SYN | TCP_ACK, 0);
	if (session->outcome == OUTCOME_PROBED) {
		queue_put(session, ack_ns, 0, TCP_RST, 0);
		session_end(session);
		return;
	}
	queue_put(session, ack_ns, 0, TCP_ACK, 0);
	if (session->outcome == OUTCOME_CRASHED) {
		queue_put(session, ack_ns + lag(session, 0), PACKET_BACK, TCP_RST | TCP_ACK, 0);
		session_end(session);
		return;
	}
	session->phase = PHASE_TALK;
	session->turn = 0;
	session->next_ns = ack_ns;
}

/* What was lost, or found a peer asleep, comes again until it is heard: then all goes its way. */
static void open_late(struct flows *flows, struct session *session, uint64_t now_ns)
{
	if (session->retries && (session->retries >= session->n_retries || draw_chance(&flows->random, 500))) {
		session->outcome = OUTCOME_ANSWERED;
		session->next_ns = now_ns;
		return;
	}
	if (!session->n_retries)
		session->n_retries = 1;
	open_silent(flows, session, now_ns);
}

static void session_open(struct flows *flows, struct session *session, uint64_t now_ns)
{
	switch (session->outcome) {
	case OUTCOME_REFUSED:
		open_refused(flows, session, now_ns, 0);
		break;
	case OUTCOME_SILENT:
		open_silent(flows, session, now_ns);
		break;
	case OUTCOME_UNREACHABLE:
		open_refused(flows, session, now_ns, draw_chance(&flows->random, 500) ? 1 : 13);
		break;
	case OUTCOME_HALF_OPEN:
		open_half(session, now_ns);
		break;
	case OUTCOME_LATE:
		open_late(flows, session, now_ns);
		break;
	default:
		if (session->dialogue->protocol == PROTOCOL_TCP) {
			open_answered(flows, session, now_ns);
		} else {
			session->phase = PHASE_TALK;
			session->next_ns = now_ns;
		}
	}
}

static uint64_t close_with_fin(struct session *session, uint64_t now_ns, int first)
{
	uint32_t ahead = first ? PACKET_BACK : 0, behind = first ? 0 : PACKET_BACK;
	uint64_t back_ns = now_ns + lag(session, first);

	queue_put(session, now_ns, ahead, TCP_FIN | TCP_ACK, 0);
	queue_put(session, back_ns, behind, TCP_FIN | TCP_ACK, 0);
	queue_put(session, back_ns + lag(session, !first), ahead, TCP_ACK, 0);
	return back_ns;
}

static void session_close(struct session *session, uint64_t now_ns)
{
	session->phase = PHASE_OVER;
	session->next_ns = FLOWS_NEVER;
	if (session->dialogue->protocol != PROTOCOL_TCP)
		return;
	switch (session->ending) {
	case ENDING_SERVER_FIN:
		close_with_fin(session, now_ns, 1);
		break;
	case ENDING_CLIENT_RST:
		queue_put(session, now_ns, 0, TCP_RST | TCP_ACK, 0);
		break;
	case ENDING_SERVER_RST:
		queue_put(session, now_ns, PACKET_BACK, TCP_RST | TCP_ACK, 0);
		break;
	case ENDING_FIN_THEN_RST:
		queue_put(session, now_ns, 0, TCP_FIN | TCP_ACK, 0);
		queue_put(session, now_ns + lag(session, 0), PACKET_BACK, TCP_FIN | TCP_ACK, 0);
		queue_put(session, now_ns + round_trip(session), 0, TCP_RST, 0);
		break;
	case ENDING_NONE:
		break;
	default:
		close_with_fin(session, now_ns, 0);
	}
}

static void turn_set(struct session *session, int direction, uint64_t n_bytes, uint64_t delay_ns)
{
	/* What an answer waits for travels from the capture to the speaker and back. */
	if (direction != session->turn)
		delay_ns += lag(session, session->turn);
	session->turn = (uint8_t)direction;
	session->turn_left = n_bytes < UINT32_MAX ? (uint32_t)n_bytes : UINT32_MAX;
	session->has_empty_turn = !n_bytes && session->dialogue->protocol != PROTOCOL_TCP;
	session->next_ns += delay_ns;
	session->burst_left = 10;
}

static bool is_over_budget(const struct flows *flows, const struct session *session)
{
	const struct activity *activity = &flows->activities[session->activity];

	return activity->n_packets > activity->packets_most;
}

/* A turn before the rounds. False where the dialogue has no such turn. */
static bool opening_draw(struct flows *flows, struct session *session, enum step step)
{
	const struct dialogue *d = session->dialogue;
	struct random *random = &flows->random;
	uint32_t n_bytes;

	if (step == STEP_GREETING ? !d->greeting.median : !d->has_tls && !d->has_key_exchange)
		return false;
	switch (step) {
	case STEP_GREETING:
		n_bytes = (uint32_t)draw_dist(random, &d->greeting);
		turn_set(session, 1, n_bytes, draw_dist(random, &d->serve));
		break;
	case STEP_HELLO:
		n_bytes = d->has_tls ? draw_between(random, 190, 700) : draw_between(random, 620, 1700);
		turn_set(session, 0, n_bytes, 50 * NS_PER_US);
		break;
	case STEP_CERTIFICATE:
		/* A session that is taken up again has no certificate. */
		n_bytes = draw_chance(random, 300) ? draw_between(random, 130, 260)
						   : draw_between(random, 1800, 5200);
		if (d->has_key_exchange)
			n_bytes = draw_between(random, 750, 1900);
		turn_set(session, 1, n_bytes, draw_between(random, 200, 4000) * NS_PER_US);
		break;
	default:
		n_bytes = draw_between(random, 51, 350);
		turn_set(session, 0, n_bytes, draw_between(random, 100, 3000) * NS_PER_US);
	}
	return true;
}

static uint64_t request_draw(struct flows *flows, struct session *session)
{
	const struct dialogue *d = session->dialogue;
	bool is_probe = !session->has_begun && d->protocol == PROTOCOL_UDP && d->probe.median;

	session->has_begun = true;
	return draw_dist(&flows->random, is_probe ? &d->probe : &d->request);
}

/* How long an answer takes; refusals of logins take longer. */
static uint64_t serve_draw(struct flows *flows, const struct session *session)
{
	const struct dialogue *d = session->dialogue;
	bool is_verdict = d->verdict_rounds && session->rounds_left % d->verdict_rounds == 0;

	return draw_dist(&flows->random, is_verdict ? &d->verdict : &d->serve);
}

/* Draws who speaks next, when and how much. False at the end of the dialogue. */
static bool turn_draw(struct flows *flows, struct session *session)
{
	const struct dialogue *d = session->dialogue;
	struct random *random = &flows->random;
	uint64_t n_bytes, think_ns;

	while (session->step < STEP_REQUEST)
		if (opening_draw(flows, session, (enum step)session->step++))
			return true;
	/* A reply that is lost leaves the next request to come. */
	if (session->step == STEP_RESPONSE && !draw_chance(random, d->lost_reply_per_mille)) {
		session->step = STEP_REQUEST;
		n_bytes = draw_dist(random, &d->response);
		turn_set(session, !d->from_server, n_bytes, serve_draw(flows, session));
		return true;
	}
	if (!session->rounds_left || is_over_budget(flows, session))
		return false;
	session->rounds_left--;
	session->step = d->no_reply ? STEP_REQUEST : STEP_RESPONSE;
	n_bytes = request_draw(flows, session);
	think_ns = draw_dist(random, &d->think);
	/* A part of the first pause has passed before the capture began. */
	if (session->is_midway)
		think_ns = think_ns / 1000 * random_below(random, 1000);
	session->is_midway = false;
	turn_set(session, d->from_server, n_bytes, think_ns);
	return true;
}

/* TCP: the last data of the turn that is over are acknowledged alone, unless an answer comes sooner. */
static void acknowledge_turn(struct session *session, uint64_t last_ns, int direction)
{
	uint64_t due_ns = last_ns + lag(session, direction) + session->delack_ns;

	if (!session->n_unacked)
		return;
	session->n_unacked = 0;
	if (session->turn != direction && session->next_ns <= due_ns && session->phase == PHASE_TALK)
		return;
	queue_put(session, due_ns, direction ? 0 : PACKET_BACK, TCP_ACK, 0);
}

static void next_turn(struct flows *flows, struct session *session)
{
	uint64_t last_ns = session->next_ns, gap_ns;
	int direction = session->turn;

	if (!turn_draw(flows, session)) {
		session->phase = PHASE_CLOSE;
		session->next_ns += lag(session, session->turn) + session->delack_ns + 1000;
	}
	if (session->dialogue->protocol != PROTOCOL_TCP)
		return;
	acknowledge_turn(session, last_ns, direction);
	gap_ns = session->dialogue->keepalive_ns;
	if (gap_ns && session->next_ns > last_ns + gap_ns + NS_PER_S) {
		queue_put(session, last_ns + gap_ns, PACKET_KEEPALIVE, TCP_ACK, 0);
		queue_put(session, last_ns + gap_ns + lag(session, 0), PACKET_BACK, TCP_ACK, 0);
	}
}

/* A lost segment is seen again: soon where others told of it, else after a timeout. */
static uint64_t resend(struct flows *flows, struct session *session, uint32_t kind, uint32_t flags,
		       uint32_t n_bytes)
{
	uint64_t delay_ns = draw_chance(&flows->random, 700) ? round_trip(session) + 1000
							     : 200 * NS_PER_MS + 2 * round_trip(session);

	queue_put(session, session->next_ns + delay_ns, kind | PACKET_AGAIN, flags, n_bytes);
	return delay_ns + session->gap_ns;
}

/* One packet of the turn; its acknowledgement where every second packet has one. */
static void talk_tcp(struct flows *flows, struct session *session)
{
	uint32_t n_bytes = session->turn_left < session->mss ? session->turn_left : session->mss;
	uint32_t kind = session->turn ? PACKET_BACK : 0, flags = TCP_ACK;
	uint64_t now_ns = session->next_ns;
	bool is_last = n_bytes == session->turn_left;

	if (is_last || draw_chance(&flows->random, 60))
		flags |= TCP_PSH;
	queue_put(session, now_ns, kind, flags, n_bytes);
	session->turn_left = is_over_budget(flows, session) ? 0 : session->turn_left - n_bytes;
	session->next_ns += session->gap_ns;
	if (session->loss_q16 && (random_next(&flows->random) & 0xffff) < session->loss_q16)
		session->next_ns += resend(flows, session, kind, flags, n_bytes);
	if (++session->n_unacked >= 2 && session->n_queued < QUEUE_AHEAD) {
		queue_put(session, now_ns + lag(session, session->turn), kind ^ PACKET_BACK, TCP_ACK, 0);
		session->n_unacked = 0;
	}
	/* Slow start: a window each round trip, which doubles. */
	if (!--session->burst_left) {
		uint64_t spent_ns = (uint64_t)session->window_cap * session->gap_ns, trip_ns = round_trip(session);

		if (spent_ns < trip_ns && !is_last)
			session->next_ns += trip_ns - spent_ns;
		session->window_cap = session->window_cap < 256 ? session->window_cap * 2 : 512;
		session->burst_left = session->window_cap;
	}
}

static void talk_datagram(struct session *session)
{
	uint32_t n_bytes = session->turn_left < session->mss ? session->turn_left : session->mss;
	uint64_t pace_ns = session->dialogue->pace_ns;

	queue_put(session, session->next_ns, session->turn ? PACKET_BACK : 0, 0, n_bytes);
	session->turn_left -= n_bytes;
	session->has_empty_turn = false;
	if (session->turn_left)
		session->next_ns += session->gap_ns > pace_ns ? session->gap_ns : pace_ns;
}

static void session_talk(struct flows *flows, struct session *session)
{
	if (session->turn_left && session->dialogue->protocol == PROTOCOL_TCP)
		talk_tcp(flows, session);
	else if (session->turn_left || session->has_empty_turn)
		talk_datagram(session);
	if (!session->turn_left)
		next_turn(flows, session);
}

/* Plans on at next_ns, until the packets that are due first are known. */
static void session_advance(struct flows *flows, struct session *session)
{
	switch (session->phase) {
	case PHASE_OPEN:
		session_open(flows, session, session->next_ns);
		break;
	case PHASE_TALK:
		session_talk(flows, session);
		break;
	default:
		session_close(session, session->next_ns);
	}
}

/* Sends what is due; plans on while the queue has room and nothing is due earlier. */
void session_step(struct flows *flows, uint32_t index)
{
	struct session *session = &flows->sessions[index];
	struct packet_due due;

	while (session->n_queued < QUEUE_AHEAD &&
	       (!session->n_queued || session->next_ns < session->queue[0].time_ns)) {
		if (session->next_ns >= flows->duration_ns)
			session->next_ns = FLOWS_NEVER;
		if (session->next_ns == FLOWS_NEVER)
			break;
		if (!session->n_queued && session->next_ns > flows->now_ns) {
			flows_schedule(flows, session->next_ns, index);
			return;
		}
		session_advance(flows, session);
	}
	if (!session->n_queued) {
		flows->free_sessions[flows->n_free++] = index;
		return;
	}
	if (session->queue[0].time_ns > flows->now_ns) {
		flows_schedule(flows, session->queue[0].time_ns, index);
		return;
	}
	due = session->queue[0];
	memmove(session->queue, session->queue + 1, --session->n_queued * sizeof(due));
	packet_write(flows, session, &due);
	flows_schedule(flows, session->n_queued ? session->queue[0].time_ns : flows->now_ns, index);
}

static uint8_t share_draw(struct random *random, const uint16_t *per_mille, uint32_t n)
{
	uint32_t rank = random_below(random, 1000);
	uint32_t i = 0;

	for (; i < n && rank >= per_mille[i]; i++)
		rank -= per_mille[i];
	return (uint8_t)i;
}

/* Payload that a packet holds. */
static uint16_t session_mss(const struct session *session, const struct dialogue *dialogue)
{
	uint32_t a = stacks[session->ends[0].stack].mss, b = stacks[session->ends[1].stack].mss;
	uint32_t mss = a < b ? a : b;

	if (dialogue->protocol == PROTOCOL_TCP) {
		if (session->is_ipv6 && mss > 1440)
			mss = 1440;
		return (uint16_t)(session->has_timestamps ? mss - 12 : mss);
	}
	mss = dialogue->datagram_bytes ? dialogue->datagram_bytes : 1200;
	return (uint16_t)(session->is_ipv6 && mss > 1432 ? 1432 : mss);
}

static void session_draw(struct flows *flows, struct session *session, const struct session_spec *spec)
{
	const struct dialogue *dialogue = session->dialogue;
	struct random *random = &flows->random;

	session->has_timestamps =
		stacks[spec->ends[0].stack].has_timestamps && stacks[spec->ends[1].stack].has_timestamps;
	session->mss = session_mss(session, dialogue);
	session->window_cap = session->burst_left = 10;
	session->gap_ns = spec->ends[0].gap_ns > spec->ends[1].gap_ns ? spec->ends[0].gap_ns : spec->ends[1].gap_ns;
	if (session->gap_ns < dialogue->pace_ns)
		session->gap_ns = (uint32_t)dialogue->pace_ns;
	session->loss_q16 = flows->loss_q16;
	session->delack_ns = (uint32_t)draw_between(random, 1, 200) * (uint32_t)NS_PER_MS;
	session->sequence[0] = dialogue->protocol == PROTOCOL_TCP ? (uint32_t)random_next(random) : 1;
	session->sequence[1] = dialogue->protocol == PROTOCOL_TCP ? (uint32_t)random_next(random) : 1;
	session->identification[0] = (uint16_t)random_next(random);
	session->identification[1] = (uint16_t)random_next(random);
	session->rounds_left = (uint32_t)draw_dist(random, &dialogue->rounds);
	session->outcome = spec->outcome >= 0 ? (uint8_t)spec->outcome
					      : share_draw(random, dialogue->outcome_per_mille, N_OUTCOME_SHARES);
	session->n_retries = dialogue->n_retries;
	if (dialogue->gives_up)
		session->n_retries = (uint8_t)draw_between(random, 0, dialogue->n_retries);
	session->probe_flags = spec->probe_flags ? spec->probe_flags : dialogue->probe_flags;
	session->ending = share_draw(random, dialogue->ending_per_mille, N_ENDING_SHARES);
	session->hidden = spec->hidden;
	if (!spec->hidden && flows->one_way_per_mille && draw_chance(random, flows->one_way_per_mille))
		session->hidden = (uint8_t)(flows->one_way_side < 2 ? 1 << flows->one_way_side
								    : 1 << random_below(random, 2));
}

/* An ICMP error is a flow of its own, which must have the same label; else nothing comes back. */
static void session_check_error(struct flows *flows, struct session *session, const char *label)
{
	bool has_error = session->outcome == OUTCOME_UNREACHABLE ||
			 (session->outcome == OUTCOME_REFUSED && session->dialogue->protocol != PROTOCOL_TCP);
	const char *other = has_error ? rules_find(flows, session->ends, PROTOCOL_ICMP) : label;

	if (other != label && (!other || !label || strcmp(other, label)))
		session->outcome = OUTCOME_SILENT;
}

bool session_start(struct flows *flows, const struct session_spec *spec)
{
	const struct dialogue *dialogue = spec->dialogue ? spec->dialogue : &spec->activity->dialogue;
	const char *label = rules_find(flows, spec->ends, dialogue->protocol);
	const char *wanted = spec->activity->behaviour->label;
	struct session *session;
	uint32_t index;

	if (!flows->n_free || !memcmp(spec->ends[0].address, spec->ends[1].address, 16) ||
	    (label ? strcmp(label, wanted) != 0 : strcmp("benign", wanted) != 0)) {
		flows->n_skipped++;
		return false;
	}
	index = flows->free_sessions[--flows->n_free];
	session = &flows->sessions[index];
	*session = (struct session){.ends = {spec->ends[0], spec->ends[1]},
				    .dialogue = dialogue,
				    .next_ns = spec->start_ns,
				    .activity = (uint32_t)(spec->activity - flows->activities),
				    .is_ipv6 = spec->is_ipv6};
	session_draw(flows, session, spec);
	session_check_error(flows, session, label);
	if (spec->is_open) {
		session->phase = PHASE_TALK;
		/* In the midst of the server's words, or before the client's. */
		session->step =
			dialogue->no_reply || draw_chance(&flows->random, 700) ? STEP_REQUEST : STEP_RESPONSE;
		session->outcome = OUTCOME_ANSWERED;
		session->is_midway = true;
	}
	flows_schedule(flows, spec->start_ns, index);
	return true;
}
