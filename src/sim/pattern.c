/* SPDX-License-Identifier: MIT */
#include "sim/pattern.h"

#include <string.h>

#include "base/check.h"
#include "sim/rng.h"

const uint8_t *pattern(unsigned stream, uint64_t at)
{
	static uint8_t table[PATTERN_PERIOD * 3];
	static bool made;

	if (!made) {
		struct rng r = { .state = 42 };

		for (size_t i = 0; i < PATTERN_PERIOD; i++)
			table[i] = (uint8_t)rng_next(&r);
		memcpy(table + PATTERN_PERIOD, table, PATTERN_PERIOD);
		memcpy(table + 2 * PATTERN_PERIOD, table, PATTERN_PERIOD);
		made = true;
	}
	return table + (at + stream * UINT64_C(7919)) % PATTERN_PERIOD;
}

bool pattern_is(unsigned stream, uint64_t at, const void *p, size_t len)
{
	const uint8_t *b = p;

	while (len) {
		const size_t n = len < 65536 ? len : 65536;

		if (memcmp(b, pattern(stream, at), n))
			return false;
		b += n;
		at += n;
		len -= n;
	}
	return true;
}
