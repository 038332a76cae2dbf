/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The options that say what a flow is, for every command that makes flows of packets.
 */
#ifndef WIRESCORE_FLOW_OPTIONS_H
#define WIRESCORE_FLOW_OPTIONS_H

#include <getopt.h>
#include <stdbool.h>

#include "flow_engine.h"
#include "packet.h"

struct flow_options {
	struct flow_config config; /* n_flows 0: no flows */
	enum packet_depth depth;
	bool has_seed; /* the user chose it */
	bool has_ends; /* rows of features where flows end; config.checkpoints says where else */
};

/* Where captures have rows of features unless said otherwise: after 1, 2, 4, 8 and 16 packets, beside the end. */
#define FLOW_OPTIONS_CHECKPOINTS 0x808bu

enum {
	FLOW_OPT_FLOWS = 512,
	FLOW_OPT_TUNNELS,
	FLOW_OPT_SCOPE,
	FLOW_OPT_DIRECTION,
	FLOW_OPT_IDLE,
	FLOW_OPT_ACTIVE,
	FLOW_OPT_LINGER,
	FLOW_OPT_SEED,
};

/* Rows for a command's table of long options. */
#define FLOW_LONG_OPTIONS                                                     \
	{"flows", required_argument, NULL, FLOW_OPT_FLOWS},                   \
		{"tunnels", required_argument, NULL, FLOW_OPT_TUNNELS},       \
		{"scope", required_argument, NULL, FLOW_OPT_SCOPE},           \
		{"direction", required_argument, NULL, FLOW_OPT_DIRECTION},   \
		{"idle-timeout", required_argument, NULL, FLOW_OPT_IDLE},     \
		{"active-timeout", required_argument, NULL, FLOW_OPT_ACTIVE}, \
		{"linger", required_argument, NULL, FLOW_OPT_LINGER},         \
	{                                                                     \
		"hash-seed", required_argument, NULL, FLOW_OPT_SEED           \
	}

/* What they mean, for a command's --help. */
extern const char flow_options_help[];

/* The words that some take, in the order of what they stand for; NULL behind the last. */
extern const char *const flow_options_tunnels[];    /* from PACKET_DEPTH_OUTER */
extern const char *const flow_options_scopes[];	    /* enum flow_scope */
extern const char *const flow_options_directions[]; /* is_one_way */

/* What a timeout may be, in seconds. */
#define FLOW_OPTIONS_MIN_SECONDS 1e-6
#define FLOW_OPTIONS_MAX_SECONDS (double)(FLOW_GAP_MAX_NS / 1000000000u)

/*
 * Reads packet counts of 1 to FLOW_MAX_CHECKPOINT and "end", with commas between. 0; -EINVAL, with the word that is
 * neither in *bad, [16]; or -ENOMEM.
 */
int flow_options_read_checkpoints(const char *text, uint64_t *checkpoints, bool *has_ends, char *bad);

void flow_options_init(struct flow_options *options);

/* Whether an option that getopt_long returned is one of these. */
bool flow_options_has(int option);

/*
 * Packet counts of 1 to 64 and "end", with commas between: where there are rows of features. 0, or -1 after
 * complaining.
 */
int flow_options_take_checkpoints(struct flow_options *options, const char *text);

/* Takes it. 0, or -1 after complaining. */
int flow_options_take(struct flow_options *options, int option, const char *argument);

/*
 * What an engine of these flows is made with, but for model and records: the caller's to add. Where no
 * seed was chosen the context's is 0, so that features of captures are the same numbers every time: who decides by them
 * must take the table's, which is drawn.
 */
struct flow_engine_options flow_options_engine(const struct flow_options *options);

/* When all are taken: draws a secret seed where none was chosen. 0, or -1 after complaining. */
int flow_options_finish(struct flow_options *options);

#endif
