/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The config: what is read from a file, what wins, and that every kind of mistake is told of where it is.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "config.h"
#include "config_keys.h"
#include "flow_options.h"

/* Two ports, which most mistakes do not need to repeat. */
#define PORTS  "[port a]\ndevice = net_null0\n[port b]\ndevice = net_null1\n"
#define PAIR   PORTS "[pair p]\nports = a, b\n"
#define PORT_B "[port b]\ndevice = net_null1\n"

/* A config from bytes; what is wrong with it goes to problems, in order. */
static struct config *read_bytes(const char *bytes, size_t n, struct config_problems *problems)
{
	struct config *config = config_create();
	int fd = memfd_create("config", MFD_CLOEXEC);
	char path[32];

	*problems = (struct config_problems){0};
	assert_non_null(config);
	assert_int_equal(write(fd, bytes, n), n);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(config_read(config, path, problems), 0);
	assert_int_equal(config_check(config, 0, problems), 0);
	config_problems_sort(problems);
	close(fd);
	return config;
}

static struct config *read_text(const char *text, struct config_problems *problems)
{
	return read_bytes(text, strlen(text), problems);
}

/* A config without mistakes. */
static struct config *read_fine(const char *text)
{
	struct config_problems problems;
	struct config *config = read_text(text, &problems);

	if (problems.n)
		config_problems_print(&problems, "config", stderr);
	assert_int_equal(problems.n, 0);
	return config;
}

/* The mistakes as they are printed; the caller frees them. */
static char *mistakes_of_bytes(const char *bytes, size_t n)
{
	struct config_problems problems;
	char *text = NULL;
	size_t n_bytes;
	FILE *file = open_memstream(&text, &n_bytes);

	config_free(read_bytes(bytes, n, &problems));
	config_problems_print(&problems, "F", file);
	config_problems_free(&problems);
	fclose(file);
	return text;
}

static void assert_only_mistake(const char *text, const char *begins, const char *has)
{
	char *told = mistakes_of_bytes(text, strlen(text));

	if (strncmp(told, begins, strlen(begins)) || !strstr(told, has) ||
	    strchr(told, '\n') != strrchr(told, '\n'))
		fail_msg("%s\ntells\n%sand not only\n%s ... %s", text, told, begins, has);
	free(told);
}

static void every_default_is_read(void **state)
{
	struct config *config = config_create();
	struct flow_options flow;

	(void)state;
	assert_non_null(config);
	assert_int_equal(config->eal.main_core, -1);
	assert_int_equal(config->eal.burst, 0);
	assert_false(config->eal.sleeps_idle);
	assert_true(isnan(config->models.flow_threshold));
	assert_true(config->models.packet.is_shipped);
	assert_non_null(config->models.flow.path);
	assert_null(config->models.kernel);
	assert_true(config->security.has_no_new_privs);
	assert_int_equal(config->security.core_dumps, CONFIG_CORE_DUMPS_WITHOUT_PACKETS);
	assert_int_equal(config->n_records, 0);

	/* Those of flows are those of the commands. */
	flow_options_init(&flow);
	assert_int_equal(config->flow.n_flows, flow.config.n_flows);
	assert_int_equal(config->flow.depth, flow.depth);
	assert_int_equal(config->flow.scope, flow.config.scope);
	assert_int_equal(config->flow.is_one_way, flow.config.is_one_way);
	assert_int_equal(config->flow.idle_ns, flow.config.idle_ns);
	assert_int_equal(config->flow.active_ns, flow.config.active_ns);
	assert_int_equal(config->flow.linger_ns, flow.config.linger_ns);
	assert_false(config->flow.has_seed);
	assert_false(config->flow.has_checkpoints);
	config_free(config);
}

/* Those of the config below. */
static void check_records_read(const struct config_records *records)
{
	assert_string_equal(records[0].path, "-");
	assert_int_equal(records[0].form, SINK_JOY);
	assert_int_equal(records[0].to, CONFIG_TO_FILE);
	assert_int_equal(records[0].classes.n, 2);
	assert_string_equal(records[0].classes.words[0], "scan port");
	assert_string_equal(records[0].classes.words[1], "x");
	assert_true(records[0].min_score == 0.5 && records[0].uncertain == 0.25 && records[0].one_in == 7);
	assert_int_equal(records[0].n_queued, 65536);
	assert_int_equal(records[1].to, CONFIG_TO_KAFKA);
	assert_int_equal(records[1].records, SINK_PACKETS);
	assert_string_equal(records[1].server, "h:9092,[::1]:9093");
	assert_string_equal(records[1].password_file, "/proc/self/fd/pw");
	assert_int_equal(records[1].properties.n, 2);
	assert_string_equal(records[1].properties.words[1], "c.d=e=f");
	assert_string_equal(records[1].topic, "t");
	assert_int_equal(records[1].n_queued, 64);
	assert_true(records[2].is_list);
	assert_int_equal(records[2].heartbeat_ns, 500000000);
	assert_int_equal(records[1].heartbeat_ns, 0);
	assert_int_equal(records[2].n_longest, 0);
	assert_string_equal(records[2].password_env, "E");
	assert_string_equal(records[2].topic, "wirescore");
	assert_string_equal(records[2].virtual_host, "/");
	assert_true(records[3].is_udp);
	assert_int_equal(records[3].domain, UINT32_MAX);
	assert_string_equal(records[4].path, "/proc/self/fd/p.csv");
	assert_int_equal(records[4].rotate_mb, 5);
	assert_int_equal(records[4].rotate_ns, UINT64_C(900000000000));
	assert_int_equal(records[4].n_kept, 3);
	assert_int_equal(records[4].compress, CONFIG_COMPRESS_GZIP);
	assert_true(records[4].has_fsync);
}

