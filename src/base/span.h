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

/* Of all n together. */
size_t spans_bytes(const struct span *v, unsigned n);

/*
 * Bytes lent for reading that lie in several places: the first ones near,
 * the others in far, beginning far_at bytes into it, as many as make up len.
 */
struct scatter {
	size_t len;		/* of all */
	struct view near;
	const struct span *far;	/* may be NULL if len is near.len */
	size_t far_at;
};

#define SCATTER_FAR_MAX	32	/* spans in far; see who makes one */

/* Drop the first n bytes; n <= s->len. */
void scatter_skip(struct scatter *s, size_t n);

/* All pieces in a row: how many. None is empty. */
unsigned scatter_spans(const struct scatter *s,
		       struct span out[1 + SCATTER_FAR_MAX]);

#endif
