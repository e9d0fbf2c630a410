/* SPDX-License-Identifier: MIT */
#include "engine/slept.h"

bool slept_since(struct slept *s, uint64_t monotonic_ns, uint64_t boot_ns)
{
	const int64_t ahead = (int64_t)(boot_ns - monotonic_ns);
	const bool slept = s->known && ahead - s->ahead_ns >= SLEPT_LEAST_NS;

	s->known = true;
	s->ahead_ns = ahead;
	return slept;
}
