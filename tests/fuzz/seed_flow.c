/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes the corpus that fuzz_flow.c begins with into a folder: conversations of each kind of frame. */
#include <stdio.h>
#include <stdlib.h>

#include "kinds.h"

#define FRAMES_A_SEED 12

int main(int argc, char **argv)
{
	static struct frame_builder builder;

	if (argc != 2) {
		fputs("usage: seed_flow FOLDER\n", stderr);
		return 2;
	}
	frame_builder_init(&builder, 1, FRAME_BUILDER_LEAST_BYTES);
	for (size_t i = 0; i < n_frame_kinds; i++) {
		char path[4096];
		FILE *file;

		snprintf(path, sizeof(path), "%s/%s", argv[1], frame_kinds[i].name);
		file = fopen(path, "wb");
		if (!file) {
			perror(path);
			return 1;
		}
		fputc((int)(i % 3), file); /* setup */
		fputc(0, file);		   /* Ethernet */
		for (int k = 0; k < FRAMES_A_SEED; k++) {
			size_t length;

			if (frame_build(&builder, &frame_kinds[i]))
				return 1;
			length = builder.used_bytes > 255 ? 255 : builder.used_bytes;
			fputc(k % 4 == 3 ? 0x80 | k : k, file); /* step, and bursts of four */
			fputc(0, file);
			fputc((int)length, file);
			fwrite(builder.data, 1, length, file);
		}
		if (fclose(file)) {
			perror(path);
			return 1;
		}
	}
	return 0;
}
