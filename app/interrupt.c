/* SPDX-License-Identifier: BSD-3-Clause */
#include "interrupt.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

atomic_bool interrupted;

static void interrupt_handle(int signal_number)
{
	(void)signal_number;
	atomic_store(&interrupted, true);
}

static void interrupt_set(int flags)
{
	struct sigaction action = {.sa_handler = interrupt_handle, .sa_flags = SA_RESTART | flags};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

void interrupt_hold(void)
{
	interrupt_set(0);
}

void interrupt_break(void)
{
	struct sigaction action = {.sa_handler = interrupt_handle, .sa_flags = (int)SA_RESETHAND};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

void interrupt_catch(void)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};

	/*
	 * Also where SIGINT came ignored, as in jobs that scripts put in the background: `kill -INT` must end them.
	 */
	interrupt_set((int)SA_RESETHAND);
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGXFSZ, &ignore, NULL);
}
