/* SPDX-License-Identifier: BSD-3-Clause */
#include "live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_lcore.h>

#include "command.h"
#include "generation.h"
#include "live_report.h"
#include "live_setup.h"
#include "notify.h"

#define LIVE_POLL_US		5000
#define LIVE_RELEASE_POLLS	400
#define LIVE_LOOK_NS		200000000u
#define LIVE_RECORDS_PATIENCE_S 5.0

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

/* Prints a report. 0, or -1 after complaining. */
static int live_print(const struct live *live, const struct live_options *options, FILE *file)
{
	json_t *report = live_report(live);

	if (!report) {
		complain("out of memory");
		return -1;
	}
	if (options->is_json) {
		json_dumpf(report, file, JSON_COMPACT);
		fputc('\n', file);
		fflush(file);
	} else {
		live_report_print(report, file);
	}
	json_decref(report);
	return ferror(file) ? -1 : 0;
}

/* Lets go of the generation before, once no worker has it any more. */
static void live_release(struct live *live)
{
	if (!live->retired || rte_rcu_qsbr_check(live->rcu, live->retired_token, false) != 1)
		return;
	if (live->retired != live->first)
		generation_free(live->retired);
	live->retired = NULL;
}

/* Whether the ports of a config that was read again are those that run. */
static bool live_has_same_ports(const struct live *live, const struct config *config)
{
	if (config->n_ports != live->config->n_ports)
		return false;
	for (uint32_t i = 0; i < config->n_ports; i++)
		if (strcmp(config->ports[i].name, live->config->ports[i].name))
			return false;
	return true;
}

/* Makes a generation of a config that was read again. NULL with one line in error. */
static struct generation *live_make_generation(const struct live *live, const struct config *config, char *error,
					       size_t error_size)
{
	struct generation *after;

	if (!live_has_same_ports(live, config)) {
		snprintf(error, error_size, "the ports are others; restart to take them");
		return NULL;
	}
	if (generation_create(config, live->n_workers, &after, error, error_size))
		return NULL;
	if (!generation_follows(live->current, after, live->workers[0].flow_engine, error, error_size)) {
		if (live_has_mirrors(live, &after->live.policy))
			return after;
		snprintf(error, error_size, "the policy mirrors to a port that was no mirror; restart to take it");
	}
	generation_free(after);
	return NULL;
}

/* Reads the config again and has workers go over to its models and policy; where it is wrong all stays as it is. */
static void live_reload(struct live *live, const struct live_options *options)
{
	struct generation *after;
	struct config *config;
	char error[LIVE_ERROR_BYTES];

	for (uint32_t i = 0; live->retired && i < LIVE_RELEASE_POLLS; i++) {
		live_release(live);
		usleep(LIVE_POLL_US);
	}
	if (live->retired) {
		complain("reload: a worker has not taken over the last one yet; nothing is changed");
		return;
	}
	config = options->read(options->context);
	if (!config) {
		complain("reload: nothing is changed");
		return;
	}
	after = live_make_generation(live, config, error, sizeof(error));
	config_free(config);
	if (!after) {
		complain("reload: %s; nothing is changed", error);
		return;
	}
	live->retired = live->current;
	live->current = after;
	live->n_reloads++;
	atomic_store_explicit(&live->generation_now, &after->live, memory_order_release);
	live->retired_token = rte_rcu_qsbr_start(live->rcu);
	complain("reload: models and policy are taken over");
}

/* Looks for ports that are gone and links that went up or down. */
static void live_look(struct live *live)
{
	for (uint32_t i = 0; i < live->config->n_ports; i++) {
		struct live_port *port = &live->ports[i];

		if (atomic_load(&live->gone[i]))
			continue;
		if (live_port_is_gone(port)) {
			atomic_store(&live->gone[i], true);
			complain("port %s: %s is gone: it is left alone, the others go on", port->options.name,
				 port->interface[0] ? port->interface : port->device);
		} else if (live_port_look_link(port)) {
			complain("port %s: link is %s", port->options.name, port->is_link_up ? "up" : "down");
		}
	}
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

static void live_step(struct live *live, const struct live_options *options, struct live_watch *watch)
{
	uint64_t now_ns = live_now_ns(live), interval_ns = live->config->metrics.interval_ns;

	if (atomic_exchange(options->dump, false))
		live_print(live, options, stderr);
	if (atomic_exchange(options->reload, false)) {
		notify_send(&watch->notify, "RELOADING=1");
		live_reload(live, options);
		notify_send(&watch->notify, "READY=1");
	}
	live_release(live);
	if (now_ns - watch->looked_ns >= LIVE_LOOK_NS) {
		watch->looked_ns = now_ns;
		live_look(live);
	}
	if (interval_ns && now_ns - watch->line_ns >= interval_ns) {
		watch->line_ns = now_ns;
		live_report_line(live, &watch->pace, stderr);
	}
	live_tell(live, watch);
}

/* Has the workers take what waits and end their flows; then all records are written. 0, or -1 after complaining. */
static int live_stop(struct live *live)
{
	const uint32_t n_waits = (uint32_t)(LIVE_RECORDS_PATIENCE_S * 1e6 / LIVE_POLL_US);
	uint32_t n_left = n_waits;
	uint64_t n_taken = 0;

	atomic_store(&live->stop, true);
	for (uint32_t i = 0; i < live->n_launched; i++) {
		while (rte_eal_get_lcore_state(live->workers[i].lcore) == RUNNING && n_left) {
			n_left = n_taken == atomic_load(&live->records.n_taken) ? n_left - 1 : n_waits;
			n_taken = atomic_load(&live->records.n_taken);
			usleep(LIVE_POLL_US);
		}
		if (!n_left)
			atomic_store(&live->abandons, true);
		rte_eal_wait_lcore(live->workers[i].lcore);
	}
	return live_records_stop(&live->records, LIVE_RECORDS_PATIENCE_S);
}

static int live_finish(const struct live *live, const struct live_options *options)
{
	FILE *file =
		live->records.flows.output.is_stdout || live->records.packets.output.is_stdout ? stderr : stdout;
	int rc = live_print(live, options, file);

	if (!live_report_adds_up(live)) {
		complain("the counters do not add up: packets were lost without a reason; please report it");
		rc = -1;
	}
	return rc;
}

int live_run(const struct live_options *options)
{
	struct live *live = calloc(1, sizeof(*live));
	struct live_watch watch = {0};
	int rc = EXIT_FAILED;

	if (!live) {
		complain("out of memory");
		return EXIT_FAILED;
	}
	notify_open(&watch.notify);
	if (!live_setup(live, options->config, options->is_verbose) && !live_launch(live)) {
		live_look(live);
		watch.line_ns = watch.looked_ns = live_now_ns(live);
		notify_send(&watch.notify, "READY=1\nSTATUS=packets pass");
		complain("running with %u worker%s; SIGINT ends it", live->n_workers,
			 live->n_workers == 1 ? "" : "s");
		while (!atomic_load(options->stop)) {
			live_step(live, options, &watch);
			usleep(LIVE_POLL_US);
		}
		notify_send(&watch.notify, "STOPPING=1");
		rc = live_stop(live) ? EXIT_FAILED : EXIT_OK;
		if (live_finish(live, options))
			rc = EXIT_FAILED;
	} else {
		live_stop(live);
	}
	live_free(live);
	free(live);
	notify_close(&watch.notify);
	return rc;
}
