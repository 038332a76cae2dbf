/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Passwords from a file or the environment: never from a config, an argument or a log. The control core's.
 */
#ifndef WIRESCORE_CONTROL_SINK_SECRET_H
#define WIRESCORE_CONTROL_SINK_SECRET_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Reads the first line of a file, or a variable of the environment; *secret is NULL where both names are. 0, or a
 * negative errno with one line in error, which has neither the secret nor the key. sink_secret_free wipes it.
 */
int sink_secret_read(const char *file, const char *variable, char **secret, char *error, size_t error_size);
void sink_secret_free(char *secret);

/* Whether others than the file's owner and group may read it. */
bool sink_secret_is_exposed(const char *file);

#endif
