/* SPDX-License-Identifier: BSD-3-Clause */
#include "live_records.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_ring_elem.h>

#include "command.h"

#define LIVE_RECORDS_BURST   256
#define LIVE_RECORDS_POLL_US 2000

static int open_flows(struct live_records *records, const struct generation *generation,
		      const struct flow_layout *layout, char *error, size_t error_size)
{
	const struct config_records *config = records->config;
	int rc;

	records->flow_options = (struct flow_writer_options){
		.path = config->file,
		.form = config->format == CONFIG_FORMAT_JOY ? FLOW_WRITER_JOY : FLOW_WRITER_NDJSON,
		.layout = *layout,
		.classes = (const char *const *)generation->flow_class_json,
		.n_classes = generation->flow_model ? generation->flow_engine_model->n_classes : 0,
	};
	rc = flow_writer_open(&records->flows, &records->flow_options);
	if (rc) {
		snprintf(error, error_size, "[records] file %s: cannot be written: %s", config->file,
			 strerror(-rc));
		return rc;
	}
	records->has_flows = true;
	records->flow_record_bytes = (uint32_t)flow_record_bytes(layout);
	rc = flow_writer_begin(&records->flows);
	if (rc)
		snprintf(error, error_size, "[records] file %s: cannot be emptied: %s", config->file,
			 strerror(-rc));
	flow_writer_set_capture(&records->flows, NULL, true);
	return rc;
}

static int open_packets(struct live_records *records, const struct generation *generation, char *error,
			size_t error_size)
{
	const char *path = records->config->packets;
	const char *const classes[] = {generation->packet_class_json[0], generation->packet_class_json[1], "null"};
	int rc = packet_writer_open(&records->packets, path, classes);

	if (rc) {
		snprintf(error, error_size, "[records] packets %s: cannot be written: %s", path, strerror(-rc));
		return rc;
	}
	records->has_packets = true;
	rc = packet_writer_begin(&records->packets);
	if (rc)
		snprintf(error, error_size, "[records] packets %s: cannot be emptied: %s", path, strerror(-rc));
	packet_writer_set_capture(&records->packets, NULL, true);
	return rc;
}

/* As output_hold_pipe, of a key; tells where nobody reads. */
static int hold_pipe(const char *key, const char *path, char *error, size_t error_size)
{
	int fd = path ? output_hold_pipe(path) : OUTPUT_NO_PIPE;

	if (fd < 0)
		snprintf(error, error_size, "[records] %s %s: %s", key, path,
			 fd == -ENXIO ? "is a pipe that nobody reads; start its reader first" : strerror(-fd));
	return fd;
}

static void let_go_of_pipe(int fd)
{
	if (fd >= 0 && fd != OUTPUT_NO_PIPE)
		close(fd);
}

int live_records_open(struct live_records *records, const struct config_records *config,
		      const struct generation *generation, const struct flow_layout *layout, uint32_t n_workers,
		      char *error, size_t error_size)
{
	int held[2], rc = 0;

	*records = (struct live_records){.config = config, .n_workers = n_workers};
	held[0] = hold_pipe("file", config->file, error, error_size);
	held[1] = held[0] < 0 ? OUTPUT_NO_PIPE : hold_pipe("packets", config->packets, error, error_size);
	if (held[0] < 0 || held[1] < 0)
		rc = held[0] < 0 ? held[0] : held[1];
	if (!rc && config->file)
		rc = open_flows(records, generation, layout, error, error_size);
	if (!rc && config->packets)
		rc = open_packets(records, generation, error, error_size);
	for (int i = 0; i < 2; i++)
		let_go_of_pipe(held[i]);
	return rc;
}

static struct rte_ring **make_rings(const char *what, uint32_t n, uint32_t element_bytes, uint32_t n_elements)
{
	struct rte_ring **rings = calloc(n, sizeof(*rings));
	char name[RTE_RING_NAMESIZE];

	for (uint32_t i = 0; rings && i < n; i++) {
		snprintf(name, sizeof(name), "%s%u", what, i);
		rings[i] = rte_ring_create_elem(name, element_bytes, n_elements, (int)rte_socket_id(),
						RING_F_SP_ENQ | RING_F_SC_DEQ);
		if (!rings[i]) {
			while (i--)
				rte_ring_free(rings[i]);
			free(rings);
			return NULL;
		}
	}
	return rings;
}

/* Takes what one ring has; returns how many. */
static uint32_t take_flows(struct live_records *records, struct rte_ring *ring)
{
	uint32_t n = rte_ring_sc_dequeue_burst_elem(ring, records->buffer, records->flow_record_bytes,
						    LIVE_RECORDS_BURST, NULL);

	if (n)
		flow_writer_write(&records->flows, records->buffer, n);
	return n;
}

