/* SPDX-License-Identifier: MIT */
/* base/handle.h - the name of a pool object that may be gone by now. */
#ifndef BASE_HANDLE_H
#define BASE_HANDLE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Slot number and generation. Freeing a slot adds one to its generation,
 * so a stale handle finds nothing. All zero is never a live object.
 */
struct handle {
	uint32_t slot;
	uint32_t gen;
};

static inline bool handle_equal(struct handle a, struct handle b)
{
	return a.slot == b.slot && a.gen == b.gen;
}

#endif
