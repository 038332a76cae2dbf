/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A connection to a broker that speaks AMQP 0-9-1, with one channel that confirms what is published. librabbitmq
 * writes and reads what is in frames. The frames go through sink_link.h: librabbitmq's own connection looks names up for
 * as long as it takes, waits for a broker that takes nothing as long as heartbeats last, and keeps memory for each
 * channel that a broker names. Called by sink_rabbitmq.c.
 */
#ifndef WIRESCORE_CONTROL_SINK_AMQP_H
#define WIRESCORE_CONTROL_SINK_AMQP_H

#include <stdbool.h>
#include <stdint.h>

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#else
#include <amqp.h>
#include <amqp_framing.h>
#endif

#include "sink_link.h"

#define SINK_AMQP_CHANNEL 1

/* Larger bodies are cut into frames of this size, and larger frames of the broker are refused. */
#define SINK_AMQP_FRAME_BYTES (16u << 10)

struct sink_amqp {
	struct sink_link link;
	amqp_pool_t pool;      /* what the frame that was read last is decoded into */
	uint32_t frame_bytes;  /* that the broker takes, with head and end */
	uint64_t heartbeat_ns; /* 0: none */
	bool is_blocked;       /* the broker takes nothing for now */
	char why_blocked[128];
};

/* Who connects to what. */
struct sink_amqp_login {
	const char *user, *password, *virtual_host;
};

void sink_amqp_init(struct sink_amqp *amqp, const atomic_bool *stop, const char *secret);
void sink_amqp_free(struct sink_amqp *amqp);

/* Connects, logs in and opens the channel. 0, or -1 after a complaint; it is not connected then. */
int sink_amqp_connect(struct sink_amqp *amqp, const struct sink_address *address,
		      const struct sink_amqp_login *login, uint64_t deadline_ns);

/* Append a method, or a record as basic.publish wants it, to what is sent. 0, or -1 after a complaint. */
int sink_amqp_append_method(struct sink_amqp *amqp, uint16_t channel, amqp_method_number_t id, void *method);
int sink_amqp_append_publish(struct sink_amqp *amqp, amqp_basic_publish_t *publish,
			     amqp_basic_properties_t *properties, const void *body, size_t body_bytes);

/*
 * Sends what waits, and reads the next frame that is the caller's: not heartbeats, nor what says that the broker
 * blocks. 1 with it, valid until the next call; 0 where the deadline passed; -1 after a complaint where the connection
 * is broken, or the broker closed it or the channel: it is closed.
 */
int sink_amqp_next(struct sink_amqp *amqp, amqp_frame_t *frame, uint64_t deadline_ns);

/* Sends a heartbeat where one is due, and closes the connection where the broker's have been missing. */
void sink_amqp_beat(struct sink_amqp *amqp);

/* Says goodbye to a broker that listens, and closes the connection. */
void sink_amqp_close(struct sink_amqp *amqp);

#endif
