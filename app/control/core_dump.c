/* SPDX-License-Identifier: BSD-3-Clause */
#include "core_dump.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

void *core_dump_hidden_alloc(size_t n_bytes)
{
	void *memory = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	madvise(memory, n_bytes, MADV_DONTDUMP);
	return memory;
}

void core_dump_hidden_free(void *memory, size_t n_bytes)
{
	if (memory)
		munmap(memory, n_bytes);
}

void core_dump_hide_shared(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char *line = NULL, permissions[5];
	size_t size = 0;
	uintptr_t start, end;

	while (maps && getline(&line, &size, maps) > 0)
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &start, &end, permissions) == 3 &&
		    permissions[3] == 's')
			madvise((void *)start, end - start, MADV_DONTDUMP);
	free(line);
	if (maps)
		fclose(maps);
}
