/* SPDX-License-Identifier: MIT */
/*
 * engine/slept.h - has the machine been suspended?
 *
 * All timers are of CLOCK_MONOTONIC, which stands still meanwhile: so nothing
 * is overdue afterwards, nothing fires all at once, and no flow counts as
 * idle. But the world has gone on. What was learned of it, the answers of DNS
 * servers above all, is as old as CLOCK_BOOTTIME says, which does not stand
 * still: where it has gained on the other, all of that is to be dropped.
 *
 * Pure: the caller looks at the clocks.
 */
#ifndef ENGINE_SLEPT_H
#define ENGINE_SLEPT_H

#include <stdbool.h>
#include <stdint.h>

#define SLEPT_LEAST_NS	INT64_C(1000000000)

struct slept {
	bool known;
	int64_t ahead_ns;	/* the one clock of the other, when asked last */
};

/*
 * Since it was asked last, for SLEPT_LEAST_NS at least? The clocks are read
 * one after the other; one who is kept from running in between for so long
 * has slept as well.
 */
bool slept_since(struct slept *s, uint64_t monotonic_ns, uint64_t boot_ns);

#endif
