/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a live run says on stderr, so that a terminal that is held or a pipe that nobody reads stops nothing: lines are
 * put into a buffer, and a thread takes them to stderr. Where the buffer is full whole lines are left out and counted.
 * The control core's; there is one in a process.
 */
#ifndef WIRESCORE_CONTROL_LIVE_LOG_H
#define WIRESCORE_CONTROL_LIVE_LOG_H

/*
 * Has complain, DPDK and whoever prints to complaints() speak to the buffer from now on; none of them waits. 0 or a
 * negative errno: then all is as before. Once ports are open: what DPDK says until then is held
 * back by others.
 */
int live_log_open(void);

/*
 * Waits until stderr has taken all lines, but no longer than so many seconds without it taking any; then complaints go
 * there by themselves, unless it does not take them: then those that follow are lost. Nothing happens where it is not
 * open.
 */
void live_log_close(double seconds);

#endif
