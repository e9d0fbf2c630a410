/* SPDX-License-Identifier: MIT */
/* test/unit/proto_reassembly.c - fragments in, packets or refusals out. */
#include "proto/reassembly.h"

#include <stdlib.h>
#include <string.h>

#include "test.h"

#define PIECES_MAX	12

struct host {
	size_t blocks;
	bool no_memory;
	unsigned frames;
	uint8_t icmp_type, icmp_code;	/* of the last frame */
	uint8_t pointer;		/* and what its fourth word ends in */
};

static void *mem_alloc(void *ctx, size_t bytes)
{
	struct host *h = ctx;

	if (h->no_memory)
		return NULL;
	h->blocks++;
	return malloc(bytes);
}

static void mem_free(void *ctx, void *p, size_t bytes)
{
	((struct host *)ctx)->blocks--;
	(void)bytes;
	free(p);
}

static int link_send(void *ctx, unsigned link, const struct frame_meta *meta,
		     const struct span *v, unsigned n)
{
	struct host *h = ctx;

	(void)meta;
	CHECK("the first link", link == 0);
	CHECK("head and message", n == 2 && v[1].len > 8);
	h->frames++;
	h->icmp_type = ((const uint8_t *)v[1].p)[0];
	h->icmp_code = ((const uint8_t *)v[1].p)[1];
	h->pointer = ((const uint8_t *)v[1].p)[7];
	return 0;
}

static const struct env_ops ops = {
	.mem_alloc = mem_alloc, .mem_free = mem_free, .link_send = link_send,
};

struct fixture {
	struct host host;
	struct proto p;
	struct reassembly r;
};

static void setup(struct fixture *f)
{
	const struct siphash_key key = { { 1, 2 } };

	memset(f, 0, sizeof(*f));
	f->p.env = (struct env){ .ops = &ops, .ctx = &f->host };
	f->p.now_ns = UINT64_C(10000000000);
	f->p.mtu = 1500;
	f->p.gateway4 = ip_from_v4(0xac140001);
	f->p.gateway6 = (struct ip){ .b = { 0xfd, [15] = 1 } };
	wheel_init(&f->p.wheel, f->p.now_ns);
	guests_init(&f->p.guests, &f->p.gateway_mac, &key);
	ASSERT(guests_add(&f->p.guests, &(struct guests_new){ .link = 0 }) == 0);
}

static void teardown(const char *name, struct fixture *f)
{
	reassembly_fini(&f->p, &f->r);
	CHECK(name, f->host.blocks == 0);
	CHECK(name, !timer_armed(&f->r.timer));
}

/* Every byte of a payload tells its place, but for those of `wrong`. */
static uint8_t byte_at(size_t i, bool wrong)
{
	return (uint8_t)((i * 7 + i / 251) ^ (wrong ? 0xff : 0));
}

struct piece {
	uint32_t from, len;
	bool more, wrong;
};

static enum drop add(struct fixture *f, bool v6, uint32_t id,
		     const struct piece *piece, struct view *out)
{
	struct ip_packet ip = {
		.v6 = v6, .proto = PROTO_UDP, .ttl = 9, .tos = 3,
		.fragment = true, .more = piece->more, .frag_id = id,
		.frag_offset = (uint16_t)piece->from,
	};
	const size_t head = v6 ? IPV6_HEADER_BYTES + IPV6_FRAGMENT_BYTES :
				 IPV4_HEADER_BYTES;
	uint8_t *whole = calloc(1, head + piece->len), *bytes = whole + head;
	enum drop drop;

	if (!whole)
		abort();
	ip.src = v6 ? (struct ip){ .b = { 0xfd, [15] = 2 } } :
		      ip_from_v4(0xac140002);
	ip.dst = v6 ? (struct ip){ .b = { 0x20, 1, [15] = 7 } } :
		      ip_from_v4(0xc0000201);
	for (uint32_t i = 0; i < piece->len; i++)
		bytes[i] = byte_at(piece->from + i, piece->wrong);
	ip.whole = (struct view){ .p = whole, .len = head + piece->len };
	ip.payload = (struct view){ .p = bytes, .len = piece->len };
	drop = reassembly_add(&f->p, &f->r, &ip, out);
	free(whole);
	return drop;
}

