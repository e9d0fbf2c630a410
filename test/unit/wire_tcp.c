/* SPDX-License-Identifier: MIT */
/* test/unit/wire_tcp.c - links base and wire, nothing else. */
#include "wire/tcp.h"

#include "exact.h"
#include "test.h"

#define OPTS(s)	.opts = (s), .len = sizeof(s) - 1
#define NONE	.wscale = TCP_NO_WSCALE
#define MSS	"\x02\x04\x05\xb4"
#define BLOCK	"\0\0\0\x01\0\0\0\x02"

/* Option bytes, a multiple of 4; what must have been read from them. */
static const struct {
	const char *name;
	const char *opts;
	size_t len;
	struct tcp_segment want;
} cases[] = {
	{ "none", OPTS(""), { NONE } },
	{ "mss", OPTS(MSS), { .mss = 1460, NONE } },
	{ "wscale", OPTS("\x01\x03\x03\x07"), { .wscale = 7 } },
	{ "wscale 14", OPTS("\x01\x03\x03\x0e"), { .wscale = 14 } },
	{ "sack ok", OPTS("\x01\x01\x04\x02"), { .sack_ok = true, NONE } },
	{ "timestamps", OPTS("\x01\x01\x08\x0a" BLOCK),
	  { .has_ts = true, .ts_val = 1, .ts_ecr = 2, NONE } },
	{ "sack", OPTS("\x01\x01\x05\x0a" BLOCK),
	  { .sacks = 1, .sack = { { 1, 2 } }, NONE } },
	{ "sack, four", OPTS("\x01\x01\x05\x22" BLOCK BLOCK BLOCK BLOCK),
	  { .sacks = 4, .sack = { { 1, 2 }, { 1, 2 }, { 1, 2 }, { 1, 2 } },
	    NONE } },
	{ "unknown", OPTS("\xfd\x04xx" MSS), { .mss = 1460, NONE } },
	{ "all NOP", OPTS("\x01\x01\x01\x01"), { NONE } },
	{ "end first", OPTS("\0\x02\x04\x05\xb4\0\0\0"), { NONE } },
	{ "twice: the last", OPTS("\x02\x04\0\x01" MSS),
	  { .mss = 1460, NONE } },

	{ "wscale 15", OPTS("\x01\x03\x03\x0f"), { .wscale = 14 } },
	{ "wscale 255", OPTS("\x01\x03\x03\xff"), { .wscale = 14 } },
	{ "length 0", OPTS("\x02\0" MSS "\0\0"), { NONE } },
	{ "length 1", OPTS("\x02\x01" MSS "\0\0"), { NONE } },
	{ "no length", OPTS(MSS "\x01\x01\x01\x03"), { .mss = 1460, NONE } },
	{ "past end", OPTS(MSS "\x03\x05\x07\x01"), { .mss = 1460, NONE } },
	{ "length 255", OPTS("\x02\xff\x05\xb4"), { NONE } },
	{ "mss of 3", OPTS("\x02\x03\x05\x01" MSS), { .mss = 1460, NONE } },
	{ "mss of 6", OPTS("\x02\x06\x05\xb4\0\0\0\0"), { NONE } },
	{ "wscale of 4", OPTS("\x03\x04\x07\x07"), { NONE } },
	{ "sack ok of 3", OPTS("\x04\x03\0\x01"), { NONE } },
	{ "ts of 8", OPTS("\x08\x08" "abcdef"), { NONE } },
	{ "ts of 12", OPTS("\x08\x0c" "abcdefghij"), { NONE } },
	{ "sack of none", OPTS("\x05\x02\x01\x01"), { NONE } },
	{ "sack of half", OPTS("\x05\x08" "abcdef"), { NONE } },
	{ "sack, one and a half",
	  OPTS("\x01\x01\x05\x0e" BLOCK "abcd"),
	  { .sacks = 1, .sack = { { 1, 2 } }, NONE } },
	{ "sack, 4 and 1 past end",
	  OPTS("\x01\x01\x05\x2a" BLOCK BLOCK BLOCK BLOCK), { NONE } },
	{ "sacks in two options, five",
	  OPTS("\x05\x1a" BLOCK BLOCK BLOCK "\x05\x0a" BLOCK),
	  { .sacks = 4, .sack = { { 1, 2 }, { 1, 2 }, { 1, 2 }, { 1, 2 } },
	    NONE } },
};

static bool same_options(const struct tcp_segment *a,
			 const struct tcp_segment *b)
{
	if (a->mss != b->mss || a->wscale != b->wscale ||
	    a->sack_ok != b->sack_ok || a->has_ts != b->has_ts ||
	    a->ts_val != b->ts_val || a->ts_ecr != b->ts_ecr ||
	    a->sacks != b->sacks)
		return false;
	for (unsigned i = 0; i < a->sacks; i++)
		if (a->sack[i].from != b->sack[i].from ||
		    a->sack[i].to != b->sack[i].to)
			return false;
	return true;
}

