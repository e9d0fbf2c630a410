/* SPDX-License-Identifier: MIT */
/* test/unit/engine_patience.c - when to look again, and when to sleep. */
#include "engine/patience.h"

#include "test.h"

#define US	UINT64_C(1000)
#define SHORT	(5 * US)

struct scene {
	struct patience p;
	uint64_t now_ns;
};

static void sleep_for(struct scene *s, uint64_t ns)
{
	const uint64_t begin = s->now_ns;

	s->now_ns += ns;
	patience_note(&s->p, begin, 0, s->now_ns);
}

static void look_for(struct scene *s, uint64_t awake_ns, uint64_t asleep_ns)
{
	const uint64_t begin = s->now_ns;

	s->now_ns += awake_ns + asleep_ns;
	patience_note(&s->p, begin, begin + awake_ns, s->now_ns);
}

/* How many short waits it takes; at most 100. */
static unsigned until_patient(struct scene *s)
{
	unsigned n = 0;

	while (!patience_has(&s->p) && n < 100) {
		sleep_for(s, SHORT);
		n++;
	}
	return n;
}

static void check_begin(void)
{
	struct scene s = { .now_ns = 77 };

	CHECK("none to begin with", !patience_has(&s.p));
	for (unsigned i = 0; i < 100; i++)
		sleep_for(&s, PATIENCE_NS);
	CHECK("none by long waits", !patience_has(&s.p));
	CHECK("by short ones", until_patient(&s) == PATIENCE_WAITS);
	for (unsigned i = 0; i < 100; i++)
		look_for(&s, PATIENCE_NS - 1, 0);
	CHECK("as long as it is paid", patience_has(&s.p));
}

static void check_end(void)
{
	struct scene s = { .now_ns = 77 };

	until_patient(&s);
	look_for(&s, PATIENCE_NS, SHORT);
	CHECK("in vain", !patience_has(&s.p));
	CHECK("not at once again", until_patient(&s) == PATIENCE_WAITS);
	sleep_for(&s, SHORT);
	sleep_for(&s, PATIENCE_NS);
	CHECK("a long wait", until_patient(&s) == PATIENCE_WAITS);
}

/* The processor was offered, and somebody kept it. */
static void check_taken(void)
{
	struct scene s = { .now_ns = 77 };
	uint64_t since;

	until_patient(&s);
	look_for(&s, PATIENCE_TAKEN_NS - 1, 0);
	CHECK("not long enough", until_patient(&s) == PATIENCE_WAITS);
	look_for(&s, PATIENCE_TAKEN_NS, 0);
	since = s.now_ns;
	while (s.now_ns < since + PATIENCE_REST_NS - SHORT) {
		sleep_for(&s, SHORT);
		CHECK("rests", !patience_has(&s.p));
	}
	CHECK("and tries again", until_patient(&s) <= PATIENCE_WAITS);
	CHECK("later", s.now_ns >= since + PATIENCE_REST_NS);

	sleep_for(&s, PATIENCE_TAKEN_NS * 100);
	CHECK("asleep nobody takes it", until_patient(&s) == PATIENCE_WAITS);
}

void test_engine_patience(void);
void test_engine_patience(void)
{
	check_begin();
	check_end();
	check_taken();
}