/* The drop is that of the last piece; those before are accepted. */
static const struct {
	const char *name;
	struct piece pieces[PIECES_MAX];
	unsigned n;
	enum drop want;
	uint32_t whole;			/* bytes of payload; 0: incomplete */
} cases[] = {
	{ "in order", { { 0, 8, 1 }, { 8, 8, 1 }, { 16, 3, 0 } }, 3,
	  DROP_OK, 19 },
	{ "backwards", { { 16, 3, 0 }, { 8, 8, 1 }, { 0, 8, 1 } }, 3,
	  DROP_OK, 19 },
	{ "middle last", { { 0, 8, 1 }, { 16, 3, 0 }, { 8, 8, 1 } }, 3,
	  DROP_OK, 19 },
	{ "end of no bytes", { { 0, 8, 1 }, { 8, 0, 0 } }, 2, DROP_OK, 8 },
	{ "no end", { { 0, 8, 1 }, { 8, 8, 1 } }, 2, DROP_OK, 0 },
	{ "no start", { { 8, 8, 1 }, { 16, 8, 0 } }, 2, DROP_OK, 0 },
	{ "hole", { { 0, 8, 1 }, { 16, 8, 0 } }, 2, DROP_OK, 0 },
	{ "the same twice", { { 0, 8, 1 }, { 0, 8, 1 }, { 8, 8, 0 } }, 3,
	  DROP_OK, 16 },
	{ "the same within a joined one",
	  { { 0, 8, 1 }, { 8, 8, 1 }, { 8, 8, 1 }, { 16, 1, 0 } }, 4,
	  DROP_OK, 17 },
	{ "large", { { 0, 1480, 1 }, { 2960, 64000 - 2960, 0 },
		     { 1480, 1480, 1 } }, 3, DROP_OK, 64000 },

	{ "the same place, other bytes",
	  { { 0, 8, 1 }, { 0, 8, 1, true } }, 2, DROP_FRAGMENT, 0 },
	{ "overlap at the front", { { 8, 16, 1 }, { 0, 16, 1 } }, 2,
	  DROP_FRAGMENT, 0 },
	{ "overlap at the back", { { 0, 16, 1 }, { 8, 16, 1 } }, 2,
	  DROP_FRAGMENT, 0 },
	{ "covering", { { 8, 8, 1 }, { 0, 24, 1 } }, 2, DROP_FRAGMENT, 0 },
	{ "not of 8", { { 0, 9, 1 } }, 1, DROP_LENGTH, 0 },
	{ "of none, more", { { 0, 0, 1 } }, 1, DROP_LENGTH, 0 },
	{ "past the end", { { 8, 8, 0 }, { 16, 8, 1 } }, 2, DROP_LENGTH, 0 },
	{ "end before what is there", { { 8, 16, 1 }, { 8, 8, 0 } }, 2,
	  DROP_LENGTH, 0 },
	{ "two ends", { { 8, 8, 0 }, { 16, 8, 0 } }, 2, DROP_LENGTH, 0 },
	{ "longer than a packet", { { 65528, 1000, 1 } }, 1, DROP_LENGTH, 0 },
	{ "nine holes",
	  { { 8, 8, 1 }, { 24, 8, 1 }, { 40, 8, 1 }, { 56, 8, 1 },
	    { 72, 8, 1 }, { 88, 8, 1 }, { 104, 8, 1 }, { 120, 8, 1 },
	    { 136, 8, 1 } }, 9, DROP_FRAGMENT, 0 },
};

static void check_whole(const char *name, bool v6, uint32_t len,
			struct view whole)
{
	struct ip_packet ip;
	bool same = true;

	CHECK(name, ip_parse_packet(rd(whole.p, whole.len), v6, &ip) ==
		    DROP_OK);
	CHECK(name, ip.payload.len == len && !ip.fragment);
	CHECK(name, ip.ttl == 9 && ip.tos == 3 && ip.proto == PROTO_UDP);
	for (size_t i = 0; i < ip.payload.len; i++)
		same = same && ip.payload.p[i] == byte_at(i, false);
	CHECK(name, same);
}

static void check_case(size_t i, bool v6)
{
	const char *name = cases[i].name;
	struct view out = { 0 };
	struct fixture f;

	setup(&f);
	for (unsigned k = 0; k < cases[i].n; k++) {
		const bool last = k + 1 == cases[i].n;

		CHECK(name, !out.p);
		CHECK(name, add(&f, v6, 5, &cases[i].pieces[k], &out) ==
			    (last ? cases[i].want : DROP_OK));
	}
	CHECK(name, !cases[i].whole == !out.p);
	if (out.p)
		check_whole(name, v6, cases[i].whole, out);
	reassembly_done(&f.p, &f.r);
	if (cases[i].want != DROP_OK)	/* all of it was forgotten */
		CHECK(name, f.host.blocks == 0);
	teardown(name, &f);
}

