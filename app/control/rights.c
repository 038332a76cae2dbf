/* SPDX-License-Identifier: BSD-3-Clause */
#include "rights.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"

#define RIGHTS_POLL_US 1000
#define RIGHTS_N_POLLS 2000

/*
 * no_new_privs is a thread's own, inherited by those made later, and libraries make threads before main (OpenBLAS
 * does): the kernel takes all of them along where a filter of system calls is set with TSYNC. This one lets every call
 * pass. 0 or a negative errno.
 */
static int forbid_new_privileges(void)
{
	struct sock_filter pass = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	const struct sock_fprog filter = {.len = 1, .filter = &pass};
	long rc;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	rc = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);
	/* Above 0 it is the thread that cannot follow, for it has a filter of its own; errno says nothing. */
	return rc > 0 ? -EBUSY : rc ? -errno : 0;
}

int rights_begin(const struct config_security *security, char *error, size_t error_size)
{
	const struct rlimit none = {0, 0};
	int rc = security->has_no_new_privs ? forbid_new_privileges() : 0;

	/* What is recorded of others is for who runs it, and a group. */
	umask(umask(S_IRWXO) | S_IWGRP | S_IRWXO);
	if (rc) {
		snprintf(error, error_size, "[security] no-new-privs: %s", strerror(-rc));
		return rc;
	}
	if (security->core_dumps == CONFIG_CORE_DUMPS_NO && setrlimit(RLIMIT_CORE, &none)) {
		rc = -errno;
		snprintf(error, error_size, "[security] core-dumps: %s", strerror(-rc));
	}
	return rc;
}

/* By names or numbers; where no group is named it is the user's. */
static int rights_find(const struct config_security *security, uid_t *uid, gid_t *gid, char *error,
		       size_t error_size)
{
	const struct passwd *user = getpwnam(security->user);
	uint64_t number;

	if (user) {
		*uid = user->pw_uid;
		*gid = user->pw_gid;
	} else if (!read_u64(security->user, 0, UINT32_MAX - 1, &number)) {
		*uid = (uid_t)number;
		user = getpwuid(*uid);
		/* The group of that number may be anybody's: that of who may do more. */
		if (!user && !security->group) {
			snprintf(error, error_size,
				 "[security] user: %s has no name here, and so no group of its own; set group too",
				 security->user);
			return -ENOENT;
		}
		if (user)
			*gid = user->pw_gid;
	} else {
		snprintf(error, error_size, "[security] user: there is no user '%s'", security->user);
		return -ENOENT;
	}
	if (security->group) {
		const struct group *group = getgrnam(security->group);

		if (!group && read_u64(security->group, 0, UINT32_MAX - 1, &number)) {
			snprintf(error, error_size, "[security] group: there is no group '%s'", security->group);
			return -ENOENT;
		}
		*gid = group ? group->gr_gid : (gid_t)number;
	}
	return 0;
}

