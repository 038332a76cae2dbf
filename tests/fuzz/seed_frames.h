/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes a corpus of frames into a folder, a file for each kind. For the fuzzers that take bursts of frames. */
#ifndef WIRESCORE_TESTS_SEED_FRAMES_H
#define WIRESCORE_TESTS_SEED_FRAMES_H

#include <stdio.h>
#include <stdlib.h>

#include "kinds.h"

/* n frames, of which each is at most 255 bytes long, behind a byte with its length. */
struct seed_form {
	int n_frames;
	void (*put_head)(FILE *file, size_t kind);
	void (*put_frame_head)(FILE *file, int frame); /* before the length; NULL: nothing */
};

static int seed_write(const char *folder, const struct seed_form *form, struct frame_builder *builder, size_t kind)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, frame_kinds[kind].name);
	file = fopen(path, "wb");
	if (!file) {
		perror(path);
		return 1;
	}
	form->put_head(file, kind);
	for (int i = 0; i < form->n_frames; i++) {
		size_t length;

		if (frame_build(builder, &frame_kinds[kind]))
			exit(1);
		length = builder->used_bytes > 255 ? 255 : builder->used_bytes;
		if (form->put_frame_head)
			form->put_frame_head(file, i);
		fputc((int)length, file);
		fwrite(builder->data, 1, length, file);
	}
	if (fclose(file)) {
		perror(path);
		return 1;
	}
	return 0;
}

/* main() of a writer of seeds: its argument is the folder. Returns an exit code. */
static int seed_frames(int argc, char **argv, const struct seed_form *form)
{
	static struct frame_builder builder;

	if (argc != 2) {
		fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		return 2;
	}
	frame_builder_init(&builder, 1, FRAME_BUILDER_LEAST_BYTES);
	for (size_t kind = 0; kind < n_frame_kinds; kind++)
		if (seed_write(argv[1], form, &builder, kind))
			return 1;
	return 0;
}

#endif
