/* SPDX-License-Identifier: BSD-3-Clause */
/* Rows with labels: lib/dataset/packet_dataset.c and random.h. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "packet_dataset.h"

#define N_BYTES 22

static const struct packet_rule ipv4 = {.kind = PACKET_RULE_IPV4};
static const struct packet_rule ip = {.kind = PACKET_RULE_IP};

/* Adds a frame of n bytes with an EtherType, and a serial number where the payload begins. */
static void add(struct packet_dataset *set, const struct packet_rule *rule, uint32_t n, uint16_t type,
		uint32_t serial)
{
	uint8_t bytes[64] = {[12] = (uint8_t)(type >> 8), [13] = (uint8_t)type};
	struct frame frame = {.data = bytes, .captured_bytes = n, .wire_bytes = n};

	memcpy(bytes + 14, &serial, sizeof(serial));
	assert_int_equal(packet_dataset_add(set, rule, &frame), 0);
}

static uint32_t serial_of(const struct packet_dataset *set, uint32_t i)
{
	uint32_t serial;

	memcpy(&serial, set->rows + (size_t)i * set->n_bytes + 14, sizeof(serial));
	return serial;
}

static void random_numbers_are_those_of_the_authors(void **state)
{
	/* What xoshiro256** gives from the state {1, 2, 3, 4}: worked out by hand from its definition. */
	struct random random = {.state = {1, 2, 3, 4}};

	(void)state;
	assert_int_equal(random_next(&random), 11520);
	assert_int_equal(random_next(&random), 0);
	assert_int_equal(random_next(&random), 1509978240);
}

static void random_order_holds_each_number_once(void **state)
{
	enum { N = 1000 };
	uint32_t order[N], n_seen[N] = {0}, n_fixed = 0;
	struct random random;

	(void)state;
	random_seed(&random, 1);
	random_order(&random, order, N);
	for (uint32_t i = 0; i < N; i++) {
		assert_in_range(order[i], 0, N - 1);
		n_seen[order[i]]++;
		n_fixed += order[i] == i;
	}
	for (uint32_t i = 0; i < N; i++)
		assert_int_equal(n_seen[i], 1);
	assert_in_range(n_fixed, 0, 10);
}

static void frames_are_labelled_and_counted(void **state)
{
	struct packet_dataset set;

	(void)state;
	packet_dataset_init(&set, N_BYTES);
	for (uint32_t i = 0; i < 3000; i++)
		add(&set, &ipv4, 60, i % 3 == 0 ? 0x0800 : 0x0806, i);
	assert_int_equal(set.n_rows, 3000);
	assert_int_equal(set.n_class[1], 1000);
	assert_int_equal(set.n_class[0], 2000);
	assert_int_equal(set.n_short, 0);
	for (uint32_t i = 0; i < set.n_rows; i++) {
		assert_int_equal(serial_of(&set, i), i);
		assert_int_equal(set.labels[i], i % 3 == 0);
	}
	packet_dataset_truncate(&set, 1);
	assert_int_equal(set.n_rows, 1);
	assert_int_equal(set.n_class[1], 1);
	assert_int_equal(set.n_class[0], 0);
	packet_dataset_free(&set);
}

static void short_frames_are_padded_and_counted(void **state)
{
	struct packet_dataset set;

	(void)state;
	packet_dataset_init(&set, N_BYTES);
	add(&set, &ipv4, 14, 0x0800, 0xffffffff);
	add(&set, &ipv4, 5, 0x0800, 0);
	add(&set, &ipv4, 22, 0x0800, 0);
	assert_int_equal(set.n_rows, 3);
	assert_int_equal(set.n_short, 2);
	assert_int_equal(serial_of(&set, 0), 0);
	assert_int_equal(set.labels[1], 0);
	packet_dataset_free(&set);
}

