/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A live run's commands at DPDK's telemetry socket, which `dpdk-telemetry.py` speaks to. DPDK's threads take what is
 * asked; the control core does it, and looks here for it.
 */
#ifndef WIRESCORE_CONTROL_LIVE_TELEMETRY_H
#define WIRESCORE_CONTROL_LIVE_TELEMETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"

/*
 * Whether DPDK will be able to open its socket, for it would not start otherwise: makes the folder that the socket is
 * to be in. 0, or a negative errno with one line in error. Before DPDK starts.
 */
int live_telemetry_check(const char *file_prefix, char *error, size_t error_size);

/*
 * Registers the commands, and hands the socket over to the user that the run is about to become. Nothing happens where
 * DPDK has no socket; what fails is told, and the run goes on.
 */
void live_telemetry_open(const struct config_security *security);

/*
 * What of a reload is asked for, to be told how that went: 0 is nothing. Whoever asks waits for the answer, which is
 * one line. Of the control core.
 */
uint64_t live_telemetry_reload_asked(void);
void live_telemetry_reload_done(uint64_t asked, bool is_reloaded, const char *reason);

/* Nobody answers any more: who waits is told so. */
void live_telemetry_close(void);

#endif
