/* SPDX-License-Identifier: BSD-3-Clause */
#include "live_reload.h"

#include <stdio.h>
#include <unistd.h>

#include "command.h"
#include "generation.h"
#include "live_drift.h"
#include "live_models.h"

/* Workers take over within a poll: 2 s is when one of them hangs. */
#define RELOAD_POLL_US 5000
#define RELOAD_N_POLLS 400

void live_reload_release(struct live *live)
{
	if (!live->retired || rte_rcu_qsbr_check(live->rcu, live->retired_token, false) != 1)
		return;
	if (live->retired != live->first)
		generation_free(live->retired);
	live->retired = NULL;
}

/* Mirrors are numbers of ports, and those that run are the ones of the config before. */
static void map_mirror(const struct live *live, const struct config *config, struct config_action *action,
		       struct config_problems *problems)
{
	if (action->kind != CONFIG_ACTION_MIRROR)
		return;
	action->port = config_port_find(live->config, action->port_name);
	if (action->port == CONFIG_NO_PORT)
		config_tell(config, problems, action, "port %s does not run; restart to take it",
			    action->port_name);
	else if (live->config->ports[action->port].role != CONFIG_ROLE_MIRROR)
		config_tell(config, problems, action, "port %s is no mirror as it runs; restart to make it one",
			    action->port_name);
}

/* Has a config that was read again say of the rest what runs; tells what it has otherwise. */
static void keep_the_rest(const struct live *live, struct config *config, struct config_problems *problems)
{
	config_tell_changes(live->config, config, problems);
	/* What models are loaded for. */
	config->flow = live->config->flow;
	config->metrics.drift_interval_ns = live->config->metrics.drift_interval_ns;
}

/* Makes a generation of a config that was read again. NULL after telling. */
static struct generation *make_generation(const struct live *live, struct config *config,
					  struct config_problems *problems)
{
	struct generation *after;
	char error[LIVE_ERROR_BYTES];

	map_mirror(live, config, &config->policy.non_ip, problems);
	for (uint32_t i = 0; i < config->n_classes; i++)
		map_mirror(live, config, &config->classes[i].action, problems);
	if (generation_create(config, live->n_workers, &after, error, sizeof(error))) {
		config_tell(config, problems, &config->models, "%s", error);
		return NULL;
	}
	/* Checked with the checkpoints of the file, and those that run may be others. */
	if (config->policy.before_verdict == CONFIG_HOLD_DROP && after->flow_engine_model &&
	    !after->flow_engine_model->checkpoints)
		config_tell(config, problems, &config->policy.before_verdict,
			    "no flow would ever pass: as it runs flows are scored when they end; restart");
	if (generation_follows(live->current, after, live->workers[0].flow_engine, config, problems) &&
	    !problems->n)
		return after;
	generation_free(after);
	return NULL;
}

static void swap(struct live *live, struct generation *after, const struct config *config)
{
	live->retired = live->current;
	live->current = after;
	live->n_reloads++;
	live_models_set(after, config);
	live_records_set_thresholds(&live->records, after);
	atomic_store_explicit(&live->generation_now, &after->live, memory_order_release);
	live->retired_token = rte_rcu_qsbr_start(live->rcu);
	live_drift_follow(live);
}

static void print_problems(struct config_problems *problems, const struct config *config)
{
	config_problems_sort(problems);
	config_problems_print(problems, config->path, complaints());
}

bool live_reload(struct live *live, const struct live_options *options, char *reason, size_t reason_size)
{
	struct config_problems mistakes = {0}, changes = {0};
	struct generation *after = NULL;
	struct config *config;

	for (uint32_t i = 0; live->retired && i < RELOAD_N_POLLS; i++) {
		live_reload_release(live);
		usleep(RELOAD_POLL_US);
	}
	if (live->retired) {
		snprintf(reason, reason_size, "a worker has not taken over the last one yet");
		complain("reload: %s; nothing is changed", reason);
		return false;
	}
	config = options->read(options->context, reason, reason_size);
	if (config) {
		keep_the_rest(live, config, &changes);
		after = make_generation(live, config, &mistakes);
		config_problems_first(&mistakes, config->path, reason, reason_size);
		print_problems(&mistakes, config);
	}
	if (!after) {
		complain("reload: nothing is changed");
	} else {
		print_problems(&changes, config);
		swap(live, after, config);
		snprintf(reason, reason_size, "models and policy are taken over%s",
			 changes.n ? "; the log tells what needs a restart" : "");
		complain("reload: models and policy are taken over");
	}
	config_problems_free(&mistakes);
	config_problems_free(&changes);
	config_free(config);
	return after;
}
