/* SPDX-License-Identifier: MIT */
#include "driver/driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NEXT = 1, WRITE = 2, INDIRECT = 4, AVAIL = 1 << 7, USED = 1 << 15 };

static void expect(bool cond, const char *what)
{
	if (cond)
		return;
	fprintf(stderr, "driver: the device %s\n", what);
	abort();
}

static uint16_t get16(const uint8_t *p)
{
	return __atomic_load_n((const uint16_t *)(const void *)p,
			       __ATOMIC_ACQUIRE);
}

static void put16(uint8_t *p, uint16_t v)
{
	__atomic_store_n((uint16_t *)(void *)p, v, __ATOMIC_RELEASE);
}

void driver_init(struct driver_ring *r, void *mem, uint64_t at,
		 uint16_t size, bool packed, bool event_idx)
{
	*r = (struct driver_ring){
		.size = size, .packed = packed, .event_idx = event_idx,
		.desc = mem, .driver = (uint8_t *)mem + DRIVER_AT,
		.device = (uint8_t *)mem + DEVICE_AT, .at = at,
		.free = size, .wrap = true, .used_wrap = true,
	};
}

/* A descriptor but for its flags. */
static void fill(uint8_t *d, uint64_t at, uint32_t len)
{
	memcpy(d, &at, 8);
	memcpy(d + 8, &len, 4);
}

static void add_split(struct driver_ring *r, const struct driver_piece *p,
		      unsigned n, bool table)
{
	const uint16_t head = r->next;

	for (unsigned i = 0; i < n; i++) {
		uint8_t *d = r->desc + 16u * r->next;
		const uint16_t next = (uint16_t)((r->next + 1) % r->size);

		fill(d, p[i].at, p[i].len);
		put16(d + 12, (uint16_t)((i + 1 < n ? NEXT : 0) |
					 (p[i].write ? WRITE : 0) |
					 (table ? INDIRECT : 0)));
		put16(d + 14, next);
		r->next = next;
	}
	put16(r->driver + 4 + 2 * (r->avail % r->size), head);
	r->avail++;
}

static void add_packed(struct driver_ring *r, const struct driver_piece *p,
		       unsigned n, bool table)
{
	const uint16_t id = (uint16_t)(r->tail % r->size);

	for (unsigned i = 0; i < n; i++) {
		uint8_t *d = r->desc + 16u * r->next;
		const uint16_t flags = (uint16_t)
			((i + 1 < n ? NEXT : 0) | (p[i].write ? WRITE : 0) |
			 (table ? INDIRECT : 0) | (r->wrap ? AVAIL : USED));

		fill(d, p[i].at, p[i].len);
		put16(d + 12, id);
		if (r->held) {
			put16(d + 14, flags);
		} else {
			r->held = true;
			r->first = r->next;
			r->first_flags = flags;
		}
		if (++r->next == r->size) {
			r->next = 0;
			r->wrap = !r->wrap;
		}
	}
	r->added += n;
}

/* Fill an indirect table and describe it. */
static struct driver_piece make_table(const struct driver_ring *r,
				      const struct driver_piece *p,
				      unsigned n, uint8_t *table, uint64_t at)
{
	for (unsigned i = 0; i < n; i++) {
		const uint16_t next = (uint16_t)(i + 1);
		const uint16_t flags = (uint16_t)
			((i + 1 < n && !r->packed ? NEXT : 0) |
			 (p[i].write ? WRITE : 0));

		fill(table + 16 * i, p[i].at, p[i].len);
		memcpy(table + 16 * i + (r->packed ? 14 : 12), &flags, 2);
		memcpy(table + 16 * i + (r->packed ? 12 : 14), &next, 2);
	}
	return (struct driver_piece){ .at = at, .len = 16 * n };
}

bool driver_add(struct driver_ring *r, const struct driver_piece *p,
		unsigned n, void *table, uint64_t table_at)
{
	struct driver_piece whole;

	if (table) {
		whole = make_table(r, p, n, table, table_at);
		p = &whole;
		n = 1;
	}
	if (n > r->free)
		return false;
	if (r->packed)
		add_packed(r, p, n, table != NULL);
	else
		add_split(r, p, n, table != NULL);
	r->free = (uint16_t)(r->free - n);
	r->chain[r->tail++ % DRIVER_SIZE_MAX] = (uint16_t)n;
	return true;
}

void driver_publish(struct driver_ring *r)
{
	if (!r->packed)
		put16(r->driver + 2, r->avail);
	else if (r->held)
		put16(r->desc + 16u * r->first + 14, r->first_flags);
	r->held = false;
}

static bool packed_wants_kick(const struct driver_ring *r)
{
	const uint16_t event = get16(r->device);
	const uint16_t flags = get16(r->device + 2);
	int32_t back;

	if (flags != 2)
		return flags != 1;
	back = (int32_t)r->next - (event & 0x7fff);
	if (!!(event & 0x8000) != r->wrap)
		back += r->size;
	return back > 0 && (uint32_t)back <= r->added;
}

bool driver_wants_kick(struct driver_ring *r)
{
	const uint16_t said = r->said;
	bool yes;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (r->packed)
		yes = r->added && packed_wants_kick(r);
	else if (!r->event_idx)
		yes = r->avail != said && !(get16(r->device) & 1);
	else
		yes = (uint16_t)(r->avail - 1 -
				 get16(r->device + 4 + 8u * r->size)) <
		      (uint16_t)(r->avail - said);
	r->said = r->avail;
	r->added = 0;
	return yes;
}

static bool is_used(const struct driver_ring *r)
{
	uint16_t flags;

	if (!r->packed)
		return get16(r->device + 2) != r->used;
	flags = get16(r->desc + 16u * r->used + 14);
	return r->head != r->tail && !!(flags & USED) == r->used_wrap &&
	       !!(flags & AVAIL) == r->used_wrap;
}

bool driver_used(struct driver_ring *r, uint32_t *written)
{
	const uint16_t n = r->chain[r->head % DRIVER_SIZE_MAX];
	uint32_t id;

	if (!is_used(r))
		return false;
	expect(r->head != r->tail, "uses what it was not given");
	if (r->packed) {
		const uint8_t *d = r->desc + 16u * r->used;

		id = get16(d + 12);
		memcpy(written, d + 8, 4);
		expect(id == r->head % r->size, "is out of order");
		r->used = (uint16_t)(r->used + n);
		if (r->used >= r->size) {
			r->used = (uint16_t)(r->used - r->size);
			r->used_wrap = !r->used_wrap;
		}
	} else {
		const uint8_t *u = r->device + 4 + 8 * (r->used % r->size);
		const uint32_t oldest = (uint32_t)
			(r->next + r->free) % r->size;

		memcpy(&id, u, 4);
		memcpy(written, u + 4, 4);
		expect(id == oldest, "is out of order");
		r->used++;
	}
	r->free = (uint16_t)(r->free + n);
	r->head++;
	return true;
}

bool driver_ask(struct driver_ring *r, bool tell)
{
	if (r->packed) {
		put16(r->driver, (uint16_t)(r->used |
					    (r->used_wrap ? 0x8000 : 0)));
		put16(r->driver + 2, tell ? r->event_idx ? 2 : 0 : 1);
	} else if (r->event_idx) {
		/* Not to be told: half the numbers away. */
		put16(r->driver + 4 + 2u * r->size,
		      (uint16_t)(r->used + (tell ? 0 : 0x8000)));
	} else {
		put16(r->driver, !tell);
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return tell && is_used(r);
}
