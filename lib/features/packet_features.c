/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The inputs of packet models: names, definition and extraction. Called by `wirescore train` and
 * `wirescore eval` for each frame, and when a packet model is loaded.
 */
#include "packet_features.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

char *packet_features_name(uint32_t index, char *name, size_t name_size)
{
	snprintf(name, name_size, "byte%" PRIu32, index);
	return name;
}

void packet_features_schema(uint32_t n_bytes, char schema[PACKET_FEATURES_SCHEMA_SIZE])
{
	char definition[160];
	uint64_t hash = 0xcbf29ce484222325u;

	/* Change these words when the meaning of an input changes: old models are then refused. */
	snprintf(definition, sizeof(definition),
		 "byte0..byte%" PRIu32 ": bytes of the frame from its Ethernet header on, 0..255, 0 behind its end",
		 n_bytes - 1);
	/* 64-bit FNV-1a (Fowler, Noll and Vo). */
	for (const char *c = definition; *c != '\0'; c++)
		hash = (hash ^ (uint8_t)*c) * 0x100000001b3u;
	snprintf(schema, PACKET_FEATURES_SCHEMA_SIZE, "%016" PRIx64, hash);
}

uint32_t packet_features_row(const struct frame *frame, uint32_t n_bytes, uint8_t *row)
{
	uint32_t n_real = frame->captured_bytes < n_bytes ? frame->captured_bytes : n_bytes;

	if (n_real > 0)
		memcpy(row, frame->data, n_real);
	memset(row + n_real, 0, n_bytes - n_real);
	return n_real;
}
