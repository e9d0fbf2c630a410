/* SPDX-License-Identifier: MIT */
/*
 * engine/patience.h - is it worth looking again before going to sleep?
 *
 * Theory of operation
 * ===================
 *
 * To sleep and be woken takes longer than most of what the engine is woken
 * for, the more so where the processor has gone idle meanwhile (in a virtual
 * machine: where it was given away). Where one event soon follows the other,
 * as a handshake, a request and its answer do, the next one is therefore
 * awaited awake, but no longer than PATIENCE_NS, and with the processor
 * offered to others between any two looks: what is awaited may well be made
 * by one that has no other processor to run on.
 *
 * Only where it has been so of late: PATIENCE_WAITS in a row were as short as
 * that. One that is not ends it, so of the events that find the engine asleep
 * at most one in so many has cost PATIENCE_NS, and a guest that is idle costs
 * nothing.
 *
 * Who offers the processor to one that computes gets it back when the kernel
 * thinks fit, and an event does not hasten that: it would have woken a
 * sleeper. Where that has happened, there is no patience for PATIENCE_REST_NS.
 *
 * Pure: the caller looks at the clock.
 */
#ifndef ENGINE_PATIENCE_H
#define ENGINE_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

#define PATIENCE_NS		UINT64_C(20000)
#define PATIENCE_WAITS		8
#define PATIENCE_TAKEN_NS	UINT64_C(200000)	/* by somebody else */
#define PATIENCE_REST_NS	UINT64_C(1000000000)

/* All zero: none yet. */
struct patience {
	unsigned short_waits;		/* one after the other, up to WAITS */
	uint64_t rests_until_ns;
};

/* Is the next event to be awaited awake? */
bool patience_has(const struct patience *p);

/**
 * patience_note() - a wait is over, by an event or otherwise
 * @begin_ns:		when it began
 * @awake_until_ns:	when the last look awake was over; 0: slept at once
 * @now_ns:		when it ended
 */
void patience_note(struct patience *p, uint64_t begin_ns,
		   uint64_t awake_until_ns, uint64_t now_ns);

#endif
