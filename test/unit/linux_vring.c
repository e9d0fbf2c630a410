/* SPDX-License-Identifier: MIT */
/*
 * test/unit/linux_vring.c - queues, against a driver and against a hostile one
 */
#include "linux/vring.h"

#include <stdlib.h>
#include <string.h>

#include "driver/driver.h"
#include "linux/guestmem.h"
#include "sim/rng.h"
#include "test.h"

#define MEM_BYTES	(256u << 10)
#define DATA_AT		(64u << 10)	/* chains' pieces: in here */
#define TABLES_AT	(192u << 10)
#define USER		0x7f0000000000u	/* of the machine's process */
#define STEPS		20000u

struct pair {
	struct guestmem mem;
	uint8_t *bytes;
	struct driver_ring driver;
	struct vring ring;
	struct rng rng;
	bool indirect, writable;
	/* Chains as the driver made them, and how far they are. */
	struct driver_piece made[DRIVER_SIZE_MAX][4];
	unsigned pieces[DRIVER_SIZE_MAX];
	uint32_t added, seen, taken, put, reaped;
	struct vring_chain chain[DRIVER_SIZE_MAX];
	bool driver_waits, device_waits;
};

static void begin(struct pair *p, uint16_t size, unsigned how, uint64_t seed)
{
	const struct vring_place at = {
		.desc = USER, .driver = USER + DRIVER_AT,
		.device = USER + DEVICE_AT,
	};

	memset(p, 0, sizeof(*p));
	p->rng.state = seed;
	p->bytes = calloc(1, MEM_BYTES);
	if (!p->bytes)
		abort();
	p->indirect = how & 4;
	p->writable = how & 8;
	/* Two regions that meet in the middle of the data. */
	p->mem.n = 2;
	p->mem.region[0] = (struct guestmem_region){
		.guest = 0, .user = USER, .bytes = DATA_AT + 500,
		.at = p->bytes,
	};
	p->mem.region[1] = (struct guestmem_region){
		.guest = DATA_AT + 500, .user = USER + (1 << 30),
		.bytes = MEM_BYTES - DATA_AT - 500,
		.at = p->bytes + DATA_AT + 500,
	};
	driver_init(&p->driver, p->bytes, 0, size, how & 1, how & 2);
	p->ring = (struct vring){ .size = size, .packed = how & 1,
				  .event_idx = how & 2, .indirect = true };
	CHECK("start", vring_start(&p->ring, &p->mem, &at,
				   how & 1 ? 0x8000 : 0));
}

static void add(struct pair *p)
{
	const uint32_t i = p->added % DRIVER_SIZE_MAX;
	const unsigned n = 1 + rng_below(&p->rng, 4);
	const bool table = p->indirect && rng_below(&p->rng, 2);

	for (unsigned k = 0; k < n; k++) {
		struct driver_piece *d = &p->made[i][k];

		d->at = DATA_AT + rng_below(&p->rng, 1000);
		d->len = rng_below(&p->rng, 700);
		d->write = p->writable;
	}
	p->pieces[i] = n;
	if (driver_add(&p->driver, p->made[i], n,
		       table ? p->bytes + TABLES_AT + i * 64 : NULL,
		       TABLES_AT + i * 64))
		p->added++;
}

/* Who waits to be told is told. */
static void publish(struct pair *p)
{
	const bool new = p->seen != p->added;
	bool kick;

	driver_publish(&p->driver);
	kick = driver_wants_kick(&p->driver);
	if (new && p->device_waits)
		CHECK("kick", kick);
	p->device_waits = p->device_waits && !new;
	p->seen = p->added;
}

static void check_chain(const struct pair *p, const struct span *v,
			const struct vring_chain *c)
{
	const uint32_t i = p->taken % DRIVER_SIZE_MAX;
	size_t all = 0;
	unsigned s = 0;

	for (unsigned k = 0; k < p->pieces[i]; k++) {
		size_t left = p->made[i][k].len;
		const uint8_t *at = p->bytes + p->made[i][k].at;

		all += left;
		while (left && s < c->spans) {
			CHECK("piece", v[s].p == at && v[s].len <= left);
			at += v[s].len;
			left -= v[s++].len;
		}
		CHECK("whole", !left);
	}
	CHECK("bytes", c->bytes == all && s == c->spans);
}

static void take(struct pair *p)
{
	struct span v[VRING_SPANS_MAX];
	struct vring_chain *c = &p->chain[p->taken % DRIVER_SIZE_MAX];
	const bool had = vring_take(&p->ring, p->writable, v,
				    VRING_SPANS_MAX, c);

	CHECK("sound", !p->ring.broken);
	CHECK("there", had == (p->taken != p->seen));
	if (!had)
		return;
	check_chain(p, v, c);
	p->taken++;
	while (p->taken != p->put && rng_chance(&p->rng, 200))
		vring_untake(&p->ring,
			     &p->chain[--p->taken % DRIVER_SIZE_MAX]);
}

