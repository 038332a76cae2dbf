/* SPDX-License-Identifier: BSD-3-Clause */
#include "live_setup.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_lcore.h>
#include <rte_malloc.h>

#include "command.h"
#include "config_device.h"
#include "core_dump.h"
#include "dataplane/eal.h"
#include "dataplane/engines.h"
#include "dataplane/memif_guard.h"
#include "flow_options.h"
#include "live_drift.h"
#include "live_http.h"
#include "live_log.h"
#include "live_models.h"
#include "live_ports.h"
#include "live_share.h"
#include "live_telemetry.h"
#include "rights.h"

/* A port's and a further device's, as many as there may be, virtual ones, and cores, memory and pages. */
_Static_assert(CONFIG_MAX_PORTS + 2 * CONFIG_MAX_WORDS + 8 <= DATAPLANE_EAL_MAX_WORDS, "all find room");

#define LIVE_READY_POLL_US 1000
#define NS_PER_SECOND	   UINT64_C(1000000000)

/* The CPUs that this process may use, but for the taken ones; all where none is left. As "0,2,3", into text. */
static void list_other_cpus(const cpu_set_t *taken, char *text, size_t size)
{
	cpu_set_t cpus, others;
	size_t used = 0;

	text[0] = '\0';
	if (sched_getaffinity(0, sizeof(cpus), &cpus))
		return;
	CPU_AND(&others, &cpus, taken);
	CPU_XOR(&others, &others, &cpus);
	if (!CPU_COUNT(&others))
		others = cpus;
	for (int cpu = 0; cpu < CPU_SETSIZE && used < size - 8; cpu++)
		if (CPU_ISSET(cpu, &others))
			used += (size_t)snprintf(text + used, size - used, "%s%d", used ? "," : "", cpu);
}

/*
 * Lcore 0 is control's, and its helper threads inherit its CPUs; the others are the workers'. "0@(0,3),1@1,2@2": what
 * floats keeps off the CPUs that are somebody's own, for a worker never lets go of its one.
 */
static void eal_word_cores(struct dataplane_eal_words *words, const struct config_eal *eal, uint32_t n_workers)
{
	char list[CONFIG_MAX_CORES * 10 + 32], others[CPU_SETSIZE * 5];
	cpu_set_t taken;
	size_t used = 0;

	CPU_ZERO(&taken);
	for (uint32_t i = 0; i < eal->cores.n; i++)
		CPU_SET(eal->cores.ids[i], &taken);
	if (eal->main_core >= 0)
		CPU_SET(eal->main_core, &taken);
	if (!CPU_COUNT(&taken))
		return;
	list_other_cpus(&taken, others, sizeof(others));
	if (!eal->cores.n) {
		dataplane_eal_add_word(words, "--lcores=0@%d,(1-%u)@(%s)", eal->main_core, n_workers, others);
		return;
	}
	for (uint32_t i = 0; i < eal->cores.n; i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, ",%u@%u", i + 1, eal->cores.ids[i]);
	if (eal->main_core >= 0)
		dataplane_eal_add_word(words, "--lcores=0@%d%s", eal->main_core, list);
	else
		dataplane_eal_add_word(words, "--lcores=0@(%s)%s", others, list);
}

/* Without shared files there are runs side by side, as any user. */
static void eal_word_memory(struct dataplane_eal_words *words, const struct config_eal *eal, size_t bytes)
{
	size_t mb = eal->memory_mb ? eal->memory_mb : (bytes >> 20) * 2 + 64;

	if (eal->file_prefix)
		dataplane_eal_add_word(words, "--file-prefix=%s", eal->file_prefix);
	if (eal->hugepages == CONFIG_HUGEPAGES_NO) {
		dataplane_eal_add_word(words, "--no-huge");
		dataplane_eal_add_word(words, "--no-shconf");
	} else if (eal->hugepages == CONFIG_HUGEPAGES_YES && !eal->file_prefix) {
		dataplane_eal_add_word(words, "--in-memory");
	}
	if (eal->memory_mb || eal->hugepages == CONFIG_HUGEPAGES_NO) {
		dataplane_eal_add_word(words, "-m");
		dataplane_eal_add_word(words, "%zu", mb);
	}
}

/* Whether DPDK can open its telemetry socket; where it is asked to and cannot, the run goes on without. */
static bool setup_telemetry(const struct config *config)
{
	char error[LIVE_ERROR_BYTES];
	const char *prefix = config->eal.file_prefix ? config->eal.file_prefix : "rte";

	if (!config->metrics.has_telemetry)
		return false;
	if (!live_telemetry_check(prefix, error, sizeof(error)))
		return true;
	complain("[metrics] telemetry: %s; the run goes on without", error);
	return false;
}

