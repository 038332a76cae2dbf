/* SPDX-License-Identifier: BSD-3-Clause */
#include "top/top_link.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

/* The run itself waits 3 s for workers, for each that asks at once. */
#define LINK_PATIENCE_S 10
#define LINK_MAX_BYTES	65536

/* A message as a JSON object; NULL: none came. */
static json_t *link_receive(int fd)
{
	char *text = malloc(LINK_MAX_BYTES);
	json_t *object = NULL;
	ssize_t n = text ? recv(fd, text, LINK_MAX_BYTES, 0) : -1;

	if (n > 0)
		object = json_loadb(text, (size_t)n, 0, NULL);
	free(text);
	return object;
}

json_t *top_link_ask(const struct top_link *link, const char *command)
{
	char name[64];
	json_t *object, *answer;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(command, ","), command);
	if (send(link->fd, command, strlen(command), MSG_NOSIGNAL) < 0)
		return NULL;
	object = link_receive(link->fd);
	answer = json_incref(json_object_get(object, name));
	json_decref(object);
	return answer;
}

/* Whether who listens is a run of wirescore. */
static bool link_is_run(const struct top_link *link)
{
	json_t *commands = top_link_ask(link, "/"), *command;
	bool is_run = false;
	size_t i;

	json_array_foreach(commands, i, command)
	{
		is_run |= json_is_string(command) && !strcmp(json_string_value(command), "/wirescore/stats");
	}
	json_decref(commands);
	return is_run;
}

static bool is_trusted(uid_t user)
{
	return !user || user == geteuid();
}

/* Whether only who is trusted can put a socket there: looked at first, for even to connect may take its time. */
static bool is_folder_trusted(const char *path)
{
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct stat status;

	snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(path, '/') - path), path);
	return !stat(folder, &status) && is_trusted(status.st_uid) && !(status.st_mode & (S_IWGRP | S_IWOTH));
}

/*
 * 0 or a negative errno: -EPROTO where it is no run of wirescore, -EBUSY where DPDK takes nobody more, -EPERM where the
 * path was found, not given, and somebody else may listen there.
 */
static int link_connect(struct top_link *link, const char *path, bool is_found)
{
	struct timeval patience = {.tv_sec = LINK_PATIENCE_S};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct ucred peer;
	socklen_t n_peer = sizeof(peer);
	json_t *hello;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	if (is_found && !is_folder_trusted(path))
		return -EPERM;
	strcpy(link->path, path);
	link->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (link->fd < 0)
		return -errno;
	setsockopt(link->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(link->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(link->fd, (const struct sockaddr *)&address, sizeof(address)))
		return -errno;
	if (getsockopt(link->fd, SOL_SOCKET, SO_PEERCRED, &peer, &n_peer))
		return -errno;
	if (is_found && !is_trusted(peer.uid))
		return -EPERM;
	link->pid = peer.pid;
	hello = link_receive(link->fd);
	if (!hello)
		return -EBUSY;
	json_decref(hello);
	return link_is_run(link) ? 0 : -EPROTO;
}

static const char *reason_of(int rc)
{
	if (rc == -EPROTO)
		return "is no run of wirescore, or one that has just begun";
	if (rc == -EBUSY)
		return "does not answer; DPDK serves 10 at a time";
	if (rc == -ECONNREFUSED)
		return "its run has ended";
	if (rc == -EPERM)
		return "is of another user; --socket PATH takes it all the same";
	return strerror(-rc);
}

void top_link_close(struct top_link *link)
{
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
}

static int link_try(struct top_link *link, const char *path, bool is_found)
{
	int rc = link_connect(link, path, is_found);

	if (rc)
		top_link_close(link);
	return rc;
}

/* Adds the sockets below a folder that DPDK may have been told to use. */
static void find_below(const char *base, const char *file_prefix, glob_t *found)
{
	char pattern[512];

	if (base && snprintf(pattern, sizeof(pattern), "%s/dpdk/%s/dpdk_telemetry.v2*", base,
			     file_prefix ? file_prefix : "*") < (int)sizeof(pattern))
		glob(pattern, found->gl_pathc ? GLOB_APPEND : 0, NULL, found);
}

static int compare_newest(const void *a, const void *b)
{
	struct stat one = {0}, other = {0};

	stat(*(const char *const *)a, &one);
	stat(*(const char *const *)b, &other);
	if (one.st_mtim.tv_sec != other.st_mtim.tv_sec)
		return one.st_mtim.tv_sec < other.st_mtim.tv_sec ? 1 : -1;
	return one.st_mtim.tv_nsec < other.st_mtim.tv_nsec ? 1 : -(one.st_mtim.tv_nsec > other.st_mtim.tv_nsec);
}

/* The newest that answers. */
static int link_find(struct top_link *link, const char *file_prefix, char *error, size_t error_size)
{
	glob_t found = {0};
	int rc = -ENOENT;

	if (getenv("RUNTIME_DIRECTORY")) {
		find_below(getenv("RUNTIME_DIRECTORY"), file_prefix, &found);
	} else {
		find_below("/var/run", file_prefix, &found);
		find_below(getenv("XDG_RUNTIME_DIR"), file_prefix, &found);
		find_below("/tmp", file_prefix, &found);
	}
	snprintf(
		error, error_size,
		"no run is found; is one going on, with [metrics] telemetry, as this user? --socket PATH tells where");
	if (found.gl_pathc)
		qsort(found.gl_pathv, found.gl_pathc, sizeof(found.gl_pathv[0]), compare_newest);
	for (size_t i = 0; rc && i < found.gl_pathc; i++) {
		int tried = link_try(link, found.gl_pathv[i], true);

		/* The first reason that is not simply a socket that was left behind. */
		if (tried && tried != -ECONNREFUSED && rc == -ENOENT) {
			snprintf(error, error_size, "%s: %s", found.gl_pathv[i], reason_of(tried));
			rc = tried;
		}
		if (!tried)
			rc = 0;
	}
	globfree(&found);
	return rc;
}

int top_link_open(struct top_link *link, const char *path, const char *file_prefix, char *error, size_t error_size)
{
	int rc;

	*link = (struct top_link){.fd = -1};
	if (!path)
		return link_find(link, file_prefix, error, error_size);
	rc = link_try(link, path, false);
	if (rc)
		snprintf(error, error_size, "%s: %s", path, reason_of(rc));
	return rc;
}
