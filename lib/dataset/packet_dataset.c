/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rows of header bytes with labels: growth, synthetic rows, redrawn MACs and the split. Called by
 * `wirescore train` and `wirescore eval`.
 */
#include "packet_dataset.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "packet_features.h"

#define MAC_BYTES     6
#define HARD_BYTES    PACKET_FEATURES_MAX_BYTES
#define FIRST_ROWS    1024u
#define N_TYPE_SLOTS  3
#define N_TYPES	      65536u
#define MAX_COPIES    16u
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* In the patterns of a sweep: every type in turn, or what a hard frame holds there. */
enum {
	EVERY = -1,
	DRAWN = -2,
};

static const uint16_t ip_types[] = {0x0800, 0x86dd};
static const uint16_t tag_types[] = {0x8100, 0x88a8, 0x9100};

void packet_dataset_init(struct packet_dataset *set, uint32_t n_bytes)
{
	*set = (struct packet_dataset){.n_bytes = n_bytes};
}

void packet_dataset_free(struct packet_dataset *set)
{
	free(set->rows);
	free(set->labels);
	packet_dataset_init(set, set->n_bytes);
}

static uint8_t *dataset_row(const struct packet_dataset *set, uint32_t i)
{
	return set->rows + (size_t)i * set->n_bytes;
}

static int dataset_reserve(struct packet_dataset *set, uint32_t n_more)
{
	uint64_t needed = (uint64_t)set->n_rows + n_more;
	uint64_t capacity = set->capacity;
	uint8_t *rows, *labels;

	if (needed <= capacity)
		return 0;
	if (needed > PACKET_DATASET_MAX_ROWS)
		return -E2BIG;
	capacity = capacity * 2 > FIRST_ROWS ? capacity * 2 : FIRST_ROWS;
	if (capacity < needed)
		capacity = needed;
	if (capacity > PACKET_DATASET_MAX_ROWS)
		capacity = PACKET_DATASET_MAX_ROWS;
	rows = realloc(set->rows, (size_t)capacity * set->n_bytes);
	if (rows == NULL)
		return -ENOMEM;
	set->rows = rows;
	labels = realloc(set->labels, (size_t)capacity);
	if (labels == NULL)
		return -ENOMEM;
	set->labels = labels;
	set->capacity = (uint32_t)capacity;
	return 0;
}

int packet_dataset_add_row(struct packet_dataset *set, const uint8_t *row, uint8_t label)
{
	int rc = dataset_reserve(set, 1);

	if (rc < 0)
		return rc;
	memcpy(dataset_row(set, set->n_rows), row, set->n_bytes);
	set->labels[set->n_rows++] = label;
	set->n_class[label]++;
	return 0;
}

int packet_dataset_add(struct packet_dataset *set, const struct packet_rule *rule, const struct frame *frame)
{
	uint8_t padded[PACKET_FEATURES_MAX_BYTES];
	uint8_t label = packet_rule_matches(rule, frame);
	uint32_t n_real = packet_features_row(frame, sizeof(padded), padded);
	int rc;

	if (n_real < sizeof(padded)) {
		struct frame whole = {.data = padded, .captured_bytes = sizeof(padded)};

		if (packet_rule_matches(rule, &whole) != label) {
			set->n_ambiguous++;
			return 0;
		}
	}
	rc = packet_dataset_add_row(set, padded, label);
	if (rc == 0)
		set->n_short += n_real < set->n_bytes;
	return rc;
}

static void bytes_draw(struct random *random, uint8_t *bytes, uint32_t n)
{
	uint64_t bits = 0;

	for (uint32_t i = 0; i < n; i++, bits >>= 8) {
		if (i % 8 == 0)
			bits = random_next(random);
		bytes[i] = (uint8_t)bits;
	}
}

