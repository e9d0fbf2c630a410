/* SPDX-License-Identifier: MIT */
/*
 * flow/table.c - which conversation a packet or a socket event belongs to
 *
 * Theory of operation
 * ===================
 *
 * Storage. @slots is one array, sized at start and never moved; a slot is
 * touched only when it is first used, so an idle table costs no memory.
 * @index is an open-addressed hash table with linear probing, at least
 * twice as long as there are slots, so a probe always meets a gap. Its
 * hash is keyed because guests choose their ports. Deleting shifts the
 * following entries of the run back; there are no tombstones.
 *
 * Handles. Outside of one call stack a flow is named by struct handle.
 * Freeing a slot adds one to its generation, so an event queued for the
 * old flow finds nothing instead of the new one. Generations wrap after
 * 2^32 uses of one slot. Generation 0 is never given out.
 *
 * Invariants, checked by flow_table_check()
 *
 *   (1) A key is in @index exactly if its slot's kind is not FLOW_FREE.
 *   (2) No two used slots share a key.
 *   (3) The sum of @used is the number of used slots, and so is @owned's.
 *   (4) Following next_free from @first_free visits each slot below
 *       @fresh that is free once.
 *
 * Limits. FLOW_MAX slots. Expected two probes at half load.
 */
#include "flow/table.h"

#include <string.h>

static struct flow *slot_at(const struct flow_table *t, uint32_t slot)
{
	return (struct flow *)(void *)(t->slots + (size_t)slot * t->stride);
}

static uint32_t slot_of(const struct flow_table *t, const struct flow *f)
{
	const size_t bytes = (size_t)((const uint8_t *)f - t->slots);

	return (uint32_t)(bytes / t->stride);
}

static uint32_t index_entries(uint32_t n_slots)
{
	uint32_t n = 4;

	while (n < 2 * n_slots)
		n *= 2;
	return n;
}

size_t flow_table_bytes(uint32_t n_slots, size_t stride)
{
	return n_slots * stride + index_entries(n_slots) * sizeof(uint32_t);
}

void flow_table_init(struct flow_table *t, void *mem, uint32_t n_slots,
		     size_t stride, const struct siphash_key *key)
{
	ASSERT(n_slots >= 1 && n_slots <= FLOW_MAX && stride % 8 == 0);
	*t = (struct flow_table){
		.slots = mem,
		.stride = stride,
		.n_slots = n_slots,
		.mask = index_entries(n_slots) - 1,
		.hash_key = *key,
	};
	t->index = (uint32_t *)(void *)(t->slots + n_slots * stride);
}

static uint32_t hash(const struct flow_table *t, const struct flow_key *key)
{
	_Static_assert(sizeof(*key) == 40, "a key has no padding");
	return (uint32_t)siphash(&t->hash_key, key, sizeof(*key));
}

/* The entry of that key, or the gap where its run ends. */
static uint32_t probe(const struct flow_table *t, const struct flow_key *key,
		      uint32_t h)
{
	uint32_t i = h & t->mask;

	for (; t->index[i]; i = (i + 1) & t->mask) {
		const struct flow *f = slot_at(t, t->index[i] - 1);

		if (f->hash == h && !memcmp(&f->key, key, sizeof(*key)))
			break;
	}
	return i;
}

struct flow *flow_find(const struct flow_table *t, const struct flow_key *key)
{
	const uint32_t i = probe(t, key, hash(t, key));

	return t->index[i] ? slot_at(t, t->index[i] - 1) : NULL;
}

struct flow *flow_get(const struct flow_table *t, struct handle h)
{
	struct flow *f;

	if (h.slot >= t->fresh)
		return NULL;
	f = slot_at(t, h.slot);
	return f->key.kind != FLOW_FREE && f->gen == h.gen ? f : NULL;
}

struct handle flow_handle(const struct flow_table *t, const struct flow *f)
{
	return (struct handle){ .slot = slot_of(t, f), .gen = f->gen };
}

