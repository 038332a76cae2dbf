/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which kinds of sinks there are, and which of them this build has: what the config's check and --version tell. Knows
 * neither drivers nor their libraries.
 */
#ifndef WIRESCORE_CONTROL_SINK_KINDS_H
#define WIRESCORE_CONTROL_SINK_KINDS_H

#include <stdbool.h>
#include <stdint.h>

struct sink_kind {
	const char *name;
	const char *package; /* Debian's, that it is built with; NULL: needs none */
	bool is_built;
};

/* In the order of enum config_to; then what is no sink of its own: zstd, tls. */
extern const struct sink_kind sink_kinds[];
extern const uint32_t sink_n_kinds;

/* NULL where there is no such kind. */
const struct sink_kind *sink_kind_find(const char *name);

#endif
