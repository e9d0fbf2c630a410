/* SPDX-License-Identifier: MIT */
#include "sim/queue.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/check.h"

static bool before(const struct queue_event *a, const struct queue_event *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns :
				      a->order < b->order;
}

static void swap(struct queue *q, size_t a, size_t b)
{
	const struct queue_event t = q->heap[a];

	q->heap[a] = q->heap[b];
	q->heap[b] = t;
}

void queue_add(struct queue *q, struct queue_event ev)
{
	size_t i = q->n++;

	if (q->n > q->cap) {
		q->cap = q->cap ? 2 * q->cap : 256;
		q->heap = realloc(q->heap, q->cap * sizeof(*q->heap));
		ASSERT(q->heap);
	}
	ev.order = q->next_order++;
	q->heap[i] = ev;
	for (; i && before(&q->heap[i], &q->heap[(i - 1) / 2]); i = (i - 1) / 2)
		swap(q, i, (i - 1) / 2);
}

struct queue_event queue_take(struct queue *q)
{
	struct queue_event first;
	size_t i = 0;

	ASSERT(q->n);
	first = q->heap[0];
	q->heap[0] = q->heap[--q->n];
	for (;;) {
		size_t least = i;

		for (size_t k = 2 * i + 1; k <= 2 * i + 2; k++)
			if (k < q->n && before(&q->heap[k], &q->heap[least]))
				least = k;
		if (least == i)
			return first;
		swap(q, i, least);
		i = least;
	}
}

uint64_t queue_next(const struct queue *q)
{
	return q->n ? q->heap[0].at_ns : UINT64_MAX;
}

void queue_fini(struct queue *q)
{
	while (q->n)
		free(queue_take(q).data);
	free(q->heap);
	*q = (struct queue){ 0 };
}
