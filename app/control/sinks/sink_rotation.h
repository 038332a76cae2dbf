/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The names of files that are full: PATH.20261122T101500Z, or with .1, .2 behind it, in the order of their making,
 * where there is one of that second already; an ending .gz or .zst stays at the end. Used by sink_file.c.
 */
#ifndef WIRESCORE_CONTROL_SINK_ROTATION_H
#define WIRESCORE_CONTROL_SINK_ROTATION_H

#include <limits.h>
#include <stdint.h>

/*
 * Gives the file at path its final name, at once and over no other file. mark, "" or such as ".damaged", becomes a part
 * of it: what has one is never removed. 0, or a negative errno.
 */
int sink_rotation_move(const char *path, uint64_t begin_s, const char *mark, char moved[PATH_MAX]);

/* Whether this process may give files of a path other names. 0, or a negative errno. */
int sink_rotation_check(const char *path);

/* Has the folder of a path written. 0, or a negative errno. */
int sink_rotation_sync(const char *path);

/*
 * Removes the oldest of such files of a path but for n_kept of them, moved ("": none), and those whose names are of
 * times to come: *n_later of them. 0, or a negative errno of the first failure.
 */
int sink_rotation_prune(const char *path, const char *moved, uint32_t n_kept, uint32_t *n_later);

#endif
