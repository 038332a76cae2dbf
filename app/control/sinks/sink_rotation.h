/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The names of files that are full: PATH.20261122T101500Z, or with .1, .2 where there is one of that second already;
 * an ending .gz or .zst stays at the end. Used by sink_file.c.
 */
#ifndef WIRESCORE_CONTROL_SINK_ROTATION_H
#define WIRESCORE_CONTROL_SINK_ROTATION_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Gives the file at path its final name, at once and over no other file. What cannot be read gets .damaged into its
 * name. 0, or a negative errno.
 */
int sink_rotation_move(const char *path, uint64_t begin_s, bool is_damaged, char moved[PATH_MAX]);

/* Has the folder of a path written. 0, or a negative errno. */
int sink_rotation_sync(const char *path);

/* Removes the oldest of such files of a path but for n_kept of them. 0, or a negative errno of the first failure. */
int sink_rotation_prune(const char *path, uint32_t n_kept);

#endif