static void everything_that_is_set_is_read(void **state)
{
	struct config *config = read_fine(
		"\xef\xbb\xbf# a byte order mark, comments, blanks and both ends of lines are fine\r\n"
		"  [eal]   # so\r\ncores=4-6, 2\nmain-core = 0\nmemory-mb = 512\nhugepages = no\nfile-prefix = ws\n"
		"vdevs = net_ring0 net_ring1,nodeaction=r:0:CREATE\nburst = 64\nidle-sleep = on\n"
		"[port  lan]\ndevice=net_pcap0,rx_pcap=x.pcap,tx_pcap=/y.pcap\nqueues = 4\nrx-descriptors = 1024\n"
		"promiscuous = no\nmtu = 9000\nrss = software\n"
		"[port wan]\ndevice = eth9\nmtu = 9000\n[port spare]\ndevice = net_null0\n"
		"[pair wire]\nports = lan wan\n"
		"[models]\npacket = none\nflow-threshold = 0.75\nkernel = scalar\n"
		"[flow]\nflows = 64\ntunnels = outer\nscope = vlan\ndirection = one\nidle-timeout = 0.5\n"
		"hash-seed = 7\ncheckpoints = 1,64,end\n"
		"[policy]\nbefore-verdict = hold-drop\nnon-ip = drop\n"
		"[policy scan port]\naction = mirror spare\nthreshold = 0.9\ncount-only = yes\n"
		"[policy attack]\naction = mark VLAN-PCP 7\n[policy benign]\naction = mark dscp 63\n"
		"[sensor]\nname = tap-1\n"
		"[records a]\npath = -\nformat = joy\nclasses = scan port ,x\nmin-score = 0.5\nuncertain = 0.25\none-in = 7\n"
		"[records b]\nto = kafka\nrecords = packets\nserver = h:9092,[::1]:9093\nuser = u\npassword-file = pw\n"
		"topic = t\nproperties = a=b  c.d=e=f\nqueue = 64\n"
		"[records c]\nto = redis\nheartbeat = 0.5\nserver = /run/redis.sock\nas = list\nmax-length = all\npassword-env = E\n"
		"[records d]\nto = ipfix\nserver = h:4739\ntransport = udp\ndomain = 4294967295\n"
		"[records e]\npath = p.csv\nrotate-mb = 5\nrotate-seconds = 900\nkeep = 3\ncompress = gzip\nfsync = yes\n"
		"[metrics]\ninterval = off\n[security]\nuser = nobody\ngroup = 65534\ncore-dumps = full");

	(void)state;
	assert_int_equal(config->eal.cores.n, 4);
	assert_int_equal(config->eal.cores.ids[3], 2);
	assert_int_equal(config_n_workers(config), 4);
	assert_int_equal(config->eal.hugepages, CONFIG_HUGEPAGES_NO);
	assert_string_equal(config->eal.vdevs.words[1], "net_ring1,nodeaction=r:0:CREATE");
	assert_true(config->eal.sleeps_idle);
	assert_int_equal(config->n_ports, 3);
	assert_string_equal(config->ports[0].device.text, "net_pcap0,rx_pcap=/proc/self/fd/x.pcap,tx_pcap=/y.pcap");
	assert_int_equal(config->ports[0].n_queues, 4);
	assert_int_equal(config->ports[0].rss, CONFIG_RSS_SOFTWARE);
	assert_false(config->ports[0].is_promiscuous);
	assert_int_equal(config->ports[1].device.kind, CONFIG_DEVICE_INTERFACE);
	assert_int_equal(config->ports[0].peer, 1);
	assert_int_equal(config->ports[1].peer, 0);
	assert_int_equal(config->ports[1].role, CONFIG_ROLE_INLINE);
	assert_int_equal(config->ports[2].role, CONFIG_ROLE_MIRROR);
	assert_null(config->models.packet.path);
	assert_true(config->models.flow_threshold == 0.75);
	assert_int_equal(config->flow.depth, PACKET_DEPTH_OUTER);
	assert_int_equal(config->flow.scope, FLOW_SCOPE_VLAN);
	assert_true(config->flow.is_one_way && config->flow.has_seed && config->flow.has_checkpoints);
	assert_int_equal(config->flow.idle_ns, 500000000);
	assert_int_equal(config->flow.checkpoints, UINT64_C(1) << 63 | 1);
	assert_int_equal(config->policy.before_verdict, CONFIG_HOLD_DROP);
	assert_int_equal(config->policy.non_ip.kind, CONFIG_ACTION_DROP);
	assert_string_equal(config->classes[0].name, "scan port");
	assert_int_equal(config->classes[0].action.port, 2);
	assert_true(config->classes[0].is_count_only && config->classes[0].threshold == 0.9);
	assert_int_equal(config->classes[1].action.kind, CONFIG_ACTION_MARK_PCP);
	assert_int_equal(config->classes[2].action.value, 63);
	assert_string_equal(config->sensor.name, "tap-1");
	check_records_read(config->records);
	assert_int_equal(config->metrics.interval_ns, 0);
	assert_string_equal(config->security.group, "65534");
	assert_int_equal(config->security.core_dumps, CONFIG_CORE_DUMPS_FULL);
	config_free(config);
}

