/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keeps packets out of core dumps: what holds them is memory that the kernel leaves out of those. The control core's.
 */
#ifndef WIRESCORE_CONTROL_CORE_DUMP_H
#define WIRESCORE_CONTROL_CORE_DUMP_H

#include <stddef.h>

/* Zeroed memory that is in no core dump; NULL where there is none. Let go of with the same n_bytes. */
void *core_dump_hidden_alloc(size_t n_bytes);
void core_dump_hidden_free(void *memory, size_t n_bytes);

/*
 * Hides all memory that is shared with others, which is how packets come from the kernel (af_packet, AF_XDP), from
 * other programs (memif, vhost) and from hardware. To be called again where a port may have got more.
 */
void core_dump_hide_shared(void);

#endif
