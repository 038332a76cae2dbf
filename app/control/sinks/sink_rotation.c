/* SPDX-License-Identifier: BSD-3-Clause */
#include "sink_rotation.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "output.h"

#define ROTATION_TIME_BYTES 16 /* 20261122T101500Z */
#define ROTATION_MAX_SAME   100000u

/* A path in parts: folder/stem ending. */
struct rotation_path {
	char folder[PATH_MAX];
	const char *stem; /* in the path that it was made of */
	size_t stem_bytes;
	const char *ending; /* ".gz", ".zst" or "" */
};

static int rotation_split(const char *path, struct rotation_path *parts)
{
	const char *slash = strrchr(path, '/');
	size_t n = strlen(path), n_folder = slash ? (size_t)(slash - path) : 1;

	parts->stem = slash ? slash + 1 : path;
	parts->ending = output_path_ends(path, n, ".gz")    ? path + n - 3
			: output_path_ends(path, n, ".zst") ? path + n - 4
							    : path + n;
	if (parts->ending <= parts->stem)
		parts->ending = path + n;
	parts->stem_bytes = (size_t)(parts->ending - parts->stem);
	if (slash == path)
		n_folder = 1;
	if (n_folder >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(parts->folder, slash ? path : ".", n_folder);
	parts->folder[n_folder] = '\0';
	return 0;
}

/* Renames where nothing is in the place. 0 or a negative errno. */
static int rename_to_free(const char *from, const char *to)
{
	if (!renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE))
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	/* Not every file system can; then nobody else is to make such names. */
	if (!access(to, F_OK))
		return -EEXIST;
	return rename(from, to) ? -errno : 0;
}

int sink_rotation_sync(const char *path)
{
	struct rotation_path parts;
	int rc = rotation_split(path, &parts), fd;

	if (rc)
		return rc;
	fd = open(parts.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd))
		rc = -errno;
	if (fd >= 0)
		close(fd);
	return rc;
}

int sink_rotation_check(const char *path)
{
	struct rotation_path parts;
	int rc = rotation_split(path, &parts);

	if (rc)
		return rc;
	return faccessat(AT_FDCWD, parts.folder, W_OK | X_OK, AT_EACCESS) ? -errno : 0;
}

/* A file that rotation has left. */
struct rotated {
	char *name;
	char when[ROTATION_TIME_BYTES + 1];
	unsigned long same;
};

/* Whether a name is of such a file, in every letter. */
static bool rotation_parse(const struct rotation_path *parts, const char *name, struct rotated *rotated)
{
	static const char form[] = "ddddddddTddddddZ";
	const char *at = name;
	char *end;

	if (strncmp(at, parts->stem, parts->stem_bytes) || at[parts->stem_bytes] != '.')
		return false;
	at += parts->stem_bytes + 1;
	for (int i = 0; i < ROTATION_TIME_BYTES; i++)
		if (form[i] == 'd' ? at[i] < '0' || at[i] > '9' : at[i] != form[i])
			return false;
	memcpy(rotated->when, at, ROTATION_TIME_BYTES);
	rotated->when[ROTATION_TIME_BYTES] = '\0';
	at += ROTATION_TIME_BYTES;
	rotated->same = 0;
	if (at[0] == '.' && at[1] >= '1' && at[1] <= '9') {
		errno = 0;
		rotated->same = strtoul(at + 1, &end, 10);
		if (errno || rotated->same == ULONG_MAX)
			return false;
		at = end;
	}
	return !strcmp(at, parts->ending);
}

static int compare_rotated(const void *left, const void *right)
{
	const struct rotated *l = left, *r = right;
	int order = strcmp(l->when, r->when);

	return order ? order : (l->same > r->same) - (l->same < r->same);
}

/* The files of a folder that rotation has left, to be freed with their names. */
static struct rotated *rotation_list(const struct rotation_path *parts, uint32_t *n)
{
	DIR *folder = opendir(parts->folder);
	struct rotated *list = NULL, found;
	struct dirent *entry;

	*n = 0;
	while (folder && (entry = readdir(folder))) {
		struct rotated *longer;

		if (!rotation_parse(parts, entry->d_name, &found))
			continue;
		found.name = strdup(entry->d_name);
		longer = reallocarray(list, *n + 1, sizeof(*list));
		if (longer)
			list = longer;
		if (!longer || !found.name) {
			free(found.name);
			break;
		}
		list[(*n)++] = found;
	}
	if (folder)
		closedir(folder);
	return list;
}

static void rotation_free_list(struct rotated *list, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		free(list[i].name);
	free(list);
}

/*
 * The number of the next file of a second: behind all that are there, since one that fills the gap of those that were
 * removed would pass for the oldest.
 */
static unsigned long rotation_next(const struct rotation_path *parts, const char *when)
{
	uint32_t n;
	struct rotated *list = rotation_list(parts, &n);
	unsigned long next = 0;

	for (uint32_t i = 0; i < n; i++)
		if (!strcmp(list[i].when, when) && list[i].same >= next)
			next = list[i].same + 1;
	rotation_free_list(list, n);
	return next;
}

int sink_rotation_move(const char *path, uint64_t begin_s, const char *mark, char moved[PATH_MAX])
{
	struct rotation_path parts;
	time_t begin = (time_t)begin_s;
	char when[32], same[24] = "";
	unsigned long first;
	struct tm utc;
	int rc = rotation_split(path, &parts);

	if (rc)
		return rc;
	if (!gmtime_r(&begin, &utc) || !strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", &utc))
		return -ERANGE;
	first = rotation_next(&parts, when);
	/* Those with a mark are not among them. */
	for (unsigned long i = first; i - first < ROTATION_MAX_SAME; i++) {
		if (i)
			snprintf(same, sizeof(same), ".%lu", i);
		if (snprintf(moved, PATH_MAX, "%.*s.%s%s%s%s", (int)(parts.ending - path), path, when, same, mark,
			     parts.ending) >= PATH_MAX)
			return -ENAMETOOLONG;
		rc = rename_to_free(path, moved);
		if (rc != -EEXIST)
			break;
	}
	return rc;
}

int sink_rotation_prune(const char *path, uint32_t n_kept)
{
	struct rotation_path parts;
	struct rotated *list;
	uint32_t n;
	int rc = rotation_split(path, &parts);

	if (rc)
		return rc;
	list = rotation_list(&parts, &n);
	if (n)
		qsort(list, n, sizeof(*list), compare_rotated);
	for (uint32_t i = 0; i < n; i++) {
		char old[PATH_MAX + 256];

		snprintf(old, sizeof(old), "%s/%s", parts.folder, list[i].name);
		if (i + n_kept < n && unlink(old) && !rc)
			rc = -errno;
	}
	rotation_free_list(list, n);
	return rc;
}