static void put(struct pair *p)
{
	const uint32_t from = p->put;
	bool call;

	while (p->put != p->taken && !rng_chance(&p->rng, 300)) {
		vring_put(&p->ring, &p->chain[p->put % DRIVER_SIZE_MAX],
			  p->put);
		p->put++;
		CHECK("unseen", p->reaped != from ||
				!driver_ask(&p->driver, true));
	}
	vring_publish(&p->ring);
	call = vring_wants_call(&p->ring);
	if (p->put != from && p->driver_waits)
		CHECK("call", call);
	p->driver_waits = p->driver_waits && p->put == from;
}

static void reap(struct pair *p)
{
	uint32_t written;

	while (driver_used(&p->driver, &written)) {
		CHECK("used", p->reaped != p->put && written == p->reaped);
		p->reaped++;
	}
	CHECK("all", p->reaped == p->put);
	p->driver_waits = !driver_ask(&p->driver, true);
	CHECK("none", p->driver_waits);
}

static void run(uint16_t size, unsigned how)
{
	static struct pair p;

	begin(&p, size, how, how);
	for (unsigned i = 0; i < STEPS; i++) {
		const uint32_t what = rng_below(&p.rng, 8);

		if (what < 2)
			add(&p);
		else if (what == 2)
			publish(&p);
		else if (what < 5)
			take(&p);
		else if (what == 5)
			put(&p);
		else if (what == 6)
			reap(&p);
		else
			p.device_waits = !vring_ask(&p.ring, true);
	}
	CHECK("went round", p.reaped > 4u * size);
	free(p.bytes);
}

/* ---- what no driver does ---- */

enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };

struct raw {
	uint64_t at;
	uint32_t len;
	uint16_t flags, next;
};

#define DATA	DATA_AT
#define TABLE	TABLES_AT

static const struct {
	const char *name;
	uint16_t avail, first;		/* index, and the ring's entry 0 */
	struct raw d[4], table[3];
	const char *why;		/* NULL: it is taken */
} nonsense[] = {
	{ "good", 1, 0, { { DATA, 10, 0, 0 } }, { { 0 } }, NULL },
	{ "empty pieces", 1, 0, { { DATA, 0, NEXT, 1 }, { ~0ull, 0, 0, 0 } },
	  { { 0 } }, NULL },
	{ "to the last byte", 1, 0, { { MEM_BYTES - 9, 9, 0, 0 } }, { { 0 } },
	  NULL },
	{ "table", 1, 0, { { TABLE, 32, INDIRECT, 0 } },
	  { { DATA, 1, NEXT, 1 }, { DATA, 2, 0, 0 } }, NULL },
	{ "too many available", 9, 0, { { DATA, 10, 0, 0 } }, { { 0 } },
	  "more is available" },
	{ "index back", 0xffff, 0, { { DATA, 10, 0, 0 } }, { { 0 } },
	  "more is available" },
	{ "no such descriptor", 1, 8, { { 0 } }, { { 0 } }, "has not" },
	{ "next past the end", 1, 0, { { DATA, 1, NEXT, 8 } }, { { 0 } },
	  "has not" },
	{ "loop", 1, 0, { { DATA, 1, NEXT, 1 }, { DATA, 1, NEXT, 0 } },
	  { { 0 } }, "longer" },
	{ "loop of nothing", 1, 0, { { DATA, 0, NEXT, 0 } }, { { 0 } },
	  "longer" },
	{ "nowhere", 1, 0, { { MEM_BYTES, 1, 0, 0 } }, { { 0 } }, "outside" },
	{ "past the end", 1, 0, { { MEM_BYTES - 9, 10, 0, 0 } }, { { 0 } },
	  "outside" },
	{ "4 GiB", 1, 0, { { DATA, 0xffffffff, 0, 0 } }, { { 0 } },
	  "outside" },
	{ "round the end", 1, 0, { { ~0ull - 3, 8, 0, 0 } }, { { 0 } },
	  "outside" },
	{ "direction", 1, 0, { { DATA, 1, WRITE, 0 } }, { { 0 } },
	  "direction" },
	{ "table of nothing", 1, 0, { { TABLE, 0, INDIRECT, 0 } }, { { 0 } },
	  "not allowed so" },
	{ "table and a half", 1, 0, { { TABLE, 24, INDIRECT, 0 } }, { { 0 } },
	  "not allowed so" },
	{ "table nowhere", 1, 0, { { MEM_BYTES, 16, INDIRECT, 0 } },
	  { { 0 } }, "table is outside" },
	{ "table cut off", 1, 0, { { MEM_BYTES - 8, 16, INDIRECT, 0 } },
	  { { 0 } }, "table is outside" },
	{ "more behind a table", 1, 0,
	  { { TABLE, 16, INDIRECT | NEXT, 1 }, { DATA, 1, 0, 0 } },
	  { { DATA, 1, 0, 0 } }, "behind its indirect" },
	{ "table in a table", 1, 0, { { TABLE, 16, INDIRECT, 0 } },
	  { { TABLE, 16, INDIRECT, 0 } }, "in another" },
	{ "table's next", 1, 0, { { TABLE, 16, INDIRECT, 0 } },
	  { { DATA, 1, NEXT, 1 } }, "past its end" },
	{ "table's loop", 1, 0, { { TABLE, 32, INDIRECT, 0 } },
	  { { DATA, 1, NEXT, 1 }, { DATA, 1, NEXT, 0 } }, "longer" },
};

