/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory of large tables: in huge pages where the system gives them, since most look-ups in small ones would miss the
 * TLB. Called by the flow table, and by what keeps more of its flows.
 */
#ifndef WIRESCORE_FLOW_MEMORY_H
#define WIRESCORE_FLOW_MEMORY_H

#include <stddef.h>

/* So many zeroed bytes, page-aligned; reserved at once, and paid for as they are used. NULL when there are none. */
void *flow_memory_create(size_t bytes);

/* Takes NULL too. */
void flow_memory_free(void *memory, size_t bytes);

/* Pays for all of it now, so that no packet waits for a page. Called by the thread that will use it. */
void flow_memory_touch(void *memory, size_t bytes);

#endif
