/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tells a service manager how a run fares, by the protocol of systemd's sd_notify(3): datagrams to the socket that
 * $NOTIFY_SOCKET names. Nothing happens where there is none. The control core's.
 */
#ifndef WIRESCORE_CONTROL_NOTIFY_H
#define WIRESCORE_CONTROL_NOTIFY_H

#include <stdint.h>

struct notify {
	int fd;		      /* -1: nobody listens */
	uint64_t interval_ns; /* half of what the watchdog waits for; 0: it does not watch */
	uint64_t told_ns;     /* when it was told last */
};

void notify_open(struct notify *notify);

/* Sends "READY=1", "STOPPING=1", "STATUS=..." and the like; what is not heard is lost. */
void notify_send(const struct notify *notify, const char *state);

/* Sends "RELOADING=1" with the time, as Type=notify-reload wants it; "READY=1" is to follow. */
void notify_reloading(const struct notify *notify);

/* Sends "WATCHDOG=1" where it is time to. */
void notify_watchdog(struct notify *notify, uint64_t now_ns);

void notify_close(struct notify *notify);

#endif
