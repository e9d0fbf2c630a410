/* SPDX-License-Identifier: MIT */
/* test/unit/proto_crowd.c - how many carry bulk at once, and their part. */
#include "proto/crowd.h"

#include "test.h"

#define MS	1000000u
#define FLOWS	100

struct scene {
	struct crowd crowd;
	uint16_t seen[FLOWS];
};

/* The first so many flows carry something then; the size of the crowd. */
static uint32_t join(struct scene *s, unsigned flows, uint64_t ms)
{
	for (unsigned i = 0; i < flows; i++)
		crowd_join(&s->crowd, ms * MS, &s->seen[i]);
	return crowd_size(&s->crowd);
}

static void check_size(void)
{
	struct scene s = { 0 };

	CHECK("nobody", crowd_size(&s.crowd) == 1);
	CHECK("some", join(&s, 40, 1000) == 40);
	CHECK("once in a period", join(&s, 50, 1050) == 50);
	CHECK("as before", join(&s, 1, 1100) == 50);
	CHECK("more than before", join(&s, 60, 1101) == 60);
	CHECK("as many as before", join(&s, 3, 1250) == 60);
	CHECK("the one before is over", join(&s, 3, 1350) == 3);
	CHECK("long ago", join(&s, 2, 1600) == 2);
}

static void check_share(void)
{
	struct scene s = { 0 };

	CHECK("alone", crowd_share(&s.crowd, 1024, 64, 256) == 256);
	join(&s, 5, 1000);
	CHECK("five", crowd_share(&s.crowd, 1024, 64, 256) == 128);
	join(&s, 8, 1000);
	CHECK("eight", crowd_share(&s.crowd, 1024, 64, 256) == 128);
	join(&s, 9, 1000);
	CHECK("nine", crowd_share(&s.crowd, 1024, 64, 256) == 64);
	join(&s, 100, 1000);
	CHECK("no less", crowd_share(&s.crowd, 1024, 64, 256) == 64);
}

/* The number of the period begins again; a new flow is still a new one. */
static void check_round(void)
{
	struct scene s = { 0 };
	uint64_t ms = 1000;

	for (unsigned i = 0; i < 65536; i++)
		join(&s, 1, ms += 100);
	CHECK("round", join(&s, 2, ms + 100) == 2);
}

void test_proto_crowd(void);
void test_proto_crowd(void)
{
	check_size();
	check_share();
	check_round();
}