static void frames_whose_type_the_padding_would_complete_are_left_out(void **state)
{
	struct packet_dataset set;

	(void)state;
	packet_dataset_init(&set, N_BYTES);
	add(&set, &ipv4, 13, 0x0800, 0);
	assert_int_equal(set.n_ambiguous, 1);
	assert_int_equal(set.n_rows, 0);
	/* 08 is lost too, or was 86: the padded row is no IP either. */
	add(&set, &ipv4, 12, 0x0800, 0);
	add(&set, &ip, 13, 0x86dd, 0);
	/* 81 00, a TCI, 08 */
	add(&set, &ip, 17, 0x8100, 0x00080000);
	assert_int_equal(set.n_rows, 2);
	assert_int_equal(set.n_ambiguous, 2);
	packet_dataset_free(&set);
}

static void hard_frames_are_repeatable_and_of_both_classes(void **state)
{
	static const struct packet_rule rules[] = {{.kind = PACKET_RULE_IPV4},
						   {.kind = PACKET_RULE_IP},
						   {.kind = PACKET_RULE_ETHERTYPE, .ethertype = 0x88cc}};

	(void)state;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		struct packet_dataset a, b;
		struct random random;

		packet_dataset_init(&a, 64);
		packet_dataset_init(&b, 64);
		random_seed(&random, 9);
		assert_int_equal(packet_dataset_add_hard(&a, &rules[i], 20000, &random), 0);
		random_seed(&random, 9);
		assert_int_equal(packet_dataset_add_hard(&b, &rules[i], 20000, &random), 0);
		assert_int_equal(a.n_rows, 20000);
		assert_memory_equal(a.rows, b.rows, 20000 * 64);
		assert_in_range(a.n_class[1], 2500, 16000);
		for (uint32_t row = 0; row < a.n_rows; row++) {
			struct frame frame = {.data = a.rows + (size_t)row * 64, .captured_bytes = 64};

			assert_int_equal(a.labels[row], packet_rule_matches(&rules[i], &frame));
		}
		packet_dataset_free(&a);
		packet_dataset_free(&b);
	}
}

static uint16_t type_of(const struct packet_dataset *set, uint32_t i, uint32_t slot)
{
	const uint8_t *at = set->rows + (size_t)i * set->n_bytes + 12 + 4 * slot;

	return (uint16_t)(at[0] << 8 | at[1]);
}

static bool is_tag(uint16_t type)
{
	return type == 0x8100 || type == 0x88a8 || type == 0x9100;
}

static bool is_ip(uint16_t type)
{
	return type == 0x0800 || type == 0x86dd;
}

static void the_sweep_holds_every_type_behind_every_stack(void **state)
{
	/* By pattern: how many of the 65536 types were seen in the place that runs over all. */
	static uint8_t behind[13][65536], before[2][3][65536];
	static const uint16_t tags[] = {0x8100, 0x88a8, 0x9100};
	struct packet_dataset set;
	struct random random;
	uint32_t n_positive = 0;

	(void)state;
	packet_dataset_init(&set, N_BYTES);
	random_seed(&random, 1);
	assert_int_equal(packet_dataset_add_sweep(&set, &ip, &random), 0);
	assert_int_equal(set.n_rows, PACKET_DATASET_SWEEP_ROWS);
	assert_int_equal(set.n_ambiguous, 0);
	for (uint32_t i = 0; i < set.n_rows; i++) {
		uint16_t a = type_of(&set, i, 0), b = type_of(&set, i, 1), c = type_of(&set, i, 2);

		assert_int_equal(set.labels[i], is_ip(a) || (is_tag(a) && (is_ip(b) || (is_tag(b) && is_ip(c)))));
		n_positive += set.labels[i];
		behind[0][a] = 1;
		for (uint32_t t = 0; t < 3; t++) {
			if (a != tags[t])
				continue;
			behind[1 + t][b] = 1;
			for (uint32_t u = 0; u < 3; u++)
				if (b == tags[u])
					behind[4 + 3 * t + u][c] = 1;
		}
		/* In place of the first tag, before IP and before a tag and IP; of the second, before IP. */
		before[b == 0x86dd][0][a] |= is_ip(b);
		before[c == 0x86dd][1][a] |= is_tag(b) && is_ip(c);
		before[c == 0x86dd][2][b] |= is_tag(a) && is_ip(c);
	}
	assert_int_equal(set.n_class[1], n_positive);
	for (uint32_t type = 0; type < 65536; type++) {
		for (uint32_t stack = 0; stack < 13; stack++)
			assert_int_equal(behind[stack][type], 1);
		for (uint32_t place = 0; place < 6; place++)
			assert_int_equal(before[place % 2][place / 2][type], 1);
	}
	packet_dataset_free(&set);
}

