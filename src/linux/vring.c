/* SPDX-License-Identifier: MIT */
#include "linux/vring.h"

#include <endian.h>
#include <string.h>

#include "linux/guestmem.h"

#define DESC_BYTES	16u
#define USED_BYTES	8u
#define INDEX_MASK	0x7fffu		/* packed: a place and its lap in 16 bits */
#define WRAP_BIT	0x8000u

enum {
	DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4,
	DESC_AVAIL = 1 << 7, DESC_USED = 1 << 15,
	NO_INTERRUPT = 1,		/* split: avail's flags */
	NO_NOTIFY = 1,			/* split: used's flags */
	EVENT_ENABLE = 0, EVENT_DISABLE = 1, EVENT_DESC = 2,	/* packed */
	FLAGS_AT = 14, ID_AT = 12, LEN_AT = 8,
};

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;			/* split only */
	uint16_t id;			/* packed only */
};

static void break_it(struct vring *r, const char *why)
{
	if (!r->broken)
		r->broken = why;
}

/* ---- the ring's own words, each read or written once ---- */

static uint16_t load16(const uint8_t *p)
{
	return le16toh(__atomic_load_n((const uint16_t *)(const void *)p,
				       __ATOMIC_ACQUIRE));
}

static void store16(uint8_t *p, uint16_t v)
{
	__atomic_store_n((uint16_t *)(void *)p, htole16(v), __ATOMIC_RELEASE);
}

static void store32(uint8_t *p, uint32_t v)
{
	__atomic_store_n((uint32_t *)(void *)p, htole32(v), __ATOMIC_RELAXED);
}