static void lines_that_would_be_lost_are_told_of(void **state)
{
	static const struct {
		const char *text, *begins, *has;
	} cases[] = {
		{PORTS "nonsense\n", "F:5: [port b]: ", "has no '='"},
		{PORTS "mtu\n", "F:5: [port b]: ", "has no '='"},
		{"a = 1\n" PORTS, "F:1: a: ", "before the first section"},
		{PORTS "; old\n", "F:5: [port b]: ", "begins with ';'"},
		{PORTS "mtu = 1500#x\n", "F:5: [port b]: ", "'#' inside a word"},
		{PORTS "mtu = 15\\#00\n", "F:5: [port b]: ", "'#' inside a word"},
		{PORTS "mtu = a\\b\n", "F:5: [port b] mtu: ", "backslash"},
		{PORTS "mtu =\n", "F:5: [port b] mtu: ", "has no value"},
		{PORTS "mtu = # none\n", "F:5: [port b] mtu: ", "has no value"},
		{PORTS "= 5\n", "F:5: [port b]: ", "no key"},
		{PORTS "mtu = 1500\nmtu = 1500\n", "F:6: [port b] mtu: ", "twice, first in line 5"},
		{PORTS "[flow]\n[models]\n[flow]\n", "F:7: [flow]: ", "twice, first in line 5"},
		{PORTS "[port a]\n", "F:5: [port a]: ", "twice, first in line 1"},
		{PORTS "[flow\nflows = x\n", "F:5: ", "no heading"},
		{PORTS "[flow] flows = 0\n", "F:5: ", "no heading"},
		{PORTS "[]\nx = 1\n", "F:5: ", "has no name"},
		{PORTS "[ \t]\nx = 1\n", "F:5: ", "has no name"},
		{PORTS "mtu = \x1b[2J\n", "F:5: [port b]: ", "0x1b"},
		{PORTS "mtu = 1500\r5\n", "F:5: [port b]: ", "0x0d"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_only_mistake(cases[i].text, cases[i].begins, cases[i].has);
}

static void bytes_that_are_no_text_are_told_of(void **state)
{
	static const char text[] = PORTS "mtu = 15\0"
					 "00\n";
	char *told = mistakes_of_bytes(text, sizeof(text) - 1);

	(void)state;
	assert_string_equal(told, "F:5: [port b]: byte 9 is 0x00, which is not text; delete it\n");
	free(told);
}

/* What rte_cfgfile would cut, or give up at. */
static void long_names_and_values_are_told_of(void **state)
{
	char text[2048], *told;

	(void)state;
	snprintf(text, sizeof(text), PORTS "%064d = 1\n", 1);
	assert_only_mistake(text, "F:5: [port b] 0000", "longer than 63");
	snprintf(text, sizeof(text), PORTS "[%064d]\n", 1);
	assert_only_mistake(text, "F:5: [0000", "more than 63 characters");
	snprintf(text, sizeof(text), PORTS "mtu = %0256d\n", 1);
	assert_only_mistake(text, "F:5: [port b] mtu: ", "more than 255 bytes");
	/* What follows is read all the same. */
	snprintf(text, sizeof(text), PORTS "mtu = %01024d\nqueues = 0\n", 1);
	told = mistakes_of_bytes(text, strlen(text));
	assert_non_null(strstr(told, "F:5: [port b] mtu: "));
	assert_non_null(strstr(told, "F:6: [port b] queues: "));
	free(told);
	/* The longest that there may be. */
	snprintf(text, sizeof(text), "[port a]\n%40sdevice%40s=%40snet_null0,x=%0243d%40s # %0999d\n", "", "", "",
		 1, "", 1);
	config_free(read_fine(text));
}

static void a_file_that_is_none_is_told_of(void **state)
{
	struct config_problems problems = {0};
	struct config *config = config_create();
	char *large = malloc(300 << 10), *told;

	(void)state;
	assert_int_equal(config_read(config, "/", &problems), 0);
	assert_int_equal(problems.n, 1);
	assert_non_null(strstr(problems.list[0].text, "Is a directory"));
	config_problems_free(&problems);
	config_free(config);

	memset(large, '\n', 300 << 10);
	told = mistakes_of_bytes(large, 300 << 10);
	assert_non_null(strstr(told, "F: is larger than 256 KiB"));
	free(told);
	free(large);
}

static void values_that_are_wrong_are_told_of(void **state)
{
	static const struct {
		const char *text, *begins, *has;
	} cases[] = {
		{PORTS "[eal]\ncores = 1,x\n", "F:6: [eal] cores: ", "numbers of CPUs as in 2,4-6"},
		{PORTS "[eal]\ncores = 3-1\n", "F:6: [eal] cores: ", "numbers of CPUs"},
		{PORTS "[eal]\ncores = ,\n", "F:6: [eal] cores: ", "numbers of CPUs"},
		{PORTS "[eal]\ncores = 1-3,2\n", "F:6: [eal] cores: ", "core 2 twice"},
		{PORTS "[eal]\ncores = 0-1000\n", "F:6: [eal] cores: ", "more than the 127"},
		{PORTS "[eal]\nburst = 65\n", "F:6: [eal] burst: ", "from 1 to 64"},
		{PORTS "[eal]\nburst = -1\n", "F:6: [eal] burst: ", "from 1 to 64"},
		{PORTS "[eal]\nburst = 4294967297\n", "F:6: [eal] burst: ", "from 1 to 64"},
		{PORTS "[eal]\nhugepages = maybe\n", "F:6: [eal] hugepages: ", "auto, no or yes"},
		{PORTS "[eal]\nidle-sleep = 2\n", "F:6: [eal] idle-sleep: ", "no or yes"},
		{PORTS "[eal]\nallow = 03:00\n", "F:6: [eal] allow: ", "'03:00' is no PCI address"},
		{PORTS "[eal]\nvdevs = eth9\n", "F:6: [eal] vdevs: ", "no virtual device"},
		{PORTS "[eal]\nfile-prefix = a/b\n", "F:6: [eal] file-prefix: ", "a name"},
		{PORTS "mtu = 67\n", "F:5: [port b] mtu: ", "from 68 to 65521"},
		{PORTS "mtu = nan\n", "F:5: [port b] mtu: ", "from 68 to 65521"},
		{"[port a]\ndevice = net_nul0\n", "F:2: [port a] device: ", "no driver of virtual devices"},
		{"[port a]\ndevice = a b\n", "F:2: [port a] device: ", "no device"},
		{"[port a]\ndevice = ../sda\n", "F:2: [port a] device: ", "no device"},
		{PORTS "[pair p]\nports = a\n", "F:6: [pair p] ports: ", "two names of ports"},
		{PORTS "[pair p]\nports = a,b,a\n", "F:6: [pair p] ports: ", "two names of ports"},
		{PORTS "[models]\nflow-threshold = 1.5\n", "F:6: [models] flow-threshold: ", "from 0 to 1"},
		{PORTS "[models]\nflow-threshold = inf\n", "F:6: [models] flow-threshold: ", "from 0 to 1"},
		{PORTS "[flow]\nflows = 63\n", "F:6: [flow] flows: ", "0, or a whole number from 64 to 1073741824"},
		{PORTS "[flow]\nidle-timeout = 2148\n", "F:6: [flow] idle-timeout: ", "to 2147"},
		{PORTS "[flow]\nidle-timeout = 0\n", "F:6: [flow] idle-timeout: ", "from 0.000001"},
		{PORTS "[flow]\ncheckpoints = 1,65\n", "F:6: [flow] checkpoints: ", "1 to 64"},
		{PORTS "[flow]\nhash-seed = x\n", "F:6: [flow] hash-seed: ", "random"},
		{PAIR "[policy]\nnon-ip = reject\n", "F:8: [policy] non-ip: ", "forward, drop, mirror PORT"},
		{PAIR "[policy]\nnon-ip = mark dscp 64\n", "F:8: [policy] non-ip: ", "dscp 0-63"},
		{PAIR "[policy]\nnon-ip = mark vlan-pcp 8\n", "F:8: [policy] non-ip: ", "vlan-pcp 0-7"},
		{PAIR "[policy]\nnon-ip = drop a b c\n", "F:8: [policy] non-ip: ", "must be forward"},
		{PAIR "[policy x]\nthreshold = model\n", "F:8: [policy x] threshold: ", "from 0 to 1"},
		{PORTS "[records r]\npath = x\nto = elsewhere\n",
		 "F:7: [records r] to: ", "file, redis, rabbitmq, kafka or ipfix"},
		{PORTS "[records r]\npath = x\nqueue = 63\n", "F:7: [records r] queue: ", "from 64"},
		{PORTS "[records r]\nto = kafka\nserver = h:1\nproperties = a\n",
		 "F:8: [records r] properties: ", "holds what is no name=value"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_only_mistake(cases[i].text, cases[i].begins, cases[i].has);
}

static void names_that_lead_nowhere_are_told_of(void **state)
{
	static const struct {
		const char *text, *begins, *has;
	} cases[] = {
		{PORTS "queuez = 1\n", "F:5: [port b] queuez: ", "do you mean queues?"},
		{PORTS "zebra = 1\n", "F:5: [port b] zebra: ", "check --keys"},
		{PORTS "[polcy]\nx = 1\n", "F:5: [polcy]: ", "do you mean [policy]?"},
		{PORTS "[prot c]\nx = 1\n", "F:5: [prot c]: ", "do you mean [port c]?"},
		{PORTS "[zebra]\nx = 1\n", "F:5: [zebra]: ", "check --keys"},
		{PORTS "[port]\nmtu = 1\n", "F:5: [port]: ", "needs a name"},
		{PORTS "[flow x]\nflows = 1\n", "F:5: [flow x]: ", "takes no name"},
		{PORTS "[port c d]\nmtu = 1\n", "F:5: [port c d]: ", "'c d' is no name"},
		{PORTS "[port abcdefghijklmnopqrstu]\n", "F:5: [port abc", "up to 20"},
		{"", "F: ", "names no port"},
		{"[port a]\n", "F:1: [port a] device: ", "is not set"},
		{PORTS "[pair p]\n", "F:5: [pair p] ports: ", "is not set"},
		{PORTS "[port lan]\ndevice = e0\n[pair p]\nports = a, lam\n",
		 "F:8: [pair p] ports: ", "do you mean lan?"},
		{PORTS "[pair p]\nports = a, c\n", "F:6: [pair p] ports: ", "add [port c]"},
		{PAIR "[policy x]\naction = mirror zebra\n", "F:8: [policy x] action: ", "no port 'zebra'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_only_mistake(cases[i].text, cases[i].begins, cases[i].has);
}

static void things_that_contradict_are_told_of(void **state)
{
	static const struct {
		const char *text, *begins, *has;
	} cases[] = {
		{"[port a]\ndevice = net_af_packet0,qpairs=2\n", "F:2: [port a] device: ", "without iface="},
		{"[port a]\ndevice = net_pcap0\n", "F:2: [port a] device: ", "without rx_pcap="},
		{PORTS "[pair p]\nports = a, a\n", "F:6: [pair p] ports: ", "twice"},
		{PAIR "[port c]\ndevice = net_null2\n[pair q]\nports = c, a\n",
		 "F:10: [pair q] ports: ", "in pair p too"},
		{PORTS "[eal]\ncores = 1,2\nmain-core = 2\n", "F:7: [eal] main-core: ", "a worker's too"},
		{PORTS "[eal]\ncores = 1,2\nworkers = 3\n", "F:7: [eal] workers: ", "cores has 2"},
		{PORTS "[eal]\nvdevs = net_null1\n", "F:4: [port b] device: ", "[eal] vdevs too"},
		{PORTS "[port c]\ndevice = net_null0,size=9\n", "F:6: [port c] device: ", "device of port a"},
		{"[port a]\ndevice = 3:0.0\n[port b]\ndevice = 0000:03:00.0\n", "F:4: [port b] device: ", "port a"},
		{"[port a]\ndevice = e0\n[port b]\ndevice = net_af_packet0,iface=e0\n", "F:4: [port b]", "port a"},
		{"[eal]\nhugepages = no\n[port a]\ndevice = 03:00.0\n",
		 "F:4: [port a] device: ", "needs hugepages"},
		{PAIR "[port c]\ndevice = net_null2\n[policy x]\naction = mirror a\n",
		 "F:10: [policy x] action: ", "is in a pair"},
		{PORTS "[policy x]\naction = drop\n", "F:6: [policy x] action: ", "add [pair NAME]"},
		{PORTS "[policy]\nbefore-verdict = hold-drop\n",
		 "F:6: [policy] before-verdict: ", "add [pair NAME]"},
		{PAIR "[models]\nflow = none\n[policy x]\naction = drop\n",
		 "F:9: [policy x]: ", "no flow has a class"},
		{PAIR "[models]\nflow = none\n[policy]\nbefore-verdict = hold-drop\n",
		 "F:10: [policy] before-verdict: ", "no flow would ever pass"},
		{PORTS "[flow]\nflows = 0\n", "F:6: [flow] flows: ", "flow = none too"},
		{PORTS "[models]\nflow = none\n[flow]\nflows = 0\n[records r]\npath = x\n",
		 "F:9: [records r]: ", "flows is 0"},
		{PORTS "[models]\nflow = none\n[records r]\npath = x\nclasses = attacks\n",
		 "F:9: [records r] classes: ", "no flow has a class"},
		{PORTS "[models]\nflow = none\n[records r]\npath = x\nmin-score = 0.5\n",
		 "F:9: [records r] min-score: ", "no flow has a score"},
		{PORTS "[models]\npacket = none\n[records r]\npath = x\nrecords = packets\nuncertain = 0.1\n",
		 "F:10: [records r] uncertain: ", "no packet has a score"},
		{PORTS "[records r]\npath = -\n[records s]\npath = -\n",
		 "F:8: [records s] path: ", "records r too"},
		{PORTS "[records]\nfile = -\n", "F:5: [records]: ", "needs a name; write [records NAME]"},
		{PORTS "[records r]\nrecords = flows\n",
		 "F:5: [records r] path: ", "is not set; write path = FILE"},
		{PORTS "[records r]\nto = redis\n", "F:5: [records r] server: ", "write server = HOST:PORT"},
		{PORTS "[records r]\nto = redis\nserver = redis://u:p@h:6379\n",
		 "F:7: [records r] server: ", "has a user or a password; write HOST:PORT"},
		{PORTS "[records r]\npath = x\nserver = h\n",
		 "F:7: [records r] server: ", "nothing with to = file"},
		{PORTS "[records r]\nto = ipfix\nserver = h:1\nformat = csv\n",
		 "F:8: [records r] format: ", "nothing with to = ipfix"},
		{PORTS "[records r]\nto = redis\nserver = h:1\nrotate-mb = 1\n",
		 "F:8: [records r] rotate-mb: ", "nothing with to = redis"},
		{PORTS "[records r]\nto = ipfix\nserver = h:1\nrecords = packets\n",
		 "F:8: [records r] records: ", "IPFIX carries flows"},
		{PORTS "[records r]\npath = x\nrecords = packets\nformat = joy\n",
		 "F:8: [records r] format: ", "Joy has flows alone"},
		{PORTS "[records r]\npath = x\nheartbeat = 1\n",
		 "F:7: [records r] heartbeat: ", "set [sensor] name too"},
		{PORTS "[sensor]\nname = a\n[records r]\npath = x\nformat = csv\nheartbeat = 1\n",
		 "F:10: [records r] heartbeat: ", "write format = ndjson"},
		{PORTS "[sensor]\nname = a\n[records r]\nto = ipfix\nserver = h:1\nheartbeat = 1\n",
		 "F:10: [records r] heartbeat: ", "nothing with to = ipfix"},
		{PORTS "[sensor]\nname = \"a\"\n", "F:6: [sensor] name: ", "no plain name"},
		{PORTS "[sensor]\nname = \xc3\xa4\n", "F:6: [sensor] name: ", "no plain name"},
		{PORTS "[sensor]\nname = 0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789._-xy-z\n",
		 "F:6: [sensor] name: ", "up to 64 letters"},
		{PORTS "[records r]\npath = -\nrotate-mb = 1\n", "F:6: [records r] path: ", "cannot be rotated"},
		{PORTS "[records r]\npath = x\nkeep = 1\n", "F:7: [records r] keep: ", "nothing is rotated"},
		{PORTS "[records r]\nto = redis\nserver = h:1\npassword-file = x\npassword-env = X\n",
		 "F:9: [records r] password-env: ", "password-file is set too"},
		{PORTS "[policy]\nnon-ip = mirror b\n[policy x]\naction = mirror a\n",
		 "F:1: [port a]: ", "none to receive from"},
		{PORTS "[security]\ngroup = x\n", "F:6: [security] group: ", "set user too"},
		{"[port a]\ndevice = e0\nmtu = 1500\n[port b]\ndevice = e1\nmtu = 9000\n[pair p]\nports = a b\n",
		 "F:8: [pair p] ports: ", "make them equal"},
		{"[eal]\nworkers = 2\n[port a]\ndevice = e0\nrss = symmetric\n",
		 "F:5: [port a] rss: ", "has one queue"},
		{"[eal]\nworkers = 2\n[port a]\ndevice = e0\n" PORT_B "rss = symmetric\n[pair p]\nports = a, b\n",
		 "F:7: [port b] rss: ", "has one queue"},
		{"[eal]\nworkers = 2\n[port a]\ndevice = net_null0\nrss = software\n" PORT_B
		 "rss = symmetric\n[pair p]\nports = a, b\n",
		 "F:8: [port b] rss: ", "write the same for both"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_only_mistake(cases[i].text, cases[i].begins, cases[i].has);
}

static void symmetric_is_no_mistake_where_one_worker_has_the_port(void **state)
{
	(void)state;
	config_free(read_fine("[port a]\ndevice = e0\nrss = symmetric\n"));
	config_free(read_fine("[eal]\nworkers = 2\n[port a]\ndevice = e0\nrss = symmetric\nqueues = 1\n"));
	config_free(read_fine("[eal]\nworkers = 2\n" PORTS "rss = symmetric\n"));
}

static void more_sections_than_there_may_be_are_told_of(void **state)
{
	char text[4096];
	size_t n = 0;

	(void)state;
	for (int i = 0; i < CONFIG_MAX_PORTS; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "[port p%d]\ndevice = net_null%d\n", i, i);
	config_free(read_fine(text));
	snprintf(text + n, sizeof(text) - n, "[port p32]\nno = 1\n");
	assert_only_mistake(text, "F:65: [port p32]: ", "there may be 32");
}

/* A small file must not take much memory. */
static void a_flood_of_sections_and_lines_is_told_of(void **state)
{
	static const struct {
		const char *line, *has;
	} floods[] = {
		{"[flow]\n", "F:257: is section 257; "}, {"a=b\n", "F:50000: a: "}, {"\001\n", "F:50000: byte 1 "}};

	(void)state;
	for (size_t i = 0; i < sizeof(floods) / sizeof(floods[0]); i++) {
		size_t length = strlen(floods[i].line), n = (250 << 10) / length;
		char *text = calloc(n, length + 1), *told;

		for (size_t k = 0; k < n; k++)
			memcpy(text + k * length, floods[i].line, length);
		told = mistakes_of_bytes(text, n * length);
		assert_non_null(strstr(told, floods[i].has));
		free(told);
		free(text);
	}
}

static void every_mistake_is_told_of_in_the_order_of_the_file(void **state)
{
	static const char text[] = "x = 1\n[port a]\nmtu = 5\n[zebra]\n[pair p]\nports = a, c\nnonsense\n";
	char *told = mistakes_of_bytes(text, strlen(text)), *at = told;

	(void)state;
	for (size_t i = 0; i < 7; i++) {
		static const char *const begins[] = {"F:1: x: ",
						     "F:2: [port a] device: ",
						     "F:3: [port a] mtu: ",
						     "F:4: [zebra]: ",
						     "F:6: [pair p] ports: ",
						     "F:7: [pair p]: ",
						     ""};

		assert_int_equal(strncmp(at, begins[i], strlen(begins[i])), 0);
		at = *at ? strchr(at, '\n') + 1 : at;
	}
	assert_string_equal(at, "");
	free(told);
}

static void the_command_line_wins(void **state)
{
	struct config_problems problems = {0};
	struct config *config = read_fine(PORTS "mtu = 1500\n[models]\nflow = x.onnx\n");

	(void)state;
	assert_string_equal(config->models.flow.path, "/proc/self/fd/x.onnx");
	assert_int_equal(config_override(config, "port.b.mtu", "9000", &problems), 0);
	assert_int_equal(config_override(config, "port.b.mtu", "9001", &problems), 0);
	assert_int_equal(config_override(config, "port.c.device", "net_null2", &problems), 0);
	assert_int_equal(config_override(config, "eal.burst", "16", &problems), 0);
	assert_int_equal(config_override(config, "models.flow", "y.onnx", &problems), 0);
	assert_int_equal(config_override(config, "policy.v1.2.threshold", "0.5", &problems), 0);
	assert_int_equal(config_override(config, "records.r.path", "x", &problems), 0);
	assert_int_equal(problems.n, 0);
	assert_int_equal(config->ports[1].mtu, 9001);
	assert_string_equal(config->ports[2].name, "c");
	assert_int_equal(config->eal.burst, 16);
	assert_string_equal(config->models.flow.path, "y.onnx"); /* where the user stands */
	assert_string_equal(config->classes[0].name, "v1.2");
	assert_string_equal(config->records[0].path, "x");
	config_free(config);
}

static void mistakes_of_the_command_line_are_told_of(void **state)
{
	static const struct {
		const char *name, *value, *has;
	} cases[] = {
		{"mtu", "1", "write SECTION.KEY=VALUE"},     {".mtu", "1", "write SECTION.KEY=VALUE"},
		{"port.a.", "1", "write SECTION.KEY=VALUE"}, {"port.a.mtu", "", "has no value"},
		{"port.a.mtu", "1\n", "control character"},  {"port.a.mtu", "5", "from 68"},
		{"port.a.mut", "5", "do you mean mtu?"},     {"port.mtu", "5", "needs a name"},
		{"eal.x.burst", "5", "takes no name"},	     {"prot.a.mtu", "5", "do you mean [port a]?"},
		{"port.a.b.mtu", "5", "'a.b' is no name"},   {"port..mtu", "1500", "'' is no name"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config_problems problems = {0};
		struct config *config = read_fine(PORTS);

		assert_int_equal(config_override(config, cases[i].name, cases[i].value, &problems), 0);
		assert_int_equal(problems.n, 1);
		assert_true(problems.list[0].is_override);
		if (!strstr(problems.list[0].text, cases[i].has))
			fail_msg("%s: %s", cases[i].name, problems.list[0].text);
		config_problems_free(&problems);
		config_free(config);
	}
}

static void every_word_that_a_key_takes_is_read(void **state)
{
	(void)state;
	for (uint32_t k = 0; k < config_n_keys; k++) {
		const struct config_key *key = &config_keys[k];

		for (uint32_t w = 0; key->words[w]; w++) {
			struct config_problems problems = {0};
			struct config *config = config_create();
			char name[128];

			snprintf(name, sizeof(name), "%s.%s%s", key->section->name,
				 key->section->naming ? "x." : "", key->name);
			assert_int_equal(config_override(config, name, key->words[w], &problems), 0);
			assert_int_equal(problems.n, 0);
			config_free(config);
		}
	}
}

/* A config in which one key is set; NULL where it does not take the value. */
static struct config *config_with(const struct config_key *key, const char *value)
{
	struct config_problems problems = {0};
	struct config *config = read_fine(PORTS);
	char name[128];
	bool is_taken;

	snprintf(name, sizeof(name), "%s.%s%s", key->section->name, key->section->naming ? "x." : "", key->name);
	assert_int_equal(config_override(config, name, value, &problems), 0);
	is_taken = problems.n == 0;
	config_problems_free(&problems);
	if (is_taken)
		return config;
	config_free(config);
	return NULL;
}

/* Whether the changes from one value to another are this key alone, or none. */
static void assert_told(const struct config_key *key, const struct config *runs, const struct config *config,
			bool is_other)
{
	struct config_problems problems = {0};

	config_tell_changes(runs, config, &problems);
	assert_int_equal(problems.n, is_other && !key->section->is_reloaded);
	if (problems.n) {
		assert_string_equal(problems.list[0].key, key->name);
		assert_non_null(strstr(problems.list[0].text, "restart"));
	}
	config_problems_free(&problems);
}

static void each_key_that_differs_from_what_runs_is_told_of_once(void **state)
{
	/* Beside the words of the key; all are different values. */
	static const char *const values[] = {"64",   "512",	"5",	   "0.5",	   "net_null7",
					     "a, b", "b, a",	"-",	   "0000:03:00.0", "0000:04:00.0",
					     "some", "drop",	"forward", "mark dscp 1",  "mirror a",
					     "a=b",  "a=b, c=d"};
	const uint32_t n_values = sizeof(values) / sizeof(values[0]);

	(void)state;
	for (uint32_t k = 0; k < config_n_keys; k++) {
		const struct config_key *key = &config_keys[k];
		struct config *taken[32];
		uint32_t n = 0;

		for (uint32_t i = 0; key->words[i]; i++)
			taken[n++] = config_with(key, key->words[i]);
		for (uint32_t i = 0;
		     i < n_values && key->type != CONFIG_TYPE_FLAG && key->type != CONFIG_TYPE_CHOICE; i++)
			n += !!(taken[n] = config_with(key, values[i]));
		if (n < 2)
			fail_msg("%s: no two values", key->name);
		for (uint32_t i = 0; i < n; i++)
			for (uint32_t j = 0; j < n; j++)
				assert_told(key, taken[i], taken[j], i != j);
		while (n)
			config_free(taken[--n]);
	}
}

static void ports_and_pairs_that_are_added_or_left_out_are_told_of(void **state)
{
	struct config *runs = read_fine(PAIR "[port c]\ndevice = net_null2\n");
	struct config *config =
		read_fine("[port d]\ndevice = net_null3\n" PAIR "[policy v]\n[pair q]\nports = c, d\n"
			  "[port c]\ndevice = net_null2\n");
	struct config_problems problems = {0};

	(void)state;
	config_tell_changes(runs, config, &problems);
	assert_int_equal(problems.n, 2);
	assert_string_equal(problems.list[0].section, "port d");
	assert_int_equal(problems.list[0].line, 1);
	assert_string_equal(problems.list[1].section, "pair q");
	config_problems_free(&problems);
	config_tell_changes(config, runs, &problems);
	assert_int_equal(problems.n, 2);
	assert_string_equal(problems.list[0].section, "port d");
	assert_non_null(strstr(problems.list[0].text, "left out"));
	assert_int_equal(problems.list[0].line, 0);
	config_problems_free(&problems);
	config_free(runs);
	config_free(config);
}

static void the_first_mistake_is_told_in_one_line_with_how_many_more_there_are(void **state)
{
	struct config_problems problems = {0};
	const struct config_where where = {"port a", "mtu", 3, false};
	char text[64];

	(void)state;
	config_problems_first(&problems, "F", text, sizeof(text));
	assert_string_equal(text, "");
	config_problems_add(&problems, &where, "is wrong");
	config_problems_first(&problems, "F", text, sizeof(text));
	assert_string_equal(text, "F:3: [port a] mtu: is wrong");
	config_problems_add(&problems, &where, "is wrong again");
	config_problems_first(&problems, "F", text, sizeof(text));
	assert_string_equal(text, "F:3: [port a] mtu: is wrong (and 1 more)");
	config_problems_first(&problems, "F", text, 10);
	assert_string_equal(text, "F:3: [por");
	config_problems_free(&problems);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_default_is_read),
		cmocka_unit_test(everything_that_is_set_is_read),
		cmocka_unit_test(lines_that_would_be_lost_are_told_of),
		cmocka_unit_test(bytes_that_are_no_text_are_told_of),
		cmocka_unit_test(long_names_and_values_are_told_of),
		cmocka_unit_test(a_file_that_is_none_is_told_of),
		cmocka_unit_test(values_that_are_wrong_are_told_of),
		cmocka_unit_test(names_that_lead_nowhere_are_told_of),
		cmocka_unit_test(things_that_contradict_are_told_of),
		cmocka_unit_test(symmetric_is_no_mistake_where_one_worker_has_the_port),
		cmocka_unit_test(more_sections_than_there_may_be_are_told_of),
		cmocka_unit_test(a_flood_of_sections_and_lines_is_told_of),
		cmocka_unit_test(every_mistake_is_told_of_in_the_order_of_the_file),
		cmocka_unit_test(the_command_line_wins),
		cmocka_unit_test(mistakes_of_the_command_line_are_told_of),
		cmocka_unit_test(every_word_that_a_key_takes_is_read),
		cmocka_unit_test(each_key_that_differs_from_what_runs_is_told_of_once),
		cmocka_unit_test(ports_and_pairs_that_are_added_or_left_out_are_told_of),
		cmocka_unit_test(the_first_mistake_is_told_in_one_line_with_how_many_more_there_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
