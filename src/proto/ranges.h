/* SPDX-License-Identifier: MIT */
/*
 * proto/ranges.h - a few disjoint stretches of sequence space.
 *
 * Used for what arrived out of order and for what the guest has SACKed.
 * Sorted, never touching each other, all within 2^31 of one another.
 */
#ifndef PROTO_RANGES_H
#define PROTO_RANGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "wire/tcp.h"

#define RANGES_MAX 8

struct ranges {
	uint32_t n;
	struct tcp_range r[RANGES_MAX];
};

/*
 * Add [from, to), joining what it touches. false, and nothing changed, if
 * that would make more than RANGES_MAX stretches. Empty: true, nothing.
 */
MUST bool ranges_add(struct ranges *s, uint32_t from, uint32_t to);

/* The stretch that seq lies in; NULL if none. */
const struct tcp_range *ranges_find(const struct ranges *s, uint32_t seq);

/* Forget all before seq. */
void ranges_trim(struct ranges *s, uint32_t seq);

/* Forget seq and all behind it. */
void ranges_cut(struct ranges *s, uint32_t seq);

/* Sequence numbers covered. */
uint32_t ranges_total(const struct ranges *s);

#endif
