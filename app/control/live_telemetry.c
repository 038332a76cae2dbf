/* SPDX-License-Identifier: BSD-3-Clause */
#include "live_telemetry.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <rte_telemetry.h>

#include "command.h"
#include "rights.h"
#include "telemetry_json.h"

/* How long somebody waits for a reload: models are loaded, and workers take them over. */
#define TELEMETRY_PATIENCE_S 30
#define TELEMETRY_SOCKET     "dpdk_telemetry.v2"
/* DPDK puts a number behind the name where another run has the socket. */
#define TELEMETRY_SUFFIX_BYTES 8

/* Between DPDK's threads, which ask, and the control core. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t answered;
	bool is_open;
	uint64_t n_asked, n_answered; /* reloads */
	bool is_reloaded;
	char reason[RTE_TEL_MAX_STRING_LEN];
} telemetry = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Makes a folder, or finds one that nobody else can change. 0 or a negative errno. */
static int make_folder(const char *path)
{
	struct stat status;

	if (mkdir(path, S_IRWXU) && errno != EEXIST)
		return -errno;
	if (lstat(path, &status))
		return -errno;
	if (!S_ISDIR(status.st_mode))
		return -ENOTDIR;
	return (status.st_uid && status.st_uid != getuid()) || status.st_mode & (S_IWGRP | S_IWOTH) ? -EPERM : 0;
}

