/* SPDX-License-Identifier: MIT */
/* sim/queue.h - what happens when, in virtual time. */
#ifndef SIM_QUEUE_H
#define SIM_QUEUE_H

#include <stddef.h>
#include <stdint.h>

struct queue_event {
	uint64_t at_ns;
	uint64_t order;		/* of insertion: equal times keep it */
	void (*run)(void *ctx, uint64_t arg, void *data, size_t len);
	void *ctx;
	uint64_t arg;
	void *data;		/* malloc()ed, freed after run; or NULL */
	size_t len;
};

/* A binary heap that grows; all zero is empty. */
struct queue {
	struct queue_event *heap;
	size_t n, cap;
	uint64_t next_order;
};

/* ev is copied; its data becomes the queue's. order is set here. */
void queue_add(struct queue *q, struct queue_event ev);

/* Take the earliest. n must not be 0. */
struct queue_event queue_take(struct queue *q);

/* When the earliest is; UINT64_MAX if there is none. */
uint64_t queue_next(const struct queue *q);

void queue_fini(struct queue *q);

#endif
