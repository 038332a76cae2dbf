/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rights that a live run gives up: before DPDK starts, what all threads are to inherit; once ports and files are
 * open, the user. The control core's.
 */
#ifndef WIRESCORE_CONTROL_RIGHTS_H
#define WIRESCORE_CONTROL_RIGHTS_H

#include <stddef.h>
#include <sys/types.h>

#include "config.h"

/* Before any thread is made; what is made from then on is not for others to read. 0, or a negative errno with one line in error. */
int rights_begin(const struct config_security *security, char *error, size_t error_size);

/* Whom the run is about to become; security names a user. 0, or a negative errno with one line in error. */
int rights_find(const struct config_security *security, uid_t *uid, gid_t *gid, char *error, size_t error_size);

/* Makes a file the user's that the run is about to become. 0, or a negative errno with one line in error. */
int rights_give(const struct config_security *security, const char *path, char *error, size_t error_size);

/*
 * Becomes the user, in all threads; whoever is not root then has no capabilities either. 0, or a negative errno with
 * one line in error: then nothing may go on.
 */
int rights_drop(const struct config_security *security, char *error, size_t error_size);

#endif
