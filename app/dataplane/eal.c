/* SPDX-License-Identifier: BSD-3-Clause */
#include "eal.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>

/* What EAL itself, devices and alignment take beside the pools; untouched memory costs nothing. */
#define EAL_OVERHEAD_MB 64
#define EAL_SLACK	2
#define HUGEPAGE_MB	2
/* Of memory that is reserved once and for all: later runs may have larger packets. */
#define EAL_MIN_FIXED_MB 256

/* EAL starts only once in a process, whatever is stopped in between. */
static bool eal_is_started;
static bool eal_is_verbose;
static size_t eal_fixed_mb; /* 0: memory grows */

/* Without one of these the pages are our choice, and private. */
static const char *const eal_page_options[] = {"--no-huge",    "--huge-dir",	 "--in-memory", "--legacy-mem",
					       "--socket-mem", "--socket-limit", NULL};

void dataplane_eal_add_word(struct dataplane_eal_words *words, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	if (words->n < DATAPLANE_EAL_MAX_WORDS && vasprintf(&words->words[words->n], format, values) >= 0)
		words->n++;
	else
		words->is_short = true;
	va_end(values);
}

void dataplane_eal_free_words(struct dataplane_eal_words *words)
{
	while (words->n)
		free(words->words[--words->n]);
}

/* Whether the user's own arguments hold one of the options, as a word of its own or with its value behind it. */
static bool eal_extra_has(const struct dataplane_eal_options *options, const char *const *names)
{
	for (int i = 0; i < options->n_extra; i++)
		for (const char *const *name = names; *name; name++) {
			size_t length = strlen(*name);
			bool is_long = (*name)[1] == '-';
			char next = options->extra[i][strnlen(options->extra[i], length)];

			if (!strncmp(options->extra[i], *name, length) && (!is_long || !next || next == '='))
				return true;
		}
	return false;
}

static size_t eal_free_hugepages_mb(void)
{
	FILE *file = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "re");
	unsigned long n = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%lu", &n) != 1)
		n = 0;
	fclose(file);
	return n * HUGEPAGE_MB;
}

/*
 * A thread for control and one for each worker, which may run on every CPU that this process may: pinned to the
 * first CPUs, two runs side by side would share a core while others idle. `-l` pins.
 */
static void eal_args_add_lcores(struct dataplane_eal_words *args, uint32_t n_workers)
{
	char list[CPU_SETSIZE * 5] = "";
	size_t used = 0;
	cpu_set_t cpus;

	if (sched_getaffinity(0, sizeof(cpus), &cpus))
		return;
	for (int cpu = 0; cpu < CPU_SETSIZE && used < sizeof(list) - 8; cpu++)
		if (CPU_ISSET(cpu, &cpus))
			used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%d", used ? "," : "", cpu);
	dataplane_eal_add_word(args, "--lcores=(0-%u)@(%s)", n_workers, list);
}

/*
 * EAL tells of one mistake in several lines, on both stdout and stderr: while it starts, both go to a
 * temporary file, of which the user is shown one line.
 */
struct eal_hush {
	int file, old_stdout, old_stderr; /* descriptors; file is -1 where nothing is hushed */
};

static struct eal_hush eal_hush_begin(void)
{
	struct eal_hush hush = {.file = memfd_create("eal", MFD_CLOEXEC)};

	if (hush.file < 0)
		return hush;
	fflush(stdout);
	hush.old_stdout = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	hush.old_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	dup2(hush.file, STDOUT_FILENO);
	dup2(hush.file, STDERR_FILENO);
	return hush;
}

