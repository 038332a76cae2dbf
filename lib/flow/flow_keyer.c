/* SPDX-License-Identifier: BSD-3-Clause */
#include "flow_keyer.h"

#include <string.h>

#include "flow_key_inline.h"

void flow_keyer_init(struct flow_keyer *keyer, enum flow_scope scope, bool is_one_way, const uint64_t seed[2])
{
	flow_hash_init(&keyer->hash, seed);
	keyer->scope = scope;
	keyer->is_one_way = is_one_way;
	keyer->generation = 1;
}

void flow_keyer_reset(struct flow_keyer *keyer)
{
	keyer->now_ns = 0;
	if (++keyer->generation)
		return;
	memset(keyer->datagrams, 0, sizeof(keyer->datagrams));
	keyer->generation = 1;
}

static bool flow_datagram_is(const struct flow_keyer *keyer, const struct flow_datagram *datagram,
			     const struct flow_key *id)
{
	return datagram->generation == keyer->generation && !memcmp(&datagram->id, id, sizeof(*id));
}

/* Where the datagram is remembered, or would be: it, or the set's oldest. */
static struct flow_datagram *flow_keyer_datagram(struct flow_keyer *keyer, const struct flow_key *id,
						 uint8_t **oldest)
{
	uint64_t set = flow_hash_one(&keyer->hash, id) % FLOW_FRAGMENT_SETS;

	*oldest = &keyer->oldest[set];
	for (uint32_t way = 0; way < FLOW_FRAGMENT_WAYS; way++)
		if (flow_datagram_is(keyer, &keyer->datagrams[set][way], id))
			return &keyer->datagrams[set][way];
	return &keyer->datagrams[set][keyer->oldest[set]];
}

/* Remembers the flow of a first fragment. */
static void flow_keyer_remember(struct flow_keyer *keyer, const struct flow_key *id, const struct flow_key *key,
				struct flow_sender sender, uint64_t now_ns)
{
	uint8_t *oldest;
	struct flow_datagram *datagram = flow_keyer_datagram(keyer, id, &oldest);

	if (!flow_datagram_is(keyer, datagram, id))
		*oldest = (uint8_t)((*oldest + 1) % FLOW_FRAGMENT_WAYS);
	*datagram = (struct flow_datagram){*id, *key, now_ns, sender, keyer->generation};
}

/* Gives a fragment the flow of its datagram's first; false where that is not known. */
static bool flow_keyer_recall(struct flow_keyer *keyer, const struct flow_key *id, uint64_t now_ns,
			      struct flow_key *key, struct flow_sender *sender)
{
	uint8_t *oldest;
	const struct flow_datagram *datagram = flow_keyer_datagram(keyer, id, &oldest);
	uint64_t first_ns = datagram->first_ns;

	if (!flow_datagram_is(keyer, datagram, id) ||
	    (now_ns > first_ns ? now_ns - first_ns : first_ns - now_ns) > FLOW_FRAGMENT_NS)
		return false;
	*key = datagram->key;
	*sender = datagram->sender;
	return true;
}

/* What a datagram's fragments have in common: addresses from source to destination, IPv4's protocol, id, VLAN or tunnel. */
static void flow_keyer_datagram_id(const struct frame *frame, const struct packet *packet, struct flow_key *id)
{
	const uint8_t *header = frame->data + packet->fragment_ip_offset;
	uint32_t scope_id = packet->fragment_network & PACKET_NETWORK_VLAN
				    ? FLOW_KEY_VLANS | (packet->fragment_network & 0xfff)
				    : packet->fragment_network;
	struct packet datagram = {
		.ip_version = header[0] >> 4,
		.ip_offset = packet->fragment_ip_offset,
	};

	/* Of IPv6, the fragments behind the first do not know it where extension headers come before it. */
	if (datagram.ip_version == 4)
		datagram.protocol = header[9];
	flow_key_make_with(frame, &datagram, (uint16_t)(packet->fragment_id >> 16), (uint16_t)packet->fragment_id,
			   scope_id, true, id);
}

/* The flow of a fragment, of which key and sender hold what its own header says. */
static void __attribute__((noinline))
flow_keyer_fragment(struct flow_keyer *keyer, const struct frame *frame, const struct packet *packet,
		    uint64_t now_ns, struct flow_key *key, struct flow_sender *sender)
{
	uint32_t scope_id = flow_key_scope_id(packet, keyer->scope);
	struct flow_key id;

	flow_keyer_datagram_id(frame, packet, &id);
	if (!(packet->flags & PACKET_FLAG_FRAGMENT_REST)) {
		flow_keyer_remember(keyer, &id, key, *sender, now_ns);
	} else if (flow_keyer_recall(keyer, &id, now_ns, key, sender)) {
		keyer->n_joined++;
	} else {
		keyer->n_alone++;
		sender->endpoint =
			(uint8_t)flow_key_make_with(frame, packet, 0, 0, scope_id, keyer->is_one_way, key);
		sender->has_no_ports = true;
	}
}

void flow_keyer_burst(struct flow_keyer *keyer, const struct frame *frames, const struct packet *packets,
		      uint32_t n, struct flow_keyed *keyed)
{
	enum flow_scope scope = keyer->scope;
	bool is_one_way = keyer->is_one_way;
	uint64_t now_ns = keyer->now_ns, earliest_ns = UINT64_MAX;
	uint32_t n_keyed = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct packet *packet = &packets[i];
		struct flow_visit *visit = &keyed->visits[n_keyed];
		struct flow_key *key = &keyed->keys[n_keyed];

		if (!packet->ip_version)
			continue;
		if (frames[i].timestamp_ns != FRAME_NO_TIME)
			now_ns = frames[i].timestamp_ns;
		if (now_ns < earliest_ns)
			earliest_ns = now_ns;
		visit->now_ns = now_ns;
		visit->at = i;
		visit->number = frames[i].number;
		visit->sender.endpoint = (uint8_t)flow_key_make_inline(&frames[i], packet, scope, is_one_way, key);
		visit->sender.has_no_ports = !!(packet->flags & PACKET_FLAG_ADDRESSES_ONLY);
		if (packet->flags & (PACKET_FLAG_FRAGMENT | PACKET_FLAG_FRAGMENT_REST))
			flow_keyer_fragment(keyer, &frames[i], packet, now_ns, key, &visit->sender);
		n_keyed++;
	}
	keyer->now_ns = now_ns;
	keyed->n = n_keyed;
	keyed->earliest_ns = earliest_ns;
	flow_hash_burst(&keyer->hash, keyed->keys, n_keyed, keyed->hashes);
}
