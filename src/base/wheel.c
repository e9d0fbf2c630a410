/* SPDX-License-Identifier: MIT */
/*
 * base/wheel.c - many timers, one clock
 *
 * A tick's digits are 6 bits each. Level n has a slot per value of digit
 * n. A timer lies on the level of the highest digit in which its tick and
 * the current one differ, in the slot of that digit. It follows that
 *
 *   (1) every used slot of a level comes after the level's current digit;
 *   (2) every timer of a level is due before every timer of a higher one.
 *
 * So the next slot to open is the first used one of the lowest used level.
 * Opening it moves time to its first tick and sorts its timers in again,
 * lower, or onto the list of those that are due.
 *
 * A bit of @used may stand for a slot whose timers were all cancelled: it
 * costs one early wake-up. The levels cover every 64-bit time.
 */
#include "base/wheel.h"

#include <stddef.h>

#include "base/check.h"

#define DIGIT_BITS	6
#define DIGIT_MASK	((uint64_t)WHEEL_SLOTS - 1)

static void push(struct timer **head, struct timer *t)
{
	t->next = *head;
	t->prev = head;
	if (*head)
		(*head)->prev = &t->next;
	*head = t;
}

void wheel_init(struct wheel *w, uint64_t now_ns)
{
	*w = (struct wheel){ .tick = now_ns / WHEEL_TICK_NS };
}

/* The tick at which a deadline has passed: rounded up, never early. */
static uint64_t tick_of(uint64_t deadline_ns)
{
	return deadline_ns / WHEEL_TICK_NS +
	       (deadline_ns % WHEEL_TICK_NS != 0);
}

static void place(struct wheel *w, struct timer *t)
{
	const uint64_t tick = tick_of(t->deadline_ns);
	unsigned level, slot;

	if (tick <= w->tick) {
		push(&w->due, t);
		return;
	}
	level = (63u - (unsigned)__builtin_clzll(tick ^ w->tick)) /
		DIGIT_BITS;
	slot = (unsigned)(tick >> (DIGIT_BITS * level) & DIGIT_MASK);
	ASSERT(level < WHEEL_LEVELS);
	push(&w->slots[level][slot], t);
	w->used[level] |= UINT64_C(1) << slot;
}

void wheel_cancel(struct wheel *w, struct timer *t)
{
	(void)w;
	if (!t->prev)
		return;
	*t->prev = t->next;
	if (t->next)
		t->next->prev = t->prev;
	t->prev = NULL;
	t->next = NULL;
}

void wheel_arm(struct wheel *w, struct timer *t, uint64_t deadline_ns)
{
	wheel_cancel(w, t);
	t->deadline_ns = deadline_ns;
	place(w, t);
}

/* The next slot to open and its first tick; false if no slot is used. */
static bool next_slot(const struct wheel *w, unsigned *level, unsigned *slot,
		      uint64_t *tick)
{
	for (unsigned n = 0; n < WHEEL_LEVELS; n++) {
		const unsigned shift = DIGIT_BITS * n;

		if (!w->used[n])
			continue;
		*level = n;
		*slot = (unsigned)__builtin_ctzll(w->used[n]);
		*tick = (w->tick >> (shift + DIGIT_BITS)
				 << (shift + DIGIT_BITS)) |
			(uint64_t)*slot << shift;
		return true;
	}
	return false;
}

static void open_slot(struct wheel *w, unsigned level, unsigned slot)
{
	struct timer **head = &w->slots[level][slot];

	w->used[level] &= ~(UINT64_C(1) << slot);
	while (*head) {
		struct timer *t = *head;

		wheel_cancel(w, t);
		place(w, t);
	}
}

struct timer *wheel_pop(struct wheel *w, uint64_t now_ns)
{
	const uint64_t now = now_ns / WHEEL_TICK_NS;
	unsigned level, slot;
	struct timer *t;
	uint64_t tick;

	while (!w->due && next_slot(w, &level, &slot, &tick) && tick <= now) {
		w->tick = tick;
		open_slot(w, level, slot);
	}
	t = w->due;
	if (t)
		wheel_cancel(w, t);
	else if (w->tick < now)
		w->tick = now;
	return t;
}

uint64_t wheel_next(const struct wheel *w)
{
	unsigned level, slot;
	uint64_t tick;

	if (w->due)
		return w->due->deadline_ns;
	if (!next_slot(w, &level, &slot, &tick))
		return WHEEL_NEVER;
	/* The end of time rounded up to a tick is past it. */
	return tick > UINT64_MAX / WHEEL_TICK_NS ? WHEEL_NEVER :
						   tick * WHEEL_TICK_NS;
}
