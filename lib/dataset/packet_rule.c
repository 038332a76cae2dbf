/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The exact rules for packet models. Called for each frame by `wirescore train` and `wirescore eval`.
 */
#include "packet_rule.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ethertype.h"

#define ETHERTYPE_OFFSET 12
#define VLAN_TAG_BYTES	 4
#define MAX_VLAN_TAGS	 2

int packet_rule_parse(const char *text, struct packet_rule *rule)
{
	static const char prefix[] = "ethertype:0x";
	const char *digits;

	memset(rule, 0, sizeof(*rule));
	if (strcmp(text, "ipv4") == 0) {
		rule->kind = PACKET_RULE_IPV4;
		return 0;
	}
	if (strcmp(text, "ip") == 0) {
		rule->kind = PACKET_RULE_IP;
		return 0;
	}
	if (strncmp(text, prefix, sizeof(prefix) - 1) != 0)
		return -EINVAL;
	digits = text + sizeof(prefix) - 1;
	if (strlen(digits) != 4 || strspn(digits, "0123456789abcdefABCDEF") != 4)
		return -EINVAL;
	rule->kind = PACKET_RULE_ETHERTYPE;
	rule->ethertype = (uint16_t)strtoul(digits, NULL, 16);
	return 0;
}

char *packet_rule_text(const struct packet_rule *rule, char *text, size_t text_size)
{
	if (rule->kind == PACKET_RULE_ETHERTYPE)
		snprintf(text, text_size, "ethertype:0x%04x", rule->ethertype);
	else
		snprintf(text, text_size, "%s", rule->kind == PACKET_RULE_IP ? "ip" : "ipv4");
	return text;
}

void packet_rule_classes(const struct packet_rule *rule, char names[2][16])
{
	if (rule->kind == PACKET_RULE_ETHERTYPE) {
		snprintf(names[0], sizeof(names[0]), "other");
		snprintf(names[1], sizeof(names[1]), "0x%04x", rule->ethertype);
	} else {
		snprintf(names[0], sizeof(names[0]), "non-ip");
		snprintf(names[1], sizeof(names[1]), "ip");
	}
}

/* Puts the EtherType at offset into *type, unless the frame ends before it does. */
static bool ethertype_read(const struct frame *frame, uint32_t offset, uint16_t *type)
{
	if (frame->captured_bytes < offset + 2)
		return false;
	*type = (uint16_t)(frame->data[offset] << 8 | frame->data[offset + 1]);
	return true;
}

bool packet_rule_matches(const struct packet_rule *rule, const struct frame *frame)
{
	uint32_t offset = ETHERTYPE_OFFSET;
	uint16_t type;

	if (!ethertype_read(frame, offset, &type))
		return false;
	if (rule->kind == PACKET_RULE_IPV4)
		return type == ETHERTYPE_IPV4;
	if (rule->kind == PACKET_RULE_ETHERTYPE)
		return type == rule->ethertype;
	for (int n_tags = 0; n_tags < MAX_VLAN_TAGS && ethertype_is_vlan(type); n_tags++) {
		offset += VLAN_TAG_BYTES;
		if (!ethertype_read(frame, offset, &type))
			return false;
	}
	return ethertype_is_ip(type);
}
