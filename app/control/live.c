/* SPDX-License-Identifier: BSD-3-Clause */
#include "live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_lcore.h>

#include "command.h"
#include "dataplane/eal.h"
#include "interrupt.h"
#include "live_drift.h"
#include "live_http.h"
#include "live_log.h"
#include "live_reload.h"
#include "live_report.h"
#include "live_setup.h"
#include "live_telemetry.h"
#include "live_telemetry_stats.h"
#include "notify.h"

#define LIVE_POLL_US		5000
#define LIVE_LOOK_NS		200000000u
#define LIVE_DEVICES_NS		1000000000u
#define LIVE_RECONNECT_NS	1000000000u
#define LIVE_RECONNECT_MAX_NS	UINT64_C(32000000000)
#define LIVE_PAUSE_POLLS	400
#define LIVE_RECORDS_PATIENCE_S 5.0
#define LIVE_LOG_PATIENCE_S	5.0

/* What the loop of the control core remembers. */
struct live_watch {
	uint64_t looked_ns; /* at the ports */
	uint64_t line_ns;   /* when the last line of counters was printed */
	struct live_pace pace;
	uint64_t n_polls[RTE_MAX_LCORE]; /* of each worker when the service manager was told last */
	struct notify notify;
};

static uint64_t live_now_ns(const struct live *live)
{
	return live_clock_ns(&live->workers[0].clock, rte_rdtsc());
}

/* Prints a report and lets go of it; NULL: there was no memory for one. 0, or -1 after complaining. */
static int live_print(json_t *report, const struct live_options *options, FILE *file)
{
	char *text = NULL;
	size_t n_bytes = 0;
	FILE *memory = report ? open_memstream(&text, &n_bytes) : NULL;

	if (memory && options->is_json) {
		json_dumpf(report, memory, JSON_COMPACT);
		fputc('\n', memory);
	} else if (memory) {
		live_report_print(report, memory);
	}
	json_decref(report);
	if (!memory || fclose(memory)) {
		complain("out of memory");
		free(text);
		return -1;
	}
	/* In one piece: where it cannot be written there is one try. */
	fwrite(text, 1, n_bytes, file);
	free(text);
	return 0;
}

/* Takes a port out of the workers' hands; whether they let go of it. */
static bool live_pause(struct live *live, uint32_t index)
{
	uint64_t token;

	if (atomic_exchange(&live->states[index], LIVE_PORT_GONE) == LIVE_PORT_GONE)
		return true;
	token = rte_rcu_qsbr_start(live->rcu);
	for (uint32_t i = 0; i < LIVE_PAUSE_POLLS; i++) {
		if (rte_rcu_qsbr_check(live->rcu, token, false) == 1)
			return true;
		usleep(LIVE_POLL_US);
	}
	atomic_store(&live->states[index], LIVE_PORT_LINK_DOWN);
	return false;
}

/* Takes a port out of the workers' hands for as long as its peer is away, and tries to find the peer. */
static void live_reconnect(struct live *live, uint32_t index)
{
	struct live_port *port = &live->ports[index];
	uint64_t now_ns = live_now_ns(live);
	char said[1];

	if (port->is_link_up || !live_port_must_reconnect(port) || !port->waiting_ns) {
		port->waiting_ns = now_ns;
		port->patience_ns = LIVE_RECONNECT_NS;
		return;
	}
	if (now_ns - port->waiting_ns < port->patience_ns)
		return;
	port->waiting_ns = now_ns;
	/* A server that is there and does not answer may stand still: it is not to find many that have given up. */
	port->patience_ns = port->is_waiting ? LIVE_RECONNECT_NS
					     : RTE_MIN(2 * port->patience_ns, (uint64_t)LIVE_RECONNECT_MAX_NS);
	if (!live_pause(live, index))
		return;
	dataplane_eal_listen();
	port->is_waiting = live_port_reconnect(port);
	dataplane_eal_listen_end(said, sizeof(said));
	if (!port->is_waiting)
		atomic_store(&live->states[index], LIVE_PORT_LINK_DOWN);
}

static bool live_has_link_down(const struct live *live)
{
	for (uint32_t i = 0; i < live->config->n_ports; i++)
		if (atomic_load(&live->states[i]) == LIVE_PORT_LINK_DOWN ||
		    atomic_load(&live->states[i]) == LIVE_PORT_NO_CARRIER)
			return true;
	return false;
}

