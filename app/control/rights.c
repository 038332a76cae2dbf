/* SPDX-License-Identifier: BSD-3-Clause */
#include "rights.h"

#include <errno.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "command.h"

/*
 * no_new_privs is a thread's own, inherited by those made later, and libraries make threads before main (OpenBLAS
 * does): the kernel takes all of them along where a filter of system calls is set with TSYNC. This one lets every call
 * pass. 0 or a negative errno.
 */
static int forbid_new_privileges(void)
{
	struct sock_filter pass = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	const struct sock_fprog filter = {.len = 1, .filter = &pass};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter))
		return -errno;
	return 0;
}

int rights_begin(const struct config_security *security, char *error, size_t error_size)
{
	const struct rlimit none = {0, 0};
	int rc = security->has_no_new_privs ? forbid_new_privileges() : 0;

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

/* The ids that names or numbers stand for; where no group is named it is the user's. */
static int find_ids(const struct config_security *security, uid_t *uid, gid_t *gid, char *error, size_t error_size)
{
	const struct passwd *user = getpwnam(security->user);
	uint64_t number;

	if (user) {
		*uid = user->pw_uid;
		*gid = user->pw_gid;
	} else if (!read_u64(security->user, 0, UINT32_MAX - 1, &number)) {
		*uid = (uid_t)number;
		*gid = (gid_t)number;
		user = getpwuid(*uid);
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

int rights_drop(const struct config_security *security, char *error, size_t error_size)
{
	uid_t uid;
	gid_t gid;
	int rc;

	if (security->user) {
		rc = find_ids(security, &uid, &gid, error, error_size);
		if (rc)
			return rc;
		/* The C library does it in all threads. */
		if (setgroups(1, &gid) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid)) {
			rc = -errno;
			snprintf(error, error_size, "[security] user: cannot become %s: %s%s", security->user,
				 strerror(-rc), rc == -EPERM ? "; start as root, or leave user out" : "");
			return rc;
		}
		if (uid && !setuid(0)) {
			snprintf(error, error_size, "[security] user: %s could become root again", security->user);
			return -EPERM;
		}
	}
	/* The kernel takes it away with the user. */
	prctl(PR_SET_DUMPABLE, security->core_dumps != CONFIG_CORE_DUMPS_NO, 0, 0, 0);
	return 0;
}
