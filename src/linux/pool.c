/* SPDX-License-Identifier: MIT */
#include "linux/pool.h"

#include <sys/mman.h>

#include "base/check.h"

static unsigned list_of(size_t bytes)
{
	const unsigned shift = (unsigned)__builtin_ctzl(bytes);

	ASSERT((bytes & (bytes - 1)) == 0 && shift >= POOL_MIN_SHIFT &&
	       shift <= POOL_MAX_SHIFT);
	return shift - POOL_MIN_SHIFT;
}

void *pool_alloc(struct pool *pool, size_t bytes)
{
	const unsigned list = list_of(bytes);
	struct pool_block *block = pool->free[list];
	void *p;

	if (pool->limit - pool->used < bytes)
		return NULL;
	if (block) {
		pool->free[list] = block->next;
		pool->cached -= bytes;
		p = block;
	} else {
		p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			return NULL;
	}
	pool->used += bytes;
	return p;
}

void pool_free(struct pool *pool, void *p, size_t bytes)
{
	const unsigned list = list_of(bytes);
	struct pool_block *block = p;

	ASSERT(pool->used >= bytes);
	pool->used -= bytes;
	if (pool->cached + bytes > POOL_CACHE_BYTES) {
		munmap(p, bytes);
		return;
	}
	block->next = pool->free[list];
	pool->free[list] = block;
	pool->cached += bytes;
}

void pool_trim(struct pool *pool)
{
	for (unsigned list = 0; list < POOL_SHIFTS; list++) {
		const size_t bytes = (size_t)1 << (list + POOL_MIN_SHIFT);

		while (pool->free[list]) {
			struct pool_block *block = pool->free[list];

			pool->free[list] = block->next;
			pool->cached -= bytes;
			munmap(block, bytes);
		}
	}
}