static void macs_draw(struct random *random, uint8_t *macs)
{
	static const struct {
		uint8_t bytes[MAC_BYTES];
		uint8_t n_fixed;
	} groups[] = {
		{{0x01, 0x80, 0xc2, 0x00, 0x00}, 5}, /* bridges: STP, LLDP, EAPOL, PTP */
		{{0x01, 0x00, 0x5e}, 3},	     /* IPv4 multicast, RFC 1112 */
		{{0x33, 0x33}, 2},		     /* IPv6 multicast, RFC 2464 */
		{{0x01, 0x00, 0x0c, 0xcc, 0xcc}, 5}, /* CDP, VTP */
		{{0x01, 0x0c, 0xcd}, 3},	     /* GOOSE, sampled values */
		{{0x01, 0x0e, 0xcf}, 3},	     /* PROFINET discovery */
		{{0x01}, 1},
	};
	uint32_t kind = random_below(random, 4);

	bytes_draw(random, macs, 2 * MAC_BYTES);
	macs[0] &= 0xfe;
	macs[MAC_BYTES] &= 0xfe;
	if (kind == 2) {
		uint32_t group = random_below(random, ARRAY_SIZE(groups));

		memcpy(macs, groups[group].bytes, groups[group].n_fixed);
	} else if (kind == 3) {
		memset(macs, 0xff, MAC_BYTES);
	}
}

void packet_dataset_randomize_macs(struct packet_dataset *set, struct random *random)
{
	uint8_t macs[2 * MAC_BYTES];
	size_t n = set->n_bytes < sizeof(macs) ? set->n_bytes : sizeof(macs);

	for (uint32_t i = 0; i < set->n_rows; i++) {
		macs_draw(random, macs);
		memcpy(dataset_row(set, i), macs, n);
	}
}

/* A value near the type: a byte or both moved by a little or by a lot, or a bit turned over. */
static uint16_t near_miss_draw(struct random *random, uint16_t type)
{
	uint8_t byte[2] = {(uint8_t)(type >> 8), (uint8_t)type};
	uint32_t kind = random_below(random, 8);
	uint32_t span = 1u << random_below(random, 8);

	if (kind == 0)
		return (uint16_t)(type ^ 1u << random_below(random, 16));
	/* Most often one of the bytes only: those are the hardest to tell. */
	for (uint32_t i = 0; i < 2; i++)
		if (kind <= 3 || kind % 2 == i)
			byte[i] = (uint8_t)(byte[i] - span + random_below(random, 2 * span + 1));
	return (uint16_t)(byte[0] << 8 | byte[1]);
}

static uint16_t hard_type_draw(struct random *random, const struct packet_rule *rule, uint32_t slot)
{
	/* Types seen on real networks, and the bytes of IP and tags in another order. */
	static const uint16_t others[] = {
		0x0806, 0x8035, 0x8847, 0x8848, 0x8863, 0x8864, 0x888e, 0x8892, 0x88a4, 0x88b8, 0x88ba, 0x88bf,
		0x88cc, 0x88e5, 0x88f7, 0x8903, 0x8906, 0x9000, 0x809b, 0x8137, 0x6003, 0x22f0, 0x0842, 0x0008,
		0xdd86, 0x0081, 0xa888, 0x0091, 0x86a8, 0x88dd, 0x8800, 0x8600, 0x08dd, 0x08a8, 0x81dd, 0x91dd,
	};
	/* Of 16 draws those below are tags: most at first, so that what stands behind them is seen as often. */
	static const uint32_t tag_kinds[N_TYPE_SLOTS] = {13, 13, 5};
	uint32_t kind;
	uint16_t type;

	kind = random_below(random, 16);
	if (kind <= 2)
		return (uint16_t)random_next(random);
	if (kind == 3)
		type = others[random_below(random, ARRAY_SIZE(others))];
	else if (kind < tag_kinds[slot])
		type = tag_types[random_below(random, ARRAY_SIZE(tag_types))];
	else
		type = ip_types[random_below(random, ARRAY_SIZE(ip_types))];
	if (rule->kind == PACKET_RULE_ETHERTYPE && random_below(random, 2) == 0)
		type = rule->ethertype;
	else if (rule->kind == PACKET_RULE_IPV4 && random_below(random, 2) == 0)
		type = ip_types[0];
	return random_below(random, kind < tag_kinds[slot] ? 8 : 2) == 0 ? near_miss_draw(random, type) : type;
}

