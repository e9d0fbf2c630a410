/* SPDX-License-Identifier: MIT */
/*
 * taps.c - frames from one tap to another, as they are
 *
 *	taps FD FD [DELAY_US [LOSE_EACH]]
 *
 * The taps are open, non-blocking and have a virtio header. Without a
 * delay this is the floor of every user-mode network: two system calls and
 * two copies a frame, and nothing in between. With one, frames wait their
 * time on the way, in both directions; of the frames with data from the
 * first to the second, each LOSE_EACH-th is lost: which ones does not
 * depend on chance, so that all that are measured meet the same.
 */
#include "common.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FRAME_BYTES	(12 + 14 + 65535)
#define TURN_FRAMES	64
#define QUEUE_FRAMES	(1u << 16)
#define DATA_BYTES	400		/* no acknowledgement is as long */

struct frame {
	uint64_t due_ns;
	size_t len;
	uint8_t *bytes;
};

/* One direction. */
struct way {
	int from, to;
	uint64_t delay_ns;
	unsigned long lose_each, data_frames;
	struct frame *queue;
	uint32_t head, n;
};

static int lost(struct way *w, size_t len)
{
	return w->lose_each && len > DATA_BYTES &&
	       ++w->data_frames % w->lose_each == 0;
}

static void enqueue(struct way *w, const uint8_t *buf, size_t len,
		    uint64_t now)
{
	struct frame *f = &w->queue[(w->head + w->n) % QUEUE_FRAMES];

	if (w->n == QUEUE_FRAMES)
		return;
	f->bytes = malloc(len);
	if (!f->bytes)
		fail("malloc");
	memcpy(f->bytes, buf, len);
	f->len = len;
	f->due_ns = now + w->delay_ns;
	w->n++;
}

static void pass(struct way *w, uint64_t now)
{
	static uint8_t buf[FRAME_BYTES];

	for (int i = 0; i < TURN_FRAMES; i++) {
		const ssize_t n = read(w->from, buf, sizeof(buf));

		if (n < 0)
			return;
		if (lost(w, (size_t)n))
			continue;
		if (w->delay_ns)
			enqueue(w, buf, (size_t)n, now);
		else
			(void)!write(w->to, buf, (size_t)n);
	}
}

static void deliver(struct way *w, uint64_t now)
{
	while (w->n && w->queue[w->head].due_ns <= now) {
		struct frame *f = &w->queue[w->head];

		(void)!write(w->to, f->bytes, f->len);
		free(f->bytes);
		w->head = (w->head + 1) % QUEUE_FRAMES;
		w->n--;
	}
}

/* Until the first of both is due; NULL: nothing waits. */
static const struct timespec *wait_time(const struct way w[2], uint64_t now,
					struct timespec *out)
{
	uint64_t due = UINT64_MAX;

	for (int i = 0; i < 2; i++)
		if (w[i].n && w[i].queue[w[i].head].due_ns < due)
			due = w[i].queue[w[i].head].due_ns;
	if (due == UINT64_MAX)
		return NULL;
	due = due > now ? due - now : 0;
	*out = (struct timespec){ .tv_sec = (time_t)(due / 1000000000u),
				  .tv_nsec = (long)(due % 1000000000u) };
	return out;
}

int main(int argc, char **argv)
{
	const uint64_t delay = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
	struct way w[2] = { { .delay_ns = delay * 1000 },
			    { .delay_ns = delay * 1000 } };

	if (argc < 3) {
		fprintf(stderr, "usage: taps FD FD [DELAY_US [LOSE_EACH]]\n");
		return 2;
	}
	w[0].from = w[1].to = atoi(argv[1]);
	w[0].to = w[1].from = atoi(argv[2]);
	if (argc > 4)
		w[0].lose_each = strtoul(argv[4], NULL, 10);
	for (int i = 0; i < 2 && delay; i++) {
		w[i].queue = calloc(QUEUE_FRAMES, sizeof(*w[i].queue));
		if (!w[i].queue)
			fail("malloc");
	}
	for (;;) {
		struct pollfd p[2] = {
			{ .fd = w[0].from, .events = POLLIN },
			{ .fd = w[1].from, .events = POLLIN },
		};
		struct timespec ts;
		uint64_t now = clock_ns();

		if (ppoll(p, 2, wait_time(w, now, &ts), NULL) < 0)
			fail("poll");
		now = clock_ns();
		for (int i = 0; i < 2; i++) {
			if (p[i].revents & (POLLERR | POLLNVAL))
				fail("a tap");
			if (p[i].revents)
				pass(&w[i], now);
			deliver(&w[i], now);
		}
	}
}
