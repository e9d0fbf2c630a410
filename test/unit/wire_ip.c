/* SPDX-License-Identifier: MIT */
/* test/unit/wire_ip.c - links base and wire, nothing else. */
#include "wire/ip.h"

#include "base/csum.h"
#include "exact.h"
#include "test.h"

#define V4_LEN	28		/* of the good packet: 8 bytes of payload */

static const uint8_t good4[V4_LEN] = {
	0x45, 0xb9, 0, V4_LEN, 0x12, 0x34, 0x40, 0, 64, PROTO_UDP, 0, 0,
	172, 20, 0, 2, 192, 0, 2, 1, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h',
};

/* One byte of it changed; the checksum is then made right. */
static const struct {
	const char *name;
	size_t at;
	uint8_t byte;
	enum drop want;
	size_t payload;			/* bytes, if want is OK */
} cases4[] = {
	{ "good",		0,	0x45,	DROP_OK, 8 },
	{ "options",		0,	0x46,	DROP_OK, 4 },
	{ "all options",	0,	0x47,	DROP_OK, 0 },
	{ "padding",		3,	24,	DROP_OK, 4 },
	{ "no payload",		3,	20,	DROP_OK, 0 },
	{ "version 0",		0,	0x05,	DROP_VALUE },
	{ "version 6",		0,	0x65,	DROP_VALUE },
	{ "version 15",		0,	0xf5,	DROP_VALUE },
	{ "header 0",		0,	0x40,	DROP_LENGTH },
	{ "header 16",		0,	0x44,	DROP_LENGTH },
	{ "header past total",	0,	0x48,	DROP_LENGTH },
	{ "header 60",		0,	0x4f,	DROP_LENGTH },
	{ "total 0",		3,	0,	DROP_LENGTH },
	{ "total 19",		3,	19,	DROP_LENGTH },
	{ "total one over",	3,	29,	DROP_SHORT },
	{ "total 256 over",	2,	1,	DROP_SHORT },
	{ "total 65308",	2,	255,	DROP_SHORT },
};

static void seal(uint8_t *p, size_t len)
{
	const size_t header = (size_t)(p[0] & 15) * 4;
	uint16_t sum;

	p[10] = 0;
	p[11] = 0;
	sum = csum_finish(csum_add(0, p, header < len ? header : len));
	p[10] = (uint8_t)(sum >> 8);
	p[11] = (uint8_t)sum;
}

static void check_v4(void)
{
	for (size_t i = 0; i < sizeof(cases4) / sizeof(cases4[0]); i++) {
		const char *name = cases4[i].name;
		uint8_t *copy = exact(good4, V4_LEN);
		struct ip_packet p = { .frag_id = 0xa5a5a5 };

		copy[cases4[i].at] = cases4[i].byte;
		seal(copy, V4_LEN);
		CHECK(name, ip_parse_packet(rd(copy, V4_LEN), false, &p) ==
			    cases4[i].want);
		CHECK(name, cases4[i].want == DROP_OK ?
			    p.payload.len == cases4[i].payload &&
			    p.frag_id == 0x1234 : p.frag_id == 0xa5a5a5);
		CHECK(name, ip_parse_packet(rd(copy, V4_LEN), true, &p) !=
			    DROP_OK);
		free(copy);
	}
}