static void mining_takes_the_wrong_and_unsure_first_and_both_classes_alike(void **state)
{
	enum { N = 20000, N_UNSURE = 30, N_WANTED = 1600 };
	uint32_t n_taken[2][2] = {{0}}, n_seen[N] = {0};
	struct packet_dataset pool, set;
	struct random random;
	float margins[N];

	(void)state;
	packet_dataset_init(&pool, N_BYTES);
	packet_dataset_init(&set, N_BYTES);
	for (uint32_t i = 0; i < N; i++) {
		add(&pool, &ipv4, 60, i % 4 == 0 ? 0x0800 : 0x0806, i);
		margins[i] = i < N_UNSURE ? PACKET_DATASET_MARGIN - 0.5f - (float)i : PACKET_DATASET_MARGIN;
	}
	random_seed(&random, 8);
	assert_int_equal(packet_dataset_add_mined(&set, &pool, margins, N_WANTED, &random), 0);
	for (uint32_t i = 0; i < set.n_rows; i++) {
		uint32_t serial = serial_of(&set, i);

		assert_int_equal(set.labels[i], serial % 4 == 0);
		n_seen[serial]++;
		n_taken[set.labels[i]][serial < N_UNSURE] += n_seen[serial] == 1;
	}
	/* All that are unsure, sixteen times; of the others each once. */
	for (uint32_t i = 0; i < N; i++)
		assert_true(i < N_UNSURE ? n_seen[i] == 16 : n_seen[i] <= 1);
	for (int c = 0; c < 2; c++)
		assert_int_equal(n_taken[c][0] + n_taken[c][1], N_WANTED / 2);

	/* With more that are unsure than fit, a quarter is left for the others; where there is no more, all is. */
	for (uint32_t i = 0; i < N; i++)
		margins[i] = i < N / 2 ? -1 : 4;
	packet_dataset_truncate(&set, 0);
	assert_int_equal(packet_dataset_add_mined(&set, &pool, margins, N_WANTED, &random), 0);
	assert_int_equal(set.n_rows, N_WANTED);
	n_taken[0][1] = 0;
	for (uint32_t i = 0; i < set.n_rows; i++)
		n_taken[0][1] += serial_of(&set, i) < N / 2;
	assert_int_equal(n_taken[0][1], N_WANTED / 4 * 3);
	packet_dataset_truncate(&pool, 5);
	packet_dataset_truncate(&set, 0);
	for (int i = 0; i < 5; i++)
		margins[i] = 4;
	assert_int_equal(packet_dataset_add_mined(&set, &pool, margins, N_WANTED, &random), 0);
	assert_int_equal(set.n_rows, 5);
	packet_dataset_free(&pool);
	packet_dataset_free(&set);
}

static void redrawn_macs_say_nothing_of_the_class(void **state)
{
	enum { N = 40000 };
	uint32_t n_broadcast[2] = {0}, n_multicast[2] = {0}, n_bridge[2] = {0};
	struct packet_dataset set;
	struct random random;

	(void)state;
	packet_dataset_init(&set, N_BYTES);
	for (uint32_t i = 0; i < N; i++)
		add(&set, &ipv4, 60, i % 2 == 0 ? 0x0800 : 0x0806, i);
	random_seed(&random, 3);
	packet_dataset_randomize_macs(&set, &random);
	for (uint32_t i = 0; i < N; i++) {
		const uint8_t *row = set.rows + (size_t)i * N_BYTES;
		bool is_broadcast = memcmp(row, "\xff\xff\xff\xff\xff\xff", 6) == 0;

		assert_int_equal(row[6] & 1, 0);
		assert_int_equal(row[12], 0x08);
		assert_int_equal(serial_of(&set, i), i);
		n_broadcast[set.labels[i]] += is_broadcast;
		n_multicast[set.labels[i]] += (row[0] & 1) && !is_broadcast;
		n_bridge[set.labels[i]] += memcmp(row, "\x01\x80\xc2", 3) == 0;
	}
	for (int c = 0; c < 2; c++) {
		/* A quarter each, half of it in each class; five standard deviations are 306. */
		assert_in_range(n_broadcast[c], N / 8 - 306, N / 8 + 306);
		assert_in_range(n_multicast[c], N / 8 - 306, N / 8 + 306);
		assert_in_range(n_bridge[c], 400, 1000);
	}
	packet_dataset_free(&set);
}

