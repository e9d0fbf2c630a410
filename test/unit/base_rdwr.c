/* SPDX-License-Identifier: MIT */
/* test/unit/base_rdwr.c - base/rd.h and base/wr.h, headers only. */
#include "base/rd.h"
#include "base/wr.h"

#include "exact.h"
#include "test.h"

#define ALL 15			/* bytes that put() writes */

static void put(struct wr *w)
{
	wr_u8(w, 0x01);
	wr_be16(w, 0x0203);
	wr_be32(w, 0x84050607);
	wr_bytes(w, "abc", 3);
	wr_zero(w, 2);
	wr_bytes(w, NULL, 0);
	wr_be16(w, 0xfffe);
	wr_u8(w, 0xff);
}

/* What a reader of n bytes of put() must see of each field. */
static void check_read(const uint8_t *p, size_t n)
{
	struct rd r = rd(p, n), cut;
	const uint8_t *abc;

	CHECK("u8", rd_u8(&r) == (n >= 1 ? 0x01 : 0));
	CHECK("be16", rd_be16(&r) == (n >= 3 ? 0x0203 : 0));
	CHECK("be32", rd_be32(&r) == (n >= 7 ? 0x84050607 : 0));
	abc = rd_bytes(&r, 3);
	CHECK("bytes", n >= 10 ? abc == p + 7 : !abc);
	cut = rd_cut(&r, 2);
	CHECK("cut", cut.bad == (n < 12) && cut.left == (n < 12 ? 0 : 2));
	CHECK("of cut", rd_be16(&cut) == 0);
	CHECK("past cut", rd_u8(&cut) == 0 && cut.bad && !cut.left);
	CHECK("be16", rd_be16(&r) == (n >= 14 ? 0xfffe : 0));
	CHECK("u8", rd_u8(&r) == (n >= 15 ? 0xff : 0));
	CHECK("bad", r.bad == (n < ALL));
	CHECK("left", r.left == 0);
	CHECK("past end", rd_be32(&r) == 0 && r.bad && !r.left);
}

void test_base_rdwr(void);
void test_base_rdwr(void)
{
	uint8_t whole[ALL];
	struct wr w = wr(whole, ALL);
	struct rd r;

	put(&w);
	CHECK("fits", !w.bad && !w.left && w.p == whole + ALL);
	for (size_t n = 0; n <= ALL; n++) {
		uint8_t *copy = exact(whole, n), *room = exact(whole, n);

		check_read(copy, n);
		memset(room, 0xee, n);
		w = wr(room, n);
		put(&w);
		CHECK("writer bad", w.bad == (n < ALL) && !w.left);
		CHECK("prefix", !memcmp(room, whole,
					(size_t)(w.p - room)));
		for (size_t i = (size_t)(w.p - room); i < n; i++)
			CHECK("no half field", room[i] == 0xee);
		free(copy);
		free(room);
	}
	/* Lengths near the end of size_t do not wrap. */
	r = rd(whole, ALL);
	CHECK("huge", !rd_bytes(&r, SIZE_MAX) && r.bad && !r.left);
	w = wr(whole, ALL);
	CHECK("huge room", !wr_room(&w, SIZE_MAX) && w.bad && !w.left);
	/* A copy looks ahead. */
	r = rd(whole, ALL);
	(void)rd_cut(&(struct rd){ .p = r.p, .left = r.left }, 4);
	CHECK("value", rd_u8(&r) == 1 && r.left == ALL - 1);
}
