/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The inputs of a packet model: the first bytes of a frame, one input a byte, from the Ethernet header on.
 * A frame that is shorter is padded with zeros.
 */
#ifndef WIRESCORE_FEATURES_PACKET_H
#define WIRESCORE_FEATURES_PACKET_H

#include <stddef.h>
#include <stdint.h>

#include "frame.h"

/* Longest header a packet model may read: one cache line. */
#define PACKET_FEATURES_MAX_BYTES 64

/* "byte0", "byte1", ... into name; returns name. */
char *packet_features_name(uint32_t index, char *name, size_t name_size);

/* The hash of the definition of the first n_bytes inputs, as hexadecimal digits; 17 bytes with the NUL. */
#define PACKET_FEATURES_SCHEMA_SIZE 17
void packet_features_schema(uint32_t n_bytes, char schema[PACKET_FEATURES_SCHEMA_SIZE]);

/* Copies the first n_bytes of the frame into row, zeros behind its end. Returns how many are real. */
uint32_t packet_features_row(const struct frame *frame, uint32_t n_bytes, uint8_t *row);

#endif