static void macs_of_rows_shorter_than_two_macs_are_redrawn_in_bounds(void **state)
{
	struct packet_dataset set;
	struct random random;

	(void)state;
	packet_dataset_init(&set, 3);
	for (uint32_t i = 0; i < 1024; i++)
		add(&set, &ipv4, 60, 0x0800, i);
	random_seed(&random, 3);
	packet_dataset_randomize_macs(&set, &random);
	assert_int_equal(set.n_rows, 1024);
	packet_dataset_free(&set);
}

static void a_split_loses_no_row_and_follows_its_seed(void **state)
{
	enum { N = 1001 };
	struct packet_dataset first = {0}, again = {0};

	(void)state;
	for (int run = 0; run < 2; run++) {
		struct packet_dataset set, *validation = run == 0 ? &first : &again;
		uint8_t n_seen[N] = {0};
		struct random random;

		packet_dataset_init(&set, N_BYTES);
		packet_dataset_init(validation, N_BYTES);
		for (uint32_t i = 0; i < N; i++)
			add(&set, &ipv4, 60, i < 300 ? 0x0800 : 0x0806, i);
		random_seed(&random, 5);
		assert_int_equal(packet_dataset_split(&set, 0.2, &random, validation), 0);
		assert_int_equal(validation->n_rows, 200);
		assert_int_equal(set.n_rows, N - 200);
		assert_int_equal(set.n_class[1] + validation->n_class[1], 300);
		/* The last rows would be of one class. */
		assert_in_range(validation->n_class[1], 30, 90);
		for (uint32_t i = 0; i < N; i++) {
			const struct packet_dataset *part = i < 200 ? validation : &set;
			uint32_t row = i < 200 ? i : i - 200, serial = serial_of(part, row);

			assert_int_equal(n_seen[serial]++, 0);
			assert_int_equal(part->labels[row], serial < 300);
		}
		packet_dataset_free(&set);
	}
	assert_memory_equal(first.rows, again.rows, 200 * N_BYTES);
	packet_dataset_free(&first);
	packet_dataset_free(&again);
}

static void a_set_of_one_class_is_refused(void **state)
{
	struct packet_dataset set;
	char names[2][16], error[256];

	(void)state;
	packet_rule_classes(&ipv4, names);
	packet_dataset_init(&set, N_BYTES);
	assert_int_equal(packet_dataset_check(&set, names, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "no frame"));
	add(&set, &ipv4, 60, 0x0800, 0);
	assert_int_equal(packet_dataset_check(&set, names, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "one class (ip)"));
	add(&set, &ipv4, 60, 0x0806, 0);
	assert_int_equal(packet_dataset_check(&set, names, error, sizeof(error)), 0);
	packet_dataset_free(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_numbers_are_those_of_the_authors),
		cmocka_unit_test(random_order_holds_each_number_once),
		cmocka_unit_test(frames_are_labelled_and_counted),
		cmocka_unit_test(short_frames_are_padded_and_counted),
		cmocka_unit_test(frames_whose_type_the_padding_would_complete_are_left_out),
		cmocka_unit_test(hard_frames_are_repeatable_and_of_both_classes),
		cmocka_unit_test(the_sweep_holds_every_type_behind_every_stack),
		cmocka_unit_test(mining_takes_the_wrong_and_unsure_first_and_both_classes_alike),
		cmocka_unit_test(redrawn_macs_say_nothing_of_the_class),
		cmocka_unit_test(macs_of_rows_shorter_than_two_macs_are_redrawn_in_bounds),
		cmocka_unit_test(a_split_loses_no_row_and_follows_its_seed),
		cmocka_unit_test(a_set_of_one_class_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
