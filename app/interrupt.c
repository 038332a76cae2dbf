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

void interrupt_catch(void)
{
	struct sigaction action = {.sa_handler = interrupt_handle, .sa_flags = SA_RESETHAND | SA_RESTART};
	struct sigaction ignore = {.sa_handler = SIG_IGN};

	/*
	 * Also where SIGINT came ignored, as in jobs that scripts put in the background: `kill -INT` must end them.
	 */
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGXFSZ, &ignore, NULL);
}
