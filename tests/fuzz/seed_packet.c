/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes the corpus that fuzz_packet.c begins with into a folder: a burst of each kind of frame. */
#include "seed_frames.h"

static void put_head(FILE *file, size_t kind)
{
	(void)kind;
	fputc(0, file); /* Ethernet */
}

int main(int argc, char **argv)
{
	return seed_frames(argc, argv, &(struct seed_form){.n_frames = 4, .put_head = put_head});
}
