/* SPDX-License-Identifier: MIT */
/* firewall/unicode.h - text of unknown encoding to UTF-8. */
#ifndef FIREWALL_UNICODE_H
#define FIREWALL_UNICODE_H

#include "base/span.h"

#define UNICODE_BROKEN 0xfffdu	/* stands for what is no character */

/* At most 4 bytes to p; how many. */
unsigned unicode_put(uint32_t c, uint8_t *p);

/*
 * By its byte order mark, else by where its first NUL stands. out holds
 * 3 bytes for each of in; returns how many were written. *broken counts
 * what was no character.
 */
size_t unicode_decode(struct view in, uint8_t *out, unsigned *broken);

/* Units of UTF-16 one by one: begin with 0. */
struct utf16 {
	uint16_t high;		/* a first surrogate that waits */
};

/* Bytes written to p (at most 6) for one more unit. */
unsigned utf16_put(struct utf16 *u, uint16_t unit, uint8_t *p,
		   unsigned *broken);

/* There are no more units. */
unsigned utf16_end(struct utf16 *u, uint8_t *p, unsigned *broken);

#endif
