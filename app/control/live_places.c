/* SPDX-License-Identifier: BSD-3-Clause */
#include "live_places.h"

bool live_place_is_near(const struct live_place *place, int port_node)
{
	return port_node < 0 || place->node == port_node;
}

uint32_t live_place_choose(const struct live_place *places, uint32_t n, int port_node)
{
	uint32_t best = 0;

	for (uint32_t i = 1; i < n; i++)
		if (places[i].load < places[best].load ||
		    (places[i].load == places[best].load && live_place_is_near(&places[i], port_node) &&
		     !live_place_is_near(&places[best], port_node)))
			best = i;
	return best;
}

uint32_t live_place_count(const struct live_place *places, uint32_t n, const int *port_nodes, uint32_t n_ports,
			  uint32_t port)
{
	uint32_t n_near = 0;

	for (uint32_t i = 0; i < n; i++) {
		bool has_port = false;

		for (uint32_t p = 0; p < n_ports; p++)
			has_port |= live_place_is_near(&places[i], port_nodes[p]);
		if (!has_port)
			return n;
		n_near += live_place_is_near(&places[i], port_nodes[port]);
	}
	return n_near ? n_near : n;
}