/* The type of a slot: the frame's own, or the one behind one or two tags. */
static void type_put(uint8_t *frame, uint32_t slot, uint16_t type)
{
	frame[2 * MAC_BYTES + 4 * slot] = (uint8_t)(type >> 8);
	frame[2 * MAC_BYTES + 4 * slot + 1] = (uint8_t)type;
}

/* A frame of HARD_BYTES as packet_dataset_add_hard promises. */
static void hard_frame_draw(struct random *random, const struct packet_rule *rule, uint8_t *bytes)
{
	uint32_t fill = random_below(random, 4);

	if (fill < 2)
		bytes_draw(random, bytes, HARD_BYTES);
	else
		memset(bytes, fill == 2 ? 0 : (int)random_below(random, 256), HARD_BYTES);
	if (random_below(random, 2) == 0)
		macs_draw(random, bytes);
	for (uint32_t slot = 0; slot < N_TYPE_SLOTS; slot++) {
		uint16_t type = hard_type_draw(random, rule, slot);

		/* Behind the first type often plain payload. */
		if (slot == 0 || random_below(random, 4) != 0)
			type_put(bytes, slot, type);
	}
}

int packet_dataset_add_hard(struct packet_dataset *set, const struct packet_rule *rule, uint32_t n,
			    struct random *random)
{
	uint8_t bytes[HARD_BYTES];
	struct frame frame = {.data = bytes, .captured_bytes = sizeof(bytes), .wire_bytes = sizeof(bytes)};
	int rc = dataset_reserve(set, n);

	for (uint32_t i = 0; i < n && rc == 0; i++) {
		hard_frame_draw(random, rule, bytes);
		rc = packet_dataset_add(set, rule, &frame);
	}
	return rc;
}

/* Adds hard frames whose types are those of the pattern; where it says EVERY, each of the 65536 once. */
static int pattern_add(struct packet_dataset *set, const struct packet_rule *rule, struct random *random,
		       const int32_t pattern[N_TYPE_SLOTS])
{
	uint8_t bytes[HARD_BYTES];
	struct frame frame = {.data = bytes, .captured_bytes = sizeof(bytes), .wire_bytes = sizeof(bytes)};
	int rc = 0;

	for (uint32_t type = 0; type < N_TYPES && rc == 0; type++) {
		hard_frame_draw(random, rule, bytes);
		for (uint32_t slot = 0; slot < N_TYPE_SLOTS; slot++)
			if (pattern[slot] != DRAWN)
				type_put(bytes, slot,
					 pattern[slot] == EVERY ? (uint16_t)type : (uint16_t)pattern[slot]);
		rc = packet_dataset_add(set, rule, &frame);
	}
	return rc;
}

int packet_dataset_add_sweep(struct packet_dataset *set, const struct packet_rule *rule, struct random *random)
{
	int32_t patterns[PACKET_DATASET_SWEEP_ROWS / N_TYPES][N_TYPE_SLOTS];
	uint32_t n = 0;
	int rc = dataset_reserve(set, PACKET_DATASET_SWEEP_ROWS);

#define PATTERN(a, b, c) memcpy(patterns[n++], ((int32_t[]){a, b, c}), sizeof(patterns[0]))
	PATTERN(EVERY, DRAWN, DRAWN);
	for (uint32_t i = 0; i < ARRAY_SIZE(ip_types); i++)
		PATTERN(EVERY, ip_types[i], DRAWN);
	for (uint32_t a = 0; a < ARRAY_SIZE(tag_types); a++) {
		PATTERN(tag_types[a], EVERY, DRAWN);
		for (uint32_t b = 0; b < ARRAY_SIZE(tag_types); b++)
			PATTERN(tag_types[a], tag_types[b], EVERY);
		for (uint32_t i = 0; i < ARRAY_SIZE(ip_types); i++) {
			PATTERN(EVERY, tag_types[a], ip_types[i]);
			PATTERN(tag_types[a], EVERY, ip_types[i]);
		}
	}
	for (uint32_t i = 0; i < n && rc == 0; i++)
		rc = pattern_add(set, rule, random, patterns[i]);
	return rc;
}

