/* SPDX-License-Identifier: MIT */
/* test/unit/base_wheel.c - links base, nothing else. */
#include "base/wheel.h"

#include <string.h>

#include "test.h"

#define TIMERS	50
#define STEPS	40000

struct model {
	struct wheel wheel;
	struct timer timers[TIMERS];
	bool armed[TIMERS];
	uint64_t deadline[TIMERS];
	uint64_t now, rng;
};

static uint64_t dice(struct model *m)
{
	m->rng ^= m->rng << 13;
	m->rng ^= m->rng >> 7;
	m->rng ^= m->rng << 17;
	return m->rng;
}

/* From a few ns to some 70 years: every order of magnitude alike often. */
static uint64_t span(struct model *m)
{
	return dice(m) >> (3 + dice(m) % 60);
}

static void arm(struct model *m, unsigned i)
{
	const uint64_t by = span(m);
	const uint64_t past = by < m->now ? m->now - by : 0;

	m->deadline[i] = dice(m) % 8 ? m->now + by : past;
	m->armed[i] = true;
	wheel_arm(&m->wheel, &m->timers[i], m->deadline[i]);
}

/* What pops is due; what was due a tick ago has popped. */
static void pop_all(struct model *m)
{
	struct timer *t;
	unsigned again = 0;

	while ((t = wheel_pop(&m->wheel, m->now))) {
		const size_t i = (size_t)(t - m->timers);

		CHECK("known", i < TIMERS && m->armed[i]);
		CHECK("never early", m->deadline[i] <= m->now);
		CHECK("disarmed", !timer_armed(t));
		m->armed[i] = false;
		if (again++ < 3)
			arm(m, (unsigned)(dice(m) % TIMERS));
	}
	for (unsigned i = 0; i < TIMERS; i++) {
		CHECK("armed", timer_armed(&m->timers[i]) == m->armed[i]);
		CHECK("one tick late at most", !m->armed[i] ||
		      m->deadline[i] + WHEEL_TICK_NS > m->now);
	}
}

static void check_next(const struct model *m)
{
	const uint64_t next = wheel_next(&m->wheel);
	bool any = false;

	for (unsigned i = 0; i < TIMERS; i++) {
		if (!m->armed[i])
			continue;
		any = true;
		CHECK("next is not late", next < m->deadline[i] +
		      WHEEL_TICK_NS || next <= m->now);
	}
	CHECK("next without timers ends", any || next == WHEEL_NEVER ||
	      next > 0);
}

/* Sleeping until wheel_next(), over and over, comes to an end. */
static void check_sleeper(struct model *m)
{
	unsigned wakes = 0;

	memset(m->armed, 0, sizeof(m->armed));
	memset(m->timers, 0, sizeof(m->timers));
	wheel_init(&m->wheel, m->now);
	for (unsigned i = 0; i < TIMERS; i++)
		arm(m, i);
	while (wheel_next(&m->wheel) != WHEEL_NEVER && wakes < 100000) {
		const uint64_t next = wheel_next(&m->wheel);
		struct timer *t;

		if (next > m->now)
			m->now = next;
		while ((t = wheel_pop(&m->wheel, m->now))) {
			CHECK("in time", m->deadline[t - m->timers] <= m->now);
			m->armed[t - m->timers] = false;
		}
		wakes++;
	}
	for (unsigned i = 0; i < TIMERS; i++)
		CHECK("all fired", !m->armed[i]);
	CHECK("few wake-ups", wakes <= TIMERS * WHEEL_LEVELS);
}

static void check_random(struct model *m)
{
	wheel_init(&m->wheel, m->now);
	for (unsigned step = 0; step < STEPS; step++) {
		const unsigned i = (unsigned)(dice(m) % TIMERS);

		switch (dice(m) % 4) {
		case 0:
		case 1:
			arm(m, i);
			break;
		case 2:
			wheel_cancel(&m->wheel, &m->timers[i]);
			m->armed[i] = false;
			break;
		default:
			/* Seldom far, or all would be over at once. */
			m->now += dice(m) % 50 ? span(m) >> 24 : span(m) >> 8;
			pop_all(m);
			break;
		}
		check_next(m);
	}
}

/* Deadlines around a tick, and at both ends of time. */
static void check_edges(void)
{
	static const uint64_t at[] = {
		0, 1, WHEEL_TICK_NS - 1, WHEEL_TICK_NS, WHEEL_TICK_NS + 1,
		64 * WHEEL_TICK_NS - 1, 64 * WHEEL_TICK_NS,
		64 * WHEEL_TICK_NS + 1, 4096 * WHEEL_TICK_NS,
		UINT64_MAX / 2, UINT64_MAX - 2 * WHEEL_TICK_NS,
	};
	struct wheel w;
	struct timer t = { 0 };

	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		wheel_init(&w, 0);
		CHECK("none", !wheel_pop(&w, 0) &&
			      wheel_next(&w) == WHEEL_NEVER);
		wheel_arm(&w, &t, at[i]);
		CHECK("next", wheel_next(&w) < at[i] + WHEEL_TICK_NS);
		if (at[i])
			CHECK("early", !wheel_pop(&w, at[i] - 1));
		CHECK("due", wheel_pop(&w, at[i] + WHEEL_TICK_NS) == &t);
		CHECK("once", !wheel_pop(&w, at[i] + WHEEL_TICK_NS));
	}
	/* Later than the last tick: never, and no busy waiting for it. */
	wheel_init(&w, 0);
	wheel_arm(&w, &t, UINT64_MAX);
	CHECK("never", wheel_next(&w) > UINT64_MAX - WHEEL_TICK_NS);
	wheel_cancel(&w, &t);
	wheel_cancel(&w, &t);
	CHECK("cancelled", !timer_armed(&t) && !wheel_pop(&w, UINT64_MAX));
}

void test_base_wheel(void);
void test_base_wheel(void)
{
	static struct model m;

	check_edges();
	m.rng = 88172645463325252u;
	m.now = 12345678901u;
	check_random(&m);
	for (unsigned i = 0; i < 20; i++) {
		m.now = (uint64_t)i << (2 * i);
		check_sleeper(&m);
	}
}