/* A free slot's number, taken off the list, or n_slots if there is none. */
static uint32_t take_slot(struct flow_table *t)
{
	const uint32_t first = t->first_free;

	if (first) {
		t->first_free = slot_at(t, first - 1)->next_free;
		return first - 1;
	}
	return t->fresh < t->n_slots ? t->fresh++ : t->n_slots;
}

struct flow *flow_alloc(struct flow_table *t, const struct flow_key *key)
{
	const uint32_t h = hash(t, key);
	const uint32_t i = probe(t, key, h);
	uint32_t slot, gen;
	struct flow *f;

	ASSERT(!t->index[i] && key->kind != FLOW_FREE);
	slot = take_slot(t);
	if (slot == t->n_slots)
		return NULL;
	f = slot_at(t, slot);
	gen = f->gen;
	memset(f, 0, t->stride);
	f->key = *key;
	f->hash = h;
	f->gen = gen ? gen : 1;
	t->index[i] = slot + 1;
	t->used[key->kind]++;
	t->owned[0]++;
	return f;
}

void flow_give(struct flow_table *t, struct flow *f, uint32_t owner)
{
	ASSERT(owner < FLOW_OWNERS_MAX && f->key.kind != FLOW_FREE);
	t->owned[f->owner]--;
	t->owned[owner]++;
	f->owner = owner;
}

/* Close the gap at i: move back what would not be found across it. */
static void close_gap(struct flow_table *t, uint32_t i)
{
	uint32_t j = i;

	for (;;) {
		uint32_t home;

		j = (j + 1) & t->mask;
		if (!t->index[j])
			break;
		home = slot_at(t, t->index[j] - 1)->hash & t->mask;
		if (((j - home) & t->mask) < ((j - i) & t->mask))
			continue;
		t->index[i] = t->index[j];
		i = j;
	}
	t->index[i] = 0;
}

void flow_free(struct flow_table *t, struct flow *f)
{
	const uint32_t slot = slot_of(t, f);
	const uint32_t i = probe(t, &f->key, f->hash);

	ASSERT(f->key.kind != FLOW_FREE && t->index[i] == slot + 1);
	t->used[f->key.kind]--;
	t->owned[f->owner]--;
	close_gap(t, i);
	f->key.kind = FLOW_FREE;
	f->gen = f->gen + 1 ? f->gen + 1 : 1;
	f->next_free = t->first_free;
	t->first_free = slot + 1;
}

struct flow *flow_next(const struct flow_table *t, uint32_t *slot)
{
	for (; *slot < t->fresh; ++*slot) {
		struct flow *f = slot_at(t, *slot);

		if (f->key.kind != FLOW_FREE)
			return f;
	}
	return NULL;
}

struct flow *flow_of(const struct flow_table *t, const void *p)
{
	const uint8_t *at = p;

	if (at < t->slots || at >= t->slots + (size_t)t->fresh * t->stride)
		return NULL;
	return slot_at(t, (uint32_t)((size_t)(at - t->slots) / t->stride));
}

void flow_table_check(const struct flow_table *t)
{
	uint32_t used = 0, sum = 0, entries = 0, free_slots = 0;
	uint32_t owned[FLOW_OWNERS_MAX] = { 0 };

	for (uint32_t s = 0; s < t->fresh; s++) {
		const struct flow *f = slot_at(t, s);

		if (f->key.kind == FLOW_FREE)
			continue;
		used++;
		owned[f->owner]++;
		ASSERT(f->hash == hash(t, &f->key));
		ASSERT(flow_find(t, &f->key) == f);
	}
	for (uint32_t k = 0; k < FLOW_KIND_MAX; k++)
		sum += t->used[k];
	for (uint32_t i = 0; i < FLOW_OWNERS_MAX; i++)
		ASSERT(owned[i] == t->owned[i]);
	for (uint32_t i = 0; i <= t->mask; i++)
		entries += t->index[i] != 0;
	for (uint32_t n = t->first_free; n; n = slot_at(t, n - 1)->next_free) {
		ASSERT(slot_at(t, n - 1)->key.kind == FLOW_FREE);
		ASSERT(++free_slots <= t->fresh);
	}
	ASSERT(used == sum && used == entries);
	ASSERT(used + free_slots == t->fresh);
}
