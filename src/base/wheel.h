/* SPDX-License-Identifier: MIT */
/*
 * base/wheel.h - many timers, one clock: a hierarchical timer wheel.
 *
 * A timer is part of the object it belongs to. Arming, re-arming and
 * cancelling are O(1). A timer never fires early; it fires at most one
 * tick (2^20 ns, about 1 ms) after its deadline, measured at the call of
 * wheel_pop().
 *
 * The wheel does not read a clock: all times are the caller's monotonic
 * nanoseconds, and may never run backwards.
 */
#ifndef BASE_WHEEL_H
#define BASE_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#define WHEEL_TICK_NS	((uint64_t)1 << 20)
#define WHEEL_LEVELS	8
#define WHEEL_SLOTS	64
#define WHEEL_NEVER	UINT64_MAX

struct timer {
	struct timer *next;	/* NULL when not armed */
	struct timer **prev;	/* the pointer that points here */
	uint64_t deadline_ns;
};

struct wheel {
	uint64_t tick;		/* every slot before this one has fired */
	uint64_t used[WHEEL_LEVELS];	/* bit per slot that holds timers */
	struct timer *slots[WHEEL_LEVELS][WHEEL_SLOTS];
	struct timer *due;	/* expired, not popped yet */
};

void wheel_init(struct wheel *w, uint64_t now_ns);

/* Arm or re-arm. A deadline in the past fires at the next wheel_pop(). */
void wheel_arm(struct wheel *w, struct timer *t, uint64_t deadline_ns);

/* Disarm; nothing happens if t is not armed (all-zero is not armed). */
void wheel_cancel(struct wheel *w, struct timer *t);

static inline bool timer_armed(const struct timer *t)
{
	return t->prev != 0;
}

/*
 * Next expired timer, now disarmed, or NULL when none is left. Call until
 * NULL; arming timers in between is allowed.
 */
struct timer *wheel_pop(struct wheel *w, uint64_t now_ns);

/*
 * When to call wheel_pop() next: no later than this, or WHEEL_NEVER if no
 * timer is armed. May be early (a slot's boundary), never late.
 */
uint64_t wheel_next(const struct wheel *w);

#endif