int packet_dataset_add_mined(struct packet_dataset *set, const struct packet_dataset *pool, const float *margins,
			     uint32_t n, struct random *random)
{
	/* By class, and whether the row is to be preferred. */
	uint32_t left[2][2] = {{0}}, wanted[2][2], n_mined, n_copies;
	int rc = 0;

	for (uint32_t i = 0; i < pool->n_rows; i++)
		left[pool->labels[i]][margins[i] < PACKET_DATASET_MARGIN]++;
	for (int c = 0; c < 2; c++) {
		uint32_t most = n / 8 * 3;

		wanted[c][1] = left[c][1] < most ? left[c][1] : most;
		wanted[c][0] = n / 2 - wanted[c][1];
	}
	n_mined = wanted[0][1] + wanted[1][1];
	n_copies = n_mined > 0 ? n / 2 / n_mined : 0;
	n_copies = n_copies < 1 ? 1 : n_copies > MAX_COPIES ? MAX_COPIES : n_copies;
	for (uint32_t i = 0; i < pool->n_rows; i++) {
		uint8_t class = pool->labels[i];
		bool is_mined = margins[i] < PACKET_DATASET_MARGIN;

		/* Selection sampling: Knuth, The Art of Computer Programming, volume 2, 3.4.2, algorithm S. */
		if (random_below(random, left[class][is_mined]--) >= wanted[class][is_mined])
			continue;
		wanted[class][is_mined]--;
		for (uint32_t k = 0; k < (is_mined ? n_copies : 1) && rc == 0; k++)
			rc = packet_dataset_add_row(set, dataset_row(pool, i), class);
		if (rc < 0)
			return rc;
	}
	return 0;
}

void packet_dataset_truncate(struct packet_dataset *set, uint32_t n_rows)
{
	while (set->n_rows > n_rows)
		set->n_class[set->labels[--set->n_rows]]--;
}

static void rows_swap(struct packet_dataset *set, uint32_t i, uint32_t j)
{
	uint8_t row[PACKET_FEATURES_MAX_BYTES];
	uint8_t label = set->labels[i];

	memcpy(row, dataset_row(set, i), set->n_bytes);
	memmove(dataset_row(set, i), dataset_row(set, j), set->n_bytes);
	memcpy(dataset_row(set, j), row, set->n_bytes);
	set->labels[i] = set->labels[j];
	set->labels[j] = label;
}

int packet_dataset_split(struct packet_dataset *set, double fraction, struct random *random,
			 struct packet_dataset *validation)
{
	uint32_t n_moved = (uint32_t)(set->n_rows * fraction);
	int rc = dataset_reserve(validation, n_moved);

	for (uint32_t i = 0; i < n_moved && rc == 0; i++) {
		uint32_t last = set->n_rows - 1;

		rows_swap(set, random_below(random, set->n_rows), last);
		rc = packet_dataset_add_row(validation, dataset_row(set, last), set->labels[last]);
		if (rc == 0)
			packet_dataset_truncate(set, last);
	}
	return rc;
}

int packet_dataset_check(const struct packet_dataset *set, const char class_names[2][16], char *error,
			 size_t error_size)
{
	if (set->n_rows == 0) {
		snprintf(error, error_size, "the captures hold no frame to train with: give others");
		return -EINVAL;
	}
	for (int i = 0; i < 2; i++) {
		if (set->n_class[i] == 0) {
			snprintf(error, error_size,
				 "all %" PRIu32
				 " frames are of one class (%s): add captures that hold %s frames too",
				 set->n_rows, class_names[1 - i], class_names[i]);
			return -EINVAL;
		}
	}
	return 0;
}
