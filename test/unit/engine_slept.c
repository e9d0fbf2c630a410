/* SPDX-License-Identifier: MIT */
/* test/unit/engine_slept.c - one clock gains on the other. */
#include "engine/slept.h"

#include "test.h"

#define S	UINT64_C(1000000000)
#define HOUR	(3600 * S)

static const struct {
	const char *name;
	uint64_t monotonic_ns, boot_ns;
	bool slept;
} asked[] = {			/* one after the other */
	{ "the first time, after a sleep", S, HOUR, false },
	{ "time passes", 10 * S, HOUR + 9 * S, false },
	{ "much of it", 10 * HOUR, 11 * HOUR - S, false },
	{ "it sleeps for an hour", 10 * HOUR + 1, 12 * HOUR - S + 1, true },
	{ "told once", 10 * HOUR + 2, 12 * HOUR - S + 2, false },
	{ "read a little late", 10 * HOUR + 2, 12 * HOUR - S / 2 + 2, false },
	{ "and in time again", 10 * HOUR + 3, 12 * HOUR - S + 3, false },
	{ "a second", 10 * HOUR + 3, 12 * HOUR + 3, true },
	{ "all but a second", 10 * HOUR + 3, 12 * HOUR + S + 2, false },
};

/* boot: of one that never slept both clocks are the same. */
static void check_equal(void)
{
	struct slept s = { .known = false };

	CHECK("equal", !slept_since(&s, S, S) && !slept_since(&s, HOUR, HOUR));
	CHECK("behind, by how they are read",
	      !slept_since(&s, HOUR + 5, HOUR + 4) &&
	      !slept_since(&s, HOUR + 6, HOUR + 6));
}

void test_engine_slept(void);
void test_engine_slept(void)
{
	struct slept s = { .known = false };

	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
		CHECK(asked[i].name,
		      slept_since(&s, asked[i].monotonic_ns,
				  asked[i].boot_ns) == asked[i].slept);
	check_equal();
}
