/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Starts DPDK's environment so that nobody has to know it: cores, memory and devices are chosen here. Called
 * by the control core.
 */
#ifndef WIRESCORE_DATAPLANE_EAL_H
#define WIRESCORE_DATAPLANE_EAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A list of arguments that grows by formatted words; zeroed at first. */
#define DATAPLANE_EAL_MAX_WORDS 112
struct dataplane_eal_words {
	int n;
	bool is_short; /* a word found no room, or no memory */
	char *words[DATAPLANE_EAL_MAX_WORDS];
};
void dataplane_eal_add_word(struct dataplane_eal_words *words, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void dataplane_eal_free_words(struct dataplane_eal_words *words);

struct dataplane_eal_options {
	uint32_t n_workers;
	size_t memory_bytes; /* that pools and rings will need */
	char **extra;	     /* the user's own EAL arguments, which win over ours; [n_extra] */
	int n_extra;
	bool has_telemetry; /* open DPDK's telemetry socket; the caller knows that it can be made */
	int verbose;	    /* let EAL say what it does */
};

/*
 * 0, or a negative errno with one line in error. Afterwards at least n_workers worker lcores exist:
 * dataplane_eal_worker gives their ids. The calling thread is the main lcore from now on.
 *
 * DPDK starts once in a process and stays until it exits: a later call only asks whether what was started suffices,
 * and does not look at extra.
 */
int dataplane_eal_init(const struct dataplane_eal_options *options, char *error, size_t error_size);

/*
 * From here until dataplane_eal_listen_end what drivers and their libraries say goes nowhere, unless DPDK was started
 * verbose; the line that says most goes into line, which is "" where there is none. On one thread, not nested.
 */
void dataplane_eal_listen(void);
void dataplane_eal_listen_end(char *line, size_t line_size);

/* The lcore id of worker 0, 1, ... */
unsigned int dataplane_eal_worker(uint32_t index);

#endif