/*
 * Whether the machine has what the ports want, of which half is to spare; DPDK would take all there is before it finds
 * out. 0, or -ENOMEM with one line in error.
 */
static int check_memory(size_t bytes, char *error, size_t error_size)
{
	struct sysinfo info;

	if (sysinfo(&info) || bytes / 2 / info.mem_unit <= info.totalram)
		return 0;
	snprintf(
		error, error_size,
		"the ports want %zu MB for packets and this machine has %zu; fewer mbufs, descriptors or queues, or a "
		"smaller mtu, do with less",
		bytes >> 21, (size_t)info.totalram * info.mem_unit >> 20);
	return -ENOMEM;
}

static int setup_eal(struct live *live, bool is_verbose)
{
	const struct config *config = live->config;
	struct dataplane_eal_options options = {.n_workers = live->n_workers, .verbose = is_verbose};
	struct dataplane_eal_words words = {0};
	char error[LIVE_ERROR_BYTES];
	int rc;

	for (uint32_t i = 0; i < config->n_ports; i++) {
		struct live_port_options port = live_ports_options(live, i);
		char interface[64];
		int mtu = 0;

		if (config_device_interface(&config->ports[i].device, interface, sizeof(interface)))
			mtu = live_port_interface_mtu(interface, 0);
		if (!port.mtu && mtu > 0)
			port.mtu = (uint32_t)mtu;
		options.memory_bytes +=
			live_port_bytes(&port, live->n_workers) + live_share_bytes(&port, live->n_workers);
		if (config->ports[i].device.kind == CONFIG_DEVICE_PCI)
			dataplane_eal_add_word(&words, "--allow=%s", config->ports[i].device.text);
	}
	options.memory_bytes +=
		live->n_workers * (LIVE_PACKET_RING * sizeof(struct packet_record) + LIVE_FLOW_RING * (size_t)2048);
	for (uint32_t i = 0; i < config->eal.allow.n; i++)
		dataplane_eal_add_word(&words, "--allow=%s", config->eal.allow.words[i]);
	for (uint32_t i = 0; i < config->eal.vdevs.n; i++)
		dataplane_eal_add_word(&words, "--vdev=%s", config->eal.vdevs.words[i]);
	eal_word_cores(&words, &config->eal, live->n_workers);
	eal_word_memory(&words, &config->eal, options.memory_bytes);
	options.extra = words.words;
	options.n_extra = words.n;
	options.has_telemetry = setup_telemetry(config);
	rc = words.is_short ? -ENOMEM : 0;
	snprintf(error, sizeof(error), "out of memory");
	if (!rc)
		rc = check_memory(options.memory_bytes, error, sizeof(error));
	if (!rc)
		rc = dataplane_eal_init(&options, error, sizeof(error));
	dataplane_eal_free_words(&words);
	if (rc)
		complain("%s", error);
	else if (config->eal.file_prefix && !rte_eal_has_hugepages())
		complain("[eal] file-prefix: there are not enough hugepages to share; it only names a folder");
	return rc;
}

/* What flow engines are made with. 0, or -1 after complaining. */
static int prepare_flows(struct live *live)
{
	const struct config_flow *flow = &live->config->flow;
	struct flow_options options;

	flow_options_init(&options);
	options.depth = flow->depth;
	options.config.n_flows = flow->n_flows;
	options.config.scope = flow->scope;
	options.config.is_one_way = flow->is_one_way;
	options.config.idle_ns = flow->idle_ns;
	options.config.active_ns = flow->active_ns;
	options.config.linger_ns = flow->linger_ns;
	options.config.late_ns = LIVE_RING_WAIT_NS;
	options.config.checkpoints =
		!live->current->flow_engine_model && flow->has_checkpoints ? flow->checkpoints : 0;
	options.has_seed = flow->has_seed;
	options.config.seed[0] = flow->seed;
	if (flow_options_finish(&options))
		return -1;
	live->flows = flow_options_engine(&options);
	/* Whoever knew it could make hosts collide. */
	memcpy(live->flows.context.seed, live->flows.config.seed, sizeof(live->flows.context.seed));
	live->flows.model = live->current->flow_engine_model;
	live->flows.has_verdicts = true;
	live_records_choose(live->config, &live->flows);
	return 0;
}

