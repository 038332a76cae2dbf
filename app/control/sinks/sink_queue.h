/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A queue of records between one thread that puts and one that takes: memory of its own, no lock, no DPDK. Records stay
 * where they are until they are released. Used by sink.c.
 */
#ifndef WIRESCORE_CONTROL_SINK_QUEUE_H
#define WIRESCORE_CONTROL_SINK_QUEUE_H

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct sink_queue {
	uint8_t *slots;
	size_t record_bytes;
	uint32_t mask; /* slots - 1 */
	/* Records so far. head is written by the putter, tail by the taker. */
	_Alignas(64) atomic_uint_fast64_t head;
	_Alignas(64) atomic_uint_fast64_t tail;
};

/* n_slots is a power of two. 0, or -1 when memory is out, which is paid for as it is used. */
static inline int sink_queue_open(struct sink_queue *queue, size_t record_bytes, uint32_t n_slots)
{
	*queue = (struct sink_queue){.record_bytes = record_bytes, .mask = n_slots - 1};
	queue->slots = malloc(n_slots * record_bytes);
	return queue->slots ? 0 : -1;
}

static inline uint32_t sink_queue_n(const struct sink_queue *queue)
{
	uint64_t tail = atomic_load_explicit(&queue->tail, memory_order_acquire);

	return (uint32_t)(atomic_load_explicit(&queue->head, memory_order_acquire) - tail);
}

/* The putter's. */
static inline uint32_t sink_queue_room(const struct sink_queue *queue)
{
	return queue->mask + 1 - sink_queue_n(queue);
}

/* The putter's: copies a record behind those that are there and `ahead` others; there is room. */
static inline void sink_queue_put(struct sink_queue *queue, const void *record, uint32_t ahead)
{
	uint64_t head = atomic_load_explicit(&queue->head, memory_order_relaxed) + ahead;

	memcpy(queue->slots + (head & queue->mask) * queue->record_bytes, record, queue->record_bytes);
}

/* ... and makes n of them seen. */
static inline void sink_queue_publish(struct sink_queue *queue, uint32_t n)
{
	atomic_fetch_add_explicit(&queue->head, n, memory_order_release);
}

/* The taker's: record i of those that are there. */
static inline const void *sink_queue_at(const struct sink_queue *queue, uint32_t i)
{
	uint64_t tail = atomic_load_explicit(&queue->tail, memory_order_relaxed) + i;

	return queue->slots + (tail & queue->mask) * queue->record_bytes;
}

/* ... and gives the slots of the first n back. */
static inline void sink_queue_release(struct sink_queue *queue, uint32_t n)
{
	atomic_fetch_add_explicit(&queue->tail, n, memory_order_release);
}

static inline void sink_queue_close(struct sink_queue *queue)
{
	free(queue->slots);
	queue->slots = NULL;
}

#endif
