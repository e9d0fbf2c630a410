/* SPDX-License-Identifier: MIT */
#include "proto/crowd.h"

#define PERIOD_NS	100000000u

void crowd_join(struct crowd *c, uint64_t now_ns, uint16_t *seen)
{
	if (now_ns >= c->until_ns) {
		c->before = now_ns - c->until_ns < PERIOD_NS ? c->now : 0;
		c->now = 0;
		c->until_ns = now_ns + PERIOD_NS;
		if (!++c->period)
			c->period = 1;	/* 0 is a flow that never was here */
	}
	if (*seen != c->period) {
		*seen = c->period;
		c->now++;
	}
}

uint32_t crowd_size(const struct crowd *c)
{
	const uint32_t n = c->now > c->before ? c->now : c->before;

	return n ? n : 1;
}

uint32_t crowd_share(const struct crowd *c, uint32_t all, uint32_t least,
		     uint32_t most)
{
	const uint32_t part = all / crowd_size(c);

	while (most > least && most > part)
		most /= 2;
	return most;
}
