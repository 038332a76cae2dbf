/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes the corpus that fuzz_flow.c begins with into a folder: packets of each kind of frame at several times. */
#include "seed_frames.h"

static void put_head(FILE *file, size_t kind)
{
	fputc((int)(kind % 4), file); /* setup */
	fputc(0, file);		      /* Ethernet */
}

static void put_frame_head(FILE *file, int frame)
{
	fputc(frame % 4 == 3 ? 0x80 | frame : frame, file); /* step in time, and bursts of four */
	fputc(0, file);
}

int main(int argc, char **argv)
{
	return seed_frames(
		argc, argv,
		&(struct seed_form){.n_frames = 12, .put_head = put_head, .put_frame_head = put_frame_head});
}
