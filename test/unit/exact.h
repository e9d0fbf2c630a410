/* SPDX-License-Identifier: MIT */
/* test/unit/exact.h - copies that end where the allocation ends. */
#ifndef EXACT_H
#define EXACT_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A heap copy of exactly len bytes: ASan faults on one more. free() it. */
static inline uint8_t *exact(const void *src, size_t len)
{
	uint8_t *p = calloc(1, len ? len : 1);

	if (!p)
		abort();
	if (len)
		memcpy(p, src, len);
	return p;
}

#endif
