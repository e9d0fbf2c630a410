/* SPDX-License-Identifier: MIT */
/* test/unit/base_csum.c - links base, nothing else. */
#include "base/csum.h"

#include "exact.h"
#include "test.h"

/* RFC 1071 section 1, word by word. */
static uint16_t naive(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++) {
		sum += (uint32_t)p[i] << (i % 2 ? 0 : 8);
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)sum;
}

static void check_against_naive(void)
{
	uint8_t buf[300];
	uint32_t rng = 7;

	for (size_t len = 0; len <= sizeof(buf); len++) {
		uint16_t field;
		uint8_t *copy;
		size_t cut;

		for (size_t i = 0; i < len; i++) {
			rng = rng * 1664525u + 1013904223u;
			buf[i] = len % 3 ? (uint8_t)(rng >> 24) : 0xff;
		}
		copy = exact(buf, len);
		cut = (rng >> 8) % (len + 1) & ~(size_t)1;
		CHECK("whole", csum_fold(csum_add(0, copy, len)) ==
			       naive(copy, len));
		CHECK("in two", csum_fold(csum_add(csum_add(0, copy, cut),
						   copy + cut, len - cut)) ==
				naive(copy, len));
		field = csum_finish(csum_add(0, copy, len));
		CHECK("finish", field + naive(copy, len) == 0xffff);
		free(copy);
	}
}

static const struct {
	const char *name;
	bool v6;
	uint32_t len;
} pseudos[] = {
	{ "v4", false, 20 }, { "v4 empty", false, 0 },
	{ "v4 longest", false, 65515 }, { "v6", true, 20 },
	{ "v6 over 16 bits", true, 0x12345678 },
};

static void check_pseudo(void)
{
	const size_t n = sizeof(pseudos) / sizeof(pseudos[0]);
	const struct ip a4 = ip_from_v4(0x0a000001), b4 = ip_from_v4(~0u);
	const struct ip a6 = { .b = { 0xfd, 1, [15] = 2 } };
	const struct ip b6 = { .b = { 0x20, 1, 0xd, 0xb8, [15] = 0xff } };

	for (size_t i = 0; i < n; i++) {
		const struct ip *a = pseudos[i].v6 ? &a6 : &a4;
		const struct ip *b = pseudos[i].v6 ? &b6 : &b4;
		const size_t skip = pseudos[i].v6 ? 0 : 12;
		uint8_t flat[40] = { 0 };
		size_t at = 0;

		memcpy(flat, a->b + skip, 16 - skip);
		at += 16 - skip;
		memcpy(flat + at, b->b + skip, 16 - skip);
		at += 16 - skip;
		for (unsigned s = 0; s < 4; s++)
			flat[at + s] = (uint8_t)(pseudos[i].len >>
						 (24 - 8 * s));
		flat[at + 7] = 17;
		CHECK(pseudos[i].name,
		      csum_fold(csum_pseudo(0, a, b, 17, pseudos[i].len)) ==
		      naive(flat, at + 8));
	}
}

void test_base_csum(void);
void test_base_csum(void)
{
	/* The example of RFC 1071 section 3. */
	static const uint8_t rfc[] = { 0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7 };
	/* An IPv4 header with its checksum in place sums to all ones. */
	static const uint8_t head[] = {
		0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11,
		0xb8, 0x61, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0, 0xc7,
	};
	csum_t sum = 0;

	CHECK("rfc", csum_fold(csum_add(0, rfc, sizeof(rfc))) == 0xddf2);
	CHECK("head", csum_fold(csum_add(0, head, sizeof(head))) == 0xffff);
	for (unsigned i = 0; i < 65536; i++)
		sum = csum_add(sum, rfc, sizeof(rfc));
	CHECK("many", csum_fold(sum) == 0xddf2);	/* x 2^16 is x 1 */
	check_against_naive();
	check_pseudo();
}
