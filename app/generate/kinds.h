/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kinds of frames that `generate packets` mixes: one table, and the draw from it.
 */
#ifndef WIRESCORE_GENERATE_KINDS_H
#define WIRESCORE_GENERATE_KINDS_H

#include <stddef.h>
#include <stdint.h>

#include "frame_builder.h"

struct frame_kind {
	const char *name; /* as --kinds and the labels have it */
	const char *what;
	uint32_t weight; /* its share of the mix; a mix of all kinds is half IP */
	void (*build)(struct frame_builder *f);
};

#define FRAME_KIND(builder, kind_name, share, text) void build_##builder(struct frame_builder *f);
#include "kinds.def"
#undef FRAME_KIND

#define FRAME_KINDS_MOST 96
extern const struct frame_kind frame_kinds[];
extern const size_t n_frame_kinds;

/* The kinds to draw from; start with {0}. */
struct frame_mix {
	const struct frame_kind *kinds[FRAME_KINDS_MOST];
	size_t n_kinds;
	uint32_t total_weight;
};

/* Adds a kind unless it is there. */
void frame_mix_add(struct frame_mix *mix, const struct frame_kind *kind);

/* Adds the kinds whose names match a shell pattern (n_bytes of it). Returns how many names matched. */
size_t frame_mix_add_matching(struct frame_mix *mix, const char *pattern, size_t n_bytes);

/* A kind by weight, from a mix that has any. */
const struct frame_kind *frame_mix_draw(const struct frame_mix *mix, struct random *random);

#endif
