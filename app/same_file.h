/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether two names or descriptors lead to one file, so that nothing is written over what is read.
 */
#ifndef WIRESCORE_SAME_FILE_H
#define WIRESCORE_SAME_FILE_H

#include <stdbool.h>
#include <sys/stat.h>

static inline bool is_same_file(const struct stat *left, const struct stat *right)
{
	return left->st_dev == right->st_dev && left->st_ino == right->st_ino;
}

#endif