/* Asks the devices what they have lost; of one that is gone, or waits for its peer, what is known stays. */
static void live_ask_devices(struct live *live)
{
	struct rte_eth_stats stats;

	live->devices_ns = live_now_ns(live);
	for (uint32_t i = 0; i < live->config->n_ports; i++) {
		struct live_device *device = &live->devices[i];

		if (atomic_load(&live->states[i]) == LIVE_PORT_GONE || rte_eth_stats_get(live->ports[i].id, &stats))
			continue;
		atomic_store(&device->missed, stats.imissed);
		atomic_store(&device->no_buffer, stats.rx_nombuf);
		atomic_store(&device->rx_errors, stats.ierrors);
		atomic_store(&device->tx_errors, stats.oerrors);
		atomic_store(&device->is_known, true);
	}
}

/* Looks for ports that are gone and links that went up or down, and at what devices have lost. */
static void live_look(struct live *live)
{
	for (uint32_t i = 0; i < live->config->n_ports; i++) {
		struct live_port *port = &live->ports[i];
		uint32_t n_changes;

		if (port->is_waiting)
			live_reconnect(live, i);
		if (atomic_load(&live->states[i]) == LIVE_PORT_GONE)
			continue;
		if (live_port_is_gone(port)) {
			atomic_store(&live->states[i], LIVE_PORT_GONE);
			complain("port %s: %s is gone: it is left alone, the others go on", port->options.name,
				 port->interface[0] ? port->interface : port->device);
			continue;
		}
		if (live_port_look_link(port, &n_changes)) {
			complain("port %s: link %s%s", port->options.name,
				 n_changes % 2	    ? "is "
				 : port->is_link_up ? "went down and is "
						    : "went up and is ",
				 port->is_link_up ? "up" : "down");
			/* Who is at the other end may have brought memory (memif). */
			live_hide_packets(live);
		}
		atomic_store(&live->states[i], port->is_link_up	    ? LIVE_PORT_READY
					       : port->interface[0] ? LIVE_PORT_NO_CARRIER
								    : LIVE_PORT_LINK_DOWN);
		live_reconnect(live, i);
		if (live_port_look_mtu(port))
			complain(
				"port %s: %s has an MTU of %u now, and its buffers hold %u bytes: longer packets are "
				"cut; restart to have larger ones",
				port->options.name, port->interface, port->mtu, port->buffer_bytes);
	}
	if (live_now_ns(live) - live->devices_ns >= LIVE_DEVICES_NS)
		live_ask_devices(live);
}

/* The watchdog is to bite when any worker stands still, not only when this thread does. */
static void live_tell(struct live *live, struct live_watch *watch)
{
	uint64_t now_ns = live_now_ns(live);

	if (!watch->notify.interval_ns || now_ns - watch->notify.told_ns < watch->notify.interval_ns)
		return;
	for (uint32_t i = 0; i < live->n_workers; i++) {
		uint64_t n_polls = __atomic_load_n(&live->workers[i].n_polls, __ATOMIC_RELAXED);

		if (n_polls == watch->n_polls[i])
			return;
		watch->n_polls[i] = n_polls;
	}
	notify_watchdog(&watch->notify, now_ns);
}

/* Reloads where a signal or somebody at the telemetry socket asks for it. */
static void live_heed_reload(struct live *live, const struct live_options *options, const struct notify *notify)
{
	uint64_t asked = live_telemetry_reload_asked();
	char reason[LIVE_ERROR_BYTES];
	bool is_reloaded;

	if (!atomic_exchange(options->reload, false) && !asked)
		return;
	notify_reloading(notify);
	is_reloaded = live_reload(live, options, reason, sizeof(reason));
	notify_send(notify, "READY=1");
	if (asked)
		live_telemetry_reload_done(asked, is_reloaded, reason);
}

static void live_step(struct live *live, const struct live_options *options, struct live_watch *watch)
{
	uint64_t now_ns = live_now_ns(live), interval_ns = live->config->metrics.interval_ns;

	if (atomic_exchange(options->dump, false))
		live_print(live_report(live), options, complaints());
	live_heed_reload(live, options, &watch->notify);
	live_reload_release(live);
	/* Packets wait for a link that is down. */
	if (now_ns - watch->looked_ns >= LIVE_LOOK_NS || live_has_link_down(live)) {
		watch->looked_ns = now_ns;
		live_look(live);
	}
	if (interval_ns && now_ns - watch->line_ns >= interval_ns) {
		watch->line_ns = now_ns;
		live_report_line(live, &watch->pace, complaints());
	}
	live_drift_step(live, now_ns);
	live_http_step(live);
	live_tell(live, watch);
}

/* Waits until a worker has ended; false where it, and who writes records, stood still for some seconds. */
static bool live_await(const struct live *live, const struct live_worker *worker)
{
	const uint32_t n_waits = (uint32_t)(LIVE_RECORDS_PATIENCE_S * 1e6 / LIVE_POLL_US);
	uint64_t before = 0;

	for (uint32_t n_left = n_waits; rte_eal_get_lcore_state(worker->lcore) == RUNNING; n_left--) {
		uint64_t now =
			__atomic_load_n(&worker->n_polls, __ATOMIC_RELAXED) + atomic_load(&live->records.n_taken);

		if (now != before)
			n_left = n_waits;
		if (!n_left)
			return false;
		before = now;
		usleep(LIVE_POLL_US);
	}
	return true;
}

