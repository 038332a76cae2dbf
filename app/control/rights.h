/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rights that a live run gives up: before DPDK starts, what all threads are to inherit; once ports are open and
 * secrets are read, the user. The control core's.
 */
#ifndef WIRESCORE_CONTROL_RIGHTS_H
#define WIRESCORE_CONTROL_RIGHTS_H

#include <stddef.h>

#include "config.h"

/* Before any thread is made; what is made from then on is not for others to read. 0, or a negative errno with one line in error. */
int rights_begin(const struct config_security *security, char *error, size_t error_size);

/*
 * Whether the run may do with a path what mode says, as access(2) has it, once it is who it will be; nobody else can be
 * asked than root, so that others are told that it may. 0 or a negative errno.
 */
int rights_ask(const struct config_security *security, const char *path, int mode);

/* Makes a file the user's that the run is about to become. 0, or a negative errno with one line in error. */
int rights_give(const struct config_security *security, const char *path, char *error, size_t error_size);

/*
 * Becomes the user, in all threads; whoever is not root then has no capabilities either. 0, or a negative errno with
 * one line in error: then nothing may go on.
 */
int rights_drop(const struct config_security *security, char *error, size_t error_size);

#endif
