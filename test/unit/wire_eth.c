/* SPDX-License-Identifier: MIT */
/* test/unit/wire_eth.c - links base and wire, nothing else. */
#include "wire/eth.h"

#include "exact.h"
#include "test.h"

static const struct {
	const char *name;
	const char *bytes;		/* ETH_HEADER_BYTES of them */
	enum drop want;
	uint16_t type;
} cases[] = {
	{ "IPv4", "\2\0\0\0\0\1\2\0\0\0\0\2\x08\x00", DROP_OK, ETH_IPV4 },
	{ "ARP, all stations", "\xff\xff\xff\xff\xff\xff\2\0\0\0\0\2\x08\x06",
	  DROP_OK, ETH_ARP },
	{ "IPv6 multicast", "\x33\x33\0\0\0\1\2\0\0\0\0\2\x86\xdd",
	  DROP_OK, ETH_IPV6 },
	{ "any type", "\2\0\0\0\0\1\2\0\0\0\0\2\0\0", DROP_OK, 0 },
	{ "from a group", "\2\0\0\0\0\1\3\0\0\0\0\2\x08\x00", DROP_SOURCE },
	{ "from all", "\2\0\0\0\0\1\xff\xff\xff\xff\xff\xff\x08\x00",
	  DROP_SOURCE },
};

static void check_cases(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *name = cases[i].name;
		uint8_t *copy = exact(cases[i].bytes, ETH_HEADER_BYTES);
		uint8_t again[ETH_HEADER_BYTES];
		struct rd r = rd(copy, ETH_HEADER_BYTES);
		struct wr w = wr(again, sizeof(again));
		struct eth e = { .type = 0xa5a5 };

		CHECK(name, eth_parse(&r, &e) == cases[i].want);
		if (cases[i].want == DROP_OK) {
			eth_emit(&w, &e);
			CHECK(name, e.type == cases[i].type && !r.left);
			CHECK(name, !w.bad && !memcmp(again, copy,
						      sizeof(again)));
		} else {
			CHECK(name, e.type == 0xa5a5);
		}
		free(copy);
	}
}

void test_wire_eth(void);
void test_wire_eth(void)
{
	uint8_t room[ETH_HEADER_BYTES];
	const struct eth e = { .type = ETH_IPV4 };

	check_cases();
	for (size_t len = 0; len < ETH_HEADER_BYTES; len++) {
		uint8_t *copy = exact(cases[0].bytes, len);
		struct rd r = rd(copy, len);
		struct wr w = wr(room, len);
		struct eth out = { .type = 0xa5a5 };

		CHECK("cut", eth_parse(&r, &out) == DROP_SHORT);
		CHECK("untouched", out.type == 0xa5a5);
		eth_emit(&w, &e);
		CHECK("no room", w.bad);
		free(copy);
	}
}
