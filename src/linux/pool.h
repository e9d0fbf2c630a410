/* SPDX-License-Identifier: MIT */
/*
 * linux/pool.h - memory for the stores of flows: blocks of powers of two.
 *
 * Blocks come from mmap() and are kept for the next flow up to
 * POOL_CACHE_BYTES; what is over that goes back to the kernel at once, and
 * the rest by pool_trim(), which the owner calls when all is quiet.
 */
#ifndef LINUX_POOL_H
#define LINUX_POOL_H

#include <stddef.h>

#define POOL_MIN_SHIFT		12	/* 4 KiB */
#define POOL_MAX_SHIFT		22	/* 4 MiB */
#define POOL_SHIFTS		(POOL_MAX_SHIFT - POOL_MIN_SHIFT + 1)
#define POOL_CACHE_BYTES	((size_t)4 << 20)

struct pool_block {
	struct pool_block *next;
};

struct pool {
	size_t limit;		/* bytes that may be in use; set by owner */
	size_t used;		/* bytes given out */
	size_t cached;		/* bytes kept on the lists */
	struct pool_block *free[POOL_SHIFTS];
};

/* bytes: a power of two in range. NULL at the limit or without memory. */
void *pool_alloc(struct pool *pool, size_t bytes);
void pool_free(struct pool *pool, void *p, size_t bytes);

/* Give every block that is not in use back to the kernel. */
void pool_trim(struct pool *pool);

#endif