/*
 * Has the workers take what waits and end their flows; then all records are written. 0, or -1 after complaining: also
 * where a worker hangs, which still has what it works with.
 */
static int live_stop(struct live *live, bool *is_hanging)
{
	int rc = 0;

	*is_hanging = false;
	/* Nobody waits for those who never ran. */
	atomic_fetch_sub(&live->ending.n_receiving, live->n_workers - live->n_launched);
	atomic_fetch_sub(&live->ending.n_carrying, live->n_workers - live->n_launched);
	live_records_drain(&live->records, &live->ending.n_carrying);
	atomic_store(&live->stop, true);
	for (uint32_t i = 0; i < live->n_launched; i++) {
		const struct live_worker *worker = &live->workers[i];
		bool has_ended = live_await(live, worker);

		/* It may wait for room for records that nobody takes. */
		if (!has_ended) {
			atomic_store(&live->abandons, true);
			has_ended = live_await(live, worker);
		}
		if (has_ended) {
			rte_eal_wait_lcore(worker->lcore);
			continue;
		}
		complain("worker %u stands still and does not end: what it has not told is lost; please report it",
			 i);
		*is_hanging = true;
		rc = -1;
	}
	return live_records_stop(&live->records, LIVE_RECORDS_PATIENCE_S) ? -1 : rc;
}

/* Takes packets until it is told to stop. */
static void live_loop(struct live *live, const struct live_options *options, struct live_watch *watch)
{
	live_look(live);
	live_telemetry_stats_open(live);
	watch->line_ns = watch->looked_ns = live_now_ns(live);
	interrupt_hold();
	notify_send(&watch->notify, "READY=1\nSTATUS=packets pass");
	complain("running with %u worker%s; SIGINT ends it", live->n_workers, live->n_workers == 1 ? "" : "s");
	while (!atomic_load(options->stop)) {
		live_step(live, options, watch);
		usleep(LIVE_POLL_US);
	}
	notify_send(&watch->notify, "STOPPING=1");
	atomic_store(&live->is_closing, true);
	live_telemetry_close();
	live_telemetry_stats_close();
	live_http_end(live);
}

/*
 * The last report, once nothing else is left to do: whoever has stdout may not read it, and then holds up no more than
 * this, which a signal ends. 0, or -1 after complaining.
 */
static int live_print_last(json_t *report, const struct live_options *options, bool is_stdout_taken)
{
	int rc;

	if (is_stdout_taken)
		return live_print(report, options, complaints());
	interrupt_break();
	rc = live_print(report, options, stdout);
	return finish_stdout() ? -1 : rc;
}

/* Runs, from the ports' start to the last record. The report is the caller's, NULL where nothing ran. An exit code. */
static int live_run_on(struct live *live, const struct live_options *options, struct live_watch *watch,
		       json_t **report, bool *is_hanging)
{
	int rc;

	if (live_setup(live, options->config, options->is_verbose) || live_launch(live)) {
		live_stop(live, is_hanging);
		return EXIT_FAILED;
	}
	live_loop(live, options, watch);
	rc = live_stop(live, is_hanging) ? EXIT_FAILED : EXIT_OK;
	live_ask_devices(live);
	*report = live_report(live);
	if (!*report) {
		complain("out of memory");
		rc = EXIT_FAILED;
	}
	if (!*is_hanging && !live_report_adds_up(live)) {
		complain("the counters do not add up: packets were lost without a reason; please report it");
		rc = EXIT_FAILED;
	}
	return rc;
}

int live_run(const struct live_options *options)
{
	/* It has cache lines of its own for what workers look at. */
	struct live *live = aligned_alloc(_Alignof(struct live), sizeof(*live));
	struct live_watch watch = {0};
	json_t *report = NULL;
	bool is_hanging = false, is_stdout_taken;
	int rc;

	if (!live) {
		complain("out of memory");
		return EXIT_FAILED;
	}
	notify_open(&watch.notify);
	rc = live_run_on(live, options, &watch, &report, &is_hanging);
	is_stdout_taken = live->is_stdout_taken;
	/* Nothing that a worker works with may be taken away under it. */
	if (!is_hanging) {
		live_free(live);
		free(live);
	}
	notify_close(&watch.notify);
	if (report && live_print_last(report, options, is_stdout_taken))
		rc = EXIT_FAILED;
	live_log_close(LIVE_LOG_PATIENCE_S);
	if (is_hanging)
		_exit(EXIT_FAILED);
	return rc;
}