static struct live_clock clock_now(void)
{
	struct live_clock clock = {
		.start_cycles = rte_rdtsc(),
		.scale = (uint64_t)(((unsigned __int128)NS_PER_SECOND << 32) / rte_get_tsc_hz()),
	};
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	clock.start_ns = (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
	return clock;
}

/* What a worker needs before it is known which queues it has. 0 or -ENOMEM. */
static int prepare_worker(struct live *live, uint32_t index, const struct live_clock *clock)
{
	struct live_worker *worker = &live->workers[index];
	size_t n_rings = (size_t)CONFIG_MAX_PORTS * live->n_workers;

	worker->index = index;
	worker->lcore = dataplane_eal_worker(index);
	worker->burst = live->config->eal.burst;
	worker->sleeps_idle = live->config->eal.sleeps_idle;
	worker->clock = *clock;
	worker->stop = &live->stop;
	worker->abandons = &live->abandons;
	worker->states = live->states;
	worker->generation = &live->generation_now;
	worker->rcu = live->rcu;
	worker->ending = &live->ending;
	worker->n_sharing = 1;
	worker->stats = calloc(1, sizeof(*worker->stats));
	worker->counters = aligned_alloc(64, LIVE_MAX_PORTS * sizeof(*worker->counters));
	worker->queues = calloc(n_rings, sizeof(*worker->queues));
	worker->returns = calloc(n_rings, sizeof(*worker->returns));
	worker->heads = core_dump_hidden_alloc(CLASSIFY_MAX_BURST * sizeof(*worker->heads));
	if (!worker->stats || !worker->counters || !worker->queues || !worker->returns || !worker->heads)
		return -ENOMEM;
	memset(worker->counters, 0, LIVE_MAX_PORTS * sizeof(*worker->counters));
	return rte_rcu_qsbr_thread_register(live->rcu, index) ? -ENOMEM : 0;
}

/* The engines of a worker that has its queues. 0 or a negative errno. */
static int make_engines(const struct live *live, struct live_worker *worker)
{
	const struct classifier_options classifier = {
		.packet_engine = live->current->packet_engine,
		.depth = live->config->flow.depth,
		.stats = worker->stats,
	};

	return engines_create(classifier, live->config->flow.n_flows ? &live->flows : NULL, worker->n_sharing,
			      &worker->flow_engine, &worker->classifier);
}

static int prepare_workers(struct live *live)
{
	size_t rcu_bytes = rte_rcu_qsbr_get_memsize(live->n_workers);
	struct live_clock clock = clock_now();
	int rc = -ENOMEM;

	live->workers = aligned_alloc(_Alignof(struct live_worker), live->n_workers * sizeof(*live->workers));
	if (live->workers)
		memset(live->workers, 0, live->n_workers * sizeof(*live->workers));
	live->rcu = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN_CEIL(rcu_bytes, (size_t)RTE_CACHE_LINE_SIZE));
	if (live->workers && live->rcu && !rte_rcu_qsbr_init(live->rcu, live->n_workers))
		rc = 0;
	for (uint32_t i = 0; !rc && i < live->n_workers; i++)
		rc = prepare_worker(live, i, &clock);
	if (!rc)
		memif_guard_set(live->rcu);
	atomic_store(&live->ending.n_receiving, live->n_workers);
	atomic_store(&live->ending.n_carrying, live->n_workers);
	return rc;
}

/* Of the hash that software shares packets out by. 0, or -1 after complaining. */
static int make_share_seed(const struct live *live, uint64_t seed[2])
{
	memcpy(seed, live->flows.config.seed, sizeof(live->flows.config.seed));
	/* Whoever knew it could make one worker do everything. */
	if (live->config->flow.n_flows || getrandom(seed, 2 * sizeof(seed[0]), 0) == 2 * sizeof(seed[0]))
		return 0;
	complain("no random numbers: %s", strerror(errno));
	return -1;
}

/* Makes the workers, and starts the ports, which tell what each of them has to do. 0, or -1 after complaining. */
static int make_workers(struct live *live)
{
	uint64_t seed[2];
	int rc;

	if ((live->config->flow.n_flows && prepare_flows(live)) || make_share_seed(live, seed))
		return -1;
	rc = prepare_workers(live);
	if (!rc && live_ports_start(live, seed))
		return -1;
	for (uint32_t i = 0; !rc && i < live->n_workers; i++)
		rc = make_engines(live, &live->workers[i]);
	if (rc)
		complain("%u workers with %zu MB for flows: %s; try fewer [flow] flows", live->n_workers,
			 live->config->flow.n_flows ? live->n_workers * flow_engine_bytes(&live->flows) >> 20 : 0,
			 strerror(-rc));
	return rc;
}

