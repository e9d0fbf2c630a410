/* SPDX-License-Identifier: MIT */
/*
 * sim/pattern.h - the bytes that everybody sends.
 *
 * Byte `at` of stream `stream`. The period is a prime, so a ring's or a
 * window's length never hides an error by being a multiple of it.
 */
#ifndef SIM_PATTERN_H
#define SIM_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATTERN_PERIOD	65521u
#define PATTERN_STRIDE	977u		/* between one datagram and the next */

/* Streams: connections, then datagrams. */
#define PATTERN_CONN(i, up)	(2 * (i) + (up))
#define PATTERN_CHAT(i, up)	(32 + 2 * (i) + (up))
#define PATTERN_PING(i)		(64 + (i))

/* The bytes from `at` on; at least 65,536 of them may be read. */
const uint8_t *pattern(unsigned stream, uint64_t at);

bool pattern_is(unsigned stream, uint64_t at, const void *p, size_t len);

#endif
