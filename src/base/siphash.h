/* SPDX-License-Identifier: MIT */
/* base/siphash.h - SipHash-2-4 (Aumasson, Bernstein 2012), a keyed hash. */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
	uint64_t k[2];
};

/* 64-bit hash of len bytes; not predictable without the key. */
uint64_t siphash(const struct siphash_key *key, const void *buf, size_t len);

#endif
