/* SPDX-License-Identifier: MIT */
#include "engine/patience.h"

bool patience_has(const struct patience *p)
{
	return p->short_waits == PATIENCE_WAITS;
}

void patience_note(struct patience *p, uint64_t begin_ns,
		   uint64_t awake_until_ns, uint64_t now_ns)
{
	if (awake_until_ns && awake_until_ns - begin_ns >= PATIENCE_TAKEN_NS)
		p->rests_until_ns = now_ns + PATIENCE_REST_NS;
	if (now_ns - begin_ns >= PATIENCE_NS || now_ns < p->rests_until_ns)
		p->short_waits = 0;
	else if (p->short_waits < PATIENCE_WAITS)
		p->short_waits++;
}
