/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of frame kinds made from kinds.def, the draw from a mix of them, and the one kind that is made of
 * the others.
 */
#include <fnmatch.h>
#include <string.h>

#include "kinds.h"

const struct frame_kind frame_kinds[] = {
#define FRAME_KIND(builder, kind_name, share, text) \
	{.name = kind_name, .what = text, .weight = share, .build = build_##builder},
#include "kinds.def"
#undef FRAME_KIND
};

const size_t n_frame_kinds = sizeof(frame_kinds) / sizeof(frame_kinds[0]);

_Static_assert(sizeof(frame_kinds) / sizeof(frame_kinds[0]) <= FRAME_KINDS_MOST, "a mix must hold every kind");

void frame_mix_add(struct frame_mix *mix, const struct frame_kind *kind)
{
	for (size_t i = 0; i < mix->n_kinds; i++)
		if (mix->kinds[i] == kind)
			return;
	mix->kinds[mix->n_kinds++] = kind;
	mix->total_weight += kind->weight;
}

size_t frame_mix_add_matching(struct frame_mix *mix, const char *pattern, size_t n_bytes)
{
	char text[64];
	size_t n_matched = 0;

	if (n_bytes >= sizeof(text))
		return 0;
	memcpy(text, pattern, n_bytes);
	text[n_bytes] = '\0';
	for (size_t i = 0; i < n_frame_kinds; i++) {
		if (fnmatch(text, frame_kinds[i].name, 0) == 0) {
			frame_mix_add(mix, &frame_kinds[i]);
			n_matched++;
		}
	}
	return n_matched;
}

const struct frame_kind *frame_mix_draw(const struct frame_mix *mix, struct random *random)
{
	uint32_t rank = random_below(random, mix->total_weight);
	size_t i = 0;

	while (rank >= mix->kinds[i]->weight)
		rank -= mix->kinds[i++]->weight;
	return mix->kinds[i];
}

/* What collisions, broken drivers and short snap lengths leave of a frame. */
void build_runt(struct frame_builder *f)
{
	const struct frame_kind *kind;
	size_t most_bytes = chance(f, 40) ? 13 : FRAME_MINIMUM_BYTES - 1;
	size_t n_bytes = 1 + below(f, (uint32_t)most_bytes);

	do
		kind = &frame_kinds[below(f, (uint32_t)n_frame_kinds)];
	while (kind->build == build_runt);
	kind->build(f);
	if (f->used_bytes > n_bytes)
		f->used_bytes = n_bytes;
	f->length_at = 0;
	f->as_is = true;
}
