/* SPDX-License-Identifier: MIT */
/* base/check.h - results that must be used, and checks for our own bugs. */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#define MUST __attribute__((warn_unused_result))

/*
 * Our bug, never a guest's or a peer's doing: nothing that comes from
 * outside may reach a false condition. Compiled in always.
 */
#define ASSERT(cond)							\
	do {								\
		if (__builtin_expect(!(cond), 0))			\
			__builtin_trap();				\
	} while (0)

#endif