/* In a process of its own: becomes the user and ends with the errno, 0 where it may or this process cannot tell. */
static void __attribute__((noreturn)) ask_as(uid_t uid, gid_t gid, const char *path, int mode)
{
	if (setgroups(1, &gid) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
		_exit(0);
	_exit(access(path, mode) ? errno : 0);
}

int rights_ask(const struct config_security *security, const char *path, int mode)
{
	char ignored[256];
	uid_t uid;
	gid_t gid;
	pid_t child;
	int status;

	if (!security->user || rights_find(security, &uid, &gid, ignored, sizeof(ignored)))
		return access(path, mode) ? -errno : 0;
	child = fork();
	if (!child)
		ask_as(uid, gid, path, mode);
	if (child < 0)
		return -errno;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

int rights_give(const struct config_security *security, const char *path, char *error, size_t error_size)
{
	uid_t uid;
	gid_t gid;
	int rc = rights_find(security, &uid, &gid, error, error_size);

	if (rc || !chown(path, uid, gid))
		return rc;
	rc = -errno;
	snprintf(error, error_size, "[security] user: %s cannot be handed over to %s: %s", path, security->user,
		 strerror(-rc));
	return rc;
}

/* Capabilities are a thread's own, and only it can let go of them: a signal has each of them do so. */
static atomic_uint rights_n_dropped;

static void drop_own_capabilities(int signal_number)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
	int before = errno;

	(void)signal_number;
	/* The ambient ones go with them. */
	if (!syscall(SYS_capset, &header, none))
		atomic_fetch_add(&rights_n_dropped, 1);
	errno = before;
}

/* Has all other threads do it; returns how many there are that could not be asked or have not answered. */
static unsigned int drop_in_other_threads(void)
{
	DIR *tasks = opendir("/proc/self/task");
	const struct dirent *task;
	unsigned int n = 0;

	atomic_store(&rights_n_dropped, 0);
	while (tasks && (task = readdir(tasks))) {
		pid_t id = atoi(task->d_name);

		/* One that has ended meanwhile is not there to be asked. */
		if (isdigit((unsigned char)task->d_name[0]) && id != gettid() &&
		    !syscall(SYS_tgkill, getpid(), id, SIGUSR2))
			n++;
	}
	if (!tasks)
		return 1;
	closedir(tasks);
	for (int i = 0; i < RIGHTS_N_POLLS && atomic_load(&rights_n_dropped) < n; i++)
		usleep(RIGHTS_POLL_US);
	return n - atomic_load(&rights_n_dropped);
}

/* 0, or -EBUSY where a thread still has capabilities. */
static int drop_capabilities(void)
{
	const struct sigaction action = {.sa_handler = drop_own_capabilities, .sa_flags = SA_RESTART};
	struct sigaction before;
	unsigned int n_left;

	sigaction(SIGUSR2, &action, &before);
	atomic_store(&rights_n_dropped, 0);
	drop_own_capabilities(0);
	n_left = 1 - atomic_load(&rights_n_dropped);
	n_left += drop_in_other_threads();
	sigaction(SIGUSR2, &before, NULL);
	return n_left ? -EBUSY : 0;
}

/* Becomes the user of the config. 0, or a negative errno with one line in error. */
static int become_user(const struct config_security *security, uid_t *uid, char *error, size_t error_size)
{
	gid_t gid;
	int rc = rights_find(security, uid, &gid, error, error_size);

	if (rc)
		return rc;
	/* The C library does it in all threads. */
	if (setgroups(1, &gid) || setresgid(gid, gid, gid) || setresuid(*uid, *uid, *uid)) {
		rc = -errno;
		snprintf(error, error_size, "[security] user: cannot become %s: %s%s", security->user,
			 strerror(-rc), rc == -EPERM ? "; start as root, or leave user out" : "");
	}
	return rc;
}

/* What ends a process with a core dump when something is wrong in it. */
static const int rights_crashes[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGQUIT};
#define RIGHTS_N_CRASHES (sizeof(rights_crashes) / sizeof(rights_crashes[0]))
static struct sigaction rights_crashes_before[RIGHTS_N_CRASHES];

/* Lets the kernel write the core that it would have, and has the crash happen again. */
static void let_crash(int signal_number, siginfo_t *info, void *context)
{
	(void)context;
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	for (size_t i = 0; i < RIGHTS_N_CRASHES; i++)
		if (rights_crashes[i] == signal_number)
			sigaction(signal_number, &rights_crashes_before[i], NULL);
	/* An instruction that failed fails again; what somebody sent does not come again. */
	if (info->si_code <= 0)
		raise(signal_number);
}

/*
 * Whoever may have its core dumped may be looked into as well, memory and all, by every process of the same user: so
 * it may only from the moment on in which it crashes.
 */
static void catch_crashes(void)
{
	const struct sigaction action = {.sa_sigaction = let_crash, .sa_flags = SA_SIGINFO};

	for (size_t i = 0; i < RIGHTS_N_CRASHES; i++)
		sigaction(rights_crashes[i], &action, &rights_crashes_before[i]);
}

int rights_drop(const struct config_security *security, char *error, size_t error_size)
{
	uid_t uid = geteuid();
	int rc = security->user ? become_user(security, &uid, error, error_size) : 0;

	if (rc)
		return rc;
	/* Root stays what it is where no user is named; whoever else keeps nothing that it was started with. */
	if (uid && drop_capabilities()) {
		snprintf(error, error_size,
			 "[security] a thread keeps the capabilities that the run was started with");
		return -EBUSY;
	}
	if (uid && !setuid(0)) {
		snprintf(error, error_size, "[security] user %u could become root again", (unsigned int)uid);
		return -EPERM;
	}
	if (security->core_dumps == CONFIG_CORE_DUMPS_WITHOUT_PACKETS)
		catch_crashes();
	/* The kernel takes it away with the user. */
	prctl(PR_SET_DUMPABLE, security->core_dumps == CONFIG_CORE_DUMPS_FULL, 0, 0, 0);
	return 0;
}
