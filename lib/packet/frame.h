/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A frame as every layer below the dataplane sees it: bytes, lengths and a time, and nothing of the
 * driver, file or mbuf that it came from.
 */
#ifndef WIRESCORE_PACKET_FRAME_H
#define WIRESCORE_PACKET_FRAME_H

#include <stdint.h>

#define FRAME_NO_TIME UINT64_MAX

struct frame {
	/* First byte of the link-layer header. Borrowed: valid until the burst is released. */
	const uint8_t *data;
	/* Bytes that may be read at data. Of a chained buffer only the first segment counts. */
	uint32_t captured_bytes;
	/* Length on the wire, which a snapped or chained frame exceeds captured_bytes by. */
	uint32_t wire_bytes;
	/* Nanoseconds since the Unix epoch; FRAME_NO_TIME where it is not known. */
	uint64_t timestamp_ns;
	/* Its place among the packets of its capture or port: tells apart what happens at one time. */
	uint64_t number;
};

#endif
