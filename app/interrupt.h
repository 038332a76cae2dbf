/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SIGINT and SIGTERM as a flag that long work looks at. A second signal ends the program at once, unless it is held.
 */
#ifndef WIRESCORE_INTERRUPT_H
#define WIRESCORE_INTERRUPT_H

#include <stdatomic.h>

/* False until a signal came. Any thread may read it. */
extern atomic_bool interrupted;

/*
 * From now on the first SIGINT or SIGTERM sets the flag; SIGPIPE and SIGXFSZ (a file as long as `ulimit -f` allows)
 * are errors of write, not an end.
 */
void interrupt_catch(void);

/* From now on further ones are no end either: for what ends by itself, soon, and would lose something. */
void interrupt_hold(void);

/*
 * From now on one ends a system call that waits, with EINTR, and a second one the program: for what waits last for
 * somebody who may never come.
 */
void interrupt_break(void);

#endif
