/* SPDX-License-Identifier: BSD-3-Clause */
#include "live_plan.h"

#include <errno.h>
#include <stdio.h>

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Queues that both devices bring the same flows to, of n that are wanted. */
static uint32_t common_queues(const struct live_plan_port *port, const struct live_plan_port *peer, uint32_t n)
{
	n = least(least(n, port->n_queues), peer->n_queues);
	/* Tables of different sizes lead from a hash to the same queue where their number is a power of two. */
	if (port->table_size != peer->table_size)
		while (n & (n - 1))
			n &= n - 1;
	return n;
}

int live_plan_make(const struct live_plan_port *port, const struct live_plan_port *peer, uint32_t n_workers,
		   struct live_plan *plan, char *error, size_t error_size)
{
	const struct live_plan_port *other = peer ? peer : port;
	uint32_t n = n_workers, n_queues;

	if (port->n_asked)
		n = least(n, port->n_asked);
	if (other->n_asked)
		n = least(n, other->n_asked);
	n_queues = common_queues(port, other, n);
	if (port->rss == CONFIG_RSS_SOFTWARE || other->rss == CONFIG_RSS_SOFTWARE)
		n_queues = 1;
	*plan = (struct live_plan){.n_workers = n, .is_software = n_queues < n};
	if (!plan->is_software || (port->rss != CONFIG_RSS_SYMMETRIC && other->rss != CONFIG_RSS_SYMMETRIC))
		return 0;
	/* With fewer queues than there are workers, where nobody has asked for a number. */
	if (n_queues > 1 && !port->n_asked && !other->n_asked) {
		*plan = (struct live_plan){.n_workers = n_queues};
		return 0;
	}
	snprintf(error, error_size,
		 "[port %s] rss: symmetric over %u workers is more than %s can (%u); write auto, or fewer queues",
		 port->rss == CONFIG_RSS_SYMMETRIC ? port->name : other->name, n,
		 peer ? "both ports of the pair" : "the device", n_queues);
	return -EINVAL;
}
