/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The frames of `wirescore generate packets`, built without the command: sizes, classes, repeatability, writer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kinds.h"
#include "packet_rule.h"

#define BUILDS_PER_KIND 400

static int builder_setup(void **state)
{
	*state = malloc(sizeof(struct frame_builder));
	return *state ? 0 : -1;
}

static int builder_teardown(void **state)
{
	free(*state);
	return 0;
}

static bool is_runt(const struct frame_kind *kind)
{
	return strcmp(kind->name, "runt") == 0;
}

static void every_kind_stays_within_the_largest_size(void **state)
{
	static const size_t sizes[] = {FRAME_BUILDER_LEAST_BYTES, 600, 1514, FRAME_BUILDER_MOST_BYTES};
	struct frame_builder *f = *state;

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		frame_builder_init(f, 1 + s, sizes[s]);
		for (size_t i = 0; i < n_frame_kinds * BUILDS_PER_KIND; i++) {
			assert_int_equal(frame_build(f, &frame_kinds[i % n_frame_kinds]), 0);
			assert_in_range(f->used_bytes, 1, sizes[s]);
		}
	}
}

static void frames_reach_from_less_than_a_header_to_jumbo(void **state)
{
	struct frame_builder *f = *state;
	size_t least_bytes = SIZE_MAX, most_bytes = 0;

	frame_builder_init(f, 5, FRAME_BUILDER_MOST_BYTES);
	for (size_t i = 0; i < n_frame_kinds * BUILDS_PER_KIND; i++) {
		assert_int_equal(frame_build(f, &frame_kinds[i % n_frame_kinds]), 0);
		least_bytes = f->used_bytes < least_bytes ? f->used_bytes : least_bytes;
		most_bytes = f->used_bytes > most_bytes ? f->used_bytes : most_bytes;
	}
	assert_true(least_bytes < 14);
	assert_true(most_bytes > 8000);
}

static void kinds_named_for_ip_match_the_ip_rule_and_no_other_does(void **state)
{
	const struct packet_rule rule = {.kind = PACKET_RULE_IP};
	struct frame_builder *f = *state;

	frame_builder_init(f, 2, FRAME_BUILDER_MOST_BYTES);
	for (size_t i = 0; i < n_frame_kinds * BUILDS_PER_KIND; i++) {
		const struct frame_kind *kind = &frame_kinds[i % n_frame_kinds];
		struct frame frame;

		if (is_runt(kind))
			continue;
		assert_int_equal(frame_build(f, kind), 0);
		frame = (struct frame){.data = f->data, .captured_bytes = (uint32_t)f->used_bytes};
		assert_int_equal(packet_rule_matches(&rule, &frame), strncmp(kind->name, "ipv", 3) == 0);
	}
}

static void both_classes_go_to_one_to_a_group_and_to_all(void **state)
{
	const struct packet_rule rule = {.kind = PACKET_RULE_IP};
	struct frame_builder *f = *state;
	unsigned seen[2] = {0};

	frame_builder_init(f, 3, FRAME_BUILDER_MOST_BYTES);
	for (size_t i = 0; i < n_frame_kinds * BUILDS_PER_KIND; i++) {
		struct frame frame;

		if (is_runt(&frame_kinds[i % n_frame_kinds]))
			continue;
		assert_int_equal(frame_build(f, &frame_kinds[i % n_frame_kinds]), 0);
		frame = (struct frame){.data = f->data, .captured_bytes = (uint32_t)f->used_bytes};
		seen[packet_rule_matches(&rule, &frame)] |= memcmp(f->data, "\xff\xff\xff\xff\xff\xff", 6) == 0 ? 4
							    : f->data[0] & 1					? 2
														: 1;
	}
	assert_int_equal(seen[0], 7);
	assert_int_equal(seen[1], 7);
}

static uint64_t frames_hash(struct frame_builder *f, uint64_t seed)
{
	uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */

	frame_builder_init(f, seed, 1514);
	for (size_t i = 0; i < n_frame_kinds * 20; i++) {
		assert_int_equal(frame_build(f, &frame_kinds[i % n_frame_kinds]), 0);
		for (size_t at = 0; at < f->used_bytes; at++)
			hash = (hash ^ f->data[at]) * 0x100000001b3;
	}
	return hash;
}