/* Which the driver may be changing: what was copied is what counts. */
static void copy_once(void *to, const void *from, size_t len)
{
	memcpy(to, from, len);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static struct desc parse_desc(const uint8_t b[DESC_BYTES], bool packed)
{
	struct desc d;
	uint16_t third, fourth;

	memcpy(&d.addr, b, 8);
	memcpy(&d.len, b + LEN_AT, 4);
	memcpy(&third, b + ID_AT, 2);
	memcpy(&fourth, b + FLAGS_AT, 2);
	d.addr = le64toh(d.addr);
	d.len = le32toh(d.len);
	/* Split: flags, next. Packed: id, flags. */
	d.flags = le16toh(packed ? fourth : third);
	d.next = le16toh(fourth);
	d.id = le16toh(third);
	return d;
}

static struct desc ring_desc(const struct vring *r, uint16_t at)
{
	uint8_t b[DESC_BYTES];

	copy_once(b, r->desc + (size_t)at * DESC_BYTES, sizeof(b));
	return parse_desc(b, r->packed);
}

/* Writes to the used ring or the descriptors, told by the log. */
static void wrote(const struct vring *r, const uint8_t *p, size_t len)
{
	const uint8_t *area = r->packed ? r->desc : r->device;

	if (r->logs)
		guestmem_wrote_at(r->mem, r->log_at + (uint64_t)(p - area),
				  len);
}

/* ---- begin ---- */

static size_t driver_bytes(const struct vring *r)
{
	return r->packed ? 4 : 4 + 2u * r->size + (r->event_idx ? 2 : 0);
}

static size_t device_bytes(const struct vring *r)
{
	return r->packed ? 4 :
	       4 + USED_BYTES * r->size + (r->event_idx ? 2 : 0);
}

static bool set_base(struct vring *r, uint32_t base)
{
	r->avail = (uint16_t)base;
	r->used = r->avail;
	if (!r->packed)
		return true;
	r->avail = base & INDEX_MASK;
	r->avail_wrap = base & WRAP_BIT;
	/* Nothing is under way between the two; the upper half says so. */
	r->used = r->avail;
	r->used_wrap = r->avail_wrap;
	return r->avail < r->size;
}

bool vring_start(struct vring *r, const struct guestmem *mem,
		 const struct vring_place *at, uint32_t base)
{
	const bool two = !(r->size & (r->size - 1));

	r->mem = mem;
	r->broken = NULL;
	r->staged = 0;
	r->unsaid = 0;
	if (!r->size || r->size > VRING_SIZE_MAX || (!r->packed && !two))
		return false;
	r->desc = guestmem_of_user(mem, at->desc,
				   (size_t)r->size * DESC_BYTES);
	r->driver = guestmem_of_user(mem, at->driver, driver_bytes(r));
	r->device = guestmem_of_user(mem, at->device, device_bytes(r));
	return r->desc && r->driver && r->device &&
	       !((uintptr_t)r->desc & 15) && !((uintptr_t)r->driver & 1) &&
	       !((uintptr_t)r->device & 3) && set_base(r, base);
}

uint32_t vring_base(const struct vring *r)
{
	uint32_t base = r->avail;

	if (r->packed) {
		base |= r->avail_wrap ? WRAP_BIT : 0u;
		base |= base << 16;
	}
	return base;
}

/* ---- take ---- */

/* What of the spans is filled, and what of the ring's length is left. */
struct gather {
	struct vring *r;
	bool writable;
	struct span *v;
	unsigned room, left;
	struct vring_chain c;
};

/* The bytes of one descriptor: several pieces if regions end in it. */
static bool add_bytes(struct gather *g, const struct desc *d)
{
	uint64_t at = d->addr;
	size_t left = d->len;

	if (!g->left--) {
		break_it(g->r, "a chain is longer than its ring");
		return false;
	}
	if (!!(d->flags & DESC_WRITE) != g->writable) {
		break_it(g->r, "a descriptor is for the other direction");
		return false;
	}
	while (left) {
		size_t len = left;
		void *p = guestmem_at(g->r->mem, at, &len);

		if (!p || g->c.spans == g->room) {
			break_it(g->r, p ? "a chain is in too many pieces" :
				 "a descriptor is outside of the memory");
			return false;
		}
		g->v[g->c.spans++] = (struct span){ .p = p, .len = len };
		g->c.bytes += len;
		left -= len;
		at += len;
	}
	return true;
}

/* Copy a descriptor of an indirect table, which has no alignment. */
static bool table_desc(struct gather *g, const struct desc *table, uint32_t i,
		       struct desc *out)
{
	uint8_t b[DESC_BYTES];
	size_t have = 0;

	while (have < sizeof(b)) {
		size_t len = sizeof(b) - have;
		const void *p = guestmem_at(g->r->mem, table->addr +
					    (uint64_t)i * DESC_BYTES + have,
					    &len);

		if (!p) {
			break_it(g->r, "an indirect table is outside of the "
				 "memory");
			return false;
		}
		copy_once(b + have, p, len);
		have += len;
	}
	*out = parse_desc(b, g->r->packed);
	return true;
}

static bool add_table(struct gather *g, const struct desc *table)
{
	const uint32_t n = table->len / DESC_BYTES;
	struct desc d;

	if (!g->r->indirect || !n || table->len % DESC_BYTES) {
		break_it(g->r, "an indirect table is not allowed so");
		return false;
	}
	for (uint32_t i = 0; i < n; i = g->r->packed ? i + 1 : d.next) {
		if (!table_desc(g, table, i, &d))
			return false;
		if (d.flags & DESC_INDIRECT) {
			break_it(g->r, "an indirect table in another one");
			return false;
		}
		if (!add_bytes(g, &d))
			return false;
		if (!g->r->packed && !(d.flags & DESC_NEXT))
			return true;
	}
	/* Packed: all of a table is the chain (2.8.7). */
	if (!g->r->packed)
		break_it(g->r, "an indirect table goes on past its end");
	return g->r->packed;
}

/* One of the ring's own descriptors. */
static bool add_one(struct gather *g, const struct desc *d)
{
	if (!(d->flags & DESC_INDIRECT))
		return add_bytes(g, d);
	if (d->flags & DESC_NEXT) {
		break_it(g->r, "a chain goes on behind its indirect table");
		return false;
	}
	return add_table(g, d);
}

static bool take_split(struct gather *g)
{
	struct vring *r = g->r;
	const uint16_t mask = (uint16_t)(r->size - 1);
	const uint16_t waiting = (uint16_t)(load16(r->driver + 2) - r->avail);
	uint16_t at;
	struct desc d;

	if (!waiting)
		return false;
	if (waiting > r->size) {
		break_it(r, "more is available than the ring can hold");
		return false;
	}
	at = load16(r->driver + 4 + 2 * (size_t)(r->avail & mask));
	g->c.id = at;
	g->c.entries = 1;
	do {
		if (at >= r->size) {
			break_it(r, "a descriptor that the ring has not");
			return false;
		}
		d = ring_desc(r, at);
		if (!add_one(g, &d))
			return false;
		at = d.next;
	} while (d.flags & DESC_NEXT);
	r->avail++;
	return true;
}

static void step(const struct vring *r, uint16_t *at, bool *wrap,
		 uint16_t by)
{
	*at = (uint16_t)(*at + by);
	if (*at >= r->size) {
		*at = (uint16_t)(*at - r->size);
		*wrap = !*wrap;
	}
}

/* Is the descriptor there made available, and not used yet? */
static bool is_available(const struct vring *r)
{
	const uint16_t flags = load16(r->desc + (size_t)r->avail * DESC_BYTES +
				      FLAGS_AT);

	return !!(flags & DESC_AVAIL) == r->avail_wrap &&
	       !!(flags & DESC_USED) != r->avail_wrap;
}

static bool take_packed(struct gather *g)
{
	struct vring *r = g->r;
	uint16_t at = r->avail;
	bool wrap = r->avail_wrap;
	struct desc d;

	if (!is_available(r))
		return false;
	do {
		if (g->c.entries == r->size) {
			break_it(r, "a chain is longer than its ring");
			return false;
		}
		d = ring_desc(r, at);
		if (!add_one(g, &d))
			return false;
		g->c.entries++;
		step(r, &at, &wrap, 1);
	} while (d.flags & DESC_NEXT);
	g->c.id = d.id;
	r->avail = at;
	r->avail_wrap = wrap;
	return true;
}

bool vring_take(struct vring *r, bool writable, struct span *v,
		unsigned room, struct vring_chain *out)
{
	struct gather g = { .r = r, .writable = writable, .v = v,
			    .room = room, .left = r->size };

	if (r->broken || !(r->packed ? take_packed(&g) : take_split(&g)))
		return false;
	*out = g.c;
	return true;
}

void vring_untake(struct vring *r, const struct vring_chain *c)
{
	if (!r->packed) {
		r->avail--;
		return;
	}
	if (r->avail < c->entries) {
		r->avail = (uint16_t)(r->avail + r->size);
		r->avail_wrap = !r->avail_wrap;
	}
	r->avail = (uint16_t)(r->avail - c->entries);
}

/* ---- put ---- */

static void put_split(struct vring *r, const struct vring_chain *c,
		      uint32_t written)
{
	const uint16_t i = (uint16_t)(r->used + r->staged) &
			   (uint16_t)(r->size - 1);
	uint8_t *at = r->device + 4 + USED_BYTES * (size_t)i;

	store32(at, c->id);
	store32(at + 4, written);
	wrote(r, at, USED_BYTES);
	r->staged++;
}

/* The first is not to be seen before the others are complete. */
static void put_packed(struct vring *r, const struct vring_chain *c,
		       uint32_t written)
{
	uint8_t *at = r->desc + (size_t)r->used * DESC_BYTES;
	const uint16_t flags = (uint16_t)
		((r->used_wrap ? DESC_AVAIL | DESC_USED : 0) |
		 (written ? DESC_WRITE : 0));

	store32(at + LEN_AT, written);
	store16(at + ID_AT, c->id);
	if (r->staged) {
		store16(at + FLAGS_AT, flags);
	} else {
		r->first_at = r->used;
		r->first_flags = flags;
	}
	wrote(r, at, DESC_BYTES);
	r->staged += c->entries;
	step(r, &r->used, &r->used_wrap, c->entries);
}

void vring_put(struct vring *r, const struct vring_chain *c,
	       uint32_t written)
{
	if (r->packed)
		put_packed(r, c, written);
	else
		put_split(r, c, written);
}

void vring_publish(struct vring *r)
{
	if (!r->staged)
		return;
	if (r->packed) {
		store16(r->desc + (size_t)r->first_at * DESC_BYTES + FLAGS_AT,
			r->first_flags);
	} else {
		r->used = (uint16_t)(r->used + r->staged);
		store16(r->device + 2, r->used);
		wrote(r, r->device + 2, 2);
	}
	r->unsaid += r->staged;
	r->staged = 0;
}

/* ---- who tells whom ---- */

static bool split_wants_call(const struct vring *r)
{
	uint16_t event;

	if (!r->event_idx)
		return !(load16(r->driver) & NO_INTERRUPT);
	event = load16(r->driver + 4 + 2 * (size_t)r->size);
	/* 2.7.7.2: has what it asked about been passed just now? */
	return (uint16_t)(r->used - event - 1) < r->unsaid;
}

static bool packed_wants_call(const struct vring *r)
{
	const uint16_t event = load16(r->driver);
	const uint16_t flags = load16(r->driver + 2) & 3;
	const uint16_t at = event & INDEX_MASK;
	uint32_t back;

	if (flags != EVENT_DESC || !r->event_idx)
		return flags != EVENT_DISABLE;
	/* How many entries before the next one it stands. */
	back = !!(event & WRAP_BIT) == r->used_wrap ?
	       (uint32_t)r->used - at : (uint32_t)r->used + r->size - at;
	return back - 1 < r->unsaid;
}

bool vring_wants_call(struct vring *r)
{
	bool yes;

	if (r->broken || !r->unsaid)
		return false;
	/* What was published is to be seen before its wish is read. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	yes = r->packed ? packed_wants_call(r) : split_wants_call(r);
	r->unsaid = 0;
	return yes;
}

static void ask_split(struct vring *r, bool tell)
{
	uint8_t *event = r->device + 4 + USED_BYTES * (size_t)r->size;

	if (!r->event_idx) {
		store16(r->device, tell ? 0 : NO_NOTIFY);
		wrote(r, r->device, 2);
	} else if (tell) {
		store16(event, r->avail);
		wrote(r, event, 2);
	}
}

/* The device's area is not logged: 2.8's events are for the moment only. */
static void ask_packed(struct vring *r, bool tell)
{
	if (tell && r->event_idx) {
		store16(r->device, (uint16_t)(r->avail | (r->avail_wrap ?
							  WRAP_BIT : 0)));
		store16(r->device + 2, EVENT_DESC);
	} else {
		store16(r->device + 2, tell ? EVENT_ENABLE : EVENT_DISABLE);
	}
}

bool vring_ask(struct vring *r, bool tell)
{
	if (r->broken)
		return false;
	if (r->packed)
		ask_packed(r, tell);
	else
		ask_split(r, tell);
	if (!tell)
		return false;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return r->packed ? is_available(r) :
			   load16(r->driver + 2) != r->avail;
}

/* ---- spans ---- */

/* Step over whole spans: the one that byte `at` is in. */
static unsigned find(const struct span *v, unsigned n, size_t *at)
{
	unsigned i = 0;

	while (i < n && *at >= v[i].len)
		*at -= v[i++].len;
	return i;
}

size_t vring_read(const struct span *v, unsigned n, size_t at, void *buf,
		  size_t len)
{
	size_t done = 0;

	for (unsigned i = find(v, n, &at); i < n && done < len; i++) {
		const size_t part = v[i].len - at < len - done ?
				    v[i].len - at : len - done;

		copy_once((uint8_t *)buf + done, (uint8_t *)v[i].p + at, part);
		done += part;
		at = 0;
	}
	return done;
}

size_t vring_write(const struct span *v, unsigned n, size_t at,
		   const void *buf, size_t len)
{
	size_t done = 0;

	for (unsigned i = find(v, n, &at); i < n && done < len; i++) {
		const size_t part = v[i].len - at < len - done ?
				    v[i].len - at : len - done;

		memcpy((uint8_t *)v[i].p + at, (const uint8_t *)buf + done,
		       part);
		done += part;
		at = 0;
	}
	return done;
}
