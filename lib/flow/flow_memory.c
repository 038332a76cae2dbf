/* SPDX-License-Identifier: BSD-3-Clause */
#include "flow_memory.h"

#include <stdint.h>
#include <sys/mman.h>

#define PAGE_BYTES     ((size_t)4096)
#define HUGEPAGE_BYTES ((size_t)2 << 20)

static size_t whole_pages(size_t bytes)
{
	return (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

void *flow_memory_create(size_t bytes)
{
	size_t kept_bytes = whole_pages(bytes), all_bytes = kept_bytes + HUGEPAGE_BYTES, skipped;
	uint8_t *all;

	if (!bytes || bytes > SIZE_MAX - HUGEPAGE_BYTES - PAGE_BYTES)
		return NULL;
	all = mmap(NULL, all_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (all == MAP_FAILED)
		return NULL;
	skipped = -(uintptr_t)all % HUGEPAGE_BYTES;
	if (skipped)
		munmap(all, skipped);
	munmap(all + skipped + kept_bytes, all_bytes - skipped - kept_bytes);
	/* Best effort: small pages do too. */
	madvise(all + skipped, kept_bytes, MADV_HUGEPAGE);
	return all + skipped;
}

void flow_memory_free(void *memory, size_t bytes)
{
	if (memory)
		munmap(memory, whole_pages(bytes));
}

void flow_memory_touch(void *memory, size_t bytes)
{
	volatile uint8_t *pages = memory;

	for (size_t at = 0; at < bytes; at += PAGE_BYTES)
		pages[at] = pages[at];
}
