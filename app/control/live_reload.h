/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Models and policy of a live run, changed while packets pass. Called by live.c, on the control core's thread.
 */
#ifndef WIRESCORE_CONTROL_LIVE_RELOAD_H
#define WIRESCORE_CONTROL_LIVE_RELOAD_H

#include <stdbool.h>
#include <stddef.h>

#include "live.h"
#include "live_setup.h"

/*
 * Reads the config again and has workers go over to its models and policy; where it is wrong all stays as it is. Tells
 * of what it cannot take over. Whether it did, with one line in reason.
 */
bool live_reload(struct live *live, const struct live_options *options, char *reason, size_t reason_size);

/* Lets go of the models before, once no worker has them any more. */
void live_reload_release(struct live *live);

#endif
