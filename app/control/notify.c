/* SPDX-License-Identifier: BSD-3-Clause */
#include "notify.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "command.h"

/* How long the watchdog waits, where it is this process that it watches. */
static uint64_t watchdog_us(void)
{
	const char *text = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	uint64_t us = 0, number;

	if (!text || read_u64(text, 1, UINT64_MAX / 1000, &us))
		return 0;
	if (pid && (read_u64(pid, 1, INT32_MAX, &number) || number != (uint64_t)getpid()))
		return 0;
	return us;
}

void notify_open(struct notify *notify)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");
	size_t length = path ? strlen(path) : 0;

	*notify = (struct notify){.fd = -1};
	if (!length || length >= sizeof(address.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(address.sun_path, path, length);
	if (path[0] == '@')
		address.sun_path[0] = '\0'; /* the abstract namespace */
	notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (notify->fd < 0)
		return;
	if (connect(notify->fd, (const struct sockaddr *)&address,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length))) {
		notify_close(notify);
		return;
	}
	notify->interval_ns = watchdog_us() * 1000 / 2;
}

void notify_send(const struct notify *notify, const char *state)
{
	if (notify->fd >= 0)
		(void)!send(notify->fd, state, strlen(state), MSG_NOSIGNAL);
}

void notify_reloading(const struct notify *notify)
{
	struct timespec now;
	char state[64];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		 (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
	notify_send(notify, state);
}

void notify_watchdog(struct notify *notify, uint64_t now_ns)
{
	if (!notify->interval_ns || now_ns - notify->told_ns < notify->interval_ns)
		return;
	notify->told_ns = now_ns;
	notify_send(notify, "WATCHDOG=1");
}

void notify_close(struct notify *notify)
{
	if (notify->fd >= 0)
		close(notify->fd);
	notify->fd = -1;
}