/* Each single bit of the header, flipped, is found by the checksum. */
static void check_v4_bits(void)
{
	uint8_t p[V4_LEN];
	struct ip_packet out;

	memcpy(p, good4, V4_LEN);
	seal(p, V4_LEN);
	for (unsigned bit = 0; bit < IPV4_HEADER_BYTES * 8; bit++) {
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		CHECK("bit", ip_parse_packet(rd(p, V4_LEN), false, &out) !=
			     DROP_OK);
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	CHECK("good", ip_parse_packet(rd(p, V4_LEN), false, &out) == DROP_OK);
	CHECK("fields", out.tos == 0xb9 && out.dont_fragment && !out.more &&
	      out.ttl == 64 && out.proto == PROTO_UDP && !out.v6 &&
	      ip_to_v4(out.dst) == 0xc0000201);
}

#define V6(next, s) .first = (next), .body = (s), .len = sizeof(s) - 1
#define DEST(next) next "\0\1\4\0\0\0\0"	/* PadN of 4 */
#define UDP	"\x11"
#define D	"\x3c"
#define DEST4	DEST(D) DEST(D) DEST(D) DEST(D)

static const struct {
	const char *name;
	uint8_t first;			/* next header of the fixed part */
	const char *body;
	size_t len;
	enum drop want;
	uint8_t proto;			/* these, if want is OK */
	size_t payload;
	bool fragment;
} cases6[] = {
	{ "plain", V6(17, "abcd"), DROP_OK, 17, 4 },
	{ "hop by hop", V6(0, DEST(UDP) "abcd"), DROP_OK, 17, 4 },
	{ "destination", V6(60, DEST(UDP) "abcd"), DROP_OK, 17, 4 },
	{ "16 bytes", V6(60, UDP "\1\1\14" "abcdefghijkl" "x"), DROP_OK,
	  17, 1 },
	{ "eight", V6(60, DEST4 DEST(D) DEST(D) DEST(D) DEST(UDP) "a"),
	  DROP_OK, 17, 1 },
	{ "routing, none left", V6(43, UDP "\0\0\0\0\0\0\0" "a"),
	  DROP_OK, 17, 1 },
	{ "atomic fragment", V6(44, UDP "\0\0\0\0\0\0\7" "a"),
	  DROP_OK, 17, 1 },
	{ "first fragment", V6(44, UDP "\0\0\1\0\0\0\7" "a"),
	  DROP_OK, 17, 1, true },
	{ "later fragment", V6(44, D "\0\0\x08\0\0\0\7" "a"),
	  DROP_OK, 60, 1, true },
	{ "no next header", V6(59, "x"), DROP_OK, 59, 1 },
	{ "hop by hop late", V6(60, DEST("\0") DEST(UDP)), DROP_OK, 0, 8 },
	{ "nothing after", V6(60, DEST(UDP)), DROP_OK, 17, 0 },

	{ "empty", V6(17, ""), DROP_LENGTH },
	{ "nine", V6(60, DEST4 DEST4 DEST(UDP) "a"), DROP_VALUE },
	{ "routing, one left", V6(43, UDP "\0\0\1\0\0\0\0" "a"),
	  DROP_VALUE },
	{ "routing after others", V6(60, DEST("\x2b") UDP "\0\0\x7f\0\0\0\0"),
	  DROP_VALUE },
	{ "extension cut", V6(60, UDP "\0\1\4\0\0\0"), DROP_SHORT },
	{ "extension of 1", V6(60, UDP), DROP_SHORT },
	{ "extension long", V6(60, UDP "\1\1\4\0\0\0\0"), DROP_SHORT },
	{ "extension longest", V6(60, UDP "\xff\1\4\0\0\0\0"), DROP_SHORT },
	{ "hop by hop cut", V6(0, D), DROP_SHORT },
	{ "fragment cut", V6(44, UDP "\0\0\1\0\0\0"), DROP_SHORT },
	{ "routing cut", V6(43, UDP "\0\0"), DROP_SHORT },
	{ "second missing", V6(60, DEST(D)), DROP_SHORT },
};

static size_t build6(uint8_t *buf, size_t cap, size_t i)
{
	const struct ip_packet p = {
		.src = { .b = { 0xfd, 1, [15] = 2 } },
		.dst = { .b = { 0x20, 1, [15] = 9 } },
		.proto = cases6[i].first, .ttl = 3, .tos = 0xb9,
	};
	struct wr w = wr(buf, cap);

	ip_emit(&w, &p, cases6[i].len);
	wr_bytes(&w, cases6[i].body, cases6[i].len);
	CHECK(cases6[i].name, !w.bad);
	return (size_t)(w.p - buf);
}

static void check_v6(void)
{
	for (size_t i = 0; i < sizeof(cases6) / sizeof(cases6[0]); i++) {
		const char *name = cases6[i].name;
		uint8_t buf[256], *copy;
		const size_t len = build6(buf, sizeof(buf), i);
		struct ip_packet p = { .ttl = 77 };

		copy = exact(buf, len);
		CHECK(name, ip_parse_packet(rd(copy, len), true, &p) ==
			    cases6[i].want);
		if (cases6[i].want == DROP_OK) {
			CHECK(name, p.proto == cases6[i].proto);
			CHECK(name, p.payload.len == cases6[i].payload);
			CHECK(name, p.fragment == cases6[i].fragment);
			CHECK(name, p.whole.len == len && p.v6);
			CHECK(name, p.tos == 0xb9 && p.ttl == 3);
		} else {
			CHECK(name, p.ttl == 77);
		}
		for (size_t n = 0; n < len; n++) {
			uint8_t *cut = exact(buf, n);

			CHECK(name, ip_parse_packet(rd(cut, n), true, &p) !=
				    DROP_OK);
			free(cut);
		}
		free(copy);
	}
}

/* The fixed header of IPv6, with one thing wrong. */
static void check_v6_header(void)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint8_t buf[256];
	const size_t len = build6(buf, sizeof(buf), 0);
	struct ip_packet p;

	for (unsigned v = 0; v < 16; v++) {
		buf[0] = (uint8_t)(v << 4);
		CHECK("version", ip_parse_packet(rd(buf, len), true, &p) ==
				 (v == 6 ? DROP_OK : DROP_VALUE));
	}
	buf[0] = 0x60;
	CHECK("as v4", ip_parse_packet(rd(buf, len), false, &p) ==
		       DROP_VALUE);
	buf[len] = 'x';
	CHECK("padding", ip_parse_packet(rd(buf, len + 1), true, &p) ==
			 DROP_OK && p.payload.len == 4);
	memcpy(buf + 8, mapped, 12);
	CHECK("mapped source", ip_parse_packet(rd(buf, len), true, &p) ==
			       DROP_VALUE);
	build6(buf, sizeof(buf), 0);
	memcpy(buf + 24, mapped, 12);
	CHECK("mapped destination", ip_parse_packet(rd(buf, len), true, &p) ==
				    DROP_VALUE);
}

