/* SPDX-License-Identifier: BSD-3-Clause */
#include "flow_options.h"

#include <errno.h>
#include <stddef.h>
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

	if (parse_double(name, argument, 1e-6, (double)(FLOW_GAP_MAX_NS / 1000000000u), &seconds))
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

int flow_options_take_checkpoints(struct flow_options *options, const char *text)
{
	char *words = strdup(text), *rest = words, *word;
	int rc = 0;

	if (!words) {
		complain("out of memory");
		return -1;
	}
	options->has_ends = false;
	options->config.checkpoints = 0;
	while (!rc && (word = strsep(&rest, ","))) {
		uint64_t n;

		if (!strcmp(word, "end"))
			options->has_ends = true;
		else if (!(rc = parse_u64("--checkpoints", word, 1, FLOW_MAX_CHECKPOINT, &n)))
			options->config.checkpoints |= UINT64_C(1) << (n - 1);
	}
	free(words);
	return rc;
}

int flow_options_take(struct flow_options *options, int option, const char *argument)
{
	static const char *const tunnels[] = {"outer", "inner", NULL};
	static const enum packet_depth depths[] = {PACKET_DEPTH_OUTER, PACKET_DEPTH_INNER};
	static const char *const scopes[] = {"innermost", "vlan", "tunnel", "none", NULL};
	static const char *const directions[] = {"both", "one", NULL};
	struct flow_config *config = &options->config;
	int word;

	switch (option) {
	case FLOW_OPT_FLOWS:
		return take_flows(argument, &config->n_flows);
	case FLOW_OPT_TUNNELS:
		word = take_word("--tunnels", argument, tunnels);
		if (word >= 0)
			options->depth = depths[word];
		return word < 0 ? -1 : 0;
	case FLOW_OPT_SCOPE:
		word = take_word("--scope", argument, scopes);
		if (word >= 0)
			config->scope = (enum flow_scope)word;
		return word < 0 ? -1 : 0;
	case FLOW_OPT_DIRECTION:
		word = take_word("--direction", argument, directions);
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