static void check_options(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *name = cases[i].name;
		const size_t len = TCP_HEADER_BYTES + cases[i].len;
		uint8_t buf[TCP_MAX_HEADER_BYTES] = { 0 }, *copy;
		struct tcp_segment s;

		buf[12] = (uint8_t)(len / 4 << 4);
		memcpy(buf + TCP_HEADER_BYTES, cases[i].opts, cases[i].len);
		copy = exact(buf, len);
		CHECK(name, tcp_parse((struct view){ copy, len }, &s) ==
			    DROP_OK);
		CHECK(name, same_options(&s, &cases[i].want));
		CHECK(name, s.data.len == 0);
		free(copy);
	}
}

/* Data offset d of a segment of 24 bytes. */
static void check_offsets(void)
{
	for (unsigned d = 0; d < 16; d++) {
		uint8_t buf[24] = { [12] = (uint8_t)(d << 4 | 15) };
		uint8_t *copy = exact(buf, sizeof(buf));
		const struct view v = { copy, sizeof(buf) };
		struct tcp_segment s = { .seq = 77 };
		const bool ok = d == 5 || d == 6;

		CHECK("offset", tcp_parse(v, &s) ==
				(ok ? DROP_OK : DROP_LENGTH));
		CHECK("offset", ok ? s.data.len == 24 - 4 * d : s.seq == 77);
		free(copy);
	}
}

/* Every set of options, every truncation of what comes of it. */
static void check_round_trip(unsigned set, uint8_t sacks)
{
	const struct tcp_segment s = {
		.src_port = 1, .dst_port = 65535, .seq = 0xfffffffe,
		.ack = 0x80000000, .flags = 0xff, .window = 0xfffe,
		.urgent = 3, .mss = set & 1 ? 65535 : 0,
		.wscale = set & 2 ? 0 : TCP_NO_WSCALE, .sack_ok = set & 4,
		.has_ts = set & 8, .ts_val = set & 8 ? 9 : 0,
		.ts_ecr = set & 8 ? ~0u : 0, .sacks = sacks,
		.sack = { { 1, 2 }, { 3, 4 }, { 5, 6 }, { ~0u, 0 } },
	};
	const size_t header = tcp_header_bytes(&s), len = header + 3;
	uint8_t buf[TCP_MAX_HEADER_BYTES + 3];
	struct wr w = wr(buf, sizeof(buf));
	struct tcp_segment t, want = s;

	tcp_emit(&w, &s, 0x1234);
	wr_bytes(&w, "abc", 3);
	CHECK("size", !w.bad && w.p == buf + len && header % 4 == 0 &&
		      header <= TCP_MAX_HEADER_BYTES);
	CHECK("csum", buf[TCP_CSUM_OFFSET] == 0x12 &&
		      buf[TCP_CSUM_OFFSET + 1] == 0x34);
	CHECK("parse", tcp_parse((struct view){ buf, len }, &t) == DROP_OK);
	CHECK("sacks", t.sacks <= s.sacks && (t.sacks == s.sacks ||
		       header > TCP_MAX_HEADER_BYTES - 8));
	want.sacks = t.sacks;
	CHECK("options", same_options(&t, &want));
	CHECK("fields", t.src_port == 1 && t.dst_port == 65535 &&
	      t.seq == s.seq && t.ack == s.ack && t.flags == 0xff &&
	      t.window == 0xfffe && t.urgent == 3);
	CHECK("data", t.data.len == 3 && !memcmp(t.data.near.p, "abc", 3));
	for (size_t n = 0; n < len; n++) {
		uint8_t *copy = exact(buf, n);
		const struct view v = { copy, n };

		CHECK("cut", tcp_parse(v, &t) ==
		      (n < TCP_HEADER_BYTES ? DROP_SHORT :
		       n < header ? DROP_LENGTH : DROP_OK));
		free(copy);
	}
	for (size_t n = 0; n < header; n++) {
		w = wr(buf, n);
		tcp_emit(&w, &s, 0);
		CHECK("no room", w.bad);
	}
}

void test_wire_tcp(void);
void test_wire_tcp(void)
{
	check_options();
	check_offsets();
	for (unsigned set = 0; set < 16; set++)
		for (uint8_t sacks = 0; sacks <= TCP_SACK_MAX; sacks++)
			check_round_trip(set, sacks);
	CHECK("lt", seq_lt(1, 2) && !seq_lt(2, 2) && !seq_lt(3, 2));
	CHECK("le", seq_le(1, 2) && seq_le(2, 2) && !seq_le(3, 2));
	CHECK("wraps", seq_lt(0xffffffff, 0) && seq_lt(0xfffffff0, 0x10) &&
		       !seq_lt(0x10, 0xfffffff0));
}
