/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory that ends, or begins, at a page nobody may touch: reading one byte too far ends the test.
 */
#ifndef WIRESCORE_TESTS_GUARD_H
#define WIRESCORE_TESTS_GUARD_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct guard {
	uint8_t *pages;
	size_t n_bytes;
};

/* Room for n_bytes that end where a forbidden page begins. */
static inline struct guard guard_create(size_t n_bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = (n_bytes + page - 1) / page * page;
	struct guard guard = {.n_bytes = whole + page};

	guard.pages = mmap(NULL, guard.n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert(guard.pages != MAP_FAILED);
	assert(!mprotect(guard.pages + whole, page, PROT_NONE));
	return guard;
}

/* n_bytes that end at the forbidden page, filled from bytes. */
static inline uint8_t *guard_place(const struct guard *guard, const void *bytes, size_t n_bytes)
{
	uint8_t *place = guard->pages + guard->n_bytes - (size_t)sysconf(_SC_PAGESIZE) - n_bytes;

	memcpy(place, bytes, n_bytes);
	return place;
}

static inline void guard_free(struct guard *guard)
{
	munmap(guard->pages, guard->n_bytes);
}

#endif