/* After a minute the sender is told, if we can tell it of what. */
static void check_time_out(bool v6, uint32_t first, unsigned told)
{
	const struct piece piece = { first, 2000, true };
	struct view out;
	struct fixture f;

	setup(&f);
	CHECK("a piece", add(&f, v6, 5, &piece, &out) == DROP_OK);
	CHECK("armed", wheel_next(&f.p.wheel) <= f.p.now_ns + REASSEMBLY_NS);
	f.p.now_ns += REASSEMBLY_NS - 1;
	reassembly_timer(&f.p, &f.r);
	CHECK("not yet", f.host.blocks == 1 && timer_armed(&f.r.timer));
	f.p.now_ns += 2;
	reassembly_timer(&f.p, &f.r);
	CHECK("forgotten", f.host.blocks == 0);
	CHECK("told", f.host.frames == told);
	if (told)
		CHECK("time exceeded", f.host.icmp_type == (v6 ? 3 : 11) &&
				       f.host.icmp_code == 1);
	wheel_cancel(&f.p.wheel, &f.r.timer);
	teardown("time out", &f);
}

/* More than there is room for: the oldest makes room. */
static void check_flood(void)
{
	const struct piece first = { 0, 8, true }, last = { 8, 8, false };
	struct view out;
	struct fixture f;

	setup(&f);
	for (uint32_t id = 0; id <= REASSEMBLY_MAX; id++) {
		f.p.now_ns++;
		CHECK("flood", add(&f, false, id, &first, &out) == DROP_OK);
		CHECK("bounded", f.host.blocks <= REASSEMBLY_MAX);
	}
	CHECK("counted", f.p.drops[DROP_LIMIT] == 1);
	CHECK("newest is there",
	      add(&f, false, REASSEMBLY_MAX, &last, &out) == DROP_OK && out.p);
	reassembly_done(&f.p, &f.r);
	CHECK("oldest is gone",
	      add(&f, false, 0, &last, &out) == DROP_OK && !out.p);
	f.host.no_memory = true;
	CHECK("no memory", add(&f, false, 99, &first, &out) == DROP_LIMIT);
	teardown("flood", &f);
}

/* RFC 8200 section 4.5: told which field is wrong; IPv4 never. */
static void check_misfits(void)
{
	static const struct {
		struct piece piece;
		uint8_t pointer;
	} misfits[] = {
		{ { 0, 7, true, false }, 4 },
		{ { 65528, 16, false, false }, 42 },
	};
	struct fixture f;
	struct view out;

	setup(&f);
	for (unsigned i = 0; i < 2; i++) {
		f.host.frames = 0;
		CHECK("IPv4", add(&f, false, i, &misfits[i].piece, &out) ==
			      DROP_LENGTH && !f.host.frames);
		CHECK("IPv6", add(&f, true, i, &misfits[i].piece, &out) ==
			      DROP_LENGTH && f.host.frames == 1);
		CHECK("the field", f.host.icmp_type == 4 &&
				   f.host.icmp_code == 0 &&
				   f.host.pointer == misfits[i].pointer);
	}
	/* However many there are, it is told of some. */
	f.host.frames = 0;
	for (unsigned i = 0; i < 3000; i++)
		CHECK("dropped", add(&f, true, i, &misfits[0].piece, &out) ==
				 DROP_LENGTH);
	CHECK("a bucket", f.host.frames > 900 && f.host.frames <= 1000);
	CHECK("counted", f.p.drops[DROP_LIMIT] == 3000 - f.host.frames);
	f.p.now_ns += UINT64_C(100000000);
	f.host.frames = 0;
	for (unsigned i = 0; i < 3000; i++)
		CHECK("dropped", add(&f, true, i, &misfits[0].piece, &out) ==
				 DROP_LENGTH);
	CHECK("refilled", f.host.frames == 100);
	teardown("misfits", &f);
}

void test_proto_reassembly(void);
void test_proto_reassembly(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		check_case(i, false);
		check_case(i, true);
	}
	check_time_out(false, 0, 1);
	check_time_out(true, 0, 1);
	check_time_out(false, 8, 0);
	check_flood();
	check_misfits();
}