static void a_seed_always_builds_the_same_frames_and_another_does_not(void **state)
{
	struct frame_builder *f = *state;
	uint64_t first = frames_hash(f, 42);

	memset(f, 0xa5, sizeof(*f));
	assert_true(frames_hash(f, 42) == first);
	assert_true(frames_hash(f, 43) != first);
}

static void what_does_not_fit_is_left_out_and_reported(void **state)
{
	struct frame_builder *f = *state;

	frame_builder_init(f, 1, FRAME_BUILDER_MOST_BYTES);
	put_zeros(f, sizeof(f->data) - 3);
	put_number(f, 0x010203, 3);
	assert_false(f->overflow);
	assert_memory_equal(f->data + sizeof(f->data) - 3, "\1\2\3", 3);
	put_u8(f, 9);
	assert_true(f->overflow);
	assert_int_equal(f->used_bytes, sizeof(f->data));

	f->overflow = false;
	put_zeros(f, SIZE_MAX);
	assert_true(f->overflow);
	f->overflow = false;
	set_u16(f, f->used_bytes - 1, 1);
	assert_true(f->overflow);
}

static void write_too_much(struct frame_builder *f)
{
	put_zeros(f, f->max_bytes + 1);
}

static void a_frame_longer_than_allowed_is_refused(void **state)
{
	static const struct frame_kind kind = {
		.name = "too-much", .what = "", .weight = 1, .build = write_too_much};
	struct frame_builder *f = *state;

	frame_builder_init(f, 1, 500);
	assert_int_equal(frame_build(f, &kind), -EOVERFLOW);
	assert_int_equal(frame_build(f, &frame_kinds[0]), 0);
}

static void checksum_equals_the_example_of_rfc_1071(void **state)
{
	struct frame_builder *f = *state;

	frame_builder_init(f, 1, FRAME_BUILDER_MOST_BYTES);
	put_u64(f, 0x0001f203f4f5f6f7);
	assert_int_equal(internet_checksum(f, NULL, 0, 0), 0xffff ^ 0xddf2);
	put_u8(f, 0x22); /* an odd byte counts as the upper half of a word */
	assert_int_equal(internet_checksum(f, NULL, 0, 0), 0xffff ^ 0xfff2);
}

static void names_of_kinds_are_unique(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_frame_kinds; i++)
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(frame_kinds[i].name, frame_kinds[j].name);
}

static void a_mix_holds_each_matching_kind_once_and_draws_by_weight(void **state)
{
	struct random random;
	struct frame_mix mix = {0};
	unsigned n_tcp[2] = {0};

	(void)state;
	random_seed(&random, 1);
	assert_int_equal(frame_mix_add_matching(&mix, "nothing", 7), 0);
	assert_int_equal(frame_mix_add_matching(&mix, "ipv?-tcp,", 8), 2);
	assert_int_equal(frame_mix_add_matching(&mix, "ipv6-tcp", 8), 1);
	assert_int_equal(mix.n_kinds, 2);
	for (unsigned i = 0; i < 23000; i++)
		n_tcp[strcmp(frame_mix_draw(&mix, &random)->name, "ipv6-tcp") == 0]++;
	assert_in_range(n_tcp[0], 15500, 16500); /* 160 of 230 */
	assert_in_range(n_tcp[1], 6500, 7500);
}

int main(void)
{
#define GENERATE_TEST(name) cmocka_unit_test_setup_teardown(name, builder_setup, builder_teardown)
	const struct CMUnitTest tests[] = {
		GENERATE_TEST(every_kind_stays_within_the_largest_size),
		GENERATE_TEST(frames_reach_from_less_than_a_header_to_jumbo),
		GENERATE_TEST(kinds_named_for_ip_match_the_ip_rule_and_no_other_does),
		GENERATE_TEST(both_classes_go_to_one_to_a_group_and_to_all),
		GENERATE_TEST(a_seed_always_builds_the_same_frames_and_another_does_not),
		GENERATE_TEST(what_does_not_fit_is_left_out_and_reported),
		GENERATE_TEST(a_frame_longer_than_allowed_is_refused),
		GENERATE_TEST(checksum_equals_the_example_of_rfc_1071),
		cmocka_unit_test(names_of_kinds_are_unique),
		cmocka_unit_test(a_mix_holds_each_matching_kind_once_and_draws_by_weight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
