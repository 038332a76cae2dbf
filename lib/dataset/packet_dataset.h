/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rows of header bytes with labels, from which packet models are trained and judged. Called by
 * `wirescore train` and `wirescore eval`; one thread at a time.
 */
#ifndef WIRESCORE_DATASET_PACKET_DATASET_H
#define WIRESCORE_DATASET_PACKET_DATASET_H

#include <stddef.h>
#include <stdint.h>

#include "frame.h"
#include "packet_rule.h"
#include "random.h"

/* Rows are counted in 32 bits; at 64 bytes each this is 256 GiB. */
#define PACKET_DATASET_MAX_ROWS UINT32_MAX

/* Frames of packet_dataset_add_sweep: 27 patterns with one type that runs over all. */
#define PACKET_DATASET_SWEEP_ROWS (27u * 65536u)

/* Rows below it are wrong or unsure (loss above 0.05): packet_dataset_add_mined prefers them. */
#define PACKET_DATASET_MARGIN 3.0f

struct packet_dataset {
	uint32_t n_bytes; /* length of a row */
	uint32_t n_rows;
	uint32_t capacity;    /* rows there is room for */
	uint32_t n_class[2];  /* rows by label; their sum is n_rows */
	uint32_t n_short;     /* rows padded with zeros, as their frames were shorter */
	uint32_t n_ambiguous; /* frames left out by packet_dataset_add */
	uint8_t *rows;	      /* [n_rows][n_bytes] */
	uint8_t *labels;      /* [n_rows], 0 or 1 */
};

/* An empty set for rows of n_bytes (1..PACKET_FEATURES_MAX_BYTES). Owns nothing yet. */
void packet_dataset_init(struct packet_dataset *set, uint32_t n_bytes);
void packet_dataset_free(struct packet_dataset *set);

/*
 * Adds the frame, labelled by the rule. A frame that ends inside its EtherType, where the zeros of the padding
 * would complete a type that the rule matches, is left out and counted as ambiguous: its row says the
 * opposite of its label. 0, -ENOMEM or -E2BIG.
 */
int packet_dataset_add(struct packet_dataset *set, const struct packet_rule *rule, const struct frame *frame);

/*
 * Adds n synthetic frames that are hard to tell apart, labelled by the rule: any MACs, any payload, and where
 * an EtherType may stand (bytes 12, 16 and 20) IP, a VLAN tag, the rule's own type, a near miss of these, or
 * anything. 0, -ENOMEM or -E2BIG.
 */
int packet_dataset_add_hard(struct packet_dataset *set, const struct packet_rule *rule, uint32_t n,
			    struct random *random);

/*
 * Adds the sweep, labelled by the rule: each of the 65536 types as the frame's own and behind every stack of one or
 * two VLAN tags, and in place of each tag before IPv4 or IPv6. The rest of each frame is drawn as
 * packet_dataset_add_hard draws it. 0, -ENOMEM or -E2BIG.
 */
int packet_dataset_add_sweep(struct packet_dataset *set, const struct packet_rule *rule, struct random *random);

/*
 * Adds about n rows of pool to learn from next, of both classes alike as far as pool goes: first those whose margin
 * (the logit, negative for class 0) is below PACKET_DATASET_MARGIN, more than once where they are few, then others
 * drawn at random. margins is [pool->n_rows]. 0, -ENOMEM or -E2BIG.
 */
int packet_dataset_add_mined(struct packet_dataset *set, const struct packet_dataset *pool, const float *margins,
			     uint32_t n, struct random *random);

/* Adds a row as it is, n_bytes long, with its label, 0 or 1. 0, -ENOMEM or -E2BIG. */
int packet_dataset_add_row(struct packet_dataset *set, const uint8_t *row, uint8_t label);

/* Forgets all rows from the given one on; the counts of short and ambiguous frames stay. */
void packet_dataset_truncate(struct packet_dataset *set, uint32_t n_rows);

/*
 * Redraws the MACs of all rows alike, whatever their label: destination unicast, multicast (well-known groups
 * among them) or broadcast, source unicast.
 */
void packet_dataset_randomize_macs(struct packet_dataset *set, struct random *random);

/*
 * Moves rows drawn at random, the fraction asked for rounded down, to the end of validation, an initialised set
 * for rows of the same length. The order of the rows that stay changes. 0, -ENOMEM or -E2BIG.
 */
int packet_dataset_split(struct packet_dataset *set, double fraction, struct random *random,
			 struct packet_dataset *validation);

/*
 * Whether there is something to learn: 0, or -EINVAL with one line in error when the set is empty or holds
 * one class only. class_names as from packet_rule_classes.
 */
int packet_dataset_check(const struct packet_dataset *set, const char class_names[2][16], char *error,
			 size_t error_size);

#endif
