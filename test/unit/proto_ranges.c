/* SPDX-License-Identifier: MIT */
/* test/unit/proto_ranges.c - links proto/ranges, nothing else. */
#include "proto/ranges.h"

#include <string.h>

#include "test.h"

#define BASE	0xfffffff0u		/* so that sequence numbers wrap */
#define SPAN	64

static void check_shape(const struct ranges *s, const bool *want)
{
	uint32_t total = 0;

	for (uint32_t i = 0; i < SPAN; i++) {
		bool in = false;

		for (uint32_t k = 0; k < s->n; k++)
			in |= seq_le(s->r[k].from, BASE + i) &&
			      seq_lt(BASE + i, s->r[k].to);
		CHECK("covered", in == want[i]);
		total += want[i];
	}
	CHECK("total", ranges_total(s) == total);
	for (uint32_t k = 0; k < s->n; k++) {
		CHECK("not empty", seq_lt(s->r[k].from, s->r[k].to));
		CHECK("sorted and apart", k == 0 ||
		      seq_lt(s->r[k - 1].to, s->r[k].from));
	}
}

static uint32_t stretches(const bool *want)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < SPAN; i++)
		n += want[i] && (i == 0 || !want[i - 1]);
	return n;
}

void test_proto_ranges(void);
void test_proto_ranges(void)
{
	uint32_t rng = 9;

	for (unsigned round = 0; round < 500; round++) {
		struct ranges s = { 0 };
		bool want[SPAN] = { false };

		for (unsigned step = 0; step < 20; step++) {
			bool next[SPAN];
			uint32_t from, to;

			rng = rng * 1664525u + 1013904223u;
			from = (rng >> 8) % SPAN;
			to = from + (rng >> 20) % 6;
			to = to > SPAN ? SPAN : to;
			memcpy(next, want, sizeof(next));
			for (uint32_t i = from; i < to; i++)
				next[i] = true;
			if (ranges_add(&s, BASE + from, BASE + to))
				memcpy(want, next, sizeof(want));
			else
				CHECK("full", stretches(next) > RANGES_MAX);
			check_shape(&s, want);
		}
		ranges_trim(&s, BASE + round % SPAN);
		memset(want, 0, round % SPAN);
		check_shape(&s, want);
		ranges_cut(&s, BASE + round / 8 % SPAN);
		memset(want + round / 8 % SPAN, 0, SPAN - round / 8 % SPAN);
		check_shape(&s, want);
	}
}