/* Gives up rights, opens where records go, and starts the threads that take them there. 0, or -1 after complaining. */
static int setup_records(struct live *live)
{
	struct flow_layout layout = {0};
	char error[LIVE_ERROR_BYTES];

	if (live->config->flow.n_flows)
		layout = flow_engine_record_layout(&live->flows);
	if (live_records_prepare(&live->records, live->config, live->n_workers, error, sizeof(error))) {
		complain("%s", error);
		return -1;
	}
	live_telemetry_open(&live->config->security);
	live_http_open(live);
	if (rights_drop(&live->config->security, error, sizeof(error)) ||
	    live_records_open(&live->records, live->config, live->first, &layout, error, sizeof(error))) {
		complain("%s", error);
		return -1;
	}
	live->is_stdout_taken = live_records_has_stdout(&live->records);
	live_http_start(live);
	if (live_records_start(&live->records)) {
		complain("[records] out of memory; [eal] memory-mb gives more");
		return -1;
	}
	for (uint32_t i = 0; i < live->n_workers; i++) {
		if (live->records.flow_rings && live->workers[i].flow_engine) {
			live->workers[i].flow_records = live->records.flow_rings[i];
			live->workers[i].flow_record_bytes = live->records.flow_record_bytes;
		}
		if (live->records.packet_rings)
			live->workers[i].packet_records = live->records.packet_rings[i];
	}
	return 0;
}

void live_hide_packets(const struct live *live)
{
	/* Where there are none, the process may not even look at its memory. */
	if (live->config->security.core_dumps != CONFIG_CORE_DUMPS_WITHOUT_PACKETS)
		return;
	for (uint32_t i = 0; i < live->config->n_ports; i++) {
		int rc = live_port_hide_packets(&live->ports[i]);

		if (rc)
			complain("[port %s] its packets may be in core dumps: %s; set core-dumps to no",
				 live->config->ports[i].name, strerror(-rc));
	}
	core_dump_hide_shared();
}

int live_setup(struct live *live, const struct config *config, bool is_verbose)
{
	char error[LIVE_ERROR_BYTES];

	*live = (struct live){
		.config = config,
		.n_workers = config_n_workers(config),
		.is_verbose = is_verbose,
	};
	if (rights_begin(&config->security, error, sizeof(error)) ||
	    generation_create(config, live->n_workers, &live->first, error, sizeof(error))) {
		complain("%s", error);
		return -1;
	}
	live->current = live->first;
	live_models_set(live->first, config);
	atomic_store(&live->generation_now, &live->first->live);
	if (setup_eal(live, is_verbose) || live_ports_open(live) || make_workers(live))
		return -1;
	if (live_log_open() || live_drift_create(live)) {
		complain("out of memory");
		return -1;
	}
	if (setup_records(live))
		return -1;
	live_hide_packets(live);
	return 0;
}

int live_launch(struct live *live)
{
	for (uint32_t i = 0; i < live->n_workers; i++) {
		if (rte_eal_remote_launch(live_worker_run, &live->workers[i], live->workers[i].lcore)) {
			complain("worker %u cannot be launched", i);
			return -1;
		}
		live->n_launched++;
	}
	for (uint32_t i = 0; i < live->n_workers; i++)
		while (!__atomic_load_n(&live->workers[i].n_polls, __ATOMIC_RELAXED))
			usleep(LIVE_READY_POLL_US);
	live->start_ns = live_clock_ns(&live->workers[0].clock, rte_rdtsc());
	return 0;
}

void live_free(struct live *live)
{
	live_http_close(live);
	for (uint32_t i = 0; i < live->config->n_ports; i++)
		live_port_close(&live->ports[i]);
	/* A port's packets may have waited in another's queue until now. */
	for (uint32_t i = 0; i < live->config->n_ports; i++) {
		uint32_t n = live_port_free_pool(&live->ports[i]);

		if (n && live->is_verbose)
			complain("port %s: %u buffers have not come back", live->config->ports[i].name, n);
	}
	for (uint32_t i = 0; live->workers && i < live->n_workers; i++) {
		struct live_worker *worker = &live->workers[i];

		classifier_free(worker->classifier);
		flow_engine_free(worker->flow_engine);
		core_dump_hidden_free(worker->heads, CLASSIFY_MAX_BURST * sizeof(*worker->heads));
		live_share_free(worker);
		free(worker->counters);
		free(worker->stats);
	}
	live_records_free(&live->records);
	live_drift_free(live);
	free(live->workers);
	memif_guard_set(NULL);
	free(live->rcu);
	generation_free(live->retired == live->first ? NULL : live->retired);
	generation_free(live->current == live->first ? NULL : live->current);
	generation_free(live->first);
	live_models_clear();
}
