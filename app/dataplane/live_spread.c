/* SPDX-License-Identifier: BSD-3-Clause */
#include "live_spread.h"

void live_spread_burst(struct live_spread *spread, const struct frame *frames, uint32_t n, uint32_t *places)
{
	packet_parse_burst(PACKET_LINK_ETHERNET, spread->depth, frames, n, spread->packets);
	flow_spread_burst(spread->flows, frames, spread->packets, n, spread->n_workers, places);
	/* They went round, which would be an end of their order (MACsec, IS-IS). */
	for (uint32_t i = 0; i < n; i++)
		if (!spread->packets[i].ip_version)
			places[i] = spread->own;
}
