/* SPDX-License-Identifier: MIT */
/* base/span.h - a run of bytes that somebody else owns. */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stddef.h>
#include <stdint.h>

/* Bytes lent for reading; valid while the buffer they came from is. */
struct view {
	const uint8_t *p;	/* NULL if absent */
	size_t len;		/* bytes */
};

/* Bytes lent for reading or writing. Laid out as POSIX struct iovec. */
struct span {
	void *p;
	size_t len;		/* bytes */
};

#endif