static void write_raw(uint8_t *to, const struct raw *d)
{
	memcpy(to, &d->at, 8);
	memcpy(to + 8, &d->len, 4);
	memcpy(to + 12, &d->flags, 2);
	memcpy(to + 14, &d->next, 2);
}

static void check_nonsense(size_t i)
{
	static struct pair p;
	const char *name = nonsense[i].name;
	struct vring_chain c;
	struct span v[VRING_SPANS_MAX];
	bool taken;

	begin(&p, 8, 0, 1);
	for (unsigned k = 0; k < 4; k++)
		write_raw(p.bytes + 16 * k, &nonsense[i].d[k]);
	for (unsigned k = 0; k < 3; k++)
		write_raw(p.bytes + TABLE + 16 * k, &nonsense[i].table[k]);
	memcpy(p.bytes + DRIVER_AT + 2, &nonsense[i].avail, 2);
	memcpy(p.bytes + DRIVER_AT + 4, &nonsense[i].first, 2);
	taken = vring_take(&p.ring, false, v, VRING_SPANS_MAX, &c);
	CHECK(name, taken == !nonsense[i].why);
	CHECK(name, !p.ring.broken == taken);
	if (p.ring.broken && nonsense[i].why)
		CHECK(name, strstr(p.ring.broken, nonsense[i].why));
	/* From then on it is let alone. */
	if (!taken) {
		CHECK(name, !vring_take(&p.ring, false, v, 8, &c));
		CHECK(name, !vring_ask(&p.ring, true));
		CHECK(name, !vring_wants_call(&p.ring));
	}
	free(p.bytes);
}

/* Packed: a chain that goes all the way round. */
static void check_round(void)
{
	static struct pair p;
	const struct raw d = { DATA, 1, 0, NEXT | 1 << 7 };
	struct vring_chain c;
	struct span v[VRING_SPANS_MAX];

	begin(&p, 8, 1, 1);
	for (unsigned k = 0; k < 8; k++)
		write_raw(p.bytes + 16 * k, &d);
	CHECK("round", !vring_take(&p.ring, false, v, VRING_SPANS_MAX, &c));
	CHECK("round", p.ring.broken && strstr(p.ring.broken, "longer"));
	free(p.bytes);
}

/* Sizes and places of the areas. */
static void check_places(void)
{
	static struct pair p;
	static const struct {
		uint16_t size;
		uint64_t desc, driver, device;
		bool good;
	} at[] = {
		{ 8, 0, 1024, 2048, true },
		{ 0, 0, 1024, 2048, false },
		{ 7, 0, 1024, 2048, false },
		{ VRING_SIZE_MAX, 512, 0, 0, false },	/* past the region */
		{ VRING_SIZE_MAX * 2, 0, 0, 0, false },
		{ 8, 8, 1024, 2048, false },
		{ 8, 0, 1025, 2048, false },
		{ 8, 0, 1024, 2050, false },
		{ 8, DATA_AT + 500 - 127, 1024, 2048, false },
		{ 8, ~0ull - USER, 1024, 2048, false },
	};

	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		const struct vring_place place = {
			USER + at[i].desc, USER + at[i].driver,
			USER + at[i].device,
		};

		begin(&p, 8, 0, 1);
		p.ring.size = at[i].size;
		CHECK("place", vring_start(&p.ring, &p.mem, &place, 0) ==
			       at[i].good);
		free(p.bytes);
	}
}

/* Stopped and started where it stood, also elsewhere in the lap. */
static void check_base(void)
{
	for (unsigned packed = 0; packed < 2; packed++) {
		static struct pair p;
		const struct vring_place at = {
			.desc = USER, .driver = USER + DRIVER_AT,
			.device = USER + DEVICE_AT,
		};

		begin(&p, 16, packed, 5);
		for (unsigned i = 0; i < 300; i++) {
			add(&p);
			publish(&p);
			take(&p);
			while (p.taken != p.put)
				put(&p);
			reap(&p);
			CHECK("again", vring_start(&p.ring, &p.mem, &at,
						   vring_base(&p.ring)));
		}
		CHECK("all of them", p.reaped > 100);
		free(p.bytes);
	}
}

void test_linux_vring(void);
void test_linux_vring(void)
{
	for (unsigned how = 0; how < 16; how++) {
		run(16, how);
		run(256, how);
		if (how & 1)
			run(23, how);
	}
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++)
		check_nonsense(i);
	check_round();
	check_places();
	check_base();
}