static uint32_t take_packets(struct live_records *records, struct rte_ring *ring)
{
	struct packet_record taken[LIVE_RECORDS_BURST];
	uint32_t n = rte_ring_sc_dequeue_burst_elem(ring, taken, sizeof(taken[0]), LIVE_RECORDS_BURST, NULL);

	if (n)
		packet_writer_write(&records->packets, taken, n);
	return n;
}

static void *live_records_run(void *context)
{
	struct live_records *records = context;

	for (;;) {
		/* Asked before the rings are looked at: what they hold after the end is all. */
		bool ends = atomic_load(&records->ends);
		uint32_t n = 0;

		for (uint32_t i = 0; i < records->n_workers; i++) {
			if (records->flow_rings)
				n += take_flows(records, records->flow_rings[i]);
			if (records->packet_rings)
				n += take_packets(records, records->packet_rings[i]);
		}
		atomic_fetch_add(&records->n_taken, n);
		if (n)
			continue;
		if (ends)
			break;
		usleep(LIVE_RECORDS_POLL_US);
	}
	atomic_store(&records->has_ended, true);
	return NULL;
}

/* Of a signal that only ends a system call. */
static void wake(int signal_number)
{
	(void)signal_number;
}

int live_records_start(struct live_records *records)
{
	const struct sigaction action = {.sa_handler = wake};
	sigset_t all, before;
	int rc;

	if (!records->has_flows && !records->has_packets)
		return 0;
	if (records->has_flows) {
		records->flow_rings =
			make_rings("flow_records", records->n_workers, records->flow_record_bytes, LIVE_FLOW_RING);
		records->buffer = malloc((size_t)LIVE_RECORDS_BURST * records->flow_record_bytes);
	}
	if (records->has_packets)
		records->packet_rings = make_rings("packet_records", records->n_workers,
						   sizeof(struct packet_record), LIVE_PACKET_RING);
	if ((records->has_flows && (!records->flow_rings || !records->buffer)) ||
	    (records->has_packets && !records->packet_rings))
		return -ENOMEM;
	/* Signals are the control core's. */
	sigfillset(&all);
	sigdelset(&all, SIGUSR2);
	sigaction(SIGUSR2, &action, NULL);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&records->thread, NULL, live_records_run, records);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	records->is_running = !rc;
	return -rc;
}

static int close_files(struct live_records *records)
{
	char loss[256];
	int rc = 0;

	if (records->has_flows && flow_writer_close(&records->flows)) {
		complain("[records] file %s: %s", records->config->file,
			 output_loss(&records->flows.output, "lines", loss, sizeof(loss)));
		rc = -1;
	}
	if (records->has_packets && packet_writer_close(&records->packets)) {
		complain("[records] packets %s: %s", records->config->packets,
			 output_loss(&records->packets.output, "lines", loss, sizeof(loss)));
		rc = -1;
	}
	records->has_flows = records->has_packets = false;
	return rc;
}

/* Puts a pipe that nobody reads in the place of a file: what is written there fails. */
static void break_output(const struct output *output)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return;
	close(ends[0]);
	dup2(ends[1], output->fd);
	close(ends[1]);
}

/* The thread hangs in write(2): a signal ends that, and the next write fails. */
static void release_thread(struct live_records *records)
{
	if (records->has_flows)
		break_output(&records->flows.output);
	if (records->has_packets)
		break_output(&records->packets.output);
	pthread_kill(records->thread, SIGUSR2);
}

int live_records_stop(struct live_records *records, double seconds)
{
	uint32_t n_waits = (uint32_t)(seconds * 1e6 / LIVE_RECORDS_POLL_US), n_left = n_waits;
	uint64_t n_taken = 0;

	atomic_store(&records->ends, true);
	if (records->is_running) {
		for (; !atomic_load(&records->has_ended) && n_left; n_left--) {
			if (n_taken != atomic_load(&records->n_taken))
				n_left = n_waits;
			n_taken = atomic_load(&records->n_taken);
			usleep(LIVE_RECORDS_POLL_US);
		}
		if (!atomic_load(&records->has_ended)) {
			complain("[records] nobody takes them any more: what waited for %g s is lost", seconds);
			release_thread(records);
		}
		pthread_join(records->thread, NULL);
		records->is_running = false;
	}
	return close_files(records);
}

static void free_rings(struct rte_ring **rings, uint32_t n)
{
	for (uint32_t i = 0; rings && i < n; i++)
		rte_ring_free(rings[i]);
	free(rings);
}

void live_records_free(struct live_records *records)
{
	close_files(records);
	free_rings(records->flow_rings, records->n_workers);
	free_rings(records->packet_rings, records->n_workers);
	free(records->buffer);
	*records = (struct live_records){0};
}