/* Emitted, parsed, and cut at every byte. */
static void check_v4_round_trip(void)
{
	static const struct ip_packet in[] = {
		{ .proto = PROTO_TCP, .ttl = 255, .dont_fragment = true },
		{ .proto = 0, .ttl = 0, .tos = 0xff, .frag_id = 0xffff },
		{ .proto = PROTO_UDP, .more = true },
		{ .proto = PROTO_UDP, .frag_offset = 65528, .frag_id = 1 },
	};

	for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++) {
		struct ip_packet p = in[i], q;
		uint8_t buf[IPV4_HEADER_BYTES + 8] = { 0 };
		struct wr w = wr(buf, sizeof(buf));

		p.src = ip_from_v4(0x01020304);
		p.dst = ip_from_v4(0xffffffff);
		ip_emit(&w, &p, 8);
		CHECK("emit", !w.bad && w.left == 8 &&
			      ip_header_bytes(&p.src) == IPV4_HEADER_BYTES);
		CHECK("parse", ip_parse_packet(rd(buf, sizeof(buf)), false,
					       &q) == DROP_OK);
		CHECK("same", ip_equal(&p.src, &q.src) &&
		      ip_equal(&p.dst, &q.dst) && p.proto == q.proto &&
		      p.ttl == q.ttl && p.tos == q.tos &&
		      p.frag_id == q.frag_id && p.more == q.more &&
		      p.frag_offset == q.frag_offset &&
		      p.dont_fragment == q.dont_fragment);
		CHECK("fragment", q.fragment == (p.more || p.frag_offset));
		for (size_t n = 0; n < sizeof(buf); n++) {
			uint8_t *cut = exact(buf, n);

			CHECK("cut", ip_parse_packet(rd(cut, n), false, &q) ==
				     DROP_SHORT);
			free(cut);
		}
		for (size_t n = 0; n < IPV4_HEADER_BYTES; n++) {
			w = wr(buf, n);
			ip_emit(&w, &p, 8);
			CHECK("no room", w.bad);
		}
	}
}

void test_wire_ip(void);
void test_wire_ip(void)
{
	check_v4();
	check_v4_bits();
	check_v6();
	check_v6_header();
	check_v4_round_trip();
}
