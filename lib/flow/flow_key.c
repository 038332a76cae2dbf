/* SPDX-License-Identifier: BSD-3-Clause */
#include "flow_key.h"

#include <string.h>

#include "flow_key_inline.h"

uint32_t flow_key_make(const struct frame *frame, const struct packet *packet, enum flow_scope scope,
		       int is_one_way, struct flow_key *key)
{
	return flow_key_make_inline(frame, packet, scope, is_one_way, key);
}

int flow_key_is_ipv4(const struct flow_key *key)
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	return !memcmp(key->address[0], prefix, sizeof(prefix)) && !memcmp(key->address[1], prefix, sizeof(prefix));
}