/* Whether a socket can be made in a folder. 0 or a negative errno. */
static int try_socket(const char *folder)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, rc;

	if (snprintf(address.sun_path, sizeof(address.sun_path), "%s/try%d", folder, (int)getpid()) >=
	    (int)sizeof(address.sun_path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	unlink(address.sun_path);
	rc = bind(fd, (const struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
	close(fd);
	if (!rc)
		unlink(address.sun_path);
	return rc;
}

/* Where DPDK's folders are, by its own rules. */
static const char *runtime_base(void)
{
	const char *base = getenv("RUNTIME_DIRECTORY");

	if (base)
		return base;
	if (!getuid())
		return "/var/run";
	base = getenv("XDG_RUNTIME_DIR");
	return base ? base : "/tmp";
}

int live_telemetry_check(const char *file_prefix, char *error, size_t error_size)
{
	char outer[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char folder[sizeof(outer) - sizeof("/" TELEMETRY_SOCKET) - TELEMETRY_SUFFIX_BYTES];
	const char *base = runtime_base();
	int rc = 0;

	snprintf(outer, sizeof(outer), "%s/dpdk", base);
	if (snprintf(folder, sizeof(folder), "%s/dpdk/%s", base, file_prefix) >= (int)sizeof(folder))
		rc = -ENAMETOOLONG;
	if (!rc)
		rc = make_folder(outer);
	if (!rc)
		rc = make_folder(folder);
	if (!rc)
		rc = try_socket(folder);
	if (rc)
		snprintf(error, error_size,
			 "no socket can be made in %s: %s; name a folder of your own by $XDG_RUNTIME_DIR", folder,
			 rc == -EPERM ? "others can change it" : strerror(-rc));
	return rc;
}

/* The path of the socket that this process listens at, into path; whether there is one. */
static bool find_socket(char *path, size_t size)
{
	DIR *folder = opendir("/proc/self/fd");
	const struct dirent *entry;
	bool is_found = false;

	while (folder && !is_found && (entry = readdir(folder))) {
		struct sockaddr_un address = {0};
		socklen_t length = sizeof(address) - 1;
		int fd = atoi(entry->d_name);

		if (entry->d_name[0] == '.' || getsockname(fd, (struct sockaddr *)&address, &length) ||
		    address.sun_family != AF_UNIX || !strstr(address.sun_path, "/" TELEMETRY_SOCKET))
			continue;
		snprintf(path, size, "%s", address.sun_path);
		is_found = true;
	}
	if (folder)
		closedir(folder);
	return is_found;
}

/* Lets who knows the way pass through a folder of ours, without seeing what is in it. */
static void open_way(const char *folder)
{
	struct stat status;

	if (!stat(folder, &status) && status.st_uid == geteuid() && !(status.st_mode & S_IXOTH))
		chmod(folder, (status.st_mode & 07777) | S_IXGRP | S_IXOTH);
}

/* The socket is the user's; root may always. */
static void hand_over(const struct config_security *security, char *path)
{
	char error[512];

	chmod(path, S_IRUSR | S_IWUSR);
	if (!security->user)
		return;
	if (rights_give(security, path, error, sizeof(error))) {
		complain("%s; the run goes on", error);
		return;
	}
	for (int i = 0; i < 2; i++) {
		*strrchr(path, '/') = '\0';
		open_way(path);
	}
}

/* Waits for the answer to a question. Whether it came. The lock is held. */
static bool wait_for_answer(uint64_t asked)
{
	struct timespec until;
	int rc = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += TELEMETRY_PATIENCE_S;
	while (telemetry.is_open && telemetry.n_answered < asked && !rc)
		rc = pthread_cond_timedwait(&telemetry.answered, &telemetry.lock, &until);
	return telemetry.n_answered >= asked;
}

/* /wirescore/reload: a thread of DPDK's, which only waits. DPDK 22.11 has no true nor false: 1 or 0. */
static int handle_reload(const char *command, const char *parameters, struct rte_tel_data *answer)
{
	const char *reason = "takes no parameters; nothing is changed";
	char told[RTE_TEL_MAX_STRING_LEN];
	bool is_reloaded = false;

	(void)command;
	if (!parameters || !*parameters) {
		pthread_mutex_lock(&telemetry.lock);
		if (!telemetry.is_open) {
			reason = "the run ends";
		} else if (wait_for_answer(++telemetry.n_asked)) {
			telemetry_json_text(told, telemetry.reason);
			is_reloaded = telemetry.is_reloaded;
			reason = told;
		} else {
			reason = telemetry.is_open ? "takes longer than 30 s; the log tells how it ends"
						   : "the run ends";
		}
		pthread_mutex_unlock(&telemetry.lock);
	}
	rte_tel_data_start_dict(answer);
	rte_tel_data_add_dict_int(answer, "reloaded", is_reloaded);
	rte_tel_data_add_dict_string(answer, "reason", reason);
	return 0;
}

void live_telemetry_open(const struct config_security *security)
{
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	pthread_condattr_t attributes;
	int rc;

	if (!find_socket(path, sizeof(path)))
		return;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&telemetry.answered, &attributes);
	pthread_condattr_destroy(&attributes);
	telemetry.is_open = true;
	rc = rte_telemetry_register_cmd(
		"/wirescore/reload", handle_reload,
		"Reads the config again; takes over models and policy. Takes no parameters");
	if (rc)
		complain("[metrics] telemetry: /wirescore/reload: %s; the run goes on without", strerror(-rc));
	complain("telemetry: %s", path);
	hand_over(security, path);
}

uint64_t live_telemetry_reload_asked(void)
{
	uint64_t asked;

	pthread_mutex_lock(&telemetry.lock);
	asked = telemetry.n_asked > telemetry.n_answered ? telemetry.n_asked : 0;
	pthread_mutex_unlock(&telemetry.lock);
	return asked;
}

void live_telemetry_reload_done(uint64_t asked, bool is_reloaded, const char *reason)
{
	size_t length = strlen(reason), size = sizeof(telemetry.reason);

	pthread_mutex_lock(&telemetry.lock);
	telemetry.n_answered = asked;
	telemetry.is_reloaded = is_reloaded;
	/* The log has all of it. */
	snprintf(telemetry.reason, size, "%.*s%s", (int)(length < size ? length : size - 4), reason,
		 length < size ? "" : "...");
	pthread_cond_broadcast(&telemetry.answered);
	pthread_mutex_unlock(&telemetry.lock);
}

void live_telemetry_close(void)
{
	pthread_mutex_lock(&telemetry.lock);
	if (telemetry.is_open)
		pthread_cond_broadcast(&telemetry.answered);
	telemetry.is_open = false;
	pthread_mutex_unlock(&telemetry.lock);
}
