/* SPDX-License-Identifier: MIT */
/*
 * proto/store.h - the bytes of one direction of a flow, in a ring.
 *
 * Positions are byte offsets from the oldest byte held. The owner knows
 * how many bytes there are; the store knows where they lie. Memory comes
 * from env, in powers of two, on demand, and goes back when empty.
 */
#ifndef PROTO_STORE_H
#define PROTO_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/span.h"
#include "env/env.h"

#define STORE_MIN_BYTES	4096u
#define STORE_MAX_BYTES	(4u << 20)

struct store {
	uint8_t *p;		/* NULL if cap is 0 */
	uint32_t cap;		/* bytes; 0 or a power of two */
	uint32_t head;		/* index of the byte at offset 0 */
};

/*
 * Make room for offsets below `need` (at most STORE_MAX_BYTES), keeping
 * the first `keep` bytes. false if there is no memory; nothing changed.
 */
MUST bool store_reserve(struct store *s, const struct env *env,
			uint32_t need, uint32_t keep);

/* Copy src to offset at; at + src.len <= cap. */
void store_put(struct store *s, uint32_t at, struct view src);

/* The memory of [at, at + len), at + len <= cap, in 1 or 2 pieces. */
unsigned store_spans(const struct store *s, uint32_t at, uint32_t len,
		     struct span out[2]);

/* Drop the first n bytes: what was at offset n is at 0 now. */
void store_skip(struct store *s, uint32_t n);

/* Give the memory back. */
void store_release(struct store *s, const struct env *env);

#endif
