/* SPDX-License-Identifier: BSD-3-Clause */
#include "flow_options.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "capture_time.h"
#include "command.h"

#define NS_PER_SECOND 1000000000.0

/* Hosts and pairs that each worker remembers: 17 and 14 MB. */
#define CONTEXT_HOSTS (1u << 16)
#define CONTEXT_PAIRS (1u << 18)

/* With a small table of flows, of whose flows few are there at a time but many have been: 1 MB each. */
#define CONTEXT_LEAST_HOSTS (1u << 12)
#define CONTEXT_LEAST_PAIRS (1u << 14)

const char flow_options_help[] =
	"  --flows N            flows that each worker's table holds (64 to 1073741824, default 1000000, and\n"
	"                       no more than twice the packets of the largest capture); of classify 0: no flows\n"
	"  --tunnels WHICH      the flow of the 'inner' packet (default) or of the 'outer' one, through GRE,\n"
	"                       VXLAN, Geneve, GTP-U, IP-in-IP, 6in4 and Teredo\n"
	"  --scope ID           tell networks apart by VLAN and tunnel id: 'innermost' (default), 'vlan',\n"
	"                       'tunnel', 'none'\n"
	"  --direction N        'both' directions are one flow (default), or each of them is 'one'\n"
	"  --idle-timeout S     a flow ends after this many seconds of silence (default 60, at most 2147)\n"
	"  --active-timeout S   a flow is cut into slices of at most this many seconds (default 1800, at\n"
	"                       most 2147)\n"
	"  --linger S           a closed TCP flow ends after this many seconds of silence (default 1)\n"
	"  --hash-seed N        seed of the hashes of flows and hosts, to repeat a run exactly (default: random;\n"
	"                       where features are extracted, hosts' is 0)\n";

const char *const flow_options_tunnels[] = {"outer", "inner", NULL};
const char *const flow_options_scopes[] = {"innermost", "vlan", "tunnel", "none", NULL};
const char *const flow_options_directions[] = {"both", "one", NULL};

void flow_options_init(struct flow_options *options)
{
	*options = (struct flow_options){
		.config =
			{
				.n_flows = 1000000,
				.scope = FLOW_SCOPE_INNERMOST,
				.idle_ns = 60000000000u,
				.active_ns = 1800000000000u,
				.linger_ns = 1000000000u,
				/* Times from DPDK are cut to microseconds. */
				.late_ns = CAPTURE_LATE_NS + 1000,
			},
		.depth = PACKET_DEPTH_INNER,
		.has_ends = true,
	};
}

bool flow_options_has(int option)
{
	return option >= FLOW_OPT_FLOWS && option <= FLOW_OPT_SEED;
}

static int take_seconds(const char *name, const char *argument, uint64_t *ns)
{
	double seconds;

	if (parse_double(name, argument, FLOW_OPTIONS_MIN_SECONDS, FLOW_OPTIONS_MAX_SECONDS, &seconds))
		return -1;
	*ns = (uint64_t)(seconds * NS_PER_SECOND + 0.5);
	return 0;
}

/* The place of a word in a list that ends in NULL, or -1 after complaining. */
static int take_word(const char *name, const char *argument, const char *const *words)
{
	for (int i = 0; words[i]; i++)
		if (!strcmp(argument, words[i]))
			return i;
	if (words[2])
		complain("%s %s: must be %s, %s, %s or %s", name, argument, words[0], words[1], words[2], words[3]);
	else
		complain("%s %s: must be %s or %s", name, argument, words[0], words[1]);
	return -1;
}

static int take_flows(const char *argument, uint64_t *n_flows)
{
	if (!strcmp(argument, "0")) {
		*n_flows = 0;
		return 0;
	}
	return parse_u64("--flows", argument, FLOW_MIN_FLOWS, FLOW_MAX_FLOWS, n_flows);
}

int flow_options_read_checkpoints(const char *text, uint64_t *checkpoints, bool *has_ends, char *bad)
{
	char *words = strdup(text), *rest = words, *word;
	int rc = words ? 0 : -ENOMEM;

	*has_ends = false;
	*checkpoints = 0;
	while (!rc && (word = strsep(&rest, ","))) {
		uint64_t n;

		if (!strcmp(word, "end")) {
			*has_ends = true;
		} else if (!read_u64(word, 1, FLOW_MAX_CHECKPOINT, &n)) {
			*checkpoints |= UINT64_C(1) << (n - 1);
		} else {
			snprintf(bad, 16, "%s", word);
			rc = -EINVAL;
		}
	}
	free(words);
	return rc;
}

int flow_options_take_checkpoints(struct flow_options *options, const char *text)
{
	char bad[16];
	int rc = flow_options_read_checkpoints(text, &options->config.checkpoints, &options->has_ends, bad);

	if (rc == -ENOMEM)
		complain("out of memory");
	else if (rc)
		complain("--checkpoints '%s' is not a whole number from 1 to %d", bad, FLOW_MAX_CHECKPOINT);
	return rc ? -1 : 0;
}

int flow_options_take(struct flow_options *options, int option, const char *argument)
{
	struct flow_config *config = &options->config;
	int word;

	switch (option) {
	case FLOW_OPT_FLOWS:
		return take_flows(argument, &config->n_flows);
	case FLOW_OPT_TUNNELS:
		word = take_word("--tunnels", argument, flow_options_tunnels);
		if (word >= 0)
			options->depth = (enum packet_depth)(PACKET_DEPTH_OUTER + word);
		return word < 0 ? -1 : 0;
	case FLOW_OPT_SCOPE:
		word = take_word("--scope", argument, flow_options_scopes);
		if (word >= 0)
			config->scope = (enum flow_scope)word;
		return word < 0 ? -1 : 0;
	case FLOW_OPT_DIRECTION:
		word = take_word("--direction", argument, flow_options_directions);
		config->is_one_way = word == 1;
		return word < 0 ? -1 : 0;
	case FLOW_OPT_IDLE:
		return take_seconds("--idle-timeout", argument, &config->idle_ns);
	case FLOW_OPT_ACTIVE:
		return take_seconds("--active-timeout", argument, &config->active_ns);
	case FLOW_OPT_LINGER:
		return take_seconds("--linger", argument, &config->linger_ns);
	default:
		options->has_seed = true;
		config->seed[1] = 0;
		return parse_u64("--hash-seed", argument, 0, UINT64_MAX, &config->seed[0]);
	}
}

struct flow_engine_options flow_options_engine(const struct flow_options *options)
{
	const struct flow_config *config = &options->config;
	struct flow_engine_options engine = {
		.config = *config,
		.context = {.n_hosts = CONTEXT_HOSTS, .n_pairs = CONTEXT_PAIRS, .n_workers = 1},
	};

	if (options->has_seed)
		memcpy(engine.context.seed, config->seed, sizeof(engine.context.seed));
	/* A flow has two hosts at most, and three entries of pairs. */
	while (engine.context.n_hosts > CONTEXT_LEAST_HOSTS && engine.context.n_hosts > 8 * config->n_flows)
		engine.context.n_hosts /= 2;
	while (engine.context.n_pairs > CONTEXT_LEAST_PAIRS && engine.context.n_pairs > 8 * config->n_flows)
		engine.context.n_pairs /= 2;
	return engine;
}

int flow_options_finish(struct flow_options *options)
{
	if (options->has_seed ||
	    getrandom(options->config.seed, sizeof(options->config.seed), 0) == sizeof(options->config.seed))
		return 0;
	complain("no secret for the flow table's hash: getrandom: %s; choose one with --hash-seed",
		 strerror(errno));
	return -1;
}
