/* SPDX-License-Identifier: MIT */
/* test/unit/wire_udp.c - links base and wire, nothing else. */
#include "wire/udp.h"

#include "exact.h"
#include "test.h"

#define BYTES(s) .bytes = (s), .len = sizeof(s) - 1
#define PORTS	"\x04\xd2\x00\x35"	/* 1234 to 53 */

static const struct {
	const char *name;
	const char *bytes;
	size_t len;
	enum drop want;
	size_t data;			/* bytes of it, if want is OK */
	bool no_csum;
} cases[] = {
	{ "empty", BYTES(PORTS "\0\x08\x12\x34"), .data = 0 },
	{ "data", BYTES(PORTS "\0\x0b\x12\x34" "abc"), .data = 3 },
	{ "no checksum", BYTES(PORTS "\0\x09\0\0" "a"), .data = 1,
	  .no_csum = true },
	{ "padding cut", BYTES(PORTS "\0\x0a\x12\x34" "abcdef"), .data = 2 },
	{ "nothing", BYTES(""), DROP_SHORT },
	{ "half", BYTES(PORTS), DROP_SHORT },
	{ "7 bytes", BYTES(PORTS "\0\x08\x12"), DROP_SHORT },
	{ "length 0", BYTES(PORTS "\0\0\x12\x34" "abc"), DROP_LENGTH },
	{ "length 7", BYTES(PORTS "\0\x07\x12\x34" "abc"), DROP_LENGTH },
	{ "one too long", BYTES(PORTS "\0\x0c\x12\x34" "abc"), DROP_LENGTH },
	{ "longest", BYTES(PORTS "\xff\xff\x12\x34" "abc"), DROP_LENGTH },
};

static void check_cases(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *name = cases[i].name;
		uint8_t *copy = exact(cases[i].bytes, cases[i].len);
		struct udp u = { .src_port = 0xa5a5 };

		CHECK(name, udp_parse((struct view){ copy, cases[i].len },
				      &u) == cases[i].want);
		if (cases[i].want == DROP_OK) {
			CHECK(name, u.src_port == 1234 && u.dst_port == 53);
			CHECK(name, u.data.len == cases[i].data);
			CHECK(name, u.data.p == copy + UDP_HEADER_BYTES);
			CHECK(name, u.no_csum == cases[i].no_csum);
		} else {
			CHECK(name, u.src_port == 0xa5a5);
		}
		free(copy);
	}
}

void test_wire_udp(void);
void test_wire_udp(void)
{
	uint8_t buf[UDP_HEADER_BYTES + 100] = { 0 };

	check_cases();
	for (size_t n = 0; n <= 100; n++) {
		const size_t whole = UDP_HEADER_BYTES + n;
		struct wr w = wr(buf, sizeof(buf));

		udp_emit(&w, 65535, 1, n, 0xbeef);
		CHECK("emit", !w.bad && w.p == buf + UDP_HEADER_BYTES);
		CHECK("csum", buf[UDP_CSUM_OFFSET] == 0xbe);
		for (size_t len = 0; len <= whole; len++) {
			uint8_t *copy = exact(buf, len);
			const struct view v = { copy, len };
			const enum drop want = len < 8 ? DROP_SHORT :
				len < whole ? DROP_LENGTH : DROP_OK;
			struct udp u;

			CHECK("cut", udp_parse(v, &u) == want);
			CHECK("all", want != DROP_OK ||
			      (u.data.len == n && u.src_port == 65535));
			free(copy);
		}
	}
	for (size_t n = 0; n < UDP_HEADER_BYTES; n++) {
		struct wr w = wr(buf, n);

		udp_emit(&w, 1, 1, 0, 0);
		CHECK("no room", w.bad);
	}
}
