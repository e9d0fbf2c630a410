/* SPDX-License-Identifier: MIT */
/*
 * service/dns_cache.h - answers kept for as long as they hold
 *
 * One block of memory, taken with the first answer, is written like a log
 * that runs in a circle: a new answer takes the place of the oldest ones.
 * An index of chains finds the newest answer for a key. An answer over
 * DNS_CACHE_ANSWER_MAX is not kept, nor one whose TTL is 0; none is kept
 * for longer than DNS_CACHE_TTL_S, or DNS_CACHE_NO_TTL_S if it says that
 * there is nothing: a host's network changes oftener than a zone does.
 */
#ifndef SERVICE_DNS_CACHE_H
#define SERVICE_DNS_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/span.h"
#include "env/env.h"

#define DNS_CACHE_BYTES		(512u << 10)
#define DNS_CACHE_CHAINS	1024u
#define DNS_CACHE_ANSWER_MAX	4096u
#define DNS_CACHE_TTL_S		86400u
#define DNS_CACHE_NO_TTL_S	300u

struct dns_cache {
	uint8_t *block;			/* env memory; NULL: none yet */
	uint64_t oldest, end;		/* of the log; its bytes ever written */
	uint32_t entries;
	uint32_t chain[DNS_CACHE_CHAINS];	/* offset of the newest + 1 */
};

/**
 * dns_cache_get() - an answer that still holds
 * @hash: of the key, not predictable by who asks
 * @buf: room for DNS_CACHE_ANSWER_MAX; the answer with its TTLs as of now
 *
 * Return: its length; 0: there is none.
 */
MUST size_t dns_cache_get(const struct dns_cache *c, uint64_t hash,
			  struct view key, uint64_t now_ns, uint8_t *buf);

/* Keep an answer if it may be kept; without memory nothing happens. */
void dns_cache_put(struct dns_cache *c, const struct env *env, uint64_t hash,
		   struct view key, struct view answer, uint64_t now_ns);

/* Forget all, and give the memory back. */
void dns_cache_clear(struct dns_cache *c, const struct env *env);

#endif
