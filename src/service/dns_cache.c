/* SPDX-License-Identifier: MIT */
/*
 * service/dns_cache.c - the log and its index
 *
 * Positions count the bytes ever written, so that `oldest` <= `end`; where
 * one lies is its remainder by DNS_CACHE_BYTES. An entry never wraps: what
 * it leaves at the end of the block is a gap, told by a size of 0, or by
 * too little room for an entry's head. Invariants: end - oldest <=
 * DNS_CACHE_BYTES; each chain runs from newer entries to older ones, so
 * the oldest of all is the last of its chain.
 */
#include "service/dns_cache.h"

#include <string.h>

#include "wire/dns.h"
#include "wire/dns_records.h"

struct entry {
	uint64_t hash;
	uint64_t born_ns;
	uint32_t ttl_s;
	uint32_t older;			/* in its chain: offset + 1 */
	uint32_t size;			/* all of it, a multiple of 8; 0: gap */
	uint16_t key_len, len;		/* behind this, in this order */
};

static struct entry *entry_at(const struct dns_cache *c, uint32_t offset)
{
	return (struct entry *)(void *)(c->block + offset);
}

static uint8_t *key_of(struct entry *e)
{
	return (uint8_t *)(e + 1);
}

static uint32_t offset_of(uint64_t position)
{
	return (uint32_t)(position % DNS_CACHE_BYTES);
}

/* From here to the end of the block. */
static uint32_t rest(uint64_t position)
{
	return DNS_CACHE_BYTES - offset_of(position);
}

/* The oldest entry goes, or the gap where it would be. */
static void drop_oldest(struct dns_cache *c)
{
	const uint32_t offset = offset_of(c->oldest);
	const struct entry *e = entry_at(c, offset);
	uint32_t *at;

	if (rest(c->oldest) < sizeof(*e) || !e->size) {
		c->oldest += rest(c->oldest);
		return;
	}
	at = &c->chain[e->hash % DNS_CACHE_CHAINS];
	while (*at != offset + 1)
		at = &entry_at(c, *at - 1)->older;
	*at = 0;
	c->oldest += e->size;
	c->entries--;
}

/* Room for size bytes in a row, at the end of the log. */
static struct entry *make_room(struct dns_cache *c, uint32_t size)
{
	const uint32_t gap = rest(c->end) < size ? rest(c->end) : 0;

	while (c->end + gap + size - c->oldest > DNS_CACHE_BYTES)
		drop_oldest(c);
	if (gap >= sizeof(struct entry))
		entry_at(c, offset_of(c->end))->size = 0;
	c->end += gap;
	return entry_at(c, offset_of(c->end));
}

size_t dns_cache_get(const struct dns_cache *c, uint64_t hash,
		     struct view key, uint64_t now_ns, uint8_t *buf)
{
	uint32_t at = c->chain[hash % DNS_CACHE_CHAINS];

	while (at) {
		struct entry *e = entry_at(c, at - 1);
		uint64_t age_s;

		at = e->older;
		if (e->hash != hash || e->key_len != key.len ||
		    memcmp(key_of(e), key.p, key.len) != 0)
			continue;
		age_s = (now_ns - e->born_ns) / UINT64_C(1000000000);
		if (age_s >= e->ttl_s)
			return 0;	/* older ones are no better */
		memcpy(buf, key_of(e) + e->key_len, e->len);
		dns_age((struct span){ .p = buf, .len = e->len },
			(uint32_t)age_s);
		return e->len;
	}
	return 0;
}

/* 0: not to be kept. */
static uint32_t time_to_keep(struct view answer)
{
	uint32_t ttl_s, max_s;

	if (answer.len > DNS_CACHE_ANSWER_MAX || !dns_ttl(answer, &ttl_s))
		return 0;
	max_s = dns_has_answers(answer) ? DNS_CACHE_TTL_S :
					  DNS_CACHE_NO_TTL_S;
	return ttl_s < max_s ? ttl_s : max_s;
}

void dns_cache_put(struct dns_cache *c, const struct env *env, uint64_t hash,
		   struct view key, struct view answer, uint64_t now_ns)
{
	const uint32_t ttl_s = time_to_keep(answer);
	const size_t size = (sizeof(struct entry) + key.len + answer.len + 7) &
			    ~(size_t)7;
	uint32_t *chain = &c->chain[hash % DNS_CACHE_CHAINS];
	struct entry *e;

	if (!ttl_s)
		return;
	if (!c->block)
		c->block = env->ops->mem_alloc(env->ctx, DNS_CACHE_BYTES);
	if (!c->block)
		return;
	e = make_room(c, (uint32_t)size);
	*e = (struct entry){
		.hash = hash, .born_ns = now_ns, .ttl_s = ttl_s,
		.older = *chain, .size = (uint32_t)size,
		.key_len = (uint16_t)key.len, .len = (uint16_t)answer.len,
	};
	memcpy(key_of(e), key.p, key.len);
	memcpy(key_of(e) + key.len, answer.p, answer.len);
	*chain = offset_of(c->end) + 1;
	c->end += size;
	c->entries++;
}

void dns_cache_clear(struct dns_cache *c, const struct env *env)
{
	if (c->block)
		env->ops->mem_free(env->ctx, c->block, DNS_CACHE_BYTES);
	*c = (struct dns_cache){ .block = NULL };
}
