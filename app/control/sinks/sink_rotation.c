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

/* The files of a folder that rotation has left. */
struct rotated_list {
	struct rotated *files;
	uint32_t n;
};

/* 0 or -ENOMEM. */
static int rotation_add(struct rotated_list *list, struct rotated file, const char *name)
{
	struct rotated *longer = reallocarray(list->files, list->n + 1, sizeof(*longer));

	if (longer)
		list->files = longer;
	file.name = longer ? strdup(name) : NULL;
	if (!file.name)
		return -ENOMEM;
	list->files[list->n++] = file;
	return 0;
}

/* Lists them; to be freed in any case. 0 or a negative errno. */
static int rotation_list(const struct rotation_path *parts, struct rotated_list *list)
{
	DIR *folder = opendir(parts->folder);
	struct dirent *entry;
	struct rotated found;
	int rc = 0;

	*list = (struct rotated_list){0};
	if (!folder)
		return -errno;
	while (!rc && (errno = 0, entry = readdir(folder)))
		if (rotation_parse(parts, entry->d_name, &found))
			rc = rotation_add(list, found, entry->d_name);
	if (!rc)
		rc = -errno;
	closedir(folder);
	return rc;
}

static void rotation_free_list(struct rotated_list *list)
{
	for (uint32_t i = 0; i < list->n; i++)
		free(list->files[i].name);
	free(list->files);
}

/*
 * The number of the next file of a second: behind all that are there, since one that fills the gap of those that were
 * removed would pass for the oldest. Where they cannot be listed none is removed either.
 */
static unsigned long rotation_next(const struct rotation_path *parts, const char *when)
{
	struct rotated_list list;
	unsigned long next = 0;

	rotation_list(parts, &list);
	for (uint32_t i = 0; i < list.n; i++)
		if (!strcmp(list.files[i].when, when) && list.files[i].same >= next)
			next = list.files[i].same + 1;
	rotation_free_list(&list);
	return next;
}

/* A time as names have it. 0 or -ERANGE. */
static int rotation_time(time_t time, char when[ROTATION_TIME_BYTES + 1])
{
	struct tm utc;

	return gmtime_r(&time, &utc) && strftime(when, ROTATION_TIME_BYTES + 1, "%Y%m%dT%H%M%SZ", &utc) ? 0
													: -ERANGE;
}

int sink_rotation_move(const char *path, uint64_t begin_s, const char *mark, char moved[PATH_MAX])
{
	struct rotation_path parts;
	char when[ROTATION_TIME_BYTES + 1], same[24] = "";
	unsigned long first;
	int rc = rotation_split(path, &parts);

	if (!rc)
		rc = rotation_time((time_t)begin_s, when);
	if (rc)
		return rc;
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

/*
 * Takes out of the list what is not to be removed: the file that has just been moved, and those of times to come, which
 * a clock has made that was wrong and which would outlive all others. Returns how many of the latter there are.
 */
static uint32_t rotation_spare(struct rotated_list *list, const char *moved, const char *now)
{
	const char *slash = strrchr(moved, '/'), *name = slash ? slash + 1 : moved;
	uint32_t n_later = 0, n = 0;

	for (uint32_t i = 0; i < list->n; i++) {
		struct rotated *file = &list->files[i];
		bool is_moved = !strcmp(file->name, name), is_later = strcmp(file->when, now) > 0;

		if (is_moved || is_later)
			free(file->name);
		else
			list->files[n++] = *file;
		n_later += !is_moved && is_later;
	}
	list->n = n;
	return n_later;
}

/* Removes the oldest files but for n_kept. 0, or the first error; what cannot be removed keeps no other one. */
static int rotation_remove(const struct rotation_path *parts, const struct rotated_list *list, uint32_t n_kept)
{
	int rc = 0;

	for (uint32_t i = 0; i + n_kept < list->n; i++) {
		char old[PATH_MAX + 256];

		snprintf(old, sizeof(old), "%s/%s", parts->folder, list->files[i].name);
		if (unlink(old) && errno != ENOENT && !rc)
			rc = -errno;
	}
	return rc;
}

int sink_rotation_prune(const char *path, const char *moved, uint32_t n_kept, uint32_t *n_later)
{
	struct rotation_path parts;
	struct rotated_list list;
	char now[ROTATION_TIME_BYTES + 1];
	int rc = rotation_split(path, &parts);

	*n_later = 0;
	if (!rc)
		rc = rotation_time(time(NULL), now);
	if (rc)
		return rc;
	rc = rotation_list(&parts, &list);
	if (!rc) {
		*n_later = rotation_spare(&list, moved, now);
		if (list.n)
			qsort(list.files, list.n, sizeof(*list.files), compare_rotated);
		rc = rotation_remove(&parts, &list, n_kept);
	}
	rotation_free_list(&list);
	return rc;
}