/* Ends the silence; the first line of what was said goes into line, without the speaker's name. */
static void eal_hush_end(struct eal_hush *hush, char *line, size_t line_size)
{
	static const char *const speakers[] = {"wirescore: ", "EAL: ", "FATAL: "};
	ssize_t n;

	line[0] = '\0'; /* also where nothing was hushed */
	if (hush->file < 0)
		return;
	fflush(stdout);
	dup2(hush->old_stdout, STDOUT_FILENO);
	dup2(hush->old_stderr, STDERR_FILENO);
	close(hush->old_stdout);
	close(hush->old_stderr);
	n = pread(hush->file, line, line_size - 1, 0);
	line[n > 0 ? n : 0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	for (size_t i = 0; i < sizeof(speakers) / sizeof(speakers[0]); i++)
		if (!strncmp(line, speakers[i], strlen(speakers[i])))
			memmove(line, line + strlen(speakers[i]), strlen(line + strlen(speakers[i])) + 1);
	close(hush->file);
}

static struct eal_hush eal_listening = {.file = -1};

void dataplane_eal_listen(void)
{
	if (eal_is_verbose)
		return;
	rte_log_set_level_pattern("*", RTE_LOG_ERR);
	eal_listening = eal_hush_begin();
}

/* Whether a line is a library's thinking aloud, which it does whether all is well or not. */
static bool eal_is_chatter(const char *line)
{
	return !*line || !strncmp(line, "libbpf:", 7) || !strncmp(line, "libxdp:", 7);
}

void dataplane_eal_listen_end(char *line, size_t line_size)
{
	char text[4096] = "", first[1], *rest = text, *said;
	int copy;

	line[0] = '\0';
	if (eal_listening.file < 0)
		return;
	fflush(stderr);
	copy = fcntl(eal_listening.file, F_DUPFD_CLOEXEC, 3);
	eal_hush_end(&eal_listening, first, sizeof(first));
	eal_listening.file = -1;
	rte_log_set_level_pattern("*", RTE_LOG_CRIT);
	if (copy < 0)
		return;
	if (pread(copy, text, sizeof(text) - 1, 0) < 0)
		text[0] = '\0';
	close(copy);
	while ((said = strsep(&rest, "\n")))
		if (!eal_is_chatter(said)) {
			snprintf(line, line_size, "%s", said);
			return;
		}
}

/*
 * Whether other processes see the memory, so that the end of this one does not free it. Where they do not EAL is left
 * as it is when the process exits: its clean-up takes memory away that DPDK's thread of interrupts, which it does not
 * stop, may be looking at (the listeners of net_memif are there).
 */
static bool eal_is_shared(const struct dataplane_eal_options *options)
{
	static const char *const private_options[] = {"--no-shconf", "--in-memory", NULL};

	return eal_extra_has(options, eal_page_options) && !eal_extra_has(options, private_options);
}

static void eal_stop(void)
{
	rte_eal_cleanup();
}

/* Whether EAL, as it was started, has all that is asked for. 0, or -EINVAL with one line in error. */
static int eal_check(const struct dataplane_eal_options *options, size_t memory_mb, char *error, size_t error_size)
{
	if (rte_lcore_count() <= options->n_workers) {
		snprintf(error, error_size, "%u workers and control need %u lcores; the EAL arguments give %u",
			 options->n_workers, options->n_workers + 1, rte_lcore_count());
		return -EINVAL;
	}
	if (eal_fixed_mb && memory_mb > eal_fixed_mb) {
		snprintf(
			error, error_size,
			"DPDK was started with %zu MB and cannot be given the %zu MB that are needed now: read the "
			"larger captures first",
			eal_fixed_mb, memory_mb);
		return -EINVAL;
	}
	return 0;
}

/*
 * Pages, of the size that is needed; no shared files, where they are not asked for, so that there are runs side by
 * side and as any user.
 */
static void eal_args_add_memory(struct dataplane_eal_words *args, const struct dataplane_eal_options *options,
				size_t memory_mb)
{
	static const char *const size_options[] = {"-m", NULL};
	static const char *const share_options[] = {"--file-prefix", NULL};

	if (eal_extra_has(options, eal_page_options))
		return;
	if (eal_free_hugepages_mb() >= memory_mb) {
		if (!eal_extra_has(options, share_options))
			dataplane_eal_add_word(args, "--in-memory");
		return;
	}
	dataplane_eal_add_word(args, "--no-huge");
	dataplane_eal_add_word(args, "--no-shconf");
	if (eal_extra_has(options, size_options))
		return;
	eal_fixed_mb = RTE_MAX(memory_mb, (size_t)EAL_MIN_FIXED_MB);
	dataplane_eal_add_word(args, "-m");
	dataplane_eal_add_word(args, "%zu", eal_fixed_mb);
}

/* What the user has not said. 0 or -ENOMEM. */
static int eal_args_fill(struct dataplane_eal_words *args, const struct dataplane_eal_options *options,
			 size_t memory_mb)
{
	static const char *const lcore_options[] = {"-l", "-c", "--lcores", "--main-lcore", NULL};
	static const char *const device_options[] = {"-a", "-b", "--allow", "--block", NULL};

	dataplane_eal_add_word(args, "wirescore");
	if (!eal_extra_has(options, lcore_options))
		eal_args_add_lcores(args, options->n_workers);
	eal_args_add_memory(args, options, memory_mb);
	if (!eal_extra_has(options, device_options))
		dataplane_eal_add_word(args, "--no-pci");
	if (!options->has_telemetry)
		dataplane_eal_add_word(args, "--no-telemetry");
	if (!options->verbose)
		dataplane_eal_add_word(args, "--log-level=*:error");
	return args->is_short ? -ENOMEM : 0;
}

/* Starts EAL with our words and the user's behind them. 0, or a negative errno with one line in error. */
static int eal_start(const struct dataplane_eal_options *options, const struct dataplane_eal_words *args,
		     char *error, size_t error_size)
{
	static const char *const talk_options[] = {"-h", "--help", "-v", "--version", NULL};
	bool hushed = !options->verbose && !eal_extra_has(options, talk_options);
	/* EAL changes the order of its argument vector, so the words to free are kept apart. */
	char **argv = calloc((size_t)(args->n + options->n_extra) + 1, sizeof(*argv)), line[256];
	struct eal_hush hush = {.file = -1};
	int argc = 0, rc;

	if (!argv) {
		snprintf(error, error_size, "out of memory");
		return -ENOMEM;
	}
	for (int i = 0; i < args->n; i++)
		argv[argc++] = args->words[i];
	for (int i = 0; i < options->n_extra; i++)
		argv[argc++] = options->extra[i];
	rte_openlog_stream(stderr);
	if (hushed)
		hush = eal_hush_begin();
	rc = rte_eal_init(argc, argv);
	eal_hush_end(&hush, line, sizeof(line));
	free(argv);
	if (rc >= 0)
		return 0;
	snprintf(error, error_size, "DPDK's environment cannot start: %s",
		 line[0] ? line : rte_strerror(rte_errno));
	return -EINVAL;
}

int dataplane_eal_init(const struct dataplane_eal_options *options, char *error, size_t error_size)
{
	static const char *const process_options[] = {"--proc-type", NULL};
	size_t memory_mb = options->memory_bytes / (1 << 20) * EAL_SLACK + EAL_OVERHEAD_MB;
	struct dataplane_eal_words args = {0};
	int rc;

	if (eal_is_started)
		return eal_check(options, memory_mb, error, error_size);
	if (eal_extra_has(options, process_options)) {
		snprintf(error, error_size, "--proc-type: wirescore is always a primary process; leave it out");
		return -EINVAL;
	}
	rc = eal_args_fill(&args, options, memory_mb);
	if (rc)
		snprintf(error, error_size, "out of memory");
	else
		rc = eal_start(options, &args, error, error_size);
	dataplane_eal_free_words(&args);
	if (rc)
		return rc;
	eal_is_started = true;
	eal_is_verbose = options->verbose;
	if (eal_is_shared(options))
		atexit(eal_stop);
	/* From here on errors come back as values, and the user is told once. */
	if (!options->verbose)
		rte_log_set_level_pattern("*", RTE_LOG_CRIT);
	return eal_check(options, memory_mb, error, error_size);
}

unsigned int dataplane_eal_worker(uint32_t index)
{
	unsigned int lcore = rte_get_next_lcore(-1, 1, 0);

	while (index--)
		lcore = rte_get_next_lcore(lcore, 1, 0);
	return lcore;
}
